/* SPDX-License-Identifier: BSD-2-Clause */
/* Counters of one worker, by listener, route and service, with duration histograms.
 * Written by the worker's thread alone, read by any thread (relaxed atomics that compile to
 * plain loads and stores), so reading never stops a worker. Keyed by name so that they
 * survive a reload. */
#ifndef OBSERVE_METRICS_H
#define OBSERVE_METRICS_H

#include "config/settings.h"
#include "http/h2/h2_request.h"
#include "http/trace_context.h"
#include "observe/outcome.h"

struct metrics; /* of one worker */

struct metrics *metrics_new(void); /* NULL: out of memory */
void metrics_free(struct metrics **metrics);
/* Maps the indexes of these settings to counters, old names keeping theirs. Worker's thread,
 * between two events. false: out of memory, nothing changed. */
bool metrics_adopt(struct metrics *metrics, const struct settings *settings);

/* The same a piece at a time, so that a worker with ten thousand routes to take up answers in
 * between. Settings are borrowed. NULL: out of memory. */
struct metrics_staged_config;
struct metrics_staged_config *metrics_staged_config_new(struct metrics *metrics,
                                                        const struct settings *settings);
enum metrics_progress { METRICS_GROW, METRICS_ARE_WHOLE, METRICS_FAILED };
/* At most `most` names; counting goes on by the former settings. */
enum metrics_progress metrics_staged_config_grow(struct metrics_staged_config *staged_config,
                                                 unsigned most);
/* Once whole: from here on the new settings' indexes hold. */
void metrics_staged_config_commit(struct metrics_staged_config **staged_config);
void metrics_staged_config_abandon(struct metrics_staged_config **staged_config);

/* Once an exchange; a handful of stores. */
void metrics_count(struct metrics *metrics, const struct outcome *outcome);

/* A service's retries: what has come about since the last telling, and what its budget has left. */
struct metrics_retries {
    uint32_t made;
    uint32_t denied;
    uint32_t left;
};
void metrics_report_retries(struct metrics *metrics, const struct service_settings *service,
                            const struct metrics_retries *retries);

/* Things that are not exchanges: name, how /metrics calls it (with turnpike_ before and _total
 * behind), and a sentence. */
/* clang-format off */
#define METRICS_EVENTS(ROW) \
    ROW(CLIENT_ACCEPTED,    "client_connections_accepted",    "Client connections that were accepted.") \
    ROW(CLIENT_CLOSED,      "client_connections_closed",      "Client connections that ended.") \
    ROW(CLIENT_HANDED_OVER, "client_connections_handed_over", "Client connections given to another worker as they came.") \
    ROW(TLS_HANDSHAKE,      "tls_handshakes",                 "TLS handshakes with clients, in full or resumed.") \
    ROW(TLS_RESUMED,        "tls_handshakes_resumed",         "Those that resumed a session.") \
    ROW(TLS_FAILED,         "tls_handshakes_failed",          "Failed TLS handshakes with clients.") \
    ROW(TLS_LAST_IN_LINE,   "tls_handshakes_deprioritized",    "TLS handshakes that waited behind others, because earlier ones from the same address failed.") \
    ROW(ACCEPT_PAUSED,      "accept_pauses",                  "Times that accepting paused at limits.max_connections.") \
    ROW(ORIGIN_DIALED,      "origin_connections_dialed",      "Connections to origins that were opened.") \
    ROW(ORIGIN_REUSED,      "origin_connections_reused",      "Requests sent on a pooled connection.") \
    ROW(ORIGIN_FAILED,      "attempts_failed",                "Failed attempts.") \
    ROW(ATTEMPT_RETRIED,    "retries",                        "Retries after a failed attempt.") \
    ROW(RETRY_DENIED,       "retries_denied",                 "Failures without a retry because a retry budget was exhausted.") \
    ROW(REQUEST_REPEATED,   "requests_repeated",              "Requests that their clients had sent before, by idempotency key or request id.") \
    ROW(CLIENT_OUTLIVED,    "exchanges_outliving_clients",    "Requests that finished after their clients had left.") \
    ROW(ORIGIN_EJECTED,     "ejections",                      "Times that an origin was ejected.") \
    ROW(ORIGIN_RETURNED,    "ejections_ended",                "Times that an ejected origin came back.") \
    ROW(PROXY_REFUSED,      "proxy_connections_refused",      "Connections closed unread, since proxy_protocol.from does not list their peer.") \
    ROW(CLIENT_OVER_LIMIT,  "client_connections_over_limit",  "Connections refused by client_limits.") \
    ROW(REQUEST_OVER_LIMIT, "requests_rate_limited",            "Requests answered 429 by client_limits or rate_limits.") \
    ROW(REQUEST_REPORTED,   "requests_over_reported_limits",  "Requests over a limit of rate_limits with mode: report.") \
    ROW(ADDRESS_REFUSED,    "requests_refused_by_address",    "Requests answered 403 by allow and deny.") \
    ROW(WAITS_IN_ROOM,      "requests_in_waiting_rooms",      "Requests of users who wait in a waiting room.") \
    ROW(IN_MAINTENANCE,     "requests_in_maintenance",        "Requests answered 503 since their route was in maintenance.") \
    ROW(CACHE_HIT,          "cache_hits",                     "Requests answered from memory while the answer was fresh.") \
    ROW(CACHE_STALE,        "cache_stale_hits",               "Requests answered from memory with a stale answer.") \
    ROW(CACHE_COLLAPSED,    "cache_collapsed",                "Requests that got the answer which another one fetched (coalesce).") \
    ROW(CACHE_REVALIDATED,  "cache_revalidations",            "Stored answers that their origin confirmed (304).") \
    ROW(CACHE_MISS,         "cache_misses",                   "Requests that went to an origin to fetch an answer that may be shared.") \
    ROW(CACHE_BYPASS,       "cache_bypasses",                 "Requests of routes with a cache that may take no part in it.") \
    ROW(PATH_OTHER_ROUTE,    "path_guard_other_route",      "Requests answered 400 since their path can be read as that of another route.") \
    ROW(PATH_OUTSIDE_PREFIX, "path_guard_outside_prefix",   "Requests answered 400 since their path can be read as one outside of rewrite.path_prefix.") \
    ROW(PATH_MANY_READINGS,  "path_guard_many_readings",    "Requests answered 400 since their path can be read in too many ways.") \
    ROW(LOOP_REFUSED,       "loops_refused",                  "Requests answered 508 since they had passed through this gateway too often.") \
    ROW(TUNNEL_OPENED,       "tunnels_opened",              "Connections that were turned over to another protocol (101).") \
    ROW(TUNNEL_CLOSED,       "tunnels_closed",              "Of these, those that ended.") \
    ROW(HTTP2_CONNECTION,   "http2_client_connections",       "Client connections that speak HTTP/2.") \
    ROW(HTTP2_NOT_OFFERED,  "http2_connections_refused",      "Connections in HTTP/2 to a listener without it: closed with HTTP_1_1_REQUIRED.") \
    ROW(HTTP2_OPENED,       "http2_streams_opened",           "HTTP/2 streams of clients that began an exchange.") \
    ROW(HTTP2_CLOSED,       "http2_streams_closed",           "Of these, those whose exchange ended.") \
    ROW(HTTP2_REFUSED,      "http2_streams_refused",          "HTTP/2 streams refused unprocessed (REFUSED_STREAM).") \
    ROW(HTTP2_OVER_BUFFER,  "http2_streams_over_buffer",      "Of these, those that limits.connection_buffer or limits.http2_connection_window had no room for.") \
    ROW(HTTP2_RESET,        "http2_streams_reset",            "HTTP/2 streams that ended before their answers were whole.") \
    ROW(PRESSURE_HELD,      "pressure_reads_paused",      "Pauses in reading a large body, for lack of memory.") \
    ROW(PRESSURE_REFUSED,   "pressure_connections_refused",   "New connections refused, for lack of memory or descriptors.")
/* clang-format on */

enum metrics_event {
#define ROW(name, metric, sentence) METRICS_##name,
    METRICS_EVENTS(ROW)
#undef ROW
        METRICS_EVENT_COUNT,
};
void metrics_note(struct metrics *metrics, enum metrics_event event);
/* Of what may be counted by number: enum metrics_event, and so on below. */
typedef uint64_t metrics_tally(const struct metrics *metrics, unsigned which);
metrics_tally metrics_noted;
/* How long something took that is no exchange. */
enum metrics_time {
    METRICS_TIME_CONNECT,   /* to an origin, its TLS handshake included */
    METRICS_TIME_HANDSHAKE, /* of TLS with a client, from its accept on */
    METRICS_TIME_LAG, /* from when a timer of a worker's loop was due to when the loop came to it */
    METRICS_TIME_COUNT
};
void metrics_note_time(struct metrics *metrics, enum metrics_time time, uint64_t microseconds);
/* The same for METRICS_TIME_LAG, and the longest one of each minute, by the monotonic clock. */
void metrics_note_lag(struct metrics *metrics, uint64_t microseconds, uint64_t now_us);
/* A connection was cut; also for connections without an exchange. */
void metrics_note_cut(struct metrics *metrics, enum cut_cause cause);
metrics_tally metrics_cuts;
/* A request in HTTP/2 was refused for what its fields say; most have no exchange. */
void metrics_note_h2_fault(struct metrics *metrics, enum h2_fault fault);
metrics_tally metrics_h2_faults;
/* The sum over routes, and over exchanges that no route took; any thread that holds them. */
uint64_t metrics_exchanges(const struct metrics *metrics);

/* Counters of one origin, found once and kept until it leaves. What failures there are is known
 * further up (origin/failure.h): here they are numbers. NULL: no memory. */
#define METRICS_FAILURES_MAX 48
struct metrics_origin;
struct metrics_origin *metrics_origin(struct metrics *metrics, const char *name);
const char *metrics_origin_name(const struct metrics_origin *origin); /* as long as the metrics */
void metrics_origin_leaves(struct metrics *metrics, struct metrics_origin **origin);
void metrics_origin_begins(struct metrics_origin *origin, uint16_t status);
/* From the connection that was had to the last byte of the answer. */
void metrics_origin_ends(struct metrics_origin *origin, uint64_t microseconds);
void metrics_origin_fails(struct metrics_origin *origin, unsigned failure);

/* --- reading, from any thread ------------------------------------------------------------ */

#define METRICS_STATUS_CLASSES 6 /* [0]: no answer was sent; [1] to [5]: 1xx to 5xx */
/* Durations: four buckets to each power of two from 64 us to 67 s, one below and one above. */
#define METRICS_DURATION_BUCKETS 82

enum metrics_kind {
    METRICS_ROUTES,
    METRICS_LISTENERS,
    METRICS_SERVICES,
    METRICS_ORIGINS, /* of them only by_status, durations and their sum, and by_failure */
    METRICS_CUTS,    /* exchanges that were cut, by the name of the cause */
    METRICS_KIND_COUNT
};

/* A copy of one named set of counters. */
struct metrics_reading {
    const char *name; /* "" among the routes: exchanges that no route took */
    uint64_t exchanges;
    uint64_t errors;  /* exchanges with an error type */
    uint64_t retries; /* of services, and so on */
    uint64_t retries_denied;
    uint64_t retries_left;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t duration_sum_us;
    uint64_t by_status[METRICS_STATUS_CLASSES];
    uint64_t by_end[OUTCOME_END_COUNT];
    uint64_t durations[METRICS_DURATION_BUCKETS];
    uint64_t by_cache[OUTCOME_CACHE_COUNT];    /* METRICS_ROUTES */
    uint64_t by_failure[METRICS_FAILURES_MAX]; /* METRICS_ORIGINS */
};

/* Any thread but the worker's: no name is forgotten until it lets go. */
void metrics_hold(struct metrics *metrics);
void metrics_let_go(struct metrics *metrics);
/* Calls once for each name that was adopted, but for those that went long ago. The name stays
 * valid for as long as the reader holds the metrics. */
typedef void metrics_seen(void *owner, const struct metrics_reading *reading);
void metrics_read(const struct metrics *metrics, enum metrics_kind kind, metrics_seen *seen,
                  void *owner);
/* Adds what was noted to `reading`, as durations and their sum; any thread. */
void metrics_read_time(const struct metrics *metrics, enum metrics_time time,
                       struct metrics_reading *reading);

/* The longest of the minute of `now_us` and of the one before it; any thread. */
uint64_t metrics_longest_lag(const struct metrics *metrics, uint64_t now_us);

/* What only some routes count, each from its first one on. */
#define METRICS_CODES_FIRST 400
#define METRICS_CODES 200
enum metrics_seldom {
    METRICS_SELDOM_CODES,  /* METRICS_CODES: answers of 400 to 599 one by one */
    METRICS_SELDOM_GRPC,   /* GRPC_STATUS_COUNT: calls by their status, GRPC_NO_STATUS the last */
    METRICS_SELDOM_CACHES, /* OUTCOME_CACHE_COUNT: what the cache did */
    METRICS_SELDOM_KINDS
};
/* Of the routes that have some. Calls as metrics_read does. */
typedef void metrics_seldom_seen(void *owner, const char *route, const uint64_t *counts,
                                 uint32_t count);
void metrics_read_seldom(const struct metrics *metrics, enum metrics_seldom kind,
                         metrics_seldom_seen *seen, void *owner);

/* Of each bucket that /metrics shows, one a power of two: the last sampled exchange that fell into
 * it, so that a trace can be found from a slow bucket. */
#define METRICS_EXEMPLARS 22
struct metrics_exemplar {
    char trace_id[TRACE_ID_LENGTH];
    uint64_t duration_us;
    uint64_t ended_us; /* since 1970; 0: there was none */
};
/* Of the names of this kind that had some. Calls as metrics_read does. */
typedef void
metrics_exemplars_seen(void *owner, const char *name,
                       const struct metrics_exemplar exemplars[static METRICS_EXEMPLARS]);
void metrics_read_exemplars(const struct metrics *metrics, enum metrics_kind kind,
                            metrics_exemplars_seen *seen, void *owner);
unsigned metrics_duration_bucket(uint64_t microseconds);
/* Durations in this bucket are below this many microseconds; UINT64_MAX for the last one. */
uint64_t metrics_duration_limit(unsigned bucket);

#endif
