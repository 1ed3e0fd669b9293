/* SPDX-License-Identifier: BSD-3-Clause */
#include "../dataplane/context/table.h"
#include "../dataplane/members.h"
#include "batch.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNDER_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define UNDER_SANITIZER 1
#endif
#endif
#ifndef UNDER_SANITIZER
#define UNDER_SANITIZER 0
#endif

static struct fan_test_random random_state;

static uint32_t
random_below(uint32_t limit)
{
	return fan_test_random_below(&random_state, limit);
}

static double
now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* ---- Members against a model ------------------------------------------------------------------------------------------- */

enum {
	TABLES = 3,
	MODEL_SLOTS = 200000, /* crosses three containers */
	ABSENT = 0xff,
};

/* Profile of each slot of each table, ABSENT when not a member. */
static uint8_t model[TABLES][MODEL_SLOTS];
static const uint16_t table_names[TABLES] = { 0, 7, UINT16_MAX };

static void
compare_with_model(const struct fan_members *members)
{
	uint64_t expected = 0, seen = 0;

	for (unsigned t = 0; t < TABLES; t++)
		for (unsigned slot = 0; slot < MODEL_SLOTS; slot++)
			expected += model[t][slot] != ABSENT;
	for (unsigned i = 0; i < members->set_count; i++) {
		const struct fan_member_set *set = &members->sets[i];
		unsigned t = set->table == table_names[0] ? 0 : set->table == table_names[1] ? 1 : 2;
		struct fan_member_cursor cursor;
		uint32_t slots[100];
		unsigned slot_count;

		cr_assert(!roaring_bitmap_is_empty(set->slots), "an empty set is kept");
		for (unsigned j = 0; j < i; j++)
			cr_assert(members->sets[j].table != set->table || members->sets[j].profile != set->profile);
		fan_member_cursor_init(&cursor, set->slots, 0, 1);
		while ((slot_count = fan_member_cursor_next_burst(&cursor, slots, 100)) > 0) {
			for (unsigned j = 0; j < slot_count; j++)
				cr_assert(slots[j] < MODEL_SLOTS && model[t][slots[j]] == set->profile, "slot %u", slots[j]);
			seen += slot_count;
		}
	}
	/* Each seen one agrees with the model and no set names one twice: equal totals make equal sets. */
	cr_assert_eq(seen, expected, "%" PRIu64 " members, the model has %" PRIu64, seen, expected);
	cr_assert_eq(fan_members_count(members), expected);
}

static void
random_change(struct fan_members *members)
{
	unsigned t = random_below(TABLES), kind = random_below(10);
	uint32_t first = random_below(MODEL_SLOTS);
	uint8_t profile = (uint8_t)random_below(FAN_PROFILE_COUNT);
	uint64_t count;

	if (kind < 3) {
		bool was = model[t][first] != ABSENT;

		cr_assert_eq(fan_members_remove(members, table_names[t], first), was ? 0 : FAN_E_NOT_FOUND);
		model[t][first] = ABSENT;
		return;
	}
	count = kind < 6 ? 1 : kind < 9 ? random_below(5000) : random_below(MODEL_SLOTS);
	if (count > MODEL_SLOTS - first)
		count = MODEL_SLOTS - first;
	cr_assert_eq(fan_members_add_range(members, table_names[t], (enum fan_profile)profile, first, count), 0);
	memset(&model[t][first], profile, count);
}

Test(members, random_changes_match_a_model)
{
	struct fan_members members = { 0 };

	random_state = fan_test_random_from_environment();
	memset(model, ABSENT, sizeof(model));
	compare_with_model(&members);
	for (unsigned i = 0; i < 3000; i++) {
		random_change(&members);
		if (i % 50 == 0)
			compare_with_model(&members);
	}
	compare_with_model(&members);
	/* Taking all out, one by one, leaves nothing behind. */
	for (unsigned t = 0; t < TABLES; t++)
		for (uint32_t slot = 0; slot < MODEL_SLOTS; slot++)
			cr_assert_eq(fan_members_remove(&members, table_names[t], slot),
				     model[t][slot] != ABSENT ? 0 : FAN_E_NOT_FOUND);
	cr_assert_eq(fan_members_count(&members), 0);
	cr_assert_eq(members.set_count, 0);
	cr_assert_null(members.sets);
	fan_members_free(&members);
	fan_members_free(&members);
}

/* Members in windows, as records keep them: read, and put back elsewhere. */
Test(members, windows_are_read_and_restored)
{
	struct fan_members members = { 0 }, copy = { 0 };
	roaring_bitmap_t *others = roaring_bitmap_create();
	uint8_t bitmap[8];
	uint32_t slot = 0;

	cr_assert_not(fan_members_next(&members, &slot, 1, FAN_PROFILE_EPS_NAS_SMS));
	fan_members_read(&members, bitmap, 1, FAN_PROFILE_EPS_NAS_SMS, 0, 64);
	cr_assert(memcmp(bitmap, (uint8_t[8]){ 0 }, 8) == 0 && !fan_members_has(&members, 1, 70));
	cr_assert_eq(fan_members_add_many(&members, 1, FAN_PROFILE_EPS_NAS_SMS, NULL, 0), 0);
	cr_assert_eq(members.set_count, 0);
	cr_assert_eq(fan_members_add_range(&members, 1, FAN_PROFILE_EPS_NAS_SMS, 70, 60), 0);
	cr_assert_eq(fan_members_add_range(&members, 1, FAN_PROFILE_EPS_NAS_NIDD, 80, 1), 0);
	cr_assert(fan_members_has(&members, 1, 80) && !fan_members_has(&members, 2, 80) && !fan_members_has(&members, 1, 69));
	for (uint32_t first = 0; first < 192; first += 64) {
		uint32_t slots[64];
		size_t count = 0;

		fan_members_read(&members, bitmap, 1, FAN_PROFILE_EPS_NAS_SMS, first, 64);
		for (unsigned i = 0; i < 64; i++)
			if ((bitmap[i >> 3] & 1U << (i & 7)) != 0)
				slots[count++] = first + i;
		cr_assert_eq(fan_members_add_many(&copy, 3, FAN_PROFILE_EPS_NAS_SMS, slots, count), 0);
	}
	cr_assert_eq(fan_members_count(&copy), 59);
	for (unsigned i = 0; fan_members_next(&copy, &slot, 3, FAN_PROFILE_EPS_NAS_SMS); i++, slot++)
		cr_assert_eq(slot, i < 10 ? 70 + i : 71 + i);
	cr_assert_eq(slot, 130);
	roaring_bitmap_add_range(others, 120, 140);
	roaring_bitmap_add(others, 80);
	slot = 0;
	cr_assert(fan_members_next_of(&copy, &slot, 3, FAN_PROFILE_EPS_NAS_SMS, others) && slot == 120);
	slot = 130;
	cr_assert_not(fan_members_next_of(&copy, &slot, 3, FAN_PROFILE_EPS_NAS_SMS, others));
	cr_assert_not(fan_members_next_of(&copy, &slot, 3, FAN_PROFILE_EPS_NAS_NIDD, others));
	roaring_bitmap_free(others);
	fan_members_free(&members);
	fan_members_free(&copy);
}

Test(members, a_slot_moves_between_profiles_of_its_table_only)
{
	struct fan_members members = { 0 };

	cr_assert_eq(fan_members_add_range(&members, 1, FAN_PROFILE_EPS_NAS_NIDD, 10, 5), 0);
	cr_assert_eq(fan_members_add_range(&members, 2, FAN_PROFILE_5GS_NAS_SMS, 10, 5), 0);
	cr_assert_eq(fan_members_count(&members), 10);
	cr_assert_eq(fan_members_add_range(&members, 1, FAN_PROFILE_EPS_NAS_SMS, 12, 1), 0);
	cr_assert_eq(fan_members_count(&members), 10);
	cr_assert_eq(members.set_count, 3);
	cr_assert_eq(fan_members_add_range(&members, 1, FAN_PROFILE_EPS_NAS_SMS, 0, 100), 0);
	cr_assert_eq(fan_members_count(&members), 105);
	cr_assert_eq(members.set_count, 2, "the emptied set is dropped");
	cr_assert_eq(fan_members_remove(&members, 1, 99), 0);
	cr_assert_eq(fan_members_remove(&members, 1, 99), FAN_E_NOT_FOUND);
	cr_assert_eq(fan_members_remove(&members, 3, 10), FAN_E_NOT_FOUND);
	cr_assert_eq(fan_members_count(&members), 104);
	fan_members_free(&members);
}

Test(members, ranges_at_their_limits)
{
	struct fan_members members = { 0 };

	cr_assert_eq(fan_members_add_range(&members, 0, FAN_PROFILE_EPS_NAS_SMS, 5, 0), 0);
	cr_assert_eq(members.set_count, 0, "no members, no set");
	cr_assert_eq(fan_members_add_range(&members, 0, FAN_PROFILE_EPS_NAS_SMS, UINT32_MAX, 1), 0);
	cr_assert_eq(fan_members_add_range(&members, 0, FAN_PROFILE_EPS_NAS_SMS, UINT32_MAX, 2), FAN_E_INVALID);
	cr_assert_eq(fan_members_add_range(&members, 0, FAN_PROFILE_EPS_NAS_SMS, 1, UINT64_C(1) << 32), FAN_E_INVALID);
	cr_assert_eq(fan_members_add_range(&members, 0, FAN_PROFILE_EPS_NAS_SMS, 0, UINT64_MAX), FAN_E_INVALID);
	cr_assert_not_null(strstr(fan_error_detail(), "4294967295"));
	cr_assert_eq(fan_members_add_range(&members, 0, FAN_PROFILE_COUNT, 0, 1), FAN_E_INVALID);
	cr_assert_eq(fan_members_add_range(&members, 0, (enum fan_profile) - 1, 0, 1), FAN_E_INVALID);
	cr_assert_eq(fan_members_count(&members), 1);
	cr_assert_eq(fan_members_add_range(&members, 0, FAN_PROFILE_EPS_NAS_SMS, 0, UINT64_C(1) << 32), 0);
	cr_assert_eq(fan_members_count(&members), UINT64_C(1) << 32);
	cr_assert_eq(fan_members_add_range(&members, 0, FAN_PROFILE_EPS_NAS_NIDD, UINT32_MAX - 1, 2), 0);
	cr_assert_eq(fan_members_count(&members), UINT64_C(1) << 32);
	fan_members_free(&members);
}

/* ---- Ten million ------------------------------------------------------------------------------------------------------- */

static size_t
memory_bytes(const struct fan_members *members)
{
	size_t bytes = members->set_count * sizeof(*members->sets);

	for (unsigned i = 0; i < members->set_count; i++) {
		const roaring_array_t *containers = &members->sets[i].slots->high_low_container;
		roaring_statistics_t statistics;

		roaring_bitmap_statistics(members->sets[i].slots, &statistics);
		bytes += sizeof(roaring_bitmap_t) + (size_t)containers->allocation_size * (sizeof(void *) + 2 + 1);
		bytes += statistics.n_bytes_array_containers + statistics.n_bytes_run_containers +
			 statistics.n_bytes_bitset_containers;
	}
	return bytes;
}

Test(members, ten_million_by_range)
{
	struct fan_members members = { 0 };
	double begin_s = now_s(), elapsed_s;

	for (uint32_t i = 0; i < 100; i++)
		cr_assert_eq(fan_members_add_range(&members, 3, FAN_PROFILE_5GS_NAS_CIOT, i * 100000, 100000), 0);
	elapsed_s = now_s() - begin_s;
	cr_assert_eq(fan_members_count(&members), 10000000);
	printf("10 M members by 100 ranges: %.2f ms, %zu octets\n", elapsed_s * 1e3, memory_bytes(&members));
	cr_expect_lt(memory_bytes(&members), 64 * 1024);
	cr_expect_lt(elapsed_s, 1.0);
	fan_members_free(&members);
}

Test(members, ten_million_one_by_one)
{
	/* Stripes in an order far from rising: 7919 is prime to their number. */
	const uint32_t stripes = UNDER_SANITIZER ? 977 : 9766;
	struct fan_members members = { 0 }, snapshot;
	double begin_s = now_s(), elapsed_s;

	if (getenv("QEMU_LD_PREFIX") != NULL)
		cr_skip_test("this takes too long in emulation");
	cr_assert_eq(fan_members_add_range(&members, 3, FAN_PROFILE_5GS_NAS_SMS, 0, 1000), 0);
	for (uint32_t i = 0; i < stripes; i++) {
		uint32_t first = (uint32_t)((uint64_t)i * 7919 % stripes) * FAN_CONTEXT_STRIPE;

		for (uint32_t slot = first; slot < first + FAN_CONTEXT_STRIPE; slot++)
			cr_assert_eq(fan_members_add_range(&members, 3, FAN_PROFILE_5GS_NAS_CIOT, slot, 1), 0);
	}
	elapsed_s = now_s() - begin_s;
	cr_assert_eq(fan_members_count(&members), (uint64_t)stripes * FAN_CONTEXT_STRIPE);
	printf("%u members one by one: %.0f ms, %zu octets\n", stripes * FAN_CONTEXT_STRIPE, elapsed_s * 1e3,
	       memory_bytes(&members));
	cr_expect_lt(memory_bytes(&members), 2 * 1024 * 1024);
	cr_expect_lt(elapsed_s, 30.0);
	begin_s = now_s();
	cr_assert_eq(fan_members_snapshot(&snapshot, &members), 0);
	printf("snapshot: %.2f ms, %zu octets\n", (now_s() - begin_s) * 1e3, memory_bytes(&snapshot));
	cr_expect_lt(memory_bytes(&snapshot), 64 * 1024);
	fan_members_free(&snapshot);
	fan_members_free(&members);
}

/* ---- Cursors ----------------------------------------------------------------------------------------------------------- */

static void
add_every(roaring_bitmap_t *slots, uint64_t first, uint64_t last, uint64_t step)
{
	for (uint64_t slot = first; slot <= last; slot += step)
		roaring_bitmap_add(slots, (uint32_t)slot);
}

static void
add_random(roaring_bitmap_t *slots, uint32_t limit, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		roaring_bitmap_add(slots, random_below(limit));
}

/* The slots on both sides of each boundary of stripe and container near a few places. */
static void
add_boundaries(roaring_bitmap_t *slots)
{
	static const uint32_t places[] = {
		0, 1024, 2048, 64 * 1024, 65 * 1024, 128 * 1024, 1U << 31, UINT32_MAX - 65535, UINT32_MAX - 1023
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		roaring_bitmap_add(slots, places[i]);
		roaring_bitmap_add(slots, places[i] + 1);
		if (places[i] > 0)
			roaring_bitmap_add(slots, places[i] - 1);
	}
	roaring_bitmap_add(slots, UINT32_MAX);
}

static void
fill_shape(roaring_bitmap_t *slots, unsigned shape)
{
	switch (shape) {
	case 0:
		break;
	case 1:
		roaring_bitmap_add(slots, 0);
		break;
	case 2:
		roaring_bitmap_add(slots, UINT32_MAX);
		break;
	case 3:
		roaring_bitmap_add_range_closed(slots, 0, 300000);
		break;
	case 4:
		roaring_bitmap_add_range_closed(slots, UINT32_MAX - 200000, UINT32_MAX);
		break;
	case 5:
		add_every(slots, 0, 400000, 3);
		break;
	case 6:
		add_random(slots, UINT32_MAX, 20000);
		break;
	case 7:
		add_random(slots, 3000000, 100000);
		break;
	case 8:
		for (uint32_t i = 0; i < 400; i++) {
			uint32_t first = random_below(20000000);

			roaring_bitmap_add_range_closed(slots, first, first + random_below(5000));
		}
		roaring_bitmap_run_optimize(slots);
		break;
	case 9:
		add_boundaries(slots);
		break;
	case 10:
		add_boundaries(slots);
		roaring_bitmap_run_optimize(slots);
		break;
	case 11:
		add_every(slots, 1023, 2000000, 1024);
		break;
	case 12:
		add_every(slots, UINT32_MAX - 500000, UINT32_MAX, 1);
		break;
	default:
		add_every(slots, 2047, 3000000, 65536);
		roaring_bitmap_add_range_closed(slots, 5 * 65536, 5 * 65536 + 65535);
		add_every(slots, 7 * 65536, 8 * 65536, 2);
		break;
	}
}

enum { SHAPES = 14 };

/* Walks one worker's share with bursts of burst_max and checks order, ownership and membership. Returns how many. */
static uint64_t
walk_share(roaring_bitmap_t *seen, const roaring_bitmap_t *slots, unsigned worker, unsigned workers, unsigned burst_max)
{
	struct fan_member_cursor cursor;
	uint32_t burst[256];
	uint64_t total = 0;
	int64_t previous = -1;
	unsigned count;

	fan_member_cursor_init(&cursor, slots, worker, workers);
	do {
		count = fan_member_cursor_next_burst(&cursor, burst, burst_max);
		cr_assert_leq(count, burst_max);
		for (unsigned i = 0; i < count; i++) {
			cr_assert_gt((int64_t)burst[i], previous, "%u of %u: %u out of order", worker, workers, burst[i]);
			cr_assert_eq(burst[i] / FAN_CONTEXT_STRIPE % workers, worker);
			previous = burst[i];
		}
		roaring_bitmap_add_many(seen, count, burst);
		total += count;
	} while (count == burst_max);
	cr_assert_eq(fan_member_cursor_next_burst(&cursor, burst, burst_max), 0, "the end is final");
	return total;
}

Test(members, cursors_of_all_workers_see_each_member_once)
{
	static const unsigned bursts[] = { 1, 7, 64, 256 };

	random_state = fan_test_random_from_environment();
	for (unsigned shape = 0; shape < SHAPES; shape++) {
		roaring_bitmap_t *slots = roaring_bitmap_create();

		fill_shape(slots, shape);
		for (unsigned workers = 1; workers <= 8; workers++) {
			roaring_bitmap_t *seen = roaring_bitmap_create();
			uint64_t total = 0;

			for (unsigned worker = 0; worker < workers; worker++)
				total += walk_share(seen, slots, worker, workers, bursts[(shape + workers + worker) % 4]);
			cr_assert_eq(total, roaring_bitmap_get_cardinality(slots), "shape %u, %u workers", shape, workers);
			cr_assert(roaring_bitmap_equals(seen, slots), "shape %u, %u workers", shape, workers);
			roaring_bitmap_free(seen);
		}
		roaring_bitmap_free(slots);
	}
}

Test(members, cursors_of_64_workers_at_the_end_of_the_slots)
{
	roaring_bitmap_t *slots = roaring_bitmap_create(), *seen = roaring_bitmap_create();
	uint64_t total = 0;

	roaring_bitmap_add_range_closed(slots, UINT32_MAX - 70 * FAN_CONTEXT_STRIPE + 5, UINT32_MAX);
	for (unsigned worker = 0; worker < FAN_WORKERS_MAX; worker++)
		total += walk_share(seen, slots, worker, FAN_WORKERS_MAX, 64);
	cr_assert_eq(total, roaring_bitmap_get_cardinality(slots));
	cr_assert(roaring_bitmap_equals(seen, slots));
	roaring_bitmap_free(seen);
	roaring_bitmap_free(slots);
}

Test(members, cursor_cost)
{
	static const unsigned steps[] = { 1, 10, 1000 };

	for (unsigned i = 0; i < 3; i++) {
		roaring_bitmap_t *slots = roaring_bitmap_create();
		uint64_t total = 0;
		double begin_s;

		add_every(slots, 0, 9999999, steps[i]);
		roaring_bitmap_run_optimize(slots);
		begin_s = now_s();
		for (unsigned worker = 0; worker < 8; worker++) {
			struct fan_member_cursor cursor;
			uint32_t burst[FAN_BATCH_UES_MAX];
			unsigned count;

			fan_member_cursor_init(&cursor, slots, worker, 8);
			while ((count = fan_member_cursor_next_burst(&cursor, burst, FAN_BATCH_UES_MAX)) > 0)
				total += count;
		}
		cr_assert_eq(total, (9999999 + steps[i]) / steps[i]);
		printf("1 of %u slots, 8 workers: %.2f ns a member\n", steps[i], (now_s() - begin_s) / (double)total * 1e9);
		roaring_bitmap_free(slots);
	}
}

/* ---- Snapshots --------------------------------------------------------------------------------------------------------- */

static void
make_mixed(struct fan_members *members)
{
	*members = (struct fan_members){ 0 };
	cr_assert_eq(fan_members_add_range(members, 1, FAN_PROFILE_EPS_NAS_NIDD, 0, 500000), 0);
	for (uint32_t slot = 1; slot < 300000; slot += 2)
		cr_assert_eq(fan_members_add_range(members, 1, FAN_PROFILE_EPS_NAS_SMS, slot, 1), 0);
	for (uint32_t slot = 5; slot < 3000000; slot += 1000)
		cr_assert_eq(fan_members_add_range(members, 2, FAN_PROFILE_5GS_NAS_SMS, slot, 1), 0);
}

static bool
equal_members(const struct fan_members *a, const struct fan_members *b)
{
	if (a->set_count != b->set_count)
		return false;
	for (unsigned i = 0; i < a->set_count; i++) {
		if (a->sets[i].table != b->sets[i].table || a->sets[i].profile != b->sets[i].profile ||
		    !roaring_bitmap_equals(a->sets[i].slots, b->sets[i].slots))
			return false;
	}
	return true;
}

Test(members, snapshot_keeps_what_it_was_taken_of)
{
	struct fan_members members, before, snapshot;

	make_mixed(&members);
	make_mixed(&before);
	cr_assert_eq(fan_members_snapshot(&snapshot, &members), 0);
	cr_assert(equal_members(&snapshot, &before));
	for (unsigned i = 0; i < members.set_count; i++) {
		const roaring_array_t *a = &members.sets[i].slots->high_low_container;
		const roaring_array_t *b = &snapshot.sets[i].slots->high_low_container;

		for (int j = 0; j < a->size; j++)
			for (int k = 0; k < b->size; k++)
				cr_assert_neq(a->containers[j], b->containers[k], "a container is shared");
	}
	cr_assert_eq(fan_members_add_range(&members, 1, FAN_PROFILE_EPS_NAS_SMS, 0, 1000000), 0);
	cr_assert_eq(fan_members_add_range(&members, 9, FAN_PROFILE_EPS_NAS_SMS, 0, 1), 0);
	for (uint32_t slot = 0; slot < 3000000; slot++)
		fan_members_remove(&members, 2, slot);
	cr_assert(equal_members(&snapshot, &before));
	fan_members_free(&members);
	cr_assert(equal_members(&snapshot, &before));
	fan_members_free(&snapshot);
	fan_members_free(&before);
}

Test(members, snapshot_of_nothing)
{
	struct fan_members members = { 0 }, snapshot;

	memset(&snapshot, 0xff, sizeof(snapshot));
	cr_assert_eq(fan_members_snapshot(&snapshot, &members), 0);
	cr_assert_eq(snapshot.set_count, 0);
	cr_assert_eq(fan_members_count(&snapshot), 0);
	fan_members_free(&snapshot);
}

struct reader {
	const struct fan_members *snapshot;
	uint64_t expected_count, expected_sum;
	atomic_bool stop;
	uint64_t rounds;
	bool wrong;
};

static void
sum_members(uint64_t *count, uint64_t *sum, const struct fan_members *members)
{
	*count = *sum = 0;
	for (unsigned i = 0; i < members->set_count; i++) {
		for (unsigned worker = 0; worker < 2; worker++) {
			struct fan_member_cursor cursor;
			uint32_t burst[64];
			unsigned n;

			fan_member_cursor_init(&cursor, members->sets[i].slots, worker, 2);
			while ((n = fan_member_cursor_next_burst(&cursor, burst, 64)) > 0) {
				*count += n;
				for (unsigned j = 0; j < n; j++)
					*sum += burst[j];
			}
		}
	}
}

static void *
read_snapshot(void *argument)
{
	struct reader *reader = argument;
	uint64_t count, sum;

	do {
		sum_members(&count, &sum, reader->snapshot);
		reader->wrong = reader->wrong || count != reader->expected_count || sum != reader->expected_sum;
		reader->rounds++;
	} while (!atomic_load(&reader->stop));
	return NULL;
}

Test(members, a_thread_reads_a_snapshot_while_the_group_changes)
{
	struct fan_members members, snapshot;
	struct reader reader = { .snapshot = &snapshot };
	pthread_t thread;
	double begin_s;

	random_state = fan_test_random_from_environment();
	make_mixed(&members);
	cr_assert_eq(fan_members_snapshot(&snapshot, &members), 0);
	sum_members(&reader.expected_count, &reader.expected_sum, &snapshot);
	cr_assert_eq(reader.expected_count, fan_members_count(&members));
	cr_assert_eq(pthread_create(&thread, NULL, read_snapshot, &reader), 0);
	for (begin_s = now_s(); now_s() - begin_s < 0.5;) {
		for (unsigned i = 0; i < 100; i++) {
			uint16_t table = (uint16_t)(1 + random_below(2));
			uint32_t slot = random_below(3000000);
			enum fan_profile profile = (enum fan_profile)random_below(FAN_PROFILE_COUNT);

			fan_members_remove(&members, table, slot);
			cr_assert_eq(fan_members_add_range(&members, table, profile, slot, 1 + random_below(3000)), 0);
		}
	}
	atomic_store(&reader.stop, true);
	pthread_join(thread, NULL);
	printf("%" PRIu64 " rounds read\n", reader.rounds);
	cr_expect_gt(reader.rounds, 0);
	cr_expect(!reader.wrong);
	fan_members_free(&snapshot);
	fan_members_free(&members);
}

/* ---- Memory short ------------------------------------------------------------------------------------------------------ */

static size_t
address_space_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long pages = 0;

	cr_assert_not_null(file);
	cr_assert_eq(fscanf(file, "%lu", &pages), 1);
	fclose(file);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* A sanitizer's allocator maps far ahead of need, so a limit on the address space says nothing there. */
Test(members, short_memory_is_reported_with_nothing_changed, .disabled = UNDER_SANITIZER)
{
	struct fan_members members = { 0 }, snapshot;
	struct rlimit limit;
	uint64_t count;

	if (getenv("QEMU_LD_PREFIX") != NULL)
		cr_skip_test("QEMU's emulation does not limit the address space");
	cr_assert_eq(fan_members_add_range(&members, 0, FAN_PROFILE_EPS_NAS_SMS, 0, 1), 0);
	/* 1,000 bitmap containers: 8 MB, which do not shrink to runs. */
	for (uint32_t block = 0; block < 1000; block++)
		for (uint32_t slot = 0; slot < 8400; slot += 2)
			roaring_bitmap_add(members.sets[0].slots, block * 65536 + slot);
	count = fan_members_count(&members);
	cr_assert_eq(getrlimit(RLIMIT_AS, &limit), 0);
	limit.rlim_cur = address_space_bytes() + 1024 * 1024;
	cr_assert_eq(setrlimit(RLIMIT_AS, &limit), 0);
	cr_assert_eq(fan_members_add_range(&members, 0, FAN_PROFILE_EPS_NAS_SMS, 0, UINT64_C(1) << 32), FAN_E_MEMORY);
	cr_assert_eq(fan_members_add_range(&members, 1, FAN_PROFILE_EPS_NAS_SMS, 0, UINT64_C(1) << 32), FAN_E_MEMORY);
	cr_assert_eq(fan_members_snapshot(&snapshot, &members), FAN_E_MEMORY);
	cr_assert_eq(snapshot.set_count, 0);
	cr_assert_null(snapshot.sets);
	cr_assert_eq(fan_members_count(&members), count);
	cr_assert_eq(members.set_count, 1);
	cr_assert_eq(fan_members_add_range(&members, 0, FAN_PROFILE_EPS_NAS_SMS, 1, 1), 0);
	fan_members_free(&members);
}
