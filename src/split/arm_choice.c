/* SPDX-License-Identifier: BSD-2-Clause */
/* The pure part of choosing an arm; whose turn it is and what is pinned lies with the worker
 * (split_turn.c) and the process (pin_table.c). */
#include "split/arm_choice.h"

#include "split/pin_table.h"
#include "split/request_source.h"
#include "split/split_turn.h"

#include <time.h>

const char *arm_reason_name(enum arm_reason reason)
{
    static const char *const names[] = {
        [ARM_ALONE] = "alone",  [ARM_BY_TURN] = "turn",         [ARM_BY_KEY] = "key",
        [ARM_BY_USER] = "user", [ARM_BY_OVERRIDE] = "override", [ARM_BY_PIN] = "pin",
    };

    return names[reason];
}

/* The draft's keys are quoted strings, what clients send mostly is not: both are the same key
 * (draft-ietf-httpapi-idempotency-key-header-07 section 2.1). */
static struct bytes unquote(struct bytes key)
{
    if (key.length >= 2 && key.at[0] == '"' && key.at[key.length - 1] == '"') {
        return (struct bytes){key.at + 1, key.length - 2};
    }
    return key;
}

static const struct request_source *find_key(const struct split_settings *split,
                                             const struct http_request *request, struct bytes *key)
{
    const struct request_source *source;

    *key = (struct bytes){NULL, 0};
    if (split->pin_lifetime == 0) {
        return NULL;
    }
    source =
        request_source_first(split->pin_headers, split->pin_header_count, request, NULL, NULL, key);
    *key = unquote(*key);
    return key->length > 0 ? source : NULL;
}

static bool choose_by_override(const struct route_settings *route,
                               const struct http_request *request, struct arm_choice *choice)
{
    for (uint32_t i = 0; i < route->split.override_count; i++) {
        const struct request_source *source = &route->split.override[i];
        struct bytes name;

        if (!request_source_value(source, request, NULL, NULL, &name)) {
            continue;
        }
        for (uint32_t arm = 0; arm < route->arm_count; arm++) {
            if (bytes_equal(name, bytes_of(route->arms[arm].service->name))) {
                choice->reason = ARM_BY_OVERRIDE;
                choice->arm = arm;
                choice->source = source;
                choice->user = name;
                return true;
            }
        }
    }
    return false;
}

static void choose_by_place(enum arm_reason reason, const struct request_source *source,
                            struct bytes user, const struct route_settings *route,
                            const struct split_seeds *seeds, const uint32_t *weights,
                            struct arm_choice *choice)
{
    uint64_t place = split_place(&seeds->salt, user);
    bool has_ramp = route->split.ramp.step_count > 0;

    choice->reason = reason;
    choice->source = source;
    choice->user = user;
    choice->has_bucket = true;
    choice->arm =
        split_arm_and_bucket(seeds, weights, has_ramp ? route->split.ramp.to : route->arm_count - 1,
                             place, &choice->bucket);
}

void arm_choose(const struct route_settings *route, const struct http_request *request,
                const struct ip *client, const struct split_seeds *seeds, const uint32_t *weights,
                struct arm_choice *choice)
{
    const struct split_settings *split = &route->split;
    const struct request_source *key_source = find_key(split, request, &choice->key);
    const struct request_source *source;
    struct bytes user;

    choice->reason = ARM_BY_TURN;
    choice->arm = 0;
    choice->source = NULL;
    choice->user = (struct bytes){NULL, 0};
    choice->has_bucket = false;
    choice->bucket = 0;
    if (split->override_count > 0 && choose_by_override(route, request, choice)) {
        return;
    }
    source = request_source_first(split->sticky, split->sticky_count, request, client, choice->room,
                                  &user);
    if (source != NULL) {
        choose_by_place(ARM_BY_USER, source, user, route, seeds, weights, choice);
    } else if (key_source != NULL) {
        choose_by_place(ARM_BY_KEY, key_source, choice->key, route, seeds, weights, choice);
    }
}

static void check_for_pin(const struct route_settings *route, const struct pin_table *pins,
                          struct arm_choice *choice)
{
    uint64_t arm_seeds[SPLIT_ARMS_MAX];
    struct split_seeds seeds = split_pin_seeds_of(route, arm_seeds);
    uint32_t arm = pin_table_find(pins, &seeds, choice->key, (uint64_t)time(NULL));

    /* As in choice.c: where it would go there anyway, the pin decides nothing. */
    if (arm < seeds.count && (arm != choice->arm || choice->reason == ARM_BY_TURN)) {
        choice->arm = arm;
        choice->reason = ARM_BY_PIN;
    }
}

void arm_explain(const struct route_settings *route, const struct http_request *request,
                 const struct ip *client, const uint32_t *weights, const struct pin_table *pins,
                 struct arm_choice *choice)
{
    uint64_t arm_seeds[SPLIT_ARMS_MAX];
    uint32_t file_weights[SPLIT_ARMS_MAX];
    struct split_seeds seeds;

    if (route->arm_count < 2) {
        memset(choice, 0, sizeof(*choice));
        return;
    }
    for (uint32_t i = 0; i < route->arm_count; i++) {
        file_weights[i] = route->arms[i].weight;
    }
    seeds = split_seeds_of(route, arm_seeds);
    arm_choose(route, request, client, &seeds, weights != NULL ? weights : file_weights, choice);
    if (pins != NULL && choice->key.length > 0) {
        check_for_pin(route, pins, choice);
    }
}
