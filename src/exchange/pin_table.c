/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of eight words. A word is 40 bits of a hash over key and arm, and when the pin ends, in
 * 24 bits of steps of 4 s: enough for 194 days to either side of now. 0 is an empty place. A
 * lookup compares a line with the marks of all arms of the split, of which there are few, so no
 * arm needs a number that would have to outlive reloads.
 *
 * The memory has a descriptor, so that a new binary can have the very same: while the old process
 * lets its clients go, both hold keys, and a crash of either loses nothing. */
#include "exchange/pin_table.h"

#include "config/settings.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAYS 8
#define END_BITS 24
#define END_MASK ((1u << END_BITS) - 1)
#define STEP_S 4

struct line {
    _Alignas(64) _Atomic uint64_t words[WAYS];
};

#define LINES_A_PIECE (PIN_PIECE_BYTES / sizeof(struct line))
#define MAKE 0x5475726e70696e31u /* changes with what the words mean */

/* Before the lines; a whole number of pages. */
struct head {
    uint64_t make;
    uint32_t mask;
    _Atomic uint8_t changed[]; /* one a piece */
};

struct pin_table {
    uint32_t mask; /* lines - 1 */
    int memory;    /* descriptor of head and lines */
    struct head *head;
    struct line *lines;
    _Atomic uint64_t held;
    _Atomic uint64_t found;
    _Atomic uint64_t moved;
    _Atomic uint64_t pushed_out;
};

size_t pin_table_size(const struct pin_table *table)
{
    return ((size_t)table->mask + 1) * sizeof(struct line);
}

static uint32_t pieces(const struct pin_table *table)
{
    return (uint32_t)((pin_table_size(table) + PIN_PIECE_BYTES - 1) / PIN_PIECE_BYTES);
}

static size_t head_size(const struct pin_table *table)
{
    return (sizeof(struct head) + pieces(table) + PIN_PIECE_BYTES - 1) / PIN_PIECE_BYTES *
           PIN_PIECE_BYTES;
}

static size_t whole_size(const struct pin_table *table)
{
    return head_size(table) + pin_table_size(table);
}

/* Fresh pages of the kernel's are zero, and take memory only once a pin lies there. */
static struct head *map(const struct pin_table *table, int memory)
{
    void *at = mmap(NULL, whole_size(table), PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);

    return at != MAP_FAILED ? at : NULL;
}

static void use(struct pin_table *table, int memory, struct head *head)
{
    table->memory = memory;
    table->head = head;
    table->lines = (struct line *)((char *)head + head_size(table));
}

static bool make_memory(struct pin_table *table)
{
    int memory = memfd_create("turnpike-pins", MFD_CLOEXEC);
    struct head *head = NULL;

    if (memory < 0) {
        return false;
    }
    if (ftruncate(memory, (off_t)whole_size(table)) == 0) {
        head = map(table, memory);
    }
    if (head == NULL) {
        close(memory);
        return false;
    }
    head->make = MAKE;
    head->mask = table->mask;
    use(table, memory, head);
    return true;
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
    if (!make_memory(table)) {
        free(table);
        return NULL;
    }
    return table;
}

static void release_memory(struct pin_table *table)
{
    munmap(table->head, whole_size(table));
    close(table->memory);
}

void pin_table_free(struct pin_table **table)
{
    if (*table != NULL) {
        release_memory(*table);
    }
    free(*table);
    *table = NULL;
}

int pin_table_memory(const struct pin_table *table)
{
    return table->memory;
}

bool pin_table_adopt(struct pin_table *table, int memory)
{
    struct stat facts;
    struct head *head = NULL;

    if (fstat(memory, &facts) == 0 && (size_t)facts.st_size == whole_size(table)) {
        head = map(table, memory);
    }
    if (head == NULL || head->make != MAKE || head->mask != table->mask) {
        if (head != NULL) {
            munmap(head, whole_size(table));
        }
        close(memory);
        return false;
    }
    release_memory(table);
    use(table, memory, head);
    return true;
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

static void mark_changed(struct pin_table *table, const struct line *line)
{
    _Atomic uint8_t *changed = &table->head->changed[(line - table->lines) / LINES_A_PIECE];

    /* After the word is there, in one order with pin_table_take_changed, which asks the other way
     * round. Mostly it is marked already: no need to take the line from other workers. */
    if (atomic_load(changed) == 0) {
        atomic_store(changed, 1);
    }
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
        mark_changed(table, sought->line);
        return first;
    }
    mark_changed(table, sought->line);
    count(&table->held);
    return arm;
}

#define TRIES 4

static void seek(const struct pin_table *table, const struct split_seeds *seeds, struct bytes key,
                 uint64_t now_s, struct sought *sought)
{
    uint64_t hash = split_place(&seeds->salt, key);

    sought->line = &table->lines[hash & table->mask];
    sought->arms = seeds->count;
    sought->now_s = now_s;
    for (uint32_t i = 0; i < seeds->count; i++) {
        sought->marks[i] = mark_of(seeds, i, hash);
    }
}

uint32_t pin_table_find(const struct pin_table *table, const struct split_seeds *seeds,
                        struct bytes key, uint64_t now_s)
{
    struct sought sought;

    seek(table, seeds, key, now_s, &sought);
    return find(&sought);
}

uint32_t pin_table_hold(struct pin_table *table, const struct split_seeds *seeds, struct bytes key,
                        uint32_t arm, uint64_t now_s, uint32_t lifetime_s)
{
    struct sought sought;

    seek(table, seeds, key, now_s, &sought);
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

static size_t piece_length(const struct pin_table *table, size_t at)
{
    size_t rest = pin_table_size(table) - at;

    return rest < PIN_PIECE_BYTES ? rest : PIN_PIECE_BYTES;
}

static void copy_piece(const struct pin_table *table, uint32_t number, struct pin_piece *piece)
{
    uint64_t *words = (uint64_t *)piece->bytes;
    const struct line *lines;

    piece->at = (size_t)number * PIN_PIECE_BYTES;
    piece->length = piece_length(table, piece->at);
    lines = &table->lines[number * LINES_A_PIECE];
    for (size_t i = 0; i < piece->length / sizeof(uint64_t); i++) {
        words[i] = atomic_load(&lines[i / WAYS].words[i % WAYS]);
    }
}

bool pin_table_take_changed(struct pin_table *table, uint32_t *cursor, struct pin_piece *piece)
{
    while (*cursor < pieces(table)) {
        uint32_t number = (*cursor)++;

        if (atomic_load(&table->head->changed[number]) != 0) {
            atomic_store(&table->head->changed[number], 0); /* first: what comes now comes again */
            copy_piece(table, number, piece);
            return true;
        }
    }
    return false;
}

void pin_table_give_back(struct pin_table *table, const struct pin_piece *piece)
{
    atomic_store(&table->head->changed[piece->at / PIN_PIECE_BYTES], 1);
}

static bool is_empty(const struct pin_piece *piece)
{
    static const char nothing[PIN_PIECE_BYTES];

    return memcmp(piece->bytes, nothing, piece->length) == 0;
}

void pin_table_mark_all(struct pin_table *table)
{
    struct pin_piece piece;

    for (uint32_t i = 0; i < pieces(table); i++) {
        copy_piece(table, i, &piece);
        if (!is_empty(&piece)) {
            atomic_store(&table->head->changed[i], 1);
        }
    }
}

bool pin_table_load(struct pin_table *table, struct bytes bytes)
{
    static const char empty[sizeof(struct line)];

    if (bytes.length != pin_table_size(table)) {
        return false;
    }
    for (uint32_t i = 0; i <= table->mask; i++) {
        const char *line = bytes.at + i * sizeof(struct line);

        if (memcmp(line, empty, sizeof(empty)) != 0) { /* else its page stays untouched */
            memcpy(&table->lines[i], line, sizeof(struct line));
        }
    }
    return true;
}
