/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of a question: asked by an exchange, answered at the end of a turn or when replies
 * have come, freed once neither its exchange nor anybody who was asked knows it any more. */
#include "control/question.h"

#include "base/check.h"
#include "control/endpoints.h"
#include "http/characters.h"
#include "http/uri.h"

#include <stdlib.h>

/* --- life -------------------------------------------------------------------------------- */

static void free_when_forgotten(struct question *question)
{
    if (question->exchange != NULL || question->held > 0) {
        return;
    }
    later_cancel(&question->answer_later);
    page_release(&question->page);
    free(question->body);
    free(question);
}

void question_hold(struct question *question)
{
    question->held++;
}

void question_let_go(struct question *question)
{
    CHECK(question->held > 0);
    question->held--;
    free_when_forgotten(question);
}

static void on_over(void *asked)
{
    struct question *question = asked;

    question->exchange = NULL;
    free_when_forgotten(question);
}

static void find_answer(void *owner)
{
    struct question *question = owner;
    const struct http_request *request = exchange_request(question->exchange);
    const char *other_method;

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
    const struct question_desk *desk = owner;
    struct question *question = calloc(1, sizeof(*question));

    if (question == NULL || !copy_body(question, exchange, asked->body_length)) {
        free(question);
        return NULL;
    }
    question->sources = desk->sources;
    question->loop = desk->loop;
    question->exchange = exchange;
    question->listener = asked->listener_index;
    question->who = asked->who;
    loop_later(desk->loop, &question->answer_later, find_answer, question);
    return question;
}

const struct exchange_answerer question_answerer = {.ask = on_ask, .over = on_over};

/* --- answering --------------------------------------------------------------------------- */

void question_answer(struct question *question, uint16_t status, struct bytes content_type)
{
    const struct exchange_reply reply = {.status = status,
                                         .content_type = content_type,
                                         .allow = bytes_of(question->allow),
                                         .body = page_bytes(&question->page)};

    CHECK(!question->answered);
    question->answered = true;
    if (question->exchange == NULL) {
        return;
    }
    if (question->page.failed) {
        static const struct exchange_reply starved = {
            .status = 503, .content_type = {"text/plain", 10}, .body = {"out of memory\n", 14}};

        exchange_answer(question->exchange, &starved);
        return;
    }
    exchange_answer(question->exchange, &reply);
}

void question_answer_json(struct question *question)
{
    question_answer(question, 200, BYTES("application/json"));
}

void question_refuse(struct question *question, uint16_t status, const char *detail,
                     const char *remedy)
{
    struct json json = json_on(&question->page);
    char reason[64] = {0};

    question->page.length = 0;
    memcpy(reason, http_reason_of(status).at, http_reason_of(status).length);
    json_begin_object(&json, NULL);
    json_text(&json, "type", "about:blank");
    json_text(&json, "title", reason);
    json_number(&json, "status", status);
    json_text(&json, "detail", detail);
    json_text(&json, "remedy", remedy);
    json_end_object(&json);
    question_answer(question, status, BYTES("application/problem+json"));
}

/* --- what was asked ---------------------------------------------------------------------- */

static bool is_escape(struct bytes text)
{
    return text.length >= 3 && http_char_is(text.at[1], HTTP_CHAR_HEX) &&
           http_char_is(text.at[2], HTTP_CHAR_HEX);
}

bool question_decode(struct bytes text, char out[static QUESTION_TEXT_MAX])
{
    size_t length = 0;

    while (text.length > 0) {
        char byte = text.at[0];
        size_t used = 1;

        if (byte == '%') {
            if (!is_escape(text)) {
                return false;
            }
            byte = (char)(http_hex_value(text.at[1]) * 16 + http_hex_value(text.at[2]));
            used = 3;
        }
        if (byte == '\0' || length == QUESTION_TEXT_MAX - 1) {
            return false;
        }
        out[length++] = byte;
        text = bytes_skip(text, used);
    }
    out[length] = '\0';
    return true;
}

bool question_value(const struct question *question, const char *name,
                    char value[static QUESTION_TEXT_MAX])
{
    struct bytes found;

    return uri_query_value(question->query, bytes_of(name), &found) &&
           question_decode(found, value);
}

bool question_number(struct question *question, const char *name, uint64_t otherwise, uint64_t most,
                     uint64_t *value)
{
    char text[QUESTION_TEXT_MAX];
    struct page problem = {0};
    uint64_t number = 0;
    const char *at = text;

    *value = otherwise;
    if (!question_value(question, name, text)) {
        return true;
    }
    while (*at >= '0' && *at <= '9' && number <= most) {
        number = number * 10 + (uint64_t)(*at++ - '0');
    }
    if (*at == '\0' && at != text && number <= most) {
        *value = number;
        return true;
    }
    page_format(&problem, "'%s' expects a number from 0 to %llu, not '%s'", name,
                (unsigned long long)most, text);
    page_add_char(&problem, '\0');
    question_refuse(question, 400, problem.failed ? "not a number" : problem.at,
                    "give a whole number");
    page_release(&problem);
    return false;
}
