/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * COUNT: the one safety rule. A (key, COUNT, BEARER, DIRECTION) is used once, ever, and a UE is never pushed out of the window in
 * which it can still estimate COUNT from the few bits it is sent. Here and nowhere else COUNT is spent, its lease extended and its
 * window moved.
 *
 * A context's `count` is the next COUNT to be spent, `count_reserved` the first that is not leased to us, and `awaited` holds the low
 * bits of the first that the UE is not known to have accepted. The worker that owns the slot writes `count`, the control thread the other
 * two, each reads all three at any time: atomically, in no order, since each only rises.
 *
 * A short message opens a CP transaction at its UE (TS 24.011 5.3.2), which keeps FAN_TRANSACTIONS_MAX of them open (TS 24.007
 * 11.2.3.1.3). No CP-ACK reaches this program: what closes transactions here is proof of reception, down to as many as there are COUNTs
 * without one; which of these opened a transaction is not noted. So `transactions_open` is at least the number of those that are open.
 */
#ifndef FAN_COUNT_H
#define FAN_COUNT_H

#include "context.h"

#define FAN_BLOCK_CONTEXTS 256 /* contexts that have one mark */
#define FAN_MARK_MAX 16        /* m is 0..16: with 200 unacknowledged COUNTs it stays below the 254 that a UE of NAS follows */
#define FAN_UNMARKED 0xff      /* a mark that bounds nothing: there is no store */
#define FAN_MARK_COUNTS 0x1f   /* the bits of a mark that are m */
#define FAN_MARK_TURN 0xe0     /* those that say which turn it is: a block's next begins with each of its checkpoints */
#define FAN_MARK_NEXT_TURN 0x20
#define FAN_COUNT_WAITS FAN_DROP_COUNT /* fan_count_spend(): the mark is too low */

struct fan_count_rule {
	uint32_t end;     /* first COUNT that is never spent under the same key */
	uint16_t gap_max; /* COUNTs that may be spent without proof of reception */
	uint8_t sn_bits;  /* what the UE is sent of COUNT */
	bool uncounted;   /* nothing is ciphered or authenticated: no COUNT is ever spent */
};

/* One per enum fan_kind. */
extern const struct fan_count_rule fan_count_rules[FAN_KIND_COUNT];

/* Octets of the SN that a UE is sent of COUNT. */
static inline unsigned
fan_count_sn_bytes(enum fan_kind kind)
{
	return (fan_count_rules[kind].sn_bits + 7U) / 8;
}

/* INVALID when a UE's COUNT, lease and unacknowledged COUNTs do not fit its kind or each other. In: a kind that there is. */
int fan_count_check(const struct fan_ue *ue);
/* Takes over the COUNT, lease and window of a UE that has been checked, before any worker sees the context. */
void fan_count_begin(struct fan_context *context, const struct fan_ue *ue);
/* Extends a lease: spending stops at count_reserved. INVALID when it would be shortened, or has more bits than COUNT. Control thread,
 * any time. */
int fan_count_lease(struct fan_context *context, enum fan_kind kind, uint32_t count_reserved);
/* Whether fan_count_lease() would take it. */
int fan_count_check_lease(const struct fan_context *context, enum fan_kind kind, uint32_t count_reserved);
/* Proof that the UE accepted what was sent under `count`, and on a bearer all before it: the window begins behind it. INVALID for a COUNT
 * that was not spent; a proof older than the last one changes nothing. Control thread, any time. */
int fan_count_acknowledge(struct fan_context *context, uint32_t count);
/* The COUNT that an SN stands for: the highest that was spent with these low bits. Out: *count. False: none was. In: the context's kind; any
 * number. Any thread. */
bool fan_count_of_sn(const struct fan_context *context, uint32_t *count, enum fan_kind kind, uint32_t sn);
/* Proof that the UE accepted all that was sent. Control thread, while nothing is on its way to the UE. */
void fan_count_acknowledge_all(struct fan_context *context);

/* The next COUNT to be spent. Any thread. */
static inline uint32_t
fan_count_next(const struct fan_context *context)
{
	return __atomic_load_n(&context->count, __ATOMIC_RELAXED);
}

/* COUNTs spent without proof of reception; the limits keep them below 2^16. Any thread. */
static inline uint16_t
fan_count_gap(const struct fan_context *context)
{
	return (uint16_t)(fan_count_next(context) - __atomic_load_n(&context->awaited, __ATOMIC_RELAXED));
}

static inline bool
fan_mark_same_turn(uint8_t one, uint8_t other)
{
	return ((one ^ other) & FAN_MARK_TURN) == 0;
}

/* Whether `since` of a context is of the turn of its block's mark: it has spent COUNTs in that turn, or in one eight turns before. Any thread. */
static inline bool
fan_count_of_turn(const struct fan_context *context, uint8_t mark)
{
	return fan_mark_same_turn(__atomic_load_n(&context->since, __ATOMIC_RELAXED), mark);
}

/* COUNTs spent since the last checkpoint. In: the mark of the context's block, of which the turn counts. `since` has the low bits of
 * COUNT at that checkpoint, and the turn that began there; one of another turn is of an older checkpoint, and nothing was spent since the last:
 * so a checkpoint need not touch the contexts that it covers. Any thread. */
static inline unsigned
fan_count_spent(const struct fan_context *context, uint8_t mark)
{
	const uint8_t since = __atomic_load_n(&context->since, __ATOMIC_RELAXED);

	return fan_mark_same_turn(since, mark) ? (fan_count_next(context) - since) & FAN_MARK_COUNTS : 0;
}

/* Whether what is on the disk covers so many more COUNTs. In: the mark of the context's block. */
static inline bool
fan_count_covered(const struct fan_context *context, unsigned counts, uint8_t mark)
{
	return mark == FAN_UNMARKED || fan_count_spent(context, mark) + counts <= (mark & FAN_MARK_COUNTS);
}

/* `since` for a context whose next COUNT is `next` in a turn in which it has spent nothing. */
static inline uint8_t
fan_count_since(uint32_t next, uint8_t mark)
{
	return (uint8_t)((mark & FAN_MARK_TURN) | (next & FAN_MARK_COUNTS));
}

/*
 * Spends as many COUNTs of a context as a message has parts, all or none: a message of several parts is sent to a UE whole or not at all. None for
 * an uncounted kind, whose UEs may be sent to all the same: all that a COUNT could end is no end to them.
 * In: parts, 1 or more; transactions, how many CP transactions that opens; mark, of the context's block. Out: *count, the first COUNT, valid
 * when FAN_DROP_NONE is returned; otherwise nothing was spent. FAN_COUNT_WAITS: all is well but for the mark, which may rise: try again. Thread: the worker that owns the slot. The check of the lease stays on in every build.
 */
static inline enum fan_drop
fan_count_spend(struct fan_context *context, uint32_t *count, const struct fan_count_rule *rule, unsigned parts,
		unsigned transactions, uint8_t mark)
{
	const uint32_t next = fan_count_next(context);
	const unsigned counts = rule->uncounted ? 0 : parts;
	const uint64_t end = (uint64_t)next + counts;
	const uint8_t flags = __atomic_load_n(&context->flags, __ATOMIC_RELAXED);
	const unsigned gap = fan_count_gap(context);
	const unsigned open = context->transactions_open < gap ? context->transactions_open : gap;

	if (__builtin_expect(flags != FAN_CONTEXT_PRESENT, 0))
		return (flags & (FAN_CONTEXT_PRESENT | FAN_CONTEXT_REMOVED)) != FAN_CONTEXT_PRESENT ? FAN_DROP_REMOVED
		       : (flags & FAN_CONTEXT_UNREACHABLE) != 0                                     ? FAN_DROP_UNREACHABLE
												    : FAN_DROP_RESERVATION;
	if (__builtin_expect(end > __atomic_load_n(&context->count_reserved, __ATOMIC_RELAXED), 0))
		return FAN_DROP_RESERVATION;
	if (__builtin_expect(end > rule->end, 0))
		return FAN_DROP_COUNT_END;
	if (__builtin_expect(gap + counts > rule->gap_max, 0))
		return FAN_DROP_WINDOW;
	if (__builtin_expect(transactions != 0 && open + transactions > FAN_TRANSACTIONS_MAX, 0))
		return FAN_DROP_TRANSACTIONS;
	/* No PDU leaves under a COUNT that is not covered by what is on the disk. */
	if (__builtin_expect(!fan_count_covered(context, counts, mark), 0))
		return FAN_COUNT_WAITS;
	__atomic_store_n(&context->count, next + counts, __ATOMIC_RELAXED);
	if ((context->transactions_open | transactions) != 0)
		context->transactions_open = (uint8_t)(open + transactions);
	if (mark != FAN_UNMARKED && !fan_count_of_turn(context, mark))
		__atomic_store_n(&context->since, fan_count_since(next, mark), __ATOMIC_RELAXED);
	*count = next;
	return FAN_DROP_NONE;
}

/* Nothing counts as spent in a turn, that of `mark`: the context's checkpoint was just made durable. Control thread, while m is 0 or the context
 * is out of service, and its worker has begun a turn since. */
static inline void
fan_count_rest(struct fan_context *context, uint8_t mark)
{
	__atomic_store_n(&context->since, fan_count_since(fan_count_next(context), mark), __ATOMIC_RELAXED);
}

/* The last so many COUNTs, up to FAN_MARK_MAX, count as spent in a turn, that of `mark`, and no others: the checkpoint just made durable leaves them
 * out, for what they were spent for has yet to leave. Control thread, while workers pause. */
static inline void
fan_count_hold_back(struct fan_context *context, unsigned counts, uint8_t mark)
{
	__atomic_store_n(&context->since, fan_count_since(fan_count_next(context) - counts, mark), __ATOMIC_RELAXED);
}

/* So many transactions were not opened after all: what was spent for them has not left this host. Thread: as fan_count_spend(). */
static inline void
fan_count_close_transactions(struct fan_context *context, unsigned transactions)
{
	context->transactions_open = (uint8_t)(context->transactions_open > transactions
						       ? context->transactions_open - transactions
						       : 0);
}

#endif
