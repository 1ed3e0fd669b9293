/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The registry: next hops, UEs and groups as records of the store. Who changes one of them writes it here first, or undoes its change when
 * that fails, so that a call that answers an error has changed nothing. Without a store everything here does nothing and answers 0, unless
 * it says otherwise.
 *
 * What adds next hops and UEs is the exception: it adds to memory first, since that says which slot is free, and what was added is taken
 * out again when the transaction fails. No worker can have seen it.
 *
 * Errors, beside those of each: IO, MEMORY, as the store has them. Thread: the control thread.
 */
#ifndef FAN_REGISTRY_H
#define FAN_REGISTRY_H

#include "handles.h"

/* Opens the store that options name, and gives the appliance, which has nothing yet, all that is in it. */
int fan_registry_open(struct fanfare *fanfare, const struct fan_options *options);
/* INVALID: options that a store needs and that are not there, or need one. */
int fan_registry_check_options(const struct fan_options *options);
/* Takes out what was not committed, and closes the store. */
void fan_registry_close(struct fanfare *fanfare);
/* From the store to memory. IO: records that do not fit together. */
int fan_registry_load(struct fanfare *fanfare, const struct fan_options *options);

/* Whether the registry may be changed now, by what a batch does not hold: NOT_FOUND in a child process, BUSY in a batch. */
int fan_registry_may_change(const struct fanfare *fanfare, const char *function);

/* Begins additions: does nothing in a batch. */
int fan_additions_begin(struct fanfare *fanfare);
/* Ends them, with the error of what was added since: commits, or takes all of it out again. In a batch it hands the error up. */
int fan_additions_end(struct fanfare *fanfare, int error);
/* Within additions: writes a next hop that is in memory now. */
int fan_registry_add_hop(struct fanfare *fanfare, unsigned index, const struct fan_next_hop *next_hop);
/* Within additions, before a UE is in memory: makes room for it in the index, and sees that no other has its identity with the same kind,
 * BEARER and bearer identity. INVALID, EXISTS, MEMORY. */
int fan_registry_reserve_ue(struct fanfare *fanfare, const struct fan_ue *ue);
/* ... and once it is: keeps what its context does not, until the additions end. On an error it is not in the registry, and the caller takes
 * it out of memory. */
int fan_registry_add_ue(struct fanfare *fanfare, unsigned table, uint32_t slot, const struct fan_ue *ue);

/* A context that goes is nowhere. */
void fan_registry_forget_place(struct fanfare *fanfare, unsigned table, uint32_t slot);

int fan_registry_change_hop(struct fanfare *fanfare, unsigned index, const struct fan_next_hop *next_hop);

/* Reads the record of a context, also of one that waits for its commit. Its keys are then the caller's to wipe: fan_registry_wipe(). In: there
 * is a store. */
int fan_registry_get_ue(const struct fanfare *fanfare, struct fan_record *record, unsigned table, uint32_t slot);
void fan_registry_wipe(struct fan_record *record);

/* What is to become of a UE's record. */
struct fan_registry_change {
	void (*change)(struct fan_record_ue *record, const void *value);
	const void *value;
	bool settled; /* the context spends nothing now: its checkpoint is written too */
};

/* Changes the record of a context, in a transaction of its own. */
int fan_registry_change_ue(struct fanfare *fanfare, unsigned table, uint32_t slot, const struct fan_registry_change *what);
/* Deletes a context's record; then no identity leads to it. */
int fan_registry_delete_ue(struct fanfare *fanfare, unsigned table, uint32_t slot);

int fan_registry_put_group(struct fanfare *fanfare, struct fan_group *group);
/* Writes a group's policy into its record. */
int fan_registry_put_admission(struct fanfare *fanfare, const struct fan_group *group, const struct fan_admission *admission);
int fan_registry_put_policy(struct fanfare *fanfare, const struct fan_group *group, const struct fan_policy *policy);
int fan_registry_delete_group(struct fanfare *fanfare, const struct fan_group *group);
/* Some of a group's members, as they are and as they are to be. */
struct fan_registry_sets {
	const struct fan_members *former, *next;
	uint8_t mark; /* beside the profiles: 0, or FAN_MEMBERS_HELD */
};

/* Writes what differs between these, among slots first .. last of a table, and what is to be kept of the group's keys, if it is not NULL. */
int fan_registry_put_members(const struct fan_group *group, const struct fan_registry_sets *sets, unsigned set_count,
			     const struct fan_record_group_key *key, unsigned table, uint32_t first, uint32_t last);
/* In a transaction that the caller has begun: writes all records of a group that have slots of `leaving`, without those. In/Out: *put_count,
 * records that were written. */
int fan_registry_clear_members(const struct fan_group *group, unsigned *put_count, unsigned table,
			       const roaring_bitmap_t *leaving);
/* Puts one such record in a transaction, or deletes it when it is empty. */
int fan_registry_put_window(struct fan_store *store, const struct fan_record *record);

#endif
