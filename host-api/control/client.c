/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DESCRIPTORS_SEEN_MAX 16 /* with one message; the kernel closes the others */

/* ---- Who it is --------------------------------------------------------------------------------------------------------- */

/* Supplementary groups are the peer's as they were when it connected (Linux 4.13). */
static int
read_peer(struct fan_client *client)
{
	struct ucred peer;
	socklen_t peer_bytes = sizeof(peer), group_bytes = sizeof(client->groups) - sizeof(client->groups[0]);

	if (getsockopt(client->socket, SOL_SOCKET, SO_PEERCRED, &peer, &peer_bytes) != 0)
		return fan_fail(FAN_E_IO, "a client's user cannot be told: %s", strerror(errno));
	client->user = peer.uid;
	client->groups[0] = peer.gid;
	client->group_count = 1;
	if (getsockopt(client->socket, SOL_SOCKET, SO_PEERGROUPS, &client->groups[1], &group_bytes) == 0)
		client->group_count += (unsigned)(group_bytes / sizeof(client->groups[0]));
	return 0;
}

int
fan_client_open(struct fan_client *client, int socket, int64_t now_ms)
{
	int error;

	*client = (struct fan_client){ .socket = socket,
				       .generation = client->generation + 1,
				       .descriptor = -1,
				       .coming = -1,
				       .line_since_ms = now_ms,
				       .in = malloc(FAN_CONTROL_LINE_BYTES_MAX) };
	error = client->in == NULL ? fan_fail(FAN_E_MEMORY, "no memory for a client") : read_peer(client);
	if (error != 0)
		fan_client_close(client);
	return error;
}

static void
close_descriptor(int *descriptor)
{
	if (*descriptor >= 0)
		(void)close(*descriptor);
	*descriptor = -1;
}

void
fan_client_close(struct fan_client *client)
{
	const uint32_t generation = client->generation;

	if (client->in != NULL)
		explicit_bzero(client->in, FAN_CONTROL_LINE_BYTES_MAX);
	free(client->in);
	free(client->out);
	close_descriptor(&client->descriptor);
	close_descriptor(&client->coming);
	(void)close(client->socket);
	*client = (struct fan_client){ .socket = -1, .descriptor = -1, .coming = -1, .generation = generation };
}

/* ---- In ---------------------------------------------------------------------------------------------------------------- */

/* Keeps the first descriptor that came, and closes all others. The kernel ends a read behind the octets that were sent with one, and may put
 * earlier ones before them: of all that was read, the last octet is surely one of those. */
static void
take_descriptors(struct fan_client *client, struct msghdr *message)
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL; part = CMSG_NXTHDR(message, part)) {
		const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int descriptor;

			memcpy(&descriptor, CMSG_DATA(part) + i * sizeof(int), sizeof(descriptor));
			if (client->coming >= 0) {
				(void)close(descriptor);
				continue;
			}
			client->coming = descriptor;
			client->coming_at = client->in_bytes - 1;
		}
	}
}

/* What was handed out as lines makes room. */
static void
make_room(struct fan_client *client)
{
	if (client->in_start == 0)
		return;
	memmove(client->in, client->in + client->in_start, client->in_bytes - client->in_start);
	explicit_bzero(client->in + client->in_bytes - client->in_start, client->in_start);
	client->in_bytes -= client->in_start;
	client->coming_at -= client->in_start;
	client->in_start = 0;
}

bool
fan_client_has_line(const struct fan_client *client)
{
	return client->in_bytes > client->in_start &&
	       memchr(client->in + client->in_start, '\n', client->in_bytes - client->in_start) != NULL;
}

static void
end_long_line(struct fan_client *client)
{
	fan_client_put(client, json_pack("{s:s, s:n, s:o}", "jsonrpc", "2.0", "id", "error",
					 fan_control_error(FAN_CONTROL_REQUEST,
							   "a line of more than 65536 octets: send files as descriptors", 2)));
	client->ending = true;
}

void
fan_client_receive(struct fan_client *client, int64_t now_ms)
{
	union {
		struct cmsghdr header; /* for its alignment */
		char octets[CMSG_SPACE(DESCRIPTORS_SEEN_MAX * sizeof(int))];
	} control;
	struct iovec piece;
	struct msghdr message = {
		.msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	ssize_t got;

	make_room(client);
	piece = (struct iovec){ .iov_base = client->in + client->in_bytes,
				.iov_len = FAN_CONTROL_LINE_BYTES_MAX - client->in_bytes };
	got = recvmsg(client->socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		client->gone = true;
		return;
	}
	client->in_bytes += (size_t)got;
	take_descriptors(client, &message);
	if (client->line_since_ms == 0)
		client->line_since_ms = now_ms;
	if (client->in_bytes == FAN_CONTROL_LINE_BYTES_MAX && !fan_client_has_line(client))
		end_long_line(client);
}

char *
fan_client_line(struct fan_client *client, size_t *line_bytes)
{
	char *line = client->in + client->in_start, *end;

	explicit_bzero(client->in, client->in_start);
	close_descriptor(&client->descriptor);
	if (!fan_client_has_line(client))
		return NULL;
	end = memchr(line, '\n', client->in_bytes - client->in_start);
	*end = '\0';
	*line_bytes = (size_t)(end - line);
	client->in_start += *line_bytes + 1;
	if (client->coming >= 0 && client->coming_at < client->in_start) {
		client->descriptor = client->coming;
		client->coming = -1;
	}
	if (client->in_start == client->in_bytes)
		client->line_since_ms = 0;
	return line;
}

void
fan_client_put_back(struct fan_client *client, size_t line_bytes)
{
	client->in_start -= line_bytes + 1;
	client->in[client->in_start + line_bytes] = '\n';
	if (client->descriptor >= 0) {
		client->coming = client->descriptor;
		client->coming_at = client->in_start + line_bytes;
		client->descriptor = -1;
	}
}

/* ---- Out --------------------------------------------------------------------------------------------------------------- */

static bool
reserve(struct fan_client *client, size_t more)
{
	const size_t wanted = client->out_bytes + more;
	char *out;

	if (wanted <= client->out_room)
		return true;
	out = realloc(client->out, 2 * wanted);
	if (out == NULL)
		return false;
	client->out = out;
	client->out_room = 2 * wanted;
	return true;
}

void
fan_client_put(struct fan_client *client, json_t *object)
{
	char *text = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;
	const size_t text_bytes = text != NULL ? strlen(text) : 0;

	json_decref(object);
	if (text == NULL || client->out_bytes + text_bytes + 1 > FAN_CONTROL_UNSENT_BYTES_MAX ||
	    !reserve(client, text_bytes + 1)) {
		client->gone = true;
	} else {
		memcpy(client->out + client->out_bytes, text, text_bytes);
		client->out[client->out_bytes + text_bytes] = '\n';
		client->out_bytes += text_bytes + 1;
	}
	free(text);
}

void
fan_client_flush(struct fan_client *client)
{
	size_t sent = 0;

	while (sent < client->out_bytes) {
		const ssize_t n = send(client->socket, client->out + sent, client->out_bytes - sent,
				       MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			client->gone = true;
		if (n <= 0)
			break;
		sent += (size_t)n;
	}
	if (sent > 0)
		memmove(client->out, client->out + sent, client->out_bytes - sent);
	client->out_bytes -= sent;
	if (client->ending && client->out_bytes == 0)
		client->gone = true;
}
