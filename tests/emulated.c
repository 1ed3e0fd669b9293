/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For test programs of another architecture. Criterion starts its own program anew for each test, which the kernel cannot do with a
 * program of another architecture. Here it starts the emulator, which finds the libraries by QEMU_LD_PREFIX.
 */
#define _GNU_SOURCE
#include <string.h>
#include <unistd.h>

#define EMULATOR "qemu-aarch64"
#define ARGUMENTS_MAX 64

int
execve(const char *path, char *const arguments[], char *const environment[])
{
	char *started[ARGUMENTS_MAX + 2] = { strdup(EMULATOR), strdup(path) };

	for (size_t i = 1; i < ARGUMENTS_MAX && arguments[i - 1] != NULL; i++)
		started[i + 1] = arguments[i];
	return execvpe(EMULATOR, started, environment);
}
