/* SPDX-License-Identifier: BSD-3-Clause */
#include "fingerprint.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#define PLACES_MIN 512 /* a page */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct fan_fingerprints *sets; /* of all handles */

static uint64_t
rotate(uint64_t word, unsigned bits)
{
	return word << bits | word >> (64 - bits);
}

static void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static void
sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
}

static uint64_t
word_at(const uint8_t *octets)
{
	uint64_t word;

	memcpy(&word, octets, sizeof(word));
	return word;
}

/* 24 octets in three words, and the word of their number. The key passes through registers only. */
uint64_t
fan_fingerprint(const struct fan_fingerprints *prints, const uint8_t key[FAN_KEY_BYTES], uint64_t beside)
{
	uint64_t v[4] = { prints->secret[0] ^ UINT64_C(0x736f6d6570736575), prints->secret[1] ^ UINT64_C(0x646f72616e646f6d),
			  prints->secret[0] ^ UINT64_C(0x6c7967656e657261), prints->secret[1] ^ UINT64_C(0x7465646279746573) };
	uint64_t print;

	sip_word(v, word_at(key));
	sip_word(v, word_at(key + 8));
	sip_word(v, beside);
	sip_word(v, UINT64_C(24) << 56);
	v[2] ^= 0xff;
	for (unsigned i = 0; i < 4; i++)
		sip_round(v);
	print = v[0] ^ v[1] ^ v[2] ^ v[3];
	return print != 0 ? print : 1;
}

/* Where a fingerprint is, or the free place where it belongs. */
static size_t
find(const uint64_t *place, size_t place_count, uint64_t print)
{
	size_t at = print & (place_count - 1);

	while (place[at] != 0 && place[at] != print)
		at = (at + 1) & (place_count - 1);
	return at;
}

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

static void
unmap(const struct fan_fingerprint_part *part)
{
	if (part->place == NULL)
		return;
	explicit_bzero(part->place, part->place_count * sizeof(*part->place));
	munmap(part->place, part->place_count * sizeof(*part->place));
}

static int
grow(struct fan_fingerprint_part *part)
{
	const size_t place_count = part->place_count == 0 ? PLACES_MIN : 2 * part->place_count;
	uint64_t *place = map(place_count);

	if (place == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for %zu further fingerprints of keys: %zu KiB", place_count,
				place_count * sizeof(*place) >> 10);
	for (size_t i = 0; i < part->place_count; i++)
		if (part->place[i] != 0)
			place[find(place, place_count, part->place[i])] = part->place[i];
	unmap(part);
	part->place = place;
	part->place_count = place_count;
	return 0;
}

static unsigned
part_of(uint64_t print)
{
	return (unsigned)(print / (UINT64_MAX / FAN_FINGERPRINT_PARTS + 1));
}

static bool
in_any_set(uint64_t print)
{
	for (const struct fan_fingerprints *set = sets; set != NULL; set = set->next) {
		const struct fan_fingerprint_part *part = &set->part[part_of(print)];

		if (part->place != NULL && part->place[find(part->place, part->place_count, print)] == print)
			return true;
	}
	return false;
}

/* The secret is the process's, since sets are compared; where no set is left, the next has another. */
static bool
enter(struct fan_fingerprints *prints)
{
	if (sets != NULL)
		memcpy(prints->secret, sets->secret, sizeof(prints->secret));
	else if (getrandom(prints->secret, sizeof(prints->secret), 0) != sizeof(prints->secret))
		return false;
	prints->next = sets;
	prints->link = &sets;
	if (sets != NULL)
		sets->link = &prints->next;
	sets = prints;
	return true;
}

int
fan_fingerprints_prepare(struct fan_fingerprints *prints)
{
	bool entered = true;

	if (prints->link == NULL) {
		pthread_mutex_lock(&lock);
		entered = enter(prints);
		pthread_mutex_unlock(&lock);
	}
	return entered ? 0 : fan_fail(FAN_E_IO, "the kernel gives no random octets");
}

int
fan_fingerprints_add(struct fan_fingerprints *prints, uint64_t print)
{
	struct fan_fingerprint_part *part = &prints->part[part_of(print)];
	int error = 0;

	pthread_mutex_lock(&lock);
	if (in_any_set(print))
		error = fan_fail(FAN_E_EXISTS, "the key is in use");
	else if (part->used + 1 > part->place_count / 8 * 7)
		error = grow(part);
	if (error == 0) {
		part->place[find(part->place, part->place_count, print)] = print;
		part->used++;
	}
	pthread_mutex_unlock(&lock);
	return error;
}

/* Those behind the gap that belong before it move up, so that every search still ends at the first free place. */
static void
close_gap(struct fan_fingerprint_part *part, size_t gap)
{
	const size_t mask = part->place_count - 1;

	part->place[gap] = 0;
	for (size_t at = (gap + 1) & mask; part->place[at] != 0; at = (at + 1) & mask) {
		const size_t home = part->place[at] & mask;

		if (((at - home) & mask) < ((at - gap) & mask))
			continue;
		part->place[gap] = part->place[at];
		part->place[at] = 0;
		gap = at;
	}
}

void
fan_fingerprints_remove(struct fan_fingerprints *prints, uint64_t print)
{
	struct fan_fingerprint_part *part = &prints->part[part_of(print)];
	size_t at;

	if (part->place == NULL)
		return;
	pthread_mutex_lock(&lock);
	at = find(part->place, part->place_count, print);
	if (part->place[at] == print) {
		close_gap(part, at);
		part->used--;
	}
	pthread_mutex_unlock(&lock);
}

void
fan_fingerprints_free(struct fan_fingerprints *prints)
{
	if (prints->link == NULL)
		return;
	pthread_mutex_lock(&lock);
	*prints->link = prints->next;
	if (prints->next != NULL)
		prints->next->link = prints->link;
	pthread_mutex_unlock(&lock);
	for (unsigned i = 0; i < FAN_FINGERPRINT_PARTS; i++)
		unmap(&prints->part[i]);
	explicit_bzero(prints, sizeof(*prints));
}
