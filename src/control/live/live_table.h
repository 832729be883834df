/* SPDX-License-Identifier: BSD-2-Clause */
/* A table of the live page, as one member of the JSON object of an update: how many rows it has,
 * and those rows by number that differ from the update before. A thousand idle routes cost a hash
 * each and no bytes. Rows are JSON objects of one line. */
#ifndef CONTROL_LIVE_TABLE_H
#define CONTROL_LIVE_TABLE_H

#include "base/json.h"

struct live_table {   /* zeroed at first */
    uint64_t *hashes; /* of the rows of the last update */
    size_t count;
    /* While an update is written. */
    struct page *out;
    struct page row;
    size_t index;
    bool any;
};

void live_table_begin(struct live_table *table, const char *name, struct page *out);
/* The next row is as it was in the last update, as the caller knows. false: it has to be written, since
 * the last update had none there. */
bool live_table_keep_row(struct live_table *table);
/* Where the next row's members go. */
struct json live_table_row(struct live_table *table);
void live_table_row_end(struct live_table *table, struct json *json);
void live_table_end(struct live_table *table);
/* The next update has every row. */
void live_table_forget(struct live_table *table);
void live_table_release(struct live_table *table);

#endif
