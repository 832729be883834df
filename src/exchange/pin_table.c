/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of eight words. A word is 40 bits of a hash over key and arm, and when the pin ends, in
 * 24 bits of steps of 4 s: enough for 194 days to either side of now. 0 is an empty place. A
 * lookup compares a line with the marks of all arms of the split, of which there are few, so no
 * arm needs a number that would have to outlive reloads. */
#include "exchange/pin_table.h"

#include "config/settings.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#define WAYS 8
#define END_BITS 24
#define END_MASK ((1u << END_BITS) - 1)
#define STEP_S 4

struct line {
    _Alignas(64) _Atomic uint64_t words[WAYS];
};

struct pin_table {
    uint32_t mask;   /* lines - 1 */
    bool was_loaded; /* with some pins of the process before */
    struct line *lines;
    _Atomic uint64_t held;
    _Atomic uint64_t found;
    _Atomic uint64_t moved;
    _Atomic uint64_t pushed_out;
};

static size_t size_of(const struct pin_table *table)
{
    return ((size_t)table->mask + 1) * sizeof(struct line);
}

struct pin_table *pin_table_new(uint32_t pins)
{
    struct pin_table *table = calloc(1, sizeof(*table));
    uint32_t lines = 1;

    while (lines < pins / WAYS) {
        lines *= 2;
    }
    if (table == NULL) {
        return NULL;
    }
    table->mask = lines - 1;
    /* Fresh pages of the kernel's are zero, and take memory only once a pin lies there. */
    table->lines =
        mmap(NULL, size_of(table), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (table->lines == MAP_FAILED) {
        free(table);
        return NULL;
    }
    return table;
}

void pin_table_free(struct pin_table **table)
{
    if (*table != NULL) {
        munmap((*table)->lines, size_of(*table));
    }
    free(*table);
    *table = NULL;
}

/* --- words -------------------------------------------------------------------------------- */

static bool holds(uint64_t word, uint64_t now_s)
{
    uint32_t left = (uint32_t)(word - now_s / STEP_S) & END_MASK;

    return word != 0 && left > 0 && left <= END_MASK / 2;
}

static uint32_t steps_left(uint64_t word, uint64_t now_s)
{
    return holds(word, now_s) ? (uint32_t)(word - now_s / STEP_S) & END_MASK : 0;
}

/* The 40 bits that say key and arm. */
static uint64_t mark_of(const struct split_seeds *seeds, uint32_t arm, uint64_t hash)
{
    const struct siphash_key key = {seeds->arms[arm], ~seeds->salt.second};

    return siphash_number(&key, hash) & ~(uint64_t)END_MASK;
}

static uint64_t word_of(uint64_t mark, uint64_t now_s, uint32_t lifetime_s)
{
    return mark | (((now_s + lifetime_s) / STEP_S + 1) & END_MASK);
}

/* --- a line ------------------------------------------------------------------------------- */

struct sought {
    struct line *line;
    uint64_t marks[SPLIT_ARMS_MAX];
    uint32_t arms;
    uint64_t now_s;
};

/* The arm whose mark stands there; `arms` for none. */
static uint32_t find(const struct sought *sought)
{
    for (int way = 0; way < WAYS; way++) {
        uint64_t word = atomic_load(&sought->line->words[way]);

        if (!holds(word, sought->now_s)) {
            continue;
        }
        for (uint32_t arm = 0; arm < sought->arms; arm++) {
            if ((word ^ sought->marks[arm]) <= END_MASK) {
                return arm;
            }
        }
    }
    return sought->arms;
}

/* A free place, or the one that ends first. */
static int place_for(const struct sought *sought, uint64_t *word)
{
    uint32_t least = UINT32_MAX;
    int place = 0;

    for (int way = 0; way < WAYS && least > 0; way++) {
        uint64_t there = atomic_load(&sought->line->words[way]);
        uint32_t left = steps_left(there, sought->now_s);

        if (left < least) {
            least = left;
            place = way;
            *word = there;
        }
    }
    return place;
}

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* Another thread may do the same at this moment: whoever's word is found first afterwards has
 * the say, and a second one of ours is taken back. */
static uint32_t insert(struct pin_table *table, const struct sought *sought, uint32_t arm,
                       uint64_t word)
{
    uint64_t there = 0;
    int place = place_for(sought, &there);
    uint32_t first;

    if (!atomic_compare_exchange_strong(&sought->line->words[place], &there, word)) {
        return sought->arms;
    }
    if (holds(there, sought->now_s)) {
        count(&table->pushed_out);
    }
    first = find(sought);
    if (first != arm && first < sought->arms) {
        atomic_compare_exchange_strong(&sought->line->words[place], &word, 0);
        return first;
    }
    count(&table->held);
    return arm;
}

#define TRIES 4

uint32_t pin_table_hold(struct pin_table *table, const struct split_seeds *seeds, struct bytes key,
                        uint32_t arm, uint64_t now_s, uint32_t lifetime_s)
{
    uint64_t hash = split_place(&seeds->salt, key);
    struct sought sought = {
        .line = &table->lines[hash & table->mask], .arms = seeds->count, .now_s = now_s};

    for (uint32_t i = 0; i < seeds->count; i++) {
        sought.marks[i] = mark_of(seeds, i, hash);
    }
    for (int i = 0; i < TRIES; i++) {
        uint32_t found = find(&sought);

        if (found < sought.arms) {
            count(&table->found);
            if (found != arm) {
                count(&table->moved);
            }
            return found;
        }
        found = insert(table, &sought, arm, word_of(sought.marks[arm], now_s, lifetime_s));
        if (found < sought.arms) {
            return found;
        }
    }
    return arm; /* a line that others write to all the time */
}

void pin_table_look(const struct pin_table *table, struct pin_counts *counts)
{
    counts->held = atomic_load_explicit(&table->held, memory_order_relaxed);
    counts->found = atomic_load_explicit(&table->found, memory_order_relaxed);
    counts->moved = atomic_load_explicit(&table->moved, memory_order_relaxed);
    counts->pushed_out = atomic_load_explicit(&table->pushed_out, memory_order_relaxed);
}

/* --- over a restart ----------------------------------------------------------------------- */

struct bytes pin_table_bytes(const struct pin_table *table)
{
    return (struct bytes){(const char *)table->lines, size_of(table)};
}

bool pin_table_load(struct pin_table *table, struct bytes bytes)
{
    static const char empty[sizeof(struct line)];

    if (bytes.length != size_of(table)) {
        return false;
    }
    for (uint32_t i = 0; i <= table->mask; i++) {
        const char *line = bytes.at + i * sizeof(struct line);

        if (memcmp(line, empty, sizeof(empty)) != 0) { /* else its page stays untouched */
            memcpy(&table->lines[i], line, sizeof(struct line));
            table->was_loaded = true;
        }
    }
    return true;
}

bool pin_table_is_used(const struct pin_table *table)
{
    return table->was_loaded || atomic_load_explicit(&table->held, memory_order_relaxed) > 0;
}
