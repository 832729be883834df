/* SPDX-License-Identifier: BSD-2-Clause */
/* The trailers of a request are decided on when its body ends (exchange.c) and written by each of
 * its attempts (attempt.c), which may be much later: what is kept of them is a copy, in a buffer of
 * the exchange's own. Those of an answer are written at once (attempt.c).
 *
 * Fields that say where a message ends or who sent it are refused by the parser already, and those of
 * answers dropped (http_trailers_are_allowed), so that none of those below ever ends a message. */
#include "exchange/exchange_private.h"

#include "base/check.h"
#include "base/text.h"
#include "http/connection_names.h"

#define NAME(text) \
    { \
        (text), sizeof(text) - 1 \
    }

/* Framing, and what belongs to one connection: of no message. */
static const struct bytes names_of_connection[] = {
    NAME("Connection"), NAME("Content-Length"),    NAME("HTTP2-Settings"),
    NAME("Keep-Alive"), NAME("Proxy-Connection"),  NAME("TE"),
    NAME("Trailer"),    NAME("Transfer-Encoding"), NAME("Upgrade"),
};

/* Names that begin so: who the client is, or which way its request came. */
static const struct bytes prefixes[] = {
    NAME("X-Forwarded-"),
    NAME("Client-Cert"),
    NAME("Proxy-Auth"),
};

/* RFC 9110 section 6.5.1: routing, authentication, request modifiers, response controls and content
 * format; and what the gateway says itself. */
static const struct bytes names[] = {
    /* routing, and what the gateway says of the way */
    NAME("Forwarded"),
    NAME("Host"),
    NAME("Via"),
    NAME("X-Real-IP"),
    NAME("X-Request-Id"),
    NAME("baggage"),
    NAME("traceparent"),
    NAME("tracestate"),
    /* authentication */
    NAME("Authentication-Info"),
    NAME("Authorization"),
    NAME("Cookie"),
    NAME("Set-Cookie"),
    NAME("WWW-Authenticate"),
    /* request modifiers */
    NAME("Expect"),
    NAME("Idempotency-Key"),
    NAME("If-Match"),
    NAME("If-Modified-Since"),
    NAME("If-None-Match"),
    NAME("If-Range"),
    NAME("If-Unmodified-Since"),
    NAME("Max-Forwards"),
    NAME("Range"),
    /* response controls */
    NAME("Age"),
    NAME("Cache-Control"),
    NAME("Expires"),
    NAME("Location"),
    NAME("Pragma"),
    NAME("Retry-After"),
    NAME("Strict-Transport-Security"),
    NAME("Vary"),
    /* content format */
    NAME("Content-Encoding"),
    NAME("Content-Range"),
    NAME("Content-Type"),
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool is_one_of(struct bytes name, const struct bytes *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (http_header_names_meet(name, list[i])) {
            return true;
        }
    }
    return false;
}

static bool is_of_connection(struct bytes name)
{
    return is_one_of(name, names_of_connection, COUNT(names_of_connection));
}

static bool is_for_heads_only(struct bytes name)
{
    for (size_t i = 0; i < COUNT(prefixes); i++) {
        if (name.length >= prefixes[i].length &&
            http_header_names_meet(bytes_first(name, prefixes[i].length), prefixes[i])) {
            return true;
        }
    }
    return is_of_connection(name) || is_one_of(name, names, COUNT(names));
}

static void add_passing(const struct http_headers *trailers, bool (*stays_here)(struct bytes name),
                        const struct header_edits *edits, struct http_fields *fields)
{
    http_fields_clear(fields);
    for (uint32_t i = 0; i < trailers->count; i++) {
        struct bytes name = http_header_name(&trailers->rows[i]);

        if (!stays_here(name) && !forward_is_edited_away(edits, name)) {
            CHECK(http_fields_add(fields, name, http_header_value(&trailers->rows[i])));
        }
    }
}

/* --- of a request ------------------------------------------------------------------------ */

/* Also what its head's Connection names (RFC 9110 section 7.6.1), and the deadline's field, which
 * is ours to say. */
static void choose_of_request(const struct exchange *exchange, const struct http_headers *trailers,
                              struct http_fields *fields)
{
    const char *deadline = generation_settings(exchange->generation)->deadline.header;
    struct http_connection_names names;
    uint32_t kept = 0;

    add_passing(trailers, is_for_heads_only, &exchange->routing.route->request_headers, fields);
    names.count = fields->count;
    for (uint32_t i = 0; i < fields->count; i++) {
        names.names[i] = fields->rows[i].name;
    }
    http_connection_names_find(&names, &exchange->request.headers, &exchange->context->names_key);
    for (uint32_t i = 0; i < fields->count; i++) {
        if (!names.named[i] && !http_header_names_meet(fields->rows[i].name, bytes_of(deadline))) {
            fields->rows[kept++] = fields->rows[i];
        }
    }
    fields->count = kept;
}

static void write_rows(struct buffer *buffer, const struct http_fields *fields)
{
    struct text text = text_over(buffer_tail(buffer), buffer_room(buffer));

    for (uint32_t i = 0; i < fields->count; i++) {
        text_add_bytes(&text, fields->rows[i].name);
        text_add_char(&text, ':');
        text_add_bytes(&text, fields->rows[i].value);
        text_add_char(&text, '\n');
    }
    CHECK(!text.overflowed); /* limits.head_bytes fits a large buffer */
    buffer->end += (uint32_t)text_length(&text);
}

bool trailers_keep(struct exchange *exchange, const struct http_headers *trailers)
{
    struct http_fields fields;
    struct buffer *buffer;

    choose_of_request(exchange, trailers, &fields);
    if (fields.count == 0) {
        return true;
    }
    buffer = buffer_borrow(exchange->context->worker_context->buffers,
                           fields.bytes > BUFFER_SMALL_BYTES - sizeof(*buffer) ? BUFFER_LARGE
                                                                               : BUFFER_SMALL);
    if (buffer == NULL) {
        return false;
    }
    write_rows(buffer, &fields);
    exchange->request_body.trailers = buffer;
    return true;
}

/* Names hold no colon and values no line end: the parser sees to that. */
static struct bytes take_through(struct bytes *text, char mark)
{
    const char *end = memchr(text->at, mark, text->length);
    struct bytes taken;

    CHECK(end != NULL);
    taken = bytes_first(*text, (size_t)(end - text->at));
    *text = bytes_skip(*text, taken.length + 1);
    return taken;
}

const struct http_fields *trailers_kept(const struct exchange *exchange, struct http_fields *fields)
{
    struct bytes text;

    http_fields_clear(fields);
    text = buffer_content(exchange->request_body.trailers);
    while (text.length > 0) {
        struct bytes name = take_through(&text, ':');

        CHECK(http_fields_add(fields, name, take_through(&text, '\n')));
    }
    return fields;
}

/* --- of an answer ------------------------------------------------------------------------ */

/* In gRPC the trailers hold the metadata of a call's end, whatever its names mean in a head of HTTP. */
const struct http_fields *trailers_of_answer(const struct exchange *exchange,
                                             const struct http_headers *trailers,
                                             struct http_fields *fields)
{
    if (exchange->answer.keeps_trailers_here) {
        return NULL;
    }
    add_passing(trailers, exchange->outcome.is_grpc ? is_of_connection : is_for_heads_only,
                &exchange->routing.route->response_headers, fields);
    return fields->count > 0 ? fields : NULL;
}
