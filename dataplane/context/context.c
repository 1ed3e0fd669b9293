/* SPDX-License-Identifier: BSD-3-Clause */
#include "context.h"

#include "count.h"
#include "memory.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *const profile_names[FAN_PROFILE_COUNT] = {
	[FAN_PROFILE_EPS_NAS_NIDD] = "eps-nas-nidd", [FAN_PROFILE_EPS_NAS_SMS] = "eps-nas-sms",
	[FAN_PROFILE_5GS_NAS_SMS] = "5gs-nas-sms",   [FAN_PROFILE_5GS_NAS_CIOT] = "5gs-nas-ciot",
	[FAN_PROFILE_LTE_PDCP_12] = "lte-pdcp-12",   [FAN_PROFILE_LTE_PDCP_18] = "lte-pdcp-18",
	[FAN_PROFILE_NR_PDCP_12] = "nr-pdcp-12",     [FAN_PROFILE_NR_PDCP_18] = "nr-pdcp-18",
};

const char *
fan_profile_name(enum fan_profile profile)
{
	return (unsigned)profile < FAN_PROFILE_COUNT ? profile_names[profile] : NULL;
}

int
fan_profile_find(const char *name)
{
	for (int i = 0; i < FAN_PROFILE_COUNT; i++)
		if (strcmp(name, profile_names[i]) == 0)
			return i;
	return fan_fail(
		FAN_E_NOT_FOUND,
		"unknown profile \"%s\": use eps-nas-nidd, eps-nas-sms, 5gs-nas-sms, 5gs-nas-ciot, lte-pdcp-12, lte-pdcp-18, "
		"nr-pdcp-12 or nr-pdcp-18",
		name);
}

enum fan_kind
fan_profile_kind(enum fan_profile profile)
{
	switch (profile) {
	case FAN_PROFILE_EPS_NAS_NIDD:
	case FAN_PROFILE_EPS_NAS_SMS:
		return FAN_KIND_EPS_NAS;
	case FAN_PROFILE_5GS_NAS_SMS:
	case FAN_PROFILE_5GS_NAS_CIOT:
		return FAN_KIND_5GS_NAS;
	case FAN_PROFILE_LTE_PDCP_12:
		return FAN_KIND_LTE_PDCP_12;
	case FAN_PROFILE_LTE_PDCP_18:
		return FAN_KIND_LTE_PDCP_18;
	case FAN_PROFILE_NR_PDCP_12:
		return FAN_KIND_NR_PDCP_12;
	case FAN_PROFILE_NR_PDCP_18:
	case FAN_PROFILE_COUNT:
		break;
	}
	return FAN_KIND_NR_PDCP_18;
}

static int
check_integrity(struct fan_protection protection, bool emergency)
{
	const bool lte = protection.kind == FAN_KIND_LTE_PDCP_12 || protection.kind == FAN_KIND_LTE_PDCP_18;

	if (lte && protection.integrity != FAN_INTEGRITY_NONE)
		return fan_fail(FAN_E_INVALID, "integrity %u on an LTE DRB: LTE PDCP DRBs have none (TS 36.323)",
				protection.integrity);
	if (protection.integrity == FAN_INTEGRITY_NONE) {
		if (fan_kind_is_nas(protection.kind))
			return fan_fail(FAN_E_INVALID, "integrity none on NAS: every NAS message carries a MAC; use 1, 2 or 3");
		return 0;
	}
	if (protection.integrity > FAN_ALGORITHM_MAX)
		return fan_fail(FAN_E_INVALID, "unknown integrity algorithm %u: use 0 to %d or none", protection.integrity,
				FAN_ALGORITHM_MAX);
	if (protection.integrity == 0 && !emergency)
		return fan_fail(FAN_E_INVALID, "integrity 0 (EIA0) protects nothing: allowed only for UEs marked emergency "
					       "(TS 33.401 5.1.4.2)");
	return 0;
}

int
fan_protection_check(struct fan_protection protection, bool emergency)
{
	if (protection.kind >= FAN_KIND_COUNT)
		return fan_fail(FAN_E_INVALID, "unknown kind of protection %u: 0 to %d", protection.kind, FAN_KIND_COUNT - 1);
	if (protection.cipher > FAN_ALGORITHM_MAX)
		return fan_fail(FAN_E_INVALID, "unknown cipher algorithm %u: use 0 to %d", protection.cipher,
				FAN_ALGORITHM_MAX);
	if (protection.kind == FAN_KIND_EPS_NAS && (protection.bearer_id < 5 || protection.bearer_id > 15))
		return fan_fail(FAN_E_INVALID, "EPS bearer identity %u: 5 to 15", protection.bearer_id);
	if (protection.kind == FAN_KIND_5GS_NAS && (protection.bearer_id < 1 || protection.bearer_id > 15))
		return fan_fail(FAN_E_INVALID, "PDU session identity %u: 1 to 15", protection.bearer_id);
	return check_integrity(protection, emergency);
}

size_t
fan_memory_available_bytes(void)
{
	unsigned long long kib = 0;
	char line[128];
	FILE *meminfo = fopen("/proc/meminfo", "r");

	if (meminfo == NULL)
		return (size_t)sysconf(_SC_AVPHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
	while (fgets(line, sizeof(line), meminfo) != NULL)
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			break;
	fclose(meminfo);
	return (size_t)kib * 1024;
}

int
fan_context_table_init(struct fan_context_table *table, struct fan_protection protection, size_t capacity)
{
	const size_t bytes = capacity * sizeof(struct fan_context);
	void *slots;

	memset(table, 0, sizeof(*table));
	if (capacity == 0 || capacity > FAN_CONTEXT_SLOTS_MAX)
		return fan_fail(FAN_E_INVALID, "a table of %zu contexts: 1 to %u", capacity, FAN_CONTEXT_SLOTS_MAX);
	slots = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (slots == MAP_FAILED)
		return fan_fail(FAN_E_MEMORY, "no address space for a table of %zu contexts (%zu MiB)", capacity, bytes >> 20);
	/* Keys stay out of core dumps; both calls are advice and fail only on kernels built without the feature. */
	(void)madvise(slots, bytes, MADV_DONTDUMP);
	(void)madvise(slots, bytes, MADV_HUGEPAGE);
	fan_memory_add(slots, bytes);
	table->slots = slots;
	table->protection = protection;
	table->capacity = (uint32_t)capacity;
	table->free_first = FAN_SLOT_NONE;
	return 0;
}

void
fan_context_table_free(struct fan_context_table *table)
{
	if (table->slots == NULL)
		return;
	fan_memory_remove(table->slots);
	explicit_bzero(table->slots, (size_t)table->used * sizeof(struct fan_context));
	munmap(table->slots, (size_t)table->capacity * sizeof(struct fan_context));
	memset(table, 0, sizeof(*table));
}

static int
check_nas_fields(const struct fan_ue *ue)
{
	const uint64_t mme_max = ue->kind == FAN_KIND_EPS_NAS ? UINT32_MAX : (UINT64_C(1) << 40) - 1;
	const uint32_t ran_max = ue->kind == FAN_KIND_EPS_NAS ? (1U << 24) - 1 : UINT32_MAX;

	if (ue->mme_ue_id > mme_max)
		return fan_fail(FAN_E_INVALID, "%s %llu: 0 to %llu",
				ue->kind == FAN_KIND_EPS_NAS ? "MME-UE-S1AP-ID" : "AMF-UE-NGAP-ID",
				(unsigned long long)ue->mme_ue_id, (unsigned long long)mme_max);
	if (ue->ran_ue_id > ran_max)
		return fan_fail(FAN_E_INVALID, "eNB-UE-S1AP-ID %u: 0 to %u", ue->ran_ue_id, ran_max);
	if (ue->transaction > 6)
		return fan_fail(FAN_E_INVALID, "CP transaction identifier %u: 0 to 6", ue->transaction);
	if (ue->count >= UINT32_C(1) << 24 || ue->count_reserved > UINT32_C(1) << 24)
		return fan_fail(FAN_E_INVALID, "NAS COUNT %u, reserved %u: 24 bits", ue->count, ue->count_reserved);
	return 0;
}

static int
check_fields(const struct fan_context_table *table, const struct fan_ue *ue)
{
	const struct fan_protection want = table->protection;
	int error = fan_protection_check(want, ue->emergency);

	if (error != 0)
		return error;
	if (ue->kind != want.kind || ue->cipher != want.cipher || ue->integrity != want.integrity)
		return fan_fail(FAN_E_INVALID, "a UE of another protection than the table's");
	if (ue->bearer > 31)
		return fan_fail(FAN_E_INVALID, "BEARER %u: 0 to 31", ue->bearer);
	if (ue->unacknowledged > ue->count || ue->unacknowledged > fan_count_rules[ue->kind].gap_max)
		return fan_fail(FAN_E_INVALID, "%u COUNTs unacknowledged before COUNT %u: %u at most", ue->unacknowledged,
				ue->count, fan_count_rules[ue->kind].gap_max);
	if (ue->count > ue->count_reserved)
		return fan_fail(FAN_E_INVALID, "COUNT %u lies beyond its reservation %u", ue->count, ue->count_reserved);
	/* TS 33.401 8.1.1: constant 0; TS 24.501 4.4.3.1: the NAS connection, 1 over 3GPP access, 2 over non-3GPP access. */
	if (ue->kind == FAN_KIND_EPS_NAS && ue->bearer != 0)
		return fan_fail(FAN_E_INVALID, "BEARER %u of EPS NAS: always 0", ue->bearer);
	if (ue->kind == FAN_KIND_5GS_NAS && ue->bearer != 1 && ue->bearer != 2)
		return fan_fail(FAN_E_INVALID, "BEARER %u of 5GS NAS: 1 (3GPP access) or 2 (non-3GPP access)", ue->bearer);
	if (fan_kind_is_nas(ue->kind))
		return check_nas_fields(ue);
	if (ue->nru_sn >= 1U << 24)
		return fan_fail(FAN_E_INVALID, "NR-U SN %u: 24 bits", ue->nru_sn);
	return 0;
}

static void
fill(struct fan_context *context, const struct fan_ue *ue)
{
	memset(context, 0, sizeof(*context));
	memcpy(context->k_enc, ue->k_enc, FAN_KEY_BYTES);
	memcpy(context->k_int, ue->k_int, FAN_KEY_BYTES);
	context->count = ue->count;
	context->count_reserved = ue->count_reserved;
	context->awaited = (uint16_t)(ue->count - ue->unacknowledged);
	context->ue = ue->ue;
	context->next_hop = ue->next_hop;
	context->bearer_direction = (uint8_t)(ue->bearer << 3 | FAN_DIRECTION_DOWNLINK << 2);
	context->flags = FAN_CONTEXT_PRESENT;
	if (fan_kind_is_nas(ue->kind)) {
		context->nas.mme_ue_id_low = (uint32_t)ue->mme_ue_id;
		context->nas.mme_ue_id_high = (uint8_t)(ue->mme_ue_id >> 32);
		context->nas.ran_ue_id = ue->ran_ue_id;
		context->nas.bearer_id = ue->bearer_id;
		context->nas.transaction = ue->transaction;
		context->nas.rp_reference = ue->rp_reference;
	} else {
		context->drb.teid = ue->teid;
		memcpy(context->drb.ipv4, ue->ipv4, sizeof(context->drb.ipv4));
		context->drb.nru_sn = ue->nru_sn;
	}
}

int64_t
fan_context_add(struct fan_context_table *table, const struct fan_ue *ue)
{
	const int error = check_fields(table, ue);
	uint32_t slot;

	if (error != 0)
		return error;
	if (table->free_first != FAN_SLOT_NONE) {
		slot = table->free_first;
		table->free_first = table->slots[slot].ue;
	} else if (table->used < table->capacity) {
		slot = table->used++;
	} else {
		return fan_fail(FAN_E_MEMORY, "the table is full: %u contexts", table->capacity);
	}
	fill(&table->slots[slot], ue);
	table->present++;
	return slot;
}

void
fan_context_remove(struct fan_context_table *table, uint32_t slot)
{
	FAN_REQUIRE(fan_context_present(table, slot));
	explicit_bzero(&table->slots[slot], sizeof(table->slots[slot]));
	table->slots[slot].ue = table->free_first;
	table->free_first = slot;
	table->present--;
}

int
fan_context_lease(struct fan_context_table *table, uint32_t slot, uint32_t count_reserved)
{
	uint32_t *lease = &table->slots[slot].count_reserved;

	if (count_reserved < *lease)
		return fan_fail(FAN_E_INVALID, "a lease up to COUNT %u cannot be shortened to %u", *lease, count_reserved);
	if (fan_kind_is_nas(table->protection.kind) && count_reserved > UINT32_C(1) << 24)
		return fan_fail(FAN_E_INVALID, "NAS COUNT %u: 24 bits", count_reserved);
	__atomic_store_n(lease, count_reserved, __ATOMIC_RELAXED);
	return 0;
}

bool
fan_context_present(const struct fan_context_table *table, uint32_t slot)
{
	return slot < table->used && (table->slots[slot].flags & FAN_CONTEXT_PRESENT) != 0;
}
