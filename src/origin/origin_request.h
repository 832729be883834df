/* SPDX-License-Identifier: BSD-2-Clause */
/* The seam between an exchange and whatever carries its request to an origin. The exchange
 * embeds a struct origin_request in its attempt, asks for a connection, sends, and is told
 * what comes back. Behind it are HTTP/1 (h1/origin_h1.c) and HTTP/2 (h2/origin_h2.c).
 *
 * Order of events: moved*, connected, then any number of interim, then head, body*, drained*, ended;
 * failed may take the place of any of them and is the last. After ended or failed the request
 * holds no connection any more. Events may come from inside the calls below. */
#ifndef ORIGIN_ORIGIN_REQUEST_H
#define ORIGIN_ORIGIN_REQUEST_H

#include "base/list.h"
#include "config/settings.h"
#include "http/fields.h"
#include "http/grpc.h"
#include "net/outbox.h"
#include "net/timer.h"
#include "origin/delivery.h"
#include "origin/failure.h"

struct line;
struct origin;
struct origin_connection;
struct service;

struct origin_request_events {
    /* In line it was given to another origin of the service: what it waited for was only a name. */
    void (*moved)(void *owner, struct origin *origin);
    void (*connected)(void *owner);
    /* 1xx other than 101. The response is valid during the call only, here and below. */
    void (*interim)(void *owner, const struct http_response *response);
    void (*head)(void *owner, const struct http_response *response);
    /* Returns how many bytes were taken. Fewer than offered pauses reading until
     * origin_request_resume. In a tunnel these are raw bytes. */
    size_t (*body)(void *owner, struct bytes bytes);
    /* How much of a long answer to read at once; 0 pauses reading, too. */
    size_t (*room)(void *owner);
    /* Nothing more to deliver just now: send on what you hold. */
    void (*drained)(void *owner);
    /* `trailers` is NULL when there were none, and valid during the call only. */
    void (*ended)(void *owner, const struct http_headers *trailers);
    /* The request side can take bytes again, or has been written in full. */
    void (*writable)(void *owner);
    void (*failed)(void *owner, enum origin_failure failure);
    /* Others need the connection, and this one's client is slow: the request must be cancelled
     * before this returns. */
    void (*give_way)(void *owner);
};

struct origin_request {
    const struct origin_request_events *events;
    void *owner;
    struct origin *origin;
    struct origin_connection *connection; /* NULL: in line, or over */
    const struct pool_settings *pool;
    const struct timeouts_settings *timeouts;
    const struct limits_settings *limits;
    const char *fault;       /* known after `failed`: what was not well-formed; NULL: nothing was */
    struct service *service; /* filled by service_pick; NULL: the result counts for no service */
    uint64_t deadline_us;    /* it is of no use after that; 0: there is no such time */
    uint64_t bound_us;       /* when it had its connection */
    uint64_t half_open_waited_us; /* for the head of an answer half-open */
    uint64_t slot_us;             /* when it took that of its origin */
    uint64_t waits_from_us;       /* in line */
    struct origin_evidence evidence;
    struct line *line; /* that it waits in; NULL: none, or that for a name */
    struct link in_line;
    struct timer timer;  /* of its wait in line; once it is connected, its owner's */
    uint32_t reset_code; /* of RFC 9113 section 7 */
    uint32_t fair_key;   /* tells its client from others in line; 0: first come, first served */
    uint32_t in_flight;  /* at the origin when it was given to it: adaptive.c */
    uint32_t mark;       /* of the turns in line: lines.c */
    enum http_method method : 8;
    enum reuse reuse : 8;      /* which pooled connections will do */
    uint8_t lenient;           /* bits of enum http_leniency */
    uint8_t priority;          /* enum priority: its place in line */
    uint8_t part;              /* of the line: enum line_part */
    uint8_t moves;             /* to another address of the same name: sibling.c */
    uint8_t slots;             /* taken of what limits requests: limits_private.h */
    bool service_slot : 1;     /* and of its service's connections, for the one being opened */
    bool was_reset : 1;        /* known after `failed`: the origin reset the connection */
    bool stream_was_reset : 1; /* the same: it reset the request's stream, with reset_code */
    bool replayable : 1;       /* a failure can be tried again for free: no look before reuse */
    bool unfinished : 1;       /* its body is not whole yet */
    bool is_rpc : 1;           /* its stream may be quiet for long: timeouts.stream_idle */
    bool is_grpc : 1;          /* its answer is judged by origin_request_grpc_ended */
    bool is_event_stream : 1;  /* its answer is one, which may be silent while nothing happens */
    bool answer_ends : 1;      /* with the bytes of this `body`, as far as its sender knows */
    bool waits : 1;            /* in line */
    bool half_open : 1;        /* filled by service_pick: it tries an ejected origin */
    bool hurried : 1;          /* and goes to another one if that is slow to answer */
};

/* Fill events, owner, pool, timeouts, limits, method, priority, fair_key, unfinished, is_rpc, is_grpc,
 * replayable and reuse first. `connected` or `failed` follows, maybe before this returns. */
void origin_request_start(struct origin_request *request, struct origin *origin);
/* false: the head is too large; nothing was sent, and the connection is still held. */
bool origin_request_send_head(struct origin_request *request, const struct request_head *head);
/* At most OUTBOX_PIECES, which leave together. Returns how many bytes were taken; `writable` follows when
 * it was fewer than offered. */
size_t origin_request_send_body(struct origin_request *request, const struct bytes *pieces,
                                int count);
/* The body of an unfinished request is whole, wherever the request is; harmless for others. */
void origin_request_body_is_whole(struct origin_request *request);
/* The request is whole. `trailers` may be NULL, and is needed during the call only. */
void origin_request_send_end(struct origin_request *request, const struct http_fields *trailers);
/* Writes what was only collected so far, at the end of the loop's turn. */
void origin_request_flush(struct origin_request *request);
/* After `body` took fewer bytes than offered, or there was no `room`. */
void origin_request_resume(struct origin_request *request);
/* Memory that its connection holds in buffers. */
size_t origin_request_held(const struct origin_request *request);
/* The client hears of the failure that `failed` told: there is no other try. Harmless where there
 * was no origin to start it on. */
void origin_request_failure_seen(struct origin_request *request, enum origin_failure failure);
/* How a gRPC call ended whose answer is whole; called once, with `ended`. Harmless for what is not
 * gRPC, or was answered in plain HTTP. */
void origin_request_grpc_ended(struct origin_request *request, enum grpc_status status);
/* Gives up: the connection is closed unless nothing was sent on it. No event follows.
 * Harmless when over. */
void origin_request_cancel(struct origin_request *request);

#endif
