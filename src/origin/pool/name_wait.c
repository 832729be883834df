/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests in line for an origin whose name is not resolved yet. They wait for the answer of DNS,
 * or for another origin of their service to get ready: resolved, undrained, back from being
 * ejected. They go there then, since the answer may never come. Looked at a few times a second
 * while a request waits so, but not right after a name was resolved: those that were asked for
 * together are answered together, and the first of them should not get what waits for all. Where
 * DNS has no answer they wait for the next one, which is asked for soon then, and fail with it: not
 * for longer.
 *
 * Called by pool.c and the resolver, through the directory's events. */
#include "origin/origin_private.h"

#include "origin/pool/limits.h"
#include "origin/pool/lines.h"
#include "origin/service/dns_name.h"
#include "origin/service/service_private.h"

#define CHECK_MS 100

static void check_at_all(void *owner);

static bool waits_for_name(const struct origin *origin)
{
    return !origin_has_address(origin) && !list_is_empty(&origin->line);
}

static void check_later(struct origin_directory *directory)
{
    alarm_set(directory->worker_context->loop, &directory->nameless_check, CHECK_MS, check_at_all,
              directory);
}

static void ask_soon(const struct origin *origin)
{
    const struct dns_name *name =
        origin->stands_for != NULL ? dns_name_find(origin->directory, origin->stands_for) : NULL;

    if (name != NULL) {
        dns_name_ask_soon(name);
    }
}

void name_wait_watch(struct origin *origin)
{
    struct origin_directory *directory = origin->directory;

    if (list_is_empty(&origin->nameless)) {
        list_add_last(&directory->nameless, &origin->nameless);
    }
    if (!alarm_is_set(&directory->nameless_check)) {
        check_later(directory);
    }
    ask_soon(origin);
}

/* Another one, which is ready; NULL: there is none. Not a half-open one: it tries others than those
 * that waited. */
static struct origin *ready_for(const struct origin_request *request)
{
    struct random *random = &request->origin->directory->worker_context->random;
    struct origin *other =
        request->service != NULL ? service_pick(request->service, random, NULL, NULL) : NULL;

    return other != NULL && origin_has_address(other) && !limits_line_is_full(request, other)
               ? other
               : NULL;
}

/* What one of them does on its new way may end others: they leave whatever list they are in. One
 * service for which no other origin was found is not asked for its next request. */
static void check_at_line(struct origin *origin)
{
    const struct service *in_vain = NULL;
    struct link checked_at;
    struct link stays;
    struct link *link;
    struct origin_request *request;

    if (!waits_for_name(origin)) {
        return;
    }
    list_init(&stays);
    list_take_all(&checked_at, &origin->line);
    while ((request = LIST_FIRST(&checked_at, struct origin_request, in_line)) != NULL) {
        struct origin *other = request->service != in_vain ? ready_for(request) : NULL;

        if (other == NULL) {
            in_vain = request->service;
            list_remove(&request->in_line);
            list_add_last(&stays, &request->in_line);
            continue;
        }
        pool_take(request);
        pool_move(request, other);
    }
    while ((link = list_last(&stays)) != NULL) { /* before those that came meanwhile */
        list_remove(link);
        list_add_first(&origin->line, link);
    }
}

/* Nothing of these was sent, and the address may be out of use by now. The service stays meanwhile,
 * whatever the requests do: it goes in a turn of its own (exchange_context_let_go). */
static void move_on(void *owner, struct origin_request *request)
{
    struct random *random = &request->origin->directory->worker_context->random;
    struct origin *other = service_pick(owner, random, NULL, NULL);

    if (other != NULL) { /* else it had better stay */
        origin_health_given_up(request);
        pool_take(request);
        pool_move(request, other);
    }
}

void name_wait_leave(struct origin *origin, struct service *service)
{
    struct link line;
    struct origin_request *request;

    list_take_all(&line, &origin->line);
    while ((request = LIST_FIRST(&line, struct origin_request, in_line)) != NULL) {
        list_remove(&request->in_line);
        list_add_last(&origin->line, &request->in_line);
        if (request->service == service) {
            move_on(service, request);
        }
    }
    lines_visit(origin, service, move_on, service);
}

/* --- the answer of DNS ------------------------------------------------------------------- */

/* Each goes the way of a new request, which may end it or others at once. */
static void move_line(struct origin *origin)
{
    struct random *random = &origin->directory->worker_context->random;

    for (uint32_t left = TALLY_READ(origin->tally.waiting); left > 0; left--) {
        struct origin_request *request = pool_take_first(origin);
        struct origin *other;

        if (request == NULL) {
            return;
        }
        other = request->service != NULL ? service_pick(request->service, random, NULL, request)
                                         : origin;
        if (other == NULL) {
            origin_fail_request(request, ORIGIN_FAILURE_NONE_FIT);
            continue;
        }
        pool_move(request, other);
    }
}

static void attend(struct origin *origin, enum name_state state)
{
    if (state == NAME_RESOLVED) {
        move_line(origin);
        return;
    }
    /* Their other try may wait here again, for the next answer. */
    for (uint32_t left = TALLY_READ(origin->tally.waiting);
         left > 0 && !list_is_empty(&origin->line); left--) {
        pool_dial_failed(origin, origin->absence);
    }
}

/* DNS has answered for `name`; NULL: a while has gone by. */
static void look_at_all(struct origin_directory *directory, const char *name, enum name_state state)
{
    struct link nameless;
    struct origin *origin;

    list_take_all(&nameless, &directory->nameless);
    while ((origin = LIST_FIRST(&nameless, struct origin, nameless)) != NULL) {
        list_remove(&origin->nameless);
        origin->references++; /* what the requests do may let go of it */
        if (name == NULL) {
            check_at_line(origin);
        } else if (origin->stands_for != NULL && strcmp(origin->stands_for, name) == 0) {
            attend(origin, state);
        }
        if (waits_for_name(origin)) {
            name_wait_watch(origin);
        }
        origin_put(&origin);
    }
}

static void check_at_all(void *owner)
{
    look_at_all(owner, NULL, NAME_RESOLVED);
}

void name_wait_answered(struct origin_directory *directory, const char *name, enum name_state state)
{
    look_at_all(directory, name, state);
    if (!list_is_empty(&directory->nameless)) {
        check_later(directory); /* answers to what was asked together come together, nearly */
    }
}
