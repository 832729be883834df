/* SPDX-License-Identifier: BSD-2-Clause */
/* redirect: of a route, and Location, made of the request and a pattern. The place is on a host that the
 * pattern or the request names, or there is no redirect. */
#include "exchange/reply_private.h"

/* Without a query there is no "?" or "&" that was there only for it. */
static void drop_mark(struct text *text, const char *from, struct bytes *rest)
{
    char before = text->at > from ? text->at[-1] : '\0';

    if (before == '?' && rest->length > 0 && rest->at[0] == '&') {
        *rest = bytes_skip(*rest, 1);
    } else if (before == '?' || before == '&') {
        text->at--;
    }
}

static struct bytes expand(const struct http_request *request, struct bytes path,
                           struct bytes pattern, struct text *text)
{
    const char *from = text->at;

    while (pattern.length > 0) {
        if (bytes_start_with(pattern, BYTES("{host}"))) {
            text_add_bytes(text, request->host);
            pattern = bytes_skip(pattern, 6);
        } else if (bytes_start_with(pattern, BYTES("{path}"))) {
            text_add_bytes(text, path);
            pattern = bytes_skip(pattern, 6);
        } else if (bytes_start_with(pattern, BYTES("{query}"))) {
            pattern = bytes_skip(pattern, 7);
            text_add_bytes(text, request->query);
            if (!request->has_query) {
                drop_mark(text, from, &pattern);
            }
        } else {
            text_add_char(text, pattern.at[0]);
            pattern = bytes_skip(pattern, 1);
        }
    }
    return text_since(text, from);
}

static struct bytes behind_scheme(struct bytes place)
{
    size_t length = bytes_start_with(place, BYTES("https://")) ? 8 : 7; /* "http://" */

    return bytes_skip(place, length < place.length ? length : place.length);
}

/* Browsers take "//" and "/\" for the beginning of a host, and "https:///x" for "https://x". */
static bool is_sound(struct bytes place)
{
    struct bytes rest;

    if (place.length > 0 && place.at[0] == '/') {
        return place.length == 1 || (place.at[1] != '/' && place.at[1] != '\\');
    }
    rest = behind_scheme(place);
    return rest.length > 0 && memchr("/\\?#:", rest.at[0], 5) == NULL;
}

/* "{host}", "{path}" and "{query}" of a pattern stand for those of the request, whose path is given
 * apart. The loader sees to it that only {host} can choose a host (config/read/read_action.c); what
 * comes out is looked at all the same. false: the place would be on no host or on one that neither
 * the pattern nor the request names. */
static bool redirect_place(const struct http_request *request, struct bytes path,
                           struct bytes pattern, struct text *text, struct bytes *place)
{
    if (path.length == 0 || path.at[0] != '/') {
        path = BYTES("/"); /* an absolute URI without one, or "*" */
    }
    *place = expand(request, path, pattern, text);
    return !text->overflowed && is_sound(*place);
}

/* That of the route's normal form, where the guard has put one in its place. */
static struct bytes path_of(const struct exchange *exchange)
{
    struct bytes target = exchange->routing.target;
    const char *mark = target.length > 0 ? memchr(target.at, '?', target.length) : NULL;

    if (target.length == 0) {
        return exchange->request.path;
    }
    return bytes_first(target, mark != NULL ? (size_t)(mark - target.at) : target.length);
}

void reply_redirect(struct exchange *exchange, uint16_t status, struct bytes pattern)
{
    struct forward_page page;
    struct answer_head head;
    struct bytes place;

    reply_begin_page(exchange, &page, &head, status);
    if (!redirect_place(&exchange->request, path_of(exchange), pattern, &page.text, &place)) {
        reply_error(exchange, 400, "http_request_error",
                    "the redirect needs a host, and the request names none");
        return;
    }
    http_fields_add(&page.fields, BYTES("Location"), place);
    forward_common_answer_fields(exchange, &page);
    reply_send(exchange, &head, (struct bytes){0});
}
