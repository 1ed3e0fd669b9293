/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What dpdk-telemetry.py shows of a dataplane, where EAL was started with --telemetry: counters of workers, which a thread of DPDK's reads
 * whenever a client asks. Commands: /fanfare/pdus, /fanfare/drops, /fanfare/worker,INDEX, /fanfare/engines.
 */
#ifndef FAN_TELEMETRY_H
#define FAN_TELEMETRY_H

#include "dataplane.h"

/* The commands answer of this dataplane from now on, whose workers run. They stay known to DPDK for as long as the process lives, and answer
 * nothing while no dataplane is shown. Control thread. */
void fan_telemetry_show(const struct fan_dataplane *dataplane);
/* ... of none; waits for a command that is being answered. Before the workers are freed. Control thread. */
void fan_telemetry_hide(void);

#endif
