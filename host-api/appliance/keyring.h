/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keys of a group: made, kept, handed out, proved, renewed. What fanfare.h says of them is done here.
 *
 *	made        a transaction: the record of the key, its Gki among those used, nobody known to have it; then it is the current one
 *	handed out  a message of its octets, in each form, to those able who are not known to have it; the record says so until the message is durable,
 *	            so that a process that ends between sends it, or sends it twice, which members take for once
 *	proved      a member acknowledges the very COUNT under which it was sent the key: it is among those who hold it, at once, and durably a moment
 *	            later. What is forgotten by a crash costs a member the broadcast and nothing else
 *	due         a member that may have the key leaves: that another is due is written with its leaving
 *
 * All of it is the control thread's.
 */
#ifndef FAN_KEYRING_H
#define FAN_KEYRING_H

#include "../../dataplane/context/clock.h"
#include "../../dataplane/flight.h"
#include "../keys/group_pdu.h"
#include "../store/group_counter.h"

struct fan_group;
struct fanfare;

enum { FAN_KEY_FORMS = 2 }; /* entries (EPS) and Received MBS containers (5GS); a form is a profile less EPS_NAS_KEY */

/* Of one table: under which COUNT the current key went to its members. */
struct fan_key_proof {
	uint16_t table;
	struct fan_key_counts *counts; /* a reference */
};

/* Lies in memory that core dumps leave out. */
struct fan_keyring {
	struct fan_group *group;
	struct fan_keyring *next, **link; /* all of an appliance */
	struct fan_record_group_key kept; /* as it is on the disk, or would be */
	struct fan_group_keys keys;
	struct fan_group_signer *signer;    /* owned; NULL: messages are not signed */
	struct fan_group_counter counter;   /* with a store */
	uint64_t next_count;                /* without */
	struct fan_members held;            /* under profiles of keys: those known to have the current key */
	struct fan_members fresh;           /* those of them that the disk does not know of */
	struct fan_members joined;          /* who became able since the key was sent, and are to be sent it */
	const struct fan_members *target;   /* whom a message goes to that is being accepted; NULL: all who have no proof */
	uint8_t whole;                      /* forms, a bit each, in which all who have no proof are to be sent the key */
	fan_message_id sent[FAN_KEY_FORMS]; /* that brings it; 0: none, or it is durable */
	struct fan_key_proof *proofs;       /* owned */
	unsigned proof_count;
	uint64_t failures;
	int64_t tried_ms;  /* when something failed last, by the monotonic clock; 0: nothing has since */
	int64_t kept_ms;   /* when `fresh` was last written */
	char failure[256]; /* the last one's line; "": the last attempt succeeded */
};

/* Whether the i-th form is one of a mask's. */
static inline bool
fan_key_form_in(unsigned forms, unsigned form)
{
	return (forms >> form & 1) != 0;
}

/* ---- Within this room: keyring.c, key_message.c and group_key.c -------------------------------------------------------------- */

static inline int64_t
fan_key_now_s(void)
{
	return fan_clock_ms(CLOCK_REALTIME) / 1000;
}

static inline unsigned
fan_key_form(enum fan_profile profile)
{
	return (unsigned)profile - FAN_PROFILE_EPS_NAS_KEY;
}

/* Whether those under a profile take the group's key: members of MBMS are able to take MSKs, which are no business of this room. */
static inline bool
fan_key_has_form(enum fan_profile profile)
{
	return fan_key_form(profile) < FAN_KEY_FORMS;
}

static inline int64_t
fan_key_end_s(const struct fan_record_group_key *kept)
{
	return kept->start_s + 60 * (int64_t)kept->duration_min;
}

/* When it is renewed by itself: a tenth of its time before its end. */
static inline int64_t
fan_key_renewal_s(const struct fan_record_group_key *kept)
{
	return kept->is_imported ? INT64_MAX : fan_key_end_s(kept) - 6 * (int64_t)kept->duration_min;
}

/* Whether the order to forget the key before goes with the current one. */
static inline bool
fan_key_replaces_at_once(const struct fan_record_group_key *kept)
{
	return kept->has_previous && kept->previous_end_s <= kept->start_s;
}

/* COUNTs of the current key below it may have been spent. */
uint64_t fan_keyring_next_count(const struct fan_keyring *ring);
/* Whether another key is to be made now. */
bool fan_keyring_is_due(const struct fan_keyring *ring);
/* How many of these members are there: without those removed, whose slots are not free yet. */
uint64_t fan_keyring_count(const struct fanfare *fanfare, const struct fan_members *members);

/* The next Gki that no group of this GID has had. INVALID: all were. */
int fan_keyring_next_gki(const struct fan_group *group);
/* In: what the next key is made of. The current key, which there is, becomes the one before, for so long. */
void fan_keyring_end_current(struct fan_record_group_key *next, const struct fan_group *group, int64_t now, uint32_t overlap_s);
/* ... it has this Gki, and is to be sent to all. */
void fan_keyring_begin_next(struct fan_record_group_key *next, int gki);
/* Makes it durable and the current one. INVALID, EXISTS (another node's that was given before), IO, MEMORY. */
int fan_keyring_install(struct fan_group *group, const struct fan_record_group_key *next);
/* The same with a key that is made here, without an overlap where a member has left. INVALID: another node makes them. */
int fan_keyring_renew(struct fan_group *group);
/* Deletes what is kept. */
int fan_keyring_delete(const struct fan_group *group);

/* Sends the key to those who are to be sent it. Returns the last error; what it is of is tried again. */
int fan_keyring_send(struct fan_keyring *ring);
/* Tells members of EPS to forget keys. Those of 5GS have no such order: their key ends with its time. */
int fan_keyring_send_deletion(struct fan_group *group, const uint8_t *gkis, unsigned gki_count);

/* ---- What others ask ------------------------------------------------------------------------------------------------------- */

/*
 * Whether a member is known to have the group's current key, and that is valid and not about to be replaced: then a message under it reaches the
 * member by any way. False for all when the group has no key. In: a table's index and a slot of it. Some tens of nanoseconds.
 */
bool fan_group_key_held(const struct fan_group *group, unsigned table, uint32_t slot);

/* Whether a message can be sealed now under the key that those known to have it hold: there is one, it is valid, and none is due in its place. That is
 * so, or not, for all members at once. */
bool fan_keyring_is_ready(const struct fan_group *group);
/* Whether a member is known to have the current key, whether it is ready or not. */
bool fan_keyring_is_proved(const struct fan_group *group, unsigned table, uint32_t slot);

/* ---- From the store --------------------------------------------------------------------------------------------------------- */

/* A group that was read from the store gets its keys. IO, MEMORY. */
int fan_keyring_restore(struct fan_group *group, const struct fan_record_group_key *record);
/* Forgets a group's keys in memory. Ignored where there are none. */
void fan_keyring_forget(struct fan_group *group);

/* ---- Members ------------------------------------------------------------------------------------------------------------------ */

/* What the disk is to say once contexts have become able: that they are to be sent the key. NULL: nothing. Out: *record. */
const struct fan_record_group_key *fan_keyring_on_joining(struct fan_record_group_key *record, const struct fan_group *group,
							  enum fan_profile profile);
/* ... and once a member that may have the key has left. */
const struct fan_record_group_key *fan_keyring_on_leaving(struct fan_record_group_key *record, const struct fan_group *group,
							  unsigned table, uint32_t slot);
/* Takes over what was written. In: who is able now, of whom those that were not before are sent the key. */
void fan_keyring_joined(struct fan_group *group, const struct fan_members *able, enum fan_profile profile);
/* ... that a member has left. */
void fan_keyring_left(struct fan_group *group, unsigned table, uint32_t slot);
/* A context is removed, which is in its groups until its slot is freed. Within the transaction that deletes it: puts what its groups' keys are to
 * say. */
int fan_keyrings_put_removal(struct fanfare *fanfare, unsigned table, uint32_t slot);
/* ... after that, or without a store. */
void fan_keyrings_note_removal(struct fanfare *fanfare, unsigned table, uint32_t slot);
/* Slots are about to be freed, or given to others. False when memory is short: some may still be there. */
bool fan_keyring_free_slots(struct fan_group *group, unsigned table, const roaring_bitmap_t *slots);

/* ---- Messages of keys ---------------------------------------------------------------------------------------------------------- */

/* Whom a message of keys goes to: of those able the ones of its form, and of the group's current key those without proof. Out: *members, the
 * caller's to free. MEMORY. */
int fan_keyring_choose(struct fan_members *members, const struct fan_group *group, const struct fan_message *message);
/* Notes under which COUNTs a message that no worker has yet brings the current key, if it does. Where memory is short none is proved by it. */
void fan_keyring_track(const struct fan_group *group, struct fan_flight *flight, const struct fan_message *message);

/* A context has proved that it accepted a COUNT. */
void fan_keyrings_prove(struct fanfare *fanfare, unsigned table, uint32_t slot, uint32_t count);

/* Renews what is due, sends what is to be sent, and writes what has been proved. */
void fan_keyrings_serve(struct fanfare *fanfare);
/* Writes what has been proved, as far as the store takes it. */
void fan_keyrings_close(struct fanfare *fanfare);

#endif
