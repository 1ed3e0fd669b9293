/* SPDX-License-Identifier: BSD-3-Clause */
#include "appliance_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUN_SECONDS_MAX 60.0
#define TEID_BASE 0x01000000U
/* Factors that spread identities over all lengths of APER integers and lead back by a division. */
#define MME_FACTOR 251U
#define AMF_FACTOR 0x1000001U

void
fan_test_acknowledge(struct fan_test_appliance *appliance)
{
	for (unsigned i = 0; i < appliance->side->subscriber_count; i++) {
		const struct fan_test_subscriber *subscriber = &appliance->side->subscribers[i];

		if (subscriber->accepted > 0)
			cr_assert_eq(fan_ue_acknowledged(appliance->fanfare, subscriber->id, subscriber->last_count), 0, "%s",
				     fan_error_detail());
	}
}

double
fan_test_now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static bool
is_nas(unsigned kind)
{
	return kind == FAN_KIND_EPS_NAS || kind == FAN_KIND_5GS_NAS;
}

/* Whether it goes to the UE's own address. */
static bool
is_packet(enum fan_kind kind)
{
	return kind == FAN_KIND_SGI || kind == FAN_KIND_MBMS;
}

struct fan_next_hop
fan_test_hop(unsigned index, bool ipv6)
{
	struct fan_next_hop hop = { .struct_bytes = sizeof(struct fan_next_hop),
				    .ethernet = { 2, 0, 0, 0, 1, (uint8_t)index },
				    .address = { 198, 51, 100, (uint8_t)(7 + index) } };

	if (ipv6) {
		static const uint8_t prefix[4] = { 0x20, 0x01, 0x0d, 0xb8 };

		memcpy(hop.address, prefix, sizeof(prefix));
		hop.address[15] = (uint8_t)(7 + index);
	}
	return hop;
}

/* ---- UE side ----------------------------------------------------------------------------------------------------------- */

static bool
find(void *user, struct fan_ue_subscriber *out, struct fan_ue_state **state, const struct fan_ue_address *address)
{
	struct fan_test_side *side = user;
	const uint64_t index = address->plain
				       ? ((uint64_t)address->ipv4[1] << 16 | (uint64_t)address->ipv4[2] << 8 | address->ipv4[3])
			       : !address->nas   ? address->teid - (uint64_t)TEID_BASE
			       : address->five_g ? address->mme_ue_id / AMF_FACTOR
						 : address->mme_ue_id / MME_FACTOR;
	struct fan_test_subscriber *subscriber;
	const struct fan_ue *ue;
	struct fan_next_hop hop;

	if (index >= side->subscriber_count)
		return false;
	subscriber = &side->subscribers[index];
	ue = &subscriber->ue;
	hop = fan_test_hop(ue->next_hop, address->ipv6);
	if (address->plain != is_packet(ue->kind))
		return false;
	if (!side->moves && address->plain && memcmp(hop.ethernet, address->ethernet, sizeof(hop.ethernet)) != 0)
		return false;
	if (!side->moves && !address->plain && memcmp(hop.address, address->next_hop, address->ipv6 ? 16 : 4) != 0)
		return false;
	if (address->nas != is_nas(ue->kind))
		return false;
	if (address->nas && (address->mme_ue_id != ue->mme_ue_id || address->ran_ue_id != ue->ran_ue_id))
		return false;
	*out = (struct fan_ue_subscriber){
		.kind = (uint8_t)ue->kind,
		.cipher = ue->cipher,
		.integrity = ue->integrity,
		.bearer = ue->bearer,
		.first_count = ue->count,
		.bearer_id = is_nas(ue->kind) ? ue->bearer_id : 0,
		.udp_port = ue->udp_port,
		.bm_sc = FAN_TEST_BM_SC,
		.b_tid = subscriber->b_tid,
		.raw = side->message != NULL && side->message->raw,
		.sdap = side->message != NULL && side->message->sdap_qfi >= 0 && ue->kind >= FAN_KIND_NR_PDCP_12,
	};
	memcpy(out->k_enc, ue->k_enc, sizeof(out->k_enc));
	memcpy(out->k_int, ue->k_int, sizeof(out->k_int));
	memcpy(out->ipv4, ue->ipv4, sizeof(out->ipv4));
	*state = &subscriber->state;
	return true;
}

void
fan_test_side_open(struct fan_test_side *side, unsigned subscriber_max)
{
	memset(side, 0, sizeof(*side));
	side->subscriber_max = subscriber_max;
	side->subscribers = calloc(subscriber_max, sizeof(*side->subscribers));
	side->receiver = fan_ue_receiver_open(find, side);
	cr_assert(side->subscribers != NULL && side->receiver != NULL, "no memory for the UE side");
}

void
fan_test_side_close(struct fan_test_side *side)
{
	fan_ue_receiver_close(side->receiver);
	free(side->subscribers);
	free(side->kept);
	memset(side, 0, sizeof(*side));
}

/* What such a UE has, and no other. */
static struct fan_ue
packet_ue(const struct fan_ue *ue)
{
	struct fan_ue packet = { .struct_bytes = sizeof(packet),
				 .kind = ue->kind,
				 .integrity = ue->integrity,
				 .cipher = ue->cipher,
				 .next_hop = ue->next_hop,
				 .ue = ue->ue };

	memcpy(packet.ipv4, ue->ipv4, sizeof(packet.ipv4));
	return packet;
}

static void
become_mbms(struct fan_test_subscriber *subscriber, uint32_t index)
{
	(void)snprintf(subscriber->b_tid, sizeof(subscriber->b_tid), "%022u==@" FAN_TEST_BSF, index);
	subscriber->ue.b_tid = subscriber->b_tid;
	subscriber->ue.udp_port = (uint16_t)(FAN_PORT_MIKEY + index % 3);
	subscriber->ue.count = FAN_TEST_FIRST_COUNT;
	subscriber->ue.count_reserved = UINT32_MAX;
}

struct fan_test_subscriber *
fan_test_subscribe(struct fan_test_side *side, enum fan_kind kind, uint8_t cipher, uint8_t integrity)
{
	const uint32_t index = side->subscriber_count;
	struct fan_test_subscriber *subscriber = &side->subscribers[index];

	cr_assert_lt(index, side->subscriber_max);
	side->subscriber_count++;
	subscriber->ue = (struct fan_ue){
		.struct_bytes = sizeof(struct fan_ue),
		.kind = kind,
		.cipher = cipher,
		.integrity = integrity,
		.emergency = integrity == 0,
		.count = FAN_TEST_FIRST_COUNT,
		.count_reserved = 1U << 24,
		.bearer = kind == FAN_KIND_EPS_NAS   ? 0
			  : kind == FAN_KIND_5GS_NAS ? 1
						     : (uint8_t)(index % 32),
		.next_hop = (uint16_t)(index % FAN_TEST_HOPS),
		.ue = index,
		.teid = TEID_BASE + index,
		.ipv4 = { 10, (uint8_t)(index >> 16), (uint8_t)(index >> 8), (uint8_t)index },
		.nru_sn = (0xfffffc + index) & 0xffffff,
		.mme_ue_id = kind == FAN_KIND_EPS_NAS ? (uint64_t)index * MME_FACTOR : (uint64_t)index * AMF_FACTOR,
		.ran_ue_id = kind == FAN_KIND_EPS_NAS ? index * 77 : index * 0x00ffff01U,
		.bearer_id = (uint8_t)(5 + index % 2),
		.transaction = (uint8_t)(index % 7),
		.rp_reference = (uint8_t)(254 + index),
	};
	if (is_packet(kind))
		subscriber->ue = packet_ue(&subscriber->ue);
	if (kind == FAN_KIND_SGI)
		return subscriber;
	if (kind == FAN_KIND_MBMS)
		become_mbms(subscriber, index);
	for (unsigned i = 0; i < FAN_KEY_BYTES; i++) {
		subscriber->ue.k_enc[i] = (uint8_t)((index + 1) * 0x9e3779b1U >> (i % 4 * 8)) ^ (uint8_t)(i * 17);
		subscriber->ue.k_int[i] = (uint8_t)((index + 1) * 0x85ebca6bU >> (i % 4 * 8)) ^ (uint8_t)(i * 29 + 1);
	}
	return subscriber;
}

/* Compares a delivery with the message, from where this UE is in it. */
static void
compare(struct fan_test_side *side, struct fan_test_subscriber *subscriber, const struct fan_ue_delivery *delivery)
{
	const struct fan_message *message = side->message;
	struct fan_ue_state *state = &subscriber->state;
	const size_t at = state->received_bytes;

	if (delivery->data_bytes > message->byte_count - at ||
	    memcmp(message->bytes + at, delivery->data, delivery->data_bytes) != 0) {
		side->differing++;
		return;
	}
	state->received_bytes = (uint16_t)(state->received_bytes + delivery->data_bytes);
	if (state->received_bytes < message->byte_count)
		return;
	state->received_bytes = 0;
	subscriber->complete++;
	side->complete++;
}

static void
keep(struct fan_test_side *side, const uint8_t *frame, size_t frame_bytes)
{
	const uint32_t length = (uint32_t)frame_bytes;

	if (side->kept_bytes + sizeof(length) + frame_bytes > side->keep_bytes_max)
		return;
	if (side->kept == NULL)
		side->kept = malloc(side->keep_bytes_max);
	cr_assert_not_null(side->kept);
	memcpy(side->kept + side->kept_bytes, &length, sizeof(length));
	memcpy(side->kept + side->kept_bytes + sizeof(length), frame, frame_bytes);
	side->kept_bytes += sizeof(length) + frame_bytes;
}

enum fan_ue_verdict
fan_test_side_receive(struct fan_test_side *side, const uint8_t *frame, size_t frame_bytes)
{
	struct fan_ue_delivery *delivery = &side->last;
	const enum fan_ue_verdict verdict = fan_ue_receive(side->receiver, delivery, frame, frame_bytes);
	struct fan_test_subscriber *subscriber;

	side->verdicts[verdict]++;
	side->frames++;
	side->frame_bytes += frame_bytes;
	if (verdict != FAN_UE_ACCEPTED)
		return verdict;
	subscriber = (struct fan_test_subscriber *)(void *)((char *)delivery->state -
							    offsetof(struct fan_test_subscriber, state));
	/* With EIA0 a UE cannot tell an old NAS message from a new one (TS 33.501 D.1). */
	if (subscriber->ue.integrity != 0 || !is_nas(subscriber->ue.kind))
		keep(side, frame, frame_bytes);
	subscriber->accepted++;
	subscriber->last_count = delivery->count;
	subscriber->transaction = delivery->transaction;
	subscriber->rp_reference = delivery->rp_reference;
	if (side->message != NULL)
		compare(side, subscriber, delivery);
	return verdict;
}

unsigned
fan_test_side_replay(struct fan_test_side *side)
{
	const size_t end = side->kept_bytes, keep_bytes_max = side->keep_bytes_max;
	unsigned wrong = 0;

	cr_assert_gt(end, 0, "nothing was kept");
	side->keep_bytes_max = 0;
	for (size_t at = 0; at < end;) {
		uint32_t length;

		memcpy(&length, side->kept + at, sizeof(length));
		wrong += fan_test_side_receive(side, side->kept + at + sizeof(length), length) != FAN_UE_REPLAY;
		at += sizeof(length) + length;
	}
	side->kept_bytes = 0;
	side->keep_bytes_max = keep_bytes_max;
	side->verdicts[FAN_UE_REPLAY] = 0;
	return wrong;
}

/* ---- Appliance --------------------------------------------------------------------------------------------------------- */

void
fan_test_appliance_open(struct fan_test_appliance *appliance, struct fan_test_side *side, const struct fan_options *options)
{
	static const struct fan_options defaults;
	struct fan_options looped = options != NULL ? *options : defaults;

	memset(appliance, 0, sizeof(*appliance));
	appliance->side = side;
	looped.struct_bytes = sizeof(looped);
	/* What is sent comes back to the UE side unless a test says otherwise. */
	if (looped.egress == NULL)
		looped.egress = "net_ring";
	cr_assert_eq(fan_open(&appliance->fanfare, &looped), 0, "%s", fan_error_detail());
	for (unsigned i = 0; i < FAN_TEST_HOPS; i++) {
		const struct fan_next_hop hop = fan_test_hop(i, options != NULL && options->ipv6);

		cr_assert_eq(fan_next_hop_add(appliance->fanfare, &hop), (int)i, "%s", fan_error_detail());
	}
}

void
fan_test_appliance_close(struct fan_test_appliance *appliance)
{
	cr_assert_eq(fan_close(appliance->fanfare), 0, "%s", fan_error_detail());
	appliance->fanfare = NULL;
}

void
fan_test_provision(struct fan_test_appliance *appliance, struct fan_test_subscriber *subscriber)
{
	cr_assert_eq(fan_ue_add(appliance->fanfare, &subscriber->id, &subscriber->ue), 0, "%s", fan_error_detail());
}

struct fan_group *
fan_test_group(struct fan_test_appliance *appliance, const char *gid, unsigned first, unsigned count, enum fan_profile profile)
{
	struct fan_group *group = fan_group_find(appliance->fanfare, gid);

	if (group == NULL)
		cr_assert_eq(fan_group_create(appliance->fanfare, &group, gid), 0, "%s", fan_error_detail());
	for (unsigned i = first; i < first + count; i++)
		cr_assert_eq(fan_group_add(group, appliance->side->subscribers[i].id, profile), 0, "%s", fan_error_detail());
	return group;
}

static void
check_identity(const struct fan_result *result)
{
	uint64_t dropped = 0;

	for (unsigned i = 0; i < FAN_DROP_COUNT; i++)
		dropped += result->dropped[i];
	cr_assert_eq(result->dropped[FAN_DROP_NONE], 0);
	cr_assert_eq(result->created, result->sent + dropped, "created %lu, sent %lu, dropped %lu", result->created,
		     result->sent, dropped);
}

static void
note_not_served(void *user, fan_context_id id, uint32_t ue, enum fan_drop drop)
{
	struct fan_test_appliance *appliance = user;
	struct fan_test_subscriber *subscriber;

	cr_assert_lt(ue, appliance->side->subscriber_count);
	subscriber = &appliance->side->subscribers[ue];
	cr_assert_eq(subscriber->id, id, "UE %u is reported under another context id", ue);
	subscriber->drop = (uint8_t)drop;
	subscriber->drop_reports++;
	appliance->not_served++;
}

/* In: the reason that the outcome named for each UE. */
static void
check_reasons(const struct fan_test_appliance *appliance, const struct fan_outcome *outcome)
{
	unsigned named = 0;

	for (unsigned reason = FAN_DROP_NONE + 1; reason < FAN_DROP_COUNT; reason++) {
		unsigned of_reason = 0;

		for (unsigned i = 0; i < appliance->side->subscriber_count; i++)
			of_reason += appliance->side->subscribers[i].drop == reason;
		cr_assert_eq(fan_outcome_count(outcome, (enum fan_drop)reason), of_reason, "%s",
			     fan_drop_name((enum fan_drop)reason));
		named += of_reason;
	}
	cr_assert_eq(named, appliance->not_served);
}

void
fan_test_done(void *user, const struct fan_result *result, const struct fan_outcome *outcome)
{
	struct fan_test_appliance *appliance = user;
	struct fan_result sum = { .ues = 0 };

	appliance->result = *result;
	check_identity(result);
	for (unsigned i = 0; i < FAN_PROFILE_COUNT; i++) {
		appliance->profile[i] = *fan_outcome_profile(outcome, (enum fan_profile)i);
		check_identity(&appliance->profile[i]);
		sum.ues += appliance->profile[i].ues;
		sum.created += appliance->profile[i].created;
		sum.sent += appliance->profile[i].sent;
		sum.bytes_out += appliance->profile[i].bytes_out;
	}
	cr_assert(sum.ues == result->ues && sum.created == result->created && sum.sent == result->sent &&
			  sum.bytes_out == result->bytes_out,
		  "the profiles do not add up to the whole");
	cr_assert_leq(result->first_ns, result->last_ns);
	appliance->not_served = 0;
	for (unsigned i = 0; i < appliance->side->subscriber_count; i++)
		appliance->side->subscribers[i].drop = FAN_DROP_NONE;
	fan_outcome_not_served(outcome, FAN_DROP_NONE, note_not_served, appliance);
	cr_assert_eq(fan_outcome_count(outcome, FAN_DROP_NONE), appliance->not_served);
	check_reasons(appliance, outcome);
	appliance->ended++;
}

static void
take_frame(void *user, const uint8_t *frame, size_t frame_bytes)
{
	(void)fan_test_side_receive(user, frame, frame_bytes);
}

void
fan_test_run(struct fan_test_appliance *appliance, int left)
{
	const double deadline = fan_test_now_s() + RUN_SECONDS_MAX;

	for (;;) {
		const unsigned received = fan_loop_receive(appliance->fanfare, take_frame, appliance->side, 256);

		if (fan_poll(appliance->fanfare) <= left && received == 0 &&
		    fan_loop_receive(appliance->fanfare, take_frame, appliance->side, 256) == 0)
			return;
		cr_assert_lt(fan_test_now_s(), deadline, "messages in flight do not end");
	}
}

void
fan_test_send(struct fan_test_appliance *appliance, struct fan_group *group, const struct fan_message *message)
{
	const unsigned ended = appliance->ended;

	appliance->side->message = message;
	cr_assert_eq(fan_send(appliance->fanfare, NULL, group, message, fan_test_done, appliance), 0, "%s", fan_error_detail());
	fan_test_run(appliance, 0);
	cr_assert_eq(appliance->ended, ended + 1, "the callback runs once");
}

void
fan_test_message(struct fan_message *message, const void *bytes, size_t byte_count)
{
	fan_message_init(message, bytes, byte_count);
	message->originator = "GroupMsg";
	message->service_centre = "+10000000000";
}
