/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The appliance behind fanfare.h: UEs, groups and messages by name, on top of the dataplane.
 */
#include "appliance.h"

#include "../../dataplane/context/count.h"
#include "../../dataplane/context/memory.h"
#include "../../dataplane/dataplane.h"
#include "../../dataplane/eal.h"
#include "../../dataplane/gid.h"
#include "../../driver/card_rawdev.h"

#include <rte_cycles.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room that a process needs beside its contexts: EAL, frames, plans. */
#define MEMORY_RESERVE_BYTES (256UL << 20)

struct fan_group {
	char gid[FAN_GID_BYTES_MAX + 1]; /* first: the tree of groups compares groups by it */
	struct fanfare *fanfare;
	struct fan_group *next, **link;
	struct fan_members members;
};

struct fanfare {
	struct fan_dataplane *dataplane;
	void *group_tree; /* tsearch(3), by GID */
	struct fan_group *groups;
};

struct fan_outcome {
	const struct fan_flight *flight;
};

int
fan_open(struct fanfare **out, const struct fan_options *options)
{
	static const struct fan_options defaults;
	struct fanfare *fanfare = calloc(1, sizeof(*fanfare));
	int error;

	*out = NULL;
	if (fanfare == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for an appliance");
	if (options == NULL)
		options = &defaults;
	fan_card_rawdev_register();
	error = fan_dataplane_open(&fanfare->dataplane, options);
	if (error != 0) {
		free(fanfare);
		return error;
	}
	*out = fanfare;
	return 0;
}

int
fan_close(struct fanfare *fanfare)
{
	int error;

	if (fanfare == NULL)
		return 0;
	for (struct fan_group *group = fanfare->groups, *next; group != NULL; group = next) {
		next = group->next;
		fan_group_delete(group);
	}
	error = fan_dataplane_close(fanfare->dataplane);
	free(fanfare);
	return error;
}

/* ---- Next hops and UEs ------------------------------------------------------------------------------------------------- */

static fan_context_id
make_id(unsigned table, uint32_t slot)
{
	return (fan_context_id)table << 32 | slot;
}

/* The table of a context id, or NULL with the error recorded. Out: *slot. */
static struct fan_context_table *
find_context(const struct fanfare *fanfare, uint32_t *slot, fan_context_id id)
{
	const uint64_t table = id >> 32;

	*slot = (uint32_t)id;
	if (table >= fanfare->dataplane->table_count || !fan_context_present(&fanfare->dataplane->tables[table], *slot)) {
		(void)fan_fail(FAN_E_NOT_FOUND, "no UE context has the id %#llx", (unsigned long long)id);
		return NULL;
	}
	return &fanfare->dataplane->tables[table];
}

int
fan_next_hop_add(struct fanfare *fanfare, const struct fan_next_hop *next_hop)
{
	return fan_dataplane_next_hop_add(fanfare->dataplane, next_hop);
}

int
fan_ue_reserve(struct fanfare *fanfare, enum fan_kind kind, uint8_t cipher, uint8_t integrity, size_t contexts)
{
	const size_t needed = contexts * sizeof(struct fan_context) + MEMORY_RESERVE_BYTES;
	const size_t available = fan_memory_available_bytes();
	const struct fan_protection protection = {
		.kind = (uint8_t)kind,
		.cipher = cipher,
		.integrity = integrity,
		.bearer_id = fan_kind_is_nas(kind) ? 5 : 0,
	};
	const int error = fan_protection_check(protection, true);

	(void)fanfare;
	if (error != 0)
		return error;
	if (contexts > FAN_CONTEXT_SLOTS_MAX)
		return fan_fail(FAN_E_INVALID, "%zu contexts of one protection: %u at most", contexts, FAN_CONTEXT_SLOTS_MAX);
	if (needed > available)
		return fan_fail(FAN_E_MEMORY, "%zu UE contexts need %zu MiB, %zu MiB are free: use fewer UEs", contexts,
				needed >> 20, available >> 20);
	return 0;
}

int
fan_ue_add(struct fanfare *fanfare, fan_context_id *id, const struct fan_ue *ue)
{
	const bool nas = fan_kind_is_nas(ue->kind);
	const struct fan_protection protection = {
		.kind = (uint8_t)ue->kind,
		.cipher = ue->cipher,
		.integrity = ue->integrity,
		.bearer_id = nas ? ue->bearer_id : 0,
	};
	int64_t slot;
	int table = fan_protection_check(protection, ue->emergency);

	if (table == 0 && ue->next_hop >= fanfare->dataplane->hop_count)
		table = fan_fail(FAN_E_INVALID, "next hop %u: %u are known", ue->next_hop, fanfare->dataplane->hop_count);
	if (table == 0 && !nas && ue->teid == 0)
		table = fan_fail(FAN_E_INVALID, "TEID 0 is reserved (TS 29.281 5.1)");
	if (table == 0)
		table = fan_dataplane_table(fanfare->dataplane, protection);
	if (table < 0)
		return table;
	slot = fan_context_add(&fanfare->dataplane->tables[table], ue);
	if (slot < 0)
		return (int)slot;
	*id = make_id((unsigned)table, (uint32_t)slot);
	return 0;
}

int
fan_ue_remove(struct fanfare *fanfare, uint32_t *next_count, uint16_t *unacknowledged, fan_context_id id)
{
	uint32_t slot;
	struct fan_context_table *table = find_context(fanfare, &slot, id);

	if (table == NULL)
		return FAN_E_NOT_FOUND;
	if (fanfare->dataplane->flights.count > 0)
		return fan_fail(FAN_E_BUSY, "a message in flight may use the context: poll until none is");
	for (struct fan_group *group = fanfare->groups; group != NULL; group = group->next)
		(void)fan_members_remove(&group->members, (uint16_t)(id >> 32), slot);
	*next_count = fan_count_next(&table->slots[slot]);
	*unacknowledged = fan_count_gap(&table->slots[slot]);
	fan_context_remove(table, slot);
	return 0;
}

int
fan_ue_lease(struct fanfare *fanfare, fan_context_id id, uint32_t count_reserved)
{
	uint32_t slot;
	struct fan_context_table *table = find_context(fanfare, &slot, id);

	return table == NULL ? FAN_E_NOT_FOUND
			     : fan_count_lease(&table->slots[slot], (enum fan_kind)table->protection.kind, count_reserved);
}

int
fan_ue_reachable(struct fanfare *fanfare, fan_context_id id, bool reachable)
{
	uint32_t slot;
	struct fan_context_table *table = find_context(fanfare, &slot, id);
	const uint8_t flags = FAN_CONTEXT_PRESENT | (reachable ? 0 : FAN_CONTEXT_UNREACHABLE);

	if (table == NULL)
		return FAN_E_NOT_FOUND;
	__atomic_store_n(&table->slots[slot].flags, flags, __ATOMIC_RELAXED);
	return 0;
}

int
fan_ue_acknowledged(struct fanfare *fanfare, fan_context_id id, uint32_t count)
{
	uint32_t slot;
	struct fan_context_table *table = find_context(fanfare, &slot, id);

	return table == NULL ? FAN_E_NOT_FOUND : fan_count_acknowledge(&table->slots[slot], count);
}

int
fan_ue_received(struct fanfare *fanfare, fan_context_id first, size_t count)
{
	struct fan_dataplane *dataplane = fanfare->dataplane;
	const uint64_t table = first >> 32;
	const uint64_t begin = (uint32_t)first, end = begin + count;

	if (dataplane->flights.count > 0)
		return fan_fail(FAN_E_BUSY, "a message in flight may use the contexts: poll until none is");
	if (table >= dataplane->table_count || end > dataplane->tables[table].used)
		return fan_fail(FAN_E_NOT_FOUND, "no UE contexts have the ids %#llx and %zu further", (unsigned long long)first,
				count);
	for (uint64_t slot = begin; slot < end; slot++)
		fan_count_acknowledge_all(&dataplane->tables[table].slots[slot]);
	return 0;
}

/* ---- Groups ------------------------------------------------------------------------------------------------------------ */

static int
compare_gids(const void *a, const void *b)
{
	return strcmp(a, b);
}

int
fan_group_create(struct fanfare *fanfare, struct fan_group **out, const char *gid)
{
	struct fan_group *group = calloc(1, sizeof(*group));
	struct fan_group **found;
	int error = group == NULL ? fan_fail(FAN_E_MEMORY, "no memory for a group") : fan_gid_canonical(group->gid, gid);

	if (error != 0) {
		free(group);
		return error;
	}
	found = tsearch(group, &fanfare->group_tree, compare_gids);
	if (found == NULL || *found != group) {
		error = found == NULL ? fan_fail(FAN_E_MEMORY, "no memory for a group")
				      : fan_fail(FAN_E_EXISTS, "group %s exists already", group->gid);
		free(group);
		return error;
	}
	group->fanfare = fanfare;
	group->next = fanfare->groups;
	group->link = &fanfare->groups;
	if (group->next != NULL)
		group->next->link = &group->next;
	fanfare->groups = group;
	*out = group;
	return 0;
}

struct fan_group *
fan_group_find(struct fanfare *fanfare, const char *gid)
{
	char canonical[FAN_GID_BYTES_MAX + 1];
	struct fan_group **found;

	if (fan_gid_canonical(canonical, gid) != 0)
		return NULL;
	found = tfind(canonical, &fanfare->group_tree, compare_gids);
	if (found == NULL)
		(void)fan_fail(FAN_E_NOT_FOUND, "no group is named %s", canonical);
	return found == NULL ? NULL : *found;
}

void
fan_group_delete(struct fan_group *group)
{
	if (group == NULL)
		return;
	tdelete(group, &group->fanfare->group_tree, compare_gids);
	*group->link = group->next;
	if (group->next != NULL)
		group->next->link = group->link;
	fan_members_free(&group->members);
	free(group);
}

const char *
fan_group_gid(const struct fan_group *group)
{
	return group->gid;
}

int
fan_group_add(struct fan_group *group, fan_context_id id, enum fan_profile profile)
{
	return fan_group_add_range(group, id, 1, profile);
}

int
fan_group_add_range(struct fan_group *group, fan_context_id first, size_t count, enum fan_profile profile)
{
	const struct fan_dataplane *dataplane = group->fanfare->dataplane;
	const uint64_t table = first >> 32;
	const uint32_t slot = (uint32_t)first;

	if (table >= dataplane->table_count || count == 0 || slot + (uint64_t)count > dataplane->tables[table].used)
		return fan_fail(FAN_E_NOT_FOUND, "no UE contexts have the ids %#llx and %zu further", (unsigned long long)first,
				count);
	for (uint32_t i = 0; i < count; i++)
		if (!fan_context_present(&dataplane->tables[table], slot + i))
			return fan_fail(FAN_E_NOT_FOUND, "no UE context has the id %#llx", (unsigned long long)first + i);
	if ((unsigned)profile >= FAN_PROFILE_COUNT ||
	    fan_profile_kind(profile) != (enum fan_kind)dataplane->tables[table].protection.kind)
		return fan_fail(FAN_E_INVALID, "profile %s is not one of the context's kind",
				(unsigned)profile < FAN_PROFILE_COUNT ? fan_profile_name(profile) : "(unknown)");
	return fan_members_add_range(&group->members, (uint16_t)table, profile, slot, count);
}

int
fan_group_remove(struct fan_group *group, fan_context_id id)
{
	if (id >> 32 >= group->fanfare->dataplane->table_count ||
	    !fan_members_remove(&group->members, (uint16_t)(id >> 32), (uint32_t)id))
		return fan_fail(FAN_E_NOT_FOUND, "the context %#llx is no member of %s", (unsigned long long)id, group->gid);
	return 0;
}

uint64_t
fan_group_size(const struct fan_group *group)
{
	return fan_members_count(&group->members);
}

/* ---- Messages ---------------------------------------------------------------------------------------------------------- */

int
fan_send(struct fanfare *fanfare, struct fan_group *group, const struct fan_message *message, fan_done done, void *user)
{
	struct fan_members snapshot;
	int error = 0;

	if (fan_group_size(group) == 0)
		error = fan_fail(FAN_E_INVALID, "group %s has no member", group->gid);
	if (error == 0)
		error = fan_members_snapshot(&snapshot, &group->members);
	if (error != 0)
		return error;
	return fan_dataplane_send(fanfare->dataplane, &snapshot, message, done, user);
}

int
fan_poll(struct fanfare *fanfare)
{
	struct fan_flight *flight;

	while ((flight = fan_flights_take_ended(&fanfare->dataplane->flights)) != NULL) {
		const struct fan_outcome outcome = { .flight = flight };
		struct fan_result result;

		fan_flight_result(flight, &result, FAN_PROFILE_COUNT);
		if (flight->done != NULL)
			flight->done(flight->user, &result, &outcome);
		fan_flight_free(flight);
	}
	return (int)fanfare->dataplane->flights.count;
}

void
fan_outcome_profile(const struct fan_outcome *outcome, struct fan_result *result, enum fan_profile profile)
{
	fan_flight_result(outcome->flight, result, profile);
}

void
fan_outcome_not_served(const struct fan_outcome *outcome,
		       void (*each)(void *user, fan_context_id id, uint32_t ue, enum fan_drop drop), void *user)
{
	for (unsigned i = 0; i < outcome->flight->leg_count; i++) {
		const struct fan_leg *leg = &outcome->flight->legs[i];
		roaring_uint32_iterator_t at;

		roaring_init_iterator(leg->slots, &at);
		for (; at.has_value; roaring_advance_uint32_iterator(&at)) {
			const uint32_t slot = at.current_value;

			if (leg->not_served[slot] != FAN_DROP_NONE)
				each(user, make_id(leg->table_index, slot), leg->table->slots[slot].ue,
				     (enum fan_drop)leg->not_served[slot]);
		}
	}
}

/* ---- appliance.h ------------------------------------------------------------------------------------------------------- */

void
fan_progress_read(const struct fanfare *fanfare, struct fan_progress *progress)
{
	memset(progress, 0, sizeof(*progress));
	for (unsigned i = 0; i < fanfare->dataplane->worker_count; i++) {
		struct fan_worker_counters counters;

		fan_worker_counters_read(fanfare->dataplane->worker[i], &counters);
		progress->created += counters.created;
		progress->sent += counters.sent;
		progress->dropped += counters.dropped;
		progress->bytes_out += counters.bytes_out;
		progress->busy_cycles += counters.busy_cycles;
		progress->engine_cycles += counters.engine_cycles;
	}
}

const char *
fan_engine_name(unsigned index)
{
	for (unsigned i = 0; fan_engines[i] != NULL; i++)
		if (i == index)
			return fan_engines[i]->name;
	return NULL;
}

const char *
fan_engine_description(unsigned index)
{
	return fan_engine_name(index) != NULL ? fan_engines[index]->description : NULL;
}

int
fan_engine_probe(unsigned index)
{
	struct fan_engine *engine;
	const int error = fan_engine_name(index) == NULL ? fan_fail(FAN_E_NOT_FOUND, "no engine has the index %u", index)
							 : fan_engines[index]->open(&engine, NULL);

	if (error == 0)
		engine->ops->close(engine);
	return error;
}

int
fan_engine_list_check(const char *engines)
{
	struct fan_engine_list list;
	const int error = fan_engine_list_make(&list, engines, NULL);

	fan_engine_list_free(&list);
	return error;
}

int
fan_message_parts(const struct fan_message *message, enum fan_profile profile, uint8_t cipher, uint8_t integrity, bool ipv6)
{
	const struct fan_link link = { .ipv6 = ipv6 };
	const struct fan_form form = {
		.profile = (uint8_t)profile,
		.protection = { .kind = (uint8_t)fan_profile_kind(profile), .cipher = cipher, .integrity = integrity },
	};
	struct fan_plans plans;
	int parts = fan_plans_make(&plans, message, &form, 1, &link);

	if (parts == 0)
		parts = (int)plans.part_count;
	fan_plans_free(&plans);
	return parts;
}

uint64_t
fan_tsc_hz(void)
{
	return rte_get_tsc_hz();
}

const char *
fan_engine_serving(const struct fanfare *fanfare, enum fan_kind kind, uint8_t cipher, uint8_t integrity)
{
	const struct fan_protection protection = { .kind = (uint8_t)kind, .cipher = cipher, .integrity = integrity };
	/* As long as a usual message; engines that are ranked by speed are tried on it. */
	static const uint8_t text[160 + FAN_MESSAGE_SLACK_BYTES];
	struct fan_shape shape = { .clear_bytes = 1, .text_bytes = 160, .message = text };
	const char *name;

	fan_shape_init(&shape, protection);
	name = fan_dataplane_engine_for(fanfare->dataplane, NULL, 0, &shape);
	return name != NULL ? name : "none";
}

static_assert(FAN_ENGINE_SHARES_MAX == FAN_ENGINES_MAX, "a share for each engine");

unsigned
fan_engine_shares(const struct fanfare *fanfare, struct fan_engine_share *shares, unsigned share_max)
{
	const struct fan_dataplane *dataplane = fanfare->dataplane;

	for (unsigned i = 0; i < dataplane->engines.count && i < share_max; i++)
		shares[i] = (struct fan_engine_share){ .name = dataplane->engines.choice[i].name };
	for (unsigned i = 0; i < dataplane->worker_count; i++) {
		struct fan_worker_counters counters;

		fan_worker_counters_read(dataplane->worker[i], &counters);
		for (unsigned j = 0; j < dataplane->engines.count && j < share_max; j++)
			shares[j].pdus += counters.engine_ues[j];
	}
	return dataplane->engines.count;
}

unsigned
fan_engine_figures(const struct fanfare *fanfare, struct fan_figure *figures, unsigned figure_max)
{
	const struct fan_dataplane *dataplane = fanfare->dataplane;
	unsigned count = 0;

	for (unsigned i = 0; i < dataplane->engines.count; i++) {
		const struct fan_engine_ops *ops = dataplane->engines.choice[i].ops;

		if (ops->figures != NULL)
			count += ops->figures(dataplane->engine[i], figures + count, figure_max - count);
	}
	return count;
}

bool
fan_loops_back(const struct fanfare *fanfare)
{
	return fanfare->dataplane->egress.receive_queues > 0;
}

unsigned
fan_loop_receive(struct fanfare *fanfare, void (*each)(void *user, const uint8_t *frame, size_t frame_bytes), void *user,
		 unsigned frame_max)
{
	const struct fan_egress *egress = &fanfare->dataplane->egress;
	unsigned received = 0;

	for (uint16_t queue = 0; queue < egress->receive_queues && received < frame_max; queue++) {
		struct rte_mbuf *frames[64];
		const uint16_t n = rte_eth_rx_burst(egress->port, queue, frames,
						    (uint16_t)RTE_MIN(frame_max - received, RTE_DIM(frames)));

		for (uint16_t i = 0; i < n; i++)
			each(user, rte_pktmbuf_mtod(frames[i], const uint8_t *), frames[i]->data_len);
		rte_pktmbuf_free_bulk(frames, n);
		received += n;
	}
	return received;
}

bool
fan_huge_pages(void)
{
	return fan_eal_huge_pages();
}
