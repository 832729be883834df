/* SPDX-License-Identifier: BSD-2-Clause */
/* The fields of an access-log line in their order. Every text has a limit, in bytes as written
 * (escapes included), and together with the names they stay below ACCESS_LINE_MAX. */
#include "observe/access_line.h"

#include "observe/card_mask.h"

#include <time.h>

#define METHOD_MOST 64
#define PATH_MOST 1024
#define HOST_MOST 256
#define REQUEST_ID_MOST 128
#define NAME_MOST 192 /* of a route, service, origin or listener */
#define ERROR_MOST 64
#define DETAIL_MOST 192

/* --- values ------------------------------------------------------------------------------ */

void access_memory_forget(struct access_memory *memory)
{
    memset(memory->ways, 0, sizeof(memory->ways));
}

static void add_second(struct text *line, struct access_memory *memory, uint64_t second)
{
    if (memory->second != second || memory->second_text[0] == '\0') {
        time_t seconds = (time_t)second;
        char text[sizeof("-2147483648-01-31T23:59:59")];
        struct tm parts;

        gmtime_r(&seconds, &parts);
        if (strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts) !=
            sizeof(memory->second_text)) {
            memcpy(text, "9999-12-31T23:59:59", sizeof(memory->second_text));
        }
        memcpy(memory->second_text, text, sizeof(memory->second_text));
        memory->second = second;
    }
    text_add(line, memory->second_text, sizeof(memory->second_text));
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

static void add_timestamp(struct text *line, uint64_t realtime_us, struct access_memory *memory)
{
    add_second(line, memory, realtime_us / 1000000);
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

/* --- fields ------------------------------------------------------------------------------ */

/* Tokens and words of our own: nothing in them needs an escape. */
#define ADD_PLAIN(line, name, value) \
    do { \
        if ((value).length > 0) { \
            text_add_literal((line), ",\"" name "\":\""); \
            text_add_bytes((line), (value)); \
            text_add_char((line), '"'); \
        } \
    } while (0)

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
    ADD_PLAIN(line, "url.scheme", outcome->scheme);
    ADD_FROM_CLIENT(line, "url.path", outcome->path, PATH_MOST);
    ADD_FROM_CLIENT(line, "server.address", outcome->host, HOST_MOST);
    if (outcome->status != 0) {
        ADD_NUMBER(line, "http.response.status_code", outcome->status);
    }
    ADD_PLAIN(line, "network.protocol.version", bytes_of(outcome->protocol));
}

static void add_client(struct text *line, const struct outcome *outcome)
{
    char address[ADDRESS_TEXT_MAX];

    if (outcome->client != NULL && !ip_is_none(outcome->client)) {
        text_add_literal(line, ",\"client.address\":\"");
        text_add(line, address, ip_format(outcome->client, address));
        text_add_char(line, '"');
        ADD_NUMBER(line, "client.port", outcome->client_port);
    }
    if (outcome->tls_version != NULL) {
        ADD_PLAIN(line, "tls.protocol.version", bytes_of(outcome->tls_version));
        ADD_PLAIN(line, "tls.cipher", bytes_of(outcome->tls_cipher));
        text_add_bytes(line, outcome->tls_resumed ? BYTES(",\"tls.resumed\":true")
                                                  : BYTES(",\"tls.resumed\":false"));
    }
    ADD_FROM_CLIENT(line, "turnpike.request_id", outcome->request_id, REQUEST_ID_MOST);
}

static void add_names(struct text *line, const struct outcome *outcome)
{
    ADD_NAME(line, "turnpike.listener", outcome->listener, NAME_MOST);
    ADD_NAME(line, "turnpike.route", outcome->route, NAME_MOST);
    ADD_NAME(line, "turnpike.service", outcome->service, NAME_MOST);
    ADD_NAME(line, "turnpike.origin", outcome->origin, NAME_MOST);
}

static void begin_attempt(struct text *line, const char *origin)
{
    text_add_literal(line, "{\"origin\":\"");
    text_add_json_cut(line, bytes_of(origin), NAME_MOST);
    text_add_char(line, '"');
}

static bool is_way_of(const struct access_way *way, const struct outcome *outcome)
{
    return way->length > 0 && way->listener == outcome->listener && way->route == outcome->route &&
           way->service == outcome->service && way->origin == outcome->origin;
}

static struct access_way *way_of(struct access_memory *memory, const struct outcome *outcome)
{
    uintptr_t mixed = (uintptr_t)outcome->listener + (uintptr_t)outcome->route * 3 +
                      (uintptr_t)outcome->origin * 5;

    return &memory->ways[(mixed ^ mixed >> 5 ^ mixed >> 10) % ACCESS_WAYS];
}

/* The same few combinations come again and again: their text is kept. */
static void add_way(struct text *line, const struct outcome *outcome, struct access_memory *memory)
{
    struct access_way *way = way_of(memory, outcome);

    if (!is_way_of(way, outcome)) {
        struct text text = text_over(way->text, sizeof(way->text));

        add_names(&text, outcome);
        way->listener = outcome->listener;
        way->route = outcome->route;
        way->service = outcome->service;
        way->origin = outcome->origin;
        way->names_length = text_length(&text);
        if (outcome->origin != NULL) {
            text_add_literal(&text, ",\"turnpike.attempts\":[");
            begin_attempt(&text, outcome->origin);
        }
        way->length = text_length(&text);
    }
    text_add(line, way->text, outcome->attempts == 1 ? way->length : way->names_length);
}

static void end_attempt(struct text *line, const struct outcome_attempt *attempt, uint16_t status)
{
    if (attempt->reused) {
        text_add_literal(line, ",\"reused\":true,\"connected_us\":");
        text_add_number(line, attempt->connected_us);
    } else {
        text_add_literal(line, ",\"reused\":false");
        ADD_REACHED(line, "connected_us", attempt->connected_us);
    }
    ADD_REACHED(line, "sent_us", attempt->sent_us);
    ADD_REACHED(line, "first_byte_us", attempt->first_byte_us);
    if (attempt->status != status) { /* else it stands in the line already */
        ADD_NUMBER(line, "status", attempt->status);
    }
    ADD_NUMBER(line, "bytes_sent", attempt->bytes_sent);
    if (attempt->first_byte_us != 0 && attempt->error == NULL) {
        text_add_literal(line, ",\"delivery\":\"answered\"}");
        return;
    }
    ADD_NUMBER(line, "bytes_acked", attempt->bytes_acked);
    ADD_PLAIN(line, "delivery", bytes_of(attempt->delivery));
    ADD_PLAIN(line, "error", bytes_of(attempt->error));
    text_add_char(line, '}');
}

/* The one attempt's record was begun with the way. */
static void add_attempts(struct text *line, const struct outcome *outcome)
{
    const struct outcome_attempt *last;

    if (outcome->attempts == 0) {
        text_add_literal(line, ",\"turnpike.attempts\":[]");
        return;
    }
    last = &outcome->tries[outcome->attempts - 1];
    if (outcome->attempts > 1) {
        text_add_literal(line, ",\"turnpike.attempts\":[");
        for (const struct outcome_attempt *attempt = outcome->tries; attempt < last; attempt++) {
            begin_attempt(line, attempt->origin);
            end_attempt(line, attempt, 0);
            text_add_char(line, ',');
        }
        begin_attempt(line, last->origin);
    }
    end_attempt(line, last, last->status != 0 ? outcome->status : 0);
    text_add_char(line, ']');
}

static void add_arm(struct text *line, const struct outcome *outcome)
{
    ADD_PLAIN(line, "turnpike.arm_by", bytes_of(outcome->arm_by));
    if (outcome->has_bucket) {
        ADD_NUMBER(line, "turnpike.bucket", outcome->bucket);
    }
}

static void add_end(struct text *line, const struct outcome *outcome)
{
    ADD_PLAIN(line, "turnpike.outcome", bytes_of(outcome_end_name(outcome->end)));
    if (outcome->cut != CUT_NONE) {
        ADD_PLAIN(line, "turnpike.cut", bytes_of(cut_cause_name(outcome->cut)));
    }
    ADD_NAME(line, "error.type", outcome->error, ERROR_MOST);
    ADD_NAME(line, "turnpike.detail", outcome->detail, DETAIL_MOST);
}

static void add_phases(struct text *line, const struct outcome *outcome)
{
    ADD_REACHED(line, "turnpike.head_us", outcome->head_us);
    ADD_NUMBER(line, "turnpike.total_us", outcome->total_us);
}

void access_line_format(struct text *line, const struct outcome *outcome,
                        struct access_memory *memory)
{
    text_add_literal(line, "{\"timestamp\":\"");
    add_timestamp(line, outcome->start_realtime_us, memory);
    add_request(line, outcome);
    add_client(line, outcome);
    add_way(line, outcome, memory);
    add_attempts(line, outcome);
    ADD_NUMBER(line, "turnpike.worker", outcome->worker);
    if (outcome->arm_by != NULL) {
        add_arm(line, outcome);
    }
    add_end(line, outcome);
    add_phases(line, outcome);
    ADD_NUMBER(line, "http.request.size", outcome->bytes_in);
    ADD_NUMBER(line, "http.response.size", outcome->bytes_out);
    text_add_literal(line, "}\n");
}
