/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packed structs of fan_pkg.sv and fan_engine_pkg.sv, as Verilator shows them: words of 32 bits, the lowest first. What has words is an
 * array, a vector, or a port of more than 64 bits.
 */
#ifndef FAN_PACKED_STRUCTS_H
#define FAN_PACKED_STRUCTS_H

#include <algorithm>
#include <cstdint>
#include <vector>

struct field {
	unsigned at, width; /* bits; at: its least significant one */
};

/* The same field of a struct that begins at bit `from`. */
constexpr field
operator+(field field, unsigned from)
{
	return { field.at + from, field.width };
}

enum { ITEM_BITS = 823, RESULT_BITS = 183, QUEUE_CONFIG_BITS = 149, BEGIN_BITS = 55, TICKET_BITS = 216 };

/* fan_message_beat_t */
constexpr field BEAT_DATA = { 0, 128 }, BEAT_TEXT_BYTES = { 128, 11 }, BEAT_HEAD_BLOCKS = { 139, 2 }, BEAT_CLEAR_BYTES = { 141, 5 },
		BEAT_ORDER = { 146, 3 }, BEAT_SHAPE = { 128, 21 };
/* fan_item_t */
constexpr field ITEM_HEAD = { 0, 384 }, ITEM_CLEAR = { 384, 128 }, ITEM_DIRECTION = { 512, 1 }, ITEM_BEARER = { 513, 5 },
		ITEM_COUNT = { 518, 32 }, ITEM_K_INT = { 550, 128 }, ITEM_K_ENC = { 678, 128 }, ITEM_TAG = { 806, 16 }, ITEM_LAST = { 822, 1 };
/* fan_result_t */
constexpr field RESULT_DATA = { 0, 128 }, RESULT_MAC = { 128, 32 }, RESULT_TAG = { 160, 16 }, RESULT_BYTES = { 176, 5 },
		RESULT_LAST = { 181, 1 }, RESULT_FIRST = { 182, 1 };
/* fan_queue_config_t */
constexpr field QUEUE_TAIL = { 0, 16 }, QUEUE_COMPLETIONS = { 16, 64 }, QUEUE_DESCRIPTORS = { 80, 64 }, QUEUE_ENTRIES_LOG2 = { 144, 4 },
		QUEUE_ENABLE = { 148, 1 };
/* fan_begin_t */
constexpr field BEGIN_HEAD = { 0, 16 }, BEGIN_ERROR = { 16, 8 }, BEGIN_UE_COUNT = { 24, 7 }, BEGIN_COOKIE = { 31, 16 },
		BEGIN_QUEUE = { 47, 4 }, BEGIN_BATCH = { 51, 4 };
/* fan_ticket_t */
constexpr field TICKET_CLEAR = { 0, 128 }, TICKET_CLEAR_BYTES = { 128, 5 }, TICKET_LEAD = { 133, 1 }, TICKET_PDU = { 134, 64 },
		TICKET_ERROR = { 198, 8 }, TICKET_UE = { 206, 6 }, TICKET_BATCH = { 212, 4 };

/* A word at a time: the part of it that is the field's. */
template <typename Visit>
void
visit_words(field field, Visit visit)
{
	for (unsigned done = 0, bits; done < field.width; done += bits) {
		const unsigned from = (field.at + done) % 32;

		bits = std::min(32 - from, field.width - done);
		visit((field.at + done) / 32, from, done, (uint32_t)(UINT64_MAX >> (64 - bits)));
	}
}

/* Of 64 bits at most. */
template <typename Words>
uint64_t
get_field(const Words &words, field field)
{
	uint64_t value = 0;

	visit_words(field, [&](unsigned word, unsigned from, unsigned done, uint32_t mask) {
		value |= (uint64_t)(words[word] >> from & mask) << done;
	});
	return value;
}

template <typename Words>
void
put_field(Words &words, field field, uint64_t value)
{
	visit_words(field, [&](unsigned word, unsigned from, unsigned done, uint32_t mask) {
		words[word] = (words[word] & ~(mask << from)) | ((uint32_t)(value >> done) & mask) << from;
	});
}

/* Octet 0 in the most significant bits. */
template <typename Words>
std::vector<uint8_t>
get_octets(const Words &words, field field)
{
	std::vector<uint8_t> octets(field.width / 8);

	for (unsigned i = 0; i < octets.size(); i++)
		octets[i] = (uint8_t)get_field(words, { field.at + field.width - 8 * (i + 1), 8 });
	return octets;
}

template <typename Words>
void
put_octets(Words &words, field field, const uint8_t *octets)
{
	for (unsigned i = 0; i < field.width / 8; i++)
		put_field(words, { field.at + field.width - 8 * (i + 1), 8 }, octets[i]);
}

/* A whole struct, out of a port that has one for each lane, or into it. */
template <typename Words>
std::vector<uint32_t>
get_struct(const Words &words, field field)
{
	std::vector<uint32_t> result((field.width + 31) / 32);

	for (unsigned at = 0; at < field.width; at += 32)
		result[at / 32] = (uint32_t)get_field(words, { field.at + at, std::min(32u, field.width - at) });
	return result;
}

template <typename Words>
void
put_struct(Words &words, field field, const std::vector<uint32_t> &value)
{
	for (unsigned at = 0; at < field.width; at += 32)
		put_field(words, { field.at + at, std::min(32u, field.width - at) }, value[at / 32]);
}

#endif
