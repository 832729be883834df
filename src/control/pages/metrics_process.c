/* SPDX-License-Identifier: BSD-2-Clause */
/* process_* are named and meant as Prometheus's client libraries have them. */
#include "control/pages/metrics_process.h"

#include "base/system/machine.h"
#include "control/pages/merged.h"
#include "control/pages/metrics_text.h"

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

/* --- the kernel's view ------------------------------------------------------------------- */

static void add_seconds(struct page *page, const char *name, const char *help)
{
    struct rusage usage;
    unsigned long long us;

    if (getrusage(RUSAGE_SELF, &usage) < 0) {
        return;
    }
    us = (unsigned long long)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
         (unsigned long long)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    metrics_text_family(page, name, "counter", help);
    page_format(page, "%s %llu.%06llu\n", name, us / 1000000, us % 1000000);
}

static void add_kernel(struct page *page, const struct control_sources *sources)
{
    struct process_sizes sizes;
    struct control_facts facts;
    struct rlimit limit;

    sources->facts(sources->owner, &facts);
    add_seconds(page, "process_cpu_seconds_total", "Processor time used, user and system.");
    metrics_text_plain(page, "process_start_time_seconds", "gauge",
                       "When the process began, since 1970.", facts.started_realtime_s);
    if (machine_process_sizes(&sizes)) {
        metrics_text_plain(page, "process_resident_memory_bytes", "gauge", "Resident memory.",
                           sizes.resident_bytes);
        metrics_text_plain(page, "process_virtual_memory_bytes", "gauge", "Address space.",
                           sizes.virtual_bytes);
        metrics_text_plain(page, "process_threads", "gauge", "Threads.", sizes.threads);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        metrics_text_plain(page, "process_max_fds", "gauge", "File descriptors it may open.",
                           limit.rlim_cur);
    }
}

/* --- budgets ----------------------------------------------------------------------------- */

static void add_use(struct page *page, const struct control_sources *sources,
                    enum pressure_kind kind, const char *used, const char *budget)
{
    struct control_use use;

    sources->use(sources->owner, kind, &use);
    metrics_text_plain(page, used, "gauge", "In use, as counted against the budget.", use.used);
    if (use.budget != UINT64_MAX) {
        metrics_text_plain(page, budget, "gauge",
                           "What the process may use (limits, or what the machine gives).",
                           use.budget);
    }
}

static void add_levels(struct page *page, const struct control_sources *sources)
{
    static const char *const kinds[PRESSURE_KINDS] = {
        [PRESSURE_MEMORY] = "memory", [PRESSURE_DESCRIPTORS] = "descriptors"};
    static const char name[] = "turnpike_pressure_level";

    metrics_text_family(page, name, "gauge",
                        "0: enough; 1: idle connections close; 2: large bodies wait; 3: new "
                        "connections are refused; 4: the costliest are closed.");
    for (int kind = 0; kind < PRESSURE_KINDS; kind++) {
        struct control_use use;

        sources->use(sources->owner, (enum pressure_kind)kind, &use);
        metrics_text_begin(page, name, "resource", kinds[kind]);
        metrics_text_end(page, use.level);
    }
}

static void add_limits(struct page *page, const struct control_sources *sources)
{
    struct plan *plan = sources->plan(sources->owner);
    const struct limits_settings *limits = &plan_settings(plan)->limits;
    struct control_facts facts;
    uint64_t handshakes = 0;

    sources->facts(sources->owner, &facts);
    for (uint32_t worker = 0; worker < facts.workers; worker++) {
        struct control_load load;

        sources->load(sources->owner, worker, &load);
        handshakes += load.handshakes;
    }
    if (limits->max_connections > 0) {
        metrics_text_plain(page, "turnpike_client_connections_limit", "gauge",
                           "Client connections that are accepted at once.",
                           limits->max_connections);
    }
    metrics_text_plain(page, "turnpike_tls_handshakes_in_progress", "gauge",
                       "TLS handshakes with clients under way.", handshakes);
    metrics_text_plain(page, "turnpike_tls_handshakes_limit", "gauge",
                       "TLS handshakes with clients that may be under way, over all workers.",
                       (uint64_t)limits->handshakes * facts.workers);
    plan_unref(&plan);
}

static void add_budgets(struct page *page, const struct control_sources *sources)
{
    add_limits(page, sources);
    if (sources->use == NULL) {
        return;
    }
    add_use(page, sources, PRESSURE_MEMORY, "turnpike_memory_used_bytes",
            "turnpike_memory_budget_bytes");
    add_use(page, sources, PRESSURE_DESCRIPTORS, "turnpike_descriptors_used",
            "turnpike_descriptors_budget");
    add_levels(page, sources);
}

/* --- times, and what is open ------------------------------------------------------------- */

static void add_time(struct page *page, const struct control_sources *sources,
                     enum metrics_time time, const char *name, const char *help)
{
    struct metrics_reading reading = {.name = ""};
    struct control_facts facts;

    sources->facts(sources->owner, &facts);
    for (uint32_t worker = 0; worker < facts.workers; worker++) {
        metrics_read_time(sources->metrics(sources->owner, worker), time, &reading);
    }
    metrics_text_family(page, name, "histogram", help);
    metrics_text_histogram(page, name, NULL, &reading, NULL);
}

/* Of all workers together: which one it was helps no operator, and a label for each costs. */
static void add_lag(struct page *page, const struct control_sources *sources)
{
    static const char name[] = "turnpike_loop_lag_max_seconds";
    struct control_facts facts;
    struct timespec now;
    uint64_t longest = 0;

    clock_gettime(CLOCK_MONOTONIC, &now);
    sources->facts(sources->owner, &facts);
    for (uint32_t worker = 0; worker < facts.workers; worker++) {
        uint64_t lag =
            metrics_longest_lag(sources->metrics(sources->owner, worker),
                                (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);

        longest = lag > longest ? lag : longest;
    }
    metrics_text_family(page, name, "gauge",
                        "Longest lag of a worker's loop in this minute and the one before.");
    page_format(page, "%s %llu.%06llu\n", name, (unsigned long long)(longest / 1000000),
                (unsigned long long)(longest % 1000000));
    add_time(page, sources, METRICS_TIME_LAG, "turnpike_loop_lag_seconds",
             "How late workers' loops came to due timers: what the turns before them took.");
}

static void add_open(struct page *page, const struct control_sources *sources, const char *name,
                     const char *help, enum metrics_event opening, enum metrics_event closing)
{
    uint64_t closed = merged_event(sources, closing); /* first: never more */
    uint64_t opened = merged_event(sources, opening);

    metrics_text_plain(page, name, "gauge", help, opened > closed ? opened - closed : 0);
}

void metrics_process_add(struct page *page, const struct control_sources *sources)
{
    add_budgets(page, sources);
    add_time(page, sources, METRICS_TIME_CONNECT, "turnpike_origin_connect_duration_seconds",
             "From the dial to an origin to the connection, its TLS handshake included.");
    add_time(page, sources, METRICS_TIME_HANDSHAKE, "turnpike_tls_handshake_duration_seconds",
             "From a client's accept to the end of its TLS handshake.");
    add_lag(page, sources);
    add_open(page, sources, "turnpike_tunnels_open",
             "Connections that carry another protocol, such as WebSocket.", METRICS_TUNNEL_OPENED,
             METRICS_TUNNEL_CLOSED);
    add_open(page, sources, "turnpike_http2_streams_open",
             "HTTP/2 streams of clients whose exchange is under way.", METRICS_HTTP2_OPENED,
             METRICS_HTTP2_CLOSED);
    add_kernel(page, sources);
}
