/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The MIKEY messages of MBMS: RFC 3830 with a pre-shared key, RFC 4563's Key ID extension, TS 33.246's choice of both.
 *
 *	MSK message, under a UE's MUK     HDR EXT T RAND IDi IDr KEMAC { MSK, first and last MTK ID }
 *	MTK message, under an MSK         HDR EXT T KEMAC { MTK, or MTK and salt }
 *	verification of an MSK message    HDR T IDr V
 *
 * Keys of a message: PRF of RFC 3830 4.1.2, label = constant || FF || CSB-ID || RAND, RAND left out under an MSK. So under one MSK and CSB-ID
 * all messages have the same keys, and T alone makes their keystreams differ: a T is used once, ever. It is a COUNT by another name.
 *
 * What is read is hostile: lengths, types and order are those of the messages above or the message is refused, and nothing of a key is
 * looked at before the MAC is right. README.md beside this says which octets rest on what.
 */
#ifndef FAN_KEYS_MIKEY_H
#define FAN_KEYS_MIKEY_H

#include "../../dataplane/engine/engine.h"

#include <stdbool.h>

#define FAN_MIKEY_MUK_BYTES 32
#define FAN_MIKEY_KEY_BYTES 16 /* MSK, MTK */
#define FAN_MIKEY_SALT_BYTES 14
#define FAN_MIKEY_DOMAIN_BYTES 3
#define FAN_MIKEY_IDENTITY_BYTES_MAX 253 /* RFC 4282 2.2: what a NAI may have */
/* HDR 10, EXT 19, T 6, RAND 18, IDi and IDr 4 and a NAI each, KEMAC 4 + 36 + 1 + 20. */
#define FAN_MIKEY_BYTES_MAX (10 + 19 + 6 + 18 + 2 * (4 + FAN_MIKEY_IDENTITY_BYTES_MAX) + 61)
#define FAN_MIKEY_MSKS_MAX 2 /* of one Key Domain ID and Key Group (TS 31.102 4.2.80) */

/* A NAI, without a closing zero; the caller's. */
struct fan_mikey_identity {
	const char *text;
	uint16_t byte_count; /* 1..FAN_MIKEY_IDENTITY_BYTES_MAX */
};

/* Who shares a MUK: (IDi, IDr) is its name. */
struct fan_mikey_user {
	uint8_t muk[FAN_MIKEY_MUK_BYTES];
	struct fan_mikey_identity idi; /* the BM-SC's FQDN */
	struct fan_mikey_identity idr; /* the UE's B-TID */
};

/* An MSK as it is sent. Its id is Key Group 2, number 2. MTKs first..last are taken under it; a first above the last says that it is
 * used no more. */
struct fan_mikey_msk {
	uint32_t id;
	uint32_t mtk_first, mtk_last; /* written: 0..65535 */
	uint8_t key[FAN_MIKEY_KEY_BYTES];
};

struct fan_mikey_mtk {
	uint32_t id; /* written: 0..65535 */
	bool has_salt;
	uint8_t key[FAN_MIKEY_KEY_BYTES], salt[FAN_MIKEY_SALT_BYTES];
};

/* What a message says beside its keys. */
struct fan_mikey_head {
	uint8_t domain[FAN_MIKEY_DOMAIN_BYTES]; /* MCC || MNC */
	uint32_t csb_id;
	uint32_t counter;                   /* T */
	bool verify;                        /* MSK message: the UE is to answer */
	uint8_t rand[FAN_MIKEY_RAND_BYTES]; /* MSK message */
};

/* ---- Reading: structure ------------------------------------------------------------------------------------------------ */

enum fan_mikey_kind { FAN_MIKEY_MSK, FAN_MIKEY_MTK, FAN_MIKEY_VERIFICATION };

enum fan_mikey_verdict {
	FAN_MIKEY_ACCEPTED,
	FAN_MIKEY_MALFORMED,   /* none of the messages above, or cut */
	FAN_MIKEY_WRONG_NAME,  /* of another domain, Key Group or pair of identities */
	FAN_MIKEY_UNKNOWN_MSK, /* an MTK message under an MSK that is not held */
	FAN_MIKEY_WRONG_MAC,
	FAN_MIKEY_REPLAY,          /* T is not above the last one accepted under the key, or MTK ID is not */
	FAN_MIKEY_OUT_OF_VALIDITY, /* MTK ID is not among those that the MSK is valid for */
	FAN_MIKEY_THIRD_MSK,       /* two of this Key Group are held */
	FAN_MIKEY_FAILED,          /* OpenSSL has no memory */
};

/* A message taken apart. Pointers go into the octets that were parsed. */
struct fan_mikey_message {
	enum fan_mikey_kind kind;
	struct fan_mikey_head head;
	uint32_t msk_id, mtk_id;
	struct fan_mikey_identity idi, idr;
	const uint8_t *octets; /* all of the message; its last FAN_MIKEY_MAC_BYTES are the MAC */
	uint16_t octet_count;
	const uint8_t *encrypted; /* of the KEMAC */
	uint16_t encrypted_bytes;
};

/* MALFORMED or ACCEPTED, which says that the octets are a message, not who made it. MTK IDs of 2 and of 4 octets are read. Any thread. */
enum fan_mikey_verdict fan_mikey_parse(struct fan_mikey_message *message, const uint8_t *octets, size_t octet_count);

/* One word for a verdict. Static storage. */
const char *fan_mikey_verdict_name(enum fan_mikey_verdict verdict);

/* ---- Writing and reading with keys ------------------------------------------------------------------------------------- */

/* OpenSSL's contexts, keyed anew for each message. One thread. */
struct fan_mikey;

/* MEMORY when OpenSSL has none, or no HMAC-SHA-1 or AES. */
int fan_mikey_open(struct fan_mikey **out);
/* Wipes. NULL is ignored. */
void fan_mikey_close(struct fan_mikey *mikey);

/*
 * Out: octets[FAN_MIKEY_BYTES_MAX]. Returns how many, or INVALID (an identity's length, an MTK ID), MEMORY. The caller spends head->counter first, and
 * never again under this MUK or MSK (fan_mbms_counter_spend() of mbms.h).
 */
int fan_mikey_write_msk(struct fan_mikey *mikey, uint8_t *octets, const struct fan_mikey_head *head,
			const struct fan_mikey_msk *msk, const struct fan_mikey_user *user);
/* Of head, `verify` and `rand` are not looked at; msk->key protects, its interval is not looked at. */
int fan_mikey_write_mtk(struct fan_mikey *mikey, uint8_t *octets, const struct fan_mikey_head *head,
			const struct fan_mikey_msk *msk, const struct fan_mikey_mtk *mtk);
/* What a UE answers an MSK message with that asked for it. In: the head of that message. */
int fan_mikey_write_verification(struct fan_mikey *mikey, uint8_t *octets, const struct fan_mikey_head *head,
				 const struct fan_mikey_user *user);

/* The MSKs of one Key Domain and Key Group that a reader holds. Begins as zeros but for domain and group; the reader's functions write it. */
struct fan_mikey_held {
	struct fan_mikey_msk msk;
	uint32_t counter_next; /* lowest T that is taken under it */
	uint64_t mtk_next;     /* lowest MTK ID that is taken under it */
};

struct fan_mikey_group {
	uint8_t domain[FAN_MIKEY_DOMAIN_BYTES];
	uint16_t group;
	unsigned held_count; /* 0..FAN_MIKEY_MSKS_MAX */
	struct fan_mikey_held held[FAN_MIKEY_MSKS_MAX];
};

/*
 * Takes an MSK message: into `group`, in the place of one with its id, or of one that is used no more. In/Out: *counter_next, the lowest T
 * that is taken under this MUK; it and the group are as before unless the message is accepted.
 */
enum fan_mikey_verdict fan_mikey_read_msk(struct fan_mikey *mikey, struct fan_mikey_group *group, uint32_t *counter_next,
					  const struct fan_mikey_message *message, const struct fan_mikey_user *user);
/* Takes an MTK message under one of the group's MSKs. Out: *mtk, zeros unless it is accepted. */
enum fan_mikey_verdict fan_mikey_read_mtk(struct fan_mikey *mikey, struct fan_mikey_mtk *mtk, struct fan_mikey_group *group,
					  const struct fan_mikey_message *message);
/* Whether it verifies the MSK message with this head. WRONG_NAME when CSB-ID or T are not those, or an IDr is another's. */
enum fan_mikey_verdict fan_mikey_read_verification(struct fan_mikey *mikey, const struct fan_mikey_head *head,
						   const struct fan_mikey_message *message, const struct fan_mikey_user *user);

/* Wipes the keys of MSKs held and forgets them. */
void fan_mikey_forget(struct fan_mikey_group *group);

/* ---- One MSK to many UEs ----------------------------------------------------------------------------------------------- */

/*
 * An MSK message with its key data in clear, and with holes where UEs differ: T, the first octets of IDr, and the MAC. Whoever protects many
 * at once (dataplane/engine/ipsec_mb/mikey_burst.h) copies it, fills the holes, ciphers the key data and adds the MAC. It holds a key: wipe it.
 */
struct fan_mikey_template {
	uint8_t octets[FAN_MIKEY_BYTES_MAX];
	uint16_t octet_count;
	struct fan_mikey_places places;
};

/* Out: what fan_mikey_write_msk() begins with. INVALID. In: user->muk is not looked at. */
int fan_mikey_template(struct fan_mikey_template *out, const struct fan_mikey_head *head, const struct fan_mikey_msk *msk,
		       const struct fan_mikey_user *user);

#endif
