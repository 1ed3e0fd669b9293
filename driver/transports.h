/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The transports of this build, by name. Only transports.c knows which there are.
 */
#ifndef FAN_TRANSPORTS_H
#define FAN_TRANSPORTS_H

#include "card_transport.h"

/*
 * Opens the card that `where` names; NULL: FAN_CARD_DEFAULT. Errors: INVALID (names what was not understood), UNSUPPORTED (what is not built
 * or not there, and how to get it), IO.
 *
 *   model[,seed=N][,stall=P][,latency=CLOCKS][,max-cycles=N][,trace-fst=FILE][,trace-from=CLOCK][,trace-to=CLOCK]
 *   shm:PATH    a simulator in another process (fanfare-cosim) that listens on the Unix socket PATH
 */
#define FAN_CARD_DEFAULT "model"
int fan_transport_open(struct fan_card_transport **transport, const char *where);

#endif
