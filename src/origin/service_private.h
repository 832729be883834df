/* SPDX-License-Identifier: BSD-2-Clause */
/* What service.c (whose turn it is) and origin_health.c (who has a turn at all) share about a
 * service; nobody else's. */
#ifndef ORIGIN_SERVICE_PRIVATE_H
#define ORIGIN_SERVICE_PRIVATE_H

#include "base/rotation.h"
#include "origin/origin_private.h"
#include "origin/service.h"

/* Who gets requests. Two of them take turns, so that a new look can be compared with the one in
 * force: where they are the same, whose turn it is stays. */
struct service_view {
    struct origin **origins;
    struct rotation_member *turns;
    uint32_t count;
};

struct service {
    const struct service_settings *settings;
    struct origin_directory *directory;
    struct service_entry *entry;
    struct link limited;     /* in directory->limited */
    uint64_t asked_us;       /* when other workers were last asked for idle connections */
    struct origin **origins; /* all, in the order of the settings */
    uint32_t count;
    bool *fit; /* of these, while looking */
    uint32_t picks_to_review;

    /* In force while the book's serial is this one and, unless all is settled, until the time to
     * look again. */
    uint64_t serial;
    bool settled;
    uint64_t look_again_us;
    struct service_view view;
    struct service_view other_view;
    struct rotation rotation; /* over view.turns */
    struct origin **trials;   /* those that may be tried */
    uint32_t trial_count;
    struct retry_budget retries;
};

/* --- origin_health.c --- */

/* Looks at everything that keeps an origin from getting requests, and remembers who may have
 * them. */
void service_look(struct service *service, uint64_t now_us);
/* Compares the origins: one that is much slower than the others, or has fallen silent, is
 * ejected. Every few picks. */
void service_review(struct service *service, uint64_t now_us);
/* An origin that this request may try; NULL: none. */
struct origin *service_take_trial(struct service *service, struct origin_request *request,
                                  uint64_t now_us);

#endif
