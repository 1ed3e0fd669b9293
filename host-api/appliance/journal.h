/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The journal: the lives of messages, from fan_send() to the end of the time for which their results are kept.
 *
 * A message is accepted by one transaction, which it shares with others: the message, an outcome, and the marks that its members' blocks need.
 * Only then do workers have it. While it is sent, its position is made durable, and who before it is put off (late.h): every other member before it
 * has been done with. After a crash the message goes on from there, to those who are members of its group then, or to its one UE; those put off and
 * the members behind the position may have been sent it already, and get it again under a new COUNT: FAN_IN_DOUBT_MAX of them at the most, since
 * workers are let no further than that beyond what is durable.
 *
 * A message that is broadcast waits for what comes of that (broadcasts.h), and so do those behind it of its priority that share a UE with it. It is
 * durable meanwhile, without marks; those are claimed, and who was served by broadcast is written, in the transaction after which workers have it.
 *
 * All of it is the control thread's.
 */
#ifndef FAN_JOURNAL_H
#define FAN_JOURNAL_H

#include "../../dataplane/dataplane.h"
#include "../store/store.h"

#define FAN_IN_DOUBT_MAX (1U << 22)      /* members of one message ... */
#define FAN_LATE_IN_DOUBT_MAX (1U << 19) /* ... of which so many may be of those put off */

struct fanfare;
struct fan_airing;

/* Whom of a leg a message is put off for. */
struct fan_put_off {
	roaring_bitmap_t **parts;  /* as the disk has it, of 65,536 slots each; owned, NULL: nobody, or no parts */
	roaring_bitmap_t *resumed; /* those that the process began with; owned, NULL: nobody */
	unsigned part_count;
};

/* How far a message has got since the disk knew. */
struct fan_advance {
	uint64_t place;
	bool moved; /* beyond the position on the disk */
	bool late;  /* it is time to write who is put off */
	uint64_t taken[FAN_WORKERS_MAX], left;
};

/* A message on its way. */
struct fan_entry {
	struct fan_flight *flight; /* NULL: the entry is free */
	bool durable;
	bool served_kept; /* whom it is served to is written, as it is of all messages but those that version 1 of the store began with */
	char gid[FAN_GROUP_BYTES];           /* "": it is for one UE */
	struct fan_recipient recipient;      /* which one; else all zero */
	char reference[FAN_REFERENCE_BYTES]; /* "": none */
	int64_t accepted_ms, expires_ms;     /* since 1970 UTC; 0: no limit */
	struct fan_message message;          /* until it is durable; it points into `octets` */
	uint8_t *octets;                     /* owned */
	uint32_t byte_count;
	uint64_t ues;
	struct fan_airing *airing;                   /* owned; NULL: unicast alone */
	uint64_t way_ues[FAN_WAYS_MAX];              /* members that were served another way; none before that is known */
	uint32_t resumed;                            /* after so many crashes */
	uint64_t in_doubt;                           /* PDUs to members that may have had them before */
	struct fan_result before[FAN_PROFILE_COUNT]; /* what was known to have become of it before the last crash */
	uint64_t kept_place;                         /* the position on the disk, in the flight's own places */
	struct fan_put_off *put_off;                 /* by leg, owned; NULL: nobody was yet */
	unsigned put_off_count;                      /* legs */
	uint64_t put_off_tsc;                        /* when it was last written who is, of all members */
	uint64_t put_off_left;                       /* how many were then */
	uint64_t put_off_taken[FAN_WORKERS_MAX];     /* the spans' late_taken before that */
	bool put_off_unsure;                         /* the disk may have others: a transaction has failed */
};

#define FAN_FORGOTTEN_MAX 256 /* messages that are forgotten in one transaction */

struct fan_forgotten {
	fan_message_id id;
	char reference[FAN_REFERENCE_BYTES];
};

struct fan_journal {
	struct fan_entry entries[FAN_FLIGHTS_MAX]; /* by the flight's place */
	uint64_t kept_tsc, swept_tsc;              /* when positions were last written, results last looked at */
	uint64_t retention_ms;
	int64_t wall_ahead_ms;                             /* of the monotonic clock, when the store was opened */
	struct fan_advance progress[FAN_FLIGHTS_MAX];      /* that is written: a stack may have no room for it */
	struct fan_record record;                          /* one that is read: a stack may have no room for two */
	struct fan_forgotten forgotten[FAN_FORGOTTEN_MAX]; /* by the transaction in hand */
};

/* Out: an entry for a message, with copies of what it points to, and without whom it is for. MEMORY, TOO_LONG. */
int fan_journal_prepare(struct fan_entry *entry, const struct fanfare *fanfare, const struct fan_message *message);
/* Frees one that is not added after all. */
void fan_journal_drop(struct fan_entry *entry);
/* Notes a message that was accepted, and takes the entry's copies over. Without a store the workers have it from here on. */
void fan_journal_add(struct fanfare *fanfare, struct fan_flight *flight, const struct fan_entry *entry);

/* As fan_sync(). */
int fan_journal_sync(struct fanfare *fanfare);

/* Makes durable which flights were cancelled, so that a crash does not send them after all. */
int fan_journal_cancel(struct fanfare *fanfare);
/* Makes durable what has become of all flights that are settled. False: the store fails; ask again later. */
bool fan_journal_end(struct fanfare *fanfare);
/* Forgets a flight that was taken off the list. */
void fan_journal_remove(struct fanfare *fanfare, const struct fan_flight *flight);

/* Writes positions and forgets old results, when it is time. */
void fan_journal_serve(struct fanfare *fanfare);

/* Writes what has become of messages once more, so that the next fan_open() repeats little. As far as the store takes it. */
void fan_journal_close(struct fanfare *fanfare);

/* What has become of a message so far, before crashes and since; of one profile. */
void fan_journal_result(const struct fan_entry *entry, struct fan_result *result, enum fan_profile profile);
void fan_journal_add_result(struct fan_result *sum, const struct fan_result *result);
enum fan_message_state fan_journal_state(const struct fan_entry *entry, bool ended);
/* What has become of a message, as it is kept. Out: *record. NOT_FOUND: there is no such message, or no store. */
int fan_journal_outcome(struct fanfare *fanfare, struct fan_record *record, fan_message_id id);
/* A set of slots as it is stored, the caller's; NULL: it is none, or there is no memory. */
roaring_bitmap_t *fan_journal_bitmap(const struct fan_record_unserved *unserved);

/* Goes on with the messages that had not ended, if there is a store. In: how long results are kept; 0: 7 days. */
int fan_journal_open(struct fanfare *fanfare, uint32_t retention_s);
void fan_journal_free(struct fanfare *fanfare);

#endif
