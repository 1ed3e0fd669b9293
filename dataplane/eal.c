/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "eal.h"

#include <pthread.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_memory.h>
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

/* The first of the caller's arguments that starts like one of `options` (space-separated), or NULL. */
static const char *const *
given(const char *const *arguments, const char *options)
{
	for (; arguments != NULL && *arguments != NULL; arguments++) {
		const char *option = options;

		while (*option != '\0') {
			const size_t option_bytes = strcspn(option, " ");

			if (strncmp(*arguments, option, option_bytes) == 0 &&
			    ((*arguments)[option_bytes] == '\0' || (*arguments)[option_bytes] == '=' || option_bytes == 2))
				return arguments;
			option += option_bytes;
			option += strspn(option, " ");
		}
	}
	return NULL;
}

/* Octets that the caller's own -m asks for; 0 without one. */
static size_t
memory_asked_bytes(const char *const *arguments)
{
	const char *const *option = given(arguments, "-m");
	const char *mib;

	if (option == NULL)
		return 0;
	mib = (*option)[2] != '\0' ? *option + 2 : option[1];
	return mib == NULL ? 0 : strtoul(mib, NULL, 10) << 20;
}

static bool
huge_pages_free(size_t bytes)
{
	void *probe = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (probe == MAP_FAILED)
		return false;
	munmap(probe, bytes);
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

/* How much memory the caller may say by -m, and we still choose its kind: on no kind of ours does EAL leave a file or share anything, so
 * that any number of processes run side by side. */
static void
append_memory(struct command_line *line, unsigned worker_count, const char *const *arguments)
{
	const size_t asked_bytes = memory_asked_bytes(arguments);
	char memory_mib[16];

	snprintf(memory_mib, sizeof(memory_mib), "%u", MEMORY_MIB_FIXED + worker_count * MEMORY_MIB_PER_WORKER);
	if (given(arguments, "--huge-dir --in-memory --file-prefix --proc-type") != NULL)
		return;
	if (given(arguments, "--no-huge") == NULL &&
	    (given(arguments, "--socket-mem") != NULL || huge_pages_free(asked_bytes != 0 ? asked_bytes : HUGE_PROBE_BYTES))) {
		append(line, "--in-memory");
		append(line, "--iova-mode=va");
		return;
	}
	if (given(arguments, "--no-huge") == NULL)
		append(line, "--no-huge");
	if (given(arguments, "--no-shconf") == NULL)
		append(line, "--no-shconf");
	if (asked_bytes == 0) {
		append(line, "-m");
		append(line, memory_mib);
	}
}

static void
compose(struct command_line *line, const char *program, unsigned worker_count, const char *const *arguments)
{
	append(line, program != NULL ? program : "fanfare");
	if (given(arguments, "--log-level") == NULL)
		append(line, "--log-level=error");
	if (given(arguments, "-l -c --lcores -s") == NULL)
		append_lcores(line, worker_count);
	if (given(arguments, "-a --allow -b --block --no-pci") == NULL)
		append(line, "--no-pci");
	if (given(arguments, "--telemetry --no-telemetry --file-prefix") == NULL)
		append(line, "--no-telemetry");
	append_memory(line, worker_count, arguments);
	for (; arguments != NULL && *arguments != NULL; arguments++)
		append(line, *arguments);
}

/* EAL ties the calling thread to the main lcore's CPU, and whatever that thread makes later with it. Where a caller's threads run is
 * the caller's to say, so they get back what they had; workers stay where EAL has put them. */
static int
initialise(struct command_line *line)
{
	cpu_set_t before;
	const bool known = pthread_getaffinity_np(pthread_self(), sizeof(before), &before) == 0;
	const int result = rte_eal_init((int)line->count, line->argument);

	if (known)
		(void)pthread_setaffinity_np(pthread_self(), sizeof(before), &before);
	return result;
}

/* Whether EAL runs, which the host may have seen to. Before its start it has no memory and no lcore. */
static bool
runs(void)
{
	return rte_lcore_count() > 0 && rte_eal_get_physmem_size() > 0;
}

static int
start(const char *program, unsigned worker_count, const char *const *arguments)
{
	/* EAL keeps pointers into its arguments and moves them about in its copy: both live as long as the process. */
	static struct command_line line, given_to_eal;

	line.count = 0;
	compose(&line, program, worker_count, arguments);
	if (line.count == ARGUMENTS_MAX)
		return fan_fail(FAN_E_INVALID, "too many EAL arguments: %d at most", ARGUMENTS_MAX);
	given_to_eal = line;
	rte_errno = 0;
	if (initialise(&given_to_eal) < 0)
		return fan_fail(
			FAN_E_IO, "EAL does not start: %s; its own message stands above, arguments after -- go to it%s",
			rte_errno != 0 ? rte_strerror(rte_errno) : "it does not say why",
			given(arguments, "--huge-dir --file-prefix --proc-type") != NULL
				? "; without --huge-dir, --file-prefix and --proc-type it shares nothing with other processes"
				: "");
	return 0;
}

unsigned
fan_eal_idle_lcore(unsigned after)
{
	unsigned lcore = rte_get_next_lcore(after, 1, 0);

	while (lcore < RTE_MAX_LCORE && rte_eal_get_lcore_state(lcore) != WAIT)
		lcore = rte_get_next_lcore(lcore, 1, 0);
	return lcore;
}

int
fan_eal_start(const char *program, unsigned worker_count, const char *const *arguments)
{
	unsigned idle = 0;

	if (!started && !runs()) {
		const int error = start(program, worker_count, arguments);

		if (error != 0)
			return error;
	}
	started = true;
	for (unsigned lcore = fan_eal_idle_lcore((unsigned)-1); lcore < RTE_MAX_LCORE; lcore = fan_eal_idle_lcore(lcore))
		idle++;
	if (idle < worker_count)
		return fan_fail(
			FAN_E_UNSUPPORTED,
			"%u workers: of EAL's %u lcores one is for control and %u others are idle; use fewer workers, close "
			"what else runs on them, or start EAL with more (-l)",
			worker_count, rte_lcore_count(), idle);
	return 0;
}

bool
fan_eal_huge_pages(void)
{
	return started && rte_eal_has_hugepages() != 0;
}
