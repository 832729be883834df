/* SPDX-License-Identifier: BSD-2-Clause */
/* What a route does with a request: exactly one of service, split, respond and redirect. */
#include "config/read/reading.h"

void config_read_route_service(struct reading *reading, const struct node *node, void *at)
{
    struct route_settings *route = at;

    route->arms = config_take_array(reading, 1, sizeof(*route->arms));
    if (route->arms != NULL) {
        route->arm_count = 1;
        route->arms[0] = (struct arm_settings){config_find_service(reading, node), SPLIT_WHOLE};
    }
}

void config_check_respond(struct reading *reading, const struct node *node, void *at)
{
    const struct respond_settings *respond = at;
    const struct node *type = config_node_child(node, "content_type");

    if (respond->body.length > 0 &&
        (respond->status == 204 || respond->status == 205 || respond->status == 304)) {
        READING_ERROR(reading, config_node_child(node, "body"),
                      "an answer with status %u has no body", respond->status);
    }
    if (type != NULL && !config_is_field_value(respond->content_type)) {
        READING_ERROR(reading, type, "'respond.content_type' must not hold control characters");
    }
}

/* Every '{' must open one of the known placeholders. */
static void check_placeholders(struct reading *reading, const struct node *node, struct bytes to)
{
    static const struct bytes known[] = {BYTES("{host}"), BYTES("{path}"), BYTES("{query}")};
    size_t i = 0;
    size_t k;

    while (i < to.length) {
        struct bytes rest = bytes_skip(to, i);
        size_t length = rest.at[0] == '{' || rest.at[0] == '}' ? 0 : 1;

        for (k = 0; k < sizeof(known) / sizeof(known[0]); k++) {
            if (bytes_start_with(rest, known[k])) {
                length = known[k].length;
            }
        }
        if (length == 0) {
            READING_ERROR(reading, node,
                          "'redirect.to' knows {host}, {path} and {query} only, at '%s'",
                          config_show(rest).text);
            return;
        }
        i += length;
    }
}

/* In "https://example.com{query}" a query of ".evil.example" or "@evil.example" would choose the
 * host. {path} begins with '/', which ends the host. */
static bool lets_query_choose_host(struct bytes to)
{
    size_t at = bytes_start_with(to, BYTES("https://")) ? 8 : 7;
    size_t length;

    if (to.at[0] == '/') {
        return false;
    }
    to = bytes_skip(to, at);
    for (length = 0; length < to.length && strchr("/?#\\", to.at[length]) == NULL; length++) {
        struct bytes rest = bytes_skip(to, length);

        if (bytes_start_with(rest, BYTES("{path}"))) {
            return length == 0;
        }
        if (bytes_start_with(rest, BYTES("{query}"))) {
            return true;
        }
    }
    return length == 0;
}

/* "//host" is another site to a browser, and {path} starts with '/' already: a request for
 * "//elsewhere" must not turn a redirect of ours into a way there. */
static bool leads_elsewhere(struct bytes to)
{
    return lets_query_choose_host(to) || bytes_start_with(to, BYTES("//")) ||
           bytes_start_with(to, BYTES("/\\")) || bytes_start_with(to, BYTES("/{path}")) ||
           bytes_start_with(to, BYTES("/{query}")) || bytes_start_with(to, BYTES("/{host}"));
}

void config_check_redirect(struct reading *reading, const struct node *node, void *at)
{
    struct bytes to = node->text;

    (void)at;
    if (!config_is_visible(to)) {
        READING_ERROR(reading, node,
                      "'redirect.to' must be visible ASCII without spaces; escape the rest");
    } else if (!bytes_start_with(to, BYTES("/")) && !bytes_start_with(to, BYTES("http://")) &&
               !bytes_start_with(to, BYTES("https://"))) {
        READING_ERROR(reading, node,
                      "'redirect.to' expects a URI with http:// or https://, or a path that "
                      "starts with '/', not '%s'",
                      config_show(to).text);
    } else if (leads_elsewhere(to)) {
        READING_ERROR(reading, node,
                      "'redirect.to' would let a request lead to any site; start with "
                      "http:// or https:// and a host, or with a path of your own");
    } else {
        check_placeholders(reading, node, to);
    }
}

static void refuse_without_effect(struct reading *reading, const struct node *node,
                                  const char *option)
{
    const struct node *found = config_node_child(node, option);

    if (found != NULL) {
        READING_ERROR(reading, found->key, "'%s' has no effect on a route that does not forward",
                      option);
    }
}

void config_check_action(struct reading *reading, const struct node *node,
                         struct route_settings *route)
{
    static const struct {
        const char *option;
        enum route_action kind;
    } actions[] = {
        {"service", ROUTE_FORWARD},
        {"split", ROUTE_FORWARD},
        {"respond", ROUTE_RESPOND},
        {"redirect", ROUTE_REDIRECT},
    };
    const struct node *first = NULL;

    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        const struct node *found = config_node_child(node, actions[i].option);

        if (found != NULL && first != NULL) {
            READING_ERROR(reading, found->key,
                          "a route has one of service, split, respond and redirect; this one has "
                          "'%s' on %s already",
                          first->key->text.at, config_line(reading, first->key).text);
        } else if (found != NULL) {
            first = found;
            route->action = actions[i].kind;
        }
    }
    if (first == NULL) {
        READING_ERROR(reading, node,
                      "this route does nothing; it needs one of service, split, respond and "
                      "redirect");
    } else if (route->action != ROUTE_FORWARD) {
        refuse_without_effect(reading, node, "rewrite");
        refuse_without_effect(reading, node, "rewrite_location");
        refuse_without_effect(reading, node, "request_headers");
    }
}
