/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What proof of reception from the wire costs one core: delivery statuses of one receipt a frame, and datagrams of relays full of them,
 * from frames in memory to windows that have moved, in random order over all contexts.
 *
 *	bench_receipts [contexts=1000000] [hops=1000] [rounds=5] [ledger=0]
 *
 * ledger=1: as with a store, where each notes for its block that the next checkpoint has news; nothing is written meanwhile.
 */
#include "../dataplane/context/count.h"
#include "../dataplane/pdu/receipt.h"
#include "../host-api/appliance/handles.h"
#include "arguments.h"
#include "slices.h"

#include <rte_cycles.h>
#include <rte_ip.h>
#include <stdio.h>

#define BURST 64
#define STATUS_ROOM_BYTES 128 /* 66 are used */
#define RELAY_ROOM_BYTES 1536

enum { NAS, BEARER, TABLES };

static struct fan_context_table tables[TABLES];
static struct fan_dataplane dataplane = { .tables = tables, .table_count = TABLES };
static struct fan_receipts *receipts;
static struct fanfare fanfare = { .dataplane = &dataplane };
static unsigned long context_count = 1000000, hop_count = 1000, rounds = 5, ledger;
static uint32_t *order; /* contexts, shuffled */

static void
must(int error)
{
	if (error >= 0)
		return;
	fprintf(stderr, "bench_receipts: %s\n", fan_error_detail());
	exit(1);
}

static uint8_t *
put(uint8_t *at, uint64_t value, unsigned byte_count)
{
	for (unsigned i = 0; i < byte_count; i++)
		at[i] = (uint8_t)(value >> (8 * (byte_count - 1 - i)));
	return at + byte_count;
}

static unsigned
hop_of(uint32_t context)
{
	return (unsigned)(context % hop_count);
}

/* Ids as a core gives them out: neighbours, each unlike its context's place. */
static uint32_t
id_of(uint32_t context)
{
	return 1 + context * 7U;
}

static void
provision(unsigned table, uint8_t integrity, enum fan_kind kind)
{
	const struct fan_protection protection = {
		.kind = (uint8_t)kind, .cipher = 2, .integrity = integrity, .bearer_id = kind == FAN_KIND_EPS_NAS ? 5 : 0
	};

	must(fan_context_table_init(&tables[table], protection, context_count));
	for (uint32_t i = 0; i < context_count; i++) {
		const struct fan_ue ue = { .struct_bytes = sizeof(ue),
					   .kind = kind,
					   .cipher = 2,
					   .integrity = integrity,
					   .count = 1000,
					   .count_reserved = 10000,
					   .unacknowledged = 199,
					   .next_hop = (uint16_t)hop_of(i),
					   .bearer_id = 5,
					   .teid = i + 1,
					   .uplink_teid = id_of(i),
					   .mme_ue_id = id_of(i) };
		const int64_t slot = fan_context_add(&tables[table], &ue);

		must(slot < 0 ? (int)slot : 0);
		must(fan_receipts_enter(receipts, table, (uint32_t)slot, ue.uplink_teid));
	}
}

/* Ethernet, IPv4 and UDP before a payload that is there. Returns the frame's octets. */
static size_t
wrap(uint8_t *frame, unsigned hop, uint16_t port, size_t payload_bytes)
{
	struct rte_ipv4_hdr ipv4 = { .version_ihl = 0x45,
				     .total_length = rte_cpu_to_be_16((uint16_t)(28 + payload_bytes)),
				     .time_to_live = 64,
				     .next_proto_id = IPPROTO_UDP };
	uint8_t *udp = frame + 34;
	uint16_t checksum;

	memset(frame, 0, 14);
	memcpy(frame, dataplane.link.ethernet, 6);
	(void)put(frame + 12, 0x0800, 2);
	memcpy(&ipv4.src_addr, dataplane.hops[hop].address, 4);
	memcpy(&ipv4.dst_addr, dataplane.link.address, 4);
	ipv4.hdr_checksum = rte_ipv4_cksum(&ipv4);
	memcpy(frame + 14, &ipv4, sizeof(ipv4));
	(void)put(put(udp, 40000U << 16 | port, 4), (uint64_t)(8 + payload_bytes) << 16, 4);
	checksum = rte_ipv4_udptcp_cksum(&ipv4, udp);
	memcpy(udp + 6, &checksum, sizeof(checksum));
	return 42 + payload_bytes;
}

static size_t
make_status(uint8_t *frame, uint32_t context, uint32_t sn)
{
	uint8_t *at = put(frame + 42, 0x34ff0010, 4);

	at = put(put(at, id_of(context), 4), 0x84, 4);
	at = put(put(at, 0x031400, 3), 0, 4);
	(void)put(put(at, sn, 3), 0, 2);
	return wrap(frame, hop_of(context), FAN_PORT_GTPU, 24);
}

/* Of UEs of one next hop, since a relay speaks for no others. Out: *next moves on. */
static size_t
make_relay(uint8_t *frame, size_t *next, uint64_t sequence, uint32_t count)
{
	const unsigned hop = hop_of(order[*next]);
	uint8_t *at = frame + 42 + 16;
	unsigned entries = 0;

	for (; *next < context_count && entries < FAN_RECEIPTS_A_FRAME && hop_of(order[*next]) == hop; (*next)++, entries++)
		at = put(put(put(at, FAN_RECEIPT_EPS_NAS, 1), id_of(order[*next]), 8), count, 4);
	(void)put(put(put(frame + 42, 0x46414e520100, 6), entries, 2), sequence, 8);
	return wrap(frame, hop, FAN_PORT_RECEIPT, 16 + entries * 13UL);
}

static int
compare_hops(const void *one, const void *other)
{
	uint32_t a, b;

	memcpy(&a, one, sizeof(a));
	memcpy(&b, other, sizeof(b));
	return hop_of(a) != hop_of(b) ? (hop_of(a) > hop_of(b) ? 1 : -1) : 0;
}

static void
shuffle(void)
{
	uint64_t state = 1;

	for (uint32_t i = 0; i < context_count; i++)
		order[i] = i;
	for (uint32_t i = (uint32_t)context_count - 1; i > 0; i--) {
		uint32_t other, own = order[i];

		state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		other = (uint32_t)((state >> 32) * (i + 1) >> 32);
		order[i] = order[other];
		order[other] = own;
	}
}

/* Gives all frames once; every receipt in them must be new. */
static void
run(const char *name, const struct fan_receipt_octets *frames, size_t frame_count, double tsc_hz)
{
	struct fan_receipt_figures before = { .struct_bytes = 0 }, after = { .struct_bytes = 0 };
	uint64_t begin_tsc;
	double cycles;

	fan_receipts_count(receipts, &before);
	begin_tsc = rte_rdtsc_precise();
	for (size_t i = 0; i < frame_count; i += BURST)
		fan_receipts_take_burst(receipts, frames + i, (unsigned)(frame_count - i < BURST ? frame_count - i : BURST));
	cycles = (double)(rte_rdtsc_precise() - begin_tsc);
	fan_receipts_count(receipts, &after);
	if (after.accepted - before.accepted != context_count) {
		fprintf(stderr, "bench_receipts: %s: %lu of %lu accepted\n", name, after.accepted - before.accepted,
			context_count);
		exit(1);
	}
	printf("%s: %zu frames, %.0f cycles an acknowledgement, %.2f M/s\n", name, frame_count, cycles / (double)context_count,
	       (double)context_count / cycles * tsc_hz / 1e6);
}

static void
measure(double tsc_hz)
{
	struct fan_receipt_octets *frames = calloc(context_count, sizeof(*frames));
	const size_t relay_frames_max = context_count / FAN_RECEIPTS_A_FRAME + hop_count;
	uint8_t *octets = fan_slices_map(context_count * STATUS_ROOM_BYTES + relay_frames_max * RELAY_ROOM_BYTES);
	uint64_t sequence = 0;

	must(frames == NULL ? fan_fail(FAN_E_MEMORY, "no memory for frames") : 0);
	for (unsigned round = 0; round < rounds; round++) {
		size_t frame_count = 0;

		shuffle();
		for (; frame_count < context_count; frame_count++) {
			frames[frame_count].octets = octets + frame_count * STATUS_ROOM_BYTES;
			frames[frame_count].octet_count = make_status(octets + frame_count * STATUS_ROOM_BYTES,
								      order[frame_count], 801 + round);
		}
		run("delivery statuses", frames, frame_count, tsc_hz);
		qsort(order, context_count, sizeof(*order), compare_hops);
		frame_count = 0;
		for (size_t next = 0; next < context_count; frame_count++) {
			uint8_t *frame = octets + frame_count * RELAY_ROOM_BYTES;

			frames[frame_count].octets = frame;
			frames[frame_count].octet_count = make_relay(frame, &next, ++sequence, 801 + round);
		}
		run("relays' datagrams", frames, frame_count, tsc_hz);
	}
	free(frames);
}

static void
open_receipts(void)
{
	dataplane.link = (struct fan_link){ .ethernet = { 2, 0, 0, 0, 0, 9 }, .address = { 192, 0, 2, 1 } };
	dataplane.egress.receive_queues = 1;
	dataplane.hop_count = (unsigned)hop_count;
	dataplane.hops = aligned_alloc(32, hop_count * sizeof(*dataplane.hops));
	order = calloc(context_count, sizeof(*order));
	must(dataplane.hops == NULL || order == NULL ? fan_fail(FAN_E_MEMORY, "no memory for next hops") : 0);
	for (unsigned i = 0; i < hop_count; i++)
		dataplane.hops[i] = (struct fan_hop){ .address = { 198, 51, (uint8_t)(i >> 8), (uint8_t)i } };
	/* A store that there is, and that nobody asks. */
	fanfare.store = ledger != 0 ? (struct fan_store *)&fanfare : NULL;
	must(fan_receipts_open(&receipts, &dataplane, &fanfare, 0));
}

int
main(int argc, char **argv)
{
	double tsc_hz;

	for (int i = 1; i < argc; i++)
		if (!fan_argument_number(&context_count, argv[i], "contexts", 100000, 100000000) &&
		    !fan_argument_number(&hop_count, argv[i], "hops", 1, 65536) &&
		    !fan_argument_number(&rounds, argv[i], "rounds", 1, 200) &&
		    !fan_argument_number(&ledger, argv[i], "ledger", 0, 1)) {
			fprintf(stderr, "usage: bench_receipts [contexts=1000000] [hops=1000] [rounds=5] [ledger=0|1]\n");
			return 2;
		}
	tsc_hz = fan_slices_tsc_hz();
	open_receipts();
	provision(NAS, 2, FAN_KIND_EPS_NAS);
	provision(BEARER, FAN_INTEGRITY_NONE, FAN_KIND_NR_PDCP_12);
	measure(tsc_hz);
	fan_receipts_close(receipts);
	if (ledger != 0)
		fan_ledger_free(&fanfare);
	for (unsigned i = 0; i < TABLES; i++)
		fan_context_table_free(&tables[i]);
	free(dataplane.hops);
	free(order);
	return 0;
}
