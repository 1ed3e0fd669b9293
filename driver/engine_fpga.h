/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine on our card, or on the model of it; see engine.h. A device is what fan_card_open() takes. */
#ifndef FAN_ENGINE_FPGA_H
#define FAN_ENGINE_FPGA_H

#include "../dataplane/engine/engine.h"

extern const struct fan_engine_ops fan_engine_fpga;

#endif
