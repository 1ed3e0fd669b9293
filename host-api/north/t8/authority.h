/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who a request is from, and whether that sender may use that API under that scsAsId: the one place that says so. Nothing is allowed that is not said
 * to be. A sender shows a certificate, a bearer token, or both, which must then be of the same sender.
 *
 * Certificates: the handshake does not judge them. GnuTLS verifies the chain against the trust file of the port (struct fan_http_options), with its
 * dates and the purpose of a TLS client, once for each request; then fingerprint or subject alternative name says which sender it is. A fingerprint
 * alone is not enough: a certificate that signs itself is put into the trust file as well.
 *
 * Tokens: JSON Web Signatures, RS256 or ES256 and nothing else whatever their header says, by keys of the issuers that are set. A header that names keys
 * of its own (jwk, jku, x5c, x5u) or a critical extension is refused, and nothing of it is fetched. No claim is looked at before the signature is
 * verified by a key of the issuer whose claims they are. Duplicate names in header or claims are refused.
 *
 * Behind a proxy that ends TLS, certificates are the proxy's: senders then need tokens.
 */
#ifndef FAN_NORTH_T8_AUTHORITY_H
#define FAN_NORTH_T8_AUTHORITY_H

#include "../fetch.h"

#define FAN_T8_TOKEN_BYTES_MAX 8192
#define FAN_T8_ISSUERS_MAX 8
#define FAN_T8_KEYS_MAX 32          /* of an issuer: a set with more is refused */
#define FAN_T8_KID_BYTES 128        /* of a key's name, closed by a zero: a key with a longer one is passed over */
#define FAN_T8_KEYS_BYTES_MAX 65536 /* of their file or answer */
#define FAN_T8_RSA_BITS_MIN 2048
#define FAN_T8_RSA_BITS_MAX 8192 /* a longer one takes a client's request too much time */
#define FAN_T8_SKEW_S 30         /* what the settings say unless told otherwise */
#define FAN_T8_REFETCH_S 30      /* least time between two fetches of an issuer's keys */
#define FAN_T8_REFRESH_S 3600    /* keys of that age are fetched anew, for one may have been taken away */

/* One who may send. */
struct fan_t8_identity {
	const char *name; /* scsAsId */
	/* Ended by NULL; NULL: none. SHA-256 of the certificate in hexadecimal, with colons or without; "san:dns:NAME", "san:uri:URI": that name and no
	 * other, letters of a DNS name alike in both sizes. */
	const char *const *certificates;
	const char *subject; /* of tokens; NULL: none */
};

enum fan_t8_profile {
	/* 3GPP TS 29.222: iss, scope and exp. The scope is "3gpp#aefId:apiName,apiName;aefId:apiName" and has to have the API's name. exp is seconds since
	 * 1970, as RFC 7519 has it. */
	FAN_T8_CAPIF,
	/* RFC 9068 or like it: iss, aud, exp, and client_id or else sub, which name the sender. */
	FAN_T8_OAUTH,
};

/* Whose tokens are taken. No two issuers have a key in common. */
struct fan_t8_issuer {
	enum fan_t8_profile profile;
	const char *
		issuer; /* iss; CAPIF: NULL, then iss is the API invoker: the sender. With an issuer, client_id or else sub is. */
	const char *
		audience; /* one of aud; CAPIF: NULL, then a token that has an audience is refused, for it is meant for another */
	const char *aef;       /* CAPIF: the aefId in the scope; NULL: any */
	bool scope_required;   /* OAUTH: the API's name has to be one of the words of scope; CAPIF: it always has to */
	const char *keys_file; /* a JSON Web Key Set, read again when it changes; or NULL, and: */
	const char *keys_url;
	const struct fan_fetch_rule *keys_rule; /* of keys_url, whose host must be in it */
	const char *ca_file;                    /* of keys_url: PEM; NULL: the system's */
};

struct fan_t8_authority_options {
	const struct fan_t8_identity *identities;
	size_t identity_count;
	const struct fan_t8_issuer *issuers; /* up to FAN_T8_ISSUERS_MAX */
	size_t issuer_count;
	unsigned skew_s;               /* how far exp and nbf may be passed, for clocks that differ */
	unsigned refetch_s, refresh_s; /* 0: FAN_T8_REFETCH_S, FAN_T8_REFRESH_S */
	int64_t (*now_s)(void);        /* since 1970; NULL: the system's clock */
};

enum fan_t8_finding {
	FAN_T8_MAY,
	FAN_T8_NOBODY, /* 401: neither certificate nor token */
	FAN_T8_FORGED, /* 401: what is shown does not prove anything: forged, expired, of another issuer, for another audience */
	FAN_T8_FOREIGN, /* 403: it is proven who it is, and that one may not */
	FAN_T8_LATER,   /* 503: the keys that would tell are being fetched */
};

struct fan_t8_verdict {
	enum fan_t8_finding finding;
	const struct fan_t8_identity *sender; /* of MAY; otherwise NULL */
	unsigned status;                      /* of HTTP; of MAY: 0 */
	const char *cause;                    /* static, for ProblemDetails and audit: "TOKEN_EXPIRED"; of MAY: "" */
	const char *why;                      /* static, one line without anything of what was shown */
	char challenge[256];                  /* of 401 and 403: WWW-Authenticate; otherwise "" */
	unsigned retry_after_s;               /* of LATER */
};

struct fan_t8_authority;

/* In: options, whose texts and arrays outlive it; fetcher, NULL: no issuer has a URL. INVALID: an identity or an issuer is not as above, two identities
 * have a name, certificate or subject in common, a key file cannot be used. MEMORY. */
int fan_t8_authority_open(struct fan_t8_authority **authority, struct fan_face *face, struct fan_fetcher *fetcher,
			  const struct fan_t8_authority_options *options);
/* At any time, also while keys are fetched. NULL is ignored. */
void fan_t8_authority_close(struct fan_t8_authority *authority);

/* Judges a request. In: api, "3gpp-nidd"; scs_as_id, decoded, NULL: the path has none. From the loop; it does not wait. */
void fan_t8_authorise(struct fan_t8_authority *authority, struct fan_t8_verdict *verdict,
		      const struct fan_http_request *request, const char *api, const char *scs_as_id);

#endif
