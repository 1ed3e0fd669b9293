/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Idempotency-Key: a client that repeats a POST under the same key gets the answer of the first, and nothing is sent twice. Not of TS 29.122. A key is a
 * sender's and a path's; under another body it is refused. It is kept for FAN_T8_KEY_S, and not beyond an answer that was no 201.
 */
#ifndef FAN_T8_KEYS_H
#define FAN_T8_KEYS_H

#include "delivery.h"

#define FAN_T8_KEY_S 86400

/* Whether the key of a call was used before: then the call is answered, or waits for the first one's answer. False: it was not, or there is none; the
 * record says so from now on. Or the call has a problem. */
bool fan_t8_key_known(struct fan_t8_call *call, json_t *record);
/* Keeps the answer of a delivery that has a key. In: location, body, as they are answered. */
void fan_t8_key_answered(struct fan_t8 *t8, const json_t *record, const char *location, const json_t *body);
/* Its delivery is gone: a key that was not answered is free again. */
void fan_t8_key_forget(struct fan_t8 *t8, const json_t *record);
/* Forgets keys that are old. */
void fan_t8_keys_tidy(void *t8);

#endif
