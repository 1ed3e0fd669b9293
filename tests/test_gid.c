/* SPDX-License-Identifier: BSD-3-Clause */
#include "../dataplane/gid.h"

#include <criterion/criterion.h>
#include <string.h>

#define TEN "0123456789"
#define FIFTY TEN TEN TEN TEN TEN
#define LABEL_63 FIFTY TEN "abc"
#define LABEL_64 LABEL_63 "d"

static const struct {
	const char *gid;
	const char *canonical; /* NULL: refused */
	const char *detail;    /* what the refusal must name */
} gids[] = {
	/* External Group Identifier */
	{ "grp@example.org", "grp@example.org", NULL },
	{ "extgroupid-grp@example.org", "grp@example.org", NULL },
	{ "Meters.North+1@Example.ORG", "Meters.North+1@example.org", NULL },
	{ "a@b", "a@b", NULL },
	{ "!#$%&'*+-/=?^_`{|}~@b-c.d", "!#$%&'*+-/=?^_`{|}~@b-c.d", NULL },
	{ "Extgroupid-grp@example.org", "Extgroupid-grp@example.org", NULL },
	{ "extgroupid-extgroupid-g@example.org", NULL, "twice" },
	{ "", NULL, "empty" },
	{ NULL, NULL, "empty" },
	{ "@", NULL, "no local part" },
	{ "@example.org", NULL, "no local part" },
	{ "extgroupid-@example.org", NULL, "no local part" },
	{ "grp@", NULL, "no domain" },
	{ "a@b@c", NULL, "more than one @" },
	{ "a@@b", NULL, "more than one @" },
	{ "a b@example.org", NULL, "0x20" },
	{ " a@example.org", NULL, "0x20" },
	{ "a@example.org ", NULL, "0x20" },
	{ "a@exa mple.org", NULL, "0x20" },
	{ "a\n@example.org", NULL, "0x0a" },
	{ "a@example.org\n", NULL, "0x0a" },
	{ "gr\xc3\xbcn@example.org", NULL, "0xc3" },
	{ "a@b\xc3\xbc.de", NULL, "0xc3" },
	{ "a\"b@example.org", NULL, "0x22" },
	{ ".a@example.org", NULL, "dot" },
	{ "a.@example.org", NULL, "dot" },
	{ "a..b@example.org", NULL, "dot" },
	{ "a.b.c@example.org", "a.b.c@example.org", NULL },
	{ "a@.example.org", NULL, "label of 0" },
	{ "a@example.org.", NULL, "label of 0" },
	{ "a@example..org", NULL, "label of 0" },
	{ "a@-example.org", NULL, "begins or ends with -" },
	{ "a@example-.org", NULL, "begins or ends with -" },
	{ "a@ex_ample.org", NULL, "0x5f" },
	{ "a@" LABEL_63, "a@" LABEL_63, NULL },
	{ "a@" LABEL_64, NULL, "label of 64" },
	/* 255 in all, and 256; the prefix does not count */
	{ FIFTY FIFTY FIFTY FIFTY FIFTY "012@a", FIFTY FIFTY FIFTY FIFTY FIFTY "012@a", NULL },
	{ "extgroupid-" FIFTY FIFTY FIFTY FIFTY FIFTY "012@a", FIFTY FIFTY FIFTY FIFTY FIFTY "012@a", NULL },
	{ FIFTY FIFTY FIFTY FIFTY FIFTY "0123@a", NULL, "256 characters; at most 255" },
	/* a domain of 253, and 254 */
	{ "a@" FIFTY "." FIFTY "." FIFTY "." FIFTY "." FIFTY, NULL, "254 characters; at most 253" },
	{ "a@" FIFTY "." FIFTY "." FIFTY "." FIFTY "." TEN TEN TEN TEN "012345678",
	  "a@" FIFTY "." FIFTY "." FIFTY "." FIFTY "." TEN TEN TEN TEN "012345678", NULL },
	/* IMSI-Group-Id */
	{ "0123abcd-262-01-0a", "0123ABCD-262-01-0A", NULL },
	{ "FFFFFFFF-001-001-00112233445566778899", "FFFFFFFF-001-001-00112233445566778899", NULL },
	{ "00000001-310-410-aAbB", "00000001-310-410-AABB", NULL },
	{ "0123abcd-262-01-00112233445566778899aa", NULL, "1..10 octets" },
	{ "0123abcd-262-01-0", NULL, "1..10 octets" },
	{ "0123abcd-262-01-001", NULL, "1..10 octets" },
	{ "0123abcd-262-01-", NULL, "1..10 octets" },
	{ "0123abcd-262-01-0g", NULL, "1..10 octets" },
	{ "0123abcd-262-01-0a ", NULL, "1..10 octets" },
	{ "0123abcd-262-01-0a-0b", NULL, "1..10 octets" },
	{ "0123abcd-262-01", NULL, "MNC" },
	{ "0123abcd-262-1-0a", NULL, "MNC" },
	{ "0123abcd-262-0123-0a", NULL, "MNC" },
	{ "0123abcd-262-0a-0a", NULL, "MNC" },
	{ "0123abcd-262--0a", NULL, "MNC" },
	{ "0123abcd-26-01-0a", NULL, "MCC" },
	{ "0123abcd-2620-01-0a", NULL, "MCC" },
	{ "0123abcd-26a-01-0a", NULL, "MCC" },
	{ "0123abcd-", NULL, "MCC" },
	{ "0123abc-262-01-0a", NULL, "8 hex digits" },
	{ "0123abcde-262-01-0a", NULL, "8 hex digits" },
	{ "0123abcx-262-01-0a", NULL, "8 hex digits" },
	{ "0123abcd", NULL, "8 hex digits" },
	{ " 0123abcd-262-01-0a", NULL, "8 hex digits" },
	{ "group", NULL, "neither" },
};

Test(gid, every_form_and_every_refusal)
{
	char canonical[FAN_GID_BYTES_MAX + 1], again[FAN_GID_BYTES_MAX + 1];

	for (size_t i = 0; i < sizeof(gids) / sizeof(gids[0]); i++) {
		const char *gid = gids[i].gid;
		int error;

		memset(canonical, 'x', sizeof(canonical));
		error = fan_gid_canonical(canonical, gid);
		if (gids[i].canonical == NULL) {
			cr_expect_eq(error, FAN_E_INVALID, "row %zu (%s) was taken", i, gid);
			cr_expect_str_empty(canonical);
			cr_expect_not_null(strstr(fan_error_detail(), gids[i].detail), "row %zu (%s): %s", i, gid,
					   fan_error_detail());
			continue;
		}
		cr_expect_eq(error, 0, "row %zu (%s) was refused: %s", i, gid, fan_error_detail());
		cr_expect_str_eq(canonical, gids[i].canonical, "row %zu", i);
		cr_expect_eq(fan_gid_canonical(again, canonical), 0);
		cr_expect_str_eq(again, canonical);
	}
}
