/* SPDX-License-Identifier: BSD-2-Clause */
/* One pass over a configuration file, from tree to settings: what the read_*.c files share,
 * and reading by the option table. Private to config/. A reader tells an error and goes on;
 * whether there were any is asked once, at the end (config/load.c). */
#ifndef CONFIG_READ_READING_H
#define CONFIG_READ_READING_H

#include "base/memory/arena.h"
#include "config/names.h"
#include "config/read/readers.h"
#include "config/schema/schema.h"
#include "config/settings.h"
#include "config/yaml/node.h"

/* A file whose text is part of the configuration: the main one, then the included ones. */
struct reading_part {
    const char *file; /* as long as the settings live */
    uint32_t lines_before;
};

struct reading {
    struct reading_part *parts; /* at least the main file */
    uint32_t part_count;
    struct arena *arena;   /* of the settings */
    struct arena *scratch; /* gone after the load */
    struct config_errors *errors;
    struct settings *settings;
    const struct option *option;        /* the row that is being read, for its reader */
    struct listener_settings *listener; /* that is being read; NULL: none */
    struct service_settings *service;
    struct route_settings *route;
    struct names groups;      /* place and path, to the options directly below */
    struct names listeners;   /* address in its standard form, to the listener's node */
    struct names services;    /* to struct service_settings */
    struct names origins;     /* of the service that is being read */
    struct names routes;      /* to the node that gives the name */
    struct names match_rests; /* all of a match but its hosts, to the first route with it */
    struct names matches;     /* that route and a host, to the first route with both */
    bool listeners_unsure;    /* one has no readable address: do not tell that it is unknown */
    bool weights_unsure;      /* one of the split cannot be read: do not tell their sum */
};

void config_reading_init(struct reading *reading);

#define READING_ERROR(reading, node, ...) \
    config_errors_add((reading)->errors, (node)->mark, __VA_ARGS__)

/* Told at a start, at a reload and by -t; ends none of them. */
#define READING_WARNING(reading, node, ...) config_warn(reading, node, __VA_ARGS__)

/* --- read_group.c --- */

/* Reads a mapping by the table into `record`: refuses unknown options, tells of required ones that
 * are missing. False when the node is no mapping. */
bool config_read_group(struct reading *reading, const struct node *node, enum option_place place,
                       const char *prefix, void *record);
/* Defaults of the options below `prefix` that are at home in this place. */
void config_fill_defaults(struct reading *reading, enum option_place place, const char *prefix,
                          void *record);
/* Tells that a required option is missing, at the node of its group. */
void config_report_missing(struct reading *reading, const struct node *group, const char *option,
                           const char *expected);

/* --- read_value.c --- */

/* Stores one value as the option's row says; false, with an error, when it is not one. */
bool config_read_value(struct reading *reading, const struct option *option,
                       const struct node *node, void *record);
/* False, with an error, when the text is not what the row asks for. */
bool config_check_fit(struct reading *reading, const struct option *option,
                      const struct node *node);
void config_store_default(const struct option *option, void *record);
/* The text of a node; false, with an error that says what is expected, for all else. */
bool config_read_text(struct reading *reading, const struct node *node, const char *path,
                      const char *expected, struct bytes *text);
/* For readers: a text that is not what their row expects. */
void config_refuse_text(struct reading *reading, const struct node *node, const char *remedy);
/* The values of these options are texts, each for itself. */
static inline bool config_is_of_texts(const struct option *option)
{
    return option->type <= OPTION_GRPC_STATUSES;
}
/* The members of a list or mapping, or the node itself as the only one: walk with `next`, *count
 * times. NULL when there are none, with an error unless that is allowed. */
const struct node *config_read_members(struct reading *reading, const struct option *option,
                                       const struct node *node, uint32_t *count);
/* Tells that none of the rows has this name (at `offset` in each), and which is near it. */
void config_report_unknown_name(struct reading *reading, const struct node *node, const char *what,
                                const void *rows, uint32_t count, size_t size, size_t offset);
/* Memory for an array; NULL for none of them, or without memory. */
void *config_take_array(struct reading *reading, size_t count, size_t size);
/* Where a node stands, for problems that show after the load; nowhere for NULL. */
struct file_place config_place_of(const struct reading *reading, const struct node *node);
/* "line 12", or "line 3 of conf.d/shop.yaml": for messages that name a second place. */
struct line_text {
    char text[SHOWN_MAX + 4 + 32];
};
struct line_text config_line(const struct reading *reading, const struct node *node);
void config_warn(struct reading *reading, const struct node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A copy that lives as long as the settings; empty without memory. */
struct bytes config_keep(struct reading *reading, struct bytes text);

/* --- what is done once a group of the file is read, each in the file of its subject --- */

void config_read_settings(struct reading *reading, const struct node *root);
void config_store_statuses(const struct option *option, struct bytes list, void *set);
/* The service of this name; NULL, with an error, when there is none. */
const struct service_settings *config_find_service(struct reading *reading,
                                                   const struct node *node);
/* Once origins and `tls` are read: what the certificate of each has to be for. */
void config_finish_service_tls(struct reading *reading, const struct node *node,
                               struct service_settings *service);
/* A route does one thing, and has no options of another. */
void config_check_action(struct reading *reading, const struct node *node,
                         struct route_settings *route);
void config_finish_split(struct reading *reading, const struct node *node,
                         struct route_settings *route);
void config_finish_cache(struct reading *reading, const struct node *node,
                         struct route_settings *route);
/* Refuses a route, itself without errors, that an earlier one with the same match leaves
 * nothing to. */
void config_check_conflict(struct reading *reading, const struct node *node,
                           struct route_settings *route);
/* Names what has none. */
void config_finish_routes(struct reading *reading, const struct node *list);
/* Once all names are known; those of rate limits too. */
void config_finish_client_limits(struct settings *settings);
/* A file that belongs to the configuration, at most `most` bytes; false, with an error. */
bool config_read_own_file(struct reading *reading, const struct node *node, size_t most,
                          struct bytes *content);

/* --- warnings.c: once all is read --- */

/* Services that no route names, origins that are the gateway's own listeners. */
void config_find_warnings(struct reading *reading, const struct node *root);

/* --- route_warnings.c --- */

/* Options of routes that have no effect; `routes` is their list. */
void config_find_route_warnings(struct reading *reading, const struct node *routes);

/* --- text_rules.c: what may stand in a text --- */

/* Lower case, in place. */
void config_to_lower(struct bytes text);
/* The normal form of a path (RFC 3986 section 6.2.2) into `out`, which has room for three
 * times its length. False for what has none: not starting with '/', a bad escape or %00, '?' or
 * '#', or climbing above the root. */
bool config_normal_path(struct bytes path, char *out, size_t *length);
/* The same, into scratch memory. */
bool config_normal_form(struct reading *reading, struct bytes path, struct bytes *normal);

#endif
