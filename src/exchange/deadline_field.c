/* SPDX-License-Identifier: BSD-2-Clause */
/* The header field that carries a deadline from hop to hop: read as the exchange begins
 * (deadline.c), written while the head for the origin is put together (forward.c). */
#include "exchange/deadline.h"

#define MOST_DIGITS 8 /* of milliseconds: a day and more */

const struct deadline_settings *deadline_settings_of(const struct exchange *exchange)
{
    return &generation_settings(exchange->generation)->deadline;
}

bool deadline_wish(const struct exchange *exchange, uint32_t *milliseconds)
{
    const struct http_header *row;

    if (!exchange->client.trusted) {
        return false;
    }
    row = http_find_named(&exchange->request.headers,
                          bytes_of(deadline_settings_of(exchange)->header));
    return row != NULL && bytes_read_decimal(http_header_value(row), MOST_DIGITS, milliseconds);
}

uint32_t deadline_left_ms(const struct exchange *exchange)
{
    uint64_t now_us = loop_now(exchange->desk->bench->loop);

    return exchange->deadline_us > now_us ? (uint32_t)((exchange->deadline_us - now_us) / 1000) : 0;
}

bool deadline_pass_on(const struct exchange *exchange, struct http_fields *fields,
                      struct text *text)
{
    struct bytes name = bytes_of(deadline_settings_of(exchange)->header);
    const char *from = text->at;

    text_add_number(text, deadline_left_ms(exchange));
    return http_fields_add(fields, name, text_since(text, from));
}
