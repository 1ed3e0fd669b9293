/* SPDX-License-Identifier: BSD-3-Clause */
#include "../host-api/appliance/identities.h"
#include "batch.h"

#include <criterion/criterion.h>
#include <string.h>

enum { UES = 50000, TABLES = 510, LAST_SLOT = (1 << 27) - 1 };

static struct fan_identities identities;
static struct fan_fingerprints prints;

static uint64_t
entry_of(unsigned i)
{
	char identity[FAN_IDENTITY_BYTES];

	(void)snprintf(identity, sizeof(identity), "meter-%u@some-domain.example", i / 2); /* each has two contexts */
	return fan_identity_entry(&prints, identity, i % TABLES, LAST_SLOT - i);
}

static bool
is_there(uint64_t entry)
{
	uint64_t found;
	size_t at = 0;

	while ((found = fan_identities_next(&identities, &at, entry)) != 0)
		if (found == entry)
			return true;
	return false;
}

Test(identities, an_entry_says_where_a_context_is)
{
	cr_assert_eq(fan_fingerprints_prepare(&prints), 0);
	for (unsigned i = 0; i < UES; i++)
		cr_assert(fan_identity_table(entry_of(i)) == i % TABLES && fan_identity_slot(entry_of(i)) == LAST_SLOT - i);
	cr_assert_neq(fan_identity_entry(&prints, "", 0, 0), 0);
	cr_assert_eq(fan_identity_entry(&prints, "a@b", 7, 9), fan_identity_entry(&prints, "a@b", 7, 9));
	fan_fingerprints_free(&prints);
}

/* What an identity is told from another by: each octet, and the length. */
Test(identities, other_identities_have_other_hashes)
{
	char identity[FAN_IDENTITY_BYTES] = "";
	uint64_t former, entry;

	cr_assert_eq(fan_fingerprints_prepare(&prints), 0);
	former = fan_identity_entry(&prints, identity, 0, 0);
	for (unsigned i = 0; i < sizeof(identity) - 1; i++) {
		identity[i] = '0';
		entry = fan_identity_entry(&prints, identity, 0, 0);
		cr_assert_neq(entry, former, "%u", i);
		identity[i] = '1';
		former = fan_identity_entry(&prints, identity, 0, 0);
		cr_assert_neq(entry, former, "%u", i);
	}
	fan_fingerprints_free(&prints);
}

Test(identities, entries_come_and_go_and_the_others_stay)
{
	static bool in[UES];
	struct fan_test_random random = { 0 };
	unsigned count = 0;

	cr_assert_eq(fan_fingerprints_prepare(&prints), 0);
	fan_identities_remove(&identities, entry_of(0));
	cr_assert_not(is_there(entry_of(0)));
	for (unsigned turn = 0; turn < 4 * UES; turn++) {
		const unsigned i = fan_test_random_below(&random, UES);

		cr_assert_eq(is_there(entry_of(i)), in[i], "%u", i);
		if (in[i]) {
			fan_identities_remove(&identities, entry_of(i));
			fan_identities_remove(&identities, entry_of(i));
		} else {
			cr_assert_eq(fan_identities_reserve(&identities, entry_of(i)), 0);
			fan_identities_add(&identities, entry_of(i));
		}
		in[i] = !in[i];
	}
	for (unsigned i = 0; i < UES; i++) {
		cr_assert_eq(is_there(entry_of(i)), in[i], "%u", i);
		count += in[i];
	}
	for (unsigned i = 0; i < FAN_IDENTITY_PARTS; i++)
		count -= (unsigned)identities.part[i].used;
	cr_assert_eq(count, 0);
	fan_identities_free(&identities);
	cr_assert_not(is_there(entry_of(1)));
	fan_fingerprints_free(&prints);
}
