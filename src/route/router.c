/* SPDX-License-Identifier: BSD-2-Clause */
/* One hash table of (host set, kind of path, path) to candidates in order of preference.
 * Hosts map to host sets through a second table. Prefixes are looked up by length, the longest
 * first, with hashes gathered in one pass over the path. */
#include "route/router.h"

#include "base/hash.h"
#include "http/grpc.h"
#include "http/uri.h"

#include <stdlib.h>

#define HOST_SET_ANY 0
#define HOST_BYTES_MAX 255
#define PREFIXES_A_PASS 64

struct candidate {
    uint32_t host_set;
    enum path_match kind;
    struct bytes path;
    uint32_t conditions;
    const struct route_settings *route;
};

struct cell { /* of the path table: a run of candidates */
    uint32_t first;
    uint32_t count; /* 0: empty cell */
};

struct host_cell {
    struct bytes text; /* suffixes keep their dot, so they never equal a host */
    uint32_t host_set; /* HOST_SET_ANY: empty cell */
};

struct host_set {
    struct cell any;          /* candidates for any path; they are in no table */
    uint64_t exact_lengths;   /* a bit for each length, modulo 64, of a path to match as a whole */
    uint32_t *prefix_lengths; /* longest first */
    uint32_t prefix_length_count;
};

struct router {
    struct candidate *candidates;
    uint32_t candidate_count;
    struct cell *cells;
    uint32_t cell_mask;
    struct host_cell *hosts;
    uint32_t host_mask;
    struct host_set *host_sets;
    uint32_t host_set_count;
    bool only_any_host;
};

/* FNV-1a is weak in its low bits after few bytes; the set and the kind are mixed in last. */
static uint64_t finish_hash(uint64_t hash, uint32_t host_set, enum path_match kind)
{
    hash ^= (uint64_t)host_set * 0x9E3779B97F4A7C15u + (uint64_t)kind * 0xC2B2AE3D27D4EB4Fu;
    hash ^= hash >> 29;
    hash *= 0xBF58476D1CE4E5B9u;
    return hash ^ (hash >> 32);
}

static uint32_t table_size_for(uint32_t entries)
{
    uint32_t size = 16;

    while (size < entries * 2) {
        size *= 2;
    }
    return size;
}

/* --- building -------------------------------------------------------------------------- */

static struct host_cell *host_cell_for(const struct router *router, struct bytes text)
{
    uint64_t at = finish_hash(hash_more(HASH_START, text), 0, PATH_ANY);

    for (;; at++) {
        struct host_cell *cell = &router->hosts[at & router->host_mask];

        if (cell->host_set == HOST_SET_ANY || bytes_equal(cell->text, text)) {
            return cell;
        }
    }
}

static uint32_t host_set_of(struct router *router, const struct host_pattern *pattern)
{
    struct host_cell *cell;

    if (pattern == NULL || pattern->kind == HOST_ANY) {
        return HOST_SET_ANY;
    }
    router->only_any_host = false;
    cell = host_cell_for(router, pattern->text);
    if (cell->host_set == HOST_SET_ANY) {
        cell->text = pattern->text;
        cell->host_set = router->host_set_count++;
    }
    return cell->host_set;
}

uint32_t router_conditions(const struct route_settings *route)
{
    return route->needs_grpc + (route->method_count > 0) + (route->listener_count > 0) +
           route->header_count + route->query_count + route->needs_certificate +
           (route->certificate_subject.length > 0) + (route->certificate_name_count > 0);
}

static void add_candidate(struct router *router, const struct route_settings *route,
                          const struct host_pattern *host)
{
    /* Every path begins with a slash. */
    bool any_path = route->path_kind == PATH_ANY ||
                    (route->path_kind == PATH_PREFIX && route->path.length == 1);

    router->candidates[router->candidate_count++] = (struct candidate){
        .host_set = host_set_of(router, host),
        .kind = any_path ? PATH_ANY : route->path_kind,
        .path = any_path ? (struct bytes){0} : route->path,
        .conditions = router_conditions(route),
        .route = route,
    };
}

static int compare_bytes(struct bytes a, struct bytes b)
{
    size_t least = a.length < b.length ? a.length : b.length;
    int order = least > 0 ? memcmp(a.at, b.at, least) : 0;

    return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

static int compare_keys(const struct candidate *a, const struct candidate *b)
{
    if (a->host_set != b->host_set) {
        return a->host_set < b->host_set ? -1 : 1;
    }
    if (a->kind != b->kind) {
        return a->kind < b->kind ? -1 : 1;
    }
    return compare_bytes(a->path, b->path);
}

static int compare_candidates(const void *left, const void *right)
{
    const struct candidate *a = left;
    const struct candidate *b = right;
    int order = compare_keys(a, b);

    if (order != 0) {
        return order;
    }
    if (a->conditions != b->conditions) {
        return a->conditions > b->conditions ? -1 : 1;
    }
    return a->route->index < b->route->index ? -1 : 1;
}

/* The place of the run that begins with `head`. */
static struct cell *cell_for(struct router *router, const struct candidate *head)
{
    uint64_t at = finish_hash(hash_more(HASH_START, head->path), head->host_set, head->kind);

    if (head->kind == PATH_ANY) {
        return &router->host_sets[head->host_set].any;
    }
    while (router->cells[at & router->cell_mask].count != 0) {
        at++;
    }
    return &router->cells[at & router->cell_mask];
}

static void fill_cells(struct router *router)
{
    uint32_t first = 0;

    while (first < router->candidate_count) {
        const struct candidate *head = &router->candidates[first];
        uint32_t end = first + 1;

        while (end < router->candidate_count && compare_keys(head, &router->candidates[end]) == 0) {
            end++;
        }
        *cell_for(router, head) = (struct cell){first, end - first};
        first = end;
    }
}

static int compare_lengths(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;

    return (a < b) - (a > b);
}

static bool note_prefix_length(struct host_set *set, uint32_t length)
{
    uint32_t *more;

    for (uint32_t i = 0; i < set->prefix_length_count; i++) {
        if (set->prefix_lengths[i] == length) {
            return true;
        }
    }
    more = realloc(set->prefix_lengths, (set->prefix_length_count + 1) * sizeof(*more));
    if (more == NULL) {
        return false;
    }
    more[set->prefix_length_count++] = length;
    set->prefix_lengths = more;
    return true;
}

static uint64_t length_bit(size_t length)
{
    return UINT64_C(1) << (length & 63);
}

static bool note_length(struct router *router, const struct candidate *candidate)
{
    struct host_set *set = &router->host_sets[candidate->host_set];

    if (candidate->kind == PATH_EXACT) {
        set->exact_lengths |= length_bit(candidate->path.length);
    }
    return candidate->kind != PATH_PREFIX ||
           note_prefix_length(set, (uint32_t)candidate->path.length);
}

static bool collect_lengths(struct router *router)
{
    for (uint32_t i = 0; i < router->candidate_count; i++) {
        if (!note_length(router, &router->candidates[i])) {
            return false;
        }
    }
    for (uint32_t i = 0; i < router->host_set_count; i++) {
        struct host_set *set = &router->host_sets[i];

        if (set->prefix_length_count > 1) {
            qsort(set->prefix_lengths, set->prefix_length_count, sizeof(uint32_t), compare_lengths);
        }
    }
    return true;
}

static uint32_t count_candidates(const struct settings *settings)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < settings->route_count; i++) {
        count += settings->routes[i].host_count > 0 ? settings->routes[i].host_count : 1;
    }
    return count;
}

static bool allocate(struct router *router, uint32_t entries)
{
    uint32_t size = table_size_for(entries);

    router->cell_mask = size - 1;
    router->host_mask = size - 1;
    router->candidates = calloc(entries, sizeof(*router->candidates));
    router->cells = calloc(size, sizeof(*router->cells));
    router->hosts = calloc(size, sizeof(*router->hosts));
    router->host_sets = calloc(entries + 1, sizeof(*router->host_sets));
    return router->candidates != NULL && router->cells != NULL && router->hosts != NULL &&
           router->host_sets != NULL;
}

static void add_route(struct router *router, const struct route_settings *route)
{
    if (route->host_count == 0) {
        add_candidate(router, route, NULL);
    }
    for (uint32_t i = 0; i < route->host_count; i++) {
        add_candidate(router, route, &route->hosts[i]);
    }
}

struct router *router_new(const struct settings *settings)
{
    struct router *router = calloc(1, sizeof(*router));

    if (router == NULL) {
        return NULL;
    }
    router->host_set_count = 1;
    router->only_any_host = true;
    if (!allocate(router, count_candidates(settings) + 1)) {
        router_free(&router);
        return NULL;
    }
    for (uint32_t i = 0; i < settings->route_count; i++) {
        add_route(router, &settings->routes[i]);
    }
    qsort(router->candidates, router->candidate_count, sizeof(*router->candidates),
          compare_candidates);
    fill_cells(router);
    if (!collect_lengths(router)) {
        router_free(&router);
    }
    return router;
}

void router_free(struct router **router)
{
    if (*router == NULL) {
        return;
    }
    for (uint32_t i = 0; (*router)->host_sets != NULL && i < (*router)->host_set_count; i++) {
        free((*router)->host_sets[i].prefix_lengths);
    }
    free((*router)->host_sets);
    free((*router)->hosts);
    free((*router)->cells);
    free((*router)->candidates);
    free(*router);
    *router = NULL;
}

/* --- finding --------------------------------------------------------------------------- */

static bool method_fits(const struct route_settings *route, struct bytes method)
{
    for (uint32_t i = 0; i < route->method_count; i++) {
        if (bytes_equal(route->methods[i], method)) {
            return true;
        }
    }
    return route->method_count == 0;
}

static bool is_grpc(const struct http_request *request)
{
    const struct http_header *type = http_find(&request->headers, HTTP_HEADER_CONTENT_TYPE);

    return request->method == HTTP_POST && type != NULL &&
           grpc_is_content_type(http_header_value(type));
}

/* A header may come in several lines; one that fits is enough. */
static bool header_fits(const struct pair_match *wanted, const struct http_headers *headers)
{
    for (uint32_t i = 0; i < headers->count; i++) {
        const struct http_header *row = &headers->rows[i];

        if (bytes_equal_fold(http_header_name(row), wanted->name) &&
            (wanted->present_only || bytes_equal(http_header_value(row), wanted->value))) {
            return true;
        }
    }
    return false;
}

static bool query_fits(const struct pair_match *wanted, struct bytes query)
{
    struct bytes value;

    return uri_query_value(query, wanted->name, &value) &&
           (wanted->present_only || bytes_equal(value, wanted->value));
}

static bool name_fits(const struct route_settings *route, struct bytes name)
{
    for (uint32_t i = 0; i < route->certificate_name_count; i++) {
        if (bytes_equal(route->certificate_names[i], name)) {
            return true;
        }
    }
    return false;
}

static bool certificate_fits(const struct route_settings *route, const struct tls_facts *tls)
{
    bool fits = route->certificate_name_count == 0;

    if (tls == NULL || tls->client == NULL ||
        (route->certificate_subject.length > 0 &&
         !bytes_equal(route->certificate_subject, tls->client->subject))) {
        return false;
    }
    for (uint32_t i = 0; !fits && i < tls->client->name_count; i++) {
        fits = name_fits(route, tls->client->names[i]);
    }
    return fits;
}

struct router_unmet router_first_unmet(const struct route_settings *route,
                                       const struct http_request *request, const char *listener,
                                       const struct tls_facts *tls)
{
    if (route->needs_certificate && !certificate_fits(route, tls)) {
        return (struct router_unmet){ROUTER_UNMET_CERTIFICATE, NULL};
    }
    if (route->needs_grpc && !is_grpc(request)) {
        return (struct router_unmet){ROUTER_UNMET_GRPC, NULL};
    }
    if (!method_fits(route, request->method_text)) {
        return (struct router_unmet){ROUTER_UNMET_METHOD, NULL};
    }
    if (!route_takes_listener(route, listener)) {
        return (struct router_unmet){ROUTER_UNMET_LISTENER, NULL};
    }
    for (uint32_t i = 0; i < route->header_count; i++) {
        if (!header_fits(&route->headers[i], &request->headers)) {
            return (struct router_unmet){ROUTER_UNMET_HEADER, &route->headers[i]};
        }
    }
    for (uint32_t i = 0; i < route->query_count; i++) {
        if (!query_fits(&route->query[i], request->query)) {
            return (struct router_unmet){ROUTER_UNMET_QUERY, &route->query[i]};
        }
    }
    return (struct router_unmet){ROUTER_UNMET_NONE, NULL};
}

static bool conditions_fit(const struct route_settings *route, const struct http_request *request,
                           const char *listener, const struct tls_facts *tls)
{
    return router_first_unmet(route, request, listener, tls).kind == ROUTER_UNMET_NONE;
}

struct search {
    const struct router *router;
    const struct http_request *request;
    const char *listener;
    const struct tls_facts *tls;
    struct bytes path;
    struct router_memory *memory; /* NULL: this is the only look-up */
};

static bool remembered_fits(const struct search *search, const struct route_settings *route)
{
    struct router_memory *memory = search->memory;
    bool fits;

    for (uint32_t i = 0; i < memory->condition_count; i++) {
        if (memory->conditions[i].route == route) {
            return memory->conditions[i].fits;
        }
    }
    fits = conditions_fit(route, search->request, search->listener, search->tls);
    if (memory->condition_count < ROUTER_CONDITIONS_MOST) {
        memory->conditions[memory->condition_count].route = route;
        memory->conditions[memory->condition_count++].fits = fits;
    }
    return fits;
}

static bool fits_besides_path(const struct search *search, const struct candidate *candidate)
{
    if (candidate->conditions == 0) {
        return true;
    }
    return search->memory != NULL
               ? remembered_fits(search, candidate->route)
               : conditions_fit(candidate->route, search->request, search->listener, search->tls);
}

/* Of candidates alike in host and path. */
static const struct route_settings *find_fitting(const struct search *search,
                                                 const struct cell *cell)
{
    for (uint32_t i = 0; i < cell->count; i++) {
        const struct candidate *candidate = &search->router->candidates[cell->first + i];

        if (fits_besides_path(search, candidate)) {
            return candidate->route;
        }
    }
    return NULL;
}

static const struct route_settings *find_in_cell(const struct search *search, uint32_t host_set,
                                                 enum path_match kind, struct bytes path,
                                                 uint64_t path_hash)
{
    const struct router *router = search->router;
    const struct candidate wanted = {.host_set = host_set, .kind = kind, .path = path};

    for (uint64_t at = finish_hash(path_hash, host_set, kind);; at++) {
        const struct cell *cell = &router->cells[at & router->cell_mask];

        if (cell->count == 0) {
            return NULL;
        }
        if (compare_keys(&router->candidates[cell->first], &wanted) == 0) {
            return find_fitting(search, cell);
        }
    }
}

/* Looks up `count` prefixes, the longest first: their hashes are gathered in one pass. */
static const struct route_settings *find_prefixes(const struct search *search, uint32_t host_set,
                                                  const uint32_t *lengths, uint32_t count)
{
    uint64_t hashes[PREFIXES_A_PASS];
    uint64_t hash = HASH_START;
    size_t at = 0;

    for (uint32_t i = count; i-- > 0;) {
        hash = hash_more(hash, (struct bytes){search->path.at + at, lengths[i] - at});
        hashes[i] = hash;
        at = lengths[i];
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct route_settings *route = find_in_cell(
            search, host_set, PATH_PREFIX, bytes_first(search->path, lengths[i]), hashes[i]);

        if (route != NULL) {
            return route;
        }
    }
    return NULL;
}

static const struct route_settings *find_prefix(const struct search *search, uint32_t host_set)
{
    const struct host_set *set = &search->router->host_sets[host_set];
    const struct route_settings *route = NULL;
    uint32_t at = 0;

    while (at < set->prefix_length_count && set->prefix_lengths[at] > search->path.length) {
        at++;
    }
    while (route == NULL && at < set->prefix_length_count) {
        uint32_t left = set->prefix_length_count - at;
        uint32_t count = left < PREFIXES_A_PASS ? left : PREFIXES_A_PASS;

        route = find_prefixes(search, host_set, &set->prefix_lengths[at], count);
        at += count;
    }
    return route;
}

static const struct route_settings *find_path(const struct search *search, uint32_t host_set)
{
    const struct host_set *set = &search->router->host_sets[host_set];
    const struct route_settings *route = NULL;

    /* Most paths have a length that no such route has, and need not be hashed as a whole. */
    if ((set->exact_lengths & length_bit(search->path.length)) != 0) {
        route = find_in_cell(search, host_set, PATH_EXACT, search->path,
                             hash_more(HASH_START, search->path));
    }
    if (route == NULL) {
        route = find_prefix(search, host_set);
    }
    if (route == NULL) {
        route = find_fitting(search, &set->any);
    }
    return route;
}

static const struct route_settings *find_host(const struct search *search, struct bytes host)
{
    const struct host_cell *cell = host_cell_for(search->router, host);

    if (search->memory != NULL && cell->host_set != HOST_SET_ANY) {
        search->memory->host_sets[search->memory->host_count++] = cell->host_set;
        return NULL;
    }
    return cell->host_set != HOST_SET_ANY ? find_path(search, cell->host_set) : NULL;
}

static const struct route_settings *find_by_host(const struct search *search)
{
    char lower[HOST_BYTES_MAX];
    struct bytes host = search->request->host;
    const struct route_settings *route;

    if (host.length == 0 || host.length > HOST_BYTES_MAX) {
        return NULL;
    }
    memcpy(lower, host.at, host.length);
    bytes_lower(lower, host.length);
    host.at = lower;
    route = host.at[0] != '.' ? find_host(search, host) : NULL; /* no name; it would be a suffix */
    for (size_t i = 1; route == NULL && i < host.length; i++) {
        if (host.at[i] == '.') {
            route = find_host(search, bytes_skip(host, i));
        }
    }
    return route;
}

const struct route_settings *router_find(const struct router *router,
                                         const struct http_request *request, struct bytes path,
                                         const char *listener, const struct tls_facts *tls)
{
    const struct search search = {router, request, listener, tls, path, NULL};
    const struct route_settings *route = NULL;

    if (!router->only_any_host) {
        route = find_by_host(&search);
    }
    return route != NULL ? route : find_path(&search, HOST_SET_ANY);
}

void router_remember(const struct router *router, const struct http_request *request,
                     struct router_memory *memory)
{
    const struct search search = {.router = router, .request = request, .memory = memory};

    memory->host_count = 0;
    memory->condition_count = 0;
    if (!router->only_any_host) {
        find_by_host(&search); /* which only notes them */
    }
}

const struct route_settings *router_find_again(const struct router *router,
                                               const struct http_request *request,
                                               struct bytes path, const char *listener,
                                               const struct tls_facts *tls,
                                               struct router_memory *memory)
{
    const struct search search = {router, request, listener, tls, path, memory};
    const struct route_settings *route = NULL;

    for (uint32_t i = 0; route == NULL && i < memory->host_count; i++) {
        route = find_path(&search, memory->host_sets[i]);
    }
    return route != NULL ? route : find_path(&search, HOST_SET_ANY);
}
