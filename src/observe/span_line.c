/* SPDX-License-Identifier: BSD-2-Clause */
/* Written once for each span, without allocation. 64-bit numbers are texts in OTLP/JSON, and ids are
 * hex digits (opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding"). */
#include "observe/span_line.h"

#include "http/message.h"
#include "http/uri.h"
#include "observe/card_mask.h"
#include "observe/origin_label.h"

#define PATH_MOST 1024
#define NAME_MOST 192

enum span_kind { SPAN_SERVER = 2, SPAN_CLIENT = 3 };
#define STATUS_ERROR "2"

/* Bits 8 and 9 of a span's flags: whether its parent is another process's, and that this is known. */
#define FLAG_SAMPLED 0x001u
#define FLAG_PARENT_KNOWN 0x100u
#define FLAG_PARENT_REMOTE 0x200u

static struct bytes cut(struct bytes text, size_t most)
{
    return text.length > most ? bytes_first(text, most) : text;
}

/* --- attributes -------------------------------------------------------------------------- */

static void begin_attribute(struct text *text, const char *key, const char *type)
{
    if (text->at > text->start && text->at[-1] == '}') {
        text_add_char(text, ',');
    }
    text_add_literal(text, "{\"key\":\"");
    text_add_bytes(text, bytes_of(key));
    text_add_literal(text, "\",\"value\":{\"");
    text_add_bytes(text, bytes_of(type));
    text_add_literal(text, "\":");
}

static void put_text(struct text *text, const char *key, struct bytes value)
{
    if (value.length == 0) {
        return;
    }
    begin_attribute(text, key, "stringValue");
    text_add_char(text, '"');
    text_add_json_cut(text, value, PATH_MOST);
    text_add_literal(text, "\"}}");
}

/* What a client chose may hold a card number, which is masked before it might be cut. */
static void put_from_client(struct text *text, const char *key, struct bytes value, size_t most)
{
    char scratch[PATH_MOST];

    put_text(text, key, card_mask(value, most, scratch));
}

static void put_name(struct text *text, const char *key, const char *value)
{
    if (value != NULL) {
        put_text(text, key, cut(bytes_of(value), NAME_MOST));
    }
}

static void put_number(struct text *text, const char *key, uint64_t number)
{
    begin_attribute(text, key, "intValue");
    text_add_char(text, '"');
    text_add_number(text, number);
    text_add_literal(text, "\"}}");
}

static void put_reached(struct text *text, const char *key, uint64_t microseconds)
{
    if (microseconds != 0) {
        put_number(text, key, microseconds);
    }
}

static void put_flag(struct text *text, const char *key, bool value)
{
    begin_attribute(text, key, "boolValue");
    text_add_bytes(text, value ? BYTES("true}}") : BYTES("false}}"));
}

/* Others than those of the RFCs are one to who groups by it. */
static void put_method(struct text *text, struct bytes method)
{
    if (http_method_of(method) != HTTP_METHOD_OTHER) {
        put_text(text, "http.request.method", method);
        return;
    }
    put_text(text, "http.request.method", BYTES("_OTHER"));
    put_from_client(text, "http.request.method_original", method, NAME_MOST);
}

static void put_port(struct text *text, const char *key, struct bytes port)
{
    uint64_t number = 0;

    for (size_t i = 0; i < port.length && i < 5; i++) {
        number = number * 10 + (uint64_t)(port.at[i] - '0');
    }
    put_reached(text, key, number);
}

/* As a status or, where no answer came, as the kind of failure. */
static void put_error(struct text *text, const char *error, uint16_t status)
{
    static const char key[] = "error.type";

    if (error != NULL) {
        put_name(text, key, error);
    } else if (status != 0) {
        begin_attribute(text, key, "stringValue");
        text_add_char(text, '"');
        text_add_number(text, status);
        text_add_literal(text, "\"}}");
    }
}

/* --- a span's frame ---------------------------------------------------------------------- */

static void put_id(struct text *text, const char *name, const char *id, size_t length)
{
    text_add_char(text, '"');
    text_add_bytes(text, bytes_of(name));
    text_add_literal(text, "\":\"");
    text_add(text, id, length);
    text_add_literal(text, "\",");
}

static void put_time(struct text *text, const char *name, uint64_t microseconds)
{
    text_add_char(text, '"');
    text_add_bytes(text, bytes_of(name));
    text_add_literal(text, "\":\"");
    text_add_number(text, microseconds);
    text_add_literal(text, "000\",");
}

static void begin_span(struct text *text, const struct trace_context *context,
                       const char *parent_id, enum span_kind kind)
{
    bool remote = kind == SPAN_SERVER;

    text_add_char(text, '{');
    put_id(text, "traceId", context->trace_id, TRACE_ID_LENGTH);
    put_id(text, "spanId", context->span_id, SPAN_ID_LENGTH);
    if (parent_id != NULL) {
        put_id(text, "parentSpanId", parent_id, SPAN_ID_LENGTH);
    }
    text_add_literal(text, "\"flags\":");
    text_add_number(text, FLAG_SAMPLED | FLAG_PARENT_KNOWN | (remote ? FLAG_PARENT_REMOTE : 0));
    text_add_literal(text, ",\"kind\":");
    text_add_number(text, kind);
    text_add_char(text, ',');
}

static struct bytes method_word(struct bytes method)
{
    return http_method_of(method) != HTTP_METHOD_OTHER ? method : BYTES("HTTP");
}

static void put_route(struct text *text, const struct span_facts *facts)
{
    struct bytes pattern = facts->pattern.length > 0 ? facts->pattern : BYTES("/");

    text_add_json_cut(text, pattern, PATH_MOST);
    if (facts->pattern_is_prefix || facts->pattern.length == 0) {
        text_add_bytes(text, pattern.at[pattern.length - 1] == '/' ? BYTES("*") : BYTES("/*"));
    }
}

static void end_span(struct text *text, bool failed, const char *why)
{
    text_add_literal(text, "],\"status\":{");
    if (failed) {
        text_add_literal(text, "\"code\":" STATUS_ERROR);
        if (why != NULL) {
            text_add_literal(text, ",\"message\":\"");
            text_add_json_cut(text, bytes_of(why), NAME_MOST);
            text_add_char(text, '"');
        }
    }
    text_add_literal(text, "}}\n");
}

/* --- of the exchange --------------------------------------------------------------------- */

/* What a client does wrong is not an error of the server's span. */
static bool has_failed(const struct outcome *outcome)
{
    switch (outcome->course.end) {
    case OUTCOME_ORIGIN_BROKE:
    case OUTCOME_CUT_BY_TIMEOUT:
    case OUTCOME_CUT_BY_STOP:
    case OUTCOME_GATEWAY_BROKE:
        return true;
    default:
        return outcome->course.status >= 500;
    }
}

/* The port that the client's URL has, said or not. */
static void put_server(struct text *text, const struct outcome *outcome,
                       const struct span_facts *facts)
{
    struct bytes host;
    struct bytes port;

    if (outcome->host.length == 0) {
        return;
    }
    put_from_client(text, "server.address", outcome->host, NAME_MOST);
    if (uri_split_authority(facts->authority, &host, &port) && port.length > 0) {
        put_port(text, "server.port", port);
    } else {
        put_number(text, "server.port", bytes_equal(outcome->scheme, BYTES("https")) ? 443 : 80);
    }
}

static void put_client(struct text *text, const struct ip *client)
{
    char address[ADDRESS_TEXT_MAX];

    if (client != NULL && !ip_is_none(client)) {
        put_text(text, "client.address", (struct bytes){address, ip_format(client, address)});
    }
}

static void put_exchange(struct text *text, const struct outcome *outcome,
                         const struct span_facts *facts)
{
    put_method(text, outcome->method);
    put_text(text, "url.scheme", outcome->scheme);
    put_from_client(text, "url.path", outcome->path, PATH_MOST);
    put_server(text, outcome, facts);
    put_client(text, outcome->client);
    put_text(text, "network.protocol.version", outcome->protocol);
    if (outcome->route != NULL) {
        begin_attribute(text, "http.route", "stringValue");
        text_add_char(text, '"');
        put_route(text, facts);
        text_add_literal(text, "\"}}");
    }
    put_reached(text, "http.response.status_code", outcome->course.status);
    if (has_failed(outcome)) {
        put_error(text, outcome->course.error, outcome->course.status);
    }
    put_name(text, "turnpike.listener", outcome->listener);
    put_name(text, "turnpike.route", outcome->route);
    put_name(text, "turnpike.service", outcome->service);
    put_name(text, "turnpike.origin", outcome->origin);
    put_text(text, "turnpike.outcome", outcome_end_word(outcome->course.end));
    put_number(text, "turnpike.attempts", outcome->course.attempts);
    put_name(text, "turnpike.detail", outcome->course.detail);
    put_from_client(text, "turnpike.request_id", outcome->request_id, NAME_MOST);
}

static void put_link(struct text *text, const struct trace_context *link)
{
    text_add_literal(text, "\"links\":[{");
    put_id(text, "traceId", link->trace_id, TRACE_ID_LENGTH);
    put_id(text, "spanId", link->span_id, SPAN_ID_LENGTH);
    text_add_literal(text, "\"flags\":");
    text_add_number(text,
                    (link->sampled ? FLAG_SAMPLED : 0) | FLAG_PARENT_KNOWN | FLAG_PARENT_REMOTE);
    text_add_literal(text, "}],");
}

static void add_exchange(struct text *text, const struct outcome *outcome,
                         const struct span_facts *facts)
{
    begin_span(text, &facts->own, facts->has_parent ? facts->parent_id : NULL, SPAN_SERVER);
    text_add_literal(text, "\"name\":\"");
    text_add_bytes(text, method_word(outcome->method));
    if (outcome->route != NULL) {
        text_add_char(text, ' ');
        put_route(text, facts);
    }
    text_add_literal(text, "\",");
    put_time(text, "startTimeUnixNano", outcome->course.start_realtime_us);
    put_time(text, "endTimeUnixNano", outcome->course.start_realtime_us + outcome->total_us);
    if (facts->has_link) {
        put_link(text, &facts->link);
    }
    text_add_literal(text, "\"attributes\":[");
    put_exchange(text, outcome, facts);
    end_span(text, has_failed(outcome), outcome->course.detail);
}

/* --- of an attempt ----------------------------------------------------------------------- */

/* Of a name such as "api:80" or "[::1]:80"; a Unix socket's has no port. */
static void split_origin(struct bytes name, struct bytes *host, struct bytes *port)
{
    size_t colon = name.length;

    *host = name;
    *port = BYTES("");
    while (colon > 0 && name.at[colon - 1] != ':') {
        colon--;
    }
    if (bytes_start_with(name, BYTES("unix:"))) {
        *host = bytes_skip(name, 5);
    } else if (colon > 0 && name.at[0] != '/') {
        *host = bytes_first(name, colon - 1);
        *port = bytes_skip(name, colon);
    }
    if (host->length > 2 && host->at[0] == '[') {
        *host = bytes_first(bytes_skip(*host, 1), host->length - 2);
    }
}

/* The place that was asked for, without its query. */
static void put_url(struct text *text, struct bytes authority, const struct span_facts *facts)
{
    char scratch[PATH_MOST];
    char room[2 * PATH_MOST];
    struct text url = text_over(room, sizeof(room));

    text_add_bytes(&url, facts->origin_scheme);
    text_add_literal(&url, "://");
    text_add_bytes(&url, card_mask(authority, NAME_MOST, scratch));
    text_add_bytes(&url, card_mask(facts->origin_target, PATH_MOST, scratch));
    put_text(text, "url.full", text_since(&url, room));
}

static void put_origin(struct text *text, const struct outcome *outcome,
                       const struct span_facts *facts, const char *origin)
{
    struct bytes name = origin_label_name(bytes_of(origin));
    struct bytes peer = origin_label_address(bytes_of(origin));
    struct bytes host;
    struct bytes port;
    struct ip literal;

    split_origin(name, &host, &port);
    put_text(text, "server.address", host);
    put_port(text, "server.port", port);
    put_url(text, port.length > 0 ? name : outcome->host, facts);
    if (peer.length == 0 && ip_parse(host, &literal)) {
        peer = host;
    }
    put_text(text, "network.peer.address", peer);
    if (peer.length > 0) {
        put_port(text, "network.peer.port", port);
    }
}

static void put_attempt(struct text *text, const struct outcome *outcome,
                        const struct span_facts *facts, int index)
{
    const struct outcome_attempt *attempt = outcome->tries[index];

    put_method(text, outcome->method);
    put_origin(text, outcome, facts, attempt->origin);
    if (index > 0) {
        put_number(text, "http.request.resend_count", (uint64_t)index);
    }
    put_reached(text, "http.response.status_code", attempt->status);
    if (attempt->error != NULL || attempt->status >= 400) {
        put_error(text, attempt->error, attempt->status);
    }
    put_name(text, "turnpike.route", outcome->route);
    put_name(text, "turnpike.service", outcome->service);
    put_name(text, "turnpike.origin", attempt->origin);
    put_name(text, "turnpike.delivery", attempt->delivery);
    put_flag(text, "turnpike.reused", attempt->reused);
    put_reached(text, "turnpike.connected_us", attempt->connected_us);
    put_reached(text, "turnpike.sent_us", attempt->sent_us);
    put_reached(text, "turnpike.first_byte_us", attempt->first_byte_us);
}

static void add_attempt(struct text *text, const struct outcome *outcome,
                        const struct span_facts *facts, int index)
{
    const struct outcome_attempt *attempt = outcome->tries[index];
    struct trace_context context = facts->own;

    memcpy(context.span_id, facts->tries[index].span_id, SPAN_ID_LENGTH);
    begin_span(text, &context, facts->own.span_id, SPAN_CLIENT);
    text_add_literal(text, "\"name\":\"");
    text_add_bytes(text, method_word(outcome->method));
    text_add_literal(text, "\",");
    put_time(text, "startTimeUnixNano",
             outcome->course.start_realtime_us + facts->tries[index].began_us);
    put_time(text, "endTimeUnixNano",
             outcome->course.start_realtime_us + facts->tries[index].ended_us);
    text_add_literal(text, "\"attributes\":[");
    put_attempt(text, outcome, facts, index);
    end_span(text, attempt->error != NULL || attempt->status >= 400, attempt->error);
}

void span_line_format(struct text *text, const struct outcome *outcome,
                      const struct span_facts *facts)
{
    add_exchange(text, outcome, facts);
    for (int i = 0; i < outcome->course.attempts; i++) {
        add_attempt(text, outcome, facts, i);
    }
}
