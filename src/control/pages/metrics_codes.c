/* SPDX-License-Identifier: BSD-2-Clause */
/* Only codes that were given: of two hundred, a route knows a few. */
#include "control/pages/metrics_codes.h"

#include "control/pages/metrics_text.h"
#include "control/pages/rows.h"

#include <stdio.h>
#include <stdlib.h>

struct code_row {
    const char *route; /* valid while the metrics are held */
    uint32_t code;
    uint64_t count;
};

struct gathering {
    struct code_row *rows;
    size_t count;
    size_t room;
    bool failed;
};

static void on_seen(void *owner, const char *route, const uint64_t codes[static METRICS_CODES])
{
    struct gathering *gathering = owner;

    for (uint32_t i = 0; i < METRICS_CODES && !gathering->failed; i++) {
        struct code_row *rows;

        if (codes[i] == 0) {
            continue;
        }
        rows = rows_with_room(gathering->rows, gathering->count, &gathering->room, sizeof(*rows));
        if (rows == NULL) {
            gathering->failed = true;
            return;
        }
        gathering->rows = rows;
        rows[gathering->count++] = (struct code_row){route, METRICS_CODES_FIRST + i, codes[i]};
    }
}

static int compare_rows(const void *left, const void *right)
{
    const struct code_row *a = left;
    const struct code_row *b = right;
    int names = strcmp(a->route, b->route);

    return names != 0 ? names : (a->code > b->code) - (a->code < b->code);
}

/* Rows of several workers that mean the same stand side by side. */
static void add_rows(struct page *page, const struct gathering *gathering)
{
    static const char name[] = "turnpike_route_error_responses_total";

    metrics_text_family(page, name, "counter", "Answers of 400 to 599, by their status.");
    for (size_t i = 0; i < gathering->count;) {
        const struct code_row *row = &gathering->rows[i];
        uint64_t sum = 0;
        char code[16];

        for (; i < gathering->count && compare_rows(row, &gathering->rows[i]) == 0; i++) {
            sum += gathering->rows[i].count;
        }
        snprintf(code, sizeof(code), "%u", row->code);
        metrics_text_begin(page, name, "route", row->route);
        metrics_text_label(page, "code", code);
        metrics_text_end(page, sum);
    }
}

void metrics_codes_add(struct page *page, const struct control_sources *sources)
{
    struct gathering gathering = {.count = 0};
    struct control_facts facts;

    sources->facts(sources->owner, &facts);
    for (uint32_t worker = 0; worker < facts.workers; worker++) {
        struct metrics *metrics = sources->metrics(sources->owner, worker);

        metrics_hold(metrics);
        metrics_read_codes(metrics, on_seen, &gathering);
    }
    if (gathering.count > 1) {
        qsort(gathering.rows, gathering.count, sizeof(*gathering.rows), compare_rows);
    }
    add_rows(page, &gathering);
    page->failed = page->failed || gathering.failed;
    for (uint32_t worker = 0; worker < facts.workers; worker++) {
        metrics_let_go(sources->metrics(sources->owner, worker));
    }
    free(gathering.rows);
}
