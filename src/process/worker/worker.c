/* SPDX-License-Identifier: BSD-2-Clause */
/* Puts a worker together from the bottom up, runs its loop, takes it apart again.
 * Also keeps connections evenly spread: a new one goes to the least loaded worker when this one
 * has clearly more, and long-lived ones move between two of their requests. */
#include "process/worker/worker.h"

#include "base/log/log.h"
#include "base/system/thread.h"
#include "process/worker/pressure_watch.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TRIM_MS 2000
#define REBALANCE_US 20000
#define REBALANCE_MOST 256
#define DRAIN_CHECK_MS 20
#define IDLE_GRACE_MS 300
#define PREPARE_US 200 /* of a turn, for a new plan */
#define PIECE 16

/* This worker's part of a reload: what the new plan needs on it, built beside what runs, and then put in
 * its place at once, or dropped. */
struct staged {
    struct metrics_staged_config *metrics;
    struct generation *generation; /* NULL: nothing is staged */
    bool metrics_ready;
    bool generation_ready;
    bool clients_touched;
};

struct worker {
    uint32_t index;
    uint32_t count;
    struct worker **all;
    pthread_t thread;
    bool started;
    bool draining;
    uint64_t rebalanced_us;
    bool cut; /* the drain deadline found something left */
    struct worker_context worker_context;
    struct resolver *resolver;
    struct metrics *metrics;
    struct origin_directory *origins;
    struct exchange_context *exchanges;
    struct client_context *clients;
    struct pressure_watch pressure;
    struct alarm trim;
    struct alarm drain_check;
    struct alarm drain_deadline;
    struct worker_order *order; /* a new plan is being prepared; NULL: none */
    struct staged staged;
    _Atomic uint64_t generation; /* of the plan that runs */
    _Atomic uint32_t coming;     /* connections in the mail to this worker */
    _Atomic uint32_t drain_ms;
    struct stop_order { /* none is lost for want of memory: the process would not end */
        atomic_bool under_way;
        struct loop_message message;
    } drain, leave;
    loop_posted *left; /* what is called, and for whom, once this worker has left its listeners */
    void *left_owner;
};

/* --- spreading connections --------------------------------------------------------------- */

struct transfer {
    struct worker *to;
    int fd;
    uint32_t listener; /* its key */
    bool is_new;
    struct address from;
};

static uint32_t load_of(const struct worker *worker)
{
    return client_context_count(worker->clients) +
           atomic_load_explicit(&worker->coming, memory_order_relaxed);
}

static struct worker *least_loaded(struct worker *worker)
{
    struct worker *least = worker;

    for (uint32_t i = 0; i < worker->count; i++) {
        if (load_of(worker->all[i]) < load_of(least)) {
            least = worker->all[i];
        }
    }
    return least;
}

static void on_transfer(void *owner)
{
    struct transfer *transfer = owner;
    struct worker *worker = transfer->to;

    client_context_take_over(worker->clients, transfer->fd, &transfer->from, transfer->listener,
                             transfer->is_new);
    atomic_fetch_sub_explicit(&worker->coming, 1, memory_order_relaxed);
    free(transfer);
}

static bool transfer_to(struct worker *to, int fd, const struct address *from, uint32_t listener,
                        bool is_new)
{
    struct transfer *transfer = malloc(sizeof(*transfer));

    if (transfer == NULL) {
        return false;
    }
    *transfer = (struct transfer){to, fd, listener, is_new, *from};
    atomic_fetch_add_explicit(&to->coming, 1, memory_order_relaxed);
    if (!loop_post(to->worker_context.loop, on_transfer, transfer)) {
        atomic_fetch_sub_explicit(&to->coming, 1, memory_order_relaxed);
        free(transfer);
        return false;
    }
    return true;
}

/* A worker that has other settings may not know the listener, or know other routes for it. */
static bool is_of_one_mind(const struct worker *worker, const struct worker *other)
{
    return atomic_load_explicit(&worker->generation, memory_order_relaxed) ==
           atomic_load_explicit(&other->generation, memory_order_relaxed);
}

static bool is_clearly_more(uint32_t mine, uint32_t least)
{
    return mine > least + least / 4;
}

static uint32_t count_all(void *owner)
{
    struct worker *worker = owner;
    uint32_t count = 0;

    for (uint32_t i = 0; i < worker->count; i++) {
        count += load_of(worker->all[i]);
    }
    return count;
}

static bool place(void *owner, int fd, const struct address *from, uint32_t listener)
{
    struct worker *worker = owner;
    struct worker *least = least_loaded(worker);

    return least != worker && is_clearly_more(load_of(worker), load_of(least)) &&
           is_of_one_mind(worker, least) && transfer_to(least, fd, from, listener, true);
}

static const struct client_placing placing = {.place = place, .count_all = count_all};

/* At the end of a turn, so that a worker with nothing to do does not wake up for it. */
static void rebalance(void *owner)
{
    struct worker *worker = owner;
    uint64_t now_us = loop_now(worker->worker_context.loop);

    if (worker->draining || now_us - worker->rebalanced_us < REBALANCE_US) {
        return;
    }
    worker->rebalanced_us = now_us;
    for (int i = 0; i < REBALANCE_MOST; i++) {
        struct worker *least = least_loaded(worker);
        struct address from;
        uint32_t listener;
        int fd;

        if (least == worker || !is_clearly_more(load_of(worker), load_of(least) + 1) ||
            !is_of_one_mind(worker, least)) {
            break;
        }
        fd = client_context_give_idle(worker->clients, &from, &listener);
        if (fd < 0) {
            break;
        }
        if (!transfer_to(least, fd, &from, listener, false)) {
            client_context_take_over(worker->clients, fd, &from, listener, false);
            break;
        }
    }
}

static void on_late(void *owner, uint64_t microseconds)
{
    struct worker *worker = owner;

    metrics_note_lag(worker->metrics, microseconds, loop_now(worker->worker_context.loop));
}

/* --- upkeep ------------------------------------------------------------------------------ */

static void on_trim(void *owner)
{
    struct worker *worker = owner;

    buffer_pool_trim(worker->worker_context.buffers);
    client_context_trim(worker->clients);
    exchange_context_trim(worker->exchanges);
    origin_directory_trim(worker->origins);
    alarm_set(worker->worker_context.loop, &worker->trim, TRIM_MS, on_trim, worker);
}

/* --- a new plan -------------------------------------------------------------------------- */

static void drop_staged(struct worker *worker)
{
    metrics_staged_config_abandon(&worker->staged.metrics);
    generation_unref(&worker->staged.generation);
    if (worker->staged.clients_touched) {
        client_context_abandon(worker->clients);
    }
    worker->staged = (struct staged){0};
    worker->order = NULL;
}

static void answer(struct worker *worker, bool ready)
{
    struct worker_order *order = worker->order;

    if (!ready) {
        drop_staged(worker);
    }
    order->answer(order->owner, ready);
}

static void note_piece(struct worker_order *order, uint64_t began_us)
{
    uint32_t took_us = (uint32_t)(loop_used_time() - began_us);

    if (took_us > order->longest_us) {
        order->longest_us = took_us;
    }
}

enum progress { BUILDS, IS_READY, FAILED };

/* A piece, of some tens of microseconds. In this order: counters, services and splits, listeners (which
 * are few and come last, because they alone touch sockets). */
static enum progress build_piece(struct worker *worker)
{
    struct staged *staged = &worker->staged;

    if (!staged->metrics_ready) {
        enum metrics_progress progress = metrics_staged_config_grow(staged->metrics, PIECE);

        staged->metrics_ready = progress == METRICS_ARE_WHOLE;
        return progress == METRICS_FAILED ? FAILED : BUILDS;
    }
    if (!staged->generation_ready) {
        enum generation_progress progress = generation_grow(staged->generation, PIECE);

        staged->generation_ready = progress == GENERATION_IS_WHOLE;
        return progress == GENERATION_FAILED ? FAILED : BUILDS;
    }
    staged->clients_touched = true;
    return client_context_prepare(worker->clients, plan_settings(worker->order->plan),
                                  worker->order->sockets)
               ? IS_READY
               : FAILED;
}

/* A piece a turn: clients that have sent something meanwhile come first. */
static void go_on_preparing(void *owner)
{
    struct worker *worker = owner;
    uint64_t began_us = loop_used_time();
    enum progress progress;

    if (worker->order == NULL) {
        return; /* dropped meanwhile */
    }
    do {
        progress = build_piece(worker);
    } while (progress == BUILDS && loop_used_time() < began_us + PREPARE_US);
    note_piece(worker->order, began_us);
    if (progress != BUILDS) {
        answer(worker, progress == IS_READY);
    } else if (!loop_post(worker->worker_context.loop, go_on_preparing, worker)) {
        answer(worker, false);
    }
}

static void on_prepare(void *owner)
{
    struct worker_order *order = owner;
    struct worker *worker = order->worker;
    struct staged *staged = &worker->staged;
    uint64_t began_us = loop_used_time();

    worker->order = order;
    if (!worker->draining) {
        staged->metrics = metrics_staged_config_new(worker->metrics, plan_settings(order->plan));
        staged->generation =
            generation_begin(order->plan, worker->origins,
                             exchange_context_generation(worker->exchanges), order->changes);
    }
    note_piece(order, began_us);
    if (staged->metrics != NULL && staged->generation != NULL) {
        go_on_preparing(worker);
    } else {
        answer(worker, false);
    }
}

static void on_commit(void *owner)
{
    struct worker_order *order = owner;
    struct worker *worker = order->worker;
    struct staged *staged = &worker->staged;

    if (staged->generation != NULL) { /* NULL: it stops */
        uint64_t began_us = loop_used_time();

        loop_read_clock(worker->worker_context.loop);
        metrics_staged_config_commit(&staged->metrics);
        exchange_context_adopt(worker->exchanges, staged->generation);
        client_context_commit(worker->clients);
        *staged = (struct staged){0};
        note_piece(order, began_us);
        atomic_store_explicit(&worker->generation, order->generation, memory_order_relaxed);
    }
    worker->order = NULL;
    order->answer(order->owner, true);
}

static void on_abandon(void *owner)
{
    struct worker_order *order = owner;

    drop_staged(order->worker);
    order->answer(order->owner, true);
}

bool worker_carry_out(struct worker_order *order, enum worker_step step)
{
    static loop_posted *const calls[] = {
        [WORKER_PREPARE] = on_prepare, [WORKER_COMMIT] = on_commit, [WORKER_ABANDON] = on_abandon};

    return loop_send(order->worker->worker_context.loop, &order->message, calls[step], order);
}

/* --- what is asked of it ------------------------------------------------------------------- */

struct list_order {
    struct worker *worker;
    size_t most;
    client_listed *listed;
    void *owner;
};

static void on_list_order(void *owner)
{
    struct list_order *order = owner;

    if (!client_list_start(order->worker->clients, order->most, order->listed, order->owner)) {
        order->listed(order->owner, NULL, 0);
    }
    free(order);
}

bool worker_list_connections(struct worker *worker, size_t most, client_listed *listed, void *owner)
{
    struct list_order *order = malloc(sizeof(*order));

    if (order == NULL) {
        return false;
    }
    *order = (struct list_order){worker, most, listed, owner};
    if (!loop_post(worker->worker_context.loop, on_list_order, order)) {
        free(order);
        return false;
    }
    return true;
}

bool worker_send(struct worker *worker, struct loop_message *message, loop_posted *call,
                 void *owner)
{
    return loop_send(worker->worker_context.loop, message, call, owner);
}

/* --- stopping ---------------------------------------------------------------------------- */

static void on_drain_check(void *owner)
{
    struct worker *worker = owner;

    /* Workers stop listening together: the kernel gives new connections to any that listens. */
    if (count_all(worker) == 0) {
        client_context_stop_listening(worker->clients);
    }
    /* Another worker may not know yet that this one stops, and send it a connection. */
    if (!client_context_listens(worker->clients) && load_of(worker) == 0 &&
        exchange_context_count(worker->exchanges) == 0 &&
        loop_close_posts(worker->worker_context.loop)) {
        loop_stop(worker->worker_context.loop);
        return;
    }
    alarm_set(worker->worker_context.loop, &worker->drain_check, DRAIN_CHECK_MS, on_drain_check,
              worker);
}

static void on_drain_deadline(void *owner)
{
    struct worker *worker = owner;

    worker->cut = client_context_count(worker->clients) > 0;
    client_context_stop_listening(worker->clients);
    client_context_close_all(worker->clients);
    exchange_context_cut_orphans(worker->exchanges);
}

static void begin_draining(struct worker *worker, uint32_t deadline_ms)
{
    worker->draining = true;
    if (worker->order != NULL) {
        drop_staged(worker); /* the process stops: no caller waits for an answer */
    }
    if (deadline_ms > 0) {
        alarm_set(worker->worker_context.loop, &worker->drain_deadline, deadline_ms,
                  on_drain_deadline, worker);
    }
}

static void on_leave(void *owner)
{
    struct worker *worker = owner;

    atomic_store(&worker->leave.under_way, false);
    begin_draining(worker, atomic_load(&worker->drain_ms));
    client_context_leave(worker->clients);
    worker->left(worker->left_owner);
    on_drain_check(worker);
}

static void on_drain(void *owner)
{
    struct worker *worker = owner;
    uint32_t deadline_ms;
    uint32_t grace_ms;

    atomic_store(&worker->drain.under_way, false); /* before looking: the next order may differ */
    deadline_ms = atomic_load(&worker->drain_ms);
    grace_ms = deadline_ms < IDLE_GRACE_MS ? deadline_ms : IDLE_GRACE_MS;
    begin_draining(worker, deadline_ms);
    client_context_drain(worker->clients, grace_ms);
    if (deadline_ms == 0) {
        on_drain_deadline(worker);
    }
    on_drain_check(worker);
}

static void give_order(struct worker *worker, struct stop_order *order, loop_posted *call,
                       uint32_t deadline_ms)
{
    atomic_store(&worker->drain_ms, deadline_ms);
    if (!atomic_exchange(&order->under_way, true)) {
        loop_send(worker->worker_context.loop, &order->message, call, worker);
    }
}

void worker_leave(struct worker *worker, uint32_t deadline_ms, loop_posted *left, void *owner)
{
    worker->left = left;
    worker->left_owner = owner;
    give_order(worker, &worker->leave, on_leave, deadline_ms);
}

void worker_drain(struct worker *worker, uint32_t deadline_ms)
{
    give_order(worker, &worker->drain, on_drain, deadline_ms);
}

/* --- readings ---------------------------------------------------------------------------- */

struct metrics *worker_metrics(const struct worker *worker)
{
    return worker->metrics;
}

uint32_t worker_connections(const struct worker *worker)
{
    return client_context_count(worker->clients);
}

uint32_t worker_handshakes(const struct worker *worker)
{
    return client_context_handshakes(worker->clients);
}

uint64_t worker_begun(const struct worker *worker)
{
    return client_context_begun(worker->clients);
}

/* --- life -------------------------------------------------------------------------------- */

static bool ask_servers(struct resolver *resolver, const struct settings *settings)
{
    return settings->dns_servers == NULL || resolver_use_servers(resolver, settings->dns_servers);
}

static bool build(struct worker *worker, const struct worker_plan *plan)
{
    struct generation *generation;

    worker->worker_context.worker = plan->index;
    random_init(&worker->worker_context.random);
    worker->worker_context.loop = loop_new();
    worker->worker_context.buffers = buffer_pool_new();
    worker->metrics = metrics_new();
    worker->worker_context.pressure = plan->pressure;
    if (worker->worker_context.loop == NULL || worker->worker_context.buffers == NULL ||
        worker->metrics == NULL || !metrics_adopt(worker->metrics, plan_settings(plan->plan))) {
        return false;
    }
    loop_report_lag(worker->worker_context.loop, on_late, worker);
    buffer_pool_account(worker->worker_context.buffers, pressure_slabs(plan->pressure));
    worker->resolver = resolver_new(worker->worker_context.loop);
    if (worker->resolver == NULL || !ask_servers(worker->resolver, plan_settings(plan->plan))) {
        return false;
    }
    worker->origins = origin_directory_new(&worker->worker_context, worker->resolver,
                                           worker->metrics, plan->origin_registry);
    if (worker->origins == NULL) {
        return false;
    }
    generation = generation_new(plan->plan, worker->origins);
    if (generation == NULL) {
        return false;
    }
    worker->exchanges =
        exchange_context_new(&(struct exchange_lent){&worker->worker_context, worker->metrics,
                                                     plan->log, plan->client_registry, plan->spans},
                             generation);
    if (worker->exchanges == NULL) {
        return false;
    }
    worker->clients = client_context_new(worker->exchanges, &worker->worker_context,
                                         worker->metrics, &placing, worker);
    return worker->clients != NULL;
}

static bool listen_on(struct worker *worker, const struct worker_plan *plan,
                      struct client_socket *socket, uint32_t listener)
{
    const struct client_socket at = *socket;

    socket->fd = -1;
    return client_context_listen(worker->clients, &at,
                                 &plan_settings(plan->plan)->listeners[listener], listener);
}

static bool listen_on_all(struct worker *worker, const struct worker_plan *plan)
{
    bool good = true;

    for (uint32_t i = 0; good && i < plan_settings(plan->plan)->listener_count; i++) {
        good = listen_on(worker, plan, &plan->sockets[i], i);
    }
    for (uint32_t i = 0; good && i < plan->extra_count; i++) {
        good = plan->extras[i].worker != plan->index ||
               listen_on(worker, plan, &plan->extras[i].at, plan->extras[i].listener);
    }
    return good;
}

struct worker *worker_new(const struct worker_plan *plan)
{
    struct worker *worker = calloc(1, sizeof(*worker));

    if (worker == NULL) {
        return NULL;
    }
    worker->index = plan->index;
    worker->all = plan->all;
    worker->count = plan->count;
    if (!build(worker, plan) || !listen_on_all(worker, plan)) {
        log_error("worker %u cannot start: no memory or file descriptors are left; raise the "
                  "limits of the process (LimitNOFILE=, MemoryMax=) or lower 'workers'",
                  plan->index);
        worker_free(&worker);
        return NULL;
    }
    alarm_set(worker->worker_context.loop, &worker->trim, TRIM_MS, on_trim, worker);
    pressure_watch_start(&worker->pressure, &worker->worker_context, worker->clients,
                         worker->exchanges, worker->origins);
    if (worker->count > 1) {
        loop_at_turn_end(worker->worker_context.loop, rebalance, worker);
    }
    return worker;
}

static void *run(void *owner)
{
    struct worker *worker = owner;

    loop_run(worker->worker_context.loop);
    client_list_drop(worker->clients); /* its caller goes before the context does */
    return NULL;
}

bool worker_start(struct worker *worker)
{
    char name[16];
    int error;

    snprintf(name, sizeof(name), "worker-%u", worker->index);
    error = thread_start(&worker->thread, name, run, worker);
    if (error != 0) {
        errno = error;
        return false;
    }
    worker->started = true;
    return true;
}

bool worker_join(struct worker *worker)
{
    if (worker->started) {
        pthread_join(worker->thread, NULL);
        worker->started = false;
    }
    return !worker->cut;
}

void worker_free(struct worker **held)
{
    struct worker *worker = *held;

    *held = NULL;
    if (worker == NULL) {
        return;
    }
    drop_staged(worker);
    pressure_watch_stop(&worker->pressure);
    if (worker->clients != NULL) {
        client_context_close_all(worker->clients);
    }
    client_context_free(&worker->clients);
    exchange_context_free(&worker->exchanges);
    origin_directory_free(&worker->origins);
    resolver_free(&worker->resolver);
    metrics_free(&worker->metrics);
    loop_free(&worker->worker_context.loop);
    buffer_pool_free(&worker->worker_context.buffers);
    free(worker);
}
