/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The card as a simulator in another process, over shared memory: cosim_protocol.h.
 *
 * The simulator's clock runs by itself. When it ends, is killed, falls silent or breaks the protocol, the card is gone, as one that was
 * pulled out: a line on stderr says why, once.
 */
#ifndef FAN_TRANSPORT_SHM_H
#define FAN_TRANSPORT_SHM_H

#include "card_transport.h"

/* path: of the simulator's Unix socket. IO (nobody there, no answer within FAN_TRANSPORT_SHM_HELLO_MS), UNSUPPORTED (another version of
 * the protocol), BUSY (another host has the card). */
int fan_transport_shm_open(struct fan_card_transport **transport, const char *path);

#define FAN_TRANSPORT_SHM_HELLO_MS 5000
/* Without an answer to a register access for so long, a simulator that is still there counts as gone. One that writes waves may be silent
 * for seconds while it packs them. */
#define FAN_TRANSPORT_SHM_ANSWER_MS 60000

#endif
