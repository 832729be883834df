/* SPDX-License-Identifier: BSD-2-Clause */
/* Start: descriptors, sockets, privileges, log, workers. Then this thread runs a loop of its own:
 * signals, and the orders of others (process/reload/reload). Stop: the other way round. */
#include "process/process.h"

#include "base/log/log.h"
#include "base/system/thread.h"
#include "origin/origin_registry.h"
#include "process/admin.h"
#include "process/collector_tls.h"
#include "process/reload/reload.h"
#include "process/reload/tls_watch.h"
#include "process/sockets.h"
#include "process/state/state_store.h"
#include "process/state/state_directory.h"
#include "process/system/activation.h"
#include "process/system/announce.h"
#include "process/system/descriptors.h"
#include "process/system/own_process.h"
#include "process/system/preflight.h"
#include "process/system/privilege.h"
#include "process/system/signals.h"
#include "process/upgrade/handover.h"
#include "process/upgrade/upgrade.h"
#include "process/watchdog.h"
#include "process/worker/pressure_watch.h"
#include "process/worker/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

/* Of clients, counted at once where client_limits are set: 32 MiB, touched only as they come. */
#define CLIENT_ADDRESSES 300000
#define MAIL_CHECK_MS 10

struct process {
    struct loop *loop;
    struct signals *signals;
    struct split_registry *splits;
    struct state_store *state_store;
    struct plan *plan; /* the first one: reloads have others, but some of it holds to the end */
    const struct settings *settings;
    char *state_directory; /* NULL: none */
    struct audit *audit;
    struct reload *reload;
    struct tls_watch *tls_watch;
    struct sockets *sockets;
    struct access_log *log;
    struct span_exporter *spans;
    struct origin_registry *origin_registry;
    struct client_registry *client_registry;
    struct pressure *pressure;
    struct worker **workers;
    uint32_t started;
    struct admin *admin;
    struct handover *handover;     /* while starting */
    struct activation *activation; /* sockets of the service manager; NULL: none */
    struct watchdog *watchdog;     /* NULL: the service manager asks for none */
    struct upgrade *upgrade;
    struct who upgrade_by;

    bool is_lame; /* it has been told to stop and serves on, until others have noticed */
    struct alarm lame_duck;
    bool stopping;
    bool leaving; /* for a successor, and not told yet to stop */
    bool clean;   /* the drain deadline cut nothing */
    pid_t successor;
    uint32_t leave_ms;     /* timeouts.upgrade_drain when it came */
    atomic_uint listening; /* workers that have not left their listeners yet */
    struct loop_message all_left;
    bool has_told_leaving; /* with a successor, it does not end before */
    pthread_t joiner;
    bool has_joiner;
    struct alarm check_posts;
    struct loop_message joined;
};

/* --- stopping ---------------------------------------------------------------------------- */

static void drain(struct process *process, uint32_t deadline_ms)
{
    for (uint32_t i = 0; i < process->started; i++) {
        worker_drain(process->workers[i], deadline_ms);
    }
}

/* Another thread may just be giving an order: the loop ends with nothing unread. */
static void on_joined(void *owner)
{
    struct process *process = owner;

    bool is_told = process->successor == 0 || process->has_told_leaving;

    if (is_told && loop_close_posts(process->loop)) {
        loop_stop(process->loop);
    } else {
        alarm_set(process->loop, &process->check_posts, MAIL_CHECK_MS, on_joined, process);
    }
}

/* Beside the main thread, which must still hear a second signal. */
static void *join_workers(void *owner)
{
    struct process *process = owner;

    for (uint32_t i = 0; i < process->started; i++) {
        if (!worker_join(process->workers[i])) {
            process->clean = false;
        }
    }
    loop_send(process->loop, &process->joined, on_joined, process);
    return NULL;
}

static struct timeouts_settings timeouts_now(const struct process *process)
{
    struct plan *plan = reload_plan(process->reload);
    struct timeouts_settings timeouts = plan_settings(plan)->timeouts;

    plan_unref(&plan);
    return timeouts;
}

/* Once the workers have been told to. */
static void await_workers(struct process *process)
{
    process->stopping = true;
    process->clean = true;
    admin_report_stopping(process->admin);
    reload_stop(process->reload);
    process->has_joiner = thread_start(&process->joiner, "joiner", join_workers, process) == 0;
    if (!process->has_joiner) {
        join_workers(process);
    }
}

/* The one that starts is told to stop, too; what it would have kept is kept here. */
static void abandon_upgrade(struct process *process)
{
    if (upgrade_is_under_way(process->upgrade)) {
        upgrade_abandon(process->upgrade);
        state_store_return(process->state_store);
    }
}

static void begin_stopping(struct process *process)
{
    uint32_t drain_ms = timeouts_now(process).drain;

    alarm_clear(process->loop, &process->lame_duck);
    log_info("stopping: answering what is under way for at most %u s", drain_ms / 1000);
    drain(process, drain_ms);
    if (process->leaving) { /* it has a successor: all but its time is settled */
        process->leaving = false;
        return;
    }
    if (!process->is_lame) {
        announce("STOPPING=1");
    }
    abandon_upgrade(process);
    await_workers(process);
}

static void on_lame_duck_over(void *owner)
{
    begin_stopping(owner);
}

static void begin_lame_duck(struct process *process, uint32_t for_ms)
{
    log_info(
        "stopping in %u s (timeouts.lame_duck): /health says so, clients are served until then",
        for_ms / 1000);
    process->is_lame = true;
    announce("STOPPING=1");
    admin_report_stopping(process->admin);
    abandon_upgrade(process);
    alarm_set(process->loop, &process->lame_duck, for_ms, on_lame_duck_over, process);
}

static void on_stop_signal(struct process *process)
{
    uint32_t lame_ms = timeouts_now(process).lame_duck;

    if (process->stopping && !process->leaving) {
        log_info("second signal: ending at once");
        drain(process, 0);
    } else if (lame_ms > 0 && !process->is_lame && !process->leaving) {
        begin_lame_duck(process, lame_ms);
    } else {
        begin_stopping(process);
    }
}

/* --- handing over to a new binary -------------------------------------------------------- */

static void note_upgrade(struct process *process, bool ok, const char *why)
{
    const struct audit_entry entry = {
        .who = process->upgrade_by,
        .action = "upgrade",
        .ok = ok,
        .why = why,
    };

    audit_write(process->audit, &entry);
}

/* NULL: nothing. */
static const char *stands_against_upgrade(const struct process *process)
{
    if (process->stopping || process->is_lame) {
        return "this process is leaving already";
    }
    if (upgrade_is_under_way(process->upgrade)) {
        return "an upgrade is under way";
    }
    /* The new process would take the file for good that is only on trial here. */
    return reload_is_settled(process->reload) ? NULL : "a reload is not over or not confirmed";
}

static void take_changes_again(struct process *process)
{
    state_store_return(process->state_store);
    admin_refuse_changes(process->admin, NULL);
}

static void begin_upgrade(struct process *process, const struct who *sender)
{
    const char *against = stands_against_upgrade(process);
    struct page lines = {0};
    bool begun;

    if (against != NULL) {
        log_warning("SIGUSR2 is ignored: %s", against);
        return;
    }
    sockets_hand_over(process->sockets, &lines);
    activation_hand_over(process->activation, &lines);
    admin_hand_over(process->admin, &lines);
    /* The new process reads the files now: what this one did later would be lost. */
    admin_refuse_changes(process->admin, "an upgrade is under way");
    state_store_hand_over(process->state_store, &lines);
    begun = upgrade_begin(process->upgrade, &lines);
    page_release(&lines);
    process->upgrade_by = *sender;
    if (begun) {
        reload_wait(process->reload);
    } else {
        take_changes_again(process);
        note_upgrade(process, false, "it could not be started");
    }
}

/* Operators rely on it: who connects after this line, client or operator, meets the new process. */
static void report_leaving(void *owner)
{
    struct process *process = owner;
    long successor = process->successor;

    process->has_told_leaving = true;
    if (process->leave_ms > 0) {
        log_info("upgrade: process %ld serves now; this one leaves within %u s", successor,
                 process->leave_ms / 1000);
    } else {
        log_info("upgrade: process %ld serves now; this one leaves with its last connection",
                 successor);
    }
}

/* On the thread of a worker, or of the control interface. */
static void on_left(void *owner)
{
    struct process *process = owner;

    if (atomic_fetch_sub(&process->listening, 1) == 1) {
        loop_send(process->loop, &process->all_left, report_leaving, process);
    }
}

static void leave_listeners(struct process *process)
{
    atomic_store(&process->listening, process->started + 1);
    for (uint32_t i = 0; i < process->started; i++) {
        worker_leave(process->workers[i], process->leave_ms, on_left, process);
    }
    admin_leave(process->admin, on_left, process);
}

static void on_upgrade_over(void *owner, pid_t successor)
{
    struct process *process = owner;

    note_upgrade(process, successor != 0, successor != 0 ? NULL : "the new process did not start");
    if (successor == 0) {
        take_changes_again(process);
        reload_go_on(process->reload);
        return;
    }
    if (reload_hand_over(process->reload)) {
        log_info("a reload came meanwhile: process %ld reads the file again", (long)successor);
        kill(successor, SIGHUP);
    }
    process->successor = successor;
    process->leave_ms = timeouts_now(process).upgrade_drain;
    watchdog_stop(process->watchdog);
    announce_successor(successor);
    state_store_stop(process->state_store);
    sockets_disown(process->sockets);
    leave_listeners(process);
    process->leaving = true;
    await_workers(process);
}

/* --- signals ------------------------------------------------------------------------------ */

static void order_reload(struct process *process, const struct who *sender)
{
    const struct reload_order order = {.kind = RELOAD_FROM_FILE, .who = *sender};

    if (!reload_give_order(process->reload, &order)) {
        log_error("SIGHUP: no memory is left to begin a reload; the configuration stays as it is");
    }
}

static void on_signal(void *owner, int number, const struct who *sender)
{
    struct process *process = owner;

    switch (number) {
    case SIGUSR1:
        if (process->log != NULL) {
            access_log_reopen(process->log);
        }
        break;
    case SIGHUP:
        order_reload(process, sender);
        break;
    case SIGUSR2:
        begin_upgrade(process, sender);
        break;
    default:
        on_stop_signal(process);
    }
}

/* --- start and stop ---------------------------------------------------------------------- */

/* After the privileges: a thread keeps those that it began with. */
static bool start_process_log(void)
{
    if (!log_start()) {
        log_error("cannot start the thread of the process log: %s", strerror(errno));
        return false;
    }
    return true;
}

static bool start_log(struct process *process)
{
    const struct access_log_settings *settings = &process->settings->access_log;
    char place[FILE_PLACE_TEXT_MAX];

    if (settings->target == ACCESS_LOG_OFF) {
        return true;
    }
    process->log = access_log_start(settings, process->settings->workers);
    if (process->log == NULL) {
        int failure = errno;

        if (failure != 0) {
            log_error("%scannot open the access log %s: %s", file_place_text(&settings->at, place),
                      settings->path != NULL ? settings->path : "", strerror(failure));
        }
    }
    return process->log != NULL;
}

static bool start_spans(struct process *process)
{
    process->spans = span_exporter_new(process->settings->workers);
    if (process->spans != NULL) {
        spans_follow(process->spans, process->plan);
    }
    return process->spans != NULL;
}

static bool make_workers(struct process *process)
{
    uint32_t count = process->settings->workers;
    uint32_t extra_count;
    struct extra_socket *extras = sockets_extras(process->sockets, &extra_count);

    process->workers = calloc(count, sizeof(*process->workers));
    for (uint32_t i = 0; process->workers != NULL && i < count; i++) {
        const struct worker_plan plan = {
            .index = i,
            .plan = process->plan,
            .log = process->log != NULL ? access_log_ring(process->log, i) : NULL,
            .spans = span_exporter_ring(process->spans, i),
            .origin_registry = process->origin_registry,
            .client_registry = process->client_registry,
            .sockets = sockets_of_worker(process->sockets, i),
            .extras = extras,
            .extra_count = extra_count,
            .pressure = process->pressure,
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
    process->origin_registry = origin_registry_new(process->settings->workers);
    process->client_registry = client_registry_new(CLIENT_ADDRESSES);
    process->pressure = pressure_watch_plan(process->settings);
    if (process->origin_registry == NULL || process->client_registry == NULL ||
        process->pressure == NULL || !make_workers(process)) {
        return false;
    }
    state_store_restore_drains(process->state_store, process->origin_registry);
    pressure_watch_count_others(process->pressure);
    for (uint32_t i = 0; i < process->settings->workers; i++) {
        if (!worker_start(process->workers[i])) {
            log_error("cannot start the thread of worker %u: %s (the limit of threads is reached: "
                      "ulimit -u, or TasksMax= of the unit; or set fewer `workers`)",
                      i, strerror(errno));
            return false;
        }
        process->started++;
    }
    return true;
}

static bool start_admin(struct process *process, const struct process_start *given)
{
    const struct admin_view view = {
        .reload = process->reload,
        .audit = process->audit,
        .config_file = given->path,
        .workers = process->workers,
        .worker_count = process->settings->workers,
        .log = process->log,
        .spans = process->spans,
        .origins = process->origin_registry,
        .splits = process->splits,
        .state_store = process->state_store,
        .pressure = process->pressure,
    };

    return admin_start(process->admin, &view);
}

static bool start_reloads(struct process *process, const struct process_start *given)
{
    const struct reload_parts parts = {
        .loop = process->loop,
        .path = given->path,
        .plan = process->plan,
        .splits = process->splits,
        .pressure = process->pressure,
        .spans = process->spans,
        .source = given->source,
        .sockets = &process->sockets,
        .workers = process->workers,
        .worker_count = process->settings->workers,
        .audit = process->audit,
        .state_directory = process->state_directory,
        .is_last_good = given->is_last_good,
    };

    process->reload = reload_new(&parts);
    process->signals =
        process->reload != NULL ? signals_watch(process->loop, on_signal, process) : NULL;
    process->tls_watch =
        process->signals != NULL ? tls_watch_start(process->loop, process->reload) : NULL;
    return process->tls_watch != NULL;
}

/* What ramps and operators decided before holds before the file's weights do. */
static bool start_state(struct process *process)
{
    const struct state_store_parts parts = {
        .loop = process->loop,
        .splits = process->splits,
        .audit = process->audit,
        .state_directory = process->state_directory,
    };

    process->state_store = state_store_new(&parts, process->handover);
    if (process->state_store == NULL || !plan_take_effect(process->plan)) {
        return false;
    }
    state_store_start(process->state_store, process->handover);
    return true;
}

static bool open_state(struct process *process)
{
    process->state_directory = state_directory_open(process->settings->state_directory);
    process->audit = audit_open(process->state_directory);
    return process->audit != NULL && start_state(process);
}

static bool start(struct process *process, const struct process_start *given)
{
    /* Before the clients' sockets: a second process that is started by mistake ends here, and does
     * not take connections away from the first one on its way. */
    process->admin = admin_open(&process->settings->admin, process->handover);
    if (process->admin == NULL) {
        return false;
    }
    process->activation = activation_read(process->handover);
    process->sockets = sockets_inherit(process->settings, process->handover, process->activation);
    /* All before the log's thread starts. */
    return process->sockets != NULL &&
           privilege_drop(process->settings->user, process->settings->core_dumps) &&
           start_process_log() && open_state(process) && start_log(process) &&
           start_spans(process) && start_workers(process) && start_reloads(process, given) &&
           start_admin(process, given);
}

static void take_apart(struct process *process)
{
    reload_answer_rest(process->reload);
    if (process->settings->pid_file != NULL) {
        pid_file_remove(process->settings->pid_file);
    }
    handover_free(&process->handover);
    admin_close(&process->admin);            /* it reads what the workers have */
    state_store_free(&process->state_store); /* with the last worker the drains go */
    for (uint32_t i = 0; process->workers != NULL && i < process->settings->workers; i++) {
        worker_free(&process->workers[i]);
    }
    free(process->workers);
    watchdog_free(&process->watchdog);
    signals_free(&process->signals);
    upgrade_free(&process->upgrade);
    tls_watch_stop(&process->tls_watch);
    reload_free(&process->reload);
    origin_registry_free(&process->origin_registry);
    client_registry_free(&process->client_registry);
    pressure_free(&process->pressure);
    access_log_stop(&process->log);
    span_exporter_stop(&process->spans);
    sockets_close(&process->sockets);
    activation_free(&process->activation);
    audit_close(&process->audit);
    free(process->state_directory);
    plan_unref(&process->plan);
    split_registry_free(&process->splits);
    loop_free(&process->loop);
}

bool process_check(struct snapshot *snapshot)
{
    struct plan *plan = plan_new(snapshot, NULL);
    bool good = plan != NULL;

    if (good) {
        tls_store_warn(plan_tls(plan));
    }
    plan_unref(&plan);
    return good;
}

static void serve(struct process *process, bool is_successor)
{
    activation_report_unused(process->activation);
    log_info("ready: %u workers", process->settings->workers);
    state_store_begin(process->state_store);
    admin_refuse_changes(process->admin, NULL);
    if (process->settings->pid_file != NULL) {
        pid_file_write(process->settings->pid_file);
    }
    announce("READY=1");
    handover_report_ready();
    admin_own_inherited(process->admin);
    sockets_own_inherited(process->sockets);
    process->watchdog =
        watchdog_start(process->loop, process->workers, process->started, is_successor);
    loop_run(process->loop);
    if (process->has_joiner) {
        pthread_join(process->joiner, NULL);
    }
    log_info(process->clean ? "stopped" : "stopped: the drain deadline cut connections");
}

static void give_up(struct process *process)
{
    drain(process, 0);
    for (uint32_t i = 0; i < process->started; i++) {
        worker_join(process->workers[i]);
    }
}

/* What workers stand on. Takes the snapshot over; the plan says itself what is wrong with it. */
static bool make_parts(struct process *process, struct snapshot *snapshot)
{
    const struct settings *settings = snapshot_settings(snapshot);

    if (!descriptors_suffice(descriptors_raise_limit(), settings->workers,
                             settings->listener_count)) {
        snapshot_unref(&snapshot);
        return false;
    }
    process->loop = loop_new();
    process->splits = split_registry_new(settings->workers);
    if (process->loop == NULL || process->splits == NULL) {
        log_error("cannot start: no memory or file descriptors are left for the main loop and the "
                  "splits");
        snapshot_unref(&snapshot);
        return false;
    }
    process->plan = plan_new(snapshot, process->splits);
    return process->plan != NULL;
}

int process_run(const struct process_start *given)
{
    struct process process = {.loop = NULL};
    int status = 1;

    memory_return_large();
    log_open();
    signals_block();
    if (!make_parts(&process, given->snapshot)) {
        split_registry_free(&process.splits);
        loop_free(&process.loop);
        log_stop();
        return 1;
    }
    process.settings = plan_settings(process.plan);
    preflight_log_warnings(process.settings);
    process.upgrade = upgrade_new(process.loop, given->arguments, on_upgrade_over, &process);
    process.handover = handover_read();
    if (process.upgrade != NULL && start(&process, given)) {
        bool is_successor = process.handover != NULL;

        handover_free(&process.handover);
        status = 0;
        serve(&process, is_successor);
    } else {
        give_up(&process);
    }
    take_apart(&process);
    log_stop();
    return status;
}
