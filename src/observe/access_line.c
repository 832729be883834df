/* SPDX-License-Identifier: BSD-2-Clause */
/* The fields of an access-log line in their order. Every text has a limit, in bytes as written
 * (escapes included), and together with the names they stay below ACCESS_LINE_MAX: no check
 * for room on the way (access_append.h), the unit test writes the longest line there can be. What is
 * usual, or did not happen, is left out: a line costs by its bytes (doc/ACCESS-LOG.md). */
#include "observe/access_line.h"

#include "base/check.h"
#include "base/uuid.h"
#include "http/trace_context.h"
#include "observe/access_append.h"
#include "observe/card_mask.h"
#include "observe/origin_label.h"

#include <time.h>

#define METHOD_MOST 64
#define PATH_MOST 1024
#define HOST_MOST 256
#define REQUEST_ID_MOST 128
#define NAME_MOST 192 /* of a route, service, origin or listener */
#define ADDRESS_MOST 64
#define ERROR_MOST 64
#define DETAIL_MOST 192
#define WORD_MOST 40 /* of a table of ours or the TLS library's, no text from outside */

/* --- values ------------------------------------------------------------------------------ */

void access_memory_forget(struct access_memory *memory)
{
    memset(memory->prefixes, 0, sizeof(memory->prefixes));
    memset(memory->failures, 0, sizeof(memory->failures));
}

static const char *text_of_second(struct access_memory *memory, uint64_t second)
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
    return memory->second_text;
}

static char *put_timestamp(char *at, uint64_t realtime_us, struct access_memory *memory)
{
    uint64_t second = realtime_us / 1000000;

    at = APPEND_LITERAL(at, "{\"timestamp\":\"");
    memcpy(at, text_of_second(memory, second), sizeof(memory->second_text));
    at = APPEND_LITERAL(at + sizeof(memory->second_text), ".");
    at = append_six_digits(at, (uint32_t)(realtime_us - second * 1000000));
    return APPEND_LITERAL(at, "Z\"");
}

static char *put_long_from_client(char *at, struct bytes value, size_t most)
{
    char scratch[PATH_MOST];

    return append_json(at, card_mask(value, most, scratch), most);
}

/* What a client chose may hold a card number; what the configuration says does not. */
static inline char *put_from_client(char *at, struct bytes value, size_t most)
{
    return value.length < CARD_LENGTH_LEAST ? append_json(at, value, most)
                                            : put_long_from_client(at, value, most);
}

/* --- fields ------------------------------------------------------------------------------ */

/* The names are literals, so that each is copied with a length known to the compiler. */
#define PUT_WORD(at, name, word) \
    do { \
        (at) = APPEND_LITERAL((at), ",\"" name "\":\""); \
        (at) = append_word((at), (word), WORD_MOST); \
        *(at)++ = '"'; \
    } while (0)

#define PUT_NUMBER(at, name, number) \
    do { \
        (at) = APPEND_LITERAL((at), ",\"" name "\":"); \
        (at) = append_number((at), (number)); \
    } while (0)

#define PUT_NOT_ZERO(at, name, number) \
    do { \
        if ((number) != 0) { \
            PUT_NUMBER((at), name, (number)); \
        } \
    } while (0)

#define PUT_NAME(at, name, value, most) \
    do { \
        if ((value) != NULL && *(value) != '\0') { \
            (at) = APPEND_LITERAL((at), ",\"" name "\":\""); \
            (at) = append_json((at), bytes_of(value), (most)); \
            *(at)++ = '"'; \
        } \
    } while (0)

#define PUT_FROM_CLIENT(at, name, value, most) \
    do { \
        if ((value).length > 0) { \
            (at) = APPEND_LITERAL((at), ",\"" name "\":\""); \
            (at) = put_from_client((at), (value), (most)); \
            *(at)++ = '"'; \
        } \
    } while (0)

static char *put_request(char *at, const struct outcome *outcome)
{
    if (outcome->method.length > 0) {
        at = APPEND_LITERAL(at, ",\"http.request.method\":\"");
        at = put_from_client(at, outcome->method, METHOD_MOST);
        *at++ = '"';
    }
    if (outcome->scheme.length > 0 && !bytes_equal(outcome->scheme, BYTES("http"))) {
        at = APPEND_LITERAL(at, ",\"url.scheme\":\"");
        at = append_plain(at, outcome->scheme, WORD_MOST);
        *at++ = '"';
    }
    PUT_FROM_CLIENT(at, "url.path", outcome->path, PATH_MOST);
    PUT_FROM_CLIENT(at, "server.address", outcome->host, HOST_MOST);
    if (outcome->course.status != 0) {
        PUT_NUMBER(at, "http.response.status_code", outcome->course.status);
    }
    if (outcome->protocol.length > 0 && !bytes_equal(outcome->protocol, BYTES("1.1"))) {
        at = APPEND_LITERAL(at, ",\"network.protocol.version\":\"");
        at = append_plain(at, outcome->protocol, WORD_MOST);
        *at++ = '"';
    }
    if (outcome->course.is_grpc && outcome->course.grpc_status != GRPC_NO_STATUS) {
        PUT_NUMBER(at, "rpc.grpc.status_code", outcome->course.grpc_status);
    }
    return at;
}

static char *put_client(char *at, const struct outcome *outcome)
{
    if (outcome->client != NULL && !ip_is_none(outcome->client)) {
        at = APPEND_LITERAL(at, ",\"client.address\":\"");
        at += ip_format(outcome->client, at);
        *at++ = '"';
        PUT_NOT_ZERO(at, "client.port", outcome->client_port);
    }
    if (outcome->tls_version != NULL) {
        PUT_WORD(at, "tls.protocol.version", outcome->tls_version);
        if (outcome->tls_cipher != NULL) {
            PUT_WORD(at, "tls.cipher", outcome->tls_cipher);
        }
        if (outcome->tls_resumed) {
            at = APPEND_LITERAL(at, ",\"tls.resumed\":true");
        }
    }
    return at;
}

static char *put_request_id(char *at, const struct outcome *outcome)
{
    if (!outcome->course.request_id_is_ours) {
        PUT_FROM_CLIENT(at, "turnpike.request_id", outcome->request_id, REQUEST_ID_MOST);
        return at;
    }
    at = APPEND_LITERAL(at, ",\"turnpike.request_id\":\"");
    memcpy(at, outcome->request_id.at, UUID_TEXT_LENGTH);
    at = APPEND_LITERAL(at + UUID_TEXT_LENGTH, "\"");
    PUT_FROM_CLIENT(at, "turnpike.client_request_id", outcome->client_request_id, REQUEST_ID_MOST);
    return at;
}

/* With the flags of traceparent, so that one sees whether there are spans. */
static char *put_trace(char *at, const struct trace_context *trace)
{
    at = APPEND_LITERAL(at, ",\"trace_id\":\"");
    memcpy(at, trace->trace_id, TRACE_ID_LENGTH);
    at = APPEND_LITERAL(at + TRACE_ID_LENGTH, "\",\"span_id\":\"");
    memcpy(at, trace->span_id, SPAN_ID_LENGTH);
    at += SPAN_ID_LENGTH;
    return trace->sampled ? APPEND_LITERAL(at, "\",\"trace_flags\":\"01\"")
                          : APPEND_LITERAL(at, "\",\"trace_flags\":\"00\"");
}

static char *put_names(char *at, const struct outcome *outcome)
{
    PUT_NAME(at, "turnpike.listener", outcome->listener, NAME_MOST);
    PUT_NAME(at, "turnpike.route", outcome->route, NAME_MOST);
    PUT_NAME(at, "turnpike.service", outcome->service, NAME_MOST);
    if (outcome->origin != NULL) {
        at = APPEND_LITERAL(at, ",\"turnpike.origin\":\"");
        at = append_json(at, origin_label_name(bytes_of(outcome->origin)), NAME_MOST);
        *at++ = '"';
    }
    return at;
}

static char *begin_attempt(char *at, const char *origin)
{
    struct bytes label = bytes_of(origin);
    struct bytes address = origin_label_address(label);

    at = APPEND_LITERAL(at, "{\"origin\":\"");
    at = append_json(at, origin_label_name(label), NAME_MOST);
    if (address.length > 0) {
        at = APPEND_LITERAL(at, "\",\"address\":\"");
        at = append_json(at, address, ADDRESS_MOST);
    }
    return APPEND_LITERAL(at, "\"");
}

static bool is_prefix_of(const struct access_prefix *prefix, const struct outcome *outcome)
{
    return prefix->length > 0 && prefix->listener == outcome->listener &&
           prefix->route == outcome->route && prefix->service == outcome->service &&
           prefix->origin == outcome->origin;
}

static struct access_prefix *prefix_of(struct access_memory *memory, const struct outcome *outcome)
{
    uint64_t mixed = (uintptr_t)outcome->listener + (uintptr_t)outcome->route * 3 +
                     (uintptr_t)outcome->origin * 5;

    return &memory->prefixes[mixed * 0x9e3779b97f4a7c15u >> 32 & (ACCESS_PREFIXES - 1)];
}

/* The same few combinations come again and again: their text is kept. */
static char *put_prefix(char *at, const struct outcome *outcome, struct access_memory *memory)
{
    struct access_prefix *prefix = prefix_of(memory, outcome);
    size_t length = outcome->course.attempts == 1 ? prefix->length : prefix->names_length;
    char *names_end;
    char *end;

    if (is_prefix_of(prefix, outcome)) {
        memcpy(at, prefix->text, length);
        return at + length;
    }
    names_end = end = put_names(at, outcome);
    if (outcome->origin != NULL) {
        end = APPEND_LITERAL(end, ",\"turnpike.attempts\":[");
        end = begin_attempt(end, outcome->origin);
    }
    length = (size_t)(end - at);
    prefix->listener = outcome->listener;
    prefix->route = outcome->route;
    prefix->service = outcome->service;
    prefix->origin = outcome->origin;
    prefix->names_length = (size_t)(names_end - at);
    prefix->length = length <= sizeof(prefix->text) ? length : 0;
    memcpy(prefix->text, at, prefix->length);
    return outcome->course.attempts == 1 ? end : names_end;
}

static char *end_attempt(char *at, const struct outcome_attempt *attempt, uint16_t status)
{
    if (attempt->reused) {
        at = APPEND_LITERAL(at, ",\"reused\":true");
    }
    PUT_NOT_ZERO(at, "connected_us", attempt->connected_us);
    if (attempt->http2) {
        at = APPEND_LITERAL(at, ",\"protocol\":\"2\"");
    }
    PUT_NOT_ZERO(at, "sent_us", attempt->sent_us);
    PUT_NOT_ZERO(at, "first_byte_us", attempt->first_byte_us);
    if (attempt->status != status) { /* else it stands in the line already */
        PUT_NUMBER(at, "status", attempt->status);
    }
    PUT_NUMBER(at, "bytes_sent", attempt->bytes_sent);
    if (attempt->first_byte_us != 0 && attempt->error == NULL) {
        return APPEND_LITERAL(at, ",\"delivery\":\"answered\"}");
    }
    PUT_NUMBER(at, "bytes_acked", attempt->bytes_acked);
    if (attempt->delivery != NULL) {
        PUT_WORD(at, "delivery", attempt->delivery);
    }
    if (attempt->error != NULL) {
        PUT_WORD(at, "error", attempt->error);
    }
    return APPEND_LITERAL(at, "}");
}

/* The one attempt's record was begun with the way. */
static char *put_attempts(char *at, const struct outcome *outcome)
{
    const struct outcome_attempt *last;

    if (outcome->course.attempts == 0) {
        return at;
    }
    last = outcome->tries[outcome->course.attempts - 1];
    if (outcome->course.attempts > 1) {
        at = APPEND_LITERAL(at, ",\"turnpike.attempts\":[");
        for (int i = 0; i + 1 < outcome->course.attempts; i++) {
            at = begin_attempt(at, outcome->tries[i]->origin);
            at = end_attempt(at, outcome->tries[i], 0);
            *at++ = ',';
        }
        at = begin_attempt(at, last->origin);
    }
    at = end_attempt(at, last, last->status != 0 ? outcome->course.status : 0);
    return APPEND_LITERAL(at, "]");
}

static char *put_arm(char *at, const struct outcome *outcome)
{
    PUT_WORD(at, "turnpike.arm_by", outcome->arm_by);
    if (outcome->course.has_bucket) {
        PUT_NUMBER(at, "turnpike.bucket", outcome->course.bucket);
    }
    return at;
}

static char *put_detail(char *at, const struct outcome *outcome)
{
    at = APPEND_LITERAL(at, ",\"turnpike.detail\":\"");
    at = append_json(at, bytes_of(outcome->course.detail), DETAIL_MOST);
    if (outcome->course.fault != NULL) {
        at = APPEND_LITERAL(at, ": ");
        at = append_json(at, bytes_of(outcome->course.fault), DETAIL_MOST);
    }
    *at++ = '"';
    return at;
}

static char *put_failure(char *at, const struct outcome *outcome)
{
    at = APPEND_LITERAL(at, ",\"turnpike.outcome\":\"");
    at = append_plain(at, outcome_end_word(outcome->course.end), WORD_MOST);
    *at++ = '"';
    if (outcome->course.cut != CUT_NONE) {
        PUT_WORD(at, "turnpike.closed_by", cut_cause_name(outcome->course.cut));
    }
    PUT_NAME(at, "error.type", outcome->course.error, ERROR_MOST);
    if (outcome->course.detail != NULL) {
        at = put_detail(at, outcome);
    }
    return at;
}

static bool is_failure_of(const struct access_failure *failure, const struct outcome *outcome)
{
    return failure->length > 0 && failure->detail == outcome->course.detail &&
           failure->error == outcome->course.error && failure->fault == outcome->course.fault &&
           failure->end == outcome->course.end && failure->cut == outcome->course.cut;
}

static char *put_new_failure(char *at, const struct outcome *outcome,
                             struct access_failure *failure)
{
    char *end = put_failure(at, outcome);
    size_t length = (size_t)(end - at);

    failure->length = 0;
    if (length <= sizeof(failure->text)) {
        failure->detail = outcome->course.detail;
        failure->error = outcome->course.error;
        failure->fault = outcome->course.fault;
        failure->end = outcome->course.end;
        failure->cut = outcome->course.cut;
        failure->length = (uint32_t)length;
        memcpy(failure->text, at, length);
    }
    return end;
}

/* A gateway under overload says the same few sentences again and again: their text is kept. */
static char *put_end(char *at, const struct outcome *outcome, struct access_memory *memory)
{
    uint64_t mixed = (uintptr_t)outcome->course.detail * 0x9e3779b97f4a7c15u;
    struct access_failure *failure = &memory->failures[mixed >> 32 & (ACCESS_FAILURES - 1)];

    if (outcome->course.detail == NULL) {
        return put_failure(at, outcome);
    }
    if (!is_failure_of(failure, outcome)) {
        return put_new_failure(at, outcome, failure);
    }
    memcpy(at, failure->text, failure->length);
    return at + failure->length;
}

static char *put_extras(char *at, const struct access_extras *extras)
{
    for (uint32_t i = 0; i < extras->count; i++) {
        const struct access_field *field = &extras->fields[i];
        const char *quote = field->kind == ACCESS_FIELD_HANDSHAKE ? "" : "\"";

        if (extras->values[i].length == 0) {
            continue;
        }
        at = APPEND_LITERAL(at, ",\"");
        at = append_json(at, field->key, ACCESS_FIELD_KEY_MAX);
        at = APPEND_LITERAL(at, "\":");
        at = append_word(at, quote, 1);
        at = append_json(at, extras->values[i], ACCESS_VALUE_MAX);
        at = append_word(at, quote, 1);
    }
    return at;
}

static char *put_totals(char *at, const struct outcome *outcome)
{
    PUT_NOT_ZERO(at, "turnpike.head_us", outcome->course.head_us);
    PUT_NOT_ZERO(at, "turnpike.total_us", outcome->total_us);
    PUT_NOT_ZERO(at, "http.request.size", outcome->course.bytes_in);
    PUT_NOT_ZERO(at, "http.response.size", outcome->course.bytes_out);
    return APPEND_LITERAL(at, "}\n");
}

void access_line_format(struct text *line, const struct outcome *outcome,
                        struct access_memory *memory)
{
    char *at = line->at;

    CHECK(line->limit - at >= ACCESS_LINE_MAX);
    at = put_timestamp(at, outcome->course.start_realtime_us, memory);
    at = put_request(at, outcome);
    at = put_client(at, outcome);
    at = put_request_id(at, outcome);
    if (outcome->trace != NULL) {
        at = put_trace(at, outcome->trace);
    }
    at = put_prefix(at, outcome, memory);
    at = put_attempts(at, outcome);
    PUT_NOT_ZERO(at, "turnpike.worker", outcome->worker);
    if (outcome->arm_by != NULL) {
        at = put_arm(at, outcome);
    }
    if (outcome->course.rate_limit != NULL) {
        PUT_NAME(at, "turnpike.rate_limit", outcome->course.rate_limit, NAME_MOST);
    }
    if (outcome->course.cache != OUTCOME_CACHE_NONE) {
        PUT_WORD(at, "turnpike.cache", outcome_cache_name(outcome->course.cache));
    }
    at = put_end(at, outcome, memory);
    if (outcome->course.extras != NULL) {
        at = put_extras(at, outcome->course.extras);
    }
    at = put_totals(at, outcome);
    CHECK(at <= line->limit);
    line->at = at;
}
