/* SPDX-License-Identifier: BSD-2-Clause */
/* The header names that the gateway treats specially, as one table; everything else passes
 * through as HTTP_HEADER_OTHER. Ids stay below 64: http_headers.present is a bit set. */
#ifndef HTTP_HEADER_NAMES_H
#define HTTP_HEADER_NAMES_H

#include "base/bytes.h"

/* clang-format off */
#define HTTP_HEADER_TABLE(ROW) \
    ROW(ACCEPT,              "Accept") \
    ROW(AUTHORIZATION,       "Authorization") \
    ROW(CLIENT_CERT,         "Client-Cert") \
    ROW(CLIENT_CERT_CHAIN,   "Client-Cert-Chain") \
    ROW(CONNECTION,          "Connection") \
    ROW(CONTENT_LENGTH,      "Content-Length") \
    ROW(CONTENT_TYPE,        "Content-Type") \
    ROW(COOKIE,              "Cookie") \
    ROW(DATE,                "Date") \
    ROW(EXPECT,              "Expect") \
    ROW(FORWARDED,           "Forwarded") \
    ROW(HOST,                "Host") \
    ROW(HTTP2_SETTINGS,      "HTTP2-Settings") \
    ROW(IDEMPOTENCY_KEY,     "Idempotency-Key") \
    ROW(KEEP_ALIVE,          "Keep-Alive") \
    ROW(LOCATION,            "Location") \
    ROW(MAX_FORWARDS,        "Max-Forwards") \
    ROW(PROXY_AUTHENTICATE,  "Proxy-Authenticate") \
    ROW(PROXY_AUTHORIZATION, "Proxy-Authorization") \
    ROW(PROXY_CONNECTION,    "Proxy-Connection") \
    ROW(PROXY_STATUS,        "Proxy-Status") \
    ROW(RETRY_AFTER,         "Retry-After") \
    ROW(SERVER,              "Server") \
    ROW(SET_COOKIE,          "Set-Cookie") \
    ROW(TE,                  "TE") \
    ROW(TRACEPARENT,         "traceparent") \
    ROW(TRAILER,             "Trailer") \
    ROW(TRANSFER_ENCODING,   "Transfer-Encoding") \
    ROW(UPGRADE,             "Upgrade") \
    ROW(USER_AGENT,          "User-Agent") \
    ROW(VIA,                 "Via") \
    ROW(X_FORWARDED_FOR,     "X-Forwarded-For") \
    ROW(X_FORWARDED_HOST,    "X-Forwarded-Host") \
    ROW(X_FORWARDED_PROTO,   "X-Forwarded-Proto") \
    ROW(X_REAL_IP,           "X-Real-IP") \
    ROW(X_REQUEST_ID,        "X-Request-Id") \
    ROW(X_REQUEST_TIMEOUT_MS, "X-Request-Timeout-Ms")
/* clang-format on */

enum http_header_id {
    HTTP_HEADER_OTHER,
#define ROW(id, name) HTTP_HEADER_##id,
    HTTP_HEADER_TABLE(ROW)
#undef ROW
    /* A name that begins with X-Forwarded- and is not in the table. */
    HTTP_HEADER_X_FORWARDED_ANY,
    /* One of the table, or of those that begin with X-Forwarded-, but for '_' or another mark in
     * place of '-': origins that hand fields on as CGI does (RFC 3875 section 4.1.18) cannot tell
     * the two apart. */
    HTTP_HEADER_DISGUISED,
    HTTP_HEADER_ID_COUNT,
};

/* HTTP_HEADER_OTHER when the name is not in the table. Any case. */
enum http_header_id http_header_id_of(const char *name, size_t length);
/* The same of a name in a head, which may be one of the last two. Must be fast: once a header. */
enum http_header_id http_header_id_received(const char *name, size_t length);
/* Whether an origin that hands fields on as CGI does takes the two names for one. */
bool http_header_names_meet(struct bytes a, struct bytes b);
/* The canonical spelling; empty where there is none. */
struct bytes http_header_name_of(enum http_header_id id);

#endif
