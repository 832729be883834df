/* SPDX-License-Identifier: BSD-2-Clause */
/* RFC 9113 section 8 for requests. Fields are checked one by one as they are copied; then what they
 * say together is. */
#include "http/h2/h2_request.h"

#include "base/text.h"
#include "http/characters.h"
#include "http/framing.h"
#include "http/h2/h2_field.h"
#include "http/uri.h"

#define METHOD_MOST 32

/* --- causes -------------------------------------------------------------------------------- */

const char *h2_fault_word(enum h2_fault fault)
{
    static const char *const words[] = {
#define ROW(name, word, sentence) [H2_FAULT_##name] = (word),
        H2_FAULTS(ROW)
#undef ROW
    };

    return words[fault];
}

const char *h2_fault_sentence(enum h2_fault fault)
{
    static const char *const sentences[] = {
#define ROW(name, word, sentence) [H2_FAULT_##name] = (sentence),
        H2_FAULTS(ROW)
#undef ROW
    };

    return sentences[fault];
}

uint16_t h2_fault_status(enum h2_fault fault)
{
    switch (fault) {
    case H2_FAULT_EXPECT:
        return 417;
    case H2_FAULT_TARGET_TOO_LONG:
        return 414;
    case H2_FAULT_HEAD_TOO_LARGE:
        return 431;
    case H2_FAULT_PROTOCOL_UNKNOWN:
        return 501; /* RFC 9220 section 3 */
    default:
        return 0;
    }
}

static bool refuse(enum h2_fault *fault, enum h2_fault why)
{
    *fault = why;
    return false;
}

/* --- pseudo fields (section 8.3.1) --------------------------------------------------------- */

enum pseudo { METHOD, SCHEME, AUTHORITY, PATH, PROTOCOL, PSEUDO_COUNT };

struct pseudos {
    bool there[PSEUDO_COUNT];
    struct bytes value[PSEUDO_COUNT];
};

static enum pseudo pseudo_of(struct bytes name)
{
    static const struct bytes names[] = {
        [METHOD] = {":method", 7}, [SCHEME] = {":scheme", 7},     [AUTHORITY] = {":authority", 10},
        [PATH] = {":path", 5},     [PROTOCOL] = {":protocol", 9},
    };
    enum pseudo pseudo = METHOD;

    while (pseudo < PSEUDO_COUNT && !bytes_equal(names[pseudo], name)) {
        pseudo++;
    }
    return pseudo;
}

/* They come first; *count says how many there are. */
static bool read_pseudos(const struct http_field *fields, uint32_t count, struct pseudos *pseudos,
                         uint32_t *found, enum h2_fault *fault)
{
    uint32_t i;

    *pseudos = (struct pseudos){0};
    for (i = 0; i < count && h2_is_pseudo(&fields[i]); i++) {
        enum pseudo pseudo = pseudo_of(fields[i].name);

        if (pseudo == PSEUDO_COUNT) {
            return refuse(fault, H2_FAULT_PSEUDO_UNKNOWN);
        }
        if (pseudos->there[pseudo]) {
            return refuse(fault, H2_FAULT_PSEUDO_TWICE);
        }
        if (!h2_check_value(fields[i].value, fault)) {
            return false;
        }
        pseudos->there[pseudo] = true;
        pseudos->value[pseudo] = fields[i].value;
    }
    *found = i;
    return true;
}

static bool is_scheme(struct bytes scheme)
{
    return bytes_equal_fold(scheme, BYTES("http")) || bytes_equal_fold(scheme, BYTES("https"));
}

static bool is_path(struct bytes path, enum http_method method)
{
    if (path.length == 1 && path.at[0] == '*') {
        return method == HTTP_OPTIONS;
    }
    return path.length > 0 && path.at[0] == '/' &&
           http_scan_target(path.at, path.at + path.length) == path.at + path.length;
}

/* A tunnel's request names where to and nothing else (section 8.5). */
static bool understand_connect(const struct pseudos *pseudos, struct http_request *request,
                               enum h2_fault *fault)
{
    struct bytes port;

    if (pseudos->there[SCHEME] || pseudos->there[PATH]) {
        return refuse(fault, H2_FAULT_CONNECT);
    }
    if (!uri_split_authority(request->authority, &request->host, &port) || port.length == 0) {
        return refuse(fault, H2_FAULT_AUTHORITY);
    }
    request->target = request->authority;
    http_split_target(request);
    request->framing = HTTP_NO_BODY; /* what follows would be the tunnel's */
    return true;
}

/* A request for a tunnel through the origin (RFC 8441 section 4) is what GET with Upgrade is in
 * HTTP/1.1, and goes on as that; a WebSocket is the one protocol known. */
static bool understand_protocol(const struct pseudos *pseudos, bool ends,
                                struct http_request *request, enum h2_fault *fault)
{
    struct http_headers *headers = &request->headers;

    if (request->method != HTTP_CONNECT || !pseudos->there[AUTHORITY] || ends ||
        http_has(headers, HTTP_HEADER_CONTENT_LENGTH)) {
        return refuse(fault, H2_FAULT_PROTOCOL);
    }
    if (!bytes_equal_fold(pseudos->value[PROTOCOL], BYTES("websocket"))) {
        return refuse(fault, H2_FAULT_PROTOCOL_UNKNOWN);
    }
    if (headers->count == HTTP_HEADERS_MAX) {
        return refuse(fault, H2_FAULT_HEAD_TOO_LARGE);
    }
    headers->rows[headers->count++] = (struct http_header){
        .name = "upgrade",
        .value = "websocket",
        .value_length = sizeof("websocket") - 1,
        .name_length = sizeof("upgrade") - 1,
        .id = HTTP_HEADER_UPGRADE,
    };
    headers->present |= (uint64_t)1 << HTTP_HEADER_UPGRADE;
    request->method = HTTP_GET;
    request->method_text = BYTES("GET");
    request->wants_upgrade = true;
    request->framing = HTTP_NO_BODY;
    return true;
}

static bool understand_target(const struct pseudos *pseudos, uint32_t target_most,
                              struct text *memory, struct http_request *request,
                              enum h2_fault *fault)
{
    struct bytes path = pseudos->value[PATH];

    if (!pseudos->there[SCHEME] || !pseudos->there[PATH]) {
        return refuse(fault, H2_FAULT_PSEUDO_MISSING);
    }
    if (!is_scheme(pseudos->value[SCHEME])) {
        return refuse(fault, H2_FAULT_SCHEME);
    }
    if (path.length > target_most) {
        return refuse(fault, H2_FAULT_TARGET_TOO_LONG);
    }
    if (!is_path(path, request->method)) {
        return refuse(fault, H2_FAULT_PATH);
    }
    request->target = h2_copy(memory, path);
    http_split_target(request);
    return true;
}

static bool understand_method(const struct pseudos *pseudos, struct text *memory,
                              struct http_request *request, enum h2_fault *fault)
{
    struct bytes method = pseudos->value[METHOD];

    if (!pseudos->there[METHOD]) {
        return refuse(fault, H2_FAULT_PSEUDO_MISSING);
    }
    if (method.length > METHOD_MOST || !http_all_are(method, HTTP_CHAR_TOKEN)) {
        return refuse(fault, H2_FAULT_METHOD);
    }
    request->method_text = h2_copy(memory, method);
    request->method = http_method_of(request->method_text);
    return true;
}

/* --- whom for ------------------------------------------------------------------------------ */

/* The port that is meant where none is written. */
static struct bytes port_or_usual(struct bytes port, struct bytes scheme)
{
    if (port.length > 0) {
        return port;
    }
    return bytes_equal_fold(scheme, BYTES("https")) ? BYTES("443") : BYTES("80");
}

static bool is_same_entity(struct bytes a, struct bytes b, struct bytes scheme)
{
    struct bytes host_a;
    struct bytes host_b;
    struct bytes port_a;
    struct bytes port_b;

    return uri_split_authority(a, &host_a, &port_a) && uri_split_authority(b, &host_b, &port_b) &&
           bytes_equal_fold(host_a, host_b) &&
           bytes_equal(port_or_usual(port_a, scheme), port_or_usual(port_b, scheme));
}

/* :authority, else Host; where both are there they name the same (section 8.3.1). */
static bool understand_authority(const struct pseudos *pseudos, struct text *memory,
                                 struct http_request *request, enum h2_fault *fault)
{
    bool twice;
    const struct http_header *host = http_find_only(&request->headers, HTTP_HEADER_HOST, &twice);

    if (twice) {
        return refuse(fault, H2_FAULT_HOST);
    }
    if (pseudos->there[AUTHORITY]) {
        request->authority = h2_copy(memory, pseudos->value[AUTHORITY]);
    } else if (host != NULL && request->method != HTTP_CONNECT) {
        request->authority = http_header_value(host);
    }
    if (pseudos->there[AUTHORITY] && host != NULL &&
        !is_same_entity(request->authority, http_header_value(host), pseudos->value[SCHEME])) {
        return refuse(fault, H2_FAULT_HOST);
    }
    return true;
}

/* --- the body ------------------------------------------------------------------------------ */

/* Section 8.1.1: a length that does not agree with the sum of DATA is malformed. */
static bool understand_body(bool ends, struct http_request *request, enum h2_fault *fault)
{
    bool twice;
    const struct http_header *row =
        http_find_only(&request->headers, HTTP_HEADER_CONTENT_LENGTH, &twice);

    request->body_length = 0;
    request->framing = ends ? HTTP_NO_BODY : HTTP_CHUNKED;
    if (row == NULL) {
        return true;
    }
    if (twice || !http_read_length(http_header_value(row), &request->body_length)) {
        return refuse(fault, H2_FAULT_CONTENT_LENGTH);
    }
    if (ends && request->body_length > 0) {
        return refuse(fault, H2_FAULT_BODY_LENGTH);
    }
    request->framing = HTTP_LENGTH_KNOWN;
    return true;
}

static bool understand_expect(bool ends, struct http_request *request, enum h2_fault *fault)
{
    request->expects_continue = !ends && http_has(&request->headers, HTTP_HEADER_EXPECT);
    if (http_has(&request->headers, HTTP_HEADER_EXPECT) &&
        !http_expectation_is_known(&request->headers)) {
        return refuse(fault, H2_FAULT_EXPECT);
    }
    return true;
}

/* --- cookies (section 8.2.3) --------------------------------------------------------------- */

static bool is_cookie(const struct http_field *field)
{
    return bytes_equal(field->name, BYTES("cookie"));
}

/* All crumbs from `fields` on in one row. */
static bool add_cookies(const struct http_field *fields, uint32_t count, struct text *memory,
                        struct http_headers *headers, enum h2_fault *fault)
{
    struct http_header *row = &headers->rows[headers->count];

    if (!h2_add_row(fields, memory, headers, fault)) {
        return false;
    }
    for (uint32_t i = 1; i < count; i++) {
        if (!is_cookie(&fields[i])) {
            continue;
        }
        if (!h2_check_value(fields[i].value, fault)) {
            return false;
        }
        text_add_literal(memory, "; ");
        text_add_bytes(memory, fields[i].value);
    }
    row->value_length = (uint32_t)(memory->at - row->value);
    return true;
}

/* --- the whole ----------------------------------------------------------------------------- */

size_t h2_fields_room(const struct http_field *fields, uint32_t count)
{
    size_t room = 0;

    for (uint32_t i = 0; i < count; i++) {
        room += fields[i].name.length + fields[i].value.length + 2; /* "; " behind a crumb */
    }
    return room;
}

static bool read_rows(const struct http_field *fields, uint32_t count, struct text *memory,
                      struct http_headers *headers, enum h2_fault *fault)
{
    bool had_cookies = false;

    h2_begin_rows(headers);
    for (uint32_t i = 0; i < count; i++) {
        bool added = true;

        if (h2_is_pseudo(&fields[i])) {
            return refuse(fault, H2_FAULT_PSEUDO_LATE);
        }
        if (!is_cookie(&fields[i])) {
            added = h2_add_row(&fields[i], memory, headers, fault);
        } else if (!had_cookies) {
            added = add_cookies(&fields[i], count - i, memory, headers, fault);
            had_cookies = true;
        }
        if (!added) {
            return false;
        }
    }
    h2_end_rows(headers);
    return true;
}

bool h2_read_request(const struct http_field *fields, uint32_t count, bool ends,
                     uint32_t target_most, char *memory, struct http_request *request,
                     enum h2_fault *fault)
{
    struct text text = text_over(memory, h2_fields_room(fields, count));
    struct pseudos pseudos;
    struct bytes port;
    uint32_t first = 0;

    request->version = HTTP_2;
    request->keep_alive = true;
    request->wants_upgrade = false;
    request->authority = BYTES("");
    request->host = BYTES("");
    if (!read_pseudos(fields, count, &pseudos, &first, fault) ||
        !read_rows(fields + first, count - first, &text, &request->headers, fault) ||
        !understand_method(&pseudos, &text, request, fault) ||
        !understand_authority(&pseudos, &text, request, fault) ||
        !understand_body(ends, request, fault)) {
        return false;
    }
    if (pseudos.there[PROTOCOL] && !understand_protocol(&pseudos, ends, request, fault)) {
        return false;
    }
    if (request->method == HTTP_CONNECT) {
        return understand_connect(&pseudos, request, fault);
    }
    return understand_target(&pseudos, target_most, &text, request, fault) &&
           (http_set_authority(request, request->authority, &port) ||
            refuse(fault, H2_FAULT_AUTHORITY)) &&
           understand_expect(ends, request, fault);
}

bool h2_read_trailers(const struct http_field *fields, uint32_t count, char *memory,
                      struct http_headers *trailers, enum h2_fault *fault)
{
    struct text text = text_over(memory, h2_fields_room(fields, count));
    struct h1_problem problem;

    h2_begin_rows(trailers);
    for (uint32_t i = 0; i < count; i++) {
        if (h2_is_pseudo(&fields[i])) {
            return refuse(fault, H2_FAULT_TRAILER_FIELD);
        }
        if (!h2_add_row(&fields[i], &text, trailers, fault)) {
            return false;
        }
    }
    h2_end_rows(trailers);
    return http_trailers_are_allowed(trailers, &problem) || refuse(fault, H2_FAULT_TRAILER_FIELD);
}
