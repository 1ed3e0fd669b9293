/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The UE's side of MBMS keys (TS 33.246): takes MSK messages under its MUK and MTK messages under its MSKs, MIKEY of RFC 3830 and RFC 4563,
 * and has the key of each stream by its MKI. Written from the octets that host-api/keys/README.md lays down, and from nothing of that folder.
 */
#ifndef FAN_UE_MBMS_H
#define FAN_UE_MBMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAN_UE_MBMS_ANSWER_BYTES_MAX 320
#define FAN_UE_MBMS_STREAM_KEY_BYTES 30 /* SRTP's master key 16 and master salt 14, as libsrtp2 wants them */
#define FAN_UE_MBMS_MKI_BYTES 6
#define FAN_UE_MBMS_SERVICES_MAX 8

enum fan_ue_mbms_verdict {
	FAN_UE_MBMS_ACCEPTED,
	FAN_UE_MBMS_MALFORMED,
	FAN_UE_MBMS_NOT_JOINED, /* of a Key Domain and Key Group that this UE did not ask for */
	FAN_UE_MBMS_NOT_MINE,   /* of another pair of identities */
	FAN_UE_MBMS_NO_MSK,
	FAN_UE_MBMS_BAD_MAC,
	FAN_UE_MBMS_REPLAY,
	FAN_UE_MBMS_OUTSIDE, /* MTK ID is outside the MSK's interval */
	FAN_UE_MBMS_FULL,    /* a third MSK */
};

/* What the UE got out of GBA, and what it joined. One thread. */
struct fan_ue_mbms;

/* In: MUK; the BM-SC's FQDN and the UE's B-TID, 1 to 253 characters, copied. NULL when memory is short or a name is too long. */
struct fan_ue_mbms *fan_ue_mbms_open(const uint8_t muk[32], const char *bm_sc, const char *b_tid);
/* Wipes. NULL is ignored. */
void fan_ue_mbms_close(struct fan_ue_mbms *ue);
/* False when it is in FAN_UE_MBMS_SERVICES_MAX services. */
bool fan_ue_mbms_join(struct fan_ue_mbms *ue, const uint8_t domain[3], uint16_t group);

/*
 * Takes what came, an MSK or an MTK message. Out: answer[FAN_UE_MBMS_ANSWER_BYTES_MAX], *answer_bytes: the verification message of an MSK message
 * that asks for it and is accepted; else 0: an MTK message is never answered, and nothing is answered with an error, which would let one false
 * datagram on a broadcast channel draw an answer from every UE.
 */
enum fan_ue_mbms_verdict fan_ue_mbms_take(struct fan_ue_mbms *ue, uint8_t *answer, size_t *answer_bytes, const uint8_t *octets,
					  size_t octet_count);

/*
 * Takes the contents of a Received MBS container (TS 24.501 9.11.4.31) for a session that the UE has joined, all of it or nothing: MSKs, which take every
 * MTK ID from 1 on, and MTKs without salt. In: tmgi, 6 octets, of that session. It comes in the UE's own NAS message, which is protected: nothing of it has
 * a MAC of its own. NOT_MINE: another TMGI.
 */
enum fan_ue_mbms_verdict fan_ue_mbms_take_container(struct fan_ue_mbms *ue, const uint8_t *tmgi, const uint8_t *contents,
						    size_t octet_count);

/* Who a UE is to its BM-SC. */
struct fan_ue_mbms_name {
	const uint8_t *muk; /* 32 octets */
	const char *bm_sc, *b_tid;
};

/*
 * Opens an MSK message for a UE of which nothing is kept but the lowest T that is new to it. In/Out: octets, which become, once it is accepted, the
 * message as the BM-SC had it before it was anyone's own: the key data deciphered, zeros for T, for the first 24 octets of IDr and for the MAC. Out: *t,
 * when it is accepted or a REPLAY.
 */
enum fan_ue_mbms_verdict fan_ue_mbms_open_msk(uint8_t *octets, uint32_t *t, const struct fan_ue_mbms_name *name,
					      uint64_t t_next, size_t octet_count);

/* Out: SRTP's key and salt (zeros when the MTK came without one). False when the UE has no such MTK; of an MSK it keeps the last two. */
bool fan_ue_mbms_stream_key(const struct fan_ue_mbms *ue, uint8_t key[FAN_UE_MBMS_STREAM_KEY_BYTES],
			    const uint8_t mki[FAN_UE_MBMS_MKI_BYTES]);

#endif
