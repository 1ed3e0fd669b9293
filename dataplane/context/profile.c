/* SPDX-License-Identifier: BSD-3-Clause */
#include "profile.h"

#include <string.h>

static const char *const profile_names[FAN_PROFILE_COUNT] = {
	[FAN_PROFILE_EPS_NAS_NIDD] = "eps-nas-nidd",
	[FAN_PROFILE_EPS_NAS_SMS] = "eps-nas-sms",
	[FAN_PROFILE_5GS_NAS_SMS] = "5gs-nas-sms",
	[FAN_PROFILE_5GS_NAS_CIOT] = "5gs-nas-ciot",
	[FAN_PROFILE_LTE_PDCP_12] = "lte-pdcp-12",
	[FAN_PROFILE_LTE_PDCP_18] = "lte-pdcp-18",
	[FAN_PROFILE_NR_PDCP_12] = "nr-pdcp-12",
	[FAN_PROFILE_NR_PDCP_18] = "nr-pdcp-18",
	[FAN_PROFILE_EPS_NAS_KEY] = "eps-nas-key",
	[FAN_PROFILE_5GS_NAS_KEY] = "5gs-nas-key",
	[FAN_PROFILE_SGI_IP] = "sgi-ip",
	[FAN_PROFILE_MBMS_MSK] = "mbms-msk",
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
		"nr-pdcp-12, nr-pdcp-18, eps-nas-key, 5gs-nas-key, sgi-ip or mbms-msk",
		name);
}

enum fan_kind
fan_profile_kind(enum fan_profile profile)
{
	switch (profile) {
	case FAN_PROFILE_EPS_NAS_NIDD:
	case FAN_PROFILE_EPS_NAS_SMS:
	case FAN_PROFILE_EPS_NAS_KEY:
		return FAN_KIND_EPS_NAS;
	case FAN_PROFILE_5GS_NAS_SMS:
	case FAN_PROFILE_5GS_NAS_CIOT:
	case FAN_PROFILE_5GS_NAS_KEY:
		return FAN_KIND_5GS_NAS;
	case FAN_PROFILE_LTE_PDCP_12:
		return FAN_KIND_LTE_PDCP_12;
	case FAN_PROFILE_LTE_PDCP_18:
		return FAN_KIND_LTE_PDCP_18;
	case FAN_PROFILE_NR_PDCP_12:
		return FAN_KIND_NR_PDCP_12;
	case FAN_PROFILE_SGI_IP:
		return FAN_KIND_SGI;
	case FAN_PROFILE_MBMS_MSK:
		return FAN_KIND_MBMS;
	case FAN_PROFILE_NR_PDCP_18:
	case FAN_PROFILE_COUNT:
		break;
	}
	return FAN_KIND_NR_PDCP_18;
}

bool
fan_profile_is_sms(enum fan_profile profile)
{
	return profile == FAN_PROFILE_EPS_NAS_SMS || profile == FAN_PROFILE_5GS_NAS_SMS;
}

/* Of a kind that is not protected. */
static int
check_plain(struct fan_protection protection)
{
	if (protection.cipher == 0 && protection.integrity == FAN_INTEGRITY_NONE)
		return 0;
	return fan_fail(FAN_E_INVALID,
			"cipher %u, integrity %u for sgi-ip: 0 and none, for the network protects its hop, and Fanfare nothing",
			protection.cipher, protection.integrity);
}

/* What MIKEY has (RFC 3830 4.2.3, 4.2.4), which no algorithm of a network's has a number for: that of the cipher's block stands for it. */
static int
check_mbms(struct fan_protection protection)
{
	if (protection.cipher == 2 && protection.integrity == FAN_INTEGRITY_HMAC_SHA_1)
		return 0;
	return fan_fail(FAN_E_INVALID, "cipher %u, integrity %u for mbms-msk: 2 and %d, AES-CM-128 and HMAC-SHA-1 of MIKEY",
			protection.cipher, protection.integrity, FAN_INTEGRITY_HMAC_SHA_1);
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
	if (fan_kind_is_plain(protection.kind))
		return check_plain(protection);
	if (protection.kind == FAN_KIND_MBMS)
		return check_mbms(protection);
	if (protection.kind == FAN_KIND_EPS_NAS && (protection.bearer_id < 5 || protection.bearer_id > 15))
		return fan_fail(FAN_E_INVALID, "EPS bearer identity %u: 5 to 15", protection.bearer_id);
	if (protection.kind == FAN_KIND_5GS_NAS && (protection.bearer_id < 1 || protection.bearer_id > 15))
		return fan_fail(FAN_E_INVALID, "PDU session identity %u: 1 to 15", protection.bearer_id);
	return check_integrity(protection, emergency);
}
