/* SPDX-License-Identifier: BSD-2-Clause */
/* origin/pool/adaptive_limit, before a model of an origin: so many slots, a line inside, requests that
 * come up against the limit all the time. An hour of the model takes a second. */
#include "origin/pool/adaptive_limit.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#define INSIDE 4096

enum noise { STEADY, SCATTERED, EXPONENTIAL };

struct model {
    struct adaptive_limit limit;
    unsigned slots;
    double milliseconds;
    enum noise noise;
    uint64_t state; /* of its chance */
    double now;     /* seconds */
    unsigned in_flight;
    unsigned busy;
    double ends[INSIDE];
    double begun[INSIDE];
    double line[INSIDE]; /* when each that waits inside was given */
    unsigned line_first;
    unsigned line_count;
    uint64_t answers;
};

static double chance(struct model *model)
{
    model->state ^= model->state << 13;
    model->state ^= model->state >> 7;
    model->state ^= model->state << 17;
    return (double)(model->state >> 11) / 9007199254740992.0;
}

static double service_seconds(struct model *model)
{
    double mean = model->milliseconds / 1000;

    switch (model->noise) {
    case EXPONENTIAL:
        return -mean * log(1 - chance(model));
    case SCATTERED: /* by a third */
        return mean * (0.67 + 0.66 * chance(model));
    case STEADY:
        break;
    }
    return mean;
}

static void begin_model(struct model *model, unsigned slots, double milliseconds, enum noise noise)
{
    memset(model, 0, sizeof(*model));
    model->slots = slots;
    model->milliseconds = milliseconds;
    model->noise = noise;
    model->state = 88172645463325252;
    adaptive_limit_init(&model->limit, 0);
}

static void fill(struct model *model, unsigned most)
{
    while (model->in_flight < adaptive_limit_now(&model->limit) && model->in_flight < most) {
        model->line[(model->line_first + model->line_count++) % INSIDE] = model->now;
        model->in_flight++;
    }
    while (model->busy < model->slots && model->line_count > 0) {
        model->begun[model->busy] = model->line[model->line_first];
        model->ends[model->busy++] = model->now + service_seconds(model);
        model->line_first = (model->line_first + 1) % INSIDE;
        model->line_count--;
    }
}

static void answer_next(struct model *model)
{
    unsigned next = 0;
    struct adaptive_sample sample;

    for (unsigned i = 1; i < model->busy; i++) {
        next = model->ends[i] < model->ends[next] ? i : next;
    }
    model->now = model->ends[next];
    sample = (struct adaptive_sample){(uint64_t)(model->begun[next] * 1e6),
                                      (uint64_t)(model->now * 1e6), model->in_flight};
    model->busy--;
    model->ends[next] = model->ends[model->busy];
    model->begun[next] = model->begun[model->busy];
    model->in_flight--;
    model->answers++;
    adaptive_limit_note(&model->limit, &sample);
}

/* At most so many under way, whatever the limit says. Returns the answers a second. */
static double run(struct model *model, double seconds, unsigned most)
{
    double from = model->now;
    uint64_t before = model->answers;

    while (model->now < from + seconds) {
        fill(model, most);
        answer_next(model);
        assert_true(adaptive_limit_now(&model->limit) >= 1);
        assert_true(adaptive_limit_now(&model->limit) <= ADAPTIVE_MOST);
    }
    return (double)(model->answers - before) / (model->now - from);
}

static double capacity(const struct model *model)
{
    return model->slots * 1000 / model->milliseconds;
}

#define ALL (INSIDE - 1)

static struct model model;

static void finds_the_slots_and_keeps_them_for_an_hour(void **state)
{
    static const unsigned slots[] = {4, 12, 100, 400};

    (void)state;
    for (unsigned i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
        begin_model(&model, slots[i], 40, STEADY);
        run(&model, 20, ALL);
        assert_true(run(&model, i == 1 ? 3600 : 60, ALL) > 0.97 * capacity(&model));
        assert_true(model.limit.limit >= slots[i]);
        assert_true(model.limit.limit <= slots[i] * 1.25 + 3);
    }
}

static void noise_alone_lowers_nothing(void **state)
{
    (void)state;
    begin_model(&model, 12, 40, SCATTERED);
    run(&model, 20, ALL);
    assert_true(run(&model, 3600, ALL) > 0.98 * capacity(&model));
    begin_model(&model, 100, 5, EXPONENTIAL);
    run(&model, 20, ALL);
    assert_true(run(&model, 60, ALL) > 0.98 * capacity(&model));
}

static void settles_after_a_change(void **state)
{
    static const double changes[] = {1.1, 0.9, 3, 1 / 3.0, 10, 0.1};

    (void)state;
    for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        begin_model(&model, 12, 40, STEADY);
        run(&model, 60, ALL);
        model.milliseconds *= changes[i];
        run(&model, 10, ALL);
        assert_true(run(&model, 10, ALL) > 0.95 * capacity(&model));
        assert_true(model.limit.limit < 12 * 1.15 + 3);
        assert_true(fabs(model.limit.base_us / (model.milliseconds * 1000) - 1) < 0.15);
    }
}

static void follows_slots_that_go_and_come(void **state)
{
    (void)state;
    begin_model(&model, 12, 40, STEADY);
    run(&model, 60, ALL);
    model.slots = 6;
    run(&model, 10, ALL);
    assert_true(model.limit.limit < 6 * 1.25 + 3);
    model.slots = 24;
    run(&model, 10, ALL);
    assert_true(run(&model, 10, ALL) > 0.95 * capacity(&model));
}

/* With room to spare the latency is learnt for nothing, and the limit stays. */
static void learns_from_an_unloaded_origin(void **state)
{
    double before;

    (void)state;
    begin_model(&model, 12, 40, STEADY);
    run(&model, 30, ALL);
    before = model.limit.limit;
    model.milliseconds = 44;
    run(&model, 10, 4);
    assert_true(fabs(model.limit.base_us / 44000 - 1) < 0.02);
    assert_true(fabs(model.limit.limit / before - 1) < 0.15);
}

/* A limit that nothing comes up against does not grow. */
static void does_not_grow_unused(void **state)
{
    (void)state;
    begin_model(&model, 100, 40, STEADY);
    run(&model, 60, 3);
    assert_true(model.limit.limit <= ADAPTIVE_INITIAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_slots_and_keeps_them_for_an_hour),
        cmocka_unit_test(noise_alone_lowers_nothing),
        cmocka_unit_test(settles_after_a_change),
        cmocka_unit_test(follows_slots_that_go_and_come),
        cmocka_unit_test(learns_from_an_unloaded_origin),
        cmocka_unit_test(does_not_grow_unused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
