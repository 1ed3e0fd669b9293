/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
/* What a worker without work costs, how soon it begins when there is some, and what it still knows. */
#include "../host-api/fanfare.h"
#include "sanitizers.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define UES 200 /* some more batches than one */
#define IDLE_MS 500
/* Keys of all UEs begin with these octets, which nothing else does. They stand here, and nowhere in memory, turned round. */
#define KEY_FRONT UINT64_C(0xfd31c5a2e6709b48)

static double
seconds_of(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void
sleep_ms(long ms)
{
	const struct timespec pause = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&pause, NULL);
}

static uint64_t
turned(uint64_t value)
{
	__asm__("" : "+r"(value));
	value = ~value;
	return value;
}

/* The caller wipes it. */
static void
make_ue(struct fan_ue *ue, uint32_t index)
{
	uint64_t front = turned(KEY_FRONT);

	*ue = (struct fan_ue){ .struct_bytes = sizeof(*ue),
			       .kind = FAN_KIND_EPS_NAS,
			       .cipher = 2,
			       .integrity = 2,
			       .count_reserved = 1000,
			       .mme_ue_id = index,
			       .ran_ue_id = index,
			       .bearer_id = 5 };
	memcpy(ue->k_enc, &front, sizeof(front));
	memcpy(ue->k_int, &front, sizeof(front));
	memcpy(ue->k_enc + 12, &index, sizeof(index));
	memcpy(ue->k_int + 8, &index, sizeof(index));
	explicit_bzero(&front, sizeof(front));
}

static const char *const crypto_device[] = { "--vdev=crypto_aesni_mb", NULL };

static struct fanfare *
open_appliance(const char *engines, struct fan_group **group, fan_context_id ids[UES])
{
	const struct fan_options options = {
		.struct_bytes = sizeof(options), .engines = engines, .egress = "net_null", .eal = crypto_device
	};
	const struct fan_next_hop hop = { .struct_bytes = sizeof(hop),
					  .ethernet = { 2, 0, 0, 0, 0, 1 },
					  .address = { 198, 51, 100, 1 } };
	struct fanfare *fanfare;

	cr_assert_eq(fan_open(&fanfare, &options), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_next_hop_add(fanfare, &hop), 0);
	cr_assert_eq(fan_group_create(fanfare, group, "idle@fanfare.example"), 0);
	for (uint32_t i = 0; i < UES; i++) {
		struct fan_ue ue;

		make_ue(&ue, i);
		cr_assert_eq(fan_ue_add(fanfare, &ids[i], &ue), 0, "%s", fan_error_detail());
		explicit_bzero(&ue, sizeof(ue));
		cr_assert_eq(fan_group_add(*group, ids[i], FAN_PROFILE_EPS_NAS_NIDD), 0);
	}
	return fanfare;
}

static void
note(void *user, const struct fan_result *result, const struct fan_outcome *outcome)
{
	(void)outcome;
	*(struct fan_result *)user = *result;
}

static struct fan_result
send_one(struct fanfare *fanfare, struct fan_group *group)
{
	struct fan_result result = { .ues = 0 };
	struct fan_message message;

	fan_message_init(&message, "hello", 5);
	cr_assert_eq(fan_send(fanfare, NULL, group, &message, note, &result), 0, "%s", fan_error_detail());
	while (fan_poll(fanfare) > 0)
		sleep_ms(0);
	cr_assert_eq(result.sent, UES);
	return result;
}

/* The clock of the process's own CPU time: load of others does not matter. */
Test(worker_idle, takes_next_to_nothing_of_a_core, .timeout = 60)
{
	fan_context_id ids[UES];
	struct fan_group *group;
	struct fanfare *fanfare = open_appliance("reference", &group, ids);

	for (unsigned round = 0; round < 2; round++) {
		double cpu_s;

		sleep_ms(100);
		cpu_s = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
		sleep_ms(IDLE_MS);
		cpu_s = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu_s;
		cr_assert_lt(cpu_s, 0.005 * IDLE_MS / 1000, "%.3f %% of a core", cpu_s * 100000 / IDLE_MS);
		(void)send_one(fanfare, group);
	}
	cr_assert_eq(fan_close(fanfare), 0);
}

/* The best of several, since others may have the core. */
Test(worker_idle, begins_soon, .timeout = 60)
{
	fan_context_id ids[UES];
	struct fan_group *group;
	struct fanfare *fanfare = open_appliance("reference", &group, ids);
	uint64_t best_ns = UINT64_MAX, sum_ns = 0;

	for (unsigned round = 0; round < 20; round++) {
		struct fan_result result;

		sleep_ms(20);
		result = send_one(fanfare, group);
		best_ns = result.first_ns < best_ns ? result.first_ns : best_ns;
		sum_ns += result.first_ns;
	}
	printf("first frame after %" PRIu64 " us at best, %" PRIu64 " us on average\n", best_ns / 1000, sum_ns / 20000);
	cr_assert_lt(best_ns, 2000000);
	cr_assert_eq(fan_close(fanfare), 0);
}

/* Many hand-overs at every moment of falling asleep: none is missed, which would show as a message that waits for the second after which
 * a worker looks around. */
Test(worker_idle, no_message_is_slept_through, .timeout = 120)
{
	fan_context_id ids[UES];
	struct fan_group *group;
	struct fanfare *fanfare = open_appliance("reference", &group, ids);
	const double begin_s = seconds_of(CLOCK_MONOTONIC);
	unsigned slow = 0;

	for (unsigned round = 0; round < 190; round++) {
		const double sent_s = seconds_of(CLOCK_MONOTONIC);

		(void)send_one(fanfare, group);
		slow += seconds_of(CLOCK_MONOTONIC) - sent_s > 0.5;
		for (double until_s = seconds_of(CLOCK_MONOTONIC) + round % 50 * 20e-6; seconds_of(CLOCK_MONOTONIC) < until_s;)
			;
	}
	cr_assert_eq(slow, 0, "%u of 190 messages in %.1f s", slow, seconds_of(CLOCK_MONOTONIC) - begin_s);
	cr_assert_eq(fan_close(fanfare), 0);
}

static unsigned
count_between(const void **first, const uint32_t *at, const uint32_t *end)
{
	unsigned found = 0;

	for (; at + 2 <= end; at++)
		if (at[0] == (uint32_t)~KEY_FRONT && ~(at[0] | (uint64_t)at[1] << 32) == KEY_FRONT && found++ == 0)
			*first = at;
	return found;
}

/* The same in memory of which not every page can be read, as a mapping that is longer than its file: a piece at a time, on the stack, where
 * nobody looks for keys. Pieces overlap by what a find needs less one. */
static unsigned
count_in_mapping(const void **first, uint8_t *begin, const uint8_t *end)
{
	uint32_t piece[512 + 1];
	unsigned found = 0;

	for (uint8_t *at = begin; at < end; at += 2048) {
		const size_t piece_bytes = end - at > (ptrdiff_t)sizeof(piece) ? sizeof(piece) : (size_t)(end - at);
		const struct iovec from = { at, piece_bytes }, to = { piece, piece_bytes };
		const ssize_t got = process_vm_readv(getpid(), &to, 1, &from, 1, 0);
		const void *where = NULL;
		const unsigned more = got < 8 ? 0 : count_between(&where, piece, piece + got / 4);

		if (more > 0 && found == 0)
			*first = at + ((const uint8_t *)where - (const uint8_t *)piece);
		found += more;
	}
	explicit_bzero(piece, sizeof(piece));
	return found;
}

/* How often the front of a key lies in this process's memory, the stack of this thread aside, where the test has made them: in all of it, or
 * in what a core dump would hold. Where, into `where`. */
static unsigned
count_keys(char *where, size_t where_bytes, bool dumped_alone)
{
	FILE *maps = fopen("/proc/self/smaps", "r");
	char line[512], name[512] = "";
	void *begin = NULL, *end = NULL;
	unsigned found = 0;

	cr_assert_not_null(maps);
	where[0] = '\0';
	while (fgets(line, sizeof(line), maps) != NULL) {
		const void *first = NULL;
		void *from, *to;
		unsigned more;
		char mode[5];

		if (sscanf(line, "%p-%p %4s", &from, &to, mode) == 3) {
			begin = from;
			end = to;
			snprintf(name, sizeof(name), "%s", line);
		}
		if (begin == NULL || strncmp(line, "VmFlags:", 8) != 0 || strstr(name, " rw") == NULL ||
		    strstr(name, "[stack]") != NULL || (dumped_alone && strstr(line, " dd") != NULL))
			continue;
		more = count_in_mapping(&first, begin, end);
		if (more > 0 && found == 0)
			snprintf(where, where_bytes, "%p in %.400s", first, name);
		found += more;
	}
	fclose(maps);
	return found;
}

Test(worker_idle, keys_do_not_outlive_their_ues, .timeout = 120)
{
	static const char *const engines[] = { "lockstep", "lockstep-vaes512", "lockstep-vaes256", "lockstep-aesni",
					       "ipsec-mb", "reference",        "cryptodev" };
	static char where[600];

	if (FAN_TEST_UNDER_ASAN) /* it guards what lies between variables, and keeps what was freed */
		cr_skip_test("AddressSanitizer lets nobody search memory");
	for (unsigned i = 0; i < sizeof(engines) / sizeof(engines[0]); i++) {
		const struct fan_options options = {
			.struct_bytes = sizeof(options), .engines = engines[i], .egress = "net_null", .eal = crypto_device
		};
		fan_context_id ids[UES];
		struct fan_group *group;
		struct fanfare *fanfare;
		unsigned before;

		if (fan_open(&fanfare, &options) == FAN_E_UNSUPPORTED) {
			printf("%s: not on this CPU\n", engines[i]);
			continue;
		}
		cr_assert_eq(fan_close(fanfare), 0);
		fanfare = open_appliance(engines[i], &group, ids);
		(void)send_one(fanfare, group);
		cr_assert_eq(count_keys(where, sizeof(where), true), 0, "%s, into a core dump: %s", engines[i], where);
		sleep_ms(50);
		before = count_keys(where, sizeof(where), false);
		cr_assert_geq(before, 2 * UES, "the search does not see the contexts: %u", before);
		for (unsigned ue = 0; ue < UES; ue++) {
			uint32_t next;
			uint16_t unacknowledged;

			cr_assert_eq(fan_ue_remove(fanfare, &next, &unacknowledged, ids[ue]), 0, "%s", fan_error_detail());
		}
		cr_assert_eq(count_keys(where, sizeof(where), false), 0, "%s: %s", engines[i], where);
		cr_assert_eq(fan_close(fanfare), 0);
		cr_assert_eq(count_keys(where, sizeof(where), false), 0, "%s, closed: %s", engines[i], where);
	}
}

/* The engine of a protector has no idle time: it is wiped when a UE goes. */
Test(worker_idle, a_protectors_keys_do_not_outlive_their_ues, .timeout = 60)
{
	static const char *const engines[] = { "lockstep-vaes512", "lockstep-vaes256", "lockstep-aesni", "ipsec-mb",
					       "reference" };
	static uint8_t packets[UES][128];
	static char where[600];
	const struct fan_layout layout = {
		.struct_bytes = sizeof(layout), .clear_bytes = 1, .text_bytes = 40, .message = (const uint8_t *)where
	};

	if (FAN_TEST_UNDER_ASAN) /* it guards what lies between variables, and keeps what was freed */
		cr_skip_test("AddressSanitizer lets nobody search memory");
	for (unsigned i = 0; i < sizeof(engines) / sizeof(engines[0]); i++) {
		struct fan_protector *protector;
		fan_context_id ids[UES];
		uint8_t *text[UES];

		if (fan_protector_open(&protector, engines[i], FAN_KIND_EPS_NAS, 2, 2, UES) != 0)
			continue;
		for (uint32_t j = 0; j < UES; j++) {
			struct fan_ue ue;

			text[j] = packets[j] + 32;
			make_ue(&ue, j);
			cr_assert_eq(fan_protector_add(protector, &ids[j], &ue), 0, "%s", fan_error_detail());
			explicit_bzero(&ue, sizeof(ue));
		}
		for (unsigned round = 0; round < 2; round++)
			cr_assert_eq(fan_protect(protector, text, NULL, NULL, &layout, ids, UES), UES);
		cr_assert_geq(count_keys(where, sizeof(where), false), 2 * UES);
		for (unsigned j = 0; j < UES; j++) {
			uint32_t next;
			uint16_t unacknowledged;

			cr_assert_eq(fan_protector_remove(protector, &next, &unacknowledged, ids[j]), 0);
		}
		cr_assert_eq(count_keys(where, sizeof(where), false), 0, "%s: %s", engines[i], where);
		fan_protector_close(protector);
	}
}
