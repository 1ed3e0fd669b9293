/* SPDX-License-Identifier: BSD-3-Clause */
/* Group identities from a northbound: any octets. What is taken must be short, have one of the two forms, and be its own
 * canonical form; what is refused must say why and leave nothing behind. */
#include "../../dataplane/gid.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
	char canonical[FAN_GID_BYTES_MAX + 1], again[FAN_GID_BYTES_MAX + 1];
	char *gid = malloc(data_bytes + 1);

	if (gid == NULL)
		return 0;
	memcpy(gid, data, data_bytes);
	gid[data_bytes] = '\0';
	if (fan_gid_canonical(canonical, gid) == 0) {
		const char *at_sign = strchr(canonical, '@');

		FAN_REQUIRE(strlen(canonical) > 0 && strlen(canonical) <= FAN_GID_BYTES_MAX);
		FAN_REQUIRE(at_sign == strrchr(canonical, '@'));
		FAN_REQUIRE(at_sign != NULL || (canonical[8] == '-' && canonical[12] == '-'));
		for (const char *c = canonical; *c != '\0'; c++)
			FAN_REQUIRE(*c > ' ' && *c < 0x7f);
		FAN_REQUIRE(fan_gid_canonical(again, canonical) == 0);
		FAN_REQUIRE(strcmp(canonical, again) == 0);
	} else {
		FAN_REQUIRE(canonical[0] == '\0');
		FAN_REQUIRE(fan_error_detail()[0] != '\0');
	}
	free(gid);
	return 0;
}
