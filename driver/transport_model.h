/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The card as a Verilated model in this process: no latency, deterministic, debuggable. Its clocks pass while a register is accessed, while
 * an interrupt is waited for, and while a driver relaxes; the card's addresses are this process's.
 */
#ifndef FAN_TRANSPORT_MODEL_H
#define FAN_TRANSPORT_MODEL_H

#include "card_transport.h"

/* options: what stands behind "model" in the name of a card, "" or ",seed=7,stall=0.3". INVALID, UNSUPPORTED (not built), MEMORY. */
int fan_transport_model_open(struct fan_card_transport **transport, const char *options);

#endif
