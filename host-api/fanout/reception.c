/* SPDX-License-Identifier: BSD-3-Clause */
#include "reception.h"

#include "../../dataplane/context/error.h"

#include <string.h>

/* Marks in received_bytes, above all that a message can hold: 255 parts of 153 septets. */
#define DONE UINT16_MAX
#define FAILED (UINT16_MAX - 1)
_Static_assert(FAN_PARTS_MAX * 153 < FAILED, "progress and marks do not meet");

#define DEVICE_TRIGGER_PID 0x48 /* TS 23.040 9.2.3.9 */

static const char *const outcome_names[FAN_RECEPTION_COUNT] = {
#define NAME(name, text) text,
	FAN_RECEPTION_LIST(NAME)
#undef NAME
};

const char *
fan_reception_name(enum fan_reception_outcome outcome)
{
	return outcome < FAN_RECEPTION_COUNT ? outcome_names[outcome] : "?";
}

static bool
continues_character(uint8_t octet)
{
	return (octet & 0xc0) == 0x80;
}

int
fan_reception_init(struct fan_reception *reception, const struct fan_message *message)
{
	const size_t room_bytes = (message->byte_count + 1) * sizeof(uint32_t);

	*reception = (struct fan_reception){
		.bytes = message->bytes,
		.byte_count = message->byte_count,
		.character_at = malloc(room_bytes),
		.raw = message->raw,
		.sdap_qfi = message->sdap_qfi,
		.application_port = message->device_trigger ? message->application_port : -1,
	};
	if (reception->character_at == NULL)
		return fan_fail(FAN_E_MEMORY, "the expected message needs %zu octets", room_bytes);
	for (uint32_t at = 0; at < message->byte_count; at++) {
		if (!continues_character(message->bytes[at]))
			reception->character_at[reception->character_count++] = at;
	}
	reception->character_at[reception->character_count] = (uint32_t)message->byte_count;
	reception->mark = message->byte_count > 3 && memcmp(message->bytes, "\xef\xbb\xbf", 3) == 0;
	return 0;
}

void
fan_reception_free(struct fan_reception *reception)
{
	free(reception->character_at);
	memset(reception, 0, sizeof(*reception));
}

/* ---- Short messages ---------------------------------------------------------------------------------------------------- */

/* Data coding schemes with 8-bit data: general groups 00xx and 01xx by bits 3-2, group 1111 by bit 2 (TS 23.038 4). */
static bool
is_data(uint8_t tp_dcs)
{
	if ((tp_dcs & 0xf0) == 0xf0)
		return (tp_dcs & 0x04) != 0;
	return (tp_dcs & 0x80) == 0 && (tp_dcs & 0x0c) == 0x04;
}

static uint32_t
characters_of(const uint8_t *text, size_t text_bytes)
{
	uint32_t count = 0;

	for (size_t i = 0; i < text_bytes; i++)
		count += !continues_character(text[i]);
	return count;
}

/* Octets of data, or characters of text, that a UE is to have in the end. */
static uint32_t
total_of(const struct fan_reception *reception, bool data)
{
	return data ? (uint32_t)reception->byte_count : reception->character_count - reception->mark;
}

/* Compares one part with the message from where this UE is. Out: *progress, where it is then. */
static bool
part_matches(const struct fan_reception *reception, const struct fan_ue_delivery *delivery, uint32_t *progress)
{
	const bool data = is_data(delivery->tp_dcs);
	const uint32_t from = delivery->state->received_bytes;
	size_t at;

	if (from > total_of(reception, data))
		return false;
	at = data ? from : reception->character_at[from + reception->mark];
	if (delivery->data_bytes > reception->byte_count - at ||
	    memcmp(reception->bytes + at, delivery->data, delivery->data_bytes) != 0)
		return false;
	*progress = from + (data ? delivery->data_bytes : characters_of(delivery->data, delivery->data_bytes));
	return *progress < FAILED;
}

static enum fan_reception_outcome
take_sms(const struct fan_reception *reception, const struct fan_ue_delivery *delivery)
{
	struct fan_ue_state *state = delivery->state;
	const bool data = is_data(delivery->tp_dcs);
	uint32_t progress;

	if (reception->application_port >= 0 &&
	    (delivery->application_port != reception->application_port || delivery->tp_pid != DEVICE_TRIGGER_PID))
		return FAN_RECEPTION_WRONG_PORT;
	if (delivery->sms_part != state->received_parts + 1)
		return FAN_RECEPTION_WRONG_PART;
	if (!part_matches(reception, delivery, &progress))
		return FAN_RECEPTION_WRONG_CONTENT;
	state->received_parts++;
	state->received_bytes = (uint16_t)progress;
	if (delivery->sms_part < delivery->sms_parts)
		return FAN_RECEPTION_PART;
	return progress == total_of(reception, data) ? FAN_RECEPTION_COMPLETE : FAN_RECEPTION_WRONG_CONTENT;
}

/* ---- All forms --------------------------------------------------------------------------------------------------------- */

static enum fan_ue_form
expected_form(const struct fan_reception *reception, enum fan_profile profile)
{
	switch (profile) {
	case FAN_PROFILE_EPS_NAS_NIDD:
		return FAN_UE_NIDD;
	case FAN_PROFILE_EPS_NAS_SMS:
	case FAN_PROFILE_5GS_NAS_SMS:
		return FAN_UE_SMS;
	case FAN_PROFILE_5GS_NAS_CIOT:
		return FAN_UE_CIOT;
	case FAN_PROFILE_EPS_NAS_KEY:
	case FAN_PROFILE_5GS_NAS_KEY:
	case FAN_PROFILE_MBMS_MSK:
		return FAN_UE_KEYS;
	case FAN_PROFILE_SGI_IP:
		return FAN_UE_IP;
	default:
		return reception->raw ? FAN_UE_RAW : FAN_UE_IP;
	}
}

static bool
is_nr(enum fan_profile profile)
{
	return profile == FAN_PROFILE_NR_PDCP_12 || profile == FAN_PROFILE_NR_PDCP_18;
}

static enum fan_reception_outcome
take(const struct fan_reception *reception, const struct fan_ue_delivery *delivery, enum fan_profile profile, int bearer_id)
{
	const enum fan_ue_form form = expected_form(reception, profile);

	if (delivery->form != form)
		return FAN_RECEPTION_WRONG_FORM;
	if (form == FAN_UE_SMS)
		return take_sms(reception, delivery);
	if ((form == FAN_UE_NIDD || form == FAN_UE_CIOT) && bearer_id >= 0 && delivery->bearer_id != bearer_id)
		return FAN_RECEPTION_WRONG_BEARER;
	if (is_nr(profile) && delivery->sdap_qfi != reception->sdap_qfi)
		return FAN_RECEPTION_WRONG_QFI;
	if (delivery->data_bytes != reception->byte_count ||
	    memcmp(delivery->data, reception->bytes, reception->byte_count) != 0)
		return FAN_RECEPTION_WRONG_CONTENT;
	return FAN_RECEPTION_COMPLETE;
}

enum fan_reception_outcome
fan_reception_take(const struct fan_reception *reception, const struct fan_ue_delivery *delivery, enum fan_profile profile,
		   int bearer_id)
{
	struct fan_ue_state *state = delivery->state;
	enum fan_reception_outcome outcome = FAN_RECEPTION_SURPLUS;

	if (state->received_bytes < FAILED)
		outcome = take(reception, delivery, profile, bearer_id);
	if (outcome == FAN_RECEPTION_COMPLETE)
		state->received_bytes = DONE;
	else if (outcome != FAN_RECEPTION_PART)
		state->received_bytes = FAILED;
	return outcome;
}

bool
fan_reception_done(const struct fan_ue_state *state)
{
	return state->received_bytes == DONE;
}

void
fan_reception_reset(struct fan_ue_state *state)
{
	state->received_bytes = 0;
	state->received_parts = 0;
}
