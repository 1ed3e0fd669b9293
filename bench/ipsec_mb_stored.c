/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stored schedules spare their expansion and cost memory traffic instead: 384 octets per UE against 32 of keys. They lie in the
 * order in which UEs are served, which a CPU fetches ahead by itself; asking for them a group ahead is a little faster still.
 */
#include "ipsec_mb_stored.h"

#include "../dataplane/engine/ipsec_mb/expand_aes128.h"
#include "slices.h"

#include <intel-ipsec-mb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUP_UES 32
#define PREFIX 8 /* COUNT, BEARER, DIRECTION, zeros: before what EIA2 covers (TS 33.401 B.2.3) */

static_assert(FAN_BATCH_UES_MAX % GROUP_UES == 0, "a batch is whole groups, but for its end");
static_assert(GROUP_UES % FAN_EXPAND_STEP == 0, "schedules are written in whole steps");

struct stored_keys {
	struct fan_aes128_schedule cipher;
	struct fan_cmac_schedule mac;
} __attribute__((aligned(64)));

struct stored {
	struct fan_engine engine;
	struct fan_finished finished;
	IMB_MGR *library;
	IMB_JOB constant; /* what all jobs have in common */
	struct stored_keys *keys;
	uint32_t ue_count;
	IMB_JOB *job[GROUP_UES];
	uint8_t iv[GROUP_UES][16];
	uint8_t mac[GROUP_UES][16];
};

void
fan_ipsec_mb_stored_expand(struct fan_engine *base, const struct fan_context *contexts, uint32_t ue_count)
{
	struct stored *engine = (struct stored *)base;
	const struct fan_expand_aes128 *expand = fan_expand_aes128_choose();
	static struct fan_aes128_schedule cipher[GROUP_UES];
	static struct fan_cmac_schedule mac[GROUP_UES];

	engine->keys = fan_slices_map(((size_t)ue_count + 2 * GROUP_UES) * sizeof(*engine->keys));
	engine->ue_count = ue_count;
	for (uint32_t first = 0; first < ue_count; first += GROUP_UES) {
		const unsigned n = ue_count - first < GROUP_UES ? ue_count - first : GROUP_UES;
		const uint8_t *k_enc[GROUP_UES], *k_int[GROUP_UES];

		for (unsigned i = 0; i < n; i++) {
			k_enc[i] = contexts[first + i].k_enc;
			k_int[i] = contexts[first + i].k_int;
		}
		expand->schedules(cipher, k_enc, n);
		expand->cmac_schedules(mac, k_int, n);
		for (unsigned i = 0; i < n; i++)
			engine->keys[first + i] = (struct stored_keys){ .cipher = cipher[i], .mac = mac[i] };
	}
}

static bool
takes(const struct fan_engine *engine, const struct fan_shape *shape)
{
	(void)engine;
	return shape->cipher == 2 && shape->integrity == 2 && shape->sequence == FAN_CIPHER_THEN_MAC && shape->head_blocks == 0;
}

/* The library works in place, on text and MAC prefix as they lie in the packet. */
static void
fill_job(struct stored *engine, unsigned i, const struct fan_batch *batch, unsigned ue)
{
	const struct fan_shape *shape = batch->shape;
	const struct fan_context *context = batch->context[ue];
	const struct stored_keys *keys = &engine->keys[context->ue];
	const uint64_t prefix = __builtin_bswap32(batch->count[ue]) | (uint64_t)context->bearer_direction << 32;
	const unsigned before = PREFIX + shape->clear_bytes;
	uint8_t *text = batch->text[ue];
	IMB_JOB *job = engine->job[i];

	for (unsigned line = 0; line < sizeof(*keys); line += 64)
		__builtin_prefetch((const uint8_t *)(keys + GROUP_UES) + line);
	memcpy(text, shape->message, shape->text_bytes);
	memcpy(text - before, &prefix, PREFIX);
	memcpy(engine->iv[i], &prefix, PREFIX);
	*job = engine->constant;
	job->enc_keys = &keys->cipher;
	job->iv = engine->iv[i];
	job->src = text - before;
	job->dst = text;
	job->cipher_start_src_offset_in_bytes = before;
	job->msg_len_to_cipher_in_bytes = shape->text_bytes;
	job->msg_len_to_hash_in_bytes = (uint64_t)before + shape->text_bytes;
	job->u.CMAC._key_expanded = &keys->mac.aes;
	job->u.CMAC._skey1 = keys->mac.k1;
	job->u.CMAC._skey2 = keys->mac.k2;
	job->auth_tag_output = engine->mac[i];
}

static unsigned
count_completed(const struct stored *engine, unsigned job_count)
{
	unsigned completed = 0;

	for (unsigned i = 0; i < job_count; i++)
		completed += engine->job[i]->status == IMB_STATUS_COMPLETED;
	return completed;
}

static bool
protect_group(struct stored *engine, const struct fan_batch *batch, unsigned first, unsigned ue_count)
{
	unsigned completed, flushed;

	if (IMB_GET_NEXT_BURST(engine->library, ue_count, engine->job) != ue_count)
		return false;
	for (unsigned i = 0; i < ue_count; i++)
		fill_job(engine, i, batch, first + i);
	completed = count_completed(engine, IMB_SUBMIT_BURST_NOCHECK(engine->library, ue_count, engine->job));
	while ((flushed = IMB_FLUSH_BURST(engine->library, GROUP_UES, engine->job)) > 0)
		completed += count_completed(engine, flushed);
	for (unsigned i = 0; i < ue_count; i++)
		memcpy(batch->text[first + i] - batch->shape->clear_bytes - FAN_MAC_BYTES, engine->mac[i], FAN_MAC_BYTES);
	return completed == ue_count;
}

static uint16_t
submit_burst(struct fan_engine *base, struct fan_batch *const *batches, uint16_t batch_count)
{
	struct stored *engine = (struct stored *)base;
	uint16_t taken = 0;

	for (; taken < batch_count && fan_finished_room(&engine->finished) > 0; taken++) {
		struct fan_batch *batch = batches[taken];
		bool good = true;

		for (unsigned first = 0; first < batch->ue_count && good; first += GROUP_UES) {
			const unsigned left = batch->ue_count - first;

			good = protect_group(engine, batch, first, left < GROUP_UES ? left : GROUP_UES);
		}
		batch->status = good ? FAN_BATCH_DONE : FAN_BATCH_UNTOUCHED;
		fan_finished_put(&engine->finished, batch);
	}
	return taken;
}

static uint16_t
poll_burst(struct fan_engine *base, struct fan_batch **batches, uint16_t batch_max)
{
	return fan_finished_take_burst(&((struct stored *)base)->finished, batches, batch_max);
}

static void
close_engine(struct fan_engine *base)
{
	struct stored *engine = (struct stored *)base;

	if (engine == NULL)
		return;
	free_mb_mgr(engine->library);
	free(engine);
}

static int
open_engine(struct fan_engine **out, const char *device)
{
	struct stored *engine = calloc(1, sizeof(*engine));

	(void)device;
	*out = NULL;
	if (engine == NULL || fan_expand_aes128_choose() == NULL || (engine->library = alloc_mb_mgr(0)) == NULL) {
		free(engine);
		return fan_fail(FAN_E_UNSUPPORTED, "ipsec-mb-stored: no memory, or no AES instructions");
	}
	init_mb_mgr_auto(engine->library, NULL);
	engine->engine.ops = &fan_ipsec_mb_stored;
	engine->constant = (IMB_JOB){
		.cipher_mode = IMB_CIPHER_CNTR,
		.cipher_direction = IMB_DIR_ENCRYPT,
		.chain_order = IMB_ORDER_CIPHER_HASH,
		.hash_alg = IMB_AUTH_AES_CMAC,
		.key_len_in_bytes = IMB_KEY_128_BYTES,
		.iv_len_in_bytes = 16,
		.auth_tag_output_len_in_bytes = FAN_MAC_BYTES,
	};
	*out = &engine->engine;
	return 0;
}

const struct fan_engine_ops fan_ipsec_mb_stored = {
	.name = "ipsec-mb-stored",
	.description = "chained jobs in bursts, schedules in memory",
	.open = open_engine,
	.close = close_engine,
	.takes = takes,
	.submit_burst = submit_burst,
	.poll_burst = poll_burst,
};
