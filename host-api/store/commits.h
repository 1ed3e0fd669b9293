/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How long the store's durable writes take.
 */
#ifndef FAN_STORE_COMMITS_H
#define FAN_STORE_COMMITS_H

#include <stdint.h>

#define FAN_STORE_LATENCIES 12

/* Since the store was opened. */
struct fan_store_commits {
	uint64_t count, failed; /* all; of these, those that failed */
	uint64_t sum_ns, max_ns;
	uint64_t within[FAN_STORE_LATENCIES]; /* took at most fan_store_latency_us[i], and longer than the one before */
};

/* Steps of the latencies that are told, microseconds, rising. What took longer than the last is in `count` alone. */
extern const uint32_t fan_store_latency_us[FAN_STORE_LATENCIES];

#endif
