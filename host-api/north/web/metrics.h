/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FAN_WEB_METRICS_H
#define FAN_WEB_METRICS_H

#include "../exposition.h"

/* Ended by one without a name. */
extern const struct fan_metric_row fan_web_metrics[];

#endif
