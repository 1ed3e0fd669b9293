/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Engines protect batches: one message, up to 64 UE contexts of one protection. Nothing in a batch differs but key, COUNT,
 * address and the private head; no engine takes any other shape. An adapter for a peer that wants jobs makes them itself.
 *
 * A PDU inside a packet, with the one pointer (`text`) that an engine gets per UE:
 *
 *      NAS                 | MAC 4 | clear prefix: SN 1            | text (ciphered)                   |
 *      PDCP                        | clear prefix: header, SDAP    | text (ciphered) | MAC-I 4 (ciphered; NR with integrity)
 *                                                                  ^ text[i]
 *
 *      MIKEY                                                        | message: clear | key data (ciphered) | 1 | MAC 20 |
 *
 * The clear prefix is covered by the MAC and not ciphered. The first 16 * head_blocks octets of the text (or all of it, when it
 * is shorter) are the UE's private head: plaintext that lies in the packet already. The rest of the plaintext is shape->message.
 * MIKEY's text is a whole message, of which T and the beginning of the B-TID are the UE's own and lie in the packet already: they stand too far
 * behind for a private head.
 */
#ifndef FAN_ENGINE_H
#define FAN_ENGINE_H

#include "../context/context.h"
#include "../context/figure.h"

enum fan_sequence {
	FAN_CIPHER_THEN_MAC, /* NAS: MAC over clear prefix and ciphertext, stored before the prefix (TS 24.301 4.4.4, 4.4.5) */
	FAN_MAC_THEN_CIPHER, /* NR PDCP: MAC over prefix and plaintext, then text and MAC-I are ciphered (TS 38.323 5.8, 5.9) */
	FAN_CIPHER_ONLY,     /* LTE PDCP DRB, NR PDCP DRB without integrity */
	/* MBMS: keys of each message from K_enc || K_int and the message's own RAND, AES-CM-128 over the key data, HMAC-SHA-1-160 over all of it but
	 * the MAC (RFC 3830 4.1.4, 4.2.3, 4.2.4). */
	FAN_MIKEY,
};

/* Where in a MIKEY message stands what an engine has to know. CSB-ID is at octet 4; the MAC is at the end. */
struct fan_mikey_places {
	uint16_t counter_at; /* T, 4 octets: COUNT, which the packet has already */
	uint16_t rand_at;    /* 16 octets */
	uint16_t name_at;    /* FAN_B_TID_NAME_BYTES octets, which the packet has already */
	uint16_t secret_at;  /* the key data */
	uint16_t secret_bytes;
};

#define FAN_MIKEY_CSB_ID_AT 4
#define FAN_MIKEY_RAND_BYTES 16
#define FAN_MIKEY_MAC_BYTES 20
#define FAN_MIKEY_SECRET_BYTES_MAX 64
#define FAN_MIKEY_TEXT_BYTES_MAX 1024

#define FAN_CLEAR_BYTES_MAX 16
/* An engine may read this many octets past the end of shape->message, and may touch (read, and write the same value back) no
 * octet of a packet outside the PDU but the FAN_SCRATCH_BYTES before its clear prefix. */
#define FAN_MESSAGE_SLACK_BYTES 64
#define FAN_SCRATCH_BYTES 8

/* What all UEs of a batch share. Immutable while any batch refers to it. */
struct fan_shape {
	uint8_t cipher;                /* 0..3 */
	uint8_t integrity;             /* 0..3; not looked at for FAN_CIPHER_ONLY */
	uint8_t sequence;              /* enum fan_sequence */
	uint8_t clear_bytes;           /* 0..FAN_CLEAR_BYTES_MAX */
	uint8_t head_blocks;           /* 0..FAN_HEAD_BLOCKS_MAX */
	uint16_t text_bytes;           /* 1..FAN_PDU_BYTES_MAX - clear_bytes; FAN_MIKEY: 1..FAN_MIKEY_TEXT_BYTES_MAX */
	const uint8_t *message;        /* text_bytes of plaintext, FAN_MESSAGE_SLACK_BYTES readable behind it */
	struct fan_mikey_places mikey; /* FAN_MIKEY: clear_bytes and head_blocks are 0 then, and the algorithms not looked at */
};

/* Whether a shape is one of FAN_MIKEY: its places lie in the message, in this order, and none in another. */
static inline bool
fan_shape_is_mikey(const struct fan_shape *shape)
{
	const struct fan_mikey_places *const at = &shape->mikey;

	return shape->sequence == FAN_MIKEY && shape->clear_bytes == 0 && shape->head_blocks == 0 &&
	       shape->text_bytes <= FAN_MIKEY_TEXT_BYTES_MAX && at->counter_at >= FAN_MIKEY_CSB_ID_AT + 4 &&
	       at->rand_at >= at->counter_at + 4 && at->name_at >= at->rand_at + FAN_MIKEY_RAND_BYTES &&
	       at->secret_at >= at->name_at + FAN_B_TID_NAME_BYTES && at->secret_bytes >= 1 &&
	       at->secret_bytes <= FAN_MIKEY_SECRET_BYTES_MAX &&
	       shape->text_bytes >= at->secret_at + at->secret_bytes + FAN_MIKEY_MAC_BYTES;
}

/* Whether a shape is one at all of the others: every field in its range. Which of these it serves an engine says itself (takes). */
static inline bool
fan_shape_check(const struct fan_shape *shape)
{
	return shape->cipher <= FAN_ALGORITHM_MAX && shape->sequence <= FAN_CIPHER_ONLY &&
	       (shape->sequence == FAN_CIPHER_ONLY || shape->integrity <= FAN_ALGORITHM_MAX) &&
	       shape->clear_bytes <= FAN_CLEAR_BYTES_MAX && shape->head_blocks <= FAN_HEAD_BLOCKS_MAX &&
	       shape->text_bytes >= 1 && shape->text_bytes + shape->clear_bytes <= FAN_PDU_BYTES_MAX;
}

/* Octets of the private head: whole blocks, or all of a text that is shorter. */
static inline unsigned
fan_shape_head_bytes(const struct fan_shape *shape)
{
	const unsigned blocks_bytes = 16U * shape->head_blocks;

	return blocks_bytes < shape->text_bytes ? blocks_bytes : shape->text_bytes;
}

/* Octets of MAC-I that stand behind the text and are ciphered with it. */
static inline unsigned
fan_shape_trailer_bytes(const struct fan_shape *shape)
{
	return shape->sequence == FAN_MAC_THEN_CIPHER ? FAN_MAC_BYTES : 0;
}

enum fan_batch_status {
	FAN_BATCH_PENDING,
	FAN_BATCH_DONE,
	FAN_BATCH_UNTOUCHED, /* the engine failed and no octet derived from these COUNTs exists outside this host: may be replayed */
	FAN_BATCH_EXPOSED, /* the engine failed and a PDU may have left it: replay only with fresh COUNTs */
	/* Either way whoever replays writes the packets anew: an engine with DMA has overwritten private heads, see driver/canary.h. */
};

/* Contexts that the caller takes up after a batch: table[slot[0..count-1]]. */
struct fan_ahead {
	const struct fan_context *table;
	const uint32_t *slot;
	unsigned count; /* 0: none are known */
};

struct fan_batch {
	const struct fan_shape *shape;
	struct fan_context *context[FAN_BATCH_UES_MAX]; /* engines read keys and bearer_direction here, and write nothing ... */
	uint32_t count[FAN_BATCH_UES_MAX]; /* ... but take COUNT only from here: it was spent by the worker (count.h) */
	uint8_t *text[FAN_BATCH_UES_MAX];  /* In/Out: see the drawing above; any alignment; distinct packets */
	uint16_t ue_count;                 /* 1..FAN_BATCH_UES_MAX */
	uint16_t status;                   /* Out: enum fan_batch_status */
	struct fan_ahead ahead;            /* only for engines that say `fetches_ahead`, and only until submit_burst returns */
};

/*
 * Asks the cache for contexts first .. end-1 of those ahead, and does nothing else with them. A core waits for some 16 cache lines at a
 * time and stands still when asked for more, so an engine that works inside submit_burst asks for a few at a time while it computes:
 * lockstep, 1 M UEs, 160 octets: 8 % fewer cycles than with 64 asked for at once, 40 octets: 18 %.
 */
static inline void
fan_ahead_fetch(const struct fan_ahead *ahead, unsigned first, unsigned end)
{
	for (unsigned i = first; i < end && i < ahead->count; i++)
		__builtin_prefetch(&ahead->table[ahead->slot[i]], 1);
}

/*
 * An engine instance belongs to one worker thread: no locks inside.
 * Embedded as first member of each engine's own struct.
 */
struct fan_engine {
	const struct fan_engine_ops *ops;
	bool fetches_ahead; /* uses batch->ahead; for other engines the caller fetches contexts before they are needed */
};

struct fan_engine_ops {
	const char *name;        /* "reference", "ipsec-mb", ... */
	const char *description; /* one line for `fanfare engines` */
	bool automatic;          /* takes part in "auto": runs on any CPU that has its instructions, and may be the fastest */

	bool has_devices; /* open() can be told which */

	/* Out: *engine. In: the device, as the engine names devices; NULL: the engine's choice, and always where it has none. It need not
	 * outlive the call. UNSUPPORTED names the CPU feature or device that is missing. */
	int (*open)(struct fan_engine **engine, const char *device);
	/* Wipes all key-derived state. No batch may be in flight. */
	void (*close)(struct fan_engine *engine);
	/* Whether the engine can serve a shape; asked once per message, not per batch. */
	bool (*takes)(const struct fan_engine *engine, const struct fan_shape *shape);
	/* Takes leading batches, returns how many; 0..batch_count. Short means back-pressure. Never blocks. Batches, packets and
	 * contexts stay untouched by the caller until poll_burst gives the batch back. */
	uint16_t (*submit_burst)(struct fan_engine *engine, struct fan_batch *const *batches, uint16_t batch_count);
	/* Gives finished batches back, in any order, with `status` set. Returns how many, 0..batch_max. Never blocks. */
	uint16_t (*poll_burst)(struct fan_engine *engine, struct fan_batch **batches, uint16_t batch_max);
	/* Wipes what it still holds of keys, or was made of them, for batches that it has given back. No batch may be in flight; the next one
	 * may follow. NULL: it holds nothing of them then. */
	void (*wipe)(struct fan_engine *engine);
	/* Out: figures[figure_max], of all instances in this process together. Returns how many. NULL: the engine has none. Control thread,
	 * at any time. */
	unsigned (*figures)(const struct fan_engine *engine, struct fan_figure *figures, unsigned figure_max);
};

#define FAN_ENGINES_MAX 8 /* engines that can serve one run */

/* Has an engine with nothing else under way protect one batch, and waits for it. True when it is done; else the batch has its status. */
static inline bool
fan_engine_run(struct fan_engine *engine, struct fan_batch *batch)
{
	struct fan_batch *finished = NULL;

	batch->status = FAN_BATCH_PENDING;
	while (engine->ops->submit_burst(engine, &batch, 1) == 0)
		;
	while (engine->ops->poll_burst(engine, &finished, 1) == 0)
		;
	return batch->status == FAN_BATCH_DONE;
}

/*
 * Finished batches of an engine that works inside submit_burst: a first-in first-out queue of bounded depth.
 */
#define FAN_FINISHED_DEPTH 32

struct fan_finished {
	struct fan_batch *batch[FAN_FINISHED_DEPTH];
	uint16_t head, count;
};

static inline uint16_t
fan_finished_room(const struct fan_finished *finished)
{
	return (uint16_t)(FAN_FINISHED_DEPTH - finished->count);
}

static inline void
fan_finished_put(struct fan_finished *finished, struct fan_batch *batch)
{
	finished->batch[(finished->head + finished->count++) % FAN_FINISHED_DEPTH] = batch;
}

static inline uint16_t
fan_finished_take_burst(struct fan_finished *finished, struct fan_batch **batches, uint16_t batch_max)
{
	uint16_t n = 0;

	while (n < batch_max && finished->count > 0) {
		batches[n++] = finished->batch[finished->head];
		finished->head = (uint16_t)((finished->head + 1) % FAN_FINISHED_DEPTH);
		finished->count--;
	}
	return n;
}

#endif
