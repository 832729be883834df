/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers from the store: the head is decided as that of an origin's answer is, and the body is sent
 * from where it lies. What happened is told in Cache-Status (RFC 9211). */
#include "cache/cache_request.h"
#include "cache/http_time.h"
#include "exchange/caching.h"

/* --- Cache-Status -------------------------------------------------------------------------- */

static void begin_status(const struct exchange *exchange, struct text *text)
{
    text_add_bytes(text, bytes_of(generation_settings(exchange->generation)->via));
}

static void add_forwarded(const struct exchange *exchange, struct text *text)
{
    begin_status(exchange, text);
    text_add_literal(text, "; fwd=");
    text_add_bytes(text, bytes_of(exchange->caching->forwarded));
}

void caching_add_status(const struct exchange *exchange, const struct http_response *response,
                        struct forward_page *page)
{
    const char *from = page->text.at;

    (void)response;
    add_forwarded(exchange, &page->text);
    if (exchange->caching->draft != NULL && exchange->caching->stores) {
        text_add_literal(&page->text, "; stored");
    }
    http_fields_add(&page->fields, BYTES("Cache-Status"), text_since(&page->text, from));
}

/* Seconds of freshness that are left; negative where it is stale. */
static void add_ttl(struct text *text, const struct stored *stored, uint64_t now_us)
{
    uint64_t lasts_ms = stored_lasts_ms(stored, now_us);

    text_add_literal(text, "; ttl=");
    if (lasts_ms > stored->fresh_ms) {
        text_add_char(text, '-');
        text_add_number(text, (lasts_ms - stored->fresh_ms + 999) / 1000);
    } else {
        text_add_number(text, (stored->fresh_ms - lasts_ms) / 1000);
    }
}

static struct bytes write_status(const struct exchange *exchange, const struct stored *stored,
                                 struct text *text)
{
    const struct caching *caching = exchange->caching;
    const char *from = text->at;

    if (caching->collapsed) {
        add_forwarded(exchange, text);
        text_add_literal(text, "; collapsed");
    } else if (caching->fetches) {
        add_forwarded(exchange, text);
        if (caching->refreshed) {
            text_add_literal(text, "; fwd-status=304");
        }
    } else {
        begin_status(exchange, text);
        text_add_literal(text, "; hit");
        add_ttl(text, stored, caching_now(exchange));
    }
    return text_since(text, from);
}

/* --- what of it goes ----------------------------------------------------------------------- */

static void forbid_body(struct http_response *response, struct bytes *body)
{
    response->framing = HTTP_NO_BODY;
    response->body_length = 0;
    body->length = 0;
}

/* RFC 9110 section 8.8.2.2: a date is a strong validator where the answer came a second or more after it. */
static struct bytes strong_date(const struct stored *stored)
{
    const struct http_header *row = http_find(&stored->headers, HTTP_HEADER_DATE);
    int64_t came;
    int64_t changed;

    if (row != NULL && http_time_read(http_header_value(row), &came) &&
        http_time_read(stored->last_modified, &changed) && changed < came) {
        return stored->last_modified;
    }
    return BYTES("");
}

static enum cache_range find_range(const struct cache_request *facts, const struct stored *stored,
                                   uint64_t *first, uint64_t *count)
{
    struct bytes date = facts->if_range.length > 0 ? strong_date(stored) : BYTES("");

    return cache_range_find(facts, stored->etag, date, stored->body.length, first, count);
}

/* Sets status and *body to what the client wants of it. *range: of a part. */
static void choose_part(const struct exchange *exchange, const struct stored *stored,
                        struct http_response *response, struct bytes *body, struct text *range)
{
    const struct cache_request *facts = &exchange->caching->facts;
    uint64_t first = 0;
    uint64_t count = 0;

    if (stored->status != 200) {
        return;
    }
    if (cache_is_not_modified(facts, stored->etag, stored->last_modified)) {
        response->status = 304;
        forbid_body(response, body);
        return;
    }
    if (exchange->request.method != HTTP_GET) {
        return;
    }
    switch (find_range(facts, stored, &first, &count)) {
    case CACHE_WHOLE:
        return;
    case CACHE_NO_PART:
        response->status = 416;
        text_add_literal(range, "bytes */");
        text_add_number(range, body->length);
        *body = (struct bytes){body->at, 0};
        response->headers.count = 0; /* those are of the whole answer */
        response->headers.present = 0;
        break;
    case CACHE_PART:
        response->status = 206;
        text_add_literal(range, "bytes ");
        text_add_number(range, first);
        text_add_char(range, '-');
        text_add_number(range, first + count - 1);
        text_add_char(range, '/');
        text_add_number(range, body->length);
        *body = (struct bytes){body->at + first, count};
        break;
    }
    response->body_length = body->length;
}

static void describe_body(const struct exchange *exchange, const struct stored *stored,
                          struct answer_head *head, struct bytes *body)
{
    if (http_status_forbids_body(head->status)) {
        head->framing = HTTP_NO_BODY;
        body->length = 0;
    } else if (exchange->request.method == HTTP_HEAD) {
        bool is_get = stored->key.at[0] == CACHE_KEY_GET;

        head->framing = HTTP_NO_BODY;
        head->reports_length = is_get || stored->has_length;
        head->body_length = is_get ? body->length : stored->head_length;
        body->length = 0;
    }
}

/* --- sending ------------------------------------------------------------------------------- */

static void send_stored(struct exchange *exchange, const struct answer_head *head,
                        struct bytes body)
{
    exchange_set_state(exchange, EXCHANGE_REPLIES);
    exchange->outcome.status = head->status;
    exchange->answer.begun = true;
    if (!exchange->client.ops->send_head(exchange->client.stream, head)) {
        exchange->outcome.error = OUTCOME_OWN_ERROR;
        exchange->outcome.detail = "no memory was left for the head of a stored answer";
        exchange_break_off(exchange, OUTCOME_GATEWAY_BROKE);
        return;
    }
    exchange->answer.own_rest = body;
    reply_go_on(exchange);
}

#define CONTENT_RANGE_MOST 80

void caching_reply(struct exchange *exchange, struct stored *stored)
{
    uint64_t now_us = caching_now(exchange);
    struct bytes body = stored->body;
    struct http_response response = {.status = stored->status,
                                     .version = HTTP_1_1,
                                     .framing = HTTP_LENGTH_KNOWN,
                                     .body_length = stored->body.length,
                                     .headers = stored->headers};
    struct forward_page page;
    struct answer_head head;
    char room[CONTENT_RANGE_MOST];
    struct text range = text_over(room, sizeof(room));

    stored_unref(&exchange->caching->serves);
    exchange->caching->serves = stored; /* until the exchange is over */
    choose_part(exchange, stored, &response, &body, &range);
    response.reason = http_reason_of(response.status);
    if (!forward_answer(exchange, &response, &page, &head)) {
        reply_error(exchange, 502, "http_response_header_section_size",
                    "the answer's head is too large with what is added to it");
        return;
    }
    describe_body(exchange, stored, &head, &body);
    if (response.status != 416) {
        http_fields_add(&page.fields, BYTES("Age"),
                        text_number(&page.text, stored_age_s(stored, now_us)));
    }
    if (text_length(&range) > 0) {
        http_fields_add(&page.fields, BYTES("Content-Range"), text_since(&range, room));
    }
    http_fields_add(&page.fields, BYTES("Cache-Status"),
                    write_status(exchange, stored, &page.text));
    send_stored(exchange, &head, body);
}
