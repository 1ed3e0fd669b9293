/* SPDX-License-Identifier: BSD-3-Clause */
/* fanfare-keys keys [--check] FILE, which `fanfare keys` runs: a program of its own, so that the process that holds keys never maps Diameter or TLS
 * code, and this one never has a key in clear. */
#include "diameter.h"

static struct fan_keys_settings settings;

static int
read_settings(const char *file, const struct fan_diameter_settings **node)
{
	*node = &settings.node;
	return fan_keys_settings_read(&settings, file);
}

static void
print_settings(FILE *out)
{
	fan_keys_settings_print(&settings, out);
}

static int
open_face(struct fan_notify *notify)
{
	return fan_keys_open(&settings, notify);
}

static void
forget_settings(void)
{
	fan_keys_settings_free(&settings);
}

int
main(int argc, char **argv)
{
	static const struct fan_node_program program = { .name = "keys",
							 .read = read_settings,
							 .print = print_settings,
							 .open = open_face,
							 .close = fan_keys_close,
							 .forget = forget_settings };

	return fan_node_main(&program, argc, argv);
}
