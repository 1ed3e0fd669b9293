/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What serve says, in Tsp's words: errors as Request-Status, the end of a message as Delivery-Outcome. A word is never better than what
 * happened. Pure: no state, any thread.
 */
#ifndef FAN_NORTH_TSP_VERDICT_H
#define FAN_NORTH_TSP_VERDICT_H

#include "tsp.h"

#include <jansson.h>

#define FAN_TSP_TOTALS_BYTES 384 /* one line, its closing zero included */

/* In: code of an error object of the control socket (enum fan_control_code), 0: the daemon has gone. Never SUCCESS. */
enum fan_tsp_status fan_tsp_status_of(int code);

/* In: shown, result of `message.show`. */
bool fan_tsp_has_ended(const json_t *shown);
/* How many PDUs have left, and UEs were served by broadcast. */
uint64_t fan_tsp_sent(const json_t *shown);

/*
 * The worst that became of any UE: UNDELIVERABLE before EXPIRED before TEMPORARY before UNCONFIRMED, which is what "sent" amounts to without proof
 * of reception; DELIVERED is not among what serve's totals can show. A group without members: UNDELIVERABLE.
 */
enum fan_tsp_outcome fan_tsp_outcome_of(const json_t *shown);

/* Out: totals[FAN_TSP_TOTALS_BYTES], "state=sent ues=100 created=100 sent=97 dropped=3 unreachable=2 window=1": PDUs but for ues. */
void fan_tsp_totals_of(char *totals, const json_t *shown);

#endif
