/* SPDX-License-Identifier: BSD-2-Clause */
/* Which arm saw an idempotency key first: a table of the whole process, so that a request that is
 * sent again reaches the same arm, whatever became of the weights, on whichever worker. Asked
 * only for requests that carry such a key; one cache line, no lock, safe from any thread.
 *
 * Memory is fixed: 8 bytes a key. Where eight keys that still hold fall into one line, a ninth takes
 * a place from the client that has the most there, else the one that ends first, but none that is
 * seconds old; which keys share a line is known to who knows the secret only. Both are counted.
 *
 * A pin is known by the key and the service's name alone, since its seeds are made without the
 * route's salt, which may change within the key's lifetime: neither the route nor who sent it. Two users with one key share an arm then, which does no harm; a user who comes again
 * under another name (a new session, another network) must not reach another arm, which would. */
#ifndef SPLIT_PIN_TABLE_H
#define SPLIT_PIN_TABLE_H

#include "split/split.h"

struct pin_table;

/* Rounded up to a power of two. NULL: out of memory. */
struct pin_table *pin_table_new(uint32_t pins);
void pin_table_free(struct pin_table **table);

/* The arm that has this key already, else `arm`, which has it from now on for `lifetime_s`, if there
 * is a place. `client` says who asks, as a number (ip_customer): one client cannot push out what
 * others have. `now_s` is in seconds since 1970. */
uint32_t pin_table_hold(struct pin_table *table, const struct split_seeds *seeds, struct bytes key,
                        uint64_t client, uint32_t arm, uint64_t now_s, uint32_t lifetime_s);
/* The arm that has this key, else `seeds->count`. Changes and counts nothing. */
uint32_t pin_table_find(const struct pin_table *table, const struct split_seeds *seeds,
                        struct bytes key, uint64_t now_s);

struct pin_counts {
    uint64_t held;       /* pins that were made, ever */
    uint64_t found;      /* requests that came again and found theirs */
    uint64_t moved;      /* of those, how many would have gone elsewhere now */
    uint64_t pushed_out; /* pins that had to go before their time */
    uint64_t unpinned;   /* keys that found no place */
};
void pin_table_read(const struct pin_table *table, struct pin_counts *counts);

/* The secret that places are found by, drawn with the table. Pins mean something under their own
 * only, so that another one is set before any pin is made or loaded. */
struct siphash_key pin_table_secret(const struct pin_table *table);
void pin_table_set_secret(struct pin_table *table, const struct siphash_key *secret);

/* --- over a crash or a restart: the table as a file, written a piece at a time ------------- */

#define PIN_PIECE_BYTES 4096

struct pin_piece {
    size_t at; /* where in the file */
    size_t length;
    _Alignas(8) char bytes[PIN_PIECE_BYTES];
};

/* Of the whole file, which begins as zeros. */
size_t pin_table_size(const struct pin_table *table);
/* The next piece, from *cursor on (0 at first), that changed since it was last taken; false: none.
 * One thread at a time, beside those that hold keys. */
bool pin_table_take_changed(struct pin_table *table, uint32_t *cursor, struct pin_piece *piece);
/* It could not be written: to be taken again. */
void pin_table_give_back(struct pin_table *table, const struct pin_piece *piece);
/* There is no file: whatever lies in the table is to be taken. */
void pin_table_mark_all(struct pin_table *table);
/* Before there are other threads. False for bytes of another size, and takes none of them. */
bool pin_table_load(struct pin_table *table, struct bytes bytes);

/* --- over a binary upgrade: both processes have the same memory ---------------------------- */

/* The descriptor of that memory; the table's own. */
int pin_table_memory(const struct pin_table *table);
/* Takes the descriptor over; before there are other threads. False for memory of another make,
 * which changes nothing. */
bool pin_table_adopt(struct pin_table *table, int memory);

#endif
