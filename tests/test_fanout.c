/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whole runs of the synthetic population. This file stands between port and UE side, to spoil and to lose frames.
 */
#define _GNU_SOURCE
#include "../dataplane/context/memory.h"
#include "../host-api/fanout/fanout.h"
#include "appliance_fixture.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <string.h>

static struct fan_fanout_request request;
static struct fan_fanout_result result;

/* Of these profiles, a bit for each. */
/* Profiles that take any message: those before keys of groups. */
#define OF_ANY_MESSAGE ((1U << FAN_PROFILE_EPS_NAS_KEY) - 1 + (1U << FAN_PROFILE_SGI_IP))

static void
make_request(uint32_t ues, uint64_t seed, unsigned profiles)
{
	struct fan_population_options options = { .ues = ues, .seed = seed, .cipher = 2, .integrity = 2 };

	request = (struct fan_fanout_request){ .repeat = 1, .verify = true };
	fan_test_message(&request.message, "hello", 5);
	fan_options_init(&request.appliance);
	request.appliance.egress = "net_ring";
	request.appliance.engines = "reference";
	for (unsigned i = 0; i < FAN_PROFILE_COUNT; i++) {
		options.weight[i] = profiles >> i & 1;
		request.parts[i] = options.weight[i];
	}
	cr_assert_eq(fan_population_init(&request.population, &options), 0, "%s", fan_error_detail());
}

static void
run(void)
{
	cr_assert_eq(fan_fanout_run(&result, &request), 0, "%s", fan_error_detail());
	cr_assert_eq(result.passes, request.repeat);
}

static void
expect_good(void)
{
	char line[200];

	cr_assert(fan_fanout_judge(line, sizeof(line), &result), "%s", line);
}

/* ---- Between port and UE side ------------------------------------------------------------------------------------------- */

static uint16_t (*real_receive)(void *queue, struct rte_mbuf **frames, uint16_t frame_max);
static unsigned frames_received, spoil_each, lose_frame;

static uint16_t
watched_receive(void *queue, struct rte_mbuf **frames, uint16_t frame_max)
{
	const uint16_t received = real_receive(queue, frames, frame_max);
	uint16_t kept = 0;

	for (uint16_t i = 0; i < received; i++) {
		struct rte_mbuf *frame = frames[i];

		frames_received++;
		if (spoil_each > 0 && frames_received % spoil_each == 0)
			*rte_pktmbuf_mtod_offset(frame, uint8_t *, frame->data_len - 1) ^= 1;
		if (frames_received == lose_frame)
			rte_pktmbuf_free(frame);
		else
			frames[kept++] = frame;
	}
	return kept;
}

/* Takes the place of DPDK's function of that name: a port gets its functions as it starts. */
int
rte_eth_dev_start(uint16_t port)
{
	int (*real)(uint16_t);
	int error;

	*(void **)&real = dlsym(RTLD_NEXT, "rte_eth_dev_start");
	error = real(port);
	real_receive = rte_eth_fp_ops[port].rx_pkt_burst;
	rte_eth_fp_ops[port].rx_pkt_burst = watched_receive;
	return error;
}

/* ---- Runs -------------------------------------------------------------------------------------------------------------- */

Test(fanout, keys_of_groups_reach_every_ue_in_the_form_of_its_network, .timeout = 60)
{
	/* An entry begins with its version, a Received MBS container with its decision; the rest is the members' business. */
	static const struct {
		enum fan_profile profile;
		const char *octets;
	} forms[] = { { FAN_PROFILE_EPS_NAS_KEY, "\x10-entries" }, { FAN_PROFILE_5GS_NAS_KEY, "\x05-container" } };

	for (unsigned i = 0; i < 2; i++) {
		make_request(200, 1, 1U << forms[i].profile);
		fan_test_message(&request.message, forms[i].octets, strlen(forms[i].octets));
		request.message.group_keys = true;
		run();
		expect_good();
		cr_assert_eq(result.total.verified, 200);
		cr_assert_eq(result.profile[forms[i].profile].verified, 200);
		fan_population_free(&request.population);
	}
}

Test(fanout, an_msk_reaches_every_ue_under_its_own_muk, .timeout = 60)
{
	uint8_t octets[FAN_MSK_BYTES_MAX];
	struct fan_msk msk;

	fan_msk_init(&msk);
	msk.bm_sc = FAN_POPULATION_BM_SC;
	msk.bsf = FAN_POPULATION_BSF;
	make_request(200, 1, 1U << FAN_PROFILE_MBMS_MSK);
	fan_test_message(&request.message, octets, (size_t)fan_msk_write(octets, &msk));
	request.message.group_keys = true;
	run();
	expect_good();
	cr_assert_eq(result.profile[FAN_PROFILE_MBMS_MSK].verified, 200);
	fan_population_free(&request.population);
}

Test(fanout, every_message_reaches_every_ue, .timeout = 60)
{
	const uint32_t ues = 100U * (uint32_t)__builtin_popcount(OF_ANY_MESSAGE);

	make_request(ues, 1, OF_ANY_MESSAGE);
	request.repeat = 3;
	run();
	expect_good();
	cr_assert(result.verified && result.first_fault_ue == -1 && result.frames_missing == 0);
	cr_assert(result.total.ues == ues && result.total.created == 3 * ues && result.total.sent == 3 * ues);
	cr_assert(result.total.verified == 3 * ues && result.ues_served == 3 * ues);
	cr_assert_eq(result.outcomes[FAN_RECEPTION_COMPLETE], 3 * ues);
	for (unsigned i = 0; i < FAN_PROFILE_COUNT; i++) {
		cr_assert_eq(result.profile[i].ues, OF_ANY_MESSAGE >> i & 1 ? 100 : 0);
		cr_assert_eq(result.profile[i].verified, OF_ANY_MESSAGE >> i & 1 ? 300 : 0);
	}
	cr_assert_str_eq(result.engines, "reference");
	fan_population_free(&request.population);
}

/* The last context of one profile and the first of the next lie side by side in one table. */
Test(fanout, profiles_that_share_a_table_stay_apart, .timeout = 60)
{
	const unsigned profiles = 1U << FAN_PROFILE_EPS_NAS_NIDD | 1U << FAN_PROFILE_EPS_NAS_SMS;
	struct fan_population_ue last;

	make_request(10, 1, profiles);
	for (uint64_t seed = 2;; seed++) {
		fan_population_ue(&request.population, &last,
				  fan_population_profile_index(&request.population, FAN_PROFILE_EPS_NAS_NIDD, 4));
		if (last.ue.bearer_id == 5) /* as all have that get short messages */
			break;
		fan_population_free(&request.population);
		make_request(10, seed, profiles);
	}
	run();
	expect_good();
	cr_assert_eq(result.profile[FAN_PROFILE_EPS_NAS_SMS].verified, 5);
	fan_population_free(&request.population);
}

/* Who does not get a message proves nothing: after seven short ones it gets no other, unlike all else. */
Test(fanout, proof_comes_from_those_who_got_it, .timeout = 60)
{
	char line[200];

	make_request(50, 1, 1U << FAN_PROFILE_EPS_NAS_SMS); /* whose contexts are one range */
	request.repeat = 8;
	spoil_each = 10;
	run();
	cr_assert_eq(result.total.verified, 7 * 45 + 41);
	cr_assert_eq(result.total.dropped[FAN_DROP_TRANSACTIONS], 5);
	cr_assert_eq(result.total.created, 8 * 50);
	cr_assert_eq(result.total.sent, 8 * 50 - 5);
	cr_assert_eq(result.ues_served, 8 * 50 - 5);
	cr_assert_eq(fan_fanout_faults(&result), 7 * 5 + 4);
	cr_assert_geq(result.first_fault_ue, 0);
	cr_assert_not(fan_fanout_judge(line, sizeof(line), &result));
	fan_population_free(&request.population);
}

Test(fanout, a_frame_that_does_not_come_back_is_missed, .timeout = 60)
{
	make_request(50, 1, 1U << FAN_PROFILE_NR_PDCP_12);
	lose_frame = 20;
	run();
	cr_assert_eq(result.frames_missing, 1);
	cr_assert_eq(result.total.sent, 50);
	cr_assert_eq(result.total.verified, 49);
	cr_assert_eq(fan_fanout_faults(&result), 0);
	fan_population_free(&request.population);
}

/* A signal ends it, and what it says is that, whatever else goes wrong on the way out. */
Test(fanout, a_signal_ends_a_run, .timeout = 60)
{
	make_request(3000, 1, 1U << FAN_PROFILE_NR_PDCP_18);
	request.appliance.capture = "/dev/full";
	request.repeat = 2;
	fan_fanout_stop = 1;
	cr_assert_eq(fan_fanout_run(&result, &request), FAN_E_BUSY, "%s", fan_error_detail());
	cr_assert_str_eq(fan_error_detail(), "interrupted while sending");
	cr_assert(result.capture_failed);
	fan_population_free(&request.population);
}

/* ---- Memory ------------------------------------------------------------------------------------------------------------- */

Test(fanout, a_ue_side_takes_room_too)
{
	const uint64_t available_bytes = fan_memory_available_bytes();

	if (available_bytes < 4ULL * FAN_FANOUT_FIXED_BYTES)
		cr_skip_test("too little memory here");
	request.population.options.ues = (uint32_t)((available_bytes / 100 * 97 - FAN_FANOUT_FIXED_BYTES) /
						    FAN_FANOUT_UE_BYTES);
	cr_assert_eq(fan_fanout_memory_check(&request), 0, "%s", fan_error_detail());
	request.verify = true;
	cr_assert_eq(fan_fanout_memory_check(&request), FAN_E_MEMORY);
	cr_assert_not_null(strstr(fan_error_detail(), "UEs fit"), "%s", fan_error_detail());
}
