/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of origin/ share about origins and their connections. No file outside includes
 * this. */
#ifndef ORIGIN_ORIGIN_PRIVATE_H
#define ORIGIN_ORIGIN_PRIVATE_H

#include "base/list.h"
#include "base/memory/slab.h"
#include "base/name_table.h"
#include "http/h1/h1_chunked.h"
#include "net/drip.h"
#include "net/outbox.h"
#include "origin/origin.h"
#include "origin/origin_entry.h"
#include "origin/origin_request.h"
#include "origin/pool/keeping.h"

struct origin_directory {
    struct worker_context *worker_context;
    struct resolver *resolver;
    struct metrics *metrics;
    struct origin_registry *registry;
    struct prober *prober; /* on worker 0; else NULL */
    struct slab_pool *connections;
    struct slab_pool *streams; /* of struct origin_h2_stream */
    uint32_t stream_count;     /* of these connections, so many are streams of others */
    struct name_table origins;
    uint32_t origin_count;
    struct link deferred_frees; /* connections closed in this turn */
    struct link leaving; /* origins that no service names any more, while their connections close */
    struct alarm leave_tick;
    struct link blocked;          /* origins whose lines wait for what a worker gives back */
    struct link blocked_services; /* those of requests there */
    struct link limited;          /* services with a limit of connections */
    struct link named;            /* services with origins by name */
    struct name_table names;      /* of struct dns_name */
    struct link names_changed;    /* of struct dns_name */
    struct later names_spread;
    struct link nameless; /* origins without an address, with requests in line: name_wait.c */
    struct alarm nameless_check;
    struct alarm check_again;
    struct later serve_blocked;
    struct timer_group *connection_timers;
    struct timer_group *wait_timers;
    struct http_response response; /* of the head being delivered */
    struct http_header response_rows[HTTP_HEADERS_MAX];
};

struct origin {
    struct named named;  /* in directory->origins */
    struct link leaving; /* in directory->leaving, with no reference */
    struct origin_directory *directory;
    const char *name; /* that of its counters, which outlive it */
    uint32_t references;
    char *tls_name;            /* what its certificate must be for; NULL: it speaks plain */
    char *tls_identity;        /* NULL: the same */
    struct tls_dialer *dialer; /* NULL: the same, or not told yet */
    struct tls_session *resumable;
    uint64_t tls_reported_us;    /* when a failure of TLS was last told */
    struct address address;      /* length 0: a placeholder for a name without an answer; */
    char *stands_for;            /* this name */
    bool resolved;               /* that name, to nothing; */
    bool awaited;                /* and the next answer may be better: requests wait for it */
    enum origin_failure absence; /* what requests get then */
    struct origin_entry *entry;  /* what all workers know of it */
    struct origin_tally tally;   /* this worker's numbers */
    struct metrics_origin *counters;
    uint32_t dialing;
    uint32_t idle_count;
    struct link idle;     /* most recently used first */
    struct link busy;     /* with a request, longest first */
    struct alarm reserve; /* while some wait in line: reserve.c */
    struct link dials;    /* being opened */
    struct link carriers; /* that carry streams: h2/ */
    enum origin_protocol protocol;
    bool spoke_http1;               /* when it was last asked which it speaks */
    struct link line;               /* of origin_request.in_line, while it has no address */
    struct link lines;              /* else: by service, lines.c */
    uint32_t ready[PRIORITY_COUNT]; /* in these, but for what is held */
    uint32_t passed_over[PRIORITY_COUNT];
    uint32_t held_count;
    uint64_t line_from_us; /* since when a request has always been in line */
    struct link probes;    /* of it: prober.c */
    struct link blocked;   /* in directory->blocked */
    struct link nameless;  /* in directory->nameless */
    uint64_t asked_us;     /* when others were last asked for idle connections to it */
    struct keeping keeping;
    bool serving; /* inside pool_serve_line */

    /* What this worker saw of its answers: service.c, service_review.c. */
    int32_t latency;        /* moving mean of ORIGIN_LATENCY of the times to the first byte */
    uint32_t paces;         /* how many that were, up to a limit */
    uint32_t unanswered;    /* requests given to it since its last answer */
    uint64_t silent_us;     /* when the first of these was */
    uint64_t answered_us;   /* its last answer */
    uint64_t suspected_us;  /* when it was first found silent */
    uint64_t returned_us;   /* as in its entry: older answers say nothing any more */
    struct alarm stall;     /* looks whether its answers have stopped: origin_stall.c */
    uint64_t stalled_us;    /* since when it finds that they have; 0: they have not */
    bool stalls;            /* it was sent away for that, and does not serve yet */
    struct alarm guard;     /* looks whether it has fallen silent */
    struct service *guards; /* for whom */
    struct {
        struct transport transport;
        struct alarm alarm;
        struct service *service; /* whose settings it goes by; NULL: none is on its way */
    } connect_probe;             /* origin_ejection.c */
};

/* clang-format off */
#define ORIGIN_CONNECTION_STATES(ROW) \
    ROW(CONNECTING,   "is being opened") \
    ROW(HANDSHAKES,   "agrees on TLS") \
    ROW(GREETS,       "waits for the SETTINGS of HTTP/2") \
    ROW(CARRIES,      "carries streams of HTTP/2") \
    ROW(IDLE,         "waits in the pool") \
    ROW(AWAITS_HEAD,  "has a request, waits for the answer's head") \
    ROW(READS_BODY,   "reads the answer's body") \
    ROW(TUNNELS,      "carries an upgraded protocol") \
    ROW(CLOSED,       "is closed")
/* clang-format on */

enum origin_connection_state {
#define ROW(name, sentence) ORIGIN_CONNECTION_##name,
    ORIGIN_CONNECTION_STATES(ROW)
#undef ROW
};

struct origin_connection;

/* What carries a request, as origin_request.h asks of it. The connection has a request, and may have
 * none once it returns. */
struct origin_connection_ops {
    bool (*send_head)(struct origin_connection *connection, const struct request_head *head);
    size_t (*send_body)(struct origin_connection *connection, const struct bytes *pieces,
                        int count);
    void (*send_end)(struct origin_connection *connection, const struct http_fields *trailers);
    void (*flush)(struct origin_connection *connection);
    void (*resume)(struct origin_connection *connection);
    size_t (*held)(const struct origin_connection *connection);
    /* Its timer has run out, but what it bounds has moved since: it was set anew. */
    bool (*goes_on)(struct origin_connection *connection);
    /* Writes into the request what became of its bytes; while the connection is still open. */
    void (*judge)(struct origin_connection *connection, struct origin_request *request);
    /* The connection closes: what carries it is let go. NULL: nothing else does. */
    void (*part)(struct origin_connection *connection);
};

struct origin_connection {
    const struct origin_connection_ops *ops;
    struct transport transport;
    struct link link; /* in origin->dials, origin->idle or directory->deferred_frees */
    struct timer timer;
    struct origin *origin;
    struct origin_request *request;  /* NULL: none */
    struct origin_h2 *h2;            /* it carries streams, or is about to; NULL: it does not */
    struct origin_h2_stream *stream; /* that it is; NULL: it has a transport of its own */
    struct buffer *in;
    struct outbox out;
    struct later flush;
    struct drip drip;
    uint64_t opened_us;
    uint64_t last_used_us;
    uint64_t asked_us;        /* when the request was whole */
    uint64_t client_from_us;  /* since when it waits for its client; 0: it does not */
    uint64_t client_us;       /* how long it did before, in the present request */
    uint64_t passed;          /* bytes of the answer handed over */
    uint64_t written_before;  /* out.written when the present request began */
    uint64_t written_checked; /* and when the answer began, or origin_h1_goes_on last looked */
    size_t left_checked;      /* what it had not taken yet then, or when the clock was set */
    struct service_entry *service_entry; /* held; NULL: it counts for no service */
    struct bytes undelivered; /* decoded, but not yet taken by the exchange; inside `in` */
    struct h1_body answer;    /* its body; of HTTP/2 the framing and what is left */
    uint32_t carried;         /* requests begun on it */
    uint32_t carries_most;    /* as the origin told; 0: it did not */
    uint32_t kept_ms;         /* idle, as the origin told; 0: it did not */
    uint32_t interims;        /* answers of 1xx to the present request */
    enum origin_connection_state state;
    enum http_framing request_framing;
    bool request_whole; /* send_end was called */
    bool request_upgrades;
    bool answer_paused;  /* the exchange takes no more */
    bool reusable;       /* so far nothing forbids another request */
    bool delivering;     /* inside deliver, origin_h1.c */
    bool heard;          /* bytes came back for the present request */
    bool ended_cleanly;  /* the origin ended its side, other than by a reset */
    bool awaits_verdict; /* and is kept open for a moment, to hear what became of the request */
    bool counted_slow;   /* in entry->slow: reserve.c */
    bool placed;         /* it has a place of what limits connections: limits.c */
    bool read_to_brim;   /* the last read filled its room: more may wait in the socket */
    bool much_came;      /* with the last read */
};

/* origin.c */
/* The next of that name behind `after`, or the first: those that agree on TLS in different ways
 * share a name, and with it an entry. NULL: no further one. */
struct origin *origin_named(struct origin_directory *directory, const char *name,
                            const struct origin *after);
static inline bool origin_has_address(const struct origin *origin)
{
    return origin->address.length > 0;
}

/* origin_directory.c: closes the connection that has been idle for the longest time, of any origin;
 * false: there is none. */
bool origin_directory_spare_one(struct origin_directory *directory);

/* Closes so many connections, at the most, of those that leave. */
void origins_leave(struct origin_directory *directory, uint32_t most);

/* origin_connection.c */
/* Opens one more connection, with the right to it that the request holds; false when that failed
 * at once (*failure says why). */
bool origin_connection_open(struct origin *origin, struct origin_request *request,
                            enum origin_failure *failure);
void origin_connection_close(struct origin_connection *connection);
void origin_connection_set_state(struct origin_connection *connection,
                                 enum origin_connection_state state);
void origin_connection_bind(struct origin_connection *connection, struct origin_request *request);
/* Parts connection and request, which is neither told nor failed by this. */
void origin_connection_unbind(struct origin_connection *connection);
void origin_connection_want(struct origin_connection *connection);

/* Ends the connection and tells its request, if it has one. */
void origin_connection_fail(struct origin_connection *connection, enum origin_failure failure);

/* Logs the alert of TLS with which the origin ended it, if it did: rarely, however many fail. */
void origin_connection_report_alert(struct origin_connection *connection);

void origin_connection_late(struct timer *timer);

uint64_t origin_connection_now(const struct origin_connection *connection);
struct buffer_pool *origin_connection_buffers(const struct origin_connection *connection);
void origin_connection_set_clock(struct origin_connection *connection, uint32_t milliseconds);
void origin_connection_stop_clock(struct origin_connection *connection);

/* No byte of the present request can have left. */
bool origin_connection_is_untouched(const struct origin_connection *connection);
/* Gives back the memory of those closed in this turn, at its end. */
void origin_connections_free(void *directory);

/* The origin speaks HTTP/2 on it: it is established, and never has a request. */
void origin_connection_carries(struct origin_connection *connection);

/* origin_answer.c */
/* Which clock runs while the answer has not begun. `sends`: the origin has to take more of the
 * request. */
void origin_connection_mind_request(struct origin_connection *connection, bool sends);
/* The clock of a half-open request ran out, but its answer has begun to come: it gets the usual
 * time. */
bool origin_connection_need_not_hurry(struct origin_connection *connection);
/* The head of a 101 came. The request may be over once these return. */
void origin_connection_begin_tunnel(struct origin_connection *connection,
                                    const struct http_response *response);
void origin_connection_pass_interim(struct origin_connection *connection,
                                    const struct http_response *response);
/* Tells the request of the answer's head; it may be over once this returns. `here`: bytes of the body
 * that have come with it. */
void origin_connection_begin_answer(struct origin_connection *connection,
                                    const struct http_response *response, size_t here);
/* The exchange takes no more of the answer at present. */
void origin_connection_pause_answer(struct origin_connection *connection);
/* All of the answer is here: counts it, and unbinds its request. */
void origin_connection_end_answer(struct origin_connection *connection);
void origin_connection_note_duration(const struct origin_connection *connection);

/* h2/origin_h2.c */
/* The next connection to it is one for many requests, as far as is known. */
bool origin_h2_is_expected(const struct origin *origin);
/* Begins HTTP/2 on a connection that is established otherwise. */
void origin_h2_greet(struct origin_connection *connection);
void origin_h2_ready(struct origin_connection *connection, short what);
void origin_h2_late(struct origin_connection *connection);
/* A stream with the right to one more connection, as an idle connection; NULL: none has room. */
struct origin_connection *origin_h2_take(struct origin *origin, struct origin_request *request);
/* No further connection is of use at present. */
bool origin_h2_may_soon(const struct origin *origin);
/* A connection that carries no stream at present; NULL: there is none. */
struct origin_connection *origin_h2_idle(const struct origin *origin);
/* Its connection closes; and then its memory goes. */
void origin_h2_closes(struct origin_connection *connection);
void origin_h2_free(struct origin_connection *connection);

/* delivery.c */
/* After the origin's FIN: it acknowledges none of the request, which may be on its way still, so
 * that a reset would prove it unread. Returns how long to wait for that; 0: not at all. */
uint32_t origin_connection_verdict_ms(const struct origin_connection *connection);
void origin_h1_judge(struct origin_connection *connection, struct origin_request *request);

/* service/sibling.c */
/* Another address of the same name, for a request that could not reach one: the first in line for
 * `origin` goes there, after a connection could not be opened. false: it is not that kind of
 * failure, or there is none. */
bool sibling_takes_over(struct origin *origin, enum origin_failure failure);

/* pool.c */
/* Counts the failure, holds it against the origin, tells it: the way of every one. */
void origin_fail_request(struct origin_request *request, enum origin_failure failure);
/* An established connection has no request: give it to the first in line or keep it. */
void pool_offer(struct origin_connection *connection);
/* A connection could not be opened: the first in line hears of it. */
void pool_dial_failed(struct origin *origin, enum origin_failure failure);
/* One leaves the line, as if it had never come. */
void pool_take(struct origin_request *request);
/* The first one does; NULL: there is none. */
struct origin_request *pool_take_first(struct origin *origin);
/* The one that is served next, of those that may go; NULL: there is none. */
struct origin_request *pool_first_in_line(struct origin *origin);
/* It has waited for half of the time it may: no other goes before it any more. */
bool pool_is_overdue(const struct origin_request *request);
/* A request could use a connection that gets free. */
static inline bool origin_has_line(const struct origin *origin)
{
    return !list_is_empty(&origin->line) || origin->ready[PRIORITY_CRITICAL] > 0 ||
           origin->ready[PRIORITY_NORMAL] > 0 || origin->ready[PRIORITY_BULK] > 0;
}
/* One that left the line goes to another origin instead; which may end it at once. */
void pool_move(struct origin_request *request, struct origin *to);
/* Opens connections for those in line, as far as the limit allows. */
void pool_serve_line(struct origin *origin);
void pool_wait_over(struct timer *timer);
/* The answer is over and the request unbound: keep the connection, hand it on, or close it. */
void pool_keep(struct origin_connection *connection, const struct pool_settings *pool);

/* service.c: an attempt went to the origin; it has an answer's head. `is_long`: a body of known length
 * follows, without which a half-open request is not passed. */
void origin_health_asked(struct origin *origin, struct origin_request *request);
void origin_health_answered(struct origin_connection *connection, uint16_t status, bool is_long);
void origin_health_body_is_whole(struct origin_request *request);
/* origin_health.c: it has failed. */
void origin_health_failed(struct origin_request *request, enum origin_failure failure);

/* origin_ejection.c */
/* The connection that looks whether the origin is back is given up. Harmless where none is on its
 * way. */
void origin_connect_probe_cancel(struct origin *origin);
/* The exchange has given up the attempt. */
void origin_health_given_up(struct origin_request *request);
/* How long this one, which is half-open, waits for its answer's first byte. */
uint32_t origin_health_patience_ms(struct origin_request *request);

/* origin_stall.c: an answer's body of known length has not come with its head. */
void origin_stall_watch(struct origin *origin);

/* service_review.c */
/* The service goes. */
void origin_unguard(struct origin *origin, const struct service *service);

/* reserve.c */
/* The request is over; before the two are parted. Where it is counted as slow. */
void reserve_end(struct origin_connection *connection);
/* From here on it waits for its client, or does not any more; saying so twice is harmless. */
void reserve_client_waited_for(struct origin_connection *connection);
void reserve_client_came(struct origin_connection *connection);
/* A request waits in line for one of the origin's connections, which has a limit, on any worker; or
 * one may come to wait for what an unfinished request has. */
void reserve_watch(struct origin *origin);

/* Both sides send when they like, so that its body may be quiet for as long as it lasts. */
bool reserve_is_two_way(const struct origin_connection *connection);

/* give_way.c: one upload that drips ends, if others wait for what it has. */
void origin_hurry_uploads(struct origin *origin);

/* h1/origin_h1.c */
/* Reads what is there and tells the request. */
void origin_h1_receive(struct origin_connection *connection);
extern const struct origin_connection_ops origin_h1_ops;
/* The transport can take more. */
void origin_h1_ready(struct origin_connection *connection);

/* pool/name_wait.c: requests in line for an origin that is a placeholder for a name. */
/* A request waits in line there. */
void name_wait_watch(struct origin *origin);
/* The service has the origin no more: those of its requests that wait in line go elsewhere. */
void name_wait_leave(struct origin *origin, struct service *service);
/* DNS has an answer for the name, and the services have taken it in: those who wait for it go on. */
void name_wait_answered(struct origin_directory *directory, const char *name,
                        enum name_state state);

/* health/prober.c: asks the origins of services with a `health.probe` by itself, and writes the
 * verdicts into the origin registry. There is one for all workers: it runs on the loop of worker 0.
 * Its questions are in no count of requests. */
/* NULL: out of memory. */
struct prober *prober_new(struct origin_directory *directory);
void prober_free(struct prober **prober);

/* These services are probed, a few of them from now on and the rest within some ticks. An origin
 * that was probed for a service of the same name keeps its verdict and what led to it. Settings are
 * borrowed until others are followed, what they say of a probe is copied. Without memory for a new
 * probe it is told in the log and left out. */
void prober_follow(struct prober *prober, const struct settings *settings);
/* An SRV name has other targets now: the same settings are followed again. */
void prober_follow_names(struct prober *prober);

#endif
