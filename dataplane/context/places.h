/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Words in open addressing: each stands at the first free place from its home on, and its home is given by those of its bits that `home_mask`
 * has. At most 7/8 of the places are in use: 9 to 18 octets a word. The memory stays out of core dumps and is wiped when it is given back.
 * Whoever has many words has many of these, so that no call waits until all are copied. What a word means is the caller's.
 */
#ifndef FAN_PLACES_H
#define FAN_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed: none. */
struct fan_places {
	uint64_t *place;    /* owned; 0: free; NULL: there are none */
	size_t place_count; /* 0, or a power of 2 */
	size_t used;
};

static inline size_t
fan_places_home(const struct fan_places *places, uint64_t home_mask, uint64_t word)
{
	return word & home_mask & (places->place_count - 1);
}

static inline size_t
fan_places_following(const struct fan_places *places, size_t at)
{
	return (at + 1) & (places->place_count - 1);
}

/* Where a word is, or the free place that it would have. In: places, of which one is free. */
static inline size_t
fan_places_find(const struct fan_places *places, uint64_t home_mask, uint64_t word)
{
	size_t at = fan_places_home(places, home_mask, word);

	while (places->place[at] != 0 && places->place[at] != word)
		at = fan_places_following(places, at);
	return at;
}

/* Places that there will be when they are doubled next. */
size_t fan_places_next_count(const struct fan_places *places);
/* Makes room for one more word. False: there is no memory, and nothing has changed. */
bool fan_places_reserve(struct fan_places *places, uint64_t home_mask);
/* Takes out the word at a place; those behind it that belong before move up, so that every search still ends at the first free place. */
void fan_places_remove(struct fan_places *places, uint64_t home_mask, size_t at);
/* Wipes and frees. */
void fan_places_free(struct fan_places *places);

#endif
