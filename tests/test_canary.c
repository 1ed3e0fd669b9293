/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Marks in packets: they cover the private head, stay inside the PDU, and stand until each part of it has been written.
 */
#include "../driver/canary.h"

#include <criterion/criterion.h>
#include <string.h>

#define PACKET_BYTES 2048
#define TEXT_AT 64

static const uint16_t lengths[] = { 1, 2, 3, 5, 8, 15, 16, 17, 31, 32, 33, 47, 48, 64, 160, 1480 };

#define LENGTHS (sizeof(lengths) / sizeof(lengths[0]))

static struct fan_shape
shape_of(unsigned row)
{
	return (struct fan_shape){ .sequence = (uint8_t)(row % 3),
				   .head_blocks = (uint8_t)(row / 3 % 4),
				   .clear_bytes = 2,
				   .text_bytes = lengths[row / 12] };
}

#define ROWS (12 * LENGTHS)

Test(canary, marks_the_head_and_both_ends_and_nothing_outside)
{
	for (unsigned row = 0; row < ROWS; row++) {
		const struct fan_shape shape = shape_of(row);
		const struct fan_canary canary = fan_canary_make(7, row);
		const unsigned lead = shape.sequence == FAN_CIPHER_THEN_MAC ? 2 + FAN_MAC_BYTES : 0;
		const unsigned end = TEXT_AT + shape.text_bytes + fan_shape_trailer_bytes(&shape);
		uint8_t packet[PACKET_BYTES] = { 0 };
		unsigned kept = 0;

		fan_canary_put(&canary, &shape, packet + TEXT_AT);
		cr_assert(fan_canary_stands(&canary, &shape, packet + TEXT_AT));
		for (unsigned at = 0; at < PACKET_BYTES; at++)
			if (at < TEXT_AT - lead || at >= end)
				cr_assert_eq(packet[at], 0, "row %u, octet %u", row, at);
		/* A random octet is 0 once in 256. */
		for (unsigned at = 0; at < fan_shape_head_bytes(&shape); at++)
			kept += packet[TEXT_AT + at] == 0;
		cr_assert_leq(kept, 4, "row %u: the private head is still there", row);
	}
}

/* A part that is left out is enough: the MAC, the beginning, the end, either half. */
Test(canary, stands_until_every_part_is_written)
{
	for (unsigned row = 0; row < ROWS; row++) {
		const struct fan_shape shape = shape_of(row);
		const struct fan_canary canary = fan_canary_make(11, row);
		const unsigned text_bytes = shape.text_bytes, half = text_bytes / 2;
		const int mac = shape.sequence == FAN_CIPHER_THEN_MAC ? -2 - FAN_MAC_BYTES : (int)text_bytes;
		uint8_t packet[PACKET_BYTES], *text = packet + TEXT_AT;

		for (unsigned left_out = 0; left_out < 4; left_out++) {
			fan_canary_put(&canary, &shape, text);
			/* Whatever is written differs from what stood there. */
			for (unsigned at = 0; at < text_bytes; at++)
				if (left_out != 1 || at >= half + text_bytes % 2)
					text[at] = (uint8_t)(left_out == 2 && at >= half ? text[at] : ~canary.octets[at % 16]);
			for (unsigned at = 0; at < FAN_MAC_BYTES && left_out != 3 && shape.sequence != FAN_CIPHER_ONLY; at++)
				text[mac + (int)at] = (uint8_t)~text[mac + (int)at];
			cr_assert_eq(fan_canary_stands(&canary, &shape, text),
				     left_out == 1 || left_out == 2 || (left_out == 3 && shape.sequence != FAN_CIPHER_ONLY),
				     "row %u, %u octets, %u left out", row, text_bytes, left_out);
		}
	}
}

Test(canary, is_another_for_each_pdu_and_batch)
{
	const struct fan_canary one = fan_canary_make(1, 0), next = fan_canary_make(1, 1), other = fan_canary_make(2, 0);

	cr_assert_neq(memcmp(one.octets, next.octets, 16), 0);
	cr_assert_neq(memcmp(one.octets, other.octets, 16), 0);
	cr_assert_eq(memcmp(one.octets, one.octets + 16, 16), 0);
}
