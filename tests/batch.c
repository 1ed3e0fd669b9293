/* SPDX-License-Identifier: BSD-3-Clause */
#include "batch.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define SEED_DEFAULT 0x46414eULL
/* Octets between the start of a packet, at a multiple of 64, and a text of alignment 0. */
#define FRONT_BYTES 128
#define STALL_SECONDS 60

static_assert(FRONT_BYTES >= FAN_TEST_GUARD_BYTES + FAN_CLEAR_BYTES_MAX + FAN_SCRATCH_BYTES,
	      "room for what stands before a text");

/* ---- Random numbers ---------------------------------------------------------------------------------------------------- */

struct fan_test_random
fan_test_random_from_environment(void)
{
	const char *seed = getenv("FAN_SEED");
	const struct fan_test_random random = { seed != NULL ? strtoull(seed, NULL, 0) : SEED_DEFAULT };

	fprintf(stderr, "FAN_SEED=0x%" PRIx64 "\n", random.state);
	return random;
}

/* A Weyl sequence of odd step put through two multiply-and-shift rounds (splitmix64). */
uint64_t
fan_test_random_next(struct fan_test_random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint32_t
fan_test_random_below(struct fan_test_random *random, uint32_t limit)
{
	return (uint32_t)((fan_test_random_next(random) >> 32) * limit >> 32);
}

void
fan_test_random_fill(struct fan_test_random *random, uint8_t *bytes, size_t byte_count)
{
	uint64_t word = 0;

	for (size_t i = 0; i < byte_count; i++) {
		word = i % 8 == 0 ? fan_test_random_next(random) : word >> 8;
		bytes[i] = (uint8_t)word;
	}
}

uint32_t
fan_test_random_count(struct fan_test_random *random)
{
	/* SN of 5, 7, 8, 12, 15 and 18 bits, NAS COUNT of 24, and the ends of 32 bits. */
	static const uint8_t edge_bits[] = { 0, 5, 7, 8, 12, 15, 16, 18, 24, 31 };
	const uint32_t any = (uint32_t)fan_test_random_next(random);
	const uint32_t near = fan_test_random_below(random, 5) - 2;
	uint32_t edge;

	if (fan_test_random_below(random, 2) == 0)
		return any;
	edge = UINT32_C(1) << edge_bits[fan_test_random_below(random, sizeof(edge_bits))];
	/* The edge itself, or a random multiple of it, where the HFN moves. 1 - 2 is the largest COUNT. */
	return (fan_test_random_below(random, 2) == 0 ? edge : any / edge * edge) + near;
}

uint16_t
fan_test_random_text_bytes(struct fan_test_random *random, unsigned text_bytes_max)
{
	static const uint8_t period[] = { 4, 8, 16, 64, 128 };
	unsigned text_bytes = 1 + fan_test_random_below(random, text_bytes_max), step;

	switch (fan_test_random_below(random, 4)) {
	case 0:
		step = period[fan_test_random_below(random, sizeof(period))];
		text_bytes = text_bytes / step * step + fan_test_random_below(random, 3) - 1;
		break;
	case 1:
		step = fan_test_random_below(random, 20);
		text_bytes = fan_test_random_below(random, 2) == 0 ? 1 + step : text_bytes_max - step;
		break;
	default:
		break;
	}
	return (uint16_t)(text_bytes < 1 || text_bytes > text_bytes_max ? text_bytes_max : text_bytes);
}

struct fan_shape
fan_test_random_shape(struct fan_test_random *random, uint8_t cipher, uint8_t integrity, uint8_t sequence)
{
	/* NAS has 1, PDCP 2 or 3, with SDAP 3 or 4; the other half of the shapes has anything an engine must take. */
	const unsigned clear_bytes = fan_test_random_below(random, 2) == 0
					     ? 1 + fan_test_random_below(random, 4)
					     : fan_test_random_below(random, FAN_CLEAR_BYTES_MAX + 1);

	return (struct fan_shape){
		.cipher = cipher,
		.integrity = integrity,
		.sequence = sequence,
		.clear_bytes = (uint8_t)clear_bytes,
		.head_blocks = (uint8_t)fan_test_random_below(random, FAN_HEAD_BLOCKS_MAX + 1),
		.text_bytes = fan_test_random_text_bytes(random, FAN_PDU_BYTES_MAX - clear_bytes),
	};
}

/* ---- Batches ----------------------------------------------------------------------------------------------------------- */

static size_t
round_up(size_t byte_count, size_t multiple)
{
	return (byte_count + multiple - 1) / multiple * multiple;
}

static size_t
page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* `byte_count`, a multiple of a page, followed by a page that cannot be touched. */
static uint8_t *
map_fenced(size_t byte_count)
{
	uint8_t *map = mmap(NULL, byte_count + page_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	FAN_REQUIRE(map != MAP_FAILED);
	FAN_REQUIRE(mprotect(map + byte_count, page_bytes(), PROT_NONE) == 0);
	return map;
}

static uint8_t *
copy_of(const uint8_t *bytes, size_t byte_count)
{
	uint8_t *copy = malloc(byte_count);

	FAN_REQUIRE(copy != NULL);
	return memcpy(copy, bytes, byte_count);
}

static size_t
trailer_bytes(const struct fan_shape *shape)
{
	return shape->sequence == FAN_MAC_THEN_CIPHER ? FAN_MAC_BYTES : 0;
}

static size_t
text_offset(const struct fan_test_batch *test, unsigned ue)
{
	return (size_t)(test->batch.text[ue] - test->packets);
}

static void
make_packets(struct fan_test_batch *test, struct fan_test_random *random, bool fenced)
{
	const struct fan_shape *shape = &test->shape;
	const size_t stride = round_up(FRONT_BYTES + 63u + shape->text_bytes + FAN_MAC_BYTES + FAN_TEST_GUARD_BYTES, 64);
	const unsigned ue_count = test->batch.ue_count, alignment = fan_test_random_below(random, 64);

	test->packets_bytes = round_up(stride * ue_count, page_bytes());
	test->packets = map_fenced(test->packets_bytes);
	fan_test_random_fill(random, test->packets, test->packets_bytes);
	/* 29 is odd, so that 64 UEs have 64 alignments. */
	for (unsigned i = 0; i < ue_count; i++)
		test->batch.text[i] = test->packets + i * stride + FRONT_BYTES + (alignment + 29 * i) % 64;
	if (fenced)
		test->batch.text[ue_count - 1] = test->packets + test->packets_bytes - shape->text_bytes - trailer_bytes(shape);
	test->packets_before = copy_of(test->packets, test->packets_bytes);
}

/* Contexts at the start of the mapping, message with its slack at the end. */
static void
make_shared(struct fan_test_batch *test, struct fan_test_random *random)
{
	struct fan_context *contexts;

	test->shared_bytes = round_up(FAN_BATCH_UES_MAX * sizeof(*contexts) + test->shape.text_bytes + FAN_MESSAGE_SLACK_BYTES,
				      page_bytes());
	test->shared = map_fenced(test->shared_bytes);
	fan_test_random_fill(random, test->shared, test->shared_bytes);
	test->shape.message = test->shared + test->shared_bytes - FAN_MESSAGE_SLACK_BYTES - test->shape.text_bytes;
	contexts = (struct fan_context *)(void *)test->shared;
	for (unsigned i = 0; i < test->batch.ue_count; i++) {
		contexts[i].bearer_direction &= 0xfc;
		contexts[i].count = ~test->batch.count[i];
		test->batch.context[i] = &contexts[i];
	}
	FAN_REQUIRE(mprotect(test->shared, test->shared_bytes, PROT_READ) == 0);
}

void
fan_test_batch_make_as(struct fan_test_batch *test, struct fan_test_random *random, const struct fan_shape *shape,
		       unsigned ue_count, bool fenced)
{
	FAN_REQUIRE(ue_count >= 1 && ue_count <= FAN_BATCH_UES_MAX);
	FAN_REQUIRE(shape->text_bytes >= 1 && shape->clear_bytes <= FAN_CLEAR_BYTES_MAX);
	memset(test, 0, sizeof(*test));
	test->shape = *shape;
	test->batch.shape = &test->shape;
	test->batch.ue_count = (uint16_t)ue_count;
	test->batch.status = FAN_BATCH_PENDING;
	for (unsigned i = 0; i < ue_count; i++)
		test->batch.count[i] = fan_test_random_count(random);
	make_packets(test, random, fenced);
	make_shared(test, random);
}

void
fan_test_batch_make(struct fan_test_batch *test, struct fan_test_random *random, uint8_t cipher, uint8_t integrity,
		    uint8_t sequence)
{
	const struct fan_shape shape = fan_test_random_shape(random, cipher, integrity, sequence);
	const unsigned ue_count = fan_test_random_below(random, 4) == 0 ? FAN_BATCH_UES_MAX
									: 1 + fan_test_random_below(random, FAN_BATCH_UES_MAX);

	fan_test_batch_make_as(test, random, &shape, ue_count, true);
}

void
fan_test_batch_clone(struct fan_test_batch *test, const struct fan_test_batch *from)
{
	*test = *from;
	test->batch.shape = &test->shape;
	test->packets = map_fenced(test->packets_bytes);
	memcpy(test->packets, from->packets, test->packets_bytes);
	test->packets_before = copy_of(from->packets_before, test->packets_bytes);
	test->shared = map_fenced(test->shared_bytes);
	memcpy(test->shared, from->shared, test->shared_bytes);
	FAN_REQUIRE(mprotect(test->shared, test->shared_bytes, PROT_READ) == 0);
	test->shape.message = test->shared + (from->shape.message - from->shared);
	for (unsigned i = 0; i < test->batch.ue_count; i++) {
		test->batch.context[i] = (struct fan_context *)(void *)test->shared + i;
		test->batch.text[i] = test->packets + text_offset(from, i);
	}
}

void
fan_test_batch_free(struct fan_test_batch *test)
{
	FAN_REQUIRE(munmap(test->packets, test->packets_bytes + page_bytes()) == 0);
	FAN_REQUIRE(munmap(test->shared, test->shared_bytes + page_bytes()) == 0);
	free(test->packets_before);
	memset(test, 0, sizeof(*test));
}

void
fan_test_batch_plaintext(const struct fan_test_batch *test, uint8_t *plaintext, unsigned ue)
{
	const size_t all_bytes = test->shape.text_bytes, head_blocks_bytes = 16u * test->shape.head_blocks;
	const size_t head_bytes = head_blocks_bytes < all_bytes ? head_blocks_bytes : all_bytes;

	memcpy(plaintext, test->packets_before + text_offset(test, ue), head_bytes);
	memcpy(plaintext + head_bytes, test->shape.message + head_bytes, all_bytes - head_bytes);
}

/* ---- Comparing --------------------------------------------------------------------------------------------------------- */

static unsigned
ue_at(const struct fan_test_batch *test, size_t offset)
{
	unsigned ue = test->batch.ue_count - 1u;

	while (ue > 0 && offset + FRONT_BYTES - FAN_SCRATCH_BYTES < text_offset(test, ue))
		ue--;
	return ue;
}

/* What an octet is, by its distance from the start of the text. */
static const char *
part_at(const struct fan_shape *shape, ptrdiff_t from_text)
{
	const ptrdiff_t clear_bytes = shape->clear_bytes, text_bytes = shape->text_bytes;

	if (from_text >= text_bytes)
		return from_text < text_bytes + (ptrdiff_t)trailer_bytes(shape) ? "MAC-I" : "guard behind";
	if (from_text >= 0)
		return from_text < 16 * shape->head_blocks ? "private head" : "shared tail";
	if (from_text >= -clear_bytes)
		return "clear prefix";
	if (from_text >= -clear_bytes - FAN_MAC_BYTES && shape->sequence == FAN_CIPHER_THEN_MAC)
		return "MAC";
	return from_text >= -clear_bytes - FAN_SCRATCH_BYTES ? "scratch" : "guard in front";
}

static void
print_octets(const char *whose, const uint8_t *octets, size_t offset, size_t byte_count)
{
	fprintf(stderr, "  %-8s", whose);
	for (size_t i = offset; i < offset + 24 && i < byte_count; i++)
		fprintf(stderr, " %02x", octets[i]);
	fprintf(stderr, "\n");
}

/* True when equal; else says where not. */
static bool
compare_packets(const struct fan_test_batch *test, const char *what, const char *one_name, const uint8_t *one,
		const char *other_name, const uint8_t *other)
{
	const struct fan_shape *shape = &test->shape;
	size_t at = 0;
	ptrdiff_t from_text;
	unsigned ue;

	while (at < test->packets_bytes && one[at] == other[at])
		at++;
	if (at == test->packets_bytes)
		return true;
	ue = ue_at(test, at);
	from_text = (ptrdiff_t)at - (ptrdiff_t)text_offset(test, ue);
	fprintf(stderr, "%s\n  cipher %u integrity %u sequence %u clear %u head blocks %u text %u octets, %u UEs\n", what,
		shape->cipher, shape->integrity, shape->sequence, shape->clear_bytes, shape->head_blocks, shape->text_bytes,
		test->batch.ue_count);
	fprintf(stderr,
		"  UE %u: COUNT %08" PRIx32 " BEARER||DIRECTION %02x, text at alignment %zu; octet %td from its start: %s\n",
		ue, test->batch.count[ue], test->batch.context[ue]->bearer_direction, text_offset(test, ue) % 64, from_text,
		part_at(shape, from_text));
	print_octets(one_name, one, at, test->packets_bytes);
	print_octets(other_name, other, at, test->packets_bytes);
	return false;
}

bool
fan_test_batch_guards_intact(const struct fan_test_batch *test)
{
	const struct fan_shape *shape = &test->shape;
	uint8_t *allowed = copy_of(test->packets_before, test->packets_bytes);
	bool intact;

	/* Whatever the engine was free to write is taken as written; the rest must be as before. */
	for (unsigned i = 0; i < test->batch.ue_count; i++) {
		const size_t text = text_offset(test, i), mac = text - shape->clear_bytes - FAN_MAC_BYTES;

		memcpy(allowed + text, test->packets + text, shape->text_bytes + trailer_bytes(shape));
		if (shape->sequence == FAN_CIPHER_THEN_MAC)
			memcpy(allowed + mac, test->packets + mac, FAN_MAC_BYTES);
	}
	intact = compare_packets(test, "an octet was written that is neither text nor MAC", "before", allowed, "now",
				 test->packets);
	free(allowed);
	return intact;
}

bool
fan_test_batch_equal(const struct fan_test_batch *one, const struct fan_test_batch *other)
{
	FAN_REQUIRE(one->packets_bytes == other->packets_bytes && one->batch.ue_count == other->batch.ue_count);
	return compare_packets(one, "batches differ", "one", one->packets, "other", other->packets);
}

/* ---- Engines ----------------------------------------------------------------------------------------------------------- */

static bool
note_finished(const struct fan_batch *finished, bool *seen, struct fan_batch *const *batches, unsigned batch_count)
{
	for (unsigned i = 0; i < batch_count; i++) {
		if (batches[i] != finished)
			continue;
		if (seen[i])
			fprintf(stderr, "batch %u came back twice\n", i);
		else if (finished->status != FAN_BATCH_DONE)
			fprintf(stderr, "batch %u came back with status %u\n", i, finished->status);
		else
			return seen[i] = true;
		return false;
	}
	fprintf(stderr, "a batch came back that was not handed over\n");
	return false;
}

bool
fan_test_engine_protect(struct fan_engine *engine, struct fan_batch *const *batches, unsigned batch_count)
{
	const time_t end = time(NULL) + STALL_SECONDS;
	unsigned submitted = 0, finished = 0;
	bool *seen = calloc(batch_count, sizeof(*seen)), good = true;

	FAN_REQUIRE(seen != NULL && batch_count <= UINT16_MAX);
	while (good && finished < batch_count) {
		struct fan_batch *back[8];
		unsigned n;

		submitted += engine->ops->submit_burst(engine, batches + submitted, (uint16_t)(batch_count - submitted));
		n = engine->ops->poll_burst(engine, back, sizeof(back) / sizeof(back[0]));
		for (unsigned i = 0; i < n && good; i++)
			good = note_finished(back[i], seen, batches, batch_count);
		finished += n;
		if (good && finished < batch_count && time(NULL) > end) {
			fprintf(stderr, "%u of %u batches taken, %u given back in %d s\n", submitted, batch_count, finished,
				STALL_SECONDS);
			good = false;
		}
	}
	free(seen);
	return good;
}
