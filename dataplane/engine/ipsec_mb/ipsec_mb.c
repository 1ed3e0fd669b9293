/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine on Intel's multi-buffer library. It works inside submit_burst: a batch goes through in tiles small enough that
 * keys, jobs and packets of a tile stay in the first two levels of cache, and each tile takes the same steps for all its UEs:
 * place the plaintext, then cipher and MAC in the order of the shape.
 *
 * Which calls of the library (1.3) serve which algorithm was measured; cycles per UE with expanded keys, 64 UEs of 160 octets
 * (EEA3, EIA3: 16 or more):
 *
 *	EEA2	cipher burst 26; job burst 46
 *	EIA2	CBC cipher burst over a copy in cache 92, copying included; XCBC and CMAC job bursts 103. From about 600
 *		octets the jobs win, for they read the packet itself.
 *	both	the two above 118; chained jobs 135
 *	EEA1	job burst 307; the N-buffer call 430, and it takes only 16 buffers
 *	EIA1	job burst 200; F9 one by one 1100
 *	EEA3	N-buffer call 190; job burst 250
 *	EIA3	N-buffer call 225; job burst 340
 *
 * CMAC (SP 800-38B) is CBC encryption from a zero IV of the message with its last block padded and masked by a subkey; its MAC
 * is the last block that comes out. The library ciphers; padding and masking are done here. XCBC (RFC 3566) is the same with
 * three keys of its own, so that XCBC jobs with the keys of CMAC give CMAC. They serve instead of the library's CMAC jobs
 * because those read up to 15 octets past the end of the message, which engine.h forbids.
 */
#include "ipsec_mb.h"

#include "expand_aes128.h"
#include "library.h"
#include "mikey_burst.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Of 16, 32 and 64, 32 was the fastest up to 160 octets and within 2 % above; 16 cost 16 cycles per UE more, since a CBC burst
 * drains the library's 16 lanes at its end. */
#define TILE_UES 32
/* COUNT, BEARER, DIRECTION and 26 zero bits in front of what EIA2 covers (TS 33.401 B.2.3). */
#define EIA2_PREFIX_BYTES 8
/* Up to this much is MACed by CBC in a copy, more by XCBC jobs; see above. */
#define CBC_BYTES_MAX 576
#define CBC_STRIDE_MAX CBC_BYTES_MAX
/* An XCBC job writes this much of its MAC (RFC 3566). */
#define XCBC_MAC_BYTES 12
#define ZUC_LANES 16 /* of AVX-512; fewer elsewhere */
#define HEAD_BYTES_MAX (16 * FAN_HEAD_BLOCKS_MAX)

static_assert(FAN_BATCH_UES_MAX % TILE_UES == 0, "a batch is whole tiles, but for its end");
static_assert(TILE_UES % FAN_EXPAND_STEP == 0, "schedules are written in whole steps");
static_assert(TILE_UES <= IMB_MAX_BURST_SIZE, "a tile is one burst of jobs");
static_assert(FAN_SCRATCH_BYTES >= EIA2_PREFIX_BYTES, "the prefix goes in front of the clear prefix");
static_assert(CBC_BYTES_MAX % 16 == 0, "CBC works on whole blocks");
static_assert((CBC_STRIDE_MAX / 64) % 2 == 1 && CBC_STRIDE_MAX % 64 == 0, "an odd number of lines spreads over all cache sets");
static_assert(TILE_UES % ZUC_LANES == 0, "lanes without a UE fit the arrays");
static_assert(TILE_UES * CBC_STRIDE_MAX >= FAN_PDU_BYTES_MAX + FAN_MAC_BYTES + 64, "a text for lanes without a UE");
static_assert(sizeof(snow3g_key_schedule_t) == 16, "the library's SNOW 3G schedule is four words");

/* One anonymous mapping, kept out of core dumps and wiped at close; so is the library's state behind it. */
struct ipsec_mb {
	struct fan_engine engine;
	IMB_MGR *library;
	const struct fan_expand_aes128 *expand;
	size_t mapped_bytes;
	struct fan_finished finished;
	struct fan_mikey_burst *mikey;

	/* Arguments of the library, one entry per UE of a tile. */
	const uint8_t *key[TILE_UES];
	const void *source[TILE_UES];
	void *destination[TILE_UES];
	const void *iv_of[TILE_UES]; /* always iv[i] */
	uint32_t *mac_of[TILE_UES];  /* always mac[i] */
	uint32_t amount[TILE_UES];
	IMB_JOB *job[TILE_UES];
	IMB_JOB ctr_job[TILE_UES];
	IMB_JOB cbc_job[TILE_UES];
	IMB_JOB xcbc_job, uea2_job, uia2_job; /* what does not change from job to job */

	uint8_t iv[TILE_UES][16] __attribute__((aligned(16)));
	uint32_t mac[TILE_UES][4] __attribute__((aligned(16))); /* first word: the MAC as it goes into the packet */
	uint8_t scratch_before[TILE_UES][FAN_SCRATCH_BYTES];
	uint8_t zero_iv[16] __attribute__((aligned(16)));
	snow3g_key_schedule_t snow3g[TILE_UES] __attribute__((aligned(16)));
	struct fan_aes128_schedule cipher_key[TILE_UES] __attribute__((aligned(64)));
	struct fan_cmac_schedule mac_key[TILE_UES] __attribute__((aligned(64)));
	uint8_t cbc_text[TILE_UES * CBC_STRIDE_MAX] __attribute__((aligned(64)));
	uint8_t head_before[FAN_BATCH_UES_MAX][HEAD_BYTES_MAX];
};

/* Consecutive UEs of a batch. */
struct tile {
	const struct fan_shape *shape;
	struct fan_context *const *context;
	const uint32_t *count;
	uint8_t *const *text;
	unsigned ue_count;
};

static struct ipsec_mb *
instance(struct fan_engine *engine)
{
	return (void *)engine;
}

/* ---- Octets ------------------------------------------------------------------------------------------------------------ */

/* Writes and reads nothing outside; unlike memcpy it needs no call for the few blocks of a short message. */
static inline void
copy_octets(uint8_t *to, const uint8_t *from, size_t byte_count)
{
	size_t done = 0;

	if (byte_count < 16) {
		for (; done < byte_count; done++)
			to[done] = from[done];
		return;
	}
	for (; done + 64 <= byte_count; done += 64)
		memcpy(to + done, from + done, 64);
	for (; done + 16 <= byte_count; done += 16)
		memcpy(to + done, from + done, 16);
	memcpy(to + byte_count - 16, from + byte_count - 16, 16);
}

static void
place_plaintext(const struct tile *tile)
{
	unsigned head = fan_shape_head_bytes(tile->shape);
	unsigned tail = tile->shape->text_bytes - head;

	for (unsigned i = 0; i < tile->ue_count; i++)
		copy_octets(tile->text[i] + head, tile->shape->message + head, tail);
}

/* COUNT, BEARER, DIRECTION, 26 zero bits: the start of every IV but those of EIA1 and EIA3, and the prefix of EIA2. */
static inline uint64_t
iv_half(const struct tile *tile, unsigned i)
{
	return __builtin_bswap32(tile->count[i]) | (uint64_t)tile->context[i]->bearer_direction << 32;
}

static inline void
write_iv(struct ipsec_mb *engine, unsigned i, uint64_t first, uint64_t second)
{
	memcpy(engine->iv[i], &first, 8);
	memcpy(engine->iv[i] + 8, &second, 8);
}

/* EIA1 and EIA3 (TS 33.401 B.2.2, B.2.4): COUNT and BEARER twice, DIRECTION folded into the second copy. */
static void
write_mac_ivs(struct ipsec_mb *engine, const struct tile *tile)
{
	for (unsigned i = 0; i < tile->ue_count; i++) {
		uint64_t direction = tile->context[i]->bearer_direction >> 2 & 1;
		uint64_t bearer = tile->context[i]->bearer_direction & 0xf8;
		uint64_t first = __builtin_bswap32(tile->count[i]) | bearer << 32;

		write_iv(engine, i, first, first ^ direction << 7 ^ direction << 55);
	}
}

/* EEA1 and EEA3 (TS 33.401 B.1.2, B.1.4). */
static void
write_cipher_ivs(struct ipsec_mb *engine, const struct tile *tile)
{
	for (unsigned i = 0; i < tile->ue_count; i++)
		write_iv(engine, i, iv_half(tile, i), iv_half(tile, i));
}

/* ---- Jobs -------------------------------------------------------------------------------------------------------------- */

/* The queue is empty between tiles, so that a tile always finds room. */
static bool
take_jobs(struct ipsec_mb *engine, unsigned job_count)
{
	return IMB_GET_NEXT_BURST(engine->library, job_count, engine->job) == job_count;
}

static unsigned
count_completed(const struct ipsec_mb *engine, unsigned job_count)
{
	unsigned completed = 0;

	for (unsigned i = 0; i < job_count; i++)
		completed += engine->job[i]->status == IMB_STATUS_COMPLETED;
	return completed;
}

/* Runs the jobs that take_jobs() gave to their end. The library is left empty, whatever became of them. */
static bool
run_jobs(struct ipsec_mb *engine, unsigned job_count)
{
	unsigned completed = count_completed(engine, IMB_SUBMIT_BURST_NOCHECK(engine->library, job_count, engine->job));
	unsigned flushed;

	while ((flushed = IMB_FLUSH_BURST(engine->library, TILE_UES, engine->job)) > 0)
		completed += count_completed(engine, flushed);
	return completed == job_count;
}

/* ---- Ciphers ----------------------------------------------------------------------------------------------------------- */

/* Where the plaintext is: in the shared message, unless some of it differs per UE or the MAC was appended to it. */
static bool
reads_message(const struct fan_shape *shape)
{
	return shape->cipher != 0 && shape->head_blocks == 0 && shape->sequence != FAN_MAC_THEN_CIPHER;
}

static inline const uint8_t *
plaintext(const struct tile *tile, unsigned i)
{
	return reads_message(tile->shape) ? tile->shape->message : tile->text[i];
}

static unsigned
ciphered_bytes(const struct fan_shape *shape)
{
	return shape->text_bytes + fan_shape_trailer_bytes(shape);
}

static void
gather_cipher_keys(struct ipsec_mb *engine, const struct tile *tile)
{
	for (unsigned i = 0; i < tile->ue_count; i++)
		engine->key[i] = tile->context[i]->k_enc;
}

static bool
cipher_null(struct ipsec_mb *engine, const struct tile *tile)
{
	(void)engine;
	(void)tile;
	return true;
}

static bool
cipher_snow3g(struct ipsec_mb *engine, const struct tile *tile)
{
	if (!take_jobs(engine, tile->ue_count))
		return false;
	write_cipher_ivs(engine, tile);
	for (unsigned i = 0; i < tile->ue_count; i++) {
		IMB_JOB *job = engine->job[i];

		IMB_SNOW3G_INIT_KEY_SCHED(engine->library, tile->context[i]->k_enc, &engine->snow3g[i]);
		*job = engine->uea2_job;
		job->enc_keys = job->dec_keys = &engine->snow3g[i];
		job->iv = engine->iv[i];
		job->src = plaintext(tile, i);
		job->dst = tile->text[i];
		job->msg_len_to_cipher_in_bits = 8ULL * ciphered_bytes(tile->shape);
	}
	return run_jobs(engine, tile->ue_count);
}

static bool
cipher_aes(struct ipsec_mb *engine, const struct tile *tile)
{
	uint64_t byte_count = ciphered_bytes(tile->shape);

	gather_cipher_keys(engine, tile);
	engine->expand->schedules(engine->cipher_key, engine->key, tile->ue_count);
	for (unsigned i = 0; i < tile->ue_count; i++) {
		IMB_JOB *job = &engine->ctr_job[i];

		write_iv(engine, i, iv_half(tile, i), 0);
		job->src = plaintext(tile, i);
		job->dst = tile->text[i];
		job->msg_len_to_cipher_in_bytes = byte_count;
	}
	return IMB_SUBMIT_CIPHER_BURST_NOCHECK(engine->library, engine->ctr_job, tile->ue_count, IMB_CIPHER_CNTR,
					       IMB_DIR_ENCRYPT, IMB_KEY_128_BYTES) == tile->ue_count;
}

/* The N-buffer call leaves what is not a multiple of 16 to code that reads past the end of a text when 4 are left; lanes
 * without a UE cipher octets of the engine's own, all the same ones. */
static bool
cipher_zuc(struct ipsec_mb *engine, const struct tile *tile)
{
	unsigned lane_count = (tile->ue_count + ZUC_LANES - 1) / ZUC_LANES * ZUC_LANES;

	gather_cipher_keys(engine, tile);
	write_cipher_ivs(engine, tile);
	for (unsigned i = 0; i < lane_count; i++) {
		engine->amount[i] = ciphered_bytes(tile->shape);
		if (i < tile->ue_count) {
			engine->source[i] = plaintext(tile, i);
			engine->destination[i] = tile->text[i];
		} else {
			engine->key[i] = engine->zero_iv;
			engine->source[i] = engine->destination[i] = engine->cbc_text;
		}
	}
	IMB_ZUC_EEA3_N_BUFFER(engine->library, (const void *const *)engine->key, engine->iv_of, engine->source,
			      engine->destination, engine->amount, lane_count);
	return true;
}

static bool (*const ciphers[FAN_ALGORITHM_MAX + 1])(struct ipsec_mb *engine, const struct tile *tile) = {
	cipher_null,
	cipher_snow3g,
	cipher_aes,
	cipher_zuc,
};

/* ---- MACs: over clear prefix and text as they lie in the packet, into engine->mac -------------------------------------- */

static unsigned
covered_bytes(const struct fan_shape *shape)
{
	return (unsigned)shape->clear_bytes + shape->text_bytes;
}

static bool
mac_null(struct ipsec_mb *engine, const struct tile *tile)
{
	for (unsigned i = 0; i < tile->ue_count; i++)
		engine->mac[i][0] = 0;
	return true;
}

static bool
mac_snow3g(struct ipsec_mb *engine, const struct tile *tile)
{
	if (!take_jobs(engine, tile->ue_count))
		return false;
	write_mac_ivs(engine, tile);
	for (unsigned i = 0; i < tile->ue_count; i++) {
		IMB_JOB *job = engine->job[i];

		IMB_SNOW3G_INIT_KEY_SCHED(engine->library, tile->context[i]->k_int, &engine->snow3g[i]);
		*job = engine->uia2_job;
		job->u.SNOW3G_UIA2._key = &engine->snow3g[i];
		job->u.SNOW3G_UIA2._iv = engine->iv[i];
		job->src = tile->text[i] - tile->shape->clear_bytes;
		job->msg_len_to_hash_in_bits = 8ULL * covered_bytes(tile->shape);
		job->auth_tag_output = (uint8_t *)engine->mac[i];
	}
	return run_jobs(engine, tile->ue_count);
}

/* Copies a message behind its EIA2 prefix, pads it and masks the last block. */
static void
write_cbc_text(uint8_t *to, const struct tile *tile, unsigned i, const struct fan_cmac_schedule *key, unsigned block_bytes)
{
	unsigned covered = covered_bytes(tile->shape), clear = tile->shape->clear_bytes;
	uint64_t prefix = iv_half(tile, i), last[2], subkey[2];
	bool padded = EIA2_PREFIX_BYTES + covered < block_bytes;
	uint8_t *last_block = to + block_bytes - sizeof(last);

	memset(last_block, 0, sizeof(last));
	memcpy(to, &prefix, EIA2_PREFIX_BYTES);
	for (unsigned octet = 0; octet < clear; octet++)
		to[EIA2_PREFIX_BYTES + octet] = tile->text[i][(int)octet - (int)clear];
	copy_octets(to + EIA2_PREFIX_BYTES + clear, tile->text[i], tile->shape->text_bytes);
	if (padded)
		to[EIA2_PREFIX_BYTES + covered] = 0x80;
	memcpy(last, last_block, sizeof(last));
	memcpy(subkey, padded ? key->k2 : key->k1, sizeof(subkey));
	last[0] ^= subkey[0];
	last[1] ^= subkey[1];
	memcpy(last_block, last, sizeof(last));
}

static bool
mac_aes_short(struct ipsec_mb *engine, const struct tile *tile)
{
	unsigned block_bytes = (EIA2_PREFIX_BYTES + covered_bytes(tile->shape) + 15) & ~15U;
	unsigned stride = ((block_bytes + 63) & ~63U) | 64;

	for (unsigned i = 0; i < tile->ue_count; i++) {
		uint8_t *text = engine->cbc_text + i * stride;
		IMB_JOB *job = &engine->cbc_job[i];

		write_cbc_text(text, tile, i, &engine->mac_key[i], block_bytes);
		job->src = text;
		job->dst = text;
		job->msg_len_to_cipher_in_bytes = block_bytes;
	}
	if (IMB_SUBMIT_CIPHER_BURST_NOCHECK(engine->library, engine->cbc_job, tile->ue_count, IMB_CIPHER_CBC, IMB_DIR_ENCRYPT,
					    IMB_KEY_128_BYTES) != tile->ue_count)
		return false;
	for (unsigned i = 0; i < tile->ue_count; i++)
		memcpy(engine->mac[i], engine->cbc_text + i * stride + block_bytes - 16, FAN_MAC_BYTES);
	return true;
}

/* The EIA2 prefix lies in the packet, before the clear prefix, while the library reads it. */
static bool
mac_aes_long(struct ipsec_mb *engine, const struct tile *tile)
{
	unsigned before = tile->shape->clear_bytes + EIA2_PREFIX_BYTES;
	bool completed;

	if (!take_jobs(engine, tile->ue_count))
		return false;
	for (unsigned i = 0; i < tile->ue_count; i++) {
		IMB_JOB *job = engine->job[i];
		uint64_t prefix = iv_half(tile, i);

		memcpy(engine->scratch_before[i], tile->text[i] - before, EIA2_PREFIX_BYTES);
		memcpy(tile->text[i] - before, &prefix, EIA2_PREFIX_BYTES);
		*job = engine->xcbc_job;
		job->u.XCBC._k1_expanded = (const uint32_t *)(const void *)&engine->mac_key[i].aes;
		job->u.XCBC._k2 = engine->mac_key[i].k1;
		job->u.XCBC._k3 = engine->mac_key[i].k2;
		job->src = tile->text[i] - before;
		job->msg_len_to_hash_in_bytes = EIA2_PREFIX_BYTES + covered_bytes(tile->shape);
		job->auth_tag_output = (uint8_t *)engine->mac[i];
	}
	completed = run_jobs(engine, tile->ue_count);
	for (unsigned i = 0; i < tile->ue_count; i++)
		memcpy(tile->text[i] - before, engine->scratch_before[i], EIA2_PREFIX_BYTES);
	return completed;
}

static bool
mac_aes(struct ipsec_mb *engine, const struct tile *tile)
{
	for (unsigned i = 0; i < tile->ue_count; i++)
		engine->key[i] = tile->context[i]->k_int;
	engine->expand->cmac_schedules(engine->mac_key, engine->key, tile->ue_count);
	if (EIA2_PREFIX_BYTES + covered_bytes(tile->shape) <= CBC_BYTES_MAX)
		return mac_aes_short(engine, tile);
	return mac_aes_long(engine, tile);
}

static bool
mac_zuc(struct ipsec_mb *engine, const struct tile *tile)
{
	write_mac_ivs(engine, tile);
	for (unsigned i = 0; i < tile->ue_count; i++) {
		engine->key[i] = tile->context[i]->k_int;
		engine->source[i] = tile->text[i] - tile->shape->clear_bytes;
		engine->amount[i] = 8 * covered_bytes(tile->shape);
	}
	IMB_ZUC_EIA3_N_BUFFER(engine->library, (const void *const *)engine->key, engine->iv_of, engine->source, engine->amount,
			      engine->mac_of, tile->ue_count);
	return true;
}

static bool (*const macs[FAN_ALGORITHM_MAX + 1])(struct ipsec_mb *engine, const struct tile *tile) = {
	mac_null,
	mac_snow3g,
	mac_aes,
	mac_zuc,
};

/* Offset from the text: behind it, or before the clear prefix. */
static void
store_macs(const struct ipsec_mb *engine, const struct tile *tile, int offset)
{
	for (unsigned i = 0; i < tile->ue_count; i++)
		memcpy(tile->text[i] + offset, engine->mac[i], FAN_MAC_BYTES);
}

/* ---- Batches ----------------------------------------------------------------------------------------------------------- */

static bool
protect_tile(struct ipsec_mb *engine, const struct tile *tile)
{
	const struct fan_shape *shape = tile->shape;

	if (!reads_message(shape))
		place_plaintext(tile);
	if (shape->sequence == FAN_MAC_THEN_CIPHER) {
		if (!macs[shape->integrity](engine, tile))
			return false;
		store_macs(engine, tile, shape->text_bytes);
		return ciphers[shape->cipher](engine, tile);
	}
	if (!ciphers[shape->cipher](engine, tile))
		return false;
	if (shape->sequence == FAN_CIPHER_ONLY)
		return true;
	if (!macs[shape->integrity](engine, tile))
		return false;
	store_macs(engine, tile, -(int)shape->clear_bytes - FAN_MAC_BYTES);
	return true;
}

static bool
takes(const struct fan_engine *engine, const struct fan_shape *shape)
{
	(void)engine;
	return fan_shape_check(shape) || fan_shape_is_mikey(shape);
}

static void
save_heads(struct ipsec_mb *engine, const struct fan_batch *batch)
{
	for (unsigned i = 0; i < batch->ue_count; i++)
		copy_octets(engine->head_before[i], batch->text[i], fan_shape_head_bytes(batch->shape));
}

/* So that another engine finds the plaintext of the private heads where it lay. */
static void
restore_heads(const struct ipsec_mb *engine, const struct fan_batch *batch)
{
	for (unsigned i = 0; i < batch->ue_count; i++)
		copy_octets(batch->text[i], engine->head_before[i], fan_shape_head_bytes(batch->shape));
}

static enum fan_batch_status
protect_batch(struct ipsec_mb *engine, const struct fan_batch *batch)
{
	if (!takes(&engine->engine, batch->shape) || batch->ue_count > FAN_BATCH_UES_MAX)
		return FAN_BATCH_UNTOUCHED;
	if (batch->shape->sequence == FAN_MIKEY)
		return fan_mikey_burst_run(engine->mikey, batch->text, batch->shape, batch->context, batch->ue_count)
			       ? FAN_BATCH_DONE
			       : FAN_BATCH_UNTOUCHED;
	save_heads(engine, batch);
	for (unsigned first = 0; first < batch->ue_count; first += TILE_UES) {
		unsigned left = batch->ue_count - first;
		struct tile tile = {
			.shape = batch->shape,
			.context = batch->context + first,
			.count = batch->count + first,
			.text = batch->text + first,
			.ue_count = left < TILE_UES ? left : TILE_UES,
		};

		if (!protect_tile(engine, &tile)) {
			restore_heads(engine, batch);
			return FAN_BATCH_UNTOUCHED;
		}
	}
	return FAN_BATCH_DONE;
}

static uint16_t
submit_burst(struct fan_engine *base, struct fan_batch *const *batches, uint16_t batch_count)
{
	struct ipsec_mb *engine = instance(base);
	uint16_t taken = 0;

	while (taken < batch_count && fan_finished_room(&engine->finished) > 0) {
		struct fan_batch *batch = batches[taken++];

		batch->status = (uint16_t)protect_batch(engine, batch);
		fan_finished_put(&engine->finished, batch);
	}
	return taken;
}

static uint16_t
poll_burst(struct fan_engine *base, struct fan_batch **batches, uint16_t batch_max)
{
	return fan_finished_take_burst(&instance(base)->finished, batches, batch_max);
}

/* ---- Life -------------------------------------------------------------------------------------------------------------- */

/* The library keeps pointers to these for the length of one call only; they never move, so they are set once. */
static void
set_job_constants(struct ipsec_mb *engine)
{
	const IMB_JOB cipher_job = {
		.key_len_in_bytes = IMB_KEY_128_BYTES,
		.iv_len_in_bytes = 16,
		.cipher_direction = IMB_DIR_ENCRYPT,
		.chain_order = IMB_ORDER_CIPHER_HASH,
		.hash_alg = IMB_AUTH_NULL,
	};
	const IMB_JOB mac_job = {
		.cipher_mode = IMB_CIPHER_NULL,
		.cipher_direction = IMB_DIR_ENCRYPT,
		.chain_order = IMB_ORDER_HASH_CIPHER,
		.auth_tag_output_len_in_bytes = FAN_MAC_BYTES,
	};

	engine->uea2_job = cipher_job;
	engine->uea2_job.cipher_mode = IMB_CIPHER_SNOW3G_UEA2_BITLEN;
	engine->uia2_job = mac_job;
	engine->uia2_job.hash_alg = IMB_AUTH_SNOW3G_UIA2_BITLEN;
	engine->xcbc_job = mac_job;
	engine->xcbc_job.hash_alg = IMB_AUTH_AES_XCBC;
	engine->xcbc_job.auth_tag_output_len_in_bytes = XCBC_MAC_BYTES;
#if IMB_VERSION_NUM > IMB_VERSION(1, 3, 0)
	/* By what this sets, newer releases find the code of a job; without it they call address 0. */
	(void)imb_set_session(engine->library, &engine->uea2_job);
	(void)imb_set_session(engine->library, &engine->uia2_job);
	(void)imb_set_session(engine->library, &engine->xcbc_job);
#endif
	for (unsigned i = 0; i < TILE_UES; i++) {
		engine->ctr_job[i] = cipher_job;
		engine->ctr_job[i].cipher_mode = IMB_CIPHER_CNTR;
		engine->ctr_job[i].enc_keys = &engine->cipher_key[i];
		engine->ctr_job[i].iv = engine->iv[i];
		engine->cbc_job[i] = cipher_job;
		engine->cbc_job[i].cipher_mode = IMB_CIPHER_CBC;
		engine->cbc_job[i].enc_keys = &engine->mac_key[i].aes;
		engine->cbc_job[i].iv = engine->zero_iv;
		engine->iv_of[i] = engine->iv[i];
		engine->mac_of[i] = engine->mac[i];
	}
}

/* What the last tiles left. What the library keeps in its own state behind it is wiped at close. */
static void
wipe(struct fan_engine *base)
{
	struct ipsec_mb *engine = instance(base);

	explicit_bzero(engine->snow3g, sizeof(engine->snow3g));
	explicit_bzero(engine->cipher_key, sizeof(engine->cipher_key));
	explicit_bzero(engine->mac_key, sizeof(engine->mac_key));
	explicit_bzero(engine->cbc_text, sizeof(engine->cbc_text));
	explicit_bzero(engine->head_before, sizeof(engine->head_before));
	explicit_bzero(engine->scratch_before, sizeof(engine->scratch_before));
	fan_mikey_burst_wipe(engine->mikey);
}

static void
close_engine(struct fan_engine *base)
{
	struct ipsec_mb *engine = instance(base);
	size_t mapped_bytes;

	if (engine == NULL)
		return;
	fan_mikey_burst_close(engine->mikey);
	mapped_bytes = engine->mapped_bytes;
	explicit_bzero(engine, mapped_bytes);
	munmap(engine, mapped_bytes);
}

int
fan_ipsec_mb_library(IMB_MGR **library, void *memory)
{
	const uint64_t self_test = IMB_FEATURE_SELF_TEST | IMB_FEATURE_SELF_TEST_PASS;
	IMB_ARCH arch = IMB_ARCH_NONE;

	*library = imb_set_pointers_mb_mgr(memory, 0, 1);
	if (*library == NULL)
		return fan_fail(FAN_E_UNSUPPORTED, "ipsec-mb: the library refused its memory: %s",
				imb_get_strerror(imb_get_errno(NULL)));
	init_mb_mgr_auto(*library, &arch);
	if (imb_get_errno(*library) != 0 || arch == IMB_ARCH_NONE)
		return fan_fail(FAN_E_UNSUPPORTED, "ipsec-mb: the library cannot run on this CPU: %s",
				imb_get_strerror(imb_get_errno(*library)));
#if IMB_VERSION_NUM < IMB_VERSION(2, 0, 0)
	/* Its AVX code, for CPUs without AVX2, reads up to 15 octets past the end of a text in EEA3; its SSE code does not. Version 2 has
	 * no such code. */
	if (arch == IMB_ARCH_AVX)
		init_mb_mgr_sse(*library);
#endif
	if (((*library)->features & self_test) == IMB_FEATURE_SELF_TEST)
		return fan_fail(FAN_E_UNSUPPORTED, "ipsec-mb: the library's self-test failed on this CPU; use another engine");
	return 0;
}

static int
open_engine(struct fan_engine **out, const char *device)
{
	const struct fan_expand_aes128 *expand = fan_expand_aes128_choose();
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t own_bytes = (sizeof(struct ipsec_mb) + page - 1) / page * page;
	size_t mapped_bytes = own_bytes + imb_get_mb_mgr_size();
	struct ipsec_mb *engine;
	int error;

	(void)device;
	*out = NULL;
	if (expand == NULL || !__builtin_cpu_supports("sse4.2"))
		return fan_fail(FAN_E_UNSUPPORTED, "ipsec-mb: this CPU has no AES-NI or no SSE4.2; use engine \"reference\"");
	engine = mmap(NULL, mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (engine == MAP_FAILED)
		return fan_fail(FAN_E_MEMORY, "ipsec-mb: %zu octets of memory are needed for an engine", mapped_bytes);
	madvise(engine, mapped_bytes, MADV_DONTDUMP);
	engine->engine.ops = &fan_engine_ipsec_mb;
	engine->mapped_bytes = mapped_bytes;
	engine->expand = expand;
	error = fan_ipsec_mb_library(&engine->library, (uint8_t *)engine + own_bytes);
	if (error == 0)
		error = fan_mikey_burst_open(&engine->mikey, engine->library);
	if (error != 0) {
		close_engine(&engine->engine);
		return error;
	}
	set_job_constants(engine);
	*out = &engine->engine;
	return 0;
}

const struct fan_engine_ops fan_engine_ipsec_mb = {
	.name = "ipsec-mb",
	.description = "Intel multi-buffer library on AES-NI or wider; keys expanded side by side",
	.automatic = true,
	.open = open_engine,
	.close = close_engine,
	.takes = takes,
	.submit_burst = submit_burst,
	.poll_burst = poll_burst,
	.wipe = wipe,
};
