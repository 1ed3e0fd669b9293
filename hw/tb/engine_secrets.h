/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Looks for secrets in all that a model remembers: every register, memory and signal of the engine, but for the rounds of an AES pipe, where
 * there is no message and no key but for 21 clocks.
 */
#ifndef FAN_ENGINE_SECRETS_H
#define FAN_ENGINE_SECRETS_H

#include "engine_host.h"

/* Pieces of eight octets of keys, messages and private heads that the host has in its memory and that the model has too, at any bit and
 * in either order of octets. 0: none. What was last on the bus is overwritten first: it is the bus's. In: a host at rest on the bus. */
unsigned count_secrets(host &host);

#endif
