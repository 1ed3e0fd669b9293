/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The algorithms of the reference engine on single messages of any number of bits, so that it can be held against published
 * test vectors and others against it.
 *
 * This engine is the judge of the others: it follows the standards line by line, in portable C, and shares no code with any of
 * them. It is not constant time: S-boxes are tables of 256 octets indexed by values that depend on the key (there is no branch
 * on them). That is acceptable where a judge works, in tests and in the comparison of engines under keys made for it; whoever
 * lets it protect real messages must be alone on the CPU's caches. (A few PDUs of devices in service are made again here: claim.h.)
 *
 * algorithm 0 null, 1 SNOW 3G, 2 AES, 3 ZUC; bearer 0..31; direction 0 uplink, 1 downlink. Bit 0 of a message is the most
 * significant bit of its first octet. All functions are reentrant and wipe what they derive from keys.
 */
#ifndef FAN_ENGINE_REFERENCE_H
#define FAN_ENGINE_REFERENCE_H

#include "../engine.h"

extern const struct fan_engine_ops fan_engine_reference;

/* 128-EEAn (TS 33.401 B.1). Out: out[(bits + 7) / 8], the bits behind the last one 0; may be `in`. Deciphers as well. */
void fan_reference_cipher(uint8_t *out, unsigned algorithm, const uint8_t key[FAN_KEY_BYTES], uint32_t count, unsigned bearer,
			  unsigned direction, const uint8_t *in, size_t bits);

/* 128-EIAn (TS 33.401 B.2). Returns the MAC, its most significant octet is sent first; 0 for EIA0. UIA2, which has FRESH in the
 * place of BEARER, is fan_snow3g_f9(). */
uint32_t fan_reference_mac(unsigned algorithm, const uint8_t key[FAN_KEY_BYTES], uint32_t count, unsigned bearer,
			   unsigned direction, const uint8_t *message, size_t bits);

/* A MIKEY message to one UE (FAN_MIKEY). In: a shape that fan_shape_is_mikey(). In/Out: text, in which T and name lie already. */
void fan_reference_mikey(const struct fan_shape *shape, const struct fan_context *context, uint8_t *text);

/* One PDU of a batch, as the engine makes it: see the drawing in engine.h. In/Out: text, with the clear prefix before it and room for
 * the MAC. */
void fan_reference_protect(const struct fan_shape *shape, const struct fan_context *context, uint32_t count, uint8_t *text);

#endif
