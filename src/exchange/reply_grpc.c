/* SPDX-License-Identifier: BSD-2-Clause */
/* Errors of the gateway's own as gRPC statuses, where the request is gRPC: trailers alone, or behind an answer
 * that breaks off. Called by reply_refusal.c, and by exchange.c at the end of an exchange. */
#include "exchange/grpc_error.h"
#include "exchange/reply_private.h"

#define SENTENCE_BYTES 512 /* more of it is not told in grpc-message */

static struct bytes write_message(const struct exchange *exchange, struct text *text,
                                  const char *detail)
{
    char room[SENTENCE_BYTES];
    struct text plain = text_over(room, sizeof(room));
    struct bytes sentence = reply_write_detail(exchange, &plain, detail);
    const char *from = text->at;

    grpc_add_message(text, sentence);
    return text_since(text, from);
}

static bool may_have_run(const struct exchange *exchange)
{
    return exchange->delivery >= ORIGIN_DELIVERY_MAYBE;
}

static enum grpc_status grpc_status_of(const struct exchange *exchange, uint16_t status,
                                       const char *error, bool has_run)
{
    return exchange->answer.ends_by_reset
               ? grpc_error_of_reset(exchange->attempt->request.reset_code)
               : grpc_error_status(status, error, has_run);
}

static void add_grpc_status(struct exchange *exchange, struct forward_page *page, uint16_t status,
                            const char *error, const char *detail)
{
    enum grpc_status code = grpc_status_of(exchange, status, error, may_have_run(exchange));

    exchange->outcome.grpc_status = code;
    exchange->outcome.error_status = status;
    http_fields_add(&page->fields, BYTES("grpc-status"), text_number(&page->text, code));
    http_fields_add(&page->fields, BYTES("grpc-message"),
                    write_message(exchange, &page->text, detail));
}

void reply_as_grpc(struct exchange *exchange, uint16_t status, const char *error,
                   const char *detail, uint64_t pushback_ms)
{
    struct forward_page page;
    struct answer_head head;

    reply_begin_page(exchange, &page, &head, 200);
    http_fields_add(&page.fields, BYTES("Content-Type"), BYTES("application/grpc"));
    add_grpc_status(exchange, &page, status, error, detail);
    http_fields_add(&page.fields, BYTES("Proxy-Status"),
                    reply_write_proxy_status(exchange, &page.text, error, detail));
    if (pushback_ms > 0) {
        http_fields_add(&page.fields, BYTES("grpc-retry-pushback-ms"),
                        text_number(&page.text, pushback_ms));
    }
    forward_common_answer_fields(exchange, &page);
    reply_send(exchange, &head, (struct bytes){0});
}

/* What an answer that breaks off would have been in HTTP. */
static uint16_t status_of_end(const struct exchange *exchange, enum outcome_end end)
{
    if (exchange->outcome.error_status != 0) {
        return exchange->outcome.error_status;
    }
    switch (end) {
    case OUTCOME_CUT_BY_TIMEOUT:
        return 504;
    case OUTCOME_ORIGIN_BROKE:
        return 502;
    case OUTCOME_REQUEST_BROKE:
        return 400;
    default:
        return 503;
    }
}

/* The client has a head, so that it does not repeat the call by itself, whatever the status: it may
 * be UNAVAILABLE, as if there were no gateway in between. */
bool reply_grpc_breaks_off(struct exchange *exchange, enum outcome_end end)
{
    const char *error = exchange->outcome.error != NULL ? exchange->outcome.error : "";
    const char *detail = exchange->outcome.detail != NULL ? exchange->outcome.detail : "";
    char room[4 * SENTENCE_BYTES];
    struct text text = text_over(room, sizeof(room));
    enum grpc_status status;
    struct http_fields fields;

    if (!exchange->answer.takes_status || exchange->state != EXCHANGE_RELAYS) {
        return false;
    }
    status = grpc_status_of(exchange, status_of_end(exchange, end), error, false);
    exchange->outcome.grpc_status = status;
    exchange->answer.blocked = false;
    attempt_end(exchange->attempt, error);
    http_fields_clear(&fields);
    http_fields_add(&fields, BYTES("grpc-status"), text_number(&text, status));
    http_fields_add(&fields, BYTES("grpc-message"), write_message(exchange, &text, detail));
    exchange_answer_is_whole(exchange, &fields, end);
    return true;
}
