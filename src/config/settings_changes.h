/* SPDX-License-Identifier: BSD-2-Clause */
/* What a new configuration adds, changes, removes and keeps, by identity: listeners by address
 * (those on port 0 in their order), services and routes by name, origins by address, global
 * options by path. "Changed" means that the file says something else, in whatever words.
 * Made away from the loops by process/reload/reload and by `turnpike --diff`; constant then. */
#ifndef CONFIG_SETTINGS_CHANGES_H
#define CONFIG_SETTINGS_CHANGES_H

#include "config/settings.h"

#include <stdio.h>

struct settings_changes;

enum change_kind {
    CHANGE_OF_LISTENERS,
    CHANGE_OF_SERVICES,
    CHANGE_OF_ORIGINS,
    CHANGE_OF_ROUTES,
    CHANGE_OF_OPTIONS,
    CHANGE_KIND_COUNT
};

enum change_verb { CHANGE_ADDED, CHANGE_CHANGED, CHANGE_REMOVED, CHANGE_KEPT, CHANGE_VERB_COUNT };

#define CHANGES_NONE UINT32_MAX

/* Options that hold from start to end, and why a reload may not touch them: threads, identities
 * and files that were opened with privileges long gone. NULL is the last. */
extern const char *const settings_fixed_options[];
/* The path is that of the option, or of one below it. */
bool settings_option_is_of(const char *path, const char *option);

/* A section of the file whose members are told by name (listeners, services, routes), and no option. */
bool settings_are_compared_by_name(struct bytes key);

/* Borrows both settings. NULL: out of memory. */
struct settings_changes *settings_changes_new(const struct settings *before,
                                              const struct settings *now);
void settings_changes_free(struct settings_changes **changes);

/* Where the listener, service or route with this index in the new settings stood in the former
 * ones; CHANGES_NONE: it is new. Not for origins and options. */
uint32_t settings_changes_former(const struct settings_changes *changes, enum change_kind kind,
                                 uint32_t index);
/* It was there before, and the file says the same of it. */
bool settings_changes_is_kept(const struct settings_changes *changes, enum change_kind kind,
                              uint32_t index);
/* True when a former one is nowhere in the new settings. */
bool settings_changes_is_removed(const struct settings_changes *changes, enum change_kind kind,
                                 uint32_t former);
uint32_t settings_changes_count(const struct settings_changes *changes, enum change_kind kind,
                                enum change_verb verb);
/* The global option of that path is another than before, or was added or removed. */
bool settings_changes_option(const struct settings_changes *changes, const char *path);

/* One line without its end: "routes: 1 added (beta), 40 kept; services: 3 kept". Returns its
 * length; cut where the room ends. */
size_t settings_changes_report(const struct settings_changes *changes, char *room, size_t size);
/* Each with its name: "+ route beta", "~ service shop", "- origin 10.0.0.1:80". Options that a
 * reload leaves as they were are marked. */
void settings_changes_print(const struct settings_changes *changes, FILE *out);

#endif
