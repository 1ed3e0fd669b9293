/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "../dataplane/context/fingerprint.h"
#include "batch.h"
#include "residue.h"

#include <criterion/criterion.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static const uint64_t *watched;
static size_t unmapped_bytes, octets_left;

/* Takes the place of the C library's in this program: looks at what is given back. */
int
munmap(void *memory, size_t byte_count)
{
	if (memory == watched && watched != NULL) {
		unmapped_bytes = byte_count;
		for (size_t i = 0; i < byte_count; i++)
			octets_left += ((const uint8_t *)memory)[i] != 0;
	}
	return (int)syscall(SYS_munmap, memory, byte_count);
}

/* SipHash-2-4 of OpenSSL, 8 octets. */
static uint64_t
siphash(const uint64_t secret[2], const uint8_t key[FAN_KEY_BYTES], uint64_t beside)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
	unsigned int size = 8;
	const OSSL_PARAM parameters[] = { OSSL_PARAM_construct_uint("size", &size), OSSL_PARAM_construct_end() };
	uint64_t print = 0;
	size_t print_bytes = 0;

	cr_assert_eq(EVP_MAC_init(context, (const unsigned char *)secret, 16, parameters), 1);
	cr_assert_eq(EVP_MAC_update(context, key, FAN_KEY_BYTES), 1);
	cr_assert_eq(EVP_MAC_update(context, (const unsigned char *)&beside, sizeof(beside)), 1);
	cr_assert_eq(EVP_MAC_final(context, (unsigned char *)&print, &print_bytes, sizeof(print)), 1);
	cr_assert_eq(print_bytes, 8);
	EVP_MAC_CTX_free(context);
	EVP_MAC_free(mac);
	return print;
}

Test(fingerprint, is_siphash)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_fingerprints prints = { .place = NULL };

	for (unsigned i = 0; i < 1000; i++) {
		uint8_t key[FAN_KEY_BYTES];
		uint64_t beside;

		fan_test_random_fill(&random, (uint8_t *)prints.secret, sizeof(prints.secret));
		fan_test_random_fill(&random, key, sizeof(key));
		fan_test_random_fill(&random, (uint8_t *)&beside, sizeof(beside));
		cr_assert_eq(fan_fingerprint(&prints, key, beside), siphash(prints.secret, key, beside), "round %u", i);
	}
}

#define MODEL 4096

/* Against an array: few different values, so that places collide and gaps are closed over the end of the table. */
Test(fingerprint, adds_and_removes_as_a_set_does)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_fingerprints prints = { .place = NULL };
	static bool model[MODEL];
	size_t used = 0;

	fan_fingerprints_remove(&prints, 1);
	for (unsigned i = 0; i < 400000; i++) {
		const uint32_t which = fan_test_random_below(&random, MODEL);
		/* Many have one home, the last place among them. */
		const uint64_t print = (uint64_t)which << 32 | (which % 3 == 0 ? 0x3ff : which % 7) | 0x100000000000;

		if (fan_test_random_below(&random, i / 100000 % 2 == 0 ? 3 : 5) > 1) {
			cr_assert_eq(fan_fingerprints_prepare(&prints), 0);
			cr_assert_eq(fan_fingerprints_add(&prints, print), !model[which], "step %u", i);
			used += !model[which];
			model[which] = true;
		} else {
			if (prints.place != NULL)
				fan_fingerprints_remove(&prints, print);
			used -= model[which];
			model[which] = false;
		}
		cr_assert_eq(prints.used, used, "step %u", i);
		cr_assert_leq(prints.used, prints.place_count / 8 * 7);
	}
	for (uint32_t which = 0; which < MODEL; which++) {
		const uint64_t print = (uint64_t)which << 32 | (which % 3 == 0 ? 0x3ff : which % 7) | 0x100000000000;

		cr_assert_eq(fan_fingerprints_prepare(&prints), 0);
		cr_assert_eq(fan_fingerprints_add(&prints, print), !model[which]);
	}
	fan_fingerprints_free(&prints);
	cr_assert(prints.place == NULL && prints.used == 0 && prints.secret[0] == 0);
}

Test(fingerprint, another_process_has_another_secret)
{
	struct fan_fingerprints one = { .place = NULL }, other = { .place = NULL };
	const uint8_t key[FAN_KEY_BYTES] = { 1 };

	cr_assert_eq(fan_fingerprints_prepare(&one), 0);
	cr_assert_eq(fan_fingerprints_prepare(&other), 0);
	cr_assert_neq(fan_fingerprint(&one, key, 0), fan_fingerprint(&other, key, 0));
	fan_fingerprints_free(&one);
	fan_fingerprints_free(&other);
}

/* One secret for as long as there are fingerprints. */
Test(fingerprint, a_key_keeps_its_fingerprint)
{
	struct fan_fingerprints prints = { .place = NULL };
	const uint8_t key[FAN_KEY_BYTES] = { 1 };
	uint64_t first;

	cr_assert_eq(fan_fingerprints_prepare(&prints), 0);
	first = fan_fingerprint(&prints, key, 0);
	for (uint64_t i = 1; i < 5000; i++) { /* over several sizes of the table */
		cr_assert_eq(fan_fingerprints_prepare(&prints), 0);
		cr_assert_eq(fan_fingerprint(&prints, key, 0), first);
		cr_assert(fan_fingerprints_add(&prints, i));
	}
	fan_fingerprints_free(&prints);
}

Test(fingerprint, stays_in_this_process)
{
	struct fan_fingerprints prints = { .place = NULL };
	const struct fan_fingerprints none = { .place = NULL };
	char flags[512];

	cr_assert_eq(fan_fingerprints_prepare(&prints), 0);
	cr_assert(fan_fingerprints_add(&prints, 0x123456789abcdef));
	fan_test_vm_flags(flags, sizeof(flags), prints.place);
	if (getenv("QEMU_LD_PREFIX") == NULL) /* QEMU's emulation keeps madvise() from the kernel */
		cr_assert_not_null(strstr(flags, " dd"), "a core dump has them: %s", flags);
	watched = prints.place;
	fan_fingerprints_free(&prints);
	cr_assert_gt(unmapped_bytes, 0);
	cr_assert_eq(octets_left, 0);
	cr_assert_eq(memcmp(&prints, &none, sizeof(prints)), 0, "the secret is left");
	fan_fingerprints_free(&prints);
}
