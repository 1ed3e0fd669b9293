/* SPDX-License-Identifier: BSD-3-Clause */
/* A PLMN as people write it, MCC-MNC, and as it lies on the wire (TS 24.008 10.5.1.13). Any thread. */
#ifndef FAN_KEYS_PLMN_H
#define FAN_KEYS_PLMN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAN_PLMN_TEXT_BYTES 8 /* "262-010" and its closing zero */

/* Reads what a text begins with: three digits, a hyphen, and two or three digits. Returns how many characters that is, 0: it is not that, or has a
 * further digit. */
size_t fan_plmn_read(uint8_t plmn[3], const char *text);
/* The same of a whole text. False: it is not that. */
bool fan_plmn_parse(uint8_t plmn[3], const char *text);

/* Out: the text. */
void fan_plmn_write(char text[FAN_PLMN_TEXT_BYTES], const uint8_t plmn[3]);
/* The same where a PLMN of zeros stands for none: "". */
void fan_plmn_format(char text[FAN_PLMN_TEXT_BYTES], const uint8_t plmn[3]);

#endif
