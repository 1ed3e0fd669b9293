/* SPDX-License-Identifier: BSD-3-Clause */
/* A PLMN as people write it, MCC-MNC, and as it lies on the wire (TS 24.008 10.5.1.3). Any thread. */
#ifndef FAN_CONTROL_PLMN_H
#define FAN_CONTROL_PLMN_H

#include <stdbool.h>
#include <stdint.h>

#define FAN_PLMN_TEXT_BYTES 8 /* "262-010" and its closing zero */

/* False: it is not three digits, a hyphen, and two or three digits. */
bool fan_plmn_parse(uint8_t plmn[3], const char *text);
/* Out: the text; "" for a PLMN of zeros, which is none. */
void fan_plmn_format(char text[FAN_PLMN_TEXT_BYTES], const uint8_t plmn[3]);

#endif
