/* SPDX-License-Identifier: BSD-2-Clause */
/* Which arm saw an idempotency key first: a table of the whole process, so that a request that is
 * sent again reaches the same arm, whatever became of the weights, on whichever worker. Asked
 * only for requests that carry such a key; one cache line, no lock, safe from any thread.
 *
 * Memory is fixed: 8 bytes a key. Where eight keys that still hold fall into one line, a ninth
 * takes the place of the one that ends first, which is counted.
 *
 * A pin is known by the key, the salt and the service's name alone: neither the route nor who
 * sent it. Two users with one key share an arm then, which does no harm; a user who comes again
 * under another name (a new session, another network) must not reach another arm, which would. */
#ifndef EXCHANGE_PIN_TABLE_H
#define EXCHANGE_PIN_TABLE_H

#include "exchange/split.h"

struct pin_table;

/* Rounded up to a power of two. NULL: out of memory. */
struct pin_table *pin_table_new(uint32_t pins);
void pin_table_free(struct pin_table **table);

/* The arm that has this key already, else `arm`, which has it from now on for `lifetime_s`.
 * `now_s` is in seconds since 1970. */
uint32_t pin_table_hold(struct pin_table *table, const struct split_seeds *seeds, struct bytes key,
                        uint32_t arm, uint64_t now_s, uint32_t lifetime_s);

struct pin_counts {
    uint64_t held;       /* pins that were made, ever */
    uint64_t found;      /* requests that came again and found theirs */
    uint64_t moved;      /* of those, how many would have gone elsewhere now */
    uint64_t pushed_out; /* pins that had to go before their time */
};
void pin_table_look(const struct pin_table *table, struct pin_counts *counts);

/* For a restart: the table as bytes, and back. Neither is for while the other threads write.
 * pin_table_load is false for bytes of another make or size, and takes none of them. */
struct bytes pin_table_bytes(const struct pin_table *table);
bool pin_table_load(struct pin_table *table, struct bytes bytes);
/* Something lies there, or did. */
bool pin_table_is_used(const struct pin_table *table);

#endif
