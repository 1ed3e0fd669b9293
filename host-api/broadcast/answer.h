/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What eNBs and gNBs answer to the request of a warning: WRITE-REPLACE WARNING RESPONSE of S1AP (TS 36.413 9.1.13.2) and NGAP (TS 38.413
 * 9.2.8.2). It comes from outside: nothing in it is believed that is not whole.
 */
#ifndef FAN_ANSWER_H
#define FAN_ANSWER_H

#include "../fanfare.h"

/* Where the broadcast was completed. */
enum fan_answer_extent {
	FAN_ANSWER_NOWHERE, /* no list of it: nowhere in the cells of whoever answers (TS 36.413 8.12.1.2) */
	FAN_ANSWER_CELLS,   /* in some cells, or emergency areas, which are not read */
	FAN_ANSWER_AREAS,   /* in these tracking areas */
};

struct fan_answer {
	uint16_t id, serial;
	enum fan_answer_extent extent;
	unsigned area_count;
	struct fan_answer_area {
		uint8_t plmn[3];
		uint32_t area;
	} areas[FAN_POLICY_AREAS_MAX];
};

/* Reads one, to its last octet. Out: *answer. INVALID: says what is wrong with it: another procedure, an element twice, missing, or unknown and not
 * to be ignored, extensions of a place, more areas than a request of ours has. Any thread. */
int fan_answer_read(struct fan_answer *answer, enum fan_radio radio, const uint8_t *octets, size_t octet_count);

#endif
