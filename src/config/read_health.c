/* SPDX-License-Identifier: BSD-2-Clause */
/* The `health` of a service: when its origins get no requests, and how they are probed. */
#include "config/reading.h"
#include "config/units.h"

#include "base/check.h"

#define STATUS_EXPECTED "a status such as 503, a range such as 500-599, a list of them, or none"

static bool read_status(struct bytes text, uint64_t *status)
{
    return text.length == 3 && config_read_count(text, status) == UNIT_READ &&
           *status >= STATUS_SET_FIRST && *status < STATUS_SET_END;
}

/* "503" or "500-599". */
static bool add_statuses(struct status_set *set, struct bytes text)
{
    const char *dash = text.length > 0 ? memchr(text.at, '-', text.length) : NULL;
    size_t first_length = dash != NULL ? (size_t)(dash - text.at) : text.length;
    uint64_t first;
    uint64_t last;

    if (!read_status(bytes_first(text, first_length), &first)) {
        return false;
    }
    last = first;
    if (dash != NULL && !read_status(bytes_skip(text, first_length + 1), &last)) {
        return false;
    }
    for (uint64_t bit = first - STATUS_SET_FIRST; bit <= last - STATUS_SET_FIRST; bit++) {
        set->words[bit / 64] |= UINT64_C(1) << bit % 64;
    }
    return last >= first;
}

static void read_statuses(struct reading *reading, const struct node *node, const char *path,
                          struct status_set *set)
{
    const struct node *member;
    struct bytes text;
    uint32_t count;

    if (node == NULL) {
        CHECK(add_statuses(set, bytes_of(config_option_find(PLACE_SERVICE, path)->initial)));
        return;
    }
    if (node->kind == NODE_TEXT && bytes_equal(node->text, BYTES("none"))) {
        return;
    }
    member = config_read_members(reading, node, path, &count);
    for (uint32_t i = 0; member != NULL && i < count; i++, member = member->next) {
        if (config_read_text(reading, member, path, STATUS_EXPECTED, &text) &&
            !add_statuses(set, text)) {
            READING_ERROR(reading, member, "'%s' expects %s, not '%s'", path, STATUS_EXPECTED,
                          config_show(text).text);
        }
    }
}

/* It goes into a request as it is. */
static void check_target(struct reading *reading, const struct node *node,
                         const struct probe_settings *probe)
{
    const struct node *path = config_node_child(node, "path");
    const struct node *host = config_node_child(node, "host");

    if (path != NULL && probe->path.length > 0 &&
        (probe->path.at[0] != '/' || !config_is_visible(probe->path))) {
        READING_ERROR(reading, path,
                      "'health.probe.path' expects a path that starts with '/', without spaces");
    }
    if (host != NULL && probe->host.length > 0 && !config_is_visible(probe->host)) {
        READING_ERROR(reading, host, "'health.probe.host' expects a host without spaces");
    }
}

static void refuse_http_parts(struct reading *reading, const struct node *node)
{
    static const char *const parts[] = {"path", "host", "status", "body"};

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        const struct node *part = config_node_child(node, parts[i]);

        if (part != NULL) {
            READING_ERROR(reading, part, "'health.probe.%s' has no meaning for a probe of type tcp",
                          parts[i]);
        }
    }
}

static void read_probe(struct reading *reading, const struct node *node,
                       struct probe_settings *probe)
{
    config_fill_defaults(PLACE_SERVICE, "health.probe", probe);
    if (node == NULL || !config_read_group(reading, node, PLACE_SERVICE, "health.probe", probe)) {
        return;
    }
    probe->on = true;
    read_statuses(reading, config_node_child(node, "status"), "health.probe.status",
                  &probe->status);
    if (probe->type == PROBE_TCP) {
        refuse_http_parts(reading, node);
    } else {
        check_target(reading, node, probe);
    }
}

void config_read_health(struct reading *reading, const struct node *node,
                        struct health_settings *health)
{
    const struct node *slow = config_node_child(node, "slow");

    config_fill_defaults(PLACE_SERVICE, "health", health);
    config_fill_defaults(PLACE_SERVICE, "health.slow", health);
    if (node != NULL && !config_read_group(reading, node, PLACE_SERVICE, "health", health)) {
        return;
    }
    if (slow != NULL) {
        config_read_group(reading, slow, PLACE_SERVICE, "health.slow", health);
    }
    read_statuses(reading, config_node_child(node, "failed_status"), "health.failed_status",
                  &health->failed_status);
    read_probe(reading, config_node_child(node, "probe"), &health->probe);
    if (health->ejection > health->ejection_most) {
        READING_ERROR(reading, node,
                      "'health.ejection' is longer than health.ejection_most; make one fit");
    }
}
