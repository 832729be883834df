/* SPDX-License-Identifier: BSD-2-Clause */
/* A gateway within the gateway: settings of its own with one route, which asks question.c, and
 * everything a worker has that this needs. Its exchanges reach neither the access log nor the
 * counters of the traffic. */
#include "control/control.h"

#include "base/log/log.h"
#include "base/system/machine.h"
#include "base/system/thread.h"
#include "client/client.h"
#include "config/load.h"
#include "control/endpoints.h"
#include "control/live/live.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define BODY_BYTES_MAX (64u << 20)
#define TRIM_MS 5000
#define STOP_CHECK_MS 20
#define STOP_CHECKS 10
#define LEAVE_GRACE_MS 1000 /* clients that connected just now have not asked yet */

/* Read by the ordinary reader, so that every default is there; the rest is set below. */
static const char own_file[] = "workers: 1\n"
                               "access_log: \"off\"\n"
                               "admin: {socket: \"off\"}\n"
                               "listeners: [{address: 127.0.0.1:0}]\n"
                               "routes: [{name: control, respond: {status: 204}}]\n";

struct control {
    pthread_t thread;
    bool started;
    struct control_sources sources;
    struct question_context questions;
    struct kept_room kept;
    struct live *live;
    struct worker_context worker_context;
    struct metrics *metrics;   /* of its own, without a reader */
    struct snapshot *defaults; /* what `settings` below was copied from */
    /* An empty directory of origins, since everything above one counts on it. */
    struct origin_registry *registry;
    struct resolver *resolver;
    struct origin_directory *origins;
    struct exchange_context *exchanges;
    struct client_context *clients;
    struct alarm trim;
    struct alarm stop;
    struct loop_message stopped;
    struct loop_message leaves;
    loop_posted *left; /* what on_leave calls, and for whom */
    void *left_owner;
    int stop_checks;
};

/* --- settings ---------------------------------------------------------------------------- */

static void adjust(struct settings *settings, struct route_settings *route)
{
    route->action = ROUTE_ASK;
    route->body_bytes = BODY_BYTES_MAX;
    settings->limits.request_buffer = BODY_BYTES_MAX; /* a question is answered once it is whole */
    settings->limits.body_bytes = BODY_BYTES_MAX;
    settings->routes = route;
}

/* A snapshot that no file could describe; its texts are those of `defaults`. */
static struct snapshot *make_snapshot(struct control *control)
{
    struct config_errors *errors = NULL;
    struct arena *arena = arena_new();
    struct settings *settings = arena != NULL ? arena_take(arena, sizeof(*settings)) : NULL;
    struct route_settings *route = arena != NULL ? arena_take(arena, sizeof(*route)) : NULL;
    struct snapshot *snapshot;

    control->defaults = config_load_bytes("control", bytes_of(own_file), &errors);
    config_errors_free(&errors);
    if (control->defaults == NULL || settings == NULL || route == NULL) {
        arena_free(&arena);
        return NULL;
    }
    *settings = *snapshot_settings(control->defaults);
    *route = settings->routes[0];
    adjust(settings, route);
    snapshot = snapshot_new(arena, settings);
    if (snapshot == NULL) {
        arena_free(&arena);
    }
    return snapshot;
}

/* --- putting together -------------------------------------------------------------------- */

static void on_trim(void *owner)
{
    struct control *control = owner;

    buffer_pool_trim(control->worker_context.buffers);
    client_context_trim(control->clients);
    exchange_context_trim(control->exchanges);
}

/* Nothing is placed elsewhere; but without questions this thread need not wake up either. */
static bool keep_here(void *owner, int fd, const struct address *from, uint32_t listener)
{
    struct control *control = owner;

    (void)fd;
    (void)from;
    (void)listener;
    alarm_set(control->worker_context.loop, &control->trim, TRIM_MS, on_trim, control);
    return false;
}

static uint32_t count_own(void *owner)
{
    const struct control *control = owner;

    return client_context_count(control->clients);
}

static const struct client_placing placing = {.place = keep_here, .count_all = count_own};

static bool build_origins(struct control *control)
{
    control->registry = origin_registry_new(1);
    control->resolver = resolver_new(control->worker_context.loop);
    if (control->registry == NULL || control->resolver == NULL) {
        return false;
    }
    control->origins = origin_directory_new(&control->worker_context, control->resolver,
                                            control->metrics, control->registry);
    return control->origins != NULL;
}

static bool build_exchanges(struct control *control)
{
    struct snapshot *snapshot = make_snapshot(control);
    struct plan *plan = snapshot != NULL ? plan_new(snapshot, NULL) : NULL;
    struct generation *generation = plan != NULL ? generation_new(plan, control->origins) : NULL;

    if (plan != NULL) {
        plan_unref(&plan);
    }
    if (generation == NULL || !metrics_adopt(control->metrics, generation_settings(generation))) {
        generation_unref(&generation);
        return false;
    }
    control->exchanges = exchange_context_new(
        &(struct exchange_lent){&control->worker_context, control->metrics, NULL, NULL, NULL},
        generation);
    if (control->exchanges == NULL) {
        return false;
    }
    control->live = live_new(&control->sources, control->worker_context.loop);
    if (control->live == NULL) {
        return false;
    }
    control->questions = (struct question_context){&control->sources, control->worker_context.loop,
                                                   control->live, &control->kept};
    exchange_context_answer_with(control->exchanges, &question_answerer, &control->questions);
    return true;
}

static bool build(struct control *control)
{
    random_init(&control->worker_context.random);
    control->worker_context.loop = loop_new();
    control->worker_context.buffers = buffer_pool_new();
    control->metrics = metrics_new();
    if (control->worker_context.loop == NULL || control->worker_context.buffers == NULL ||
        control->metrics == NULL || !build_origins(control) || !build_exchanges(control)) {
        return false;
    }
    control->clients = client_context_new(control->exchanges, &control->worker_context,
                                          control->metrics, &placing, control);
    return control->clients != NULL;
}

static bool listen_at(struct control *control, int *fd, enum control_listener index)
{
    static const char *const names[] = {
        [CONTROL_SOCKET] = "control", [CONTROL_METRICS] = "metrics"};
    struct listener_settings settings = snapshot_settings(control->defaults)->listeners[0];
    const struct client_socket at = {.fd = *fd, .key = index};

    settings.name = names[index];
    *fd = -1;
    return at.fd < 0 || client_context_listen(control->clients, &at, &settings, index);
}

static void *run(void *owner)
{
    struct control *control = owner;

    machine_lower_priority();
    loop_run(control->worker_context.loop);
    return NULL;
}

static bool start_thread(struct control *control)
{
    int error = thread_start(&control->thread, "control", run, control);

    if (error != 0) {
        log_error("cannot start the thread of the control interface: %s (the limit of threads is "
                  "reached: ulimit -u, or TasksMax= of the unit)",
                  strerror(error));
        return false;
    }
    control->started = true;
    return true;
}

static void take_apart(struct control *control)
{
    if (control->clients != NULL) {
        client_context_close_all(control->clients);
    }
    client_context_free(&control->clients);
    exchange_context_free(&control->exchanges);
    kept_room_release(&control->kept, control->worker_context.loop);
    live_free(&control->live);
    origin_directory_free(&control->origins);
    resolver_free(&control->resolver);
    origin_registry_free(&control->registry);
    metrics_free(&control->metrics);
    loop_free(&control->worker_context.loop);
    buffer_pool_free(&control->worker_context.buffers);
    snapshot_unref(&control->defaults);
    free(control);
}

struct control *control_start(const struct control_places *places,
                              const struct control_sources *sources)
{
    struct control *control = calloc(1, sizeof(*control));
    struct control_places left = *places;

    if (control != NULL) {
        control->sources = *sources;
        if (build(control) && listen_at(control, &left.socket, CONTROL_SOCKET) &&
            listen_at(control, &left.metrics, CONTROL_METRICS) && start_thread(control)) {
            return control;
        }
        take_apart(control);
    }
    if (left.socket >= 0) {
        close(left.socket);
    }
    if (left.metrics >= 0) {
        close(left.metrics);
    }
    log_error("cannot start the control interface: out of memory or threads");
    return NULL;
}

/* --- stopping ---------------------------------------------------------------------------- */

static int stop_checks_most(const struct control *control)
{
    return STOP_CHECKS + (control->left != NULL ? LEAVE_GRACE_MS / STOP_CHECK_MS : 0);
}

static void on_stop_check(void *owner)
{
    struct control *control = owner;

    if (client_context_count(control->clients) == 0 ||
        control->stop_checks++ == stop_checks_most(control)) {
        loop_stop(control->worker_context.loop);
        return;
    }
    alarm_set(control->worker_context.loop, &control->stop, STOP_CHECK_MS, on_stop_check, control);
}

static void on_stop(void *owner)
{
    struct control *control = owner;

    if (control->left == NULL) { /* else it has been done, with more time */
        live_stop(control->live);
        client_context_drain(control->clients, 0);
    }
    on_stop_check(control);
}

void control_stop(struct control **held)
{
    struct control *control = *held;

    *held = NULL;
    if (control == NULL) {
        return;
    }
    loop_send(control->worker_context.loop, &control->stopped, on_stop, control);
    pthread_join(control->thread, NULL);
    take_apart(control);
}

static void on_leave(void *owner)
{
    struct control *control = owner;

    live_stop(control->live);
    client_context_discard_listening(control->clients);
    client_context_drain(control->clients, LEAVE_GRACE_MS);
    control->left(control->left_owner);
}

void control_leave(struct control *control, loop_posted *left, void *owner)
{
    control->left = left;
    control->left_owner = owner;
    loop_send(control->worker_context.loop, &control->leaves, on_leave, control);
}
