/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a message head of HTTP/1.1: an answer if the first byte is odd, else a request. What is accepted can be written as a field section of HTTP/2, as origin/h2 and client/h2 do
 * it, which is well-formed there and means the same. The other way round: fuzz_h2_request and
 * fuzz_h2_answer. */
#include "base/check.h"
#include "http/framing.h"
#include "http/h1/h1_parser.h"
#include "http/h2/h2_answer.h"
#include "http/h2/h2_field.h"
#include "http/h2/h2_request.h"
#include "tests/fakes/h2_section.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

#define TEXT_BYTES 65536

static struct http_header rows[HTTP_HEADERS_MAX];
static struct http_header rows_again[HTTP_HEADERS_MAX];
static struct http_field fields[HTTP_HEADERS_MAX + 8];
static char names[2 * TEXT_BYTES];
static const struct h1_limits limits = {
    .head_bytes = TEXT_BYTES, .target_bytes = 8192, .headers = HTTP_HEADERS_MAX - 8};

#define BIT(id) (UINT64_C(1) << HTTP_HEADER_##id)

/* What exchange/forward_fields.c never passes on, and what stands elsewhere in HTTP/2. */
#define DROPPED \
    (BIT(CONNECTION) | BIT(KEEP_ALIVE) | BIT(PROXY_CONNECTION) | BIT(TE) | \
     BIT(TRANSFER_ENCODING) | BIT(UPGRADE) | BIT(CONTENT_LENGTH) | BIT(PROXY_AUTHENTICATE) | \
     BIT(PROXY_AUTHORIZATION) | BIT(HTTP2_SETTINGS) | BIT(HOST) | BIT(EXPECT))

/* Returns how many fields there are then. */
static uint32_t add_rows(const struct http_headers *headers, uint32_t count, struct text *text)
{
    for (uint32_t i = 0; i < headers->count; i++) {
        const struct http_header *row = &headers->rows[i];

        if (row->id == HTTP_HEADER_OTHER || ((DROPPED >> row->id) & 1) == 0) {
            fields[count++] = (struct http_field){h2_add_name(text, http_header_name(row)),
                                                  http_header_value(row)};
        }
    }
    return count;
}

static uint32_t add_length(uint64_t length, uint32_t count, struct text *text)
{
    const char *from = text->at;

    text_add_number(text, length);
    fields[count] = (struct http_field){BYTES("content-length"), text_since(text, from)};
    return count + 1;
}

static void check_request(struct bytes head)
{
    static char memory[4 * TEXT_BYTES];
    struct http_request request = {.headers.rows = rows};
    struct http_request again = {.headers.rows = rows_again};
    struct text text = text_over(names, sizeof(names));
    enum h2_fault fault = H2_FAULT_COUNT;
    struct h1_problem problem;
    size_t consumed;
    uint32_t count = 0;

    if (h1_parse_request(head, &limits, &request, &consumed, &problem) != H1_COMPLETE ||
        request.method == HTTP_CONNECT || request.target.at[0] != '/' ||
        request.authority.length == 0) {
        return; /* other forms of targets get this one before they go on */
    }
    fields[count++] = (struct http_field){BYTES(":method"), request.method_text};
    fields[count++] = (struct http_field){BYTES(":scheme"), BYTES("http")};
    fields[count++] = (struct http_field){BYTES(":authority"), request.authority};
    fields[count++] = (struct http_field){BYTES(":path"), request.target};
    count = add_rows(&request.headers, count, &text);
    if (request.framing == HTTP_LENGTH_KNOWN) {
        count = add_length(request.body_length, count, &text);
    }
    CHECK(!text.overflowed && h2_fields_room(fields, count) <= sizeof(memory));
    CHECK(h2_read_request(fields, count, request.framing == HTTP_NO_BODY, TEXT_BYTES, memory,
                          &again, &fault));
    CHECK(bytes_equal(again.method_text, request.method_text));
    CHECK(bytes_equal(again.target, request.target) && bytes_equal(again.host, request.host));
    CHECK(bytes_equal(again.path, request.path) && bytes_equal(again.query, request.query));
    CHECK(again.framing == request.framing && again.body_length == request.body_length);
}

static void check_answer(struct bytes head, enum http_method method)
{
    struct http_response response = {.headers.rows = rows};
    struct http_response again = {.headers.rows = rows_again};
    struct text text = text_over(names, sizeof(names));
    struct h1_problem problem;
    char status[TEXT_NUMBER_MAX];
    struct text digits = text_over(status, sizeof(status));
    const char *fault = NULL;
    size_t consumed;
    uint32_t count = 1;
    bool is_empty;

    if (h1_parse_response(head, &limits, method, &response, &consumed, &problem) != H1_COMPLETE ||
        response.status == 101) {
        return;
    }
    is_empty = response.framing == HTTP_NO_BODY ||
               (response.framing == HTTP_LENGTH_KNOWN && response.body_length == 0);
    text_add_number(&digits, response.status);
    fields[0] = (struct http_field){BYTES(":status"), {status, text_length(&digits)}};
    count = add_rows(&response.headers, count, &text);
    if (response.framing == HTTP_LENGTH_KNOWN) {
        count = add_length(response.body_length, count, &text);
    }
    CHECK(!text.overflowed);
    CHECK(h2_read_answer(fields, count, method, response.status >= 200 && is_empty, 0, &again,
                         &fault));
    CHECK(again.status == response.status);
    CHECK(again.framing ==
          (response.framing == HTTP_UNTIL_CLOSE ? HTTP_CHUNKED : response.framing));
    CHECK(again.framing != HTTP_LENGTH_KNOWN || again.body_length == response.body_length);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    struct bytes head = {(const char *)input + 1, length - 1};

    if (length == 0) {
        return 0;
    }
    if ((input[0] & 1) != 0) {
        check_answer(head, (input[0] & 2) != 0 ? HTTP_HEAD : HTTP_GET);
    } else {
        check_request(head);
    }
    return 0;
}
