/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the daemon's method `metrics` answers, as Prometheus and its like read it: text format 0.0.4, or OpenMetrics 1.0 where it is asked for. One
 * table has every metric, its help and where its value is found; the manual, the dashboard and the alerts are checked against it.
 */
#ifndef FAN_WEB_EXPOSITION_H
#define FAN_WEB_EXPOSITION_H

#include <jansson.h>

enum fan_exposition {
	FAN_EXPOSITION_TEXT,        /* 0.0.4 */
	FAN_EXPOSITION_OPENMETRICS, /* 1.0.0 */
};

enum fan_metric_type { FAN_METRIC_COUNTER, FAN_METRIC_GAUGE, FAN_METRIC_HISTOGRAM, FAN_METRIC_INFO };

struct fan_metric_row;

/* The format that a client asks for. In: its header Accept; NULL: it has none. */
enum fan_exposition fan_exposition_choose(const char *accept);
/* The header Content-Type. Static storage. */
const char *fan_exposition_content_type(enum fan_exposition format);

/* In: what `metrics` answered, with the face's own members "up" and "web". What is not in it, or is of another type, is left out. Out: *byte_count.
 * The caller's, to be freed; NULL: no memory. */
char *fan_exposition_write(size_t *byte_count, const json_t *metrics, enum fan_exposition format);

/* The n-th metric, and what is said of it; NULL past the last. Static storage. */
const struct fan_metric_row *fan_exposition_metric(unsigned n);
const char *fan_metric_name(const struct fan_metric_row *row);
const char *fan_metric_help(const struct fan_metric_row *row);
enum fan_metric_type fan_metric_type(const struct fan_metric_row *row);
/* "worker, reason"; "" for none. Static storage. */
const char *fan_metric_labels(const struct fan_metric_row *row);
/* "counter" ... "info". Static storage. */
const char *fan_metric_type_name(enum fan_metric_type type);

#endif
