/* SPDX-License-Identifier: BSD-2-Clause */
/* The entries, sorted by route name, under one lock. */
#include "split/split_book_private.h"

#include "base/check.h"
#include "split/pin_table.h"
#include "split/ramp.h"

#include <pthread.h>
#include <stdlib.h>

#define PINS 1048576 /* 8 MiB once all of it is in use */

/* --- names ------------------------------------------------------------------------------- */

const char *split_cause_name(enum split_cause cause)
{
    static const char *const names[] = {"file", "operator", "ramp"};

    return names[cause];
}

const char *ramp_phase_name(enum ramp_phase phase)
{
    static const char *const names[] = {
        [RAMP_NONE] = "none",         [RAMP_MOVES] = "moves",     [RAMP_PAUSED] = "paused",
        [RAMP_BREACHED] = "breached", [RAMP_ABORTED] = "aborted", [RAMP_DONE] = "done",
    };

    return names[phase];
}

const char *split_verdict_sentence(enum split_verdict verdict)
{
    static const char *const sentences[] = {
        [SPLIT_DONE] = "done",
        [SPLIT_NO_ROUTE] = "no route of this name has a split",
        [SPLIT_NO_ARM] = "the route's split has no such service",
        [SPLIT_TWICE] = "a service is named twice",
        [SPLIT_BAD_SUM] = ("the weights must add up to 100%; at most one service may be left out, "
                           "which gets the rest"),
        [SPLIT_RAMP_MOVES] = "the route's ramp moves its weights; pause it first",
        [SPLIT_NO_RAMP] = "the route has no ramp",
        [SPLIT_NOT_NOW] = "the ramp is not in a state for this",
        [SPLIT_NO_MEMORY] = "out of memory",
    };

    return sentences[verdict];
}

/* --- entries ----------------------------------------------------------------------------- */

struct split_book *split_book_new(uint32_t workers)
{
    struct split_book *book = calloc(1, sizeof(*book));

    if (book == NULL) {
        return NULL;
    }
    book->workers = workers;
    book->pins = pin_table_new(PINS);
    if (book->pins == NULL) {
        free(book);
        return NULL;
    }
    pthread_mutex_init(&book->lock, NULL);
    return book;
}

struct pin_table *split_book_pins(struct split_book *book)
{
    return book->pins;
}

int split_entry_compare(const void *a, const void *b)
{
    const struct split_entry *first = a;
    const struct split_entry *second = b;

    return strcmp(first->route, second->route);
}

void split_kept_free(struct split_kept **held)
{
    struct split_kept *kept = *held;

    *held = NULL;
    if (kept == NULL) {
        return;
    }
    for (uint32_t i = 0; kept->services != NULL && i < kept->count; i++) {
        free(kept->services[i]);
    }
    free(kept->services);
    free(kept->file_weights);
    free(kept->weights);
    free(kept);
}

void split_entry_release(struct split_entry *entry)
{
    free(entry->route);
    split_kept_free(&entry->kept);
    live_split_unref(&entry->live);
    ramp_free(&entry->ramp);
    ramp_free(&entry->memory);
}

void split_book_free(struct split_book **held)
{
    struct split_book *book = *held;

    *held = NULL;
    if (book == NULL) {
        return;
    }
    for (uint32_t i = 0; i < book->count; i++) {
        split_entry_release(&book->entries[i]);
    }
    free(book->entries);
    pin_table_free(&book->pins);
    pthread_mutex_destroy(&book->lock);
    free(book);
}

static int compare_names(struct bytes a, struct bytes b)
{
    size_t least = a.length < b.length ? a.length : b.length;
    int order = least > 0 ? memcmp(a.at, b.at, least) : 0;

    return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

struct split_entry *split_book_entry(const struct split_book *book, struct bytes route)
{
    uint32_t from = 0;
    uint32_t to = book->count;

    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        int order = compare_names(route, bytes_of(book->entries[middle].route));

        if (order == 0) {
            return &book->entries[middle];
        }
        if (order < 0) {
            to = middle;
        } else {
            from = middle + 1;
        }
    }
    return NULL;
}

static struct split_entry *find_live(const struct split_book *book, struct bytes route)
{
    struct split_entry *entry = split_book_entry(book, route);

    return entry != NULL && entry->live != NULL ? entry : NULL;
}

/* --- orders ------------------------------------------------------------------------------ */

static uint32_t arm_of(const struct live_split *live, struct bytes service)
{
    uint32_t arm = 0;

    while (arm < live->arm_count && !bytes_equal(service, bytes_of(live->services[arm]))) {
        arm++;
    }
    return arm;
}

/* `out` has all arms; one that is not named gets what is left. */
static enum split_verdict complete(const struct live_split *live,
                                   const struct split_weight *weights, uint32_t count,
                                   uint32_t *out)
{
    uint64_t sum = 0;
    uint32_t unnamed = 0;

    for (uint32_t i = 0; i < live->arm_count; i++) {
        out[i] = UINT32_MAX;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t arm = arm_of(live, weights[i].service);

        if (arm == live->arm_count) {
            return SPLIT_NO_ARM;
        }
        if (out[arm] != UINT32_MAX) {
            return SPLIT_TWICE;
        }
        if (weights[i].weight > SPLIT_WHOLE) {
            return SPLIT_BAD_SUM;
        }
        out[arm] = weights[i].weight;
        sum += weights[i].weight;
    }
    for (uint32_t i = 0; i < live->arm_count && sum <= SPLIT_WHOLE; i++) {
        if (out[i] == UINT32_MAX && unnamed++ == 0) {
            out[i] = (uint32_t)(SPLIT_WHOLE - sum);
        }
    }
    if (sum > SPLIT_WHOLE || unnamed > 1 || (unnamed == 0 && sum != SPLIT_WHOLE)) {
        return SPLIT_BAD_SUM;
    }
    return SPLIT_DONE;
}

static enum split_verdict set_weights(struct split_entry *entry, const struct split_weight *weights,
                                      uint32_t count)
{
    uint32_t all[SPLIT_ARMS_MAX];
    enum split_verdict verdict;

    if (entry == NULL) {
        return SPLIT_NO_ROUTE;
    }
    if (entry->ramp != NULL && entry->ramp->phase == RAMP_MOVES) {
        return SPLIT_RAMP_MOVES;
    }
    verdict = complete(entry->live, weights, count, all);
    if (verdict == SPLIT_DONE) {
        live_split_set(entry->live, all);
        entry->live->cause =
            live_split_is_as_in_file(entry->live, all) ? SPLIT_AS_IN_FILE : SPLIT_BY_OPERATOR;
    }
    return verdict;
}

enum split_verdict split_book_set(struct split_book *book, struct bytes route,
                                  const struct split_weight *weights, uint32_t count)
{
    enum split_verdict verdict;

    pthread_mutex_lock(&book->lock);
    verdict = set_weights(find_live(book, route), weights, count);
    pthread_mutex_unlock(&book->lock);
    return verdict;
}

static enum split_verdict reset(struct split_entry *entry)
{
    if (entry == NULL) {
        return SPLIT_NO_ROUTE;
    }
    if (entry->ramp != NULL && entry->ramp->phase == RAMP_MOVES) {
        return SPLIT_RAMP_MOVES;
    }
    live_split_set(entry->live, entry->live->file_weights);
    entry->live->cause = SPLIT_AS_IN_FILE;
    return SPLIT_DONE;
}

enum split_verdict split_book_reset(struct split_book *book, struct bytes route)
{
    enum split_verdict verdict;

    pthread_mutex_lock(&book->lock);
    verdict = reset(find_live(book, route));
    pthread_mutex_unlock(&book->lock);
    return verdict;
}

enum split_verdict split_book_order_ramp(struct split_book *book, struct bytes route,
                                         enum ramp_order order)
{
    struct split_entry *entry;
    enum split_verdict verdict;

    pthread_mutex_lock(&book->lock);
    entry = find_live(book, route);
    verdict = entry == NULL         ? SPLIT_NO_ROUTE
              : entry->ramp == NULL ? SPLIT_NO_RAMP
                                    : ramp_order(entry, order);
    book->ramp_changes += verdict == SPLIT_DONE;
    pthread_mutex_unlock(&book->lock);
    return verdict;
}

/* --- reading ----------------------------------------------------------------------------- */

static void show(const struct split_entry *entry, split_seen *seen, void *owner)
{
    const struct live_split *live = entry->live;
    struct split_arm_reading arms[SPLIT_ARMS_MAX];
    uint32_t weights[SPLIT_ARMS_MAX];
    uint32_t version;
    struct split_reading reading = {
        .route = entry->route,
        .arms = arms,
        .arm_count = live->arm_count,
        .cause = entry->live->cause,
    };

    CHECK(live_split_get(live, weights, &version)); /* nobody writes: the lock is held */
    reading.differs = !live_split_is_as_in_file(live, weights);
    for (uint32_t i = 0; i < live->arm_count; i++) {
        arms[i] = (struct split_arm_reading){live->services[i], live->file_weights[i], weights[i]};
    }
    ramp_look(entry, &reading.ramp);
    seen(owner, &reading);
}

void split_book_read(struct split_book *book, split_seen *seen, void *owner)
{
    pthread_mutex_lock(&book->lock);
    for (uint32_t i = 0; i < book->count; i++) {
        if (book->entries[i].live != NULL) {
            show(&book->entries[i], seen, owner);
        }
    }
    pthread_mutex_unlock(&book->lock);
}

/* --- workers ---------------------------------------------------------------------------- */

struct live_split *split_book_find(struct split_book *book, const struct route_settings *route)
{
    struct split_entry *entry;
    struct live_split *live = NULL;

    CHECK(route->arm_count > 1);
    pthread_mutex_lock(&book->lock);
    entry = find_live(book, bytes_of(route->name));
    if (entry != NULL && live_split_is_of(entry->live, route)) {
        live = live_split_ref(entry->live);
    }
    pthread_mutex_unlock(&book->lock);
    return live != NULL ? live : live_split_new(route, book->workers);
}

/* --- the ramps' clock --------------------------------------------------------------------- */

bool split_book_tick(struct split_book *book, uint64_t now_ms, uint32_t *cursor,
                     struct ramp_event *event)
{
    bool moved = false;

    pthread_mutex_lock(&book->lock);
    while (!moved && *cursor < book->count) {
        struct split_entry *entry = &book->entries[(*cursor)++];

        moved = entry->live != NULL && entry->ramp != NULL && ramp_tick(entry, now_ms, event);
    }
    book->ramp_changes += moved;
    pthread_mutex_unlock(&book->lock);
    return moved;
}

void split_book_forgo_ramps(struct split_book *book)
{
    pthread_mutex_lock(&book->lock);
    book->forgoes_ramps = true;
    pthread_mutex_unlock(&book->lock);
}

uint64_t split_book_ramp_changes(struct split_book *book)
{
    uint64_t changes;

    pthread_mutex_lock(&book->lock);
    changes = book->ramp_changes;
    pthread_mutex_unlock(&book->lock);
    return changes;
}
