/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a request head. Whatever comes: a verdict does not change when more bytes
 * arrive, everything returned points into the input, and what was accepted can be written
 * out again and then means the same. */
#include "base/check.h"
#include "http/h1/h1_parser.h"
#include "http/h1/h1_writer.h"
#include "http/uri.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

static struct http_header rows[HTTP_HEADERS_MAX];
static struct http_header rows_again[HTTP_HEADERS_MAX];
static struct http_request request = {.headers.rows = rows};
static struct http_request again = {.headers.rows = rows_again};

/* From an exact copy that is gone afterwards: only the verdict and numbers may be used. */
static enum h1_verdict verdict_of(const uint8_t *input, size_t length,
                                  const struct h1_limits *limits, size_t *consumed,
                                  struct h1_problem *problem)
{
    char *copy = malloc(length);
    enum h1_verdict verdict;

    memcpy(copy, input, length);
    verdict = h1_parse_request((struct bytes){copy, length}, limits, &again, consumed, problem);
    free(copy);
    return verdict;
}

/* Cut anywhere, a whole head is incomplete; bytes behind it change nothing; and what is
 * refused stays refused. */
static void check_prefixes(const uint8_t *input, size_t length, const struct h1_limits *limits,
                           enum h1_verdict verdict, size_t consumed,
                           const struct h1_problem *problem)
{
    size_t step = length > 512 ? length / 256 : 1;
    bool refused = false;

    for (size_t cut = 0; cut <= length; cut += step) {
        struct h1_problem early;
        size_t used = 0;
        enum h1_verdict found = verdict_of(input, cut, limits, &used, &early);

        CHECK(!refused || found == H1_REJECTED);
        refused = found == H1_REJECTED;
        if (verdict == H1_COMPLETE) {
            CHECK(found == (cut < consumed ? H1_INCOMPLETE : H1_COMPLETE));
            CHECK(cut < consumed || used == consumed);
        } else if (verdict == H1_INCOMPLETE) {
            CHECK(found == H1_INCOMPLETE);
        } else {
            CHECK(found != H1_COMPLETE);
            CHECK(found == H1_INCOMPLETE || early.status == problem->status);
        }
    }
}

static bool lies_in(struct bytes part, struct bytes whole)
{
    return part.length == 0 ||
           (part.at >= whole.at && part.at + part.length <= whole.at + whole.length);
}

static void check_headers(const struct http_headers *headers, struct bytes head, uint32_t most)
{
    uint64_t present = 0;

    CHECK(headers->count <= most);
    for (uint32_t i = 0; i < headers->count; i++) {
        const struct http_header *row = &headers->rows[i];

        CHECK(row->name_length > 0 && lies_in(http_header_name(row), head));
        CHECK(lies_in(http_header_value(row), head));
        CHECK(bytes_equal(bytes_trim(http_header_value(row)), http_header_value(row)));
        CHECK(row->id == http_header_id_received(row->name, row->name_length));
        for (uint32_t j = 0; j < row->value_length; j++) {
            CHECK(row->value[j] != '\r' && row->value[j] != '\n' && row->value[j] != '\0');
        }
        present |= row->id != HTTP_HEADER_OTHER ? (uint64_t)1 << row->id : 0;
    }
    CHECK(headers->present == present);
}

/* "http://host?query": the forwarder puts a "/" before the target. */
static bool lacks_path(void)
{
    return request.path.length == 0 && request.has_query;
}

static void check_meaning(struct bytes head)
{
    struct bytes host;
    struct bytes port;
    bool has_length = http_has(&request.headers, HTTP_HEADER_CONTENT_LENGTH);
    bool has_coding = http_has(&request.headers, HTTP_HEADER_TRANSFER_ENCODING);

    CHECK(!has_length || !has_coding);
    CHECK((request.framing == HTTP_LENGTH_KNOWN) == has_length);
    CHECK((request.framing == HTTP_CHUNKED) == has_coding);
    CHECK(request.framing != HTTP_UNTIL_CLOSE && request.body_length <= INT64_MAX);
    CHECK(request.version == HTTP_1_0 || request.version == HTTP_1_1);
    CHECK(request.version == HTTP_1_1 || (!request.expects_continue && !request.wants_upgrade));
    CHECK(request.method_text.length >= 1 && request.method_text.length <= 32);
    CHECK(request.target.length > 0);
    CHECK(request.method == HTTP_CONNECT || request.target.at[0] == '/' || lacks_path() ||
          (request.method == HTTP_OPTIONS && bytes_equal(request.target, BYTES("*"))));
    CHECK(lies_in(request.authority, head) && lies_in(request.host, request.authority));
    CHECK(request.authority.length == 0 || uri_split_authority(request.authority, &host, &port));
    CHECK(request.path.length + (request.has_query ? 1 : 0) + request.query.length ==
          request.target.length);
}

/* As origin_h1 would send it on. */
static void check_written_again(const struct h1_limits *limits)
{
    static char memory[20000];
    struct text text = text_over(memory, sizeof(memory));
    struct h1_problem problem;
    size_t consumed = 0;

    if (lacks_path()) {
        return;
    }
    h1_write_request_line(&text, request.method_text, request.target);
    h1_write_field(&text, BYTES("Host"), request.authority);
    for (uint32_t i = 0; i < request.headers.count; i++) {
        if (request.headers.rows[i].id != HTTP_HEADER_HOST) {
            h1_write_field(&text, http_header_name(&request.headers.rows[i]),
                           http_header_value(&request.headers.rows[i]));
        }
    }
    h1_write_end(&text);
    if (text.overflowed || text_length(&text) > limits->head_bytes ||
        request.headers.count == limits->headers || request.target.length > limits->target_bytes) {
        return;
    }
    CHECK(h1_parse_request((struct bytes){memory, text_length(&text)}, limits, &again, &consumed,
                           &problem) == H1_COMPLETE);
    CHECK(consumed == text_length(&text));
    CHECK(again.framing == request.framing && again.body_length == request.body_length);
    CHECK(bytes_equal(again.target, request.target) && bytes_equal(again.host, request.host));
    CHECK(bytes_equal(again.path, request.path) && bytes_equal(again.query, request.query));
}

static void try_with(const uint8_t *input, size_t length, const struct h1_limits *limits)
{
    char *copy = malloc(length);
    struct bytes whole = {copy, length};
    struct h1_problem problem = {0, NULL, NULL};
    size_t consumed = 0;
    enum h1_verdict verdict;

    memcpy(copy, input, length);
    verdict = h1_parse_request(whole, limits, &request, &consumed, &problem);
    check_prefixes(input, length, limits, verdict, consumed, &problem);
    if (verdict == H1_COMPLETE) {
        CHECK(consumed > 0 && consumed <= length && consumed <= limits->head_bytes);
        check_headers(&request.headers, bytes_first(whole, consumed), limits->headers);
        check_meaning(bytes_first(whole, consumed));
        check_written_again(limits);
    } else if (verdict == H1_REJECTED) {
        CHECK(problem.status >= 400 && problem.status <= 599 && problem.what != NULL);
        CHECK(problem.section != NULL && strncmp(problem.section, "RFC ", 4) == 0);
    } else {
        CHECK(length < limits->head_bytes);
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    const struct h1_limits roomy = {.head_bytes = 16384, .target_bytes = 8192, .headers = 100};
    const struct h1_limits tight = {.head_bytes = 96, .target_bytes = 24, .headers = 4};

    try_with(input, length, &roomy);
    try_with(input, length, &tight);
    return 0;
}
