/* SPDX-License-Identifier: BSD-2-Clause */
/* The facts about one finished exchange, gathered in one struct and filled by exchange/ alone.
 * The access log and the metrics read it; neither asks anyone else. */
#ifndef OBSERVE_OUTCOME_H
#define OBSERVE_OUTCOME_H

#include "base/address.h"
#include "base/bytes.h"
#include "config/settings.h"
#include "http/grpc.h"
#include "observe/cut_cause.h"

/* How an exchange ended. */
enum outcome_end {
    OUTCOME_ANSWERED,      /* the whole answer went to the client */
    OUTCOME_ANSWERED_HERE, /* respond:, redirect: or an error answer of the gateway's own */
    OUTCOME_CLIENT_GONE,   /* the client left before it had the answer */
    OUTCOME_ORIGIN_BROKE,  /* the answer broke off half way */
    OUTCOME_TUNNEL_CLOSED, /* an upgraded connection ended */
    OUTCOME_REQUEST_BROKE, /* the request broke off or broke the rules after the answer had begun */
    OUTCOME_CUT_BY_TIMEOUT, /* a budget ran out after the answer had begun */
    OUTCOME_CUT_BY_STOP,    /* the drain deadline */
    OUTCOME_GATEWAY_BROKE,  /* the gateway had no memory to go on with it */
};
#define OUTCOME_END_COUNT 9

/* The error type of what the gateway failed to do for want of its own means (RFC 9209 section
 * 2.3.31). */
#define OUTCOME_OWN_ERROR "proxy_internal_error"

#define OUTCOME_ATTEMPTS_MAX 2

/* One try at one origin. Phases as below: 0 was not reached. */
struct outcome_attempt {
    const char *origin;
    const char *error;      /* RFC 9209 error type of its failure; NULL: none */
    const char *delivery;   /* what is known of whether the origin saw it: "maybe" */
    uint64_t bytes_sent;    /* taken by the socket */
    uint64_t bytes_acked;   /* of these, by the origin's kernel; told only without an answer */
    uint32_t connected_us;  /* a connection was had */
    uint32_t sent_us;       /* request written in full */
    uint32_t first_byte_us; /* first byte of the answer read */
    uint16_t status;        /* of the origin's answer; 0: none came */
    bool reused;            /* a pooled connection */
    bool http2;             /* over a stream of HTTP/2 */
};

/* What access_log.fields asks for: a value for each field, without card numbers and cut; empty where
 * there is none. */
#define ACCESS_VALUE_MAX 512
#define REQUEST_ID_MAX 128 /* a longer one is not taken from a request */
struct access_extras {
    const struct access_field *fields;
    uint32_t count;
    struct bytes values[];
};

struct trace_context;

/* What the cache of its route did. */
enum outcome_cache {
    OUTCOME_CACHE_NONE, /* there is none */
    OUTCOME_CACHE_HIT,
    OUTCOME_CACHE_STALE,
    OUTCOME_CACHE_COLLAPSED,
    OUTCOME_CACHE_REVALIDATED,
    OUTCOME_CACHE_REFRESH,
    OUTCOME_CACHE_MISS,
    OUTCOME_CACHE_BYPASS,
    OUTCOME_CACHE_COUNT
};

/* What comes to be known as an exchange goes, kept with it from the first moment on. */
struct outcome_course {
    struct access_extras *extras; /* NULL: none are asked for */
    const char *rate_limit;       /* that it was over; NULL: none */
    const char *error;            /* RFC 9209 error type; NULL: none */
    const char *detail;           /* a static sentence; NULL: none */
    const char *fault; /* which fault of a message it speaks of, static too; NULL: it says all */
    /* Microseconds since the epoch (start) and from `start` to each phase's end; 0: not reached. */
    uint64_t start_realtime_us;
    uint64_t bytes_in;     /* of the request, head and body, as read from the client */
    uint64_t bytes_out;    /* of the answer, head and body, as written to the client */
    uint32_t head_us;      /* from the first byte of the head to its last; 0: one read brought it */
    uint16_t status;       /* 0: none was sent */
    uint16_t error_status; /* of an error of the gateway's own that was sent as a gRPC status: what
                              it would have been in HTTP; 0: there was none */
    uint16_t bucket;       /* the user's, in 0.01 %: weights above it put them into the new arm */
    uint8_t attempts;
    bool has_bucket;
    bool is_grpc;                     /* the request is gRPC; grpc_status holds for such only */
    bool request_id_is_ours;          /* a UUID made here, not a text that came with the request */
    enum outcome_end end : 8;         /* how it ended */
    enum grpc_status grpc_status : 8; /* sent to the client, or meant for it */
    enum outcome_cache cache : 8;
    enum cut_cause cut : 8; /* CUT_NONE: it was not cut */
};

struct outcome {
    struct outcome_course course;

    /* What its exchange has anyway. */
    bool tls_resumed;
    uint16_t client_port;
    uint32_t total_us;       /* end */
    const struct ip *client; /* the true one behind trusted proxies */
    struct bytes protocol;   /* "1.0", "1.1", "2" */
    struct bytes method;
    struct bytes scheme; /* "http", "https" */
    struct bytes host;
    struct bytes path; /* without query */
    struct bytes request_id;
    struct bytes client_request_id;    /* one that came and was not taken; empty: none */
    const struct trace_context *trace; /* NULL: tracing is off */
    const char *tls_version;           /* "TLSv1.3"; NULL: plain */
    const char *tls_cipher;
    const char *listener; /* names of the configuration; NULL when not reached */
    const char *route;
    const char *service;
    const char *arm_by; /* what chose among a split's arms; NULL: there was but one */
    const char *origin;
    const struct outcome_attempt *tries[OUTCOME_ATTEMPTS_MAX]; /* the first `attempts` */
    uint32_t worker;                                           /* index of the one that ran it */
    uint32_t listener_index;
    int32_t route_index;   /* -1: none */
    int32_t service_index; /* -1: none */
};

const char *outcome_cache_name(enum outcome_cache cache);
const char *outcome_end_name(enum outcome_end end);
struct bytes outcome_end_word(enum outcome_end end); /* the same, its length with it */

#endif
