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
	struct fan_fingerprints prints = { .link = NULL };

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
Test(fingerprint, adds_and_removes_as_a_set_does, .timeout = 30)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_fingerprints prints = { .link = NULL };
	static bool model[MODEL];
	size_t used = 0;

	fan_fingerprints_remove(&prints, 1);
	cr_assert_eq(fan_fingerprints_prepare(&prints), 0);
	for (unsigned i = 0; i < 400000; i++) {
		const uint32_t which = fan_test_random_below(&random, MODEL);
		/* Many have one home, the last place among them. */
		const uint64_t print = (uint64_t)which << 32 | (which % 3 == 0 ? 0x3ff : which % 7) | 0x100000000000;

		if (fan_test_random_below(&random, i / 100000 % 2 == 0 ? 3 : 5) > 1) {
			cr_assert_eq(fan_fingerprints_add(&prints, print), model[which] ? FAN_E_EXISTS : 0, "step %u", i);
			used += !model[which];
			model[which] = true;
		} else {
			fan_fingerprints_remove(&prints, print);
			used -= model[which];
			model[which] = false;
		}
		cr_assert_eq(prints.part[0].used, used, "step %u", i);
		cr_assert_leq(used, prints.part[0].place_count / 8 * 7);
	}
	for (uint32_t which = 0; which < MODEL; which++) {
		const uint64_t print = (uint64_t)which << 32 | (which % 3 == 0 ? 0x3ff : which % 7) | 0x100000000000;

		cr_assert_eq(fan_fingerprints_add(&prints, print), model[which] ? FAN_E_EXISTS : 0);
	}
	fan_fingerprints_free(&prints);
	cr_assert(prints.part[0].place == NULL && prints.part[0].used == 0 && prints.secret[0] == 0);
}

/* Two handles of one process know each other's keys, until one is closed. */
Test(fingerprint, is_in_one_set_of_the_process_at_a_time, .timeout = 30)
{
	static struct fan_fingerprints sets[3];
	const uint8_t key[FAN_KEY_BYTES] = { 1 };
	uint64_t print;

	for (unsigned i = 0; i < 3; i++)
		for (unsigned again = 0; again < 2; again++)
			cr_assert_eq(fan_fingerprints_prepare(&sets[i]), 0);
	print = fan_fingerprint(&sets[0], key, 0);
	cr_assert_eq(fan_fingerprint(&sets[1], key, 0), print);
	cr_assert_eq(fan_fingerprints_add(&sets[0], print), 0);
	cr_assert_eq(fan_fingerprints_add(&sets[2], print), FAN_E_EXISTS);
	fan_fingerprints_remove(&sets[2], print);
	cr_assert_eq(fan_fingerprints_add(&sets[2], print), FAN_E_EXISTS, "it is not that set's to remove");
	fan_fingerprints_free(&sets[1]); /* the one in the middle */
	cr_assert_eq(fan_fingerprints_add(&sets[2], print), FAN_E_EXISTS);
	fan_fingerprints_free(&sets[0]);
	cr_assert_eq(fan_fingerprints_add(&sets[2], print), 0);
	cr_assert_eq(fan_fingerprints_prepare(&sets[0]), 0);
	cr_assert_eq(fan_fingerprints_add(&sets[0], print), FAN_E_EXISTS);
	fan_fingerprints_remove(&sets[2], print);
	cr_assert_eq(fan_fingerprints_add(&sets[0], print), 0);
	fan_fingerprints_free(&sets[2]);
	fan_fingerprints_free(&sets[0]);
}

/* A set is never copied at one time: the largest copy is a part's. */
Test(fingerprint, grows_part_by_part, .timeout = 30)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_fingerprints prints = { .link = NULL };
	size_t used = 0;

	cr_assert_eq(fan_fingerprints_prepare(&prints), 0);
	for (unsigned i = 0; i < 500000; i++) {
		uint64_t print;
		size_t grown = 0;
		static size_t before[FAN_FINGERPRINT_PARTS];

		fan_test_random_fill(&random, (uint8_t *)&print, sizeof(print));
		cr_assert_eq(fan_fingerprints_add(&prints, print | 1), 0);
		for (unsigned j = 0; j < FAN_FINGERPRINT_PARTS; j++) {
			grown += prints.part[j].place_count - before[j];
			before[j] = prints.part[j].place_count;
		}
		cr_assert_leq(grown, 16384, "%zu places in one call", grown);
	}
	for (unsigned i = 0; i < FAN_FINGERPRINT_PARTS; i++) {
		cr_assert_gt(prints.part[i].used, 500000 / FAN_FINGERPRINT_PARTS / 2);
		used += prints.part[i].used;
	}
	cr_assert_eq(used, 500000);
	fan_fingerprints_free(&prints);
}

Test(fingerprint, another_process_has_another_secret)
{
	struct fan_fingerprints prints = { .link = NULL };
	const uint8_t key[FAN_KEY_BYTES] = { 1 };
	uint64_t print;

	cr_assert_eq(fan_fingerprints_prepare(&prints), 0);
	print = fan_fingerprint(&prints, key, 0);
	fan_fingerprints_free(&prints);
	/* As in another process: none of this one is left. */
	cr_assert_eq(fan_fingerprints_prepare(&prints), 0);
	cr_assert_neq(fan_fingerprint(&prints, key, 0), print);
	fan_fingerprints_free(&prints);
}

/* One secret for as long as there are fingerprints. */
Test(fingerprint, a_key_keeps_its_fingerprint)
{
	struct fan_fingerprints prints = { .link = NULL };
	const uint8_t key[FAN_KEY_BYTES] = { 1 };
	uint64_t first;

	cr_assert_eq(fan_fingerprints_prepare(&prints), 0);
	first = fan_fingerprint(&prints, key, 0);
	for (uint64_t i = 1; i < 5000; i++) { /* over several sizes of the table */
		cr_assert_eq(fan_fingerprints_prepare(&prints), 0);
		cr_assert_eq(fan_fingerprint(&prints, key, 0), first);
		cr_assert_eq(fan_fingerprints_add(&prints, i), 0);
	}
	fan_fingerprints_free(&prints);
}

Test(fingerprint, stays_in_this_process)
{
	struct fan_fingerprints prints = { .link = NULL };
	const struct fan_fingerprints none = { .link = NULL };
	char flags[512];

	cr_assert_eq(fan_fingerprints_prepare(&prints), 0);
	cr_assert_eq(fan_fingerprints_add(&prints, 0x123456789abcdef), 0);
	fan_test_vm_flags(flags, sizeof(flags), prints.part[0].place);
	if (getenv("QEMU_LD_PREFIX") == NULL) /* QEMU's emulation keeps madvise() from the kernel */
		cr_assert_not_null(strstr(flags, " dd"), "a core dump has them: %s", flags);
	watched = prints.part[0].place;
	fan_fingerprints_free(&prints);
	cr_assert_gt(unmapped_bytes, 0);
	cr_assert_eq(octets_left, 0);
	cr_assert_eq(memcmp(&prints, &none, sizeof(prints)), 0, "the secret is left");
	fan_fingerprints_free(&prints);
}
