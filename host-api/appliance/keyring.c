/* SPDX-License-Identifier: BSD-3-Clause */
#include "../../dataplane/context/clock.h"
#include "../store/seal.h"
#include "registry.h"

#include <openssl/crypto.h>
#include <rte_common.h>
#include <string.h>
#include <sys/mman.h>

#define RETRY_MS 1000     /* between two attempts of what has failed */
#define LOOKED_MS 100     /* between two looks at all groups, unless something has happened */
#define KEPT_MS 250       /* between two writes of who has been proved to have the key */
#define COUNTS_LEFT 65536 /* of a key, when another is made */

uint64_t
fan_keyring_next_count(const struct fan_keyring *ring)
{
	return ring->group->fanfare->store != NULL ? ring->counter.next : ring->next_count;
}

bool
fan_keyring_is_due(const struct fan_keyring *ring)
{
	return ring->kept.is_due || fan_key_now_s() >= fan_key_renewal_s(&ring->kept) ||
	       (!ring->kept.is_imported && fan_keyring_next_count(ring) > UINT32_MAX - COUNTS_LEFT);
}

/* ---- In memory ---------------------------------------------------------------------------------------------------------------- */

static struct fan_keyring *
make_ring(void)
{
	struct fan_keyring *ring = mmap(NULL, sizeof(*ring), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (ring == MAP_FAILED) {
		(void)fan_fail(FAN_E_MEMORY, "no memory for the keys of a group");
		return NULL;
	}
	(void)madvise(ring, sizeof(*ring), MADV_DONTDUMP);
	return ring;
}

static void
forget_proofs(struct fan_keyring *ring)
{
	for (unsigned i = 0; i < ring->proof_count; i++)
		fan_key_counts_release(ring->proofs[i].counts);
	free(ring->proofs);
	ring->proofs = NULL;
	ring->proof_count = 0;
}

/* Nobody is known to have the key. */
static void
forget_holders(struct fan_keyring *ring)
{
	forget_proofs(ring);
	fan_members_free(&ring->held);
	fan_members_free(&ring->fresh);
	fan_members_free(&ring->joined);
}

static void
free_ring(struct fan_keyring *ring)
{
	forget_holders(ring);
	fan_group_signer_close(ring->signer);
	explicit_bzero(ring, sizeof(*ring));
	(void)munmap(ring, sizeof(*ring));
}

static void
enter(struct fan_keyring *ring, struct fan_group *group)
{
	struct fanfare *const fanfare = group->fanfare;

	ring->group = group;
	ring->next = fanfare->keyrings;
	ring->link = &fanfare->keyrings;
	if (ring->next != NULL)
		ring->next->link = &ring->next;
	fanfare->keyrings = ring;
	group->keys = ring;
}

void
fan_keyring_forget(struct fan_group *group)
{
	struct fan_keyring *const ring = group->keys;

	if (ring == NULL)
		return;
	*ring->link = ring->next;
	if (ring->next != NULL)
		ring->next->link = ring->link;
	group->keys = NULL;
	fan_changes_note_keys(group);
	free_ring(ring);
}

/* ---- A key of what is kept ----------------------------------------------------------------------------------------------------- */

static int
open_signer(struct fan_group_signer **signer, const struct fan_record_group_key *kept)
{
	*signer = NULL;
	return kept->is_signed ? fan_group_signer_open(signer, kept->secret.signer) : 0;
}

/* Out: *key, to be wiped. */
static int
make_key(struct fan_group_key *key, const struct fan_record_group_key *kept, const struct fan_group_signer *signer)
{
	int error;

	*key = (struct fan_group_key){ .gki = kept->gki,
				       .cipher = kept->cipher,
				       .integrity = kept->integrity,
				       .tag_bytes = kept->tag_bytes,
				       .is_signed = kept->is_signed,
				       .start_s = kept->start_s,
				       .duration_min = kept->duration_min };
	error = fan_group_gid_write(&key->gid, kept->gid);
	if (error == 0 && !kept->is_imported)
		error = fan_group_key_derive(key, kept->secret.master, sizeof(kept->secret.master));
	if (kept->is_imported) {
		memcpy(key->k_integ, kept->secret.k_integ, sizeof(key->k_integ));
		memcpy(key->k_conf, kept->secret.k_conf, sizeof(key->k_conf));
	}
	if (signer != NULL)
		fan_group_signer_verifier(key->verifier, signer);
	return error == 0 ? fan_group_key_check(key) : error;
}

/* ---- On the disk ---------------------------------------------------------------------------------------------------------------- */

/* Within a transaction. */
static int
put_kept(struct fan_store *store, const struct fan_record_group_key *kept)
{
	struct fan_record record = { .kind = FAN_RECORD_GROUP_KEY };
	int error;

	record.group_key = *kept;
	error = fan_store_put(store, &record);
	explicit_bzero(&record.group_key, sizeof(record.group_key));
	return error;
}

/* Notes that a Gki was in use, and that no COUNT of the key was spent yet. */
static int
put_gki(struct fan_store *store, const struct fan_record_group_key *kept)
{
	struct fan_record record = { .kind = FAN_RECORD_GROUP };
	int error;

	memcpy(record.group.gid, kept->gid, sizeof(record.group.gid));
	error = fan_store_get(store, &record);
	record.group.gki = kept->gki;
	record.group.gki_used[kept->gki >> 3] |= (uint8_t)(1U << (kept->gki & 7));
	record.group.count_reserved = 0;
	return error == 0 ? fan_store_put(store, &record) : error;
}

/* A key of another node goes in once: of a second time nobody knows what was spent. */
static int
put_spent(struct fan_store *store, const uint8_t key[FAN_KEY_BYTES])
{
	struct fan_record record = { .kind = FAN_RECORD_SPENT_KEY };
	int error;

	fan_seal_hash(record.spent_key.fingerprint, sizeof(record.spent_key.fingerprint), "fanfare imported key 1", key,
		      FAN_KEY_BYTES);
	error = fan_store_get(store, &record);
	if (error == 0)
		return fan_fail(FAN_E_EXISTS, "the key was given before: none is used twice, for nobody knows its COUNTs then");
	return error == FAN_E_NOT_FOUND ? fan_store_put(store, &record) : error;
}

static int
put_imported(struct fan_store *store, const struct fan_record_group_key *kept)
{
	int error = kept->is_imported ? put_spent(store, kept->secret.k_integ) : 0;

	if (error == 0 && kept->is_imported && kept->cipher != 0)
		error = put_spent(store, kept->secret.k_conf);
	return error;
}

/* The key of those of a table that hold a key, in slots from a multiple of FAN_MEMBERS_CONTEXTS on. */
static struct fan_record
held_window(const struct fan_group *group, const struct fan_member_set *set, uint32_t slot)
{
	struct fan_record record = { .kind = FAN_RECORD_MEMBERS };

	memcpy(record.members.gid, group->gid, sizeof(group->gid));
	record.members.table = group->fanfare->dataplane->tables[set->table].protection;
	record.members.profile = set->profile | FAN_MEMBERS_HELD;
	record.members.first_slot = slot - slot % FAN_MEMBERS_CONTEXTS;
	return record;
}

/* Puts what `held` has of each record that has one of `which`; with `held` NULL those records are deleted. */
static int
put_windows(const struct fan_group *group, const struct fan_members *held, const struct fan_member_set *which)
{
	uint32_t slot = 0;
	roaring_uint32_iterator_t at;
	int error = 0;

	roaring_iterator_init(which->slots, &at);
	while (error == 0 && at.has_value && roaring_uint32_iterator_move_equalorlarger(&at, slot)) {
		struct fan_record record = held_window(group, which, at.current_value);

		if (held != NULL)
			fan_members_read(held, record.members.member, which->table, which->profile, record.members.first_slot,
					 FAN_MEMBERS_CONTEXTS);
		error = fan_registry_put_window(group->fanfare->store, &record);
		slot = record.members.first_slot + FAN_MEMBERS_CONTEXTS;
		if (slot == 0)
			break;
	}
	return error;
}

static int
clear_held(const struct fan_group *group)
{
	int error = 0;

	for (unsigned i = 0; group->keys != NULL && error == 0 && i < group->keys->held.set_count; i++)
		error = put_windows(group, NULL, &group->keys->held.sets[i]);
	return error;
}

static int
put_renewal(const struct fan_group *group, const struct fan_record_group_key *kept)
{
	struct fan_store *const store = group->fanfare->store;
	int error = store == NULL ? 0 : fan_store_begin(store);

	if (store == NULL || error != 0)
		return error;
	error = put_imported(store, kept);
	if (error == 0)
		error = put_gki(store, kept);
	if (error == 0)
		error = put_kept(store, kept);
	if (error == 0)
		error = clear_held(group);
	return fan_store_end(store, error);
}

/* Writes what a group's keys are to say, by itself. */
static int
write_kept(struct fan_keyring *ring, const struct fan_record_group_key *kept)
{
	struct fan_store *const store = ring->group->fanfare->store;
	int error = store == NULL ? 0 : fan_store_begin(store);

	if (error == 0 && store != NULL)
		error = fan_store_end(store, put_kept(store, kept));
	if (error == 0)
		ring->kept = *kept;
	return error;
}

int
fan_keyring_delete(const struct fan_group *group)
{
	struct fan_store *const store = group->fanfare->store;
	struct fan_record record = { .kind = FAN_RECORD_GROUP_KEY };
	int error = store == NULL ? 0 : fan_store_begin(store);

	if (store == NULL || error != 0)
		return error;
	memcpy(record.group_key.gid, group->gid, sizeof(record.group_key.gid));
	error = fan_store_delete(store, &record);
	if (error == 0)
		error = clear_held(group);
	return fan_store_end(store, error);
}

/* ---- The current key -------------------------------------------------------------------------------------------------------------- */

/* What a ring has of a key becomes that of another. Nothing here fails. */
static void
take_over(struct fan_keyring *ring, const struct fan_record_group_key *kept, const struct fan_group_key *key,
	  struct fan_group_signer *signer)
{
	struct fan_group *const group = ring->group;

	if (ring->signer != signer)
		fan_group_signer_close(ring->signer);
	ring->signer = signer;
	ring->kept = *kept;
	fan_group_keys_wipe(&ring->keys);
	ring->keys.current = *key;
	ring->keys.has_current = true;
	memcpy(ring->keys.used, group->gki_used, sizeof(ring->keys.used));
	ring->whole = kept->to_send;
	ring->next_count = 0;
	memset(ring->sent, 0, sizeof(ring->sent));
	fan_changes_note_keys(group);
}

/* Makes what is kept the current key of a ring that is in no list yet, or is the group's. */
static int
use(struct fan_keyring *ring, const struct fan_record_group_key *kept)
{
	struct fan_store *const store = ring->group->fanfare->store;
	struct fan_group_signer *signer;
	struct fan_group_key key;
	int error = open_signer(&signer, kept);

	if (error == 0)
		error = make_key(&key, kept, signer);
	if (error == 0 && store != NULL)
		error = fan_group_counter_open(&ring->counter, store, kept->gid, kept->gki, 0);
	if (error == 0)
		take_over(ring, kept, &key, signer);
	else
		fan_group_signer_close(signer);
	fan_group_key_wipe(&key);
	return error;
}

/* Whether a key can be made of it. */
static int
try_key(const struct fan_record_group_key *kept)
{
	struct fan_group_signer *signer;
	struct fan_group_key key;
	int error = open_signer(&signer, kept);

	if (error == 0)
		error = make_key(&key, kept, signer);
	fan_group_signer_close(signer);
	fan_group_key_wipe(&key);
	return error;
}

/* The next key, which is not made yet: it takes the Gki, and is to be sent to all. In: what it is made of. */
int
fan_keyring_install(struct fan_group *group, const struct fan_record_group_key *kept)
{
	struct fan_keyring *ring = group->keys != NULL ? group->keys : make_ring();
	int error = ring == NULL ? FAN_E_MEMORY : try_key(kept);

	if (error == 0)
		error = put_renewal(group, kept);
	if (error == 0)
		group->gki_used[kept->gki >> 3] |= (uint8_t)(1U << (kept->gki & 7));
	if (error == 0 && group->keys == NULL)
		enter(ring, group);
	else if (error != 0 && group->keys == NULL && ring != NULL)
		free_ring(ring);
	if (error != 0)
		return error;
	forget_holders(ring);
	fan_choice_settle_group(group);
	error = use(ring, kept);
	group->fanfare->keyrings_stirred = true;
	group->fanfare->key_metrics.rotations++;
	if (error == 0)
		return 0;
	/* It is the current one on the disk: the one before must not be sealed under, and another is due. */
	fan_group_keys_wipe(&ring->keys);
	ring->kept = *kept;
	ring->kept.is_due = true;
	return error;
}

int
fan_keyring_next_gki(const struct fan_group *group)
{
	struct fan_group_keys keys = { .has_current = group->keys != NULL };
	int gki;

	memcpy(keys.used, group->gki_used, sizeof(keys.used));
	if (group->keys != NULL)
		keys.current.gki = group->keys->kept.gki;
	gki = fan_group_keys_next_gki(&keys);
	return gki >= 0 ? gki
			: fan_fail(FAN_E_INVALID, "all %d Gki of group %s were in use: members take none twice",
				   FAN_GROUP_GKI_COUNT, group->gid);
}

/* The current key becomes the one before, for so long. */
void
fan_keyring_end_current(struct fan_record_group_key *next, const struct fan_group *group, int64_t now, uint32_t overlap_s)
{
	const struct fan_record_group_key *const kept = &group->keys->kept;

	next->has_previous = true;
	next->previous_gki = kept->gki;
	next->previous_end_s = RTE_MIN(now + (int64_t)overlap_s, fan_key_end_s(kept));
	next->rotations = kept->rotations;
}

void
fan_keyring_begin_next(struct fan_record_group_key *next, int gki)
{
	next->gki = (uint8_t)gki;
	next->is_due = false;
	next->to_send = (1U << FAN_KEY_FORMS) - 1;
	next->rotations++;
}

/* In: a group that has keys. */
static int
renew(struct fan_group *group, uint32_t overlap_s)
{
	struct fan_record_group_key next = group->keys->kept;
	const int gki = next.is_imported ? fan_fail(FAN_E_INVALID, "another node makes the keys of group %s: give the next one",
						    group->gid)
					 : fan_keyring_next_gki(group);
	int error = gki < 0 ? gki : 0;

	if (error == 0)
		error = fan_registry_may_change(group->fanfare, "a new key of a group");
	if (error == 0) {
		const int64_t now = fan_key_now_s();

		fan_keyring_end_current(&next, group, now, overlap_s);
		fan_keyring_begin_next(&next, gki);
		next.start_s = now;
		error = fan_keyring_install(group, &next);
	}
	OPENSSL_cleanse(&next, sizeof(next));
	return error;
}

/* A member that may have the key has left: no overlap. */
int
fan_keyring_renew(struct fan_group *group)
{
	return renew(group, group->keys->kept.is_due ? 0 : group->keys->kept.overlap_s);
}

int
fan_keyring_restore(struct fan_group *group, const struct fan_record_group_key *record)
{
	struct fan_keyring *ring = make_ring();
	int error = ring == NULL ? FAN_E_MEMORY : 0;

	if (error != 0)
		return error;
	ring->group = group;
	error = use(ring, record);
	if (error == 0)
		enter(ring, group);
	else
		free_ring(ring);
	return error;
}

/* ---- Members come and go -------------------------------------------------------------------------------------------------------------- */

const struct fan_record_group_key *
fan_keyring_on_joining(struct fan_record_group_key *record, const struct fan_group *group, enum fan_profile profile)
{
	const struct fan_keyring *const ring = group->keys;

	if (ring == NULL || !fan_key_has_form(profile))
		return NULL;
	*record = ring->kept;
	record->to_send |= (uint8_t)(1U << fan_key_form(profile));
	return record;
}

/* Whether a member that leaves makes another key due. */
static bool
makes_due(const struct fan_group *group, unsigned table, uint32_t slot)
{
	return group->keys != NULL && group->keys->kept.rekey_on_removal && !group->keys->kept.is_due &&
	       group->fanfare->dataplane->tables[table].protection.kind != FAN_KIND_MBMS &&
	       fan_members_has(&group->able, (uint16_t)table, slot);
}

const struct fan_record_group_key *
fan_keyring_on_leaving(struct fan_record_group_key *record, const struct fan_group *group, unsigned table, uint32_t slot)
{
	if (!makes_due(group, table, slot))
		return NULL;
	*record = group->keys->kept;
	record->is_due = true;
	return record;
}

/* Adds to `joined` who is in `able` and was not before. False: memory is short. */
static bool
add_joined(struct fan_keyring *ring, const struct fan_member_set *able)
{
	const struct fan_members *const before = &ring->group->able;
	const roaring_bitmap_t *former = NULL;
	roaring_bitmap_t *slots;
	roaring_uint32_iterator_t at;
	int error = 0;

	for (unsigned i = 0; i < before->set_count; i++)
		if (before->sets[i].table == able->table && before->sets[i].profile == able->profile)
			former = before->sets[i].slots;
	slots = former != NULL ? roaring_bitmap_andnot(able->slots, former) : roaring_bitmap_copy(able->slots);
	if (slots == NULL)
		return false;
	for (roaring_iterator_init(slots, &at); error == 0 && at.has_value; roaring_uint32_iterator_advance(&at))
		error = fan_members_add_range(&ring->joined, able->table, (enum fan_profile)able->profile, at.current_value, 1);
	roaring_bitmap_free(slots);
	return error == 0;
}

void
fan_keyring_joined(struct fan_group *group, const struct fan_members *able, enum fan_profile profile)
{
	struct fan_keyring *const ring = group->keys;

	if (ring == NULL || !fan_key_has_form(profile))
		return;
	group->fanfare->keyrings_stirred = true;
	ring->kept.to_send |= (uint8_t)(1U << fan_key_form(profile));
	for (unsigned i = 0; i < able->set_count; i++)
		if (able->sets[i].profile == profile && !add_joined(ring, &able->sets[i]))
			ring->whole |= (uint8_t)(1U << fan_key_form(profile));
}

static void
take_out(struct fan_members *members, unsigned table, uint32_t slot)
{
	if (fan_members_has(members, (uint16_t)table, slot))
		(void)fan_members_remove(members, (uint16_t)table, slot);
}

static void
forget_count(const struct fan_keyring *ring, unsigned table, uint32_t slot)
{
	for (unsigned i = 0; i < ring->proof_count; i++)
		if (ring->proofs[i].table == table)
			fan_key_counts_forget(ring->proofs[i].counts, slot);
}

void
fan_keyring_left(struct fan_group *group, unsigned table, uint32_t slot)
{
	struct fan_keyring *const ring = group->keys;

	if (ring == NULL)
		return;
	group->fanfare->keyrings_stirred = true;
	ring->kept.is_due = ring->kept.is_due || makes_due(group, table, slot);
	take_out(&ring->joined, table, slot);
	take_out(&ring->fresh, table, slot);
	take_out(&ring->held, table, slot);
	forget_count(ring, table, slot);
}

int
fan_keyrings_put_removal(struct fanfare *fanfare, unsigned table, uint32_t slot)
{
	struct fan_record_group_key record;
	int error = 0;

	for (const struct fan_keyring *ring = fanfare->keyrings; error == 0 && ring != NULL; ring = ring->next)
		if (fan_keyring_on_leaving(&record, ring->group, table, slot) != NULL)
			error = put_kept(fanfare->store, &record);
	OPENSSL_cleanse(&record, sizeof(record));
	return error;
}

void
fan_keyrings_note_removal(struct fanfare *fanfare, unsigned table, uint32_t slot)
{
	for (struct fan_keyring *ring = fanfare->keyrings; ring != NULL; ring = ring->next)
		if (makes_due(ring->group, table, slot))
			ring->kept.is_due = fanfare->keyrings_stirred = true;
}

bool
fan_keyring_free_slots(struct fan_group *group, unsigned table, const roaring_bitmap_t *slots)
{
	struct fan_keyring *const ring = group->keys;
	roaring_uint32_iterator_t at;

	if (ring == NULL)
		return true;
	for (roaring_iterator_init(slots, &at); at.has_value; roaring_uint32_iterator_advance(&at))
		forget_count(ring, table, at.current_value);
	return fan_members_subtract(&ring->joined, (uint16_t)table, slots) == 0 &&
	       fan_members_subtract(&ring->fresh, (uint16_t)table, slots) == 0 &&
	       fan_members_subtract(&ring->held, (uint16_t)table, slots) == 0;
}

/* ---- Sent, proved --------------------------------------------------------------------------------------------------------------------- */

/* Whether a message is on its way and the disk does not know of it. */
static bool
is_pending(const struct fanfare *fanfare, fan_message_id id)
{
	for (const struct fan_flight *flight = fanfare->dataplane->flights.first; id != 0 && flight != NULL;
	     flight = flight->next)
		if (flight->number == id)
			return !fanfare->journal.entries[flight->place].durable;
	return false;
}

/* Whether a key is still to be sent, or the disk does not know yet that it was. */
static bool
is_sending(const struct fan_keyring *ring)
{
	bool pending = ring->whole != 0 || ring->joined.set_count > 0;

	for (unsigned form = 0; ring->group->fanfare->store != NULL && form < FAN_KEY_FORMS; form++)
		pending = pending || is_pending(ring->group->fanfare, ring->sent[form]);
	return pending;
}

/* Once the messages are durable, a crash needs to send nothing. */
static int
note_sent(struct fan_keyring *ring)
{
	struct fan_record_group_key kept;
	int error;

	if (ring->kept.to_send == 0 || is_sending(ring))
		return 0;
	kept = ring->kept;
	kept.to_send = 0;
	error = write_kept(ring, &kept);
	OPENSSL_cleanse(&kept, sizeof(kept));
	return error;
}

/* Memory may be short: then it is proved next time, or served otherwise. */
static void
note_held(struct fan_keyring *ring, unsigned table, uint32_t slot)
{
	for (unsigned i = 0; i < ring->group->able.set_count; i++) {
		const struct fan_member_set *const set = &ring->group->able.sets[i];
		const enum fan_profile profile = (enum fan_profile)set->profile;

		if (set->table != table || !roaring_bitmap_contains(set->slots, slot))
			continue;
		if (fan_members_add_range(&ring->fresh, (uint16_t)table, profile, slot, 1) == 0)
			(void)fan_members_add_range(&ring->held, (uint16_t)table, profile, slot, 1);
	}
	fan_choice_settle(ring->group, table, slot);
}

void
fan_keyrings_prove(struct fanfare *fanfare, unsigned table, uint32_t slot, uint32_t count)
{
	for (struct fan_keyring *ring = fanfare->keyrings; ring != NULL; ring = ring->next)
		for (unsigned i = 0; i < ring->proof_count; i++)
			if (ring->proofs[i].table == table && fan_key_counts_is(ring->proofs[i].counts, slot, count))
				note_held(ring, table, slot);
}

static int
put_fresh(const struct fan_keyring *ring)
{
	int error = 0;

	for (unsigned i = 0; error == 0 && i < ring->fresh.set_count; i++)
		error = put_windows(ring->group, &ring->held, &ring->fresh.sets[i]);
	return error;
}

/* In: last, whether nobody will ask again. */
static int
write_fresh(struct fan_keyring *ring, bool last)
{
	struct fan_store *const store = ring->group->fanfare->store;
	const int64_t now_ms = fan_clock_ms(CLOCK_MONOTONIC);
	int error;

	if (ring->fresh.set_count == 0 || (!last && now_ms - ring->kept_ms < KEPT_MS))
		return 0;
	error = store == NULL ? 0 : fan_store_begin(store);
	if (error == 0 && store != NULL)
		error = fan_store_end(store, put_fresh(ring));
	if (error != 0)
		return error;
	ring->kept_ms = now_ms;
	fan_members_free(&ring->fresh);
	return 0;
}

/* Without those removed, whose slots are not free yet. */
uint64_t
fan_keyring_count(const struct fanfare *fanfare, const struct fan_members *members)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < members->set_count; i++) {
		const struct fan_member_set *const set = &members->sets[i];
		const roaring_bitmap_t *const gone = fanfare->removals[set->table].gone;

		if (!fan_key_has_form((enum fan_profile)set->profile))
			continue;
		count += roaring_bitmap_get_cardinality(set->slots);
		count -= gone != NULL ? roaring_bitmap_and_cardinality(set->slots, gone) : 0;
	}
	return count;
}

/* ---- In turn -------------------------------------------------------------------------------------------------------------------------- */

static void
note_attempt(struct fan_keyring *ring, int error)
{
	ring->tried_ms = error != 0 ? fan_clock_ms(CLOCK_MONOTONIC) : 0;
	ring->failures += error != 0;
	ring->group->fanfare->key_metrics.failures += error != 0;
	(void)snprintf(ring->failure, sizeof(ring->failure), "%s", error != 0 ? fan_error_detail() : "");
}

/* Once all have the key, nobody's COUNT is waited for. */
static void
end_proofs(struct fan_keyring *ring)
{
	if (ring->proof_count > 0 && ring->kept.to_send == 0 &&
	    fan_keyring_count(ring->group->fanfare, &ring->held) == fan_keyring_count(ring->group->fanfare, &ring->group->able))
		forget_proofs(ring);
}

/* The key before is over, and not by its own time. */
static bool
overlap_has_ended(const struct fan_record_group_key *kept)
{
	return kept->has_previous && !fan_key_replaces_at_once(kept) && fan_key_now_s() >= kept->previous_end_s;
}

/* In: a ring whose overlap has ended. */
static int
end_overlap(struct fan_keyring *ring)
{
	struct fan_record_group_key kept = ring->kept;
	int error = fan_keyring_send_deletion(ring->group, &kept.previous_gki, 1);

	if (error == 0)
		error = fan_journal_sync(ring->group->fanfare);
	kept.has_previous = false;
	if (error == 0)
		error = write_kept(ring, &kept);
	OPENSSL_cleanse(&kept, sizeof(kept));
	return error;
}

static void
serve(struct fan_keyring *ring)
{
	const struct fanfare *const fanfare = ring->group->fanfare;
	int error = 0;

	if (ring->tried_ms != 0 && fan_clock_ms(CLOCK_MONOTONIC) - ring->tried_ms < RETRY_MS)
		return;
	if (fan_keyring_is_due(ring) && !ring->kept.is_imported)
		error = fan_keyring_renew(ring->group);
	if (error == 0 && !fanfare->draining && ring->keys.has_current)
		error = fan_keyring_send(ring);
	if (error == 0 && !fanfare->draining && overlap_has_ended(&ring->kept))
		error = end_overlap(ring);
	if (error == 0)
		error = note_sent(ring);
	if (error == 0)
		error = write_fresh(ring, false);
	if (error == 0)
		end_proofs(ring);
	if (error != 0 || ring->tried_ms != 0)
		note_attempt(ring, error);
}

void
fan_keyrings_close(struct fanfare *fanfare)
{
	for (struct fan_keyring *ring = fanfare->keyrings; ring != NULL; ring = ring->next)
		(void)write_fresh(ring, true);
}

static void
count_ring(struct fan_key_metrics *metrics, const struct fan_keyring *ring)
{
	metrics->groups++;
	metrics->due += fan_keyring_is_due(ring);
	metrics->able += fan_keyring_count(ring->group->fanfare, &ring->group->able);
	metrics->held += fan_keyring_count(ring->group->fanfare, &ring->held);
}

void
fan_keyrings_serve(struct fanfare *fanfare)
{
	const int64_t now_ms = fan_clock_ms(CLOCK_MONOTONIC);
	struct fan_key_metrics *const metrics = &fanfare->key_metrics;

	if (fanfare->batching || (!fanfare->keyrings_stirred && now_ms - fanfare->keyrings_ms < LOOKED_MS))
		return;
	fanfare->keyrings_stirred = false;
	fanfare->keyrings_ms = now_ms;
	*metrics = (struct fan_key_metrics){ .rotations = metrics->rotations, .failures = metrics->failures };
	for (struct fan_keyring *ring = fanfare->keyrings; ring != NULL; ring = ring->next) {
		serve(ring);
		count_ring(metrics, ring);
	}
}
