/* SPDX-License-Identifier: BSD-2-Clause */
/* Why an attempt got no whole answer, as one table: the status for the client, whether another attempt
 * may end otherwise (AGAIN, POINTLESS), whether it speaks against the origin (BLAMED, BLAMELESS,
 * SOMETIMES), the error type of RFC 9209 section 2.3, and a sentence. Read by exchange/ for answers
 * and retries, by health/ for ejections, and by the logs. */
#ifndef ORIGIN_FAILURE_H
#define ORIGIN_FAILURE_H

#include <stdbool.h>
#include <stdint.h>

/* clang-format off */
#define ORIGIN_FAILURE_TABLE(ROW) \
    ROW(NAME_TIMEOUT,      504, POINTLESS, BLAMELESS, "dns_timeout",                        "the origin's name was not resolved in time") \
    ROW(NAME_UNKNOWN,      502, AGAIN,     BLAMELESS, "dns_error",                          "the origin's name cannot be resolved") \
    ROW(NOT_OFFERED,       503, POINTLESS, BLAMELESS, "destination_unavailable",            "the SRV records of the origins say that the service is not available") \
    ROW(NONE_FIT,          503, POINTLESS, BLAMELESS, "destination_unavailable",            "no origin of the service is fit for requests at present") \
    ROW(REFUSED,           502, AGAIN,     BLAMED,    "connection_refused",                 "the origin refused the connection") \
    ROW(UNREACHABLE,       502, AGAIN,     BLAMED,    "destination_ip_unroutable",          "the origin cannot be reached") \
    ROW(CONNECT_TIMEOUT,   504, AGAIN,     BLAMED,    "connection_timeout",                 "the origin did not accept the connection in time") \
    ROW(TLS_CERTIFICATE,   502, AGAIN,     BLAMED,    "tls_certificate_error",              "the origin's certificate is not good") \
    ROW(TLS_ALERT,         502, AGAIN,     BLAMED,    "tls_alert_received",                 "the origin ended the TLS handshake with an alert") \
    ROW(TLS_PROTOCOL,      502, AGAIN,     BLAMED,    "tls_protocol_error",                 "TLS handshake with the origin failed") \
    ROW(EMPTY_RECORDS,     502, POINTLESS, BLAMED,    "tls_protocol_error",                 "the origin sent many TLS records without data") \
    ROW(LOCAL_RESOURCE,    503, POINTLESS, BLAMELESS, "proxy_internal_error",               "no file descriptor or memory was left for a connection to the origin") \
    ROW(LINE_FULL,         503, POINTLESS, BLAMELESS, "connection_limit_reached",           "the origin has all the connections (HTTP/2: requests) that `concurrency` or `pool` allows, and as many requests as `max_pending` allows wait") \
    ROW(LINE_TIMEOUT,      503, POINTLESS, BLAMELESS, "connection_limit_reached",           "the origin had all the connections (HTTP/2: requests) that `concurrency` or `pool` allows for longer than the request may wait (`pool.pending_timeout`)") \
    ROW(OVERLOADED,        503, POINTLESS, BLAMELESS, "connection_limit_reached",           "the origin has as many requests as it can serve at present (`concurrency: auto`)") \
    ROW(CLOSED,            502, AGAIN,     SOMETIMES, "connection_terminated",              "the origin closed the connection before it answered") \
    ROW(FIRST_BYTE_TIMEOUT,504, POINTLESS, BLAMED,    "http_response_timeout",              "the origin did not begin to answer in time") \
    ROW(HALF_OPEN_TIMEOUT, 504, AGAIN,     BLAMELESS, "http_response_timeout",              "the origin was half-open and did not begin to answer as soon as another would have") \
    ROW(ANSWER_TIMEOUT,    504, POINTLESS, BLAMED,    "connection_read_timeout",            "the origin stopped in the middle of its answer") \
    ROW(STREAM_IDLE,       504, POINTLESS, BLAMELESS, "connection_read_timeout",            "the origin's event stream was silent for too long") \
    ROW(SEND_TIMEOUT,      504, POINTLESS, BLAMED,    "connection_write_timeout",           "the origin did not take the request in time") \
    ROW(MALFORMED,         502, POINTLESS, BLAMED,    "http_protocol_error",                "the origin's answer is not well-formed HTTP") \
    ROW(INTERIM_FLOOD,     502, POINTLESS, BLAMED,    "http_protocol_error",                "the origin sent too many interim answers (1xx) and no final one") \
    ROW(HEAD_TOO_LARGE,    502, POINTLESS, BLAMELESS, "http_response_header_section_size",  "the head of the origin's answer is too large") \
    ROW(TRAILERS_TOO_LARGE,502, POINTLESS, BLAMELESS, "http_response_trailer_section_size", "the trailers of the origin's answer are too large") \
    ROW(NOT_HTTP2,         502, AGAIN,     BLAMED,    "http_protocol_error",                "the origin does not speak HTTP/2") \
    ROW(STREAM_REFUSED,    503, AGAIN,     BLAMED,    "destination_unavailable",            "the origin refused the request's stream") \
    ROW(STREAM_RESET,      502, AGAIN,     BLAMED,    "connection_terminated",              "the origin reset the request's stream before it answered") \
    ROW(PING_TIMEOUT,      504, AGAIN,     BLAMED,    "connection_read_timeout",            "the origin did not answer a PING in time") \
    ROW(H2_BROKEN,         502, AGAIN,     BLAMED,    "http_protocol_error",                "the origin broke the rules of HTTP/2") \
    ROW(H2_FLOOD,          502, AGAIN,     BLAMED,    "http_protocol_error",                "the origin sent too many HTTP/2 frames that bring nothing") \
    ROW(GRPC_UNAVAILABLE,  503, AGAIN,     BLAMELESS, "destination_unavailable",            "the origin answered the gRPC call with UNAVAILABLE and no message") \
    ROW(INCOMPLETE,        502, POINTLESS, BLAMED,    "http_response_incomplete",           "the origin closed the connection in the middle of its answer") \
    ROW(UPGRADE_UNASKED,   502, POINTLESS, BLAMELESS, "http_upgrade_failed",                "the origin switched protocols without being asked") \
    ROW(UPGRADE_UNKNOWN,   502, POINTLESS, BLAMELESS, "http_upgrade_failed",                "the origin speaks HTTP/2 and takes no WebSockets over it (RFC 8441); protocol: http1 of the service asks by Upgrade") \
    ROW(WEBSOCKET_KEY,     400, POINTLESS, BLAMELESS, "http_request_error",                 "the request's Sec-WebSocket-Key is longer than 64 bytes; RFC 6455 wants 24") \
    ROW(TUNNEL_IDLE,       504, POINTLESS, BLAMELESS, "connection_read_timeout",            "no byte passed the tunnel for too long")
/* clang-format on */

enum origin_failure {
#define ROW(name, status, again, blame, error, sentence) ORIGIN_FAILURE_##name,
    ORIGIN_FAILURE_TABLE(ROW)
#undef ROW
        ORIGIN_FAILURE_COUNT,
};

/* Whether it is the origin's fault, or that of the way to it. Limits of the gateway's own are not. */
enum origin_blame {
    ORIGIN_BLAMELESS,
    ORIGIN_BLAMED,
    ORIGIN_BLAMED_SOMETIMES, /* not where it closed a connection for being idle just when it was used */
};

struct origin_failure_row {
    uint16_t status; /* for the client */
    bool
        is_worth_another; /* another attempt may end otherwise: waiting longer would not only add load */
    enum origin_blame blame;
    const char *error; /* RFC 9209 section 2.3 */
    const char *sentence;
};
extern const struct origin_failure_row origin_failures[]; /* by enum origin_failure */

/* The sentence for people, who look for another cause where a connection was reset, not closed. */
const char *origin_failure_reported(enum origin_failure failure, bool was_reset);

#endif
