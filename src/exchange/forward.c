/* SPDX-License-Identifier: BSD-2-Clause */
/* Decides field by field; writes nothing itself. */
#include "exchange/exchange_private.h"

#include "cache/stored.h"
#include "exchange/caching.h"
#include "exchange/public_place.h"
#include "route/path_guard.h"

#include "http/connection_names.h"
#include "http/date.h"
#include "http/forwarded.h"
#include "http/uri.h"

#include <time.h>

#define BIT(id) (1ull << HTTP_HEADER_##id)

/* Belong to one connection, or are written anew with the head. */
#define ALWAYS_DROPPED \
    (BIT(CONNECTION) | BIT(KEEP_ALIVE) | BIT(PROXY_CONNECTION) | BIT(TE) | \
     BIT(TRANSFER_ENCODING) | BIT(UPGRADE) | BIT(CONTENT_LENGTH) | BIT(PROXY_AUTHENTICATE) | \
     BIT(PROXY_AUTHORIZATION) | BIT(HTTP2_SETTINGS))

#define REQUEST_DROPPED \
    (ALWAYS_DROPPED | BIT(HOST) | BIT(EXPECT) | BIT(X_FORWARDED_FOR) | BIT(X_FORWARDED_PROTO) | \
     BIT(X_FORWARDED_HOST) | BIT(FORWARDED) | BIT(X_REQUEST_ID) | BIT(CLIENT_CERT) | \
     BIT(CLIENT_CERT_CHAIN) | BIT(DISGUISED))

/* We do not write these, but origins go by them: only a trusted proxy may. */
#define FOR_TRUSTED_ONLY (BIT(X_FORWARDED_ANY) | BIT(X_REAL_IP))

/* --- which fields pass ------------------------------------------------------------------- */

static bool is_in(const struct header_edit *edits, uint32_t count, struct bytes name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (http_header_names_meet(edits[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* Removing and setting both take the old field away, in every spelling that an origin may take for
 * it. */
bool forward_is_edited_away(const struct header_edits *edits, struct bytes name)
{
    return is_in(edits->remove, edits->remove_count, name) ||
           is_in(edits->set, edits->set_count, name);
}

static bool is_source(const struct request_source *sources, uint32_t count, struct bytes name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (sources[i].kind == SOURCE_HEADER && bytes_equal_fold(sources[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* What the gateway went by for this request: the origin is to see the same. */
static bool route_goes_by(const struct route_settings *route, struct bytes name)
{
    const struct split_settings *split = &route->split;

    for (uint32_t i = 0; i < route->header_count; i++) {
        if (bytes_equal_fold(route->headers[i].name, name)) {
            return true;
        }
    }
    return is_source(split->sticky, split->sticky_count, name) ||
           is_source(split->override, split->override_count, name) ||
           is_source(split->pin_headers, split->pin_header_count, name);
}

/* Fields for all recipients that are not in the table of names. */
static bool is_for_all(struct bytes name)
{
    static const struct bytes names[] = {
        BYTES("Cache-Control"), BYTES("Range"),
        BYTES("If-Match"),      BYTES("If-None-Match"),
        BYTES("If-Range"),      BYTES("Origin"),
        BYTES("Referer"),       BYTES("If-Modified-Since"),
        BYTES("ETag"),          BYTES("Vary"),
        BYTES("Pragma"),        BYTES("If-Unmodified-Since"),
        BYTES("Expires"),       BYTES("Last-Modified"),
    };

    if (name.length > 8 && bytes_equal_fold(bytes_first(name, 8), BYTES("Content-"))) {
        return true;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (bytes_equal_fold(names[i], name)) {
            return true;
        }
    }
    return false;
}

/* Connection may not name what is for all recipients (RFC 9110 section 7.6.1). A sender that does
 * so all the same is not obeyed: it would have the gateway go by a field (a key that makes a retry
 * safe) that the origin never sees. Names of the table are such, or are dropped anyway. */
static bool connection_may_name(const struct http_header *row, const struct route_settings *route)
{
    struct bytes name = http_header_name(row);

    return row->id == HTTP_HEADER_OTHER && !is_for_all(name) &&
           (route == NULL || !route_goes_by(route, name));
}

/* The rows that Connection takes away, as a bit for each. */
struct taken_away {
    uint64_t rows[HTTP_HEADERS_MAX / 64];
};

static void find_taken_away(const struct exchange *exchange, const struct http_headers *headers,
                            const struct route_settings *route, struct taken_away *taken)
{
    struct http_connection_names names;

    names.count = headers->count;
    for (uint32_t i = 0; i < headers->count; i++) {
        names.names[i] = http_header_name(&headers->rows[i]);
    }
    http_connection_names_find(&names, headers, &exchange->context->names_key);
    *taken = (struct taken_away){{0}};
    for (uint32_t i = 0; i < headers->count; i++) {
        if (names.named[i] && connection_may_name(&headers->rows[i], route)) {
            taken->rows[i / 64] |= (uint64_t)1 << i % 64;
        }
    }
}

/* Which fields of a message do not go on. */
struct passing {
    const struct http_headers *headers; /* of its head */
    uint64_t dropped;                   /* a bit for each id */
    const struct header_edits *edits;
    struct bytes dropped_name; /* one without an id; empty: none */
    bool drops_tracestate;
    bool named;              /* Connection names fields */
    bool asks_names;         /* one of these has to look at names */
    struct taken_away taken; /* where it names fields */
};

static void choose_passing(const struct exchange *exchange, const struct http_headers *headers,
                           uint64_t dropped, const struct header_edits *edits,
                           struct bytes dropped_name, struct passing *passing)
{
    bool named = http_connection_names_fields(headers);
    bool edited = edits != NULL && edits->remove_count + edits->set_count > 0;

    passing->headers = headers;
    passing->dropped = dropped;
    passing->edits = edited ? edits : NULL;
    passing->dropped_name = dropped_name;
    passing->drops_tracestate = false;
    passing->named = named;
    passing->asks_names = named || edited || dropped_name.length > 0;
    if (named) {
        find_taken_away(exchange, headers, exchange->routing.route, &passing->taken);
    }
}

static bool is_taken_away(const struct passing *passing, const struct http_header *row)
{
    size_t i = (size_t)(row - passing->headers->rows);

    return passing->named && (passing->taken.rows[i / 64] >> i % 64 & 1) != 0;
}

static bool name_passes(const struct passing *passing, const struct http_header *row)
{
    struct bytes name = http_header_name(row);

    return !is_taken_away(passing, row) &&
           !(passing->edits != NULL && forward_is_edited_away(passing->edits, name)) &&
           !(passing->dropped_name.length > 0 &&
             http_header_names_meet(passing->dropped_name, name)) &&
           !(passing->drops_tracestate && bytes_equal_fold(name, BYTES("tracestate")));
}

/* Names that are not in the table are never among those dropped by id. */
static bool passes(const struct passing *passing, const struct http_header *row)
{
    return (passing->dropped >> row->id & 1) == 0 &&
           (!passing->asks_names || name_passes(passing, row));
}

/* There is room for all fields of a head, and some more. */
_Static_assert(HTTP_FIELDS_MAX >= HTTP_HEADERS_MAX, "see add_passing");

/* `fields` is empty. */
static void add_passing(const struct passing *passing, struct http_fields *fields)
{
    const struct http_header *row = passing->headers->rows;
    const struct http_header *end = row + passing->headers->count;
    struct http_field *to = fields->rows;
    size_t bytes = 0;

    for (; row < end; row++) {
        if (passes(passing, row)) {
            *to++ = (struct http_field){http_header_name(row), http_header_value(row)};
            bytes += row->name_length + (size_t)row->value_length + 4;
        }
    }
    fields->count = (uint32_t)(to - fields->rows);
    fields->bytes = bytes;
}

static bool has_additions(const struct header_edits *edits)
{
    return edits->set_count + edits->add_count > 0;
}

static bool add_edits(const struct header_edits *edits, struct http_fields *fields)
{
    bool fits = true;

    for (uint32_t i = 0; fits && i < edits->set_count; i++) {
        if (edits->set[i].id != HTTP_HEADER_HOST) {
            fits = http_fields_add(fields, edits->set[i].name, edits->set[i].value);
        }
    }
    for (uint32_t i = 0; fits && i < edits->add_count; i++) {
        fits = http_fields_add(fields, edits->add[i].name, edits->add[i].value);
    }
    return fits;
}

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

/* A single value: that of a trusted proxy, else our own. */
static struct bytes trusted_or(const struct exchange *exchange, enum http_header_id id,
                               struct bytes own)
{
    const struct http_header *row = NULL;

    if (exchange->client.trusted) {
        row = http_find(&exchange->request.headers, id);
    }
    return row != NULL && row->value_length > 0 ? http_header_value(row) : own;
}

static struct bytes via(const struct exchange *exchange, enum http_version version)
{
    return exchange->context->via.value[version];
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
        trusted_or(exchange, HTTP_HEADER_X_FORWARDED_HOST, exchange->request.authority);
    struct bytes proto =
        trusted_or(exchange, HTTP_HEADER_X_FORWARDED_PROTO, exchange->client.facts->scheme);
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
        to = put(to, &bytes, BYTES("Via"), via(exchange, exchange->request.version));
    }
    fields->count = (uint32_t)(to - fields->rows);
    fields->bytes += bytes;
    return exchange->client.facts->tls == NULL || add_client_certificate(exchange, fields);
}

/* --- the request ------------------------------------------------------------------------- */

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

static struct bytes authority_for(const struct exchange *exchange)
{
    const struct header_edits *edits = &exchange->routing.route->request_headers;

    for (uint32_t i = 0; i < edits->set_count; i++) {
        if (edits->set[i].id == HTTP_HEADER_HOST) {
            return edits->set[i].value;
        }
    }
    return exchange->request.authority;
}

/* What of a request is dropped whatever it says, but for what `except` has. */
static void choose_passing_of_request(const struct exchange *exchange, uint64_t also,
                                      uint64_t except, struct passing *passing)
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
    choose_passing(exchange, &exchange->request.headers, dropped & ~except, &route->request_headers,
                   name, passing);
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
static void drop_trace_fields(const struct exchange *exchange, struct passing *passing)
{
    passing->dropped |= BIT(TRACEPARENT);
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

bool forward_request(const struct exchange *exchange, struct forward_page *page,
                     struct request_head *head)
{
    const struct http_request *request = &exchange->request;
    const struct route_settings *route = exchange->routing.route;
    struct passing passing;
    uint64_t also = 0;
    uint64_t except = 0;

    http_fields_clear(&page->fields);
    page->text = text_over(page->scratch, sizeof(page->scratch));
    head->method = request->method_text;
    head->target = target_for(exchange, &page->text);
    head->authority = authority_for(exchange);
    head->framing = request->framing;
    head->body_length = request->body_length;
    head->upgrades = request->wants_upgrade;
    /* RFC 9110 section 10.1.4. The other members of TE are about the connection's codings. */
    head->takes_trailers = http_has(&request->headers, HTTP_HEADER_TE) &&
                           http_names(&request->headers, HTTP_HEADER_TE, BYTES("trailers"));
    head->binds =
        http_has(&request->headers, HTTP_HEADER_AUTHORIZATION) && binds_connection(request);
    head->fields = &page->fields;
    if (exchange->request_body.whole && request->framing == HTTP_CHUNKED &&
        exchange->request_body.trailers == NULL) {
        head->framing = HTTP_LENGTH_KNOWN; /* gathered: its length is known by now */
        head->body_length = exchange->request_body.received;
    }
    if (head->framing != HTTP_CHUNKED) {
        also |= BIT(TRAILER);
    }
    if (request->wants_upgrade) {
        except |= BIT(UPGRADE);
    }
    if (request->expects_continue && !exchange->request_body.whole) {
        except |= BIT(EXPECT); /* RFC 9110 section 10.1.1: it goes on to the origin */
    }
    if (request->method == HTTP_OPTIONS) {
        also |= BIT(MAX_FORWARDS);
    }
    if (goes_without_via(exchange)) {
        also |= BIT(VIA);
    }
    choose_passing_of_request(exchange, also, except, &passing);
    if (exchange->span != NULL) {
        spans_note_target(exchange, head->target);
        drop_trace_fields(exchange, &passing);
    }
    add_passing(&passing, &page->fields);
    return (!exchange->outcome.is_grpc || put_grpc_timeout(exchange, page)) &&
           (request->method != HTTP_OPTIONS || add_max_forwards(exchange, page)) &&
           add_own_request_fields(exchange, page) &&
           (exchange->span == NULL || spans_add_field(exchange, page)) &&
           (exchange->caching == NULL || caching_edit_request(exchange, page)) &&
           (exchange->deadline_us == 0 || deadline_pass_on(exchange, &page->fields, &page->text)) &&
           (!has_additions(&route->request_headers) ||
            add_edits(&route->request_headers, &page->fields)) &&
           !page->text.overflowed;
}

/* --- the answer -------------------------------------------------------------------------- */

/* Written out once a second and worker. */
bool forward_add_date(const struct exchange *exchange, struct forward_page *page)
{
    struct exchange_context *context = exchange->context;
    uint64_t second =
        (exchange->outcome.start_realtime_us + exchange_elapsed_us(exchange)) / 1000000;

    if (context->date.second != second) {
        http_date_format((time_t)second, context->date.text);
        context->date.second = second;
    }
    return http_fields_add(&page->fields, BYTES("Date"),
                           (struct bytes){context->date.text, HTTP_DATE_LENGTH});
}

#define HSTS BYTES("Strict-Transport-Security")

/* RFC 6797 section 7.1: one field in each answer over TLS, ours and no other. */
static bool add_hsts(const struct exchange *exchange, struct forward_page *page)
{
    const struct listener_rules *rules = exchange->client.facts->rules;

    if (rules == NULL || rules->hsts.length == 0) {
        return true;
    }
    http_fields_drop(&page->fields, HSTS);
    return http_fields_add(&page->fields, HSTS, rules->hsts);
}

/* Whether no shared cache stores it as it is (RFC 9111 section 3). */
static bool is_private(const struct http_fields *fields)
{
    for (uint32_t i = 0; i < fields->count; i++) {
        struct bytes list = fields->rows[i].value;
        struct bytes member;

        if (!bytes_equal_fold(fields->rows[i].name, BYTES("Cache-Control"))) {
            continue;
        }
        if (bytes_equal(list, BYTES("no-store"))) {
            return true; /* as the gateway itself writes it */
        }
        while (http_list_next(&list, &member)) {
            if (bytes_equal_fold(member, BYTES("private")) ||
                bytes_equal_fold(member, BYTES("no-store"))) {
                return true;
            }
        }
    }
    return false;
}

/* It is one user's: out of a shared cache it would make one user of many. */
static bool add_cookie(const struct exchange *exchange, struct http_fields *fields)
{
    return http_fields_add(fields, BYTES("Set-Cookie"), exchange->answer.cookie) &&
           (is_private(fields) ||
            http_fields_add(fields, BYTES("Cache-Control"), BYTES("private")));
}

bool forward_common_answer_fields(const struct exchange *exchange, struct forward_page *page)
{
    const struct route_settings *route = exchange->routing.route;

    return http_fields_add(&page->fields, BYTES("X-Request-Id"), exchange_request_id(exchange)) &&
           add_hsts(exchange, page) &&
           (exchange->answer.cookie.length == 0 || add_cookie(exchange, &page->fields)) &&
           (route == NULL || !has_additions(&route->response_headers) ||
            add_edits(&route->response_headers, &page->fields));
}

/* An answer to gRPC that is a head alone stays one, without a Content-Length. */
static enum http_framing answer_framing(const struct exchange *exchange,
                                        const struct http_response *response)
{
    if (response->framing == HTTP_NO_BODY && !exchange->outcome.is_grpc &&
        !http_status_forbids_body(response->status) && exchange->request.method != HTTP_HEAD) {
        return HTTP_LENGTH_KNOWN;
    }
    return response->framing;
}

/* HEAD and 304 may say how long the body would be (RFC 9110 section 8.6). */
static void report_length_of_absent_body(const struct http_response *response,
                                         struct answer_head *head)
{
    head->reports_length = head->framing == HTTP_NO_BODY && response->status != 204 &&
                           response->status >= 200 &&
                           http_has(&response->headers, HTTP_HEADER_CONTENT_LENGTH);
}

static bool is_authority(struct bytes text)
{
    struct bytes host;
    struct bytes port;

    return uri_split_authority(text, &host, &port);
}

/* The place that the client used: what a trusted proxy says of it, where that is one. */
static void turn_to_public_place(const struct exchange *exchange, struct forward_page *page)
{
    struct bytes own = exchange->client.facts->scheme;
    struct bytes scheme = trusted_or(exchange, HTTP_HEADER_X_FORWARDED_PROTO, own);
    struct bytes authority =
        trusted_or(exchange, HTTP_HEADER_X_FORWARDED_HOST, exchange->request.authority);
    const struct stored *stored = exchange->caching != NULL ? caching_serves(exchange) : NULL;
    bool known = bytes_equal(scheme, BYTES("https")) || bytes_equal(scheme, BYTES("http"));
    const struct public_place place = {
        .route = exchange->routing.route,
        .origin =
            bytes_of(stored != NULL ? stored->origin : origin_name(exchange->attempt->origin)),
        .origin_tls = stored != NULL ? stored->origin_tls : exchange->routing.service->tls.on,
        .sent = authority_for(exchange),
        .scheme = known ? scheme : own,
        .authority = is_authority(authority) ? authority : exchange->request.authority,
    };

    public_place_apply(&place, &page->fields, &page->text);
}

bool forward_answer(const struct exchange *exchange, const struct http_response *response,
                    struct forward_page *page, struct answer_head *head)
{
    const struct header_edits *edits =
        exchange->routing.route != NULL ? &exchange->routing.route->response_headers : NULL;
    uint64_t dropped = ALWAYS_DROPPED | BIT(X_REQUEST_ID);
    struct passing passing;

    http_fields_clear(&page->fields);
    page->text = text_over(page->scratch, sizeof(page->scratch));
    memset(head, 0, sizeof(*head));
    head->status = response->status;
    head->reason = response->reason;
    head->fields = &page->fields;
    head->upgrades = response->status == 101;
    head->framing = answer_framing(exchange, response);
    head->body_length = response->body_length;
    head->goes_on = response->goes_on;
    report_length_of_absent_body(response, head);
    if (head->upgrades) {
        dropped &= ~BIT(UPGRADE);
    }
    if (head->framing != HTTP_CHUNKED) {
        dropped |= BIT(TRAILER);
    }
    choose_passing(exchange, &response->headers, dropped, edits, BYTES(""), &passing);
    add_passing(&passing, &page->fields);
    if (exchange->routing.route != NULL && exchange->routing.route->rewrites_location) {
        turn_to_public_place(exchange, page);
    }
    if (response->status >= 200 && !http_has(&response->headers, HTTP_HEADER_DATE) &&
        !forward_add_date(exchange, page)) {
        return false; /* RFC 9110 section 6.6.1: a recipient with a clock adds it */
    }
    return http_fields_add(&page->fields, BYTES("Via"), via(exchange, response->version)) &&
           forward_common_answer_fields(exchange, page) && !page->text.overflowed;
}
