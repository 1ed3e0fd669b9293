/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The lockstep engine: 128-EEA2 and 128-EIA2 of a whole batch in the lanes of vector registers (lockstep_aes128.h). The technique is
 * chosen from the CPU at open; the engines that carry a technique's name have that one or refuse.
 */
#include "lockstep.h"

#include <string.h>
#include <sys/mman.h>

const struct fan_lockstep *const fan_lockstep_techniques[FAN_LOCKSTEP_TECHNIQUES] = {
	&fan_lockstep_vaes512,
	&fan_lockstep_vaes256,
	&fan_lockstep_aesni,
};

struct lockstep_engine {
	struct fan_engine engine;
	const struct fan_lockstep *technique;
	struct fan_finished finished;
	size_t mapped_bytes;
	struct fan_lockstep_scratch *scratch;
};

static int
open_technique(struct fan_engine **out, const struct fan_engine_ops *ops, const struct fan_lockstep *technique)
{
	const size_t own_bytes = (sizeof(struct lockstep_engine) + 63) & ~(size_t)63;
	struct lockstep_engine *engine;
	size_t bytes;
	void *memory;

	*out = NULL;
	if (!technique->runs())
		return fan_fail(FAN_E_UNSUPPORTED, "engine %s: this CPU does not have %s", ops->name, technique->instructions);
	bytes = own_bytes + technique->scratch_bytes;
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return fan_fail(FAN_E_MEMORY, "engine %s: no memory for %zu octets", ops->name, bytes);
	(void)madvise(memory, bytes, MADV_DONTDUMP);
	engine = memory;
	engine->engine.ops = ops;
	engine->technique = technique;
	engine->mapped_bytes = bytes;
	engine->scratch = (struct fan_lockstep_scratch *)((uint8_t *)memory + own_bytes);
	technique->init(engine->scratch);
	*out = &engine->engine;
	return 0;
}

static int
open_best(struct fan_engine **out)
{
	for (unsigned i = 0; i < FAN_LOCKSTEP_TECHNIQUES; i++) {
		if (fan_lockstep_techniques[i]->runs())
			return open_technique(out, &fan_engine_lockstep, fan_lockstep_techniques[i]);
	}
	*out = NULL;
	return fan_fail(FAN_E_UNSUPPORTED, "engine lockstep: this CPU has no AES instructions; use --engine reference");
}

static int
open_vaes512(struct fan_engine **out)
{
	return open_technique(out, &fan_engine_lockstep_vaes512, &fan_lockstep_vaes512);
}

static int
open_vaes256(struct fan_engine **out)
{
	return open_technique(out, &fan_engine_lockstep_vaes256, &fan_lockstep_vaes256);
}

static int
open_aesni(struct fan_engine **out)
{
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

static bool
takes(const struct fan_engine *engine, const struct fan_shape *shape)
{
	(void)engine;
	if (shape->clear_bytes > FAN_CLEAR_BYTES_MAX || shape->head_blocks > FAN_HEAD_BLOCKS_MAX || shape->text_bytes == 0 ||
	    shape->text_bytes + shape->clear_bytes > FAN_PDU_BYTES_MAX || shape->cipher != 2)
		return false;
	if (shape->sequence == FAN_CIPHER_ONLY)
		return true;
	return shape->integrity == 2 && (shape->sequence == FAN_CIPHER_THEN_MAC || shape->sequence == FAN_MAC_THEN_CIPHER);
}

static uint16_t
submit_burst(struct fan_engine *base, struct fan_batch *const *batches, uint16_t batch_count)
{
	struct lockstep_engine *engine = (struct lockstep_engine *)base;
	const uint16_t room = fan_finished_room(&engine->finished);
	const uint16_t n = batch_count < room ? batch_count : room;

	for (uint16_t i = 0; i < n; i++) {
		const bool taken = takes(base, batches[i]->shape);

		if (taken)
			engine->technique->protect(engine->scratch, batches[i]);
		batches[i]->status = taken ? FAN_BATCH_DONE : FAN_BATCH_UNTOUCHED;
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
		.close = close_engine, .takes = takes, .submit_burst = submit_burst, .poll_burst = poll_burst,                 \
	}

const struct fan_engine_ops fan_engine_lockstep =
	ENGINE("lockstep", "128-EEA2/EIA2 of 16, 8 or 4 UEs side by side, by the widest AES instructions of this CPU", true,
	       open_best);
const struct fan_engine_ops fan_engine_lockstep_vaes512 = ENGINE("lockstep-vaes512",
								 "the same on AVX-512 with VAES and GFNI: 16 UEs", false,
								 open_vaes512);
const struct fan_engine_ops fan_engine_lockstep_vaes256 = ENGINE("lockstep-vaes256", "the same on AVX2 with VAES: 8 UEs", false,
								 open_vaes256);
const struct fan_engine_ops fan_engine_lockstep_aesni = ENGINE("lockstep-aesni", "the same on SSE4.1 with AES-NI: 4 UEs", false,
							       open_aesni);
