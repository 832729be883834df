/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files behind tls/tls.h share. The library's types are named by their tags only. */
#ifndef TLS_TLS_PRIVATE_H
#define TLS_TLS_PRIVATE_H

#include "tls/tls.h"

#include <stdatomic.h>

struct bio_method_st;
struct evp_pkey_st;
struct ossl_lib_ctx_st;
struct ssl_ctx_st;
struct ssl_method_st;
struct ssl_st;
struct stack_st_X509;
struct x509_st;
struct X509_name_st;

#define TLS_RECORD_MOST 16384
#define TLS_STAGE_BYTES (5 * 1024 * 16)
#define TLS_ARRIVED_BYTES (56 * 1024) /* a large buffer's worth of data in records */

/* --- problems, in tls_certificate.c ------------------------------------------------------- */

/* Who is told of problems while a store is built, and what they are about: the place in the
 * configuration and the listener or service stand before each sentence. */
struct tls_report {
    tls_report *report;
    void *owner;
    const char *user_kind; /* "listener", "service" */
    const char *user;
    struct file_place at;   /* of the setting that is looked at now */
    const char *shared_key; /* the first key that a group may read; NULL: none may */
    uint32_t shared_keys;
};

/* Formats and tells. */
void tls_say(struct tls_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* For those that were told already. */
void tls_report_nothing(void *owner, const char *problem);
struct stat;
/* Whether a file with secrets is kept from the world: false after telling. A group may read it
 * (Debian's ssl-cert, a mounted secret, an ACL, whose mask shows as the group's bits): noted. */
bool tls_is_kept_secret(struct tls_report *report, const char *path, const struct stat *facts);

/* --- tls_library.c ----------------------------------------------------------------------- */

#define TLS_TALLY_ROWS 128

struct tls_tally_row {
    const char *version;
    const char *cipher;
    const char *group;
    _Atomic uint64_t full;
    _Atomic uint64_t resumed;
};

struct tls_tally {
    _Atomic uint64_t failures[TLS_CAUSE_COUNT];
    _Atomic uint32_t row_count;
    struct tls_tally_row rows[TLS_TALLY_ROWS];
};

struct tls_context;
void tls_tally_failure(struct tls_context *tls_context, enum tls_cause cause);
void tls_tally_handshake(struct tls_context *tls_context, const struct tls_facts *facts);

/* What one worker needs of the library: a context of its own, so that workers share no lock
 * and no counter in it (doc/decisions/010-tls.md), and room to work in. */
struct tls_context {
    struct ossl_lib_ctx_st *library;
    struct bio_method_st *socket; /* how the library reaches a transport's socket */
    struct tls_tally tally;
    uint32_t connections; /* that have an object of the library now */
    uint32_t crowd;       /* the most of them since memory was last given back */
    uint32_t trims_left;  /* so often it is given back until the next crowd */
    size_t staged;
    char stage[TLS_STAGE_BYTES];  /* records on their way out: one system call for several */
    char gather[TLS_RECORD_MOST]; /* pieces that go into one record */
    size_t arrived_length;        /* within a call that reads */
    size_t arrived_used;
    char arrived[TLS_ARRIVED_BYTES]; /* records on their way to the library: one system call, too */
};

/* Made at the first call and kept while the process lives. NULL: out of memory. Not to be called
 * from two threads at once. */
struct tls_context *tls_context_of(uint32_t worker);
/* One more than the last worker that has one. */
uint32_t tls_context_count(void);
/* A connection has an object of the library from now on, and no more. Worker's thread. */
void tls_context_joined(struct tls_context *tls_context);
void tls_context_left(struct tls_context *tls_context);
/* A library object for connections of one side, by the rules that hold for both. NULL after telling. */
struct ssl_ctx_st *tls_rules_new(struct tls_context *tls_context, const struct ssl_method_st *side,
                                 enum tls_version min_version, struct tls_report *report);
/* Random bytes that live as long as the process; NULL: the library has none. */
#define TLS_PROCESS_SECRET_BYTES 48
const unsigned char *tls_process_secret(void);

/* --- tls_socket.c ------------------------------------------------------------------------ */

/* Where the bytes that the library was given stand among the records of the other side. The library
 * reads on for as long as no data comes, so it is given no more than some records at a time. */
struct tls_records {
    uint32_t to_give;     /* in this call */
    uint32_t left;        /* bytes of the present record still to come */
    uint8_t header_bytes; /* of its header, that have come */
    uint16_t length;      /* as far as its header has come */
    uint64_t whole;       /* records, ever */
};

/* The socket of a connection, and what has not passed it yet. */
struct tls_socket {
    struct tls_context *tls_context;
    int fd;
    int broken; /* its errno; 0: it works */
    bool end_of_stream;
    bool handshaken;   /* until then each side waits for the other's answer */
    bool unsent_waits; /* it could go out, but will with what the owner writes next */
    size_t
        reads_most; /* at once into the worker context, in the present call; 0: as the library asks */
    struct tls_records records;
    char *early; /* read already; not yet given to the library */
    size_t early_length;
    size_t early_used;
    char *unsent;
    size_t unsent_length;
};

/* For a BIO whose data is a struct tls_socket. NULL: out of memory. */
struct bio_method_st *tls_socket_method(void);
/* The library may read so many records from now on, and is then told that no more came. */
void tls_socket_grant(struct tls_socket *socket, uint32_t records);
/* Until tls_socket_end_reading bytes come off the socket by the worker context, as much as `room` bytes of data
 * take with one call. The library then gets them piece by piece. */
void tls_socket_begin_reading(struct tls_socket *socket, size_t room);
/* What the library did not take is kept. */
void tls_socket_end_reading(struct tls_socket *socket);
/* Keeps a copy of bytes that were read for the library. false: out of memory, and the socket is broken. */
bool tls_socket_withhold(struct tls_socket *socket, struct bytes bytes);
/* Bytes were read that the library does not have yet: the loop cannot see them. */
bool tls_socket_withholds(const struct tls_socket *socket);
/* Sends what waits, and what is staged. True when everything is on its way. */
bool tls_socket_send(struct tls_socket *socket);
/* What does not go out now waits its turn. */
void tls_socket_keep(struct tls_socket *socket, const char *bytes, size_t length);

/* --- tls_certificate.c ------------------------------------------------------------------- */

/* A certificate with its chain and key, and the names that stand in it. */
struct tls_certificate {
    struct x509_st *leaf;
    struct stack_st_X509 *chain;
    struct evp_pkey_st *key;
    char **names; /* lower case; "*.example.com" for wildcards */
    uint32_t name_count;
    /* For people; never NULL once loaded. */
    char *subject;
    char *issuer;
    char *key_type;
    int64_t not_before_s; /* since 1970 */
    int64_t not_after_s;
    uint64_t print;
};

/* Reads and checks; false after telling what is wrong. */
bool tls_certificate_load(struct tls_certificate *certificate, struct tls_context *tls_context,
                          const struct tls_certificate_settings *settings, enum tls_expired expired,
                          struct tls_report *report);
void tls_certificate_release(struct tls_certificate *certificate);
/* Shows it on connections of that library object. false after telling. */
bool tls_certificate_use(const struct tls_certificate *certificate, struct ssl_ctx_st *context,
                         const struct tls_certificate_settings *files, struct tls_report *report);
/* malloc'd; NULL: out of memory. `flags`: the library's, XN_FLAG_RFC2253 and its like. */
char *tls_name_text(struct X509_name_st *name, unsigned long flags);
/* Reads a file of certificates, without keys, and gives each to `take`, whose it is from then on,
 * made by malloc; until `take` returns false. false: that, or out of memory. A file that cannot be
 * read has none. */
typedef bool tls_certificate_take(void *owner, struct tls_certificate *certificate);
bool tls_certificates_each(struct tls_context *tls_context, const char *path,
                           tls_certificate_take *take, void *owner);
/* A fingerprint of what is in a file; 0: it cannot be read. */
uint64_t tls_print_of_file(const char *path);
/* NULL after telling. The library would wait for a pipe's writer, or read a file without an end. */
struct bio_st;
struct bio_st *tls_open_file(const char *path, struct stat *facts, struct tls_report *report);
/* A regular file that can be read; told if not. */
bool tls_is_file(const char *path, struct tls_report *report);
/* The library's reason for its last failure; clears it. */
const char *tls_reason(void);

/* --- tls_tickets.c ----------------------------------------------------------------------- */

struct tls_tickets;
struct evp_cipher_ctx_st;
struct evp_mac_ctx_st;

/* NULL after telling what is wrong. */
struct tls_tickets *tls_tickets_new(struct tls_context *tls_context,
                                    const struct tls_listener_settings *tls,
                                    struct tls_report *report);
void tls_tickets_free(struct tls_tickets **tickets);
/* As the library's callback for tickets wants it. */
int tls_tickets_use(struct tls_tickets *tickets, unsigned char *name, unsigned char *iv,
                    struct evp_cipher_ctx_st *cipher, struct evp_mac_ctx_st *mac, bool encrypts);
/* Sessions of that library object end so long after their full handshake, however often they are
 * resumed. */
void tls_tickets_bound_age(struct tls_tickets *tickets, struct ssl_ctx_st *context);

/* --- tls_client_certificate.c ------------------------------------------------------------ */

/* NULL: out of memory, or a certificate that is absurdly large. */
struct tls_client *tls_client_new(struct x509_st *certificate);
void tls_client_free(struct tls_client **client);

/* --- tls_acceptor.c ---------------------------------------------------------------------- */

struct tls_acceptor *tls_acceptor_new(struct tls_context *tls_context,
                                      const struct listener_settings *settings,
                                      struct tls_report *report);
struct tls_acceptor *tls_acceptor_ref(struct tls_acceptor *acceptor);
void tls_acceptor_unref(struct tls_acceptor **acceptor);
const struct tls_certificate *tls_acceptor_certificate(const struct tls_acceptor *acceptor,
                                                       uint32_t index); /* NULL: no more */
struct tls_context *tls_acceptor_tls_context(const struct tls_acceptor *acceptor);
/* A new connection of it; NULL: out of memory. */
struct ssl_st *tls_acceptor_connection(struct tls_acceptor *acceptor);
/* A fingerprint of what is asked of clients that come for that name (NULL: for none). */
uint64_t tls_acceptor_rule(const struct tls_acceptor *acceptor, const char *name);
/* Whether requests for `host` may come where clients came for `name`. */
bool tls_acceptor_may_mix(const struct tls_acceptor *acceptor, const char *name, struct bytes host);
/* Whether a client that showed this (NULL: nothing) would be let in. */
bool tls_acceptor_would_admit(const struct tls_acceptor *acceptor, const char *name,
                              struct x509_st *certificate, struct stack_st_X509 *chain);

/* --- tls_dialer.c ------------------------------------------------------------------------ */

struct tls_dialer *tls_dialer_new(struct tls_context *tls_context,
                                  const struct tls_service_settings *tls,
                                  enum origin_protocol protocol, struct tls_report *report);
struct tls_context *tls_dialer_tls_context(const struct tls_dialer *dialer);
/* What it shows of itself; NULL: nothing. */
const struct tls_certificate *tls_dialer_certificate(const struct tls_dialer *dialer);
/* A new connection to the owner of that name; NULL: out of memory. */
struct ssl_st *tls_dialer_connection(struct tls_dialer *dialer, const char *name,
                                     struct tls_session **session);

/* --- tls_cause.c ------------------------------------------------------------------------- */

/* Reads the library's reason for its last failure, and clears it. */
enum tls_cause tls_cause_of_failure(bool end_of_stream);
/* What the library calls the alert that it found last; NULL: it was none. */
const char *tls_alert_in_queue(void);

#endif
