/* SPDX-License-Identifier: BSD-3-Clause */
#include "../host-api/north/diameter/rate.h"
#include "../host-api/north/tsp/action.h"
#include "../host-api/north/tsp/verdict.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static char host[] = "scs1.example.org", groups[] = "flood@example.org", ues[] = "meter@example.org 49*",
	    domain[] = "msisdn.org";

static struct fan_settings settings = {
	.limits = { .payload_bytes = 10, .validity_s = 100 },
	.scs = { { .label = "one", .host = host, .identity = host, .groups = groups, .ues = ues } },
	.scs_count = 1,
};

static uint8_t payload[] = { 0x00, 0xff, 0x10 };

/* A trigger that nothing is wrong with. */
static struct fan_tsp_action
trigger(void)
{
	return (struct fan_tsp_action){ .scs = &settings.scs[0],
					.type = FAN_TSP_TRIGGER,
					.reference = 7,
					.group = true,
					.target = "flood@example.org",
					.payload = payload,
					.payload_bytes = sizeof(payload) };
}

static enum fan_tsp_status
check(const struct fan_tsp_action *action)
{
	char why[FAN_TSP_WHY_BYTES];
	const enum fan_tsp_status status = fan_tsp_action_check(why, action, &settings);

	cr_assert_eq(status == FAN_TSP_SUCCESS, why[0] == '\0', "%d: %s", status, why);
	return status;
}

static void
put(char *place, const char *text)
{
	memcpy(place, text, strlen(text) + 1);
}

#define CHANGED(status, ...)                                                                                                   \
	do {                                                                                                                   \
		struct fan_tsp_action action = trigger();                                                                      \
		__VA_ARGS__;                                                                                                   \
		cr_expect_eq(check(&action), status, "%s: %d", #__VA_ARGS__, check(&action));                                  \
	} while (0)

Test(tsp_action, what_may_be)
{
	CHANGED(FAN_TSP_SUCCESS, action.priority = true);
	CHANGED(FAN_TSP_SUCCESS, put(action.identity, host));
	CHANGED(FAN_TSP_INVALID_SCS, put(action.identity, "scs1.example.orgx"));
	CHANGED(FAN_TSP_INVALID_TARGET, action.target[0] = '\0');
	CHANGED(FAN_TSP_NOT_AUTHORISED, action.group = false);
	CHANGED(FAN_TSP_NOT_AUTHORISED, put(action.target, "meter@example.org"));
	CHANGED(FAN_TSP_SUCCESS, action.group = false; put(action.target, "meter@example.org"));
	CHANGED(FAN_TSP_INVALID_TARGET, action.group = false; action.msisdn = true; put(action.target, "491234"));
	CHANGED(FAN_TSP_INVALID_PAYLOAD, action.payload = NULL);
	CHANGED(FAN_TSP_INVALID_PAYLOAD, action.payload_bytes = 0);
	CHANGED(FAN_TSP_SUCCESS, action.payload_bytes = 10);
	CHANGED(FAN_TSP_INVALID_PAYLOAD, action.payload_bytes = 11);
	CHANGED(FAN_TSP_SUCCESS, action.has_validity = true; action.validity_s = 100);
	CHANGED(FAN_TSP_INVALID_PERIOD, action.has_validity = true; action.validity_s = 101);
	CHANGED(FAN_TSP_REPLACE_FAILED, action.type = FAN_TSP_REPLACE);
	CHANGED(FAN_TSP_REPLACE_FAILED, action.type = FAN_TSP_REPLACE; action.has_old_reference = true;
		action.old_reference = 7);
	CHANGED(FAN_TSP_SUCCESS, action.type = FAN_TSP_REPLACE; action.has_old_reference = true; action.old_reference = 6);
	CHANGED(FAN_TSP_NOT_AUTHORISED, action.type = FAN_TSP_REPLACE; action.has_old_reference = true; action.target[0] = 'x');
	CHANGED(FAN_TSP_SUCCESS, action.type = FAN_TSP_RECALL; action.payload = NULL; action.target[0] = '\0');
	CHANGED(FAN_TSP_INVALID_SCS, action.type = FAN_TSP_RECALL; put(action.identity, "x"));
}

static void
expect_send(const struct fan_tsp_action *action, const char *wanted)
{
	json_t *params = fan_tsp_action_send(action, &settings, "tsp-1");
	char *text = json_dumps(params, JSON_COMPACT | JSON_SORT_KEYS);

	cr_expect_str_eq(text, wanted);
	free(text);
	json_decref(params);
}

Test(tsp_action, what_serve_is_asked)
{
	struct fan_tsp_action action = trigger();

	expect_send(&action,
		    "{\"application_port\":0,\"coding\":\"8bit\",\"device_trigger\":true,\"gid\":\"flood@example.org\","
		    "\"message\":\"AP8Q\",\"priority\":0,\"reference\":\"tsp-1\",\"sender\":\"scs1.example.org\"}");
	action.priority = action.has_validity = true;
	action.application_port = 65535;
	action.validity_s = 60;
	action.payload_bytes = 2;
	action.group = false;
	expect_send(
		&action,
		"{\"application_port\":65535,\"coding\":\"8bit\",\"device_trigger\":true,\"identity\":"
		"\"flood@example.org\",\"message\":\"AP8=\",\"priority\":6,\"reference\":\"tsp-1\",\"sender\":\"scs1.example.org\",\"valid_for_ms\":60000}");
	action.validity_s = 0; /* not "no limit", as 0 means to serve */
	action.payload_bytes = 1;
	action.msisdn = true;
	settings.tsp.msisdn_domain = domain;
	put(action.target, "4912345");
	expect_send(
		&action,
		"{\"application_port\":65535,\"coding\":\"8bit\",\"device_trigger\":true,\"identity\":"
		"\"4912345@msisdn.org\",\"message\":\"AA==\",\"priority\":6,\"reference\":\"tsp-1\",\"sender\":\"scs1.example.org\",\"valid_for_ms\":1000}");
}

Test(tsp_action, msisdn)
{
	static const struct {
		const char *octets;
		size_t byte_count;
		const char *digits; /* NULL: refused */
	} rows[] = {
		{ "\x94\x21\x43\xf5", 4, "4912345" },
		{ "\x94\x21", 2, "4912" },
		{ "\xf1", 1, "1" },
		{ "", 0, NULL },
		{ "\xff", 1, NULL },
		{ "\x1f\x21", 2, NULL },
		{ "\xf1\x21", 2, NULL },
		{ "\xa1", 1, NULL },
		{ "\x21\x43\x65\x87\x09\x21\x43\xf5", 8, "123456789012345" },
		{ "\x21\x43\x65\x87\x09\x21\x43\x65", 8, NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char digits[16] = "";
		const bool good = fan_tsp_msisdn_read(digits, (const uint8_t *)rows[i].octets, rows[i].byte_count);

		cr_expect_eq(good, rows[i].digits != NULL, "row %zu", i);
		if (good)
			cr_expect_str_eq(digits, rows[i].digits);
	}
}

Test(tsp_action, what_errors_mean)
{
	cr_assert_eq(fan_tsp_status_of(-32006), FAN_TSP_INVALID_TARGET);
	cr_assert_eq(fan_tsp_status_of(-32004), FAN_TSP_INVALID_PAYLOAD);
	cr_assert_eq(fan_tsp_status_of(-32003), FAN_TSP_UNAVAILABLE);
	cr_assert_eq(fan_tsp_status_of(-32001), FAN_TSP_PERMANENT_ERROR);
	cr_assert_eq(fan_tsp_status_of(-32602), FAN_TSP_PERMANENT_ERROR);
	for (int code = -32700; code <= 0; code++)
		cr_assert_neq(fan_tsp_status_of(code), FAN_TSP_SUCCESS);
	cr_assert_eq(fan_tsp_status_of(0), FAN_TSP_TEMPORARY_ERROR);
	cr_assert_eq(fan_tsp_status_of(-32007), FAN_TSP_TEMPORARY_ERROR);
	cr_assert_eq(fan_tsp_status_of(-32098), FAN_TSP_TEMPORARY_ERROR);
	cr_assert_eq(fan_tsp_status_of(-32097), FAN_TSP_NOT_AUTHORISED);
}

static const struct {
	const char *shown;
	enum fan_tsp_outcome outcome;
	const char *totals;
} endings[] = {
	{ "{\"state\":\"sent\",\"ues\":2,\"created\":0,\"sent\":0,\"dropped\":{},\"ways\":{\"broadcast-nr\":2}}",
	  FAN_TSP_UNCONFIRMED, "state=sent ues=2 created=0 sent=0 dropped=0" },
	{ "{\"state\":\"sent\",\"ues\":2,\"created\":2,\"sent\":2,\"dropped\":{}}", FAN_TSP_UNCONFIRMED,
	  "state=sent ues=2 created=2 sent=2 dropped=0" },
	{ "{\"state\":\"sent\",\"ues\":0,\"created\":0,\"sent\":0,\"dropped\":{}}", FAN_TSP_UNDELIVERABLE,
	  "state=sent ues=0 created=0 sent=0 dropped=0" },
	{ "{\"state\":\"sent\",\"ues\":9,\"created\":9,\"sent\":6,\"dropped\":{\"window\":1,\"unreachable\":2}}",
	  FAN_TSP_TEMPORARY, "state=sent ues=9 created=9 sent=6 dropped=3 window=1 unreachable=2" },
	{ "{\"state\":\"sent\",\"ues\":2,\"created\":2,\"sent\":0,\"dropped\":{\"unreachable\":2}}", FAN_TSP_TEMPORARY,
	  "state=sent ues=2 created=2 sent=0 dropped=2 unreachable=2" },
	{ "{\"state\":\"expired\",\"ues\":3,\"created\":3,\"sent\":1,\"dropped\":{\"expired\":1,\"window\":1}}",
	  FAN_TSP_EXPIRED, "state=expired ues=3 created=3 sent=1 dropped=2 expired=1 window=1" },
	{ "{\"state\":\"cancelled\",\"ues\":3,\"created\":3,\"sent\":1,\"dropped\":{\"expired\":1,\"cancelled\":1}}",
	  FAN_TSP_UNDELIVERABLE, "state=cancelled ues=3 created=3 sent=1 dropped=2 expired=1 cancelled=1" },
	{ "{\"state\":\"sent\",\"ues\":2,\"created\":2,\"sent\":1,\"dropped\":{\"some-new-reason\":1}}", FAN_TSP_UNDELIVERABLE,
	  "state=sent ues=2 created=2 sent=1 dropped=1 some-new-reason=1" },
	{ "{\"state\":\"sent\",\"ues\":1,\"created\":1,\"sent\":1,\"dropped\":{\"removed\":0}}", FAN_TSP_UNCONFIRMED,
	  "state=sent ues=1 created=1 sent=1 dropped=0 removed=0" },
	{ "{}", FAN_TSP_UNDELIVERABLE, "state=unknown ues=0 created=0 sent=0 dropped=0" },
};

Test(tsp_action, no_outcome_is_better_than_what_happened)
{
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		json_t *shown = json_loads(endings[i].shown, 0, NULL);
		char totals[FAN_TSP_TOTALS_BYTES];

		cr_assert_not_null(shown);
		fan_tsp_totals_of(totals, shown);
		cr_expect_eq(fan_tsp_outcome_of(shown), endings[i].outcome, "%s: %d", endings[i].shown,
			     fan_tsp_outcome_of(shown));
		cr_expect_str_eq(totals, endings[i].totals);
		json_decref(shown);
	}
}

/* Every reason of serve's has been given a thought: none falls to the default unseen. */
Test(tsp_action, every_reason_has_an_outcome)
{
#define ROW(name, text, why) text,
	static const char *const reasons[] = { FAN_DROP_LIST(ROW) };
#undef ROW
	unsigned undeliverable = 0;

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		json_t *shown = json_pack("{s:i, s:{s:i}}", "sent", 0, "dropped", reasons[i], 1);

		undeliverable += fan_tsp_outcome_of(shown) == FAN_TSP_UNDELIVERABLE;
		json_decref(shown);
	}
	cr_assert_eq(undeliverable, 2, "%u reasons count as undeliverable: cancelled and removed do", undeliverable);
}

Test(tsp_rate, a_second_s_worth_and_no_more)
{
	struct fan_rate rate;
	unsigned taken = 0;
	uint64_t now_ns = 5;

	fan_rate_init(&rate, 50, now_ns);
	while (fan_rate_take(&rate, now_ns))
		taken++;
	cr_assert_eq(taken, 50);
	cr_assert_not(fan_rate_take(&rate, now_ns + 19999999));
	cr_assert(fan_rate_take(&rate, now_ns + 20000000));
	cr_assert_not(fan_rate_take(&rate, now_ns + 20000000));
	/* A long rest fills it once. */
	now_ns = UINT64_C(1) << 60;
	for (taken = 0; fan_rate_take(&rate, now_ns); taken++)
		;
	cr_assert_eq(taken, 50);
	/* A clock that stands or goes back gives nothing. */
	cr_assert_not(fan_rate_take(&rate, 1));
}

Test(tsp_rate, over_ten_seconds_it_is_the_rate)
{
	struct fan_rate rate;
	unsigned taken = 0;

	fan_rate_init(&rate, 3, 0);
	for (uint64_t now_ns = 0; now_ns < UINT64_C(10000000000); now_ns += 1000000)
		taken += fan_rate_take(&rate, now_ns);
	cr_assert_geq(taken, 32);
	cr_assert_leq(taken, 33);
}
