/* SPDX-License-Identifier: BSD-2-Clause */
/* A survey lives until all of its parcels are back, answered or not: the deadline answers without
 * those that are late. */
#include "control/pages/client_survey.h"

#include <stdlib.h>

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
    struct control_facts facts;
    struct survey *survey;

    order->sources->facts(order->sources->owner, &facts);
    survey = survey_new(order, facts.workers);
    if (survey == NULL) {
        return false;
    }
    survey->outstanding = facts.workers;
    alarm_set(order->loop, &survey->deadline, DEADLINE_MS, on_deadline, survey);
    for (uint32_t worker = 0; worker < facts.workers; worker++) {
        if (!ask_worker(survey, worker)) {
            survey->outstanding--;
            survey->silent++;
        }
    }
    end_when_all_are_back(survey);
    return true;
}
