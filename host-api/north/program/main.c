/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fanfare-north: the faces. `fanfare t8` and `fanfare web` run it, with a file that they have been given: fanfare-north FACE [--check] FILE. It is a
 * program of its own, so that no line of HTTP, TLS or JSON Web Tokens is ever mapped into the process that holds keys.
 */
#include "../faces.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int (*run)(const char *file, bool check);
} faces[] = {
	{ "t8", fan_t8_main },
	{ "web", fan_web_main },
};

int
main(int argc, char **argv)
{
	const bool check = argc == 4 && strcmp(argv[2], "--check") == 0;

	for (size_t i = 0; i < sizeof(faces) / sizeof(faces[0]) && (argc == 3 || check); i++)
		if (strcmp(argv[1], faces[i].name) == 0)
			return faces[i].run(argv[argc - 1], check);
	(void)fprintf(stderr, "usage: fanfare-north FACE [--check] FILE; it is what `fanfare t8` and its like run\n");
	return 2;
}
