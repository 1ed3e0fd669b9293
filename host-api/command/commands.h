/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The commands that there are. Only commands.c knows them.
 */
#ifndef FAN_COMMANDS_H
#define FAN_COMMANDS_H

#include "command.h"

extern const struct fan_command fan_command_fanout;
extern const struct fan_command fan_command_check;
extern const struct fan_command fan_command_population;
extern const struct fan_command fan_command_engines;
extern const struct fan_command fan_command_serve;
extern const struct fan_command fan_command_tsp;
extern const struct fan_command fan_command_keys;
extern const struct fan_command fan_command_ue;
extern const struct fan_command fan_command_lease;
extern const struct fan_command fan_command_release;
extern const struct fan_command fan_command_ack;
extern const struct fan_command fan_command_group;
extern const struct fan_command fan_command_group_key;
extern const struct fan_command fan_command_next_hop;
extern const struct fan_command fan_command_send;
extern const struct fan_command fan_command_message;
extern const struct fan_command fan_command_message_results; /* of fan_command_message */
extern const struct fan_command fan_command_status;
extern const struct fan_command fan_command_top;
extern const struct fan_command fan_command_reload;
extern const struct fan_command fan_command_stop;
extern const struct fan_command fan_command_store;
extern const struct fan_command fan_command_t8;
extern const struct fan_command fan_command_web;

#define FAN_PROGRAM_SUMMARY "One group message in, one individually protected unicast message out for every member"

/* All commands, NULL-terminated, in the order of `fanfare help`. */
extern const struct fan_command *const fan_commands[];

/* argv[0] is the program's name, argv[1] the command. Returns an exit code. */
int fan_command_main(int argc, char **argv);

#endif
