/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A card behind the transport's table of functions: registers, two rings per queue, DMA by addresses that are not the host's, PDUs made
 * by the reference engine. It follows hw/registers.rdl, and plays the tricks that the test asks for.
 *
 * Time passes in relax() only. One card per process; every call takes its lock.
 */
#ifndef FAN_TEST_FAKE_CARD_H
#define FAN_TEST_FAKE_CARD_H

#include "../dataplane/engine/engine.h"
#include "../driver/card.h"

enum fan_fake_trick {
	FAN_FAKE_HONEST,
	/* A completion that cannot be. */
	FAN_FAKE_SERIAL,
	FAN_FAKE_COOKIE,
	FAN_FAKE_STALE,
	FAN_FAKE_ERROR,
	FAN_FAKE_BAD_UES_MANY,
	FAN_FAKE_BAD_UES_WITHOUT_ERROR,
	FAN_FAKE_ERROR_WITHOUT_BAD_UES,
	FAN_FAKE_REFUSED_IN_PART,
	FAN_FAKE_FIRST_BAD,
	FAN_FAKE_RESERVED,
	FAN_FAKE_HEAD_AHEAD,
	FAN_FAKE_HEAD_STAYS, /* no descriptor was fetched for it */
	FAN_FAKE_HEAD_FALLS, /* the completions before it said more */
	FAN_FAKE_GARBAGE,    /* 16 random octets */
	/* Otherwise. */
	FAN_FAKE_TWICE,      /* two completions of one batch */
	FAN_FAKE_HANG,       /* PDUs are written, then nothing comes but clocks */
	FAN_FAKE_STANDSTILL, /* nor do they */
	FAN_FAKE_LOSE,       /* PDUs are written, no completion; the next batches are served */
	FAN_FAKE_UNPLUG,     /* half of the PDUs are written, then all reads as ones */
	FAN_FAKE_QUEUE_FAULT,
	FAN_FAKE_BUS_ERROR, /* a context cannot be read */
	FAN_FAKE_REFUSE,    /* error BAD_SHAPE, nothing done */
	/* What is not what it says: the completion is as it should be. */
	FAN_FAKE_WRITE_NOTHING,
	FAN_FAKE_WRITE_SOME,      /* every second PDU */
	FAN_FAKE_WRITE_MAC,       /* and no text */
	FAN_FAKE_WRITE_TEXT,      /* and no MAC */
	FAN_FAKE_WRITE_HALF,      /* the first half of each text, and the MAC before it */
	FAN_FAKE_WRITE_LATE,      /* after the completion: before the next, or while the card is being reset */
	FAN_FAKE_WRITE_ANOTHER,   /* the PDU of the next UE */
	FAN_FAKE_WRITE_BESIDE,    /* an octet behind the PDU, too */
	FAN_FAKE_WRITE_PLAINTEXT, /* for the text, with the right MAC */
	FAN_FAKE_WRITE_CONTEXT,   /* the COUNT that was used, over the next one in the context, too */
	FAN_FAKE_WRONG,           /* one bit of each text */
	FAN_FAKE_WRONG_PREFIX,    /* one bit of each clear prefix, where it stands before the text */
	FAN_FAKE_WRONG_LONG,      /* of texts of more than 100 octets */
	FAN_FAKE_WRONG_LANE,      /* of those of lane `lane` */
	FAN_FAKE_WRONG_CORNER,    /* of UEs whose keys are the one with which a cell of ZUC's LFSR is 0 */
	FAN_FAKE_IDLE_LANE,       /* lane `lane` is never given anything */
	FAN_FAKE_TRICKS,
};

/* What the register `build` says of a card with so many queues, and lanes of AES, SNOW 3G and ZUC. */
#define FAN_FAKE_BUILD(queues, aes, snow3g, zuc)                                                                               \
	((queues) << FAN_CARD_BUILD_QUEUES_LSB | (aes) << FAN_CARD_BUILD_AES_LANES_LSB |                                       \
	 (snow3g) << FAN_CARD_BUILD_SNOW3G_LANES_LSB | (zuc) << FAN_CARD_BUILD_ZUC_LANES_LSB)

struct fan_fake_behaviour {
	/* Registers; 0: as they should be. */
	uint32_t kind, version, build, limits;
	bool lanes_contradict, scratch_stuck, clock_stuck, never_ready, reset_hangs;
	bool no_map;  /* dma_map is UNSUPPORTED */
	bool shuffle; /* batches end in another order */
	bool lazy;    /* one batch for many relax() */
	enum fan_fake_trick trick;
	unsigned trick_at; /* batches served before it */
	bool again;        /* for each further batch, too: after the reset */
	unsigned lane;     /* of WRONG_LANE and IDLE_LANE */
};

/* A (UE, COUNT) that the card fetched, to protect or to refuse; of questions, too. */
struct fan_fake_record {
	uint8_t k_enc[FAN_KEY_BYTES];
	uint32_t count;
	bool refused;
};

#define FAN_FAKE_RECORDS_MAX 400000

struct fan_fake_view {
	bool open, isolated;
	unsigned batches; /* served */
	unsigned resets, zeroised;
	unsigned doorbells, messages_read;
	unsigned dma_allocated, dma_mapped; /* now */
	unsigned dirty_frees;               /* of memory that had not been wiped */
	unsigned opens;
	unsigned queues_enabled; /* now */
	unsigned record_count;
	const struct fan_fake_record *records;
};

/* Makes this the card that is opened, and the driver impatient. */
void fan_fake_install(const struct fan_fake_behaviour *behaviour);
/* From now on. */
void fan_fake_trick(enum fan_fake_trick trick, bool again);
/* Counts batches, doorbells, messages and records from 0 again, and plays the trick when trick_at batches more have been served: what it
 * took to open the card is left out. */
void fan_fake_begin(enum fan_fake_trick trick, unsigned trick_at, bool again);
/* From now on no reset ends. */
void fan_fake_hang_resets(void);
/* A look at it. */
struct fan_fake_view fan_fake_look(void);
/* The transport itself, to write registers past the driver. */
struct fan_card_transport *fan_fake_transport(void);
/* Whether these octets lie in memory of dma_alloc: a copy of a key that is still there. */
bool fan_fake_holds(const uint8_t *octets, size_t byte_count);

#endif
