/* SPDX-License-Identifier: BSD-2-Clause */
/* What gRPC adds to HTTP/2 that a gateway must know: which requests are gRPC, status codes,
 * messages and timeouts as they stand in fields. All from the gRPC documents "gRPC over HTTP2"
 * (PROTOCOL-HTTP2) and "Status codes and their use in gRPC". Pure: text in, values out. */
#ifndef HTTP_GRPC_H
#define HTTP_GRPC_H

#include "base/bytes.h"
#include "base/text.h"

/* clang-format off */
#define GRPC_STATUS_TABLE(ROW) \
    ROW(OK) \
    ROW(CANCELLED) \
    ROW(UNKNOWN) \
    ROW(INVALID_ARGUMENT) \
    ROW(DEADLINE_EXCEEDED) \
    ROW(NOT_FOUND) \
    ROW(ALREADY_EXISTS) \
    ROW(PERMISSION_DENIED) \
    ROW(RESOURCE_EXHAUSTED) \
    ROW(FAILED_PRECONDITION) \
    ROW(ABORTED) \
    ROW(OUT_OF_RANGE) \
    ROW(UNIMPLEMENTED) \
    ROW(INTERNAL) \
    ROW(UNAVAILABLE) \
    ROW(DATA_LOSS) \
    ROW(UNAUTHENTICATED)
/* clang-format on */

enum grpc_status { /* in the order of their numbers, from 0 on */
#define ROW(name) GRPC_##name,
                   GRPC_STATUS_TABLE(ROW)
#undef ROW
                   /* No status was sent: the call was cancelled, reset, or answered in plain HTTP. */
                   GRPC_NO_STATUS,
                   GRPC_STATUS_COUNT,
};

/* "UNAVAILABLE"; of GRPC_NO_STATUS "none". */
const char *grpc_status_name(enum grpc_status status);
/* The value of grpc-status. What is no code that gRPC knows is UNKNOWN, as for its clients. */
enum grpc_status grpc_status_read(struct bytes value);
/* By its name; false: there is no such code. */
bool grpc_status_named(struct bytes name, enum grpc_status *status);
/* Whether a Content-Type is that of gRPC. Not of gRPC-Web, whose trailers stand in the body. */
bool grpc_is_content_type(struct bytes value);
/* Of an RPC, whose streams may be quiet for long: gRPC, gRPC-Web and the streams of Connect. */
bool grpc_is_rpc_content_type(struct bytes value);
/* The value of grpc-message: percent-encoded but for what is printable ASCII other than '%'. */
void grpc_add_message(struct text *text, struct bytes message);

#define GRPC_TIMEOUT_MOST_MS 99999999u /* a day and more; what is longer counts as this */

/* The value of grpc-timeout in milliseconds, rounded up. false: not well-formed. */
bool grpc_timeout_read(struct bytes value, uint32_t *milliseconds);
/* `milliseconds` as a value of grpc-timeout, which must be above zero. */
void grpc_timeout_add(struct text *text, uint32_t milliseconds);

#endif
