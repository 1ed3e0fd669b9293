/* SPDX-License-Identifier: BSD-3-Clause */
/* The order of engines by speed, with engines whose speed is known, and that a message goes by it. */
#include "../dataplane/engine/calibration.h"

#include "../dataplane/dataplane.h"
#include "appliance_fixture.h"

#include <criterion/criterion.h>
#include <rte_cycles.h>
#include <string.h>

#define CYCLES_APART 400000 /* some 0.1 ms: more than an interruption moves the least of several rounds */

struct paced {
	struct fan_engine engine;
	struct fan_finished finished;
	unsigned pace; /* times CYCLES_APART a batch */
	bool refuses, fails;
};

static bool
takes(const struct fan_engine *engine, const struct fan_shape *shape)
{
	(void)shape;
	return !((const struct paced *)engine)->refuses;
}

static uint16_t
submit(struct fan_engine *engine, struct fan_batch *const *batches, uint16_t batch_count)
{
	struct paced *paced = (struct paced *)engine;
	const uint64_t end = rte_rdtsc() + (uint64_t)paced->pace * CYCLES_APART;

	cr_assert_not(paced->refuses, "an engine that does not take a shape was asked to serve it");
	while (rte_rdtsc() < end)
		;
	for (uint16_t i = 0; i < batch_count; i++) {
		batches[i]->status = paced->fails ? FAN_BATCH_UNTOUCHED : FAN_BATCH_DONE;
		fan_finished_put(&paced->finished, batches[i]);
	}
	return batch_count;
}

static uint16_t
poll(struct fan_engine *engine, struct fan_batch **batches, uint16_t batch_max)
{
	return fan_finished_take_burst(&((struct paced *)engine)->finished, batches, batch_max);
}

static const struct fan_engine_ops paced_ops = { .name = "paced", .takes = takes, .submit_burst = submit, .poll_burst = poll };

Test(calibration, puts_the_fastest_first_and_those_that_serve_nothing_last, .timeout = 60)
{
	static const struct {
		struct paced engine[4];
		uint8_t order[4];
	} rows[] = {
		{ { { .pace = 1 }, { .pace = 2 }, { .pace = 3 }, { .pace = 4 } }, { 0, 1, 2, 3 } },
		{ { { .pace = 4 }, { .pace = 3 }, { .pace = 2 }, { .pace = 1 } }, { 3, 2, 1, 0 } },
		{ { { .pace = 3 }, { .pace = 1 }, { .pace = 4 }, { .pace = 2 } }, { 1, 3, 0, 2 } },
		{ { { .refuses = true }, { .pace = 2 }, { .fails = true }, { .pace = 1 } }, { 3, 1, 0, 2 } },
	};
	const struct fan_shape shape = { .cipher = 2, .integrity = 2, .text_bytes = 40 };

	for (unsigned row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		struct paced paced[4];
		struct fan_engine *engines[4];
		struct fan_calibration *calibration;
		uint8_t preference[FAN_ENGINES_MAX] = { 0 };

		memcpy(paced, rows[row].engine, sizeof(paced));
		for (unsigned i = 0; i < 4; i++) {
			paced[i].engine.ops = &paced_ops;
			engines[i] = &paced[i].engine;
		}
		cr_assert_eq(fan_calibration_make(&calibration, engines, 4), 0, "%s", fan_error_detail());
		fan_calibration_rank(calibration, preference, &shape);
		cr_assert_eq(memcmp(preference, rows[row].order, 4), 0, "row %u: %u %u %u %u", row, preference[0],
			     preference[1], preference[2], preference[3]);
		fan_calibration_free(calibration);
	}
	fan_calibration_free(NULL);
}

static void
ended(void *user, const struct fan_result *result, const struct fan_outcome *outcome)
{
	(void)user;
	(void)result;
	(void)outcome;
}

/* With a ranking of two paced engines in place of the appliance's own, a message asks the second engine first. */
Test(calibration, a_message_goes_by_the_ranking, .timeout = 60)
{
	const struct fan_options options = { .struct_bytes = sizeof(struct fan_options), .egress = "net_null" };
	const struct fan_protection protection = { FAN_KIND_LTE_PDCP_12, 2, FAN_INTEGRITY_NONE, 0 };
	const struct fan_next_hop hop = fan_test_hop(0, false);
	const struct fan_ue ue = { .struct_bytes = sizeof(struct fan_ue),
				   .kind = FAN_KIND_LTE_PDCP_12,
				   .cipher = 2,
				   .integrity = FAN_INTEGRITY_NONE,
				   .count_reserved = 9,
				   .teid = 1 };
	struct paced paced[2] = { { .engine.ops = &paced_ops, .pace = 2 }, { .engine.ops = &paced_ops, .pace = 1 } };
	struct fan_engine *engines[2] = { &paced[0].engine, &paced[1].engine };
	struct fan_members members = { .set_count = 0 };
	struct fan_snapshot *snapshot;
	struct fan_dataplane *dataplane;
	struct fan_message message;
	struct fan_flight *flight;
	int table;

	cr_assert_eq(fan_dataplane_open(&dataplane, &options), 0, "%s", fan_error_detail());
	if (dataplane->engines.count < 2)
		cr_skip_test("auto has one engine on this CPU");
	fan_calibration_free(dataplane->calibration);
	cr_assert_eq(fan_calibration_make(&dataplane->calibration, engines, 2), 0);
	table = fan_dataplane_table(dataplane, protection);
	cr_assert_eq(fan_dataplane_next_hop_add(dataplane, &hop), 0);
	cr_assert_eq(fan_context_add(&dataplane->tables[table], &ue), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_members_add_range(&members, (uint16_t)table, FAN_PROFILE_LTE_PDCP_12, 0, 1), 0);
	cr_assert_eq(fan_snapshot_make(&snapshot, &members), 0);
	fan_members_free(&members);
	fan_message_init(&message, "abc", 3);
	cr_assert_eq(fan_dataplane_accept(dataplane, &flight, snapshot, &message, ended, NULL), 0, "%s", fan_error_detail());
	fan_snapshot_release(snapshot);
	fan_dataplane_hand(dataplane, flight);
	cr_assert(flight->legs[0].preference[0] == 1 && flight->legs[0].preference[1] == 0);
	while ((flight = fan_dataplane_take_settled(dataplane)) == NULL)
		fan_dataplane_settle(dataplane);
	fan_flight_free(flight);
	cr_assert_eq(fan_dataplane_close(dataplane), 0);
}
