/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fanfare.h: the one installed header of libfanfare.
 *
 * One group message in, one individually protected unicast message out for every member of the group (3GPP "group message
 * delivery via unicast", TS 29.122 4.4.5). A program opens an appliance inside its own process, provisions UEs, forms groups
 * and sends messages to them; or it uses the bulk-protection call alone and brings its own packets.
 *
 * Conventions of every declaration below:
 *  - Arguments run: handle, outputs, inputs, counts.
 *  - Functions return 0 or a negative enum fan_error unless they say otherwise; fan_error_detail() then holds one line that
 *    names what was wrong and its limit. No function aborts on its arguments' values; pointers are valid unless a comment allows NULL.
 *  - Unless a comment says otherwise, all calls on one handle come from one thread (the control thread). Worker threads
 *    belong to the library and are never visible.
 *  - A handle belongs to the process that opened it. A child of that process (fork(2), daemon(3)) has neither the threads nor the keys
 *    behind it: there every call that takes the handle, or a group of it, changes and frees nothing, and answers NOT_FOUND where it can
 *    answer an error; fan_open() answers UNSUPPORTED, and a protector may be opened, unless another thread was in a call of this library
 *    when the process forked. A daemon forks first.
 *  - Keys handed over are copied; the copies live in memory that is excluded from core dumps and wiped when released.
 *  - Structs that a caller fills begin with struct_bytes. fan_..._init() sets it, and every default; a struct that was only zeroed is
 *    refused. A library newer than the program takes the shorter struct and puts defaults behind its end; an older one refuses fields
 *    that it does not know (UNSUPPORTED) unless they are zero. Enums and lists only grow at their end.
 *  - A callback (fan_done, the `each` functions) runs in the caller's thread, inside the call that names it. It may call everything but
 *    fan_poll(), fan_close(), fan_drain() and fan_ue_remove(), which answer BUSY there.
 *
 * This header includes nothing of the project: it is the vocabulary that every other folder may use.
 */
#ifndef FANFARE_H
#define FANFARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The interface that this header describes. It rises with every change that a program can see; what was there stays. */
#define FAN_API_VERSION 4

/* Version of the library in use, "0.1.0", and the FAN_API_VERSION that it was built with. Static storage; any thread. */
const char *fan_version(void);
unsigned fan_api_version(void);

#define FAN_KEY_BYTES 16       /* K_NASenc, K_NASint, K_UPenc, K_UPint: 128-bit algorithms (TS 33.401 Annex B) */
#define FAN_BATCH_UES_MAX 64   /* UEs of one batch: what fan_protect() takes in one call's stride */
#define FAN_PDU_BYTES_MAX 1500 /* clear prefix and text of one PDU: what an Ethernet path carries without fragments */
#define FAN_HEAD_BLOCKS_MAX 3  /* private head, in blocks of 16 octets */
#define FAN_MAC_BYTES 4        /* MAC-I and NAS-MAC, 32 bits */
#define FAN_PARTS_MAX 255      /* parts of one concatenated short message (TS 23.040 9.2.3.24.1) */
#define FAN_TRANSACTIONS_MAX 7 /* CP transactions, and so short messages, that a UE keeps open (TS 24.007 11.2.3.1.3) */
#define FAN_WORKERS_MAX 64

/* ---- Errors ------------------------------------------------------------------------------------------------------------ */

enum fan_error {
	FAN_E_INVALID = -1,     /* a value outside its range, or values that contradict each other */
	FAN_E_MEMORY = -2,      /* not enough memory; the detail says how much is needed */
	FAN_E_UNSUPPORTED = -3, /* this CPU, engine or port cannot do it */
	FAN_E_TOO_LONG = -4,    /* the message fits no format of a profile asked for */
	FAN_E_EXISTS = -5,      /* already there */
	FAN_E_NOT_FOUND = -6,   /* no such group, UE, file or port; the handle is another process's */
	FAN_E_BUSY = -7,        /* in use by a message in flight, or a queue is full: try again after fan_poll() */
	FAN_E_IO = -8,          /* a file, port or EAL call failed */
};

/* One word for an error, "ok" for 0. Static storage; any thread. */
const char *fan_error_name(int error);

/* One line on the last error of this thread: what was wrong, its limit, the way out. Never holds key material. Valid until the
 * next failing call of this thread; empty before the first. */
const char *fan_error_detail(void);

/* ---- Algorithms, protections and profiles ------------------------------------------------------------------------------ */

/* Cipher and integrity algorithms carry their 3GPP numbers: 128-EEAn = 128-NEAn, 128-EIAn = 128-NIAn (TS 33.501 Annex D).
 * 0 null, 1 SNOW 3G, 2 AES, 3 ZUC. EIA0 is refused unless the UE is marked emergency (TS 33.401 5.1.4.2). */
#define FAN_ALGORITHM_MAX 3
#define FAN_INTEGRITY_NONE 0xff    /* no MAC-I at all: LTE DRBs, and NR DRBs without integrity (TS 38.323 6.3.4) */
#define FAN_INTEGRITY_HMAC_SHA_1 4 /* of MIKEY, 160 bits: FAN_KIND_MBMS, and no other. Since version 4 */

/* What protects a message: one context table exists per (kind, cipher, integrity). */
enum fan_kind {
	FAN_KIND_EPS_NAS,     /* TS 24.301 security header type 2 */
	FAN_KIND_5GS_NAS,     /* TS 24.501 security header type 2 */
	FAN_KIND_LTE_PDCP_12, /* TS 36.323 DRB, 12-bit SN, cipher only */
	FAN_KIND_LTE_PDCP_18, /* TS 36.323 DRB, 18-bit SN, cipher only */
	FAN_KIND_NR_PDCP_12,  /* TS 38.323 DRB, 12-bit SN */
	FAN_KIND_NR_PDCP_18,  /* TS 38.323 DRB, 18-bit SN */
	/* Since version 4: nothing of ours. A plain packet over SGi or N6 (TS 23.401 4.4.3.3, TS 23.501 4.2.3), which the network protects from hop to
	 * hop. A context has neither keys nor COUNT: cipher 0, integrity FAN_INTEGRITY_NONE, all else of them 0 */
	FAN_KIND_SGI,
	/* Since version 4: MIKEY messages under the UE's MUK (TS 33.246, RFC 3830), in a packet to its own address. cipher 2, AES-CM-128; integrity
	 * FAN_INTEGRITY_HMAC_SHA_1; k_enc and k_int are the two halves of the MUK, and COUNT is T, of which a UE is sent all 32 bits */
	FAN_KIND_MBMS,
	FAN_KIND_COUNT
};

/* A profile is a kind and the form that a message takes in it. */
enum fan_profile {
	FAN_PROFILE_EPS_NAS_NIDD, /* ESM DATA TRANSPORT, TS 24.301 8.3.25 */
	FAN_PROFILE_EPS_NAS_SMS,  /* DOWNLINK NAS TRANSPORT with SMS-DELIVER, TS 24.301 8.2.12 */
	FAN_PROFILE_5GS_NAS_SMS,  /* DL NAS TRANSPORT, payload container type 2, TS 24.501 8.2.11 */
	FAN_PROFILE_5GS_NAS_CIOT, /* DL NAS TRANSPORT, payload container type 8 */
	FAN_PROFILE_LTE_PDCP_12,
	FAN_PROFILE_LTE_PDCP_18,
	FAN_PROFILE_NR_PDCP_12,
	FAN_PROFILE_NR_PDCP_18,
	/* Since version 4: keys of groups, for UEs that understand them; they take messages of fan_message.group_keys and no others. */
	FAN_PROFILE_EPS_NAS_KEY, /* DOWNLINK GENERIC NAS TRANSPORT, TS 24.301 8.2.31, container type 7F, which is ours */
	FAN_PROFILE_5GS_NAS_KEY, /* DL NAS TRANSPORT, payload container type 1: PDU SESSION MODIFICATION COMMAND, TS 24.501 8.3.9 */
	FAN_PROFILE_SGI_IP, /* an IPv4/UDP packet to the UE's own address, straight to a PGW, UPF or router. Since version 4 */
	FAN_PROFILE_MBMS_MSK, /* the same with an MSK in it, under the UE's MUK: takes messages of fan_message.group_keys alone. Since version 4 */
	FAN_PROFILE_COUNT
};

/* "eps-nas-nidd" ... "mbms-msk"; NULL outside the enum. Static storage; any thread. */
const char *fan_profile_name(enum fan_profile profile);
/* The profile of that name, or FAN_E_NOT_FOUND. */
int fan_profile_find(const char *name);
enum fan_kind fan_profile_kind(enum fan_profile profile);

/* Whether NAS protects a kind, rather than a bearer's PDCP. */
static inline bool
fan_kind_is_nas(enum fan_kind kind)
{
	return kind == FAN_KIND_EPS_NAS || kind == FAN_KIND_5GS_NAS;
}

/* Whether a profile takes keys of groups, and nothing else. */
static inline bool
fan_profile_is_key(enum fan_profile profile)
{
	return profile == FAN_PROFILE_EPS_NAS_KEY || profile == FAN_PROFILE_5GS_NAS_KEY || profile == FAN_PROFILE_MBMS_MSK;
}

/* Whether nothing of Fanfare's protects a kind: it has no key, no COUNT and no MAC. Since version 4. */
static inline bool
fan_kind_is_plain(enum fan_kind kind)
{
	return kind == FAN_KIND_SGI;
}

/* Whether PDCP protects a kind, and a tunnel leads to its UE. Since version 4. */
static inline bool
fan_kind_is_bearer(enum fan_kind kind)
{
	return kind >= FAN_KIND_LTE_PDCP_12 && kind <= FAN_KIND_NR_PDCP_18;
}

/* Why a message was not sent to a UE. One list makes the enum, the text and the counters. */
#define FAN_DROP_LIST(X)                                                                                                       \
	X(UNREACHABLE, "unreachable", "the UE is marked unreachable; no COUNT was spent")                                      \
	X(WINDOW, "window", "too many messages without proof of reception; resynchronise the UE")                              \
	X(RESERVATION, "reservation", "no COUNT is reserved beyond the last one spent")                                        \
	X(COUNT_END, "count-end", "COUNT is near its end; the UE needs a new key")                                             \
	X(ENGINE, "engine", "no engine could protect the message")                                                             \
	X(CANCELLED, "cancelled", "the message was cancelled before it left")                                                  \
	X(EXPIRED, "expired", "the message did not leave within its validity")                                                 \
	X(REMOVED, "removed", "the UE was removed before the message left; no COUNT was spent")                                \
	X(PORT, "port", "the port lost the frame: its link went down or it failed")                                            \
	X(TRANSACTIONS, "transactions", "seven short messages may wait for the UE's acknowledgement; no COUNT was spent")

enum fan_drop {
	FAN_DROP_NONE,
#define FAN_DROP_ENUM(name, text, why) FAN_DROP_##name,
	FAN_DROP_LIST(FAN_DROP_ENUM)
#undef FAN_DROP_ENUM
	/* how many there are */
	FAN_DROP_COUNT
};

/* "unreachable" ...; "none" for FAN_DROP_NONE. Static storage; any thread. */
const char *fan_drop_name(enum fan_drop drop);

/* ---- The appliance ----------------------------------------------------------------------------------------------------- */

struct fanfare;
struct fan_next_hop_rate;

enum fan_radio { FAN_RADIO_LTE, FAN_RADIO_NR, FAN_RADIO_COUNT };

#define FAN_ENGINE_AUTO "auto" /* in place of a list of engines: every automatic one, the fastest for each shape first */

struct fan_options {
	size_t struct_bytes; /* fan_options_init() */
	const char *egress;  /* where frames go: "af_packet:IFACE", "tap", a DPDK port, or "net_null", which throws them away */
	const char *program; /* name in EAL messages; NULL: "fanfare" */
	const char *engines; /* comma-separated, in order of preference; NULL: FAN_ENGINE_AUTO */
	const char *card;    /* of engine "fpga": "model[,...]", "shm:PATH"; NULL: the model in this process */
	unsigned workers;    /* 1..FAN_WORKERS_MAX worker lcores; 0: 1 */
	bool ipv6;           /* outer transport over IPv6 instead of IPv4 */
	bool udp_checksum;   /* fill the outer UDP checksum over IPv4 too; IPv6 always has it */
	const char *
		capture; /* write every frame that is ready to leave to this pcap file; NULL: none. One that the port did not take, of a message
				that was stopped then, is in it too */
	const char *const *eal; /* further EAL arguments, NULL-terminated; NULL: none */
	/* What frames say of their sender. */
	uint8_t source_address
		[16]; /* IPv4 in the first 4 octets, or IPv6, network order; zero only where frames reach nobody (net_null,
					net_ring, net_pcap into a file): a documentation address */
	uint8_t source_ethernet[6]; /* zero: the port's own */
	uint16_t vlan;              /* 1..4094: every frame is tagged (IEEE 802.1Q); 0: none */
	uint8_t vlan_priority;      /* 0..7, of the tag */
	uint8_t dscp;               /* 0..63, of the IP header (RFC 2474) */
	uint16_t udp_source_port;   /* 0: the destination's */
	/* Since version 2: what outlives the process (see The store). */
	const char *store;          /* directory, mode 0700, on a local file system; NULL: nothing is kept */
	const char *store_key_file; /* the key that its keys are sealed under: 32 octets or 64 hex digits, mode 0600 or 0400 */
	bool store_create;          /* make the store where there is none */
	bool store_adopt; /* take over one that was copied or moved here: only when the original is closed and gone for good */
	uint32_t retention_s; /* how long the results of ended messages are kept; 0: 7 days */
	/* Proof of reception from the wire (see there). fan_poll() takes what has come in, so that it is to be called some times a second. */
	bool receive_acknowledgements; /* UNSUPPORTED where the port cannot receive */
	uint16_t acknowledgement_port; /* UDP, where relays send theirs to, at source_address; 0: 36413 */
	/* Called inside fan_open() while UEs are read from the store, for each ten thousand; NULL: nobody is told. It calls nothing of this library. */
	void (*loading)(void *user, uint64_t ues, uint64_t ue_count);
	void *loading_user;
	/* Since version 3: the rate that a next hop begins with (see Pace). Called for each that is read from the store inside fan_open(), before any
	 * message goes on, and for each that fan_next_hop_add() adds. In: its address. In/Out: *rate, as fan_next_hop_rate_init() makes it; one that
	 * cannot be is the error of that call. NULL: none has any. It calls nothing of this library. */
	void (*rate)(void *user, struct fan_next_hop_rate *rate, const uint8_t address[16]);
	void *rate_user;
	/* Since version 4: the way to relays that have requests of cell broadcast put on the air (see Choice of delivery). Called inside fan_poll()
	 * and fan_sync() with the octets of one; what comes back goes to fan_broadcast_answer(). It calls nothing of this library. NULL: none, and all
	 * goes by unicast. */
	void (*broadcast)(void *user, enum fan_radio radio, const uint8_t *octets, size_t octet_count);
	void *broadcast_user;
	uint8_t broadcast_radios;   /* bit 1 << enum fan_radio: there is a relay for it */
	uint32_t broadcast_wait_ms; /* for answers, 1..60000; then all members are served by unicast; 0: 4000 */
};

static inline void
fan_options_init(struct fan_options *options)
{
	memset(options, 0, sizeof(*options));
	options->struct_bytes = sizeof(*options);
}

/* Starts EAL (once per process, unless the host has), the egress port and the workers. In: options; egress is the one without a
 * default. Out: *out, owned by the caller until fan_close(). Errors, with *out NULL: INVALID, UNSUPPORTED (no such engine on this CPU;
 * EAL runs already with fewer lcores; a port that does not receive), NOT_FOUND (no such port; no such store), BUSY (another process has the store, which is named), IO
 * (also whenever EAL has failed to start in this process before: it cannot be started twice; or the store is damaged). Blocks while the
 * store is read. */
int fan_open(struct fanfare **out, const struct fan_options *options);

/* Stops the workers, wipes and frees everything, groups included. Messages in flight are abandoned where they are, and the COUNTs
 * they spent stay spent; their callbacks do not run. To lose nothing: fan_drain(), fan_poll() until 0, fan_ue_each() for the COUNTs,
 * then this. NULL is ignored. IO when a capture could not be written whole, BUSY in a callback. */
int fan_close(struct fanfare *fanfare);

/* Accepts no message any more (fan_send() answers BUSY); those in flight go on, or, with `cancel`, end where they are. */
int fan_drain(struct fanfare *fanfare, bool cancel);

/* A descriptor that can be read (poll(2), epoll(7)) while fan_poll() has a message to report. Owned by the appliance. */
int fan_event_fd(const struct fanfare *fanfare);

/* ---- Next hops and UEs ------------------------------------------------------------------------------------------------- */

/* A next hop: an MME/AMF relay for NAS, a gNB-DU (F1-U) or eNB for bearers, a PGW, UPF or router for sgi-ip and mbms-msk, whose packets bear no
 * address of it but that of the link. */
struct fan_next_hop {
	size_t struct_bytes; /* fan_next_hop_init() */
	uint8_t ethernet[6]; /* destination address on the egress link */
	uint8_t address[16]; /* IPv4 in the first 4 octets, or IPv6, network order, as options.ipv6 says */
};

static inline void
fan_next_hop_init(struct fan_next_hop *next_hop)
{
	memset(next_hop, 0, sizeof(*next_hop));
	next_hop->struct_bytes = sizeof(*next_hop);
}

/* Appends a next hop. Returns its index 0..65535 or an error (INVALID, EXISTS for an address twice, MEMORY). */
int fan_next_hop_add(struct fanfare *fanfare, const struct fan_next_hop *next_hop);

/* Gives a next hop another address, for all UEs that it serves, messages in flight or not: PDUs written from now on go there. Blocks for
 * as long as workers take to finish a batch, some microseconds. NOT_FOUND, INVALID, EXISTS. */
int fan_next_hop_change(struct fanfare *fanfare, unsigned index, const struct fan_next_hop *next_hop);

/* Out: *next_hop, what the next hop of an index has now; indices have no gaps. NOT_FOUND. Since version 2. */
int fan_next_hop_get(const struct fanfare *fanfare, struct fan_next_hop *next_hop, unsigned index);

/*
 * Pace, since version 3. A next hop may have a rate: then its members of a message are put off while it has no tokens, and others go on. No COUNT
 * is spent for what is put off, each UE gets messages of one priority in order, and what is not sent within its validity is "expired", as ever.
 * Of a rate of R a second and a depth of D, frames handed to the port are no more than D in any 10 ms and R + D - R/100 in any second; with
 * the usual depth that is R + 1 % from 300 PDUs a second on. The parts of a message to one UE leave together, also where they are more than D:
 * alone, and made good before the next. Octets are those of frames, from Ethernet up.
 *
 * A UE that is removed while it is put off is reported when its turn comes or the message ends, and its keys are wiped then.
 *
 * Rates are not stored: fan_options.rate says what each next hop begins with. With a store, the position of a message (fan_message_status.in_doubt) stays before the
 * first member that is put off, and no worker goes 4,194,304 members beyond that.
 */
struct fan_next_hop_rate {
	size_t struct_bytes;   /* fan_next_hop_rate_init() */
	uint64_t pdus_per_s;   /* 1..FAN_RATE_PDUS_MAX; 0: no limit */
	uint64_t octets_per_s; /* FAN_RATE_OCTETS_MIN..FAN_RATE_OCTETS_MAX; 0: no limit */
	/* Of the bucket: 0: what 20 ms have, 2 PDUs or 4,096 octets more than 10 ms have at the least. Given, it has room for a PDU (2,048 octets)
	 * beside what 10 ms have, and for 1,000 of these beside what 10 s have at the most. */
	uint64_t depth_pdus, depth_octets;
	uint8_t urgent_percent; /* 0..FAN_RATE_URGENT_MAX of the bucket are kept for messages of priority FAN_PRIORITY_URGENT and above */
};

#define FAN_PRIORITY_MAX 7
#define FAN_PRIORITY_URGENT 4
#define FAN_RATE_PDUS_MAX 100000000
#define FAN_RATE_OCTETS_MIN 2048
#define FAN_RATE_OCTETS_MAX UINT64_C(100000000000)
#define FAN_RATE_URGENT_MAX 90
#define FAN_RATE_URGENT 20 /* fan_next_hop_rate_init() */

static inline void
fan_next_hop_rate_init(struct fan_next_hop_rate *rate)
{
	memset(rate, 0, sizeof(*rate));
	rate->struct_bytes = sizeof(*rate);
	rate->urgent_percent = FAN_RATE_URGENT;
}

/* Sets the rate of a next hop, messages in flight or not; no limit at all takes it away. Its buckets begin empty. Blocks for as long as workers
 * take to finish a batch. NOT_FOUND; INVALID: names the field and its limit; MEMORY: nothing has changed. */
int fan_next_hop_rate(struct fanfare *fanfare, unsigned index, const struct fan_next_hop_rate *rate);
/* Whether it would: INVALID. Any thread. */
int fan_next_hop_rate_check(const struct fan_next_hop_rate *rate);

/* The word of the machine that is the next hop, or of whoever speaks for it: no more than so many PDUs a second, 0: none at all, for so many
 * milliseconds, 1..FAN_RELAY_MS_MAX; then it is forgotten, so that one that says nothing more stops nothing for ever. It counts beside the rate that
 * was set: the lower one is in force. The latest word counts; for_ms 0 takes it back. That its time is over is seen by fan_poll(). NOT_FOUND, INVALID,
 * MEMORY. */
int fan_next_hop_relay(struct fanfare *fanfare, unsigned index, uint64_t pdus_per_s, uint32_t for_ms);

#define FAN_RELAY_MS_MAX 60000

/* How a next hop keeps its pace. The library fills it: fields may be added at its end. */
struct fan_next_hop_pace {
	size_t struct_bytes;           /* fan_next_hop_pace_init() */
	struct fan_next_hop_rate rate; /* as it was set */
	bool paced;                    /* some limit is in force */
	uint64_t pdus_per_s;           /* in force; 0: no limit, or stopped */
	bool stopped;                  /* by the relay's word */
	uint32_t relay_ms;             /* for so long that word counts yet; 0: there is none */
	uint64_t relay_pdus_per_s;     /* what it was */
	uint64_t pdus, octets;         /* handed to the port, of those that had to have tokens */
	uint64_t put_off;              /* members that found none, ever */
	uint64_t waiting;              /* those that wait now, each for each message: back-pressure */
};

static inline void
fan_next_hop_pace_init(struct fan_next_hop_pace *pace)
{
	memset(pace, 0, sizeof(*pace));
	pace->struct_bytes = sizeof(*pace);
}

/* Out: *pace. NOT_FOUND. */
int fan_next_hop_pace(const struct fanfare *fanfare, struct fan_next_hop_pace *pace, unsigned index);

/* A UE context as leased from the MME, AMF or gNB: keys, the next COUNT to use, and where its messages go. */
struct fan_ue {
	size_t struct_bytes; /* fan_ue_init() */
	enum fan_kind kind;
	uint8_t cipher;    /* 0..3 */
	uint8_t integrity; /* 0..3 or FAN_INTEGRITY_NONE; LTE PDCP takes only NONE, NAS never */
	bool emergency;    /* allows integrity 0 */
	uint8_t k_enc[FAN_KEY_BYTES];
	uint8_t k_int[FAN_KEY_BYTES];
	uint32_t count;          /* the next COUNT to be spent */
	uint32_t count_reserved; /* first COUNT that is not leased to us: spending stops there */
	uint16_t
		unacknowledged; /* COUNTs right before `count` without proof of reception, as fan_ue_acknowledged() has it; 0: none */
	uint8_t bearer;         /* NAS 0 (EPS), 1 or 2 (5GS: 3GPP, non-3GPP access); bearers 0..31, DRB identity - 1 */
	uint16_t next_hop; /* index from fan_next_hop_add() */
	uint32_t ue;       /* the caller's own index of the UE, given back in reports */
	/* bearers */
	uint32_t teid; /* non-zero, of the tunnel at the next hop */
	uint8_t ipv4
		[4]; /* the UE's own address: destination of the packet a bearer carries, or of sgi-ip and mbms-msk: there a unicast address */
	uint32_t nru_sn; /* next NR-U sequence number, 24 bits (TS 38.425) */
	/* NAS */
	uint64_t mme_ue_id;   /* MME-UE-S1AP-ID 0..2^32-1, or AMF-UE-NGAP-ID 0..2^40-1 */
	uint32_t ran_ue_id;   /* eNB-UE-S1AP-ID 0..2^24-1, or RAN-UE-NGAP-ID 0..2^32-1 */
	uint8_t bearer_id;    /* EPS bearer identity 5..15 of NIDD data, or PDU session identity 1..15 of CIoT data */
	uint8_t transaction;  /* next CP transaction identifier 0..6 */
	uint8_t rp_reference; /* next RP message reference 0..255 */
	/* CP transactions that the lender has opened and that may still be open, 0..FAN_TRANSACTIONS_MAX: their COUNTs are unacknowledged */
	uint8_t transactions_open;
	/* Since version 2. */
	const char *
		identity; /* 5 to 15 digits (IMSI), or local@domain (external identifier, TS 23.682 4.6.2): copied; NULL: none, which a
				   store refuses. One identity may have several contexts, of each kind and bearer one */
	uint32_t capabilities;  /* the caller's bits, kept for it */
	bool unreachable;       /* it begins as after fan_ue_reachable(..., false) */
	int64_t lease_until_ms; /* since 1970 UTC, by the wall clock of this machine: from then on nothing is spent (dropped as
				   "reservation"); 0: no such limit */
	uint32_t uplink_teid;   /* bearers: of the tunnel in which the next hop answers (NR-U delivery status); 0: none */
	/* Since version 4: as fan_ue_place() has them. */
	uint8_t plmn[3];
	uint32_t area;
	uint16_t broadcast_id;
	/* Since version 4: MBMS. */
	const char *
		b_tid; /* its name in GBA, base64(RAND)@domain of the BSF (TS 33.220 4.5.2): copied. All contexts have the same domain */
	uint16_t udp_port; /* where it takes MIKEY at ipv4; 0: FAN_PORT_MIKEY */
};

#define FAN_PORT_MIKEY 2269
#define FAN_B_TID_NAME_BYTES 24 /* up to the @ */
#define FAN_B_TID_BYTES_MAX 253 /* RFC 4282 2.2: what a NAI may have */

#define FAN_IDENTITY_BYTES 128 /* with the closing zero */

static inline void
fan_ue_init(struct fan_ue *ue, enum fan_kind kind)
{
	memset(ue, 0, sizeof(*ue));
	ue->struct_bytes = sizeof(*ue);
	ue->kind = kind;
}

/* A context's name, as long as the appliance is open: the name of a context that was removed is given to no other. What comes back from a store
 * has other names, which fan_ue_lookup() and fan_ue_next() tell. The slot lies in the lower half, so that
 * contexts that were added one after another to a table from which none was removed have consecutive names; what lies in the upper half is
 * ours. */
typedef uint64_t fan_context_id;

/* Checks, before they are added, that memory for so many further contexts is free now (MEMORY, with the bytes needed). Nothing is
 * allocated: tables take memory as contexts are added. */
int fan_ue_reserve(struct fanfare *fanfare, enum fan_kind kind, uint8_t cipher, uint8_t integrity, size_t contexts);

/* Adds a context. Out: *id. Errors: INVALID (names the field and its range), MEMORY, EXISTS: a context under the same key and BEARER
 * is there, in this handle or another of the process, and both would spend the same COUNTs; or, with a store, one of the same identity,
 * kind, BEARER and, of NAS, bearer identity. A security context is added ONCE: whether a message reaches a NAS context as SMS or as
 * user data is a matter of groups. Any time. */
int fan_ue_add(struct fanfare *fanfare, fan_context_id *id, const struct fan_ue *ue);

/* Takes a context out of service and out of every group, at once, messages in flight or not: it spends nothing any more. Out:
 * *next_count, the first COUNT not spent, and *unacknowledged, how many before it have no proof of reception: both go back to the
 * lender. PDUs that have their COUNT may still leave; messages that had the UE before them report it as "removed". Keys are wiped once
 * nothing in flight can refer to them. Blocks for as long as workers take to finish a batch, and with a store for one durable write.
 * Errors: NOT_FOUND; BUSY in a callback or a batch; MEMORY, IO: it stays in service as it was. */
int fan_ue_remove(struct fanfare *fanfare, uint32_t *next_count, uint16_t *unacknowledged, fan_context_id id);

/* Out: the next COUNT to be spent, the first that is not leased, and how many before the next have no proof of reception. Any may be
 * NULL. While a message is in flight each is of some moment during the call. */
int fan_ue_count(const struct fanfare *fanfare, uint32_t *next_count, uint32_t *count_reserved, uint16_t *unacknowledged,
		 fan_context_id id);

/* A UE has moved (handover, path switch): takes next_hop, teid, uplink_teid, ipv4, mme_ue_id, ran_ue_id of `ue` over, by the UE's kind, and
 * nothing else. Messages in flight or not; PDUs written from now on go there. Blocks for as long as workers take to finish a batch.
 * INVALID; MEMORY: it has moved, and acknowledgements from the wire do not reach it. */
int fan_ue_move(struct fanfare *fanfare, fan_context_id id, const struct fan_ue *ue);

/* Where a UE is and what it listens to: facts that the way of its messages is chosen by (see Choice of delivery). Zeroed: nothing is known. */
struct fan_ue_place {
	size_t struct_bytes;   /* fan_ue_place_init() */
	uint8_t plmn[3];       /* that serves it, as on the wire (TS 24.008 10.5.1.3); zero: not known */
	uint32_t area;         /* tracking area code there, 16 (EPS) or 24 bits (5GS); 0, which is none: not known */
	uint16_t broadcast_id; /* that it takes cell broadcast of, FAN_BROADCAST_ID_FIRST to _LAST; 0: none */
};

static inline void
fan_ue_place_init(struct fan_ue_place *place)
{
	memset(place, 0, sizeof(*place));
	place->struct_bytes = sizeof(*place);
}

/* Takes all of *place over for a context, whatever was known before, and chooses its way in each group anew: for messages that are sent from now
 * on. With a store in one durable write. INVALID, NOT_FOUND, BUSY in a batch. Since version 4. */
int fan_ue_place(struct fanfare *fanfare, fan_context_id id, const struct fan_ue_place *place);

/* Calls `each` for every context, with what fan_ue_remove() would give back. */
void fan_ue_each(struct fanfare *fanfare,
		 void (*each)(void *user, fan_context_id id, uint32_t ue, uint32_t next_count, uint16_t unacknowledged),
		 void *user);

/* Extends (never shortens: INVALID) the lease of a context: spending stops at count_reserved. Any time. */
int fan_ue_lease(struct fanfare *fanfare, fan_context_id id, uint32_t count_reserved);

/* An unreachable UE is skipped, reported and spends no COUNT. With a store both ways take a durable write: then it is known, whatever ends the
 * process, that nothing was spent meanwhile. When the write fails the UE is unreachable in this process, whatever was asked for. */
int fan_ue_reachable(struct fanfare *fanfare, fan_context_id id, bool reachable);

/* Proof of reception. The window of unacknowledged COUNTs begins behind `count`. Any time, messages in flight or not. INVALID for a COUNT
 * not spent yet; an older one than the last proof changes nothing.
 * NAS: the UE accepted the message under this COUNT; of those before it nothing need be known, since a UE works COUNT out from the last
 * that it accepted (TS 24.301 4.4.3.1, TS 24.501 4.4.3.1).
 * Bearers: the UE misses nothing up to this COUNT and accepted it, as RLC or a PDCP status report say. That it accepted a later one is no
 * proof for earlier ones: a receiver's window counts from the OLDEST PDU that it misses (TS 38.323 5.2.2.1, TS 36.323 5.1.2), and a COUNT
 * named too high lets Fanfare spend beyond it, to a UE that then takes nothing any more. */
int fan_ue_acknowledged(struct fanfare *fanfare, fan_context_id id, uint32_t count);

/* Proof that ALL that was sent was received, for contexts first .. first + count - 1 of one table: their window of
 * unacknowledged COUNTs starts anew. Names of contexts that are gone are passed over. BUSY while any message is in flight. UNSUPPORTED
 * with a store: after a crash nobody knows what was sent, and fan_ue_acknowledged() names it. */
int fan_ue_received(struct fanfare *fanfare, fan_context_id first, size_t count);

/* The contexts of an identity. Out: ids[id_max], as many as there is room for. Returns how many there are: 0 without a store, and where the
 * store cannot be read. */
unsigned fan_ue_lookup(const struct fanfare *fanfare, fan_context_id *ids, unsigned id_max, const char *identity);

/* What is known of a context; it holds no key. The library fills it: fields may be added at its end. */
struct fan_ue_status {
	size_t struct_bytes;               /* fan_ue_status_init() */
	char identity[FAN_IDENTITY_BYTES]; /* "" without a store, which alone keeps it, and capabilities */
	enum fan_kind kind;
	uint8_t cipher, integrity, bearer;
	bool reachable;
	bool needs_resync; /* its window is used up: nothing is sent to it until something is acknowledged */
	uint16_t next_hop;
	uint32_t ue, capabilities;
	uint32_t next_count, count_reserved;
	uint16_t unacknowledged, unacknowledged_max;
	int64_t lease_until_ms;
	uint32_t groups; /* that it is a member of */
	/* Since version 4: as fan_ue_place() has them. */
	uint8_t plmn[3];
	uint32_t area;
	uint16_t broadcast_id;
};

static inline void
fan_ue_status_init(struct fan_ue_status *state)
{
	memset(state, 0, sizeof(*state));
	state->struct_bytes = sizeof(*state);
}

/* NOT_FOUND; IO: the store cannot be read. While a message is in flight each number is of some moment during the call. Takes a step for each
 * group. */
int fan_ue_status(const struct fanfare *fanfare, struct fan_ue_status *state, fan_context_id id);

/* The first context whose name is `from` or higher, in ascending order of names; 0 when there is none: so a list can be walked in steps while
 * UEs come and go. Out: *id. Returns 1 or 0. */
int fan_ue_next(const struct fanfare *fanfare, fan_context_id *id, fan_context_id from);

/* Bounds a lease in time, as fan_ue.lease_until_ms: earlier, later, or not any more. That the time has come is seen by fan_poll(). INVALID: it is
 * negative. */
int fan_ue_lease_until(struct fanfare *fanfare, fan_context_id id, int64_t lease_until_ms);

/* ---- Keys -------------------------------------------------------------------------------------------------------------- */

#define FAN_PARENT_KEY_BYTES 32

/* What a lender may have in place of the two keys of a context: the key that they hang under. */
enum fan_parent_key {
	FAN_PARENT_K_ASME, /* EPS NAS (TS 33.401 A.7) */
	FAN_PARENT_K_AMF,  /* 5GS NAS (TS 33.501 A.8) */
	FAN_PARENT_K_ENB, /* bearers by TS 33.401 A.7: LTE PDCP under K_eNB or S-K_eNB, and NR PDCP of EN-DC that ends in the eNB */
	FAN_PARENT_K_GNB, /* bearers by TS 33.501 A.8: NR PDCP under K_gNB, K_SN, or S-K_gNB of EN-DC */
};

/* Derives ue->k_enc and ue->k_int for ue->cipher and ue->integrity; fan_ue_add() takes them then as if they had been given. In/Out: *ue, of which
 * kind, cipher and integrity are set; k_int is zero where integrity is NONE. In: the parent, which is not kept: the caller wipes its own, and
 * *ue. Any thread; does not block. INVALID: a parent of another kind's, or an algorithm that there is not; MEMORY. Both keys are zero then. Since
 * version 4. */
int fan_ue_derive(struct fan_ue *ue, enum fan_parent_key which, const uint8_t parent[FAN_PARENT_KEY_BYTES]);

/* An MBMS service key (TS 33.246) as it is sent to many UEs, each under its own MUK: fan_msk_write() makes the octets of a fan_message of it. */
struct fan_msk {
	size_t struct_bytes;          /* fan_msk_init() */
	uint8_t domain[3];            /* Key Domain ID: MCC || MNC */
	uint16_t group, number;       /* MSK ID: Key Group, and which of its MSKs */
	uint16_t mtk_first, mtk_last; /* MTK IDs that are taken under it; a first above the last: it is used no more */
	uint8_t key[FAN_KEY_BYTES];
	uint32_t csb_id;
	bool verify;       /* UEs are to answer */
	const char *bm_sc; /* FQDN: IDi */
	const char *bsf;   /* domain of the UEs' B-TIDs: the end of IDr */
};

static inline void
fan_msk_init(struct fan_msk *msk)
{
	memset(msk, 0, sizeof(*msk));
	msk->struct_bytes = sizeof(*msk);
}

#define FAN_MSK_BYTES_MAX 628

/* Out: octets[FAN_MSK_BYTES_MAX]: a MIKEY message with a RAND of its own, the MSK in clear, and zeros where UEs differ. Returns how many, or INVALID,
 * MEMORY, IO (no random octets). The caller wipes its own. Any thread. Since version 4. */
int fan_msk_write(uint8_t octets[FAN_MSK_BYTES_MAX], const struct fan_msk *msk);

/* ---- Proof of reception from the wire ------------------------------------------------------------------------------------ */

/*
 * With options.receive_acknowledgements the egress port also receives, and what comes in has the effect of fan_ue_acknowledged():
 *  - a bearer whose uplink_teid is not 0: NR-U DL DATA DELIVERY STATUS (TS 38.425 5.5.2.2) in that tunnel;
 *  - NAS and other bearers: datagrams of the relay beside the MME, AMF or eNB, laid out in dataplane/pdu/RECEIPTS.md.
 * The sender is the next hop that has the source address; it can acknowledge for contexts that are sent to through it, and for no others.
 * Nothing authenticates that address: the network between is to be one where it cannot be forged. Nothing is answered, ARP and neighbour
 * discovery included. Frames must come to source_ethernet: a card that filters by address has to let it through, where it is not its own.
 */

/* Why a frame that came in, or an acknowledgement in it, was not taken. One list makes the enum, the text and the counters; the first of
 * the second kind is UNKNOWN. */
#define FAN_REFUSAL_LIST(X)                                                                                                    \
	X(NOT_OURS, "not-ours", "another protocol, VLAN, address or port than ours")                                           \
	X(FRAGMENT, "fragment", "a fragment, or an IPv6 extension header")                                                     \
	X(TRUNCATED, "truncated", "the frame ends before what its own lengths promise")                                        \
	X(MALFORMED, "malformed", "a length, version or field that cannot be")                                                 \
	X(CHECKSUM, "checksum", "a wrong checksum of IPv4 or UDP")                                                             \
	X(CHAIN, "chain", "GTP-U extension headers that are too many or must be understood")                                   \
	X(NO_STATUS, "no-status", "GTP-U without an SN that was delivered")                                                    \
	X(LOSS, "loss", "a report of lost packets, which is no proof that the UE misses none")                                 \
	X(VERSION, "version", "a relay's datagram of another layout than version 1")                                           \
	X(SENDER, "sender", "no next hop has the sender's address")                                                            \
	X(REPEATED, "repeated", "a datagram whose sequence is not above the sender's last")                                    \
	X(UNKNOWN, "unknown", "no context of that sender has this id")                                                         \
	X(AMBIGUOUS, "ambiguous", "several contexts of that sender have this id")                                              \
	X(NEVER_SENT, "never-sent", "a COUNT or SN that was not spent yet")                                                    \
	X(NOTHING_NEW, "nothing-new", "no later than the last proof")                                                          \
	X(PACE, "pace", "a relay's word on its pace that cannot be: a rate or time beyond its limit")

enum fan_refusal {
	FAN_REFUSAL_NONE,
#define FAN_REFUSAL_ENUM(name, text, why) FAN_REFUSAL_##name,
	FAN_REFUSAL_LIST(FAN_REFUSAL_ENUM)
#undef FAN_REFUSAL_ENUM
	/* how many there are */
	FAN_REFUSAL_COUNT
};

/* "not-ours" ...; "none" for FAN_REFUSAL_NONE. Static storage; any thread. */
const char *fan_refusal_name(enum fan_refusal refusal);

#define FAN_REFUSALS_MAX 24 /* room for further reasons */

/* What has come in since fan_open(): every frame is read or refused once, and so is every acknowledgement in those that were read. The
 * library fills it: fields may be added at its end. */
struct fan_receipt_figures {
	size_t struct_bytes;       /* fan_receipt_figures_init() */
	uint64_t frames;           /* received */
	uint64_t acknowledgements; /* in frames that were not refused */
	uint64_t accepted;         /* of these: a window has moved */
	uint64_t refused
		[FAN_REFUSALS_MAX]; /* by enum fan_refusal: frames; from UNKNOWN on acknowledgements, and (PACE) words on a pace */
	uint64_t paces;             /* words on a pace that were taken */
};

static inline void
fan_receipt_figures_init(struct fan_receipt_figures *figures)
{
	memset(figures, 0, sizeof(*figures));
	figures->struct_bytes = sizeof(*figures);
}

/* All zero without options.receive_acknowledgements. */
int fan_receipts(const struct fanfare *fanfare, struct fan_receipt_figures *figures);

/* ---- Groups ------------------------------------------------------------------------------------------------------------ */

/*
 * A group is named by a GID that is unique across networks, in one of two forms:
 *   External Group Identifier, "local@domain" (TS 23.682 4.6.3; TS 29.571 writes "extgroupid-local@domain")
 *   IMSI-Group-Id, "SSSSSSSS-MCC-MNC-LL.." (TS 23.003 19.9, TS 29.571): service identifier 8 hex digits, MCC 3 and MNC 2 or 3
 *   decimal digits, local id 1..10 octets in hex
 */
struct fan_group;

/* Out: *group, owned by the appliance until fan_group_delete() or fan_close(). EXISTS when the GID, in canonical form, is taken. */
int fan_group_create(struct fanfare *fanfare, struct fan_group **group, const char *gid);
struct fan_group *fan_group_find(struct fanfare *fanfare, const char *gid);
/* NULL is ignored. Errors, with the group as it was: BUSY in a batch; IO, MEMORY of the store. */
int fan_group_delete(struct fan_group *group);
/* The canonical GID; valid while the group is. */
const char *fan_group_gid(const struct fan_group *group);

/* Adds a context to a group under the profile by which its messages shall reach it. Adding a member again under the same
 * profile changes nothing; under another profile of the same table it moves. A running message keeps the members it began
 * with. INVALID when the profile is not of the context's kind.
 * A profile of keys makes it able to take keys of the group, beside the profile that it has or has not: messages of keys go to those who are able,
 * all others to members. Since version 4. */
int fan_group_add(struct fan_group *group, fan_context_id id, enum fan_profile profile);
/* The same for contexts first .. first + count - 1 of one table, all of which are there; some nanoseconds each. */
int fan_group_add_range(struct fan_group *group, fan_context_id first, size_t count, enum fan_profile profile);
/* The same for contexts of one table, in ascending order of their slots, the lower halves of their names; with a store in one durable write.
 * INVALID: another order. */
int fan_group_add_list(struct fan_group *group, const fan_context_id *ids, size_t id_count, enum fan_profile profile);
/* Takes a context out of a group, also of those able to take its keys. NOT_FOUND: it is no member. MEMORY: nothing has changed; a group of fewer may take more memory. */
int fan_group_remove(struct fan_group *group, fan_context_id id);
/* Members under profiles of messages. */
uint64_t fan_group_size(const struct fan_group *group);

/* Which subscriptions may be members of a group, by the capabilities of contexts (fan_ue.capabilities): bits of services and of types of
 * subscription, as the operator gives them. */
struct fan_admission {
	size_t struct_bytes; /* fan_admission_init() */
	uint32_t all;        /* a member has all of these; 0: none is needed */
	uint32_t any;        /* ... and one of these at the least; 0: none is needed */
};

static inline void
fan_admission_init(struct fan_admission *admission)
{
	memset(admission, 0, sizeof(*admission));
	admission->struct_bytes = sizeof(*admission);
}

/* From now on fan_group_add() and its neighbours answer INVALID, and add nobody, where a context lacks what the group needs. Takes some microseconds a
 * member, as adding does then. Durable when it returns 0. INVALID: members do not fit, one of whom it names; UNSUPPORTED without a store, which
 * alone keeps capabilities; BUSY in a batch; IO. Since version 4. */
int fan_group_admission_set(struct fan_group *group, const struct fan_admission *admission);
/* Out: *admission; of a group that needs nothing all is 0. */
int fan_group_admission(const struct fan_group *group, struct fan_admission *admission);

/* The next group in the order of GIDs behind `gid`; NULL: the first. NULL when there is none. */
struct fan_group *fan_group_next(struct fanfare *fanfare, const char *gid);
/* Calls `each` for every member, and, with the profile of keys, for every context that is able to take them. It may change the group, but not
 * delete it. */
void fan_group_each(const struct fan_group *group, void (*each)(void *user, fan_context_id id, enum fan_profile profile),
		    void *user);

/* ---- Keys of groups ------------------------------------------------------------------------------------------------------ */
/*
 * A group may have a key that its members share: one message under it is one PDU for all of them, whatever brings it. host-api/keys/README.md has the
 * octets. The library makes keys, numbers them by Gki, hands them out, renews them, and knows who has the current one.
 *
 * Members that are able to take keys are added to the group under a key profile, beside the profile by which its messages reach them:
 * fan_group_add(group, id, FAN_PROFILE_EPS_NAS_KEY). A new key goes to all of them in the next fan_poll(), and later to those who become able. Who
 * acknowledges the very COUNT under which the key went to it has the key; of the others nobody knows. A key that was is never sent under again.
 *
 * A key is renewed by itself when a tenth of its time is left, and, where the group wants it, when a member that may have it is removed: several
 * that are removed between two calls of fan_poll() are one renewal. What waits for it is not sealed under the former key.
 *
 * A shared key tells members from strangers, and not one member from another: any of them can make what the others take for the sender's, unless
 * messages are signed. Control thread. All of it since version 4.
 */
#define FAN_GROUP_MASTER_BYTES_MIN 16
#define FAN_GROUP_MASTER_BYTES_MAX 64
#define FAN_GROUP_SIGNER_BYTES 32
#define FAN_GROUP_PAYLOAD_BYTES_MAX 1300 /* of one message under a group key */
#define FAN_GROUP_PDU_BYTES_MAX 1382     /* that message, with header, tag and signature */

struct fan_group_key_options {
	size_t struct_bytes;   /* fan_group_key_options_init() */
	uint8_t cipher;        /* 0: not ciphered; 1..3: 128-EEA */
	uint8_t integrity;     /* 1..3: 128-EIA */
	uint8_t tag_bytes;     /* 8, of 128-EIA2 alone, or 4 */
	uint16_t duration_min; /* of each key, 1..65535 minutes */
	uint32_t
		overlap_s; /* for so long members are told to take messages under the former key after a renewal by itself or by hand */
	bool rekey_on_removal; /* then without an overlap */
	int64_t start_s;       /* of the first key, since 1970 UTC; 0: now */
	const uint8_t *master; /* mixed with drawn octets into what keys are derived from; NULL: all of it is drawn */
	size_t master_bytes;   /* FAN_GROUP_MASTER_BYTES_MIN.._MAX */
	const uint8_t *signer; /* an Ed25519 secret key of FAN_GROUP_SIGNER_BYTES: messages are signed; NULL: they are not */
	/* A key of another node: it is not renewed by itself, and has no form in 5GS. UNSUPPORTED without a store, which alone knows that no such key
	 * is used a second time. */
	const uint8_t *k_integ; /* Gk_integ, FAN_KEY_BYTES; NULL: keys are made here */
	const uint8_t *k_conf;  /* Gk_conf, where cipher is not 0 */
	int gki;                /* its number, 0..255; -1: the next that was never used */
	/* The multicast session of 5GS by which its members know the key (TS 24.501 9.11.4.31). */
	bool has_session;
	uint8_t service_id[3], plmn[3]; /* of the TMGI */
	uint8_t key_group[2];           /* first half of the MSK ID */
};

/* 128-EEA2, 128-EIA2, tags of 8 octets, a day, renewal on removal. */
static inline void
fan_group_key_options_init(struct fan_group_key_options *options)
{
	memset(options, 0, sizeof(*options));
	options->struct_bytes = sizeof(*options);
	options->cipher = options->integrity = 2;
	options->tag_bytes = 8;
	options->duration_min = 24 * 60;
	options->rekey_on_removal = true;
	options->gki = -1;
}

/* Gives a group its first key, or, in place of what it has, others of other options. Durable when it returns 0. INVALID: names the option; a group
 * of 5GS members without a session; all 256 Gki were used. EXISTS: the Gki or the imported key was used before. BUSY in a batch. IO, MEMORY. The
 * caller wipes its own secrets. */
int fan_group_key_set(struct fan_group *group, const struct fan_group_key_options *options);
/* Makes another key the current one, with the overlap of its options. NOT_FOUND: the group has none. INVALID: another node makes them. Else as above. */
int fan_group_key_rotate(struct fan_group *group);
/* Sends the current key once more to all that are able and not known to have it. NOT_FOUND. */
int fan_group_key_resend(struct fan_group *group);
/* Tells members of EPS to forget the group's keys, and forgets them here: nothing is sealed any more. NOT_FOUND, BUSY. */
int fan_group_key_remove(struct fan_group *group);

/* What is known of a group's keys; it holds no key. The library fills it: fields may be added at its end. */
struct fan_group_key_status {
	size_t struct_bytes; /* fan_group_key_status_init() */
	uint8_t gki, cipher, integrity, tag_bytes;
	bool is_signed, is_imported, has_session, rekey_on_removal;
	bool is_valid;          /* now */
	bool is_due;            /* another is to be made */
	bool is_sent;           /* it was handed to the workers for all that were able then */
	int64_t start_s, end_s; /* since 1970 UTC; end_s is no longer of it */
	int64_t renewal_s;      /* when it is renewed by itself; 0: never */
	uint32_t overlap_s;
	uint16_t duration_min;
	bool has_previous; /* members may still take messages under the key before: */
	uint8_t previous_gki;
	int64_t previous_end_s;
	uint64_t able, held; /* members that take keys, and those of them known to have the current one */
	uint64_t members;    /* fan_group_size() */
	uint64_t next_count; /* COUNTs below it may have been spent */
	uint64_t rotations;  /* keys that were made, ever */
	uint64_t failures;   /* attempts to renew or to send that failed, since fan_open() */
	char failure[256];   /* the last one's line, until the next succeeds */
};

static inline void
fan_group_key_status_init(struct fan_group_key_status *status)
{
	memset(status, 0, sizeof(*status));
	status->struct_bytes = sizeof(*status);
}

/* NOT_FOUND: the group has no key. */
int fan_group_key_status(const struct fan_group *group, struct fan_group_key_status *status);
/* Calls `each` for every member that is not known to have the current key, those that are not able among them. It changes nothing. */
void fan_group_key_not_held(const struct fan_group *group, void (*each)(void *user, fan_context_id id, bool able), void *user);

/*
 * Protects a payload of 1..FAN_GROUP_PAYLOAD_BYTES_MAX octets under the group's current key, as one PDU for all its members. Out: pdu[], and its
 * octets in *pdu_bytes. A renewal that is due is done first. With a store the COUNT is durable as spent when it returns. NOT_FOUND: the group has no
 * key. INVALID: the payload; the key is not valid now. BUSY, IO, MEMORY: nothing is sealed.
 */
int fan_group_seal(struct fan_group *group, uint8_t pdu[FAN_GROUP_PDU_BYTES_MAX], size_t *pdu_bytes, const void *payload,
		   size_t payload_bytes);

/* ---- Choice of delivery -------------------------------------------------------------------------------------------------- */
/*
 * A message to a group goes to each member by unicast, or to many at once by cell broadcast, where the group's policy allows it. The way of each
 * member is chosen when one of its facts changes, and not while sending: broadcast for one that takes the policy's identifier, is served by the
 * policy's PLMN in one of its areas, on a radio that it names, and is on the group's current key; unicast for all others.
 *
 * A message begins with its broadcast: WRITE-REPLACE WARNING REQUEST to the relay of each radio (fan_options.broadcast), once more each second
 * without an answer. When all relays have answered, or the wait is over, its unicast begins: with all members whose broadcast was not
 * completed in every area, too. Then, and after a crash before that was durable, a UE may get a message both ways, which costs it nothing. A relay that does not
 * answer is left alone for FAN_BROADCAST_REST_MS: its members are served by unicast at once. A message that fits no broadcast, carries keys, is a device
 * trigger, or for which no group PDU can be made, goes to all members by unicast.
 *
 * Nobody knows which UE has heard a broadcast: "broadcast" in a report means that the cells have put it on the air where the UE was.
 *
 * The validity of a message bounds how often it is broadcast; one that is cancelled while it is on its way is taken off the air.
 */
enum fan_way { FAN_WAY_UNICAST, FAN_WAY_BROADCAST_LTE, FAN_WAY_BROADCAST_NR, FAN_WAY_COUNT };

/* "unicast", "broadcast-lte", "broadcast-nr". Static storage; any thread. */
const char *fan_way_name(enum fan_way way);

#define FAN_WAYS_MAX 8 /* room for further ways */
#define FAN_POLICY_AREAS_MAX 256
#define FAN_BROADCAST_REST_MS 60000

/* Which ways a group's messages may take, beside unicast. */
struct fan_policy {
	size_t struct_bytes; /* fan_policy_init() */
	uint8_t radios;      /* bit 1 << enum fan_radio: by cell broadcast there; 0: by unicast alone */
	bool open; /* the payload goes on the air as it is: everybody can read it, and imitate it; false: under the group's current key */
	uint16_t broadcast_id;                /* FAN_BROADCAST_ID_FIRST to _LAST */
	uint8_t plmn[3];                      /* of the cells, as on the wire */
	uint32_t period_s;                    /* between two broadcasts, 0 to FAN_BROADCAST_PERIOD_S_MAX */
	uint16_t broadcasts;                  /* 1 or more: how often, as far as the message's validity reaches */
	uint16_t area_count[FAN_RADIO_COUNT]; /* 0: everywhere in the PLMN */
	uint32_t areas[FAN_RADIO_COUNT]
		      [FAN_POLICY_AREAS_MAX]; /* tracking area codes, not 0, 16 (LTE) or 24 bits (NR), in ascending order */
};

static inline void
fan_policy_init(struct fan_policy *policy)
{
	memset(policy, 0, sizeof(*policy));
	policy->struct_bytes = sizeof(*policy);
	policy->broadcasts = 1;
}

/* Gives a group a policy, in the place of the one before, and chooses the way of each member. With a store in one durable write. INVALID: names the field and its range; BUSY in a batch. Since version 4. */
int fan_group_policy_set(struct fan_group *group, const struct fan_policy *policy);
/* Out: *policy; one that was never set has no radios. */
int fan_group_policy(const struct fan_group *group, struct fan_policy *policy);
/* How many members have a way now, as far as facts and policy go. */
uint64_t fan_group_way_size(const struct fan_group *group, enum fan_way way);

/* Takes what a relay has answered: WRITE-REPLACE WARNING RESPONSE, each part of which may come in a datagram of its own. INVALID: it is none;
 * NOT_FOUND: nothing waits for it. Hostile octets, any length. Since version 4. */
int fan_broadcast_answer(struct fanfare *fanfare, enum fan_radio radio, const uint8_t *octets, size_t octet_count);

/* ---- Messages ---------------------------------------------------------------------------------------------------------- */

enum fan_coding {
	FAN_CODING_AUTO, /* GSM 7-bit where the text allows, else UCS-2; 8-bit data when it is not UTF-8 text */
	FAN_CODING_GSM7,
	FAN_CODING_UCS2,
	FAN_CODING_8BIT,
};

struct fan_message {
	size_t struct_bytes;  /* fan_message_init() */
	const uint8_t *bytes; /* copied by fan_send() */
	size_t byte_count;    /* 1 or more */
	uint8_t priority; /* 0 (default) .. 7; a higher one goes first, equal ones in fair turns; a UE sees equal ones in order */
	uint32_t valid_for_ms; /* what has not left so long after fan_send() is reported as "expired"; 0: no limit */
	/* SMS profiles */
	enum fan_coding coding;
	const char *originator;     /* TP-OA: digits, "+" and digits, or up to 11 GSM 7-bit characters; to be given */
	const char *service_centre; /* RP-OA: "+" and up to 20 digits; to be given */
	bool device_trigger;        /* TP-PID 0x48 and the application port below (TS 23.040 9.2.3.9) */
	uint16_t application_port;  /* destination port of the 16-bit addressing element */
	int64_t timestamp_s;        /* TP-SCTS, seconds since 1970 UTC; 0: now */
	/* bearers and, but for the first two, sgi-ip; of these mbms-msk has the source alone */
	bool raw;     /* the bytes as they are (non-IP bearer) instead of an IPv4/UDP packet to the UE */
	int sdap_qfi; /* NR: 0..63 puts an SDAP header with this QFI before the data; -1: none. 0 is a valid QFI: set it */
	uint8_t source_ipv4
		[4]; /* of the packet to the UE; 0.0.0.0: 192.0.2.1, and for sgi-ip and mbms-msk the appliance's own: it must have one of IPv4 then */
	uint16_t source_port;      /* 0: 40000 */
	uint16_t destination_port; /* 0: 40000 */
	/* Since version 3. */
	const char *
		reference; /* the sender's own name for the message, 1 to 64 octets of printable ASCII, copied: as long as the message is
				  known to fan_message_status() no other is sent with it; NULL: none */
	/* Since version 4. */
	bool group_keys; /* the bytes are keys of groups (host-api/keys/README.md): entries, for contexts that are able under eps-nas-key, the
			    contents of a Received MBS container, for those under 5gs-nas-key, or what fan_msk_write() makes, for those under
			    mbms-msk. In a group in which none is able its members get them as user data, but under sgi-ip, which would show
			    them to everyone. The library wipes its copies; a store seals them, and forgets them when the message has ended */
};

#define FAN_REFERENCE_BYTES 65 /* with the closing zero */

/* Fills in the defaults above, sdap_qfi = -1 among them. */
static inline void
fan_message_init(struct fan_message *message, const void *bytes, size_t byte_count)
{
	memset(message, 0, sizeof(*message));
	message->struct_bytes = sizeof(*message);
	message->bytes = (const uint8_t *)bytes;
	message->byte_count = byte_count;
	message->sdap_qfi = -1;
}

#define FAN_DROPS_MAX 24 /* room for further reasons */

/* The library makes it: fields may be added at its end. */
struct fan_result {
	uint64_t ues;                    /* members in the snapshot */
	uint64_t created;                /* PDUs: members x parts; created = sent + sum of dropped */
	uint64_t sent;                   /* taken by the port and, as far as the port counts, not lost by it */
	uint64_t bytes_out;              /* octets of the frames sent, from Ethernet up; an estimate where some were lost */
	uint64_t dropped[FAN_DROPS_MAX]; /* by enum fan_drop */
	uint64_t first_ns;               /* from fan_send() to the first frame handed to the port */
	uint64_t last_ns;                /* ... and to the last */
};

/* Results in detail, valid inside the callback: see fan_outcome_profile() and fan_outcome_not_served(). */
struct fan_outcome;

typedef void (*fan_done)(void *user, const struct fan_result *result, const struct fan_outcome *outcome);

/* A message in flight; never given to another. 0: none. */
typedef uint64_t fan_message_id;

/*
 * Sends a message to a group as it is now. Returns 0 once the message is encoded for every profile of the group and handed to
 * the workers; `done` runs later inside fan_poll(), once, in the caller's thread. Out: *id, may be NULL. Takes no time per UE.
 * Errors, with nothing sent: INVALID (empty message or group), TOO_LONG (names the profile and its limit), BUSY (too many
 * messages in flight, or draining), MEMORY; EXISTS: a message with this reference is on its way or kept, whatever else it says, and *id is
 * that one. So who does not know whether a fan_send() was the last thing before a crash sends once more.
 */
int fan_send(struct fanfare *fanfare, fan_message_id *id, struct fan_group *group, const struct fan_message *message,
	     fan_done done, void *user);

/* The same to one context alone, under the profile by which the message shall reach it, as if to a group of this one. With a store a context is
 * known again after a restart by its identity: if another has its place then, or none, the message ends as "cancelled". INVALID: the profile
 * is not of the context's kind; NOT_FOUND: there is no such context; BUSY also in a batch. Since version 3. */
int fan_send_to_ue(struct fanfare *fanfare, fan_message_id *id, fan_context_id context, enum fan_profile profile,
		   const struct fan_message *message, fan_done done, void *user);

/* Runs the callbacks of messages that have ended. Returns how many are still in flight, or BUSY in a callback. Blocks with a store, for as long as a
 * durable write takes; there it is to be called some times a second, since it raises marks, lets blocks rest and keeps positions. */
int fan_poll(struct fanfare *fanfare);

/* What has not left ends where it is and is reported as "cancelled"; `done` runs as ever. A UE that has got the first part of a message
 * still gets the others, unless the port stands still. What an engine is at work on is waited for: a card that hangs is reset after
 * seconds. NOT_FOUND when it has ended. With a store it stays cancelled after a crash once
 * this has returned 0; IO: it is cancelled in this process, and not durably. */
int fan_message_cancel(struct fanfare *fanfare, fan_message_id id);

/* What keeps a message from going on. */
enum fan_wait {
	FAN_WAIT_NOTHING,
	FAN_WAIT_PORT,   /* the port takes no frame */
	FAN_WAIT_LINK,   /* the port's link is down */
	FAN_WAIT_ENGINE, /* no engine has room, or none gives back what it has */
	FAN_WAIT_FRAMES, /* all packet buffers are under way */
	FAN_WAIT_STORE,  /* the COUNTs that it needs are not covered by what is on the disk yet */
	FAN_WAIT_PACE,   /* next hops of all members that are left have no tokens */
	FAN_WAIT_KINDS
};

/* "nothing" ... "pace". Static storage; any thread. */
const char *fan_wait_name(enum fan_wait wait);

struct fan_progress {
	size_t struct_bytes;                  /* fan_progress_init() */
	uint64_t ues, created, sent, dropped; /* PDUs but for ues; of some moment during the call */
	enum fan_wait waits_for;              /* of the worker that has waited longest */
	uint64_t waits_ns;                    /* since when; 0: it does not */
};

static inline void
fan_progress_init(struct fan_progress *progress)
{
	memset(progress, 0, sizeof(*progress));
	progress->struct_bytes = sizeof(*progress);
}

/* How far a message has come. NOT_FOUND when it has ended. */
int fan_message_progress(const struct fanfare *fanfare, struct fan_progress *progress, fan_message_id id);

/* Inside a callback only: result of one profile (all zero when the group had no member of it). Valid as the outcome is. */
const struct fan_result *fan_outcome_profile(const struct fan_outcome *outcome, enum fan_profile profile);

/* Inside a callback only: how many members went a way. Since version 4. */
uint64_t fan_outcome_way(const struct fan_outcome *outcome, enum fan_way way);

/* Inside a callback only: how many members were not served for a reason; NONE: for any. Of frames that the port lost after it had taken
 * them nobody can tell whose they were: they are in dropped[FAN_DROP_PORT] of the messages on their way at the time, name no member, and
 * some may have left after all (af_packet counts as lost what stays in its ring until the interface is up again). */
uint64_t fan_outcome_count(const struct fan_outcome *outcome, enum fan_drop drop);

/* Inside a callback only: calls `each` for every member not served for a reason, each once (NONE: for any). Costs what is reported, not
 * what was sent. */
void fan_outcome_not_served(const struct fan_outcome *outcome, enum fan_drop drop,
			    void (*each)(void *user, fan_context_id id, uint32_t ue, enum fan_drop drop), void *user);

/* ---- The store ---------------------------------------------------------------------------------------------------------- */

/*
 * With options.store an appliance goes on where it was, after fan_close(), kill -9 or power loss: next hops, UEs, groups, messages and their
 * results are there again, no COUNT is used twice, no UE skips more than 16 COUNTs, and a message that was durable is sent to its end.
 *
 * Provisioning (next hops, UEs, groups) is durable when the call returns 0; when it returns an error (IO and MEMORY, beside those of the call)
 * nothing has changed. A durable write
 * takes milliseconds: many additions go into one between fan_begin() and fan_commit().
 *
 * A message is durable, and begins to leave, with the first fan_sync() or fan_poll() behind its fan_send(); many messages share one write.
 *
 * When the disk is full or fails, nothing new is accepted, and messages on their way wait where they need a COUNT that is not covered by
 * what is on the disk; fan_health() says why, and everything goes on once the disk is mended.
 */

/* Begins a batch: what fan_next_hop_add() and fan_ue_add() add until fan_commit() is kept whole or not at all, with a store or without.
 * All other calls that would change the store answer BUSY meanwhile. BUSY when a batch has begun. */
int fan_begin(struct fanfare *fanfare);
/* Ends a batch and makes it durable. On an error nothing of it is kept. INVALID: none has begun. */
int fan_commit(struct fanfare *fanfare);
/* Ends a batch, of which nothing is kept. Ignored when none has begun. */
void fan_abort(struct fanfare *fanfare);

/* Makes durable what fan_send() has taken, all in one write, and hands it to the workers. IO: nothing has changed; the messages are tried
 * again by the next fan_sync() or fan_poll(), unless they are cancelled. Does nothing without a store. */
int fan_sync(struct fanfare *fanfare);

enum fan_message_state {
	FAN_MESSAGE_ACCEPTED, /* nothing of it has left */
	FAN_MESSAGE_SENDING,
	FAN_MESSAGE_SENT,      /* ended: every member was served, or is reported with a reason */
	FAN_MESSAGE_CANCELLED, /* ended */
	FAN_MESSAGE_EXPIRED,   /* ended: its time was over before all of it had left */
	FAN_MESSAGE_STATES
};

/* "accepted" ... "expired". Static storage; any thread. */
const char *fan_message_state_name(enum fan_message_state state);

#define FAN_PROFILES_MAX 16 /* room for further profiles */

/* A message, on its way or ended, as long as its results are kept. The library fills it: fields may be added at its end. */
struct fan_message_status {
	size_t struct_bytes; /* fan_message_status_init() */
	fan_message_id id;
	enum fan_message_state state;
	bool durable;
	uint8_t priority;
	char gid[256];
	uint32_t byte_count;
	int64_t accepted_ms, expires_ms, ended_ms; /* since 1970 UTC; 0: no limit, not ended */
	uint32_t resumed;                          /* times that it was gone on with after a crash */
	uint64_t in_doubt; /* PDUs sent after a crash to UEs that may have had them before: no more than these are repeats */
	struct fan_result result;
	struct fan_result profile[FAN_PROFILES_MAX]; /* by enum fan_profile */
	enum fan_wait waits_for;                     /* as fan_message_progress() */
	uint64_t waits_ns;
	/* Since version 3. */
	char reference[FAN_REFERENCE_BYTES]; /* "": none */
	char identity[FAN_IDENTITY_BYTES];   /* of the one UE that it is for, where the store has it; then gid is "" */
	/* Since version 4. */
	uint64_t
		way_ues[FAN_WAYS_MAX]; /* by enum fan_way: members that go, or have gone, that way; result.ues is all of them */
};

static inline void
fan_message_status_init(struct fan_message_status *status)
{
	memset(status, 0, sizeof(*status));
	status->struct_bytes = sizeof(*status);
}

/* NOT_FOUND. With a store it knows every message that is kept; without, those in flight. */
int fan_message_status(struct fanfare *fanfare, struct fan_message_status *status, fan_message_id id);
/* The message that has a reference. Out: *id. NOT_FOUND. Takes a few steps, however many are kept. */
int fan_message_find(const struct fanfare *fanfare, fan_message_id *id, const char *reference);
/* The message of the lowest id from `from` on. Returns 1 with *id, or 0. */
int fan_message_next(struct fanfare *fanfare, fan_message_id *id, fan_message_id from);
/* Calls `each` for every member that a kept message was not served to for a reason (NONE: for any), each once; of a message on its way, those
 * that are durable. NOT_FOUND. */
int fan_message_not_served(struct fanfare *fanfare, fan_message_id id, enum fan_drop drop,
			   void (*each)(void *user, fan_context_id id, uint32_t ue, enum fan_drop drop), void *user);

/* What became of a message for one member. The library makes it: fields may be added at its end. */
struct fan_member_result {
	const char *identity; /* valid during the call; "": the UE was removed since, and id and ue are 0 */
	fan_context_id id;
	uint32_t ue;
	enum fan_profile profile;
	enum fan_drop drop; /* NONE: it was sent, all parts of it */
	enum fan_way way;   /* by which; since version 4 */
};

/* Calls `each` for members of a message that has ended, each once, in an order of its own that stays. In: *next, 0 to begin with, else as the
 * call before left it; limit, for how many at most, 1 or more. Out: *next; 0 at the end. Takes some microseconds a member. A frame that the
 * port lost after it had taken it counts as sent here (see fan_outcome_count()). NOT_FOUND; BUSY: it has not ended; UNSUPPORTED: a version
 * before 3 began with it, and kept nothing of whom it was served to; INVALID: another *next. Since version 3. */
int fan_message_results(struct fanfare *fanfare, fan_message_id id, uint64_t *next, size_t limit,
			void (*each)(void *user, const struct fan_member_result *result), void *user);

/* What an operator must know. */
struct fan_health {
	size_t struct_bytes; /* fan_health_init() */
	bool draining;
	int store_error; /* 0, or the error of the last write to the store that failed, until one succeeds and for two seconds */
	char store_detail[256]; /* its line */
	uint64_t ues, groups, messages_in_flight;
	uint64_t commits, checkpoints; /* since fan_open() */
	uint64_t commit_ns_max;
};

static inline void
fan_health_init(struct fan_health *health)
{
	memset(health, 0, sizeof(*health));
	health->struct_bytes = sizeof(*health);
}

int fan_health(const struct fanfare *fanfare, struct fan_health *health);

enum fan_event_kind {
	FAN_EVENT_WINDOW,     /* three quarters of a UE's window are used up: value is how many are unacknowledged */
	FAN_EVENT_COUNT_END,  /* COUNT is within 65,536 of its end: value is the next COUNT */
	FAN_EVENT_LEASE_END,  /* less than 256 COUNTs of the lease are left: value is the first that is not leased */
	FAN_EVENT_LEASE_TIME, /* the time of the lease is over in 60 s or less: value is the whole seconds that are left */
	FAN_EVENT_KINDS
};

/* "window" ... "lease-time". Static storage; any thread. */
const char *fan_event_kind_name(enum fan_event_kind kind);

struct fan_event {
	uint64_t number; /* 1 for the first since fan_open() */
	enum fan_event_kind kind;
	fan_context_id id;
	uint32_t ue, value;
};

/* The oldest event that is kept with a number of `from` or higher: the last 65,536 are. Those of COUNT are found by checkpoints, some seconds late.
 * Returns 1 with *event, or 0. */
int fan_event_next(const struct fanfare *fanfare, struct fan_event *event, uint64_t from);

/* Wraps the store's data key under the key of another file, which alone opens the store from then on. BUSY in a batch; INVALID without a store,
 * or as the key's file is. */
int fan_store_rotate(struct fanfare *fanfare, const char *key_file);

/* ---- Cell broadcast ------------------------------------------------------------------------------------------------------ */
/*
 * One message for all UEs of some cells (TS 23.041), as the warning that an MME or AMF sends its eNBs or gNBs: WRITE-REPLACE WARNING REQUEST
 * of S1AP (TS 36.413 9.1.13.1) or NGAP (TS 38.413 9.2.8.1). Nothing in it is ciphered or signed by the network: whoever listens hears it, and
 * anybody with a transmitter can imitate it. What is to be secret, or to be believed, is protected under a key of its group before it comes here.
 * It is always concurrent: no warning that is on the air ends for it.
 */
/* Where a serial number is known (TS 23.041 9.4.1.2.1): a UE that leaves that area takes the number as new. */
enum fan_broadcast_scope { FAN_SCOPE_CELL_AT_ONCE, FAN_SCOPE_PLMN, FAN_SCOPE_AREA, FAN_SCOPE_CELL };

#define FAN_BROADCAST_ID_FIRST                                                                                                 \
	0xa000 /* identifiers that operators give (TS 23.041 9.4.1.2.2); others are warnings of authorities */
#define FAN_BROADCAST_ID_LAST 0xafff
#define FAN_BROADCAST_CARD_FIRST                                                                                               \
	0x1080 /* and those of secured packets for UICCs (TS 31.115), which devices hand to the card unseen */
#define FAN_BROADCAST_CARD_LAST 0x10ff
#define FAN_BROADCAST_BYTES_MAX 1230 /* of a payload: 15 pages of 82 octets */
#define FAN_BROADCAST_PERIOD_S_MAX 131071
#define FAN_BROADCAST_AREAS_MAX                                                                                                \
	1500 /* tracking areas or cells of one request: it has less than 16 K octets then. More take more requests */

struct fan_broadcast {
	size_t struct_bytes; /* fan_broadcast_init() */
	uint16_t id; /* FAN_BROADCAST_ID_FIRST to _LAST, or _CARD_FIRST to _LAST; a UE takes those that it has been told to */
	uint16_t serial;       /* fan_broadcast_serial(); the same again is a repetition, which UEs pass over */
	uint8_t plmn[3];       /* of the areas, as on the wire (TS 24.008 10.5.1.3) */
	const uint32_t *areas; /* tracking area codes, 16 (LTE) or 24 bits (NR); none, and no cells: everywhere */
	size_t area_count;
	const uint64_t *cells; /* cell identities, 28 or 36 bits; not with areas */
	size_t cell_count;
	uint32_t period_s;   /* between two repetitions, 0 to FAN_BROADCAST_PERIOD_S_MAX */
	uint16_t broadcasts; /* how often; 0: until it is stopped */
};

static inline void
fan_broadcast_init(struct fan_broadcast *broadcast)
{
	memset(broadcast, 0, sizeof(*broadcast));
	broadcast->struct_bytes = sizeof(*broadcast);
	broadcast->id = FAN_BROADCAST_ID_FIRST;
}

/* A serial number: code 0 to 1023 tells messages of one identifier apart, update 0 to 15 versions of one message. */
static inline uint16_t
fan_broadcast_serial(enum fan_broadcast_scope scope, unsigned code, unsigned update)
{
	return (uint16_t)((unsigned)scope << 14 | (code & 0x3ffU) << 4 | (update & 0xfU));
}

/* Writes the request that begins a broadcast, in aligned PER, without SCTP. In: *octet_count, the room at `octets`; payload of 1 to
 * FAN_BROADCAST_BYTES_MAX octets, which goes as 8-bit data (TS 23.038 5). Out: *octet_count, what it takes. INVALID: a field out of its range;
 * TOO_LONG: the payload, or the room. Any thread. */
int fan_broadcast_start(uint8_t *octets, size_t *octet_count, enum fan_radio radio, const struct fan_broadcast *broadcast,
			const void *payload, size_t payload_bytes);
/* The same for the request that ends one: KILL REQUEST (TS 36.413 9.1.13.3) or PWS CANCEL REQUEST (TS 38.413 9.2.8.3). Period and number are not looked
 * at. */
int fan_broadcast_stop(uint8_t *octets, size_t *octet_count, enum fan_radio radio, const struct fan_broadcast *broadcast);

/* ---- Bulk protection alone --------------------------------------------------------------------------------------------- */

/*
 * For programs that bring their own packets: no EAL, no port, no worker. A protector owns one engine and one table of contexts
 * of one protection; the caller owns the packets.
 */
struct fan_protector;

/* Where the pieces of a PDU lie, the same for every UE of a call. */
struct fan_layout {
	size_t struct_bytes; /* fan_layout_init() */
	uint8_t clear_bytes; /* 0..16: header octets right before the text, covered by the MAC and not ciphered */
	uint8_t head_blocks; /* 0..3: that many 16-octet blocks at the front of the text are the UE's own, already in place */
	uint16_t text_bytes; /* 1..1500 - clear_bytes: octets to cipher; MAC-I of NR PDCP comes on top */
	const uint8_t *message; /* text_bytes octets shared by all UEs; those of the private head are not read */
};

static inline void
fan_layout_init(struct fan_layout *layout)
{
	memset(layout, 0, sizeof(*layout));
	layout->struct_bytes = sizeof(*layout);
}

/* Errors: INVALID, UNSUPPORTED, MEMORY. The engine is one name; NULL: the fastest that serves them, by trying. */
int fan_protector_open(struct fan_protector **out, const char *engine, enum fan_kind kind, uint8_t cipher, uint8_t integrity,
		       size_t contexts_max);
void fan_protector_close(struct fan_protector *protector);

/* Adds a context. Out: *id, its name in this protector, as fan_ue_add() gives one. Fields about transport are ignored. Errors: as
 * fan_ue_add(). A place of contexts_max that was freed 2^20 times is used no more (MEMORY at the end). */
int fan_protector_add(struct fan_protector *protector, fan_context_id *id, const struct fan_ue *ue);
/* Proof that all that was protected for a context was received, as fan_ue_received(). NOT_FOUND for one that was removed. */
int fan_protector_received(struct fan_protector *protector, fan_context_id id);
/* As fan_ue_lease() and fan_ue_remove(). */
int fan_protector_lease(struct fan_protector *protector, fan_context_id id, uint32_t count_reserved);
int fan_protector_remove(struct fan_protector *protector, uint32_t *next_count, uint16_t *unacknowledged, fan_context_id id);

/*
 * Protects one message for `ue_count` UEs. In/Out: text[i] points at the first octet to cipher inside the i-th packet; the
 * clear prefix lies before it. NAS: the MAC is stored in the 4 octets before the clear prefix. NR PDCP with integrity: MAC-I is
 * stored, ciphered, in the 4 octets after the text. Out: count[i], the COUNT spent on packet i (so that the caller can write SN
 * into the clear prefix BEFORE the call, fan_protector_count() tells it), drop[i], FAN_DROP_NONE when protected; both may be NULL.
 * The caller's clear prefix must hold the SN of that COUNT. Contexts must differ within a call; one that was removed is dropped
 * (FAN_DROP_REMOVED), whoever has its place by now.
 * Returns how many of the packets were protected, or an error (INVALID; also for a name beyond those given) with no COUNT spent.
 * Thread: one thread per protector. Does not allocate, lock or log.
 */
int64_t fan_protect(struct fan_protector *protector, uint8_t *const *text, uint32_t *count, uint8_t *drop,
		    const struct fan_layout *layout, const fan_context_id *ids, size_t ue_count);

/* The COUNT that the next fan_protect() will spend on a context; 0 for one that was removed. */
uint32_t fan_protector_count(const struct fan_protector *protector, fan_context_id id);

#ifdef __cplusplus
}
#endif

#endif
