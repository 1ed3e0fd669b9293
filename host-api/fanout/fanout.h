/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `fanfare fanout`: one message to a synthetic population, from provisioning to the result.
 *
 *   ../command/fanout.c options to request, everything checked before anything is touched; output files
 *   fanout.c            provisions, sends, receives, checks
 *   result.c            the table and the JSON object
 *   terminal.c          lines that fit
 */
#ifndef FAN_FANOUT_H
#define FAN_FANOUT_H

#include "../appliance/appliance.h"
#include "population.h"
#include "reception.h"

#include <stdio.h>

/* A request that has been checked. */
struct fan_fanout_request {
	struct fan_population population;
	struct fan_message message; /* bytes belong to the request's maker */
	struct fan_options appliance;
	unsigned parts[FAN_PROFILE_COUNT]; /* PDUs that the message takes in each profile of the run; 0 in others */
	struct fan_message_coding coding;  /* of its short messages, where a profile has them */
	uint32_t repeat;
	bool verify;          /* wanted; needs an egress that loops back */
	bool assume_received; /* take every message as received after its pass */
	bool progress;        /* show it on stderr */
};

/* Octets a UE takes besides what is fixed, and what is fixed, for the check before allocating. */
/* Context 64; 14 as measured at 10 M UEs: membership, snapshot, tables of pages; 27 of fingerprints while their table grows. */
#define FAN_FANOUT_UE_BYTES 105
#define FAN_FANOUT_VERIFY_UE_BYTES 8       /* struct fan_ue_state */
#define FAN_FANOUT_FIXED_BYTES (256 << 20) /* EAL, packet buffers, engines */

struct fan_fanout_profile_result {
	uint64_t ues, created, sent, bytes_out, verified;
	uint64_t dropped[FAN_DROP_COUNT];
};

struct fan_fanout_result {
	struct fan_fanout_profile_result profile[FAN_PROFILE_COUNT];
	struct fan_fanout_profile_result total; /* `ues` of the population; the rest summed over passes */
	uint64_t passes;
	uint64_t ues_served;                      /* UEs times passes, less those to which something was not sent */
	double seconds;                           /* fan_send() to the last frame handed to the port, summed over passes */
	double first_ue_seconds, last_ue_seconds; /* of the first pass */
	double provision_seconds;
	bool verified;            /* the UE side looked at every frame */
	const char *not_verified; /* why not, NULL when it did */
	uint64_t verdicts[FAN_UE_VERDICT_COUNT];
	uint64_t outcomes[FAN_RECEPTION_COUNT];
	uint64_t frames_missing; /* sent, and never came back */
	int64_t first_fault_ue;  /* -1: none, or unknown */
	bool capture_failed;     /* the capture could not be written whole; said already */
	uint64_t busy_cycles, engine_cycles, tsc_hz;
	char engines[128];
	bool constant_time; /* false: the reference engine is among them */
	unsigned workers;
	bool huge_pages;
	uint64_t ue_memory_bytes;                   /* growth of anonymous memory since before provisioning, at its highest */
	uint64_t fixed_bytes;                       /* resident before provisioning */
	uint64_t peak_bytes;                        /* resident at the highest, EAL included */
	struct fan_figure figures[FAN_FIGURES_MAX]; /* what engines tell of themselves */
	unsigned figure_count;
	bool simulated; /* one of them is: times are a simulator's */
	struct fan_engine_share shares[FAN_ENGINE_SHARES_MAX];
	unsigned share_count;
};

/* MEMORY, with how many UEs fit, when the machine cannot hold the request's. */
int fan_fanout_memory_check(const struct fan_fanout_request *request);

/* Runs a request. Out: *result, for as much as was run; passes is request->repeat when all was. Returns 0 or a library error: of the
 * appliance, of memory, IO of the capture, BUSY when a signal asked it to end. */
int fan_fanout_run(struct fan_fanout_result *result, const struct fan_fanout_request *request);
/* Whether everything that was sent arrived: true, or false with one line on the first thing that was found. `line` is empty then, else
 * it has line_bytes of room. */
bool fan_fanout_judge(char *line, size_t line_bytes, const struct fan_fanout_result *result);

/* False when memory is short for JSON, or stdout cannot be written. */
bool fan_fanout_print_json(FILE *out, const struct fan_fanout_request *request, const struct fan_fanout_result *result);
void fan_fanout_print_table(FILE *out, const struct fan_fanout_request *request, const struct fan_fanout_result *result);

/* Frames on the wire that a fault was found with: verdicts other than accepted, and wrong outcomes. */
uint64_t fan_fanout_faults(const struct fan_fanout_result *result);

/* A signal asked the run to end; set by the command's handler, looked at by fan_fanout_run(). */
extern volatile int fan_fanout_stop;

#endif
