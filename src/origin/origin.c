/* SPDX-License-Identifier: BSD-2-Clause */
/* The directory of a worker's origins and where each of them is. */
#include "origin/origin_private.h"

#include "base/check.h"
#include "base/log.h"
#include "origin/limits.h"
#include "origin/prober.h"

#include <stdlib.h>

#define LEAVE_TICK_MS 10
#define LEAVE_A_TICK 32

static void bury_dead(void *owner)
{
    struct origin_directory *directory = owner;
    struct link *link;

    while ((link = list_first(&directory->graves)) != NULL) {
        list_remove(link);
        slab_give(directory->connections, CONTAINER_OF(link, struct origin_connection, link));
    }
}

static void on_connection_timer(struct timer *timer);
static void let_leave(struct origin_directory *directory, uint32_t most);

struct origin_directory *origin_directory_new(struct workbench *bench, struct resolver *resolver,
                                              struct metrics *metrics, struct origin_book *book)
{
    struct origin_directory *directory = calloc(1, sizeof(*directory));

    if (directory == NULL) {
        return NULL;
    }
    directory->bench = bench;
    directory->resolver = resolver;
    directory->metrics = metrics;
    directory->book = book;
    for (size_t i = 0; i < ORIGIN_BUCKETS; i++) {
        list_init(&directory->origins[i]);
    }
    list_init(&directory->graves);
    list_init(&directory->leaving);
    list_init(&directory->named);
    list_init(&directory->srv_names);
    list_init(&directory->nameless);
    directory->connections = slab_pool_new(sizeof(struct origin_connection));
    directory->connection_timers = timer_group_new(bench->loop, on_connection_timer);
    directory->wait_timers = timer_group_new(bench->loop, pool_wait_over);
    if (bench->worker == 0) {
        directory->prober = prober_new(directory);
    }
    if (directory->connections == NULL || (bench->worker == 0 && directory->prober == NULL) ||
        directory->connection_timers == NULL || directory->wait_timers == NULL) {
        prober_free(&directory->prober);
        slab_pool_free(&directory->connections);
        free(directory);
        return NULL;
    }
    slab_pool_account(directory->connections, pressure_slabs(bench->pressure));
    limits_open_desk(directory);
    loop_at_turn_end(bench->loop, bury_dead, directory);
    return directory;
}

void origin_directory_free(struct origin_directory **directory)
{
    if (*directory == NULL) {
        return;
    }
    prober_free(&(*directory)->prober);
    limits_close_desk(*directory);
    alarm_clear((*directory)->bench->loop, &(*directory)->leave_tick);
    alarm_clear((*directory)->bench->loop, &(*directory)->nameless_look);
    let_leave(*directory, UINT32_MAX);
    CHECK((*directory)->origin_count == 0 && list_is_empty(&(*directory)->srv_names));
    bury_dead(*directory);
    slab_pool_free(&(*directory)->connections);
    free(*directory);
    *directory = NULL;
}

void origin_directory_follow(struct origin_directory *directory, const struct settings *settings)
{
    if (directory->prober != NULL) {
        prober_follow(directory->prober, settings);
    }
}

uint32_t origin_directory_connections(const struct origin_directory *directory)
{
    return (uint32_t)slab_pool_used(directory->connections);
}

size_t origin_directory_memory(const struct origin_directory *directory)
{
    return slab_pool_used(directory->connections) * sizeof(struct origin_connection);
}

void origin_directory_trim(struct origin_directory *directory)
{
    slab_pool_trim(directory->connections);
}

static bool set_addresses(struct origin *origin, const struct address *addresses, size_t count)
{
    struct address *copy = calloc(count > 0 ? count : 1, sizeof(*copy));

    if (copy == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        copy[i] = addresses[i];
        if (origin->watched != NULL) {
            address_set_port(&copy[i], origin->port);
        }
    }
    free(origin->addresses);
    origin->addresses = copy;
    origin->address_count = (uint32_t)count;
    origin->next_address = 0;
    return true;
}

static void on_resolved(void *owner, const struct address *addresses, size_t count)
{
    struct origin *origin = owner;

    if (count == 0) {
        log_warning("origin %s: its name cannot be resolved; requests to it get 502 until it can",
                    origin->name);
        origin->resolved = true;
        origin_book_changed(origin->directory->book);
        while (!list_is_empty(&origin->line)) {
            pool_dial_failed(origin, ORIGIN_FAILURE_NAME_UNKNOWN);
        }
        return;
    }
    if (set_addresses(origin, addresses, count)) {
        origin->resolved = true;
        origin_book_changed(origin->directory->book);
        name_wait_resolved(origin->directory);
        pool_serve_line(origin);
    }
}

static struct link *bucket_of(struct origin_directory *directory, const char *name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (; *name != '\0'; name++) {
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    }
    return &directory->origins[hash % ORIGIN_BUCKETS];
}

struct origin *origin_named(struct origin_directory *directory, const char *name,
                            const struct origin *after)
{
    struct link *bucket = bucket_of(directory, name);

    for (struct link *link = after != NULL ? after->link.next : bucket->next; link != bucket;
         link = link->next) {
        struct origin *origin = CONTAINER_OF(link, struct origin, link);

        if (strcmp(origin->name, name) == 0) {
            return origin;
        }
    }
    return NULL;
}

static bool is_same_tls(const struct origin *origin, const struct origin_settings *settings)
{
    if (origin->tls_identity == NULL || settings->tls_identity == NULL) {
        return origin->tls_identity == NULL && settings->tls_identity == NULL;
    }
    return strcmp(origin->tls_identity, settings->tls_identity) == 0;
}

static struct origin *find(struct origin_directory *directory,
                           const struct origin_settings *settings)
{
    struct origin *origin = origin_named(directory, settings->name, NULL);

    while (origin != NULL && !is_same_tls(origin, settings)) {
        origin = origin_named(directory, settings->name, origin);
    }
    return origin;
}

static void origin_free(struct origin *origin)
{
    if (!list_is_empty(&origin->link)) {
        list_remove(&origin->link);
        origin->directory->origin_count--;
    }
    alarm_clear(origin->directory->bench->loop, &origin->reserve);
    resolver_unwatch(&origin->watched);
    list_remove(&origin->blocked);
    list_remove(&origin->nameless);
    if (origin->entry != NULL) {
        origin_entry_leave(origin->entry, &origin->tally);
        origin_entry_put(&origin->entry);
    }
    metrics_origin_leaves(origin->directory->metrics, &origin->counters);
    tls_session_forget(&origin->resumable);
    tls_dialer_unref(&origin->dialer);
    free(origin->tls_identity);
    free(origin->tls_name);
    free(origin->addresses);
    free(origin);
}

static bool locate(struct origin *origin, const struct origin_settings *settings)
{
    if (settings->srv != NULL) {
        return set_addresses(origin, NULL, 0); /* it stands for targets that are not known yet */
    }
    if (settings->host == NULL) {
        origin->resolved = true;
        return set_addresses(origin, &settings->address, 1);
    }
    origin->watched =
        resolver_watch(origin->directory->resolver, settings->host, on_resolved, origin);
    return origin->watched != NULL && set_addresses(origin, NULL, 0);
}

static bool enter_book(struct origin *origin)
{
    origin->entry = origin_entry_get(origin->directory->book, origin->name);
    if (origin->entry == NULL) {
        return false;
    }
    origin_entry_join(origin->entry, &origin->tally);
    return true;
}

static bool keep_tls(struct origin *origin, const struct origin_settings *settings)
{
    if (settings->tls_identity == NULL) {
        return true;
    }
    origin->tls_identity = strdup(settings->tls_identity);
    origin->tls_name = strdup(settings->tls_name);
    return origin->tls_identity != NULL && origin->tls_name != NULL;
}

static struct origin *origin_new(struct origin_directory *directory,
                                 const struct origin_settings *settings)
{
    struct origin *origin = calloc(1, sizeof(*origin));

    if (origin == NULL) {
        return NULL;
    }
    list_init(&origin->link);
    list_init(&origin->leaving);
    list_init(&origin->idle);
    list_init(&origin->busy);
    list_init(&origin->dials);
    list_init(&origin->line);
    list_init(&origin->probes);
    list_init(&origin->blocked);
    list_init(&origin->nameless);
    origin->directory = directory;
    origin->port = settings->port;
    origin->absence = ORIGIN_FAILURE_NAME_UNKNOWN;
    origin->counters = metrics_origin(directory->metrics, settings->name);
    if (origin->counters != NULL) {
        origin->name = metrics_origin_name(origin->counters);
    }
    if (origin->counters == NULL || !keep_tls(origin, settings) || !enter_book(origin) ||
        !locate(origin, settings)) {
        origin_free(origin);
        return NULL;
    }
    list_add_last(bucket_of(directory, origin->name), &origin->link);
    directory->origin_count++;
    return origin;
}

_Static_assert(ORIGIN_FAILURE_COUNT <= METRICS_FAILURES_MAX, "each failure has a counter");

void origin_fail_request(struct origin_request *request, enum origin_failure failure)
{
    metrics_origin_fails(request->origin->counters, failure);
    origin_health_failed(request, failure);
    limits_give_request(request);
    request->events->failed(request->owner, failure);
}

struct origin *origin_get(struct origin_directory *directory,
                          const struct origin_settings *settings)
{
    struct origin *origin = find(directory, settings);

    if (origin == NULL) {
        origin = origin_new(directory, settings);
    }
    if (origin != NULL) {
        origin->references++;
        list_remove(&origin->leaving); /* it comes back before it is gone */
    }
    return origin;
}

void origin_dial_with(struct origin *origin, struct tls_dialer *dialer)
{
    if (origin->dialer == dialer || origin->tls_identity == NULL) {
        return;
    }
    tls_session_forget(&origin->resumable);
    tls_dialer_unref(&origin->dialer);
    origin->dialer = dialer != NULL ? tls_dialer_ref(dialer) : NULL;
}

/* --- leaving ----------------------------------------------------------------------------- */

/* true: none is left. */
static bool close_some(struct link *connections, uint32_t *most)
{
    struct link *link;

    while ((link = list_first(connections)) != NULL && *most > 0) {
        origin_connection_close(CONTAINER_OF(link, struct origin_connection, link));
        (*most)--;
    }
    return link == NULL;
}

/* A few closed connections a tick: a thousand in one go would be a pause for everybody else. */
static void let_leave(struct origin_directory *directory, uint32_t most)
{
    struct link *link;

    while (most > 0 && (link = list_first(&directory->leaving)) != NULL) {
        struct origin *origin = CONTAINER_OF(link, struct origin, leaving);

        most--;
        if (close_some(&origin->idle, &most) && close_some(&origin->dials, &most)) {
            list_remove(&origin->leaving);
            origin_free(origin);
        }
    }
}

static void on_leave_tick(void *owner)
{
    struct origin_directory *directory = owner;

    let_leave(directory, LEAVE_A_TICK);
    if (!list_is_empty(&directory->leaving)) {
        alarm_set(directory->bench->loop, &directory->leave_tick, LEAVE_TICK_MS, on_leave_tick,
                  directory);
    }
}

void origin_put(struct origin **held)
{
    struct origin *origin = *held;

    *held = NULL;
    if (origin == NULL || --origin->references > 0) {
        return;
    }
    CHECK(TALLY_READ(origin->tally.busy) == 0 && list_is_empty(&origin->line));
    if (list_is_empty(&origin->idle) && list_is_empty(&origin->dials)) {
        origin_free(origin);
        return;
    }
    list_add_last(&origin->directory->leaving, &origin->leaving);
    if (!alarm_is_set(&origin->directory->leave_tick)) {
        alarm_set(origin->directory->bench->loop, &origin->directory->leave_tick, LEAVE_TICK_MS,
                  on_leave_tick, origin->directory);
    }
}

const char *origin_name(const struct origin *origin)
{
    return origin->name;
}

uint32_t origin_load(const struct origin *origin)
{
    return TALLY_READ(origin->tally.busy) + TALLY_READ(origin->tally.waiting);
}

bool origin_is_unknown(const struct origin *origin)
{
    return origin->resolved && origin->address_count == 0;
}

/* One timer a connection; what it means follows from the state. */
static void on_connection_timer(struct timer *timer)
{
    struct origin_connection *connection = CONTAINER_OF(timer, struct origin_connection, timer);

    switch (connection->state) {
    case ORIGIN_CONNECTION_CONNECTING:
    case ORIGIN_CONNECTION_HANDSHAKES:
        origin_connection_fail(connection, ORIGIN_FAILURE_CONNECT_TIMEOUT);
        break;
    case ORIGIN_CONNECTION_IDLE:
        origin_connection_close(connection);
        break;
    case ORIGIN_CONNECTION_AWAITS_HEAD:
        if (connection->awaits_verdict) {
            origin_connection_fail(connection, ORIGIN_FAILURE_CLOSED);
            break;
        }
        if (origin_h1_is_not_to_hurry(connection)) {
            break;
        }
        origin_connection_fail(connection, connection->out.blocked ? ORIGIN_FAILURE_SEND_TIMEOUT
                                           : connection->request->hurried
                                               ? ORIGIN_FAILURE_TRIAL_TIMEOUT
                                               : ORIGIN_FAILURE_FIRST_BYTE_TIMEOUT);
        break;
    case ORIGIN_CONNECTION_READS_BODY:
        if (origin_h1_still_sends(connection)) {
            break;
        }
        origin_connection_fail(connection, ORIGIN_FAILURE_ANSWER_TIMEOUT);
        break;
    case ORIGIN_CONNECTION_TUNNELS:
        origin_connection_fail(connection, ORIGIN_FAILURE_TUNNEL_IDLE);
        break;
    case ORIGIN_CONNECTION_CLOSED:
        CHECK(connection->state != ORIGIN_CONNECTION_CLOSED);
    }
}
