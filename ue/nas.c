/* SPDX-License-Identifier: BSD-3-Clause */
#include "nas.h"

#include "octets.h"
#include "sms.h"

#define COUNT_END (1 << 24) /* NAS COUNT has 24 bits and does not wrap under one key (TS 24.301 4.4.3.5) */
#define SN_SPACE 256

int64_t
fan_ue_nas_estimate(uint64_t next, uint8_t sn)
{
	unsigned ahead = (sn - (unsigned)next) % SN_SPACE;

	return (int64_t)next + ahead - (ahead == SN_SPACE - 1 ? SN_SPACE : 0);
}

/* Header type 2 and its place: EPS in the high half of octet 1 (TS 24.301 9.3.1), 5GS in octet 2 (TS 24.501 9.3). Leaves
 * `octets` at the MAC. */
static bool
take_header(struct fan_ue_octets *octets, bool five_g)
{
	int first = fan_ue_octets_next(octets);

	return five_g ? first == 0x7e && fan_ue_octets_next(octets) == 0x02 : first == 0x27;
}

static bool
mac_matches(struct fan_ue_cipher *cipher, const struct fan_ue_cipher_use *use, uint8_t algorithm, const uint8_t *mac,
	    struct fan_ue_octets covered)
{
	uint8_t expected[FAN_MAC_BYTES];

	return fan_ue_cipher_mac(cipher, expected, use, algorithm, covered.at, 8 * covered.left) &&
	       memcmp(expected, mac, FAN_MAC_BYTES) == 0;
}

/* Which news the MAC brings. `use` is left with the COUNT that was told. */
static enum fan_ue_verdict
verify(struct fan_ue_cipher *cipher, struct fan_ue_cipher_use *use, uint8_t algorithm, uint64_t next, const uint8_t *mac,
       struct fan_ue_octets covered)
{
	int64_t estimate = fan_ue_nas_estimate(next, covered.at[0]);
	bool fresh = estimate >= (int64_t)next && estimate < COUNT_END;

	use->count = (uint32_t)estimate & (COUNT_END - 1);
	if (estimate < 0)
		return FAN_UE_BAD_MAC;
	if (mac_matches(cipher, use, algorithm, mac, covered))
		return fresh ? FAN_UE_ACCEPTED : FAN_UE_REPLAY;
	if (estimate < (int64_t)next || estimate < SN_SPACE)
		return FAN_UE_BAD_MAC;
	use->count = (uint32_t)(estimate - SN_SPACE) & (COUNT_END - 1);
	if (mac_matches(cipher, use, algorithm, mac, covered))
		return FAN_UE_REPLAY;
	use->count = (uint32_t)estimate & (COUNT_END - 1);
	return FAN_UE_BAD_MAC;
}

enum fan_ue_verdict
fan_ue_nas_receive(struct fan_ue_cipher *cipher, struct fan_ue_nas *nas, uint8_t *buffer,
		   const struct fan_ue_subscriber *subscriber, uint64_t next, const uint8_t *pdu, size_t pdu_bytes)
{
	bool five_g = subscriber->kind == FAN_KIND_5GS_NAS;
	struct fan_ue_cipher_use use = { subscriber->k_int, 0, five_g ? 1 : 0, 1 };
	struct fan_ue_octets octets = { pdu, pdu_bytes };
	const uint8_t *mac;
	enum fan_ue_verdict verdict;

	if (!take_header(&octets, five_g))
		return FAN_UE_MALFORMED_PDU;
	mac = fan_ue_octets_take(&octets, FAN_MAC_BYTES);
	if (!mac || octets.left < 2 || octets.left > FAN_UE_CIPHER_OCTETS_MAX)
		return FAN_UE_MALFORMED_PDU;
	verdict = verify(cipher, &use, subscriber->integrity, next, mac, octets);
	nas->count = use.count;
	if (verdict != FAN_UE_ACCEPTED)
		return verdict;
	/* The MAC covers SN and ciphertext; the cipher only what follows SN (4.4.3.3, 4.4.3.4). */
	(void)fan_ue_octets_next(&octets);
	memcpy(buffer, octets.at, octets.left);
	use.key = subscriber->k_enc;
	if (!fan_ue_cipher_apply(cipher, buffer, &use, subscriber->cipher, octets.left))
		return FAN_UE_BAD_MAC;
	nas->plain = buffer;
	nas->plain_bytes = octets.left;
	return FAN_UE_ACCEPTED;
}

/* The length in two octets, then the data (LV-E). */
static bool
cut_container(struct fan_ue_octets *data, struct fan_ue_octets *octets)
{
	const uint8_t *length = fan_ue_octets_take(octets, 2);

	return length && fan_ue_octets_cut(data, octets, fan_ue_octets_load16(length));
}

static enum fan_ue_verdict
deliver_data(struct fan_ue_delivery *delivery, const struct fan_ue_subscriber *subscriber, struct fan_ue_octets data,
	     enum fan_ue_form form, int bearer_id)
{
	delivery->form = (uint8_t)form;
	delivery->bearer_id = (uint8_t)bearer_id;
	delivery->data = data.at;
	delivery->data_bytes = (uint16_t)data.left;
	return subscriber->bearer_id && subscriber->bearer_id != bearer_id ? FAN_UE_WRONG_ADDRESS : FAN_UE_ACCEPTED;
}

static enum fan_ue_verdict
deliver_sms(struct fan_ue_delivery *delivery, uint8_t *text, struct fan_ue_octets container)
{
	return fan_ue_sms_parse(delivery, text, container.at, container.left) ? FAN_UE_ACCEPTED : FAN_UE_MALFORMED_CONTENT;
}

/* ESM DATA TRANSPORT (TS 24.301 8.3.25). The release assistance indication goes only to the network, so nothing may follow the
 * container. */
static enum fan_ue_verdict
parse_esm(struct fan_ue_delivery *delivery, const struct fan_ue_subscriber *subscriber, struct fan_ue_octets octets)
{
	const uint8_t *head = fan_ue_octets_take(&octets, 3);
	struct fan_ue_octets data;

	/* EBI 0 is no bearer; PTI 0: the network began this itself. */
	if (!head || head[0] >> 4 == 0 || head[1] != 0 || head[2] != 0xeb)
		return FAN_UE_MALFORMED_CONTENT;
	if (!cut_container(&data, &octets) || octets.left)
		return FAN_UE_MALFORMED_CONTENT;
	return deliver_data(delivery, subscriber, data, FAN_UE_NIDD, head[0] >> 4);
}

/* DOWNLINK GENERIC NAS TRANSPORT (TS 24.301 8.2.31) with container type 7F: keys of groups. Of others this UE knows none. */
static enum fan_ue_verdict
parse_generic(struct fan_ue_delivery *delivery, const struct fan_ue_subscriber *subscriber, struct fan_ue_octets octets)
{
	const uint8_t *head = fan_ue_octets_take(&octets, 3);
	struct fan_ue_octets container;

	if (!head || head[2] != 0x7f || !cut_container(&container, &octets) || !container.left || octets.left)
		return FAN_UE_MALFORMED_CONTENT;
	return deliver_data(delivery, subscriber, container, FAN_UE_KEYS, subscriber->bearer_id);
}

/* DOWNLINK NAS TRANSPORT (TS 24.301 8.2.12, 9.9.3.22): container of 2 to 251 octets. */
static enum fan_ue_verdict
parse_emm(struct fan_ue_delivery *delivery, uint8_t *text, struct fan_ue_octets octets)
{
	const uint8_t *head = fan_ue_octets_take(&octets, 3);
	struct fan_ue_octets container;

	if (!head || head[0] != 0x07 || head[1] != 0x62 || head[2] < 2 || head[2] > 251)
		return FAN_UE_MALFORMED_CONTENT;
	if (!fan_ue_octets_cut(&container, &octets, head[2]) || octets.left)
		return FAN_UE_MALFORMED_CONTENT;
	return deliver_sms(delivery, text, container);
}

/* The optional IEs of DL NAS TRANSPORT (TS 24.501 8.2.11). Out: *session, the PDU session identity, 0 when absent. */
static bool
parse_optional(int *session, struct fan_ue_octets octets)
{
	int identifier, length;

	for (*session = 0; octets.left;) {
		identifier = fan_ue_octets_next(&octets);
		length = fan_ue_octets_next(&octets);
		switch (identifier) {
		case 0x12: /* PDU session ID, TV: 1..15, once */
			if (*session || length < 1 || length > 15)
				return false;
			*session = length;
			break;
		case 0x58: /* 5GMM cause, TV */
			if (length < 0)
				return false;
			break;
		case 0x24: /* additional information, TLV */
		case 0x37: /* back-off timer value, TLV */
		case 0x3a: /* lower bound timer value, TLV */
			if (length < 0 || !fan_ue_octets_take(&octets, (size_t)length))
				return false;
			break;
		default:
			return false;
		}
	}
	return true;
}

/* PDU SESSION MODIFICATION COMMAND (TS 24.501 8.3.9) that the network began, PTI 0, with a Received MBS container and no other IE. The session
 * is the one that the transport message names. */
static enum fan_ue_verdict
parse_modification(struct fan_ue_delivery *delivery, const struct fan_ue_subscriber *subscriber, struct fan_ue_octets command,
		   int session)
{
	const uint8_t *head = fan_ue_octets_take(&command, 5);
	struct fan_ue_octets contents;

	if (!head || head[0] != 0x2e || head[1] != session || head[2] != 0 || head[3] != 0xcb || head[4] != 0x71)
		return FAN_UE_MALFORMED_CONTENT;
	if (!cut_container(&contents, &command) || contents.left < 6 || command.left)
		return FAN_UE_MALFORMED_CONTENT; /* 9 octets at the least, its own three among them (9.11.4.31) */
	return deliver_data(delivery, subscriber, contents, FAN_UE_KEYS, session);
}

/* DL NAS TRANSPORT (TS 24.501 8.2.11): the PDU session ID goes with CIoT user data and never with SMS (8.2.11.2). */
static enum fan_ue_verdict
parse_5gmm(struct fan_ue_delivery *delivery, uint8_t *text, const struct fan_ue_subscriber *subscriber,
	   struct fan_ue_octets octets)
{
	const uint8_t *head = fan_ue_octets_take(&octets, 4);
	struct fan_ue_octets container;
	int session;

	if (!head || head[0] != 0x7e || head[1] != 0 || head[2] != 0x68)
		return FAN_UE_MALFORMED_CONTENT;
	if (!cut_container(&container, &octets) || !parse_optional(&session, octets))
		return FAN_UE_MALFORMED_CONTENT;
	if (head[3] == 0x02 && !session)
		return deliver_sms(delivery, text, container);
	if (head[3] == 0x08 && session)
		return deliver_data(delivery, subscriber, container, FAN_UE_CIOT, session);
	if (head[3] == 0x01 && session)
		return parse_modification(delivery, subscriber, container, session);
	return FAN_UE_MALFORMED_CONTENT;
}

enum fan_ue_verdict
fan_ue_nas_parse(struct fan_ue_delivery *delivery, uint8_t *text, const struct fan_ue_subscriber *subscriber,
		 const uint8_t *plain, size_t plain_bytes)
{
	struct fan_ue_octets octets = { plain, plain_bytes };

	if (subscriber->kind == FAN_KIND_5GS_NAS)
		return parse_5gmm(delivery, text, subscriber, octets);
	/* The low half of the first octet is the protocol discriminator: 2 ESM, 7 EMM (TS 24.007 11.2.3.1.1). */
	if (plain_bytes && (plain[0] & 0x0f) == 2)
		return parse_esm(delivery, subscriber, octets);
	if (plain_bytes > 1 && plain[0] == 0x07 && plain[1] == 0x68)
		return parse_generic(delivery, subscriber, octets);
	return parse_emm(delivery, text, octets);
}
