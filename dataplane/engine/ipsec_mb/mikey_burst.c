/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a message costs, in cycles on a Xeon with AVX-512 at 188 octets (bench_mikey measures the whole): six HMACs of the PRF, two blocks each, 146;
 * one over the message, 195 (the library's hash bursts of 64; bursts of 16 are 15 % slower, its job interface 10 %); four blocks for the pads of MUK and
 * authentication key, 217 each, since the library has one such block at a time alone; and AES, less than 60.
 */
#define _GNU_SOURCE
#include "mikey_burst.h"

#include "expand_aes128.h"
#include "library.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TILE_UES 32
#define KEYS 3 /* of a message, from its UE's MUK */
#define MUK_BYTES 32
#define MAC_BYTES FAN_MIKEY_MAC_BYTES
#define LABEL_BYTES (4 + 1 + 4 + FAN_MIKEY_RAND_BYTES)
#define BLOCK_BYTES 64 /* of SHA-1 */
#define SALT_BYTES 14

static_assert(KEYS * TILE_UES <= IMB_MAX_BURST_SIZE, "a tile's keys are one burst");
static_assert(TILE_UES % FAN_EXPAND_STEP == 0, "schedules are written in whole steps");
static_assert(offsetof(struct fan_context, k_enc) == 0 && offsetof(struct fan_context, k_int) == FAN_KEY_BYTES,
	      "a MUK is one string of octets, with which a context begins");

enum key { ENCR, SALT, AUTH };

/* The state of SHA-1 behind the first block of HMAC's two hashes. */
struct pads {
	uint32_t inner[8], outer[8]; /* five words each, aligned for the library */
};

/* A1, then the label: what the second HMAC of the PRF is over. */
struct second {
	uint8_t a1[MAC_BYTES];
	uint8_t label[LABEL_BYTES];
	uint8_t rest[19];
};

/* One anonymous mapping, kept out of core dumps and wiped at close; so is the library's state behind it, where that is its own. */
struct fan_mikey_burst {
	IMB_MGR *library;
	const struct fan_expand_aes128 *expand;
	size_t mapped_bytes;
	IMB_JOB key_job[KEYS][TILE_UES]; /* pads never move: set once */
	IMB_JOB mac_job[TILE_UES];
	IMB_JOB ctr_job[TILE_UES];
	uint8_t label[KEYS][LABEL_BYTES];
	const uint8_t *encr_key[TILE_UES]; /* always key[ENCR][i] */

	struct pads muk_pads[TILE_UES] __attribute__((aligned(64)));
	struct pads auth_pads[TILE_UES] __attribute__((aligned(64)));
	struct second second[KEYS][TILE_UES] __attribute__((aligned(64)));
	uint8_t key[KEYS][TILE_UES][32] __attribute__((aligned(64)));
	uint8_t iv[TILE_UES][16] __attribute__((aligned(64)));
	struct fan_aes128_schedule schedule[TILE_UES] __attribute__((aligned(64)));
};

/* UEs that go through side by side. */
struct tile {
	const struct fan_shape *shape;
	uint8_t *const *text;
	struct fan_context *const *context;
	unsigned ue_count;
};

/* ---- HMAC -------------------------------------------------------------------------------------------------------------- */

/* Keys have key_bytes, less than a block. */
static void
start_pads(struct fan_mikey_burst *burst, struct pads *pads, const uint8_t *key, unsigned key_bytes)
{
	uint8_t inner[BLOCK_BYTES], outer[BLOCK_BYTES];

	memset(inner, 0x36, sizeof(inner));
	memset(outer, 0x5c, sizeof(outer));
	for (unsigned i = 0; i < key_bytes; i++) {
		inner[i] ^= key[i];
		outer[i] ^= key[i];
	}
	IMB_SHA1_ONE_BLOCK(burst->library, inner, pads->inner);
	IMB_SHA1_ONE_BLOCK(burst->library, outer, pads->outer);
	explicit_bzero(inner, sizeof(inner));
	explicit_bzero(outer, sizeof(outer));
}

static void
place_job(IMB_JOB *job, uint8_t *mac, const uint8_t *octets, size_t octet_count)
{
	job->src = octets;
	job->msg_len_to_hash_in_bytes = octet_count;
	job->auth_tag_output = mac;
}

static bool
run_hmacs(struct fan_mikey_burst *burst, IMB_JOB *jobs, unsigned count)
{
	return IMB_SUBMIT_HASH_BURST_NOCHECK(burst->library, jobs, count, IMB_AUTH_HMAC_SHA_1) == count;
}

/* All three keys, or the tile's end for a tile that is not full: jobs of a burst stand side by side. */
static bool
run_key_hmacs(struct fan_mikey_burst *burst, unsigned ue_count)
{
	bool good = true;

	if (ue_count == TILE_UES)
		return run_hmacs(burst, burst->key_job[0], KEYS * TILE_UES);
	for (unsigned k = 0; k < KEYS; k++)
		good = run_hmacs(burst, burst->key_job[k], ue_count) && good;
	return good;
}

/* ---- A tile, step by step ---------------------------------------------------------------------------------------------- */

/* RFC 3830 4.1.2 for keys of one block: HMAC(MUK, A1 || label), A1 = HMAC(MUK, label). */
static bool
derive_keys(struct fan_mikey_burst *burst, const struct tile *tile)
{
	for (unsigned i = 0; i < tile->ue_count; i++)
		start_pads(burst, &burst->muk_pads[i], (const uint8_t *)tile->context[i], MUK_BYTES);
	for (unsigned k = 0; k < KEYS; k++)
		for (unsigned i = 0; i < tile->ue_count; i++)
			place_job(&burst->key_job[k][i], burst->second[k][i].a1, burst->label[k], LABEL_BYTES);
	if (!run_key_hmacs(burst, tile->ue_count))
		return false;
	for (unsigned k = 0; k < KEYS; k++)
		for (unsigned i = 0; i < tile->ue_count; i++)
			place_job(&burst->key_job[k][i], burst->key[k][i], burst->second[k][i].a1, MAC_BYTES + LABEL_BYTES);
	return run_key_hmacs(burst, tile->ue_count);
}

/* All around T and name. */
static void
write_messages(const struct tile *tile)
{
	const struct fan_shape *const shape = tile->shape;
	const unsigned between = shape->mikey.counter_at + 4U, behind = shape->mikey.name_at + (unsigned)FAN_B_TID_NAME_BYTES;

	for (unsigned i = 0; i < tile->ue_count; i++) {
		memcpy(tile->text[i], shape->message, shape->mikey.counter_at);
		memcpy(tile->text[i] + between, shape->message + between, shape->mikey.name_at - between);
		memcpy(tile->text[i] + behind, shape->message + behind, shape->text_bytes - behind);
	}
}

/* (salt xor (0000 || CSB-ID || T of 8 octets)) || 0000 (RFC 3830 4.2.3). */
static void
write_iv(struct fan_mikey_burst *burst, const struct tile *tile, unsigned i)
{
	const uint8_t *const message = tile->text[i];
	uint8_t *const iv = burst->iv[i];

	memset(iv, 0, sizeof(burst->iv[i]));
	memcpy(iv, burst->key[SALT][i], SALT_BYTES);
	for (unsigned j = 0; j < 4; j++) {
		iv[2 + j] ^= message[FAN_MIKEY_CSB_ID_AT + j];
		iv[10 + j] ^= message[tile->shape->mikey.counter_at + j];
	}
}

static bool
encipher(struct fan_mikey_burst *burst, const struct tile *tile)
{
	burst->expand->schedules(burst->schedule, burst->encr_key, tile->ue_count);
	for (unsigned i = 0; i < tile->ue_count; i++) {
		IMB_JOB *const job = &burst->ctr_job[i];

		write_iv(burst, tile, i);
		job->src = job->dst = tile->text[i] + tile->shape->mikey.secret_at;
		job->msg_len_to_cipher_in_bytes = tile->shape->mikey.secret_bytes;
	}
	return IMB_SUBMIT_CIPHER_BURST_NOCHECK(burst->library, burst->ctr_job, tile->ue_count, IMB_CIPHER_CNTR, IMB_DIR_ENCRYPT,
					       IMB_KEY_128_BYTES) == tile->ue_count;
}

static bool
append_macs(struct fan_mikey_burst *burst, const struct tile *tile)
{
	const size_t covered_bytes = tile->shape->text_bytes - (size_t)MAC_BYTES;

	for (unsigned i = 0; i < tile->ue_count; i++) {
		start_pads(burst, &burst->auth_pads[i], burst->key[AUTH][i], MAC_BYTES);
		place_job(&burst->mac_job[i], tile->text[i] + covered_bytes, tile->text[i], covered_bytes);
	}
	return run_hmacs(burst, burst->mac_job, tile->ue_count);
}

/* ---- Run --------------------------------------------------------------------------------------------------------------- */

/* constant || FF || CSB-ID || RAND, the same for all UEs (RFC 3830 4.1.4). */
static void
write_labels(struct fan_mikey_burst *burst, const struct fan_shape *shape)
{
	static const uint8_t constants[KEYS][5] = { [ENCR] = { 0x15, 0x05, 0x33, 0xe1, 0xff },
						    [SALT] = { 0x29, 0xb8, 0x89, 0x16, 0xff },
						    [AUTH] = { 0x2d, 0x22, 0xac, 0x75, 0xff } };

	for (unsigned k = 0; k < KEYS; k++) {
		memcpy(burst->label[k], constants[k], sizeof(constants[k]));
		memcpy(burst->label[k] + 5, shape->message + FAN_MIKEY_CSB_ID_AT, 4);
		memcpy(burst->label[k] + 9, shape->message + shape->mikey.rand_at, FAN_MIKEY_RAND_BYTES);
		for (unsigned i = 0; i < TILE_UES; i++)
			memcpy(burst->second[k][i].label, burst->label[k], LABEL_BYTES);
	}
}

/* What is ciphered in part or has no MAC must not be taken for a message. */
static void
spoil(uint8_t *const *text, const struct fan_shape *shape, unsigned ue_count)
{
	for (unsigned i = 0; i < ue_count; i++)
		explicit_bzero(text[i] + shape->mikey.secret_at, (size_t)shape->text_bytes - shape->mikey.secret_at);
}

bool
fan_mikey_burst_run(struct fan_mikey_burst *burst, uint8_t *const *text, const struct fan_shape *shape,
		    struct fan_context *const *context, unsigned ue_count)
{
	write_labels(burst, shape);
	for (unsigned done = 0; done < ue_count; done += TILE_UES) {
		const unsigned left = ue_count - done;
		const struct tile tile = { shape, text + done, context + done, left < TILE_UES ? left : TILE_UES };

		write_messages(&tile);
		if (!derive_keys(burst, &tile) || !encipher(burst, &tile) || !append_macs(burst, &tile)) {
			spoil(text, shape, done + tile.ue_count);
			return false;
		}
	}
	return true;
}

void
fan_mikey_burst_wipe(struct fan_mikey_burst *burst)
{
	explicit_bzero(burst->muk_pads, sizeof(burst->muk_pads));
	explicit_bzero(burst->auth_pads, sizeof(burst->auth_pads));
	explicit_bzero(burst->second, sizeof(burst->second));
	explicit_bzero(burst->key, sizeof(burst->key));
	explicit_bzero(burst->iv, sizeof(burst->iv));
	explicit_bzero(burst->schedule, sizeof(burst->schedule));
}

/* ---- Life -------------------------------------------------------------------------------------------------------------- */

static IMB_JOB
hmac_job(const struct pads *pads)
{
	IMB_JOB job = {
		.cipher_mode = IMB_CIPHER_NULL,
		.cipher_direction = IMB_DIR_ENCRYPT,
		.chain_order = IMB_ORDER_HASH_CIPHER,
		.hash_alg = IMB_AUTH_HMAC_SHA_1,
		.auth_tag_output_len_in_bytes = MAC_BYTES,
	};

	job.u.HMAC._hashed_auth_key_xor_ipad = (const uint8_t *)pads->inner;
	job.u.HMAC._hashed_auth_key_xor_opad = (const uint8_t *)pads->outer;
	return job;
}

static void
set_job_constants(struct fan_mikey_burst *burst)
{
	for (unsigned i = 0; i < TILE_UES; i++) {
		for (unsigned k = 0; k < KEYS; k++)
			burst->key_job[k][i] = hmac_job(&burst->muk_pads[i]);
		burst->mac_job[i] = hmac_job(&burst->auth_pads[i]);
		burst->encr_key[i] = burst->key[ENCR][i];
		burst->ctr_job[i] = (IMB_JOB){
			.key_len_in_bytes = IMB_KEY_128_BYTES,
			.iv_len_in_bytes = 16,
			.cipher_direction = IMB_DIR_ENCRYPT,
			.chain_order = IMB_ORDER_CIPHER_HASH,
			.hash_alg = IMB_AUTH_NULL,
			.cipher_mode = IMB_CIPHER_CNTR,
			.enc_keys = &burst->schedule[i],
			.iv = burst->iv[i],
		};
	}
}

int
fan_mikey_burst_open(struct fan_mikey_burst **out, struct IMB_MGR *library)
{
	const struct fan_expand_aes128 *const expand = fan_expand_aes128_choose();
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const size_t own_bytes = (sizeof(struct fan_mikey_burst) + page - 1) / page * page;
	const size_t mapped_bytes = own_bytes + (library == NULL ? imb_get_mb_mgr_size() : 0);
	struct fan_mikey_burst *burst;
	int error = 0;

	*out = NULL;
	if (expand == NULL || !__builtin_cpu_supports("sse4.2"))
		return fan_fail(FAN_E_UNSUPPORTED, "ipsec-mb: this CPU has no AES-NI or no SSE4.2");
	burst = mmap(NULL, mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (burst == MAP_FAILED)
		return fan_fail(FAN_E_MEMORY, "ipsec-mb: %zu octets of memory are needed", mapped_bytes);
	(void)madvise(burst, mapped_bytes, MADV_DONTDUMP);
	burst->mapped_bytes = mapped_bytes;
	burst->expand = expand;
	burst->library = library;
	if (library == NULL)
		error = fan_ipsec_mb_library(&burst->library, (uint8_t *)burst + own_bytes);
	if (error != 0) {
		fan_mikey_burst_close(burst);
		return error;
	}
	set_job_constants(burst);
	*out = burst;
	return 0;
}

void
fan_mikey_burst_close(struct fan_mikey_burst *burst)
{
	size_t mapped_bytes;

	if (burst == NULL)
		return;
	mapped_bytes = burst->mapped_bytes;
	explicit_bzero(burst, mapped_bytes);
	munmap(burst, mapped_bytes);
}
