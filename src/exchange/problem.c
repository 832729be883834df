/* SPDX-License-Identifier: BSD-2-Clause */
/* A slot for each kind of refusal, found by its length and status; two that meet there take turns. */
#include "exchange/problem.h"

#include "exchange/exchange_private.h"

struct bytes problem_write_detail(const struct exchange *exchange, struct text *text,
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

struct bytes problem_write_proxy_status(const struct exchange *exchange, struct text *text,
                                        const char *error, const char *detail)
{
    const char *from = text->at;

    text_add_bytes(text, bytes_of(generation_settings(exchange->generation)->via));
    text_add_literal(text, "; error=");
    text_add_bytes(text, bytes_of(error));
    text_add_literal(text, "; details=\"");
    problem_write_detail(exchange, text, detail);
    text_add_literal(text, "\"; delivery=");
    text_add_bytes(text, bytes_of(origin_delivery_word(exchange->delivery)));
    return text_since(text, from);
}

void problem_begin_body(const struct exchange *exchange, struct text *text, uint16_t status,
                        const char *error, const char *detail)
{
    text_add_literal(text, "{\"type\":\"about:blank\",\"title\":\"");
    text_add_json(text, http_reason_of(status));
    text_add_literal(text, "\",\"status\":");
    text_add_number(text, status);
    text_add_literal(text, ",\"detail\":\"");
    problem_write_detail(exchange, text, detail);
    text_add_literal(text, "\",\"error\":\"");
    text_add_json(text, bytes_of(error));
    text_add_literal(text, "\",\"delivery\":\"");
    text_add_json(text, bytes_of(origin_delivery_word(exchange->delivery)));
    text_add_literal(text, "\",\"request_id\":\"");
}

static bool make(const struct exchange *exchange, struct problem *problem, struct bytes detail)
{
    struct text text = text_over(problem->text, sizeof(problem->text));
    const char *from = text.at;

    text_add_bytes(&text, detail);
    problem->detail = text_since(&text, from);
    problem->proxy_status = problem_write_proxy_status(exchange, &text, problem->error, detail.at);
    from = text.at;
    problem_begin_body(exchange, &text, problem->status, problem->error, detail.at);
    problem->body = text_since(&text, from);
    return !text.overflowed;
}

/* The sentence is compared letter by letter: one of the settings' may lie where another one lay. */
const struct problem *problem_find(const struct exchange *exchange, uint16_t status,
                                   const char *error, const char *detail)
{
    struct exchange_context *context = exchange->context;
    struct bytes sentence = bytes_of(detail);
    struct problem *problem = &context->problems[(sentence.length + status) % PROBLEMS_KEPT];

    if (exchange->outcome.fault != NULL || exchange->generation != context->generation) {
        return NULL;
    }
    if (problem->status == status && problem->error == error &&
        problem->delivery == exchange->delivery && bytes_equal(problem->detail, sentence)) {
        return problem;
    }
    problem->status = status;
    problem->error = error;
    problem->delivery = exchange->delivery;
    if (!make(exchange, problem, sentence)) {
        problem->status = 0;
        return NULL;
    }
    return problem;
}
