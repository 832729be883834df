/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers of the gateway's own: how one is sent, whatever is in it, and those that say little: respond:,
 * OPTIONS, 100 (Continue), and what another part of the process answers (exchange_answer). Errors are of
 * reply_refusal.c, redirects of reply_redirect.c. Once one has begun, there is no other. */
#include "exchange/reply_private.h"

/* After these the rest of the request cannot be understood, or is not worth reading. */
static bool gives_request_up(uint16_t status)
{
    switch (status) {
    case 400:
    case 408:
    case 413:
    case 414:
    case 417:
    case 431:
    case 501:
    case 505:
        return true;
    default:
        return false;
    }
}

/* What the client did not take at once outlives the call that wrote it. What is not lent is the
 * snapshot's, or the answerer's, and stays until the exchange is over. false: no memory. */
static bool keep_rest(struct exchange *exchange)
{
    if (exchange->answer.is_lent && !exchange_keep(exchange, &exchange->answer.own_rest)) {
        return false;
    }
    exchange->answer.is_lent = false;
    return true;
}

static void break_off_without_memory(struct exchange *exchange)
{
    exchange->outcome.error = OUTCOME_OWN_ERROR;
    exchange->outcome.detail = "no memory was left for an answer of the gateway's own";
    exchange_break_off(exchange, OUTCOME_GATEWAY_BROKE);
}

void reply_send(struct exchange *exchange, struct answer_head *head, struct bytes body)
{
    const struct client_stream_ops *ops = exchange->client.ops;
    void *stream = exchange->client.stream;

    /* Whatever the client still says: this is the answer, and there is only one. */
    exchange_set_state(exchange, EXCHANGE_REPLIES);
    exchange->outcome.status = head->status;
    exchange->answer.begun = true;
    if (gives_request_up(head->status)) {
        ops->give_up_request(stream);
    }
    head->reason = http_reason_of(head->status);
    head->body_length = body.length;
    head->framing = exchange->answer.is_stream ? HTTP_CHUNKED : HTTP_LENGTH_KNOWN;
    if (http_status_forbids_body(head->status) || exchange->outcome.error_status != 0) {
        head->framing = HTTP_NO_BODY;
        body.length = 0;
    } else if (exchange->request.method == HTTP_HEAD) {
        head->framing = HTTP_NO_BODY;
        head->reports_length = true;
        body.length = 0;
    }
    if (!ops->send_head(stream, head)) {
        break_off_without_memory(exchange);
        return;
    }
    exchange->answer.own_rest = body;
    reply_go_on(exchange);
}

void reply_go_on(struct exchange *exchange)
{
    struct bytes *rest = &exchange->answer.own_rest;

    while (rest->length > 0) {
        size_t taken = exchange->client.ops->send_body(exchange->client.stream, *rest,
                                                       !exchange->answer.is_stream);

        *rest = bytes_skip(*rest, taken);
        if (taken == 0) {
            if (!keep_rest(exchange)) {
                break_off_without_memory(exchange);
            }
            return;
        }
    }
    if (exchange->answer.is_stream) {
        exchange->client.ops->flush(exchange->client.stream);
        return;
    }
    exchange_answer_is_whole(exchange, NULL, OUTCOME_ANSWERED_HERE);
}

void reply_begin_page(const struct exchange *exchange, struct forward_page *page,
                      struct answer_head *head, uint16_t status)
{
    http_fields_clear(&page->fields);
    page->text = text_over(page->scratch, sizeof(page->scratch));
    memset(head, 0, sizeof(*head));
    head->status = status;
    head->fields = &page->fields;
    forward_add_date(exchange, page);
}

/* --- answers that say little ---------------------------------------------------------------- */

void reply_continue(struct exchange *exchange)
{
    struct http_fields none = {.count = 0};
    const struct answer_head head = {
        .status = 100, .reason = BYTES("Continue"), .framing = HTTP_NO_BODY, .fields = &none};

    exchange->request.expects_continue = false;
    exchange->client.ops->send_interim(exchange->client.stream, &head);
}

void reply_respond(struct exchange *exchange, const struct route_settings *route)
{
    struct forward_page page;
    struct answer_head head;

    reply_begin_page(exchange, &page, &head, route->respond.status);
    if (route->respond.body.length > 0) {
        http_fields_add(&page.fields, BYTES("Content-Type"), route->respond.content_type);
    }
    forward_common_answer_fields(exchange, &page);
    reply_send(exchange, &head, route->respond.body);
}

void exchange_answer(struct exchange *exchange, const struct exchange_reply *reply)
{
    struct forward_page page;
    struct answer_head head;

    reply_begin_page(exchange, &page, &head, reply->status);
    http_fields_add(&page.fields, BYTES("Content-Type"), reply->content_type);
    http_fields_add(&page.fields, BYTES("Cache-Control"), BYTES("no-store"));
    if (reply->allow.length > 0) {
        http_fields_add(&page.fields, BYTES("Allow"), reply->allow);
    }
    for (uint32_t i = 0; i < reply->field_count; i++) {
        http_fields_add(&page.fields, reply->fields[i].name, reply->fields[i].value);
    }
    reply_send(exchange, &head, reply->body);
}

void reply_options(struct exchange *exchange)
{
    struct forward_page page;
    struct answer_head head;

    reply_begin_page(exchange, &page, &head, 204);
    http_fields_add(&page.fields, BYTES("Allow"), BYTES(REPLY_ALLOWED_METHODS));
    forward_common_answer_fields(exchange, &page);
    reply_send(exchange, &head, (struct bytes){0});
}
