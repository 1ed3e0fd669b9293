/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Idempotency-Key: a client that repeats a POST under the same key gets the answer of the first, and nothing is sent twice. Not of TS 29.122. A key is a
 * sender's and a path's; under another body it is refused. It is kept for FAN_T8_KEY_S, and not beyond an answer that was no 201.
 */
#ifndef FAN_T8_KEYS_H
#define FAN_T8_KEYS_H

#include "delivery.h"

#define FAN_T8_KEY_S 86400

/* Whether the key of a call was used before, or is none: then the call is answered. It is asked before anything of the body is judged, for what was
 * right at first may be over by now. */
bool fan_t8_key_repeats(struct fan_t8_call *call);
/* The key of a call, if it has one, is this record's from now on. False: it cannot be kept, and the call has a problem. */
bool fan_t8_key_claim(struct fan_t8_call *call, json_t *record);
/* Keeps the answer of a delivery that has a key. In: location, body, as they are answered. */
void fan_t8_key_answered(struct fan_t8 *t8, const json_t *record, const char *location, const json_t *body);
/* Its delivery is gone: a key that was not answered is free again. */
void fan_t8_key_forget(struct fan_t8 *t8, const json_t *record);
/* Where those are kept that have no answer: an array, the caller's. */
json_t *fan_t8_keys_unanswered(const struct fan_t8 *t8);
/* Forgets keys that are old. */
void fan_t8_keys_tidy(void *t8);

#endif
