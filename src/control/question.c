/* SPDX-License-Identifier: BSD-2-Clause */
/* A question is asked by an exchange and given to its endpoint at the end of that turn. The exchange
 * is the first to hold it; it lets go when it is over. The rest is for endpoints: a question is held while
 * they wait for replies, read, answered or refused. */
#include "control/question.h"

#include "base/address.h"
#include "base/check.h"
#include "control/endpoints.h"
#include "http/characters.h"
#include "http/uri.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* --- life -------------------------------------------------------------------------------- */

void question_hold(struct question *question)
{
    question->held++;
}

static void drop_room(struct kept_room *room)
{
    page_release(&room->page);
    merged_release(&room->counted);
}

void kept_room_release(struct kept_room *room, struct loop *loop)
{
    if (alarm_is_set(&room->drop)) { /* else there may be no loop */
        alarm_clear(loop, &room->drop);
    }
    drop_room(room);
}

static void on_drop(void *owner)
{
    drop_room(owner);
}

/* Two answers at once: the room of one is kept. */
static void keep_room(struct question *question)
{
    struct kept_room *room = question->kept;

    if (room->page.at == NULL && !question->page.failed) {
        room->page = question->page;
        room->page.length = 0;
        question->page = (struct page){0};
        alarm_set(question->loop, &room->drop, KEPT_ROOM_MS, on_drop, room);
    }
}

void question_use_kept_room(struct question *question)
{
    question->keeps_room = true;
    question->page = question->kept->page;
    question->kept->page = (struct page){0};
}

void question_let_go(struct question *question)
{
    CHECK(question->held > 0);
    if (--question->held > 0) {
        return;
    }
    later_cancel(&question->answer_later);
    if (question->keeps_room) {
        keep_room(question);
    }
    page_release(&question->page);
    if (question->plan != NULL) {
        plan_unref(&question->plan);
    }
    free(question->body);
    free(question);
}

/* --- answering --------------------------------------------------------------------------- */

void question_answer(struct question *question, uint16_t status, struct bytes content_type)
{
    question_answer_with(question, status, content_type, NULL, 0);
}

void question_answer_with(struct question *question, uint16_t status, struct bytes content_type,
                          const struct exchange_reply_field *fields, uint32_t count)
{
    const struct exchange_reply reply = {.status = status,
                                         .content_type = content_type,
                                         .allow = bytes_of(question->allow),
                                         .body = page_bytes(&question->page),
                                         .fields = fields,
                                         .field_count = count};

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

void question_answer_stream(struct question *question, struct bytes content_type,
                            struct bytes first)
{
    const struct exchange_reply reply = {
        .status = 200, .content_type = content_type, .body = first};

    CHECK(!question->answered);
    question->answered = true;
    if (question->exchange != NULL) {
        exchange_answer_stream(question->exchange, &reply);
    }
}

struct json *question_json(struct question *question)
{
    question->json = json_on(&question->page);
    json_begin_object(&question->json, NULL);
    return &question->json;
}

void question_answer_json(struct question *question)
{
    json_end_object(&question->json);
    question_answer(question, 200, QUESTION_JSON);
}

void question_refuse(struct question *question, uint16_t status, const char *detail,
                     const char *remedy)
{
    struct json *json;

    question->page.length = 0;
    json = question_json(question);
    json_text(json, "type", "about:blank");
    json_bytes(json, "title", http_reason_of(status));
    json_number(json, "status", status);
    json_text(json, "detail", detail);
    json_text(json, "remedy", remedy);
    json_end_object(json);
    question_answer(question, status, BYTES("application/problem+json"));
}

void question_refuse_named(struct question *question, uint16_t status, const char *remedy,
                           const char *detail, ...)
{
    char text[QUESTION_DETAIL_MAX];
    va_list names;

    va_start(names, detail);
    vsnprintf(text, sizeof(text), detail, names);
    va_end(names);
    question_refuse(question, status, text, remedy);
}

/* --- who asks ---------------------------------------------------------------------------- */

static bool is_plain(struct bytes host)
{
    struct bytes inside = host;
    struct ip ip;

    if (host.length > 2 && host.at[0] == '[') {
        inside = (struct bytes){host.at + 1, host.length - 2};
    }
    return host.length == 0 || memchr(host.at, '.', host.length) == NULL || ip_parse(inside, &ip);
}

bool question_check_host(struct question *question)
{
    bool plain = is_plain(exchange_request(question->exchange)->host);

    if (!plain) {
        question_refuse(question, 403, "the page is not shown under this host name",
                        "open it by an address, as in http://127.0.0.1:9464/");
    }
    return plain;
}

struct plan *question_plan(struct question *question)
{
    if (question->plan == NULL) {
        question->plan = question->sources->plan(question->sources->owner);
    }
    return question->plan;
}

const struct settings *question_settings(struct question *question)
{
    return plan_settings(question_plan(question));
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
    question_refuse_named(question, 400, "give a whole number",
                          "'%s' expects a number from 0 to %llu, not '%s'", name,
                          (unsigned long long)most, text);
    return false;
}

/* --- orders ------------------------------------------------------------------------------ */

bool change_begin(struct question *question)
{
    const struct control_sources *sources = question->sources;
    const char *against =
        sources->begin_change != NULL ? sources->begin_change(sources->owner) : NULL;

    if (against == NULL) {
        return true;
    }
    question_refuse(
        question, 503, against,
        "nothing was changed; ask again in a moment, the process that serves then answers");
    return false;
}

void change_drop(struct question *question)
{
    if (question->sources->end_change != NULL) {
        question->sources->end_change(question->sources->owner);
    }
}

bool change_note(struct question *question, const struct control_change *change)
{
    int failure = question->sources->note_change(question->sources->owner, change);

    change_drop(question);
    if (failure != 0) {
        question_refuse_named(
            question, 500,
            "make room for it or let `user` write there, then give the same order again",
            "the change is in force, but could not be written to the state directory (%s): a "
            "restart would undo it",
            strerror(failure));
    }
    return failure == 0;
}

/* --- how a question comes up --------------------------------------------------------------- */

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

const struct exchange_answerer question_answerer = {.ask = on_ask, .over = on_over};
