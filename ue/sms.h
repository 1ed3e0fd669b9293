/* SPDX-License-Identifier: BSD-3-Clause */
/* A short message to the UE: SMS-DELIVER (TS 23.040 9.2.2.1) in RP-DATA (TS 24.011 7.3.1.1) in CP-DATA (TS 24.011 7.2.1),
 * its text from GSM 7-bit (TS 23.038) or UCS-2 to UTF-8. */
#ifndef FAN_UE_SMS_H
#define FAN_UE_SMS_H

#include "ue.h"

#define FAN_UE_SMS_TEXT_MAX 480 /* 160 septets of up to 2 octets of UTF-8, or 70 UCS-2 units of up to 3: with room to spare */

/*
 * Out: form and the SMS fields of *delivery, with `data` in `text` (or in cp_data when it is 8-bit). False: malformed; the
 * fields read until then are set.
 * Stricter than a UE need be, because the sender is under test: reserved values and septets are refused, fill and unused
 * bits must be zero, lengths must add up at every level, a surrogate pair may not be split.
 */
bool fan_ue_sms_parse(struct fan_ue_delivery *delivery, uint8_t text[FAN_UE_SMS_TEXT_MAX], const uint8_t *cp_data,
		      size_t cp_data_bytes);

#endif
