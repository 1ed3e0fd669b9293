/* SPDX-License-Identifier: BSD-3-Clause */
#include "fanout.h"

#include "terminal.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_UES_MIN 500000 /* below, transparent huge pages of 2 MiB, a few per table, outweigh the contexts in them */
#define GROUPED_BYTES 32      /* 20 digits, 6 separators */
#define NAME_COLUMNS 14       /* two blanks and the longest name of a profile */
#define LABEL_COLUMNS 17      /* before what an entry says */

/* The processor as the kernel names it. */
static void
cpu_model(char *model, size_t model_bytes)
{
	FILE *cpuinfo = fopen("/proc/cpuinfo", "r");
	char line[256];

	snprintf(model, model_bytes, "unknown");
	if (cpuinfo == NULL)
		return;
	while (fgets(line, sizeof(line), cpuinfo) != NULL) {
		const char *colon = strchr(line, ':');

		if (strncmp(line, "model name", 10) != 0 || colon == NULL)
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(model, model_bytes, "%s", colon + (colon[1] == ' ' ? 2 : 1));
		break;
	}
	fclose(cpuinfo);
}

static double
rate(double amount, double seconds)
{
	return seconds > 0 ? amount / seconds : 0;
}

static double
bytes_per_ue(const struct fan_fanout_result *result)
{
	return rate((double)result->ue_memory_bytes, (double)result->total.ues);
}

/* UEs that one worker serves in a second while it has work, from its own cycles alone. */
static double
dataplane_ues_per_second(const struct fan_fanout_result *result)
{
	return rate((double)result->ues_served * (double)result->tsc_hz, (double)result->busy_cycles) * result->workers;
}

static const char *
egress_name(const struct fan_fanout_request *request)
{
	return request->appliance.egress == NULL ? "net_ring" : request->appliance.egress;
}

static const char *
coding_name(enum fan_coding coding)
{
	static const char *const names[] = { "auto", "gsm7", "ucs2", "8bit" };

	return names[coding];
}

static unsigned
sms_parts(const struct fan_fanout_request *request)
{
	const unsigned eps = request->parts[FAN_PROFILE_EPS_NAS_SMS];

	return eps != 0 ? eps : request->parts[FAN_PROFILE_5GS_NAS_SMS];
}

/* ---- JSON -------------------------------------------------------------------------------------------------------------- */

/* jansson's integers are signed. */
static json_t *
number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *
dropped_object(const struct fan_fanout_profile_result *result)
{
	json_t *dropped = json_object();

	for (unsigned i = FAN_DROP_NONE + 1; i < FAN_DROP_COUNT; i++)
		json_object_set_new(dropped, fan_drop_name((enum fan_drop)i), number(result->dropped[i]));
	return dropped;
}

static json_t *
profiles_object(const struct fan_fanout_request *request, const struct fan_fanout_result *result)
{
	json_t *profiles = json_object();

	for (unsigned i = 0; i < FAN_PROFILE_COUNT; i++) {
		const struct fan_fanout_profile_result *one = &result->profile[i];
		json_t *profile;

		if (one->ues == 0)
			continue;
		profile = json_object();
		json_object_set_new(profile, "ues", number(one->ues));
		json_object_set_new(profile, "parts", number(request->parts[i]));
		json_object_set_new(profile, "created", number(one->created));
		json_object_set_new(profile, "sent", number(one->sent));
		json_object_set_new(profile, "verified", number(one->verified));
		json_object_set_new(profile, "bytes_out", number(one->bytes_out));
		json_object_set_new(profile, "dropped", dropped_object(one));
		if (fan_kind_is_plain(fan_profile_kind((enum fan_profile)i)))
			json_object_set_new(profile, "protected", json_false());
		json_object_set_new(profiles, fan_profile_name((enum fan_profile)i), profile);
	}
	return profiles;
}

static json_t *
faults_object(const struct fan_fanout_result *result)
{
	json_t *faults = json_object();

	for (unsigned i = 0; i < FAN_UE_VERDICT_COUNT; i++) {
		if (i != FAN_UE_ACCEPTED && result->verdicts[i] > 0)
			json_object_set_new(faults, fan_ue_verdict_name((enum fan_ue_verdict)i), number(result->verdicts[i]));
	}
	for (unsigned i = 0; i < FAN_RECEPTION_COUNT; i++) {
		if (i != FAN_RECEPTION_COMPLETE && i != FAN_RECEPTION_PART && result->outcomes[i] > 0)
			json_object_set_new(faults, fan_reception_name((enum fan_reception_outcome)i),
					    number(result->outcomes[i]));
	}
	if (result->frames_missing > 0)
		json_object_set_new(faults, "missing", number(result->frames_missing));
	return faults;
}

static void
set_coding(json_t *object, const struct fan_fanout_request *request)
{
	const struct fan_message_coding *coding = &request->coding;

	json_object_set_new(object, "sms_coding", json_string(coding_name(coding->coding)));
	json_object_set_new(object, "sms_parts", number(sms_parts(request)));
	json_object_set_new(object, "sms_mark_left_out", json_boolean(coding->mark_left_out));
	if (coding->no_text_at_octet >= 0)
		json_object_set_new(object, "sms_no_text_at_octet", json_integer(coding->no_text_at_octet));
}

static void
set_counts(json_t *object, const struct fan_fanout_request *request, const struct fan_fanout_result *result)
{
	json_object_set_new(object, "ues", number(result->total.ues));
	json_object_set_new(object, "created", number(result->total.created));
	json_object_set_new(object, "sent", number(result->total.sent));
	json_object_set_new(object, "dropped", dropped_object(&result->total));
	json_object_set_new(object, "verified", number(result->total.verified));
	if (!result->verified)
		json_object_set_new(object, "not_verified", json_string(result->not_verified));
	json_object_set_new(object, "faults", faults_object(result));
	json_object_set_new(object, "ues_served", number(result->ues_served));
	json_object_set_new(object, "bytes_out", number(result->total.bytes_out));
	json_object_set_new(object, "profiles", profiles_object(request, result));
	json_object_set_new(object, "message_bytes", number(request->message.byte_count));
	if (sms_parts(request) > 0)
		set_coding(object, request);
	json_object_set_new(object, "seed", number(request->population.options.seed));
	json_object_set_new(object, "repeat", number(request->repeat));
	json_object_set_new(object, "egress", json_string(egress_name(request)));
}

static void
set_engines(json_t *object, const struct fan_fanout_result *result)
{
	json_t *pdus = json_object(), *figures = json_object();

	for (unsigned i = 0; i < result->share_count; i++)
		json_object_set_new(pdus, result->shares[i].name, number(result->shares[i].pdus));
	for (unsigned i = 0; i < result->figure_count; i++)
		json_object_set_new(figures, result->figures[i].name, json_real(result->figures[i].value));
	json_object_set_new(object, "engine_pdus", pdus);
	json_object_set_new(object, "engine_figures", figures);
	json_object_set_new(object, "simulated", json_boolean(result->simulated));
}

static void
set_figures(json_t *object, const struct fan_fanout_result *result)
{
	const double ues = (double)result->ues_served;
	char cpu[160];

	cpu_model(cpu, sizeof(cpu));
	json_object_set_new(object, "seconds", json_real(result->seconds));
	json_object_set_new(object, "ues_per_second", json_real(rate(ues, result->seconds)));
	json_object_set_new(object, "gbit_per_second",
			    json_real(rate((double)result->total.bytes_out * 8e-9, result->seconds)));
	json_object_set_new(object, "first_ue_seconds", json_real(result->first_ue_seconds));
	json_object_set_new(object, "last_ue_seconds", json_real(result->last_ue_seconds));
	json_object_set_new(object, "provision_seconds", json_real(result->provision_seconds));
	json_object_set_new(object, "engine", json_string(result->engines));
	json_object_set_new(object, "constant_time", json_boolean(result->constant_time));
	json_object_set_new(object, "workers", number(result->workers));
	json_object_set_new(object, "cpu", json_string(cpu));
	json_object_set_new(object, "busy_cycles_per_ue", json_real(rate((double)result->busy_cycles, ues)));
	json_object_set_new(object, "engine_cycles_per_ue", json_real(rate((double)result->engine_cycles, ues)));
	json_object_set_new(object, "tsc_hz", number(result->tsc_hz));
	json_object_set_new(object, "dataplane_ues_per_second", json_real(dataplane_ues_per_second(result)));
	json_object_set_new(object, "bytes_per_ue", json_real(bytes_per_ue(result)));
	json_object_set_new(object, "fixed_bytes", number(result->fixed_bytes));
	json_object_set_new(object, "peak_bytes", number(result->peak_bytes));
	set_engines(object, result);
	json_object_set_new(object, "huge_pages", json_boolean(result->huge_pages));
}

bool
fan_fanout_print_json(FILE *out, const struct fan_fanout_request *request, const struct fan_fanout_result *result)
{
	json_t *object = json_object();
	bool good;

	if (object == NULL)
		return false;
	set_counts(object, request, result);
	set_figures(object, result);
	good = json_dumpf(object, out, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) == 0 && fputc('\n', out) != EOF;
	json_decref(object);
	return good && fflush(out) == 0;
}

/* ---- Table ------------------------------------------------------------------------------------------------------------- */

/* 1234567 as "1,234,567". */
static const char *
grouped(char text[GROUPED_BYTES], uint64_t value)
{
	char digits[24];
	int count = snprintf(digits, sizeof(digits), "%" PRIu64, value);
	char *to = text;

	for (int i = 0; i < count; i++) {
		if (i > 0 && (count - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = '\0';
	return text;
}

#define FIGURES 5 /* columns beside the name */
#define ROWS_MAX (FAN_PROFILE_COUNT + 2)

/* A table as text, before it is known how wide its columns are. */
struct cells {
	char text[ROWS_MAX][FIGURES][GROUPED_BYTES];
	const char *name[ROWS_MAX];
	unsigned rows;
};

static void
fill_row(struct cells *cells, const char *name, const struct fan_fanout_profile_result *row, bool verified, bool in_groups)
{
	uint64_t values[FIGURES] = { row->ues, row->created, row->sent, row->verified, 0 };

	for (unsigned i = 0; i < FAN_DROP_COUNT; i++)
		values[4] += row->dropped[i];
	for (unsigned i = 0; i < FIGURES; i++) {
		if (i == 3 && !verified)
			snprintf(cells->text[cells->rows][i], GROUPED_BYTES, "-");
		else if (in_groups)
			grouped(cells->text[cells->rows][i], values[i]);
		else
			snprintf(cells->text[cells->rows][i], GROUPED_BYTES, "%" PRIu64, values[i]);
	}
	cells->name[cells->rows++] = name;
}

static void
fill_cells(struct cells *cells, const struct fan_fanout_result *result, const char *const heads[FIGURES], bool in_groups)
{
	cells->rows = 1;
	cells->name[0] = "profile";
	for (unsigned i = 0; i < FIGURES; i++)
		snprintf(cells->text[0][i], GROUPED_BYTES, "%s", heads[i]);
	for (unsigned i = 0; i < FAN_PROFILE_COUNT; i++)
		if (result->profile[i].ues > 0)
			fill_row(cells, fan_profile_name((enum fan_profile)i), &result->profile[i], result->verified,
				 in_groups);
	fill_row(cells, "all", &result->total, result->verified, in_groups);
}

/* Out: widths. Returns columns of a line. */
static unsigned
measure(int widths[FIGURES], const struct cells *cells, unsigned gap)
{
	unsigned columns = NAME_COLUMNS;

	for (unsigned i = 0; i < FIGURES; i++) {
		widths[i] = 0;
		for (unsigned row = 0; row < cells->rows; row++)
			if ((int)strlen(cells->text[row][i]) > widths[i])
				widths[i] = (int)strlen(cells->text[row][i]);
		widths[i] += (int)gap;
		columns += (unsigned)widths[i];
	}
	return columns;
}

/* The most readable form that fits: figures in groups under whole words, under short ones, and without groups. */
static void
print_profiles(FILE *out, const struct fan_fanout_result *result, unsigned columns)
{
	static const char *const heads[2][FIGURES] = { { "UEs", "PDUs created", "PDUs sent", "verified", "dropped" },
						       { "UEs", "created", "sent", "verified", "dropped" } };
	struct cells cells;
	int widths[FIGURES];

	for (unsigned form = 0; form < 3; form++) {
		fill_cells(&cells, result, heads[form > 0], form < 2);
		if (measure(widths, &cells, form == 0 ? 3 : 1) <= columns)
			break;
	}
	for (unsigned row = 0; row < cells.rows; row++) {
		fprintf(out, "  %-*s", NAME_COLUMNS - 2, cells.name[row]);
		for (unsigned i = 0; i < FIGURES; i++)
			fprintf(out, "%*s", widths[i], cells.text[row][i]);
		fputc('\n', out);
	}
}

/* Whether the run has UEs under a profile in which Fanfare protects nothing. */
static bool
is_unprotected(const struct fan_fanout_result *result, unsigned profile)
{
	return result->profile[profile].ues > 0 && fan_kind_is_plain(fan_profile_kind((enum fan_profile)profile));
}

static void
print_unprotected(FILE *out, const struct fan_fanout_result *result)
{
	for (unsigned i = 0; i < FAN_PROFILE_COUNT; i++)
		if (is_unprotected(result, i))
			fprintf(out,
				"  %s: not protected by Fanfare. The network protects the packet from hop to hop; from end to end nothing "
				"does\n",
				fan_profile_name((enum fan_profile)i));
}

static void
print_drops(FILE *out, const struct fan_fanout_result *result)
{
	static const char *const why[FAN_DROP_COUNT] = {
#define WHY(name, text, reason) [FAN_DROP_##name] = reason,
		FAN_DROP_LIST(WHY)
#undef WHY
	};
	char text[GROUPED_BYTES];

	for (unsigned i = FAN_DROP_NONE + 1; i < FAN_DROP_COUNT; i++) {
		if (result->total.dropped[i] > 0)
			fprintf(out, "  dropped, %s: %s: %s\n", fan_drop_name((enum fan_drop)i),
				grouped(text, result->total.dropped[i]), why[i]);
	}
	if (result->total.dropped[FAN_DROP_WINDOW] + result->total.dropped[FAN_DROP_TRANSACTIONS] > 0 && !result->verified)
		fprintf(out,
			"  %-14s Nothing proves reception in this run. A UE is sent %d short messages, or 200 of NAS in all, without "
			"an acknowledgement. --assume-received takes every message as received (synthetic UEs only).\n",
			"", FAN_TRANSACTIONS_MAX);
}

static void
print_faults(FILE *out, const struct fan_fanout_result *result)
{
	char text[GROUPED_BYTES];

	if (!result->verified) {
		fprintf(out, "  not verified: %s\n", result->not_verified);
		return;
	}
	for (unsigned i = 0; i < FAN_UE_VERDICT_COUNT; i++) {
		if (i != FAN_UE_ACCEPTED && result->verdicts[i] > 0)
			fprintf(out, "  at fault, %s: %s frames\n", fan_ue_verdict_name((enum fan_ue_verdict)i),
				grouped(text, result->verdicts[i]));
	}
	for (unsigned i = 0; i < FAN_RECEPTION_COUNT; i++) {
		if (i != FAN_RECEPTION_COMPLETE && i != FAN_RECEPTION_PART && result->outcomes[i] > 0)
			fprintf(out, "  at fault, %s: %s frames\n", fan_reception_name((enum fan_reception_outcome)i),
				grouped(text, result->outcomes[i]));
	}
	if (result->frames_missing > 0)
		fprintf(out, "  missing: %s frames were sent and did not come back\n", grouped(text, result->frames_missing));
}

/* "3.141 s", or "27.183 ms" below a second. */
static const char *
duration(char text[GROUPED_BYTES], double seconds)
{
	if (seconds < 1)
		snprintf(text, GROUPED_BYTES, "%.3f ms", seconds * 1e3);
	else
		snprintf(text, GROUPED_BYTES, "%.3f s", seconds);
	return text;
}

static void
print_speed(FILE *out, const struct fan_fanout_result *result)
{
	const double ues = (double)result->ues_served;
	char text[GROUPED_BYTES];

	fprintf(out, "  %-14s first %s,", "time to UE", duration(text, result->first_ue_seconds));
	fprintf(out, " last %s after the message was given\n", duration(text, result->last_ue_seconds));
	fprintf(out, "  %-14s %s UEs/s, %.3f Gbit/s", "rate", grouped(text, (uint64_t)rate(ues, result->seconds)),
		rate((double)result->total.bytes_out * 8e-9, result->seconds));
	fprintf(out, " over %s\n", duration(text, result->seconds));
	if (result->simulated) {
		fprintf(out, "  %-14s hardware is simulated here: these times are the simulator's, not a card's\n", "");
		return;
	}
	/* The workers could have gone faster: they waited for what they send to be taken. */
	if (result->verified && dataplane_ues_per_second(result) > 1.5 * rate(ues, result->seconds))
		fprintf(out,
			"  %-14s UE side on the control core limits this figure; --no-verify --egress net_null shows the dataplane "
			"alone\n",
			"");
	fprintf(out, "  %-14s %s UEs/s by the workers' own cycles: %.0f cycles per UE, %.0f of them in the engine\n",
		"dataplane", grouped(text, (uint64_t)dataplane_ues_per_second(result)), rate((double)result->busy_cycles, ues),
		rate((double)result->engine_cycles, ues));
}

/* Who did what, where several could. */
static void
print_shares(FILE *out, const struct fan_fanout_result *result)
{
	const char *verb = "protected";
	char text[GROUPED_BYTES];

	if (result->share_count < 2)
		return;
	for (unsigned i = 0; i < FAN_PROFILE_COUNT; i++)
		verb = is_unprotected(result, i) ? "took" : verb;
	fprintf(out, "  %-14s", "");
	for (unsigned i = 0; i < result->share_count; i++)
		fprintf(out, "%s %s %s %s PDUs", i == 0 ? "" : ",", result->shares[i].name, verb,
			grouped(text, result->shares[i].pdus));
	fputc('\n', out);
}

static void
print_machine(FILE *out, const struct fan_fanout_request *request, const struct fan_fanout_result *result)
{
	char cpu[160];

	cpu_model(cpu, sizeof(cpu));
	fprintf(out, "  %-14s %s, %u worker%s, egress %s\n", "engine", result->engines, result->workers,
		result->workers == 1 ? "" : "s", egress_name(request));
	print_shares(out, result);
	if (!result->constant_time)
		fprintf(out,
			"  %-14s reference is slow and not constant time: who measures its times learns of keys;\n"
			"  %-14s `fanfare engines` says what others need\n",
			"", "");
	fprintf(out, "  %-14s %s\n", "cpu", cpu);
	if (result->total.ues >= MEMORY_UES_MIN)
		fprintf(out, "  %-14s %.1f octets per UE (context 64%s), ", "memory", bytes_per_ue(result),
			result->verified ? ", UE side 8" : "");
	else
		fprintf(out, "  %-14s (too few UEs to tell it per UE) ", "memory");
	fprintf(out, "%.0f MB at the highest in all, provisioned in %.2f s\n", (double)result->peak_bytes / 1e6,
		result->provision_seconds);
	if (result->simulated)
		return;
	if (result->huge_pages)
		fprintf(out, "  %-14s yes\n", "huge pages");
	else
		fprintf(out,
			"  %-14s no: packet buffers lie in 4 KiB pages, which costs address translations and so speed; reserve some "
			"(vm.nr_hugepages) and let EAL use them\n",
			"huge pages");
}

/* Counts as they are, what is below a thousand and no whole number with two places. What did not happen is left to JSON. */
static void
print_figures(FILE *out, const struct fan_fanout_result *result)
{
	char text[GROUPED_BYTES];

	for (unsigned i = 0; i < result->figure_count; i++) {
		const struct fan_figure *figure = &result->figures[i];
		const double value = figure->value < 0 ? 0 : figure->value;

		if (i == 0)
			fprintf(out, "\n  %s\n", figure->simulated ? "of the simulated card" : "of the engine");
		if (value == 0 && strcmp(figure->unit, "%") != 0)
			continue;
		if (value < 1000 && value != (double)(uint64_t)value)
			snprintf(text, sizeof(text), "%.2f", value);
		else
			grouped(text, (uint64_t)(value + 0.5));
		fprintf(out, "  %-42s %14s%s%s\n", figure->name, text, figure->unit[0] == '\0' ? "" : " ", figure->unit);
	}
}

/* What became of the text, where short messages were sent: nobody chose that but the text. */
static void
print_coding(FILE *out, const struct fan_fanout_request *request)
{
	static const char *const names[] = { "", "GSM 7-bit", "UCS-2", "8-bit data" };
	const struct fan_message_coding *coding = &request->coding;
	const unsigned parts = sms_parts(request);

	if (parts == 0)
		return;
	fprintf(out, "  %-14s %s, %u part%s", "short message", names[coding->coding], parts, parts == 1 ? "" : "s");
	if (coding->mark_left_out)
		fprintf(out, "; its byte order mark is no text and is left out");
	if (coding->no_text_at_octet >= 0)
		fprintf(out, "; no text, since it is not UTF-8 at octet %" PRId64, coding->no_text_at_octet);
	fputc('\n', out);
}

static void
print_entries(FILE *out, const struct fan_fanout_request *request, const struct fan_fanout_result *result)
{
	print_unprotected(out, result);
	print_drops(out, result);
	print_faults(out, result);
	print_coding(out, request);
	fputc('\n', out);
	print_speed(out, result);
	print_machine(out, request, result);
	print_figures(out, result);
}

void
fan_fanout_print_table(FILE *out, const struct fan_fanout_request *request, const struct fan_fanout_result *result)
{
	const unsigned columns = fan_terminal_columns(fileno(out));
	char text[GROUPED_BYTES], *entries = NULL;
	size_t entries_bytes;
	FILE *memory = open_memstream(&entries, &entries_bytes);

	fprintf(out, "One message of %zu octet%s to %s UEs", request->message.byte_count,
		request->message.byte_count == 1 ? "" : "s", grouped(text, result->total.ues));
	if (request->repeat > 1)
		fprintf(out, ", %" PRIu64 " times", result->passes);
	fprintf(out, " (seed %" PRIu64 ")\n\n", request->population.options.seed);
	print_profiles(out, result, columns);
	if (memory == NULL)
		return;
	print_entries(memory, request, result);
	if (fclose(memory) == 0)
		fan_terminal_print(out, entries, columns, LABEL_COLUMNS);
	free(entries);
}
