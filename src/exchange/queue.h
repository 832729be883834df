/* SPDX-License-Identifier: BSD-2-Clause */
/* The queue: where an exchange stands between routing and its route's action. Whatever has to hold
 * exchanges back at that point does it here: each reason is a row of enum queue_hold, and knows by
 * itself which exchanges it holds. An exchange that nothing holds passes through at once. */
#ifndef EXCHANGE_QUEUE_H
#define EXCHANGE_QUEUE_H

struct exchange;

/* What may hold an exchange; bits. */
enum queue_hold {
    QUEUE_BODY = 1,    /* its request body is read first: queue.c */
    QUEUE_SHARED = 16, /* another exchange fetches what it asks for: caching.c */
};

/* Its route is known, and it may pass. */
void queue_enter(struct exchange *exchange);
/* Only while QUEUED. */
void queue_hold(struct exchange *exchange, enum queue_hold hold);
/* This does not hold it any more: once nothing does, its route's action begins. Harmless where this
 * held nothing. */
void queue_release(struct exchange *exchange, enum queue_hold hold);
/* exchange_set_state only: it goes on though it was held, since its client has left, say, or an
 * answer is given. Whatever holds it lets go here. */
void queue_leave(struct exchange *exchange);

#endif
