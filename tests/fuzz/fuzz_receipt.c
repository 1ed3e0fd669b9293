/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any frame into the parser of receipts. Bit 0 of an input's first octet makes lengths and checksums of IP, UDP and GTP-U right before, so
 * that mutations reach what lies deeper; bit 1 chooses IPv6, bit 2 a link with a VLAN.
 */
#include "../../dataplane/pdu/receipt.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_bytes);

#define FRAME_BYTES_MAX 4096
#define LINK_BYTES 14

static void
patch16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static size_t
checksum(size_t sum, const uint8_t *octets, size_t octet_count)
{
	for (size_t i = 0; i < octet_count; i++)
		sum += (size_t)octets[i] << (i % 2 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

/* A frame without a tag and without options. */
static void
seal(uint8_t *frame, size_t frame_bytes, bool ipv6)
{
	const size_t ip_bytes = ipv6 ? 40 : 20, addresses_at = ipv6 ? 8 : 12;
	uint8_t *ip = frame + LINK_BYTES, *udp = ip + ip_bytes;
	size_t udp_bytes;

	if (frame_bytes < LINK_BYTES + ip_bytes + 16)
		return;
	udp_bytes = frame_bytes - LINK_BYTES - ip_bytes;
	if (udp[2] == FAN_PORT_GTPU >> 8 && udp[3] == (FAN_PORT_GTPU & 0xff))
		patch16(udp + 10, udp_bytes - 16);
	patch16(udp + 4, udp_bytes);
	patch16(ip + (ipv6 ? 4 : 2), ipv6 ? udp_bytes : ip_bytes + udp_bytes);
	if (!ipv6) {
		patch16(ip + 10, 0);
		patch16(ip + 10, checksum(0, ip, ip_bytes));
	}
	patch16(udp + 6, 0);
	patch16(udp + 6, checksum(17 + udp_bytes, ip + addresses_at, ip_bytes - addresses_at + udp_bytes));
}

static void
check(const struct fan_receipt_frame *read)
{
	FAN_REQUIRE(read->count >= 1 && read->count <= FAN_RECEIPTS_A_FRAME);
	for (unsigned i = 0; i < read->count; i++) {
		FAN_REQUIRE(read->receipt[i].way < FAN_RECEIPT_WAYS);
		FAN_REQUIRE((read->receipt[i].way == FAN_RECEIPT_TUNNEL) == (read->sequence == 0));
	}
	FAN_REQUIRE(read->sequence != 0 || (read->receipt[0].number < 1U << 24 && read->receipt[0].id <= UINT32_MAX));
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_bytes)
{
	struct fan_link link = { .ethernet = { 2, 0, 0, 0, 0, 9 }, .address = { 192, 0, 2, 1 } };
	static const uint8_t ipv6[16] = { 0x20, 1, 0x0d, 0xb8, [15] = 1 };
	static struct fan_receipt_frame read;
	enum fan_refusal refusal;
	uint8_t *frame;

	if (input_bytes < 2 || input_bytes > FRAME_BYTES_MAX)
		return 0;
	link.ipv6 = (input[0] & 2) != 0;
	link.vlan_tag = (input[0] & 4) != 0 ? 100 : 0;
	if (link.ipv6)
		memcpy(link.address, ipv6, sizeof(ipv6));
	/* An allocation of its own ends where the frame ends. */
	frame = malloc(input_bytes - 1);
	if (frame == NULL)
		return 0;
	memcpy(frame, input + 1, input_bytes - 1);
	if ((input[0] & 1) != 0)
		seal(frame, input_bytes - 1, link.ipv6);
	/* What is read is what the frame says, and nothing that was there before. */
	memset(&read, 0xff, sizeof(read));
	refusal = fan_receipt_read(&read, &link, FAN_PORT_RECEIPT, frame, input_bytes - 1);
	FAN_REQUIRE((unsigned)refusal < FAN_REFUSAL_UNKNOWN);
	if (refusal == FAN_REFUSAL_NONE)
		check(&read);
	free(frame);
	return 0;
}
