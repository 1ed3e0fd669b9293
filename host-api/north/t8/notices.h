/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What application servers are told of messages that have ended: one notification, or pages of gmdResults. Each is repeated, ever more seldom, until
 * the server has answered 200 or 204, or its validity is over; where it stands is kept, so that a restart repeats one page at the most. What was
 * not heard in time can still be fetched, as long as the daemon keeps the results.
 */
#ifndef FAN_T8_NOTICES_H
#define FAN_T8_NOTICES_H

#include "delivery.h"

struct fan_t8_notice;

/* Goes on to tell of a delivery that has ended. False: nothing more is to be told, and that is kept. */
bool fan_t8_notice_go_on(struct fan_t8_delivery *delivery);
/* NULL is ignored. */
void fan_t8_notice_free(struct fan_t8_notice *notice);

/* Whether the sender may be called back there. False: the call has a problem. In: param, the attribute. */
bool fan_t8_notice_may_call(struct fan_t8_call *call, const char *uri, const char *param);
/* TestNotification (TS 29.122 5.2.5.3), once, whatever becomes of it. */
void fan_t8_notice_test(struct fan_t8 *t8, const struct fan_t8_sender *sender, const char *uri, const char *self);
/* Answers a call with a page of outcomes: ?status= of this DeliveryStatus alone, ?after= the `next` of the page before. */
void fan_t8_notice_fetch(struct fan_t8_call *call, const char *key);

#endif
