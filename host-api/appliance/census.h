/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The census: how many contexts have how much of their window and lease left. Workers spend COUNTs all the time and count nothing of this, so
 * the control thread walks all tables, some contexts a call, again and again: what a walk has found is told when it is over, with its age.
 */
#ifndef FAN_CENSUS_H
#define FAN_CENSUS_H

#include "appliance.h"

/* Zeroed: no walk has begun. */
struct fan_census {
	struct fan_census_counts counts; /* of the last walk that is over */
	int64_t ended_ms, took_ms;       /* by CLOCK_MONOTONIC; 0: none is */
	struct fan_census_counts so_far;
	unsigned table; /* where the walk goes on */
	uint32_t slot;
	int64_t begun_ms, stepped_ms;
	bool walking;
};

/* Goes on with the walk, if the last step is long enough ago: some 0.1 ms. Control thread, from fan_poll(). */
void fan_census_serve(struct fanfare *fanfare);

#endif
