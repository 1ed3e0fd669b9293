/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tests of one lane:
 *
 *	vectors   the published vectors of 128-EEAn and 128-EIAn, and of PDCP under them
 *	random    random messages and UEs, all orders, lengths and heads, against the reference engine
 *	reset     resets at random clocks: what follows is right, and memories are wiped
 *	rate      clocks per UE at all sizes, checked against the bound
 *
 * Built with LANE_NETLIST the model is what yosys made of the lane, in which `reset` finds no memories.
 *
 * Usage: lane_test TEST [--seed N] [--stall P] [--ues N] [--max-cycles N]
 */
#include "lane_bench.h"
#include "published_vectors.h"

#if LANE_ALGORITHM == 2 && !defined(LANE_NETLIST)
#include "Vfan_lane___024root.h"
#else
#include "verilated_syms.h"
#endif

extern "C" {
#include "../../dataplane/engine/reference/reference.h"
}

#include <algorithm>
#include <chrono>
#include <cstring>

#define QUIET_CYCLES_MAX 200000 /* without a PDU while there is work: the longest UE takes 24 * 97, and stalls 10 times that */

static struct : bench_options {
	uint64_t ues = 100000;
} options;

/* ---- A lane and what is expected of it ------------------------------------------------------------------------------------ */

struct expected_pdu {
	bench_pdu pdu;
	struct fan_shape shape;
};

class checked_lane
{
      public:
	lane_bench bench;
	std::deque<expected_pdu> expected;
	uint64_t pdus = 0, last_pdu_cycle = 0;

	checked_lane() : bench(options)
	{
		bench.on_pdu = [this](const bench_pdu &pdu) { check(pdu); };
	}

	void
	forget()
	{
		expected.clear();
		last_pdu_cycle = bench.cycle;
	}

	void
	step()
	{
		bench.step();
		if (!expected.empty() && bench.cycle - last_pdu_cycle > QUIET_CYCLES_MAX)
			fail("watchdog: no PDU for %d clocks, %zu are owed", QUIET_CYCLES_MAX, expected.size());
	}

	void
	drain()
	{
		while (!expected.empty())
			step();
		for (int i = 0; i < 200; i++)
			bench.step();
	}

      private:
	void
	check(const bench_pdu &pdu)
	{
		if (expected.empty())
			fail("cycle %lu: a PDU that nobody asked for, tag %u", bench.cycle, pdu.tag);
		const expected_pdu &want = expected.front();
		const struct fan_shape &shape = want.shape;

		if (pdu.tag != want.pdu.tag || pdu.mac != want.pdu.mac || pdu.octets != want.pdu.octets) {
			size_t at = 0;

			while (at < pdu.octets.size() && at < want.pdu.octets.size() && pdu.octets[at] == want.pdu.octets[at])
				at++;
			fail("cycle %lu, PDU %lu, sequence %u cipher %u integrity %u text %u clear %u head %u: tag %u want %u, "
				   "MAC %08x want %08x, %zu octets want %zu, first that differs %zu",
				   bench.cycle, pdus, shape.sequence, shape.cipher, shape.integrity, shape.text_bytes,
				   shape.clear_bytes, shape.head_blocks, pdu.tag, want.pdu.tag, pdu.mac, want.pdu.mac,
				   pdu.octets.size(), want.pdu.octets.size(), at);
		}
		expected.pop_front();
		pdus++;
		last_pdu_cycle = bench.cycle;
	}
};

/* ---- Random work, judged by the reference engine --------------------------------------------------------------------------- */

class random_work
{
      public:
	random_work() : random{ test_seed } { fan_engine_reference.open(&engine, NULL); }
	~random_work() { fan_engine_reference.close(engine); }

	/* Half of the lengths at edges, most of them short, all possible. */
	struct fan_shape
	shape()
	{
		static const unsigned bytes_max[] = { 40, 70, 300, FAN_PDU_BYTES_MAX };
		struct fan_shape shape = fan_test_random_shape(&random, pick(2) ? LANE_ALGORITHM : 0,
							       pick(4) ? LANE_ALGORITHM : 0, (uint8_t)pick(3));

		if (pick(4) != 0)
			shape.cipher = LANE_ALGORITHM;
		shape.text_bytes = fan_test_random_text_bytes(
			&random, std::min(bytes_max[pick(4)], (unsigned)FAN_PDU_BYTES_MAX - shape.clear_bytes));
		return shape;
	}

	/* Queues one message with its UEs, and what must come of it. */
	void
	queue(checked_lane &lane, struct fan_shape shape, unsigned ue_count)
	{
		uint8_t message[FAN_PDU_BYTES_MAX + FAN_MESSAGE_SLACK_BYTES];

		fan_test_random_fill(&random, message, sizeof(message));
		shape.message = message;
		lane.bench.queue_message(shape, message);
		for (unsigned i = 0; i < ue_count; i++)
			queue_ue(lane, shape, i + 1 == ue_count);
	}

	uint32_t pick(uint32_t limit) { return fan_test_random_below(&random, limit); }

	struct fan_test_random random;

      private:
	struct fan_engine *engine;

	void
	queue_ue(checked_lane &lane, const struct fan_shape &shape, bool last)
	{
		uint8_t packet[64 + FAN_PDU_BYTES_MAX + 64], *const text = packet + 64;
		struct fan_context context = {};
		struct fan_batch batch = {}, *batches[1] = { &batch }, *done;
		expected_pdu want;
		bench_ue ue;

		fan_test_random_fill(&random, (uint8_t *)&ue, sizeof(ue));
		ue.count = fan_test_random_count(&random);
		ue.bearer_direction &= 0xfc;
		memcpy(context.k_enc, ue.k_enc, 16);
		memcpy(context.k_int, ue.k_int, 16);
		context.bearer_direction = ue.bearer_direction;
		memcpy(text, ue.head, sizeof(ue.head));
		memcpy(text - shape.clear_bytes, ue.clear, shape.clear_bytes);
		want.pdu.mac = mac_of(shape, context, ue, text);
		batch.shape = &shape;
		batch.context[0] = &context;
		batch.count[0] = ue.count;
		batch.text[0] = text;
		batch.ue_count = 1;
		if (fan_engine_reference.submit_burst(engine, batches, 1) != 1 ||
		    fan_engine_reference.poll_burst(engine, &done, 1) != 1 || batch.status != FAN_BATCH_DONE)
			fail("the reference engine did not do its work");
		want.pdu.tag = ue.tag;
		want.pdu.octets.assign(text, text + shape.text_bytes + (shape.sequence == FAN_MAC_THEN_CIPHER ? 4 : 0));
		if (shape.sequence == FAN_CIPHER_THEN_MAC) {
			const uint8_t *const mac = text - shape.clear_bytes - 4;

			want.pdu.mac = (uint32_t)mac[0] << 24 | (uint32_t)mac[1] << 16 | (uint32_t)mac[2] << 8 | mac[3];
		}
		want.shape = shape;
		lane.expected.push_back(want);
		lane.bench.queue_item(ue, last);
	}

	/* The MAC before it is ciphered, which the PDU does not show. */
	uint32_t
	mac_of(const struct fan_shape &shape, const struct fan_context &context, const bench_ue &ue, const uint8_t *text)
	{
		uint8_t covered[FAN_PDU_BYTES_MAX + 64];
		const unsigned head_bytes = std::min(16u * shape.head_blocks, (unsigned)shape.text_bytes);

		if (shape.sequence != FAN_MAC_THEN_CIPHER)
			return 0;
		memcpy(covered, text - shape.clear_bytes, shape.clear_bytes + head_bytes);
		memcpy(covered + shape.clear_bytes + head_bytes, shape.message + head_bytes, shape.text_bytes - head_bytes);
		return fan_reference_mac(shape.integrity, context.k_int, ue.count, ue.bearer_direction >> 3,
					 ue.bearer_direction >> 2 & 1, covered, 8u * (shape.clear_bytes + shape.text_bytes));
	}
};

static unsigned
random_ue_count(random_work &work)
{
	return work.pick(4) == 0 ? 1 + work.pick(FAN_BATCH_UES_MAX) : 1 + work.pick(8);
}

static void
run_random()
{
	checked_lane lane;
	random_work work;
	uint64_t queued = 0;
	unsigned orders[3][2][2] = {};
	const auto started = std::chrono::steady_clock::now();
	double lane_seconds = 0;

	lane.bench.reset(2);
	lane.bench.wait_ready();
	while (queued < options.ues || !lane.expected.empty()) {
		while (queued < options.ues && lane.expected.size() < 2000) {
			const struct fan_shape shape = work.shape();
			const unsigned ue_count = random_ue_count(work);

			work.queue(lane, shape, ue_count);
			orders[shape.sequence][shape.cipher != 0][shape.integrity != 0] += ue_count;
			queued += ue_count;
		}
		const auto from = std::chrono::steady_clock::now();

		for (int i = 0; i < 4096 && !lane.expected.empty(); i++)
			lane.step();
		lane_seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
	}
	lane.drain();
	for (int sequence = 0; sequence < 3; sequence++)
		for (int cipher = 0; cipher < 2; cipher++)
			for (int integrity = 0; integrity < 2; integrity++)
				if (options.ues >= 10000 && orders[sequence][cipher][integrity] == 0)
					fail("order %d %d %d never came up", sequence, cipher, integrity);
	printf("random: %lu UEs equal to the reference engine, stall %.2f, %lu cycles; simulation %.2f Mcycle/s, %.1f k UE/s "
	       "(%.1f s with the reference)\n",
	       lane.pdus, options.stall, lane.bench.cycle, lane.bench.cycle / lane_seconds / 1e6, lane.pdus / lane_seconds / 1e3,
	       std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
}

/* ---- Reset ------------------------------------------------------------------------------------------------------------------- */

#define SLOTS 24
#define SLOTS_MAX 32 /* words of a slot memory, of which the first SLOTS are in use */

template <typename Words>
static void
expect_zero(const Words &words, const char *name, unsigned used = 1, unsigned of = 1)
{
	const uint8_t *const octets = (const uint8_t *)&words;

	for (size_t i = 0; i < sizeof(words) / of * used; i++)
		if (octets[i] != 0)
			fail("%s is not wiped by reset: octet %zu is %02x", name, i, octets[i]);
}

#if LANE_ALGORITHM == 2 && !defined(LANE_NETLIST)
static void
expect_wiped(lane_model &model)
{
	const Vfan_lane___024root *const root = model.rootp;

	expect_zero(root->fan_lane__DOT__u_keys__DOT__words, "key memory", SLOTS, SLOTS_MAX);
	expect_zero(root->fan_lane__DOT__u_heads__DOT__words, "memory of private heads", SLOTS, SLOTS_MAX);
	expect_zero(root->fan_lane__DOT__u_identities__DOT__words, "memory of COUNT and clear prefix", SLOTS, SLOTS_MAX);
	expect_zero(root->fan_lane__DOT__u_ledger__DOT__words, "ledger", SLOTS, SLOTS_MAX);
	expect_zero(root->fan_lane__DOT__u_messages__DOT__u_octets__DOT__words, "message memory");
	expect_zero(root->fan_lane__DOT__u_results__DOT__u_ring__DOT__words, "result ring");
	expect_zero(root->fan_lane__DOT__u_results__DOT__u_records__DOT__words, "records");
	expect_zero(root->fan_lane__DOT__u_mac_block__DOT__u_kept__DOT__words, "memory of rotated text", SLOTS, SLOTS_MAX);
}

#else
/* All memories of the model, which are called `words` wherever they are. */
static void
expect_wiped(lane_model &model)
{
	size_t memories = 0;

	for (const auto &scope : *model.contextp()->scopeNameMap()) {
		const VerilatedVar *const words = scope.second->varFind("words");

		if (words == nullptr)
			continue;
		for (size_t i = 0; i < words->totalSize(); i++)
			if (((const uint8_t *)words->datap())[i] != 0)
				fail("%s is not wiped by reset: octet %zu is %02x", scope.first, i,
					   ((const uint8_t *)words->datap())[i]);
		memories++;
	}
	if (memories < 10)
		fail("only %zu memories found", memories);
}
#endif

static void
run_reset()
{
	checked_lane lane;
	random_work work;
	const unsigned resets = (unsigned)std::max<uint64_t>(options.ues / 1000, 10);
	uint64_t scrub = 0;

	lane.bench.reset(2);
	for (unsigned i = 0; i < resets; i++) {
		scrub = std::max(scrub, lane.bench.wait_ready());
		expect_wiped(*lane.bench.lane);
		for (unsigned until = work.pick(i % 2 == 0 ? 300 : 6000); until > 0; until--) {
			if (lane.expected.size() < 200)
				work.queue(lane, work.shape(), random_ue_count(work));
			lane.step();
		}
		lane.bench.reset(1 + work.pick(30));
		lane.forget();
	}
	lane.bench.wait_ready();
	for (int i = 0; i < 20; i++)
		work.queue(lane, work.shape(), random_ue_count(work));
	lane.drain();
	printf("reset: %u resets at random clocks, %lu UEs right between them, memories wiped within %lu clocks\n", resets, lane.pdus,
	       scrub);
}

/* ---- Published vectors -------------------------------------------------------------------------------------------------------- */

static bool
lane_serves(unsigned cipher, unsigned integrity)
{
	return (cipher == 0 || cipher == LANE_ALGORITHM) && (integrity == 0 || integrity == LANE_ALGORITHM) && cipher + integrity != 0;
}

static void
run_vector(lane_bench &bench, const published_vector &vector)
{
	const std::vector<uint8_t> &wanted = vector.wanted;
	bench_ue ue = {};
	bool came = false;

	memcpy(ue.k_enc, vector.k_enc, sizeof(ue.k_enc));
	memcpy(ue.k_int, vector.k_int, sizeof(ue.k_int));
	memcpy(ue.clear, vector.clear, sizeof(ue.clear));
	memcpy(ue.head, vector.head, sizeof(ue.head));
	ue.count = vector.count;
	ue.bearer_direction = vector.bearer_direction;
	bench.on_pdu = [&](const bench_pdu &pdu) {
		const uint8_t mac[4] = { (uint8_t)(pdu.mac >> 24), (uint8_t)(pdu.mac >> 16), (uint8_t)(pdu.mac >> 8), (uint8_t)pdu.mac };
		const bool mac_alone = vector.wanted_at < 0;
		const uint8_t *const got = mac_alone ? mac : pdu.octets.data();
		const size_t last = wanted.size() - 1;

		if ((mac_alone ? sizeof(mac) : pdu.octets.size()) != wanted.size() || memcmp(got, wanted.data(), last) != 0 ||
		    ((got[last] ^ wanted[last]) & vector.last_mask) != 0)
			fail("vector %s, clear prefix of %u, head of %u blocks", vector.id, vector.shape.clear_bytes, vector.shape.head_blocks);
		came = true;
	};
	bench.queue_message(vector.shape, vector.message);
	bench.queue_item(ue, true);
	while (!came)
		bench.step();
}

static void
run_vectors()
{
	/* As many as the files have that are whole octets and fit. */
	static const unsigned expected[4][3] = { { 0, 0, 0 }, { 15, 6, 32 }, { 10, 7, 32 }, { 9, 5, 32 } };
	lane_bench bench(options);
	const auto run = [&](const published_vector &vector) { run_vector(bench, vector); };

	bench.reset(2);
	bench.wait_ready();
	const unsigned algorithm = LANE_ALGORITHM, ciphers = each_cipher_vector(algorithm, run).used;
	const vector_counts macs = each_mac_vector(algorithm, run);
	const unsigned pdcp = each_pdcp_vector(lane_serves, run);

	if (ciphers != expected[algorithm][0] || macs.used != expected[algorithm][1] || pdcp != expected[algorithm][2])
		fail("only %u vectors of EEA%u.json, %u of EIA%u.json, %u of PDCP", ciphers, algorithm, macs.used, algorithm, pdcp);
	printf("vectors: %u of EEA%u.json, %u of EIA%u.json each with clear prefixes 0..16, %u PDUs of PDCP with heads of "
	       "0..3 blocks (%u of EIA%u.json left out: not whole octets, or longer than a PDU)\n", ciphers, algorithm, macs.used, algorithm,
	       pdcp, macs.left_out, algorithm);
}

/* ---- Clocks per UE ------------------------------------------------------------------------------------------------------------ */

/* UEs that begin together, and the clocks that one of them takes of the lane in a message of so many. */
#if LANE_ALGORITHM == 2
#define GROUP_UES 1

static double
bound_of(const struct fan_shape &shape, unsigned)
{
	const unsigned trailer = shape.sequence == FAN_MAC_THEN_CIPHER ? 4 : 0;
	const unsigned ctr = (shape.text_bytes + trailer + 15) / 16, cmac = (8u + shape.clear_bytes + shape.text_bytes + 15) / 16;

	return shape.sequence == FAN_CIPHER_ONLY ? ctr : std::max(ctr, cmac + 1);
}
#else
#define GROUP_UES LANE_CELLS
#define BEGIN_CLOCKS 37

static double
bound_of(const struct fan_shape &shape, unsigned ues)
{
	const bool mac = shape.sequence != FAN_CIPHER_ONLY;
	const unsigned out_bytes = shape.text_bytes + (shape.sequence == FAN_MAC_THEN_CIPHER ? 4u : 0u);
	const unsigned cipher_words = (out_bytes + 3) / 4 + (mac ? shape.clear_bytes / 4u : 0u);
	const unsigned mac_words = LANE_ALGORITHM == 1 ? 5u : (shape.clear_bytes + shape.text_bytes + 3u) / 4 + 2;
	const unsigned group = BEGIN_CLOCKS + std::max(cipher_words, mac ? mac_words : 0u), beats = (out_bytes + 15) / 16;
	unsigned clocks = 0;

	for (unsigned i = 0; i < ues; i += GROUP_UES)
		clocks += std::max(group, beats * std::min(ues - i, (unsigned)GROUP_UES));
	return (double)clocks / ues;
}
#endif

/* Messages of `ues` UEs each, back to back, shapes taken in turn. Clocks per UE between one full round and a later one, over the
 * bound's own; 1.0 is the bound. Octets are not compared: that is the random test's. */
static double
measure(const std::vector<struct fan_shape> &shapes, unsigned ues, double *clocks_per_ue)
{
	lane_bench bench(options);
	const uint8_t message[FAN_PDU_BYTES_MAX + 64] = {};
	std::vector<uint64_t> taken;
	std::vector<double> cost;
#if LANE_ALGORITHM == 2
	const size_t from = 24 * 4, until = from + 24 * 16 / (ues * shapes.size() > 192 ? 1 : 2);
	const size_t measured = shapes.size() == 1 ? until : from + 24 * 64;
#else
	/* Whole rounds of messages, behind the first ones. */
	const size_t round = ues * shapes.size(), from = round * (1 + 64 / round), measured = from + round * (1 + 384 / round);
#endif
	const bench_ue ue = {};

	bench.reset(2);
	bench.wait_ready();
	bench.on_item = [&](uint64_t cycle) { taken.push_back(cycle); };
	for (size_t m = 0; cost.size() < measured + 24; m++) {
		const struct fan_shape &shape = shapes[m % shapes.size()];

		bench.queue_message(shape, message);
		for (unsigned i = 0; i < ues; i++) {
			bench.queue_item(ue, i + 1 == ues);
			cost.push_back(bound_of(shape, ues));
		}
	}
	while (taken.size() <= measured)
		bench.step();
	double bound = 0;

	for (size_t i = from; i < measured; i++)
		bound += cost[i];
	*clocks_per_ue = (double)(taken[measured] - taken[from]) / (double)(measured - from);
	return (double)(taken[measured] - taken[from]) / bound;
}

static void
check_rate(const char *what, double ratio)
{
	if (ratio > 1.05)
		fail("%s: %.3f times the bound", what, ratio);
}

static void
run_rate()
{
	static const unsigned sizes[] = { 16, 32, 64, 100, 128, 160, 256, 512, 1024, 1484, 1500 };
	static const struct {
		const char *name;
		uint8_t cipher, integrity, sequence, clear_bytes;
	} orders[] = {
		{ "cipher, MAC (NAS)", LANE_ALGORITHM, LANE_ALGORITHM, FAN_CIPHER_THEN_MAC, 1 },
		{ "MAC, cipher (NR PDCP)", LANE_ALGORITHM, LANE_ALGORITHM, FAN_MAC_THEN_CIPHER, 3 },
		{ "cipher only", LANE_ALGORITHM, 0, FAN_CIPHER_ONLY, 2 },
		{ "MAC only", 0, LANE_ALGORITHM, FAN_CIPHER_THEN_MAC, 1 },
	};
	/* Groups that are full; the mixes below have others. */
	const unsigned single_ues = 64 / GROUP_UES * GROUP_UES;
	double clocks;
	unsigned shapes = 0;

	printf("rate: clocks per UE (and over the bound), PDU octets, messages of %u UEs back to back\n%-24s", single_ues, "");
	for (const unsigned size : sizes)
		printf("%13u", size);
	for (const auto &order : orders) {
		printf("\n%-24s", order.name);
		for (const unsigned size : sizes) {
			struct fan_shape shape = { order.cipher, order.integrity, order.sequence, order.clear_bytes, 0,
						   (uint16_t)std::min(size, FAN_PDU_BYTES_MAX - (unsigned)order.clear_bytes), nullptr };
			const double ratio = measure({ shape }, single_ues, &clocks);

			printf("%6.2f (%.3f)", clocks, ratio);
			fflush(stdout);
			check_rate(order.name, ratio);
		}
	}
	printf("\n");
	for (unsigned text_bytes = 16; text_bytes <= 1500 - 16; text_bytes += 1 + text_bytes / 24) {
		struct fan_shape shape = { LANE_ALGORITHM, LANE_ALGORITHM, (uint8_t)(shapes % 2), (uint8_t)(shapes * 5 % 17), (uint8_t)(shapes % 4),
					   (uint16_t)text_bytes, nullptr };

		check_rate("size", measure({ shape }, single_ues, &clocks));
		shapes++;
	}
	printf("rate: %u sizes from 16 to 1,484 octets, all clear prefixes and heads, within 5 %% of the bound\n", shapes);
	const struct fan_shape small = { LANE_ALGORITHM, LANE_ALGORITHM, FAN_CIPHER_THEN_MAC, 1, 1, 16, nullptr };
	const struct fan_shape middle = { LANE_ALGORITHM, LANE_ALGORITHM, FAN_MAC_THEN_CIPHER, 3, 0, 160, nullptr };
	const struct fan_shape large = { LANE_ALGORITHM, LANE_ALGORITHM, FAN_CIPHER_THEN_MAC, 1, 0, 1499, nullptr };
	const struct {
		const char *name;
		std::vector<struct fan_shape> shapes;
		unsigned ues;
	} mixes[] = {
		{ "160 octets, 64 UEs a message", { middle }, 64 },
		{ "160 octets, 12 UEs a message", { middle }, 12 },
		{ "16 and 160 octets in turn, 64 UEs", { small, middle }, 64 },
		{ "160 and 1,500 octets in turn, 64 UEs", { middle, large }, 64 },
		{ "16 and 1,500 octets in turn, 64 UEs", { small, large }, 64 },
		{ "1,500, 160 and 16 octets in turn, 16 UEs", { large, middle, small }, 16 },
	};
	for (const auto &mix : mixes) {
		const double ratio = measure(mix.shapes, mix.ues, &clocks);

		printf("rate: %-42s %7.2f clocks per UE, %.3f times the bound\n", mix.name, clocks, ratio);
		check_rate(mix.name, ratio);
	}
}

int
main(int argc, char **argv)
{
	const test_case test = read_command_line(
		argc, argv, { { "vectors", run_vectors }, { "random", run_random }, { "reset", run_reset }, { "rate", run_rate } },
		{ { "--stall", "0..0.99", &options.stall }, { "--ues", "N", &options.ues }, { "--max-cycles", "N", &options.max_cycles } });

	printf("seed 0x%lx\n", test_seed);
	test.run();
	return 0;
}
