/* SPDX-License-Identifier: BSD-3-Clause */
#include "fingerprint.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#define PLACES_MIN 1024

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

static int
grow(struct fan_fingerprints *prints)
{
	const size_t place_count = prints->place_count == 0 ? PLACES_MIN : 2 * prints->place_count;
	uint64_t *place = map(place_count);

	if (place == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for %zu fingerprints of keys: %zu MiB", place_count,
				place_count * sizeof(*place) >> 20);
	for (size_t i = 0; i < prints->place_count; i++)
		if (prints->place[i] != 0)
			place[find(place, place_count, prints->place[i])] = prints->place[i];
	if (prints->place != NULL)
		munmap(prints->place, prints->place_count * sizeof(*place));
	prints->place = place;
	prints->place_count = place_count;
	return 0;
}

int
fan_fingerprints_prepare(struct fan_fingerprints *prints)
{
	if (prints->place == NULL && getrandom(prints->secret, sizeof(prints->secret), 0) != sizeof(prints->secret))
		return fan_fail(FAN_E_IO, "the kernel gives no random octets");
	return prints->used + 2 > prints->place_count / 8 * 7 ? grow(prints) : 0;
}

bool
fan_fingerprints_add(struct fan_fingerprints *prints, uint64_t print)
{
	const size_t at = find(prints->place, prints->place_count, print);

	if (prints->place[at] == print)
		return false;
	prints->place[at] = print;
	prints->used++;
	return true;
}

/* Those behind the gap that belong before it move up, so that every search still ends at the first free place. */
void
fan_fingerprints_remove(struct fan_fingerprints *prints, uint64_t print)
{
	const size_t mask = prints->place_count - 1;
	size_t gap;

	if (prints->place == NULL)
		return;
	gap = find(prints->place, prints->place_count, print);
	if (prints->place[gap] != print)
		return;
	prints->used--;
	prints->place[gap] = 0;
	for (size_t at = (gap + 1) & mask; prints->place[at] != 0; at = (at + 1) & mask) {
		const size_t home = prints->place[at] & mask;

		if (((at - home) & mask) < ((at - gap) & mask))
			continue;
		prints->place[gap] = prints->place[at];
		prints->place[at] = 0;
		gap = at;
	}
}

void
fan_fingerprints_free(struct fan_fingerprints *prints)
{
	if (prints->place != NULL) {
		explicit_bzero(prints->place, prints->place_count * sizeof(*prints->place));
		munmap(prints->place, prints->place_count * sizeof(*prints->place));
	}
	explicit_bzero(prints, sizeof(*prints));
}
