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

static void check_sum(struct reading *reading, const struct node *node,
                      const struct route_settings *route)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < route->arm_count; i++) {
        sum += route->arms[i].weight;
    }
    if (sum != SPLIT_WHOLE) {
        READING_ERROR(reading, node->key,
                      "the weights of a split must add up to 100%%, not %u.%02u%%",
                      (unsigned)(sum / 100), (unsigned)(sum % 100));
    }
}

void config_read_arm(struct reading *reading, const struct node *node, void *at)
{
    struct arm_settings *arm = at;
    uint64_t weight = 0;

    arm->service = config_find_service(reading, node->key);
    reading->weights_unsure |= !read_weight(reading, node, "split", &weight);
    arm->weight = (uint32_t)weight;
}

/* --- pin --------------------------------------------------------------------------------- */

static void add_pin_default(struct reading *reading, struct split_settings *split)
{
    split->pin_headers = config_take_array(reading, 1, sizeof(*split->pin_headers));
    if (split->pin_headers != NULL) {
        split->pin_headers[split->pin_header_count++] =
            (struct request_source){.kind = SOURCE_HEADER,
                                    .name = BYTES("idempotency-key"),
                                    .id = HTTP_HEADER_IDEMPOTENCY_KEY};
    }
}

/* --- ramp -------------------------------------------------------------------------------- */

void config_read_step(struct reading *reading, const struct node *node, void *at)
{
    const struct ramp_settings *ramp = &reading->route->split.ramp;
    struct ramp_step *step = at;
    uint64_t weight = 0;

    step->hold = ramp->hold;
    if (node->kind == NODE_MAP) {
        config_read_group(reading, node, PLACE_ROUTE, "ramp.steps", step);
    } else if (read_weight(reading, node, "ramp.steps", &weight)) {
        step->weight = (uint32_t)weight;
        if (weight == 0) {
            READING_ERROR(reading, node, "a step of a ramp is more than 0%%");
        }
    }
    if (step->weight != 0 && step > ramp->steps && step->weight <= step[-1].weight) {
        READING_ERROR(reading, node, "the steps of a ramp grow; this one does not");
    }
}

void config_read_ramp_target(struct reading *reading, const struct node *node, void *at)
{
    struct route_settings *route = reading->route;
    uint32_t *to = at;

    for (*to = 0; *to < route->arm_count; ++*to) {
        if (route->arms[*to].service != NULL &&
            bytes_equal(node->text, bytes_of(route->arms[*to].service->name))) {
            return;
        }
    }
    if (route->arm_count == 2) {
        READING_ERROR(reading, node, "'ramp.to' expects a service of this route's split, not '%s'",
                      config_show(node->text).text);
    }
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

void config_finish_split(struct reading *reading, const struct node *node,
                         struct route_settings *route)
{
    const struct node *weights = config_node_child(node, "split");
    const struct node *ramp = config_node_child(node, "ramp");
    struct split_settings *split = &route->split;

    if (weights == NULL) {
        refuse_without_split(reading, node);
        return;
    }
    if (route->arm_count > 0 && !reading->weights_unsure) {
        check_sum(reading, weights, route);
    }
    reading->weights_unsure = false;
    if (config_node_child(config_node_child(node, "pin"), "headers") == NULL) {
        add_pin_default(reading, split);
    }
    if (ramp != NULL && config_node_child(ramp, "to") == NULL) {
        split->ramp.to = route->arm_count - 1;
    }
    if (ramp != NULL && split->ramp.step_count > 0 && route->arm_count != 2) {
        READING_ERROR(reading, ramp->key, "a ramp moves a split of two services, not of %u",
                      route->arm_count);
    }
}
