/* SPDX-License-Identifier: BSD-2-Clause */
/* The seam between an exchange and the client it belongs to: what an exchange may ask
 * downstream. Declared here, implemented by client/h1 and client/h2, so that an
 * exchange never knows which protocol version carries it. */
#ifndef EXCHANGE_CLIENT_STREAM_H
#define EXCHANGE_CLIENT_STREAM_H

#include "config/reload_order.h"
#include "config/settings.h"
#include "http/fields.h"
#include "tls/tls.h"

struct client_stream_ops {
    /* 1xx. Dropped where the client's version has none. */
    void (*send_interim)(void *stream, const struct answer_head *head);
    /* Nothing more is read of this request, since its rest cannot be understood or is not worth it.
     * Comes before the answer's head. What that costs is the stream's matter: in HTTP/1 the
     * connection ends with the answer. */
    void (*give_up_request)(void *stream);
    /* The connection goes by rules that do not hold any more: it takes no request after this one. */
    void (*retire)(void *stream);
    /* Collected, not yet written. false: too large, or out of memory; nothing was collected. */
    bool (*send_head)(void *stream, const struct answer_head *head);
    /* Returns how many bytes were taken; exchange_client_writable follows when it was fewer
     * than offered. `last`: `end` without trailers follows once all of them are taken. */
    size_t (*send_body)(void *stream, struct bytes bytes, bool last);
    /* How much of a long answer it would take now; 0: nothing, exchange_client_writable follows. */
    size_t (*room)(void *stream);
    void (*flush)(void *stream);
    /* The answer is whole; `trailers` may be NULL, and is valid during the call only. True when all of it has been written; otherwise
     * exchange_answer_written follows. */
    bool (*end)(void *stream, const struct http_fields *trailers);
    /* Takes a begun answer back of which no byte has been written yet; false: too late. */
    bool (*take_back)(void *stream);
    /* The answer breaks off: the client must be able to tell (RFC 9112 section 8). The stream
     * does not call its exchange again. */
    void (*abort)(void *stream);
    /* Reading of the request body pauses or goes on. */
    void (*want_body)(void *stream, bool wanted);
    /* From here on both directions carry raw bytes. */
    void (*begin_tunnel)(void *stream);
    /* The address that the connection really comes from (transport_report_peer_ip). */
    bool (*report_peer)(void *stream, struct ip *ip);
    /* Who is at the other end of a Unix socket; false: it is none. */
    bool (*report_who)(void *stream, struct who *who);
    /* The exchange is over; it must not be used any more. Called last, never from abort. */
    void (*over)(void *stream);
};

/* What a listener wants of every exchange, and few listeners do. */
struct listener_rules {
    bool redirect_to_https;
    struct bytes hsts;                       /* empty: none */
    const struct access_rules *access_rules; /* NULL: none */
};

/* What does not change while a client connection lives. */
struct client_facts {
    const char *listener;    /* name; lives as long as the connection */
    uint32_t listener_index; /* in the settings */
    struct ip ip;            /* of the connection, or of its PROXY header */
    bool may_be_proxied;     /* `ip` may be what a PROXY header says */
    uint16_t port;
    struct bytes scheme;                /* "http", "https" */
    const struct tls_facts *tls;        /* NULL: plain */
    const struct tls_acceptor *accepts; /* of its listener, now; see tls_authority_of */
    const struct listener_rules *rules; /* NULL: none */
};

#endif
