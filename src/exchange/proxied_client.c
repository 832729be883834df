/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists are read from their first element to the last, in one pass whatever their length: each
 * address takes the place of what stood to the left of it, unless it is our own proxy's. */
#include "exchange/proxied_client.h"

#include <string.h>

bool proxied_client_is_trusted(const struct settings *settings, const struct ip *ip)
{
    for (uint32_t i = 0; i < settings->trusted_proxy_count; i++) {
        if (network_contains(&settings->trusted_proxies[i], ip)) {
            return true;
        }
    }
    return false;
}

/* --- one address ---------------------------------------------------------------------------- */

static bool is_port(struct bytes text)
{
    uint32_t port;

    return bytes_read_decimal(text, 5, &port);
}

/* "1.2.3.4", "1.2.3.4:567", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:567". Some proxies add
 * the port to X-Forwarded-For, too. */
static bool parse_node(struct bytes text, struct ip *ip)
{
    const char *colon;
    const char *bracket;
    size_t length;

    if (text.length == 0) {
        return false;
    }
    if (text.at[0] == '[') {
        bracket = memchr(text.at, ']', text.length);
        length = bracket != NULL ? (size_t)(bracket - text.at) : 0;
        if (length == 0 || memchr(text.at, ':', length) == NULL) {
            return false;
        }
        return (length + 1 == text.length ||
                (text.at[length + 1] == ':' && is_port(bytes_skip(text, length + 2)))) &&
               ip_parse(bytes_first(bytes_skip(text, 1), length - 1), ip);
    }
    colon = memchr(text.at, ':', text.length);
    length = colon != NULL ? (size_t)(colon - text.at) : 0;
    if (colon != NULL && memchr(text.at, '.', length) != NULL) {
        return is_port(bytes_skip(text, length + 1)) && ip_parse(bytes_first(text, length), ip);
    }
    return ip_parse(text, ip);
}

/* --- the list so far ------------------------------------------------------------------------ */

struct finding {
    const struct settings *settings;
    struct ip ip;
    bool found;
};

static void note(struct finding *finding, struct bytes node)
{
    struct ip ip;

    if (!parse_node(node, &ip)) {
        finding->found = false;
    } else if (!finding->found || !proxied_client_is_trusted(finding->settings, &ip)) {
        finding->ip = ip;
        finding->found = true;
    }
}

/* Up to the next `mark` outside of quotes, which is taken off the list, too. */
static struct bytes take_until(struct bytes *list, char mark)
{
    struct bytes first;
    bool quoted = false;
    size_t at = 0;

    for (; at < list->length && (quoted || list->at[at] != mark); at++) {
        if (list->at[at] == '"') {
            quoted = !quoted;
        } else if (quoted && list->at[at] == '\\' && at + 1 < list->length) {
            at++;
        }
    }
    first = bytes_trim(bytes_first(*list, at));
    *list = bytes_skip(*list, at < list->length ? at + 1 : at);
    return first;
}

static void read_x_forwarded_for(struct finding *finding, struct bytes list)
{
    while (list.length > 0) {
        struct bytes element = list;
        const char *comma = memchr(list.at, ',', list.length);

        if (comma != NULL) {
            element = bytes_first(list, (size_t)(comma - list.at));
        }
        list = bytes_skip(list, comma != NULL ? element.length + 1 : list.length);
        element = bytes_trim(element);
        if (element.length > 0) {
            note(finding, element);
        }
    }
}

/* RFC 7239 section 4: for=192.0.2.60;proto=https, for="[2001:db8::1]:4711" */
static void read_element(struct finding *finding, struct bytes element)
{
    struct bytes node = {0};

    while (element.length > 0) {
        struct bytes pair = take_until(&element, ';');

        if (pair.length > 4 && bytes_equal_fold(bytes_first(pair, 4), BYTES("for="))) {
            node = bytes_skip(pair, 4);
        }
    }
    if (node.length >= 2 && node.at[0] == '"' && node.at[node.length - 1] == '"') {
        node = bytes_first(bytes_skip(node, 1), node.length - 2);
    }
    note(finding, node);
}

static void read_forwarded(struct finding *finding, struct bytes list)
{
    while (list.length > 0) {
        read_element(finding, take_until(&list, ','));
    }
}

bool proxied_client_find(const struct http_headers *headers, const struct settings *settings,
                         struct ip *ip)
{
    enum http_header_id line = http_find(headers, HTTP_HEADER_X_FORWARDED_FOR) != NULL
                                   ? HTTP_HEADER_X_FORWARDED_FOR
                                   : HTTP_HEADER_FORWARDED;
    struct finding finding = {.settings = settings};

    for (uint32_t i = 0; i < headers->count; i++) {
        if (headers->rows[i].id != line) {
            continue;
        }
        if (line == HTTP_HEADER_FORWARDED) {
            read_forwarded(&finding, http_header_value(&headers->rows[i]));
        } else {
            read_x_forwarded_for(&finding, http_header_value(&headers->rows[i]));
        }
    }
    if (finding.found) {
        *ip = finding.ip;
    }
    return finding.found;
}
