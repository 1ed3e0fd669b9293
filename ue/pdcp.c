/* SPDX-License-Identifier: BSD-3-Clause */
#include "pdcp.h"

#include "octets.h"

#define COUNT_END ((int64_t)1 << 32) /* COUNT never wraps (TS 38.323 6.3.5) */

int64_t
fan_ue_pdcp_estimate_lte(uint64_t next, uint32_t sn, unsigned sn_bits)
{
	uint32_t space = 1u << sn_bits, ahead = (sn - (uint32_t)next) & (space - 1);

	/*
	 * With every PDU submitted as it comes, Last_Submitted_PDCP_RX_SN is Next_PDCP_RX_SN - 1, and the cases of 5.1.2.1.2
	 * come to one: the half of the SN space from Next on is new, the other half is discarded. The test of this file
	 * compares with the clause's own cases.
	 */
	if (ahead >= space / 2 || next + ahead >= (uint64_t)COUNT_END)
		return -1;
	return (int64_t)(next + ahead);
}

int64_t
fan_ue_pdcp_estimate_nr(uint64_t next, uint32_t sn, unsigned sn_bits)
{
	int64_t window = (int64_t)1 << (sn_bits - 1), space = (int64_t)1 << sn_bits;
	int64_t hfn = (int64_t)next / space, sn_deliv = (int64_t)next % space;

	if (sn < sn_deliv - window)
		hfn++;
	else if (sn >= sn_deliv + window)
		hfn--;
	return hfn * space + sn;
}

struct header {
	uint32_t sn;
	unsigned sn_bits;
	size_t pdcp_bytes;  /* 2 or 3 */
	size_t clear_bytes; /* with SDAP: what is not ciphered */
};

static bool
is_nr(const struct fan_ue_subscriber *subscriber)
{
	return subscriber->kind == FAN_KIND_NR_PDCP_12 || subscriber->kind == FAN_KIND_NR_PDCP_18;
}

/* D/C 1 and reserved bits 0 (TS 38.323 6.2.2, TS 36.323 6.2.3 and 6.2.x for 18 bits); at least one octet of data. */
static bool
parse_header(struct header *header, const struct fan_ue_subscriber *subscriber, const uint8_t *pdu, size_t pdu_bytes)
{
	bool long_sn = subscriber->kind == FAN_KIND_LTE_PDCP_18 || subscriber->kind == FAN_KIND_NR_PDCP_18;
	size_t mac_bytes = subscriber->integrity == FAN_INTEGRITY_NONE ? 0 : FAN_MAC_BYTES;

	header->sn_bits = long_sn ? 18 : 12;
	header->pdcp_bytes = long_sn ? 3 : 2;
	header->clear_bytes = header->pdcp_bytes + (is_nr(subscriber) && subscriber->sdap ? 1 : 0);
	if (pdu_bytes < header->clear_bytes + 1 + mac_bytes)
		return false;
	if (long_sn) {
		header->sn = fan_ue_octets_load24(pdu) & 0x3ffff;
		return (pdu[0] & 0xfc) == 0x80;
	}
	header->sn = fan_ue_octets_load16(pdu) & 0xfffu;
	return (pdu[0] & 0xf0) == 0x80;
}

/* Deciphers what follows the clear octets, then checks MAC-I over everything before it (TS 38.323 5.8, 5.9). */
static bool
unprotect(struct fan_ue_cipher *cipher, uint8_t *buffer, const struct fan_ue_subscriber *subscriber, uint32_t count,
	  size_t clear_bytes, size_t pdu_bytes)
{
	struct fan_ue_cipher_use use = { subscriber->k_enc, count, subscriber->bearer, 1 };
	uint8_t mac[FAN_MAC_BYTES];

	if (!fan_ue_cipher_apply(cipher, buffer + clear_bytes, &use, subscriber->cipher, pdu_bytes - clear_bytes))
		return false;
	if (subscriber->integrity == FAN_INTEGRITY_NONE)
		return true;
	use.key = subscriber->k_int;
	pdu_bytes -= FAN_MAC_BYTES;
	return fan_ue_cipher_mac(cipher, mac, &use, subscriber->integrity, buffer, 8 * pdu_bytes) &&
	       memcmp(mac, buffer + pdu_bytes, FAN_MAC_BYTES) == 0;
}

enum fan_ue_verdict
fan_ue_pdcp_receive(struct fan_ue_cipher *cipher, struct fan_ue_pdcp *pdcp, uint8_t *buffer,
		    const struct fan_ue_subscriber *subscriber, uint64_t next, const uint8_t *pdu, size_t pdu_bytes)
{
	bool authentic = subscriber->integrity != FAN_INTEGRITY_NONE;
	struct header header;
	int64_t estimate;

	if (pdu_bytes > FAN_UE_CIPHER_OCTETS_MAX || !parse_header(&header, subscriber, pdu, pdu_bytes))
		return FAN_UE_MALFORMED_PDU;
	estimate = is_nr(subscriber) ? fan_ue_pdcp_estimate_nr(next, header.sn, header.sn_bits)
				     : fan_ue_pdcp_estimate_lte(next, header.sn, header.sn_bits);
	pdcp->count = (uint32_t)estimate;
	/* An estimate that is no COUNT has no MAC that could be right. */
	if (estimate < 0 || estimate >= COUNT_END)
		return authentic ? FAN_UE_BAD_MAC : FAN_UE_REPLAY;
	memcpy(buffer, pdu, pdu_bytes);
	/* 5.2.2.1 verifies first and then discards what is below RX_DELIV. */
	if (!unprotect(cipher, buffer, subscriber, pdcp->count, header.clear_bytes, pdu_bytes))
		return FAN_UE_BAD_MAC;
	if (estimate < (int64_t)next)
		return FAN_UE_REPLAY;
	pdcp->sdap_qfi = header.clear_bytes > header.pdcp_bytes ? buffer[header.pdcp_bytes] & 0x3f : -1;
	pdcp->data = buffer + header.clear_bytes;
	pdcp->data_bytes = pdu_bytes - header.clear_bytes - (authentic ? FAN_MAC_BYTES : 0);
	return FAN_UE_ACCEPTED;
}
