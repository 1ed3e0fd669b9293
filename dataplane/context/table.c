/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "table.h"

#include "count.h"
#include "memory.h"

#include <string.h>
#include <sys/mman.h>

#define PAGE_BYTES 4096
#define STEP_BYTES ((size_t)FAN_CONTEXT_STEP * sizeof(struct fan_context))
/* Of the address space that a limited process has left, a table takes this part at the most: others come
 * after it, and NAS has one for each bearer or session identity. */
#define ADDRESS_SHARE 32

/* Keys stay out of core dumps and forked children. All of it is advice, and fails only on kernels built without the feature. */
static void
advise(void *slots, size_t bytes)
{
	(void)madvise(slots, bytes, MADV_DONTDUMP);
	(void)madvise(slots, bytes, MADV_WIPEONFORK);
	(void)madvise(slots, bytes, MADV_HUGEPAGE);
}

/* Address space that begins at a multiple of a step, so that huge pages fill the steps. Nothing may be read or written there, and strict
 * accounting of memory (vm.overcommit_memory=2) does not count it. */
static uint8_t *
map_aligned(size_t bytes)
{
	const size_t whole_bytes = bytes + STEP_BYTES;
	uint8_t *whole = mmap(NULL, whole_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t before, behind;

	if (whole == MAP_FAILED)
		return NULL;
	before = -(uintptr_t)whole % STEP_BYTES;
	bytes = (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
	behind = whole_bytes - before - bytes;
	if (before > 0)
		munmap(whole, before);
	if (behind >= PAGE_BYTES)
		munmap(whole + before + bytes, behind);
	return whole + before;
}

/* Address space for `wanted` slots, or for as many as a limited process can spare. Out: *capacity. NULL: there is none. */
static void *
reserve(size_t *capacity, size_t wanted)
{
	const size_t spare = fan_memory_address_bytes() / ADDRESS_SHARE / STEP_BYTES;
	const size_t most = (spare > 0 ? spare : 1) * FAN_CONTEXT_STEP;

	for (size_t slots = wanted < most ? wanted : most; slots > 0; slots /= 2) {
		void *place = map_aligned(slots * sizeof(struct fan_context));

		*capacity = slots;
		if (place != NULL)
			return place;
	}
	return NULL;
}

#define NAMES_BYTES(slots) ((size_t)(slots)*FAN_B_TID_NAME_BYTES)

/* Address space for names, of which grow() makes memory. */
static int
reserve_names(struct fan_context_table *table)
{
	void *names = mmap(NULL, NAMES_BYTES(table->capacity), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (names == MAP_FAILED)
		return fan_fail(FAN_E_MEMORY, "no address space for the names of a table: raise the limit (ulimit -v)");
	table->names = names;
	return 0;
}

int
fan_context_table_init(struct fan_context_table *table, struct fan_protection protection, size_t capacity)
{
	const size_t wanted = capacity;
	void *slots;

	memset(table, 0, sizeof(*table));
	if (capacity == 0 || capacity > FAN_CONTEXT_SLOTS_MAX)
		return fan_fail(FAN_E_INVALID, "a table of %zu contexts: 1 to %u", capacity, FAN_CONTEXT_SLOTS_MAX);
	slots = reserve(&capacity, wanted);
	if (slots == NULL)
		return fan_fail(FAN_E_MEMORY, "no address space for a table of contexts: raise the limit (ulimit -v)");
	advise(slots, capacity * sizeof(struct fan_context));
	fan_memory_add(slots, capacity * sizeof(struct fan_context), FAN_MEMORY_READ);
	table->slots = slots;
	table->protection = protection;
	table->wanted = (uint32_t)wanted;
	table->capacity = (uint32_t)capacity;
	table->free_first = FAN_SLOT_NONE;
	if (protection.kind != FAN_KIND_MBMS || reserve_names(table) == 0)
		return 0;
	fan_context_table_free(table);
	return FAN_E_MEMORY;
}

int
fan_context_table_mark(struct fan_context_table *table)
{
	const size_t blocks = (table->capacity + FAN_BLOCK_CONTEXTS - 1) / FAN_BLOCK_CONTEXTS;
	void *octets = mmap(NULL, 2 * blocks, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (octets == MAP_FAILED)
		return fan_fail(FAN_E_MEMORY, "no memory for the marks of a table");
	table->marks = octets;
	table->waits = table->marks + blocks;
	return 0;
}

/* Whether the first `slots` generations may be touched, where there are any. */
static bool
open_generations(const struct fan_context_table *table, uint32_t slots)
{
	return table->generation == NULL ||
	       mprotect(table->generation, slots * sizeof(*table->generation), PROT_READ | PROT_WRITE) == 0;
}

/* The same for the first `slots` names. */
static bool
open_names(const struct fan_context_table *table, uint32_t slots)
{
	return table->names == NULL || mprotect(table->names, NAMES_BYTES(slots), PROT_READ | PROT_WRITE) == 0;
}

/* Makes memory of the next step of address space. Locked as it is touched, where that is allowed: a host may have use for what little
 * RLIMIT_MEMLOCK gives, so a refusal is none of ours. */
static int
grow(struct fan_context_table *table)
{
	uint8_t *from = (uint8_t *)&table->slots[table->ready];
	const uint32_t left = table->capacity - table->ready;
	const uint32_t step = left < FAN_CONTEXT_STEP ? left : FAN_CONTEXT_STEP;
	const size_t bytes = step * sizeof(struct fan_context);

	if (step == 0 && table->capacity < table->wanted)
		return fan_fail(
			FAN_E_MEMORY,
			"the table is full: %u contexts, for more the process has no address space (ulimit -v): raise that limit",
			table->capacity);
	if (step == 0)
		return fan_fail(FAN_E_MEMORY, "the table is full: %u contexts", table->capacity);
	if (mprotect(from, bytes, PROT_READ | PROT_WRITE) != 0 || !open_generations(table, table->ready + step) ||
	    !open_names(table, table->ready + step))
		return fan_fail(
			FAN_E_MEMORY,
			"the table holds %u contexts and the system gives it no memory for more: use fewer UEs, or raise "
			"what it may commit (vm.overcommit_memory, ulimit -d)",
			table->ready);
	(void)mlock2(from, bytes, MLOCK_ONFAULT);
	table->ready += step;
	return 0;
}

void
fan_context_table_free(struct fan_context_table *table)
{
	const size_t blocks = (table->capacity + FAN_BLOCK_CONTEXTS - 1) / FAN_BLOCK_CONTEXTS;

	if (table->slots == NULL)
		return;
	fan_memory_remove(table->slots);
	explicit_bzero(table->slots, (size_t)table->used * sizeof(struct fan_context));
	munmap(table->slots, (size_t)table->capacity * sizeof(struct fan_context));
	if (table->generation != NULL)
		munmap(table->generation, table->capacity * sizeof(*table->generation));
	if (table->marks != NULL)
		munmap(table->marks, 2 * blocks);
	if (table->names != NULL)
		munmap(table->names, NAMES_BYTES(table->capacity));
	memset(table, 0, sizeof(*table));
}

static int
check_nas_place(uint8_t kind, const struct fan_ue *ue)
{
	const uint64_t mme_max = kind == FAN_KIND_EPS_NAS ? UINT32_MAX : (UINT64_C(1) << 40) - 1;
	const uint32_t ran_max = kind == FAN_KIND_EPS_NAS ? (1U << 24) - 1 : UINT32_MAX;

	if (ue->mme_ue_id > mme_max)
		return fan_fail(FAN_E_INVALID, "%s %llu: 0 to %llu",
				kind == FAN_KIND_EPS_NAS ? "MME-UE-S1AP-ID" : "AMF-UE-NGAP-ID",
				(unsigned long long)ue->mme_ue_id, (unsigned long long)mme_max);
	if (ue->ran_ue_id > ran_max)
		return fan_fail(FAN_E_INVALID, "eNB-UE-S1AP-ID %u: 0 to %u", ue->ran_ue_id, ran_max);
	return 0;
}

/* A host that an IPv4 packet can be meant for alone: 0/8 and 127/8 are none, and from 224 on are groups and what is reserved (RFC 6890). */
static int
check_packet_place(const struct fan_ue *ue)
{
	const char *const profile = ue->kind == FAN_KIND_MBMS ? "mbms-msk" : "sgi-ip";
	const uint8_t first = ue->ipv4[0];

	if (first == 0 || first == 127 || first >= 224)
		return fan_fail(FAN_E_INVALID, "the UE's address %u.%u.%u.%u: %s takes a unicast address", first, ue->ipv4[1],
				ue->ipv4[2], ue->ipv4[3], profile);
	if (ue->teid != 0 || ue->uplink_teid != 0)
		return fan_fail(FAN_E_INVALID, "TEID %u, uplink TEID %u: 0, for %s has no tunnel", ue->teid, ue->uplink_teid,
				profile);
	if (ue->bearer != 0 || ue->nru_sn != 0)
		return fan_fail(FAN_E_INVALID, "BEARER %u, NR-U SN %u: 0, for %s has no bearer", ue->bearer, ue->nru_sn,
				profile);
	return 0;
}

/* All octets of both keys, or-ed. */
static uint8_t
any_of_keys(const struct fan_ue *ue)
{
	uint8_t any = 0;

	for (unsigned i = 0; i < FAN_KEY_BYTES; i++)
		any |= ue->k_enc[i] | ue->k_int[i];
	return any;
}

/* A key that is handed over would be kept, and protect nothing: who hands one over expects that it does. */
static int
check_plain_fields(const struct fan_ue *ue)
{
	if (any_of_keys(ue) != 0)
		return fan_fail(FAN_E_INVALID, "a key for sgi-ip: it takes none, for Fanfare protects nothing there");
	return check_packet_place(ue);
}

#define RAND_DIGITS 22 /* of base64, for 16 octets; == fills them up */

/* base64(RAND)@domain (TS 33.220 4.5.2, TS 23.003 16). */
static bool
is_b_tid(const char *b_tid)
{
	static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const size_t bytes = strnlen(b_tid, FAN_B_TID_BYTES_MAX + 1);

	if (bytes > FAN_B_TID_BYTES_MAX || strspn(b_tid, base64) != RAND_DIGITS || strncmp(b_tid + RAND_DIGITS, "==@", 3) != 0)
		return false;
	for (const char *at = b_tid + FAN_B_TID_NAME_BYTES + 1; *at != '\0'; at++)
		if (*at <= ' ' || *at > '~' || *at == '@' || *at == ',')
			return false;
	return b_tid[FAN_B_TID_NAME_BYTES + 1] != '\0';
}

/* One message goes to all, and names the end of their B-TIDs once. */
static int
check_mbms_fields(const struct fan_context_table *table, const struct fan_ue *ue)
{
	if (any_of_keys(ue) == 0)
		return fan_fail(FAN_E_INVALID, "a UE of mbms-msk without a MUK");
	if (ue->b_tid == NULL || !is_b_tid(ue->b_tid))
		return fan_fail(FAN_E_INVALID,
				"the B-TID of a UE of mbms-msk: 16 octets in base64, @ and a domain, %d characters at most",
				FAN_B_TID_BYTES_MAX);
	if (table->domain[0] != '\0' && strcmp(table->domain, ue->b_tid + FAN_B_TID_NAME_BYTES) != 0)
		return fan_fail(FAN_E_INVALID, "a B-TID of %s: those of the other UEs end with %s",
				ue->b_tid + FAN_B_TID_NAME_BYTES, table->domain);
	return check_packet_place(ue);
}

static int
check_nas_fields(const struct fan_ue *ue)
{
	if (ue->transaction > 6)
		return fan_fail(FAN_E_INVALID, "CP transaction identifier %u: 0 to 6", ue->transaction);
	return check_nas_place((uint8_t)ue->kind, ue);
}

/* All but COUNT. */
static int
check_fields(const struct fan_context_table *table, const struct fan_ue *ue)
{
	const struct fan_protection want = table->protection;
	const int error = fan_protection_check(want, ue->emergency);

	if (error != 0)
		return error;
	if (ue->kind != want.kind || ue->cipher != want.cipher || ue->integrity != want.integrity)
		return fan_fail(FAN_E_INVALID, "a UE of another protection than the table's");
	if (ue->bearer > 31)
		return fan_fail(FAN_E_INVALID, "BEARER %u: 0 to 31", ue->bearer);
	/* TS 33.401 8.1.1: constant 0; TS 24.501 4.4.3.1: the NAS connection, 1 over 3GPP access, 2 over non-3GPP access. */
	if (ue->kind == FAN_KIND_EPS_NAS && ue->bearer != 0)
		return fan_fail(FAN_E_INVALID, "BEARER %u of EPS NAS: always 0", ue->bearer);
	if (ue->kind == FAN_KIND_5GS_NAS && ue->bearer != 1 && ue->bearer != 2)
		return fan_fail(FAN_E_INVALID, "BEARER %u of 5GS NAS: 1 (3GPP access) or 2 (non-3GPP access)", ue->bearer);
	if (fan_kind_is_nas(ue->kind))
		return check_nas_fields(ue);
	if (fan_kind_is_plain(ue->kind))
		return check_plain_fields(ue);
	if (ue->kind == FAN_KIND_MBMS)
		return check_mbms_fields(table, ue);
	if (ue->nru_sn >= 1U << 24)
		return fan_fail(FAN_E_INVALID, "NR-U SN %u: 24 bits", ue->nru_sn);
	return 0;
}

/* Where a UE's PDUs go. */
static void
fill_place(struct fan_context *context, enum fan_kind kind, const struct fan_ue *ue)
{
	context->next_hop = ue->next_hop;
	if (fan_kind_is_nas(kind)) {
		context->nas.mme_ue_id_low = (uint32_t)ue->mme_ue_id;
		context->nas.mme_ue_id_high = (uint8_t)(ue->mme_ue_id >> 32);
		context->nas.ran_ue_id = ue->ran_ue_id;
	} else {
		context->drb.teid = ue->teid;
		memcpy(context->drb.ipv4, ue->ipv4, sizeof(context->drb.ipv4));
	}
	if (kind == FAN_KIND_MBMS)
		context->packet.udp_port = ue->udp_port != 0 ? ue->udp_port : FAN_PORT_MIKEY;
}

static void
fill_name(struct fan_context_table *table, uint32_t slot, const char *b_tid)
{
	memcpy(table->names[slot], b_tid, FAN_B_TID_NAME_BYTES);
	memcpy(table->domain, b_tid + FAN_B_TID_NAME_BYTES, strlen(b_tid + FAN_B_TID_NAME_BYTES) + 1);
}

static void
fill(struct fan_context_table *table, uint32_t slot, const struct fan_ue *ue)
{
	struct fan_context *const context = &table->slots[slot];

	memset(context, 0, sizeof(*context));
	memcpy(context->k_enc, ue->k_enc, FAN_KEY_BYTES);
	memcpy(context->k_int, ue->k_int, FAN_KEY_BYTES);
	fan_count_begin(context, ue);
	fill_place(context, ue->kind, ue);
	context->ue = ue->ue;
	context->bearer_direction = (uint8_t)(ue->bearer << 3 | FAN_DIRECTION_DOWNLINK << 2);
	context->flags = FAN_CONTEXT_PRESENT;
	if (fan_kind_is_nas(ue->kind)) {
		context->nas.bearer_id = ue->bearer_id;
		context->nas.transaction = ue->transaction;
		context->nas.rp_reference = ue->rp_reference;
	} else if (fan_kind_is_bearer(ue->kind)) {
		context->drb.nru_sn = ue->nru_sn;
	}
	if (table->names != NULL)
		fill_name(table, slot, ue->b_tid);
}

/* What fill() and fill_place() read of one kind and not of the other. */
static void
tell_kind(const struct fan_context *context, struct fan_ue *ue)
{
	if (fan_kind_is_nas(ue->kind)) {
		ue->mme_ue_id = (uint64_t)context->nas.mme_ue_id_high << 32 | context->nas.mme_ue_id_low;
		ue->ran_ue_id = context->nas.ran_ue_id;
		ue->bearer_id = context->nas.bearer_id;
		ue->transaction = context->nas.transaction;
		ue->rp_reference = context->nas.rp_reference;
		return;
	}
	memcpy(ue->ipv4, context->drb.ipv4, sizeof(ue->ipv4));
	if (ue->kind == FAN_KIND_MBMS) {
		ue->udp_port = context->packet.udp_port;
		return;
	}
	ue->teid = context->drb.teid;
	ue->nru_sn = context->drb.nru_sn;
}

void
fan_context_tell_b_tid(const struct fan_context_table *table, char b_tid[FAN_B_TID_BYTES_MAX + 1], uint32_t slot)
{
	memcpy(b_tid, table->names[slot], FAN_B_TID_NAME_BYTES);
	memcpy(b_tid + FAN_B_TID_NAME_BYTES, table->domain, sizeof(table->domain));
}

void
fan_context_tell(const struct fan_context_table *table, struct fan_ue *ue, uint32_t slot)
{
	const struct fan_context *const context = &table->slots[slot];

	fan_ue_init(ue, (enum fan_kind)table->protection.kind);
	ue->cipher = table->protection.cipher;
	ue->integrity = table->protection.integrity;
	memcpy(ue->k_enc, context->k_enc, FAN_KEY_BYTES);
	memcpy(ue->k_int, context->k_int, FAN_KEY_BYTES);
	ue->count = fan_count_next(context);
	ue->count_reserved = context->count_reserved;
	ue->unacknowledged = fan_count_gap(context);
	ue->bearer = context->bearer_direction >> 3;
	ue->next_hop = context->next_hop;
	ue->ue = context->ue;
	ue->transactions_open = context->transactions_open;
	tell_kind(context, ue);
}

int64_t
fan_context_add(struct fan_context_table *table, const struct fan_ue *ue)
{
	int error = check_fields(table, ue);
	uint32_t slot;

	if (error == 0)
		error = fan_count_check(ue);
	if (error != 0)
		return error;
	if (table->free_first != FAN_SLOT_NONE) {
		slot = table->free_first;
		table->free_first = table->slots[slot].ue;
	} else {
		if (table->used == table->ready && (error = grow(table)) != 0)
			return error;
		slot = table->used++;
	}
	fill(table, slot, ue);
	table->present++;
	return slot;
}

/* The slots from table->used to `end` become free ones, the lowest first in the list. */
static int
skip_slots(struct fan_context_table *table, uint32_t end)
{
	int error = 0;

	while (error == 0 && table->ready < end)
		error = grow(table);
	if (error != 0)
		return error;
	for (uint32_t slot = end; slot > table->used;) {
		table->slots[--slot].ue = table->free_first;
		table->free_first = slot;
	}
	table->used = end;
	return 0;
}

static int
restore(struct fan_context_table *table, uint32_t slot, const struct fan_ue *ue)
{
	int error = check_fields(table, ue);

	if (error == 0 && (slot < table->used || slot >= table->wanted))
		error = fan_fail(FAN_E_INVALID, "slot %u of a UE: from %u to %u, in ascending order", slot, table->used,
				 table->wanted - 1);
	if (error == 0)
		error = skip_slots(table, slot);
	if (error == 0 && slot == table->ready)
		error = grow(table);
	if (error != 0)
		return error;
	fill(table, slot, ue);
	table->used = slot + 1;
	table->present++;
	return 0;
}

void
fan_context_retire(struct fan_context_table *table, uint32_t slot)
{
	FAN_REQUIRE(fan_context_present(table, slot));
	__atomic_store_n(&table->slots[slot].flags, FAN_CONTEXT_PRESENT | FAN_CONTEXT_REMOVED, __ATOMIC_RELAXED);
	table->present--;
}

void
fan_context_recall(struct fan_context_table *table, uint32_t slot, uint8_t flags)
{
	FAN_REQUIRE(table->slots[slot].flags == (FAN_CONTEXT_PRESENT | FAN_CONTEXT_REMOVED));
	__atomic_store_n(&table->slots[slot].flags, flags, __ATOMIC_RELAXED);
	table->present++;
}

void
fan_context_wipe(struct fan_context_table *table, uint32_t slot)
{
	FAN_REQUIRE(slot < table->used && (table->slots[slot].flags & FAN_CONTEXT_REMOVED) != 0);
	explicit_bzero(&table->slots[slot], sizeof(table->slots[slot]));
	if (table->names != NULL)
		memset(table->names[slot], 0, sizeof(table->names[slot]));
	table->slots[slot].flags = FAN_CONTEXT_REMOVED;
}

/* False when no further name can be given to the slot, or there is no memory to count its names: then nobody gets it. */
static bool
rename_slot(struct fan_context_table *table, uint32_t slot)
{
	const size_t bytes = table->capacity * sizeof(*table->generation);

	if (table->generation == NULL) {
		void *generation = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (generation == MAP_FAILED)
			return false;
		table->generation = generation;
		if (!open_generations(table, table->ready)) {
			munmap(generation, bytes);
			table->generation = NULL;
			return false;
		}
	}
	return table->generation[slot] < FAN_GENERATION_MAX && ++table->generation[slot] <= FAN_GENERATION_MAX;
}

void
fan_context_free(struct fan_context_table *table, uint32_t slot)
{
	FAN_REQUIRE(slot < table->used && table->slots[slot].flags == FAN_CONTEXT_REMOVED);
	if (!rename_slot(table, slot))
		return;
	table->slots[slot].flags = 0;
	table->slots[slot].ue = table->free_first;
	table->free_first = slot;
}

void
fan_context_remove(struct fan_context_table *table, uint32_t slot)
{
	fan_context_retire(table, slot);
	fan_context_wipe(table, slot);
	fan_context_free(table, slot);
}

/* Out: prints of the keys that protect something. Returns how many, 0 to 2. */
static unsigned
fingerprint(uint64_t prints[2], const struct fan_fingerprints *keys, struct fan_protection protection, const uint8_t *k_enc,
	    const uint8_t *k_int, uint8_t bearer)
{
	unsigned count = 0;

	if (protection.cipher != 0)
		prints[count++] = fan_fingerprint(keys, k_enc, bearer);
	if (protection.integrity != 0 && protection.integrity != FAN_INTEGRITY_NONE)
		prints[count++] = fan_fingerprint(keys, k_int, bearer | 0x100U);
	return count;
}

/* Enters a UE's keys, all or none. */
static int
claim_keys(struct fan_fingerprints *keys, struct fan_protection protection, const struct fan_ue *ue)
{
	uint64_t prints[2];
	const unsigned count = fingerprint(prints, keys, protection, ue->k_enc, ue->k_int, ue->bearer);
	int error = 0;

	for (unsigned i = 0; i < count && error == 0; i++) {
		error = fan_fingerprints_add(keys, prints[i]);
		if (error != 0 && i > 0)
			fan_fingerprints_remove(keys, prints[0]);
	}
	return error;
}

static void
unclaim_keys(struct fan_fingerprints *keys, struct fan_protection protection, const struct fan_ue *ue)
{
	uint64_t prints[2];
	const unsigned count = fingerprint(prints, keys, protection, ue->k_enc, ue->k_int, ue->bearer);

	for (unsigned i = 0; i < count; i++)
		fan_fingerprints_remove(keys, prints[i]);
}

/* As claim_keys(), and says whose keys they are. */
static int
claim(struct fan_fingerprints *keys, struct fan_protection protection, const struct fan_ue *ue)
{
	int error = fan_fingerprints_prepare(keys);

	if (error == 0)
		error = claim_keys(keys, protection, ue);
	if (error == FAN_E_EXISTS)
		return fan_fail(
			FAN_E_EXISTS,
			"UE %u: a context with a key and the BEARER of it is there, in this handle or another; both would "
			"spend the same COUNTs",
			ue->ue);
	return error;
}

int64_t
fan_context_add_once(struct fan_context_table *table, struct fan_fingerprints *keys, const struct fan_ue *ue)
{
	const int error = claim(keys, table->protection, ue);
	int64_t slot;

	if (error != 0)
		return error;
	slot = fan_context_add(table, ue);
	if (slot < 0)
		unclaim_keys(keys, table->protection, ue);
	return slot;
}

int
fan_context_restore(struct fan_context_table *table, struct fan_fingerprints *keys, uint32_t slot, const struct fan_ue *ue)
{
	int error = claim(keys, table->protection, ue);

	if (error != 0)
		return error;
	error = restore(table, slot, ue);
	if (error != 0)
		unclaim_keys(keys, table->protection, ue);
	return error;
}

void
fan_context_release_keys(struct fan_fingerprints *keys, const struct fan_context_table *table, uint32_t slot)
{
	const struct fan_context *context = &table->slots[slot];
	uint64_t prints[2];
	const unsigned count = fingerprint(prints, keys, table->protection, context->k_enc, context->k_int,
					   context->bearer_direction >> 3);

	for (unsigned i = 0; i < count; i++)
		fan_fingerprints_remove(keys, prints[i]);
}

bool
fan_context_present(const struct fan_context_table *table, uint32_t slot)
{
	return slot < table->used &&
	       (table->slots[slot].flags & (FAN_CONTEXT_PRESENT | FAN_CONTEXT_REMOVED)) == FAN_CONTEXT_PRESENT;
}

int
fan_context_check_move(const struct fan_context_table *table, const struct fan_ue *ue)
{
	const enum fan_kind kind = (enum fan_kind)table->protection.kind;

	if (fan_kind_is_nas(kind))
		return check_nas_place(table->protection.kind, ue);
	return fan_kind_is_bearer(kind) ? 0 : check_packet_place(ue);
}

int
fan_context_move(struct fan_context_table *table, uint32_t slot, const struct fan_ue *ue)
{
	const int error = fan_context_check_move(table, ue);

	if (error == 0)
		fill_place(&table->slots[slot], (enum fan_kind)table->protection.kind, ue);
	return error;
}
