/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages from a northbound as short messages: any text, coding, addresses and time. Input: coding and trigger, port 2,
 * lengths of originator and service centre (255: none), timestamp 8, the two addresses, the text. Every part that comes out
 * must have lengths that agree from CP-DATA down to TP-UD; units of text are counted against the octets of UTF-8.
 */
#include "../../dataplane/pdu/sms.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes);

enum { FIXED_BYTES = 1 + 2 + 2 + 8 };

struct input {
	const uint8_t *at;
	size_t left;
};

/* A copy of up to `want` octets as a string; NULL for 255. */
static char *
take_string(struct input *input, uint8_t want)
{
	size_t taken = want < input->left ? want : input->left;
	char *text;

	if (want == 255)
		return NULL;
	text = malloc(taken + 1);
	FAN_REQUIRE(text != NULL);
	memcpy(text, input->at, taken);
	text[taken] = '\0';
	input->at += taken;
	input->left -= taken;
	return text;
}

/* Returns units of text in the part: septets, octets or 16-bit units. */
static unsigned
check_part(const struct fan_sms *sms, unsigned number, bool device_trigger)
{
	const struct fan_sms_part *part = &sms->parts[number];
	const uint8_t *cp = part->cp_data, *tpdu = cp + 5 + 1 + cp[5] + 2, *udl;
	unsigned header = (sms->part_count > 1 ? 5U : 0) + (device_trigger ? 6U : 0), user_data, tpdu_bytes;

	header += header > 0;
	tpdu_bytes = (unsigned)(part->byte_count - (tpdu - cp));
	FAN_REQUIRE(part->byte_count <= FAN_CP_DATA_BYTES_MAX && cp[2] == part->byte_count - 3);
	FAN_REQUIRE(cp[5] >= 2 && cp[5] < FAN_SMS_ADDRESS_BYTES_MAX && tpdu[-2] == 0);
	FAN_REQUIRE(tpdu[-1] == tpdu_bytes && tpdu_bytes <= FAN_SMS_TPDU_BYTES_MAX);
	FAN_REQUIRE(tpdu[0] == ((header > 0 ? 0x40 : 0) | (number + 1 == sms->part_count ? 0x04 : 0)));
	FAN_REQUIRE(tpdu[1] >= 1 && tpdu[1] <= FAN_SMS_ADDRESS_DIGITS_MAX);
	udl = tpdu + 1 + 2 + (tpdu[1] + 1) / 2 + 2 + 7;
	user_data = sms->coding == FAN_CODING_GSM7 ? (*udl * 7U + 7) / 8 : *udl;
	FAN_REQUIRE(user_data <= FAN_SMS_USER_DATA_BYTES_MAX && udl + 1 + user_data == cp + part->byte_count);
	FAN_REQUIRE(header == 0 || udl[1] == header - 1);
	header = sms->coding == FAN_CODING_GSM7 ? (8 * header + 6) / 7 : header;
	FAN_REQUIRE(*udl > header);
	if (sms->coding != FAN_CODING_UCS2)
		return *udl - header;
	FAN_REQUIRE((*udl - header) % 2 == 0);
	return (*udl - header) / 2;
}

static void
check_sms(const struct fan_sms *sms, const struct fan_message *message)
{
	size_t units = 0;

	FAN_REQUIRE(sms->part_count >= 1 && sms->part_count <= FAN_PARTS_MAX && sms->coding != FAN_CODING_AUTO);
	for (unsigned i = 0; i < sms->part_count; i++)
		units += check_part(sms, i, message->device_trigger);
	/* Octets of UTF-8 a unit: GSM 7-bit from 1/2 ("{") to 2 (Greek), 16-bit units from 1 to 3; a byte order mark of 3 is no text. */
	if (sms->coding == FAN_CODING_8BIT)
		FAN_REQUIRE(units == message->byte_count);
	else if (sms->coding == FAN_CODING_GSM7)
		FAN_REQUIRE(units <= 2 * message->byte_count && 2 * units + 3 >= message->byte_count);
	else
		FAN_REQUIRE(units <= message->byte_count && 3 * units + 3 >= message->byte_count);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
	struct input input;
	struct fan_message message = { .sdap_qfi = -1 };
	char *originator, *service_centre;
	struct fan_sms sms;

	if (data_bytes < FIXED_BYTES)
		return 0;
	input = (struct input){ data + FIXED_BYTES, data_bytes - FIXED_BYTES };
	setenv("SOURCE_DATE_EPOCH", "1767323045", 1);
	originator = take_string(&input, data[3]);
	service_centre = take_string(&input, data[4]);
	message.coding = (enum fan_coding)(data[0] & 7);
	message.device_trigger = (data[0] & 0x80) != 0;
	message.application_port = (uint16_t)(data[1] << 8 | data[2]);
	message.originator = originator;
	message.service_centre = service_centre;
	memcpy(&message.timestamp_s, data + 5, sizeof(message.timestamp_s));
	message.bytes = input.at;
	message.byte_count = input.left;
	if (fan_sms_encode(&sms, &message) == 0)
		check_sms(&sms, &message);
	else
		FAN_REQUIRE(sms.parts == NULL && sms.part_count == 0 && fan_error_detail()[0] != '\0');
	fan_sms_free(&sms);
	free(service_centre);
	free(originator);
	return 0;
}
