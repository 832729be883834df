/* SPDX-License-Identifier: BSD-2-Clause */
/* Under which key the answer to a request is stored and waited for: all that chooses the answer and that
 * the answer itself does not name (Vary). Called by caching.c. No field value has a '\r' in it, so that what
 * stands behind one is never taken for a part of the URI. */
#include "exchange/caching.h"
#include "http/forwarded.h"

/* --- the URI --------------------------------------------------------------------------------- */

static void add_forwarded_element(struct bytes element, struct text *text)
{
    struct bytes rest = element;
    struct bytes name;
    struct bytes value;

    while (rest.length > 0) {
        if (!http_forwarded_take_pair(&rest, &name, &value)) {
            text_add_char(text, '\r');
            text_add_bytes(text, element);
            return;
        }
        if (bytes_equal_fold(name, BYTES("proto")) || bytes_equal_fold(name, BYTES("host"))) {
            text_add_char(text, '\r');
            text_add_lower(text, name);
            text_add_char(text, '=');
            text_add_lower(text, value);
        }
    }
}

/* The origin reads scheme and host there too, where a trusted client says them so (RFC 7239 sections 5.3 and
 * 5.4); which of several elements it believes is not known here. */
static void add_forwarded(const struct exchange *exchange, struct text *text)
{
    const struct http_headers *headers = &exchange->request.headers;
    struct bytes element;

    if (!exchange->client.trusted || !http_has(headers, HTTP_HEADER_FORWARDED)) {
        return;
    }
    for (uint32_t i = 0; i < headers->count; i++) {
        struct bytes list = http_header_value(&headers->rows[i]);

        while (headers->rows[i].id == HTTP_HEADER_FORWARDED && http_list_next(&list, &element)) {
            add_forwarded_element(element, text);
        }
    }
}

/* With what the origin is told of scheme and host: its answer may name them. */
static struct bytes write_uri(const struct exchange *exchange, struct text *text)
{
    const struct http_request *request = &exchange->request;
    struct bytes host =
        forward_trusted_or(exchange, HTTP_HEADER_X_FORWARDED_HOST, request->authority);
    const char *from = text->at;

    text_add_lower(text, forward_trusted_or(exchange, HTTP_HEADER_X_FORWARDED_PROTO,
                                            exchange->client.facts->scheme));
    text_add_literal(text, "://");
    text_add_lower(text, host);
    if (request->path.length == 0) {
        text_add_char(text, '/');
    }
    text_add_bytes(text, request->target);
    if (!bytes_equal(host, request->authority)) {
        text_add_char(text, '\n');
        text_add_lower(text, request->authority);
    }
    add_forwarded(exchange, text);
    return text_since(text, from);
}

/* --- who asks -------------------------------------------------------------------------------- */

/* Called for each field that tells the clients of a route apart, and that the request may carry. */
typedef bool identity_field(const struct http_headers *headers, struct bytes name,
                            struct text *text);

static bool is_carried(const struct http_headers *headers, struct bytes name, struct text *text)
{
    (void)text;
    return http_find_named(headers, name) != NULL;
}

static bool add_values(const struct http_headers *headers, struct bytes name, struct text *text)
{
    cache_vary_add_key(name, headers, text);
    return false;
}

/* Authorization and Cookie have options that say whether such requests take part. */
static bool any_source(const struct request_source *sources, uint32_t count, identity_field *field,
                       const struct http_headers *headers, struct text *text)
{
    for (uint32_t i = 0; i < count; i++) {
        if (sources[i].kind == SOURCE_HEADER && sources[i].id != HTTP_HEADER_AUTHORIZATION &&
            sources[i].id != HTTP_HEADER_COOKIE && field(headers, sources[i].name, text)) {
            return true;
        }
    }
    return false;
}

/* Whether `field` is true of one of them; it is asked of no more then. */
static bool any_identity(const struct exchange *exchange, identity_field *field, struct text *text)
{
    const struct route_settings *route = exchange->routing.route;
    const struct http_headers *headers = &exchange->request.headers;

    if (field(headers, BYTES("X-Api-Key"), text) ||
        any_source(route->fair_by, route->fair_by_count, field, headers, text)) {
        return true;
    }
    for (uint32_t i = 0; i < route->rate_limit_count; i++) {
        if (any_source(route->rate_limits[i].key, route->rate_limits[i].key_count, field, headers,
                       text)) {
            return true;
        }
    }
    return false;
}

/* The number of changes of the URI stands before the values: an unsafe request makes the answers of all
 * clients unreachable without knowing their values (RFC 9111 section 4.4). Most requests carry none. */
static void add_identity(const struct exchange *exchange, uint64_t uri_hash, struct text *text)
{
    if (any_identity(exchange, is_carried, text)) {
        text_add_char(text, '\r');
        text_add_number(text, cache_store_epoch(uri_hash));
        text_add_char(text, '\n');
        any_identity(exchange, add_values, text);
    }
}

/* --- the key --------------------------------------------------------------------------------- */

/* Not inlined, like all that needs so much room on the stack. */
__attribute__((noinline)) bool caching_make_key(struct exchange *exchange, struct caching *caching)
{
    char room[CACHE_KEY_MOST];
    struct text text = text_over(room, sizeof(room));
    struct bytes key;
    size_t uri_length;

    text_add_char(&text, CACHE_KEY_GET);
    uri_length = write_uri(exchange, &text).length;
    caching->uri_hash = cache_hash(text_since(&text, room));
    add_identity(exchange, caching->uri_hash, &text);
    key = text_since(&text, room);
    if (text.overflowed || !exchange_keep(exchange, &key)) {
        return false;
    }
    caching->primary = key;
    caching->uri = bytes_first(bytes_skip(key, 1), uri_length);
    caching_key_for(caching,
                    exchange->request.method == HTTP_HEAD ? CACHE_KEY_HEAD : CACHE_KEY_GET);
    return true;
}

/* What throws a URI out does so for both methods, so that the changes of GET's key tell those of a
 * client's own key too. */
void caching_key_for(struct caching *caching, char method)
{
    bool is_identified = caching->primary.length > caching->uri.length + 1;

    ((char *)caching->primary.at)[0] = method;
    caching->primary_hash = cache_hash(caching->primary);
    caching->key = caching->primary;
    caching->hash = caching->primary_hash;
    if (!is_identified) {
        caching->uri_hash = caching->primary_hash;
    }
}

/* The key of the answers to requests like this one, where `marker` says what they vary by. */
__attribute__((noinline)) bool caching_make_variant_key(struct exchange *exchange,
                                                        struct caching *caching,
                                                        const struct stored *marker)
{
    char room[2 * CACHE_KEY_MOST];
    struct text text = text_over(room, sizeof(room));
    struct bytes key;

    text_add_bytes(&text, caching->primary);
    text_add_char(&text, '\n');
    text_add_number(&text, marker->number);
    text_add_char(&text, '\n');
    cache_vary_add_key(marker->body, &exchange->request.headers, &text);
    key = text_since(&text, room);
    if (text.overflowed || !exchange_keep(exchange, &key)) {
        return false;
    }
    caching->key = key;
    caching->hash = cache_hash(caching->key);
    return true;
}

/* --- what changes something ------------------------------------------------------------------ */

__attribute__((noinline)) void caching_invalidate(const struct exchange *exchange)
{
    char room[CACHE_KEY_MOST];
    struct text text = text_over(room, sizeof(room));
    struct bytes uri = write_uri(exchange, &text);

    if (!text.overflowed) {
        cache_store_invalidate(uri);
    }
}

__attribute__((noinline)) struct bytes caching_keep_uri(struct exchange *exchange)
{
    char room[CACHE_KEY_MOST];
    struct text text = text_over(room, sizeof(room));
    struct bytes uri = write_uri(exchange, &text);

    return !text.overflowed && exchange_keep(exchange, &uri) ? uri : (struct bytes){NULL, 0};
}
