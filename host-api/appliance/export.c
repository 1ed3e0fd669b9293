/* SPDX-License-Identifier: BSD-3-Clause */
#include "export.h"

#include "../../dataplane/context/clock.h"
#include "../store/seal.h"
#include "handles.h"
#include "keyring.h"

#include <openssl/crypto.h>
#include <time.h>

static_assert(FAN_SEAL_KEY_BYTES == FAN_GROUP_SHARED_KEK_BYTES, "one reader reads both kinds of files");

/* ---- Changes ---------------------------------------------------------------------------------------------------------- */

void
fan_changes_begin(struct fanfare *fanfare)
{
	fanfare->change = fanfare->deletion = (uint64_t)fan_clock_ms(CLOCK_REALTIME) << 20;
}

void
fan_changes_note_keys(struct fan_group *group)
{
	group->changes.keys = ++group->fanfare->change;
	group->changes.is_used = false;
}

void
fan_changes_note_able(struct fan_group *group)
{
	group->changes.able = ++group->fanfare->change;
}

void
fan_changes_note_message(struct fan_group *group)
{
	if (group->changes.is_used)
		return;
	group->changes.is_used = true;
	group->changes.keys = ++group->fanfare->change;
}

void
fan_changes_note_removal(struct fanfare *fanfare, unsigned table, uint32_t slot)
{
	for (struct fan_keyring *ring = fanfare->keyrings; ring != NULL; ring = ring->next)
		if (fan_members_has(&ring->group->able, (uint16_t)table, slot))
			fan_changes_note_able(ring->group);
}

void
fan_changes_note_deletion(struct fanfare *fanfare)
{
	fanfare->deletion = ++fanfare->change;
}

static uint64_t
last_change(const struct fan_group *group)
{
	return group->changes.keys > group->changes.able ? group->changes.keys : group->changes.able;
}

const struct fan_group *
fan_changes_next(const struct fanfare *fanfare, uint64_t *number, uint64_t after)
{
	const struct fan_group *first = NULL;

	for (const struct fan_group *group = fanfare->groups; group != NULL; group = group->next)
		if (last_change(group) > after && (first == NULL || last_change(group) < last_change(first)))
			first = group;
	if (first != NULL)
		*number = last_change(first);
	return first;
}

uint64_t
fan_changes_deletion(const struct fanfare *fanfare)
{
	return fanfare->deletion;
}

const struct fan_group_changes *
fan_group_changes(const struct fan_group *group)
{
	return &group->changes;
}

bool
fan_group_has_key(const struct fan_group *group)
{
	return group->keys != NULL && group->keys->keys.has_current;
}

/* ---- Who is able ------------------------------------------------------------------------------------------------------------ */

/* Of one table: the first slot from one on, under either profile of keys. */
static bool
next_slot(const struct fan_group *group, uint32_t *slot, unsigned table)
{
	bool any = false;
	uint32_t first = 0;

	for (unsigned form = 0; form < FAN_KEY_FORMS; form++) {
		uint32_t at = *slot;

		if (!fan_members_next(&group->able, &at, (uint16_t)table, (enum fan_profile)(FAN_PROFILE_EPS_NAS_KEY + form)))
			continue;
		first = !any || at < first ? at : first;
		any = true;
	}
	*slot = first;
	return any;
}

bool
fan_group_able_next(const struct fan_group *group, fan_context_id *id)
{
	const struct fan_dataplane *dataplane = group->fanfare->dataplane;
	unsigned table = fan_context_table_index(*id);
	uint32_t slot = (uint32_t)*id;

	for (; table < dataplane->table_count; table++, slot = 0)
		for (; next_slot(group, &slot, table); slot++)
			if (fan_context_present(&dataplane->tables[table], slot)) {
				*id = fan_context_name(group->fanfare, table, slot);
				return true;
			}
	return false;
}

/* ---- Keys --------------------------------------------------------------------------------------------------------------------- */

int
fan_group_key_export(const struct fan_group *group, struct fan_exported_key *exported, const char *kek_file)
{
	uint8_t kek[FAN_SEAL_KEY_BYTES];
	const struct fan_group_key *key;
	int octet_count;
	int error = fan_group_has_key(group) ? fan_seal_key_read(kek, kek_file)
					     : fan_fail(FAN_E_NOT_FOUND, "group %s has no key", group->gid);

	if (error != 0)
		return error;
	key = &group->keys->keys.current;
	octet_count = fan_group_entry_wrap(exported->octets, key, kek);
	OPENSSL_cleanse(kek, sizeof(kek));
	if (octet_count < 0)
		return octet_count;
	exported->gki = key->gki;
	exported->duration_min = key->duration_min;
	exported->start_s = key->start_s;
	exported->octet_count = (uint16_t)octet_count;
	return 0;
}
