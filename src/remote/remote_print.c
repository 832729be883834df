/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON is YAML with all its quotes, so the configuration's reader makes a tree of it. */
#include "remote/remote_print.h"

#include "base/page.h"
#include "config/yaml/yaml_reader.h"
#include "remote/human.h"

#include <ctype.h>
#include <stdlib.h>
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

static double number_of(struct bytes text)
{
    char copy[32];
    size_t length = text.length < sizeof(copy) ? text.length : sizeof(copy) - 1;

    memcpy(copy, text.at, length);
    copy[length] = '\0';
    return strtod(copy, NULL);
}

/* Numbers whose name tells their unit are told with one that people read. false: it is none. */
static bool add_human(struct page *page, const struct node *member)
{
    struct bytes name = member->key->text;
    double number = member->kind == NODE_TEXT ? number_of(member->text) : 0;

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

/* Columns, not bytes: UTF-8 continuation bytes take no room. */
static int width_of(struct bytes text)
{
    int width = 0;

    for (size_t i = 0; i < text.length; i++) {
        width += ((unsigned char)text.at[i] & 0xc0) != 0x80;
    }
    return width;
}

/* As many bytes as fill so many columns, at most. */
static struct bytes first_columns(struct bytes text, int columns)
{
    int width = 0;

    for (size_t i = 0; i < text.length; i++) {
        width += ((unsigned char)text.at[i] & 0xc0) != 0x80;
        if (width > columns) {
            return bytes_first(text, i);
        }
    }
    return text;
}

/* As many bytes from the end as fill so many columns, at most. */
static struct bytes last_columns(struct bytes text, int columns)
{
    struct bytes front = first_columns(text, width_of(text) - columns);

    return bytes_skip(text, front.length);
}

/* Nothing from the far end, or from a script that asks, may move the cursor. */
static void print_text(struct bytes text, FILE *out)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.at[i];

        fputc(byte < 0x20 || byte == 0x7f ? '?' : byte, out);
    }
}

/* --- tables ------------------------------------------------------------------------------ */

struct column {
    const char *name; /* a key; not terminated */
    size_t length;
    int width;
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
        if (bytes_equal((struct bytes){table->columns[i].name, table->columns[i].length}, name)) {
            return &table->columns[i];
        }
    }
    if (table->count == COLUMNS_MAX) {
        return NULL;
    }
    table->columns[table->count] =
        (struct column){name.at, name.length, width_of(name), true, false};
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
            struct bytes text = cell_text(page, member);

            if (column == NULL) {
                continue;
            }
            column->width = width_of(text) > column->width ? width_of(text) : column->width;
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
    struct bytes name = {column->name, column->length};

    return ends_with(name, "_us") || ends_with(name, "_ms") ? name.length - 3 : name.length;
}

/* Where a title of several words breaks; its length: it has but one. */
static size_t title_break(const struct column *column)
{
    const char *at = memrchr(column->name, '_', title_length(column));

    return at != NULL ? (size_t)(at - column->name) : title_length(column);
}

/* Without the title, which may be wider than all that stands below it. */
static int width_of_cells(const struct column *column, const struct node *rows, struct page *page)
{
    int width = 0;

    for (const struct node *row = rows->first; row != NULL; row = row->next) {
        for (const struct node *member = row->first; member != NULL; member = member->next) {
            if (bytes_equal(member->key->text, (struct bytes){column->name, column->length})) {
                int cell = width_of(cell_text(page, member));

                width = cell > width ? cell : width;
            }
        }
    }
    return width;
}

/* Of the title that stands out most over what is below it. false: none does. */
static bool cut_a_title(struct table *table, const struct node *rows, struct page *page)
{
    struct column *widest = NULL;
    int most_excess = 0;

    for (int i = 0; i < table->count; i++) {
        struct column *column = &table->columns[i];
        int cells = width_of_cells(column, rows, page);
        int excess = column->width - (cells > TITLE_LEAST ? cells : TITLE_LEAST);

        if (excess > most_excess) {
            most_excess = excess;
            widest = column;
        }
    }
    if (widest != NULL) {
        widest->width--;
    }
    return widest != NULL;
}

/* Titles in two lines, and cut where they are still wider than what stands below them. */
static void lower_titles(struct table *table, const struct node *rows, struct page *page, int most)
{
    table->low_titles = true;
    for (int i = 0; i < table->count; i++) {
        struct column *column = &table->columns[i];
        int cells = width_of_cells(column, rows, page);
        int first = (int)title_break(column);
        int second = (int)title_length(column) - first - 1;
        int title = first > second ? first : second;

        column->width = cells > title ? cells : title;
    }
    while (width_of_table(table) > most && cut_a_title(table, rows, page)) {
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

/* The widest text gives way, a column at a time. */
static void cut_texts(struct table *table, int most)
{
    while (width_of_table(table) > most) {
        struct column *widest = NULL;

        for (int i = 0; i < table->count; i++) {
            struct column *column = &table->columns[i];

            if (!column->right && column->width > TEXT_LEAST &&
                (widest == NULL || column->width > widest->width)) {
                widest = column;
            }
        }
        if (widest == NULL) {
            return;
        }
        widest->width--;
    }
}

static void fit(struct table *table, const struct node *rows, struct page *page, int most)
{
    if (width_of_table(table) > most) {
        drop_empty_columns(table);
    }
    if (width_of_table(table) > most) {
        table->gap = NARROW_GAP;
        lower_titles(table, rows, page, most);
    }
    cut_texts(table, most);
}

/* --- printing ---------------------------------------------------------------------------- */

/* What is too wide ends in "~"; of a path the end is what tells files apart. */
static void print_cut(struct bytes text, int columns, FILE *out)
{
    if (bytes_start_with(text, BYTES("/"))) {
        fputc('~', out);
        print_text(last_columns(text, columns - 1), out);
    } else {
        print_text(first_columns(text, columns - 1), out);
        fputc('~', out);
    }
}

static void print_cell(const struct table *table, const struct column *column, struct bytes text,
                       FILE *out)
{
    bool last = column == &table->columns[table->count - 1];
    int gap = column->width - width_of(text);

    if (column->right && gap > 0) {
        fprintf(out, "%*s", gap, "");
    }
    if (gap < 0 && column->width > 1) {
        print_cut(text, column->width, out);
    } else {
        print_text(text, out);
    }
    if (!column->right && !last && gap > 0) {
        fprintf(out, "%*s", gap, "");
    }
    fprintf(out, "%*s", last ? 0 : table->gap, "");
    fputs(last ? "\n" : "", out);
}

static void print_titles(const struct table *table, bool second, FILE *out)
{
    for (int i = 0; i < table->count; i++) {
        const struct column *column = &table->columns[i];
        size_t length = title_length(column);
        size_t middle = table->low_titles ? title_break(column) : length;
        size_t from = second && middle < length ? middle + 1 : second ? length : 0;
        size_t to = second ? length : middle;
        struct page title = {0};

        for (size_t j = from; j < to; j++) {
            page_add_char(&title, column->name[j] == '_'
                                      ? ' '
                                      : (char)toupper((unsigned char)column->name[j]));
        }
        print_cell(table, column, page_bytes(&title), out);
        page_release(&title);
    }
}

static void print_header(const struct table *table, FILE *out)
{
    bool any_second = false;

    for (int i = 0; table->low_titles && i < table->count; i++) {
        any_second =
            any_second || title_break(&table->columns[i]) < title_length(&table->columns[i]);
    }
    print_titles(table, false, out);
    if (any_second) {
        print_titles(table, true, out);
    }
}

static const struct node *member_named(const struct node *row, const struct column *column)
{
    for (const struct node *member = row->first; member != NULL; member = member->next) {
        if (bytes_equal(member->key->text, (struct bytes){column->name, column->length})) {
            return member;
        }
    }
    return NULL;
}

static void print_table(const struct node *rows, int most, FILE *out)
{
    struct table table = {.count = 0, .gap = GAP};
    struct page page = {0};

    measure(&table, rows, &page);
    fit(&table, rows, &page, most);
    print_header(&table, out);
    for (const struct node *row = rows->first; row != NULL; row = row->next) {
        for (int i = 0; i < table.count; i++) {
            print_cell(&table, &table.columns[i],
                       cell_text(&page, member_named(row, &table.columns[i])), out);
        }
    }
    page_release(&page);
}

/* --- the whole --------------------------------------------------------------------------- */

static bool is_table(const struct node *node)
{
    return node->kind == NODE_LIST && node->count > 0 && node->first->kind == NODE_MAP;
}

static bool is_lines(const struct node *node)
{
    return node->kind == NODE_LIST && !is_table(node);
}

static void print_name(struct bytes name, FILE *out)
{
    for (size_t i = 0; i < name.length; i++) {
        fputc(name.at[i] == '_' ? ' ' : name.at[i], out);
    }
}

static void print_facts(const struct node *root, FILE *out)
{
    struct page page = {0};
    int width = 0;

    for (const struct node *member = root->first; member != NULL; member = member->next) {
        if (member->kind != NODE_LIST && width_of(member->key->text) > width) {
            width = width_of(member->key->text);
        }
    }
    for (const struct node *member = root->first; member != NULL; member = member->next) {
        if (member->kind == NODE_LIST) {
            continue;
        }
        print_name(member->key->text, out);
        fprintf(out, "%*s", width - width_of(member->key->text) + 2, "");
        print_text(cell_text(&page, member), out);
        fputc('\n', out);
    }
    page_release(&page);
}

/* A list's name above it, unless the answer is nothing but that list. */
static void print_list(const struct node *root, const struct node *list, int most, FILE *out)
{
    struct page page = {0};

    if (root->count > 1 || list->count == 0) {
        fputs(list == root->first ? "" : "\n", out);
        print_name(list->key->text, out);
        fputs(list->count == 0 ? ": none\n" : ":\n", out);
    }
    if (is_table(list)) {
        print_table(list, most, out);
    }
    for (const struct node *line = list->first; is_lines(list) && line != NULL; line = line->next) {
        print_text(cell_text(&page, line), out);
        fputc('\n', out);
    }
    page_release(&page);
}

static struct node *read_json(struct arena *scratch, struct bytes json)
{
    struct config_errors *errors = config_errors_new("answer");
    struct node *root = NULL;

    if (errors != NULL && scratch != NULL) {
        root = config_yaml_read(scratch, json, errors);
    }
    if (root != NULL && (config_errors_count(errors) > 0 || root->kind != NODE_MAP)) {
        root = NULL;
    }
    config_errors_free(&errors);
    return root;
}

int remote_print_width(FILE *out)
{
    struct winsize window;

    return ioctl(fileno(out), TIOCGWINSZ, &window) == 0 && window.ws_col > 0 ? window.ws_col
                                                                             : WIDTH_USUALLY;
}

bool remote_print(struct bytes json, int most, FILE *out)
{
    struct arena *scratch = arena_new();
    struct node *root = read_json(scratch, json);

    if (root != NULL) {
        print_facts(root, out);
        for (const struct node *member = root->first; member != NULL; member = member->next) {
            if (member->kind == NODE_LIST) {
                print_list(root, member, most, out);
            }
        }
    }
    arena_free(&scratch);
    return root != NULL;
}

void remote_print_lines(struct bytes text, FILE *out)
{
    while (text.length > 0) {
        const char *end = memchr(text.at, '\n', text.length);
        size_t length = end != NULL ? (size_t)(end - text.at) : text.length;

        print_text((struct bytes){text.at, length}, out);
        fputc('\n', out);
        text = bytes_skip(text, end != NULL ? length + 1 : length);
    }
}

bool remote_print_problem(struct bytes json, FILE *out)
{
    struct arena *scratch = arena_new();
    struct node *root = read_json(scratch, json);
    const struct node *detail = config_node_child(root, "detail");
    const struct node *remedy = config_node_child(root, "remedy");
    bool is_problem = detail != NULL && detail->kind == NODE_TEXT;

    if (is_problem) {
        /* It may have several lines, of a file with several errors. */
        remote_print_lines(detail->text, out);
        if (remedy != NULL && remedy->kind == NODE_TEXT) {
            remote_print_lines(remedy->text, out);
        }
    }
    arena_free(&scratch);
    return is_problem;
}
