/* SPDX-License-Identifier: BSD-2-Clause */
/* What service.c (who has a turn, and whose it is) and the files about health (origin_health.c
 * lists them) share about a service. */
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
    struct link blocked; /* in directory->blocked_services */
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
    uint64_t recalled_us; /* when its ejected origins were last given another chance */
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
/* Another one answers: it has done so since then, and lately or all that it was given. So it is not the
 * way to all of them, nor we. */
bool service_another_answers(const struct service *service, const struct origin *origin,
                             uint64_t since_us, uint64_t lately_us);

/* --- origin_ejection.c --- */

/* An origin that this request may try; NULL: none. */
struct origin *service_take_half_open(struct service *service, struct origin_request *request,
                                      uint64_t now_us);
/* An ejected one, for another attempt where only the origin that has failed serves; NULL: none. */
struct origin *service_last_resort(const struct service *service, const struct origin *failed);

/* --- health ---------------------------------------------------------------------------------- */

/* Of an origin's entry in the registry, which all workers share. */
#define READ(field) TALLY_READ(field)
#define WRITE(field, value) atomic_store_explicit(&(field), value, memory_order_relaxed)
#define BUMP(field) (void)atomic_fetch_add_explicit(&(field), 1, memory_order_relaxed)
#define COUNT(field) (atomic_fetch_add_explicit(&(field), 1, memory_order_relaxed) + 1)

static inline uint64_t origin_now(const struct origin *origin)
{
    return loop_now(origin->directory->worker_context->loop);
}

static inline const struct health_settings *health_of(const struct service *service)
{
    return &service->settings->health;
}

/* --- service.c --- */

/* The mean of the times to its answers; of one that is known, it took enough of them. */
uint64_t origin_latency_us(const struct origin *origin);
bool origin_latency_is_known(const struct origin *origin);
/* The request went well. */
void origin_health_pass(struct origin_request *request);

/* --- service_review.c --- */

#define ORIGIN_SILENT_REQUESTS 10 /* given to an origin without any answer */

/* So many have been: where no request picks an origin, no worker looks whether it has fallen silent. */
void origin_guard_against_silence(struct origin *origin, struct service *service);

/* --- origin_health.c --- */

/* The request failed, since `what`. */
void origin_health_blame(struct origin_request *request, const char *what);
/* After failures an answer went well. */
void origin_health_note_success(struct origin *origin);

/* The two fastest, as this worker knows them; NULL where so many are not known well. */
struct leaders {
    const struct origin *first;
    const struct origin *second;
};
struct leaders service_leaders(const struct service *service);
/* The fastest of the others; NULL: no other is known well. */
const struct origin *leaders_but(const struct leaders *leaders, const struct origin *origin);
const struct origin *service_fastest_but(const struct service *service,
                                         const struct origin *origin);
/* What takes longer than this is slow, beside that other origin. */
uint64_t service_slow_limit_us(const struct service *service, const struct origin *fastest);

/* --- origin_ejection.c --- */

enum slow_rule { SLOW_ONCE_IS_FORGIVEN, SLOW_IS_ENOUGH };

/* If it serves, and its service can spare it. */
void origin_eject(struct service *service, struct origin *origin, enum slow_rule rule,
                  const char *why);
/* Not even the first half-open request is risked on an origin that accepts no connection. */
void origin_health_connect_probe(struct service *service, struct origin *origin);
/* The request that is half-open has its answer, failed, or was slow: `did`, "without an answer
 * for", as the log shall say. */
void origin_half_open_judge(struct origin_request *request, uint64_t waited_us);
void origin_half_open_failed(struct origin_request *request, enum slow_rule rule, const char *why);
void origin_half_open_was_slow(struct origin_request *request, const char *did, uint64_t waited_us);

#endif
