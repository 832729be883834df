/* SPDX-License-Identifier: BSD-2-Clause */
/* Four times in the manager's time, each worker gets a posted call, which an idle worker answers like
 * a busy one: a turn costs nothing more. A worker that has not answered the last call gets none, and
 * the watchdog is not fed until it has. */
#include "process/watchdog.h"

#include "base/log/log.h"
#include "process/system/announce.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define FEEDS 4 /* in the manager's time */

struct sign { /* of one worker */
    struct loop_message message;
    atomic_bool has_turned;
    bool is_late;
};

struct watchdog {
    struct loop *loop;
    struct worker **workers;
    struct alarm alarm;
    uint32_t interval_ms;
    uint32_t count;
    struct sign signs[];
};

static uint64_t number_in(const char *variable)
{
    const char *text = getenv(variable);

    return text != NULL ? strtoull(text, NULL, 10) : 0;
}

/* On the worker's thread. */
static void on_turn(void *owner)
{
    struct sign *sign = owner;

    atomic_store(&sign->has_turned, true);
}

static void report(struct watchdog *watchdog, uint32_t worker, bool is_late)
{
    struct sign *sign = &watchdog->signs[worker];

    if (sign->is_late == is_late) {
        return;
    }
    sign->is_late = is_late;
    if (is_late) {
        log_warning("worker %u has not turned for %u ms: the service manager's watchdog is not fed",
                    worker, watchdog->interval_ms);
    } else {
        log_info("worker %u turns again", worker);
    }
}

static bool all_have_turned(struct watchdog *watchdog)
{
    bool all = true;

    for (uint32_t i = 0; i < watchdog->count; i++) {
        bool has_turned = atomic_load(&watchdog->signs[i].has_turned);

        report(watchdog, i, !has_turned);
        all = all && has_turned;
    }
    return all;
}

/* A worker that has ended takes no call: nothing is expected of it. */
static void ask_again(struct watchdog *watchdog)
{
    for (uint32_t i = 0; i < watchdog->count; i++) {
        struct sign *sign = &watchdog->signs[i];

        if (atomic_exchange(&sign->has_turned, false) &&
            !worker_send(watchdog->workers[i], &sign->message, on_turn, sign)) {
            atomic_store(&sign->has_turned, true);
        }
    }
}

static void on_alarm(void *owner)
{
    struct watchdog *watchdog = owner;

    if (all_have_turned(watchdog)) {
        announce("WATCHDOG=1");
    }
    ask_again(watchdog);
    alarm_set(watchdog->loop, &watchdog->alarm, watchdog->interval_ms, on_alarm, watchdog);
}

static bool is_for_this_process(bool is_successor)
{
    uint64_t pid = number_in("WATCHDOG_PID");

    return pid == 0 || is_successor || pid == (uint64_t)getpid();
}

struct watchdog *watchdog_start(struct loop *loop, struct worker **workers, uint32_t count,
                                bool is_successor)
{
    uint64_t interval_ms = number_in("WATCHDOG_USEC") / 1000 / FEEDS;
    struct watchdog *watchdog;

    if (interval_ms == 0 || interval_ms > INT32_MAX || !is_for_this_process(is_successor)) {
        return NULL;
    }
    watchdog = calloc(1, sizeof(*watchdog) + count * sizeof(*watchdog->signs));
    if (watchdog == NULL) {
        log_warning("out of memory: the service manager's watchdog is not fed");
        return NULL;
    }
    watchdog->loop = loop;
    watchdog->workers = workers;
    watchdog->interval_ms = (uint32_t)interval_ms;
    watchdog->count = count;
    for (uint32_t i = 0; i < count; i++) {
        atomic_store(&watchdog->signs[i].has_turned, true);
    }
    on_alarm(watchdog);
    return watchdog;
}

void watchdog_stop(struct watchdog *watchdog)
{
    if (watchdog != NULL) {
        alarm_clear(watchdog->loop, &watchdog->alarm);
    }
}

void watchdog_free(struct watchdog **watchdog)
{
    watchdog_stop(*watchdog);
    free(*watchdog);
    *watchdog = NULL;
}
