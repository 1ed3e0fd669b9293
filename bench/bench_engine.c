/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What does an engine cost per UE? TSC cycles of one thread from picking up contexts to finished batches, over many distinct
 * UEs, so that contexts come from memory and packets from the second-level cache, as in the appliance. Headers, COUNT checks
 * and transmission are not in it.
 *
 *	bench_engine [engine=ipsec-mb] [ues=1048576] [bytes=20,40,80,160,320,640,1280] [cipher=2] [integrity=2]
 *	             [sequence=nas|pdcp|cipher-only] [clear=1] [head=0] [passes=5] [packets=256]
 *
 * One line per size: what a tenth and what half of all slices of 4,096 UEs stayed below, and the same loop without the engine.
 * On a quiet machine the first two are equal; on a busy one the first is nearer the truth.
 */
#include "../dataplane/engine.h"

#include <string.h>
#include <sys/mman.h>
#include <x86intrin.h>

/* 29 cache lines: an odd number, so that packets spread over all cache sets, as DPDK's pools do. */
#define PACKET_STRIDE 1856
/* Text starts here in a packet: behind headroom, Ethernet, IPv4, UDP and GTP-U or S1AP. */
#define TEXT_OFFSET 208
#define PASSES_MAX 64
/* Time is taken per slice of this many UEs, so that a slice in which another process had the core can be told from the rest. */
#define SLICE_UES 4096
#define SIZES_MAX 32

static_assert(SLICE_UES % FAN_BATCH_UES_MAX == 0, "a slice is whole batches");
static_assert(TEXT_OFFSET + FAN_PDU_BYTES_MAX + FAN_MAC_BYTES <= PACKET_STRIDE, "a packet holds the longest PDU");

struct options {
	const char *engine;
	uint32_t ues;
	uint32_t passes;
	uint32_t packets;
	struct fan_shape shape;
	uint16_t bytes[SIZES_MAX];
	unsigned size_count;
};

struct bench {
	struct fan_engine *engine; /* NULL: the loop alone */
	struct fan_context *contexts;
	uint8_t *packets;
	uint32_t ue_count, packet_count;
};

static int
usage(const char *what)
{
	fprintf(stderr,
		"bench_engine: cannot use \"%s\"\n"
		"usage: bench_engine [engine=NAME] [ues=N] [bytes=N,N..] [cipher=0..3] [integrity=0..3]\n"
		"                    [sequence=nas|pdcp|cipher-only] [clear=0..16] [head=0..3] [passes=1..64] [packets=N]\n",
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

static bool
parse_sizes(struct options *options, const char *text)
{
	options->size_count = 0;
	while (options->size_count < SIZES_MAX) {
		char *end;
		unsigned long value = strtoul(text, &end, 10);

		if (end == text || value < 1 || value > FAN_PDU_BYTES_MAX - FAN_CLEAR_BYTES_MAX)
			return false;
		options->bytes[options->size_count++] = (uint16_t)value;
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
parse_option(struct options *options, const char *argument)
{
	const char *value = strchr(argument, '=');
	size_t name_bytes = value == NULL ? 0 : (size_t)(value - argument);
#define IS(name) (name_bytes == sizeof(name) - 1 && memcmp(argument, name, name_bytes) == 0)

	if (value == NULL)
		return false;
	value++;
	if (IS("engine")) {
		options->engine = value;
		return true;
	}
	if (IS("ues"))
		return parse_number(&options->ues, value, FAN_BATCH_UES_MAX, 100000000);
	if (IS("passes"))
		return parse_number(&options->passes, value, 1, PASSES_MAX);
	if (IS("packets"))
		return parse_number(&options->packets, value, FAN_BATCH_UES_MAX, 1000000);
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
	return IS("bytes") && parse_sizes(options, value);
#undef IS
}

static void *
map(size_t byte_count)
{
	void *memory = mmap(NULL, byte_count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		fprintf(stderr, "bench_engine: no %zu octets of memory\n", byte_count);
		exit(EXIT_FAILURE);
	}
	madvise(memory, byte_count, MADV_HUGEPAGE);
	return memory;
}

/* Distinct keys; what they are does not matter to any engine's time. */
static void
fill_contexts(struct fan_context *contexts, uint32_t ue_count)
{
	uint64_t state = 1;

	for (uint32_t i = 0; i < ue_count; i++) {
		uint64_t words[4];

		for (unsigned w = 0; w < 4; w++) {
			state = state * 6364136223846793005U + 1442695040888963407U;
			words[w] = state ^ state >> 29;
		}
		memcpy(contexts[i].k_enc, words, FAN_KEY_BYTES);
		memcpy(contexts[i].k_int, words + 2, FAN_KEY_BYTES);
		contexts[i].bearer_direction = FAN_DIRECTION_DOWNLINK << 2;
		contexts[i].ue = i;
	}
}

/* What a worker does to a context before an engine sees it: fetch it ahead, spend a COUNT, write the SN. */
static void
build_batch(struct fan_batch *batch, const struct bench *bench, uint32_t first)
{
	uint32_t left = bench->ue_count - first;

	batch->ue_count = (uint16_t)(left < FAN_BATCH_UES_MAX ? left : FAN_BATCH_UES_MAX);
	for (unsigned i = 0; i < batch->ue_count; i++) {
		struct fan_context *context = &bench->contexts[first + i];

		__builtin_prefetch(context + FAN_BATCH_UES_MAX, 1);
		batch->context[i] = context;
		batch->count[i] = context->count++;
		batch->text[i] = bench->packets + (size_t)((first + i) % bench->packet_count) * PACKET_STRIDE + TEXT_OFFSET;
		batch->text[i][-1] = (uint8_t)batch->count[i];
	}
}

static void
protect_batch(struct fan_engine *engine, struct fan_batch *batch)
{
	struct fan_batch *finished;

	while (engine->ops->submit_burst(engine, &batch, 1) == 0)
		;
	while (engine->ops->poll_burst(engine, &finished, 1) == 0)
		;
	if (finished->status != FAN_BATCH_DONE) {
		fprintf(stderr, "bench_engine: the engine failed\n");
		exit(EXIT_FAILURE);
	}
}

/* One pass over all contexts. Out: cycles[], per UE, of each slice; returns how many slices there are. */
static size_t
run_pass(double *cycles, const struct bench *bench, struct fan_batch *batch)
{
	size_t slices = 0;

	for (uint32_t slice = 0; slice < bench->ue_count; slice += SLICE_UES) {
		uint32_t left = bench->ue_count - slice, end = slice + (left < SLICE_UES ? left : SLICE_UES);
		uint64_t start = __rdtsc();

		for (uint32_t first = slice; first < end; first += FAN_BATCH_UES_MAX) {
			build_batch(batch, bench, first);
			if (bench->engine != NULL)
				protect_batch(bench->engine, batch);
		}
		cycles[slices++] = (double)(__rdtsc() - start) / (end - slice);
	}
	return slices;
}

static int
compare_doubles(const void *one, const void *other)
{
	double a = *(const double *)one, b = *(const double *)other;

	return (a > b) - (a < b);
}

/* Out: quantiles[2], cycles per UE that a tenth and a half of all slices stayed below. */
static void
run_passes(double *quantiles, const struct bench *bench, struct fan_batch *batch, uint32_t passes)
{
	double *cycles = map(sizeof(*cycles) * passes * (bench->ue_count / SLICE_UES + 1));
	size_t slices = 0;

	for (uint32_t pass = 0; pass < passes; pass++)
		slices += run_pass(cycles + slices, bench, batch);
	qsort(cycles, slices, sizeof(*cycles), compare_doubles);
	quantiles[0] = cycles[slices / 10];
	quantiles[1] = cycles[slices / 2];
	munmap(cycles, sizeof(*cycles) * passes * (bench->ue_count / SLICE_UES + 1));
}

static void
run_size(const struct bench *bench, const struct options *options, const struct fan_shape *shape)
{
	struct fan_batch batch = { .shape = shape };
	struct bench loop_alone = *bench;
	char mac[8] = "no MAC";
	double loop[2], cycles[2];

	if (shape->sequence != FAN_CIPHER_ONLY)
		snprintf(mac, sizeof(mac), "EIA%u", shape->integrity % 4U);
	loop_alone.engine = NULL;
	run_passes(loop, &loop_alone, &batch, 1);
	run_passes(cycles, bench, &batch, options->passes);
	printf("%-10s EEA%u %-6s %6u octets: %7.1f  median %7.1f  loop alone %5.1f cycles/UE\n", options->engine, shape->cipher,
	       mac, shape->text_bytes, cycles[0], cycles[1], loop[0]);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	struct options options = {
		.engine = "ipsec-mb",
		.ues = 1 << 20,
		.passes = 5,
		.packets = 256,
		.shape = { .cipher = 2, .integrity = 2, .sequence = FAN_CIPHER_THEN_MAC, .clear_bytes = 1 },
		.bytes = { 20, 40, 80, 160, 320, 640, 1280 },
		.size_count = 7,
	};
	static uint8_t message[FAN_PDU_BYTES_MAX + FAN_MESSAGE_SLACK_BYTES];
	const struct fan_engine_ops *ops;
	struct bench bench = { 0 };

	for (int i = 1; i < argc; i++) {
		if (!parse_option(&options, argv[i]))
			return usage(argv[i]);
	}
	if (fan_engine_find(&ops, options.engine) != 0 || ops->open(&bench.engine) != 0) {
		fprintf(stderr, "bench_engine: %s\n", fan_error_detail());
		return EXIT_FAILURE;
	}
	bench.ue_count = options.ues;
	bench.packet_count = options.packets;
	/* Room to fetch ahead of the last one. */
	bench.contexts = map(((size_t)options.ues + FAN_BATCH_UES_MAX) * sizeof(*bench.contexts));
	bench.packets = map((size_t)options.packets * PACKET_STRIDE);
	fill_contexts(bench.contexts, options.ues);
	options.shape.message = message;
	for (unsigned i = 0; i < options.size_count; i++) {
		struct fan_shape shape = options.shape;

		shape.text_bytes = options.bytes[i];
		run_size(&bench, &options, &shape);
	}
	ops->close(bench.engine);
	return EXIT_SUCCESS;
}
