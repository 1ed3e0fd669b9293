/* SPDX-License-Identifier: BSD-3-Clause */
/* The file of `fanfare web`. */
#ifndef FAN_WEB_SETTINGS_H
#define FAN_WEB_SETTINGS_H

#include <stdint.h>
#include <stdio.h>

/* Texts are owned; NULL: not given. */
struct fan_web_settings {
	char *address;               /* to listen at; never NULL */
	uint16_t port;               /* 0: any that is free */
	char *certificate, *key;     /* PEM files; both or none */
	char *clients;               /* PEM file of CAs: only clients with a certificate of theirs are served */
	char *socket;                /* of the daemon */
	char *user;                  /* to become, if root starts it */
	char *log;                   /* where it goes, as of control/log.h; never NULL */
	unsigned connections;        /* in all */
	unsigned connections_of_one; /* of one address */
};

/* Out: the settings of a file, with defaults for what it leaves out. INVALID, with the file, the line and the key; NOT_FOUND. */
int fan_web_settings_read(struct fan_web_settings *settings, const char *file);
void fan_web_settings_free(struct fan_web_settings *settings);
/* As a file that says the same. */
void fan_web_settings_print(const struct fan_web_settings *settings, FILE *out);

#endif
