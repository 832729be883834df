/* SPDX-License-Identifier: BSD-2-Clause */
/* Two tables of seats (who is active, who waits), each in sets of sixteen by the user's number, which
 * is random; and how many wait by the second of their arrival, as a tree of sums (Fenwick), so that a
 * user's place is known in seventeen steps. A user comes in when fewer wait with an earlier arrival
 * than there is room for: places of earlier ones are kept for them until they ask again. Those who
 * waited in a former process and have not asked again count as earlier than all.
 *
 * A client that ignores cookies is a new user with each request. So a seat is on trial until its user
 * has brought the ticket back: it is held for some seconds only, and one address has at most a tenth
 * of the room on trial. What comes above that from one address holds nothing, and has to bring its
 * ticket back first. Trials are counted by a hash of the address: addresses that share a count are
 * held to the bound together, which costs their users one more request.
 *
 * Before an opening tickets are drawn, and an address draws as many as it may hold on trial: more would
 * be more chances. Those above are marked, and their users come behind all others. They are counted
 * until the next opening, also where the ticket was brought back: a client that collects tickets does
 * that, too. */
#include "exchange/waiting/room.h"

#include "base/check.h"
#include "base/siphash.h"
#include "base/system/random.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define WAYS 16u
#define LEAST_SETS 256u
#define WAITING_SETS 65536u /* a million users */
#define SPAN_S 131072u      /* of arrivals that are told apart; a power of two */
#define PAST_S 86400u       /* of it before now */
#define SWEEP_SETS 256u     /* under the lock at once */
#define BLOCK_SETS 16u      /* of which an empty one is not looked at */
#define AGAIN_LEAST_S 5u
#define AGAIN_MOST_S 30u /* ROOM_ASKED_AGAIN_S follows from it */
#define MISSED 3u        /* so many times not asked again: gone */
#define BURST_S 5u       /* of new users of per_minute at once */
#define TOKEN 60000u     /* one user; per_minute of its parts come each millisecond */
#define TRIALS 65536u    /* counts of addresses; a power of two */
#define TRIAL_PART 10u   /* of the room, for one address */
#define TRIAL_LEAST 8u
#define TRIAL_LATE_S 3u /* one who waits on trial may come so much later than asked to */
#define SOON_S 1u       /* one who only lacks the ticket is asked to come again */

struct seat {
    uint64_t id; /* 0: free */
    uint32_t until_s;
    uint32_t since_s; /* of those who wait */
    uint32_t trial; /* where it is counted among `trials`, and 1; 0: its ticket was brought back */
};

struct table {
    struct seat *seats;
    uint16_t *taken; /* seats of each BLOCK_SETS sets */
    uint32_t sets;
    uint32_t count;
};

struct room {
    pthread_mutex_t lock;
    struct table active;
    struct table waiting;
    uint32_t *arrivals;        /* SPAN_S sums; [0] is not used */
    uint32_t base_s;           /* arrival of [1] */
    uint32_t *trials;          /* TRIALS counts */
    uint32_t *drawn;           /* TRIALS counts: tickets of each address before the opening */
    uint64_t drawn_for_ms;     /* that opening */
    struct siphash_key secret; /* or clients could choose addresses that share a count */
    struct room_former former; /* without those who were seen again */
    uint64_t tokens;           /* of new users, in parts of TOKEN */
    uint64_t filled_ms;
    uint64_t admitted;
    _Atomic uint64_t turned_away[ROOM_REFUSALS]; /* without the lock */
};

/* --- arrivals ----------------------------------------------------------------------------- */

static uint32_t index_of(const struct room *room, uint32_t since_s)
{
    if (since_s <= room->base_s) {
        return 1;
    }
    return since_s - room->base_s < SPAN_S - 1 ? since_s - room->base_s + 1 : SPAN_S - 1;
}

static void count_arrival(struct room *room, uint32_t since_s, int32_t change)
{
    for (uint32_t i = index_of(room, since_s); i < SPAN_S; i += i & -i) {
        room->arrivals[i] += (uint32_t)change;
    }
}

static uint32_t earlier_than(const struct room *room, uint32_t since_s)
{
    uint32_t sum = 0;

    for (uint32_t i = index_of(room, since_s) - 1; i > 0; i -= i & -i) {
        sum += room->arrivals[i];
    }
    return sum;
}

/* Time has gone on: what is told apart moves with it. */
static void move_base(struct room *room, uint32_t now_s)
{
    room->base_s = now_s > PAST_S ? now_s - PAST_S : 0;
    memset(room->arrivals, 0, SPAN_S * sizeof(*room->arrivals));
    for (uint32_t i = 0; i < room->waiting.sets * WAYS; i++) {
        if (room->waiting.seats[i].id != 0) {
            count_arrival(room, room->waiting.seats[i].since_s, 1);
        }
    }
}

/* --- seats -------------------------------------------------------------------------------- */

static void begin_trial(struct room *room, struct seat *seat, uint32_t trial)
{
    seat->trial = trial;
    room->trials[trial - 1]++;
}

static void end_trial(struct room *room, struct seat *seat)
{
    if (seat->trial != 0) {
        CHECK(room->trials[seat->trial - 1] > 0);
        room->trials[seat->trial - 1]--;
        seat->trial = 0;
    }
}

static uint16_t *taken_beside(const struct table *table, const struct seat *seat)
{
    return &table->taken[(size_t)(seat - table->seats) / (BLOCK_SETS * WAYS)];
}

static void give_up(struct room *room, struct table *table, struct seat *seat)
{
    end_trial(room, seat);
    if (table == &room->waiting) {
        count_arrival(room, seat->since_s, -1);
    }
    CHECK(table->count > 0);
    table->count--;
    --*taken_beside(table, seat);
    seat->id = 0;
}

static struct seat *set_of(const struct table *table, uint64_t id)
{
    return &table->seats[(id & (table->sets - 1)) * WAYS];
}

static struct seat *find(const struct table *table, uint64_t id)
{
    struct seat *set = set_of(table, id);

    for (uint32_t i = 0; i < WAYS; i++) {
        if (set[i].id == id) {
            return &set[i];
        }
    }
    return NULL;
}

/* NULL: sixteen others are here. */
static struct seat *take_seat(struct room *room, struct table *table, uint64_t id, uint32_t now_s)
{
    struct seat *set = set_of(table, id);

    for (uint32_t i = 0; i < WAYS; i++) {
        if (set[i].id != 0 && set[i].until_s < now_s) {
            give_up(room, table, &set[i]);
        }
        if (set[i].id == 0) {
            set[i].id = id;
            table->count++;
            ++*taken_beside(table, &set[i]);
            return &set[i];
        }
    }
    return NULL;
}

/* --- coming in ---------------------------------------------------------------------------- */

static void fill_tokens(struct room *room, const struct room_limits *limits, uint64_t now_ms)
{
    uint64_t most = (uint64_t)limits->per_minute * 1000 * BURST_S;

    if (now_ms > room->filled_ms) {
        uint64_t elapsed_ms = now_ms - room->filled_ms;

        elapsed_ms = elapsed_ms < 60000 ? elapsed_ms : 60000;
        room->tokens += elapsed_ms * limits->per_minute;
        room->filled_ms = now_ms;
    }
    most = most > TOKEN ? most : TOKEN;
    room->tokens = room->tokens < most ? room->tokens : most;
}

/* How many may come in now. */
static uint32_t openings(struct room *room, const struct room_limits *limits, uint64_t now_ms)
{
    uint64_t taken = (uint64_t)room->active.count + room->former.active;
    uint64_t free = taken < limits->active ? limits->active - taken : 0;

    if (limits->per_minute != 0) {
        fill_tokens(room, limits, now_ms);
        free = free < room->tokens / TOKEN ? free : room->tokens / TOKEN;
    }
    return (uint32_t)free;
}

static void tell_place(const struct room_limits *limits, uint32_t earlier, struct room_place *place)
{
    /* At the pace of per_minute, or else as if all left after a session. */
    uint64_t pace = limits->per_minute != 0 ? limits->per_minute
                                            : (uint64_t)limits->active * 60 / limits->session_s;
    uint64_t wait_s;

    pace = pace > 0 ? pace : 1;
    place->number = earlier + 1;
    wait_s = (uint64_t)place->number * 60 / pace + 1;
    place->wait_s = wait_s < UINT32_MAX ? (uint32_t)wait_s : UINT32_MAX;
    place->again_s = (uint32_t)(wait_s / 10 < AGAIN_LEAST_S  ? AGAIN_LEAST_S
                                : wait_s / 10 > AGAIN_MOST_S ? AGAIN_MOST_S
                                                             : wait_s / 10);
}

/* Where what this address holds is counted. */
static uint32_t count_of(const struct room *room, uint64_t customer)
{
    return (uint32_t)(siphash_number(&room->secret, customer) & (TRIALS - 1));
}

/* Where the user is counted while on trial; 0: it brought its ticket back. */
static uint32_t trial_of(const struct room *room, const struct room_user *user)
{
    return user->returns ? 0 : 1 + count_of(room, user->customer);
}

static uint32_t trials_most(const struct room_limits *limits)
{
    uint32_t whole = limits->per_minute != 0 && limits->per_minute < limits->active
                         ? limits->per_minute
                         : limits->active;

    return whole / TRIAL_PART > TRIAL_LEAST ? whole / TRIAL_PART : TRIAL_LEAST;
}

static bool has_trial_left(const struct room *room, const struct room_limits *limits,
                           uint32_t trial)
{
    return trial == 0 || room->trials[trial - 1] < trials_most(limits);
}

static bool come_in(struct room *room, const struct room_limits *limits, uint64_t id,
                    uint32_t trial, struct seat *waits, uint32_t now_s)
{
    struct seat *seat = take_seat(room, &room->active, id, now_s);

    if (seat == NULL) {
        return false;
    }
    seat->until_s = now_s + (trial == 0 ? limits->session_s : room_trial_s(limits));
    room->admitted++;
    if (limits->per_minute != 0) {
        room->tokens -= TOKEN;
    }
    if (waits != NULL) {
        give_up(room, &room->waiting, waits);
    }
    if (trial != 0) {
        begin_trial(room, seat, trial);
    }
    return true;
}

static void wait_on(struct room *room, const struct room_user *user, uint32_t trial,
                    struct seat *seat, uint32_t now_s, const struct room_place *place)
{
    if (seat == NULL && (seat = take_seat(room, &room->waiting, user->id, now_s)) != NULL) {
        seat->since_s = (uint32_t)(user->since_ms / 1000);
        count_arrival(room, seat->since_s, 1);
        if (trial != 0) {
            begin_trial(room, seat, trial);
        }
    }
    if (seat != NULL && trial == 0) {
        end_trial(room, seat);
    }
    if (seat != NULL) {
        seat->until_s =
            now_s + (trial == 0 ? MISSED * place->again_s : place->again_s + TRIAL_LATE_S);
    }
}

static bool is_active(struct room *room, const struct room_limits *limits, uint64_t id,
                      uint32_t now_s)
{
    struct seat *seat = find(&room->active, id);

    if (seat == NULL || seat->until_s < now_s) {
        return false;
    }
    end_trial(room, seat);
    seat->until_s = now_s + limits->session_s;
    return true;
}

/* The number of one without a ticket is new: the sixteen seats where it could be are in no cache. */
static struct seat *where_it_waits(const struct room *room, const struct room_user *user)
{
    return user->returns ? find(&room->waiting, user->id) : NULL;
}

/* By a request beside this one, or by its turn. */
static bool is_let_in(struct room *room, const struct room_limits *limits,
                      const struct room_user *user, uint64_t now_ms, struct room_place *place)
{
    uint32_t now_s = (uint32_t)(now_ms / 1000);
    uint32_t trial = trial_of(room, user);
    bool may_try = has_trial_left(room, limits, trial);
    struct seat *waits;
    uint32_t earlier;
    bool has_room;

    if (user->returns && is_active(room, limits, user->id, now_s)) {
        return true;
    }
    waits = where_it_waits(room, user);
    if (user->returns && waits == NULL && room->former.waiting > 0) {
        room->former.waiting--;
    }
    earlier = room->former.waiting + earlier_than(room, (uint32_t)(user->since_ms / 1000));
    has_room = earlier < openings(room, limits, now_ms);
    if (has_room && may_try && come_in(room, limits, user->id, trial, waits, now_s)) {
        return true;
    }
    tell_place(limits, earlier, place);
    place->cause = has_room && !may_try ? ROOM_LACKS_TICKET : ROOM_IS_FULL;
    if (may_try) {
        wait_on(room, user, trial, waits, now_s, place);
    } else if (has_room) {
        place->wait_s = SOON_S;
        place->again_s = SOON_S;
    }
    return false;
}

static void begin_order(struct room *room, uint32_t now_s)
{
    if (room->base_s == 0) {
        room->base_s = now_s > PAST_S ? now_s - PAST_S : 0;
    }
}

void room_wait(struct room *room, const struct room_limits *limits, const struct room_user *user,
               uint64_t now_ms, uint32_t again_s)
{
    const struct room_place place = {.again_s = again_s};
    uint32_t now_s = (uint32_t)(now_ms / 1000);
    uint32_t trial = trial_of(room, user);

    pthread_mutex_lock(&room->lock);
    begin_order(room, now_s);
    if (has_trial_left(room, limits, trial)) {
        wait_on(room, user, trial, where_it_waits(room, user), now_s, &place);
    }
    pthread_mutex_unlock(&room->lock);
}

static void begin_drawing(struct room *room, uint64_t opens_ms)
{
    if (room->drawn_for_ms != opens_ms) {
        memset(room->drawn, 0, TRIALS * sizeof(*room->drawn));
        room->drawn_for_ms = opens_ms;
    }
}

bool room_draw(struct room *room, const struct room_limits *limits, uint64_t customer,
               uint64_t opens_ms)
{
    uint32_t *drawn = &room->drawn[count_of(room, customer)];
    bool within;

    pthread_mutex_lock(&room->lock);
    begin_drawing(room, opens_ms);
    within = *drawn < trials_most(limits);
    *drawn += within;
    pthread_mutex_unlock(&room->lock);
    return within;
}

bool room_enter(struct room *room, const struct room_limits *limits, const struct room_user *user,
                uint64_t now_ms, struct room_place *place)
{
    uint32_t now_s = (uint32_t)(now_ms / 1000);
    bool in;

    pthread_mutex_lock(&room->lock);
    begin_order(room, now_s);
    in = is_let_in(room, limits, user, now_ms, place);
    pthread_mutex_unlock(&room->lock);
    return in;
}

uint32_t room_trial_s(const struct room_limits *limits)
{
    return limits->session_s < ROOM_TRIAL_S ? limits->session_s : ROOM_TRIAL_S;
}

bool room_stay(struct room *room, const struct room_limits *limits, uint64_t id,
               uint32_t good_until_s, uint64_t now_ms)
{
    uint32_t now_s = (uint32_t)(now_ms / 1000);
    struct seat *seat;

    pthread_mutex_lock(&room->lock);
    seat = find(&room->active, id);
    if (seat == NULL && good_until_s >= now_s) {
        seat = take_seat(room, &room->active, id, now_s);
        if (seat != NULL && room->former.active > 0) {
            room->former.active--;
        }
    }
    if (seat != NULL) {
        end_trial(room, seat);
        seat->until_s = now_s + limits->session_s;
    }
    pthread_mutex_unlock(&room->lock);
    return seat != NULL || good_until_s >= now_s;
}

/* --- time --------------------------------------------------------------------------------- */

void room_expect(struct room *room, const struct room_former *former)
{
    pthread_mutex_lock(&room->lock);
    room->former = *former;
    pthread_mutex_unlock(&room->lock);
}

static void forget_former(struct room *room, uint32_t now_s)
{
    if (now_s >= room->former.active_until_s) {
        room->former.active = 0;
    }
    if (now_s >= room->former.waiting_until_s) {
        room->former.waiting = 0;
    }
}

static void sweep_block(struct room *room, struct table *table, struct seat *block, uint32_t now_s)
{
    if (*taken_beside(table, block) == 0) {
        return;
    }
    for (uint32_t i = 0; i < BLOCK_SETS * WAYS; i++) {
        if (block[i].id != 0 && block[i].until_s < now_s) {
            give_up(room, table, &block[i]);
        }
    }
}

static void sweep(struct room *room, struct table *table, uint32_t now_s)
{
    bool any = true;

    for (uint32_t set = 0; any && set < table->sets; set += SWEEP_SETS) {
        pthread_mutex_lock(&room->lock);
        any = table->count > 0;
        for (uint32_t i = set; any && i < set + SWEEP_SETS; i += BLOCK_SETS) {
            sweep_block(room, table, &table->seats[(size_t)i * WAYS], now_s);
        }
        pthread_mutex_unlock(&room->lock);
    }
}

void room_tick(struct room *room, uint64_t now_ms)
{
    uint32_t now_s = (uint32_t)(now_ms / 1000);

    pthread_mutex_lock(&room->lock);
    forget_former(room, now_s);
    if (room->base_s != 0 && now_s - room->base_s > SPAN_S - 3600) {
        move_base(room, now_s);
    }
    pthread_mutex_unlock(&room->lock);
    sweep(room, &room->active, now_s);
    sweep(room, &room->waiting, now_s);
}

void room_note_turned_away(struct room *room, enum room_refusal cause)
{
    atomic_fetch_add_explicit(&room->turned_away[cause], 1, memory_order_relaxed);
}

struct room_tally room_tally(struct room *room)
{
    struct room_tally tally;

    pthread_mutex_lock(&room->lock);
    tally.admitted = room->admitted;
    pthread_mutex_unlock(&room->lock);
    for (int i = 0; i < ROOM_REFUSALS; i++) {
        tally.turned_away[i] = atomic_load_explicit(&room->turned_away[i], memory_order_relaxed);
    }
    return tally;
}

uint32_t room_active(struct room *room)
{
    uint32_t count;

    pthread_mutex_lock(&room->lock);
    count = room->active.count + room->former.active;
    pthread_mutex_unlock(&room->lock);
    return count;
}

uint32_t room_waiting(struct room *room)
{
    uint32_t count;

    pthread_mutex_lock(&room->lock);
    count = room->waiting.count;
    pthread_mutex_unlock(&room->lock);
    return count;
}

/* --- life --------------------------------------------------------------------------------- */

/* NULL: no memory. */
static void *take_pages(size_t size)
{
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return pages != MAP_FAILED ? pages : NULL;
}

static size_t table_size(const struct table *table)
{
    return (size_t)table->sets * WAYS * sizeof(struct seat);
}

static size_t taken_size(const struct table *table)
{
    return table->sets / BLOCK_SETS * sizeof(*table->taken);
}

static bool make_table(struct table *table, uint32_t sets)
{
    table->sets = sets;
    table->seats = take_pages(table_size(table));
    table->taken = take_pages(taken_size(table));
    return table->seats != NULL && table->taken != NULL;
}

static void free_table(struct table *table)
{
    if (table->seats != NULL) {
        munmap(table->seats, table_size(table));
    }
    if (table->taken != NULL) {
        munmap(table->taken, taken_size(table));
    }
}

struct room *room_new(uint32_t active)
{
    struct room *room = calloc(1, sizeof(*room));
    uint32_t sets = LEAST_SETS;
    struct random random;

    if (room == NULL) {
        return NULL;
    }
    pthread_mutex_init(&room->lock, NULL);
    while (sets * WAYS / 4 < active && sets < 1u << 20) {
        sets *= 2; /* four times the room, so that no set is ever full */
    }
    random_init(&random);
    room->secret = (struct siphash_key){random_next(&random), random_next(&random)};
    room->trials = take_pages(TRIALS * sizeof(*room->trials));
    room->drawn = take_pages(TRIALS * sizeof(*room->drawn));
    room->arrivals = take_pages(SPAN_S * sizeof(*room->arrivals));
    if (room->arrivals == NULL || room->trials == NULL || room->drawn == NULL ||
        !make_table(&room->active, sets) || !make_table(&room->waiting, WAITING_SETS)) {
        room_free(&room);
    }
    return room;
}

void room_free(struct room **held)
{
    struct room *room = *held;

    *held = NULL;
    if (room == NULL) {
        return;
    }
    if (room->arrivals != NULL) {
        munmap(room->arrivals, SPAN_S * sizeof(*room->arrivals));
    }
    if (room->trials != NULL) {
        munmap(room->trials, TRIALS * sizeof(*room->trials));
    }
    if (room->drawn != NULL) {
        munmap(room->drawn, TRIALS * sizeof(*room->drawn));
    }
    free_table(&room->active);
    free_table(&room->waiting);
    pthread_mutex_destroy(&room->lock);
    free(room);
}
