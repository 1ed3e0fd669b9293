/* SPDX-License-Identifier: BSD-3-Clause */
/* Keys of groups: what they are made of, when they are in use, and the octets that bring them to members. */
#include "../host-api/keys/group_key.h"
#include "octets.h"

#include <criterion/criterion.h>
#include <string.h>

#define GID "C0DE0001-262-01-ABCD"
#define START 1800000000
#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

/* Computed with the Python package `cryptography` (its HKDF, HMAC and AES key wrap): master 00..1f, K_ASME 40..5f, Gki 7. */
static const char seed_hex[] = "86cd33dc90516653c7ebb4ad2f069ab2", integ_hex[] = "9a749d0af9686656a24a16716f5a7294",
		  conf_hex[] = "e2ecc18245ca4dd3cf67d2fe20fbcf15",
		  wrapped_hex[] = "289fcd246edb1eb0a2c86eb94a23be2542af071acdb359d2b99015f84250cf00fefd2d769c8ada26",
		  transport_hex[] = "68685f334102444fe445af37d9a5e7746ea9cd0f6d3ebddf7e71b6549acb6dc6516b5257c3239632";

static const uint8_t master[32] = { 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a,
				    0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15,
				    0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f };

static void
expect_hex(const uint8_t *octets, size_t octet_count, const char *hex)
{
	uint8_t wanted[512];
	char digits[2 * sizeof(wanted) + 1];
	size_t at = 0;

	for (size_t i = 0; hex[i] != '\0' && at + 1 < sizeof(digits); i++)
		if (hex[i] != ' ')
			digits[at++] = hex[i];
	digits[at] = '\0';
	cr_assert_eq(fan_test_octets(wanted, digits, sizeof(wanted)), octet_count);
	cr_expect_arr_eq(octets, wanted, octet_count, "%s", hex);
}

static struct fan_group_key
make_key(const char *gid, uint8_t gki)
{
	struct fan_group_key key = { .gki = gki,
				     .cipher = 2,
				     .integrity = 2,
				     .tag_bytes = FAN_GROUP_TAG_BYTES,
				     .first_count = 0x100,
				     .start_s = START,
				     .duration_min = 60 };

	cr_assert_eq(fan_group_gid_write(&key.gid, gid), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_group_key_derive(&key, master, sizeof(master)), 0, "%s", fan_error_detail());
	return key;
}

static int
write_entry(uint8_t out[FAN_GROUP_ENTRY_BYTES_MAX], const struct fan_group_key *key, const uint8_t *kek)
{
	const struct fan_group_entry entry = { .key = *key };

	return fan_group_entry_write(out, &entry, kek);
}

/* ---- GID ---- */

static const struct {
	const char *gid, *octets;
} gids[] = {
	{ GID, "01c0de000162f210abcd" },
	{ "00000001-310-410-00010203040506070809", "010000000113001400010203040506070809" },
	{ "flood@example.org", "02666c6f6f64406578616d706c652e6f7267" },
};

Test(keys_group_key, gid_of_either_form_goes_there_and_back)
{
	for (size_t i = 0; i < COUNT_OF(gids); i++) {
		struct fan_group_gid gid;
		char text[FAN_GROUP_GID_OCTETS_MAX + 1];

		cr_assert_eq(fan_group_gid_write(&gid, gids[i].gid), 0, "%s", fan_error_detail());
		expect_hex(gid.octets, gid.octet_count, gids[i].octets);
		cr_assert_eq(fan_group_gid_read(text, &gid), 0);
		cr_expect_str_eq(text, gids[i].gid);
	}
}

Test(keys_group_key, what_is_no_gid_is_refused)
{
	static const char *const wrong[] = { "",
					     "C0DE000-262-01-AB",
					     "C0DE0001-26-01-AB",
					     "C0DE0001-262-1-AB",
					     "C0DE0001-262-0001-AB",
					     "C0DE0001-262-01-",
					     "C0DE0001-262-01-A",
					     "C0DE0001-262-01-0001020304050607080910",
					     "c0de0001-262-01-AB",
					     "@example.org",
					     "flood@",
					     "flo od@example.org" };
	char long_gid[FAN_GROUP_GID_OCTETS_MAX + 1] = { 0 };
	struct fan_group_gid gid;

	for (size_t i = 0; i < COUNT_OF(wrong); i++)
		cr_expect_eq(fan_group_gid_write(&gid, wrong[i]), FAN_E_INVALID, "%s", wrong[i]);
	memset(long_gid, 'a', FAN_GROUP_GID_OCTETS_MAX);
	long_gid[1] = '@';
	cr_expect_eq(fan_group_gid_write(&gid, long_gid), FAN_E_INVALID);
	long_gid[FAN_GROUP_GID_OCTETS_MAX - 1] = '\0';
	cr_expect_eq(fan_group_gid_write(&gid, long_gid), 0, "254 characters fit");
}

/* ---- Derivation ---- */

Test(keys_group_key, keys_are_what_another_hkdf_makes_of_the_master)
{
	const struct fan_group_key key = make_key(GID, 7);

	expect_hex(key.seed, sizeof(key.seed), seed_hex);
	expect_hex(key.k_integ, sizeof(key.k_integ), integ_hex);
	expect_hex(key.k_conf, sizeof(key.k_conf), conf_hex);
}

Test(keys_group_key, gid_and_gki_each_make_other_keys)
{
	const struct fan_group_key key = make_key(GID, 7), other_gki = make_key(GID, 8),
				   other_gid = make_key("C0DE0001-262-01-ABCE", 7);

	cr_expect_arr_neq(key.k_integ, other_gki.k_integ, FAN_KEY_BYTES);
	cr_expect_arr_neq(key.k_integ, other_gid.k_integ, FAN_KEY_BYTES);
	cr_expect_arr_neq(key.k_conf, other_gki.k_conf, FAN_KEY_BYTES);
	cr_expect_arr_neq(key.k_conf, other_gid.k_conf, FAN_KEY_BYTES);
	cr_expect_arr_neq(key.k_conf, key.k_integ, FAN_KEY_BYTES);
}

Test(keys_group_key, short_master_makes_no_key)
{
	struct fan_group_key key = make_key(GID, 7);
	const uint8_t none[FAN_KEY_BYTES] = { 0 };

	cr_assert_eq(fan_group_key_derive(&key, master, 15), FAN_E_INVALID);
	cr_expect_arr_eq(key.k_integ, none, sizeof(none));
	cr_expect_arr_eq(key.k_conf, none, sizeof(none));
	cr_expect(!key.has_seed);
}

/* What of a good key is changed, and the word of the refusal. */
static const struct {
	uint8_t cipher, integrity, tag_bytes;
	uint16_t duration_min;
	int64_t start_s;
	bool one_key;
	const char *word; /* NULL: it is taken */
} checks[] = {
	{ 2, 2, 8, 60, START, false, NULL },
	{ 0, 2, 8, 60, START, true, NULL }, /* Gk_conf is not used */
	{ 0, 1, 4, 1, 0, false, NULL },
	{ 3, 3, 4, UINT16_MAX, FAN_GROUP_START_MAX, false, NULL },
	{ 4, 2, 8, 60, START, false, "cipher 4" },
	{ 2, 0, 8, 60, START, false, "always protected" },
	{ 2, 4, 8, 60, START, false, "integrity 4" },
	{ 2, 1, 8, 60, START, false, "128-EIA1 yields 32 bits" },
	{ 2, 3, 8, 60, START, false, "128-EIA3 yields 32 bits" },
	{ 2, 2, 6, 60, START, false, "tag of 6" },
	{ 2, 2, 8, 0, START, false, "duration" },
	{ 2, 2, 8, 60, FAN_GROUP_START_MAX + 1, false, "start" },
	{ 2, 2, 8, 60, -1, false, "start" },
	{ 2, 2, 8, 60, START, true, "must differ" },
};

Test(keys_group_key, key_that_cannot_protect_is_refused_with_the_reason)
{
	for (size_t i = 0; i < COUNT_OF(checks); i++) {
		struct fan_group_key key = make_key(GID, 7);

		key.cipher = checks[i].cipher;
		key.integrity = checks[i].integrity;
		key.tag_bytes = checks[i].tag_bytes;
		key.duration_min = checks[i].duration_min;
		key.start_s = checks[i].start_s;
		if (checks[i].one_key)
			memcpy(key.k_conf, key.k_integ, sizeof(key.k_conf));
		if (checks[i].word == NULL) {
			cr_expect_eq(fan_group_key_check(&key), 0, "row %zu: %s", i, fan_error_detail());
			continue;
		}
		cr_expect_eq(fan_group_key_check(&key), FAN_E_INVALID, "row %zu", i);
		cr_expect_not_null(strstr(fan_error_detail(), checks[i].word), "%s", fan_error_detail());
	}
}

Test(keys_group_key, key_is_valid_from_its_start_to_before_its_end)
{
	const struct fan_group_key key = make_key(GID, 7);

	cr_expect(!fan_group_key_is_valid(&key, START - 1));
	cr_expect(fan_group_key_is_valid(&key, START));
	cr_expect(fan_group_key_is_valid(&key, START + 3599));
	cr_expect(!fan_group_key_is_valid(&key, START + 3600));
}

/* ---- In use ---- */

Test(keys_group_key, renewed_key_overlaps_and_is_then_over_for_ever)
{
	const struct fan_group_key seven = make_key(GID, 7), eight = make_key(GID, 8);
	struct fan_group_keys keys = { 0 };

	cr_expect_eq(fan_group_keys_use(&keys, 7, START), FAN_GROUP_KEY_UNKNOWN);
	cr_assert_eq(fan_group_keys_renew(&keys, &seven, START, 600), 0);
	cr_expect_eq(fan_group_keys_use(&keys, 7, START), FAN_GROUP_KEY_CURRENT);
	cr_assert_eq(fan_group_keys_renew(&keys, &eight, START + 100, 600), 0);
	cr_expect_eq(fan_group_keys_use(&keys, 8, START + 100), FAN_GROUP_KEY_CURRENT);
	cr_expect_eq(fan_group_keys_use(&keys, 7, START + 699), FAN_GROUP_KEY_PREVIOUS);
	cr_expect_eq(fan_group_keys_use(&keys, 7, START + 700), FAN_GROUP_KEY_OVER);
	cr_expect_eq(fan_group_keys_renew(&keys, &seven, START + 700, 600), FAN_E_EXISTS);
	cr_expect_eq(fan_group_keys_renew(&keys, &eight, START + 700, 600), FAN_E_EXISTS);
	cr_expect_eq(fan_group_keys_use(&keys, 8, START + 700), FAN_GROUP_KEY_CURRENT);
	cr_expect_eq(fan_group_keys_use(&keys, 9, START + 700), FAN_GROUP_KEY_UNKNOWN);
}

Test(keys_group_key, key_ends_at_once_when_a_member_was_removed)
{
	const struct fan_group_key seven = make_key(GID, 7), eight = make_key(GID, 8);
	const uint8_t none[sizeof(struct fan_group_key)] = { 0 };
	struct fan_group_keys keys = { 0 };

	cr_assert_eq(fan_group_keys_renew(&keys, &seven, START, 0), 0);
	cr_assert_eq(fan_group_keys_renew(&keys, &eight, START + 1, 0), 0);
	cr_expect_eq(fan_group_keys_use(&keys, 7, START + 1), FAN_GROUP_KEY_OVER);
	cr_expect(!keys.has_previous);
	cr_expect_arr_eq((const uint8_t *)&keys.previous, none, sizeof(none), "it is wiped");
}

Test(keys_group_key, overlap_ends_with_the_previous_keys_own_validity)
{
	const struct fan_group_key seven = make_key(GID, 7), eight = make_key(GID, 8);
	struct fan_group_keys keys = { 0 };

	cr_assert_eq(fan_group_keys_renew(&keys, &seven, START, 0), 0);
	cr_assert_eq(fan_group_keys_renew(&keys, &eight, START + 3000, 86400), 0);
	cr_expect_eq(fan_group_keys_use(&keys, 7, START + 3599), FAN_GROUP_KEY_PREVIOUS);
	cr_expect_eq(fan_group_keys_use(&keys, 7, START + 3600), FAN_GROUP_KEY_OVER);
}

Test(keys_group_key, every_gki_is_used_once_and_then_none_is_left)
{
	struct fan_group_keys keys = { 0 };

	for (unsigned i = 0; i < FAN_GROUP_GKI_COUNT; i++) {
		const int gki = fan_group_keys_next_gki(&keys);
		const struct fan_group_key key = make_key(GID, (uint8_t)gki);

		cr_assert_eq(gki, (int)i);
		cr_assert_eq(fan_group_keys_renew(&keys, &key, START, 0), 0);
	}
	cr_expect_eq(fan_group_keys_next_gki(&keys), -1);
}

Test(keys_group_key, key_of_another_group_does_not_come_into_use)
{
	const struct fan_group_key ours = make_key(GID, 7), other = make_key("flood@example.org", 8);
	struct fan_group_keys keys = { 0 };

	cr_assert_eq(fan_group_keys_renew(&keys, &ours, START, 0), 0);
	cr_expect_eq(fan_group_keys_renew(&keys, &other, START, 0), FAN_E_INVALID);
	cr_expect_eq(fan_group_keys_use(&keys, 8, START), FAN_GROUP_KEY_UNKNOWN);
}

/* ---- Entries ---- */

Test(keys_group_key, entry_has_the_octets_of_the_manual)
{
	const struct fan_group_key key = make_key(GID, 7);
	uint8_t out[FAN_GROUP_ENTRY_BYTES_MAX];
	char hex[2 * sizeof(out)];
	const int octets = write_entry(out, &key, NULL);

	/* version 1, no flag | Gki | EEA2, EIA2 | COUNT | start 1800000000 | 60 minutes | keys | GID */
	(void)snprintf(hex, sizeof(hex), "10 07 22 00000100 006b49d200 003c %s %s 0a 01c0de000162f210abcd", integ_hex,
		       conf_hex);
	cr_assert_gt(octets, 0);
	expect_hex(out, (size_t)octets, hex);
}

Test(keys_group_key, entry_without_cipher_carries_one_key)
{
	struct fan_group_key key = make_key(GID, 7);
	uint8_t out[FAN_GROUP_ENTRY_BYTES_MAX];

	key.cipher = 0;
	cr_expect_eq(write_entry(out, &key, NULL), 14 + 16 + 1 + 10);
}

static void
expect_read_back(const struct fan_group_key *key, const uint8_t *kek)
{
	uint8_t out[FAN_GROUP_ENTRY_BYTES_MAX + 1];
	const int octets = write_entry(out, key, kek);
	struct fan_group_entry entry, two[2];

	cr_assert_gt(octets, 0, "%s", fan_error_detail());
	cr_assert_eq(fan_group_entries_read(&entry, 1, out, (size_t)octets, kek), 1, "%s", fan_error_detail());
	cr_expect(fan_group_gid_equal(&entry.key.gid, &key->gid));
	cr_expect_eq(entry.key.gki, key->gki);
	cr_expect_eq(entry.key.cipher, key->cipher);
	cr_expect_eq(entry.key.integrity, key->integrity);
	cr_expect_eq(entry.key.tag_bytes, key->tag_bytes);
	cr_expect_eq(entry.key.first_count, key->first_count);
	cr_expect_eq(entry.key.start_s, key->start_s);
	cr_expect_eq(entry.key.duration_min, key->duration_min);
	cr_expect_eq(entry.key.is_signed, key->is_signed);
	cr_expect_arr_eq(entry.key.k_integ, key->k_integ, FAN_KEY_BYTES);
	if (key->cipher != 0)
		cr_expect_arr_eq(entry.key.k_conf, key->k_conf, FAN_KEY_BYTES);
	if (key->is_signed)
		cr_expect_arr_eq(entry.key.verifier, key->verifier, FAN_GROUP_VERIFIER_BYTES);
	/* And nothing less of it. */
	for (int less = 0; less < octets; less++)
		cr_expect_eq(fan_group_entries_read(&entry, 1, out, (size_t)less, kek), FAN_E_INVALID, "%d octets", less);
	out[octets] = 0;
	cr_expect_eq(fan_group_entries_read(&entry, 1, out, (size_t)octets + 1, kek), FAN_E_INVALID, "an octet behind it");
	cr_expect_eq(fan_group_entries_read(two, 2, out, (size_t)octets + 1, kek), FAN_E_INVALID, "an octet behind it");
}

Test(keys_group_key, entry_is_read_back_whole_and_never_in_part)
{
	static const uint8_t kek[FAN_GROUP_KEK_BYTES] = { 1, 2, 3 };
	struct fan_group_key key = make_key("flood@example.org", 200);

	for (uint8_t cipher = 0; cipher <= FAN_ALGORITHM_MAX; cipher++)
		for (uint8_t integrity = 1; integrity <= FAN_ALGORITHM_MAX; integrity++) {
			key.cipher = cipher;
			key.integrity = integrity;
			key.tag_bytes = integrity == 2 && cipher != 1 ? FAN_GROUP_TAG_BYTES : FAN_MAC_BYTES;
			key.is_signed = cipher == 3;
			memset(key.verifier, 0xed, sizeof(key.verifier));
			expect_read_back(&key, NULL);
			expect_read_back(&key, kek);
		}
}

Test(keys_group_key, entries_stand_one_behind_another)
{
	const struct fan_group_key first = make_key(GID, 7), second = make_key("flood@example.org", 1);
	uint8_t out[2 * FAN_GROUP_ENTRY_BYTES_MAX];
	const int first_bytes = write_entry(out, &first, NULL);
	const int both_bytes = first_bytes + write_entry(out + first_bytes, &second, NULL);
	struct fan_group_entry entries[2];

	cr_assert_eq(fan_group_entries_read(entries, 2, out, (size_t)both_bytes, NULL), 2, "%s", fan_error_detail());
	cr_expect_eq(entries[0].key.gki, 7);
	cr_expect_eq(entries[1].key.gki, 1);
	cr_expect(fan_group_gid_equal(&entries[1].key.gid, &second.gid));
	cr_expect_eq(fan_group_entries_read(entries, 1, out, (size_t)both_bytes, NULL), FAN_E_INVALID);
}

/* An octet of a good entry that is changed, and the word of the refusal. */
static const struct {
	unsigned at;
	uint8_t octet;
	const char *word;
} changes[] = {
	{ 0, 0x20, "version 2" },
	{ 0, 0x00, "version 0" },
	{ 0, 0x18, "nothing to unwrap" },
	{ 0, 0x11, "must be 0" },
	{ 0, 0x12, "before its last octet" }, /* says that a verifier follows */
	{ 2, 0x42, "cipher 4" },
	{ 2, 0x20, "always protected" },
	{ 2, 0x24, "integrity 4" },
	{ 2, 0x21, "yields 32 bits" },
	{ 2, 0x02, "before its last octet" },  /* then Gk_conf is taken for a length and a GID */
	{ 13, 0x00, "duration" },              /* low octet of 60 minutes */
	{ 46, 0xff, "before its last octet" }, /* length of the GID: over-long */
	{ 46, 0x09, "entry" },                 /* and an octet behind it */
	{ 46, 0x00, "GID" },
	{ 47, 0x03, "GID" },
	{ 52, 0xaa, "GID" }, /* digits of the PLMN */
};

Test(keys_group_key, entry_that_says_anything_else_is_refused_with_the_reason)
{
	const struct fan_group_key key = make_key(GID, 7);

	for (size_t i = 0; i < COUNT_OF(changes); i++) {
		uint8_t out[FAN_GROUP_ENTRY_BYTES_MAX];
		const int octets = write_entry(out, &key, NULL);
		struct fan_group_entry entries[2];

		out[changes[i].at] = changes[i].octet;
		cr_expect_eq(fan_group_entries_read(entries, 2, out, (size_t)octets, NULL), FAN_E_INVALID, "row %zu", i);
		cr_expect_not_null(strstr(fan_error_detail(), changes[i].word), "row %zu: %s", i, fan_error_detail());
	}
}

Test(keys_group_key, deletion_names_the_key_alone)
{
	struct fan_group_entry entry = { .deletes = true, .key = make_key(GID, 7) }, read;
	uint8_t out[FAN_GROUP_ENTRY_BYTES_MAX];
	const int octets = fan_group_entry_write(out, &entry, NULL);

	cr_assert_gt(octets, 0);
	expect_hex(out, (size_t)octets, "11 07 00 00000000 0000000000 0000 0a 01c0de000162f210abcd");
	cr_assert_eq(fan_group_entries_read(&read, 1, out, (size_t)octets, NULL), 1, "%s", fan_error_detail());
	cr_expect(read.deletes);
	cr_expect_eq(read.key.gki, 7);
	out[5] = 1;
	cr_expect_eq(fan_group_entries_read(&read, 1, out, (size_t)octets, NULL), FAN_E_INVALID);
}

/* ---- Security Mode Command ---- */

static void
fill_kasme(uint8_t key[32])
{
	for (unsigned i = 0; i < 32; i++)
		key[i] = (uint8_t)(0x40 + i);
}

Test(keys_group_key, keys_in_a_security_mode_command_are_wrapped_as_rfc_3394_says)
{
	const struct fan_group_key key = make_key(GID, 7);
	uint8_t out[FAN_GROUP_ENTRY_BYTES_MAX], kasme[32], kek[FAN_GROUP_KEK_BYTES];
	int octets;

	fill_kasme(kasme);
	cr_assert_eq(fan_group_kek(kek, FAN_KIND_EPS_NAS, kasme), 0);
	expect_hex(kek, sizeof(kek), "a0b18ea06d99c9f260734f7e6cb1ba97");
	octets = write_entry(out, &key, kek);
	cr_assert_eq(octets, 14 + 40 + 1 + 10);
	cr_expect_eq(out[0], 0x18);
	expect_hex(out + 14, 40, wrapped_hex);
	cr_assert_eq(fan_group_kek(kek, FAN_KIND_5GS_NAS, kasme), 0);
	expect_hex(kek, sizeof(kek), "8e6b80f774d56e9a68cff93ae6fb8156");
	cr_expect_eq(fan_group_kek(kek, FAN_KIND_NR_PDCP_12, kasme), FAN_E_INVALID);
}

Test(keys_group_key, wrapped_keys_open_for_their_ue_alone_and_unchanged)
{
	const struct fan_group_key key = make_key(GID, 7);
	uint8_t kek[FAN_GROUP_KEK_BYTES] = { 1 }, other[FAN_GROUP_KEK_BYTES] = { 2 }, out[FAN_GROUP_ENTRY_BYTES_MAX];
	const int octets = write_entry(out, &key, kek);
	struct fan_group_entry entry;

	cr_expect_eq(fan_group_entries_read(&entry, 1, out, (size_t)octets, other), FAN_E_INVALID);
	cr_expect_eq(fan_group_entries_read(&entry, 1, out, (size_t)octets, NULL), FAN_E_INVALID);
	for (unsigned bit = 0; bit < 8 * 40; bit++) {
		out[14 + bit / 8] ^= (uint8_t)(1U << bit % 8);
		cr_expect_eq(fan_group_entries_read(&entry, 1, out, (size_t)octets, kek), FAN_E_INVALID, "bit %u", bit);
		out[14 + bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	cr_expect_eq(fan_group_entries_read(&entry, 1, out, (size_t)octets, kek), 1);
	cr_expect_eq(write_entry(out, &key, NULL), octets - 8);
	cr_expect_eq(fan_group_entries_read(&entry, 1, out, (size_t)octets - 8, kek), FAN_E_INVALID);
	cr_expect_not_null(strstr(fan_error_detail(), "lie open"), "%s", fan_error_detail());
}

/* ---- To other nodes ---- */

/* The whole of it written down once by other code: HKDF and key wrap of Python's cryptography, as tests/e2e/hss.py has it. */
Test(keys_group_key, an_entry_for_another_node_is_what_the_manual_says)
{
	const struct fan_group_key key = make_key(GID, 7);
	uint8_t out[FAN_GROUP_ENTRY_BYTES_MAX], kek[FAN_GROUP_SHARED_KEK_BYTES];
	int octets;

	fill_kasme(kek);
	octets = fan_group_entry_wrap(out, &key, kek);
	cr_assert_eq(octets, 14 + 40 + 1 + 10, "%s", fan_error_detail());
	expect_hex(out + 14, 40, transport_hex);
}

Test(keys_group_key, an_entry_for_another_node_opens_there_whole_and_unchanged_alone)
{
	const struct fan_group_key key = make_key(GID, 7);
	uint8_t kek[FAN_GROUP_SHARED_KEK_BYTES] = { 1 }, other[FAN_GROUP_SHARED_KEK_BYTES] = { 2 };
	uint8_t out[FAN_GROUP_ENTRY_BYTES_MAX];
	const int octets = fan_group_entry_wrap(out, &key, kek);
	struct fan_group_key read;

	cr_assert_gt(octets, 0);
	cr_assert_eq(fan_group_entry_unwrap(&read, out, (size_t)octets, kek), 0, "%s", fan_error_detail());
	cr_expect_arr_eq(read.k_integ, key.k_integ, FAN_KEY_BYTES);
	cr_expect_arr_eq(read.k_conf, key.k_conf, FAN_KEY_BYTES);
	cr_expect_eq(read.gki, key.gki);
	cr_expect_eq(fan_group_entry_unwrap(&read, out, (size_t)octets, other), FAN_E_INVALID, "another KEK");
	cr_expect_eq(read.k_integ[0] | read.k_conf[0] | read.gki, 0, "what is refused is wiped");
	for (int bit = 0; bit < 8 * octets; bit++) {
		out[bit / 8] ^= (uint8_t)(1U << bit % 8);
		cr_expect_lt(fan_group_entry_unwrap(&read, out, (size_t)octets, kek), 0, "bit %d", bit);
		out[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	for (int less = 0; less < octets; less++)
		cr_expect_lt(fan_group_entry_unwrap(&read, out, (size_t)less, kek), 0, "%d octets", less);
	cr_expect_lt(fan_group_entry_unwrap(&read, out, (size_t)octets + 1, kek), 0, "an octet behind it");
}

Test(keys_group_key, keys_of_one_entry_are_not_those_of_another_for_a_node)
{
	const struct fan_group_key one = make_key(GID, 7), two = make_key(GID, 8);
	uint8_t kek[FAN_GROUP_SHARED_KEK_BYTES] = { 1 }, first[FAN_GROUP_ENTRY_BYTES_MAX], second[FAN_GROUP_ENTRY_BYTES_MAX];
	const int octets = fan_group_entry_wrap(first, &one, kek);
	struct fan_group_key read;

	cr_assert_eq(fan_group_entry_wrap(second, &two, kek), octets);
	memcpy(second + 14, first + 14, 40);
	cr_expect_eq(fan_group_entry_unwrap(&read, second, (size_t)octets, kek), FAN_E_INVALID);
}

Test(keys_group_key, element_is_7e_and_a_length_of_two_octets)
{
	uint8_t out[FAN_GROUP_ENTRIES_BYTES_MAX + 3], entries[FAN_GROUP_ENTRIES_BYTES_MAX + 1] = { 0x10, 0x07 };

	cr_assert_eq(fan_group_ie_write(out, entries, 300), 303);
	expect_hex(out, 5, "7e 012c 1007");
	cr_expect_eq(fan_group_ie_write(out, entries, 0), FAN_E_INVALID);
	cr_expect_eq(fan_group_ie_write(out, entries, FAN_GROUP_ENTRIES_BYTES_MAX + 1), FAN_E_INVALID);
}

/* ---- Received MBS container ---- */

Test(keys_group_key, session_has_the_octets_of_ts_24_501_9_11_4_31)
{
	const struct fan_group_session session = { .service_id = { 0xa1, 0xa2, 0xa3 },
						   .plmn = { 0x62, 0xf2, 0x10 },
						   .key_group = { 0xbe, 0xef } };
	struct fan_group_key key = make_key(GID, 7);
	uint8_t out[FAN_GROUP_SESSION_BYTES];
	char hex[128];

	(void)snprintf(hex, sizeof(hex), "05 08 06 a1a2a3 62f210 01 00 62f210 beef0007 %s", seed_hex);
	cr_assert_eq(fan_group_session_write(out, &session, &key), FAN_GROUP_SESSION_BYTES);
	expect_hex(out, sizeof(out), hex);
	key.has_seed = false;
	cr_expect_eq(fan_group_session_write(out, &session, &key), FAN_E_INVALID);
}

Test(keys_group_key, member_of_5gs_makes_the_same_keys_of_the_seed)
{
	const struct fan_group_key key = make_key(GID, 7);
	struct fan_group_key member = { .gid = key.gid, .gki = 7 };

	cr_assert_eq(fan_group_key_from_seed(&member, key.seed), 0);
	cr_expect_arr_eq(member.k_integ, key.k_integ, FAN_KEY_BYTES);
	cr_expect_arr_eq(member.k_conf, key.k_conf, FAN_KEY_BYTES);
}
