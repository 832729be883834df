/* SPDX-License-Identifier: BSD-2-Clause */
/* The only file that knows epoll, level-triggered. The kernel keeps the watch itself with its
 * descriptor, so there is no table by descriptor number that would grow with the highest one. What
 * must stay true: once a watch has stopped, no event that points to it is left (forget_events). */
#include "net/watch.h"

#include "base/check.h"
#include "base/log/log.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

/* What a turn deals with before answers that it put off are written. With more, a burst would keep
 * the first of them waiting; with fewer, each would pay a larger share of epoll_wait. */
#define EVENTS_A_TURN 64
#define TELL_AGAIN_S 60

struct watches {
    int epoll;
    int next; /* of the events: those before it have been told */
    int count;
    time_t full;        /* when that was told last; 0: never */
    struct link called; /* by hand */
    struct link resting;
    struct timespec rest_ends; /* of all that rest */
    struct epoll_event events[EVENTS_A_TURN];
};

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

/* The kernel counts all watches of a user and has a limit for them, beside that for descriptors.
 * To callers it is memory that is short: whoever is at the other end is not to blame. */
static void note_full(struct watches *watches)
{
    time_t now = time(NULL);

    if (watches->full == 0 || now - watches->full >= TELL_AGAIN_S) {
        log_warning("the kernel watches no more descriptors for this user: connections are closed "
                    "(raise fs.epoll.max_user_watches)");
        watches->full = now;
    }
    errno = ENOMEM;
}

/* A descriptor of which nothing is wanted is taken out: epoll would tell its hang-up again and
 * again. */
static int operation_for(short before, short wanted)
{
    if (wanted == 0) {
        return EPOLL_CTL_DEL;
    }
    return before == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
}

static bool tell_kernel(struct watch *watch, int operation, short wanted)
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
        note_full(watch->watches);
    }
    return false;
}

static void leave_rest(struct watch *watch)
{
    if (watch->rests) {
        watch->rests = false;
        list_remove(&watch->called);
    }
}

/* What came meanwhile is told as ever. To change what the kernel has already cannot fail. */
static void end_rest(struct watch *watch)
{
    leave_rest(watch);
    tell_kernel(watch, EPOLL_CTL_MOD, watch->wanted);
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

static short take_call(struct watch *watch)
{
    if (!watch->is_called) {
        return 0;
    }
    watch->is_called = false;
    list_remove(&watch->called);
    return WATCH_READABLE | WATCH_WRITABLE;
}

/* An error or a hang-up comes unasked, and shows to whoever reads or writes. */
static short ready_for(uint32_t events)
{
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
        return WATCH_READABLE | WATCH_WRITABLE;
    }
    return (short)(((events & EPOLLIN) != 0 ? WATCH_READABLE : 0) |
                   ((events & EPOLLOUT) != 0 ? WATCH_WRITABLE : 0));
}

/* Its owner may have asked for less since the event was found. */
static void tell_event(const struct epoll_event *event)
{
    struct watch *watch = event->data.ptr;
    short what;

    if (watch == NULL) {
        return;
    }
    what = (short)((ready_for(event->events) & watch->wanted) | take_call(watch));
    if (what != 0) {
        watch->ready(watch->fd, what, watch->owner);
    }
}

/* Who is called while this goes on has its turn in the next round: nobody can keep the loop. */
static void tell_called(struct watches *watches)
{
    struct link now;
    struct link *link;

    list_take_all(&now, &watches->called);
    while ((link = list_first(&now)) != NULL) {
        struct watch *watch = CONTAINER_OF(link, struct watch, called);
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
        end_rest(CONTAINER_OF(link, struct watch, called));
    }
}

bool watches_turn(struct watches *watches)
{
    int count;

    wake_those_that_rest(watches);
    count = epoll_wait(watches->epoll, watches->events, EVENTS_A_TURN, time_to_wait_ms(watches));
    if (count < 0) {
        return errno == EINTR;
    }
    watches->count = count;
    for (watches->next = 0; watches->next < watches->count;) {
        tell_event(&watches->events[watches->next++]);
    }
    tell_called(watches);
    return true;
}

bool watches_found_more(const struct watches *watches, const struct watch *one,
                        const struct watch *two)
{
    for (int i = 0; i < watches->count; i++) {
        const struct watch *watch = watches->events[i].data.ptr;

        if (watch != NULL && watch != one && watch != two) {
            return true;
        }
    }
    return !list_is_empty(&watches->called);
}

/* --- one watch ------------------------------------------------------------------------- */

bool watch_start(struct watch *watch, struct watches *watches, int fd, short wanted,
                 watch_ready *ready, void *owner)
{
    *watch = (struct watch){.watches = watches, .ready = ready, .owner = owner, .fd = fd};
    if (!watch_change(watch, wanted)) {
        watch->watches = NULL;
        return false;
    }
    return true;
}

bool watch_change(struct watch *watch, short wanted)
{
    short before = watch->wanted;

    CHECK(watch->watches != NULL);
    if (before == wanted) {
        if (watch->rests) {
            end_rest(watch);
        }
        return true;
    }
    take_call(watch);
    leave_rest(watch);
    watch->wanted = wanted;
    if (!tell_kernel(watch, operation_for(before, wanted), wanted)) {
        watch->wanted = 0;
        return wanted == 0;
    }
    return true;
}

void watch_rest(struct watch *watch)
{
    struct watches *watches = watch->watches;

    if (watches == NULL || watch->is_called || watch->rests ||
        (watch->wanted & WATCH_READABLE) == 0 ||
        !tell_kernel(watch, EPOLL_CTL_MOD, watch->wanted & ~WATCH_READABLE)) {
        return;
    }
    if (list_is_empty(&watches->resting)) {
        set_end_of_rest(watches);
    }
    watch->rests = true;
    list_add_last(&watches->resting, &watch->called);
}

void watch_call(struct watch *watch)
{
    if (watch->rests) {
        end_rest(watch);
    }
    if (!watch->is_called) {
        watch->is_called = true;
        list_add_last(&watch->watches->called, &watch->called);
    }
}

bool watch_is_on(const struct watch *watch)
{
    return watch->watches != NULL;
}

static void forget_events(struct watches *watches, const struct watch *watch)
{
    for (int i = watches->next; i < watches->count; i++) {
        if (watches->events[i].data.ptr == watch) {
            watches->events[i].data.ptr = NULL;
        }
    }
}

void watch_stop(struct watch *watch)
{
    if (watch->watches != NULL) {
        take_call(watch);
        watch_change(watch, 0);
        forget_events(watch->watches, watch);
        memset(watch, 0, sizeof(*watch));
    }
}
