/* SPDX-License-Identifier: BSD-2-Clause */
/* The way of a file: bytes, checked text, tree of nodes, settings, snapshot. Each step adds
 * to one list of errors; only an empty list lets a snapshot out. */
#include "config/load.h"

#include "config/read/merge.h"
#include "config/read/reading.h"
#include "config/yaml/foreign_syntax.h"
#include "config/yaml/source_check.h"
#include "config/yaml/parts.h"
#include "config/yaml/source_files.h"
#include "config/yaml/yaml_reader.h"

#include <stdlib.h>

static const struct mark whole_file = {0, 0};

static bool list_parts(struct reading *reading, const char *name, struct bytes source)
{
    struct config_part_walk walk = {.rest = source};
    struct config_part part;
    uint32_t count = 0;

    while (config_next_part(&walk, &part)) {
        count++;
    }
    reading->parts = arena_take(reading->arena, count * sizeof(*reading->parts));
    walk = (struct config_part_walk){.rest = source};
    while (reading->parts != NULL && config_next_part(&walk, &part)) {
        const char *file =
            arena_copy(reading->arena, part.path.length > 0 ? part.path : bytes_of(name));

        reading->parts[reading->part_count++] = (struct reading_part){file, part.lines_before};
    }
    return reading->parts != NULL;
}

/* One tree of all parts; NULL, with an error, where the main file has no tree. */
static struct node *read_parts(struct reading *reading, struct bytes source)
{
    struct config_merge merge;
    struct config_part_walk walk = {.rest = source};
    struct config_part part;
    struct node *root = NULL;

    while (config_next_part(&walk, &part)) {
        bool is_main = part.path.length == 0;
        struct node *tree;

        config_errors_begin_part(reading->errors, part.lines_before);
        tree = config_yaml_read(reading->scratch, part.text, reading->errors);
        config_errors_begin_part(reading->errors, 0);
        if (tree == NULL) {
            continue;
        }
        config_node_move_down(tree, part.lines_before);
        if (is_main) {
            root = tree;
            config_merge_begin(&merge, reading, root);
        } else if (root != NULL) {
            config_merge_add(&merge, tree);
        }
    }
    return root;
}

struct node *config_load_tree(struct arena *scratch, struct bytes source)
{
    struct reading reading = {.scratch = scratch, .errors = config_errors_new("")};
    struct node *root = NULL;

    if (reading.errors != NULL && config_source_check(&source, reading.errors)) {
        root = read_parts(&reading, source);
    }
    if (config_errors_count(reading.errors) > 0 || arena_failed(scratch)) {
        root = NULL;
    }
    config_errors_free(&reading.errors);
    return root;
}

/* Fills arena and settings from the text; what is wrong goes to the errors. Takes a byte order mark off
 * *source: marks do not count it. */
static void read_source(struct reading *reading, const char *name, struct bytes *source)
{
    struct node *root;

    reading->settings = arena_take(reading->arena, sizeof(*reading->settings));
    if (reading->settings == NULL || !config_source_check(source, reading->errors) ||
        !list_parts(reading, name, *source)) {
        return;
    }
    reading->settings->file = reading->parts[0].file;
    config_reading_init(reading);
    root = read_parts(reading, *source);
    if (root != NULL && config_node_is_empty(root)) {
        config_errors_add(reading->errors, (struct mark){1, 1}, CONFIG_EMPTY_FILE);
    } else if (root != NULL) {
        config_refuse_variables(root, reading->errors);
        config_read_settings(reading, root);
    }
}

/* Takes over the arena, whatever comes of it. */
static struct snapshot *finish(struct reading *reading, struct bytes source)
{
    struct snapshot *snapshot = NULL;
    bool starved = arena_failed(reading->arena) || arena_failed(reading->scratch);

    if (config_errors_count(reading->errors) == 0 && !starved) {
        snapshot = snapshot_new(reading->arena, reading->settings);
        starved = snapshot == NULL;
    }
    if (starved) {
        config_errors_add(reading->errors, whole_file, "not enough memory to read it");
    }
    if (snapshot == NULL) {
        arena_free(&reading->arena);
    }
    config_errors_finish(reading->errors, source);
    return snapshot;
}

static struct snapshot *load_source(const char *name, struct bytes source,
                                    struct config_errors *errors)
{
    struct reading reading = {.errors = errors};
    struct snapshot *snapshot = NULL;

    reading.arena = arena_new();
    reading.scratch = arena_new();
    if (reading.arena != NULL && reading.scratch != NULL) {
        read_source(&reading, name, &source);
        snapshot = finish(&reading, source);
    } else {
        config_errors_add(errors, whole_file, "not enough memory to read it");
        arena_free(&reading.arena);
    }
    arena_free(&reading.scratch);
    return snapshot;
}

struct snapshot *config_load_bytes(const char *name, struct bytes source,
                                   struct config_errors **errors)
{
    struct snapshot *snapshot;

    *errors = config_errors_new(name);
    if (*errors == NULL) {
        return NULL;
    }
    snapshot = load_source(name, source, *errors);
    if (snapshot != NULL) {
        config_errors_free(errors);
    }
    return snapshot;
}

struct snapshot *config_load(const char *path, struct config_errors **errors)
{
    struct bytes source;
    char *room = config_read_file(path, CONFIG_PATIENCE_MS, &source, errors);
    struct snapshot *snapshot = NULL;

    if (room != NULL) {
        snapshot = config_load_bytes(path, source, errors);
    }
    free(room);
    return snapshot;
}
