/* SPDX-License-Identifier: BSD-3-Clause */
#include "receipt_frames.h"

#include "octets.h"

#include <string.h>

static uint8_t *
put(uint8_t *at, uint64_t value, unsigned byte_count)
{
	for (unsigned i = 0; i < byte_count; i++)
		at[i] = (uint8_t)(value >> (8 * (byte_count - 1 - i)));
	return at + byte_count;
}

static uint8_t *
put_octets(uint8_t *at, const uint8_t *octets, size_t octet_count)
{
	memcpy(at, octets, octet_count);
	return at + octet_count;
}

static uint8_t *
put_ip(uint8_t *at, const struct fan_test_path *path, size_t udp_bytes)
{
	const unsigned words = path->ipv4_words != 0 ? path->ipv4_words : 5;
	uint8_t *header = at;

	if (path->link.ipv6) {
		at = put(at, 0x60000000, 4);
		at = put(at, udp_bytes, 2);
		at = put(at, 17 << 8 | 64, 2);
		at = put_octets(at, path->sender, 16);
		return put_octets(at, path->link.address, 16);
	}
	at = put(at, 0x4000 | words << 8, 2);
	at = put(at, 4 * words + udp_bytes, 2);
	at = put(at, 0x4000, 4);
	at = put(at, 64 << 8 | 17, 2);
	at = put(at, 0, 2);
	at = put_octets(at, path->sender, 4);
	at = put_octets(at, path->link.address, 4);
	for (unsigned i = 5; i < words; i++)
		at = put(at, 0x01010101, 4);
	(void)put(header + 10, 0xffffU - fan_test_internet_sum(header, 4UL * words, 0), 2);
	return at;
}

size_t
fan_test_datagram(uint8_t *frame, const struct fan_test_path *path, uint16_t port, const uint8_t *payload, size_t payload_bytes)
{
	static const uint8_t source[6] = { 2, 0, 0, 0, 1, 1 };
	const size_t udp_bytes = 8 + payload_bytes, address_bytes = path->link.ipv6 ? 16 : 4;
	uint8_t addresses[32], *udp;
	uint8_t *at = put_octets(put_octets(frame, path->link.ethernet, 6), source, 6);
	uint32_t sum;

	if (path->link.vlan_tag != 0)
		at = put(at, 0x81000000U | path->link.vlan_tag, 4);
	at = put(at, path->link.ipv6 ? 0x86dd : 0x0800, 2);
	udp = put_ip(at, path, udp_bytes);
	at = put(udp, 40000U << 16 | port, 4);
	at = put(at, udp_bytes << 16, 4);
	at = put_octets(at, payload, payload_bytes);
	(void)put_octets(put_octets(addresses, path->sender, address_bytes), path->link.address, address_bytes);
	sum = 17 + (uint32_t)udp_bytes + fan_test_internet_sum(addresses, 2 * address_bytes, 0);
	if (!path->no_checksum)
		(void)put(udp + 6, 0xffffU - fan_test_internet_sum(udp, udp_bytes, sum), 2);
	return (size_t)(at - frame);
}

size_t
fan_test_status(uint8_t *frame, const struct fan_test_path *path, uint32_t teid, uint32_t sn)
{
	uint8_t payload[24], *at = put(payload, 0x34ff0010, 4);

	at = put(at, teid, 4);
	at = put(at, 0x84, 4);
	at = put(at, 0x031400, 3);
	at = put(at, 0, 4);
	at = put(at, sn, 3);
	(void)put(at, 0, 2);
	return fan_test_datagram(frame, path, FAN_PORT_GTPU, payload, sizeof(payload));
}

size_t
fan_test_relay(uint8_t *frame, const struct fan_test_path *path, uint64_t sequence, const struct fan_receipt *entries,
	       unsigned entry_count)
{
	uint8_t payload[FAN_TEST_FRAME_BYTES], *at = put(payload, 0x46414e52, 4);

	at = put(at, 0x0100, 2);
	at = put(at, entry_count, 2);
	at = put(at, sequence, 8);
	for (unsigned i = 0; i < entry_count; i++) {
		at = put(at, entries[i].way, 1);
		at = put(at, entries[i].id, 8);
		at = put(at, entries[i].number, 4);
	}
	return fan_test_datagram(frame, path, FAN_PORT_RECEIPT, payload, (size_t)(at - payload));
}
