/* SPDX-License-Identifier: BSD-2-Clause */
/* Start: descriptors, sockets, privileges, log, workers. Then this thread waits for signals.
 * Stop: the other way round. */
#include "process/process.h"

#include "base/log.h"
#include "origin/origin_book.h"
#include "process/admin.h"
#include "process/descriptors.h"
#include "process/privilege.h"
#include "process/sockets.h"
#include "process/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

/* With room for as many: 2 million entries of 32 bytes, of which only those in use take memory. */
#define CLIENT_ADDRESSES 1000000

struct process {
    struct plan *plan;
    const struct settings *settings;
    struct sockets *sockets;
    struct access_log *log;
    struct origin_book *origin_book;
    struct client_book *client_book;
    struct worker **workers;
    uint32_t started;
    struct admin *admin;
};

/* --- signals ----------------------------------------------------------------------------- */

static const int handled[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};

/* Blocked in every thread, taken with sigwait in this one. */
static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++) {
        sigaddset(set, handled[i]);
    }
    pthread_sigmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void drain(struct process *process, uint32_t deadline_ms)
{
    for (uint32_t i = 0; i < process->started; i++) {
        worker_drain(process->workers[i], deadline_ms);
    }
}

/* While the workers finish, a second signal must still be heard. */
struct ending {
    struct process *process;
    bool clean;
    atomic_bool over;
};

static void *join_workers(void *owner)
{
    struct ending *ending = owner;

    for (uint32_t i = 0; i < ending->process->started; i++) {
        if (!worker_join(ending->process->workers[i])) {
            ending->clean = false;
        }
    }
    atomic_store(&ending->over, true);
    return NULL;
}

static bool finish(struct process *process, const sigset_t *set)
{
    const struct timespec look = {0, 20000000};
    struct ending ending = {process, true, false};
    pthread_t joiner;

    admin_tell_stopping(process->admin);
    drain(process, process->settings->timeouts.drain);
    if (pthread_create(&joiner, NULL, join_workers, &ending) != 0) {
        join_workers(&ending);
        return ending.clean;
    }
    while (!atomic_load(&ending.over)) {
        int signal_number = sigtimedwait(set, NULL, &look);

        if (signal_number == SIGTERM || signal_number == SIGINT) {
            log_info("second signal: ending at once");
            drain(process, 0);
        }
    }
    pthread_join(joiner, NULL);
    return ending.clean;
}

static bool serve_signals(struct process *process, const sigset_t *set)
{
    int signal_number;

    for (;;) {
        sigwait(set, &signal_number);
        switch (signal_number) {
        case SIGUSR1:
            if (process->log != NULL) {
                access_log_reopen(process->log);
            }
            break;
        case SIGHUP:
            log_warning("SIGHUP: reload is not built yet; the configuration stays as it is");
            break;
        default:
            log_info("stopping: answering what is under way for at most %u s",
                     process->settings->timeouts.drain / 1000);
            return finish(process, set);
        }
    }
}

/* --- start and stop ---------------------------------------------------------------------- */

static bool start_log(struct process *process)
{
    const struct access_log_settings *settings = &process->settings->access_log;

    if (settings->target == ACCESS_LOG_OFF) {
        return true;
    }
    process->log = access_log_start(settings, process->settings->workers);
    if (process->log == NULL) {
        log_error("cannot open the access log %s: %s", settings->path != NULL ? settings->path : "",
                  strerror(errno));
    }
    return process->log != NULL;
}

static bool make_workers(struct process *process)
{
    uint32_t count = process->settings->workers;

    process->workers = calloc(count, sizeof(*process->workers));
    for (uint32_t i = 0; process->workers != NULL && i < count; i++) {
        const struct worker_plan plan = {
            .index = i,
            .plan = process->plan,
            .log = process->log != NULL ? access_log_ring(process->log, i) : NULL,
            .origin_book = process->origin_book,
            .client_book = process->client_book,
            .listeners = sockets_of_worker(process->sockets, i),
            .all = process->workers,
            .count = count,
        };

        process->workers[i] = worker_new(&plan);
        if (process->workers[i] == NULL) {
            return false;
        }
    }
    return process->workers != NULL;
}

static bool start_workers(struct process *process)
{
    process->origin_book = origin_book_new(process->settings->workers);
    process->client_book = client_book_new(CLIENT_ADDRESSES);
    if (process->origin_book == NULL || process->client_book == NULL || !make_workers(process)) {
        return false;
    }
    for (uint32_t i = 0; i < process->settings->workers; i++) {
        if (!worker_start(process->workers[i])) {
            log_error("cannot start worker %u", i);
            return false;
        }
        process->started++;
    }
    return true;
}

static bool start_admin(struct process *process)
{
    const struct admin_view view = {
        .plan = process->plan,
        .workers = process->workers,
        .worker_count = process->settings->workers,
        .log = process->log,
        .origins = process->origin_book,
    };

    return admin_start(process->admin, &view);
}

static bool start(struct process *process)
{
    descriptors_raise_limit();
    process->sockets = sockets_open(process->settings);
    /* Before the log's thread starts, and so that opening its file again works later as now. */
    process->admin = admin_open(&process->settings->admin);
    return process->sockets != NULL && process->admin != NULL &&
           privilege_drop(process->settings->user, process->settings->core_dumps) &&
           start_log(process) && start_workers(process) && start_admin(process);
}

static void take_apart(struct process *process)
{
    admin_close(&process->admin); /* it reads what the workers have */
    for (uint32_t i = 0; process->workers != NULL && i < process->settings->workers; i++) {
        worker_free(&process->workers[i]);
    }
    free(process->workers);
    origin_book_free(&process->origin_book);
    client_book_free(&process->client_book);
    access_log_stop(&process->log);
    sockets_close(&process->sockets);
    plan_unref(&process->plan);
}

bool process_check(struct snapshot *snapshot)
{
    struct plan *plan = plan_new(snapshot);
    bool good = plan != NULL;

    plan_unref(&plan);
    return good;
}

int process_run(struct snapshot *snapshot)
{
    struct process process = {.plan = plan_new(snapshot)};
    sigset_t set;
    int status = 1;

    if (process.plan == NULL) {
        return 1;
    }
    process.settings = plan_settings(process.plan);
    block_signals(&set);
    if (start(&process)) {
        log_info("ready: %u workers", process.settings->workers);
        status = 0;
        log_info(serve_signals(&process, &set) ? "stopped"
                                               : "stopped: the drain deadline cut connections");
    } else {
        drain(&process, 0);
        for (uint32_t i = 0; i < process.started; i++) {
            worker_join(process.workers[i]);
        }
    }
    take_apart(&process);
    return status;
}
