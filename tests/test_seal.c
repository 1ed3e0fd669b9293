/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "../host-api/store/seal.h"
#include "residue.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static const uint8_t key[FAN_SEAL_KEY_BYTES] = "a key of the tests, of 32 octets";
static const uint8_t secret[32] = "what nobody else is to know of";
static const void *watched;
static size_t octets_left;

/* Takes the place of the C library's in this program: looks at what is given back. */
int
munmap(void *memory, size_t octet_count)
{
	if (memory == watched && watched != NULL)
		for (size_t i = 0; i < octet_count; i++)
			octets_left += ((const uint8_t *)memory)[i] != 0;
	return (int)syscall(SYS_munmap, memory, octet_count);
}

static struct fan_sealed
named(const char *name, const char *clear)
{
	return (struct fan_sealed){ .name = name, .name_bytes = strlen(name), .clear = clear, .clear_bytes = strlen(clear) };
}

static struct fan_seal *
open_seal(const uint8_t *with)
{
	struct fan_seal *seal;

	cr_assert_eq(fan_seal_open(&seal, with), 0, "%s", fan_error_detail());
	return seal;
}

Test(seal, gives_back_the_secret_of_an_unchanged_record_alone)
{
	static const uint8_t other_key[FAN_SEAL_KEY_BYTES] = "a key of the tests, of 31 octets";
	const struct fan_sealed right = named("name", "clear"), other_name = named("nbme", "clear"),
				other_clear = named("name", "cleas");
	uint8_t sealed[sizeof(secret) + FAN_SEAL_BYTES], found[sizeof(secret)];
	struct fan_seal *seal = open_seal(key), *other = open_seal(other_key);

	cr_assert_eq(fan_seal_write(seal, sealed, &right, secret, sizeof(secret)), 0);
	cr_assert_null(memmem(sealed, sizeof(sealed), secret, 4));
	cr_assert(fan_seal_read(seal, found, &right, sealed, sizeof(secret)));
	cr_assert_arr_eq(found, secret, sizeof(secret));
	cr_assert_not(fan_seal_read(seal, found, &other_name, sealed, sizeof(secret)));
	cr_assert_not(fan_seal_read(seal, found, &other_clear, sealed, sizeof(secret)));
	cr_assert_not(fan_seal_read(other, found, &right, sealed, sizeof(secret)));
	for (size_t i = 0; i < sizeof(sealed); i++) {
		sealed[i] ^= 0x10;
		memset(found, 1, sizeof(found));
		cr_assert_not(fan_seal_read(seal, found, &right, sealed, sizeof(secret)), "octet %zu", i);
		cr_assert(found[0] == 0 && memcmp(found, found + 1, sizeof(found) - 1) == 0, "what does not open is not given");
		sealed[i] ^= 0x10;
	}
	fan_seal_close(seal);
	fan_seal_close(other);
	fan_seal_close(NULL);
}

Test(seal, covers_a_record_without_a_secret)
{
	const struct fan_sealed right = named("name", "clear"), other = named("name", "clear ");
	uint8_t sealed[FAN_SEAL_BYTES];
	struct fan_seal *seal = open_seal(key);

	cr_assert_eq(fan_seal_write(seal, sealed, &right, NULL, 0), 0);
	cr_assert(fan_seal_read(seal, NULL, &right, sealed, 0));
	cr_assert_not(fan_seal_read(seal, NULL, &other, sealed, 0));
	fan_seal_close(seal);
}

#define NONCES 2000

static int
compare(const void *left, const void *right)
{
	return memcmp(left, right, FAN_SEAL_NONCE_BYTES);
}

/* Under one key, over openings as within one. */
Test(seal, has_a_nonce_of_its_own_each_time)
{
	static uint8_t nonces[NONCES][FAN_SEAL_NONCE_BYTES];
	const struct fan_sealed sealed = named("name", "clear");
	struct fan_seal *seal = open_seal(key);
	uint8_t out[FAN_SEAL_BYTES];

	for (unsigned i = 0; i < NONCES; i++) {
		if (i % 10 == 9) {
			fan_seal_close(seal);
			seal = open_seal(key);
		}
		cr_assert_eq(fan_seal_write(seal, out, &sealed, NULL, 0), 0);
		memcpy(nonces[i], out, FAN_SEAL_NONCE_BYTES);
	}
	fan_seal_close(seal);
	qsort(nonces, NONCES, sizeof(*nonces), compare);
	for (unsigned i = 1; i < NONCES; i++)
		cr_assert_neq(compare(nonces[i - 1], nonces[i]), 0);
}

Test(seal, keeps_its_key_out_of_core_dumps_and_wipes_it)
{
	struct fan_seal *seal = open_seal(key);
	char flags[256];

	watched = seal;
	cr_assert_arr_eq(fan_seal_key(seal), key, sizeof(key));
	fan_test_vm_flags(flags, sizeof(flags), seal);
	cr_assert_not_null(strstr(flags, " dd"), "%s", flags);
	fan_seal_close(seal);
	cr_assert_eq(octets_left, 0);
}

static char key_file[64];

static void
read_key(void *user)
{
	uint8_t found[FAN_SEAL_KEY_BYTES];

	*(int *)user = fan_seal_key_read(found, key_file);
	explicit_bzero(found, sizeof(found));
}

Test(seal, leaves_no_key_of_a_file_on_the_stack)
{
	static const char digits[] = "6b65792d6b65792d6b65792d6b65792d6b65792d6b65792d6b65792d6b65792d";
	int error, fd;

	(void)snprintf(key_file, sizeof(key_file), "/tmp/test_seal.XXXXXX");
	fd = mkstemp(key_file);
	cr_assert(fd >= 0 && write(fd, digits, 64) == 64);
	cr_assert_not(fan_test_left_on_stack(read_key, &error, (const uint8_t *)"key-key-key-", 12));
	cr_assert_not(fan_test_left_on_stack(read_key, &error, (const uint8_t *)digits, 16));
	cr_assert_eq(error, 0);
	(void)close(fd);
	(void)unlink(key_file);
}
