/* SPDX-License-Identifier: BSD-3-Clause */
#include "aper.h"

#include "octets.h"

enum ie { MME_UE_ID, RAN_UE_ID, NAS_PDU, IES };

/* How the two protocols differ. An id is INTEGER (0..2^(8n)-1): the number of its octets less one in 2 or 3 bits, then the
 * octets. */
struct protocol {
	uint8_t procedure_code;
	uint16_t ids[IES];
	uint8_t size_bits[2];
	uint8_t octets_max[2];
};

static const struct protocol s1ap = { 11, { 0, 8, 26 }, { 2, 2 }, { 4, 3 } };
static const struct protocol ngap = { 4, { 10, 85, 38 }, { 3, 2 }, { 5, 4 } };

/* A length determinant (X.691 11.9), then that many octets. Fragmented ones (16 K and more) do not occur in these messages. */
static bool
cut_open(struct fan_ue_octets *piece, struct fan_ue_octets *octets)
{
	int first = fan_ue_octets_next(octets), second;

	if (first < 0)
		return false;
	if (first < 0x80)
		return fan_ue_octets_cut(piece, octets, (size_t)first);
	second = fan_ue_octets_next(octets);
	if (first >= 0xc0 || second < 0 || ((first & 0x3f) == 0 && second < 0x80))
		return false;
	return fan_ue_octets_cut(piece, octets, (size_t)(first & 0x3f) << 8 | (size_t)second);
}

static bool
parse_id(uint64_t *id, struct fan_ue_octets value, unsigned size_bits, unsigned octets_max)
{
	int first = fan_ue_octets_next(&value);
	unsigned pad_bits = 8 - size_bits, count;

	if (first < 0 || ((unsigned)first & ((1u << pad_bits) - 1)))
		return false;
	count = ((unsigned)first >> pad_bits) + 1;
	if (count > octets_max || value.left != count || (count > 1 && value.at[0] == 0))
		return false;
	for (*id = 0; value.left;)
		*id = *id << 8 | (uint64_t)fan_ue_octets_next(&value);
	return true;
}

static bool
parse_pdu(struct fan_ue_transport *transport, struct fan_ue_octets value)
{
	struct fan_ue_octets pdu;

	if (!cut_open(&pdu, &value) || value.left)
		return false;
	transport->pdu = pdu.at;
	transport->pdu_bytes = pdu.left;
	return true;
}

static bool
parse_ie(struct fan_ue_transport *transport, const struct protocol *protocol, struct fan_ue_octets value, unsigned ie)
{
	uint64_t id;

	if (ie == NAS_PDU)
		return parse_pdu(transport, value);
	if (!parse_id(&id, value, protocol->size_bits[ie], protocol->octets_max[ie]))
		return false;
	if (ie == MME_UE_ID)
		transport->mme_ue_id = id;
	else
		transport->ran_ue_id = (uint32_t)id;
	return true;
}

/* True when `id` is one of the mandatory three. */
static bool
is_mandatory(const struct protocol *protocol, unsigned id)
{
	return id == protocol->ids[MME_UE_ID] || id == protocol->ids[RAN_UE_ID] || id == protocol->ids[NAS_PDU];
}

/* SEQUENCE OF with a count of 0..65535, each {id, criticality, value}. */
static bool
parse_ies(struct fan_ue_transport *transport, const struct protocol *protocol, struct fan_ue_octets octets, unsigned count)
{
	unsigned expected = 0;

	for (; count; count--) {
		const uint8_t *header = fan_ue_octets_take(&octets, 3);
		struct fan_ue_octets value;
		unsigned id;

		/* Criticality: reject 00, ignore 40, notify 80. */
		if (!header || !cut_open(&value, &octets) || (header[2] & 0x3f) || header[2] > 0x80)
			return false;
		id = fan_ue_octets_load16(header);
		if (!is_mandatory(protocol, id))
			continue;
		if (expected == IES || id != protocol->ids[expected] || header[2] != 0 ||
		    !parse_ie(transport, protocol, value, expected))
			return false;
		expected++;
	}
	return expected == IES && !octets.left;
}

bool
fan_ue_aper_parse(struct fan_ue_transport *transport, bool five_g, const uint8_t *octets, size_t octet_count)
{
	const struct protocol *protocol = five_g ? &ngap : &s1ap;
	struct fan_ue_octets input = { octets, octet_count }, body;
	const uint8_t *head = fan_ue_octets_take(&input, 3), *sequence;

	memset(transport, 0, sizeof(*transport));
	/* initiatingMessage, the procedure, criticality ignore */
	if (!head || head[0] != 0 || head[1] != protocol->procedure_code || head[2] != 0x40)
		return false;
	if (!cut_open(&body, &input) || input.left)
		return false;
	sequence = fan_ue_octets_take(&body, 3); /* extension bit with its padding, number of IEs */
	return sequence && sequence[0] == 0 && parse_ies(transport, protocol, body, fan_ue_octets_load16(sequence + 1));
}
