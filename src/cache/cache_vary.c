/* SPDX-License-Identifier: BSD-2-Clause */
#include "cache/cache_vary.h"

static bool is_ours(struct bytes name)
{
    switch (http_header_id_of(name.at, name.length)) {
    case HTTP_HEADER_CLIENT_CERT:
    case HTTP_HEADER_CLIENT_CERT_CHAIN:
    case HTTP_HEADER_CONNECTION:
    case HTTP_HEADER_FORWARDED:
    case HTTP_HEADER_TRACEPARENT:
    case HTTP_HEADER_VIA:
    case HTTP_HEADER_X_FORWARDED_FOR:
    case HTTP_HEADER_X_REAL_IP:
    case HTTP_HEADER_X_REQUEST_ID:
    case HTTP_HEADER_X_REQUEST_TIMEOUT_MS:
        return true;
    default:
        return false;
    }
}

static bool is_token(struct bytes name)
{
    static const char others[] = "!#$%&'+-.^_`|~";

    for (size_t i = 0; i < name.length; i++) {
        char byte = name.at[i];
        bool plain = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                     (byte >= 'A' && byte <= 'Z') ||
                     (byte != '\0' && memchr(others, byte, sizeof(others) - 1) != NULL);

        if (!plain) {
            return false; /* "*" among them */
        }
    }
    return name.length > 0;
}

bool cache_vary_is_plain(struct bytes value)
{
    struct bytes name;

    while (http_list_next(&value, &name)) {
        if (!is_token(name) || is_ours(name)) {
            return false;
        }
    }
    return true;
}

void cache_vary_add_names(const struct http_headers *headers, struct text *text)
{
    for (uint32_t i = 0; i < headers->count; i++) {
        struct bytes list = http_header_value(&headers->rows[i]);
        struct bytes name;

        if (headers->rows[i].id != HTTP_HEADER_OTHER ||
            !bytes_equal_fold(http_header_name(&headers->rows[i]), BYTES("Vary"))) {
            continue;
        }
        while (http_list_next(&list, &name)) {
            text_add_bytes(text, name);
            text_add_char(text, ',');
        }
    }
}

/* No value has a line's end in it. A field that is absent differs from an empty one, and one in two
 * lines from both in one. */
static void add_values(struct bytes name, const struct http_headers *headers, struct text *text)
{
    for (uint32_t i = 0; i < headers->count; i++) {
        if (bytes_equal_fold(http_header_name(&headers->rows[i]), name)) {
            text_add_char(text, '\r');
            text_add_bytes(text, http_header_value(&headers->rows[i]));
        }
    }
    text_add_char(text, '\n');
}

void cache_vary_add_key(struct bytes names, const struct http_headers *headers, struct text *text)
{
    struct bytes name;

    while (http_list_next(&names, &name)) {
        add_values(name, headers, text);
    }
}
