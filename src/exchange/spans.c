/* SPDX-License-Identifier: BSD-2-Clause */
/* Trust: a traceparent decides which trace the spans join and whether they are sampled. A client
 * that may choose both can have every request of its own sampled, and can put its spans into a
 * trace of another person. So only trusted_proxies are believed, unless the configuration says
 * otherwise; for all others a new trace begins, sampled by share, with a link to the client's span,
 * which is what OpenTelemetry does at public endpoints. tracestate belongs to the trace that it
 * came with. */
#include "exchange/exchange_private.h"

#define TARGET_MOST 1024 /* of what an origin is asked for, as much as a span shows */

static struct random *randomness(struct exchange *exchange)
{
    return &exchange->context->worker_context->random;
}

/* --- its place in a trace ---------------------------------------------------------------- */

/* More than one of them are none (section 3.2.1). */
static bool find_parent(const struct http_headers *headers, struct trace_context *parent)
{
    const struct http_header *found = NULL;

    for (uint32_t i = 0; i < headers->count; i++) {
        if (headers->rows[i].id != HTTP_HEADER_TRACEPARENT) {
            continue;
        }
        if (found != NULL) {
            return false;
        }
        found = &headers->rows[i];
    }
    return found != NULL && trace_context_parse(http_header_value(found), parent);
}

static void join_trace(struct span_facts *facts, const struct trace_context *parent)
{
    facts->own = *parent;
    memcpy(facts->parent_id, parent->span_id, SPAN_ID_LENGTH);
    facts->has_parent = true;
}

static void begin_trace(struct span_facts *facts, struct random *random, uint32_t sample)
{
    trace_context_put_id(facts->own.trace_id, random_next(random));
    trace_context_put_id(facts->own.trace_id + SPAN_ID_LENGTH, random_next(random));
    facts->own.sampled = random_below(random, SPLIT_WHOLE) < sample;
}

void spans_begin(struct exchange *exchange)
{
    const struct tracing_settings *tracing = &generation_settings(exchange->generation)->tracing;
    struct exchange_span *span = exchange_take(exchange, sizeof(*span));
    struct trace_context parent;

    if (span == NULL) {
        return;
    }
    memset(span, 0, sizeof(*span));
    exchange->span = span;
    if (!http_has(&exchange->request.headers, HTTP_HEADER_TRACEPARENT) ||
        !find_parent(&exchange->request.headers, &parent)) {
        begin_trace(&span->facts, randomness(exchange), tracing->sample);
    } else if (exchange->client.trusted || tracing->parents == TRACING_PARENTS_ANY) {
        join_trace(&span->facts, &parent);
    } else {
        begin_trace(&span->facts, randomness(exchange), tracing->sample);
        span->facts.has_link = true;
        span->facts.link = parent;
    }
    trace_context_put_id(span->facts.own.span_id, random_next(randomness(exchange)));
    if (span->facts.own.sampled) {
        span->target = exchange_take(exchange, TARGET_MOST);
    }
}

/* --- its attempts ------------------------------------------------------------------------ */

void spans_attempt_begins(struct exchange *exchange)
{
    struct span_facts *facts = &exchange->span->facts;
    int index = exchange->outcome.attempts - 1;

    trace_context_put_id(facts->tries[index].span_id, random_next(randomness(exchange)));
    facts->tries[index].began_us = facts->tries[index].ended_us = exchange_elapsed_us(exchange);
}

void spans_attempt_ends(struct exchange *exchange)
{
    exchange->span->facts.tries[exchange->outcome.attempts - 1].ended_us =
        exchange_elapsed_us(exchange);
}

/* --- what origins are told --------------------------------------------------------------- */

bool spans_add_field(const struct exchange *exchange, struct forward_page *page)
{
    const struct span_facts *facts = &exchange->span->facts;
    struct trace_context context = facts->own;
    const char *from = page->text.at;
    char value[TRACEPARENT_LENGTH];

    memcpy(context.span_id, facts->tries[exchange->outcome.attempts - 1].span_id, SPAN_ID_LENGTH);
    trace_context_format(&context, value);
    text_add(&page->text, value, sizeof(value));
    return http_fields_add(&page->fields, BYTES("traceparent"), text_since(&page->text, from));
}

/* --- the end ----------------------------------------------------------------------------- */

static size_t length_shown(struct bytes target)
{
    const char *mark = target.length > 0 ? memchr(target.at, '?', target.length) : NULL;
    size_t length = mark != NULL ? (size_t)(mark - target.at) : target.length;

    return length < TARGET_MOST ? length : TARGET_MOST;
}

void spans_note_target(const struct exchange *exchange, struct bytes target)
{
    struct exchange_span *span = exchange->span;
    size_t length = length_shown(target);

    if (span->target != NULL && span->facts.origin_target.length == 0) {
        memcpy(span->target, target.at, length);
        span->facts.origin_target = (struct bytes){span->target, length};
    }
}

/* Without a connection to an origin none was asked, and what came stands for what would have been asked
 * for. */
void spans_write(const struct exchange *exchange, const struct outcome *outcome)
{
    const struct route_settings *route = exchange->routing.route;
    const struct service_settings *service = exchange->routing.service;
    struct span_facts *facts = &exchange->span->facts;

    if (!facts->own.sampled) {
        return;
    }
    if (route != NULL) {
        facts->pattern = route->path;
        facts->pattern_is_prefix = route->path_kind == PATH_PREFIX;
    }
    if (service != NULL) {
        facts->origin_scheme = service->tls.on ? BYTES("https") : BYTES("http");
    }
    if (facts->origin_target.length == 0) {
        facts->origin_target = outcome->path;
    }
    if (exchange->orphan == NULL) { /* else the request has gone with its client */
        facts->authority = exchange->request.authority;
    }
    span_exporter_write(exchange->context->spans, outcome, facts);
}
