/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine on our card, or on the model of it; see engine.h. A device is what fan_card_open() takes. */
#ifndef FAN_ENGINE_FPGA_H
#define FAN_ENGINE_FPGA_H

#include "../dataplane/engine/engine.h"

extern const struct fan_engine_ops fan_engine_fpga;

/* Asks an engine's card all questions (card_exam.h) whether it is time or not, and waits. IO when it does not answer each of them rightly:
 * says where, and that is out of service now. Nothing may be under way in this instance; BUSY when somebody else asks. */
int fan_engine_fpga_examine(struct fan_engine *engine);

#endif
