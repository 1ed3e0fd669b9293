/* SPDX-License-Identifier: BSD-3-Clause */
/* What a service manager hears of a daemon: the test opens its socket. A worker hangs while a signal's handler keeps its thread. */
#define _GNU_SOURCE
#include "../host-api/control/daemon.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define WATCHDOG_MS 4000 /* of which a half is more than a worker sleeps */
#define PATIENCE_MS 30000
#define HEARD_BYTES 8192

static int manager; /* its socket */
static char heard[HEARD_BYTES], folder[] = "/tmp/fan-supervision-XXXXXX", path[64];
static struct fan_server *server;

/* ---- The manager ------------------------------------------------------------------------------------------------------- */

static void
listen_at(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", name);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	cr_assert_eq(setenv("NOTIFY_SOCKET", name, 1), 0);
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	cr_assert_eq(bind(manager, (struct sockaddr *)&address,
			  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
		     0);
}

/* All that has come since it was last asked, a datagram a line. */
static const char *
hear(void)
{
	size_t at = 0;
	ssize_t n;

	while (at < HEARD_BYTES - 2 && (n = recv(manager, heard + at, HEARD_BYTES - 2 - at, 0)) > 0) {
		at += (size_t)n;
		heard[at++] = '\n';
	}
	heard[at] = '\0';
	return heard;
}

static void
begin(void)
{
	cr_assert_not_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/manager", folder);
	listen_at(path);
}

static void
end(void)
{
	(void)unlink(path);
	(void)rmdir(folder);
}

TestSuite(supervision, .init = begin, .fini = end, .timeout = 60);

/* ---- The protocol ------------------------------------------------------------------------------------------------------ */

static void
says_at(const char *name, const char *expected)
{
	struct fan_notify notify;

	cr_assert_eq(setenv("NOTIFY_SOCKET", name, 1), 0);
	fan_notify_open(&notify);
	fan_notify_say(&notify, "STATUS=%d UEs", 7);
	fan_notify_close(&notify);
	cr_assert_str_eq(hear(), expected, "%s", name);
}

Test(supervision, a_socket_by_path_or_by_name)
{
	char name[64], longer[128] = "/";

	says_at(path, "STATUS=7 UEs\n");
	close(manager);
	(void)snprintf(name, sizeof(name), "@fan-supervision-%d", (int)getpid());
	listen_at(name);
	says_at(name, "STATUS=7 UEs\n");
	memset(longer + 1, 'x', 120);
	says_at(longer, "");
	says_at("", "");
	says_at("@", "");
	says_at("relative", "");
	says_at("/nobody/listens/there", "");
	(void)unsetenv("NOTIFY_SOCKET");
	says_at(path, "");
}

Test(supervision, what_is_too_long_is_cut)
{
	struct fan_notify notify;

	fan_notify_open(&notify);
	fan_notify_say(&notify, "STATUS=%02000d", 0);
	cr_assert_eq(strlen(hear()), FAN_NOTIFY_BYTES_MAX); /* less the zero, with the line's end */
	fan_notify_close(&notify);
}

/* Nobody reads: more is lost, and nothing waits. */
Test(supervision, a_manager_that_does_not_read_holds_nobody_up)
{
	struct fan_notify notify;

	fan_notify_open(&notify);
	for (unsigned i = 0; i < 100000; i++)
		fan_notify_say(&notify, "STATUS=%u", i);
	cr_assert_eq(strncmp(hear(), "STATUS=0\n", 9), 0);
	fan_notify_close(&notify);
}

static int64_t
watchdog_of(const char *usec, const char *process)
{
	struct fan_notify notify;

	cr_assert_eq(setenv("WATCHDOG_USEC", usec, 1), 0);
	(void)unsetenv("WATCHDOG_PID");
	if (process != NULL)
		cr_assert_eq(setenv("WATCHDOG_PID", process, 1), 0);
	fan_notify_open(&notify);
	fan_notify_close(&notify);
	return notify.watchdog_ms;
}

Test(supervision, the_watchdog_is_of_this_process)
{
	char own[16];

	(void)snprintf(own, sizeof(own), "%d", (int)getpid());
	cr_assert_eq(watchdog_of("60000000", NULL), 60000);
	cr_assert_eq(watchdog_of("60000000", own), 60000);
	cr_assert_eq(watchdog_of("60000000", "1"), 0);
	cr_assert_eq(watchdog_of("-1", NULL), 0);
	cr_assert_eq(watchdog_of("60s", NULL), 0);
}

Test(supervision, it_is_fed_when_half_its_time_is_over)
{
	struct fan_notify notify;

	cr_assert_eq(setenv("WATCHDOG_USEC", "60000000", 1), 0);
	fan_notify_open(&notify);
	fan_notify_feed(&notify, 1000);
	cr_assert_str_eq(hear(), "WATCHDOG=1\n");
	fan_notify_feed(&notify, 30999);
	cr_assert_str_eq(hear(), "");
	fan_notify_feed(&notify, 31000);
	cr_assert_str_eq(hear(), "WATCHDOG=1\n");
	fan_notify_close(&notify);
}

/* ---- The daemon -------------------------------------------------------------------------------------------------------- */

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
open_daemon(void)
{
	struct fan_configuration configuration = { .file = NULL };
	struct fanfare *fanfare;
	struct fan_options options;
	char usec[16];

	(void)snprintf(usec, sizeof(usec), "%d000", WATCHDOG_MS);
	cr_assert_eq(setenv("WATCHDOG_USEC", usec, 1), 0);
	cr_assert_eq(fan_server_open(&server, &configuration), 0, "%s", fan_error_detail());
	(void)fan_server_turn(server, 0);
	cr_assert_not_null(strstr(hear(), "STATUS=loading: 0 of 0 UEs\n"), "%s", heard);
	cr_assert_null(strstr(heard, "WATCHDOG"), "it is fed before there is a worker");
	fan_options_init(&options);
	options.egress = "net_null";
	cr_assert_eq(fan_open(&fanfare, &options), 0, "%s", fan_error_detail());
	fan_server_take_appliance(server, fanfare);
}

/* Runs the daemon's loop until the watchdog was fed so often, or for so long. Returns how often it was. */
static unsigned
feeds(unsigned most, int64_t period_ms)
{
	const int64_t until_ms = now_ms() + period_ms;
	unsigned fed = 0;

	do {
		(void)fan_server_turn(server, 100);
		fed += strstr(hear(), "WATCHDOG=1\n") != NULL;
	} while (fed < most && now_ms() < until_ms);
	return fed;
}

static volatile sig_atomic_t held;

static void
hold(int signal)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	(void)signal;
	while (held)
		(void)nanosleep(&pause, NULL);
}

/* The thread of the one worker, by the name that DPDK has for it. */
static pid_t
find_worker(void)
{
	DIR *tasks = opendir("/proc/self/task");
	const struct dirent *task;
	pid_t worker = 0;

	while (worker == 0 && (task = readdir(tasks)) != NULL) {
		char name[64], file[300];
		FILE *comm;

		(void)snprintf(file, sizeof(file), "/proc/self/task/%s/comm", task->d_name);
		comm = fopen(file, "re");
		if (comm == NULL)
			continue;
		if (fgets(name, sizeof(name), comm) != NULL && strstr(name, "worker") != NULL)
			worker = (pid_t)atoi(task->d_name);
		(void)fclose(comm);
	}
	(void)closedir(tasks);
	return worker;
}

Test(supervision, the_watchdog_is_fed_while_workers_turn)
{
	const struct sigaction holding = { .sa_handler = hold };

	open_daemon();
	/* Without any message: the worker sleeps, a second at a time. */
	cr_assert_eq(feeds(3, PATIENCE_MS), 3);
	held = 1;
	cr_assert_eq(sigaction(SIGUSR1, &holding, NULL), 0);
	cr_assert_neq(find_worker(), 0, "no thread of that name");
	cr_assert_eq(syscall(SYS_tgkill, getpid(), find_worker(), SIGUSR1), 0);
	(void)feeds(UINT_MAX, 3 * WATCHDOG_MS / 4);
	cr_assert_eq(feeds(UINT_MAX, 3 * WATCHDOG_MS / 4), 0, "it is fed for a worker that hangs");
	held = 0;
	cr_assert_eq(feeds(1, PATIENCE_MS), 1, "it is not fed once the worker goes on");
	cr_assert_eq(fan_server_close(server), 0);
}

/* Lets the daemon's line come, a second after the one before. */
static void
turn_later(void)
{
	sleep(1);
	(void)fan_server_turn(server, 0);
}

Test(supervision, it_is_asked_for_time_while_UEs_are_loaded)
{
	struct fan_configuration configuration = { .file = NULL };

	cr_assert_eq(fan_server_open(&server, &configuration), 0, "%s", fan_error_detail());
	(void)fan_server_turn(server, 0);
	cr_assert_str_eq(hear(), "STATUS=loading: 0 of 0 UEs\n");
	server->to_load = 10;
	server->loaded = 5;
	turn_later();
	cr_assert_str_eq(hear(), "EXTEND_TIMEOUT_USEC=30000000\nSTATUS=loading: 5 of 10 UEs\n");
	turn_later();
	cr_assert_str_eq(hear(), "", "it is asked for more, and nothing was loaded");
	cr_assert_eq(fan_server_close(server), 0);
}

Test(supervision, it_hears_of_a_life)
{
	json_t *restart = NULL;
	const char *reloading;

	open_daemon();
	turn_later();
	cr_assert_not_null(strstr(hear(), "STATUS=ready: 0 UEs, 0 groups, 0 messages on their way\n"), "%s", heard);
	turn_later();
	cr_assert_null(strstr(hear(), "STATUS"), "it says what it has said: %s", heard);
	/* There is no file: also a reload that fails is over. */
	cr_assert_neq(fan_server_reload(server, &restart), 0);
	reloading = strstr(hear(), "RELOADING=1\nMONOTONIC_USEC=");
	cr_assert_not_null(reloading, "%s", heard);
	cr_assert_not_null(strstr(reloading, "\nREADY=1\n"), "%s", heard);
	fan_server_stop(server, false);
	cr_assert_str_eq(hear(), "STOPPING=1\n");
	fan_server_stop(server, true);
	turn_later();
	cr_assert_not_null(strstr(hear(), "STATUS=draining: 0 messages are on their way\n"), "%s", heard);
	cr_assert_null(strstr(heard, "STOPPING"), "it says so twice");
	(void)fan_server_reload(server, &restart);
	cr_assert_str_eq(hear(), "", "one that ends is ready again");
	cr_assert_eq(fan_server_close(server), 0);
}
