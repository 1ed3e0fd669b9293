/* SPDX-License-Identifier: BSD-3-Clause */
#include "../host-api/control/ue_context.h"
#include "residue.h"

#include <criterion/criterion.h>
#include <string.h>

/* K_AMF of KDF_keys.json, knasenc5g-srs and knasint5g-srs, with some of its digits in upper case. */
#define K_AMF "7D861852b42a86b596fe22c8f50b9b895a1e21716b61b8d122785e25bafc0d07"
#define MODE(integrity, cipher) "{\"integrityAlgorithm\":\"" integrity "\",\"cipheringAlgorithm\":\"" cipher "\"}"
#define MM(access, mode, count)                                                                                                \
	"{\"accessType\":\"" access "\",\"nasSecurityMode\":" mode ",\"nasDownlinkCount\":" count ",\"nasUplinkCount\":3}"
#define SEAF(type, value, more)                                                                                                \
	"{\"ngKsi\":{\"tsc\":\"NATIVE\",\"ksi\":1},\"keyAmf\":{\"keyType\":\"" type "\",\"keyVal\":\"" value "\"}" more "}"
#define CONTEXT(supi, seaf, list)                                                                                              \
	"\"ueContext\":{\"supi\":\"" supi "\",\"gpsiList\":[\"msisdn-1\"],\"seafData\":" seaf ",\"mmContextList\":[" list "]}"
#define IMSI "imsi-001010000000005"
#define KAMF SEAF("KAMF", K_AMF, "")
#define ONE MM("3GPP_ACCESS", MODE("NIA2", "NEA0"), "7")
#define BESIDE "\"profile\":\"5gs-nas-sms\",\"mme_ue_id\":100,\"ran_ue_id\":200,\"next_hop\":\"198.51.100.7\""
#define GOOD CONTEXT(IMSI, KAMF, ONE)

static struct fan_context_row row;
static char field[32];

static int
read_text(const char *text)
{
	json_error_t wrong;
	json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, &wrong), *before;
	int error;

	cr_assert_not_null(object, "%s: %s", text, wrong.text);
	before = json_deep_copy(object);
	error = fan_ue_context_read(&row, field, sizeof(field), object);
	cr_assert(json_equal(object, before), "what was read is changed: %s", text);
	json_decref(before);
	json_decref(object);
	return error;
}

Test(ue_context, is_a_context_of_5gs_nas)
{
	cr_assert_eq(read_text("{" GOOD "," BESIDE "}"), 0, "%s: %s", field, fan_error_detail());
	cr_assert_eq(row.ue.kind, FAN_KIND_5GS_NAS);
	cr_assert_str_eq(row.ue.identity, "001010000000005");
	cr_assert(row.ue.cipher == 0 && row.ue.integrity == 2 && row.ue.bearer == 1);
	cr_assert(row.ue.count == 7 && row.ue.count_reserved == 1 << 24, "it is leased up to the end");
	cr_assert(row.ue.k_enc[0] == 0xfc && row.ue.k_enc[15] == 0x38 && row.ue.k_int[0] == 0xa5 && row.ue.k_int[15] == 0xd3);
	cr_assert(row.ue.mme_ue_id == 100 && row.ue.ran_ue_id == 200);
	cr_assert_eq(row.ue.capabilities, 1 << FAN_PROFILE_5GS_NAS_SMS);
}

Test(ue_context, takes_columns_beside_it)
{
	cr_assert_eq(read_text("{" GOOD "," BESIDE ",\"identity\":\"m@x.org\",\"group\":\"g@x.org\",\"count_reserved\":71,"
			       "\"unacknowledged\":3,\"ue\":9}"),
		     0, "%s: %s", field, fan_error_detail());
	cr_assert_str_eq(row.ue.identity, "m@x.org");
	cr_assert_str_eq(row.gid, "g@x.org");
	cr_assert(row.ue.count_reserved == 71 && row.ue.unacknowledged == 3 && row.ue.ue == 9);
}

Test(ue_context, has_a_count_for_each_access)
{
#define OTHER MM("NON_3GPP_ACCESS", MODE("NIA1", "NEA1"), "9")
	cr_assert_eq(read_text("{" CONTEXT(IMSI, KAMF, OTHER "," ONE) "," BESIDE "}"), 0, "%s", fan_error_detail());
	cr_assert(row.ue.bearer == 1 && row.ue.count == 7);
	cr_assert_eq(read_text("{" CONTEXT(IMSI, KAMF, ONE "," OTHER) "," BESIDE ",\"bearer\":2}"), 0, "%s",
		     fan_error_detail());
	cr_assert(row.ue.bearer == 2 && row.ue.count == 9 && row.ue.integrity == 1);
	cr_assert_eq(read_text("{" CONTEXT(IMSI, KAMF, OTHER) "," BESIDE "}"), 0, "%s", fan_error_detail());
	cr_assert(row.ue.bearer == 2 && row.ue.count == 9);
}

Test(ue_context, knows_other_identities)
{
	cr_assert_eq(read_text("{" CONTEXT("nai-meter@x.org", KAMF, ONE) "," BESIDE "}"), 0, "%s", fan_error_detail());
	cr_assert_str_eq(row.ue.identity, "meter@x.org");
	cr_assert_eq(read_text("{" CONTEXT("gci-1@x", KAMF, ONE) "," BESIDE ",\"identity\":\"m@x.org\"}"), 0, "%s",
		     fan_error_detail());
	cr_assert_str_eq(row.ue.identity, "m@x.org");
}

#define OF_A_NODE                                                                                                              \
	"{\"accessType\":\"3GPP_ACCESS\",\"nasSecurityMode\":" MODE("NIA1", "NEA1") ",\"nasDownlinkCount\":0,\"anN2ApId\":77}"

Test(ue_context, the_id_at_its_access_node_is_the_ran_ue_id)
{
	static const char text[] =
		"{" CONTEXT(IMSI, KAMF,
			    OF_A_NODE) ",\"profile\":\"5gs-nas-ciot\",\"mme_ue_id\":1,\"next_hop\":\"198.51.100.7\"}";

	cr_assert_eq(read_text(text), 0, "%s: %s", field, fan_error_detail());
	cr_assert(row.ue.ran_ue_id == 77 && row.ue.count == 0);
}

Test(ue_context, null_algorithms_are_those_of_a_row)
{
	cr_assert_eq(read_text("{" CONTEXT(IMSI, KAMF, MM("3GPP_ACCESS", MODE("NIA0", "NEA0"), "7")) "," BESIDE "}"), 0, "%s",
		     fan_error_detail());
	cr_assert(row.ue.integrity == 0 && !row.ue.emergency, "fan_ue_add() refuses it, unless it is marked emergency");
}

#define SAYS_TOO(column) ",\"" column "\":1"

Test(ue_context, refusals_name_the_member)
{
	static const struct {
		const char *text, *field, *rule;
	} cases[] = {
		{ "{" BESIDE "}", "ueContext", "takes an object" },
		{ "{\"ueContext\":[]," BESIDE "}", "ueContext", "takes an object" },
		{ "{\"ueContext\":{}," BESIDE "}", "supi", "takes imsi-DIGITS" },
		{ "{\"ueContext\":{\"supi\":7}," BESIDE "}", "supi", "takes imsi-DIGITS" },
		{ "{" CONTEXT("msisdn-7", KAMF, ONE) "," BESIDE "}", "supi", "takes imsi-DIGITS" },
		{ "{" CONTEXT("imsi-12", KAMF, ONE) "," BESIDE "}", "imsi", "6 to 15 digits" },
		{ "{\"ueContext\":{\"supi\":\"" IMSI "\",\"supiUnauthInd\":true}," BESIDE "}", "supiUnauthInd",
		  "authenticated" },
		{ "{\"ueContext\":{\"supi\":\"" IMSI "\"}," BESIDE "}", "keyType", "takes KAMF" },
		{ "{" CONTEXT(IMSI, SEAF("KPRIMEAMF", K_AMF, ""), ONE) "," BESIDE "}", "keyType", "takes KAMF" },
		{ "{" CONTEXT(IMSI, SEAF("KAMF", K_AMF, ",\"keyAmfChangeInd\":true"), ONE) "," BESIDE "}", "seafData",
		  "does not use" },
		{ "{" CONTEXT(IMSI, SEAF("KAMF", K_AMF, ",\"keyAmfHDerivationInd\":true"), ONE) "," BESIDE "}", "seafData",
		  "does not use" },
		{ "{" CONTEXT(IMSI, SEAF("KAMF", "7d86", ""), ONE) "," BESIDE "}", "keyVal", "64 hex digits" },
		{ "{" CONTEXT(IMSI, SEAF("KAMF", K_AMF "00", ""), ONE) "," BESIDE "}", "keyVal", "64 hex digits" },
		{ "{" CONTEXT(IMSI, SEAF("KAMF", "xy861852b42a86b596fe22c8f50b9b895a1e21716b61b8d122785e25bafc0d07", ""),
			      ONE) "," BESIDE "}",
		  "k_amf", "64 lower-case hex digits" },
		{ "{" CONTEXT(IMSI, KAMF, "") "," BESIDE "}", "mmContextList", "no MM context" },
		{ "{" CONTEXT(IMSI, KAMF, ONE) "," BESIDE ",\"bearer\":2}", "mmContextList", "no MM context" },
		{ "{" CONTEXT(IMSI, KAMF, MM("5G", MODE("NIA2", "NEA2"), "7")) "," BESIDE "}", "mmContextList",
		  "no MM context" },
		{ "{" CONTEXT(IMSI, KAMF, MM("3GPP_ACCESS", "{}", "7")) "," BESIDE "}", "integrityAlgorithm",
		  "takes NIA0 to NIA3" },
		{ "{" CONTEXT(IMSI, KAMF, MM("3GPP_ACCESS", MODE("NIA4", "NEA2"), "7")) "," BESIDE "}", "integrityAlgorithm",
		  "takes NIA0 to NIA3" },
		{ "{" CONTEXT(IMSI, KAMF, MM("3GPP_ACCESS", MODE("NIA2", "NIA2"), "7")) "," BESIDE "}", "cipheringAlgorithm",
		  "takes NEA0 to NEA3" },
		{ "{" CONTEXT(IMSI, KAMF, MM("3GPP_ACCESS", MODE("NIA2", "NEA/"), "7")) "," BESIDE "}", "cipheringAlgorithm",
		  "takes NEA0 to NEA3" },
		{ "{" CONTEXT(IMSI, KAMF, MM("3GPP_ACCESS", MODE("NIA2", "NEA2"), "null")) "," BESIDE "}", "nasDownlinkCount",
		  "0 to 16777215" },
		{ "{" CONTEXT(IMSI, KAMF, MM("3GPP_ACCESS", MODE("NIA2", "NEA2"), "-1")) "," BESIDE "}", "nasDownlinkCount",
		  "0 to 16777215" },
		{ "{" CONTEXT(IMSI, KAMF, MM("3GPP_ACCESS", MODE("NIA2", "NEA2"), "16777216")) "," BESIDE "}",
		  "nasDownlinkCount", "0 to 16777215" },
		{ "{" CONTEXT(IMSI, KAMF, MM("3GPP_ACCESS", MODE("NIA2", "NEA2"), "7.0")) "," BESIDE "}", "nasDownlinkCount",
		  "0 to 16777215" },
		{ "{" GOOD "," BESIDE SAYS_TOO("imsi") "}", "imsi", "leave it out" },
		{ "{" GOOD "," BESIDE SAYS_TOO("count") "}", "count", "leave it out" },
		{ "{" GOOD "," BESIDE SAYS_TOO("cipher") "}", "cipher", "leave it out" },
		{ "{" GOOD "," BESIDE SAYS_TOO("integrity") "}", "integrity", "leave it out" },
		{ "{" GOOD "," BESIDE SAYS_TOO("k_amf") "}", "k_amf", "leave it out" },
		{ "{" GOOD "," BESIDE ",\"k_asme\":\"7d861852b42a86b596fe22c8f50b9b895a1e21716b61b8d122785e25bafc0d07\"}",
		  "k_amf", "give one" },
		{ "{" GOOD "," BESIDE
		  ",\"k_enc\":\"00112233445566778899aabbccddeeff\",\"k_int\":\"00112233445566778899aabbccddeeff\"}",
		  "k_amf", "in the place of" },
		{ "{" GOOD ",\"mme_ue_id\":1,\"ran_ue_id\":2,\"next_hop\":\"198.51.100.7\"}", "profile", "no such profile" },
		{ "{" GOOD ",\"profile\":\"5gs-nas-sms\",\"mme_ue_id\":1,\"ran_ue_id\":2}", "next_hop", "an IPv4 address" },
		{ "{" GOOD ",\"profile\":\"5gs-nas-sms\",\"ran_ue_id\":2,\"next_hop\":\"198.51.100.7\"}", "mme_ue_id",
		  "a decimal number" },
		{ "{" GOOD "," BESIDE ",\"tied\":1}", "tied", "no such column" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert_eq(read_text(cases[i].text), FAN_E_INVALID, "%s", cases[i].text);
		cr_assert_str_eq(field, cases[i].field, "%s: %s: %s", cases[i].text, field, fan_error_detail());
		cr_assert_not_null(strstr(fan_error_detail(), cases[i].rule), "%s: not in %s", cases[i].rule,
				   fan_error_detail());
		cr_assert(strstr(fan_error_detail(), "861852b4") == NULL && strstr(field, "861852b4") == NULL);
	}
}

/* EPS NAS has BEARER 0, which no MM context of 5GS has. */
Test(ue_context, is_of_no_other_generation)
{
	cr_assert_eq(read_text("{" GOOD
			       ",\"profile\":\"eps-nas-sms\",\"mme_ue_id\":1,\"ran_ue_id\":2,\"next_hop\":\"198.51.100.7\"}"),
		     FAN_E_INVALID);
	cr_assert_eq(read_text("{" GOOD
			       ",\"profile\":\"nr-pdcp-18\",\"teid\":2,\"next_hop\":\"198.51.100.7\",\"ue_ip\":\"10.0.0.1\"}"),
		     FAN_E_INVALID);
	cr_assert_str_eq(field, "k_amf");
}

static uint8_t k_amf[8];

static void
read_good(void *user)
{
	(void)user;
	cr_assert_eq(read_text("{" GOOD "," BESIDE "}"), 0);
}

static json_t *without_algorithms;

/* Refused right behind the key: what follows would write over what that has left. */
static void
read_bad(void *user)
{
	(void)user;
	cr_assert_eq(fan_ue_context_read(&row, field, sizeof(field), without_algorithms), FAN_E_INVALID);
}

Test(ue_context, leaves_no_key_on_the_stack)
{
	static const char digits[] = "7d861852b42a86b5";

	for (unsigned i = 0; i < sizeof(k_amf); i++)
		(void)sscanf(digits + (size_t)2 * i, "%2hhx", &k_amf[i]);
	cr_assert_not(fan_test_left_on_stack(read_good, NULL, k_amf, sizeof(k_amf)));
	cr_assert_not(fan_test_left_on_stack(read_good, NULL, (const uint8_t *)digits, 16));
	cr_assert_not(fan_test_left_on_stack(read_good, NULL, row.ue.k_int, 8));
	without_algorithms = json_loads("{" CONTEXT(IMSI, KAMF, "") "," BESIDE "}", 0, NULL);
	cr_assert_not(fan_test_left_on_stack(read_bad, NULL, (const uint8_t *)digits, 16));
	json_decref(without_algorithms);
}
