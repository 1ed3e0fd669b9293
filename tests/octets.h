/* SPDX-License-Identifier: BSD-3-Clause */
/* What tests lay octet by octet, and what they add up. */
#ifndef FAN_TEST_OCTETS_H
#define FAN_TEST_OCTETS_H

#include <stddef.h>
#include <stdint.h>

/* Out: octets[]. Returns how many. Aborts, with a line on stderr, when the text is no hex of at most octet_max octets. */
size_t fan_test_octets(uint8_t *octets, const char *hex, size_t octet_max);

/* RFC 1071, octet by octet: the sum of a span of a frame over any pseudo header's sum; 0xffff with a right checksum in place. */
uint16_t fan_test_internet_sum(const uint8_t *octets, size_t octet_count, uint32_t sum);

#endif
