/* SPDX-License-Identifier: BSD-3-Clause */
#include "target.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <ifaddrs.h>
#include <string.h>
#include <strings.h>

#define SHOWN "%.200s"

/* ---- Addresses ----------------------------------------------------------------------------------------------------------------- */

/* The IPv4 address that an IPv6 address stands for; NULL: none. */
static const uint8_t *
find_four(const uint8_t six[16])
{
	static const uint8_t none[12], mapped[12] = { [10] = 0xff, 0xff }, translated[12] = { [8] = 0xff, 0xff },
				       nat64[12] = { 0x00, 0x64, 0xff, 0x9b };
	static const uint8_t loopback[16] = { [15] = 1 };

	if (memcmp(six, loopback, 16) == 0)
		return NULL;
	if (memcmp(six, none, 12) == 0 || memcmp(six, mapped, 12) == 0 || memcmp(six, translated, 12) == 0 ||
	    memcmp(six, nat64, 12) == 0)
		return six + 12;
	return six[0] == 0x20 && six[1] == 0x02 ? six + 2 : NULL; /* 6to4 */
}

static enum fan_target_kind
judge_four(const uint8_t four[4])
{
	if (four[0] == 127)
		return FAN_TARGET_LOOPBACK;
	if (four[0] == 0 || four[0] >= 224 || (four[0] == 169 && four[1] == 254))
		return FAN_TARGET_NEVER;
	return FAN_TARGET_OTHER;
}

static enum fan_target_kind
judge_six(const uint8_t six[16])
{
	static const uint8_t loopback[16] = { [15] = 1 }, teredo[4] = { 0x20, 0x01 },
			     local_nat64[6] = { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 };

	if (memcmp(six, loopback, 16) == 0)
		return FAN_TARGET_LOOPBACK;
	if (six[0] == 0xff || (six[0] == 0xfe && (six[1] & 0xc0) == 0x80) || memcmp(six, teredo, 4) == 0 ||
	    memcmp(six, local_nat64, 6) == 0)
		return FAN_TARGET_NEVER;
	return FAN_TARGET_OTHER;
}

/* Octets of an address and how many. An IPv4 address in an IPv6 address is that. */
static size_t
take_octets(const uint8_t **octets, const struct sockaddr *address)
{
	const uint8_t *six, *four;

	if (address->sa_family == AF_INET) {
		*octets = (const uint8_t *)&((const struct sockaddr_in *)(const void *)address)->sin_addr;
		return 4;
	}
	if (address->sa_family != AF_INET6)
		return 0;
	six = ((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr;
	four = find_four(six);
	*octets = four != NULL ? four : six;
	return four != NULL ? 4 : 16;
}

/* What cannot be told is taken for one. */
static bool
is_own(const uint8_t *octets, size_t octet_count)
{
	struct ifaddrs *interfaces = NULL;
	const uint8_t *of_interface;
	bool is = false;

	if (getifaddrs(&interfaces) != 0)
		return true;
	for (const struct ifaddrs *i = interfaces; i != NULL && !is; i = i->ifa_next)
		is = i->ifa_addr != NULL && take_octets(&of_interface, i->ifa_addr) == octet_count &&
		     memcmp(of_interface, octets, octet_count) == 0;
	freeifaddrs(interfaces);
	return is;
}

enum fan_target_kind
fan_target_judge(const struct sockaddr *address)
{
	const uint8_t *octets = NULL;
	const size_t octet_count = take_octets(&octets, address);
	enum fan_target_kind kind;

	if (octet_count == 0)
		return FAN_TARGET_NEVER;
	kind = octet_count == 4 ? judge_four(octets) : judge_six(octets);
	return kind == FAN_TARGET_OTHER && is_own(octets, octet_count) ? FAN_TARGET_OWN : kind;
}

/* ---- URLs ---------------------------------------------------------------------------------------------------------------------- */

/* An address in octets and how many they are; 0: it is a name. */
static size_t
parse_address(uint8_t octets[16], const char *host)
{
	if (inet_pton(AF_INET, host, octets) == 1)
		return 4;
	return inet_pton(AF_INET6, host, octets) == 1 ? 16 : 0;
}

static bool
matches(const char *allowed, const char *host)
{
	const size_t host_bytes = strlen(host), suffix_bytes = strlen(allowed) - (allowed[0] == '*');
	uint8_t octets[16], others[16];
	const size_t octet_count = parse_address(octets, host);

	if (octet_count > 0)
		return parse_address(others, allowed) == octet_count && memcmp(octets, others, octet_count) == 0;
	if (strncmp(allowed, "*.", 2) == 0)
		return host_bytes > suffix_bytes && strcasecmp(host + host_bytes - suffix_bytes, allowed + 1) == 0;
	return strcasecmp(allowed, host) == 0;
}

static bool
is_name(const char *host)
{
	const size_t bytes = strlen(host);

	return bytes > 0 && host[bytes - 1] != '.' &&
	       strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") == bytes;
}

/* libcurl writes an IPv4 address in any of its forms (decimal, octal, hexadecimal, short) as four numbers. */
static int
take_host(struct fan_target *target)
{
	char *host = NULL, *zone = NULL;
	size_t bytes;
	int error = 0;

	if (curl_url_get(target->url, CURLUPART_ZONEID, &zone, 0) == CURLUE_OK)
		error = fan_fail(FAN_E_INVALID, "URL: an address with a zone is link-local: no target may be there");
	curl_free(zone);
	if (error == 0 && (curl_url_get(target->url, CURLUPART_HOST, &host, 0) != CURLUE_OK || host == NULL))
		error = fan_fail(FAN_E_INVALID, "URL: has no host");
	bytes = host != NULL ? strlen(host) : 0;
	if (error == 0 && bytes > 2 && host[0] == '[') {
		(void)snprintf(target->host, sizeof(target->host), "%.*s", (int)(bytes - 2), host + 1);
		if (bytes - 2 >= sizeof(target->host) || parse_address((uint8_t[16]){ 0 }, target->host) != 16)
			error = fan_fail(FAN_E_INVALID, "URL: what is in brackets is no IPv6 address");
	} else if (error == 0 && host != NULL) {
		(void)snprintf(target->host, sizeof(target->host), "%s", host);
		if (bytes >= sizeof(target->host) || !is_name(target->host))
			error = fan_fail(FAN_E_INVALID,
					 "URL: the host takes letters, digits, '-', '.' and '_', none of them a final dot");
	}
	curl_free(host);
	return error;
}

static int
take_port(struct fan_target *target)
{
	char *port = NULL;

	if (curl_url_get(target->url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK)
		target->port = (unsigned)strtoul(port, NULL, 10);
	curl_free(port);
	return target->port != 0 ? 0 : fan_fail(FAN_E_INVALID, "URL: the port takes 1 to 65535");
}

static int
take_scheme(struct fan_target *target, const struct fan_fetch_rule *rule)
{
	char *scheme = NULL;
	int error = 0;

	if (curl_url_get(target->url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK)
		return fan_fail(FAN_E_INVALID, "URL: has no scheme: takes https");
	target->is_plain = strcmp(scheme, "http") == 0;
	if (!target->is_plain && strcmp(scheme, "https") != 0)
		error = fan_fail(FAN_E_INVALID, "URL: scheme %.16s: takes https", scheme);
	else if (target->is_plain && !(rule->plain_http_allowed && rule->loopback_allowed))
		error = fan_fail(FAN_E_INVALID, "URL: http is not allowed: takes https");
	curl_free(scheme);
	return error;
}

static int
check_allowed(const struct fan_target *target, const struct fan_fetch_rule *rule)
{
	const char *const *host = rule->hosts;
	const uint16_t *port = rule->ports;

	while (host != NULL && *host != NULL && !matches(*host, target->host))
		host++;
	if (host == NULL || *host == NULL)
		return fan_fail(FAN_E_INVALID, "URL: host " SHOWN ": is not among the hosts that are allowed", target->host);
	while (port != NULL && *port != 0 && *port != target->port)
		port++;
	return port == NULL || *port != 0
		       ? 0
		       : fan_fail(FAN_E_INVALID, "URL: port %u: is not among the ports that are allowed", target->port);
}

int
fan_target_parse(struct fan_target *target, const char *url, const struct fan_fetch_rule *rule)
{
	CURLUcode code;
	int error;

	*target = (struct fan_target){ .url = curl_url() };
	FAN_REQUIRE(target->url != NULL);
	if (strlen(url) > FAN_FETCH_URL_BYTES_MAX)
		return fan_fail(FAN_E_INVALID, "URL: has more than %d octets", FAN_FETCH_URL_BYTES_MAX);
	code = curl_url_set(target->url, CURLUPART_URL, url, CURLU_DISALLOW_USER | CURLU_NON_SUPPORT_SCHEME);
	if (code == CURLUE_USER_NOT_ALLOWED)
		return fan_fail(FAN_E_INVALID, "URL: takes no user or password before the host");
	if (code != CURLUE_OK)
		return fan_fail(FAN_E_INVALID, "URL: %s", curl_url_strerror(code));
	error = take_scheme(target, rule);
	if (error == 0)
		error = take_host(target);
	if (error == 0)
		error = take_port(target);
	if (error != 0)
		return error;
	(void)snprintf(target->origin, sizeof(target->origin),
		       strchr(target->host, ':') != NULL ? "%s://[%s]:%u" : "%s://%s:%u", target->is_plain ? "http" : "https",
		       target->host, target->port);
	for (char *at = target->origin; *at != '\0'; at++)
		*at = (char)tolower((unsigned char)*at);
	return check_allowed(target, rule);
}
