/* SPDX-License-Identifier: BSD-2-Clause */
/* A hash table of things that have a name: origins, names of DNS, counters. Its links stand inside
 * the things, so that adding needs no memory, and a thing leaves by its link alone. Names are those
 * of the configuration: no client chooses them, and the hash need not withstand an attacker. One thread,
 * or under its owner's lock. */
#ifndef BASE_NAME_TABLE_H
#define BASE_NAME_TABLE_H

#include "base/bytes.h"
#include "base/list.h"

#define NAME_TABLE_BUCKETS 1024 /* a reload looks ten thousand names up: no walk through all */

struct named {
    struct link link; /* in its bucket */
    const char *name; /* stays as long as the thing is in the table */
};

struct name_table {
    struct link buckets[NAME_TABLE_BUCKETS];
};

void name_table_init(struct name_table *table);
void name_table_add(struct name_table *table, struct named *named, const char *name);
/* Harmless for what is in no table, if its link was initialised. */
static inline void name_table_remove(struct named *named)
{
    list_remove(&named->link);
}
/* The next of that name behind `after` (NULL: the first), in the order in which they came; NULL:
 * there is none. */
struct named *name_table_find(const struct name_table *table, const char *name,
                              const struct named *after);
/* Any one behind `after` (NULL: the first), until all were seen; NULL: they were. */
struct named *name_table_next(const struct name_table *table, const struct named *after);

#endif
