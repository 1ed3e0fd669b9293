/* SPDX-License-Identifier: BSD-3-Clause */
/* Keys of groups as fanfare.h has them: what a caller gives, and what it is told. */
#include "../keys/kdf.h"
#include "registry.h"

#include <openssl/crypto.h>
#include <string.h>
#include <sys/random.h>

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

static bool
was_used(const struct fan_group *group, uint8_t gki)
{
	return (group->gki_used[gki >> 3] >> (gki & 7) & 1) != 0;
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

static int
choose_gki(const struct fan_group *group, const struct fan_group_key_options *options)
{
	if (options->gki < 0)
		return fan_keyring_next_gki(group);
	return was_used(group, (uint8_t)options->gki)
		       ? fan_fail(FAN_E_EXISTS, "Gki %d of group %s was in use before", options->gki, group->gid)
		       : options->gki;
}

static int
set_key(struct fan_group *group, const struct fan_group_key_options *options)
{
	struct fan_record_group_key next = { .gid = "" };
	const int gki = choose_gki(group, options);
	const int64_t now = fan_key_now_s();
	int error = gki < 0 ? gki : 0;

	if (error == 0) {
		take_options(&next, group, options);
		next.start_s = options->start_s != 0 ? options->start_s : now;
		if (group->keys != NULL)
			fan_keyring_end_current(&next, group, now, group->keys->kept.is_due ? 0 : options->overlap_s);
		fan_keyring_begin_next(&next, gki);
		error = check_forms(group, &next);
	}
	if (error == 0)
		error = take_secrets(&next.secret, options);
	if (error == 0)
		error = fan_keyring_install(group, &next);
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

	return error == 0 ? fan_keyring_renew(group) : error;
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

int
fan_group_key_remove(struct fan_group *group)
{
	int error = find_keys(group, "fan_group_key_remove");

	if (error == 0) {
		const struct fan_record_group_key *const kept = &group->keys->kept;

		error = fan_keyring_send_deletion(group, (const uint8_t[]){ kept->gki, kept->previous_gki },
						  kept->has_previous ? 2 : 1);
	}
	if (error == 0)
		error = fan_keyring_delete(group);
	if (error != 0)
		return error;
	fan_keyring_forget(group);
	fan_choice_settle_group(group);
	return 0;
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
	if (error == 0 && fan_keyring_is_due(ring))
		error = fan_keyring_renew(group);
	if (error != 0)
		return error;
	sending.signer = ring->signer;
	sending.now_s = fan_key_now_s();
	octet_count = fan_group_pdu_seal(pdu, &ring->keys, &sending, payload, payload_bytes);
	if (octet_count < 0)
		return octet_count;
	*pdu_bytes = (size_t)octet_count;
	return 0;
}

/* ---- What is known ------------------------------------------------------------------------------------------------------------------ */

bool
fan_keyring_is_ready(const struct fan_group *group)
{
	const struct fan_keyring *const ring = group->keys;

	return ring != NULL && ring->keys.has_current && !fan_keyring_is_due(ring) &&
	       fan_group_key_is_valid(&ring->keys.current, fan_key_now_s());
}

bool
fan_keyring_is_proved(const struct fan_group *group, unsigned table, uint32_t slot)
{
	return group->keys != NULL && fan_members_has(&group->keys->held, (uint16_t)table, slot);
}

bool
fan_group_key_held(const struct fan_group *group, unsigned table, uint32_t slot)
{
	return fan_keyring_is_ready(group) && fan_keyring_is_proved(group, table, slot);
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
	status->is_valid = ring->keys.has_current && fan_group_key_is_valid(&ring->keys.current, fan_key_now_s());
	status->is_due = fan_keyring_is_due(ring);
	status->is_sent = ring->whole == 0 && ring->joined.set_count == 0;
	status->start_s = kept->start_s;
	status->end_s = fan_key_end_s(kept);
	status->renewal_s = kept->is_imported ? 0 : fan_key_renewal_s(kept);
	status->overlap_s = kept->overlap_s;
	status->duration_min = kept->duration_min;
	status->has_previous = kept->has_previous && fan_key_now_s() < kept->previous_end_s;
	status->previous_gki = status->has_previous ? kept->previous_gki : 0;
	status->previous_end_s = status->has_previous ? kept->previous_end_s : 0;
	status->able = fan_keyring_count(group->fanfare, &group->able);
	status->held = fan_keyring_count(group->fanfare, &ring->held);
	status->members = fan_group_size(group);
	status->next_count = fan_keyring_next_count(ring);
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
		if (fan_key_has_form((enum fan_profile)group->able.sets[i].profile))
			tell_set(&telling, &group->able.sets[i], true);
	for (unsigned i = 0; i < group->members.set_count; i++)
		tell_set(&telling, &group->members.sets[i], false);
	fanfare->in_callback = nested;
}
