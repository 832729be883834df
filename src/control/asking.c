/* SPDX-License-Identifier: BSD-2-Clause */
/* A question is asked by an exchange and given to its endpoint at the end of that turn. The exchange
 * is the first to hold it; it lets go when it is over. Called by the exchange context of control.c. */
#include "control/asking.h"

#include "control/endpoints.h"

#include <stdlib.h>

/* A browser names the page that an order comes from; operators' tools do not. */
static bool is_order_of_a_page(const struct http_request *request)
{
    return request->method != HTTP_GET && request->method != HTTP_HEAD &&
           http_find_named(&request->headers, BYTES("Origin")) != NULL;
}

static void find_answer(void *owner)
{
    struct question *question = owner;
    const struct http_request *request = exchange_request(question->exchange);
    const char *other_method;

    if (is_order_of_a_page(request)) {
        question_refuse(question, 403, "a web page may not change anything", "use turnpikectl");
        return;
    }
    question->query = request->query;
    question->endpoint =
        control_endpoint_find(question, request->method_text, request->path, &other_method);
    if (question->endpoint != NULL) {
        question->endpoint->answer(question);
    } else if (other_method != NULL) {
        question->allow = other_method;
        question_refuse(question, 405, "this path takes another method",
                        strcmp(other_method, "POST") == 0 ? "use POST" : "use GET");
    } else {
        question_refuse(question, 404, "there is nothing at this path",
                        question->listener == CONTROL_SOCKET
                            ? "GET /v1 lists what there is"
                            : "only /metrics and /health are offered here");
    }
}

static bool copy_body(struct question *question, struct exchange *exchange, size_t length)
{
    question->body_length = length;
    question->body = malloc(length + 1);
    if (question->body == NULL) {
        return false;
    }
    exchange_copy_body(exchange, question->body);
    question->body[length] = '\0';
    return true;
}

static void *on_ask(void *owner, struct exchange *exchange, const struct exchange_question *asked)
{
    const struct question_context *context = owner;
    struct question *question = calloc(1, sizeof(*question));

    if (question == NULL || !copy_body(question, exchange, asked->body_length)) {
        free(question);
        return NULL;
    }
    question->sources = context->sources;
    question->loop = context->loop;
    question->live = context->live;
    question->kept = context->kept;
    question->exchange = exchange;
    question->listener = asked->listener_index;
    question->who = asked->who;
    question_hold(question);
    loop_later(context->loop, &question->answer_later, find_answer, question);
    return question;
}

static void on_over(void *asked)
{
    struct question *question = asked;

    question->exchange = NULL;
    if (question->stream_owner != NULL) {
        question->on_stream_over(question->stream_owner);
    }
    question_let_go(question);
}

const struct exchange_answerer asking_answerer = {.ask = on_ask, .over = on_over};
