/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Egress: the DPDK port that frames leave through, one transmit queue per worker, and an optional capture of every frame.
 */
#ifndef FAN_EGRESS_H
#define FAN_EGRESS_H

#include "context/error.h"

#include <pcap/pcap.h>
#include <pthread.h>
#include <rte_ethdev.h>

enum fan_egress_state {
	FAN_EGRESS_UP,
	FAN_EGRESS_DOWN, /* the link is down: frames wait */
	FAN_EGRESS_GONE, /* the device is no more, or its driver is at fault: frames are lost */
};

/* The control thread writes everything before workers run and after they have stopped, but for the capture. */
struct fan_egress {
	uint16_t port;
	uint16_t queue_count;     /* transmit queues, one per worker */
	uint16_t receive_queues;  /* 0: frames from it mean nothing, or there are none */
	bool loops_back;          /* what it sends it receives */
	uint16_t frame_bytes_max; /* longest frame that the port carries now; stored atomically by whoever looks */
	uint8_t state;            /* enum fan_egress_state; the same */
	bool at_fault; /* the driver has broken its contract, and is trusted no more; stored atomically by any worker */
	uint64_t look_every_tsc; /* a millisecond */
	uint64_t look_tsc;       /* when somebody looked at the port last; claimed atomically */
	uint64_t losses;   /* the port's counter of frames that it lost after it had taken them, as read last; control thread */
	unsigned if_index; /* of the kernel's interface behind the port; 0: none */
	int kernel; /* a socket to ask after it, where there is one: kept, so that a look costs little and opens nothing */
	bool carries_any;    /* a port whose frames reach nobody: no link, no limit */
	unsigned link_bytes; /* of a frame before its IP header, which the MTU does not count */
	bool started;
	char device[RTE_ETH_NAME_MAX_LEN]; /* the port we made ourselves, empty otherwise */
	struct rte_mempool *frames;        /* of all workers; buffers of FAN_TEXT_OFFSET + PDU */
	pcap_t *capture_format;
	pcap_dumper_t *capture; /* NULL: no capture; what it holds is written by workers, under the lock */
	pthread_mutex_t capture_lock;
	int capture_errno; /* of the first write that failed, 0: none did; written by workers, under the lock */
};

/*
 * Opens and starts a port. In: name as fan_options.egress; queue_count workers; capture a path or NULL. EAL runs already.
 * Errors: NOT_FOUND (no such port or interface), UNSUPPORTED (too few queues), IO, MEMORY. Control thread.
 */
int fan_egress_open(struct fan_egress *egress, const char *name, unsigned queue_count, const char *capture);
/* Stops the port and closes the capture. IO when the capture could not be written whole. Safe on a zeroed struct. */
int fan_egress_close(struct fan_egress *egress);

/* Looks at the port's link, device and MTU. Any thread. */
void fan_egress_look(struct fan_egress *egress);

/* Looks when nobody has for a millisecond. Any worker, once a turn. */
static inline void
fan_egress_watch(struct fan_egress *egress, uint64_t now_tsc)
{
	uint64_t last = __atomic_load_n(&egress->look_tsc, __ATOMIC_RELAXED);

	if (__builtin_expect((int64_t)(now_tsc - last) > (int64_t)egress->look_every_tsc, 0) &&
	    __atomic_compare_exchange_n(&egress->look_tsc, &last, now_tsc, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		fan_egress_look(egress);
}

static inline bool
fan_egress_up(const struct fan_egress *egress)
{
	return __atomic_load_n(&egress->state, __ATOMIC_RELAXED) == FAN_EGRESS_UP;
}

static inline bool
fan_egress_gone(const struct fan_egress *egress)
{
	return __atomic_load_n(&egress->state, __ATOMIC_RELAXED) == FAN_EGRESS_GONE;
}

static inline uint16_t
fan_egress_frame_bytes_max(const struct fan_egress *egress)
{
	return __atomic_load_n(&egress->frame_bytes_max, __ATOMIC_RELAXED);
}

/* Out: the port's own Ethernet address, or that of the kernel's interface behind it. False when it has none. */
bool fan_egress_ethernet(const struct fan_egress *egress, uint8_t ethernet[6]);

/* Frames that the port has lost since this was asked last, by its own counters: 0 when somebody set them back meanwhile. Control thread. */
uint64_t fan_egress_take_losses(struct fan_egress *egress);

/* Trusts the driver no more: the port is gone from now on. Any thread. */
void fan_egress_fail(struct fan_egress *egress);

/* Hands leading frames to the port, which owns them then; returns how many. Short means back-pressure. Never blocks. A driver that says it
 * took more than there were has taken all of them, and is at fault. */
static inline uint16_t
fan_egress_send_burst(struct fan_egress *egress, uint16_t queue, struct rte_mbuf **frames, uint16_t frame_count)
{
	const uint16_t taken = rte_eth_tx_burst(egress->port, queue, frames, frame_count);

	if (__builtin_expect(taken <= frame_count, 1))
		return taken;
	fan_egress_fail(egress);
	return frame_count;
}

/* Appends frames to the capture, in the order of the calls. Any worker; serialised by a lock: capturing is not a fast path. */
void fan_egress_capture_burst(struct fan_egress *egress, struct rte_mbuf *const *frames, uint16_t frame_count);

#endif
