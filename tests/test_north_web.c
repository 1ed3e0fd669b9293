/* SPDX-License-Identifier: BSD-3-Clause */
/* What `fanfare web` makes of an answer of the daemon, and of its own file; and that manuals, dashboard and alerts name what there is. */
#include "../dataplane/context/error.h"
#include "../host-api/north/t8/metrics.h"
#include "../host-api/north/web/metrics.h"
#include "../host-api/north/web/settings.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDER FAN_SOURCE_DIR "/host-api/north/web/"

/* All that a daemon tells, and what the face adds. */
static const char answer[] =
	"{\"up\":true,\"state\":\"ready\",\"program\":\"0.1.0\",\"dpdk\":\"DPDK 22.11.9\",\"at_ms\":1,\"uptime_ms\":2500,\"clients\":2,"
	"\"ues\":10,\"groups\":1,\"messages_in_flight\":1,\"tsc_hz\":2600000000,\"link_up\":false,\"lost\":3,"
	"\"workers\":[{\"worker\":0,\"created\":20,\"sent\":12,\"dropped\":5,\"bytes_out\":1200,\"busy_ns\":1500000000,\"all_ns\":3000000000,"
	"\"waits_for\":\"port\",\"waits_ns\":1,\"waited_ns\":{\"port\":7},\"drops\":{\"window\":5},"
	"\"engines\":{\"lockstep\":{\"pdus\":12,\"cycles\":240}}},"
	"{\"worker\":1,\"created\":0,\"sent\":0,\"dropped\":0,\"bytes_out\":0,\"busy_ns\":0,\"all_ns\":3,\"waits_for\":\"nothing\",\"waits_ns\":0,"
	"\"waited_ns\":{\"port\":0},\"drops\":{\"window\":0},\"engines\":{\"lockstep\":{\"pdus\":0,\"cycles\":0}}}],"
	"\"messages\":{\"accepted\":4,\"oldest_ms\":1500,\"ended\":{\"sent\":3},\"unfinished\":{\"sending\":1},\"in_flight\":[]},"
	"\"next_hops\":[{\"address\":\"192.0.2.1\",\"sent\":12,\"put_off\":4,\"waiting\":2,\"stopped\":false}],\"next_hop_count\":2,\"other_next_hops_sent\":99,"
	"\"store\":{\"failing\":false,\"writes\":10,\"failed\":1,\"sum_ns\":2000000000,\"max_ns\":500000000,\"within_us\":[[1000,4],[2500,5]],"
	"\"checkpoints\":6},"
	"\"census\":{\"contexts\":10,\"window_three_quarters\":3,\"window_full\":2,\"lease_low\":1,\"lease_used\":1,\"unreachable\":1,"
	"\"age_ms\":1200,\"took_ms\":100},"
	"\"group_keys\":{\"groups\":2,\"due\":1,\"able\":10,\"held\":7,\"rotations\":5,\"failures\":3},"
	"\"audit\":{\"written\":3,\"lost\":1},\"web\":{\"connections\":1,\"subscribers\":1,\"scrapes\":5,\"certificate_s\":1800000000}}";

/* All that the face t8 tells. */
static const char t8_answer[] =
	"{\"connected\":true,\"connections\":2,\"requests\":{\"200\":7,\"429\":1},\"deliveries\":3,"
	"\"callbacks\":{\"tries\":{\"heard\":5,\"failed\":2,\"given_up\":1},\"waiting\":4,\"backlog_ms\":1500},"
	"\"certificates\":{\"certificate\":1800000000,\"client_ca\":-1},\"scrapes\":6}";

static const struct {
	const struct fan_metric_row *rows;
	const char *answer, *manual;
} tables[] = {
	{ fan_web_metrics, answer, FOLDER "README.md" },
	{ fan_t8_metrics, t8_answer, FAN_SOURCE_DIR "/host-api/north/t8/README.md" },
};
#define TABLE_COUNT (sizeof(tables) / sizeof(tables[0]))

static char *
expose_rows(const struct fan_metric_row *rows, const char *json, enum fan_exposition format)
{
	json_t *metrics = json_loads(json, 0, NULL);
	size_t bytes = 0;
	char *text;

	cr_assert_not_null(metrics, "%s", json);
	text = fan_exposition_write(&bytes, rows, metrics, format);
	cr_assert_not_null(text);
	cr_assert_eq(strlen(text), bytes);
	json_decref(metrics);
	return text;
}

static char *
expose(const char *json, enum fan_exposition format)
{
	return expose_rows(fan_web_metrics, json, format);
}

static void
has(const char *text, const char *line)
{
	const char *at = strstr(text, line);

	cr_assert(at != NULL && (at == text || at[-1] == '\n') && at[strlen(line)] == '\n', "%s: not in %s", line, text);
}

static bool
ends_with(const char *name, const char *end)
{
	return strlen(name) > strlen(end) && strcmp(name + strlen(name) - strlen(end), end) == 0;
}

static void
check_names(const struct fan_metric_row *rows)
{
	for (const struct fan_metric_row *row = rows; row->name != NULL; row++) {
		const char *name = row->name, *help = row->help;

		cr_assert_eq(strncmp(name, "fanfare_", 8), 0, "%s", name);
		for (const char *octet = name; *octet != '\0'; octet++)
			cr_assert(islower((unsigned char)*octet) || isdigit((unsigned char)*octet) || *octet == '_', "%s",
				  name);
		cr_assert_eq(ends_with(name, "_total"), row->type == FAN_METRIC_COUNTER, "%s", name);
		cr_assert_eq(ends_with(name, "_info"), row->type == FAN_METRIC_INFO, "%s", name);
		cr_assert_null(strstr(name, "_ms"), "%s", name);
		cr_assert_null(strstr(name, "_ns"), "%s", name);
		cr_assert(strlen(help) > 5 && ends_with(help, ".") && strchr(help, '\n') == NULL && strchr(help, '\\') == NULL,
			  "%s", name);
		for (const struct fan_metric_row *other = rows; other < row; other++)
			cr_assert_neq(strcmp(other->name, name), 0, "%s twice", name);
	}
}

Test(north_web, metrics_are_named_as_prometheus_wants)
{
	for (size_t i = 0; i < TABLE_COUNT; i++)
		check_names(tables[i].rows);
}

static void
check_samples(const struct fan_metric_row *rows, const char *text)
{
	for (const struct fan_metric_row *row = rows; row->name != NULL; row++) {
		char help[512], sample[128];

		(void)snprintf(help, sizeof(help), "# HELP %s %s", row->name, row->help);
		has(text, help);
		(void)snprintf(sample, sizeof(sample), "\n%s%s", row->name,
			       row->type == FAN_METRIC_HISTOGRAM   ? "_bucket{"
			       : fan_metric_labels(row)[0] != '\0' ? "{"
								   : " ");
		cr_assert_not_null(strstr(text, sample), "%s has no sample in %s", row->name, text);
	}
}

/* Nothing in a table is without a sample when all is told. */
Test(north_web, every_metric_is_in_a_scrape)
{
	for (size_t i = 0; i < TABLE_COUNT; i++) {
		char *text = expose_rows(tables[i].rows, tables[i].answer, FAN_EXPOSITION_TEXT);

		check_samples(tables[i].rows, text);
		free(text);
	}
}

Test(north_web, what_t8_tells_has_its_labels)
{
	char *text = expose_rows(fan_t8_metrics, t8_answer, FAN_EXPOSITION_TEXT);

	has(text, "fanfare_t8_requests_total{status=\"429\"} 1");
	has(text, "fanfare_t8_callbacks_total{result=\"given_up\"} 1");
	has(text, "fanfare_t8_callback_backlog_age_seconds 1.5");
	has(text, "fanfare_t8_certificate_expiry_timestamp_seconds{file=\"certificate\"} 1800000000");
	cr_assert_null(strstr(text, "client_ca\"}"), "none is left out");
	free(text);
}

Test(north_web, values_are_in_seconds_and_bytes)
{
	static const char *const lines[] = {
		"fanfare_up 1",
		"fanfare_build_info{version=\"0.1.0\",dpdk=\"DPDK 22.11.9\"} 1",
		"fanfare_state{state=\"ready\"} 1",
		"fanfare_state{state=\"failed\"} 0",
		"fanfare_uptime_seconds 2.5",
		"fanfare_link_up 0",
		"fanfare_contexts 10",
		"fanfare_messages_ended_total{state=\"sent\"} 3",
		"fanfare_messages_in_flight{state=\"sending\"} 1",
		"fanfare_oldest_message_age_seconds 1.5",
		"fanfare_pdus_dropped_total{worker=\"0\",reason=\"window\"} 5",
		"fanfare_sent_bytes_total{worker=\"0\"} 1200",
		"fanfare_worker_busy_seconds_total{worker=\"0\"} 1.5",
		"fanfare_worker_seconds_total{worker=\"0\"} 3",
		"fanfare_worker_wait_seconds_total{worker=\"0\",reason=\"port\"} 7e-09",
		"fanfare_engine_cycles_total{worker=\"0\",engine=\"lockstep\"} 240",
		"fanfare_engine_pdus_total{worker=\"1\",engine=\"lockstep\"} 0",
		"fanfare_next_hop_pdus_total{next_hop=\"192.0.2.1\"} 12",
		"fanfare_next_hop_pdus_total{next_hop=\"other\"} 99",
		"fanfare_next_hop_waiting_members{next_hop=\"192.0.2.1\"} 2",
		"fanfare_next_hop_stopped{next_hop=\"192.0.2.1\"} 0",
		"fanfare_store_write_seconds_bucket{le=\"0.001\"} 4",
		"fanfare_store_write_seconds_bucket{le=\"0.0025\"} 9",
		"fanfare_store_write_seconds_bucket{le=\"+Inf\"} 10",
		"fanfare_store_write_seconds_sum 2",
		"fanfare_store_write_seconds_count 10",
		"fanfare_census_age_seconds 1.2",
		"fanfare_key_groups 2",
		"fanfare_key_held_members 7",
		"fanfare_key_failures_total 3",
		"fanfare_web_certificate_expiry_timestamp_seconds 1800000000",
	};
	char *text = expose(answer, FAN_EXPOSITION_TEXT);

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		has(text, lines[i]);
	cr_assert_null(strstr(text, "# EOF"));
	cr_assert_null(strstr(text, "# UNIT"));
	free(text);
}

Test(north_web, openmetrics_has_families_units_and_an_end)
{
	char *text = expose(answer, FAN_EXPOSITION_OPENMETRICS);

	has(text, "# TYPE fanfare_pdus_sent counter");
	has(text, "fanfare_pdus_sent_total{worker=\"0\"} 12");
	has(text, "# TYPE fanfare_build info");
	has(text, "# UNIT fanfare_worker_busy_seconds seconds");
	has(text, "# UNIT fanfare_sent_bytes bytes");
	cr_assert(ends_with(text, "\n# EOF\n"));
	free(text);
}

Test(north_web, what_is_not_told_is_left_out)
{
	static const char *const answers[] = {
		"{}",
		"{\"up\":false,\"web\":{\"connections\":1,\"subscribers\":0,\"scrapes\":1,\"certificate_s\":-1}}",
		"{\"workers\":3,\"messages\":[],\"store\":\"x\",\"census\":null,\"next_hops\":{},\"state\":7,\"ues\":\"many\",\"program\":1}",
		"{\"workers\":[7,{\"engines\":[],\"drops\":4,\"waited_ns\":{\"port\":\"x\"}}],\"next_hops\":[1,{\"address\":3}]}",
		"{\"store\":{\"within_us\":[1,[],[\"a\",\"b\"]]},\"messages\":{\"ended\":[1]}}",
		"{\"census\":{\"age_ms\":-1}}",
	};

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		char *text = expose(answers[i], FAN_EXPOSITION_TEXT);

		cr_assert_null(strstr(text, "\nfanfare_contexts "));
		cr_assert_null(strstr(text, "\nfanfare_census_age_seconds "));
		cr_assert_null(strstr(text, "\nfanfare_web_certificate_expiry_timestamp_seconds "));
		cr_assert_null(strstr(text, "\nfanfare_pdus_sent_total{"));
		free(text);
	}
}

Test(north_web, labels_are_escaped)
{
	char *text = expose("{\"workers\":[{\"worker\":0,\"engines\":{\"a\\\"b\\\\c\\nd\":{\"pdus\":1,\"cycles\":2}}}]}",
			    FAN_EXPOSITION_TEXT);

	has(text, "fanfare_engine_pdus_total{worker=\"0\",engine=\"a\\\"b\\\\c\\nd\"} 1");
	free(text);
}

Test(north_web, the_format_is_chosen_by_accept)
{
	static const struct {
		const char *accept;
		enum fan_exposition format;
	} rows[] = {
		{ NULL, FAN_EXPOSITION_TEXT },
		{ "", FAN_EXPOSITION_TEXT },
		{ "*/*", FAN_EXPOSITION_TEXT },
		{ "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", FAN_EXPOSITION_TEXT },
		{ "application/openmetrics-text", FAN_EXPOSITION_OPENMETRICS },
		{ "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;q=0.5",
		  FAN_EXPOSITION_OPENMETRICS },
		{ "application/openmetrics-text;q=0,text/plain", FAN_EXPOSITION_TEXT },
		{ "application/openmetrics-text,text/plain;q=0", FAN_EXPOSITION_OPENMETRICS },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_assert_eq(fan_exposition_choose(rows[i].accept), rows[i].format, "%s", rows[i].accept);
}

/* ---- Files that name metrics ------------------------------------------------------------------------------------------- */

static char *
read_file(const char *path)
{
	static char octets[1 << 20];
	FILE *file = fopen(path, "r");
	size_t bytes;

	cr_assert_not_null(file, "%s", path);
	bytes = fread(octets, 1, sizeof(octets) - 1, file);
	octets[bytes] = '\0';
	(void)fclose(file);
	return octets;
}

/* In: a name as it stands in a query, which may be that of a histogram's part. */
static bool
is_of(const struct fan_metric_row *row, const char *name, size_t name_bytes)
{
	const size_t bytes = strlen(row->name);
	const size_t rest = name_bytes - bytes;

	if (name_bytes < bytes || strncmp(row->name, name, bytes) != 0)
		return false;
	if (row->type != FAN_METRIC_HISTOGRAM)
		return rest == 0;
	return strncmp(name + bytes, "_bucket", rest) == 0 || strncmp(name + bytes, "_sum", rest) == 0 ||
	       strncmp(name + bytes, "_count", rest) == 0;
}

static bool
is_known(const char *name, size_t name_bytes)
{
	for (size_t i = 0; i < TABLE_COUNT; i++)
		for (const struct fan_metric_row *row = tables[i].rows; row->name != NULL; row++)
			if (is_of(row, name, name_bytes))
				return true;
	return false;
}

Test(north_web, dashboard_and_alerts_name_what_there_is)
{
	static const char *const files[] = { FOLDER "dashboard.json", FOLDER "alerts.yml", FOLDER "alerts_test.yml" };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		unsigned names = 0;

		for (const char *at = read_file(files[i]); (at = strstr(at, "fanfare_")) != NULL; names++) {
			const size_t bytes = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_");

			cr_assert(is_known(at, bytes), "%s: there is no metric %.*s", files[i], (int)bytes, at);
			at += bytes;
		}
		cr_assert_gt(names, 10);
	}
}

/* A manual has each metric of its face in a row, in the words of the table, and no other. */
static void
check_manual(const struct fan_metric_row *rows, const char *path)
{
	const char *manual = read_file(path);
	unsigned count = 0, named = 0;

	for (const struct fan_metric_row *row = rows; row->name != NULL; row++, count++) {
		char line[512];

		(void)snprintf(line, sizeof(line), "| `%s` | %s | %s | %s |", row->name, fan_metric_type_name(row->type),
			       fan_metric_labels(row), row->help);
		cr_assert_not_null(strstr(manual, line), "%s lacks: %s", path, line);
	}
	for (const char *at = manual; (at = strstr(at, "\n| `fanfare_")) != NULL; at++)
		named++;
	cr_assert_eq(named, count, "%s has a row of a metric that there is not", path);
}

Test(north_web, the_manuals_have_every_metric)
{
	for (size_t i = 0; i < TABLE_COUNT; i++)
		check_manual(tables[i].rows, tables[i].manual);
}

/* ---- Settings ---------------------------------------------------------------------------------------------------------- */

static int
read_settings(struct fan_web_settings *settings, const char *text)
{
	char path[] = "/tmp/fanfare-web.XXXXXX";
	const int file = mkstemp(path);
	int error;

	cr_assert_geq(file, 0);
	cr_assert_eq(write(file, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(file);
	error = fan_web_settings_read(settings, path);
	(void)unlink(path);
	return error;
}

Test(north_web, settings_have_defaults)
{
	struct fan_web_settings settings;

	cr_assert_eq(read_settings(&settings, "[web]\nport =\naddress = ::1\n[limits]\nconnections = 7\n"), 0, "%s",
		     fan_error_detail());
	cr_assert(strcmp(settings.address, "::1") == 0 && settings.port == 9464 && settings.connections == 7);
	cr_assert(settings.certificate == NULL && settings.socket == NULL && settings.connections_of_one == 64);
	fan_web_settings_free(&settings);
}

Test(north_web, wrong_settings_name_the_line_and_the_way_out)
{
	static const char *const rows[][2] = {
		{ "[web]\nport = 65536\n", "line 2: [web] port: takes a number from 0 to 65535" },
		{ "[web]\nport = -1\n", "takes a number" },
		{ "[web]\nport = 80x\n", "takes a number" },
		{ "[web]\nprot = 80\n", "line 2: [web] prot: no such key" },
		{ "[wbe]\nport = 80\n", "no such key" },
		{ "[web]\nport = 80\nport = 81\n", "line 3: [web] port: is given twice" },
		{ "[web]\ncertificate = /x\n", "certificate and key: give both" },
		{ "[web]\nclients = /x\n", "clients: needs TLS" },
		{ "[limits]\nconnections = 0\n", "takes a number from 1 to 1000" },
		{ "port = 80\n", "no such key" },
		{ "[web\n", "line 1" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fan_web_settings settings;

		cr_assert_lt(read_settings(&settings, rows[i][0]), 0, "%s", rows[i][0]);
		cr_assert_not_null(strstr(fan_error_detail(), rows[i][1]), "%s: %s", rows[i][0], fan_error_detail());
		cr_assert_null(settings.address);
	}
}
