/* SPDX-License-Identifier: BSD-2-Clause */
/* What a question is to those who answer it: held while they wait for replies, read, answered or
 * refused. Called by the endpoints; asked and given to them in asking.c. */
#include "control/question.h"

#include "base/address.h"
#include "base/check.h"
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

void kept_room_release(struct kept_room *room, struct loop *loop)
{
    if (alarm_is_set(&room->drop)) { /* else there may be no loop */
        alarm_clear(loop, &room->drop);
    }
    page_release(&room->page);
    merged_release(&room->counted);
}

static void on_drop(void *owner)
{
    struct kept_room *room = owner;

    page_release(&room->page);
    merged_release(&room->counted);
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
