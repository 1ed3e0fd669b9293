/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests of warnings, written in aligned PER (X.691). S1AP and NGAP say the same under other numbers; what else differs stands in struct protocol. */
#include "../../dataplane/context/error.h"
#include "pages.h"

#define CODING_8BIT 0x44 /* TS 23.038 5: general data coding, not compressed, no class, 8-bit data */

/* Criticality, as it lies on the wire. */
#define REJECT 0x00
#define IGNORE 0x40

/* ---- Bits --------------------------------------------------------------------------------------------------------------- */

/* What goes beyond the room is counted and not kept. */
struct writer {
	uint8_t *octets;
	size_t room, bits;
};

static void
put(struct writer *writer, uint64_t value, unsigned bit_count)
{
	while (bit_count-- > 0) {
		const uint8_t bit = (uint8_t)(0x80U >> writer->bits % 8);
		const size_t at = writer->bits++ / 8;

		if (at >= writer->room)
			continue;
		if (bit == 0x80)
			writer->octets[at] = 0;
		if ((value >> bit_count & 1) != 0)
			writer->octets[at] |= bit;
	}
}

static void
align(struct writer *writer)
{
	writer->bits = (writer->bits + 7) / 8 * 8;
}

static size_t
octets_of(const struct writer *writer)
{
	return (writer->bits + 7) / 8;
}

/* A length determinant (X.691 11.9) of what is shorter than 16 K. */
static void
put_length(struct writer *writer, size_t octet_count)
{
	if (octet_count < 128)
		put(writer, octet_count, 8);
	else
		put(writer, 0x8000 | octet_count, 16);
}

/* ---- The two protocols ------------------------------------------------------------------------------------------------------ */

enum element { IDENTIFIER, SERIAL, AREA, PERIOD, LONG_PERIOD, BROADCASTS, CODING, CONTENTS, CONCURRENT, ELEMENT_COUNT };

struct protocol {
	uint8_t start, stop; /* procedure codes */
	uint8_t ids[ELEMENT_COUNT];
	uint8_t choice_bits; /* of WarningAreaList, with the bit that S1AP has for extensions */
	uint8_t choice_cells, choice_areas;
	uint8_t cell_bits, area_bits;
	uint32_t period_s_max; /* of PERIOD; a longer one stands in LONG_PERIOD, too */
};

static const struct protocol protocols[] = {
	[FAN_RADIO_LTE] = { .start = 36,
			    .stop = 43,
			    .ids = { 111, 112, 113, 114, 144, 115, 118, 119, 142 },
			    .choice_bits = 3,
			    .choice_cells = 0,
			    .choice_areas = 1,
			    .cell_bits = 28,
			    .area_bits = 16,
			    .period_s_max = 4095 },
	[FAN_RADIO_NR] = { .start = 51,
			   .stop = 32,
			   .ids = { 35, 95, 122, 87, 0, 47, 20, 123, 17 },
			   .choice_bits = 3,
			   .choice_cells = 1,
			   .choice_areas = 2,
			   .cell_bits = 36,
			   .area_bits = 24,
			   .period_s_max = FAN_BROADCAST_PERIOD_S_MAX },
};

static const uint8_t criticality[ELEMENT_COUNT] = { [AREA] = IGNORE, [CODING] = IGNORE, [CONTENTS] = IGNORE };

struct warning {
	const struct protocol *protocol;
	const struct fan_broadcast *broadcast;
	size_t contents_bytes; /* 0: a request that ends it */
	uint8_t contents[FAN_CONTENTS_BYTES_MAX];
};

/* ---- Elements ------------------------------------------------------------------------------------------------------------------ */

/* A place: a sequence without extensions of a PLMN and an area or cell. An octet string of three octets and more, and a bit string of more than
 * 16 bits, begin at an octet; two octets follow where they are. */
static void
put_place(struct writer *writer, const struct fan_broadcast *broadcast, uint64_t place, unsigned bits)
{
	put(writer, 0, 2);
	align(writer);
	for (unsigned i = 0; i < sizeof(broadcast->plmn); i++)
		put(writer, broadcast->plmn[i], 8);
	put(writer, place, bits);
}

static void
put_area(struct writer *writer, const struct warning *warning)
{
	const struct protocol *protocol = warning->protocol;
	const struct fan_broadcast *broadcast = warning->broadcast;
	const bool cells = broadcast->cell_count > 0;
	const size_t count = cells ? broadcast->cell_count : broadcast->area_count;

	put(writer, cells ? protocol->choice_cells : protocol->choice_areas, protocol->choice_bits);
	align(writer);
	put(writer, count - 1, 16);
	for (size_t i = 0; i < count; i++)
		put_place(writer, broadcast, cells ? broadcast->cells[i] : broadcast->areas[i],
			  cells ? protocol->cell_bits : protocol->area_bits);
}

/* A number of up to 64 K values takes two octets; of more, two bits that say how many octets follow, less one (X.691 11.5.7.4). */
static void
put_period(struct writer *writer, uint32_t period_s, uint32_t least, uint32_t most)
{
	const uint32_t value = period_s - least;
	const unsigned octet_count = value < 0x100 ? 1 : value < 0x10000 ? 2 : 3;

	if (most - least < 0x10000) {
		put(writer, value, 16);
		return;
	}
	put(writer, octet_count - 1, 2);
	align(writer);
	put(writer, value, 8 * octet_count);
}

static void
put_contents(struct writer *writer, const struct warning *warning)
{
	put(writer, warning->contents_bytes - 1, 16);
	for (size_t i = 0; i < warning->contents_bytes; i++)
		put(writer, warning->contents[i], 8);
}

static void
put_value(struct writer *writer, const struct warning *warning, enum element element)
{
	const struct fan_broadcast *broadcast = warning->broadcast;
	const uint32_t most_s = warning->protocol->period_s_max;

	switch (element) {
	case IDENTIFIER:
		put(writer, broadcast->id, 16);
		break;
	case SERIAL:
		put(writer, broadcast->serial, 16);
		break;
	case AREA:
		put_area(writer, warning);
		break;
	case PERIOD:
		put_period(writer, broadcast->period_s < most_s ? broadcast->period_s : most_s, 0, most_s);
		break;
	case LONG_PERIOD:
		put_period(writer, broadcast->period_s, most_s + 1, FAN_BROADCAST_PERIOD_S_MAX);
		break;
	case BROADCASTS:
		put(writer, broadcast->broadcasts, 16);
		break;
	case CODING:
		put(writer, CODING_8BIT, 8);
		break;
	case CONTENTS:
		put_contents(writer, warning);
		break;
	default: /* CONCURRENT: true, which is its only value; an open type has one octet at the least */
		put(writer, 0, 8);
	}
}

static bool
is_there(const struct warning *warning, enum element element)
{
	switch (element) {
	case IDENTIFIER:
	case SERIAL:
		return true;
	case AREA:
		return warning->broadcast->area_count + warning->broadcast->cell_count > 0;
	case LONG_PERIOD:
		return warning->contents_bytes > 0 && warning->broadcast->period_s > warning->protocol->period_s_max;
	default:
		return warning->contents_bytes > 0;
	}
}

static void
put_element(struct writer *writer, const struct warning *warning, enum element element)
{
	struct writer measure = { .room = 0 };

	put_value(&measure, warning, element);
	put(writer, warning->protocol->ids[element], 16);
	put(writer, criticality[element], 8);
	put_length(writer, octets_of(&measure));
	put_value(writer, warning, element);
	align(writer);
}

/* A sequence without extensions of a list of elements. */
static void
put_elements(struct writer *writer, const struct warning *warning)
{
	unsigned count = 0;

	for (unsigned i = 0; i < ELEMENT_COUNT; i++)
		count += is_there(warning, i);
	put(writer, 0, 8);
	put(writer, count, 16);
	for (unsigned i = 0; i < ELEMENT_COUNT; i++)
		if (is_there(warning, i))
			put_element(writer, warning, i);
}

/* ---- Requests -------------------------------------------------------------------------------------------------------------------- */

static int
check_places(const struct protocol *protocol, const struct fan_broadcast *broadcast)
{
	if (broadcast->area_count > 0 && broadcast->cell_count > 0)
		return fan_fail(FAN_E_INVALID, "a broadcast to tracking areas and to cells: give one of the two");
	if (broadcast->area_count > FAN_BROADCAST_AREAS_MAX || broadcast->cell_count > FAN_BROADCAST_AREAS_MAX)
		return fan_fail(FAN_E_TOO_LONG,
				"%zu tracking areas or cells: one request takes %d, give the others in further ones",
				broadcast->area_count + broadcast->cell_count, FAN_BROADCAST_AREAS_MAX);
	for (size_t i = 0; i < broadcast->area_count; i++)
		if (broadcast->areas[i] >> protocol->area_bits != 0)
			return fan_fail(FAN_E_INVALID, "tracking area %#x: has more than %u bits", broadcast->areas[i],
					protocol->area_bits);
	for (size_t i = 0; i < broadcast->cell_count; i++)
		if (broadcast->cells[i] >> protocol->cell_bits != 0)
			return fan_fail(FAN_E_INVALID, "cell %#llx: has more than %u bits",
					(unsigned long long)broadcast->cells[i], protocol->cell_bits);
	return 0;
}

/* Identifiers beside these are warnings of authorities (TS 23.041 9.4.1.2.2). */
static bool
is_operators(unsigned id)
{
	return (id >= FAN_BROADCAST_ID_FIRST && id <= FAN_BROADCAST_ID_LAST) ||
	       (id >= FAN_BROADCAST_CARD_FIRST && id <= FAN_BROADCAST_CARD_LAST);
}

static int
check(const struct fan_broadcast *broadcast, enum fan_radio radio)
{
	if ((unsigned)radio > FAN_RADIO_NR)
		return fan_fail(FAN_E_INVALID, "radio %d: takes FAN_RADIO_LTE or FAN_RADIO_NR", (int)radio);
	if (broadcast->struct_bytes < sizeof(*broadcast))
		return fan_fail(FAN_E_INVALID, "struct_bytes %zu: call fan_broadcast_init()", broadcast->struct_bytes);
	if (!is_operators(broadcast->id))
		return fan_fail(FAN_E_INVALID,
				"identifier %#06x: an operator's lies between %#x and %#x, or, for cards, %#x and %#x",
				broadcast->id, FAN_BROADCAST_ID_FIRST, FAN_BROADCAST_ID_LAST, FAN_BROADCAST_CARD_FIRST,
				FAN_BROADCAST_CARD_LAST);
	if (broadcast->period_s > FAN_BROADCAST_PERIOD_S_MAX)
		return fan_fail(FAN_E_INVALID, "%u s between two broadcasts: the most is %d", broadcast->period_s,
				FAN_BROADCAST_PERIOD_S_MAX);
	return check_places(&protocols[radio], broadcast);
}

static int
write_request(uint8_t *octets, size_t *octet_count, const struct warning *warning)
{
	struct writer writer = { .octets = octets, .room = *octet_count }, measure = { .room = 0 };

	put_elements(&measure, warning);
	put(&writer, 0, 8); /* initiatingMessage */
	put(&writer, warning->contents_bytes > 0 ? warning->protocol->start : warning->protocol->stop, 8);
	put(&writer, REJECT, 8);
	put_length(&writer, octets_of(&measure));
	put_elements(&writer, warning);
	*octet_count = octets_of(&writer);
	return *octet_count <= writer.room
		       ? 0
		       : fan_fail(FAN_E_TOO_LONG, "a request of %zu octets: there is room for %zu", *octet_count, writer.room);
}

int
fan_broadcast_start(uint8_t *octets, size_t *octet_count, enum fan_radio radio, const struct fan_broadcast *broadcast,
		    const void *payload, size_t payload_bytes)
{
	struct warning warning;
	int error = check(broadcast, radio);

	if (error != 0)
		return error;
	if (payload_bytes == 0)
		return fan_fail(FAN_E_INVALID, "a broadcast of no octets");
	if (payload_bytes > FAN_BROADCAST_BYTES_MAX)
		return fan_fail(FAN_E_TOO_LONG, "a broadcast of %zu octets: %d pages of %d octets hold %d", payload_bytes,
				FAN_PAGES_MAX, FAN_PAGE_BYTES, FAN_BROADCAST_BYTES_MAX);
	warning.protocol = &protocols[radio];
	warning.broadcast = broadcast;
	warning.contents_bytes = fan_pages_write(warning.contents, payload, payload_bytes);
	return write_request(octets, octet_count, &warning);
}

int
fan_broadcast_stop(uint8_t *octets, size_t *octet_count, enum fan_radio radio, const struct fan_broadcast *broadcast)
{
	struct warning warning = { .broadcast = broadcast };
	int error = check(broadcast, radio);

	if (error != 0)
		return error;
	warning.protocol = &protocols[radio];
	return write_request(octets, octet_count, &warning);
}
