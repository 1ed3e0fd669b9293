/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which process this is. What a process has opened is of no use to a child that was made of it (fork(2), daemon(3)): threads stay behind,
 * keys are wiped in the child, and devices have one master.
 */
#ifndef FAN_PROCESS_H
#define FAN_PROCESS_H

/* How many forks lie between the process that loaded this library and this one. What was opened under another number is another process's.
 * Any thread. */
unsigned fan_process_forks(void);

#endif
