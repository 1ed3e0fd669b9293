/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UEs that come as text: files, whole or not at all, and single ones.
 */
#ifndef FAN_CONTROL_IMPORT_H
#define FAN_CONTROL_IMPORT_H

#include "context_row.h"
#include "daemon.h"

enum fan_import_format {
	FAN_IMPORT_CSV,
	FAN_IMPORT_JSONL,
	FAN_IMPORT_UE_CONTEXT, /* JSON lines of ue_context.h */
	FAN_IMPORT_FORMAT_COUNT
};

/* Begins the import of the file that came with a request; the answer is {added, skipped, joined, error_count, errors}. Between fan_begin() and
 * fan_commit() nothing else can be provisioned. Returns FAN_LATER or an error. */
int fan_import_begin(struct fan_request *request, enum fan_import_format format, bool skip);

/* Adds one UE from an object, also one with a member ueContext, and to its group where it names one. Out: *id. Errors name the member. */
int fan_import_object(struct fan_server *server, fan_context_id *id, const json_t *object);

#endif
