/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a UE makes of cell broadcast: segments of system information (SIB 12 of TS 36.331 5.2.2.19, SIB 8 of TS 38.331 5.2.2.4.9) become a
 * message of pages (TS 23.041 9.4.2.2.5), if its identifier is one that the UE listens to, and it was not heard before.
 * One listener is of one thread.
 */
#ifndef FAN_UE_BROADCAST_H
#define FAN_UE_BROADCAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAN_UE_BROADCAST_BYTES_MAX 1230
#define FAN_UE_SEGMENTS_MAX 64 /* numbers 0 to 63 */
#define FAN_UE_CONTENTS_BYTES_MAX (1 + 15 * 83)
#define FAN_UE_IDS_MAX 8    /* that a UE listens to: entries of EF_CBMI (TS 31.102 4.2.14) */
#define FAN_UE_HEARD_MAX 64 /* messages that it remembers; the oldest is forgotten */

struct fan_ue_segment {
	uint16_t id, serial;
	uint8_t number;
	bool last;
	const uint8_t *octets; /* of the contents, from where the segment before ends */
	size_t octet_count;
};

enum fan_ue_heard {
	FAN_UE_BROADCAST_NEW,       /* a whole message */
	FAN_UE_BROADCAST_WAITS,     /* for further segments */
	FAN_UE_BROADCAST_KNOWN,     /* a repetition */
	FAN_UE_BROADCAST_OTHERS,    /* of an identifier that the UE does not listen to */
	FAN_UE_BROADCAST_MALFORMED, /* it is forgotten, and may come again */
};

struct fan_ue_broadcasts {
	uint16_t ids[FAN_UE_IDS_MAX];
	unsigned id_count;
	uint32_t heard[FAN_UE_HEARD_MAX]; /* identifier << 16 | serial */
	unsigned heard_count;             /* so far, of which the last ones are remembered */
	/* The message that is coming; of one at a time, as the standard has it. */
	uint32_t coming;
	uint64_t have; /* segments, by number */
	int last;      /* number of the last one; -1: not known yet */
	uint16_t bytes[FAN_UE_SEGMENTS_MAX];
	uint8_t octets[FAN_UE_SEGMENTS_MAX][FAN_UE_CONTENTS_BYTES_MAX];
};

/* In: identifiers that the UE listens to, up to FAN_UE_IDS_MAX. */
void fan_ue_broadcasts_begin(struct fan_ue_broadcasts *broadcasts, const uint16_t *ids, unsigned id_count);

/* Takes one segment, in any order and as often as it comes. Out, when it is NEW: the payload of the message. */
enum fan_ue_heard fan_ue_broadcast_hear(struct fan_ue_broadcasts *broadcasts, uint8_t payload[FAN_UE_BROADCAST_BYTES_MAX],
					size_t *payload_bytes, const struct fan_ue_segment *segment);

#endif
