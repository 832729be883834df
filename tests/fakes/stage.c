/* SPDX-License-Identifier: BSD-2-Clause */
/* A loop that stops at the end of the turn in which the test has what it waits for. */
#include "stage.h"

#include "base/check.h"
#include "clock.h"

#include <unistd.h>

#define GIVE_UP_SECONDS 30
#define QUIET_ROUNDS 9

static void at_turn_end(void *owner)
{
    struct stage *stage = owner;

    if (stage->done != NULL && stage->done(stage->owner)) {
        loop_stop(stage->worker_context.loop);
    }
}

void stage_init(struct stage *stage)
{
    memset(stage, 0, sizeof(*stage));
    stage->worker_context.loop = loop_new();
    stage->worker_context.buffers = buffer_pool_new();
    CHECK(stage->worker_context.loop != NULL && stage->worker_context.buffers != NULL);
    random_init(&stage->worker_context.random);
    loop_at_turn_end(stage->worker_context.loop, at_turn_end, stage);
    alarm(GIVE_UP_SECONDS);
}

void stage_release(struct stage *stage)
{
    CHECK(buffer_pool_lent(stage->worker_context.buffers) == 0);
    loop_free(&stage->worker_context.loop);
    buffer_pool_free(&stage->worker_context.buffers);
}

static void on_call(void *owner)
{
    (void)owner;
}

void stage_run_until(struct stage *stage, bool (*done)(void *owner), void *owner)
{
    if (done(owner)) {
        return;
    }
    stage->done = done;
    stage->owner = owner;
    /* What the test did counts as done in a turn, and what was put off to its end comes now. */
    CHECK(loop_post(stage->worker_context.loop, on_call, NULL));
    loop_run(stage->worker_context.loop);
    stage->done = NULL;
}

/* The loop's own mail takes part in a turn with every descriptor that is ready, so some rounds of
 * mail are some turns in which each of them was heard. */
struct quiet {
    struct stage *stage;
    int rounds;
    uint32_t pass_ms;
};

/* The clock moves while the loop runs: it plans its sleep anew whenever it starts to. Once more
 * for what was set meanwhile, since two ticks may go by before a timer rings. */
static void move_clock(struct quiet *quiet)
{
    if (quiet->pass_ms != 0 && quiet->rounds % 3 == 0) {
        fake_clock_advance(quiet->rounds == 0 ? quiet->pass_ms : 20);
        loop_read_clock(quiet->stage->worker_context.loop);
    }
}

static void on_round(void *owner)
{
    struct quiet *quiet = owner;

    move_clock(quiet);
    if (++quiet->rounds < QUIET_ROUNDS) {
        CHECK(loop_post(quiet->stage->worker_context.loop, on_round, quiet));
    }
}

static bool is_quiet(void *owner)
{
    return ((struct quiet *)owner)->rounds == QUIET_ROUNDS;
}

static void run_rounds(struct stage *stage, uint32_t pass_ms)
{
    struct quiet quiet = {stage, 0, pass_ms};

    CHECK(loop_post(stage->worker_context.loop, on_round, &quiet));
    stage_run_until(stage, is_quiet, &quiet);
}

void stage_settle(struct stage *stage)
{
    run_rounds(stage, 0);
}

void stage_pass(struct stage *stage, uint32_t milliseconds)
{
    run_rounds(stage, milliseconds);
}
