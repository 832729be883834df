/* SPDX-License-Identifier: BSD-2-Clause */
/* GET /v1/connections?top=N: the client connections that cost most for what they achieve, put together
 * from all workers by a survey. A survey lives until all of its parcels are back, answered or not: the
 * deadline answers without those that are late. */
#include "control/pages/connections.h"

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

struct survey {
    struct client_survey_order order;
    uint32_t outstanding;
    uint32_t silent; /* workers that could not be asked */
    bool answered;
    struct alarm deadline;
    struct client_row *rows;
    size_t count;
};

/* --- the end ----------------------------------------------------------------------------- */

static int compare_costs(const void *left, const void *right)
{
    const struct client_row *a = left;
    const struct client_row *b = right;

    return (a->cost < b->cost) - (a->cost > b->cost);
}

static void answer(struct survey *survey)
{
    size_t count = survey->count < survey->order.top ? survey->count : survey->order.top;

    if (survey->answered) {
        return;
    }
    survey->answered = true;
    if (survey->count > 1) {
        qsort(survey->rows, survey->count, sizeof(*survey->rows), compare_costs);
    }
    survey->order.done(survey->order.owner, survey->rows, count,
                       survey->silent + survey->outstanding);
}

static void end_when_all_are_back(struct survey *survey)
{
    if (survey->outstanding > 0) {
        return;
    }
    alarm_clear(survey->order.loop, &survey->deadline);
    answer(survey);
    free(survey->rows);
    free(survey);
}

static void on_deadline(void *owner)
{
    answer(owner);
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
    const struct client_survey_order *order = &parcel->survey->order;

    parcel->count = count < order->top ? count : order->top;
    if (parcel->count > 0) {
        memcpy(parcel->rows, rows, parcel->count * sizeof(*rows));
    }
    loop_send(order->loop, &parcel->message, on_parcel_back, parcel);
}

static bool ask_worker(struct survey *survey, uint32_t worker)
{
    const struct client_survey_order *order = &survey->order;
    struct parcel *parcel = malloc(sizeof(*parcel) + order->top * sizeof(parcel->rows[0]));

    if (parcel == NULL) {
        return false;
    }
    parcel->survey = survey;
    parcel->count = 0;
    if (!order->sources->list_connections(order->sources->owner, worker, order->top, on_listed,
                                          parcel)) {
        free(parcel);
        return false;
    }
    return true;
}

static struct survey *survey_new(const struct client_survey_order *order, uint32_t workers)
{
    struct survey *survey = calloc(1, sizeof(*survey));

    if (survey == NULL) {
        return NULL;
    }
    survey->order = *order;
    survey->rows = malloc(order->top * workers * sizeof(*survey->rows) + 1);
    if (survey->rows == NULL) {
        free(survey);
        return NULL;
    }
    return survey;
}

bool client_survey_start(const struct client_survey_order *order)
{
    const uint32_t workers = order->sources->workers;
    struct survey *survey = survey_new(order, workers);

    if (survey == NULL) {
        return false;
    }
    survey->outstanding = workers;
    alarm_set(order->loop, &survey->deadline, DEADLINE_MS, on_deadline, survey);
    for (uint32_t worker = 0; worker < workers; worker++) {
        if (!ask_worker(survey, worker)) {
            survey->outstanding--;
            survey->silent++;
        }
    }
    end_when_all_are_back(survey);
    return true;
}

/* --- the endpoint ------------------------------------------------------------------------ */

void connection_row_add(struct json *json, const struct client_row *row)
{
    struct address address;
    char text[ADDRESS_TEXT_MAX] = "unix";

    if (!ip_is_none(&row->ip)) {
        ip_to_address(&row->ip, row->port, &address);
        text[address_format(&address, text)] = '\0';
    }
    json_text(json, "client", text);
    json_text(json, "state", row->state);
    json_number(json, "memory_bytes", row->memory_bytes);
    json_number(json, "held_ms", row->held_ms);
    json_number(json, "bytes_moved", row->bytes_moved);
    json_number(json, "bytes_per_s", row->rate);
    json_text(json, "http", row->protocol);
    json_number(json, "requests", row->requests);
    json_number(json, "streams", row->streams);
    json_number(json, "cost", row->cost);
    json_text(json, "listener", row->listener);
    json_text(json, "route", row->route[0] != '\0' ? row->route : NULL);
    json_number(json, "worker", row->worker);
}

static void on_surveyed(void *owner, const struct client_row *rows, size_t count, uint32_t silent)
{
    struct question *question = owner;
    struct json *json = question_json(question);

    json_begin_list(json, "connections");
    for (size_t i = 0; i < count; i++) {
        json_begin_row(json, NULL);
        connection_row_add(json, &rows[i]);
        json_end_object(json);
    }
    json_end_list(json);
    if (silent > 0) {
        json_number(json, "workers_timed_out", silent);
    }
    question_answer_json(question);
    question_let_go(question);
}

void connections_answer(struct question *question)
{
    const struct control_sources *sources = question->sources;
    struct client_survey_order order = {
        .sources = sources, .loop = question->loop, .done = on_surveyed, .owner = question};
    uint64_t top;

    if (sources->list_connections == NULL) {
        question_refuse(question, 501, "connections cannot be listed yet", "look into /metrics");
        return;
    }
    if (!question_number(question, "top", TOP_USUALLY, TOP_MOST, &top)) {
        return;
    }
    order.top = (size_t)top;
    question_hold(question);
    if (!client_survey_start(&order)) {
        question_refuse(question, 503, "out of memory", "ask for fewer with --top");
        question_let_go(question);
    }
}
