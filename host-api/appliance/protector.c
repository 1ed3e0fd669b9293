/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bulk protection alone (fanfare.h): an engine and a table of contexts for programs that bring their own packets.
 */
#include "../../dataplane/context/count.h"
#include "../../dataplane/context/table.h"
#include "handles.h"

#include "../../dataplane/engine/calibration.h"
#include "../../dataplane/engines.h"
#include "../../dataplane/pdu/plan.h"

#include <stdlib.h>
#include <string.h>

struct fan_protector {
	unsigned process; /* that opened it: fan_process_forks() */
	struct fan_engine *engine;
	struct fan_context_table table;
	struct fan_fingerprints keys; /* of every context */
	bool engine_used;             /* since it was wiped: it may hold what it made of keys */
};

/* Opens every automatic engine and keeps the one that is fastest for a usual message. */
static int
open_fastest(struct fan_engine **fastest, struct fan_protection protection)
{
	static const uint8_t text[160 + FAN_MESSAGE_SLACK_BYTES];
	struct fan_shape shape = { .clear_bytes = 1, .text_bytes = 160, .message = text };
	struct fan_engine *engines[FAN_ENGINES_MAX];
	uint8_t preference[FAN_ENGINES_MAX];
	struct fan_calibration *calibration;
	struct fan_engine_list list;
	unsigned opened = 0;
	int error = fan_engine_list_make(&list, FAN_ENGINE_AUTO, NULL);

	for (unsigned i = 0; error == 0 && i < list.count; i++)
		if (fan_engine_open(&engines[opened], &list.choice[i]) == 0)
			opened++;
	fan_engine_list_free(&list);
	if (error != 0)
		return error;
	fan_shape_init(&shape, protection);
	error = fan_calibration_make(&calibration, engines, opened);
	if (error == 0) {
		fan_calibration_rank(calibration, preference, &shape);
		fan_calibration_free(calibration);
	}
	*fastest = NULL;
	for (unsigned i = 0; i < opened; i++) {
		if (error == 0 && i == preference[0] && engines[i]->ops->takes(engines[i], &shape))
			*fastest = engines[i];
		else
			engines[i]->ops->close(engines[i]);
	}
	return error != 0 || *fastest != NULL ? error : fan_engine_open(fastest, &fan_engine_judge);
}

static int
open_named(struct fan_engine **engine, const char *name)
{
	struct fan_engine_choice choice;
	const int error = fan_engine_find(&choice, name);

	return error != 0 ? error : fan_engine_open(engine, &choice);
}

static void
dispose(struct fan_protector *protector)
{
	if (protector == NULL)
		return;
	if (protector->engine != NULL)
		protector->engine->ops->close(protector->engine);
	fan_context_table_free(&protector->table);
	fan_fingerprints_free(&protector->keys);
	free(protector);
}

int
fan_protector_open(struct fan_protector **out, const char *engine, enum fan_kind kind, uint8_t cipher, uint8_t integrity,
		   size_t contexts_max)
{
	const struct fan_protection protection = {
		.kind = (uint8_t)kind,
		.cipher = cipher,
		.integrity = integrity,
		.bearer_id = fan_kind_is_nas(kind) ? 5 : 0, /* the caller's business; any valid one */
	};
	struct fan_protector *protector = calloc(1, sizeof(*protector));
	int error = protector == NULL ? fan_fail(FAN_E_MEMORY, "no memory for a protector")
				      : fan_protection_check(protection, true);

	if (error == 0 && (unsigned)kind >= FAN_KIND_COUNT)
		error = fan_fail(FAN_E_INVALID, "unknown kind of protection %d", (int)kind);
	if (error == 0 && fan_kind_is_plain(kind))
		error = fan_fail(FAN_E_INVALID, "sgi-ip is not protected: there is nothing for a protector to do");
	if (error == 0 && kind == FAN_KIND_MBMS)
		error = fan_fail(FAN_E_INVALID,
				 "a MIKEY message has no clear prefix and no head, which a protector's layout says");
	if (error == 0)
		error = fan_context_table_init(&protector->table, protection, contexts_max);
	if (error == 0)
		error = engine != NULL ? open_named(&protector->engine, engine) : open_fastest(&protector->engine, protection);
	if (error != 0) {
		dispose(protector);
		return error;
	}
	protector->process = fan_process_forks();
	*out = protector;
	return 0;
}

void
fan_protector_close(struct fan_protector *protector)
{
	if (protector != NULL && fan_in_own_process(protector->process) == 0)
		dispose(protector);
}

int
fan_protector_add(struct fan_protector *protector, fan_context_id *id, const struct fan_ue *ue)
{
	struct fan_ue own;
	int64_t slot;
	int error = fan_in_own_process(protector->process);

	if (error == 0)
		error = fan_struct_take(&own, sizeof(own), UE_VERSION_1_BYTES, ue, "fan_ue_init");
	if (error != 0)
		return error;
	slot = fan_context_add_once(&protector->table, &protector->keys, &own);
	explicit_bzero(&own, sizeof(own));
	if (slot < 0)
		return (int)slot;
	*id = fan_context_name_of(&protector->table, (uint32_t)slot);
	return 0;
}

/* NULL with NOT_FOUND recorded when no context has that name any more. */
static struct fan_context *
find(const struct fan_protector *protector, fan_context_id id)
{
	if (fan_in_own_process(protector->process) != 0)
		return NULL;
	if (fan_context_named(&protector->table, id))
		return &protector->table.slots[(uint32_t)id];
	(void)fan_fail(FAN_E_NOT_FOUND, "no context has the id %#llx", (unsigned long long)id);
	return NULL;
}

int
fan_protector_received(struct fan_protector *protector, fan_context_id id)
{
	struct fan_context *context = find(protector, id);

	if (context == NULL)
		return FAN_E_NOT_FOUND;
	fan_count_acknowledge_all(context);
	return 0;
}

int
fan_protector_lease(struct fan_protector *protector, fan_context_id id, uint32_t count_reserved)
{
	struct fan_context *context = find(protector, id);

	return context == NULL ? FAN_E_NOT_FOUND
			       : fan_count_lease(context, (enum fan_kind)protector->table.protection.kind, count_reserved);
}

int
fan_protector_remove(struct fan_protector *protector, uint32_t *next_count, uint16_t *unacknowledged, fan_context_id id)
{
	const struct fan_context *context = find(protector, id);

	if (context == NULL)
		return FAN_E_NOT_FOUND;
	*next_count = fan_count_next(context);
	*unacknowledged = fan_count_gap(context);
	fan_context_release_keys(&protector->keys, &protector->table, (uint32_t)id);
	fan_context_remove(&protector->table, (uint32_t)id);
	if (protector->engine_used && protector->engine->ops->wipe != NULL)
		protector->engine->ops->wipe(protector->engine);
	protector->engine_used = false;
	return 0;
}

uint32_t
fan_protector_count(const struct fan_protector *protector, fan_context_id id)
{
	const struct fan_context *context = find(protector, id);

	return context != NULL ? fan_count_next(context) : 0;
}

static int
make_shape(struct fan_shape *shape, const struct fan_protector *protector, const struct fan_layout *layout)
{
	if (layout->message == NULL)
		return fan_fail(FAN_E_INVALID, "the layout has no message");
	if (layout->clear_bytes > FAN_CLEAR_BYTES_MAX)
		return fan_fail(FAN_E_INVALID, "clear prefix of %u octets: 0 to %d", layout->clear_bytes, FAN_CLEAR_BYTES_MAX);
	if (layout->head_blocks > FAN_HEAD_BLOCKS_MAX)
		return fan_fail(FAN_E_INVALID, "private head of %u blocks: 0 to %d", layout->head_blocks, FAN_HEAD_BLOCKS_MAX);
	if (layout->text_bytes == 0 || layout->text_bytes + layout->clear_bytes > FAN_PDU_BYTES_MAX)
		return fan_fail(FAN_E_INVALID, "text of %u octets: 1 to %d", layout->text_bytes,
				FAN_PDU_BYTES_MAX - layout->clear_bytes);
	fan_shape_init(shape, protector->table.protection);
	shape->clear_bytes = layout->clear_bytes;
	shape->head_blocks = layout->head_blocks;
	shape->text_bytes = layout->text_bytes;
	return 0;
}

static int
check_ids(const struct fan_protector *protector, const fan_context_id *ids, size_t ue_count)
{
	for (size_t i = 0; i < ue_count; i++)
		if ((uint32_t)ids[i] >= protector->table.used)
			return fan_fail(FAN_E_INVALID, "no context ever had the id %#llx", (unsigned long long)ids[i]);
	return 0;
}

/* What a call spends on: as its caller lists it. */
struct spending {
	const fan_context_id *ids;
	uint8_t *const *text;
	uint32_t *count; /* or NULL */
	uint8_t *drop;   /* or NULL */
	size_t ue_count;
};

/* Spends a COUNT of the context that a name means, unless another has its slot by now. */
static enum fan_drop
spend(struct fan_context_table *table, uint32_t *count, fan_context_id id)
{
	const uint32_t slot = (uint32_t)id;

	return fan_context_name_of(table, slot) == id
		       ? fan_count_spend(&table->slots[slot], count, &fan_count_rules[table->protection.kind], 1, 0,
					 FAN_UNMARKED)
		       : FAN_DROP_REMOVED;
}

/* Fills a batch from the next UEs; returns how many UEs of the call it has dealt with, dropped ones included. */
static size_t
fill_batch(struct fan_batch *batch, struct fan_protector *protector, const struct spending *spending, size_t first)
{
	struct fan_context_table *table = &protector->table;
	size_t at = first;

	batch->ue_count = 0;
	for (; at < spending->ue_count && batch->ue_count < FAN_BATCH_UES_MAX; at++) {
		uint32_t *count = &batch->count[batch->ue_count];
		const enum fan_drop drop = spend(table, count, spending->ids[at]);

		if (!protector->engine->fetches_ahead && at + FAN_BATCH_UES_MAX < spending->ue_count)
			__builtin_prefetch(&table->slots[(uint32_t)spending->ids[at + FAN_BATCH_UES_MAX]], 1);
		if (spending->drop != NULL)
			spending->drop[at] = (uint8_t)drop;
		if (drop != FAN_DROP_NONE)
			continue;
		if (spending->count != NULL)
			spending->count[at] = *count;
		batch->context[batch->ue_count] = &table->slots[(uint32_t)spending->ids[at]];
		batch->text[batch->ue_count++] = spending->text[at];
	}
	return at - first;
}

/* The slots of the UEs that the next batch takes up, whose contexts the engine fetches meanwhile. What the names are compared with is
 * fetched here, where any slot was freed at all: 4 octets for each. */
static void
look_ahead(struct fan_batch *batch, uint32_t slot[FAN_BATCH_UES_MAX], const struct fan_context_table *table,
	   const struct spending *spending, size_t at)
{
	const size_t left = spending->ue_count - at;

	batch->ahead = (struct fan_ahead){ table->slots, slot,
					   (unsigned)(left < FAN_BATCH_UES_MAX ? left : FAN_BATCH_UES_MAX) };
	for (unsigned i = 0; i < batch->ahead.count; i++) {
		slot[i] = (uint32_t)spending->ids[at + i];
		if (table->generation != NULL)
			__builtin_prefetch(&table->generation[slot[i]]);
	}
}

int64_t
fan_protect(struct fan_protector *protector, uint8_t *const *text, uint32_t *count, uint8_t *drop,
	    const struct fan_layout *given, const fan_context_id *ids, size_t ue_count)
{
	const struct spending spending = { .ids = ids, .text = text, .count = count, .drop = drop, .ue_count = ue_count };
	uint32_t slots_ahead[FAN_BATCH_UES_MAX];
	uint8_t message[FAN_PDU_BYTES_MAX + FAN_MESSAGE_SLACK_BYTES];
	struct fan_shape shape = { .message = message };
	struct fan_batch batch;
	int64_t protected_ues = 0;
	struct fan_layout own;
	const struct fan_layout *layout = &own;
	int error = fan_in_own_process(protector->process);

	if (error == 0)
		error = fan_struct_take(&own, sizeof(own), sizeof(own), given, "fan_layout_init");
	if (error == 0)
		error = make_shape(&shape, protector, layout);
	if (error == 0)
		error = check_ids(protector, ids, ue_count);
	if (error == 0 && !protector->engine->ops->takes(protector->engine, &shape))
		error = fan_fail(FAN_E_UNSUPPORTED, "engine %s does not take this layout", protector->engine->ops->name);
	if (error != 0)
		return error;
	/* The caller's buffer may end where its message does; engines may read a little further. */
	memcpy(message, layout->message, layout->text_bytes);
	memset(message + layout->text_bytes, 0, FAN_MESSAGE_SLACK_BYTES);
	batch.shape = &shape;
	protector->engine_used = true;
	for (size_t at = 0; at < ue_count;) {
		const size_t first = at;

		at += fill_batch(&batch, protector, &spending, at);
		look_ahead(&batch, slots_ahead, &protector->table, &spending, at);
		if (batch.ue_count > 0 && fan_engine_run(protector->engine, &batch))
			protected_ues += batch.ue_count;
		else if (drop != NULL)
			for (size_t i = first; i < at; i++)
				drop[i] = drop[i] != FAN_DROP_NONE ? drop[i] : FAN_DROP_ENGINE;
	}
	return protected_ues;
}
