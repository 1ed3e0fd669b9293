/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One run with the card and the CPU: engines "fpga,ipsec-mb" in a whole appliance, whose UE side checks every frame. The card is a
 * fake that keeps a record of every (UE, COUNT) it was given. Then
 *	- no UE is lost, whatever becomes of the card;
 *	- the card sees no (UE, COUNT) twice;
 *	- of the (UE, COUNT) that left, as many are in the card's record as the card has protected: what it failed left under another
 *	  COUNT.
 */
#include "appliance_fixture.h"
#include "fake_card.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define GROUP "all@example.org"

static int
compare_records(const void *a, const void *b)
{
	const struct fan_fake_record *x = a, *y = b;
	const int keys = memcmp(x->k_enc, y->k_enc, FAN_KEY_BYTES);

	if (keys != 0)
		return keys;
	return x->count < y->count ? -1 : x->count > y->count;
}

/* How many of the UEs' last COUNTs the card had been given. */
static unsigned
count_of_the_card(const struct fan_test_side *side, const struct fan_fake_record *records, unsigned record_count)
{
	unsigned found = 0;

	for (unsigned i = 0; i < side->subscriber_count; i++) {
		struct fan_fake_record key = { .count = side->subscribers[i].last_count };

		memcpy(key.k_enc, side->subscribers[i].ue.k_enc, FAN_KEY_BYTES);
		found += bsearch(&key, records, record_count, sizeof(key), compare_records) != NULL;
	}
	return found;
}

/* Else it is of a question. */
static bool
of_a_ue(const struct fan_test_side *side, const struct fan_fake_record *record)
{
	unsigned i = 0;

	while (i < side->subscriber_count && memcmp(side->subscribers[i].ue.k_enc, record->k_enc, FAN_KEY_BYTES) != 0)
		i++;
	return i < side->subscriber_count;
}

static void
check_counts(const struct fan_test_side *side, uint64_t by_the_card)
{
	const struct fan_fake_view view = fan_fake_look();
	struct fan_fake_record *records = malloc((view.record_count + 1) * sizeof(*records));
	unsigned count = 0;

	cr_assert_not_null(records);
	for (unsigned i = 0; i < view.record_count; i++)
		if (of_a_ue(side, &view.records[i]))
			records[count++] = view.records[i];
	qsort(records, count, sizeof(*records), compare_records);
	for (unsigned i = 1; i < count; i++)
		cr_assert_neq(compare_records(&records[i - 1], &records[i]), 0, "the card was given COUNT %u twice",
			      records[i].count);
	cr_assert_eq(count_of_the_card(side, records, count), by_the_card);
	free(records);
}

struct run {
	struct fan_fake_behaviour behaviour;
	bool card_works; /* to the end */
};

static void
open_run(struct fan_test_appliance *appliance, struct fan_test_side *side, const struct fan_options *options,
	 const struct fan_fake_behaviour *behaviour, unsigned ues)
{
	struct fan_fake_behaviour first = *behaviour;

	first.trick = FAN_FAKE_HONEST;
	fan_fake_install(&first);
	fan_test_side_open(side, ues);
	fan_test_appliance_open(appliance, side, options);
	fan_fake_begin(behaviour->trick, behaviour->trick_at, behaviour->again);
	for (unsigned i = 0; i < ues; i++) {
		struct fan_test_subscriber *subscriber = fan_test_subscribe(side, FAN_KIND_EPS_NAS, 2, 2);

		subscriber->ue.bearer_id = 5;
		subscriber->ue.ran_ue_id &= 0xffffff;
		fan_test_provision(appliance, subscriber);
	}
}

static void
close_run(struct fan_test_appliance *appliance, struct fan_test_side *side)
{
	struct fan_fake_view view;

	fan_test_appliance_close(appliance);
	fan_test_side_close(side);
	view = fan_fake_look();
	cr_assert(!view.open && view.dma_allocated == 0 && view.dma_mapped == 0 && view.dirty_frees == 0);
}

/* Sends once; checks that every UE was served and got it whole. Out: PDUs by the card and by the CPU. */
static void
send(struct fan_test_appliance *appliance, uint64_t pdus[2], const char *text, enum fan_profile profile, unsigned parts)
{
	struct fan_test_side *side = appliance->side;
	const unsigned ues = side->subscriber_count;
	struct fan_engine_share shares[2];
	struct fan_message message;

	fan_test_message(&message, text, strlen(text));
	fan_test_send(appliance, fan_test_group(appliance, GROUP, 0, ues, profile), &message);
	cr_assert(appliance->result.created == parts * ues && appliance->result.sent == parts * ues, "%lu created, %lu sent",
		  (unsigned long)appliance->result.created, (unsigned long)appliance->result.sent);
	cr_assert_eq(side->frames, parts * ues);
	for (unsigned i = 1; i < FAN_UE_VERDICT_COUNT; i++)
		cr_assert_eq(side->verdicts[i], 0, "%lu x %s", (unsigned long)side->verdicts[i],
			     fan_ue_verdict_name((enum fan_ue_verdict)i));
	for (unsigned i = 0; i < ues; i++)
		cr_assert_eq(side->subscribers[i].accepted, parts);
	cr_assert(side->differing == 0 && side->complete == ues);
	cr_assert_eq(fan_engine_shares(appliance->fanfare, shares, 2), 2);
	cr_assert_str_eq(shares[0].name, "fpga");
	cr_assert_str_eq(shares[1].name, "ipsec-mb");
	pdus[0] = shares[0].pdus;
	pdus[1] = shares[1].pdus;
	cr_assert_eq(pdus[0] + pdus[1], parts * ues);
}

static const struct run runs[] = {
	{ { .kind = 0 }, true },
	{ { .lazy = true }, true },
	{ { .shuffle = true, .no_map = true }, true },
	{ { .trick = FAN_FAKE_HANG, .trick_at = 20 }, true },
	{ { .trick = FAN_FAKE_LOSE, .trick_at = 20 }, true },
	{ { .trick = FAN_FAKE_GARBAGE, .trick_at = 20 }, true },
	{ { .trick = FAN_FAKE_TWICE, .trick_at = 20 }, true },
	{ { .trick = FAN_FAKE_QUEUE_FAULT, .trick_at = 20, .no_map = true }, true },
	{ { .trick = FAN_FAKE_BUS_ERROR, .trick_at = 20, .again = true }, true },
	{ { .trick = FAN_FAKE_REFUSE, .trick_at = 20, .again = true }, true },
	{ { .trick = FAN_FAKE_WRITE_NOTHING, .trick_at = 20 }, true },
	{ { .trick = FAN_FAKE_WRITE_SOME, .trick_at = 20, .no_map = true }, true },
	{ { .trick = FAN_FAKE_WRITE_LATE, .trick_at = 20 }, true },
	{ { .trick = FAN_FAKE_WRITE_NOTHING, .trick_at = 20, .again = true }, false },
	{ { .trick = FAN_FAKE_WRITE_MAC, .trick_at = 20, .again = true, .no_map = true }, false },
	{ { .trick = FAN_FAKE_WRITE_TEXT, .trick_at = 20, .again = true }, false },
	{ { .trick = FAN_FAKE_WRITE_HALF, .trick_at = 20, .again = true }, false },
	{ { .trick = FAN_FAKE_UNPLUG, .trick_at = 20 }, false },
	{ { .trick = FAN_FAKE_UNPLUG, .trick_at = 20, .no_map = true, .shuffle = true }, false },
	{ { .trick = FAN_FAKE_STANDSTILL, .trick_at = 20, .again = true }, false },
	{ { .trick = FAN_FAKE_HANG, .trick_at = 0, .again = true }, false },
};

#define RUNS (sizeof(runs) / sizeof(runs[0]))

static void
dispatch(unsigned workers)
{
	const struct fan_options options = {
		.struct_bytes = sizeof(struct fan_options), .engines = "fpga,ipsec-mb", .egress = "net_ring", .workers = workers
	};
	const unsigned ues = 6000;

	for (size_t i = 0; i < RUNS; i++) {
		static struct fan_test_appliance appliance;
		static struct fan_test_side side;
		uint64_t pdus[2];

		open_run(&appliance, &side, &options, &runs[i].behaviour, ues);
		send(&appliance, pdus, "hello", FAN_PROFILE_EPS_NAS_NIDD, 1);
		check_counts(&side, pdus[0]);
		if (runs[i].behaviour.trick_at > 0 || runs[i].card_works)
			cr_assert_gt(pdus[0], 0, "row %zu: the card has done nothing", i);
		if (!runs[i].card_works)
			cr_assert_gt(pdus[1], 0, "row %zu: the CPU has done nothing", i);
		close_run(&appliance, &side);
	}
}

Test(dispatch, a_run_survives_its_card, .timeout = 180)
{
	dispatch(1);
}

Test(dispatch, so_does_one_of_two_workers, .timeout = 180)
{
	dispatch(2);
}

/* UEs refuse COUNTs that do not rise: parts of a message keep their order across engines and replays. */
Test(dispatch, parts_keep_their_order_across_engines, .timeout = 180)
{
	static const char text[] =
		"The river will pass 6.2 m at 18:40 today. Leave the low streets now and go to Hill School; take water, "
		"medicine and papers with you. This is a test of the flood warning system, nobody needs to do anything.";
	const struct fan_options options = {
		.struct_bytes = sizeof(struct fan_options), .engines = "fpga,ipsec-mb", .egress = "net_ring", .workers = 1
	};

	for (size_t i = 0; i < RUNS; i++) {
		static struct fan_test_appliance appliance;
		static struct fan_test_side side;
		uint64_t pdus[2];

		open_run(&appliance, &side, &options, &runs[i].behaviour, 3000);
		send(&appliance, pdus, text, FAN_PROFILE_EPS_NAS_SMS, 2);
		close_run(&appliance, &side);
	}
}

/* A card that was lost in an earlier message is not asked again, and nobody hangs. */
Test(dispatch, messages_after_the_loss_go_to_the_cpu, .timeout = 60)
{
	const struct fan_options options = {
		.struct_bytes = sizeof(struct fan_options), .engines = "fpga,ipsec-mb", .egress = "net_ring", .workers = 1
	};
	struct fan_test_appliance appliance;
	struct fan_test_side side;
	struct fan_message message;
	uint64_t pdus[2];

	open_run(&appliance, &side, &options, &(struct fan_fake_behaviour){ .trick = FAN_FAKE_UNPLUG, .trick_at = 3 }, 1000);
	send(&appliance, pdus, "hello", FAN_PROFILE_EPS_NAS_NIDD, 1);
	cr_assert_str_eq(fan_engine_serving(appliance.fanfare, FAN_KIND_EPS_NAS, 2, 2), "ipsec-mb");
	fan_test_message(&message, "again", 5);
	fan_test_send(&appliance, fan_test_group(&appliance, GROUP, 0, 0, FAN_PROFILE_EPS_NAS_NIDD), &message);
	cr_assert_eq(appliance.result.sent, 1000);
	close_run(&appliance, &side);
}

/* Alone, a dead card drops what it cannot serve, with that reason. */
Test(dispatch, without_another_engine_ues_are_dropped_with_the_reason, .timeout = 60)
{
	const struct fan_options options = {
		.struct_bytes = sizeof(struct fan_options), .engines = "fpga", .egress = "net_ring", .workers = 1
	};
	struct fan_test_appliance appliance;
	struct fan_test_side side;
	struct fan_message message;

	open_run(&appliance, &side, &options, &(struct fan_fake_behaviour){ .trick = FAN_FAKE_UNPLUG, .trick_at = 3 }, 1000);
	fan_test_message(&message, "hello", 5);
	fan_test_send(&appliance, fan_test_group(&appliance, GROUP, 0, 1000, FAN_PROFILE_EPS_NAS_NIDD), &message);
	cr_assert_eq(appliance.result.created, 1000);
	cr_assert_gt(appliance.result.dropped[FAN_DROP_ENGINE], 0);
	cr_assert_eq(appliance.result.sent + appliance.result.dropped[FAN_DROP_ENGINE], 1000);
	cr_assert_eq(side.verdicts[FAN_UE_ACCEPTED], appliance.result.sent);
	close_run(&appliance, &side);
}
