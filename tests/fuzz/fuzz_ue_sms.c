/* SPDX-License-Identifier: BSD-3-Clause */
/* Any octets as CP-DATA. Bit 0 of the first octet makes the lengths of CP, RP and TPDU right, so that mutations reach the TPDU. */
#include "../../ue/sms.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_bytes);

#define CP_DATA_BYTES_MAX 600

/* CP length, RP-UD length, as a TPDU after an RP-OA of any length would have them. */
static void
fit(uint8_t *cp_data, size_t cp_data_bytes)
{
	size_t user_data;

	if (cp_data_bytes < 8)
		return;
	user_data = 6 + (size_t)cp_data[5] + 1; /* the length octet of RP-UD */
	cp_data[2] = (uint8_t)(cp_data_bytes - 3);
	if (user_data < cp_data_bytes)
		cp_data[user_data] = (uint8_t)(cp_data_bytes - user_data - 1);
}

/* A code point of `bytes` octets that follow the rules of UTF-8 (RFC 3629 4), or 0. */
static size_t
measure_character(const uint8_t *text, size_t left)
{
	size_t bytes = text[0] < 0x80 ? 1 : text[0] >= 0xc2 && text[0] < 0xe0 ? 2 : text[0] >> 4 == 0xe ? 3 : 4;

	if (bytes > left || text[0] > 0xf4 || (text[0] >= 0x80 && text[0] < 0xc2))
		return 0;
	for (size_t i = 1; i < bytes; i++)
		if (text[i] >> 6 != 2)
			return 0;
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) || (text[0] == 0xf0 && text[1] < 0x90) ||
	    (text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	return bytes;
}

static void
check_text(const uint8_t *text, size_t text_bytes)
{
	for (size_t at = 0; at < text_bytes;) {
		size_t bytes = measure_character(text + at, text_bytes - at);

		if (!bytes)
			abort();
		at += bytes;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_bytes)
{
	struct fan_ue_delivery delivery = { .data_bytes = 0 };
	uint8_t *text, *cp_data;

	if (input_bytes < 2 || input_bytes > CP_DATA_BYTES_MAX)
		return 0;
	/* Allocations of their own end where the octets and the room for text end. */
	cp_data = malloc(input_bytes - 1);
	text = malloc(FAN_UE_SMS_TEXT_MAX);
	if (cp_data && text) {
		memcpy(cp_data, input + 1, input_bytes - 1);
		if (input[0] & 1)
			fit(cp_data, input_bytes - 1);
		if (fan_ue_sms_parse(&delivery, text, cp_data, input_bytes - 1)) {
			if (!delivery.sms_part || delivery.sms_part > delivery.sms_parts || delivery.transaction > 6)
				abort();
			if (strlen(delivery.originator) >= sizeof(delivery.originator))
				abort();
			if (delivery.data == text)
				check_text(text, delivery.data_bytes);
		}
	}
	free(cp_data);
	free(text);
	return 0;
}
