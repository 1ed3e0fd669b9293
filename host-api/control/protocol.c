/* SPDX-License-Identifier: BSD-3-Clause */
#include "protocol.h"

const char *
fan_role_name(enum fan_role role)
{
	static const char *const names[FAN_ROLES] = { "read", "send", "provision", "lease", "export" };

	return (unsigned)role < FAN_ROLES ? names[role] : "none";
}

static const char *const kind_names[FAN_KIND_COUNT] = {
	[FAN_KIND_EPS_NAS] = "eps-nas",
	[FAN_KIND_5GS_NAS] = "5gs-nas",
	[FAN_KIND_LTE_PDCP_12] = "lte-pdcp-12",
	[FAN_KIND_LTE_PDCP_18] = "lte-pdcp-18",
	[FAN_KIND_NR_PDCP_12] = "nr-pdcp-12",
	[FAN_KIND_NR_PDCP_18] = "nr-pdcp-18",
	[FAN_KIND_SGI] = "sgi",
	[FAN_KIND_MBMS] = "mbms",
};

const char *
fan_kind_name(enum fan_kind kind)
{
	return (unsigned)kind < FAN_KIND_COUNT ? kind_names[kind] : "unknown";
}

int
fan_kind_find(const char *name)
{
	for (int i = 0; i < FAN_KIND_COUNT; i++)
		if (strcmp(kind_names[i], name) == 0)
			return i;
	return fan_fail(FAN_E_NOT_FOUND,
			"kind %.32s: there are eps-nas, 5gs-nas, lte-pdcp-12, lte-pdcp-18, nr-pdcp-12, nr-pdcp-18, sgi", name);
}

json_t *
fan_control_text(const char *text)
{
	json_t *string = json_string(text);
	char ascii[FAN_ERROR_BYTES];

	if (string != NULL)
		return string;
	(void)snprintf(ascii, sizeof(ascii), "%s", text);
	for (char *at = ascii; *at != '\0'; at++)
		if ((*at & 0x80) != 0)
			*at = '?';
	return json_string(ascii);
}

json_t *
fan_control_error(int code, const char *message, int exit_code)
{
	return json_pack("{s:i, s:o, s:{s:i}}", "code", code, "message", fan_control_text(message), "data", "exit", exit_code);
}
