/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tests of fan_fetch against a model of host memory: what is put there must come out at the lanes, and nothing else may be read.
 *
 *	work      random batches on all queues: messages, items, tickets, begins
 *	refused   descriptors that must not be carried out, each with its error, between good ones
 *	errors    reads that the bus refuses: the right UEs get the right error and no key
 *	queues    faults, tails that run away, disable and enable at any time, message numbers used again
 *	stop      stop, idle, reset at any clock: no read begins, none is owed, no key or message stays
 *	rate      three lanes that take a UE every 12 clocks never wait, with a memory that answers after 200
 *
 * Usage: fetch_test TEST [--seed N] [--stall P] [--batches N]
 *
 * The model is built with four lanes: AES, AES, AES, SNOW 3G; four queues.
 */
#include "Vfan_fetch.h"
#include "Vfan_fetch___024root.h"
#include "packed_structs.h"
#include "test_program.h"

extern "C" {
#include "../../tests/batch.h"
#include "../registers.h"
}

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <unordered_map>

enum { LANES = 4, QUEUES = 4, BATCHES = 16, LANE_MESSAGES = 4 };
#define QUIET_CYCLES_MAX 100000

/* ---- What the host puts into memory, and what must come of it --------------------------------------------------------------- */

using line = std::array<uint8_t, 64>;
using bytes = std::vector<uint8_t>;

struct ue {
	uint64_t pdu;
	uint32_t count;
	uint8_t bearer_direction;
	bytes clear, head, k_enc, k_int;
	uint8_t error;
};

struct batch {
	unsigned queue;
	uint16_t cookie;
	uint8_t error;   /* of the descriptor */
	uint16_t ue_count;
	uint16_t text_bytes;
	uint8_t clear_bytes, head_blocks, cipher, integrity, sequence;
	uint32_t message_number;
	uint64_t message_address, items_address, contexts_address;
	bytes message;
	std::vector<ue> ues;
	std::set<uint64_t> lines; /* of its own */
	bool message_refused = false;
	/* As it goes: */
	int lane = -1;
	unsigned ues_done = 0;
};

using batch_ptr = std::shared_ptr<batch>;

static struct {
	double stall = 0;
	unsigned batches = 2000;
} options;

/* A message as a lane has got it. */
struct lane_message {
	uint32_t shape;
	bytes octets;
	unsigned blocks;
};

struct lane_state {
	std::deque<lane_message> messages;
	bool filling = false;
	unsigned closed = 0;       /* messages whose last item has been taken and that the lane still holds */
	std::deque<uint64_t> releases;
	std::deque<std::vector<uint32_t>> items, tickets;
	uint64_t next_item = 0;    /* first clock at which it may take another */
	uint64_t items_taken = 0, starved = 0;
	bool message_ready = false;
};

class host
{
      public:
	host();
	~host() { top->final(); }

	void step();
	void steps(unsigned count) { while (count--) step(); }
	void reset();
	void drain();

	/* Queue `q` as the registers would have it. */
	void enable(unsigned q, unsigned entries_log2);
	void disable(unsigned q);
	void configure(unsigned q);
	unsigned head(unsigned q) const { return (unsigned)(top->queue_head_o >> 16 * q & 0xffff); }
	unsigned fault(unsigned q) const { return (unsigned)(top->queue_fault_o >> 3 * q & 7); }
	bool room(unsigned q) const { return outstanding[q] < (1u << entries_log2[q]); }

	batch_ptr make(unsigned q);
	/* Into memory, the descriptor into the ring; the doorbell unless told otherwise. */
	void submit(const batch_ptr &b, const std::function<void(uint8_t *)> &spoil = nullptr, bool ring = true);
	void refuse_lines(const batch_ptr &b);
	uint64_t address_of(uint64_t line_count);
	void put(batch &b, uint64_t address, const bytes &octets_);
	uint64_t message_line_reads = 0, reads = 0;

	uint32_t pick(uint32_t limit) { return fan_test_random_below(&random, limit); }
	bytes some(unsigned count);
	bool stalls() { return options.stall > 0 && (fan_test_random_next(&random) >> 11) * 0x1p-53 < options.stall; }

	struct fan_test_random random;
	std::unique_ptr<VerilatedContext> context;
	std::unique_ptr<Vfan_fetch> top;
	uint64_t cycle = 0, progress = 0, batches_done = 0, ues_done = 0;

	unsigned entries_log2[QUEUES] = {}, outstanding[QUEUES] = {};
	uint64_t ring_address[QUEUES] = {}, completions_address[QUEUES] = {};
	uint16_t tail[QUEUES] = {}, begun[QUEUES] = {};
	bool enabled[QUEUES] = {};
	std::deque<batch_ptr> expected[QUEUES]; /* begins to come, in order */
	std::unordered_map<uint64_t, line> memory;
	std::set<uint64_t> refused;
	batch_ptr under_way[BATCHES];
	lane_state lane[LANES];

	/* Times of memory and lanes, in clocks. */
	unsigned latency = 20, latency_spread = 60, pace = 0, snow3g_pace = 0, free_delay = 0;
	bool random_pace = true;
	bool stopping = false;
	bool loose = false; /* queues are being disabled: what is read may be gone, begins may fail to come */

      private:
	struct read {
		uint64_t address, ready;
		unsigned left;
		bool fresh;
	};

	void drive();
	void drive_answer();
	void sample();
	void sample_address();
	void sample_begin();
	void sample_message(unsigned l);
	void check_pair(unsigned l);
	void check_ue(const batch &b, unsigned l, const std::vector<uint32_t> &item, const std::vector<uint32_t> &ticket);
	void check_message(const batch &b, const lane_message &message);
	void end_batch(unsigned number);

	std::deque<read> reading;
	std::deque<std::pair<uint64_t, unsigned>> freeing;
	uint64_t next_address;
	bool answering = false, answer_refused = false, address_held = false;
	uint64_t held_address = 0;
};

host::host() : random{ test_seed * 2 + 1 }
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

/* Lines in a row that nobody else has; close to the end of a page every now and then. */
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

/* One of its lines cannot be read; what must come of it. */
void
host::refuse_lines(const batch_ptr &b)
{
	const unsigned item_bytes = 32 + (b->head_blocks + 1) / 2 * 32;
	const unsigned kind = pick(3), i = pick((uint32_t)b->ues.size());
	uint64_t at;

	if (kind == 0)
		at = b->message_address + 64 * pick((b->text_bytes + 63) / 64);
	else if (kind == 1)
		at = b->items_address + 64 * pick((uint32_t)((b->ues.size() * item_bytes + 63) / 64));
	else {
		const line &l = memory[(b->items_address + i * item_bytes) & ~UINT64_C(63)];
		const unsigned offset = (b->items_address + i * item_bytes) & 63;
		uint32_t number;

		memcpy(&number, l.data() + offset + 12, 4);
		at = b->contexts_address + UINT64_C(64) * number;
	}
	refused.insert(at);
	for (unsigned u = 0; u < b->ues.size(); u++) {
		const uint64_t from = b->items_address + u * item_bytes, to = from + item_bytes;
		uint32_t number;

		memcpy(&number, memory[from & ~UINT64_C(63)].data() + (from & 63) + 12, 4);
		if (kind == 0)
			b->ues[u].error = FAN_CARD_ERROR_READ_MESSAGE;
		else if (kind == 1 && from < at + 64 && at < to)
			b->ues[u].error = FAN_CARD_ERROR_READ_ITEM;
		else if (kind == 2 && b->contexts_address + UINT64_C(64) * number == at)
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
		reading.push_back({ address + 64 * i, i == 0 ? cycle + latency + pick(latency_spread + 1) : 0, lines - i, i == 0 });
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
	bool owed = false;
	for (const auto &e : expected)
		owed = owed || !e.empty();
	for (const auto &b : under_way)
		owed = owed || b != nullptr;
	if (!owed)
		progress = cycle;
	if (cycle - progress > QUIET_CYCLES_MAX)
		fail("watchdog: nothing happens for %d clocks and batches are owed", QUIET_CYCLES_MAX);
}

void
host::drain()
{
	for (bool owed = true; owed;) {
		step();
		owed = false;
		for (const auto &e : expected)
			owed = owed || !e.empty();
		for (const auto &b : under_way)
			owed = owed || b != nullptr;
	}
	steps(200);
	if (!top->bus_idle_o || !reading.empty())
		fail("cycle %lu: not idle, and all batches have ended", cycle);
}

/* ---- Tests ------------------------------------------------------------------------------------------------------------------ */

static void
enable_all(host &h)
{
	for (unsigned q = 0; q < QUEUES; q++)
		h.enable(q, 1 + h.pick(8));
}

/* A message that several batches of a queue share. Its lines stay. */
struct shared_message {
	batch_ptr first;
	batch keeper;
};

/* Half of the batches have a number, and half of those that of an earlier one, with the same octets. */
static void
share_message(host &h, std::map<std::pair<unsigned, uint32_t>, shared_message> &shared, const batch_ptr &b)
{
	if (h.pick(2) == 0)
		return;
	b->message_number = 1 + h.pick(6);
	shared_message &s = shared[{ b->queue, b->message_number }];

	if (s.first == nullptr) {
		s.first = b;
		h.put(s.keeper, b->message_address, b->message);
		return;
	}
	b->message = s.first->message;
	b->text_bytes = s.first->text_bytes;
	b->message_address = s.first->message_address;
	b->clear_bytes = (uint8_t)std::min<unsigned>(b->clear_bytes, FAN_PDU_BYTES_MAX - b->text_bytes);
}

static void
test_work()
{
	host h;
	std::map<std::pair<unsigned, uint32_t>, shared_message> shared;

	enable_all(h);
	for (unsigned made = 0; made < options.batches;) {
		const unsigned q = h.pick(QUEUES);

		if (h.room(q) && h.pick(30) == 0) {
			const batch_ptr b = h.make(q);

			share_message(h, shared, b);
			h.submit(b, nullptr, h.pick(3) != 0 || !h.room(q));
			made++;
		} else if (h.tail[q] != h.begun[q]) {
			h.configure(q);
		}
		h.step();
	}
	for (unsigned q = 0; q < QUEUES; q++)
		h.configure(q);
	h.drain();
	for (unsigned q = 0; q < QUEUES; q++)
		if (h.head(q) != h.tail[q] || h.fault(q) != 0)
			fail("queue %u ends with head %u want %u, fault %u", q, h.head(q), h.tail[q], h.fault(q));
	printf("work: %lu batches, %lu UEs, %lu lines read, %lu clocks\n", h.batches_done, h.ues_done, h.reads, h.cycle);
}

struct refusal {
	unsigned at, octets;
	uint64_t value;
	uint8_t error;
};

static void
test_refused()
{
	static const refusal table[] = {
		{ 39, 1, 0, FAN_CARD_ERROR_BAD_DESCRIPTOR },
		{ 39, 1, 2, FAN_CARD_ERROR_BAD_DESCRIPTOR },
		{ 39, 1, 0x81, FAN_CARD_ERROR_BAD_DESCRIPTOR },
		{ 40, 1, 1, FAN_CARD_ERROR_BAD_DESCRIPTOR },
		{ 55, 1, 0x80, FAN_CARD_ERROR_BAD_DESCRIPTOR },
		{ 63, 1, 0x80, FAN_CARD_ERROR_BAD_DESCRIPTOR },
		{ 38, 1, 3, FAN_CARD_ERROR_BAD_DESCRIPTOR },
		{ 37, 2, 0x0202, FAN_CARD_ERROR_BAD_DESCRIPTOR }, /* integrity where sequence is CIPHER_ONLY */
		{ 30, 2, 0, FAN_CARD_ERROR_BAD_SHAPE },
		{ 30, 2, 65, FAN_CARD_ERROR_BAD_SHAPE },
		{ 30, 2, 129, FAN_CARD_ERROR_BAD_SHAPE },
		{ 30, 2, 256 + 1, FAN_CARD_ERROR_BAD_SHAPE },
		{ 30, 2, 0x8001, FAN_CARD_ERROR_BAD_SHAPE },
		{ 32, 3, 0, FAN_CARD_ERROR_BAD_SHAPE },
		{ 32, 3, 1501, FAN_CARD_ERROR_BAD_SHAPE },
		{ 32, 3, 1500 | 1 << 16, FAN_CARD_ERROR_BAD_SHAPE },
		{ 32, 3, 1485 | 16 << 16, FAN_CARD_ERROR_BAD_SHAPE },
		{ 32, 3, 2048 + 100, FAN_CARD_ERROR_BAD_SHAPE },
		{ 32, 3, 65535, FAN_CARD_ERROR_BAD_SHAPE },
		{ 32, 3, 100 | 17 << 16, FAN_CARD_ERROR_BAD_SHAPE },
		{ 32, 3, 100 | 255 << 16, FAN_CARD_ERROR_BAD_SHAPE },
		{ 35, 1, 4, FAN_CARD_ERROR_BAD_SHAPE },
		{ 35, 1, 0x83, FAN_CARD_ERROR_BAD_SHAPE },
		{ 36, 3, 0x000003, FAN_CARD_ERROR_UNSUPPORTED }, /* no ZUC lane */
		{ 36, 3, 0x000303, FAN_CARD_ERROR_UNSUPPORTED },
		{ 36, 3, 0x000102, FAN_CARD_ERROR_UNSUPPORTED }, /* cipher and integrity differ */
		{ 36, 3, 0x000201, FAN_CARD_ERROR_UNSUPPORTED },
		{ 36, 3, 0x000004, FAN_CARD_ERROR_UNSUPPORTED },
		{ 36, 3, 0x000402, FAN_CARD_ERROR_UNSUPPORTED },
		{ 36, 3, 0x000082, FAN_CARD_ERROR_UNSUPPORTED },
		{ 36, 3, 0x008202, FAN_CARD_ERROR_UNSUPPORTED },
		{ 0, 1, 1, FAN_CARD_ERROR_BAD_ADDRESS },
		{ 0, 1, 32, FAN_CARD_ERROR_BAD_ADDRESS },
		{ 8, 1, 32, FAN_CARD_ERROR_BAD_ADDRESS },
		{ 16, 1, 4, FAN_CARD_ERROR_BAD_ADDRESS },
		/* What comes first wins. */
		{ 38, 2, 0x0003, FAN_CARD_ERROR_BAD_DESCRIPTOR },
		{ 34, 3, 0x040011, FAN_CARD_ERROR_BAD_SHAPE },
	};
	/* In range to the last value. */
	static const refusal edges[] = {
		{ 32, 3, 1500, 0 }, { 32, 3, 1484 | 16 << 16, 0 }, { 32, 3, 1, 0 }, { 32, 3, 1 | 16 << 16, 0 }, { 35, 1, 3, 0 },
	};
	host h;
	unsigned refusals = 0;

	enable_all(h);
	for (unsigned turn = 0; turn < 5; turn++) {
		for (const refusal &r : table) {
			unsigned q = h.pick(QUEUES);
			batch_ptr b = h.make(q);

			while (!h.room(q))
				h.step();
			b->error = r.error;
			if (r.at == 32 || r.at == 34)
				b->cipher = 2;
			h.submit(b, [&](uint8_t *d) {
				for (unsigned i = 0; i < r.octets; i++)
					d[r.at + i] = (uint8_t)(r.value >> 8 * i);
				if (r.at == 36 && d[38] == 2)
					d[38] = 0;
			});
			refusals++;
			if (turn < 4 && h.pick(2)) {
				q = h.pick(QUEUES);
				while (!h.room(q))
					h.step();
				h.submit(h.make(q));
			}
		}
		for (const refusal &r : edges) {
			const batch_ptr b = h.make(1);

			while (!h.room(1))
				h.step();
			if (r.at == 32) {
				b->text_bytes = (uint16_t)r.value;
				b->clear_bytes = (uint8_t)(r.value >> 16);
				b->message = h.some(b->text_bytes);
				b->message_address = h.address_of(24);
			}
			h.submit(b);
		}
	}
	h.drain();
	printf("refused: %u descriptors refused, %lu batches, %lu UEs\n", refusals, h.batches_done - refusals, h.ues_done);
}

static void
test_errors()
{
	host h;
	unsigned spoiled = 0;

	enable_all(h);
	for (unsigned made = 0; made < options.batches; made++) {
		const unsigned q = h.pick(QUEUES);
		const batch_ptr b = h.make(q);

		while (!h.room(q))
			h.step();
		if (h.pick(2))
			b->message_number = 1 + h.cycle; /* a message that cannot be read is not kept, its number not used again */
		h.submit(b, nullptr, false);
		if (h.pick(2)) {
			h.refuse_lines(b);
			spoiled++;
		}
		h.configure(q);
		h.steps(h.pick(200));
	}
	h.drain();

	/* A message that could not be read is read again for the next batch with its number. */
	for (unsigned turn = 0; turn < 20; turn++) {
		const batch_ptr bad = h.make(0), good = h.make(0);

		h.drain();
		bad->message_number = good->message_number = 0x80000000 + turn;
		good->text_bytes = bad->text_bytes;
		good->clear_bytes = bad->clear_bytes;
		good->message = h.some(good->text_bytes);
		good->message_address = h.address_of(24);
		h.submit(bad, nullptr, false);
		h.refused.insert(bad->message_address);
		bad->message_refused = true;
		for (ue &u : bad->ues)
			u.error = FAN_CARD_ERROR_READ_MESSAGE;
		h.configure(0);
		h.drain();
		h.submit(good);
	}
	h.drain();
	printf("errors: %lu batches, %u of them with a line that could not be read\n", h.batches_done, spoiled);
}

/* ---- Queues: what a host does wrong --------------------------------------------------------------------------------------------- */

static void
want_fault(host &h, unsigned q, unsigned fault)
{
	h.steps(2 * QUEUES + 4);
	if (h.fault(q) != fault)
		fail("cycle %lu: queue %u has fault %u, want %u", h.cycle, q, h.fault(q), fault);
}

static void
test_tails(host &h)
{
	for (unsigned log2 = 1; log2 <= 8; log2++) {
		const uint16_t entries = (uint16_t)(1u << log2);
		const uint16_t wild[] = { (uint16_t)(entries + 1), (uint16_t)(entries + 2), 0x7fff, 0x8000, 0xffff };

		for (uint16_t ahead : wild) {
			h.enable(2, log2);
			h.steps(10);
			h.submit(h.make(2));
			h.drain();
			h.tail[2] = (uint16_t)(h.tail[2] + ahead);
			h.configure(2);
			want_fault(h, 2, FAN_CARD_QUEUE_FAULT_TAIL);
			/* Sticky, and nothing is fetched any more: nothing is there that could be. */
			h.tail[2] = 2;
			h.configure(2);
			h.steps(200);
			want_fault(h, 2, FAN_CARD_QUEUE_FAULT_TAIL);
			if (h.head(2) != 1)
				fail("head %u after a wild tail", h.head(2));
			h.disable(2);
			h.steps(5);
		}
		/* As far ahead as the ring is long is right. */
		h.enable(2, log2);
		h.steps(3);
		while (h.room(2))
			h.submit(h.make(2), nullptr, false);
		h.configure(2);
		h.drain();
		want_fault(h, 2, FAN_CARD_QUEUE_FAULT_NONE);
		h.disable(2);
		h.steps(3);
	}
}

static void
test_sizes(host &h)
{
	for (unsigned log2 = 0; log2 < 16; log2++)
		for (unsigned base = 0; base < 3; base++) {
			const bool right = log2 >= 1 && log2 <= 8 && base == 0;

			h.enable(3, log2);
			if (base == 1)
				h.ring_address[3] += 1u << h.pick(6);
			if (base == 2)
				h.completions_address[3] += 1u << h.pick(6);
			h.configure(3);
			want_fault(h, 3, right ? FAN_CARD_QUEUE_FAULT_NONE : FAN_CARD_QUEUE_FAULT_SIZE);
			h.tail[3] = right ? 0 : 1;
			h.configure(3);
			h.steps(100);
			if (h.head(3) != 0)
				fail("a queue of a wrong size is served");
			h.disable(3);
			h.steps(3);
		}
}

/* The descriptor at `bad` cannot be read: those before it are carried out, none behind it. */
static void
test_descriptor_refused(host &h)
{
	for (unsigned bad = 0; bad < 10; bad++) {
		h.enable(1, 4);
		for (unsigned i = 0; i < 12; i++) {
			if (i == bad)
				h.refused.insert(h.ring_address[1] + 64 * i);
			h.submit(h.make(1), nullptr, false);
		}
		h.expected[1].resize(bad);
		h.steps(3);
		h.configure(1);
		h.drain();
		h.steps(1500);
		want_fault(h, 1, FAN_CARD_QUEUE_FAULT_READ_DESCRIPTOR);
		if (h.head(1) != bad)
			fail("head %u, and descriptor %u could not be read", h.head(1), bad);
		h.disable(1);
		h.steps(1 + h.pick(20));
	}
}

/* Numbers of messages mean nothing after a queue has been disabled; queues have numbers of their own. */
static void
test_numbers(host &h)
{
	for (unsigned turn = 0; turn < 30; turn++) {
		for (unsigned q = 0; q < 2; q++)
			h.enable(q, 4);
		for (unsigned q = 0; q < 2; q++) {
			for (unsigned i = 0; i < 2; i++) {
				const batch_ptr b = h.make(q);

				/* Not more octets than the first: the second is another message with the same number. */
				b->message_number = 7;
				b->clear_bytes = 0;
				b->text_bytes = (uint16_t)(100 + i);
				b->message = h.some(b->text_bytes);
				b->message_address = h.address_of(2);
				h.submit(b);
			}
		}
		h.drain();
		for (unsigned q = 0; q < 2; q++)
			h.disable(q);
		h.steps(1 + h.pick(3));
	}
}

/* Disabled in the midst of everything: what has begun ends, nothing more begins, and the next life starts afresh. */
static void
test_disable(host &h)
{
	for (unsigned turn = 0; turn < 200; turn++) {
		h.loose = false;
		for (unsigned q = 0; q < QUEUES; q++)
			if (!h.enabled[q])
				h.enable(q, 5);
		h.steps(2);
		for (unsigned i = 0; i < 20; i++) {
			const unsigned q = h.pick(QUEUES);
			const batch_ptr b = h.make(q);

			b->message_number = 1 + h.pick(2) + 2 * turn;
			b->text_bytes = (uint16_t)(200 + 4 * i + q); /* the length tells messages apart here */
			b->clear_bytes = 0;
			b->message = h.some(b->text_bytes);
			b->message_address = h.address_of(5);
			if (h.room(q))
				h.submit(b);
		}
		h.steps(h.pick(400));
		h.loose = true;
		const unsigned victim = h.pick(QUEUES);
		h.disable(victim);
		h.step();
		/* A begin that was on offer already is still made. */
		for (unsigned i = 0; i < 40; i++)
			h.step();
		h.expected[victim].clear();
		h.drain();
		h.steps(100);
	}
	h.loose = false;
	for (unsigned q = 0; q < QUEUES; q++)
		h.disable(q);
	h.steps(3);
}

/* control.enable is 0: nothing is fetched; what has begun ends. */
static void
test_card_disabled(host &h)
{
	h.enable(0, 8);
	for (unsigned i = 0; i < 40; i++)
		h.submit(h.make(0));
	h.steps(100);
	h.top->enable_i = 0;
	h.steps(300);
	const unsigned head = h.head(0);
	h.steps(30000);
	if (h.head(0) != head || head == 40 || !h.top->bus_idle_o)
		fail("head goes on from %u to %u while the card is not enabled", head, h.head(0));
	h.top->enable_i = 1;
	h.drain();
	h.disable(0);
	h.steps(3);
}

static void
test_queues()
{
	host h;

	test_tails(h);
	test_sizes(h);
	test_descriptor_refused(h);
	test_numbers(h);
	test_disable(h);
	test_card_disabled(h);
	printf("queues: %lu batches, %lu clocks\n", h.batches_done, h.cycle);
}

/* ---- Stop ------------------------------------------------------------------------------------------------------------------------ */

template <typename Words, size_t depth>
static void
want_zeros(const char *name, const VlUnpacked<Words, depth> &words)
{
	for (size_t i = 0; i < depth; i++)
		for (size_t w = 0; w < sizeof(Words) / 4; w++)
			if (words[i][w] != 0)
				fail("word %zu of %s is not 0 after a reset", i, name);
}

static void
test_stop()
{
	host h;
	unsigned turns = 0;
	uint64_t waited = 0;

	for (; turns < 300; turns++) {
		enable_all(h);
		const unsigned work = h.pick(900);
		for (unsigned i = 0; i < work; i++) {
			const unsigned q = h.pick(QUEUES);

			if (h.room(q) && h.pick(10) == 0)
				h.submit(h.make(q));
			h.step();
		}
		h.top->stop_i = 1;
		h.top->clk_i = 0;
		h.top->eval();
		/* What is on offer in this clock may still be taken later. */
		h.step();
		h.stopping = true;
		const uint64_t from = h.cycle;
		while (!h.top->bus_idle_o) {
			h.step();
			if (h.cycle - from > 20000)
				fail("not idle 20,000 clocks after stop");
		}
		waited += h.cycle - from;
		h.steps(h.pick(100));
		if (!h.top->bus_idle_o)
			fail("idle, and then not");
		h.reset();
		const auto *root = h.top->rootp;
		want_zeros("message cache", root->fan_fetch__DOT__u_cache__DOT__u_lines__DOT__words);
		want_zeros("work items 0", root->fan_fetch__DOT__g_lane__BRA__0__KET____DOT__u_feed__DOT__u_items__DOT__u_lines__DOT__u_ram__DOT__words);
		want_zeros("work items 3", root->fan_fetch__DOT__g_lane__BRA__3__KET____DOT__u_feed__DOT__u_items__DOT__u_lines__DOT__u_ram__DOT__words);
		want_zeros("contexts 0", root->fan_fetch__DOT__g_lane__BRA__0__KET____DOT__u_feed__DOT__u_contexts__DOT__u_contexts__DOT__u_ram__DOT__words);
		want_zeros("contexts 3", root->fan_fetch__DOT__g_lane__BRA__3__KET____DOT__u_feed__DOT__u_contexts__DOT__u_contexts__DOT__u_ram__DOT__words);
	}
	enable_all(h);
	h.submit(h.make(0));
	h.drain();
	printf("stop: %u resets, idle after %.1f clocks on average\n", turns, (double)waited / turns);
}

/* ---- Rate ------------------------------------------------------------------------------------------------------------------------ */

/* Clocks that three AES lanes waited for. With snow3g_pace a queue full of work for a lane that slow is there as well. */
static double
rate(unsigned ue_count, unsigned text_bytes, unsigned head_blocks, unsigned pace, unsigned latency,
     unsigned snow3g_pace = 0)
{
	host h;
	uint64_t starved = 0, taken = 0;
	bytes message = h.some(text_bytes);
	batch keeper;
	const uint64_t message_address = h.address_of(24);

	h.latency = latency;
	h.latency_spread = 0;
	h.random_pace = false;
	h.pace = pace;
	h.snow3g_pace = snow3g_pace;
	/* Through the lane, the pack and the bus until the completion has been answered. */
	h.free_delay = 24 * pace + 2 * latency;
	h.put(keeper, message_address, message);
	const unsigned queues = snow3g_pace ? 3 : 2;

	for (unsigned q = 0; q < queues; q++)
		h.enable(q, 5);
	for (unsigned i = 0; i < 30000; i++) {
		for (unsigned q = 0; q < queues; q++)
			if (h.room(q)) {
				const batch_ptr b = h.make(q);

				b->cipher = b->integrity = q == 2 ? 1 : 2;
				b->sequence = 0;
				b->message_number = 1;
				b->text_bytes = (uint16_t)text_bytes;
				b->clear_bytes = 6;
				b->head_blocks = (uint8_t)head_blocks;
				b->message = message;
				b->message_address = message_address;
				b->ue_count = (uint16_t)ue_count;
				b->ues.resize(1);
				b->ues[0].head = h.some(16 * head_blocks);
				b->ues.resize(ue_count, b->ues[0]);
				h.submit(b);
			}
		h.step();
		if (i == 5000)
			for (unsigned l = 0; l < 3; l++) {
				starved -= h.lane[l].starved;
				taken -= h.lane[l].items_taken;
			}
	}
	for (unsigned l = 0; l < 3; l++) {
		starved += h.lane[l].starved;
		taken += h.lane[l].items_taken;
	}
	printf("rate: batches of %2u UEs, %4u octets, %u blocks of head, latency %3u: a UE every %5.2f clocks and lane, of %u%s; "
	       "lanes waited %lu of 75,000 clocks\n",
	       ue_count, text_bytes, head_blocks, latency, 75000.0 / (double)taken, pace,
	       snow3g_pace ? ", beside a slow one" : "", starved);
	return (double)starved;
}

static void
test_rate()
{
	options.stall = 0;
	if (rate(64, 160, 0, 12, 200) != 0)
		fail("lanes waited");
	if (rate(64, 160, 1, 12, 200) != 0)
		fail("lanes waited");
	if (rate(32, 160, 0, 12, 200) != 0)
		fail("lanes waited");
	if (rate(32, 160, 3, 12, 200) != 0)
		fail("lanes waited");
	if (rate(64, 160, 0, 12, 200, 400) != 0)
		fail("lanes waited");
	rate(24, 160, 0, 12, 200);
	rate(16, 160, 0, 12, 200);
	rate(8, 160, 0, 12, 200);
	rate(64, 160, 0, 12, 400);
	if (rate(64, 64, 0, 6, 200) != 0)
		fail("lanes waited");
	rate(64, 16, 0, 3, 200);
	rate(64, 1400, 0, 90, 200);
}

int
main(int argc, char **argv)
{
	const test_case test = read_command_line(argc, argv,
						 { { "work", test_work },
						   { "refused", test_refused },
						   { "errors", test_errors },
						   { "queues", test_queues },
						   { "stop", test_stop },
						   { "rate", test_rate } },
						 { { "--stall", "P", &options.stall }, { "--batches", "N", &options.batches } });

	printf("%s: seed 0x%lx, stall %g\n", test.name, test_seed, options.stall);
	test.run();
	return 0;
}
