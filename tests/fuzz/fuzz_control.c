/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any octets as what a client says, hello before it: every line gets an answer or the end of the connection, and the next client is served as ever.
 * There is no appliance behind it.
 */
#include "../../host-api/control/server.h"
#include "../../host-api/control/ue_context.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURNS_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes);

static const char hello[] = "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"hello\",\"params\":{\"version\":1}}\n";

static struct fan_server *
the_server(void)
{
	static struct fan_server *server;
	struct fan_configuration configuration = { .file = NULL };

	if (server == NULL && fan_server_open(&server, &configuration) != 0)
		abort();
	return server;
}

/* Reads what there is. False: the connection has ended. */
static bool
drain(int client)
{
	char octets[4096];
	ssize_t n = 1;

	while (n > 0)
		n = recv(client, octets, sizeof(octets), MSG_DONTWAIT);
	return n < 0 && errno == EAGAIN;
}

static void
say(int client, const void *octets, size_t byte_count)
{
	const uint8_t *at = octets;

	for (unsigned turns = 0; byte_count > 0 && turns < TURNS_MAX; turns++) {
		const ssize_t n = send(client, at, byte_count, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0) {
			at += n;
			byte_count -= (size_t)n;
		}
		(void)fan_server_turn(the_server(), 0);
		if (!drain(client))
			return;
	}
}

/* As a line of a file of UEs, too. */
static void
read_row(const uint8_t *data, size_t data_bytes)
{
	static const struct fan_context_columns columns = { .count = 4, .column = { 0, 1, 12, 14 } };
	struct fan_context_columns read;
	struct fan_context_row row;
	char field[16], *line = malloc(data_bytes + 1);
	json_error_t wrong;
	json_t *object;

	if (line == NULL)
		abort();
	memcpy(line, data, data_bytes);
	line[data_bytes] = '\0';
	(void)fan_context_header_read(&read, line, strlen(line));
	(void)fan_context_row_read(&row, field, sizeof(field), &columns, line, data_bytes);
	object = json_loadb(line, data_bytes, JSON_REJECT_DUPLICATES, &wrong);
	if (json_is_object(object)) {
		(void)fan_context_object_read(&row, field, sizeof(field), object);
		(void)fan_ue_context_read(&row, field, sizeof(field), object);
	}
	json_decref(object);
	free(line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
	int pair[2];

	read_row(data, data_bytes);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0 || fan_server_adopt(the_server(), pair[0]) != 0)
		abort();
	say(pair[1], hello, sizeof(hello) - 1);
	say(pair[1], data, data_bytes);
	say(pair[1], "\n", 1);
	(void)close(pair[1]);
	for (unsigned i = 0; i < 4; i++)
		(void)fan_server_turn(the_server(), 0);
	return 0;
}
