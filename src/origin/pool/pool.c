/* SPDX-License-Identifier: BSD-2-Clause */
/* Which connection a request gets: the one used last, a new one, or a place in line.
 * The first request in line gets the connection that is free first, so a request that waits
 * for its dial is served earlier when another connection comes back.
 *
 * Lines are by service and class (lines.h), and of three parts where there are limits. LINE_WHOLE:
 * requests whose body is whole. LINE_LATER: unfinished ones, served behind those, but no later than
 * after half of the time they may wait. LINE_HELD: unfinished ones of which too many are under way
 * (limits_take_unfinished); they go on to LINE_LATER as others end. */
#include "config/settings.h"
#include "origin/pool/limits.h"
#include "origin/pool/lines.h"
#include "origin/origin_private.h"

_Static_assert(ORIGIN_FAILURE_COUNT <= METRICS_FAILURES_MAX, "each failure has a counter");

void origin_fail_request(struct origin_request *request, enum origin_failure failure)
{
    metrics_origin_fails(request->origin->counters, failure);
    origin_health_failed(request, failure);
    limits_give_request(request);
    request->events->failed(request->owner, failure);
}

/* A connection that was used a moment ago and now carries something that may be sent again is
 * not looked at first: the look costs a system call, a wrong guess only a free second try. */
#define TRUSTED_IDLE_US 100000

static struct origin_directory *directory_of(struct origin *origin)
{
    return origin->directory;
}

static bool is_retired(const struct origin_connection *connection, const struct pool_settings *pool,
                       uint64_t now_us)
{
    if (pool->requests_per_connection != 0 &&
        connection->carried >= pool->requests_per_connection) {
        return true;
    }
    if (connection->carries_most != 0 && connection->carried >= connection->carries_most) {
        return true;
    }
    return pool->max_age != 0 && now_us - connection->opened_us > (uint64_t)pool->max_age * 1000;
}

static bool needs_check(const struct origin_connection *connection,
                        const struct origin_request *request, uint64_t now_us)
{
    return connection->carried > 0 &&
           (!request->replayable || now_us - connection->last_used_us > TRUSTED_IDLE_US);
}

/* Of those that have carried something. One is idle, at least. */
static uint64_t longest_idle_us(struct origin *origin, uint64_t now_us)
{
    const struct origin_connection *connection =
        CONTAINER_OF(list_last(&origin->idle), struct origin_connection, link);

    return connection->carried > 0 ? now_us - connection->last_used_us : 0;
}

static uint64_t trusted_us(struct origin *origin, uint64_t now_us)
{
    if (keeping_is_new(&origin->keeping, now_us)) {
        return keeping_trusted_at_first_us(longest_idle_us(origin, now_us));
    }
    return keeping_trusted_us(&origin->keeping, now_us);
}

static bool is_proven(const struct origin_connection *connection, uint64_t now_us)
{
    uint64_t age_us = now_us - connection->last_used_us;

    return age_us < trusted_us(connection->origin, now_us) &&
           (connection->kept_ms == 0 || age_us < connection->kept_ms * UINT64_C(500));
}

static bool will_do(const struct origin_connection *connection,
                    const struct origin_request *request, uint64_t now_us)
{
    return request->reuse == REUSE_ANY || connection->carried == 0 ||
           (request->reuse == REUSE_PROVEN && is_proven(connection, now_us));
}

/* The one used last, or none: the others have been idle for longer. */
static struct origin_connection *take_idle(struct origin *origin, struct origin_request *request)
{
    uint64_t now_us = loop_now(directory_of(origin)->worker_context->loop);
    struct origin_connection *connection;

    while ((connection = LIST_FIRST(&origin->idle, struct origin_connection, link)) != NULL) {
        if (!will_do(connection, request, now_us)) {
            return NULL; /* it stays for others */
        }
        if (!is_retired(connection, request->pool, now_us) &&
            !(needs_check(connection, request, now_us) &&
              transport_is_stale(&connection->transport))) {
            return connection;
        }
        origin_connection_close(connection);
    }
    return !list_is_empty(&origin->carriers) ? origin_h2_take(origin, request) : NULL;
}

static void leave_part(struct origin_request *request)
{
    if (request->line == NULL) {
        list_remove(&request->in_line); /* of those that wait for a name */
        return;
    }
    if (request->part == LINE_HELD) {
        request->origin->held_count--;
    }
    lines_leave(request);
}

static void note_left(struct origin_request *request)
{
    request->waits = false;
    TALLY_ADD(request->origin->tally.waiting, -1u);
    limits_give_place(request);
    timer_clear(directory_of(request->origin)->wait_timers, &request->timer);
}

static void leave_line(struct origin_request *request)
{
    if (request->waits) {
        leave_part(request);
        note_left(request);
    }
}

/* It waits in no line: no memory was left for its entry. */
static void fail_unlined(struct origin_request *request)
{
    note_left(request);
    origin_fail_request(request, ORIGIN_FAILURE_LOCAL_RESOURCE);
}

static void fail_waiting(struct origin_request *request, enum origin_failure failure)
{
    leave_line(request);
    origin_fail_request(request, failure);
}

/* No request goes to an origin without an address: those that wait there are moved elsewhere. */
static bool enter_part(struct origin_request *request)
{
    struct origin *origin = request->origin;

    if (!origin_has_address(origin)) {
        list_add_last(&origin->line, &request->in_line);
        return true;
    }
    if (!limits_bound_unfinished(request)) {
        return lines_enter(origin, request, LINE_WHOLE);
    }
    if (!lines_has_before(origin, request, LINE_HELD) && limits_take_unfinished(request)) {
        return lines_enter(origin, request, LINE_LATER);
    }
    if (lines_enter(origin, request, LINE_HELD)) {
        origin->held_count++;
        return true;
    }
    return false;
}

static bool enter_line(struct origin_request *request, enum origin_failure *failure)
{
    struct origin *origin = request->origin;

    if (!limits_take_place(request)) {
        *failure = ORIGIN_FAILURE_LINE_FULL;
        return false;
    }
    if (!enter_part(request)) {
        limits_give_place(request);
        *failure = ORIGIN_FAILURE_LOCAL_RESOURCE;
        return false;
    }
    request->waits = true;
    request->waits_from_us = loop_now(directory_of(origin)->worker_context->loop);
    if (TALLY_READ(origin->tally.waiting) == 0) {
        origin->line_from_us = request->waits_from_us;
    }
    TALLY_ADD(origin->tally.waiting, 1);
    timer_set(directory_of(origin)->wait_timers, &request->timer, limits_patience_ms(request));
    if (!origin_has_address(origin)) {
        name_wait_watch(origin);
    }
    if (!quota_has_room(&origin->entry->connections, request->pool->max_connections)) {
        reserve_watch(origin);
    }
    return true;
}

void pool_wait_over(struct timer *timer)
{
    struct origin_request *request = CONTAINER_OF(timer, struct origin_request, timer);

    if (limits_waits_for_dial(request) && !pool_is_overdue(request)) {
        timer_set(directory_of(request->origin)->wait_timers, timer,
                  request->pool->pending_timeout / 2);
        return;
    }
    fail_waiting(request, !origin_has_address(request->origin) ? ORIGIN_FAILURE_NAME_TIMEOUT
                                                               : limits_failure(request));
}

bool pool_is_overdue(const struct origin_request *request)
{
    uint64_t now_us = loop_now(request->origin->directory->worker_context->loop);

    return request->waits &&
           now_us - request->waits_from_us >= (uint64_t)request->pool->pending_timeout * 500;
}

struct origin_request *pool_first_in_line(struct origin *origin)
{
    struct link *link = list_first(&origin->line);

    return link != NULL ? CONTAINER_OF(link, struct origin_request, in_line)
                        : lines_first(origin, true);
}

void pool_dial_failed(struct origin *origin, enum origin_failure failure)
{
    /* All of them wait for one connection, where one is enough. */
    uint32_t most = origin_has_address(origin) && origin_h2_is_expected(origin)
                        ? TALLY_READ(origin->tally.waiting)
                        : 1;
    struct origin_request *request;

    for (uint32_t i = 0; i < most && (request = pool_first_in_line(origin)) != NULL; i++) {
        if (!sibling_takes_over(origin, failure)) {
            fail_waiting(request, failure);
        }
    }
}

void pool_take(struct origin_request *request)
{
    leave_line(request);
    limits_give_request(request);
}

struct origin_request *pool_take_first(struct origin *origin)
{
    struct origin_request *request = pool_first_in_line(origin);

    if (request != NULL) {
        pool_take(request);
    }
    return request;
}

/* At the limit, with idle connections that will not do: one of them goes. */
static bool make_way(struct origin *origin)
{
    struct link *link = list_last(&origin->idle);

    if (link != NULL) {
        origin_connection_close(CONTAINER_OF(link, struct origin_connection, link));
    }
    return link != NULL;
}

/* false: one is on its way, or the line has to wait. */
static bool open_for(struct origin *origin, struct origin_request *request)
{
    struct origin_directory *directory = directory_of(origin);
    enum origin_failure failure;

    if (origin_directory_connections(directory) >=
        pressure_origin_places(directory->worker_context->pressure)) {
        origin_directory_spare_one(directory); /* or it would be a client who finds none left */
    }
    if (!limits_take_connection(origin, request)) {
        if (!make_way(origin)) {
            limits_pass_request_on(request);
            return false;
        }
        return true;
    }
    if (!origin_connection_open(origin, request, &failure)) {
        limits_untake_connection(origin, request);
        if (failure != ORIGIN_FAILURE_LOCAL_RESOURCE) {
            pool_dial_failed(origin, failure);
        } else if (!origin_directory_spare_one(directory)) {
            limits_check_again(origin); /* whatever ends next leaves one */
            return false;
        }
    }
    return true;
}

/* What is on its way will do for all that may go. */
static bool has_dialed_enough(const struct origin *origin, const struct origin_request *request)
{
    uint32_t most = request->service != NULL && request->pool->limited
                        ? limits_most_at_origin(request, origin)
                        : 0;

    /* The busy ones may be those of others, whom no limit counts: only a dial on its way is waited for. */
    if (most != 0 && origin->dialing > 0 &&
        TALLY_READ(origin->tally.busy) + origin->dialing >= most) {
        return true; /* which are busy, or will be */
    }
    if (origin_h2_is_expected(origin)) {
        return origin->dialing > 0 || origin_h2_may_soon(origin);
    }
    return origin->dialing >= TALLY_READ(origin->tally.waiting) - origin->held_count;
}

static void let_held_go_on(struct origin *origin)
{
    struct origin_request *request;

    while (origin->held_count > 0 && (request = lines_first_held(origin, false)) != NULL) {
        if (!limits_take_unfinished(request)) {
            lines_set_aside(request);
            continue;
        }
        leave_part(request);
        if (!lines_enter(origin, request, LINE_LATER)) {
            fail_unlined(request);
        }
    }
    lines_look_again(origin);
}

static void serve_line(struct origin *origin)
{
    struct origin_request *request;

    lines_look_again(origin);
    let_held_go_on(origin);
    while (origin_has_address(origin) && (request = lines_first(origin, false)) != NULL) {
        struct origin_connection *connection;

        if (limits_has_waited_enough(request)) {
            fail_waiting(request, limits_failure(request));
            continue;
        }
        if (request->pool->limited && !limits_take_request(request)) {
            lines_set_aside(request);
            continue;
        }
        connection = take_idle(origin, request);
        if (connection != NULL) {
            lines_note_served(request);
            leave_line(request);
            origin_connection_bind(connection, request);
        } else if (has_dialed_enough(origin, request) || !open_for(origin, request)) {
            lines_set_aside(request);
        }
    }
}

/* A request that is served may give its connection back at once. Serving goes on in a circle then and
 * not ever deeper: a line is longer than a stack. */
void pool_serve_line(struct origin *origin)
{
    if (!origin->serving && TALLY_READ(origin->tally.waiting) > 0) {
        origin->serving = true;
        serve_line(origin);
        origin->serving = false;
    }
}

static void keep_idle(struct origin_connection *connection, const struct pool_settings *pool,
                      uint64_t now_us)
{
    struct origin *origin = connection->origin;
    uint32_t idle_ms = pool->idle_timeout;

    if (connection->kept_ms != 0 || origin->keeping.least_us != 0) {
        idle_ms = keeping_idle_ms(&origin->keeping, now_us, idle_ms, connection->kept_ms);
    }
    timer_set(directory_of(origin)->connection_timers, &connection->timer, idle_ms);
    if (origin->keeping.doubted_until_us == 0) {
        keeping_note_idle(&origin->keeping, now_us);
    }
    if (origin->idle_count > pool->max_idle) {
        /* The one that was not needed for the longest time. */
        origin_connection_close(
            CONTAINER_OF(list_last(&origin->idle), struct origin_connection, link));
    }
}

void pool_offer(struct origin_connection *connection)
{
    /* If the one it was opened for has left, it stays idle until its connect timer ends it. */
    pool_serve_line(connection->origin);
}

/* Of those that wait none goes before it, or could. */
static bool may_pass(struct origin *origin, struct origin_request *request)
{
    bool bound = limits_bound_unfinished(request);

    return list_is_empty(&origin->line) && !lines_has_before(origin, request, LINE_WHOLE) &&
           !(bound && (lines_has_before(origin, request, LINE_LATER) ||
                       lines_has_before(origin, request, LINE_HELD))) &&
           lines_let_pass(origin, request, limits_may_go);
}

/* None waits before it, and no limit keeps it from going. */
static bool may_go_at_once(struct origin *origin, struct origin_request *request)
{
    if (TALLY_READ(origin->tally.waiting) > 0 && !may_pass(origin, request)) {
        return false;
    }
    if (request->unfinished && limits_bound_unfinished(request) &&
        !limits_take_unfinished(request)) {
        return false;
    }
    return !request->pool->limited || limits_take_request(request);
}

void origin_request_body_is_whole(struct origin_request *request)
{
    if (!request->unfinished) {
        return;
    }
    request->unfinished = false;
    if (request->slots != 0) {
        limits_give_unfinished(request);
    }
    if (request->waits) {
        leave_part(request);
        if (!enter_part(request)) {
            fail_unlined(request);
            return;
        }
        limits_serve_later(request->origin);
    }
}

static uint64_t time_left_ms(const struct origin_request *request)
{
    uint64_t now_us = loop_now(request->origin->directory->worker_context->loop);

    return request->deadline_us == 0       ? UINT64_MAX
           : request->deadline_us < now_us ? 0
                                           : (request->deadline_us - now_us) / 1000;
}

/* A client that has more in line gives up its last place for one that has less. */
static bool displaces(const struct origin_request *request)
{
    struct origin_request *other = lines_greediest(request->origin, request);

    if (other != NULL) {
        fail_waiting(other, limits_failure(other));
    }
    return other != NULL;
}

/* No request keeps a place in a full line from one of a higher class, or from one whose client has fewer
 * there. */
static bool finds_no_place(const struct origin_request *request)
{
    struct origin *origin = request->origin;
    struct origin_request *other;

    if (!limits_line_is_full(request, origin)) {
        return false;
    }
    other = lines_lowest(origin, request, limits_service_line_is_full(request));
    other = other != NULL ? other : lines_greediest(origin, request);
    if (other == NULL) {
        return true;
    }
    fail_waiting(other, ORIGIN_FAILURE_LINE_FULL);
    return limits_line_is_full(request, origin);
}

void origin_request_start(struct origin_request *request, struct origin *origin)
{
    struct origin_connection *connection;
    enum origin_failure failure;

    request->origin = origin;
    request->connection = NULL;
    request->waits = false;
    request->line = NULL;
    request->waits_from_us = 0;
    request->evidence.bytes_written = 0;
    request->evidence.bytes_acked = 0;
    request->evidence.delivery = ORIGIN_DELIVERY_NOT_SENT;
    list_init(&request->in_line);
    connection = may_go_at_once(origin, request) ? take_idle(origin, request) : NULL;
    if (connection != NULL) {
        origin_connection_bind(connection, request);
        return;
    }
    if (origin_is_unknown(origin) && !origin->awaited) {
        origin_fail_request(request, origin->absence);
        return;
    }
    if (finds_no_place(request)) {
        origin_fail_request(request, ORIGIN_FAILURE_LINE_FULL);
        return;
    }
    if (limits_waits_too_long(request, origin, time_left_ms(request)) && !displaces(request)) {
        limits_note_refused(request);
        origin_fail_request(request, ORIGIN_FAILURE_OVERLOADED);
        return;
    }
    if (!enter_line(request, &failure)) {
        origin_fail_request(request, failure);
        return;
    }
    pool_serve_line(origin);
}

void pool_move(struct origin_request *request, struct origin *to)
{
    request->events->moved(request->owner, to);
    origin_request_start(request, to);
}

void pool_keep(struct origin_connection *connection, const struct pool_settings *pool)
{
    struct origin *origin = connection->origin;
    uint64_t now_us = loop_now(directory_of(origin)->worker_context->loop);

    if (!connection->reusable || is_retired(connection, pool, now_us)) {
        origin_connection_close(connection);
        pool_serve_line(origin);
        return;
    }
    origin_connection_set_state(connection, ORIGIN_CONNECTION_IDLE);
    origin->idle_count++;
    list_add_first(&origin->idle, &connection->link);
    connection->last_used_us = now_us;
    timer_rest(directory_of(origin)->connection_timers, &connection->timer);
    origin_connection_want(connection);
    if ((pool->max_connections != 0 || connection->service_entry != NULL) &&
        limits_claim_idle(connection, pool)) {
        origin_connection_close(connection);
    }
    pool_serve_line(origin);
    if (connection->state == ORIGIN_CONNECTION_IDLE) {
        keep_idle(connection, pool, now_us);
    }
}

void origin_request_cancel(struct origin_request *request)
{
    struct origin_connection *connection = request->connection;

    origin_health_given_up(request);
    leave_line(request);
    if (connection == NULL) {
        limits_give_request(request);
        return;
    }
    connection->ops->judge(connection, request);
    if (connection->stream == NULL && origin_connection_is_untouched(connection) &&
        !connection->out.broken && connection->state == ORIGIN_CONNECTION_AWAITS_HEAD) {
        outbox_clear(&connection->out, directory_of(connection->origin)->worker_context->buffers);
        later_cancel(&connection->flush);
        origin_connection_unbind(connection);
        pool_keep(connection, request->pool);
    } else {
        struct origin *origin = connection->origin;

        origin_connection_close(connection);
        pool_serve_line(origin);
    }
}
