/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether a crypto device has done what it says. A PDU is protected where its plaintext stood: one on which nothing was done is
 * plaintext still, and its MAC the mark that stood there.
 */
#ifndef FAN_CRYPTODEV_WRITTEN_H
#define FAN_CRYPTODEV_WRITTEN_H

#include "../engine.h"

/*
 * False when the beginning or the end of the text is still plaintext, or the MAC still the mark, and that is not by chance: then the
 * reference has been asked. In: batch and ue, whose packet still holds clear prefix and private head; text, in the device's buffer, with
 * the clear prefix before it and the MAC-I behind it; mac, where the device put the MAC; mark, what stood there before.
 */
bool fan_pdu_written(const struct fan_batch *batch, unsigned ue, const uint8_t *text, const uint8_t *mac, uint32_t mark);

#endif
