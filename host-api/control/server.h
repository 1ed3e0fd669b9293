/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The daemon: one appliance behind a control socket. One thread does everything (the control thread of fanfare.h) in one loop over epoll(7);
 * it opens no network listener.
 *
 * A program calls fan_server_open() and fan_server_run(). Tests take the loop apart: fan_server_adopt(), fan_server_turn().
 */
#ifndef FAN_CONTROL_SERVER_H
#define FAN_CONTROL_SERVER_H

#include "configuration.h"

enum fan_server_state {
	FAN_SERVER_LOADING, /* the appliance is being opened */
	FAN_SERVER_READY,
	FAN_SERVER_DRAINING, /* nothing new is accepted; it ends with the last message */
	FAN_SERVER_FAILED,   /* the store cannot be written: nothing new is accepted until it can */
};

struct fan_server;

/* In: configuration, which it takes over (*configuration is then empty) whether or not it succeeds. Opens the socket [serve] names, unless that is
 * NULL (tests). EXISTS: another daemon answers there. IO, MEMORY. */
int fan_server_open(struct fan_server **out, struct fan_configuration *configuration);
/* Closes clients, appliance and socket. NULL is ignored. Returns what fan_close() does. */
int fan_server_close(struct fan_server *server);

/* Opens the appliance, while clients are told that it is loading, and serves until it is stopped (SIGTERM, SIGINT, method stop) and drained.
 * Signals must be blocked by fan_server_block_signals() before any thread is started. Returns 0, or the error of fan_open(). */
int fan_server_run(struct fan_server *server);
void fan_server_block_signals(void);

/* A connected socket becomes a client; the server owns it from now on. BUSY: there are FAN_CONTROL_CLIENTS_MAX. */
int fan_server_adopt(struct fan_server *server, int socket);
/* The appliance that it serves from now on, and closes at the end. */
void fan_server_take_appliance(struct fan_server *server, struct fanfare *fanfare);
/* One turn of the loop. In: timeout_ms, how long to wait for something to do. False: it is time to end. */
bool fan_server_turn(struct fan_server *server, int timeout_ms);

#endif
