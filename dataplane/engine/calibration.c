/* SPDX-License-Identifier: BSD-3-Clause */
#include "calibration.h"

#include <rte_cycles.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 9          /* the least of so many counts: a preemption spoils some, not all */
#define PACKET_BYTES 1856 /* apart, so that packets spread over the cache sets as real ones do */
#define TEXT_OFFSET 128
#define LENGTH_CLASSES 3 /* up to 64 octets of text, up to 256, longer */

struct ranking {
	bool known;
	uint8_t preference[FAN_ENGINES_MAX];
};

struct fan_calibration {
	struct fan_engine *engines[FAN_ENGINES_MAX];
	unsigned engine_count;
	/* by cipher, integrity (the last: none, or that of MIKEY), sequence and class of length */
	struct ranking ranking[FAN_ALGORITHM_MAX + 1][FAN_ALGORITHM_MAX + 2][FAN_MIKEY + 1][LENGTH_CLASSES];
	struct fan_context context[FAN_BATCH_UES_MAX];
	uint8_t packets[FAN_BATCH_UES_MAX * PACKET_BYTES];
};

int
fan_calibration_make(struct fan_calibration **out, struct fan_engine *const *engines, unsigned engine_count)
{
	struct fan_calibration *calibration = aligned_alloc(64, (sizeof(*calibration) + 63) & ~(size_t)63);

	if (calibration == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory to compare engines");
	memset(calibration, 0, sizeof(*calibration));
	for (unsigned i = 0; i < engine_count; i++)
		calibration->engines[i] = engines[i];
	calibration->engine_count = engine_count;
	/* Keys of nobody; that they differ is all that counts. */
	for (unsigned i = 0; i < FAN_BATCH_UES_MAX; i++) {
		memset(calibration->context[i].k_enc, (int)i, FAN_KEY_BYTES);
		memset(calibration->context[i].k_int, (int)(255 - i), FAN_KEY_BYTES);
		calibration->context[i].bearer_direction = FAN_DIRECTION_DOWNLINK << 2;
	}
	*out = calibration;
	return 0;
}

void
fan_calibration_free(struct fan_calibration *calibration)
{
	free(calibration);
}

/* Cycles for one batch, or UINT64_MAX when the engine fails it. */
static uint64_t
time_batch(struct fan_calibration *calibration, struct fan_engine *engine, const struct fan_shape *shape)
{
	struct fan_batch batch = { .shape = shape, .ue_count = FAN_BATCH_UES_MAX };
	uint64_t begin;

	for (unsigned i = 0; i < FAN_BATCH_UES_MAX; i++) {
		batch.context[i] = &calibration->context[i];
		batch.text[i] = calibration->packets + i * PACKET_BYTES + TEXT_OFFSET;
	}
	begin = rte_rdtsc();
	return fan_engine_run(engine, &batch) ? rte_rdtsc() - begin : UINT64_MAX;
}

/* Engines take turns, so that a change of the clock's speed hits all alike. */
static void
rank(struct fan_calibration *calibration, struct ranking *ranking, const struct fan_shape *shape)
{
	uint64_t least[FAN_ENGINES_MAX];
	const unsigned n = calibration->engine_count;

	memset(least, 0xff, sizeof(least));
	for (unsigned round = 0; round < ROUNDS; round++)
		for (unsigned i = 0; i < n; i++) {
			struct fan_engine *engine = calibration->engines[i];
			const uint64_t cycles = engine->ops->takes(engine, shape) ? time_batch(calibration, engine, shape)
										  : UINT64_MAX;

			least[i] = cycles < least[i] ? cycles : least[i];
		}
	for (unsigned i = 0; i < n; i++) {
		unsigned at = i;

		for (; at > 0 && least[ranking->preference[at - 1]] > least[i]; at--)
			ranking->preference[at] = ranking->preference[at - 1];
		ranking->preference[at] = (uint8_t)i;
	}
	ranking->known = true;
}

void
fan_calibration_rank(struct fan_calibration *calibration, uint8_t *preference, const struct fan_shape *shape)
{
	const unsigned integrity = shape->sequence >= FAN_CIPHER_ONLY ? FAN_ALGORITHM_MAX + 1 : shape->integrity;
	const unsigned length_class = shape->text_bytes <= 64 ? 0 : shape->text_bytes <= 256 ? 1 : 2;
	struct ranking *ranking = &calibration->ranking[shape->cipher][integrity][shape->sequence][length_class];

	if (!ranking->known)
		rank(calibration, ranking, shape);
	memcpy(preference, ranking->preference, calibration->engine_count);
}
