/* SPDX-License-Identifier: BSD-2-Clause */
/* One question of grpc.health.v1 (Check) and its answer, as bytes of an HTTP/2 connection that
 * carries nothing else. Called by a probe, which reads and writes; no sockets, no clock. */
#ifndef ORIGIN_HEALTH_GRPC_CHECK_H
#define ORIGIN_HEALTH_GRPC_CHECK_H

#include "base/bytes.h"

struct grpc_check;

/* Asks for `service`, of `authority`; both are needed during the call only. NULL: no memory. */
struct grpc_check *grpc_check_new(struct bytes authority, struct bytes service, bool secure);
void grpc_check_free(struct grpc_check **check);

/* What is to be written next; valid until the check is called again. Empty: nothing at present. */
struct bytes grpc_check_output(const struct grpc_check *check);
void grpc_check_wrote(struct grpc_check *check, size_t bytes);

#define GRPC_CHECK_WHY_MAX 160

enum grpc_check_result {
    GRPC_CHECK_WAITS,
    GRPC_CHECK_GOOD, /* it is SERVING */
    GRPC_CHECK_BAD,
};

/* Bytes that were read. `why` is filled for BAD. */
enum grpc_check_result grpc_check_receive(struct grpc_check *check, struct bytes bytes,
                                          char why[static GRPC_CHECK_WHY_MAX]);

#endif
