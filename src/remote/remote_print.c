/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON is YAML with all its quotes, so the configuration's reader makes a tree of it. */
#include "remote/remote_print.h"

#include "base/page.h"
#include "config/yaml/yaml_reader.h"

#include <ctype.h>
#include <stdlib.h>

#define COLUMNS_MAX 32
#define CELL_MOST 1000

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

/* Nothing from the far end may move the cursor. */
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
};

struct table {
    struct column columns[COLUMNS_MAX];
    int count;
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
    table->columns[table->count] = (struct column){name.at, name.length, width_of(name), true};
    return &table->columns[table->count++];
}

static struct bytes cell_text(struct page *page, const struct node *node)
{
    page->length = 0;
    add_value(page, node);
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
            column->right = column->right && (is_absent(member) || is_number(text));
        }
    }
}

static void print_cell(const struct column *column, struct bytes text, bool last, FILE *out)
{
    int gap = column->width - width_of(text);

    if (column->right) {
        fprintf(out, "%*s", gap, "");
    }
    print_text(text, out);
    if (!column->right && !last) {
        fprintf(out, "%*s", gap, "");
    }
    fputs(last ? "\n" : "  ", out);
}

static void print_header(const struct table *table, FILE *out)
{
    for (int i = 0; i < table->count; i++) {
        const struct column *column = &table->columns[i];
        struct page title = {0};

        for (size_t j = 0; j < column->length; j++) {
            char byte = column->name[j];

            page_add_char(&title, byte == '_' ? ' ' : (char)toupper((unsigned char)byte));
        }
        print_cell(column, page_bytes(&title), i + 1 == table->count, out);
        page_release(&title);
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

static void print_table(const struct node *rows, FILE *out)
{
    struct table table = {.count = 0};
    struct page page = {0};

    measure(&table, rows, &page);
    print_header(&table, out);
    for (const struct node *row = rows->first; row != NULL; row = row->next) {
        for (int i = 0; i < table.count; i++) {
            print_cell(&table.columns[i], cell_text(&page, member_named(row, &table.columns[i])),
                       i + 1 == table.count, out);
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
static void print_list(const struct node *root, const struct node *list, FILE *out)
{
    struct page page = {0};

    if (root->count > 1 || list->count == 0) {
        fputs(list == root->first ? "" : "\n", out);
        print_name(list->key->text, out);
        fputs(list->count == 0 ? ": none\n" : ":\n", out);
    }
    if (is_table(list)) {
        print_table(list, out);
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

bool remote_print(struct bytes json, FILE *out)
{
    struct arena *scratch = arena_new();
    struct node *root = read_json(scratch, json);

    if (root != NULL) {
        print_facts(root, out);
        for (const struct node *member = root->first; member != NULL; member = member->next) {
            if (member->kind == NODE_LIST) {
                print_list(root, member, out);
            }
        }
    }
    arena_free(&scratch);
    return root != NULL;
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
        fprintf(out, "%.*s\n", (int)detail->text.length, detail->text.at);
        if (remedy != NULL && remedy->kind == NODE_TEXT) {
            fprintf(out, "%.*s\n", (int)remedy->text.length, remedy->text.at);
        }
    }
    arena_free(&scratch);
    return is_problem;
}
