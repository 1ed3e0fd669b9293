/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "places.h"

#include <string.h>
#include <sys/mman.h>

#define PLACES_MIN 512 /* a page */

static uint64_t *
map(size_t place_count)
{
	void *place = mmap(NULL, place_count * sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (place == MAP_FAILED)
		return NULL;
	/* Every search is a walk to a place of its own: fewer translations of addresses. Advice, both. */
	(void)madvise(place, place_count * sizeof(uint64_t), MADV_HUGEPAGE);
	(void)madvise(place, place_count * sizeof(uint64_t), MADV_DONTDUMP);
	return place;
}

size_t
fan_places_next_count(const struct fan_places *places)
{
	return places->place_count == 0 ? PLACES_MIN : 2 * places->place_count;
}

bool
fan_places_reserve(struct fan_places *places, uint64_t home_mask)
{
	struct fan_places more = { .place_count = fan_places_next_count(places), .used = places->used };

	if (places->used + 1 <= places->place_count / 8 * 7)
		return true;
	more.place = map(more.place_count);
	if (more.place == NULL)
		return false;
	for (size_t i = 0; i < places->place_count; i++) {
		size_t at = fan_places_home(&more, home_mask, places->place[i]);

		while (places->place[i] != 0 && more.place[at] != 0)
			at = fan_places_following(&more, at);
		if (places->place[i] != 0)
			more.place[at] = places->place[i];
	}
	fan_places_free(places);
	*places = more;
	return true;
}

void
fan_places_remove(struct fan_places *places, uint64_t home_mask, size_t gap)
{
	const size_t mask = places->place_count - 1;

	places->place[gap] = 0;
	places->used--;
	for (size_t at = fan_places_following(places, gap); places->place[at] != 0; at = fan_places_following(places, at)) {
		const size_t home = fan_places_home(places, home_mask, places->place[at]);

		if (((at - home) & mask) < ((at - gap) & mask))
			continue;
		places->place[gap] = places->place[at];
		places->place[at] = 0;
		gap = at;
	}
}

void
fan_places_free(struct fan_places *places)
{
	if (places->place != NULL) {
		explicit_bzero(places->place, places->place_count * sizeof(*places->place));
		munmap(places->place, places->place_count * sizeof(*places->place));
	}
	memset(places, 0, sizeof(*places));
}
