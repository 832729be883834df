/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a response head, as an answer to GET and to HEAD, and as a trailer section:
 * verdicts do not change when more bytes arrive, and the framing follows RFC 9112 section 6.3. */
#include "base/check.h"
#include "http/h1/h1_parser.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

static const struct h1_limits limits = {.head_bytes = 8192, .target_bytes = 0, .headers = 50};

enum reading { ANSWER_TO_GET, ANSWER_TO_HEAD, TRAILERS };

struct found {
    enum h1_verdict verdict;
    size_t consumed;
    struct h1_problem problem;
    struct http_response response;
    struct http_header rows[HTTP_HEADERS_MAX];
};

static struct found whole;
static struct found part;

/* Reads an exact copy, which is gone afterwards. */
static void read_as(enum reading reading, const uint8_t *input, size_t length, struct found *found)
{
    char *copy = malloc(length);
    struct bytes bytes = {copy, length};

    memcpy(copy, input, length);
    found->consumed = 0;
    found->response.headers.rows = found->rows;
    if (reading == TRAILERS) {
        found->verdict = h1_parse_answer_trailers(bytes, &limits, &found->response.headers,
                                                  &found->consumed, &found->problem);
    } else {
        found->verdict =
            h1_parse_response(bytes, &limits, reading == ANSWER_TO_HEAD ? HTTP_HEAD : HTTP_GET,
                              &found->response, &found->consumed, &found->problem);
    }
    free(copy);
}

static void check_prefixes(enum reading reading, const uint8_t *input, size_t length)
{
    size_t step = length > 512 ? length / 256 : 1;

    for (size_t cut = 0; cut <= length; cut += step) {
        read_as(reading, input, cut, &part);
        if (whole.verdict == H1_COMPLETE) {
            CHECK(part.verdict == (cut < whole.consumed ? H1_INCOMPLETE : H1_COMPLETE));
            CHECK(cut < whole.consumed || part.consumed == whole.consumed);
        } else if (whole.verdict == H1_INCOMPLETE) {
            CHECK(part.verdict == H1_INCOMPLETE);
        } else {
            CHECK(part.verdict != H1_COMPLETE);
            CHECK(part.verdict == H1_INCOMPLETE || part.problem.status == whole.problem.status);
        }
    }
}

static void check_answer(enum reading reading)
{
    const struct http_response *response = &whole.response;
    bool bodiless = http_status_forbids_body(response->status) || reading == ANSWER_TO_HEAD;
    bool measured = http_has(&response->headers, HTTP_HEADER_CONTENT_LENGTH);
    bool coded = http_has(&response->headers, HTTP_HEADER_TRANSFER_ENCODING);

    CHECK(response->status >= 100 && response->status <= 599);
    CHECK(response->body_length <= INT64_MAX);
    CHECK(!measured || !coded);
    if (bodiless) {
        CHECK(response->framing == HTTP_NO_BODY);
    } else if (coded) {
        CHECK(response->framing == HTTP_CHUNKED && response->version == HTTP_1_1);
    } else if (measured) {
        CHECK(response->framing == HTTP_LENGTH_KNOWN);
    } else {
        CHECK(response->framing == HTTP_UNTIL_CLOSE && !response->keep_alive);
    }
}

static void try_as(enum reading reading, const uint8_t *input, size_t length)
{
    read_as(reading, input, length, &whole);
    check_prefixes(reading, input, length);
    if (whole.verdict == H1_COMPLETE) {
        CHECK(whole.consumed > 0 && whole.consumed <= length);
        CHECK(whole.consumed <= limits.head_bytes);
        CHECK(whole.response.headers.count <= limits.headers);
    }
    if (whole.verdict == H1_COMPLETE && reading != TRAILERS) {
        check_answer(reading);
    }
    if (whole.verdict == H1_REJECTED) {
        CHECK(whole.problem.what != NULL && whole.problem.section != NULL);
        CHECK(whole.problem.status == 431 ||
              whole.problem.status == (reading == TRAILERS ? 400 : 502));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    try_as(ANSWER_TO_GET, input, length);
    try_as(ANSWER_TO_HEAD, input, length);
    try_as(TRAILERS, input, length);
    return 0;
}
