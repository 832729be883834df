/* SPDX-License-Identifier: BSD-2-Clause */
/* GET /v1/routes and GET /v1/services: the configuration as it runs, with what was counted, in
 * the configuration's own words. */
#include "config/schema/schema.h"
#include "control/endpoints.h"
#include "control/live/live.h"
#include "exchange/maintenance.h"
#include "control/pages/merged.h"
#include "control/pages/readings.h"
#include "control/pages/route_facts.h"
#include "exchange/explain/explain.h"
#include "observe/origin_label.h"

#include <stdio.h>

/* Of the last seconds, where they were measured. */
static void add_speed(struct json *json, const struct live_meters *meters, const char *name)
{
    const struct live_meter *meter = meters != NULL ? live_meters_find(meters, name) : NULL;

    if (meter == NULL || meter->recent_seconds <= 0) {
        return;
    }
    json_hundredths(json, "rate_per_s", (uint64_t)(live_meter_rate(meter) * 100 + 0.5));
    json_number(json, "p50_us", live_meter_percentile(meter, 0.5));
    json_number(json, "p99_us", live_meter_percentile(meter, 0.99));
}

/* --- routes ------------------------------------------------------------------------------ */

static void add_hosts(struct json *json, const struct route_settings *route)
{
    if (route->host_count == 0) {
        return;
    }
    json_begin_list(json, "host");
    for (uint32_t i = 0; i < route->host_count; i++) {
        char text[300];
        const struct host_pattern *host = &route->hosts[i];
        int length = snprintf(text, sizeof(text), "%s%.*s", host->kind == HOST_EXACT ? "" : "*",
                              host->kind == HOST_ANY ? 0 : (int)host->text.length, host->text.at);

        json_bytes(json, NULL, (struct bytes){text, (size_t)length});
    }
    json_end_list(json);
}

static void add_match(struct json *json, const struct route_settings *route)
{
    json_begin_object(json, "match");
    add_hosts(json, route);
    if (route->path_kind != PATH_ANY) {
        json_bytes(json, route->path_kind == PATH_EXACT ? "path" : "path_prefix", route->path);
    }
    if (route->method_count > 0) {
        json_begin_list(json, "method");
        for (uint32_t i = 0; i < route->method_count; i++) {
            json_bytes(json, NULL, route->methods[i]);
        }
        json_end_list(json);
    }
    if (route->needs_grpc + route->header_count + route->query_count + route->listener_count > 0) {
        json_number(json, "further_conditions",
                    route->needs_grpc + route->header_count + route->query_count +
                        (route->listener_count > 0));
    }
    json_end_object(json);
}

static void add_split(struct json *json, const struct route_settings *route,
                      const struct split_reading *split)
{
    bool is_known = split != NULL && split->arm_count == route->arm_count;

    json_begin_object(json, "split");
    for (uint32_t i = 0; i < route->arm_count; i++) {
        json_percent(json, is_known ? split->arms[i].service : route->arms[i].service->name,
                     is_known ? split->arms[i].weight : route->arms[i].weight);
    }
    json_end_object(json);
    if (is_known && split->differs) {
        json_text(json, "differs_from_file", split_cause_name(split->cause));
    }
}

static void add_action(struct json *json, const struct route_settings *route,
                       const struct split_reading *split)
{
    if (route->action != ROUTE_FORWARD) {
        explain_own_answer(route, json);
    } else if (route->arm_count == 1) {
        json_text(json, "service", route->arms[0].service->name);
    } else {
        add_split(json, route, split);
    }
}

/* An order that says what the file says is one all the same: it holds over a reload that changes the
 * file. */
static void add_maintenance(struct json *json, const struct route_settings *route)
{
    bool by_order = maintenance_of(route->name) != MAINTENANCE_BY_FILE;

    if (by_order || route->access_rules.maintenance) {
        json_flag(json, "maintenance", maintenance_holds(route));
        json_text(json, "maintenance_by", by_order ? "operator" : "file");
    }
}

void routes_answer(struct question *question)
{
    const struct control_sources *sources = question->sources;
    const struct settings *settings = question_settings(question);
    struct json *json = question_json(question);
    struct merged merged;
    struct readings readings;
    const struct live_meters *meters = live_meters_of(question->live, METRICS_ROUTES);
    bool counted = merged_read(sources, METRICS_ROUTES, &merged);

    readings_take(sources, READ_SPLITS, &readings); /* without memory there are none */
    json_begin_list(json, "routes");
    for (uint32_t i = 0; i < settings->route_count; i++) {
        const struct route_settings *route = &settings->routes[i];
        const struct metrics_reading *reading = counted ? merged_find(&merged, route->name) : NULL;

        json_begin_row(json, NULL);
        json_text(json, "name", route->name);
        add_match(json, route);
        add_action(json, route, readings_split(&readings, route->name));
        add_maintenance(json, route);
        route_facts_add(json, route, reading != NULL ? reading->by_cache : NULL);
        merged_add_counts(json, reading);
        add_speed(json, meters, route->name);
        json_end_object(json);
    }
    json_end_list(json);
    readings_release(&readings);
    merged_release(&merged);
    question_answer_json(question);
}

/* --- services ---------------------------------------------------------------------------- */

static void add_counters(struct json *json, const struct origin_reading *known)
{
    json_number(json, "connections", known->connections);
    if (known->http2_connections > 0) {
        json_number(json, "http2_connections", known->http2_connections);
        json_number(json, "http2_streams", known->http2_streams);
    }
    json_number(json, "in_flight", known->in_flight);
    json_number(json, "pending", known->waiting);
    if (known->adapts) {
        json_number(json, "concurrency", known->limit);
        json_number(json, "refused", known->refused);
    }
    json_number(json, "requests", known->requests);
    json_number(json, "failures", known->failures);
    json_number(json, "ejected", known->ejected);
    json_text(json, "probes", origin_verdict_name(known->verdict));
}

/* Nothing where it is HTTP/1, as is usual. */
static void add_protocol(struct json *json, const struct origin_settings *origin)
{
    static const char *const words[] = {
        [ORIGIN_PROTOCOL_HTTP2] = "http2", [ORIGIN_PROTOCOL_AUTO] = "auto"};

    if (origin->protocol != ORIGIN_PROTOCOL_HTTP1) {
        json_text(json, "protocol", words[origin->protocol]);
    }
}

static void add_addresses(struct json *json, const struct origin_summary *summary)
{
    if (summary->is_name) {
        json_number(json, "addresses", summary->addresses);
        json_number(json, "serving", summary->serving);
    }
}

/* An origin of the file, a target of an SRV name, or the name itself: what they have in common. */
static void begin_origin(struct json *json, const struct service_settings *service,
                         const char *address, uint64_t weight, const char *state)
{
    json_begin_row(json, NULL);
    json_text(json, "service", service->name);
    json_text(json, "address", address);
    json_number(json, "weight", weight);
    json_text(json, "state", state);
}

static void add_origin(struct json *json, const struct service_settings *service,
                       const struct origin_settings *origin, const struct readings *readings)
{
    const struct origin_summary summary = readings_origin(readings, origin->name);

    begin_origin(json, service, origin->name, origin->weight, summary.state);
    add_protocol(json, origin);
    add_counters(json, &summary.sum);
    add_addresses(json, &summary);
    json_end_object(json);
}

static void add_target(struct json *json, const struct service_settings *service,
                       const struct origin_settings *origin, const struct srv_target *target,
                       const struct readings *readings)
{
    char place[SRV_PLACE_ROOM];
    const struct origin_summary summary = readings_origin(readings, srv_place(target, place));

    begin_origin(json, service, place, (uint64_t)target->weight * origin->weight, summary.state);
    add_counters(json, &summary.sum);
    add_addresses(json, &summary);
    json_number(json, "priority", target->priority);
    json_text(json, "of", origin->name);
    json_end_object(json);
}

/* The name itself, and a row for each target. */
static void add_srv(struct json *json, const struct service_settings *service,
                    const struct origin_settings *origin, const struct readings *readings)
{
    const struct origin_summary summary = readings_origin(readings, origin->name);
    const struct srv_reading *srv = readings_srv(readings, origin->srv);

    begin_origin(json, service, origin->name, origin->weight, name_state_name(srv->state));
    add_counters(json, &summary.sum);
    json_number(json, "targets", srv->count);
    json_end_object(json);
    for (uint32_t i = 0; i < srv->count; i++) {
        add_target(json, service, origin, &srv->targets[i], readings);
    }
}

/* Each address of each name: an origin of its own, which `turnpikectl drain` knows as shown. */
static void add_all_addresses(struct json *json, const struct readings *readings)
{
    json_begin_list(json, "addresses");
    for (size_t i = 0; i < readings->origin_count; i++) {
        const struct origin_reading *row = &readings->origins[i];

        if (origin_label_address(bytes_of(row->name)).length > 0) {
            json_begin_row(json, NULL);
            json_text(json, "origin", row->name);
            json_text(json, "state", origin_reading_state(row));
            add_counters(json, row);
            json_end_object(json);
        }
    }
    json_end_list(json);
}

static void add_origins(struct json *json, const struct settings *settings,
                        const struct readings *readings)
{
    json_begin_list(json, "origins");
    for (uint32_t i = 0; i < settings->service_count; i++) {
        const struct service_settings *service = &settings->services[i];

        for (uint32_t j = 0; j < service->origin_count; j++) {
            const struct origin_settings *origin = &service->origins[j];

            (origin->srv != NULL ? add_srv : add_origin)(json, service, origin, readings);
        }
    }
    json_end_list(json);
}

/* Now: of an SRV name, its targets. */
static uint32_t count_origins(const struct service_settings *service,
                              const struct readings *readings)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < service->origin_count; i++) {
        const char *srv = service->origins[i].srv;

        count += srv != NULL ? readings_srv(readings, srv)->count : 1;
    }
    return count;
}

void services_answer(struct question *question)
{
    const struct control_sources *sources = question->sources;
    const struct settings *settings = question_settings(question);
    struct json *json = question_json(question);
    struct merged merged;
    struct readings readings;
    const struct live_meters *meters = live_meters_of(question->live, METRICS_SERVICES);
    bool counted = merged_read(sources, METRICS_SERVICES, &merged);

    readings_take(sources, READ_ORIGINS | READ_NAMES, &readings); /* without memory: none */
    json_begin_list(json, "services");
    for (uint32_t i = 0; i < settings->service_count; i++) {
        const struct service_settings *service = &settings->services[i];

        json_begin_row(json, NULL);
        json_text(json, "name", service->name);
        json_bytes(json, "balance", config_choice_word(PLACE_SERVICE, "balance", service->balance));
        json_number(json, "origins", count_origins(service, &readings));
        merged_add_counts(json, counted ? merged_find(&merged, service->name) : NULL);
        add_speed(json, meters, service->name);
        json_end_object(json);
    }
    json_end_list(json);
    add_origins(json, settings, &readings);
    add_all_addresses(json, &readings);
    readings_release(&readings);
    merged_release(&merged);
    question_answer_json(question);
}
