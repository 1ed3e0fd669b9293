/* SPDX-License-Identifier: BSD-3-Clause */
#include "fetch_host.h"
#include "packed_structs.h"

#include <algorithm>
#include <cstring>

#define QUIET_CYCLES_MAX 100000

host::host(double stall_) : stall(stall_), random{ test_seed * 2 + 1 }
{
	context = std::make_unique<VerilatedContext>();
	context->randReset(2);
	context->randSeed((int)(test_seed & 0x7fffffff) + 1);
	top = std::make_unique<Vfan_fetch>(context.get());
	next_address = fan_test_random_next(&random) >> 1 & ~UINT64_C(63);
	reset();
}

bytes
host::some(unsigned count)
{
	bytes result(count);

	fan_test_random_fill(&random, result.data(), count);
	return result;
}

uint64_t
host::address_of(uint64_t line_count)
{
	next_address += 64 * (1 + pick(5));
	if (pick(3) == 0)
		next_address = (next_address | 4095) + 1 + 4096 - 64 * (1 + pick(8));

	const uint64_t address = next_address;

	next_address += 64 * line_count;
	return address;
}

void
host::put(batch &b, uint64_t address, const bytes &octets_)
{
	for (size_t i = 0; i < octets_.size(); i++) {
		const uint64_t at = (address + i) & ~UINT64_C(63);

		if (memory.find(at) == memory.end()) {
			fan_test_random_fill(&random, memory[at].data(), 64);
			b.lines.insert(at);
		}
		memory[at][(address + i) & 63] = octets_[i];
	}
}

/* ---- Batches ---------------------------------------------------------------------------------------------------------------- */

batch_ptr
host::make(unsigned q)
{
	static const unsigned bytes_max[] = { 40, 70, 300, FAN_PDU_BYTES_MAX };
	auto b = std::make_shared<batch>();
	const uint8_t algorithm = pick(4) == 0 ? 1 : 2;
	const struct fan_shape shape = fan_test_random_shape(&random, algorithm, algorithm, (uint8_t)pick(3));

	b->queue = q;
	b->cookie = (uint16_t)pick(65536);
	b->error = 0;
	b->ue_count = (uint16_t)(pick(4) == 0 ? 64 : 1 + pick(20));
	b->clear_bytes = shape.clear_bytes;
	b->head_blocks = shape.head_blocks;
	b->sequence = shape.sequence;
	b->cipher = pick(4) == 0 ? 0 : algorithm;
	b->integrity = pick(4) == 0 || b->sequence == 2 ? 0 : algorithm;
	b->text_bytes = fan_test_random_text_bytes(
		&random, std::min(bytes_max[pick(4)], (unsigned)FAN_PDU_BYTES_MAX - b->clear_bytes));
	b->message_number = 0;
	b->message = some(b->text_bytes);
	b->message_address = address_of((b->text_bytes + 63) / 64);
	b->contexts_address = fan_test_random_next(&random) & ~UINT64_C(63);
	for (unsigned i = 0; i < b->ue_count; i++) {
		ue u;

		u.pdu = fan_test_random_next(&random);
		u.count = (uint32_t)fan_test_random_next(&random);
		u.bearer_direction = (uint8_t)(pick(64) << 2);
		u.clear = some(16);
		u.head = some(16 * b->head_blocks);
		u.k_enc = some(16);
		u.k_int = some(16);
		u.error = 0;
		b->ues.push_back(u);
	}
	return b;
}

static void
store(bytes &octets_, uint64_t value, unsigned octet_count)
{
	for (unsigned i = 0; i < octet_count; i++)
		octets_.push_back((uint8_t)(value >> 8 * i));
}

static bytes
descriptor_of(const batch &b)
{
	bytes d;

	store(d, b.message_address, 8);
	store(d, b.items_address, 8);
	store(d, b.contexts_address, 8);
	store(d, b.message_number, 4);
	store(d, b.cookie, 2);
	store(d, b.ue_count, 2);
	store(d, b.text_bytes, 2);
	store(d, b.clear_bytes, 1);
	store(d, b.head_blocks, 1);
	store(d, b.cipher, 1);
	store(d, b.integrity, 1);
	store(d, b.sequence, 1);
	store(d, 1, 1);
	d.resize(64);
	return d;
}

void
host::submit(const batch_ptr &b, const std::function<void(uint8_t *)> &spoil, bool ring)
{
	const unsigned q = b->queue, item_bytes = 32 + (b->head_blocks + 1) / 2 * 32;
	bytes items;
	bytes descriptor;

	for (ue &u : b->ues) {
		const size_t from = items.size();
		/* Far apart, or one behind the other, or the same twice. */
		const uint32_t number = pick(2) ? (uint32_t)fan_test_random_next(&random) : pick(40);
		const uint64_t address = b->contexts_address + UINT64_C(64) * number;
		bytes c = some(64);

		if (memory.find(address) != memory.end()) {
			if (b->lines.find(address) == b->lines.end())
				fail("the test's memory is too crowded");
			c.assign(memory[address].begin(), memory[address].end());
			u.k_enc.assign(c.begin(), c.begin() + 16);
			u.k_int.assign(c.begin() + 16, c.begin() + 32);
			u.bearer_direction = c[46] & 0xfc;
		}
		std::copy(u.k_enc.begin(), u.k_enc.end(), c.begin());
		std::copy(u.k_int.begin(), u.k_int.end(), c.begin() + 16);
		c[46] = u.bearer_direction | (c[46] & 3);
		put(*b, address, c);
		store(items, u.pdu, 8);
		store(items, u.count, 4);
		store(items, number, 4);
		items.insert(items.end(), u.clear.begin(), u.clear.end());
		items.insert(items.end(), u.head.begin(), u.head.end());
		while (items.size() < from + item_bytes)
			items.push_back((uint8_t)pick(256));
	}
	b->items_address = address_of((items.size() + 63) / 64);
	put(*b, b->items_address, items);
	put(*b, b->message_address, b->message);
	descriptor = descriptor_of(*b);
	if (spoil)
		spoil(descriptor.data());
	b->cookie = (uint16_t)(descriptor[28] | descriptor[29] << 8);
	b->ue_count = (uint16_t)(descriptor[30] | descriptor[31] << 8);
	const uint64_t at = ring_address[q] + 64 * (tail[q] & ((1u << entries_log2[q]) - 1));
	std::copy(descriptor.begin(), descriptor.end(), memory[at].begin());
	expected[q].push_back(b);
	outstanding[q]++;
	tail[q]++;
	if (ring)
		configure(q);
}

void
host::refuse_lines(const batch_ptr &b)
{
	const unsigned item_bytes = 32 + (b->head_blocks + 1) / 2 * 32;
	const unsigned kind = pick(3), i = pick((uint32_t)b->ues.size());
	const auto context_of = [&](unsigned ue) {
		const uint64_t item = b->items_address + ue * item_bytes;
		uint32_t number;

		memcpy(&number, memory[item & ~UINT64_C(63)].data() + (item & 63) + 12, 4);
		return b->contexts_address + UINT64_C(64) * number;
	};
	uint64_t at;

	if (kind == 0)
		at = b->message_address + 64 * pick((b->text_bytes + 63) / 64);
	else if (kind == 1)
		at = b->items_address + 64 * pick((uint32_t)((b->ues.size() * item_bytes + 63) / 64));
	else
		at = context_of(i);
	refused.insert(at);
	for (unsigned u = 0; u < b->ues.size(); u++) {
		const uint64_t from = b->items_address + u * item_bytes, to = from + item_bytes;

		if (kind == 0)
			b->ues[u].error = FAN_CARD_ERROR_READ_MESSAGE;
		else if (kind == 1 && from < at + 64 && at < to)
			b->ues[u].error = FAN_CARD_ERROR_READ_ITEM;
		else if (kind == 2 && context_of(u) == at)
			b->ues[u].error = FAN_CARD_ERROR_READ_CONTEXT;
	}
	b->message_refused = kind == 0;
}

/* ---- Queues ----------------------------------------------------------------------------------------------------------------- */

void
host::configure(unsigned q)
{
	const unsigned from = QUEUE_CONFIG_BITS * q;
	auto &config = top->queue_config_i;

	put_field(config, QUEUE_TAIL + from, tail[q]);
	put_field(config, QUEUE_COMPLETIONS + from, completions_address[q]);
	put_field(config, QUEUE_DESCRIPTORS + from, ring_address[q]);
	put_field(config, QUEUE_ENTRIES_LOG2 + from, entries_log2[q]);
	put_field(config, QUEUE_ENABLE + from, enabled[q]);
}

void
host::enable(unsigned q, unsigned log2)
{
	entries_log2[q] = log2;
	ring_address[q] = address_of(1u << log2);
	completions_address[q] = address_of(64);
	tail[q] = begun[q] = 0;
	outstanding[q] = 0;
	enabled[q] = true;
	expected[q].clear();
	configure(q);
}

void
host::disable(unsigned q)
{
	enabled[q] = false;
	configure(q);
}

/* ---- One clock -------------------------------------------------------------------------------------------------------------- */

void
host::reset()
{
	for (unsigned q = 0; q < QUEUES; q++) {
		expected[q].clear();
		disable(q);
	}
	for (auto &l : lane)
		l = lane_state();
	for (auto &b : under_way)
		b = nullptr;
	reading.clear();
	freeing.clear();
	memory.clear();
	refused.clear();
	answering = address_held = stopping = false;
	top->stop_i = 0;
	top->enable_i = 1;
	top->m_axi_rvalid = 0;
	top->free_valid_i = 0;
	top->rst_ni = 0;
	for (int i = 0; i < 3; i++) {
		top->clk_i = 0;
		top->eval();
		top->clk_i = 1;
		top->eval();
		cycle++;
	}
	top->rst_ni = 1;
	const uint64_t from = cycle;
	while (!top->ready_o) {
		step();
		if (cycle - from > 2000)
			fail("not ready 2,000 clocks after reset");
	}
	progress = cycle;
}

void
host::drive_answer()
{
	if (answering || reading.empty() || reading.front().ready > cycle || stalls())
		return;
	const read &r = reading.front();
	const auto found = memory.find(r.address);

	answer_refused = refused.count(r.address) != 0;
	if (found == memory.end() && !loose && !stopping)
		fail("cycle %lu: a read of %lx, where nothing of a batch under way is", cycle, r.address);
	for (unsigned w = 0; w < 16; w++) {
		uint32_t word = (uint32_t)fan_test_random_next(&random);

		if (found != memory.end() && !answer_refused)
			memcpy(&word, found->second.data() + 4 * w, 4);
		top->m_axi_rdata[w] = word;
	}
	top->m_axi_rresp = answer_refused ? 2 + pick(2) : 0;
	top->m_axi_rlast = r.left == 1;
	answering = true;
}

void
host::drive()
{
	drive_answer();
	top->m_axi_rvalid = answering;
	top->m_axi_arready = !stalls() && reading.size() < 400;
	top->begin_ready_i = !stalls();
	top->message_ready_i = 0;
	top->item_ready_i = 0;
	top->ticket_ready_i = 0;
	top->free_valid_i = 0;
	if (!freeing.empty() && freeing.front().first <= cycle) {
		top->free_valid_i = 1;
		top->free_batch_i = freeing.front().second;
		freeing.pop_front();
	}
	for (unsigned l = 0; l < LANES; l++) {
		lane_state &s = lane[l];
		const unsigned held = (unsigned)s.messages.size() + (unsigned)s.releases.size();

		while (!s.releases.empty() && s.releases.front() <= cycle)
			s.releases.pop_front();
		if ((s.filling || held < LANE_MESSAGES) && !stalls())
			top->message_ready_i |= (uint8_t)(1u << l);
		if (!s.messages.empty() && !(s.filling && s.messages.size() == 1) && s.next_item <= cycle && s.items.size() < 4 &&
		    !stalls())
			top->item_ready_i |= (uint8_t)(1u << l);
		if (s.tickets.size() < 4 && !stalls())
			top->ticket_ready_i |= (uint8_t)(1u << l);
	}
}

void
host::sample_address()
{
	const uint64_t address = top->m_axi_araddr;
	const unsigned lines = top->m_axi_arlen + 1u;

	if (stopping && top->m_axi_arvalid && !address_held)
		fail("cycle %lu: a read begins while stopped", cycle);
	address_held = top->m_axi_arvalid && !top->m_axi_arready;
	if (!top->m_axi_arvalid || !top->m_axi_arready)
		return;
	if (address % 64 != 0 || address / 4096 != (address + 64 * lines - 1) / 4096 || top->m_axi_arsize != 6 ||
	    top->m_axi_arburst != 1 || top->m_axi_arid != 0)
		fail("cycle %lu: a read that AXI forbids: %lx, %u lines", cycle, address, lines);
	reads += lines;
	for (unsigned i = 0; i < lines; i++)
		reading.push_back({ address + 64 * i, i == 0 ? cycle + latency + pick(latency_spread + 1) : 0, lines - i });
}

void
host::sample_begin()
{
	const std::array<uint32_t, 2> begin{ (uint32_t)top->begin_o, (uint32_t)(top->begin_o >> 32) };
	const unsigned number = (unsigned)get_field(begin, BEGIN_BATCH), q = (unsigned)get_field(begin, BEGIN_QUEUE);

	if (!top->begin_valid_o || !top->begin_ready_i)
		return;
	progress = cycle;
	if (q >= QUEUES || expected[q].empty())
		fail("cycle %lu: queue %u begins what nobody asked for", cycle, q);
	const batch_ptr b = expected[q].front();
	const unsigned error = (unsigned)get_field(begin, BEGIN_ERROR), ue_count = (unsigned)get_field(begin, BEGIN_UE_COUNT);
	const unsigned cookie = (unsigned)get_field(begin, BEGIN_COOKIE), begin_head = (unsigned)get_field(begin, BEGIN_HEAD);

	expected[q].pop_front();
	begun[q]++;
	if (under_way[number] != nullptr)
		fail("cycle %lu: batch number %u is given twice", cycle, number);
	if (cookie != b->cookie || ue_count != (b->ue_count & 127u) || error != b->error || begin_head != begun[q])
		fail("cycle %lu: queue %u begins with cookie %x want %x, UEs %u want %u, error %u want %u, head %u want %u", cycle, q, cookie,
		     b->cookie, ue_count, b->ue_count & 127u, error, b->error, begin_head, begun[q]);
	under_way[number] = b;
	if (error != 0)
		end_batch(number);
}

void
host::end_batch(unsigned number)
{
	const batch_ptr b = under_way[number];

	for (uint64_t at : b->lines) {
		memory.erase(at);
		refused.erase(at);
	}
	freeing.push_back({ cycle + 1 + (free_delay ? free_delay : pick(100)), number });
	std::sort(freeing.begin(), freeing.end());
	under_way[number] = nullptr;
	outstanding[b->queue]--;
	batches_done++;
}

void
host::sample_message(unsigned l)
{
	lane_state &s = lane[l];

	if (!(top->message_valid_o >> l & 1) || !(top->message_ready_i >> l & 1))
		return;
	progress = cycle;
	const uint32_t shape = (uint32_t)get_field(top->message_o, BEAT_SHAPE);
	const bytes block = get_octets(top->message_o, BEAT_DATA);

	if (!s.filling) {
		s.messages.push_back({ shape, {}, ((shape & 2047) + 15) / 16 });
		s.filling = true;
	}
	lane_message &m = s.messages.back();

	if (m.shape != shape)
		fail("cycle %lu: lane %u: the shape changes within a message", cycle, l);
	m.octets.insert(m.octets.end(), block.begin(), block.end());
	if (m.octets.size() == 16 * m.blocks)
		s.filling = false;
}

void
host::check_message(const batch &b, const lane_message &message)
{
	const bool mac = b.sequence != 2 && b.integrity != 0;
	const uint32_t order = (b.sequence == 1 ? 4u : 0u) | (mac ? 2u : 0u) | (b.cipher != 0 ? 1u : 0u);
	const uint32_t shape = order << 18 | (uint32_t)b.clear_bytes << 13 | (uint32_t)b.head_blocks << 11 | b.text_bytes;
	bytes want = b.message_refused ? bytes(b.text_bytes) : b.message, have = message.octets;

	have.resize(b.text_bytes);
	if (message.shape != shape || have != want)
		fail("cycle %lu: queue %u, message %u of %u octets: shape %x want %x, octets %s", cycle, b.queue, b.message_number,
		     b.text_bytes, message.shape, shape, have == want ? "right" : "wrong");
}

void
host::check_ue(const batch &b, unsigned l, const std::vector<uint32_t> &item, const std::vector<uint32_t> &ticket)
{
	const unsigned i = (unsigned)get_field(ticket, TICKET_UE), error = (unsigned)get_field(ticket, TICKET_ERROR);
	const ue &u = b.ues[b.ues_done];
	const bytes none(16);
	const bool keys_right = get_octets(item, ITEM_K_ENC) == (u.error == 0 ? u.k_enc : none) &&
				get_octets(item, ITEM_K_INT) == (u.error == 0 ? u.k_int : none);

	if (i != b.ues_done || error != u.error)
		fail("cycle %lu: lane %u: UE %u want %u, error %u want %u", cycle, l, i, b.ues_done, error, u.error);
	if (!keys_right)
		fail("cycle %lu: lane %u, UE %u, error %u: keys are not right", cycle, l, i, error);
	if (get_field(item, ITEM_LAST) != (i + 1u == b.ues.size()))
		fail("cycle %lu: lane %u, UE %u of %zu: last is %d", cycle, l, i, b.ues.size(), (int)get_field(item, ITEM_LAST));
	if (error != 0)
		return;
	bytes head = get_octets(item, ITEM_HEAD);

	head.resize(u.head.size());
	if (get_field(item, ITEM_COUNT) != u.count || get_field(item, ITEM_DIRECTION) != (u.bearer_direction >> 2 & 1) ||
	    get_field(item, ITEM_BEARER) != u.bearer_direction >> 3 || get_octets(item, ITEM_CLEAR) != u.clear || head != u.head)
		fail("cycle %lu: lane %u, UE %u: the item is not right", cycle, l, i);
	if (get_field(ticket, TICKET_PDU) != u.pdu || get_field(ticket, TICKET_LEAD) != (b.sequence == 0) ||
	    get_field(ticket, TICKET_CLEAR_BYTES) != b.clear_bytes || get_octets(ticket, TICKET_CLEAR) != u.clear)
		fail("cycle %lu: lane %u, UE %u: the ticket is not right", cycle, l, i);
}

void
host::check_pair(unsigned l)
{
	lane_state &s = lane[l];

	if (s.items.empty() || s.tickets.empty())
		return;
	const auto &ticket = s.tickets.front();
	const unsigned number = (unsigned)get_field(ticket, TICKET_BATCH);
	const batch_ptr b = under_way[number];
	const unsigned algorithm = b == nullptr ? 0 : b->cipher | b->integrity;

	if (b == nullptr || b->error != 0)
		fail("cycle %lu: lane %u: a ticket of batch %u, which is not under way", cycle, l, number);
	if ((algorithm == 1) != (l == 3) || (b->lane >= 0 && b->lane != (int)l))
		fail("cycle %lu: lane %u got a UE of algorithm %u, others of the batch at lane %d", cycle, l, algorithm, b->lane);
	b->lane = (int)l;
	check_ue(*b, l, s.items.front(), ticket);
	s.items.pop_front();
	s.tickets.pop_front();
	ues_done++;
	if (++b->ues_done == b->ues.size()) {
		check_message(*b, s.messages.front());
		s.messages.pop_front();
		s.releases.push_back(cycle + 300);
		end_batch(number);
	}
}

void
host::sample()
{
	sample_address();
	sample_begin();
	if (top->m_axi_rvalid && top->m_axi_rready) {
		if (!top->read_beats_o || top->read_error_o != answer_refused ||
		    (answer_refused && top->read_error_address_o != reading.front().address))
			fail("cycle %lu: error %d want %d, address %lx want %lx", cycle, top->read_error_o, answer_refused,
			     top->read_error_address_o, reading.front().address);
		reading.pop_front();
		answering = false;
		progress = cycle;
	} else if (top->read_beats_o) {
		fail("cycle %lu: a line is counted that has not come", cycle);
	}
	for (unsigned l = 0; l < LANES; l++) {
		lane_state &s = lane[l];

		sample_message(l);
		if (s.items_taken != 0 && s.next_item <= cycle && s.items.size() < 4 && !(top->item_valid_o >> l & 1 & top->item_ready_i >> l))
			s.starved++;
		if (top->item_valid_o >> l & 1 & top->item_ready_i >> l) {
			s.items.push_back(get_struct(top->item_o, { ITEM_BITS * l, ITEM_BITS }));
			s.items_taken++;
			s.next_item = cycle + (random_pace ? pick(20) : l == 3 && snow3g_pace ? snow3g_pace : pace);
			progress = cycle;
			/* Not one more before it is known whether this was the last of its message. */
			if (get_field(s.items.back(), ITEM_LAST))
				s.next_item = std::max(s.next_item, cycle + 2);
		}
		if (top->ticket_valid_o >> l & 1 & top->ticket_ready_i >> l)
			s.tickets.push_back(get_struct(top->ticket_o, { TICKET_BITS * l, TICKET_BITS }));
		if (!stopping)
			check_pair(l);
	}
}

/* A begin, or what follows it. */
bool
host::owes() const
{
	return std::any_of(expected, expected + QUEUES, [](const auto &begins) { return !begins.empty(); }) ||
	       std::any_of(under_way, under_way + BATCHES, [](const auto &b) { return b != nullptr; });
}

void
host::step()
{
	drive();
	top->clk_i = 0;
	top->eval();
	sample();
	top->clk_i = 1;
	top->eval();
	if (context->gotFinish())
		fail("cycle %lu: an assertion of the model stopped it", cycle);
	cycle++;
	if (!owes())
		progress = cycle;
	if (cycle - progress > QUIET_CYCLES_MAX)
		fail("watchdog: nothing happens for %d clocks and batches are owed", QUIET_CYCLES_MAX);
}

void
host::drain()
{
	do
		step();
	while (owes());
	steps(200);
	if (!top->bus_idle_o || !reading.empty())
		fail("cycle %lu: not idle, and all batches have ended", cycle);
}
