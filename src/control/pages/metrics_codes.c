/* SPDX-License-Identifier: BSD-2-Clause */
/* Only codes that were given: of two hundred, a route knows a few. */
#include "control/pages/metrics_codes.h"

#include "control/pages/metrics_text.h"
#include "control/pages/rows.h"
#include "http/grpc.h"

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

static void gather(struct gathering *gathering, const struct code_row *row)
{
    struct code_row *rows;

    if (row->count == 0 || gathering->failed) {
        return;
    }
    rows = rows_with_room(gathering->rows, gathering->count, &gathering->room, sizeof(*rows));
    if (rows == NULL) {
        gathering->failed = true;
        return;
    }
    gathering->rows = rows;
    rows[gathering->count++] = *row;
}

static void on_code_seen(void *owner, const char *route, const uint64_t codes[static METRICS_CODES])
{
    for (uint32_t i = 0; i < METRICS_CODES; i++) {
        gather(owner, &(struct code_row){route, METRICS_CODES_FIRST + i, codes[i]});
    }
}

static void on_grpc_seen(void *owner, const char *route,
                         const uint64_t statuses[static GRPC_STATUS_COUNT])
{
    for (uint32_t i = 0; i < GRPC_STATUS_COUNT; i++) {
        gather(owner, &(struct code_row){route, i, statuses[i]});
    }
}

static int compare_rows(const void *left, const void *right)
{
    const struct code_row *a = left;
    const struct code_row *b = right;
    int names = strcmp(a->route, b->route);

    return names != 0 ? names : (a->code > b->code) - (a->code < b->code);
}

/* --- families ------------------------------------------------------------------------------ */

struct family {
    const char *name;
    const char *help;
    const char *label;
    void (*read)(const struct metrics *metrics, struct gathering *gathering);
    void (*add_label)(struct page *page, const char *label, uint32_t code);
};

static void read_codes(const struct metrics *metrics, struct gathering *gathering)
{
    metrics_read_codes(metrics, on_code_seen, gathering);
}

static void add_code(struct page *page, const char *label, uint32_t code)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", code);
    metrics_text_label(page, label, text);
}

static void read_grpc(const struct metrics *metrics, struct gathering *gathering)
{
    metrics_read_grpc(metrics, on_grpc_seen, gathering);
}

static void add_grpc_status(struct page *page, const char *label, uint32_t code)
{
    metrics_text_label(page, label, grpc_status_name((enum grpc_status)code));
}

static const struct family families[] = {
    {"turnpike_route_error_responses_total", "Answers of 400 to 599, by their status.", "code",
     read_codes, add_code},
    {"turnpike_route_grpc_calls_total",
     "gRPC calls by their status; none: they ended without one, cancelled or reset.", "grpc_status",
     read_grpc, add_grpc_status},
};

/* Rows of several workers that mean the same stand side by side. */
static void add_rows(struct page *page, const struct family *family,
                     const struct gathering *gathering)
{
    metrics_text_family(page, family->name, "counter", family->help);
    for (size_t i = 0; i < gathering->count;) {
        const struct code_row *row = &gathering->rows[i];
        uint64_t sum = 0;

        for (; i < gathering->count && compare_rows(row, &gathering->rows[i]) == 0; i++) {
            sum += gathering->rows[i].count;
        }
        metrics_text_begin(page, family->name, "route", row->route);
        family->add_label(page, family->label, row->code);
        metrics_text_end(page, sum);
    }
}

static void add_family(struct page *page, const struct control_sources *sources, uint32_t workers,
                       const struct family *family)
{
    struct gathering gathering = {.count = 0};

    for (uint32_t worker = 0; worker < workers; worker++) {
        struct metrics *metrics = sources->metrics(sources->owner, worker);

        metrics_hold(metrics);
        family->read(metrics, &gathering);
    }
    if (gathering.count > 1) {
        qsort(gathering.rows, gathering.count, sizeof(*gathering.rows), compare_rows);
    }
    add_rows(page, family, &gathering);
    page->failed = page->failed || gathering.failed;
    for (uint32_t worker = 0; worker < workers; worker++) {
        metrics_let_go(sources->metrics(sources->owner, worker));
    }
    free(gathering.rows);
}

void metrics_codes_add(struct page *page, const struct control_sources *sources)
{
    struct control_facts facts;

    sources->facts(sources->owner, &facts);
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        add_family(page, sources, facts.workers, &families[i]);
    }
}
