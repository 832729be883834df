/* SPDX-License-Identifier: BSD-2-Clause */
/* Values are copied, so that they outlive the buffers that they came in, and the client. */
#include "exchange/exchange_private.h"

#include "observe/card_mask.h"

static const struct access_log_settings *settings_of(const struct exchange *exchange)
{
    return &generation_settings(exchange->generation)->access_log;
}

/* Card numbers are masked before the value is cut: half of one would not be known for what it is. */
static struct bytes keep(struct exchange *exchange, struct bytes value)
{
    char scratch[ACCESS_VALUE_MAX];
    struct bytes masked = card_mask(value, sizeof(scratch), scratch);

    return exchange_keep(exchange, &masked) ? masked : BYTES("");
}

/* --- of the request ---------------------------------------------------------------------- */

/* "https://joe:word@shop.example/" begins with its host then. */
static struct bytes without_user(struct bytes url)
{
    const char *authority = memmem(url.at, url.length, "//", 2);
    size_t start = authority != NULL ? (size_t)(authority - url.at) + 2 : 0;
    size_t end = start;

    for (size_t i = start; i < url.length && url.at[i] != '/'; i++) {
        end = url.at[i] == '@' ? i + 1 : end;
    }
    return end > start ? bytes_skip(url, end) : url;
}

/* A referer's query has values as ours has. */
static struct bytes without_query(struct bytes url)
{
    for (size_t i = 0; i < url.length; i++) {
        if (url.at[i] == '?' || url.at[i] == '#') {
            return bytes_first(url, i);
        }
    }
    return url;
}

static struct bytes header_value(const struct http_headers *headers, struct bytes name)
{
    const struct http_header *row = http_find_named(headers, name);
    struct bytes value = row != NULL ? http_header_value(row) : BYTES("");

    return bytes_equal_fold(name, BYTES("referer")) ? without_user(without_query(value)) : value;
}

/* "a,b" of "a=1&b=2". What has no "=" may be a value without a name. */
static struct bytes query_keys(struct bytes query, char scratch[static ACCESS_VALUE_MAX])
{
    struct text text = text_over(scratch, ACCESS_VALUE_MAX);

    while (query.length > 0 && !text.overflowed) {
        const char *end = memchr(query.at, '&', query.length);
        struct bytes pair =
            bytes_first(query, end != NULL ? (size_t)(end - query.at) : query.length);
        const char *equals = memchr(pair.at, '=', pair.length);

        if (equals != NULL && equals > pair.at) {
            text_add_bytes(&text, text_length(&text) > 0 ? BYTES(",") : BYTES(""));
            text_add_bytes(&text, bytes_first(pair, (size_t)(equals - pair.at)));
        }
        query = bytes_skip(query, end != NULL ? pair.length + 1 : pair.length);
    }
    return text_since(&text, scratch);
}

static struct bytes handshake_time(const struct tls_facts *tls,
                                   char scratch[static ACCESS_VALUE_MAX])
{
    struct text text = text_over(scratch, ACCESS_VALUE_MAX);

    return text_number(&text, tls->handshake_ms);
}

static struct bytes value_of(const struct exchange *exchange, const struct access_field *field,
                             char scratch[static ACCESS_VALUE_MAX])
{
    const struct tls_facts *tls = exchange->client.facts->tls;

    switch (field->kind) {
    case ACCESS_FIELD_REQUEST_HEADER:
        return header_value(&exchange->request.headers, field->header);
    case ACCESS_FIELD_QUERY_KEYS:
        return query_keys(exchange->request.query, scratch);
    case ACCESS_FIELD_SERVER_NAME:
        return tls != NULL && tls->name != NULL ? bytes_of(tls->name) : BYTES("");
    case ACCESS_FIELD_CLIENT_SUBJECT:
        return tls != NULL && tls->client != NULL ? tls->client->subject : BYTES("");
    case ACCESS_FIELD_HANDSHAKE:
        return tls != NULL ? handshake_time(tls, scratch) : BYTES("");
    case ACCESS_FIELD_RESPONSE_HEADER:
        break;
    }
    return BYTES("");
}

void log_fields_begin(struct exchange *exchange)
{
    const struct access_log_settings *settings = settings_of(exchange);
    struct access_extras *extras = exchange_take(
        exchange, sizeof(*extras) + settings->field_count * sizeof(extras->values[0]));
    char scratch[ACCESS_VALUE_MAX];

    if (extras == NULL) {
        return;
    }
    extras->fields = settings->fields;
    extras->count = settings->field_count;
    for (uint32_t i = 0; i < extras->count; i++) {
        extras->values[i] = keep(exchange, value_of(exchange, &extras->fields[i], scratch));
    }
    exchange->outcome.extras = extras;
}

/* --- of the answer ----------------------------------------------------------------------- */

void log_fields_answer(struct exchange *exchange, const struct http_headers *headers)
{
    struct access_extras *extras = exchange->outcome.extras;

    for (uint32_t i = 0; i < extras->count; i++) {
        if (extras->fields[i].kind == ACCESS_FIELD_RESPONSE_HEADER) {
            extras->values[i] = keep(exchange, header_value(headers, extras->fields[i].header));
        }
    }
}

/* --- which have a line ------------------------------------------------------------------- */

static bool is_plain_success(const struct outcome_course *outcome)
{
    return outcome->status < 400 && outcome->error == NULL && outcome->attempts <= 1 &&
           (!outcome->is_grpc || outcome->grpc_status == GRPC_OK) &&
           (outcome->end == OUTCOME_ANSWERED || outcome->end == OUTCOME_ANSWERED_HERE ||
            outcome->end == OUTCOME_TUNNEL_CLOSED);
}

bool log_fields_want_line(struct exchange *exchange, uint32_t sample)
{
    return !is_plain_success(&exchange->outcome) ||
           random_below(&exchange->context->worker_context->random, SPLIT_WHOLE) < sample;
}
