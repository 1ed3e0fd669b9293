/* SPDX-License-Identifier: BSD-3-Clause */
#include "written.h"

#include "../reference/reference.h"

#include <string.h>

#define END_BYTES 16U
#define TEXT_AT (FAN_CLEAR_BYTES_MAX + FAN_MAC_BYTES)

/* Octets of the text that are compared at either end; of a short one each half. */
static unsigned
end_bytes(const struct fan_shape *shape)
{
	return shape->text_bytes < 2 * END_BYTES ? (shape->text_bytes + 1U) / 2 : END_BYTES;
}

/* Whether text[at .. at + byte_count) is what it was: the private head up to `head`, then the message. */
static bool
is_plaintext(const struct fan_batch *batch, unsigned ue, const uint8_t *text, unsigned at, unsigned byte_count)
{
	const unsigned head = fan_shape_head_bytes(batch->shape);
	const unsigned private_bytes = at >= head ? 0 : head - at < byte_count ? head - at : byte_count;

	return memcmp(text + at, batch->text[ue] + at, private_bytes) == 0 &&
	       memcmp(text + at + private_bytes, batch->shape->message + at + private_bytes, byte_count - private_bytes) == 0;
}

static bool
is_right(const struct fan_batch *batch, unsigned ue, const uint8_t *text, const uint8_t *mac)
{
	const struct fan_shape *shape = batch->shape;
	uint8_t packet[TEXT_AT + FAN_PDU_BYTES_MAX + FAN_MAC_BYTES], *right = packet + TEXT_AT;

	for (int at = -(int)shape->clear_bytes; at < (int)fan_shape_head_bytes(shape); at++)
		right[at] = batch->text[ue][at];
	fan_reference_protect(shape, batch->context[ue], batch->count[ue], right);
	return memcmp(text, right, shape->text_bytes + fan_shape_trailer_bytes(shape)) == 0 &&
	       (shape->sequence != FAN_CIPHER_THEN_MAC ||
		memcmp(mac, right - shape->clear_bytes - FAN_MAC_BYTES, FAN_MAC_BYTES) == 0);
}

bool
fan_pdu_written(const struct fan_batch *batch, unsigned ue, const uint8_t *text, const uint8_t *mac, uint32_t mark)
{
	const struct fan_shape *shape = batch->shape;
	const unsigned end = end_bytes(shape);
	const bool has_mac = shape->sequence != FAN_CIPHER_ONLY && shape->integrity != 0;

	if ((shape->cipher == 0 ||
	     (!is_plaintext(batch, ue, text, 0, end) && !is_plaintext(batch, ue, text, shape->text_bytes - end, end))) &&
	    (!has_mac || memcmp(mac, &mark, FAN_MAC_BYTES) != 0))
		return true;
	return is_right(batch, ue, text, mac);
}
