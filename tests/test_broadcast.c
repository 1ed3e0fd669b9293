/* SPDX-License-Identifier: BSD-3-Clause */
/* Cell broadcast: requests as pycrate writes them (tests/e2e/broadcast.py), what is refused, and what a UE makes of what it hears. */
#include "../host-api/broadcast/answer.h"
#include "../host-api/fanfare.h"
#include "../ue/broadcast.h"
#include "vectors.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define OCTETS_MAX 16384

static bool
is(const json_t *vector, const char *field, const char *value)
{
	return strcmp(json_string_value(json_object_get(vector, field)), value) == 0;
}

/* The tracking areas and cells of a case. */
static void
take_places(struct fan_broadcast *broadcast, const json_t *vector, uint32_t areas[8], uint64_t cells[8])
{
	const json_t *area_list = json_object_get(vector, "areas"), *cell_list = json_object_get(vector, "cells");

	broadcast->area_count = json_array_size(area_list);
	broadcast->cell_count = json_array_size(cell_list);
	for (size_t i = 0; i < broadcast->area_count; i++)
		areas[i] = (uint32_t)json_integer_value(json_array_get(area_list, i));
	for (size_t i = 0; i < broadcast->cell_count; i++)
		cells[i] = (uint64_t)json_integer_value(json_array_get(cell_list, i));
	broadcast->areas = areas;
	broadcast->cells = cells;
}

Test(broadcast, requests_are_those_of_pycrate)
{
	static uint8_t expected[OCTETS_MAX], octets[OCTETS_MAX], payload[FAN_BROADCAST_BYTES_MAX];
	struct fan_vectors vectors = fan_vectors_load("broadcast_pycrate.json");

	cr_assert_geq(vectors.count, 44);
	for (size_t i = 0; i < vectors.count; i++) {
		const json_t *vector = fan_vector_at(&vectors, i);
		const char *name = json_string_value(json_object_get(vector, "name"));
		const enum fan_radio radio = is(vector, "radio", "nr") ? FAN_RADIO_NR : FAN_RADIO_LTE;
		const size_t payload_bytes = fan_vector_bytes(vector, payload, "payload", sizeof(payload));
		const size_t expected_bytes = fan_vector_bytes(vector, expected, "octets", sizeof(expected));
		struct fan_broadcast broadcast;
		size_t octet_count = sizeof(octets);
		uint32_t areas[8];
		uint64_t cells[8];
		int error;

		fan_broadcast_init(&broadcast);
		broadcast.id = (uint16_t)fan_vector_number(vector, "id");
		broadcast.serial = (uint16_t)fan_vector_number(vector, "serial");
		memcpy(broadcast.plmn, "\x62\xf2\x10", 3);
		broadcast.period_s = fan_vector_number(vector, "period");
		broadcast.broadcasts = (uint16_t)fan_vector_number(vector, "broadcasts");
		take_places(&broadcast, vector, areas, cells);
		memset(octets, 0xaa, sizeof(octets));
		error = is(vector, "what", "start")
				? fan_broadcast_start(octets, &octet_count, radio, &broadcast, payload, payload_bytes)
				: fan_broadcast_stop(octets, &octet_count, radio, &broadcast);
		cr_assert_eq(error, 0, "%s: %s", name, fan_error_detail());
		cr_assert_eq(octet_count, expected_bytes, "%s: %zu octets, not %zu", name, octet_count, expected_bytes);
		cr_assert_eq(memcmp(octets, expected, octet_count), 0, "%s", name);
		cr_assert_eq(octets[octet_count], 0xaa, "%s: written beyond its end", name);
	}
	fan_vectors_free(&vectors);
}

/* ---- Refusals ------------------------------------------------------------------------------------------------------------ */

static int
start(const struct fan_broadcast *broadcast, enum fan_radio radio, size_t payload_bytes, size_t room)
{
	static const uint8_t payload[FAN_BROADCAST_BYTES_MAX + 1];
	static uint8_t octets[OCTETS_MAX];

	return fan_broadcast_start(octets, &room, radio, broadcast, payload, payload_bytes);
}

Test(broadcast, what_is_out_of_range_is_refused)
{
	static const uint32_t far_area = 0x10000, area = 0xffff;
	static const uint64_t far_cell = UINT64_C(1) << 28, cell = (UINT64_C(1) << 28) - 1;
	const struct {
		struct fan_broadcast broadcast;
		enum fan_radio radio;
		size_t payload_bytes;
		int error;
		const char *said;
	} cases[] = {
		{ { .id = 0xa000 }, FAN_RADIO_LTE, 1, 0, NULL },
		{ { .id = 0x9fff }, FAN_RADIO_LTE, 1, FAN_E_INVALID, "identifier 0x9fff: an operator's lies between" },
		{ { .id = 0x1112 }, FAN_RADIO_NR, 1, FAN_E_INVALID, "identifier 0x1112" },
		{ { .id = 0xb000 }, FAN_RADIO_NR, 1, FAN_E_INVALID, "identifier 0xb000" },
		{ { .id = 0x1080 }, FAN_RADIO_NR, 1, 0, NULL },
		{ { .id = 0x10ff }, FAN_RADIO_LTE, 1, 0, NULL },
		{ { .id = 0x107f }, FAN_RADIO_NR, 1, FAN_E_INVALID, "identifier 0x107f" },
		{ { .id = 0x1100 }, FAN_RADIO_NR, 1, FAN_E_INVALID, "for cards, 0x1080 and 0x10ff" },
		{ { .id = 0xa000 }, (enum fan_radio)2, 1, FAN_E_INVALID, "radio 2: takes" },
		{ { .id = 0xa000 }, FAN_RADIO_NR, 0, FAN_E_INVALID, "no octets" },
		{ { .id = 0xa000 }, FAN_RADIO_NR, FAN_BROADCAST_BYTES_MAX, 0, NULL },
		{ { .id = 0xa000 },
		  FAN_RADIO_NR,
		  FAN_BROADCAST_BYTES_MAX + 1,
		  FAN_E_TOO_LONG,
		  "15 pages of 82 octets hold 1230" },
		{ { .id = 0xa000, .period_s = 131071 }, FAN_RADIO_LTE, 1, 0, NULL },
		{ { .id = 0xa000, .period_s = 131072 }, FAN_RADIO_LTE, 1, FAN_E_INVALID, "the most is 131071" },
		{ { .id = 0xa000, .areas = &area, .area_count = 1 }, FAN_RADIO_LTE, 1, 0, NULL },
		{ { .id = 0xa000, .areas = &far_area, .area_count = 1 }, FAN_RADIO_NR, 1, 0, NULL },
		{ { .id = 0xa000, .areas = &far_area, .area_count = 1 },
		  FAN_RADIO_LTE,
		  1,
		  FAN_E_INVALID,
		  "tracking area 0x10000: has more than 16 bits" },
		{ { .id = 0xa000, .cells = &cell, .cell_count = 1 }, FAN_RADIO_LTE, 1, 0, NULL },
		{ { .id = 0xa000, .cells = &far_cell, .cell_count = 1 },
		  FAN_RADIO_LTE,
		  1,
		  FAN_E_INVALID,
		  "cell 0x10000000: has more than 28 bits" },
		{ { .id = 0xa000, .cells = &cell, .cell_count = 1, .areas = &area, .area_count = 1 },
		  FAN_RADIO_LTE,
		  1,
		  FAN_E_INVALID,
		  "give one of the two" },
		{ { .id = 0xa000, .cells = &cell, .cell_count = FAN_BROADCAST_AREAS_MAX + 1 },
		  FAN_RADIO_LTE,
		  1,
		  FAN_E_TOO_LONG,
		  "one request takes 1500" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fan_broadcast broadcast = cases[i].broadcast;

		cr_assert_eq(start(&broadcast, cases[i].radio, cases[i].payload_bytes, OCTETS_MAX), FAN_E_INVALID, "case %zu",
			     i);
		broadcast.struct_bytes = sizeof(broadcast);
		cr_assert_eq(start(&broadcast, cases[i].radio, cases[i].payload_bytes, OCTETS_MAX), cases[i].error,
			     "case %zu: %s", i, fan_error_detail());
		if (cases[i].error != 0)
			cr_assert_not_null(strstr(fan_error_detail(), cases[i].said), "case %zu: %s", i, fan_error_detail());
	}
}

/* The longest that there can be has less than 16 K octets, and nothing is written beyond the room. */
Test(broadcast, room_is_kept_to)
{
	static uint64_t cells[FAN_BROADCAST_AREAS_MAX];
	static const uint8_t payload[FAN_BROADCAST_BYTES_MAX];
	static uint8_t octets[OCTETS_MAX];
	struct fan_broadcast broadcast;
	size_t whole = sizeof(octets), room;

	fan_broadcast_init(&broadcast);
	broadcast.cells = cells;
	broadcast.cell_count = FAN_BROADCAST_AREAS_MAX;
	cr_assert_eq(fan_broadcast_start(octets, &whole, FAN_RADIO_NR, &broadcast, payload, sizeof(payload)), 0);
	for (room = 0; room <= whole; room += room < 40 ? 1 : whole - 1 > room ? whole - 1 - room : 1) {
		size_t octet_count = room;

		memset(octets, 0xaa, sizeof(octets));
		cr_assert_eq(fan_broadcast_start(octets, &octet_count, FAN_RADIO_NR, &broadcast, payload, sizeof(payload)),
			     room < whole ? FAN_E_TOO_LONG : 0);
		cr_assert_eq(octet_count, whole, "what it takes is told");
		cr_assert_eq(octets[room], 0xaa, "room %zu", room);
	}
}

Test(broadcast, serial_numbers)
{
	cr_assert_eq(fan_broadcast_serial(FAN_SCOPE_CELL_AT_ONCE, 0, 0), 0);
	cr_assert_eq(fan_broadcast_serial(FAN_SCOPE_PLMN, 1, 2), 0x4012);
	cr_assert_eq(fan_broadcast_serial(FAN_SCOPE_AREA, 1023, 15), 0xbfff);
	cr_assert_eq(fan_broadcast_serial(FAN_SCOPE_CELL, 1024, 16), 0xc000);
}

/* ---- The UE side ------------------------------------------------------------------------------------------------------------ */

#define ID 0xa001

/* Contents as they would be in a request: behind the id of their element, criticality, and two lengths. */
static const uint8_t *
find_contents(size_t *bytes, const uint8_t *octets, size_t octet_count)
{
	for (size_t i = 0; i + 7 < octet_count; i++)
		if (octets[i] == 0 && octets[i + 1] == 119 && octets[i + 2] == 0x40) {
			const uint8_t *at = octets + i + 3 + (octets[i + 3] < 0x80 ? 1 : 2);

			*bytes = (size_t)(at[0] << 8 | at[1]) + 1;
			return at + 2;
		}
	return NULL;
}

struct heard {
	struct fan_ue_broadcasts broadcasts;
	uint8_t request[OCTETS_MAX], sent[FAN_BROADCAST_BYTES_MAX], payload[FAN_UE_BROADCAST_BYTES_MAX];
	size_t sent_bytes, payload_bytes, contents_bytes;
	const uint8_t *contents;
};

static void
set_up(struct heard *heard, size_t sent_bytes)
{
	static const uint16_t ids[] = { 0xa7ff, ID };
	struct fan_broadcast broadcast;
	size_t octet_count = sizeof(heard->request);

	fan_broadcast_init(&broadcast);
	broadcast.id = ID;
	for (size_t i = 0; i < sent_bytes; i++)
		heard->sent[i] = (uint8_t)(i * 7 + 1);
	cr_assert_eq(fan_broadcast_start(heard->request, &octet_count, FAN_RADIO_LTE, &broadcast, heard->sent, sent_bytes), 0);
	heard->sent_bytes = sent_bytes;
	heard->contents = find_contents(&heard->contents_bytes, heard->request, octet_count);
	cr_assert_not_null(heard->contents);
	fan_ue_broadcasts_begin(&heard->broadcasts, ids, 2);
}

/* One segment of so many octets; the last one has what is left. */
static enum fan_ue_heard
hear(struct heard *heard, uint16_t serial, unsigned number, size_t segment_bytes)
{
	const size_t from = number * segment_bytes, left = heard->contents_bytes - from;
	const struct fan_ue_segment segment = {
		.id = ID,
		.serial = serial,
		.number = (uint8_t)number,
		.last = left <= segment_bytes,
		.octets = heard->contents + from,
		.octet_count = left < segment_bytes ? left : segment_bytes,
	};

	return fan_ue_broadcast_hear(&heard->broadcasts, heard->payload, &heard->payload_bytes, &segment);
}

static void
check_payload(const struct heard *heard)
{
	cr_assert_eq(heard->payload_bytes, heard->sent_bytes);
	cr_assert_eq(memcmp(heard->payload, heard->sent, heard->sent_bytes), 0);
}

Test(broadcast, a_ue_hears_what_was_sent_once)
{
	static const size_t sizes[] = { 1, 81, 82, 83, 164, 165, 1229, FAN_BROADCAST_BYTES_MAX };
	static struct heard heard;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		set_up(&heard, sizes[i]);
		cr_assert_eq(hear(&heard, 1, 0, heard.contents_bytes), FAN_UE_BROADCAST_NEW);
		check_payload(&heard);
		cr_assert_eq(hear(&heard, 1, 0, heard.contents_bytes), FAN_UE_BROADCAST_KNOWN);
		cr_assert_eq(hear(&heard, 2, 0, heard.contents_bytes), FAN_UE_BROADCAST_NEW,
			     "another serial number is another message");
	}
}

Test(broadcast, segments_come_in_any_order)
{
	static struct heard heard;
	unsigned count;

	set_up(&heard, 700);
	count = (unsigned)(heard.contents_bytes + 99) / 100;
	for (unsigned i = count; i-- > 1;) {
		cr_assert_eq(hear(&heard, 3, i, 100), FAN_UE_BROADCAST_WAITS);
		cr_assert_eq(hear(&heard, 3, i, 100), FAN_UE_BROADCAST_WAITS, "it comes twice");
	}
	cr_assert_eq(hear(&heard, 3, 0, 100), FAN_UE_BROADCAST_NEW);
	check_payload(&heard);
	/* Another message throws away what was there of one. */
	cr_assert_eq(hear(&heard, 4, 0, 100), FAN_UE_BROADCAST_WAITS);
	cr_assert_eq(hear(&heard, 5, 0, 100), FAN_UE_BROADCAST_WAITS);
	for (unsigned i = 1; i < count; i++)
		cr_assert_eq(hear(&heard, 4, i, 100), FAN_UE_BROADCAST_WAITS);
	cr_assert_eq(hear(&heard, 4, 0, 100), FAN_UE_BROADCAST_NEW);
}

Test(broadcast, what_a_ue_does_not_take)
{
	static const struct {
		size_t at;
		uint8_t octet;
	} spoilt[] = { { 0, 0 }, { 0, 1 }, { 0, 3 }, { 0, 16 }, { 83, 0 }, { 83, 83 }, { 166, 255 } };
	static struct heard heard;
	struct fan_ue_segment segment = { .id = 0xa002, .last = true, .octets = (const uint8_t *)"x", .octet_count = 1 };

	set_up(&heard, 100);
	cr_assert_eq(fan_ue_broadcast_hear(&heard.broadcasts, heard.payload, &heard.payload_bytes, &segment),
		     FAN_UE_BROADCAST_OTHERS);
	for (size_t i = 0; i < sizeof(spoilt) / sizeof(spoilt[0]); i++) {
		uint8_t contents[FAN_UE_CONTENTS_BYTES_MAX];
		const uint8_t *const sent = heard.contents;

		memcpy(contents, sent, heard.contents_bytes);
		contents[spoilt[i].at] = spoilt[i].octet;
		heard.contents = contents;
		cr_assert_eq(hear(&heard, 6, 0, heard.contents_bytes), FAN_UE_BROADCAST_MALFORMED, "case %zu", i);
		heard.contents = sent;
	}
	/* Segments that contradict one another, one behind the last, none, and one too long. */
	cr_assert_eq(hear(&heard, 6, 0, 100), FAN_UE_BROADCAST_WAITS);
	cr_assert_eq(hear(&heard, 6, 0, 99), FAN_UE_BROADCAST_MALFORMED);
	cr_assert_eq(hear(&heard, 6, 1, 100), FAN_UE_BROADCAST_WAITS);
	cr_assert_eq(hear(&heard, 6, 2, 50), FAN_UE_BROADCAST_MALFORMED);
	segment.id = ID;
	segment.number = FAN_UE_SEGMENTS_MAX;
	cr_assert_eq(fan_ue_broadcast_hear(&heard.broadcasts, heard.payload, &heard.payload_bytes, &segment),
		     FAN_UE_BROADCAST_MALFORMED);
	segment.number = 0;
	segment.octet_count = 0;
	cr_assert_eq(fan_ue_broadcast_hear(&heard.broadcasts, heard.payload, &heard.payload_bytes, &segment),
		     FAN_UE_BROADCAST_MALFORMED);
	segment.octet_count = FAN_UE_CONTENTS_BYTES_MAX + 1;
	segment.octets = heard.request;
	cr_assert_eq(fan_ue_broadcast_hear(&heard.broadcasts, heard.payload, &heard.payload_bytes, &segment),
		     FAN_UE_BROADCAST_MALFORMED);
	cr_assert_eq(hear(&heard, 6, 0, heard.contents_bytes), FAN_UE_BROADCAST_NEW, "what was malformed may come again");
	check_payload(&heard);
}

Test(broadcast, a_ue_forgets_what_it_heard_long_ago)
{
	static struct heard heard;

	set_up(&heard, 10);
	for (unsigned i = 0; i < FAN_UE_HEARD_MAX; i++)
		cr_assert_eq(hear(&heard, (uint16_t)i, 0, heard.contents_bytes), FAN_UE_BROADCAST_NEW);
	for (unsigned i = 0; i < FAN_UE_HEARD_MAX; i++)
		cr_assert_eq(hear(&heard, (uint16_t)i, 0, heard.contents_bytes), FAN_UE_BROADCAST_KNOWN);
	cr_assert_eq(hear(&heard, FAN_UE_HEARD_MAX, 0, heard.contents_bytes), FAN_UE_BROADCAST_NEW);
	cr_assert_eq(hear(&heard, 0, 0, heard.contents_bytes), FAN_UE_BROADCAST_NEW);
}

/* ---- What is answered ------------------------------------------------------------------------------------------------------- */

static enum fan_answer_extent
extent_of(const json_t *vector)
{
	return is(vector, "extent", "nowhere") ? FAN_ANSWER_NOWHERE
	       : is(vector, "extent", "areas") ? FAN_ANSWER_AREAS
					       : FAN_ANSWER_CELLS;
}

static void
check_answer(const json_t *vector, const struct fan_answer *answer)
{
	const char *name = json_string_value(json_object_get(vector, "name"));
	const json_t *areas = json_object_get(vector, "areas");

	cr_assert_eq(answer->id, fan_vector_number(vector, "id"), "%s", name);
	cr_assert_eq(answer->serial, fan_vector_number(vector, "serial"), "%s", name);
	cr_assert_eq(answer->extent, extent_of(vector), "%s", name);
	cr_assert_eq(answer->area_count, json_array_size(areas), "%s: %u areas", name, answer->area_count);
	for (unsigned i = 0; i < answer->area_count; i++) {
		cr_assert_eq(answer->areas[i].area, (uint32_t)json_integer_value(json_array_get(areas, i)), "%s", name);
		cr_assert_eq(memcmp(answer->areas[i].plmn, "\x62\xf2\x10", 3), 0, "%s", name);
	}
}

/* Calls `each` for every answer that pycrate writes. */
static void
each_answer(void (*each)(const json_t *vector, enum fan_radio radio, uint8_t *octets, size_t octet_count))
{
	static uint8_t octets[OCTETS_MAX];
	struct fan_vectors vectors = fan_vectors_load("broadcast_answers_pycrate.json");

	cr_assert_geq(vectors.count, 20);
	for (size_t i = 0; i < vectors.count; i++) {
		const json_t *vector = fan_vector_at(&vectors, i);
		const size_t octet_count = fan_vector_bytes(vector, octets, "octets", sizeof(octets));

		each(vector, is(vector, "radio", "nr") ? FAN_RADIO_NR : FAN_RADIO_LTE, octets, octet_count);
	}
	fan_vectors_free(&vectors);
}

static void
read_one(const json_t *vector, enum fan_radio radio, uint8_t *octets, size_t octet_count)
{
	struct fan_answer answer;

	cr_assert_eq(fan_answer_read(&answer, radio, octets, octet_count), 0, "%s: %s",
		     json_string_value(json_object_get(vector, "name")), fan_error_detail());
	check_answer(vector, &answer);
	cr_assert_eq(fan_answer_read(&answer, radio == FAN_RADIO_LTE ? FAN_RADIO_NR : FAN_RADIO_LTE, octets, octet_count),
		     FAN_E_INVALID, "an answer of the other radio");
}

Test(broadcast, answers_of_pycrate_are_read)
{
	each_answer(read_one);
}

/* A copy of its own ends where the octets end, so that a sanitizer sees whoever reads on. */
static int
read_copy(enum fan_radio radio, const uint8_t *octets, size_t octet_count)
{
	struct fan_answer answer;
	uint8_t *copy = malloc(octet_count > 0 ? octet_count : 1);
	int error;

	memcpy(copy, octets, octet_count);
	error = fan_answer_read(&answer, radio, copy, octet_count);
	free(copy);
	return error;
}

static void
cut_one(const json_t *vector, enum fan_radio radio, uint8_t *octets, size_t octet_count)
{
	const char *name = json_string_value(json_object_get(vector, "name"));

	for (size_t left = 0; left < octet_count; left++)
		cr_assert_eq(read_copy(radio, octets, left), FAN_E_INVALID, "%s: the first %zu octets", name, left);
	octets[octet_count] = 0;
	cr_assert_eq(read_copy(radio, octets, octet_count + 1), FAN_E_INVALID, "%s: an octet behind its end", name);
}

Test(broadcast, an_answer_that_is_cut_or_goes_on_is_refused)
{
	each_answer(cut_one);
}

/* In: octets of the S1AP answer without a list; what becomes of it when one is another. */
static void
refuses(size_t at, uint8_t octet, const char *why)
{
	uint8_t octets[] = { 0x20, 36, 0, 0x0f, 0, 0, 2, 0, 111, 0, 2, 0xa0, 1, 0, 112, 0, 2, 0x61, 0x23 };

	cr_assert_eq(read_copy(FAN_RADIO_LTE, octets, sizeof(octets)), 0, "%s", fan_error_detail());
	octets[at] = octet;
	cr_assert_eq(read_copy(FAN_RADIO_LTE, octets, sizeof(octets)), FAN_E_INVALID, "%s: not refused", why);
}

Test(broadcast, an_answer_that_says_something_else_is_refused)
{
	refuses(0, 0x00, "a request");
	refuses(0, 0x40, "an unsuccessful outcome");
	refuses(1, 43, "of another procedure");
	refuses(2, 0x40, "of another criticality");
	refuses(4, 0x80, "with extensions");
	refuses(6, 1, "fewer elements than are there");
	refuses(6, 3, "more elements than are there");
	refuses(8, 112, "a serial number twice");
	refuses(8, 99, "an element that is not known and to be rejected");
	refuses(14, 111, "an identifier twice");
	refuses(16, 1, "a number of one octet");
}

/* Each by itself, where nothing else is wrong. */
Test(broadcast, an_answer_has_identifier_and_serial_number_once_and_nothing_behind_its_elements)
{
	static const uint8_t without_identifier[] = { 0x20, 36, 0, 9, 0, 0, 1, 0, 112, 0, 2, 0x61, 0x23 };
	static const uint8_t without_serial[] = { 0x20, 36, 0, 9, 0, 0, 1, 0, 111, 0, 2, 0xa0, 1 };
	static const uint8_t serial_twice[] = { 0x20, 36,  0, 21, 0,    0,    3, 0,   111, 0, 2,    0xa0, 1,
						0,    112, 0, 2,  0x61, 0x23, 0, 112, 0,   2, 0x61, 0x23 };
	static const uint8_t octet_behind[] = { 0x20, 36, 0, 16, 0, 0, 2, 0, 111, 0, 2, 0xa0, 1, 0, 112, 0, 2, 0x61, 0x23, 0 };

	cr_assert_eq(read_copy(FAN_RADIO_LTE, without_identifier, sizeof(without_identifier)), FAN_E_INVALID);
	cr_assert_eq(read_copy(FAN_RADIO_LTE, without_serial, sizeof(without_serial)), FAN_E_INVALID);
	cr_assert_eq(read_copy(FAN_RADIO_LTE, serial_twice, sizeof(serial_twice)), FAN_E_INVALID);
	cr_assert_eq(read_copy(FAN_RADIO_LTE, octet_behind, sizeof(octet_behind)), FAN_E_INVALID);
}

Test(broadcast, an_element_that_is_not_known_is_passed_over_where_it_says_so)
{
	uint8_t octets[] = { 0x20, 36, 0, 0x14, 0, 0, 3, 0, 111, 0, 2, 0xa0, 1, 0, 112, 0, 2, 0x61, 0x23, 0x12, 0x34, 0x40, 0 };

	cr_assert_eq(read_copy(FAN_RADIO_LTE, octets, sizeof(octets)), FAN_E_INVALID, "its own length is wrong");
	octets[3] = sizeof(octets) - 4;
	cr_assert_eq(read_copy(FAN_RADIO_LTE, octets, sizeof(octets)), 0, "%s", fan_error_detail());
	octets[21] = 0;
	cr_assert_eq(read_copy(FAN_RADIO_LTE, octets, sizeof(octets)), FAN_E_INVALID, "criticality reject");
}
