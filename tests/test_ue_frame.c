/* SPDX-License-Identifier: BSD-3-Clause */
/* Ethernet, IP, UDP and GTP-U: frames laid octet by octet, and the GTP-U PDUs of a public gNB's tests. */
#include "../ue/frame.h"
#include "octets.h"
#include "vectors.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define OCTETS_MAX 1600

struct octets {
	uint8_t at[OCTETS_MAX];
	size_t count;
};

static void
put16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* Makes the checksums of a frame right, whatever else is in it. */
static void
seal(struct octets *frame)
{
	bool ipv6 = frame->at[12] == 0x86;
	uint8_t *ip = frame->at + 14, *udp = ip + (ipv6 ? 40 : 20);
	size_t udp_bytes = frame->count - (size_t)(udp - frame->at), address_bytes = ipv6 ? 32 : 8;
	uint32_t pseudo = 17 + (uint32_t)udp_bytes;

	if (!ipv6) {
		put16(ip + 10, 0);
		put16(ip + 10, (uint16_t)~fan_test_internet_sum(ip, 20, 0));
	}
	for (size_t i = 0; i < address_bytes; i += 2)
		pseudo += (uint32_t)(udp[(int)i - (int)address_bytes] << 8 | udp[(int)i + 1 - (int)address_bytes]);
	put16(udp + 6, 0);
	put16(udp + 6, (uint16_t)~fan_test_internet_sum(udp, udp_bytes, pseudo));
}

/* A frame with `payload_bytes` octets 0, 1, 2 ... to port 2152 of 198.51.100.7 or 2001:db8::7. */
static struct octets
lay_frame(bool ipv6, size_t payload_bytes)
{
	struct octets frame = { .count = 0 };
	uint8_t *udp;

	frame.count = fan_test_octets(frame.at, ipv6 ? "02000000000202000000000186dd" : "0200000000020200000000010800", 14);
	frame.count += fan_test_octets(frame.at + 14,
				       ipv6 ? "6000000000001140"
					      "20010db8000000000000000000000001"
					      "20010db8000000000000000000000007"
					    : "450000000000400040110000c6336401c6336407",
				       40);
	udp = frame.at + frame.count;
	put16(udp, 2152);
	put16(udp + 2, 2152);
	put16(udp + 4, 8 + payload_bytes);
	frame.count += 8;
	for (size_t i = 0; i < payload_bytes; i++)
		frame.at[frame.count++] = (uint8_t)i;
	put16(frame.at + (ipv6 ? 18 : 16), frame.count - (ipv6 ? 54 : 14));
	seal(&frame);
	return frame;
}

/* Parses an exact-size copy, so that a sanitizer sees a read past its end. */
static enum fan_ue_verdict
parse(struct fan_ue_datagram *datagram, const struct octets *frame)
{
	uint8_t *copy = malloc(frame->count ? frame->count : 1);
	enum fan_ue_verdict verdict;

	memcpy(copy, frame->at, frame->count);
	verdict = fan_ue_frame_parse(datagram, copy, frame->count);
	if (verdict == FAN_UE_ACCEPTED)
		datagram->payload = frame->at + (datagram->payload - copy);
	free(copy);
	return verdict;
}

Test(ue_frame, good_frames)
{
	static const uint8_t ipv4[4] = { 198, 51, 100, 7 };
	struct fan_ue_datagram datagram;

	for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
		for (size_t payload_bytes = 0; payload_bytes < 1500; payload_bytes += payload_bytes < 60 ? 1 : 97) {
			struct octets frame = lay_frame(ipv6, payload_bytes);

			cr_expect_eq(parse(&datagram, &frame), FAN_UE_ACCEPTED, "%zu octets", payload_bytes);
			cr_expect_eq(datagram.ipv6, ipv6);
			cr_expect_eq(datagram.destination_port, 2152);
			cr_expect_eq(datagram.payload, frame.at + (ipv6 ? 62 : 42));
			cr_expect_eq(datagram.payload_bytes, payload_bytes);
			if (ipv6)
				cr_expect_eq(memcmp(datagram.destination, frame.at + 38, 16), 0);
			else
				cr_expect_eq(memcmp(datagram.destination, ipv4, 4), 0);
		}
	}
}

/* One octet of a good frame is changed, then its checksums are made right or left wrong. */
static const struct {
	const char *name;
	bool ipv6;
	size_t at;
	uint8_t value;
	bool sealed;
	enum fan_ue_verdict verdict;
} changes[] = {
	{ "ethertype ARP", false, 13, 0x06, true, FAN_UE_MALFORMED_FRAME },
	{ "VLAN tag", false, 12, 0x81, false, FAN_UE_MALFORMED_FRAME },
	{ "IPv4 type before IPv6", true, 12, 0x08, false, FAN_UE_MALFORMED_FRAME },
	{ "version 5", false, 14, 0x55, true, FAN_UE_MALFORMED_FRAME },
	{ "options", false, 14, 0x46, true, FAN_UE_MALFORMED_FRAME },
	{ "header of four words", false, 14, 0x44, true, FAN_UE_MALFORMED_FRAME },
	{ "DSCP", false, 15, 0xb8, true, FAN_UE_ACCEPTED },
	{ "total length short", false, 17, 127, true, FAN_UE_MALFORMED_FRAME },
	{ "total length long", false, 17, 129, true, FAN_UE_MALFORMED_FRAME },
	{ "total length below the header", false, 17, 19, true, FAN_UE_MALFORMED_FRAME },
	{ "no DF", false, 20, 0, true, FAN_UE_ACCEPTED },
	{ "more fragments", false, 20, 0x20, true, FAN_UE_MALFORMED_FRAME },
	{ "fragment offset", false, 21, 1, true, FAN_UE_MALFORMED_FRAME },
	{ "reserved flag", false, 20, 0x80, true, FAN_UE_MALFORMED_FRAME },
	{ "TTL 0", false, 22, 0, true, FAN_UE_MALFORMED_FRAME },
	{ "TCP", false, 23, 6, true, FAN_UE_MALFORMED_FRAME },
	{ "header checksum", false, 24, 0x55, false, FAN_UE_BAD_CHECKSUM },
	{ "source address", false, 29, 9, false, FAN_UE_BAD_CHECKSUM },
	{ "UDP length short", false, 39, 107, true, FAN_UE_MALFORMED_FRAME },
	{ "UDP length long", false, 39, 109, true, FAN_UE_MALFORMED_FRAME },
	{ "UDP length below its header", false, 39, 7, true, FAN_UE_MALFORMED_FRAME },
	{ "UDP checksum", false, 41, 0x55, false, FAN_UE_BAD_CHECKSUM },
	{ "payload", false, 141, 0x55, false, FAN_UE_BAD_CHECKSUM },
	{ "IPv6 version", true, 14, 0x50, true, FAN_UE_MALFORMED_FRAME },
	{ "IPv6 payload length short", true, 19, 107, true, FAN_UE_MALFORMED_FRAME },
	{ "IPv6 payload length long", true, 19, 109, true, FAN_UE_MALFORMED_FRAME },
	{ "IPv6 next header", true, 20, 0, true, FAN_UE_MALFORMED_FRAME },
	{ "IPv6 hop limit 0", true, 21, 0, true, FAN_UE_MALFORMED_FRAME },
	{ "IPv6 address", true, 53, 9, false, FAN_UE_BAD_CHECKSUM },
	{ "IPv6 UDP length", true, 59, 107, true, FAN_UE_MALFORMED_FRAME },
	{ "IPv6 payload", true, 161, 0x55, false, FAN_UE_BAD_CHECKSUM },
};

Test(ue_frame, changes)
{
	struct fan_ue_datagram datagram;

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct octets frame = lay_frame(changes[i].ipv6, 100);
		enum fan_ue_verdict verdict;

		frame.at[changes[i].at] = changes[i].value;
		if (changes[i].sealed)
			seal(&frame);
		verdict = parse(&datagram, &frame);
		cr_expect_eq(verdict, changes[i].verdict, "%s: %s", changes[i].name, fan_ue_verdict_name(verdict));
	}
}

Test(ue_frame, no_udp_checksum)
{
	struct fan_ue_datagram datagram;

	for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
		struct octets frame = lay_frame(ipv6, 100);

		put16(frame.at + (ipv6 ? 60 : 40), 0);
		cr_expect_eq(parse(&datagram, &frame), ipv6 ? FAN_UE_BAD_CHECKSUM : FAN_UE_ACCEPTED);
	}
}

/* The checksum that comes out as zero is sent as ones (RFC 768) and must be taken. */
Test(ue_frame, udp_checksum_of_ones)
{
	struct fan_ue_datagram datagram;
	struct octets frame = lay_frame(false, 100);
	uint32_t sum = (uint32_t)(frame.at[40] << 8 | frame.at[41]) + (uint32_t)(frame.at[42] << 8 | frame.at[43]);

	/* Moving the checksum into the payload leaves nothing for the checksum field. */
	put16(frame.at + 42, (sum & 0xffff) + (sum >> 16));
	seal(&frame);
	cr_assert_eq(frame.at[40] << 8 | frame.at[41], 0);
	put16(frame.at + 40, 0xffff);
	cr_expect_eq(parse(&datagram, &frame), FAN_UE_ACCEPTED);
}

/* Short frames are padded to 60 octets on the wire; longer ones have no excuse for octets after the packet. */
Test(ue_frame, padding)
{
	struct fan_ue_datagram datagram;

	for (size_t payload_bytes = 0; payload_bytes < 40; payload_bytes++) {
		struct octets frame = lay_frame(false, payload_bytes);

		if (frame.count < 60) {
			frame.count = 60;
			cr_expect_eq(parse(&datagram, &frame), FAN_UE_ACCEPTED, "%zu octets", payload_bytes);
			cr_expect_eq(datagram.payload_bytes, payload_bytes);
		}
		frame.count = frame.count < 60 ? 61 : frame.count + 1;
		cr_expect_eq(parse(&datagram, &frame), FAN_UE_MALFORMED_FRAME, "%zu octets", payload_bytes);
	}
}

Test(ue_frame, truncation)
{
	struct fan_ue_datagram datagram;

	for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
		struct octets frame = lay_frame(ipv6, 100), cut;

		for (size_t count = 0; count < frame.count; count++) {
			cut = frame;
			cut.count = count;
			cr_expect_eq(parse(&datagram, &cut), FAN_UE_MALFORMED_FRAME, "%zu octets", count);
		}
	}
}

/* The same rules inside a bearer, where a UDP checksum is due and nothing may follow the packet. */
Test(ue_frame, inner_packet)
{
	struct octets frame = lay_frame(false, 10);
	struct fan_ue_datagram datagram;
	uint8_t *packet = frame.at + 14;

	cr_expect_eq(fan_ue_frame_parse_inner(&datagram, packet, 38), FAN_UE_ACCEPTED);
	cr_expect_eq(datagram.payload_bytes, 10);
	cr_expect_eq(fan_ue_frame_parse_inner(&datagram, packet, 39), FAN_UE_MALFORMED_CONTENT);
	for (size_t count = 0; count < 38; count++)
		cr_expect_eq(fan_ue_frame_parse_inner(&datagram, packet, count), FAN_UE_MALFORMED_CONTENT);
	packet[30] ^= 1;
	cr_expect_eq(fan_ue_frame_parse_inner(&datagram, packet, 38), FAN_UE_BAD_CHECKSUM);
	packet[30] ^= 1;
	packet[10] ^= 1;
	cr_expect_eq(fan_ue_frame_parse_inner(&datagram, packet, 38), FAN_UE_BAD_CHECKSUM);
	packet[10] ^= 1;
	put16(packet + 26, 0);
	cr_expect_eq(fan_ue_frame_parse_inner(&datagram, packet, 38), FAN_UE_BAD_CHECKSUM);
}

/* Parses an exact-size copy. Out: pdu, the T-PDU. */
static bool
parse_tunnel(struct fan_ue_tunnel *tunnel, uint8_t *pdu, const uint8_t *octets, size_t count)
{
	uint8_t *copy = malloc(count ? count : 1);
	bool good;

	memcpy(copy, octets, count);
	good = fan_ue_frame_parse_tunnel(tunnel, copy, count);
	if (good)
		memcpy(pdu, tunnel->pdu, tunnel->pdu_bytes);
	free(copy);
	return good;
}

Test(ue_frame, public_tunnels)
{
	static uint8_t octets[OCTETS_MAX], pdu[OCTETS_MAX], expected[OCTETS_MAX];
	struct fan_vectors vectors = fan_vectors_load("GTPU_F1U_srsran.json");
	unsigned refused = 0;

	cr_assert_eq(vectors.count, 9);
	for (size_t i = 0; i < vectors.count; i++) {
		const json_t *vector = fan_vector_at(&vectors, i), *decoded = json_object_get(vector, "decoded");
		const char *id = fan_vector_text(vector, "id"), *nru_sn = json_string_value(json_object_get(decoded, "nru_sn"));
		size_t count = fan_vector_bytes(vector, octets, "pdu", sizeof(octets));
		struct fan_ue_tunnel tunnel;

		/* An echo request is no G-PDU, and a delivery status is nothing for a UE's side. */
		if (strstr(id, "echo") || strstr(id, "nru_ul")) {
			cr_expect_not(parse_tunnel(&tunnel, pdu, octets, count), "%s", id);
			refused++;
			continue;
		}
		cr_expect(parse_tunnel(&tunnel, pdu, octets, count), "%s", id);
		cr_expect_eq(tunnel.teid, fan_vector_has(decoded, "teid") ? fan_vector_number(decoded, "teid") : 2, "%s", id);
		cr_expect_eq(tunnel.nr_container, nru_sn != NULL, "%s", id);
		if (nru_sn)
			cr_expect_eq(tunnel.nru_sn, strtoul(nru_sn, NULL, 16), "%s", id);
		count = fan_vector_bytes(vector, expected, "t_pdu", sizeof(expected));
		cr_expect_eq(tunnel.pdu_bytes, count, "%s", id);
		cr_expect_eq(memcmp(pdu, expected, count), 0, "%s", id);
	}
	cr_expect_eq(refused, 2);
	fan_vectors_free(&vectors);
}

static const struct tunnel_row {
	const char *name, *hex;
	bool good;
	int32_t nru_sn;
	size_t pdu_bytes;
} tunnel_rows[] = {
	{ "plain",
	  "30ff000200000007"
	  "aabb",
	  true, -1, 2 },
	{ "empty", "30ff000000000007", true, -1, 0 },
	{ "sequence number",
	  "32ff000600000007"
	  "12340000"
	  "aabb",
	  true, -1, 2 },
	{ "N-PDU number",
	  "31ff000600000007"
	  "00001200"
	  "aabb",
	  true, -1, 2 },
	{ "type of next header without E",
	  "32ff000600000007"
	  "12340084"
	  "aabb",
	  true, -1, 2 },
	{ "E with no header",
	  "34ff000600000007"
	  "00000000"
	  "aabb",
	  true, -1, 2 },
	{ "NR container",
	  "34ff000e00000007"
	  "00000084"
	  "0200000000090000"
	  "aabb",
	  true, 9, 2 },
	{ "version 0",
	  "10ff000200000007"
	  "aabb",
	  false, 0, 0 },
	{ "version 2",
	  "50ff000200000007"
	  "aabb",
	  false, 0, 0 },
	{ "GTP'",
	  "20ff000200000007"
	  "aabb",
	  false, 0, 0 },
	{ "spare bit",
	  "38ff000200000007"
	  "aabb",
	  false, 0, 0 },
	{ "end marker", "30fe000000000007", false, 0, 0 },
	{ "error indication",
	  "301a000200000007"
	  "aabb",
	  false, 0, 0 },
	{ "length short",
	  "30ff000100000007"
	  "aabb",
	  false, 0, 0 },
	{ "length long",
	  "30ff000300000007"
	  "aabb",
	  false, 0, 0 },
	{ "optional octets cut",
	  "32ff000300000007"
	  "123400",
	  false, 0, 0 },
	{ "extension of length 0",
	  "34ff000c00000007"
	  "00000085"
	  "0000000000000000",
	  false, 0, 0 },
	{ "extension longer than the PDU",
	  "34ff000800000007"
	  "00000085"
	  "02000000",
	  false, 0, 0 },
	{ "extension that must be understood",
	  "34ff000a00000007"
	  "000000fe"
	  "01000000"
	  "aabb",
	  false, 0, 0 },
	{ "extension that need not be",
	  "34ff000a00000007"
	  "0000007e"
	  "01000000"
	  "aabb",
	  true, -1, 2 },
	{ "two NR containers",
	  "34ff001600000007"
	  "00000084"
	  "0200000000090084"
	  "0200000000090000"
	  "aabb",
	  false, 0, 0 },
	{ "container before another header",
	  "34ff001200000007"
	  "00000084"
	  "0200000000090085"
	  "01000100"
	  "aabb",
	  true, 9, 2 },
	{ "delivery status",
	  "34ff000e00000007"
	  "00000084"
	  "0210000000090000"
	  "aabb",
	  false, 0, 0 },
	{ "spare bit of octet 1",
	  "34ff000e00000007"
	  "00000084"
	  "0208000000090000"
	  "aabb",
	  false, 0, 0 },
	{ "spare bits of octet 2",
	  "34ff000e00000007"
	  "00000084"
	  "0200200000090000"
	  "aabb",
	  false, 0, 0 },
	{ "padding not zero",
	  "34ff000e00000007"
	  "00000084"
	  "0200000000090100"
	  "aabb",
	  false, 0, 0 },
	{ "container too short",
	  "34ff000a00000007"
	  "00000084"
	  "01000000"
	  "aabb",
	  false, 0, 0 },
	{ "four octets of padding",
	  "34ff001200000007"
	  "00000084"
	  "030000000009000000000000"
	  "aabb",
	  false, 0, 0 },
	{ "flush without its SN",
	  "34ff000e00000007"
	  "00000084"
	  "0202000000090000"
	  "aabb",
	  false, 0, 0 },
	{ "flush",
	  "34ff001200000007"
	  "00000084"
	  "030200000009aabbcc000000"
	  "aabb",
	  true, 9, 2 },
	{ "report delivered",
	  "34ff001200000007"
	  "00000084"
	  "030008000009aabbcc000000"
	  "aabb",
	  true, 9, 2 },
	{ "report delivered without its SN",
	  "34ff000e00000007"
	  "00000084"
	  "0200080000090000"
	  "aabb",
	  false, 0, 0 },
	{ "one discard block",
	  "34ff001200000007"
	  "00000084"
	  "03040000000901aabbccdd00"
	  "aabb",
	  true, 9, 2 },
	{ "two blocks in the room of one",
	  "34ff001200000007"
	  "00000084"
	  "03040000000902aabbccdd00"
	  "aabb",
	  false, 0, 0 },
	{ "no discard block",
	  "34ff000e00000007"
	  "00000084"
	  "0204000000090000"
	  "aabb",
	  true, 9, 2 },
};

Test(ue_frame, tunnels)
{
	uint8_t octets[64], pdu[64];
	struct fan_ue_tunnel tunnel;

	for (size_t i = 0; i < sizeof(tunnel_rows) / sizeof(tunnel_rows[0]); i++) {
		const struct tunnel_row *row = &tunnel_rows[i];
		size_t count = fan_test_octets(octets, row->hex, sizeof(octets));

		cr_expect_eq(parse_tunnel(&tunnel, pdu, octets, count), row->good, "%s", row->name);
		if (!row->good)
			continue;
		for (size_t cut = 0; cut < count; cut++) {
			struct fan_ue_tunnel prefix;

			cr_expect_not(parse_tunnel(&prefix, pdu, octets, cut), "%s, %zu octets", row->name, cut);
		}
		cr_expect_eq(tunnel.teid, 7, "%s", row->name);
		cr_expect_eq(tunnel.nr_container ? (int32_t)tunnel.nru_sn : -1, row->nru_sn, "%s", row->name);
		cr_expect_eq(tunnel.pdu_bytes, row->pdu_bytes, "%s", row->name);
	}
}
