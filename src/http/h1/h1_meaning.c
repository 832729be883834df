/* SPDX-License-Identifier: BSD-2-Clause */
/* Turns the parts of a head into what the exchange asks: where to, whom for, and what becomes
 * of the connection afterwards. Called by h1_parser.c when a head is whole. */
#include "http/h1/h1_private.h"

#include "http/characters.h"
#include "http/framing.h"

/* --- the target (RFC 9112 section 3.2) ---------------------------------------------------- */

/* How many bytes "http://" or "https://" take at the start; 0 if neither is there. */
static size_t scheme_length(struct bytes target)
{
    if (target.length >= 7 && strncasecmp(target.at, "http://", 7) == 0) {
        return 7;
    }
    if (target.length >= 8 && strncasecmp(target.at, "https://", 8) == 0) {
        return 8;
    }
    return 0;
}

/* Reduces absolute-form to origin-form. */
static bool take_absolute_form(struct http_request *request, size_t scheme,
                               struct h1_problem *problem)
{
    struct bytes rest = bytes_skip(request->target, scheme);
    struct bytes port;
    size_t length = 0;

    while (length < rest.length && rest.at[length] != '/' && rest.at[length] != '?') {
        length++;
    }
    if (!http_set_authority(request, bytes_first(rest, length), &port)) {
        return h1_refuse(problem, 400, "the target's authority is malformed",
                         "RFC 9112 section 3.2.2");
    }
    request->target = bytes_skip(rest, length);
    if (request->target.length == 0) {
        request->target = request->method == HTTP_OPTIONS ? BYTES("*") : BYTES("/");
    }
    return true; /* "http://host?query" leaves "?query": the forwarder puts a "/" before */
}

static bool take_authority_form(struct http_request *request, struct h1_problem *problem)
{
    struct bytes port;

    if (!http_set_authority(request, request->target, &port) || port.length == 0) {
        return h1_refuse(problem, 400, "the target of CONNECT is not host:port",
                         "RFC 9112 section 3.2.3");
    }
    return true;
}

/* Sets target, and for the forms that carry one, authority and host. */
static bool understand_target(struct http_request *request, struct h1_problem *problem)
{
    size_t scheme;

    if (request->method == HTTP_CONNECT) {
        return take_authority_form(request, problem);
    }
    if (request->target.at[0] == '/') {
        return true;
    }
    if (request->target.length == 1 && request->target.at[0] == '*') {
        if (request->method == HTTP_OPTIONS) {
            return true;
        }
        return h1_refuse(problem, 400, "the target * with a method other than OPTIONS",
                         "RFC 9112 section 3.2.4");
    }
    scheme = scheme_length(request->target);
    if (scheme > 0) {
        return take_absolute_form(request, scheme, problem);
    }
    return h1_refuse(problem, 400, "the target does not begin with /", "RFC 9112 section 3.2");
}

/* --- Host --------------------------------------------------------------------------------- */

/* The authority of an absolute-form target is there already and takes Host's place. */
static bool understand_host(struct http_request *request, struct h1_problem *problem)
{
    bool twice;
    const struct http_header *header = http_find_only(&request->headers, HTTP_HEADER_HOST, &twice);
    struct bytes from_target = request->authority;
    struct bytes host_of_target = request->host;
    struct bytes port;

    if (header == NULL) {
        return request->version == HTTP_1_0 ||
               h1_refuse(problem, 400, "Host is missing", "RFC 9112 section 3.2");
    }
    if (twice) {
        return h1_refuse(problem, 400, "Host occurs more than once", "RFC 9112 section 3.2");
    }
    if (header->value_length > 0 &&
        !http_set_authority(request, http_header_value(header), &port)) {
        return h1_refuse(problem, 400, "Host is malformed", "RFC 9112 section 3.2");
    }
    if (from_target.length > 0) {
        request->authority = from_target;
        request->host = host_of_target;
    }
    return true;
}

/* --- Connection (RFC 9110 section 7.6.1) -------------------------------------------------- */

struct options {
    bool close;
    bool keep_alive;
    bool upgrade;
};

static bool add_options(struct bytes list, struct options *options)
{
    struct bytes option;

    while (http_list_next(&list, &option)) {
        if (!http_all_are(option, HTTP_CHAR_TOKEN)) {
            return false;
        }
        options->close |= bytes_equal_fold(option, BYTES("close"));
        options->keep_alive |= bytes_equal_fold(option, BYTES("keep-alive"));
        options->upgrade |= bytes_equal_fold(option, BYTES("upgrade"));
    }
    return true;
}

static bool read_options(const struct http_headers *headers, struct options *options,
                         struct h1_problem *problem)
{
    *options = (struct options){false, false, false};
    if (!http_has(headers, HTTP_HEADER_CONNECTION)) {
        return true;
    }
    for (uint32_t i = 0; i < headers->count; i++) {
        if (headers->rows[i].id == HTTP_HEADER_CONNECTION &&
            !add_options(http_header_value(&headers->rows[i]), options)) {
            return h1_refuse(problem, 400, "Connection is not a list of tokens",
                             "RFC 9110 section 7.6.1");
        }
    }
    return true;
}

/* RFC 9112 section 9.3 */
static bool is_persistent(enum http_version version, const struct options *options)
{
    return !options->close && (version != HTTP_1_0 || options->keep_alive);
}

/* --- Expect and Upgrade ------------------------------------------------------------------- */

/* RFC 9110 section 10.1.1. HTTP/1.0 clients do not know 100 (Continue), and a client without
 * a body does not wait for it. */
static bool understand_expect(struct http_request *request, struct h1_problem *problem)
{
    request->expects_continue = http_has(&request->headers, HTTP_HEADER_EXPECT);
    if (!request->expects_continue) {
        return true;
    }
    if (!http_expectation_is_known(&request->headers)) {
        return h1_refuse(problem, 417, "an expectation other than 100-continue",
                         "RFC 9110 section 10.1.1");
    }
    request->expects_continue &=
        request->version != HTTP_1_0 && http_has_body(request->framing, request->body_length);
    return true;
}

static bool is_protocol(struct bytes text)
{
    const char *slash = memchr(text.at, '/', text.length);
    size_t length = slash != NULL ? (size_t)(slash - text.at) : text.length;

    return http_all_are(bytes_first(text, length), HTTP_CHAR_TOKEN) &&
           (slash == NULL || http_all_are(bytes_skip(text, length + 1), HTTP_CHAR_TOKEN));
}

/* Other forms of HTTP are never tunnelled: requests inside an h2c tunnel would reach the
 * origin past every route and limit. The client hears an answer without the upgrade. */
static bool is_http(struct bytes protocol)
{
    return (protocol.length >= 2 && strncasecmp(protocol.at, "h2", 2) == 0) ||
           (protocol.length >= 4 && strncasecmp(protocol.at, "http", 4) == 0);
}

static bool names_only_tunnels(const struct http_headers *headers)
{
    bool any = false;

    for (uint32_t i = 0; i < headers->count; i++) {
        struct bytes list = http_header_value(&headers->rows[i]);
        struct bytes protocol;

        while (headers->rows[i].id == HTTP_HEADER_UPGRADE && http_list_next(&list, &protocol)) {
            if (!is_protocol(protocol) || is_http(protocol)) {
                return false;
            }
            any = true;
        }
    }
    return any;
}

/* RFC 9110 section 7.8. Ignoring Upgrade is always allowed, and safe where its meaning is not
 * plain: behind a body, or with a method that changes something. */
static bool is_upgrade(const struct http_request *request, const struct options *options)
{
    return options->upgrade && http_has(&request->headers, HTTP_HEADER_UPGRADE) &&
           request->version != HTTP_1_0 && request->method == HTTP_GET &&
           !http_has_body(request->framing, request->body_length) &&
           names_only_tunnels(&request->headers);
}

/* --- the whole ---------------------------------------------------------------------------- */

bool h1_understand_request(struct http_request *request, struct h1_problem *problem)
{
    struct options options;

    request->authority = BYTES("");
    request->host = BYTES("");
    if (!understand_target(request, problem) || !understand_host(request, problem) ||
        !read_options(&request->headers, &options, problem) ||
        !http_frame_request(request, problem) || !understand_expect(request, problem)) {
        return false;
    }
    http_split_target(request);
    request->keep_alive = is_persistent(request->version, &options);
    request->wants_upgrade = is_upgrade(request, &options);
    return true;
}

bool h1_understand_response(struct http_response *response, enum http_method method,
                            uint8_t lenient, struct h1_problem *problem)
{
    struct options options;

    if (!read_options(&response->headers, &options, problem)) {
        return false;
    }
    response->keep_alive = is_persistent(response->version, &options);
    response->goes_on = false;
    return http_frame_response(response, method, lenient, problem);
}
