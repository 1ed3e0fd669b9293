/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Diameter side of `fanfare keys`: what the courier hands out goes to HSSs as Configuration-Information-Requests of S6t and to MMEs as those of
 * T6a; HSSs are asked by Subscriber-Information-Requests of S6m, and say what has changed by Reporting-Information-Requests of S6t.
 *
 * One of these in a process, as of the node that it is (../diameter/node.h).
 */
#ifndef FAN_NORTH_KEYS_DIAMETER_H
#define FAN_NORTH_KEYS_DIAMETER_H

#include "../diameter/node.h"
#include "settings.h"

/* Opens the courier and listens. settings and notify stay the caller's and must outlive it; from here on the courier alone feeds the watchdog. Signals
 * that main() waits for are blocked before. INVALID, IO, MEMORY. */
int fan_keys_open(const struct fan_keys_settings *settings, struct fan_notify *notify);
/* Ends the courier, takes leave of the peers. Safe when it was not opened. */
void fan_keys_close(void);

#endif
