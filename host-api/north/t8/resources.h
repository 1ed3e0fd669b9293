/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The resources of the three APIs, one function for each method. Each answers its call, now or later, and leaves the call's body as it is.
 * Clauses: TS 29.122 5.6 (NIDD), 5.7 (device triggering); TS 29.522 5.32 (MBS group message delivery).
 */
#ifndef FAN_T8_RESOURCES_H
#define FAN_T8_RESOURCES_H

#include "t8.h"

/* Forgets configurations whose duration is over; what became of their deliveries is still told. */
void fan_t8_nidd_tidy(void *t8);
void fan_t8_nidd_list(struct fan_t8_call *call);
void fan_t8_nidd_create(struct fan_t8_call *call);
void fan_t8_nidd_show(struct fan_t8_call *call);
void fan_t8_nidd_change(struct fan_t8_call *call);
void fan_t8_nidd_delete(struct fan_t8_call *call);
void fan_t8_nidd_deliveries(struct fan_t8_call *call);
void fan_t8_nidd_deliver(struct fan_t8_call *call);
void fan_t8_nidd_delivery_show(struct fan_t8_call *call);
void fan_t8_nidd_delivery_replace(struct fan_t8_call *call);
void fan_t8_nidd_delivery_change(struct fan_t8_call *call);
void fan_t8_nidd_delivery_delete(struct fan_t8_call *call);
/* What became of each UE: ?status=DeliveryStatus&after=N. Not of TS 29.122. */
void fan_t8_nidd_results(struct fan_t8_call *call);

void fan_t8_trigger_list(struct fan_t8_call *call);
void fan_t8_trigger_create(struct fan_t8_call *call);
void fan_t8_trigger_show(struct fan_t8_call *call);
void fan_t8_trigger_replace(struct fan_t8_call *call);
void fan_t8_trigger_change(struct fan_t8_call *call);
void fan_t8_trigger_delete(struct fan_t8_call *call);

void fan_t8_mbs_list(struct fan_t8_call *call);
void fan_t8_mbs_create(struct fan_t8_call *call);
void fan_t8_mbs_show(struct fan_t8_call *call);
void fan_t8_mbs_change(struct fan_t8_call *call);
void fan_t8_mbs_delete(struct fan_t8_call *call);

#endif
