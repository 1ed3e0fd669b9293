/* SPDX-License-Identifier: BSD-3-Clause */
#include "reference.h"

#include "aes128.h"
#include "snow3g.h"
#include "zuc.h"

#include <string.h>

static void
store_be32(uint8_t bytes[4], uint32_t value)
{
	for (int i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void
clear_behind(uint8_t *out, size_t bits)
{
	if (bits % 8 != 0)
		out[bits / 8] &= (uint8_t)(0xff00 >> bits % 8);
}

/* COUNT || BEARER || DIRECTION || 0^26: first half of the counter block of 128-EEA2 and of the message of 128-EIA2. */
static void
aes_prefix(uint8_t prefix[8], uint32_t count, unsigned bearer, unsigned direction)
{
	memset(prefix, 0, 8);
	store_be32(prefix, count);
	prefix[4] = (uint8_t)(bearer << 3 | direction << 2);
}

static void
cipher_eea2(uint8_t *out, const uint8_t key[16], uint32_t count, unsigned bearer, unsigned direction, const uint8_t *in,
	    size_t bits)
{
	uint8_t counter[16] = { 0 };

	aes_prefix(counter, count, bearer, direction);
	fan_aes128_ctr(out, key, counter, in, (bits + 7) / 8);
	clear_behind(out, bits);
}

void
fan_reference_cipher(uint8_t *out, unsigned algorithm, const uint8_t key[FAN_KEY_BYTES], uint32_t count, unsigned bearer,
		     unsigned direction, const uint8_t *in, size_t bits)
{
	FAN_REQUIRE(algorithm <= FAN_ALGORITHM_MAX && bearer < 32 && direction < 2);
	switch (algorithm) {
	case 0:
		memmove(out, in, (bits + 7) / 8);
		clear_behind(out, bits);
		break;
	case 1:
		fan_snow3g_f8(out, key, count, bearer, direction, in, bits);
		break;
	case 2:
		cipher_eea2(out, key, count, bearer, direction, in, bits);
		break;
	default:
		fan_zuc_eea3(out, key, count, bearer, direction, in, bits);
		break;
	}
}

static uint32_t
mac_eia2(const uint8_t key[16], uint32_t count, unsigned bearer, unsigned direction, const uint8_t *message, size_t bits)
{
	struct fan_aes128_cmac cmac;
	uint8_t prefix[8], mac[16];

	aes_prefix(prefix, count, bearer, direction);
	fan_aes128_cmac_begin(&cmac, key);
	fan_aes128_cmac_add(&cmac, prefix, sizeof(prefix));
	fan_aes128_cmac_add(&cmac, message, bits / 8);
	fan_aes128_cmac_end(&cmac, mac, bits % 8 != 0 ? message[bits / 8] : 0, bits % 8);
	return (uint32_t)mac[0] << 24 | (uint32_t)mac[1] << 16 | (uint32_t)mac[2] << 8 | mac[3];
}

uint32_t
fan_reference_mac(unsigned algorithm, const uint8_t key[FAN_KEY_BYTES], uint32_t count, unsigned bearer, unsigned direction,
		  const uint8_t *message, size_t bits)
{
	FAN_REQUIRE(algorithm <= FAN_ALGORITHM_MAX && bearer < 32 && direction < 2);
	switch (algorithm) {
	case 0:
		return 0;
	case 1:
		return fan_snow3g_f9(key, count, (uint32_t)bearer << 27, direction, message, bits);
	case 2:
		return mac_eia2(key, count, bearer, direction, message, bits);
	default:
		return fan_zuc_eia3(key, count, bearer, direction, message, bits);
	}
}

struct reference_engine {
	struct fan_engine engine;
	struct fan_finished finished;
};

static struct reference_engine *
instance(struct fan_engine *engine)
{
	return (struct reference_engine *)engine;
}

static int
open_reference(struct fan_engine **engine, const char *device)
{
	struct reference_engine *reference = calloc(1, sizeof(*reference));

	(void)device;
	if (reference == NULL)
		return fan_fail(FAN_E_MEMORY, "engine reference: no memory for %zu octets", sizeof(*reference));
	reference->engine.ops = &fan_engine_reference;
	*engine = &reference->engine;
	return 0;
}

/* Nothing derived from a key outlives the function that derived it. */
static void
close_reference(struct fan_engine *engine)
{
	FAN_REQUIRE(instance(engine)->finished.count == 0);
	free(instance(engine));
}

static bool
takes_reference(const struct fan_engine *engine, const struct fan_shape *shape)
{
	(void)engine;
	return (fan_shape_check(shape) || fan_shape_is_mikey(shape)) && shape->message != NULL;
}

/* One PDU: where it lies and the inputs of the algorithms that are the UE's own. */
struct pdu {
	const struct fan_shape *shape;
	const struct fan_context *context;
	uint8_t *text;
	uint32_t count;
	unsigned bearer, direction;
};

static void
cipher_text(const struct pdu *pdu, size_t byte_count)
{
	fan_reference_cipher(pdu->text, pdu->shape->cipher, pdu->context->k_enc, pdu->count, pdu->bearer, pdu->direction,
			     pdu->text, 8 * byte_count);
}

/* Over clear prefix and text as they are now. */
static void
store_mac(const struct pdu *pdu, uint8_t mac[FAN_MAC_BYTES])
{
	const size_t clear_bytes = pdu->shape->clear_bytes;

	store_be32(mac, fan_reference_mac(pdu->shape->integrity, pdu->context->k_int, pdu->count, pdu->bearer, pdu->direction,
					  pdu->text - clear_bytes, 8 * (clear_bytes + pdu->shape->text_bytes)));
}

/* The private head lies in the packet already; the shared tail comes from the message. */
static void
place_tail(const struct pdu *pdu)
{
	const size_t head_bytes = fan_shape_head_bytes(pdu->shape);

	memcpy(pdu->text + head_bytes, pdu->shape->message + head_bytes, pdu->shape->text_bytes - head_bytes);
}

static void
protect_pdu(const struct pdu *pdu)
{
	const struct fan_shape *shape = pdu->shape;

	place_tail(pdu);
	switch (shape->sequence) {
	case FAN_CIPHER_THEN_MAC:
		cipher_text(pdu, shape->text_bytes);
		store_mac(pdu, pdu->text - shape->clear_bytes - FAN_MAC_BYTES);
		break;
	case FAN_MAC_THEN_CIPHER:
		store_mac(pdu, pdu->text + shape->text_bytes);
		cipher_text(pdu, shape->text_bytes + (size_t)FAN_MAC_BYTES);
		break;
	default:
		cipher_text(pdu, shape->text_bytes);
		break;
	}
}

void
fan_reference_protect(const struct fan_shape *shape, const struct fan_context *context, uint32_t count, uint8_t *text)
{
	const struct pdu pdu = {
		.shape = shape,
		.context = context,
		.text = text,
		.count = count,
		.bearer = context->bearer_direction >> 3,
		.direction = context->bearer_direction >> 2 & 1,
	};

	if (shape->sequence == FAN_MIKEY)
		fan_reference_mikey(shape, context, text);
	else
		protect_pdu(&pdu);
}

static void
protect_batch(struct fan_batch *batch)
{
	for (unsigned i = 0; i < batch->ue_count; i++)
		fan_reference_protect(batch->shape, batch->context[i], batch->count[i], batch->text[i]);
	batch->status = FAN_BATCH_DONE;
}

static uint16_t
submit_reference(struct fan_engine *engine, struct fan_batch *const *batches, uint16_t batch_count)
{
	struct fan_finished *finished = &instance(engine)->finished;
	uint16_t n = 0;

	for (; n < batch_count && fan_finished_room(finished) > 0; n++) {
		struct fan_batch *batch = batches[n];

		FAN_REQUIRE(takes_reference(engine, batch->shape));
		FAN_REQUIRE(batch->ue_count >= 1 && batch->ue_count <= FAN_BATCH_UES_MAX);
		protect_batch(batch);
		fan_finished_put(finished, batch);
	}
	return n;
}

static uint16_t
poll_reference(struct fan_engine *engine, struct fan_batch **batches, uint16_t batch_max)
{
	return fan_finished_take_burst(&instance(engine)->finished, batches, batch_max);
}

const struct fan_engine_ops fan_engine_reference = {
	.name = "reference",
	.description = "portable C that follows the standards line by line, judge of the others; slow, not constant time",
	.open = open_reference,
	.close = close_reference,
	.takes = takes_reference,
	.submit_burst = submit_reference,
	.poll_burst = poll_reference,
};
