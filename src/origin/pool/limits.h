/* SPDX-License-Identifier: BSD-2-Clause */
/* Limits of origins and services that hold over all workers: how many requests are under way, how
 * many connections are open, how many requests wait. pool.c asks before it lets a request out of its
 * line; what cannot go waits, and is looked at again when any worker has given something back.
 * Where a service has no limits, none of this is reached but for a comparison. */
#ifndef ORIGIN_POOL_LIMITS_H
#define ORIGIN_POOL_LIMITS_H

#include "origin/origin_private.h"

/* A request's right to be under way, where its service has limits (pool->limited); taken once, whatever
 * is asked again. false: its origin's line is looked at again when there may be one. */
bool limits_take_request(struct origin_request *request);
/* It is over, or is not to begin; harmless where nothing was taken. */
void limits_give_request(struct origin_request *request);

/* The same, since something else is missing: others may have more use for it. */
void limits_pass_request_on(struct origin_request *request);

/* Of each limit a share (pool.reserve) is not for requests whose body is not whole: so many of these
 * may be under way, or first in line, at an origin and at all those of a service. */
bool limits_bound_unfinished(const struct origin_request *request);
/* Takes its part in that, once; false: its origin's line is looked at again when there may be one. */
bool limits_take_unfinished(struct origin_request *request);
/* Its body is whole now. */
void limits_give_unfinished(struct origin_request *request);
/* unfinished.c: how many of `limit` may be so; 0: there is no limit. */
uint32_t limits_most_unfinished(const struct pool_settings *pool, uint32_t limit);
uint32_t limits_most_unfinished_of_origin(const struct origin_request *request);
uint32_t limits_most_unfinished_of_service(const struct origin_request *request);
/* A line of this worker waits for what is not given back through a quota: looked at again soon. */
void limits_check_again(struct origin *origin);
/* Lines of this worker may move; they do so at the end of the turn. */
void limits_serve_later(struct origin *origin);

/* The right to one more connection, for the first in line. false: as above. */
bool limits_take_connection(struct origin *origin, struct origin_request *request);
/* It could not even be begun. */
void limits_untake_connection(struct origin *origin, struct origin_request *request);
/* It now belongs to this connection, with all that follows. */
void limits_bind_connection(struct origin_connection *connection, struct origin_request *request);
/* Harmless where it has given it back already. */
void limits_give_connection(struct origin_connection *connection);
/* An idle connection must go: another worker is due for it. Asked where something limits them. */
bool limits_claim_idle(const struct origin_connection *connection,
                       const struct pool_settings *pool);

/* At its origin, of what limits it: fixed, or found by adaptive.c, and less after an outage
 * (recovery.h); 0: no limit. For a request with a service. */
uint32_t limits_most_at_origin(const struct origin_request *request, const struct origin *origin);
/* `concurrency: auto`: it would not be served soon enough; harmless for others, as are the next ones. */
bool limits_waits_too_long(const struct origin_request *request, const struct origin *origin,
                           uint64_t time_left_ms);
/* The same: it has its slot at the origin, and waits for the connection. */
bool limits_waits_for_dial(const struct origin_request *request);
/* How long it may wait in line; and it has. */
uint32_t limits_patience_ms(const struct origin_request *request);
bool limits_has_waited_enough(const struct origin_request *request);
/* What its wait ends with. */
enum origin_failure limits_failure(const struct origin_request *request);
void limits_note_refused(const struct origin_request *request);
/* It has a connection; and the origin's answer to it, that went out whole at asked_us. */
void limits_note_given(struct origin_request *request, uint64_t waited_us);
void limits_note_answer(const struct origin_request *request, uint64_t asked_us);
/* What the answer says of the origin, or that there is none; of services with limits. */
void limits_note_success(const struct origin_request *request);
void limits_note_failure(const struct origin_request *request);
/* A look only: nothing keeps it from having a connection, or waiting for a dial. */
bool limits_may_go(const struct origin_request *request, const struct origin *origin);
/* A look only: no more requests may wait for this origin, or in this service. */
bool limits_line_is_full(const struct origin_request *request, const struct origin *origin);
bool limits_service_line_is_full(const struct origin_request *request);
/* In line at its origin, and in its service. false: by now others have the last ones. */
bool limits_take_place(struct origin_request *request);
void limits_give_place(struct origin_request *request);

/* The worker's part in all this; made and ended by origin_directory.c. */
void limits_open_context(struct origin_directory *directory);
void limits_close_context(struct origin_directory *directory);

#endif
