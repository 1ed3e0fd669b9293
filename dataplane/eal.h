/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * EAL, DPDK's environment, is started once per process and cannot be started again: the first caller's options decide.
 */
#ifndef FAN_EAL_H
#define FAN_EAL_H

#include "context/error.h"

/*
 * Starts EAL for worker_count workers beside the calling thread, which becomes the main lcore; does nothing when it runs already.
 * Without free huge pages it runs on ordinary ones. In: further EAL arguments, NULL-terminated or NULL; those about cores, memory
 * or devices replace ours. Errors: IO, UNSUPPORTED (started before with fewer workers).
 */
int fan_eal_start(const char *program, unsigned worker_count, const char *const *arguments);

/* True once EAL runs on huge pages. */
bool fan_eal_huge_pages(void);

#endif
