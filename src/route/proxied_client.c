/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists are read from their last element to the first, as far as each was written by a proxy of ours:
 * what stands before that may be any client's, and must not change how the rest is read. One pass
 * whatever their length. */
#include "route/proxied_client.h"

#include "http/forwarded.h"

#include <string.h>

bool proxied_client_is_trusted(const struct settings *settings, const struct ip *ip)
{
    return networks_contain(settings->trusted_proxies, settings->trusted_proxy_count, ip);
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

/* --- the lists ------------------------------------------------------------------------------ */

struct finding {
    const struct settings *settings;
    struct ip ip;
    bool found;
};

/* true: one of our proxies is named, and has written what stands before. */
static bool note(struct finding *finding, struct bytes node)
{
    struct ip ip;

    if (!parse_node(node, &ip)) {
        return false;
    }
    finding->ip = ip;
    finding->found = true;
    return proxied_client_is_trusted(finding->settings, &ip);
}

/* false: what stands before counts for nothing. */
static bool read_x_forwarded_for(struct finding *finding, struct bytes list)
{
    while (list.length > 0) {
        const char *comma = memrchr(list.at, ',', list.length);
        size_t start = comma != NULL ? (size_t)(comma - list.at) + 1 : 0;
        struct bytes element = bytes_trim(bytes_skip(list, start));

        list.length = start > 0 ? start - 1 : 0;
        if (element.length > 0 && !note(finding, element)) {
            return false;
        }
    }
    return true;
}

static bool read_forwarded(struct finding *finding, struct bytes list)
{
    struct bytes node;

    while (http_forwarded_take_last(&list, &node)) {
        if (!note(finding, node)) {
            return false;
        }
    }
    return list.length == 0;
}

bool proxied_client_find(const struct http_headers *headers, const struct settings *settings,
                         struct ip *ip)
{
    enum http_header_id line = http_has(headers, HTTP_HEADER_X_FORWARDED_FOR)
                                   ? HTTP_HEADER_X_FORWARDED_FOR
                                   : HTTP_HEADER_FORWARDED;
    struct finding finding = {.settings = settings};
    bool goes_on = true;

    for (uint32_t i = headers->count; goes_on && i > 0; i--) {
        const struct http_header *row = &headers->rows[i - 1];

        if (row->id == line) {
            goes_on = line == HTTP_HEADER_FORWARDED
                          ? read_forwarded(&finding, http_header_value(row))
                          : read_x_forwarded_for(&finding, http_header_value(row));
        }
    }
    if (finding.found) {
        *ip = finding.ip;
    }
    return finding.found;
}
