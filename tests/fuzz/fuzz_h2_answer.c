/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as the field section of an answer in HTTP/2: "name NUL NUL value NUL NUL" each, the first
 * byte says whether the stream ends, to which method, and whether these are trailers. Whatever is
 * accepted can be written as HTTP/1.1, where it is one answer and means the same. */
#include "base/check.h"
#include "http/h1/h1_parser.h"
#include "http/h1/h1_writer.h"
#include "http/h2/h2_answer.h"
#include "tests/fakes/h2_section.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

#define TEXT_BYTES 65536

static struct http_field fields[H2_FIELDS_MAX];
static struct http_header rows[HTTP_HEADERS_MAX];
static struct http_header rows_again[HTTP_HEADERS_MAX];

static void write_head(struct text *text, const struct http_response *response)
{
    text_add_literal(text, "HTTP/1.1 ");
    text_add_number(text, response->status);
    text_add_literal(text, " x\r\n");
    for (uint32_t i = 0; i < response->headers.count; i++) {
        const struct http_header *row = &response->headers.rows[i];

        h1_write_field(text, http_header_name(row), http_header_value(row));
    }
    if (response->framing == HTTP_CHUNKED) {
        text_add_literal(text, "Transfer-Encoding: chunked\r\n");
    }
    h1_write_end(text);
}

static void check_again(const struct http_response *response, enum http_method method)
{
    static char memory[TEXT_BYTES];
    struct h1_limits limits = {.head_bytes = TEXT_BYTES, .headers = HTTP_HEADERS_MAX};
    struct http_response again = {.headers.rows = rows_again};
    struct text text = text_over(memory, sizeof(memory));
    struct h1_problem problem;
    size_t consumed = 0;

    write_head(&text, response);
    if (text.overflowed || response->headers.count == HTTP_HEADERS_MAX) {
        return;
    }
    CHECK(h1_parse_response((struct bytes){memory, text_length(&text)}, &limits, method, &again,
                            &consumed, &problem) == H1_COMPLETE);
    CHECK(consumed == text_length(&text) && again.status == response->status);
    if (response->status >= 200 && response->framing != HTTP_LENGTH_KNOWN) {
        CHECK(again.framing == response->framing);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    struct http_response response = {.headers.rows = rows};
    struct http_headers trailers = {.rows = rows};
    enum http_method method;
    const char *fault = NULL;
    uint32_t count;

    if (length == 0) {
        return 0;
    }
    method = (input[0] & 2) != 0 ? HTTP_HEAD : HTTP_GET;
    count = h2_section_of_any((struct bytes){(const char *)input + 1, length - 1}, fields,
                              H2_FIELDS_MAX);
    if ((input[0] & 4) != 0) {
        CHECK(h2_read_answer_trailers(fields, count, &trailers, &fault) || fault != NULL);
    } else if (h2_read_answer(fields, count, method, (input[0] & 1) != 0, 0, &response, &fault)) {
        check_again(&response, method);
    } else {
        CHECK(fault != NULL);
    }
    return 0;
}
