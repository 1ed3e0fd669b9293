/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What do notifications of a group's outcomes cost to write? Lines of the daemon, one a UE, become pages of gmdResults: by the T8 face's own
 * writer, and by the peer that is at hand, jansson's objects, in turns in one run. Both write the same octets, which is checked.
 *
 *	bench_pages [ues=1000000] [rounds=9]
 *
 * Prints one JSON object: CPU seconds of the process for all UEs, medians of the rounds with the lowest and the highest; `ratio` is the median of
 * the rounds' ratios, jansson's over ours.
 */
#include "../host-api/north/t8/results.h"
#include "arguments.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <time.h>

#define ROUNDS_MAX 99
#define LINE_BYTES_MAX 96
#define HEAD                                                                                                                   \
	"{\"niddDownlinkDataTransfer\":\"https://scef.example.org/3gpp-nidd/v1/as1/configurations/0123456789abcdef/"           \
	"downlink-data-deliveries/0123456789abcdef\",\"gmdResults\":["
#define TRANSFER                                                                                                               \
	"https://scef.example.org/3gpp-nidd/v1/as1/configurations/0123456789abcdef/downlink-data-deliveries/0123456789abcdef"

static unsigned long ue_count = 1000000, rounds = 9;
static char *lines;
static size_t lines_bytes;

/* What the octets of all pages come to, so that both can be seen to be the same, and none is left out by the compiler. */
struct pages {
	uint64_t count, byte_count, digest;
};

static void
take_page(struct pages *pages, const char *page, size_t byte_count)
{
	pages->count++;
	pages->byte_count += byte_count;
	for (size_t i = 0; i + 8 <= byte_count; i += 8) {
		uint64_t word;

		memcpy(&word, page + i, sizeof(word));
		pages->digest = (pages->digest ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	}
}

static void
make_lines(void)
{
	static const char *const outcomes[] = { "sent", "sent", "unreachable", "sent", "expired", "window", "sent", "port" };

	lines = malloc(ue_count * LINE_BYTES_MAX);
	if (lines == NULL) {
		fprintf(stderr, "bench_pages: no memory for %lu lines\n", ue_count);
		exit(1);
	}
	for (unsigned long i = 0; i < ue_count; i++)
		lines_bytes += (size_t)snprintf(lines + lines_bytes, LINE_BYTES_MAX,
						"device%08lu@fleet.example.org,eps-nas-nidd,%s\n", i,
						outcomes[i * 2654435761U >> 8 & 7]);
}

static void
write_pages(struct pages *pages)
{
	static char page[sizeof(HEAD) + FAN_T8_PAGE_BYTES_MAX];
	const struct fan_t8_filter all = { .failures = false };

	for (size_t at = 0; at < lines_bytes;) {
		size_t bytes = sizeof(HEAD) - 1;
		unsigned ues = 0, taken;

		memcpy(page, HEAD, bytes);
		fan_t8_results_write(page, sizeof(page) - 2, &bytes, &ues, lines, lines_bytes, &at, &taken, FAN_T8_PAGE_UES_MAX,
				     &all);
		memcpy(page + bytes, "]}", 2);
		take_page(pages, page, bytes + 2);
	}
}

static const char *
status_of(const char *outcome)
{
	return strcmp(outcome, "sent") == 0          ? "SUCCESS_NEXT_HOP_UNACKNOWLEDGED"
	       : strcmp(outcome, "unreachable") == 0 ? "FAILURE_TEMPORARILY_NOT_REACHABLE"
	       : strcmp(outcome, "expired") == 0     ? "FAILURE_TIMEOUT"
	       : strcmp(outcome, "port") == 0        ? "FAILURE_NEXT_HOP"
						     : "FAILURE";
}

/* The element of a line, which ends behind it. The caller's. */
static json_t *
make_element(const char *line, const char *end)
{
	const char *identity_end = memchr(line, ',', (size_t)(end - line));
	const char *profile_end = memchr(identity_end + 1, ',', (size_t)(end - identity_end - 1));
	char outcome[32];

	(void)snprintf(outcome, sizeof(outcome), "%.*s", (int)(end - profile_end - 1), profile_end + 1);
	return json_pack("{s:s%, s:s}", "externalId", line, (size_t)(identity_end - line), "deliveryStatus",
			 status_of(outcome));
}

static void
write_pages_by_jansson(struct pages *pages)
{
	for (size_t at = 0; at < lines_bytes;) {
		json_t *results = json_array(), *page;
		char *text;

		for (unsigned ues = 0; ues < FAN_T8_PAGE_UES_MAX && at < lines_bytes; ues++) {
			const char *end = memchr(lines + at, '\n', lines_bytes - at);

			(void)json_array_append_new(results, make_element(lines + at, end));
			at = (size_t)(end - lines) + 1;
		}
		page = json_pack("{s:s, s:o}", "niddDownlinkDataTransfer", TRANSFER, "gmdResults", results);
		text = json_dumps(page, JSON_COMPACT);
		take_page(pages, text, strlen(text));
		free(text);
		json_decref(page);
	}
}

static double
cpu_s(void (*write)(struct pages *pages), struct pages *pages)
{
	struct timespec begin, end;

	*pages = (struct pages){ .count = 0 };
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
	write(pages);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	return (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
}

static int
compare(const void *one, const void *other)
{
	double a, b;

	memcpy(&a, one, sizeof(a));
	memcpy(&b, other, sizeof(b));
	return (a > b) - (a < b);
}

static json_t *
figure(double *values)
{
	qsort(values, rounds, sizeof(*values), compare);
	return json_pack("{s:f, s:[f, f]}", "median", values[rounds / 2], "spread", values[0], values[rounds - 1]);
}

static void
measure(void)
{
	static double own[ROUNDS_MAX], peer[ROUNDS_MAX], ratio[ROUNDS_MAX];
	struct pages pages = { .count = 0 }, others;
	json_t *report;

	for (unsigned long i = 0; i < rounds; i++) {
		own[i] = cpu_s(write_pages, &pages);
		peer[i] = cpu_s(write_pages_by_jansson, &others);
		ratio[i] = peer[i] / own[i];
		if (memcmp(&pages, &others, sizeof(pages)) != 0) {
			fprintf(stderr, "bench_pages: the two have not written the same\n");
			exit(1);
		}
	}
	report = json_pack("{s:I, s:I, s:I, s:o, s:o, s:o}", "ues", (json_int_t)ue_count, "pages", (json_int_t)pages.count,
			   "bytes", (json_int_t)pages.byte_count, "cpu_s", figure(own), "jansson_cpu_s", figure(peer), "ratio",
			   figure(ratio));
	(void)json_dumpf(report, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(4));
	(void)putchar('\n');
	json_decref(report);
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (fan_argument_number(&ue_count, argv[i], "ues", 1, 100000000) ||
		    fan_argument_number(&rounds, argv[i], "rounds", 1, ROUNDS_MAX))
			continue;
		fprintf(stderr, "usage: bench_pages [ues=1000000] [rounds=9]\n");
		return 2;
	}
	make_lines();
	measure();
	free(lines);
	return 0;
}
