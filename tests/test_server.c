/* SPDX-License-Identifier: BSD-3-Clause */
/* The control socket from its other end: a socket pair, one end of which a server without an appliance, or with a small one, takes for a client. */
#define _GNU_SOURCE
#include "../host-api/control/server.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURNS 50
#define READ_BYTES (2 << 20)
#define IMPORT_BYTES_MAX 67108864
#define TEXT_OF(number) #number
#define TEXT(macro) TEXT_OF(macro)

static struct fan_server *server;
static struct fanfare *appliance; /* the server's, in tests of its methods */
static char *said;                /* what the client in hand has read last */

static void
open_server(void)
{
	struct fan_configuration configuration = { .file = NULL };

	configuration.limits.import_bytes = IMPORT_BYTES_MAX;
	cr_assert_eq(fan_server_open(&server, &configuration), 0, "%s", fan_error_detail());
	said = malloc(READ_BYTES);
}

static void
close_server(void)
{
	cr_assert_eq(fan_server_close(server), 0);
	free(said);
}

TestSuite(server, .init = open_server, .fini = close_server);

static void
turn(unsigned turns)
{
	while (turns-- > 0)
		(void)fan_server_turn(server, 0);
}

/* A client's end. */
static int
connect_client(void)
{
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	(void)fan_server_adopt(server, pair[0]);
	return pair[1];
}

static void
put(int client, const char *text)
{
	const size_t text_bytes = strlen(text);

	for (size_t sent = 0; sent < text_bytes; turn(1)) {
		const ssize_t n = send(client, text + sent, text_bytes - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return;
		sent += n > 0 ? (size_t)n : 0;
	}
}

/* Reads what there is. Returns whether the server has closed the connection. */
static bool
get(int client)
{
	size_t got = 0;
	ssize_t n = -1;

	for (unsigned i = 0; i < TURNS; i++) {
		turn(1);
		n = recv(client, said + got, READ_BYTES - 1 - got, MSG_DONTWAIT);
		if (n == 0)
			break;
		got += n > 0 ? (size_t)n : 0;
	}
	said[got] = '\0';
	return n == 0 || (n < 0 && errno == ECONNRESET);
}

static void
hello(int client)
{
	put(client, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"hello\",\"params\":{\"version\":1}}\n");
	cr_assert_not(get(client));
	cr_assert_not_null(strstr(said, "\"roles\":[\"read\",\"send\",\"provision\",\"lease\",\"export\"]"), "%s", said);
}

static int
greeted(void)
{
	const int client = connect_client();

	hello(client);
	return client;
}

#define SAYS(text) cr_assert_not_null(strstr(said, (text)), "%s: not in %s", (text), said)

/* One line, and what is in its answer. */
static void
answers(int client, const char *line, const char *code, const char *text)
{
	put(client, line);
	put(client, "\n");
	cr_assert_not(get(client), "%s: closed", line);
	SAYS(code);
	SAYS(text);
	cr_assert_eq(strchr(said, '\n'), said + strlen(said) - 1, "%s: more than a line: %s", line, said);
}

Test(server, speaks_first)
{
	const int client = connect_client();

	cr_assert_not(get(client));
	cr_assert_str_eq(said,
			 "{\"jsonrpc\":\"2.0\",\"method\":\"hello\",\"params\":{\"protocol\":\"fanfare-control\",\"version\":1,"
			 "\"program\":\"" FAN_VERSION "\"}}\n");
	close(client);
}

Test(server, another_version_is_named_and_ends)
{
	const int client = connect_client();

	put(client, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"hello\",\"params\":{\"version\":2}}\n");
	cr_assert(get(client));
	SAYS("-32099");
	SAYS("the client speaks version 2 of fanfare-control, this daemon (fanfare " FAN_VERSION ") version 1");
	close(client);
}

Test(server, hello_comes_first)
{
	static const char *const lines[] = { "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"status\"}\n", "GET / HTTP/1.1\n", "\n",
					     "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"hello\"}\n" };

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		const int client = connect_client();

		put(client, lines[i]);
		cr_assert(get(client), "%s", lines[i]);
		SAYS("\"error\"");
		close(client);
	}
}

Test(server, garbage_is_told_of_and_the_connection_stays)
{
	const int client = greeted();

	answers(client, "x", "-32700", "no JSON (syntax)");
	answers(client, "{\"jsonrpc\":\"2.0\",\"jsonrpc\":\"2.0\"}", "-32700", "a member twice");
	answers(client, "[]", "-32600", "a request is an object");
	answers(client, "7", "-32700", "no JSON");
	answers(client, "{}", "-32600", "jsonrpc: takes");
	answers(client, "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"status\"}", "-32600", "jsonrpc: takes");
	answers(client, "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"status\"}", "-32600", "id: takes");
	answers(client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", "-32600", "method: takes a text");
	answers(client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\",\"params\":[]}", "-32600",
		"params: takes an object");
	answers(client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\",\"extra\":1}", "-32600", "and nothing else");
	answers(client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"statsu\"}", "-32601",
		"no such method, did you mean status?");
	answers(client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"xyzzy\"}", "-32601", "xyzzy: no such method");
	answers(client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\",\"params\":{\"a\":1}}", "-32602",
		"a: no such parameter");
	/* What is quoted is cut within a character. */
	answers(client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"xäääääääääääääääääääääääääääääääääääääääääääääääääää\"}",
		"-32601", "no such method");
	answers(client, "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"status\"}", "\"id\":\"x\"", "\"state\":\"loading\"");
	close(client);
}

Test(server, without_an_appliance_it_is_loading)
{
	const int client = greeted();

	answers(client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ue.show\",\"params\":{\"identity\":\"00101\"}}", "-32007",
		"loading");
	/* Who watches is told how far it is. */
	answers(client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"metrics\"}", "\"state\":\"loading\"", "\"to_load\":0");
	close(client);
}

Test(server, a_line_has_a_limit)
{
	char *line = malloc(FAN_CONTROL_LINE_BYTES_MAX + 2);

	for (unsigned extra = 0; extra < 2; extra++) {
		const int client = greeted();

		memset(line, ' ', FAN_CONTROL_LINE_BYTES_MAX + 1);
		memcpy(line, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}", 42);
		line[FAN_CONTROL_LINE_BYTES_MAX - 1 + extra] = '\n';
		line[FAN_CONTROL_LINE_BYTES_MAX + extra] = '\0';
		put(client, line);
		cr_assert_eq(get(client), extra == 1);
		SAYS(extra == 1 ? "a line of more than 65536 octets" : "\"state\"");
		close(client);
	}
	free(line);
}

Test(server, half_a_line_costs_its_client_alone)
{
	const int slow = greeted(), client = greeted();

	put(slow, "{\"jsonrpc\"");
	answers(client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}", "\"id\":1", "loading");
	put(slow, ":\"2.0\",\"id\":2,\"method\":\"status\"}\n");
	cr_assert_not(get(slow));
	SAYS("\"id\":2");
	close(slow);
	close(client);
}

Test(server, who_does_not_read_is_cut_off)
{
	const int deaf = greeted(), client = greeted();
	static const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}\n";
	bool cut = false;

	for (unsigned i = 0; i < 100000 && !cut; i++) {
		const ssize_t n = send(deaf, line, sizeof(line) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);

		cut = n < 0 && errno != EAGAIN;
		turn(1);
	}
	cr_assert(cut, "100,000 answers wait for a client that reads none");
	answers(client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}", "\"id\":1", "loading");
	close(deaf);
	close(client);
}

Test(server, clients_have_a_limit)
{
	int clients[FAN_CONTROL_CLIENTS_MAX + 1];

	for (unsigned i = 0; i <= FAN_CONTROL_CLIENTS_MAX; i++)
		clients[i] = connect_client();
	cr_assert(get(clients[FAN_CONTROL_CLIENTS_MAX]));
	SAYS("64 clients are connected");
	close(clients[0]);
	turn(2);
	clients[0] = connect_client();
	hello(clients[0]);
	for (unsigned i = 0; i <= FAN_CONTROL_CLIENTS_MAX; i++)
		close(clients[i]);
}

/* The peer of a pair is who made it. */
static int
connect_as(uid_t user)
{
	int pair[2];

	cr_assert_eq(seteuid(user), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	cr_assert_eq(seteuid(0), 0);
	(void)fan_server_adopt(server, pair[0]);
	return pair[1];
}

static void
is_refused(int client, const char *text)
{
	cr_assert(get(client), "%s", said);
	SAYS("-32007");
	SAYS(text);
	close(client);
}

Test(server, others_leave_places_for_root)
{
	int clients[FAN_CONTROL_CLIENTS_MAX];
	unsigned count = 0;

	if (geteuid() != 0)
		cr_skip("root alone can become another user");
	while (count < FAN_CONTROL_CLIENTS_OF_USER_MAX)
		clients[count++] = connect_as(1);
	is_refused(connect_as(1), "16 clients of user 1 are connected");
	while (count < FAN_CONTROL_CLIENTS_MAX - FAN_CONTROL_CLIENTS_KEPT) {
		clients[count] = connect_as(2 + count / FAN_CONTROL_CLIENTS_OF_USER_MAX);
		count++;
	}
	is_refused(connect_as(9), "56 of 64 clients are connected, and the other places are kept for root");
	for (unsigned i = 0; i < count; i++) {
		cr_assert_not(get(clients[i]));
		SAYS("\"method\":\"hello\"");
	}
	while (count < FAN_CONTROL_CLIENTS_MAX)
		hello(clients[count++] = connect_client());
	is_refused(connect_client(), "64 clients are connected");
	while (count > 0)
		close(clients[--count]);
}

Test(server, notifications_get_no_answer)
{
	const int client = greeted();

	put(client, "{\"jsonrpc\":\"2.0\",\"method\":\"status\"}\n{\"jsonrpc\":\"2.0\",\"method\":\"xyzzy\"}\n");
	cr_assert_not(get(client));
	cr_assert_str_eq(said, "");
	close(client);
}

Test(server, roles_are_asked_for)
{
	struct fan_configuration configuration = { .file = NULL };
	int client;

	if (geteuid() != 0)
		cr_skip("root alone can become another user");
	cr_assert_eq(fan_server_close(server), 0);
	configuration.roles[FAN_ROLE_READ].count = 1;
	configuration.roles[FAN_ROLE_READ].at[0].id = 1;
	cr_assert_eq(fan_server_open(&server, &configuration), 0);
	/* The peer of a pair is who made it; the daemon is then another user. */
	cr_assert_eq(seteuid(1), 0);
	client = connect_client();
	cr_assert_eq(seteuid(0), 0);
	put(client, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"hello\",\"params\":{\"version\":1}}\n");
	cr_assert_not(get(client));
	SAYS("\"roles\":[\"read\"]");
	answers(client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}", "\"id\":1", "loading");
	answers(client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"stop\"}", "-32098",
		"stop needs the role provision, which user 1 has not");
	answers(client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"send\"}", "-32098", "send needs the role send");
	answers(client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ack\"}", "-32098", "ack needs the role lease");
	close(client);
}

/* ---- With an appliance ------------------------------------------------------------------------------------------------- */

static void
open_appliance(void)
{
	struct fan_options options;

	fan_options_init(&options);
	options.egress = "net_null";
	open_server();
	cr_assert_eq(fan_open(&appliance, &options), 0, "%s", fan_error_detail());
	fan_server_take_appliance(server, appliance);
}

TestSuite(server_methods, .init = open_appliance, .fini = close_server, .timeout = 60);

/* Sends a line with so many descriptors, each a copy of one. */
static void
put_with(int client, const char *line, int descriptor, unsigned count)
{
	union {
		struct cmsghdr header;
		char octets[CMSG_SPACE(4 * sizeof(int))];
	} control = { .octets = { 0 } };
	char copy[512];
	struct iovec piece = { .iov_base = copy, .iov_len = (size_t)snprintf(copy, sizeof(copy), "%s\n", line) };
	struct msghdr message = {
		.msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(count * sizeof(int))
	};

	control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(count * sizeof(int)),
					   .cmsg_level = SOL_SOCKET,
					   .cmsg_type = SCM_RIGHTS };
	for (unsigned i = 0; i < count; i++)
		memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &descriptor, sizeof(int));
	cr_assert_gt(sendmsg(client, &message, MSG_NOSIGNAL), 0);
	turn(2);
}

#define IMPORT "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ue.import\",\"params\":{\"format\":\"jsonl\"}}"

static int
file_of(const char *text)
{
	const int file = memfd_create("test", MFD_CLOEXEC);

	cr_assert_eq(write(file, text, strlen(text)), (ssize_t)strlen(text));
	return file;
}

Test(server_methods, bad_descriptors)
{
	const int client = greeted();
	int pipe_ends[2];
	int file = file_of("x");

	answers(client, IMPORT, "-32001", "a descriptor of a file must come with this request");
	cr_assert_eq(pipe(pipe_ends), 0);
	put_with(client, IMPORT, pipe_ends[0], 3);
	cr_assert_not(get(client));
	SAYS("not that of a regular file");
	cr_assert_eq(ftruncate(file, IMPORT_BYTES_MAX + 1), 0);
	put_with(client, IMPORT, file, 1);
	cr_assert_not(get(client));
	SAYS("the file has 67108865 octets, and [limits] import_bytes is " TEXT(IMPORT_BYTES_MAX));
	close(file);
	file = open("/dev/null", O_WRONLY);
	put_with(client, IMPORT, file, 1);
	cr_assert_not(get(client));
	SAYS("not that of a regular file");
	close(file);
	file = open("/proc/self/exe", O_PATH);
	put_with(client, IMPORT, file, 1);
	cr_assert_not(get(client));
	SAYS("the descriptor is not open for reading");
	close(file);
	file = open("/tmp", O_TMPFILE | O_WRONLY, 0600);
	put_with(client, IMPORT, file, 1);
	cr_assert_not(get(client));
	SAYS("the descriptor is not open for reading");
	close(file);
	file = file_of("x\n");
	put_with(client, IMPORT, file, 3);
	cr_assert_not(get(client));
	SAYS("line 1: no JSON object");
	/* Each was closed: nobody else has the pipe. */
	close(pipe_ends[0]);
	signal(SIGPIPE, SIG_IGN);
	cr_assert_lt(write(pipe_ends[1], "x", 1), 0);
	close(pipe_ends[1]);
	close(file);
	close(client);
}

#define RESULTS "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"message.results\",\"params\":{\"id\":1}}"

/* Results go to memory alone, which neither waits nor fills a disk. */
Test(server_methods, files_that_results_are_not_written_to)
{
	const int client = greeted(), sealed = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char path[64];
	const int files[] = { open("/tmp", O_TMPFILE | O_RDWR, 0600), open("/dev/shm", O_TMPFILE | O_RDWR, 0600), file_of("") };
	int read_only;

	answers(client, RESULTS, "-32001", "a descriptor of a file must come with this request");
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		cr_assert_geq(files[i], 0);
		put_with(client, RESULTS, files[i], 1);
		cr_assert_not(get(client));
		SAYS("the descriptor is not that of memfd_create() with MFD_ALLOW_SEALING");
		close(files[i]);
	}
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", sealed);
	read_only = open(path, O_RDONLY);
	put_with(client, RESULTS, read_only, 1);
	cr_assert_not(get(client));
	SAYS("the descriptor is not open for writing");
	put_with(client, RESULTS, sealed, 1);
	cr_assert_not(get(client));
	SAYS("no message 1: it was never accepted");
	SAYS("\"exit\":1");
	cr_assert_eq(lseek(sealed, 0, SEEK_END), 0);
	close(read_only);
	close(sealed);
	close(client);
}

#define ASK(method, params) "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" method "\",\"params\":" params "}"

#define SKIP ASK("ue.import", "{\"format\":\"jsonl\",\"on_error\":\"skip\"}")

/* A line, one octet too long, one much too long, and another. */
Test(server_methods, what_is_too_long_is_one_line)
{
	static char text[3 * FAN_CONTROL_FILE_LINE_BYTES_MAX * 5];
	const int client = greeted();
	int file;

	(void)snprintf(text, sizeof(text), "%0*d\n%0*d\n%0*d\nx\n", FAN_CONTROL_FILE_LINE_BYTES_MAX, 0,
		       FAN_CONTROL_FILE_LINE_BYTES_MAX + 1, 0, 4 * FAN_CONTROL_FILE_LINE_BYTES_MAX, 0);
	file = file_of(text);
	put_with(client, SKIP, file, 1);
	cr_assert_not(get(client));
	SAYS("\"error_count\":4");
	SAYS("{\"line\":1,\"field\":\"\",\"why\":\"no JSON object");
	SAYS("{\"line\":2,\"field\":\"\",\"why\":\"longer than 65536 octets\"}");
	SAYS("{\"line\":3,\"field\":\"\",\"why\":\"longer than 65536 octets\"}");
	SAYS("{\"line\":4,\"field\":\"\",\"why\":\"no JSON object");
	close(file);
	close(client);
}

Test(server_methods, a_line_without_end_keeps_nobody_waiting)
{
	const int client = greeted(), file = file_of("");
	ssize_t n;

	cr_assert_eq(ftruncate(file, IMPORT_BYTES_MAX), 0);
	put_with(client, SKIP, file, 1);
	turn(4);
	/* On a busy machine there is progress to tell of meanwhile. */
	n = recv(client, said, READ_BYTES - 1, MSG_DONTWAIT);
	said[n > 0 ? n : 0] = '\0';
	cr_assert_null(strstr(said, "error_count"), "all of it was read in six turns");
	cr_assert_not(get(client));
	SAYS("\"error_count\":1");
	put_with(client, IMPORT, file, 1);
	cr_assert_gt(recv(client, said, READ_BYTES, MSG_DONTWAIT), 0, "it is read on behind its limit");
	SAYS("line 1: longer than 65536 octets");
	close(file);
	close(client);
}

/* What one request does not take is not the next one's. */
Test(server_methods, a_descriptor_is_of_its_line_alone)
{
	static const struct {
		const char *line, *text;
	} cases[] = {
		{ ASK("ue.import", "{\"on_error\":\"halt\"}"), "takes stop or skip" },
		{ ASK("ue.import", "{\"bogus\":1}"), "no such parameter" },
		{ ASK("status", "{}"), "\"state\":\"ready\"" },
		{ ASK("xyzzy", "{}"), "no such method" },
		{ ASK("group.add", "{\"gid\":\"a@b.org\"}"), "no group is named" },
		{ ASK("group.add", "{\"gid\":\"c@b.org\",\"identities\":[\"00101\"]}"), "no UE has this identity" },
		{ ASK("status", "{}") "\n" ASK("status", "{}"), "\"state\":\"ready\"" },
		{ "{", "no JSON" },
		{ "[]", "a request is an object" },
	};
	const int client = greeted(), wrong = file_of("wrong\n"), right = file_of("\nright\n");

	answers(client, ASK("group.create", "{\"gid\":\"c@b.org\"}"), "result", "c@b.org");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_with(client, cases[i].line, wrong, 1);
		cr_assert_not(get(client));
		SAYS(cases[i].text);
		answers(client, IMPORT, "-32001", "a descriptor of a file must come");
		put_with(client, cases[i].line, wrong, 1);
		put_with(client, SKIP, right, 1);
		cr_assert_not(get(client));
		SAYS("\"skipped\":2");
	}
	close(wrong);
	close(right);
	close(client);
}

/* Lines that wait together in the socket; the descriptor came with the second. */
Test(server_methods, a_descriptor_passes_earlier_lines_by)
{
	const int client = greeted(), file = file_of("x\n");

	cr_assert_gt(send(client, IMPORT "\n", sizeof(IMPORT), MSG_NOSIGNAL), 0);
	put_with(client, IMPORT, file, 1);
	cr_assert_not(get(client));
	SAYS("a descriptor of a file must come");
	cr_assert_not_null(strstr(strchr(said, '\n'), "line 1: no JSON object"), "%s", said);
	close(file);
	close(client);
}

Test(server_methods, unknown_and_wrong_params)
{
	static const struct {
		const char *method, *params, *text;
	} cases[] = {
		{ "send", "{\"gid\":\"a@b.org\",\"text\":\"x\",\"prioriy\":1}",
		  "prioriy: no such parameter, did you mean priority?" },
		{ "send", "{\"gid\":\"a@b.org\",\"text\":\"x\",\"priority\":8}", "priority: takes a whole number from 0 to 7" },
		{ "send", "{\"gid\":\"a@b.org\",\"text\":\"x\",\"priority\":\"1\"}", "priority: takes a whole number" },
		{ "send", "{\"gid\":\"a@b.org\",\"text\":\"x\",\"raw\":1}", "raw: takes true or false" },
		{ "send", "{\"gid\":\"a@b.org\",\"text\":7}", "text: takes a text of 1 to" },
		{ "send", "{\"text\":\"x\"}", "gid or identity (of one UE): give one of the two" },
		{ "send", "{\"gid\":\"a@b.org\",\"identity\":\"00101\",\"text\":\"x\"}", "give one of the two" },
		{ "send", "{\"gid\":\"a@b.org\",\"profile\":\"eps-nas-sms\",\"text\":\"x\"}", "profile: goes with identity" },
		{ "send", "{\"identity\":\"00101\",\"profile\":\"eps\",\"text\":\"x\"}",
		  "profile eps: there is none of this name" },
		{ "send", "{\"identity\":\"0010\",\"text\":\"x\"}", "identity: takes a text of 5 to 127 octets" },
		{ "send", "{\"identity\":\"00101\",\"text\":\"x\"}", "00101: no UE has this identity" },
		{ "send", "{\"gid\":\"a@b.org\",\"text\":\"x\",\"reference\":\"\"}",
		  "reference: takes a text of 1 to 64 octets" },
		{ "send", "{\"gid\":\"a@b.org\",\"text\":\"x\",\"reference\":7}", "reference: takes a text of 1 to 64 octets" },
		{ "message.find", "{}", "reference: is needed" },
		{ "message.find", "{\"reference\":\"order 7\"}", "no message has the reference order 7" },
		{ "send", "{\"gid\":\"a@b.org\"}", "text or message" },
		{ "send", "{\"gid\":\"a@b.org\",\"text\":\"x\",\"message\":\"eA==\"}", "give one of the two" },
		{ "send", "{\"gid\":\"a@b.org\",\"message\":\"e\"}", "message: takes octets in base64" },
		{ "send", "{\"gid\":\"a@b.org\",\"text\":\"x\",\"coding\":\"utf8\"}",
		  "coding: takes auto, gsm7, ucs2 or 8bit" },
		{ "send", "{\"gid\":\"a@b.org\",\"text\":\"x\",\"source_ipv4\":\"1.2.3.999\"}",
		  "source_ipv4: takes an IPv4 address" },
		{ "send", "{\"gid\":\"a@b.org\",\"text\":\"x\"}", "no group is named a@b.org" },
		{ "ue.show", "{\"identity\":\"1234\"}", "identity: takes a text of 5 to 127 octets" },
		{ "ue.list", "{\"limit\":501}", "limit: takes a whole number from 1 to 500" },
		{ "ue.import", "{\"format\":\"xml\"}", "format: takes csv, jsonl or ue-context" },
		{ "ue.import", "{\"on_error\":\"halt\"}", "on_error: takes stop or skip" },
		{ "ue.reachable", "{\"identity\":\"00101\"}", "reachable: is needed" },
		{ "group.add", "{\"gid\":\"a@b.org\",\"identities\":[]}", "identities: takes an array of 1 to 500 texts" },
		{ "group.add", "{\"gid\":\"a@b.org\",\"identities\":[7]}", "identities: takes an array of 1 to 500 texts" },
		{ "lease", "{\"context\":7}", "context: takes an object" },
		{ "lease", "{\"context\":{\"identity\":\"00101\",\"profile\":\"x\"}}", "context: profile: no such profile" },
		{ "lease", "{\"context\":{\"profile\":\"x\"}}", "context: imsi: 6 to 15 digits" },
		{ "lease", "{\"identity\":\"00101\",\"context\":{}}", "give one of the two" },
		{ "ack", "{\"identity\":\"00101\"}", "takes identity, kind and count" },
		{ "message.show", "{\"id\":0}", "id: takes a whole number from 1" },
		{ "message.results", "{\"id\":1,\"limit\":65537}", "limit: takes a whole number from 1 to 65536" },
		{ "message.results", "{\"id\":1,\"from\":-1}", "from: takes a whole number from 0" },
		{ "message.not_served", "{\"id\":1,\"reason\":\"x\"}", "reason x: there is none" },
		{ "stop", "{\"cancel\":\"yes\"}", "cancel: takes true or false" },
		{ "reload", "{}", "there is no configuration file" },
	};
	const int client = greeted();
	char line[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}",
			       cases[i].method, cases[i].params);
		answers(client, line, "\"error\"", cases[i].text);
	}
	close(client);
}

Test(server_methods, a_group_is_made_and_deleted)
{
	const int client = greeted();

	answers(client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"group.create\",\"params\":{\"gid\":\"a@b.org\"}}", "result",
		"\"members\":0");
	answers(client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"group.create\",\"params\":{\"gid\":\"a@b.org\"}}", "-32005",
		"exists");
	answers(client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"send\",\"params\":{\"gid\":\"a@b.org\",\"text\":\"x\"}}",
		"-32001", "has no member");
	answers(client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"group.delete\",\"params\":{\"gid\":\"a@b.org\"}}", "result",
		"{}");
	answers(client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"group.delete\",\"params\":{\"gid\":\"a@b.org\"}}", "-32006",
		"no group is named");
	close(client);
}

#define UE_LINE                                                                                                                \
	"{\"identity\":\"m%u@x.org\",\"profile\":\"nr-pdcp-18\",\"cipher\":2,\"integrity\":2,"                                 \
	"\"k_enc\":\"%032x\",\"k_int\":\"00112233445566778899aabbccddeeff\",\"count\":7,\"bearer\":3,\"teid\":9,"              \
	"\"next_hop\":\"198.51.100.7\",\"ue_ip\":\"10.0.0.9\",\"group\":\"a@b.org\"}\n"

/* So many UEs as lines, the last without a next hop that is known when `bad`. */
static int
file_of_ues(unsigned count, bool bad)
{
	static char all[16384];
	char line[512];

	all[0] = '\0';
	for (unsigned i = 0; i < count; i++) {
		(void)snprintf(line, sizeof(line), UE_LINE, i, i);
		strncat(all, line, sizeof(all) - strlen(all) - 1);
	}
	if (bad)
		strncat(all, "{\"identity\":\"m@x.org\"}\n", sizeof(all) - strlen(all) - 1);
	return file_of(all);
}

Test(server_methods, an_import_without_ethernet_addresses_is_refused)
{
	const int client = greeted(), file = file_of_ues(2, false);

	put_with(client, IMPORT, file, 1);
	cr_assert_not(get(client));
	SAYS("line 1: 198.51.100.7 has no Ethernet address");
	close(file);
	close(client);
}

Test(server_methods, a_client_that_leaves_takes_its_import_along)
{
	int client = greeted();
	const int file = file_of_ues(20, false);

	put_with(client, IMPORT, file, 1);
	close(client);
	turn(3);
	client = greeted();
	answers(client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}", "\"state\":\"ready\"", "\"ues\":0");
	close(file);
	close(client);
}

/* Begins with a file that takes 200 turns and changes nothing. */
static void
begin_long(int client, const char *line)
{
	static char lines[800001];
	int file;

	for (size_t i = 0; i + 1 < sizeof(lines); i += 2)
		memcpy(lines + i, "x\n", 2);
	file = file_of(lines);
	put_with(client, line, file, 1);
	close(file);
}

static void
begin_long_import(int client)
{
	begin_long(client, SKIP);
}

#define CREATE ASK("group.create", "{\"gid\":\"a@b.org\"}")
#define SKIPPED "\"skipped\":400000"

static void
says_nothing(int client)
{
	cr_assert_not(get(client));
	cr_assert_null(strstr(said, "\"id\""), "%s", said);
}

/* Reads on until it has come. */
static void
says_at_last(int client, const char *text)
{
	bool closed = false;

	said[0] = '\0';
	for (unsigned i = 0; i < 20 && !closed && strstr(said, text) == NULL; i++)
		closed = get(client);
	SAYS(text);
}

Test(server_methods, changes_wait_for_an_import)
{
	const int importer = greeted(), maker = greeted(), looker = greeted();

	begin_long_import(importer);
	put(maker, CREATE "\n" ASK("status", "{}") "\n");
	says_nothing(maker);
	answers(looker, ASK("status", "{}"), "result", "\"groups\":0");
	says_at_last(importer, SKIPPED);
	cr_assert_not(get(maker));
	SAYS("\"members\":0");
	SAYS("\"groups\":1");
	close(importer);
	close(maker);
	close(looker);
}

/* With more next hops than are told one by one the answer has its limit, and none is forgotten. */
Test(server_methods, metrics_are_bounded)
{
	const int client = greeted();
	struct fan_next_hop hop;

	fan_next_hop_init(&hop);
	for (unsigned i = 0; i < 1500; i++) {
		hop.address[0] = 10;
		hop.address[2] = (uint8_t)(i >> 8);
		hop.address[3] = (uint8_t)i;
		cr_assert_eq(fan_next_hop_add(appliance, &hop), (int)i);
	}
	answers(client, ASK("metrics", "{}"), "\"next_hop_count\":1500",
		"{\"address\":\"10.0.3.255\",\"sent\":0,\"put_off\":0,\"waiting\":0,\"stopped\":false}]");
	cr_assert_lt(strlen(said), 200000);
	cr_assert_null(strstr(said, "10.0.4.0"));
	answers(client, ASK("metrics", "{\"all\":true}"), "-32602", "all");
	close(client);
}

Test(server_methods, lines_wait_in_the_order_of_coming)
{
	const int late = greeted(), early = greeted(), importer = greeted();

	begin_long_import(importer);
	put(early, CREATE "\n");
	put(late, ASK("group.delete", "{\"gid\":\"a@b.org\"}") "\n");
	put(importer, CREATE "\n");
	says_nothing(late);
	says_at_last(late, "\"result\":{}");
	cr_assert_not(get(early));
	SAYS("\"members\":0");
	cr_assert_not(get(importer));
	SAYS(SKIPPED);
	SAYS("\"members\":0");
	close(late);
	close(early);
	close(importer);
}

Test(server_methods, an_import_waits_for_another_with_its_own_file)
{
	const int first = greeted(), second = greeted(), file = file_of("x\n");

	begin_long_import(first);
	put_with(second, IMPORT, file, 1);
	put_with(first, ASK("ack", "{}"), file, 1);
	says_nothing(second);
	says_at_last(second, "line 1: no JSON object");
	cr_assert_not(get(first));
	SAYS(SKIPPED);
	SAYS("\"acknowledged\":0");
	close(file);
	close(first);
	close(second);
}

/* In its batch they could change nothing. */
Test(server_methods, an_import_waits_for_other_files)
{
	const int client = greeted(), importer = greeted(), file = file_of("x\n");

	begin_long(client, ASK("ack", "{}"));
	put_with(importer, IMPORT, file, 1);
	answers(client, CREATE, "result", "\"members\":0");
	says_nothing(importer);
	says_at_last(importer, "line 1: no JSON object");
	cr_assert_not(get(client));
	SAYS("\"error_count\":400000");
	close(file);
	close(client);
	close(importer);
}

Test(server_methods, who_leaves_while_it_waits_takes_its_lines_along)
{
	const int importer = greeted(), maker = greeted();

	begin_long_import(importer);
	put(maker, CREATE "\n");
	close(maker);
	says_at_last(importer, SKIPPED);
	answers(importer, ASK("status", "{}"), "result", "\"groups\":0");
	close(importer);
}

/* Without a further turn. */
static void
has_come(int client, const char *text)
{
	const ssize_t got = recv(client, said, READ_BYTES - 1, MSG_DONTWAIT);

	said[got > 0 ? got : 0] = '\0';
	SAYS(text);
}

Test(server_methods, stop_does_not_wait_and_those_who_do_are_answered)
{
	const int importer = greeted(), maker = greeted(), other = greeted(), stopper = greeted(), file = file_of("x\n");

	begin_long_import(importer);
	put(maker, CREATE "\n");
	put_with(other, IMPORT, file, 1);
	cr_assert_gt(send(stopper, ASK("stop", "{}") "\n", sizeof(ASK("stop", "{}")), MSG_NOSIGNAL), 0);
	while (fan_server_turn(server, 0))
		continue;
	has_come(importer, "draining: the file in work was given up");
	has_come(maker, "\"members\":0");
	has_come(other, "draining: no further file is taken up");
	close(importer);
	close(maker);
	close(other);
	close(stopper);
	close(file);
}

Test(server_methods, stop_drains)
{
	const int client = greeted();

	put(client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"stop\"}\n");
	cr_assert_not(fan_server_turn(server, 0));
	cr_assert_not(get(client));
	SAYS("\"state\":\"draining\"");
	close(client);
}
