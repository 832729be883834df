/* SPDX-License-Identifier: BSD-2-Clause */
/* Two routes with the same match: the later one could never win, and its author does not
 * know. Each match becomes a text, each host of it a key in one map: no pair of routes is
 * ever compared with another. */
#include "config/read/reading.h"

#include <stdio.h>
#include <stdlib.h>

static int compare_bytes(struct bytes a, struct bytes b)
{
    size_t shorter = a.length < b.length ? a.length : b.length;
    int order = shorter > 0 ? memcmp(a.at, b.at, shorter) : 0;

    return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

static int compare_methods(const void *a, const void *b)
{
    return compare_bytes(*(const struct bytes *)a, *(const struct bytes *)b);
}

static int compare_pairs(const void *a, const void *b)
{
    const struct pair_match *left = a;
    const struct pair_match *right = b;
    int order = compare_bytes(left->name, right->name);

    return order != 0 ? order : compare_bytes(left->value, right->value);
}

static int compare_listeners(const void *a, const void *b)
{
    const char *const *left = a;
    const char *const *right = b;

    return strcmp(*left, *right);
}

static void sort(void *rows, size_t count, size_t size, int (*compare)(const void *, const void *))
{
    if (count > 1) {
        qsort(rows, count, size, compare);
    }
}

/* Order means nothing within these, so they may be sorted where they are. */
static void sort_parts(struct route_settings *route)
{
    sort(route->methods, route->method_count, sizeof(*route->methods), compare_methods);
    sort(route->headers, route->header_count, sizeof(*route->headers), compare_pairs);
    sort(route->query, route->query_count, sizeof(*route->query), compare_pairs);
    sort(route->listeners, route->listener_count, sizeof(*route->listeners), compare_listeners);
}

/* Between the parts stand control characters, which none of them may hold. */
static void put(FILE *out, char mark, struct bytes text)
{
    fputc(mark, out);
    fwrite(text.at != NULL ? text.at : "", 1, text.length, out);
}

static void put_pairs(FILE *out, char mark, const struct pair_match *pairs, uint32_t count)
{
    uint32_t i;

    for (i = 0; i < count; i++) {
        put(out, mark, pairs[i].name);
        put(out, pairs[i].present_only ? '\6' : '\7', pairs[i].value);
    }
}

static void put_rest(FILE *out, const struct route_settings *route)
{
    uint32_t i;

    put(out, (char)('0' + route->path_kind), route->path);
    for (i = 0; i < route->method_count; i++) {
        put(out, '\1', route->methods[i]);
    }
    put_pairs(out, '\2', route->headers, route->header_count);
    put_pairs(out, '\3', route->query, route->query_count);
    if (route->needs_grpc) {
        put(out, '\13', BYTES(""));
    }
    if (route->needs_certificate) {
        put(out, '\10', route->certificate_subject);
    }
    for (i = 0; i < route->certificate_name_count; i++) {
        put(out, '\11', route->certificate_names[i]);
    }
    for (i = 0; i < route->listener_count; i++) {
        put(out, '\4', bytes_of(route->listeners[i]));
    }
}

/* All of the match but its hosts, as one text in the scratch arena. */
static struct bytes describe_rest(struct reading *reading, const struct route_settings *route)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    struct bytes kept;

    if (out == NULL) {
        return (struct bytes){NULL, 0};
    }
    put_rest(out, route);
    fclose(out);
    kept = (struct bytes){arena_copy(reading->scratch, (struct bytes){text, length}), length};
    free(text);
    return kept;
}

/* The first route with this match for this host; this one becomes it when there is none. */
static const struct node *first_with(struct reading *reading, uintptr_t rest, struct bytes host,
                                     const struct node *node)
{
    char *key = arena_take(reading->scratch, sizeof(rest) + host.length + 1);

    if (key == NULL) {
        return NULL;
    }
    memcpy(key, &rest, sizeof(rest));
    if (host.length > 0) {
        memcpy(key + sizeof(rest), host.at, host.length);
    }
    return config_names_add(&reading->matches, (struct bytes){key, sizeof(rest) + host.length},
                            node);
}

static bool report_conflict(struct reading *reading, const struct node *node,
                            const struct node *first, struct bytes host)
{
    const struct node *match = config_node_child(node, "match");

    if (first == NULL || first == node) {
        return false;
    }
    READING_ERROR(reading, match != NULL ? match->key : node,
                  "this route can never win%s%s: the one on %s has the same match and comes "
                  "first",
                  host.length > 0 ? " for host " : "", config_show(host).text,
                  config_line(reading, first).text);
    return true;
}

void config_check_conflict(struct reading *reading, const struct node *node,
                           struct route_settings *route)
{
    static const struct bytes any_host = {"", 0};
    struct bytes rest_text;
    const void *rest;
    uint32_t i;

    sort_parts(route);
    rest_text = describe_rest(reading, route);
    if (rest_text.at == NULL) {
        return;
    }
    rest = config_names_add(&reading->match_rests, rest_text, node);
    rest = rest != NULL ? rest : node; /* stands for this text from now on */
    if (route->host_count == 0) {
        report_conflict(reading, node, first_with(reading, (uintptr_t)rest, any_host, node),
                        any_host);
    }
    for (i = 0; i < route->host_count; i++) {
        struct bytes host = route->hosts[i].text;

        if (report_conflict(reading, node, first_with(reading, (uintptr_t)rest, host, node),
                            host)) {
            return;
        }
    }
}
