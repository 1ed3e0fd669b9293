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

/* The control thread writes everything before workers run and after they have stopped, but for the capture. */
struct fan_egress {
	uint16_t port;
	uint16_t queue_count;     /* transmit queues, one per worker */
	uint16_t receive_queues;  /* of a port that loops back, else 0 */
	uint16_t frame_bytes_max; /* longest frame that the port carries */
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

/* Hands leading frames to the port, which owns them then; returns how many. Short means back-pressure. Never blocks. */
static inline uint16_t
fan_egress_send_burst(const struct fan_egress *egress, uint16_t queue, struct rte_mbuf **frames, uint16_t frame_count)
{
	return rte_eth_tx_burst(egress->port, queue, frames, frame_count);
}

/* Appends frames to the capture, in the order of the calls. Any worker; serialised by a lock: capturing is not a fast path. */
void fan_egress_capture_burst(struct fan_egress *egress, struct rte_mbuf *const *frames, uint16_t frame_count);

#endif
