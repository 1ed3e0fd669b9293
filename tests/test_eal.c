/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "../dataplane/eal.h"
#include "../host-api/fanfare.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <rte_eal.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_version.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A host that started DPDK with three lcores, as a program with a dataplane of its own does. */
static void
start_as_host(void)
{
	/* EAL moves the pointers and leaves the strings. */
	static char texts[][24] = { "host", "--no-huge",      "--no-pci",          "--no-shconf",         "-m",
				    "256",  "--no-telemetry", "--log-level=error", "--lcores=0@0,1@0,2@0" };
	char *arguments[sizeof(texts) / sizeof(texts[0]) + 1] = { NULL };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		arguments[i] = texts[i];
	cr_assert_geq(rte_eal_init((int)(sizeof(arguments) / sizeof(arguments[0])) - 1, arguments), 0);
}

static int
wait_for_host(void *stop)
{
	while (!__atomic_load_n((bool *)stop, __ATOMIC_ACQUIRE))
		sched_yield();
	return 0;
}

Test(eal, of_the_host_serves, .timeout = 60)
{
	const struct fan_options options = { .struct_bytes = sizeof(options), .egress = "net_null", .workers = 2 };
	struct fanfare *fanfare;

	start_as_host();
	for (unsigned round = 0; round < 2; round++) {
		cr_assert_eq(fan_open(&fanfare, &options), 0, "%s", fan_error_detail());
		cr_assert_eq(fan_close(fanfare), 0);
	}
}

/* What the host itself runs on an lcore stays there, and workers take the others. */
Test(eal, workers_take_idle_lcores_alone, .timeout = 60)
{
	struct fan_options options = { .struct_bytes = sizeof(options), .egress = "net_null", .workers = 1 };
	struct fanfare *fanfare;
	bool stop = false;

	start_as_host();
	cr_assert_eq(rte_eal_remote_launch(wait_for_host, &stop, 1), 0);
	options.workers = 2;
	cr_assert_eq(fan_open(&fanfare, &options), FAN_E_UNSUPPORTED);
	cr_assert(strstr(fan_error_detail(), "2 workers") != NULL && strstr(fan_error_detail(), "3 lcores") != NULL &&
			  strstr(fan_error_detail(), "1 others are idle") != NULL,
		  "%s", fan_error_detail());
	options.workers = 1;
	cr_assert_eq(fan_open(&fanfare, &options), 0, "%s", fan_error_detail());
	cr_assert_eq(rte_eal_get_lcore_state(2), RUNNING);
	cr_assert_eq(fan_close(fanfare), 0);
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	cr_assert_eq(rte_eal_wait_lcore(1), 0);
	options.workers = 2;
	cr_assert_eq(fan_open(&fanfare, &options), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_close(fanfare), 0);
}

static void *
read_affinity(void *affinity)
{
	cr_assert_eq(pthread_getaffinity_np(pthread_self(), sizeof(cpu_set_t), affinity), 0);
	return NULL;
}

Test(eal, leaves_the_caller_where_it_was, .timeout = 60)
{
	cpu_set_t before, after, later;
	pthread_t thread;

	cr_assert_eq(sched_getaffinity(0, sizeof(before), &before), 0);
	if (CPU_COUNT(&before) < 2)
		cr_skip_test("one CPU: nothing to be tied to");
	cr_assert_eq(fan_eal_start(NULL, 1, NULL), 0, "%s", fan_error_detail());
	cr_assert_eq(sched_getaffinity(0, sizeof(after), &after), 0);
	cr_assert(CPU_EQUAL(&before, &after), "%d CPUs before, %d after", CPU_COUNT(&before), CPU_COUNT(&after));
	cr_assert_eq(pthread_create(&thread, NULL, read_affinity, &later), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert(CPU_EQUAL(&before, &later));
	cr_assert_eq(rte_lcore_id(), rte_get_main_lcore(), "it is the main lcore all the same");
}

/* Two processes of one user, at once, each with memory of its own: also without the rights of root. */
Test(eal, starts_in_two_processes_at_once_with_memory_of_ones_choice, .timeout = 60)
{
	static const char *const rows[][4] = { { "-m", "64", NULL }, { "-m64", NULL }, { "--no-huge", "-m", "64", NULL } };

	for (unsigned row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		int meet[2], status;
		char octet;

		cr_assert_eq(pipe(meet), 0);
		for (unsigned i = 0; i < 2; i++) {
			if (fork() != 0)
				continue;
			if (geteuid() == 0 && setuid(65534) != 0)
				_exit(3);
			if (fan_eal_start(NULL, 1, rows[row]) != 0) {
				fprintf(stderr, "%s\n", fan_error_detail());
				_exit(1);
			}
			/* Neither ends before both have started. */
			close(meet[1]);
			_exit(read(meet[0], &octet, 1) == 0 ? 0 : 2);
		}
		close(meet[0]);
		sleep(2);
		close(meet[1]);
		for (unsigned i = 0; i < 2; i++) {
			cr_assert_gt(wait(&status), 0);
			cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "row %u: %#x", row, (unsigned)status);
		}
	}
}

Test(eal, a_refusal_has_a_reason, .timeout = 60)
{
	static const char *const wrong[] = { "--file-prefix=/dev/null/x", "--huge-dir=/nowhere", "--lcores=0@0,1@0", NULL };

	if (RTE_VERSION >= RTE_VERSION_NUM(25, 3, 0, 0))
		cr_skip_test("this EAL may end the process itself");
	cr_assert_eq(fan_eal_start(NULL, 1, wrong), FAN_E_IO);
	cr_assert_null(strstr(fan_error_detail(), "Success"), "%s", fan_error_detail());
	/* What failed is told, instead of what EAL says of a second start. */
	cr_assert_eq(fan_eal_start(NULL, 1, NULL), FAN_E_IO);
	cr_assert_not_null(strstr(fan_error_detail(), "did not start before"), "%s", fan_error_detail());
}

/* Mistakes that are found before EAL prints its usage and cannot be started any more. */
Test(eal, a_wrong_argument_does_not_reach_it, .timeout = 60)
{
	static const char *const rows[][5] = {
		{ "--bogus", NULL, "--bogus" },
		{ "bogus", NULL, "bogus" },
		{ "-x", NULL, "-x" },
		{ "-", NULL, "-" },
		{ "--", NULL, "--" },
		{ "--vdev", NULL, "takes a value" },
		{ "--vdev=", NULL, "takes a value" },
		{ "-m", NULL, "takes a value" },
		{ "-m", "64M", NULL, "64M" },
		{ "-l", "0,99999", NULL, "no CPU 99999" },
		{ "-l0-1023", NULL, "no CPU 1023" },
		{ "--no-pci", "--no-hug", "--bogus=1", NULL, "--bogus=1" },
		{ "--help", NULL, "ends the process" },
		{ "-h", NULL, "ends the process" },
	};
	static const char *const good[] = { "--vdev", "net_null7", "--vdev=net_null8",  "-m", "64", "-n2",
					    "-l",     "0",         "--log-level=error", NULL };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t end = 0;

		while (rows[i][end] != NULL)
			end++;
		cr_assert_eq(fan_eal_start(NULL, 1, rows[i]), FAN_E_INVALID, "row %zu", i);
		cr_assert_not_null(strstr(fan_error_detail(), rows[i][end + 1]), "row %zu: %s", i, fan_error_detail());
	}
	cr_assert_eq(fan_eal_start(NULL, 0, good), 0, "%s", fan_error_detail());
}
