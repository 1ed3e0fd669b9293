/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files that a command writes. One comes to be whole or not at all, and until then it has no name: whatever ends the process, nothing
 * stays behind, least of all keys. What is no regular file (a pipe, /dev/stdout) is written directly, "-" is stdout.
 *
 * A file that is there is replaced at the end: the new one has its mode, owner and group and, where a symbolic link led to it, its place;
 * other hard links keep the old content. Its name is free for a moment meanwhile, when the new one is whole. File systems without nameless
 * files (O_TMPFILE: NFS, vfat, 9p) need room for it twice: it is copied at the end, and the copy then takes the old one's name. What ends
 * the process in that moment (SIGKILL, a second SIGINT, the power) leaves the copy behind, for its owner alone to read, as
 * .fanfare-PID-OPTION-XXXXXX beside the file: the kernel has no way to keep that from happening.
 */
#ifndef FAN_OUTPUT_H
#define FAN_OUTPUT_H

#include "command.h"

#include <pthread.h>
#include <sys/stat.h>

#define FAN_OUTPUT_STDOUT "-"

/* Zeroed at first. */
struct fan_output {
	const char *option; /* as the command line has it, for errors */
	char *path;         /* owned: where it goes, symbolic links followed; NULL: no such output */
	char target[32];    /* what a writer opens, unless it writes directly */
	int file;           /* open: the nameless file, or the end of a pipe whose other end goes to stdout */
	bool nameless, copied;
	struct stat before; /* of the file to be replaced; st_nlink 0: none */
	mode_t mode;
	/* "-" */
	bool piped;
	pthread_t pump;
	int pipe_end, stdout_copy;
	int pump_errno;
};

/* Opens an output; a NULL path is none. In: secret, it holds keys and nobody but its owner may read it, whoever could read what was there
 * before. Returns FAN_EXIT_OK, or FAN_EXIT_FAILED with a line printed. */
int fan_output_open(struct fan_output *output, const struct fan_command *command, const char *option, const char *path,
		    bool secret);
/* What a writer opens; NULL: there is no such output. */
const char *fan_output_target(const struct fan_output *output);
/* Whether two outputs, both open, would be one file, or go to one pipe. Terminals and /dev/null may be shared. */
bool fan_output_same(const struct fan_output *one, const struct fan_output *other);
/* Puts what was written into its place, once every writer has closed it. As fan_output_open(). */
int fan_output_place(struct fan_output *output, const struct fan_command *command);
/* Forgets what was not placed. Safe on a zeroed struct. */
void fan_output_close(struct fan_output *output);

#endif
