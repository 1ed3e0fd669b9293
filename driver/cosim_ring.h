/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One end of a ring of cosim_protocol.h, for either side. The own counter is kept here, where the other side cannot change it.
 */
#ifndef FAN_COSIM_RING_H
#define FAN_COSIM_RING_H

#include "cosim_protocol.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum fan_cosim_ring_state {
	FAN_COSIM_RING_DONE,
	FAN_COSIM_RING_NOT_NOW, /* full, or empty */
	FAN_COSIM_RING_BROKEN,  /* the other side's counter is impossible */
};

static inline enum fan_cosim_ring_state
fan_cosim_ring_put(struct fan_cosim_ring *ring, uint32_t *written, const struct fan_cosim_message *message)
{
	const uint32_t used = *written - __atomic_load_n(&ring->taken, __ATOMIC_ACQUIRE);

	if (used > FAN_COSIM_RING_ENTRIES)
		return FAN_COSIM_RING_BROKEN;
	if (used == FAN_COSIM_RING_ENTRIES)
		return FAN_COSIM_RING_NOT_NOW;
	ring->message[*written % FAN_COSIM_RING_ENTRIES] = *message;
	++*written;
	__atomic_store_n(&ring->written, *written, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&ring->sleeping, __ATOMIC_SEQ_CST) != 0)
		syscall(SYS_futex, &ring->written, FUTEX_WAKE, 1, NULL, NULL, 0);
	return FAN_COSIM_RING_DONE;
}

/* Out: a copy, which the other side cannot change any more. */
static inline enum fan_cosim_ring_state
fan_cosim_ring_take(struct fan_cosim_ring *ring, uint32_t *taken, struct fan_cosim_message *message)
{
	const uint32_t used = __atomic_load_n(&ring->written, __ATOMIC_ACQUIRE) - *taken;

	if (used > FAN_COSIM_RING_ENTRIES)
		return FAN_COSIM_RING_BROKEN;
	if (used == 0)
		return FAN_COSIM_RING_NOT_NOW;
	memcpy(message, &ring->message[*taken % FAN_COSIM_RING_ENTRIES], sizeof(*message));
	++*taken;
	__atomic_store_n(&ring->taken, *taken, __ATOMIC_RELEASE);
	return FAN_COSIM_RING_DONE;
}

/* The reader sleeps until something is there, or the time is over, or for no reason. */
static inline void
fan_cosim_ring_sleep(struct fan_cosim_ring *ring, uint32_t taken, unsigned us)
{
	const struct timespec time = { us / 1000000, (long)(us % 1000000) * 1000 };

	__atomic_store_n(&ring->sleeping, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&ring->written, __ATOMIC_SEQ_CST) == taken)
		syscall(SYS_futex, &ring->written, FUTEX_WAIT, taken, &time, NULL, 0);
	__atomic_store_n(&ring->sleeping, 0, __ATOMIC_SEQ_CST);
}

/* Whether a file that the other side sent can be mapped whole: it has the octets, and cannot lose them while it is mapped. */
static inline bool
fan_cosim_file_safe(int file, uint64_t bytes)
{
	struct stat stat;
	const int seals = fcntl(file, F_GET_SEALS);

	return seals >= 0 && (seals & F_SEAL_SHRINK) != 0 && fstat(file, &stat) == 0 && stat.st_size >= 0 &&
	       (uint64_t)stat.st_size >= bytes;
}

/* Whether a file of DMA is memory that the card may only read. */
static inline bool
fan_cosim_file_read_only(int file)
{
	const int seals = fcntl(file, F_GET_SEALS);

	return seals >= 0 && (seals & F_SEAL_FUTURE_WRITE) != 0;
}

#endif
