/* SPDX-License-Identifier: BSD-2-Clause */
/* exchange/waiting/room with 100,000 users who come within a minute, ask as they are told, stay for a
 * while and leave: through one room, over a restart in the middle, and with two gateways that share
 * their key. Beside them clients that bring no ticket back. */
#include "exchange/waiting/room.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#define START_MS (1800000000ULL * 1000)
#define USERS 100000u
#define LIMIT 5000u
#define SESSION_S 10u
#define STEP_MS 250u
#define GATEWAYS 2
#define IGNORANT_ADDRESSES 10u /* of clients that ignore cookies */
#define IGNORANT_REQUESTS 20u  /* of all of them, in each step */

static const struct room_limits limits = {.active = LIMIT, .session_s = SESSION_S};
static uint64_t numbers;

static uint64_t draw(void)
{
    numbers = numbers * 6364136223846793005u + 1442695040888963407u;
    return numbers >> 16;
}

struct user {
    uint64_t since_ms;
    uint64_t next_ms;
    uint64_t leaves_ms;
    uint32_t good_until_s; /* of its ticket */
    enum { COMES, WAITS, IS_IN, IS_GONE } state;
};

struct crowd {
    struct user *users; /* by arrival; their numbers begin with 1 */
    struct room *rooms[GATEWAYS];
    uint32_t gateways;
    uint32_t left;
    uint32_t in;         /* users with a seat who have not left, over all gateways */
    uint64_t last_in_ms; /* the latest arrival of all that were let in */
    uint64_t ignorant;   /* numbers of those who ignore cookies */
    uint64_t worst_ms;   /* so much earlier came one who has to wait than one who is in */
    uint64_t now_ms;
};

static int by_arrival(const void *a, const void *b)
{
    const struct user *one = a;
    const struct user *other = b;

    return one->since_ms < other->since_ms ? -1 : one->since_ms > other->since_ms;
}

static void gather(struct crowd *crowd, uint32_t gateways)
{
    numbers = 12;
    *crowd = (struct crowd){.gateways = gateways, .left = USERS, .ignorant = 1ULL << 40};
    crowd->now_ms = START_MS;
    crowd->users = calloc(USERS, sizeof(*crowd->users));
    for (uint32_t i = 0; i < USERS; i++) {
        crowd->users[i].since_ms = START_MS + draw() % 60000;
    }
    qsort(crowd->users, USERS, sizeof(*crowd->users), by_arrival);
    for (uint32_t i = 0; i < USERS; i++) {
        crowd->users[i].next_ms = crowd->users[i].since_ms;
    }
    for (uint32_t i = 0; i < gateways; i++) {
        crowd->rooms[i] = room_new(LIMIT);
    }
}

static void disperse(struct crowd *crowd)
{
    for (uint32_t i = 0; i < crowd->gateways; i++) {
        room_free(&crowd->rooms[i]);
    }
    free(crowd->users);
}

static void settle(struct crowd *crowd, struct user *user)
{
    user->good_until_s = (uint32_t)(crowd->now_ms / 1000) + SESSION_S;
    user->next_ms = crowd->now_ms + 1000;
}

/* Who is in is never asked to wait again. */
static void stay(struct crowd *crowd, struct room *room, struct user *user, uint64_t id)
{
    if (crowd->now_ms >= user->leaves_ms) {
        user->state = IS_GONE;
        crowd->in--;
        crowd->left--;
        return;
    }
    assert_true(room_stay(room, &limits, id, user->good_until_s, crowd->now_ms));
    settle(crowd, user);
}

static void come(struct crowd *crowd, struct room *room, struct user *user, uint64_t id)
{
    const struct room_user asks = {id, user->since_ms, id, user->state == WAITS};
    struct room_place place;

    if (room_enter(room, &limits, &asks, crowd->now_ms, &place)) {
        user->state = IS_IN;
        user->leaves_ms = crowd->now_ms + 1000 + draw() % 8000;
        crowd->in++;
        if (user->since_ms > crowd->last_in_ms) {
            crowd->last_in_ms = user->since_ms;
        }
        settle(crowd, user);
        return;
    }
    user->state = WAITS;
    user->next_ms = crowd->now_ms + place.again_s * 1000;
    if (crowd->last_in_ms > user->since_ms + crowd->worst_ms) {
        crowd->worst_ms = crowd->last_in_ms - user->since_ms;
    }
}

static void come_without_tickets(struct crowd *crowd)
{
    for (uint32_t i = 0; i < IGNORANT_REQUESTS; i++) {
        const struct room_user asks = {crowd->ignorant++, crowd->now_ms,
                                       UINT64_MAX - draw() % IGNORANT_ADDRESSES, false};
        struct room_place place;

        (void)room_enter(crowd->rooms[draw() % crowd->gateways], &limits, &asks, crowd->now_ms,
                         &place);
    }
}

static void step(struct crowd *crowd)
{
    come_without_tickets(crowd);
    for (uint32_t i = 0; i < crowd->gateways; i++) {
        room_tick(crowd->rooms[i], crowd->now_ms);
    }
    for (uint32_t i = 0; i < USERS; i++) {
        struct user *user = &crowd->users[i];
        struct room *room;

        if (user->state == IS_GONE || user->next_ms > crowd->now_ms) {
            continue;
        }
        room = crowd->rooms[draw() % crowd->gateways];
        if (user->state == IS_IN) {
            stay(crowd, room, user, i + 1);
        } else {
            come(crowd, room, user, i + 1);
        }
        assert_true(crowd->in <= LIMIT * crowd->gateways);
    }
    for (uint32_t i = 0; crowd->gateways == 1 && i < crowd->gateways; i++) {
        assert_true(room_active(crowd->rooms[i]) <= LIMIT);
    }
    crowd->now_ms += STEP_MS;
    assert_true(crowd->now_ms < START_MS + 3600000);
}

static void one_room(void **state)
{
    struct crowd crowd;

    (void)state;
    gather(&crowd, 1);
    while (crowd.left > 0) {
        step(&crowd);
    }
    assert_true(crowd.worst_ms <= 1000);
    disperse(&crowd);
}

/* Another process: it knows how many there were, and the tickets tell who. */
static void restart(struct crowd *crowd)
{
    uint32_t now_s = (uint32_t)(crowd->now_ms / 1000);
    const struct room_former former = {
        .active = room_active(crowd->rooms[0]),
        .waiting = room_waiting(crowd->rooms[0]),
        .active_until_s = now_s + SESSION_S,
        .waiting_until_s = now_s + ROOM_ASKED_AGAIN_S,
    };

    room_free(&crowd->rooms[0]);
    crowd->rooms[0] = room_new(LIMIT);
    room_expect(crowd->rooms[0], &former);
}

static void a_restart_in_the_middle(void **state)
{
    struct crowd crowd;

    (void)state;
    gather(&crowd, 1);
    while (crowd.left > 0) {
        if (crowd.left < USERS && crowd.now_ms % 60000 == 0) {
            restart(&crowd);
        }
        step(&crowd);
    }
    assert_true(crowd.worst_ms <= 1000);
    disperse(&crowd);
}

/* Each request goes to either. A place in one is none in the other until its user was there. */
static void two_gateways(void **state)
{
    struct crowd crowd;

    (void)state;
    gather(&crowd, 2);
    while (crowd.left > 0) {
        step(&crowd);
    }
    assert_true(crowd.worst_ms <= 30000);
    disperse(&crowd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_room),
        cmocka_unit_test(a_restart_in_the_middle),
        cmocka_unit_test(two_gateways),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
