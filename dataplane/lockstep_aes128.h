/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The lockstep walk of 128-EEA2 and 128-EIA2 (TS 33.401 B.1.3, B.2.3; NEA2 and NIA2 likewise): all UEs of a batch have the same
 * message and lengths and differ only in key and COUNT, so there is nothing to schedule. A group of UEs sits in the 128-bit lanes of
 * four vector registers and walks the message once: counter block j beside CMAC block j - 1, which makes eight independent chains
 * of AES rounds, while the key schedules of the next group are expanded between the blocks. The CMAC subkey block AES_K(0) runs
 * beside counter block 0.
 *
 *	step            0     1     2    ...  n-1    n    ...
 *	counter block   0     1     2    ...  n-1
 *	CMAC block    AES(0)  0     1    ...  n-2   n-1   ...  (last: with K1 or K2)
 *	next group      key schedules, some rounds per step
 *
 * This file is a technique's body and is included once per technique. The includer defines, before:
 *	TARGET      function attribute that allows its instructions
 *	LANES       UEs per register
 *	vector      the register type
 *	and the v_ operations on it that are used below (engine_lockstep_vaes512.c is the one to read)
 *	struct ladder, ladder_begin(), ladder_step(): AES-128 key schedules of one group (FIPS 197 5.2)
 * and gets fan_lockstep_protect().
 *
 * No branch and no address depends on a key, a COUNT or the text; only on lengths and counts.
 */
#include "lockstep.h"

#include <string.h>

#define VECTORS 4
#define GROUP (VECTORS * LANES)
#define INLINE TARGET __attribute__((always_inline)) static inline
#define ROUND_KEYS 11
#define BLOCK 16
#define PREFIX 8 /* octets before the message in EIA2's input: COUNT, BEARER, DIRECTION */
#define PRIVATE_BLOCKS_MAX ((PREFIX + FAN_CLEAR_BYTES_MAX + FAN_HEAD_BLOCKS_MAX * BLOCK + BLOCK - 1) / BLOCK)

struct quad {
	vector v[VECTORS];
};

/* Written a UE at a time, read as vectors a whole walk later, when the stores have long reached the cache. */
union lanes {
	struct quad quad;
	uint64_t half[GROUP][2];
};

struct schedule {
	struct quad round_key[ROUND_KEYS];
};

/* A group of UEs: everything that differs between them. */
struct group {
	struct schedule enc, integrity;
	struct ladder enc_ladder, integrity_ladder;
	struct quad start; /* counter block 0 XOR round key 0 */
	struct quad chain; /* CMAC: round key 10 XOR round key 0, which makes the end of one block the beginning of the next */
	union lanes lead;  /* COUNT, BEARER, DIRECTION, zeros: 8 octets; the octet of a clear prefix of 1 */
	uint8_t *const *text;   /* of GROUP packets: the batch's, or */
	uint8_t *padded[GROUP]; /* in a group that is not full, with a spare packet for the other lanes */
};

/* What a group keeps for its walk beside the registers; on the engine's own memory, since it is derived from keys. */
struct fan_lockstep_scratch {
	struct group group[2];
	struct quad private_block[PRIVATE_BLOCKS_MAX]; /* MAC_THEN_CIPHER: CMAC blocks that hold UEs' own octets */
	uint8_t octets[GROUP][2 * BLOCK] __attribute__((aligned(64)));
	uint8_t shared[FAN_PDU_BYTES_MAX + 4 * BLOCK] __attribute__((aligned(64))); /* CMAC input without what is a UE's own */
	uint8_t spare[FAN_SCRATCH_BYTES + FAN_CLEAR_BYTES_MAX + FAN_PDU_BYTES_MAX + 4 * BLOCK] __attribute__((aligned(64)));
	uint8_t counters[FAN_PDU_BYTES_MAX / BLOCK + 2][BLOCK] __attribute__((aligned(64)));
};

/* The walk's lengths, the same for all groups of a batch. */
struct walk {
	const struct fan_shape *shape;
	unsigned counter_blocks, mac_blocks, private_blocks;
	unsigned mac_input_bytes; /* prefix, clear prefix, text */
	unsigned rounds_per_step; /* of the next group's key schedules */
	bool mac;
};

/* Octets of the text that are the UE's own. */
static inline unsigned
head_octets(const struct fan_shape *shape)
{
	const unsigned head_bytes = (unsigned)shape->head_blocks * BLOCK;

	return head_bytes < shape->text_bytes ? head_bytes : shape->text_bytes;
}

/* ---- Rounds ------------------------------------------------------------------------------------------------------------ */

INLINE void
quad_xor(struct quad *state, const struct quad *with)
{
	for (unsigned i = 0; i < VECTORS; i++)
		state->v[i] = v_xor(state->v[i], with->v[i]);
}

/* AES on states that have been XORed with round key 0. */
INLINE void
encrypt(struct quad *state, const struct schedule *keys, const struct quad *last)
{
#pragma GCC unroll 9
	for (unsigned r = 1; r < ROUND_KEYS - 1; r++)
		for (unsigned i = 0; i < VECTORS; i++)
			state->v[i] = v_aesenc(state->v[i], keys->round_key[r].v[i]);
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
		for (unsigned i = 0; i < VECTORS; i++)
			a->v[i] = v_aesenc(a->v[i], a_keys->round_key[r].v[i]);
		for (unsigned i = 0; i < VECTORS; i++)
			b->v[i] = v_aesenc(b->v[i], b_keys->round_key[r].v[i]);
	}
	for (unsigned i = 0; i < VECTORS; i++)
		a->v[i] = v_aesenclast(a->v[i], a_keys->round_key[ROUND_KEYS - 1].v[i]);
	for (unsigned i = 0; i < VECTORS; i++)
		b->v[i] = v_aesenclast(b->v[i], b_last->v[i]);
}

/* Some rounds of the next group's schedules; `round` goes 1..11, 11 when they are complete. */
INLINE unsigned
expand(struct group *next, unsigned round, unsigned rounds, bool mac)
{
	const unsigned end = round + rounds < ROUND_KEYS ? round + rounds : ROUND_KEYS;
	/* In registers for as many rounds as there are: from one round to the next, memory is a longer way than the round. */
	struct ladder enc, integrity;

	if (round >= end)
		return round;
	enc = next->enc_ladder;
	if (mac)
		integrity = next->integrity_ladder;
	for (; round < end; round++) {
		ladder_step(&enc, next->enc.round_key[round].v, round);
		if (mac)
			ladder_step(&integrity, next->integrity.round_key[round].v, round);
	}
	next->enc_ladder = enc;
	if (mac)
		next->integrity_ladder = integrity;
	return round;
}

/* The rest of the next group's schedules, and what follows from them. */
INLINE void
complete(struct group *next, unsigned round, bool mac)
{
	expand(next, round, ROUND_KEYS, mac);
	for (unsigned i = 0; i < VECTORS; i++)
		next->start.v[i] = v_xor(v_keep(next->lead.quad.v[i], PREFIX), next->enc.round_key[0].v[i]);
	for (unsigned i = 0; mac && i < VECTORS; i++)
		next->chain.v[i] = v_xor(next->integrity.round_key[ROUND_KEYS - 1].v[i], next->integrity.round_key[0].v[i]);
}

/* ---- Loading a group ----------------------------------------------------------------------------------------------------- */

/* Octet 0..7 of a counter block and of EIA2's prefix are the same: COUNT, BEARER || DIRECTION, zeros. */
static inline uint64_t
count_prefix(const struct fan_context *context, uint32_t count)
{
	return __builtin_bswap32(count) | (uint64_t)context->bearer_direction << 32;
}

/* Where a group's lanes find theirs: in the batch, or in a group that is not full in copies of it. */
struct lanes_of_batch {
	struct fan_context *const *context;
	const uint32_t *count;
	struct fan_context *padded_context[GROUP];
	uint32_t padded_count[GROUP];
};

/* Lanes without a UE have the group's first, and cipher a spare packet. */
static void
pad_group(struct fan_lockstep_scratch *scratch, struct group *group, struct lanes_of_batch *lanes,
	  const struct fan_batch *batch, unsigned first)
{
	const unsigned ue_count = batch->ue_count - first;

	for (unsigned i = 0; i < GROUP; i++) {
		const unsigned ue = i < ue_count ? first + i : first;

		lanes->padded_context[i] = batch->context[ue];
		lanes->padded_count[i] = batch->count[ue];
		group->padded[i] = i < ue_count ? batch->text[ue] : scratch->spare + 2 * BLOCK;
	}
	lanes->context = lanes->padded_context;
	lanes->count = lanes->padded_count;
	group->text = group->padded;
}

TARGET static void
load_group(struct fan_lockstep_scratch *scratch, struct group *group, const struct fan_batch *batch, unsigned first,
	   const struct walk *walk)
{
	const bool lead = walk->shape->sequence == FAN_CIPHER_THEN_MAC && walk->shape->clear_bytes == 1;
	struct lanes_of_batch lanes;

	lanes.context = batch->context + first;
	lanes.count = batch->count + first;
	group->text = batch->text + first;
	if (batch->ue_count - first < GROUP)
		pad_group(scratch, group, &lanes, batch, first);
	for (unsigned i = 0; i < GROUP; i++) {
		group->lead.half[i][0] = count_prefix(lanes.context[i], lanes.count[i]);
		group->lead.half[i][1] = 0;
	}
	for (unsigned i = 0; lead && i < GROUP; i++)
		group->lead.half[i][1] = group->text[i][-1];
	ladder_begin(&group->enc_ladder, group->enc.round_key[0].v, lanes.context, offsetof(struct fan_context, k_enc));
	if (walk->mac)
		ladder_begin(&group->integrity_ladder, group->integrity.round_key[0].v, lanes.context,
			     offsetof(struct fan_context, k_int));
}

/* Octets first .. first + octets - 1 of each UE's CMAC input block, the others zero. The input lies in the packet as if the prefix
 * stood before the clear prefix. */
INLINE struct quad
gather_mac_block(const struct group *group, const struct walk *walk, unsigned block, unsigned end)
{
	const unsigned begin = block == 0 ? PREFIX : 0;
	const unsigned limit = end - block * BLOCK < BLOCK ? end - block * BLOCK : BLOCK;
	const ptrdiff_t offset = (ptrdiff_t)block * BLOCK - PREFIX - walk->shape->clear_bytes;
	struct quad out;

	for (unsigned i = 0; i < VECTORS; i++)
		out.v[i] = v_gather(group->text + i * LANES, offset, begin, limit);
	if (block == 0)
		for (unsigned i = 0; i < VECTORS; i++)
			out.v[i] = v_xor(out.v[i], v_keep(group->lead.quad.v[i], PREFIX));
	return out;
}

/* Plaintext of block j: the UE's own while inside the private head, else the message's. */
INLINE struct quad
load_text(const struct group *group, const struct fan_shape *shape, unsigned block)
{
	const unsigned left = shape->text_bytes - block * BLOCK;
	struct quad out;

	for (unsigned i = 0; i < VECTORS; i++)
		out.v[i] = block < shape->head_blocks
				   ? v_gather(group->text + i * LANES, (ptrdiff_t)block * BLOCK, 0, left < BLOCK ? left : BLOCK)
				   : v_broadcast(shape->message + block * BLOCK);
	return out;
}

/* Ciphertext into the packets. */
INLINE void
store_text(const struct group *group, const struct quad *block, unsigned at, unsigned octets)
{
	for (unsigned i = 0; i < VECTORS; i++)
		v_scatter(group->text + i * LANES, at, block->v[i], octets);
}

/* ---- The walk -------------------------------------------------------------------------------------------------------------- */

INLINE struct quad
begin_counter(const struct fan_lockstep_scratch *scratch, const struct group *group, unsigned block)
{
	const vector number = v_broadcast(scratch->counters[block]);
	struct quad state;

	for (unsigned i = 0; i < VECTORS; i++)
		state.v[i] = v_xor(group->start.v[i], number);
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

	for (unsigned i = 0; i < VECTORS; i++)
		out.v[i] = block < walk->private_blocks ? v_xor(scratch->private_block[block].v[i], shared) : shared;
	return out;
}

/* CMAC block over ciphertext: 9 octets of lead shift every block by 7. */
INLINE struct quad
shifted_mac_block(const struct quad *before, const struct quad *block)
{
	struct quad out;

	for (unsigned i = 0; i < VECTORS; i++)
		out.v[i] = v_shift7(block->v[i], before->v[i]);
	return out;
}

INLINE void
store_macs(struct fan_lockstep_scratch *scratch, const struct group *group, const struct quad *mac, ptrdiff_t at)
{
	for (unsigned i = 0; i < VECTORS; i++)
		v_store(scratch->octets[0] + i * LANES * BLOCK, mac->v[i]);
	for (unsigned i = 0; i < GROUP; i++)
		memcpy(group->text[i] + at, scratch->octets[0] + i * BLOCK, FAN_MAC_BYTES);
}

/* MAC-I behind the text, ciphered with the keystream that follows the text's. Keystream octets lie two blocks per UE. */
INLINE void
store_ciphered_macs(struct fan_lockstep_scratch *scratch, const struct group *group, const struct quad *mac,
		    const struct walk *walk)
{
	const unsigned text_bytes = walk->shape->text_bytes;
	uint8_t macs[GROUP][BLOCK] __attribute__((aligned(64)));

	for (unsigned i = 0; i < VECTORS; i++)
		v_store(macs[i * LANES], mac->v[i]);
	for (unsigned i = 0; i < GROUP; i++) {
		uint32_t value, stream;

		memcpy(&value, macs[i], sizeof(value));
		memcpy(&stream, scratch->octets[i] + text_bytes % BLOCK, sizeof(stream));
		value ^= stream;
		memcpy(group->text[i] + text_bytes, &value, sizeof(value));
	}
}

/* Keeps the keystream of the last block that holds text, and of the one after it, for MAC-I. */
INLINE void
keep_stream(struct fan_lockstep_scratch *scratch, const struct quad *stream, unsigned block, const struct walk *walk)
{
	const unsigned first = walk->shape->text_bytes / BLOCK;
	uint8_t *at[GROUP];

	if (block < first)
		return;
	for (unsigned i = 0; i < GROUP; i++)
		at[i] = scratch->octets[i];
	for (unsigned i = 0; i < VECTORS; i++)
		v_scatter(at + i * LANES, (block - first) * BLOCK, stream->v[i], BLOCK);
}

/* Ciphers block j: keystream XOR text, into the packets. Returns the ciphertext, zeros behind the text's end. */
INLINE struct quad
cipher_block(const struct group *group, const struct fan_shape *shape, struct quad stream, unsigned j)
{
	const unsigned left = shape->text_bytes - j * BLOCK;
	const struct quad text = load_text(group, shape, j);

	quad_xor(&stream, &text);
	store_text(group, &stream, j * BLOCK, left < BLOCK ? left : BLOCK);
	if (left < BLOCK)
		for (unsigned i = 0; i < VECTORS; i++)
			stream.v[i] = v_keep(stream.v[i], left);
	return stream;
}

/* Cipher alone has no second stream of blocks: two counter blocks at a time make the eight chains. */
INLINE void
walk_cipher_only(const struct fan_lockstep_scratch *scratch, struct group *group, struct group *next, const struct walk *walk)
{
	unsigned round = next != NULL ? 1 : ROUND_KEYS, j = 0;

	for (; j + 1 < walk->counter_blocks; j += 2) {
		struct quad first = begin_counter(scratch, group, j), second = begin_counter(scratch, group, j + 1);

		encrypt_pair(&first, &group->enc, &second, &group->enc, &group->enc.round_key[ROUND_KEYS - 1]);
		(void)cipher_block(group, walk->shape, first, j);
		(void)cipher_block(group, walk->shape, second, j + 1);
		round = expand(next, round, walk->rounds_per_step, false);
	}
	if (j < walk->counter_blocks) {
		struct quad last = begin_counter(scratch, group, j);

		encrypt(&last, &group->enc, &group->enc.round_key[ROUND_KEYS - 1]);
		(void)cipher_block(group, walk->shape, last, j);
	}
	if (next != NULL)
		complete(next, round, false);
}

INLINE struct quad
mac_block(const struct fan_lockstep_scratch *scratch, const struct walk *walk, const struct quad *before,
	  const struct quad *block, unsigned m, const unsigned sequence)
{
	return sequence == FAN_CIPHER_THEN_MAC ? shifted_mac_block(before, block) : shared_mac_block(scratch, walk, m);
}

/* CMAC blocks from the one that holds the last counter block's text on: one or two, the last closed with a subkey. */
INLINE unsigned
finish_mac(const struct fan_lockstep_scratch *scratch, struct group *group, struct group *next, const struct walk *walk,
	   struct quad *mac, const struct quad *close, struct quad before, struct quad block, unsigned round,
	   const unsigned sequence)
{
	for (unsigned m = walk->counter_blocks - 1; m < walk->mac_blocks; m++) {
		const struct quad input = mac_block(scratch, walk, &before, &block, m, sequence);

		quad_xor(mac, &input);
		if (m + 1 == walk->mac_blocks)
			quad_xor(mac, close);
		encrypt(mac, &group->integrity,
			m + 1 == walk->mac_blocks ? &group->integrity.round_key[ROUND_KEYS - 1] : &group->chain);
		round = expand(next, round, walk->rounds_per_step, true);
		before = block;
		for (unsigned i = 0; i < VECTORS; i++)
			block.v[i] = v_zero();
	}
	return round;
}

/*
 * One group with a MAC. `before` and `block` are the last two ciphertext blocks, which CIPHER_THEN_MAC takes its input from. The
 * compiler makes one copy per constant `sequence`.
 */
INLINE void
walk_group(struct fan_lockstep_scratch *scratch, struct group *group, struct group *next, const struct walk *walk,
	   const unsigned sequence)
{
	const struct fan_shape *shape = walk->shape;
	unsigned round = next != NULL ? 1 : ROUND_KEYS;
	struct quad stream = begin_counter(scratch, group, 0);
	struct quad mac = group->integrity.round_key[0], before, block, close;

	for (unsigned i = 0; i < VECTORS; i++)
		before.v[i] = v_raise7(group->lead.quad.v[i]);
	encrypt_pair(&stream, &group->enc, &mac, &group->integrity, &group->integrity.round_key[ROUND_KEYS - 1]);
	close = closing(&mac, walk);
	mac = group->integrity.round_key[0];
	for (unsigned j = 0;; j++) {
		if (sequence == FAN_MAC_THEN_CIPHER)
			keep_stream(scratch, &stream, j, walk);
		block = stream;
		if (j * BLOCK < shape->text_bytes)
			block = cipher_block(group, shape, stream, j);
		round = expand(next, round, walk->rounds_per_step, true);
		if (j + 1 == walk->counter_blocks)
			break;
		const struct quad input = mac_block(scratch, walk, &before, &block, j, sequence);

		quad_xor(&mac, &input);
		stream = begin_counter(scratch, group, j + 1);
		encrypt_pair(&stream, &group->enc, &mac, &group->integrity, &group->chain);
		before = block;
	}
	round = finish_mac(scratch, group, next, walk, &mac, &close, before, block, round, sequence);
	if (next != NULL)
		complete(next, round, true);
	if (sequence == FAN_CIPHER_THEN_MAC)
		store_macs(scratch, group, &mac, -(ptrdiff_t)FAN_MAC_BYTES - shape->clear_bytes);
	else
		store_ciphered_macs(scratch, group, &mac, walk);
}

/* CIPHER_THEN_MAC with a clear prefix of another length than NAS has: ciphers, then reads the packets again. */
TARGET static void
mac_from_packets(struct fan_lockstep_scratch *scratch, struct group *group, const struct walk *walk)
{
	struct quad subkey = group->integrity.round_key[0], mac;
	struct quad close;

	encrypt(&subkey, &group->integrity, &group->integrity.round_key[ROUND_KEYS - 1]);
	close = closing(&subkey, walk);
	for (unsigned i = 0; i < VECTORS; i++)
		mac.v[i] = v_zero();
	for (unsigned m = 0; m < walk->mac_blocks; m++) {
		const struct quad input = gather_mac_block(group, walk, m, walk->mac_input_bytes);

		quad_xor(&mac, &input);
		quad_xor(&mac, &group->integrity.round_key[0]);
		if (m + 1 == walk->mac_blocks)
			quad_xor(&mac, &close);
		encrypt(&mac, &group->integrity, &group->integrity.round_key[ROUND_KEYS - 1]);
	}
	store_macs(scratch, group, &mac, -(ptrdiff_t)FAN_MAC_BYTES - walk->shape->clear_bytes);
}

/* The part of the CMAC input that all UEs share, with zeros where their own octets go; and those octets, before they are ciphered. */
TARGET static void
lay_out_mac_input(struct fan_lockstep_scratch *scratch, const struct walk *walk)
{
	const struct fan_shape *shape = walk->shape;
	const unsigned lead_bytes = PREFIX + shape->clear_bytes;
	const unsigned head_bytes = head_octets(shape);

	memset(scratch->shared, 0, lead_bytes + head_bytes);
	memcpy(scratch->shared + lead_bytes + head_bytes, shape->message + head_bytes, shape->text_bytes - head_bytes);
	memset(scratch->shared + walk->mac_input_bytes, 0, BLOCK);
}

INLINE void
keep_private_blocks(struct fan_lockstep_scratch *scratch, const struct group *group, const struct walk *walk)
{
	const struct fan_shape *shape = walk->shape;
	const unsigned head_bytes = head_octets(shape);

	for (unsigned m = 0; m < walk->private_blocks; m++)
		scratch->private_block[m] = gather_mac_block(group, walk, m, PREFIX + shape->clear_bytes + head_bytes);
}

static struct walk
plan_walk(const struct fan_shape *shape)
{
	const unsigned trailer_bytes = shape->sequence == FAN_MAC_THEN_CIPHER ? FAN_MAC_BYTES : 0;
	const unsigned head_bytes = head_octets(shape);
	struct walk walk = {
		.shape = shape,
		.counter_blocks = (shape->text_bytes + trailer_bytes + BLOCK - 1) / BLOCK,
		.mac_input_bytes = PREFIX + (unsigned)shape->clear_bytes + shape->text_bytes,
		.private_blocks = (PREFIX + (unsigned)shape->clear_bytes + head_bytes + BLOCK - 1) / BLOCK,
		.mac = shape->sequence != FAN_CIPHER_ONLY,
	};
	unsigned steps = (walk.counter_blocks + 1) / 2;

	walk.mac_blocks = (walk.mac_input_bytes + BLOCK - 1) / BLOCK;
	if (walk.mac)
		steps = walk.mac_blocks + 1;
	walk.rounds_per_step = (ROUND_KEYS - 1 + steps - 1) / steps;
	return walk;
}

TARGET static void
protect_group(struct fan_lockstep_scratch *scratch, struct group *group, struct group *next, const struct walk *walk)
{
	switch (walk->shape->sequence) {
	case FAN_CIPHER_ONLY:
		walk_cipher_only(scratch, group, next, walk);
		break;
	case FAN_MAC_THEN_CIPHER:
		keep_private_blocks(scratch, group, walk);
		walk_group(scratch, group, next, walk, FAN_MAC_THEN_CIPHER);
		break;
	default:
		walk_group(scratch, group, next, walk, FAN_CIPHER_THEN_MAC);
		if (walk->shape->clear_bytes != 1)
			mac_from_packets(scratch, group, walk);
	}
}

TARGET static void
protect(struct fan_lockstep_scratch *scratch, const struct fan_batch *batch)
{
	const struct walk walk = plan_walk(batch->shape);
	struct group *group = &scratch->group[0], *next = &scratch->group[1];

	if (batch->shape->sequence == FAN_MAC_THEN_CIPHER)
		lay_out_mac_input(scratch, &walk);
	load_group(scratch, group, batch, 0, &walk);
	complete(group, 1, walk.mac);
	for (unsigned first = 0; first < batch->ue_count; first += GROUP) {
		struct group *done = group;

		if (first + GROUP < batch->ue_count)
			load_group(scratch, next, batch, first + GROUP, &walk);
		protect_group(scratch, group, first + GROUP < batch->ue_count ? next : NULL, &walk);
		group = next;
		next = done;
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
