/* SPDX-License-Identifier: BSD-2-Clause */
/* POST /v1/routes/NAME/maintenance?state=on|off|file: an operator's order for one route. */
#include "control/change.h"
#include "control/endpoints.h"
#include "exchange/maintenance.h"

static bool has_route(const struct control_sources *sources, const char *name)
{
    struct plan *plan = sources->plan(sources->owner);
    const struct settings *settings = plan_settings(plan);
    bool found = false;

    for (uint32_t i = 0; i < settings->route_count && !found; i++) {
        found = strcmp(settings->routes[i].name, name) == 0;
    }
    plan_unref(&plan);
    return found;
}

static void carry_out(struct question *question, enum maintenance_order order)
{
    struct control_change change = {.who = question->who,
                                    .action = "maintenance",
                                    .subject = question->name,
                                    .before =
                                        maintenance_order_name(maintenance_of(question->name)),
                                    .after = maintenance_order_name(order)};
    struct json json = json_on(&question->page);

    if (!change_begin(question)) {
        return;
    }
    if (!maintenance_set(question->name, order)) {
        change_drop(question);
        question_refuse(question, 503, "no room is left for another route's order",
                        "set maintenance in the file, and reload it");
        return;
    }
    if (!change_note(question, &change)) {
        return;
    }
    json_begin_object(&json, NULL);
    json_text(&json, "route", question->name);
    json_text(&json, "before", change.before);
    json_text(&json, "maintenance", change.after);
    json_end_object(&json);
    question_answer_json(question);
}

void maintenance_answer(struct question *question)
{
    char word[QUESTION_TEXT_MAX] = "";
    enum maintenance_order order;

    if (!question_value(question, "state", word) || !maintenance_word(word, &order)) {
        question_refuse(question, 400, "'state' is on, off, or file",
                        "file: as the configuration says");
    } else if (!has_route(question->sources, question->name)) {
        question_refuse_named(question, 404, "turnpikectl routes lists them",
                              "there is no route '%s'", question->name);
    } else {
        carry_out(question, order);
    }
}
