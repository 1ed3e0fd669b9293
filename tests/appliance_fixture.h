/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An appliance with its UE side, for tests: UEs are made by index, messages are sent through net_ring, every frame that comes
 * back is given to the UE side (ue/ue.h) and its content compared with the message.
 *
 *	struct fan_test_side side;
 *	struct fan_test_appliance appliance;
 *
 *	fan_test_side_open(&side, 100);
 *	fan_test_appliance_open(&appliance, &side, &options);
 *	i = fan_test_appliance_add(&appliance, fan_test_ue(&side, kind, cipher, integrity));
 *	... groups ...
 *	fan_test_send(&appliance, group, &message);      the appliance's `result` is then valid
 *
 * All of it aborts the test (cr_assert) on what no test expects.
 */
#ifndef FAN_TEST_APPLIANCE_FIXTURE_H
#define FAN_TEST_APPLIANCE_FIXTURE_H

#include "../host-api/appliance/appliance.h"
#include "../ue/ue.h"

#define FAN_TEST_HOPS 3
#define FAN_TEST_FIRST_COUNT 250 /* so that the SN octet of NAS rolls over after a few messages */

#define FAN_TEST_BM_SC "bmsc.example.org"
#define FAN_TEST_BSF "bsf.mnc001.mcc001.pub.3gppnetwork.org"

struct fan_test_subscriber {
	struct fan_ue ue;                                            /* as provisioned; `ue.ue` is the index here */
	char b_tid[FAN_B_TID_NAME_BYTES + sizeof("@" FAN_TEST_BSF)]; /* of MBMS */
	fan_context_id id;
	struct fan_ue_state state;
	uint32_t accepted;                 /* PDUs */
	uint32_t complete;                 /* whole messages */
	uint32_t last_count;               /* of the last accepted PDU */
	uint8_t transaction, rp_reference; /* of the last accepted SMS */
	uint8_t drop;                      /* enum fan_drop that the last outcome named */
	uint16_t drop_reports;             /* how often outcomes named this UE */
};

/* The UEs and what they were given. */
struct fan_test_side {
	struct fan_ue_receiver *receiver;
	struct fan_test_subscriber *subscribers;
	unsigned subscriber_count, subscriber_max;
	bool moves;                        /* UEs do, while frames are on their way: any next hop will do */
	const struct fan_message *message; /* that deliveries are compared with; NULL: not compared */
	uint64_t verdicts[FAN_UE_VERDICT_COUNT];
	uint64_t frames, frame_bytes;
	uint64_t complete, differing; /* messages */
	struct fan_ue_delivery last;  /* its pointers are stale */
	uint8_t *kept;                /* accepted frames, each behind its length in 4 octets, while keep_bytes_max allows */
	size_t kept_bytes, keep_bytes_max;
};

void fan_test_side_open(struct fan_test_side *side, unsigned subscriber_max);
void fan_test_side_close(struct fan_test_side *side);
/* A new subscriber: algorithms as given, all else made of its index. The pointer is valid until the side is closed. */
struct fan_test_subscriber *fan_test_subscribe(struct fan_test_side *side, enum fan_kind kind, uint8_t cipher,
					       uint8_t integrity);
/* One frame; the verdict is counted. */
enum fan_ue_verdict fan_test_side_receive(struct fan_test_side *side, const uint8_t *frame, size_t frame_bytes);
/* Gives every kept frame to the UEs once more, and forgets it; returns how many were not refused as replays. */
unsigned fan_test_side_replay(struct fan_test_side *side);
/* Next hop 0 .. FAN_TEST_HOPS - 1. */
struct fan_next_hop fan_test_hop(unsigned index, bool ipv6);

struct fan_test_appliance {
	struct fanfare *fanfare;
	struct fan_test_side *side;
	struct fan_result result; /* of the last message that ended */
	struct fan_result profile[FAN_PROFILE_COUNT];
	unsigned ended;      /* callbacks that ran */
	unsigned not_served; /* members named by the last outcome */
};

/* Opens with the options (NULL: defaults) and adds the next hops. */
void fan_test_appliance_open(struct fan_test_appliance *appliance, struct fan_test_side *side,
			     const struct fan_options *options);
void fan_test_appliance_close(struct fan_test_appliance *appliance);
/* Provisions a subscriber. */
void fan_test_provision(struct fan_test_appliance *appliance, struct fan_test_subscriber *subscriber);
/* A group of subscribers first .. first + count - 1 under a profile; existing groups are added to. */
struct fan_group *fan_test_group(struct fan_test_appliance *appliance, const char *gid, unsigned first, unsigned count,
				 enum fan_profile profile);
/* The callback behind fan_test_send(); `user` is the appliance. Checks the accounting identity in every profile. */
void fan_test_done(void *user, const struct fan_result *result, const struct fan_outcome *outcome);
/* Receives and polls until at most `left` messages are in flight and nothing comes back any more. */
void fan_test_run(struct fan_test_appliance *appliance, int left);
/* fan_message_init(), and a sender for where it goes out as a short message. */
void fan_test_message(struct fan_message *message, const void *bytes, size_t byte_count);
/* Sends and runs to the end. */
void fan_test_send(struct fan_test_appliance *appliance, struct fan_group *group, const struct fan_message *message);

/* Every subscriber proves that it accepted the last that it accepted. */
void fan_test_acknowledge(struct fan_test_appliance *appliance);

/* Seconds of a clock that only rises, for deadlines. */
double fan_test_now_s(void);

#endif
