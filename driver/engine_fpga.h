/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine fpga beyond engine.h. */
#ifndef FAN_ENGINE_FPGA_H
#define FAN_ENGINE_FPGA_H

#include "../dataplane/engine/engine.h"

/* As fan_engine_fpga.open(), on a certain card: `where` as fan_card_open() takes it. */
int fan_engine_fpga_open_on(struct fan_engine **engine, const char *where);

#endif
