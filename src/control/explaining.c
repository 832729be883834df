/* SPDX-License-Identifier: BSD-2-Clause */
/* POST /v1/explain: what would become of the request in the body, by what runs now. */
#include "control/endpoints.h"
#include "control/origin_readings.h"
#include "exchange/explain.h"

static const char *state_now(void *owner, const char *origin)
{
    const struct origin_readings *readings = owner;

    return origin_readings_state(origin_readings_find(readings, origin));
}

void explain_answer(struct question *question)
{
    const struct control_sources *sources = question->sources;
    struct origin_readings readings;
    char listener[QUESTION_TEXT_MAX];
    struct plan *plan = sources->plan(sources->owner);
    struct explain_world world = {
        .settings = plan_settings(plan),
        .router = plan_router(plan),
        .owner = &readings,
        .origin_state = state_now,
    };
    struct explain_asked asked = {.text = {question->body, question->body_length}};
    const char *why = NULL;

    if (question_value(question, "listener", listener)) {
        asked.listener = listener;
    }
    if (!origin_readings_take(sources, &readings)) {
        world.origin_state = NULL;
    }
    if (explain(&world, &asked, &question->page, &why)) {
        question_answer_json(question);
    } else {
        question_refuse(question, 400, why, "the body is METHOD URL and header lines");
    }
    origin_readings_release(&readings);
    plan_unref(&plan);
}
