/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbers of a face and of the daemon, as Prometheus and its like read them: text format 0.0.4, or OpenMetrics 1.0 where it is asked for. Each face
 * has one table of its metrics, with their help and where their values are found; manuals, the dashboard and the alerts are checked against these.
 */
#ifndef FAN_NORTH_EXPOSITION_H
#define FAN_NORTH_EXPOSITION_H

#include "http.h"

#include <jansson.h>

enum fan_exposition {
	FAN_EXPOSITION_TEXT,        /* 0.0.4 */
	FAN_EXPOSITION_OPENMETRICS, /* 1.0.0 */
};

enum fan_metric_type { FAN_METRIC_COUNTER, FAN_METRIC_GAUGE, FAN_METRIC_HISTOGRAM, FAN_METRIC_INFO };

/* Where a metric's samples are found in an answer. Label sets are bounded by what is told of: workers, engines, reasons, states, statuses, and
 * 1,024 next hops. */
enum fan_metric_set {
	FAN_SET_ONE,            /* a member of an object */
	FAN_SET_MEMBERS,        /* each member of an object: its name is the label */
	FAN_SET_WORKERS,        /* a member of each worker */
	FAN_SET_WORKER_MEMBERS, /* each member of an object in each worker */
	FAN_SET_WORKER_ENGINES, /* a member of each engine in each worker */
	FAN_SET_NEXT_HOPS,      /* a member of each next hop, and the others together */
	FAN_SET_STATE,          /* 1 for the one that it is in */
	FAN_SET_BUILD,
	FAN_SET_WRITES, /* the histogram of the store */
};

struct fan_metric_row {
	const char *name;
	enum fan_metric_type type;
	enum fan_metric_set set;
	const char *object; /* of the answer, or of each worker; NULL: itself */
	const char *member;
	const char *label; /* of what is in sets of one label, besides the worker */
	double scale;      /* of a unit of the answer in units of the metric; 0: a whole number */
	const char *help;
};

/* The format that a client asks for. In: its header Accept; NULL: it has none. */
enum fan_exposition fan_exposition_choose(const char *accept);
/* The header Content-Type. Static storage. */
const char *fan_exposition_content_type(enum fan_exposition format);

/* In: rows, ended by one without a name; metrics, what they look at: what is not in it, or is of another type, is left out. Out: *byte_count.
 * The caller's, to be freed; NULL: no memory. */
char *fan_exposition_write(size_t *byte_count, const struct fan_metric_row *rows, const json_t *metrics,
			   enum fan_exposition format);

/* Answers a scrape in the format that its client asks for. In: metrics, which it takes; more, fields of the answer beside type and caching, at most
 * FAN_EXPOSITION_FIELDS_MAX. False: there is no memory, and it is not answered. */
#define FAN_EXPOSITION_FIELDS_MAX 4
bool fan_exposition_answer(struct fan_http_request *request, const struct fan_metric_row *rows, json_t *metrics,
			   const struct fan_http_field *more, size_t more_count);

/* "worker, reason"; "" for none. Static storage. */
const char *fan_metric_labels(const struct fan_metric_row *row);
/* "counter" ... "info". Static storage. */
const char *fan_metric_type_name(enum fan_metric_type type);

#endif
