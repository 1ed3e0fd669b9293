/* SPDX-License-Identifier: BSD-3-Clause */
#include "../dataplane/context/profile.h"

#include <criterion/criterion.h>
#include <string.h>

Test(profile, profiles_have_names_and_kinds)
{
	static const struct {
		const char *name;
		enum fan_kind kind;
	} rows[FAN_PROFILE_COUNT] = {
		{ "eps-nas-nidd", FAN_KIND_EPS_NAS },
		{ "eps-nas-sms", FAN_KIND_EPS_NAS },
		{ "5gs-nas-sms", FAN_KIND_5GS_NAS },
		{ "5gs-nas-ciot", FAN_KIND_5GS_NAS },
		{ "lte-pdcp-12", FAN_KIND_LTE_PDCP_12 },
		{ "lte-pdcp-18", FAN_KIND_LTE_PDCP_18 },
		{ "nr-pdcp-12", FAN_KIND_NR_PDCP_12 },
		{ "nr-pdcp-18", FAN_KIND_NR_PDCP_18 },
		{ "eps-nas-key", FAN_KIND_EPS_NAS },
		{ "5gs-nas-key", FAN_KIND_5GS_NAS },
		{ "sgi-ip", FAN_KIND_SGI },
		{ "mbms-msk", FAN_KIND_MBMS },
	};

	for (unsigned i = 0; i < FAN_PROFILE_COUNT; i++) {
		cr_assert_str_eq(fan_profile_name((enum fan_profile)i), rows[i].name);
		cr_assert_eq(fan_profile_kind((enum fan_profile)i), rows[i].kind);
		cr_assert_eq(fan_profile_find(rows[i].name), (int)i);
	}
	cr_assert_null(fan_profile_name(FAN_PROFILE_COUNT));
	cr_assert_eq(fan_profile_find("nr-pdcp"), FAN_E_NOT_FOUND);
	cr_assert_not_null(strstr(fan_error_detail(), "\"nr-pdcp\""), "%s", fan_error_detail());
	cr_assert_eq(fan_profile_find(""), FAN_E_NOT_FOUND);
}
