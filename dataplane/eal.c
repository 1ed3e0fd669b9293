/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "eal.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#define ARGUMENTS_MAX 64
/* Frames of a worker take some 8 MiB; ordinary pages are taken only as they are touched. */
#define MEMORY_MIB_FIXED 256
#define MEMORY_MIB_PER_WORKER 12
#define HUGE_PROBE_BYTES (64UL << 20)

static bool started;

struct command_line {
	char *argument[ARGUMENTS_MAX + 1];
	unsigned count;
};

static void
append(struct command_line *line, const char *argument)
{
	if (line->count < ARGUMENTS_MAX)
		line->argument[line->count++] = strdup(argument);
}

/* Whether one of the caller's arguments starts like one of `options` (space-separated). */
static bool
given(const char *const *arguments, const char *options)
{
	for (; arguments != NULL && *arguments != NULL; arguments++) {
		const char *option = options;

		while (*option != '\0') {
			const size_t option_bytes = strcspn(option, " ");

			if (strncmp(*arguments, option, option_bytes) == 0 &&
			    ((*arguments)[option_bytes] == '\0' || (*arguments)[option_bytes] == '=' || option_bytes == 2))
				return true;
			option += option_bytes;
			option += strspn(option, " ");
		}
	}
	return false;
}

static bool
huge_pages_free(void)
{
	void *probe = mmap(NULL, HUGE_PROBE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (probe == MAP_FAILED)
		return false;
	munmap(probe, HUGE_PROBE_BYTES);
	return true;
}

/* The CPU number `at`, counting round, of those this process may use. */
static size_t
allowed_cpu(const cpu_set_t *allowed, unsigned at)
{
	unsigned left = at % (unsigned)CPU_COUNT(allowed);

	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, allowed) && left-- == 0)
			return cpu;
	return 0;
}

/* Lcore 0 is the calling thread on the first CPU this process may use, workers follow on the next ones, and share when there are
 * more threads than CPUs. */
static void
append_lcores(struct command_line *line, unsigned worker_count)
{
	char lcores[16 * (FAN_WORKERS_MAX + 1) + 16] = "--lcores=";
	cpu_set_t allowed;

	CPU_ZERO(&allowed);
	if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0 || CPU_COUNT(&allowed) == 0)
		CPU_SET(0, &allowed);
	for (unsigned lcore = 0; lcore <= worker_count; lcore++) {
		const size_t used = strlen(lcores);

		snprintf(lcores + used, sizeof(lcores) - used, "%s%u@%zu", lcore == 0 ? "" : ",", lcore,
			 allowed_cpu(&allowed, lcore));
	}
	append(line, lcores);
}

static void
compose(struct command_line *line, const char *program, unsigned worker_count, const char *const *arguments)
{
	char memory_mib[16];

	snprintf(memory_mib, sizeof(memory_mib), "%u", MEMORY_MIB_FIXED + worker_count * MEMORY_MIB_PER_WORKER);
	append(line, program != NULL ? program : "fanfare");
	append(line, "--log-level=error");
	if (!given(arguments, "-l -c --lcores -s"))
		append_lcores(line, worker_count);
	if (!given(arguments, "-a --allow -b --block"))
		append(line, "--no-pci");
	if (!given(arguments, "--telemetry --file-prefix"))
		append(line, "--no-telemetry");
	if (!given(arguments, "-m --socket-mem --no-huge --huge-dir --in-memory")) {
		if (huge_pages_free()) {
			append(line, "--in-memory");
			append(line, "--iova-mode=va");
		} else {
			append(line, "--no-huge");
			append(line, "--no-shconf");
			append(line, "-m");
			append(line, memory_mib);
		}
	}
	for (; arguments != NULL && *arguments != NULL; arguments++)
		append(line, *arguments);
}

int
fan_eal_start(const char *program, unsigned worker_count, const char *const *arguments)
{
	/* EAL keeps pointers into its arguments and moves them about in its copy: both live as long as the process. */
	static struct command_line line, given_to_eal;
	int result;

	if (!started) {
		line.count = 0;
		compose(&line, program, worker_count, arguments);
		if (line.count == ARGUMENTS_MAX)
			return fan_fail(FAN_E_INVALID, "too many EAL arguments: %d at most", ARGUMENTS_MAX);
		given_to_eal = line;
		result = rte_eal_init((int)line.count, given_to_eal.argument);
		if (result < 0)
			return fan_fail(FAN_E_IO,
					"EAL does not start: %s; its own message stands above, arguments after -- go to it",
					rte_strerror(rte_errno));
		started = true;
	}
	if (rte_lcore_count() < worker_count + 1)
		return fan_fail(FAN_E_UNSUPPORTED, "%u workers: EAL has %u lcores and one is for control; start it with more",
				worker_count, rte_lcore_count());
	return 0;
}

bool
fan_eal_huge_pages(void)
{
	return started && rte_eal_has_hugepages() != 0;
}
