/* SPDX-License-Identifier: BSD-2-Clause */
/* From the store, as it is now. Without a route that stores or shares answers there is no such family. */
#include "control/pages/metrics_cache.h"

#include "cache/cache_store.h"
#include "control/pages/metrics_text.h"

#define ANSWERS "turnpike_cache_answers"
#define BYTES_STORED "turnpike_cache_bytes"

static void add_answers(void *owner, const struct cache_reading *reading)
{
    struct page *page = owner;

    metrics_text_begin(page, ANSWERS, "route", reading->route);
    metrics_text_end(page, reading->stored);
}

static void add_bytes(void *owner, const struct cache_reading *reading)
{
    struct page *page = owner;

    metrics_text_begin(page, BYTES_STORED, "route", reading->route);
    metrics_text_end(page, reading->bytes);
}

void metrics_cache_add(struct page *page)
{
    if (!cache_store_is_used()) {
        return;
    }
    metrics_text_family(page, ANSWERS, "gauge", "Answers that a route has stored.");
    cache_store_read(add_answers, page);
    metrics_text_family(
        page, BYTES_STORED, "gauge",
        "Memory of a route's stored answers, and of those being read (cache.max_bytes).");
    cache_store_read(add_bytes, page);
}
