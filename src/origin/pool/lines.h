/* SPDX-License-Identifier: BSD-2-Clause */
/* The requests of one worker that wait for an origin, by service and class: what one service waits
 * for (a limit of its own) holds up no other service that names the same address, and no class
 * waits behind a lower one. Only the order is decided here; pool.c lets requests in and out, and
 * limits.c says who may go.
 *
 * Within a class requests go in order of arrival, or, where clients are told apart (`fair_key` of the
 * request), each client's in turn: a request is marked with the turn of its client in which it comes
 * (start-time fair queueing), and the lowest mark is first. A lower class is not left without
 * anything: it has one of ADAPTIVE_PROMISE places that others get before it, and more after an outage
 * (adaptive.h).
 *
 * What must stay true: a request is in one line at most, and leaves it by lines_leave alone. */
#ifndef ORIGIN_POOL_LINES_H
#define ORIGIN_POOL_LINES_H

#include "origin/origin_private.h"

/* Unfinished requests have lines of their own (pool.c). */
enum line_part { LINE_WHOLE, LINE_LATER, LINE_HELD };

/* false: out of memory. `part` must not be LINE_HELD for a request that may go. */
bool lines_enter(struct origin *origin, struct origin_request *request, enum line_part part);
void lines_leave(struct origin_request *request);
/* Some part of the request's line, of its class or a higher one, has a request. */
bool lines_has_before(const struct origin *origin, const struct origin_request *request,
                      enum line_part part);

/* The one that is served next; NULL: there is none. `all`: also in lines set aside. */
struct origin_request *lines_first(const struct origin *origin, bool all);
/* Its line is not looked at until lines_look_again: what the request lacks, all of it lack. */
void lines_set_aside(struct origin_request *request);
void lines_look_again(struct origin *origin);
/* It leaves to be served. */
void lines_note_served(struct origin_request *request);
/* No request of another service goes before this new one and could. */
typedef bool line_may_go(const struct origin_request *request, const struct origin *origin);
bool lines_let_pass(const struct origin *origin, const struct origin_request *request,
                    line_may_go *may_go);
/* Of those of its class and service, the one whose client has the most before it, if that is more
 * than the request's own has; NULL: it has the most itself. */
struct origin_request *lines_greediest(const struct origin *origin,
                                       const struct origin_request *request);
/* The last one of the lowest class below the request's; NULL: none is. `own`: only of its service. */
struct origin_request *lines_lowest(const struct origin *origin,
                                    const struct origin_request *request, bool own);

/* Calls for each request in line that `service` has there, which may leave it or let others leave. */
typedef void line_visit(void *owner, struct origin_request *request);
void lines_visit(struct origin *origin, const struct service *service, line_visit *visit,
                 void *owner);
/* The next that is held: in order of classes; NULL: none. */
struct origin_request *lines_first_held(const struct origin *origin, bool all);
/* The origin goes. */
void lines_release(struct origin *origin);

#endif
