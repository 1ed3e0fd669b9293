/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A peer for bench_engine: Intel's multi-buffer library as an IPsec stack would use it, one chained job per UE in bursts, with each
 * UE's key schedules and CMAC subkeys expanded once and kept in memory.
 */
#ifndef FAN_IPSEC_MB_STORED_H
#define FAN_IPSEC_MB_STORED_H

#include "../dataplane/engine/engine.h"

/* Not in fan_engines: it serves only contexts that it was given, and only EEA2 with EIA2 over NAS. Reads up to 15 octets behind a
 * PDU. */
extern const struct fan_engine_ops fan_ipsec_mb_stored;

/* Expands the keys of contexts[0 .. ue_count - 1], whose `ue` are 0 .. ue_count - 1; ends the program when there is no memory for
 * 384 octets each. Before the first batch. */
void fan_ipsec_mb_stored_expand(struct fan_engine *engine, const struct fan_context *contexts, uint32_t ue_count);

#endif
