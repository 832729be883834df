/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of errors behind config/load.h and config/errors.h: kept until all are known,
 * then sorted and given the source line and caret they are printed with. */
#include "config/errors.h"

#include "base/text.h"
#include "config/yaml/parts.h"

#include <stdarg.h>
#include <stdlib.h>

#define KEPT_MAX 1000     /* a hopeless file must not fill the memory or the screen */
#define EXCERPT_BEFORE 80 /* characters of a long line shown before the caret */
#define EXCERPT_WIDTH 120

struct config_error {
    struct mark mark;
    uint32_t order; /* in which it was found: qsort alone would mix equals */
    char *what;
    char *excerpt; /* source line, newline, caret line; NULL without a place */
    char *file;    /* the included file in which `mark` counts; NULL: the main file */
};

struct config_errors {
    char *file;
    struct config_error *rows;
    size_t kept;
    size_t room;
    size_t found;          /* those that were not kept too */
    uint32_t lines_before; /* of the part of the text that is being read */
};

struct config_errors *config_errors_new(const char *file)
{
    struct config_errors *errors = calloc(1, sizeof(*errors));

    if (errors == NULL) {
        return NULL;
    }
    errors->file = strdup(file);
    if (errors->file == NULL) {
        free(errors);
        return NULL;
    }
    return errors;
}

void config_errors_free(struct config_errors **errors)
{
    size_t i;

    if (*errors == NULL) {
        return;
    }
    for (i = 0; i < (*errors)->kept; i++) {
        free((*errors)->rows[i].what);
        free((*errors)->rows[i].excerpt);
        free((*errors)->rows[i].file);
    }
    free((*errors)->rows);
    free((*errors)->file);
    free(*errors);
    *errors = NULL;
}

size_t config_errors_count(const struct config_errors *errors)
{
    return errors != NULL ? errors->found : 0;
}

void config_errors_begin_part(struct config_errors *errors, uint32_t lines_before)
{
    errors->lines_before = lines_before;
}

bool config_errors_are_many(const struct config_errors *errors)
{
    return errors->kept == KEPT_MAX;
}

static bool make_room(struct config_errors *errors)
{
    size_t room = errors->room > 0 ? errors->room * 2 : 16;
    struct config_error *rows;

    if (errors->kept < errors->room) {
        return true;
    }
    rows = realloc(errors->rows, room * sizeof(*rows));
    if (rows == NULL) {
        return false;
    }
    errors->rows = rows;
    errors->room = room;
    return true;
}

void config_errors_add(struct config_errors *errors, struct mark mark, const char *format, ...)
{
    struct config_error *row;
    va_list arguments;
    int length;

    errors->found++;
    if (errors->kept == KEPT_MAX || !make_room(errors)) {
        return;
    }
    mark.line += mark.line > 0 ? errors->lines_before : 0;
    row = &errors->rows[errors->kept];
    *row = (struct config_error){.mark = mark, .order = (uint32_t)errors->kept};
    va_start(arguments, format);
    length = vasprintf(&row->what, format, arguments);
    va_end(arguments);
    if (length >= 0) {
        errors->kept++;
    }
}

static int compare_places(const void *a, const void *b)
{
    const struct config_error *left = a;
    const struct config_error *right = b;

    if (left->mark.line != right->mark.line) {
        return left->mark.line < right->mark.line ? -1 : 1;
    }
    if (left->mark.column != right->mark.column) {
        return left->mark.column < right->mark.column ? -1 : 1;
    }
    return left->order < right->order ? -1 : 1;
}

static void add_printable(FILE *out, struct bytes text)
{
    size_t i;

    for (i = 0; i < text.length; i++) {
        bool control = (unsigned char)text.at[i] < 0x20 && text.at[i] != '\t';

        fputc(control || text.at[i] == 0x7F ? '?' : text.at[i], out);
    }
}

static char *make_excerpt(struct bytes line, uint32_t column)
{
    char *excerpt = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&excerpt, &size);
    size_t i;

    if (out == NULL) {
        return NULL;
    }
    if (column > EXCERPT_WIDTH) {
        line = bytes_skip(line, config_characters(line, column - EXCERPT_BEFORE));
        column = EXCERPT_BEFORE;
    }
    line.length = config_characters(line, EXCERPT_WIDTH);
    add_printable(out, line);
    fputc('\n', out);
    /* Tabs stay tabs, so that the caret stands right whatever their width. */
    for (i = 0; i < line.length && column > 1; i++) {
        if (!text_byte_continues(line.at[i])) {
            fputc(line.at[i] == '\t' ? '\t' : ' ', out);
            column--;
        }
    }
    fputs("^\n", out);
    fclose(out);
    return excerpt;
}

static void add_excerpts(struct config_errors *errors, struct bytes source)
{
    struct bytes line = {source.at, 0};
    uint32_t number = 0;

    for (size_t i = 0; i < errors->kept; i++) {
        struct config_error *row = &errors->rows[i];

        if (row->mark.line == 0) {
            continue;
        }
        while (number < row->mark.line) {
            line = config_next_line(&source);
            number++;
        }
        row->excerpt = make_excerpt(line, row->mark.column);
    }
}

/* From a line of the whole text to a line of the file that it came from. */
static void find_files(struct config_errors *errors, struct bytes source)
{
    struct config_part_walk walk = {.rest = source};
    struct config_part part;
    size_t first = 0;

    while (config_next_part(&walk, &part)) {
        for (; first < errors->kept && errors->rows[first].mark.line <= walk.lines; first++) {
            struct config_error *row = &errors->rows[first];

            if (row->mark.line > part.lines_before && part.path.length > 0) {
                row->mark.line -= part.lines_before;
                row->file = strndup(part.path.at, part.path.length);
            }
        }
    }
}

void config_errors_finish(struct config_errors *errors, struct bytes source)
{
    if (errors->kept > 1) {
        qsort(errors->rows, errors->kept, sizeof(*errors->rows), compare_places);
    }
    add_excerpts(errors, source);
    find_files(errors, source);
}

void config_errors_print(const struct config_errors *errors, FILE *out)
{
    size_t i;

    if (errors == NULL) {
        fputs("not enough memory to read the configuration\n", out);
        return;
    }
    for (i = 0; i < errors->kept; i++) {
        const struct config_error *row = &errors->rows[i];

        fputs(row->file != NULL ? row->file : errors->file, out);
        if (row->mark.line > 0) {
            fprintf(out, ":%u:%u", row->mark.line, row->mark.column);
        }
        fprintf(out, ": %s\n", row->what);
        if (row->excerpt != NULL) {
            fputs(row->excerpt, out);
        }
    }
    if (errors->found > errors->kept) {
        fprintf(out, "%s: %zu more errors are not shown\n", errors->file,
                errors->found - errors->kept);
    }
}

struct shown config_show(struct bytes text)
{
    struct shown shown;
    size_t length = text.length > SHOWN_MAX ? SHOWN_MAX : text.length;
    size_t i;

    while (length < text.length && length > 0 && text_byte_continues(text.at[length])) {
        length--;
    }
    for (i = 0; i < length; i++) {
        bool control = (unsigned char)text.at[i] < 0x20 || text.at[i] == 0x7F;

        shown.text[i] = control ? '?' : text.at[i];
    }
    memcpy(shown.text + length, length < text.length ? "..." : "", length < text.length ? 4 : 1);
    return shown;
}
