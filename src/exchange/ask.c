/* SPDX-License-Identifier: BSD-2-Clause */
/* Hands a whole request to the context's answerer and takes the answer from it. */
#include "exchange/ask.h"

#include "base/check.h"
#include "exchange/exchange_private.h"

void exchange_context_answer_with(struct exchange_context *context,
                                  const struct exchange_answerer *answerer, void *owner)
{
    context->answerer = answerer;
    context->answerer_owner = owner;
}

void ask_answerer(struct exchange *exchange)
{
    const struct exchange_context *context = exchange->context;
    struct exchange_question question = {
        .request = &exchange->request,
        .listener_index = exchange->client.facts->listener_index,
        .body_length = exchange->request_body.body.length,
    };

    if (!exchange->request_body.whole) {
        /* The client waits for 100 (Continue), or wanted an upgrade: the body comes first. */
        queue_hold(exchange, QUEUE_BODY);
        if (exchange->request.expects_continue) {
            reply_continue(exchange);
        }
        return;
    }
    exchange_set_state(exchange, EXCHANGE_ASKS);
    if (!exchange->client.ops->report_who(exchange->client.stream, &question.who)) {
        question.who = (struct who){.kind = WHO_GATEWAY};
    }
    exchange->asked = context->answerer->ask(context->answerer_owner, exchange, &question);
    if (exchange->asked == NULL) {
        reply_error(exchange, 503, OUTCOME_OWN_ERROR, "no memory is left for the question");
    }
}

void exchange_copy_body(const struct exchange *exchange, char *into)
{
    for (const struct buffer *buffer = exchange->request_body.body.first; buffer != NULL;
         buffer = buffer->next) {
        memcpy(into, buffer->bytes + buffer->start, buffer_length(buffer));
        into += buffer_length(buffer);
    }
}

void exchange_answer_stream(struct exchange *exchange, const struct exchange_reply *reply)
{
    exchange->answer.is_stream = exchange->request.method != HTTP_HEAD;
    exchange_answer(exchange, reply);
}

bool exchange_stream_is_ready(const struct exchange *exchange)
{
    return exchange->answer.own_rest.length == 0;
}

void exchange_stream_piece(struct exchange *exchange, struct bytes piece)
{
    CHECK(exchange->answer.is_stream && exchange_stream_is_ready(exchange));
    exchange->answer.own_rest = piece;
    reply_go_on(exchange);
}

void exchange_stream_end(struct exchange *exchange)
{
    exchange->answer.is_stream = false;
    if (exchange_stream_is_ready(exchange)) {
        reply_go_on(exchange);
    }
}
