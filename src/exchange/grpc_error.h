/* SPDX-License-Identifier: BSD-2-Clause */
/* Which gRPC status an error of the gateway's own has: a pure function of what the error would be
 * in HTTP. Called by reply_grpc.c and exchange.c for exchanges whose request is gRPC.
 *
 * The start is gRPC's own table of HTTP statuses ("HTTP to gRPC Status Code Mapping"). That table
 * is for clients that have nothing but the status; the gateway knows more, and says so:
 * - Clients repeat a call that ends as UNAVAILABLE, so no call that may have been carried out ends
 *   so. Its status is INTERNAL.
 * - Where a time ran out after the call may have begun, it is DEADLINE_EXCEEDED.
 * - What a limit of the gateway's refuses by its size is RESOURCE_EXHAUSTED. A rate (429) stays
 *   UNAVAILABLE as in the table: the call has not run, and clients that know the code wait before
 *   they try again. */
#ifndef EXCHANGE_GRPC_ERROR_H
#define EXCHANGE_GRPC_ERROR_H

#include "http/grpc.h"
#include "http/h2/h2_session.h"

/* `status` and `error` (RFC 9209 type): of the answer in HTTP. `may_have_run`: an origin may have
 * read the request. */
enum grpc_status grpc_error_status(uint16_t status, const char *error, bool may_have_run);
/* The origin reset the call's stream with this code of HTTP/2 (PROTOCOL-HTTP2, "HTTP2 Transport Mapping",
 * "Errors"), which a client without a gateway would have seen itself. */
enum grpc_status grpc_error_of_reset(uint32_t code);

#endif
