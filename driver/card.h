/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The card: the device that all queues of this process share.
 *
 *	engine_fpga.c      batches of the dataplane, one instance per worker
 *	card_exam.[ch]     questions with known answers, before a card is believed and from time to time
 *	canary.[ch]        marks by which a PDU that was not written is known
 *	card_queue.[ch]    a queue: two rings, completions judged before they are believed, a watch for those that do not come
 *	card_map.[ch]      memory of the dataplane's that the card reaches as it lies
 *	card.[ch]          the device: probe, life, recovery, statistics
 *	card_layout.h      what host and card share in memory
 *	card_registers.h   its registers; nothing else in the driver touches them
 *	card_transport.h   what lies between, as one table of functions
 *	transports.[ch]    model, simulator or PCIe
 *
 * When something goes wrong, the card is reset as a whole, by whichever queue noticed. The device counts these lives (epochs): a queue
 * that sees another epoch than the one it was armed in knows that nothing of what it had under way will be written any more, gives
 * all of it back, and arms itself again. A card that cannot be reset is cut off from memory (isolate) and is dead for the rest of the
 * run: its epoch ends too, and no queue can be armed.
 */
#ifndef FAN_CARD_H
#define FAN_CARD_H

#include "card_layout.h"
#include "card_transport.h"

#include <stdbool.h>

struct fan_card;
struct fan_card_maps;

/* What can be wrong with a card at work. The first group, up to HEAD: what a completion says that cannot be. */
enum fan_card_fault {
	FAN_CARD_FAULT_NONE,
	FAN_CARD_FAULT_SERIAL,     /* neither the one before nor the next */
	FAN_CARD_FAULT_COOKIE,     /* of no slot */
	FAN_CARD_FAULT_STALE,      /* of a batch that is not under way: twice, or late */
	FAN_CARD_FAULT_ERROR,      /* an error that there is not */
	FAN_CARD_FAULT_BAD_UES,    /* more than the batch has, or contradicting `error` */
	FAN_CARD_FAULT_FIRST_BAD,  /* out of the batch */
	FAN_CARD_FAULT_RESERVED,   /* not 0 */
	FAN_CARD_FAULT_HEAD,       /* descriptors fetched that were not written, or fewer than before */
	FAN_CARD_FAULT_UNTOUCHED,  /* of a PDU that was not written */
	FAN_CARD_FAULT_WRONG,      /* a question with a known answer was answered wrongly, or not at all */
	FAN_CARD_FAULT_BESIDE,     /* an octet was written that belongs to no PDU */
	FAN_CARD_FAULT_QUEUE,      /* the card stopped the queue */
	FAN_CARD_FAULT_TIMEOUT,    /* a batch does not end */
	FAN_CARD_FAULT_STANDSTILL, /* the card's clock does not run */
	FAN_CARD_FAULT_GONE,       /* reads as all ones, or as something else than a card */
	FAN_CARD_FAULT_RESET,      /* a reset does not end */
	FAN_CARD_FAULT_WORN,       /* was reset too often */
	FAN_CARD_FAULT_COUNT,
};

/* A sentence for each, for people. */
const char *fan_card_fault_text(enum fan_card_fault fault);
/* Of FAN_CARD_ERROR_... */
#define FAN_CARD_ERRORS 9
const char *fan_card_error_text(unsigned error);

/* What was found at probe; does not change. */
struct fan_card_build {
	unsigned version_major, version_minor;
	unsigned queue_count, lane_count;
	uint8_t lane_algorithm[FAN_CARD_LANES_MAX]; /* 1 SNOW 3G, 2 AES, 3 ZUC */
	unsigned lanes_of[FAN_ALGORITHM_MAX + 1];   /* lanes by algorithm; [0]: all */
	unsigned pdu_bytes_max;
};

/* How long to wait. A simulator is some hundred times slower than a card, may be halted by a debugger, and its worker may be denied the
 * CPU: a batch is late only when the card's own clock has run for so long, and time has passed, and the queue was polled so often. */
struct fan_card_patience {
	uint32_t stall_clocks;  /* of the card, without the end of a queue's oldest batch */
	unsigned stall_ms;      /* ... and at least so long */
	unsigned polls;         /* ... and at least so many polls */
	unsigned standstill_ms; /* in which the card's clock does not move, and as many polls */
	unsigned reset_ms;      /* for a reset or a zeroise, and as many polls */
	unsigned recoveries;    /* resets of a card at work before it is given up */
	unsigned proof_ms;      /* between two proofs of a card at work */
};

/* Before a card is opened. Not checked. */
void fan_card_patience_set(const struct fan_card_patience *patience);
struct fan_card_patience fan_card_patience_get(void);

/* Puts another in the place of fan_transport_open(); NULL: that again. For tests and for transports of one's own. */
void fan_card_opener_set(int (*open)(struct fan_card_transport **transport, const char *where));

/*
 * Opens the card, or shares the one that is open: there is one per process. In: where, as fan_transport_open() takes it,
 * or NULL for the one that is open, else FAN_CARD_DEFAULT. Probes it: kind, version, build; resets it; tries registers. Out: *card, owned until fan_card_close().
 * Errors: of the transport; UNSUPPORTED (another version, a build that does not do, no card), IO (dead, does not reset, a register
 * that does not keep its value), BUSY (another card is open), MEMORY. Blocks for some milliseconds, for longer with a simulator. Any
 * thread.
 */
int fan_card_open(struct fan_card **card, const char *where);
/* The last user's close has keys and messages overwritten in the card. NULL is ignored. */
void fan_card_close(struct fan_card *card);

const struct fan_card_build *fan_card_build_get(const struct fan_card *card);
const char *fan_card_where(const struct fan_card *card);
/* Name of the transport. */
const char *fan_card_transport_name(const struct fan_card *card);
/* Whether a simulator is behind the transport. Its clock has no rate of its own: what it would be is FAN_CARD_ASSUMED_MHZ. */
bool fan_card_simulated(const struct fan_card *card);
#define FAN_CARD_ASSUMED_MHZ 250
/* True when the card is out of service for good. */
bool fan_card_dead(const struct fan_card *card);
/* "SNOW 3G", "AES", "ZUC"; "any" for 0. */
const char *fan_card_algorithm_name(unsigned algorithm);

/* Writes and reads back a register, and sees whether the clock runs. IO names what differs. Any time. */
int fan_card_self_test(struct fan_card *card);

struct fan_card_statistics {
	/* Counted by the card, summed up over its resets. */
	uint64_t clocks, read_bytes, written_bytes;
	uint64_t error_batches, bus_errors;
	uint64_t bus_error_address; /* of the first, when there is one */
	struct {
		uint64_t ues, cipher_busy, mac_busy; /* busy: clocks */
	} lane[FAN_CARD_LANES_MAX];
	/* Counted here. */
	uint64_t batches, ues; /* completed without an error, questions not counted */
	uint64_t batch_clocks; /* from descriptor to completion, of these batches */
	uint64_t resets, questions;
	uint64_t copied_contexts, copied_pdus;
	uint64_t simulator_ns;            /* of processor time; 0: there is no simulator, or it does not say */
	uint64_t errors[FAN_CARD_ERRORS]; /* completions by error */
	uint64_t faults[FAN_CARD_FAULT_COUNT];
};

/* Out: all that there is to count, since the card was found working and opened. Any thread. */
void fan_card_statistics_read(struct fan_card *card, struct fan_card_statistics *statistics);
/* Counts from 0 again. */
void fan_card_statistics_reset(struct fan_card *card);

/* ---- For queues and maps ----------------------------------------------------------------------------------------------------- */

/* Number of the card's present life. A batch that was begun in another one is over. */
uint32_t fan_card_epoch(const struct fan_card *card);
/* Whether the card takes descriptors; false while it is being reset, and once it is dead. */
bool fan_card_working(const struct fan_card *card);
/* A queue that was armed in `epoch` noticed a fault. Counts it and begins the card's reset, unless that has been done already. */
void fan_card_fail(struct fan_card *card, uint32_t epoch, enum fan_card_fault fault);
/* A card that is being reset comes a step further. Queues call it when they find the card not working. Never blocks. */
void fan_card_step(struct fan_card *card);

/* What of the dataplane's memory the card reaches. */
struct fan_card_maps *fan_card_maps_get(struct fan_card *card);
/* Excludes resets, and others who hold it. */
void fan_card_lock(struct fan_card *card);
void fan_card_unlock(struct fan_card *card);

/*
 * Proof. A lane is believed once it has answered questions with known answers (card_exam.h), in each life of the card anew and from time to
 * time; until then the card is not given any work, nor when that is overdue. One queue asks for all, and whoever is late with that loses
 * the office to the next.
 */

/* Whether the card has been proven in its present life. Any thread, as the next four. */
bool fan_card_proven(const struct fan_card *card);
/* Whether that is not too long ago either: no proof is overdue by more than the time between two, as it is when the card had nothing to
 * do, and nobody to ask it. A card that is not trusted is given no work. */
bool fan_card_trusted(const struct fan_card *card);
/* Lanes that the card may choose for an algorithm (0: none of the three): a bit for each. */
uint32_t fan_card_lanes(const struct fan_card *card, unsigned algorithm);
/* Whether all of those are in service. The card chooses among them, so that one which is not takes the others along. */
bool fan_card_serves(const struct fan_card *card, unsigned algorithm);
bool fan_card_lanes_in_service(const struct fan_card *card);
/* Whether it is time for somebody to ask. */
bool fan_card_proof_due(const struct fan_card *card);
/* True: the office is the caller's. Out: its number, never 0, and whether nobody else has anything under way. */
bool fan_card_proof_begin(struct fan_card *card, uint32_t *office, bool *alone);
/* Whether it still is. A call keeps it for FAN_CARD_PROOF_LEASE_MS more. */
bool fan_card_proof_keep(struct fan_card *card, uint32_t office);
/* complete: every question was asked in this epoch, and who failed has been put out of service. */
void fan_card_proof_end(struct fan_card *card, uint32_t office, uint32_t epoch, bool complete);
/* A worker that is there is heard of every few microseconds, unless it is denied the CPU for so long. */
#define FAN_CARD_PROOF_LEASE_MS 250
/* Puts lanes out of service and says so on stderr: which one of them it was, 0: not known, and why. The last ones take the card along. */
void fan_card_lanes_lose(struct fan_card *card, uint32_t lanes, uint32_t who, const char *why);
/* Puts the card out of service, and says so. */
void fan_card_lose(struct fan_card *card, enum fan_card_fault fault, const char *why);
/* Out: UEs of each lane since the card's last reset, modulo 2^32. */
void fan_card_lane_ues_read(struct fan_card *card, uint32_t ues[FAN_CARD_LANES_MAX]);

/* Out: a number of a queue that is nobody else's, and the transport on which it is driven. UNSUPPORTED when all are taken. */
int fan_card_queue_claim(struct fan_card *card, unsigned *index, struct fan_card_transport **transport);
void fan_card_queue_release(struct fan_card *card, unsigned index);
/* A number for a message that no other has had since the card was opened, whichever queue it is used in; 0 when there is none left. */
uint32_t fan_card_message_number(struct fan_card *card);

/* What queues count. */
void fan_card_count_batch(struct fan_card *card, unsigned ue_count, uint32_t clocks);
void fan_card_count_error(struct fan_card *card, unsigned error);
void fan_card_count_question(struct fan_card *card);
void fan_card_count_copies(struct fan_card *card, unsigned contexts, unsigned pdus);

/* Memory that the card reaches, from dma_alloc. */
struct fan_card_memory {
	uint8_t *memory; /* NULL: none */
	uint64_t iova;
	size_t bytes;
};

int fan_card_memory_alloc(struct fan_card *card, struct fan_card_memory *memory, size_t bytes, enum fan_memory_access access);
/* Wipes. Safe on a zeroed struct. */
void fan_card_memory_free(struct fan_card *card, struct fan_card_memory *memory);

#endif
