/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Next hops, UEs and groups that outlive the process: all that was answered is there again, whatever ended the process, and what was refused
 * is not there at all. Of COUNT nothing is said here; that is the ledger's.
 */
#define _GNU_SOURCE
#include "../dataplane/context/clock.h"
#include "../host-api/appliance/handles.h"
#include "appliance_fixture.h"
#include "residue.h"
#include "store_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(registry, .init = fan_test_store_set_up, .fini = fan_test_store_tear_down, .timeout = 120);

#define VALLEY "valley@flood.example"
#define HILL "hill@flood.example"

static struct fanfare *fanfare;
static bool is_child; /* a process of the test's own, which the test runner does not know */

static void
check(bool right, const char *what, long number)
{
	if (right)
		return;
	if (!is_child)
		cr_assert_fail("%s %ld: %s", what, number, fan_error_detail());
	fprintf(stderr, "%s %ld: %s\n", what, number, fan_error_detail());
	_exit(9);
}

static void
done(int error)
{
	check(error == 0, "error", error);
}

static void
refused(int error, int expected, const char *part)
{
	cr_assert_eq(error, expected, "%s instead of %s: %s", fan_error_name(error), fan_error_name(expected),
		     fan_error_detail());
	cr_assert_not_null(strstr(fan_error_detail(), part), "\"%s\" is not in: %s", part, fan_error_detail());
}

static void
open_appliance(void)
{
	const struct fan_options options = fan_test_store_options();

	done(fan_open(&fanfare, &options));
}

static void
close_appliance(void)
{
	done(fan_close(fanfare));
	fanfare = NULL;
}

static void
reopen(void)
{
	close_appliance();
	open_appliance();
}

/* ---- UEs by number --------------------------------------------------------------------------------------------------------- */

static void
name_ue(char identity[FAN_IDENTITY_BYTES], unsigned number)
{
	if (number % 2 == 0)
		(void)snprintf(identity, FAN_IDENTITY_BYTES, "00101%010u", number);
	else
		(void)snprintf(identity, FAN_IDENTITY_BYTES, "meter-%u@a-rather-long-domain.of.an.operator.example", number);
}

/* Every field differs from 0, and from those of other numbers where there is room. */
static struct fan_ue
make_any(char identity[FAN_IDENTITY_BYTES], enum fan_kind kind, unsigned number)
{
	const bool nas = fan_kind_is_nas(kind);
	struct fan_ue ue;

	name_ue(identity, number);
	fan_ue_init(&ue, kind);
	if (kind == FAN_KIND_SGI) {
		ue.integrity = FAN_INTEGRITY_NONE;
		ue.ue = 3 * number;
		ue.capabilities = number ^ 0x5a5a5a5a;
		ue.identity = identity;
		memcpy(ue.ipv4, (uint8_t[]){ 10, 1, (uint8_t)(number >> 8), (uint8_t)number }, 4);
		return ue;
	}
	ue.cipher = (uint8_t)(1 + number % 2);
	ue.integrity = nas ? 2 : FAN_INTEGRITY_NONE;
	ue.count = number % 7;
	ue.count_reserved = 1000 + number;
	ue.bearer = kind == FAN_KIND_EPS_NAS ? 0 : kind == FAN_KIND_5GS_NAS ? 1 : (uint8_t)(number % 32);
	ue.bearer_id = nas ? 5 : 0;
	ue.ue = 3 * number;
	ue.teid = nas ? 0 : 0x01000000 + number;
	ue.uplink_teid = nas ? 0 : 0x02000000 + number;
	ue.mme_ue_id = nas ? 77 + number : 0;
	ue.ran_ue_id = nas ? 99 + number : 0;
	ue.capabilities = number ^ 0x5a5a5a5a;
	ue.identity = identity;
	memcpy(ue.ipv4, (uint8_t[]){ 10, 1, (uint8_t)(number >> 8), (uint8_t)number }, 4);
	for (unsigned i = 0; i < FAN_KEY_BYTES; i++) {
		ue.k_enc[i] = (uint8_t)((number + 1 + 100000U * kind) * 0x9e3779b1U >> (i % 4 * 8)) ^ (uint8_t)(i * 17);
		ue.k_int[i] = (uint8_t)((number + 1 + 100000U * kind) * 0x85ebca6bU >> (i % 4 * 8)) ^ (uint8_t)(i * 29 + 1);
	}
	return ue;
}

/* The B-TID is valid until the next is made. */
static struct fan_ue
make_ue(char identity[FAN_IDENTITY_BYTES], enum fan_kind kind, unsigned number)
{
	static char b_tid[64];
	struct fan_ue ue = make_any(identity, kind, number);

	if (kind != FAN_KIND_MBMS)
		return ue;
	ue.cipher = 2;
	ue.integrity = FAN_INTEGRITY_HMAC_SHA_1;
	ue.bearer = 0;
	ue.teid = ue.uplink_teid = 0;
	ue.udp_port = (uint16_t)(3000 + number);
	(void)snprintf(b_tid, sizeof(b_tid), "%022u==@bsf.example.org", number);
	ue.b_tid = b_tid;
	return ue;
}

static int
try_ue(fan_context_id *id, enum fan_kind kind, unsigned number)
{
	char identity[FAN_IDENTITY_BYTES];
	const struct fan_ue ue = make_ue(identity, kind, number);

	return fan_ue_add(fanfare, id, &ue);
}

static fan_context_id
add_ue(enum fan_kind kind, unsigned number)
{
	fan_context_id id = 0;

	done(try_ue(&id, kind, number));
	return id;
}

static struct fan_ue_status
status_of(fan_context_id id)
{
	struct fan_ue_status status;

	fan_ue_status_init(&status);
	done(fan_ue_status(fanfare, &status, id));
	return status;
}

/* The contexts of a UE. Out: *id, one of them. */
static unsigned
look_up(fan_context_id *id, unsigned number)
{
	char identity[FAN_IDENTITY_BYTES];

	name_ue(identity, number);
	*id = UINT64_MAX;
	return fan_ue_lookup(fanfare, id, 1, identity);
}

static fan_context_id
find_ue(unsigned number)
{
	fan_context_id id;

	check(look_up(&id, number) > 0, "there is no UE", number);
	return id;
}

static void
add_hops(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct fan_next_hop hop = fan_test_hop(i, false);

		check(fan_next_hop_add(fanfare, &hop) == (int)i, "next hop", i);
	}
}

static struct fan_group *
group_of(const char *gid)
{
	struct fan_group *group = fan_group_find(fanfare, gid);

	if (group == NULL)
		done(fan_group_create(fanfare, &group, gid));
	return group;
}

static void
remove_ue(fan_context_id id)
{
	uint32_t next_count;
	uint16_t unacknowledged;

	done(fan_ue_remove(fanfare, &next_count, &unacknowledged, id));
}

/* ---- A picture of all that is provisioned, to compare ------------------------------------------------------------------------- */

static int
compare_tables(const void *left, const void *right)
{
	const struct fan_context_table *tables = fanfare->dataplane->tables;

	return memcmp(&tables[*(const unsigned *)left].protection, &tables[*(const unsigned *)right].protection,
		      sizeof(struct fan_protection));
}

static void
draw_octets(FILE *file, const void *octets, size_t octet_count)
{
	for (size_t i = 0; i < octet_count; i++)
		fprintf(file, "%02x", ((const uint8_t *)octets)[i]);
}

/* A context without what is spent of it. */
static void
draw_context(FILE *file, unsigned table, uint32_t slot)
{
	struct fan_context context = fanfare->dataplane->tables[table].slots[slot];
	const struct fan_ue_status status = status_of(fan_context_name(fanfare, table, slot));

	context.count = 0;
	context.awaited = 0;
	fprintf(file, " %u ", slot);
	draw_octets(file, &context, sizeof(context));
	if (fanfare->dataplane->tables[table].names != NULL) {
		char b_tid[FAN_B_TID_BYTES_MAX + 1];

		fan_context_tell_b_tid(&fanfare->dataplane->tables[table], b_tid, slot);
		fprintf(file, " %s", b_tid);
	}
	fprintf(file, " %s %x %d %ld %u\n", status.identity, status.capabilities, status.reachable, status.lease_until_ms,
		status.groups);
	explicit_bzero(&context, sizeof(context));
}

struct drawing {
	FILE *file;
	unsigned table, profile;
};

static void
draw_member(void *user, fan_context_id id, enum fan_profile profile)
{
	const struct drawing *drawing = user;

	if (fan_context_table_index(id) == drawing->table && profile == drawing->profile)
		fprintf(drawing->file, " %u/%u", (uint32_t)id, (unsigned)profile);
}

/* Tables may have other numbers in another process: they are drawn in an order of their own. The caller's to free. */
static char *
draw(void)
{
	const struct fan_dataplane *dataplane = fanfare->dataplane;
	unsigned order[FAN_TABLES_MAX];
	size_t bytes;
	char *text = NULL;
	FILE *file = open_memstream(&text, &bytes);

	for (unsigned i = 0; i < dataplane->hop_count; i++) {
		draw_octets(file, &dataplane->hops[i], sizeof(dataplane->hops[i]));
		fprintf(file, " hop %u\n", i);
	}
	for (unsigned i = 0; i < dataplane->table_count; i++)
		order[i] = i;
	qsort(order, dataplane->table_count, sizeof(order[0]), compare_tables);
	for (unsigned i = 0; i < dataplane->table_count; i++) {
		const struct fan_context_table *table = &dataplane->tables[order[i]];

		if (table->present == 0)
			continue;
		draw_octets(file, &table->protection, sizeof(table->protection));
		fprintf(file, " table of %u\n", table->present);
		for (uint32_t slot = 0; slot < table->used; slot++)
			if (fan_context_present(table, slot))
				draw_context(file, order[i], slot);
	}
	for (const struct fan_group *group = fan_group_next(fanfare, NULL); group != NULL;
	     group = fan_group_next(fanfare, fan_group_gid(group))) {
		fprintf(file, "%s, %lu", fan_group_gid(group), fan_group_size(group));
		for (unsigned i = 0; i < dataplane->table_count * FAN_PROFILE_COUNT; i++)
			fan_group_each(group, draw_member,
				       &(struct drawing){ file, order[i / FAN_PROFILE_COUNT], i % FAN_PROFILE_COUNT });
		fprintf(file, "\n");
	}
	check(fclose(file) == 0, "a picture", 0);
	return text;
}

static void
expect_picture(const char *wanted, const char *when)
{
	char *found = draw();

	cr_assert_str_eq(found, wanted, "%s", when);
	free(found);
}

/* ---- What comes back ----------------------------------------------------------------------------------------------------------- */

/* Some of everything, and every change that there is. */
static void
provision(void)
{
	const struct fan_next_hop moved = fan_test_hop(9, false);
	char identity[FAN_IDENTITY_BYTES];
	struct fan_ue place = make_ue(identity, FAN_KIND_EPS_NAS, 555);
	fan_context_id first;

	add_hops(3);
	done(fan_next_hop_change(fanfare, 1, &moved));
	for (unsigned kind = 0; kind < FAN_KIND_COUNT; kind++)
		for (unsigned i = 0; i < 20; i++)
			(void)add_ue(kind, 100 * kind + i);
	done(fan_ue_lease(fanfare, find_ue(3), 5000));
	done(fan_ue_lease_until(fanfare, find_ue(4), INT64_C(4000000000123)));
	done(fan_ue_lease_until(fanfare, find_ue(5), 1000));
	done(fan_ue_lease_until(fanfare, find_ue(6), 1000));
	done(fan_ue_lease_until(fanfare, find_ue(6), 0));
	done(fan_ue_reachable(fanfare, find_ue(5), false));
	done(fan_ue_reachable(fanfare, find_ue(7), false));
	done(fan_ue_reachable(fanfare, find_ue(8), false));
	done(fan_ue_reachable(fanfare, find_ue(8), true));
	place.next_hop = 2;
	done(fan_ue_move(fanfare, find_ue(9), &place));
	place = make_ue(identity, FAN_KIND_NR_PDCP_18, 556);
	done(fan_ue_move(fanfare, find_ue(100 * FAN_KIND_NR_PDCP_18 + 9), &place));
	remove_ue(find_ue(10));
	for (unsigned i = 0; i < 6; i += 2)
		done(fan_group_add(group_of(VALLEY), find_ue(i),
				   i % 4 == 0 ? FAN_PROFILE_EPS_NAS_SMS : FAN_PROFILE_EPS_NAS_NIDD));
	done(fan_group_add(group_of(VALLEY), find_ue(0), FAN_PROFILE_EPS_NAS_NIDD));
	done(fan_group_add(group_of(VALLEY), find_ue(15), FAN_PROFILE_EPS_NAS_NIDD));
	done(fan_group_remove(group_of(VALLEY), find_ue(15)));
	first = find_ue(100 * FAN_KIND_LTE_PDCP_12);
	done(fan_group_add_range(group_of(HILL), first, 10, FAN_PROFILE_LTE_PDCP_12));
	done(fan_group_delete(group_of("gone@flood.example")));
	(void)group_of("empty@flood.example");
}

Test(registry, everything_comes_back_after_closing)
{
	struct fan_ue_status status;
	const struct fan_next_hop hop = fan_test_hop(9, false);
	fan_context_id id;
	char *before;

	open_appliance();
	provision();
	before = draw();
	for (unsigned i = 0; i < 3; i++) {
		reopen();
		expect_picture(before, "after closing");
	}
	status = status_of(find_ue(4));
	cr_assert_str_eq(status.identity, "001010000000004");
	cr_assert(status.kind == FAN_KIND_EPS_NAS && status.cipher == 1 && status.integrity == 2 && status.bearer == 0 &&
		  status.ue == 12 && status.capabilities == (4 ^ 0x5a5a5a5a) && status.count_reserved == 1004 &&
		  status.unacknowledged_max == 200 && status.groups == 1 && status.lease_until_ms == 4000000000123);
	cr_assert_eq(status_of(find_ue(3)).count_reserved, 5000);
	cr_assert(!status_of(find_ue(7)).reachable && status_of(find_ue(8)).reachable && status_of(find_ue(9)).next_hop == 2);
	cr_assert_eq(look_up(&id, 10), 0, "a removed UE");
	refused(fan_next_hop_add(fanfare, &hop), FAN_E_EXISTS, "next hop 1 has that address");
	refused(try_ue(&id, FAN_KIND_EPS_NAS, 4), FAN_E_EXISTS, "001010000000004");
	free(before);
	close_appliance();
}

Test(registry, everything_comes_back_after_a_process_that_just_ended)
{
	char *before, *text;
	char path[sizeof(fan_test_store.top) + 16];
	const pid_t child = fork();
	int how;
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/picture", fan_test_store.top);
	is_child = child == 0;
	if (child == 0) {
		open_appliance();
		provision();
		text = draw();
		file = fopen(path, "w");
		check(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0, "the picture", 0);
		_exit(0);
	}
	cr_assert(waitpid(child, &how, 0) == child && how == 0);
	open_appliance();
	file = fopen(path, "r");
	before = calloc(1, 1 << 20);
	cr_assert(file != NULL && before != NULL && fread(before, 1, (1 << 20) - 1, file) > 0);
	(void)fclose(file);
	expect_picture(before, "after a crash");
	free(before);
	close_appliance();
}

Test(registry, a_store_without_its_key_is_refused_and_a_key_without_a_store)
{
	struct fan_options options = fan_test_store_options();

	options.store_key_file = NULL;
	refused(fan_open(&fanfare, &options), FAN_E_INVALID, "store_key_file");
	options = fan_test_store_options();
	options.store = NULL;
	refused(fan_open(&fanfare, &options), FAN_E_INVALID, "options.store");
	options = fan_test_store_options();
	options.store_create = false;
	refused(fan_open(&fanfare, &options), FAN_E_NOT_FOUND, fan_test_store.directory);
	cr_assert_null(fanfare);
	open_appliance();
	add_hops(1);
	close_appliance();
	options = fan_test_store_options();
	options.ipv6 = true;
	refused(fan_open(&fanfare, &options), FAN_E_INVALID, "next hop 0 in the store has an address of IPv4");
	open_appliance();
	close_appliance();
}

Test(registry, another_key_opens_it_once_the_key_was_changed)
{
	struct fan_options options = fan_test_store_options();
	char other[sizeof(fan_test_store.top) + 16];

	(void)snprintf(other, sizeof(other), "%s/other", fan_test_store.top);
	fan_test_write_file(other, "another-key-another-key-another!", 32, 0600);
	open_appliance();
	add_hops(1);
	done(fan_begin(fanfare));
	refused(fan_store_rotate(fanfare, other), FAN_E_BUSY, "batch");
	fan_abort(fanfare);
	refused(fan_store_rotate(fanfare, NULL), FAN_E_INVALID, "key");
	done(fan_store_rotate(fanfare, other));
	(void)add_ue(FAN_KIND_EPS_NAS, 1);
	close_appliance();
	refused(fan_open(&fanfare, &options), FAN_E_INVALID, "another key");
	options.store_key_file = other;
	done(fan_open(&fanfare, &options));
	(void)find_ue(1);
	close_appliance();
}

/* ---- Errors change nothing ------------------------------------------------------------------------------------------------------ */

static int
try_hop(void)
{
	const struct fan_next_hop hop = fan_test_hop(20, false);
	const int index = fan_next_hop_add(fanfare, &hop);

	return index < 0 ? index : 0;
}

static int
try_change_hop(void)
{
	const struct fan_next_hop hop = fan_test_hop(21, false);

	return fan_next_hop_change(fanfare, 0, &hop);
}

static int
try_add(void)
{
	fan_context_id id;

	return try_ue(&id, FAN_KIND_5GS_NAS, 1000);
}

static int
try_lease(void)
{
	return fan_ue_lease(fanfare, find_ue(1), 9000);
}

static int
try_lease_until(void)
{
	return fan_ue_lease_until(fanfare, find_ue(4), 5000);
}

static int
try_move(void)
{
	char identity[FAN_IDENTITY_BYTES];
	const struct fan_ue place = make_ue(identity, FAN_KIND_EPS_NAS, 557);

	return fan_ue_move(fanfare, find_ue(1), &place);
}

static int
try_unreachable(void)
{
	return fan_ue_reachable(fanfare, find_ue(1), false);
}

static int
try_reachable(void)
{
	return fan_ue_reachable(fanfare, find_ue(7), true);
}

static int
try_remove(void)
{
	uint32_t next_count = 4711;
	uint16_t unacknowledged;
	const int error = fan_ue_remove(fanfare, &next_count, &unacknowledged, find_ue(2));

	cr_assert(error == 0 || next_count == 4711);
	return error;
}

static int
try_create(void)
{
	struct fan_group *group;

	return fan_group_create(fanfare, &group, "new@flood.example");
}

static int
try_delete(void)
{
	return fan_group_delete(group_of(HILL));
}

static int
try_join(void)
{
	return fan_group_add(group_of(VALLEY), find_ue(1), FAN_PROFILE_EPS_NAS_SMS);
}

static int
try_switch(void)
{
	return fan_group_add(group_of(VALLEY), find_ue(4), FAN_PROFILE_EPS_NAS_NIDD);
}

static int
try_leave(void)
{
	return fan_group_remove(group_of(VALLEY), find_ue(0));
}

static const struct {
	const char *name;
	int (*call)(void);
	bool in_batch; /* may be called in one */
} calls[] = {
	{ "next_hop_add", try_hop, true },
	{ "next_hop_change", try_change_hop, false },
	{ "ue_add", try_add, true },
	{ "ue_lease", try_lease, false },
	{ "ue_lease_until", try_lease_until, false },
	{ "ue_move", try_move, false },
	{ "ue_reachable, false", try_unreachable, false },
	{ "ue_reachable, true", try_reachable, false },
	{ "ue_remove", try_remove, false },
	{ "group_create", try_create, false },
	{ "group_delete", try_delete, false },
	{ "group_add", try_join, false },
	{ "group_add under another profile", try_switch, false },
	{ "group_remove", try_leave, false },
};

#define CALLS (sizeof(calls) / sizeof(calls[0]))

/* Each write and sync of a call fails, alone or with all behind it, until the call makes so few that none does. */
static void
fail_at_every_write(unsigned call, const char *before)
{
	int error = FAN_E_IO;
	unsigned writes = 0;

	for (unsigned i = 0; error != 0; i++) {
		writes = 1 + i / 2;
		fan_test_disk_fail(writes, i % 2 == 0 ? 1000 : 1, i % 4 < 2 ? ENOSPC : EIO);
		error = calls[call].call();
		fan_test_disk_fail(0, 0, 0);
		cr_assert(error == 0 || error == FAN_E_IO, "%s: %s", calls[call].name, fan_error_detail());
		/* A UE that was to be made unreachable stays so: nobody knows what the disk says of it. */
		if (error != 0 && calls[call].call != try_unreachable)
			expect_picture(before, calls[call].name);
	}
	cr_assert_gt(writes, 3, "pages, a sync and a meta page");
}

Test(registry, a_call_that_cannot_be_made_durable_changes_nothing)
{
	char *before, *after;

	open_appliance();
	provision();
	for (unsigned i = 0; i < CALLS; i++) {
		before = draw();
		fail_at_every_write(i, before);
		after = draw();
		cr_assert_str_neq(after, before, "%s", calls[i].name);
		reopen();
		expect_picture(after, calls[i].name);
		free(before);
		free(after);
	}
	close_appliance();
}

Test(registry, a_batch_takes_additions_alone)
{
	struct fan_group *group;
	char *before;

	open_appliance();
	provision();
	group = group_of(VALLEY);
	refused(fan_commit(fanfare), FAN_E_INVALID, "fan_begin()");
	fan_abort(fanfare);
	before = draw();
	done(fan_begin(fanfare));
	refused(fan_begin(fanfare), FAN_E_BUSY, "batch");
	for (unsigned i = 0; i < CALLS; i++) {
		const int error = calls[i].call();

		cr_assert_eq(error, calls[i].in_batch ? 0 : FAN_E_BUSY, "%s: %s", calls[i].name, fan_error_detail());
	}
	cr_assert_eq(fan_group_size(group), 3);
	cr_assert_eq(fan_poll(fanfare), 0);
	fan_abort(fanfare);
	expect_picture(before, "after a batch that was dropped");
	done(fan_begin(fanfare));
	done(try_add());
	close_appliance();
	open_appliance();
	expect_picture(before, "after closing in a batch");
	free(before);
	close_appliance();
}

/* A batch of next hops and UEs in several tables, some refused on the way. */
static void
fill_batch(unsigned from)
{
	const struct fan_next_hop hop = fan_test_hop(100 + from % 50, false), known = fan_test_hop(0, false);
	fan_context_id id;
	int index;

	done(fan_begin(fanfare));
	index = fan_next_hop_add(fanfare, &hop);
	check(index > 0, "next hop", index);
	for (unsigned i = from; i < from + 200; i++) {
		char identity[FAN_IDENTITY_BYTES];
		struct fan_ue ue = make_ue(identity, i % 3 == 0 ? FAN_KIND_NR_PDCP_12 : FAN_KIND_EPS_NAS, i);

		ue.next_hop = (uint16_t)index;
		ue.lease_until_ms = i % 5 == 0 ? INT64_C(4000000000000) + i : 0;
		ue.unreachable = i % 7 == 0;
		done(fan_ue_add(fanfare, &id, &ue));
		check(find_ue(i) == id, "UE in a batch", i);
		refused(fan_ue_add(fanfare, &id, &ue), FAN_E_EXISTS, identity);
		ue.identity = "no identity";
		refused(fan_ue_add(fanfare, &id, &ue), FAN_E_EXISTS, "a key");
	}
	refused(fan_next_hop_add(fanfare, &known), FAN_E_EXISTS, "has that address");
}

Test(registry, a_batch_is_kept_whole_or_not_at_all)
{
	fan_context_id id, first[2] = { 0 };
	char *before, *after;

	open_appliance();
	add_hops(1);
	(void)add_ue(FAN_KIND_EPS_NAS, 1);
	remove_ue(add_ue(FAN_KIND_EPS_NAS, 3));
	before = draw();
	for (unsigned i = 0; i < 8; i++) {
		fill_batch(1000);
		for (unsigned number = 0; number < 2; number++) {
			if (i == 0)
				first[number] = find_ue(1000 + number);
			cr_assert_eq((uint32_t)find_ue(1000 + number), (uint32_t)first[number],
				     "slots are given out in another order");
		}
		if (i < 6) {
			fan_test_disk_fail(1 + i / 2, i % 2 == 0 ? 1 : 1000, EIO);
			cr_assert_eq(fan_commit(fanfare), FAN_E_IO, "%u", i);
			fan_test_disk_fail(0, 0, 0);
		} else {
			fan_abort(fanfare);
		}
		expect_picture(before, "after a batch that failed");
		for (unsigned number = 1000; number < 1200; number++)
			cr_assert_eq(look_up(&id, number), 0);
	}
	reopen();
	expect_picture(before, "after a restart");
	fill_batch(1000);
	done(fan_commit(fanfare));
	after = draw();
	reopen();
	expect_picture(after, "a batch that was committed");
	cr_assert(!status_of(find_ue(1001)).reachable && status_of(find_ue(1000)).lease_until_ms == 4000000001000);
	free(before);
	free(after);
	close_appliance();
}

/* ---- UEs that wait for their commit ---------------------------------------------------------------------------------------- */

enum { CROWD_TABLES = 16 };

/* Of many tables, the last by their records' keys first. */
static struct fan_ue
make_crowd_ue(char identity[FAN_IDENTITY_BYTES], unsigned i)
{
	struct fan_ue ue = make_ue(identity, FAN_KIND_EPS_NAS, 2 * i);

	ue.cipher = (uint8_t)(1 + i / (CROWD_TABLES / 2) % 2);
	ue.bearer_id = (uint8_t)(15 - i % (CROWD_TABLES / 2));
	return ue;
}

static void
add_crowd(unsigned from, unsigned count)
{
	char identity[FAN_IDENTITY_BYTES];
	fan_context_id id;

	done(fan_begin(fanfare));
	for (unsigned i = from; i < from + count; i++) {
		const struct fan_ue ue = make_crowd_ue(identity, i);

		done(fan_ue_add(fanfare, &id, &ue));
	}
}

static void
expect_octets(unsigned ues, unsigned octets_a_ue_max)
{
	struct stat of_data;

	cr_assert_eq(stat(fan_test_store.data, &of_data), 0);
	cr_assert_leq(of_data.st_size, (off_t)ues * octets_a_ue_max, "%.1f octets a UE of %u", (double)of_data.st_size / ues,
		      ues);
}

Test(registry, ues_of_many_tables_take_few_octets_in_whatever_order_they_come)
{
	enum { BATCHES = 4, UES = 25000 };
	char identity[FAN_IDENTITY_BYTES];
	char *before, *after;

	open_appliance();
	add_hops(1);
	before = draw();
	add_crowd(0, 1000);
	fan_abort(fanfare);
	expect_picture(before, "after a batch that was dropped");
	cr_assert_eq(fanfare->additions.identity_bytes, 0);
	for (unsigned i = 0; i < BATCHES; i++) {
		add_crowd(i * UES, UES);
		done(fan_commit(fanfare));
		cr_assert_eq(fanfare->additions.identity_bytes, 0, "what was committed stays in memory");
		expect_octets((i + 1) * UES, i == 0 ? 175 : 200);
	}
	cr_assert_eq(fanfare->dataplane->table_count, CROWD_TABLES);
	after = draw();
	reopen();
	expect_picture(after, "after a restart");
	for (unsigned i = 0; i < BATCHES * UES; i += 999) {
		const struct fan_ue ue = make_crowd_ue(identity, i);
		const struct fan_ue_status status = status_of(find_ue(2 * i));

		cr_assert(status.ue == ue.ue && status.count_reserved == ue.count_reserved && status.next_count == ue.count,
			  "%u", i);
	}
	free(before);
	free(after);
	close_appliance();
}

/* What is added is there for whoever asks, before it is on the disk. */
Test(registry, a_ue_that_waits_for_its_commit_is_seen)
{
	char identity[FAN_IDENTITY_BYTES], emergency[FAN_IDENTITY_BYTES];
	struct fan_ue ue = make_ue(identity, FAN_KIND_NR_PDCP_18, 1), other = ue;
	struct fan_record record = { .kind = FAN_RECORD_UE };
	struct fan_ue_status status;
	fan_context_id id, ids[3];
	char *before;

	open_appliance();
	add_hops(1);
	done(fan_begin(fanfare));
	ue.unreachable = true;
	ue.lease_until_ms = 4000000000123;
	ue.nru_sn = 77;
	done(fan_ue_add(fanfare, &id, &ue));
	status = status_of(id);
	cr_assert(strcmp(status.identity, identity) == 0 && status.capabilities == ue.capabilities && !status.reachable &&
		  status.lease_until_ms == 4000000000123);
	other.k_enc[0] ^= 1;
	other.k_int[0] ^= 1;
	refused(fan_ue_add(fanfare, &id, &other), FAN_E_EXISTS, identity);
	other.identity = "12345a";
	refused(fan_ue_add(fanfare, &id, &other), FAN_E_INVALID, "5 to 15 digits");
	cr_assert_eq(look_up(&id, 1), 1);
	other.identity = identity;
	other.bearer ^= 1;
	done(fan_ue_add(fanfare, &id, &other));
	cr_assert_eq((uint32_t)id, 1, "the slot of a UE that was refused is lost");
	cr_assert_eq(fan_ue_lookup(fanfare, ids, 3, identity), 2);
	ue = make_ue(emergency, FAN_KIND_EPS_NAS, 4);
	ue.integrity = 0;
	ue.emergency = true;
	done(fan_ue_add(fanfare, &id, &ue));
	before = draw();
	done(fan_commit(fanfare));
	expect_picture(before, "after the commit");
	reopen();
	expect_picture(before, "after a restart");
	record.ue.table = fanfare->dataplane->tables[fan_context_table_index(find_ue(1))].protection;
	done(fan_store_get(fanfare->store, &record));
	cr_assert_eq(record.ue.ue.uplink_teid, other.uplink_teid);
	explicit_bzero(&record, sizeof(record));
	free(before);
	close_appliance();
}

Test(registry, a_batch_is_one_without_a_store_too)
{
	struct fan_options options;
	char *before;
	fan_context_id id;

	fan_options_init(&options);
	options.egress = "net_null";
	done(fan_open(&fanfare, &options));
	add_hops(1);
	id = add_ue(FAN_KIND_EPS_NAS, 1);
	cr_assert_eq(look_up(&id, 1), 0, "nothing is looked up without a store");
	cr_assert(fan_ue_next(fanfare, &id, 0) == 1 && status_of(id).identity[0] == '\0' && status_of(id).ue == 3);
	before = draw();
	done(fan_begin(fanfare));
	done(try_add());
	done(try_hop());
	refused(fan_ue_reachable(fanfare, id, false), FAN_E_BUSY, "batch");
	fan_abort(fanfare);
	expect_picture(before, "without a store");
	done(fan_begin(fanfare));
	done(try_add());
	done(fan_commit(fanfare));
	refused(fan_store_rotate(fanfare, "key"), FAN_E_INVALID, "no store");
	refused(try_add(), FAN_E_EXISTS, "a key");
	free(before);
	close_appliance();
}

Test(registry, values_out_of_range_are_refused)
{
	static const char *const identities[] = { "",           "1234",   "1234567890123456", "12345a",
						  "@domain",    "local@", "local@two@three",  "blank @domain",
						  "local\n@do", "plain" };
	char identity[FAN_IDENTITY_BYTES], overlong[FAN_IDENTITY_BYTES + 1];
	struct fan_ue ue = make_ue(identity, FAN_KIND_EPS_NAS, 1);
	struct fan_ue_status status = { .struct_bytes = 1 };
	fan_context_id id;

	open_appliance();
	add_hops(1);
	for (unsigned i = 0; i < sizeof(identities) / sizeof(identities[0]); i++) {
		ue.identity = identities[i];
		refused(fan_ue_add(fanfare, &id, &ue), FAN_E_INVALID, "5 to 15 digits");
	}
	memset(overlong, 'x', FAN_IDENTITY_BYTES);
	overlong[3] = '@';
	overlong[FAN_IDENTITY_BYTES] = '\0';
	ue.identity = overlong;
	refused(fan_ue_add(fanfare, &id, &ue), FAN_E_INVALID, "at most 127");
	ue.identity = NULL;
	refused(fan_ue_add(fanfare, &id, &ue), FAN_E_INVALID, "identity");
	overlong[FAN_IDENTITY_BYTES - 1] = '\0';
	ue.identity = overlong;
	ue.lease_until_ms = -1;
	refused(fan_ue_add(fanfare, &id, &ue), FAN_E_INVALID, "lease_until_ms -1");
	ue.lease_until_ms = 0;
	done(fan_ue_add(fanfare, &id, &ue));
	cr_assert_str_eq(status_of(id).identity, overlong);
	refused(fan_ue_lease_until(fanfare, id, -1), FAN_E_INVALID, "lease until -1");
	refused(fan_ue_lease_until(fanfare, id + 1, 1), FAN_E_NOT_FOUND, "no UE context");
	refused(fan_ue_lease(fanfare, id, 1), FAN_E_INVALID, "cannot be shortened");
	refused(fan_ue_status(fanfare, &status, id), FAN_E_INVALID, "fan_ue_status_init");
	refused(fan_ue_reachable(fanfare, id + 1, false), FAN_E_NOT_FOUND, "no UE context");
	cr_assert_null(fan_group_next(fanfare, "no gid"));
	close_appliance();
}

static struct fan_ue added;
static fan_context_id added_id;

static void
add_one(void *user)
{
	(void)user;
	done(fan_ue_add(fanfare, &added_id, &added));
}

static void
change_and_look(void *user)
{
	(void)user;
	done(fan_ue_reachable(fanfare, added_id, false));
	(void)status_of(added_id);
	(void)fan_ue_lookup(fanfare, NULL, 0, added.identity);
}

static void
remove_one(void *user)
{
	(void)user;
	remove_ue(added_id);
}

Test(registry, keys_do_not_stay_on_the_stack)
{
	static void (*const steps[])(void *user) = { add_one, change_and_look, remove_one };
	char identity[FAN_IDENTITY_BYTES];

	open_appliance();
	add_hops(1);
	for (unsigned i = 0; i < 6; i++) {
		if (i % 3 == 0)
			added = make_ue(identity, FAN_KIND_EPS_NAS, i);
		cr_assert_not(fan_test_left_on_stack(steps[i % 3], NULL, i < 3 ? added.k_enc : added.k_int, FAN_KEY_BYTES),
			      "step %u", i);
	}
	close_appliance();
}

/* ---- Identities ------------------------------------------------------------------------------------------------------------------ */

Test(registry, an_identity_has_a_context_of_each_kind_and_bearer)
{
	char identity[FAN_IDENTITY_BYTES];
	struct fan_ue ue = make_ue(identity, FAN_KIND_EPS_NAS, 2);
	fan_context_id ids[4], id;
	unsigned count = 0;

	open_appliance();
	add_hops(1);
	done(fan_ue_add(fanfare, &id, &ue));
	for (unsigned kind = 0; kind < FAN_KIND_SGI; kind++)
		for (unsigned bearer = 3; bearer < 5; bearer++) {
			const bool nas = fan_kind_is_nas(kind);

			ue = make_ue(identity, kind, 2 + 1000 * bearer);
			name_ue(identity, 2);
			ue.bearer_id = (uint8_t)(3 + bearer);
			ue.bearer = nas ? ue.bearer : (uint8_t)bearer;
			done(fan_ue_add(fanfare, &id, &ue));
			ue = make_ue(identity, kind, 3 + 1000 * bearer);
			name_ue(identity, 2);
			ue.cipher = 3;
			ue.bearer_id = (uint8_t)(3 + bearer);
			ue.bearer = nas ? ue.bearer : (uint8_t)bearer;
			refused(fan_ue_add(fanfare, &id, &ue), FAN_E_EXISTS, identity);
			count++;
		}
	for (unsigned turn = 0; turn < 2; turn++) {
		cr_assert_eq(fan_ue_lookup(fanfare, ids, 4, identity), count + 1);
		for (unsigned i = 0; i < 4; i++)
			cr_assert_str_eq(status_of(ids[i]).identity, identity);
		cr_assert_eq(fan_ue_lookup(fanfare, NULL, 0, identity), count + 1);
		reopen();
	}
	while (fan_ue_lookup(fanfare, ids, 4, identity) > 0)
		remove_ue(ids[0]);
	cr_assert_eq(fan_ue_next(fanfare, &id, 0), 0);
	close_appliance();
}

#define MANY 100000

/* So many that some have the same hash: only their records tell them apart. */
Test(registry, each_of_100000_identities_leads_to_its_ue)
{
	fan_context_id id, from = 0;
	unsigned walked = 0;

	open_appliance();
	add_hops(1);
	for (unsigned i = 0; i < MANY; i++) {
		if (i % 20000 == 0)
			done(fan_begin(fanfare));
		(void)add_ue(FAN_KIND_EPS_NAS, i);
		if (i % 20000 == 19999)
			done(fan_commit(fanfare));
	}
	for (unsigned turn = 0; turn < 2; turn++) {
		for (unsigned i = 0; i < MANY; i++) {
			cr_assert_eq(look_up(&id, i), 1, "%u", i);
			cr_assert_eq(fanfare->dataplane->tables[fan_context_table_index(id)].slots[(uint32_t)id].ue, 3 * i);
		}
		for (unsigned i = MANY; i < MANY + 1000; i++)
			cr_assert_eq(look_up(&id, i), 0, "%u", i);
		reopen();
	}
	for (; fan_ue_next(fanfare, &id, from) == 1; from = id + 1, walked++)
		cr_assert_geq(id, from);
	cr_assert_eq(walked, MANY);
	for (unsigned i = 0; i < MANY; i += 500)
		remove_ue(find_ue(i));
	for (unsigned i = 0; i < MANY; i += 50)
		cr_assert_eq(look_up(&id, i), i % 500 != 0, "%u", i);
	close_appliance();
}

Test(registry, names_are_walked_in_order_while_ues_come_and_go)
{
	enum { UES = 3000 };
	fan_context_id id, last = 0, from = 0;
	unsigned walked = 0;

	open_appliance();
	add_hops(1);
	done(fan_begin(fanfare));
	for (unsigned i = 0; i < UES; i++)
		(void)add_ue(FAN_KIND_EPS_NAS, i);
	fan_abort(fanfare);
	done(fan_begin(fanfare));
	for (unsigned i = 0; i < UES + 500; i++)
		(void)add_ue(i % 4 == 0 ? FAN_KIND_LTE_PDCP_12 : FAN_KIND_EPS_NAS, i);
	done(fan_commit(fanfare));
	for (; fan_ue_next(fanfare, &id, from) == 1; from = id + 1, walked++) {
		cr_assert(id > last || walked == 0);
		last = id;
	}
	cr_assert_eq(walked, UES + 500, "%u", walked);
	cr_assert(last >> 32 != 0, "none has a later generation");
	cr_assert_eq(fan_ue_next(fanfare, &id, UINT64_MAX), 0);
	close_appliance();
}

/* ---- Slots that are used again ---------------------------------------------------------------------------------------------------- */

/* A slot that a member had is given to another UE in the next process. */
Test(registry, a_ue_inherits_no_group_from_the_former_one_in_its_slot_after_a_restart)
{
	fan_context_id id;
	int how;
	pid_t child;

	child = fork();
	is_child = child == 0;
	if (child == 0) {
		open_appliance();
		add_hops(1);
		for (unsigned i = 0; i < 20; i += 2) {
			(void)add_ue(FAN_KIND_EPS_NAS, i);
			done(fan_group_add(group_of(i % 4 == 0 ? VALLEY : HILL), find_ue(i), FAN_PROFILE_EPS_NAS_NIDD));
		}
		for (unsigned i = 0; i < 20; i += 4)
			remove_ue(find_ue(i));
		check(fan_group_size(group_of(VALLEY)) == 0 && fan_group_size(group_of(HILL)) == 5, "before", 0);
		_exit(0);
	}
	cr_assert(waitpid(child, &how, 0) == child && how == 0);
	child = fork();
	is_child = child == 0;
	if (child == 0) {
		open_appliance();
		check(fan_group_size(group_of(VALLEY)) == 0 && fan_group_size(group_of(HILL)) == 5, "after", 0);
		for (unsigned i = 100; i < 110; i += 2) {
			id = add_ue(FAN_KIND_EPS_NAS, i);
			check((uint32_t)id < 10 && status_of(id).groups == 0, "a slot that is used again", (long)id);
		}
		_exit(0);
	}
	cr_assert(waitpid(child, &how, 0) == child && how == 0);
	open_appliance();
	cr_assert(fan_group_size(group_of(VALLEY)) == 0 && fan_group_size(group_of(HILL)) == 5);
	for (unsigned i = 100; i < 110; i += 2)
		cr_assert_eq(status_of(find_ue(i)).groups, 0, "%u", i);
	close_appliance();
}

#define CROWD 1200 /* more than are freed at a time */

static void
make_crowd(void)
{
	add_hops(1);
	done(fan_begin(fanfare));
	for (unsigned i = 0; i < CROWD; i++)
		(void)add_ue(FAN_KIND_EPS_NAS, 2 * i);
	done(fan_commit(fanfare));
	done(fan_group_add_range(group_of(VALLEY), find_ue(0), CROWD, FAN_PROFILE_EPS_NAS_NIDD));
	for (unsigned i = 0; i < CROWD; i += 2)
		done(fan_group_add(group_of(HILL), find_ue(2 * i), FAN_PROFILE_EPS_NAS_SMS));
}

/* ... and in the same one, which then just ends. The disk fails while slots are to be freed: they are not, until it is mended. */
Test(registry, a_ue_inherits_no_group_from_the_former_one_in_its_slot)
{
	int how;
	const pid_t child = fork();

	is_child = child == 0;
	if (child == 0) {
		open_appliance();
		make_crowd();
		for (unsigned i = 0; i < CROWD - 10; i++) {
			const unsigned first_freeing = 1023;

			remove_ue(find_ue(2 * i));
			if (i == first_freeing)
				check(fan_context_generation(&fanfare->dataplane->tables[0], 0) == 1, "is not freed", i);
		}
		for (unsigned i = 0; i < 500; i++)
			check((uint32_t)add_ue(FAN_KIND_EPS_NAS, 10000 + 2 * i) < CROWD, "no slot is used again", i);
		_exit(0);
	}
	cr_assert(waitpid(child, &how, 0) == child && how == 0);
	open_appliance();
	cr_assert_eq(fan_group_size(group_of(VALLEY)), 10);
	cr_assert_eq(fan_group_size(group_of(HILL)), 5);
	for (unsigned i = 0; i < 500; i++)
		cr_assert_eq(status_of(find_ue(10000 + 2 * i)).groups, 0, "%u", i);
	close_appliance();
}

Test(registry, a_slot_is_not_used_again_while_its_groups_cannot_be_written)
{
	struct fan_context_table *table;
	fan_context_id last;
	uint32_t next_count;
	uint16_t unacknowledged;
	int error = FAN_E_IO;

	open_appliance();
	make_crowd();
	table = &fanfare->dataplane->tables[0];
	for (unsigned i = 0; i < 1023; i++)
		remove_ue(find_ue(2 * i));
	last = find_ue(2 * 1023);
	/* The record of the next one is deleted by the first commit; the disk is full from the first write of the second on, which is of
	 * the groups. */
	for (unsigned write = 1; error != 0; write++) {
		fan_test_disk_fail(write, 1000, ENOSPC);
		error = fan_ue_remove(fanfare, &next_count, &unacknowledged, last);
	}
	for (unsigned i = 0; i < 3; i++)
		cr_assert_eq(fan_poll(fanfare), 0);
	cr_assert_eq(fan_context_generation(table, 5), 0, "freed before its groups were written");
	cr_assert_eq(fan_group_size(group_of(VALLEY)), CROWD - 1024);
	fan_test_disk_fail(0, 0, 0);
	cr_assert_eq(fan_poll(fanfare), 0);
	cr_assert_eq(fan_context_generation(table, 5), 1, "not freed");
	cr_assert_eq(fan_group_size(group_of(VALLEY)), CROWD - 1024);
	close_appliance();
}

/* More groups, and records of them, than are written in a step. */
Test(registry, slots_that_are_used_again_leave_all_groups_however_many_those_are)
{
	enum { GROUPS = 100, UES = 16 * FAN_MEMBERS_CONTEXTS, GONE = 1024, APART = UES / GONE };
	char gid[64];
	fan_context_id first;
	int how;
	const pid_t child = fork();

	is_child = child == 0;
	if (child == 0) {
		open_appliance();
		add_hops(1);
		done(fan_begin(fanfare));
		for (unsigned i = 0; i < UES; i++)
			(void)add_ue(FAN_KIND_EPS_NAS, 2 * i);
		done(fan_commit(fanfare));
		first = find_ue(0);
		for (unsigned i = 0; i < GROUPS; i++) {
			(void)snprintf(gid, sizeof(gid), "%u@flood.example", i);
			done(fan_group_add_range(group_of(gid), first, UES, FAN_PROFILE_EPS_NAS_NIDD));
		}
		for (unsigned i = 0; i < GONE; i++)
			remove_ue(find_ue(2 * i * APART));
		for (unsigned i = 0; i < 100 && fan_context_generation(&fanfare->dataplane->tables[0], 0) == 0; i++)
			check(fan_poll(fanfare) == 0, "polls", i);
		for (unsigned i = 0; i < GONE; i++)
			check((uint32_t)add_ue(FAN_KIND_EPS_NAS, 2 * (UES + i)) < UES, "no slot is used again", i);
		_exit(0);
	}
	cr_assert(waitpid(child, &how, 0) == child && how == 0);
	open_appliance();
	for (unsigned i = 0; i < GONE; i++)
		cr_assert_eq(status_of(find_ue(2 * (UES + i))).groups, 0, "%u", i);
	cr_assert_eq(status_of(find_ue(2)).groups, GROUPS);
	close_appliance();
}

/* ---- Groups ------------------------------------------------------------------------------------------------------------------------ */

static void
leave_group(void *user, fan_context_id id, enum fan_profile profile)
{
	unsigned *const count = user;

	cr_assert_eq(profile, FAN_PROFILE_EPS_NAS_NIDD);
	cr_assert_eq(fan_poll(fanfare), FAN_E_BUSY);
	done(fan_group_remove(group_of(VALLEY), id));
	++*count;
}

Test(registry, members_are_walked_while_they_leave)
{
	unsigned count = 0;

	open_appliance();
	add_hops(1);
	for (unsigned i = 0; i < 20; i++)
		done(fan_group_add(group_of(VALLEY), add_ue(FAN_KIND_EPS_NAS, i), FAN_PROFILE_EPS_NAS_NIDD));
	remove_ue(find_ue(3));
	fan_group_each(group_of(VALLEY), leave_group, &count);
	cr_assert_eq(count, 19);
	cr_assert_eq(fan_group_size(group_of(VALLEY)), 0);
	reopen();
	cr_assert_eq(fan_group_size(group_of(VALLEY)), 0);
	close_appliance();
}

Test(registry, groups_are_walked_in_the_order_of_their_gids)
{
	enum { GROUPS = 300 };
	const struct fan_group *group = NULL;
	char gid[FAN_GROUP_BYTES] = "";
	unsigned count = 0;

	open_appliance();
	for (unsigned i = 0; i < GROUPS; i++) {
		(void)snprintf(gid, sizeof(gid), "%u@flood.example", i * 77 % GROUPS);
		(void)group_of(gid);
	}
	for (unsigned i = 0; i < GROUPS; i += 3) {
		(void)snprintf(gid, sizeof(gid), "%u@flood.example", i);
		done(fan_group_delete(fan_group_find(fanfare, gid)));
	}
	for (unsigned turn = 0; turn < 2; turn++) {
		gid[0] = '\0';
		for (count = 0; (group = fan_group_next(fanfare, count == 0 ? NULL : gid)) != NULL; count++) {
			cr_assert_lt(strcmp(gid, fan_group_gid(group)), 0);
			(void)snprintf(gid, sizeof(gid), "%s", fan_group_gid(group));
		}
		cr_assert_eq(count, GROUPS - GROUPS / 3);
		reopen();
	}
	close_appliance();
}

/* A group over several records of members, changed at their edges. */
/* ---- Who may be a member ------------------------------------------------------------------------------------------------------ */

static fan_context_id
add_capable(unsigned number, uint32_t capabilities)
{
	char identity[FAN_IDENTITY_BYTES];
	fan_context_id id;
	struct fan_ue ue;

	fan_ue_init(&ue, FAN_KIND_EPS_NAS);
	name_ue(identity, number);
	ue.cipher = ue.integrity = 2;
	ue.k_enc[0] = ue.k_int[0] = (uint8_t)number;
	ue.k_enc[1] = ue.k_int[1] = 0x77;
	ue.count_reserved = 1000;
	ue.bearer_id = 5;
	ue.identity = identity;
	ue.capabilities = capabilities;
	done(fan_ue_add(fanfare, &id, &ue));
	return id;
}

static int
admit(struct fan_group *group, uint32_t all, uint32_t any)
{
	struct fan_admission admission;

	fan_admission_init(&admission);
	admission.all = all;
	admission.any = any;
	return fan_group_admission_set(group, &admission);
}

Test(registry, a_group_takes_the_subscriptions_that_it_asks_for)
{
	struct fan_admission admission;
	struct fan_next_hop hop;
	struct fan_group *group;
	fan_context_id gold, silver, bare;
	char identity[FAN_IDENTITY_BYTES];

	open_appliance();
	fan_next_hop_init(&hop);
	hop.ethernet[0] = 2;
	hop.address[0] = 10;
	done(fan_next_hop_add(fanfare, &hop));
	gold = add_capable(1, 0x10001);
	silver = add_capable(2, 0x30001);
	bare = add_capable(3, 1);
	done(fan_group_create(fanfare, &group, VALLEY));
	done(fan_group_add(group, bare, FAN_PROFILE_EPS_NAS_NIDD));
	refused(admit(group, 0x10000, 0), FAN_E_INVALID, "1 memberships of " VALLEY " do not fit");
	done(fan_group_remove(group, bare));
	done(admit(group, 0x10000, 0));
	refused(fan_group_add(group, bare, FAN_PROFILE_EPS_NAS_NIDD), FAN_E_INVALID, "may not be a member of " VALLEY);
	refused(fan_group_add(group, bare, FAN_PROFILE_EPS_NAS_KEY), FAN_E_INVALID, "may not be a member of " VALLEY);
	done(fan_group_add(group, gold, FAN_PROFILE_EPS_NAS_NIDD));
	refused(admit(group, 0x10000, 0x60000), FAN_E_INVALID, "1 memberships");
	reopen();
	group = fan_group_find(fanfare, VALLEY);
	fan_admission_init(&admission);
	done(fan_group_admission(group, &admission));
	cr_assert_eq(admission.all, 0x10000);
	cr_assert_eq(fan_group_size(group), 1);
	name_ue(identity, 2);
	cr_assert_eq(fan_ue_lookup(fanfare, &silver, 1, identity), 1);
	name_ue(identity, 1);
	cr_assert_eq(fan_ue_lookup(fanfare, &gold, 1, identity), 1);
	done(fan_group_remove(group, gold));
	done(admit(group, 0x10000, 0x60000));
	refused(fan_group_add(group, gold, FAN_PROFILE_EPS_NAS_NIDD), FAN_E_INVALID, "one of 0x60000");
	done(fan_group_add(group, silver, FAN_PROFILE_EPS_NAS_NIDD));
	done(admit(group, 0, 0));
	done(fan_group_add(group, gold, FAN_PROFILE_EPS_NAS_NIDD));
	close_appliance();
}

Test(registry, ranges_of_members_are_kept_exactly)
{
	enum { UES = 3 * FAN_MEMBERS_CONTEXTS };
	struct fan_group *group;
	fan_context_id first;
	char *before;

	open_appliance();
	add_hops(1);
	done(fan_begin(fanfare));
	for (unsigned i = 0; i < UES; i++)
		(void)add_ue(FAN_KIND_EPS_NAS, 2 * i);
	done(fan_commit(fanfare));
	first = find_ue(0);
	group = group_of(VALLEY);
	done(fan_group_add_range(group, first + 4000, 5000, FAN_PROFILE_EPS_NAS_NIDD));
	done(fan_group_add_range(group, first + 4095, 2, FAN_PROFILE_EPS_NAS_SMS));
	done(fan_group_add_range(group, first + UES - 1, 1, FAN_PROFILE_EPS_NAS_SMS));
	done(fan_group_remove(group, first + 4096));
	done(fan_group_remove(group, first + 8191));
	refused(fan_group_remove(group, first + 8191), FAN_E_NOT_FOUND, "no member");
	refused(fan_group_add_range(group, first + UES - 1, 2, FAN_PROFILE_EPS_NAS_SMS), FAN_E_NOT_FOUND, "no UE contexts");
	refused(fan_group_add(group, first, FAN_PROFILE_LTE_PDCP_12), FAN_E_INVALID, "not one of the context's kind");
	cr_assert_eq(fan_group_size(group), 5000 - 2 + 1);
	before = draw();
	reopen();
	expect_picture(before, "ranges");
	free(before);
	close_appliance();
}

/* ---- Leases that end by time ---------------------------------------------------------------------------------------------------- */

static struct fan_result result;

static void
note_result(void *user, const struct fan_result *ended, const struct fan_outcome *outcome)
{
	(void)user, (void)outcome;
	result = *ended;
}

static uint64_t
send_and_count(enum fan_drop drop)
{
	struct fan_message message;

	fan_message_init(&message, "hello", 5);
	done(fan_send(fanfare, NULL, group_of(VALLEY), &message, note_result, NULL));
	while (fan_poll(fanfare) > 0)
		usleep(100);
	return drop == FAN_DROP_NONE ? result.sent : result.dropped[drop];
}

/* How often it was told that a lease ends soon. */
static unsigned
count_warnings(fan_context_id id)
{
	struct fan_event event = { .number = 0 };
	unsigned count = 0;

	while (fan_event_next(fanfare, &event, event.number + 1) == 1)
		count += event.kind == FAN_EVENT_LEASE_TIME && event.id == id && event.value <= 30;
	return count;
}

/* Of six UEs, the time of some leases is over, or comes. */
static void
let_leases_end(void)
{
	const int64_t begun_ms = fan_clock_ms(CLOCK_REALTIME);
	char identity[FAN_IDENTITY_BYTES];
	fan_context_id id[6];

	add_hops(1);
	for (unsigned i = 0; i < 6; i++) {
		struct fan_ue ue = make_ue(identity, FAN_KIND_EPS_NAS, 2 * i);

		ue.lease_until_ms = i == 1 ? begun_ms - 1 : i < 4 ? begun_ms + 300 : i == 4 ? begun_ms + 30000 : 0;
		done(fan_ue_add(fanfare, &id[i], &ue));
		done(fan_group_add(group_of(VALLEY), id[i], FAN_PROFILE_EPS_NAS_NIDD));
	}
	done(fan_ue_lease_until(fanfare, id[3], begun_ms + 2000000));
	done(fan_ue_reachable(fanfare, id[2], false));
	cr_assert(send_and_count(FAN_DROP_RESERVATION) == 1 && result.dropped[FAN_DROP_UNREACHABLE] == 1 && result.sent == 4);
	while (fan_clock_ms(CLOCK_REALTIME) <= begun_ms + 300)
		usleep(1000);
	(void)fan_poll(fanfare);
	cr_assert(send_and_count(FAN_DROP_RESERVATION) == 2 && result.dropped[FAN_DROP_UNREACHABLE] == 1 && result.sent == 3);
	done(fan_ue_reachable(fanfare, id[2], true));
	cr_assert_eq(send_and_count(FAN_DROP_RESERVATION), 3, "reachable, and its lease is over all the same");
	cr_assert_eq(fan_ue_lease(fanfare, id[2], 100000), 0);
	cr_assert_eq(send_and_count(FAN_DROP_RESERVATION), 3, "more COUNTs are not more time");
	done(fan_ue_lease_until(fanfare, id[2], fan_clock_ms(CLOCK_REALTIME) + 1000000));
	done(fan_ue_lease_until(fanfare, id[1], 0));
	done(fan_ue_lease_until(fanfare, id[5], fan_clock_ms(CLOCK_REALTIME)));
	cr_assert_eq(send_and_count(FAN_DROP_RESERVATION), 2, "0, and now 5");
	cr_assert_eq(count_warnings(id[4]), 1, "its lease ends within 60 s");
	cr_assert_eq(count_warnings(id[1]) + count_warnings(id[5]), 0, "one was over already, and one has an end of now");
	cr_assert(status_of(id[1]).lease_until_ms == 0 && status_of(id[3]).lease_until_ms == begun_ms + 2000000);
}

Test(registry, nothing_is_spent_of_a_lease_whose_time_is_over)
{
	struct fan_options options;

	fan_options_init(&options);
	options.egress = "net_null";
	done(fan_open(&fanfare, &options));
	let_leases_end();
	close_appliance();
	open_appliance();
	let_leases_end();
	reopen();
	cr_assert_eq(send_and_count(FAN_DROP_RESERVATION), 2, "after a restart");
	close_appliance();
}

/* ---- While messages run -------------------------------------------------------------------------------------------------------- */

/* A UE is given back within 100 ms; a machine that is busy elsewhere may miss that now and then. */
Test(registry, a_ue_is_given_back_at_once_while_messages_run)
{
	enum { UES = 100000, GONE = 20 };
	double shortest_s = 1e9;
	struct fan_message message;

	open_appliance();
	add_hops(1);
	done(fan_begin(fanfare));
	for (unsigned i = 0; i < UES; i++)
		(void)add_ue(FAN_KIND_LTE_PDCP_18, 2 * i);
	done(fan_commit(fanfare));
	done(fan_group_add_range(group_of(VALLEY), find_ue(0), UES, FAN_PROFILE_LTE_PDCP_18));
	fan_message_init(&message, "hello", 5);
	for (unsigned i = 0; i < GONE; i++) {
		double begun_s;

		while (fan_poll(fanfare) < 20)
			done(fan_send(fanfare, NULL, group_of(VALLEY), &message, NULL, NULL));
		begun_s = fan_test_now_s();
		remove_ue(find_ue(2 * i));
		shortest_s = fan_test_now_s() - begun_s < shortest_s ? fan_test_now_s() - begun_s : shortest_s;
	}
	cr_assert_lt(shortest_s, 0.1, "%.3f s", shortest_s);
	close_appliance();
}
