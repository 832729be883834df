/* SPDX-License-Identifier: BSD-2-Clause */
/* A question of an operator and its answer. It lives as long as it is held: by its exchange, and by code that waits for a reply on its behalf (of a worker,
 * the process). All on the control thread. */
#ifndef CONTROL_QUESTION_H
#define CONTROL_QUESTION_H

#include "base/json.h"
#include "control/pages/merged.h"
#include "control/sources.h"
#include "exchange/ask.h"

struct question;
struct endpoint;
struct live;

/* The room of the last big answer, for the next one: a scrape of a thousand routes is 3.3 MB and reads
 * 1.3 MB of counters, which the system would have to map anew each second. As much as one answer, until
 * KEPT_ROOM_MS after the last one. */
#define KEPT_ROOM_MS 5000
struct kept_room {
    struct page page;      /* empty */
    struct merged counted; /* empty; used while an answer is written */
    struct alarm drop;
};
void kept_room_release(struct kept_room *room, struct loop *loop);

/* Room for a decoded name or value of the query. */
#define QUESTION_TEXT_MAX 256

struct question {
    const struct control_sources *sources;
    struct live *live;         /* of the control thread; NULL: none */
    struct loop *loop;         /* of the control thread: where replies are posted */
    struct exchange *exchange; /* NULL: gone */
    const struct endpoint *endpoint;
    struct later answer_later;
    uint32_t held; /* by its exchange, and by callbacks that are still to come */
    uint32_t listener;
    struct who who;
    bool answered;
    const char *allow; /* of a 405: the method that the path takes */
    struct bytes query;
    char name[QUESTION_TEXT_MAX]; /* what stands for "*" in the endpoint's path */
    char *body;
    size_t body_length;
    struct page page;       /* the answer, as far as it is written */
    struct json json;       /* question_json */
    struct plan *plan;      /* question_plan; NULL: not asked for yet */
    struct kept_room *kept; /* of the control thread */
    bool keeps_room;        /* of `page`, for a later answer */
    /* Of an answer in pieces: called when its exchange is over. */
    void (*on_stream_over)(void *owner);
    void *stream_owner; /* NULL: none */
};

/* Keeps it until a callback; question_let_go then: the last one frees it. */
void question_hold(struct question *question);
void question_let_go(struct question *question);

/* Before anything is written: the answer may be big, and there will be more of them. */
void question_use_kept_room(struct question *question);
/* Answers with what is on the page; once. Harmless when the client is gone. */
void question_answer(struct question *question, uint16_t status, struct bytes content_type);
#define QUESTION_JSON BYTES("application/json")
/* An answer in JSON: its outermost object, begun here once, and ended by question_answer_json. */
struct json *question_json(struct question *question);
void question_answer_json(struct question *question);
/* The same with further fields. */
void question_answer_with(struct question *question, uint16_t status, struct bytes content_type,
                          const struct exchange_reply_field *fields, uint32_t count);
/* Answers 200 with a first piece; further ones follow with exchange_stream_piece. The exchange may
 * be over when it returns. */
void question_answer_stream(struct question *question, struct bytes content_type,
                            struct bytes first);
/* false, after a refusal: the Host that was asked for is neither an IP address nor a name without
 * dots. A browser that was led here by another site's name (DNS rebinding) asks for that name. */
bool question_check_host(struct question *question);
/* A problem (RFC 9457): what is wrong, and what to do about it. */
void question_refuse(struct question *question, uint16_t status, const char *detail,
                     const char *remedy);
/* The same with names in it, cut at QUESTION_DETAIL_MAX. */
#define QUESTION_DETAIL_MAX 1024
void question_refuse_named(struct question *question, uint16_t status, const char *remedy,
                           const char *detail, ...) __attribute__((format(printf, 4, 5)));

/* What runs now, as long as the question. */
struct plan *question_plan(struct question *question);
const struct settings *question_settings(struct question *question);

/* Takes percent escapes off; false: a bad one, a zero byte, or too long. */
bool question_decode(struct bytes text, char out[static QUESTION_TEXT_MAX]);

/* A value of the query, decoded; false: not there, or too long. */
bool question_value(const struct question *question, const char *name,
                    char value[static QUESTION_TEXT_MAX]);
/* The same as a number; `otherwise` where it is not there. false, after a refusal, when it is
 * none up to `most`. */
bool question_number(struct question *question, const char *name, uint64_t otherwise, uint64_t most,
                     uint64_t *value);

/* --- an order that changes how the gateway runs -------------------------------------- */

/* Refused at the wrong moment, carried out, written down, and only then answered. */

/* false, after a refusal: nothing may be changed now. true: one of the others must follow. */
bool change_begin(struct question *question);
/* Nothing was changed. */
void change_drop(struct question *question);
/* It was. false, after a refusal: it is in force, but could not be written down. */
bool change_note(struct question *question, const struct control_change *change);

/* --- how a question comes up: what the control thread's exchange context hands requests to --------- */

extern const struct exchange_answerer question_answerer; /* owner: struct question_context */

struct question_context {
    const struct control_sources *sources;
    struct loop *loop;
    struct live *live;
    struct kept_room *kept;
};

#endif
