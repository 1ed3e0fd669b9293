/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "daemon.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

/* ---- Who it is --------------------------------------------------------------------------------------------------------- */

/* Out: *user and *group, those that [serve] names, else as they are. */
static int
find_identity(uid_t *user, gid_t *group, const struct fan_configuration *configuration)
{
	const struct passwd *by_user = configuration->serve.user != NULL ? getpwnam(configuration->serve.user) : NULL;
	const struct group *by_group = configuration->serve.group != NULL ? getgrnam(configuration->serve.group) : NULL;

	if (configuration->serve.user != NULL && by_user == NULL)
		return fan_fail(FAN_E_INVALID, "[serve] user %s: no such user", configuration->serve.user);
	if (configuration->serve.group != NULL && by_group == NULL)
		return fan_fail(FAN_E_INVALID, "[serve] group %s: no such group", configuration->serve.group);
	*user = by_user != NULL ? by_user->pw_uid : geteuid();
	*group = by_group != NULL ? by_group->gr_gid : by_user != NULL ? by_user->pw_gid : getegid();
	return 0;
}

/* The C library does this in every thread of the process, workers included. */
static int
become(const struct fan_server *server, uid_t user, gid_t group)
{
	const struct fan_configuration *configuration = &server->configuration;

	if (configuration->serve.user == NULL && configuration->serve.group == NULL)
		return 0;
	if (server->bound && chown(configuration->serve.socket, user, group) != 0)
		return fan_fail(FAN_E_IO, "%s: %s", configuration->serve.socket, strerror(errno));
	if (setgroups(0, NULL) != 0 || setresgid(group, group, group) != 0 || setresuid(user, user, user) != 0)
		return fan_fail(FAN_E_IO, "[serve] user and group: root alone can become another: %s", strerror(errno));
	return 0;
}

/* ---- System calls ------------------------------------------------------------------------------------------------------ */

/*
 * What a daemon that has everything open still asks of the kernel, with blanks between the names. These differ between architectures (arm64 has no
 * open, poll, unlink) and come with the years: those that an architecture or a libseccomp does not know are passed over.
 *
 * What is on no list is answered as by a kernel that lacks it, ENOSYS: a newer C library then takes the older call, and the daemon stays up.
 */
static const char *const allowed[] = {
	/* Clients, and descriptors that come with their lines; also a simulated card, syslog, names of users: all by AF_UNIX. */
	"accept accept4 connect getpeername getsockname getsockopt recvfrom recvmsg sendmsg sendto shutdown",
	/* The control loop, and drivers that wait. */
	"epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd2 poll ppoll pselect6 select timerfd_create "
	"timerfd_gettime timerfd_settime",
	/* The store, the capture, files of clients, and the configuration that is read again; /proc, /sys and /etc for what a library asks. */
	"access close faccessat faccessat2 fadvise64 fallocate fcntl fdatasync flock fstat fstatfs fsync ftruncate "
	"getdents64 lseek lstat newfstatat open openat pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead "
	"readlink readlinkat readv stat statfs statx sync_file_range write writev",
	/* At the end: the socket's name, and files of huge pages. */
	"unlink unlinkat",
	/* Memory that grows and goes, locked where it holds keys; that of huge pages and of a simulated card is a file's. */
	"brk get_mempolicy madvise mbind memfd_create mincore mlock mlock2 mremap msync munlock munmap set_mempolicy",
	/* Threads that wait for each other, begin and end. */
	"exit exit_group futex futex_waitv get_robust_list getcpu gettid membarrier rseq sched_getaffinity "
	"sched_setaffinity sched_yield set_robust_list",
	/* Time, and chance. */
	"clock_getres clock_gettime clock_nanosleep getrandom gettimeofday nanosleep time",
	/* Signals to itself. */
	"restart_syscall rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack",
	/* Who and where it is. */
	"getegid geteuid getgid getpid getuid sysinfo uname",
};

/* Allowed as far as one argument goes. */
struct condition {
	const char *name;
	struct scmp_arg_cmp argument;
};

#define MASKED(number, mask, value)                                                                                            \
	{                                                                                                                      \
		.arg = (number), .op = SCMP_CMP_MASKED_EQ, .datum_a = (mask), .datum_b = (value)                               \
	}
#define IS(number, value) MASKED(number, UINT32_MAX, value)
#define IOCTLS_OF(letter) MASKED(1, 0xff00, (uint64_t)(letter) << 8)

static const struct condition conditions[] = {
	/* No new network socket: the port's are open, and without setsockopt() none becomes another. */
	{ "socket", IS(0, AF_UNIX) },
	/* No memory becomes code. */
	{ "mmap", MASKED(2, PROT_EXEC, 0) },
	{ "mprotect", MASKED(2, PROT_EXEC, 0) },
	/* A thread, and no process. */
	{ "clone", MASKED(0, CLONE_THREAD, CLONE_THREAD) },
	/* Limits are asked for, and not set. */
	{ "prlimit64", { .arg = 2, .op = SCMP_CMP_EQ, .datum_a = 0 } },
	/* Where this process's own pages lie. */
	{ "move_pages", IS(0, 0) },
	/* Names of threads and, newer C libraries, of memory. */
	{ "prctl", IS(0, PR_SET_NAME) },
	{ "prctl", IS(0, PR_SET_VMA) },
	/* Interfaces (SIOC...), VFIO and InfiniBand verbs of ports; whether a file is a terminal. Nothing that types into one. */
	{ "ioctl", IOCTLS_OF(0x89) },
	{ "ioctl", IOCTLS_OF(';') },
	{ "ioctl", IOCTLS_OF(0x1b) },
	{ "ioctl", IS(1, TCGETS) },
};

/* What no honest path comes to: other programs, other processes' memory, the kernel's code, other views of the file system. */
static const char deadly[] =
	"execve execveat ptrace process_vm_readv process_vm_writev pidfd_getfd init_module finit_module delete_module "
	"kexec_load kexec_file_load bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register iopl "
	"ioperm setns unshare mount umount2 move_mount open_tree fsopen fsconfig fsmount fspick mount_setattr pivot_root "
	"chroot open_by_handle_at keyctl add_key request_key reboot swapon swapoff";

/* Returns 0, also for a name that is not known here, or a negative errno. */
static int
add(scmp_filter_ctx filter, uint32_t action, const char *name, const struct scmp_arg_cmp *argument)
{
	const int number = seccomp_syscall_resolve_name(name);

	return number == __NR_SCMP_ERROR ? 0 : seccomp_rule_add_array(filter, action, number, argument != NULL, argument);
}

static int
add_names(scmp_filter_ctx filter, uint32_t action, const char *names)
{
	char name[32];
	int result = 0;

	while (result == 0 && *names != '\0') {
		const size_t name_bytes = strcspn(names, " ");

		(void)snprintf(name, sizeof(name), "%.*s", (int)name_bytes, names);
		result = add(filter, action, name, NULL);
		names += name_bytes;
		names += strspn(names, " ");
	}
	return result;
}

static int
add_all(scmp_filter_ctx filter)
{
	/* abort() sends a signal to its own thread. */
	const struct condition own = { "tgkill", IS(0, (uint32_t)getpid()) };
	int result = add(filter, SCMP_ACT_ALLOW, own.name, &own.argument);

	for (size_t i = 0; result == 0 && i < COUNT_OF(allowed); i++)
		result = add_names(filter, SCMP_ACT_ALLOW, allowed[i]);
	for (size_t i = 0; result == 0 && i < COUNT_OF(conditions); i++)
		result = add(filter, SCMP_ACT_ALLOW, conditions[i].name, &conditions[i].argument);
	return result != 0 ? result : add_names(filter, SCMP_ACT_KILL_PROCESS, deadly);
}

/* In every thread there is, DPDK's among them, or not at all. What is refused stands in the kernel's log. The program runs no code of others, so
 * that the slower instructions by which older kernels guard those who do are not for it. */
static int
set_attributes(scmp_filter_ctx filter)
{
	const int result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);

	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
	return result != 0 ? result : seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
}

/* The C library loads what finds users and groups when it is first asked, and code cannot be loaded later: a reload reads [roles]. */
static void
load_name_services(void)
{
	(void)getpwnam("no such user");
	(void)getgrnam("no such group");
}

int
fan_sandbox_enter(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int result = filter == NULL ? -ENOMEM : set_attributes(filter);

	load_name_services();
	if (result == 0)
		result = add_all(filter);
	if (result == 0)
		result = seccomp_load(filter);
	seccomp_release(filter);
	if (result == 0)
		return 0;
	return fan_fail(FAN_E_UNSUPPORTED,
			"[serve] sandbox: the kernel takes no filter of system calls (%s): sandbox = no does without",
			strerror(-result));
}

/* ---- Both -------------------------------------------------------------------------------------------------------------- */

int
fan_server_confine(struct fan_server *server)
{
	uid_t user;
	gid_t group;
	int error = find_identity(&user, &group, &server->configuration);

	if (error == 0)
		error = become(server, user, group);
	if (error == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		error = fan_fail(FAN_E_IO, "no_new_privs: %s", strerror(errno));
	/* Becoming another user made the process dumpable again; main() sees to the rest. */
	if (error == 0)
		(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (error == 0 && server->configuration.serve.sandbox)
		error = fan_sandbox_enter();
	return error;
}
