/* SPDX-License-Identifier: BSD-3-Clause */
/* Whom a face speaks to: what a URL names, and what an address is to this host. Of fetch.c alone; fetch.h has the words. */
#ifndef FAN_NORTH_TARGET_H
#define FAN_NORTH_TARGET_H

#include "fetch.h"

#include <curl/curl.h>
#include <sys/socket.h>

#define FAN_TARGET_HOST_BYTES 256
#define FAN_TARGET_ORIGIN_BYTES (FAN_TARGET_HOST_BYTES + 32)

struct fan_target {
	CURLU *url; /* the caller's, to clean up, also after an error */
	char host[FAN_TARGET_HOST_BYTES];
	char origin[FAN_TARGET_ORIGIN_BYTES]; /* "https://as.example.org:443", in small letters */
	unsigned port;
	bool is_plain; /* http */
};

/* Takes a URL apart and holds it to the rule. INVALID: the error has nothing of the URL's path and query, which may hold a secret. */
int fan_target_parse(struct fan_target *target, const char *url, const struct fan_fetch_rule *rule);

enum fan_target_kind {
	FAN_TARGET_OTHER, /* another host's, as far as it shows */
	FAN_TARGET_LOOPBACK,
	FAN_TARGET_OWN, /* of one of this host's interfaces now, or that cannot be told */
	FAN_TARGET_NEVER,
};

enum fan_target_kind fan_target_judge(const struct sockaddr *address);

#endif
