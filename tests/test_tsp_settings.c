/* SPDX-License-Identifier: BSD-3-Clause */
#include "../host-api/control/ini_file.h"
#include "../host-api/north/tsp/settings.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define TSP "[tsp]\nidentity = iwf.example.org\nport = 3868\ntls_port = 0\n"
#define SCS "[scs one]\nhost = scs1.example.org\n"

/* Reads a text as if it were a file. */
static int
read_text(struct fan_settings *settings, const char *text)
{
	char *copy = strdup(text);
	FILE *stream = fmemopen(copy, strlen(copy), "r");
	int error;

	cr_assert_not_null(stream);
	error = fan_settings_read_stream(settings, "a.ini", stream);
	fclose(stream);
	free(copy);
	return error;
}

Test(tsp_settings, defaults)
{
	struct fan_settings settings;

	cr_assert_eq(read_text(&settings, TSP SCS), 0, "%s", fan_error_detail());
	cr_assert_str_eq(settings.tsp.node.realm, "example.org");
	cr_assert_str_eq(settings.tsp.node.socket, "/run/fanfare/control.sock");
	cr_assert_eq(settings.limits.requests_per_s, 50);
	cr_assert_eq(settings.scs_count, 1);
	cr_assert_str_eq(settings.scs[0].label, "one");
	cr_assert_str_eq(settings.scs[0].realm, "example.org");
	cr_assert_str_eq(settings.scs[0].identity, "scs1.example.org");
	cr_assert_null(settings.scs[0].groups);
	cr_assert_not(settings.scs[0].plain);
	cr_assert_eq(settings.scs[0].requests_per_s, 50);
	cr_assert_eq(settings.scs[0].messages, 1000);
	fan_settings_free(&settings);
}

Test(tsp_settings, values_arrive)
{
	struct fan_settings settings;

	cr_assert_eq(read_text(&settings, TSP
			       "realm=other.org\nlisten = 127.0.0.1, ::1\nmsisdn_domain = msisdn.org ; behind it\n"
			       "[limits]\nrequests_per_s = 7\nqueued=9\npayload_bytes = 32768\n" SCS
			       "realm = r.org\nidentity = 4912\ngroups = a@x *@y\nues = *\nplain = yes\nrequests_per_s = 3\n"
			       "[scs two]\nhost = b.c\n"),
		     0, "%s", fan_error_detail());
	cr_assert_str_eq(settings.tsp.node.realm, "other.org");
	cr_assert_str_eq(settings.tsp.node.listen, "127.0.0.1, ::1");
	cr_assert_str_eq(settings.tsp.msisdn_domain, "msisdn.org");
	cr_assert_eq(settings.limits.queued, 9);
	cr_assert_eq(settings.limits.payload_bytes, 32768);
	cr_assert_str_eq(settings.scs[0].realm, "r.org");
	cr_assert_str_eq(settings.scs[0].identity, "4912");
	cr_assert_str_eq(settings.scs[0].groups, "a@x *@y");
	cr_assert(settings.scs[0].plain);
	cr_assert_eq(settings.scs[0].requests_per_s, 3);
	cr_assert_eq(settings.scs[1].requests_per_s, 7);
	fan_settings_free(&settings);
}

static const struct {
	const char *text, *says;
} refused[] = {
	{ "x = 1\n", "a.ini: line 1: [] x: a key before the first [section]" },
	{ "[tspp]\n", "a.ini: line 1: [tspp]: no such section" },
	{ "[tsp]\nprot = 1\n", "line 2: [tsp] prot: no such key, did you mean port?" },
	{ "[tsp]\nport = 1\nport = 2\n", "line 3: [tsp] port: is given twice" },
	{ "[tsp]\nport = 65536\n", "[tsp] port: takes a number from 0 to 65535" },
	{ "[tsp]\nport = -1\n", "[tsp] port: takes a number" },
	{ "[tsp]\nidentity = a b\n", "[tsp] identity: takes a name" },
	{ "[tsp]\nidentity = a\"; NoTLS; \"\n", "[tsp] identity: takes neither quotes" },
	{ "[tsp]\nkey = /k\"x\n", "[tsp] key: takes neither quotes" },
	{ "[tsp]\nlisten = here\n", "[tsp] listen: takes IPv4 and IPv6 addresses" },
	{ "[tsp]\nlisten = 127.0.0.1 here\n", "[tsp] listen: takes IPv4 and IPv6 addresses" },
	{ "[tsp]\nport = 1\n[scs a]\nhost = b.c\n", "[tsp] identity: is needed" },
	{ "[tsp]\nidentity = iwf\n[scs a]\nhost = b.c\n", "[tsp] realm: is needed" },
	{ "[tsp]\nidentity = a.b\ntls_port = 0\n[scs a]\nhost = b.c\n", "[tsp] port and tls_port: one must not be 0" },
	{ "[tsp]\nidentity = a.b\ncertificate = c\nkey = k\n[scs a]\nhost = b.c\n",
	  "certificate, key and authority: are needed" },
	{ TSP, "[scs NAME]: at least one is needed" },
	{ TSP "[scs ]\n", "[scs ]: takes a name of 1 to 31" },
	{ TSP "[scs 12345678901234567890123456789012]\n", "takes a name of 1 to 31" },
	{ TSP "[scs a/b]\n", "[scs a/b]: takes a name" },
	{ TSP SCS SCS, "[scs one]: is there twice" },
	{ TSP SCS "[scs two]\nhost = SCS1.example.org\n", "[scs two] host: is that of [scs one], too" },
	{ TSP "[scs one]\nrealm = x.y\n", "[scs one] host: is needed" },
	{ TSP SCS "plain = maybe\n", "[scs one] plain: takes yes or no" },
	{ TSP SCS "host = x.y\n", "[scs one] host: is given twice" },
	{ "[tsp]\nidentity = a.b\ncertificate = c\nkey = k\nauthority = d\n" SCS "plain = yes\n",
	  "[scs one] plain: needs [tsp] port" },
	{ TSP SCS "nonsense\n", "line 7: takes KEY = VALUE" },
};

Test(tsp_settings, wrong_lines_are_named)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct fan_settings settings;

		cr_expect_eq(read_text(&settings, refused[i].text), FAN_E_INVALID, "taken: %s", refused[i].text);
		cr_expect_not_null(strstr(fan_error_detail(), refused[i].says), "%s\nsays: %s", refused[i].text,
				   fan_error_detail());
		fan_settings_free(&settings);
	}
}

Test(tsp_settings, what_is_printed_says_the_same)
{
	struct fan_settings settings;
	char *first = NULL, *second = NULL;
	size_t byte_count;
	FILE *out;

	cr_assert_eq(read_text(&settings, TSP SCS "groups = *@example.org\nplain = yes\n"), 0, "%s", fan_error_detail());
	out = open_memstream(&first, &byte_count);
	fan_settings_print(&settings, out);
	fclose(out);
	fan_settings_free(&settings);
	cr_assert_eq(read_text(&settings, first), 0, "%s", fan_error_detail());
	out = open_memstream(&second, &byte_count);
	fan_settings_print(&settings, out);
	fclose(out);
	cr_assert_str_eq(first, second);
	fan_settings_free(&settings);
	free(first);
	free(second);
}

Test(tsp_settings, who_is_known)
{
	struct fan_settings settings;

	cr_assert_eq(read_text(&settings, TSP SCS), 0);
	cr_assert(fan_diameter_host_is(settings.scs[0].host, "SCS1.Example.ORG", 16));
	cr_assert_not(fan_diameter_host_is(settings.scs[0].host, "scs1.example.org", 15));
	cr_assert_not(fan_diameter_host_is(settings.scs[0].host, "scs1.example.orgx", 17));
	cr_assert_not(fan_diameter_host_is(settings.scs[0].host, "", 0));
	cr_assert_eq(fan_settings_label(&settings, "one"), &settings.scs[0]);
	cr_assert_null(fan_settings_label(&settings, "on"));
	fan_settings_free(&settings);
}

Test(tsp_settings, patterns)
{
	cr_assert_not(fan_ini_matches(NULL, "a@b"));
	cr_assert_not(fan_ini_matches("", "a@b"));
	cr_assert(fan_ini_matches("x, *@B", "a@b"));
	cr_assert(fan_ini_matches("a@b", "a@b"));
	cr_assert_not(fan_ini_matches("a@b x*", "aa@b"));
	cr_assert_not(fan_ini_matches("*@b", "a@bc"));
}
