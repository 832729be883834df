/* SPDX-License-Identifier: BSD-2-Clause */
/* Mappings whose keys are options: each key is looked up in the table, unknown ones get the
 * nearest known name or, once renamed, their new one. What stands behind a key is read as its row
 * says: plain values first, since what follows may depend on them, then groups, lists and forms of
 * their own in the order of the table. */
#include "config/read/reading.h"

#include "base/text.h"
#include "config/schema/foreign.h"
#include "config/schema/renamed.h"
#include "config/schema/suggest.h"

#include <stdio.h>

#define PATH_ROOM 128

static const enum option_place all_places[] = {PLACE_GLOBAL, PLACE_LISTENER, PLACE_SERVICE,
                                               PLACE_ROUTE};

#define PLACE_COUNT (sizeof(all_places) / sizeof(all_places[0]))

/* An option directly below a group, under its last name. */
struct option_child {
    const struct option *option;
    const char *name;
    struct option_child *next;
};

/* The key under which reading->groups holds the options of a group, the first of them. */
static struct bytes group_key(enum option_place place, struct bytes prefix, char room[PATH_ROOM])
{
    int length =
        snprintf(room, PATH_ROOM, "%u:%.*s", (unsigned)place, (int)prefix.length, prefix.at);

    return (struct bytes){room, length < PATH_ROOM ? (size_t)length : 0};
}

static const struct option_child *first_child(const struct reading *reading,
                                              enum option_place place, const char *prefix)
{
    char room[PATH_ROOM];

    return config_names_find(&reading->groups, group_key(place, bytes_of(prefix), room));
}

static void add_child(struct reading *reading, enum option_place place, const struct option *option)
{
    const char *dot = strrchr(option->path, '.');
    struct bytes prefix = {option->path, dot != NULL ? (size_t)(dot - option->path) : 0};
    struct option_child *child = arena_take(reading->scratch, sizeof(*child));
    struct option_child *last;
    char room[PATH_ROOM];
    struct bytes key = group_key(place, prefix, room);

    key.at = arena_copy(reading->scratch, key);
    if (child == NULL || key.at == NULL) {
        return;
    }
    child->option = option;
    child->name = dot != NULL ? dot + 1 : option->path;
    last = (void *)(uintptr_t)config_names_add(&reading->groups, key, child);
    while (last != NULL && last->next != NULL) {
        last = last->next;
    }
    if (last != NULL) {
        last->next = child;
    }
}

void config_reading_init(struct reading *reading)
{
    const struct option *option;

    config_names_init(&reading->groups, reading->scratch);
    config_names_init(&reading->listeners, reading->scratch);
    config_names_init(&reading->services, reading->scratch);
    config_names_init(&reading->routes, reading->scratch);
    config_names_init(&reading->match_rests, reading->scratch);
    config_names_init(&reading->matches, reading->scratch);
    for (size_t i = 0; (option = config_option_at(i)) != NULL; i++) {
        for (size_t p = 0; p < PLACE_COUNT; p++) {
            if ((option->places & all_places[p]) != 0) {
                add_child(reading, all_places[p], option);
            }
        }
    }
}

static const struct option *find_option(const struct reading *reading, enum option_place place,
                                        const char *prefix, struct bytes name)
{
    const struct option_child *child = first_child(reading, place, prefix);

    while (child != NULL && !bytes_equal(name, bytes_of(child->name))) {
        child = child->next;
    }
    return child != NULL ? child->option : NULL;
}

/* True when the option exists elsewhere, and that was told. */
static bool report_misplaced(struct reading *reading, const struct node *key,
                             enum option_place place, const char *prefix, const char *shown)
{
    char room[128];
    struct text where = text_over(room, sizeof(room));

    for (size_t p = 0; p < PLACE_COUNT; p++) {
        if (find_option(reading, all_places[p], prefix, key->text) != NULL) {
            text_add_bytes(&where, where.at > room ? BYTES(" or ") : BYTES(""));
            text_add_bytes(&where, bytes_of(config_place_name(all_places[p])));
        }
    }
    if (where.at == room) {
        return false;
    }
    text_add_char(&where, '\0');
    READING_ERROR(reading, key, "'%s' cannot stand %s; its place is %s", shown,
                  config_place_name(place), room);
    return true;
}

/* What the operator may have meant, where no name comes near: those of a small group. */
static const char *list_names(const struct option_child *known, char *room, size_t size)
{
    struct text names = text_over(room, size - 1);

    text_add_literal(&names, "; known here: ");
    for (const struct option_child *child = known; child != NULL; child = child->next) {
        text_add_bytes(&names, bytes_of(child->name));
        text_add_bytes(&names, child->next != NULL ? BYTES(", ") : BYTES(""));
    }
    *names.at = '\0';
    return names.overflowed ? "; turnpike.yaml(5) lists what there is" : room;
}

static void report_unknown(struct reading *reading, const struct node *key, enum option_place place,
                           const char *prefix)
{
    const struct option_child *known = first_child(reading, place, prefix);
    struct suggestion suggestion;
    const struct foreign_name *foreign;
    const char *new_path;
    char shown[PATH_ROOM];
    char hint[HINT_MAX];
    char names[160];

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
    foreign = config_foreign_name(key->text);
    if (foreign != NULL) {
        READING_ERROR(reading, key, "unknown option '%s'; here it is '%s'", shown, foreign->path);
        return;
    }
    config_suggest_begin(&suggestion, key->text);
    for (const struct option_child *child = known; child != NULL; child = child->next) {
        config_suggest_offer(&suggestion, bytes_of(child->name));
    }
    READING_ERROR(reading, key, "unknown option '%s'%s", shown,
                  *config_suggest_hint(&suggestion, hint) != '\0'
                      ? hint
                      : list_names(known, names, sizeof(names)));
}

/* --- what stands behind a key --------------------------------------------------------------- */

static bool is_plain(const struct option *option)
{
    return option->size > 0 && option->type <= OPTION_TEXT;
}

static size_t offset_in(enum option_place place, const struct option *option)
{
    return place == PLACE_ROUTE && option->in_route != 0         ? option->in_route
           : place == PLACE_LISTENER && option->in_listener != 0 ? option->in_listener
                                                                 : option->offset;
}

static void read_further(struct reading *reading, const struct option *option,
                         const struct node *node, void *at)
{
    if (option->read != NULL) {
        reading->option = option;
        option->read(reading, node, at);
    }
}

/* A text where only that may stand. */
static bool check_text(struct reading *reading, const struct option *option,
                       const struct node *node)
{
    struct bytes text;

    return !config_is_of_texts(option) || option->expects == NULL ||
           (option->read == NULL && option->fits == NULL) ||
           (config_read_text(reading, node, option->path, option->expects, &text) &&
            config_check_fit(reading, option, node));
}

static bool is_list(const struct option *option)
{
    return option->item_size != 0 ||
           (option->type >= OPTION_TEXTS && option->type <= OPTION_GRPC_STATUSES);
}

static void read_member(struct reading *reading, enum option_place place,
                        const struct option *option, const struct node *node, void *item)
{
    if (option->type == OPTION_ROWS) {
        config_fill_defaults(reading, place, option->path, item);
    }
    if (option->type == OPTION_ROWS ? config_read_group(reading, node, place, option->path, item)
                                    : check_text(reading, option, node)) {
        read_further(reading, option, node, item);
    }
}

/* Into an array with its length, if the row has one. */
static void read_list(struct reading *reading, enum option_place place, const struct option *option,
                      const struct node *node, void *at)
{
    uint32_t count = 0;
    const struct node *member = config_read_members(reading, option, node, &count);
    char *items = config_take_array(reading, count, option->item_size);

    if (option->item_size != 0) {
        memcpy(at, &items, sizeof(items));
        count = items != NULL ? count : 0;
    } else if (option->size != 0) {
        memset(at, 0, option->size); /* a set, which had the default */
    }
    for (uint32_t i = 0; i < count; i++, member = member->next) {
        if (option->item_size != 0) {
            *(uint32_t *)((char *)at + option->to_count) = i + 1;
        }
        read_member(reading, place, option, member,
                    option->item_size != 0 ? items + (size_t)i * option->item_size : at);
    }
}

static void read_option(struct reading *reading, enum option_place place,
                        const struct option *option, const struct node *node, void *record)
{
    void *at = (char *)record + offset_in(place, option);

    if (option->at != 0) {
        *(struct file_place *)((char *)record + option->at) = config_place_of(reading, node);
    }
    if (option->type == OPTION_GROUP && option->expects != NULL && node->kind == NODE_TEXT) {
        READING_ERROR(reading, node, "'%s' expects %s", option->path, option->expects);
        return;
    }
    if (is_list(option)) {
        read_list(reading, place, option, node, at);
    } else if (option->type == OPTION_GROUP
                   ? config_read_group(reading, node, place, option->path, at)
               : is_plain(option) ? config_read_value(reading, option, node, record)
                                  : check_text(reading, option, node)) {
        read_further(reading, option, node, at);
    }
}

bool config_read_group(struct reading *reading, const struct node *node, enum option_place place,
                       const char *prefix, void *record)
{
    const struct option_child *child;
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
        } else if (is_plain(option)) {
            read_option(reading, place, option, member, record);
        }
    }
    for (child = first_child(reading, place, prefix); child != NULL; child = child->next) {
        const struct option *option = child->option;

        member = config_node_child(node, child->name);
        if (member == NULL && option->required) {
            config_report_missing(reading, node, child->name,
                                  option->missing != NULL ? option->missing : option->expects);
        } else if (member != NULL && !is_plain(option)) {
            read_option(reading, place, option, member, record);
        }
    }
    return true;
}

/* An option whose home is another place has none here: the other one's value is copied. */
void config_fill_defaults(struct reading *reading, enum option_place place, const char *prefix,
                          void *record)
{
    const struct option_child *child = first_child(reading, place, prefix);

    for (; child != NULL; child = child->next) {
        const struct option *option = child->option;

        if ((option->places & (unsigned)(place - 1)) != 0) {
            continue;
        }
        if (option->type == OPTION_GROUP || option->type == OPTION_LOG_GROUP) {
            config_fill_defaults(reading, place, option->path, (char *)record + option->offset);
        } else if (option->size > 0 && option->item_size == 0 && option->initial != NULL) {
            config_store_default(option, record);
        }
    }
}

void config_report_missing(struct reading *reading, const struct node *group, const char *option,
                           const char *expected)
{
    READING_ERROR(reading, group, "'%s' is missing here; it expects %s", option, expected);
}
