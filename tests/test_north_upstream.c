/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls of a face to a daemon that this test plays. */
#include "../host-api/control/protocol.h"
#include "../host-api/north/face.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLS 8          /* together longer than a socket's buffer */
#define CALL_BYTES 60000 /* about as long as a line may be */

TestSuite(north_upstream, .timeout = 60);

static void
answer(int client, json_int_t id)
{
	char line[128];
	const int bytes = snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":{}}\n", (long long)id);

	if (write(client, line, (size_t)bytes) != bytes)
		_exit(2);
}

/* Reads nothing behind the greeting until it is told to. Exit code 1: a line is none. */
static void
play_daemon(int listener, int wake)
{
	static const char hello[] = "{\"jsonrpc\":\"2.0\",\"method\":\"hello\",\"params\":{}}\n";
	const int client = accept(listener, NULL, NULL);
	FILE *lines = fdopen(client, "r");
	char *line = NULL, octet;
	size_t room = 0;
	ssize_t bytes;

	setvbuf(lines, NULL, _IONBF, 0);
	if (write(client, hello, sizeof(hello) - 1) != (ssize_t)sizeof(hello) - 1)
		_exit(2);
	while ((bytes = getline(&line, &room, lines)) > 0) {
		json_t *request = json_loadb(line, (size_t)bytes, 0, NULL);

		if (request == NULL)
			_exit(1);
		answer(client, json_integer_value(json_object_get(request, "id")));
		if (strcmp(json_string_value(json_object_get(request, "method")), "hello") == 0 && read(wake, &octet, 1) != 1)
			_exit(2);
		json_decref(request);
	}
	_exit(0);
}

struct calling {
	struct fan_face *face;
	unsigned failed;
	bool last_done;
	int wake;
};

static void
take_last(void *user, const struct fan_face_answer *answer_of_last)
{
	struct calling *calling = user;

	calling->last_done = answer_of_last->failure == FAN_FACE_DONE;
	fan_face_stop(calling->face);
}

/* The last one was late: now the daemon goes on. */
static void
take_late(void *user, const struct fan_face_answer *answer_of_late)
{
	struct calling *calling = user;

	calling->failed += answer_of_late->failure == FAN_FACE_GONE;
	if (calling->failed < CALLS)
		return;
	fan_face_call(calling->face, "last", NULL, -1, take_last, calling);
	cr_assert_eq(write(calling->wake, "x", 1), 1);
}

/* A daemon that stands still has half of a line by then. */
Test(north_upstream, a_call_that_is_late_leaves_no_half_of_a_line)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	char directory[] = "/tmp/fanfare-upstream-XXXXXX", *text = calloc(1, CALL_BYTES + 1);
	struct calling calling = { .failed = 0 };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), wake[2], status;
	struct fan_face_options options = { .name = "test", .socket = name.sun_path };
	pid_t daemon;

	cr_assert_not_null(mkdtemp(directory));
	(void)snprintf(name.sun_path, sizeof(name.sun_path), "%s/socket", directory);
	cr_assert_eq(bind(listener, (const struct sockaddr *)&name, sizeof(name)), 0);
	cr_assert_eq(listen(listener, 1), 0);
	cr_assert_eq(pipe(wake), 0);
	daemon = fork();
	if (daemon == 0) {
		close(wake[1]);
		play_daemon(listener, wake[0]);
	}
	memset(text, 'a', CALL_BYTES);
	calling.wake = wake[1];
	cr_assert_eq(fan_face_open(&calling.face, &options), 0, "%s", fan_error_detail());
	for (unsigned i = 0; i < CALLS; i++)
		fan_face_call(calling.face, "call", json_pack("{s:s}", "text", text), -1, take_late, &calling);
	cr_assert_eq(fan_face_run(calling.face), 0);
	fan_face_close(calling.face);
	cr_assert(calling.last_done, "the call after those that were late has no answer");
	cr_assert_eq(waitpid(daemon, &status, 0), daemon);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the daemon has read what is no line");
	close(listener);
	close(wake[1]);
	close(wake[0]);
	unlink(name.sun_path);
	rmdir(directory);
	free(text);
}
