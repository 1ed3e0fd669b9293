/* SPDX-License-Identifier: BSD-3-Clause */
/* The parts of the T8 face that need neither daemon nor network: its configuration, attributes of bodies, pages of outcomes, what it keeps. */
#define _GNU_SOURCE
#include "../host-api/north/t8/answer.h"
#include "../host-api/north/t8/delivery.h"
#include "../host-api/north/t8/records.h"
#include "../host-api/north/t8/results.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

TestSuite(north_t8, .timeout = 60);

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

/* ---- Configuration --------------------------------------------------------------------------------------------------------------- */

#define ROOT "[t8]\napi_root = https://scef.example.org\n"
#define NAME_OF_41 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SENDER "[sender as1]\ngroups = *@example.org\n"

static int
read_text(struct fan_t8_settings *settings, const char *text)
{
	char file[] = "/tmp/fanfare-t8-XXXXXX";
	const int descriptor = mkstemp(file);
	int error;

	cr_assert_eq(write(descriptor, text, strlen(text)), (ssize_t)strlen(text));
	close(descriptor);
	error = fan_t8_settings_read(settings, file);
	unlink(file);
	return error;
}

Test(north_t8, a_configuration_is_read)
{
	struct fan_t8_settings settings;

	cr_assert_eq(
		read_text(&settings, ROOT
			  "port = 1\n" SENDER
			  "outcomes = failures\nues_per_s = 5\npdus_per_s = 9\n[sender as2]\n[callbacks]\nplain_http = yes\n"),
		0, "%s", fan_error_detail());
	cr_assert_eq(settings.t8.port, 1);
	cr_assert_str_eq(settings.t8.address, "127.0.0.1");
	cr_assert_eq(settings.sender_count, 1, "a section without a key is none");
	cr_assert_eq(settings.senders[0].outcomes, FAN_T8_OUTCOMES_FAILURES);
	cr_assert_eq(settings.senders[0].ues_per_s, 5);
	cr_assert_eq(settings.senders[0].pdus_per_s, 9);
	cr_assert_eq(settings.senders[0].message_bytes, 1024);
	cr_assert(settings.callbacks.plain_http);
	cr_assert_eq(fan_t8_settings_sender(&settings, "as1"), &settings.senders[0]);
	cr_assert_null(fan_t8_settings_sender(&settings, "as"));
	fan_t8_settings_free(&settings);
}

Test(north_t8, a_wrong_configuration_is_refused)
{
	static const struct {
		const char *text, *detail;
	} refused[] = {
		{ SENDER, "[t8] api_root: is needed" },
		{ ROOT, "[sender NAME]: at least one is needed" },
		{ ROOT "port = 65536\n" SENDER, "line 3: [t8] port: takes a number from 0 to 65535" },
		{ ROOT "port = 1x\n" SENDER, "takes a number" },
		{ ROOT "ports = 1\n" SENDER, "line 3: [t8] ports: no such key" },
		{ ROOT "address = 192.0.2.1\n" SENDER, "only a loopback address is served" },
		{ ROOT "certificate = c.pem\n" SENDER, "certificate and key: give both" },
		{ ROOT "client_ca = c.pem\n" SENDER, "client_ca: needs certificate" },
		{ ROOT SENDER "outcomes = some\n", "[sender as1] outcomes: takes all, failures or summary" },
		{ ROOT SENDER "[tokens]\nprofile = magic\n", "profile: takes capif or oauth" },
		{ ROOT SENDER "[tokens]\nprofile = capif\n", "keys: are needed" },
		{ ROOT SENDER "[tokens]\nprofile = oauth\nkeys = k\n", "issuer and audience: are needed" },
		{ ROOT SENDER "[callbacks]\nplain_http = maybe\n", "takes yes or no" },
		{ "api_root = x\n", "no such key" },
		{ ROOT "[sender " NAME_OF_41 "x]\ngroups = *\n", "the name of a section has up to 48 octets" },
		{ ROOT "[sender " NAME_OF_41 "aX]\ngroups = *\n[sender " NAME_OF_41 "aY]\nues = *\n", "up to 48 octets" },
	};

	for (unsigned i = 0; i < COUNT_OF(refused); i++) {
		struct fan_t8_settings settings;

		cr_assert_eq(read_text(&settings, refused[i].text), FAN_E_INVALID, "%s", refused[i].text);
		cr_assert_not_null(strstr(fan_error_detail(), refused[i].detail), "%s: not in %s", refused[i].detail,
				   fan_error_detail());
		fan_t8_settings_free(&settings);
	}
}

/* What is printed says the same. */
Test(north_t8, a_configuration_is_printed_as_it_is_read)
{
	struct fan_t8_settings settings, again;
	char *first = NULL, *second = NULL;
	size_t first_bytes, second_bytes;
	FILE *out = open_memstream(&first, &first_bytes);

	cr_assert_eq(read_text(&settings, ROOT SENDER "callbacks = a.example b.example\n"), 0);
	fan_t8_settings_print(&settings, out);
	fclose(out);
	cr_assert_eq(read_text(&again, first), 0, "%s", fan_error_detail());
	out = open_memstream(&second, &second_bytes);
	fan_t8_settings_print(&again, out);
	fclose(out);
	cr_assert_str_eq(first, second);
	fan_t8_settings_free(&settings);
	fan_t8_settings_free(&again);
	free(first);
	free(second);
}

Test(north_t8, a_list_of_names_has_what_it_says)
{
	char exact[] = "g@example.org", domain[] = "*@example.net", all[] = "*";
	const struct fan_t8_names some = { .at = { exact, domain }, .count = 2 }, every = { .at = { all }, .count = 1 };
	const struct fan_t8_names none = { .count = 0 };

	cr_assert(fan_t8_names_have(&some, "g@example.org"));
	cr_assert(fan_t8_names_have(&some, "any@example.net"));
	cr_assert_not(fan_t8_names_have(&some, "h@example.org"));
	cr_assert_not(fan_t8_names_have(&some, "any@example.net.evil"));
	cr_assert_not(fan_t8_names_have(&some, "example.net"));
	cr_assert_not(fan_t8_names_have(&some, "G@example.org"), "is another group to the daemon");
	cr_assert_not(fan_t8_names_have(&some, "any@EXAMPLE.NET"));
	cr_assert(fan_t8_names_have(&every, "49170000000"));
	cr_assert_not(fan_t8_names_have(&none, "g@example.org"), "default deny");
}

/* ---- Attributes ------------------------------------------------------------------------------------------------------------------- */

Test(north_t8, base64_is_checked)
{
	static const struct {
		const char *text;
		int bytes; /* -1: refused */
	} cases[] = { { "AQID", 3 },  { "AQI=", 2 },      { "AQ==", 1 },  { "AQI", -1 },   { "AQ=", -1 },
		      { "A===", -1 }, { "AQ==AQID", -1 }, { "AQ-_", -1 }, { "A QID", -1 }, { "AQJ=", -1 },
		      { "AR==", -1 }, { "====", -1 },     { "", -1 } };

	for (unsigned i = 0; i < COUNT_OF(cases); i++) {
		json_t *body = json_pack("{s:s}", "data", cases[i].text);
		struct fan_t8_problem problem = { 0 };
		const char *base64 = NULL;
		size_t bytes = 0;

		cr_assert_eq(fan_t8_bytes(body, "data", true, &base64, &bytes, &problem), cases[i].bytes >= 0, "%s",
			     cases[i].text);
		cr_assert_eq(problem.status,
			     cases[i].bytes >= 0        ? 0
			     : cases[i].text[0] == '\0' ? 403
							: 400,
			     "%s", cases[i].text);
		if (cases[i].bytes >= 0)
			cr_assert_eq(bytes, (size_t)cases[i].bytes, "%s", cases[i].text);
		json_decref(body);
	}
}

Test(north_t8, times_are_read)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: refused */
	} cases[] = { { "1970-01-01T00:00:00Z", 0 },
		      { "2026-01-31T18:40:00.250Z", 1769884800250 },
		      { "2026-01-31t19:40:00+01:00", 1769884800000 },
		      { "2026-01-31T18:40:00", -1 },
		      { "2026-01-31 18:40:00Z", -1 },
		      { "2026-13-31T18:40:00Z", -1 },
		      { "2026-01-31T24:40:00Z", -1 },
		      { "2026-01-31T18:40:00Zjunk", -1 },
		      { "26-01-31T18:40:00Z", -1 },
		      { "2026-01-31T18:40:00+0100", -1 } };

	for (unsigned i = 0; i < COUNT_OF(cases); i++) {
		json_t *body = json_pack("{s:s}", "at", cases[i].text);
		struct fan_t8_problem problem = { 0 };
		int64_t ms = -1;

		cr_assert_eq(fan_t8_time(body, "at", true, &ms, &problem), cases[i].ms >= 0, "%s", cases[i].text);
		if (cases[i].ms >= 0)
			cr_assert_eq(ms, cases[i].ms, "%s: %ld", cases[i].text, (long)ms);
		json_decref(body);
	}
}

Test(north_t8, one_of_three_names_is_whom)
{
	static const struct {
		const char *text;
		bool group;
		unsigned refused; /* with what; 0: it is taken */
	} cases[] = {
		{ "{\"externalGroupId\":\"g@example.org\"}", true, 0 },
		{ "{\"externalGroupId\":\"g@example.org\"}", false, 400 },
		{ "{\"externalId\":\"u@example.org\"}", false, 0 },
		{ "{\"msisdn\":\"491700000\"}", false, 0 },
		{ "{\"externalId\":\"u@e\",\"msisdn\":\"491700000\"}", false, 400 },
		{ "{\"externalId\":7}", false, 400 },
		{ "{\"externalId\":\"u@example.org\\u0000x\"}", false, 403 },
		{ "{\"externalId\":null,\"msisdn\":\"491700000\"}", false, 0 },
		{ "{}", true, 400 },
	};

	for (unsigned i = 0; i < COUNT_OF(cases); i++) {
		json_t *body = json_loads(cases[i].text, JSON_ALLOW_NUL, NULL);
		struct fan_t8_problem problem = { 0 };
		const char *name = NULL, *id = NULL;

		cr_assert_eq(fan_t8_whom(body, cases[i].group, &name, &id, &problem), cases[i].refused == 0, "%s",
			     cases[i].text);
		cr_assert_eq(problem.status, cases[i].refused, "%s", cases[i].text);
		json_decref(body);
	}
}

/* ---- Outcomes ----------------------------------------------------------------------------------------------------------------------- */

static json_t *
write_page(const char *lines, size_t lines_bytes, size_t *at, unsigned *taken, const struct fan_t8_filter *filter, size_t room)
{
	static char page[FAN_T8_PAGE_BYTES_MAX + 16];
	size_t bytes = 1;
	unsigned ues = 0;
	json_t *array;

	page[0] = '[';
	fan_t8_results_write(page, room, &bytes, &ues, lines, lines_bytes, at, taken, FAN_T8_PAGE_UES_MAX, filter);
	cr_assert_leq(bytes, room);
	page[bytes++] = ']';
	array = json_loadb(page, bytes, 0, NULL);
	cr_assert_not_null(array, "%.*s", (int)bytes, page);
	cr_assert_eq(json_array_size(array), ues);
	return array;
}

static const char *
member(const json_t *array, size_t i, const char *name)
{
	return json_string_value(json_object_get(json_array_get(array, i), name));
}

Test(north_t8, outcomes_become_statuses_that_are_no_better)
{
	static const char lines[] =
		"u1@example.org,eps-nas-nidd,sent\n4917000001,eps-nas-nidd,unreachable\nu3@e,x,expired\nu4@e,x,port\n"
		"u5@e,x,window\nu6@e,x,something-new\nq\"\\@e,x,cancelled\na,b@e,x,sent\nno commas\n,x,sent\n"
		"u7@e,x,broadcast-lte\nu8@e,x,broadcast-nr\n";
	static const char *const statuses[] = { "SUCCESS_NEXT_HOP_UNACKNOWLEDGED",
						"FAILURE_TEMPORARILY_NOT_REACHABLE",
						"FAILURE_TIMEOUT",
						"FAILURE_NEXT_HOP",
						"FAILURE",
						"FAILURE",
						"FAILURE",
						"SUCCESS_NEXT_HOP_UNACKNOWLEDGED",
						"SUCCESS_NEXT_HOP_UNACKNOWLEDGED",
						"SUCCESS_NEXT_HOP_UNACKNOWLEDGED" };
	const struct fan_t8_filter none = { .failures = false }, failures = { .failures = true },
				   timeout = { .status = "FAILURE_TIMEOUT" };
	size_t at = 0;
	unsigned taken;
	json_t *page = write_page(lines, sizeof(lines) - 1, &at, &taken, &none, FAN_T8_PAGE_BYTES_MAX);

	cr_assert_eq(taken, 12);
	cr_assert_eq(json_array_size(page), COUNT_OF(statuses), "%zu", json_array_size(page));
	for (size_t i = 0; i < COUNT_OF(statuses); i++)
		cr_assert_str_eq(member(page, i, "deliveryStatus"), statuses[i]);
	cr_assert_str_eq(member(page, 0, "externalId"), "u1@example.org");
	cr_assert_str_eq(member(page, 1, "msisdn"), "4917000001");
	cr_assert_null(member(page, 1, "externalId"));
	cr_assert_str_eq(member(page, 6, "externalId"), "q\"\\@e");
	cr_assert_str_eq(member(page, 7, "externalId"), "a,b@e");
	json_decref(page);
	at = 0;
	page = write_page(lines, sizeof(lines) - 1, &at, &taken, &failures, FAN_T8_PAGE_BYTES_MAX);
	cr_assert_eq(json_array_size(page), COUNT_OF(statuses) - 4);
	json_decref(page);
	at = 0;
	page = write_page(lines, sizeof(lines) - 1, &at, &taken, &timeout, FAN_T8_PAGE_BYTES_MAX);
	cr_assert_eq(json_array_size(page), 1);
	json_decref(page);
}

/* Pages of 1,000 UEs, or of as many as there is room for, with each UE in one of them. */
Test(north_t8, pages_have_each_ue_once)
{
	static const size_t rooms[] = { FAN_T8_PAGE_BYTES_MAX, 20000, 1100 };
	const struct fan_t8_filter none = { .failures = false };
	const unsigned ues = 2500;
	char *lines = NULL;
	size_t lines_bytes = 0;
	FILE *out = open_memstream(&lines, &lines_bytes);

	for (unsigned i = 0; i < ues; i++)
		fprintf(out, "ue%u@example.org,x,%s\n", i, i % 3 == 0 ? "expired" : "sent");
	fclose(out);
	for (unsigned k = 0; k < COUNT_OF(rooms); k++) {
		unsigned next = 0;

		for (size_t at = 0; at < lines_bytes;) {
			unsigned taken;
			json_t *page = write_page(lines, lines_bytes, &at, &taken, &none, rooms[k]);

			cr_assert_gt(taken, 0, "it goes on");
			cr_assert_leq(json_array_size(page), FAN_T8_PAGE_UES_MAX);
			for (size_t i = 0; i < json_array_size(page); i++) {
				char expected[64];

				(void)snprintf(expected, sizeof(expected), "ue%u@example.org", next++);
				cr_assert_str_eq(member(page, i, "externalId"), expected);
			}
			json_decref(page);
		}
		cr_assert_eq(next, ues);
	}
	free(lines);
}

/* What is told of a delivery whose sender wants outcomes so. The caller's; NULL: pages are. In: the record's other members. */
static json_t *
told(const char *outcomes, const char *members)
{
	static struct fan_t8 t8;
	char text[256];
	json_t *record = json_loads(members, 0, NULL), *body;

	(void)snprintf(text, sizeof(text), ROOT SENDER "outcomes = %s\n", outcomes);
	cr_assert_eq(read_text(&t8.settings, text), 0, "%s", fan_error_detail());
	cr_assert_not_null(record);
	(void)json_object_set_new(record, "sender", json_string("as1"));
	(void)json_object_set_new(record, "state", json_string("ended"));
	body = fan_t8_nidd.tell(&t8, "nidd/as1/c/d", record);
	json_decref(record);
	fan_t8_settings_free(&t8.settings);
	return body;
}

Test(north_t8, one_notification_says_what_became_of_a_group_for_who_wants_a_summary)
{
	static const struct {
		const char *outcomes, *members, *status; /* NULL: it is told by pages */
	} cases[] = {
		{ "all", "{\"group\":true,\"message\":7}", NULL },
		{ "failures", "{\"group\":true,\"message\":7}", NULL },
		{ "summary", "{\"group\":true,\"message\":7,\"result\":{\"ues\":3,\"sent\":3,\"dropped\":{}}}",
		  "SUCCESS_NEXT_HOP_UNACKNOWLEDGED" },
		{ "summary", "{\"group\":true,\"message\":7,\"result\":{\"ues\":3,\"sent\":2,\"dropped\":{\"unreachable\":1}}}",
		  "FAILURE_TEMPORARILY_NOT_REACHABLE" },
		{ "summary",
		  "{\"group\":true,\"message\":7,\"result\":{\"ues\":3,\"sent\":1,\"dropped\":{\"unreachable\":1,\"window\":1}}}",
		  "FAILURE" },
		{ "summary",
		  "{\"group\":true,\"message\":7,\"result\":{\"ues\":9,\"sent\":2,\"dropped\":{},"
		  "\"ways\":{\"unicast\":2,\"broadcast-lte\":3,\"broadcast-nr\":4}}}",
		  "SUCCESS_NEXT_HOP_UNACKNOWLEDGED" },
		{ "summary",
		  "{\"group\":true,\"message\":7,\"result\":{\"ues\":9,\"sent\":1,\"dropped\":{\"unreachable\":1},"
		  "\"ways\":{\"unicast\":2,\"broadcast-lte\":7}}}",
		  "FAILURE_TEMPORARILY_NOT_REACHABLE" },
		{ "all", "{\"group\":true,\"outcome\":\"expired\"}", "FAILURE_TIMEOUT" },
		{ "all", "{\"group\":false,\"message\":7,\"result\":{\"ues\":1,\"sent\":1,\"dropped\":{}}}",
		  "SUCCESS_NEXT_HOP_UNACKNOWLEDGED" },
	};

	for (unsigned i = 0; i < COUNT_OF(cases); i++) {
		json_t *body = told(cases[i].outcomes, cases[i].members);
		const char *status = json_string_value(json_object_get(body, "deliveryStatus"));

		if (cases[i].status == NULL)
			cr_assert_null(body, "%s", cases[i].members);
		else {
			cr_assert_str_eq(status, cases[i].status, "%s: %s", cases[i].members, status);
			cr_assert_str_eq(
				json_string_value(json_object_get(body, "niddDownlinkDataTransfer")),
				"https://scef.example.org/3gpp-nidd/v1/as1/configurations/c/downlink-data-deliveries/d");
		}
		json_decref(body);
	}
}

/* ---- Accounts ----------------------------------------------------------------------------------------------------------------------- */

Test(north_t8, a_sender_over_its_rate_is_told_when_to_come_again)
{
	static const struct {
		const char *limits;
		double ues, pdus;
		unsigned status, retry_after_s;
	} cases[] = {
		{ "", -5, -5, 0, 0 },
		{ "ues_per_s = 10\npdus_per_s = 10\n", 1, 1, 0, 0 },
		{ "ues_per_s = 10\n", -25, 0, 429, 3 },
		{ "pdus_per_s = 10\n", 0, -25, 429, 3 },
		{ "ues_per_s = 10\npdus_per_s = 10\n", 1, 0, 429, 1 },
		{ "pdus_per_s = 1\n", 0, -1e12, 429, 86401 },
	};

	for (unsigned i = 0; i < COUNT_OF(cases); i++) {
		struct fan_t8_account account = { .ues = cases[i].ues, .pdus = cases[i].pdus };
		struct fan_t8 t8 = { .accounts = &account };
		struct fan_t8_call call = { .t8 = &t8 };
		json_t *record = json_object();
		char text[256];

		(void)snprintf(text, sizeof(text), ROOT SENDER "%s", cases[i].limits);
		cr_assert_eq(read_text(&t8.settings, text), 0, "%s", fan_error_detail());
		call.sender = t8.settings.senders;
		cr_assert_eq(fan_t8_delivery_may(&call, record), cases[i].status == 0, "case %u", i);
		cr_assert_eq(call.problem.status, cases[i].status, "case %u", i);
		cr_assert_eq(call.problem.retry_after_s, cases[i].retry_after_s, "case %u: %u", i, call.problem.retry_after_s);
		json_decref(record);
		fan_t8_settings_free(&t8.settings);
	}
}

/* ---- Records ------------------------------------------------------------------------------------------------------------------------ */

static int
remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
	(void)status;
	(void)kind;
	(void)walk;
	return remove(path);
}

static void
sum(void *user, const char *key, int64_t growth_bytes)
{
	*(int64_t *)user += key[0] == 'a' ? growth_bytes : 0;
}

static int
count(void *user, const char *key, json_t *object)
{
	cr_assert_eq(strncmp(key, "a/", 2), 0);
	cr_assert_not_null(object);
	++*(unsigned *)user;
	return 0;
}

Test(north_t8, records_outlive_the_process_and_have_one_owner)
{
	char directory[] = "/tmp/fanfare-t8-XXXXXX";
	struct fan_t8_records *records, *other;
	json_t *object = json_pack("{s:i}", "x", 7), *found;
	const struct fan_t8_put puts[] = { { "e/1", object }, { "e/2", object } };
	unsigned found_count = 0;
	int64_t bytes = 0;

	cr_assert_not_null(mkdtemp(directory));
	cr_assert_eq(fan_t8_records_open(&records, directory), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_t8_records_open(&other, directory), FAN_E_BUSY);
	cr_assert_not_null(strstr(fan_error_detail(), "another `fanfare t8`"));
	cr_assert_eq(fan_t8_records_put(records, "a/1", object), 0);
	cr_assert_eq(fan_t8_records_put(records, "a/2", object), 0);
	cr_assert_eq(fan_t8_records_put(records, "b/1", object), 0);
	cr_assert_eq(fan_t8_records_put_all(records, puts, 2), 0);
	cr_assert_eq(fan_t8_records_remove(records, "a/2"), 0);
	cr_assert_eq(fan_t8_records_remove(records, "a/none"), 0);
	fan_t8_records_close(records);
	cr_assert_eq(fan_t8_records_open(&records, directory), 0, "%s", fan_error_detail());
	found = fan_t8_records_get(records, "a/1");
	cr_assert(json_equal(found, object));
	cr_assert_null(fan_t8_records_get(records, "a/2"));
	for (unsigned i = 0; i < 2; i++) {
		json_t *one = fan_t8_records_get(records, puts[i].key);

		cr_assert(json_equal(one, object), "%s", puts[i].key);
		json_decref(one);
		cr_assert_eq(fan_t8_records_remove(records, puts[i].key), 0);
	}
	(void)fan_t8_records_each(records, "a/", count, &found_count);
	cr_assert_eq(found_count, 1);
	fan_t8_records_watch(records, sum, &bytes);
	cr_assert_eq(bytes, 7, "{\"x\":7} has 7 octets, not %lld", (long long)bytes);
	(void)json_object_set_new(object, "x", json_integer(77));
	cr_assert_eq(fan_t8_records_put(records, "a/1", object), 0);
	cr_assert_eq(fan_t8_records_put(records, "a/3", object), 0);
	cr_assert_eq(bytes, 16);
	cr_assert_eq(fan_t8_records_remove(records, "a/1"), 0);
	cr_assert_eq(fan_t8_records_remove(records, "a/1"), 0);
	cr_assert_eq(bytes, 8);
	fan_t8_records_close(records);
	json_decref(found);
	json_decref(object);
	nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Old is what is odd. */
static bool
is_odd(const void *user, const json_t *object)
{
	cr_assert_null(user);
	return json_integer_value(json_object_get(object, "x")) % 2 == 1;
}

Test(north_t8, what_is_old_goes_and_nothing_else)
{
	char directory[] = "/tmp/fanfare-t8-XXXXXX";
	const unsigned pairs = FAN_T8_PUTS_MAX + 3; /* more than one write takes */
	struct fan_t8_records *records;
	unsigned left = 0;
	json_t *object;
	char key[32];

	cr_assert_not_null(mkdtemp(directory));
	cr_assert_eq(fan_t8_records_open(&records, directory), 0, "%s", fan_error_detail());
	for (unsigned i = 0; i < 2 * pairs; i++) {
		object = json_pack("{s:i}", "x", (int)i);
		(void)snprintf(key, sizeof(key), "%s/%u", i < 2 * pairs - 1 ? "a" : "b", i);
		cr_assert_eq(fan_t8_records_put(records, key, object), 0);
		json_decref(object);
	}
	fan_t8_records_tidy(records, "a/", is_odd, NULL);
	(void)fan_t8_records_each(records, "a/", count, &left);
	cr_assert_eq(left, pairs);
	cr_assert_null(fan_t8_records_get(records, "a/1"));
	(void)snprintf(key, sizeof(key), "b/%u", 2 * pairs - 1);
	object = fan_t8_records_get(records, key);
	cr_assert_not_null(object, "one of another kind goes too");
	json_decref(object);
	fan_t8_records_close(records);
	nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* What a process that died has left: how it had got on with the request of each key. */
static const struct {
	const char *key, *state; /* NULL: it has no delivery yet */
	bool kept, answered;
} keys_left[] = {
	{ "idem/as1/none", NULL, false, false },    { "idem/as1/asked", "new", true, false },
	{ "idem/as1/sent", "sending", true, true }, { "idem/as1/later", "waiting", true, true },
	{ "idem/as1/ended", "ended", true, true },  { "idem/as1/deleted", "withdrawn", true, false },
};

static void
leave_keys(struct fan_t8_records *records)
{
	for (unsigned i = 0; i < COUNT_OF(keys_left); i++) {
		json_t *key = json_pack("{s:s, s:i}", "hash", "", "made_ms", 0);
		json_t *delivery = keys_left[i].state == NULL
					   ? NULL
					   : json_pack("{s:s, s:s, s:{}, s:s}", "sender", "as1", "idempotency",
						       keys_left[i].key, "body", "state", keys_left[i].state);
		char name[64];

		(void)snprintf(name, sizeof(name), "nidd/as1/c/%u", i);
		cr_assert_eq(fan_t8_records_put(records, keys_left[i].key, key), 0);
		if (delivery != NULL)
			cr_assert_eq(fan_t8_records_put(records, name, delivery), 0);
		json_decref(key);
		json_decref(delivery);
	}
}

Test(north_t8, a_key_whose_request_was_interrupted_is_answered_or_free)
{
	char directory[] = "/tmp/fanfare-t8-XXXXXX";
	struct fan_t8 t8 = { .delivery_count = 0 };

	cr_assert_not_null(mkdtemp(directory));
	cr_assert_eq(fan_t8_records_open(&t8.records, directory), 0, "%s", fan_error_detail());
	cr_assert_eq(read_text(&t8.settings, ROOT "[sender other]\ngroups = *\n"), 0, "%s", fan_error_detail());
	leave_keys(t8.records);
	cr_assert_eq(fan_t8_deliveries_load(&t8), 0);
	for (unsigned i = 0; i < COUNT_OF(keys_left); i++) {
		json_t *key = fan_t8_records_get(t8.records, keys_left[i].key);

		cr_assert_eq(key != NULL, keys_left[i].kept, "%s", keys_left[i].key);
		cr_assert_eq(json_object_get(key, "location") != NULL, keys_left[i].answered, "%s", keys_left[i].key);
		json_decref(key);
	}
	fan_t8_deliveries_free(&t8);
	fan_t8_settings_free(&t8.settings);
	fan_t8_records_close(t8.records);
	nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
