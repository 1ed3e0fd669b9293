/* SPDX-License-Identifier: BSD-3-Clause */
#include "ue.h"

#include "aper.h"
#include "cipher.h"
#include "frame.h"
#include "mbms.h"
#include "nas.h"
#include "octets.h"
#include "pdcp.h"
#include "sms.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <stdlib.h>

struct fan_ue_receiver {
	fan_ue_find find;
	void *user;
	struct fan_ue_cipher *cipher;
	struct fan_ue_subscriber subscriber;     /* of the frame at hand; wiped with the receiver */
	uint8_t plain[FAN_UE_CIPHER_OCTETS_MAX]; /* the deciphered PDU */
	uint8_t text[FAN_UE_SMS_TEXT_MAX];
};

/* What the transport hands to NAS or PDCP, or the packet itself. */
struct carried {
	const uint8_t *pdu;
	size_t pdu_bytes;
};

const char *
fan_ue_verdict_name(enum fan_ue_verdict verdict)
{
	static const char *const names[FAN_UE_VERDICT_COUNT] = {
#define VERDICT_NAME(name, text) [FAN_UE_##name] = text,
		FAN_UE_VERDICT_LIST(VERDICT_NAME)
#undef VERDICT_NAME
	};

	return (unsigned)verdict < FAN_UE_VERDICT_COUNT ? names[verdict] : "unknown verdict";
}

struct fan_ue_receiver *
fan_ue_receiver_open(fan_ue_find find, void *user)
{
	struct fan_ue_receiver *receiver = calloc(1, sizeof(*receiver));

	if (!receiver)
		return NULL;
	receiver->cipher = fan_ue_cipher_open();
	if (!receiver->cipher) {
		free(receiver);
		return NULL;
	}
	receiver->find = find;
	receiver->user = user;
	return receiver;
}

void
fan_ue_receiver_close(struct fan_ue_receiver *receiver)
{
	if (!receiver)
		return;
	fan_ue_cipher_close(receiver->cipher);
	OPENSSL_cleanse(receiver, sizeof(*receiver));
	free(receiver);
}

static bool
parse_tunnel(struct fan_ue_delivery *delivery, struct carried *carried, const struct fan_ue_datagram *datagram)
{
	struct fan_ue_tunnel tunnel;

	if (!fan_ue_frame_parse_tunnel(&tunnel, datagram->payload, datagram->payload_bytes))
		return false;
	delivery->address.teid = tunnel.teid;
	delivery->address.five_g = tunnel.nr_container;
	delivery->nru_sn = tunnel.nr_container ? (int32_t)tunnel.nru_sn : -1;
	carried->pdu = tunnel.pdu;
	carried->pdu_bytes = tunnel.pdu_bytes;
	return true;
}

static bool
parse_application(struct fan_ue_delivery *delivery, struct carried *carried, const struct fan_ue_datagram *datagram)
{
	bool five_g = datagram->destination_port == FAN_UE_PORT_NGAP;
	struct fan_ue_transport transport;

	delivery->address.nas = true;
	delivery->address.five_g = five_g;
	if (!fan_ue_aper_parse(&transport, five_g, datagram->payload, datagram->payload_bytes))
		return false;
	delivery->address.mme_ue_id = transport.mme_ue_id;
	delivery->address.ran_ue_id = transport.ran_ue_id;
	carried->pdu = transport.pdu;
	carried->pdu_bytes = transport.pdu_bytes;
	return true;
}

/* There is no transport: the packet is the UE's. */
static bool
take_packet(struct fan_ue_delivery *delivery, struct carried *carried, const struct fan_ue_datagram *datagram)
{
	if (datagram->ipv6)
		return false;
	delivery->address.plain = true;
	memset(delivery->address.next_hop, 0, sizeof(delivery->address.next_hop));
	memcpy(delivery->address.ipv4, datagram->destination, sizeof(delivery->address.ipv4));
	memcpy(delivery->address.ethernet, datagram->ethernet, sizeof(delivery->address.ethernet));
	carried->pdu = datagram->packet;
	carried->pdu_bytes = datagram->packet_bytes;
	return true;
}

static enum fan_ue_verdict
parse_transport(struct fan_ue_delivery *delivery, struct carried *carried, const uint8_t *frame, size_t frame_bytes)
{
	struct fan_ue_datagram datagram;
	enum fan_ue_verdict verdict = fan_ue_frame_parse(&datagram, frame, frame_bytes);
	bool parsed;

	if (verdict != FAN_UE_ACCEPTED)
		return verdict;
	delivery->address.ipv6 = datagram.ipv6;
	memcpy(delivery->address.next_hop, datagram.destination, sizeof(delivery->address.next_hop));
	switch (datagram.destination_port) {
	case FAN_UE_PORT_GTPU:
		parsed = parse_tunnel(delivery, carried, &datagram);
		break;
	case FAN_UE_PORT_S1AP:
	case FAN_UE_PORT_NGAP:
		parsed = parse_application(delivery, carried, &datagram);
		break;
	default:
		return take_packet(delivery, carried, &datagram) ? FAN_UE_ACCEPTED : FAN_UE_MALFORMED_FRAME;
	}
	return parsed ? FAN_UE_ACCEPTED : FAN_UE_MALFORMED_TRANSPORT;
}

/* A context that the standards know, and that can be reached by the way the frame came. */
static bool
is_usable(const struct fan_ue_subscriber *subscriber, const struct fan_ue_address *address)
{
	const uint8_t other_integrity = subscriber->kind == FAN_KIND_MBMS ? FAN_INTEGRITY_HMAC_SHA_1 : FAN_INTEGRITY_NONE;
	bool has_integrity = subscriber->integrity <= FAN_ALGORITHM_MAX;

	if (subscriber->cipher > FAN_ALGORITHM_MAX || subscriber->bearer > 31 ||
	    (!has_integrity && subscriber->integrity != other_integrity))
		return false;
	switch (subscriber->kind) {
	case FAN_KIND_EPS_NAS:
		return address->nas && !address->five_g && has_integrity;
	case FAN_KIND_5GS_NAS:
		return address->nas && address->five_g && has_integrity;
	case FAN_KIND_LTE_PDCP_12:
	case FAN_KIND_LTE_PDCP_18:
		return !address->nas && !address->plain && !has_integrity;
	case FAN_KIND_NR_PDCP_12:
	case FAN_KIND_NR_PDCP_18:
		return !address->nas && !address->plain;
	case FAN_KIND_SGI:
		return address->plain && subscriber->cipher == 0 && !has_integrity;
	case FAN_KIND_MBMS:
		return address->plain && subscriber->cipher == 2 && !has_integrity && subscriber->bm_sc && subscriber->b_tid;
	default:
		return false;
	}
}

static bool
find_subscriber(struct fan_ue_receiver *receiver, struct fan_ue_delivery *delivery)
{
	struct fan_ue_state *state = NULL;

	memset(&receiver->subscriber, 0, sizeof(receiver->subscriber));
	if (!receiver->find(receiver->user, &receiver->subscriber, &state, &delivery->address) || !state ||
	    !is_usable(&receiver->subscriber, &delivery->address))
		return false;
	delivery->state = state;
	return true;
}

/* One above the largest accepted COUNT. It is 2^32 after the last COUNT of a bearer, which next_count cannot hold: it is 0
 * then, and 0 never comes about otherwise once something was accepted. */
static uint64_t
next_count(const struct fan_ue_state *state, const struct fan_ue_subscriber *subscriber)
{
	if (!state->begun)
		return subscriber->first_count;
	return state->next_count ? state->next_count : (uint64_t)1 << 32;
}

static void
move_state(struct fan_ue_state *state, uint32_t count)
{
	state->next_count = count + 1;
	state->begun = 1;
}

static enum fan_ue_verdict
receive_nas(struct fan_ue_receiver *receiver, struct fan_ue_delivery *delivery, const struct carried *carried)
{
	const struct fan_ue_subscriber *subscriber = &receiver->subscriber;
	struct fan_ue_nas nas = { 0 };
	enum fan_ue_verdict verdict = fan_ue_nas_receive(receiver->cipher, &nas, receiver->plain, subscriber,
							 next_count(delivery->state, subscriber), carried->pdu,
							 carried->pdu_bytes);

	delivery->count = nas.count;
	if (verdict != FAN_UE_ACCEPTED)
		return verdict;
	move_state(delivery->state, nas.count);
	return fan_ue_nas_parse(delivery, receiver->text, subscriber, nas.plain, nas.plain_bytes);
}

/* The payload of the packet to this UE. */
static enum fan_ue_verdict
parse_packet(struct fan_ue_delivery *delivery, const struct fan_ue_subscriber *subscriber, const uint8_t *octets,
	     size_t octet_count)
{
	struct fan_ue_datagram packet;
	enum fan_ue_verdict verdict = fan_ue_frame_parse_inner(&packet, octets, octet_count);

	delivery->form = FAN_UE_IP;
	delivery->data = octets;
	delivery->data_bytes = (uint16_t)octet_count;
	if (verdict != FAN_UE_ACCEPTED)
		return verdict;
	delivery->data = packet.payload;
	delivery->data_bytes = (uint16_t)packet.payload_bytes;
	delivery->application_port = packet.destination_port;
	return memcmp(packet.destination, subscriber->ipv4, 4) == 0 ? FAN_UE_ACCEPTED : FAN_UE_WRONG_ADDRESS;
}

/* What a bearer delivers: a packet, or raw octets. */
static enum fan_ue_verdict
parse_bearer(struct fan_ue_delivery *delivery, const struct fan_ue_subscriber *subscriber, const struct fan_ue_pdcp *pdcp)
{
	if (!subscriber->raw)
		return parse_packet(delivery, subscriber, pdcp->data, pdcp->data_bytes);
	delivery->form = FAN_UE_RAW;
	delivery->data = pdcp->data;
	delivery->data_bytes = (uint16_t)pdcp->data_bytes;
	return FAN_UE_ACCEPTED;
}

static enum fan_ue_verdict
receive_bearer(struct fan_ue_receiver *receiver, struct fan_ue_delivery *delivery, const struct carried *carried)
{
	const struct fan_ue_subscriber *subscriber = &receiver->subscriber;
	struct fan_ue_pdcp pdcp = { 0 };
	enum fan_ue_verdict verdict = fan_ue_pdcp_receive(receiver->cipher, &pdcp, receiver->plain, subscriber,
							  next_count(delivery->state, subscriber), carried->pdu,
							  carried->pdu_bytes);

	delivery->count = pdcp.count;
	if (verdict != FAN_UE_ACCEPTED)
		return verdict;
	move_state(delivery->state, pdcp.count);
	delivery->sdap_qfi = pdcp.sdap_qfi;
	return parse_bearer(delivery, subscriber, &pdcp);
}

/* Nothing is to be deciphered; what is delivered lies in the receiver's own buffer all the same. */
static enum fan_ue_verdict
receive_plain(struct fan_ue_receiver *receiver, struct fan_ue_delivery *delivery, const struct carried *carried)
{
	static_assert(sizeof(receiver->plain) > UINT16_MAX, "no IPv4 packet is longer");
	memcpy(receiver->plain, carried->pdu, carried->pdu_bytes);
	return parse_packet(delivery, &receiver->subscriber, receiver->plain, carried->pdu_bytes);
}

static enum fan_ue_verdict
verdict_of(enum fan_ue_mbms_verdict verdict)
{
	switch (verdict) {
	case FAN_UE_MBMS_ACCEPTED:
		return FAN_UE_ACCEPTED;
	case FAN_UE_MBMS_BAD_MAC:
		return FAN_UE_BAD_MAC;
	case FAN_UE_MBMS_REPLAY:
		return FAN_UE_REPLAY;
	case FAN_UE_MBMS_NOT_MINE:
		return FAN_UE_WRONG_ADDRESS;
	default:
		return FAN_UE_MALFORMED_PDU;
	}
}

/* An MSK in a packet to the UE. */
static enum fan_ue_verdict
receive_msk(struct fan_ue_receiver *receiver, struct fan_ue_delivery *delivery, const struct carried *carried)
{
	const struct fan_ue_subscriber *subscriber = &receiver->subscriber;
	const struct fan_ue_mbms_name name = { subscriber->k_enc, subscriber->bm_sc, subscriber->b_tid };
	enum fan_ue_verdict verdict = receive_plain(receiver, delivery, carried);
	uint8_t *octets = receiver->plain + carried->pdu_bytes - delivery->data_bytes;

	static_assert(offsetof(struct fan_ue_subscriber, k_int) == offsetof(struct fan_ue_subscriber, k_enc) + FAN_KEY_BYTES,
		      "a MUK is one string of octets");
	if (verdict == FAN_UE_ACCEPTED && delivery->application_port != subscriber->udp_port)
		verdict = FAN_UE_WRONG_ADDRESS;
	if (verdict != FAN_UE_ACCEPTED)
		return verdict;
	delivery->form = FAN_UE_KEYS;
	verdict = verdict_of(fan_ue_mbms_open_msk(octets, &delivery->count, &name, next_count(delivery->state, subscriber),
						  delivery->data_bytes));
	if (verdict == FAN_UE_ACCEPTED)
		move_state(delivery->state, delivery->count);
	return verdict;
}

enum fan_ue_verdict
fan_ue_receive(struct fan_ue_receiver *receiver, struct fan_ue_delivery *delivery, const uint8_t *frame, size_t frame_bytes)
{
	struct carried carried = { NULL, 0 };
	enum fan_ue_verdict verdict;

	memset(delivery, 0, sizeof(*delivery));
	delivery->application_port = -1;
	delivery->sdap_qfi = -1;
	delivery->nru_sn = -1;
	verdict = parse_transport(delivery, &carried, frame, frame_bytes);
	if (verdict != FAN_UE_ACCEPTED)
		return verdict;
	if (!find_subscriber(receiver, delivery))
		return FAN_UE_UNKNOWN_UE;
	if (delivery->address.plain && receiver->subscriber.kind == FAN_KIND_MBMS)
		return receive_msk(receiver, delivery, &carried);
	if (delivery->address.plain)
		return receive_plain(receiver, delivery, &carried);
	return delivery->address.nas ? receive_nas(receiver, delivery, &carried) : receive_bearer(receiver, delivery, &carried);
}
