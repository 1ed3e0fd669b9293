/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Relays of cell broadcast, which stand beside the MME and the AMF, one for each radio: a datagram is one S1AP or NGAP PDU, without SCTP. What is
 * in it is the library's to say and to understand. What a relay does not hear is said again, and what comes too late is dropped.
 */
#define _GNU_SOURCE
#include "daemon.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DATAGRAM_BYTES_MAX 65536
#define DATAGRAMS_A_TURN 64

/* Connected: the kernel drops what comes from any other address. */
static int
open_socket(int *out, const char *where)
{
	struct sockaddr_storage to;
	socklen_t to_bytes;

	if (where == NULL)
		return 0;
	if (!fan_endpoint_parse(&to, &to_bytes, where))
		return fan_fail(FAN_E_INVALID, "[broadcast] %.64s: takes ADDRESS:PORT", where);
	*out = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*out < 0 || connect(*out, (const struct sockaddr *)&to, to_bytes) != 0)
		return fan_fail(FAN_E_IO, "[broadcast] %.64s: %s", where, strerror(errno));
	return 0;
}

/* fan_options.broadcast. A failure is that of a datagram that gets lost: the library says it again, and does without in the end. */
static void
send_request(void *user, enum fan_radio radio, const uint8_t *octets, size_t octet_count)
{
	struct fan_server *server = user;
	const ssize_t sent = send(server->relays.socket[radio], octets, octet_count, MSG_DONTWAIT | MSG_NOSIGNAL);

	server->relays.sent += sent == (ssize_t)octet_count;
	server->relays.failed += sent != (ssize_t)octet_count;
}

int
fan_relays_open(struct fan_server *server, struct fan_options *options)
{
	const char *const where[FAN_RADIO_COUNT] = { server->configuration.broadcast.lte, server->configuration.broadcast.nr };
	int error = 0;

	for (unsigned radio = 0; error == 0 && radio < FAN_RADIO_COUNT; radio++) {
		error = open_socket(&server->relays.socket[radio], where[radio]);
		if (server->relays.socket[radio] >= 0)
			options->broadcast_radios |= (uint8_t)(1U << radio);
	}
	options->broadcast = send_request;
	options->broadcast_user = server;
	options->broadcast_wait_ms = (uint32_t)server->configuration.broadcast.wait_ms;
	return error;
}

void
fan_relays_close(struct fan_server *server)
{
	for (unsigned radio = 0; radio < FAN_RADIO_COUNT; radio++)
		if (server->relays.socket[radio] >= 0)
			(void)close(server->relays.socket[radio]);
}

/* An error of the socket says that nobody was there when something was sent: that is seen by the answer that does not come. */
void
fan_relays_take(struct fan_server *server, enum fan_radio radio)
{
	static uint8_t octets[DATAGRAM_BYTES_MAX];

	for (unsigned i = 0; i < DATAGRAMS_A_TURN && server->fanfare != NULL; i++) {
		const ssize_t octet_count = recv(server->relays.socket[radio], octets, sizeof(octets), MSG_DONTWAIT);

		if (octet_count < 0 && errno != ECONNREFUSED)
			return;
		if (octet_count < 0)
			continue;
		if (fan_broadcast_answer(server->fanfare, radio, octets, (size_t)octet_count) == 0)
			server->relays.answers++;
		else
			server->relays.refused++;
	}
}
