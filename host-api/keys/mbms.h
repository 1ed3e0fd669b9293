/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The key side of a BM-SC (TS 33.246): what UEs of one MBMS service need, from GBA to traffic.
 *
 *	MUK and MRK of each UE      from its GBA keys
 *	MSKs of the service         drawn here, at most two at a time, each for an interval of MTK IDs, sent to each UE under its MUK
 *	MTKs                        drawn here, sent to all under an MSK; SRTP's master key and salt, MKI = MSK ID || MTK ID
 *
 * Two numbers must never come twice, and the caller makes them durable as it does COUNT: T of MSK messages, one for all UEs and services of the
 * BM-SC, and under each MSK the MTK ID, which is the T of its message too. MTKs are in memory alone; whoever restarts draws another.
 *
 * One thread. Nothing here blocks.
 */
#ifndef FAN_KEYS_MBMS_H
#define FAN_KEYS_MBMS_H

#include "mikey.h"
#include "srtp.h"

/* ---- UEs --------------------------------------------------------------------------------------------------------------- */

/*
 * Out: muk[], mrk[]. GBA_ME: ks_naf is Ks_NAF and ks_int_naf NULL; the MUK is Ks_NAF itself and the MRK derived from it. GBA_U, where the
 * MUK stays in the UICC: ks_naf is Ks_ext_NAF. MEMORY; both are then zero.
 */
int fan_mbms_user_keys(uint8_t muk[FAN_MIKEY_MUK_BYTES], uint8_t mrk[32], const uint8_t ks_naf[32], const uint8_t *ks_int_naf);

/* ---- Numbers that never come twice ------------------------------------------------------------------------------------- */

/* After a crash a counter goes on at what was reserved. Gaps cost nothing, so a reservation may be wide. */
struct fan_mbms_counter {
	uint32_t next;
	uint32_t reserved; /* the first that is not on stable storage as spent */
};

/* Out: *value, which is spent with that. BUSY: it is not reserved yet; the caller reserves more and tries again. */
int fan_mbms_counter_spend(struct fan_mbms_counter *counter, uint32_t *value);
/* When it is on stable storage that all below `reserved` may have been spent. INVALID when that would take some back. */
int fan_mbms_counter_reserve(struct fan_mbms_counter *counter, uint32_t reserved);

/* ---- A service ---------------------------------------------------------------------------------------------------------- */

/* An MSK and what was spent under it: what a caller stores, sealed, and hands back after a restart. */
struct fan_mbms_msk {
	struct fan_mikey_msk msk;
	struct fan_mbms_counter mtk; /* MTK IDs, and T, under it */
};

struct fan_mbms_options {
	uint8_t domain[FAN_MIKEY_DOMAIN_BYTES];
	uint16_t group;  /* Key Group, unlike that of every other service of the domain */
	uint16_t number; /* of the first MSK that is drawn; above all that were ever drawn */
	uint32_t csb_id;
	struct fan_mikey_identity idi;  /* copied */
	struct fan_mbms_counter *times; /* T of MSK messages, shared by all services; outlives the service */
	/* What MBMS cannot do, and is refused with the reason (UNSUPPORTED). */
	bool uplink;                /* members send under the group's keys */
	bool individual_keys;       /* each member's traffic under a key of its own */
	bool authenticate_together; /* members are authenticated as one */
};

struct fan_mbms;

/* In: the MSKs that were held before a restart, 0 to FAN_MIKEY_MSKS_MAX, older first. INVALID, UNSUPPORTED, MEMORY. */
int fan_mbms_open(struct fan_mbms **out, const struct fan_mbms_options *options, const struct fan_mbms_msk *msks,
		  unsigned msk_count);
/* Wipes. NULL is ignored. */
void fan_mbms_close(struct fan_mbms *mbms);

/*
 * Draws the next MSK, for MTK IDs 1..mtk_count. Out: *msk_id. BUSY while two are held of which the older is neither used up nor revoked: a UE
 * would refuse a third. INVALID: no MSK number or interval is left. IO: no random octets. It is used for traffic from
 * fan_mbms_msk_use() on.
 */
int fan_mbms_msk_draw(struct fan_mbms *mbms, uint32_t *msk_id, uint16_t mtk_count);
/* MTKs are drawn under this MSK from now on. NOT_FOUND; INVALID when it is revoked. */
int fan_mbms_msk_use(struct fan_mbms *mbms, uint32_t msk_id);
/* Its next message says that it is used no more, and no MTK is drawn under it. NOT_FOUND; BUSY when it is the one in use. */
int fan_mbms_msk_revoke(struct fan_mbms *mbms, uint32_t msk_id);
/* The MSKs held, older first, the service's own; counters are reserved through this. Returns how many. */
unsigned fan_mbms_msks(struct fan_mbms *mbms, struct fan_mbms_msk **msks);

/*
 * An MSK message to one UE. Out: octets[FAN_MIKEY_BYTES_MAX]; *head, to be kept when an answer is wanted. In: the user without IDi, which is the
 * service's. Returns the octets, or NOT_FOUND, BUSY (no T is reserved), INVALID, IO, MEMORY.
 */
int fan_mbms_msk_message(struct fan_mbms *mbms, uint8_t *octets, struct fan_mikey_head *head, uint32_t msk_id,
			 const struct fan_mikey_user *user, bool verify);
/* One for many UEs whose B-TIDs have the length and the domain of this one: all take the same T, which none of their MUKs had, and the same RAND. */
int fan_mbms_msk_template(struct fan_mbms *mbms, struct fan_mikey_template *out, struct fan_mikey_head *head, uint32_t msk_id,
			  const struct fan_mikey_identity *b_tid, bool verify);
/* What a UE answered. */
enum fan_mikey_verdict fan_mbms_verified(struct fan_mbms *mbms, const struct fan_mikey_head *head,
					 const struct fan_mikey_user *user, const uint8_t *octets, size_t octet_count);

/*
 * Draws the next MTK and writes its message, which is the same for all members and may be sent again as it is. Out: octets[FAN_MIKEY_BYTES_MAX];
 * *stream, all but its SSRC. Returns the octets, or NOT_FOUND (no MSK is used), BUSY (no MTK ID is reserved), INVALID (the interval is used up: use
 * another MSK), IO, MEMORY.
 */
int fan_mbms_mtk_draw(struct fan_mbms *mbms, uint8_t *octets, struct fan_srtp_stream *stream);

/* ---- Multicast sessions of 5GS (TS 33.501 Annex W) ------------------------------------------------------------------------ */

#define FAN_MBMS_TMGI_BYTES 6 /* service identifier 3, PLMN 3 */
#define FAN_MBMS_CONTAINER_BYTES_MAX (10 + FAN_MIKEY_MSKS_MAX * 24)

/*
 * The contents of a Received MBS container (TS 24.501 9.11.4.31) that brings the MSKs that are held, but for those revoked, to members of a session
 * of 5GS: under a member's own NAS context, where MIKEY has a MUK. MTKs follow in MIKEY under these MSKs: the container could bring one, and has no
 * room for the salt that ours have. Such a container has no interval either: a UE takes each MTK ID from 1 on. Out: octets[FAN_MBMS_CONTAINER_BYTES_MAX],
 * to be wiped. Returns how many, or NOT_FOUND: there is no MSK.
 */
int fan_mbms_container_write(uint8_t *octets, const struct fan_mbms *mbms, const uint8_t tmgi[FAN_MBMS_TMGI_BYTES]);

#endif
