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
    double takes[INSIDE];
    double line[INSIDE]; /* when each that waits inside was given */
    unsigned line_first;
    unsigned line_count;
    uint64_t answers;
    double work; /* seconds of its slots, of all that ended */
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

static void begin_inside(struct model *model)
{
    while (model->busy < model->slots && model->line_count > 0) {
        model->begun[model->busy] = model->line[model->line_first];
        model->takes[model->busy] = service_seconds(model);
        model->ends[model->busy] = model->now + model->takes[model->busy];
        model->busy++;
        model->line_first = (model->line_first + 1) % INSIDE;
        model->line_count--;
    }
}

static void give(struct model *model)
{
    model->line[(model->line_first + model->line_count++) % INSIDE] = model->now;
    model->in_flight++;
    begin_inside(model);
}

static bool has_room(const struct model *model)
{
    return model->in_flight < adaptive_limit_now(&model->limit);
}

static void fill(struct model *model, unsigned most)
{
    while (has_room(model) && model->in_flight < most) {
        give(model);
    }
    begin_inside(model);
}

static unsigned next_to_end(const struct model *model)
{
    unsigned next = 0;

    for (unsigned i = 1; i < model->busy; i++) {
        next = model->ends[i] < model->ends[next] ? i : next;
    }
    return next;
}

static void answer_next(struct model *model)
{
    unsigned next = next_to_end(model);
    struct adaptive_sample sample;

    model->now = model->ends[next];
    sample = (struct adaptive_sample){(uint64_t)(model->begun[next] * 1e6),
                                      (uint64_t)(model->now * 1e6), model->in_flight};
    model->work += model->takes[next];
    model->busy--;
    model->takes[next] = model->takes[model->busy];
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

/* Of the time of all slots, the part in which they worked: what chance makes of the capacity itself
 * is no loss. */
static double share_of_work(struct model *model, double seconds)
{
    double from = model->now;
    double before = model->work;

    run(model, seconds, ALL);
    return (model->work - before) / (model->now - from) / model->slots;
}

static void noise_alone_lowers_nothing(void **state)
{
    static const struct {
        unsigned slots;
        double milliseconds;
        enum noise noise;
        unsigned seeds;
        double seconds;
    } origins[] = {
        {4, 40, EXPONENTIAL, 30, 150},  {8, 40, EXPONENTIAL, 30, 150},
        {12, 40, EXPONENTIAL, 30, 150}, {4, 40, SCATTERED, 1, 3600},
        {12, 40, SCATTERED, 1, 3600},   {12, 40, EXPONENTIAL, 1, 3600},
        {100, 5, SCATTERED, 1, 60},     {100, 5, EXPONENTIAL, 3, 10},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(origins) / sizeof(origins[0]); i++) {
        for (unsigned seed = 0; seed < origins[i].seeds; seed++) {
            begin_model(&model, origins[i].slots, origins[i].milliseconds, origins[i].noise);
            model.state += seed * UINT64_C(0x9E3779B97F4A7C15);
            run(&model, 20, ALL);
            assert_true(share_of_work(&model, origins[i].seconds) > 0.98);
        }
    }
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

/* What it knows of the slow time is not taken for a queue. */
static void loses_little_while_an_origin_becomes_fast_again(void **state)
{
    (void)state;
    begin_model(&model, 12, 120, STEADY);
    run(&model, 60, ALL);
    model.milliseconds = 40;
    run(&model, 0.12, ALL);
    assert_true(run(&model, 3, ALL) > 0.97 * capacity(&model));
}

/* An origin that starts answers its first requests late. */
static void forgets_slow_first_answers_soon(void **state)
{
    (void)state;
    begin_model(&model, 12, 3000, STEADY);
    run(&model, 0.01, ALL);
    model.milliseconds = 40;
    run(&model, 3.1, ALL); /* those that began before */
    run(&model, 1, ALL);
    assert_true(model.limit.base_us < 2 * 40000);
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

/* With room to spare a change by a tenth is learnt for nothing within 10 s, and the limit stays. */
static void learns_from_an_unloaded_origin(void **state)
{
    static const double changes[] = {1.1, 0.9};
    static const enum noise noises[] = {STEADY, SCATTERED, EXPONENTIAL};

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        double before;

        begin_model(&model, 12, 40, noises[i / 2]);
        run(&model, 30, ALL);
        before = model.limit.limit;
        model.milliseconds = 40 * changes[i % 2];
        for (unsigned second = 0; second < 60; second++) {
            run(&model, second == 0 ? 10 : 1, 4);
            assert_true(fabs(model.limit.base_us / model.milliseconds / 1000 - 1) < 0.15);
            assert_true(fabs(model.limit.limit / before - 1) < 0.15);
        }
        run(&model, 1, ALL);
        assert_true(run(&model, 20, ALL) > 0.95 * capacity(&model));
    }
}

static void advance(struct model *model, double until)
{
    while (model->busy > 0 && model->ends[next_to_end(model)] <= until) {
        answer_next(model);
        begin_inside(model);
    }
    model->now = until;
}

/* One of the two in turn, else the other; else refused. */
static void offer(struct model *models, unsigned turn)
{
    for (unsigned i = 0; i < 2; i++) {
        struct model *each = &models[(turn + i) % 2];

        if (has_room(each)) {
            give(each);
            return;
        }
    }
}

static void assert_found(const struct model *model, uint64_t before, double seconds)
{
    assert_true((double)(model->answers - before) > 0.95 * capacity(model) * seconds);
    assert_true(model->limit.limit >= model->slots);
    assert_true(model->limit.limit <= model->slots * 1.25 + 3);
    assert_true(fabs(model->limit.base_us / model->milliseconds / 1000 - 1) < 0.15);
}

/* Twice what both can serve together, dealt out in turn. */
static void two_origins_of_unequal_speed_each_find_their_own(void **state)
{
    static const double others[][2] = {{12, 120}, {4, 10}, {48, 400}};
    static struct model models[2];
    uint64_t before[2];
    double now = 0;

    (void)state;
    for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        double rate;

        now = 0;
        begin_model(&models[0], 12, 40, SCATTERED);
        begin_model(&models[1], (unsigned)others[i][0], others[i][1], SCATTERED);
        rate = 2 * (capacity(&models[0]) + capacity(&models[1]));
        for (unsigned turn = 0; now < 60; turn++, now += 1 / rate) {
            if (now < 20) {
                before[0] = models[0].answers;
                before[1] = models[1].answers;
            }
            advance(&models[0], now);
            advance(&models[1], now);
            offer(models, turn);
        }
        assert_found(&models[0], before[0], 40);
        assert_found(&models[1], before[1], 40);
    }
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
        cmocka_unit_test(loses_little_while_an_origin_becomes_fast_again),
        cmocka_unit_test(forgets_slow_first_answers_soon),
        cmocka_unit_test(follows_slots_that_go_and_come),
        cmocka_unit_test(learns_from_an_unloaded_origin),
        cmocka_unit_test(two_origins_of_unequal_speed_each_find_their_own),
        cmocka_unit_test(does_not_grow_unused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
