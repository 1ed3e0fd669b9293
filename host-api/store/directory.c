/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "directory.h"
#include "seal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define WHO_BYTES 64 /* of a holder's own words: process and program */

static int
io_failed(const char *directory, const char *what)
{
	return fan_fail(FAN_E_IO, "store %s: %s: %s", directory, what, strerror(errno));
}

int
fan_directory_sync(const char *directory)
{
	const int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = 0;

	if (fd < 0 || fsync(fd) != 0)
		error = io_failed(directory, "names in it cannot be made durable");
	if (fd >= 0)
		(void)close(fd);
	return error;
}

static int
make(const char *directory)
{
	char above[FAN_DIRECTORY_BYTES + 4];

	if (mkdir(directory, 0700) != 0)
		return errno == EEXIST ? 0 : io_failed(directory, "it cannot be made");
	(void)snprintf(above, sizeof(above), "%s/..", directory);
	return fan_directory_sync(above);
}

static int
check(const char *directory)
{
	struct stat stat;

	if (lstat(directory, &stat) != 0)
		return fan_fail(errno == ENOENT ? FAN_E_NOT_FOUND : FAN_E_IO, "store %s: %s", directory, strerror(errno));
	if (!S_ISDIR(stat.st_mode))
		return fan_fail(FAN_E_INVALID, "store %s: is no directory", directory);
	if (stat.st_uid != geteuid())
		return fan_fail(FAN_E_INVALID, "store %s: belongs to user %u, and user %u runs this: chown it", directory,
				stat.st_uid, geteuid());
	if ((stat.st_mode & 07777) != 0700)
		return fan_fail(FAN_E_INVALID, "store %s: has mode %04o, and mode 0700 is wanted: chmod 700", directory,
				stat.st_mode & 07777);
	return 0;
}

static int
held(int holder, const char *directory)
{
	char who[WHO_BYTES] = "";
	const ssize_t who_bytes = pread(holder, who, sizeof(who) - 1, 0);

	who[who_bytes > 0 ? strcspn(who, "\n") : 0] = '\0';
	return fan_fail(FAN_E_BUSY, "store %s is open in process %s: one process at a time", directory,
			who[0] != '\0' ? who : "(it did not say which)");
}

/* The kernel keeps the lock; what the file says is for people. */
static int
lock(int holder, const char *directory)
{
	char who[WHO_BYTES] = "";

	if (flock(holder, LOCK_EX | LOCK_NB) != 0)
		return errno == EWOULDBLOCK ? held(holder, directory) : io_failed(directory, "file `holder`");
	(void)snprintf(who, sizeof(who), "%d (%.40s)\n", getpid(), program_invocation_short_name);
	return pwrite(holder, who, sizeof(who), 0) == sizeof(who) ? 0 : io_failed(directory, "file `holder`");
}

int
fan_directory_hold(int *holder, const char *directory, bool create)
{
	char path[FAN_DIRECTORY_BYTES + 16];
	int error = create ? make(directory) : 0;

	*holder = -1;
	if (error == 0)
		error = check(directory);
	if (error != 0)
		return error;
	(void)snprintf(path, sizeof(path), "%s/holder", directory);
	*holder = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*holder < 0 && errno == EROFS)
		return fan_fail(FAN_E_IO, "store %s: its file system is read-only: check it (fsck) and mount it for writing",
				directory);
	if (*holder < 0)
		return io_failed(directory, "file `holder`");
	error = lock(*holder, directory);
	if (error != 0) {
		(void)close(*holder);
		*holder = -1;
	}
	return error;
}

int
fan_directory_place(struct fan_place *place, const char *file)
{
	const int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);
	struct statx stat;
	char id[64];
	const ssize_t id_bytes = fd >= 0 ? read(fd, id, sizeof(id)) : 0;

	if (fd >= 0)
		(void)close(fd);
	if (statx(AT_FDCWD, file, 0, STATX_INO | STATX_BTIME, &stat) != 0)
		return io_failed(file, "it cannot be looked at");
	*place = (struct fan_place){ .inode = stat.stx_ino };
	if ((stat.stx_mask & STATX_BTIME) != 0)
		place->born_ns = stat.stx_btime.tv_sec * INT64_C(1000000000) + stat.stx_btime.tv_nsec;
	fan_seal_hash(place->machine, sizeof(place->machine), "fanfare store, machine", id,
		      id_bytes > 0 ? (size_t)id_bytes : 0);
	return 0;
}
