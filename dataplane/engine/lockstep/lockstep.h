/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The lockstep engine (engine.h), on techniques of its own (technique.h).
 */
#ifndef FAN_LOCKSTEP_H
#define FAN_LOCKSTEP_H

#include "../engine.h"

/* On the widest registers of this CPU, and on each kind by name. */
extern const struct fan_engine_ops fan_engine_lockstep;
extern const struct fan_engine_ops fan_engine_lockstep_vaes512;
extern const struct fan_engine_ops fan_engine_lockstep_vaes256;
extern const struct fan_engine_ops fan_engine_lockstep_aesni;

#endif
