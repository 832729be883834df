/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a field section of HTTP/2: "name NUL NUL value NUL NUL" each, the first byte says
 * whether the stream ends. Whatever comes: nothing is written beyond the memory asked for, and what
 * is accepted can be written as HTTP/1.1, where it is one request and means the same. */
#include "base/check.h"
#include "http/h1/h1_parser.h"
#include "http/h1/h1_writer.h"
#include "http/h2/h2_request.h"
#include "tests/fakes/h2_section.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

static struct http_request request;
static struct http_request again;
static struct http_headers trailers;
static struct http_header rows[HTTP_HEADERS_MAX];
static struct http_header rows_again[HTTP_HEADERS_MAX];

static void check_rows(const struct http_headers *headers)
{
    for (uint32_t i = 0; i < headers->count; i++) {
        const struct http_header *row = &headers->rows[i];
        struct bytes value = http_header_value(row);

        CHECK(row->name_length > 0);
        CHECK(bytes_equal(bytes_trim(value), value));
        for (uint32_t j = 0; j < row->value_length; j++) {
            CHECK(value.at[j] != '\r' && value.at[j] != '\n' && value.at[j] != '\0');
        }
        for (uint32_t j = 0; j < row->name_length; j++) {
            CHECK(row->name[j] < 'A' || row->name[j] > 'Z');
        }
    }
}

static void write_framing(struct text *text)
{
    if (request.framing == HTTP_CHUNKED) {
        text_add_literal(text, "Transfer-Encoding: chunked\r\n");
    } else if (request.framing == HTTP_LENGTH_KNOWN) {
        h1_write_content_length(text, request.body_length);
    }
}

static bool is_written(const struct http_header *row)
{
    return row->id != HTTP_HEADER_HOST && row->id != HTTP_HEADER_CONTENT_LENGTH;
}

/* As origin_h1 would send it on: one head, to its last byte. */
static void check_as_http1(void)
{
    static char memory[200000];
    const struct h1_limits limits = {
        .head_bytes = sizeof(memory), .target_bytes = 65536, .headers = HTTP_HEADERS_MAX};
    struct text text = text_over(memory, sizeof(memory));
    struct h1_problem problem;
    size_t consumed = 0;

    if (request.method == HTTP_CONNECT || request.headers.count + 2 > HTTP_HEADERS_MAX) {
        return;
    }
    h1_write_request_line(&text, request.method_text, request.target);
    h1_write_field(&text, BYTES("Host"), request.authority);
    write_framing(&text);
    for (uint32_t i = 0; i < request.headers.count; i++) {
        if (is_written(&request.headers.rows[i])) {
            h1_write_field(&text, http_header_name(&request.headers.rows[i]),
                           http_header_value(&request.headers.rows[i]));
        }
    }
    h1_write_end(&text);
    if (text.overflowed) {
        return;
    }
    CHECK(h1_parse_request((struct bytes){memory, text_length(&text)}, &limits, &again, &consumed,
                           &problem) == H1_COMPLETE);
    CHECK(consumed == text_length(&text));
    CHECK(bytes_equal(again.method_text, request.method_text));
    CHECK(bytes_equal(again.target, request.target) && bytes_equal(again.host, request.host));
    CHECK(again.framing == request.framing && again.body_length == request.body_length);
    CHECK(bytes_equal(again.path, request.path) && bytes_equal(again.query, request.query));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    struct http_field fields[H2_FIELDS_MAX + 8];
    struct bytes rest = {(const char *)input, length};
    enum h2_fault fault = H2_FAULT_COUNT;
    uint32_t count;
    bool ends;
    char *memory;

    if (length == 0) {
        return 0;
    }
    ends = (rest.at[0] & 1) != 0;
    count = h2_section_of_any(bytes_skip(rest, 1), fields, H2_FIELDS_MAX + 8);
    request.headers.rows = rows;
    again.headers.rows = rows_again;
    trailers.rows = rows;
    memory = malloc(h2_fields_room(fields, count) + 1);
    CHECK(memory != NULL);
    if (h2_read_request(fields, count, ends, 8192, memory, &request, &fault)) {
        check_rows(&request.headers);
        CHECK(request.framing != HTTP_UNTIL_CLOSE);
        CHECK(!ends || request.framing != HTTP_CHUNKED);
        check_as_http1();
    } else {
        CHECK(fault < H2_FAULT_COUNT && h2_fault_word(fault) != NULL);
    }
    fault = H2_FAULT_COUNT;
    if (h2_read_trailers(fields, count, memory, &trailers, &fault)) {
        check_rows(&trailers);
    } else {
        CHECK(fault < H2_FAULT_COUNT);
    }
    free(memory);
    return 0;
}
