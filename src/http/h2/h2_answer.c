/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/h2/h2_answer.h"

#include "http/characters.h"
#include "http/framing.h"
#include "http/h2/h2_field.h"

#define STATUS_LEAST 100
#define STATUS_MOST 599
#define STATUS_LENIENT_MOST 999

static bool refuse(const char **fault, const char *why)
{
    *fault = why;
    return false;
}

static bool read_rows(const struct http_field *fields, uint32_t count, struct http_headers *headers,
                      const char **fault)
{
    enum h2_fault why;

    h2_begin_rows(headers);
    for (uint32_t i = 0; i < count; i++) {
        if (h2_is_pseudo(&fields[i])) {
            return refuse(fault, "a pseudo field that does not belong there");
        }
        if (!h2_add_row(&fields[i], NULL, headers, &why)) {
            return refuse(fault, h2_fault_sentence(why));
        }
    }
    h2_end_rows(headers);
    return true;
}

/* Section 8.3.2: exactly one, and first. 101 has no meaning in HTTP/2 (section 8.6). */
static bool read_status(const struct http_field *fields, uint32_t count, uint8_t lenient,
                        uint16_t *status, const char **fault)
{
    unsigned most = (lenient & HTTP_LENIENT_STATUS) != 0 ? STATUS_LENIENT_MOST : STATUS_MOST;
    unsigned value = 0;

    if (count == 0 || !bytes_equal(fields[0].name, BYTES(":status"))) {
        return refuse(fault, "the answer does not begin with :status");
    }
    if (fields[0].value.length != 3 || !http_all_are(fields[0].value, HTTP_CHAR_DIGIT)) {
        return refuse(fault, ":status is not a number of three digits");
    }
    for (size_t i = 0; i < 3; i++) {
        value = value * 10 + (unsigned)(fields[0].value.at[i] - '0');
    }
    if (value < STATUS_LEAST || value > most || value == 101) {
        return refuse(fault, ":status is not one that HTTP/2 has");
    }
    *status = (uint16_t)value;
    return true;
}

/* A body that the head announces and whose DATA never comes, or the other way round (section 8.1.1). */
static bool agree_on_body(struct http_response *response, bool ends, const char **fault)
{
    if (response->status < 200) {
        response->framing = HTTP_NO_BODY;
        return !ends || refuse(fault, "an interim answer (1xx) that ends its stream");
    }
    if (response->framing == HTTP_UNTIL_CLOSE) {
        response->framing = HTTP_CHUNKED;
    }
    if (!ends || response->framing == HTTP_NO_BODY) {
        return true;
    }
    if (response->framing == HTTP_LENGTH_KNOWN && response->body_length > 0) {
        return refuse(fault, "the body is not as long as Content-Length says");
    }
    response->framing = HTTP_LENGTH_KNOWN;
    response->body_length = 0;
    return true;
}

bool h2_read_answer(const struct http_field *fields, uint32_t count, enum http_method method,
                    bool ends, uint8_t lenient, struct http_response *response, const char **fault)
{
    struct h1_problem problem;

    response->version = HTTP_2;
    response->keep_alive = true;
    response->goes_on = !ends;
    response->reason = BYTES("");
    if (!read_status(fields, count, lenient, &response->status, fault) ||
        !read_rows(fields + 1, count - 1, &response->headers, fault)) {
        return false;
    }
    if (!http_frame_response(response, method, 0, &problem)) {
        return refuse(fault, problem.what);
    }
    return agree_on_body(response, ends, fault);
}

bool h2_read_answer_trailers(const struct http_field *fields, uint32_t count,
                             struct http_headers *trailers, const char **fault)
{
    if (!read_rows(fields, count, trailers, fault)) {
        return false;
    }
    http_trailers_drop_disallowed(trailers);
    return true;
}
