/* SPDX-License-Identifier: BSD-2-Clause */
/* Metrics of the split registry: the weights that hold now (of the file, an operator or a ramp),
 * the phases of ramps, and the counts of pinned keys. */
#include "control/pages/metrics_splits.h"

#include "control/pages/metrics_text.h"
#include "control/pages/split_readings.h"
#include "split/pin_table.h"

static void add_weights(struct page *page, const struct split_readings *readings)
{
    static const char name[] = "turnpike_split_weight_ratio";

    metrics_text_family(page, name, "gauge",
                        "Weight of a service in the split of a route, 0 to 1.");
    for (size_t i = 0; i < readings->count; i++) {
        const struct split_reading *reading = &readings->rows[i].reading;

        for (uint32_t arm = 0; arm < reading->arm_count; arm++) {
            metrics_text_begin(page, name, "route", reading->route);
            metrics_text_label(page, "service", reading->arms[arm].service);
            metrics_text_end_ratio(page, reading->arms[arm].weight, SPLIT_WHOLE);
        }
    }
}

static void add_ramps(struct page *page, const struct split_readings *readings)
{
    static const char name[] = "turnpike_ramp_phase";

    metrics_text_family(page, name, "gauge", "1 for the phase that a route's ramp is in.");
    for (size_t i = 0; i < readings->count; i++) {
        const struct ramp_reading *ramp = &readings->rows[i].reading.ramp;

        for (int phase = RAMP_MOVES; ramp->phase != RAMP_NONE && phase <= RAMP_DONE; phase++) {
            metrics_text_begin(page, name, "route", readings->rows[i].reading.route);
            metrics_text_label(page, "phase", ramp_phase_name((enum ramp_phase)phase));
            metrics_text_end(page, ramp->phase == (enum ramp_phase)phase);
        }
    }
}

static void add_pins(struct page *page, struct split_registry *registry)
{
    struct pin_counts counts;

    pin_table_read(split_registry_pins(registry), &counts);
    metrics_text_plain(page, "turnpike_pins_created_total", "counter",
                       "Idempotency keys pinned to an arm of a split.", counts.held);
    metrics_text_plain(page, "turnpike_pins_hit_total", "counter",
                       "Requests whose key had an arm already.", counts.found);
    metrics_text_plain(page, "turnpike_pins_diverted_total", "counter",
                       "Requests with a pinned key that the weights would now send to another arm.",
                       counts.moved);
    metrics_text_plain(page, "turnpike_pins_evicted_total", "counter",
                       "Keys evicted from the table before their time.", counts.pushed_out);
    metrics_text_plain(page, "turnpike_pins_rejected_total", "counter",
                       "Keys that were not pinned: the entries that could make room were only "
                       "seconds old.",
                       counts.unpinned);
}

void metrics_splits_add(struct page *page, const struct control_sources *sources)
{
    struct split_readings readings;

    if (sources->splits == NULL) {
        return;
    }
    if (!split_readings_take(sources, &readings)) {
        page->failed = true;
        return;
    }
    add_weights(page, &readings);
    add_ramps(page, &readings);
    add_pins(page, sources->splits);
    split_readings_release(&readings);
}
