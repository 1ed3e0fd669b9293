/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "../../dataplane/context/clock.h"
#include "daemon.h"
#include "job.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#define LOOK_MS 500
#define TICK_MS 100 /* fan_poll() runs so often at the least */
#define TURN_EVENTS_MAX 128
#define LINES_A_TURN 64       /* of one client, so that others have theirs */
#define CLIENT_TURN_NS 100000 /* after which it takes no further one */
#define WAITING_TURN_NS                                                                                                        \
	200000 /* after which no further client takes what waits from earlier turns: whoever comes now is next */

/* What epoll names besides clients, by whose places it names those. */
enum source {
	SOURCE_LISTENER = FAN_CONTROL_CLIENTS_MAX,
	SOURCE_SIGNALS,
	SOURCE_TIMER,
	SOURCE_WAKE,
	SOURCE_APPLIANCE,
	SOURCE_RELAY, /* of the first radio; the others behind it */
};

static int
failed(const char *what)
{
	return fan_fail(FAN_E_IO, "%s: %s", what, strerror(errno));
}

/* ---- The socket -------------------------------------------------------------------------------------------------------- */

static int
watch(const struct fan_server *server, int descriptor, unsigned source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.u32 = source };

	return epoll_ctl(server->epoll, EPOLL_CTL_ADD, descriptor, &event) == 0 ? 0 : failed("epoll");
}

/* A name that nobody answers behind is left from a daemon that was killed. */
static int
free_name(const struct sockaddr_un *name)
{
	const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat found;
	int error = 0;

	if (probe < 0)
		return failed("a socket");
	if (connect(probe, (const struct sockaddr *)name, sizeof(*name)) == 0)
		error = fan_fail(FAN_E_EXISTS, "%s: another daemon answers there: stop it, or name another [serve] socket",
				 name->sun_path);
	else if (lstat(name->sun_path, &found) == 0 && S_ISSOCK(found.st_mode) && unlink(name->sun_path) != 0)
		error = failed(name->sun_path);
	(void)close(probe);
	return error;
}

static int
bind_name(struct fan_server *server, const struct sockaddr_un *name)
{
	const mode_t mode = (mode_t)server->configuration.serve.socket_mode;
	const mode_t mask = umask(0777 & ~mode);

	server->bound = bind(server->listener, (const struct sockaddr *)name, sizeof(*name)) == 0;
	(void)umask(mask);
	if (!server->bound || listen(server->listener, FAN_CONTROL_CLIENTS_MAX) != 0)
		return failed(name->sun_path);
	return 0;
}

static int
listen_there(struct fan_server *server)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	const char *path = server->configuration.serve.socket;
	int error;

	if (path == NULL)
		return 0;
	if (strlen(path) >= sizeof(name.sun_path))
		return fan_fail(FAN_E_INVALID, "[serve] socket %s: longer than %zu octets", path, sizeof(name.sun_path) - 1);
	memcpy(name.sun_path, path, strlen(path) + 1);
	error = free_name(&name);
	if (error != 0)
		return error;
	server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (server->listener < 0)
		return failed("a socket");
	error = bind_name(server, &name);
	return error != 0 ? error : watch(server, server->listener, SOURCE_LISTENER, EPOLLIN);
}

/* ---- Opening and closing ----------------------------------------------------------------------------------------------- */

static int
open_sources(struct fan_server *server)
{
	const struct itimerspec tick = { .it_interval.tv_nsec = TICK_MS * 1000000L, .it_value.tv_nsec = TICK_MS * 1000000L };
	int error;

	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	server->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	server->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (server->epoll < 0 || server->timer < 0 || server->wake < 0 || timerfd_settime(server->timer, 0, &tick, NULL) != 0)
		return failed("the control loop");
	error = watch(server, server->timer, SOURCE_TIMER, EPOLLIN);
	return error != 0 ? error : watch(server, server->wake, SOURCE_WAKE, EPOLLIN);
}

int
fan_server_open(struct fan_server **out, struct fan_configuration *configuration)
{
	struct fan_server *server = calloc(1, sizeof(*server));
	int error;

	*out = server;
	if (server == NULL) {
		fan_configuration_free(configuration);
		return fan_fail(FAN_E_MEMORY, "no memory for the control socket");
	}
	server->configuration = *configuration;
	*configuration = (struct fan_configuration){ .file = NULL };
	server->audit.sink.journal = server->listener = server->epoll = server->signals = server->timer = server->wake = -1;
	server->started_ms = server->now_ms = fan_clock_ms(CLOCK_MONOTONIC);
	for (unsigned radio = 0; radio < FAN_RADIO_COUNT; radio++)
		server->relays.socket[radio] = -1;
	for (unsigned i = 0; i < FAN_CONTROL_CLIENTS_MAX; i++)
		server->clients[i].socket = server->clients[i].descriptor = server->clients[i].coming = -1;
	fan_notify_open(&server->supervision.notify);
	error = fan_audit_open(&server->audit,
			       server->configuration.serve.audit != NULL ? server->configuration.serve.audit : "no");
	if (error == 0)
		error = open_sources(server);
	if (error == 0)
		error = listen_there(server);
	if (error != 0) {
		(void)fan_server_close(server);
		*out = NULL;
	}
	return error;
}

static void
drop_client(struct fan_server *server, struct fan_client *client)
{
	fan_job_abandon(server, client);
	fan_client_close(client);
}

static void
close_descriptor(int descriptor)
{
	if (descriptor >= 0)
		(void)close(descriptor);
}

int
fan_server_close(struct fan_server *server)
{
	char detail[FAN_ERROR_BYTES];
	int error;

	if (server == NULL)
		return 0;
	/* What brought it here is still to be told. */
	(void)snprintf(detail, sizeof(detail), "%s", fan_error_detail());
	for (unsigned i = 0; i < FAN_CONTROL_CLIENTS_MAX; i++)
		if (server->clients[i].socket >= 0)
			drop_client(server, &server->clients[i]);
	if (server->bound)
		(void)unlink(server->configuration.serve.socket);
	close_descriptor(server->listener);
	close_descriptor(server->epoll);
	close_descriptor(server->signals);
	close_descriptor(server->timer);
	close_descriptor(server->wake);
	fan_notify_close(&server->supervision.notify);
	fan_hops_forget(server);
	free(server->hop_words);
	error = fan_close(server->fanfare);
	fan_relays_close(server);
	for (unsigned i = 0; i < server->send_count; i++)
		fan_ticket_drop(server, &server->sends[i].ticket);
	free(server->sends);
	fan_audit_close(&server->audit);
	fan_configuration_free(&server->configuration);
	free(server);
	if (error == 0)
		fan_error_record("%s", detail);
	return error;
}

/* ---- Clients ----------------------------------------------------------------------------------------------------------- */

static struct fan_client *
free_place(struct fan_server *server)
{
	for (unsigned i = 0; i < FAN_CONTROL_CLIENTS_MAX; i++)
		if (server->clients[i].socket < 0)
			return &server->clients[i];
	return NULL;
}

/* Says what was recorded, in one line, which a new socket's buffer always takes. */
static void
turn_away(int socket)
{
	char line[2 * FAN_ERROR_BYTES + 128];
	json_t *object = json_pack("{s:s, s:n, s:o}", "jsonrpc", "2.0", "id", "error",
				   fan_control_error(FAN_CONTROL_FAILED + FAN_E_BUSY, fan_error_detail(), 1));
	const size_t line_bytes = json_dumpb(object, line, sizeof(line) - 1, JSON_COMPACT);

	if (line_bytes > 0 && line_bytes < sizeof(line)) {
		line[line_bytes] = '\n';
		(void)send(socket, line, line_bytes + 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	json_decref(object);
}

/* Whether a client may have the place that it is in: nobody else locks out root and the user who runs this. */
static int
check_place(const struct fan_server *server, const struct fan_client *client)
{
	unsigned all = 0, of_user = 0;

	if (client->user == 0 || client->user == geteuid())
		return 0;
	for (unsigned i = 0; i < FAN_CONTROL_CLIENTS_MAX; i++) {
		all += server->clients[i].socket >= 0;
		of_user += server->clients[i].socket >= 0 && server->clients[i].user == client->user;
	}
	if (of_user > FAN_CONTROL_CLIENTS_OF_USER_MAX)
		return fan_fail(FAN_E_BUSY, "%d clients of user %u are connected, as many as one may have",
				FAN_CONTROL_CLIENTS_OF_USER_MAX, client->user);
	if (all > FAN_CONTROL_CLIENTS_MAX - FAN_CONTROL_CLIENTS_KEPT)
		return fan_fail(FAN_E_BUSY,
				"%d of %d clients are connected, and the other places are kept for root: try again later",
				all - 1, FAN_CONTROL_CLIENTS_MAX);
	return 0;
}

int
fan_server_adopt(struct fan_server *server, int socket)
{
	struct fan_client *client = free_place(server);
	int error;

	if (client == NULL) {
		error = fan_fail(FAN_E_BUSY, "%d clients are connected: try again later", FAN_CONTROL_CLIENTS_MAX);
		turn_away(socket);
		(void)close(socket);
		return error;
	}
	error = fan_client_open(client, socket, server->now_ms);
	if (error != 0)
		return error;
	error = check_place(server, client);
	if (error != 0)
		turn_away(socket);
	else
		error = watch(server, socket, (unsigned)(client - server->clients), EPOLLIN);
	if (error != 0)
		fan_client_close(client);
	else
		fan_dispatch_hello(client);
	return error;
}

static void
accept_clients(struct fan_server *server)
{
	int socket;

	while ((socket = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
		(void)fan_server_adopt(server, socket);
}

static void
put_off(struct fan_server *server, struct fan_client *client, size_t line_bytes)
{
	fan_client_put_back(client, line_bytes);
	if (client->put_off == 0)
		client->put_off = ++server->put_off_count;
}

static void
take_lines(struct fan_server *server, struct fan_client *client)
{
	const uint64_t until_ns = fan_clock_ns(CLOCK_MONOTONIC) + CLIENT_TURN_NS;
	size_t line_bytes;
	char *line;

	for (unsigned i = 0; i < LINES_A_TURN && !client->gone && !client->ending; i++) {
		if (i > 0 && fan_clock_ns(CLOCK_MONOTONIC) > until_ns)
			break;
		line = fan_client_line(client, &line_bytes);
		if (line == NULL)
			break;
		/* The next one begins behind it. */
		if (client->line_since_ms != 0)
			client->line_since_ms = server->now_ms;
		if (!fan_dispatch_line(server, client, line, line_bytes)) {
			put_off(server, client, line_bytes);
			break;
		}
		client->put_off = 0;
	}
	server->busy_clients += !client->ending && fan_client_has_line(client);
}

static void
serve_client(struct fan_server *server, unsigned place, uint32_t events)
{
	struct fan_client *client = &server->clients[place];

	if (client->socket < 0)
		return;
	/* Who has left before its turn came wants nothing any more. */
	if ((events & EPOLLHUP) != 0 && client->put_off != 0)
		client->gone = true;
	/* Octets behind an end that was told of are thrown away, and lines that wait go first. */
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !client->ending && !fan_client_has_line(client)) {
		fan_client_receive(client, server->now_ms);
		if (!client->gone)
			take_lines(server, client);
	}
}

/* What one client may cost: a line that does not end, or a reader that does not read. */
static void
settle_client(struct fan_server *server, unsigned place)
{
	struct fan_client *client = &server->clients[place];
	const bool half = client->line_since_ms != 0 && !fan_client_has_line(client);
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = place };

	if (half && server->now_ms - client->line_since_ms > FAN_CONTROL_HALF_LINE_MS)
		client->gone = true;
	fan_client_flush(client);
	if (client->gone) {
		drop_client(server, client);
		return;
	}
	if (client->writes_awaited == (client->out_bytes > 0))
		return;
	client->writes_awaited = client->out_bytes > 0;
	if (client->writes_awaited)
		event.events |= EPOLLOUT;
	(void)epoll_ctl(server->epoll, EPOLL_CTL_MOD, client->socket, &event);
}

/* Who waits longest of those that were put off behind number `after`; NULL: nobody. */
static struct fan_client *
next_put_off(struct fan_server *server, uint64_t after)
{
	struct fan_client *next = NULL;

	for (unsigned i = 0; i < FAN_CONTROL_CLIENTS_MAX; i++) {
		struct fan_client *client = &server->clients[i];

		if (client->put_off > after && (next == NULL || client->put_off < next->put_off))
			next = client;
	}
	return next;
}

/* In the order in which they came, until one begins a batch. */
static void
serve_put_off(struct fan_server *server)
{
	const uint64_t last = server->put_off_count;
	struct fan_client *client = next_put_off(server, 0);

	while (client != NULL && client->put_off <= last && !server->batching) {
		const uint64_t number = client->put_off;

		take_lines(server, client);
		client = next_put_off(server, number);
	}
}

static void
serve_waiting_lines(struct fan_server *server)
{
	const uint64_t until_ns = fan_clock_ns(CLOCK_MONOTONIC) + WAITING_TURN_NS;
	const unsigned first = server->waiting_first;

	server->busy_clients = 0;
	serve_put_off(server);
	for (unsigned i = 0; i < FAN_CONTROL_CLIENTS_MAX; i++) {
		const unsigned place = (first + i) % FAN_CONTROL_CLIENTS_MAX;
		struct fan_client *client = &server->clients[place];

		if (client->socket < 0 || client->put_off != 0 || client->ending || !fan_client_has_line(client))
			continue;
		if (fan_clock_ns(CLOCK_MONOTONIC) > until_ns) {
			server->busy_clients++;
			continue;
		}
		take_lines(server, client);
		server->waiting_first = place + 1;
	}
}

/* ---- The loop ---------------------------------------------------------------------------------------------------------- */

static void
drain(struct fan_server *server)
{
	if (server->state != FAN_SERVER_DRAINING) {
		fan_supervision_say(server, FAN_LIFE_STOPPING);
		fan_log(FAN_LOG_DRAINING, NULL, "nothing new is accepted: it sends what it has accepted, and ends");
	}
	server->state = FAN_SERVER_DRAINING;
	fan_jobs_abandon(server);
	(void)fan_drain(server->fanfare, server->stops > 1);
}

void
fan_server_stop(struct fan_server *server, bool cancel)
{
	server->stops += cancel ? 2 : 1;
	if (server->fanfare != NULL)
		drain(server);
}

static void
take_signals(struct fan_server *server)
{
	struct signalfd_siginfo signal;
	json_t *restart = NULL;

	while (read(server->signals, &signal, sizeof(signal)) == sizeof(signal)) {
		if (signal.ssi_signo != SIGHUP)
			fan_server_stop(server, false);
		else if (server->fanfare != NULL)
			(void)fan_server_reload(server, &restart);
		json_decref(restart);
		restart = NULL;
	}
}

static void
take_event(struct fan_server *server, const struct epoll_event *event)
{
	uint64_t times;

	switch (event->data.u32) {
	case SOURCE_LISTENER:
		accept_clients(server);
		break;
	case SOURCE_SIGNALS:
		take_signals(server);
		break;
	case SOURCE_TIMER:
		(void)!read(server->timer, &times, sizeof(times));
		break;
	case SOURCE_WAKE:
		(void)!read(server->wake, &times, sizeof(times));
		server->woken = true;
		break;
	case SOURCE_APPLIANCE:
		break;
	case SOURCE_RELAY + FAN_RADIO_LTE:
	case SOURCE_RELAY + FAN_RADIO_NR:
		fan_relays_take(server, event->data.u32 - SOURCE_RELAY);
		break;
	default:
		serve_client(server, event->data.u32, event->events);
	}
}

/* Whether the store takes anything, as the last write to it has it. */
static void
look_at_health(struct fan_server *server)
{
	struct fan_health health;

	if (server->now_ms - server->health_ms < TICK_MS)
		return;
	server->health_ms = server->now_ms;
	fan_health_init(&health);
	if (server->state == FAN_SERVER_DRAINING || fan_health(server->fanfare, &health) != 0)
		return;
	if ((health.store_error != 0) != (server->state == FAN_SERVER_FAILED)) {
		if (health.store_error != 0)
			fan_log(FAN_LOG_STORE_FAILED, NULL, "nothing new is accepted: %s", health.store_detail);
		else
			fan_log(FAN_LOG_STORE_RECOVERED, NULL, "the store takes what is written to it again");
	}
	server->state = health.store_error != 0 ? FAN_SERVER_FAILED : FAN_SERVER_READY;
}

/* Whether the port's link is up; a port that is opened with its link down says so, too. */
static void
look_at_link(struct fan_server *server)
{
	struct fan_metrics metrics;
	bool down;

	fan_metrics_read(server->fanfare, &metrics);
	down = !metrics.link_up;
	if (down && !server->link_down)
		fan_log(FAN_LOG_LINK_DOWN, NULL, "the link of the egress port is down: messages wait");
	else if (!down && server->link_down)
		fan_log(FAN_LOG_LINK_UP, NULL, "the link of the egress port is up");
	server->link_down = down;
}

/* Not more often than it matters. */
static void
look_around(struct fan_server *server)
{
	if (server->now_ms - server->looked_ms < LOOK_MS)
		return;
	server->looked_ms = server->now_ms;
	look_at_link(server);
	fan_hops_look(server);
}

/* Returns how many messages are in flight. */
static int
serve_appliance(struct fan_server *server)
{
	int in_flight;

	fan_jobs_step(server);
	fan_sends_answer(server);
	in_flight = fan_poll(server->fanfare);
	look_at_health(server);
	look_around(server);
	fan_watches_notify(server);
	fan_events_tell(server);
	return in_flight;
}

bool
fan_server_turn(struct fan_server *server, int timeout_ms)
{
	struct epoll_event events[TURN_EVENTS_MAX];
	const bool at_work = server->busy_clients > 0 || fan_jobs_running(server);
	const int count = epoll_wait(server->epoll, events, TURN_EVENTS_MAX, at_work ? 0 : timeout_ms);
	int in_flight = 0;

	server->now_ms = fan_clock_ms(CLOCK_MONOTONIC);
	serve_waiting_lines(server);
	for (int i = 0; i < count; i++)
		take_event(server, &events[i]);
	if (server->fanfare != NULL)
		in_flight = serve_appliance(server);
	for (unsigned i = 0; i < FAN_CONTROL_CLIENTS_MAX; i++)
		if (server->clients[i].socket >= 0)
			settle_client(server, i);
	fan_supervision_serve(server);
	return server->stops == 0 || server->fanfare == NULL || in_flight > 0 || next_put_off(server, 0) != NULL;
}

void
fan_server_take_appliance(struct fan_server *server, struct fanfare *fanfare)
{
	server->fanfare = fanfare;
	server->state = FAN_SERVER_READY;
	(void)watch(server, fan_event_fd(fanfare), SOURCE_APPLIANCE, EPOLLIN);
	for (unsigned radio = 0; radio < FAN_RADIO_COUNT; radio++)
		if (server->relays.socket[radio] >= 0)
			(void)watch(server, server->relays.socket[radio], SOURCE_RELAY + radio, EPOLLIN);
	(void)fan_hops_learn(server);
}

/* ---- A daemon's life --------------------------------------------------------------------------------------------------- */

static void
name_signals(sigset_t *signals)
{
	(void)sigemptyset(signals);
	(void)sigaddset(signals, SIGTERM);
	(void)sigaddset(signals, SIGINT);
	(void)sigaddset(signals, SIGHUP);
}

void
fan_server_block_signals(void)
{
	sigset_t signals;

	name_signals(&signals);
	(void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

/* Answers clients until the appliance is open. */
static void *
answer_meanwhile(void *user)
{
	struct fan_server *server = user;

	while (!server->woken)
		(void)fan_server_turn(server, -1);
	return NULL;
}

static void
note_loading(void *user, uint64_t ues, uint64_t ue_count)
{
	struct fan_server *server = user;

	__atomic_store_n(&server->to_load, ue_count, __ATOMIC_RELAXED);
	__atomic_store_n(&server->loaded, ues, __ATOMIC_RELAXED);
}

static int
open_appliance(struct fan_server *server, struct fanfare **fanfare)
{
	struct fan_opening opening;
	int error = fan_opening_make(&opening, &server->configuration);

	opening.options.loading = note_loading;
	opening.options.loading_user = server;
	opening.options.rate = fan_hops_rate;
	opening.options.rate_user = server;
	if (error == 0)
		error = fan_relays_open(server, &opening.options);
	if (error == 0)
		error = fan_open(fanfare, &opening.options);
	fan_opening_free(&opening);
	return error;
}

/* The thread that calls fanfare.h must be the one that starts EAL: this one. Another has the loop meanwhile; it ends before this goes on. */
static int
load(struct fan_server *server)
{
	const uint64_t once = 1;
	struct fanfare *fanfare = NULL;
	pthread_t thread;
	int error;

	if (pthread_create(&thread, NULL, answer_meanwhile, server) != 0)
		return fan_fail(FAN_E_MEMORY, "no thread can be started");
	fan_log(FAN_LOG_LOADING, NULL, "the store is read, and port and engines are opened");
	error = open_appliance(server, &fanfare);
	(void)!write(server->wake, &once, sizeof(once));
	(void)pthread_join(thread, NULL);
	if (error == 0)
		fan_server_take_appliance(server, fanfare);
	return error;
}

static int
take_signals_over(struct fan_server *server)
{
	sigset_t signals;

	name_signals(&signals);
	server->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return server->signals < 0 ? failed("signals") : watch(server, server->signals, SOURCE_SIGNALS, EPOLLIN);
}

static void
say_ready(const struct fan_server *server)
{
	struct fan_health health;

	fan_health_init(&health);
	(void)fan_health(server->fanfare, &health);
	fan_log(FAN_LOG_READY, json_pack("{s:I, s:I}", "ues", (json_int_t)health.ues, "groups", (json_int_t)health.groups),
		"ready: %lu UEs, %lu groups", (unsigned long)health.ues, (unsigned long)health.groups);
}

int
fan_server_run(struct fan_server *server)
{
	int error = take_signals_over(server);

	if (error == 0)
		error = load(server);
	if (error == 0)
		error = fan_server_confine(server);
	if (error != 0)
		return error;
	fan_supervision_say(server, FAN_LIFE_READY);
	say_ready(server);
	/* Someone did not want to wait for it to be loaded. */
	if (server->stops > 0)
		drain(server);
	while (fan_server_turn(server, -1))
		continue;
	return 0;
}
