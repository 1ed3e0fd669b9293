/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The lockstep engine: a whole batch in the lanes of vector registers, AES by aes128_walk.h, SNOW 3G and ZUC by
 * stream_avx512.h. Techniques are chosen from the CPU at open; the engines that carry a technique's name have that one for AES
 * alone, or refuse.
 */
#include "lockstep.h"

#include "technique.h"

#include <string.h>
#include <sys/mman.h>

const struct fan_lockstep *const fan_lockstep_techniques[FAN_LOCKSTEP_TECHNIQUES] = {
	&fan_lockstep_vaes512,
	&fan_lockstep_vaes256,
	&fan_lockstep_aesni,
};

#define SERVED_MAX 3 /* AES, SNOW 3G, ZUC */

struct served {
	const struct fan_lockstep *technique;
	struct fan_lockstep_scratch *scratch;
};

struct lockstep_engine {
	struct fan_engine engine;
	struct fan_finished finished;
	size_t mapped_bytes;
	struct served served[SERVED_MAX];
	unsigned served_count;
};

static size_t
whole_lines(size_t bytes)
{
	return (bytes + 63) & ~(size_t)63;
}

static int
open_techniques(struct fan_engine **out, const struct fan_engine_ops *ops, const struct fan_lockstep *const *techniques,
		unsigned technique_count)
{
	size_t at = whole_lines(sizeof(struct lockstep_engine)), bytes = at;
	struct lockstep_engine *engine;
	void *memory;

	*out = NULL;
	for (unsigned i = 0; i < technique_count; i++)
		bytes += whole_lines(techniques[i]->scratch_bytes);
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return fan_fail(FAN_E_MEMORY, "engine %s: no memory for %zu octets", ops->name, bytes);
	(void)madvise(memory, bytes, MADV_DONTDUMP);
	engine = memory;
	engine->engine.ops = ops;
	engine->engine.fetches_ahead = true;
	engine->mapped_bytes = bytes;
	engine->served_count = technique_count;
	for (unsigned i = 0; i < technique_count; i++) {
		engine->served[i].technique = techniques[i];
		engine->served[i].scratch = (struct fan_lockstep_scratch *)((uint8_t *)memory + at);
		techniques[i]->init(engine->served[i].scratch);
		at += whole_lines(techniques[i]->scratch_bytes);
	}
	*out = &engine->engine;
	return 0;
}

static int
open_technique(struct fan_engine **out, const struct fan_engine_ops *ops, const struct fan_lockstep *technique)
{
	*out = NULL;
	if (!technique->runs())
		return fan_fail(FAN_E_UNSUPPORTED, "engine %s: this CPU does not have %s", ops->name, technique->instructions);
	return open_techniques(out, ops, &technique, 1);
}

/* The best technique for AES, and those for SNOW 3G and ZUC where they run. */
static int
open_best(struct fan_engine **out, const char *device)
{
	static const struct fan_lockstep *const streams[] = { &fan_lockstep_snow3g_avx512, &fan_lockstep_zuc_avx512 };
	const struct fan_lockstep *techniques[SERVED_MAX];
	unsigned count = 0;

	(void)device;
	for (unsigned i = 0; i < FAN_LOCKSTEP_TECHNIQUES && count == 0; i++)
		if (fan_lockstep_techniques[i]->runs())
			techniques[count++] = fan_lockstep_techniques[i];
	*out = NULL;
	if (count == 0)
		return fan_fail(FAN_E_UNSUPPORTED, "engine lockstep: this CPU has no AES instructions; use --engine reference");
	for (unsigned i = 0; i < sizeof(streams) / sizeof(streams[0]); i++)
		if (streams[i]->runs())
			techniques[count++] = streams[i];
	return open_techniques(out, &fan_engine_lockstep, techniques, count);
}

static int
open_vaes512(struct fan_engine **out, const char *device)
{
	(void)device;
	return open_technique(out, &fan_engine_lockstep_vaes512, &fan_lockstep_vaes512);
}

static int
open_vaes256(struct fan_engine **out, const char *device)
{
	(void)device;
	return open_technique(out, &fan_engine_lockstep_vaes256, &fan_lockstep_vaes256);
}

static int
open_aesni(struct fan_engine **out, const char *device)
{
	(void)device;
	return open_technique(out, &fan_engine_lockstep_aesni, &fan_lockstep_aesni);
}

static void
close_engine(struct fan_engine *base)
{
	struct lockstep_engine *engine = (struct lockstep_engine *)base;
	size_t bytes;

	if (engine == NULL)
		return;
	bytes = engine->mapped_bytes;
	explicit_bzero(engine, bytes);
	munmap(engine, bytes);
}

/* Schedules, cipher states and keystream of the last batches. */
static void
wipe(struct fan_engine *base)
{
	struct lockstep_engine *engine = (struct lockstep_engine *)base;

	for (unsigned i = 0; i < engine->served_count; i++) {
		const struct served *served = &engine->served[i];

		explicit_bzero(served->scratch, served->technique->scratch_bytes);
		served->technique->init(served->scratch);
	}
}

/* What serves a shape; NULL: nothing here does. */
static const struct served *
find_served(const struct fan_engine *base, const struct fan_shape *shape)
{
	const struct lockstep_engine *engine = (const struct lockstep_engine *)base;

	if (!fan_shape_check(shape))
		return NULL;
	for (unsigned i = 0; i < engine->served_count; i++)
		if (engine->served[i].technique->takes(shape))
			return &engine->served[i];
	return NULL;
}

static bool
takes(const struct fan_engine *engine, const struct fan_shape *shape)
{
	return find_served(engine, shape) != NULL;
}

static uint16_t
submit_burst(struct fan_engine *base, struct fan_batch *const *batches, uint16_t batch_count)
{
	struct lockstep_engine *engine = (struct lockstep_engine *)base;
	const uint16_t room = fan_finished_room(&engine->finished);
	const uint16_t n = batch_count < room ? batch_count : room;

	for (uint16_t i = 0; i < n; i++) {
		const struct served *served = find_served(base, batches[i]->shape);

		if (served != NULL)
			served->technique->protect(served->scratch, batches[i]);
		batches[i]->status = served != NULL ? FAN_BATCH_DONE : FAN_BATCH_UNTOUCHED;
		fan_finished_put(&engine->finished, batches[i]);
	}
	return n;
}

static uint16_t
poll_burst(struct fan_engine *base, struct fan_batch **batches, uint16_t batch_max)
{
	return fan_finished_take_burst(&((struct lockstep_engine *)base)->finished, batches, batch_max);
}

#define ENGINE(engine_name, engine_description, is_automatic, open_engine)                                                     \
	{                                                                                                                      \
		.name = engine_name, .description = engine_description, .automatic = is_automatic, .open = open_engine,        \
		.close = close_engine, .takes = takes, .submit_burst = submit_burst, .poll_burst = poll_burst, .wipe = wipe,   \
	}

const struct fan_engine_ops fan_engine_lockstep =
	ENGINE("lockstep", "16, 8 or 4 UEs side by side in vector registers: AES; SNOW 3G and ZUC on AVX-512", true, open_best);
const struct fan_engine_ops fan_engine_lockstep_vaes512 = ENGINE("lockstep-vaes512",
								 "AES alone, on AVX-512 with VAES and GFNI: 16 UEs", false,
								 open_vaes512);
const struct fan_engine_ops fan_engine_lockstep_vaes256 = ENGINE("lockstep-vaes256", "AES alone, on AVX2 with VAES: 8 UEs",
								 false, open_vaes256);
const struct fan_engine_ops fan_engine_lockstep_aesni = ENGINE("lockstep-aesni", "AES alone, on SSE4.1 with AES-NI: 4 UEs",
							       false, open_aesni);
