/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SRTP (RFC 3711) as a sender: AES-CM-128 with HMAC-SHA-1-80, key derivation rate 0, and an MKI in every packet. One handle is one stream: one
 * master key, one SSRC. The receivers' side is libsrtp2's in tests, and ue/mbms.c's.
 */
#ifndef FAN_KEYS_SRTP_H
#define FAN_KEYS_SRTP_H

#include "../../dataplane/context/error.h"

#include <stdbool.h>

#define FAN_SRTP_KEY_BYTES 16
#define FAN_SRTP_SALT_BYTES 14
#define FAN_SRTP_TAG_BYTES 10
#define FAN_SRTP_MKI_BYTES 6 /* MSK ID 4, MTK ID 2 */
#define FAN_SRTP_MORE_BYTES (FAN_SRTP_MKI_BYTES + FAN_SRTP_TAG_BYTES)

struct fan_srtp;

struct fan_srtp_stream {
	uint8_t key[FAN_SRTP_KEY_BYTES], salt[FAN_SRTP_SALT_BYTES];
	uint8_t mki[FAN_SRTP_MKI_BYTES];
	uint32_t ssrc;
};

/* A master key begins with packet index 0 and lives in memory alone: whoever restarts draws another, so no index need be kept. MEMORY. */
int fan_srtp_open(struct fan_srtp **out, const struct fan_srtp_stream *stream);
/* Wipes. NULL is ignored. */
void fan_srtp_close(struct fan_srtp *srtp);

/*
 * In/Out: packet, an RTP packet of packet_bytes with room for FAN_SRTP_MORE_BYTES behind it. Returns the octets of the SRTP packet, or
 * INVALID: no RTP packet of this SSRC, or a sequence number that does not follow the last one (RFC 3711 3.3.1); MEMORY. A packet index is used
 * once: no keystream comes twice. After an error the packet is not to be sent. One thread.
 */
int fan_srtp_protect(struct fan_srtp *srtp, uint8_t *packet, size_t packet_bytes);

/* RFC 3711 4.3.3. Out: octet_count octets, at most 96, of session key. `label` 0 enciphers, 1 authenticates, 2 salts. False: OpenSSL has no memory. */
bool fan_srtp_derive(uint8_t *out, size_t octet_count, const uint8_t key[FAN_SRTP_KEY_BYTES],
		     const uint8_t salt[FAN_SRTP_SALT_BYTES], uint8_t label);

#endif
