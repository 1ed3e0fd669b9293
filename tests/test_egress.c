/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "../dataplane/eal.h"
#include "../dataplane/egress.h"
#include "../host-api/appliance/handles.h"
#include "appliance_fixture.h"
#include "sanitizers.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define GROUP "all@example.org"

/* ---- A port that says what a test wants ------------------------------------------------------------------------------------ */

/* Of a net_null, while `on`. The worker reads what the test writes. */
static struct {
	bool on, link_down;
	uint16_t mtu;
	uint64_t losses;    /* that it counts */
	unsigned room;      /* frames that it takes yet */
	unsigned overstate; /* so many frames more than it was given it says it took */
	uint32_t longest;   /* frame that it was given */
} lies;

/* The functions of these names take the place of DPDK's in this program. */
#define REAL(function)                                                                                                         \
	__typeof__(&(function)) real;                                                                                          \
	*(void **)&real = dlsym(RTLD_NEXT, #function)

int
rte_eth_dev_info_get(uint16_t port, struct rte_eth_dev_info *info)
{
	REAL(rte_eth_dev_info_get);
	const int error = real(port, info);

	if (lies.on)
		info->driver_name = "net_liar";
	return error;
}

int
rte_eth_stats_get(uint16_t port, struct rte_eth_stats *stats)
{
	REAL(rte_eth_stats_get);
	const int error = real(port, stats);

	if (lies.on)
		stats->oerrors = lies.losses;
	return error;
}

int
rte_eth_link_get_nowait(uint16_t port, struct rte_eth_link *link)
{
	REAL(rte_eth_link_get_nowait);
	const int error = real(port, link);

	if (lies.on)
		link->link_status = !__atomic_load_n(&lies.link_down, __ATOMIC_RELAXED);
	return error;
}

int
rte_eth_dev_get_mtu(uint16_t port, uint16_t *mtu)
{
	REAL(rte_eth_dev_get_mtu);
	const int error = real(port, mtu);

	if (lies.on)
		*mtu = __atomic_load_n(&lies.mtu, __ATOMIC_RELAXED);
	return error;
}

static uint16_t
take_frames(void *queue, struct rte_mbuf **frames, uint16_t frame_count)
{
	const unsigned room = __atomic_load_n(&lies.room, __ATOMIC_RELAXED);
	const uint16_t taken = (uint16_t)(room < frame_count ? room : frame_count);

	(void)queue;
	for (uint16_t i = 0; i < taken; i++)
		if (frames[i]->pkt_len > lies.longest)
			__atomic_store_n(&lies.longest, frames[i]->pkt_len, __ATOMIC_RELAXED);
	rte_pktmbuf_free_bulk(frames, taken);
	__atomic_fetch_sub(&lies.room, taken, __ATOMIC_RELAXED); /* the test may have made room meanwhile */
	return (uint16_t)(taken + (taken > 0 ? lies.overstate : 0));
}

/* UEs of EPS NAS behind that port. */
static struct fan_group *
open_liar(struct fan_test_side *side, struct fan_test_appliance *appliance, unsigned ues)
{
	const struct fan_options options = { .struct_bytes = sizeof(options),
					     .egress = "net_null",
					     .source_address = { 192, 0, 2, 1 } };

	lies.mtu = 1500;
	lies.room = UINT32_MAX;
	fan_test_side_open(side, ues);
	fan_test_appliance_open(appliance, side, &options);
	rte_eth_fp_ops[appliance->fanfare->dataplane->egress.port].tx_pkt_burst = take_frames;
	for (unsigned i = 0; i < ues; i++) {
		struct fan_test_subscriber *subscriber = fan_test_subscribe(side, FAN_KIND_EPS_NAS, 2, 2);

		/* All in one table; the first has short ids. */
		subscriber->ue.bearer_id = 5;
		subscriber->ue.mme_ue_id = i == 0 ? 1 : UINT32_MAX - i;
		subscriber->ue.ran_ue_id = i == 0 ? 1 : 0xffffff - i;
		fan_test_provision(appliance, subscriber);
	}
	return fan_test_group(appliance, GROUP, 0, ues, FAN_PROFILE_EPS_NAS_NIDD);
}

static void
close_liar(struct fan_test_side *side, struct fan_test_appliance *appliance)
{
	const struct rte_mempool *frames = appliance->fanfare->dataplane->egress.frames;

	cr_assert_eq(rte_mempool_avail_count(frames), frames->size, "frames are lost");
	fan_test_appliance_close(appliance);
	fan_test_side_close(side);
}

static void
begin(struct fan_test_appliance *appliance, struct fan_group *group, const struct fan_message *message)
{
	cr_assert_eq(fan_send(appliance->fanfare, NULL, group, message, fan_test_done, appliance), 0, "%s", fan_error_detail());
}

/* ---- Captures ---------------------------------------------------------------------------------------------------------------- */

static char path[64];

static const char *
new_path(void)
{
	const char *folder = getenv("TMPDIR");
	int file;

	snprintf(path, sizeof(path), "%.40s/fanfare-XXXXXX", folder != NULL ? folder : "/tmp");
	file = mkstemp(path);
	cr_assert_geq(file, 0);
	close(file);
	return path;
}

/* Gives every packet of a capture to the UE side; returns how many. */
static unsigned
read_capture(struct fan_test_side *side, const char *name)
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *capture = pcap_open_offline(name, error);
	struct pcap_pkthdr *header;
	const u_char *octets;
	unsigned packets = 0;
	int more;

	cr_assert_not_null(capture, "%s", error);
	cr_assert_eq(pcap_datalink(capture), DLT_EN10MB);
	while ((more = pcap_next_ex(capture, &header, &octets)) == 1) {
		cr_assert_eq(header->caplen, header->len);
		cr_assert_gt(header->ts.tv_sec, 1600000000);
		(void)fan_test_side_receive(side, octets, header->caplen);
		packets++;
	}
	cr_assert_eq(more, PCAP_ERROR_BREAK, "the capture ends in the middle: %s", pcap_geterr(capture));
	pcap_close(capture);
	return packets;
}

/* A fresh UE side with the same subscribers: what was captured must serve them as what was sent did. */
static void
copy_side(struct fan_test_side *copy, const struct fan_test_side *side)
{
	fan_test_side_open(copy, side->subscriber_max);
	copy->message = side->message;
	for (unsigned i = 0; i < side->subscriber_count; i++)
		copy->subscribers[i].ue = side->subscribers[i].ue;
	copy->subscriber_count = side->subscriber_count;
}

static void
run_with_capture(const struct fan_options *options, unsigned ues)
{
	struct fan_test_side side, captured;
	struct fan_test_appliance appliance;
	static char text[161];
	struct fan_message message;
	struct fan_group *group;
	uint64_t sent = 0;

	memset(text, 'c', sizeof(text));
	fan_test_message(&message, text, sizeof(text));
	fan_test_side_open(&side, ues);
	side.keep_bytes_max = options->workers == 1 ? 4 << 20 : 0;
	fan_test_appliance_open(&appliance, &side, options);
	for (unsigned i = 0; i < ues; i++)
		fan_test_provision(&appliance, fan_test_subscribe(&side, FAN_KIND_5GS_NAS, 2, 2));
	group = fan_test_group(&appliance, GROUP, 0, ues, FAN_PROFILE_5GS_NAS_SMS);
	for (unsigned i = 0; i < 3; i++) {
		fan_test_send(&appliance, group, &message);
		sent += appliance.result.sent;
	}
	fan_test_appliance_close(&appliance);
	cr_assert(sent == 6 * ues && side.frames == sent && side.complete == 3 * ues);
	copy_side(&captured, &side);
	captured.keep_bytes_max = side.keep_bytes_max;
	cr_assert_eq(read_capture(&captured, options->capture), sent);
	cr_assert_eq(captured.verdicts[FAN_UE_ACCEPTED], sent, "COUNTs do not rise in the capture");
	cr_assert_eq(captured.complete, 3 * ues);
	cr_assert_eq(captured.frame_bytes, side.frame_bytes);
	if (options->workers == 1) {
		cr_assert_gt(side.kept_bytes, 0);
		cr_assert_eq(side.kept_bytes, captured.kept_bytes);
		cr_assert_eq(memcmp(side.kept, captured.kept, side.kept_bytes), 0,
			     "frames were captured in another order than sent");
	}
	fan_test_side_close(&captured);
	fan_test_side_close(&side);
}

Test(egress, a_capture_holds_what_was_sent_in_order, .timeout = 60)
{
	struct fan_options options = { .struct_bytes = sizeof(struct fan_options), .capture = new_path(), .workers = 2 };

	run_with_capture(&options, 3000);
	options.workers = 1;
	options.ipv6 = true;
	run_with_capture(&options, 500);
	unlink(path);
}

/* A capture that was not written whole is an error of fan_close(); the messages themselves are sent. */
Test(egress, a_full_disk_is_reported, .timeout = 60)
{
	static const unsigned ue_counts[] = { 0, 3,
					      2000 }; /* the file's own header alone fails; little; more than any buffer */

	for (size_t row = 0; row < 3; row++) {
		const struct fan_options options = { .struct_bytes = sizeof(struct fan_options), .capture = "/dev/full" };
		struct fan_test_side side;
		struct fan_test_appliance appliance;
		struct fan_message message;

		fan_test_side_open(&side, 2000);
		fan_test_appliance_open(&appliance, &side, &options);
		fan_test_message(&message, "hello", 5);
		for (unsigned i = 0; i < ue_counts[row]; i++)
			fan_test_provision(&appliance, fan_test_subscribe(&side, FAN_KIND_EPS_NAS, 2, 2));
		if (ue_counts[row] > 0) {
			fan_test_send(&appliance,
				      fan_test_group(&appliance, GROUP, 0, ue_counts[row], FAN_PROFILE_EPS_NAS_NIDD), &message);
			cr_assert_eq(side.complete, ue_counts[row]);
		}
		cr_assert_eq(fan_close(appliance.fanfare), FAN_E_IO, "%u frames", ue_counts[row]);
		cr_assert_not_null(strstr(fan_error_detail(), "capture"), "%s", fan_error_detail());
		cr_assert_not_null(strstr(fan_error_detail(), strerror(ENOSPC)), "%s", fan_error_detail());
		fan_test_side_close(&side);
	}
}

/* What opens, closes; every frame that a port was given is back in the pool or gone with it. */
Test(egress, ports_open_and_close, .timeout = 60)
{
	static const struct {
		const char *name;
		unsigned queues;
		bool loops;
	} rows[] = {
		{ "net_null", 1, false }, { "net_null", 3, false }, { "net_ring", 1, true },
		{ "net_ring", 3, true },  { "net_ring", 1, true },  { "net_null5,copy=1", 1, false },
	};

	cr_assert_eq(fan_eal_start("test_egress", 3, NULL), 0, "%s", fan_error_detail());
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fan_egress egress;
		static struct rte_mbuf *frames[2000];
		uint16_t taken = 0;

		cr_assert_eq(fan_egress_open(&egress, rows[i].name, rows[i].queues, NULL), 0, "row %zu: %s", i,
			     fan_error_detail());
		cr_assert_eq(egress.receive_queues, rows[i].loops ? rows[i].queues : 0, "net_null makes up frames");
		cr_assert_eq(egress.loops_back, rows[i].loops);
		cr_assert_eq(egress.frame_bytes_max, UINT16_MAX);
		for (unsigned j = 0; j < 2000; j++) {
			frames[j] = rte_pktmbuf_alloc(egress.frames);
			cr_assert_not_null(frames[j]);
			cr_assert_not_null(rte_pktmbuf_append(frames[j], 60));
		}
		while (taken < 2000) {
			const uint16_t n = fan_egress_send_burst(&egress, (uint16_t)(rows[i].queues - 1), frames + taken,
								 (uint16_t)(2000 - taken > 64 ? 64 : 2000 - taken));

			taken = (uint16_t)(taken + n);
			if (n == 0)
				break;
		}
		/* A ring that nobody empties says so; a null port takes all. */
		cr_assert(rows[i].loops ? taken > 0 && taken < 2000 : taken == 2000, "row %zu: %u", i, taken);
		rte_pktmbuf_free_bulk(frames + taken, 2000U - taken);
		cr_assert_eq(fan_egress_close(&egress), 0);
		cr_assert_eq(fan_egress_close(&egress), 0, "twice");
	}
}

Test(egress, the_kernels_mtu_bounds_frames, .timeout = 60)
{
	struct fan_egress egress;

	if (geteuid() != 0 || if_nametoindex("lo") == 0)
		cr_skip_test("af_packet on the loopback interface needs root");
	cr_assert_eq(fan_eal_start("test_egress", 1, NULL), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_egress_open(&egress, "af_packet:lo", 1, NULL), 0, "%s", fan_error_detail());
	cr_assert_lt(egress.frame_bytes_max, UINT16_MAX);
	cr_assert_geq(egress.frame_bytes_max, 1500);
	cr_assert_eq(fan_egress_close(&egress), 0);
}

/* A process that may open nothing more, for want of descriptors or by its sandbox, would take a port that is gone for one that is up. */
Test(egress, the_link_is_seen_by_a_process_that_may_open_nothing, .timeout = 60)
{
	struct rlimit before, none;
	struct fan_egress egress;

	if (geteuid() != 0 || if_nametoindex("lo") == 0)
		cr_skip_test("af_packet on the loopback interface needs root");
	cr_assert_eq(fan_eal_start("test_egress", 1, NULL), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_egress_open(&egress, "af_packet:lo", 1, NULL), 0, "%s", fan_error_detail());
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ 0, before.rlim_max };
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	fan_egress_look(&egress);
	cr_assert(fan_egress_up(&egress));
	egress.if_index = INT32_MAX;
	fan_egress_look(&egress);
	cr_assert(fan_egress_gone(&egress));
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0); /* Criterion tells of the end by a new socket. */
	cr_assert_eq(fan_egress_close(&egress), 0);
}

/* Frames of a batch differ in length: the first one's says nothing of the others. */
Test(egress, an_mtu_that_falls_holds_every_frame_that_is_too_long, .timeout = 60)
{
	struct fan_test_side side;
	struct fan_test_appliance appliance;
	struct fan_message message;
	struct fan_group *group;
	uint32_t longest;

	lies.on = true;
	group = open_liar(&side, &appliance, 64);
	fan_test_message(&message, "hello", 5);
	fan_test_send(&appliance, group, &message);
	cr_assert_eq(appliance.result.sent, 64);
	longest = lies.longest;
	for (unsigned missing = 1; missing <= 2; missing++) {
		__atomic_store_n(&lies.link_down, true, __ATOMIC_RELAXED);
		__atomic_store_n(&lies.longest, 0, __ATOMIC_RELAXED);
		usleep(20000);
		begin(&appliance, group, &message);
		usleep(20000);
		__atomic_store_n(&lies.mtu, (uint16_t)(longest - 14 - missing), __ATOMIC_RELAXED);
		usleep(20000);
		__atomic_store_n(&lies.link_down, false, __ATOMIC_RELAXED);
		usleep(50000);
		cr_assert_eq(__atomic_load_n(&lies.longest, __ATOMIC_RELAXED), 0,
			     "a frame left through an MTU that is too small");
		cr_assert_eq(fan_poll(appliance.fanfare), 1);
		__atomic_store_n(&lies.mtu, (uint16_t)(longest - 14), __ATOMIC_RELAXED);
		fan_test_run(&appliance, 0);
		cr_assert_eq(appliance.result.sent, 64);
		cr_assert_eq(lies.longest, longest);
	}
	close_liar(&side, &appliance);
}

/* Counters may be set back by anybody, or wrap: what was counted before is not counted again, and nothing is made of the difference. */
Test(egress, counters_that_fall_are_a_new_base, .timeout = 60)
{
	static const struct {
		uint64_t counted, lost;
	} rows[] = { { 5, 0 }, { 8, 3 }, { 8, 0 }, { 0, 0 }, { 0, 0 }, { 2, 2 }, { UINT64_MAX, UINT64_MAX - 2 },
		     { 1, 0 }, { 2, 1 } };
	struct fan_egress egress;

	lies.on = true;
	lies.mtu = 1500;
	lies.losses = rows[0].counted;
	cr_assert_eq(fan_eal_start("test_egress", 1, NULL), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_egress_open(&egress, "net_null", 1, NULL), 0, "%s", fan_error_detail());
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		lies.losses = rows[i].counted;
		cr_assert_eq(fan_egress_take_losses(&egress), rows[i].lost, "row %zu", i);
	}
	cr_assert_eq(fan_egress_close(&egress), 0);
}

/* What a port lost is told to messages that were on their way then, to each no more than it sent, and to no other. */
Test(egress, losses_are_told_to_messages_that_were_on_their_way, .timeout = 60)
{
	static const struct {
		unsigned before, during, sent; /* lost before the message began, and while it was on its way */
	} rows[] = {
		{ 0, 0, 100 }, { 0, 30, 70 }, { 0, 1000, 0 }, { 0, 0, 100 }, { 250, 0, 100 }, { 7, 5, 95 }, { 0, 0, 100 }
	};
	struct fan_test_side side;
	struct fan_test_appliance appliance;
	struct fan_message message;
	struct fan_group *group;
	uint64_t all = 0;

	lies.on = true;
	group = open_liar(&side, &appliance, 100);
	fan_test_message(&message, "hello", 5);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		lies.losses += rows[i].before;
		begin(&appliance, group, &message);
		lies.losses += rows[i].during;
		fan_test_run(&appliance, 0);
		all = i == 0 ? appliance.result.bytes_out : all;
		cr_assert_eq(appliance.result.sent, rows[i].sent, "row %zu: %lu sent", i, appliance.result.sent);
		cr_assert_eq(appliance.result.dropped[FAN_DROP_PORT], 100 - rows[i].sent, "row %zu", i);
		cr_assert_eq(appliance.result.bytes_out, all * rows[i].sent / 100, "row %zu: %lu of %lu octets", i,
			     appliance.result.bytes_out, all);
		cr_assert_eq(appliance.not_served, 0, "nobody can tell whose frames were lost");
	}
	begin(&appliance, group, &message);
	begin(&appliance, group, &message);
	lies.losses += 150;
	fan_test_run(&appliance, 1);
	fan_test_run(&appliance, 0);
	cr_assert_eq(appliance.result.sent, 50, "what the first has not sent is the second's");
	close_liar(&side, &appliance);
}

/* A message that begins after a loss and ends before the one that had it. */
Test(egress, losses_are_not_told_to_a_message_that_began_later, .timeout = 60)
{
	struct fan_test_side side;
	struct fan_test_appliance appliance;
	struct fan_message message;
	struct fan_group *group, *few;

	lies.on = true;
	group = open_liar(&side, &appliance, 3000);
	few = fan_test_group(&appliance, "few@example.org", 2900, 50, FAN_PROFILE_EPS_NAS_NIDD);
	fan_test_message(&message, "hello", 5);
	lies.room = 100;
	begin(&appliance, group, &message);
	lies.losses = 40;
	message.priority = 7;
	begin(&appliance, few, &message);
	__atomic_store_n(&lies.room, 2000, __ATOMIC_RELAXED);
	fan_test_run(&appliance, 1);
	cr_assert(appliance.result.ues == 50 && appliance.result.sent == 50, "%lu of %lu sent", appliance.result.sent,
		  appliance.result.ues);
	__atomic_store_n(&lies.room, UINT32_MAX, __ATOMIC_RELAXED);
	fan_test_run(&appliance, 0);
	cr_assert(appliance.result.ues == 3000 && appliance.result.sent == 2960, "%lu sent", appliance.result.sent);
	/* Nor what is left over when the one that had it is told first. */
	message.priority = 0;
	__atomic_store_n(&lies.link_down, true, __ATOMIC_RELAXED);
	usleep(20000);
	begin(&appliance, few, &message);
	lies.losses += 1000;
	begin(&appliance, group, &message);
	__atomic_store_n(&lies.link_down, false, __ATOMIC_RELAXED);
	fan_test_run(&appliance, 0);
	cr_assert(appliance.result.ues == 3000 && appliance.result.sent == 3000, "%lu sent", appliance.result.sent);
	close_liar(&side, &appliance);
}

/* A driver that says it took more than it was given has all of it, and gets no more: what is left is reported. */
Test(egress, a_port_that_takes_more_than_it_was_given_is_at_fault, .timeout = 60)
{
	for (unsigned is_network = 0; is_network < 2; is_network++) {
		struct fan_test_side side;
		struct fan_test_appliance appliance;
		struct fan_message message;
		struct fan_group *group;

		lies.on = is_network;
		lies.overstate = 1;
		group = open_liar(&side, &appliance, 100);
		fan_test_message(&message, "hello", 5);
		fan_test_send(&appliance, group, &message);
		cr_assert_eq(appliance.result.sent, 64, "%lu sent", appliance.result.sent);
		cr_assert_eq(appliance.result.dropped[FAN_DROP_PORT], 36);
		lies.overstate = 0;
		fan_egress_look(&appliance.fanfare->dataplane->egress);
		fan_test_send(&appliance, group, &message);
		cr_assert_eq(appliance.result.dropped[FAN_DROP_PORT], 100, "it is trusted again");
		close_liar(&side, &appliance);
	}
}

/* net_pcap is a file or a network, as its arguments say. The driver forgets handles of libpcap, which a search for leaks would lay at our
 * door. */
Test(egress, a_port_behind_which_an_interface_lies_is_a_network, .timeout = 60)
{
	static const struct {
		const char *name, *key, *rest; /* a file stands behind the key */
		bool is_network, receives;
	} rows[] = {
		{ "net_pcap1", ",tx_pcap=", "", false, false },   { "net_pcap2,tx_iface=lo", "", "", true, false },
		{ "net_pcap3,iface=lo", "", "", true, true },     { "net_pcap4", ",tx_pcap=", ",tx_iface=lo", false, false },
		{ "net_pcap5,rx_iface=lo", "", "", false, true }, { "net_pcap6,tx_iface=lo,tx_iface=lo", "", "", true, false },
	};
	const char *file = new_path();
	struct fan_options options = { .struct_bytes = sizeof(options), .egress = "net_pcap7,tx_iface=lo" };
	struct fanfare *fanfare;

	if (FAN_TEST_UNDER_ASAN)
		cr_skip_test("net_pcap leaks memory, and AddressSanitizer looks for leaks");
	if (geteuid() != 0 || if_nametoindex("lo") == 0)
		cr_skip_test("packets on the loopback interface need root");
	cr_assert_eq(fan_eal_start("test_egress", 1, NULL), 0, "%s", fan_error_detail());
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fan_egress egress;
		char name[128];
		uint8_t ethernet[6];

		snprintf(name, sizeof(name), "%s%s%s%s", rows[i].name, rows[i].key, rows[i].key[0] != '\0' ? file : "",
			 rows[i].rest);
		cr_assert_eq(fan_egress_open(&egress, name, 1, NULL), 0, "%s: %s", name, fan_error_detail());
		cr_assert_eq(egress.carries_any, !rows[i].is_network, "%s", name);
		cr_assert_eq(egress.receive_queues, rows[i].receives, "%s", name);
		cr_assert_eq(egress.if_index, rows[i].is_network ? if_nametoindex("lo") : 0, "%s", name);
		cr_assert_eq(egress.frame_bytes_max == UINT16_MAX, !rows[i].is_network, "%s", name);
		cr_assert_not(fan_egress_ethernet(&egress, ethernet),
			      "the loopback interface has no address, whatever its driver says");
		cr_assert_eq(fan_egress_close(&egress), 0);
	}
	unlink(file);
	cr_assert_eq(fan_open(&fanfare, &options), FAN_E_INVALID);
	cr_assert_not_null(strstr(fan_error_detail(), "source_address"), "%s", fan_error_detail());
	options.source_address[0] = 192;
	cr_assert_eq(fan_open(&fanfare, &options), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_close(fanfare), 0);
}
