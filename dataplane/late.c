/* SPDX-License-Identifier: BSD-3-Clause */
#include "late.h"

#include <string.h>
#include <sys/mman.h>

#define NOT_LISTED UINT32_MAX /* `previous` of a member in no list, once it was in one */

static_assert(FAN_CONTEXT_STRIPE % FAN_BLOCK_CONTEXTS == 0 && FAN_BLOCK_CONTEXTS % 64 == 0, "a block's bits are whole words");

static size_t
share_bytes(const struct fan_late *late)
{
	return late->worker_count * sizeof(*late->shares);
}

static size_t
link_bytes(const struct fan_late *late)
{
	return late->slots * sizeof(*late->links);
}

int
fan_late_make(struct fan_late *late, size_t slots, unsigned worker_count)
{
	void *pages;

	*late = (struct fan_late){ .slots = (slots / FAN_CONTEXT_STRIPE + 1) * FAN_CONTEXT_STRIPE,
				   .worker_count = worker_count };
	pages = mmap(NULL, share_bytes(late) + link_bytes(late) + late->slots / 8, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (pages == MAP_FAILED) {
		*late = (struct fan_late){ .slots = 0 };
		return fan_fail(FAN_E_MEMORY, "no memory for members that are put off: %zu KiB",
				(share_bytes(late) + link_bytes(late)) >> 10);
	}
	late->shares = pages;
	late->links = (void *)((uint8_t *)pages + share_bytes(late));
	late->bits = (uint8_t *)late->links + link_bytes(late);
	return 0;
}

void
fan_late_free(struct fan_late *late)
{
	if (fan_late_ready(late))
		munmap(late->shares, share_bytes(late) + link_bytes(late) + late->slots / 8);
	*late = (struct fan_late){ .slots = 0 };
}

/* ---- Lists ------------------------------------------------------------------------------------------------------------------- */

static void
note_hop(struct fan_late_share *share, uint32_t hop)
{
	if (share->listed[hop])
		return;
	share->listed[hop] = 1;
	share->hops[share->hop_count++] = (uint16_t)hop;
}

static void
append(struct fan_late *late, struct fan_late_share *share, uint32_t hop, uint32_t slot)
{
	struct fan_late_list *list = &share->list[hop];

	late->links[slot] = (struct fan_late_link){ .next = 0, .previous = list->last };
	if (list->last != 0)
		late->links[list->last - 1].next = slot + 1;
	else
		list->first = slot + 1;
	list->last = slot + 1;
	note_hop(share, hop);
	share->waiting++;
}

static void
unlink_slot(struct fan_late *late, struct fan_late_share *share, uint32_t hop, uint32_t slot)
{
	struct fan_late_list *list = &share->list[hop];
	const struct fan_late_link link = late->links[slot];

	*(link.previous != 0 ? &late->links[link.previous - 1].next : &list->first) = link.next;
	*(link.next != 0 ? &late->links[link.next - 1].previous : &list->last) = link.previous;
	late->links[slot] = (struct fan_late_link){ .previous = NOT_LISTED };
	share->waiting--;
}

static void
set_bit(struct fan_late *late, uint32_t slot, bool on)
{
	uint8_t *octet = &late->bits[slot / 8];
	const uint8_t bit = (uint8_t)(1U << slot % 8), now = *octet;

	__atomic_store_n(octet, (uint8_t)(on ? now | bit : now & ~bit), __ATOMIC_RELEASE);
}

void
fan_late_put_off(struct fan_late *late, unsigned worker, uint32_t hop, uint32_t slot)
{
	struct fan_late_share *share = &late->shares[worker];

	append(late, share, hop, slot);
	set_bit(late, slot, true);
	__atomic_store_n(&share->members, share->members + 1, __ATOMIC_RELEASE);
}

bool
fan_late_first(const struct fan_late *late, unsigned worker, uint32_t hop, uint32_t *slot)
{
	*slot = late->shares[worker].list[hop].first - 1;
	return late->shares[worker].list[hop].first != 0;
}

void
fan_late_take(struct fan_late *late, unsigned worker, uint32_t hop, uint32_t slot)
{
	unlink_slot(late, &late->shares[worker], hop, slot);
}

void
fan_late_put_back(struct fan_late *late, unsigned worker, uint32_t hop, uint32_t slot)
{
	struct fan_late_share *share = &late->shares[worker];
	struct fan_late_list *list = &share->list[hop];

	late->links[slot] = (struct fan_late_link){ .next = list->first, .previous = 0 };
	*(list->first != 0 ? &late->links[list->first - 1].previous : &list->last) = slot + 1;
	list->first = slot + 1;
	note_hop(share, hop);
	share->waiting++;
}

bool
fan_late_done(struct fan_late *late, unsigned worker, uint32_t slot)
{
	struct fan_late_share *share = &late->shares[worker];

	if (!fan_late_has(late, slot))
		return false;
	set_bit(late, slot, false);
	__atomic_store_n(&share->members, share->members - 1, __ATOMIC_RELEASE);
	return true;
}

uint32_t
fan_late_next_hop(struct fan_late *late, unsigned worker)
{
	struct fan_late_share *share = &late->shares[worker];

	while (share->hop_count > 0) {
		uint16_t hop;

		if (share->hop_at >= share->hop_count)
			share->hop_at = 0;
		hop = share->hops[share->hop_at];
		if (share->list[hop].first != 0) {
			share->hop_at++;
			return hop;
		}
		share->listed[hop] = 0;
		share->hops[share->hop_at] = share->hops[--share->hop_count];
	}
	return FAN_NO_HOP;
}

/* ---- The control thread ------------------------------------------------------------------------------------------------------- */

bool
fan_late_move(struct fan_late *late, uint32_t slot, uint32_t from, uint32_t to)
{
	struct fan_late_share *share = &late->shares[slot / FAN_CONTEXT_STRIPE % late->worker_count];

	if (slot >= late->slots || !fan_late_has(late, slot) || late->links[slot].previous == NOT_LISTED)
		return false;
	unlink_slot(late, share, from, slot);
	append(late, share, to, slot);
	return true;
}

uint64_t
fan_late_word(const struct fan_late *late, uint64_t first)
{
	return __atomic_load_n((const uint64_t *)(const void *)(late->bits + first / 8), __ATOMIC_ACQUIRE);
}

bool
fan_late_any(const struct fan_late *late, uint64_t first, uint64_t count)
{
	const uint64_t end = first + count < late->slots ? first + count : late->slots;

	for (; first < end; first += 64)
		if (fan_late_word(late, first) != 0)
			return true;
	return false;
}
