/* SPDX-License-Identifier: BSD-3-Clause */
#include "lane_bench.h"

#include <cstring>

/* ---- Bits of packed structs: fan_pkg.sv ---------------------------------------------------------------------------------- */

static void
put_bits(uint32_t *words, unsigned at, unsigned width, uint32_t value)
{
	for (unsigned i = 0; i < width; i++)
		words[(at + i) / 32] |= (value >> i & 1) << (at + i) % 32;
}

static uint32_t
get_bits(const uint32_t *words, unsigned at, unsigned width)
{
	uint64_t two = words[at / 32];

	if (at % 32 + width > 32)
		two |= (uint64_t)words[at / 32 + 1] << 32;
	return (uint32_t)(two >> at % 32 & ((UINT64_C(1) << width) - 1));
}

/* Octet 0 in the most significant bits of a field whose least significant bit is `at`. */
static void
put_octets(uint32_t *words, unsigned at, const uint8_t *octets, unsigned octet_count)
{
	for (unsigned i = 0; i < octet_count; i++)
		put_bits(words, at + 8 * (octet_count - 1 - i), 8, octets[i]);
}

enum {
	BEAT_DATA = 0, BEAT_TEXT_BYTES = 128, BEAT_HEAD_BLOCKS = 139, BEAT_CLEAR_BYTES = 141, BEAT_ORDER = 146,
	ITEM_HEAD = 0, ITEM_CLEAR = 384, ITEM_DIRECTION = 512, ITEM_BEARER = 513, ITEM_COUNT = 518, ITEM_K_INT = 550,
	ITEM_K_ENC = 678, ITEM_TAG = 806, ITEM_LAST = 822,
	RESULT_DATA = 0, RESULT_MAC = 128, RESULT_TAG = 160, RESULT_BYTES = 176, RESULT_LAST = 181, RESULT_FIRST = 182,
};

static uint32_t
order_bits(const struct fan_shape &shape)
{
	const bool mac = shape.sequence != FAN_CIPHER_ONLY && shape.integrity == LANE_ALGORITHM;

	return (shape.sequence == FAN_MAC_THEN_CIPHER ? 4u : 0u) | (mac ? 2u : 0u) | (shape.cipher == LANE_ALGORITHM ? 1u : 0u);
}

void
lane_bench::queue_message(const struct fan_shape &shape, const uint8_t *octets)
{
	for (unsigned at = 0; at < shape.text_bytes; at += 16) {
		std::array<uint32_t, 5> beat{};

		put_octets(beat.data(), BEAT_DATA, octets + at, 16);
		/* Only the first beat's shape counts; the others carry what must not matter. */
		put_bits(beat.data(), BEAT_TEXT_BYTES, 11, at == 0 ? shape.text_bytes : (uint32_t)fan_test_random_next(&random));
		put_bits(beat.data(), BEAT_HEAD_BLOCKS, 2, shape.head_blocks);
		put_bits(beat.data(), BEAT_CLEAR_BYTES, 5, at == 0 ? shape.clear_bytes : 31);
		put_bits(beat.data(), BEAT_ORDER, 3, order_bits(shape));
		beats.push_back(beat);
	}
}

void
lane_bench::queue_item(const bench_ue &ue, bool last)
{
	std::array<uint32_t, 26> item{};

	put_octets(item.data(), ITEM_HEAD, ue.head, 48);
	put_octets(item.data(), ITEM_CLEAR, ue.clear, 16);
	put_bits(item.data(), ITEM_DIRECTION, 1, ue.bearer_direction >> 2);
	put_bits(item.data(), ITEM_BEARER, 5, ue.bearer_direction >> 3);
	put_bits(item.data(), ITEM_COUNT, 32, ue.count);
	put_octets(item.data(), ITEM_K_INT, ue.k_int, 16);
	put_octets(item.data(), ITEM_K_ENC, ue.k_enc, 16);
	put_bits(item.data(), ITEM_TAG, 16, ue.tag);
	put_bits(item.data(), ITEM_LAST, 1, last);
	items.push_back(item);
}

/* ---- Clock ------------------------------------------------------------------------------------------------------------------ */

lane_bench::lane_bench(const bench_options &options_) : options(options_), random{ test_seed * 2 + 1 }
{
	context = std::make_unique<VerilatedContext>();
	context->randReset(2);
	context->randSeed((int)(test_seed & 0x7fffffff) + 1);
	context->assertOn(true);
	lane = std::make_unique<lane_model>(context.get());
	stall_below = (uint64_t)(options.stall * 4294967296.0);
	lane->clk_i = 0;
	lane->rst_ni = 0;
	lane->message_valid_i = 0;
	lane->item_valid_i = 0;
	lane->result_ready_i = 0;
}

lane_bench::~lane_bench()
{
	lane->final();
}

bool
lane_bench::chance_to_stall()
{
	return stall_below != 0 && (fan_test_random_next(&random) >> 32) < stall_below;
}

void
lane_bench::reset(unsigned cycles)
{
	beats.clear();
	items.clear();
	message_offered = item_offered = in_pdu = false;
	lane->message_valid_i = 0;
	lane->item_valid_i = 0;
	lane->rst_ni = 0;
	for (unsigned i = 0; i < cycles; i++) {
		lane->clk_i = 0;
		lane->eval();
		lane->clk_i = 1;
		lane->eval();
		cycle++;
	}
	lane->rst_ni = 1;
}

uint64_t
lane_bench::wait_ready()
{
	const uint64_t from = cycle;

	do {
		step();
		if (cycle - from > 100000)
			fail("not ready 100,000 clocks after reset");
	} while (!lane->message_ready_o);
	return cycle - from;
}

void
lane_bench::take_result()
{
	const uint32_t *const result = lane->result_o.data();
	const bool first = get_bits(result, RESULT_FIRST, 1), last = get_bits(result, RESULT_LAST, 1);
	const unsigned bytes = get_bits(result, RESULT_BYTES, 5);
	const uint16_t tag = (uint16_t)get_bits(result, RESULT_TAG, 16);
	const uint32_t mac = get_bits(result, RESULT_MAC, 32);

	if (first != !in_pdu)
		fail("cycle %lu: first=%d inside=%d", cycle, first, in_pdu);
	if (first) {
		pdu.tag = tag;
		pdu.mac = mac;
		pdu.octets.clear();
	}
	if (tag != pdu.tag || mac != pdu.mac)
		fail("cycle %lu: tag or MAC changes within a PDU", cycle);
	if (bytes < 1 || bytes > 16 || (!last && bytes != 16))
		fail("cycle %lu: %u octets in a beat", cycle, bytes);
	for (unsigned i = 0; i < 16; i++) {
		const uint8_t octet = (uint8_t)get_bits(result, RESULT_DATA + 8 * (15 - i), 8);

		if (i < bytes)
			pdu.octets.push_back(octet);
		else if (octet != 0)
			fail("cycle %lu: octet %u behind the end of a PDU is %02x", cycle, i, octet);
	}
	in_pdu = !last;
	result_beats++;
	if (last && on_pdu)
		on_pdu(pdu);
}

void
lane_bench::step()
{
	bool item_taken;

	if (!message_offered && !beats.empty() && !chance_to_stall()) {
		memcpy(lane->message_i.data(), beats.front().data(), sizeof(beats.front()));
		message_offered = true;
	}
	if (!item_offered && !items.empty() && !chance_to_stall()) {
		memcpy(lane->item_i.data(), items.front().data(), sizeof(items.front()));
		item_offered = true;
	}
	lane->message_valid_i = message_offered;
	lane->item_valid_i = item_offered;
	lane->result_ready_i = !chance_to_stall();
	lane->clk_i = 0;
	lane->eval();
	if (message_offered && lane->message_ready_o) {
		beats.pop_front();
		message_offered = false;
	}
	item_taken = item_offered && lane->item_ready_o;
	if (item_taken) {
		items.pop_front();
		item_offered = false;
	}
	if (lane->result_valid_o && lane->result_ready_i)
		take_result();
	if (item_taken && on_item)
		on_item(cycle);
	lane->clk_i = 1;
	lane->eval();
	if (context->gotFinish())
		fail("cycle %lu: an assertion of the model stopped it", cycle);
	if (++cycle > options.cycles_max)
		fail("watchdog: more than %lu cycles", options.cycles_max);
}
