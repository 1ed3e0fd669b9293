/* SPDX-License-Identifier: BSD-3-Clause */
/* The two keys of a UE's context, from the key that they hang under: what fanfare.h offers of this folder. */
#define _GNU_SOURCE
#include "hierarchy.h"

#include <string.h>

static const struct {
	const char *name;
	enum fan_generation generation;
	unsigned kinds; /* whose contexts hang under it, a bit each */
} parents[] = {
	[FAN_PARENT_K_ASME] = { "K_ASME", FAN_GENERATION_EPS, 1U << FAN_KIND_EPS_NAS },
	[FAN_PARENT_K_AMF] = { "K_AMF", FAN_GENERATION_5GS, 1U << FAN_KIND_5GS_NAS },
	[FAN_PARENT_K_ENB] = { "K_eNB", FAN_GENERATION_EPS,
			       1U << FAN_KIND_LTE_PDCP_12 | 1U << FAN_KIND_LTE_PDCP_18 | 1U << FAN_KIND_NR_PDCP_12 |
				       1U << FAN_KIND_NR_PDCP_18 },
	[FAN_PARENT_K_GNB] = { "K_gNB", FAN_GENERATION_5GS, 1U << FAN_KIND_NR_PDCP_12 | 1U << FAN_KIND_NR_PDCP_18 },
};

static int
check(const struct fan_ue *ue, enum fan_parent_key which)
{
	if ((unsigned)which >= sizeof(parents) / sizeof(parents[0]))
		return fan_fail(FAN_E_INVALID, "no such key above a context's: %u", (unsigned)which);
	if ((unsigned)ue->kind >= FAN_KIND_COUNT || (parents[which].kinds >> ue->kind & 1) == 0)
		return fan_fail(FAN_E_INVALID, "contexts of this kind do not hang under %s", parents[which].name);
	if (ue->cipher > FAN_ALGORITHM_MAX)
		return fan_fail(FAN_E_INVALID, "unknown cipher algorithm %u: use 0 to %d", ue->cipher, FAN_ALGORITHM_MAX);
	if (ue->integrity > FAN_ALGORITHM_MAX && ue->integrity != FAN_INTEGRITY_NONE)
		return fan_fail(FAN_E_INVALID, "unknown integrity algorithm %u: use 0 to %d or none", ue->integrity,
				FAN_ALGORITHM_MAX);
	return 0;
}

int
fan_ue_derive(struct fan_ue *ue, enum fan_parent_key which, const uint8_t parent[FAN_PARENT_KEY_BYTES])
{
	const bool nas = fan_kind_is_nas(ue->kind);
	int error = check(ue, which);

	explicit_bzero(ue->k_enc, sizeof(ue->k_enc));
	explicit_bzero(ue->k_int, sizeof(ue->k_int));
	if (error == 0)
		error = fan_algorithm_key(ue->k_enc, sizeof(ue->k_enc), parent, parents[which].generation,
					  nas ? FAN_USE_NAS_ENC : FAN_USE_UP_ENC, ue->cipher);
	if (error == 0 && ue->integrity != FAN_INTEGRITY_NONE)
		error = fan_algorithm_key(ue->k_int, sizeof(ue->k_int), parent, parents[which].generation,
					  nas ? FAN_USE_NAS_INT : FAN_USE_UP_INT, ue->integrity);
	if (error != 0)
		explicit_bzero(ue->k_enc, sizeof(ue->k_enc));
	return error;
}
