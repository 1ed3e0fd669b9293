/* SPDX-License-Identifier: BSD-3-Clause */
#include "../host-api/control/configuration.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EGRESS "[dataplane]\negress = net_null\n"

/* Reads a text as if it were a file. */
static int
read_text(struct fan_configuration *configuration, const char *text)
{
	char *copy = strdup(text);
	FILE *stream = fmemopen(copy, strlen(copy), "r");
	int error;

	cr_assert_not_null(stream);
	error = fan_configuration_read_stream(configuration, "a.ini", stream);
	fclose(stream);
	free(copy);
	return error;
}

Test(configuration, defaults)
{
	struct fan_configuration configuration;

	cr_assert_eq(read_text(&configuration, EGRESS), 0, "%s", fan_error_detail());
	cr_assert_str_eq(configuration.serve.socket, FAN_CONTROL_SOCKET);
	cr_assert_eq(configuration.serve.socket_mode, 0660);
	cr_assert(configuration.serve.sandbox);
	cr_assert_str_eq(configuration.dataplane.engines, FAN_ENGINE_AUTO);
	cr_assert_eq(configuration.dataplane.workers, 1);
	cr_assert_eq(configuration.store.retention_s, 7 * 24 * 3600);
	cr_assert_null(configuration.store.directory);
	cr_assert_null(configuration.sms.originator);
	fan_configuration_free(&configuration);
}

Test(configuration, values_arrive)
{
	struct fan_configuration configuration;
	struct fan_opening opening;

	cr_assert_eq(
		read_text(
			&configuration,
			"; a comment\n[serve]\n socket = /tmp/s ; behind it\nsocket_mode = 0600\nsandbox = no\n\n[dataplane]\n"
			"egress=net_null\n\tworkers = 3\nipv6 = yes\neal = --no-huge -m  64\n"
			"[sender]\naddress = 2001:db8::7\nethernet = 02:00:00:00:00:0A\nvlan=7\n"
			"[next_hops]\ndefault_ethernet = 02:00:00:00:00:01\n2001:db8::1 = 02:00:00:00:00:02\n::3=02:00:00:00:00:03\n"
			"198.51.100.1 = 02:00:00:00:00:04\n"
			"[store]\ndirectory = /d\nkey_file = /k\nadopt = yes\nretention_s = 60\n"
			"[sms]\noriginator =\n[limits]\nimport_bytes = 1000\n"),
		0, "%s", fan_error_detail());
	cr_assert_str_eq(configuration.serve.socket, "/tmp/s");
	cr_assert_eq(configuration.serve.socket_mode, 0600);
	cr_assert_not(configuration.serve.sandbox);
	cr_assert_eq(configuration.hop_count, 3);
	cr_assert(configuration.hops[0].ipv6 && configuration.hops[1].ipv6 && !configuration.hops[2].ipv6);
	cr_assert_eq(configuration.hops[0].ethernet[5], 2);
	cr_assert_eq(configuration.hops[1].address[15], 3);
	cr_assert_eq(configuration.hops[2].address[3], 1);
	cr_assert_eq(configuration.limits.import_bytes, 1000);
	cr_assert_null(configuration.sms.originator);
	cr_assert_eq(fan_opening_make(&opening, &configuration), 0);
	cr_assert_eq(opening.options.workers, 3);
	cr_assert(opening.options.ipv6 && opening.options.store_adopt && !opening.options.store_create);
	cr_assert_eq(opening.options.source_address[15], 7);
	cr_assert_eq(opening.options.source_ethernet[5], 10);
	cr_assert_eq(opening.options.vlan, 7);
	cr_assert_eq(opening.options.retention_s, 60);
	cr_assert_str_eq(opening.options.store_key_file, "/k");
	cr_assert_str_eq(opening.options.eal[0], "--no-huge");
	cr_assert_str_eq(opening.options.eal[2], "64");
	cr_assert_null(opening.options.eal[3]);
	fan_opening_free(&opening);
	fan_configuration_free(&configuration);
}

static const struct {
	const char *text, *detail;
} refused[] = {
	{ "", "a.ini: [dataplane] egress: is needed" },
	{ "[serve]\nsokcet = /x\n", "a.ini: line 2: [serve] sokcet: no such key, did you mean socket?" },
	{ "[serve]\nxyzzy = 1\n", "line 2: [serve] xyzzy: no such key in this section" },
	{ "[sevre]\n", "line 1: [sevre]: no such section, did you mean [serve]?" },
	{ "\n[xyzzy]\na = 1\n", "line 2: [xyzzy]: no such section; there are serve" },
	{ "egress = net_null\n", "line 1: [] egress: a key before the first [section]" },
	{ EGRESS "egress = tap\n", "line 3: [dataplane] egress: is given twice" },
	{ EGRESS "  egress = tap\n", "line 3: [dataplane] egress: is given twice" },
	{ EGRESS "workers = 0\n", "workers: takes a number from 1 to 64" },
	{ EGRESS "workers = 65\n", "workers: takes a number from 1 to 64" },
	{ EGRESS "workers = -1\n", "workers: takes a number from 1 to 64" },
	{ EGRESS "workers = 1x\n", "workers: takes a number from 1 to 64" },
	{ EGRESS "workers = 99999999999999999999\n", "workers: takes a number from 1 to 64" },
	{ EGRESS "ipv6 = true\n", "ipv6: takes yes or no" },
	{ EGRESS "nonsense\n", "a.ini: line 3: takes KEY = VALUE" },
	{ "[serve]\nsocket_mode = 0888\n", "socket_mode: takes a mode from 0 to 0777 in octal" },
	{ "[serve]\nsocket_mode = 01777\n", "socket_mode: takes a mode" },
	{ "[sender]\naddress = 1.2.3\n", "address: takes an IPv4 or IPv6 address" },
	{ "[sender]\nethernet = 02:00:00:00:00\n", "ethernet: takes an Ethernet address" },
	{ "[sender]\nethernet = 02:00:00:00:00:0g\n", "ethernet: takes an Ethernet address" },
	{ "[sender]\nvlan = 4095\n", "vlan: takes a number from 0 to 4094" },
	{ "[next_hops]\n198.51.100.1 = x\n", "[next_hops] 198.51.100.1: takes an Ethernet address" },
	{ "[next_hops]\nhost = 02:00:00:00:00:01\n", "[next_hops] host: takes default_ethernet, or an IPv4 or IPv6 address" },
	{ "[next_hops]\n10.0.0.1 = 02:00:00:00:00:01\n10.0.0.1 = 02:00:00:00:00:02\n",
	  "line 3: [next_hops] 10.0.0.1: is given twice" },
	{ "[dataplane]\negress =; a comment\n", "[dataplane] egress: is needed" },
	{ "[roles]\nread = nosuchuser,root\n", "read: nosuchuser: no such user on this machine" },
	{ "[roles]\nread = @nosuchgroup\n", "read: @nosuchgroup: no such group on this machine" },
	{ "[limits]\nimport_bytes = 0\n", "import_bytes: takes a number from 1" },
	{ "[dataplane]\negress = af_packet:eth0\n",
	  "a.ini: [sender] address: is needed with egress af_packet:eth0: whom the packets come from" },
	{ "[dataplane]\negress = tap\n", "a.ini: [sender] address: is needed with egress tap" },
	{ "[store]\nkey_file = 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1F\n",
	  "a.ini: line 2: [store] key_file: takes the path of a file with the key, not the key" },
	{ "[keks]\nhss = 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1F\n",
	  "a.ini: line 2: [keks] hss: takes the path of a file with the key, not the key" },
	{ "[keks]\nhss =\n", "[keks] hss: takes the path of a file" },
	{ "[keks]\nhss = /a\nhss = /b\n", "line 3: [keks] hss: is given twice" },
	{ "[keks]\na-name-that-has-thirty-two-octets = /a\n", "takes a name of 1 to 31 octets" },
	{ EGRESS "[store]\ndirectory = /x\n", "[store] directory and key_file: give both" },
	{ EGRESS "[store]\nkey_file = /x\n", "[store] directory and key_file: give both" },
	{ EGRESS "[sender]\naddress = 2001:db8::1\n", "is not of the family that [dataplane] ipv6 = no asks for" },
};

Test(configuration, refuses_and_names_the_line)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct fan_configuration configuration;

		cr_assert_eq(read_text(&configuration, refused[i].text), FAN_E_INVALID, "%s", refused[i].text);
		cr_assert_not_null(strstr(fan_error_detail(), refused[i].detail), "%s: not in %s", refused[i].detail,
				   fan_error_detail());
		cr_assert_null(strstr(fan_error_detail(), "0001020304"), "a key is repeated");
		fan_configuration_free(&configuration);
	}
}

#define NAMED "[sender]\naddress = 192.0.2.1\n"

Test(configuration, a_line_has_a_limit)
{
	struct fan_configuration configuration;
	char text[512];

	for (unsigned extra = 0; extra < 2; extra++) {
		const size_t value_bytes = FAN_CONFIGURATION_LINE_BYTES_MAX - strlen("egress = ") + extra;

		(void)snprintf(text, sizeof(text), NAMED "[dataplane]\negress = ");
		memset(text + strlen(text), 'x', value_bytes);
		(void)snprintf(text + strlen(NAMED "[dataplane]\negress = ") + value_bytes, 2, "\n");
		cr_assert_eq(read_text(&configuration, text), extra == 0 ? 0 : FAN_E_INVALID, "%u: %s", extra,
			     fan_error_detail());
		if (extra == 0)
			cr_assert_eq(strlen(configuration.dataplane.egress), value_bytes);
		else
			cr_assert_not_null(strstr(fan_error_detail(), "line 4: [file]: the line is longer than 198 octets"),
					   "%s", fan_error_detail());
		fan_configuration_free(&configuration);
	}
}

/* What is read shall be readable as it is printed, with a blank on both sides of the sign. */
Test(configuration, a_line_without_blanks_has_the_same_limit)
{
	const size_t value_bytes = FAN_CONFIGURATION_LINE_BYTES_MAX - strlen("egress=");
	struct fan_configuration configuration;
	char text[512] = NAMED "[dataplane]\negress=";

	memset(text + strlen(text), 'x', value_bytes);
	cr_assert_eq(read_text(&configuration, text), FAN_E_INVALID);
	cr_assert_not_null(strstr(fan_error_detail(), "line 4: [dataplane] egress: is longer than 189 octets"), "%s",
			   fan_error_detail());
	fan_configuration_free(&configuration);
}

Test(configuration, what_is_printed_says_the_same)
{
	struct fan_configuration configuration, again;
	char *first = NULL, *second = NULL;
	size_t first_bytes, second_bytes;
	FILE *out = open_memstream(&first, &first_bytes);

	cr_assert_eq(read_text(&configuration, EGRESS
			       "eal = -m 64\n[next_hops]\n2001:db8::1 = 02:00:00:00:00:02\n[roles]\nread = root,@root\n"
			       "[access night]\nusers = root\ngroups = *@example.org\nhours = 22:00-06:00\nmessages = 3\n"),
		     0, "%s", fan_error_detail());
	fan_configuration_print(&configuration, out);
	fclose(out);
	cr_assert_eq(read_text(&again, first), 0, "%s", fan_error_detail());
	out = open_memstream(&second, &second_bytes);
	fan_configuration_print(&again, out);
	fclose(out);
	cr_assert_str_eq(first, second);
	cr_assert_not_null(strstr(first, "\n2001:db8::1 = 02:00:00:00:00:02\n"));
	cr_assert_not_null(strstr(first, "\n[access night]\nusers = root\ngroups = *@example.org\nhours = 22:00-06:00\n"
					 "priority = 7\nmessages = 3\nperiod_s = 60\n"));
	free(first);
	free(second);
	fan_configuration_free(&configuration);
	fan_configuration_free(&again);
}

static void
note_key(void *user, const char *key)
{
	char *keys = user;

	(void)snprintf(keys + strlen(keys), 128 - strlen(keys), "%s ", key);
}

Test(configuration, keys_that_need_a_restart)
{
	struct fan_configuration now, next;
	char keys[128] = "";

	cr_assert_eq(read_text(&now, EGRESS "[sms]\noriginator = 1\n"), 0);
	cr_assert_eq(
		read_text(&next,
			  "[dataplane]\negress = net_ring\nworkers = 2\n[sms]\noriginator = 2\n[limits]\nimport_bytes = 5\n"),
		0);
	fan_configuration_restart_keys(&now, &next, note_key, keys);
	cr_assert_str_eq(keys, "dataplane.egress dataplane.workers ");
	fan_configuration_free(&now);
	fan_configuration_free(&next);
}

Test(configuration, credentials_are_in_a_folder_of_systemd)
{
	struct fan_configuration configuration;
	struct fan_opening opening;

	cr_assert_eq(read_text(&configuration, EGRESS "[store]\ndirectory = /d\nkey_file = credential:kek\n"), 0);
	unsetenv("CREDENTIALS_DIRECTORY");
	cr_assert_eq(fan_opening_make(&opening, &configuration), FAN_E_INVALID);
	cr_assert_not_null(strstr(fan_error_detail(), "CREDENTIALS_DIRECTORY"));
	fan_opening_free(&opening);
	setenv("CREDENTIALS_DIRECTORY", "/run/credentials/x", 1);
	cr_assert_eq(fan_opening_make(&opening, &configuration), 0);
	cr_assert_str_eq(opening.options.store_key_file, "/run/credentials/x/kek");
	fan_opening_free(&opening);
	fan_configuration_free(&configuration);
	cr_assert_eq(read_text(&configuration, EGRESS "[store]\ndirectory = /d\nkey_file = credential:../kek\n"), 0);
	cr_assert_eq(fan_opening_make(&opening, &configuration), FAN_E_INVALID);
	fan_opening_free(&opening);
	fan_configuration_free(&configuration);
}

Test(configuration, roles)
{
	struct fan_configuration configuration;
	const gid_t groups[] = { 54321, 0 };

	cr_assert_eq(read_text(&configuration, EGRESS "[roles]\nread = daemon\nsend = bin @root\nlease = @bin\n"), 0, "%s",
		     fan_error_detail());
	cr_assert(fan_configuration_permits(&configuration, FAN_ROLE_LEASE, 0, NULL, 0));
	cr_assert(fan_configuration_permits(&configuration, FAN_ROLE_LEASE, geteuid(), NULL, 0));
	cr_assert(fan_configuration_permits(&configuration, FAN_ROLE_READ, 1, NULL, 0));
	cr_assert_not(fan_configuration_permits(&configuration, FAN_ROLE_SEND, 1, NULL, 0));
	cr_assert(fan_configuration_permits(&configuration, FAN_ROLE_SEND, 2, NULL, 0));
	cr_assert(fan_configuration_permits(&configuration, FAN_ROLE_SEND, 54321, groups, 2));
	cr_assert_not(fan_configuration_permits(&configuration, FAN_ROLE_SEND, 54321, groups, 1));
	/* The user of that number is not the group. */
	cr_assert_not(fan_configuration_permits(&configuration, FAN_ROLE_LEASE, 2, groups, 2));
	cr_assert(fan_configuration_permits(&configuration, FAN_ROLE_NONE, 54321, NULL, 0));
	fan_configuration_free(&configuration);
}

Test(configuration, key_encryption_keys_have_names)
{
	struct fan_configuration configuration;

	cr_assert_eq(read_text(&configuration, EGRESS "[keks]\nhss = /a\nmme-1 = /b\n"), 0, "%s", fan_error_detail());
	cr_expect_str_eq(fan_configuration_kek(&configuration, "hss"), "/a");
	cr_expect_str_eq(fan_configuration_kek(&configuration, "mme-1"), "/b");
	cr_expect_null(fan_configuration_kek(&configuration, "mme"));
	fan_configuration_free(&configuration);
}
