/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP/2 towards an origin. One connection carries any number of requests, each on a stream of its
 * own. To the rest of origin/ a stream is a connection with one request (`connection->stream`), which
 * ends with that request; limits, balancing, health and the line count it as such. What carries the
 * streams (`connection->h2`) is a connection of the state CARRIES, in origin->carriers, and never has a
 * request itself. Called by origin_connection.c and pool.c. */
#ifndef ORIGIN_H2_ORIGIN_H2_H
#define ORIGIN_H2_ORIGIN_H2_H

#include "http/h2/h2_session.h"
#include "origin/origin_private.h"

/* A field section as it comes. */
struct origin_h2_section {
    uint32_t count;
    uint32_t bytes; /* of `text` in use */
    uint32_t room;
    uint32_t list; /* bytes of the header list, as RFC 9113 section 6.5.2 counts */
    uint32_t most; /* bytes of text */
    bool too_large;
    struct {
        uint32_t at; /* in `text`: the name, and behind it the value */
        uint32_t name_length;
        uint32_t value_length;
    } places[H2_FIELDS_MAX];
    char *text;
};

struct origin_h2 {
    struct origin_connection *connection;
    struct h2_session *session;
    struct link streams; /* that the session knows: of origin_h2_stream.link */
    struct link moved;   /* of these, whose requests went on */
    struct link touched; /* of these, whose answers went on */
    uint32_t stream_count;
    uint32_t frames_left;  /* that bring nothing */
    uint64_t earned_us;    /* when these were last added to */
    uint64_t heard_us;     /* when bytes last came */
    uint64_t pinged_us;    /* since when a PING waits for its answer; 0: none does */
    uint64_t last_ping_us; /* when the last PING went; 0: none has */
    bool sent_since_ping;  /* HEADERS or DATA came since */
    uint32_t data_left;    /* of the DATA frame that comes */
    bool data_ends;        /* and it ends its stream */
    uint8_t frame_type;    /* of the frame that comes or came last */
    struct origin_h2_section section;
    struct origin_h2_stream *begins; /* whose head is written next */
    struct pool_settings pool;       /* of the stream that was begun last */
    bool inside;                     /* a call of the session */
    bool is_ready;                   /* the origin's SETTINGS came */
    bool leaves;                     /* no further stream begins on it */
    bool paused;                     /* there was no room to write to */
    bool asked;                      /* before it is used: by a PING */
    bool was_idle;                   /* its clock of being idle runs */
    bool over;                       /* nothing further is said on it */
    bool doomed;                     /* it ends once the session's call is over, since: */
    enum origin_failure failure;
    const char *fault; /* in words; NULL: the failure says all */
};

struct origin_h2_stream {
    struct origin_directory *directory;
    struct origin_connection *connection; /* with its request; NULL: that is over */
    struct origin_h2 *h2;                 /* NULL: the session does not know it any more */
    int32_t id;
    struct link link;
    struct link moved;
    struct link touched;
    uint64_t left_us;                /* since when it awaits its END_STREAM only; 0: it does not */
    uint64_t head_at;                /* where its head is in what was written to the connection */
    struct buffer_queue out;         /* of the request's body */
    struct buffer_queue in;          /* of the answer's body: decoded, not taken yet */
    struct origin_h2_kept *trailers; /* of the request */
    struct origin_h2_kept *answer_trailers;
    struct origin_h2_websocket *websocket; /* NULL: the request is none */
    bool head_written;
    bool sent;      /* the request's last frame was written */
    bool ended;     /* the answer's last byte came */
    bool answered;  /* the answer was whole before END_STREAM came */
    bool refused;   /* the origin says that it did not process it */
    bool malformed; /* the answer: a stream error (RFC 9113 section 8.1.1) */
};

/* Fields, kept with their text. */
struct origin_h2_kept {
    uint32_t count;
    struct http_field rows[];
};

static inline struct origin_directory *origin_h2_directory(const struct origin_h2 *h2)
{
    return h2->connection->origin->directory;
}

static inline struct buffer_pool *origin_h2_buffers(const struct origin_h2 *h2)
{
    return origin_connection_buffers(h2->connection);
}

static inline uint64_t origin_h2_now(const struct origin_h2 *h2)
{
    return origin_connection_now(h2->connection);
}

/* origin_h2.c */
/* Writes what is queued at the end of the turn. */
void origin_h2_flush_later(struct origin_h2 *h2);
/* All that is under way on it fails, each with its own verdict. Within a call of the session it ends
 * once that is over. */
void origin_h2_fail(struct origin_h2 *h2, enum origin_failure failure, const char *fault);

/* origin_h2_stream.c */
extern const struct h2_session_events origin_h2_events;
/* A stream as an idle connection; NULL: no memory. */
struct origin_connection *origin_h2_stream_open(struct origin_h2 *h2);
void origin_h2_stream_free(struct origin_h2_stream *stream);
/* Tells requests that went on, and answers. */
void origin_h2_report_moved(struct origin_h2 *h2);
void origin_h2_report_touched(struct origin_h2 *h2);

/* origin_h2_request.c */
/* A copy, with names in lower case. NULL: no memory. */
struct origin_h2_kept *origin_h2_keep(const struct http_field *fields, uint32_t count,
                                      size_t bytes);
extern const struct origin_connection_ops origin_h2_ops;
void origin_h2_on_begins(void *owner, void *stream);
bool origin_h2_on_write(void *owner, struct bytes frame);
enum h2_pull origin_h2_on_pull(void *owner, void *stream, size_t most, size_t *length);
bool origin_h2_on_write_data(void *owner, void *stream, struct bytes head, size_t length);
/* The request went on: its clock, and who feeds it. */
void origin_h2_request_moved(struct origin_h2_stream *stream);

/* origin_h2_websocket.c */
bool origin_h2_websocket_is_wanted(const struct request_head *head);
/* NULL: no memory, or the key is too long. */
struct origin_h2_websocket *origin_h2_websocket_new(const struct request_head *head);
bool origin_h2_websocket_key_fits(const struct request_head *head);
/* The answer becomes what it is in HTTP/1.1, 101. false: it has too many fields. */
bool origin_h2_websocket_switch(const struct origin_h2_websocket *websocket,
                                struct http_response *response);
/* Of the request's fields, what an extended CONNECT does without. */
bool origin_h2_websocket_drops(struct bytes name);

/* origin_h2_answer.c */
bool origin_h2_on_section(void *owner, int32_t id, void *stream, bool is_request);
bool origin_h2_on_field(void *owner, struct bytes name, struct bytes value);
void origin_h2_on_section_ended(void *owner, int32_t id, void *stream, bool is_request, bool ends);
void origin_h2_on_data(void *owner, int32_t id, void *stream, struct bytes bytes);
void origin_h2_on_ended(void *owner, int32_t id, void *stream);
void origin_h2_resume(struct origin_connection *connection);
/* The answer is malformed: its stream fails, the others go on. */
void origin_h2_refuse_answer(struct origin_h2_stream *stream, enum origin_failure failure,
                             const char *fault);

/* The connection brought something: a request, or a part of one. */
void origin_h2_budget_earn(struct origin_h2 *h2, uint32_t frames);
/* A frame came that brings nothing. false: there were too many. */
bool origin_h2_budget_spend(struct origin_h2 *h2);

#endif
