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
	struct fan_engine *engine;
	struct fan_context_table table;
	struct fan_fingerprints keys; /* of every context */
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
	if (error == 0)
		error = fan_context_table_init(&protector->table, protection, contexts_max);
	if (error == 0)
		error = engine != NULL ? open_named(&protector->engine, engine) : open_fastest(&protector->engine, protection);
	if (error != 0) {
		fan_protector_close(protector);
		return error;
	}
	*out = protector;
	return 0;
}

void
fan_protector_close(struct fan_protector *protector)
{
	if (protector == NULL)
		return;
	if (protector->engine != NULL)
		protector->engine->ops->close(protector->engine);
	fan_context_table_free(&protector->table);
	fan_fingerprints_free(&protector->keys);
	free(protector);
}

int64_t
fan_protector_add(struct fan_protector *protector, const struct fan_ue *ue)
{
	struct fan_ue own;
	const int error = fan_struct_take(&own, sizeof(own), sizeof(own), ue, "fan_ue_init");
	int64_t slot;

	if (error != 0)
		return error;
	slot = fan_context_add_once(&protector->table, &protector->keys, &own);
	explicit_bzero(&own, sizeof(own));
	return slot;
}

int
fan_protector_received(struct fan_protector *protector, uint32_t slot)
{
	if (!fan_context_present(&protector->table, slot))
		return fan_fail(FAN_E_NOT_FOUND, "no context in slot %u", slot);
	fan_count_acknowledge_all(&protector->table.slots[slot]);
	return 0;
}

int
fan_protector_lease(struct fan_protector *protector, uint32_t slot, uint32_t count_reserved)
{
	if (!fan_context_present(&protector->table, slot))
		return fan_fail(FAN_E_NOT_FOUND, "no context in slot %u", slot);
	return fan_count_lease(&protector->table.slots[slot], (enum fan_kind)protector->table.protection.kind, count_reserved);
}

int
fan_protector_remove(struct fan_protector *protector, uint32_t *next_count, uint16_t *unacknowledged, uint32_t slot)
{
	if (!fan_context_present(&protector->table, slot))
		return fan_fail(FAN_E_NOT_FOUND, "no context in slot %u", slot);
	*next_count = fan_count_next(&protector->table.slots[slot]);
	*unacknowledged = fan_count_gap(&protector->table.slots[slot]);
	fan_context_release_keys(&protector->keys, &protector->table, slot);
	fan_context_remove(&protector->table, slot);
	return 0;
}

uint32_t
fan_protector_count(const struct fan_protector *protector, uint32_t slot)
{
	return fan_context_present(&protector->table, slot) ? fan_count_next(&protector->table.slots[slot]) : 0;
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
check_slots(const struct fan_protector *protector, const uint32_t *slots, size_t ue_count)
{
	for (size_t i = 0; i < ue_count; i++)
		if (slots[i] >= protector->table.used)
			return fan_fail(FAN_E_INVALID, "no context in slot %u: %u are in use", slots[i], protector->table.used);
	return 0;
}

struct spending {
	uint32_t *count; /* per UE of the call, or NULL */
	uint8_t *drop;
};

/* Fills a batch from the next UEs; returns how many UEs of the call it has dealt with, dropped ones included. */
static size_t
fill_batch(struct fan_batch *batch, struct fan_protector *protector, const struct spending *spending, uint8_t *const *text,
	   const uint32_t *slots, size_t first, size_t ue_count)
{
	const struct fan_count_rule *rule = &fan_count_rules[protector->table.protection.kind];
	size_t at = first;

	batch->ue_count = 0;
	for (; at < ue_count && batch->ue_count < FAN_BATCH_UES_MAX; at++) {
		struct fan_context *context = &protector->table.slots[slots[at]];
		uint32_t *count = &batch->count[batch->ue_count];
		const enum fan_drop drop = fan_count_spend(context, count, rule, 1, 0);

		if (!protector->engine->fetches_ahead && at + FAN_BATCH_UES_MAX < ue_count)
			__builtin_prefetch(&protector->table.slots[slots[at + FAN_BATCH_UES_MAX]], 1);
		if (spending->drop != NULL)
			spending->drop[at] = (uint8_t)drop;
		if (drop != FAN_DROP_NONE)
			continue;
		if (spending->count != NULL)
			spending->count[at] = *count;
		batch->context[batch->ue_count] = context;
		batch->text[batch->ue_count++] = text[at];
	}
	batch->ahead.table = protector->table.slots;
	batch->ahead.slot = slots + at;
	batch->ahead.count = (unsigned)(ue_count - at < FAN_BATCH_UES_MAX ? ue_count - at : FAN_BATCH_UES_MAX);
	return at - first;
}

int64_t
fan_protect(struct fan_protector *protector, uint8_t *const *text, uint32_t *count, uint8_t *drop,
	    const struct fan_layout *given, const uint32_t *slots, size_t ue_count)
{
	const struct spending spending = { .count = count, .drop = drop };
	uint8_t message[FAN_PDU_BYTES_MAX + FAN_MESSAGE_SLACK_BYTES];
	struct fan_shape shape = { .message = message };
	struct fan_batch batch;
	int64_t protected_ues = 0;
	struct fan_layout own;
	const struct fan_layout *layout = &own;
	int error = fan_struct_take(&own, sizeof(own), sizeof(own), given, "fan_layout_init");

	if (error == 0)
		error = make_shape(&shape, protector, layout);
	if (error == 0)
		error = check_slots(protector, slots, ue_count);
	if (error == 0 && !protector->engine->ops->takes(protector->engine, &shape))
		error = fan_fail(FAN_E_UNSUPPORTED, "engine %s does not take this layout", protector->engine->ops->name);
	if (error != 0)
		return error;
	/* The caller's buffer may end where its message does; engines may read a little further. */
	memcpy(message, layout->message, layout->text_bytes);
	memset(message + layout->text_bytes, 0, FAN_MESSAGE_SLACK_BYTES);
	batch.shape = &shape;
	for (size_t at = 0; at < ue_count;) {
		const size_t first = at;

		at += fill_batch(&batch, protector, &spending, text, slots, at, ue_count);
		if (batch.ue_count > 0 && fan_engine_run(protector->engine, &batch))
			protected_ues += batch.ue_count;
		else if (drop != NULL)
			for (size_t i = first; i < at; i++)
				drop[i] = drop[i] != FAN_DROP_NONE ? drop[i] : FAN_DROP_ENGINE;
	}
	return protected_ues;
}
