/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "daemon.h"
#include "params.h"

#include <arpa/inet.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))
#define AT(struct_name, field) offsetof(struct struct_name, field)

struct hop {
	uint8_t address[16]; /* first: what is compared */
	uint16_t index;
};

static int
compare_addresses(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

void
fan_hops_forget(struct fan_server *server)
{
	tdestroy(server->hops, free);
	server->hops = NULL;
}

static int
keep(struct fan_server *server, const uint8_t address[16], unsigned index)
{
	struct hop *hop = malloc(sizeof(*hop));

	if (hop != NULL) {
		*hop = (struct hop){ .index = (uint16_t)index };
		memcpy(hop->address, address, sizeof(hop->address));
	}
	if (hop != NULL && tsearch(hop, &server->hops, compare_addresses) != NULL)
		return 0;
	free(hop);
	return fan_fail(FAN_E_MEMORY, "no memory for a next hop");
}

int
fan_hops_learn(struct fan_server *server)
{
	struct fan_next_hop next_hop;
	int error = 0;

	fan_hops_forget(server);
	fan_next_hop_init(&next_hop);
	for (unsigned i = 0; error == 0 && fan_next_hop_get(server->fanfare, &next_hop, i) == 0; i++)
		error = keep(server, next_hop.address, i);
	return error;
}

/* ---- Relays' words ----------------------------------------------------------------------------------------------------- */

#define LOOKED_AT_MAX 4096 /* next hops a look: a flock of relays is said in its time */
#define SAID_MAX 8         /* ... of which so many may be said: a flapping one must not fill the log */

enum hop_word { HOP_FREE, HOP_SLOWED, HOP_STOPPED };

static bool
make_words(struct fan_server *server, unsigned count)
{
	uint8_t *words = realloc(server->hop_words, count);

	if (words == NULL)
		return false;
	memset(words + server->hop_word_count, HOP_FREE, count - server->hop_word_count);
	server->hop_words = words;
	server->hop_word_count = count;
	return true;
}

static void
say_word(const struct fan_server *server, unsigned index, const struct fan_next_hop_pace *pace, enum hop_word word)
{
	static const enum fan_log_event events[] = { FAN_LOG_HOP_RELEASED, FAN_LOG_HOP_SLOWED, FAN_LOG_HOP_STOPPED };
	static const char *const texts[] = { "gets what its rate allows again", "is slowed by its relay",
					     "is stopped by its relay" };
	struct fan_next_hop next_hop;
	char address[INET6_ADDRSTRLEN] = "";

	fan_next_hop_init(&next_hop);
	(void)fan_next_hop_get(server->fanfare, &next_hop, index);
	(void)inet_ntop(server->configuration.dataplane.ipv6 ? AF_INET6 : AF_INET, next_hop.address, address, sizeof(address));
	fan_log(events[word],
		json_pack("{s:s, s:I, s:I}", "address", address, "pdus_per_s", (json_int_t)pace->pdus_per_s, "relay_ms",
			  (json_int_t)pace->relay_ms),
		"next hop %s %s", address, texts[word]);
}

void
fan_hops_look(struct fan_server *server)
{
	struct fan_next_hop_pace pace;
	unsigned said = 0;

	fan_next_hop_pace_init(&pace);
	for (unsigned i = 0; i < LOOKED_AT_MAX && said < SAID_MAX; i++) {
		const unsigned index = server->hop_looked;
		enum hop_word word;

		if (fan_next_hop_pace(server->fanfare, &pace, index) != 0) {
			server->hop_looked = 0;
			return;
		}
		server->hop_looked++;
		if (index >= server->hop_word_count && !make_words(server, index + LOOKED_AT_MAX))
			return;
		word = pace.stopped ? HOP_STOPPED : pace.relay_ms != 0 ? HOP_SLOWED : HOP_FREE;
		if (word == server->hop_words[index])
			continue;
		server->hop_words[index] = (uint8_t)word;
		say_word(server, index, &pace, word);
		said++;
	}
}

/* ---- Next hops --------------------------------------------------------------------------------------------------------- */

static const uint8_t *
configured_ethernet(const struct fan_configuration *configuration, const uint8_t address[16])
{
	for (unsigned i = 0; i < configuration->hop_count; i++)
		if (memcmp(configuration->hops[i].address, address, 16) == 0)
			return configuration->hops[i].ethernet;
	return NULL;
}

static int
add(struct fan_server *server, const uint8_t address[16], bool ipv6)
{
	const struct fan_configuration *configuration = &server->configuration;
	const uint8_t *ethernet = configured_ethernet(configuration, address);
	struct fan_next_hop next_hop;
	char text[INET6_ADDRSTRLEN];
	int index, error;

	fan_next_hop_init(&next_hop);
	memcpy(next_hop.address, address, sizeof(next_hop.address));
	if (ethernet != NULL) {
		memcpy(next_hop.ethernet, ethernet, sizeof(next_hop.ethernet));
	} else if (configuration->default_ethernet == NULL ||
		   !fan_ethernet_parse(next_hop.ethernet, configuration->default_ethernet)) {
		inet_ntop(ipv6 ? AF_INET6 : AF_INET, address, text, sizeof(text));
		return fan_fail(FAN_E_INVALID,
				"%s has no Ethernet address: [next_hops] of the configuration names it, or default_ethernet",
				text);
	}
	index = fan_next_hop_add(server->fanfare, &next_hop);
	error = index < 0 ? index : keep(server, address, (unsigned)index);
	return error != 0 ? error : index;
}

int
fan_hops_find(struct fan_server *server, const uint8_t address[16], bool ipv6)
{
	struct hop **found;

	if (ipv6 != server->configuration.dataplane.ipv6)
		return fan_fail(FAN_E_INVALID, "takes an %s address, as [dataplane] ipv6 of the configuration says",
				ipv6 ? "IPv4" : "IPv6");
	found = tfind(address, &server->hops, compare_addresses);
	return found != NULL ? (*found)->index : add(server, address, ipv6);
}

/* ---- Rates of the configuration ----------------------------------------------------------------------------------------- */

void
fan_hops_rate(void *server, struct fan_next_hop_rate *rate, const uint8_t address[16])
{
	fan_configuration_rate(&((const struct fan_server *)server)->configuration, rate, address);
}

static bool
same_rate(const struct fan_next_hop_rate *one, const struct fan_next_hop_rate *other)
{
	return one->pdus_per_s == other->pdus_per_s && one->octets_per_s == other->octets_per_s &&
	       one->depth_pdus == other->depth_pdus && one->depth_octets == other->depth_octets &&
	       one->urgent_percent == other->urgent_percent;
}

/* What was set by next_hop.rate stays, unless the file has changed for this next hop. */
int
fan_hops_change_rates(struct fan_server *server, const struct fan_configuration *next)
{
	struct fan_next_hop hop;
	int error = 0;

	fan_next_hop_init(&hop);
	for (unsigned i = 0; error == 0 && fan_next_hop_get(server->fanfare, &hop, i) == 0; i++) {
		struct fan_next_hop_rate rates[2];

		fan_configuration_rate(&server->configuration, &rates[0], hop.address);
		fan_configuration_rate(next, &rates[1], hop.address);
		if (!same_rate(&rates[0], &rates[1]))
			error = fan_next_hop_rate(server->fanfare, i, &rates[1]);
	}
	return error;
}

/* ---- Methods ------------------------------------------------------------------------------------------------------------ */

static json_t *
describe_pace(const struct fan_next_hop_pace *pace)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:i, s:b, s:I, s:b, s:I, s:I, s:I, s:I}", "pdus_per_s",
			 (json_int_t)pace->rate.pdus_per_s, "octets_per_s", (json_int_t)pace->rate.octets_per_s, "depth_pdus",
			 (json_int_t)pace->rate.depth_pdus, "depth_octets", (json_int_t)pace->rate.depth_octets,
			 "urgent_percent", (int)pace->rate.urgent_percent, "paced", (int)pace->paced, "in_force_pdus_per_s",
			 (json_int_t)pace->pdus_per_s, "stopped", (int)pace->stopped, "relay_ms", (json_int_t)pace->relay_ms,
			 "pdus", (json_int_t)pace->pdus, "put_off", (json_int_t)pace->put_off, "waiting",
			 (json_int_t)pace->waiting);
}

/* NULL: there is no next hop of that index. */
static json_t *
describe_hop(const struct fan_server *server, unsigned index)
{
	struct fan_next_hop hop;
	struct fan_next_hop_pace pace;
	char address[INET6_ADDRSTRLEN], ethernet[18];
	const uint8_t *mac = hop.ethernet;
	json_t *described, *more;

	fan_next_hop_init(&hop);
	fan_next_hop_pace_init(&pace);
	if (fan_next_hop_get(server->fanfare, &hop, index) != 0 || fan_next_hop_pace(server->fanfare, &pace, index) != 0)
		return NULL;
	inet_ntop(server->configuration.dataplane.ipv6 ? AF_INET6 : AF_INET, hop.address, address, sizeof(address));
	(void)snprintf(ethernet, sizeof(ethernet), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
		       mac[5]);
	described = json_pack("{s:i, s:s, s:s, s:I}", "index", (int)index, "address", address, "ethernet", ethernet, "octets",
			      (json_int_t)pace.octets);
	more = describe_pace(&pace);
	(void)json_object_update(described, more);
	json_decref(more);
	return described;
}

struct hop_listing {
	int64_t from, limit;
};

static const struct fan_param list_params[] = {
	{ "from", FAN_PARAM_NUMBER, false, 0, UINT16_MAX, AT(hop_listing, from) },
	{ "limit", FAN_PARAM_NUMBER, false, 1, FAN_CONTROL_LIST_MAX, AT(hop_listing, limit) },
};

static int
run_list(struct fan_request *request)
{
	struct hop_listing values = { .limit = 100 };
	json_t *hops = json_array();
	const int error = fan_request_params(request, &values, list_params, COUNT_OF(list_params));

	for (int64_t i = values.from; error == 0 && i < values.from + values.limit; i++) {
		json_t *hop = describe_hop(request->server, (unsigned)i);

		if (hop == NULL)
			break;
		(void)json_array_append_new(hops, hop);
	}
	request->result = json_pack("{s:o}", "next_hops", hops);
	return error;
}

/* The index of a next hop that is there. */
static int
find_known(struct fan_server *server, const char *text)
{
	uint8_t address[16];
	struct hop **found;
	bool ipv6;

	if (!fan_address_parse(address, &ipv6, text))
		return fan_fail(FAN_E_INVALID, "address: takes an IPv4 or IPv6 address");
	found = tfind(address, &server->hops, compare_addresses);
	if (found == NULL || ipv6 != server->configuration.dataplane.ipv6)
		return fan_fail(FAN_E_NOT_FOUND, "%s: no UE has had this next hop; next_hop.list names those there are", text);
	return (*found)->index;
}

static int
answer_with(struct fan_request *request, int error, unsigned index)
{
	if (error == 0)
		request->result = describe_hop(request->server, index);
	return error;
}

struct rating {
	const char *address;
	int64_t pdus_per_s, octets_per_s, depth_pdus, depth_octets, urgent_percent;
};

static const struct fan_param rate_params[] = {
	{ "address", FAN_PARAM_TEXT, true, 1, INET6_ADDRSTRLEN, AT(rating, address) },
	{ "pdus_per_s", FAN_PARAM_NUMBER, true, 0, FAN_RATE_PDUS_MAX, AT(rating, pdus_per_s) },
	{ "octets_per_s", FAN_PARAM_NUMBER, false, 0, (int64_t)FAN_RATE_OCTETS_MAX, AT(rating, octets_per_s) },
	{ "depth_pdus", FAN_PARAM_NUMBER, false, 0, UINT32_MAX, AT(rating, depth_pdus) },
	{ "depth_octets", FAN_PARAM_NUMBER, false, 0, INT64_C(1) << 40, AT(rating, depth_octets) },
	{ "urgent_percent", FAN_PARAM_NUMBER, false, 0, FAN_RATE_URGENT_MAX, AT(rating, urgent_percent) },
};

static int
run_rate(struct fan_request *request)
{
	struct rating values = { .urgent_percent = FAN_RATE_URGENT };
	struct fan_next_hop_rate rate;
	int index, error = fan_request_params(request, &values, rate_params, COUNT_OF(rate_params));

	if (error != 0)
		return error;
	index = find_known(request->server, values.address);
	if (index < 0)
		return index;
	fan_next_hop_rate_init(&rate);
	rate.pdus_per_s = (uint64_t)values.pdus_per_s;
	rate.octets_per_s = (uint64_t)values.octets_per_s;
	rate.depth_pdus = (uint64_t)values.depth_pdus;
	rate.depth_octets = (uint64_t)values.depth_octets;
	rate.urgent_percent = (uint8_t)values.urgent_percent;
	error = fan_next_hop_rate(request->server->fanfare, (unsigned)index, &rate);
	return answer_with(request, error, (unsigned)index);
}

struct word {
	const char *address;
	int64_t pdus_per_s, for_ms;
};

static const struct fan_param relay_params[] = {
	{ "address", FAN_PARAM_TEXT, true, 1, INET6_ADDRSTRLEN, AT(word, address) },
	{ "pdus_per_s", FAN_PARAM_NUMBER, true, 0, FAN_RATE_PDUS_MAX, AT(word, pdus_per_s) },
	{ "for_ms", FAN_PARAM_NUMBER, true, 0, FAN_RELAY_MS_MAX, AT(word, for_ms) },
};

static int
run_relay(struct fan_request *request)
{
	struct word values = { .address = NULL };
	int index, error = fan_request_params(request, &values, relay_params, COUNT_OF(relay_params));

	if (error != 0)
		return error;
	index = find_known(request->server, values.address);
	if (index < 0)
		return index;
	error = fan_next_hop_relay(request->server->fanfare, (unsigned)index, (uint64_t)values.pdus_per_s,
				   (uint32_t)values.for_ms);
	return answer_with(request, error, (unsigned)index);
}

const struct fan_method fan_hop_methods[] = {
	{ "next_hop.list", FAN_ROLE_READ, FAN_LOADED, run_list },
	{ "next_hop.rate", FAN_ROLE_PROVISION, FAN_LOADED, run_rate },
	{ "next_hop.relay", FAN_ROLE_LEASE, FAN_LOADED, run_relay },
	{ .name = NULL },
};
