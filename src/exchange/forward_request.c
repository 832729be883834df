/* SPDX-License-Identifier: BSD-2-Clause */
/* The head that goes to an origin: decides field by field, writes nothing itself. Called by attempt.c for each try. */
#include "exchange/forward_private.h"

#include "exchange/caching.h"
#include "http/forwarded.h"
#include "route/path_guard.h"

#define REQUEST_DROPPED \
    (FORWARD_ALWAYS_DROPPED | FORWARD_BIT(HOST) | FORWARD_BIT(EXPECT) | \
     FORWARD_BIT(X_FORWARDED_FOR) | FORWARD_BIT(X_FORWARDED_PROTO) | \
     FORWARD_BIT(X_FORWARDED_HOST) | FORWARD_BIT(FORWARDED) | FORWARD_BIT(X_REQUEST_ID) | \
     FORWARD_BIT(CLIENT_CERT) | FORWARD_BIT(CLIENT_CERT_CHAIN) | FORWARD_BIT(DISGUISED))

/* We do not write these, but origins go by them: only a trusted proxy may. */
#define FOR_TRUSTED_ONLY (FORWARD_BIT(X_FORWARDED_ANY) | FORWARD_BIT(X_REAL_IP))

/* --- what is added ----------------------------------------------------------------------- */

/* All inbound values of a list field, whose sender is trusted, each followed by ", ". What of
 * Forwarded is not well-formed is left out: it would hide what stands behind it. */
static void add_inbound_list(const struct exchange *exchange, enum http_header_id id,
                             struct text *text)
{
    const struct http_headers *headers = &exchange->request.headers;

    for (uint32_t i = 0; http_has(headers, id) && i < headers->count; i++) {
        struct bytes value = http_header_value(&headers->rows[i]);

        if (headers->rows[i].id != id) {
            continue;
        }
        if (id == HTTP_HEADER_FORWARDED) {
            value = http_forwarded_sound_end(value);
        }
        if (value.length > 0) {
            text_add_bytes(text, value);
            text_add_literal(text, ", ");
        }
    }
}

/* RFC 7239 section 6.3. */
static struct bytes client_name(const struct exchange *exchange, struct text *text)
{
    const struct ip *ip = &exchange->client.facts->ip;
    char *from = text->at;

    if (ip_is_none(ip)) {
        return BYTES("unknown");
    }
    if (text->limit - from < ADDRESS_TEXT_MAX) {
        text->overflowed = true;
        return BYTES("");
    }
    text->at += ip_format(ip, from);
    return text_since(text, from);
}

static struct bytes forwarded_for(const struct exchange *exchange, struct bytes client,
                                  struct text *text)
{
    const char *from = text->at;

    if (!exchange->client.trusted) {
        return client;
    }
    add_inbound_list(exchange, HTTP_HEADER_X_FORWARDED_FOR, text);
    text_add_bytes(text, client);
    return text_since(text, from);
}

/* RFC 7239 section 6: IPv6 in brackets and quotes. */
static struct bytes forwarded(const struct exchange *exchange, struct bytes client,
                              struct text *text)
{
    const struct ip *ip = &exchange->client.facts->ip;
    const char *from = text->at;

    if (exchange->client.trusted) {
        add_inbound_list(exchange, HTTP_HEADER_FORWARDED, text);
    }
    text_add_literal(text, "for=");
    if (ip_is_none(ip) || ip_is_v4(ip)) {
        text_add_bytes(text, client);
    } else {
        text_add_literal(text, "\"[");
        text_add_bytes(text, client);
        text_add_literal(text, "]\"");
    }
    if (exchange->request.authority.length > 0) {
        text_add_literal(text, ";host=\"");
        text_add_bytes(text, exchange->request.authority);
        text_add_char(text, '"');
    }
    text_add_literal(text, ";proto=");
    text_add_bytes(text, exchange->client.facts->scheme);
    return text_since(text, from);
}

/* RFC 9440 section 2.2. */
static bool add_client_certificate(const struct exchange *exchange, struct http_fields *fields)
{
    const struct tls_facts *tls = exchange->client.facts->tls;

    return tls->client == NULL ||
           http_fields_add(fields, BYTES("Client-Cert"), tls->client->header);
}

/* Not even that of others: nginx compresses for none who sends it. */
static bool goes_without_via(const struct exchange *exchange)
{
    const struct service_settings *service = exchange->routing.service;

    return service != NULL && service->via == VIA_OFF;
}

/* More than are put below. */
#define OWN_FIELDS_MAX 8

static inline struct http_field *put(struct http_field *to, size_t *bytes, struct bytes name,
                                     struct bytes value)
{
    *to = (struct http_field){name, value};
    *bytes += name.length + value.length + 4;
    return to + 1;
}

/* One test for room, since each request has them. */
static bool add_own_request_fields(const struct exchange *exchange, struct forward_page *page)
{
    struct http_fields *fields = &page->fields;
    struct text *text = &page->text;
    struct bytes client = client_name(exchange, text);
    struct bytes host =
        forward_trusted_or(exchange, HTTP_HEADER_X_FORWARDED_HOST, exchange->request.authority);
    struct bytes proto =
        forward_trusted_or(exchange, HTTP_HEADER_X_FORWARDED_PROTO, exchange->client.facts->scheme);
    struct http_field *to = fields->rows + fields->count;
    size_t bytes = 0;

    if (fields->count + OWN_FIELDS_MAX > HTTP_FIELDS_MAX) {
        return false;
    }
    to = put(to, &bytes, BYTES("X-Forwarded-For"), forwarded_for(exchange, client, text));
    to = put(to, &bytes, BYTES("X-Forwarded-Proto"), proto);
    if (host.length > 0) {
        to = put(to, &bytes, BYTES("X-Forwarded-Host"), host);
    }
    to = put(to, &bytes, BYTES("Forwarded"), forwarded(exchange, client, text));
    to = put(to, &bytes, BYTES("X-Request-Id"), exchange_request_id(exchange));
    if (!goes_without_via(exchange)) {
        to = put(to, &bytes, BYTES("Via"), forward_via(exchange, exchange->request.version));
    }
    fields->count = (uint32_t)(to - fields->rows);
    fields->bytes += bytes;
    return exchange->client.facts->tls == NULL || add_client_certificate(exchange, fields);
}

/* --- the head ---------------------------------------------------------------------------- */

struct bytes forward_authority(const struct exchange *exchange)
{
    const struct header_edits *edits = &exchange->routing.route->request_headers;

    for (uint32_t i = 0; i < edits->set_count; i++) {
        if (edits->set[i].id == HTTP_HEADER_HOST) {
            return edits->set[i].value;
        }
    }
    return exchange->request.authority;
}

/* The matched prefix gives way to another. Where the path was not in normal form, routing.target
 * has it already. */
static struct bytes rewritten_target(const struct exchange *exchange, struct text *text)
{
    const struct http_request *request = &exchange->request;
    const char *from = text->at;

    path_rewrite(exchange->routing.route, request->path.length > 0 ? request->path : BYTES("/"),
                 text);
    if (request->has_query) {
        text_add_char(text, '?');
        text_add_bytes(text, request->query);
    }
    return text_since(text, from);
}

/* An absolute URI may have a query and no path (RFC 9112 section 3.2.2). */
static struct bytes target_for(const struct exchange *exchange, struct text *text)
{
    const struct http_request *request = &exchange->request;
    const char *from = text->at;

    if (exchange->routing.target.length > 0) {
        return exchange->routing.target;
    }
    if (exchange->routing.route->rewrites_prefix) {
        return rewritten_target(exchange, text);
    }
    if (request->path.length > 0 || bytes_equal(request->target, BYTES("*"))) {
        return request->target;
    }
    text_add_char(text, '/');
    text_add_bytes(text, request->target);
    return text_since(text, from);
}

/* RFC 9110 section 7.6.2: one hop less, for OPTIONS. */
static bool add_max_forwards(const struct exchange *exchange, struct forward_page *page)
{
    const struct http_request *request = &exchange->request;
    const struct http_header *row = http_find(&request->headers, HTTP_HEADER_MAX_FORWARDS);
    uint64_t hops = 0;

    if (row == NULL) {
        return true;
    }
    for (uint32_t i = 0; i < row->value_length && i < 18; i++) {
        if (row->value[i] < '0' || row->value[i] > '9') {
            return true; /* not a number: nothing to count down */
        }
        hops = hops * 10 + (uint64_t)(row->value[i] - '0');
    }
    return http_fields_add(&page->fields, BYTES("Max-Forwards"),
                           text_number(&page->text, hops > 0 ? hops - 1 : 0));
}

/* What of a request is dropped whatever it says, but for what `except` has. */
static void choose_passing_of_request(const struct exchange *exchange, uint64_t also,
                                      uint64_t except, struct forward_passing *passing)
{
    const struct route_settings *route = exchange->routing.route;
    const struct deadline_settings *deadline = &generation_settings(exchange->generation)->deadline;
    uint64_t dropped = REQUEST_DROPPED | also;
    struct bytes name = BYTES("");

    if (!exchange->client.trusted) {
        dropped |= FOR_TRUSTED_ONLY;
    }
    if (deadline->id != HTTP_HEADER_OTHER) {
        dropped |= (uint64_t)1 << deadline->id;
    } else {
        name = bytes_of(deadline->header);
    }
    forward_choose_passing(exchange, &exchange->request.headers, dropped & ~except,
                           &route->request_headers, name, passing);
}

/* Credentials of these schemes count for the connection that brings them (RFC 4559 section 6): the
 * next request on it, of whatever client, would be taken for one of this user. */
static bool binds_connection(const struct http_request *request)
{
    static const struct bytes schemes[] = {BYTES("NTLM"), BYTES("Negotiate")};
    const struct http_header *row = http_find(&request->headers, HTTP_HEADER_AUTHORIZATION);

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        struct bytes value = http_header_value(row);

        if (value.length >= schemes[i].length &&
            bytes_equal_fold(bytes_first(value, schemes[i].length), schemes[i])) {
            return true;
        }
    }
    return false;
}

/* traceparent is written anew; tracestate goes with the trace that it came with. */
static void drop_trace_fields(const struct exchange *exchange, struct forward_passing *passing)
{
    passing->dropped |= FORWARD_BIT(TRACEPARENT);
    if (!exchange->span->facts.has_parent) {
        passing->drops_tracestate = true;
        passing->asks_names = true;
    }
}

/* Not inlined: few requests need it. */
static __attribute__((noinline)) bool put_grpc_timeout(const struct exchange *exchange,
                                                       struct forward_page *page)
{
    http_fields_drop(&page->fields, DEADLINE_GRPC_FIELD);
    return deadline_pass_on_grpc(exchange, &page->fields, &page->text);
}

/* Its length, which its client did not tell, is known by now. A call of gRPC without a message ends by an empty
 * DATA frame all the same: grpc-go's servers wait for it (gRPC over HTTP/2, "Requests": END_STREAM). */
static bool is_gathered(const struct exchange *exchange)
{
    return exchange->request_body.whole && exchange->request.framing == HTTP_CHUNKED &&
           exchange->request_body.trailers == NULL &&
           !(exchange->outcome.is_grpc && exchange->request_body.received == 0);
}

bool forward_request(const struct exchange *exchange, struct forward_page *page,
                     struct request_head *head)
{
    const struct http_request *request = &exchange->request;
    const struct route_settings *route = exchange->routing.route;
    struct forward_passing passing;
    uint64_t also = 0;
    uint64_t except = 0;

    http_fields_clear(&page->fields);
    page->text = text_over(page->scratch, sizeof(page->scratch));
    head->method = request->method_text;
    head->target = target_for(exchange, &page->text);
    head->authority = forward_authority(exchange);
    head->framing = request->framing;
    head->body_length = request->body_length;
    head->upgrades = request->wants_upgrade;
    /* RFC 9110 section 10.1.4. The other members of TE are about the connection's codings. */
    head->takes_trailers = http_has(&request->headers, HTTP_HEADER_TE) &&
                           http_names(&request->headers, HTTP_HEADER_TE, BYTES("trailers"));
    head->binds =
        http_has(&request->headers, HTTP_HEADER_AUTHORIZATION) && binds_connection(request);
    head->fields = &page->fields;
    if (is_gathered(exchange)) {
        head->framing = HTTP_LENGTH_KNOWN;
        head->body_length = exchange->request_body.received;
    }
    if (head->framing != HTTP_CHUNKED) {
        also |= FORWARD_BIT(TRAILER);
    }
    if (request->wants_upgrade) {
        except |= FORWARD_BIT(UPGRADE);
    }
    if (request->expects_continue && !exchange->request_body.whole) {
        except |= FORWARD_BIT(EXPECT); /* RFC 9110 section 10.1.1: it goes on to the origin */
    }
    if (request->method == HTTP_OPTIONS) {
        also |= FORWARD_BIT(MAX_FORWARDS);
    }
    if (goes_without_via(exchange)) {
        also |= FORWARD_BIT(VIA);
    }
    choose_passing_of_request(exchange, also, except, &passing);
    if (exchange->span != NULL) {
        spans_note_target(exchange, head->target);
        drop_trace_fields(exchange, &passing);
    }
    forward_add_passing(&passing, &page->fields);
    return (!exchange->outcome.is_grpc || put_grpc_timeout(exchange, page)) &&
           (request->method != HTTP_OPTIONS || add_max_forwards(exchange, page)) &&
           add_own_request_fields(exchange, page) &&
           (exchange->span == NULL || spans_add_field(exchange, page)) &&
           (exchange->caching == NULL || caching_edit_request(exchange, page)) &&
           (exchange->deadline_us == 0 || deadline_pass_on(exchange, &page->fields, &page->text)) &&
           (!forward_has_additions(&route->request_headers) ||
            forward_add_edits(&route->request_headers, &page->fields)) &&
           !page->text.overflowed;
}
