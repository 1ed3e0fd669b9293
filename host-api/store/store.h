/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The store: what an appliance must still know after kill -9, power loss or a full disk. It holds typed records and nothing of how they
 * lie on the disk, so that the same records can lie elsewhere.
 *
 *	fan_store_begin(store);
 *	fan_store_put(store, &marks);
 *	fan_store_put(store, &message);          any number of records, of any number of messages
 *	fan_store_commit(store);                 when it returns 0, all of them are on stable storage
 *
 * A transaction is whole or not there at all. What was committed before it is not touched when it fails: the disk may be full or fail at any
 * write, the caller frees room or mends the disk and begins again. IO of fan_store_commit() means that nothing was applied, unless the
 * process ends before the next fan_store_begin() succeeds: then the next fan_store_open() finds all of it or nothing.
 *
 * Two numbers cover every COUNT: U = C + m is never below the first COUNT that was not spent.
 *  - C, a checkpoint: the exact next COUNT of each of 256 contexts, and how many COUNTs before it have no proof of reception.
 *  - m, a mark: one octet for each such block, raised before anything is spent beyond it. A checkpoint takes it back to 0; both are put in
 *    one transaction. fan_resume() says what a context goes on with.
 * A UE's record holds its lease and not its COUNT: whoever puts a UE puts the checkpoint of its block in the same transaction, and without
 * one nothing is spent.
 *
 * What is on the disk: one directory of mode 0700, opened by one process; an LMDB file, every record of which is sealed by AES-256-GCM under
 * the store's data key. The seal keeps secret the two keys of a UE, what the keys of a group are made of, and octets of messages that are keys; all
 * else it makes evident when changed. The data key is wrapped by a key-encryption key, which a file outside the store holds. fan_store_open() reads the whole file: pages out of shape, records that are
 * lost, doubled, or come back from an older state are refused with the page or the database named, and a record that was changed with
 * its database and key when it is read.
 *
 * A copy must not spend: the original has spent since. The store knows the machine (/etc/machine-id), the inode of its data file and when
 * that was created, and is refused elsewhere unless `adopt` is given. Not detected: a snapshot of the whole disk or machine that runs in
 * the place of the original, and an older state that was written into the same file.
 *
 * Versions: what came with version 2 stands at the end of a record, and only where there is something to say: a record of version 1 is one
 * of version 2. Version 3 has records of whom a message is put off for, and no other;
 * version 4 the profiles that carry keys of groups, and COUNTs of these; version 5 further kinds and profiles, B-TIDs, records of the keys of
 * groups, of octets that are keys, and of keys of other nodes that were used, where UEs are, policies of groups, and ways of messages. Whoever
 * opens a store of an earlier version makes it one of version 5, which programs before then refuse.
 *
 * Errors: negative enum fan_error, with a line for fan_error_detail(). Threads: any, one at a time. A child of fork() does not use the handle.
 * Everything may block for as long as the disk takes.
 */
#ifndef FAN_STORE_H
#define FAN_STORE_H

#include "../../dataplane/context/count.h"
#include "commits.h"

#include <assert.h>

#define FAN_STORE_VERSION                                                                                                      \
	5 /* of the format; a store of an earlier version becomes one, and one of a later version is refused */
#define FAN_STORE_BYTES_MAX (UINT64_C(1) << 38) /* 256 GiB of address space: 100 M UEs take some 16 GB */

#define FAN_MARKS_BLOCKS 1024 /* blocks of one record of marks */
#define FAN_MEMBERS_CONTEXTS 4096
#define FAN_UNSERVED_CONTEXTS 65536

#define FAN_GROUP_BYTES 256 /* a canonical GID, its closing zero included */
#define FAN_STORED_BYTES_MAX 65000

static_assert(200 + FAN_MARK_MAX <= 254, "a UE follows a COUNT that is at most 255 ahead of the last that it accepted");

/* Each kind of record has a database of this name. */
#define FAN_RECORD_LIST(X)                                                                                                     \
	X(NEXT_HOP, next_hop)                                                                                                  \
	X(UE, ue)                                                                                                              \
	X(GROUP, group)                                                                                                        \
	X(MEMBERS, members)                                                                                                    \
	X(MESSAGE, message)                                                                                                    \
	X(OUTCOME, outcome)                                                                                                    \
	X(UNSERVED, unserved)                                                                                                  \
	X(CHECKPOINT, checkpoint)                                                                                              \
	X(MARKS, marks)                                                                                                        \
	X(GROUP_KEY, group_key)                                                                                                \
	X(KEY_OCTETS, key_octets)                                                                                              \
	X(SPENT_KEY, spent_key)

enum fan_record_kind {
#define FAN_RECORD_ENUM(name, database) FAN_RECORD_##name,
	FAN_RECORD_LIST(FAN_RECORD_ENUM)
#undef FAN_RECORD_ENUM
	/* how many there are */
	FAN_RECORD_KINDS
};

/* In each struct the key comes first, down to the line; there is one record of a key. A table is named by its protection. */

struct fan_record_next_hop {
	uint16_t index;
	/* ---- */
	uint8_t ethernet[6];
	uint8_t address[16];
};

/* The context of a UE in one table. Not stored: ue.count and ue.unacknowledged (see the checkpoint), of which reading gives 0; ue.kind, cipher
 * and integrity are the table's; ue.identity, capabilities and unreachable stand beside ue, and are not used in it. */
struct fan_record_ue {
	struct fan_protection table;
	uint32_t slot;
	/* ---- */
	char identity[FAN_IDENTITY_BYTES]; /* 5 to 15 digits (IMSI), or local@domain (external identifier, TS 23.682 4.6.2) */
	uint32_t capabilities;             /* the caller's bits */
	bool reachable;
	char b_tid[FAN_B_TID_BYTES_MAX + 1]; /* of MBMS, else "": ue.b_tid is not used */
	struct fan_ue ue;
	uint64_t messages_before; /* ids up to this one were given before it was added: they are of whoever had the slot then */
};

struct fan_record_group {
	char gid[FAN_GROUP_BYTES];
	/* ---- */
	/* COUNTs of its group keys (group_counter.h). All zero: none was ever spent. */
	uint8_t gki;                   /* the key that COUNTs were last spent of; bit of it in gki_used */
	uint8_t gki_used[32];          /* bit Gki & 7 of octet Gki >> 3 */
	uint64_t count_reserved;       /* of that key: each COUNT below it may have been spent; 0..2^32 */
	struct fan_policy policy;      /* radios 0: none */
	uint32_t needs_all, needs_any; /* struct fan_admission */
};

#define FAN_MEMBERS_HELD                                                                                                       \
	0x80 /* beside a profile of keys: those of its members that are known to have the group's current key */

/* Which of 4,096 contexts of a table are members, under one profile. Deleting the group deletes these too. */
struct fan_record_members {
	char gid[FAN_GROUP_BYTES];
	struct fan_protection table;
	uint8_t profile;     /* enum fan_profile; FAN_MEMBERS_HELD */
	uint32_t first_slot; /* a multiple of 4,096 */
	/* ---- */
	uint8_t member[FAN_MEMBERS_CONTEXTS / 8]; /* bit i & 7 of octet i >> 3 is context first_slot + i */
};

/* The one UE that a message is for, by the context in which it was to be protected. */
struct fan_recipient {
	char identity[FAN_IDENTITY_BYTES]; /* as a UE's record has it */
	struct fan_protection table;
	uint32_t slot;
	uint8_t profile; /* enum fan_profile */
};

/* A message as it was accepted; it is written once. The strings and octets belong to the caller when it is put; when it is read they are
 * the store's, until the next call. */
struct fan_record_message {
	uint64_t id;
	/* ---- */
	char gid[FAN_GROUP_BYTES];       /* "": it is for one UE */
	struct fan_recipient recipient;  /* which one; else all zero */
	int64_t accepted_ms, expires_ms; /* since 1970 UTC; expires_ms 0: no limit. message.valid_for_ms is not stored */
	struct fan_message message;      /* of keys of groups without its octets, which have a record of their own */
};

/* What has become of a message; it is small, and written again as that changes. */
struct fan_record_outcome {
	uint64_t id;
	/* ---- */
	uint8_t state;     /* enum fan_message_state */
	uint64_t position; /* where sending goes on after a crash: the caller's measure */
	int64_t ended_ms;  /* since 1970 UTC; 0: not yet */
	uint32_t resumed;  /* after so many crashes */
	uint64_t in_doubt; /* PDUs that may have been repeats */
	uint64_t ues;
	struct fan_result profile[FAN_PROFILE_COUNT];
	bool served_kept;               /* whom it was served to is kept too; false: version 1 began with it */
	uint64_t way_ues[FAN_WAYS_MAX]; /* members that were served another way, by enum fan_way; of unicast 0 */
};

#define FAN_UNSERVED_PUT_OFF                                                                                                   \
	UINT8_MAX /* of a message on its way: it is still to go to them, though they lie before its position */

#define FAN_UNSERVED_WAYS FAN_DROPS_MAX /* ... + enum fan_way: it was served to them that way, and not by unicast */

/* Members of 65,536 contexts of a table that a message was not served to, under one profile and for one reason; or that it was served to, or is put
 * off for. Deleting the message deletes these too. */
struct fan_record_unserved {
	uint64_t id;
	struct fan_protection table;
	uint8_t profile;     /* enum fan_profile */
	uint8_t reason;      /* enum fan_drop; NONE: it was served to them; or PUT_OFF, or WAYS and a way */
	uint32_t first_slot; /* a multiple of 65,536 */
	/* ---- */
	const uint8_t *bitmap; /* a set of slots, the caller's encoding; as the octets of a message */
	size_t bitmap_bytes;   /* 1..FAN_STORED_BYTES_MAX */
};

/* C of the contexts of a block; those of slots that hold no UE are the caller's to choose. */
struct fan_record_checkpoint {
	struct fan_protection table;
	uint32_t block; /* of slots 256 x block .. 256 x block + 255 */
	/* ---- */
	uint32_t count[FAN_BLOCK_CONTEXTS];          /* the next COUNT to be spent */
	uint16_t unacknowledged[FAN_BLOCK_CONTEXTS]; /* COUNTs right before it without proof of reception */
	uint8_t transaction[FAN_BLOCK_CONTEXTS];     /* NAS: the next CP transaction identifier */
	uint8_t rp_reference[FAN_BLOCK_CONTEXTS];    /* NAS: the next RP message reference */
};

/* m of 1,024 blocks. No record: all are 0. */
struct fan_record_marks {
	struct fan_protection table;
	uint32_t first_block; /* a multiple of 1,024 */
	/* ---- */
	uint8_t mark[FAN_MARKS_BLOCKS]; /* 0..FAN_MARK_MAX */
};

/* What the keys of a group are made of. All of it is secret. */
struct fan_group_secret {
	uint8_t master[32];             /* that the next key is derived from; zero where another node makes the keys */
	uint8_t signer[32];             /* Ed25519; where is_signed */
	uint8_t k_integ[FAN_KEY_BYTES]; /* of another node's key; else zero */
	uint8_t k_conf[FAN_KEY_BYTES];
};

/* The keys of a group: which is the current one, and what is to be done yet. Deleting the group deletes it; its COUNTs are the group's. */
struct fan_record_group_key {
	char gid[FAN_GROUP_BYTES];
	/* ---- */
	uint8_t gki; /* of the current key */
	uint8_t cipher, integrity, tag_bytes;
	bool is_signed, is_imported;
	bool has_session; /* it has the form of 5GS, for this session: */
	uint8_t service_id[3], plmn[3], key_group[2];
	bool rekey_on_removal;
	bool is_due;     /* another key is to be made: a member was removed */
	uint8_t to_send; /* bit of enum fan_profile less EPS_NAS_KEY: the current key has yet to be sent so */
	uint16_t duration_min;
	int64_t start_s; /* since 1970 UTC */
	uint32_t overlap_s;
	bool has_previous;
	uint8_t previous_gki;
	int64_t previous_end_s;
	uint64_t rotations; /* ever */
	struct fan_group_secret secret;
};

#define FAN_KEY_OCTETS_MAX FAN_PDU_BYTES_MAX /* more fits no NAS message */

/* The octets of a message of keys of groups, until it has ended. Deleting the message deletes it. */
struct fan_record_key_octets {
	uint64_t id;
	/* ---- */
	uint16_t octet_count;
	uint8_t octets[FAN_KEY_OCTETS_MAX]; /* secret; zero behind the last */
};

#define FAN_SPENT_KEY_BYTES 32

/* What outlives a group: the Gki that its GID had, which members take no second time, and keys of other nodes, of whose COUNTs nobody knows any
 * more. */
struct fan_record_spent_key {
	uint8_t fingerprint[FAN_SPENT_KEY_BYTES]; /* SHA-256 over what it is, and the GID or the key */
	/* ---- */
	uint8_t gki_used[32]; /* as of a group */
};

struct fan_record {
	enum fan_record_kind kind;
	union {
		struct fan_record_next_hop next_hop;
		struct fan_record_ue ue;
		struct fan_record_group group;
		struct fan_record_members members;
		struct fan_record_message message;
		struct fan_record_outcome outcome;
		struct fan_record_unserved unserved;
		struct fan_record_checkpoint checkpoint;
		struct fan_record_marks marks;
		struct fan_record_group_key group_key;
		struct fan_record_key_octets key_octets;
		struct fan_record_spent_key spent_key;
	};
};

/* What the i-th context of a block goes on with when nothing else is known: every COUNT below C + m may have been spent, and whether the
 * UE accepted those is unknown, nor whether they were short messages. Nothing was spent by a UE whose record says that it is unreachable, or
 * whose window was used up at C, or whose COUNT was at its end: none spends before its record or its checkpoint says otherwise, so that however
 * many crashes come, none is pushed out of its window and no COUNT begins anew. In: kind and unreachable of *ue. Out: count, unacknowledged (at most its 16 bits) and, of NAS, transaction,
 * rp_reference and transactions_open of *ue. */
static inline void
fan_resume(struct fan_ue *ue, const struct fan_record_checkpoint *checkpoint, uint8_t mark, unsigned i)
{
	const struct fan_count_rule *rule = &fan_count_rules[ue->kind];
	const bool still = ue->unreachable || checkpoint->unacknowledged[i] >= rule->gap_max ||
			   checkpoint->count[i] >= rule->end;
	const unsigned spent = still ? 0 : mark;
	const unsigned unacknowledged = checkpoint->unacknowledged[i] + spent;
	/* One is left to be tried where all may be open and none need be: a UE that is sent short messages alone could prove nothing else. */
	const unsigned most = FAN_TRANSACTIONS_MAX - (spent > 0);

	ue->count = checkpoint->count[i] + spent;
	ue->unacknowledged = (uint16_t)(unacknowledged < UINT16_MAX ? unacknowledged : UINT16_MAX);
	if (!fan_kind_is_nas(ue->kind))
		return;
	ue->transaction = (uint8_t)((checkpoint->transaction[i] + spent) % FAN_TRANSACTIONS_MAX);
	ue->rp_reference = (uint8_t)(checkpoint->rp_reference[i] + spent);
	ue->transactions_open = (uint8_t)(unacknowledged < most ? unacknowledged : most);
}

struct fan_store;

struct fan_store_options {
	const char *directory; /* mode 0700, this user's; on a local file system */
	const char *
		key_file; /* the key-encryption key: 32 octets, or 64 hex digits and at most a line's end; mode 0600 or 0400, this user's */
	bool create; /* make a new store where there is none; the folder above must be there */
	/* Take over a store that was copied or moved here, for good. Only when the original is gone and will not come back, and the copy
	 * was made after its last fan_store_close(); otherwise COUNTs are spent twice. */
	bool adopt;
};

/* Opens a store and checks all of its file: some 0.5 s a GB from memory. Out: *out, the caller's until fan_store_close(). Errors, with *out
 * NULL: INVALID (mode or owner; the key file's contents; another key than the store's), NOT_FOUND, BUSY (names process and program that
 * have it open), UNSUPPORTED (another format version; a copy), IO (damaged, or the disk), MEMORY. A holder that was killed does not block. */
int fan_store_open(struct fan_store **out, const struct fan_store_options *options);
/* Drops a transaction that was not committed, wipes keys. NULL is ignored. */
void fan_store_close(struct fan_store *store);

/* Begins the one transaction. BUSY when it has begun, or in a callback. After a commit that failed on the disk: IO until that is mended. */
int fan_store_begin(struct fan_store *store);
/* Makes the transaction durable and ends it. Errors, with the transaction dropped: IO (disk full or failing), MEMORY (the store's limit). */
int fan_store_commit(struct fan_store *store);
/* Out: how long commits took that had something to write. */
void fan_store_commits(const struct fan_store *store, struct fan_store_commits *commits);
/* Drops the transaction. Ignored when there is none. */
void fan_store_abort(struct fan_store *store);
/* Ends the transaction with the error of what was put: commits where that is 0, drops it otherwise. Returns the error. */
int fan_store_end(struct fan_store *store, int error);

/* Whether fan_store_put() would take a record. INVALID names the field and its range. */
int fan_store_check(const struct fan_record *record);
/* Puts a record in the place of the one with its key, in a transaction. Records in ascending order of their keys behind the last one are
 * the fastest and pack tightest. INVALID names the field and its range, and the transaction may go on; after another error it can only
 * be dropped. */
int fan_store_put(struct fan_store *store, const struct fan_record *record);
/* Deletes the record of this kind and key, in a transaction; a group's members and keys with the group, and with a message what it was not
 * served and its octets. NOT_FOUND. In: the key's fields. */
int fan_store_delete(struct fan_store *store, const struct fan_record *record);

/* How many records of a kind there were after the last commit. */
uint64_t fan_store_count(const struct fan_store *store, enum fan_record_kind kind);

/* In: kind and the key's fields. Out: the rest. Sees what an open transaction has put. NOT_FOUND; IO: the record is damaged. Secrets are
 * then the caller's to wipe. */
int fan_store_get(struct fan_store *store, struct fan_record *record);
/* The same for the first record whose key is this one or higher. */
int fan_store_next(struct fan_store *store, struct fan_record *record);
/* What is read until fan_store_read_end() is of one moment, and found faster where one record lies near the one before. No transaction begins
 * meanwhile (BUSY); in one that has begun it changes nothing. IO. */
int fan_store_read_begin(struct fan_store *store);
void fan_store_read_end(struct fan_store *store);
/* Calls `each` for every record of a kind, in ascending order of keys, until it answers other than 0, and returns that. The record is
 * valid inside the call and then wiped. `each` may call fan_store_get(). */
int fan_store_each(struct fan_store *store, enum fan_record_kind kind, int (*each)(void *user, const struct fan_record *record),
		   void *user);

/* Wraps the data key anew, under the key of another file, in one durable commit of its own; records stay as they are. From then on only
 * that file opens the store. Pages that are free now, and copies, may still hold the wrapping under the former key: who has that key and
 * the disk has the data key. BUSY in a transaction. */
int fan_store_rotate_key(struct fan_store *store, const char *key_file);

#endif
