/* SPDX-License-Identifier: BSD-3-Clause */
#include "expand_aes128.h"

#include <stddef.h>

const struct fan_expand_aes128 *const fan_expand_aes128_techniques[] = {
	&fan_expand_aes128_gfni,
	&fan_expand_aes128_aesni,
	NULL,
};

const struct fan_expand_aes128 *
fan_expand_aes128_choose(void)
{
	for (const struct fan_expand_aes128 *const *technique = fan_expand_aes128_techniques; *technique != NULL; technique++) {
		if ((*technique)->runs())
			return *technique;
	}
	return NULL;
}
