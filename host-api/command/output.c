/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define COPY_BYTES 65536
#define LINKS_MAX 40   /* symbolic links in a row, as the kernel has it */
#define ATTEMPTS_MAX 8 /* against another process that makes the same file */

static int
fail(const struct fan_output *output, const struct fan_command *command, const char *path, int error)
{
	return fan_command_fail(command, FAN_EXIT_FAILED, "--%s %s: %s", output->option, path, strerror(error));
}

static bool
write_whole(int to, const uint8_t *octets, size_t byte_count)
{
	while (byte_count > 0) {
		const ssize_t n = write(to, octets, byte_count);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		octets += n;
		byte_count -= (size_t)n;
	}
	return true;
}

/* A writer opens its target by the name that /proc has for it. */
static int
check_target(const struct fan_output *output, const struct fan_command *command, const char *path)
{
	if (access(output->target, F_OK) == 0 || errno != ENOENT)
		return FAN_EXIT_OK;
	return fan_command_fail(command, FAN_EXIT_FAILED,
				"--%s %s: cannot be written without /proc: mount it (mount -t proc proc /proc), or name a pipe "
				"(mkfifo)",
				output->option, path);
}

/* ---- "-" --------------------------------------------------------------------------------------------------------------- */

/* Carries octets from the pipe to stdout, whatever that is. A fault is told at the end, and the rest is taken in, so that no writer waits
 * for ever. */
static void *
pump(void *user)
{
	struct fan_output *output = user;
	static uint8_t octets[COPY_BYTES]; /* stdout is one output at the most */
	ssize_t n;

	while ((n = read(output->pipe_end, octets, sizeof(octets))) > 0)
		if (output->pump_errno == 0 && !write_whole(output->stdout_copy, octets, (size_t)n))
			output->pump_errno = errno;
	return NULL;
}

/* A writer opens the pipe by name: opened so, a file behind stdout would be cut, and a socket not open at all. */
static int
open_stdout(struct fan_output *output, const struct fan_command *command)
{
	int ends[2] = { -1, -1 };

	output->stdout_copy = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (output->stdout_copy < 0 || pipe2(ends, O_CLOEXEC) != 0)
		return fail(output, command, FAN_OUTPUT_STDOUT, errno);
	output->pipe_end = ends[0];
	output->file = ends[1];
	snprintf(output->target, sizeof(output->target), "/proc/self/fd/%d", output->file);
	if (pthread_create(&output->pump, NULL, pump, output) != 0) {
		close(output->pipe_end);
		return fail(output, command, FAN_OUTPUT_STDOUT, EAGAIN);
	}
	output->piped = true;
	return check_target(output, command, FAN_OUTPUT_STDOUT);
}

/* Closes our end, which is the last, and waits for what is on its way. */
static void
end_pump(struct fan_output *output)
{
	if (!output->piped)
		return;
	close(output->file);
	output->file = -1;
	pthread_join(output->pump, NULL);
	close(output->pipe_end);
	output->piped = false;
}

/* ---- Nameless files ---------------------------------------------------------------------------------------------------- */

static bool
goes_direct(const char *path)
{
	struct stat found;

	if (strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/proc/", 6) == 0)
		return true;
	return stat(path, &found) == 0 && !S_ISREG(found.st_mode) && !S_ISDIR(found.st_mode);
}

/* A name in the folder of a path, owned; NULL: no memory. */
static char *
beside(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');
	char *joined;

	if (slash == NULL || *name == '/')
		return strdup(name);
	return asprintf(&joined, "%.*s%s", (int)(slash + 1 - path), path, name) < 0 ? NULL : joined;
}

/* Where a path leads, over symbolic links also to a file that is not there yet; owned. NULL: errno says why not. */
static char *
follow(const char *path)
{
	char *at = strdup(path);

	for (unsigned links = 0; at != NULL; links++) {
		static char to[PATH_MAX];
		const ssize_t to_bytes = readlink(at, to, sizeof(to) - 1);
		char *next;

		if (to_bytes < 0)
			return at;
		to[to_bytes] = '\0';
		next = links < LINKS_MAX ? beside(at, to) : NULL;
		free(at);
		at = next;
		if (links >= LINKS_MAX)
			errno = ELOOP;
	}
	return NULL;
}

/* A file under a name of its own in the folder of an output, for its owner alone; -1: errno says why not. Out: *name, owned; NULL with
 * -1. */
static int
open_beside(char **name, const struct fan_output *output)
{
	char own[64];
	int file;

	snprintf(own, sizeof(own), ".fanfare-%ld-%s-XXXXXX", (long)getpid(), output->option);
	*name = beside(output->path, own);
	file = *name == NULL ? -1 : mkostemp(*name, O_CLOEXEC);
	if (file < 0) {
		free(*name);
		*name = NULL;
	}
	return file;
}

/* A file without a name in the folder where it is to have one; -1: errno says why not. */
static int
open_nameless(struct fan_output *output)
{
	char *folder = beside(output->path, "."), *name;
	int file = -1;

	if (folder != NULL)
		file = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	free(folder);
	if (file >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return file;
	file = open_beside(&name, output);
	if (file >= 0)
		unlink(name);
	free(name);
	output->copied = true;
	return file;
}

/* The owner of what was there, on the new file. */
static bool
keep_owner(const struct fan_output *output, int file)
{
	struct stat now;

	if (output->before.st_nlink == 0 || fstat(file, &now) != 0)
		return output->before.st_nlink == 0;
	if (now.st_uid == output->before.st_uid && now.st_gid == output->before.st_gid)
		return true;
	return fchown(file, output->before.st_uid, output->before.st_gid) == 0;
}

static int
open_file(struct fan_output *output, const struct fan_command *command, const char *path, bool secret)
{
	const mode_t all = secret ? 0600 : 0666, mask = umask(0);

	umask(mask);
	output->path = follow(path);
	if (output->path == NULL)
		return fail(output, command, path, errno);
	if (lstat(output->path, &output->before) != 0) {
		if (errno != ENOENT)
			return fail(output, command, path, errno);
		output->before.st_nlink = 0;
	}
	if (output->before.st_nlink > 0 && S_ISDIR(output->before.st_mode))
		return fail(output, command, path, EISDIR);
	output->mode = output->before.st_nlink > 0 ? output->before.st_mode & (secret ? 0600 : 07777) : all & ~mask;
	output->file = open_nameless(output);
	if (output->file < 0)
		return fail(output, command, path, errno);
	output->nameless = true;
	if (!keep_owner(output, output->file))
		return fan_command_fail(
			command, FAN_EXIT_FAILED,
			"--%s %s: belongs to another user or group, which cannot be kept: remove it first, or name "
			"another file",
			output->option, path);
	snprintf(output->target, sizeof(output->target), "/proc/self/fd/%d", output->file);
	return check_target(output, command, path);
}

int
fan_output_open(struct fan_output *output, const struct fan_command *command, const char *option, const char *path, bool secret)
{
	*output = (struct fan_output){ .option = option, .file = -1, .pipe_end = -1, .stdout_copy = -1 };
	if (path == NULL)
		return FAN_EXIT_OK;
	if (strcmp(path, FAN_OUTPUT_STDOUT) != 0 && !goes_direct(path))
		return open_file(output, command, path, secret);
	output->path = strdup(path);
	if (output->path == NULL)
		return fail(output, command, path, ENOMEM);
	if (strcmp(path, FAN_OUTPUT_STDOUT) == 0)
		return open_stdout(output, command);
	/* main() made this process closed to others, and the kernel then closes /proc/self/fd, where /dev/stdout leads, to all but root. The
	 * keys of this command are synthetic, so what was asked for goes first. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	return access(path, W_OK) == 0 ? FAN_EXIT_OK : fail(output, command, path, errno);
}

const char *
fan_output_target(const struct fan_output *output)
{
	return output->target[0] != '\0' ? output->target : output->path;
}

/* ---- Two of them ------------------------------------------------------------------------------------------------------- */

static const char *
last_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* What is there already. False: nothing is. */
static bool
look_at(struct stat *found, const struct fan_output *output)
{
	*found = output->before;
	if (output->piped)
		return fstat(output->stdout_copy, found) == 0;
	return output->nameless ? found->st_nlink > 0 : stat(output->path, found) == 0;
}

static bool
same_folder(const struct fan_output *one, const struct fan_output *other)
{
	char *folders[2] = { beside(one->path, "."), beside(other->path, ".") };
	struct stat found[2];
	const bool same = folders[0] != NULL && folders[1] != NULL && stat(folders[0], &found[0]) == 0 &&
			  stat(folders[1], &found[1]) == 0 && found[0].st_dev == found[1].st_dev &&
			  found[0].st_ino == found[1].st_ino;

	free(folders[0]);
	free(folders[1]);
	return same;
}

/* Two names of one file (hard links) each get a file of their own, where neither is written to directly. */
bool
fan_output_same(const struct fan_output *one, const struct fan_output *other)
{
	struct stat found[2];

	if (one->path == NULL || other->path == NULL)
		return false;
	if (one->nameless && other->nameless)
		return strcmp(last_name(one->path), last_name(other->path)) == 0 && same_folder(one, other);
	return look_at(&found[0], one) && look_at(&found[1], other) && !S_ISCHR(found[0].st_mode) &&
	       found[0].st_dev == found[1].st_dev && found[0].st_ino == found[1].st_ino;
}

/* ---- In its place ------------------------------------------------------------------------------------------------------ */

/* Makes a copy and, when that is whole, gives it the name. 0, or an errno with no copy left and the old file as it was. */
static int
copy(const struct fan_output *output)
{
	char *name;
	const int to = open_beside(&name, output);
	static uint8_t octets[COPY_BYTES];
	int error = 0;
	ssize_t n = 1;

	if (to < 0)
		return errno;
	if (lseek(output->file, 0, SEEK_SET) != 0)
		error = errno;
	while (error == 0 && n > 0) {
		n = read(output->file, octets, sizeof(octets));
		if (n < 0 || (n > 0 && !write_whole(to, octets, (size_t)n)))
			error = errno;
	}
	if (error == 0 && (!keep_owner(output, to) || fchmod(to, output->mode) != 0))
		error = errno;
	if (error == 0 && fsync(to) != 0)
		error = errno;
	if (close(to) != 0 && error == 0)
		error = errno;
	explicit_bzero(octets, sizeof(octets));
	if (error == 0 && rename(name, output->path) != 0)
		error = errno;
	if (error != 0)
		unlink(name);
	free(name);
	return error;
}

/* 0, or an errno. */
static int
give_name(const struct fan_output *output)
{
	if (output->copied)
		return copy(output);
	if (fchmod(output->file, output->mode) != 0 ||
	    linkat(AT_FDCWD, output->target, AT_FDCWD, output->path, AT_SYMLINK_FOLLOW) != 0)
		return errno;
	return 0;
}

int
fan_output_place(struct fan_output *output, const struct fan_command *command)
{
	int error = EEXIST;

	end_pump(output);
	if (output->pump_errno != 0)
		return fail(output, command, FAN_OUTPUT_STDOUT, output->pump_errno);
	if (!output->nameless)
		return FAN_EXIT_OK;
	/* A name that is taken is freed first: under a second name, to be renamed, keys could stay behind. */
	for (unsigned i = 0; i < ATTEMPTS_MAX && error == EEXIST; i++) {
		error = give_name(output);
		if (error == EEXIST && unlink(output->path) != 0 && errno != ENOENT)
			error = errno;
	}
	return error == 0 ? FAN_EXIT_OK : fail(output, command, output->path, error);
}

void
fan_output_close(struct fan_output *output)
{
	end_pump(output);
	if (output->path != NULL && output->file >= 0)
		close(output->file);
	if (output->path != NULL && output->stdout_copy >= 0)
		close(output->stdout_copy);
	free(output->path);
	*output = (struct fan_output){ .file = -1 };
}
