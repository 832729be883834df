/* SPDX-License-Identifier: BSD-2-Clause */
/* Families of the process as a whole, most of them a row of a table. process_* are named and meant as
 * Prometheus's client libraries have them. */
#include "control/pages/metrics_families.h"

#include "base/log/log.h"
#include "base/system/clock.h"
#include "base/system/machine.h"
#include "control/pages/merged.h"
#include "control/pages/metrics_text.h"
#include "split/pin_table.h"

#include <sys/resource.h>

/* --- one number each ----------------------------------------------------------------------- */

/* What may be missing. */
enum source {
    OF_PROCESS = 1,
    OF_SPANS = 2,
    OF_RELOADS = 4,
    OF_PINS = 8,
    OF_SIZES = 16,
    OF_DESCRIPTORS_MAX = 32,
    OF_CONNECTIONS_LIMIT = 64,
    OF_USE = 128,
    OF_MEMORY_BUDGET = 256,
    OF_DESCRIPTORS_BUDGET = 512,
};

struct process_reading {
    unsigned known; /* enum source, as a set */
    uint64_t started_s;
    uint32_t workers;
    bool stopping;
    struct control_load load; /* of all workers */
    uint64_t handshakes_limit;
    uint64_t lines_dropped; /* of the access log */
    uint64_t log_dropped;
    uint64_t tunnels_open;
    uint64_t streams_open;
    struct span_counts spans;
    struct reload_status reload;
    bool is_stale;
    struct pin_counts pins;
    struct process_sizes sizes;
    struct rlimit descriptors;
    uint32_t connections_limit;
    struct control_use use[PRESSURE_KINDS];
};

#define BUDGET_HELP "What the process may use (limits, or what the machine gives)."
#define USED_HELP "In use, as counted against the budget."
#define OF(member) METRICS_TEXT_MEMBER(struct process_reading, member)

/* clang-format off */
static const struct number_row {
    const char *name;
    const char *type;
    const char *help;
    struct metrics_text_member value;
    enum source needs;
} numbers[] = {
    {"turnpike_start_time_seconds", "gauge", "When the process started, since 1970.", OF(started_s), OF_PROCESS},
    {"turnpike_workers", "gauge", "Worker threads.", OF(workers), OF_PROCESS},
    {"turnpike_stopping", "gauge", "1 once the process is stopping.", OF(stopping), OF_PROCESS},
    {"turnpike_client_connections", "gauge", "Client connections open now.", OF(load.connections), OF_PROCESS},
    {"turnpike_client_connections_limit", "gauge", "Client connections that are accepted at once.", OF(connections_limit), OF_CONNECTIONS_LIMIT},
    {"turnpike_exchanges_started_total", "counter", "Requests whose head was read, or refused.", OF(load.begun), OF_PROCESS},
    {"turnpike_tls_handshakes_in_progress", "gauge", "TLS handshakes with clients under way.", OF(load.handshakes), OF_PROCESS},
    {"turnpike_tls_handshakes_limit", "gauge", "TLS handshakes with clients that may be under way, over all workers.", OF(handshakes_limit), OF_PROCESS},
    {"turnpike_tunnels_open", "gauge", "Connections that carry another protocol, such as WebSocket.", OF(tunnels_open), OF_PROCESS},
    {"turnpike_http2_streams_open", "gauge", "HTTP/2 streams of clients whose exchange is under way.", OF(streams_open), OF_PROCESS},
    {"turnpike_access_log_dropped_total", "counter", "Lines of the access log that were dropped because its target is too slow.", OF(lines_dropped), OF_PROCESS},
    {"turnpike_process_log_dropped_total", "counter", "Lines of the process log that were dropped because stderr takes nothing.", OF(log_dropped), OF_PROCESS},
    {"turnpike_spans_exported_total", "counter", "Spans that the collector of tracing.to took.", OF(spans.exported), OF_SPANS},
    {"turnpike_spans_dropped_total", "counter", "Spans that were dropped because the collector is too slow or refused them.", OF(spans.dropped), OF_SPANS},
    {"turnpike_span_posts_failed_total", "counter", "POSTs of spans that the collector did not take.", OF(spans.failures), OF_SPANS},
    {"turnpike_config_generation", "gauge", "Configurations loaded so far, the first one included.", OF(reload.generation), OF_RELOADS},
    {"turnpike_config_loaded_time_seconds", "gauge", "When the running configuration was loaded, since 1970.", OF(reload.loaded_at), OF_RELOADS},
    {"turnpike_config_stale", "gauge", "1 while the current file failed to load or was rolled back.", OF(is_stale), OF_RELOADS},
    {"turnpike_config_unconfirmed", "gauge", "1 while a reload waits for its confirmation.", OF(reload.unconfirmed), OF_RELOADS},
    {"turnpike_reloads_total", "counter", "Successful reloads.", OF(reload.ok), OF_RELOADS},
    {"turnpike_reloads_failed_total", "counter", "Failed reloads.", OF(reload.failed), OF_RELOADS},
    {"turnpike_pins_created_total", "counter", "Idempotency keys pinned to an arm of a split.", OF(pins.held), OF_PINS},
    {"turnpike_pins_hit_total", "counter", "Requests whose key had an arm already.", OF(pins.found), OF_PINS},
    {"turnpike_pins_diverted_total", "counter", "Requests with a pinned key that the weights would now send to another arm.", OF(pins.moved), OF_PINS},
    {"turnpike_pins_evicted_total", "counter", "Keys evicted from the table before their time.", OF(pins.pushed_out), OF_PINS},
    {"turnpike_pins_rejected_total", "counter", "Keys that were not pinned: the entries that could make room were only seconds old.", OF(pins.unpinned), OF_PINS},
    {"turnpike_memory_used_bytes", "gauge", USED_HELP, OF(use[PRESSURE_MEMORY].used), OF_USE},
    {"turnpike_memory_budget_bytes", "gauge", BUDGET_HELP, OF(use[PRESSURE_MEMORY].budget), OF_MEMORY_BUDGET},
    {"turnpike_descriptors_used", "gauge", USED_HELP, OF(use[PRESSURE_DESCRIPTORS].used), OF_USE},
    {"turnpike_descriptors_budget", "gauge", BUDGET_HELP, OF(use[PRESSURE_DESCRIPTORS].budget), OF_DESCRIPTORS_BUDGET},
    {"process_start_time_seconds", "gauge", "When the process began, since 1970.", OF(started_s), OF_PROCESS},
    {"process_resident_memory_bytes", "gauge", "Resident memory.", OF(sizes.resident_bytes), OF_SIZES},
    {"process_virtual_memory_bytes", "gauge", "Address space.", OF(sizes.virtual_bytes), OF_SIZES},
    {"process_threads", "gauge", "Threads.", OF(sizes.threads), OF_SIZES},
    {"process_max_fds", "gauge", "File descriptors it may open.", OF(descriptors.rlim_cur), OF_DESCRIPTORS_MAX},
};
/* clang-format on */

static uint64_t open_now(const struct control_sources *sources, enum metrics_event opening,
                         enum metrics_event closing)
{
    uint64_t closed = merged_sum(sources, metrics_noted, closing); /* first: never more */
    uint64_t opened = merged_sum(sources, metrics_noted, opening);

    return opened > closed ? opened - closed : 0;
}

static void read_limits(const struct control_sources *sources, struct process_reading *reading)
{
    struct plan *plan = sources->plan(sources->owner);
    const struct limits_settings *limits = &plan_settings(plan)->limits;

    reading->connections_limit = limits->max_connections;
    reading->known |= limits->max_connections > 0 ? OF_CONNECTIONS_LIMIT : 0;
    reading->handshakes_limit = (uint64_t)limits->handshakes * reading->workers;
    plan_unref(&plan);
}

static void read_use(const struct control_sources *sources, struct process_reading *reading)
{
    static const enum source budgets[PRESSURE_KINDS] = {
        [PRESSURE_MEMORY] = OF_MEMORY_BUDGET, [PRESSURE_DESCRIPTORS] = OF_DESCRIPTORS_BUDGET};

    for (int kind = 0; kind < PRESSURE_KINDS; kind++) {
        sources->use(sources->owner, (enum pressure_kind)kind, &reading->use[kind]);
        reading->known |= reading->use[kind].budget != UINT64_MAX ? budgets[kind] : 0;
    }
    reading->known |= OF_USE;
}

static void read_process(const struct control_sources *sources, struct process_reading *reading)
{
    reading->known = OF_PROCESS;
    reading->started_s = sources->started_realtime_s;
    reading->workers = sources->workers;
    reading->stopping = atomic_load(sources->stopping);
    reading->load = merged_load(sources);
    reading->lines_dropped =
        sources->access_log != NULL ? access_log_dropped(sources->access_log) : 0;
    reading->log_dropped = log_dropped();
    reading->tunnels_open = open_now(sources, METRICS_TUNNEL_OPENED, METRICS_TUNNEL_CLOSED);
    reading->streams_open = open_now(sources, METRICS_HTTP2_OPENED, METRICS_HTTP2_CLOSED);
    read_limits(sources, reading);
    reading->known |= machine_process_sizes(&reading->sizes) ? OF_SIZES : 0;
    reading->known |= getrlimit(RLIMIT_NOFILE, &reading->descriptors) == 0 ? OF_DESCRIPTORS_MAX : 0;
    if (sources->spans != NULL) {
        span_exporter_read(sources->spans, &reading->spans);
        reading->known |= OF_SPANS;
    }
    if (sources->reload_status != NULL) {
        sources->reload_status(sources->owner, &reading->reload);
        reading->is_stale = reading->reload.last_failed || reading->reload.went_back;
        reading->known |= OF_RELOADS;
    }
    if (sources->splits != NULL) {
        pin_table_read(split_registry_pins(sources->splits), &reading->pins);
        reading->known |= OF_PINS;
    }
    if (sources->use != NULL) {
        read_use(sources, reading);
    }
}

static void add_numbers(struct metrics_text *out, const struct process_reading *reading)
{
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        const struct number_row *row = &numbers[i];

        if (reading->known & row->needs) {
            metrics_text_plain(out, row->name, row->type, row->help,
                               metrics_text_value(reading, row->value));
        }
    }
}

/* --- events, and numbers by cause ---------------------------------------------------------- */

static const struct {
    const char *name;
    const char *help;
} events[METRICS_EVENT_COUNT] = {
#define ROW(name, metric, sentence) [METRICS_##name] = {"turnpike_" metric "_total", sentence},
    METRICS_EVENTS(ROW)
#undef ROW
};

static void add_events(struct metrics_text *out, const struct control_sources *sources)
{
    for (unsigned i = 0; i < METRICS_EVENT_COUNT; i++) {
        metrics_text_plain(out, events[i].name, "counter", events[i].help,
                           merged_sum(sources, metrics_noted, i));
    }
}

static const char *cut_word(unsigned cause)
{
    return cut_cause_name((enum cut_cause)cause);
}

static const char *fault_word(unsigned fault)
{
    return h2_fault_word((enum h2_fault)fault);
}

static void add_causes(struct metrics_text *out, const struct control_sources *sources)
{
    static const struct cause_row {
        const char *name;
        const char *help;
        const char *(*word)(unsigned cause);
        metrics_tally *tally;
        unsigned first;
        unsigned end;
    } rows[] = {
        {"turnpike_client_forced_closes_total",
         "Client connections that the gateway closed before their end, by cause.", cut_word,
         metrics_cuts, CUT_NONE + 1, CUT_CAUSE_COUNT},
        {"turnpike_http2_requests_malformed_total",
         "Requests in HTTP/2 refused for what their fields say, by cause.", fault_word,
         metrics_h2_faults, 0, H2_FAULT_COUNT},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        metrics_text_family(out, rows[i].name, "counter", rows[i].help);
        for (unsigned cause = rows[i].first; cause < rows[i].end; cause++) {
            metrics_text_sample(out, "cause", rows[i].word(cause),
                                merged_sum(sources, rows[i].tally, cause));
        }
    }
}

static void add_levels(struct metrics_text *out, const struct process_reading *reading)
{
    static const char *const kinds[PRESSURE_KINDS] = {
        [PRESSURE_MEMORY] = "memory", [PRESSURE_DESCRIPTORS] = "descriptors"};

    metrics_text_family(out, "turnpike_pressure_level", "gauge",
                        "0: enough; 1: idle connections close; 2: large bodies wait; 3: new "
                        "connections are refused; 4: the costliest are closed.");
    for (int kind = 0; kind < PRESSURE_KINDS; kind++) {
        metrics_text_sample(out, "resource", kinds[kind], reading->use[kind].level);
    }
}

/* --- times --------------------------------------------------------------------------------- */

static void add_seconds(struct metrics_text *out, const char *name, const char *type,
                        const char *help, uint64_t us)
{
    metrics_text_family(out, name, type, help);
    page_format(out->page, "%s %llu.%06llu\n", name, (unsigned long long)(us / 1000000),
                (unsigned long long)(us % 1000000));
}

static void add_cpu(struct metrics_text *out)
{
    struct rusage usage;

    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        add_seconds(out, "process_cpu_seconds_total", "counter",
                    "Processor time used, user and system.",
                    (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
                        (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec));
    }
}

/* Of all workers together: which one it was helps no operator, and a label for each costs. */
static void add_lag(struct metrics_text *out, const struct control_sources *sources,
                    uint32_t workers)
{
    const uint64_t now_us = clock_us(CLOCK_MONOTONIC);
    uint64_t longest = 0;

    for (uint32_t worker = 0; worker < workers; worker++) {
        uint64_t lag = metrics_longest_lag(sources->metrics(sources->owner, worker), now_us);

        longest = lag > longest ? lag : longest;
    }
    add_seconds(out, "turnpike_loop_lag_max_seconds", "gauge",
                "Longest lag of a worker's loop in this minute and the one before.", longest);
}

static void add_times(struct metrics_text *out, const struct control_sources *sources,
                      uint32_t workers)
{
    static const struct {
        const char *name;
        const char *help;
    } rows[METRICS_TIME_COUNT] = {
        [METRICS_TIME_CONNECT] = {"turnpike_origin_connect_duration_seconds",
                                  "From the dial to an origin to the connection, its TLS "
                                  "handshake included."},
        [METRICS_TIME_HANDSHAKE] = {"turnpike_tls_handshake_duration_seconds",
                                    "From a client's accept to the end of its TLS handshake."},
        [METRICS_TIME_LAG] = {"turnpike_loop_lag_seconds",
                              "How late workers' loops came to due timers: what the turns before "
                              "them took."},
    };

    for (int time = 0; time < METRICS_TIME_COUNT; time++) {
        struct metrics_reading reading = {.name = ""};

        for (uint32_t worker = 0; worker < workers; worker++) {
            metrics_read_time(sources->metrics(sources->owner, worker), (enum metrics_time)time,
                              &reading);
        }
        metrics_text_family(out, rows[time].name, "histogram", rows[time].help);
        metrics_text_histogram(out, NULL, &reading, NULL);
    }
}

/* Only causes that were: a cut between two exchanges has no duration. */
static void add_cut_durations(struct metrics_text *out, const struct control_sources *sources)
{
    struct merged merged;

    if (!merged_read(sources, METRICS_CUTS, &merged)) {
        out->page->failed = true;
        return;
    }
    metrics_text_family(
        out, "turnpike_client_forced_close_exchange_duration_seconds", "histogram",
        "From the first byte of a request to the forced close of its client, by cause.");
    for (size_t i = 0; i < merged.count; i++) {
        metrics_text_histogram(out, "cause", &merged.rows[i], NULL);
    }
    merged_release(&merged);
}

void metrics_process_add(struct metrics_text *out, const struct control_sources *sources)
{
    struct process_reading reading = {0};

    read_process(sources, &reading);
    metrics_text_family(out, "turnpike_info", "gauge", "The running version.");
    metrics_text_sample(out, "version", PACKAGE_VERSION, 1);
    add_numbers(out, &reading);
    if (reading.known & OF_USE) {
        add_levels(out, &reading);
    }
    add_cpu(out);
    add_events(out, sources);
    add_causes(out, sources);
    add_cut_durations(out, sources);
    add_lag(out, sources, sources->workers);
    add_times(out, sources, sources->workers);
}
