/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "configuration.h"

#include "ini_file.h"
#include "params.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CREDENTIAL "credential:"
#define ACCESS "access "
#define NAME_BYTES 64
#define DETAIL_BYTES 384

enum setting_type {
	SETTING_TEXT,
	SETTING_NUMBER,
	SETTING_MODE, /* octal */
	SETTING_FLAG,
	SETTING_ADDRESS,  /* text, checked */
	SETTING_ETHERNET, /* text, checked */
	SETTING_ENDPOINT, /* text, checked */
	SETTING_ROLE,
};

struct setting {
	const char *key; /* first: fan_nearest_name() walks these */
	const char *section;
	enum setting_type type;
	bool live; /* a reload brings it into force */
	uint64_t minimum, maximum;
	size_t offset;
	const char *standard; /* the default as a text; NULL: none */
};

#define AT(field) .offset = offsetof(struct fan_configuration, field)
#define NUMBER(from, to) .type = SETTING_NUMBER, .minimum = (from), .maximum = (to)

static const struct setting settings[] = {
	{ "socket", "serve", AT(serve.socket), .standard = FAN_CONTROL_SOCKET },
	{ "socket_mode", "serve", .type = SETTING_MODE, .maximum = 0777, AT(serve.socket_mode), .standard = "0660" },
	{ "program", "serve", AT(serve.program), .standard = "fanfare" },
	{ "user", "serve", AT(serve.user) },
	{ "group", "serve", AT(serve.group) },
	{ "audit", "serve", AT(serve.audit), .standard = "auto" },
	{ "log", "serve", AT(serve.log), .standard = "auto" },
	{ "sandbox", "serve", .type = SETTING_FLAG, AT(serve.sandbox), .standard = "yes" },
	{ "egress", "dataplane", AT(dataplane.egress) },
	{ "engines", "dataplane", AT(dataplane.engines), .standard = FAN_ENGINE_AUTO },
	{ "card", "dataplane", AT(dataplane.card) },
	{ "workers", "dataplane", NUMBER(1, FAN_WORKERS_MAX), AT(dataplane.workers), .standard = "1" },
	{ "ipv6", "dataplane", .type = SETTING_FLAG, AT(dataplane.ipv6), .standard = "no" },
	{ "udp_checksum", "dataplane", .type = SETTING_FLAG, AT(dataplane.udp_checksum), .standard = "no" },
	{ "receive_acknowledgements", "dataplane", .type = SETTING_FLAG, AT(dataplane.receive_acknowledgements),
	  .standard = "no" },
	{ "acknowledgement_port", "dataplane", NUMBER(0, 65535), AT(dataplane.acknowledgement_port), .standard = "0" },
	{ "capture", "dataplane", AT(dataplane.capture) },
	{ "eal", "dataplane", AT(dataplane.eal) },
	{ "address", "sender", .type = SETTING_ADDRESS, AT(sender.address) },
	{ "ethernet", "sender", .type = SETTING_ETHERNET, AT(sender.ethernet) },
	{ "vlan", "sender", NUMBER(0, 4094), AT(sender.vlan), .standard = "0" },
	{ "vlan_priority", "sender", NUMBER(0, 7), AT(sender.vlan_priority), .standard = "0" },
	{ "dscp", "sender", NUMBER(0, 63), AT(sender.dscp), .standard = "0" },
	{ "udp_source_port", "sender", NUMBER(0, 65535), AT(sender.udp_source_port), .standard = "0" },
	{ "default_ethernet", "next_hops", .type = SETTING_ETHERNET, .live = true, AT(default_ethernet) },
	{ "pdus_per_s", "pacing", NUMBER(0, FAN_RATE_PDUS_MAX), .live = true, AT(pacing.pdus_per_s), .standard = "0" },
	{ "octets_per_s", "pacing", NUMBER(0, FAN_RATE_OCTETS_MAX), .live = true, AT(pacing.octets_per_s), .standard = "0" },
	{ "depth_pdus", "pacing", NUMBER(0, UINT32_MAX), .live = true, AT(pacing.depth_pdus), .standard = "0" },
	{ "depth_octets", "pacing", NUMBER(0, UINT64_C(1) << 40), .live = true, AT(pacing.depth_octets), .standard = "0" },
	{ "urgent_percent", "pacing", NUMBER(0, FAN_RATE_URGENT_MAX), .live = true, AT(pacing.urgent_percent),
	  .standard = "20" },
	{ "lte", "broadcast", .type = SETTING_ENDPOINT, AT(broadcast.lte) },
	{ "nr", "broadcast", .type = SETTING_ENDPOINT, AT(broadcast.nr) },
	{ "wait_ms", "broadcast", NUMBER(1, 60000), AT(broadcast.wait_ms), .standard = "4000" },
	{ "directory", "store", AT(store.directory) },
	{ "key_file", "store", AT(store.key_file) },
	{ "create", "store", .type = SETTING_FLAG, AT(store.create), .standard = "no" },
	{ "adopt", "store", .type = SETTING_FLAG, AT(store.adopt), .standard = "no" },
	{ "retention_s", "store", NUMBER(1, UINT32_MAX), AT(store.retention_s), .standard = "604800" },
	{ "originator", "sms", .live = true, AT(sms.originator) },
	{ "service_centre", "sms", .live = true, AT(sms.service_centre) },
	{ "read", "roles", .type = SETTING_ROLE, .live = true, AT(role_texts[FAN_ROLE_READ]) },
	{ "send", "roles", .type = SETTING_ROLE, .live = true, AT(role_texts[FAN_ROLE_SEND]) },
	{ "provision", "roles", .type = SETTING_ROLE, .live = true, AT(role_texts[FAN_ROLE_PROVISION]) },
	{ "lease", "roles", .type = SETTING_ROLE, .live = true, AT(role_texts[FAN_ROLE_LEASE]) },
	{ "export", "roles", .type = SETTING_ROLE, .live = true, AT(role_texts[FAN_ROLE_EXPORT]) },
	{ "import_bytes", "limits", NUMBER(1, UINT64_C(1) << 40), .live = true, AT(limits.import_bytes),
	  .standard = "17179869184" },
	{ .key = NULL },
};

#define SETTING_COUNT (sizeof(settings) / sizeof(settings[0]) - 1)

static const char *const sections[] = { "serve", "dataplane", "sender", "next_hops", "pacing", "broadcast",
					"store", "sms",       "keks",   "roles",     "limits", NULL };

/* ---- Values ------------------------------------------------------------------------------------------------------------ */

bool
fan_ethernet_parse(uint8_t ethernet[6], const char *text)
{
	for (unsigned i = 0; i < 6; i++, text += 3) {
		char *end, digits[3] = { 0 };

		if (strnlen(text, 2) < 2 || text[2] != (i < 5 ? ':' : '\0'))
			return false;
		memcpy(digits, text, 2);
		ethernet[i] = (uint8_t)strtoul(digits, &end, 16);
		if (*end != '\0' || digits[0] == '+' || digits[0] == '-' || digits[0] == ' ')
			return false;
	}
	return true;
}

bool
fan_address_parse(uint8_t address[16], bool *ipv6, const char *text)
{
	memset(address, 0, 16);
	*ipv6 = inet_pton(AF_INET, text, address) != 1;
	return !*ipv6 || inet_pton(AF_INET6, text, address) == 1;
}

bool
fan_endpoint_parse(struct sockaddr_storage *endpoint, socklen_t *endpoint_bytes, const char *text)
{
	const char *const colon = strrchr(text, ':');
	const bool brackets = text[0] == '[' && colon != NULL && colon[-1] == ']';
	char address[INET6_ADDRSTRLEN];
	uint64_t port;
	uint8_t octets[16];
	bool ipv6;
	int length;

	if (colon == NULL || fan_ini_number(&port, colon + 1, 10, 1, UINT16_MAX) != 0)
		return false;
	length = snprintf(address, sizeof(address), "%.*s", (int)(colon - text) - 2 * brackets, text + brackets);
	if (length >= (int)sizeof(address) || !fan_address_parse(octets, &ipv6, address) || ipv6 != brackets)
		return false;
	memset(endpoint, 0, sizeof(*endpoint));
	if (ipv6) {
		struct sockaddr_in6 *const to = (struct sockaddr_in6 *)endpoint;

		*to = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
		memcpy(&to->sin6_addr, octets, sizeof(to->sin6_addr));
	} else {
		struct sockaddr_in *const to = (struct sockaddr_in *)endpoint;

		*to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
		memcpy(&to->sin_addr, octets, sizeof(to->sin_addr));
	}
	*endpoint_bytes = ipv6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	return true;
}

static int
read_number(uint64_t *number, const struct setting *setting, const char *text)
{
	const bool mode = setting->type == SETTING_MODE;
	const int error = fan_ini_number(number, text, mode ? 8 : 10, setting->minimum, setting->maximum);

	return error != 0 && mode ? fan_fail(FAN_E_INVALID, "takes a mode from 0 to 0777 in octal") : error;
}

/* A key where its file is to be named; the error does not repeat it. */
static bool
is_key(const char *text)
{
	return strlen(text) == 64 && strspn(text, "0123456789abcdefABCDEF") == 64;
}

static int
check_text(struct fan_configuration *configuration, const struct setting *setting, const char *text)
{
	struct sockaddr_storage endpoint;
	socklen_t endpoint_bytes;
	uint8_t address[16];
	bool ipv6;

	if (setting->type == SETTING_ETHERNET && !fan_ethernet_parse(address, text))
		return fan_fail(FAN_E_INVALID, "takes an Ethernet address like 02:00:00:00:00:01");
	if (setting->type == SETTING_ADDRESS && !fan_address_parse(address, &ipv6, text))
		return fan_fail(FAN_E_INVALID, "takes an IPv4 or IPv6 address");
	if (setting->type == SETTING_ENDPOINT && !fan_endpoint_parse(&endpoint, &endpoint_bytes, text))
		return fan_fail(FAN_E_INVALID, "takes ADDRESS:PORT, as 198.51.100.7:36412 or [2001:db8::7]:36412");
	if (strcmp(setting->key, "key_file") == 0 && is_key(text))
		return fan_fail(FAN_E_INVALID, "takes the path of a file with the key, not the key");
	if (setting->type == SETTING_ROLE)
		for (unsigned role = 0; role < FAN_ROLES; role++)
			if (strcmp(setting->key, fan_role_name((enum fan_role)role)) == 0)
				return fan_principals_read(&configuration->roles[role], text);
	return 0;
}

/* An empty text is as if nothing were said. A line shall be readable as fan_configuration_print() writes it, with blanks around the sign. */
static int
set(struct fan_configuration *configuration, const struct setting *setting, const char *text)
{
	const size_t value_bytes_max = FAN_CONFIGURATION_LINE_BYTES_MAX - strlen(setting->key) - strlen(" = ");
	char *place = (char *)configuration + setting->offset;
	uint64_t number = 0;
	int error = 0;

	if (*text == '\0')
		return 0;
	if (strlen(text) > value_bytes_max)
		return fan_fail(FAN_E_INVALID, "is longer than %zu octets", value_bytes_max);
	switch (setting->type) {
	case SETTING_NUMBER:
	case SETTING_MODE:
		error = read_number(&number, setting, text);
		memcpy(place, &number, sizeof(number));
		return error;
	case SETTING_FLAG:
		return fan_ini_flag((bool *)place, text);
	case SETTING_TEXT:
	case SETTING_ADDRESS:
	case SETTING_ETHERNET:
	case SETTING_ENDPOINT:
	case SETTING_ROLE:
		break;
	}
	error = check_text(configuration, setting, text);
	return error != 0 ? error : fan_ini_text((char **)(void *)place, text);
}

/* ---- Reading ----------------------------------------------------------------------------------------------------------- */

struct reading {
	struct fan_configuration *configuration;
	FILE *stream;
	unsigned line;
	bool given[SETTING_COUNT];
	int error; /* the first; what follows is passed over */
};

/* Puts file, line and key before what was recorded. */
static void
refuse(struct reading *reading, int error, const char *section, const char *key)
{
	char rule[DETAIL_BYTES];

	(void)snprintf(rule, sizeof(rule), "%s", fan_error_detail());
	reading->error = error;
	fan_error_record("%s: line %u: [%.64s]%s%.64s: %s", reading->configuration->file, reading->line, section,
			 key[0] != '\0' ? " " : "", key, rule);
}

static bool
section_known(const char *name)
{
	for (unsigned i = 0; sections[i] != NULL; i++)
		if (strcmp(sections[i], name) == 0)
			return true;
	return false;
}

static bool
is_access(const char *section)
{
	return strncmp(section, ACCESS, strlen(ACCESS)) == 0;
}

static void
check_section(struct reading *reading, const char *line)
{
	char name[NAME_BYTES];
	const char *nearest;

	(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(line + 1, "]\n"), line + 1);
	if (section_known(name))
		return;
	if (is_access(name)) {
		if (fan_access_begin(&reading->configuration->access, name + strlen(ACCESS)) != 0)
			refuse(reading, FAN_E_INVALID, name, "");
		return;
	}
	nearest = fan_nearest_name(name, sections, sizeof(sections[0]));
	if (nearest != NULL)
		(void)fan_fail(FAN_E_INVALID, "no such section, did you mean [%s]?", nearest);
	else
		(void)fan_fail(
			FAN_E_INVALID,
			"no such section; there are serve, dataplane, sender, next_hops, pacing, broadcast, store, sms, keks, roles, "
			"limits, access NAME");
	refuse(reading, FAN_E_INVALID, name, "");
}

/* libinih's ini_reader. */
static char *
read_line(char *line, int room, void *user)
{
	struct reading *reading = user;
	bool whole;

	if (reading->error != 0 || fan_ini_line(line, room, reading->stream, &reading->line, &whole) == NULL)
		return NULL;
	if (!whole) {
		(void)fan_fail(FAN_E_INVALID, "the line is longer than %d octets", room - 2);
		refuse(reading, FAN_E_INVALID, "file", "");
		return NULL;
	}
	if (line[0] == '[')
		check_section(reading, line);
	return line;
}

static int
add_hop(struct fan_configuration *configuration, const char *address, const char *ethernet)
{
	struct fan_configured_hop hop;
	struct fan_configured_hop *hops;

	if (!fan_address_parse(hop.address, &hop.ipv6, address))
		return fan_fail(FAN_E_INVALID, "takes default_ethernet, or an IPv4 or IPv6 address, as a key");
	if (!fan_ethernet_parse(hop.ethernet, ethernet))
		return fan_fail(FAN_E_INVALID, "takes an Ethernet address like 02:00:00:00:00:01");
	for (unsigned i = 0; i < configuration->hop_count; i++)
		if (memcmp(configuration->hops[i].address, hop.address, sizeof(hop.address)) == 0)
			return fan_fail(FAN_E_INVALID, "is given twice");
	if (configuration->hop_count == FAN_CONFIGURED_HOPS_MAX)
		return fan_fail(FAN_E_INVALID, "more than %d next hops", FAN_CONFIGURED_HOPS_MAX);
	hops = reallocarray(configuration->hops, configuration->hop_count + 1, sizeof(*hops));
	if (hops == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory");
	hops[configuration->hop_count++] = hop;
	configuration->hops = hops;
	return 0;
}

static int
add_kek(struct fan_configuration *configuration, const char *name, const char *file)
{
	struct fan_configured_kek *keks, *kek;

	if (strlen(name) >= sizeof(kek->name))
		return fan_fail(FAN_E_INVALID, "takes a name of 1 to %d octets as a key", FAN_KEK_NAME_BYTES - 1);
	if (is_key(file) || *file == '\0')
		return fan_fail(FAN_E_INVALID, "takes the path of a file with the key, not the key");
	if (fan_configuration_kek(configuration, name) != NULL)
		return fan_fail(FAN_E_INVALID, "is given twice");
	if (configuration->kek_count == FAN_KEKS_MAX)
		return fan_fail(FAN_E_INVALID, "more than %d key-encryption keys", FAN_KEKS_MAX);
	keks = reallocarray(configuration->keks, configuration->kek_count + 1, sizeof(*keks));
	if (keks == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory");
	configuration->keks = keks;
	kek = &keks[configuration->kek_count++];
	*kek = (struct fan_configured_kek){ .file = NULL };
	(void)snprintf(kek->name, sizeof(kek->name), "%s", name);
	return fan_ini_text(&kek->file, file);
}

static int
refuse_key(const char *section, const char *key)
{
	const char *names[SETTING_COUNT + 1] = { NULL };
	unsigned count = 0;

	for (unsigned i = 0; i < SETTING_COUNT; i++)
		if (strcmp(settings[i].section, section) == 0)
			names[count++] = settings[i].key;
	return fan_ini_refuse_key(key, names, sizeof(names[0]));
}

/* Digits alone. In/Out: *text, behind them. */
static bool
read_digits(uint64_t *number, const char **text)
{
	char *end;

	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	*number = strtoull(*text, &end, 10);
	*text = end;
	return errno == 0;
}

/* "PDUS" or "PDUS OCTETS", a second. */
static bool
read_rate(struct fan_configured_rate *rate, const char *text)
{
	if (!read_digits(&rate->pdus_per_s, &text))
		return false;
	text += strspn(text, " \t");
	return *text == '\0' || (read_digits(&rate->octets_per_s, &text) && *text == '\0');
}

static int
add_rate(struct fan_configuration *configuration, const char *address, const char *text)
{
	struct fan_configured_rate rate = { .pdus_per_s = 0 };
	struct fan_configured_rate *rates;

	if (!fan_address_parse(rate.address, &rate.ipv6, address))
		return refuse_key("pacing", address);
	if (!read_rate(&rate, text))
		return fan_fail(FAN_E_INVALID, "takes PDUs a second, and octets a second behind them; 0 is no limit");
	for (unsigned i = 0; i < configuration->pacing.rate_count; i++)
		if (memcmp(configuration->pacing.rates[i].address, rate.address, sizeof(rate.address)) == 0)
			return fan_fail(FAN_E_INVALID, "is given twice");
	if (configuration->pacing.rate_count == FAN_CONFIGURED_HOPS_MAX)
		return fan_fail(FAN_E_INVALID, "more than %d next hops", FAN_CONFIGURED_HOPS_MAX);
	rates = reallocarray(configuration->pacing.rates, configuration->pacing.rate_count + 1, sizeof(*rates));
	if (rates == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory");
	rates[configuration->pacing.rate_count++] = rate;
	configuration->pacing.rates = rates;
	return 0;
}

/* A line whose key is an address. libinih ends a key at the first colon, also within an IPv6 address: the two are put together again. */
static int
read_addressed(struct fan_configuration *configuration, const char *key, const char *value,
	       int (*add)(struct fan_configuration *configuration, const char *address, const char *value))
{
	char whole[FAN_CONFIGURATION_LINE_BYTES_MAX + 2];
	char *equals, *rest;

	if (strchr(value, '=') == NULL)
		return add(configuration, key, value);
	(void)snprintf(whole, sizeof(whole), "%s:%s", key, value);
	equals = strchr(whole, '=');
	rest = equals + 1 + strspn(equals + 1, " \t");
	while (equals > whole && (equals[-1] == ' ' || equals[-1] == '\t'))
		equals--;
	*equals = '\0';
	return add(configuration, whole, rest);
}

static int
read_setting(struct reading *reading, const char *section, const char *key, const char *value)
{
	for (unsigned i = 0; i < SETTING_COUNT; i++) {
		if (strcmp(settings[i].section, section) != 0 || strcmp(settings[i].key, key) != 0)
			continue;
		if (reading->given[i])
			return fan_fail(FAN_E_INVALID, "is given twice");
		reading->given[i] = true;
		return set(reading->configuration, &settings[i], value);
	}
	if (section[0] == '\0')
		return fan_fail(FAN_E_INVALID, "a key before the first [section]");
	if (is_access(section))
		return fan_access_set(&reading->configuration->access, key, value);
	if (strcmp(section, "keks") == 0)
		return add_kek(reading->configuration, key, value);
	if (strcmp(section, "next_hops") == 0)
		return read_addressed(reading->configuration, key, value, add_hop);
	return strcmp(section, "pacing") == 0 ? read_addressed(reading->configuration, key, value, add_rate)
					      : refuse_key(section, key);
}

/* libinih's ini_handler: 1 is good. */
static int
take(void *user, const char *section, const char *key, const char *value)
{
	struct reading *reading = user;
	int error;

	if (reading->error != 0)
		return 0;
	/* A comment right behind the sign is a comment, too. */
	error = read_setting(reading, section, key, value[0] == ';' ? "" : value);
	if (error != 0)
		refuse(reading, error, section, key);
	return error == 0;
}

/* ---- The whole --------------------------------------------------------------------------------------------------------- */

static int
set_defaults(struct fan_configuration *configuration)
{
	int error = 0;

	for (unsigned i = 0; error == 0 && i < SETTING_COUNT; i++)
		if (settings[i].standard != NULL)
			error = set(configuration, &settings[i], settings[i].standard);
	return error;
}

/* Whether an egress leads to others in any case. Of DPDK's software ports ("net_...") only the open port tells. */
static bool
is_network(const char *egress)
{
	return strncmp(egress, "net_", strlen("net_")) != 0 && strncmp(egress, "eth_", strlen("eth_")) != 0;
}

/* Depths are of the rate that is not of one address; octets of such a rate have a least value of their own. */
static int
check_rates(const struct fan_configuration *configuration)
{
	static const uint8_t nobody[16];
	struct fan_next_hop_rate rate;
	char address[INET6_ADDRSTRLEN] = "", why[FAN_ERROR_BYTES];
	int error = 0;

	fan_configuration_rate(configuration, &rate, nobody);
	error = fan_next_hop_rate_check(&rate);
	for (unsigned i = 0; error == 0 && i < configuration->pacing.rate_count; i++) {
		const struct fan_configured_rate *own = &configuration->pacing.rates[i];

		fan_configuration_rate(configuration, &rate, own->address);
		(void)inet_ntop(own->ipv6 ? AF_INET6 : AF_INET, own->address, address, sizeof(address));
		error = fan_next_hop_rate_check(&rate);
	}
	(void)snprintf(why, sizeof(why), "%s", fan_error_detail());
	return error == 0 ? 0 : fan_fail(error, "%s: [pacing] %s%s%s", configuration->file, address, *address ? ": " : "", why);
}

static int
check_access(const struct fan_configuration *configuration)
{
	const int error = fan_access_check(&configuration->access);
	char why[FAN_ERROR_BYTES];

	(void)snprintf(why, sizeof(why), "%s", fan_error_detail());
	return error == 0 ? 0 : fan_fail(error, "%s: %s", configuration->file, why);
}

/* What no line alone can break. */
static int
check_whole(const struct fan_configuration *configuration)
{
	const char *file = configuration->file;
	uint8_t address[16];
	bool ipv6;
	int error;

	if (configuration->dataplane.egress == NULL)
		return fan_fail(FAN_E_INVALID, "%s: [dataplane] egress: is needed, af_packet:IFACE for example", file);
	if (configuration->sender.address == NULL && is_network(configuration->dataplane.egress))
		return fan_fail(FAN_E_INVALID, "%s: [sender] address: is needed with egress %.64s: whom the packets come from",
				file, configuration->dataplane.egress);
	if ((configuration->store.directory == NULL) != (configuration->store.key_file == NULL))
		return fan_fail(FAN_E_INVALID, "%s: [store] directory and key_file: give both", file);
	if (configuration->sender.address != NULL && fan_address_parse(address, &ipv6, configuration->sender.address) &&
	    ipv6 != configuration->dataplane.ipv6)
		return fan_fail(FAN_E_INVALID,
				"%s: [sender] address %s: is not of the family that [dataplane] ipv6 = %s asks for", file,
				configuration->sender.address, configuration->dataplane.ipv6 ? "yes" : "no");
	error = check_rates(configuration);
	return error != 0 ? error : check_access(configuration);
}

int
fan_configuration_read_stream(struct fan_configuration *configuration, const char *file, FILE *stream)
{
	struct reading reading = { .configuration = configuration, .stream = stream };
	int line;

	*configuration = (struct fan_configuration){ .file = strdup(file) };
	if (configuration->file == NULL || set_defaults(configuration) != 0)
		return fan_fail(FAN_E_MEMORY, "%s: no memory", file);
	line = ini_parse_stream(read_line, &reading, take, &reading);
	if (reading.error != 0)
		return reading.error;
	if (line != 0)
		return fan_fail(FAN_E_INVALID, "%s: line %d: takes KEY = VALUE, [SECTION], or ; and a comment", file, line);
	if (ferror(stream))
		return fan_fail(FAN_E_IO, "%s: cannot be read", file);
	return check_whole(configuration);
}

int
fan_configuration_read(struct fan_configuration *configuration, const char *file)
{
	FILE *stream = fopen(file, "re");
	int error;

	*configuration = (struct fan_configuration){ .file = NULL };
	if (stream == NULL)
		return fan_fail(FAN_E_IO, "%s: %s", file, strerror(errno));
	error = fan_configuration_read_stream(configuration, file, stream);
	(void)fclose(stream);
	return error;
}

static bool
is_text(const struct setting *setting)
{
	return setting->type != SETTING_NUMBER && setting->type != SETTING_MODE && setting->type != SETTING_FLAG;
}

static char *
text_of(const struct fan_configuration *configuration, const struct setting *setting)
{
	char *text;

	memcpy(&text, (const char *)configuration + setting->offset, sizeof(text));
	return text;
}

void
fan_configuration_free(struct fan_configuration *configuration)
{
	for (unsigned i = 0; i < SETTING_COUNT; i++)
		if (is_text(&settings[i]))
			free(text_of(configuration, &settings[i]));
	for (unsigned i = 0; i < configuration->kek_count; i++)
		free(configuration->keks[i].file);
	free(configuration->keks);
	free(configuration->hops);
	free(configuration->pacing.rates);
	fan_access_free(&configuration->access);
	free(configuration->file);
	*configuration = (struct fan_configuration){ .file = NULL };
}

/* ---- What is in force -------------------------------------------------------------------------------------------------- */

/* Out: text[text_bytes], a value as a file has it. */
static void
format_value(char *text, size_t text_bytes, const struct fan_configuration *configuration, const struct setting *setting)
{
	const char *place = (const char *)configuration + setting->offset;
	uint64_t number;
	bool yes;

	if (is_text(setting)) {
		const char *own = text_of(configuration, setting);

		(void)snprintf(text, text_bytes, "%s", own != NULL ? own : "");
	} else if (setting->type == SETTING_FLAG) {
		memcpy(&yes, place, sizeof(yes));
		(void)snprintf(text, text_bytes, "%s", yes ? "yes" : "no");
	} else {
		memcpy(&number, place, sizeof(number));
		(void)snprintf(text, text_bytes, setting->type == SETTING_MODE ? "0%llo" : "%llu", (unsigned long long)number);
	}
}

static void
print_hops(const struct fan_configuration *configuration, FILE *out)
{
	for (unsigned i = 0; i < configuration->hop_count; i++) {
		const struct fan_configured_hop *hop = &configuration->hops[i];
		const uint8_t *mac = hop->ethernet;
		char address[INET6_ADDRSTRLEN];

		inet_ntop(hop->ipv6 ? AF_INET6 : AF_INET, hop->address, address, sizeof(address));
		(void)fprintf(out, "%s = %02x:%02x:%02x:%02x:%02x:%02x\n", address, mac[0], mac[1], mac[2], mac[3], mac[4],
			      mac[5]);
	}
}

const char *
fan_configuration_kek(const struct fan_configuration *configuration, const char *name)
{
	for (unsigned i = 0; i < configuration->kek_count; i++)
		if (strcmp(configuration->keks[i].name, name) == 0)
			return configuration->keks[i].file;
	return NULL;
}

void
fan_configuration_rate(const struct fan_configuration *configuration, struct fan_next_hop_rate *rate, const uint8_t address[16])
{
	fan_next_hop_rate_init(rate);
	rate->urgent_percent = (uint8_t)configuration->pacing.urgent_percent;
	for (unsigned i = 0; i < configuration->pacing.rate_count; i++) {
		const struct fan_configured_rate *own = &configuration->pacing.rates[i];

		if (memcmp(own->address, address, sizeof(own->address)) != 0)
			continue;
		rate->pdus_per_s = own->pdus_per_s;
		rate->octets_per_s = own->octets_per_s;
		return;
	}
	rate->pdus_per_s = configuration->pacing.pdus_per_s;
	rate->octets_per_s = configuration->pacing.octets_per_s;
	rate->depth_pdus = configuration->pacing.depth_pdus;
	rate->depth_octets = configuration->pacing.depth_octets;
}

static void
print_rates(const struct fan_configuration *configuration, FILE *out)
{
	for (unsigned i = 0; i < configuration->pacing.rate_count; i++) {
		const struct fan_configured_rate *rate = &configuration->pacing.rates[i];
		char address[INET6_ADDRSTRLEN];

		inet_ntop(rate->ipv6 ? AF_INET6 : AF_INET, rate->address, address, sizeof(address));
		(void)fprintf(out, "%s = %llu %llu\n", address, (unsigned long long)rate->pdus_per_s,
			      (unsigned long long)rate->octets_per_s);
	}
}

void
fan_configuration_print(const struct fan_configuration *configuration, FILE *out)
{
	char value[FAN_CONFIGURATION_LINE_BYTES_MAX + 2];

	for (unsigned s = 0; sections[s] != NULL; s++) {
		(void)fprintf(out, "%s[%s]\n", s == 0 ? "" : "\n", sections[s]);
		for (unsigned i = 0; i < SETTING_COUNT; i++) {
			if (strcmp(settings[i].section, sections[s]) != 0)
				continue;
			format_value(value, sizeof(value), configuration, &settings[i]);
			(void)fprintf(out, "%s =%s%s\n", settings[i].key, value[0] != '\0' ? " " : "", value);
		}
		for (unsigned i = 0; strcmp(sections[s], "keks") == 0 && i < configuration->kek_count; i++)
			(void)fprintf(out, "%s = %s\n", configuration->keks[i].name, configuration->keks[i].file);
		if (strcmp(sections[s], "next_hops") == 0)
			print_hops(configuration, out);
		if (strcmp(sections[s], "pacing") == 0)
			print_rates(configuration, out);
	}
	fan_access_print(&configuration->access, out);
}

void
fan_configuration_restart_keys(const struct fan_configuration *now, const struct fan_configuration *next,
			       void (*each)(void *user, const char *key), void *user)
{
	for (unsigned i = 0; i < SETTING_COUNT; i++) {
		char values[2][FAN_CONFIGURATION_LINE_BYTES_MAX + 2], key[NAME_BYTES];

		format_value(values[0], sizeof(values[0]), now, &settings[i]);
		format_value(values[1], sizeof(values[1]), next, &settings[i]);
		(void)snprintf(key, sizeof(key), "%s.%s", settings[i].section, settings[i].key);
		if (!settings[i].live && strcmp(values[0], values[1]) != 0)
			each(user, key);
	}
}

/* ---- What it is for ---------------------------------------------------------------------------------------------------- */

/* A path, or "credential:NAME", which systemd puts into a folder of its own (systemd.exec(5), LoadCredential=). */
static int
find_key_file(char **path, const char *given)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	const size_t mark_bytes = strlen(CREDENTIAL);
	int made;

	if (given == NULL)
		return 0;
	if (strncmp(given, CREDENTIAL, mark_bytes) != 0)
		return fan_ini_text(path, given);
	if (folder == NULL || strchr(given + mark_bytes, '/') != NULL)
		return fan_fail(
			FAN_E_INVALID,
			"[store] key_file %s: systemd sets CREDENTIALS_DIRECTORY for a unit with LoadCredential=NAME:PATH",
			given);
	made = asprintf(path, "%s/%s", folder, given + mark_bytes);
	if (made < 0)
		*path = NULL;
	return made < 0 ? fan_fail(FAN_E_MEMORY, "no memory") : 0;
}

static int
split_eal(struct fan_opening *opening, const char *given)
{
	char *rest, *argument;
	unsigned count = 0;

	if (given == NULL)
		return 0;
	opening->eal_texts = rest = strdup(given);
	while (rest != NULL && (argument = strsep(&rest, " \t")) != NULL) {
		if (*argument == '\0')
			continue;
		if (count == FAN_EAL_ARGUMENTS_MAX)
			return fan_fail(FAN_E_INVALID, "[dataplane] eal: more than %d arguments", FAN_EAL_ARGUMENTS_MAX);
		opening->eal[count++] = argument;
	}
	opening->options.eal = opening->eal;
	return opening->eal_texts != NULL ? 0 : fan_fail(FAN_E_MEMORY, "no memory");
}

int
fan_opening_make(struct fan_opening *opening, const struct fan_configuration *configuration)
{
	struct fan_options *options = &opening->options;
	bool ipv6;
	int error;

	*opening = (struct fan_opening){ .eal_texts = NULL };
	fan_options_init(options);
	options->egress = configuration->dataplane.egress;
	options->program = configuration->serve.program;
	options->engines = configuration->dataplane.engines;
	options->card = configuration->dataplane.card;
	options->workers = (unsigned)configuration->dataplane.workers;
	options->ipv6 = configuration->dataplane.ipv6;
	options->udp_checksum = configuration->dataplane.udp_checksum;
	options->receive_acknowledgements = configuration->dataplane.receive_acknowledgements;
	options->acknowledgement_port = (uint16_t)configuration->dataplane.acknowledgement_port;
	options->capture = configuration->dataplane.capture;
	if (configuration->sender.address != NULL)
		(void)fan_address_parse(options->source_address, &ipv6, configuration->sender.address);
	if (configuration->sender.ethernet != NULL)
		(void)fan_ethernet_parse(options->source_ethernet, configuration->sender.ethernet);
	options->vlan = (uint16_t)configuration->sender.vlan;
	options->vlan_priority = (uint8_t)configuration->sender.vlan_priority;
	options->dscp = (uint8_t)configuration->sender.dscp;
	options->udp_source_port = (uint16_t)configuration->sender.udp_source_port;
	options->store = configuration->store.directory;
	options->store_create = configuration->store.create;
	options->store_adopt = configuration->store.adopt;
	options->retention_s = (uint32_t)configuration->store.retention_s;
	error = find_key_file(&opening->key_file, configuration->store.key_file);
	options->store_key_file = opening->key_file;
	return error != 0 ? error : split_eal(opening, configuration->dataplane.eal);
}

void
fan_opening_free(struct fan_opening *opening)
{
	free(opening->eal_texts);
	free(opening->key_file);
	*opening = (struct fan_opening){ .eal_texts = NULL };
}

bool
fan_configuration_permits(const struct fan_configuration *configuration, enum fan_role role, uid_t user, const gid_t *groups,
			  size_t group_count)
{
	return role == FAN_ROLE_NONE || user == 0 || user == geteuid() ||
	       fan_principals_have(&configuration->roles[role], user, groups, group_count);
}
