/* SPDX-License-Identifier: BSD-2-Clause */
/* One probe for each origin of each service that wants it (probe.c): who is probed follows the
 * settings that run, and what their names stand for. */
#include "origin/origin_private.h"

#include "base/log/log.h"
#include "origin/health/probe.h"
#include "origin/service/dns_name.h"

#include <stdlib.h>

#define FOLLOW_A_TICK 32
#define FOLLOW_TICK_MS 1

/* Following new settings takes a walk through all their origins, and then one through all probes,
 * for those that none of them wants any more: a few a tick, for a thousand services in one go
 * would be a pause for the clients of this worker. */
struct prober {
    struct origin_directory *directory;
    const struct settings *settings; /* that it follows */
    struct link probes;
    struct alarm tick;
    uint32_t walk; /* its number */
    bool walks;
    bool once_more;   /* after this one */
    uint32_t service; /* where the walk is */
    uint32_t origin;
    struct link *check; /* the probe before the one to look at; NULL: still at the settings */
};

static struct probe *find(const struct origin *origin, const char *service)
{
    LIST_EACH (struct probe, probe, &origin->probes, of_origin) {
        if (strcmp(probe->service, service) == 0) {
            return probe;
        }
    }
    return NULL;
}

/* Takes over the reference to the origin. */
static struct probe *find_or_begin(struct prober *prober, const struct service_settings *service,
                                   struct origin *origin)
{
    struct probe *probe = origin != NULL ? find(origin, service->name) : NULL;

    if (probe != NULL) {
        probe_take_settings(probe, &service->health.probe);
        origin_put(&origin); /* it has its own */
        return probe;
    }
    probe = origin != NULL ? probe_new(prober->directory, service, origin) : NULL;
    if (probe != NULL) {
        list_add_last(&prober->probes, &probe->link);
        probe_begin(probe);
    }
    return probe;
}

static void follow_origin(struct prober *prober, const struct service_settings *service,
                          const char *name, struct origin *origin)
{
    struct probe *probe = find_or_begin(prober, service, origin);

    if (probe == NULL) {
        log_error("out of memory: origin %s of service %s is not probed", name, service->name);
        return;
    }
    probe->wanted_by = prober->walk;
}

struct following {
    struct prober *prober;
    const struct service_settings *service;
    const struct origin_settings *settings;
};

/* A placeholder for a name without an answer is not probed. */
static bool follow_reported(void *owner, struct origin *origin, uint32_t share_of)
{
    const struct following *following = owner;

    (void)share_of;
    if (origin != NULL && !origin_has_address(origin)) {
        origin_put(&origin);
        return true;
    }
    follow_origin(following->prober, following->service, following->settings->name, origin);
    return true;
}

static void follow_name(struct prober *prober, const struct service_settings *service,
                        const struct origin_settings *settings)
{
    const struct dns_name *name = dns_name_find(prober->directory, dns_name_text(settings));
    struct following following = {prober, service, settings};

    if (name != NULL && !name->is_srv) {
        dns_name_each_address(name, settings, follow_reported, &following);
    }
    for (uint32_t i = 0; name != NULL && i < name->target_count; i++) {
        dns_name_each_of_target(name, settings, i, follow_reported, &following);
    }
}

static void follow(struct prober *prober, const struct service_settings *service,
                   const struct origin_settings *settings)
{
    if (dns_name_text(settings) != NULL) {
        follow_name(prober, service, settings);
    } else {
        follow_origin(prober, service, settings->name, origin_get(prober->directory, settings));
    }
}

/* true: all of them. */
static bool follow_some(struct prober *prober, uint32_t most)
{
    const struct settings *settings = prober->settings;

    for (; prober->service < settings->service_count; prober->service++, prober->origin = 0) {
        const struct service_settings *service = &settings->services[prober->service];

        while (service->health.probe.on && prober->origin < service->origin_count) {
            if (most-- == 0) {
                return false;
            }
            follow(prober, service, &service->origins[prober->origin++]);
        }
    }
    return true;
}

static bool drop_some(struct prober *prober, uint32_t most)
{
    while (prober->check->next != &prober->probes) {
        struct probe *probe = CONTAINER_OF(prober->check->next, struct probe, link);

        if (most-- == 0) {
            return false;
        }
        if (probe->wanted_by == prober->walk) {
            prober->check = &probe->link;
        } else {
            probe_free(probe);
        }
    }
    return true;
}

static void begin_walk(struct prober *prober);

static void on_follow_tick(void *owner)
{
    struct prober *prober = owner;

    if (prober->check == NULL && follow_some(prober, FOLLOW_A_TICK)) {
        prober->check = &prober->probes;
    }
    if (prober->check != NULL && drop_some(prober, FOLLOW_A_TICK)) {
        prober->walks = false;
        if (prober->once_more) {
            begin_walk(prober);
        }
        return;
    }
    alarm_set(prober->directory->worker_context->loop, &prober->tick, FOLLOW_TICK_MS,
              on_follow_tick, prober);
}

static void begin_walk(struct prober *prober)
{
    prober->walks = true;
    prober->once_more = false;
    prober->service = 0;
    prober->origin = 0;
    prober->check = NULL;
    prober->walk++;
    on_follow_tick(prober);
}

void prober_follow(struct prober *prober, const struct settings *settings)
{
    prober->settings = settings;
    begin_walk(prober);
}

void prober_follow_names(struct prober *prober)
{
    if (prober->walks) {
        prober->once_more = true;
    } else if (prober->settings != NULL) {
        begin_walk(prober);
    }
}

/* --- life -------------------------------------------------------------------------------- */

struct prober *prober_new(struct origin_directory *directory)
{
    struct prober *prober = calloc(1, sizeof(*prober));

    if (prober != NULL) {
        prober->directory = directory;
        list_init(&prober->probes);
    }
    return prober;
}

void prober_free(struct prober **prober)
{
    struct link *link;

    if (*prober == NULL) {
        return;
    }
    alarm_clear((*prober)->directory->worker_context->loop, &(*prober)->tick);
    while ((link = list_first(&(*prober)->probes)) != NULL) {
        probe_free(CONTAINER_OF(link, struct probe, link));
    }
    free(*prober);
    *prober = NULL;
}
