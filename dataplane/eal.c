/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "eal.h"

#include "context/process.h"

#include <ctype.h>
#include <pthread.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_memory.h>
#include <rte_version.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ARGUMENTS_MAX 64
/* Frames of a worker take some 8 MiB; ordinary pages are taken only as they are touched. */
#define MEMORY_MIB_FIXED 256
#define MEMORY_MIB_PER_WORKER 12
#define HUGE_PROBE_BYTES (64UL << 20)

static bool started;
static unsigned process;  /* that started it: fan_process_forks() */
static char failure[128]; /* why it did not start; empty: it was not tried, or it has */

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

/* ---- Arguments, before EAL sees them: a mistake that it finds prints its whole usage, and the process cannot start it again ------------- */

#define SYSLOG (RTE_VERSION < RTE_VERSION_NUM(24, 11, 0, 0) ? "syslog=" : "syslog?")
/* The options of DPDK 22.11 to 25.11. "=" takes a value, "?" may have one behind "=". What one of these releases does not know is left to
 * it. */
static const char *const options[] = { "allow=",
				       "base-virtaddr=",
				       "block=",
				       "coremask=",
				       "create-uio-dev",
				       "driver-path=",
				       "file-prefix=",
				       "force-max-simd-bitwidth=",
				       "huge-dir=",
				       "huge-unlink?",
				       "huge-worker-stack?",
				       "in-memory",
				       "iova-mode=",
				       "lcores=",
				       "legacy-mem",
				       "log-color?",
				       "log-level=",
				       "log-timestamp?",
				       "main-lcore=",
				       "match-allocations",
				       "mbuf-pool-ops-name=",
				       "memory-channels=",
				       "memory-ranks=",
				       "memory-size=",
				       "no-hpet",
				       "no-huge",
				       "no-pci",
				       "no-shconf",
				       "no-telemetry",
				       "numa-limit=",
				       "numa-mem=",
				       "proc-type=",
				       "remap-lcore-ids?",
				       "service-corelist=",
				       "service-coremask=",
				       "single-file-segments",
				       "socket-limit=",
				       "socket-mem=",
				       SYSLOG,
				       "telemetry",
				       "trace=",
				       "trace-bufsz=",
				       "trace-dir=",
				       "trace-mode=",
				       "vdev=",
				       "version",
				       "vfio-intr=",
				       "vfio-vf-token=",
				       "vmware-tsc-map" };
#define SHORT_WITH_VALUE "abcdlmnrsS"
#define SHORT_WITHOUT "Rv"
#define NEWEST_RELEASE RTE_VERSION_NUM(25, 11, 99, 99) /* a newer one may have other options: it looks itself */

/* What an argument's option takes: '=', '?' or '\0', as in the list; -1: there is no such option. As getopt_long(3), an option may be
 * given by its beginning. */
static int
value_of_option(const char *argument)
{
	const size_t name_bytes = strcspn(argument, "=") - 2;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		const size_t option_bytes = strcspn(options[i], "=?");

		if (strncmp(options[i], argument + 2, name_bytes) == 0)
			return options[i][option_bytes];
	}
	return -1;
}

/* The CPUs of a plain list, "0-3,8"; one in another form is left to EAL. */
static int
check_cores(const char *list)
{
	if (list[strspn(list, "0123456789-,")] != '\0')
		return 0;
	for (const char *at = list; *at != '\0'; at += strcspn(at, "0123456789")) {
		char path[64], *end;
		const unsigned long core = strtoul(at, &end, 10);

		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%lu", core);
		if (end != at &&
		    (core >= RTE_MAX_LCORE || (access("/sys/devices/system/cpu", F_OK) == 0 && access(path, F_OK) != 0)))
			return fan_fail(FAN_E_INVALID, "EAL's cores %s: there is no CPU %lu that EAL can use", list, core);
		at = end;
	}
	return 0;
}

static int
check_value(const char *option, const char *value)
{
	if (value == NULL || *value == '\0')
		return fan_fail(FAN_E_INVALID, "EAL's option %s takes a value", option);
	if (strncmp(option, "-l", 2) == 0)
		return check_cores(value);
	if (strncmp(option, "-m", 2) == 0 && value[strspn(value, "0123456789")] != '\0')
		return fan_fail(FAN_E_INVALID, "EAL's option -m %s: MiB of memory, in decimal", value);
	return 0;
}

static int
check_arguments(const char *const *arguments)
{
	int error = 0;

	for (; arguments != NULL && *arguments != NULL && error == 0; arguments++) {
		const char *argument = *arguments, *assigned;
		const bool is_long = strncmp(argument, "--", 2) == 0 && argument[2] != '\0';
		const bool is_short = !is_long && argument[0] == '-' && isalpha((unsigned char)argument[1]);
		int takes = is_long ? value_of_option(argument) : -1;

		if (strcmp(argument, "-h") == 0 || strcmp(argument, "--help") == 0)
			return fan_fail(FAN_E_INVALID, "EAL's option %s ends the process: the guide to DPDK lists its options",
					argument);
		if (is_short)
			takes = strchr(SHORT_WITH_VALUE, argument[1]) != NULL ? '='
				: strchr(SHORT_WITHOUT, argument[1]) != NULL  ? '\0'
									      : -1;
		if (takes < 0)
			return fan_fail(FAN_E_INVALID, "EAL has no option %s", argument);
		if (takes != '=')
			continue;
		assigned = is_short ? (argument[2] != '\0' ? argument + 2 : NULL) : strchr(argument, '=');
		if (assigned != NULL) {
			error = check_value(argument, assigned + is_long);
		} else {
			error = check_value(argument, arguments[1]);
			arguments++;
		}
	}
	return error;
}

/* ---- Start --------------------------------------------------------------------------------------------------------------- */

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

	if (RTE_VERSION <= NEWEST_RELEASE) {
		const int error = check_arguments(arguments);

		if (error != 0)
			return error;
	}
	line.count = 0;
	compose(&line, program, worker_count, arguments);
	if (line.count == ARGUMENTS_MAX)
		return fan_fail(FAN_E_INVALID, "too many EAL arguments: %d at most", ARGUMENTS_MAX);
	given_to_eal = line;
	rte_errno = 0;
	if (initialise(&given_to_eal) < 0) {
		snprintf(failure, sizeof(failure), "%s", rte_errno != 0 ? rte_strerror(rte_errno) : "it does not say why");
		return fan_fail(
			FAN_E_IO, "EAL does not start: %s; its own message stands above, arguments after -- go to it%s",
			failure,
			given(arguments, "--huge-dir --file-prefix --proc-type") != NULL
				? "; without --huge-dir, --file-prefix and --proc-type it shares nothing with other processes"
				: "");
	}
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
fan_eal_check_process(void)
{
	if (!started || process == fan_process_forks())
		return 0;
	return fan_fail(
		FAN_E_UNSUPPORTED,
		"EAL was started in the parent of this process, which has none of its threads: fork first, or start another "
		"program (exec)");
}

int
fan_eal_start(const char *program, unsigned worker_count, const char *const *arguments)
{
	unsigned idle = 0;
	int error = fan_eal_check_process();

	if (error != 0)
		return error;
	if (failure[0] != '\0')
		return fan_fail(
			FAN_E_IO,
			"EAL did not start before in this process (%s), and no process can start it twice: mend what it "
			"was given, and start the process anew",
			failure);
	if (!started && !runs())
		error = start(program, worker_count, arguments);
	if (error != 0)
		return error;
	started = true;
	process = fan_process_forks();
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
