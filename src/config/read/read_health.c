/* SPDX-License-Identifier: BSD-2-Clause */
/* The `health` of a service: when its origins get no requests, and how they are probed. */
#include "config/read/reading.h"

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
    if (probe->grpc_service.length > 0 && !config_is_visible(probe->grpc_service)) {
        READING_ERROR(reading, config_node_child(node, "grpc_service"),
                      "'health.probe.grpc_service' expects a name without spaces");
    }
}

/* What a probe of each type has no use for. */
static void refuse_parts_of_others(struct reading *reading, const struct node *node,
                                   enum probe_type type)
{
    static const char *const words[] = {"http", "tcp", "grpc"};
    static const struct {
        const char *part;
        bool used[3]; /* by enum probe_type */
    } parts[] = {
        {"path", {true, false, false}},         {"host", {true, false, true}},
        {"status", {true, false, false}},       {"body", {true, false, false}},
        {"grpc_service", {false, false, true}},
    };

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        const struct node *part = config_node_child(node, parts[i].part);

        if (part != NULL && !parts[i].used[type]) {
            READING_ERROR(reading, part, "'health.probe.%s' has no meaning for a probe of type %s",
                          parts[i].part, words[type]);
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
    config_read_statuses(reading, config_node_child(node, "status"), PLACE_SERVICE,
                         "health.probe.status", &probe->status);
    refuse_parts_of_others(reading, node, probe->type);
    if (probe->type != PROBE_TCP) {
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
    config_read_statuses(reading, config_node_child(node, "failed_status"), PLACE_SERVICE,
                         "health.failed_status", &health->failed_status);
    config_read_grpc_statuses(reading, config_node_child(node, "failed_grpc_status"), PLACE_SERVICE,
                              "health.failed_grpc_status", &health->failed_grpc_status);
    read_probe(reading, config_node_child(node, "probe"), &health->probe);
    if (health->ejection_time > health->max_ejection_time) {
        READING_ERROR(
            reading, node,
            "'health.ejection_time' is longer than health.max_ejection_time; make one fit");
    }
}
