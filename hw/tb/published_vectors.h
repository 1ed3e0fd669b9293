/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The published vectors of 128-EEAn, of 128-EIAn, and of PDCP under them, as what a lane or an engine is given: a shape, a message and a UE.
 */
#ifndef FAN_PUBLISHED_VECTORS_H
#define FAN_PUBLISHED_VECTORS_H

extern "C" {
#include "../../dataplane/engine/engine.h"
}

#include <functional>
#include <vector>

struct published_vector {
	const char *id;
	struct fan_shape shape; /* message: not set */
	uint8_t message[4096], clear[16], head[48], k_enc[16], k_int[16], bearer_direction;
	uint32_t count;
	std::vector<uint8_t> wanted; /* of the text, or of a MAC where it stands alone */
	int wanted_at;               /* from the first octet of text; below 0: it is the MAC, in front of text and clear prefix */
	uint8_t last_mask;           /* bits of the last octet of `wanted` that are known */
};

struct vector_counts {
	unsigned used, left_out; /* no whole octets, nothing at all, or longer than a PDU */
};

using vector_run = std::function<void(const published_vector &vector)>;

/* Each with private heads of 0 to 3 blocks. */
vector_counts each_cipher_vector(unsigned algorithm, const vector_run &run);
/* Each with clear prefixes of 0 to 16 octets: every split of the message into clear prefix and text must give the same MAC. */
vector_counts each_mac_vector(unsigned algorithm, const vector_run &run);
/* Those whose algorithms are served, each with private heads of 0 to 3 blocks. */
unsigned each_pdcp_vector(bool (*serves)(unsigned cipher, unsigned integrity), const vector_run &run);

#endif
