/* SPDX-License-Identifier: BSD-2-Clause */
/* What changes how the gateway runs: taking a file up and going back, and draining origins.
 * Reloads are carried out by process/ on another thread; the answer comes back by a posted call. */
#include "config/load.h"
#include "config/settings_changes.h"
#include "config/value_changes.h"
#include "config/yaml/source_files.h"
#include "control/endpoints.h"
#include "control/pages/differences.h"
#include "control/pages/readings.h"

#include <stdio.h>
#include <stdlib.h>

#define CONFIRM_SECONDS_MAX 86400

/* --- reload ------------------------------------------------------------------------------ */

/* An order that is under way, with the question it is for. */
struct errand {
    struct loop_message message;
    struct question *question;
    struct loop *loop;
    bool ok;
    uint64_t generation;
    const char *remedy; /* static */
    struct page text;
    struct page warnings; /* each ends in a zero */
};

static void add_warnings(struct json *json, struct bytes warnings)
{
    if (warnings.length == 0) {
        return;
    }
    json_begin_list(json, "warnings");
    while (warnings.length > 0) {
        json_text(json, NULL, warnings.at);
        warnings = bytes_skip(warnings, strlen(warnings.at) + 1);
    }
    json_end_list(json);
}

static void answer_errand(struct question *question, const struct errand *errand)
{
    struct json *json;

    if (errand->text.failed || errand->warnings.failed) {
        question_refuse(question, 503, "out of memory", "the log says what was done");
        return;
    }
    if (!errand->ok) {
        question_refuse(question, 409, errand->text.at, errand->remedy);
        return;
    }
    json = question_json(question);
    json_number(json, "generation", errand->generation);
    json_text(json, "result", errand->text.at);
    add_warnings(json, page_bytes(&errand->warnings));
    question_answer_json(question);
}

/* Back on the control thread. */
static void on_errand_back(void *owner)
{
    struct errand *errand = owner;

    answer_errand(errand->question, errand);
    question_let_go(errand->question);
    page_release(&errand->text);
    page_release(&errand->warnings);
    free(errand);
}

static void keep_warnings(struct page *page, const struct config_warning *warnings)
{
    char place[FILE_PLACE_TEXT_MAX];

    for (const struct config_warning *at = warnings; at != NULL; at = at->next) {
        page_format(page, "%s%s", file_place_text(&at->at, place), at->what);
        page_add_char(page, '\0');
    }
}

/* On the thread that carried it out. */
static void on_done(void *owner, const struct reload_result *result)
{
    struct errand *errand = owner;

    errand->ok = result->ok;
    errand->generation = result->generation;
    errand->remedy = result->remedy;
    page_add_text(&errand->text, result->text);
    page_add_char(&errand->text, '\0');
    keep_warnings(&errand->warnings, result->warnings);
    loop_send(errand->loop, &errand->message, on_errand_back, errand);
}

static void give_order(struct question *question, enum reload_kind kind, uint32_t confirm_ms)
{
    const struct control_sources *sources = question->sources;
    struct errand *errand = calloc(1, sizeof(*errand));
    const struct reload_order order = {.kind = kind,
                                       .confirm_ms = confirm_ms,
                                       .who = question->who,
                                       .done = on_done,
                                       .owner = errand};

    if (errand != NULL) {
        errand->question = question;
        errand->loop = question->loop;
        if (sources->give_order != NULL && sources->give_order(sources->owner, &order)) {
            question_hold(question); /* the errand comes back to this thread, so not before */
            return;
        }
        free(errand);
    }
    question_refuse(question, 503, "no reload is possible now",
                    "the process is ending or out of memory: look into its log");
}

void reload_answer(struct question *question)
{
    uint64_t seconds;

    if (question_number(question, "confirm", 0, CONFIRM_SECONDS_MAX, &seconds)) {
        give_order(question, RELOAD_FROM_FILE, (uint32_t)seconds * 1000);
    }
}

/* Order: RELOAD_CONFIRM or RELOAD_CANCEL. */
void errand_answer(struct question *question)
{
    give_order(question, (enum reload_kind)question->endpoint->order, 0);
}

/* --- diff -------------------------------------------------------------------------------- */

/* What `print` writes, as text; NULL: out of memory. */
static char *printed(void (*print)(const void *thing, FILE *out), const void *thing)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    if (out != NULL) {
        print(thing, out);
        fclose(out);
    }
    return text;
}

static void print_errors(const void *errors, FILE *out)
{
    config_errors_print(errors, out);
}

static void print_changes(const void *changes, FILE *out)
{
    settings_changes_print(changes, out);
}

static void refuse_file(struct question *question, struct config_errors *errors)
{
    char *text = printed(print_errors, errors);

    question_refuse(question, 422, text != NULL ? text : "the file has errors",
                    "correct the file; turnpike -t checks it too");
    free(text);
}

static void add_lines(struct json *json, const char *text)
{
    while (text != NULL && *text != '\0') {
        size_t length = strcspn(text, "\n");

        if (length > 0) {
            json_bytes(json, NULL, (struct bytes){text, length});
        }
        text += length + (text[length] == '\n');
    }
}

/* Value by value, from what runs to the new text. */
static void add_values(struct question *question, struct bytes wanted, struct json *json)
{
    const struct control_sources *sources = question->sources;
    size_t length = 0;
    char *running = sources->source != NULL ? sources->source(sources->owner, &length) : NULL;
    struct page values = {0};

    if (running != NULL && value_changes_add(&values, (struct bytes){running, length}, wanted) &&
        values.length > 0) {
        page_add_char(&values, '\0');
        if (!values.failed) {
            json_begin_list(json, "values");
            add_lines(json, values.at);
            json_end_list(json);
        }
    }
    page_release(&values);
    free(running);
}

static void answer_changes(struct question *question, const struct settings *now,
                           const struct settings *wanted, struct bytes file)
{
    struct settings_changes *changes = settings_changes_new(now, wanted);
    char *text = changes != NULL ? printed(print_changes, changes) : NULL;
    char summary[1024];

    if (changes == NULL || text == NULL) {
        question_refuse(question, 503, "out of memory", "try again");
    } else {
        struct json *json = question_json(question);

        settings_changes_report(changes, summary, sizeof(summary));
        json_text(json, "summary", summary);
        json_begin_list(json, "changes");
        add_lines(json, text);
        json_end_list(json);
        add_values(question, file, json);
        overrides_ended_add(json, question->sources, wanted);
        question_answer_json(question);
    }
    free(text);
    settings_changes_free(&changes);
}

static void answer_diff(struct question *question, const char *name, struct bytes file)
{
    struct config_errors *errors = NULL;
    struct snapshot *wanted = config_load_bytes(name, file, &errors);

    if (wanted == NULL) {
        refuse_file(question, errors);
        config_errors_free(&errors);
        return;
    }
    answer_changes(question, question_settings(question), snapshot_settings(wanted), file);
    snapshot_unref(&wanted);
}

void diff_answer(struct question *question)
{
    char name[QUESTION_TEXT_MAX] = "the new file";

    question_value(question, "name", name);
    answer_diff(question, name, (struct bytes){question->body, question->body_length});
}

void reload_diff_answer(struct question *question)
{
    const struct control_sources *sources = question->sources;
    struct config_errors *errors = NULL;
    struct bytes file;
    char *room;

    if (sources->config_file == NULL) {
        question_refuse(question, 404, "the configuration's file is not known",
                        "compare with a file: turnpikectl diff FILE");
        return;
    }
    room = config_read_file(sources->config_file, 0, &file, &errors);
    if (room == NULL) {
        refuse_file(question, errors);
        config_errors_free(&errors);
        return;
    }
    answer_diff(question, sources->config_file, file);
    free(room);
}

/* --- draining ---------------------------------------------------------------------------- */

/* Whether this origin or address gives the service a host once `name` is drained. */
static bool serves_without(const struct readings *readings, const char *origin, const char *name)
{
    const struct origin_summary summary = readings_origin(readings, origin);

    if (strcmp(origin, name) == 0) {
        return false;
    }
    for (uint32_t i = 0; i < summary.addresses; i++) {
        if (strcmp(summary.rows[i].name, name) != 0 && !summary.rows[i].drained) {
            return true;
        }
    }
    return summary.addresses == 0 && !summary.sum.drained;
}

static bool names_origin(const char *origin, const char *name)
{
    size_t length = strlen(origin);

    return strncmp(origin, name, length) == 0 && (name[length] == '\0' || name[length] == '@');
}

/* The service would have no origin that is not drained. What stands for SRV names is not looked at:
 * it may be more than what is known now. */
static bool is_last_of(const struct service_settings *service, const struct readings *readings,
                       const char *name)
{
    bool is_in_it = false;

    for (uint32_t i = 0; i < service->origin_count; i++) {
        const struct origin_settings *origin = &service->origins[i];

        if (origin->srv != NULL || serves_without(readings, origin->name, name)) {
            return false;
        }
        is_in_it = is_in_it || names_origin(origin->name, name);
    }
    return is_in_it;
}

/* NULL: none is left without origins. */
static const char *service_left_alone(const struct settings *settings,
                                      const struct readings *readings, const char *name)
{
    for (uint32_t i = 0; i < settings->service_count; i++) {
        if (is_last_of(&settings->services[i], readings, name)) {
            return settings->services[i].name;
        }
    }
    return NULL;
}

/* false, after a refusal: it asks not to take the last origin of a service, and this is one. */
static bool check_last(struct question *question)
{
    char value[QUESTION_TEXT_MAX];
    struct readings readings;
    const char *service;

    if (!question_value(question, "unless_last", value) ||
        !readings_take(question->sources, READ_ORIGINS, &readings)) {
        return true;
    }
    service = service_left_alone(question_settings(question), &readings, question->name);
    if (service != NULL) {
        question_refuse_named(
            question, 409, "undrain another one first, or drain it all the same with --force",
            "%s is the last origin of service '%s' that gets requests", question->name, service);
    }
    readings_release(&readings);
    return service == NULL;
}

/* Order: whether it is drained from now on. */
void drain_answer(struct question *question)
{
    const struct control_sources *sources = question->sources;
    const bool drained = question->endpoint->order;
    struct control_change change = {
        .who = question->who, .action = drained ? "drain" : "undrain", .subject = question->name};
    struct json *json;

    if (!change_begin(question)) {
        return;
    }
    if (drained && !check_last(question)) {
        change_drop(question);
        return;
    }
    if (!origin_registry_drain(sources->origins, question->name, drained)) {
        change_drop(question);
        question_refuse_named(question, 404,
                              "turnpikectl services lists them, as the file calls them",
                              "no service has an origin '%s'", question->name);
        return;
    }
    if (!change_note(question, &change)) {
        return;
    }
    json = question_json(question);
    json_text(json, "origin", question->name);
    json_flag(json, "drained", drained);
    question_answer_json(question);
}
