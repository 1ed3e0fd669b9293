/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The lockstep walk of 128-EEA2 and 128-EIA2 (TS 33.401 B.1.3, B.2.3; NEA2 and NIA2 likewise): all UEs of a batch have the same
 * message and lengths and differ only in key and COUNT, so there is nothing to schedule. A tile of UEs sits in the 128-bit lanes of
 * four vector registers. Their key schedules are made first, and each round key serves at once: the first two counter blocks and the
 * CMAC subkey block AES_K(0) take their rounds beside the schedules, which shuffle where AES rounds do not. Then the message is
 * walked once, counter block j + 2 beside CMAC block j: eight independent chains of AES rounds.
 *
 *	step            schedules    0     1    ...  n-3   n-2   n-1   n
 *	counter block   0 and 1      2     3    ...  n-1
 *	CMAC block      AES(0)       0     1    ...  n-3   n-2   n-1   n     (last: with K1 or K2; n only where the prefix makes one)
 *
 * This file is a technique's body and is included once per technique. The includer defines, before:
 *	TARGET      function attribute that allows its instructions
 *	LANES       UEs per register
 *	vector      the register type
 *	and the v_ operations on it that are used below (aes128_vaes512.c is the one to read)
 *	struct ladder, ladder_begin(), ladder_step(): AES-128 key schedules of one tile (FIPS 197 5.2)
 * and gets fan_lockstep_protect().
 *
 * No branch and no address depends on a key, a COUNT or the text; only on lengths and counts.
 */
#include "technique.h"

#include <string.h>

#define VECTORS 4
#define TILE (VECTORS * LANES)
#define INLINE TARGET __attribute__((always_inline)) static inline
/* Without it gcc 12 keeps quads in memory: a tenth more cycles. */
#define EACH_REGISTER _Pragma("GCC unroll 4")
#define ROUND_KEYS 11
#define BLOCK 16
#define PREFIX 8 /* octets before the message in EIA2's input: COUNT, BEARER, DIRECTION */
#define PRIVATE_BLOCKS_MAX ((PREFIX + FAN_CLEAR_BYTES_MAX + FAN_HEAD_BLOCKS_MAX * BLOCK + BLOCK - 1) / BLOCK)

struct quad {
	vector v[VECTORS];
};

struct schedule {
	struct quad round_key[ROUND_KEYS];
};

/* A tile of UEs: everything that differs between them. */
struct tile {
	struct schedule enc, integrity;
	struct quad start; /* counter block 0 XOR round key 0 */
	struct quad chain; /* CMAC: round key 10 XOR round key 0, which makes the end of one block the beginning of the next */
	struct quad lead;  /* COUNT, BEARER, DIRECTION, zeros: 8 octets; zeros */
	uint8_t sequence_number[TILE][BLOCK] __attribute__((aligned(64))); /* zeros; the octet of a clear prefix of 1 */
	uint8_t *const *text;                                              /* of TILE packets: the batch's, or */
	uint8_t *padded[TILE]; /* in a tile that is not full, with a spare packet for the other lanes */
};

/* What a tile keeps for its walk beside the registers; on the engine's own memory, since it is derived from keys. */
struct fan_lockstep_scratch {
	struct tile tile;
	struct quad private_block[PRIVATE_BLOCKS_MAX]; /* MAC_THEN_CIPHER: CMAC blocks that hold UEs' own octets */
	uint8_t octets[TILE][2 * BLOCK] __attribute__((aligned(64)));
	uint8_t shared[FAN_PDU_BYTES_MAX + 4 * BLOCK] __attribute__((aligned(64))); /* CMAC input without what is a UE's own */
	uint8_t spare[FAN_SCRATCH_BYTES + FAN_CLEAR_BYTES_MAX + FAN_PDU_BYTES_MAX + 4 * BLOCK] __attribute__((aligned(64)));
	uint8_t counters[FAN_PDU_BYTES_MAX / BLOCK + 2][BLOCK] __attribute__((aligned(64)));
};

/* The walk's lengths, the same for all tiles of a batch. */
struct walk {
	const struct fan_shape *shape;
	unsigned counter_blocks, mac_blocks, private_blocks;
	unsigned mac_input_bytes; /* prefix, clear prefix, text */
};

/* ---- Rounds ------------------------------------------------------------------------------------------------------------ */

INLINE void
quad_xor(struct quad *state, const struct quad *with)
{
	EACH_REGISTER
	for (unsigned i = 0; i < VECTORS; i++)
		state->v[i] = v_xor(state->v[i], with->v[i]);
}

INLINE struct quad
quad_zero(void)
{
	struct quad out;

	EACH_REGISTER
	for (unsigned i = 0; i < VECTORS; i++)
		out.v[i] = v_zero();
	return out;
}

/* Round 1..10. */
INLINE void
quad_round(struct quad *state, const struct quad *key, unsigned round)
{
	EACH_REGISTER
	for (unsigned i = 0; i < VECTORS; i++)
		state->v[i] = round < ROUND_KEYS - 1 ? v_aesenc(state->v[i], key->v[i]) : v_aesenclast(state->v[i], key->v[i]);
}

/* AES on states that have been XORed with round key 0. */
INLINE void
encrypt(struct quad *state, const struct schedule *keys, const struct quad *last)
{
#pragma GCC unroll 9
	for (unsigned r = 1; r < ROUND_KEYS - 1; r++)
		EACH_REGISTER
	for (unsigned i = 0; i < VECTORS; i++)
		state->v[i] = v_aesenc(state->v[i], keys->round_key[r].v[i]);
	EACH_REGISTER
	for (unsigned i = 0; i < VECTORS; i++)
		state->v[i] = v_aesenclast(state->v[i], last->v[i]);
}

/* Two at once: eight chains hide the latency of a round. */
INLINE void
encrypt_pair(struct quad *a, const struct schedule *a_keys, struct quad *b, const struct schedule *b_keys,
	     const struct quad *b_last)
{
#pragma GCC unroll 9
	for (unsigned r = 1; r < ROUND_KEYS - 1; r++) {
		EACH_REGISTER
		for (unsigned i = 0; i < VECTORS; i++)
			a->v[i] = v_aesenc(a->v[i], a_keys->round_key[r].v[i]);
		EACH_REGISTER
		for (unsigned i = 0; i < VECTORS; i++)
			b->v[i] = v_aesenc(b->v[i], b_keys->round_key[r].v[i]);
	}
	EACH_REGISTER
	for (unsigned i = 0; i < VECTORS; i++)
		a->v[i] = v_aesenclast(a->v[i], a_keys->round_key[ROUND_KEYS - 1].v[i]);
	EACH_REGISTER
	for (unsigned i = 0; i < VECTORS; i++)
		b->v[i] = v_aesenclast(b->v[i], b_last->v[i]);
}

/* ---- Loading a tile ----------------------------------------------------------------------------------------------------- */

/* Where a tile's lanes find theirs: in the batch, or in a tile that is not full in copies of it. */
struct lanes_of_batch {
	struct fan_context *const *context;
	const uint32_t *count;
	struct fan_context *padded_context[TILE];
	uint32_t padded_count[TILE];
};

/* Lanes without a UE have the tile's first, and cipher a spare packet. */
static void
pad_tile(struct fan_lockstep_scratch *scratch, struct lanes_of_batch *lanes, const struct fan_batch *batch, unsigned first)
{
	struct tile *tile = &scratch->tile;
	const unsigned ue_count = batch->ue_count - first;

	for (unsigned i = 0; i < TILE; i++) {
		const unsigned ue = i < ue_count ? first + i : first;

		lanes->padded_context[i] = batch->context[ue];
		lanes->padded_count[i] = batch->count[ue];
		tile->padded[i] = i < ue_count ? batch->text[ue] : scratch->spare + 2 * BLOCK;
	}
	lanes->context = lanes->padded_context;
	lanes->count = lanes->padded_count;
	tile->text = tile->padded;
}

/* Where a tile's UEs are. Their sequence numbers are written an octet at a time and read as vectors only after the key schedules,
 * when the stores have long reached the cache. */
INLINE void
find_lanes(struct fan_lockstep_scratch *scratch, struct lanes_of_batch *lanes, const struct fan_batch *batch, unsigned first)
{
	struct tile *tile = &scratch->tile;

	lanes->context = batch->context + first;
	lanes->count = batch->count + first;
	tile->text = batch->text + first;
	if (batch->ue_count - first < TILE)
		pad_tile(scratch, lanes, batch, first);
	for (unsigned i = 0; batch->shape->clear_bytes == 1 && i < TILE; i++)
		tile->sequence_number[i][BLOCK - 1] = tile->text[i][-1];
}

/* Octets first .. first + octets - 1 of each UE's CMAC input block, the others zero. The input lies in the packet as if the prefix
 * stood before the clear prefix. */
INLINE struct quad
gather_mac_block(const struct tile *tile, const struct walk *walk, unsigned block, unsigned end)
{
	const unsigned begin = block == 0 ? PREFIX : 0;
	const unsigned limit = end - block * BLOCK < BLOCK ? end - block * BLOCK : BLOCK;
	const ptrdiff_t offset = (ptrdiff_t)block * BLOCK - PREFIX - walk->shape->clear_bytes;
	struct quad out;

	EACH_REGISTER
	for (unsigned i = 0; i < VECTORS; i++)
		out.v[i] = v_gather(tile->text + i * LANES, offset, begin, limit);
	if (block == 0)
		EACH_REGISTER
	for (unsigned i = 0; i < VECTORS; i++)
		out.v[i] = v_xor(out.v[i], tile->lead.v[i]);
	return out;
}

/* Plaintext of block j: the UE's own while inside the private head, else the message's. */
INLINE struct quad
load_text(const struct tile *tile, const struct fan_shape *shape, unsigned block, unsigned octets)
{
	struct quad out;

	EACH_REGISTER
	for (unsigned i = 0; i < VECTORS; i++)
		out.v[i] = block < shape->head_blocks ? v_gather(tile->text + i * LANES, (ptrdiff_t)block * BLOCK, 0, octets)
						      : v_broadcast(shape->message + block * BLOCK);
	return out;
}

/* Ciphertext into the packets. */
INLINE void
store_text(const struct tile *tile, const struct quad *block, unsigned at, unsigned octets)
{
	EACH_REGISTER
	for (unsigned i = 0; i < VECTORS; i++)
		v_scatter(tile->text + i * LANES, at, block->v[i], octets);
}

/* ---- The walk -------------------------------------------------------------------------------------------------------------- */

INLINE struct quad
begin_counter(const struct fan_lockstep_scratch *scratch, const struct tile *tile, unsigned block)
{
	const vector number = v_broadcast(scratch->counters[block]);
	struct quad state;

	EACH_REGISTER
	for (unsigned i = 0; i < VECTORS; i++)
		state.v[i] = v_xor(tile->start.v[i], number);
	return state;
}

/* CMAC subkeys (SP 800-38B 6.1): closes the last block with K1, or with padding and K2. */
INLINE struct quad
closing(const struct quad *subkey, const struct walk *walk)
{
	const unsigned over = walk->mac_input_bytes % BLOCK;
	uint8_t padding[BLOCK] __attribute__((aligned(16))) = { 0 };
	struct quad out;

	padding[over] = over != 0 ? 0x80 : 0;
	EACH_REGISTER
	for (unsigned i = 0; i < VECTORS; i++) {
		out.v[i] = v_double(subkey->v[i]);
		if (over != 0)
			out.v[i] = v_xor(v_double(out.v[i]), v_broadcast(padding));
	}
	return out;
}

/* CMAC block `block` of a message that the UEs share but for its first blocks. */
INLINE struct quad
shared_mac_block(const struct fan_lockstep_scratch *scratch, const struct walk *walk, unsigned block)
{
	const vector shared = v_broadcast(scratch->shared + block * BLOCK);
	struct quad out;

	EACH_REGISTER
	for (unsigned i = 0; i < VECTORS; i++)
		out.v[i] = block < walk->private_blocks ? v_xor(scratch->private_block[block].v[i], shared) : shared;
	return out;
}

/* CMAC block over ciphertext: 9 octets of lead shift every block by 7. */
INLINE struct quad
shifted_mac_block(const struct quad *before, const struct quad *block)
{
	struct quad out;

	EACH_REGISTER
	for (unsigned i = 0; i < VECTORS; i++)
		out.v[i] = v_shift7(block->v[i], before->v[i]);
	return out;
}

INLINE void
store_macs(struct fan_lockstep_scratch *scratch, const struct tile *tile, const struct quad *mac, ptrdiff_t at)
{
	EACH_REGISTER
	for (unsigned i = 0; i < VECTORS; i++)
		v_store(scratch->octets[0] + i * LANES * BLOCK, mac->v[i]);
	for (unsigned i = 0; i < TILE; i++)
		memcpy(tile->text[i] + at, scratch->octets[0] + i * BLOCK, FAN_MAC_BYTES);
}

/* MAC-I behind the text, ciphered with the keystream that follows the text's. Keystream octets lie two blocks per UE. */
INLINE void
store_ciphered_macs(struct fan_lockstep_scratch *scratch, const struct tile *tile, const struct quad *mac,
		    const struct walk *walk)
{
	const unsigned text_bytes = walk->shape->text_bytes;
	uint8_t macs[TILE][BLOCK] __attribute__((aligned(64)));

	EACH_REGISTER
	for (unsigned i = 0; i < VECTORS; i++)
		v_store(macs[i * LANES], mac->v[i]);
	for (unsigned i = 0; i < TILE; i++) {
		uint32_t value, stream;

		memcpy(&value, macs[i], sizeof(value));
		memcpy(&stream, scratch->octets[i] + text_bytes % BLOCK, sizeof(stream));
		value ^= stream;
		memcpy(tile->text[i] + text_bytes, &value, sizeof(value));
	}
}

/* Keeps the keystream of the last block that holds text, and of the one after it, for MAC-I. */
INLINE void
keep_stream(struct fan_lockstep_scratch *scratch, const struct quad *stream, unsigned block, const struct walk *walk)
{
	const unsigned first = walk->shape->text_bytes / BLOCK;
	uint8_t *at[TILE];

	if (block < first)
		return;
	for (unsigned i = 0; i < TILE; i++)
		at[i] = scratch->octets[i];
	EACH_REGISTER
	for (unsigned i = 0; i < VECTORS; i++)
		v_scatter(at + i * LANES, (block - first) * BLOCK, stream->v[i], BLOCK);
}

/* Ciphers block j, of 16 octets: keystream XOR text, into the packets. Returns the ciphertext. */
INLINE struct quad
cipher_whole_block(const struct tile *tile, const struct fan_shape *shape, struct quad stream, unsigned j)
{
	const struct quad text = load_text(tile, shape, j, BLOCK);

	quad_xor(&stream, &text);
	store_text(tile, &stream, j * BLOCK, BLOCK);
	return stream;
}

/* Ciphers block j, which may be the last. Returns the ciphertext, zeros behind the text's end. */
INLINE struct quad
cipher_block(const struct tile *tile, const struct fan_shape *shape, struct quad stream, unsigned j)
{
	const unsigned left = shape->text_bytes - j * BLOCK;
	struct quad text;

	if (left >= BLOCK)
		return cipher_whole_block(tile, shape, stream, j);
	text = load_text(tile, shape, j, left);
	quad_xor(&stream, &text);
	store_text(tile, &stream, j * BLOCK, left);
	EACH_REGISTER
	for (unsigned i = 0; i < VECTORS; i++)
		stream.v[i] = v_keep(stream.v[i], left);
	return stream;
}

/* What a tile's first step leaves: the keystream of two blocks, and AES_K(0). */
struct beginning {
	struct quad stream[2], subkey;
};

/*
 * Key schedules, and beside them whatever can take each round key when it comes: the vector shuffles of a schedule and AES rounds
 * have execution ports of their own. The second counter block is for nothing where the text is shorter.
 */
INLINE struct beginning
begin_tile(struct fan_lockstep_scratch *scratch, const struct lanes_of_batch *lanes, const bool mac)
{
	struct tile *tile = &scratch->tile;
	struct ladder enc, integrity;
	struct beginning out;

	ladder_begin(&enc, tile->enc.round_key[0].v, lanes->context, offsetof(struct fan_context, k_enc));
	if (mac)
		ladder_begin(&integrity, tile->integrity.round_key[0].v, lanes->context, offsetof(struct fan_context, k_int));
	EACH_REGISTER
	for (unsigned i = 0; i < VECTORS; i++) {
		tile->lead.v[i] = v_lead(lanes->context + i * LANES, lanes->count + i * LANES);
		tile->start.v[i] = v_xor(tile->lead.v[i], tile->enc.round_key[0].v[i]);
	}
	out.stream[0] = tile->start;
	out.stream[1] = begin_counter(scratch, tile, 1);
	if (mac)
		out.subkey = tile->integrity.round_key[0];
#pragma GCC unroll 1
	for (unsigned r = 1; r < ROUND_KEYS; r++) {
		struct quad key;

		ladder_step(&enc, key.v, r);
		tile->enc.round_key[r] = key;
		quad_round(&out.stream[0], &key, r);
		quad_round(&out.stream[1], &key, r);
		if (!mac)
			continue;
		ladder_step(&integrity, key.v, r);
		tile->integrity.round_key[r] = key;
		quad_round(&out.subkey, &key, r);
	}
	EACH_REGISTER
	for (unsigned i = 0; mac && i < VECTORS; i++)
		tile->chain.v[i] = v_xor(tile->integrity.round_key[ROUND_KEYS - 1].v[i], tile->integrity.round_key[0].v[i]);
	return out;
}

/* Cipher alone has no second stream of blocks: two counter blocks at a time make the eight chains. */
INLINE void
walk_cipher_only(struct fan_lockstep_scratch *scratch, const struct lanes_of_batch *lanes, const struct walk *walk)
{
	const struct tile *tile = &scratch->tile;
	struct beginning begun = begin_tile(scratch, lanes, false);
	unsigned j = 2;

	(void)cipher_block(tile, walk->shape, begun.stream[0], 0);
	if (walk->counter_blocks > 1)
		(void)cipher_block(tile, walk->shape, begun.stream[1], 1);
	for (; j + 1 < walk->counter_blocks; j += 2) {
		struct quad first = begin_counter(scratch, tile, j), second = begin_counter(scratch, tile, j + 1);

		encrypt_pair(&first, &tile->enc, &second, &tile->enc, &tile->enc.round_key[ROUND_KEYS - 1]);
		(void)cipher_block(tile, walk->shape, first, j);
		(void)cipher_block(tile, walk->shape, second, j + 1);
	}
	if (j < walk->counter_blocks) {
		struct quad last = begin_counter(scratch, tile, j);

		encrypt(&last, &tile->enc, &tile->enc.round_key[ROUND_KEYS - 1]);
		(void)cipher_block(tile, walk->shape, last, j);
	}
}

INLINE struct quad
mac_block(const struct fan_lockstep_scratch *scratch, const struct walk *walk, const struct quad *before,
	  const struct quad *block, unsigned m, const unsigned sequence)
{
	return sequence == FAN_CIPHER_THEN_MAC ? shifted_mac_block(before, block) : shared_mac_block(scratch, walk, m);
}

INLINE void
keep_private_blocks(struct fan_lockstep_scratch *scratch, const struct tile *tile, const struct walk *walk)
{
	const struct fan_shape *shape = walk->shape;
	const unsigned head_bytes = fan_shape_head_bytes(shape);

	for (unsigned m = 0; m < walk->private_blocks; m++)
		scratch->private_block[m] = gather_mac_block(tile, walk, m, PREFIX + shape->clear_bytes + head_bytes);
}

/*
 * One tile with a MAC. `before` and `block` are the last two ciphertext blocks, which CIPHER_THEN_MAC takes its input from. The
 * compiler makes one copy per constant `sequence`.
 */
INLINE void
walk_tile(struct fan_lockstep_scratch *scratch, const struct lanes_of_batch *lanes, const struct walk *walk,
	  const unsigned sequence)
{
	const struct fan_shape *shape = walk->shape;
	const struct tile *tile = &scratch->tile;
	struct beginning begun = begin_tile(scratch, lanes, true);
	const struct quad close = closing(&begun.subkey, walk);
	/* A copy, which stays in registers: for all that the compiler knows, storing text changes the tile. */
	const struct quad chain = tile->chain;
	struct quad mac = tile->integrity.round_key[0], before, block;
	unsigned j = 0;

	if (sequence == FAN_MAC_THEN_CIPHER)
		keep_private_blocks(scratch, tile, walk);
	EACH_REGISTER
	for (unsigned i = 0; i < VECTORS; i++)
		before.v[i] = v_xor(v_raise7(tile->lead.v[i]), v_load(tile->sequence_number[i * LANES]));
	/* Blocks that are whole, for two counter blocks come after them. */
	for (; j + 2 < walk->counter_blocks; j++) {
		struct quad input, ahead = begin_counter(scratch, tile, j + 2);

		if (sequence == FAN_MAC_THEN_CIPHER)
			keep_stream(scratch, &begun.stream[0], j, walk);
		block = cipher_whole_block(tile, shape, begun.stream[0], j);
		input = mac_block(scratch, walk, &before, &block, j, sequence);
		quad_xor(&mac, &input);
		encrypt_pair(&ahead, &tile->enc, &mac, &tile->integrity, &chain);
		before = block;
		begun.stream[0] = begun.stream[1];
		begun.stream[1] = ahead;
	}
	for (; j < walk->mac_blocks; j++) {
		struct quad input;

		if (sequence == FAN_MAC_THEN_CIPHER && j < walk->counter_blocks)
			keep_stream(scratch, &begun.stream[0], j, walk);
		block = j * BLOCK < shape->text_bytes ? cipher_block(tile, shape, begun.stream[0], j) : quad_zero();
		input = mac_block(scratch, walk, &before, &block, j, sequence);
		quad_xor(&mac, &input);
		if (j + 1 == walk->mac_blocks)
			quad_xor(&mac, &close);
		encrypt(&mac, &tile->integrity,
			j + 1 == walk->mac_blocks ? &tile->integrity.round_key[ROUND_KEYS - 1] : &tile->chain);
		before = block;
		begun.stream[0] = begun.stream[1];
	}
	if (sequence == FAN_CIPHER_THEN_MAC)
		store_macs(scratch, tile, &mac, -(ptrdiff_t)FAN_MAC_BYTES - shape->clear_bytes);
	else
		store_ciphered_macs(scratch, tile, &mac, walk);
}

/* CIPHER_THEN_MAC with a clear prefix of another length than NAS has: ciphers, then reads the packets again. */
TARGET static void
mac_from_packets(struct fan_lockstep_scratch *scratch, const struct tile *tile, const struct walk *walk)
{
	struct quad subkey = tile->integrity.round_key[0], mac;
	struct quad close;

	encrypt(&subkey, &tile->integrity, &tile->integrity.round_key[ROUND_KEYS - 1]);
	close = closing(&subkey, walk);
	EACH_REGISTER
	for (unsigned i = 0; i < VECTORS; i++)
		mac.v[i] = v_zero();
	for (unsigned m = 0; m < walk->mac_blocks; m++) {
		const struct quad input = gather_mac_block(tile, walk, m, walk->mac_input_bytes);

		quad_xor(&mac, &input);
		quad_xor(&mac, &tile->integrity.round_key[0]);
		if (m + 1 == walk->mac_blocks)
			quad_xor(&mac, &close);
		encrypt(&mac, &tile->integrity, &tile->integrity.round_key[ROUND_KEYS - 1]);
	}
	store_macs(scratch, tile, &mac, -(ptrdiff_t)FAN_MAC_BYTES - walk->shape->clear_bytes);
}

/* The part of the CMAC input that all UEs share, with zeros where their own octets go; and those octets, before they are ciphered. */
TARGET static void
lay_out_mac_input(struct fan_lockstep_scratch *scratch, const struct walk *walk)
{
	const struct fan_shape *shape = walk->shape;
	const unsigned lead_bytes = PREFIX + shape->clear_bytes;
	const unsigned head_bytes = fan_shape_head_bytes(shape);

	memset(scratch->shared, 0, lead_bytes + head_bytes);
	memcpy(scratch->shared + lead_bytes + head_bytes, shape->message + head_bytes, shape->text_bytes - head_bytes);
	memset(scratch->shared + walk->mac_input_bytes, 0, BLOCK);
}

static struct walk
plan_walk(const struct fan_shape *shape)
{
	const unsigned trailer_bytes = shape->sequence == FAN_MAC_THEN_CIPHER ? FAN_MAC_BYTES : 0;
	const unsigned head_bytes = fan_shape_head_bytes(shape);
	struct walk walk = {
		.shape = shape,
		.counter_blocks = (shape->text_bytes + trailer_bytes + BLOCK - 1) / BLOCK,
		.mac_input_bytes = PREFIX + (unsigned)shape->clear_bytes + shape->text_bytes,
		.private_blocks = (PREFIX + (unsigned)shape->clear_bytes + head_bytes + BLOCK - 1) / BLOCK,
	};

	walk.mac_blocks = (walk.mac_input_bytes + BLOCK - 1) / BLOCK;
	return walk;
}

TARGET static void
protect_tile(struct fan_lockstep_scratch *scratch, const struct lanes_of_batch *lanes, const struct walk *walk)
{
	switch (walk->shape->sequence) {
	case FAN_CIPHER_ONLY:
		walk_cipher_only(scratch, lanes, walk);
		break;
	case FAN_MAC_THEN_CIPHER:
		walk_tile(scratch, lanes, walk, FAN_MAC_THEN_CIPHER);
		break;
	default:
		walk_tile(scratch, lanes, walk, FAN_CIPHER_THEN_MAC);
		if (walk->shape->clear_bytes != 1)
			mac_from_packets(scratch, &scratch->tile, walk);
	}
}

TARGET static void
protect(struct fan_lockstep_scratch *scratch, const struct fan_batch *batch)
{
	const struct walk walk = plan_walk(batch->shape);

	if (batch->shape->sequence == FAN_MAC_THEN_CIPHER)
		lay_out_mac_input(scratch, &walk);
	for (unsigned first = 0; first < batch->ue_count; first += TILE) {
		struct lanes_of_batch lanes;

		find_lanes(scratch, &lanes, batch, first);
		fan_ahead_fetch(&batch->ahead, first, first + TILE);
		protect_tile(scratch, &lanes, &walk);
	}
}

static bool
takes_aes(const struct fan_shape *shape)
{
	return shape->cipher == 2 && (shape->sequence == FAN_CIPHER_ONLY || shape->integrity == 2);
}

static void
init_scratch(struct fan_lockstep_scratch *scratch)
{
	for (unsigned i = 0; i < sizeof(scratch->counters) / BLOCK; i++)
		scratch->counters[i][BLOCK - 1] = (uint8_t)i;
}
