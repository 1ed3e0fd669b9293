/* SPDX-License-Identifier: BSD-3-Clause */
#include "octets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t
fan_test_octets(uint8_t *octets, const char *hex, size_t octet_max)
{
	const size_t digits = strlen(hex);

	if (digits % 2 != 0 || digits / 2 > octet_max || strspn(hex, "0123456789abcdefABCDEF") != digits) {
		fprintf(stderr, "no hex of at most %zu octets: %s\n", octet_max, hex);
		abort();
	}
	for (size_t i = 0; i < digits / 2; i++) {
		const char two[3] = { hex[2 * i], hex[2 * i + 1], '\0' };

		octets[i] = (uint8_t)strtoul(two, NULL, 16);
	}
	return digits / 2;
}

uint16_t
fan_test_internet_sum(const uint8_t *octets, size_t octet_count, uint32_t sum)
{
	for (size_t i = 0; i < octet_count; i++)
		sum += (uint32_t)octets[i] << (i % 2 == 0 ? 8 : 0);
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}
