/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine on Intel's multi-buffer library; see engine.h. */
#ifndef FAN_IPSEC_MB_H
#define FAN_IPSEC_MB_H

#include "../engine.h"

extern const struct fan_engine_ops fan_engine_ipsec_mb;

#endif
