/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control protocol of `fanfare serve`: JSON-RPC 2.0 (jsonrpc.org) over a UNIX stream socket, one object a line, UTF-8, each line ended by
 * LF. README.md beside this file has the methods.
 *
 *	server: {"jsonrpc":"2.0","method":"hello","params":{"protocol":"fanfare-control","version":1,"program":"0.1.0"}}
 *	client: {"jsonrpc":"2.0","id":0,"method":"hello","params":{"version":1}}
 *	server: {"jsonrpc":"2.0","id":0,"result":{"version":1,"roles":["read","send"]}}
 *
 * The server speaks first. A client whose first request is another than hello, or names another version, gets an error and the end of its
 * connection. Requests may be sent before earlier ones are answered; answers come in the order in which they are ready. What
 * changes anything waits for the end of an import, and the lines behind it with it; a client that leaves takes such lines along. A request without
 * id (a notification) is carried out and not answered. Batches (arrays) are not taken.
 *
 * Files travel as descriptors (unix(7), SCM_RIGHTS), one with a request, sent with octets of its line alone: it belongs to the line with which
 * the sendmsg(2) ends. A second one for that line, or before that line is whole, is closed; and so is one that its request does not take,
 * because it is wrong or of a method without a file.
 */
#ifndef FAN_CONTROL_PROTOCOL_H
#define FAN_CONTROL_PROTOCOL_H

#include "../../dataplane/context/error.h"

#include <jansson.h>

#define FAN_CONTROL_PROTOCOL "fanfare-control"
#define FAN_CONTROL_VERSION 1
#define FAN_CONTROL_SOCKET "/run/fanfare/control.sock"
#define FAN_CONTROL_SOCKET_VARIABLE "FANFARE_SOCKET" /* of the environment: where clients look before that */

#define FAN_CONTROL_LINE_BYTES_MAX 65536       /* of a request, its LF included; the connection ends behind a longer one */
#define FAN_CONTROL_CLIENTS_MAX 64             /* connected at a time; one more is told so and closed */
#define FAN_CONTROL_CLIENTS_KEPT 8             /* of these places, for root and the user who runs the daemon */
#define FAN_CONTROL_CLIENTS_OF_USER_MAX 16     /* of any other user */
#define FAN_CONTROL_REQUESTS_MAX 64            /* of a client, not answered yet */
#define FAN_CONTROL_UNSENT_BYTES_MAX (1 << 20) /* answers that a client has not read: with more it is cut off */
#define FAN_CONTROL_HALF_LINE_MS 30000         /* time to finish a line, and to say hello */
#define FAN_CONTROL_IDENTITIES_MAX 500         /* of one request to add to or remove from a group */
#define FAN_CONTROL_LIST_MAX 500               /* elements of one answer */
#define FAN_CONTROL_ERRORS_MAX 100             /* bad lines that an answer names */
#define FAN_CONTROL_FILE_LINE_BYTES_MAX 65536  /* of a file of UEs, acknowledgements or identities */

/* Codes of error objects: those of JSON-RPC, and FAN_CONTROL_FAILED + enum fan_error for what the appliance says. An error's data.exit is
 * the exit code of a command that gets it: 1 failed, 2 the request was wrong. */
enum fan_control_code {
	FAN_CONTROL_PARSE = -32700,
	FAN_CONTROL_REQUEST = -32600,
	FAN_CONTROL_METHOD = -32601,
	FAN_CONTROL_PARAMS = -32602,
	FAN_CONTROL_FAILED = -32000,
	FAN_CONTROL_FORBIDDEN = -32097, /* the configuration's rules of access forbid the message */
	FAN_CONTROL_DENIED = -32098,    /* the client has not the role that the method needs */
	FAN_CONTROL_VERSIONS = -32099   /* server and client speak different versions */
};

/* What a client may do, by who runs it (configuration, [roles]). */
enum fan_role {
	FAN_ROLE_READ,      /* look: status, lists */
	FAN_ROLE_SEND,      /* send and cancel messages */
	FAN_ROLE_PROVISION, /* UEs, groups, reload, stop */
	FAN_ROLE_LEASE,     /* hand contexts over and take them back, acknowledge */
	FAN_ROLE_EXPORT,    /* have keys of groups wrapped for other nodes */
	FAN_ROLES,
	FAN_ROLE_NONE = FAN_ROLES, /* of methods for everyone */
};

/* "read" ... "export". Static storage. */
const char *fan_role_name(enum fan_role role);
/* "eps-nas" ... "sgi". Static storage. */
const char *fan_kind_name(enum fan_kind kind);
/* The kind of that name, or NOT_FOUND. */
int fan_kind_find(const char *name);

/* A text as JSON, for words that may quote, and cut, what a client said: where it is no UTF-8 its octets beyond ASCII become question marks. */
json_t *fan_control_text(const char *text);

/* An error object. In: code, enum fan_control_code; message, one line. NULL without memory. */
json_t *fan_control_error(int code, const char *message, int exit_code);

#endif
