/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HTTP Digest (RFC 7616; RFC 2617 is its form with MD5), as a BM-SC checks it when a UE registers or asks for an MSK: user name = B-TID,
 * password = MRK in base64 (TS 33.246, from memory). The computation alone: who parses the header and keeps nonces is the HTTP server.
 */
#ifndef FAN_KEYS_DIGEST_H
#define FAN_KEYS_DIGEST_H

#include "../../dataplane/context/error.h"

#include <stdbool.h>

#define FAN_DIGEST_HEX_BYTES (2 * 32 + 1) /* of SHA-256, with a closing zero */

enum fan_digest_algorithm { FAN_DIGEST_MD5, FAN_DIGEST_SHA256 };

/* Of the request and its Authorization header, quotes taken off; texts are the caller's. */
struct fan_digest_request {
	enum fan_digest_algorithm algorithm;
	const char *method; /* "POST"; "" for what a server answers (rspauth, RFC 7616 3.5) */
	const char *uri, *username, *realm, *nonce, *cnonce;
	const char *nc;  /* 8 hex digits */
	const char *qop; /* "auth" or "auth-int", which covers the body too */
	const void *body;
	size_t body_bytes;
	const char *response; /* what the header says; not looked at by fan_digest_response() */
};

/* Out: the response to these. INVALID (another qop, a part that is missing), MEMORY; hex is then empty. */
int fan_digest_response(char hex[FAN_DIGEST_HEX_BYTES], const struct fan_digest_request *request, const char *password);

/* What a BM-SC knows of a UE and of the challenge that it sent. */
struct fan_digest_expected {
	const char *b_tid, *realm, *nonce;
	uint8_t mrk[32];
	uint32_t nc_next; /* In/Out: lowest that is taken under this nonce; 1 at first */
};

/*
 * Whether the request comes from who has the MRK, and is not an older one. INVALID with a reason that names no secret when it does not, or when
 * anything is missing or of another form; MEMORY. The response is compared in constant time.
 */
int fan_digest_check(struct fan_digest_expected *expected, const struct fan_digest_request *request);

#endif
