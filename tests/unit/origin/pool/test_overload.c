/* SPDX-License-Identifier: BSD-2-Clause */
/* origin/pool/adaptive, lines and recovery together, before a model of an origin: 12 slots of 40 ms,
 * and a line inside that makes it slower by a hundredth for each that waits there. Three classes come
 * in an open loop; what is refused may be sent again, after 25 to 250 ms. */
#include "origin/pool/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define SLOTS 12
#define ANSWER_US 40000
#define CAPACITY (SLOTS * 1e6 / ANSWER_US)
#define MANY 65536
#define SPAN_US 50000
#define SPANS 1000

static const double shares[PRIORITY_COUNT] = {0.1, 0.6, 0.3};

struct asked {
    struct origin_request request;
    uint64_t due_us;  /* what happens to it next; UINT64_MAX: nothing */
    uint64_t came_us; /* to the line */
    unsigned tries;
    bool again;  /* due_us is when it is sent again; else when its patience or its answer ends */
    unsigned at; /* in the heap */
};

struct model {
    struct origin_entry entry;
    struct origin origin;
    uint64_t state; /* of its chance */
    uint64_t now_us;
    double rates[PRIORITY_COUNT];
    double next_us[PRIORITY_COUNT];
    unsigned most_tries;
    uint64_t down_us[2];
    uint32_t used;
    unsigned busy;
    struct asked *inside[MANY]; /* that wait for a slot of the origin */
    unsigned inside_first;
    unsigned inside_count;
    struct asked *heap[MANY];
    unsigned count;
    uint32_t sent[PRIORITY_COUNT];
    uint32_t good[PRIORITY_COUNT];
    uint32_t good_at[SPANS][PRIORITY_COUNT];
};

static double chance(struct model *model)
{
    model->state ^= model->state << 13;
    model->state ^= model->state >> 7;
    model->state ^= model->state << 17;
    return (double)(model->state >> 11) / 9007199254740992.0;
}

/* --- what happens next ---------------------------------------------------------------------- */

static void put(struct model *model, unsigned at, struct asked *asked)
{
    model->heap[at] = asked;
    asked->at = at;
}

static void sift(struct model *model, unsigned at)
{
    struct asked *asked = model->heap[at];

    while (at > 0 && asked->due_us < model->heap[(at - 1) / 2]->due_us) {
        put(model, at, model->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (unsigned next = 2 * at + 1; next < model->count; next = 2 * at + 1) {
        next +=
            next + 1 < model->count && model->heap[next + 1]->due_us < model->heap[next]->due_us;
        if (asked->due_us <= model->heap[next]->due_us) {
            break;
        }
        put(model, at, model->heap[next]);
        at = next;
    }
    put(model, at, asked);
}

static void set_due(struct model *model, struct asked *asked, uint64_t due_us)
{
    asked->due_us = due_us;
    sift(model, asked->at);
}

static void forget(struct model *model, struct asked *asked)
{
    struct asked *last = model->heap[--model->count];

    if (last != asked) {
        put(model, asked->at, last);
        sift(model, last->at);
    }
    free(asked);
}

/* --- the client ------------------------------------------------------------------------------ */

static void refuse(struct model *model, struct asked *asked)
{
    if (asked->tries >= model->most_tries) {
        forget(model, asked);
        return;
    }
    asked->again = true;
    set_due(model, asked, model->now_us + 25000 + (uint64_t)(chance(model) * 225000));
}

/* --- the origin ------------------------------------------------------------------------------ */

static bool is_down(const struct model *model)
{
    return model->now_us >= model->down_us[0] && model->now_us < model->down_us[1];
}

static void begin_inside(struct model *model)
{
    while (model->busy < SLOTS && model->inside_count > 0) {
        struct asked *asked = model->inside[model->inside_first++ % MANY];
        double slower = 1 + 0.01 * --model->inside_count;

        model->busy++;
        set_due(model, asked,
                model->now_us + (uint64_t)(ANSWER_US * slower + 2000 * chance(model)));
    }
}

/* --- the gateway, as pool.c and limits.c do it ------------------------------------------------ */

static uint32_t limit_of(const struct model *model)
{
    return recovery_slots(&model->entry.recovery, adaptive_now(&model->entry.adaptive),
                          model->now_us);
}

static void give(struct model *model, struct asked *asked)
{
    struct adaptive *adaptive = &model->entry.adaptive;

    model->used++;
    asked->request.bound_us = model->now_us;
    asked->request.in_flight = model->used;
    adaptive_note_given(adaptive, asked->request.priority, model->now_us - asked->came_us);
    if (is_down(model)) {
        model->used--;
        recovery_note_failure(&model->entry.recovery, model->now_us);
        refuse(model, asked);
        return;
    }
    set_due(model, asked, UINT64_MAX);
    model->inside[(model->inside_first + model->inside_count++) % MANY] = asked;
    begin_inside(model);
}

static void leave(struct model *model, struct asked *asked)
{
    lines_leave(&asked->request);
    asked->request.waits = false;
    atomic_fetch_sub(&model->entry.adaptive.waiting[asked->request.priority], 1);
}

static void serve(struct model *model)
{
    struct origin_request *request;

    while (model->used < limit_of(model) &&
           (request = lines_first(&model->origin, false)) != NULL) {
        struct asked *asked = CONTAINER_OF(request, struct asked, request);
        uint32_t patience_ms = adaptive_patience_ms(&model->entry.adaptive, request->priority);
        bool late = model->now_us - asked->came_us > patience_ms * 1000;

        if (!late) {
            lines_note_served(request);
        }
        leave(model, asked);
        if (late) {
            refuse(model, asked);
        } else {
            give(model, asked);
        }
    }
}

static void come(struct model *model, struct asked *asked)
{
    struct adaptive *adaptive = &model->entry.adaptive;
    enum priority class = asked->request.priority;

    asked->tries++;
    asked->again = false;
    asked->came_us = model->now_us;
    if (!lines_has_before(&model->origin, &asked->request, LINE_WHOLE) &&
        model->used < limit_of(model)) {
        give(model, asked);
        return;
    }
    if (model->used >= limit_of(model) &&
        adaptive_refuses(adaptive, class, adaptive_now(adaptive), UINT64_MAX)) {
        refuse(model, asked);
        return;
    }
    asked->request.waits = true;
    atomic_fetch_add(&adaptive->waiting[class], 1);
    assert_true(lines_enter(&model->origin, &asked->request, LINE_WHOLE));
    set_due(model, asked, model->now_us + adaptive_patience_ms(adaptive, class) * 1000);
    serve(model);
}

static void answer(struct model *model, struct asked *asked)
{
    struct adaptive *adaptive = &model->entry.adaptive;
    enum priority class = asked->request.priority;
    uint32_t in_flight = asked->request.in_flight;

    uint64_t outage_us;

    adaptive_note_answer(
        adaptive, class,
        &(struct adaptive_sample){asked->request.bound_us, model->now_us,
                                  in_flight > model->used ? in_flight : model->used});
    outage_us = recovery_note_success(&model->entry.recovery, adaptive_now(adaptive), model->used,
                                      asked->request.bound_us, model->now_us);
    if (outage_us != 0) {
        adaptive_note_outage(adaptive, outage_us, model->now_us);
    }
    model->used--;
    model->busy--;
    model->good[class]++;
    model->good_at[model->now_us / SPAN_US % SPANS][class]++;
    forget(model, asked);
    begin_inside(model);
    serve(model);
}

/* --- time ------------------------------------------------------------------------------------- */

static enum priority next_class(const struct model *model)
{
    unsigned next = 0;

    for (unsigned class = 1; class < PRIORITY_COUNT; class ++) {
        next = model->next_us[class] < model->next_us[next] ? class : next;
    }
    return (enum priority)next;
}

static void begin_new(struct model *model, enum priority class)
{
    struct asked *asked = calloc(1, sizeof(*asked));

    model->now_us = (uint64_t)model->next_us[class];
    model->next_us[class] += 1e6 / model->rates[class];
    model->sent[class]++;
    asked->due_us = UINT64_MAX;
    asked->request.priority = class;
    asked->request.origin = &model->origin;
    list_init(&asked->request.in_line);
    put(model, model->count++, asked);
    come(model, asked);
}

static void happen(struct model *model, struct asked *asked)
{
    model->now_us = asked->due_us;
    if (asked->again) {
        come(model, asked);
    } else if (asked->request.waits) {
        leave(model, asked);
        refuse(model, asked);
    } else {
        answer(model, asked);
    }
}

static void run(struct model *model, double until_s)
{
    for (;;) {
        enum priority class = next_class(model);
        uint64_t due_us = model->count > 0 ? model->heap[0]->due_us : UINT64_MAX;
        bool is_new = model->next_us[class] <= (double)due_us;

        if ((is_new ? model->next_us[class] : (double)due_us) > until_s * 1e6) {
            return;
        }
        if (is_new) {
            begin_new(model, class);
        } else {
            happen(model, model->heap[0]);
        }
    }
}

static struct model *begin_model(double times, unsigned most_tries, uint64_t seed)
{
    struct model *model = calloc(1, sizeof(*model));

    model->state = 88172645463325252 + seed * UINT64_C(0x9E3779B97F4A7C15);
    model->origin.entry = &model->entry;
    model->most_tries = most_tries;
    model->now_us = 1000000;
    list_init(&model->origin.lines);
    for (unsigned class = 0; class < PRIORITY_COUNT; class ++) {
        model->rates[class] = CAPACITY * times * shares[class];
        model->next_us[class] = 1e6 + chance(model) * 1e6 / model->rates[class];
    }
    return model;
}

static void end_model(struct model *model)
{
    while (model->count > 0) {
        struct asked *asked = model->heap[0];

        if (asked->request.waits) {
            leave(model, asked);
        }
        forget(model, asked);
    }
    lines_release(&model->origin);
    free(model);
}

/* --- storms ----------------------------------------------------------------------------------- */

static double rate_at(const struct model *model, unsigned span, unsigned spans, unsigned class)
{
    double good = 0;

    for (unsigned i = 0; i < spans; i++) {
        good += model->good_at[(span + i) % SPANS][class];
    }
    return good / spans * 1e6 / SPAN_US;
}

/* Seconds from the outage's end until a half second begins in which it is served what it asks for. */
static double back_after(const struct model *model, unsigned class)
{
    unsigned span = (unsigned)(model->down_us[1] / SPAN_US);
    unsigned from = span;

    while (span < from + 160 && rate_at(model, span, 10, class) < 0.95 * model->rates[class]) {
        span++;
    }
    return (span - from) * SPAN_US / 1e6;
}

static struct model *play_outage(double times, uint64_t seed)
{
    struct model *model = begin_model(times, 12, seed);

    model->down_us[0] = 6000000;
    model->down_us[1] = 11000000;
    run(model, 24);
    return model;
}

/* For a second and more after it all that asked in vain is sent again: more than there is room for. */
static void all_classes_are_back_soon_after_an_outage(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct model *model = play_outage(0.9, seed);

        assert_true(back_after(model, PRIORITY_CRITICAL) <= 0.2);
        assert_true(back_after(model, PRIORITY_NORMAL) <= 1);
        assert_true(back_after(model, PRIORITY_BULK) <= 1);
        for (unsigned second = 1; second < 12; second++) {
            unsigned span = (unsigned)((model->down_us[1] + second * 1000000) / SPAN_US);

            assert_true(rate_at(model, span, 20, PRIORITY_BULK) > 0.85 * 0.27 * CAPACITY);
        }
        end_model(model);
    }
}

/* Where a class had next to nothing before it has no more after. */
static void an_outage_gives_no_class_more_than_it_had(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct model *model = play_outage(3, seed);

        assert_true(back_after(model, PRIORITY_CRITICAL) <= 0.3);
        assert_true(rate_at(model, 220, 80, PRIORITY_BULK) < 0.03 * CAPACITY);
        end_model(model);
    }
}

/* --- more than there is room for --------------------------------------------------------------- */

static double good_share(const struct model *model, unsigned class)
{
    return (double)model->good[class] / model->sent[class];
}

static struct model *play_load(double times, uint64_t seed)
{
    struct model *model = begin_model(times, 1, seed);

    run(model, 21);
    return model;
}

static void critical_requests_first_then_normal_ones(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct model *model = play_load(2, seed);

        assert_true(good_share(model, PRIORITY_CRITICAL) > 0.99);
        assert_true(good_share(model, PRIORITY_NORMAL) > 0.60);
        assert_true(good_share(model, PRIORITY_BULK) > 0);
        end_model(model);
        model = play_load(5, seed);
        assert_true(good_share(model, PRIORITY_CRITICAL) > 0.99);
        end_model(model);
    }
}

/* Of critical requests alone there are as many as it can serve. */
static void lower_classes_take_little_from_critical_requests(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct model *model = play_load(10, seed);
        double all = 0;

        for (unsigned class = 0; class < PRIORITY_COUNT; class ++) {
            all += model->good[class];
        }
        assert_true(all > 0.945 * 20 * CAPACITY);
        assert_true(model->good[PRIORITY_CRITICAL] > 0.99 * all);
        assert_true(good_share(model, PRIORITY_NORMAL) > 0);
        assert_true(good_share(model, PRIORITY_BULK) > 0);
        end_model(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_classes_are_back_soon_after_an_outage),
        cmocka_unit_test(an_outage_gives_no_class_more_than_it_had),
        cmocka_unit_test(critical_requests_first_then_normal_ones),
        cmocka_unit_test(lower_classes_take_little_from_critical_requests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
