/* SPDX-License-Identifier: BSD-2-Clause */
/* A route's request_headers and response_headers, and the headers of `respond`. What frames
 * a message or speaks about one connection only is the gateway's own, never a route's. */
#include "config/read/reading.h"

/* One of the two ways, while it is read. */
struct edited {
    const char *option; /* "request_headers", "response_headers", "respond.headers" */
    bool of_request;
    struct header_edits *edits;
};

enum edit { EDIT_REMOVE, EDIT_SET, EDIT_ADD };

static bool is_ours_alone(uint16_t id)
{
    switch (id) {
    case HTTP_HEADER_CONNECTION:
    case HTTP_HEADER_CONTENT_LENGTH:
    case HTTP_HEADER_HTTP2_SETTINGS:
    case HTTP_HEADER_KEEP_ALIVE:
    case HTTP_HEADER_PROXY_CONNECTION:
    case HTTP_HEADER_TE:
    case HTTP_HEADER_TRAILER:
    case HTTP_HEADER_TRANSFER_ENCODING:
    case HTTP_HEADER_UPGRADE:
        return true;
    default:
        return false;
    }
}

/* Fields that the gateway writes whatever stands in the message: an edit would change nothing, or
 * put a second line beside ours. */
struct written {
    uint16_t id;
    bool in_answers;
    const char *remedy;
};

#define BY_TRUST "trusted_proxies says whose lines are kept"

static const struct written written[] = {
    {HTTP_HEADER_X_FORWARDED_FOR, false, BY_TRUST},
    {HTTP_HEADER_X_FORWARDED_PROTO, false, BY_TRUST},
    {HTTP_HEADER_X_FORWARDED_HOST, false, BY_TRUST},
    {HTTP_HEADER_FORWARDED, false, BY_TRUST},
    {HTTP_HEADER_CLIENT_CERT, false, "it comes from the client's TLS certificate"},
    {HTTP_HEADER_X_REQUEST_ID, true, "request_id says whose is kept"},
    {HTTP_HEADER_VIA, true,
     "via names the gateway, and via: off in a service sends its origins none"},
};

static const char *remedy_for(const struct reading *reading, const struct edited *edited,
                              struct bytes name, uint16_t id)
{
    for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
        if (written[i].id == id && (edited->of_request || written[i].in_answers)) {
            return written[i].remedy;
        }
    }
    return edited->of_request &&
                   bytes_equal_fold(name, bytes_of(reading->settings->deadline.header))
               ? "deadline.header and timeouts.total say what origins are told"
               : NULL;
}

/* Is this name one that may be edited so? */
static bool accept_name(struct reading *reading, const struct edited *edited, enum edit edit,
                        const struct node *node, uint16_t *id)
{
    struct shown shown = config_show(node->text);
    const char *remedy;

    if (!config_is_token(node->text)) {
        READING_ERROR(reading, node, "'%s': '%s' is no header name", edited->option, shown.text);
        return false;
    }
    *id = (uint16_t)http_header_id_of(node->text.at, node->text.length);
    remedy = remedy_for(reading, edited, node->text, *id);
    if (remedy != NULL) {
        READING_ERROR(reading, node,
                      "'%s': the gateway writes '%s' itself, so an edit has no effect; %s",
                      edited->option, shown.text, remedy);
        return false;
    }
    if (is_ours_alone(*id)) {
        READING_ERROR(reading, node,
                      "'%s': '%s' belongs to the connection, which the gateway alone frames",
                      edited->option, shown.text);
        return false;
    }
    if (*id == HTTP_HEADER_HOST && (!edited->of_request || edit != EDIT_SET)) {
        READING_ERROR(reading, node, "'%s': Host may only be set, and only in request_headers",
                      edited->option);
        return false;
    }
    return true;
}

static bool is_authority(struct bytes text)
{
    return config_is_visible(text) && strpbrk(text.at, "/?#@\\\"<>{}|^`,") == NULL;
}

static bool accept_value(struct reading *reading, const struct edited *edited,
                         const struct node *node, uint16_t id)
{
    struct bytes text;

    if (!config_read_text(reading, node, edited->option, "a text for each header name", &text)) {
        return false;
    }
    if (!config_is_field_value(text)) {
        READING_ERROR(reading, node,
                      "'%s': the value of '%s' must not hold line breaks or other control "
                      "characters",
                      edited->option, config_show(node->key->text).text);
        return false;
    }
    if (id == HTTP_HEADER_HOST && !is_authority(text)) {
        READING_ERROR(reading, node, "'%s': Host expects a host or host:port, not '%s'",
                      edited->option, config_show(text).text);
        return false;
    }
    return true;
}

static void read_edit(struct reading *reading, const struct edited *edited, enum edit edit,
                      const struct node *node, struct header_edit *row)
{
    if (accept_name(reading, edited, edit, node->key, &row->id) &&
        accept_value(reading, edited, node, row->id)) {
        row->name = config_keep(reading, node->key->text);
        row->value = config_keep(reading, bytes_trim(node->text));
    }
}

static void report_not_a_mapping(struct reading *reading, const struct edited *edited,
                                 const struct node *node)
{
    if (node->kind != NODE_BROKEN) {
        READING_ERROR(reading, node,
                      "'%s' expects a mapping of header names to values here, not %s",
                      edited->option, config_node_kind(node));
    }
}

/* Appends the rows of one mapping to an array that has room for them. */
static void read_rows(struct reading *reading, const struct edited *edited, enum edit edit,
                      const struct node *map, struct header_edit *rows, uint32_t *count)
{
    const struct node *member;

    for (member = map->first; member != NULL; member = member->next) {
        read_edit(reading, edited, edit, member, &rows[(*count)++]);
    }
}

/* Mappings keep X-A and x-a apart; header names do not. */
static void refuse_set_twice(struct reading *reading, const struct edited *edited,
                             const struct node *node)
{
    struct names seen;
    const struct node *member;

    config_names_init(&seen, reading->scratch);
    for (member = node->first; member != NULL; member = member->next) {
        struct bytes name = member->key->text;
        const struct node *first;

        name.at = arena_copy(reading->scratch, name);
        if (name.at == NULL) {
            return;
        }
        config_to_lower(name);
        first = config_names_add(&seen, name, member->key);
        if (first != NULL) {
            READING_ERROR(reading, member->key, "'%s' sets '%s' twice, first on %s", edited->option,
                          config_show(member->key->text).text, config_line(reading, first).text);
        }
    }
}

/* What the row that is being read edits. */
static struct edited edited_now(const struct reading *reading)
{
    struct route_settings *route = reading->route;
    const char *path = reading->option->path;

    return bytes_start_with(bytes_of(path), BYTES("request_headers"))
               ? (struct edited){"request_headers", true, &route->request_headers}
           : bytes_start_with(bytes_of(path), BYTES("response_headers"))
               ? (struct edited){"response_headers", false, &route->response_headers}
               : (struct edited){path, false, &route->response_headers};
}

void config_read_header_set(struct reading *reading, const struct node *node, void *at)
{
    const struct edited edited = edited_now(reading);
    struct header_edits *edits = edited.edits;
    struct header_edit *rows;

    (void)at;
    if (node->kind != NODE_MAP) {
        report_not_a_mapping(reading, &edited, node);
        return;
    }
    rows = config_take_array(reading, edits->set_count + (size_t)node->count, sizeof(*rows));
    if (rows == NULL) {
        return;
    }
    if (edits->set_count > 0) { /* those of respond.headers */
        memcpy(rows, edits->set, edits->set_count * sizeof(*rows));
    }
    edits->set = rows;
    refuse_set_twice(reading, &edited, node);
    read_rows(reading, &edited, EDIT_SET, node, rows, &edits->set_count);
}

static uint32_t count_rows(const struct node *node)
{
    const struct node *member;
    uint32_t count = 0;

    if (node->kind == NODE_MAP) {
        return node->count;
    }
    for (member = node->first; member != NULL; member = member->next) {
        count += member->kind == NODE_MAP ? member->count : 0;
    }
    return count;
}

void config_read_header_add(struct reading *reading, const struct node *node, void *at)
{
    const struct edited edited = edited_now(reading);
    struct header_edits *edits = edited.edits;
    bool is_list = node->kind == NODE_LIST;
    const struct node *member = is_list ? node->first : node;

    (void)at;
    edits->add = config_take_array(reading, count_rows(node), sizeof(*edits->add));
    for (; member != NULL; member = is_list ? member->next : NULL) {
        if (member->kind == NODE_MAP) {
            read_rows(reading, &edited, EDIT_ADD, member, edits->add, &edits->add_count);
        } else {
            report_not_a_mapping(reading, &edited, member);
        }
    }
}

void config_read_header_remove(struct reading *reading, const struct node *node, void *at)
{
    const struct edited edited = edited_now(reading);
    struct header_edit *row = at;

    if (accept_name(reading, &edited, EDIT_REMOVE, node, &row->id)) {
        row->name = config_keep(reading, node->text);
    }
}

void config_read_respond_headers(struct reading *reading, const struct node *node, void *at)
{
    const struct node *member = node->kind == NODE_MAP ? node->first : NULL;

    for (; member != NULL; member = member->next) {
        if (bytes_equal_fold(member->key->text, BYTES("Content-Type"))) {
            READING_ERROR(reading, member->key,
                          "'respond.headers': for Content-Type there is respond.content_type");
        }
    }
    config_read_header_set(reading, node, at);
}
