/* SPDX-License-Identifier: BSD-2-Clause */
/* The `health` of a service: when its origins get no requests, and how they are probed. */
#include "config/read/reading.h"

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

void config_check_probe(struct reading *reading, const struct node *node, void *at)
{
    struct probe_settings *probe = at;

    probe->on = true;
    refuse_parts_of_others(reading, node, probe->type);
}

void config_check_health(struct reading *reading, const struct node *node, void *at)
{
    const struct health_settings *health = at;

    if (health->ejection_time > health->max_ejection_time) {
        READING_ERROR(
            reading, node,
            "'health.ejection_time' is longer than health.max_ejection_time; make one fit");
    }
}
