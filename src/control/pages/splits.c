/* SPDX-License-Identifier: BSD-2-Clause */
/* Weights and ramps by an operator's hand: POST /v1/routes/NAME/weights and .../reset, GET
 * /v1/ramps, POST /v1/ramps/NAME/pause, resume and abort. */
#include "config/schema/units.h"
#include "control/endpoints.h"
#include "control/pages/readings.h"

#include <stdlib.h>

#define ARMS_MOST 64

/* --- verdicts ---------------------------------------------------------------------------- */

static const struct refusal {
    uint16_t status;
    const char *remedy;
} refusals[] = {
    [SPLIT_NO_ROUTE] = {404, "turnpikectl routes lists routes and their splits"},
    [SPLIT_NO_ARM] = {400, "turnpikectl routes says which services the split has"},
    [SPLIT_TWICE] = {400, "name each service once"},
    [SPLIT_BAD_SUM] = {400, "give all weights, or all but one, which gets the rest"},
    [SPLIT_RAMP_MOVES] = {409, "turnpikectl ramp pause ROUTE first"},
    [SPLIT_NO_RAMP] = {404, "turnpikectl ramp status lists ramps"},
    [SPLIT_NOT_NOW] = {409, "turnpikectl ramp status says where it is"},
    [SPLIT_NO_MEMORY] = {503, "try again"},
};

struct weights {
    struct split_weight rows[ARMS_MOST];
    char names[ARMS_MOST][QUESTION_TEXT_MAX];
    uint32_t count;
};

static bool has_arm(const struct split_reading *split, struct bytes service)
{
    for (uint32_t i = 0; i < split->arm_count; i++) {
        if (bytes_equal(service, bytes_of(split->arms[i].service))) {
            return true;
        }
    }
    return false;
}

/* Which service it is that the split has not, and which it has. */
static void report_strangers(const struct split_reading *split, const struct weights *weights,
                             struct page *detail)
{
    for (uint32_t i = 0; i < weights->count; i++) {
        if (!has_arm(split, weights->rows[i].service)) {
            page_format(detail, "the split of route '%s' has no service '%s', only ", split->route,
                        weights->names[i]);
            break;
        }
    }
    for (uint32_t i = 0; i < split->arm_count; i++) {
        page_format(detail, "%s%s", i > 0 ? ", " : "", split->arms[i].service);
    }
}

/* With the names in it; nothing where the sentence alone says as much. */
static void report_verdict(const struct question *question, enum split_verdict verdict,
                           const struct weights *weights, struct page *detail)
{
    struct readings readings;
    const struct split_reading *split;

    if (!readings_take(question->sources, READ_SPLITS, &readings)) {
        return;
    }
    split = readings_split(&readings, question->name);
    if (verdict == SPLIT_NO_ROUTE) {
        page_format(detail, "there is no route '%s' with a split", question->name);
    } else if (verdict == SPLIT_NO_RAMP) {
        page_format(detail, "route '%s' has no ramp", question->name);
    } else if (split != NULL && verdict == SPLIT_NO_ARM && weights != NULL) {
        report_strangers(split, weights, detail);
    } else if (split != NULL && verdict == SPLIT_RAMP_MOVES) {
        page_format(detail, "the ramp of route '%s' moves its weights", question->name);
    } else if (split != NULL && verdict == SPLIT_NOT_NOW) {
        page_format(detail, "the ramp of route '%s' is in the state '%s', which this does not fit",
                    question->name, ramp_phase_name(split->ramp.phase));
    }
    readings_release(&readings);
}

/* `weights` may be NULL. */
static void refuse(struct question *question, enum split_verdict verdict,
                   const struct weights *weights)
{
    struct page detail = {0};

    report_verdict(question, verdict, weights, &detail);
    if (detail.length == 0) {
        page_add_text(&detail, split_verdict_sentence(verdict));
    }
    page_add_char(&detail, '\0');
    question_refuse(question, refusals[verdict].status,
                    detail.failed ? split_verdict_sentence(verdict) : detail.at,
                    refusals[verdict].remedy);
    page_release(&detail);
}

/* --- what held before and holds after ---------------------------------------------------- */

/* Text of one split as it is now, with its end; empty without memory. */
static struct page reported_now(const struct control_sources *sources, const char *route)
{
    struct readings readings;
    struct page page = {0};

    if (readings_take(sources, READ_SPLITS, &readings)) {
        const struct split_reading *reading = readings_split(&readings, route);

        if (reading != NULL) {
            split_reading_report(reading, &page);
        }
        readings_release(&readings);
    }
    page_add_char(&page, '\0');
    return page;
}

/* Answers, and leaves the change where it is found again. `before` is released. */
static void answer_change(struct question *question, const char *action, struct page *before)
{
    const struct control_sources *sources = question->sources;
    struct page after = reported_now(sources, question->name);
    struct control_change change = {.who = question->who,
                                    .action = action,
                                    .subject = question->name,
                                    .before = before->at,
                                    .after = after.at};

    if (change_note(question, &change)) {
        struct json *json = question_json(question);

        json_text(json, "route", question->name);
        json_text(json, "before", before->at);
        json_text(json, "split", after.at);
        question_answer_json(question);
    }
    page_release(before);
    page_release(&after);
}

/* `weights` may be NULL. `before` is released. */
static void conclude(struct question *question, enum split_verdict verdict, const char *action,
                     const struct weights *weights, struct page *before)
{
    if (verdict == SPLIT_DONE) {
        answer_change(question, action, before);
        return;
    }
    change_drop(question);
    page_release(before);
    refuse(question, verdict, weights);
}

/* --- weights ----------------------------------------------------------------------------- */

/* "5", "5%" and "0.25%" are percents. */
static bool read_percent(const char *text, uint32_t *weight)
{
    char with_sign[QUESTION_TEXT_MAX + 1];
    size_t length = strlen(text);
    uint64_t hundredths;

    memcpy(with_sign, text, length + 1);
    if (length > 0 && text[length - 1] != '%') {
        memcpy(with_sign + length, "%", 2);
    }
    if (config_read_percent(bytes_of(with_sign), &hundredths) != UNIT_READ ||
        hundredths > SPLIT_WHOLE) {
        return false;
    }
    *weight = (uint32_t)hundredths;
    return true;
}

static bool read_pair(struct bytes pair, struct weights *weights)
{
    const char *equals = memchr(pair.at, '=', pair.length);
    struct split_weight *row = &weights->rows[weights->count];
    char *name = weights->names[weights->count];
    char value[QUESTION_TEXT_MAX];
    size_t at = equals != NULL ? (size_t)(equals - pair.at) : 0;

    if (at == 0 || weights->count == ARMS_MOST || !question_decode(bytes_first(pair, at), name) ||
        !question_decode(bytes_skip(pair, at + 1), value) || !read_percent(value, &row->weight)) {
        return false;
    }
    row->service = bytes_of(name);
    weights->count++;
    return true;
}

static bool read_weights(struct bytes query, struct weights *weights)
{
    weights->count = 0;
    while (query.length > 0) {
        const char *end = memchr(query.at, '&', query.length);
        size_t length = end != NULL ? (size_t)(end - query.at) : query.length;

        if (!read_pair(bytes_first(query, length), weights)) {
            return false;
        }
        query = bytes_skip(query, length + (end != NULL));
    }
    return weights->count > 0;
}

/* The one after those that could be read; NULL: out of memory. */
static void refuse_pair(struct question *question, const struct weights *weights)
{
    struct bytes rest = question->query;
    char text[QUESTION_TEXT_MAX] = "";

    for (uint32_t i = 0; weights != NULL && i < weights->count; i++) {
        const char *end = memchr(rest.at, '&', rest.length);

        rest = bytes_skip(rest, end != NULL ? (size_t)(end - rest.at) + 1 : rest.length);
    }
    if (memchr(rest.at, '&', rest.length) != NULL) {
        rest.length = (size_t)((const char *)memchr(rest.at, '&', rest.length) - rest.at);
    }
    question_refuse_named(question, 400, "as in turnpikectl weight shop new=5 old=95",
                          "'%s' is no weight, which is SERVICE=PERCENT, from 0 to 100 in steps of "
                          "0.01%%",
                          question_decode(rest, text) ? text : "");
}

void weights_answer(struct question *question)
{
    struct page before;
    struct weights *weights = malloc(sizeof(*weights));

    if (weights == NULL || !read_weights(question->query, weights)) {
        refuse_pair(question, weights);
    } else if (change_begin(question)) {
        before = reported_now(question->sources, question->name);
        conclude(question,
                 split_registry_set(question->sources->splits, bytes_of(question->name),
                                    weights->rows, weights->count),
                 "weight", weights, &before);
    }
    free(weights);
}

void reset_answer(struct question *question)
{
    struct page before;

    if (change_begin(question)) {
        before = reported_now(question->sources, question->name);
        conclude(question,
                 split_registry_reset(question->sources->splits, bytes_of(question->name)),
                 "reset weight", NULL, &before);
    }
}

/* --- ramps ------------------------------------------------------------------------------- */

static void add_group(struct json *json, const char *name, const struct ramp_group_reading *group)
{
    json_begin_row(json, name);
    json_number(json, "requests", group->requests);
    json_number(json, "failures", group->failures);
    json_number(json, "p99_us", group->p99_us);
    json_end_object(json);
}

/* Of the new arm, as it is: an operator may have set another than the ramp's. */
static uint32_t weight_of_new_arm(const struct split_reading *split)
{
    for (uint32_t i = 0; i < split->arm_count; i++) {
        if (strcmp(split->arms[i].service, split->ramp.to) == 0) {
            return split->arms[i].weight;
        }
    }
    return split->ramp.weight;
}

static void add_ramp(struct json *json, const struct split_reading *split)
{
    const struct ramp_reading *ramp = &split->ramp;

    json_begin_row(json, NULL);
    json_text(json, "route", split->route);
    json_text(json, "to", ramp->to);
    json_text(json, "state", ramp_phase_name(ramp->phase));
    json_percent(json, "weight", weight_of_new_arm(split));
    json_text(json, "weight_by", split_cause_name(split->cause));
    json_number(json, "step", ramp->step + 1);
    json_number(json, "of", ramp->step_count);
    if (ramp->next > 0) {
        json_percent(json, "next", ramp->next);
    } else {
        json_text(json, "next", NULL);
    }
    json_number(json, "hold_s", ramp->hold_ms / 1000);
    add_group(json, "new_arm", &ramp->new_arm);
    add_group(json, "control_group", &ramp->control);
    json_text(json, "reason", ramp->reason[0] != '\0' ? ramp->reason : NULL);
    json_end_object(json);
}

void ramps_answer(struct question *question)
{
    struct readings readings;
    struct json *json;

    if (!readings_take(question->sources, READ_SPLITS, &readings)) {
        refuse(question, SPLIT_NO_MEMORY, NULL);
        return;
    }
    json = question_json(question);
    json_begin_list(json, "ramps");
    for (size_t i = 0; i < readings.split_count; i++) {
        if (readings.splits[i].ramp.phase != RAMP_NONE) {
            add_ramp(json, &readings.splits[i]);
        }
    }
    json_end_list(json);
    readings_release(&readings);
    question_answer_json(question);
}

/* Order: enum ramp_order. */
void ramp_order_answer(struct question *question)
{
    static const char *const actions[] = {
        [RAMP_PAUSE] = "pause ramp", [RAMP_RESUME] = "resume ramp", [RAMP_ABORT] = "abort ramp"};
    const int order = question->endpoint->order;
    struct page before;

    if (change_begin(question)) {
        before = reported_now(question->sources, question->name);
        conclude(question,
                 split_registry_order_ramp(question->sources->splits, bytes_of(question->name),
                                           (enum ramp_order)order),
                 actions[order], NULL, &before);
    }
}
