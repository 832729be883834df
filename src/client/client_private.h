/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of client/ share. A connection without a request is a struct client_connection
 * and nothing else; its struct client_h1 exists while bytes of a request or an answer are there. Over
 * HTTP/2 it has a struct client_h2 instead, from its first bytes to its end. */
#ifndef CLIENT_CLIENT_PRIVATE_H
#define CLIENT_CLIENT_PRIVATE_H

#include "base/list.h"
#include "base/memory/slab.h"
#include "base/siphash.h"
#include "client/client.h"
#include "client/guard/min_rate.h"
#include "http/h1/h1_chunked.h"
#include "net/drip.h"
#include "net/listener.h"
#include "net/outbox.h"

#include <stdatomic.h>

/* What its listener grants a connection. */
struct client_budgets {
    struct timeouts_settings timeouts;
    struct limits_settings limits;
    struct min_rates_settings rates;
    uint32_t h1_buffer; /* limits.connection_buffer, of a connection that speaks HTTP/1 */
    uint32_t h2_buffer;
};

struct client_listener {
    struct link link;
    struct client_context *context;
    struct listener *listener; /* NULL: accepts no more */
    uint32_t key;
    const char *name; /* the settings' that run, so that counters need not look it up */
    uint32_t index;   /* in those */
    uint32_t connections;
    bool proxy_protocol;
    const struct network *proxy_from; /* in its settings */
    uint32_t proxy_from_count;
    uint64_t proxy_reported_us; /* when a peer that it does not list was told of last */
    bool
        was_proxied; /* it has taken PROXY headers: what its connections come from may be named by one */
    bool speaks_tls;
    bool half_close; /* its clients may end their side before they have their answers */
    bool h2c;        /* its clients may begin with HTTP/2, without TLS */
    bool has_rules;
    struct listener_rules rules;
    struct client_budgets budgets;
    bool is_fresh;           /* new with settings that do not run yet */
    bool leaves;             /* no settings name it any more */
    char *own_name;          /* for the time when no settings name it */
    struct generation *last; /* once it leaves: the last one that knew it, for handshakes */
    uint64_t left_us;
    uint64_t leave_by_us; /* until then its idle connections are closed, spread */
    struct {              /* of settings that do not run yet */
        const struct listener_settings *settings;
        uint32_t index;
        char *own_name;
    } next;
};

/* TLS handshakes of one worker (client_handshake.c). */
struct client_handshakes {
    struct link line;      /* connections that wait for their turn */
    struct link penalized; /* those whose addresses stall often: they wait for theirs */
    struct link judged;    /* of these, checked in this round and still penalized: served first */
    struct alarm penalized_turn;
    uint64_t penalized_us;    /* when they had it last */
    uint64_t used_us;         /* processor time of the worker then */
    int32_t credit_us;        /* what they may use now; less than nothing: they owe it */
    _Atomic uint32_t at_once; /* under way; other threads read it */
    uint32_t begun;           /* in this turn of the loop */
    uint32_t told;            /* lines about failures, since told_since_ms */
    uint32_t told_since_ms;
    uint32_t left_out; /* of them, since the last one */
};

#define CLIENT_PENALTY_ENTRIES 4096

/* client_penalty.c */
struct client_penalty_entry {
    uint32_t ends_ms;     /* the penalty, by the loop's clock; 0: none */
    uint16_t succeeded_s; /* when a handshake last succeeded; 0: never */
    uint16_t under_way;   /* handshakes */
};

struct client_penalty {
    struct siphash_key key; /* zero: not drawn yet */
    struct client_penalty_entry entries[CLIENT_PENALTY_ENTRIES];
};

/* What the HTTP/2 connections of a context share (h2/client_h2_desk.c). */
struct client_h2_context {
    struct h2_sessions *sessions;
    struct piece_pool *pieces; /* fields of requests and answers; the library's */
    struct slab_pool *connections;
    struct slab_pool *streams;
    struct link deferred_frees;        /* connections' states given up in this turn */
    struct link deferred_stream_frees; /* streams that ended in it */
    struct client_h2_section *section; /* where field sections are put together; NULL: not yet */
    uint64_t flooded_us;               /* when a read was costly last; 0: never */
    uint64_t failures_us;              /* when all failures of late are forgotten */
    uint32_t silenced;                 /* connections that have failed and wait to say so */
};

struct client_context {
    struct exchange_context *exchanges;
    struct worker_context *worker_context;
    struct metrics *metrics;
    const struct client_placing *placing;
    void *owner;
    struct slab_pool *connections;
    struct slab_pool *streams;
    struct timer_group *timers;
    struct link listeners;
    struct link idle; /* connections between two requests, longest idle first */
    struct link busy;
    struct link deferred_frees;        /* connections closed in this turn */
    struct link deferred_stream_frees; /* streams given up in this turn */
    struct alarm idle_grace;           /* while draining */
    struct alarm deferred_accepts;     /* the same: listening goes on for them */
    _Atomic uint32_t count;
    _Atomic uint64_t begun;
    struct link held_back;        /* streams whose bodies are not read on */
    struct client_survey *survey; /* of the costliest connections, while one is made */
    uint8_t survey_mark;          /* of the last one */
    struct alarm full_check;      /* while paused */
    struct later space_free;      /* the same, and one of this worker has gone */
    struct alarm retiring_over;   /* answers say Connection: close until then */
    struct client_handshakes handshakes;
    struct client_penalty penalty;
    struct client_h2_context h2;
    struct alarm sweep;        /* after a listener has left */
    uint32_t sweep_left;       /* idle connections to look at */
    struct generation *former; /* between client_context_prepare and what follows */
    bool paused;               /* as many are here as may be: client_accept.c */
    bool crowded;              /* other clients wait for a place: answers end their connections */
    bool stopping;             /* accepted connections stay on this worker */
    bool ending;               /* a client that still comes is turned away */
};

/* clang-format off */
#define CLIENT_STATES(ROW) \
    ROW(AWAITS_PROXY_HEADER, "its PROXY header has not come in full") \
    ROW(AWAITS_HANDSHAKE,    "its TLS handshake is not over") \
    ROW(IDLE,                "no byte of a request is there") \
    ROW(SERVES,              "a request is being read or answered") \
    ROW(LINGERS,             "said its last; reads on so that the client can read that") \
    ROW(CLOSED,              "is closed")
/* clang-format on */

enum client_state {
#define ROW(name, sentence) CLIENT_##name,
    CLIENT_STATES(ROW)
#undef ROW
};

struct client_h1;
struct client_h2;
struct client_connection;

/* What a connection costs, and whether it is its client that we wait for. */
struct client_cost {
    uint64_t held; /* bytes */
    uint64_t moved;
    uint64_t ms; /* since it holds them */
    uint64_t cost;
    bool waits_for_client;
};

/* What carries requests on a connection: client_h1_codec or client_h2_codec. Asked for a connection
 * that has its h1 or h2 only. */
struct client_codec {
    void (*ready)(struct client_connection *connection, short what);
    void (*late)(struct client_connection *connection); /* its timer has run out while it serves */
    /* Ends all exchanges under way without an answer and gives up what it holds. */
    void (*end)(struct client_connection *connection, enum outcome_end end);
    /* Notes the cause with the exchanges under way. true: an answer breaks off half way. */
    bool (*note_cut)(struct client_connection *connection, enum cut_cause cause);
    size_t (*held)(const struct client_connection *connection);
    /* All but held and cost. */
    void (*cost)(const struct client_connection *connection, uint64_t now_us,
                 struct client_cost *cost);
    /* Words for the list: what it does while it serves, and the route of (one of) its requests;
     * NULL: none yet. */
    const char *(*state)(const struct client_connection *connection);
    const char *(*route)(const struct client_connection *connection);
    uint32_t (*streams)(const struct client_connection *connection); /* exchanges under way */
    /* It is to end once what is under way is answered; its client is told so. */
    void (*drain)(struct client_connection *connection);
    /* It has been idle for a while: what an idle connection does not need may go. NULL where
     * there is nothing; asked of HTTP/2 only. */
    void (*rest)(struct client_connection *connection);
};
extern const struct client_codec client_h1_codec; /* h1/client_h1_codec.c */
extern const struct client_codec client_h2_codec; /* h2/client_h2.c */

struct client_connection {
    struct transport transport;
    struct link link;
    struct timer timer;
    struct client_listener *listener;
    union {
        struct client_h1 *h1; /* while it serves, or its PROXY header is incomplete */
        struct client_h2 *h2; /* speaks_h2: from its first byte on */
    };
    struct ip ip;
    uint32_t served; /* requests begun */
    union {
        uint32_t since_ms; /* accepted, idle or in its handshake: since when by the loop's clock */
        uint32_t lingered; /* bytes read while lingering */
    };
    union {
        uint32_t born;    /* by the loop's clock, client_connection.c; until it lingers */
        uint32_t untaken; /* bytes of its answers that its client had not taken, when looked at */
    };
    client_slot slot; /* where it is counted for its address */
    uint16_t port;
    uint8_t seen;  /* mark of the last survey that saw it */
    uint8_t state; /* enum client_state */
    bool speaks_h2 : 1;
    bool has_handshake_slot : 1; /* its handshake is under way */
    bool checks_again : 1;       /* at a hello, by the clock and not when the loop calls */
    bool may_rest : 1;           /* idle, and its timer rings for that first */
    bool stalls : 1;             /* lingering: its client took nothing between the last two looks */
    bool flows : 1;              /* it has taken much of its answers since it was last waited for */
    bool hello_waits;            /* see tls_hello_peek */
    bool unwatched; /* the loop does not watch it: its first request is just being answered */
    uint8_t looks;  /* lingering: times that it was looked at */
};

/* clang-format off */
#define CLIENT_H1_STATES(ROW) \
    ROW(READS_HEAD, "reads a request's head") \
    ROW(READS_BODY, "reads a request's body") \
    ROW(AWAITS_END, "has read the whole request; its answer is not through") \
    ROW(TUNNELS,    "passes bytes of an upgraded protocol")
/* clang-format on */

enum client_h1_state {
#define ROW(name, sentence) CLIENT_H1_##name,
    CLIENT_H1_STATES(ROW)
#undef ROW
};

struct client_h1 {
    struct link link; /* in context->held_back; once given up, in context->deferred_stream_frees */
    struct client_connection *connection;
    struct exchange *exchange;
    struct client_facts facts;
    struct buffer *in;
    struct outbox out;
    struct later flush;
    uint64_t counted_out;  /* of out.written, told to an exchange */
    uint64_t blocked_at;   /* out.written when the client was last waited for */
    uint64_t written_then; /* out.written when the body's clock looked last */
    uint64_t answer_from;  /* out.written when the final head was queued; UINT64_MAX: not alone */
    uint64_t head_began_us;
    uint64_t left_us;  /* when it ended its side and seemed to have left; 0: it has not */
    uint64_t began_us; /* when the stream was made */
    uint64_t received; /* bytes, ever */
    struct drip drip;
    struct min_rate body_min_rate;
    struct min_rate answer_min_rate;
    struct bytes undelivered; /* decoded, not yet taken by the exchange; inside `in` */
    struct h1_body body;      /* of the request, or the bytes of a tunnel */
    uint32_t held_ms;         /* since when it is held back */
    uint32_t absorbs;         /* answer bytes that may wait here so that the origin is free */
    uint32_t promised; /* so long the queue may become, as the origin's connection was told */
    enum client_h1_state state;
    enum http_version version;
    bool head_is_in_input; /* the head of the exchange under way lies in `in`: do not move it */
    bool body_paused;
    bool held_back;   /* its body is not read on: memory is short */
    bool reads_once;  /* has waited long enough for it */
    uint8_t in_a_row; /* requests begun since the loop last called */
    bool yields;      /* what it has read goes on in the next turn */
    bool answer_chunked;
    bool last_chunk_sent; /* with the data before it */
    bool answer_is_small; /* and known to be */
    bool was_waited_for;  /* its socket was full since the stream began */
    bool answer_ended;
    bool closes;      /* after this answer */
    bool read_closed; /* the client has half-closed; its answer is still sent */
    bool processing;  /* inside client_h1_process */
};

/* A client may half-close though its listener knows nothing of it ("nc -N"): an answer that comes
 * within this time reaches it. */
#define CLIENT_LEFT_MS 50

#define CLIENT_LEAVE_GRACE_MS 300 /* an idle client's request may be on its way */

/* client_connection.c */
struct client_context *client_context_of(const struct client_connection *connection);
uint32_t client_clock_ms(const struct client_context *context);
/* NULL: it carries nothing now. */
const struct client_codec *client_codec_of(const struct client_connection *connection);
uint32_t client_ticks_now(const struct client_connection *connection); /* what `born` is in */
void client_set_state(struct client_connection *connection, enum client_state state);
void client_count(struct client_context *context, uint32_t change);
/* The one end of a connection. `end` reaches the log if a request was under way. */
void client_close(struct client_connection *connection, enum outcome_end end);
/* Gives back the memory of what ended in this turn, at its end. */
void client_free_deferred(void *owner);
/* Ends it because a budget is spent: counted, noted, and where an answer breaks off, reset. */
void client_cut(struct client_connection *connection, enum cut_cause cause);
/* Gives back its slot for a handshake; harmless when it has none. */
void client_release_handshake_slot(struct client_connection *connection);
/* Says goodbye first: half-close, then read on for a bounded while. */
void client_linger(struct client_connection *connection);
/* CUT_REQUESTS or CUT_LIFETIME: the present answer is to be its last. */
enum cut_cause client_retired_by(const struct client_connection *connection);
/* Memory held for it now, both directions, its own and its exchange's included. */
size_t client_held(const struct client_connection *connection);
void client_set_timer(struct client_connection *connection, uint32_t milliseconds);
void client_rest_timer(struct client_connection *connection);

void client_connection_ready(int fd, short what, void *owner);
void client_connection_late(struct timer *timer);

/* client_accept.c */
void client_on_accepted(void *owner, int fd, const struct address *from);

/* client_proxy_header.c */
void client_proxy_header_ready(struct client_connection *connection);

/* client_connection.c */
/* TLS stands; `has_more`: bytes of a request may have come along. */
void client_handshaken(struct client_connection *connection, bool has_more);
/* A request in plain HTTP on a TLS port. */
void client_refuse_plain(struct client_connection *connection);

/* client_admit.c */
/* false: it may not, was told so if that is cheap, and is closed. Who it is may have to be seen
 * first, in its PROXY header; then it is not counted yet. */
bool client_may_come(struct client_listener *listener, int fd, const struct ip *ip, bool is_new,
                     bool knows_client, client_slot *slot);
/* Where the listener wants a PROXY header: whether this peer's counts. false: counted and told. */
bool client_may_send_proxy_header(struct client_listener *listener, const struct ip *ip);
/* Counts and says why a connection is about to be closed. */
void client_turn_away(struct client_context *context, int fd, bool is_plain,
                      enum metrics_event why);
/* client_handshake.c */
/* From the accept to the end of a PROXY header and a handshake. */
uint32_t client_handshake_time(const struct client_connection *connection);
void client_handshake_ready(struct client_connection *connection);
void client_handshake_late(struct client_connection *connection);
/* At the end of a turn. */
void client_handshakes_go_on(struct client_context *context);

/* client_connection.c */
/* It serves then, or was closed for want of memory. */
void client_begin_serving(struct client_connection *connection);
/* For how long it may be idle from now on. */
uint32_t client_idle_time(const struct client_connection *connection);
/* The request is answered, the connection stays. */
void client_become_idle(struct client_connection *connection);
/* No byte of a request was there after all: it is idle for as long as it was. */
void client_stay_idle(struct client_connection *connection);

/* client_penalty.c */
/* A handshake of that address came to stand, or to nothing by its doing. */
void client_penalty_note(struct client_context *context, const struct ip *ip, bool succeeded);
/* One of its handshakes begins; ends, whatever came of it. */
void client_penalty_begin(struct client_context *context, const struct ip *ip);
void client_penalty_end(struct client_context *context, const struct ip *ip);
/* More of them came to nothing than stood, of late. */
bool client_penalty_applies(struct client_context *context, const struct ip *ip);
/* Several are under way, and none has stood of late. */
bool client_penalty_unproven(struct client_context *context, const struct ip *ip);

/* h2/client_h2.c: false: no memory. */
bool client_h2_new(struct client_connection *connection);
/* Its first bytes, read already. */
void client_h2_take(struct client_connection *connection, struct bytes bytes);

/* h2/client_h2_desk.c */
bool client_h2_context_begin(struct client_context *context); /* false: no memory */
void client_h2_context_end(struct client_context *context);
void client_h2_context_bury(struct client_context *context);
void client_h2_context_trim(struct client_context *context);
size_t client_h2_context_memory(const struct client_context *context);

/* client_listeners.c */
void client_listeners_release(struct client_context *context);
/* Those that have left, and whose last connection is gone. */
void client_listeners_forget(struct client_context *context);

/* client_listeners.c */
struct client_listener *client_listener_find(struct client_context *context, uint32_t key);
/* How it meets clients now; NULL: plain. */
struct tls_acceptor *client_listener_acceptor(const struct client_listener *listener);
/* Of a listener that leaves: whether its next answer is the last. They go within half a second, not
 * all at once: a client that is told to go comes back at once, with a handshake of TLS maybe. */
bool client_leaves_now(const struct client_connection *connection);
/* The same over HTTP/2, where streams may follow each other without a pause, and clients such as h2load
 * begin none after a GOAWAY: not before timeouts.drain is over. */
bool client_leaves_last(const struct client_connection *connection);
/* How long a connection of a listener that leaves may be idle: drawn at random. */
uint32_t client_leaving_idle_ms(const struct client_connection *connection);

/* client_list.c (and client/guard/client_list.h) */
struct client_cost client_cost_of(const struct client_connection *connection, uint64_t now_us);

/* client_pressure.c */
/* true: its body is not read on for now; client_context_relieve lets it go on. */
bool client_h1_is_held_back(struct client_h1 *h1);
/* Clients wait for a connection, and there may be no more: closes a few. */
void client_context_make_room(struct client_context *context);
/* client_accept.c: one has gone. */
void client_note_gone(struct client_context *context);

/* client_h1.c */
struct buffer_pool *client_h1_buffers(const struct client_h1 *h1);
uint64_t client_h1_now(const struct client_h1 *h1);
/* NULL: out of memory. */
struct client_h1 *client_h1_new(struct client_connection *connection);
/* Takes the client's address over from the connection. */
void client_h1_know_client(struct client_h1 *h1);
/* Gives up buffers and state; the exchange, if any, must be over. */
void client_h1_release(struct client_h1 *h1);
/* More of the body is to come than a small buffer takes. */
bool client_h1_expects_much(const struct client_h1 *h1);
/* Has the loop watch for what it can use now. */
void client_h1_want(struct client_h1 *h1);
void client_h1_process(struct client_h1 *h1);
/* The socket is ready, or it goes on by itself. */
void client_h1_ready(struct client_connection *connection, short what);
/* false: no room (or no memory) to read into. */
bool client_h1_make_room(struct client_h1 *h1);
/* A request begins, and since when its head is read. */
void client_h1_count_begun(struct client_h1 *h1);
uint32_t client_h1_head_age_us(const struct client_h1 *h1);
/* What an exchange may ask of its client; and where its answer is a frame of HTTP/2. */
extern const struct client_stream_ops client_h1_ops;
extern const struct client_stream_ops client_h1_refusal_ops;

/* client_h1_refuse.c */
/* What could not be read as a request: told in the words of HTTP/2 if its preface stands there. */
void client_h1_refuse_malformed(struct client_h1 *h1, struct exchange *exchange,
                                const struct h1_problem *problem);
/* Reads what is there, answers with that status, closes. */
void client_h1_refuse(struct client_h1 *h1, uint16_t status, const char *what);
/* The head under way is answered with `status` and not read any further. */
void client_h1_refuse_head(struct client_h1 *h1, uint16_t status, const char *what,
                           enum cut_cause cause);
/* The body under way is answered with 408, if that is still possible. */
void client_h1_cut_body(struct client_h1 *h1, const char *what, enum cut_cause cause);

/* client_h1_clock.c */
/* For whom is waited from now on. */
void client_h1_awaits_head(struct client_h1 *h1); /* its first bytes are there */
void client_h1_awaits_body(struct client_h1 *h1); /* from its start */
void client_h1_holds_body(struct client_h1 *h1);  /* we do not read it now */
void client_h1_takes_body(struct client_h1 *h1);  /* we do again */
/* It ended its side: what is under way is given up after CLIENT_LEFT_MS. */
void client_h1_client_left(struct client_h1 *h1);
/* The transport is full; `wrote`: it has just taken something. */
void client_h1_awaits_client(struct client_h1 *h1, bool wrote);
void client_h1_client_took(struct client_h1 *h1); /* it is not full any more */
/* What the client has acknowledged: what the kernel holds may never arrive. */
uint64_t client_h1_taken(const struct client_h1 *h1);
/* The timer has run out. */
void client_h1_late(struct client_connection *connection);

/* client_h1_answer.c: these stand in the table of client_stream_ops (client_h1.c) */
void client_h1_send_interim(void *stream, const struct answer_head *head);
bool client_h1_send_head(void *stream, const struct answer_head *head);
size_t client_h1_send_body(void *stream, struct bytes bytes, bool last);
/* In place of these two, to a client that speaks HTTP/2. */
bool client_h1_send_h2_refusal(void *stream, const struct answer_head *head);
size_t client_h1_send_nothing(void *stream, struct bytes bytes, bool last);
size_t client_h1_room(void *stream);
void client_h1_send_soon(void *stream);
bool client_h1_send_end(void *stream, const struct http_fields *trailers);
bool client_h1_take_back(void *stream);
/* The rest of the stream is raw bytes. */
void client_h1_answer_switches(struct client_h1 *h1);
/* The transport can take more. */
void client_h1_flush(struct client_h1 *h1);

#endif
