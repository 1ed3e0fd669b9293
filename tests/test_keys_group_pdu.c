/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages under a group key, from the sender's side to members that share no code with it. */
#include "../host-api/keys/group_pdu.h"
#include "../ue/group.h"
#include "octets.h"

#include <criterion/criterion.h>
#include <string.h>

#define GID "C0DE0001-262-01-ABCD"
#define START 1800000000
#define NOW (START + 10)
#define TEXT "Flood warning"
#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

static const uint8_t signing[32] = { 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a,
				     0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x90, 0x91, 0x92, 0x93, 0x94, 0x95,
				     0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f };

/* A sender: keys of a group, and a counter that is durable as long as the test runs. */
struct sender {
	struct fan_group_keys keys;
	const struct fan_group_signer *signer;
	int64_t next, now_s;
	unsigned taken;
};

struct sealed {
	uint8_t octets[FAN_GROUP_PDU_BYTES_MAX];
	int octet_count;
};

static int64_t
take(void *user, const struct fan_group_key *key)
{
	struct sender *sender = user;

	(void)key;
	sender->taken++;
	return sender->next < 0 ? sender->next : sender->next++;
}

static struct fan_group_key
make_key(const char *gid, uint8_t gki)
{
	struct fan_group_key key = { .gki = gki,
				     .cipher = 2,
				     .integrity = 2,
				     .tag_bytes = FAN_GROUP_TAG_BYTES,
				     .first_count = 0x12345,
				     .start_s = START,
				     .duration_min = 60 };
	uint8_t master[32];

	for (unsigned i = 0; i < sizeof(master); i++)
		master[i] = (uint8_t)i;
	cr_assert_eq(fan_group_gid_write(&key.gid, gid), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_group_key_derive(&key, master, sizeof(master)), 0, "%s", fan_error_detail());
	return key;
}

static struct sender
make_sender(const struct fan_group_key *key)
{
	struct sender sender = { .next = key->first_count, .now_s = NOW };

	cr_assert_eq(fan_group_keys_renew(&sender.keys, key, START, 0), 0, "%s", fan_error_detail());
	return sender;
}

static int
try_seal(struct sealed *sealed, struct sender *sender, const char *text)
{
	const struct fan_group_sending sending = { take, sender, sender->signer, sender->now_s };

	sealed->octet_count = fan_group_pdu_seal(sealed->octets, &sender->keys, &sending, text, strlen(text));
	return sealed->octet_count;
}

static struct sealed
seal(struct sender *sender, const char *text)
{
	struct sealed sealed;

	cr_assert_gt(try_seal(&sealed, sender, text), 0, "%s", fan_error_detail());
	return sealed;
}

static struct fan_ue_groups *
open_member(void)
{
	const struct fan_ue_group_home home = { .plmn = { 0x62, 0xf2, 0x10 }, .domain = "example.org" };
	struct fan_ue_groups *member = fan_ue_groups_open(&home);

	cr_assert_not_null(member);
	return member;
}

static enum fan_ue_group_verdict
give_key(struct fan_ue_groups *member, const struct fan_group_key *key)
{
	const struct fan_group_entry entry = { .key = *key };
	uint8_t octets[FAN_GROUP_ENTRY_BYTES_MAX];
	const int octet_count = fan_group_entry_write(octets, &entry, NULL);

	cr_assert_gt(octet_count, 0, "%s", fan_error_detail());
	return fan_ue_groups_take(member, octets, (size_t)octet_count, NULL);
}

static struct fan_ue_groups *
open_member_with(const struct fan_group_key *key)
{
	struct fan_ue_groups *member = open_member();

	cr_assert_eq(give_key(member, key), FAN_UE_GROUP_ACCEPTED);
	return member;
}

static enum fan_ue_group_verdict
receive_at(struct fan_ue_groups *member, const struct sealed *sealed, int64_t now_s)
{
	struct fan_ue_group_message message;

	return fan_ue_groups_receive(member, &message, sealed->octets, (size_t)sealed->octet_count, now_s);
}

static enum fan_ue_group_verdict
receive(struct fan_ue_groups *member, const struct sealed *sealed)
{
	return receive_at(member, sealed, NOW);
}

static void
expect_opened(struct fan_ue_groups *member, const struct sealed *sealed, const char *text)
{
	struct fan_ue_group_message message;
	const enum fan_ue_group_verdict verdict = fan_ue_groups_receive(member, &message, sealed->octets,
									(size_t)sealed->octet_count, NOW);

	cr_assert_eq(verdict, FAN_UE_GROUP_ACCEPTED, "%s", fan_ue_group_verdict_name(verdict));
	cr_assert_eq(message.payload_bytes, strlen(text));
	cr_expect_arr_eq(message.payload, text, strlen(text));
}

/* ---- What is sent ---- */

/* Computed with the Python package `cryptography`: HKDF, AES-CTR, CMAC, Ed25519. */
static const char pdu_hex[] = "1a63014075070001234550d0092faa1db2724f651a6cc8e4028acb54bf3703",
		  signature_hex[] = "db8df7995193cc56c4d9d8c74714bb7826af62344eab2d4950bbef3acfd79216"
				    "9e35c1a2911aec124599dc9921c8c71a6eba95976d7ad09907e4970134d2740e";

Test(keys_group_pdu, message_has_the_octets_that_another_program_makes)
{
	const struct fan_group_key key = make_key(GID, 7);
	struct sender sender = make_sender(&key);
	const struct sealed sealed = seal(&sender, TEXT);
	uint8_t wanted[64];

	cr_assert_eq(fan_test_octets(wanted, pdu_hex, sizeof(wanted)), (size_t)sealed.octet_count);
	cr_expect_arr_eq(sealed.octets, wanted, (size_t)sealed.octet_count);
}

Test(keys_group_pdu, signature_is_the_one_that_another_program_makes)
{
	struct fan_group_key key = make_key(GID, 7);
	struct sender sender = { 0 };
	struct fan_group_signer *signer;
	uint8_t wanted[FAN_GROUP_SIGNATURE_BYTES];
	struct sealed sealed;

	cr_assert_eq(fan_group_signer_open(&signer, signing), 0);
	key.is_signed = true;
	fan_group_signer_verifier(key.verifier, signer);
	sender = make_sender(&key);
	sender.signer = signer;
	sealed = seal(&sender, TEXT);
	cr_assert_eq(fan_test_octets(wanted, signature_hex, sizeof(wanted)), sizeof(wanted));
	cr_expect_arr_eq(sealed.octets + sealed.octet_count - FAN_GROUP_SIGNATURE_BYTES, wanted, sizeof(wanted));
	fan_group_signer_close(signer);
}

Test(keys_group_pdu, member_opens_it_under_every_algorithm_and_tag)
{
	for (uint8_t cipher = 0; cipher <= FAN_ALGORITHM_MAX; cipher++)
		for (uint8_t integrity = 1; integrity <= FAN_ALGORITHM_MAX; integrity++)
			for (unsigned tag_bytes = 4; tag_bytes <= (integrity == 2 ? 8U : 4U); tag_bytes += 4) {
				struct fan_group_key key = make_key("flood@example.org", 7);
				struct fan_ue_groups *member;
				struct sender sender;
				struct sealed sealed;

				key.cipher = cipher;
				key.integrity = integrity;
				key.tag_bytes = (uint8_t)tag_bytes;
				sender = make_sender(&key);
				member = open_member_with(&key);
				sealed = seal(&sender, TEXT);
				cr_expect_eq((size_t)sealed.octet_count, 10 + strlen(TEXT) + tag_bytes);
				cr_expect_eq(memcmp(sealed.octets + 10, TEXT, strlen(TEXT)) == 0, cipher == 0);
				expect_opened(member, &sealed, TEXT);
				fan_ue_groups_close(member);
			}
}

Test(keys_group_pdu, longest_payload_is_opened_and_a_longer_one_refused)
{
	static char text[FAN_GROUP_PAYLOAD_BYTES_MAX + 2];
	const struct fan_group_key key = make_key(GID, 7);
	struct fan_ue_groups *member = open_member_with(&key);
	struct sender sender = make_sender(&key);
	struct sealed sealed;

	memset(text, 'a', FAN_GROUP_PAYLOAD_BYTES_MAX);
	sealed = seal(&sender, text);
	expect_opened(member, &sealed, text);
	text[FAN_GROUP_PAYLOAD_BYTES_MAX] = 'a';
	sender.taken = 0;
	cr_expect_eq(try_seal(&sealed, &sender, text), FAN_E_INVALID);
	cr_expect_eq(try_seal(&sealed, &sender, ""), FAN_E_INVALID);
	cr_expect_eq(sender.taken, 0, "no COUNT is spent for what is refused");
	fan_ue_groups_close(member);
}

/* ---- COUNT ---- */

Test(keys_group_pdu, one_count_is_one_plaintext_whatever_the_counter_says)
{
	const struct fan_group_key key = make_key(GID, 7);
	struct sender sender = make_sender(&key);
	struct sealed sealed = seal(&sender, TEXT);

	sender.next--;
	cr_expect_eq(try_seal(&sealed, &sender, "Another text"), FAN_E_INVALID);
	sender.next = 0;
	cr_expect_eq(try_seal(&sealed, &sender, "Another text"), FAN_E_INVALID);
	sender.next = key.first_count + 1000; /* gaps are free */
	cr_expect_gt(try_seal(&sealed, &sender, "Another text"), 0);
}

Test(keys_group_pdu, count_below_the_keys_first_is_refused)
{
	const struct fan_group_key key = make_key(GID, 7);
	struct sender sender = make_sender(&key);
	struct sealed sealed;

	sender.next = key.first_count - 1;
	cr_expect_eq(try_seal(&sealed, &sender, TEXT), FAN_E_INVALID);
}

Test(keys_group_pdu, count_does_not_wrap)
{
	const struct fan_group_key key = make_key(GID, 7);
	struct fan_ue_groups *member = open_member_with(&key);
	struct sender sender = make_sender(&key);
	struct sealed sealed;

	sender.next = UINT32_MAX;
	sealed = seal(&sender, TEXT);
	expect_opened(member, &sealed, TEXT);
	cr_expect_eq(try_seal(&sealed, &sender, TEXT), FAN_E_INVALID);
	cr_expect_not_null(strstr(fan_error_detail(), "at its end"), "%s", fan_error_detail());
	fan_ue_groups_close(member);
}

Test(keys_group_pdu, nothing_is_sealed_while_the_counter_is_not_durable)
{
	const struct fan_group_key key = make_key(GID, 7);
	const uint8_t none[FAN_GROUP_PDU_BYTES_MAX] = { 0 };
	struct sender sender = make_sender(&key);
	struct sealed sealed;

	sender.next = FAN_E_IO;
	cr_expect_eq(try_seal(&sealed, &sender, TEXT), FAN_E_IO);
	cr_expect_arr_eq(sealed.octets, none, sizeof(none));
}

Test(keys_group_pdu, key_that_is_not_valid_now_is_not_sent_under)
{
	const struct fan_group_key key = make_key(GID, 7);
	struct sender sender = make_sender(&key);
	struct sealed sealed;

	sender.now_s = START - 1;
	cr_expect_eq(try_seal(&sealed, &sender, TEXT), FAN_E_INVALID);
	sender.now_s = START + 3600;
	cr_expect_eq(try_seal(&sealed, &sender, TEXT), FAN_E_INVALID);
	cr_expect_eq(sender.taken, 0);
}

Test(keys_group_pdu, group_without_a_key_sends_nothing)
{
	struct sender sender = { .now_s = NOW };
	struct sealed sealed;

	cr_expect_eq(try_seal(&sealed, &sender, TEXT), FAN_E_NOT_FOUND);
}

/* ---- What members refuse ---- */

Test(keys_group_pdu, message_to_another_group_is_refused)
{
	const struct fan_group_key key = make_key(GID, 7), other = make_key("C0DE0001-262-01-ABCE", 7);
	struct fan_ue_groups *member = open_member_with(&key);
	struct sender sender = make_sender(&other);
	const struct sealed sealed = seal(&sender, TEXT);

	cr_expect_eq(receive(member, &sealed), FAN_UE_GROUP_WRONG_GROUP);
	fan_ue_groups_close(member);
}

Test(keys_group_pdu, message_under_a_key_that_was_deleted_is_refused)
{
	const struct fan_group_key seven = make_key(GID, 7), eight = make_key(GID, 8);
	const struct fan_group_entry deletion = { .deletes = true, .key = seven };
	struct fan_ue_groups *member = open_member_with(&seven);
	struct sender sender = make_sender(&seven);
	const struct sealed first = seal(&sender, TEXT), second = seal(&sender, TEXT);
	uint8_t octets[FAN_GROUP_ENTRY_BYTES_MAX];

	cr_assert_eq(give_key(member, &eight), FAN_UE_GROUP_ACCEPTED);
	expect_opened(member, &first, TEXT); /* the overlap */
	cr_assert_eq(fan_ue_groups_take(member, octets, (size_t)fan_group_entry_write(octets, &deletion, NULL), NULL),
		     FAN_UE_GROUP_ACCEPTED);
	cr_expect_eq(receive(member, &second), FAN_UE_GROUP_OLD_KEY);
	cr_expect_eq(give_key(member, &seven), FAN_UE_GROUP_OLD_KEY, "it never comes back");
	fan_ue_groups_close(member);
}

Test(keys_group_pdu, third_key_ends_the_first)
{
	const struct fan_group_key seven = make_key(GID, 7), eight = make_key(GID, 8), nine = make_key(GID, 9);
	struct fan_ue_groups *member = open_member_with(&seven);
	struct sender sender = make_sender(&seven);
	const struct sealed sealed = seal(&sender, TEXT);

	cr_assert_eq(give_key(member, &eight), FAN_UE_GROUP_ACCEPTED);
	cr_assert_eq(give_key(member, &nine), FAN_UE_GROUP_ACCEPTED);
	cr_expect_eq(receive(member, &sealed), FAN_UE_GROUP_OLD_KEY);
	fan_ue_groups_close(member);
}

Test(keys_group_pdu, sender_never_uses_a_key_again_that_was_renewed)
{
	const struct fan_group_key seven = make_key(GID, 7), eight = make_key(GID, 8);
	struct sender sender = make_sender(&seven);
	struct sealed sealed;

	(void)seal(&sender, TEXT);
	cr_assert_eq(fan_group_keys_renew(&sender.keys, &eight, NOW, 600), 0);
	sender.next = eight.first_count;
	sealed = seal(&sender, TEXT);
	cr_expect_eq(sealed.octets[5], 8);
	cr_expect_eq(fan_group_keys_renew(&sender.keys, &seven, NOW, 0), FAN_E_EXISTS);
}

Test(keys_group_pdu, message_that_was_accepted_is_refused_when_it_comes_again)
{
	const struct fan_group_key key = make_key(GID, 7);
	struct fan_ue_groups *member = open_member_with(&key);
	struct sender sender = make_sender(&key);
	const struct sealed sealed = seal(&sender, TEXT);

	expect_opened(member, &sealed, TEXT);
	cr_expect_eq(receive(member, &sealed), FAN_UE_GROUP_REPLAY);
	/* A re-key that is sent once more does not open the window anew. */
	cr_assert_eq(give_key(member, &key), FAN_UE_GROUP_ACCEPTED);
	cr_expect_eq(receive(member, &sealed), FAN_UE_GROUP_REPLAY);
	fan_ue_groups_close(member);
}

Test(keys_group_pdu, order_does_not_matter_within_64_counts_and_older_ones_are_refused)
{
	const struct fan_group_key key = make_key(GID, 7);
	struct fan_ue_groups *member = open_member_with(&key);
	struct sender sender = make_sender(&key);
	static struct sealed sealed[66];

	for (unsigned i = 0; i < COUNT_OF(sealed); i++)
		sealed[i] = seal(&sender, TEXT);
	expect_opened(member, &sealed[65], TEXT);
	cr_expect_eq(receive(member, &sealed[0]), FAN_UE_GROUP_TOO_OLD);
	cr_expect_eq(receive(member, &sealed[1]), FAN_UE_GROUP_TOO_OLD);
	for (unsigned i = 64; i >= 2; i--)
		expect_opened(member, &sealed[i], TEXT);
	for (unsigned i = 2; i < COUNT_OF(sealed); i++)
		cr_expect_eq(receive(member, &sealed[i]), FAN_UE_GROUP_REPLAY, "%u", i);
	fan_ue_groups_close(member);
}

Test(keys_group_pdu, count_before_the_first_that_a_member_was_told_is_refused)
{
	struct fan_group_key key = make_key(GID, 7);
	struct sender sender = make_sender(&key);
	const struct sealed sealed = seal(&sender, TEXT);
	struct fan_ue_groups *member;

	key.first_count++;
	member = open_member_with(&key);
	cr_expect_eq(receive(member, &sealed), FAN_UE_GROUP_TOO_OLD);
	fan_ue_groups_close(member);
}

Test(keys_group_pdu, truncated_message_is_refused_at_every_length)
{
	const struct fan_group_key key = make_key(GID, 7);
	struct fan_ue_groups *member = open_member_with(&key);
	struct sender sender = make_sender(&key);
	struct sealed sealed = seal(&sender, TEXT);
	const int whole = sealed.octet_count;

	for (sealed.octet_count = 0; sealed.octet_count < whole; sealed.octet_count++)
		cr_expect_neq(receive(member, &sealed), FAN_UE_GROUP_ACCEPTED, "%d octets", sealed.octet_count);
	sealed.octets[whole] = 0;
	sealed.octet_count = whole + 1;
	cr_expect_eq(receive(member, &sealed), FAN_UE_GROUP_BAD_MAC);
	sealed.octet_count = whole;
	expect_opened(member, &sealed, TEXT);
	fan_ue_groups_close(member);
}

Test(keys_group_pdu, flipped_bit_is_refused_wherever_it_is)
{
	struct fan_group_key key = make_key(GID, 7);
	struct sender sender = { 0 };
	struct fan_group_signer *signer;
	struct fan_ue_groups *member;
	struct sealed sealed;

	cr_assert_eq(fan_group_signer_open(&signer, signing), 0);
	key.is_signed = true;
	fan_group_signer_verifier(key.verifier, signer);
	member = open_member_with(&key);
	sender = make_sender(&key);
	sender.signer = signer;
	sealed = seal(&sender, TEXT);
	for (unsigned bit = 0; bit < 8 * (unsigned)sealed.octet_count; bit++) {
		sealed.octets[bit / 8] ^= (uint8_t)(1U << bit % 8);
		cr_expect_neq(receive(member, &sealed), FAN_UE_GROUP_ACCEPTED, "bit %u", bit);
		sealed.octets[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	expect_opened(member, &sealed, TEXT); /* nothing of that has moved what the member knows */
	fan_ue_groups_close(member);
	fan_group_signer_close(signer);
}

Test(keys_group_pdu, member_that_was_removed_cannot_read_the_next_message_with_what_it_has)
{
	const struct fan_group_key seven = make_key(GID, 7), eight = make_key(GID, 8);
	struct fan_ue_groups *stays = open_member_with(&seven), *removed = open_member_with(&seven);
	struct sender sender = make_sender(&seven);
	struct sealed sealed = seal(&sender, TEXT);

	expect_opened(stays, &sealed, TEXT);
	expect_opened(removed, &sealed, TEXT);
	cr_assert_eq(fan_group_keys_renew(&sender.keys, &eight, NOW, 0), 0);
	cr_assert_eq(give_key(stays, &eight), FAN_UE_GROUP_ACCEPTED);
	sender.next = eight.first_count;
	sealed = seal(&sender, "Not for those who left");
	expect_opened(stays, &sealed, "Not for those who left");
	cr_expect_eq(receive(removed, &sealed), FAN_UE_GROUP_UNKNOWN_KEY);
	sealed.octets[5] = 7; /* nor under the key that it has */
	cr_expect_eq(receive(removed, &sealed), FAN_UE_GROUP_BAD_MAC);
	fan_ue_groups_close(stays);
	fan_ue_groups_close(removed);
}

Test(keys_group_pdu, expired_key_opens_nothing)
{
	const struct fan_group_key key = make_key(GID, 7);
	struct fan_ue_groups *member = open_member_with(&key);
	struct sender sender = make_sender(&key);
	const struct sealed sealed = seal(&sender, TEXT);

	cr_expect_eq(receive_at(member, &sealed, START - 1), FAN_UE_GROUP_NOT_YET);
	cr_expect_eq(receive_at(member, &sealed, START + 3600), FAN_UE_GROUP_EXPIRED);
	cr_expect_eq(receive_at(member, &sealed, START + 3599), FAN_UE_GROUP_ACCEPTED);
	fan_ue_groups_close(member);
}

Test(keys_group_pdu, keys_of_another_network_or_domain_are_refused)
{
	const struct fan_group_key other_plmn = make_key("C0DE0001-310-410-ABCD", 7),
				   other_domain = make_key("flood@example.com", 7),
				   longer_domain = make_key("flood@sub.example.org", 7),
				   ours = make_key("flood@example.org", 7);
	struct fan_ue_groups *member = open_member();

	cr_expect_eq(give_key(member, &other_plmn), FAN_UE_GROUP_WRONG_DOMAIN);
	cr_expect_eq(give_key(member, &other_domain), FAN_UE_GROUP_WRONG_DOMAIN);
	cr_expect_eq(give_key(member, &longer_domain), FAN_UE_GROUP_WRONG_DOMAIN);
	cr_expect_eq(give_key(member, &ours), FAN_UE_GROUP_ACCEPTED);
	fan_ue_groups_close(member);
}

Test(keys_group_pdu, other_algorithms_than_the_keys_are_refused)
{
	const struct fan_group_key key = make_key(GID, 7);
	struct fan_group_key open = key;
	struct fan_ue_groups *member = open_member_with(&key);
	struct sender sender;
	struct sealed sealed;

	/* A member that makes a message without cipher, or with a tag of 32 bits that is easier to guess. */
	open.cipher = 0;
	open.tag_bytes = FAN_MAC_BYTES;
	sender = make_sender(&open);
	sealed = seal(&sender, TEXT);
	cr_expect_eq(receive(member, &sealed), FAN_UE_GROUP_MALFORMED);
	open.cipher = 2;
	sender = make_sender(&open);
	sealed = seal(&sender, TEXT);
	cr_expect_eq(receive(member, &sealed), FAN_UE_GROUP_BAD_MAC);
	fan_ue_groups_close(member);
}

/* ---- Who may speak ---- */

/* A member that reads its keys out of its entries and makes a message of its own with them. */
static struct sealed
forge(const struct fan_group_key *key, const struct fan_group_signer *own)
{
	const struct fan_group_entry entry = { .key = *key };
	struct fan_group_entry taken;
	uint8_t octets[FAN_GROUP_ENTRY_BYTES_MAX];
	struct sender forger;

	cr_assert_eq(fan_group_entries_read(&taken, 1, octets, (size_t)fan_group_entry_write(octets, &entry, NULL), NULL), 1);
	if (own != NULL)
		fan_group_signer_verifier(taken.key.verifier, own);
	forger = make_sender(&taken.key);
	forger.next += 5;
	forger.signer = own;
	return seal(&forger, "All is well, stay");
}

Test(keys_group_pdu, without_signatures_a_member_speaks_for_the_sender)
{
	const struct fan_group_key key = make_key(GID, 7);
	struct fan_ue_groups *member = open_member_with(&key);
	const struct sealed forged = forge(&key, NULL);

	/* Not a fault: it is what a shared key is. README.md says so. */
	expect_opened(member, &forged, "All is well, stay");
	fan_ue_groups_close(member);
}

Test(keys_group_pdu, with_signatures_no_member_speaks_for_the_sender)
{
	static const uint8_t own_secret[32] = { 1 };
	struct fan_group_key key = make_key(GID, 7);
	struct fan_group_signer *signer, *own;
	struct fan_ue_groups *member;
	struct sender sender;
	struct sealed forged, sealed;

	cr_assert_eq(fan_group_signer_open(&signer, signing), 0);
	cr_assert_eq(fan_group_signer_open(&own, own_secret), 0);
	key.is_signed = true;
	fan_group_signer_verifier(key.verifier, signer);
	member = open_member_with(&key);
	forged = forge(&key, own);
	cr_expect_eq(receive(member, &forged), FAN_UE_GROUP_BAD_SIGNATURE);
	/* It has not used up the COUNT of the sender's own message either. */
	sender = make_sender(&key);
	sender.next += 5;
	cr_expect_eq(try_seal(&sealed, &sender, TEXT), FAN_E_INVALID, "no signer");
	sender.signer = own;
	cr_expect_eq(try_seal(&sealed, &sender, TEXT), FAN_E_INVALID, "another signer");
	sender.signer = signer;
	sealed = seal(&sender, TEXT);
	expect_opened(member, &sealed, TEXT);
	fan_ue_groups_close(member);
	fan_group_signer_close(signer);
	fan_group_signer_close(own);
}

/* ---- Keys on their way to a member ---- */

Test(keys_group_pdu, member_takes_all_entries_of_a_row_or_none)
{
	const struct fan_group_key seven = make_key(GID, 7), foreign = make_key("flood@example.com", 7);
	const struct fan_group_entry entries[2] = { { .key = seven }, { .key = foreign } };
	struct fan_ue_groups *member = open_member();
	struct sender sender = make_sender(&seven);
	const struct sealed sealed = seal(&sender, TEXT);
	uint8_t octets[2 * FAN_GROUP_ENTRY_BYTES_MAX];
	int first = fan_group_entry_write(octets, &entries[0], NULL);
	int both = first + fan_group_entry_write(octets + first, &entries[1], NULL);

	cr_expect_eq(fan_ue_groups_take(member, octets, (size_t)both, NULL), FAN_UE_GROUP_WRONG_DOMAIN);
	cr_expect_eq(receive(member, &sealed), FAN_UE_GROUP_WRONG_GROUP);
	for (int less = 0; less < both; less++)
		if (less != first)
			cr_expect_eq(fan_ue_groups_take(member, octets, (size_t)less, NULL), FAN_UE_GROUP_MALFORMED, "%d",
				     less);
	cr_expect_eq(fan_ue_groups_take(member, octets, (size_t)first, NULL), FAN_UE_GROUP_ACCEPTED);
	expect_opened(member, &sealed, TEXT);
	fan_ue_groups_close(member);
}

Test(keys_group_pdu, member_unwraps_what_a_security_mode_command_brings)
{
	const struct fan_group_key key = make_key(GID, 7);
	const struct fan_group_entry entry = { .key = key };
	const uint8_t kek[FAN_GROUP_KEK_BYTES] = { 9 }, other[FAN_GROUP_KEK_BYTES] = { 8 };
	struct fan_ue_groups *member = open_member();
	struct sender sender = make_sender(&key);
	const struct sealed sealed = seal(&sender, TEXT);
	uint8_t octets[FAN_GROUP_ENTRY_BYTES_MAX];
	const size_t octet_count = (size_t)fan_group_entry_write(octets, &entry, kek);

	cr_expect_eq(fan_ue_groups_take(member, octets, octet_count, other), FAN_UE_GROUP_MALFORMED);
	cr_expect_eq(fan_ue_groups_take(member, octets, octet_count, NULL), FAN_UE_GROUP_MALFORMED);
	cr_expect_eq(fan_ue_groups_take(member, octets, octet_count, kek), FAN_UE_GROUP_ACCEPTED);
	expect_opened(member, &sealed, TEXT);
	fan_ue_groups_close(member);
}

Test(keys_group_pdu, another_key_under_the_gki_that_a_member_holds_is_refused)
{
	const struct fan_group_key key = make_key(GID, 7);
	struct fan_group_key other = key;
	struct fan_ue_groups *member = open_member_with(&key);

	other.k_integ[0] ^= 1;
	cr_expect_eq(give_key(member, &other), FAN_UE_GROUP_OTHER_KEY);
	fan_ue_groups_close(member);
}

Test(keys_group_pdu, member_has_room_for_eight_groups)
{
	struct fan_ue_groups *member = open_member();
	struct fan_group_key key;

	for (unsigned i = 0; i < FAN_UE_GROUPS_MAX; i++) {
		char gid[] = "flood0@example.org";

		gid[5] = (char)('0' + i);
		key = make_key(gid, 7);
		cr_expect_eq(give_key(member, &key), FAN_UE_GROUP_ACCEPTED);
	}
	key = make_key(GID, 7);
	cr_expect_eq(give_key(member, &key), FAN_UE_GROUP_FULL);
	fan_ue_groups_close(member);
}

/* ---- 5GS ---- */

static const struct fan_group_session session = { .service_id = { 0xa1, 0xa2, 0xa3 },
						  .plmn = { 0x62, 0xf2, 0x10 },
						  .key_group = { 0xbe, 0xef } };

static struct fan_ue_group_announcement
announce(const struct fan_group_key *key)
{
	struct fan_ue_group_announcement announcement = { .gid_bytes = key->gid.octet_count,
							  .service_id = { 0xa1, 0xa2, 0xa3 },
							  .key_group = { 0xbe, 0xef },
							  .cipher = key->cipher,
							  .integrity = key->integrity,
							  .tag_bytes = key->tag_bytes,
							  .first_count = key->first_count,
							  .start_s = key->start_s,
							  .duration_min = key->duration_min };

	memcpy(announcement.gid, key->gid.octets, key->gid.octet_count);
	return announcement;
}

Test(keys_group_pdu, member_of_5gs_opens_it_with_what_the_container_brings)
{
	const struct fan_group_key key = make_key("flood@example.org", 7);
	const struct fan_ue_group_announcement announcement = announce(&key);
	struct fan_ue_groups *member = open_member();
	struct sender sender = make_sender(&key);
	const struct sealed sealed = seal(&sender, TEXT);
	uint8_t contents[FAN_GROUP_SESSION_BYTES + 1] = { 0 };
	const size_t octet_count = (size_t)fan_group_session_write(contents, &session, &key);

	for (size_t less = 0; less < octet_count; less++)
		cr_expect_eq(fan_ue_groups_take_session(member, contents, less, &announcement), FAN_UE_GROUP_MALFORMED);
	cr_expect_eq(fan_ue_groups_take_session(member, contents, octet_count + 1, &announcement), FAN_UE_GROUP_MALFORMED);
	cr_expect_eq(fan_ue_groups_take_session(member, contents, octet_count, &announcement), FAN_UE_GROUP_ACCEPTED);
	expect_opened(member, &sealed, TEXT);
	fan_ue_groups_close(member);
}

Test(keys_group_pdu, container_of_another_session_or_key_domain_is_refused)
{
	const struct fan_group_key key = make_key("flood@example.org", 7);
	const struct fan_ue_group_announcement announcement = announce(&key);
	struct fan_group_session other = session;
	struct fan_ue_groups *member = open_member();
	uint8_t contents[FAN_GROUP_SESSION_BYTES];

	other.plmn[2] = 0x20;
	(void)fan_group_session_write(contents, &other, &key);
	cr_expect_eq(fan_ue_groups_take_session(member, contents, sizeof(contents), &announcement), FAN_UE_GROUP_WRONG_DOMAIN);
	other = session;
	other.key_group[0] = 0;
	(void)fan_group_session_write(contents, &other, &key);
	cr_expect_eq(fan_ue_groups_take_session(member, contents, sizeof(contents), &announcement), FAN_UE_GROUP_WRONG_GROUP);
	other = session;
	other.service_id[0] = 0;
	(void)fan_group_session_write(contents, &other, &key);
	cr_expect_eq(fan_ue_groups_take_session(member, contents, sizeof(contents), &announcement), FAN_UE_GROUP_WRONG_GROUP);
	fan_ue_groups_close(member);
}
