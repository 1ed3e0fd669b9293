/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "station.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TURN_MS 50
#define ANSWER_S 10
#define SENT_MAX 4096

static struct {
	const struct station *station;
	uint8_t kek[FAN_GROUP_SHARED_KEK_BYTES];
	char realm[64];
	struct fan_diameter_settings settings;
	struct fan_node_peer peers[FAN_DIAMETER_PEERS_MAX];
	struct fan_node_options options;
	struct fan_keys_dictionary dictionary;
	char sent[SENT_MAX][64]; /* what was asked, by number */
	uint64_t sent_count;
	uint64_t arrived; /* bit i: of peers[i], and that was not said */
} self;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER, output = PTHREAD_MUTEX_INITIALIZER;

void
station_lock(void)
{
	(void)pthread_mutex_lock(&lock);
}

void
station_unlock(void)
{
	(void)pthread_mutex_unlock(&lock);
}

const uint8_t *
station_kek(void)
{
	return self.kek;
}

const struct fan_keys_dictionary *
station_dictionary(void)
{
	return &self.dictionary;
}

void
station_say(const char *format, ...)
{
	va_list arguments;

	(void)pthread_mutex_lock(&output);
	va_start(arguments, format);
	(void)vprintf(format, arguments);
	va_end(arguments);
	(void)fputc('\n', stdout);
	(void)fflush(stdout);
	(void)pthread_mutex_unlock(&output);
}

int
station_answer(struct msg **message, uint32_t application, const char *code, struct avp *failed)
{
	struct msg *answer;
	const bool good = fan_node_answer_begin(&answer, *message,
						strcmp(code, "DIAMETER_TOO_BUSY") == 0 ? MSGFL_ANSW_ERROR : 0, code, NULL,
						failed);

	*message = NULL;
	fan_node_answer(answer, good && fan_avp_add_session_state(answer, application));
	return 0;
}

struct msg *
station_request(struct dict_object *request, uint32_t application, const char *host)
{
	return fan_node_request_begin(request, application, self.realm, host);
}

static void
on_answer(uint64_t number, struct msg *answer)
{
	station_say("%s: %s result %u", self.station->name, self.sent[number % SENT_MAX],
		    answer != NULL ? fan_avp_result(answer) : 0);
}

void
station_send(struct msg *request, const char *what)
{
	const uint64_t number = __atomic_fetch_add(&self.sent_count, 1, __ATOMIC_RELAXED);

	(void)snprintf(self.sent[number % SENT_MAX], sizeof(self.sent[0]), "%s", what);
	if (request == NULL || fan_node_send(request, ANSWER_S, on_answer, number) != 0)
		station_say("%s: %s cannot go", self.station->name, what);
}

static void
arrived(unsigned peer)
{
	(void)__atomic_fetch_or(&self.arrived, UINT64_C(1) << peer, __ATOMIC_RELAXED);
}

/* Who has come can be sent to a moment later. */
static void
greet(void)
{
	for (unsigned i = 0; i < self.options.peer_count; i++) {
		const uint64_t bit = UINT64_C(1) << i;

		if ((__atomic_load_n(&self.arrived, __ATOMIC_RELAXED) & bit) == 0 || !fan_node_is_open(i))
			continue;
		(void)__atomic_fetch_and(&self.arrived, ~bit, __ATOMIC_RELAXED);
		station_say("%s: %s has come", self.station->name, self.peers[i].host);
	}
}

/* HOST or HOST@PORT. */
static void
add_peer(char *text)
{
	struct fan_node_peer *peer = &self.peers[self.options.peer_count++];
	char *at = strchr(text, '@');

	if (at != NULL)
		*at = '\0';
	*peer = (struct fan_node_peer){ .label = text,
					.host = text,
					.realm = self.realm,
					.connect = at != NULL ? "127.0.0.1" : NULL,
					.connect_port = at != NULL ? (uint16_t)atoi(at + 1) : 0,
					.plain = self.settings.tls_port == 0 };
}

static void
take_tls(void)
{
	static char files[1024];
	const char *given = getenv("STATION_TLS");
	char *rest = files;

	if (given == NULL)
		return;
	(void)snprintf(files, sizeof(files), "%s", given);
	self.settings.certificate = strsep(&rest, " ");
	self.settings.key = strsep(&rest, " ");
	self.settings.authority = rest;
	self.settings.tls_port = self.settings.port;
	self.settings.port = 0;
}

static bool
read_kek(const char *path)
{
	FILE *file = fopen(path, "re");
	const bool good = file != NULL && fread(self.kek, 1, sizeof(self.kek), file) == sizeof(self.kek);

	if (file != NULL)
		(void)fclose(file);
	return good;
}

static void
carry_out(char *line)
{
	static char none[] = "";
	char *words[4] = { none, none, none, none }, *rest = line;

	line[strcspn(line, "\n")] = '\0';
	for (unsigned i = 0; i < 4 && rest != NULL; i++)
		words[i] = strsep(&rest, " ");
	if (!self.station->command(words))
		station_say("%s: no such command: %s", self.station->name, words[0]);
}

static void
work(void)
{
	char line[4096];
	struct pollfd place = { .fd = STDIN_FILENO, .events = POLLIN };

	for (;;) {
		if (poll(&place, 1, TURN_MS) > 0) {
			if (fgets(line, sizeof(line), stdin) == NULL)
				return;
			carry_out(line);
		}
		greet();
		fan_node_turn();
	}
}

int
station_main(const struct station *station, int argc, char **argv)
{
	static char loopback[] = "127.0.0.1";
	struct dict_object *vendor;
	int error;

	if (argc < 5 || !read_kek(argv[3])) {
		(void)fprintf(stderr, "usage: %s IDENTITY PORT KEK PEER...\n", station->name);
		return 2;
	}
	setvbuf(stdin, NULL, _IONBF, 0); /* poll(2) must see what fgets(3) would hold */
	(void)signal(SIGPIPE, SIG_IGN);
	self.station = station;
	(void)snprintf(self.realm, sizeof(self.realm), "%s", fan_diameter_realm(argv[1]));
	self.settings = (struct fan_diameter_settings){
		.identity = argv[1], .realm = self.realm, .listen = loopback, .port = (uint64_t)atoi(argv[2])
	};
	take_tls();
	for (int i = 4; i < argc; i++)
		add_peer(argv[i]);
	self.options.file = self.options.section = station->name;
	self.options.word = "peer";
	self.options.settings = &self.settings;
	self.options.peers = self.peers;
	self.options.reconnect_s = 1;
	self.options.arrived = arrived;
	error = fan_node_begin(&self.options, &vendor);
	if (error == 0 && !fan_keys_dictionary_fill(&self.dictionary, vendor))
		error = fan_fail(FAN_E_IO, "no dictionary");
	if (error == 0)
		error = station->offer(&self.dictionary, vendor);
	if (error == 0)
		error = fan_node_listen();
	if (error != 0) {
		(void)fprintf(stderr, "%s: %s\n", station->name, fan_error_detail());
	} else {
		station_say("%s: ready", station->name);
		work();
	}
	fan_node_quiet();
	fan_node_end();
	return error != 0;
}
