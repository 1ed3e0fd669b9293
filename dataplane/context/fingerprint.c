/* SPDX-License-Identifier: BSD-3-Clause */
#include "fingerprint.h"

#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#define HOME_MASK UINT64_MAX /* every bit of a fingerprint is as good as another */

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

static unsigned
part_of(uint64_t print)
{
	return (unsigned)(print / (UINT64_MAX / FAN_FINGERPRINT_PARTS + 1));
}

static bool
in_any_set(uint64_t print)
{
	for (const struct fan_fingerprints *set = sets; set != NULL; set = set->next) {
		const struct fan_places *part = &set->part[part_of(print)];

		if (part->place != NULL && part->place[fan_places_find(part, HOME_MASK, print)] == print)
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
	struct fan_places *part = &prints->part[part_of(print)];
	int error = 0;

	pthread_mutex_lock(&lock);
	if (in_any_set(print))
		error = fan_fail(FAN_E_EXISTS, "the key is in use");
	else if (!fan_places_reserve(part, HOME_MASK))
		error = fan_fail(FAN_E_MEMORY, "no memory for %zu further fingerprints of keys: %zu KiB",
				 fan_places_next_count(part), fan_places_next_count(part) * sizeof(print) >> 10);
	if (error == 0) {
		part->place[fan_places_find(part, HOME_MASK, print)] = print;
		part->used++;
	}
	pthread_mutex_unlock(&lock);
	return error;
}

void
fan_fingerprints_remove(struct fan_fingerprints *prints, uint64_t print)
{
	struct fan_places *part = &prints->part[part_of(print)];
	size_t at;

	if (part->place == NULL)
		return;
	pthread_mutex_lock(&lock);
	at = fan_places_find(part, HOME_MASK, print);
	if (part->place[at] == print)
		fan_places_remove(part, HOME_MASK, at);
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
		fan_places_free(&prints->part[i]);
	explicit_bzero(prints, sizeof(*prints));
}
