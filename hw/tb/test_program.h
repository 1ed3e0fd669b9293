/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the test programs of this directory have in common: the command line, one seed of all that is random, how a failed check ends.
 */
#ifndef FAN_TEST_PROGRAM_H
#define FAN_TEST_PROGRAM_H

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <variant>
#include <vector>

/* A failure is found again by it alone. */
inline uint64_t test_seed = 0x46414e;

struct test_case {
	const char *name;
	void (*run)();
};

/* `--name value`. A double is a probability, below 1, or nothing would ever happen. */
struct test_option {
	const char *name, *value;
	std::variant<uint64_t *, unsigned *, double *> number;
};

/* Prints and exits with 1: a failed check. */
[[noreturn]] inline void __attribute__((format(printf, 1, 2)))
fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fprintf(stderr, "FAILED: ");
	vfprintf(stderr, format, arguments);
	fprintf(stderr, " (seed 0x%llx)\n", (unsigned long long)test_seed);
	va_end(arguments);
	exit(1);
}

inline bool
read_option(const std::vector<test_option> &options, const std::string &name, const char *text)
{
	char *end = nullptr;

	for (const test_option &option : options) {
		if (name != option.name)
			continue;
		if (double *const *const number = std::get_if<double *>(&option.number)) {
			**number = strtod(text, &end);
			return *end == '\0' && **number >= 0 && **number <= 0.99;
		}
		std::visit([&](auto *number) { *number = (std::decay_t<decltype(*number)>)strtoull(text, &end, 0); }, option.number);
		return *end == '\0';
	}
	return false;
}

/* Reads [TEST] [--seed N] [--OPTION VALUE]... and returns the test that is named, where there are some. Exits with 2 and a line of usage
 * when it makes no sense of them. */
inline test_case
read_command_line(int argc, char **argv, const std::vector<test_case> &tests, std::vector<test_option> options)
{
	std::string usage = std::string("usage: ") + argv[0], separator = " ";
	test_case chosen = {};
	int at = 1;

	options.insert(options.begin(), { "--seed", "N", &test_seed });
	for (const test_case &test : tests) {
		if (argc > 1 && std::string(argv[1]) == test.name) {
			chosen = test;
			at = 2;
		}
		usage += separator + test.name;
		separator = "|";
	}
	for (const test_option &option : options)
		usage += std::string(" [") + option.name + " " + option.value + "]";
	bool good = at == 2 || tests.empty();
	for (; good && at < argc; at += 2)
		good = at + 1 < argc && read_option(options, argv[at], argv[at + 1]);
	if (!good) {
		fprintf(stderr, "%s\n", usage.c_str());
		exit(2);
	}
	return chosen;
}

#endif
