/* SPDX-License-Identifier: BSD-2-Clause */
/* One pass over a configuration file, from tree to settings: what the read_*.c files share,
 * and reading by the option table. Private to config/. A reader tells an error and goes on;
 * whether there were any is asked once, at the end (config/load.c). */
#ifndef CONFIG_READ_READING_H
#define CONFIG_READ_READING_H

#include "base/memory/arena.h"
#include "config/names.h"
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
    struct names options;     /* place and path, to struct option */
    struct names listeners;   /* address in its standard form, to the listener's node */
    struct names services;    /* to struct service_settings */
    struct names routes;      /* to the node that gives the name */
    struct names match_rests; /* all of a match but its hosts, to the first route with it */
    struct names matches;     /* that route and a host, to the first route with both */
    bool listeners_unsure;    /* one has no readable address: do not tell that it is unknown */
};

void config_reading_init(struct reading *reading);

#define READING_ERROR(reading, node, ...) \
    config_errors_add((reading)->errors, (node)->mark, __VA_ARGS__)

/* Told at a start, at a reload and by -t; ends none of them. */
#define READING_WARNING(reading, node, ...) config_warn(reading, node, __VA_ARGS__)

/* --- read_group.c --- */

/* Reads a mapping by the table: refuses unknown options, stores the plain ones in `record`
 * (those with a size). False when the node is no mapping. */
bool config_read_group(struct reading *reading, const struct node *node, enum option_place place,
                       const char *prefix, void *record);
/* Defaults of the options directly below `prefix`. */
void config_fill_defaults(enum option_place place, const char *prefix, void *record);
/* Tells that a required option is missing, at the node of its group. */
void config_report_missing(struct reading *reading, const struct node *group, const char *option,
                           const char *expected);

/* --- read_value.c --- */

/* Stores one value as the option's row says; false, with an error, when it is not one. */
bool config_read_value(struct reading *reading, const struct option *option,
                       const struct node *node, void *record);
void config_store_default(const struct option *option, void *record);
/* The text of a node; false, with an error that says what is expected, for all else. */
bool config_read_text(struct reading *reading, const struct node *node, const char *path,
                      const char *expected, struct bytes *text);
/* The members of a list, or the node itself as the only one: walk with `next`, *count times.
 * NULL, with an error, when there are none. */
const struct node *config_read_members(struct reading *reading, const struct node *node,
                                       const char *path, uint32_t *count);
/* Memory for an array; NULL for none of them, or without memory. */
void *config_take_array(struct reading *reading, size_t count, size_t size);
/* Tells of a path that does not begin with a slash; an empty one is the bounds' affair. */
void config_require_absolute(struct reading *reading, const struct node *node, const char *path);
/* A list of networks, or none of them. */
void config_read_networks(struct reading *reading, const struct node *node, const char *path,
                          struct network **networks, uint32_t *count);
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

/* --- one file each; all take nodes that may be NULL --- */

void config_read_settings(struct reading *reading, const struct node *root);
void config_read_access_log(struct reading *reading, const struct node *node);
void config_read_admin(struct reading *reading, const struct node *node);
void config_read_tracing(struct reading *reading, const struct node *node);
void config_read_dns(struct reading *reading, const struct node *node);
void config_read_listeners(struct reading *reading, const struct node *node);
void config_read_listener_tls(struct reading *reading, const struct node *node,
                              struct tls_listener_settings *tls);
void config_read_services(struct reading *reading, const struct node *node);
void config_read_service_tls(struct reading *reading, const struct node *node,
                             struct tls_service_settings *tls);
/* Once origins and `tls` are read: what the certificate of each has to be for. */
void config_finish_service_tls(struct reading *reading, const struct node *node,
                               struct service_settings *service);
/* Statuses and ranges; without a node those of the option's default. */
void config_read_statuses(struct reading *reading, const struct node *node, enum option_place place,
                          const char *path, struct status_set *set);
/* The same of gRPC: a bit for each enum grpc_status. */
void config_read_grpc_statuses(struct reading *reading, const struct node *node,
                               enum option_place place, const char *path, uint32_t *set);
/* The `health` of a service, with its defaults. */
void config_read_health(struct reading *reading, const struct node *node,
                        struct health_settings *health);
/* The service of this name; NULL, with an error, when there is none. */
const struct service_settings *config_find_service(struct reading *reading,
                                                   const struct node *node);
void config_read_routes(struct reading *reading, const struct node *node);
void config_read_match(struct reading *reading, const struct node *node,
                       struct route_settings *route);
void config_read_action(struct reading *reading, const struct node *node,
                        struct route_settings *route);
void config_read_split(struct reading *reading, const struct node *node,
                       struct route_settings *route);
/* Places in a request (read_sources.c). */
struct source_list {
    const char *option;
    unsigned kinds; /* bits (1 << enum source_kind) that may stand in it */
    const char *expected;
    struct request_source **sources;
    uint32_t *count;
};
/* A list of them, or one alone. */
void config_read_sources(struct reading *reading, const struct node *node,
                         const struct source_list *list);
/* The name of one whose kind is known: a cookie, header or query parameter. */
void config_read_named_source(struct reading *reading, const struct node *node,
                              const struct source_list *list, enum source_kind kind,
                              struct request_source *source);
/* Header fields or query parameters by name, with a value or true. */
void config_read_conditions(struct reading *reading, const struct node *node, const char *option,
                            struct pair_match **pairs, uint32_t *count);
/* `allow` and `deny` of a listener or route; whether there are any. */
bool config_read_doors(struct reading *reading, const struct node *node,
                       struct doors_settings *doors);
/* The same of a route, and `maintenance_pass`. */
void config_read_route_doors(struct reading *reading, const struct node *node,
                             struct route_settings *route);
void config_read_error_pages(struct reading *reading, const struct node *node,
                             struct error_pages_settings *pages);
/* After the route's action. */
void config_read_cache(struct reading *reading, const struct node *node,
                       struct route_settings *route);
void config_read_waiting_room(struct reading *reading, const struct node *node,
                              struct route_settings *route);
/* A file that belongs to the configuration, at most `most` bytes; false, with an error. */
bool config_read_own_file(struct reading *reading, const struct node *node, const char *option,
                          size_t most, struct bytes *content);
/* The `rate_limits` of a route, once its name is read. */
void config_read_rate_limits(struct reading *reading, const struct node *node,
                             struct route_settings *route);
/* What stands beside `split` in a route: sticky, salt, override, pin and ramp. */
void config_read_split_options(struct reading *reading, const struct node *node,
                               struct route_settings *route);
void config_read_header_edits(struct reading *reading, const struct node *node,
                              struct route_settings *route);
/* respond.headers, which become set edits of the answer. */
void config_read_respond_headers(struct reading *reading, const struct node *node,
                                 struct route_settings *route);
/* Refuses a route, itself without errors, that an earlier one with the same match leaves
 * nothing to. */
void config_check_conflict(struct reading *reading, const struct node *node,
                           struct route_settings *route);

/* --- warnings.c: once all is read --- */

/* Services that no route names, origins that are the gateway's own listeners. */
void config_find_warnings(struct reading *reading, const struct node *root);

/* --- read_client_limits.c --- */

void config_read_client_limits(struct reading *reading, const struct node *node);
/* Their own where they say something, else as everywhere. */
void config_read_listener_client_limits(struct reading *reading, const struct node *node,
                                        struct listener_settings *listener);
void config_read_route_client_limits(struct reading *reading, const struct node *node,
                                     struct route_settings *route);
/* Once all names are known; those of rate limits too. */
void config_finish_client_limits(struct settings *settings);

/* --- text_rules.c: what may stand in a text --- */

bool config_is_token(struct bytes text);       /* RFC 9110 section 5.6.2 */
bool config_is_field_value(struct bytes text); /* RFC 9110 section 5.5 */
bool config_is_visible(struct bytes text);     /* not empty, printable ASCII without spaces */
bool config_is_name(struct bytes text);        /* of a service or route */
bool config_is_host_name(struct bytes text);   /* DNS name, not an address */
/* Lower case, in place. */
void config_to_lower(struct bytes text);
/* The normal form of a path (RFC 3986 section 6.2.2) into `out`, which has room for three
 * times its length. False for what has none: not starting with '/', a bad escape or %00, '?' or
 * '#', or climbing above the root. */
bool config_normal_path(struct bytes path, char *out, size_t *length);

#endif
