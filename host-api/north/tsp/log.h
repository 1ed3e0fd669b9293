/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FAN_NORTH_TSP_LOG_H
#define FAN_NORTH_TSP_LOG_H

/* One line on stderr, "fanfare tsp: ...", which systemd keeps. Never a payload. Any thread. */
void fan_tsp_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
