/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames that acknowledge: what a base station or a relay sends to an appliance. */
#ifndef FAN_TEST_RECEIPT_FRAMES_H
#define FAN_TEST_RECEIPT_FRAMES_H

#include "../dataplane/pdu/receipt.h"

#define FAN_TEST_FRAME_BYTES 2048

/* Between whom. */
struct fan_test_path {
	struct fan_link link; /* of the appliance: its addresses, IP version and VLAN */
	uint8_t sender[16];
	bool no_checksum;   /* of UDP */
	uint8_t ipv4_words; /* of the header; 0: 5, no options */
};

/* Out: frame[FAN_TEST_FRAME_BYTES]. Returns its octets: Ethernet, IP and UDP around a payload. */
size_t fan_test_datagram(uint8_t *frame, const struct fan_test_path *path, uint16_t port, const uint8_t *payload,
			 size_t payload_bytes);
/* A delivery status of one SN. */
size_t fan_test_status(uint8_t *frame, const struct fan_test_path *path, uint32_t teid, uint32_t sn);
/* A relay's datagram, to its default port. */
size_t fan_test_relay(uint8_t *frame, const struct fan_test_path *path, uint64_t sequence, const struct fan_receipt *entries,
		      unsigned entry_count);

#endif
