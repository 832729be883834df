/* SPDX-License-Identifier: BSD-2-Clause */
/* In this order: counters, services and splits, listeners (which are few and come last, because
 * they alone touch sockets). */
#include "process/worker/staged_config.h"

#include <stdlib.h>

#define PIECE 16

struct staged_config {
    struct staged_config_parts parts;
    const struct settings *settings;
    struct client_socket *sockets;
    struct metrics_staged_config *metrics;
    struct generation *generation;
    bool metrics_ready;
    bool generation_ready;
    bool clients_touched;
};

struct staged_config *staged_config_new(const struct staged_config_parts *parts, struct plan *plan,
                                        const struct settings_changes *changes,
                                        struct client_socket *sockets)
{
    struct staged_config *staged_config = calloc(1, sizeof(*staged_config));

    if (staged_config == NULL) {
        return NULL;
    }
    staged_config->parts = *parts;
    staged_config->settings = plan_settings(plan);
    staged_config->sockets = sockets;
    staged_config->metrics = metrics_staged_config_new(parts->metrics, staged_config->settings);
    staged_config->generation = generation_begin(
        plan, parts->origins, exchange_context_generation(parts->exchanges), changes);
    if (staged_config->metrics == NULL || staged_config->generation == NULL) {
        staged_config_abandon(&staged_config);
    }
    return staged_config;
}

static enum staged_config_progress grow_metrics(struct staged_config *staged_config)
{
    switch (metrics_staged_config_grow(staged_config->metrics, PIECE)) {
    case METRICS_FAILED:
        return STAGED_CONFIG_FAILED;
    case METRICS_ARE_WHOLE:
        staged_config->metrics_ready = true;
        break;
    case METRICS_GROW:
        break;
    }
    return STAGED_CONFIG_BUILDS;
}

static enum staged_config_progress grow_generation(struct staged_config *staged_config)
{
    switch (generation_grow(staged_config->generation, PIECE)) {
    case GENERATION_FAILED:
        return STAGED_CONFIG_FAILED;
    case GENERATION_IS_WHOLE:
        staged_config->generation_ready = true;
        break;
    case GENERATION_GROWS:
        break;
    }
    return STAGED_CONFIG_BUILDS;
}

enum staged_config_progress staged_config_build(struct staged_config *staged_config)
{
    if (!staged_config->metrics_ready) {
        return grow_metrics(staged_config);
    }
    if (!staged_config->generation_ready) {
        return grow_generation(staged_config);
    }
    staged_config->clients_touched = true;
    return client_context_prepare(staged_config->parts.clients, staged_config->settings,
                                  staged_config->sockets)
               ? STAGED_CONFIG_IS_READY
               : STAGED_CONFIG_FAILED;
}

void staged_config_commit(struct staged_config **held)
{
    struct staged_config *staged_config = *held;

    *held = NULL;
    metrics_staged_config_commit(&staged_config->metrics);
    exchange_context_adopt(staged_config->parts.exchanges, staged_config->generation);
    client_context_commit(staged_config->parts.clients);
    free(staged_config);
}

void staged_config_abandon(struct staged_config **held)
{
    struct staged_config *staged_config = *held;

    *held = NULL;
    if (staged_config == NULL) {
        return;
    }
    metrics_staged_config_abandon(&staged_config->metrics);
    generation_unref(&staged_config->generation);
    if (staged_config->clients_touched) {
        client_context_abandon(staged_config->parts.clients);
    }
    free(staged_config);
}
