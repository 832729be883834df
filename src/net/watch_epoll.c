/* SPDX-License-Identifier: BSD-2-Clause */
/* net/watch on epoll alone, level-triggered: the engine of --with-events=epoll. The kernel keeps the
 * watch itself with its descriptor, so there is no table by descriptor number that would grow with
 * the highest one. What must stay true: once a watch has stopped, no event that points to it is left
 * (forget_events). */
#include "net/watch.h"

#include "base/check.h"
#include "base/list.h"
#include "net/watch_full.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

struct watches {
    int epoll;
    int next; /* of the events: those before it have been told */
    int count;
    struct watch_full full;
    struct link called; /* by hand */
    struct link resting;
    struct timespec rest_ends; /* of all that rest */
    struct epoll_event events[WATCHES_A_TURN];
};

struct epoll_watch {
    struct watches *watches; /* NULL: stopped */
    watch_ready *ready;
    void *owner;
    struct link called; /* by hand; or among those that rest */
    int fd;
    short wanted;
    bool is_called : 1;
    bool rests : 1;
    bool owes_call : 1; /* by hand, from before it rested */
};

_Static_assert(sizeof(struct epoll_watch) == sizeof(struct watch), "WATCH_BYTES of net/watch.h");

static struct epoll_watch *watch_in(struct watch *room)
{
    return (struct epoll_watch *)(void *)room->bytes;
}

const char *watches_engine(void)
{
    return "epoll, without a library";
}

struct watches *watches_new(void)
{
    struct watches *watches = calloc(1, sizeof(*watches));

    if (watches == NULL) {
        return NULL;
    }
    list_init(&watches->called);
    list_init(&watches->resting);
    watches->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (watches->epoll < 0) {
        free(watches);
        return NULL;
    }
    return watches;
}

void watches_free(struct watches **watches)
{
    if (*watches != NULL) {
        close((*watches)->epoll);
        free(*watches);
        *watches = NULL;
    }
}

/* --- the kernel ------------------------------------------------------------------------ */

/* A descriptor of which nothing is wanted is taken out: epoll would tell its hang-up again and
 * again. */
static int operation_for(short before, short wanted)
{
    if (wanted == 0) {
        return EPOLL_CTL_DEL;
    }
    return before == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
}

static bool report_kernel(struct epoll_watch *watch, int operation, short wanted)
{
    struct epoll_event event = {
        .events = ((wanted & WATCH_READABLE) != 0 ? (uint32_t)EPOLLIN : 0) |
                  ((wanted & WATCH_WRITABLE) != 0 ? (uint32_t)EPOLLOUT : 0),
        .data.ptr = watch,
    };

    if (epoll_ctl(watch->watches->epoll, operation, watch->fd, &event) == 0) {
        return true;
    }
    if (errno == ENOSPC) {
        watch_full_note(&watch->watches->full);
    }
    return false;
}

static void call(struct epoll_watch *watch)
{
    if (!watch->is_called) {
        watch->is_called = true;
        list_add_last(&watch->watches->called, &watch->called);
    }
}

static void leave_rest(struct epoll_watch *watch)
{
    if (watch->rests) {
        watch->rests = false;
        watch->owes_call = false;
        list_remove(&watch->called);
    }
}

/* What came meanwhile is told as ever. To change what the kernel has already cannot fail. */
static void end_rest(struct epoll_watch *watch)
{
    bool owed = watch->owes_call;

    leave_rest(watch);
    report_kernel(watch, EPOLL_CTL_MOD, watch->wanted);
    if (owed) {
        call(watch);
    }
}

static void set_end_of_rest(struct watches *watches)
{
    clock_gettime(CLOCK_MONOTONIC, &watches->rest_ends);
    watches->rest_ends.tv_nsec += WATCH_REST_MS * 1000000;
    if (watches->rest_ends.tv_nsec >= 1000000000) {
        watches->rest_ends.tv_nsec -= 1000000000;
        watches->rest_ends.tv_sec++;
    }
}

/* --- telling --------------------------------------------------------------------------- */

static short take_call(struct epoll_watch *watch)
{
    if (!watch->is_called) {
        return 0;
    }
    watch->is_called = false;
    list_remove(&watch->called);
    return WATCH_READABLE | WATCH_WRITABLE;
}

/* An error or a hang-up comes unasked, and shows when the owner reads or writes. */
static short ready_for(uint32_t events)
{
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
        return WATCH_READABLE | WATCH_WRITABLE;
    }
    return (short)(((events & EPOLLIN) != 0 ? WATCH_READABLE : 0) |
                   ((events & EPOLLOUT) != 0 ? WATCH_WRITABLE : 0));
}

/* Its owner may have asked for less since the event was found. */
static void report_event(const struct epoll_event *event)
{
    struct epoll_watch *watch = event->data.ptr;
    short what;

    if (watch == NULL) {
        return;
    }
    what = (short)((ready_for(event->events) & watch->wanted) | take_call(watch));
    if (what != 0) {
        watch->ready(watch->fd, what, watch->owner);
    }
}

/* Who is called while this goes on has its turn in the next round: no watch can keep the loop. */
static void report_called(struct watches *watches)
{
    struct link now;
    struct link *link;

    list_take_all(&now, &watches->called);
    while ((link = list_first(&now)) != NULL) {
        struct epoll_watch *watch = CONTAINER_OF(link, struct epoll_watch, called);
        short what = take_call(watch);

        watch->ready(watch->fd, what, watch->owner);
    }
}

static int64_t rest_left_ns(const struct watches *watches)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (watches->rest_ends.tv_sec - now.tv_sec) * INT64_C(1000000000) +
           (watches->rest_ends.tv_nsec - now.tv_nsec);
}

/* -1: until something comes. */
static int time_to_wait_ms(const struct watches *watches)
{
    int64_t left_ns;

    if (!list_is_empty(&watches->called)) {
        return 0;
    }
    if (list_is_empty(&watches->resting)) {
        return -1;
    }
    left_ns = rest_left_ns(watches);
    return left_ns > 0 ? (int)(left_ns / 1000000) + 1 : 0;
}

static void wake_those_that_rest(struct watches *watches)
{
    struct link *link;

    if (list_is_empty(&watches->resting) || rest_left_ns(watches) > 0) {
        return;
    }
    while ((link = list_first(&watches->resting)) != NULL) {
        end_rest(CONTAINER_OF(link, struct epoll_watch, called));
    }
}

static bool take_turn(struct watches *watches)
{
    int count;

    wake_those_that_rest(watches);
    count = epoll_wait(watches->epoll, watches->events, WATCHES_A_TURN, time_to_wait_ms(watches));
    if (count < 0) {
        return errno == EINTR;
    }
    watches->count = count;
    for (watches->next = 0; watches->next < watches->count;) {
        report_event(&watches->events[watches->next++]);
    }
    report_called(watches);
    return true;
}

bool watches_run(struct watches *watches, watches_turn_ends *ends, void *owner)
{
    do {
        if (!take_turn(watches)) {
            return false;
        }
    } while (ends(owner));
    return true;
}

bool watches_found_more(const struct watches *watches, const struct watch *one,
                        const struct watch *two)
{
    for (int i = 0; i < watches->count; i++) {
        const void *watch = watches->events[i].data.ptr;

        if (watch != NULL && watch != one && watch != two) {
            return true;
        }
    }
    return !list_is_empty(&watches->called);
}

/* --- one watch ------------------------------------------------------------------------- */

static bool change(struct epoll_watch *watch, short wanted)
{
    short before = watch->wanted;

    if (before == wanted) {
        if (watch->rests) {
            end_rest(watch);
        }
        return true;
    }
    take_call(watch);
    leave_rest(watch);
    watch->wanted = wanted;
    if (!report_kernel(watch, operation_for(before, wanted), wanted)) {
        watch->wanted = 0;
        return wanted == 0;
    }
    return true;
}

bool watch_start(struct watch *room, struct watches *watches, int fd, short wanted,
                 watch_ready *ready, void *owner)
{
    struct epoll_watch *watch = watch_in(room);

    *watch = (struct epoll_watch){.watches = watches, .ready = ready, .owner = owner, .fd = fd};
    if (!change(watch, wanted)) {
        watch->watches = NULL;
        return false;
    }
    return true;
}

bool watch_change(struct watch *room, short wanted)
{
    CHECK(watch_is_on(room));
    return change(watch_in(room), wanted);
}

void watch_rest(struct watch *room)
{
    struct epoll_watch *watch = watch_in(room);
    struct watches *watches = watch->watches;

    if (watches == NULL || watch->rests || watch->wanted != WATCH_READABLE ||
        !report_kernel(watch, EPOLL_CTL_MOD, 0)) {
        return;
    }
    watch->owes_call = take_call(watch) != 0;
    if (list_is_empty(&watches->resting)) {
        set_end_of_rest(watches);
    }
    watch->rests = true;
    list_add_last(&watches->resting, &watch->called);
}

void watch_call(struct watch *room)
{
    struct epoll_watch *watch = watch_in(room);

    if (watch->rests) {
        end_rest(watch);
    }
    call(watch);
}

bool watch_rests(const struct watch *room)
{
    return ((const struct epoll_watch *)(const void *)room->bytes)->rests;
}

bool watch_is_on(const struct watch *room)
{
    return ((const struct epoll_watch *)(const void *)room->bytes)->watches != NULL;
}

static void forget_events(struct watches *watches, const struct epoll_watch *watch)
{
    for (int i = watches->next; i < watches->count; i++) {
        if (watches->events[i].data.ptr == watch) {
            watches->events[i].data.ptr = NULL;
        }
    }
}

void watch_stop(struct watch *room)
{
    struct epoll_watch *watch = watch_in(room);

    if (watch->watches != NULL) {
        take_call(watch);
        change(watch, 0);
        forget_events(watch->watches, watch);
        memset(watch, 0, sizeof(*watch));
    }
}
