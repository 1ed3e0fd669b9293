/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is said of a run: the table, the JSON object and the judgement, of results that were made up.
 */
#define _GNU_SOURCE
#include "../host-api/fanout/fanout.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define UES 1234567

static struct fan_fanout_request request;
static struct fan_fanout_result result;

/* Two passes, of which everything arrived. */
static void
make_result(void)
{
	request = (struct fan_fanout_request){ .repeat = 2, .verify = true, .parts = { [FAN_PROFILE_EPS_NAS_NIDD] = 1 } };
	request.appliance.egress = "net_ring";
	request.message.byte_count = 5;
	result = (struct fan_fanout_result){
		.total = { .ues = UES, .created = 2 * UES, .sent = 2 * UES, .verified = 2 * UES, .bytes_out = 2 * UES * 100 },
		.passes = 2,
		.ues_served = 2 * UES,
		.seconds = 4,
		.verified = true,
		.first_fault_ue = -1,
		.engines = "reference",
		.workers = 1,
	};
	result.profile[FAN_PROFILE_EPS_NAS_NIDD] = result.total;
}

static void
drop(enum fan_drop why, uint64_t pdus)
{
	result.total.sent -= pdus;
	result.total.dropped[why] += pdus;
	result.profile[FAN_PROFILE_EPS_NAS_NIDD] = result.total;
}

/* ---- JSON -------------------------------------------------------------------------------------------------------------- */

static json_t *
json_of_result(void)
{
	char *text = NULL;
	size_t text_bytes;
	FILE *out = open_memstream(&text, &text_bytes);
	json_error_t error;
	json_t *object;

	cr_assert_not_null(out);
	cr_assert(fan_fanout_print_json(out, &request, &result));
	cr_assert_eq(fclose(out), 0);
	object = json_loads(text, 0, &error);
	cr_assert_not_null(object, "%s: %s", error.text, text);
	free(text);
	return object;
}

static int64_t
integer(const json_t *object, const char *name)
{
	cr_assert(json_is_integer(json_object_get(object, name)), "%s", name);
	return json_integer_value(json_object_get(object, name));
}

Test(result, json_has_every_count)
{
	json_t *object, *dropped, *profile;

	make_result();
	for (unsigned i = FAN_DROP_NONE + 1; i < FAN_DROP_COUNT; i++)
		drop((enum fan_drop)i, 10 + i);
	result.verdicts[FAN_UE_ACCEPTED] = 99;
	result.verdicts[FAN_UE_REPLAY] = 3;
	result.outcomes[FAN_RECEPTION_SURPLUS] = 4;
	result.frames_missing = 5;
	object = json_of_result();
	cr_assert_eq(integer(object, "ues"), UES);
	cr_assert_eq(integer(object, "created"), 2 * UES);
	cr_assert_eq(integer(object, "ues_served"), 2 * UES);
	cr_assert_eq(json_real_value(json_object_get(object, "ues_per_second")), 2 * UES / 4.0, "of all passes");
	profile = json_object_get(json_object_get(object, "profiles"), "eps-nas-nidd");
	cr_assert_eq(integer(profile, "ues"), UES);
	cr_assert_eq(json_object_size(json_object_get(object, "profiles")), 1);
	for (unsigned at = 0; at < 2; at++) {
		dropped = json_object_get(at == 0 ? object : profile, "dropped");
		cr_assert_eq(json_object_size(dropped), FAN_DROP_COUNT - 1);
		for (unsigned i = FAN_DROP_NONE + 1; i < FAN_DROP_COUNT; i++)
			cr_assert_eq(integer(dropped, fan_drop_name((enum fan_drop)i)), 10 + i);
	}
	cr_assert_eq(json_object_size(json_object_get(object, "faults")), 3);
	cr_assert_eq(integer(json_object_get(object, "faults"), fan_ue_verdict_name(FAN_UE_REPLAY)), 3);
	cr_assert_eq(integer(json_object_get(object, "faults"), fan_reception_name(FAN_RECEPTION_SURPLUS)), 4);
	cr_assert_eq(integer(json_object_get(object, "faults"), "missing"), 5);
	json_decref(object);
}

Test(result, json_that_cannot_be_written_is_told_of)
{
	FILE *full = fopen("/dev/full", "w");

	if (full == NULL)
		cr_skip_test("no /dev/full here");
	make_result();
	cr_assert_not(fan_fanout_print_json(full, &request, &result));
	fclose(full);
}

/* ---- Table ------------------------------------------------------------------------------------------------------------- */

/* Valid until the next call. */
static const char *
table_of_result(void)
{
	static char *text;
	size_t text_bytes;
	FILE *out;

	free(text);
	text = NULL;
	out = open_memstream(&text, &text_bytes);
	cr_assert_not_null(out);
	fan_fanout_print_table(out, &request, &result);
	cr_assert_eq(fclose(out), 0);
	return text;
}

static void
expect_said(const char *what)
{
	const char *table = table_of_result();

	cr_assert_not_null(strstr(table, what), "\"%s\" is not in: %s", what, table);
}

Test(result, the_table_adds_up)
{
	make_result();
	expect_said("One message of 5 octets to 1,234,567 UEs, 2 times");
	expect_said("UEs   PDUs created   PDUs sent    verified   dropped\n");
	drop(FAN_DROP_NONE + 1, 100);
	drop(FAN_DROP_COUNT - 1, 23);
	expect_said("2,469,134   2,469,011   2,469,134       123\n");
	expect_said(": 100: ");
	expect_said(": 23: ");
	result.frames_missing = 1000;
	result.verdicts[FAN_UE_REPLAY] = 999;
	expect_said("missing: 1,000 frames");
	expect_said(": 999 frames");
	result.verified = false;
	result.not_verified = "--no-verify";
	expect_said("2,469,134   2,469,011          -       123\n");
	expect_said("not verified: --no-verify");
}

/* ---- Judgement --------------------------------------------------------------------------------------------------------- */

static void
expect_judged(const char *expected)
{
	char line[200];

	cr_assert_eq(fan_fanout_judge(line, sizeof(line), &result), *expected == '\0');
	cr_assert_str_eq(line, expected);
}

Test(result, a_run_is_good_when_all_arrived)
{
	make_result();
	expect_judged("");
	result.verified = false;
	result.total.verified = 0;
	expect_judged("");
	make_result();
	result.total.verified--;
	expect_judged("verification: 2469133 of 2469134 messages arrived whole");
	make_result();
	result.total.sent--;
	expect_judged("accounting: 2469134 PDUs created, 2469133 sent, 0 dropped");
	make_result();
	drop(FAN_DROP_COUNT - 1, 7);
	expect_judged("7 of 2469134 PDUs were dropped: the result says why");
	result.frames_missing = 2;
	expect_judged("verification: 2 frames were sent and did not come back");
	result.verdicts[FAN_UE_ACCEPTED] = result.outcomes[FAN_RECEPTION_COMPLETE] = result.outcomes[FAN_RECEPTION_PART] = 1000;
	result.verdicts[FAN_UE_REPLAY] = 3;
	result.outcomes[FAN_RECEPTION_SURPLUS] = 4;
	expect_judged("verification: 7 frames at fault");
	result.first_fault_ue = 0;
	expect_judged("verification: 7 frames at fault, UE 0 first");
}
