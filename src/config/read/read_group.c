/* SPDX-License-Identifier: BSD-2-Clause */
/* Mappings whose keys are options: each key is looked up in the table, unknown ones get the
 * nearest known name or, once renamed, their new one. Plain values are stored where their row says. */
#include "config/read/reading.h"
#include "config/schema/renamed.h"
#include "config/schema/suggest.h"

#include <stdio.h>

#define PATH_ROOM 128

static const enum option_place all_places[] = {PLACE_GLOBAL, PLACE_LISTENER, PLACE_SERVICE,
                                               PLACE_ROUTE};

#define PLACE_COUNT (sizeof(all_places) / sizeof(all_places[0]))

/* The key under which reading->options holds an option. */
static struct bytes index_key(enum option_place place, const char *prefix, struct bytes name,
                              char room[PATH_ROOM])
{
    int length = snprintf(room, PATH_ROOM, "%u:%s%s%.*s", (unsigned)place, prefix,
                          prefix[0] != '\0' ? "." : "", (int)name.length, name.at);

    return (struct bytes){room, length < PATH_ROOM ? (size_t)length : 0};
}

void config_reading_init(struct reading *reading)
{
    const struct option *option;
    char room[PATH_ROOM];
    struct bytes key;
    size_t i;
    size_t p;

    config_names_init(&reading->options, reading->scratch);
    config_names_init(&reading->listeners, reading->scratch);
    config_names_init(&reading->services, reading->scratch);
    config_names_init(&reading->routes, reading->scratch);
    config_names_init(&reading->match_rests, reading->scratch);
    config_names_init(&reading->matches, reading->scratch);
    for (i = 0; (option = config_option_at(i)) != NULL; i++) {
        for (p = 0; p < PLACE_COUNT; p++) {
            if ((option->places & all_places[p]) != 0) {
                key = index_key(all_places[p], "", bytes_of(option->path), room);
                key.at = arena_copy(reading->scratch, key);
                if (key.at != NULL) {
                    config_names_add(&reading->options, key, option);
                }
            }
        }
    }
}

static const struct option *find_option(const struct reading *reading, enum option_place place,
                                        const char *prefix, struct bytes name)
{
    char room[PATH_ROOM];

    if (name.length == 0 || name.length > PATH_ROOM / 2) {
        return NULL;
    }
    return config_names_find(&reading->options, index_key(place, prefix, name, room));
}

/* True when the option exists elsewhere, and that was told. */
static bool report_misplaced(struct reading *reading, const struct node *key,
                             enum option_place place, const char *prefix, const char *shown)
{
    size_t p;

    for (p = 0; p < PLACE_COUNT; p++) {
        if (all_places[p] != place &&
            find_option(reading, all_places[p], prefix, key->text) != NULL) {
            READING_ERROR(reading, key, "'%s' cannot stand %s; its place is %s", shown,
                          config_place_name(place), config_place_name(all_places[p]));
            return true;
        }
    }
    return false;
}

static void report_unknown(struct reading *reading, const struct node *key, enum option_place place,
                           const char *prefix)
{
    struct suggestion suggestion;
    const struct option *option;
    const char *new_path;
    struct bytes known;
    char shown[PATH_ROOM];
    char hint[HINT_MAX];
    size_t i;

    snprintf(shown, sizeof(shown), "%s%s%s", prefix, prefix[0] != '\0' ? "." : "",
             config_show(key->text).text);
    new_path = config_renamed_to(place, shown);
    if (new_path != NULL) {
        READING_ERROR(reading, key, "'%s' was renamed: write '%s'", shown, new_path);
        return;
    }
    if (report_misplaced(reading, key, place, prefix, shown)) {
        return;
    }
    config_suggest_begin(&suggestion, key->text);
    for (i = 0; (option = config_option_at(i)) != NULL; i++) {
        if (config_option_is_child(option, place, prefix, &known)) {
            config_suggest_offer(&suggestion, known);
        }
    }
    READING_ERROR(reading, key, "unknown option '%s'%s", shown,
                  config_suggest_hint(&suggestion, hint));
}

bool config_read_group(struct reading *reading, const struct node *node, enum option_place place,
                       const char *prefix, void *record)
{
    const struct node *member;

    if (node->kind == NODE_BROKEN) {
        return false;
    }
    if (node->kind != NODE_MAP) {
        READING_ERROR(reading, node, "%s%s%s expects a mapping of options, not %s",
                      prefix[0] != '\0' ? "'" : "", prefix[0] != '\0' ? prefix : "this place",
                      prefix[0] != '\0' ? "'" : "", config_node_kind(node));
        return false;
    }
    for (member = node->first; member != NULL; member = member->next) {
        const struct option *option = find_option(reading, place, prefix, member->key->text);

        if (option == NULL) {
            report_unknown(reading, member->key, place, prefix);
        } else if (option->size > 0) {
            config_read_value(reading, option, member, record);
        }
    }
    return true;
}

void config_fill_defaults(enum option_place place, const char *prefix, void *record)
{
    const struct option *option;
    struct bytes name;
    size_t i;

    for (i = 0; (option = config_option_at(i)) != NULL; i++) {
        if (option->size > 0 && option->initial != NULL &&
            config_option_is_child(option, place, prefix, &name)) {
            config_store_default(option, record);
        }
    }
}

void config_report_missing(struct reading *reading, const struct node *group, const char *option,
                           const char *expected)
{
    READING_ERROR(reading, group, "'%s' is missing here; it expects %s", option, expected);
}
