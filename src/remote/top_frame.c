/* SPDX-License-Identifier: BSD-2-Clause */
/* A view is a table of columns; a column says which member it shows, and how. */
#include "remote/top_frame.h"

#include "remote/answer.h"
#include "remote/human.h"

#include <stdio.h>
#include <stdlib.h>

#define COLUMNS_MOST 9
#define HEAD_ROWS 6 /* above the table, and the line of keys below it */
#define TEXT_LEAST 8

enum cell_kind {
    CELL_TEXT,
    CELL_RATE,     /* hundredths a second */
    CELL_FAILED,   /* failures as a share of the rate */
    CELL_DURATION, /* microseconds */
    CELL_SPAN,     /* milliseconds */
    CELL_COUNT,
    CELL_BYTES,
    CELL_ARMS, /* a list of services with their weights */
    CELL_RAMP,
};

struct column {
    const char *title;
    const char *key;
    enum cell_kind kind;
    int width; /* 0: takes what is left */
};

struct view {
    const char *name;
    const char *table;
    struct column columns[COLUMNS_MOST]; /* those without a title are none */
};

static const struct view views[TOP_VIEWS] = {
    [TOP_ROUTES] = {"routes",
                    "routes",
                    {{"ROUTE", "name", CELL_TEXT, 0},
                     {"MATCHES", "match", CELL_TEXT, 0},
                     {"SERVICE", "service", CELL_TEXT, 14},
                     {"REQ/S", "rate", CELL_RATE, 7},
                     {"FAILED", "failures", CELL_FAILED, 7},
                     {"P50", "p50_us", CELL_DURATION, 8},
                     {"P99", "p99_us", CELL_DURATION, 8},
                     {"TOTAL", "total", CELL_COUNT, 7}}},
    [TOP_SERVICES] = {"services",
                      "services",
                      {{"SERVICE", "name", CELL_TEXT, 0},
                       {"REQ/S", "rate", CELL_RATE, 7},
                       {"FAILED", "failures", CELL_FAILED, 7},
                       {"P50", "p50_us", CELL_DURATION, 8},
                       {"P99", "p99_us", CELL_DURATION, 8},
                       {"TOTAL", "total", CELL_COUNT, 7}}},
    [TOP_ORIGINS] = {"origins",
                     "origins",
                     {{"SERVICE", "service", CELL_TEXT, 0},
                      {"ORIGIN", "name", CELL_TEXT, 0},
                      {"STATE", "state", CELL_TEXT, 9},
                      {"REQ/S", "rate", CELL_RATE, 7},
                      {"P50", "p50_us", CELL_DURATION, 8},
                      {"P99", "p99_us", CELL_DURATION, 8},
                      {"BUSY", "in_flight", CELL_COUNT, 5},
                      {"OPEN", "connections", CELL_COUNT, 5},
                      {"PENDING", "pending", CELL_COUNT, 7}}},
    [TOP_SPLITS] = {"splits",
                    "splits",
                    {{"ROUTE", "route", CELL_TEXT, 16},
                     {"SPLIT", "arms", CELL_ARMS, 0},
                     {"SET BY", "by", CELL_TEXT, 8},
                     {"RAMP", "ramp", CELL_RAMP, 30}}},
    [TOP_CONNECTIONS] = {"connections",
                         "connections",
                         {{"CLIENT", "client", CELL_TEXT, 0},
                          {"STATE", "state", CELL_TEXT, 14},
                          {"ROUTE", "route", CELL_TEXT, 0},
                          {"HELD", "memory_bytes", CELL_BYTES, 9},
                          {"FOR", "held_ms", CELL_SPAN, 10},
                          {"MOVED", "bytes_moved", CELL_BYTES, 9},
                          {"COST", "cost", CELL_COUNT, 7}}},
};

int top_frame_columns(enum top_view view)
{
    int count = 0;

    while (count < COLUMNS_MOST && views[view].columns[count].title != NULL) {
        count++;
    }
    return count;
}

/* --- cells ------------------------------------------------------------------------------- */

static double failed_share(const struct node *row)
{
    double rate = answer_number(row, "rate");
    double share = rate > 0 ? answer_number(row, "failures") / rate : 0;

    return share < 1 ? share : 1;
}

static void add_arms(struct page *page, const struct node *arms)
{
    for (const struct node *arm = arms != NULL ? arms->first : NULL; arm != NULL; arm = arm->next) {
        page_add(page, answer_text(arm, "service"));
        page_format(page, " %g%%%s", answer_number(arm, "weight") / 100,
                    arm->next != NULL ? ", " : "");
    }
}

static void add_ramp(struct page *page, const struct node *ramp)
{
    const struct node *steps = config_node_child(ramp, "steps");

    if (ramp == NULL) {
        page_add_text(page, "-");
        return;
    }
    page_add(page, answer_text(ramp, "phase"));
    page_format(page, ", step %.0f of %u", answer_number(ramp, "step") + 1,
                steps != NULL ? steps->count : 0);
}

static void add_cell(struct page *page, const struct column *column, const struct node *row)
{
    double number = answer_number(row, column->key);

    switch (column->kind) {
    case CELL_TEXT:
        page_add(page, answer_text(row, column->key));
        break;
    case CELL_RATE:
        page_add_text(page, human_count(number / 100).text);
        break;
    case CELL_FAILED:
        page_add_text(page, human_percent(failed_share(row)).text);
        break;
    case CELL_DURATION:
        page_add_text(page, human_duration(number).text);
        break;
    case CELL_SPAN:
        page_add_text(page, human_span((uint64_t)number / 1000).text);
        break;
    case CELL_COUNT:
        page_add_text(page, human_count(number).text);
        break;
    case CELL_BYTES:
        page_add_text(page, human_bytes(number).text);
        break;
    case CELL_ARMS:
        add_arms(page, config_node_child(row, column->key));
        break;
    case CELL_RAMP:
        add_ramp(page, config_node_child(row, column->key));
        break;
    }
}

/* --- lines ------------------------------------------------------------------------------- */

/* As a number. */
static bool is_right(const struct column *column)
{
    return column->kind != CELL_TEXT && column->kind != CELL_ARMS && column->kind != CELL_RAMP;
}

/* What columns without a width of their own get. */
static int flexible_width(const struct view *view, int count, int columns)
{
    int left = columns - 2 * (count - 1);
    int sharing = 0;

    for (int i = 0; i < count; i++) {
        left -= view->columns[i].width;
        sharing += view->columns[i].width == 0;
    }
    left = sharing > 0 ? left / sharing : 0;
    return left > TEXT_LEAST ? left : TEXT_LEAST;
}

static void add_style(struct page *out, const struct top_size *size, const char *style)
{
    if (size->colour) {
        page_format(out, "\033[%sm", style);
    }
}

/* --- rows -------------------------------------------------------------------------------- */

struct row_list {
    const struct node **rows;
    size_t count;
};

struct order {
    const struct column *column;
    bool upwards;
};

static double sort_number(const struct column *column, const struct node *row)
{
    return column->kind == CELL_FAILED ? failed_share(row) : answer_number(row, column->key);
}

static int compare_text(struct bytes a, struct bytes b)
{
    int order = memcmp(a.at, b.at, a.length < b.length ? a.length : b.length);

    return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

static int compare_rows(const void *left, const void *right, void *given)
{
    const struct node *a = *(const struct node *const *)left;
    const struct node *b = *(const struct node *const *)right;
    const struct order *order = given;
    int result;

    if (is_right(order->column)) {
        double x = sort_number(order->column, a);
        double y = sort_number(order->column, b);

        result = (x < y) - (x > y);
    } else {
        result =
            compare_text(answer_text(a, order->column->key), answer_text(b, order->column->key));
    }
    return order->upwards ? -result : result;
}

static bool fits_filter(const struct view *view, const struct node *row, const char *filter)
{
    struct page page = {0};
    bool fits = *filter == '\0';

    for (int i = 0; !fits && i < COLUMNS_MOST && view->columns[i].title != NULL; i++) {
        page.length = 0;
        if (!is_right(&view->columns[i])) {
            add_cell(&page, &view->columns[i], row);
        }
        page_add_char(&page, '\0');
        fits = !page.failed && strcasestr(page.at, filter) != NULL;
    }
    page_release(&page);
    return fits;
}

/* false: out of memory. */
static bool gather_rows(const struct node *root, const struct top_choice *choice,
                        struct row_list *list)
{
    const struct view *view = &views[choice->view];
    const struct node *rows = config_node_child(config_node_child(root, view->table), "rows");
    struct order order = {&view->columns[choice->sort < 0 ? 0 : choice->sort], choice->upwards};

    list->count = 0;
    list->rows = malloc(((rows != NULL ? rows->count : 0) + 1) * sizeof(const struct node *));
    if (list->rows == NULL) {
        return false;
    }
    for (const struct node *row = rows != NULL ? rows->first : NULL; row != NULL; row = row->next) {
        if (fits_filter(view, row, choice->filter)) {
            list->rows[list->count++] = row;
        }
    }
    if (choice->sort >= 0) {
        qsort_r(list->rows, list->count, sizeof(const struct node *), compare_rows, &order);
    }
    return true;
}

static const char *style_of(const struct column *column, const struct node *row)
{
    if (column->kind == CELL_FAILED && failed_share(row) > 0) {
        return failed_share(row) < 0.01 ? "33" : "31";
    }
    if (strcmp(column->key, "state") == 0 && answer_text(row, "why").length > 0) {
        return "31";
    }
    return NULL;
}

static void add_row(struct page *out, const struct top_choice *choice, const struct node *row,
                    const struct top_size *size)
{
    const struct view *view = &views[choice->view];
    int count = top_frame_columns(choice->view);
    int flexible = flexible_width(view, count, size->columns);
    struct page line = {0};
    struct page cell = {0};

    for (int i = 0; i < count; i++) {
        const struct column *column = &view->columns[i];
        const char *style = style_of(column, row);

        cell.length = 0;
        add_cell(&cell, column, row);
        page_add_text(&line, i > 0 ? "  " : "");
        if (style != NULL) {
            add_style(&line, size, style);
        }
        columns_add(&line, page_bytes(&cell), column->width > 0 ? column->width : flexible,
                    is_right(column) ? COLUMNS_RIGHT : COLUMNS_LEFT);
        if (style != NULL) {
            add_style(&line, size, "0");
        }
    }
    page_add(out, page_bytes(&line));
    page_add_char(out, '\n');
    page_release(&line);
    page_release(&cell);
}

static void add_titles(struct page *out, const struct top_choice *choice,
                       const struct top_size *size)
{
    const struct view *view = &views[choice->view];
    int count = top_frame_columns(choice->view);
    int flexible = flexible_width(view, count, size->columns);

    add_style(out, size, "1");
    for (int i = 0; i < count; i++) {
        const struct column *column = &view->columns[i];
        char title[24];

        snprintf(title, sizeof(title), "%s%s", column->title,
                 i != choice->sort ? ""
                 : choice->upwards ? "^"
                                   : "v");
        page_add_text(out, i > 0 ? "  " : "");
        columns_add(out, bytes_of(title), column->width > 0 ? column->width : flexible,
                    is_right(column) ? COLUMNS_RIGHT : COLUMNS_LEFT);
    }
    add_style(out, size, "0");
    page_add_char(out, '\n');
}

static void add_table(struct page *out, struct top_choice *choice, const struct row_list *list,
                      const struct top_size *size)
{
    size_t room = size->rows > HEAD_ROWS ? (size_t)(size->rows - HEAD_ROWS) : 1;

    if (choice->first_row + room > list->count) {
        choice->first_row = list->count > room ? list->count - room : 0;
    }
    add_titles(out, choice, size);
    for (size_t i = 0; i < room; i++) {
        if (choice->first_row + i < list->count) {
            add_row(out, choice, list->rows[choice->first_row + i], size);
        }
    }
}

/* --- the head ---------------------------------------------------------------------------- */

static void add_line(struct page *out, const struct page *line, const struct top_size *size)
{
    columns_add(out, page_bytes(line), size->columns, COLUMNS_LEFT);
    page_add_char(out, '\n');
}

static void add_use(struct page *line, const struct node *root, const char *name,
                    struct human unit(double number))
{
    const struct node *use = config_node_child(config_node_child(root, "use"), name);
    double budget = answer_number(use, "budget");

    page_format(line, "   %s %s", name, unit(answer_number(use, "used")).text);
    if (budget > 0) {
        page_format(line, " of %s", unit(budget).text);
    }
}

static void add_head(struct page *out, const struct node *root, const struct top_choice *choice,
                     const struct top_size *size)
{
    const struct node *process = config_node_child(root, "process");
    const struct node *sample = config_node_child(root, "sample");
    double requests = answer_number(sample, "requests");
    struct page line = {0};

    page_add_text(&line, "Turnpike ");
    page_add(&line, answer_text(process, "version"));
    page_format(&line, "   up %s   generation %.0f%s%s",
                human_span((uint64_t)(answer_number(root, "now_ms") / 1000 -
                                      answer_number(process, "started_s")))
                    .text,
                answer_number(process, "generation"),
                answer_text(process, "file_error").length > 0 ? "   THE FILE DOES NOT LOAD" : "",
                choice->is_paused ? "   PAUSED" : "");
    add_line(out, &line, size);
    line.length = 0;
    page_format(&line, "requests/s %s   failed %s   p50 %s   p99 %s   p99.9 %s",
                human_count(requests).text,
                human_percent(requests > 0 ? answer_number(sample, "failures") / requests : 0).text,
                human_duration(answer_number(sample, "p50_us")).text,
                human_duration(answer_number(sample, "p99_us")).text,
                human_duration(answer_number(sample, "p999_us")).text);
    add_line(out, &line, size);
    line.length = 0;
    page_format(&line, "connections %s", human_count(answer_number(sample, "connections")).text);
    add_use(&line, root, "memory", human_bytes);
    add_use(&line, root, "descriptors", human_count);
    add_line(out, &line, size);
    page_release(&line);
}

static void add_tabs(struct page *out, const struct top_choice *choice, size_t count,
                     const struct top_size *size)
{
    for (int i = 0; i < TOP_VIEWS; i++) {
        bool here = i == (int)choice->view;

        add_style(out, size, here ? "7" : "0");
        page_format(out, here ? "[%s]" : " %s ", views[i].name);
        add_style(out, size, "0");
    }
    page_format(out, " %zu", count);
    if (choice->is_typing || choice->filter[0] != '\0') {
        page_format(out, "   filter: %s%s", choice->filter, choice->is_typing ? "_" : "");
    }
    page_add_char(out, '\n');
}

bool top_frame(struct bytes json, struct top_choice *choice, const struct top_size *size,
               struct page *out)
{
    struct arena *scratch = arena_new();
    const struct node *root = answer_read(scratch, json);
    struct row_list list;
    bool good = config_node_child(root, "sample") != NULL && gather_rows(root, choice, &list);

    if (good) {
        add_head(out, root, choice, size);
        add_tabs(out, choice, list.count, size);
        add_table(out, choice, &list, size);
        free(list.rows);
    }
    arena_free(&scratch);
    return good;
}
