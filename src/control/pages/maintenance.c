/* SPDX-License-Identifier: BSD-2-Clause */
/* POST /v1/routes/NAME/maintenance?state=on|off|file: an operator's order for one route. */
#include "control/endpoints.h"
#include "exchange/maintenance.h"

static bool has_route(const struct settings *settings, const char *name)
{
    for (uint32_t i = 0; i < settings->route_count; i++) {
        if (strcmp(settings->routes[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void carry_out(struct question *question, enum maintenance_order order)
{
    struct control_change change = {.who = question->who,
                                    .action = "maintenance",
                                    .subject = question->name,
                                    .before =
                                        maintenance_order_name(maintenance_of(question->name)),
                                    .after = maintenance_order_name(order)};
    struct json *json;

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
    json = question_json(question);
    json_text(json, "route", question->name);
    json_text(json, "before", change.before);
    json_text(json, "maintenance", change.after);
    question_answer_json(question);
}

void maintenance_answer(struct question *question)
{
    char word[QUESTION_TEXT_MAX] = "";
    enum maintenance_order order;

    if (!question_value(question, "state", word) || !maintenance_word(word, &order)) {
        question_refuse(question, 400, "'state' is on, off, or file",
                        "file: as the configuration says");
    } else if (!has_route(question_settings(question), question->name)) {
        question_refuse_named(question, 404, "turnpikectl routes lists them",
                              "there is no route '%s'", question->name);
    } else {
        carry_out(question, order);
    }
}
