/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ledger: what keeps COUNT safe across crashes. Two numbers cover every COUNT (store.h): C, a checkpoint for each context, and m, a mark
 * for each block of 256. What is on the disk says that no COUNT from C + m on was spent:
 *
 *	a message is accepted   the marks of its members' blocks are raised and made durable with it; then workers see them
 *	a worker spends         while spent + parts <= m (count.h); else it asks, and waits
 *	a block comes to rest   m is taken from the workers, each begins another turn, and what was spent leaves; C is what is spent next;
 *	                        C and m = 0 are made durable together; then another turn begins, in which nothing is spent
 *	                        (a batch that failed may wait for this very rest, and what is behind it cannot leave: C leaves it out, and it counts
 *	                        as spent in the turn that begins)
 *	after a crash           every context goes on at C + m, with m spent
 *
 * A mark is raised some messages ahead, so that most messages raise none. Blocks at rest are checkpointed in the background, so that a crash
 * costs their UEs nothing; so are those that have the highest mark, before the next message needs another: behind the workers, where it stops none.
 *
 * All of it is the control thread's. Without a store every call does nothing.
 */
#ifndef FAN_LEDGER_H
#define FAN_LEDGER_H

#include "../../dataplane/dataplane.h"

struct fanfare;

/* Of one block. */
struct fan_ledger_block {
	uint8_t kept, next; /* m on the disk, and in the transaction that has begun */
	uint8_t claimed,
		claims; /* COUNTs that messages accepted since the checkpoint may take, and with those of the transaction; 255: or more */
	uint8_t used_at;  /* the second, modulo 256, in which a message was accepted for it or an acknowledgement came */
	uint8_t turn;     /* FAN_MARK_TURN of its marks: another with each checkpoint, eight in a circle */
	bool heard : 1;   /* an acknowledgement came since the checkpoint */
	bool resting : 1; /* it is among those that come to rest together */
	bool news : 1;    /* its checkpoint has contexts that begin_again() looks at */
};

struct fan_ledger_table {
	struct fan_ledger_block *blocks; /* owned, demand-zero; NULL: the table is not known yet */
	size_t block_count;
	uint8_t *changed; /* by record of marks, owned: some of its blocks have another `next` than `kept`, or other claims */
};

struct fan_ledger_place {
	uint16_t table;
	uint32_t block;
};

/* A context with PDUs that have yet to leave when its block's checkpoint is written. */
struct fan_ledger_held {
	struct fan_ledger_place place;
	uint32_t slot;
	unsigned counts; /* of them: its last ones; up to FAN_MARK_MAX */
};

/* An acknowledgement that counts once it is durable, for until then a context whose window was used up spends nothing (fan_resume()). */
struct fan_ledger_receipt {
	fan_context_id id;
	uint32_t count;
};

struct fan_ledger {
	struct fan_ledger_table tables[FAN_TABLES_MAX];
	struct fan_ledger_receipt *receipts; /* owned */
	size_t receipt_count;
	struct fan_ledger_place *resting; /* blocks that come to rest together, owned */
	unsigned resting_count;
	bool more;    /* some that are to rest found no room in the last transaction */
	bool stopped; /* nothing is spent in them any more: no other block joins them */
	bool in_use;  /* messages on their way have members in some of them: what was spent there has to leave first */
	uint64_t begun[FAN_WORKERS_MAX]; /* batches of each worker when they were stopped */
	struct fan_ledger_held *held;    /* of blocks that come to rest before all has left, owned */
	unsigned held_count, held_room;
	struct fan_ledger_place background; /* where looking for blocks at rest goes on */
	struct fan_event *events;           /* a ring of FAN_LEDGER_EVENTS, owned; NULL before the first */
	uint64_t event_count;               /* ever */
	uint64_t rested_tsc;                /* when the background last looked */
	uint8_t second;                     /* of the last call of fan_ledger_serve(), modulo 256 */
	uint64_t commits, checkpoints, commit_ns_max;
	uint64_t probed_tsc; /* when a store that fails was last tried */
	int error;           /* of the last commit that failed; 0: all is well again */
	uint64_t failed_tsc; /* when it did */
	char detail[256];
};

#define FAN_LEDGER_EVENTS 65536

/* Gives every context that was loaded its COUNT, window and transactions, by checkpoints and marks. Before any message. IO: a context has no
 * checkpoint. */
int fan_ledger_load(struct fanfare *fanfare);
/* Lets every block rest, for good: what is on its way waits for the next fan_open(). As far as the store takes it. */
void fan_ledger_close(struct fanfare *fanfare);
void fan_ledger_free(struct fanfare *fanfare);

/* Begins the store's transaction. BUSY in a batch (fan_begin()). */
int fan_ledger_begin(struct fanfare *fanfare);
/* Ends it, with the error of what was put: commits, and notes what becomes of that, or drops it. Returns the error. */
int fan_ledger_end(struct fanfare *fanfare, int error);

/* Within a transaction: puts C of contexts first .. first + count - 1 of a table as they are now. They are new, or spend nothing now:
 * they are unreachable or removed, and every worker has begun a turn since. */
int fan_ledger_put(struct fanfare *fanfare, unsigned table, uint32_t first, uint32_t count);
/* ... after it was committed. */
void fan_ledger_put_done(struct fanfare *fanfare, unsigned table, uint32_t first, uint32_t count);

/* Raises the marks of all blocks that a flight has members in, in the transaction that is to accept it. MEMORY. */
int fan_ledger_claim(struct fanfare *fanfare, const struct fan_flight *flight);
/* Within that transaction: puts the marks that have changed. */
int fan_ledger_put_marks(struct fanfare *fanfare);
/* ... after it was committed: workers see them. */
void fan_ledger_publish(struct fanfare *fanfare);
/* ... when it was not: the claims are as before. */
void fan_ledger_withdraw(struct fanfare *fanfare);

/* Gives workers that wait higher marks, and lets blocks rest in the background: one or two durable writes at the most. */
void fan_ledger_serve(struct fanfare *fanfare);

/* Adds an event of a context to those that fan_event_next() gives. */
void fan_ledger_tell(struct fanfare *fanfare, enum fan_event_kind kind, unsigned table, uint32_t slot, uint32_t value);

/* As fan_ue_acknowledged(). */
int fan_ledger_acknowledge(struct fanfare *fanfare, unsigned table, uint32_t slot, uint32_t count);

#endif
