/* SPDX-License-Identifier: BSD-2-Clause */
/* net/loop: descriptors that are ready, posted calls from other threads, alarms, and what happens at the
 * end of each turn. */
#include "net/loop.h"

#include "tests/fakes/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 6
#define EVENTS_A_READING 4

struct seen {
    struct stage *stage;
    struct watch watch;
    struct alarm alarms[3];
    int ends[2];
    short what;
    unsigned calls;
    unsigned turn_ends;
    unsigned posted_calls;
    unsigned order[8];
    pthread_t reader;
    uint64_t times[EVENTS];
    bool on_loops_thread;
};

static int set_up(void **state)
{
    struct seen *seen = calloc(1, sizeof(*seen));

    seen->stage = calloc(1, sizeof(*seen->stage));
    stage_init(seen->stage);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, seen->ends), 0);
    *state = seen;
    return 0;
}

static int tear_down(void **state)
{
    struct seen *seen = *state;

    watch_stop(&seen->watch);
    close(seen->ends[0]);
    close(seen->ends[1]);
    stage_release(seen->stage);
    free(seen->stage);
    free(seen);
    return 0;
}

static void on_ready(int fd, short what, void *owner)
{
    struct seen *seen = owner;
    char in[16];

    assert_int_equal(fd, seen->ends[0]);
    seen->what |= what;
    seen->calls++;
    if ((what & WATCH_READABLE) != 0) {
        seen->posted_calls += read(fd, in, sizeof(in)) > 0;
    }
}

static bool was_called(void *owner)
{
    return ((struct seen *)owner)->calls > 0;
}

static void readable_is_reported_until_it_is_read(void **state)
{
    struct seen *seen = *state;

    assert_true(loop_watch(seen->stage->worker_context.loop, &seen->watch, seen->ends[0],
                           WATCH_READABLE, on_ready, seen));
    assert_true(watch_is_on(&seen->watch));
    stage_settle(seen->stage);
    assert_int_equal(seen->calls, 0);
    /* 40 bytes, of which each call reads 16: level-triggered, so three calls come. */
    assert_int_equal(write(seen->ends[1], "0123456789012345678901234567890123456789", 40), 40);
    stage_settle(seen->stage);
    assert_int_equal(seen->calls, 3);
    assert_int_equal(seen->what, WATCH_READABLE);
}

static void interest_changes_what_is_reported(void **state)
{
    struct seen *seen = *state;

    assert_true(loop_watch(seen->stage->worker_context.loop, &seen->watch, seen->ends[0], 0,
                           on_ready, seen));
    assert_int_equal(write(seen->ends[1], "x", 1), 1);
    stage_settle(seen->stage);
    assert_int_equal(seen->calls, 0);
    watch_change(&seen->watch, WATCH_WRITABLE);
    stage_run_until(seen->stage, was_called, seen);
    assert_int_equal(seen->what, WATCH_WRITABLE);
    watch_change(&seen->watch, WATCH_READABLE | WATCH_WRITABLE);
    stage_settle(seen->stage);
    assert_int_equal(seen->what, WATCH_READABLE | WATCH_WRITABLE);
    watch_change(&seen->watch, 0);
    watch_change(&seen->watch, 0);
    seen->calls = 0;
    assert_int_equal(write(seen->ends[1], "x", 1), 1);
    stage_settle(seen->stage);
    assert_int_equal(seen->calls, 0);
}

static void stopping_twice_is_harmless(void **state)
{
    struct seen *seen = *state;
    struct watch never = {0};

    watch_stop(&never);
    assert_false(watch_is_on(&never));
    assert_true(loop_watch(seen->stage->worker_context.loop, &seen->watch, seen->ends[0],
                           WATCH_READABLE, on_ready, seen));
    watch_stop(&seen->watch);
    watch_stop(&seen->watch);
    assert_false(watch_is_on(&seen->watch));
    assert_int_equal(write(seen->ends[1], "x", 1), 1);
    stage_settle(seen->stage);
    assert_int_equal(seen->calls, 0);
}

static void stop_within(int fd, short what, void *owner)
{
    struct seen *seen = owner;

    (void)fd;
    (void)what;
    seen->calls++;
    watch_stop(&seen->watch);
}

static void a_watch_may_be_stopped_inside_its_callback(void **state)
{
    struct seen *seen = *state;

    assert_true(loop_watch(seen->stage->worker_context.loop, &seen->watch, seen->ends[0],
                           WATCH_READABLE | WATCH_WRITABLE, stop_within, seen));
    assert_int_equal(write(seen->ends[1], "x", 1), 1);
    stage_settle(seen->stage);
    assert_int_equal(seen->calls, 1);
}

static void count_first(void *owner)
{
    struct seen *seen = owner;

    assert_int_equal(seen->turn_ends % 2, 0);
    seen->turn_ends++;
}

static void count_second(void *owner)
{
    struct seen *seen = owner;

    assert_int_equal(seen->turn_ends % 2, 1);
    seen->turn_ends++;
}

static void turns_end_in_order_of_registration(void **state)
{
    struct seen *seen = *state;

    loop_at_turn_end(seen->stage->worker_context.loop, count_first, seen);
    loop_at_turn_end(seen->stage->worker_context.loop, count_second, seen);
    stage_settle(seen->stage);
    assert_true(seen->turn_ends >= 2);
    assert_int_equal(seen->turn_ends % 2, 0);
}

static void on_posted_call(void *owner)
{
    struct seen *seen = owner;

    seen->posted_calls++;
    seen->on_loops_thread = pthread_equal(pthread_self(), seen->reader) != 0;
}

static void *post_many(void *owner)
{
    struct seen *seen = owner;

    for (int i = 0; i < 1000; i++) {
        assert_true(loop_post(seen->stage->worker_context.loop, on_posted_call, seen));
    }
    return NULL;
}

static bool all_posted_calls_came(void *owner)
{
    return ((struct seen *)owner)->posted_calls == 4000;
}

static void posts_from_any_thread_is_read_on_the_loops(void **state)
{
    struct seen *seen = *state;
    pthread_t writers[4];

    seen->reader = pthread_self();
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&writers[i], NULL, post_many, seen), 0);
    }
    stage_run_until(seen->stage, all_posted_calls_came, seen);
    for (int i = 0; i < 4; i++) {
        pthread_join(writers[i], NULL);
    }
    assert_true(seen->on_loops_thread);
    stage_settle(seen->stage);
    assert_int_equal(seen->posted_calls, 4000);
}

static void unread_posts_goes_with_the_loop(void **state)
{
    struct seen *seen = *state;

    assert_true(loop_post(seen->stage->worker_context.loop, on_posted_call, seen));
    assert_true(loop_post(seen->stage->worker_context.loop, on_posted_call, seen));
    /* tear_down frees the loop; a leak would show there */
}

static bool a_posted_call_came(void *owner)
{
    return ((struct seen *)owner)->posted_calls > 0;
}

static void a_mailbox_closes_only_when_it_is_empty(void **state)
{
    struct seen *seen = *state;
    struct loop *loop = seen->stage->worker_context.loop;

    seen->reader = pthread_self();
    assert_true(loop_post(loop, on_posted_call, seen));
    assert_false(loop_close_posts(loop));
    stage_run_until(seen->stage, a_posted_call_came, seen);
    assert_true(loop_close_posts(loop));
    assert_false(loop_post(loop, on_posted_call, seen));
}

static void rings_first(void *owner)
{
    struct seen *seen = owner;

    seen->order[seen->calls++] = 1;
}

static void rings_second(void *owner)
{
    struct seen *seen = owner;

    seen->order[seen->calls++] = 2;
    alarm_set(seen->stage->worker_context.loop, &seen->alarms[0], 50, rings_first, seen);
}

static void alarms_ring_when_due(void **state)
{
    struct seen *seen = *state;
    struct loop *loop = seen->stage->worker_context.loop;

    alarm_set(loop, &seen->alarms[0], 5000, rings_first, seen);
    alarm_set(loop, &seen->alarms[1], 9000, rings_second, seen);
    alarm_set(loop, &seen->alarms[2], 7000, rings_first, seen);
    alarm_clear(loop, &seen->alarms[2]);
    assert_true(alarm_is_set(&seen->alarms[0]));
    assert_false(alarm_is_set(&seen->alarms[2]));
    stage_pass(seen->stage, 4900);
    assert_int_equal(seen->calls, 0);
    stage_pass(seen->stage, 200);
    assert_int_equal(seen->calls, 1);
    assert_int_equal(seen->order[0], 1);
    stage_pass(seen->stage, 4000);
    assert_int_equal(seen->calls, 2);
    assert_int_equal(seen->order[1], 2);
    stage_pass(seen->stage, 100); /* set again from inside a ring */
    assert_int_equal(seen->calls, 3);
    stage_pass(seen->stage, 100000);
    assert_int_equal(seen->calls, 3);
}

/* The loop sleeps until the deadline it knows; an earlier one that is set meanwhile must wake it.
 * Really waits, for 10 ms. */
static void an_alarm_set_while_running_is_heard_in_time(void **state)
{
    struct seen *seen = *state;
    uint64_t before = loop_read_clock(seen->stage->worker_context.loop);

    alarm_set(seen->stage->worker_context.loop, &seen->alarms[1], 3600000, rings_first, seen);
    stage_settle(seen->stage);
    alarm_set(seen->stage->worker_context.loop, &seen->alarms[0], 10, rings_first, seen);
    stage_run_until(seen->stage, was_called, seen);
    assert_true(loop_now(seen->stage->worker_context.loop) - before >= 10000);
    alarm_clear(seen->stage->worker_context.loop, &seen->alarms[1]);
}

static void time_only_moves_forward(void **state)
{
    struct seen *seen = *state;
    uint64_t first = loop_read_clock(seen->stage->worker_context.loop);

    assert_int_equal(loop_now(seen->stage->worker_context.loop), first);
    assert_true(loop_read_clock(seen->stage->worker_context.loop) >= first);
}

static void the_time_of_day_goes_with_it(void **state)
{
    struct seen *seen = *state;
    struct loop *loop = seen->stage->worker_context.loop;
    uint64_t before = (uint64_t)time(NULL);

    loop_read_clock(loop);
    assert_in_range(loop_realtime(loop) / 1000000, before - 1, (uint64_t)time(NULL) + 1);
}

/* Inside one turn, each event at a time of its own. */
static void on_several_events(int fd, short what, void *owner)
{
    struct seen *seen = owner;
    struct loop *loop = seen->stage->worker_context.loop;

    for (int i = 0; i < EVENTS; i++) {
        struct timespec now;

        loop_note_event(loop);
        seen->times[i] = loop_now(loop);
        do {
            clock_gettime(CLOCK_MONOTONIC, &now);
        } while ((uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000 <
                 seen->times[i] + 2);
    }
    on_ready(fd, what, owner);
}

static void one_reading_of_the_clock_serves_four_events_of_a_turn(void **state)
{
    struct seen *seen = *state;
    struct loop *loop = seen->stage->worker_context.loop;
    uint64_t before = loop_read_clock(loop);

    assert_true(
        loop_watch(loop, &seen->watch, seen->ends[0], WATCH_READABLE, on_several_events, seen));
    for (unsigned turn = 1; turn <= 2; turn++) {
        assert_int_equal(write(seen->ends[1], "x", 1), 1);
        seen->calls = 0;
        stage_run_until(seen->stage, was_called, seen);
        assert_true(seen->times[0] > before); /* each turn begins with one */
        for (int i = 1; i < EVENTS_A_READING; i++) {
            assert_int_equal(seen->times[i], seen->times[0]);
        }
        assert_true(seen->times[EVENTS_A_READING] > seen->times[0]);
        before = seen->times[EVENTS - 1];
    }
}

#define PIPES 100 /* more than a turn takes */

struct paused {
    struct watch watches[PIPES];
    int ends[PIPES][2];
    unsigned came;
    unsigned came_before_alarm;
    bool rang;
};

static void on_pipe(int fd, short what, void *owner)
{
    struct paused *paused = owner;
    char byte;

    (void)what;
    paused->came += read(fd, &byte, 1) == 1;
}

static void on_late_alarm(void *owner)
{
    struct paused *paused = owner;

    paused->rang = true;
    paused->came_before_alarm = paused->came;
}

static bool alarm_rang(void *owner)
{
    return ((struct paused *)owner)->rang;
}

/* As a signal would, in the middle of a turn. The kernel tells the tick first: it was due first. */
static void stop_for_a_while(void *owner)
{
    struct paused *paused = owner;

    usleep(50000);
    for (int i = 0; i < PIPES; i++) {
        assert_int_equal(write(paused->ends[i][1], "x", 1), 1);
    }
    usleep(700000);
}

static void after_a_pause_what_came_is_reported_before_alarms_ring(void **state)
{
    struct seen *seen = *state;
    struct paused *paused = calloc(1, sizeof(*paused));
    struct alarm alarm = {0};

    for (int i = 0; i < PIPES; i++) {
        assert_int_equal(pipe(paused->ends[i]), 0);
        assert_true(loop_watch(seen->stage->worker_context.loop, &paused->watches[i],
                               paused->ends[i][0], WATCH_READABLE, on_pipe, paused));
    }
    alarm_set(seen->stage->worker_context.loop, &alarm, 10, on_late_alarm, paused);
    assert_true(loop_post(seen->stage->worker_context.loop, stop_for_a_while, paused));
    stage_run_until(seen->stage, alarm_rang, paused);
    assert_int_equal(paused->came_before_alarm, PIPES);
    for (int i = 0; i < PIPES; i++) {
        watch_stop(&paused->watches[i]);
        close(paused->ends[i][0]);
        close(paused->ends[i][1]);
    }
    free(paused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(readable_is_reported_until_it_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(interest_changes_what_is_reported, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stopping_twice_is_harmless, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_watch_may_be_stopped_inside_its_callback, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(turns_end_in_order_of_registration, set_up, tear_down),
        cmocka_unit_test_setup_teardown(posts_from_any_thread_is_read_on_the_loops, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(unread_posts_goes_with_the_loop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_mailbox_closes_only_when_it_is_empty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(alarms_ring_when_due, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_alarm_set_while_running_is_heard_in_time, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(time_only_moves_forward, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_time_of_day_goes_with_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_reading_of_the_clock_serves_four_events_of_a_turn,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(after_a_pause_what_came_is_reported_before_alarms_ring,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
