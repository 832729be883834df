/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables are measured first, then fitted, then written. */
#include "remote/remote_print.h"

#include "remote/answer.h"
#include "remote/human.h"

#include <ctype.h>
#include <sys/ioctl.h>

#define COLUMNS_MAX 32
#define CELL_MOST 1000
#define WIDTH_USUALLY 100
#define GAP 2
#define NARROW_GAP 1  /* where columns are many */
#define TEXT_LEAST 10 /* what a text that is cut keeps */
#define TITLE_LEAST 5

/* --- one value --------------------------------------------------------------------------- */

static bool is_absent(const struct node *node)
{
    return node == NULL || config_node_is_empty(node);
}

static void add_value(struct page *page, const struct node *node);

/* "service: app, split: {a: 95, b: 5}" without braces at the outermost level. */
static void add_members(struct page *page, const struct node *node)
{
    for (const struct node *member = node->first; member != NULL; member = member->next) {
        if (member->key != NULL) {
            page_add(page, member->key->text);
            page_add_text(page, "=");
        }
        add_value(page, member);
        page_add_text(page, member->next != NULL ? (node->kind == NODE_MAP ? " " : ", ") : "");
    }
}

static void add_value(struct page *page, const struct node *node)
{
    if (is_absent(node)) {
        page_add_text(page, "-");
    } else if (node->kind == NODE_TEXT) {
        page_add(page, node->text.length > 0 ? node->text : BYTES("-"));
    } else if (node->count == 0) {
        page_add_text(page, "-");
    } else {
        add_members(page, node);
    }
}

static bool ends_with(struct bytes text, const char *end)
{
    size_t length = strlen(end);

    return text.length >= length && memcmp(text.at + text.length - length, end, length) == 0;
}

/* Numbers whose name tells their unit are told with one that people read. false: it is none. */
static bool add_human(struct page *page, const struct node *member)
{
    struct bytes name = member->key->text;
    double number = member->kind == NODE_TEXT ? answer_number_in(member->text) : 0;

    if (ends_with(name, "bytes") || bytes_start_with(name, BYTES("bytes_"))) {
        page_add_text(page, human_bytes(number).text);
        page_add_text(page, ends_with(name, "_per_s") ? "/s" : "");
        return true;
    }
    if (ends_with(name, "_us")) {
        page_add_text(page, human_duration(number).text);
        return true;
    }
    if (ends_with(name, "_ms")) {
        page_add_text(page, number < 1e5 ? human_duration(number * 1000).text
                                         : human_span((uint64_t)number / 1000).text);
        return true;
    }
    return false;
}

static bool is_number(struct bytes text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (!isdigit((unsigned char)text.at[i]) && text.at[i] != '.') {
            return false;
        }
    }
    return text.length > 0;
}

/* --- tables ------------------------------------------------------------------------------ */

struct column {
    struct bytes name; /* a key */
    int width;
    int cells;  /* the width without the title, which may be wider than all that stands below it */
    bool right; /* all are numbers */
    bool any;   /* some row has it */
};

struct table {
    struct column columns[COLUMNS_MAX];
    int count;
    int gap;
    bool low_titles; /* titles of several words stand in two lines */
};

static struct column *column_of(struct table *table, struct bytes name)
{
    for (int i = 0; i < table->count; i++) {
        if (bytes_equal(table->columns[i].name, name)) {
            return &table->columns[i];
        }
    }
    if (table->count == COLUMNS_MAX) {
        return NULL;
    }
    table->columns[table->count] = (struct column){name, columns_of(name), 0, true, false};
    return &table->columns[table->count++];
}

static struct bytes cell_text(struct page *page, const struct node *node)
{
    page->length = 0;
    if (node == NULL || node->key == NULL || node->kind != NODE_TEXT || !is_number(node->text) ||
        !add_human(page, node)) {
        add_value(page, node);
    }
    return bytes_first(page_bytes(page), page->length < CELL_MOST ? page->length : CELL_MOST);
}

static void measure(struct table *table, const struct node *rows, struct page *page)
{
    for (const struct node *row = rows->first; row != NULL; row = row->next) {
        for (const struct node *member = row->first; member != NULL; member = member->next) {
            struct column *column = column_of(table, member->key->text);
            int width = columns_of(cell_text(page, member));

            if (column == NULL) {
                continue;
            }
            column->cells = width > column->cells ? width : column->cells;
            column->width = width > column->width ? width : column->width;
            column->right =
                column->right &&
                (is_absent(member) || (member->kind == NODE_TEXT && is_number(member->text)));
            column->any = column->any || !is_absent(member);
        }
    }
}

/* --- fitting ----------------------------------------------------------------------------- */

static int width_of_table(const struct table *table)
{
    int width = table->gap * (table->count - 1);

    for (int i = 0; i < table->count; i++) {
        width += table->columns[i].width;
    }
    return width;
}

/* The unit stands with each value. */
static size_t title_length(const struct column *column)
{
    size_t length = column->name.length;

    return ends_with(column->name, "_us") || ends_with(column->name, "_ms") ? length - 3 : length;
}

/* Where a title of several words breaks; its length: it has but one. */
static size_t title_break(const struct column *column)
{
    const char *at = memrchr(column->name.at, '_', title_length(column));

    return at != NULL ? (size_t)(at - column->name.at) : title_length(column);
}

/* Titles in two lines. */
static void lower_titles(struct table *table)
{
    table->gap = NARROW_GAP;
    table->low_titles = true;
    for (int i = 0; i < table->count; i++) {
        struct column *column = &table->columns[i];
        int first = (int)title_break(column);
        int second = (int)title_length(column) - first - 1;
        int title = first > second ? first : second;

        column->width = column->cells > title ? column->cells : title;
    }
}

static void drop_empty_columns(struct table *table)
{
    int kept = 0;

    for (int i = 0; i < table->count; i++) {
        if (table->columns[i].any) {
            table->columns[kept++] = table->columns[i];
        }
    }
    table->count = kept;
}

/* How far a title stands out over what is below it. */
static int excess_of_title(const struct column *column)
{
    return column->width - (column->cells > TITLE_LEAST ? column->cells : TITLE_LEAST);
}

static int excess_of_text(const struct column *column)
{
    return column->right ? 0 : column->width - TEXT_LEAST;
}

/* The column with the most excess gives way, a column of the terminal at a time. */
static void cut(struct table *table, int most, int (*excess)(const struct column *column))
{
    while (width_of_table(table) > most) {
        struct column *widest = &table->columns[0];

        for (int i = 1; i < table->count; i++) {
            widest = excess(&table->columns[i]) > excess(widest) ? &table->columns[i] : widest;
        }
        if (excess(widest) <= 0) {
            return;
        }
        widest->width--;
    }
}

static void fit(struct table *table, int most)
{
    if (width_of_table(table) > most) {
        drop_empty_columns(table);
    }
    if (width_of_table(table) > most) {
        lower_titles(table);
        cut(table, most, excess_of_title);
    }
    cut(table, most, excess_of_text);
}

/* --- writing ----------------------------------------------------------------------------- */

static void add_cell(struct page *out, const struct table *table, const struct column *column,
                     struct bytes text)
{
    bool last = column == &table->columns[table->count - 1];
    int own = columns_of(text);
    bool ends_line = last && !column->right && own < column->width;

    if (column->width <= 1) {
        columns_add_all(out, text);
    } else {
        columns_add(out, text, ends_line ? own : column->width,
                    column->right                        ? COLUMNS_RIGHT
                    : bytes_start_with(text, BYTES("/")) ? COLUMNS_PATH
                                                         : COLUMNS_LEFT);
    }
    page_format(out, last ? "\n" : "%*s", table->gap, "");
}

static void add_titles(struct page *out, const struct table *table, bool second)
{
    for (int i = 0; i < table->count; i++) {
        const struct column *column = &table->columns[i];
        size_t length = title_length(column);
        size_t middle = table->low_titles ? title_break(column) : length;
        size_t from = second && middle < length ? middle + 1 : second ? length : 0;
        size_t to = second ? length : middle;
        struct page title = {0};

        for (size_t j = from; j < to; j++) {
            char byte = column->name.at[j];

            page_add_char(&title, byte == '_' ? ' ' : (char)toupper((unsigned char)byte));
        }
        add_cell(out, table, column, page_bytes(&title));
        page_release(&title);
    }
}

static void add_header(struct page *out, const struct table *table)
{
    bool any_second = false;

    for (int i = 0; table->low_titles && i < table->count; i++) {
        any_second =
            any_second || title_break(&table->columns[i]) < title_length(&table->columns[i]);
    }
    add_titles(out, table, false);
    if (any_second) {
        add_titles(out, table, true);
    }
}

static const struct node *member_named(const struct node *row, struct bytes name)
{
    for (const struct node *member = row->first; member != NULL; member = member->next) {
        if (bytes_equal(member->key->text, name)) {
            return member;
        }
    }
    return NULL;
}

static void add_table(struct page *out, const struct node *rows, int most)
{
    struct table table = {.count = 0, .gap = GAP};
    struct page cell = {0};

    measure(&table, rows, &cell);
    fit(&table, most);
    add_header(out, &table);
    for (const struct node *row = rows->first; row != NULL; row = row->next) {
        for (int i = 0; i < table.count; i++) {
            add_cell(out, &table, &table.columns[i],
                     cell_text(&cell, member_named(row, table.columns[i].name)));
        }
    }
    page_release(&cell);
}

/* --- the whole --------------------------------------------------------------------------- */

static void add_name(struct page *out, struct bytes name)
{
    for (size_t i = 0; i < name.length; i++) {
        page_add_char(out, name.at[i] == '_' ? ' ' : name.at[i]);
    }
}

static void add_facts(struct page *out, const struct node *root)
{
    struct page cell = {0};
    int width = 0;

    for (const struct node *member = root->first; member != NULL; member = member->next) {
        if (member->kind != NODE_LIST && columns_of(member->key->text) > width) {
            width = columns_of(member->key->text);
        }
    }
    for (const struct node *member = root->first; member != NULL; member = member->next) {
        if (member->kind != NODE_LIST) {
            add_name(out, member->key->text);
            page_format(out, "%*s", width - columns_of(member->key->text) + 2, "");
            columns_add_all(out, cell_text(&cell, member));
            page_add_char(out, '\n');
        }
    }
    page_release(&cell);
}

/* A list's name above it, unless the answer is nothing but that list. */
static void add_list(struct page *out, const struct node *root, const struct node *list, int most)
{
    struct page cell = {0};

    if (root->count > 1 || list->count == 0) {
        page_add_text(out, list == root->first ? "" : "\n");
        add_name(out, list->key->text);
        page_add_text(out, list->count == 0 ? ": none\n" : ":\n");
    }
    if (list->count > 0 && list->first->kind == NODE_MAP) {
        add_table(out, list, most);
        return;
    }
    for (const struct node *line = list->first; line != NULL; line = line->next) {
        columns_add_all(out, cell_text(&cell, line));
        page_add_char(out, '\n');
    }
    page_release(&cell);
}

int remote_print_width(FILE *out)
{
    struct winsize window;

    return ioctl(fileno(out), TIOCGWINSZ, &window) == 0 && window.ws_col > 0 ? window.ws_col
                                                                             : WIDTH_USUALLY;
}

static void print(struct page *page, FILE *out)
{
    if (page->length > 0) { /* an empty one has no memory */
        fwrite(page->at, 1, page->length, out);
    }
    page_release(page);
}

bool remote_print(struct bytes json, int most, FILE *out)
{
    struct arena *scratch = arena_new();
    const struct node *root = answer_read(scratch, json);
    struct page page = {0};

    if (root != NULL) {
        add_facts(&page, root);
        for (const struct node *member = root->first; member != NULL; member = member->next) {
            if (member->kind == NODE_LIST) {
                add_list(&page, root, member, most);
            }
        }
    }
    print(&page, out);
    arena_free(&scratch);
    return root != NULL;
}

void remote_print_lines(struct bytes text, FILE *out)
{
    struct page page = {0};

    while (text.length > 0) {
        const char *end = memchr(text.at, '\n', text.length);
        size_t length = end != NULL ? (size_t)(end - text.at) : text.length;

        columns_add_all(&page, bytes_first(text, length));
        page_add_char(&page, '\n');
        text = bytes_skip(text, end != NULL ? length + 1 : length);
    }
    print(&page, out);
}

bool remote_print_problem(struct bytes json, FILE *out)
{
    struct arena *scratch = arena_new();
    const struct node *root = answer_read(scratch, json);
    const struct node *detail = config_node_child(root, "detail");
    bool is_problem = detail != NULL && detail->kind == NODE_TEXT;

    if (is_problem) {
        /* It may have several lines, of a file with several errors. */
        remote_print_lines(detail->text, out);
        remote_print_lines(answer_text(root, "remedy"), out);
    }
    arena_free(&scratch);
    return is_problem;
}
