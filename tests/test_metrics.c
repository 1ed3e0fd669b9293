/* SPDX-License-Identifier: BSD-3-Clause */
/* What an appliance counts for those who watch it: it agrees with what messages report, and looking changes nothing. */
#include "appliance_fixture.h"
#include "store_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define GROUP "all@example.org"

static struct fan_metrics
read_metrics(const struct fanfare *fanfare)
{
	struct fan_metrics metrics;

	fan_metrics_read(fanfare, &metrics);
	return metrics;
}

/* All workers together. */
static struct fan_worker_metrics
read_workers(const struct fanfare *fanfare, unsigned *worker_count)
{
	struct fan_worker_metrics sum = { .created = 0 }, worker;

	for (*worker_count = 0; fan_worker_metrics_read(fanfare, &worker, *worker_count); ++*worker_count) {
		cr_assert(worker.all_ns > 0 && worker.busy_ns <= worker.all_ns);
		sum.created += worker.created;
		sum.sent += worker.sent;
		sum.dropped += worker.dropped;
		sum.bytes_out += worker.bytes_out;
		sum.busy_ns += worker.busy_ns;
		for (unsigned i = 0; i < FAN_DROPS_MAX; i++)
			sum.dropped_for[i] += worker.dropped_for[i];
		for (unsigned i = 0; i < FAN_ENGINE_SHARES_MAX; i++) {
			sum.engine_pdus[i] += worker.engine_pdus[i];
			sum.engine_cycles[i] += worker.engine_cycles[i];
		}
	}
	return sum;
}

/* Waits for a census that began after this call. */
static struct fan_census_counts
take_census(struct fanfare *fanfare)
{
	const double from_s = fan_test_now_s();
	struct fan_metrics metrics;
	double began_s;

	do {
		usleep(1000);
		cr_assert(fan_poll(fanfare) >= 0);
		metrics = read_metrics(fanfare);
		cr_assert_lt(fan_test_now_s(), from_s + 30);
		began_s = fan_test_now_s() - (double)(metrics.census_age_ms + metrics.census_took_ms) / 1000;
	} while (metrics.census_age_ms < 0 || began_s < from_s + 0.005);
	return metrics.census;
}

Test(metrics, workers_agree_with_what_messages_report, .timeout = 60)
{
	const unsigned ues = 3000;
	const struct fan_options options = { .struct_bytes = sizeof(struct fan_options),
					     .workers = 2,
					     .engines = "ipsec-mb,reference" };
	struct fan_test_side side;
	struct fan_test_appliance appliance;
	struct fan_worker_metrics workers, again;
	struct fan_message message;
	struct fan_group *group;
	unsigned worker_count;
	uint64_t by_hop = 0;

	fan_test_message(&message, "hello", 5);
	fan_test_side_open(&side, ues);
	fan_test_appliance_open(&appliance, &side, &options);
	/* Next hops come in runs of many lengths. */
	for (unsigned i = 0; i < ues; i++) {
		struct fan_test_subscriber *subscriber = fan_test_subscribe(&side, FAN_KIND_NR_PDCP_18, 2, 2);

		subscriber->ue.next_hop = (uint16_t)((i / 300 % 2 == 0 ? i / 11 : i) % FAN_TEST_HOPS);
		fan_test_provision(&appliance, subscriber);
	}
	group = fan_test_group(&appliance, GROUP, 0, ues, FAN_PROFILE_NR_PDCP_18);
	for (unsigned i = 0; i < 7; i++)
		cr_assert_eq(fan_ue_reachable(appliance.fanfare, side.subscribers[100 * i].id, false), 0);
	fan_test_send(&appliance, group, &message);
	cr_assert_eq(appliance.result.sent, ues - 7);

	workers = read_workers(appliance.fanfare, &worker_count);
	cr_assert_eq(worker_count, 2);
	cr_assert(workers.created == ues && workers.sent == ues - 7 && workers.dropped == 7);
	cr_assert_eq(workers.dropped_for[FAN_DROP_UNREACHABLE], 7);
	for (unsigned i = 0; i < FAN_DROPS_MAX; i++)
		cr_assert(i == FAN_DROP_UNREACHABLE || workers.dropped_for[i] == 0);
	cr_assert_eq(workers.bytes_out, appliance.result.bytes_out);
	cr_assert_eq(workers.engine_pdus[0], ues - 7);
	cr_assert(workers.engine_cycles[0] > 0 && workers.engine_cycles[1] == 0);
	cr_assert_gt(workers.busy_ns, 0);
	for (unsigned i = 0; i < FAN_TEST_HOPS; i++) {
		cr_assert_gt(fan_next_hop_sent(appliance.fanfare, i), 0);
		by_hop += fan_next_hop_sent(appliance.fanfare, i);
	}
	cr_assert_eq(by_hop, ues - 7);
	cr_assert_eq(fan_next_hop_sent(appliance.fanfare, FAN_TEST_HOPS), 0);
	/* Looking has changed nothing. */
	again = read_workers(appliance.fanfare, &worker_count);
	cr_assert(again.created == workers.created && again.dropped == workers.dropped &&
		  again.engine_cycles[0] == workers.engine_cycles[0] && again.busy_ns == workers.busy_ns);
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

Test(metrics, a_port_that_takes_nothing_is_what_workers_wait_for, .timeout = 60)
{
	const unsigned ues = 20000; /* more than the ring of net_ring holds */
	struct fan_test_side side;
	struct fan_test_appliance appliance;
	struct fan_worker_metrics worker;
	struct fan_message message;
	struct fan_group *group;
	fan_message_id id, ids[2];

	fan_test_message(&message, "hello", 5);
	fan_test_side_open(&side, ues);
	fan_test_appliance_open(&appliance, &side, NULL);
	for (unsigned i = 0; i < ues; i++)
		fan_test_provision(&appliance, fan_test_subscribe(&side, FAN_KIND_NR_PDCP_18, 2, 2));
	group = fan_test_group(&appliance, GROUP, 0, ues, FAN_PROFILE_NR_PDCP_18);
	cr_assert_eq(fan_send(appliance.fanfare, &id, group, &message, fan_test_done, &appliance), 0);
	for (unsigned i = 0; i < 1000; i++) {
		usleep(1000);
		cr_assert(fan_worker_metrics_read(appliance.fanfare, &worker, 0));
		if (worker.waited_ns[FAN_WAIT_PORT] > 0)
			break;
	}
	cr_assert_gt(worker.waited_ns[FAN_WAIT_PORT], 0);
	cr_assert_eq(worker.waits_for, FAN_WAIT_PORT);
	cr_assert_eq(worker.waited_ns[FAN_WAIT_ENGINE], 0);
	usleep(20000);
	cr_assert_eq(fan_messages_in_flight(appliance.fanfare, ids, 2), 1);
	cr_assert_eq(ids[0], id);
	cr_assert(read_metrics(appliance.fanfare).oldest_ms >= 20 && read_metrics(appliance.fanfare).oldest_ms < 60000);
	fan_test_run(&appliance, 0);
	cr_assert_eq(read_metrics(appliance.fanfare).oldest_ms, 0);
	cr_assert_eq(read_metrics(appliance.fanfare).ended[FAN_MESSAGE_SENT], 1);
	cr_assert_eq(fan_messages_in_flight(appliance.fanfare, ids, 2), 0);
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

Test(metrics, messages_are_counted_by_how_they_ended, .timeout = 60)
{
	const unsigned ues = 20000;
	struct fan_test_side side;
	struct fan_test_appliance appliance;
	struct fan_message message;
	struct fan_metrics metrics;
	struct fan_group *group;
	fan_message_id id;

	fan_test_message(&message, "hello", 5);
	fan_test_side_open(&side, ues);
	fan_test_appliance_open(&appliance, &side, NULL);
	for (unsigned i = 0; i < ues; i++)
		fan_test_provision(&appliance, fan_test_subscribe(&side, FAN_KIND_NR_PDCP_18, 2, 2));
	group = fan_test_group(&appliance, GROUP, 0, ues, FAN_PROFILE_NR_PDCP_18);
	fan_test_send(&appliance, group, &message);
	cr_assert_eq(fan_send(appliance.fanfare, &id, group, &message, fan_test_done, &appliance), 0);
	cr_assert_eq(fan_message_cancel(appliance.fanfare, id), 0);
	fan_test_run(&appliance, 0);
	message.valid_for_ms = 1;
	cr_assert_eq(fan_send(appliance.fanfare, &id, group, &message, fan_test_done, &appliance), 0);
	usleep(20000);
	fan_test_run(&appliance, 0);
	metrics = read_metrics(appliance.fanfare);
	cr_assert(metrics.ended[FAN_MESSAGE_SENT] == 1 && metrics.ended[FAN_MESSAGE_CANCELLED] == 1 &&
		  metrics.ended[FAN_MESSAGE_EXPIRED] == 1);
	cr_assert_eq(metrics.accepted, 3);
	cr_assert(metrics.contexts == ues && metrics.groups == 1 && metrics.next_hops == FAN_TEST_HOPS);
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

Test(metrics, the_census_finds_who_has_little_left, .timeout = 60)
{
	static const struct {
		enum fan_kind kind;
		uint16_t unacknowledged;
		uint32_t left; /* COUNTs of the lease */
		unsigned ues;
	} rows[] = {
		{ FAN_KIND_EPS_NAS, 0, 1000, 100 },       { FAN_KIND_EPS_NAS, 149, 1000, 1 },
		{ FAN_KIND_EPS_NAS, 150, 1000, 2 },       { FAN_KIND_EPS_NAS, 199, 1000, 4 },
		{ FAN_KIND_EPS_NAS, 200, 1000, 8 },       { FAN_KIND_EPS_NAS, 0, 256, 16 },
		{ FAN_KIND_EPS_NAS, 0, 255, 32 },         { FAN_KIND_EPS_NAS, 0, 0, 64 },
		{ FAN_KIND_NR_PDCP_12, 1199, 1000, 128 }, { FAN_KIND_NR_PDCP_12, 1200, 1000, 256 },
		{ FAN_KIND_NR_PDCP_12, 1600, 1000, 512 },
	};
	struct fan_test_side side;
	struct fan_test_appliance appliance;
	struct fan_census_counts counts;
	unsigned ues = 0;

	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++)
		ues += rows[row].ues;
	fan_test_side_open(&side, ues);
	fan_test_appliance_open(&appliance, &side, NULL);
	cr_assert_eq(take_census(appliance.fanfare).contexts, 0);
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		for (unsigned i = 0; i < rows[row].ues; i++) {
			struct fan_test_subscriber *subscriber = fan_test_subscribe(&side, rows[row].kind, 2, 2);

			subscriber->ue.count = 5000;
			subscriber->ue.unacknowledged = rows[row].unacknowledged;
			subscriber->ue.count_reserved = 5000 + rows[row].left;
			fan_test_provision(&appliance, subscriber);
		}
	}
	cr_assert_eq(fan_ue_reachable(appliance.fanfare, side.subscribers[3].id, false), 0);
	counts = take_census(appliance.fanfare);
	cr_assert_eq(counts.contexts, ues);
	cr_assert_eq(counts.window_three_quarters, 2 + 4 + 8 + 256 + 512);
	cr_assert_eq(counts.window_full, 8 + 512);
	cr_assert_eq(counts.lease_low, 32 + 64);
	cr_assert_eq(counts.lease_used, 64);
	cr_assert_eq(counts.unreachable, 1);
	/* Proof of reception empties a window, and the next walk sees it. */
	for (unsigned i = 0; i < ues; i++)
		if (side.subscribers[i].ue.unacknowledged > 0)
			cr_assert_eq(fan_ue_acknowledged(appliance.fanfare, side.subscribers[i].id, 4999), 0);
	counts = take_census(appliance.fanfare);
	cr_assert(counts.contexts == ues && counts.window_three_quarters == 0 && counts.window_full == 0);
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

/* A step is 32,768 slots: this takes several. */
Test(metrics, a_census_takes_several_steps_and_counts_each_context_once, .timeout = 60)
{
	const unsigned ues = 80000;
	struct fan_test_side side;
	struct fan_test_appliance appliance;

	fan_test_side_open(&side, ues);
	fan_test_appliance_open(&appliance, &side, NULL);
	for (unsigned i = 0; i < ues; i++)
		fan_test_provision(&appliance,
				   fan_test_subscribe(&side, i < ues / 2 ? FAN_KIND_EPS_NAS : FAN_KIND_NR_PDCP_18, 2, 2));
	cr_assert_eq(take_census(appliance.fanfare).contexts, ues);
	cr_assert_gt(read_metrics(appliance.fanfare).census_took_ms, 0);
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

Test(metrics, writes_of_the_store_are_timed, .init = fan_test_store_set_up, .fini = fan_test_store_tear_down, .timeout = 60)
{
	const struct fan_options options = fan_test_store_options();
	struct fan_metrics before, after;
	struct fan_group *group;
	struct fanfare *fanfare;
	uint64_t within = 0;

	cr_assert_eq(fan_open(&fanfare, &options), 0, "%s", fan_error_detail());
	before = read_metrics(fanfare);
	cr_assert_eq(fan_group_create(fanfare, &group, GROUP), 0);
	after = read_metrics(fanfare);
	cr_assert_eq(after.commits.count, before.commits.count + 1);
	cr_assert(after.commits.sum_ns > before.commits.sum_ns && after.commits.max_ns > 0);
	cr_assert_eq(after.commits.failed, 0);
	for (unsigned i = 0; i < FAN_STORE_LATENCIES; i++)
		within += after.commits.within[i];
	cr_assert_leq(within, after.commits.count);
	fan_test_disk_fail(1, 1000, EIO);
	cr_assert_lt(fan_group_create(fanfare, &group, "other@example.org"), 0);
	fan_test_disk_fail(1, 0, 0);
	after = read_metrics(fanfare);
	cr_assert_eq(after.commits.failed, 1);
	cr_assert_eq(after.commits.count, before.commits.count + 2);
	(void)fan_close(fanfare);
}
