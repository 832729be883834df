/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of an answer: the targets are noted, the probes follow, the services take them in,
 * and whoever waited for the first answer goes on. Worker 0 writes it into the origin book, for
 * those who show it, and says it in the log. */
#include "origin/srv_name.h"

#include "base/log.h"
#include "origin/limits.h"
#include "origin/prober.h"
#include "origin/service_private.h"

#include <stdio.h>
#include <stdlib.h>

static const char *prefix = "srv:";

static void tell_targets(const struct srv_name *name, const struct srv_answer *answer)
{
    if (answer->declined) {
        log_error("%s%s: its target is \".\": the service is decidedly not available; requests "
                  "get 503",
                  prefix, name->name);
        return;
    }
    log_info("%s%s: %u target%s", prefix, name->name, answer->count, answer->count == 1 ? "" : "s");
    if (answer->refused > 0) {
        log_warning("%s%s: %u records are left out: no host name, or no port", prefix, name->name,
                    answer->refused);
    }
    if (answer->cut > 0) {
        log_warning("%s%s: more than %u targets; %u of the last priority are left out", prefix,
                    name->name, SRV_TARGETS_MOST, answer->cut);
    }
}

/* Each goes the way of a new request, which may end it or others at once. */
static void move_line(struct srv_name *name, struct origin *origin)
{
    struct random *random = &name->directory->bench->random;

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

/* Held meanwhile: what the requests do may let go of it. */
static void attend_stand_in(struct srv_name *name, struct origin *origin)
{
    struct origin *held = origin;

    if (origin == NULL) {
        return;
    }
    if (name->state == SRV_TARGETS) {
        origin->references++;
        move_line(name, origin);
        origin_put(&held);
        return;
    }
    srv_name_mark(name, origin);
    origin_book_changed(name->directory->book);
    while (!list_is_empty(&origin->line)) {
        pool_dial_failed(origin, origin->absence);
    }
}

static void spread(struct srv_name *name)
{
    struct origin_directory *directory = name->directory;
    char stand_in[SRV_HOST_ROOM + 8];
    struct link *next;

    if (srv_name_tells(name)) {
        origin_book_tell_srv(directory->book, name->name, name->state, name->targets, name->count);
    }
    if (directory->prober != NULL) {
        prober_follow_names(directory->prober);
    }
    for (struct link *link = directory->named.next; link != &directory->named; link = next) {
        struct service *service = CONTAINER_OF(link, struct service, named);

        next = link->next;
        service_follow_name(service, name);
    }
    snprintf(stand_in, sizeof(stand_in), "%s%s", prefix, name->name);
    attend_stand_in(name, origin_named(directory, stand_in, NULL));
}

static bool take_targets(struct srv_name *name, const struct srv_answer *answer)
{
    size_t size = answer->count * sizeof(*answer->targets);
    struct srv_target *targets = size > 0 ? malloc(size) : NULL;

    if (size > 0 && targets == NULL) {
        return false;
    }
    if (size > 0) {
        memcpy(targets, answer->targets, size);
    }
    free(name->targets);
    name->targets = targets;
    name->count = answer->count;
    return true;
}

static void take_answer(struct srv_name *name, const struct srv_answer *answer)
{
    if (answer == NULL) {
        name->state = SRV_UNRESOLVED;
        if (srv_name_tells(name)) {
            log_warning("%s%s cannot be resolved; requests get 502 until it can", prefix,
                        name->name);
        }
        spread(name);
        return;
    }
    if (!take_targets(name, answer)) {
        log_error("out of memory: %s%s stays as it was", prefix, name->name);
        return;
    }
    name->state = answer->declined ? SRV_DECLINED : SRV_TARGETS;
    if (srv_name_tells(name)) {
        tell_targets(name, answer);
    }
    spread(name);
}

/* Held meanwhile: what requests do then may end the last service that names it. */
void srv_name_answered(void *owner, const struct srv_answer *answer)
{
    struct srv_name *name = owner;

    name->references++;
    take_answer(name, answer);
    srv_name_put(&name);
}
