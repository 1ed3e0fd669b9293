/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The appliance behind fanfare.h: its life, and what appliance.h asks of it.
 */
#include "registry.h"

#include "../../dataplane/eal.h"
#include "../../driver/card_rawdev.h"

#include <rte_cycles.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS_VERSION_1_BYTES offsetof(struct fan_options, store)

int
fan_struct_take(void *own, size_t own_bytes, size_t least_bytes, const void *given, const char *name)
{
	const uint8_t *octets = given;
	size_t given_bytes;

	memcpy(&given_bytes, given, sizeof(given_bytes));
	if (given_bytes < least_bytes || given_bytes > FAN_STRUCT_BYTES_MAX)
		return fan_fail(FAN_E_INVALID, "struct_bytes %zu: %s() sets it, before any other field", given_bytes, name);
	for (size_t i = own_bytes; i < given_bytes; i++)
		if (octets[i] != 0)
			return fan_fail(FAN_E_UNSUPPORTED,
					"a struct of %zu octets has fields that this library (%s, %zu octets) does not know",
					given_bytes, FAN_VERSION, own_bytes);
	memset(own, 0, own_bytes);
	memcpy(own, given, given_bytes < own_bytes ? given_bytes : own_bytes);
	memcpy(own, &own_bytes, sizeof(own_bytes));
	return 0;
}

void
fan_struct_give(void *given, const void *own, size_t own_bytes)
{
	size_t given_bytes;

	memcpy(&given_bytes, given, sizeof(given_bytes));
	memcpy(given, own, given_bytes < own_bytes ? given_bytes : own_bytes);
	memcpy(given, &given_bytes, sizeof(given_bytes));
}

int
fan_in_own_process(unsigned process)
{
	return process == fan_process_forks()
		       ? 0
		       : fan_fail(
				 FAN_E_NOT_FOUND,
				 "the handle is the parent's and of no use in a child (fork, daemon): fork first and open then");
}

int
fan_outside_callback(const struct fanfare *fanfare, const char *function)
{
	const int error = fan_in_own_process(fanfare->process);

	if (error == 0 && fanfare->in_callback)
		return fan_fail(FAN_E_BUSY, "%s() cannot be called in a callback: return first", function);
	return error;
}

static int
dispose(struct fanfare *fanfare)
{
	int error;

	while (fanfare->group_count > 0)
		fan_group_forget(fanfare->group_order[fanfare->group_count - 1]);
	free(fanfare->group_order);
	fan_removals_free(fanfare);
	fan_receipts_close(fanfare->receipts);
	error = fan_dataplane_close(fanfare->dataplane);
	/* Only now has no worker any of the keys. */
	fan_fingerprints_free(&fanfare->keys);
	fan_registry_close(fanfare);
	fan_ledger_free(fanfare);
	fan_journal_free(fanfare);
	free(fanfare);
	return error;
}

int
fan_open(struct fanfare **out, const struct fan_options *given)
{
	struct fanfare *fanfare;
	struct fan_options options;
	int error = 0;

	*out = NULL;
	if (given == NULL)
		error = fan_fail(FAN_E_INVALID, "no options: fan_options_init() makes them, and an egress must be named");
	if (error == 0)
		error = fan_struct_take(&options, sizeof(options), OPTIONS_VERSION_1_BYTES, given, "fan_options_init");
	if (error == 0)
		error = fan_registry_check_options(&options);
	if (error != 0)
		return error;
	fanfare = calloc(1, sizeof(*fanfare));
	if (fanfare == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for an appliance");
	fanfare->process = fan_process_forks();
	fan_changes_begin(fanfare);
	fan_card_rawdev_register();
	fanfare->first_rate = options.rate;
	fanfare->first_rate_user = options.rate_user;
	error = fan_broadcasts_open(&fanfare->broadcasts, &options);
	if (error == 0)
		error = fan_dataplane_open(&fanfare->dataplane, &options);
	if (error == 0)
		fanfare->dataplane->marked = options.store != NULL;
	if (error == 0 && options.receive_acknowledgements)
		error = fan_receipts_open(&fanfare->receipts, fanfare->dataplane, fanfare, options.acknowledgement_port);
	if (error == 0)
		error = fan_registry_open(fanfare, &options);
	if (error == 0)
		error = fan_journal_open(fanfare, options.retention_s);
	if (error != 0) {
		(void)dispose(fanfare);
		return error;
	}
	*out = fanfare;
	return 0;
}

int
fan_close(struct fanfare *fanfare)
{
	const int error = fanfare == NULL ? 0 : fan_outside_callback(fanfare, "fan_close");

	if (fanfare == NULL || error != 0)
		return error;
	fan_abort(fanfare);
	fan_keyrings_close(fanfare);
	fan_ledger_close(fanfare);
	fan_journal_close(fanfare);
	return dispose(fanfare);
}

int
fan_drain(struct fanfare *fanfare, bool cancel)
{
	const int error = fan_outside_callback(fanfare, "fan_drain");

	if (error != 0)
		return error;
	fanfare->draining = true;
	for (struct fan_flight *flight = fanfare->dataplane->flights.first; cancel && flight != NULL; flight = flight->next)
		__atomic_store_n(&flight->stop, (uint8_t)FAN_DROP_CANCELLED, __ATOMIC_RELAXED);
	return cancel ? fan_journal_cancel(fanfare) : 0;
}

int
fan_event_fd(const struct fanfare *fanfare)
{
	const int error = fan_in_own_process(fanfare->process);

	return error != 0 ? error : fanfare->dataplane->event_fd;
}

/* ---- appliance.h ------------------------------------------------------------------------------------------------------- */

void
fan_totals_read(const struct fanfare *fanfare, struct fan_totals *totals)
{
	memset(totals, 0, sizeof(*totals));
	for (unsigned i = 0; i < fanfare->dataplane->worker_count; i++) {
		struct fan_worker_counters counters;

		fan_worker_counters_read(fanfare->dataplane->worker[i], &counters);
		totals->created += counters.created;
		totals->sent += counters.sent;
		totals->dropped += counters.dropped;
		totals->bytes_out += counters.bytes_out;
		totals->busy_cycles += counters.busy_cycles;
		for (unsigned j = 0; j < FAN_ENGINES_MAX; j++)
			totals->engine_cycles += counters.engine_cycles[j];
	}
}

uint64_t
fan_workers_still_ns(const struct fanfare *fanfare, unsigned *worker)
{
	const struct fan_dataplane *dataplane = fanfare->dataplane;
	uint64_t still_tsc = 0;

	*worker = 0;
	for (unsigned i = 0; i < dataplane->running_count; i++) {
		const uint64_t turned_tsc = fan_worker_turned_tsc(dataplane->worker[i]), now_tsc = rte_rdtsc();

		/* The counters of two cores may differ a little. */
		if (now_tsc <= turned_tsc || now_tsc - turned_tsc <= still_tsc)
			continue;
		still_tsc = now_tsc - turned_tsc;
		*worker = i;
	}
	return (uint64_t)((double)still_tsc * 1e9 / (double)rte_get_tsc_hz());
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

int
fan_message_coding_choose(struct fan_message_coding *coding, const struct fan_message *message)
{
	struct fan_sms_coding chosen;
	const int error = fan_sms_coding_choose(&chosen, message);

	*coding = (struct fan_message_coding){ .coding = chosen.coding,
					       .mark_left_out = chosen.mark_bytes > 0,
					       .no_text_at_octet = chosen.utf8 ? -1 : (int64_t)chosen.invalid_offset };
	return error;
}

void
fan_message_reference_begin(uint8_t reference)
{
	fan_sms_reference_begin(reference);
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
	if (shape.sequence == FAN_MIKEY)
		shape.clear_bytes = 0;
	name = fan_dataplane_engine_for(fanfare->dataplane, NULL, 0, &shape);
	return name != NULL ? name : "none";
}

static_assert(FAN_ENGINE_SHARES_MAX == FAN_ENGINES_MAX, "a share for each engine");

unsigned
fan_engine_shares(const struct fanfare *fanfare, struct fan_engine_share *shares, unsigned share_max)
{
	const struct fan_dataplane *dataplane = fanfare->dataplane;

	memset(shares, 0, share_max * sizeof(*shares));
	for (unsigned i = 0; i < dataplane->engines.count && i < share_max; i++)
		snprintf(shares[i].name, sizeof(shares[i].name), "%s", dataplane->engines.choice[i].name);
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
	return fanfare->dataplane->egress.loops_back;
}

unsigned
fan_loop_receive(struct fanfare *fanfare, void (*each)(void *user, const uint8_t *frame, size_t frame_bytes), void *user,
		 unsigned frame_max)
{
	const struct fan_egress *egress = &fanfare->dataplane->egress;
	unsigned received = 0;

	for (uint16_t queue = 0; egress->loops_back && queue < egress->receive_queues && received < frame_max; queue++) {
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
