/* SPDX-License-Identifier: BSD-2-Clause */
/* net/watch: what one turn tells when its callbacks stop, change and call each other's watches. */
#include "net/watch.h"

#include "tests/fakes/full_epoll.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define MANY 100 /* more than one turn deals with */

struct party {
    struct watch watch;
    int ends[2];
    short what; /* as told last */
    unsigned calls;
    struct party *other;
    struct watches *watches;
    void (*act)(struct party *party); /* when it is told */
};

struct fixture {
    struct watches *watches;
    struct party parties[MANY];
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->watches = watches_new();
    for (int i = 0; i < MANY; i++) {
        fixture->parties[i].watches = fixture->watches;
        assert_int_equal(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fixture->parties[i].ends), 0);
    }
    fixture->parties[0].other = &fixture->parties[1];
    fixture->parties[1].other = &fixture->parties[0];
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    full_epoll = false;
    for (int i = 0; i < MANY; i++) {
        watch_stop(&fixture->parties[i].watch);
        close(fixture->parties[i].ends[0]);
        close(fixture->parties[i].ends[1]);
    }
    watches_free(&fixture->watches);
    free(fixture);
    return 0;
}

static void on_ready(int fd, short what, void *owner)
{
    struct party *party = owner;

    assert_int_equal(fd, party->ends[0]);
    party->what = what;
    party->calls++;
    if (party->act != NULL) {
        party->act(party);
    }
}

static void start(struct fixture *fixture, int which, short wanted)
{
    struct party *party = &fixture->parties[which];

    assert_true(
        watch_start(&party->watch, fixture->watches, party->ends[0], wanted, on_ready, party));
}

static void make_readable(struct fixture *fixture, int which)
{
    assert_int_equal(write(fixture->parties[which].ends[1], "x", 1), 1);
}

static bool after_one_turn(void *owner)
{
    ++*(unsigned *)owner;
    return false;
}

static void take_turn(struct fixture *fixture)
{
    unsigned turns = 0;

    assert_true(watches_run(fixture->watches, after_one_turn, &turns));
    assert_int_equal(turns, 1);
}

static unsigned calls_of_both(const struct fixture *fixture)
{
    return fixture->parties[0].calls + fixture->parties[1].calls;
}

static void stop_other(struct party *party)
{
    watch_stop(&party->other->watch);
}

static void who_is_stopped_by_another_is_not_reported(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < 2; i++) {
        fixture->parties[i].act = stop_other;
        start(fixture, i, WATCH_READABLE);
        make_readable(fixture, i);
    }
    take_turn(fixture);
    assert_int_equal(calls_of_both(fixture), 1);
}

/* As memory and a descriptor that are used anew at once would be. */
static void restart_other(struct party *party)
{
    watch_stop(&party->other->watch);
    assert_true(watch_start(&party->other->watch, party->watches, party->other->ends[0],
                            WATCH_WRITABLE, on_ready, party->other));
    party->act = NULL;
    party->other->act = NULL;
}

static void what_was_found_for_its_predecessor_is_not_reported(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < 2; i++) {
        fixture->parties[i].act = restart_other;
        start(fixture, i, WATCH_READABLE | WATCH_WRITABLE);
        make_readable(fixture, i);
    }
    take_turn(fixture);
    assert_int_equal(calls_of_both(fixture), 1);
    take_turn(fixture);
    assert_int_equal(calls_of_both(fixture), 3);
    assert_int_equal(fixture->parties[0].what | fixture->parties[1].what,
                     WATCH_READABLE | WATCH_WRITABLE);
    assert_int_not_equal(fixture->parties[0].what, fixture->parties[1].what);
}

static void want_less_of_other(struct party *party)
{
    assert_true(watch_change(&party->other->watch, 0));
}

static void who_wants_it_no_more_is_not_reported(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < 2; i++) {
        fixture->parties[i].act = want_less_of_other;
        start(fixture, i, WATCH_READABLE);
        make_readable(fixture, i);
    }
    take_turn(fixture);
    assert_int_equal(calls_of_both(fixture), 1);
}

static void call_again(struct party *party)
{
    watch_call(&party->watch);
}

/* Else it could keep the loop for itself. */
static void who_calls_itself_has_its_turn_in_the_next_round(void **state)
{
    struct fixture *fixture = *state;
    struct party *party = &fixture->parties[0];

    party->act = call_again;
    start(fixture, 0, 0);
    watch_call(&party->watch);
    for (unsigned turn = 1; turn <= 3; turn++) {
        take_turn(fixture); /* and does not wait */
        assert_int_equal(party->calls, turn);
        assert_int_equal(party->what, WATCH_READABLE | WATCH_WRITABLE);
    }
}

static void a_call_and_an_event_are_reported_together(void **state)
{
    struct fixture *fixture = *state;
    struct party *party = &fixture->parties[0];

    start(fixture, 0, WATCH_READABLE);
    make_readable(fixture, 0);
    watch_call(&party->watch);
    watch_call(&party->watch);
    take_turn(fixture);
    assert_int_equal(party->calls, 1);
    assert_int_equal(party->what, WATCH_READABLE | WATCH_WRITABLE);
}

static void a_call_is_forgotten_with_its_watch(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < 2; i++) {
        fixture->parties[i].act = stop_other;
        start(fixture, i, 0);
        watch_call(&fixture->parties[i].watch);
    }
    take_turn(fixture);
    assert_int_equal(fixture->parties[0].calls, 1);
    assert_int_equal(fixture->parties[1].calls, 0);
}

static void a_call_is_forgotten_when_something_else_is_wanted(void **state)
{
    struct fixture *fixture = *state;

    start(fixture, 0, WATCH_READABLE);
    watch_call(&fixture->parties[0].watch);
    assert_true(watch_change(&fixture->parties[0].watch, WATCH_WRITABLE));
    take_turn(fixture);
    assert_int_equal(fixture->parties[0].what, WATCH_WRITABLE);
}

static void a_hang_up_shows_to_whoever_reads_or_writes(void **state)
{
    struct fixture *fixture = *state;
    struct party *party = &fixture->parties[0];

    start(fixture, 0, WATCH_READABLE);
    start(fixture, 1, 0);
    shutdown(party->ends[1], SHUT_RDWR);
    shutdown(fixture->parties[1].ends[1], SHUT_RDWR);
    take_turn(fixture);
    assert_int_equal(party->what, WATCH_READABLE);
    assert_int_equal(fixture->parties[1].calls, 0);
}

static unsigned reported_of_all(const struct fixture *fixture, unsigned *fewest, unsigned *most)
{
    unsigned reported = 0;

    *fewest = *most = fixture->parties[0].calls;
    for (int i = 0; i < MANY; i++) {
        unsigned calls = fixture->parties[i].calls;

        reported += calls;
        *fewest = calls < *fewest ? calls : *fewest;
        *most = calls > *most ? calls : *most;
    }
    return reported;
}

/* An engine may ask the kernel for few at first, and for more once it has seen that they are many. */
static void a_crowd_is_reported_in_slices_and_none_twice(void **state)
{
    struct fixture *fixture = *state;
    unsigned before = 0;
    unsigned fewest = 0;
    unsigned most;

    for (int i = 0; i < MANY; i++) {
        start(fixture, i, WATCH_WRITABLE);
    }
    for (int turn = 0; turn < 5 && fewest == 0; turn++) {
        unsigned reported;

        take_turn(fixture);
        reported = reported_of_all(fixture, &fewest, &most);
        assert_in_range(reported - before, 1, WATCHES_A_TURN);
        assert_true(fewest > 0 || most == 1);
        before = reported;
    }
    assert_int_equal(fewest, 1);
    assert_in_range(most, 1, 2);
}

/* With those that libevent finds at once: the turns of one run are as short. */
struct slices {
    struct fixture *fixture;
    unsigned turns;
    unsigned before;
};

static bool after_some_turns(void *owner)
{
    struct slices *slices = owner;
    unsigned fewest;
    unsigned most;
    unsigned reported = reported_of_all(slices->fixture, &fewest, &most);

    assert_in_range(reported - slices->before, 1, WATCHES_A_TURN);
    slices->before = reported;
    return ++slices->turns < 20;
}

static void turns_of_a_run_are_short(void **state)
{
    struct slices slices = {.fixture = *state};
    unsigned fewest;
    unsigned most;

    for (int i = 0; i < MANY; i++) {
        start(slices.fixture, i, WATCH_WRITABLE);
    }
    assert_true(watches_run(slices.fixture->watches, after_some_turns, &slices));
    assert_int_equal(slices.turns, 20);
    reported_of_all(slices.fixture, &fewest, &most);
    assert_in_range(most - fewest, 0, 4);
}

/* What is put off is done at the end of a turn, and may stop all that is left of a round. */
struct stopping {
    struct fixture *fixture;
    bool stopped;
};

static bool stop_the_rest(void *owner)
{
    struct stopping *stopping = owner;

    if (stopping->stopped) {
        return false;
    }
    for (int i = 1; i < MANY; i++) {
        watch_stop(&stopping->fixture->parties[i].watch);
    }
    stopping->stopped = true;
    return true;
}

static void a_round_that_is_stopped_at_a_turns_end_is_over(void **state)
{
    struct stopping stopping = {.fixture = *state};

    for (int turn = 0; turn < 6; turn++) { /* until a look at the kernel finds all of them */
        for (int i = 0; i < MANY; i++) {
            if (!watch_is_on(&stopping.fixture->parties[i].watch)) {
                start(stopping.fixture, i, WATCH_WRITABLE);
            }
        }
        stopping.stopped = turn < 4;
        assert_true(watches_run(stopping.fixture->watches, stop_the_rest, &stopping));
    }
    assert_true(stopping.stopped);
    assert_true(stopping.fixture->parties[0].calls > 0);
}

/* Kernel events are looked for between two rounds of calls by hand. */
static bool until_other_is_reported(void *owner)
{
    struct party *party = owner;

    party->act = call_again;
    watch_call(&party->watch);
    return party->other->calls == 0 && party->calls < 1000;
}

static void who_calls_itself_at_turn_ends_does_not_keep_the_loop(void **state)
{
    struct fixture *fixture = *state;

    start(fixture, 0, 0);
    start(fixture, 1, WATCH_READABLE);
    make_readable(fixture, 1);
    watch_call(&fixture->parties[0].watch);
    assert_true(watches_run(fixture->watches, until_other_is_reported, &fixture->parties[0]));
    assert_int_equal(fixture->parties[1].calls, 1);
    assert_in_range(fixture->parties[0].calls, 1, 3);
}

/* Whether 2 is found beside 0 and 1, asked by each that is told. */
struct asking {
    struct watch *zero;
    struct watch *one;
    int yes;
    int no;
};
static struct asking asking;

static void ask(struct party *party)
{
    if (watches_found_more(party->watches, asking.zero, asking.one)) {
        asking.yes++;
    } else {
        asking.no++;
    }
}

static void others_are_found_whoever_is_reported_first(void **state)
{
    struct fixture *fixture = *state;

    asking = (struct asking){&fixture->parties[0].watch, &fixture->parties[1].watch, 0, 0};
    for (int i = 0; i < 3; i++) {
        fixture->parties[i].act = ask;
        start(fixture, i, WATCH_READABLE);
    }
    make_readable(fixture, 0);
    make_readable(fixture, 1);
    take_turn(fixture);
    assert_int_equal(asking.yes, 0);
    assert_int_equal(asking.no, 2);
    make_readable(fixture, 2);
    take_turn(fixture);
    assert_int_equal(asking.yes, 3);
    assert_int_equal(asking.no, 2);
}

static void a_call_from_outside_is_reported_and_forgotten_as_any(void **state)
{
    struct fixture *fixture = *state;

    start(fixture, 0, 0);
    start(fixture, 1, 0);
    watch_call(&fixture->parties[0].watch);
    watch_call(&fixture->parties[1].watch);
    watch_stop(&fixture->parties[1].watch);
    take_turn(fixture);
    assert_int_equal(fixture->parties[0].calls, 1);
    assert_int_equal(fixture->parties[1].calls, 0);
}

static void what_cannot_be_watched_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct watch *watch = &fixture->parties[0].watch;

    assert_false(watch_start(watch, fixture->watches, -1, WATCH_READABLE, on_ready, fixture));
    assert_false(watch_is_on(watch));
    assert_true(watch_start(watch, fixture->watches, -1, 0, on_ready, fixture));
    assert_false(watch_change(watch, WATCH_READABLE));
    assert_true(watch_is_on(watch));
    watch_stop(watch);
}

/* To callers it is memory that is short, and no fault of their peer. */
static void a_kernel_that_watches_no_more_is_short_of_memory(void **state)
{
    struct fixture *fixture = *state;
    struct party *party = &fixture->parties[0];

    start(fixture, 0, 0);
    start(fixture, 1, WATCH_READABLE);
    make_readable(fixture, 0);
    make_readable(fixture, 1);
    full_epoll = true;
    errno = 0;
    assert_false(watch_change(&party->watch, WATCH_READABLE));
    assert_int_equal(errno, ENOMEM);
    assert_true(watch_change(&fixture->parties[1].watch, WATCH_READABLE | WATCH_WRITABLE));
    take_turn(fixture);
    assert_int_equal(party->calls, 0);
    assert_int_equal(fixture->parties[1].calls, 1);
    full_epoll = false;
    assert_true(watch_change(&party->watch, WATCH_READABLE));
    take_turn(fixture);
    assert_int_equal(party->calls, 1);
}

/* Nothing points to it any more, though its descriptor lives on under another number. */
static void who_has_stopped_is_not_reported_of_a_duplicate(void **state)
{
    struct fixture *fixture = *state;
    struct party *party = &fixture->parties[0];
    int duplicate = dup(party->ends[0]);

    assert_true(duplicate >= 0);
    start(fixture, 0, WATCH_READABLE);
    start(fixture, 1, WATCH_READABLE);
    watch_stop(&party->watch);
    make_readable(fixture, 0);
    make_readable(fixture, 1);
    take_turn(fixture);
    assert_int_equal(calls_of_both(fixture), 1);
    assert_int_equal(party->calls, 0);
    close(duplicate);
}

/* However many are ready all the time: those who come late are told within a round. */
static void a_crowd_does_not_keep_others_waiting(void **state)
{
    struct fixture *fixture = *state;
    struct party *late = &fixture->parties[MANY - 1];

    for (int i = 0; i < MANY - 1; i++) {
        start(fixture, i, WATCH_WRITABLE);
    }
    start(fixture, MANY - 1, WATCH_READABLE);
    for (int turn = 0; turn < 5; turn++) {
        take_turn(fixture);
    }
    assert_int_equal(late->calls, 0);
    make_readable(fixture, MANY - 1);
    take_turn(fixture);
    take_turn(fixture);
    assert_int_equal(late->calls, 1);
}

/* Turns until it is told; each waits as long as the rest may last. */
static void run_until_reported(struct fixture *fixture, int which)
{
    for (int i = 0; i < 10 && fixture->parties[which].calls == 0; i++) {
        take_turn(fixture);
    }
    assert_int_equal(fixture->parties[which].calls, 1);
}

static void rest_with_bytes_there(struct fixture *fixture, int which)
{
    start(fixture, which, WATCH_READABLE);
    watch_rest(&fixture->parties[which].watch);
    assert_int_equal(write(fixture->parties[which].ends[1], "x", 1), 1);
}

static void one_that_rests_is_reported_a_moment_later(void **state)
{
    struct fixture *fixture = *state;

    rest_with_bytes_there(fixture, 0);
    start(fixture, 1, WATCH_WRITABLE);
    take_turn(fixture); /* of the other */
    assert_int_equal(fixture->parties[0].calls, 0);
    watch_stop(&fixture->parties[1].watch);
    run_until_reported(fixture, 0);
    assert_int_equal(fixture->parties[0].what, WATCH_READABLE);
}

static void a_call_or_another_wish_ends_a_rest(void **state)
{
    struct fixture *fixture = *state;

    rest_with_bytes_there(fixture, 0);
    assert_true(watch_rests(&fixture->parties[0].watch));
    watch_call(&fixture->parties[0].watch);
    assert_false(watch_rests(&fixture->parties[0].watch));
    run_until_reported(fixture, 0);

    rest_with_bytes_there(fixture, 1);
    assert_true(watch_change(&fixture->parties[1].watch, WATCH_READABLE | WATCH_WRITABLE));
    take_turn(fixture);
    assert_int_equal(fixture->parties[1].what, WATCH_READABLE | WATCH_WRITABLE);
    watch_stop(&fixture->parties[1].watch);

    rest_with_bytes_there(fixture, 2);
    watch_stop(&fixture->parties[2].watch);
    rest_with_bytes_there(fixture, 3);
    assert_true(watch_change(&fixture->parties[3].watch, 0));
    watch_rest(&fixture->parties[3].watch); /* nothing to rest from */
    assert_true(watch_change(&fixture->parties[3].watch, WATCH_READABLE));
    run_until_reported(fixture, 3);
    assert_int_equal(fixture->parties[2].calls, 0);
}

/* As over TLS, where the call is for what the library has read already. */
static void one_that_is_called_rests_before_it_is_told(void **state)
{
    struct fixture *fixture = *state;

    start(fixture, 0, WATCH_READABLE);
    watch_call(&fixture->parties[0].watch);
    watch_rest(&fixture->parties[0].watch);
    assert_true(watch_rests(&fixture->parties[0].watch));
    start(fixture, 1, WATCH_WRITABLE);
    take_turn(fixture); /* of the other */
    assert_int_equal(fixture->parties[0].calls, 0);
    watch_stop(&fixture->parties[1].watch);
    run_until_reported(fixture, 0);
    assert_int_equal(fixture->parties[0].what, WATCH_READABLE | WATCH_WRITABLE);
    assert_false(watch_rests(&fixture->parties[0].watch));
}

/* As a change of what is wanted drops it without a rest. */
static void a_call_that_rests_is_dropped_with_another_wish(void **state)
{
    struct fixture *fixture = *state;

    start(fixture, 0, WATCH_READABLE);
    watch_call(&fixture->parties[0].watch);
    watch_rest(&fixture->parties[0].watch);
    assert_true(watch_change(&fixture->parties[0].watch, 0));
    assert_true(watch_change(&fixture->parties[0].watch, WATCH_READABLE));
    start(fixture, 1, WATCH_WRITABLE);
    take_turn(fixture);
    take_turn(fixture);
    assert_int_equal(fixture->parties[0].calls, 0);
}

static void an_end_is_reported_in_spite_of_a_rest(void **state)
{
    struct fixture *fixture = *state;

    start(fixture, 0, WATCH_READABLE);
    watch_rest(&fixture->parties[0].watch);
    close(fixture->parties[0].ends[1]);
    fixture->parties[0].ends[1] = dup(fixture->parties[0].ends[0]);
    run_until_reported(fixture, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(who_is_stopped_by_another_is_not_reported),
        TEST(what_was_found_for_its_predecessor_is_not_reported),
        TEST(who_wants_it_no_more_is_not_reported),
        TEST(who_calls_itself_has_its_turn_in_the_next_round),
        TEST(a_call_and_an_event_are_reported_together),
        TEST(a_call_is_forgotten_with_its_watch),
        TEST(a_call_is_forgotten_when_something_else_is_wanted),
        TEST(a_hang_up_shows_to_whoever_reads_or_writes),
        TEST(a_crowd_is_reported_in_slices_and_none_twice),
        TEST(turns_of_a_run_are_short),
        TEST(a_round_that_is_stopped_at_a_turns_end_is_over),
        TEST(who_calls_itself_at_turn_ends_does_not_keep_the_loop),
        TEST(others_are_found_whoever_is_reported_first),
        TEST(a_call_from_outside_is_reported_and_forgotten_as_any),
        TEST(what_cannot_be_watched_is_refused),
        TEST(a_kernel_that_watches_no_more_is_short_of_memory),
        TEST(who_has_stopped_is_not_reported_of_a_duplicate),
        TEST(a_crowd_does_not_keep_others_waiting),
        TEST(one_that_rests_is_reported_a_moment_later),
        TEST(a_call_or_another_wish_ends_a_rest),
        TEST(one_that_is_called_rests_before_it_is_told),
        TEST(a_call_that_rests_is_dropped_with_another_wish),
        TEST(an_end_is_reported_in_spite_of_a_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
