/* SPDX-License-Identifier: BSD-2-Clause */
/* What a request's head or trailer section in HTTP/2 means (RFC 9113 section 8), as a function of
 * its fields alone. Called by client/h2 once a field section is whole; no sockets, no allocation.
 * Strict: what HTTP/1 could read in two ways is refused here, before it is translated. */
#ifndef HTTP_H2_H2_REQUEST_H
#define HTTP_H2_H2_REQUEST_H

#include "http/fields.h"
#include "http/message.h"

/* Pseudo fields come on top of the fields that a message may have. */
#define H2_FIELDS_MAX (HTTP_HEADERS_MAX + 8)

/* Why a field section is refused: a name for metrics and a sentence for people. */
/* clang-format off */
#define H2_FAULTS(ROW) \
    ROW(NAME_EMPTY,       "name_empty",       "a field without a name") \
    ROW(NAME_CASE,        "name_case",        "a field's name in upper case") \
    ROW(NAME_CHARACTER,   "name_character",   "a field's name holds a forbidden character") \
    ROW(VALUE_CHARACTER,  "value_character",  "a field's value holds a control character") \
    ROW(VALUE_SPACE,      "value_space",      "a field's value begins or ends with white space") \
    ROW(PSEUDO_LATE,      "pseudo_late",      "a pseudo field behind another field") \
    ROW(PSEUDO_UNKNOWN,   "pseudo_unknown",   "a pseudo field that requests do not have") \
    ROW(PSEUDO_TWICE,     "pseudo_twice",     "a pseudo field occurs more than once") \
    ROW(PSEUDO_MISSING,   "pseudo_missing",   "a pseudo field is missing") \
    ROW(METHOD,           "method",           ":method is malformed") \
    ROW(SCHEME,           "scheme",           ":scheme is neither http nor https") \
    ROW(PATH,             "path",             ":path is malformed") \
    ROW(AUTHORITY,        "authority",        ":authority or Host is missing or malformed") \
    ROW(HOST,             "host",             "Host differs from :authority or occurs more than once") \
    ROW(CONNECT,          "connect",          "CONNECT with :scheme or :path") \
    ROW(PROTOCOL,         "protocol",         ":protocol without what an extended CONNECT has") \
    ROW(CONNECTION_FIELD, "connection_field", "a field of the connection, which HTTP/2 does not have") \
    ROW(TE,               "te",               "TE other than trailers") \
    ROW(CONTENT_LENGTH,   "content_length",   "Content-Length is not one decimal number") \
    ROW(BODY_LENGTH,      "body_length",      "the body is not as long as Content-Length says") \
    ROW(TRAILER_FIELD,    "trailer_field",    "a field that must not stand in a trailer section") \
    ROW(EXPECT,           "expect",           "an expectation other than 100-continue") \
    ROW(TARGET_TOO_LONG,  "target_too_long",  ":path is too long") \
    ROW(PROTOCOL_UNKNOWN, "protocol_unknown", ":protocol names another protocol than websocket") \
    ROW(TUNNEL_FIELDS,    "tunnel_fields",    "a field section in a tunnel") \
    ROW(HEAD_TOO_LARGE,   "head_too_large",   "the head is too large or has too many fields")
/* clang-format on */

enum h2_fault {
#define ROW(name, word, sentence) H2_FAULT_##name,
    H2_FAULTS(ROW)
#undef ROW
        H2_FAULT_COUNT,
};

const char *h2_fault_word(enum h2_fault fault);
const char *h2_fault_sentence(enum h2_fault fault);
/* The status to answer with (414, 417, 431, 501); 0: the request is malformed, which is a stream error
 * of type PROTOCOL_ERROR (RFC 9113 section 8.1.1). */
uint16_t h2_fault_status(enum h2_fault fault);

/* How much memory the two functions below need at most for these fields. */
size_t h2_fields_room(const struct http_field *fields, uint32_t count);

/* Fills *request, whose bytes are copied to `memory` (h2_fields_room bytes) and stay valid as long
 * as that does. `ends`: no body follows. `target_most`: bytes of :path. Cookie fields become one
 * (RFC 9113 section 8.2.3). An extended CONNECT for a WebSocket (RFC 8441) becomes GET that wants an
 * upgrade. false: *fault says why. */
bool h2_read_request(const struct http_field *fields, uint32_t count, bool ends,
                     uint32_t target_most, char *memory, struct http_request *request,
                     enum h2_fault *fault);
/* The same for a trailer section: no pseudo fields, and none of RFC 9110 section 6.5.1. */
bool h2_read_trailers(const struct http_field *fields, uint32_t count, char *memory,
                      struct http_headers *trailers, enum h2_fault *fault);

#endif
