/* SPDX-License-Identifier: BSD-2-Clause */
/* Two rounds of messages: "build it", then "swap" or "drop it". Each worker answers each. The messages
 * are part of the round, so that none is lost for want of memory: workers with different
 * configurations, or a reload that never ends, would come of that. */
#include "process/reload/take_up.h"

#include "base/log/log.h"

#include <stdlib.h>

struct part {
    struct take_up *take_up;
    struct worker_order order;
    struct loop_message answer;
    bool ready;
};

struct take_up {
    struct take_up_plan plan;
    take_up_done *done;
    void *owner;
    uint32_t answers_due;
    bool good;
    bool second_round;
    struct part parts[];
};

static void on_answer(void *owner);

/* On the worker's thread. */
static void on_worker_answer(void *owner, bool ready)
{
    struct part *part = owner;

    part->ready = ready;
    loop_send(part->take_up->plan.loop, &part->answer, on_answer, part);
}

static void end(struct take_up *take_up)
{
    take_up_done *done = take_up->done;
    void *owner = take_up->owner;
    bool good = take_up->good;
    uint32_t longest_us = 0;

    for (uint32_t i = 0; i < take_up->plan.worker_count; i++) {
        uint32_t own_us = take_up->parts[i].order.longest_us;

        longest_us = own_us > longest_us ? own_us : longest_us;
    }
    free(take_up);
    done(owner, good, longest_us);
}

static void begin_second_round(struct take_up *take_up)
{
    take_up->second_round = true;
    take_up->answers_due = take_up->plan.worker_count;
    for (uint32_t i = 0; i < take_up->plan.worker_count; i++) {
        struct worker_order *order = &take_up->parts[i].order;

        /* Not sent to a worker that has ended. */
        take_up->answers_due -= !(take_up->good ? worker_commit(order) : worker_abandon(order));
    }
    if (take_up->answers_due == 0) {
        end(take_up);
    }
}

static void on_answer(void *owner)
{
    struct part *part = owner;
    struct take_up *take_up = part->take_up;

    if (!take_up->second_round && !part->ready) {
        take_up->good = false;
    }
    if (--take_up->answers_due > 0) {
        return;
    }
    if (take_up->second_round) {
        end(take_up);
    } else {
        /* Before any worker has them: a ramp that went back must not show the file's weights. */
        take_up->good = take_up->good && plan_adopt_splits(take_up->plan.plan);
        begin_second_round(take_up);
    }
}

struct take_up *take_up_begin(const struct take_up_plan *plan, take_up_done *done, void *owner)
{
    struct take_up *take_up =
        calloc(1, sizeof(*take_up) + plan->worker_count * sizeof(take_up->parts[0]));

    if (take_up == NULL) {
        return NULL;
    }
    take_up->plan = *plan;
    take_up->done = done;
    take_up->owner = owner;
    take_up->good = true;
    take_up->answers_due = plan->worker_count;
    for (uint32_t i = 0; i < plan->worker_count; i++) {
        struct part *part = &take_up->parts[i];

        part->take_up = take_up;
        part->order = (struct worker_order){
            .worker = plan->workers[i],
            .plan = plan->plan,
            .changes = plan->changes,
            .sockets = sockets_of_worker(plan->sockets, i),
            .generation = plan->generation,
            .answer = on_worker_answer,
            .owner = part,
        };
    }
    for (uint32_t i = 0; i < plan->worker_count; i++) {
        if (!worker_prepare(&take_up->parts[i].order)) {
            on_worker_answer(&take_up->parts[i], false);
        }
    }
    return take_up;
}

void take_up_forget(struct take_up **take_up)
{
    free(*take_up);
    *take_up = NULL;
}
