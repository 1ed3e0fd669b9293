/* SPDX-License-Identifier: BSD-3-Clause */
/* What a process may still do once it is in the sandbox: each try is a process of its own, which lives, is refused, or is killed. */
#define _GNU_SOURCE
#include "../host-api/control/daemon.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))
#define PAGE_BYTES 4096

/* What was made before, as a daemon has it. */
static int pair[2], inet;
static char *page;

struct attempt {
	const char *what;
	bool (*succeeds)(void); /* false: as errno says */
};

#define CANNOT_ENTER 3

/* How a process ends that enters and then tries: 0 it was done, else errno; or, in the upper bits as of wait(2), the signal. */
static int
end_of(bool (*succeeds)(void))
{
	const pid_t child = fork();
	int status = 0;

	if (child == 0) {
		if (fan_sandbox_enter() != 0)
			_exit(CANNOT_ENTER);
		errno = 0;
		_exit(succeeds() ? 0 : errno);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	return status;
}

static void
prepare(void)
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	inet = socket(AF_INET, SOCK_STREAM, 0);
	page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert(page != MAP_FAILED);
}

TestSuite(sandbox, .init = prepare, .timeout = 60);

/* ---- What kills -------------------------------------------------------------------------------------------------------- */

static bool
executes(void)
{
	return execl("/bin/true", "true", (char *)NULL) == 0;
}

static bool
executes_a_descriptor(void)
{
	char *const argv[] = { NULL };

	return fexecve(open("/bin/true", O_RDONLY | O_CLOEXEC), argv, argv) == 0;
}

/* By numbers: the filter looks at nothing else, and without it none of them does harm with these arguments. */
static long number;

static bool
calls_by_number(void)
{
	return syscall(number, -1L, -1L, -1L, -1L, -1L, -1L) == 0;
}

Test(sandbox, what_an_intruder_needs_kills)
{
	static const long numbers[] = {
		SYS_execve,          SYS_execveat,    SYS_ptrace,         SYS_process_vm_readv,  SYS_process_vm_writev,
		SYS_pidfd_getfd,     SYS_init_module, SYS_finit_module,   SYS_delete_module,     SYS_bpf,
		SYS_perf_event_open, SYS_userfaultfd, SYS_io_uring_setup, SYS_io_uring_enter,    SYS_setns,
		SYS_unshare,         SYS_mount,       SYS_umount2,        SYS_move_mount,        SYS_open_tree,
		SYS_fsopen,          SYS_pivot_root,  SYS_chroot,         SYS_open_by_handle_at, SYS_keyctl,
		SYS_add_key,         SYS_kexec_load,
	};
	int status = end_of(executes);

	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "execve: %#x", (unsigned)status);
	status = end_of(executes_a_descriptor);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "fexecve: %#x", (unsigned)status);
	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		number = numbers[i];
		status = end_of(calls_by_number);
		cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "system call %ld: %#x", number, (unsigned)status);
	}
}

/* ---- What is refused --------------------------------------------------------------------------------------------------- */

static bool
makes_socket(int family, int type)
{
	return socket(family, type, 0) >= 0;
}

static bool
makes_inet(void)
{
	return makes_socket(AF_INET, SOCK_STREAM);
}

static bool
makes_inet6(void)
{
	return makes_socket(AF_INET6, SOCK_DGRAM);
}

static bool
makes_netlink(void)
{
	return makes_socket(AF_NETLINK, SOCK_RAW);
}

static bool
makes_packet(void)
{
	return makes_socket(AF_PACKET, SOCK_RAW);
}

/* The family as the kernel has it: an int. */
static bool
makes_inet_by_upper_bits(void)
{
	return syscall(SYS_socket, (1L << 32) | AF_INET, (long)SOCK_STREAM, 0L) >= 0;
}

static bool
listens(void)
{
	return listen(inet, 1) == 0;
}

static bool
binds(void)
{
	const struct sockaddr_un name = { .sun_family = AF_UNIX };

	return bind(socket(AF_UNIX, SOCK_STREAM, 0), (const struct sockaddr *)&name, sizeof(sa_family_t)) == 0;
}

static bool
sets_option(void)
{
	const int on = 1;

	return setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0;
}

static bool
forks(void)
{
	const pid_t child = (pid_t)syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L);

	if (child == 0)
		_exit(0);
	return child > 0;
}

static bool
maps_code(void)
{
	return mmap(NULL, PAGE_BYTES, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static bool
makes_code(void)
{
	return mprotect(page, PAGE_BYTES, PROT_READ | PROT_EXEC) == 0;
}

static bool
makes_all_memory_code(void)
{
	return personality(READ_IMPLIES_EXEC) >= 0;
}

static bool
becomes_dumpable(void)
{
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0;
}

static bool
lets_itself_be_traced(void)
{
	return prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0) == 0;
}

static bool
becomes_another(void)
{
	return setresuid(getuid(), getuid(), getuid()) == 0;
}

static bool
raises_a_limit(void)
{
	const struct rlimit no_core = { 0, 0 };

	return setrlimit(RLIMIT_CORE, &no_core) == 0;
}

static bool
signals_another(void)
{
	return kill(getppid(), 0) == 0;
}

static bool
signals_a_thread_of_another(void)
{
	return syscall(SYS_tgkill, (long)getppid(), (long)getppid(), 0L) == 0;
}

static bool
changes_a_mode(void)
{
	return fchmod(pair[0], 0600) == 0;
}

static bool
types_into_a_terminal(void)
{
	return ioctl(pair[0], TIOCSTI, "x") == 0;
}

static const struct attempt refused[] = {
	{ "AF_INET", makes_inet },
	{ "AF_INET6", makes_inet6 },
	{ "AF_NETLINK", makes_netlink },
	{ "AF_PACKET", makes_packet },
	{ "AF_INET and upper bits", makes_inet_by_upper_bits },
	{ "listen", listens },
	{ "bind", binds },
	{ "setsockopt", sets_option },
	{ "fork", forks },
	{ "mmap of code", maps_code },
	{ "mprotect to code", makes_code },
	{ "READ_IMPLIES_EXEC", makes_all_memory_code },
	{ "PR_SET_DUMPABLE", becomes_dumpable },
	{ "PR_SET_PTRACER", lets_itself_be_traced },
	{ "setresuid", becomes_another },
	{ "setrlimit", raises_a_limit },
	{ "kill", signals_another },
	{ "tgkill", signals_a_thread_of_another },
	{ "fchmod", changes_a_mode },
	{ "TIOCSTI", types_into_a_terminal },
};

Test(sandbox, all_else_is_as_if_the_kernel_had_it_not)
{
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		const int status = end_of(refused[i].succeeds);

		cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == ENOSYS, "%s: %#x", refused[i].what, (unsigned)status);
	}
}

/* ---- What goes on ------------------------------------------------------------------------------------------------------ */

static bool
keeps_a_file(void)
{
	char name[] = "/tmp/fanfare-sandbox.XXXXXX", octets[2] = "ab";
	const int file = mkstemp(name);
	const struct iovec part = { octets, 2 };
	char *mapped;
	bool good = file >= 0 && unlink(name) == 0 && pwrite(file, octets, 2, 0) == 2 && pwritev(file, &part, 1, 2) == 2 &&
		    ftruncate(file, 2L * PAGE_BYTES) == 0 && fdatasync(file) == 0;

	mapped = good ? mmap(NULL, PAGE_BYTES, PROT_READ, MAP_SHARED, file, 0) : MAP_FAILED;
	good = mapped != MAP_FAILED && mapped[3] == 'b' && pread(file, octets, 2, 1) == 2;
	if (good)
		mapped = mremap(mapped, PAGE_BYTES, 2L * PAGE_BYTES, MREMAP_MAYMOVE);
	return good && mapped != MAP_FAILED && munmap(mapped, 2L * PAGE_BYTES) == 0 && close(file) == 0;
}

static bool
passes_a_descriptor(void)
{
	union {
		struct cmsghdr header;
		char octets[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) } };
	char octet = 'x';
	struct iovec part = { &octet, 1 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.octets, .msg_controllen = sizeof(control.octets)
	};

	memcpy(CMSG_DATA(&control.header), &pair[1], sizeof(int));
	return sendmsg(pair[0], &message, 0) == 1 && recvmsg(pair[1], &message, MSG_CMSG_CLOEXEC) == 1 &&
	       message.msg_controllen >= CMSG_LEN(sizeof(int));
}

static bool
reaches_its_service_manager(void)
{
	return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) >= 0;
}

static bool
waits(void)
{
	const struct itimerspec soon = { .it_value.tv_nsec = 1000000 };
	const int epoll = epoll_create1(EPOLL_CLOEXEC), timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN };

	return eventfd(0, EFD_CLOEXEC) >= 0 && timerfd_settime(timer, 0, &soon, NULL) == 0 &&
	       epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event) == 0 && epoll_wait(epoll, &event, 1, 5000) == 1 &&
	       usleep(1000) == 0;
}

static void *
set_true(void *flag)
{
	*(bool *)flag = true;
	return NULL;
}

static bool
begins_a_thread(void)
{
	pthread_t thread;
	bool ran = false;

	return pthread_create(&thread, NULL, set_true, &ran) == 0 && pthread_setname_np(pthread_self(), "sandboxed") == 0 &&
	       pthread_join(thread, NULL) == 0 && ran;
}

static bool
allocates(void)
{
	char *much = malloc(64 << 20);

	if (much == NULL)
		return false;
	memset(much, 1, 64 << 20);
	free(much);
	return true;
}

/* All that finds users is asked for one that nothing knows. */
static bool
finds_users(void)
{
	return getpwnam("root") != NULL && getpwnam("fanfare-no-such-user") == NULL;
}

static bool
asks_for_limits(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_AS, &limit) == 0 && sysconf(_SC_AVPHYS_PAGES) > 0;
}

static const struct attempt allowed[] = {
	{ "files", keeps_a_file }, { "descriptors", passes_a_descriptor }, { "AF_UNIX", reaches_its_service_manager },
	{ "waiting", waits },      { "threads", begins_a_thread },         { "memory", allocates },
	{ "users", finds_users },  { "limits", asks_for_limits },
};

Test(sandbox, what_a_daemon_does_goes_on)
{
	for (size_t i = 0; i < COUNT_OF(allowed); i++) {
		const int status = end_of(allowed[i].succeeds);

		cr_assert_eq(status, 0, "%s: %#x", allowed[i].what, (unsigned)status);
	}
}

static bool
aborts(void)
{
	signal(SIGABRT, SIG_DFL);
	abort();
}

Test(sandbox, who_gives_up_ends_by_its_own_signal)
{
	const int status = end_of(aborts);

	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%#x", (unsigned)status);
}

/* ---- Threads ----------------------------------------------------------------------------------------------------------- */

/* Waits until the other thread is in the sandbox; then asks for a socket. Out: errno. */
static void *
ask_afterwards(void *user)
{
	int *error = user;
	char octet;

	if (read(pair[1], &octet, 1) == 1 && !makes_inet())
		*error = errno;
	return NULL;
}

static int
bind_a_thread(void)
{
	pthread_t thread;
	int error = 0;

	if (pthread_create(&thread, NULL, ask_afterwards, &error) != 0 || fan_sandbox_enter() != 0)
		return CANNOT_ENTER;
	if (write(pair[0], "x", 1) != 1 || pthread_join(thread, NULL) != 0)
		return CANNOT_ENTER;
	return error;
}

Test(sandbox, a_thread_that_was_there_before_is_bound_too)
{
	const pid_t child = fork();
	int status;

	if (child == 0)
		_exit(bind_a_thread());
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == ENOSYS, "%#x", (unsigned)status);
}
