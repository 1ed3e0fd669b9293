/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The shared objects that hold the Verilated card (hw/sim/model.h), one with waves and a faster one without.
 *
 * Looked for in this order: the file that FANFARE_MODEL names in the environment; hw/ beside the program, as built; hw/ beside the
 * program's folder, for programs in a folder of their own; and, installed, fanfare/ among the libraries.
 */
#ifndef FAN_MODEL_LIBRARY_H
#define FAN_MODEL_LIBRARY_H

#include "../hw/sim/model.h"

/* Out: the model's functions, which stay for as long as the process does. UNSUPPORTED: not built (says how to), or built for another
 * version. */
int fan_model_load(const struct fan_model_ops **ops, bool with_waves);

/* Sets one of the options that a model's memory does not decide: "seed=7", "stall=0.3", "latency=200", "max-cycles=N", "trace",
 * "trace-fst=FILE", "trace-from=CLOCK", "trace-to=CLOCK". Strings are kept as they lie. INVALID names what was not understood. */
struct fan_model_choice {
	struct fan_model_options options;
	bool with_waves;
	bool seed_chosen_here; /* "seed=random" */
};
#define FAN_MODEL_SEED 0x46414e
#define FAN_MODEL_LATENCY 200
#define FAN_MODEL_MAX_CYCLES 20000000
void fan_model_choice_init(struct fan_model_choice *choice);
int fan_model_choice_set(struct fan_model_choice *choice, const char *name, const char *value);
/* "seed 0x46414e, stall 0.3, latency 200" */
void fan_model_choice_print(char *text, size_t text_bytes, const struct fan_model_choice *choice);

#endif
