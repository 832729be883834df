/* SPDX-License-Identifier: BSD-2-Clause */
/* Who the origins of a service are: those of the settings, and what names stand for: each address
 * of a host name is one, as is each address of each target of an SRV name. Those by address are the
 * same for life. When DNS has another answer, whoever stays keeps all that it has; who is new is
 * made; who is gone gets no further requests, those in line for it go elsewhere, and it is let go of
 * once none is under way on it, as origin_put wants it. */
#include "origin/pool/name_wait.h"
#include "origin/service/dns_name.h"
#include "origin/service/service_private.h"

#include "base/log/log.h"

#include <stdlib.h>

#define LEAVE_LOOK_MS 50
#define TAKE_AGAIN_MS 1000
#define ZERO_PART 100           /* beside others, weight 0 counts for so small a part of 1 */
#define SHARES (1u << 16)       /* into so many parts a weight is cut: addresses share it */
#define WEIGHTS_MOST (1u << 22) /* all together: a hundredfold and more must fit into a rotation */

/* All that is as long as a service has origins. */
struct lineup {
    struct origin **origins;
    struct standing *standings;
    struct origin **trials;
    bool *fit;
    struct service_view view;
    struct service_view other_view;
    struct origin **leaving;
    uint64_t *weights; /* while it is made */
    uint32_t count;
};

static bool view_init(struct service_view *view, uint32_t room)
{
    view->origins = calloc(room, sizeof(struct origin *));
    view->turns = calloc(room, sizeof(*view->turns));
    return view->origins != NULL && view->turns != NULL;
}

static void view_release(struct service_view *view)
{
    free(view->origins);
    free(view->turns);
}

static bool lineup_init(struct lineup *lineup, uint32_t room, uint32_t leaving_room)
{
    bool views;

    *lineup = (struct lineup){0};
    lineup->origins = calloc(room, sizeof(struct origin *));
    lineup->standings = calloc(room, sizeof(*lineup->standings));
    lineup->trials = calloc(room, sizeof(struct origin *));
    lineup->fit = calloc(room, sizeof(*lineup->fit));
    lineup->weights = calloc(room, sizeof(*lineup->weights));
    lineup->leaving = calloc(leaving_room + 1, sizeof(struct origin *));
    views = view_init(&lineup->view, room);
    views = view_init(&lineup->other_view, room) && views;
    return views && lineup->origins != NULL && lineup->standings != NULL &&
           lineup->trials != NULL && lineup->fit != NULL && lineup->weights != NULL &&
           lineup->leaving != NULL;
}

static void lineup_release(struct lineup *lineup)
{
    for (uint32_t i = 0; i < lineup->count; i++) {
        origin_put(&lineup->origins[i]);
    }
    free(lineup->origins);
    free(lineup->standings);
    free(lineup->trials);
    free(lineup->fit);
    free(lineup->weights);
    free(lineup->leaving);
    view_release(&lineup->view);
    view_release(&lineup->other_view);
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
static bool add(struct lineup *lineup, struct origin *origin, uint64_t weight, uint32_t rank,
                bool by_name)
{
    if (origin == NULL) {
        return false;
    }
    if (by_name && is_among(lineup->origins, lineup->count, origin)) {
        origin_put(&origin);
        return true;
    }
    lineup->origins[lineup->count] = origin;
    lineup->weights[lineup->count] = weight;
    lineup->standings[lineup->count++].rank = rank;
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

/* Addresses of a name on their way into a lineup. */
struct adding {
    struct lineup *lineup;
    uint64_t weight; /* of all of them together, in ZERO_PARTs */
    uint32_t rank;
};

static bool add_told(void *owner, struct origin *origin, uint32_t share_of)
{
    const struct adding *adding = owner;

    return add(adding->lineup, origin, adding->weight * SHARES / share_of, adding->rank, true);
}

/* The targets of one priority, from *next on, which then is the first of another one. */
static bool add_class(struct lineup *lineup, const struct dns_name *name,
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
        struct adding adding = {lineup, weight_of(&name->targets[i], all_zero) * settings->weight,
                                rank_of(settings, priority_class)};

        if (!dns_name_each_of_target(name, settings, i, add_told, &adding)) {
            return false;
        }
    }
    return true;
}

static bool add_targets(struct lineup *lineup, const struct dns_name *name,
                        const struct origin_settings *settings)
{
    uint32_t priority_class = 0;
    uint32_t next = 0;

    if (name->target_count == 0) {
        return add(lineup, dns_name_stand_in(name, settings),
                   (uint64_t)settings->weight * ZERO_PART * SHARES, rank_of(settings, 0), true);
    }
    while (next < name->target_count) {
        if (!add_class(lineup, name, settings, priority_class++, &next)) {
            return false;
        }
    }
    return true;
}

static bool add_named(struct lineup *lineup, const struct dns_name *name,
                      const struct origin_settings *settings)
{
    struct adding adding = {lineup, (uint64_t)settings->weight * ZERO_PART, rank_of(settings, 0)};

    return name->is_srv ? add_targets(lineup, name, settings)
                        : dns_name_each_address(name, settings, add_told, &adding);
}

/* Halved until they fit into a rotation; where none is by name, they do. */
static void settle_weights(struct lineup *lineup)
{
    uint64_t total = 0;
    unsigned halvings = 0;

    for (uint32_t i = 0; i < lineup->count; i++) {
        total += lineup->weights[i];
    }
    while (total >> halvings > WEIGHTS_MOST) {
        halvings++;
    }
    for (uint32_t i = 0; i < lineup->count; i++) {
        uint64_t weight = lineup->weights[i] >> halvings;

        lineup->standings[i].weight = weight > 0 ? (uint32_t)weight : 1;
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

static bool fill(const struct service *service, struct lineup *lineup)
{
    const struct service_settings *settings = service->settings;
    uint64_t unit = settings->has_names ? (uint64_t)ZERO_PART * SHARES : 1;

    for (uint32_t i = 0; i < settings->origin_count; i++) {
        const struct origin_settings *origin = &settings->origins[i];
        bool added = dns_name_text(origin) != NULL
                         ? add_named(lineup, service->names[i], origin)
                         : add(lineup, origin_get(service->directory, origin),
                               origin->weight * unit, rank_of(origin, 0), false);

        if (!added) {
            return false;
        }
    }
    settle_weights(lineup);
    return true;
}

static bool make_lineup(const struct service *service, struct lineup *lineup)
{
    if (lineup_init(lineup, room_needed(service), service->leaving_count + service->count) &&
        fill(service, lineup)) {
        return true;
    }
    lineup_release(lineup);
    return false;
}

/* The arrays change place; *lineup has the former ones then. */
static void exchange_lineups(struct service *service, struct lineup *lineup)
{
    struct lineup former = {
        .origins = service->origins,
        .standings = service->standings,
        .trials = service->trials,
        .fit = service->fit,
        .view = service->view,
        .other_view = service->other_view,
        .leaving = service->leaving,
        .weights = lineup->weights,
        .count = service->count,
    };

    service->origins = lineup->origins;
    service->standings = lineup->standings;
    service->trials = lineup->trials;
    service->fit = lineup->fit;
    service->view = lineup->view;
    service->other_view = lineup->other_view;
    service->leaving = lineup->leaving;
    service->count = lineup->count;
    service->trial_count = 0;
    *lineup = former;
}

/* --- those who leave --------------------------------------------------------------------- */

static void let_go(struct service *service, uint32_t index)
{
    origin_unguard(service->leaving[index], service);
    origin_put(&service->leaving[index]);
}

static void on_leave(void *owner)
{
    struct service *service = owner;
    uint32_t left = 0;

    for (uint32_t i = 0; i < service->leaving_count; i++) {
        name_wait_leave(service->leaving[i], service);
    }
    for (uint32_t i = 0; i < service->leaving_count; i++) {
        if (origin_load(service->leaving[i]) > 0) {
            service->leaving[left++] = service->leaving[i];
        } else {
            let_go(service, i);
        }
    }
    service->leaving_count = left;
    if (left > 0) {
        alarm_set(service->directory->bench->loop, &service->leave, LEAVE_LOOK_MS, on_leave,
                  service);
    }
}

/* Another reference to it, or the right to wait until it has nothing to do any more. */
static void part_with(struct service *service, struct origin *origin)
{
    if (is_among(service->origins, service->count, origin)) {
        origin_put(&origin);
        return;
    }
    origin_unguard(origin, service);
    service->leaving[service->leaving_count++] = origin;
}

static void part_with_former(struct service *service, struct lineup *former)
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
        alarm_set(service->directory->bench->loop, &service->leave, LEAVE_LOOK_MS, on_leave,
                  service);
    }
}

/* --- changes ----------------------------------------------------------------------------- */

/* Whose turn it is goes on among those who stay. */
static void keep_turns(struct service *service, const struct service_view *former,
                       uint32_t former_total)
{
    struct service_view *view = &service->view;

    for (uint32_t i = 0; i < view->count; i++) {
        for (uint32_t j = 0; j < former->count; j++) {
            if (view->origins[i] == former->origins[j]) {
                view->turns[i].credit =
                    rotation_carried(&service->rotation, former->turns[j].credit, former_total);
            }
        }
    }
}

static void take_again(void *owner)
{
    struct service *service = owner;
    uint32_t former_total = service->rotation.total;
    struct lineup lineup;

    if (!make_lineup(service, &lineup)) {
        log_error("out of memory: service %s keeps its former origins for now",
                  service->settings->name);
        alarm_set(service->directory->bench->loop, &service->take_again, TAKE_AGAIN_MS, take_again,
                  service);
        return;
    }
    exchange_lineups(service, &lineup);
    service_dial_with(service, service->tls);
    part_with_former(service, &lineup);
    service->look_again_us = 0;
    service_look(service, loop_now(service->directory->bench->loop));
    keep_turns(service, &lineup.view, former_total);
    lineup_release(&lineup);
}

void service_follow_names(struct service *service)
{
    for (uint32_t i = 0; i < service->settings->origin_count; i++) {
        if (service->names[i] != NULL && dns_name_has_changed(service->names[i])) {
            alarm_clear(service->directory->bench->loop, &service->take_again);
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
    dialer = tls_store_dialer(tls, service->directory->bench->worker, service->settings->index);
    for (uint32_t i = 0; i < service->count; i++) {
        origin_dial_with(service->origins[i], dialer);
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
    struct lineup lineup;

    if ((service->settings->has_names && !take_names(service)) || !make_lineup(service, &lineup)) {
        return false;
    }
    exchange_lineups(service, &lineup);
    lineup_release(&lineup); /* what was there before: nothing */
    return true;
}

static void drop_names(struct service *service)
{
    struct loop *loop = service->directory->bench->loop;

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
    for (uint32_t i = 0; i < service->count; i++) {
        origin_unguard(service->origins[i], service);
        origin_put(&service->origins[i]);
    }
    if (service->names != NULL) {
        drop_names(service);
    }
    free(service->origins);
    free(service->standings);
    free(service->trials);
    free(service->fit);
    free(service->leaving);
    view_release(&service->view);
    view_release(&service->other_view);
}
