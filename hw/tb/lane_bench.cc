/* SPDX-License-Identifier: BSD-3-Clause */
#include "lane_bench.h"
#include "packed_structs.h"

#include <cstring>

/* ---- What goes in -------------------------------------------------------------------------------------------------------------- */

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

		put_octets(beat, BEAT_DATA, octets + at);
		/* Only the first beat's shape counts; the others carry what must not matter. */
		put_field(beat, BEAT_TEXT_BYTES, at == 0 ? shape.text_bytes : fan_test_random_next(&random));
		put_field(beat, BEAT_HEAD_BLOCKS, shape.head_blocks);
		put_field(beat, BEAT_CLEAR_BYTES, at == 0 ? shape.clear_bytes : 31);
		put_field(beat, BEAT_ORDER, order_bits(shape));
		beats.push_back(beat);
	}
}

void
lane_bench::queue_item(const bench_ue &ue, bool last)
{
	std::array<uint32_t, 26> item{};

	put_octets(item, ITEM_HEAD, ue.head);
	put_octets(item, ITEM_CLEAR, ue.clear);
	put_field(item, ITEM_DIRECTION, ue.bearer_direction >> 2);
	put_field(item, ITEM_BEARER, ue.bearer_direction >> 3);
	put_field(item, ITEM_COUNT, ue.count);
	put_octets(item, ITEM_K_INT, ue.k_int);
	put_octets(item, ITEM_K_ENC, ue.k_enc);
	put_field(item, ITEM_TAG, ue.tag);
	put_field(item, ITEM_LAST, last);
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
	const auto &result = lane->result_o;
	const bool first = get_field(result, RESULT_FIRST), last = get_field(result, RESULT_LAST);
	const unsigned bytes = (unsigned)get_field(result, RESULT_BYTES);
	const uint16_t tag = (uint16_t)get_field(result, RESULT_TAG);
	const uint32_t mac = (uint32_t)get_field(result, RESULT_MAC);
	const std::vector<uint8_t> octets = get_octets(result, RESULT_DATA);

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
	for (unsigned i = bytes; i < 16; i++)
		if (octets[i] != 0)
			fail("cycle %lu: octet %u behind the end of a PDU is %02x", cycle, i, octets[i]);
	pdu.octets.insert(pdu.octets.end(), octets.begin(), octets.begin() + bytes);
	in_pdu = !last;
	result_beats++;
	moved_at = cycle;
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
		moved_at = cycle;
	}
	item_taken = item_offered && lane->item_ready_o;
	if (item_taken) {
		items.pop_front();
		item_offered = false;
		moved_at = cycle;
	}
	if (lane->result_valid_o && lane->result_ready_i)
		take_result();
	if (item_taken && on_item)
		on_item(cycle);
	lane->clk_i = 1;
	lane->eval();
	if (context->gotFinish())
		fail("cycle %lu: an assertion of the model stopped it", cycle);
	if (++cycle - moved_at > options.max_cycles)
		fail("watchdog: nothing has moved for %lu cycles", options.max_cycles);
}
