/* SPDX-License-Identifier: BSD-2-Clause */
/* Two rounds of messages: "build it", then "swap" or "drop it". Each worker answers each. The messages
 * are part of the round, so that none is lost for want of memory: workers with different
 * configurations, or a reload that never ends, would come of that. */
#include "process/reload/two_phase.h"

#include "base/log/log.h"

#include <stdlib.h>

struct part {
    struct two_phase *two_phase;
    struct worker_order order;
    struct loop_message answer;
    bool ready;
};

struct two_phase {
    struct two_phase_plan plan;
    two_phase_done *done;
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
    loop_send(part->two_phase->plan.loop, &part->answer, on_answer, part);
}

static void end(struct two_phase *two_phase)
{
    two_phase_done *done = two_phase->done;
    void *owner = two_phase->owner;
    bool good = two_phase->good;
    uint32_t longest_us = 0;

    for (uint32_t i = 0; i < two_phase->plan.worker_count; i++) {
        uint32_t own_us = two_phase->parts[i].order.longest_us;

        longest_us = own_us > longest_us ? own_us : longest_us;
    }
    free(two_phase);
    done(owner, good, longest_us);
}

static void begin_second_round(struct two_phase *two_phase)
{
    enum worker_step step = two_phase->good ? WORKER_COMMIT : WORKER_ABANDON;

    two_phase->second_round = true;
    two_phase->answers_due = two_phase->plan.worker_count;
    for (uint32_t i = 0; i < two_phase->plan.worker_count; i++) {
        struct worker_order *order = &two_phase->parts[i].order;

        /* Not sent to a worker that has ended. */
        two_phase->answers_due -= !worker_carry_out(order, step);
    }
    if (two_phase->answers_due == 0) {
        end(two_phase);
    }
}

static void on_answer(void *owner)
{
    struct part *part = owner;
    struct two_phase *two_phase = part->two_phase;

    if (!two_phase->second_round && !part->ready) {
        two_phase->good = false;
    }
    if (--two_phase->answers_due > 0) {
        return;
    }
    if (two_phase->second_round) {
        end(two_phase);
    } else {
        /* Before any worker has them: a ramp that went back must not show the file's weights. */
        two_phase->good = two_phase->good && plan_take_effect(two_phase->plan.order.plan);
        begin_second_round(two_phase);
    }
}

struct two_phase *two_phase_begin(const struct two_phase_plan *plan, two_phase_done *done,
                                  void *owner)
{
    struct two_phase *two_phase =
        calloc(1, sizeof(*two_phase) + plan->worker_count * sizeof(two_phase->parts[0]));

    if (two_phase == NULL) {
        return NULL;
    }
    two_phase->plan = *plan;
    two_phase->done = done;
    two_phase->owner = owner;
    two_phase->good = true;
    two_phase->answers_due = plan->worker_count;
    for (uint32_t i = 0; i < plan->worker_count; i++) {
        struct part *part = &two_phase->parts[i];

        part->two_phase = two_phase;
        part->order = plan->order;
        part->order.worker = plan->workers[i];
        part->order.sockets = sockets_of_worker(plan->sockets, i);
        part->order.answer = on_worker_answer;
        part->order.owner = part;
    }
    for (uint32_t i = 0; i < plan->worker_count; i++) {
        if (!worker_carry_out(&two_phase->parts[i].order, WORKER_PREPARE)) {
            on_worker_answer(&two_phase->parts[i], false);
        }
    }
    return two_phase;
}

void two_phase_forget(struct two_phase **two_phase)
{
    free(*two_phase);
    *two_phase = NULL;
}
