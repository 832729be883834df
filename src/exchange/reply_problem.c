/* SPDX-License-Identifier: BSD-2-Clause */
/* What an error says in every answer that tells of it: Proxy-Status (RFC 9209), and the
 * problem+json (RFC 9457) up to the request's id. A gateway under overload says the same again and
 * again, so that the text is made once and copied from then on: a slot for each kind of refusal,
 * found by its sentence and status; two that meet there take turns. Called by reply_refusal.c and
 * reply_as_grpc.c. */
#include "exchange/reply_private.h"
#include "observe/card_mask.h"

struct bytes reply_write_detail(const struct exchange *exchange, struct text *text,
                                const char *detail)
{
    const char *from = text->at;

    text_add_bytes(text, bytes_of(detail));
    if (exchange->outcome.fault != NULL) {
        text_add_literal(text, ": ");
        text_add_bytes(text, bytes_of(exchange->outcome.fault));
    }
    return text_since(text, from);
}

struct bytes reply_write_proxy_status(const struct exchange *exchange, struct text *text,
                                      const char *error, const char *detail)
{
    const char *from = text->at;

    text_add_bytes(text, bytes_of(generation_settings(exchange->generation)->via));
    text_add_literal(text, "; error=");
    text_add_bytes(text, bytes_of(error));
    text_add_literal(text, "; details=\"");
    reply_write_detail(exchange, text, detail);
    text_add_literal(text, "\"; delivery=");
    text_add_bytes(text, bytes_of(origin_delivery_word(exchange->delivery)));
    return text_since(text, from);
}

void reply_begin_problem(const struct exchange *exchange, struct text *text, uint16_t status,
                         const char *error, const char *detail)
{
    text_add_literal(text, "{\"type\":\"about:blank\",\"title\":\"");
    text_add_json(text, http_reason_of(status));
    text_add_literal(text, "\",\"status\":");
    text_add_number(text, status);
    text_add_literal(text, ",\"detail\":\"");
    reply_write_detail(exchange, text, detail);
    text_add_literal(text, "\",\"error\":\"");
    text_add_json(text, bytes_of(error));
    text_add_literal(text, "\",\"delivery\":\"");
    text_add_json(text, bytes_of(origin_delivery_word(exchange->delivery)));
    text_add_literal(text, "\",\"request_id\":\"");
}

static bool make_problem(const struct exchange *exchange, struct problem *problem)
{
    struct text text = text_over(problem->text, sizeof(problem->text));
    const char *from;

    problem->proxy_status =
        reply_write_proxy_status(exchange, &text, problem->error, problem->detail);
    from = text.at;
    reply_begin_problem(exchange, &text, problem->status, problem->error, problem->detail);
    problem->body = text_since(&text, from);
    return !text.overflowed;
}

const struct problem *reply_find_problem(const struct exchange *exchange, uint16_t status,
                                         const char *error, const char *detail)
{
    struct exchange_context *context = exchange->context;
    uint64_t mixed = ((uintptr_t)detail + status) * 0x9e3779b97f4a7c15u;
    struct problem *problem = &context->problems[mixed >> 32 & (PROBLEMS_KEPT - 1)];

    if (exchange->outcome.fault != NULL || exchange->generation != context->generation) {
        return NULL;
    }
    if (problem->status == status && problem->error == error && problem->detail == detail &&
        problem->delivery == exchange->delivery) {
        return problem;
    }
    problem->status = status;
    problem->error = error;
    problem->detail = detail;
    problem->delivery = exchange->delivery;
    if (!make_problem(exchange, problem)) {
        problem->status = 0;
        return NULL;
    }
    return problem;
}

void reply_end_problem(const struct exchange *exchange, struct text *text)
{
    struct bytes id = exchange_request_id(exchange);
    char scratch[REQUEST_ID_MAX];

    if (exchange->outcome.request_id_is_ours) {
        text_add_bytes(text, id);
    } else {
        text_add_json(text, card_mask(id, sizeof(scratch), scratch));
    }
    if (exchange->span != NULL) {
        text_add_literal(text, "\",\"trace_id\":\"");
        text_add(text, exchange->span->facts.own.trace_id, TRACE_ID_LENGTH);
    }
    text_add_literal(text, "\"}\n");
}
