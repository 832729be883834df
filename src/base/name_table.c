/* SPDX-License-Identifier: BSD-2-Clause */
/* A hash table by name with a fixed number of buckets, each a list of the entries in it. */
#include "base/name_table.h"

#include "base/hash.h"

static uint32_t bucket_of(const char *name)
{
    return (uint32_t)hash_of_bytes(bytes_of(name)) % NAME_TABLE_BUCKETS;
}

void name_table_init(struct name_table *table)
{
    for (uint32_t i = 0; i < NAME_TABLE_BUCKETS; i++) {
        list_init(&table->buckets[i]);
    }
}

void name_table_add(struct name_table *table, struct named *named, const char *name)
{
    named->name = name;
    list_add_last(&table->buckets[bucket_of(name)], &named->link);
}

struct named *name_table_find(const struct name_table *table, const char *name,
                              const struct named *after)
{
    const struct link *bucket = &table->buckets[bucket_of(name)];
    struct link *link = after != NULL ? after->link.next : bucket->next;

    for (; link != bucket; link = link->next) {
        struct named *named = CONTAINER_OF(link, struct named, link);

        if (strcmp(named->name, name) == 0) {
            return named;
        }
    }
    return NULL;
}

struct named *name_table_next(const struct name_table *table, const struct named *after)
{
    uint32_t bucket = after != NULL ? bucket_of(after->name) : 0;
    const struct link *link = after != NULL ? after->link.next : table->buckets[0].next;

    while (link == &table->buckets[bucket]) {
        if (++bucket == NAME_TABLE_BUCKETS) {
            return NULL;
        }
        link = table->buckets[bucket].next;
    }
    return CONTAINER_OF(link, struct named, link);
}
