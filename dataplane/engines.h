/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engines of this build, by name. Only engines.c knows which there are.
 */
#ifndef FAN_ENGINES_H
#define FAN_ENGINES_H

#include "engine/engine.h"

/* NULL-terminated, in the order in which `fanfare engines` lists them. */
extern const struct fan_engine_ops *const fan_engines[];

/* An engine that was asked for. */
struct fan_engine_choice {
	const struct fan_engine_ops *ops;
	const char *name;   /* as it was asked for: "lockstep", "cryptodev:crypto_zuc" */
	const char *device; /* what stands behind the colon; NULL: the engine's choice */
};

/* Finds "engine" or "engine:device". Out: *choice, which points into `name`. NOT_FOUND lists the names there are, INVALID: the engine
 * has no devices. */
int fan_engine_find(struct fan_engine_choice *choice, const char *name);
int fan_engine_open(struct fan_engine **engine, const struct fan_engine_choice *choice);

/* The engines of a run, in order of preference. */
struct fan_engine_list {
	struct fan_engine_choice choice[FAN_ENGINES_MAX];
	unsigned count;
	bool automatic;  /* FAN_ENGINE_AUTO: those that do not open are left out */
	char *text;      /* owned; what the choices point into */
	char *card_text; /* the same, for engine fpga */
};

/* Out: *list, owned until fan_engine_list_free(); zeroed on error. In: names, comma-separated or FAN_ENGINE_AUTO; card, the device of
 * engine "fpga" where its name has none (it may have commas in it), or NULL. NOT_FOUND, INVALID, MEMORY. */
int fan_engine_list_make(struct fan_engine_list *list, const char *names, const char *card);
/* Safe on a zeroed struct. */
void fan_engine_list_free(struct fan_engine_list *list);

/* The judge: serves where no automatic engine opens. */
extern const struct fan_engine_choice fan_engine_judge;

#endif
