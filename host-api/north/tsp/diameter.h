/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Diameter side of `fanfare tsp`: takes Device-Action-Requests and sends Device-Notification-Requests. One of these in a process, as of the node
 * that it is (../diameter/node.h); freeDiameter's one thread that takes requests calls in here, so that what is counted per SCS needs no lock.
 */
#ifndef FAN_NORTH_TSP_DIAMETER_H
#define FAN_NORTH_TSP_DIAMETER_H

#include "../diameter/node.h"
#include "settings.h"

/* Opens the desk and listens. settings and notify stay the caller's and must outlive it; from here on the desk alone feeds the watchdog. Signals that main() waits for are blocked before: the threads inherit
 * that. INVALID, IO, and what fan_desk_open() answers. */
int fan_diameter_open(const struct fan_settings *settings, struct fan_notify *notify);
/* Turns requests away, ends the desk, takes leave of the peers. Safe when it was not opened. */
void fan_diameter_close(void);
#endif
