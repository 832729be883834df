/* SPDX-License-Identifier: BSD-2-Clause */
/* A reference is taken apart (RFC 3986 section 4.2), its host is compared with the origin and with
 * the Host that the origin got, and its path goes the way of the route's rewrite backwards. What
 * names another host, or a path that no rewrite leads to, stays as it is. */
#include "exchange/public_place.h"

#include "http/uri.h"

struct reference {
    bool has_authority;
    bool tls; /* of its scheme */
    struct bytes authority;
    struct bytes rest; /* path, query, fragment */
};

static size_t length_until(struct bytes text, const char *ends)
{
    size_t length = 0;

    while (length < text.length && strchr(ends, text.at[length]) == NULL) {
        length++;
    }
    return length;
}

static bool starts_fold(struct bytes text, struct bytes start)
{
    return text.length >= start.length && bytes_equal_fold(bytes_first(text, start.length), start);
}

/* false: relative to the path of the request, or of another scheme; it holds as it is. */
static bool take_apart(struct bytes value, bool origin_tls, struct reference *reference)
{
    size_t scheme = starts_fold(value, BYTES("http://"))    ? 5
                    : starts_fold(value, BYTES("https://")) ? 6
                                                            : 0;
    struct bytes rest = bytes_skip(value, scheme);

    *reference = (struct reference){.tls = scheme > 0 ? scheme == 6 : origin_tls, .rest = value};
    if (!bytes_start_with(rest, BYTES("//"))) {
        return bytes_start_with(value, BYTES("/"));
    }
    rest = bytes_skip(rest, 2);
    reference->has_authority = true;
    reference->authority = bytes_first(rest, length_until(rest, "/?#\\"));
    reference->rest = bytes_skip(rest, reference->authority.length);
    return true;
}

/* --- hosts ------------------------------------------------------------------------------- */

struct end {
    struct bytes host;
    uint32_t port;
};

static bool end_of(struct bytes authority, bool tls, struct end *end)
{
    struct bytes port;

    if (!uri_split_authority(authority, &end->host, &port)) {
        return false;
    }
    end->port = port.length > 0 ? 0 : tls ? 443 : 80;
    for (size_t i = 0; i < port.length; i++) {
        end->port = end->port * 10 + (uint32_t)(port.at[i] - '0');
    }
    if (end->host.length > 1 && end->host.at[end->host.length - 1] == '.') {
        end->host.length--;
    }
    return true;
}

/* An origin that was asked for the client's host often names that, with its own scheme and port. */
static bool names_origin(const struct public_place *place, const struct reference *reference)
{
    struct end named;
    struct end origin;
    struct end sent;
    bool has_origin = end_of(place->origin, place->origin_tls, &origin);

    if (!end_of(reference->authority, reference->tls, &named)) {
        return false;
    }
    if (has_origin && named.port == origin.port && bytes_equal_fold(named.host, origin.host)) {
        return true;
    }
    return end_of(place->sent, reference->tls, &sent) && bytes_equal_fold(named.host, sent.host) &&
           (named.port == sent.port || (has_origin && named.port == origin.port));
}

/* --- paths ------------------------------------------------------------------------------- */

/* The matched prefix takes the place of the new one. false: the path is not below that. */
static bool add_path(const struct route_settings *route, struct bytes rest, struct text *text)
{
    if (!route->rewrites_prefix) {
        text_add_bytes(text, rest);
        return true;
    }
    if (rest.length == 0 || rest.at[0] != '/') { /* "http://host?query" */
        if (route->prefix_rewrite.length > 1) {
            return false;
        }
        text_add_bytes(text, route->path);
        text_add_bytes(text, rest);
        return true;
    }
    if (!bytes_start_with(rest, route->prefix_rewrite)) {
        return false;
    }
    text_add_bytes(text, route->path);
    text_add_bytes(text, bytes_skip(rest, route->prefix_rewrite.length));
    return true;
}

static bool turn_reference(const struct public_place *place, struct bytes value, struct text *text)
{
    struct reference reference;

    if (!take_apart(value, place->origin_tls, &reference)) {
        return false;
    }
    if (reference.has_authority) {
        if (!names_origin(place, &reference)) {
            return false;
        }
        if (place->authority.length > 0) {
            text_add_bytes(text, place->scheme);
            text_add_literal(text, "://");
            text_add_bytes(text, place->authority);
        } else if (reference.rest.length == 0 || bytes_start_with(reference.rest, BYTES("//"))) {
            return false; /* without its host it would say something else */
        }
    }
    return add_path(place->route, reference.rest, text);
}

/* Cookies often name the prefix without its last slash (RFC 6265 section 5.1.4). */
static bool add_cookie_path(const struct route_settings *route, struct bytes path,
                            struct text *text)
{
    struct bytes prefix = route->prefix_rewrite;

    if (prefix.length > 1 && prefix.at[prefix.length - 1] == '/' &&
        bytes_equal(path, bytes_first(prefix, prefix.length - 1))) {
        text_add_bytes(text,
                       bytes_first(route->path, route->path.length > 1 ? route->path.length - 1
                                                                       : route->path.length));
        return true;
    }
    return path.length > 0 && path.at[0] == '/' && add_path(route, path, text);
}

/* The value of the last attribute "Path" (RFC 6265 section 5.2); empty: there is none. */
static struct bytes cookie_path(struct bytes cookie)
{
    struct bytes path = {cookie.at + cookie.length, 0};
    size_t length = length_until(cookie, ";");

    while (length < cookie.length) {
        struct bytes attribute;

        cookie = bytes_skip(cookie, length + 1);
        length = length_until(cookie, ";");
        attribute = bytes_trim(bytes_first(cookie, length));
        if (starts_fold(attribute, BYTES("path="))) {
            path = bytes_trim(bytes_skip(attribute, 5));
        }
    }
    return path;
}

static bool turn_cookie(const struct public_place *place, struct bytes value, struct text *text)
{
    struct bytes path = cookie_path(value);

    if (!place->route->rewrites_prefix || path.length == 0) {
        return false;
    }
    text_add_bytes(text, bytes_first(value, (size_t)(path.at - value.at)));
    if (!add_cookie_path(place->route, path, text)) {
        return false;
    }
    text_add_bytes(text, bytes_skip(value, (size_t)(path.at - value.at) + path.length));
    return true;
}

void public_place_apply(const struct public_place *place, struct http_fields *fields,
                        struct text *text)
{
    for (uint32_t i = 0; i < fields->count; i++) {
        struct http_field *field = &fields->rows[i];
        char *from = text->at;
        bool turned = false;

        if (bytes_equal_fold(field->name, BYTES("Location")) ||
            bytes_equal_fold(field->name, BYTES("Content-Location"))) {
            turned = turn_reference(place, field->value, text);
        } else if (bytes_equal_fold(field->name, BYTES("Set-Cookie"))) {
            turned = turn_cookie(place, field->value, text);
        }
        if (!turned) {
            text->at = from;
            continue;
        }
        fields->bytes += (size_t)(text->at - from);
        field->value = text_since(text, from);
    }
}
