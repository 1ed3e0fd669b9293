/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ledger: what keeps COUNT safe across crashes, two numbers for every context (store.h): C, a checkpoint, and m, a mark for each block
 * of 256 contexts. All of it is the control thread's.
 */
#ifndef FAN_LEDGER_H
#define FAN_LEDGER_H

#include "../fanfare.h"

struct fanfare;

/* Gives every context that was loaded its COUNT, window and transactions, by checkpoints and marks. Before any message. IO: a context
 * without a checkpoint. */
int fan_ledger_load(struct fanfare *fanfare);

/* Within the store's transaction: puts C of contexts first .. first + count - 1 of a table as they are now. They are new, or spend nothing
 * now (unreachable or removed, and every worker has begun a turn since). */
int fan_ledger_put(struct fanfare *fanfare, unsigned table, uint32_t first, uint32_t count);
/* ... after that transaction was committed. */
void fan_ledger_put_done(struct fanfare *fanfare, unsigned table, uint32_t first, uint32_t count);

#endif
