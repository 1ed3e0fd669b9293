/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is behind server.h, for the files of this folder. All of it is the control thread's, or, while the appliance is being opened, the thread's
 * that answers clients meanwhile.
 *
 *	server.c     the loop: clients, signals, the appliance's events
 *	client.c     octets of a client
 *	dispatch.c   lines become requests, requests find their methods
 *	service.c    methods of the daemon itself
 *	metrics.c    ... of what it has counted
 *	audit.c      records of what clients change
 *	ue.c         methods of UEs, leases and acknowledgements
 *	group.c      methods of groups
 *	group_export.c   ... for nodes that keys of groups go to
 *	group_key.c  ... and of their keys
 *	policy.c     ... of their policies
 *	send.c       sending
 *	access.c, principals.c   who may send what to whom, and when
 *	message.c    methods of messages that were sent
 *	results.c    what became of each member, as a file
 *	job.c        files of lines that clients hand in, some lines a turn
 *	import.c     ... of UEs
 *	context_row.c, contexts_csv.c   a UE as a line of text
 *	sandbox.c    what the daemon gives up
 *	supervision.c, notify.c   what the service manager hears
 *	joins.c      many members into many groups, in long strides
 *	hops.c       next hops by address
 *	broadcast.c  relays of cell broadcast
 */
#ifndef FAN_CONTROL_DAEMON_H
#define FAN_CONTROL_DAEMON_H

#include "../appliance/appliance.h"
#include "audit.h"
#include "client.h"
#include "notify.h"
#include "params.h"
#include "server.h"

#define FAN_LATER 1 /* of a method: it answers by a ticket */
#define FAN_WAIT 2  /* of a method: nothing was done; its line is to come again */

#define FAN_SERVER_WATCHES_MAX 64 /* messages watched, by all clients together */
#define FAN_SERVER_PROGRESS_MS 200

/* Whom to answer, later. */
struct fan_ticket {
	unsigned place; /* of the client */
	uint32_t generation;
	json_t *id; /* owned; NULL: nobody asked for an answer */
	struct fan_audit_act act;
};

struct fan_request {
	struct fan_server *server;
	struct fan_client *client;
	json_t *id;      /* owned; NULL: a notification */
	json_t *params;  /* borrowed; NULL: none */
	json_t *result;  /* owned: what a method answers; NULL: {} */
	int code;        /* of an error object; 0: by the error */
	const char *act; /* the method, where it is one that is recorded; NULL */
};

/* When a method is carried out; its line waits until then. */
enum fan_when {
	FAN_ANY_TIME,    /* also without an appliance */
	FAN_LOADED,      /* with one: else it is refused */
	FAN_AFTER_BATCH, /* not before an import has committed: it changes the store */
	FAN_AFTER_JOBS,  /* not before all files in work are done: it begins a batch, in which they could change nothing */
};

struct fan_method {
	const char *name; /* first: fan_nearest_name() walks these */
	enum fan_role role;
	enum fan_when when;
	int (*run)(struct fan_request *request);
};

extern const struct fan_method fan_service_methods[], fan_hop_methods[], fan_ue_methods[], fan_group_methods[],
	fan_group_key_methods[], fan_group_export_methods[], fan_policy_methods[], fan_message_methods[], fan_send_methods[],
	fan_result_methods[];

struct fan_sent {
	struct fan_ticket ticket;
	fan_message_id id;
	bool repeated; /* another has sent it */
};

struct fan_watch {
	struct fan_ticket ticket; /* its id is not used */
	fan_message_id id;
};

/* Sockets to the relays of cell broadcast. */
struct fan_relays {
	int socket[FAN_RADIO_COUNT]; /* connected, so that no other is heard; -1: none */
	uint64_t sent, failed, answers, refused;
};

/* What the service manager was told. */
struct fan_supervision {
	struct fan_notify notify;
	char told[512]; /* its line */
	int64_t told_ms;
	uint64_t done; /* UEs loaded, or PDUs gone, when it was last told */
	bool stuck;    /* a worker is, and that was said */
};

struct fan_server {
	struct fan_configuration configuration;
	struct fanfare *fanfare; /* owned; NULL until it is open */
	enum fan_server_state state;
	int64_t started_ms, now_ms, health_ms;
	int listener, epoll, signals, timer, wake;
	bool bound;               /* the socket's name is ours to remove */
	unsigned stops;           /* signals to stop that came */
	bool woken;               /* the appliance is open, or has failed to */
	uint64_t loaded, to_load; /* UEs; stored atomically while the appliance is being opened */
	unsigned busy_clients;    /* clients with lines left from this turn */
	unsigned waiting_first;   /* the place whose lines, if any wait, are taken first in the next turn */
	bool batching;            /* from an import's fan_begin() to its end */
	uint64_t put_off_count;   /* lines that had to wait, so far */
	struct fan_client clients[FAN_CONTROL_CLIENTS_MAX];
	void *hops;             /* tsearch(3) by address */
	struct fan_sent *sends; /* owned: of this turn, accepted and not synced yet */
	unsigned send_count, send_room;
	struct fan_watch watches[FAN_SERVER_WATCHES_MAX];
	unsigned watch_count;
	int64_t watched_ms;
	struct fan_supervision supervision;
	struct fan_audit audit;
	struct fan_relays relays;
	int64_t looked_ms; /* at the link and at next hops */
	bool link_down;
	uint8_t *hop_words; /* owned: of each next hop, enum hop_word as it was last said */
	unsigned hop_word_count, hop_looked;
};

/* Begins to end: nothing new is accepted, files in work are given up. Again, or with `cancel`: messages end where they are. */
void fan_server_stop(struct fan_server *server, bool cancel);
/* Reads the configuration again and brings into force what can be. Out: *restart, an array of the keys that need a restart. On an error nothing
 * has changed, but for next hops before the one that is named. */
int fan_server_reload(struct fan_server *server, json_t **restart);

/* ---- The daemon itself --------------------------------------------------------------------------------------------------- */

/* "loading" ... "failed". Static storage. */
const char *fan_server_state_name(enum fan_server_state state);
/* How far it is with reading the store. The caller's. */
json_t *fan_server_describe_loading(const struct fan_server *server);

#define FAN_METRICS_HOPS_MAX 1024 /* next hops that `metrics` tells one by one */

/* The method `metrics`. */
int fan_metrics_run(struct fan_request *request);

/* ---- Requests ---------------------------------------------------------------------------------------------------------- */

void fan_dispatch_hello(struct fan_client *client);
/* Carries a line out. False: it has to wait, and nothing was done. */
bool fan_dispatch_line(struct fan_server *server, struct fan_client *client, char *line, size_t line_bytes);

/* Reads the params of a request, as fan_params_read(). */
int fan_request_params(struct fan_request *request, void *values, const struct fan_param *table, size_t count);
/* The descriptor of a regular file that came with a request, the caller's from now on. INVALID: none came, it is another kind of file, or it has
 * more than limits.import_bytes. */
int fan_request_descriptor(struct fan_request *request, int *descriptor);

/* The group of a GID. In/Out: *error: where it is one already nothing is looked for. Returns NULL with *error, NOT_FOUND among others. */
struct fan_group *fan_request_find_group(const struct fan_request *request, int *error, const char *gid);
/* The same of a request whose one parameter is `gid`. Out: *error. */
struct fan_group *fan_request_group(struct fan_request *request, int *error);

/* Whether the rules of access let the client send something. In: *question, without what is said of the client and of the time; of these nothing is
 * left in it. Out: *rule, to be charged by fan_access_charge() once it is sent. As fan_access_judge(). */
int fan_request_judge(struct fan_request *request, struct fan_access_rule **rule, struct fan_access_question *question);

struct fan_ticket fan_ticket_take(struct fan_request *request);
/* The client that waits; NULL when it is gone. */
struct fan_client *fan_ticket_client(struct fan_server *server, const struct fan_ticket *ticket);
/* Answers, with the result, which it takes, or with the error that was recorded (`error` not 0), and frees the ticket. */
void fan_ticket_answer(struct fan_server *server, struct fan_ticket *ticket, int error, json_t *result);
/* Frees a ticket that nobody will answer. */
void fan_ticket_drop(struct fan_server *server, struct fan_ticket *ticket);
/* A notification to the client that waits, if it is still there. Takes params. */
void fan_ticket_notify(struct fan_server *server, const struct fan_ticket *ticket, const char *method, json_t *params);

/* Tells clients that subscribed what has happened. */
void fan_events_tell(struct fan_server *server);

/* Gives up what a daemon does not need once everything is open: root, where [serve] names a user, and the way back to it; and, unless [serve]
 * says otherwise, every system call but those of its work. */
int fan_server_confine(struct fan_server *server);
/* From here on the kernel takes, of every thread of the process, only the system calls of sandbox.c's list. There is no way back. UNSUPPORTED:
 * this kernel has no such filters, or whoever started the process forbids them. */
int fan_sandbox_enter(void);

/* ---- The service manager ------------------------------------------------------------------------------------------------ */

/* Where it is in its life. */
enum fan_life {
	FAN_LIFE_READY,
	FAN_LIFE_RELOADING, /* until it is READY again */
	FAN_LIFE_STOPPING,
};

void fan_supervision_say(const struct fan_server *server, enum fan_life life);
/* Feeds the watchdog, unless a worker stands still, and tells how it goes. Once a turn of the loop. */
void fan_supervision_serve(struct fan_server *server);

/* ---- UEs --------------------------------------------------------------------------------------------------------------- */

#define FAN_CONTEXTS_OF_ONE_MAX 64 /* contexts of one identity that a method looks at */

/* The index of a next hop; it is added, with the address that [next_hops] gives it, when it is new. INVALID: none is given. */
int fan_hops_find(struct fan_server *server, const uint8_t address[16], bool ipv6);
/* Learns all next hops of the appliance anew. */
int fan_hops_learn(struct fan_server *server);
void fan_hops_forget(struct fan_server *server);
/* Says of which next hops a relay's word, or its end, has changed the pace: of some of them at each call. */
void fan_hops_look(struct fan_server *server);
/* fan_options.rate of a server: what [pacing] says of an address. */
void fan_hops_rate(void *server, struct fan_next_hop_rate *rate, const uint8_t address[16]);
/* Brings the rates of another configuration into force where it says otherwise than the one in force. */
int fan_hops_change_rates(struct fan_server *server, const struct fan_configuration *next);

/* Opens the sockets that [broadcast] asks for. Once, before the daemon is confined. Out: those of *options that say so. INVALID, IO. */
int fan_relays_open(struct fan_server *server, struct fan_options *options);
void fan_relays_close(struct fan_server *server);
/* Takes what has come from a relay. */
void fan_relays_take(struct fan_server *server, enum fan_radio radio);

/* The contexts of an identity. Out: ids[FAN_CONTEXTS_OF_ONE_MAX]. Returns how many, or NOT_FOUND. */
int fan_contexts_find(struct fan_server *server, fan_context_id *ids, const char *identity);
/* The profile by which messages reach a context: as given, or, for NULL, that of its import. */
int fan_context_profile(struct fan_server *server, enum fan_profile *profile, fan_context_id id, const char *given);

/* ---- Messages ---------------------------------------------------------------------------------------------------------- */

bool fan_message_has_ended(const struct fan_message_status *status);
/* Out: *status. NOT_FOUND. */
int fan_message_read(const struct fan_server *server, struct fan_message_status *status, fan_message_id id);
/* Without what each profile had, which would be too long in a list. NULL: no memory. */
json_t *fan_message_describe(const struct fan_message_status *status);
/* Makes durable what was sent in this turn, and answers. */
void fan_sends_answer(struct fan_server *server);
/* Tells those who watch messages how far they are. */
void fan_watches_notify(struct fan_server *server);

#endif
