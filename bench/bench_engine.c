/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What does an engine cost per UE? TSC cycles of one thread from picking up contexts to finished batches, over many distinct
 * UEs, so that contexts come from memory and packets from the second-level cache, as in the appliance. Headers, COUNT checks
 * and transmission are not in it. Several engines take turns, A B A B, over the same contexts and packets.
 *
 *	bench_engine [engine=ipsec-mb,..] [ues=1048576] [bytes=20,40,80,160,320,640,1280] [cipher=2] [integrity=2]
 *	             [sequence=nas|pdcp|cipher-only] [clear=1] [head=0] [batch=64,..] [passes=5] [milliseconds=0]
 *	             [packets=256] [eal=ARGUMENT].. [json=0]
 *
 * A pass is every UE once, or, with milliseconds, as many as that allows, going on where the turn before ended. One line per
 * engine and size: what a tenth and what half of all slices of up to 1,024 UEs stayed below (slices.h), and the same loop
 * without the engine. json=1: one object per turn and line, for run.py. eal= starts EAL, which engines on DPDK devices need,
 * with this argument (eal=default: with none). ipsec-mb-stored is a peer of this program's own (ipsec_mb_stored.h).
 */
#include "../dataplane/eal.h"
#include "../dataplane/engines.h"
#include "ipsec_mb_stored.h"
#include "keys.h"
#include "slices.h"

#include <jansson.h>
#include <string.h>
#include <x86intrin.h>

/* 29 cache lines: an odd number, so that packets spread over all cache sets, as DPDK's pools do. */
#define PACKET_STRIDE 1856
/* Text starts here in a packet: behind headroom, Ethernet, IPv4, UDP and GTP-U or S1AP. */
#define TEXT_OFFSET 208
#define PASSES_MAX 64
/* Time is taken per slice of so many UEs, or fewer where that many would take more than about 0.4 ms. */
#define SLICE_UES 1024
#define SLICE_CYCLES (1U << 20)
#define NUMBERS_MAX 32
#define ENGINES_MAX 16
#define BATCHES_MAX 64
#define EAL_ARGUMENTS_MAX 8

static_assert(TEXT_OFFSET + FAN_PDU_BYTES_MAX + FAN_MAC_BYTES <= PACKET_STRIDE, "a packet holds the longest PDU");

struct numbers {
	uint32_t value[NUMBERS_MAX];
	unsigned count;
};

struct options {
	char *engines;
	uint32_t ues, passes, packets, milliseconds;
	struct fan_shape shape;
	struct numbers bytes, batch;
	const char *eal[EAL_ARGUMENTS_MAX + 1];
	unsigned eal_count;
	bool eal_wanted;
	uint32_t json;
};

/* One engine, or with `engine` NULL the loop alone. */
struct contender {
	const char *name;
	const struct fan_engine_ops *ops;
	struct fan_engine *engine;
	uint32_t slice_ues;
	struct fan_slices slices; /* of all turns */
};

struct bench {
	struct fan_context *contexts;
	uint8_t *packets;
	uint32_t ue_count, next_ue, batch_ues;
	uint64_t turn_cycles; /* 0: a turn is all UEs */
	/* Batches are filled in turn, each with packets of its own; an engine may hold all of them at once. */
	struct fan_batch batch[BATCHES_MAX];
	bool in_flight[BATCHES_MAX];
	unsigned batch_count, next_batch;
	uint32_t in_order[FAN_BATCH_UES_MAX]; /* 0, 1, 2 .. */
};

static int
usage(const char *what)
{
	fprintf(stderr,
		"bench_engine: cannot use \"%s\"\n"
		"usage: bench_engine [engine=NAME,NAME..] [ues=N] [bytes=N,N..] [cipher=0..3] [integrity=0..3]\n"
		"                    [sequence=nas|pdcp|cipher-only] [clear=0..16] [head=0..3] [batch=1..64,..]\n"
		"                    [passes=1..64] [milliseconds=N] [packets=64..4096] [eal=ARGUMENT].. [json=0|1]\n",
		what);
	return EXIT_FAILURE;
}

/* Decimal, first..last. */
static bool
parse_number(uint32_t *out, const char *text, uint32_t first, uint32_t last)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	*out = (uint32_t)value;
	return end != text && *end == '\0' && value >= first && value <= last;
}

static bool
parse_octet(uint8_t *out, const char *text, uint32_t last)
{
	uint32_t value = 0;
	bool good = parse_number(&value, text, 0, last);

	*out = (uint8_t)value;
	return good;
}

/* "N,N..": each 1..last. */
static bool
parse_numbers(struct numbers *numbers, const char *text, uint32_t last)
{
	numbers->count = 0;
	while (numbers->count < NUMBERS_MAX) {
		char *end;
		unsigned long value = strtoul(text, &end, 10);

		if (end == text || value < 1 || value > last)
			return false;
		numbers->value[numbers->count++] = (uint32_t)value;
		if (*end == '\0')
			return true;
		if (*end != ',')
			return false;
		text = end + 1;
	}
	return false;
}

static bool
parse_sequence(uint8_t *sequence, const char *text)
{
	static const char *const names[] = { "nas", "pdcp", "cipher-only" };

	for (*sequence = FAN_CIPHER_THEN_MAC; *sequence <= FAN_CIPHER_ONLY; (*sequence)++) {
		if (strcmp(names[*sequence], text) == 0)
			return true;
	}
	return false;
}

static bool
parse_eal(struct options *options, const char *value)
{
	options->eal_wanted = true;
	if (strcmp(value, "default") == 0)
		return true;
	if (options->eal_count == EAL_ARGUMENTS_MAX)
		return false;
	options->eal[options->eal_count++] = value;
	return true;
}

static bool
parse_option(struct options *options, char *argument)
{
	char *value = strchr(argument, '=');
	size_t name_bytes = value == NULL ? 0 : (size_t)(value - argument);
#define IS(name) (name_bytes == sizeof(name) - 1 && memcmp(argument, name, name_bytes) == 0)

	if (value == NULL)
		return false;
	value++;
	if (IS("engine")) {
		options->engines = value;
		return true;
	}
	if (IS("ues"))
		return parse_number(&options->ues, value, FAN_BATCH_UES_MAX, 100000000);
	if (IS("passes"))
		return parse_number(&options->passes, value, 1, PASSES_MAX);
	if (IS("milliseconds"))
		return parse_number(&options->milliseconds, value, 0, 100000);
	if (IS("packets"))
		return parse_number(&options->packets, value, FAN_BATCH_UES_MAX, BATCHES_MAX * FAN_BATCH_UES_MAX);
	if (IS("json"))
		return parse_number(&options->json, value, 0, 1);
	if (IS("cipher"))
		return parse_octet(&options->shape.cipher, value, FAN_ALGORITHM_MAX);
	if (IS("integrity"))
		return parse_octet(&options->shape.integrity, value, FAN_ALGORITHM_MAX);
	if (IS("clear"))
		return parse_octet(&options->shape.clear_bytes, value, FAN_CLEAR_BYTES_MAX);
	if (IS("head"))
		return parse_octet(&options->shape.head_blocks, value, FAN_HEAD_BLOCKS_MAX);
	if (IS("sequence"))
		return parse_sequence(&options->shape.sequence, value);
	if (IS("batch"))
		return parse_numbers(&options->batch, value, FAN_BATCH_UES_MAX);
	if (IS("eal"))
		return parse_eal(options, value);
	return IS("bytes") && parse_numbers(&options->bytes, value, FAN_PDU_BYTES_MAX - FAN_CLEAR_BYTES_MAX);
#undef IS
}

static void
fill_contexts(struct fan_context *contexts, uint32_t ue_count)
{
	uint64_t state = 1;

	for (uint32_t i = 0; i < ue_count; i++) {
		fan_keys_next(contexts[i].k_enc, contexts[i].k_int, &state);
		contexts[i].bearer_direction = FAN_DIRECTION_DOWNLINK << 2;
		contexts[i].ue = i;
	}
}

/* What a worker does to a context before an engine sees it: fetch it ahead, spend a COUNT, write the SN. */
static void
build_batch(struct fan_batch *batch, const struct bench *bench, uint32_t first, uint32_t ue_count, bool fetches_ahead)
{
	batch->ue_count = (uint16_t)ue_count;
	batch->ahead = (struct fan_ahead){ bench->contexts + first + FAN_BATCH_UES_MAX, bench->in_order, ue_count };
	for (unsigned i = 0; i < ue_count; i++) {
		struct fan_context *context = &bench->contexts[first + i];

		if (!fetches_ahead)
			__builtin_prefetch(context + FAN_BATCH_UES_MAX, 1);
		batch->context[i] = context;
		batch->count[i] = context->count++;
		batch->text[i][-1] = (uint8_t)batch->count[i];
	}
}

/* Takes back what has finished. False when the engine failed. */
static bool
collect(struct bench *bench, struct fan_engine *engine)
{
	struct fan_batch *finished[8];
	const uint16_t n = engine->ops->poll_burst(engine, finished, 8);
	bool good = true;

	for (uint16_t i = 0; i < n; i++) {
		bench->in_flight[finished[i] - bench->batch] = false;
		good = good && finished[i]->status == FAN_BATCH_DONE;
	}
	return good;
}

static bool
drain(struct bench *bench, struct fan_engine *engine)
{
	bool good = true;

	for (unsigned i = 0; i < bench->batch_count; i++) {
		while (bench->in_flight[i])
			good = collect(bench, engine) && good;
	}
	return good;
}

/* One batch further; an engine that works inside submit_burst has it finished on return. False when the engine failed. */
static bool
protect_batch(struct bench *bench, const struct contender *contender, uint32_t ue_count)
{
	const unsigned at = bench->next_batch;
	struct fan_batch *batch = &bench->batch[at];
	bool good = true;

	while (bench->in_flight[at])
		good = collect(bench, contender->engine) && good;
	build_batch(batch, bench, bench->next_ue, ue_count, contender->engine != NULL && contender->engine->fetches_ahead);
	bench->next_batch = at + 1 == bench->batch_count ? 0 : at + 1;
	if (contender->engine == NULL)
		return true;
	bench->in_flight[at] = true;
	while (contender->ops->submit_burst(contender->engine, &batch, 1) == 0)
		good = collect(bench, contender->engine) && good;
	return collect(bench, contender->engine) && good;
}

/* Protects at least ue_count UEs and waits for the last. Out: *cycles per UE. Returns how many UEs, 0 when the engine failed. */
static uint32_t
run_slice(double *cycles, struct bench *bench, const struct contender *contender, uint32_t ue_count)
{
	const uint64_t start = __rdtsc();
	uint32_t done = 0;
	bool good = true;

	while (done < ue_count && good) {
		const uint32_t left = bench->ue_count - bench->next_ue;
		const uint32_t n = left < bench->batch_ues ? left : bench->batch_ues;

		good = protect_batch(bench, contender, n);
		bench->next_ue = left == n ? 0 : bench->next_ue + n;
		done += n;
	}
	if (contender->engine != NULL)
		good = drain(bench, contender->engine) && good;
	*cycles = (double)(__rdtsc() - start) / done;
	return good ? done : 0;
}

/* How many UEs make a slice: the second of two runs of one batch's worth tells, unless the first was long already. */
static bool
size_slices(struct contender *contender, struct bench *bench)
{
	double cycles, ues;

	if (run_slice(&cycles, bench, contender, FAN_BATCH_UES_MAX) == 0)
		return false;
	if (cycles * FAN_BATCH_UES_MAX < SLICE_CYCLES && run_slice(&cycles, bench, contender, FAN_BATCH_UES_MAX) == 0)
		return false;
	ues = SLICE_CYCLES / cycles;
	contender->slice_ues = ues > SLICE_UES ? SLICE_UES : ues < FAN_BATCH_UES_MAX ? FAN_BATCH_UES_MAX : (uint32_t)ues;
	return true;
}

/* One turn. Appends to the contender's slices. False when the engine failed. */
static bool
run_turn(struct contender *contender, struct bench *bench)
{
	const uint64_t begin = __rdtsc();
	uint32_t done = 0;

	while (bench->turn_cycles == 0 ? done < bench->ue_count : __rdtsc() - begin < bench->turn_cycles) {
		double cycles;
		const uint32_t n = run_slice(&cycles, bench, contender, contender->slice_ues);

		if (n == 0)
			return false;
		fan_slices_put(&contender->slices, cycles);
		done += n;
	}
	return true;
}

/* ---- What is printed --------------------------------------------------------------------------------------------------- */

static void
print_skipped(const struct options *options, const char *engine, const char *why)
{
	if (options->json) {
		json_t *row = json_pack("{s:s, s:s}", "engine", engine, "skipped", why);

		json_dumpf(row, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(row);
	} else {
		printf("%-16s skipped: %s\n", engine, why);
	}
	fflush(stdout);
}

static void
print_turn(const struct bench *bench, const struct contender *contender, struct fan_slices *turn, const struct fan_shape *shape,
	   unsigned round, double loop)
{
	json_t *row = json_pack("{s:s, s:i, s:i, s:i, s:i, s:f, s:f, s:f, s:i}", "engine", contender->name, "bytes",
				(int)shape->text_bytes, "ues", (int)bench->ue_count, "batch", (int)bench->batch_ues, "round",
				(int)round, "cycles_per_ue", fan_slices_quantile(turn, 0.1), "median",
				fan_slices_quantile(turn, 0.5), "loop", loop, "slices", (int)turn->count);

	json_dumpf(row, stdout, JSON_COMPACT | JSON_REAL_PRECISION(7));
	putchar('\n');
	fflush(stdout);
	json_decref(row);
}

static void
print_contender(struct contender *contender, const struct fan_shape *shape, uint32_t batch_ues, double loop)
{
	char mac[8] = "no MAC";

	if (shape->sequence != FAN_CIPHER_ONLY)
		snprintf(mac, sizeof(mac), "EIA%u", shape->integrity % 4U);
	printf("%-16s EEA%u %-6s %6u octets, batches of %2u: %7.1f  median %7.1f  loop alone %5.1f cycles/UE\n",
	       contender->name, shape->cipher, mac, shape->text_bytes, batch_ues, fan_slices_quantile(&contender->slices, 0.1),
	       fan_slices_quantile(&contender->slices, 0.5), loop);
	fflush(stdout);
}

/* ---- Sizes, rounds and engines ----------------------------------------------------------------------------------------- */

static double
measure_loop(struct bench *bench)
{
	struct contender alone = { .name = "loop", .slice_ues = SLICE_UES };
	double cycles;

	fan_slices_open(&alone.slices);
	run_turn(&alone, bench);
	cycles = fan_slices_quantile(&alone.slices, 0.1);
	fan_slices_close(&alone.slices);
	return cycles;
}

/* Closes a contender for good, so that it is left out from here on. */
static void
drop_out(struct contender *contender, const struct options *options, const char *why)
{
	print_skipped(options, contender->name, why);
	contender->ops->close(contender->engine);
	contender->engine = NULL;
}

static void
run_round(struct contender *contenders, unsigned contender_count, struct bench *bench, const struct options *options,
	  const struct fan_shape *shape, unsigned round, double loop)
{
	for (unsigned c = 0; c < contender_count; c++) {
		struct contender *contender = &contenders[c];
		const size_t before = contender->slices.count;
		struct fan_slices turn;

		if (contender->engine == NULL || !contender->ops->takes(contender->engine, shape))
			continue;
		if (!size_slices(contender, bench) || !run_turn(contender, bench)) {
			drop_out(contender, options, "the engine failed");
			continue;
		}
		if (!options->json)
			continue;
		turn.value = contender->slices.value + before;
		turn.count = contender->slices.count - before;
		print_turn(bench, contender, &turn, shape, round, loop);
		contender->slices.count = before;
	}
}

static void
run_size(struct contender *contenders, unsigned contender_count, struct bench *bench, const struct options *options,
	 const struct fan_shape *shape)
{
	const double loop = measure_loop(bench);

	for (unsigned i = 0; i < bench->batch_count; i++)
		bench->batch[i].shape = shape;
	for (unsigned c = 0; c < contender_count; c++) {
		contenders[c].slices.count = 0;
		if (contenders[c].engine != NULL && !contenders[c].ops->takes(contenders[c].engine, shape))
			print_skipped(options, contenders[c].name, "it does not take this shape");
	}
	for (unsigned round = 0; round < options->passes; round++)
		run_round(contenders, contender_count, bench, options, shape, round, loop);
	for (unsigned c = 0; c < contender_count && !options->json; c++) {
		if (contenders[c].slices.count > 0)
			print_contender(&contenders[c], shape, bench->batch_ues, loop);
	}
}

static int
find_engine(struct fan_engine_choice *choice, const char *name)
{
	*choice = (struct fan_engine_choice){ &fan_ipsec_mb_stored, name, NULL };
	return strcmp(name, fan_ipsec_mb_stored.name) == 0 ? 0 : fan_engine_find(choice, name);
}

/* Returns how many could be opened. */
static unsigned
open_contenders(struct contender *contenders, unsigned *contender_count, const struct options *options)
{
	unsigned opened = 0;

	*contender_count = 0;
	for (char *name = strtok(options->engines, ","); name != NULL && *contender_count < ENGINES_MAX;
	     name = strtok(NULL, ",")) {
		struct contender *contender = &contenders[*contender_count];

		struct fan_engine_choice choice;

		*contender = (struct contender){ .name = name };
		if (find_engine(&choice, name) != 0 || fan_engine_open(&contender->engine, &choice) != 0) {
			print_skipped(options, name, fan_error_detail());
			continue;
		}
		contender->ops = choice.ops;
		fan_slices_open(&contender->slices);
		(*contender_count)++;
		opened++;
	}
	return opened;
}

static void
prepare(struct bench *bench, const struct options *options)
{
	bench->ue_count = options->ues;
	bench->turn_cycles = (uint64_t)(fan_slices_tsc_hz() * options->milliseconds / 1000);
	bench->batch_count = options->packets / FAN_BATCH_UES_MAX;
	/* Room to fetch ahead of the last one. */
	bench->contexts = fan_slices_map(((size_t)options->ues + 2 * FAN_BATCH_UES_MAX) * sizeof(*bench->contexts));
	bench->packets = fan_slices_map((size_t)options->packets * PACKET_STRIDE);
	fill_contexts(bench->contexts, options->ues);
	for (unsigned i = 0; i < FAN_BATCH_UES_MAX; i++)
		bench->in_order[i] = i;
	for (unsigned b = 0; b < bench->batch_count; b++) {
		for (unsigned i = 0; i < FAN_BATCH_UES_MAX; i++)
			bench->batch[b].text[i] = bench->packets + (size_t)(b * FAN_BATCH_UES_MAX + i) * PACKET_STRIDE +
						  TEXT_OFFSET;
	}
}

int
main(int argc, char **argv)
{
	static char all[] = "ipsec-mb";
	struct options options = {
		.engines = all,
		.ues = 1 << 20,
		.passes = 5,
		.packets = 256,
		.shape = { .cipher = 2, .integrity = 2, .sequence = FAN_CIPHER_THEN_MAC, .clear_bytes = 1 },
		.bytes = { { 20, 40, 80, 160, 320, 640, 1280 }, 7 },
		.batch = { { FAN_BATCH_UES_MAX }, 1 },
	};
	static uint8_t message[FAN_PDU_BYTES_MAX + FAN_MESSAGE_SLACK_BYTES];
	static struct bench bench;
	struct contender contenders[ENGINES_MAX];
	unsigned contender_count;

	for (int i = 1; i < argc; i++) {
		if (!parse_option(&options, argv[i]))
			return usage(argv[i]);
	}
	if (options.eal_wanted && fan_eal_start("bench_engine", 0, options.eal) != 0) {
		fprintf(stderr, "bench_engine: %s\n", fan_error_detail());
		return EXIT_FAILURE;
	}
	if (open_contenders(contenders, &contender_count, &options) == 0)
		return EXIT_FAILURE;
	prepare(&bench, &options);
	for (unsigned c = 0; c < contender_count; c++) {
		if (contenders[c].ops == &fan_ipsec_mb_stored)
			fan_ipsec_mb_stored_expand(contenders[c].engine, bench.contexts, bench.ue_count);
	}
	options.shape.message = message;
	for (unsigned i = 0; i < options.bytes.count; i++) {
		struct fan_shape shape = options.shape;

		shape.text_bytes = (uint16_t)options.bytes.value[i];
		for (unsigned b = 0; b < options.batch.count; b++) {
			bench.batch_ues = options.batch.value[b];
			run_size(contenders, contender_count, &bench, &options, &shape);
		}
	}
	for (unsigned c = 0; c < contender_count; c++) {
		if (contenders[c].engine != NULL)
			contenders[c].ops->close(contenders[c].engine);
		fan_slices_close(&contenders[c].slices);
	}
	return EXIT_SUCCESS;
}
