/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the daemon and its faces say of themselves. Each thing that they say is an event with a name and an id that never change, by which whoever
 * watches finds it; OPERATING.md lists them. It goes to systemd's journal, field by field, or to standard error as a line of JSON or as plain text.
 * The audit (audit.h) goes the same ways. Never a key, a token or a payload.
 *
 * The log is the process's, as its standard error is. Once it is open, any thread may say something.
 *
 * The journal's own protocol is written here, as that of sd_notify is in notify.h: a process that holds keys loads no library for a datagram.
 */
#ifndef FAN_CONTROL_LOG_H
#define FAN_CONTROL_LOG_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* X(event, its name, the journal's MESSAGE_ID, priority as of syslog(3): 3 error, 4 warning, 5 notice, 6 information) */
#define FAN_LOG_EVENTS(X)                                                                                                      \
	X(LOADING, "loading", "4325eb33afc443959f3bf909d399c01e", 6)                                                           \
	X(READY, "ready", "a1f0a386909549f8a9581949f22019b0", 5)                                                               \
	X(DRAINING, "draining", "d665c1d0cab14a488729457248e3676e", 5)                                                         \
	X(STOPPED, "stopped", "1132e69e43ce4fb09f55bd31465917a2", 5)                                                           \
	X(START_FAILED, "start-failed", "649fd8f937c84ce799fa4d47c396389b", 3)                                                 \
	X(CONFIGURATION_REFUSED, "configuration-refused", "6dbedd1592734560ae832ce8b594cbee", 3)                               \
	X(RELOADED, "reloaded", "d567672c511141f8af8ad2be66f72a92", 5)                                                         \
	X(STORE_FAILED, "store-failed", "657e0c93282247d7ab33bce5b8f4a01e", 3)                                                 \
	X(STORE_RECOVERED, "store-recovered", "160df286c537456c9c93bc9f5178a864", 5)                                           \
	X(WORKER_STUCK, "worker-stuck", "0cadea7f4b1d48099e60b05158c21906", 3)                                                 \
	X(WORKER_GOES_ON, "worker-goes-on", "13b5e80e8e92427ab9b0be74edc2546f", 5)                                             \
	X(LINK_DOWN, "link-down", "359d4521a2db4738979d37ab89afe639", 4)                                                       \
	X(LINK_UP, "link-up", "d888c6c70b7a4d1292f21547111490d6", 5)                                                           \
	X(DEVICE_OUT, "device-out", "e08ec69159bb41c19de0b80c7583c601", 3)                                                     \
	X(HOP_STOPPED, "next-hop-stopped", "dee464feff8a4d35899d6edd06ca286b", 4)                                              \
	X(HOP_SLOWED, "next-hop-slowed", "1e38e24a9ddf46c2a53e93fa8ea6099e", 5)                                                \
	X(HOP_RELEASED, "next-hop-released", "2519b3f7ff7b4d128cc49720136c16da", 5)                                            \
	X(DAEMON_BACK, "daemon-back", "b6b4738e7d5e4e0684e817102a758908", 5)                                                   \
	X(DAEMON_LOST, "daemon-lost", "7927b711a7104976a3e1b26ebe8afdf0", 4)                                                   \
	X(CALLBACK_GIVEN_UP, "callback-given-up", "c80189f25e95473f8b7bca1b85d87ced", 4)                                       \
	X(CREDENTIALS_REFUSED, "credentials-refused", "adffb65b4ff74b7cae17b1797fb58ded", 4)                                   \
	X(TLS_REFUSED, "tls-refused", "786178a492834ac884de6557519ee310", 5)                                                   \
	X(ISSUER_FAILED, "issuer-failed", "fd027aae856945aabc65976d202f0ddc", 4)                                               \
	X(ISSUER_BACK, "issuer-back", "3979158c6cf8424b8b2365965aa509e4", 5)                                                   \
	X(RECORD_FAILED, "record-failed", "0bbed100db4849ba8e13887cb5f781f6", 3)                                               \
	X(PEER_COME, "peer-come", "e429e98deda94fdebb51df10f08ea2e8", 6)                                                       \
	X(PEER_REFUSED, "peer-refused", "8a4c32dcbccb40048a5872542b43a1fd", 4)                                                 \
	X(NOTE, "note", "5b19d8a10b8e490496039aad3af42d64", 6)

#define FAN_LOG_ENUM(event, name, id, priority) FAN_LOG_##event,
enum fan_log_event { FAN_LOG_EVENTS(FAN_LOG_ENUM) FAN_LOG_EVENT_COUNT };
#undef FAN_LOG_ENUM

/* Static storage. */
const char *fan_log_event_name(enum fan_log_event event);
const char *fan_log_event_id(enum fan_log_event event);

/* Opens the log: before a sandbox that forbids it. Again, it goes to the new place. In: program, "serve" or a face's name; static; where:
 *   auto     the journal where standard error is connected to it, else lines, unless that is a terminal
 *   journal, lines, plain
 *   early    before there is a configuration: the journal where standard error is connected to it, else plain
 * INVALID; IO: there is no journal. On an error it stays as it was. */
int fan_log_open(const char *program, const char *where);
/* From here on it is plain. */
void fan_log_close(void);

/* Says that something has happened. In: fields, of its record, which it takes: strings, numbers and flags; NULL: none; then a line for people, in
 * which octets that control a terminal become blanks. Waits for no reader but that of plain text. */
void fan_log(enum fan_log_event event, json_t *fields, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* What others can cause as often as they like is said once in a while. */
struct fan_log_limit {
	int64_t next_ms;
	uint64_t held; /* since the last one */
};
#define FAN_LOG_LIMIT_MS 10000
/* Whether it may be said now. Out: *held, how many were not, before it. In: now_ms, by CLOCK_MONOTONIC. */
bool fan_log_may(struct fan_log_limit *limit, uint64_t *held, int64_t now_ms);

/* ---- Where it goes; for the audit, too ------------------------------------------------------------------------------------- */

struct fan_log_sink {
	int journal; /* a socket, owned; -1: none */
	bool lines;
};

/* In: where, "auto" or "journal" or "lines", as above; anything else opens nothing, and is the caller's to judge. IO. */
int fan_log_sink_open(struct fan_log_sink *sink, const char *where);
void fan_log_sink_close(struct fan_log_sink *sink);
/* A record with its time in front and, in lines, its members; in the journal each member but the id is a field FANFARE_NAME. In: identifier, of
 * syslog; text, a line for people. Returns whether someone has taken it. */
bool fan_log_sink_write(const struct fan_log_sink *sink, const char *identifier, const char *id, int priority, const char *text,
			json_t *record);

#endif
