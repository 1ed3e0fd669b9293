/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A UE as a line of text: the columns of contexts_csv.h and, behind them, further ones that a file's header names. As JSON, the same names are
 * members of an object. Its keys are given, or derived from the one that they hang under, which leaves nothing else behind.
 */
#ifndef FAN_CONTROL_CONTEXT_ROW_H
#define FAN_CONTROL_CONTEXT_ROW_H

#include "contexts_csv.h"
#include "protocol.h"

#define FAN_CONTEXT_COLUMNS_MAX 24 /* behind those of contexts_csv.h */

/* What columns stand behind the fixed ones. */
struct fan_context_columns {
	unsigned count;
	uint8_t column[FAN_CONTEXT_COLUMNS_MAX];
};

struct fan_context_row {
	struct fan_contexts_row fixed;
	struct fan_ue ue;                     /* all but next_hop; its texts are those below, so that a row may not be copied */
	uint8_t parent[FAN_PARENT_KEY_BYTES]; /* while it is read */
	unsigned parents;                     /* that it has: 0 or 1, unless it is wrong; then this is the last of them: */
	enum fan_parent_key which;
	bool is_muk; /* it is no such key, but the UE's MUK */
	char identity[FAN_IDENTITY_BYTES];
	char b_tid[FAN_B_TID_BYTES_MAX + 1]; /* ue.b_tid is this, or NULL */
	char gid[256];                       /* "": no group */
};

/* Reads a header. Out: *columns. INVALID. */
int fan_context_header_read(struct fan_context_columns *columns, const char *line, size_t line_bytes);
/* Reads a line. Out: *row; field[field_bytes], the column that is to blame for an error, "" for none. It holds keys, and is the caller's to wipe.
 * INVALID. */
int fan_context_row_read(struct fan_context_row *row, char *field, size_t field_bytes,
			 const struct fan_context_columns *columns, const char *line, size_t line_bytes);
/* The same from an object. */
int fan_context_object_read(struct fan_context_row *row, char *field, size_t field_bytes, const json_t *object);
/* Wipes the keys of a row, whether it could be read or not. */
void fan_context_row_wipe(struct fan_context_row *row);

#endif
