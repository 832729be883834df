/* SPDX-License-Identifier: BSD-2-Clause */
/* One try of an exchange on one origin: its request there, what is known of it, its record for the
 * log. An exchange owns its attempts: a second one after a failure (tries.c). Each sends the kept
 * request from its start, at its own pace, and goes with its exchange. */
#ifndef EXCHANGE_ATTEMPT_H
#define EXCHANGE_ATTEMPT_H

#include "observe/outcome.h"
#include "origin/origin_request.h"

struct buffer;
struct exchange;

/* clang-format off */
#define ATTEMPT_STATES(ROW) \
    ROW(WAITS, "waits for a connection to its origin") \
    ROW(SENDS, "sends its request") \
    ROW(SENT,  "has handed over its whole request; the answer is not whole") \
    ROW(OVER,  "has its whole answer, has failed or was given up")
/* clang-format on */

enum attempt_state {
#define ROW(name, sentence) ATTEMPT_##name,
    ATTEMPT_STATES(ROW)
#undef ROW
};

struct attempt {
    struct exchange *exchange;
    struct attempt *former; /* the one before it; NULL: none */
    enum attempt_state state;
    uint32_t sent_of_buffer;  /* bytes of that buffer sent already */
    struct buffer *send_from; /* of a body that is kept: where sending goes on; NULL: at the end */
    struct origin *origin;    /* NULL: none was fit */
    struct outcome_attempt record;
    struct origin_request request;
};

/* It leaves the queue: the first attempt is made. */
void attempts_begin(struct exchange *exchange);
/* One more, not on the origin of the one before it, if there is another. */
void attempts_try(struct exchange *exchange);
/* The wait before another one is over. */
void attempts_backoff_over(struct timer *timer);
/* At the end of the turn in which its exchange ended. */
void attempt_release(struct attempt *attempt);

/* This one, or the last one before it, that had an origin; NULL: none had. */
const struct attempt *attempt_recorded(const struct attempt *attempt);

/* The head of the final answer is there. */
void attempt_answered(struct attempt *attempt, uint16_t status);

/* More of the request is kept, or it is whole: sends that, as far as the origin takes it. Harmless
 * while there is no connection. */
void attempt_go_on(struct attempt *attempt);
/* Sends bytes that are not kept, a body's or a tunnel's. Returns how many were taken; `writable`
 * follows when it was fewer than offered. */
size_t attempt_send(struct attempt *attempt, struct bytes bytes);

/* The request has gone out in full, and the origin has not answered in full. */
bool attempt_was_sent(const struct attempt *attempt);

/* The origin has ended it: the whole answer is there, or it has failed. */
void attempt_set_over(struct attempt *attempt);
/* The one end of each: given up unless it is over already; its record is closed with `error`, NULL:
 * none. Only the first call counts. */
void attempt_end(struct attempt *attempt, const char *error);

#endif
