/* SPDX-License-Identifier: BSD-2-Clause */
/* net/watch on the core of libevent 2.1, the default engine: one persistent level-triggered event a
 * descriptor, and a base without locks a thread. event_base_loop runs as long as the loop does.
 *
 * What one look at the kernel found is a round. Turns end inside of it, in the callback of the event
 * that was told last (end_turn): after each WATCHES_A_TURN, and after the round. libevent could do
 * that only with a clock reading and another look at the kernel each time (max_dispatch_interval).
 * What must stay true: a turn ends before the kernel is waited for, and a watch that is called by
 * hand has its turn in the next round, so that none keeps the loop for itself. */
#include "net/watch.h"

#include "base/check.h"
#include "base/log/log.h"
#include "net/watch_full.h"
#include "net/watch_timer.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(EV_READ == WATCH_READABLE << 1 && EV_WRITE == WATCH_WRITABLE << 1, "see told_by");

struct watches {
    struct event_base *base;
    watches_turn_ends *ends;
    void *ends_owner;
    int reported; /* in this turn */
    int left;     /* of this round, while nothing was taken out; 0: it has not begun */
    int called;   /* in this round by hand, for the next one */
    bool unsure;  /* `left` may be too many: some of them were taken out */
    int found;    /* in this round */
    uint8_t round;
};

#define NO_ROUND 0

/* An idle connection has one: its size counts. */
struct event_watch {
    struct event event;
    watch_ready *ready;
    int32_t owner_at; /* from here */
    uint8_t wanted : 2;
    bool rests : 1;
    bool is_called : 1;  /* by hand, and not told yet */
    bool owes_call : 1;  /* by hand, from before it rested */
    bool is_timer : 1;   /* it has no descriptor */
    uint8_t called_in;   /* the round in which watches->called counts that; NO_ROUND: in none */
    uint8_t reported_in; /* the last round */
};

_Static_assert(sizeof(struct event_watch) == sizeof(struct watch), "WATCH_BYTES of net/watch.h");

/* Those that tell in this thread now: an event has no room to say whose it is. */
static _Thread_local struct watches *telling;
static _Thread_local struct watch_full full;

static struct event_watch *watch_in(struct watch *room)
{
    return (struct event_watch *)(void *)room->bytes;
}

/* --- the library ----------------------------------------------------------------------- */

static void on_library_word(int severity, const char *words)
{
    if (severity == EVENT_LOG_ERR) {
        log_error("libevent: %s", words); /* less than that comes back as an error to callers */
    }
}

static void prepare_library(void)
{
    event_set_log_callback(on_library_word);
    CHECK(evthread_use_pthreads() == 0);
    evthread_set_id_callback(
        NULL); /* no base is used by two threads, so none asks which it is in */
}

/* As libevent would read EVENT_NOEPOLL and its like. It is told to read no environment: among others
 * it would find EVENT_EPOLL_USE_CHANGELIST, with which errors of epoll_ctl come too late for callers,
 * and a descriptor that was closed is changed under its old number. */
static bool avoid_methods(struct event_config *config)
{
    static const struct {
        const char *name;
        const char *variable;
    } methods[] = {
        {"epoll", "EVENT_NOEPOLL"},     {"kqueue", "EVENT_NOKQUEUE"}, {"evport", "EVENT_NOEVPORT"},
        {"devpoll", "EVENT_NODEVPOLL"}, {"poll", "EVENT_NOPOLL"},     {"select", "EVENT_NOSELECT"},
    };

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (getenv(methods[i].variable) != NULL &&
            event_config_avoid_method(config, methods[i].name) < 0) {
            return false;
        }
    }
    return true;
}

static struct event_base *base_new(void)
{
    static pthread_once_t prepared = PTHREAD_ONCE_INIT;
    struct event_config *config;
    struct event_base *base;

    pthread_once(&prepared, prepare_library);
    config = event_config_new();
    if (config == NULL) {
        return NULL;
    }
    /* Its clock is not read here; net/loop has its own. */
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV |
                                      EVENT_BASE_FLAG_NO_CACHE_TIME);
    base = avoid_methods(config) ? event_base_new_with_config(config) : NULL;
    event_config_free(config);
    return base;
}

const char *watches_engine(void)
{
    static char text[64];
    struct event_base *base = base_new();

    snprintf(text, sizeof(text), "libevent %s, %s", event_get_version(),
             base != NULL ? event_base_get_method(base) : "which finds no method");
    if (base != NULL) {
        event_base_free(base);
    }
    return text;
}

struct watches *watches_new(void)
{
    struct watches *watches = calloc(1, sizeof(*watches));

    if (watches == NULL) {
        return NULL;
    }
    errno = ENOMEM; /* libevent does not always say why */
    watches->base = base_new();
    if (watches->base == NULL) {
        free(watches);
        return NULL;
    }
    return watches;
}

void watches_free(struct watches **watches)
{
    if (*watches != NULL) {
        event_base_free((*watches)->base);
        free(*watches);
        *watches = NULL;
    }
}

/* --- rounds and turns -------------------------------------------------------------------- */

static int active(const struct watches *watches)
{
    return event_base_get_num_events(watches->base, EVENT_BASE_COUNT_ACTIVE);
}

/* It is told or dropped. */
static void forget_call(struct event_watch *watch)
{
    if (watch->is_called && telling != NULL && watch->called_in == telling->round) {
        telling->called--;
    }
    watch->is_called = false;
}

static void next_round(struct watches *watches)
{
    watches->left = 0;
    watches->called = 0;
    watches->round++;
    watches->round += watches->round == NO_ROUND;
}

/* Alone in its round, as nearly always where there is little to do: libevent has taken it out of those
 * that are active, where its place said which one comes next. */
static bool is_alone(const struct event_watch *watch)
{
    return watch->event.ev_evcallback.evcb_active_next.tqe_next == NULL;
}

static void begin_round(struct watches *watches, const struct event_watch *first)
{
    watches->left = is_alone(first) ? 1 : active(watches) + 1;
    watches->found = watches->left;
    watches->unsure = false;
}

static void end_turn(struct watches *watches)
{
    watches->reported = 0;
    if (!watches->ends(watches->ends_owner)) {
        event_base_loopbreak(watches->base);
    }
}

/* Those called meanwhile are active already. libevent goes on with them before it looks at the kernel,
 * unless it is told to look first. */
static void end_round(struct watches *watches)
{
    if (watches->called > 0) {
        event_base_loopcontinue(watches->base);
    }
    next_round(watches);
}

static bool round_is_over(const struct watches *watches)
{
    return watches->left <= 0 || (watches->unsure && active(watches) <= watches->called);
}

/* What is done at the end of a turn may call watches by hand, and may stop those that were found. */
static void note_reported(struct watches *watches)
{
    bool is_over;

    watches->left--;
    is_over = round_is_over(watches);
    if (++watches->reported >= WATCHES_A_TURN || is_over) {
        end_turn(watches);
        if (is_over || round_is_over(watches)) {
            end_round(watches);
        }
    }
}

/* What was called by hand before a rest is told behind it. */
static short take_owed(struct event_watch *watch)
{
    bool owed = watch->owes_call && !watch->rests;

    watch->owes_call &= !owed;
    return owed ? WATCH_READABLE | WATCH_WRITABLE : 0;
}

static short reported_by(short what)
{
    return (what >> 1) & (WATCH_READABLE | WATCH_WRITABLE);
}

static bool end_rest(struct event_watch *watch);

/* What is told of a watch that is a timer, rests, or was called by hand, also before its rest; 0:
 * nothing. */
static __attribute__((noinline)) short reported_apart(struct event_watch *watch, short reported)
{
    if (watch->is_timer || (watch->rests && !end_rest(watch))) {
        reported |= WATCH_READABLE;
    }
    reported |= take_owed(watch);
    if (reported != 0 && watch->is_called) {
        forget_call(watch);
    }
    return reported;
}

/* The watch may be gone after its callback. */
static void on_event(evutil_socket_t fd, short what, void *room)
{
    struct watches *watches = telling;
    struct event_watch *watch = room;
    short reported = reported_by(what);

    if (watches->left == 0) {
        begin_round(watches, watch);
    }
    watch->reported_in = watches->round;
    if (watch->is_timer || watch->rests || watch->is_called || watch->owes_call) {
        reported = reported_apart(watch, reported);
    }
    if (reported != 0) {
        watch->ready(fd, reported, (char *)watch + watch->owner_at);
    }
    note_reported(watches);
}

bool watches_run(struct watches *watches, watches_turn_ends *ends, void *owner)
{
    struct watches *before = telling;
    bool runs;

    watches->ends = ends;
    watches->ends_owner = owner;
    telling = watches;
    next_round(watches);
    runs = event_base_loop(watches->base, EVLOOP_NO_EXIT_ON_EMPTY) >= 0;
    telling = before;
    return runs;
}

/* Told already in this round, or to be told. */
static bool is_found(const struct watches *watches, const struct watch *room)
{
    const struct event_watch *watch = (const struct event_watch *)(const void *)room->bytes;

    return watch->reported_in == watches->round ||
           (watch->event.ev_evcallback.evcb_flags & EVLIST_ACTIVE) != 0;
}

bool watches_found_more(const struct watches *watches, const struct watch *one,
                        const struct watch *two)
{
    return watches->found > is_found(watches, one) + is_found(watches, two) || watches->called > 0;
}

/* What was found ready is forgotten. */
static void delete (struct event_watch *watch)
{
    event_del(&watch->event);
    if (telling != NULL) {
        telling->unsure = true;
    }
}

/* --- one watch ------------------------------------------------------------------------- */

static void assign(struct event_watch *watch, struct event_base *base, int fd, short wanted)
{
    event_assign(&watch->event, base, fd, (short)(wanted << 1 | EV_PERSIST), on_event, watch);
}

/* errno says what libevent tells its log. */
static bool add(struct event *event)
{
    if (event_get_fd(event) < 0) {
        errno = EBADF;
        return false;
    }
    if (event_add(event, NULL) == 0) {
        return true;
    }
    if (errno == ENOSPC) {
        watch_full_note(&full);
    }
    return false;
}

static void take_out(struct event_watch *watch)
{
    forget_call(watch);
    watch->rests = false;
    watch->owes_call = false;
    delete (watch);
}

/* Taken out and added again, it would cost two system calls: another event keeps the descriptor in
 * the kernel meanwhile, with what is wanted then. Once that is there, nothing can fail. */
static bool replace(struct event_watch *watch, struct event_base *base, int fd, short wanted)
{
    struct event bridge;

    event_assign(&bridge, base, fd, (short)(wanted << 1), on_event, watch);
    if (!add(&bridge)) {
        return false;
    }
    take_out(watch);
    assign(watch, base, fd, wanted);
    event_add(&watch->event, NULL);
    event_del(&bridge);
    return true;
}

static bool change(struct event_watch *watch, short wanted)
{
    struct event_base *base = event_get_base(&watch->event);
    int fd = event_get_fd(&watch->event);
    short before = watch->wanted;

    watch->wanted = (uint8_t)wanted & 3;
    if (before != 0 && wanted != 0 && !watch->rests && replace(watch, base, fd, wanted)) {
        return true;
    }
    take_out(watch);
    assign(watch, base, fd, wanted);
    if (wanted != 0 && !add(&watch->event)) {
        watch->wanted = 0;
    }
    return watch->wanted == wanted;
}

static bool rest(struct event_watch *watch)
{
    static const struct timeval moment = {.tv_usec = WATCH_REST_MS * 1000};
    struct event_base *base = event_get_base(&watch->event);
    int fd = event_get_fd(&watch->event);

    delete (watch);
    event_assign(&watch->event, base, fd, 0, on_event, watch);
    watch->rests = event_add(&watch->event, &moment) == 0;
    return watch->rests;
}

/* false: the kernel has no room now; it is asked again after another rest, and its owner is told
 * meanwhile, which finds out by itself. */
static bool end_rest(struct event_watch *watch)
{
    struct event_base *base = event_get_base(&watch->event);
    int fd = event_get_fd(&watch->event);

    watch->rests = false;
    delete (watch);
    assign(watch, base, fd, watch->wanted);
    if (add(&watch->event)) {
        return true;
    }
    rest(watch);
    return false;
}

bool watch_start(struct watch *room, struct watches *watches, int fd, short wanted,
                 watch_ready *ready, void *owner)
{
    struct event_watch *watch = watch_in(room);
    ptrdiff_t owner_at = (char *)owner - (char *)watch;

    CHECK(owner_at == (int32_t)owner_at);
    *watch = (struct event_watch){
        .ready = ready, .owner_at = (int32_t)owner_at, .wanted = (uint8_t)wanted & 3};
    assign(watch, watches->base, fd, wanted);
    if (wanted != 0 && !add(&watch->event)) {
        memset(watch, 0, sizeof(*watch));
        return false;
    }
    return true;
}

bool watch_start_timer(struct watch *room, struct watches *watches, watch_ready *ready, void *owner)
{
    static const struct timeval hour = {.tv_sec = 3600};

    watch_start(room, watches, -1, 0, ready, owner);
    watch_in(room)->is_timer = true;
    if (event_add(&watch_in(room)->event, &hour) < 0) {
        memset(room, 0, sizeof(*room));
        errno = ENOMEM;
        return false;
    }
    return true;
}

void watch_set_timer(struct watch *room, uint64_t after_us)
{
    struct event_watch *watch = watch_in(room);
    const struct timeval after = {(time_t)(after_us / 1000000), (suseconds_t)(after_us % 1000000)};

    delete (watch);
    event_add(&watch->event, &after);
}

/* Ends a rest; what was called by hand before it is told. */
static void wake(struct watch *room)
{
    struct event_watch *watch = watch_in(room);
    bool owed = watch->owes_call;

    end_rest(watch);
    if (owed) {
        watch_call(room);
    }
}

bool watch_change(struct watch *room, short wanted)
{
    struct event_watch *watch = watch_in(room);

    CHECK(watch_is_on(room));
    if (watch->wanted != wanted) {
        return change(watch, wanted);
    }
    if (watch->rests) {
        wake(room);
    }
    return true;
}

void watch_rest(struct watch *room)
{
    struct event_watch *watch = watch_in(room);

    if (!watch_is_on(room) || watch->rests || watch->wanted != WATCH_READABLE) {
        return;
    }
    watch->owes_call = watch->is_called;
    forget_call(watch);
    if (!rest(watch)) {
        wake(room);
    }
}

bool watch_rests(const struct watch *room)
{
    return ((const struct event_watch *)(const void *)room->bytes)->rests;
}

/* What was found ready is told together with the call. */
void watch_call(struct watch *room)
{
    struct event_watch *watch = watch_in(room);
    int before;

    CHECK(watch_is_on(room));
    if (watch->rests) {
        end_rest(watch);
    }
    watch->owes_call = false;
    if (watch->is_called) {
        return;
    }
    watch->is_called = true;
    watch->called_in = NO_ROUND;
    before = telling != NULL ? active(telling) : 0;
    event_active(&watch->event, EV_READ | EV_WRITE, 0);
    if (telling != NULL && active(telling) > before) {
        watch->called_in = telling->round;
        telling->called++;
    }
}

bool watch_is_on(const struct watch *room)
{
    return ((const struct event_watch *)(const void *)room->bytes)->ready != NULL;
}

void watch_stop(struct watch *room)
{
    if (watch_is_on(room)) {
        take_out(watch_in(room));
        memset(room, 0, sizeof(*room));
    }
}
