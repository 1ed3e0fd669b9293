/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What became of each UE of a message: lines of the daemon (message.results: "identity,profile,outcome", where an identity may hold commas) written as gmdResults of
 * TS 29.122, octet by octet into one buffer, since a tree of JSON for 1,000,000 UEs takes seconds and hundreds of megabytes.
 */
#ifndef FAN_T8_RESULTS_H
#define FAN_T8_RESULTS_H

#include <stdbool.h>
#include <stddef.h>

#define FAN_T8_PAGE_UES_MAX 1000
#define FAN_T8_PAGE_BYTES_MAX (256 * 1024)

/* Which outcomes a page has. */
struct fan_t8_filter {
	bool failures;      /* only those that were not sent */
	const char *status; /* only those of this DeliveryStatus; NULL: of any */
};

/* Appends elements of gmdResults, with commas between them, to out[*out_bytes], until the page has ues_max of them or room octets. In: lines, whole
 * ones; *at, where to begin; *ues, how many the page has. Out: *at, the first line that was not looked at; *lines_taken, how many were; *ues. */
void fan_t8_results_write(char *out, size_t room, size_t *out_bytes, unsigned *ues, const char *lines, size_t lines_bytes,
			  size_t *at, unsigned *lines_taken, unsigned ues_max, const struct fan_t8_filter *filter);

#endif
