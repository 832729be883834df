/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS, as the rest of the gateway sees it. No type of the library behind it shows here.
 *
 * A store holds everything that one snapshot says about TLS: certificates, keys, CAs, ticket
 * keys. It is built away from the loops, counted with its plan, and never changes. Each worker
 * asks it for its acceptor of a listener; a connection keeps what it began with, so that
 * another store may take over at any time.
 *
 * A connection begins as a plain transport. tls_accept puts TLS behind it, tls_step is called
 * until the handshake is over; from then on it is read and written like any other. */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include "config/settings.h"
#include "net/transport.h"

/* First of all, before anything is asked of the library: its small pieces of memory get few sizes, so
 * that what malloc keeps of a crowd is little. */
void tls_use_few_sizes(void);

/* --- causes ------------------------------------------------------------------------------ */

/* Why a handshake or a connection ended otherwise than it should: a name for metrics and a
 * sentence for people. */
/* clang-format off */
#define TLS_CAUSES(ROW) \
    ROW(CLIENT_LEFT,      "client_left",      "the client left before the handshake was over") \
    ROW(TIMEOUT,          "timeout",          "the handshake took too long") \
    ROW(PLAIN_HTTP,       "plain_http",       "plain HTTP came on a TLS port") \
    ROW(NOT_TLS,          "not_tls",          "what came is not TLS") \
    ROW(VERSION,          "version",          "no version of TLS in common") \
    ROW(CIPHER,           "cipher",           "no cipher suite, group or signature algorithm in common") \
    ROW(PROTOCOL_NAME,    "protocol_name",    "no application protocol (ALPN) in common") \
    ROW(UNKNOWN_NAME,     "unknown_name",     "no certificate has the name that was asked for") \
    ROW(NO_CERTIFICATE,   "no_certificate",   "the other side sent no certificate") \
    ROW(BAD_CERTIFICATE,  "bad_certificate",  "the other side's certificate is not good") \
    ROW(ALERT,            "alert",            "the other side ended it with an alert") \
    ROW(ALERT_FLOOD,      "alert_flood",      "too many alerts, tickets, key updates or other records without data") \
    ROW(RECORD,           "record",           "a record was too large or its bytes were changed") \
    ROW(TRUNCATED,        "truncated",        "the other side closed without saying so in TLS") \
    ROW(PROTOCOL,         "protocol",         "the other side broke the rules of TLS") \
    ROW(INTERNAL,         "internal",         "memory or the library failed")
/* clang-format on */

enum tls_cause {
#define ROW(name, word, sentence) TLS_CAUSE_##name,
    TLS_CAUSES(ROW)
#undef ROW
        TLS_CAUSE_COUNT,
};

const char *tls_cause_word(enum tls_cause cause);
const char *tls_cause_sentence(enum tls_cause cause);

/* --- what a snapshot says ---------------------------------------------------------------- */

struct tls_store;
struct tls_acceptor;
struct tls_client;

/* Told what is wrong with a file, in a sentence that names it. */
typedef void tls_report(void *owner, const char *problem);

/* Reads all files. NULL, and at least one problem told, when anything is wrong. */
struct tls_store *tls_store_new(const struct settings *settings, tls_report *report, void *owner);
void tls_store_free(struct tls_store **store);
/* Of one worker and listener; NULL: the listener speaks plain. Lives as long as the store. */
struct tls_acceptor *tls_store_acceptor(const struct tls_store *store, uint32_t worker,
                                        uint32_t listener);

enum tls_role { TLS_ROLE_SHOWN, TLS_ROLE_CA };

/* What is known of a certificate. */
struct tls_certificate_facts {
    enum tls_role role;
    const char *listener; /* one of the two uses it */
    const char *service;
    const char *cert; /* files */
    const char *key;  /* NULL: a CA's */
    struct file_place at;
    const char *subject;
    const char *issuer;
    const char *key_type; /* "ECDSA P-256", "RSA 2048" */
    const char *const *names;
    uint32_t name_count;
    int64_t not_before_s; /* since 1970 */
    int64_t not_after_s;
    uint64_t print; /* of the whole certificate: another one has another */
};

/* All that are named, those of listeners first; NULL: no more. Valid as long as the store. */
const struct tls_certificate_facts *tls_store_certificate(const struct tls_store *store,
                                                          uint32_t index);
/* Logs those that expire within three weeks, and, as errors, those that are out of date. */
void tls_store_warn(const struct tls_store *store);

enum tls_dating { TLS_IN_DATE, TLS_EXPIRES_SOON, TLS_EXPIRED, TLS_NOT_YET_VALID };
/* `now_s`: since 1970. */
enum tls_dating tls_dating_of(const struct tls_certificate_facts *facts, int64_t now_s);
const char *tls_dating_word(enum tls_dating dating);

/* --- towards origins --------------------------------------------------------------------- */

struct tls_dialer;

/* Of one worker and service; NULL: its origins speak plain. Lives as long as the store, or longer
 * for those that count it. */
struct tls_dialer *tls_store_dialer(const struct tls_store *store, uint32_t worker,
                                    uint32_t service);
struct tls_dialer *tls_dialer_ref(struct tls_dialer *dialer);
void tls_dialer_unref(struct tls_dialer **dialer);

/* The last session with one origin, to be resumed with the next connection: a full handshake
 * less. Kept with the origin, and longer than its connections. NULL: none yet. */
struct tls_session;
void tls_session_forget(struct tls_session **session);

/* --- towards the collector of traces ----------------------------------------------------- */

/* NULL: it speaks plain. As above. */
struct tls_dialer *tls_store_collector(const struct tls_store *store);

/* A connection of a thread without a loop, over a connected socket that does not block and stays the
 * caller's. Both are handed on as the exporter of spans knows them (observe/collector.h): without a type.
 * NULL: out of memory. */
void *tls_channel_new(void *dialer, int fd, const char *name);
/* Where these do not do what they are asked for (false, -1), errno says why; EAGAIN: poll() for *events,
 * then call again with the same bytes. 0 of a read: the end was said. */
bool tls_channel_handshake(void *channel, short *events);
ssize_t tls_channel_read(void *channel, void *into, size_t room, short *events);
ssize_t tls_channel_write(void *channel, struct bytes bytes, short *events);
/* Why it failed, in a sentence. */
const char *tls_channel_problem(const void *channel);
void tls_channel_free(void *channel);
void tls_channel_forget(void *dialer); /* counts it no more */

/* --- a connection ------------------------------------------------------------------------ */

/* What a client's certificate says. */
struct tls_client {
    struct bytes subject; /* RFC 4514 */
    struct bytes header;  /* RFC 9440: ":base64:" */
    struct bytes *names;  /* of its subjectAltName: DNS names, mail addresses, URIs */
    uint32_t name_count;
};

/* What was agreed; of a connection whose handshake is over. */
struct tls_facts {
    const char *version; /* "TLSv1.3" */
    const char *cipher;
    const char *group; /* "X25519"; NULL: none */
    const char *name;  /* asked for by SNI; NULL: none */
    bool resumed;
    bool speaks_h2;                  /* agreed on by ALPN */
    uint32_t handshake_ms;           /* from the connection's accept on; of clients */
    const struct tls_client *client; /* NULL: it showed no certificate */
};

enum tls_authority {
    TLS_AUTHORITATIVE, /* a request may come over this connection */
    TLS_MISDIRECTED,   /* its host has other rules about client certificates than the name that the
                          connection was made for: RFC 9110 section 15.5.20 */
    TLS_OUTDATED, /* the rules have changed, and what this client showed does not fulfil them */
};

/* The name that the client asks for (SNI), as soon as its hello was read; NULL: none, or no TLS. It
 * may be any text. */
const char *tls_name_asked(struct transport *transport);

/* What a client's connection is good for, asked for each request: by the rules as they are now,
 * those of `acceptor`, which its listener has; NULL: the listener has TLS no more, and the
 * connection keeps the rules that it began with. */
enum tls_authority tls_authority_of(const struct tls_facts *facts,
                                    const struct tls_acceptor *acceptor, struct bytes host);

/* Puts TLS behind an open plain transport. `early` was read from it already. false: no memory;
 * the transport is as it was. */
bool tls_accept(struct transport *transport, struct tls_acceptor *acceptor, struct bytes early);

/* The same towards an origin, whose certificate must be for `name` (a host or an IP address; the
 * host is asked for by SNI). What can be resumed later is put into *session. */
bool tls_dial(struct transport *transport, struct tls_dialer *dialer, const char *name,
              struct tls_session **session);

/* The same connection, before its first step: HTTP/1.1 alone is offered, whatever the dialer does. false:
 * no memory. */
bool tls_offer_http1(struct transport *transport);

enum tls_step { TLS_DONE, TLS_WAITS, TLS_FAILED };

/* Goes on with the handshake as far as the other side's bytes allow. *wanted: what to wait for;
 * *cause: why it failed (what there is to say to the other side has been said then). */
enum tls_step tls_step(struct transport *transport, short *wanted, enum tls_cause *cause);
/* Why the other side's certificate was not accepted; NULL: it was, or there was none. */
const char *tls_certificate_problem(const struct transport *transport);
/* The alert with which the other side ended the established connection; NULL: none. In TLS 1.3
 * an origin says only then that it does not like our certificate. */
const char *tls_alert(const struct transport *transport);
/* NULL for a plain transport. */
const struct tls_facts *tls_facts_of(struct transport *transport);
void tls_note_handshake(struct transport *transport, uint32_t milliseconds);
/* Bytes were read from the socket that the owner has not asked for yet: some may come out of them. */
bool tls_has_more(const struct transport *transport);

/* --- counts ------------------------------------------------------------------------------ */

/* The worker's own thread. */
void tls_count_failure(uint32_t worker, enum tls_cause cause);

/* All others may be called by any thread. */
uint64_t tls_failures(uint32_t worker, enum tls_cause cause);

struct tls_negotiated {
    const char *version;
    const char *cipher;
    const char *group; /* NULL: none */
    uint64_t full;     /* handshakes */
    uint64_t resumed;
};

/* What that worker agreed on with clients, row by row; false: no more. */
bool tls_negotiated_at(uint32_t worker, uint32_t index, struct tls_negotiated *negotiated);

/* --- before it --------------------------------------------------------------------------- */

enum tls_hello {
    TLS_HELLO_NONE,     /* nothing came yet */
    TLS_HELLO_PART,     /* the rest of its first record is still to come */
    TLS_HELLO_UNCALLED, /* the same, but the kernel would call for nothing: look again later */
    TLS_HELLO_WHOLE,    /* a handshake record is there */
    TLS_HELLO_PLAIN,    /* a request in plain HTTP */
    TLS_HELLO_LARGE,    /* a record that is larger than any may be */
    TLS_HELLO_GARBAGE,  /* something else */
    TLS_HELLO_GONE,     /* closed, or said its last before that */
};

/* Looks at what waits in the socket, behind what was read already, without taking it. *waits,
 * false at first, is kept for the next look: the kernel then tells of bytes only once the rest
 * of a part is there. */
enum tls_hello tls_hello_peek(int fd, struct bytes early, bool *waits);
/* The alert for a record that is too large, in clear: nothing was agreed yet. */
void tls_hello_refuse_large(int fd);
/* The other side has closed, though bytes of it may still wait. */
bool tls_hello_is_gone(int fd);

#endif
