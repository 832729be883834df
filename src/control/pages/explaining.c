/* SPDX-License-Identifier: BSD-2-Clause */
/* POST /v1/explain: what would become of the request in the body, by what runs now. */
#include "control/endpoints.h"
#include "control/pages/origin_readings.h"
#include "control/pages/split_readings.h"
#include "control/pages/srv_readings.h"
#include "exchange/explain/explain.h"

struct known {
    struct split_registry *registry;
    struct origin_readings origins;
    struct split_readings splits;
    struct srv_readings names;
};

static const char *state_now(void *owner, const char *origin)
{
    const struct known *known = owner;

    return origin_readings_sum(&known->origins, origin).state;
}

static const struct srv_target *targets_now(void *owner, const char *srv, uint32_t *count)
{
    const struct known *known = owner;
    const struct srv_reading *reading = srv_readings_find(&known->names, srv);

    *count = reading->count;
    return reading->targets;
}

static bool weights_now(void *owner, const struct route_settings *route, uint32_t *weights)
{
    const struct known *known = owner;
    const struct split_reading *split = split_readings_find(&known->splits, route->name);

    if (split == NULL || split->arm_count != route->arm_count) {
        return false;
    }
    for (uint32_t i = 0; i < split->arm_count; i++) {
        weights[i] = split->arms[i].weight;
    }
    return true;
}

/* false, after a refusal: that is no address. */
static bool read_client(struct question *question, struct ip *client)
{
    char text[QUESTION_TEXT_MAX];

    if (!question_value(question, "client", text) || ip_parse(bytes_of(text), client)) {
        return true;
    }
    question_refuse(question, 400, "the client is no IP address", "as in --client 192.0.2.7");
    return false;
}

static void answer_with(struct question *question, const struct explain_asked *asked,
                        const struct plan *plan, struct known *known)
{
    const struct explain_world world = {.settings = plan_settings(plan),
                                        .router = plan_router(plan),
                                        .owner = known,
                                        .origin_state = state_now,
                                        .targets = targets_now,
                                        .weights = weights_now,
                                        .pins = split_registry_pins(known->registry)};
    struct explain_refusal refusal;

    if (explain(&world, asked, &question->page, &refusal)) {
        question_answer_json(question);
    } else {
        question_refuse(question, 400, refusal.why, refusal.remedy);
    }
}

void explain_answer(struct question *question)
{
    const struct control_sources *sources = question->sources;
    struct explain_asked asked = {.text = {question->body, question->body_length}};
    char listener[QUESTION_TEXT_MAX];
    struct known known = {.registry = sources->splits};
    struct plan *plan;

    if (!read_client(question, &asked.client)) {
        return;
    }
    if (question_value(question, "listener", listener)) {
        asked.listener = listener;
    }
    origin_readings_take(sources, &known.origins);
    split_readings_take(sources, &known.splits);
    srv_readings_take(sources, &known.names);
    plan = sources->plan(sources->owner);
    answer_with(question, &asked, plan, &known);
    plan_unref(&plan);
    origin_readings_release(&known.origins);
    split_readings_release(&known.splits);
    srv_readings_release(&known.names);
}
