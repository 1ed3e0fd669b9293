/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which message has a reference (fan_message.reference), of those that are on their way or kept: a message with one takes some 100 octets here.
 * Thread: the control thread.
 */
#ifndef FAN_REFERENCES_H
#define FAN_REFERENCES_H

#include "../fanfare.h"

/* Zeroed: none. */
struct fan_references {
	void *tree; /* owned: tsearch(3), by the text */
};

/* INVALID: it is not 1 to 64 octets of printable ASCII. NULL is none, and right. */
int fan_reference_check(const char *reference);

/* In: a reference that no message has. MEMORY. */
int fan_references_add(struct fan_references *references, const char *reference, fan_message_id id);
/* 0: no message has it. */
fan_message_id fan_references_find(const struct fan_references *references, const char *reference);
/* Ignored when another message has it, or none; "" is none's. */
void fan_references_remove(struct fan_references *references, const char *reference, fan_message_id id);
void fan_references_free(struct fan_references *references);

#endif
