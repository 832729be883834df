/* SPDX-License-Identifier: BSD-2-Clause */
/* Turns are run one by one: what is ready (net/watch) and due (net/timer), what was put off meanwhile,
 * and then the deferred frees are made. */
#include "net/loop.h"

#include "base/check.h"
#include "base/log/log.h"
#include "base/list.h"
#include "base/system/clock.h"
#include "base/system/descriptor.h"
#include "net/tick.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define TURN_END_MAX 8
#define GROUPS_MAX 12
#define ASK_REALTIME_US 1000000
#define AT_ONCE_US 50
#define EVENTS_A_READING 4
#define PAUSE_US 500000 /* more than a busy turn takes */
#define CATCH_UP_US 1000000

struct loop {
    struct watches *watches;
    struct tick tick;
    struct timer_wake wake; /* when the tick is due */
    uint64_t tick_due_us;   /* the same */
    uint64_t
        catch_up_us; /* after a pause, until when timers wait for what came; 0: there was none */
    uint64_t now_us;
    uint32_t events_to_reading; /* of the clock */
    uint64_t realtime_ahead_us; /* of the monotonic clock */
    uint64_t ask_realtime_us;   /* when by how much is found out again */
    bool stopping;
    loop_came_late *came_late; /* NULL: it is not asked */
    void *came_late_owner;
    struct link put_off; /* of struct later */
    int turn_end_count;
    loop_turn_end *turn_ends[TURN_END_MAX];
    void *turn_end_owners[TURN_END_MAX];
    int group_count;
    struct timer_group *groups[GROUPS_MAX];
    struct timer_group *alarms;
    struct watch post_watch;
    struct { /* under the lock: other threads write here */
        pthread_mutex_t lock;
        struct loop_message *first;
        struct loop_message **last;
        int wakeup[2]; /* a pipe: readable once something was sent; -1 */
        bool closed;
    } posts;
};

/* If the thread lost the processor between the two readings, the next call reads again. */
static void compare_clocks(struct loop *loop)
{
    uint64_t realtime = clock_us(CLOCK_REALTIME);
    bool at_once = clock_us(CLOCK_MONOTONIC) - loop->now_us <= AT_ONCE_US;

    if (at_once || loop->ask_realtime_us == 0) {
        loop->realtime_ahead_us = realtime - loop->now_us;
        loop->ask_realtime_us = loop->now_us + (at_once ? ASK_REALTIME_US : 1);
    }
}

uint64_t loop_read_clock(struct loop *loop)
{
    loop->now_us = clock_us(CLOCK_MONOTONIC);
    loop->events_to_reading = EVENTS_A_READING;
    if (loop->now_us >= loop->ask_realtime_us) {
        compare_clocks(loop);
    }
    return loop->now_us;
}

uint64_t loop_used_time(void)
{
    return clock_us(CLOCK_THREAD_CPUTIME_ID);
}

void loop_note_event(struct loop *loop)
{
    if (loop->events_to_reading == 0) {
        loop_read_clock(loop);
    }
    loop->events_to_reading--;
}

uint64_t loop_realtime(const struct loop *loop)
{
    return loop->now_us + loop->realtime_ahead_us;
}

uint64_t loop_now(const struct loop *loop)
{
    return loop->now_us;
}

/* The process was stopped, or its machine was: what came meanwhile may have come in time, so it is read
 * before timers ring. Those who keep coming do not hold them up for long. */
static bool comes_too_early(struct loop *loop, uint64_t now_us)
{
    if (loop->catch_up_us == 0 && now_us > loop->tick_due_us + PAUSE_US) {
        loop->catch_up_us = now_us + CATCH_UP_US;
    }
    if (loop->catch_up_us > now_us &&
        watches_found_more(loop->watches, &loop->tick.watch, &loop->post_watch)) {
        return true;
    }
    loop->catch_up_us = 0;
    return false;
}

static void on_tick(int fd, short what, void *owner)
{
    struct loop *loop = owner;
    uint64_t now = loop_read_clock(loop);

    (void)fd;
    (void)what;
    if (loop->came_late != NULL) {
        loop->came_late(loop->came_late_owner,
                        now > loop->tick_due_us ? now - loop->tick_due_us : 0);
    }
    if (comes_too_early(loop, now)) {
        tick_stay(&loop->tick);
        return;
    }
    for (int i = 0; i < loop->group_count; i++) {
        timer_group_advance(loop->groups[i], now);
    }
    loop->wake.too_late = true; /* it is set anew at the end of the turn, and then not readable */
}

/* Sleeps as long as no timer can be due: a loop with nothing to do does not wake up. */
static void set_tick(struct loop *loop)
{
    uint64_t now = loop_read_clock(loop);
    uint32_t ticks = TIMER_REST_TICKS;
    uint64_t due_us;

    for (int i = 0; i < loop->group_count; i++) {
        uint32_t next = timer_group_next(loop->groups[i]);

        ticks = next < ticks ? next : ticks;
    }
    due_us = now - now % TIMER_TICK_US + (uint64_t)ticks * TIMER_TICK_US;
    loop->wake.tick = timer_tick_of(now) + ticks;
    loop->wake.too_late = false;
    loop->tick_due_us = due_us;
    tick_set(&loop->tick, due_us, now);
}

/* Its sender may send it again, or free it, from inside the call. */
static void deliver(struct loop_message *message)
{
    loop_posted *call = message->call;
    void *owner = message->owner;

    if (message->is_posted) {
        free(message);
    }
    call(owner);
}

static void on_posts(int fd, short what, void *owner)
{
    struct loop *loop = owner;
    struct loop_message *message;

    char sent[256];

    (void)what;
    if (read(fd, sent, sizeof(sent)) <= 0) {
        return;
    }
    pthread_mutex_lock(&loop->posts.lock);
    message = loop->posts.first;
    loop->posts.first = NULL;
    loop->posts.last = &loop->posts.first;
    pthread_mutex_unlock(&loop->posts.lock);
    loop_read_clock(loop);
    while (message != NULL) {
        struct loop_message *next = message->next;

        deliver(message);
        message = next;
    }
}

static bool open_post_queue(struct loop *loop)
{
    pthread_mutex_init(&loop->posts.lock, NULL);
    loop->posts.last = &loop->posts.first;
    return descriptor_pipe(loop->posts.wakeup) &&
           loop_watch(loop, &loop->post_watch, loop->posts.wakeup[0], WATCH_READABLE, on_posts,
                      loop);
}

static void on_alarm(struct timer *timer)
{
    struct alarm *alarm = CONTAINER_OF(timer, struct alarm, timer);

    alarm->rings(alarm->owner);
}

struct loop *loop_new(void)
{
    struct loop *loop = calloc(1, sizeof(*loop));

    if (loop == NULL) {
        return NULL;
    }
    loop->posts.wakeup[0] = loop->posts.wakeup[1] = -1;
    loop->tick.fd = -1;
    list_init(&loop->put_off);
    loop->watches = watches_new();
    if (loop->watches == NULL || !open_post_queue(loop) ||
        !tick_open(&loop->tick, loop->watches, on_tick, loop)) {
        loop_free(&loop);
        return NULL;
    }
    loop_read_clock(loop);
    loop->alarms = timer_group_new(loop, on_alarm);
    if (loop->alarms == NULL) {
        loop_free(&loop);
        return NULL;
    }
    set_tick(loop);
    return loop;
}

void loop_free(struct loop **loop)
{
    struct loop_message *message;

    if (*loop == NULL) {
        return;
    }
    for (int i = 0; i < (*loop)->group_count; i++) {
        timer_group_free(&(*loop)->groups[i]);
    }
    tick_close(&(*loop)->tick);
    watch_stop(&(*loop)->post_watch);
    for (int i = 0; i < 2 && (*loop)->posts.wakeup[i] >= 0; i++) {
        close((*loop)->posts.wakeup[i]);
    }
    message = (*loop)->posts.first;
    while (message != NULL) {
        struct loop_message *next = message->next;

        if (message->is_posted) {
            free(message);
        }
        message = next;
    }
    watches_free(&(*loop)->watches);
    free(*loop);
    *loop = NULL;
}

void loop_later(struct loop *loop, struct later *later, later_call *call, void *owner)
{
    if (later->call == NULL) {
        later->call = call;
        later->owner = owner;
        list_add_last(&loop->put_off, &later->link);
    }
}

void later_cancel(struct later *later)
{
    if (later->call != NULL) {
        later->call = NULL;
        list_remove(&later->link);
    }
}

/* What is put off meanwhile is done too. */
static void do_what_was_put_off(struct loop *loop)
{
    struct link *link;

    while ((link = list_first(&loop->put_off)) != NULL) {
        struct later *later = CONTAINER_OF(link, struct later, link);
        later_call *call = later->call;

        later_cancel(later);
        call(later->owner);
    }
}

static bool end_turn(void *owner)
{
    struct loop *loop = owner;

    do_what_was_put_off(loop);
    for (int i = 0; i < loop->turn_end_count; i++) {
        loop->turn_ends[i](loop->turn_end_owners[i]);
    }
    if (loop->wake.too_late) {
        set_tick(loop);
    }
    loop->events_to_reading = 0; /* it may wait for long now */
    return !loop->stopping;
}

void loop_run(struct loop *loop)
{
    loop->wake.too_late = true; /* timers may have been set before the first turn */
    set_tick(loop);
    loop->events_to_reading = 0;
    if (!loop->stopping) {
        watches_run(loop->watches, end_turn, loop);
    }
    loop->stopping = false;
}

void loop_stop(struct loop *loop)
{
    loop->stopping = true;
}

void loop_at_turn_end(struct loop *loop, loop_turn_end *call, void *owner)
{
    CHECK(loop->turn_end_count < TURN_END_MAX);
    loop->turn_ends[loop->turn_end_count] = call;
    loop->turn_end_owners[loop->turn_end_count++] = owner;
}

void loop_report_lag(struct loop *loop, loop_came_late *call, void *owner)
{
    loop->came_late = call;
    loop->came_late_owner = owner;
}

bool loop_close_posts(struct loop *loop)
{
    bool closed;

    pthread_mutex_lock(&loop->posts.lock);
    closed = loop->posts.closed = loop->posts.first == NULL;
    pthread_mutex_unlock(&loop->posts.lock);
    return closed;
}

static bool enqueue(struct loop *loop, struct loop_message *message)
{
    bool closed;

    message->next = NULL;
    pthread_mutex_lock(&loop->posts.lock);
    closed = loop->posts.closed;
    if (!closed) {
        *loop->posts.last = message;
        loop->posts.last = &message->next;
    }
    pthread_mutex_unlock(&loop->posts.lock);
    /* It is the loop's now, whatever becomes of the wake-up. EAGAIN: the pipe is full of them. */
    if (!closed && write(loop->posts.wakeup[1], "", 1) < 0 && errno != EAGAIN) {
        log_error("cannot wake a worker: %s", strerror(errno));
    }
    return !closed;
}

bool loop_send(struct loop *loop, struct loop_message *message, loop_posted *call, void *owner)
{
    *message = (struct loop_message){.call = call, .owner = owner};
    return enqueue(loop, message);
}

bool loop_post(struct loop *loop, loop_posted *call, void *owner)
{
    struct loop_message *message = malloc(sizeof(*message));

    if (message == NULL) {
        return false;
    }
    *message = (struct loop_message){.call = call, .owner = owner, .is_posted = true};
    if (!enqueue(loop, message)) {
        free(message);
        return false;
    }
    return true;
}

bool loop_watch(struct loop *loop, struct watch *watch, int fd, short wanted, watch_ready *ready,
                void *owner)
{
    return watch_start(watch, loop->watches, fd, wanted, ready, owner);
}

struct timer_group *timer_group_new(struct loop *loop, timer_due *due)
{
    struct timer_group *group = timer_group_make(due, &loop->now_us, &loop->wake);

    CHECK(loop->group_count < GROUPS_MAX);
    if (group != NULL) {
        loop->groups[loop->group_count++] = group;
    }
    return group;
}

void alarm_set(struct loop *loop, struct alarm *alarm, uint32_t milliseconds, alarm_rings *rings,
               void *owner)
{
    alarm->rings = rings;
    alarm->owner = owner;
    timer_set(loop->alarms, &alarm->timer, milliseconds);
}

void alarm_clear(struct loop *loop, struct alarm *alarm)
{
    timer_clear(loop->alarms, &alarm->timer);
}

bool alarm_is_set(const struct alarm *alarm)
{
    return timer_is_set(&alarm->timer);
}
