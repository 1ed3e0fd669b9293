/* SPDX-License-Identifier: BSD-3-Clause */
/* The keys of an issuer of tokens: where they come from, and how they change. Of authority.c alone; authority.h has the words. */
#ifndef FAN_NORTH_T8_ISSUER_H
#define FAN_NORTH_T8_ISSUER_H

#include "authority.h"

#include <rhonabwy.h>

struct fan_t8_key {
	char kid[FAN_T8_KID_BYTES]; /* "": it has none */
	jwa_alg algorithm;          /* RS256 or ES256, and the key is of that kind */
	jwk_t *jwk;                 /* owned; what verifying needs and nothing else */
};

struct fan_t8_keys {
	struct fan_t8_key at[FAN_T8_KEYS_MAX];
	unsigned count;
};

struct fan_t8_source;

/* Reads the keys, or begins to fetch them. In: fetcher, NULL: there is none; refetch_s and refresh_s as in struct fan_t8_authority_options. INVALID: the
 * issuer is not as authority.h says, or its file cannot be used; MEMORY. */
int fan_t8_source_open(struct fan_t8_source **source, struct fan_face *face, struct fan_fetcher *fetcher,
		       const struct fan_t8_issuer *issuer, unsigned refetch_s, unsigned refresh_s);
/* A fetch that is under way goes on, and tells nobody. NULL is ignored. */
void fan_t8_source_close(struct fan_t8_source *source);

/* The keys now, until the next turn of the loop. Looks whether the file has changed; begins to fetch them if they are old. */
const struct fan_t8_keys *fan_t8_source_keys(struct fan_t8_source *source);
/* A token names a key that is not there: begins to fetch them, unless they were just fetched. Returns whether a fetch is under way. */
bool fan_t8_source_fetch(struct fan_t8_source *source);
const struct fan_t8_issuer *fan_t8_source_issuer(const struct fan_t8_source *source);

#endif
