/* SPDX-License-Identifier: BSD-2-Clause */
/* POST /v1/explain: what would become of the request in the body, by what runs now. */
#include "control/endpoints.h"
#include "control/pages/readings.h"
#include "exchange/explain/explain.h"

struct known {
    struct split_registry *registry;
    struct readings readings;
};

static const char *state_now(void *owner, const char *origin)
{
    const struct known *known = owner;

    return readings_origin(&known->readings, origin).state;
}

static const struct srv_target *targets_now(void *owner, const char *srv, uint32_t *count)
{
    const struct known *known = owner;
    const struct srv_reading *reading = readings_srv(&known->readings, srv);

    *count = reading->count;
    return reading->targets;
}

static bool weights_now(void *owner, const struct route_settings *route, uint32_t *weights)
{
    const struct known *known = owner;
    const struct split_reading *split = readings_split(&known->readings, route->name);

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
                        struct known *known)
{
    const struct plan *plan = question_plan(question);
    const struct explain_world world = {.settings = plan_settings(plan),
                                        .router = plan_router(plan),
                                        .owner = known,
                                        .origin_state = state_now,
                                        .targets = targets_now,
                                        .weights = weights_now,
                                        .pins = split_registry_pins(known->registry)};
    struct explain_refusal refusal;

    if (explain(&world, asked, &question->page, &refusal)) {
        question_answer(question, 200, QUESTION_JSON);
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

    if (!read_client(question, &asked.client)) {
        return;
    }
    if (question_value(question, "listener", listener)) {
        asked.listener = listener;
    }
    readings_take(sources, READ_ORIGINS | READ_SPLITS | READ_NAMES, &known.readings);
    answer_with(question, &asked, &known);
    readings_release(&known.readings);
}
