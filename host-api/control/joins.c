/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "joins.h"
#include "../../dataplane/context/clock.h"
#include "daemon.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#define STEP_MS 5

/* A node of the tree: the text first, as tsearch(3) compares. */
struct gid {
	char *text; /* of joins->gids */
	unsigned index;
};

static int
compare_gids(const void *a, const void *b)
{
	return strcmp(((const struct gid *)a)->text, ((const struct gid *)b)->text);
}

static int
keep_gid(struct fan_joins *joins, const char *text)
{
	char **gids = reallocarray(joins->gids, joins->gid_count + 1, sizeof(*gids));
	struct gid *gid = malloc(sizeof(*gid));

	if (gids != NULL)
		joins->gids = gids;
	if (gids != NULL && gid != NULL) {
		*gid = (struct gid){ .text = strdup(text), .index = joins->gid_count };
		if (gid->text != NULL && tsearch(gid, &joins->gid_tree, compare_gids) != NULL) {
			joins->gids[joins->gid_count] = gid->text;
			return (int)joins->gid_count++;
		}
		free(gid->text);
	}
	free(gid);
	return fan_fail(FAN_E_MEMORY, "no memory for the group %.64s", text);
}

/* The index of a GID. */
static int
find_gid(struct fan_joins *joins, const char *text)
{
	char *wanted;
	struct gid key;
	struct gid **found;

	if (joins->gid_count > 0 && strcmp(joins->gids[joins->last_gid], text) == 0)
		return (int)joins->last_gid;
	memcpy(&wanted, &text, sizeof(wanted));
	key = (struct gid){ .text = wanted };
	found = tfind(&key, &joins->gid_tree, compare_gids);
	return found != NULL ? (int)(*found)->index : keep_gid(joins, text);
}

int
fan_joins_add(struct fan_joins *joins, const char *gid, fan_context_id id, enum fan_profile profile)
{
	const int group = find_gid(joins, gid);

	if (group < 0)
		return group;
	joins->last_gid = (unsigned)group;
	if (joins->count == joins->room) {
		const size_t room = joins->room == 0 ? 64 : 2 * joins->room;
		struct fan_join *more = reallocarray(joins->joins, room, sizeof(*more));

		if (more == NULL)
			return fan_fail(FAN_E_MEMORY, "no memory for %zu members", room);
		joins->joins = more;
		joins->room = room;
	}
	joins->joins[joins->count++] = (struct fan_join){ .group = (uint32_t)group, .profile = (uint32_t)profile, .id = id };
	return 0;
}

static int
compare_joins(const void *a, const void *b)
{
	const struct fan_join *one = a, *other = b;

	if (one->group != other->group)
		return one->group < other->group ? -1 : 1;
	if (one->profile != other->profile)
		return one->profile < other->profile ? -1 : 1;
	if (one->id >> 52 != other->id >> 52)
		return one->id >> 52 < other->id >> 52 ? -1 : 1;
	/* The slot: a context that came later to a lower slot has the higher name. */
	if ((uint32_t)one->id != (uint32_t)other->id)
		return (uint32_t)one->id < (uint32_t)other->id ? -1 : 1;
	return 0;
}

/* Whether one more join can be made with others: of the same group and table, under the same profile. A UE that is named twice joins once. */
static bool
goes_with(const struct fan_join *join, const struct fan_join *first, fan_context_id last)
{
	return join->group == first->group && join->profile == first->profile && join->id >> 52 == first->id >> 52 &&
	       join->id != last;
}

static int
join_stride(struct fan_joins *joins, struct fanfare *fanfare, bool create)
{
	const struct fan_join *first = &joins->joins[joins->next];
	const char *gid = joins->gids[first->group];
	struct fan_group *group = fan_group_find(fanfare, gid);
	size_t count = 0;
	int error = 0;

	if (joins->stride == NULL)
		joins->stride = malloc(FAN_JOINS_STRIDE * sizeof(*joins->stride));
	if (joins->stride == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for %d members", FAN_JOINS_STRIDE);
	do
		joins->stride[count] = first[count].id;
	while (++count < FAN_JOINS_STRIDE && joins->next + count < joins->count &&
	       goes_with(&first[count], first, first[count - 1].id));
	joins->next += count;
	if (group == NULL)
		error = create ? fan_group_create(fanfare, &group, gid) : FAN_E_NOT_FOUND;
	if (error == 0)
		error = fan_group_add_list(group, joins->stride, count, (enum fan_profile)first->profile);
	if (error == 0)
		joins->joined += count;
	return error;
}

int
fan_joins_step(struct fan_joins *joins, struct fanfare *fanfare, bool create)
{
	const int64_t until_ms = fan_clock_ms(CLOCK_MONOTONIC) + STEP_MS;
	int error = 0;

	if (!joins->sorted && joins->count > 1)
		qsort(joins->joins, joins->count, sizeof(joins->joins[0]), compare_joins);
	joins->sorted = true;
	while (error == 0 && joins->next < joins->count) {
		error = join_stride(joins, fanfare, create);
		if (fan_clock_ms(CLOCK_MONOTONIC) >= until_ms)
			break;
	}
	return error != 0 ? error : joins->next < joins->count;
}

void
fan_joins_free(struct fan_joins *joins)
{
	tdestroy(joins->gid_tree, free);
	for (unsigned i = 0; i < joins->gid_count; i++)
		free(joins->gids[i]);
	free(joins->gids);
	free(joins->joins);
	free(joins->stride);
	*joins = (struct fan_joins){ .count = 0 };
}
