/* SPDX-License-Identifier: BSD-3-Clause */
#include "../host-api/control/context_row.h"

#include <criterion/criterion.h>
#include <string.h>

#define KEY "00112233445566778899aabbccddeeff"
#define NAS_ROW "5,001010000000005,eps-nas-sms,2,2," KEY "," KEY ",7,0,1,,100,200,198.51.100.7,"
#define PARENT "d5ef4d8f33266902295d42f322a2f2cf11fb2ccc124c09b4d88d361597037990"
#define KEYLESS_ROW "5,001010000000005,eps-nas-sms,0,1,,,7,0,1,,100,200,198.51.100.7,"
#define KEYLESS_5GS_ROW "5,001010000000005,5gs-nas-sms,2,2,,,7,1,1,,100,200,198.51.100.7,"
#define KEYLESS_NR_ROW "6,001010000000006,nr-pdcp-18,2,none,,,9,3,1,77,,,198.51.100.8,10.0.0.6"
#define NR_ROW "6,001010000000006,nr-pdcp-18,2,none," KEY ",,9,3,1,77,,,198.51.100.8,10.0.0.6"

static struct fan_context_row row;
static char field[32];

static int
read_row(const char *more_columns, const char *line)
{
	struct fan_context_columns columns;
	char header[512];

	(void)snprintf(header, sizeof(header), "%s%s", FAN_CONTEXTS_CSV_HEADER, more_columns);
	cr_assert_eq(fan_context_header_read(&columns, header, strlen(header)), 0, "%s", fan_error_detail());
	return fan_context_row_read(&row, field, sizeof(field), &columns, line, strlen(line));
}

Test(context_row, the_fixed_columns_are_enough)
{
	cr_assert_eq(read_row("", NAS_ROW), 0, "%s", fan_error_detail());
	cr_assert_eq(row.ue.kind, FAN_KIND_EPS_NAS);
	cr_assert_str_eq(row.ue.identity, "001010000000005");
	cr_assert_eq(row.ue.count, 7);
	cr_assert_eq(row.ue.count_reserved, 1 << 24);
	cr_assert_eq(row.ue.bearer_id, 5);
	cr_assert_eq(row.ue.capabilities, 1 << FAN_PROFILE_EPS_NAS_SMS);
	cr_assert_eq(row.ue.ue, 5);
	cr_assert_eq(row.ue.mme_ue_id, 100);
	cr_assert_eq(row.ue.ran_ue_id, 200);
	cr_assert_eq(row.ue.k_int[15], 0xff);
	cr_assert_not(row.ue.unreachable);
	cr_assert_str_eq(row.gid, "");
	cr_assert_eq(read_row("", NR_ROW), 0, "%s", fan_error_detail());
	cr_assert_eq(row.ue.count_reserved, UINT32_MAX);
	cr_assert_eq(row.ue.bearer_id, 0);
	cr_assert_eq(row.ue.teid, 77);
	cr_assert_eq(row.ue.ipv4[3], 6);
}

Test(context_row, further_columns_arrive)
{
	cr_assert_eq(
		read_row(",reachable,identity,group,count_reserved,unacknowledged,transaction,rp_reference,transactions_open,"
			 "bearer_id,capabilities,emergency,lease_until_ms",
			 NAS_ROW ",0,m@x.org,g@x.org,71,3,6,255,7,15,4294967295,1,1795981527166"),
		0, "%s: %s", field, fan_error_detail());
	cr_assert(row.ue.unreachable && row.ue.emergency);
	cr_assert_str_eq(row.ue.identity, "m@x.org");
	cr_assert_str_eq(row.gid, "g@x.org");
	cr_assert_eq(row.ue.count_reserved, 71);
	cr_assert_eq(row.ue.unacknowledged, 3);
	cr_assert_eq(row.ue.transaction, 6);
	cr_assert_eq(row.ue.rp_reference, 255);
	cr_assert_eq(row.ue.transactions_open, 7);
	cr_assert_eq(row.ue.bearer_id, 15);
	cr_assert_eq(row.ue.capabilities, UINT32_MAX);
	cr_assert_eq(row.ue.lease_until_ms, 1795981527166);
	cr_assert_eq(read_row(",nru_sn,uplink_teid", NR_ROW ",16777215,4294967295"), 0, "%s", fan_error_detail());
	cr_assert_eq(row.ue.nru_sn, 0xffffff);
	cr_assert_eq(row.ue.uplink_teid, UINT32_MAX);
}

/* The two keys are those of KDF_keys.json, knasenc-srs and knasint-srs. */
Test(context_row, keys_may_come_from_the_one_that_they_hang_under)
{
	static const uint8_t no_key[FAN_PARENT_KEY_BYTES];

	cr_assert_eq(read_row(",k_amf,k_asme", KEYLESS_ROW ",," PARENT), 0, "%s: %s", field, fan_error_detail());
	cr_assert(row.ue.k_enc[0] == 0xe4 && row.ue.k_enc[15] == 0x5c && row.ue.k_int[0] == 0xb7 && row.ue.k_int[15] == 0x51);
	cr_assert_arr_eq(row.parent, no_key, sizeof(no_key), "it is wiped");
	cr_assert_str_eq(field, "");
	cr_assert_eq(read_row(",k_amf", KEYLESS_5GS_ROW "," PARENT), 0, "%s", fan_error_detail());
	cr_assert_neq(row.ue.k_enc[0], 0xe4);
	cr_assert_eq(read_row(",k_gnb", KEYLESS_NR_ROW "," PARENT), 0, "%s", fan_error_detail());
	cr_assert_eq(read_row(",k_enb", KEYLESS_NR_ROW "," PARENT), 0, "%s", fan_error_detail());
	cr_assert_eq(read_row(",k_asme", NAS_ROW ","), 0, "an empty field is no field: %s", fan_error_detail());
	cr_assert_eq(row.ue.k_int[15], 0xff);
	fan_context_row_wipe(&row);
	cr_assert_eq(row.ue.k_int[15], 0);
}

#define MSK_ROW "7,001010000000007,mbms-msk,2,4,,,9,0,1,,,,198.51.100.8,10.0.0.7"
#define B_TID "AAAAAAAAAAAAAAAAAAAAAA==@bsf.example.org"

Test(context_row, a_ue_of_mbms_has_a_muk_and_a_b_tid)
{
	cr_assert_eq(read_row(",b_tid,muk,udp_port", MSK_ROW "," B_TID "," PARENT ",4000"), 0, "%s: %s", field,
		     fan_error_detail());
	cr_assert(row.ue.kind == FAN_KIND_MBMS && row.ue.cipher == 2 && row.ue.integrity == FAN_INTEGRITY_HMAC_SHA_1);
	cr_assert_str_eq(row.ue.b_tid, B_TID);
	cr_assert(row.ue.k_enc[0] == 0xd5 && row.ue.k_enc[15] == 0xcf && row.ue.k_int[0] == 0x11 && row.ue.k_int[15] == 0x90);
	cr_assert(row.ue.udp_port == 4000 && row.ue.count == 9 && row.ue.ipv4[3] == 7 && row.ue.teid == 0);
	cr_assert_eq(row.ue.capabilities, 1U << FAN_PROFILE_MBMS_MSK);
	cr_assert_eq(read_row(",b_tid,muk,udp_port", MSK_ROW "," B_TID "," PARENT ","), 0);
	cr_assert_eq(row.ue.udp_port, 0, "which is that of MIKEY");
	fan_context_row_wipe(&row);
	cr_assert(row.ue.k_enc[0] == 0 && row.ue.k_int[15] == 0);
}

Test(context_row, an_empty_field_is_no_field)
{
	cr_assert_eq(read_row(",identity,reachable,count_reserved", NAS_ROW ",,,"), 0, "%s", fan_error_detail());
	cr_assert_str_eq(row.ue.identity, "001010000000005");
	cr_assert_not(row.ue.unreachable);
	cr_assert_eq(row.ue.count_reserved, 1 << 24);
}

static const struct {
	const char *columns, *line, *field, *rule;
} refused[] = {
	{ "", "x", "", "1 fields: a row has 15" },
	{ "", "5,00101,eps-nas-sms,2,2," KEY "," KEY ",7,0,1,,100,200,198.51.100.7,", "imsi", "6 to 15 digits" },
	{ "", NAS_ROW ",x", "", "more than 15 fields" },
	{ ",identity", NAS_ROW, "", "15 fields: a row has 16" },
	{ ",muk", KEYLESS_ROW "," PARENT, "muk", "of mbms-msk alone" },
	{ ",muk", MSK_ROW ",00", "muk", "64 lower-case hex digits" },
	{ ",k_asme", MSK_ROW "," PARENT, "k_asme", "do not hang under" },
	{ ",muk,k_amf", MSK_ROW "," PARENT "," PARENT, "k_amf", "give one" },
	{ ",b_tid", MSK_ROW ",", "k_enc", "a muk" },
	{ ",b_tid", MSK_ROW ",x@y", "b_tid", "26 to 253 characters" },
	{ ",udp_port", MSK_ROW ",65536", "udp_port", "from 1 to 65535" },
	{ ",identity,group", NAS_ROW ",m@x.org", "", "16 fields: a row has 17" },
	{ ",identity", NAS_ROW ",m@x.org,x", "", "more than 16 fields" },
	{ ",identity", NAS_ROW ",1234", "identity", "5 to 127 characters" },
	{ ",identity", NAS_ROW ",m x.org", "identity", "of printable ASCII" },
	{ ",identity", NAS_ROW ",m\xc3\xa4@x.org", "identity", "of printable ASCII" },
	{ ",transaction", NAS_ROW ",7", "transaction", "from 0 to 6" },
	{ ",transactions_open", NAS_ROW ",8", "transactions_open", "from 0 to 7" },
	{ ",bearer_id", NAS_ROW ",0", "bearer_id", "from 1 to 15" },
	{ ",bearer_id", NAS_ROW ",16", "bearer_id", "from 1 to 15" },
	{ ",nru_sn", NR_ROW ",16777216", "nru_sn", "from 0 to 16777215" },
	{ ",reachable", NAS_ROW ",2", "reachable", "from 0 to 1" },
	{ ",reachable", NAS_ROW ",yes", "reachable", "from 0 to 1" },
	{ ",count_reserved", NAS_ROW ",4294967296", "count_reserved", "from 0 to 4294967295" },
	{ ",count_reserved", NAS_ROW ",-1", "count_reserved", "a decimal number" },
	{ ",count_reserved", NAS_ROW ",01", "count_reserved", "without leading zeros" },
	{ ",count_reserved", NAS_ROW ",18446744073709551617", "count_reserved", "a decimal number" },
	{ "", KEYLESS_ROW, "k_enc", "a key is 32 lower-case hex digits; or give the one that it hangs under" },
	{ "", "5,001010000000005,eps-nas-sms,2,2," KEY ",,7,0,1,,100,200,198.51.100.7,", "k_int", "a key is 32" },
	{ "", "5,001010000000005,eps-nas-sms,2,2,," KEY ",7,0,1,,100,200,198.51.100.7,", "k_enc", "a key is 32" },
	{ ",k_asme", KEYLESS_ROW ",", "k_enc", "a key is 32 lower-case hex digits" },
	{ ",k_asme", NAS_ROW "," PARENT, "k_asme", "stands in the place of k_enc and k_int" },
	{ ",k_asme,k_amf", KEYLESS_ROW "," PARENT "," PARENT, "k_amf", "give one" },
	{ ",k_asme", KEYLESS_ROW "," KEY, "k_asme", "64 lower-case hex digits" },
	{ ",k_asme", KEYLESS_ROW "," PARENT "0", "k_asme", "64 lower-case hex digits" },
	{ ",k_asme", KEYLESS_ROW ",D" KEY KEY, "k_asme", "64 lower-case hex digits" },
	{ ",k_asme", KEYLESS_ROW ",D0112233445566778899aabbccddeeff" KEY, "k_asme", "64 lower-case hex digits" },
	{ ",k_asme", KEYLESS_5GS_ROW "," PARENT, "k_asme", "do not hang under K_ASME" },
	{ ",k_amf", KEYLESS_ROW "," PARENT, "k_amf", "do not hang under K_AMF" },
	{ ",k_gnb", KEYLESS_ROW "," PARENT, "k_gnb", "do not hang under K_gNB" },
	{ ",k_amf", KEYLESS_NR_ROW "," PARENT, "k_amf", "do not hang under K_AMF" },
	{ ",k_asme", "5,001010000000005,eps-nas-sms,4,2,,,7,0,1,,100,200,198.51.100.7,," PARENT, "cipher", "from 0 to 3" },
	{ ",k_asme", "5,001010000000005,eps-nas-sms,2,4,,,7,0,1,,100,200,198.51.100.7,," PARENT, "integrity", "0 to 3" },
	{ ",k_asme", "5,001010000000005,eps-nas-sms,2,2,,,16777216,0,1,,100,200,198.51.100.7,," PARENT, "count", "16777215" },
};

Test(context_row, refuses_and_names_the_column)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		cr_assert_eq(read_row(refused[i].columns, refused[i].line), FAN_E_INVALID, "%s", refused[i].line);
		cr_assert_str_eq(field, refused[i].field, "%s: %s", refused[i].line, field);
		cr_assert_not_null(strstr(fan_error_detail(), refused[i].rule), "%s: not in %s", refused[i].rule,
				   fan_error_detail());
		cr_assert_null(strstr(fan_error_detail(), KEY));
		cr_assert_null(strstr(fan_error_detail(), "d5ef4d8f"));
	}
}

Test(context_row, headers)
{
	static const struct {
		const char *line, *rule;
	} cases[] = {
		{ "ue,imsi", "the first line must begin with ue,imsi,profile" },
		{ FAN_CONTEXTS_CSV_HEADER "x", "the first line must begin with" },
		{ FAN_CONTEXTS_CSV_HEADER ",", ": no such column" },
		{ FAN_CONTEXTS_CSV_HEADER ",identty", "identty: no such column, did you mean identity?" },
		{ FAN_CONTEXTS_CSV_HEADER ",group,group", "group: the column is there twice" },
		{ FAN_CONTEXTS_CSV_HEADER ",count", "count: no such column" },
		{ FAN_CONTEXTS_CSV_HEADER ",k_asm", "k_asm: no such column, did you mean k_asme?" },
		{ FAN_CONTEXTS_CSV_HEADER ",k_amf,k_amf", "k_amf: the column is there twice" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fan_context_columns columns;

		cr_assert_eq(fan_context_header_read(&columns, cases[i].line, strlen(cases[i].line)), FAN_E_INVALID, "%s",
			     cases[i].line);
		cr_assert_not_null(strstr(fan_error_detail(), cases[i].rule), "%s: not in %s", cases[i].rule,
				   fan_error_detail());
	}
}

/* Reads an object. */
static int
read_object(const char *text)
{
	json_t *object = json_loads(text, 0, NULL);
	int error;

	cr_assert_not_null(object, "%s", text);
	error = fan_context_object_read(&row, field, sizeof(field), object);
	json_decref(object);
	return error;
}

#define OBJECT                                                                                                                 \
	"\"profile\":\"nr-pdcp-18\",\"cipher\":2,\"integrity\":\"none\",\"k_enc\":\"" KEY                                      \
	"\",\"count\":9,\"bearer\":3,\"teid\":77,\"next_hop\":\"198.51.100.8\",\"ue_ip\":\"10.0.0.6\""

Test(context_row, objects)
{
	cr_assert_eq(read_object("{\"identity\":\"m@x.org\"," OBJECT ",\"reachable\":false,\"group\":\"g@x.org\"}"), 0,
		     "%s: %s", field, fan_error_detail());
	cr_assert_str_eq(row.ue.identity, "m@x.org");
	cr_assert_eq(row.ue.teid, 77);
	cr_assert(row.ue.unreachable);
	cr_assert_str_eq(row.gid, "g@x.org");
	cr_assert_eq(read_object("{\"imsi\":\"001010000000006\"," OBJECT "}"), 0, "%s", fan_error_detail());
	cr_assert_str_eq(row.ue.identity, "001010000000006");
}

#define KEYLESS_OBJECT                                                                                                                \
	"\"identity\":\"m@x.org\",\"profile\":\"eps-nas-sms\",\"cipher\":0,\"integrity\":1,\"count\":9,\"bearer\":0,\"mme_ue_id\":1," \
	"\"ran_ue_id\":2,\"next_hop\":\"198.51.100.8\""

Test(context_row, an_object_may_have_the_key_above_its_keys)
{
	static const char *const wrong[][3] = {
		{ "{" KEYLESS_OBJECT "}", "k_enc", "or give the one that it hangs under" },
		{ "{" KEYLESS_OBJECT ",\"k_asme\":\"" KEY "\"}", "k_asme", "64 lower-case hex digits" },
		{ "{" KEYLESS_OBJECT ",\"k_asme\":7}", "k_asme", "64 lower-case hex digits" },
		{ "{" KEYLESS_OBJECT ",\"k_amf\":\"" PARENT "\"}", "k_amf", "do not hang under K_AMF" },
		{ "{" KEYLESS_OBJECT ",\"k_asme\":\"" PARENT "\",\"k_enc\":\"" KEY "\",\"k_int\":\"" KEY "\"}", "k_asme",
		  "in the place of" },
	};

	cr_assert_eq(read_object("{" KEYLESS_OBJECT ",\"k_asme\":\"" PARENT "\"}"), 0, "%s: %s", field, fan_error_detail());
	cr_assert(row.ue.k_enc[0] == 0xe4 && row.ue.k_int[0] == 0xb7);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		cr_assert_eq(read_object(wrong[i][0]), FAN_E_INVALID, "%s", wrong[i][0]);
		cr_assert_str_eq(field, wrong[i][1], "%s: %s", wrong[i][0], field);
		cr_assert_not_null(strstr(fan_error_detail(), wrong[i][2]), "%s", fan_error_detail());
	}
}

Test(context_row, objects_that_are_refused)
{
	static const struct {
		const char *text, *field, *rule;
	} cases[] = {
		{ "{" OBJECT "}", "imsi", "6 to 15 digits" },
		{ "{}", "imsi", "6 to 15 digits" },
		{ "{\"identity\":\"m@x.org\"}", "profile", "no such profile" },
		{ "{\"identity\":\"m@x.org\"," OBJECT ",\"tied\":1}", "tied", "no such column" },
		{ "{\"identity\":\"m@x.org\"," OBJECT ",\"group\":null}", "group", "takes a whole number" },
		{ "{\"identity\":\"m,x.org\"," OBJECT "}", "identity", "without a comma" },
		{ "{\"identity\":[]," OBJECT "}", "identity", "takes a whole number, true or false, or a text" },
		{ "{\"identity\":1.5," OBJECT "}", "identity", "takes a whole number, true or false, or a text" },
		{ "{\"identity\":\"m@x.org\"," OBJECT ",\"ue\":\"1,2\"}", "ue", "without a comma" },
		{ "{\"identity\":\"m@x.org\"," OBJECT ",\"ue\":-1}", "ue", "a decimal number" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert_eq(read_object(cases[i].text), FAN_E_INVALID, "%s", cases[i].text);
		cr_assert_str_eq(field, cases[i].field, "%s: %s", cases[i].text, field);
		cr_assert_not_null(strstr(fan_error_detail(), cases[i].rule), "%s: not in %s", cases[i].rule,
				   fan_error_detail());
	}
}
