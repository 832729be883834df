/* SPDX-License-Identifier: BSD-2-Clause */
/* An internal origin: requests on a route whose action is ROUTE_ASK are answered by the maker of
 * the context, now or later. Used by control/, whose context carries nothing else; no configuration
 * can name such a route. */
#ifndef EXCHANGE_ASK_H
#define EXCHANGE_ASK_H

#include "exchange/exchange.h"

#include <sys/types.h>

struct exchange_question {
    const struct http_request *request; /* with its head; valid until `over` */
    uint32_t listener_index;
    size_t body_length;
    struct who who; /* WHO_GATEWAY: not known */
};

struct exchange_answerer {
    /* The request is whole, its body included. Returns what `over` will get; NULL: out of memory.
     * Must not answer before it returns. */
    void *(*ask)(void *owner, struct exchange *exchange, const struct exchange_question *question);
    /* The exchange is gone, answered or not: neither it nor the request must be touched again. */
    void (*over)(void *asked);
};

/* Both outlive the context. */
void exchange_context_answer_with(struct exchange_context *context,
                                  const struct exchange_answerer *answerer, void *owner);

/* Copies the request's body, question.body_length bytes, to `into`. */
void exchange_copy_body(const struct exchange *exchange, char *into);

struct exchange_reply_field {
    struct bytes name;
    struct bytes value;
};

struct exchange_reply {
    uint16_t status;
    struct bytes content_type;
    struct bytes allow;                        /* of a 405; else empty */
    struct bytes body;                         /* stays where it is until `over` */
    const struct exchange_reply_field *fields; /* further ones; needed during the call only */
    uint32_t field_count;
};

/* Once. */
void exchange_answer(struct exchange *exchange, const struct exchange_reply *reply);

/* Instead of exchange_answer: an answer in pieces. The reply's body is the first piece. Each of
 * these calls may end the exchange (`over`). */
void exchange_answer_stream(struct exchange *exchange, const struct exchange_reply *reply);
/* The client has taken the former piece in full: the next one may follow. */
bool exchange_stream_is_ready(const struct exchange *exchange);
/* The piece stays where it is until the stream is ready again or `over`. */
void exchange_stream_piece(struct exchange *exchange, struct bytes piece);
/* No piece follows. */
void exchange_stream_end(struct exchange *exchange);

#endif
