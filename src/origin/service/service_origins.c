/* SPDX-License-Identifier: BSD-2-Clause */
/* Who the origins of a service are: those of the settings, and what names stand for: each address
 * of a host name is one, as is each address of each target of an SRV name. Those by address are the
 * same for life. When DNS has another answer, an origin that stays keeps all that it has; a new one
 * is made; who is gone gets no further requests, those in line for it go elsewhere, and it is let
 * go of once none is under way on it, as origin_put wants it. */
#include "origin/origin_private.h"
#include "origin/service/dns_name.h"
#include "origin/service/service_private.h"

#include "base/log/log.h"

#include <stdlib.h>

#define LEAVE_CHECK_MS 50
#define TAKE_AGAIN_MS 1000
#define ZERO_PART 100           /* beside others, weight 0 counts for so small a part of 1 */
#define SHARES (1u << 16)       /* into so many parts a weight is cut: addresses share it */
#define WEIGHTS_MOST (1u << 22) /* all together: a hundredfold and more must fit into a rotation */

static bool active_set_init(struct service_active_set *active_set, uint32_t room)
{
    active_set->origins = calloc(room, sizeof(struct origin *));
    active_set->turns = calloc(room, sizeof(*active_set->turns));
    return active_set->origins != NULL && active_set->turns != NULL;
}

static void active_set_release(struct service_active_set *active_set)
{
    free(active_set->origins);
    free(active_set->turns);
}

static bool host_set_init(struct host_set *host_set, uint32_t room, uint32_t leaving_room)
{
    bool active_sets;

    *host_set = (struct host_set){0};
    host_set->origins = calloc(room, sizeof(struct origin *));
    host_set->preferences = calloc(room, sizeof(*host_set->preferences));
    host_set->half_open = calloc(room, sizeof(struct origin *));
    host_set->fit = calloc(room, sizeof(*host_set->fit));
    host_set->weights = calloc(room, sizeof(*host_set->weights));
    host_set->leaving = calloc(leaving_room + 1, sizeof(struct origin *));
    active_sets = active_set_init(&host_set->active_set, room);
    active_sets = active_set_init(&host_set->other_active_set, room) && active_sets;
    return active_sets && host_set->origins != NULL && host_set->preferences != NULL &&
           host_set->half_open != NULL && host_set->fit != NULL && host_set->weights != NULL &&
           host_set->leaving != NULL;
}

static void host_set_release(struct host_set *host_set)
{
    for (uint32_t i = 0; i < host_set->count; i++) {
        origin_put(&host_set->origins[i]);
    }
    free(host_set->origins);
    free(host_set->preferences);
    free(host_set->half_open);
    free(host_set->fit);
    free(host_set->weights);
    free(host_set->leaving);
    active_set_release(&host_set->active_set);
    active_set_release(&host_set->other_active_set);
}

static bool is_among(struct origin *const *origins, uint32_t count, const struct origin *origin)
{
    for (uint32_t i = 0; i < count; i++) {
        if (origins[i] == origin) {
            return true;
        }
    }
    return false;
}

/* Takes over the reference. Only what DNS says can name an origin twice: the first time counts. */
static bool add(struct host_set *host_set, struct origin *origin, uint64_t weight, uint32_t rank,
                bool by_name)
{
    if (origin == NULL) {
        return false;
    }
    if (by_name && is_among(host_set->origins, host_set->count, origin)) {
        origin_put(&origin);
        return true;
    }
    host_set->origins[host_set->count] = origin;
    host_set->weights[host_set->count] = weight;
    host_set->preferences[host_set->count++].rank = rank;
    return true;
}

static uint32_t rank_of(const struct origin_settings *settings, uint32_t priority_class)
{
    return (settings->backup ? RANK_BACKUP : 0) + priority_class;
}

/* RFC 2782: targets of weight 0 share evenly; beside others they have a very small chance. */
static uint64_t weight_of(const struct srv_target *target, bool all_zero)
{
    return target->weight > 0 ? (uint64_t)target->weight * ZERO_PART : all_zero ? ZERO_PART : 1;
}

/* Addresses of a name on their way into a host set. */
struct adding {
    struct host_set *host_set;
    uint64_t weight; /* of all of them together, in ZERO_PARTs */
    uint32_t rank;
};

static bool add_reported(void *owner, struct origin *origin, uint32_t share_of)
{
    const struct adding *adding = owner;

    return add(adding->host_set, origin, adding->weight * SHARES / share_of, adding->rank, true);
}

/* The targets of one priority, from *next on, which then is the first of another one. */
static bool add_class(struct host_set *host_set, const struct dns_name *name,
                      const struct origin_settings *settings, uint32_t priority_class,
                      uint32_t *next)
{
    uint32_t first = *next;
    uint32_t end = first;
    bool all_zero = true;

    while (end < name->target_count &&
           name->targets[end].priority == name->targets[first].priority) {
        all_zero = all_zero && name->targets[end].weight == 0;
        end++;
    }
    *next = end;
    for (uint32_t i = first; i < end; i++) {
        struct adding adding = {host_set, weight_of(&name->targets[i], all_zero) * settings->weight,
                                rank_of(settings, priority_class)};

        if (!dns_name_each_of_target(name, settings, i, add_reported, &adding)) {
            return false;
        }
    }
    return true;
}

static bool add_targets(struct host_set *host_set, const struct dns_name *name,
                        const struct origin_settings *settings)
{
    uint32_t priority_class = 0;
    uint32_t next = 0;

    if (name->target_count == 0) {
        return add(host_set, dns_name_stand_in(name, settings),
                   (uint64_t)settings->weight * ZERO_PART * SHARES, rank_of(settings, 0), true);
    }
    while (next < name->target_count) {
        if (!add_class(host_set, name, settings, priority_class++, &next)) {
            return false;
        }
    }
    return true;
}

static bool add_named(struct host_set *host_set, const struct dns_name *name,
                      const struct origin_settings *settings)
{
    struct adding adding = {host_set, (uint64_t)settings->weight * ZERO_PART, rank_of(settings, 0)};

    return name->is_srv ? add_targets(host_set, name, settings)
                        : dns_name_each_address(name, settings, add_reported, &adding);
}

/* Halved until they fit into a rotation; where none is by name, they do. */
static void settle_weights(struct host_set *host_set)
{
    uint64_t total = 0;
    unsigned halvings = 0;

    for (uint32_t i = 0; i < host_set->count; i++) {
        total += host_set->weights[i];
    }
    while (total >> halvings > WEIGHTS_MOST) {
        halvings++;
    }
    for (uint32_t i = 0; i < host_set->count; i++) {
        uint64_t weight = host_set->weights[i] >> halvings;

        host_set->preferences[i].weight = weight > 0 ? (uint32_t)weight : 1;
    }
}

static uint32_t room_for(const struct dns_name *name)
{
    uint32_t room = 0;

    if (name == NULL || !name->is_srv) {
        return name != NULL && name->address_count > 0 ? name->address_count : 1;
    }
    for (uint32_t i = 0; i < name->target_count; i++) {
        room += room_for(name->hosts[i]);
    }
    return room > 0 ? room : 1;
}

static uint32_t room_needed(const struct service *service)
{
    uint32_t room = 0;

    for (uint32_t i = 0; i < service->settings->origin_count; i++) {
        room += room_for(service->names != NULL ? service->names[i] : NULL);
    }
    return room;
}

static bool fill(const struct service *service, struct host_set *host_set)
{
    const struct service_settings *settings = service->settings;
    uint64_t unit = settings->has_names ? (uint64_t)ZERO_PART * SHARES : 1;

    for (uint32_t i = 0; i < settings->origin_count; i++) {
        const struct origin_settings *origin = &settings->origins[i];
        bool added = dns_name_text(origin) != NULL
                         ? add_named(host_set, service->names[i], origin)
                         : add(host_set, origin_get(service->directory, origin),
                               origin->weight * unit, rank_of(origin, 0), false);

        if (!added) {
            return false;
        }
    }
    settle_weights(host_set);
    free(host_set->weights);
    host_set->weights = NULL;
    return true;
}

static bool make_host_set(const struct service *service, struct host_set *host_set)
{
    if (host_set_init(host_set, room_needed(service),
                      service->leaving_count + service->host_set.count) &&
        fill(service, host_set)) {
        return true;
    }
    host_set_release(host_set);
    return false;
}

/* They change place; *host_set has the former one then. */
static void exchange_host_sets(struct service *service, struct host_set *host_set)
{
    struct host_set former = service->host_set;

    service->host_set = *host_set;
    service->half_open_count = 0;
    *host_set = former;
}

/* --- those who leave --------------------------------------------------------------------- */

static void let_go(struct service *service, uint32_t index)
{
    origin_unguard(service->host_set.leaving[index], service);
    origin_put(&service->host_set.leaving[index]);
}

static void on_leave(void *owner)
{
    struct service *service = owner;
    uint32_t left = 0;

    for (uint32_t i = 0; i < service->leaving_count; i++) {
        name_wait_leave(service->host_set.leaving[i], service);
    }
    for (uint32_t i = 0; i < service->leaving_count; i++) {
        if (origin_load(service->host_set.leaving[i]) > 0) {
            service->host_set.leaving[left++] = service->host_set.leaving[i];
        } else {
            let_go(service, i);
        }
    }
    service->leaving_count = left;
    if (left > 0) {
        alarm_set(service->directory->worker_context->loop, &service->leave, LEAVE_CHECK_MS,
                  on_leave, service);
    }
}

/* Another reference to it, or the right to wait until it has nothing to do any more. */
static void part_with(struct service *service, struct origin *origin)
{
    if (is_among(service->host_set.origins, service->host_set.count, origin)) {
        origin_put(&origin);
        return;
    }
    origin_unguard(origin, service);
    service->host_set.leaving[service->leaving_count++] = origin;
}

static void part_with_former(struct service *service, struct host_set *former)
{
    uint32_t leaving_count = service->leaving_count;

    service->leaving_count = 0;
    for (uint32_t i = 0; i < leaving_count; i++) {
        part_with(service, former->leaving[i]);
    }
    for (uint32_t i = 0; i < former->count; i++) {
        part_with(service, former->origins[i]);
    }
    former->count = 0;
    if (service->leaving_count > 0) {
        alarm_set(service->directory->worker_context->loop, &service->leave, LEAVE_CHECK_MS,
                  on_leave, service);
    }
}

/* --- changes ----------------------------------------------------------------------------- */

/* Whose turn it is goes on among those who stay. */
static void keep_turns(struct service *service, const struct service_active_set *former,
                       uint32_t former_total)
{
    struct service_active_set *active_set = &service->host_set.active_set;

    for (uint32_t i = 0; i < active_set->count; i++) {
        for (uint32_t j = 0; j < former->count; j++) {
            if (active_set->origins[i] == former->origins[j]) {
                active_set->turns[i].credit =
                    rotation_carried(&service->rotation, former->turns[j].credit, former_total);
            }
        }
    }
}

static void take_again(void *owner)
{
    struct service *service = owner;
    uint32_t former_total = service->rotation.total;
    struct host_set host_set;

    if (!make_host_set(service, &host_set)) {
        log_error("out of memory: service %s keeps its former origins for now",
                  service->settings->name);
        alarm_set(service->directory->worker_context->loop, &service->take_again, TAKE_AGAIN_MS,
                  take_again, service);
        return;
    }
    exchange_host_sets(service, &host_set);
    service_dial_with(service, service->tls);
    part_with_former(service, &host_set);
    service->check_again_us = 0;
    service_refresh(service, loop_now(service->directory->worker_context->loop));
    keep_turns(service, &host_set.active_set, former_total);
    host_set_release(&host_set);
}

void service_follow_names(struct service *service)
{
    for (uint32_t i = 0; i < service->settings->origin_count; i++) {
        if (service->names[i] != NULL && dns_name_has_changed(service->names[i])) {
            alarm_clear(service->directory->worker_context->loop, &service->take_again);
            take_again(service);
            return;
        }
    }
}

void service_dial_with(struct service *service, const struct tls_store *tls)
{
    struct tls_dialer *dialer;

    service->tls = tls;
    if (tls == NULL || !service->settings->tls.on) {
        return;
    }
    dialer =
        tls_store_dialer(tls, service->directory->worker_context->worker, service->settings->index);
    for (uint32_t i = 0; i < service->host_set.count; i++) {
        origin_dial_with(service->host_set.origins[i], dialer);
    }
}

/* --- life -------------------------------------------------------------------------------- */

static bool take_names(struct service *service)
{
    const struct service_settings *settings = service->settings;

    service->names = calloc(settings->origin_count, sizeof(struct dns_name *));
    if (service->names == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < settings->origin_count; i++) {
        const char *text = dns_name_text(&settings->origins[i]);

        if (text != NULL) {
            service->names[i] = dns_name_get(service->directory, text);
            if (service->names[i] == NULL) {
                return false;
            }
        }
    }
    list_add_last(&service->directory->named, &service->named);
    return true;
}

bool service_take_origins(struct service *service)
{
    struct host_set host_set;

    if ((service->settings->has_names && !take_names(service)) ||
        !make_host_set(service, &host_set)) {
        return false;
    }
    exchange_host_sets(service, &host_set);
    host_set_release(&host_set); /* what was there before: nothing */
    return true;
}

static void drop_names(struct service *service)
{
    struct loop *loop = service->directory->worker_context->loop;

    alarm_clear(loop, &service->leave);
    alarm_clear(loop, &service->take_again);
    for (uint32_t i = 0; i < service->leaving_count; i++) {
        let_go(service, i);
    }
    for (uint32_t i = 0; i < service->settings->origin_count; i++) {
        dns_name_put(&service->names[i]);
    }
    list_remove(&service->named);
    free(service->names);
}

void service_drop_origins(struct service *service)
{
    for (uint32_t i = 0; i < service->host_set.count; i++) {
        origin_unguard(service->host_set.origins[i], service);
    }
    if (service->names != NULL) {
        drop_names(service);
    }
    host_set_release(&service->host_set);
}
