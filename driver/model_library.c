/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "model_library.h"

#include "../dataplane/context/error.h"

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define PATH_BYTES 1024

#ifndef FAN_LIBDIR
#define FAN_LIBDIR "/usr/local/lib"
#endif

/* ---- Which file ------------------------------------------------------------------------------------------------------------- */

static const char here; /* an address in this library */

static const char *
file_name(bool with_waves)
{
	return with_waves ? "libfanfare-model-trace.so" : "libfanfare-model.so";
}

/* The folder that the program lies in; empty when the kernel does not say. */
static void
program_folder(char folder[PATH_BYTES])
{
	const ssize_t count = readlink("/proc/self/exe", folder, PATH_BYTES - 1);
	char *slash;

	folder[count > 0 ? count : 0] = '\0';
	slash = strrchr(folder, '/');
	if (slash != NULL)
		*slash = '\0';
}

/* The folder of what this code was loaded from: libfanfare.so, or the program again. */
static void
library_folder(char folder[PATH_BYTES])
{
	Dl_info found;
	char *slash;

	folder[0] = '\0';
	if (dladdr(&here, &found) == 0 || found.dli_fname == NULL || strchr(found.dli_fname, '/') == NULL)
		return;
	snprintf(folder, PATH_BYTES, "%s", found.dli_fname);
	slash = strrchr(folder, '/');
	*slash = '\0';
}

static bool
is_in(char *path, const char *folder, const char *below, bool with_waves)
{
	return folder[0] != '\0' && snprintf(path, PATH_BYTES, "%s/%s/%s", folder, below, file_name(with_waves)) < PATH_BYTES &&
	       access(path, R_OK) == 0;
}

/* Out: path[PATH_BYTES] of the first that is there. */
static bool
find_file(char *path, bool with_waves)
{
	static const char *const beside[] = { "hw", "../hw", ".", "../lib/fanfare" };
	char folder[PATH_BYTES];
	const char *chosen = getenv("FANFARE_MODEL");

	if (chosen != NULL) {
		snprintf(path, PATH_BYTES, "%s", chosen);
		return true;
	}
	program_folder(folder);
	for (unsigned i = 0; i < sizeof(beside) / sizeof(beside[0]); i++)
		if (is_in(path, folder, beside[i], with_waves))
			return true;
	library_folder(folder);
	if (is_in(path, folder, "fanfare", with_waves))
		return true;
	snprintf(path, PATH_BYTES, "%s/fanfare/%s", FAN_LIBDIR, file_name(with_waves));
	return access(path, R_OK) == 0;
}

int
fan_model_load(const struct fan_model_ops **ops, bool with_waves)
{
	char path[PATH_BYTES];
	const struct fan_model_ops *found;
	void *library;

	*ops = NULL;
	if (!find_file(path, with_waves))
		return fan_fail(FAN_E_UNSUPPORTED,
				"the model of the card is not built: no %s beside this program or in %s/fanfare; `%s` makes it",
				file_name(with_waves), FAN_LIBDIR,
				with_waves ? "make -C hw model-trace" : "./setup cosim` or `make -C hw model");
	/* Threads and handlers of the model outlive its last card. */
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (library == NULL)
		return fan_fail(FAN_E_UNSUPPORTED, "the model of the card cannot be loaded: %s", dlerror());
	found = dlsym(library, FAN_MODEL_SYMBOL);
	if (found == NULL || found->abi != FAN_MODEL_ABI || found->ops_bytes != sizeof(*found)) {
		dlclose(library);
		return fan_fail(FAN_E_UNSUPPORTED, "%s is no model of the card for this version; `make -C hw model` makes one",
				path);
	}
	if (with_waves && !found->traces) {
		dlclose(library);
		return fan_fail(FAN_E_UNSUPPORTED, "%s was built without waves; `make -C hw model-trace` makes one with them",
				path);
	}
	*ops = found;
	return 0;
}

/* ---- Options ------------------------------------------------------------------------------------------------------------------ */

void
fan_model_choice_init(struct fan_model_choice *choice)
{
	*choice = (struct fan_model_choice){
		.options = { .seed = FAN_MODEL_SEED, .latency = FAN_MODEL_LATENCY, .max_cycles = FAN_MODEL_MAX_CYCLES },
	};
}

static bool
parse_number(uint64_t *number, const char *text, uint64_t max)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 0);
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *number <= max;
}

static int
set_seed(struct fan_model_choice *choice, const char *value)
{
	if (strcmp(value, "random") == 0) {
		if (getrandom(&choice->options.seed, sizeof(choice->options.seed), 0) != sizeof(choice->options.seed))
			return fan_fail(FAN_E_IO, "no random number for a seed: %s", strerror(errno));
		choice->seed_chosen_here = true;
		return 0;
	}
	if (!parse_number(&choice->options.seed, value, UINT64_MAX))
		return fan_fail(FAN_E_INVALID, "seed=%s: a number, or random", value);
	return 0;
}

static int
set_stall(struct fan_model_choice *choice, const char *value)
{
	char *end;

	choice->options.stall = strtod(value, &end);
	if (end == value || *end != '\0' || !(choice->options.stall >= 0 && choice->options.stall <= FAN_MODEL_STALL_MAX))
		return fan_fail(FAN_E_INVALID, "stall=%s: a probability of 0 to %g", value, FAN_MODEL_STALL_MAX);
	return 0;
}

static int
set_clocks(uint64_t *clocks, const char *name, const char *value, uint64_t max)
{
	if (!parse_number(clocks, value, max))
		return fan_fail(FAN_E_INVALID, "%s=%s: a number of clocks, 0 to %" PRIu64, name, value, max);
	return 0;
}

int
fan_model_choice_set(struct fan_model_choice *choice, const char *name, const char *value)
{
	struct fan_model_options *options = &choice->options;
	uint64_t latency;
	int error;

	if (strcmp(name, "trace") == 0 && value == NULL) {
		choice->with_waves = true;
		return 0;
	}
	if (value == NULL || value[0] == '\0')
		return fan_fail(
			FAN_E_INVALID,
			"%s: no option of the model with this form; there are seed=, stall=, latency=, max-cycles=, trace, "
			"trace-fst=, trace-from=, trace-to=",
			name);
	if (strcmp(name, "seed") == 0)
		return set_seed(choice, value);
	if (strcmp(name, "stall") == 0)
		return set_stall(choice, value);
	if (strcmp(name, "latency") == 0) {
		error = set_clocks(&latency, name, value, FAN_MODEL_LATENCY_MAX);
		options->latency = (unsigned)latency;
		return error;
	}
	if (strcmp(name, "max-cycles") == 0)
		return set_clocks(&options->max_cycles, name, value, UINT64_MAX);
	if (strcmp(name, "trace-from") == 0)
		return set_clocks(&options->trace_from, name, value, UINT64_MAX);
	if (strcmp(name, "trace-to") == 0)
		return set_clocks(&options->trace_to, name, value, UINT64_MAX);
	if (strcmp(name, "trace-fst") == 0) {
		options->trace_file = value;
		choice->with_waves = true;
		return 0;
	}
	return fan_fail(FAN_E_INVALID,
			"%s: the model has no such option; there are seed=, stall=, latency=, max-cycles=, trace, trace-fst=, "
			"trace-from=, trace-to=",
			name);
}

void
fan_model_choice_print(char *text, size_t text_bytes, const struct fan_model_choice *choice)
{
	snprintf(text, text_bytes, "seed 0x%" PRIx64 ", stall %g, latency %u", choice->options.seed, choice->options.stall,
		 choice->options.latency);
}
