/* SPDX-License-Identifier: BSD-2-Clause */
/* The fields of an access-log line in their order. Every text has a limit, in bytes as written
 * (escapes included), and together with the names they stay below ACCESS_LINE_MAX. */
#include "observe/access_line.h"

#include "observe/card_mask.h"

#include <time.h>

#define METHOD_MOST 64
#define SCHEME_MOST 16
#define PATH_MOST 1024
#define HOST_MOST 256
#define REQUEST_ID_MOST 128
#define NAME_MOST 192 /* of a route, service, origin or listener */
#define ERROR_MOST 64
#define DETAIL_MOST 256

/* --- values ------------------------------------------------------------------------------ */

static void add_second(struct text *line, struct access_second *cached, uint64_t second)
{
    if (cached->second != second || cached->text[0] == '\0') {
        time_t seconds = (time_t)second;
        char text[sizeof("-2147483648-01-31T23:59:59")];
        struct tm parts;

        gmtime_r(&seconds, &parts);
        if (strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts) != sizeof(cached->text)) {
            memcpy(text, "9999-12-31T23:59:59", sizeof(cached->text));
        }
        memcpy(cached->text, text, sizeof(cached->text));
        cached->second = second;
    }
    text_add(line, cached->text, sizeof(cached->text));
}

static void add_six_digits(struct text *line, uint32_t number)
{
    char digits[6];

    for (int i = 5; i >= 0; i--) {
        digits[i] = (char)('0' + number % 10);
        number /= 10;
    }
    text_add(line, digits, sizeof(digits));
}

static void add_timestamp(struct text *line, uint64_t realtime_us, struct access_second *second)
{
    add_second(line, second, realtime_us / 1000000);
    text_add_char(line, '.');
    add_six_digits(line, (uint32_t)(realtime_us % 1000000));
    text_add_literal(line, "Z\"");
}

/* What a client chose may hold a card number; what the configuration says does not. */
static void add_from_client(struct text *line, struct bytes value, size_t most)
{
    char scratch[PATH_MOST];

    text_add_json_cut(line, card_mask(value, most, scratch), most);
}

static void add_client_address(struct text *line, const struct ip *ip)
{
    char out[ADDRESS_TEXT_MAX];
    size_t length = ip_format(ip, out);

    text_add(line, out, length);
}

/* --- fields ------------------------------------------------------------------------------ */

/* The names are literals, so that each is copied with a length known to the compiler. */
#define ADD_NUMBER(line, name, number) \
    do { \
        text_add_literal((line), ",\"" name "\":"); \
        text_add_number((line), (number)); \
    } while (0)

#define ADD_REACHED(line, name, microseconds) \
    do { \
        if ((microseconds) != 0) { \
            ADD_NUMBER((line), name, (microseconds)); \
        } \
    } while (0)

#define ADD_BYTES(line, name, value, most) \
    do { \
        if ((value).length > 0) { \
            text_add_literal((line), ",\"" name "\":\""); \
            text_add_json_cut((line), (value), (most)); \
            text_add_char((line), '"'); \
        } \
    } while (0)

#define ADD_FROM_CLIENT(line, name, value, most) \
    do { \
        if ((value).length > 0) { \
            text_add_literal((line), ",\"" name "\":\""); \
            add_from_client((line), (value), (most)); \
            text_add_char((line), '"'); \
        } \
    } while (0)

#define ADD_NAME(line, name, value, most) ADD_BYTES(line, name, bytes_of(value), most)

static void add_request(struct text *line, const struct outcome *outcome)
{
    ADD_BYTES(line, "http.request.method", outcome->method, METHOD_MOST);
    ADD_BYTES(line, "url.scheme", outcome->scheme, SCHEME_MOST);
    ADD_FROM_CLIENT(line, "url.path", outcome->path, PATH_MOST);
    ADD_FROM_CLIENT(line, "server.address", outcome->host, HOST_MOST);
    if (outcome->status != 0) {
        ADD_NUMBER(line, "http.response.status_code", outcome->status);
    }
    ADD_NAME(line, "network.protocol.version", outcome->protocol, SCHEME_MOST);
}

static void add_client(struct text *line, const struct outcome *outcome)
{
    if (outcome->client != NULL && !ip_is_none(outcome->client)) {
        text_add_literal(line, ",\"client.address\":\"");
        add_client_address(line, outcome->client);
        text_add_char(line, '"');
        ADD_NUMBER(line, "client.port", outcome->client_port);
    }
    ADD_FROM_CLIENT(line, "turnpike.request_id", outcome->request_id, REQUEST_ID_MOST);
}

static void add_way(struct text *line, const struct outcome *outcome)
{
    ADD_NAME(line, "turnpike.listener", outcome->listener, NAME_MOST);
    ADD_NAME(line, "turnpike.route", outcome->route, NAME_MOST);
    ADD_NAME(line, "turnpike.service", outcome->service, NAME_MOST);
    ADD_NAME(line, "turnpike.origin", outcome->origin, NAME_MOST);
    if (outcome->origin != NULL) {
        if (outcome->origin_reused) {
            text_add_literal(line, ",\"turnpike.origin_reused\":true");
        } else {
            text_add_literal(line, ",\"turnpike.origin_reused\":false");
        }
    }
    ADD_NUMBER(line, "turnpike.attempts", outcome->attempts);
    ADD_NUMBER(line, "turnpike.worker", outcome->worker);
}

static void add_end(struct text *line, const struct outcome *outcome)
{
    ADD_NAME(line, "turnpike.outcome", outcome_end_name(outcome->end), ERROR_MOST);
    ADD_NAME(line, "error.type", outcome->error, ERROR_MOST);
    ADD_NAME(line, "turnpike.detail", outcome->detail, DETAIL_MOST);
}

static void add_phases(struct text *line, const struct outcome *outcome)
{
    ADD_REACHED(line, "turnpike.head_us", outcome->head_us);
    ADD_REACHED(line, "turnpike.connected_us", outcome->connected_us);
    ADD_REACHED(line, "turnpike.sent_us", outcome->sent_us);
    ADD_REACHED(line, "turnpike.first_byte_us", outcome->first_byte_us);
    ADD_NUMBER(line, "turnpike.total_us", outcome->total_us);
}

void access_line_format(struct text *line, const struct outcome *outcome,
                        struct access_second *second)
{
    text_add_literal(line, "{\"timestamp\":\"");
    add_timestamp(line, outcome->start_realtime_us, second);
    add_request(line, outcome);
    add_client(line, outcome);
    add_way(line, outcome);
    add_end(line, outcome);
    add_phases(line, outcome);
    ADD_NUMBER(line, "http.request.size", outcome->bytes_in);
    ADD_NUMBER(line, "http.response.size", outcome->bytes_out);
    text_add_literal(line, "}\n");
}
