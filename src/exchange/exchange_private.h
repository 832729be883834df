/* SPDX-License-Identifier: BSD-2-Clause */
/* What the steps of an exchange share. No file outside exchange/ includes this. */
#ifndef EXCHANGE_EXCHANGE_PRIVATE_H
#define EXCHANGE_EXCHANGE_PRIVATE_H

#include "base/list.h"
#include "base/memory/buffer.h"
#include "base/memory/slab.h"
#include "base/siphash.h"
#include "base/uuid.h"
#include "exchange/ask.h"
#include "exchange/attempt.h"
#include "origin/delivery.h"
#include "base/text.h"
#include "http/date.h"
#include "split/arm_choice.h"

#define VIA_VERSIONS (HTTP_2 + 1)
#define VIA_TEXT_MAX 80 /* "1.1 " and the name, which the schema bounds */

#define PROBLEMS_KEPT 8 /* a power of two */
#define PROBLEM_BYTES 704

/* What the error of one status, error, sentence and delivery says (reply_problem.c). */
struct problem {
    uint16_t status; /* 0: none */
    enum origin_delivery delivery;
    const char *error;
    const char *detail;
    struct bytes proxy_status; /* it and `body` point into `text` */
    struct bytes body;
    char text[PROBLEM_BYTES];
};

struct exchange_context {
    struct worker_context *worker_context;
    struct metrics *metrics;
    struct access_log_ring *log;
    struct span_ring *spans;         /* NULL: spans go nowhere */
    bool logs_extras;                /* lines have more fields than the usual ones */
    uint32_t log_sample;             /* in 0.01 % */
    bool is_tracing;                 /* new exchanges have spans */
    struct client_registry *clients; /* NULL: no client has limits */
    struct siphash_key names_key;    /* for tables of what senders name */
    struct repeats *repeats;         /* NULL: no request has named itself yet */
    struct tls_mac_maker *macs;      /* of tickets; NULL: none was asked for yet */
    struct generation *generation;
    struct slab_pool *exchanges;
    struct slab_pool *bare_exchanges; /* without rows */
    struct slab_pool *attempts;
    struct link deferred_frees; /* exchanges that ended in this turn */
    struct link leaving;        /* generations without users, being taken apart */
    struct alarm dismantle;
    size_t count;
    struct http_header rows[HTTP_HEADERS_MAX]; /* fields of a request that is just being read */
    struct timer_group *gather_timers;         /* read their request bodies for a moment */
    struct timer_group *continue_timers;       /* waits for an origin's 100 (Continue) */
    struct timer_group *backoff_timers;        /* wait before another origin is tried */
    struct timer_group *deadline_timers;       /* of timeouts.total and grpc-timeout */
    struct timer_group *shared_wait_timers; /* wait for what another exchange fetches (caching.c) */
    struct link orphans;                    /* exchanges whose clients have left */
    uint32_t orphan_count;
    bool draining;
    const struct exchange_answerer *answerer; /* of ROUTE_ASK */
    void *answerer_owner;
    struct {
        char text[VIA_VERSIONS][VIA_TEXT_MAX];
        struct bytes value[VIA_VERSIONS]; /* by enum http_version */
    } via;                                /* of the present settings */
    struct {
        uint64_t second;
        char text[HTTP_DATE_LENGTH + 1];
    } date;
    struct problem problems[PROBLEMS_KEPT]; /* by the present settings */
};

/* clang-format off */
#define EXCHANGE_STATES(ROW) \
    ROW(NEW,      "its request is being read, admitted, routed") \
    ROW(QUEUED,   "its route is known; what holds it back lets it go before its action begins") \
    ROW(ATTEMPTS, "an origin was asked and has not answered") \
    ROW(RELAYS,   "an origin's answer is passed on") \
    ROW(TUNNELS,  "carries another protocol") \
    ROW(ASKS,     "the internal handler was asked and has not answered") \
    ROW(REPLIES,  "an answer of the gateway's own is sent") \
    ROW(LEAVES,   "its answer is whole, the last bytes are on their way") \
    ROW(OVER,     "is over")
/* clang-format on */

enum exchange_state {
#define ROW(name, sentence) EXCHANGE_##name,
    EXCHANGE_STATES(ROW)
#undef ROW
};

/* Most requests have no more fields. */
#define EXCHANGE_ROWS 8

struct exchange {
    struct link link; /* in context->orphans, or in context->deferred_frees once over */
    struct exchange_context *context;
    struct generation *generation;
    enum exchange_state state : 8;
    enum origin_delivery delivery : 8; /* the least certain of all attempts so far */
    uint8_t holds;                     /* while QUEUED: bits of enum queue_hold */
    bool traced;                       /* each of its steps goes to the process log (trace.c) */
    bool is_rpc;                       /* its stream may be quiet for long: timeouts.stream_idle */
    enum arm_reason arm_by : 8;        /* ARM_ALONE: nothing chose */
    bool is_bare; /* has no `rows`: its request's fields are in its stream's memory */

    struct {
        const struct client_stream_ops *ops;
        void *stream;
        const struct client_facts *facts;
        const char *listener; /* its name, by the settings that ran as this began */
        struct ip ip;         /* the true client behind trusted proxies */
        uint32_t listener_index;
        uint16_t port; /* 0: not known of the true one */
        bool trusted;  /* the connection comes from one of them */
    } client;

    struct {
        struct buffer_queue body; /* read and not yet sent; all of it while `kept` */
        uint64_t received;        /* body bytes so far */
        bool whole;
        bool kept;               /* can be sent again from its start */
        bool paused;             /* the client was told to wait with the body */
        bool keeps_little;       /* of it, however much limits.request_buffer allows */
        struct buffer *trailers; /* a copy of those that go on (trailers.c); rare */
    } request_body;

    struct {
        const struct route_settings *route;
        struct bytes target; /* that the origin gets; empty: the request's, or a rewritten one */
        const struct service_settings *service;
        struct arm_tally *tally; /* of a ramp that wants to know how it ends; NULL: none */
        uint32_t tally_user;     /* what it knows the client by */
        uint32_t chosen_us;
    } routing;

    struct attempt *attempt; /* the last one; NULL: none was made */
    union {
        struct timer gather;  /* while QUEUED: its request's body is read first */
        struct timer backoff; /* behind that: before another attempt */
    };

    struct {
        bool begun;               /* a final head went to the client */
        bool blocked;             /* the client took fewer bytes than offered */
        bool keeps_trailers_here; /* its head names fields that must not go on */
        bool takes_status;        /* gRPC: trailers may end it at any time */
        bool is_stream;           /* further pieces of it follow (ask.c) */
        bool ends_by_reset;       /* the last attempt's stream was reset by its origin */
        bool is_lent;             /* own_rest is its writer's, and goes when the call is over */
        struct bytes own_rest;    /* of an answer of our own, still to be sent */
        struct bytes cookie;      /* a Set-Cookie that goes with it; empty: none */
    } answer;

    struct timer deadline;
    uint64_t deadline_us;       /* 0: none */
    struct exchange_span *span; /* NULL: tracing is off (spans.c) */
    struct orphan *orphan; /* its client has left, and it goes on (orphan.c); NULL: it has not */

    struct caching *caching; /* NULL: its route neither stores nor coalesces (caching.c) */
    void *asked;             /* of the context's answerer; NULL: nothing */
    uint64_t start_us;
    struct outcome_course outcome; /* so far */
    struct region memory;          /* what it keeps; goes with it */
    const char *untaken_id;        /* see exchange_untaken_id; NULL: none */
    union {
        struct {
            char own[UUID_TEXT_LENGTH]; /* outcome.request_id_is_ours */
            uint32_t untaken_length;
        };
        struct bytes given;
    } request_id;
    struct http_request request;
    struct http_header rows[EXCHANGE_ROWS]; /* of the request, if these suffice; last */
};

/* From the memory that goes with the exchange; NULL: none is left. */
static inline void *exchange_take(struct exchange *exchange, size_t size)
{
    return region_take(&exchange->memory, exchange->context->worker_context->buffers, size);
}

static inline size_t exchange_bytes(const struct exchange *exchange)
{
    return exchange->is_bare ? offsetof(struct exchange, rows) : sizeof(*exchange);
}

/* exchange.c */
/* A copy in that memory takes their place; false: none is left. */
bool exchange_keep(struct exchange *exchange, struct bytes *bytes);
void exchange_set_state(struct exchange *exchange, enum exchange_state state);
uint32_t exchange_elapsed_us(const struct exchange *exchange);
struct bytes exchange_request_id(const struct exchange *exchange);
/* One that came with its request and was not taken; empty: none. */
struct bytes exchange_untaken_id(const struct exchange *exchange);
/* Its outcome as it is now, but for `end`; points into it, and to its client's bytes. */
void exchange_tell(const struct exchange *exchange, struct outcome *outcome);

/* All of the answer was handed to the client stream. */
void exchange_answer_is_whole(struct exchange *exchange, const struct http_fields *trailers,
                              enum outcome_end end);
/* The last step; the client stream is told. */
void exchange_finish(struct exchange *exchange, enum outcome_end end);
/* The answer breaks off half way: so does the client stream. */
void exchange_break_off(struct exchange *exchange, enum outcome_end end);

/* exchange_context.c: its memory goes back, at once. */
void exchange_release(struct exchange *exchange);

/* admit.c: who the client is, whether its request may pass. */
void admit_identify_client(struct exchange *exchange);
/* false: an answer was given instead. */
bool admit_listener(struct exchange *exchange);
bool admit_method(struct exchange *exchange);
/* Which route it takes: sets routing.route, and routing.target where the request's own does not serve. */
bool admit_route(struct exchange *exchange);
bool admit_rate(struct exchange *exchange); /* once the route is known */
/* `allow` and `deny` of its route, routes in maintenance and their testers. */
bool admit_route_access(struct exchange *exchange);
/* A browser asks whether a page of another origin may send a request (CORS). */
bool admit_is_preflight(const struct exchange *exchange);
/* Pure; also for those who explain. A client without an address (a Unix socket) is in no network. */
bool access_rules_permit(const struct access_rules *access_rules, const struct ip *ip);
/* waiting_room.c */
bool waiting_room_admit(struct exchange *exchange);
/* What a user who waits is shown, in the exchange's memory: a page, or JSON. */
struct room_place;
struct bytes waiting_room_body(struct exchange *exchange, const struct room_place *place,
                               bool is_page);
/* rate_limits.c; once the route is known */
bool rate_limits_admit(struct exchange *exchange);
bool admit_size(struct exchange *exchange);
/* A request that is forwarded has not come by here too often. */
bool admit_loop(struct exchange *exchange);

/* What may hold an exchange in the queue; bits. */
enum queue_hold {
    QUEUE_BODY = 1,    /* its request body is read first: request_body.c */
    QUEUE_SHARED = 16, /* another exchange fetches what it asks for: caching.c */
};

/* Only while QUEUED. */
void queue_hold(struct exchange *exchange, enum queue_hold hold);
/* This does not hold it any more: once nothing does, its route's action begins. Harmless where this
 * held nothing. */
void queue_release(struct exchange *exchange, enum queue_hold hold);

/* request_body.c: the request body is read before the exchange leaves the queue. */
/* Holds the exchange there if so; its body is not whole yet. */
void gather_begin(struct exchange *exchange);
/* timeouts.request_buffer is over. */
void gather_is_over(struct timer *timer);

/* An exchange of the gateway's own, for a client that has been answered: it asks the same as `like` does,
 * of the same route. Its request's fields must be copies. It is QUEUED then. */
void exchange_begin_apart(struct exchange *exchange, const struct exchange *like);

/* orphan.c: exchanges that go on without their clients. */
/* True when this one does. */
bool orphan_begin(struct exchange *exchange, enum outcome_end end);
/* Never had a client of its own; ends with the others at the latest. false: no memory. */
bool orphan_adopt(struct exchange *exchange);
void orphan_end(struct exchange *exchange, const char *error);
/* What was told of its request while its client was there; NULL: that still says it, since it never
 * had one. */
const struct outcome *orphan_told(const struct exchange *exchange);

/* choice.c: which arm of a split. */
const struct arm_settings *choice_make(struct exchange *exchange);
/* How it went, for a ramp that asked; routing.tally is set. */
void choice_count(const struct exchange *exchange, uint32_t total_us);

/* reply_refusal.c: answers that turn the request down. */
void reply_error(struct exchange *exchange, uint16_t status, const char *error, const char *detail);
/* The route is in maintenance. */
void reply_maintenance(struct exchange *exchange);
/* The user waits in the route's waiting room. */
void reply_waiting_room(struct exchange *exchange, const struct room_place *place);
/* Which limit of a rate a request is over. */
struct reply_quota {
    struct bytes policy;  /* RateLimit-Policy */
    struct bytes state;   /* RateLimit, up to the seconds */
    struct bytes problem; /* problem+json, up to the request's id */
    uint64_t wait_ms;     /* until the next one may come */
    const char *sentence;
};
void reply_over_limit(struct exchange *exchange, const struct reply_quota *quota);
/* reply.c, reply_redirect.c: the client can take more of an answer that was begun here. */
void reply_go_on(struct exchange *exchange);
void reply_continue(struct exchange *exchange);
void reply_respond(struct exchange *exchange, const struct route_settings *route);
void reply_redirect(struct exchange *exchange, uint16_t status, struct bytes pattern);
void reply_options(struct exchange *exchange);
/* reply_grpc.c: an answer to gRPC breaks off half way: it ends with trailers that say why, where it still can; false:
 * it cannot. */
bool reply_grpc_breaks_off(struct exchange *exchange, enum outcome_end end);

/* ask.c: the context's answerer gets the request, once it is whole. */
void ask_answerer(struct exchange *exchange);

/* --- forward_*.c --- */

/* What of a message goes on, and what is added: hop-by-hop fields (RFC 9110 section 7.6.1),
 * Via, X-Forwarded-*, Forwarded (RFC 7239), X-Request-Id and the route's edits. */

#define FORWARD_SCRATCH_BYTES 49152

/* Lives on the caller's stack until the head has been sent; the head's bytes point into it. */
struct forward_page {
    struct http_fields fields;
    struct text text;
    char scratch[FORWARD_SCRATCH_BYTES];
};

/* false: does not fit (the client sent too much, or the edits add too much). */
bool forward_request(const struct exchange *exchange, struct forward_page *page,
                     struct request_head *head);
bool forward_answer(const struct exchange *exchange, const struct http_response *response,
                    struct forward_page *page, struct answer_head *head);
/* RFC 9110 section 6.6.1. */
bool forward_add_date(const struct exchange *exchange, struct forward_page *page);
/* The fields that answers of the gateway's own carry too: request id, route's edits. */
bool forward_common_answer_fields(const struct exchange *exchange, struct forward_page *page);

/* A rule that trailers share with heads: the edits take the field away. */
bool forward_is_edited_away(const struct header_edits *edits, struct bytes name);
/* A single value: that of a trusted proxy, else `own`. */
struct bytes forward_trusted_or(const struct exchange *exchange, enum http_header_id id,
                                struct bytes own);

/* --- trailers.c --- */

/* Which fields of a trailer section go on, and those of a request while it waits. An origin or a
 * client may merge trailers into the head (RFC 9110 section 6.5.1), so a field that a head may not
 * carry on does not go on here either. */

/* Copies those of the request's trailers that go on: the bytes that `trailers` points to are read
 * over by the client's next request. Called once the body is whole. false: no memory. */
bool trailers_keep(struct exchange *exchange, const struct http_headers *trailers);
/* Those that were kept (request_body.trailers), as rows that stay valid while the exchange lives. */
const struct http_fields *trailers_kept(const struct exchange *exchange,
                                        struct http_fields *fields);
/* Those of an answer, as rows that are valid as long as `trailers`; NULL: there are none. */
const struct http_fields *trailers_of_answer(const struct exchange *exchange,
                                             const struct http_headers *trailers,
                                             struct http_fields *fields);

/* --- deadline.c --- */

/* The time for the whole of an exchange. */

#define DEADLINE_GRPC_FIELD BYTES("grpc-timeout")

/* Once the route is known, where there may be one. false: an answer was given instead. */
bool deadline_begin(struct exchange *exchange);
/* Where there is one. false: an answer was given instead. */
bool deadline_leaves_time(struct exchange *exchange);
void deadline_is_over(struct timer *timer);

/* Where there is one: tells the origin what is left, in place of the client's line, which is dropped
 * (forward_request.c). false: it does not fit. */
bool deadline_pass_on(const struct exchange *exchange, struct http_fields *fields,
                      struct text *text);
/* The same of gRPC, in its own field. */
bool deadline_pass_on_grpc(const struct exchange *exchange, struct http_fields *fields,
                           struct text *text);

/* --- spans.c --- */

/* An exchange's place in a trace, where `tracing` is on: which trace, whether it is sampled, what its
 * origins are told of it (W3C Trace Context), and its spans. Called by exchange.c, attempt.c and
 * forward_request.c, each time only for an exchange that has a span. */

struct exchange_span {
    struct span_facts facts; /* facts.own.sampled: spans are written */
    char *target;            /* room for facts.origin_target; NULL: none */
};

/* Once the client is known. Without memory the exchange goes on without a span; what cannot be read as
 * a request has none. */
void spans_begin(struct exchange *exchange);
/* The last one of its attempts. */
void spans_attempt_begins(struct exchange *exchange);
void spans_attempt_ends(struct exchange *exchange);
void spans_write(const struct exchange *exchange, const struct outcome *outcome);

/* What origins are asked for; copied, without its query. */
void spans_note_target(const struct exchange *exchange, struct bytes target);
/* traceparent, of the attempt that is about to be sent. */
bool spans_add_field(const struct exchange *exchange, struct forward_page *page);

/* --- log_fields.c --- */

/* What access_log.fields asks for, taken down while the exchange has it. Called by exchange.c and attempt.c
 * where the configuration asks for some. */

/* Once the request is known. Without memory the line has the usual fields only. */
void log_fields_begin(struct exchange *exchange);
/* The head of an origin's answer. */
void log_fields_answer(struct exchange *exchange, const struct http_headers *headers);
/* By access_log.sample; its end is known. */
bool log_fields_want_line(struct exchange *exchange, uint32_t sample);

/* --- tries.c --- */

/* What follows an attempt that failed, and what clients try again. */

/* Events of attempts, which are their owners. */
void tries_failed(void *owner, enum origin_failure failure);
void tries_give_way(void *owner);

/* The answer's head came. true: it says that the call was not processed (retry.grpc_unavailable), and
 * another attempt is made in place of it. */
bool tries_again_instead(struct attempt *attempt, const struct http_response *response);

/* The request names itself, and the same name was there a moment ago. */
bool tries_has_come_before(struct exchange *exchange);
/* Tells how the service's budget of retries stands; `made` and `denied` now. */
void tries_report(const struct exchange *exchange, uint32_t made, uint32_t denied);

#endif
