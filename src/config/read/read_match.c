/* SPDX-License-Identifier: BSD-2-Clause */
/* A route's `match`: every text in the form in which requests will be compared with it. */
#include "config/read/reading.h"
#include "config/yaml/foreign_syntax.h"

#include <ctype.h>
#include <stdio.h>

static bool is_bracketed_ip(struct bytes text)
{
    struct ip ip;

    return text.length > 2 && text.at[0] == '[' && text.at[text.length - 1] == ']' &&
           ip_parse((struct bytes){text.at + 1, text.length - 2}, &ip);
}

static bool is_host(struct bytes text)
{
    struct ip ip;

    return config_is_host_name(text) || is_bracketed_ip(text) ||
           (memchr(text.at, ':', text.length) == NULL && ip_parse(text, &ip));
}

static const char *host_remedy(struct bytes text)
{
    size_t i;

    /* "www.*" is none: its writer thinks of a wildcard. */
    if (config_looks_like_regex(text) && strcspn(text.at, "^~$\\[(+|") < text.length) {
        return "; regular expressions are not supported: list the hosts, or use \"*.example.com\"";
    }
    if (memmem(text.at, text.length, "://", 3) != NULL) {
        return "; leave the scheme out";
    }
    for (i = 0; i < text.length; i++) {
        if ((unsigned char)text.at[i] >= 0x80) {
            return "; write it in its xn-- form";
        }
    }
    if (memchr(text.at, ':', text.length) != NULL) {
        return "; leave the port out, and use match.listener to limit the route to one";
    }
    if (memchr(text.at, '*', text.length) != NULL) {
        return "; a '*' may stand only for the first labels";
    }
    return "";
}

void config_read_host(struct reading *reading, const struct node *node, void *at)
{
    struct host_pattern *host = at;
    struct bytes text = node->text;

    if (bytes_equal(text, BYTES("*"))) {
        host->kind = HOST_ANY;
        return;
    }
    if (text.length > 1 && text.at[text.length - 1] == '.') {
        text.length--; /* the root's dot, which requests are compared without too */
    }
    host->kind = bytes_start_with(text, BYTES("*.")) ? HOST_SUFFIX : HOST_EXACT;
    if (host->kind == HOST_SUFFIX ? !config_is_host_name(bytes_skip(text, 2)) : !is_host(text)) {
        READING_ERROR(reading, node, "'match.host' expects %s, not '%s'%s",
                      reading->option->expects, config_show(text).text, host_remedy(text));
        return;
    }
    host->text = config_keep(reading, host->kind == HOST_SUFFIX ? bytes_skip(text, 1) : text);
    config_to_lower(host->text);
}

#define NO_REGEX \
    "; regular expressions are not supported: use match.path for one path, match.path_prefix for " \
    "all below one"

/* It is a path, and will match what is spelled so. */
static void warn_of_pattern(struct reading *reading, const struct node *node, const char *option,
                            struct bytes path)
{
    if (config_looks_like_regex(path)) {
        READING_WARNING(reading, node, "'%s' matches '%s' letter by letter" NO_REGEX, option,
                        config_show(path).text);
    } else if (path.length > 1 && path.at[path.length - 1] == '*') {
        READING_WARNING(reading, node,
                        "'%s' matches a path that ends with a '*': it stands for itself; use "
                        "match.path_prefix without it for all paths below one",
                        option);
    }
}

static void report_bad_path(struct reading *reading, const struct node *node, const char *option)
{
    READING_ERROR(reading, node,
                  "'%s' expects a path that starts with '/', without '?', '#' and bad escapes, "
                  "not '%s'%s",
                  option, config_show(node->text).text,
                  config_looks_like_regex(node->text) ? NO_REGEX : "");
}

/* What the path guard would refuse each request for, since it can be read in another way. An escaped
 * "%" is no such thing: it stays one. */
static const char *find_doubtful(struct bytes path)
{
    static const char *const doubtful[] = {";", "\\", "%2F", "%5C", "%3B", "%3F", "%23"};

    for (size_t i = 0; i < sizeof(doubtful) / sizeof(doubtful[0]); i++) {
        if (memmem(path.at, path.length, doubtful[i], strlen(doubtful[i])) != NULL) {
            return doubtful[i];
        }
    }
    return NULL;
}

static void check_doubtful(struct reading *reading, const struct node *node, const char *option,
                           const struct route_settings *route)
{
    const char *found = find_doubtful(route->path);

    if (found != NULL && route->path_guard == PATH_GUARD_ON) {
        READING_ERROR(reading, node,
                      "'%s' holds '%s', which origins read in several ways, so that the path guard "
                      "would refuse its requests; leave it out, or write 'path_guard: off' on this "
                      "route (doc/PATHS.md)",
                      option, found);
    }
}

/* Refused, not changed: what stands in the file is what requests are compared with. */
static void read_path(struct reading *reading, const struct node *node, const char *option,
                      struct route_settings *route)
{
    struct bytes text;
    struct bytes normal;

    if (!config_read_text(reading, node, option, "a path such as /v1/", &text)) {
        return;
    }
    if (!config_normal_form(reading, text, &normal)) {
        report_bad_path(reading, node, option);
    } else if (!bytes_equal(text, normal)) {
        READING_ERROR(reading, node, "'%s' must be in normal form: write '%s'", option,
                      config_show(normal).text);
    } else {
        warn_of_pattern(reading, node, option, text);
        route->path = config_keep(reading, text);
        check_doubtful(reading, node, option, route);
    }
}

static void read_paths(struct reading *reading, const struct node *match,
                       struct route_settings *route)
{
    const struct node *exact = config_node_child(match, "path");
    const struct node *prefix = config_node_child(match, "path_prefix");

    if (exact != NULL && prefix != NULL) {
        READING_ERROR(reading, prefix->key,
                      "a route matches 'path' or 'path_prefix', not both ('path' is on %s)",
                      config_line(reading, exact).text);
    }
    if (exact != NULL) {
        route->path_kind = PATH_EXACT;
        read_path(reading, exact, "match.path", route);
    } else if (prefix != NULL) {
        route->path_kind = PATH_PREFIX;
        read_path(reading, prefix, "match.path_prefix", route);
    }
}

/* --- gRPC ------------------------------------------------------------------------------ */

/* What service and method are made of: no '/', and nothing that a path would need escapes for. */
bool config_is_grpc_name(struct bytes text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.at[i];

        if (!isalnum(byte) && strchr("._-", byte) == NULL) {
            return false;
        }
    }
    return text.length > 0 && text.at[0] != '.';
}

/* "/service/" or "/service/method". */
static void put_grpc_path(struct reading *reading, struct bytes service, struct bytes method,
                          struct route_settings *route)
{
    size_t length = service.length + method.length + 2;
    char *room = arena_take(reading->arena, length + 1);

    if (room == NULL) {
        return;
    }
    snprintf(room, length + 1, "/%.*s/%.*s", (int)service.length, service.at, (int)method.length,
             method.length > 0 ? method.at : "");
    route->path_kind = method.length > 0 ? PATH_EXACT : PATH_PREFIX;
    route->path = (struct bytes){room, length};
}

static struct bytes grpc_name_of(const struct node *node)
{
    return node != NULL && node->kind == NODE_TEXT && config_is_grpc_name(node->text)
               ? node->text
               : (struct bytes){0};
}

static void check_grpc(struct reading *reading, const struct node *match,
                       struct route_settings *route)
{
    const struct node *node = config_node_child(match, "grpc");
    const struct node *method = config_node_child(node, "method");
    struct bytes service_name = grpc_name_of(config_node_child(node, "service"));
    struct bytes method_name = grpc_name_of(method);

    route->needs_grpc = true;
    if (config_node_child(match, "path") != NULL ||
        config_node_child(match, "path_prefix") != NULL) {
        READING_ERROR(reading, node->key,
                      "a route matches 'grpc' or a path, not both: the path is /service/method");
    } else if (config_node_child(node, "service") == NULL && method != NULL) {
        READING_ERROR(
            reading, method,
            "'match.grpc.method' needs 'match.grpc.service': a method is one of a service");
    } else if (service_name.length > 0 && (method == NULL || method_name.length > 0)) {
        put_grpc_path(reading, service_name, method_name, route);
    }
}

/* --- the rest -------------------------------------------------------------------------- */

/* A common method in small letters, which would never match. */
static const char *meant_method(struct bytes text)
{
    static const char *const common[] = {"GET",     "HEAD",  "POST",  "PUT", "DELETE",
                                         "OPTIONS", "TRACE", "PATCH", NULL};
    size_t i;

    for (i = 0; common[i] != NULL; i++) {
        if (bytes_equal_fold(text, bytes_of(common[i])) &&
            !bytes_equal(text, bytes_of(common[i]))) {
            return common[i];
        }
    }
    return NULL;
}

void config_read_method(struct reading *reading, const struct node *node, void *method)
{
    const char *meant = meant_method(node->text);

    if (meant != NULL) {
        READING_ERROR(reading, node, "methods are compared with case: write '%s', not '%s'", meant,
                      config_show(node->text).text);
    } else if (bytes_equal_fold(node->text, BYTES("CONNECT"))) {
        READING_ERROR(reading, node, "CONNECT is always refused, so no route can match it");
    } else if (!config_is_token(node->text)) {
        config_refuse_text(reading, node, "");
    } else {
        config_read_kept(reading, node, method);
    }
}

static bool is_query_part(struct bytes text, const char *never)
{
    size_t i;

    for (i = 0; i < text.length; i++) {
        if (strchr(never, text.at[i]) != NULL) {
            return false;
        }
    }
    return text.length == 0 || config_is_visible(text);
}

static bool accept_condition(struct reading *reading, const struct node *node, const char *option,
                             bool is_header)
{
    struct bytes name = node->key->text;

    if (is_header ? !config_is_token(name) : name.length == 0 || !is_query_part(name, "&=#")) {
        READING_ERROR(reading, node->key, "'%s': '%s' is no %s", option, config_show(name).text,
                      is_header ? "header name" : "parameter name as it stands in a URI");
        return false;
    }
    if (is_header ? !config_is_field_value(node->text) : !is_query_part(node->text, "&#")) {
        READING_ERROR(reading, node, "'%s': '%s' cannot occur as a value%s", option,
                      config_show(node->text).text,
                      is_header ? "" : "; write it as it stands in a URI");
        return false;
    }
    return true;
}

void config_read_condition(struct reading *reading, const struct node *node, void *at)
{
    const char *option = reading->option->path;
    bool is_header = strcmp(option, "match.query") != 0;
    struct pair_match *pair = at;
    struct bytes text;

    if (!config_read_text(reading, node, option, "a value, or true for any", &text) ||
        !accept_condition(reading, node, option, is_header)) {
        return;
    }
    pair->name = config_keep(reading, node->key->text);
    if (is_header) {
        config_to_lower(pair->name);
    }
    if (node->plain && bytes_equal(text, BYTES("false"))) {
        READING_ERROR(reading, node,
                      "'%s' cannot ask for absence; for the text itself write \"false\" in quotes",
                      option);
    } else if (node->plain && bytes_equal(text, BYTES("true"))) {
        pair->present_only = true;
    } else {
        pair->value = config_keep(reading, is_header ? bytes_trim(text) : text);
    }
}

/* Any spelling of the address will do; kept is the listener's own. */
void config_read_listener_name(struct reading *reading, const struct node *node, void *at)
{
    const char **name = at;
    const struct settings *settings = reading->settings;
    char standard[ADDRESS_TEXT_MAX];
    const struct node *listener = NULL;
    struct address address;

    if (address_parse(node->text, &address)) {
        size_t length = address_format(&address, standard);

        listener = config_names_find(&reading->listeners, (struct bytes){standard, length});
    }
    if (listener != NULL) {
        *name = config_keep(reading, listener->text).at;
    } else if (!reading->listeners_unsure && settings->listener_count > 0) {
        config_report_unknown_name(reading, node, "there is no listener with the address",
                                   settings->listeners, settings->listener_count,
                                   sizeof(*settings->listeners),
                                   offsetof(struct listener_settings, name));
    }
}

void config_check_certificate(struct reading *reading, const struct node *node, void *at)
{
    struct route_settings *route = at;

    (void)reading;
    (void)node;
    route->needs_certificate = true;
}

void config_check_match(struct reading *reading, const struct node *node, void *at)
{
    struct route_settings *route = at;

    read_paths(reading, node, route);
    if (config_node_child(node, "grpc") != NULL) {
        check_grpc(reading, node, route);
    }
}
