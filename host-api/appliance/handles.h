/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is behind the handles of fanfare.h: the appliance and its groups. All of it is the control thread's.
 *
 *	appliance.c   open, drain, close; what appliance.h asks
 *	registry.c    next hops, UEs and groups as records of the store; batches
 *	additions.c   ... and what a batch has not written yet
 *	restart.c     from those records back
 *	ue.c          next hops, UEs, their names and keys
 *	removal.c     UEs that go
 *	group.c       groups by name
 *	admission.c   ... and who may be a member
 *	keyring.c     ... and the keys that their members share
 *	group_key.c   ... as fanfare.h has them
 *	key_message.c ... on their way to members
 *	choice.c      which way each member's messages go
 *	whereabouts.c where UEs are
 *	broadcasts.c  messages on their way by cell broadcast
 *	message.c     messages, and what becomes of them
 *	results.c     ... of each member
 *	ledger.c      COUNT on the disk
 *	journal.c     messages on the disk
 *	references.c  messages by the name that their sender gave them
 *	receipts.c    proof of reception from the wire
 *	census.c      contexts by what they have left
 *	metrics.c     what was counted, for those who watch
 *	protector.c   bulk protection alone
 */
#ifndef FAN_HANDLES_H
#define FAN_HANDLES_H

#include "../../dataplane/context/fingerprint.h"
#include "../../dataplane/context/process.h"
#include "../../dataplane/dataplane.h"
#include "../../dataplane/gid.h"
#include "../store/store.h"
#include "additions.h"
#include "appliance.h"
#include "broadcasts.h"
#include "census.h"
#include "choice.h"
#include "export.h"
#include "identities.h"
#include "journal.h"
#include "keyring.h"
#include "lease_ends.h"
#include "ledger.h"
#include "receipts.h"
#include "references.h"
#include "whereabouts.h"

/* Of structs as they were before a version of the interface that has made them longer. */
#define UE_VERSION_1_BYTES offsetof(struct fan_ue, identity)
#define MESSAGE_VERSION_2_BYTES offsetof(struct fan_message, reference)
#define MESSAGE_STATUS_VERSION_2_BYTES offsetof(struct fan_message_status, reference)

struct fan_group {
	char gid[FAN_GID_BYTES_MAX + 1];
	struct fanfare *fanfare;
	struct fan_group *next, **link;
	struct fan_members
		members;          /* under profiles of messages; slots of removed contexts among them, until those are freed */
	struct fan_members able;  /* the same of those that take its keys, under profiles of keys */
	struct fan_keyring *keys; /* owned; NULL: it has none */
	uint8_t gki_used[FAN_GROUP_GKI_COUNT / 8]; /* by a group of this GID, ever: bit Gki & 7 of octet Gki >> 3 */
	struct fan_snapshot *snapshot; /* members as messages take them, made with the first; NULL: they have changed since */
	uint64_t snapshot_removals;    /* removals that it heeds */
	uint32_t needs_all, needs_any; /* capabilities of its members (admission.c) */
	struct fan_policy *policy;     /* owned; NULL: unicast alone */
	struct fan_members elsewhere;  /* members that go another way than unicast; its profiles are enum fan_way */
	struct fan_snapshot *elsewhere_snapshot; /* the same as messages take them; NULL: they have changed since */
	struct fan_group_changes changes;        /* that other nodes are told of */
};

/* Contexts of one table that were removed and whose slots are not free yet. All are bitmaps of slots, NULL while empty. Those gone that are
 * neither fresh nor waiting hold no key any more. */
struct fan_removals {
	roaring_bitmap_t *gone;    /* all of them: no member of any group any more */
	roaring_bitmap_t *fresh;   /* ... that flights may refer to */
	roaring_bitmap_t *waiting; /* ... that only flights up to `waiting_for` may refer to */
	roaring_bitmap_t *leaving; /* ... that groups are being walked for, to be freed then */
};

struct fanfare {
	struct fan_dataplane *dataplane;
	unsigned process;        /* that opened it: fan_process_forks() */
	struct fan_store *store; /* NULL: nothing is kept */
	bool batching;           /* between fan_begin() and its end: then the store's transaction is the batch's */
	struct fan_additions additions;
	struct fan_identities identities; /* with a store: of every context */
	struct fan_lease_ends lease_ends;
	struct fan_whereabouts whereabouts; /* of every context of which something is known */
	struct fan_broadcasts broadcasts;
	struct fan_group **group_order; /* owned: all groups, by GID */
	size_t group_count, group_room;
	struct fan_group *groups;     /* the same in a list */
	uint64_t change, deletion;    /* numbers of the last change of a group, and of the last deletion (export.h) */
	struct fan_keyring *keyrings; /* of those that have keys, in a list */
	bool keyrings_stirred;        /* some have something to do at once */
	int64_t keyrings_ms;          /* when all were looked at last, by the monotonic clock */
	struct fan_key_metrics key_metrics;
	struct fan_fingerprints keys;                 /* of every context */
	struct fan_receipts *receipts;                /* NULL: nothing is received */
	struct fan_removals removals[FAN_TABLES_MAX]; /* by table */
	uint64_t waiting_for;                         /* number of the last flight that may refer to those waiting */
	uint64_t removal_count;                       /* ever */
	uint64_t gone_count;                          /* slots in all bitmaps of that name */
	uint64_t wiped_count;                         /* of them, those that hold no key any more and are not leaving */
	struct fan_group *leaving_from;               /* the next group to be walked for those that are; NULL: none is left */
	bool leaving;                                 /* some are */
	struct fan_ledger ledger;
	struct fan_journal journal;
	struct fan_census census;
	uint64_t messages_ended[FAN_MESSAGE_STATES];
	struct fan_references references; /* of messages on their way and kept */
	void (*first_rate)(void *user, struct fan_next_hop_rate *rate,
			   const uint8_t address[16]); /* options.rate; NULL: none */
	void *first_rate_user;
	bool draining;
	bool closing;
	bool in_callback;
};

/* NOT_FOUND in a child of the process that opened a handle. In: the handle's `process`. */
int fan_in_own_process(unsigned process);
/* The same, and BUSY in a callback. */
int fan_outside_callback(const struct fanfare *fanfare, const char *function);

/* More than any struct of this interface takes: what says more was not set by its function. */
#define FAN_STRUCT_BYTES_MAX 8192

/*
 * Takes over a struct that a caller filled. Out: own[own_bytes], the caller's fields and zeros behind them. In: least_bytes, of the struct
 * as it was first; name, what makes it. INVALID when it was not made by that, UNSUPPORTED for fields that are not known here.
 */
int fan_struct_take(void *own, size_t own_bytes, size_t least_bytes, const void *given, const char *name);

/* INVALID: a profile is not of a context's kind. */
int fan_profile_check(enum fan_profile profile, const struct fan_context_table *table);

/* Accepts a message to one UE, whose context is there. Out: *flight, which no worker has yet. As fan_send_to_ue(). */
int fan_message_accept_one(struct fanfare *fanfare, struct fan_flight **flight, const struct fan_recipient *recipient,
			   const struct fan_message *message);
/* The same to a group as it is now. As fan_send(). */
int fan_message_accept(struct fanfare *fanfare, struct fan_flight **flight, struct fan_group *group,
		       const struct fan_message *message);

/* Gives a next hop that is new here the rate that it begins with. INVALID, MEMORY. */
int fan_next_hop_begin(struct fanfare *fanfare, unsigned index);
/* A message on its way; NULL with NOT_FOUND recorded when it has ended. */
struct fan_flight *fan_flight_find(const struct fanfare *fanfare, fan_message_id id);
/* What the worker that has waited longest waits for, and since when. */
void fan_read_wait(const struct fan_dataplane *dataplane, enum fan_wait *waits_for, uint64_t *waits_ns);
/* Gives back what the library filled: own, whose first field are its octets, to a caller whose struct may be shorter. */
void fan_struct_give(void *given, const void *own, size_t own_bytes);

/* A context's name. */
fan_context_id fan_context_name(const struct fanfare *fanfare, unsigned table, uint32_t slot);
/* The table of a context that is there, NULL with NOT_FOUND recorded. Out: *slot. */
struct fan_context_table *fan_context_find(const struct fanfare *fanfare, uint32_t *slot, fan_context_id id);
/* The table and first slot of a range of names, none of which needs to be there. NULL with NOT_FOUND recorded. */
struct fan_context_table *fan_context_find_range(const struct fanfare *fanfare, uint32_t *slot, fan_context_id first,
						 size_t count);
unsigned fan_context_table_index(fan_context_id id);

/* As fan_group_create() and fan_group_delete(), in memory alone. */
int fan_group_enter(struct fanfare *fanfare, struct fan_group **out, const char *gid);
void fan_group_forget(struct fan_group *group);

/* Sets a flag of a context, or clears it. */
void fan_context_flag(struct fan_context *context, enum fan_context_flag flag, bool on);
/* Makes contexts spend nothing whose lease is over by the clock. */
void fan_lease_ends_settle(struct fanfare *fanfare);

/* Wipes removed contexts that no flight refers to any more and, when enough have come together, frees their slots, in steps: each call
 * takes them out of some groups. */
void fan_removals_settle(struct fanfare *fanfare);
/* A group is about to be deleted. */
void fan_removals_pass_over(const struct fan_group *group);
void fan_removals_free(struct fanfare *fanfare);

#endif
