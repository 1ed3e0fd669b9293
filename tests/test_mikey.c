/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "../host-api/keys/mikey.h"
#include "residue.h"
#include "vectors.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct fan_mikey *mikey;

static const char idi[] = "bmsc.mnc001.mcc001.pub.3gppnetwork.org";
static const char idr[] = "I1U8vpY3qJ0hiuZNrke/NQ==@bsf.mnc001.mcc001.pub.3gppnetwork.org";
static const struct fan_mikey_user user = {
	.muk = "a MUK of 32 octets for the tests",
	.idi = { idi, sizeof(idi) - 1 },
	.idr = { idr, sizeof(idr) - 1 },
};
static const struct fan_mikey_msk msk = { .id = 0x00010001, .mtk_first = 10, .mtk_last = 20, .key = "an MSK of tests" };
static const struct fan_mikey_mtk mtk = { .id = 12, .has_salt = true, .key = "an MTK of tests", .salt = "salt of tests" };

static void
open_mikey(void)
{
	cr_assert_eq(fan_mikey_open(&mikey), 0, "%s", fan_error_detail());
}

static void
close_mikey(void)
{
	fan_mikey_close(mikey);
}

TestSuite(mikey, .init = open_mikey, .fini = close_mikey);

static struct fan_mikey_head
head(uint32_t counter)
{
	return (struct fan_mikey_head){ { 0x00, 0xf1, 0x10 }, 0xc0ffee01, counter, true, "RAND of an MSK." };
}

static struct fan_mikey_group
group(void)
{
	return (struct fan_mikey_group){ .domain = { 0x00, 0xf1, 0x10 }, .group = 1 };
}

/* A message in memory that ends where it ends, so that ASan sees who reads on. */
struct written {
	uint8_t *octets;
	size_t octet_count;
};

static struct written
keep(const uint8_t *octets, int written)
{
	struct written kept = { malloc((size_t)written), (size_t)written };

	cr_assert_gt(written, 0, "%s", fan_error_detail());
	memcpy(kept.octets, octets, kept.octet_count);
	return kept;
}

static struct written
write_msk(uint32_t counter, const struct fan_mikey_msk *which)
{
	const struct fan_mikey_head now = head(counter);
	uint8_t octets[FAN_MIKEY_BYTES_MAX];

	return keep(octets, fan_mikey_write_msk(mikey, octets, &now, which, &user));
}

static struct written
write_mtk(uint32_t counter, const struct fan_mikey_msk *under, uint16_t id)
{
	const struct fan_mikey_head now = head(counter);
	struct fan_mikey_mtk which = mtk;
	uint8_t octets[FAN_MIKEY_BYTES_MAX];

	which.id = id;
	return keep(octets, fan_mikey_write_mtk(mikey, octets, &now, under, &which));
}

static struct written
write_verification(uint32_t counter)
{
	const struct fan_mikey_head now = head(counter);
	uint8_t octets[FAN_MIKEY_BYTES_MAX];

	return keep(octets, fan_mikey_write_verification(mikey, octets, &now, &user));
}

/* Parses, and reads as what it is. */
static enum fan_mikey_verdict
read_octets(struct fan_mikey_group *into, uint32_t *counter_next, const uint8_t *octets, size_t octet_count)
{
	const struct fan_mikey_head asked = head(1);
	struct fan_mikey_message message;
	struct fan_mikey_mtk found;
	const enum fan_mikey_verdict verdict = fan_mikey_parse(&message, octets, octet_count);

	if (verdict != FAN_MIKEY_ACCEPTED)
		return verdict;
	switch (message.kind) {
	case FAN_MIKEY_MSK:
		return fan_mikey_read_msk(mikey, into, counter_next, &message, &user);
	case FAN_MIKEY_MTK:
		return fan_mikey_read_mtk(mikey, &found, into, &message);
	default:
		return fan_mikey_read_verification(mikey, &asked, &message, &user);
	}
}

/* Reads it and frees it. */
static enum fan_mikey_verdict
read_written(struct fan_mikey_group *into, uint32_t *counter_next, struct written message)
{
	const enum fan_mikey_verdict verdict = read_octets(into, counter_next, message.octets, message.octet_count);

	free(message.octets);
	return verdict;
}

static void
expect(enum fan_mikey_verdict found, enum fan_mikey_verdict wanted)
{
	cr_assert_eq(found, wanted, "%s, not %s", fan_mikey_verdict_name(found), fan_mikey_verdict_name(wanted));
}

/* ---- Vectors ----------------------------------------------------------------------------------------------------------- */

static const json_t *
named(const struct fan_vectors *vectors, const char *id)
{
	for (size_t i = 0; i < vectors->count; i++)
		if (strcmp(fan_vector_text(fan_vector_at(vectors, i), "id"), id) == 0)
			return fan_vector_at(vectors, i);
	cr_assert_fail("no vector %s", id);
	return NULL;
}

static uint16_t
bytes(const json_t *vector, uint8_t *octets, const char *field)
{
	return (uint16_t)fan_vector_bytes(vector, octets, field, FAN_MIKEY_BYTES_MAX);
}

Test(mikey, takes_every_published_message_apart)
{
	struct fan_vectors vectors = fan_vectors_load("MIKEY_MBMS.json");
	unsigned of_kind[3] = { 0 };

	for (size_t i = 0; i < vectors.count; i++) {
		const json_t *vector = fan_vector_at(&vectors, i);
		const char *id = fan_vector_text(vector, "id");
		uint8_t octets[FAN_MIKEY_BYTES_MAX];
		const uint16_t octet_count = bytes(vector, octets, "message");
		struct fan_mikey_message message;

		cr_assert_eq(fan_mikey_parse(&message, octets, octet_count), FAN_MIKEY_ACCEPTED, "%s", id);
		cr_assert_eq(message.kind,
			     strstr(id, "verification") ? FAN_MIKEY_VERIFICATION
			     : strstr(id, "mtk")        ? FAN_MIKEY_MTK
							: FAN_MIKEY_MSK,
			     "%s", id);
		cr_assert(message.head.csb_id == 0xaaaabbbb || message.head.csb_id == 0xc0ffee01, "%s", id);
		of_kind[message.kind]++;
	}
	cr_assert(of_kind[FAN_MIKEY_MSK] == 4 && of_kind[FAN_MIKEY_MTK] == 4 && of_kind[FAN_MIKEY_VERIFICATION] == 1);
	fan_vectors_free(&vectors);
}

Test(mikey, reads_what_a_cards_message_says)
{
	struct fan_vectors vectors = fan_vectors_load("MIKEY_MBMS.json");
	uint8_t octets[FAN_MIKEY_BYTES_MAX];
	const uint16_t octet_count = bytes(named(&vectors, "mikey-mbms-msk-eastcompeace-v"), octets, "message");
	struct fan_mikey_message message;

	cr_assert_eq(fan_mikey_parse(&message, octets, octet_count), FAN_MIKEY_ACCEPTED);
	cr_assert(message.head.verify && message.head.counter == 1 && message.msk_id == 0x000a000a);
	cr_assert(message.head.domain[0] == 0 && message.head.domain[2] == 0x0a && message.encrypted_bytes == 30);
	cr_assert(message.idi.byte_count == 13 && memcmp(message.idi.text, "192.168.10.70", 13) == 0);
	cr_assert(message.idr.byte_count == 40 &&
		  memcmp(message.idr.text, "fMpi1DFM3DqkMwKS/JrWMA==@chinamobile.com", 40) == 0);
	fan_vectors_free(&vectors);
}

Test(mikey, opens_the_published_mtk_message)
{
	struct fan_vectors vectors = fan_vectors_load("MIKEY_MBMS.json");
	const json_t *vector = named(&vectors, "mikey-mbms-mtk-gemalto");
	uint8_t octets[FAN_MIKEY_BYTES_MAX], wanted[FAN_MIKEY_BYTES_MAX];
	const uint16_t octet_count = bytes(vector, octets, "message");
	struct fan_mikey_group cards = { .domain = { 0xaa, 0xaa, 0xaa }, .group = 0xa1a2, .held_count = 1 };
	struct fan_mikey_message message;
	struct fan_mikey_mtk found;

	cards.held[0].msk = (struct fan_mikey_msk){ .id = 0xa1a2a3a4, .mtk_last = UINT32_MAX };
	(void)bytes(vector, cards.held[0].msk.key, "msk");
	(void)bytes(vector, wanted, "mtk");
	cr_assert_eq(fan_mikey_parse(&message, octets, octet_count), FAN_MIKEY_ACCEPTED);
	expect(fan_mikey_read_mtk(mikey, &found, &cards, &message), FAN_MIKEY_ACCEPTED);
	cr_assert(found.id == 0x011015af && !found.has_salt);
	cr_assert_arr_eq(found.key, wanted, FAN_MIKEY_KEY_BYTES);
	fan_vectors_free(&vectors);
}

struct own {
	struct fan_mikey_user user;
	struct fan_mikey_head head;
	struct fan_mikey_msk msk;
	struct fan_mikey_group group;
};

static struct own
read_own(const struct fan_vectors *vectors)
{
	const json_t *vector = named(vectors, "mikey-mbms-msk-own-1");
	struct own own = { .user = user, .head = head(1), .group = group(), .msk = { .id = 0x00010001, .mtk_last = 0xffff } };

	(void)bytes(vector, own.user.muk, "muk");
	(void)bytes(vector, own.head.rand, "rand");
	(void)bytes(vector, own.msk.key, "msk");
	return own;
}

Test(mikey, writes_the_messages_that_were_computed_elsewhere_octet_for_octet)
{
	struct fan_vectors vectors = fan_vectors_load("MIKEY_MBMS.json");
	struct own own = read_own(&vectors);
	struct fan_mikey_mtk key = { .id = 1 };
	uint8_t octets[FAN_MIKEY_BYTES_MAX], wanted[FAN_MIKEY_BYTES_MAX];
	uint16_t wanted_bytes = bytes(named(&vectors, "mikey-mbms-msk-own-1"), wanted, "message");

	cr_assert_eq(fan_mikey_write_msk(mikey, octets, &own.head, &own.msk, &own.user), wanted_bytes);
	cr_assert_arr_eq(octets, wanted, wanted_bytes);
	wanted_bytes = bytes(named(&vectors, "mikey-mbms-msk-verification-own-1"), wanted, "message");
	cr_assert_eq(fan_mikey_write_verification(mikey, octets, &own.head, &own.user), wanted_bytes);
	cr_assert_arr_eq(octets, wanted, wanted_bytes);
	(void)bytes(named(&vectors, "mikey-mbms-mtk-own-1"), key.key, "mtk");
	wanted_bytes = bytes(named(&vectors, "mikey-mbms-mtk-own-1"), wanted, "message");
	cr_assert_eq(fan_mikey_write_mtk(mikey, octets, &own.head, &own.msk, &key), wanted_bytes);
	cr_assert_arr_eq(octets, wanted, wanted_bytes);
	fan_vectors_free(&vectors);
}

Test(mikey, opens_the_messages_that_were_computed_elsewhere)
{
	struct fan_vectors vectors = fan_vectors_load("MIKEY_MBMS.json");
	struct own own = read_own(&vectors);
	struct fan_mikey_message message;
	struct fan_mikey_mtk found;
	uint8_t octets[FAN_MIKEY_BYTES_MAX], wanted[FAN_MIKEY_BYTES_MAX];
	uint32_t counter_next = 0;
	uint16_t octet_count = bytes(named(&vectors, "mikey-mbms-msk-own-1"), octets, "message");

	cr_assert_eq(fan_mikey_parse(&message, octets, octet_count), FAN_MIKEY_ACCEPTED);
	expect(fan_mikey_read_msk(mikey, &own.group, &counter_next, &message, &own.user), FAN_MIKEY_ACCEPTED);
	cr_assert(counter_next == 2 && own.group.held_count == 1);
	cr_assert_arr_eq(own.group.held[0].msk.key, own.msk.key, FAN_MIKEY_KEY_BYTES);
	octet_count = bytes(named(&vectors, "mikey-mbms-mtk-own-1"), octets, "message");
	(void)bytes(named(&vectors, "mikey-mbms-mtk-own-1"), wanted, "mtk");
	cr_assert_eq(fan_mikey_parse(&message, octets, octet_count), FAN_MIKEY_ACCEPTED);
	expect(fan_mikey_read_mtk(mikey, &found, &own.group, &message), FAN_MIKEY_ACCEPTED);
	cr_assert_arr_eq(found.key, wanted, FAN_MIKEY_KEY_BYTES);
	octet_count = bytes(named(&vectors, "mikey-mbms-msk-verification-own-1"), octets, "message");
	cr_assert_eq(fan_mikey_parse(&message, octets, octet_count), FAN_MIKEY_ACCEPTED);
	expect(fan_mikey_read_verification(mikey, &own.head, &message, &own.user), FAN_MIKEY_ACCEPTED);
	fan_vectors_free(&vectors);
}

/* ---- What is written is read ------------------------------------------------------------------------------------------- */

/* For tests/e2e/mikey.sh, which names a file: each message with the key that it is under. */
static void
note(FILE *file, const char *kind, const uint8_t *key, size_t key_bytes, const struct written *message)
{
	if (file == NULL)
		return;
	(void)fprintf(file, "%s ", kind);
	for (size_t i = 0; i < key_bytes; i++)
		(void)fprintf(file, "%02x", key[i]);
	(void)fputc(' ', file);
	for (size_t i = 0; i < message->octet_count; i++)
		(void)fprintf(file, "%02x", message->octets[i]);
	(void)fputc('\n', file);
}

Test(mikey, an_msk_an_mtk_and_a_verification_are_read_as_they_were_written)
{
	struct written messages[] = { write_msk(1, &msk), write_mtk(1, &msk, 12), write_verification(1) };
	struct fan_mikey_group into = group();
	const char *path = getenv("FAN_MIKEY_MESSAGES");
	FILE *file = path == NULL ? NULL : fopen(path, "w");
	struct fan_mikey_message message;
	struct fan_mikey_mtk found;
	uint32_t counter_next = 0;

	note(file, "msk", user.muk, sizeof(user.muk), &messages[0]);
	note(file, "mtk", msk.key, sizeof(msk.key), &messages[1]);
	note(file, "verification", user.muk, sizeof(user.muk), &messages[2]);
	if (file != NULL)
		(void)fclose(file);
	expect(read_written(&into, &counter_next, messages[0]), FAN_MIKEY_ACCEPTED);
	cr_assert(into.held[0].msk.mtk_first == 10 && into.held[0].msk.mtk_last == 20 && into.held[0].msk.id == msk.id);
	cr_assert_eq(fan_mikey_parse(&message, messages[1].octets, messages[1].octet_count), FAN_MIKEY_ACCEPTED);
	cr_assert_not(message.head.verify, "a UE never answers an MTK message");
	expect(fan_mikey_read_mtk(mikey, &found, &into, &message), FAN_MIKEY_ACCEPTED);
	cr_assert(found.id == 12 && found.has_salt && memcmp(found.key, mtk.key, sizeof(mtk.key)) == 0);
	cr_assert_arr_eq(found.salt, mtk.salt, sizeof(mtk.salt));
	free(messages[1].octets);
	expect(read_written(NULL, NULL, messages[2]), FAN_MIKEY_ACCEPTED);
}

Test(mikey, an_mtk_goes_without_salt_too)
{
	const struct fan_mikey_mtk bare = { .id = 11, .key = "an MTK alone..." };
	const struct fan_mikey_head now = head(1);
	struct fan_mikey_group into = group();
	struct fan_mikey_message message;
	struct fan_mikey_mtk found;
	uint8_t octets[FAN_MIKEY_BYTES_MAX];
	uint32_t counter_next = 0;
	const int written = fan_mikey_write_mtk(mikey, octets, &now, &msk, &bare);

	expect(read_written(&into, &counter_next, write_msk(1, &msk)), FAN_MIKEY_ACCEPTED);
	cr_assert_eq(fan_mikey_parse(&message, octets, (size_t)written), FAN_MIKEY_ACCEPTED);
	expect(fan_mikey_read_mtk(mikey, &found, &into, &message), FAN_MIKEY_ACCEPTED);
	cr_assert(!found.has_salt && memcmp(found.key, bare.key, sizeof(bare.key)) == 0);
}

Test(mikey, an_identity_without_octets_or_with_too_many_and_an_mtk_id_of_17_bits_are_not_written)
{
	const struct fan_mikey_head now = head(1);
	struct fan_mikey_user other = user;
	struct fan_mikey_msk wide = msk;
	struct fan_mikey_mtk far = mtk;
	uint8_t octets[FAN_MIKEY_BYTES_MAX];

	other.idr.byte_count = 0;
	cr_assert_eq(fan_mikey_write_msk(mikey, octets, &now, &msk, &other), FAN_E_INVALID);
	cr_assert_eq(fan_mikey_write_verification(mikey, octets, &now, &other), FAN_E_INVALID);
	other.idr.byte_count = FAN_MIKEY_IDENTITY_BYTES_MAX + 1;
	cr_assert_eq(fan_mikey_write_msk(mikey, octets, &now, &msk, &other), FAN_E_INVALID);
	wide.mtk_last = far.id = UINT16_MAX + 1;
	cr_assert_eq(fan_mikey_write_msk(mikey, octets, &now, &wide, &user), FAN_E_INVALID);
	cr_assert_eq(fan_mikey_write_mtk(mikey, octets, &now, &msk, &far), FAN_E_INVALID);
}

Test(mikey, the_longest_message_fits_and_is_read)
{
	static const char long_name[FAN_MIKEY_IDENTITY_BYTES_MAX] = "x";
	const struct fan_mikey_head now = head(1);
	struct fan_mikey_user far = user;
	struct fan_mikey_group into = group();
	struct fan_mikey_message message;
	uint8_t octets[FAN_MIKEY_BYTES_MAX];
	uint32_t counter_next = 0;
	int written;

	far.idi = far.idr = (struct fan_mikey_identity){ long_name, sizeof(long_name) };
	written = fan_mikey_write_msk(mikey, octets, &now, &msk, &far);
	cr_assert(written > 0 && written <= FAN_MIKEY_BYTES_MAX);
	cr_assert_eq(fan_mikey_parse(&message, octets, (size_t)written), FAN_MIKEY_ACCEPTED);
	expect(fan_mikey_read_msk(mikey, &into, &counter_next, &message, &far), FAN_MIKEY_ACCEPTED);
}

/* ---- Refusals ---------------------------------------------------------------------------------------------------------- */

static bool
is_as_before(const struct fan_mikey_group *into, const struct fan_mikey_group *before)
{
	const struct fan_mikey_held *one = &into->held[0], *other = &before->held[0];

	return into->held_count == before->held_count && one->msk.id == other->msk.id &&
	       one->counter_next == other->counter_next && one->mtk_next == other->mtk_next &&
	       one->msk.mtk_first == other->msk.mtk_first && one->msk.mtk_last == other->msk.mtk_last &&
	       memcmp(one->msk.key, other->msk.key, FAN_MIKEY_KEY_BYTES) == 0;
}

static void
refuse_changes(struct written message)
{
	struct fan_mikey_group before = group();
	uint32_t counter_next = 0;

	expect(read_written(&before, &counter_next, write_msk(1, &msk)), FAN_MIKEY_ACCEPTED);
	for (size_t i = 0; i < 8 * message.octet_count; i++) {
		struct fan_mikey_group into = before;
		uint32_t next = 0;

		message.octets[i / 8] ^= (uint8_t)(1 << i % 8);
		cr_assert_neq(read_octets(&into, &next, message.octets, message.octet_count), FAN_MIKEY_ACCEPTED, "bit %zu", i);
		cr_assert(next == 0 && is_as_before(&into, &before), "bit %zu changed what is held", i);
		message.octets[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	free(message.octets);
}

Test(mikey, no_bit_of_a_message_can_be_changed)
{
	refuse_changes(write_msk(1, &msk));
	refuse_changes(write_mtk(1, &msk, 12));
	refuse_changes(write_verification(1));
}

/* Where no octet behind the last can be read. */
static const uint8_t *
at_the_edge(const uint8_t *octets, size_t octet_count)
{
	static uint8_t *page;
	const size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);

	if (page == NULL) {
		page = mmap(NULL, 2 * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		cr_assert(page != MAP_FAILED && mprotect(page + page_bytes, page_bytes, PROT_NONE) == 0);
	}
	return memcpy(page + page_bytes - octet_count, octets, octet_count);
}

static void
refuse_other_lengths(struct written message)
{
	struct fan_mikey_message parsed;

	for (size_t cut = 0; cut < message.octet_count; cut++)
		cr_assert_eq(fan_mikey_parse(&parsed, at_the_edge(message.octets, cut), cut), FAN_MIKEY_MALFORMED, "%zu octets",
			     cut);
	message.octets = realloc(message.octets, message.octet_count + 1);
	message.octets[message.octet_count] = 0;
	cr_assert_eq(fan_mikey_parse(&parsed, message.octets, message.octet_count + 1), FAN_MIKEY_MALFORMED);
	free(message.octets);
}

Test(mikey, a_message_that_is_cut_or_goes_on_is_refused)
{
	refuse_other_lengths(write_msk(1, &msk));
	refuse_other_lengths(write_mtk(1, &msk, 12));
	refuse_other_lengths(write_verification(1));
}

/* With the place of an octet, and what it may not be. */
Test(mikey, what_is_not_one_of_these_messages_is_refused_before_any_key_is_asked)
{
	static const struct {
		uint16_t at;
		uint8_t octet;
		const char *what;
	} rows[] = {
		{ 0, 2, "version" },
		{ 1, 2, "data type of another method" },
		{ 2, 5, "T before the ids" },
		{ 3, 1, "another PRF" },
		{ 8, 1, "a crypto session" },
		{ 9, 0, "SRTP's map" },
		{ 11, 4, "another extension" },
		{ 13, 12, "ids that end too late" },
		{ 14, 1, "an MSK ID where the domain stands" },
		{ 15, 4, "a domain of 4 octets" },
		{ 19, 2, "an MTK ID where the MSK ID stands" },
		{ 26, 0, "a time stamp that is a clock" },
		{ 32, 15, "a RAND of 15 octets" },
		{ 50, 1, "an identity that is a URI" },
		{ 51, 1, "an identity behind the end" },
	};
	struct written message = write_msk(1, &msk);

	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fan_mikey_message parsed;
		const uint8_t before = message.octets[rows[i].at];

		cr_assert_neq(before, rows[i].octet, "%s", rows[i].what);
		message.octets[rows[i].at] = rows[i].octet;
		cr_assert_eq(fan_mikey_parse(&parsed, message.octets, message.octet_count), FAN_MIKEY_MALFORMED, "%s",
			     rows[i].what);
		message.octets[rows[i].at] = before;
	}
	free(message.octets);
}

Test(mikey, an_old_time_under_a_muk_is_a_replay)
{
	struct fan_mikey_group into = group();
	struct fan_mikey_msk second = msk;
	uint32_t counter_next = 0;

	second.id++;
	expect(read_written(&into, &counter_next, write_msk(5, &msk)), FAN_MIKEY_ACCEPTED);
	expect(read_written(&into, &counter_next, write_msk(5, &msk)), FAN_MIKEY_REPLAY);
	expect(read_written(&into, &counter_next, write_msk(4, &second)), FAN_MIKEY_REPLAY);
	cr_assert_eq(into.held_count, 1);
	expect(read_written(&into, &counter_next, write_msk(UINT32_MAX, &second)), FAN_MIKEY_REPLAY);
	expect(read_written(&into, &counter_next, write_msk(6, &second)), FAN_MIKEY_ACCEPTED);
	cr_assert_eq(into.held_count, 2);
}

Test(mikey, an_old_time_or_an_old_mtk_under_an_msk_is_a_replay)
{
	struct fan_mikey_group into = group();
	uint32_t counter_next = 0;

	expect(read_written(&into, &counter_next, write_msk(1, &msk)), FAN_MIKEY_ACCEPTED);
	expect(read_written(&into, NULL, write_mtk(7, &msk, 12)), FAN_MIKEY_ACCEPTED);
	expect(read_written(&into, NULL, write_mtk(7, &msk, 12)), FAN_MIKEY_REPLAY);
	expect(read_written(&into, NULL, write_mtk(6, &msk, 13)), FAN_MIKEY_REPLAY);
	expect(read_written(&into, NULL, write_mtk(8, &msk, 12)), FAN_MIKEY_REPLAY);
	expect(read_written(&into, NULL, write_mtk(UINT32_MAX, &msk, 13)), FAN_MIKEY_REPLAY);
	expect(read_written(&into, NULL, write_mtk(8, &msk, 13)), FAN_MIKEY_ACCEPTED);
}

Test(mikey, an_msk_that_comes_again_does_not_let_old_mtks_in)
{
	struct fan_mikey_group into = group();
	uint32_t counter_next = 0;

	expect(read_written(&into, &counter_next, write_msk(1, &msk)), FAN_MIKEY_ACCEPTED);
	expect(read_written(&into, NULL, write_mtk(7, &msk, 12)), FAN_MIKEY_ACCEPTED);
	expect(read_written(&into, &counter_next, write_msk(2, &msk)), FAN_MIKEY_ACCEPTED);
	cr_assert_eq(into.held_count, 1);
	expect(read_written(&into, NULL, write_mtk(7, &msk, 13)), FAN_MIKEY_REPLAY);
	expect(read_written(&into, NULL, write_mtk(8, &msk, 12)), FAN_MIKEY_REPLAY);
}

Test(mikey, mtks_outside_the_interval_of_their_msk_are_refused)
{
	struct fan_mikey_group into = group();
	uint32_t counter_next = 0;

	expect(read_written(&into, &counter_next, write_msk(1, &msk)), FAN_MIKEY_ACCEPTED);
	expect(read_written(&into, NULL, write_mtk(1, &msk, 9)), FAN_MIKEY_OUT_OF_VALIDITY);
	expect(read_written(&into, NULL, write_mtk(2, &msk, 21)), FAN_MIKEY_OUT_OF_VALIDITY);
	expect(read_written(&into, NULL, write_mtk(3, &msk, 10)), FAN_MIKEY_ACCEPTED);
	expect(read_written(&into, NULL, write_mtk(4, &msk, 20)), FAN_MIKEY_ACCEPTED);
}

Test(mikey, a_third_msk_is_refused_until_one_of_two_is_used_no_more)
{
	struct fan_mikey_group into = group();
	struct fan_mikey_msk second = msk, third = msk;
	uint32_t counter_next = 0;

	second.id += 1;
	third.id += 2;
	expect(read_written(&into, &counter_next, write_msk(1, &msk)), FAN_MIKEY_ACCEPTED);
	expect(read_written(&into, &counter_next, write_msk(2, &second)), FAN_MIKEY_ACCEPTED);
	expect(read_written(&into, &counter_next, write_msk(3, &third)), FAN_MIKEY_THIRD_MSK);
	cr_assert_eq(counter_next, 3, "what was refused may come again");
	second.mtk_first = second.mtk_last + 1;
	expect(read_written(&into, &counter_next, write_msk(4, &second)), FAN_MIKEY_ACCEPTED);
	expect(read_written(&into, NULL, write_mtk(1, &second, 12)), FAN_MIKEY_OUT_OF_VALIDITY);
	expect(read_written(&into, &counter_next, write_msk(5, &third)), FAN_MIKEY_ACCEPTED);
	expect(read_written(&into, NULL, write_mtk(1, &second, 12)), FAN_MIKEY_UNKNOWN_MSK);
	expect(read_written(&into, NULL, write_mtk(1, &third, 12)), FAN_MIKEY_ACCEPTED);
}

Test(mikey, messages_of_another_domain_group_or_pair_of_names_are_refused)
{
	struct fan_mikey_group into = group(), other = group();
	struct fan_mikey_user stranger = user;
	struct fan_mikey_message message;
	uint32_t counter_next = 0;
	struct written sent = write_msk(1, &msk), key = write_mtk(1, &msk, 12);

	other.domain[2] ^= 1;
	expect(read_octets(&other, &counter_next, sent.octets, sent.octet_count), FAN_MIKEY_WRONG_NAME);
	expect(read_octets(&other, NULL, key.octets, key.octet_count), FAN_MIKEY_WRONG_NAME);
	other = group();
	other.group = 2;
	expect(read_octets(&other, &counter_next, sent.octets, sent.octet_count), FAN_MIKEY_WRONG_NAME);
	expect(read_octets(&other, NULL, key.octets, key.octet_count), FAN_MIKEY_WRONG_NAME);
	expect(read_octets(&into, NULL, key.octets, key.octet_count), FAN_MIKEY_UNKNOWN_MSK);
	stranger.idr.byte_count--;
	cr_assert_eq(fan_mikey_parse(&message, sent.octets, sent.octet_count), FAN_MIKEY_ACCEPTED);
	expect(fan_mikey_read_msk(mikey, &into, &counter_next, &message, &stranger), FAN_MIKEY_WRONG_NAME);
	stranger = user;
	stranger.muk[31] ^= 1;
	expect(fan_mikey_read_msk(mikey, &into, &counter_next, &message, &stranger), FAN_MIKEY_WRONG_MAC);
	cr_assert(into.held_count == 0 && counter_next == 0);
	free(sent.octets);
	free(key.octets);
}

Test(mikey, a_verification_of_another_message_is_refused)
{
	struct written of_another = write_verification(2);

	expect(read_written(NULL, NULL, of_another), FAN_MIKEY_WRONG_NAME);
}

/* ---- Keys -------------------------------------------------------------------------------------------------------------- */

static struct written for_stack;

static void
read_on_this_stack(void *unused)
{
	static struct fan_mikey_group into;
	uint32_t counter_next = 0;

	(void)unused;
	into = group();
	(void)read_octets(&into, &counter_next, for_stack.octets, for_stack.octet_count);
}

static void
write_on_this_stack(void *unused)
{
	static uint8_t octets[FAN_MIKEY_BYTES_MAX];
	const struct fan_mikey_head now = head(1);

	(void)unused;
	(void)fan_mikey_write_msk(mikey, octets, &now, &msk, &user);
}

Test(mikey, no_msk_stays_on_the_stack)
{
	for_stack = write_msk(1, &msk);
	cr_assert_not(fan_test_left_on_stack(read_on_this_stack, NULL, msk.key, sizeof(msk.key)));
	cr_assert_not(fan_test_left_on_stack(write_on_this_stack, NULL, msk.key, sizeof(msk.key)));
	free(for_stack.octets);
}

Test(mikey, what_is_forgotten_is_wiped)
{
	static const struct fan_mikey_held nothing;
	struct fan_mikey_group into = group();
	uint32_t counter_next = 0;

	expect(read_written(&into, &counter_next, write_msk(1, &msk)), FAN_MIKEY_ACCEPTED);
	fan_mikey_forget(&into);
	cr_assert(into.held_count == 0 && memcmp(&into.held[0], &nothing, sizeof(nothing)) == 0);
}
