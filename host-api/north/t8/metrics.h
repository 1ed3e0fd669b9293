/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the T8 face tells of itself to Prometheus, on a port of its own at 127.0.0.1. What the daemon does is told by `fanfare web`.
 */
#ifndef FAN_T8_METRICS_H
#define FAN_T8_METRICS_H

#include "../exposition.h"
#include "t8.h"

/* Ended by one without a name. */
extern const struct fan_metric_row fan_t8_metrics[];

/* What they look at: the caller's. */
json_t *fan_t8_metrics_describe(const struct fan_t8 *t8);
/* Opens the port, if the settings have one; and reads when certificates expire. */
int fan_t8_metrics_open(struct fan_t8 *t8);

#endif
