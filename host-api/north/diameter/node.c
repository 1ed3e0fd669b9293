/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "node.h"

#include "../../../dataplane/context/clock.h"
#include "../../control/log.h"
#include "rate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SECOND_NS UINT64_C(1000000000)
#define QUEUED_MAX 256        /* messages that were read from all connections and not looked at */
#define UNCHECKED_MAX 32      /* messages of one connection between two looks at that */
#define UNCHECKED_BYTES 65536 /* ... and octets */
#define HOLD_NS 5000000
#define HOLDS_MAX 2000 /* ten seconds: longer than that nobody is held up */
#define LINES_PER_S 20 /* of the log, that peers can cause */
#define PARKED_MAX 64
#define PARKED_NS (2 * SECOND_NS)
#define DIAMETER_HEADER_BYTES 20
#define AVP_HEADER_BYTES 8
#define AVP_HAS_VENDOR 0x80
#define SESSION_ID 263

/* An answer that waits for its peer. */
struct parked {
	struct msg *message; /* owned */
	uint64_t until_ns;
};

/* All of it is constant once the peers may come, but what the locks are for. */
static struct {
	const struct fan_node_options *options;
	bool initialised;
	atomic_bool started; /* freeDiameter knows who it is, and can send */
	atomic_bool stopping, broke;
	bool watched;
	pthread_t watcher;          /* of freeDiameter's end */
	pthread_mutex_t lines_lock; /* of lines */
	struct fan_rate lines;
	pthread_mutex_t
		parked_lock; /* of what stands below; freeDiameter may wait for its own queues under it, never for this */
	struct parked parked[PARKED_MAX];
	unsigned parked_count;
} self = { .lines_lock = PTHREAD_MUTEX_INITIALIZER, .parked_lock = PTHREAD_MUTEX_INITIALIZER };

bool
fan_node_may_log(void)
{
	bool may;

	(void)pthread_mutex_lock(&self.lines_lock);
	may = fan_rate_take(&self.lines, fan_clock_ns(CLOCK_MONOTONIC));
	(void)pthread_mutex_unlock(&self.lines_lock);
	return may;
}

static char *
words(const char *constant)
{
	char *text;

	memcpy(&text, &constant, sizeof(constant)); /* freeDiameter reads it alone */
	return text;
}

/* ---- Answers ------------------------------------------------------------------------------------------------------------- */

/* Whether freeDiameter would send an answer: it drops those to a peer that is not in STATE_OPEN. */
static bool
can_go(struct msg *message)
{
	struct msg *request = NULL;
	struct peer_hdr *peer = NULL;
	DiamId_t source = NULL;
	size_t source_bytes = 0;

	return fd_msg_answ_getq(message, &request) == 0 && request != NULL &&
	       fd_msg_source_get(request, &source, &source_bytes) == 0 && source != NULL &&
	       fd_peer_getbyid(source, source_bytes, 0, &peer) == 0 && peer != NULL && fd_peer_get_state(peer) == STATE_OPEN;
}

/* Sends it, or lets go of it: the peer asks again then. Takes message. */
static void
send_answer(struct msg *message)
{
	if (fd_msg_send(&message, NULL, NULL) != 0 && message != NULL)
		(void)fd_msg_free(message);
}

/*
 * A peer whose last connection broke must first answer three watchdogs (RFC 3539 3.4.1, STATE_REOPEN), and its requests are taken meanwhile:
 * their answers wait for it here. False: there is no room.
 */
static bool
park(struct msg *message)
{
	bool parked;

	(void)pthread_mutex_lock(&self.parked_lock);
	parked = self.parked_count < PARKED_MAX;
	if (parked)
		self.parked[self.parked_count++] = (struct parked){ message, fan_clock_ns(CLOCK_MONOTONIC) + PARKED_NS };
	(void)pthread_mutex_unlock(&self.parked_lock);
	return parked;
}

void
fan_node_turn(void)
{
	unsigned left = 0;

	(void)pthread_mutex_lock(&self.parked_lock);
	for (unsigned i = 0; i < self.parked_count; i++) {
		if (can_go(self.parked[i].message) || fan_clock_ns(CLOCK_MONOTONIC) > self.parked[i].until_ns)
			send_answer(self.parked[i].message);
		else
			self.parked[left++] = self.parked[i];
	}
	self.parked_count = left;
	(void)pthread_mutex_unlock(&self.parked_lock);
}

void
fan_node_answer(struct msg *answer, bool good)
{
	if (good && !can_go(answer) && park(answer))
		return;
	if (good) {
		send_answer(answer);
		return;
	}
	fan_log(FAN_LOG_NOTE, NULL, "an answer could not be made: no memory");
	if (answer != NULL)
		(void)fd_msg_free(answer);
}

bool
fan_node_answer_begin(struct msg **answer, struct msg *request, int flags, const char *code, const char *why,
		      struct avp *failed)
{
	*answer = request;
	return fd_msg_new_answer_from_req(fd_g_config->cnf_dict, answer, flags) == 0 &&
	       fd_msg_rescode_set(*answer, words(code), why != NULL ? words(why) : NULL, failed, 1) == 0;
}

void
fan_node_refuse(struct msg *request, uint32_t application, int flags, const char *code, const char *why, struct avp *failed)
{
	struct msg *answer;
	const bool good = fan_node_answer_begin(&answer, request, flags, code, why, failed);

	fan_node_answer(answer, good && fan_avp_add_session_state(answer, application));
}

/* ---- Requests ------------------------------------------------------------------------------------------------------------ */

struct msg *
fan_node_request_begin(struct dict_object *request, uint32_t application, const char *realm, const char *host)
{
	struct msg *message = NULL;
	struct msg_hdr *header;

	if (!atomic_load(&self.started) || fd_msg_new(request, MSGFL_ALLOC_ETEID, &message) != 0)
		return NULL;
	if (fd_msg_hdr(message, &header) == 0)
		header->msg_appl = application; /* a command may be one of several applications */
	if (fd_msg_new_session(message, NULL, 0) == 0 && fan_avp_add_session_state(message, application) &&
	    fd_msg_add_origin(message, 0) == 0 && fan_avp_add_text(message, FAN_AVP_DESTINATION_REALM, realm) &&
	    fan_avp_add_text(message, FAN_AVP_DESTINATION_HOST, host))
		return message;
	(void)fd_msg_free(message);
	return NULL;
}

/* A request that waits for its answer; freeDiameter calls one of the two functions below, once. */
struct asked {
	void (*done)(uint64_t number, struct msg *answer);
	uint64_t number;
};

static void
on_answer(void *opaque, struct msg **message)
{
	struct asked *asked = opaque;

	asked->done(asked->number, *message);
	free(asked);
	(void)fd_msg_free(*message);
	*message = NULL;
}

static void
on_late(void *opaque, DiamId_t peer, size_t peer_bytes, struct msg **message)
{
	struct asked *asked = opaque;

	(void)peer;
	(void)peer_bytes;
	asked->done(asked->number, NULL);
	free(asked);
	(void)fd_msg_free(*message);
	*message = NULL;
}

int
fan_node_send(struct msg *request, unsigned timeout_s, void (*done)(uint64_t number, struct msg *answer), uint64_t number)
{
	struct asked *asked = malloc(sizeof(*asked));
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += (time_t)timeout_s;
	if (asked != NULL) {
		*asked = (struct asked){ done, number };
		if (fd_msg_send_timeout(&request, on_answer, asked, on_late, &until) == 0)
			return 0;
	}
	free(asked);
	if (request != NULL)
		(void)fd_msg_free(request);
	return fan_fail(FAN_E_MEMORY, "no memory for a request");
}

/* ---- Peers ----------------------------------------------------------------------------------------------------------------- */

int
fan_node_peer_of(const char *host, size_t host_bytes)
{
	for (unsigned i = 0; i < self.options->peer_count; i++)
		if (fan_diameter_host_is(self.options->peers[i].host, host, host_bytes))
			return (int)i;
	return -1;
}

/* Whether the certificate that a peer has shown, whose chain GnuTLS has checked, is for its name. */
static bool
is_certified(const struct peer_info *info)
{
	gnutls_x509_crt_t certificate;
	bool good;

	if (info->runtime.pir_cert_list == NULL || info->runtime.pir_cert_list_size == 0 ||
	    gnutls_x509_crt_init(&certificate) != 0)
		return false;
	good = gnutls_x509_crt_import(certificate, &info->runtime.pir_cert_list[0], GNUTLS_X509_FMT_DER) == 0 &&
	       gnutls_x509_crt_check_hostname(certificate, info->pi_diamid) != 0;
	gnutls_x509_crt_deinit(certificate);
	return good;
}

/*
 * freeDiameter asks validate_peer() of peers that come by themselves, and looks at the name in the certificate of one that it goes to itself. Whoever
 * comes in the name of such a one is let in with any certificate of our CAs, and is found out here: only then is there a list of certificates.
 */
static bool
is_trusted(unsigned place)
{
	const struct fan_node_peer *own = &self.options->peers[place];
	struct peer_hdr *peer = NULL;

	return own->connect == NULL || own->plain ||
	       (fd_peer_getbyid(words(own->host), strlen(own->host), 1, &peer) == 0 && peer != NULL &&
		(peer->info.runtime.pir_cert_list == NULL || is_certified(&peer->info)));
}

int
fan_node_sender(struct msg *request)
{
	const union avp_value *origin = fan_avp_find_value(request, FAN_AVP_ORIGIN_HOST);
	DiamId_t peer = NULL;
	size_t peer_bytes = 0;
	int place;

	if (fd_msg_source_get(request, &peer, &peer_bytes) != 0 || peer == NULL || origin == NULL)
		return -1;
	place = fan_node_peer_of(peer, peer_bytes);
	return place >= 0 && place == fan_node_peer_of((const char *)origin->os.data, origin->os.len) &&
			       is_trusted((unsigned)place)
		       ? place
		       : -1;
}

bool
fan_node_is_open(unsigned peer)
{
	const char *host = self.options->peers[peer].host;
	struct peer_hdr *found = NULL;

	return atomic_load(&self.started) && fd_peer_getbyid(words(host), strlen(host), 1, &found) == 0 && found != NULL &&
	       fd_peer_get_state(found) == STATE_OPEN && is_trusted(peer);
}

/* freeDiameter's callback: may this peer come? Each connection is asked anew, since a peer that goes is forgotten (PI_PRST_NONE). */
static int
validate_peer(struct peer_info *info, int *verdict, int (**unused)(struct peer_info *))
{
	const int place = fan_node_peer_of(info->pi_diamid, info->pi_diamidlen);
	const bool secured = info->runtime.pir_cert_list != NULL;
	const char *why = "";

	(void)unused;
	*verdict = -1;
	if (place < 0)
		why = "a peer is none of those who may come";
	else if (!secured && !self.options->peers[place].plain)
		why = "a peer comes without TLS, and has no plain = yes";
	else if (secured && !is_certified(info))
		why = "a peer shows a certificate that is for another";
	else
		*verdict = 1;
	if (*verdict < 0 && fan_node_may_log())
		fan_log(FAN_LOG_PEER_REFUSED, NULL, "%s: %.*s", why, (int)info->pi_diamidlen, info->pi_diamid);
	info->config.pic_flags.sec = secured ? PI_SEC_DEFAULT : PI_SEC_NONE;
	info->config.pic_flags.persist = PI_PRST_NONE;
	return 0;
}

/* Whose connection a message came by, or a peer is; "unknown" for any other. */
static const char *
label_of(struct msg *message, const struct peer_hdr *peer)
{
	DiamId_t source = NULL;
	size_t source_bytes = 0;
	int place = -1;

	if (peer != NULL)
		place = fan_node_peer_of(peer->info.pi_diamid, peer->info.pi_diamidlen);
	else if (message != NULL && fd_msg_source_get(message, &source, &source_bytes) == 0 && source != NULL)
		place = fan_node_peer_of(source, source_bytes);
	return place >= 0 ? self.options->peers[place].label : "unknown";
}

static bool
is_worth_a_line(enum fd_hook_type type, const struct msg *message)
{
	return type == HOOK_PEER_CONNECT_SUCCESS || type == HOOK_PEER_CONNECT_FAILED || type == HOOK_MESSAGE_DROPPED ||
	       (type == HOOK_MESSAGE_PARSING_ERROR && message != NULL);
}

/* Without a hook of ours freeDiameter would log whole messages, payloads among them, where something is wrong with one. */
static void
on_event(enum fd_hook_type type, struct msg *message, struct peer_hdr *peer, void *other, struct fd_hook_permsgdata *unused,
	 void *opaque)
{
	int place;

	(void)unused;
	(void)opaque;
	if (type == HOOK_PEER_CONNECT_SUCCESS && peer != NULL) {
		place = fan_node_peer_of(peer->info.pi_diamid, peer->info.pi_diamidlen);
		if (place >= 0)
			self.options->arrived((unsigned)place);
	}
	if (!is_worth_a_line(type, message) || !fan_node_may_log())
		return;
	if (type == HOOK_PEER_CONNECT_SUCCESS)
		fan_log(FAN_LOG_PEER_COME, NULL, "%s=%s has come", self.options->word, label_of(message, peer));
	else if (type == HOOK_MESSAGE_PARSING_ERROR)
		fan_log(FAN_LOG_NOTE, NULL, "%s=%s sends what breaks the dictionary", self.options->word,
			label_of(message, peer));
	else
		fan_log(FAN_LOG_NOTE, NULL, "%s=%s: %s: %.200s", self.options->word,
			label_of(type == HOOK_PEER_CONNECT_FAILED ? NULL : message, peer),
			type == HOOK_PEER_CONNECT_FAILED ? "no connection" : "a message did not go",
			other != NULL ? (const char *)other : "it has gone");
}

/* Messages that wait for the state machines of all peers. */
static unsigned
count_queued(void)
{
	unsigned count = 0;

	/* Who takes peers apart may hold this and wait for the thread that asks. */
	if (pthread_rwlock_tryrdlock(&fd_g_peers_rw) != 0)
		return 0;
	for (struct fd_list *at = fd_g_peers.next; at != &fd_g_peers; at = at->next) {
		const int state = fd_peer_get_state(at->o);
		int of_peer = 0;

		/* Others have no queue, which freeDiameter would complain of. */
		if ((state == STATE_OPEN || state == STATE_REOPEN || state == STATE_SUSPECT) &&
		    fd_stat_getstats(STAT_P_PSM, (struct peer_hdr *)at->o, &of_peer, NULL, NULL, NULL, NULL, NULL, NULL) == 0)
			count += of_peer > 0 ? (unsigned)of_peer : 0;
	}
	(void)pthread_rwlock_unlock(&fd_g_peers_rw);
	return count;
}

/*
 * A Session-Id with an octet of zero ends freeDiameter, and this face with it, for all its peers: there is a sign in the place of it, before it is
 * looked at. Lengths are the sender's words, which freeDiameter checks later.
 */
static void
mend_session(const struct fd_cnx_rcvdata *received)
{
	uint8_t *octets = received->buffer;
	uint32_t octet_count;

	for (size_t at = DIAMETER_HEADER_BYTES; at + AVP_HEADER_BYTES <= received->length; at += (octet_count + 3) / 4 * 4) {
		octet_count = (uint32_t)octets[at + 5] << 16 | (uint32_t)octets[at + 6] << 8 | octets[at + 7];
		if (octet_count < AVP_HEADER_BYTES || octet_count > received->length - at)
			return;
		if (memcmp(octets + at, (const uint8_t[]){ 0, 0, SESSION_ID >> 8, SESSION_ID & 255 }, 4) != 0 ||
		    (octets[at + 4] & AVP_HAS_VENDOR) != 0)
			continue;
		for (size_t i = at + AVP_HEADER_BYTES; i < at + octet_count; i++)
			octets[i] = octets[i] != 0 ? octets[i] : '?';
	}
}

/*
 * In the thread that reads a connection, behind each message. freeDiameter would read on and on, and keep in memory what its other threads have
 * not got to: a connection that sends faster is held up here, and TCP holds up the sender. 100,000 requests of 1,400 octets in a second
 * took 140 MB before.
 */
static void
hold_up(enum fd_hook_type type, struct msg *message, struct peer_hdr *peer, void *other, struct fd_hook_permsgdata *unused,
	void *opaque)
{
	static __thread unsigned messages;
	static __thread size_t octets;
	const struct fd_cnx_rcvdata *received = other;
	const struct timespec moment = { .tv_nsec = HOLD_NS };
	unsigned allowed;

	(void)type;
	(void)message;
	(void)peer;
	(void)unused;
	(void)opaque;
	mend_session(received);
	messages++;
	octets += received->length;
	if (messages < UNCHECKED_MAX && octets < UNCHECKED_BYTES)
		return;
	allowed = octets < UNCHECKED_BYTES ? QUEUED_MAX : QUEUED_MAX / 16;
	messages = 0;
	octets = 0;
	for (unsigned i = 0; i < HOLDS_MAX && count_queued() > allowed; i++)
		(void)nanosleep(&moment, NULL);
}

static bool
listen_to_events(void)
{
	static struct fd_hook_hdl *hooks, *data;

	return fd_hook_register(HOOK_MASK(HOOK_DATA_RECEIVED), hold_up, NULL, NULL, &data) == 0 &&
	       fd_hook_register(HOOK_MASK(HOOK_MESSAGE_RECEIVED, HOOK_MESSAGE_LOCAL, HOOK_MESSAGE_SENDING, HOOK_MESSAGE_SENT,
					  HOOK_MESSAGE_FAILOVER, HOOK_MESSAGE_PARSING_ERROR, HOOK_MESSAGE_PARSING_ERROR2,
					  HOOK_MESSAGE_ROUTING_ERROR, HOOK_MESSAGE_ROUTING_FORWARD, HOOK_MESSAGE_ROUTING_LOCAL,
					  HOOK_MESSAGE_DROPPED, HOOK_PEER_CONNECT_FAILED, HOOK_PEER_CONNECT_SUCCESS),
				on_event, NULL, NULL, &hooks) == 0;
}

/* ---- freeDiameter --------------------------------------------------------------------------------------------------------- */

/* Its errors alone, one line each, without those in which it tells by which functions an error came up ("ERROR: in ..."). */
static __attribute__((format(printf, 2, 0))) void
log_line(int level, const char *format, va_list arguments)
{
	char line[512];

	if (level < FD_LOG_ERROR)
		return;
	(void)vsnprintf(line, sizeof(line), format, arguments);
	if (strncmp(line, "ERROR: in '", strlen("ERROR: in '")) != 0 && strncmp(line, "TODO", strlen("TODO")) != 0 &&
	    strncmp(line, "Initiating", strlen("Initiating")) != 0 && fan_node_may_log())
		fan_log(FAN_LOG_NOTE, NULL, "freeDiameter: %s", line);
}

/* freeDiameter's own ListenOn passes over loopback addresses, and would then listen everywhere. */
static int
listen_on(const char *addresses)
{
	char copy[FAN_SECTION_LINE_BYTES_MAX + 2], *rest = copy, *word;
	int answer = 0;

	(void)snprintf(copy, sizeof(copy), "%s", addresses != NULL ? addresses : "");
	while (answer == 0 && (word = strsep(&rest, ", \t")) != NULL) {
		struct sockaddr_in ipv4 = { .sin_family = AF_INET };
		struct sockaddr_in6 ipv6 = { .sin6_family = AF_INET6 };

		if (inet_pton(AF_INET, word, &ipv4.sin_addr) == 1)
			answer = fd_ep_add_merge(&fd_g_config->cnf_endpoints, (struct sockaddr *)&ipv4, sizeof(ipv4),
						 EP_FL_CONF | EP_ACCEPTALL);
		else if (inet_pton(AF_INET6, word, &ipv6.sin6_addr) == 1)
			answer = fd_ep_add_merge(&fd_g_config->cnf_endpoints, (struct sockaddr *)&ipv6, sizeof(ipv6),
						 EP_FL_CONF | EP_ACCEPTALL);
	}
	return answer == 0 ? 0
			   : fan_fail(FAN_E_IO, "[%s] listen: freeDiameter does not take it: %s", self.options->section,
				      strerror(answer));
}

/* freeDiameter reads a file; this one is in memory alone. The settings let no quote through. */
static void
write_node(FILE *file, const struct fan_diameter_settings *settings)
{
	(void)fprintf(file, "Identity = \"%s\";\nRealm = \"%s\";\nPort = %llu;\nSecPort = %llu;\n", settings->identity,
		      settings->realm, (unsigned long long)settings->port, (unsigned long long)settings->tls_port);
	/* NoRelay: what is not for this application and this host is refused, never passed on. */
	(void)fputs("No_SCTP;\nNoRelay;\nAppServThreads = 1;\nTwTimer = 30;\n", file);
	if (self.options->reconnect_s != 0)
		(void)fprintf(file, "TcTimer = %u;\n", self.options->reconnect_s);
	if (settings->tls_port == 0)
		return;
	(void)fprintf(
		file,
		"TLS_Cred = \"%s\", \"%s\";\nTLS_CA = \"%s\";\nTLS_Prio = \"SECURE128:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3\";\n",
		settings->certificate, settings->key, settings->authority);
	if (settings->revoked != NULL)
		(void)fprintf(file, "TLS_CRL = \"%s\";\n", settings->revoked);
}

static void
write_peers(FILE *file)
{
	for (unsigned i = 0; i < self.options->peer_count; i++) {
		const struct fan_node_peer *peer = &self.options->peers[i];

		if (peer->connect != NULL)
			(void)fprintf(file,
				      "ConnectPeer = \"%s\" { ConnectTo = \"%s\"; Port = %u; Realm = \"%s\"; No_SCTP; %s};\n",
				      peer->host, peer->connect, peer->connect_port, peer->realm,
				      peer->plain ? "No_TLS; " : "");
	}
}

static int
configure(void)
{
	const int descriptor = memfd_create("freeDiameter.conf", MFD_CLOEXEC);
	FILE *file = descriptor >= 0 ? fdopen(descriptor, "w") : NULL;
	char path[64];
	int error = file == NULL ? fan_fail(FAN_E_IO, "no file in memory: %s", strerror(errno)) : 0;

	if (error != 0)
		return error;
	write_node(file, self.options->settings);
	write_peers(file);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", descriptor);
	if (fflush(file) != 0 || fd_core_parseconf(path) != 0)
		error = fan_fail(FAN_E_INVALID, "freeDiameter does not take what %s says; its own line is above",
				 self.options->file);
	(void)fclose(file);
	return error != 0 ? error : listen_on(self.options->settings->listen);
}

/* freeDiameter ends itself at what it takes for an error of its own. The process would go on, deaf: whoever supervises it starts it again. */
static void *
await_end(void *unused)
{
	(void)unused;
	(void)fd_core_wait_shutdown_complete();
	if (!atomic_load(&self.stopping)) {
		atomic_store(&self.broke, true);
		(void)kill(getpid(), SIGTERM);
	}
	return NULL;
}

bool
fan_node_broke(void)
{
	return atomic_load(&self.broke);
}

int
fan_node_begin(const struct fan_node_options *options, struct dict_object **vendor)
{
	self.options = options;
	fan_rate_init(&self.lines, LINES_PER_S, fan_clock_ns(CLOCK_MONOTONIC));
	(void)fd_log_handler_register(log_line);
	fd_g_debug_lvl = FD_LOG_ERROR;
	if (fd_core_initialize() != 0)
		return fan_fail(FAN_E_IO, "freeDiameter does not start; its own line is above");
	self.initialised = true;
	return fan_dictionary_open(vendor)
		       ? 0
		       : fan_fail(FAN_E_IO, "freeDiameter does not take the dictionary; its own line is above");
}

int
fan_node_offer(struct dict_object *application, struct dict_object *vendor, struct dict_object *request,
	       int (*handle)(struct msg **, struct avp *, struct session *, void *, enum disp_action *))
{
	struct disp_when when = { .app = application, .command = request };

	if ((handle != NULL && fd_disp_register(handle, DISP_HOW_CC, &when, NULL, NULL) != 0) ||
	    fd_disp_app_support(application, vendor, 1, 0) != 0)
		return fan_fail(FAN_E_IO, "freeDiameter does not take the application; its own line is above");
	return 0;
}

int
fan_node_listen(void)
{
	int error = configure();

	if (error == 0 && (fd_peer_validate_register(validate_peer) != 0 || !listen_to_events()))
		error = fan_fail(FAN_E_IO, "freeDiameter does not take the application; its own line is above");
	if (error == 0 && (fd_core_start() != 0 || fd_core_waitstartcomplete() != 0))
		error = fan_fail(FAN_E_IO, "freeDiameter does not listen; its own line is above");
	self.watched = error == 0 && pthread_create(&self.watcher, NULL, await_end, NULL) == 0;
	atomic_store(&self.started, error == 0);
	return error;
}

void
fan_node_quiet(void)
{
	atomic_store(&self.started, false);
}

void
fan_node_end(void)
{
	atomic_store(&self.stopping, true);
	if (self.initialised)
		(void)fd_core_shutdown();
	if (self.watched)
		(void)pthread_join(self.watcher, NULL);
	else if (self.initialised)
		(void)fd_core_wait_shutdown_complete();
}
