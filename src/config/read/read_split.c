/* SPDX-License-Identifier: BSD-2-Clause */
/* `split` and what stands beside it in a route: where a user is named, who may override, what
 * pins an arm, and the ramp that moves the weights. */
#include "config/read/reading.h"
#include "config/schema/units.h"

/* --- weights ----------------------------------------------------------------------------- */

static bool read_weight(struct reading *reading, const struct node *node, const char *option,
                        uint64_t *weight)
{
    struct shown shown = config_show(node->text);
    struct bytes text;

    if (!config_read_text(reading, node, option, "a percent such as 95%", &text)) {
        return false;
    }
    switch (config_read_percent(text, weight)) {
    case UNIT_READ:
        break;
    case UNIT_BARE:
        READING_ERROR(reading, node, "a weight needs a unit: write %s%%, not %s", shown.text,
                      shown.text);
        return false;
    case UNIT_TOO_FINE:
        READING_ERROR(reading, node, "weights go in steps of 0.01%%; '%s' is finer", shown.text);
        return false;
    default:
        READING_ERROR(reading, node, "a weight is a percent such as 95%% or 0.01%%, not '%s'",
                      shown.text);
        return false;
    }
    if (*weight > SPLIT_WHOLE) {
        READING_ERROR(reading, node, "a weight is at most 100%%, not '%s'", shown.text);
        return false;
    }
    return true;
}

static void check_sum(struct reading *reading, const struct node *node, uint64_t sum)
{
    if (sum != SPLIT_WHOLE) {
        READING_ERROR(reading, node->key,
                      "the weights of a split must add up to 100%%, not %u.%02u%%",
                      (unsigned)(sum / 100), (unsigned)(sum % 100));
    }
}

void config_read_split(struct reading *reading, const struct node *node,
                       struct route_settings *route)
{
    const struct node *member;
    bool all_read = true;
    uint64_t sum = 0;

    if (node->kind == NODE_BROKEN) {
        return;
    }
    if (node->kind != NODE_MAP || node->count == 0) {
        READING_ERROR(reading, node,
                      "'split' expects a mapping of services to percents, such as {a: 95%%, "
                      "b: 5%%}, not %s",
                      config_node_kind(node));
        return;
    }
    if (node->count > SPLIT_ARMS_MAX) {
        READING_ERROR(reading, node, "a split has at most %d services, not %u", SPLIT_ARMS_MAX,
                      node->count);
        return;
    }
    route->arms = config_take_array(reading, node->count, sizeof(*route->arms));
    if (route->arms == NULL) {
        return;
    }
    for (member = node->first; member != NULL; member = member->next) {
        struct arm_settings *arm = &route->arms[route->arm_count++];
        uint64_t weight = 0;

        arm->service = config_find_service(reading, member->key);
        all_read = read_weight(reading, member, "split", &weight) && all_read;
        arm->weight = (uint32_t)weight;
        sum += weight;
    }
    if (all_read) {
        check_sum(reading, node, sum);
    }
}

/* --- pin --------------------------------------------------------------------------------- */

static void read_pin_headers(struct reading *reading, const struct node *node,
                             struct split_settings *split)
{
    static const struct source_list list = {.option = "pin.headers"};
    const struct node *member;
    uint32_t count;

    if (node == NULL) {
        split->pin_headers = config_take_array(reading, 1, sizeof(*split->pin_headers));
        if (split->pin_headers != NULL) {
            split->pin_headers[split->pin_header_count++] =
                (struct request_source){.kind = SOURCE_HEADER,
                                        .name = BYTES("idempotency-key"),
                                        .id = HTTP_HEADER_IDEMPOTENCY_KEY};
        }
        return;
    }
    member = config_read_members(reading, node, "pin.headers", &count);
    if (member == NULL) {
        return;
    }
    split->pin_headers = config_take_array(reading, count, sizeof(*split->pin_headers));
    for (; split->pin_headers != NULL && split->pin_header_count < count; member = member->next) {
        config_read_named_source(reading, member, &list, SOURCE_HEADER,
                                 &split->pin_headers[split->pin_header_count++]);
    }
}

static void read_pin(struct reading *reading, const struct node *node, struct split_settings *split)
{
    if (node == NULL || config_read_group(reading, node, PLACE_ROUTE, "pin", split)) {
        read_pin_headers(reading, config_node_child(node, "headers"), split);
    }
}

/* --- ramp -------------------------------------------------------------------------------- */

static void read_step(struct reading *reading, const struct node *node,
                      const struct ramp_settings *ramp, struct ramp_step *step)
{
    uint64_t weight = 0;

    step->hold = ramp->hold;
    if (node->kind != NODE_MAP) {
        if (read_weight(reading, node, "ramp.steps", &weight)) {
            step->weight = (uint32_t)weight;
            if (weight == 0) {
                READING_ERROR(reading, node, "a step of a ramp is more than 0%%");
            }
        }
        return;
    }
    config_read_group(reading, node, PLACE_ROUTE, "ramp.steps", step);
    if (config_node_child(node, "weight") == NULL) {
        config_report_missing(reading, node, "weight", "a percent such as 5%");
    }
}

static void read_steps(struct reading *reading, const struct node *node, struct ramp_settings *ramp)
{
    uint32_t before = 0;

    if (node->kind == NODE_BROKEN) {
        return;
    }
    if (node->kind != NODE_LIST || node->count == 0) {
        READING_ERROR(reading, node,
                      "'ramp.steps' expects a list of percents such as [1%%, 5%%, 25%%, 100%%]");
        return;
    }
    ramp->steps = config_take_array(reading, node->count, sizeof(*ramp->steps));
    for (const struct node *member = node->first; ramp->steps != NULL && member != NULL;
         member = member->next) {
        struct ramp_step *step = &ramp->steps[ramp->step_count++];

        read_step(reading, member, ramp, step);
        if (step->weight != 0 && step->weight <= before) {
            READING_ERROR(reading, member, "the steps of a ramp grow; this one does not");
        }
        before = step->weight;
    }
}

static void read_ramp_target(struct reading *reading, const struct node *node,
                             struct route_settings *route)
{
    struct bytes text;

    route->split.ramp.to = route->arm_count - 1;
    if (node == NULL ||
        !config_read_text(reading, node, "ramp.to", "a service of the split", &text)) {
        return;
    }
    for (uint32_t i = 0; i < route->arm_count; i++) {
        if (route->arms[i].service != NULL &&
            bytes_equal(text, bytes_of(route->arms[i].service->name))) {
            route->split.ramp.to = i;
            return;
        }
    }
    READING_ERROR(reading, node, "'ramp.to' expects a service of this route's split, not '%s'",
                  config_show(text).text);
}

static void read_ramp(struct reading *reading, const struct node *node,
                      struct route_settings *route)
{
    struct ramp_settings *ramp = &route->split.ramp;
    const struct node *steps = config_node_child(node, "steps");

    if (!config_read_group(reading, node, PLACE_ROUTE, "ramp", ramp)) {
        return;
    }
    if (steps == NULL) {
        config_report_missing(reading, node, "steps", "a list of percents");
        return;
    }
    read_steps(reading, steps, ramp);
    config_read_statuses(reading, config_node_child(node, "failed_status"), PLACE_ROUTE,
                         "ramp.failed_status", &ramp->failed_status);
    config_read_grpc_statuses(reading, config_node_child(node, "failed_grpc_status"), PLACE_ROUTE,
                              "ramp.failed_grpc_status", &ramp->failed_grpc_status);
    if (route->arm_count != 2) {
        READING_ERROR(reading, node->key, "a ramp moves a split of two services, not of %u",
                      route->arm_count);
        return;
    }
    read_ramp_target(reading, config_node_child(node, "to"), route);
}

/* --- all of it --------------------------------------------------------------------------- */

static void refuse_without_split(struct reading *reading, const struct node *node)
{
    static const char *const options[] = {"sticky", "salt", "override", "pin", "ramp"};

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        const struct node *found = config_node_child(node, options[i]);

        if (found != NULL) {
            READING_ERROR(reading, found->key, "'%s' has no effect on a route without a split",
                          options[i]);
        }
    }
}

void config_read_split_options(struct reading *reading, const struct node *node,
                               struct route_settings *route)
{
    struct split_settings *split = &route->split;
    const struct node *ramp = config_node_child(node, "ramp");
    const struct source_list sticky = {
        "sticky",
        1u << SOURCE_COOKIE | 1u << SOURCE_HEADER | 1u << SOURCE_QUERY |
            1u << SOURCE_CLIENT_ADDRESS,
        "{cookie: NAME}, {header: NAME}, {query: NAME} or client_address",
        &split->sticky,
        &split->sticky_count,
    };
    const struct source_list override = {
        "override",
        1u << SOURCE_COOKIE | 1u << SOURCE_HEADER,
        "{header: NAME} or {cookie: NAME}",
        &split->override,
        &split->override_count,
    };

    if (config_node_child(node, "split") == NULL) {
        refuse_without_split(reading, node);
        return;
    }
    config_fill_defaults(PLACE_ROUTE, "pin", split);
    config_fill_defaults(PLACE_ROUTE, "ramp", &split->ramp);
    config_read_sources(reading, config_node_child(node, "sticky"), &sticky);
    config_read_sources(reading, config_node_child(node, "override"), &override);
    read_pin(reading, config_node_child(node, "pin"), split);
    if (ramp != NULL) {
        read_ramp(reading, ramp, route);
    }
}
