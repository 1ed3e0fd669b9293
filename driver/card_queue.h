/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A queue of the card: a ring of descriptors, a ring of completions, a doorbell. It has FAN_CARD_QUEUE_ENTRIES slots, each of which is
 * free or has a batch under way; the slot travels in the cookie.
 *
 * What the card writes is copied once and then judged: a completion that cannot be right is counted by what is wrong with it and never
 * acted on; the card is reset. So is one whose oldest batch does not end.
 *
 * One thread, the engine's.
 */
#ifndef FAN_CARD_QUEUE_H
#define FAN_CARD_QUEUE_H

#include "card.h"

/* As many as a worker has batches under way; they are more than a card works on at a time. */
#define FAN_CARD_QUEUE_ENTRIES_LOG2 4
#define FAN_CARD_QUEUE_ENTRIES (1U << FAN_CARD_QUEUE_ENTRIES_LOG2)

struct fan_card_slot {
	bool under_way;
	uint16_t cookie; /* generation << 8 | slot, so that a completion that comes late or twice is known */
	uint16_t ue_count;
	uint32_t posted; /* number of its post */
};

/* Of the oldest batch: since when, and what has been seen of the card since then. */
struct fan_card_watch {
	uint64_t begin_tsc, look_tsc, moved_tsc;
	unsigned polls, polls_since_moved;
	uint32_t clocks_seen;
	uint64_t clocks_passed;
	bool looked;
};

/* One thread's, but for what the card sees: descriptors, which are written here and read by it, and completions, the other way. */
struct fan_card_queue {
	struct fan_card *card;
	struct fan_card_transport *transport;
	unsigned index; /* the card's number of it */
	bool armed;     /* in `epoch` */
	bool interrupts;
	uint32_t epoch;
	struct fan_card_memory descriptor_ring, completion_ring;
	struct fan_descriptor *descriptors;
	const struct fan_completion *completions;   /* written by the card */
	uint16_t tail, rung;                        /* descriptors written, and those the card was told of */
	uint16_t taken, head;                       /* completions taken; head as the last one said */
	uint32_t serial;                            /* of the next completion */
	uint32_t serial_in[FAN_CARD_QUEUE_ENTRIES]; /* of the completion that was taken from each entry */
	struct fan_card_slot slot[FAN_CARD_QUEUE_ENTRIES];
	unsigned under_way;
	uint32_t posts, oldest; /* number of the next post; of the oldest batch under way */
	struct fan_card_watch watch;
};

/* Claims a queue of the card and arms it. UNSUPPORTED when all are taken, MEMORY. */
int fan_card_queue_open(struct fan_card_queue *queue, struct fan_card *card);
/* With nothing under way. Safe on a zeroed struct. */
void fan_card_queue_close(struct fan_card_queue *queue);

/* Whether descriptors can be posted: not while the card is being reset, or dead, or what was under way before that has not been
 * taken back by fan_card_queue_poll(). Helps a reset along. */
bool fan_card_queue_ready(struct fan_card_queue *queue);
/* Out: a free slot. False: none. */
bool fan_card_queue_slot(const struct fan_card_queue *queue, unsigned *slot);
/* Writes a descriptor, whose cookie is filled in here, and takes the slot. The card does not know of it before the doorbell. */
void fan_card_queue_post(struct fan_card_queue *queue, unsigned slot, const struct fan_descriptor *descriptor);
void fan_card_queue_doorbell(struct fan_card_queue *queue);

enum fan_card_event {
	FAN_CARD_NOTHING,
	FAN_CARD_COMPLETED, /* one batch: its slot is free */
	FAN_CARD_LOST, /* everything under way: all slots are free, nothing of theirs is written any more, none is known to be untouched */
};

/* Out: *slot and *completion when COMPLETED; `error`, `bad_ues` and `first_bad` agree with each other and with the batch. Never
 * blocks. */
enum fan_card_event fan_card_queue_poll(struct fan_card_queue *queue, unsigned *slot, struct fan_completion *completion);

/* Sleeps until a completion is there, by the queue's interrupt. For those who have nothing else to do; workers poll. Returns 1, 0 after
 * timeout_us, or an error. */
int fan_card_queue_wait(struct fan_card_queue *queue, unsigned timeout_us);

#endif
