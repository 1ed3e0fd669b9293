/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The UE side: what a UE and the relay in front of it do with a frame. It shares no code with dataplane/ beyond the
 * vocabulary of fanfare.h: its parsers, its COUNT estimation and its cryptography are its own, so that an error of the
 * sender cannot hide in an equal error of the receiver.
 *
 * A frame goes through: Ethernet, IPv4 or IPv6, UDP (lengths and checksums verified), GTP-U with extension headers, or S1AP
 * / NGAP DownlinkNASTransport (APER); then, with the UE that the addresses name: NAS or PDCP header, COUNT estimate from the
 * SN (TS 24.301 4.4.3, TS 24.501 4.4.3, TS 36.323 5.1.2, TS 38.323 5.2.2), MAC, deciphering, replay check; then the content:
 * ESM DATA TRANSPORT, DOWNLINK NAS TRANSPORT with CP-DATA / RP-DATA / SMS-DELIVER, DL NAS TRANSPORT, SDAP, IPv4/UDP.
 *
 * A datagram to none of the ports of GTP-U, S1AP and NGAP is a packet over SGi to the UE itself: with an MSK under its MUK in it, where the UE is one of
 * MBMS (mbms.h), else one whose addresses, checksums and payload are all that can be wrong: a message that is sent to one of these ports there is taken for what the port says.
 */
#ifndef FAN_UE_H
#define FAN_UE_H

#include "../host-api/fanfare.h"

/* Everything a frame can be, worst news last in each stage. FAN_UE_ACCEPTED is the only good one. */
#define FAN_UE_VERDICT_LIST(X)                                                                                                 \
	X(ACCEPTED, "accepted")                                                                                                \
	X(MALFORMED_FRAME, "malformed frame")         /* Ethernet, IP, UDP: type, length */                                    \
	X(BAD_CHECKSUM, "bad checksum")               /* outer or inner IPv4 header, outer or inner UDP */                     \
	X(MALFORMED_TRANSPORT, "malformed transport") /* GTP-U, S1AP, NGAP */                                                  \
	X(UNKNOWN_UE, "unknown UE")                   /* no subscriber behind TEID or UE ids */                                \
	X(MALFORMED_PDU, "malformed PDU")             /* NAS or PDCP header */                                                 \
	X(BAD_MAC, "bad MAC")                                                                                                  \
	X(REPLAY, "replay")                       /* COUNT not above what was accepted */                                      \
	X(MALFORMED_CONTENT, "malformed content") /* what was inside, once deciphered */                                       \
	X(WRONG_ADDRESS, "wrong address")         /* inner packet for another UE; bearer id of another UE */

enum fan_ue_verdict {
#define FAN_UE_VERDICT_ENUM(name, text) FAN_UE_##name,
	FAN_UE_VERDICT_LIST(FAN_UE_VERDICT_ENUM)
#undef FAN_UE_VERDICT_ENUM
		FAN_UE_VERDICT_COUNT
};

const char *fan_ue_verdict_name(enum fan_ue_verdict verdict);

/* What the SIM and the network gave a UE for one context. `bearer` serves bearers only: NAS has its constants, 0 for EPS and
 * 1 (3GPP access) for 5GS. */
struct fan_ue_subscriber {
	uint8_t kind;      /* enum fan_kind */
	uint8_t cipher;    /* 0..3 */
	uint8_t integrity; /* 0..3, FAN_INTEGRITY_HMAC_SHA_1 or FAN_INTEGRITY_NONE */
	uint8_t bearer;    /* 0..31 */
	bool sdap;         /* NR: an SDAP header is configured on the bearer */
	bool raw;          /* bearer carries raw octets, not IP packets */
	uint8_t k_enc[FAN_KEY_BYTES];
	uint8_t k_int[FAN_KEY_BYTES];
	uint8_t ipv4[4];      /* the UE's own address (bearers, SGi, MBMS) */
	uint32_t first_count; /* COUNT of the first message to come: one above the last accepted */
	uint8_t bearer_id;    /* EPS bearer or PDU session identity that is active; 0: any */
	/* MBMS, whose MUK is k_enc and k_int. The names are valid until the UE is asked for another subscriber. */
	uint16_t udp_port;
	const char *bm_sc, *b_tid;
};

/* Receive state of one context, kept by the caller in 8 octets per UE, zeroed at first. */
struct fan_ue_state {
	uint32_t next_count;     /* one above the largest accepted COUNT; meaningful once begun */
	uint16_t received_bytes; /* for the caller: how far into the expected message this UE is */
	uint8_t begun;           /* 0: nothing accepted yet, subscriber.first_count applies */
	uint8_t received_parts;  /* for the caller */
};

/* The address of a context as the frame tells it. */
struct fan_ue_address {
	bool ipv6;
	bool nas;             /* NAS: the two ids; else TEID */
	bool plain;           /* over SGi, and MBMS: the UE's own address, and the next hop by its address on the link alone */
	bool five_g;          /* NAS: NGAP rather than S1AP; bearers: the NR RAN container was there */
	uint8_t next_hop[16]; /* outer destination address, IPv4 in the first 4 octets; not plain */
	uint32_t teid;
	uint64_t mme_ue_id;
	uint32_t ran_ue_id;
	uint8_t ipv4[4], ethernet[6]; /* plain: destination of the packet, and of the frame */
};

/* Finds the subscriber behind an address. Out: *subscriber, zeroed before the call, *state (stays valid until the next
 * call). False: unknown; so is a context whose values are out of range or that is not of the transport the frame came by. */
typedef bool (*fan_ue_find)(void *user, struct fan_ue_subscriber *subscriber, struct fan_ue_state **state,
			    const struct fan_ue_address *address);

/* What the UE was given. Pointers lead into the receiver's own buffer, valid until the next frame. */
struct fan_ue_delivery {
	struct fan_ue_address address;
	struct fan_ue_state *state; /* NULL when the UE was not found */
	uint32_t count;             /* estimated COUNT; SGi: 0; MBMS: T */
	uint8_t form;               /* enum fan_ue_form */
	const uint8_t *
		data; /* NIDD, CIoT, raw: user data; IP: UDP payload; SMS: text as UTF-8, or octets of 8-bit data; keys: entries
				(EPS), contents of a Received MBS container (5GS), for ue/group.h; MBMS: as fan_ue_mbms_open_msk() leaves an MSK message */
	uint16_t data_bytes;
	/* SMS */
	uint8_t sms_part, sms_parts; /* 1-based; 1 of 1 when not concatenated */
	uint16_t sms_reference;      /* concatenation reference */
	uint8_t rp_reference, transaction;
	uint8_t tp_pid, tp_dcs;
	int32_t application_port; /* destination port of the SMS or of the inner packet, -1: none */
	char originator[24];      /* TP-OA in text */
	/* NIDD, CIoT, and keys of 5GS */
	uint8_t bearer_id; /* EPS bearer identity or PDU session identity */
	/* bearers */
	int16_t sdap_qfi; /* -1: none */
	int32_t nru_sn;   /* -1: no NR RAN container */
};

enum fan_ue_form { FAN_UE_NIDD, FAN_UE_SMS, FAN_UE_CIOT, FAN_UE_IP, FAN_UE_RAW, FAN_UE_KEYS };

struct fan_ue_receiver;

/* NULL when memory is short. One thread per receiver; receivers share nothing. */
struct fan_ue_receiver *fan_ue_receiver_open(fan_ue_find find, void *user);
void fan_ue_receiver_close(struct fan_ue_receiver *receiver);

/*
 * Takes one frame from Ethernet up. Out: *delivery, complete when ACCEPTED, else as far as the frame was understood. Frames
 * are hostile: any octets, any length.
 * Over SGi a packet that comes twice is ACCEPTED twice, as by a UE, and state does not move.
 * State moves once the PDU itself is good, whatever its content then shows: on ACCEPTED, MALFORMED_CONTENT and
 * WRONG_ADDRESS, and on BAD_CHECKSUM of an inner packet. On every other verdict it stays as it was.
 * A bearer without integrity has no MAC: a wrong key, BEARER or HFN deciphers to garbage, which shows as MALFORMED_CONTENT
 * when the bearer carries packets and not at all when it carries raw octets; its COUNT moves on all the same, as in a UE.
 */
enum fan_ue_verdict fan_ue_receive(struct fan_ue_receiver *receiver, struct fan_ue_delivery *delivery, const uint8_t *frame,
				   size_t frame_bytes);

#endif
