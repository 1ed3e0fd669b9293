/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "../host-api/store/record.h"
#include "../host-api/store/seal.h"
#include "../host-api/store/store.h"
#include "batch.h"
#include "residue.h"
#include "store_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Records are large, and tests hold several at a time. */
#pragma GCC diagnostic ignored "-Wframe-larger-than="

TestSuite(store, .init = fan_test_store_set_up, .fini = fan_test_store_tear_down);

static int
try_open(struct fan_store **store)
{
	return fan_store_open(store, &(struct fan_store_options){ .directory = fan_test_store.directory,
								  .key_file = fan_test_store.key });
}

static void
refused(int error, int expected, const char *part)
{
	cr_assert_eq(error, expected, "%s instead of %s: %s", fan_error_name(error), fan_error_name(expected),
		     fan_error_detail());
	cr_assert_not_null(strstr(fan_error_detail(), part), "\"%s\" is not in: %s", part, fan_error_detail());
}

static bool is_child; /* a process of the test's own, which the test runner does not know */

static void
check(bool right, const char *what, uint32_t number)
{
	if (right)
		return;
	if (is_child)
		_exit(9);
	cr_assert_fail("%s %u: %s", what, number, fan_error_detail());
}

static void
done(int error)
{
	check(error == 0, "error", (uint32_t)-error);
}

static struct fan_store *
open_store(void)
{
	struct fan_store *store;

	done(fan_store_open(&store, &(struct fan_store_options){ .directory = fan_test_store.directory,
								 .key_file = fan_test_store.key,
								 .create = true }));
	return store;
}

/* ---- Records ----------------------------------------------------------------------------------------------------------------- */

static const struct fan_protection nas = { .kind = FAN_KIND_EPS_NAS, .cipher = 2, .integrity = 2, .bearer_id = 5 };
static const char gid[] = "valley@flood.example";
static uint8_t long_text[9000];

static struct fan_policy
sample_policy(uint32_t number)
{
	struct fan_policy policy;

	fan_policy_init(&policy);
	policy.radios = 3;
	policy.open = true;
	policy.broadcast_id = 0xa123;
	memcpy(policy.plmn, "\x62\xf2\x20", 3);
	policy.period_s = 0x10203;
	policy.broadcasts = 0x405;
	for (unsigned radio = 0; radio < FAN_RADIO_COUNT; radio++) {
		policy.area_count[radio] = (uint16_t)(radio == FAN_RADIO_LTE ? number % 5 : FAN_POLICY_AREAS_MAX);
		for (unsigned i = 0; i < policy.area_count[radio]; i++)
			policy.areas[radio][i] = 1000 * radio + i + 1;
	}
	return policy;
}

/* Every field of a record of each kind differs from 0 and from its neighbours; `number` makes it another. */
static struct fan_record
sample(enum fan_record_kind kind, uint32_t number)
{
	struct fan_record record = { .kind = kind };
	struct fan_ue *const ue = &record.ue.ue;

	switch (kind) {
	case FAN_RECORD_NEXT_HOP:
		record.next_hop = (struct fan_record_next_hop){ .index = (uint16_t)number,
								.ethernet = { 2, 3 },
								.address = { 10, 9, 8, 7 } };
		break;
	case FAN_RECORD_UE:
		record.ue.table = nas;
		record.ue.slot = number;
		(void)snprintf(record.ue.identity, sizeof(record.ue.identity), "%015u", number);
		record.ue.capabilities = 0x01020304;
		if (number % 2 == 1)
			record.ue.messages_before = UINT64_C(0x0102030405060708);
		record.ue.reachable = true;
		fan_ue_init(ue, FAN_KIND_EPS_NAS);
		ue->cipher = 2;
		ue->integrity = 2;
		ue->emergency = true;
		memcpy(ue->k_enc, "cipher-key-of-UE", FAN_KEY_BYTES);
		memcpy(ue->k_int, "integrity-key-UE", FAN_KEY_BYTES);
		ue->count_reserved = 0x10000 + number;
		ue->bearer = 7;
		ue->next_hop = 0x0506;
		ue->ue = number * 3;
		ue->teid = 0x11223344;
		memcpy(ue->ipv4, "\x64\x40\x01\x02", 4);
		ue->nru_sn = 0x55667788;
		ue->mme_ue_id = UINT64_C(0x8000000000 + 5);
		ue->ran_ue_id = 0x99aabb;
		ue->bearer_id = 5;
		ue->transaction = 3;
		ue->rp_reference = 200;
		ue->transactions_open = 2;
		ue->lease_until_ms = INT64_C(1800000000123);
		ue->uplink_teid = 0x55667799;
		/* What came with version 5, in some. */
		if (number % 3 == 2) {
			memcpy(ue->plmn, "\x62\xf2\x10", 3);
			ue->area = 0x123456;
			ue->broadcast_id = 0xa123;
		}
		if (number % 8 == 7) {
			(void)snprintf(record.ue.b_tid, sizeof(record.ue.b_tid), "%022u==@bsf.example.org", number);
			ue->udp_port = 0x1234;
		}
		break;
	case FAN_RECORD_GROUP:
		(void)snprintf(record.group.gid, sizeof(record.group.gid), "%s%u", gid, number);
		if (number % 3 == 1)
			record.group.policy = sample_policy(number);
		if (number % 4 == 1) {
			record.group.gki = 7;
			record.group.gki_used[0] = 0x80;
			record.group.count_reserved = UINT64_C(1) << 32;
		}
		break;
	case FAN_RECORD_MEMBERS:
		(void)snprintf(record.members.gid, sizeof(record.members.gid), "%s%u", gid, number);
		record.members.table = nas;
		record.members.profile = FAN_PROFILE_EPS_NAS_SMS;
		record.members.first_slot = number * FAN_MEMBERS_CONTEXTS;
		memset(record.members.member, 0x5a, sizeof(record.members.member));
		break;
	case FAN_RECORD_MESSAGE:
		record.message.id = UINT64_C(0x100000000) + number;
		(void)snprintf(record.message.gid, sizeof(record.message.gid), "%s", gid);
		record.message.accepted_ms = 1700000000000 + number;
		record.message.expires_ms = 1700000060000;
		memset(long_text, 'x', sizeof(long_text));
		fan_message_init(&record.message.message, long_text, 1 + number * 700 % sizeof(long_text));
		record.message.message.priority = 6;
		record.message.message.coding = FAN_CODING_UCS2;
		record.message.message.originator = "+49123";
		record.message.message.service_centre = "+49170";
		record.message.message.device_trigger = true;
		record.message.message.application_port = 4711;
		record.message.message.timestamp_s = 1700000001;
		record.message.message.raw = true;
		record.message.message.sdap_qfi = 9;
		memcpy(record.message.message.source_ipv4, "\xc0\0\x02\x05", 4);
		record.message.message.source_port = 4712;
		record.message.message.destination_port = 4713;
		/* What came with version 2, in some: the others are as version 1 wrote them. */
		if (number % 2 == 1)
			record.message.message.reference = "order 4711/a";
		if (number % 4 >= 2 && number > 4) {
			memset(record.message.gid, 0, sizeof(record.message.gid));
			memcpy(record.message.recipient.identity, "meter@example.org", 17);
			record.message.recipient.table = nas;
			record.message.recipient.slot = 0x01020304;
			record.message.recipient.profile = FAN_PROFILE_EPS_NAS_SMS;
		}
		break;
	case FAN_RECORD_OUTCOME:
		record.outcome = (struct fan_record_outcome){ .id = number, .state = FAN_MESSAGE_SENDING, .position = 77 };
		record.outcome.ended_ms = 78;
		record.outcome.resumed = 79;
		record.outcome.in_doubt = 80;
		record.outcome.ues = 81;
		record.outcome.served_kept = number % 2 == 1;
		if (number % 3 == 1) {
			record.outcome.way_ues[FAN_WAY_BROADCAST_LTE] = 82;
			record.outcome.way_ues[FAN_WAYS_MAX - 1] = 83;
		}
		for (unsigned i = 0; i < FAN_PROFILE_COUNT; i++)
			record.outcome.profile[i] = (struct fan_result){ .ues = i,
									 .created = 2,
									 .sent = 3,
									 .bytes_out = 4,
									 .first_ns = 5,
									 .last_ns = 6,
									 .dropped = { 7, 8 } };
		break;
	case FAN_RECORD_UNSERVED:
		record.unserved.id = number;
		record.unserved.table = nas;
		record.unserved.profile = FAN_PROFILE_5GS_NAS_SMS;
		record.unserved.reason = number % 4 == 1   ? FAN_DROP_WINDOW
					 : number % 4 == 2 ? FAN_UNSERVED_PUT_OFF
					 : number % 4 == 3 ? FAN_UNSERVED_WAYS + FAN_WAY_BROADCAST_NR
							   : FAN_DROP_NONE;
		record.unserved.first_slot = 3 * FAN_UNSERVED_CONTEXTS;
		record.unserved.bitmap = (const uint8_t *)"a set of slots";
		record.unserved.bitmap_bytes = 14;
		break;
	case FAN_RECORD_CHECKPOINT:
		record.checkpoint.table = nas;
		record.checkpoint.block = number;
		for (unsigned i = 0; i < FAN_BLOCK_CONTEXTS; i++) {
			record.checkpoint.count[i] = number * 1000 + i;
			record.checkpoint.unacknowledged[i] = (uint16_t)i;
			record.checkpoint.transaction[i] = (uint8_t)(i % 7);
			record.checkpoint.rp_reference[i] = (uint8_t)(i + number);
		}
		break;
	case FAN_RECORD_MARKS:
		record.marks.table = nas;
		record.marks.first_block = number * FAN_MARKS_BLOCKS;
		for (unsigned i = 0; i < FAN_MARKS_BLOCKS; i++)
			record.marks.mark[i] = (uint8_t)(i % (FAN_MARK_MAX + 1));
		break;
	case FAN_RECORD_GROUP_KEY:
		(void)snprintf(record.group_key.gid, sizeof(record.group_key.gid), "%s%u", gid, number);
		record.group_key.gki = (uint8_t)number;
		record.group_key.cipher = 1;
		record.group_key.integrity = 2;
		record.group_key.tag_bytes = 8;
		record.group_key.is_signed = true;
		record.group_key.is_imported = true;
		record.group_key.has_session = true;
		memcpy(record.group_key.service_id, "abc", 3);
		memcpy(record.group_key.plmn, "def", 3);
		memcpy(record.group_key.key_group, "gh", 2);
		record.group_key.rekey_on_removal = true;
		record.group_key.is_due = true;
		record.group_key.to_send = 3;
		record.group_key.duration_min = 0x1234;
		record.group_key.start_s = INT64_C(1800000000);
		record.group_key.overlap_s = 0x23456789;
		record.group_key.has_previous = true;
		record.group_key.previous_gki = 200;
		record.group_key.previous_end_s = INT64_C(1800000600);
		record.group_key.rotations = UINT64_C(1) << 40;
		memcpy(record.group_key.secret.master, "master-key-of-group-master-key-o", 32);
		memcpy(record.group_key.secret.signer, "secret-of-sender-secret-of-sende", 32);
		memcpy(record.group_key.secret.k_integ, "Gk_integ-of-node", FAN_KEY_BYTES);
		memcpy(record.group_key.secret.k_conf, "Gk_conf-of-node-", FAN_KEY_BYTES);
		break;
	case FAN_RECORD_KEY_OCTETS:
		record.key_octets.id = number;
		record.key_octets.octet_count = (uint16_t)(34 + number);
		memset(record.key_octets.octets, 'K', record.key_octets.octet_count);
		break;
	case FAN_RECORD_SPENT_KEY:
		record.spent_key.fingerprint[0] = (uint8_t)(number >> 8);
		record.spent_key.fingerprint[1] = (uint8_t)number;
		record.spent_key.gki_used[5] = 0x81;
		break;
	case FAN_RECORD_KINDS:
		break;
	}
	return record;
}

static bool
same_text(const char *left, const char *right)
{
	return left == right || (left != NULL && right != NULL && strcmp(left, right) == 0);
}

/* Records are made from zeros, gaps included. */
static bool
same_octets(const void *left, const void *right)
{
	return memcmp(left, right, sizeof(struct fan_record)) == 0;
}

/* By all octets; only a message points elsewhere. */
static bool
same(const struct fan_record *left, const struct fan_record *right)
{
	struct fan_record one = *left, other = *right;
	struct fan_message *const a = &one.message.message, *const b = &other.message.message;

	if (left->kind == FAN_RECORD_UNSERVED) {
		if (one.unserved.bitmap_bytes != other.unserved.bitmap_bytes ||
		    memcmp(one.unserved.bitmap, other.unserved.bitmap, one.unserved.bitmap_bytes) != 0)
			return false;
		one.unserved.bitmap = other.unserved.bitmap = NULL;
		return same_octets(&one, &other);
	}
	if (left->kind != FAN_RECORD_MESSAGE)
		return same_octets(left, right);
	if (a->byte_count != b->byte_count || memcmp(a->bytes, b->bytes, a->byte_count) != 0 ||
	    !same_text(a->originator, b->originator) || !same_text(a->service_centre, b->service_centre) ||
	    !same_text(a->reference, b->reference))
		return false;
	a->bytes = b->bytes = NULL;
	a->originator = b->originator = a->service_centre = b->service_centre = a->reference = b->reference = NULL;
	return same_octets(&one, &other);
}

static void
put(struct fan_store *store, const struct fan_record *record)
{
	done(fan_store_put(store, record));
}

/* In: the key of a sample. */
static struct fan_record
key_of(enum fan_record_kind kind, uint32_t number)
{
	const struct fan_record full = sample(kind, number);
	struct fan_record key = { .kind = kind };

	if (kind == FAN_RECORD_UE) {
		key.ue.table = full.ue.table;
		key.ue.slot = full.ue.slot;
	} else if (kind == FAN_RECORD_MEMBERS) {
		key.members = full.members;
		memset(key.members.member, 0, sizeof(key.members.member));
	} else if (kind == FAN_RECORD_GROUP) {
		memcpy(key.group.gid, full.group.gid, sizeof(key.group.gid));
	} else if (kind == FAN_RECORD_GROUP_KEY) {
		memcpy(key.group_key.gid, full.group_key.gid, sizeof(key.group_key.gid));
	} else if (kind == FAN_RECORD_SPENT_KEY) {
		memcpy(key.spent_key.fingerprint, full.spent_key.fingerprint, sizeof(key.spent_key.fingerprint));
	} else if (kind == FAN_RECORD_UNSERVED) {
		key.unserved = full.unserved;
		key.unserved.bitmap = NULL;
		key.unserved.bitmap_bytes = 0;
	} else {
		/* What is left begins with its key of at most 8 octets. */
		memcpy(&key.next_hop, &full.next_hop, kind == FAN_RECORD_NEXT_HOP ? sizeof(uint16_t) : 8);
	}
	return key;
}

static void
expect(struct fan_store *store, enum fan_record_kind kind, uint32_t number)
{
	const struct fan_record wanted = sample(kind, number);
	struct fan_record found = key_of(kind, number);

	done(fan_store_get(store, &found));
	cr_assert(same(&found, &wanted), "kind %d, number %u", kind, number);
}

static int
tell(void *user, const struct fan_record *record)
{
	uint32_t *const number = user;
	const struct fan_record wanted = sample(record->kind, *number);

	cr_assert(same(record, &wanted), "kind %d, number %u", record->kind, *number);
	++*number;
	return 0;
}

#define EACH 40

static void
fill(struct fan_store *store, unsigned each)
{
	done(fan_store_begin(store));
	for (unsigned kind = 0; kind < FAN_RECORD_KINDS; kind++)
		for (uint32_t i = 0; i < each; i++) {
			const struct fan_record record = sample(kind, i);

			put(store, &record);
		}
	done(fan_store_commit(store));
}

Test(store, gives_back_every_field_of_every_kind)
{
	struct fan_store *store = open_store();

	fill(store, 9);
	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned kind = 0; kind < FAN_RECORD_KINDS; kind++) {
			uint32_t told = 0;

			expect(store, kind, 8);
			done(fan_store_each(store, kind, tell, &told));
			cr_assert_eq(told, 9, "kind %u", kind);
		}
		fan_store_close(store);
		store = open_store();
	}
	fan_store_close(store);
}

/* In any order, records that are not there among them. */
Test(store, reads_the_same_in_one_go)
{
	struct fan_store *store = open_store();
	struct fan_record none = key_of(FAN_RECORD_UE, EACH);

	fill(store, EACH);
	done(fan_store_read_begin(store));
	refused(fan_store_begin(store), FAN_E_BUSY, "being read");
	for (unsigned kind = 0; kind < FAN_RECORD_KINDS; kind++)
		for (uint32_t i = 0; i < EACH; i++)
			expect(store, kind, i * 7 % EACH);
	refused(fan_store_get(store, &none), FAN_E_NOT_FOUND, "no such record");
	expect(store, FAN_RECORD_UE, EACH - 1);
	fan_store_read_end(store);
	fan_store_read_end(store);
	done(fan_store_begin(store));
	done(fan_store_read_begin(store));
	put(store, &(struct fan_record){ .kind = FAN_RECORD_GROUP, .group.gid = "a@b" });
	fan_store_read_end(store);
	done(fan_store_commit(store));
	done(fan_store_read_begin(store));
	expect(store, FAN_RECORD_UE, 1);
	fan_store_close(store);
}

/* Against an array: puts, replacements and deletions in any order, in transactions of which some are dropped. */
Test(store, puts_and_deletes_as_an_array_does)
{
	enum { MODEL = 600 };
	struct fan_test_random random = fan_test_random_from_environment();
	static uint32_t committed[MODEL], model[MODEL];
	struct fan_store *store = open_store();

	for (unsigned round = 0; round < 60; round++) {
		memcpy(model, committed, sizeof(model));
		done(fan_store_begin(store));
		for (unsigned i = 0; i < 100; i++) {
			const uint32_t slot = fan_test_random_below(&random, MODEL);
			struct fan_record record = sample(FAN_RECORD_UE, slot);

			if (fan_test_random_below(&random, 3) == 0) {
				cr_assert_eq(fan_store_delete(store, &record), model[slot] != 0 ? 0 : FAN_E_NOT_FOUND);
				model[slot] = 0;
			} else {
				record.ue.capabilities = model[slot] = 1 + round;
				put(store, &record);
			}
		}
		if (fan_test_random_below(&random, 4) == 0) {
			fan_store_abort(store);
		} else {
			done(fan_store_commit(store));
			memcpy(committed, model, sizeof(model));
		}
		if (round % 10 == 0) {
			fan_store_close(store);
			store = open_store();
		}
		for (uint32_t slot = 0; slot < MODEL; slot++) {
			struct fan_record record = key_of(FAN_RECORD_UE, slot);

			cr_assert_eq(fan_store_get(store, &record), committed[slot] != 0 ? 0 : FAN_E_NOT_FOUND);
			cr_assert(committed[slot] == 0 || record.ue.capabilities == committed[slot]);
		}
	}
	fan_store_close(store);
}

static int
begin_inside(void *user, const struct fan_record *record)
{
	struct fan_record key = key_of(FAN_RECORD_OUTCOME, 0);

	refused(fan_store_begin(user), FAN_E_BUSY, "being read");
	refused(fan_store_put(user, record), FAN_E_BUSY, "being read");
	refused(fan_store_commit(user), FAN_E_BUSY, "being read");
	done(fan_store_get(user, &key));
	return record->next_hop.index == 1 ? -77 : 0;
}

Test(store, has_one_transaction_and_none_in_a_callback)
{
	struct fan_store *store = open_store();
	struct fan_record record = sample(FAN_RECORD_MARKS, 0);

	refused(fan_store_put(store, &record), FAN_E_INVALID, "fan_store_begin");
	refused(fan_store_delete(store, &record), FAN_E_INVALID, "fan_store_begin");
	refused(fan_store_commit(store), FAN_E_INVALID, "fan_store_begin");
	fan_store_abort(store);
	fill(store, 3);
	done(fan_store_begin(store));
	refused(fan_store_begin(store), FAN_E_BUSY, "has begun");
	refused(fan_store_rotate_key(store, fan_test_store.key), FAN_E_BUSY, "has begun");
	done(fan_store_delete(store, &record));
	refused(fan_store_get(store, &record), FAN_E_NOT_FOUND, "marks");
	fan_store_abort(store);
	done(fan_store_get(store, &record));
	cr_assert_eq(fan_store_each(store, FAN_RECORD_NEXT_HOP, begin_inside, store), -77);
	refused(fan_store_each(store, FAN_RECORD_KINDS, begin_inside, store), FAN_E_INVALID, "0 to 11");
	fan_store_close(store);
}

Test(store, deletes_members_with_their_group_and_no_others)
{
	struct fan_store *store = open_store();
	struct fan_record group = sample(FAN_RECORD_GROUP, 1), members = sample(FAN_RECORD_MEMBERS, 1);

	fill(store, 12); /* "...example1" begins "...example10" */
	done(fan_store_begin(store));
	members.members.first_slot = 7 * FAN_MEMBERS_CONTEXTS;
	put(store, &members);
	done(fan_store_delete(store, &group));
	done(fan_store_commit(store));
	fan_store_close(store);
	store = open_store();
	refused(fan_store_get(store, &members), FAN_E_NOT_FOUND, "members");
	members = key_of(FAN_RECORD_MEMBERS, 1);
	refused(fan_store_get(store, &members), FAN_E_NOT_FOUND, "members");
	expect(store, FAN_RECORD_MEMBERS, 0);
	expect(store, FAN_RECORD_MEMBERS, 10);
	expect(store, FAN_RECORD_MEMBERS, 11);
	fan_store_close(store);
}

static const struct identity_row {
	const char *identity;
	bool taken;
} identity_rows[] = {
	{ "00101", true },
	{ "001010123456789", true },
	{ "meter-7@grid.example", true },
	{ "a@b", true },
	{ "", false },
	{ "0010", false },
	{ "0010101234567890", false },
	{ "00101012345678x", false },
	{ "@grid.example", false },
	{ "meter@", false },
	{ "a@b@c", false },
	{ "a b@c", false },
	{ "a\xff@c", false },
};

Test(store, takes_identities_of_the_two_forms)
{
	struct fan_store *store = open_store();
	struct fan_record record = sample(FAN_RECORD_UE, 1);

	done(fan_store_begin(store));
	for (size_t i = 0; i < sizeof(identity_rows) / sizeof(*identity_rows); i++) {
		(void)snprintf(record.ue.identity, sizeof(record.ue.identity), "%s", identity_rows[i].identity);
		cr_assert_eq(fan_store_put(store, &record), identity_rows[i].taken ? 0 : FAN_E_INVALID, "\"%s\"",
			     identity_rows[i].identity);
	}
	memset(record.ue.identity, '1', sizeof(record.ue.identity));
	refused(fan_store_put(store, &record), FAN_E_INVALID, "127");
	fan_store_close(store);
}

static const struct wrong_row {
	enum fan_record_kind kind;
	size_t offset; /* in struct fan_record, of an octet */
	uint8_t octet;
	const char *part;
} wrong_rows[] = {
	{ FAN_RECORD_UE, offsetof(struct fan_record, ue.table.kind), FAN_KIND_COUNT, "another protection" },
	{ FAN_RECORD_UE, offsetof(struct fan_record, ue.ue.cipher), 1, "another protection" },
	{ FAN_RECORD_UE, offsetof(struct fan_record, ue.table.bearer_id), 4, "bearer identity" },
	{ FAN_RECORD_UE, offsetof(struct fan_record, ue.ue.struct_bytes), 1, "fan_ue_init" },
	{ FAN_RECORD_GROUP, offsetof(struct fan_record, group.gid), 0, "GID" },
	{ FAN_RECORD_MEMBERS, offsetof(struct fan_record, members.gid), 0, "GID" },
	{ FAN_RECORD_MEMBERS, offsetof(struct fan_record, members.profile), FAN_PROFILE_COUNT, "profile" },
	{ FAN_RECORD_MEMBERS, offsetof(struct fan_record, members.first_slot), 1, "first_slot" },
	{ FAN_RECORD_MESSAGE, offsetof(struct fan_record, message.gid), 0, "GID" },
	{ FAN_RECORD_MESSAGE, offsetof(struct fan_record, message.message.struct_bytes), 1, "fan_message_init" },
	{ FAN_RECORD_MESSAGE, offsetof(struct fan_record, message.recipient.identity), 'x', "for a group, or for one UE" },
	{ FAN_RECORD_OUTCOME, offsetof(struct fan_record, outcome.state), FAN_MESSAGE_STATES, "state" },
	{ FAN_RECORD_UNSERVED, offsetof(struct fan_record, unserved.profile), FAN_PROFILE_COUNT, "profile" },
	{ FAN_RECORD_UNSERVED, offsetof(struct fan_record, unserved.reason), FAN_DROP_COUNT, "reason" },
	{ FAN_RECORD_UNSERVED, offsetof(struct fan_record, unserved.first_slot), 1, "first_slot" },
	{ FAN_RECORD_MARKS, offsetof(struct fan_record, marks.first_block), 255, "first_block" },
	{ FAN_RECORD_MARKS, offsetof(struct fan_record, marks.mark[1023]), FAN_MARK_MAX + 1, "mark 17" },
	{ FAN_RECORD_NEXT_HOP, offsetof(struct fan_record, kind), FAN_RECORD_KINDS, "kind of record" },
};

Test(store, refuses_what_is_out_of_range_and_goes_on)
{
	struct fan_store *store = open_store();
	struct fan_record record;

	done(fan_store_begin(store));
	for (size_t i = 0; i < sizeof(wrong_rows) / sizeof(*wrong_rows); i++) {
		record = sample(wrong_rows[i].kind, 0);
		((uint8_t *)&record)[wrong_rows[i].offset] = wrong_rows[i].octet;
		refused(fan_store_put(store, &record), FAN_E_INVALID, wrong_rows[i].part);
	}
	record = sample(FAN_RECORD_MESSAGE, 0);
	record.message.message.byte_count = FAN_STORED_BYTES_MAX + 1;
	refused(fan_store_put(store, &record), FAN_E_INVALID, "1 to 65000");
	record.message.message.byte_count = 0;
	refused(fan_store_put(store, &record), FAN_E_INVALID, "1 to 65000");
	record = sample(FAN_RECORD_MESSAGE, 6);
	record.message.recipient.profile = FAN_PROFILE_COUNT;
	refused(fan_store_put(store, &record), FAN_E_INVALID, "profile 12");
	memset(record.message.recipient.identity, '1', sizeof(record.message.recipient.identity));
	refused(fan_store_put(store, &record), FAN_E_INVALID, "1 to 127");
	record = sample(FAN_RECORD_MESSAGE, 0);
	record.message.message.reference = "";
	refused(fan_store_put(store, &record), FAN_E_INVALID, "reference");
	record.message.message.reference = "12345678901234567890123456789012345678901234567890123456789012345";
	refused(fan_store_put(store, &record), FAN_E_INVALID, "reference");
	record = sample(FAN_RECORD_MARKS, 0);
	put(store, &record);
	done(fan_store_commit(store));
	expect(store, FAN_RECORD_MARKS, 0);
	fan_store_close(store);
}

Test(store, takes_a_message_as_long_as_it_says)
{
	static uint8_t octets[FAN_STORED_BYTES_MAX];
	struct fan_store *store = open_store();
	struct fan_record record = sample(FAN_RECORD_MESSAGE, 0), found = key_of(FAN_RECORD_MESSAGE, 0);

	memset(octets, 7, sizeof(octets));
	fan_message_init(&record.message.message, octets, sizeof(octets));
	done(fan_store_begin(store));
	put(store, &record);
	done(fan_store_commit(store));
	fan_store_close(store);
	store = open_store();
	done(fan_store_get(store, &found));
	cr_assert(same(&found, &record));
	fan_store_close(store);
}

Test(store, resumes_at_checkpoint_and_mark)
{
	struct fan_record_checkpoint checkpoint = { .count = { [9] = 1000 },
						    .unacknowledged = { [9] = 184, [10] = UINT16_MAX - 3, [12] = 200 },
						    .transaction = { [9] = 5 },
						    .rp_reference = { [9] = 250 } };
	struct fan_ue ue = { .kind = FAN_KIND_5GS_NAS };

	fan_resume(&ue, &checkpoint, 0, 9);
	cr_assert(ue.count == 1000 && ue.unacknowledged == 184 && ue.transactions_open == 7);
	fan_resume(&ue, &checkpoint, 16, 9);
	cr_assert(ue.count == 1016 && ue.unacknowledged == 200 && ue.transaction == 0 && ue.rp_reference == 10);
	cr_assert_eq(ue.transactions_open, 6, "one is left to be tried");
	fan_resume(&ue, &checkpoint, 16, 12);
	cr_assert(ue.count == 0 && ue.unacknowledged == 200, "its window was used up: it spent nothing");
	ue.unreachable = true;
	fan_resume(&ue, &checkpoint, 16, 9);
	cr_assert(ue.count == 1000 && ue.unacknowledged == 184, "unreachable: it spent nothing");
	ue.unreachable = false;
	fan_resume(&ue, &checkpoint, 3, 11);
	cr_assert(ue.count == 3 && ue.unacknowledged == 3 && ue.transactions_open == 3, "short messages, for all we know");
	ue = (struct fan_ue){ .kind = FAN_KIND_NR_PDCP_18 };
	fan_resume(&ue, &checkpoint, 3, 11);
	cr_assert_eq(ue.transactions_open, 0);
}

/* ---- Directory, holder, copies, version ----------------------------------------------------------------------------------------- */

Test(store, wants_a_directory_of_its_own)
{
	struct fan_store *store;

	refused(try_open(&store), FAN_E_NOT_FOUND, "No such file");
	cr_assert_null(store);
	cr_assert_eq(mkdir(fan_test_store.directory, 0700), 0);
	refused(try_open(&store), FAN_E_NOT_FOUND, "there is no store");
	fan_store_close(open_store());
	cr_assert_eq(chmod(fan_test_store.directory, 0750), 0);
	refused(try_open(&store), FAN_E_INVALID, "has mode 0750, and mode 0700 is wanted: chmod 700");
	cr_assert_eq(chmod(fan_test_store.directory, 0700), 0);
	done(try_open(&store));
	fan_store_close(store);
}

Test(store, is_open_in_one_process)
{
	struct fan_store *store;
	char pid[16], octet;
	int ready[2];
	pid_t child;

	cr_assert_eq(pipe(ready), 0);
	child = fork();
	is_child = child == 0;
	if (child == 0) {
		store = open_store();
		fill(store, 2);
		(void)!write(ready[1], "r", 1);
		(void)sleep(3);
		_exit(0);
	}
	cr_assert_eq(read(ready[0], &octet, 1), 1);
	(void)snprintf(pid, sizeof(pid), "%d (", child);
	refused(try_open(&store), FAN_E_BUSY, pid);
	cr_assert_not_null(strstr(fan_error_detail(), program_invocation_short_name), "%s", fan_error_detail());
	cr_assert(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
	done(try_open(&store));
	expect(store, FAN_RECORD_UE, 1);
	fan_store_close(store);
}

static void
shell(const char *command)
{
	const pid_t child = fork();
	int status = 1;

	if (child == 0) {
		(void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	cr_assert(waitpid(child, &status, 0) == child && status == 0, "%s", command);
}

Test(store, does_not_open_a_copy_unless_it_is_adopted)
{
	struct fan_store_options options = { .directory = fan_test_store.directory, .key_file = fan_test_store.key };
	char copy[128], command[512];
	struct fan_store *store = open_store();

	fill(store, 3);
	fan_store_close(store);
	(void)snprintf(copy, sizeof(copy), "%s/copy", fan_test_store.top);
	(void)snprintf(command, sizeof(command), "cp -a %s %s", fan_test_store.directory, copy);
	shell(command);
	options.directory = copy;
	refused(fan_store_open(&store, &options), FAN_E_UNSUPPORTED, "is a copy");
	options.adopt = true;
	done(fan_store_open(&store, &options));
	expect(store, FAN_RECORD_UE, 2);
	fan_store_close(store);
	options.adopt = false;
	done(fan_store_open(&store, &options));
	fan_store_close(store);
	done(try_open(&store));
	fan_store_close(store);
	/* Renaming copies nothing. */
	(void)snprintf(command, sizeof(command), "rm -r %s && mv %s %s", copy, fan_test_store.directory, copy);
	shell(command);
	(void)snprintf(fan_test_store.directory, sizeof(fan_test_store.directory), "%s", copy);
	done(try_open(&store));
	fan_store_close(store);
}

/* Out: the data file, the caller's to free. */
static uint8_t *
read_data(size_t *octet_count)
{
	struct stat stat;
	const int fd = open(fan_test_store.data, O_RDONLY);
	uint8_t *octets;

	cr_assert(fd >= 0 && fstat(fd, &stat) == 0);
	octets = malloc((size_t)stat.st_size);
	*octet_count = (size_t)stat.st_size;
	cr_assert(octets != NULL && read(fd, octets, *octet_count) == stat.st_size);
	(void)close(fd);
	return octets;
}

static void
write_data(const uint8_t *octets, size_t octet_count, size_t at)
{
	const int fd = open(fan_test_store.data, O_WRONLY);

	cr_assert(fd >= 0 && syscall(SYS_pwrite64, fd, octets, octet_count, at) == (ssize_t)octet_count);
	(void)close(fd);
}

/* Writes another version over the one that the store, which is closed, says in all places. Returns in how many. */
static unsigned
say_version(uint8_t version)
{
	static const uint8_t record[] = "format\5\0\0";
	size_t octet_count;
	uint8_t *octets = read_data(&octet_count), *at = octets;
	unsigned places = 0;

	for (size_t left = octet_count; (at = memmem(at, left, record, sizeof(record))) != NULL;
	     left = octet_count - (size_t)(at - octets)) {
		at[6] = version;
		write_data(at, sizeof(record), (size_t)(at - octets));
		at += sizeof(record);
		places++;
	}
	free(octets);
	return places;
}

Test(store, does_not_open_a_later_version)
{
	struct fan_store *store = open_store();

	fan_store_close(store);
	cr_assert_gt(say_version(6), 0);
	refused(try_open(&store), FAN_E_UNSUPPORTED, "version 6, this program has 1 to 5");
}

Test(store, does_not_open_a_version_that_never_was)
{
	struct fan_store *store = open_store();

	fan_store_close(store);
	cr_assert_gt(say_version(0), 0);
	refused(try_open(&store), FAN_E_UNSUPPORTED, "version 0, this program has 1 to 5");
}

/* What that version wrote is read, and from then on the store says that a program of that version cannot read it. */
static void
expect_version_5_of(uint8_t version)
{
	const struct fan_record former = sample(FAN_RECORD_MESSAGE, 2), later = sample(FAN_RECORD_MESSAGE, 3);
	struct fan_store *store = open_store();

	done(fan_store_begin(store));
	put(store, &former);
	done(fan_store_commit(store));
	fan_store_close(store);
	cr_assert_gt(say_version(version), 0);
	store = open_store();
	expect(store, FAN_RECORD_MESSAGE, 2);
	fan_store_close(store);
	cr_assert_gt(say_version(5), 0, "the store still says version %u", version);
	store = open_store();
	done(fan_store_begin(store));
	put(store, &later);
	done(fan_store_commit(store));
	expect(store, FAN_RECORD_MESSAGE, 2);
	expect(store, FAN_RECORD_MESSAGE, 3);
	fan_store_close(store);
}

Test(store, opens_version_1_and_makes_it_version_5)
{
	expect_version_5_of(1);
}

Test(store, opens_version_2_and_makes_it_version_5)
{
	expect_version_5_of(2);
}

Test(store, opens_version_3_and_makes_it_version_5)
{
	expect_version_5_of(3);
}

Test(store, opens_version_4_and_makes_it_version_5)
{
	expect_version_5_of(4);
}

/* ---- A head of before version 5 ---- */

enum { FORMER_KINDS = 9, KEK_ID_BYTES = 8, FORMER_HEAD_BYTES = 40 + 16 * FORMER_KINDS };

/* The seal under the store's data key, which is wrapped in a record of its own. */
static struct fan_seal *
open_data_seal(MDB_txn *transaction, MDB_dbi main_database)
{
	uint8_t kek[FAN_SEAL_KEY_BYTES], data_key[FAN_SEAL_KEY_BYTES],
		wrapped[KEK_ID_BYTES + FAN_SEAL_KEY_BYTES + FAN_SEAL_BYTES];
	char name[] = "key";
	MDB_val key = { .mv_size = 3, .mv_data = name }, value;
	const struct fan_sealed sealed = { .name = "key", .name_bytes = 3, .clear = wrapped, .clear_bytes = KEK_ID_BYTES };
	struct fan_seal *outer, *inner;

	cr_assert_eq(mdb_get(transaction, main_database, &key, &value), 0);
	cr_assert_eq(value.mv_size, sizeof(wrapped));
	memcpy(wrapped, value.mv_data, sizeof(wrapped));
	done(fan_seal_key_read(kek, fan_test_store.key));
	done(fan_seal_open(&outer, kek));
	cr_assert(fan_seal_read(outer, data_key, &sealed, wrapped + KEK_ID_BYTES, sizeof(data_key)));
	done(fan_seal_open(&inner, data_key));
	fan_seal_close(outer);
	return inner;
}

/* The head as a program of version 4 wrote it: of nine databases. */
static void
put_former_head(MDB_txn *transaction, MDB_dbi main_database)
{
	struct fan_seal *seal = open_data_seal(transaction, main_database);
	uint8_t head[FORMER_HEAD_BYTES + FAN_SEAL_BYTES];
	char name[] = "head";
	MDB_val key = { .mv_size = 4, .mv_data = name }, value = { .mv_size = sizeof(head), .mv_data = head }, now;
	const struct fan_sealed sealed = { .name = "head", .name_bytes = 4, .clear = head, .clear_bytes = FORMER_HEAD_BYTES };
	const uint64_t number = mdb_txn_id(transaction);

	cr_assert_eq(mdb_get(transaction, main_database, &key, &now), 0);
	memcpy(head, now.mv_data, FORMER_HEAD_BYTES);
	memcpy(head, &number, sizeof(number));
	done(fan_seal_write(seal, head + FORMER_HEAD_BYTES, &sealed, NULL, 0));
	cr_assert_eq(mdb_put(transaction, main_database, &key, &value, 0), 0);
	fan_seal_close(seal);
}

/* Makes of a closed store one that has nothing that came with version 5. */
static void
make_former(void)
{
	static const char *const later[] = { "group_key", "key_octets", "spent_key" };
	uint32_t version = 4;
	char name[] = "format";
	MDB_val key = { .mv_size = 6, .mv_data = name }, value = { .mv_size = sizeof(version), .mv_data = &version };
	MDB_env *env;
	MDB_txn *transaction;
	MDB_dbi main_database, database;

	cr_assert(mdb_env_create(&env) == 0 && mdb_env_set_maxdbs(env, 16) == 0 && mdb_env_set_mapsize(env, 1 << 30) == 0);
	cr_assert_eq(mdb_env_open(env, fan_test_store.directory, MDB_NOLOCK, 0600), 0);
	cr_assert(mdb_txn_begin(env, NULL, 0, &transaction) == 0 && mdb_dbi_open(transaction, NULL, 0, &main_database) == 0);
	for (unsigned i = 0; i < 3; i++)
		cr_assert(mdb_dbi_open(transaction, later[i], 0, &database) == 0 && mdb_drop(transaction, database, 1) == 0);
	cr_assert_eq(mdb_put(transaction, main_database, &key, &value, 0), 0);
	put_former_head(transaction, main_database);
	cr_assert_eq(mdb_txn_commit(transaction), 0);
	mdb_env_close(env);
}

/* What version 4 had is there, and what came since can be put. */
Test(store, a_store_without_what_came_with_version_5_gets_it)
{
	struct fan_record group = { .kind = FAN_RECORD_GROUP, .group = { .gid = "a@b" } };
	const struct fan_record key = sample(FAN_RECORD_GROUP_KEY, 1), message = sample(FAN_RECORD_MESSAGE, 2);
	struct fan_store *store = open_store();

	done(fan_store_begin(store));
	put(store, &group);
	put(store, &message);
	done(fan_store_commit(store));
	fan_store_close(store);
	make_former();
	for (unsigned pass = 0; pass < 2; pass++) {
		store = open_store();
		expect(store, FAN_RECORD_MESSAGE, 2);
		done(fan_store_get(store, &group));
		cr_assert_eq(fan_store_count(store, FAN_RECORD_GROUP_KEY), pass);
		done(fan_store_begin(store));
		put(store, &key);
		done(fan_store_commit(store));
		expect(store, FAN_RECORD_GROUP_KEY, 1);
		fan_store_close(store);
	}
}

/* A group that spent no COUNT of a key of its own is, octet for octet, one of version 3: its name and nothing else. */
Test(store, a_group_without_keys_is_one_of_version_3)
{
	static uint8_t fields[FAN_RECORD_FIELDS_BYTES_MAX], key[FAN_RECORD_KEY_BYTES_MAX];
	struct fan_record record = { .kind = FAN_RECORD_GROUP, .group = { .gid = "a@b" } }, read = record;
	const size_t key_bytes = fan_record_write_key(key, &record);

	cr_assert_eq(fan_record_write_fields(fields, &record), 0);
	record.group.gki = 9;
	record.group.gki_used[1] = 2;
	record.group.count_reserved = UINT64_C(1) << 32;
	cr_assert_eq(fan_record_write_fields(fields, &record), 1 + 32 + 8);
	cr_assert(fan_record_read(&read, key, key_bytes, fields, 41));
	cr_expect_eq(read.group.count_reserved, UINT64_C(1) << 32);
	cr_expect_eq(read.group.gki, 9);
	cr_expect_not(fan_record_read(&read, key, key_bytes, fields, 40));
	cr_assert(fan_record_read(&read, key, key_bytes, fields, 0));
	cr_expect_eq(read.group.count_reserved, 0);
}

/* Octets that are keys are no field of their message. */
Test(store, a_message_of_keys_is_kept_without_its_octets)
{
	static const uint8_t keys[] = "keys-keys-keys-keys";
	struct fan_record record = sample(FAN_RECORD_MESSAGE, 2), read = { .kind = FAN_RECORD_MESSAGE };
	static uint8_t fields[FAN_RECORD_FIELDS_BYTES_MAX];
	struct fan_store *store = open_store();

	record.message.message.bytes = keys;
	record.message.message.byte_count = sizeof(keys);
	record.message.message.group_keys = true;
	cr_assert_null(memmem(fields, fan_record_write_fields(fields, &record), "keys-keys", 9));
	done(fan_store_begin(store));
	put(store, &record);
	done(fan_store_commit(store));
	read.message.id = record.message.id;
	done(fan_store_get(store, &read));
	cr_expect(read.message.message.group_keys);
	cr_expect_eq(read.message.message.byte_count, sizeof(keys));
	cr_expect_null(read.message.message.bytes);
	cr_expect_str_eq(read.message.message.originator, "+49123");
	fan_store_close(store);
}

/* Each goes with what it is of, and with nothing else. */
Test(store, keys_go_with_their_group_and_octets_of_keys_with_their_message)
{
	struct fan_record group = { .kind = FAN_RECORD_GROUP, .group = { .gid = "a@b" } };
	struct fan_record key = { .kind = FAN_RECORD_GROUP_KEY, .group_key = { .gid = "a@b" } };
	struct fan_record other = { .kind = FAN_RECORD_GROUP_KEY, .group_key = { .gid = "a@bc" } };
	struct fan_record message = sample(FAN_RECORD_MESSAGE, 2), octets = sample(FAN_RECORD_KEY_OCTETS, 2), spent;
	struct fan_store *store = open_store();

	octets.key_octets.id = message.message.id;
	spent = sample(FAN_RECORD_SPENT_KEY, 1);
	done(fan_store_begin(store));
	put(store, &group);
	put(store, &key);
	put(store, &other);
	put(store, &message);
	put(store, &octets);
	put(store, &spent);
	done(fan_store_commit(store));
	done(fan_store_begin(store));
	done(fan_store_delete(store, &group));
	done(fan_store_delete(store, &message));
	done(fan_store_commit(store));
	refused(fan_store_get(store, &key), FAN_E_NOT_FOUND, "no such record");
	refused(fan_store_get(store, &octets), FAN_E_NOT_FOUND, "no such record");
	done(fan_store_get(store, &other));
	done(fan_store_get(store, &spent));
	fan_store_close(store);
}

/* An outcome without what came with version 4 ends where one of version 3 did: with eight profiles. */
Test(store, an_outcome_without_keys_of_groups_is_one_of_version_3)
{
	enum { RESULT_BYTES = sizeof(struct fan_result), HEAD_BYTES = 1 + 8 + 8 + 4 + 8 + 8 };
	static uint8_t fields[FAN_RECORD_FIELDS_BYTES_MAX], key[FAN_RECORD_KEY_BYTES_MAX];
	struct fan_record record = sample(FAN_RECORD_OUTCOME, 2), read = record;
	const size_t key_bytes = fan_record_write_key(key, &record);
	size_t fields_bytes;

	memset(&record.outcome.profile[FAN_PROFILE_EPS_NAS_KEY], 0,
	       (FAN_PROFILE_COUNT - FAN_PROFILE_EPS_NAS_KEY) * sizeof(struct fan_result));
	fields_bytes = fan_record_write_fields(fields, &record);
	cr_assert_eq(fields_bytes, HEAD_BYTES + 8 * RESULT_BYTES);
	cr_assert(fan_record_read(&read, key, key_bytes, fields, fields_bytes));
	cr_expect_eq(read.outcome.profile[FAN_PROFILE_EPS_NAS_KEY].ues, 0);
	cr_expect_eq(read.outcome.profile[FAN_PROFILE_NR_PDCP_18].ues, 7);
	record.outcome.profile[FAN_PROFILE_5GS_NAS_KEY].ues = 99;
	fields_bytes = fan_record_write_fields(fields, &record);
	cr_assert_eq(fields_bytes, HEAD_BYTES + 8 * RESULT_BYTES + 1 + 2 * RESULT_BYTES);
	cr_assert(fan_record_read(&read, key, key_bytes, fields, fields_bytes));
	cr_expect_eq(read.outcome.profile[FAN_PROFILE_5GS_NAS_KEY].ues, 99);
	cr_expect(!read.outcome.served_kept);
	cr_expect_eq(read.outcome.profile[FAN_PROFILE_SGI_IP].ues, 0, "version 4 ended there");
	cr_expect_not(fan_record_read(&read, key, key_bytes, fields, fields_bytes - 1));
	record.outcome.profile[FAN_PROFILE_SGI_IP].ues = 5;
	fields_bytes = fan_record_write_fields(fields, &record);
	cr_assert_eq(fields_bytes, HEAD_BYTES + 8 * RESULT_BYTES + 1 + 3 * RESULT_BYTES);
	cr_assert(fan_record_read(&read, key, key_bytes, fields, fields_bytes));
	cr_expect_eq(read.outcome.profile[FAN_PROFILE_SGI_IP].ues, 5);
}

/* A record without what came with version 2 ends where one of version 1 did, octet for octet. */
Test(store, a_record_of_version_1_is_one_of_version_2)
{
	static const uint8_t end[] = { 0xc0, 0, 2, 5, 0x68, 0x12, 0x69, 0x12 }; /* source address and port, destination port */
	static uint8_t fields[FAN_RECORD_FIELDS_BYTES_MAX], key[FAN_RECORD_KEY_BYTES_MAX];
	struct fan_record record = sample(FAN_RECORD_MESSAGE, 2);
	size_t fields_bytes = fan_record_write_fields(fields, &record);
	const size_t key_bytes = fan_record_write_key(key, &record);

	cr_assert_arr_eq(fields + fields_bytes - sizeof(end), end, sizeof(end));
	record.message.message.reference = "stays";
	cr_assert(fan_record_read(&record, key, key_bytes, fields, fields_bytes));
	cr_assert_null(record.message.message.reference);
	record.message.message.reference = "order 7";
	/* The text behind its length, no identity, a table, a slot, a profile. */
	cr_assert_eq(fan_record_write_fields(fields, &record), fields_bytes + 4 + sizeof("order 7") + 1 + 4 + 4 + 1);
	for (size_t cut = fields_bytes + 1; cut < fields_bytes + 4 + sizeof("order 7") + 1 + 4 + 4 + 1; cut++)
		cr_assert_not(fan_record_read(&record, key, key_bytes, fields, cut), "cut at %zu", cut);
}

/* ---- Keys ------------------------------------------------------------------------------------------------------------------------ */

#define HEX "6b656b2d6b656b2d6b656b2d6b656b2d6b656b2d6b656b2d6b656b2d6B656B0"

static const struct key_row {
	const char *octets;
	size_t octet_count;
	mode_t mode;
	int error;
} key_rows[] = {
	{ FAN_TEST_KEK, 32, 0600, 0 },
	{ FAN_TEST_KEK, 32, 0400, 0 },
	{ HEX "0", 64, 0600, 0 },
	{ HEX "0\n", 65, 0600, 0 },
	{ FAN_TEST_KEK, 32, 0640, FAN_E_INVALID },
	{ FAN_TEST_KEK, 32, 0604, FAN_E_INVALID },
	{ FAN_TEST_KEK, 32, 0700, FAN_E_INVALID },
	{ FAN_TEST_KEK, 32, 04600, FAN_E_INVALID },
	{ FAN_TEST_KEK, 31, 0600, FAN_E_INVALID },
	{ HEX "0", 33, 0600, FAN_E_INVALID },
	{ HEX "0", 63, 0600, FAN_E_INVALID },
	{ HEX "g", 64, 0600, FAN_E_INVALID },
	{ HEX "0x", 65, 0600, FAN_E_INVALID },
	{ HEX "0\n\n", 66, 0600, FAN_E_INVALID },
	{ "", 0, 0600, FAN_E_INVALID },
};

/* All that are taken are the same key: 32 octets and their digits. */
Test(store, takes_a_key_from_a_file_that_only_its_user_reads)
{
	struct fan_store *store = open_store();

	fan_store_close(store);
	for (size_t i = 0; i < sizeof(key_rows) / sizeof(*key_rows); i++) {
		const struct key_row *const row = &key_rows[i];

		fan_test_write_file(fan_test_store.key, row->octets, row->octet_count, row->mode);
		cr_assert_eq(try_open(&store), row->error, "row %zu: %s", i, fan_error_detail());
		cr_assert_null(strstr(fan_error_detail(), "kek-kek"));
		fan_store_close(store);
	}
	cr_assert_eq(unlink(fan_test_store.key), 0);
	refused(try_open(&store), FAN_E_NOT_FOUND, fan_test_store.key);
	cr_assert_eq(mkdir(fan_test_store.key, 0700), 0);
	refused(try_open(&store), FAN_E_INVALID, "is no file");
}

Test(store, opens_under_its_own_key_alone)
{
	char other[128];
	struct fan_store *store = open_store();

	fill(store, 3);
	(void)snprintf(other, sizeof(other), "%s/other", fan_test_store.top);
	fan_test_write_file(other, "another-key-another-key-another!", 32, 0600);
	fan_store_close(store);
	refused(fan_store_open(&store, &(struct fan_store_options){ .directory = fan_test_store.directory, .key_file = other }),
		FAN_E_INVALID, "another key");
	cr_assert_null(store);
	done(try_open(&store));
	fan_store_close(store);
}

Test(store, changes_its_key_in_one_commit)
{
	char other[128];
	struct fan_store *store = open_store();

	fill(store, 3);
	(void)snprintf(other, sizeof(other), "%s/other", fan_test_store.top);
	fan_test_write_file(other, "another-key-another-key-another!", 32, 0644);
	refused(fan_store_rotate_key(store, other), FAN_E_INVALID, "0644");
	cr_assert_eq(chmod(other, 0600), 0);
	fan_test_disk_fail(1, 1, ENOSPC);
	refused(fan_store_rotate_key(store, other), FAN_E_IO, "No space");
	fan_store_close(store);
	done(try_open(&store));
	done(fan_store_rotate_key(store, other));
	expect(store, FAN_RECORD_UE, 2);
	fan_store_close(store);
	refused(try_open(&store), FAN_E_INVALID, "another key");
	cr_assert_null(store);
	(void)snprintf(fan_test_store.key, sizeof(fan_test_store.key), "%s", other);
	done(try_open(&store));
	expect(store, FAN_RECORD_UE, 1);
	fan_store_close(store);
}

Test(store, leaves_no_key_in_its_files)
{
	static const char *const secrets[] = { "cipher-key-of-UE", "integrity-key-UE", "kek-kek-kek" };
	struct fan_store *store = open_store();
	uint8_t *octets;
	size_t octet_count;

	fill(store, 50);
	fill(store, 50);
	done(fan_store_begin(store));
	for (uint32_t i = 0; i < 50; i++) {
		const struct fan_record record = sample(FAN_RECORD_UE, i);

		done(fan_store_delete(store, &record));
	}
	fan_store_abort(store);
	fan_store_close(store);
	octets = read_data(&octet_count);
	for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++)
		for (size_t part = 8; part < strlen(secrets[i]); part += 8)
			cr_assert_null(memmem(octets, octet_count, secrets[i] + part - 8, 8), "%s", secrets[i]);
	cr_assert_not_null(memmem(octets, octet_count, "000000000000049", 15), "the search finds what is in clear");
	free(octets);
}

static int
look(void *user, const struct fan_record *record)
{
	*(uint32_t *)user += record->ue.ue.k_enc[0];
	return 0;
}

static struct fan_store *stack_store;

static void
read_on_a_stack(void *user)
{
	(void)fan_store_each(stack_store, FAN_RECORD_UE, look, user);
}

Test(store, leaves_no_key_of_a_UE_on_the_stack)
{
	uint32_t sum = 0;

	stack_store = open_store();
	fill(stack_store, 20);
	cr_assert_not(fan_test_left_on_stack(read_on_a_stack, &sum, (const uint8_t *)"cipher-key-of-UE", FAN_KEY_BYTES));
	cr_assert_not(fan_test_left_on_stack(read_on_a_stack, &sum, (const uint8_t *)"integrity-key-UE", FAN_KEY_BYTES));
	cr_assert_eq(sum, 2 * 20 * 'c');
	fan_store_close(stack_store);
}

/* ---- Processes that die ------------------------------------------------------------------------------------------------------------ */

static void
put_step(struct fan_store *store, uint32_t n)
{
	done(fan_test_step_put(store, n));
}

static uint32_t
step_of(struct fan_store *store)
{
	const uint32_t n = fan_test_step_of(store);

	check(n != FAN_TEST_STEP_NONE, "not whole, see above", n);
	return n;
}

static void
commit_for_ever(int acknowledged)
{
	struct fan_store *store = open_store();

	for (uint32_t n = step_of(store) + 1;; n++) {
		done(fan_store_begin(store));
		put_step(store, n);
		done(fan_store_commit(store));
		if (write(acknowledged, &n, sizeof(n)) != sizeof(n))
			_exit(1);
	}
}

Test(store, keeps_what_it_acknowledged_when_it_is_killed, .timeout = 300)
{
	struct fan_test_random random = fan_test_random_from_environment();
	uint32_t last = 0, steps = 0;

	for (unsigned round = 0; round < 60; round++) {
		int acknowledged[2];
		struct fan_store *store;
		uint32_t found;
		pid_t child;

		cr_assert_eq(pipe(acknowledged), 0);
		child = fork();
		is_child = child == 0;
		if (child == 0) {
			(void)close(acknowledged[0]);
			commit_for_ever(acknowledged[1]);
		}
		(void)close(acknowledged[1]);
		(void)usleep(500 + fan_test_random_below(&random, 60000));
		cr_assert(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
		while (read(acknowledged[0], &found, sizeof(found)) == sizeof(found))
			last = found;
		(void)close(acknowledged[0]);
		store = open_store();
		found = step_of(store);
		cr_assert(found == last || found == last + 1, "round %u: acknowledged %u, found %u", round, last, found);
		steps += found - last;
		last = found;
		fan_store_close(store);
	}
	cr_assert_gt(last, 60, "the child hardly ran");
	cr_log_info("%u commits, %u of them not acknowledged", last, steps);
}

/* ---- Disks that fail ----------------------------------------------------------------------------------------------------------------- */

/* The store stands at `step`: it fails to take the next, then takes it. */
static void
mend_and_go_on(struct fan_store *store, uint32_t step)
{
	fan_test_disk_fail(0, 0, 0);
	done(fan_store_begin(store));
	cr_assert_eq(step_of(store), step);
	put_step(store, step + 1);
	done(fan_store_commit(store));
	cr_assert_eq(step_of(store), step + 1);
}

static const int disk_errors[] = { ENOSPC, EIO, EROFS };

/* Every write and sync of a commit fails once, and for good until it is mended. */
Test(store, goes_on_after_any_write_that_failed)
{
	struct fan_store *store = open_store();
	uint32_t step = 0;

	for (unsigned kind = 0; kind < 6; kind++) {
		for (unsigned write = 1;; write++) {
			int error;

			done(fan_store_begin(store));
			put_step(store, step + 1);
			fan_test_disk_fail(write, kind < 3 ? 1 : 1000, disk_errors[kind % 3]);
			error = fan_store_commit(store);
			if (error == 0) {
				cr_assert_gt(write, 3);
				step++;
				break;
			}
			refused(error, FAN_E_IO, strerror(disk_errors[kind % 3]));
			mend_and_go_on(store, step++);
			fan_store_close(store);
			store = open_store();
			cr_assert_eq(step_of(store), step);
		}
		fan_test_disk_fail(0, 0, 0);
	}
	fan_store_close(store);
}

Test(store, waits_while_the_disk_still_fails)
{
	struct fan_store *store = open_store();
	struct fan_record key = key_of(FAN_RECORD_OUTCOME, 0);
	unsigned waits = 0;

	for (unsigned write = 1; write < 12; write++) {
		done(fan_store_begin(store));
		put_step(store, write);
		fan_test_disk_fail(write, 1000, EIO);
		if (fan_store_commit(store) != 0 && fan_store_begin(store) != 0) {
			cr_assert_not_null(strstr(fan_error_detail(), "still does"), "%s", fan_error_detail());
			refused(fan_store_get(store, &key), FAN_E_IO, "fan_store_begin");
			waits++;
		}
		fan_test_disk_fail(0, 0, 0);
		fan_store_abort(store);
		done(fan_store_begin(store));
		put_step(store, write);
		done(fan_store_commit(store));
		cr_assert_eq(step_of(store), write);
	}
	cr_assert_gt(waits, 0, "no meta page failed");
	fan_store_close(store);
}

/* The disk fails at each write in turn and the process ends there: the whole of the transaction is there, or nothing. */
Test(store, opens_after_a_process_that_ended_while_the_disk_failed)
{
	uint32_t step = 0;

	for (unsigned round = 0; round < 40; round++) {
		struct fan_store *store = open_store();
		uint32_t found;
		pid_t child;

		cr_assert_eq(step_of(store), step);
		fan_store_close(store);
		child = fork();
		is_child = child == 0;
		if (child == 0) {
			store = open_store();
			done(fan_store_begin(store));
			put_step(store, step + 1);
			fan_test_disk_fail(1 + round % 10, round % 20 < 10 ? 1 : 1000, EIO);
			_exit(fan_store_commit(store) == 0 ? 0 : 1);
		}
		cr_assert_eq(waitpid(child, (int *)&found, 0), child);
		store = open_store();
		cr_assert(step_of(store) == step + 1 || (step_of(store) == step && found != 0), "round %u", round);
		step = step_of(store);
		fan_store_close(store);
	}
}

Test(store, goes_on_when_its_file_may_grow_again)
{
	struct fan_store *store = open_store();
	struct rlimit limit, none;
	struct stat stat_now;
	uint32_t step = 0;

	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &none), 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	for (; step < 20; step++) {
		done(fan_store_begin(store));
		put_step(store, step + 1);
		done(fan_store_commit(store));
	}
	for (unsigned round = 0; round < 10; round++) {
		cr_assert_eq(stat(fan_test_store.data, &stat_now), 0);
		limit = (struct rlimit){ .rlim_cur = (rlim_t)stat_now.st_size + 65536, .rlim_max = none.rlim_max };
		cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
		done(fan_store_begin(store));
		for (uint32_t i = 0; i < 400; i++) {
			const struct fan_record record = sample(FAN_RECORD_CHECKPOINT, 1000 * (round + 1) + i);

			put(store, &record);
		}
		put_step(store, step + 1);
		refused(fan_store_commit(store), FAN_E_IO, "make room");
		mend_and_go_on(store, step++);
		cr_assert_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
		mend_and_go_on(store, step++);
		fan_store_close(store);
		store = open_store();
		cr_assert_eq(step_of(store), step);
	}
	fan_store_close(store);
}

/* A small file system for the store, in a namespace of this process, so that nothing is left mounted however it ends. */
static void
mount_small(void)
{
	cr_assert_eq(mkdir(fan_test_store.directory, 0700), 0);
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("store", fan_test_store.directory, "tmpfs", 0, "size=512k,mode=0700") != 0)
		cr_skip_test("a small file system cannot be mounted here: it takes root");
}

Test(store, names_a_file_system_that_is_read_only)
{
	struct fan_store *store;

	mount_small();
	store = open_store();
	fan_store_close(store);
	cr_assert_eq(mount(NULL, fan_test_store.directory, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	refused(try_open(&store), FAN_E_IO, fan_test_store.directory);
	refused(try_open(&store), FAN_E_IO, "read-only: check it (fsck) and mount it for writing");
	cr_assert_eq(mount(NULL, fan_test_store.directory, NULL, MS_REMOUNT, NULL), 0);
	store = open_store();
	mend_and_go_on(store, 0);
	fan_store_close(store);
	(void)umount(fan_test_store.directory);
}

Test(store, goes_on_when_a_full_file_system_has_room_again)
{
	struct fan_store *store;
	char ballast[160];
	uint32_t step = 0;
	int error = 0;

	mount_small();
	(void)snprintf(ballast, sizeof(ballast), "%s/ballast", fan_test_store.directory);
	fan_test_write_file(ballast, (uint8_t[65536]){ 0 }, 65536, 0600);
	store = open_store();
	while (error == 0) {
		done(fan_store_begin(store));
		put_step(store, step + 1);
		for (uint32_t i = 0; error == 0 && i < 10; i++) {
			const struct fan_record record = sample(FAN_RECORD_CHECKPOINT, 10 * (step + 1) + i);

			error = fan_store_put(store, &record);
		}
		if (error == 0)
			error = fan_store_commit(store);
		step += error == 0;
	}
	refused(error, FAN_E_IO, "make room");
	cr_assert_gt(step, 5);
	fan_store_abort(store);
	cr_assert_eq(step_of(store), step);
	fan_store_close(store);
	store = open_store();
	cr_assert_eq(unlink(ballast), 0);
	mend_and_go_on(store, step);
	fan_store_close(store);
	(void)umount(fan_test_store.directory);
}

/* ---- Octets that flip ---------------------------------------------------------------------------------------------------------------- */

#define FLIP_UES 900

/* What is told must be what was put; counts it by kind. */
static int
add_record(void *user, const struct fan_record *record)
{
	uint32_t *const told = user;
	struct fan_record wanted = sample(record->kind, told[record->kind]);

	if (record->kind == FAN_RECORD_OUTCOME || record->kind == FAN_RECORD_NEXT_HOP)
		wanted = *record;
	else if (record->kind == FAN_RECORD_UE)
		wanted.ue.capabilities = record->ue.capabilities == 2 ? 2 : 0;
	if (record->kind == FAN_RECORD_GROUP || record->kind == FAN_RECORD_MEMBERS || record->kind == FAN_RECORD_GROUP_KEY)
		wanted = *record; /* their order is that of text */
	cr_assert(same(record, &wanted), "a wrong record of kind %d was given", record->kind);
	told[record->kind]++;
	return 0;
}

/* True: opened, and equal. False: refused. Anything else fails the test. */
static bool
equal_or_refused(size_t at)
{
	uint32_t told[FAN_RECORD_KINDS] = { 0 };
	struct fan_store *store;
	int error = try_open(&store);

	for (unsigned kind = 0; error == 0 && kind < FAN_RECORD_KINDS; kind++)
		error = fan_store_each(store, kind, add_record, told);
	if (error == 0)
		for (unsigned kind = 0; kind < FAN_RECORD_KINDS; kind++)
			cr_assert_eq(told[kind], kind == FAN_RECORD_UE ? FLIP_UES : EACH, "octet %zu: %u of kind %u", at,
				     told[kind], kind);
	cr_assert(error == 0 || error == FAN_E_IO || error == FAN_E_INVALID || error == FAN_E_UNSUPPORTED, "octet %zu: %s", at,
		  fan_error_detail());
	fan_store_close(store);
	return error == 0;
}

static void
put_ues(struct fan_store *store, uint32_t capabilities)
{
	done(fan_store_begin(store));
	for (uint32_t i = 0; i < FLIP_UES; i++) {
		struct fan_record record = sample(FAN_RECORD_UE, i);

		record.ue.capabilities = capabilities;
		put(store, &record);
	}
	done(fan_store_commit(store));
}

/* A store of some hundred pages of all kinds, free ones and an older state among them. */
static void
make_flip_store(void)
{
	struct fan_store *store = open_store();

	fill(store, EACH);
	put_ues(store, 1);
	put_ues(store, 2);
	fan_store_close(store);
}

Test(store, never_takes_a_flipped_octet_for_a_record, .timeout = 300)
{
	struct fan_test_random random = fan_test_random_from_environment();
	unsigned equal = 0, flips = 0;
	size_t octet_count;
	uint8_t *octets;

	make_flip_store();
	octets = read_data(&octet_count);
	cr_assert(equal_or_refused(0), "%s", fan_error_detail());
	for (unsigned i = 0; i < 2000; i++, flips++) {
		const size_t at = fan_test_random_below(&random, (uint32_t)octet_count);
		const uint8_t flipped = octets[at] ^ (uint8_t)(1U << fan_test_random_below(&random, 8));

		write_data(&flipped, 1, at);
		equal += equal_or_refused(at);
		write_data(octets + at, 1, at);
	}
	cr_assert(equal_or_refused(0));
	cr_log_info("%u of %u flips are where nothing lies, of %zu octets", equal, flips, octet_count);
	cr_assert_lt(equal, flips / 10 * 9);
	free(octets);
}

/* Where the keys and numbers of a branch begin in it; its end when it is none. */
static size_t
entries_of_branch(const uint8_t *page)
{
	uint16_t upper;

	memcpy(&upper, page + 14, sizeof(upper));
	return page[10] == 1 && upper < 4096 ? upper : 4096;
}

/* No record's sum covers what a branch says: each UE must be found by it all the same. */
Test(store, finds_every_record_or_none_when_a_branch_has_flipped, .timeout = 300)
{
	size_t octet_count, flips = 0, opened = 0;
	struct fan_store *store;
	uint8_t *octets;

	make_flip_store();
	octets = read_data(&octet_count);
	for (size_t page = 8192; page < octet_count; page += 4096)
		for (size_t bit = 8 * entries_of_branch(octets + page); bit < 8 * 4096; bit += 5, flips++) {
			const size_t at = page + bit / 8;
			const uint8_t flipped = octets[at] ^ (uint8_t)(1U << bit % 8);

			write_data(&flipped, 1, at);
			if (try_open(&store) == 0) {
				opened++;
				for (uint32_t i = 0; i < FLIP_UES; i += 7) {
					struct fan_record key = key_of(FAN_RECORD_UE, i);

					done(fan_store_get(store, &key));
				}
			}
			fan_store_close(store);
			write_data(octets + at, 1, at);
		}
	cr_assert(flips > 500 && opened < flips, "%zu flips", flips);
	free(octets);
}

/* Whether a page is a leaf whose first entry is a list of free pages. Out: where its last number lies in it. */
static bool
is_free_list(const uint8_t *page, size_t *last)
{
	uint16_t first, key_bytes;
	uint32_t value_bytes;
	uint64_t count;

	memcpy(&first, page + 16, sizeof(first));
	if (page[10] != 2 || first > 4096 - 32)
		return false;
	memcpy(&value_bytes, page + first, sizeof(value_bytes));
	memcpy(&key_bytes, page + first + 6, sizeof(key_bytes));
	memcpy(&count, page + first + 16, sizeof(count));
	*last = first + 16 + 8 * count;
	return key_bytes == 8 && count >= 2 && count < 400 && value_bytes >= 8 * (count + 1) && *last < 4096;
}

/* LMDB would write over a page that is said to be free: each must be refused that is in use, or said to be free twice. */
Test(store, refuses_a_free_page_that_is_not)
{
	size_t octet_count, last, refusals = 0;
	struct fan_store *store;
	uint8_t *octets;

	make_flip_store();
	octets = read_data(&octet_count);
	for (size_t page = 8192; page < octet_count; page += 4096) {
		uint64_t told, number = 2;
		size_t opened = 0;

		if (!is_free_list(octets + page, &last))
			continue;
		memcpy(&told, octets + page + last, sizeof(told));
		for (; number < told; number++) {
			write_data((const uint8_t *)&number, sizeof(number), page + last);
			opened += try_open(&store) == 0;
			fan_store_close(store);
		}
		write_data(octets + page, 4096, page);
		cr_assert(opened == 0 || opened == told - 2, "page %zu: %zu of %lu", page / 4096, opened, told - 2);
		refusals += told - 2 - opened;
	}
	cr_assert_gt(refusals, 0);
	free(octets);
}

/* Each bit of both meta pages, and one bit of each octet in the header of every seventh page. */
Test(store, never_takes_a_flipped_header_for_another, .timeout = 300)
{
	size_t octet_count, bits = 0, equal = 0;
	uint8_t *octets;

	make_flip_store();
	octets = read_data(&octet_count);
	for (size_t page = 0; page < octet_count; page += page < 8192 ? 4096 : 7 * 4096)
		for (size_t bit = 8 * page; bit < 8 * (page + (page < 8192 ? 152 : 20)); bit += page < 8192 ? 1 : 7, bits++) {
			const uint8_t flipped = octets[bit / 8] ^ (uint8_t)(1U << bit % 8);

			write_data(&flipped, 1, bit / 8);
			equal += equal_or_refused(bit / 8);
			/* A meta page that had the number of the one before it has been mended. */
			write_data(octets, 8192, 0);
			write_data(octets + bit / 8, 1, bit / 8);
		}
	cr_log_info("%zu of %zu flips are where nothing lies", equal, bits);
	free(octets);
}

Test(store, refuses_a_file_that_was_cut)
{
	struct fan_store *store;
	size_t octet_count;
	uint8_t *octets;

	make_flip_store();
	octets = read_data(&octet_count);
	for (size_t cut = 1; cut < octet_count; cut += 4093) {
		cr_assert_eq(truncate(fan_test_store.data, (off_t)(octet_count - cut)), 0);
		refused(try_open(&store), FAN_E_IO, "damaged");
		write_data(octets, octet_count, 0);
	}
	done(try_open(&store));
	fan_store_close(store);
	free(octets);
}

static int
is_newest(void *user, const struct fan_record *record)
{
	++*(uint32_t *)user;
	return record->ue.capabilities == 2 ? 0 : -77;
}

/* Whether two pages are leaves of as many records, and begin with the same. */
static bool
alike(const uint8_t *left, const uint8_t *right)
{
	uint16_t first;

	memcpy(&first, left + 16, sizeof(first));
	return left[10] == 2 && memcmp(left + 8, right + 8, 16) == 0 && first <= 4080 &&
	       memcmp(left + first + 8, right + first + 8, 8) == 0;
}

/* A page of an older state with the number of the newer: in shape, in order, and every record of it whole. */
Test(store, refuses_an_older_page_in_the_place_of_a_newer)
{
	struct fan_store *store = open_store();
	size_t old_count, new_count;
	uint8_t *old, *new;
	unsigned refusals = 0;

	put_ues(store, 1);
	fan_store_close(store);
	old = read_data(&old_count);
	done(try_open(&store));
	put_ues(store, 2);
	fan_store_close(store);
	new = read_data(&new_count);
	for (size_t at = 8192; at < new_count; at += 4096)
		for (size_t from = 8192; from < old_count; from += 4096) {
			uint32_t told = 0;

			if (!alike(new + at, old + from) || memcmp(new + at + 8, old + from + 8, 4088) == 0)
				continue;
			write_data(old + from + 8, 4088, at + 8);
			if (try_open(&store) == 0) {
				cr_assert_eq(fan_store_each(store, FAN_RECORD_UE, is_newest, &told), 0, "page %zu", at / 4096);
				cr_assert_eq(told, FLIP_UES);
			} else { /* the root of the databases says its transaction, the other leaves do not */
				refusals += strstr(fan_error_detail(), "put last") != NULL;
			}
			fan_store_close(store);
			write_data(new + at, 4096, at);
		}
	cr_assert_gt(refusals, 20);
	free(old);
	free(new);
}

Test(store, names_database_and_key_of_a_record_that_changed)
{
	struct fan_store *store = open_store();
	struct fan_record key = key_of(FAN_RECORD_UE, 3);
	size_t octet_count;
	uint8_t *octets, *at;

	fill(store, 5);
	octets = read_data(&octet_count);
	at = octets;
	for (size_t left = octet_count; (at = memmem(at, left, "000000000000003", 15)) != NULL;
	     left = octet_count - (size_t)(at - octets)) {
		at[14] = '4';
		write_data(at, 15, (size_t)(at - octets));
	}
	refused(fan_store_get(store, &key), FAN_E_IO, "database ue, key 0002020500000003");
	fan_store_close(store);
	free(octets);
}

/* ---- Size ------------------------------------------------------------------------------------------------------------------------------ */

Test(store, takes_at_most_200_octets_for_a_UE)
{
	enum { UES = 100 * FAN_BLOCK_CONTEXTS };
	struct fan_store *store = open_store();
	struct stat stat_now;

	done(fan_store_begin(store));
	for (uint32_t i = 0; i < UES; i++) {
		const struct fan_record record = sample(FAN_RECORD_UE, i);

		put(store, &record);
	}
	for (uint32_t i = 0; i < UES / FAN_BLOCK_CONTEXTS; i++) {
		const struct fan_record record = sample(FAN_RECORD_CHECKPOINT, i);

		put(store, &record);
	}
	done(fan_store_commit(store));
	fan_store_close(store);
	cr_assert_eq(stat(fan_test_store.data, &stat_now), 0);
	cr_assert_leq(stat_now.st_size / UES, 200, "%.1f octets", (double)stat_now.st_size / UES);
	cr_log_info("%.1f octets for a UE", (double)stat_now.st_size / UES);
}
