/* SPDX-License-Identifier: BSD-2-Clause */
/* The first line of a request or a response (RFC 9112 sections 3 and 4), and the order in
 * which a head is read: first line, fields (h1_fields.c), meaning (h1_meaning.c, framing.c). */
#include "http/h1/h1_parser.h"

#include "http/characters.h"
#include "http/framing.h"
#include "http/h1/h1_private.h"

#define METHOD_LENGTH_MAX 32
#define TLS_HANDSHAKE 22 /* the type of a client's first record (RFC 8446 section 5.1) */

/* --- when to parse --------------------------------------------------------------------------- */

/* A line that ends at `at` and has nothing in it. */
static bool is_empty_line(struct bytes input, size_t at)
{
    size_t before = at > 0 && input.at[at - 1] == '\r' ? at - 1 : at;

    return before == 0 || input.at[before - 1] == '\n';
}

bool h1_is_worth_parsing(struct bytes input, size_t checked, const struct h1_limits *limits)
{
    if (input.length >= 2 * checked || input.length >= limits->head_bytes) {
        return true;
    }
    for (size_t i = checked; i < input.length; i++) {
        if (input.at[i] == '\n' && is_empty_line(input, i)) {
            return true;
        }
    }
    return false;
}

/* --- request line (RFC 9112 section 3) ---------------------------------------------------- */

static enum h1_verdict skip_empty_line(struct h1_cursor *cursor)
{
    if (cursor->at < cursor->end && *cursor->at == '\r') {
        return h1_read_line_end(cursor);
    }
    return H1_COMPLETE;
}

static enum h1_verdict reject_method(const struct h1_cursor *cursor, size_t length, char byte)
{
    if (byte == '\n') {
        return h1_reject(cursor->problem, 400, "a line ends in LF without CR",
                         "RFC 9112 section 2.2");
    }
    if (length == 0) {
        return h1_reject(cursor->problem, 400,
                         byte == TLS_HANDSHAKE
                             ? "the client begins a TLS handshake where plain HTTP is spoken"
                             : "this does not begin like an HTTP/1 request",
                         "RFC 9112 section 3.1");
    }
    return h1_reject(cursor->problem, 400, "the method holds a forbidden character",
                     "RFC 9112 section 3.1");
}

static bool begins_with(const struct h1_cursor *cursor, struct bytes text)
{
    return (size_t)(cursor->end - cursor->at) >= text.length &&
           memcmp(cursor->at, text.at, text.length) == 0;
}

static enum h1_verdict read_any_method(struct h1_cursor *cursor, struct http_request *request)
{
    const char *at = cursor->at;
    size_t length;

    while (at < cursor->end && http_char_is(*at, HTTP_CHAR_TOKEN)) {
        at++;
    }
    length = (size_t)(at - cursor->at);
    if (length > METHOD_LENGTH_MAX) {
        return h1_reject(cursor->problem, 501, "the method is too long", "RFC 9112 section 3");
    }
    if (at == cursor->end) {
        return h1_want_more(cursor);
    }
    if (*at != ' ' || length == 0) {
        return reject_method(cursor, length, *at);
    }
    request->method_text = (struct bytes){cursor->at, length};
    request->method = http_method_of(request->method_text);
    cursor->at = at + 1;
    return H1_COMPLETE;
}

/* Most requests are GETs. */
static enum h1_verdict read_method(struct h1_cursor *cursor, struct http_request *request)
{
    if (!begins_with(cursor, BYTES("GET "))) {
        return read_any_method(cursor, request);
    }
    request->method_text = (struct bytes){cursor->at, 3};
    request->method = HTTP_GET;
    cursor->at += 4;
    return H1_COMPLETE;
}

static enum h1_verdict reject_target(const struct h1_cursor *cursor, size_t length, char byte)
{
    if (byte == '\n' || byte == '\r') {
        return h1_reject(cursor->problem, 400, "the request line has no HTTP version",
                         "RFC 9112 section 3");
    }
    if (byte == ' ' && length == 0) {
        return h1_reject(cursor->problem, 400, "more than one space before the target",
                         "RFC 9112 section 3");
    }
    return h1_reject(cursor->problem, 400, "the target holds a forbidden character",
                     "RFC 9112 section 3.2");
}

/* Some characters that RFC 3986 would have escaped (quotes, brackets, "|", "\") pass: browsers
 * and scripts send them in queries, and nothing here gives them a meaning. */
static enum h1_verdict read_target(struct h1_cursor *cursor, uint32_t most,
                                   struct http_request *request)
{
    const char *last = http_scan_target(cursor->at, cursor->end);
    size_t length = (size_t)(last - cursor->at);

    if (length > most || (last == cursor->end && cursor->full)) {
        return h1_reject(cursor->problem, 414, "the target is too long", "RFC 9112 section 3");
    }
    if (last == cursor->end) {
        return H1_INCOMPLETE;
    }
    if (*last != ' ' || length == 0) {
        return reject_target(cursor, length, *last);
    }
    request->target = (struct bytes){cursor->at, length};
    cursor->at = last + 1;
    return H1_COMPLETE;
}

#define VERSION_LENGTH 8

/* Whether `text` may be the beginning of "HTTP/1.1" with any two digits. */
static bool could_be_version(struct bytes text)
{
    static const char form[] = "HTTP/0.0";

    for (size_t i = 0; i < text.length; i++) {
        if (form[i] == '0' ? !http_char_is(text.at[i], HTTP_CHAR_DIGIT) : text.at[i] != form[i]) {
            return false;
        }
    }
    return true;
}

/* H1_COMPLETE leaves the version in *text, of any number. */
static enum h1_verdict read_version(struct h1_cursor *cursor, struct bytes *text)
{
    size_t length = (size_t)(cursor->end - cursor->at);

    *text = (struct bytes){cursor->at, length < VERSION_LENGTH ? length : VERSION_LENGTH};
    if (!could_be_version(*text)) {
        return h1_reject(cursor->problem, 400, "the HTTP version is malformed",
                         "RFC 9112 section 2.3");
    }
    if (length < VERSION_LENGTH) {
        return h1_want_more(cursor);
    }
    cursor->at += VERSION_LENGTH;
    return H1_COMPLETE;
}

/* A later minor version is taken for the last one that we know (RFC 9110 section 2.5). */
static bool version_of(struct bytes text, enum http_version *version)
{
    if (memcmp(text.at, "HTTP/1.", VERSION_LENGTH - 1) != 0) {
        return false;
    }
    *version = text.at[7] == '0' ? HTTP_1_0 : HTTP_1_1;
    return true;
}

static enum h1_verdict read_request_version(struct h1_cursor *cursor, struct http_request *request)
{
    struct bytes text;
    enum h1_verdict verdict;

    if (begins_with(cursor, BYTES("HTTP/1.1\r\n"))) { /* as nearly always */
        request->version = HTTP_1_1;
        cursor->at += 10;
        return H1_COMPLETE;
    }
    verdict = read_version(cursor, &text);
    if (verdict != H1_COMPLETE) {
        return verdict;
    }
    if (cursor->at < cursor->end && *cursor->at != '\r' && *cursor->at != '\n') {
        return h1_reject(cursor->problem, 400, "something follows the HTTP version",
                         "RFC 9112 section 3");
    }
    verdict = h1_read_line_end(cursor);
    if (verdict == H1_COMPLETE && !version_of(text, &request->version)) {
        return h1_reject(cursor->problem, 505, "a major version of HTTP other than 1",
                         "RFC 9110 section 15.6.6");
    }
    return verdict;
}

static enum h1_verdict read_request(struct h1_cursor *cursor, const struct h1_limits *limits,
                                    struct http_request *request)
{
    enum h1_verdict verdict = skip_empty_line(cursor);

    if (verdict == H1_COMPLETE) {
        verdict = read_method(cursor, request);
    }
    if (verdict == H1_COMPLETE) {
        verdict = read_target(cursor, limits->target_bytes, request);
    }
    if (verdict == H1_COMPLETE) {
        verdict = read_request_version(cursor, request);
    }
    if (verdict == H1_COMPLETE) {
        verdict = h1_read_fields(cursor, limits->headers, &request->headers);
    }
    return verdict;
}

enum h1_verdict h1_parse_request(struct bytes input, const struct h1_limits *limits,
                                 struct http_request *request, size_t *consumed,
                                 struct h1_problem *problem)
{
    struct h1_cursor cursor = h1_cursor_over(input, limits, problem);
    enum h1_verdict verdict = read_request(&cursor, limits, request);

    if (verdict != H1_COMPLETE) {
        return verdict;
    }
    *consumed = (size_t)(cursor.at - input.at);
    return h1_understand_request(request, problem) ? H1_COMPLETE : H1_REJECTED;
}

/* --- status line (RFC 9112 section 4) ----------------------------------------------------- */

static enum h1_verdict read_response_version(struct h1_cursor *cursor,
                                             struct http_response *response)
{
    struct bytes text;
    enum h1_verdict verdict;

    if (begins_with(cursor, BYTES("HTTP/1.1"))) {
        response->version = HTTP_1_1;
        cursor->at += VERSION_LENGTH;
        return H1_COMPLETE;
    }
    verdict = read_version(cursor, &text);
    if (verdict == H1_COMPLETE && !version_of(text, &response->version)) {
        return h1_reject(cursor->problem, 502, "a major version of HTTP other than 1",
                         "RFC 9112 section 2.3");
    }
    return verdict;
}

/* A space and three digits. */
static enum h1_verdict read_status(struct h1_cursor *cursor, uint8_t lenient,
                                   struct http_response *response)
{
    uint16_t last = (lenient & HTTP_LENIENT_STATUS) != 0 ? 999 : 599;
    const char *at = cursor->at;

    if (begins_with(cursor, BYTES(" 200"))) {
        response->status = 200;
        cursor->at += 4;
        return H1_COMPLETE;
    }
    response->status = 0;
    for (int i = 0; i < 4; i++, at++) {
        if (at == cursor->end) {
            return h1_want_more(cursor);
        }
        if (i == 0 ? *at != ' ' : !http_char_is(*at, HTTP_CHAR_DIGIT)) {
            return h1_reject(cursor->problem, 502, "the status code is malformed",
                             "RFC 9112 section 4");
        }
        if (i > 0) {
            response->status = (uint16_t)(response->status * 10 + (*at - '0'));
        }
    }
    if (response->status < 100 || response->status > last) {
        return h1_reject(cursor->problem, 502, "a status code outside 100 to 599",
                         "RFC 9110 section 15");
    }
    cursor->at = at;
    return H1_COMPLETE;
}

/* The reason may be missing, and with it (against the grammar, but often) its space. */
static enum h1_verdict read_reason(struct h1_cursor *cursor, struct http_response *response)
{
    const char *at = cursor->at;

    response->reason = BYTES("");
    if (at < cursor->end && *at != '\r' && *at != '\n') {
        if (*at != ' ') {
            return h1_reject(cursor->problem, 502, "no space behind the status code",
                             "RFC 9112 section 4");
        }
        cursor->at = http_scan_value(at + 1, cursor->end);
        response->reason = (struct bytes){at + 1, (size_t)(cursor->at - at - 1)};
    }
    return h1_read_line_end(cursor);
}

static enum h1_verdict read_response(struct h1_cursor *cursor, const struct h1_limits *limits,
                                     struct http_response *response)
{
    enum h1_verdict verdict = read_response_version(cursor, response);

    if (verdict == H1_COMPLETE) {
        verdict = read_status(cursor, limits->lenient, response);
    }
    if (verdict == H1_COMPLETE) {
        verdict = read_reason(cursor, response);
    }
    if (verdict == H1_COMPLETE) {
        verdict = h1_read_fields(cursor, limits->headers, &response->headers);
    }
    return verdict;
}

enum h1_verdict h1_parse_response(struct bytes input, const struct h1_limits *limits,
                                  enum http_method method, struct http_response *response,
                                  size_t *consumed, struct h1_problem *problem)
{
    struct h1_cursor cursor = h1_cursor_over(input, limits, problem);
    enum h1_verdict verdict;

    cursor.takes_bare_lf = (limits->lenient & HTTP_LENIENT_BARE_LF) != 0;
    verdict = read_response(&cursor, limits, response);
    if (verdict == H1_COMPLETE) {
        *consumed = (size_t)(cursor.at - input.at);
        if (!h1_understand_response(response, method, limits->lenient, problem)) {
            verdict = H1_REJECTED;
        }
        response->keep_alive &= !cursor.took_bare_lf;
    }
    /* What reads both directions speaks of requests; a client hears 502 (RFC 9112 section 6.3). */
    if (verdict == H1_REJECTED && problem->status != 431) {
        problem->status = 502;
    }
    return verdict;
}

/* --- trailers (RFC 9112 section 7.1.2) ---------------------------------------------------- */

static enum h1_verdict read_trailers(struct bytes input, const struct h1_limits *limits,
                                     struct http_headers *trailers, size_t *consumed,
                                     struct h1_problem *problem)
{
    struct h1_cursor cursor = h1_cursor_over(input, limits, problem);
    enum h1_verdict verdict = h1_read_fields(&cursor, limits->headers, trailers);

    if (verdict == H1_REJECTED && problem->status == 431) {
        return h1_reject(problem, 431, "the trailer section is too large", "RFC 6585 section 5");
    }
    if (verdict == H1_COMPLETE) {
        *consumed = (size_t)(cursor.at - input.at);
    }
    return verdict;
}

enum h1_verdict h1_parse_trailers(struct bytes input, const struct h1_limits *limits,
                                  struct http_headers *trailers, size_t *consumed,
                                  struct h1_problem *problem)
{
    enum h1_verdict verdict = read_trailers(input, limits, trailers, consumed, problem);

    if (verdict == H1_COMPLETE && !http_trailers_are_allowed(trailers, problem)) {
        return H1_REJECTED;
    }
    return verdict;
}

enum h1_verdict h1_parse_answer_trailers(struct bytes input, const struct h1_limits *limits,
                                         struct http_headers *trailers, size_t *consumed,
                                         struct h1_problem *problem)
{
    enum h1_verdict verdict = read_trailers(input, limits, trailers, consumed, problem);

    if (verdict == H1_COMPLETE) {
        http_trailers_drop_disallowed(trailers);
    }
    return verdict;
}
