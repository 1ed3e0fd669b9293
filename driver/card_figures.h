/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a card has counted, as one list: for programs, which want every counter in the same place each time, and for people, who want
 * what it amounts to.
 */
#ifndef FAN_CARD_FIGURES_H
#define FAN_CARD_FIGURES_H

#include "card.h"

struct fan_card_figure {
	/* For programs. */
	char counter[64]; /* "lane0_ues", "fault_card_gone"; empty: worked out of others */
	uint64_t count;
	/* For people. */
	char text[48]; /* "lane 0 (AES): UEs"; empty: they have no use for it, or not now */
	const char *unit;
	double value;
};

/* More counters than this no card has: four for each lane, and those that stand once. */
#define FAN_CARD_COUNTERS_MAX (16 + FAN_CARD_ERRORS + FAN_CARD_FAULT_COUNT + 4 * FAN_CARD_LANES_MAX)

/* Gives every figure to `show`, one after the other; each is only there during the call. Counters are the same in the same order each
 * time, for one card. Any thread. */
typedef void fan_card_figure_show(void *user, const struct fan_card_figure *figure);
void fan_card_figures_each(struct fan_card *card, fan_card_figure_show *show, void *user);

#endif
