/* SPDX-License-Identifier: BSD-2-Clause */
/* In this order: counters, services and splits, listeners (which are few and come last, because
 * they alone touch sockets). */
#include "process/worker/adoption.h"

#include <stdlib.h>

#define PIECE 16

struct adoption {
    struct adoption_parts parts;
    const struct settings *settings;
    struct client_socket *sockets;
    struct metrics_adoption *metrics;
    struct generation *generation;
    bool metrics_ready;
    bool generation_ready;
    bool clients_touched;
};

struct adoption *adoption_new(const struct adoption_parts *parts, struct plan *plan,
                              const struct settings_changes *changes, struct client_socket *sockets)
{
    struct adoption *adoption = calloc(1, sizeof(*adoption));

    if (adoption == NULL) {
        return NULL;
    }
    adoption->parts = *parts;
    adoption->settings = plan_settings(plan);
    adoption->sockets = sockets;
    adoption->metrics = metrics_adoption_new(parts->metrics, adoption->settings);
    adoption->generation =
        generation_begin(plan, parts->origins, exchange_desk_generation(parts->exchanges), changes);
    if (adoption->metrics == NULL || adoption->generation == NULL) {
        adoption_abandon(&adoption);
    }
    return adoption;
}

static enum adoption_progress grow_metrics(struct adoption *adoption)
{
    switch (metrics_adoption_grow(adoption->metrics, PIECE)) {
    case METRICS_FAILED:
        return ADOPTION_FAILED;
    case METRICS_ARE_WHOLE:
        adoption->metrics_ready = true;
        break;
    case METRICS_GROW:
        break;
    }
    return ADOPTION_GROWS;
}

static enum adoption_progress grow_generation(struct adoption *adoption)
{
    switch (generation_grow(adoption->generation, PIECE)) {
    case GENERATION_FAILED:
        return ADOPTION_FAILED;
    case GENERATION_IS_WHOLE:
        adoption->generation_ready = true;
        break;
    case GENERATION_GROWS:
        break;
    }
    return ADOPTION_GROWS;
}

enum adoption_progress adoption_grow(struct adoption *adoption)
{
    if (!adoption->metrics_ready) {
        return grow_metrics(adoption);
    }
    if (!adoption->generation_ready) {
        return grow_generation(adoption);
    }
    adoption->clients_touched = true;
    return client_desk_prepare(adoption->parts.clients, adoption->settings, adoption->sockets)
               ? ADOPTION_IS_READY
               : ADOPTION_FAILED;
}

void adoption_commit(struct adoption **held)
{
    struct adoption *adoption = *held;

    *held = NULL;
    metrics_adoption_commit(&adoption->metrics);
    exchange_desk_adopt(adoption->parts.exchanges, adoption->generation);
    client_desk_commit(adoption->parts.clients);
    free(adoption);
}

void adoption_abandon(struct adoption **held)
{
    struct adoption *adoption = *held;

    *held = NULL;
    if (adoption == NULL) {
        return;
    }
    metrics_adoption_abandon(&adoption->metrics);
    generation_unref(&adoption->generation);
    if (adoption->clients_touched) {
        client_desk_abandon(adoption->parts.clients);
    }
    free(adoption);
}
