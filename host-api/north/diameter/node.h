/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Diameter node that a face is, which is freeDiameter as a library: transport, TLS, peers and routing are its own; this makes its configuration,
 * says which peers may come, holds up those who send too fast, and keeps answers for a peer that is coming back.
 *
 * freeDiameter's state is global: one of these in a process. Its threads call back into the face; one of them (AppServThreads) takes requests.
 *
 *	fan_node_begin()        freeDiameter and the shared dictionary are there
 *	...                     the face adds its AVPs, applications and commands, and opens what requests go to
 *	fan_node_listen()       peers may come
 *	fan_node_end()
 */
#ifndef FAN_NORTH_DIAMETER_NODE_H
#define FAN_NORTH_DIAMETER_NODE_H

#include "../../control/notify.h"
#include "avp.h"
#include "sections.h"

/* Whom the node speaks with. Texts are the face's. */
struct fan_node_peer {
	const char *label;   /* of log lines */
	const char *host;    /* its Diameter identity: Origin-Host, name of the peer and of its certificate */
	const char *realm;   /* of connect */
	const char *connect; /* address to connect to; NULL: it comes by itself */
	uint16_t connect_port;
	bool plain; /* it may come, and is gone to, without TLS */
};

/* What stays the face's, and must outlive the node. */
struct fan_node_options {
	const char *file;    /* configuration that all of this is from, for errors */
	const char *section; /* its section, likewise */
	const char *word;    /* for a peer, in the log: "scs=one has come" */
	const struct fan_diameter_settings *settings;
	const struct fan_node_peer *peers;
	unsigned peer_count;  /* up to FAN_DIAMETER_PEERS_MAX */
	unsigned reconnect_s; /* between two attempts to reach a peer; 0: freeDiameter's 30 */
	/* A peer has come (back), by its place in peers. Any thread. */
	void (*arrived)(unsigned peer);
};

/* INVALID, IO. Signals that main() waits for are blocked before: the threads inherit that. */
int fan_node_begin(const struct fan_node_options *options, struct dict_object **vendor);
/* Offers an application: its requests go to `handle`, which takes *message and sets it to NULL, or lets freeDiameter go on. */
int fan_node_offer(struct dict_object *application, struct dict_object *vendor, struct dict_object *request,
		   int (*handle)(struct msg **, struct avp *, struct session *, void *, enum disp_action *));
/* Opens the ports. INVALID: freeDiameter does not take what the settings say; IO. */
int fan_node_listen(void);
/* Nothing is sent from here on: what fan_node_request() is told is that it did not go. */
void fan_node_quiet(void);
/* Takes leave of the peers. Safe when nothing was begun. */
void fan_node_end(void);
/* Whether freeDiameter has ended without being told to; the process then gets SIGTERM. */
bool fan_node_broke(void);
/* Sends answers that wait for their peer. Every 50 ms or so, by one thread. */
void fan_node_turn(void);
/* Whether there is room in the log for a line that a peer has caused: one who sends nonsense must not fill the disk. */
bool fan_node_may_log(void);

/* The place of a peer among options.peers, without regard to case; -1: it is none of them. */
int fan_node_peer_of(const char *host, size_t host_bytes);
/* Who sent a request: the peer, whose certificate was looked at, and Origin-Host must be its name. -1: nobody who may. */
int fan_node_sender(struct msg *request);
/* Whether a peer is connected, and can be sent to. */
bool fan_node_is_open(unsigned peer);

/* An answer to a request, of a Result-Code's name. Takes *request; *answer is the caller's then, to be added to and handed to fan_node_answer(). In:
 * flags, MSGFL_ANSW_ERROR for 3xxx; why, one line or NULL; failed, goes into Failed-AVP, NULL: none. False: no memory; *answer may be NULL, and goes to
 * fan_node_answer() all the same. */
bool fan_node_answer_begin(struct msg **answer, struct msg *request, int flags, const char *code, const char *why,
			   struct avp *failed);
/* Sends it, at once or when its peer has come back, unless `good` is false. Takes answer. */
void fan_node_answer(struct msg *answer, bool good);
/* Both, for an answer of Diameter's own errors. Takes request. */
void fan_node_refuse(struct msg *request, uint32_t application, int flags, const char *code, const char *why,
		     struct avp *failed);

/* A request to a peer, with session, origin and destination. NULL: no memory, or freeDiameter has not started. */
struct msg *fan_node_request_begin(struct dict_object *request, uint32_t application, const char *realm, const char *host);
/* Sends it. `done` is called once if this answers 0, from freeDiameter's threads: with its answer, which it may read, or with NULL after timeout_s
 * seconds. Takes request. MEMORY. */
int fan_node_send(struct msg *request, unsigned timeout_s, void (*done)(uint64_t number, struct msg *answer), uint64_t number);

/* ---- The program ------------------------------------------------------------------------------------------------------------- */

/* A program that is one face. */
struct fan_node_program {
	const char *name; /* "tsp" */
	/* Reads its file, and says what every face has. INVALID, IO, MEMORY. */
	int (*read)(const char *file, const struct fan_diameter_settings **settings);
	void (*print)(FILE *out);               /* what is in force */
	int (*open)(struct fan_notify *notify); /* INVALID, IO, BUSY, MEMORY */
	void (*close)(void);                    /* safe when it was not opened */
	void (*forget)(void);                   /* frees what was read */
};

/* fanfare-NAME NAME [--check] FILE. Returns the exit code: 0 ended by a signal, or --check and all well; 1 it could not start; 2 the file is at
 * fault. */
int fan_node_main(const struct fan_node_program *program, int argc, char **argv);

#endif
