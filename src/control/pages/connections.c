/* SPDX-License-Identifier: BSD-2-Clause */
/* GET /v1/connections?top=N: the client connections that cost most for what they achieve. Each
 * worker is asked by mail for its own and answers by mail, a slice of its connections at a time;
 * none is stopped or waited for. */
#include "control/endpoints.h"

#include <stdlib.h>

#define TOP_USUALLY 20
#define TOP_MOST 1000
#define DEADLINE_MS 5000

/* The way to one worker and back. */
struct parcel {
    struct loop_message message;
    struct survey *survey;
    size_t count;
    struct client_row rows[];
};

/* Lives until all parcels are back, answered or not. */
struct survey {
    struct question *question;
    struct loop *loop;
    size_t top;
    uint32_t outstanding;
    uint32_t silent; /* workers that could not be asked */
    bool answered;
    struct alarm deadline;
    struct client_row *rows;
    size_t count;
};

/* --- the answer -------------------------------------------------------------------------- */

static int compare_costs(const void *left, const void *right)
{
    const struct client_row *a = left;
    const struct client_row *b = right;

    return (a->cost < b->cost) - (a->cost > b->cost);
}

static void add_row(struct json *json, const struct client_row *row)
{
    struct address address;
    char text[ADDRESS_TEXT_MAX] = "unix";

    if (!ip_is_none(&row->ip)) {
        ip_to_address(&row->ip, row->port, &address);
        text[address_format(&address, text)] = '\0';
    }
    json_begin_row(json, NULL);
    json_text(json, "client", text);
    json_text(json, "state", row->state);
    json_number(json, "bytes_held", row->bytes_held);
    json_number(json, "held_ms", row->held_ms);
    json_number(json, "bytes_moved", row->bytes_moved);
    json_number(json, "bytes_per_s", row->rate);
    json_number(json, "requests", row->requests);
    json_number(json, "cost", row->cost);
    json_text(json, "listener", row->listener);
    json_text(json, "route", row->route[0] != '\0' ? row->route : NULL);
    json_number(json, "worker", row->worker);
    json_end_object(json);
}

static void answer(struct survey *survey)
{
    struct question *question = survey->question;
    struct json json = json_on(&question->page);

    survey->answered = true;
    if (survey->count > 1) {
        qsort(survey->rows, survey->count, sizeof(*survey->rows), compare_costs);
    }
    json_begin_object(&json, NULL);
    json_begin_list(&json, "connections");
    for (size_t i = 0; i < survey->count && i < survey->top; i++) {
        add_row(&json, &survey->rows[i]);
    }
    json_end_list(&json);
    if (survey->silent + survey->outstanding > 0) {
        json_number(&json, "workers_that_did_not_answer", survey->silent + survey->outstanding);
    }
    json_end_object(&json);
    question_answer_json(question);
}

static void end_when_all_are_back(struct survey *survey)
{
    if (survey->outstanding > 0) {
        return;
    }
    alarm_clear(survey->loop, &survey->deadline);
    if (!survey->answered) {
        answer(survey);
    }
    question_let_go(survey->question);
    free(survey->rows);
    free(survey);
}

static void on_deadline(void *owner)
{
    struct survey *survey = owner;

    if (!survey->answered) {
        answer(survey);
    }
}

/* --- asking ------------------------------------------------------------------------------ */

/* Back on the control thread. */
static void on_parcel_back(void *owner)
{
    struct parcel *parcel = owner;
    struct survey *survey = parcel->survey;

    memcpy(survey->rows + survey->count, parcel->rows, parcel->count * sizeof(*parcel->rows));
    survey->count += parcel->count;
    survey->outstanding--;
    free(parcel);
    end_when_all_are_back(survey);
}

/* On the worker. */
static void on_listed(void *owner, const struct client_row *rows, size_t count)
{
    struct parcel *parcel = owner;

    parcel->count = count < parcel->survey->top ? count : parcel->survey->top;
    if (parcel->count > 0) {
        memcpy(parcel->rows, rows, parcel->count * sizeof(*rows));
    }
    loop_send(parcel->survey->loop, &parcel->message, on_parcel_back, parcel);
}

static bool ask_worker(struct survey *survey, uint32_t worker)
{
    const struct control_sources *sources = survey->question->sources;
    struct parcel *parcel = malloc(sizeof(*parcel) + survey->top * sizeof(parcel->rows[0]));

    if (parcel == NULL) {
        return false;
    }
    parcel->survey = survey;
    parcel->count = 0;
    if (!sources->list_connections(sources->owner, worker, survey->top, on_listed, parcel)) {
        free(parcel);
        return false;
    }
    return true;
}

static struct survey *survey_new(struct question *question, size_t top, uint32_t workers)
{
    struct survey *survey = calloc(1, sizeof(*survey));

    if (survey == NULL) {
        return NULL;
    }
    survey->question = question;
    survey->loop = question->loop;
    survey->top = top;
    survey->rows = malloc(top * workers * sizeof(*survey->rows) + 1);
    if (survey->rows == NULL) {
        free(survey);
        return NULL;
    }
    return survey;
}

void connections_answer(struct question *question)
{
    const struct control_sources *sources = question->sources;
    struct control_facts facts;
    struct survey *survey;
    uint64_t top;

    if (sources->list_connections == NULL) {
        question_refuse(question, 501, "connections cannot be listed yet", "look into /metrics");
        return;
    }
    if (!question_number(question, "top", TOP_USUALLY, TOP_MOST, &top)) {
        return;
    }
    sources->facts(sources->owner, &facts);
    survey = survey_new(question, (size_t)top, facts.workers);
    if (survey == NULL) {
        question_refuse(question, 503, "out of memory", "ask for fewer with --top");
        return;
    }
    question_hold(question);
    survey->outstanding = facts.workers;
    alarm_set(survey->loop, &survey->deadline, DEADLINE_MS, on_deadline, survey);
    for (uint32_t worker = 0; worker < facts.workers; worker++) {
        if (!ask_worker(survey, worker)) {
            survey->outstanding--;
            survey->silent++;
        }
    }
    end_when_all_are_back(survey);
}
