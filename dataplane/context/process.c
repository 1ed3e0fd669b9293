/* SPDX-License-Identifier: BSD-3-Clause */
#include "process.h"

#include <pthread.h>

static unsigned forks;

static void
count_fork(void)
{
	forks++;
}

/* getpid() would ask the kernel in every call. */
static void __attribute__((constructor)) begin(void)
{
	(void)pthread_atfork(NULL, NULL, count_fork);
}

unsigned
fan_process_forks(void)
{
	return forks;
}
