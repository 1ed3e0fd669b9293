/* SPDX-License-Identifier: BSD-3-Clause */
#include "../host-api/control/contexts_csv.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define K_ENC "000102030405060708090a0b0c0d0e0f"
#define K_INT "f0e1d2c3b4a5968778695a4b3c2d1e0f"
#define NAS_ROW "7,001010000000007,eps-nas-nidd,2,1," K_ENC "," K_INT ",255,0,1,,4294967295,16777215,192.0.2.1,"
#define NR_ROW "8,001010000000008,nr-pdcp-18,3,none," K_ENC ",,262143,31,1,1,,,2001:db8::1,10.0.0.9"

static bool
parse(struct fan_contexts_row *row, char *wrong, size_t wrong_bytes, const char *line)
{
	*wrong = '\0';
	return fan_contexts_csv_parse(row, wrong, wrong_bytes, line, strlen(line));
}

Test(contexts_csv, fields_arrive)
{
	struct fan_contexts_row row;
	char wrong[200];

	cr_assert(parse(&row, wrong, sizeof(wrong), NAS_ROW), "%s", wrong);
	cr_assert_eq(row.ue, 7);
	cr_assert_str_eq(row.imsi, "001010000000007");
	cr_assert_eq(row.profile, FAN_PROFILE_EPS_NAS_NIDD);
	cr_assert_eq(row.cipher, 2);
	cr_assert_eq(row.integrity, 1);
	cr_assert_eq(row.k_enc[15], 0x0f);
	cr_assert_eq(row.k_int[0], 0xf0);
	cr_assert_eq(row.count, 255);
	cr_assert_eq(row.bearer, 0);
	cr_assert_eq(row.mme_ue_id, UINT32_MAX);
	cr_assert_eq(row.ran_ue_id, 0xffffff);
	cr_assert(!row.ipv6);
	cr_assert_eq(memcmp(row.next_hop, "\xc0\x00\x02\x01", 4), 0);

	cr_assert(parse(&row, wrong, sizeof(wrong), NR_ROW), "%s", wrong);
	cr_assert_eq(row.integrity, FAN_INTEGRITY_NONE);
	cr_assert_eq(row.bearer, 31);
	cr_assert_eq(row.teid, 1);
	cr_assert(row.ipv6);
	cr_assert_eq(memcmp(row.ue_ip, "\x0a\x00\x00\x09", 4), 0);
}

/* What is written is read as it was, octet by octet, for every profile. */
Test(contexts_csv, writes_what_it_reads)
{
	static const char *const lines[] = {
		NAS_ROW,
		NR_ROW,
		"0,00101,eps-nas-sms,0,0," K_ENC "," K_INT ",0,0,1,,0,0,255.255.255.255,",
		"4294967295,001010000000001,5gs-nas-sms,1,3," K_ENC "," K_INT
		",16777215,1,1,,1099511627775,4294967295,2001:db8::,",
		"1,001010000000001,5gs-nas-ciot,1,2," K_ENC "," K_INT ",1,2,1,,1,1,10.1.2.3,",
		"1,001010000000001,lte-pdcp-12,1,none," K_ENC ",,4294967295,0,1,4294967295,,,10.1.2.3,10.0.0.1",
		"1,001010000000001,lte-pdcp-18,1,none," K_ENC ",,4294967295,5,1,9,,,10.1.2.3,10.0.0.1",
		"1,001010000000001,nr-pdcp-12,1,2," K_ENC "," K_INT ",5,31,1,9,,,10.1.2.3,10.0.0.1",
		"1,001010000000001,sgi-ip,0,none,,,0,0,1,,,,10.1.2.3,10.0.0.1",
		"1,001010000000001,mbms-msk,2,4," K_ENC "," K_INT ",7,0,1,,,,10.1.2.3,10.0.0.1",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char line[FAN_CONTEXTS_CSV_LINE_MAX], wrong[200];
		struct fan_contexts_row row;
		size_t line_bytes;
		bool short_imsi = i == 2; /* five digits are too few */

		cr_assert_eq(parse(&row, wrong, sizeof(wrong), lines[i]), !short_imsi, "%s: %s", lines[i], wrong);
		if (short_imsi)
			continue;
		line_bytes = fan_contexts_csv_format(line, &row);
		cr_assert_eq(line_bytes, strlen(lines[i]) + 1);
		cr_assert_eq(memcmp(line, lines[i], line_bytes - 1), 0, "%s", lines[i]);
		cr_assert_eq(line[line_bytes - 1], '\n');
	}
}

#define ROW(ue, imsi, profile, cipher, integrity, k_enc, k_int, count, bearer, direction, teid, mme, ran, hop, ip)             \
	ue "," imsi "," profile "," cipher "," integrity "," k_enc "," k_int "," count "," bearer "," direction "," teid       \
	   "," mme "," ran "," hop "," ip
#define IMSI "001010000000001"

/* Each row breaks one rule; the complaint names the field. */
Test(contexts_csv, refuses_and_names_the_field)
{
	static const struct {
		const char *line, *field;
	} cases[] = {
		{ "", "fields" },
		{ ROW("1", IMSI, "sgi-ip", "2", "none", "", "", "0", "0", "1", "", "", "", "10.0.0.1", "10.0.0.2"), "cipher:" },
		{ ROW("1", IMSI, "sgi-ip", "0", "0", "", "", "0", "0", "1", "", "", "", "10.0.0.1", "10.0.0.2"), "integrity:" },
		{ ROW("1", IMSI, "sgi-ip", "0", "none", K_ENC, "", "0", "0", "1", "", "", "", "10.0.0.1", "10.0.0.2"),
		  "k_enc:" },
		{ ROW("1", IMSI, "sgi-ip", "0", "none", "", K_INT, "0", "0", "1", "", "", "", "10.0.0.1", "10.0.0.2"),
		  "k_int:" },
		{ ROW("1", IMSI, "sgi-ip", "0", "none", "", "", "1", "0", "1", "", "", "", "10.0.0.1", "10.0.0.2"), "count:" },
		{ ROW("1", IMSI, "sgi-ip", "0", "none", "", "", "0", "1", "1", "", "", "", "10.0.0.1", "10.0.0.2"), "bearer:" },
		{ ROW("1", IMSI, "sgi-ip", "0", "none", "", "", "0", "0", "0", "", "", "", "10.0.0.1", "10.0.0.2"),
		  "direction:" },
		{ ROW("1", IMSI, "sgi-ip", "0", "none", "", "", "0", "0", "1", "7", "", "", "10.0.0.1", "10.0.0.2"), "teid:" },
		{ ROW("1", IMSI, "sgi-ip", "0", "none", "", "", "0", "0", "1", "", "7", "", "10.0.0.1", "10.0.0.2"),
		  "mme_ue_id:" },
		{ ROW("1", IMSI, "sgi-ip", "0", "none", "", "", "0", "0", "1", "", "", "7", "10.0.0.1", "10.0.0.2"),
		  "ran_ue_id:" },
		{ ROW("1", IMSI, "sgi-ip", "0", "none", "", "", "0", "0", "1", "", "", "", "10.0.0.1", ""), "ue_ip:" },
		{ ROW("1", IMSI, "sgi-ip", "0", "none", "", "", "0", "0", "1", "", "", "", "10.0.0.1", "0.0.0.0"), "ue_ip:" },
		{ ROW("1", IMSI, "sgi-ip", "0", "none", "", "", "0", "0", "1", "", "", "", "10.0.0.1", "127.0.0.1"), "ue_ip:" },
		{ ROW("1", IMSI, "sgi-ip", "0", "none", "", "", "0", "0", "1", "", "", "", "10.0.0.1", "224.0.0.1"), "ue_ip:" },
		{ ROW("1", IMSI, "sgi-ip", "0", "none", "", "", "0", "0", "1", "", "", "", "", "10.0.0.2"), "next_hop:" },
		{ ROW("1", IMSI, "mbms-msk", "1", "4", K_ENC, K_INT, "1", "0", "1", "", "", "", "10.0.0.1", "10.0.0.2"),
		  "cipher:" },
		{ ROW("1", IMSI, "mbms-msk", "2", "2", K_ENC, K_INT, "1", "0", "1", "", "", "", "10.0.0.1", "10.0.0.2"),
		  "integrity:" },
		{ ROW("1", IMSI, "mbms-msk", "2", "none", K_ENC, K_INT, "1", "0", "1", "", "", "", "10.0.0.1", "10.0.0.2"),
		  "integrity:" },
		{ ROW("1", IMSI, "mbms-msk", "2", "4", K_ENC, K_INT, "1", "1", "1", "", "", "", "10.0.0.1", "10.0.0.2"),
		  "bearer:" },
		{ ROW("1", IMSI, "mbms-msk", "2", "4", K_ENC, K_INT, "1", "0", "1", "7", "", "", "10.0.0.1", "10.0.0.2"),
		  "teid:" },
		{ ROW("1", IMSI, "nr-pdcp-12", "2", "4", K_ENC, K_INT, "1", "0", "1", "7", "", "", "10.0.0.1", "10.0.0.2"),
		  "integrity:" },
		{ NAS_ROW ",", "16 fields" },
		{ "1,2,3", "3 fields" },
		{ ROW("x", IMSI, "nr-pdcp-12", "2", "none", K_ENC, "", "1", "0", "1", "1", "", "", "10.0.0.1", "10.0.0.2"),
		  "ue:" },
		{ ROW("", IMSI, "nr-pdcp-12", "2", "none", K_ENC, "", "1", "0", "1", "1", "", "", "10.0.0.1", "10.0.0.2"),
		  "ue:" },
		{ ROW("-1", IMSI, "nr-pdcp-12", "2", "none", K_ENC, "", "1", "0", "1", "1", "", "", "10.0.0.1", "10.0.0.2"),
		  "ue:" },
		{ ROW("01", IMSI, "nr-pdcp-12", "2", "none", K_ENC, "", "1", "0", "1", "1", "", "", "10.0.0.1", "10.0.0.2"),
		  "ue:" },
		{ ROW("18446744073709551617", IMSI, "nr-pdcp-12", "2", "none", K_ENC, "", "1", "0", "1", "1", "", "",
		      "10.0.0.1", "10.0.0.2"),
		  "ue:" }, /* 2^64 + 1 */
		{ ROW("4294967296", IMSI, "nr-pdcp-12", "2", "none", K_ENC, "", "1", "0", "1", "1", "", "", "10.0.0.1",
		      "10.0.0.2"),
		  "ue:" },
		{ ROW("1", "0010100000000012", "nr-pdcp-12", "2", "none", K_ENC, "", "1", "0", "1", "1", "", "", "10.0.0.1",
		      "10.0.0.2"),
		  "imsi:" },
		{ ROW("1", "00101000000000x", "nr-pdcp-12", "2", "none", K_ENC, "", "1", "0", "1", "1", "", "", "10.0.0.1",
		      "10.0.0.2"),
		  "imsi:" },
		{ ROW("1", IMSI, "nr-pdcp-13", "2", "none", K_ENC, "", "1", "0", "1", "1", "", "", "10.0.0.1", "10.0.0.2"),
		  "profile:" },
		{ ROW("1", IMSI, "", "2", "none", K_ENC, "", "1", "0", "1", "1", "", "", "10.0.0.1", "10.0.0.2"), "profile:" },
		{ ROW("1", IMSI, "nr-pdcp-12", "4", "none", K_ENC, "", "1", "0", "1", "1", "", "", "10.0.0.1", "10.0.0.2"),
		  "cipher:" },
		{ ROW("1", IMSI, "nr-pdcp-12", "2", "NONE", K_ENC, "", "1", "0", "1", "1", "", "", "10.0.0.1", "10.0.0.2"),
		  "integrity:" },
		{ ROW("1", IMSI, "nr-pdcp-12", "2", "4", K_ENC, K_INT, "1", "0", "1", "1", "", "", "10.0.0.1", "10.0.0.2"),
		  "integrity:" },
		{ ROW("1", IMSI, "lte-pdcp-12", "2", "2", K_ENC, K_INT, "1", "0", "1", "1", "", "", "10.0.0.1", "10.0.0.2"),
		  "integrity:" },
		{ ROW("1", IMSI, "eps-nas-sms", "2", "none", K_ENC, "", "1", "0", "1", "", "1", "1", "10.0.0.1", ""),
		  "integrity:" },
		{ ROW("1", IMSI, "nr-pdcp-12", "2", "none", "00", "", "1", "0", "1", "1", "", "", "10.0.0.1", "10.0.0.2"),
		  "k_enc:" },
		{ ROW("1", IMSI, "nr-pdcp-12", "2", "none", "", "", "1", "0", "1", "1", "", "", "10.0.0.1", "10.0.0.2"),
		  "k_enc:" },
		{ ROW("1", IMSI, "eps-nas-sms", "2", "2", "", "", "1", "0", "1", "", "1", "1", "10.0.0.1", ""), "k_enc:" },
		{ ROW("1", IMSI, "nr-pdcp-12", "2", "none", "000102030405060708090A0b0c0d0e0f", "", "1", "0", "1", "1", "", "",
		      "10.0.0.1", "10.0.0.2"),
		  "k_enc:" },
		{ ROW("1", IMSI, "nr-pdcp-12", "2", "none", K_ENC, K_INT, "1", "0", "1", "1", "", "", "10.0.0.1", "10.0.0.2"),
		  "k_int:" },
		{ ROW("1", IMSI, "nr-pdcp-12", "2", "2", K_ENC, "", "1", "0", "1", "1", "", "", "10.0.0.1", "10.0.0.2"),
		  "k_int:" },
		{ ROW("1", IMSI, "nr-pdcp-12", "2", "none", K_ENC, "", "4294967296", "0", "1", "1", "", "", "10.0.0.1",
		      "10.0.0.2"),
		  "count:" },
		{ ROW("1", IMSI, "eps-nas-sms", "2", "2", K_ENC, K_INT, "16777216", "0", "1", "", "1", "1", "10.0.0.1", ""),
		  "count:" },
		{ ROW("1", IMSI, "nr-pdcp-12", "2", "none", K_ENC, "", "1", "32", "1", "1", "", "", "10.0.0.1", "10.0.0.2"),
		  "bearer:" },
		{ ROW("1", IMSI, "eps-nas-sms", "2", "2", K_ENC, K_INT, "1", "1", "1", "", "1", "1", "10.0.0.1", ""),
		  "bearer:" },
		{ ROW("1", IMSI, "5gs-nas-sms", "2", "2", K_ENC, K_INT, "1", "0", "1", "", "1", "1", "10.0.0.1", ""),
		  "bearer:" },
		{ ROW("1", IMSI, "nr-pdcp-12", "2", "none", K_ENC, "", "1", "0", "0", "1", "", "", "10.0.0.1", "10.0.0.2"),
		  "direction:" },
		{ ROW("1", IMSI, "nr-pdcp-12", "2", "none", K_ENC, "", "1", "0", "1", "0", "", "", "10.0.0.1", "10.0.0.2"),
		  "teid:" },
		{ ROW("1", IMSI, "eps-nas-sms", "2", "2", K_ENC, K_INT, "1", "0", "1", "1", "1", "1", "10.0.0.1", ""),
		  "teid:" },
		{ ROW("1", IMSI, "nr-pdcp-12", "2", "none", K_ENC, "", "1", "0", "1", "1", "1", "", "10.0.0.1", "10.0.0.2"),
		  "mme_ue_id:" },
		{ ROW("1", IMSI, "eps-nas-sms", "2", "2", K_ENC, K_INT, "1", "0", "1", "", "4294967296", "1", "10.0.0.1", ""),
		  "mme_ue_id:" },
		{ ROW("1", IMSI, "5gs-nas-sms", "2", "2", K_ENC, K_INT, "1", "1", "1", "", "1099511627776", "1", "10.0.0.1",
		      ""),
		  "mme_ue_id:" },
		{ ROW("1", IMSI, "eps-nas-sms", "2", "2", K_ENC, K_INT, "1", "0", "1", "", "1", "16777216", "10.0.0.1", ""),
		  "ran_ue_id:" },
		{ ROW("1", IMSI, "nr-pdcp-12", "2", "none", K_ENC, "", "1", "0", "1", "1", "", "7", "10.0.0.1", "10.0.0.2"),
		  "ran_ue_id:" },
		{ ROW("1", IMSI, "nr-pdcp-12", "2", "none", K_ENC, "", "1", "0", "1", "1", "", "", "10.0.0", "10.0.0.2"),
		  "next_hop:" },
		{ ROW("1", IMSI, "nr-pdcp-12", "2", "none", K_ENC, "", "1", "0", "1", "1", "", "", "", "10.0.0.2"),
		  "next_hop:" },
		{ ROW("1", IMSI, "nr-pdcp-12", "2", "none", K_ENC, "", "1", "0", "1", "1", "", "", "2001:DB8::1", "10.0.0.2"),
		  "next_hop:" },
		{ ROW("1", IMSI, "nr-pdcp-12", "2", "none", K_ENC, "", "1", "0", "1", "1", "", "", "10.0.0.1", ""), "ue_ip:" },
		{ ROW("1", IMSI, "nr-pdcp-12", "2", "none", K_ENC, "", "1", "0", "1", "1", "", "", "10.0.0.1", "10.0.0.256"),
		  "ue_ip:" },
		{ ROW("1", IMSI, "eps-nas-sms", "2", "2", K_ENC, K_INT, "1", "0", "1", "", "1", "1", "10.0.0.1", "10.0.0.2"),
		  "ue_ip:" },
		{ ROW("1", IMSI, "nr-pdcp-12", "2", "none", K_ENC, "", "1", "0", "1", "1", "", "", "10.0.0.1", "10.0.0.2 "),
		  "ue_ip:" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fan_contexts_row row;
		char wrong[200];

		cr_assert(!parse(&row, wrong, sizeof(wrong), cases[i].line), "accepted: %s", cases[i].line);
		cr_assert(strstr(wrong, cases[i].field) != NULL, "%s: '%s' does not name %s", cases[i].line, wrong,
			  cases[i].field);
	}
}

/* A zero octet ends no field. */
Test(contexts_csv, octets_that_are_no_text_are_refused)
{
	static const char *const fields[] = { "8,001", ",nr-pdcp-18", ",3,none", K_ENC, ",31,", ",2001:db8::1", ",10.0.0.9" };

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		char line[sizeof(NR_ROW) + 1], wrong[200];
		const size_t at = (size_t)(strstr(NR_ROW, fields[i]) - NR_ROW) + strlen(fields[i]);
		struct fan_contexts_row row;

		memcpy(line, NR_ROW, at);
		line[at] = '\0';
		memcpy(line + at + 1, &NR_ROW[at], sizeof(NR_ROW) - at);
		cr_assert_not(fan_contexts_csv_parse(&row, wrong, sizeof(wrong), line, strlen(NR_ROW) + 1), "behind %s",
			      fields[i]);
	}
}

/* Reads a whole text. Returns its rows, or -1 with `wrong`. */
static int
read_text(char *wrong, size_t wrong_bytes, const char *text)
{
	static char copy[8192];
	FILE *file;
	struct fan_contexts_row row;
	uint64_t line_number = 0;
	int got, rows = 0;

	snprintf(copy, sizeof(copy), "%s", text);
	file = fmemopen(copy, strlen(copy), "r");
	cr_assert_not_null(file);
	while ((got = fan_contexts_csv_read(file, &row, &line_number, wrong, wrong_bytes)) > 0)
		rows++;
	fclose(file);
	return got < 0 ? -1 : rows;
}

Test(contexts_csv, files)
{
	static const struct {
		const char *text;
		int rows;
		const char *wrong;
	} cases[] = {
		{ FAN_CONTEXTS_CSV_HEADER "\n" NAS_ROW "\n" NR_ROW "\n", 2, "" },
		{ FAN_CONTEXTS_CSV_HEADER "\n" NAS_ROW "\n" NR_ROW, 2, "" },
		{ FAN_CONTEXTS_CSV_HEADER "\n", -1, "line 1: the file holds no row" },
		{ NAS_ROW "\n", -1, "line 1: the first line must be" },
		{ "u" FAN_CONTEXTS_CSV_HEADER "\n" NAS_ROW "\n", -1, "line 1:" },
		{ FAN_CONTEXTS_CSV_HEADER "\r\n" NAS_ROW "\n", -1, "line 1:" },
		{ FAN_CONTEXTS_CSV_HEADER "\n" NAS_ROW "\r\n", -1, "line 2: ends with CR LF" },
		{ FAN_CONTEXTS_CSV_HEADER "\n" NAS_ROW "\n\n" NR_ROW "\n", -1, "line 3: 1 fields" },
		{ FAN_CONTEXTS_CSV_HEADER "\n" NAS_ROW "\n" NR_ROW "x\n", -1, "line 3: ue_ip:" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char wrong[256] = "";

		cr_assert_eq(read_text(wrong, sizeof(wrong), cases[i].text), cases[i].rows, "case %zu: %s", i, wrong);
		cr_assert(strncmp(wrong, cases[i].wrong, strlen(cases[i].wrong)) == 0, "case %zu: %s", i, wrong);
	}
}

Test(contexts_csv, lines_without_end_are_refused)
{
	static char text[4096] = FAN_CONTEXTS_CSV_HEADER "\n";
	char wrong[256];

	memset(text + strlen(text), '7', FAN_CONTEXTS_CSV_LINE_MAX);
	cr_assert_eq(read_text(wrong, sizeof(wrong), text), -1);
	cr_assert_str_eq(wrong, "line 2: 1 fields: a row has 15", "%s", wrong);
	memset(text + strlen(text), '7', 1);
	cr_assert_eq(read_text(wrong, sizeof(wrong), text), -1);
	cr_assert_str_eq(wrong, "line 2: longer than any row");
	memset(text + strlen(text), '7', sizeof(text) - strlen(text) - 1);
	cr_assert_eq(read_text(wrong, sizeof(wrong), text), -1);
	cr_assert_str_eq(wrong, "line 2: longer than any row");
}
