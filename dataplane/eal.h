/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * EAL, DPDK's environment, is started once per process and cannot be started again: the first caller's options decide, also when they
 * fail. A host that runs DPDK has started it, and then its EAL serves.
 */
#ifndef FAN_EAL_H
#define FAN_EAL_H

#include "context/error.h"

/*
 * Starts EAL for worker_count workers beside the calling thread, which becomes the main lcore and keeps its CPU affinity; does nothing
 * when it runs already, whoever started it. Without free huge pages it runs on ordinary ones. In: further EAL arguments,
 * NULL-terminated or NULL; those about cores or devices replace ours, -m replaces the amount of memory, and --huge-dir, --in-memory,
 * --file-prefix and --proc-type replace all that is said of memory. Errors: INVALID (an argument that no EAL takes; it was not started and
 * may be later), IO (also whenever it has failed before), UNSUPPORTED (fewer lcores are idle than there are
 * workers).
 */
int fan_eal_start(const char *program, unsigned worker_count, const char *const *arguments);

/* UNSUPPORTED in a child of the process in which fan_eal_start() was called: the threads of EAL are not in it. */
int fan_eal_check_process(void);

/* The next lcore behind `after` on which nothing runs and which is not the main one; RTE_MAX_LCORE when there is none. In: (unsigned)-1
 * for the first. */
unsigned fan_eal_idle_lcore(unsigned after);

/* True once EAL runs on huge pages. */
bool fan_eal_huge_pages(void);

#endif
