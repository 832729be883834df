/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of client/h2/ share: a client's HTTP/2 connection and its streams.
 *
 * Nothing is freed within a turn of the loop: an exchange, the session or a callback further up may
 * still look at a stream or at its connection. `connection->h2 == h2` says that it still stands. */
#ifndef CLIENT_H2_CLIENT_H2_PRIVATE_H
#define CLIENT_H2_CLIENT_H2_PRIVATE_H

#include "base/memory/pieces.h"
#include "client/client_private.h"
#include "http/h2/h2_request.h"
#include "http/h2/h2_session.h"
#include "tls/tls_websocket.h"

/* A field section while it comes: one at a time on a connection (RFC 9113 section 4.3). */
struct client_h2_section {
    uint32_t count;
    uint32_t bytes;    /* of names and values */
    uint32_t capacity; /* of `text` */
    uint32_t list;     /* the same as RFC 9113 section 6.5.2 counts it, what was not kept too */
    uint32_t most_bytes;
    uint32_t most_count;
    uint32_t most_list;
    bool is_request;
    bool too_large;
    bool joined; /* crumbs, in the last row */
    struct http_field rows[H2_FIELDS_MAX + 1];
    char text[];
};

/* Of a request, with their bytes behind them. */
struct client_h2_trailers {
    struct http_headers headers;
    struct http_header rows[];
};

/* Fields on their way out, in one piece of memory. */
struct client_h2_fields {
    struct client_h2_fields *next;
    bool is_interim;
    bool has_body;
    uint32_t count;
    struct http_field rows[];
};

/* clang-format off */
#define CLIENT_H2_BUDGETS(ROW) \
    ROW(RESETS,        1000, 100) \
    ROW(SETTINGS,      50,   5) \
    ROW(PINGS,         200,  20) \
    ROW(PRIORITIES,    1000, 400) \
    ROW(WINDOWS,       4000, 400) \
    ROW(EMPTY_DATA,    200,  20) \
    ROW(LARGE_HEADS,   50,   5) \
    ROW(CONTINUATIONS, 200,  20)
/* clang-format on */

enum client_h2_budget {
#define ROW(name, burst, rate) CLIENT_H2_##name,
    CLIENT_H2_BUDGETS(ROW)
#undef ROW
        CLIENT_H2_BUDGET_COUNT,
};

/* clang-format off */
#define CLIENT_H2_STEPS(ROW) \
    ROW(STAYS,     "takes new streams") \
    ROW(ANNOUNCED, "has told its client that it will end, and waits for a round trip") \
    ROW(REFUSES,   "takes no new stream; ends with the last one") \
    ROW(FAILED,    "says why it ends, and reads no more")
/* clang-format on */

enum client_h2_step {
#define ROW(name, sentence) CLIENT_H2_##name,
    CLIENT_H2_STEPS(ROW)
#undef ROW
};

struct client_h2 {
    struct link link; /* once given up, in context->h2.deferred frees */
    struct client_connection *connection;
    struct h2_session *session;
    struct outbox out;
    struct later flush;
    struct link streams;  /* those with an exchange or a place in the session, oldest first */
    struct link heads;    /* streams whose answer's head is not handed to the session yet */
    struct link ending;   /* whose answers' last bytes are in `out`, first written first */
    struct link waiting;  /* whose exchanges have more than was taken, in turn */
    struct link gathered; /* whose requests' bodies have come in small pieces, in this read */
    struct client_h2_fields *handed;   /* to the session, until the next pump is over */
    struct client_h2_section *section; /* under way: the context's, or one of its own */
    struct client_facts facts;
    struct min_rate answer_min_rate; /* of the transport, while it is full */
    struct drip drip;
    uint32_t stream_count; /* exchanges */
    uint32_t reading;      /* of these, whose request has not ended */
    size_t queued;         /* bytes of answers that wait in streams */
    size_t stored;         /* bytes of requests' bodies that wait in streams */
    size_t lent;           /* and in their exchanges, when they were looked at last; trailers */
    size_t texts;          /* of requests' heads */
    size_t unreturned;     /* of `stored`, bytes that still narrow the connection's window */
    uint64_t counted_us;   /* when `lent` was counted anew */
    uint64_t looked_at;    /* `received` when the clock looked last */
    uint64_t received;
    uint64_t began_us;
    uint64_t section_us; /* since when a section is under way; 0: none */
    uint64_t announced_us;
    uint64_t left_us;      /* when its client ended its side; 0: not, or what it left is given up */
    uint64_t silent_until; /* FAILED: nothing is read or written until then; 0: it may be */
    uint32_t section_wire; /* bytes of the frames of the section under way */
    uint32_t budget_ms;    /* when the credits were counted last */
    uint16_t credit[CLIENT_H2_BUDGET_COUNT];
    uint16_t spent;        /* credits, since the last read was over */
    uint16_t read_most;    /* bytes of the next read */
    bool costly;           /* the last read was: the next one comes a moment later */
    uint8_t step;          /* enum client_h2_step */
    bool inside;           /* a call of the session is under way: none may be begun */
    bool served;           /* a stream has begun since it was idle last */
    bool paused;           /* there is more to write than room */
    bool signals_priority; /* its client knows RFC 9218 */
    bool ticks;            /* its timer runs for client_h2_clock.c */
    bool data_ends;        /* the DATA frame under way has END_STREAM */
    bool read_closed;      /* its client will send no more */
    enum cut_cause why;    /* FAILED: by which budget or fault; NONE: it was told already */
};

/* Of a request whose body is still to come. */
struct client_h2_body {
    struct link gathered;            /* in h2->gathered */
    struct client_h2_stream *stream; /* whose it is */
    struct client_h2_trailers *kept; /* behind what waits */
    struct buffer_queue in;          /* not taken by the exchange */
    struct min_rate min_rate;
    uint64_t received;
    uint64_t left;                 /* HTTP_LENGTH_KNOWN */
    uint64_t sent;                 /* bytes of the answer when the clock looked last */
    uint32_t unreturned;           /* bytes of `in` that still narrow the connection's window */
    uint32_t lent;                 /* bytes that its exchange holds */
    char key[WEBSOCKET_KEY_BYTES]; /* of a WebSocket */
};

/* From the first look for its room on, which is before its head. */
struct client_h2_answer {
    struct link head;                /* in h2->heads */
    struct link ending;              /* in h2->ending */
    struct link waiting;             /* in h2->waiting */
    struct client_h2_stream *stream; /* whose it is */
    struct client_h2_fields *fields; /* not handed over yet, interim ones too */
    struct client_h2_fields *trailers;
    struct buffer_queue out; /* of its body, not written */
    struct bytes direct;     /* behind it: what its exchange offers just now */
    struct min_rate min_rate;
    uint64_t sent;     /* bytes of its body written */
    uint64_t ends_at;  /* h2->out.written when all of it is; 0: not known yet */
    uint32_t to_write; /* sections that are handed over and not written */
};

/* While it waits for its origin it is little more than its request's texts: a connection may have a
 * hundred of them. */
struct client_h2_stream {
    struct link link; /* in h2->streams; at the end in context->h2.deferred_stream_frees */
    struct client_h2 *h2;
    struct exchange *exchange;       /* NULL: is over, or never began */
    char *texts;                     /* of the request's head, behind its rows; a piece, as below */
    struct client_h2_body *body;     /* NULL: the request ended with its head */
    struct client_h2_answer *answer; /* NULL: has not begun */
    int32_t id;
    bool length_known : 1;
    bool ended : 1;        /* END_STREAM has come, or is not waited for */
    bool reported_end : 1; /* and its exchange knows */
    bool closed : 1;       /* the session knows it no more */
    bool paused : 1;       /* the exchange takes no more of the body now */
    bool feeding : 1;      /* inside exchange_body */
    bool head_handed : 1;  /* the final one */
    bool answer_has_body : 1;
    bool answer_ended : 1; /* all of it was offered */
    bool end_written : 1;  /* its last frame is in h2->out */
    bool written : 1;      /* and out of it */
    bool is_small : 1;     /* the answer, and known to be */
    bool asks_tunnel : 1;  /* an extended CONNECT: what follows its head is for the tunnel */
    bool tunnels : 1;      /* which stands */
    bool reset : 1;
};

static inline struct client_context *client_h2_context(const struct client_h2 *h2)
{
    return client_context_of(h2->connection);
}
static inline struct buffer_pool *client_h2_buffers(const struct client_h2 *h2)
{
    return client_context_of(h2->connection)->worker_context->buffers;
}
static inline struct piece_pool *client_h2_pieces(const struct client_h2 *h2)
{
    return client_h2_context(h2)->h2.pieces;
}
static inline uint64_t client_h2_now(const struct client_h2 *h2)
{
    return loop_now(client_context_of(h2->connection)->worker_context->loop);
}
/* A callback may have ended it. */
static inline bool client_h2_stands(const struct client_h2 *h2)
{
    return h2->connection->speaks_h2 && h2->connection->h2 == h2;
}

/* client_h2.c */
extern const struct h2_session_events client_h2_events;
void client_h2_flush_later(struct client_h2 *h2);
/* Bytes out of the streams and into the transport, as far as both allow. */
void client_h2_write(struct client_h2 *h2);
/* GOAWAY with this code, at once or beside a flood a moment later; the connection ends once that is written.
 * `why`: CUT_NONE: what the code stands for. */
void client_h2_fail(struct client_h2 *h2, enum h2_code code, enum cut_cause why);
/* No new streams from the next round trip on. */
void client_h2_leave(struct client_h2 *h2);
/* The second step: streams that it has not seen yet are refused, unprocessed. */
void client_h2_refuse_new(struct client_h2 *h2);
/* RFC 9113 section 5.1.2 and what else stands against one more stream. */
bool client_h2_has_room(const struct client_h2 *h2);
/* Whether one more stream may wait that holds so much: bodies have their own bound, the windows. */
bool client_h2_may_wait(const struct client_h2 *h2, size_t more);
/* What the connection holds by sums that are kept, no less than client_held, but for what connections
 * to origins hold. */
size_t client_h2_reckoned(const struct client_h2 *h2);
/* Whether it may hold so much more: limits.connection_buffer. */
bool client_h2_may_hold(struct client_h2 *h2, size_t more);

/* client_h2_section.c: events of the session. */
bool client_h2_on_section(void *owner, int32_t id, void *stream, bool is_request);
bool client_h2_on_field(void *owner, struct bytes name, struct bytes value);
void client_h2_on_section_ended(void *owner, int32_t id, void *stream, bool is_request, bool ends);
/* What is under way as a read ends must not stay in the context's memory. false: no memory. */
bool client_h2_section_leaves_context(struct client_h2 *h2);
void client_h2_section_drop(struct client_h2 *h2);

/* client_h2_stream.c */
extern const struct client_stream_ops client_h2_ops;
/* `ends`: its request has no body. NULL: no memory. */
struct client_h2_stream *client_h2_stream_new(struct client_h2 *h2, int32_t id, bool ends);
/* Its memory, at the end of the turn. */
void client_h2_stream_free(struct client_h2_stream *stream, struct piece_pool *pieces);
/* An exchange for a stream began, or is over: stream_count, and what /metrics tells of it. */
void client_h2_stream_opens(struct client_h2 *h2);
void client_h2_stream_closes(struct client_h2 *h2);
/* It is in no list and has no exchange any more; memory goes at the end of the turn. */
void client_h2_stream_bury(struct client_h2_stream *stream);
/* Its client, or its connection, is gone. */
void client_h2_stream_abandon(struct client_h2_stream *stream, enum outcome_end end);
void client_h2_stream_reset(struct client_h2_stream *stream, enum h2_code code);
/* Its exchange ends so, and it with CANCEL. */
void client_h2_stream_give_up(struct client_h2_stream *stream, enum outcome_end end);
/* Each that has an exchange, of those that `which` names; NULL: of all. */
void client_h2_streams_give_up(struct client_h2 *h2, enum outcome_end end,
                               bool (*which)(const struct client_h2_stream *stream));
/* Cut by a budget of its own. */
void client_h2_stream_cut(struct client_h2_stream *stream, enum cut_cause cause, enum h2_code code);
/* What one that waits holds at least: with its exchange and an attempt, without its texts. */
#define CLIENT_H2_STREAM_BYTES (sizeof(struct client_h2_stream) + EXCHANGE_WAITS_BYTES)
/* The last byte of its answer was written. */
void client_h2_stream_written(struct client_h2_stream *stream);
/* It may take more of its answer: tells its exchange. */
void client_h2_stream_go_on(struct client_h2_stream *stream);
size_t client_h2_room(void *stream);
size_t client_h2_stream_held(const struct client_h2_stream *stream);

/* client_h2_websocket.c: RFC 8441. */
/* A key of our own, as the origin wants one. */
void client_h2_add_websocket_key(struct client_h2_stream *stream);
/* Whether a field of the origin's 101 is about its connection, and goes no further. */
bool client_h2_is_of_upgrade(struct bytes name);
void client_h2_begin_tunnel(void *stream);

/* client_h2_body.c: the request's way in. */
void client_h2_on_data(void *owner, int32_t id, void *stream, struct bytes bytes);
void client_h2_on_ended(void *owner, int32_t id, void *stream);
/* Takes the trailers over; NULL: there are none. */
void client_h2_body_ended(struct client_h2_stream *stream, struct client_h2_trailers *trailers);
void client_h2_want_body(void *stream, bool wanted);
/* A read is over: what came of bodies in small pieces goes to their exchanges. */
void client_h2_feed_gathered(struct client_h2 *h2);
/* The exchange is over: what still waits is dropped, and windows opened for it. */
void client_h2_body_drop(struct client_h2_stream *stream);
/* Bodies that wait in line for origins have taken the window from those under way at them, and none of
 * them can go on: the youngest of those that wait is given up, unprocessed. */
void client_h2_open_window(struct client_h2 *h2);
void client_h2_note_fault(struct client_h2 *h2, enum h2_fault fault);
/* Asks exchanges again how much of their bodies they still hold: `lent`. */
void client_h2_count_lent(struct client_h2 *h2);

/* client_h2_answer.c: the answer's way out. */
void client_h2_send_interim(void *stream, const struct answer_head *head);
bool client_h2_send_head(void *stream, const struct answer_head *head);
size_t client_h2_send_body(void *stream, struct bytes bytes, bool last);
bool client_h2_send_end(void *stream, const struct http_fields *trailers);
bool client_h2_take_back(void *stream);
/* Hands heads over to the session. */
void client_h2_hand_heads(struct client_h2 *h2);
void client_h2_free_handed(struct client_h2 *h2);
/* Out of all lists, and without what waits in it. */
void client_h2_answer_drop(struct client_h2_stream *stream);
enum h2_pull client_h2_on_pull(void *owner, void *stream, size_t most, size_t *length);
bool client_h2_on_write_data(void *owner, void *stream, struct bytes head, size_t length);
void client_h2_on_wrote_section(void *owner, void *stream, size_t length);

/* client_h2_budget.c */
void client_h2_budgets_begin(struct client_h2 *h2);
/* Spends one. false: it was spent already, the connection is ending. */
bool client_h2_spend(struct client_h2 *h2, enum client_h2_budget budget);
bool client_h2_on_frame(void *owner, const struct h2_frame *frame);
/* Behind each read: what was spent since the last one says how much the next one may bring. */
void client_h2_note_read(struct client_h2 *h2, size_t count);
/* DATA was written: the client may open windows for it, and send a PING. */
void client_h2_earn_by_data(struct client_h2 *h2);

#define CLIENT_H2_SILENT_MS 500 /* programs that test a server wait for two seconds */
/* It has failed. True: it is to say so later, as too many failed of late. */
bool client_h2_be_silent(struct client_h2 *h2);
/* Harmless when it was not silent. */
void client_h2_break_silence(struct client_h2 *h2);

/* client_h2_clock.c */
/* Starts looking from time to time, while there is something to look at. */
void client_h2_arm(struct client_h2 *h2);
void client_h2_late(struct client_connection *connection);
void client_h2_wait_in_silence(struct client_h2 *h2);
void client_h2_awaits_body(struct client_h2_stream *stream);
/* Its client has ended its side: what it cannot want any more is given up, now or a moment later. */
void client_h2_note_left(struct client_h2 *h2);

#endif
