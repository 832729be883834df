/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows are compared by a hash: two that differ and hash alike would show the older one for as long
 * as they do, which nothing depends on. */
#include "control/live/live_table.h"

#include "base/hash.h"
#include "control/pages/rows.h"
#include "control/yield.h"

#include <stdlib.h>

void live_table_begin(struct live_table *table, const char *name, struct page *out)
{
    table->out = out;
    table->index = 0;
    table->any = false;
    page_format(out, ",\"%s\":{\"rows\":{", name);
}

bool live_table_keep_row(struct live_table *table)
{
    if (table->index >= table->count) {
        return false;
    }
    table->index++;
    return true;
}

struct json live_table_row(struct live_table *table)
{
    struct json json = json_on(&table->row);

    table->row.length = 0;
    json_begin_row(&json, NULL);
    return json;
}

/* Notes the hash; true: the row is another one than in the update before. */
static bool is_new(struct live_table *table, uint64_t hash)
{
    if (table->index < table->count && table->hashes[table->index] == hash) {
        return false;
    }
    if (table->index >= table->count) {
        if (table->index > table->count ||
            !rows_grow(&table->hashes, table->count, sizeof(*table->hashes))) {
            return true; /* it will be sent each time */
        }
        table->count = table->index + 1;
    }
    table->hashes[table->index] = hash;
    return true;
}

void live_table_row_end(struct live_table *table, struct json *json)
{
    json_end_object(json);
    if (table->row.failed) {
        table->out->failed = true;
    } else if (is_new(table, hash_of_bytes(page_bytes(&table->row)))) {
        page_add_text(table->out, table->any ? ",\"" : "\"");
        page_add_number(table->out, table->index);
        page_add_text(table->out, "\":");
        page_add(table->out, bytes_first(page_bytes(&table->row), table->row.length - 1));
        table->any = true;
    }
    table->index++;
    yield_each(table->index, 1, YIELD_ROWS);
}

void live_table_end(struct live_table *table)
{
    if (table->index < table->count) {
        table->count = table->index;
    }
    page_format(table->out, "},\"count\":%zu}", table->index);
    table->out = NULL;
}

void live_table_forget(struct live_table *table)
{
    table->count = 0;
}

void live_table_release(struct live_table *table)
{
    free(table->hashes);
    page_release(&table->row);
    *table = (struct live_table){0};
}
