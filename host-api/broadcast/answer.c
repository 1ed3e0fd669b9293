/* SPDX-License-Identifier: BSD-3-Clause */
/* Answers to warnings, read from aligned PER (X.691). */
#include "answer.h"
#include "../../dataplane/context/error.h"

#define SUCCESSFUL 0x20 /* successfulOutcome */
#define IGNORE 0x40     /* criticality */
#define NOTIFY 0x80

/* ---- Bits ---------------------------------------------------------------------------------------------------------------- */

/* What lies beyond the end reads as 0 and is noted. */
struct reader {
	const uint8_t *octets;
	size_t octet_count, bits;
	bool failed;
};

static uint64_t
get(struct reader *reader, unsigned bit_count)
{
	uint64_t value = 0;

	if (bit_count > 8 * reader->octet_count - reader->bits) {
		reader->failed = true;
		reader->bits = 8 * reader->octet_count;
		return 0;
	}
	for (; bit_count > 0; bit_count--, reader->bits++)
		value = value << 1 | ((unsigned)reader->octets[reader->bits / 8] >> (7 - reader->bits % 8) & 1U);
	return value;
}

static void
align(struct reader *reader)
{
	reader->bits = (reader->bits + 7) / 8 * 8;
}

/* A length determinant (X.691 11.9), of what is not cut into fragments, and the octets behind it. */
static struct reader
get_open(struct reader *reader)
{
	struct reader inner = { .octets = reader->octets };
	size_t octet_count = (size_t)get(reader, 8);

	if ((octet_count & 0xc0) == 0x80)
		octet_count = (octet_count & 0x3f) << 8 | (size_t)get(reader, 8);
	else if (octet_count >= 0x80)
		reader->failed = true;
	if (reader->failed || octet_count > reader->octet_count - reader->bits / 8) {
		reader->failed = true;
		return inner;
	}
	inner.octets = reader->octets + reader->bits / 8;
	inner.octet_count = octet_count;
	reader->bits += 8 * octet_count;
	return inner;
}

static bool
is_whole(struct reader *reader)
{
	align(reader);
	return !reader->failed && reader->bits == 8 * reader->octet_count;
}

/* ---- The two protocols ------------------------------------------------------------------------------------------------------ */

struct protocol {
	uint8_t procedure;
	uint16_t identifier, serial, completed;
	uint8_t choice_areas; /* of BroadcastCompletedAreaList, in three bits */
	uint8_t area_bits, cell_bits;
};

static const struct protocol protocols[FAN_RADIO_COUNT] = {
	[FAN_RADIO_LTE] = { .procedure = 36,
			    .identifier = 111,
			    .serial = 112,
			    .completed = 120,
			    .choice_areas = 1,
			    .area_bits = 16,
			    .cell_bits = 28 },
	[FAN_RADIO_NR] = { .procedure = 51,
			   .identifier = 35,
			   .serial = 95,
			   .completed = 13,
			   .choice_areas = 4,
			   .area_bits = 24,
			   .cell_bits = 36 },
};

struct reading {
	const struct protocol *protocol;
	struct fan_answer *answer;
	bool has_identifier, has_serial, has_completed;
};

/* A sequence of a PLMN and so many bits. False: it has extensions, which are not read. */
static bool
get_place(struct reader *reader, uint8_t plmn[3], uint64_t *place, unsigned bits)
{
	const bool plain = get(reader, 2) == 0;

	align(reader);
	for (unsigned i = 0; i < 3; i++)
		plmn[i] = (uint8_t)get(reader, 8);
	*place = get(reader, bits);
	return plain && !reader->failed;
}

/* How many there are of what is 1 to 65,535 times there. */
static unsigned
get_count(struct reader *reader)
{
	align(reader);
	return (unsigned)get(reader, 16) + 1;
}

static bool
pass_over_cells(struct reader *reader, const struct protocol *protocol)
{
	const unsigned count = get_count(reader);
	uint8_t plmn[3];
	uint64_t cell;

	for (unsigned i = 0; i < count; i++)
		if (get(reader, 2) != 0 || !get_place(reader, plmn, &cell, protocol->cell_bits))
			return false;
	return true;
}

static int
get_areas(struct reader *reader, const struct reading *reading)
{
	struct fan_answer *answer = reading->answer;
	const unsigned count = get_count(reader);
	uint64_t area;

	if (count > FAN_POLICY_AREAS_MAX)
		return fan_fail(FAN_E_INVALID, "an answer to a warning: %u areas, more than %d", count, FAN_POLICY_AREAS_MAX);
	for (unsigned i = 0; i < count; i++) {
		struct fan_answer_area *at = &answer->areas[i];

		if (get(reader, 2) != 0 || !get_place(reader, at->plmn, &area, reading->protocol->area_bits) ||
		    !pass_over_cells(reader, reading->protocol))
			return fan_fail(FAN_E_INVALID, "an answer to a warning: area %u of %u is no place", i, count);
		at->area = (uint32_t)area;
	}
	answer->area_count = count;
	answer->extent = FAN_ANSWER_AREAS;
	return is_whole(reader) ? 0 : fan_fail(FAN_E_INVALID, "an answer to a warning: octets behind its areas");
}

static int
get_completed(struct reader *reader, const struct reading *reading)
{
	if (get(reader, 3) == reading->protocol->choice_areas)
		return get_areas(reader, reading);
	reading->answer->extent = FAN_ANSWER_CELLS;
	return reader->failed ? fan_fail(FAN_E_INVALID, "an answer to a warning: an empty list") : 0;
}

static int
get_number(struct reader *reader, uint16_t *number)
{
	*number = (uint16_t)get(reader, 16);
	return is_whole(reader)
		       ? 0
		       : fan_fail(FAN_E_INVALID, "an answer to a warning: a number of %zu octets, not 2", reader->octet_count);
}

static int
refuse_twice(unsigned id)
{
	return fan_fail(FAN_E_INVALID, "an answer to a warning: element %u twice", id);
}

static int
get_element(struct reader *reader, struct reading *reading)
{
	const struct protocol *protocol = reading->protocol;
	const unsigned id = (unsigned)get(reader, 16), criticality = (unsigned)get(reader, 8);
	struct reader value = get_open(reader);
	bool *has = id == protocol->identifier  ? &reading->has_identifier
		    : id == protocol->serial    ? &reading->has_serial
		    : id == protocol->completed ? &reading->has_completed
						: NULL;

	if (reader->failed)
		return fan_fail(FAN_E_INVALID, "an answer to a warning ends within an element");
	if (has == NULL)
		return criticality == IGNORE || criticality == NOTIFY
			       ? 0
			       : fan_fail(FAN_E_INVALID,
					  "an answer to a warning: element %u is not known, and not to be ignored", id);
	if (*has)
		return refuse_twice(id);
	*has = true;
	if (id == protocol->completed)
		return get_completed(&value, reading);
	return get_number(&value, id == protocol->identifier ? &reading->answer->id : &reading->answer->serial);
}

static int
get_elements(struct reader *reader, struct reading *reading)
{
	const bool plain = get(reader, 8) == 0;
	const unsigned count = (unsigned)get(reader, 16);
	int error = plain ? 0 : fan_fail(FAN_E_INVALID, "an answer to a warning: it has extensions");

	for (unsigned i = 0; error == 0 && i < count; i++)
		error = get_element(reader, reading);
	if (error == 0 && !is_whole(reader))
		error = fan_fail(FAN_E_INVALID, "an answer to a warning: octets behind its elements");
	if (error == 0 && (!reading->has_identifier || !reading->has_serial))
		error = fan_fail(FAN_E_INVALID, "an answer to a warning: without identifier or serial number");
	return error;
}

int
fan_answer_read(struct fan_answer *answer, enum fan_radio radio, const uint8_t *octets, size_t octet_count)
{
	struct reader reader = { .octets = octets, .octet_count = octet_count }, value;
	struct reading reading = { .protocol = &protocols[radio], .answer = answer };
	const unsigned outcome = (unsigned)get(&reader, 8), procedure = (unsigned)get(&reader, 8),
		       criticality = (unsigned)get(&reader, 8);

	memset(answer, 0, sizeof(*answer));
	if (reader.failed || outcome != SUCCESSFUL || procedure != reading.protocol->procedure || criticality != 0)
		return fan_fail(
			FAN_E_INVALID,
			"no answer to a warning: outcome %#x of procedure %u with criticality %#x, not %#x of %u with 0",
			outcome, procedure, criticality, SUCCESSFUL, reading.protocol->procedure);
	value = get_open(&reader);
	if (!is_whole(&reader))
		return fan_fail(FAN_E_INVALID, "an answer to a warning: %zu octets are not those that it says", octet_count);
	return get_elements(&value, &reading);
}
