/* SPDX-License-Identifier: BSD-2-Clause */
/* Families of origins, from two sources: the workers' counters (answers, failures, durations), and the
 * registry of all origins (what is under way, verdicts). And those of the registry of splits. */
#include "control/pages/metrics_families.h"

#include "control/pages/merged.h"
#include "control/pages/metrics_text.h"
#include "control/pages/readings.h"
#include "origin/failure.h"

#include <ctype.h>

/* --- counters of the workers ------------------------------------------------------------- */

static void add_answers(struct metrics_text *out, const struct merged *merged)
{
    metrics_text_family(out, "turnpike_origin_responses_total", "counter",
                        "Responses of the origin, by status class.");
    for (size_t i = 0; i < merged->count; i++) {
        for (int status = 2; status < METRICS_STATUS_CLASSES; status++) {
            metrics_text_begin(out, METRICS_TEXT_ORIGIN, merged->rows[i].name);
            metrics_text_label(out, "status", metrics_text_class((size_t)status));
            metrics_text_end(out, merged->rows[i].by_status[status]);
        }
    }
}

/* "CONNECT_TIMEOUT" as "connect-timeout". */
static const char *failure_word(int failure, char word[static 48])
{
    static const char *const names[] = {
#define ROW(name, ...) #name,
        ORIGIN_FAILURE_TABLE(ROW)
#undef ROW
    };
    size_t length = 0;

    for (const char *at = names[failure]; *at != '\0' && length < 47; at++) {
        word[length++] = *at == '_' ? '-' : (char)tolower((unsigned char)*at);
    }
    word[length] = '\0';
    return word;
}

/* Those that happened: most origins know few of the seventeen ways. */
static void add_failures(struct metrics_text *out, const struct merged *merged)
{
    char word[48];

    metrics_text_family(out, "turnpike_origin_attempts_failed_total", "counter",
                        "Failed attempts, by failure.");
    for (size_t i = 0; i < merged->count; i++) {
        for (int failure = 0; failure < ORIGIN_FAILURE_COUNT; failure++) {
            if (merged->rows[i].by_failure[failure] > 0) {
                metrics_text_begin(out, METRICS_TEXT_ORIGIN, merged->rows[i].name);
                metrics_text_label(out, "failure", failure_word(failure, word));
                metrics_text_end(out, merged->rows[i].by_failure[failure]);
            }
        }
    }
}

static void add_durations(struct metrics_text *out, const struct merged *merged)
{
    metrics_text_family(out, "turnpike_origin_response_duration_seconds", "histogram",
                        "From an established connection to the last byte of the response.");
    for (size_t i = 0; i < merged->count; i++) {
        if (merged->rows[i].exchanges > 0) {
            metrics_text_histogram(out, METRICS_TEXT_ORIGIN, &merged->rows[i], NULL);
        }
    }
}

/* --- the registry ---------------------------------------------------------------------------- */

#define OF(member) METRICS_TEXT_MEMBER(struct origin_reading, member)
#define WHETHER_UP \
    { \
        0, 0 \
    }

static bool is_up(const struct origin_reading *reading)
{
    return reading->verdict != ORIGIN_VERDICT_DOWN && reading->phase != ORIGIN_EJECTED &&
           !reading->drained;
}

/* clang-format off */
static const struct registry_row {
    const char *name;
    const char *type;
    const char *help;
    struct metrics_text_member value;
} registry_rows[] = {
    {"turnpike_origin_up",                  "gauge",   "1 while the origin gets requests: not down, ejected or drained.", WHETHER_UP},
    {"turnpike_origin_drained",             "gauge",   "1 while an operator drains the origin.", OF(drained)},
    {"turnpike_origin_connections",         "gauge",   "Connections to the origin, open or being opened.", OF(connections)},
    {"turnpike_origin_http2_connections",   "gauge",   "Connections to the origin that carry streams of HTTP/2.", OF(http2_connections)},
    {"turnpike_origin_http2_streams",       "gauge",   "Streams of HTTP/2 with a request, on these connections.", OF(http2_streams)},
    {"turnpike_origin_requests_in_flight",  "gauge",   "Requests that hold a connection.", OF(in_flight)},
    {"turnpike_origin_requests_pending",    "gauge",   "Requests that wait for a connection.", OF(waiting)},
    {"turnpike_origin_concurrency_limit",   "gauge",   "Requests that may be under way, with concurrency: auto; else 0.", OF(limit)},
    {"turnpike_origin_recovery_slots",      "gauge",   "Requests that may be under way after an outage, until its limit is whole; else 0.", OF(recovery_slots)},
    {"turnpike_origin_requests_refused_total", "counter", "Requests refused by concurrency: auto.", OF(refused)},
    {"turnpike_origin_requests_total",      "counter", "Requests begun on a connection.", OF(requests)},
    {"turnpike_origin_ejections_total",     "counter", "Passive-health ejections.", OF(ejected)},
    {"turnpike_origin_probes_total",        "counter", "Health probes.", OF(probes)},
    {"turnpike_origin_probes_failed_total", "counter", "Health probes that failed.", OF(probes_failed)},
};
/* clang-format on */

static void add_registry(struct metrics_text *out, const struct readings *readings)
{
    for (size_t i = 0; i < sizeof(registry_rows) / sizeof(registry_rows[0]); i++) {
        const struct registry_row *row = &registry_rows[i];

        metrics_text_family(out, row->name, row->type, row->help);
        for (size_t j = 0; j < readings->origin_count; j++) {
            const struct origin_reading *origin = &readings->origins[j];

            if (origin->addresses == 0) { /* else a name: these have the numbers */
                metrics_text_sample(out, METRICS_TEXT_ORIGIN, origin->name,
                                    row->value.size > 0 ? metrics_text_value(origin, row->value)
                                                        : is_up(origin));
            }
        }
    }
}

static void add_targets(struct metrics_text *out, const struct readings *readings)
{
    if (readings->name_count > 0) {
        metrics_text_family(out, "turnpike_srv_targets", "gauge",
                            "Origins that the SRV name stands for.");
    }
    for (size_t i = 0; i < readings->name_count; i++) {
        metrics_text_sample(out, "srv", readings->names[i].name, readings->names[i].count);
    }
}

/* --- splits -------------------------------------------------------------------------------- */

/* The weights that hold now: of the file, an operator or a ramp. */
static void add_weights(struct metrics_text *out, const struct readings *readings)
{
    metrics_text_family(out, "turnpike_split_weight_ratio", "gauge",
                        "Weight of a service in the split of a route, 0 to 1.");
    for (size_t i = 0; i < readings->split_count; i++) {
        const struct split_reading *split = &readings->splits[i];

        for (uint32_t arm = 0; arm < split->arm_count; arm++) {
            metrics_text_begin(out, "route", split->route);
            metrics_text_label(out, "service", split->arms[arm].service);
            metrics_text_end_ratio(out, split->arms[arm].weight, SPLIT_WHOLE);
        }
    }
}

static void add_ramps(struct metrics_text *out, const struct readings *readings)
{
    metrics_text_family(out, "turnpike_ramp_phase", "gauge",
                        "1 for the phase that a route's ramp is in.");
    for (size_t i = 0; i < readings->split_count; i++) {
        const struct ramp_reading *ramp = &readings->splits[i].ramp;

        for (int phase = RAMP_MOVES; ramp->phase != RAMP_NONE && phase <= RAMP_DONE; phase++) {
            metrics_text_begin(out, "route", readings->splits[i].route);
            metrics_text_label(out, "phase", ramp_phase_name((enum ramp_phase)phase));
            metrics_text_end(out, ramp->phase == (enum ramp_phase)phase);
        }
    }
}

/* --- all ----------------------------------------------------------------------------------- */

void metrics_registries_add(struct metrics_text *out, const struct control_sources *sources)
{
    const bool has_splits = sources->splits != NULL;
    struct readings readings;
    struct merged merged;

    if (!merged_read(sources, METRICS_ORIGINS, &merged)) {
        out->page->failed = true;
        return;
    }
    add_answers(out, &merged);
    add_failures(out, &merged);
    add_durations(out, &merged);
    merged_release(&merged);
    if (!readings_take(sources, READ_ORIGINS | READ_NAMES | (has_splits ? READ_SPLITS : 0),
                       &readings)) {
        out->page->failed = true;
        return;
    }
    add_registry(out, &readings);
    add_targets(out, &readings);
    if (has_splits) {
        add_weights(out, &readings);
        add_ramps(out, &readings);
    }
    readings_release(&readings);
}
