/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Synthetic UEs on the command line: how options choose them, and their rows in a file. Also the command that does just that.
 */
#ifndef FAN_COMMAND_POPULATION_H
#define FAN_COMMAND_POPULATION_H

#include "../fanout/population.h"
#include "output.h"

#define FAN_POPULATION_SEED 1 /* unless another is given */

/* As options give it. */
struct fan_population_choice {
	uint64_t ues, seed, cipher;
	const char *profiles;  /* "NAME[=WEIGHT],..."; NULL: all, equally */
	const char *integrity; /* of fan_population_integrity_name() */
	bool emergency, ipv6;
};

/* The index-th name, NULL past the last: what options complete to. */
const char *fan_population_profile_name(unsigned index);
const char *fan_population_integrity_name(unsigned index);

/* Makes the population that was chosen; released by fan_population_free(). Returns an exit code, with a line printed unless it is 0. */
int fan_population_choose(struct fan_population *population, const struct fan_command *command,
			  const struct fan_population_choice *choice);

/* Writes a row for each UE (../control/contexts_csv.h) to an open output; to none, nothing. In: option, its name for errors. Ends when
 * fan_fanout_stop is set. Returns an exit code, with a line printed unless it is 0. */
int fan_population_write(const struct fan_output *output, const struct fan_command *command, const char *option,
			 const struct fan_population *population);

#endif
