/* SPDX-License-Identifier: BSD-2-Clause */
/* What service.c (who has a turn, and whose it is) and the files about
 * health (health_private.h) share about a service. */
#ifndef ORIGIN_SERVICE_SERVICE_PRIVATE_H
#define ORIGIN_SERVICE_SERVICE_PRIVATE_H

#include "base/rotation.h"
#include "origin/origin_private.h"
#include "origin/service/service.h"

/* Who gets requests. Two of them take turns, so that a new look can be compared with the one in
 * force: where they are the same, whose turn it is stays. */
struct service_active_set {
    struct origin **origins;
    struct rotation_member *turns;
    uint32_t count;
};

/* Weight and rank of one origin, from the settings and from DNS. */
struct host_preference {
    uint32_t weight;
    uint32_t rank; /* requests go to the lowest of which any is fit */
};

#define RANK_BACKUP 0x10000u /* above all classes of SRV priorities */

/* All that is as long as a service has origins. Another answer of DNS brings another one. */
struct host_set {
    struct origin **origins; /* all, in the order of the settings */
    struct host_preference *preferences;
    uint32_t count;
    uint64_t *weights;         /* while it is made */
    bool *fit;                 /* of these, while they are checked */
    struct origin **half_open; /* those that may be tried */
    struct origin **leaving;   /* gone from DNS, while requests are under way on them */
    struct service_active_set active_set;
    struct service_active_set other_active_set;
};

struct service {
    const struct service_settings *settings;
    struct origin_directory *directory;
    const struct tls_store *tls; /* NULL where nothing speaks TLS */
    struct service_entry *entry;
    struct host_set host_set;
    struct link limited; /* in directory->limited */
    uint64_t asked_us;   /* when other workers were last asked for idle connections */

    /* Where names are among the settings' origins: service_origins.c. */
    struct link named;       /* in directory->named */
    struct dns_name **names; /* by place in the settings; NULL: an address */
    uint32_t leaving_count;
    struct alarm leave;
    struct alarm take_again;

    uint32_t picks_to_review;

    /* In force while the registry's serial is this one and, unless all is settled, until the time to
     * look again. */
    uint64_t serial;
    const _Atomic uint64_t *registry_serial;
    bool settled;
    uint64_t check_again_us;
    struct rotation rotation; /* over active set.turns */
    uint32_t half_open_count;
    struct retry_budget retries;
};

/* --- service_origins.c --- */

/* Finds or makes the origins, as the settings and the names in them say. false: out of
 * memory; service_drop_origins is all that is left then. */
bool service_take_origins(struct service *service);
void service_drop_origins(struct service *service);
/* Tells all of them how TLS goes. */
void service_dial_with(struct service *service, const struct tls_store *tls);
/* Some names have another answer, maybe one of the service's. */
void service_follow_names(struct service *service);

/* --- service.c --- */

/* Looks at everything that keeps an origin from getting requests, and remembers who may have
 * them. */
void service_refresh(struct service *service, uint64_t now_us);

/* --- service_review.c --- */

/* Compares the origins: one that is much slower than the others, or has fallen silent, is
 * ejected. Every few picks. */
void service_review(struct service *service, uint64_t now_us);

/* --- origin_ejection.c --- */

/* An origin that this request may try; NULL: none. */
struct origin *service_take_half_open(struct service *service, struct origin_request *request,
                                      uint64_t now_us);

#endif
