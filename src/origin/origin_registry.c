/* SPDX-License-Identifier: BSD-2-Clause */
/* Which entries are in the registry; drains; reading it. Their health is changed by health/, their quotas
 * and limits by pool/. */
#include "origin/origin_entry.h"

#include "base/check.h"
#include "base/log/log.h"
#include "base/system/clock.h"
#include "observe/origin_label.h"

#include <pthread.h>
#include <stdlib.h>

/* A worker, as the others see it. */
struct context {
    struct origin_directory *_Atomic directory;
    struct loop *loop;
    loop_posted *wakes;
    _Atomic bool woken; /* a letter is on its way */
};

struct origin_registry {
    /* Read by every worker for every request, seldom written: alone in its cache line. */
    _Alignas(ORIGIN_CACHE_LINE) _Atomic uint64_t serial;
    _Alignas(ORIGIN_CACHE_LINE) _Atomic bool changing;
    pthread_mutex_t lock;
    uint32_t workers;
    struct context *contexts;
    struct name_table origins;
    struct name_table services;
    struct link srv_notes;
    struct link drained; /* of struct drain_note: few */
    uint32_t drained_count;
};

/* An address of a name that an operator drained and that DNS does not give now: an origin that
 * comes by this label is drained from its first moment. */
struct drain_note {
    struct link link;
    char *label; /* "api:80@10.0.0.1" */
};

#define DRAIN_NOTES_MOST 1024

/* What is known of an SRV name. */
struct srv_note {
    struct link link;
    char *name;
    enum name_state state;
    struct srv_target *targets;
    uint32_t count;
};

/* --- drained addresses that DNS does not give ---------------------------------------------- */

static void drop_note(struct origin_registry *registry, struct drain_note *note)
{
    list_remove(&note->link);
    registry->drained_count--;
    free(note->label);
    free(note);
}

static struct drain_note *find_drained(struct origin_registry *registry, const char *label)
{
    LIST_EACH (struct drain_note, note, &registry->drained, link) {
        if (strcmp(note->label, label) == 0) {
            return note;
        }
    }
    return NULL;
}

/* true: it is noted, or was. false: no memory, or too many. */
static bool note_drain(struct origin_registry *registry, const char *label)
{
    struct drain_note *note;

    if (find_drained(registry, label) != NULL) {
        return true;
    }
    note = registry->drained_count < DRAIN_NOTES_MOST ? calloc(1, sizeof(*note)) : NULL;
    if (note == NULL || (note->label = strdup(label)) == NULL) {
        free(note);
        return false;
    }
    list_add_last(&registry->drained, &note->link);
    registry->drained_count++;
    return true;
}

/* Takes it out; false: it was not there. */
static bool take_note(struct origin_registry *registry, const char *label)
{
    struct drain_note *note = find_drained(registry, label);

    if (note != NULL) {
        drop_note(registry, note);
    }
    return note != NULL;
}

/* Those of all addresses of this name. */
static void forget_notes(struct origin_registry *registry, const char *name)
{
    LIST_EACH_LEAVING (struct drain_note, note, &registry->drained, link) {
        if (bytes_equal(origin_label_name(bytes_of(note->label)), bytes_of(name))) {
            drop_note(registry, note);
        }
    }
}

/* --- the registry -------------------------------------------------------------------------- */

struct origin_registry *origin_registry_new(uint32_t workers)
{
    struct origin_registry *registry = aligned_alloc(ORIGIN_CACHE_LINE, sizeof(*registry));

    if (registry == NULL) {
        return NULL;
    }
    memset(registry, 0, sizeof(*registry));
    registry->contexts = calloc(workers, sizeof(*registry->contexts));
    if (registry->contexts == NULL) {
        free(registry);
        return NULL;
    }
    pthread_mutex_init(&registry->lock, NULL);
    registry->workers = workers;
    list_init(&registry->srv_notes);
    list_init(&registry->drained);
    name_table_init(&registry->origins);
    name_table_init(&registry->services);
    return registry;
}

void origin_registry_free(struct origin_registry **registry)
{
    struct drain_note *note;

    if (*registry == NULL) {
        return;
    }
    CHECK(name_table_next(&(*registry)->origins, NULL) == NULL &&
          name_table_next(&(*registry)->services, NULL) == NULL);
    CHECK(list_is_empty(&(*registry)->srv_notes));
    while ((note = LIST_FIRST(&(*registry)->drained, struct drain_note, link)) != NULL) {
        drop_note(*registry, note);
    }
    pthread_mutex_destroy(&(*registry)->lock);
    free((*registry)->contexts);
    free(*registry);
    *registry = NULL;
}

const _Atomic uint64_t *origin_registry_serial(const struct origin_registry *registry)
{
    return &registry->serial;
}

void origin_registry_changed(struct origin_registry *registry)
{
    atomic_fetch_add_explicit(&registry->serial, 1, memory_order_acq_rel);
}

bool origin_registry_begin_change(struct origin_registry *registry)
{
    return !atomic_exchange_explicit(&registry->changing, true, memory_order_acquire);
}

void origin_registry_end_change(struct origin_registry *registry)
{
    atomic_store_explicit(&registry->changing, false, memory_order_release);
    origin_registry_changed(registry);
}

#define FROM(phase) (1u << ORIGIN_##phase)

/* What each may follow. */
static const uint16_t formers[] = {
    [ORIGIN_SERVES] = FROM(HALF_OPEN),
    [ORIGIN_EJECTED] = FROM(SERVES) | FROM(HALF_OPEN),
    [ORIGIN_HALF_OPEN] = FROM(EJECTED),
};

void origin_entry_set_phase(struct origin_entry *entry, enum origin_phase phase)
{
    CHECK((formers[phase] >> origin_entry_phase(entry) & 1) != 0);
    atomic_store_explicit(&entry->phase, (uint8_t)phase, memory_order_release);
}

/* --- entries ----------------------------------------------------------------------------- */

static struct registry_entry *place_of(struct named *named)
{
    return named != NULL ? CONTAINER_OF(named, struct registry_entry, named) : NULL;
}

static struct registry_entry *find(const struct name_table *table, const char *name)
{
    return place_of(name_table_find(table, name, NULL));
}

static void entry_free(struct registry_entry *common)
{
    free(common->name);
    free(common);
}

static struct registry_entry *entry_new(struct origin_registry *registry, struct name_table *table,
                                        const char *name, size_t size)
{
    struct registry_entry *common = aligned_alloc(ORIGIN_CACHE_LINE, size);

    if (common == NULL) {
        return NULL;
    }
    memset(common, 0, size);
    common->registry = registry;
    common->name = strdup(name);
    if (common->name == NULL) {
        entry_free(common);
        return NULL;
    }
    name_table_add(table, &common->named, common->name);
    return common;
}

/* One that is new has this reference only, and is zeros otherwise. The lock is held. */
static struct registry_entry *entry_get(struct origin_registry *registry, struct name_table *table,
                                        const char *name, size_t size)
{
    struct registry_entry *common = find(table, name);

    if (common == NULL) {
        common = entry_new(registry, table, name, size);
    }
    if (common != NULL) {
        common->references++;
    }
    return common;
}

static void entry_hold(struct registry_entry *common)
{
    pthread_mutex_lock(&common->registry->lock);
    common->references++;
    pthread_mutex_unlock(&common->registry->lock);
}

/* --- origins ----------------------------------------------------------------------------- */

static struct origin_entry *origin_of(struct registry_entry *common)
{
    return common != NULL ? CONTAINER_OF(common, struct origin_entry, common) : NULL;
}

/* Under the lock that is held for its name, too: between two, the name's entry might go. */
static struct origin_entry *get_locked(struct origin_registry *registry, const char *name)
{
    struct origin_entry *entry =
        origin_of(entry_get(registry, &registry->origins, name, sizeof(struct origin_entry)));

    if (entry != NULL && entry->common.references == 1) {
        list_init(&entry->tallies);
        entry->drained = take_note(registry, name);
    }
    return entry;
}

/* DNS may give the address again: it is as drained then as it is now. */
static void keep_drain(struct origin_registry *registry, const struct origin_entry *entry)
{
    if (entry->of != NULL && TALLY_READ(entry->drained) &&
        !note_drain(registry, entry->common.name)) {
        log_warning("origin %s is drained and gone from DNS; should it come back, it is not",
                    entry->common.name);
    }
}

static void put_locked(struct origin_registry *registry, struct origin_entry *entry)
{
    struct origin_entry *of = entry->of;

    if (--entry->common.references > 0) {
        return;
    }
    keep_drain(registry, entry);
    name_table_remove(&entry->common.named);
    if (of == NULL) {
        forget_notes(registry, entry->common.name);
    }
    entry_free(&entry->common);
    if (of != NULL) {
        of->addresses--;
        put_locked(registry, of); /* which is of none */
    }
}

/* NULL: it is none, or there is no memory for it (*failed). */
static struct origin_entry *get_name_of(struct origin_registry *registry, const char *label,
                                        bool *failed)
{
    struct bytes name = origin_label_name(bytes_of(label));
    struct origin_entry *of;
    char *text;

    *failed = false;
    if (name.length == strlen(label)) {
        return NULL;
    }
    text = strndup(name.at, name.length);
    of = text != NULL ? get_locked(registry, text) : NULL;
    *failed = of == NULL;
    free(text);
    return of;
}

static struct origin_entry *get_with_name(struct origin_registry *registry, const char *label)
{
    bool failed;
    struct origin_entry *of = get_name_of(registry, label, &failed);
    struct origin_entry *entry = failed ? NULL : get_locked(registry, label);

    if (entry == NULL || of == NULL || entry->of != NULL) {
        if (of != NULL) {
            put_locked(registry, of); /* the entry has it already, or there is none */
        }
        return entry;
    }
    entry->of = of;
    of->addresses++;
    return entry;
}

struct origin_entry *origin_entry_get(struct origin_registry *registry, const char *name)
{
    struct origin_entry *entry;

    pthread_mutex_lock(&registry->lock);
    entry = get_with_name(registry, name);
    pthread_mutex_unlock(&registry->lock);
    return entry;
}

struct origin_entry *origin_entry_hold(struct origin_entry *entry)
{
    entry_hold(&entry->common);
    return entry;
}

void origin_entry_put(struct origin_entry **held)
{
    struct origin_entry *entry = *held;
    struct origin_registry *registry;

    *held = NULL;
    if (entry == NULL) {
        return;
    }
    registry = entry->common.registry;
    pthread_mutex_lock(&registry->lock);
    put_locked(registry, entry);
    pthread_mutex_unlock(&registry->lock);
}

void origin_entry_join(struct origin_entry *entry, struct origin_tally *tally)
{
    pthread_mutex_lock(&entry->common.registry->lock);
    list_add_last(&entry->tallies, &tally->link);
    pthread_mutex_unlock(&entry->common.registry->lock);
}

void origin_entry_leave(struct origin_entry *entry, struct origin_tally *tally)
{
    pthread_mutex_lock(&entry->common.registry->lock);
    entry->past_requests += TALLY_READ(tally->requests);
    entry->past_failures += TALLY_READ(tally->failures);
    list_remove(&tally->link);
    pthread_mutex_unlock(&entry->common.registry->lock);
}

/* --- services ---------------------------------------------------------------------------- */

struct service_entry *service_entry_get(struct origin_registry *registry, const char *name)
{
    struct registry_entry *common;

    pthread_mutex_lock(&registry->lock);
    common = entry_get(registry, &registry->services, name, sizeof(struct service_entry));
    pthread_mutex_unlock(&registry->lock);
    return common != NULL ? CONTAINER_OF(common, struct service_entry, common) : NULL;
}

struct service_entry *service_entry_hold(struct service_entry *entry)
{
    entry_hold(&entry->common);
    return entry;
}

void service_entry_put(struct service_entry **held)
{
    struct service_entry *entry = *held;
    struct origin_registry *registry;

    *held = NULL;
    if (entry == NULL) {
        return;
    }
    registry = entry->common.registry;
    pthread_mutex_lock(&registry->lock);
    if (--entry->common.references == 0) {
        name_table_remove(&entry->common.named);
        entry_free(&entry->common);
    }
    pthread_mutex_unlock(&registry->lock);
}

/* --- SRV names --------------------------------------------------------------------------- */

static struct srv_note *find_note(struct origin_registry *registry, const char *name)
{
    LIST_EACH (struct srv_note, note, &registry->srv_notes, link) {
        if (strcmp(note->name, name) == 0) {
            return note;
        }
    }
    return NULL;
}

static struct srv_note *find_or_add_note(struct origin_registry *registry, const char *name)
{
    struct srv_note *note = find_note(registry, name);

    if (note != NULL) {
        return note;
    }
    note = calloc(1, sizeof(*note));
    if (note == NULL || (note->name = strdup(name)) == NULL) {
        free(note);
        return NULL;
    }
    list_add_last(&registry->srv_notes, &note->link);
    return note;
}

bool origin_registry_report_srv(struct origin_registry *registry, const char *name,
                                enum name_state state, const struct srv_target *targets,
                                uint32_t count)
{
    struct srv_target *copy = count > 0 ? calloc(count, sizeof(*copy)) : NULL;
    struct srv_note *note = NULL;

    if (count > 0 && copy == NULL) {
        return false;
    }
    if (count > 0) {
        memcpy(copy, targets, count * sizeof(*copy));
    }
    pthread_mutex_lock(&registry->lock);
    note = find_or_add_note(registry, name);
    if (note != NULL) {
        struct srv_target *former = note->targets;

        note->state = state;
        note->targets = copy;
        note->count = count;
        copy = former;
    }
    pthread_mutex_unlock(&registry->lock);
    free(copy);
    return note != NULL;
}

void origin_registry_forget_srv(struct origin_registry *registry, const char *name)
{
    struct srv_note *note;

    pthread_mutex_lock(&registry->lock);
    note = find_note(registry, name);
    if (note != NULL) {
        list_remove(&note->link);
        free(note->targets);
        free(note->name);
        free(note);
    }
    pthread_mutex_unlock(&registry->lock);
}

void origin_registry_read_srv(struct origin_registry *registry, srv_seen *seen, void *owner)
{
    pthread_mutex_lock(&registry->lock);
    LIST_EACH (const struct srv_note, note, &registry->srv_notes, link) {
        const struct srv_reading reading = {note->name, note->state, note->targets, note->count};

        seen(owner, &reading);
    }
    pthread_mutex_unlock(&registry->lock);
}

const char *name_state_name(enum name_state state)
{
    static const char *const names[] = {"not answered yet", "cannot be resolved", "not available",
                                        "resolved"};

    return names[state];
}

/* --- contexts ------------------------------------------------------------------------------- */

uint32_t origin_registry_workers(const struct origin_registry *registry)
{
    return registry->workers;
}

void origin_registry_open_context(struct origin_registry *registry, uint32_t worker,
                                  struct origin_directory *directory, struct loop *loop,
                                  loop_posted *wakes)
{
    struct context *context = &registry->contexts[worker];

    CHECK(worker < registry->workers);
    context->loop = loop;
    context->wakes = wakes;
    atomic_store_explicit(&context->directory, directory, memory_order_release);
}

void origin_registry_close_context(struct origin_registry *registry, uint32_t worker)
{
    atomic_store_explicit(&registry->contexts[worker].directory, NULL, memory_order_release);
}

struct origin_directory *origin_registry_context(const struct origin_registry *registry,
                                                 uint32_t worker)
{
    return atomic_load_explicit(&registry->contexts[worker].directory, memory_order_acquire);
}

static void on_woken(void *owner)
{
    struct context *context = owner;

    atomic_store(&context->woken, false); /* before looking: what comes now is another letter */
    context->wakes(atomic_load(&context->directory));
}

void origin_registry_wake(struct origin_registry *registry, uint32_t worker)
{
    struct context *context = &registry->contexts[worker];

    if (origin_registry_context(registry, worker) != NULL &&
        !atomic_exchange(&context->woken, true) && !loop_post(context->loop, on_woken, context)) {
        atomic_store(&context->woken, false);
    }
}

/* --- the operator ------------------------------------------------------------------------ */

/* false: there is no such origin. */
static bool drain_one(struct origin_registry *registry, const char *label, bool drained)
{
    struct origin_entry *entry = origin_of(find(&registry->origins, label));

    if (entry != NULL) {
        atomic_store_explicit(&entry->drained, drained, memory_order_relaxed);
    }
    return entry != NULL;
}

/* An address of a name that has none now. */
static bool may_come(struct origin_registry *registry, const char *label)
{
    struct bytes name = origin_label_name(bytes_of(label));
    char *text = name.length < strlen(label) ? strndup(name.at, name.length) : NULL;
    const struct origin_entry *of = text != NULL ? origin_of(find(&registry->origins, text)) : NULL;

    free(text);
    return of != NULL && of->addresses == 0;
}

bool origin_registry_drain(struct origin_registry *registry, const char *name, bool drained)
{
    bool known;

    pthread_mutex_lock(&registry->lock);
    known = drain_one(registry, name, drained);
    if (!known && drained) {
        known = may_come(registry, name) && note_drain(registry, name);
    } else if (!known) {
        known = take_note(registry, name);
    }
    pthread_mutex_unlock(&registry->lock);
    origin_registry_changed(registry);
    return known;
}

enum drain_restored origin_registry_restore_drain(struct origin_registry *registry,
                                                  const char *name)
{
    enum drain_restored restored = DRAIN_OF_NONE;

    pthread_mutex_lock(&registry->lock);
    if (drain_one(registry, name, true)) {
        restored = DRAIN_IN_FORCE;
    } else if (origin_label_address(bytes_of(name)).length > 0 && note_drain(registry, name)) {
        restored = DRAIN_NOTED;
    }
    pthread_mutex_unlock(&registry->lock);
    origin_registry_changed(registry);
    return restored;
}

void origin_registry_read_drain_notes(struct origin_registry *registry, drain_noted *noted,
                                      void *owner)
{
    pthread_mutex_lock(&registry->lock);
    LIST_EACH (struct drain_note, note, &registry->drained, link) {
        noted(owner, note->label);
    }
    pthread_mutex_unlock(&registry->lock);
}

static enum origin_verdict origin_entry_verdict(const struct origin_entry *entry)
{
    if (atomic_load_explicit(&entry->probes_down, memory_order_relaxed) > 0) {
        return ORIGIN_VERDICT_DOWN;
    }
    return atomic_load_explicit(&entry->probes_up, memory_order_relaxed) > 0
               ? ORIGIN_VERDICT_UP
               : ORIGIN_VERDICT_UNKNOWN;
}

/* --- reading ----------------------------------------------------------------------------- */

static void sum_up(const struct origin_entry *entry, struct origin_reading *reading)
{
    LIST_EACH (const struct origin_tally, tally, &entry->tallies, link) {
        reading->connections += TALLY_READ(tally->connections);
        reading->http2_connections += TALLY_READ(tally->http2_connections);
        reading->http2_streams += TALLY_READ(tally->http2_streams);
        reading->in_flight += TALLY_READ(tally->busy);
        reading->waiting += TALLY_READ(tally->waiting);
        reading->requests += TALLY_READ(tally->requests);
        reading->failures += TALLY_READ(tally->failures);
    }
}

static void read_adaptive(const struct adaptive *adaptive, struct origin_reading *reading)
{
    reading->limit = TALLY_READ(adaptive->limit);
    reading->adapts = reading->limit != 0;
    reading->base_us = TALLY_READ(adaptive->base_us);
    for (unsigned class = 0; class < PRIORITY_COUNT; class ++) {
        reading->refused += TALLY_READ(adaptive->refused[class]);
    }
}

static void read_entry(const struct origin_entry *entry, uint64_t now, origin_seen *seen,
                       void *owner)
{
    uint64_t until = TALLY_READ(entry->ejected_until_us);
    struct origin_reading reading = {
        .name = entry->common.name,
        .verdict = origin_entry_verdict(entry),
        .phase = origin_entry_phase(entry),
        .drained = origin_entry_is_drained(entry),
        .drained_itself = TALLY_READ(entry->drained),
        .addresses = entry->addresses,
        .ejections = TALLY_READ(entry->ejections),
        .failures_in_row = TALLY_READ(entry->failures_in_row),
        .requests = entry->past_requests,
        .failures = entry->past_failures,
        .ejected = TALLY_READ(entry->ejected),
        .probes = TALLY_READ(entry->probes),
        .probes_failed = TALLY_READ(entry->probes_failed),
    };

    if (reading.phase == ORIGIN_EJECTED && until > now) {
        reading.ejected_for_ms = (uint32_t)((until - now) / 1000);
    }
    sum_up(entry, &reading);
    read_adaptive(&entry->adaptive, &reading);
    reading.recovery_slots = recovery_slots_shown(&entry->recovery, now);
    seen(owner, &reading);
}

void origin_registry_read(struct origin_registry *registry, origin_seen *seen, void *owner)
{
    uint64_t now = clock_us(CLOCK_MONOTONIC);

    pthread_mutex_lock(&registry->lock);
    for (struct named *named = NULL;
         (named = name_table_next(&registry->origins, named)) != NULL;) {
        read_entry(origin_of(place_of(named)), now, seen, owner);
    }
    pthread_mutex_unlock(&registry->lock);
}

const char *origin_verdict_name(enum origin_verdict verdict)
{
    static const char *const names[] = {"unknown", "up", "down"};

    return names[verdict];
}

const char *origin_phase_name(enum origin_phase phase)
{
    static const char *const names[] = {"serves", "ejected", "half-open"};

    return names[phase];
}
