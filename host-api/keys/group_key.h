/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keys of groups: Gk_conf and Gk_integ of one GID (TR 33.868 5.7), numbered by Gki, that all members of the group share. 3GPP has no octets
 * for them: what stands here is ours, and README.md says of each octet whose it is.
 *
 *	master --HKDF(GID, Gki)--> seed --HKDF--> Gk_integ, Gk_conf
 *
 * A key is made of a master key, of a seed of 16 octets, or imported as it is when another node made it. In EPS the two keys go to members as
 * entries, which are the same octets for the whole group; in 5GS the seed goes as MSK of a Received MBS container (TS 24.501 9.11.4.31), so
 * that an imported key has no such form.
 *
 * Who holds a struct fan_group_key wipes it by fan_group_key_wipe(). Functions are of any thread and do not block. Errors: negative enum
 * fan_error with a line that never holds key material; what they write is wiped then.
 */
#ifndef FAN_KEYS_GROUP_KEY_H
#define FAN_KEYS_GROUP_KEY_H

#include "../../dataplane/context/error.h"

enum {
	FAN_GROUP_GID_OCTETS_MAX = 255,    /* their length stands in one octet */
	FAN_GROUP_SEED_BYTES = 16,         /* an MSK (TS 24.501 9.11.4.31) */
	FAN_GROUP_VERIFIER_BYTES = 32,     /* an Ed25519 public key (RFC 8032) */
	FAN_GROUP_KEK_BYTES = 16,          /* AES-128 key wrap (RFC 3394) */
	FAN_GROUP_SHARED_KEK_BYTES = 32,   /* that this node shares with an HSS or MME */
	FAN_GROUP_TAG_BYTES = 8,           /* the usual tag of a group message; FAN_MAC_BYTES by choice */
	FAN_GROUP_GKI_COUNT = 256,         /* Gki is one octet */
	FAN_GROUP_ENTRIES_BYTES_MAX = 1400 /* that go into one NAS message under FAN_PDU_BYTES_MAX */
};

#define FAN_GROUP_START_MAX ((INT64_C(1) << 40) - 1) /* seconds: 5 octets */

/* 14 fixed octets, two wrapped keys, a GID and its length, a verifier. */
#define FAN_GROUP_ENTRY_BYTES_MAX (14 + 2 * FAN_KEY_BYTES + 8 + 1 + FAN_GROUP_GID_OCTETS_MAX + FAN_GROUP_VERIFIER_BYTES)

/* A GID as octets. The first tells the form: 01, then service identifier 4, PLMN 3 (TS 24.008 10.5.1.13) and local identifier 1..10
 * (TS 23.003 19.9); or 02, then an External Group Identifier as text. */
struct fan_group_gid {
	uint8_t octet_count; /* 0: none */
	uint8_t octets[FAN_GROUP_GID_OCTETS_MAX];
};

/* In: a GID in its canonical form, as fan_group_gid() has it. INVALID: it is none, or longer than 254 characters. */
int fan_group_gid_write(struct fan_group_gid *out, const char *gid);
/* Out: its canonical text, closed by a zero. INVALID. */
int fan_group_gid_read(char text[FAN_GROUP_GID_OCTETS_MAX + 1], const struct fan_group_gid *gid);
bool fan_group_gid_equal(const struct fan_group_gid *a, const struct fan_group_gid *b);

struct fan_group_key {
	struct fan_group_gid gid;
	uint8_t gki;
	uint8_t cipher;        /* 0: messages are not ciphered; 1..3: 128-EEA */
	uint8_t integrity;     /* 1..3: 128-EIA; 0 is refused */
	uint8_t tag_bytes;     /* FAN_GROUP_TAG_BYTES, of 128-EIA2 alone, or FAN_MAC_BYTES */
	bool is_signed;        /* members take only what bears the sender's signature too */
	uint32_t first_count;  /* members take no COUNT below it */
	int64_t start_s;       /* since 1970 UTC; before it the key is not valid */
	uint16_t duration_min; /* 1 or more; the key is valid up to start_s + 60 x duration_min, which is no longer of it */
	bool has_seed;
	uint8_t seed[FAN_GROUP_SEED_BYTES];         /* where has_seed */
	uint8_t k_integ[FAN_KEY_BYTES];             /* Gk_integ */
	uint8_t k_conf[FAN_KEY_BYTES];              /* Gk_conf; not used and not sent where cipher is 0 */
	uint8_t verifier[FAN_GROUP_VERIFIER_BYTES]; /* where is_signed: the sender's public key */
};

/* Whether a key can be used: INVALID names the field and its range. 64-bit tags are refused for 128-EIA1 and 128-EIA3: both yield 32 bits, over
 * 32 bits of keystream that hide them; 64 would be a construction of our own that nobody has examined. */
int fan_group_key_check(const struct fan_group_key *key);
/* Whether it is valid at a time. */
bool fan_group_key_is_valid(const struct fan_group_key *key, int64_t now_s);
/* In: gid and gki of *key, and a master key of FAN_GROUP_MASTER_BYTES_MIN octets or more. Out: seed and both keys of *key. */
int fan_group_key_derive(struct fan_group_key *key, const void *master, size_t master_bytes);
/* The same from the seed on, which a 5GS member is given. */
int fan_group_key_from_seed(struct fan_group_key *key, const uint8_t seed[FAN_GROUP_SEED_BYTES]);
void fan_group_key_wipe(struct fan_group_key *key);

/* ---- Which key of a group is in use ----------------------------------------------------------------------------------------- */

enum fan_group_key_use {
	FAN_GROUP_KEY_UNKNOWN,  /* no key of this Gki was ever in use */
	FAN_GROUP_KEY_CURRENT,  /* messages are sent under it; no other key is sent under */
	FAN_GROUP_KEY_PREVIOUS, /* members still take what was sent under it before */
	FAN_GROUP_KEY_OVER,     /* never again, nor any other key under this Gki */
};

/* Of one GID under one master key. Zeroed at first: there is no key. */
struct fan_group_keys {
	bool has_current, has_previous;
	struct fan_group_key current, previous;
	int64_t previous_end_s;                /* from then on the previous key is over */
	uint64_t count_unsealed;               /* the first COUNT of the current key that this process has not sealed under */
	uint8_t used[FAN_GROUP_GKI_COUNT / 8]; /* bit Gki & 7 of octet Gki >> 3: it was in use once */
};

/* The first Gki that was never in use, from the one after the current key's on. -1: all were, and a new master key with an empty
 * struct is due. */
int fan_group_keys_next_gki(const struct fan_group_keys *keys);
/* Makes `key` the current one, and what was current the previous one until now_s + overlap_s, or its own end if that is before; overlap_s 0: it
 * is over at once, as when a member was removed. INVALID (the key, another GID), EXISTS (its Gki was in use): nothing has changed. */
int fan_group_keys_renew(struct fan_group_keys *keys, const struct fan_group_key *key, int64_t now_s, uint32_t overlap_s);
/* Wipes a previous key that is over. Call it when time has passed. */
void fan_group_keys_tidy(struct fan_group_keys *keys, int64_t now_s);
enum fan_group_key_use fan_group_keys_use(const struct fan_group_keys *keys, uint8_t gki, int64_t now_s);
void fan_group_keys_wipe(struct fan_group_keys *keys);

/* ---- How keys come to members ----------------------------------------------------------------------------------------------- */

/* One key as it goes to members, or the order to forget it. */
struct fan_group_entry {
	bool deletes;             /* only gid and gki of the key are meant */
	struct fan_group_key key; /* after reading: without a seed */
};

/* Out: a checked key's octets. In: kek NULL, or what wraps the keys: in a Security Mode Command, which is never ciphered. Returns how many
 * octets, or INVALID, MEMORY. */
int fan_group_entry_write(uint8_t out[FAN_GROUP_ENTRY_BYTES_MAX], const struct fan_group_entry *entry, const uint8_t *kek);

/* Reads entries up to the last octet. Out: entries[], to be wiped by the caller. In: kek NULL or as above: keys that lie open where they should
 * be wrapped, or the other way round, are refused. Returns how many entries; INVALID: not all of it is a row of entries, or more than
 * entry_max, or a key that fan_group_key_check() refuses; entries[] is then wiped. */
int fan_group_entries_read(struct fan_group_entry *entries, unsigned entry_max, const uint8_t *octets, size_t octet_count,
			   const uint8_t *kek);

/*
 * The same for a node that shares a KEK with this one, an HSS or MME: the keys are under AES key wrap by a key that is derived from that KEK and from
 * all else of the entry. Who only passes it on can neither read the keys nor put them under another GID, Gki, algorithm or validity. Not for an order
 * to delete, which has no keys: INVALID.
 */
int fan_group_entry_wrap(uint8_t out[FAN_GROUP_ENTRY_BYTES_MAX], const struct fan_group_key *key,
			 const uint8_t kek[FAN_GROUP_SHARED_KEK_BYTES]);
/* Out: *key, to be wiped by the caller. INVALID: it is none, another KEK's, or changed; *key is then wiped. */
int fan_group_entry_unwrap(struct fan_group_key *key, const uint8_t *octets, size_t octet_count,
			   const uint8_t kek[FAN_GROUP_SHARED_KEK_BYTES]);

/* The optional IE that an MME puts into ATTACH ACCEPT, TAU ACCEPT or SECURITY MODE COMMAND: 7E, length 2, entries. Out: octet_count + 3
 * octets. Returns how many. In: 1..FAN_GROUP_ENTRIES_BYTES_MAX octets of entries. INVALID. */
int fan_group_ie_write(uint8_t *out, const uint8_t *entries, size_t octet_count);

/* The KEK of a UE: the low 16 octets of KDF(K_ASME, FC 15, F1, 00) for EPS_NAS or of KDF(K_AMF, FC 69, F1, 00) for 5GS_NAS. The distinguisher
 * F1 is of those for private use (TS 33.501 A.8; TS 33.401 A.7 from memory). INVALID: another kind. */
int fan_group_kek(uint8_t kek[FAN_GROUP_KEK_BYTES], enum fan_kind kind, const uint8_t key[32]);

/* A multicast session of 5GS, in the octets of TS 24.008 10.5.6.13 and TS 33.246. */
struct fan_group_session {
	uint8_t service_id[3], plmn[3]; /* TMGI; the PLMN is the key domain too */
	uint8_t key_group[2];           /* first half of the MSK ID; the second is 00 and Gki */
};

/* In: "SSSSSS-MCC-MNC-GGGG", service identifier and key group in upper-case hex digits, as an IMSI-Group-Id has its parts. INVALID. */
int fan_group_session_read(struct fan_group_session *out, const char *text);

#define FAN_GROUP_SESSION_BYTES 34

/* The contents of a Received MBS container with one MBS information: security information update, the key's seed as MSK. No MTK: group
 * messages are under keys of the seed. INVALID: the key has no seed. */
int fan_group_session_write(uint8_t out[FAN_GROUP_SESSION_BYTES], const struct fan_group_session *session,
			    const struct fan_group_key *key);

#endif
