/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Figures: numbers that an engine or a card tells of itself, for people, after a run.
 */
#ifndef FAN_FIGURE_H
#define FAN_FIGURE_H

#include <stdbool.h>

struct fan_figure {
	char name[48];    /* "clocks per UE" */
	const char *unit; /* "", "octets", "%"; static */
	double value;
	bool simulated; /* by a simulator: nothing of it is this machine's speed or a card's */
};

/* More than any engine tells; what goes beyond is left out. */
#define FAN_FIGURES_MAX 64

#endif
