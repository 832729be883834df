/* SPDX-License-Identifier: BSD-2-Clause */
/* exchange/waiting/room: never more active than the limit, earlier arrivals first, and
 * what a request without a ticket holds. test_crowd.c has many users. */
#include "exchange/waiting/room.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <sys/resource.h>

#define START_MS (1800000000ULL * 1000)

/* One who keeps cookies, and has brought its ticket back. */
static bool enters(struct room *room, const struct room_limits *limits, uint64_t id,
                   uint64_t since_ms, uint64_t now_ms, struct room_place *place)
{
    const struct room_user user = {.id = id, .since_ms = since_ms, .customer = id, .returns = true};

    return room_enter(room, limits, &user, now_ms, place);
}

/* Without a ticket. */
static bool comes(struct room *room, const struct room_limits *limits, uint64_t id,
                  uint64_t customer, uint64_t now_ms, struct room_place *place)
{
    const struct room_user user = {.id = id, .since_ms = now_ms, .customer = customer};

    return room_enter(room, limits, &user, now_ms, place);
}

static void one_after_another(void **state)
{
    const struct room_limits limits = {.active = 2, .session_s = 10};
    struct room *room = room_new(limits.active);
    struct room_place place;

    (void)state;
    assert_true(enters(room, &limits, 1, START_MS, START_MS, &place));
    assert_true(enters(room, &limits, 2, START_MS, START_MS, &place));
    assert_false(enters(room, &limits, 3, START_MS + 1000, START_MS + 1000, &place));
    assert_int_equal(place.number, 1);
    assert_false(enters(room, &limits, 4, START_MS + 2000, START_MS + 2000, &place));
    assert_int_equal(place.number, 2);
    assert_true(room_stay(room, &limits, 1, 0, START_MS + 9000));
    room_tick(room, START_MS + 11000);
    assert_int_equal(room_active(room), 1); /* 2 has gone */
    assert_false(enters(room, &limits, 4, START_MS + 2000, START_MS + 11000, &place));
    assert_true(enters(room, &limits, 3, START_MS + 1000, START_MS + 11000, &place));
    assert_int_equal(room_waiting(room), 1);
    room_free(&room);
}

/* Its place is kept for as long as it was asked to come again in, three times over. */
static void one_that_has_gone_holds_up_nobody(void **state)
{
    const struct room_limits one = {.active = 1, .session_s = 3600};
    const struct room_limits two = {.active = 2, .session_s = 3600};
    struct room *room = room_new(two.active);
    struct room_place place;
    uint64_t gone_ms;

    (void)state;
    assert_true(enters(room, &one, 1, START_MS, START_MS, &place));
    assert_false(enters(room, &one, 2, START_MS + 1000, START_MS + 1000, &place));
    gone_ms = START_MS + 1000 + 3 * 1000 * (uint64_t)place.again_s;
    assert_false(enters(room, &two, 3, START_MS + 2000, START_MS + 3000, &place));
    room_tick(room, gone_ms);
    assert_false(enters(room, &two, 3, START_MS + 2000, gone_ms, &place));
    room_tick(room, gone_ms + 1000);
    assert_true(enters(room, &two, 3, START_MS + 2000, gone_ms + 1000, &place));
    assert_int_equal(room_waiting(room), 0);
    room_free(&room);
}

static void new_users_each_minute(void **state)
{
    const struct room_limits limits = {.active = 100000, .per_minute = 600, .session_s = 3600};
    struct room *room = room_new(limits.active);
    struct room_place place;
    uint32_t in = 0;

    (void)state;
    for (uint64_t s = 0; s < 120; s++) {
        for (uint64_t user = 1; user <= 5000; user++) {
            if (!room_stay(room, &limits, user, 0, START_MS + s * 1000)) {
                in += enters(room, &limits, user, START_MS, START_MS + s * 1000, &place);
            }
        }
    }
    assert_in_range(in, 1190, 1250);
    room_free(&room);
}

/* However often it is asked, no part of a user is lost. */
static void a_few_each_minute(void **state)
{
    const struct room_limits limits = {.active = 1000, .per_minute = 50, .session_s = 3600};
    struct room *room = room_new(limits.active);
    struct room_place place;
    uint32_t in = 0;

    (void)state;
    for (uint64_t ms = 0; ms < 120000; ms++) {
        uint64_t user = 1 + ms % 200;

        if (!room_stay(room, &limits, user, 0, START_MS + ms)) {
            in += enters(room, &limits, user, START_MS, START_MS + ms, &place);
        }
    }
    assert_in_range(in, 98, 106);
    room_free(&room);
}

/* Two requests with one ticket, side by side. */
static void one_ticket_one_place(void **state)
{
    const struct room_limits limits = {.active = 2, .session_s = 10};
    struct room *room = room_new(limits.active);
    struct room_place place;

    (void)state;
    assert_true(enters(room, &limits, 1, START_MS, START_MS, &place));
    assert_true(enters(room, &limits, 1, START_MS, START_MS, &place));
    assert_int_equal(room_active(room), 1);
    room_free(&room);
}

static void a_former_process(void **state)
{
    const struct room_limits limits = {.active = 3, .session_s = 10};
    struct room *room = room_new(limits.active);
    uint32_t now_s = (uint32_t)(START_MS / 1000);
    struct room_place place;

    (void)state;
    room_expect(room, &(const struct room_former){.active = 2, .active_until_s = now_s + 10});
    assert_true(enters(room, &limits, 1, START_MS, START_MS, &place));
    assert_false(enters(room, &limits, 2, START_MS, START_MS, &place));
    assert_true(room_stay(room, &limits, 7, now_s + 5, START_MS)); /* one of the two */
    assert_int_equal(room_active(room), 3);
    assert_false(room_stay(room, &limits, 8, now_s - 5, START_MS)); /* away for too long */
    room_tick(room, START_MS + 10000);
    assert_true(enters(room, &limits, 2, START_MS, START_MS + 10000, &place));
    room_free(&room);
}

#define ONE_ADDRESS 77u

/* 500 requests that ignore the cookie: each is another user. */
static void one_address_fills_no_room(void **state)
{
    const struct room_limits limits = {.active = 500, .session_s = 3600};
    struct room *room = room_new(limits.active);
    struct room_place place;
    uint32_t in = 0;

    (void)state;
    for (uint64_t id = 1; id <= 500; id++) {
        in += comes(room, &limits, id, ONE_ADDRESS, START_MS, &place);
    }
    assert_int_equal(in, 50);
    assert_int_equal(room_active(room), 50);
    assert_int_equal(room_waiting(room), 0);
    assert_int_equal(place.again_s, 1); /* there is room: only the ticket is missing */
    /* Others behind the same address come in as soon as they bring their tickets back. */
    assert_true(enters(room, &limits, 500, START_MS, START_MS + 1000, &place));
    assert_true(comes(room, &limits, 501, 1, START_MS, &place));
    assert_int_equal(room_active(room), 52);
    /* And its seats are free again soon. */
    room_tick(room, START_MS + 1000 * (ROOM_TRIAL_S + 1));
    assert_int_equal(room_active(room), 1);
    room_free(&room);
}

static void who_brings_the_ticket_back_has_a_seat(void **state)
{
    const struct room_limits limits = {.active = 2, .session_s = 3600};
    struct room *room = room_new(limits.active);
    uint32_t now_s = (uint32_t)(START_MS / 1000);
    struct room_place place;

    (void)state;
    assert_true(comes(room, &limits, 1, 1, START_MS, &place));
    assert_true(comes(room, &limits, 2, 2, START_MS, &place));
    assert_true(room_stay(room, &limits, 1, now_s + ROOM_TRIAL_S, START_MS + 5000));
    room_tick(room, START_MS + 1000 * (ROOM_TRIAL_S + 1));
    assert_int_equal(room_active(room), 1);
    /* The other has to ask for a seat again, with its arrival; and is before all who came later. */
    assert_false(room_stay(room, &limits, 2, now_s + ROOM_TRIAL_S, START_MS + 30000));
    assert_true(enters(room, &limits, 2, START_MS, START_MS + 30000, &place));
    assert_true(room_stay(room, &limits, 2, 0, START_MS + 3000000));
    room_free(&room);
}

/* While the room is full: what one address asks without tickets is not before others for long. */
static void no_places_without_tickets(void **state)
{
    const struct room_limits full = {.active = 1, .session_s = 3600};
    const struct room_limits wider = {.active = 2, .session_s = 3600};
    struct room *room = room_new(wider.active);
    struct room_place place;

    (void)state;
    assert_true(enters(room, &full, 1, START_MS, START_MS, &place));
    for (uint64_t id = 2; id <= 1000; id++) {
        assert_false(comes(room, &full, id, ONE_ADDRESS, START_MS, &place));
    }
    assert_int_equal(room_waiting(room), 8);
    assert_false(comes(room, &full, 2000, 1, START_MS + 1000, &place));
    assert_int_equal(place.number, 9);
    room_tick(room, START_MS + 36000);
    assert_int_equal(room_waiting(room), 0);
    assert_true(enters(room, &wider, 2000, START_MS + 1000, START_MS + 36000, &place));
    room_free(&room);
}

/* A first request has its place in the order until it was told to ask again. */
static void a_place_until_asked_again(void **state)
{
    const struct room_limits one = {.active = 1, .session_s = 3600};
    const struct room_limits two = {.active = 2, .session_s = 3600};
    struct room *room = room_new(two.active);
    struct room_place place;
    uint64_t again_ms;

    (void)state;
    assert_true(enters(room, &one, 1, START_MS, START_MS, &place));
    assert_false(comes(room, &one, 2, 2, START_MS, &place));
    again_ms = START_MS + 1000 * (uint64_t)place.again_s;
    room_tick(room, again_ms);
    assert_false(comes(room, &two, 3, 3, again_ms, &place));
    assert_true(enters(room, &two, 2, START_MS, again_ms, &place));
    assert_int_equal(room_waiting(room), 1);
    room_free(&room);
}

/* The lot decides, not the first request after the opening. */
static void the_order_of_those_who_came_before_the_opening(void **state)
{
    const struct room_limits limits = {.active = 10, .session_s = 3600};
    struct room *room = room_new(limits.active);
    struct room_place place;

    (void)state;
    for (uint64_t id = 1; id <= 100; id++) {
        const struct room_user user = {id, START_MS + id * 1000, id, true};

        room_wait(room, &limits, &user, START_MS, 5);
    }
    for (uint64_t id = 100; id >= 1; id--) {
        assert_int_equal(enters(room, &limits, id, START_MS + id * 1000, START_MS + 10000, &place),
                         id <= 10);
    }
    room_free(&room);
}

static long faults(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

/* There is room for a million of them: 24 MB, whose pages are in memory once they were looked at. */
static void a_tick_looks_only_where_users_are(void **state)
{
    const struct room_limits limits = {.active = 1, .session_s = 3600};
    struct room *room = room_new(limits.active);
    struct room_place place;
    long before;

    (void)state;
    assert_true(enters(room, &limits, 1, START_MS, START_MS, &place));
    /* of all sets the last */
    assert_false(enters(room, &limits, UINT64_MAX, START_MS + 1000, START_MS + 1000, &place));
    before = faults();
    room_tick(room, START_MS + 2000);
    assert_in_range(faults() - before, 0, 200);
    assert_int_equal(room_waiting(room), 1);
    room_tick(room, START_MS + 200000);
    assert_int_equal(room_waiting(room), 0);
    assert_int_equal(room_active(room), 1);
    room_free(&room);
}

/* As many as it may hold on trial, for each opening. */
static void an_address_draws_so_many_tickets(void **state)
{
    const struct room_limits limits = {.active = 200, .session_s = 60};
    struct room *room = room_new(limits.active);
    uint32_t drawn = 0;

    (void)state;
    for (int i = 0; i < 100; i++) {
        drawn += room_draw(room, &limits, 7, START_MS);
    }
    assert_int_equal(drawn, 20);
    assert_true(room_draw(room, &limits, 8, START_MS));
    assert_true(room_draw(room, &limits, 7, START_MS + 1));
    room_free(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_after_another),
        cmocka_unit_test(one_that_has_gone_holds_up_nobody),
        cmocka_unit_test(new_users_each_minute),
        cmocka_unit_test(a_former_process),
        cmocka_unit_test(a_few_each_minute),
        cmocka_unit_test(one_ticket_one_place),
        cmocka_unit_test(one_address_fills_no_room),
        cmocka_unit_test(who_brings_the_ticket_back_has_a_seat),
        cmocka_unit_test(no_places_without_tickets),
        cmocka_unit_test(a_place_until_asked_again),
        cmocka_unit_test(the_order_of_those_who_came_before_the_opening),
        cmocka_unit_test(a_tick_looks_only_where_users_are),
        cmocka_unit_test(an_address_draws_so_many_tickets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
