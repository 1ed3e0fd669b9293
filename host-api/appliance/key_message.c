/* SPDX-License-Identifier: BSD-3-Clause */
/* The messages that bring keys of groups to members, and the orders to forget them. */
#include "registry.h"

#include <openssl/crypto.h>
#include <string.h>

#define ROW_BYTES_MAX (FAN_GROUP_ENTRY_BYTES_MAX + FAN_GROUP_ENTRY_BYTES_MAX)

static_assert(FAN_PROFILE_5GS_NAS_KEY == FAN_PROFILE_EPS_NAS_KEY + 1, "forms are numbered by profiles");
static_assert(ROW_BYTES_MAX <= FAN_GROUP_ENTRIES_BYTES_MAX, "a key and the order to forget another fit one message");

/* ---- Octets --------------------------------------------------------------------------------------------------------------------------- */

static int
write_entries(uint8_t *out, const struct fan_keyring *ring)
{
	struct fan_group_entry entry = { .key = ring->keys.current };
	int count = fan_group_entry_write(out, &entry, NULL), more = 0;

	fan_group_key_wipe(&entry.key);
	if (count < 0 || !fan_key_replaces_at_once(&ring->kept))
		return count;
	entry.deletes = true;
	entry.key.gid = ring->keys.current.gid;
	entry.key.gki = ring->kept.previous_gki;
	more = fan_group_entry_write(out + count, &entry, NULL);
	return more < 0 ? more : count + more;
}

static int
write_session(uint8_t *out, const struct fan_keyring *ring)
{
	struct fan_group_session session;

	if (!ring->kept.has_session)
		return fan_fail(FAN_E_INVALID,
				"group %s has members of 5GS and its keys no session: fan_group_key_set() takes one",
				ring->group->gid);
	memcpy(session.service_id, ring->kept.service_id, sizeof(session.service_id));
	memcpy(session.plmn, ring->kept.plmn, sizeof(session.plmn));
	memcpy(session.key_group, ring->kept.key_group, sizeof(session.key_group));
	return fan_group_session_write(out, &session, &ring->keys.current);
}

/* Out: the octets of the current key in a form, to be wiped. Returns how many. */
static int
write_form(uint8_t out[ROW_BYTES_MAX], const struct fan_keyring *ring, unsigned form)
{
	return form == 0 ? write_entries(out, ring) : write_session(out, ring);
}

/* ---- Whom they go to ------------------------------------------------------------------------------------------------------------------- */

/* An entry begins with its version, 1; a container with decision 5 and no rejection cause. */
static enum fan_profile
profile_of(const struct fan_message *message)
{
	/* MIKEY, version 1, and what follows the common header. */
	if (message->byte_count > 2 && memcmp(message->bytes, "\x01\x00\x15", 3) == 0)
		return FAN_PROFILE_MBMS_MSK;
	return message->bytes[0] >> 4 == 1 ? FAN_PROFILE_EPS_NAS_KEY : FAN_PROFILE_5GS_NAS_KEY;
}

/* Whether a message has the octets of the group's current key. */
static bool
is_current(const struct fan_group *group, const struct fan_message *message)
{
	uint8_t octets[ROW_BYTES_MAX];
	const unsigned form = fan_key_form(profile_of(message));
	int octet_count;
	bool is;

	if (form >= FAN_KEY_FORMS || group->keys == NULL || !group->keys->keys.has_current ||
	    (form == 1 && !group->keys->kept.has_session))
		return false;
	octet_count = write_form(octets, group->keys, form);
	is = octet_count > 0 && (size_t)octet_count == message->byte_count &&
	     CRYPTO_memcmp(octets, message->bytes, message->byte_count) == 0;
	OPENSSL_cleanse(octets, sizeof(octets));
	return is;
}

/* Adds a set of slots, of which some are left out. */
static int
add_set(struct fan_members *members, const struct fan_member_set *set, const struct fan_members *without)
{
	struct fan_members one = {
		.sets = &(struct fan_member_set){ .table = set->table, .profile = set->profile, .slots = set->slots },
		.set_count = 1
	};
	struct fan_members copy;
	struct fan_member_set *sets;
	int error = fan_members_snapshot(&copy, &one);

	for (unsigned i = 0; error == 0 && without != NULL && i < without->set_count; i++)
		if (without->sets[i].table == set->table && without->sets[i].profile == set->profile)
			error = fan_members_subtract(&copy, set->table, without->sets[i].slots);
	sets = error == 0 && copy.set_count > 0 ? realloc(members->sets, (members->set_count + 1) * sizeof(*sets)) : NULL;
	if (error != 0 || sets == NULL) {
		error = error == 0 && copy.set_count > 0 ? fan_fail(FAN_E_MEMORY, "no memory for those without a key") : error;
		fan_members_free(&copy);
		return error;
	}
	members->sets = sets;
	members->sets[members->set_count++] = copy.sets[0];
	free(copy.sets);
	return 0;
}

int
fan_keyring_choose(struct fan_members *members, const struct fan_group *group, const struct fan_message *message)
{
	const enum fan_profile profile = profile_of(message);
	const struct fan_keyring *const ring = is_current(group, message) ? group->keys : NULL;
	const struct fan_members *const from = ring != NULL && ring->target != NULL ? ring->target : &group->able;
	int error = 0;

	*members = (struct fan_members){ .set_count = 0 };
	for (unsigned i = 0; error == 0 && i < from->set_count; i++)
		if (from->sets[i].profile == profile)
			error = add_set(members, &from->sets[i], ring != NULL ? &ring->held : NULL);
	if (error != 0)
		fan_members_free(members);
	return error;
}

/* The COUNTs of a table, with room for all of its slots. NULL: memory is short. */
static struct fan_key_counts *
counts_of(struct fan_keyring *ring, unsigned table)
{
	const size_t slots = ring->group->fanfare->dataplane->tables[table].used;
	struct fan_key_proof *proofs;
	struct fan_key_counts *counts = NULL;

	for (unsigned i = 0; i < ring->proof_count; i++)
		if (ring->proofs[i].table == table && ring->proofs[i].counts->slots >= slots)
			return ring->proofs[i].counts;
	if (fan_key_counts_make(&counts, slots) != 0 || counts == NULL)
		return NULL;
	proofs = realloc(ring->proofs, (ring->proof_count + 1) * sizeof(*proofs));
	if (proofs == NULL) {
		fan_key_counts_release(counts);
		return NULL;
	}
	ring->proofs = proofs;
	proofs[ring->proof_count++] = (struct fan_key_proof){ .table = (uint16_t)table, .counts = counts };
	return counts;
}

void
fan_keyring_track(const struct fan_group *group, struct fan_flight *flight, const struct fan_message *message)
{
	if (!is_current(group, message))
		return;
	for (unsigned i = 0; i < flight->leg_count; i++) {
		struct fan_leg *const leg = &flight->legs[i];
		struct fan_key_counts *const counts = leg->plans.part_count == 1 ? counts_of(group->keys, leg->table_index)
										 : NULL;

		leg->key_counts = counts != NULL ? fan_key_counts_hold(counts) : NULL;
	}
}

/* Whether any member of a form has no proof. */
static bool
any_without(const struct fan_keyring *ring, const struct fan_members *from, unsigned form)
{
	uint64_t able = 0, held = 0;

	for (unsigned i = 0; i < from->set_count; i++)
		if (fan_key_form((enum fan_profile)from->sets[i].profile) == form)
			able += roaring_bitmap_get_cardinality(from->sets[i].slots);
	for (unsigned i = 0; from == &ring->group->able && i < ring->held.set_count; i++)
		if (fan_key_form((enum fan_profile)ring->held.sets[i].profile) == form)
			held += roaring_bitmap_get_cardinality(ring->held.sets[i].slots);
	return able > held;
}

/* For as long as the key is valid. */
static uint32_t
validity_ms(const struct fan_keyring *ring)
{
	const int64_t left_ms = 1000 * (fan_key_end_s(&ring->kept) - fan_key_now_s());

	return left_ms < 1 ? 1 : left_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)left_ms;
}

static int
send_form(struct fan_keyring *ring, unsigned form, const struct fan_members *target)
{
	uint8_t octets[ROW_BYTES_MAX];
	struct fan_message message;
	const int octet_count = write_form(octets, ring, form);
	int error = octet_count < 0 ? octet_count : 0;

	if (error == 0) {
		fan_message_init(&message, octets, (size_t)octet_count);
		message.group_keys = true;
		message.priority = FAN_PRIORITY_URGENT;
		message.valid_for_ms = validity_ms(ring);
		ring->target = target;
		error = fan_send(ring->group->fanfare, &ring->sent[form], ring->group, &message, NULL, NULL);
		ring->target = NULL;
	}
	OPENSSL_cleanse(octets, sizeof(octets));
	return error;
}

/* In: a form in which members are to be sent the key. */
static int
hand_out(struct fan_keyring *ring, unsigned form)
{
	const bool whole = fan_key_form_in(ring->whole, form);
	const struct fan_members *const target = whole ? &ring->group->able : &ring->joined;
	int error = any_without(ring, target, form) ? send_form(ring, form, target) : 0;

	/* All of them were removed. */
	if (error == FAN_E_INVALID && ring->group->fanfare->gone_count > 0)
		error = 0;
	if (error != 0)
		return error;
	ring->whole &= (uint8_t) ~(1U << form);
	for (unsigned i = 0; i < ring->joined.set_count;) {
		const struct fan_member_set *const set = &ring->joined.sets[i];
		roaring_bitmap_t *const slots = set->slots;

		if (fan_key_form((enum fan_profile)set->profile) != form) {
			i++;
			continue;
		}
		roaring_bitmap_free(slots);
		ring->joined.sets[i] = ring->joined.sets[--ring->joined.set_count];
	}
	return 0;
}

static bool
has_joined(const struct fan_keyring *ring, unsigned form)
{
	for (unsigned i = 0; i < ring->joined.set_count; i++)
		if (fan_key_form((enum fan_profile)ring->joined.sets[i].profile) == form)
			return true;
	return false;
}

int
fan_keyring_send(struct fan_keyring *ring)
{
	int error = 0;

	/* What keeps one form back does not keep the other. */
	for (unsigned form = 0; form < FAN_KEY_FORMS; form++)
		if (fan_key_form_in(ring->whole, form) || has_joined(ring, form)) {
			const int failed = hand_out(ring, form);

			error = failed != 0 ? failed : error;
		}
	return error;
}

/* ---- Forgetting ------------------------------------------------------------------------------------------------------------------------ */

/* Tells members of EPS to forget keys. Those of 5GS have no such order: their key ends with its time. */
int
fan_keyring_send_deletion(struct fan_group *group, const uint8_t *gkis, unsigned gki_count)
{
	struct fan_group_entry entry = { .deletes = true, .key.gid = group->keys->keys.current.gid };
	uint8_t row[ROW_BYTES_MAX];
	struct fan_message message;
	size_t octet_count = 0;

	for (unsigned i = 0; i < gki_count; i++) {
		entry.key.gki = gkis[i];
		octet_count += (size_t)fan_group_entry_write(row + octet_count, &entry, NULL);
	}
	fan_message_init(&message, row, octet_count);
	message.group_keys = true;
	message.priority = FAN_PRIORITY_URGENT;
	for (unsigned i = 0; i < group->able.set_count; i++)
		if (group->able.sets[i].profile == FAN_PROFILE_EPS_NAS_KEY)
			return fan_send(group->fanfare, NULL, group, &message, NULL, NULL);
	return 0;
}
