/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a member of groups does: it takes their keys, out of its own NAS messages, and opens messages under them. As all of the UE side it
 * shares nothing with the sender but fanfare.h: parsers, derivation, ciphers and the check of signatures are its own. host-api/keys/README.md
 * has the octets.
 *
 * Of a group it holds two keys at the most: the current one, which came last, and the one before, until that is deleted, expires, or a third
 * comes. A Gki that it has let go is never taken again. COUNTs of a key are accepted in any order within a window of FAN_UE_GROUP_WINDOW below
 * the highest accepted one, each once.
 */
#ifndef FAN_UE_GROUP_H
#define FAN_UE_GROUP_H

#include "cipher.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAN_UE_GROUPS_MAX 8
#define FAN_UE_GROUP_WINDOW 64
#define FAN_UE_GROUP_PDU_BYTES_MAX 1500

#define FAN_UE_GROUP_VERDICT_LIST(X)                                                                                           \
	X(ACCEPTED, "accepted")                                                                                                \
	X(MALFORMED, "malformed")       /* lengths, versions, algorithms, octets behind the end */                             \
	X(WRONG_DOMAIN, "wrong domain") /* keys of a group of another network or domain than its own */                        \
	X(FULL, "no room")              /* keys of one group more than it can hold */                                          \
	X(WRONG_GROUP, "wrong group")   /* a message to a group that it has no key of */                                       \
	X(UNKNOWN_KEY, "unknown key")   /* a Gki that it never had: it missed a re-key, or was removed before it */            \
	X(OLD_KEY, "old key")           /* a Gki that it has let go */                                                         \
	X(OTHER_KEY, "another key")     /* another key under a Gki that it holds */                                            \
	X(NOT_YET, "not yet valid")                                                                                            \
	X(EXPIRED, "expired")                                                                                                  \
	X(BAD_MAC, "bad MAC")                                                                                                  \
	X(BAD_SIGNATURE, "bad signature") /* right under the group key, but not the sender's */                                \
	X(REPLAY, "replay")               /* a COUNT that was accepted */                                                      \
	X(TOO_OLD, "below the window")    /* a COUNT too far below the highest accepted, or below the key's first */

enum fan_ue_group_verdict {
#define FAN_UE_GROUP_VERDICT_ENUM(name, text) FAN_UE_GROUP_##name,
	FAN_UE_GROUP_VERDICT_LIST(FAN_UE_GROUP_VERDICT_ENUM)
#undef FAN_UE_GROUP_VERDICT_ENUM
		FAN_UE_GROUP_VERDICT_COUNT
};

const char *fan_ue_group_verdict_name(enum fan_ue_group_verdict verdict);

/* Whose groups a member takes keys of: GIDs of this PLMN (3 octets, TS 24.008 10.5.1.13), or of this domain behind the @. */
struct fan_ue_group_home {
	uint8_t plmn[3];
	const char *domain; /* copied, up to 253 octets; NULL: none */
};

/* What the announcement of a 5GS multicast session says: all of a group's key but the key. */
struct fan_ue_group_announcement {
	uint8_t gid[255];
	uint8_t gid_bytes;
	uint8_t service_id[3]; /* of the TMGI */
	uint8_t key_group[2];  /* first half of the MSK ID */
	uint8_t cipher, integrity, tag_bytes;
	uint32_t first_count;
	int64_t start_s;
	uint16_t duration_min;
};

/* A message that was opened. */
struct fan_ue_group_message {
	uint32_t count;
	uint8_t gki;
	bool is_signed;
	size_t payload_bytes;
	uint8_t payload[FAN_UE_GROUP_PDU_BYTES_MAX];
};

struct fan_ue_groups;

/* NULL when memory is short. One thread. */
struct fan_ue_groups *fan_ue_groups_open(const struct fan_ue_group_home *home);
/* Wipes. NULL is ignored. */
void fan_ue_groups_close(struct fan_ue_groups *groups);

/* Takes a row of entries, all or none. In: kek NULL, or of 16 octets where keys must be wrapped. ACCEPTED, also for keys that it has already, which
 * changes nothing of what they have accepted; or the first refusal. */
enum fan_ue_group_verdict fan_ue_groups_take(struct fan_ue_groups *groups, const uint8_t *entries, size_t octet_count,
					     const uint8_t *kek);
/* The same from the contents of a Received MBS container: every key set in it must be of the announced session. */
enum fan_ue_group_verdict fan_ue_groups_take_session(struct fan_ue_groups *groups, const uint8_t *contents, size_t octet_count,
						     const struct fan_ue_group_announcement *announcement);

/* Opens a PDU. Out: *message when ACCEPTED. On any other verdict nothing has changed. Hostile octets, any length. */
enum fan_ue_group_verdict fan_ue_groups_receive(struct fan_ue_groups *groups, struct fan_ue_group_message *message,
						const uint8_t *pdu, size_t pdu_bytes, int64_t now_s);

#endif
