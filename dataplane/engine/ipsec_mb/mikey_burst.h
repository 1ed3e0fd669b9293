/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One MBMS service key (MSK) to many UEs, each under its own MUK: MIKEY messages (RFC 3830, TS 33.246) side by side. The shape is that of every
 * batch of this program: one text, many keys, one length. What differs from UE to UE is MUK, T, and the beginning of the B-TID.
 *
 * No branch and no address depends on a MUK or on the MSK: tests/ctime shows it, for the library's SSE and AVX2 code.
 *
 * Of a message this file knows the holes and the two transforms, AES-CM-128 and HMAC-SHA-1-160; its octets are host-api/keys/mikey.h's.
 */
#ifndef FAN_MIKEY_BURST_H
#define FAN_MIKEY_BURST_H

#include "../engine.h"

/* Keys of the last tile. One thread. */
struct fan_mikey_burst;
struct IMB_MGR;

/* In: the library, ready for use, of whoever uses it in the same thread and outlives this; NULL: one of its own. UNSUPPORTED: this CPU has no AES-NI
 * or SSE4.2; MEMORY. */
int fan_mikey_burst_open(struct fan_mikey_burst **out, struct IMB_MGR *library);
/* Wipes. NULL is ignored. */
void fan_mikey_burst_close(struct fan_mikey_burst *burst);

/*
 * In/Out: text[i], with the T and name of its UE; then text_bytes of it are the message to context[i], and nothing beside it is written. In: a shape
 * that fan_shape_is_mikey(); distinct buffers, any alignment; ue_count, 0 or more. False: the library failed, and what was begun holds no key
 * data. Does not block.
 */
bool fan_mikey_burst_run(struct fan_mikey_burst *burst, uint8_t *const *text, const struct fan_shape *shape,
			 struct fan_context *const *context, unsigned ue_count);
/* Wipes what the last run left of keys. The next one may follow. */
void fan_mikey_burst_wipe(struct fan_mikey_burst *burst);

#endif
