/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the HSS and the MME of the tests have in common: a Diameter node on 127.0.0.1, a key-encryption key, and commands, one a line on
 * standard input. What happens is said on standard output, one line each.
 *
 *	hss IDENTITY PORT KEK PEER...    KEK: a file of 32 octets; a PEER is HOST, which comes, or HOST@PORT, which is gone to
 *
 * With STATION_TLS="CERTIFICATE KEY AUTHORITY" in the environment it speaks TLS alone.
 *
 * They read and write AVPs by the same code as the gateway: that the octets are as the manual says is for tshark and Python to find.
 */
#ifndef FAN_TESTS_DIAMETER_STATION_H
#define FAN_TESTS_DIAMETER_STATION_H

#include "../../host-api/keys/group_key.h"
#include "../../host-api/north/diameter/node.h"
#include "../../host-api/north/keys/message.h"

struct station {
	const char *name;
	int (*offer)(const struct fan_keys_dictionary *dictionary, struct dict_object *vendor);
	/* A line of standard input, in words; those that are not there are "". False: there is no such command. */
	bool (*command)(char *words[4]);
};

int station_main(const struct station *station, int argc, char **argv);

const uint8_t *station_kek(void);
const struct fan_keys_dictionary *station_dictionary(void);
/* One line, at once. Any thread. */
void station_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* State that commands and freeDiameter's threads share lies under this. */
void station_lock(void);
void station_unlock(void);

/* Answers 2001, or with the name of another result. Takes *message. Returns 0, for freeDiameter. */
int station_answer(struct msg **message, uint32_t application, const char *code, struct avp *failed);
/* A request to a peer by its host, which must be one of the command line. NULL: it cannot go. */
struct msg *station_request(struct dict_object *request, uint32_t application, const char *host);
/* Sends it, and says "NAME: WHAT result N" when the answer has come. Takes request. */
void station_send(struct msg *request, const char *what);

#endif
