/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tests of the write side: fan_pack, fan_write and fan_complete, with the test in place of lanes, read side and memory.
 *
 *	places   every place in a line, every kind of lead, every class of length, of which each pair of PDU and place is demanded
 *	random   batches on three lanes, refused writes, UEs and batches without PDUs
 *	stop     stop and reset at random clocks: nothing on the bus behind idle, memories overwritten
 *
 * The memory takes AW, W and gives B when chance says so, W before AW too. Of every beat it knows whose packet it is: a completion
 * must find that all answers to writes of its batch have been taken.
 *
 * Usage: write_test TEST [--seed N] [--stall P] [--latency CLOCKS] [--batches N]
 */
#include "Vwrite_side.h"
#include "Vwrite_side___024root.h"
#include "packed_structs.h"
#include "test_program.h"
#include "verilated.h"

extern "C" {
#include "../../tests/batch.h"
}

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <set>

#define LANES 3
#define QUEUES 2
#define BATCHES 16
#define UES 64
#define STRIDE 2112             /* of packets: no power of two, so that PDUs meet all places of a page */
#define BASE UINT64_C(0x7fff00000000)
#define RINGS (BATCHES * UES * STRIDE / 4096 * 4096 + 4096)
#define ENTRIES_LOG2 5
#define MEMORY (RINGS + QUEUES * 4096)
#define QUIET_CLOCKS 100000
#define WRITE_PDU 8

static struct {
	double stall = 0.3;
	unsigned latency = 50, batches = 2000;
} options;

static struct fan_test_random source;

static unsigned pick(unsigned limit) { return fan_test_random_below(&source, limit); }
static bool gap() { return pick(1000) < options.stall * 1000; }

using bits = std::vector<uint32_t>; /* of a struct */

/* ---- What is asked of the write side ------------------------------------------------------------------------------------------- */

struct ue {
	unsigned error;         /* of the ticket */
	uint64_t first, end;    /* places in memory of all its octets */
	bool bad;
};

struct batch {
	bool busy = false, announced = false;
	unsigned number, lane, queue, cookie, error;
	std::vector<ue> ues;
	unsigned owed = 0;      /* bursts of its packets that have not been answered */
	bool completed = false;
	unsigned wrong_count = 0; /* ue_count of a batch of which nothing is done */
};

struct burst {
	uint64_t address;
	unsigned beats;
	std::set<unsigned> owners;
	int completion = -1;    /* batch */
	bool refused = false;
	uint64_t due = 0;
};

struct beat {
	uint8_t octets[64];
	uint64_t strobes;
	bool last;
};

class side
{
      public:
	side();
	void reset();
	void clock();
	int begin(unsigned lane, unsigned ue_count, unsigned error);
	void add(batch &batch, unsigned text_bytes, int lead_clear, int place, unsigned error);
	void settle();
	bool room() const;

	std::unique_ptr<VerilatedContext> context;
	std::unique_ptr<Vwrite_side> top;
	std::vector<uint8_t> memory, want;
	batch batches[BATCHES];
	std::set<uint64_t> refused;
	uint64_t clocks = 0, moved = 0, pages_crossed = 0, pdus = 0, swallowed = 0, refused_bursts = 0, completions = 0, early = 0;
	uint64_t clocks_busy = 0, beats_written = 0;
	bool expect_silence = false;

      private:
	void take_bus();
	void put_beat();
	void take_completion(const burst &done);
	void check_packets(batch &batch);

	std::deque<bits> tickets[LANES], results[LANES], begins;
	bool ticket_on[LANES] = {}, result_on[LANES] = {}, begin_on = false, answer_on = false;
	std::deque<burst> addresses, answers;
	std::deque<beat> data;
	uint32_t serial[QUEUES];
	uint16_t cookie = 0;
	unsigned owed_count = 0;
	uint64_t octets = 0, octets_counted = 0;
};

side::side() : memory(MEMORY), want(MEMORY)
{
	context = std::make_unique<VerilatedContext>();
	context->randReset(2);
	context->randSeed((int)(test_seed & 0x7fffffff) + 1);
	context->assertOn(true);
	top = std::make_unique<Vwrite_side>(context.get());
	fan_test_random_fill(&source, memory.data(), memory.size());
	top->stop_i = 0;
	reset();
}

void
side::reset()
{
	auto &config = top->queue_config_i;

	top->rst_ni = 0;
	top->ticket_valid_i = top->result_valid_i = 0;
	top->begin_valid_i = top->bvalid_i = top->awready_i = top->wready_i = 0;
	for (unsigned q = 0; q < QUEUES; q++) {
		put_field(config, QUEUE_ENABLE + q * QUEUE_CONFIG_BITS, 0);
		serial[q] = 0;
	}
	for (unsigned l = 0; l < LANES; l++) {
		tickets[l].clear();
		results[l].clear();
		ticket_on[l] = result_on[l] = false;
	}
	begins.clear();
	addresses.clear();
	answers.clear();
	data.clear();
	begin_on = answer_on = false;
	owed_count = 0;
	refused.clear();
	for (unsigned b = 0; b < BATCHES; b++) {
		batches[b] = {};
		batches[b].number = b;
	}
	memset(&memory[RINGS], 0, MEMORY - RINGS);
	want = memory;
	for (unsigned i = 0; i < 4; i++) {
		top->clk_i = 0;
		top->eval();
		top->clk_i = 1;
		top->eval();
	}
	top->rst_ni = 1;
	top->stop_i = 0;
	for (unsigned q = 0; q < QUEUES; q++) {
		put_field(config, QUEUE_ENABLE + q * QUEUE_CONFIG_BITS, 1);
		put_field(config, QUEUE_ENTRIES_LOG2 + q * QUEUE_CONFIG_BITS, ENTRIES_LOG2);
		put_field(config, QUEUE_COMPLETIONS + q * QUEUE_CONFIG_BITS, BASE + RINGS + q * 4096);
	}
	moved = clocks;
	while (top->ready_o != (1 << LANES) - 1)
		clock();
	moved = clocks;
}

/* A batch with nothing in it yet; -1: none is free. */
int
side::begin(unsigned lane, unsigned ue_count, unsigned error)
{
	for (batch &batch : batches) {
		bits begin(2);
		unsigned open = 0;

		if (batch.busy)
			continue;
		batch = { true, false, batch.number, lane, pick(QUEUES), cookie++, error, {}, 0, false, ue_count };
		for (const struct batch &other : batches)
			open += other.busy && other.queue == batch.queue;
		if (open > 1u << ENTRIES_LOG2)
			fail("too many");
		put_field(begin, BEGIN_BATCH, batch.number);
		put_field(begin, BEGIN_QUEUE, batch.queue);
		put_field(begin, BEGIN_COOKIE, batch.cookie);
		put_field(begin, BEGIN_UE_COUNT, ue_count);
		put_field(begin, BEGIN_ERROR, error);
		put_field(begin, BEGIN_HEAD, fan_test_random_next(&source));
		begins.push_back(begin);
		return (int)batch.number;
	}
	return -1;
}

/* The next UE of the batch: its ticket, and the beats that its lane will give. lead_clear: octets of clear prefix, -1: no lead. */
void
side::add(batch &batch, unsigned text_bytes, int lead_clear, int place, unsigned error)
{
	const unsigned number = (unsigned)batch.ues.size();
	const uint64_t packet = (batch.number * UES + number) * (uint64_t)STRIDE;
	const unsigned lead_bytes = lead_clear < 0 ? 0 : 4 + (unsigned)lead_clear;
	uint64_t text = packet + 64 + pick(STRIDE - 128 - 1504 - 64);
	bits ticket(7);
	uint8_t clear[16], mac[4], octets_[1600];

	if (place >= 0)
		text += ((unsigned)place - (text - lead_bytes)) % 64;
	fan_test_random_fill(&source, clear, sizeof(clear));
	fan_test_random_fill(&source, mac, sizeof(mac));
	fan_test_random_fill(&source, octets_, sizeof(octets_));

	put_field(ticket, TICKET_BATCH, batch.number);
	put_field(ticket, TICKET_UE, number);
	put_field(ticket, TICKET_ERROR, error);
	put_field(ticket, TICKET_PDU, BASE + text);
	put_field(ticket, TICKET_LEAD, lead_clear >= 0);
	put_field(ticket, TICKET_CLEAR_BYTES, lead_clear < 0 ? pick(17) : (unsigned)lead_clear);
	put_octets(ticket, TICKET_CLEAR, clear);
	tickets[batch.lane].push_back(ticket);

	for (unsigned at = 0; at < text_bytes; at += 16) {
		const unsigned here = std::min(16u, text_bytes - at);
		uint8_t block[16] = {};
		bits result(6);

		put_field(result, RESULT_FIRST, at == 0);
		put_field(result, RESULT_LAST, at + 16 >= text_bytes);
		put_field(result, RESULT_BYTES, here);
		put_field(result, RESULT_TAG, fan_test_random_next(&source));
		put_octets(result, RESULT_MAC, mac);
		memcpy(block, octets_ + at, here);
		put_octets(result, RESULT_DATA, block);
		results[batch.lane].push_back(result);
	}

	ue ue = { error, text - lead_bytes, text + text_bytes, error != 0 };
	if (error == 0) {
		if (lead_bytes != 0) {
			memcpy(&want[text - lead_bytes], mac, 4);
			memcpy(&want[text - lead_bytes + 4], clear, (unsigned)lead_clear);
		}
		memcpy(&want[text], octets_, text_bytes);
		pdus++;
	} else {
		swallowed++;
	}
	batch.ues.push_back(ue);
}

bool
side::room() const
{
	for (const batch &batch : batches)
		if (!batch.busy)
			return true;
	return false;
}

/* ---- Memory --------------------------------------------------------------------------------------------------------------------- */

void
side::check_packets(batch &batch)
{
	const uint64_t from = batch.number * UES * (uint64_t)STRIDE;

	for (uint64_t at = from; at < from + UES * STRIDE; at++) {
		const uint64_t u = (at - from) / STRIDE;

		if (memory[at] != want[at])
			fail("batch %u, UE %llu of %zu, octets 0x%llx..0x%llx, ticket's error %u: octet 0x%llx is %02x, wanted %02x",
			     batch.number, (unsigned long long)u, batch.ues.size(),
			     (unsigned long long)(u < batch.ues.size() ? batch.ues[u].first : 0),
			     (unsigned long long)(u < batch.ues.size() ? batch.ues[u].end : 0),
			     u < batch.ues.size() ? batch.ues[u].error : 0, (unsigned long long)at, memory[at], want[at]);
	}
}

/* The completion has been written; its answer not given yet. */
void
side::take_completion(const burst &done)
{
	const unsigned queue = (unsigned)((done.address - BASE - RINGS) / 4096);
	const uint64_t entry = RINGS + queue * 4096 + 16 * (serial[queue] % (1u << ENTRIES_LOG2));
	uint8_t octets_[16];
	uint16_t got_cookie, head;
	uint32_t got_serial, took;
	unsigned bad = 0, first_bad = 0, error = 0;

	memcpy(octets_, &memory[entry], 16);
	memcpy(&got_cookie, octets_, 2);
	memcpy(&head, octets_ + 6, 2);
	memcpy(&took, octets_ + 8, 4);
	memcpy(&got_serial, octets_ + 12, 4);
	if (got_serial != ++serial[queue])
		fail("queue %u: serial %u, wanted %u", queue, got_serial, serial[queue]);
	for (batch &batch : batches) {
		if (!batch.busy || batch.cookie != got_cookie)
			continue;
		if (batch.queue != queue || batch.completed || batch.owed != 0)
			fail("batch %u: completion in queue %u, wanted %u; completed %d; %u bursts without an answer", batch.number, queue,
			     batch.queue, batch.completed, batch.owed);
		for (unsigned i = (unsigned)batch.ues.size(); i-- > 0;) {
			if (batch.ues[i].bad) {
				bad++;
				first_bad = i;
				error = batch.ues[i].error != 0 ? batch.ues[i].error : WRITE_PDU;
			}
		}
		if (batch.error != 0) {
			error = batch.error;
			bad = batch.wrong_count;
		}
		if (octets_[2] != error || octets_[3] != bad || (bad != 0 && octets_[4] != first_bad) || octets_[5] != 0)
			fail("batch %u: error %u, %u bad from %u, reserved %u; wanted error %u, %u from %u", batch.number, octets_[2],
			     octets_[3], octets_[4], octets_[5], error, bad, first_bad);
		if (head != (uint16_t)(0x1234 + queue) || took == 0)
			fail("head 0x%x, %u clocks", head, took);
		check_packets(batch);
		batch.completed = true;
		completions++;
		memcpy(&want[entry], octets_, 16);
		return;
	}
	fail("completion of cookie %u, which is not under way", got_cookie);
}

void
side::put_beat()
{
	burst &front = addresses.front();
	const beat &beat = data.front();
	const uint64_t at = front.address - BASE;

	if (beat.last != (front.beats == 1))
		fail("last is %d with %u beats left", beat.last, front.beats);
	if (beat.strobes == 0)
		fail("a beat without an octet");
	if (refused.count(front.address) != 0) {
		front.refused = true;
		for (batch &batch : batches) {
			for (ue &ue : batch.ues)
				if (batch.busy && ue.error == 0 && ue.first < at + 64 && ue.end > at)
					ue.bad = true;
		}
		/* What the memory did not take must not be looked for. */
		for (unsigned i = 0; i < 64; i++)
			if (beat.strobes >> i & 1)
				want[at + i] = memory[at + i];
	} else {
		for (unsigned i = 0; i < 64; i++)
			if (beat.strobes >> i & 1)
				memory[at + i] = beat.octets[i];
	}
	octets += (unsigned)__builtin_popcountll(beat.strobes);
	beats_written++;
	front.address += 64;
	data.pop_front();
	if (--front.beats != 0)
		return;
	front.due = clocks + options.latency + pick(options.latency + 1);
	if (!answers.empty())
		front.due = std::max(front.due, answers.back().due);
	front.address -= 64;
	if (front.address >= BASE + RINGS)
		take_completion(front);
	refused_bursts += front.refused;
	answers.push_back(front);
	addresses.pop_front();
}

void
side::take_bus()
{
	if (top->awvalid_o && top->awready_i) {
		burst burst = {};

		if (expect_silence)
			fail("an address behind stop and idle");
		burst.address = top->awaddr_o;
		burst.beats = top->awlen_o + 1u;
		if (burst.address % 64 != 0 || burst.address % 4096 + 64 * burst.beats > 4096 || burst.address < BASE ||
		    burst.address + 64 * burst.beats > BASE + MEMORY)
			fail("burst of %u beats at 0x%llx", burst.beats, (unsigned long long)burst.address);
		if (burst.address % 4096 == 0 && burst.address < BASE + RINGS)
			pages_crossed++;
		for (uint64_t at = burst.address - BASE; at < burst.address - BASE + 64 * burst.beats && at < RINGS; at += 64)
			for (uint64_t octet = at; octet < at + 64; octet += 63)
				burst.owners.insert((unsigned)(octet / (UES * STRIDE)));
		for (unsigned owner : burst.owners)
			if (owner < BATCHES && batches[owner].busy)
				batches[owner].owed++;
		addresses.push_back(burst);
		moved = clocks;
	}
	if (top->wvalid_o && top->wready_i) {
		beat beat;

		if (expect_silence)
			fail("data behind stop and idle");
		memcpy(beat.octets, top->wdata_o.data(), 64);
		beat.strobes = top->wstrb_o;
		beat.last = top->wlast_o;
		for (unsigned i = 0; i < 64; i++)
			if (!(beat.strobes >> i & 1) && beat.octets[i] != 0 && beat.strobes != UINT64_C(0xffff) << (i / 16 * 16) &&
			    __builtin_popcountll(beat.strobes) != 16)
				fail("an octet that is not written is not 0");
		early += addresses.empty();
		data.push_back(beat);
		moved = clocks;
	}
	octets_counted += top->bytes_o;
	if (top->bvalid_i && top->bready_o) {
		const burst &done = answers.front();

		for (unsigned owner : done.owners)
			if (owner < BATCHES && batches[owner].busy && batches[owner].owed != 0)
				batches[owner].owed--;
		if (top->error_o != (done.refused ? 1 : 0))
			fail("an answer %d is counted as %d", done.refused, top->error_o);
		answers.pop_front();
		answer_on = false;
		moved = clocks;
	} else if (top->error_o) {
		fail("an error without an answer");
	}
	while (!addresses.empty() && !data.empty())
		put_beat();
}

/* ---- Clock ---------------------------------------------------------------------------------------------------------------------- */

/* Offers what is first in `from`, and takes it away when it has been taken. */
template <typename Valid, typename Words>
static void
offer(std::deque<bits> &from, bool *on, Valid set_valid, Words &words, field place)
{
	if (!*on && !from.empty() && !gap()) {
		*on = true;
		put_struct(words, place, from.front());
	}
	set_valid(*on);
}

void
side::clock()
{
	uint32_t begin_words[2] = {};

	for (unsigned l = 0; l < LANES; l++) {
		offer(tickets[l], &ticket_on[l], [&](bool on) { top->ticket_valid_i = (uint8_t)((top->ticket_valid_i & ~(1 << l)) | on << l); },
		      top->ticket_i, { l * TICKET_BITS, TICKET_BITS });
		offer(results[l], &result_on[l], [&](bool on) { top->result_valid_i = (uint8_t)((top->result_valid_i & ~(1 << l)) | on << l); },
		      top->result_i, { l * RESULT_BITS, RESULT_BITS });
	}
	begin_words[0] = (uint32_t)top->begin_i;
	begin_words[1] = (uint32_t)(top->begin_i >> 32);
	offer(begins, &begin_on, [&](bool on) { top->begin_valid_i = on; }, begin_words, { 0, BEGIN_BITS });
	top->begin_i = begin_words[0] | (uint64_t)begin_words[1] << 32;
	top->queue_head_i = 0x1234 | 0x1235 << 16;
	top->awready_i = !gap();
	top->wready_i = !gap();
	if (!answer_on && !answers.empty() && answers.front().due <= clocks && !gap())
		answer_on = true;
	top->bvalid_i = answer_on;
	top->bresp_i = !answer_on ? (uint8_t)pick(4) : answers.front().refused ? (uint8_t)(1 + pick(3)) : 0;
	top->clk_i = 0;
	top->eval();

	take_bus();
	for (unsigned l = 0; l < LANES; l++) {
		if (ticket_on[l] && top->ticket_ready_o >> l & 1) {
			tickets[l].pop_front();
			ticket_on[l] = false;
			moved = clocks;
		}
		if (result_on[l] && top->result_ready_o >> l & 1) {
			results[l].pop_front();
			result_on[l] = false;
			moved = clocks;
		}
	}
	if (begin_on && top->begin_ready_o) {
		begins.pop_front();
		begin_on = false;
		moved = clocks;
	}
	if (top->free_valid_o) {
		batch &batch = batches[top->free_batch_o];

		if (!batch.busy || !batch.completed)
			fail("batch %u is free before its completion", batch.number);
		batch.busy = false;
	}
	top->clk_i = 1;
	top->eval();
	clocks++;
	if (clocks - moved > QUIET_CLOCKS && !expect_silence)
		fail("nothing has moved for %d clocks", QUIET_CLOCKS);
}

/* Until everything has been done. */
void
side::settle()
{
	for (;;) {
		bool busy = false;

		for (const batch &batch : batches)
			busy = busy || batch.busy;
		if (!busy && begins.empty())
			break;
		clock();
	}
	for (unsigned i = 0; i < 50; i++)
		clock();
	for (size_t i = 0; i < MEMORY; i++)
		if (memory[i] != want[i])
			fail("octet 0x%zx has been written", i);
	if (octets != octets_counted)
		fail("%llu octets written, %llu counted", (unsigned long long)octets, (unsigned long long)octets_counted);
	if (!top->idle_o || top->queue_active_o != 0 || top->queue_fault_o != 0)
		fail("idle %d, active %x, fault %x", top->idle_o, top->queue_active_o, top->queue_fault_o);
	for (unsigned q = 0; q < QUEUES; q++)
		if ((top->queue_completed_o >> (16 * q) & 0xffff) != (serial[q] & 0xffff))
			fail("queue %u: %u completed, wanted %u", q, top->queue_completed_o >> (16 * q) & 0xffff, serial[q]);
}

/* ---- Tests ---------------------------------------------------------------------------------------------------------------------- */

static const unsigned lengths[] = { 1, 2, 4, 11, 12, 15, 16, 17, 31, 32, 33, 47, 48, 49, 60, 63, 64, 65, 127, 128, 129, 160, 512, 1483, 1484, 1500, 1504 };
static const int leads[] = { -1, 0, 1, 2, 11, 12, 13, 16 };

static unsigned
longest(int lead_clear)
{
	return lead_clear < 0 ? 1504 : 1500 - (unsigned)lead_clear;
}

static void
test_places()
{
	side side;
	struct job {
		unsigned text_bytes;
		int lead, place;
	};
	std::vector<job> jobs;
	size_t done = 0;

	for (unsigned text_bytes : lengths)
		for (int lead : leads)
			for (int place = 0; place < 64; place++)
				if (text_bytes <= longest(lead))
					jobs.push_back({ text_bytes, lead, place });
	for (size_t i = jobs.size(); i-- > 1;)
		std::swap(jobs[i], jobs[pick((unsigned)i + 1)]);
	while (done < jobs.size()) {
		const unsigned count = (unsigned)std::min<size_t>(UES, jobs.size() - done);
		const int number = side.begin(pick(LANES), count, 0);

		if (number < 0) {
			side.clock();
			continue;
		}
		for (unsigned i = 0; i < count; i++, done++)
			side.add(side.batches[number], jobs[done].text_bytes, jobs[done].lead, jobs[done].place, 0);
	}
	side.settle();
	if (side.pages_crossed == 0)
		fail("no PDU crossed 4 KiB");
	printf("places: %zu PDUs (%zu lengths, %zu leads, 64 places), %llu bursts at a page's start, %llu beats before their address\n", jobs.size(),
	       sizeof(lengths) / sizeof(*lengths), sizeof(leads) / sizeof(*leads), (unsigned long long)side.pages_crossed,
	       (unsigned long long)side.early);
}

/* One more batch, if there is room. */
static bool
random_batch(side &side, bool refusals)
{
	const unsigned count = pick(3) == 0 ? UES : 1 + pick(UES);
	const bool sick = pick(3) == 0;

	if (!side.room())
		return false;
	if (pick(20) == 0) {
		side.begin(0, pick(128), 1 + pick(4));
		return true;
	}
	batch &batch = side.batches[side.begin(pick(LANES), count, 0)];
	for (unsigned i = 0; i < count; i++) {
		const int lead = pick(2) != 0 ? -1 : (int)pick(17);
		const unsigned text_bytes = pick(4) == 0 ? 1 + pick(longest(lead)) : 1 + pick(200);

		side.add(batch, text_bytes, lead, -1, sick && pick(8) == 0 ? 5 + pick(3) : 0);
		if (refusals && sick && pick(10) == 0)
			side.refused.insert((BASE + batch.ues[i].first + pick(text_bytes)) & ~UINT64_C(63));
	}
	return true;
}

static void
test_random()
{
	side side;

	for (unsigned done = 0; done < options.batches;) {
		if (random_batch(side, true))
			done++;
		else
			side.clock();
		/* A line may be asked for again by a batch that has its number next: then it is taken. */
		if (pick(5000) == 0) {
			side.settle();
			side.refused.clear();
		}
	}
	side.settle();
	if (side.refused_bursts == 0 || side.swallowed == 0)
		fail("nothing was refused or swallowed");
	printf("random: %u batches, %llu PDUs, %llu swallowed, %llu refused bursts, %llu completions\n", options.batches,
	       (unsigned long long)side.pdus, (unsigned long long)side.swallowed, (unsigned long long)side.refused_bursts,
	       (unsigned long long)side.completions);
}

template <typename Words>
static void
check_zero(const Words &words, unsigned depth, unsigned word_count, const char *what)
{
	for (unsigned i = 0; i < depth; i++)
		for (unsigned w = 0; w < word_count; w++)
			if (words[i][w] != 0)
				fail("%s: word %u is not 0 after a reset", what, i);
}

static void
test_stop()
{
	side side;
	unsigned stops = 0;

	for (unsigned done = 0; done < options.batches; stops++) {
		const unsigned clocks = 1 + pick(4000);

		for (unsigned i = 0; i < clocks; i++) {
			if (random_batch(side, false))
				done++;
			side.clock();
		}
		side.top->stop_i = 1;
		side.clock();
		while (!side.top->idle_o)
			side.clock();
		side.expect_silence = true;
		for (unsigned i = 0; i < 300; i++)
			side.clock();
		side.expect_silence = false;
		side.reset();
		const auto *const root = side.top->rootp;
		check_zero(root->write_side__DOT__g_lane__BRA__0__KET____DOT__u_pack__DOT__u_lines__DOT__words, 64, 16, "lines");
		check_zero(root->write_side__DOT__g_lane__BRA__2__KET____DOT__u_pack__DOT__u_lines__DOT__words, 64, 16, "lines");
		check_zero(root->write_side__DOT__g_lane__BRA__1__KET____DOT__u_pack__DOT__u_tickets__DOT__words, 512, 7, "tickets");
	}
	while (!random_batch(side, false))
		side.clock();
	side.settle();
	printf("stop: %u stops, %llu completions\n", stops, (unsigned long long)side.completions);
}

int
main(int argc, char **argv)
{
	const test_case test = read_command_line(argc, argv, { { "places", test_places }, { "random", test_random }, { "stop", test_stop } },
						 { { "--stall", "P", &options.stall },
						   { "--latency", "CLOCKS", &options.latency },
						   { "--batches", "N", &options.batches } });

	source = { test_seed };
	printf("write_test %s: seed 0x%llx, stall %g, latency %u\n", test.name, (unsigned long long)test_seed, options.stall, options.latency);
	test.run();
	return 0;
}
