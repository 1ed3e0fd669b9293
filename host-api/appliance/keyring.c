/* SPDX-License-Identifier: BSD-3-Clause */
#include "keyring.h"

#include "../../dataplane/context/clock.h"
#include "../keys/kdf.h"
#include "../store/seal.h"
#include "registry.h"

#include <openssl/crypto.h>
#include <rte_common.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#define RETRY_MS 1000 /* between two attempts of what has failed */
#define LOOKED_MS 100 /* between two looks at all groups, unless something has happened */
#define KEPT_MS 250   /* between two writes of who has been proved to have the key */
#define ROW_BYTES_MAX (FAN_GROUP_ENTRY_BYTES_MAX + FAN_GROUP_ENTRY_BYTES_MAX)

static_assert(FAN_PROFILE_5GS_NAS_KEY == FAN_PROFILE_EPS_NAS_KEY + 1, "forms are numbered by profiles");
static_assert(ROW_BYTES_MAX <= FAN_GROUP_ENTRIES_BYTES_MAX, "a key and the order to forget another fit one message");

static int64_t
now_s(void)
{
	return fan_clock_ms(CLOCK_REALTIME) / 1000;
}

static unsigned
form_of(enum fan_profile profile)
{
	return (unsigned)profile - FAN_PROFILE_EPS_NAS_KEY;
}

static int64_t
end_s(const struct fan_record_group_key *kept)
{
	return kept->start_s + 60 * (int64_t)kept->duration_min;
}

/* When it is renewed by itself: a tenth of its time before its end. */
static int64_t
renewal_s(const struct fan_record_group_key *kept)
{
	return kept->is_imported ? INT64_MAX : end_s(kept) - 6 * (int64_t)kept->duration_min;
}

static bool
is_due(const struct fan_keyring *ring)
{
	return ring->kept.is_due || now_s() >= renewal_s(&ring->kept);
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

/* Whether the order to forget the key before goes with the current one. */
static bool
replaces_at_once(const struct fan_record_group_key *kept)
{
	return kept->has_previous && kept->previous_end_s <= kept->start_s;
}

static int
write_entries(uint8_t *out, const struct fan_keyring *ring)
{
	struct fan_group_entry entry = { .key = ring->keys.current };
	int count = fan_group_entry_write(out, &entry, NULL), more = 0;

	fan_group_key_wipe(&entry.key);
	if (count < 0 || !replaces_at_once(&ring->kept))
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

/* ---- The current key -------------------------------------------------------------------------------------------------------------- */

static bool
was_used(const struct fan_group *group, uint8_t gki)
{
	return (group->gki_used[gki >> 3] >> (gki & 7) & 1) != 0;
}

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

/* The first form in which members are able that the key has not: INVALID. */
static int
check_forms(const struct fan_group *group, const struct fan_record_group_key *kept)
{
	for (unsigned i = 0; i < group->able.set_count; i++)
		if (group->able.sets[i].profile == FAN_PROFILE_5GS_NAS_KEY && (kept->is_imported || !kept->has_session))
			return fan_fail(FAN_E_INVALID, "group %s has members that are able under 5gs-nas-key: %s", group->gid,
					kept->is_imported ? "a key of another node has no form for them"
							  : "their key needs a session (service_id, plmn, key_group)");
	return 0;
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
static int
install(struct fan_group *group, const struct fan_record_group_key *kept)
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

static int
next_gki(const struct fan_group *group)
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
static void
end_current(struct fan_record_group_key *next, const struct fan_group *group, int64_t now, uint32_t overlap_s)
{
	const struct fan_record_group_key *const kept = &group->keys->kept;

	next->has_previous = true;
	next->previous_gki = kept->gki;
	next->previous_end_s = RTE_MIN(now + (int64_t)overlap_s, end_s(kept));
	next->rotations = kept->rotations;
}

static void
begin_next(struct fan_record_group_key *next, int gki)
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
					 : next_gki(group);
	int error = gki < 0 ? gki : 0;

	if (error == 0)
		error = fan_registry_may_change(group->fanfare, "a new key of a group");
	if (error == 0) {
		const int64_t now = now_s();

		end_current(&next, group, now, overlap_s);
		begin_next(&next, gki);
		next.start_s = now;
		error = install(group, &next);
	}
	OPENSSL_cleanse(&next, sizeof(next));
	return error;
}

/* A member that may have the key has left: no overlap. */
static int
renew_due(struct fan_group *group)
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

/* ---- Options ---------------------------------------------------------------------------------------------------------------------- */

static int
check_options(const struct fan_group *group, const struct fan_group_key_options *options)
{
	const bool has_master = options->master != NULL;

	if (has_master &&
	    (options->master_bytes < FAN_GROUP_MASTER_BYTES_MIN || options->master_bytes > FAN_GROUP_MASTER_BYTES_MAX))
		return fan_fail(FAN_E_INVALID, "a master key of %zu octets: %d to %d", options->master_bytes,
				FAN_GROUP_MASTER_BYTES_MIN, FAN_GROUP_MASTER_BYTES_MAX);
	if (has_master && options->k_integ != NULL)
		return fan_fail(FAN_E_INVALID, "a master key, and a key of another node: give one of the two");
	if (options->k_integ == NULL && (options->k_conf != NULL || options->gki != -1))
		return fan_fail(FAN_E_INVALID, "k_conf and gki are of a key of another node, whose k_integ is not given");
	if (options->k_integ != NULL && options->cipher != 0 && options->k_conf == NULL)
		return fan_fail(FAN_E_INVALID, "messages are to be ciphered, and no k_conf is given");
	if (options->k_integ != NULL && group->fanfare->store == NULL)
		return fan_fail(FAN_E_UNSUPPORTED,
				"a key of another node needs a store, which knows that it is not used twice");
	if (options->gki < -1 || options->gki >= FAN_GROUP_GKI_COUNT)
		return fan_fail(FAN_E_INVALID, "gki %d: 0 to %d, or -1 for the next", options->gki, FAN_GROUP_GKI_COUNT - 1);
	return 0;
}

/* What keys are derived from is never what was given alone: a group that is made anew must not have the keys of one that was deleted. */
static int
draw_master(uint8_t master[32], const struct fan_group_key_options *options)
{
	uint8_t mixed[32 + FAN_GROUP_MASTER_BYTES_MAX];
	int error = getrandom(mixed, 32, 0) == 32 ? 0 : fan_fail(FAN_E_IO, "the kernel gives no random octets");

	if (error == 0 && options->master != NULL)
		memcpy(mixed + 32, options->master, options->master_bytes);
	if (error == 0)
		error = fan_hkdf(master, 32, FAN_HKDF_WHOLE, mixed, 32 + (options->master != NULL ? options->master_bytes : 0),
				 "fanfare group master 1", 22);
	OPENSSL_cleanse(mixed, sizeof(mixed));
	return error;
}

static int
take_secrets(struct fan_group_secret *secret, const struct fan_group_key_options *options)
{
	if (options->signer != NULL)
		memcpy(secret->signer, options->signer, sizeof(secret->signer));
	if (options->k_integ == NULL)
		return draw_master(secret->master, options);
	memcpy(secret->k_integ, options->k_integ, sizeof(secret->k_integ));
	if (options->cipher != 0)
		memcpy(secret->k_conf, options->k_conf, sizeof(secret->k_conf));
	return 0;
}

static void
take_options(struct fan_record_group_key *next, const struct fan_group *group, const struct fan_group_key_options *options)
{
	memcpy(next->gid, group->gid, sizeof(group->gid));
	next->cipher = options->cipher;
	next->integrity = options->integrity;
	next->tag_bytes = options->tag_bytes;
	next->is_signed = options->signer != NULL;
	next->is_imported = options->k_integ != NULL;
	next->rekey_on_removal = options->rekey_on_removal;
	next->duration_min = options->duration_min;
	next->overlap_s = options->overlap_s;
	next->has_session = options->has_session;
	memcpy(next->service_id, options->service_id, sizeof(next->service_id));
	memcpy(next->plmn, options->plmn, sizeof(next->plmn));
	memcpy(next->key_group, options->key_group, sizeof(next->key_group));
}

static int
choose_gki(const struct fan_group *group, const struct fan_group_key_options *options)
{
	if (options->gki < 0)
		return next_gki(group);
	return was_used(group, (uint8_t)options->gki)
		       ? fan_fail(FAN_E_EXISTS, "Gki %d of group %s was in use before", options->gki, group->gid)
		       : options->gki;
}

static int
set_key(struct fan_group *group, const struct fan_group_key_options *options)
{
	struct fan_record_group_key next = { .gid = "" };
	const int gki = choose_gki(group, options);
	const int64_t now = now_s();
	int error = gki < 0 ? gki : 0;

	if (error == 0) {
		take_options(&next, group, options);
		next.start_s = options->start_s != 0 ? options->start_s : now;
		if (group->keys != NULL)
			end_current(&next, group, now, group->keys->kept.is_due ? 0 : options->overlap_s);
		begin_next(&next, gki);
		error = check_forms(group, &next);
	}
	if (error == 0)
		error = take_secrets(&next.secret, options);
	if (error == 0)
		error = install(group, &next);
	OPENSSL_cleanse(&next, sizeof(next));
	return error;
}

int
fan_group_key_set(struct fan_group *group, const struct fan_group_key_options *given)
{
	struct fan_group_key_options options;
	int error = fan_registry_may_change(group->fanfare, "fan_group_key_set");

	if (error == 0)
		error = fan_struct_take(&options, sizeof(options), sizeof(options), given, "fan_group_key_options_init");
	if (error == 0)
		error = check_options(group, &options);
	return error == 0 ? set_key(group, &options) : error;
}

/* ---- Calls ------------------------------------------------------------------------------------------------------------------------ */

static int
find_keys(const struct fan_group *group, const char *function)
{
	const int error = fan_registry_may_change(group->fanfare, function);

	if (error == 0 && group->keys == NULL)
		return fan_fail(FAN_E_NOT_FOUND, "group %s has no key", group->gid);
	return error;
}

int
fan_group_key_rotate(struct fan_group *group)
{
	const int error = find_keys(group, "fan_group_key_rotate");

	return error == 0 ? renew_due(group) : error;
}

int
fan_group_key_resend(struct fan_group *group)
{
	const int error = find_keys(group, "fan_group_key_resend");

	if (error != 0)
		return error;
	group->keys->whole = (1U << FAN_KEY_FORMS) - 1;
	group->fanfare->keyrings_stirred = true;
	return 0;
}

/* Tells members of EPS to forget keys. Those of 5GS have no such order: their key ends with its time. */
static int
send_deletion(struct fan_group *group, const uint8_t *gkis, unsigned gki_count)
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

static int
delete_kept(const struct fan_group *group)
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

int
fan_group_key_remove(struct fan_group *group)
{
	int error = find_keys(group, "fan_group_key_remove");

	if (error == 0) {
		const struct fan_record_group_key *const kept = &group->keys->kept;

		error = send_deletion(group, (const uint8_t[]){ kept->gki, kept->previous_gki }, kept->has_previous ? 2 : 1);
	}
	if (error == 0)
		error = delete_kept(group);
	if (error == 0)
		fan_keyring_forget(group);
	return error;
}

static int64_t
take_count(void *user, const struct fan_group_key *key)
{
	struct fan_keyring *const ring = user;

	(void)key;
	if (ring->group->fanfare->store != NULL)
		return fan_group_counter_take(&ring->counter);
	return ring->next_count <= UINT32_MAX ? (int64_t)ring->next_count++
					      : fan_fail(FAN_E_INVALID, "COUNTs of the group's key are at their end: renew it");
}

int
fan_group_seal(struct fan_group *group, uint8_t pdu[FAN_GROUP_PDU_BYTES_MAX], size_t *pdu_bytes, const void *payload,
	       size_t payload_bytes)
{
	struct fan_keyring *const ring = group->keys;
	struct fan_group_sending sending = { .take = take_count, .user = ring };
	int error = fan_in_own_process(group->fanfare->process), octet_count;

	*pdu_bytes = 0;
	if (error == 0 && ring == NULL)
		error = fan_fail(FAN_E_NOT_FOUND, "group %s has no key", group->gid);
	if (error == 0 && is_due(ring))
		error = renew_due(group);
	if (error != 0)
		return error;
	sending.signer = ring->signer;
	sending.now_s = now_s();
	octet_count = fan_group_pdu_seal(pdu, &ring->keys, &sending, payload, payload_bytes);
	if (octet_count < 0)
		return octet_count;
	*pdu_bytes = (size_t)octet_count;
	return 0;
}

/* ---- What is known ------------------------------------------------------------------------------------------------------------------ */

bool
fan_group_key_held(const struct fan_group *group, unsigned table, uint32_t slot)
{
	const struct fan_keyring *const ring = group->keys;

	return ring != NULL && ring->keys.has_current && !is_due(ring) &&
	       fan_group_key_is_valid(&ring->keys.current, now_s()) && fan_members_has(&ring->held, (uint16_t)table, slot);
}

/* Without those removed, whose slots are not free yet. */
static uint64_t
count_present(const struct fanfare *fanfare, const struct fan_members *members)
{
	uint64_t count = fan_members_count(members);

	for (unsigned i = 0; fanfare->gone_count > 0 && i < members->set_count; i++) {
		const roaring_bitmap_t *gone = fanfare->removals[members->sets[i].table].gone;

		count -= gone != NULL ? roaring_bitmap_and_cardinality(members->sets[i].slots, gone) : 0;
	}
	return count;
}

static uint64_t
next_count(const struct fan_keyring *ring)
{
	return ring->group->fanfare->store != NULL ? ring->counter.next : ring->next_count;
}

static void
fill_status(struct fan_group_key_status *status, const struct fan_keyring *ring)
{
	const struct fan_record_group_key *const kept = &ring->kept;
	const struct fan_group *const group = ring->group;

	status->gki = kept->gki;
	status->cipher = kept->cipher;
	status->integrity = kept->integrity;
	status->tag_bytes = kept->tag_bytes;
	status->is_signed = kept->is_signed;
	status->is_imported = kept->is_imported;
	status->has_session = kept->has_session;
	status->rekey_on_removal = kept->rekey_on_removal;
	status->is_valid = ring->keys.has_current && fan_group_key_is_valid(&ring->keys.current, now_s());
	status->is_due = is_due(ring);
	status->is_sent = ring->whole == 0 && ring->joined.set_count == 0;
	status->start_s = kept->start_s;
	status->end_s = end_s(kept);
	status->renewal_s = kept->is_imported ? 0 : renewal_s(kept);
	status->overlap_s = kept->overlap_s;
	status->duration_min = kept->duration_min;
	status->has_previous = kept->has_previous && now_s() < kept->previous_end_s;
	status->previous_gki = status->has_previous ? kept->previous_gki : 0;
	status->previous_end_s = status->has_previous ? kept->previous_end_s : 0;
	status->able = count_present(group->fanfare, &group->able);
	status->held = count_present(group->fanfare, &ring->held);
	status->members = fan_group_size(group);
	status->next_count = next_count(ring);
	status->rotations = kept->rotations;
	status->failures = ring->failures;
	(void)snprintf(status->failure, sizeof(status->failure), "%s", ring->failure);
}

int
fan_group_key_status(const struct fan_group *group, struct fan_group_key_status *given)
{
	struct fan_group_key_status status;
	int error = fan_in_own_process(group->fanfare->process);

	if (error == 0 && group->keys == NULL)
		error = fan_fail(FAN_E_NOT_FOUND, "group %s has no key", group->gid);
	if (error == 0)
		error = fan_struct_take(&status, sizeof(status), sizeof(status), given, "fan_group_key_status_init");
	if (error != 0)
		return error;
	fan_group_key_status_init(&status);
	fill_status(&status, group->keys);
	fan_struct_give(given, &status, sizeof(status));
	return 0;
}

/* Whom to tell of members without the key. */
struct telling {
	const struct fan_group *group;
	void (*each)(void *user, fan_context_id id, bool able);
	void *user;
};

static void
tell_set(const struct telling *telling, const struct fan_member_set *set, bool able)
{
	const struct fan_group *const group = telling->group;
	const struct fan_context_table *const table = &group->fanfare->dataplane->tables[set->table];
	roaring_uint32_iterator_t at;

	for (roaring_iterator_init(set->slots, &at); at.has_value; roaring_uint32_iterator_advance(&at)) {
		const uint32_t slot = at.current_value;

		if (!fan_context_present(table, slot) || (!able && fan_members_has(&group->able, set->table, slot)) ||
		    (group->keys != NULL && fan_members_has(&group->keys->held, set->table, slot)))
			continue;
		telling->each(telling->user, fan_context_name(group->fanfare, set->table, slot), able);
	}
}

void
fan_group_key_not_held(const struct fan_group *group, void (*each)(void *user, fan_context_id id, bool able), void *user)
{
	const struct telling telling = { group, each, user };
	struct fanfare *const fanfare = group->fanfare;
	const bool nested = fanfare->in_callback;

	if (fan_in_own_process(fanfare->process) != 0)
		return;
	fanfare->in_callback = true;
	for (unsigned i = 0; i < group->able.set_count; i++)
		tell_set(&telling, &group->able.sets[i], true);
	for (unsigned i = 0; i < group->members.set_count; i++)
		tell_set(&telling, &group->members.sets[i], false);
	fanfare->in_callback = nested;
}

/* ---- Members come and go -------------------------------------------------------------------------------------------------------------- */

const struct fan_record_group_key *
fan_keyring_on_joining(struct fan_record_group_key *record, const struct fan_group *group, enum fan_profile profile)
{
	const struct fan_keyring *const ring = group->keys;

	if (ring == NULL || !fan_profile_is_key(profile))
		return NULL;
	*record = ring->kept;
	record->to_send |= (uint8_t)(1U << form_of(profile));
	return record;
}

/* Whether a member that leaves makes another key due. */
static bool
makes_due(const struct fan_group *group, unsigned table, uint32_t slot)
{
	return group->keys != NULL && group->keys->kept.rekey_on_removal && !group->keys->kept.is_due &&
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

	if (ring == NULL || !fan_profile_is_key(profile))
		return;
	group->fanfare->keyrings_stirred = true;
	ring->kept.to_send |= (uint8_t)(1U << form_of(profile));
	for (unsigned i = 0; i < able->set_count; i++)
		if (able->sets[i].profile == profile && !add_joined(ring, &able->sets[i]))
			ring->whole |= (uint8_t)(1U << form_of(profile));
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

/* ---- Handing out ------------------------------------------------------------------------------------------------------------------------ */

/* An entry begins with its version, 1; a container with decision 5 and no rejection cause. */
static enum fan_profile
profile_of(const struct fan_message *message)
{
	return message->bytes[0] >> 4 == 1 ? FAN_PROFILE_EPS_NAS_KEY : FAN_PROFILE_5GS_NAS_KEY;
}

/* Whether a message has the octets of the group's current key. */
static bool
is_current(const struct fan_group *group, const struct fan_message *message)
{
	uint8_t octets[ROW_BYTES_MAX];
	const unsigned form = form_of(profile_of(message));
	int octet_count;
	bool is;

	if (group->keys == NULL || !group->keys->keys.has_current || (form == 1 && !group->keys->kept.has_session))
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
	struct fan_key_counts *counts;

	for (unsigned i = 0; i < ring->proof_count; i++)
		if (ring->proofs[i].table == table && ring->proofs[i].counts->slots >= slots)
			return ring->proofs[i].counts;
	if (fan_key_counts_make(&counts, slots) != 0)
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
		if (form_of((enum fan_profile)from->sets[i].profile) == form)
			able += roaring_bitmap_get_cardinality(from->sets[i].slots);
	for (unsigned i = 0; from == &ring->group->able && i < ring->held.set_count; i++)
		if (form_of((enum fan_profile)ring->held.sets[i].profile) == form)
			held += roaring_bitmap_get_cardinality(ring->held.sets[i].slots);
	return able > held;
}

/* For as long as the key is valid. */
static uint32_t
validity_ms(const struct fan_keyring *ring)
{
	const int64_t left_ms = 1000 * (end_s(&ring->kept) - now_s());

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

		if (form_of((enum fan_profile)set->profile) != form) {
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
		if (form_of((enum fan_profile)ring->joined.sets[i].profile) == form)
			return true;
	return false;
}

static int
send_key(struct fan_keyring *ring)
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

/* Once the messages are durable, a crash needs to send nothing. */
static int
note_sent(struct fan_keyring *ring)
{
	struct fan_record_group_key kept = ring->kept;
	bool pending = ring->whole != 0 || ring->joined.set_count > 0;
	int error = 0;

	for (unsigned form = 0; ring->group->fanfare->store != NULL && form < FAN_KEY_FORMS; form++)
		pending = pending || is_pending(ring->group->fanfare, ring->sent[form]);
	if (!pending && kept.to_send != 0) {
		kept.to_send = 0;
		error = write_kept(ring, &kept);
	}
	OPENSSL_cleanse(&kept, sizeof(kept));
	return error;
}

/* ---- Proof ------------------------------------------------------------------------------------------------------------------------------ */

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

/* ---- In turn -------------------------------------------------------------------------------------------------------------------------- */

static void
note_attempt(struct fan_keyring *ring, int error)
{
	ring->tried_ms = error != 0 ? fan_clock_ms(CLOCK_MONOTONIC) : 0;
	ring->failures += error != 0;
	ring->group->fanfare->key_metrics.failures += error != 0;
	(void)snprintf(ring->failure, sizeof(ring->failure), "%s", error != 0 ? fan_error_detail() : "");
}

/* The key before is over, and not by its own time. */
static int
end_overlap(struct fan_keyring *ring)
{
	struct fan_record_group_key kept = ring->kept;
	int error = 0;

	if (kept.has_previous && !replaces_at_once(&kept) && now_s() >= kept.previous_end_s) {
		error = send_deletion(ring->group, &kept.previous_gki, 1);
		if (error == 0)
			error = fan_journal_sync(ring->group->fanfare);
		kept.has_previous = false;
		if (error == 0)
			error = write_kept(ring, &kept);
	}
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
	if (is_due(ring) && !ring->kept.is_imported)
		error = renew_due(ring->group);
	if (error == 0 && !fanfare->draining && ring->keys.has_current)
		error = send_key(ring);
	if (error == 0 && !fanfare->draining)
		error = end_overlap(ring);
	if (error == 0)
		error = note_sent(ring);
	if (error == 0)
		error = write_fresh(ring, false);
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
	metrics->due += is_due(ring);
	metrics->able += count_present(ring->group->fanfare, &ring->group->able);
	metrics->held += count_present(ring->group->fanfare, &ring->held);
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
