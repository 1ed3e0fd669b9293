/* SPDX-License-Identifier: BSD-3-Clause */
#include "plmn.h"

#include <stdio.h>
#include <string.h>

#define FILLER 0xf /* in the place of the third digit of a short MNC */

size_t
fan_plmn_read(uint8_t plmn[3], const char *text)
{
	static const char digits[] = "0123456789";
	const size_t mnc_digits = strspn(text, digits) == 3 && text[3] == '-' ? strspn(text + 4, digits) : 0;
	uint8_t digit[6] = { 0, 0, 0, 0, 0, FILLER };

	if (mnc_digits < 2 || mnc_digits > 3)
		return 0;
	for (size_t i = 0; i < 3; i++)
		digit[i] = (uint8_t)(text[i] - '0');
	for (size_t i = 0; i < mnc_digits; i++)
		digit[3 + i] = (uint8_t)(text[4 + i] - '0');
	plmn[0] = (uint8_t)(digit[1] << 4 | digit[0]);
	plmn[1] = (uint8_t)(digit[5] << 4 | digit[2]);
	plmn[2] = (uint8_t)(digit[4] << 4 | digit[3]);
	return 4 + mnc_digits;
}

bool
fan_plmn_parse(uint8_t plmn[3], const char *text)
{
	const size_t characters = fan_plmn_read(plmn, text);

	return characters > 0 && text[characters] == '\0';
}

void
fan_plmn_write(char text[FAN_PLMN_TEXT_BYTES], const uint8_t plmn[3])
{
	const bool is_short = plmn[1] >> 4 == FILLER;

	(void)snprintf(text, FAN_PLMN_TEXT_BYTES, "%c%c%c-%c%c%c", '0' + (plmn[0] & 0xf), '0' + (plmn[0] >> 4),
		       '0' + (plmn[1] & 0xf), '0' + (plmn[2] & 0xf), '0' + (plmn[2] >> 4),
		       is_short ? '\0' : '0' + (plmn[1] >> 4));
}

void
fan_plmn_format(char text[FAN_PLMN_TEXT_BYTES], const uint8_t plmn[3])
{
	static const uint8_t none[3];

	text[0] = '\0';
	if (memcmp(plmn, none, sizeof(none)) != 0)
		fan_plmn_write(text, plmn);
}
