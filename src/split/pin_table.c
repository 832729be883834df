/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of eight words. A word is, from its highest bit:
 *
 *   28 bits  of a hash over key and arm
 *   10 bits  of a hash over the client that made the pin, and the key's line
 *    6 bits  when it was made, in steps of 8 s: young pins are told from others
 *   20 bits  when it ends, in the same steps: enough for 48 days to either side of now
 *
 * 0 is an empty place. A lookup compares a line with the marks of all arms of the split, of which
 * there are few, so no arm needs a number that would have to outlive reloads.
 *
 * All hashes are made with a secret of the installation's: or a client could choose keys that share
 * a line with another client's, and push that one out. The secret lies in the memory too and goes
 * with it to a new binary; the state store has it in a file beside the pins.
 *
 * A line that is full is shared fairly. The client with the most places in it, if it has three or
 * more, loses the one that ends first, so that a client that floods the table pushes out
 * its own pins. Else the pin that ends first goes, but none that is younger than half a minute: a
 * request that was sent just now is the likeliest to be sent again. Where all are young the newcomer
 * gets no pin, which is counted; the arithmetic of the split still has it.
 *
 * The memory has a descriptor, so that a new binary can have the very same: while the old process
 * lets its clients go, both hold keys, and a crash of either loses nothing. */
#include "split/pin_table.h"

#include "base/system/machine.h"
#include "config/settings.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAYS 8
#define MARK_SHIFT 36
#define CLIENT_SHIFT 26
#define CLIENT_MASK 1023u
#define MADE_SHIFT 20
#define MADE_MASK 63u
#define END_MASK ((1u << 20) - 1)
#define STEP_S 8
#define YOUNG_STEPS 4 /* 24 to 32 s */
#define FAIR_PLACES 2 /* of a line's, for one client */

struct line {
    _Alignas(64) _Atomic uint64_t words[WAYS];
};

#define LINES_A_PIECE (PIN_PIECE_BYTES / sizeof(struct line))
#define MAKE 0x5475726e70696e32u /* changes with what the words mean */

/* Before the lines; a whole number of pages. */
struct head {
    uint64_t make;
    struct siphash_key secret;
    uint32_t mask;
    _Atomic uint8_t changed[]; /* one a piece */
};

struct pin_table {
    struct siphash_key secret; /* as in the head */
    uint32_t mask;             /* lines - 1 */
    int memory;                /* descriptor of head and lines */
    struct head *head;
    struct line *lines;
    _Atomic uint64_t held;
    _Atomic uint64_t found;
    _Atomic uint64_t moved;
    _Atomic uint64_t pushed_out;
    _Atomic uint64_t unpinned;
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
    int memory = machine_memory_file("turnpike-pins");
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
    head->secret = table->secret;
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
    if (getentropy(&table->secret, sizeof(table->secret)) != 0 || !make_memory(table)) {
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
    table->secret = head->secret;
    return true;
}

struct siphash_key pin_table_secret(const struct pin_table *table)
{
    return table->secret;
}

void pin_table_set_secret(struct pin_table *table, const struct siphash_key *secret)
{
    table->secret = *secret;
    table->head->secret = *secret;
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

/* What a word's first bits are for that key and arm. */
static uint32_t mark_of(const struct split_seeds *seeds, uint32_t arm, uint64_t hash)
{
    const struct siphash_key key = {seeds->arms[arm], ~seeds->salt.second};

    return (uint32_t)(siphash_number(&key, hash) >> MARK_SHIFT);
}

/* Another one in each line: two clients that have one tag have it in that line only. */
static uint32_t tag_of(const struct pin_table *table, const struct line *line, uint64_t client)
{
    const struct siphash_key key = {~table->secret.first,
                                    table->secret.second + (uint64_t)(line - table->lines)};

    return (uint32_t)siphash_number(&key, client) & CLIENT_MASK;
}

static uint32_t client_in(uint64_t word)
{
    return (uint32_t)(word >> CLIENT_SHIFT) & CLIENT_MASK;
}

static bool is_young(uint64_t word, uint64_t now_s)
{
    return ((uint32_t)(now_s / STEP_S - (word >> MADE_SHIFT)) & MADE_MASK) < YOUNG_STEPS;
}

static uint64_t word_of(uint32_t mark, uint32_t tag, uint64_t now_s, uint32_t lifetime_s)
{
    return (uint64_t)mark << MARK_SHIFT | (uint64_t)tag << CLIENT_SHIFT |
           (now_s / STEP_S & MADE_MASK) << MADE_SHIFT |
           (((now_s + lifetime_s) / STEP_S + 1) & END_MASK);
}

/* --- a line ------------------------------------------------------------------------------- */

struct sought {
    struct line *line;
    uint32_t marks[SPLIT_ARMS_MAX];
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
            if (word >> MARK_SHIFT == sought->marks[arm]) {
                return arm;
            }
        }
    }
    return sought->arms;
}

/* How many places the client of that one has. */
static unsigned places_of_client(const uint64_t words[WAYS], int of)
{
    unsigned count = 0;

    for (int way = 0; way < WAYS; way++) {
        count += client_in(words[way]) == client_in(words[of]);
    }
    return count;
}

/* The one that has to go from a full line; -1: none may. */
static int place_to_clear(const struct sought *sought, const uint64_t words[WAYS])
{
    uint32_t least = UINT32_MAX;
    unsigned most = FAIR_PLACES;
    int place = -1;

    for (int way = 0; way < WAYS; way++) {
        unsigned places = places_of_client(words, way);

        most = places > most ? places : most;
    }
    for (int way = 0; way < WAYS; way++) {
        uint32_t left = steps_left(words[way], sought->now_s);
        bool may_go = most > FAIR_PLACES ? places_of_client(words, way) == most
                                         : !is_young(words[way], sought->now_s);

        if (may_go && left < least) {
            least = left;
            place = way;
        }
    }
    return place;
}

/* A free place, or one to be cleared, with the word that is there; -1: neither. */
static int place_for(const struct sought *sought, uint64_t *word)
{
    uint64_t words[WAYS];
    int place = -1;

    for (int way = 0; way < WAYS && place < 0; way++) {
        words[way] = atomic_load(&sought->line->words[way]);
        place = holds(words[way], sought->now_s) ? -1 : way;
    }
    if (place < 0) {
        place = place_to_clear(sought, words);
    }
    *word = place >= 0 ? words[place] : 0;
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

/* Another thread may do the same at this moment: the entry that is found first afterwards has
 * the say, and a second one of ours is taken back. */
static uint32_t insert(struct pin_table *table, const struct sought *sought, uint32_t arm,
                       uint64_t word)
{
    uint64_t there = 0;
    int place = place_for(sought, &there);
    uint32_t first;

    if (place < 0) {
        count(&table->unpinned);
        return arm;
    }
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
    uint64_t hash = siphash(&table->secret, key);

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
                        uint64_t client, uint32_t arm, uint64_t now_s, uint32_t lifetime_s)
{
    struct sought sought;
    uint64_t word;

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
        word = word_of(sought.marks[arm], tag_of(table, sought.line, client), now_s, lifetime_s);
        found = insert(table, &sought, arm, word);
        if (found < sought.arms) {
            return found;
        }
    }
    return arm; /* a line that others write to all the time */
}

void pin_table_read(const struct pin_table *table, struct pin_counts *counts)
{
    counts->held = atomic_load_explicit(&table->held, memory_order_relaxed);
    counts->found = atomic_load_explicit(&table->found, memory_order_relaxed);
    counts->moved = atomic_load_explicit(&table->moved, memory_order_relaxed);
    counts->pushed_out = atomic_load_explicit(&table->pushed_out, memory_order_relaxed);
    counts->unpinned = atomic_load_explicit(&table->unpinned, memory_order_relaxed);
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
