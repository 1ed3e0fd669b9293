/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "daemon.h"

#include <arpa/inet.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

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
