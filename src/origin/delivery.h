/* SPDX-License-Identifier: BSD-2-Clause */
/* What is known of whether an origin can have seen the request of an attempt: the one fact that
 * decides whether it may be sent again. Judged at the attempt's end by delivery.c, read by
 * exchange/ for retries and answers and by the logs. A doubt always counts as `maybe`. */
#ifndef ORIGIN_DELIVERY_H
#define ORIGIN_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>

/* clang-format off */
#define ORIGIN_DELIVERY_TABLE(ROW) \
    ROW(NOT_SENT, "not-sent", "no byte of the request was taken by a socket") \
    ROW(NOT_PROCESSED, "not-processed", "the origin said that it has not processed the request") \
    ROW(UNREAD,   "unread",   "the origin had closed the connection before its kernel took a byte of the request") \
    ROW(MAYBE,    "maybe",    "the origin may have got the request") \
    ROW(ANSWERED, "answered", "the origin began to answer")
/* clang-format on */

enum origin_delivery {
#define ROW(name, word, sentence) ORIGIN_DELIVERY_##name,
    ORIGIN_DELIVERY_TABLE(ROW)
#undef ROW
        ORIGIN_DELIVERY_COUNT,
};

/* What tells of the delivery of one request, filled by whatever carries it. */
struct origin_evidence {
    enum origin_delivery delivery; /* known after `failed` and after a cancel */
    bool kept_connection;          /* it went over one that had been kept after others: the origin
                                    * may have been ending that, and not this request */
    bool http2;                    /* it went over a stream of HTTP/2 */
    uint64_t bytes_written;        /* taken by the socket */
    uint64_t bytes_acked;          /* of these, by the origin's kernel; known after a failure */
};

/* As logs, Proxy-Status and documents say it: "not-sent". */
const char *origin_delivery_word(enum origin_delivery delivery);

#endif
