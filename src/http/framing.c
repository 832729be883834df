/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a message's body ends (RFC 9112 section 6). Two parties that disagree about this let
 * one client speak in another's name, so whatever could be read in two ways is refused, also
 * where the RFC would let a recipient repair it. */
#include "http/framing.h"

#include "http/characters.h"
#include "http/h1/h1_private.h"

#define BIT(id) ((uint64_t)1 << HTTP_HEADER_##id)

/* --- Content-Length ----------------------------------------------------------------------- */

bool http_read_length(struct bytes text, uint64_t *length)
{
    uint64_t value = 0;

    if (!http_all_are(text, HTTP_CHAR_DIGIT)) {
        return false;
    }
    for (size_t i = 0; i < text.length; i++) {
        unsigned digit = (unsigned)(text.at[i] - '0');

        if (value > ((uint64_t)INT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *length = value;
    return true;
}

static bool read_content_length(const struct http_headers *headers, uint64_t *length,
                                struct h1_problem *problem)
{
    bool twice;
    const struct http_header *header = http_find_only(headers, HTTP_HEADER_CONTENT_LENGTH, &twice);

    /* RFC 9112 section 6.3 lets equal repeated lengths be taken as one. Honest software does
     * not send them, and an origin may read the first line where we read the last. */
    if (twice) {
        return h1_refuse(problem, 400, "Content-Length occurs more than once",
                         "RFC 9112 section 6.3");
    }
    if (!http_read_length(http_header_value(header), length)) {
        return h1_refuse(problem, 400, "Content-Length is not one decimal number",
                         "RFC 9112 section 6.3");
    }
    return true;
}

/* --- Transfer-Encoding -------------------------------------------------------------------- */

/* "gzip, chunked": codings that a recipient might know, chunked once and last. */
static bool is_unknown_coding(struct bytes list)
{
    struct bytes coding;
    bool chunked = false;
    unsigned count = 0;

    while (http_list_next(&list, &coding)) {
        if (chunked || !http_all_are(coding, HTTP_CHAR_TOKEN)) {
            return false;
        }
        chunked = bytes_equal_fold(coding, BYTES("chunked"));
        count++;
    }
    return chunked && count > 1;
}

static bool check_transfer_encoding(const struct http_headers *headers, enum http_version version,
                                    uint8_t lenient, struct h1_problem *problem)
{
    bool twice;
    struct bytes value =
        http_header_value(http_find_only(headers, HTTP_HEADER_TRANSFER_ENCODING, &twice));

    if (version == HTTP_1_0 && (lenient & HTTP_LENIENT_CHUNKED) == 0) {
        return h1_refuse(problem, 400, "Transfer-Encoding in an HTTP/1.0 message",
                         "RFC 9112 section 6.1");
    }
    if (twice) {
        return h1_refuse(problem, 400, "Transfer-Encoding occurs more than once",
                         "RFC 9112 section 6.1");
    }
    if (bytes_equal_fold(value, BYTES("chunked"))) {
        return true;
    }
    if (is_unknown_coding(value)) {
        return h1_refuse(problem, 501, "a transfer coding other than chunked",
                         "RFC 9112 section 6.1");
    }
    return h1_refuse(problem, 400, "Transfer-Encoding does not end in chunked",
                     "RFC 9112 section 6.3");
}

/* --- both --------------------------------------------------------------------------------- */

/* What the headers alone say: HTTP_NO_BODY when they say nothing. */
static bool read_framing(const struct http_headers *headers, enum http_version version,
                         uint8_t lenient, enum http_framing *framing, uint64_t *length,
                         struct h1_problem *problem)
{
    bool coded = http_has(headers, HTTP_HEADER_TRANSFER_ENCODING);
    bool measured = http_has(headers, HTTP_HEADER_CONTENT_LENGTH);

    *framing = HTTP_NO_BODY;
    *length = 0;
    if (coded && measured) {
        return h1_refuse(problem, 400, "both Content-Length and Transfer-Encoding",
                         "RFC 9112 section 6.1");
    }
    if (coded) {
        *framing = HTTP_CHUNKED;
        return check_transfer_encoding(headers, version, lenient, problem);
    }
    if (measured) {
        *framing = HTTP_LENGTH_KNOWN;
        return read_content_length(headers, length, problem);
    }
    return true;
}

bool http_frame_request(struct http_request *request, struct h1_problem *problem)
{
    if (!read_framing(&request->headers, request->version, 0, &request->framing,
                      &request->body_length, problem)) {
        return false;
    }
    /* Others take what follows CONNECT for the tunnel, whatever the headers say. */
    if (request->method == HTTP_CONNECT &&
        (request->framing == HTTP_CHUNKED || request->body_length > 0)) {
        return h1_refuse(problem, 400, "CONNECT with a body", "RFC 9110 section 9.3.6");
    }
    return true;
}

bool http_frame_response(struct http_response *response, enum http_method method, uint8_t lenient,
                         struct h1_problem *problem)
{
    bool said;

    if (!read_framing(&response->headers, response->version, lenient, &response->framing,
                      &response->body_length, problem)) {
        return false;
    }
    if (response->version == HTTP_1_0 && response->framing == HTTP_CHUNKED) {
        response->keep_alive = false; /* RFC 9112 section 6.1: its framing is in doubt */
    }
    said = response->framing == HTTP_CHUNKED || response->body_length > 0;
    if (http_status_forbids_body(response->status)) {
        /* An origin that announces a body where none may be (RFC 9110 section 8.6, RFC 9112
         * section 6.1) may also send it, and that would pass for the next answer. */
        if (said && response->status != 304) {
            response->keep_alive = false;
        }
        response->framing = HTTP_NO_BODY;
    } else if (method == HTTP_HEAD) {
        response->framing = HTTP_NO_BODY;
    } else if (response->framing == HTTP_NO_BODY) {
        response->framing = HTTP_UNTIL_CLOSE;
        response->keep_alive = false;
    }
    return true;
}

/* --- trailers ----------------------------------------------------------------------------- */

static const uint64_t not_in_trailers =
    BIT(CONTENT_LENGTH) | BIT(TRANSFER_ENCODING) | BIT(CONTENT_TYPE) | BIT(TRAILER) |
    /* routing, and who the client is said to be */
    BIT(HOST) | BIT(MAX_FORWARDS) | BIT(FORWARDED) | BIT(X_FORWARDED_FOR) | BIT(X_FORWARDED_HOST) |
    BIT(X_FORWARDED_PROTO) | BIT(CLIENT_CERT) | BIT(CLIENT_CERT_CHAIN) | BIT(LOCATION) |
    /* the connection */
    BIT(CONNECTION) | BIT(KEEP_ALIVE) | BIT(PROXY_CONNECTION) | BIT(TE) | BIT(UPGRADE) |
    BIT(HTTP2_SETTINGS) | BIT(EXPECT) |
    /* authentication */
    BIT(AUTHORIZATION) | BIT(PROXY_AUTHORIZATION) | BIT(PROXY_AUTHENTICATE) | BIT(COOKIE) |
    BIT(SET_COOKIE);

bool http_trailers_are_allowed(const struct http_headers *trailers, struct h1_problem *problem)
{
    if ((trailers->present & not_in_trailers) != 0) {
        return h1_refuse(problem, 400, "a header that must not stand in a trailer section",
                         "RFC 9110 section 6.5.1");
    }
    return true;
}

/* An origin may send them by mistake behind an answer that is fine. The section lets a recipient discard
 * what it does not merge into the head. */
void http_trailers_drop_disallowed(struct http_headers *trailers)
{
    uint32_t kept = 0;

    if ((trailers->present & not_in_trailers) == 0) {
        return;
    }
    for (uint32_t i = 0; i < trailers->count; i++) {
        if (((uint64_t)1 << trailers->rows[i].id & not_in_trailers) == 0) {
            trailers->rows[kept++] = trailers->rows[i];
        }
    }
    trailers->count = kept;
    trailers->present &= ~not_in_trailers;
}
