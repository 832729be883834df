/* SPDX-License-Identifier: BSD-2-Clause */
/* Compares two configurations for a reload: the names of each kind (listeners, services, routes, ...) are
 * matched by what they are, and what was added, removed or changed is told. */
#include "config/settings_changes.h"

#include "base/address.h"
#include "base/memory/arena.h"
#include "base/text.h"
#include "config/names.h"

#include <stdio.h>
#include <stdlib.h>

#define NAMES_REPORTED 5

struct item {
    const char *name;     /* what is told */
    const char *identity; /* what is matched */
    uint64_t print;
    uint32_t partner;  /* in the other roster; CHANGES_NONE */
    struct item *next; /* with the same identity */
};

struct roster {
    struct item *items;
    uint32_t count;
    struct names identities; /* to the first item of each */
};

struct pair {
    struct roster before;
    struct roster now;
    uint32_t counts[CHANGE_VERB_COUNT];
};

struct settings_changes {
    const struct settings *before; /* borrowed */
    const struct settings *now;
    struct pair pairs[CHANGE_KIND_COUNT];
    struct arena *arena; /* of the rosters */
};

static const struct {
    const char *one;
    const char *many;
} kind_names[CHANGE_KIND_COUNT] = {
    [CHANGE_OF_LISTENERS] = {"listener", "listeners"},
    [CHANGE_OF_SERVICES] = {"service", "services"},
    [CHANGE_OF_ORIGINS] = {"origin", "origins"},
    [CHANGE_OF_ROUTES] = {"route", "routes"},
    [CHANGE_OF_OPTIONS] = {"option", "options"},
};

static const char *const verb_names[] = {"added", "changed", "removed", "kept"};
static const char verb_marks[] = {'+', '~', '-', ' '};

/* --- rosters ----------------------------------------------------------------------------- */

/* The first one in order; among those without a partner, if so wanted. */
static uint32_t roster_find(const struct roster *roster, const char *identity, bool only_single)
{
    const struct item *item = config_names_find(&roster->identities, bytes_of(identity));

    while (item != NULL && only_single && item->partner != CHANGES_NONE) {
        item = item->next;
    }
    return item != NULL ? (uint32_t)(item - roster->items) : CHANGES_NONE;
}

static void roster_add(struct roster *roster, const char *name, const char *identity,
                       uint64_t print)
{
    struct item *item = &roster->items[roster->count++];
    uint32_t first = roster_find(roster, identity, false);

    *item = (struct item){name, identity, print, CHANGES_NONE, NULL};
    if (first == CHANGES_NONE) {
        config_names_add(&roster->identities, bytes_of(identity), item);
        return;
    }
    while (roster->items[first].next != NULL) {
        first = (uint32_t)(roster->items[first].next - roster->items);
    }
    roster->items[first].next = item;
}

static void add_listeners(struct roster *roster, const struct settings *settings,
                          struct arena *arena)
{
    for (uint32_t i = 0; i < settings->listener_count; i++) {
        const struct listener_settings *listener = &settings->listeners[i];
        char text[ADDRESS_TEXT_MAX];
        size_t length = address_format(&listener->address, text);
        const char *identity = arena_copy(arena, (struct bytes){text, length});

        if (identity != NULL) {
            roster_add(roster, listener->name, identity, listener->print);
        }
    }
}

/* Once each, whichever services name it. */
static void add_origins(struct roster *roster, const struct service_settings *service)
{
    for (uint32_t i = 0; i < service->origin_count; i++) {
        const char *name = service->origins[i].name;

        if (roster_find(roster, name, false) == CHANGES_NONE) {
            roster_add(roster, name, name, 0);
        }
    }
}

static uint32_t count_of(const struct settings *settings, enum change_kind kind)
{
    uint32_t origins = 0;

    switch (kind) {
    case CHANGE_OF_LISTENERS:
        return settings->listener_count;
    case CHANGE_OF_SERVICES:
        return settings->service_count;
    case CHANGE_OF_ROUTES:
        return settings->route_count;
    case CHANGE_OF_OPTIONS:
        return settings->option_count;
    default:
        for (uint32_t i = 0; i < settings->service_count; i++) {
            origins += settings->services[i].origin_count;
        }
        return origins;
    }
}

static void fill(struct settings_changes *changes, enum change_kind kind, struct roster *roster,
                 const struct settings *settings)
{
    config_names_init(&roster->identities, changes->arena);
    roster->items =
        arena_take(changes->arena, (count_of(settings, kind) + 1) * sizeof(*roster->items));
    if (roster->items == NULL) {
        return;
    }
    if (kind == CHANGE_OF_LISTENERS) {
        add_listeners(roster, settings, changes->arena);
    }
    for (uint32_t i = 0; kind == CHANGE_OF_SERVICES && i < settings->service_count; i++) {
        const struct service_settings *service = &settings->services[i];

        roster_add(roster, service->name, service->name, service->print);
    }
    for (uint32_t i = 0; kind == CHANGE_OF_ORIGINS && i < settings->service_count; i++) {
        add_origins(roster, &settings->services[i]);
    }
    for (uint32_t i = 0; kind == CHANGE_OF_ROUTES && i < settings->route_count; i++) {
        const struct route_settings *route = &settings->routes[i];

        roster_add(roster, route->name, route->name, route->print);
    }
    for (uint32_t i = 0; kind == CHANGE_OF_OPTIONS && i < settings->option_count; i++) {
        const struct option_print *option = &settings->options[i];

        roster_add(roster, option->path, option->path, option->print);
    }
}

/* --- what only a start takes up ------------------------------------------------------------ */

const char *const settings_fixed_options[] = {"workers",         "user",  "core_dumps",
                                              "access_log.to",   "admin", "pid_file",
                                              "state_directory", "dns",   NULL};

bool settings_option_is_of(const char *path, const char *option)
{
    size_t length = strlen(option);

    return strncmp(path, option, length) == 0 && (path[length] == '\0' || path[length] == '.');
}

bool settings_are_compared_by_name(struct bytes key)
{
    return bytes_equal(key, BYTES("listeners")) || bytes_equal(key, BYTES("services")) ||
           bytes_equal(key, BYTES("routes"));
}

/* --- matching ---------------------------------------------------------------------------- */

static void match(struct pair *pair)
{
    for (uint32_t i = 0; i < pair->now.count; i++) {
        struct item *item = &pair->now.items[i];
        uint32_t former = roster_find(&pair->before, item->identity, true);

        if (former == CHANGES_NONE) {
            pair->counts[CHANGE_ADDED]++;
            continue;
        }
        item->partner = former;
        pair->before.items[former].partner = i;
        pair->counts[pair->before.items[former].print == item->print ? CHANGE_KEPT
                                                                     : CHANGE_CHANGED]++;
    }
    pair->counts[CHANGE_REMOVED] =
        pair->before.count - pair->counts[CHANGE_KEPT] - pair->counts[CHANGE_CHANGED];
}

struct settings_changes *settings_changes_new(const struct settings *before,
                                              const struct settings *now)
{
    struct settings_changes *changes = calloc(1, sizeof(*changes));

    if (changes == NULL) {
        return NULL;
    }
    changes->before = before;
    changes->now = now;
    changes->arena = arena_new();
    for (int kind = 0; changes->arena != NULL && kind < CHANGE_KIND_COUNT; kind++) {
        fill(changes, (enum change_kind)kind, &changes->pairs[kind].before, before);
        fill(changes, (enum change_kind)kind, &changes->pairs[kind].now, now);
        match(&changes->pairs[kind]);
    }
    if (changes->arena == NULL || arena_failed(changes->arena)) {
        settings_changes_free(&changes);
    }
    return changes;
}

void settings_changes_free(struct settings_changes **changes)
{
    if (*changes != NULL) {
        arena_free(&(*changes)->arena);
        free(*changes);
        *changes = NULL;
    }
}

/* --- asking ------------------------------------------------------------------------------ */

uint32_t settings_changes_former(const struct settings_changes *changes, enum change_kind kind,
                                 uint32_t index)
{
    return changes->pairs[kind].now.items[index].partner;
}

static enum change_verb verb_of(const struct pair *pair, const struct item *item)
{
    if (item->partner == CHANGES_NONE) {
        return CHANGE_ADDED;
    }
    return pair->before.items[item->partner].print == item->print ? CHANGE_KEPT : CHANGE_CHANGED;
}

bool settings_changes_is_kept(const struct settings_changes *changes, enum change_kind kind,
                              uint32_t index)
{
    const struct pair *pair = &changes->pairs[kind];

    return verb_of(pair, &pair->now.items[index]) == CHANGE_KEPT;
}

bool settings_changes_is_removed(const struct settings_changes *changes, enum change_kind kind,
                                 uint32_t former)
{
    return changes->pairs[kind].before.items[former].partner == CHANGES_NONE;
}

uint32_t settings_changes_count(const struct settings_changes *changes, enum change_kind kind,
                                enum change_verb verb)
{
    return changes->pairs[kind].counts[verb];
}

bool settings_changes_option(const struct settings_changes *changes, const char *path)
{
    const struct pair *pair = &changes->pairs[CHANGE_OF_OPTIONS];
    uint32_t now = roster_find(&pair->now, path, false);
    uint32_t before = roster_find(&pair->before, path, false);

    if (now == CHANGES_NONE || before == CHANGES_NONE) {
        return now != before;
    }
    return pair->now.items[now].print != pair->before.items[before].print;
}

/* --- telling ----------------------------------------------------------------------------- */

typedef void report_item(void *owner, const struct item *item);

/* A removed object is in the former roster, all others are in the new one. */
static void each_item(const struct pair *pair, enum change_verb verb, report_item *report,
                      void *owner)
{
    const struct roster *roster = verb == CHANGE_REMOVED ? &pair->before : &pair->now;

    for (uint32_t i = 0; i < roster->count; i++) {
        const struct item *item = &roster->items[i];

        if (verb == CHANGE_REMOVED ? item->partner == CHANGES_NONE : verb_of(pair, item) == verb) {
            report(owner, item);
        }
    }
}

struct line {
    char *room;
    size_t size;
    uint32_t reported; /* names of the present list */
};

static void add_text(struct line *line, const char *text)
{
    text_append(line->room, line->size, text);
}

static void add_name(void *owner, const struct item *item)
{
    struct line *line = owner;

    if (line->reported < NAMES_REPORTED) {
        add_text(line, line->reported > 0 ? ", " : " (");
        add_text(line, item->name);
    } else if (line->reported == NAMES_REPORTED) {
        add_text(line, ", ...");
    }
    line->reported++;
}

static void report_kind(struct line *line, const struct pair *pair, enum change_kind kind)
{
    const char *before = line->room[0] != '\0' ? "; " : "";
    char number[48];

    for (int verb = 0; verb < CHANGE_VERB_COUNT; verb++) {
        /* Options that stay are not worth a word, nor what there is none of. */
        if (pair->counts[verb] == 0 || (kind == CHANGE_OF_OPTIONS && verb == CHANGE_KEPT)) {
            continue;
        }
        add_text(line, before);
        if (before[0] != ',') {
            add_text(line, kind_names[kind].many);
            add_text(line, ": ");
        }
        snprintf(number, sizeof(number), "%u %s", pair->counts[verb], verb_names[verb]);
        add_text(line, number);
        if (verb != CHANGE_KEPT) {
            line->reported = 0;
            each_item(pair, (enum change_verb)verb, add_name, line);
            add_text(line, ")");
        }
        before = ", ";
    }
}

/* --- values of splits -------------------------------------------------------------------- */

typedef void report_value(void *owner, const char *text);

static const struct arm_settings *arm_named(const struct route_settings *route, const char *service)
{
    for (uint32_t i = 0; i < route->arm_count; i++) {
        if (strcmp(route->arms[i].service->name, service) == 0) {
            return &route->arms[i];
        }
    }
    return NULL;
}

struct weight_text {
    char text[16];
};

static struct weight_text weight_of(const struct arm_settings *arm)
{
    struct weight_text weight = {"absent"};

    if (arm != NULL) {
        snprintf(weight.text, sizeof(weight.text), "%g%%", arm->weight / 100.0);
    }
    return weight;
}

/* "pay: split new 5% -> 1%" */
static void report_arm(const struct route_settings *before, const struct route_settings *now,
                       const char *service, report_value *report, void *owner)
{
    const struct weight_text old = weight_of(arm_named(before, service));
    const struct weight_text young = weight_of(arm_named(now, service));
    char text[192];

    if (strcmp(old.text, young.text) != 0) {
        snprintf(text, sizeof(text), "%s: split %s %s -> %s", now->name, service, old.text,
                 young.text);
        report(owner, text);
    }
}

static void report_split(const struct route_settings *before, const struct route_settings *now,
                         report_value *report, void *owner)
{
    if (before->arm_count < 2 && now->arm_count < 2) {
        return;
    }
    for (uint32_t i = 0; i < before->arm_count; i++) {
        report_arm(before, now, before->arms[i].service->name, report, owner);
    }
    for (uint32_t i = 0; i < now->arm_count; i++) {
        if (arm_named(before, now->arms[i].service->name) == NULL) {
            report_arm(before, now, now->arms[i].service->name, report, owner);
        }
    }
}

/* Of each route that is there before and after. */
static void report_values(const struct settings_changes *changes, report_value *report, void *owner)
{
    const struct pair *pair = &changes->pairs[CHANGE_OF_ROUTES];

    for (uint32_t i = 0; i < pair->now.count; i++) {
        if (verb_of(pair, &pair->now.items[i]) == CHANGE_CHANGED) {
            report_split(&changes->before->routes[pair->now.items[i].partner],
                         &changes->now->routes[i], report, owner);
        }
    }
}

static void add_value(void *owner, const char *text)
{
    struct line *line = owner;

    if (line->reported < NAMES_REPORTED) {
        add_text(line, "; ");
        add_text(line, text);
    }
    line->reported++;
}

size_t settings_changes_report(const struct settings_changes *changes, char *room, size_t size)
{
    struct line line = {room, size, 0};

    room[0] = '\0';
    for (int kind = 0; kind < CHANGE_KIND_COUNT; kind++) {
        report_kind(&line, &changes->pairs[kind], (enum change_kind)kind);
    }
    line.reported = 0;
    report_values(changes, add_value, &line);
    return strlen(room);
}

struct printing {
    FILE *out;
    const char *kind;
    char mark;
    bool of_options;
};

static bool is_fixed(const char *path)
{
    for (size_t i = 0; settings_fixed_options[i] != NULL; i++) {
        if (settings_option_is_of(path, settings_fixed_options[i])) {
            return true;
        }
    }
    return false;
}

static void print_item(void *owner, const struct item *item)
{
    const struct printing *printing = owner;

    fprintf(printing->out, "%c %s %s%s\n", printing->mark, printing->kind, item->name,
            printing->of_options && is_fixed(item->name) ? " (only from the next start on)" : "");
}

void settings_changes_print(const struct settings_changes *changes, FILE *out)
{
    for (int kind = 0; kind < CHANGE_KIND_COUNT; kind++) {
        for (int verb = 0; verb < CHANGE_KEPT; verb++) {
            struct printing printing = {out, kind_names[kind].one, verb_marks[verb],
                                        kind == CHANGE_OF_OPTIONS};

            each_item(&changes->pairs[kind], (enum change_verb)verb, print_item, &printing);
        }
    }
}
