/* SPDX-License-Identifier: BSD-2-Clause */
/* Names and texts go out as JSON strings and are shown as text; no number is rounded here but
 * rates, which are told in hundredths. */
#include "control/live/live_rows.h"

#include "base/address.h"
#include "control/pages/origin_readings.h"
#include "control/pages/route_facts.h"
#include "control/pages/split_readings.h"
#include "control/pages/srv_readings.h"

#include <stdio.h>

/* --- measuring --------------------------------------------------------------------------- */

static void measure(struct live_meters *meters, struct merged *counted,
                    const struct control_sources *sources, enum metrics_kind kind, double seconds)
{
    if (merged_read_again(sources, kind, counted)) {
        live_meters_update(meters, counted, seconds); /* without memory: as it was */
        merged_let_go(counted);
    }
}

void live_rows_measure(struct live_rows *rows, const struct control_sources *sources,
                       double seconds)
{
    measure(&rows->routes_met, &rows->counted, sources, METRICS_ROUTES, seconds);
    measure(&rows->services_met, &rows->counted, sources, METRICS_SERVICES, seconds);
    measure(&rows->origins_met, &rows->counted, sources, METRICS_ORIGINS, seconds);
}

static uint64_t hundredths(double rate)
{
    return (uint64_t)(rate * 100 + 0.5);
}

static void add_meter(struct json *json, const struct live_meter *meter)
{
    if (meter == NULL) {
        return;
    }
    json_number(json, "total", meter->exchanges);
    json_number(json, "rate", hundredths(live_meter_rate(meter)));
    json_number(json, "failures", hundredths(live_meter_failure_rate(meter)));
    json_number(json, "p50_us", live_meter_percentile(meter, 0.5));
    json_number(json, "p99_us", live_meter_percentile(meter, 0.99));
}

/* --- routes ------------------------------------------------------------------------------ */

static void add_host(struct page *text, const struct host_pattern *host)
{
    page_add_text(text, host->kind == HOST_EXACT ? "" : "*");
    page_add(text, host->kind == HOST_ANY ? BYTES("") : host->text);
}

/* "shop.example, *.shop.example /api/..." */
static void add_match(struct json *json, const struct route_settings *route, struct page *text)
{
    text->length = 0;
    for (uint32_t i = 0; i < route->method_count; i++) {
        page_add(text, route->methods[i]);
        page_add_text(text, i + 1 < route->method_count ? "|" : " ");
    }
    for (uint32_t i = 0; i < route->host_count; i++) {
        page_add_text(text, i > 0 ? ", " : "");
        add_host(text, &route->hosts[i]);
    }
    if (route->path_kind != PATH_ANY) {
        page_add_text(text, route->host_count > 0 ? " " : "");
        page_add(text, route->path);
        page_add_text(text, route->path_kind == PATH_PREFIX ? "…" : "");
    }
    if (route->needs_grpc + route->header_count + route->query_count + route->listener_count > 0) {
        page_add_text(text, " and more");
    }
    json_bytes(json, "match", text->length > 0 ? page_bytes(text) : BYTES("all"));
}

static void add_goal(struct json *json, const struct route_settings *route)
{
    switch (route->action) {
    case ROUTE_FORWARD:
        if (route->arm_count == 1) {
            json_text(json, "service", route->arms[0].service->name);
        } else {
            json_number(json, "arms", route->arm_count);
        }
        break;
    case ROUTE_RESPOND:
        json_number(json, "respond", route->respond.status);
        break;
    case ROUTE_REDIRECT:
        json_bytes(json, "redirect", route->redirect.to);
        break;
    case ROUTE_ASK:
        break;
    }
}

/* `same`: the settings are those of the update before. A route that stood still is not written again only
 * to find that nothing about it has changed. */
static void add_routes(struct live_rows *rows, const struct settings *settings, bool same,
                       struct page *page)
{
    struct page match = {0};

    live_table_begin(&rows->routes, "routes", page);
    for (uint32_t i = 0; i < settings->route_count; i++) {
        const struct route_settings *route = &settings->routes[i];
        struct live_meter *meter = live_meters_find(&rows->routes_met, route->name);
        struct json json;

        if (same && meter != NULL && meter->told && !route_facts_are_there(route) &&
            live_table_keep_row(&rows->routes)) {
            continue;
        }
        if (meter != NULL) {
            meter->told = meter->idle;
        }
        json = live_table_row(&rows->routes);
        json_text(&json, "name", route->name);
        add_match(&json, route, &match);
        add_goal(&json, route);
        route_facts_add(&json, route, meter != NULL ? meter->by_cache : NULL);
        add_meter(&json, meter);
        live_table_row_end(&rows->routes, &json);
    }
    live_table_end(&rows->routes);
    page_release(&match);
}

/* --- splits ------------------------------------------------------------------------------ */

static void add_arms(struct json *json, const struct split_reading *split)
{
    json_begin_list(json, "arms");
    for (uint32_t i = 0; i < split->arm_count; i++) {
        json_begin_object(json, NULL);
        json_text(json, "service", split->arms[i].service);
        json_number(json, "weight", split->arms[i].weight);
        json_number(json, "file_weight", split->arms[i].file_weight);
        json_end_object(json);
    }
    json_end_list(json);
}

static void add_group(struct json *json, const char *name, const struct ramp_group_reading *group)
{
    json_begin_object(json, name);
    json_number(json, "requests", group->requests);
    json_number(json, "failures", group->failures);
    json_number(json, "p99_us", group->p99_us);
    json_end_object(json);
}

static void add_steps(struct json *json, const struct ramp_settings *ramp)
{
    json_begin_list(json, "steps");
    for (uint32_t i = 0; i < ramp->step_count; i++) {
        json_begin_object(json, NULL);
        json_number(json, "weight", ramp->steps[i].weight);
        json_number(json, "hold_ms", ramp->steps[i].hold);
        json_end_object(json);
    }
    json_end_list(json);
}

static void add_ramp(struct json *json, const struct ramp_reading *now,
                     const struct ramp_settings *ramp)
{
    json_begin_object(json, "ramp");
    json_text(json, "to", now->to);
    json_text(json, "phase", ramp_phase_name(now->phase));
    json_number(json, "step", now->step);
    json_number(json, "weight", now->weight);
    json_number(json, "since_ms", now->since_ms);
    json_text(json, "reason", now->reason[0] != '\0' ? now->reason : NULL);
    json_number(json, "samples", ramp->min_samples);
    json_number(json, "error_rate", ramp->error_rate);
    json_number(json, "p99", ramp->p99);
    add_group(json, "new_arm", &now->new_arm);
    add_group(json, "control_group", &now->control);
    add_steps(json, ramp);
    json_end_object(json);
}

static void add_splits(struct live_rows *rows, const struct control_sources *sources,
                       const struct settings *settings, struct page *page)
{
    struct split_readings readings;

    split_readings_take(sources, &readings); /* without memory there are none */
    live_table_begin(&rows->splits, "splits", page);
    for (uint32_t i = 0; i < settings->route_count; i++) {
        const struct route_settings *route = &settings->routes[i];
        const struct split_reading *split =
            route->arm_count > 1 ? split_readings_find(&readings, route->name) : NULL;
        struct json json;

        if (split == NULL) {
            continue;
        }
        json = live_table_row(&rows->splits);
        json_text(&json, "route", route->name);
        json_number(&json, "route_row", i);
        json_text(&json, "by", split_cause_name(split->cause));
        json_flag(&json, "differs", split->differs);
        add_arms(&json, split);
        if (split->ramp.phase != RAMP_NONE && route->split.ramp.step_count > 0) {
            add_ramp(&json, &split->ramp, &route->split.ramp);
        }
        live_table_row_end(&rows->splits, &json);
    }
    live_table_end(&rows->splits);
    split_readings_release(&readings);
}

/* --- services ---------------------------------------------------------------------------- */

static void add_services(struct live_rows *rows, const struct settings *settings, struct page *page)
{
    live_table_begin(&rows->services, "services", page);
    for (uint32_t i = 0; i < settings->service_count; i++) {
        const struct service_settings *service = &settings->services[i];
        struct json json = live_table_row(&rows->services);

        json_text(&json, "name", service->name);
        add_meter(&json, live_meters_find(&rows->services_met, service->name));
        live_table_row_end(&rows->services, &json);
    }
    live_table_end(&rows->services);
}

/* --- origins ----------------------------------------------------------------------------- */

/* What the tables of origins share. */
struct origin_table {
    struct live_rows *rows;
    const struct service_settings *service;
    struct origin_readings readings;
    struct srv_readings names;
};

/* Why it is in its state; nothing where it serves. */
static void add_why(struct json *json, const struct origin_reading *known)
{
    struct page why = {0};

    if (known->drained) {
        page_add_text(&why, "an operator drained it");
    } else if (known->verdict == ORIGIN_VERDICT_DOWN) {
        page_format(&why, "its probes fail (%llu of %llu so far)",
                    (unsigned long long)known->probes_failed, (unsigned long long)known->probes);
    } else if (known->phase == ORIGIN_EJECTED) {
        page_format(&why, "its answers failed or were slow; ejected %u times in a row",
                    known->ejections);
    } else if (known->phase == ORIGIN_HALF_OPEN) {
        page_add_text(&why, "it was ejected and gets one request at a time");
    }
    json_bytes(json, "why", page_bytes(&why));
    page_release(&why);
}

static void add_pool(struct json *json, const struct origin_reading *known)
{
    json_number(json, "connections", known->connections);
    json_number(json, "in_flight", known->in_flight);
    json_number(json, "pending", known->waiting);
    json_number(json, "back_in_s", (known->ejected_for_ms + 999) / 1000);
}

static void add_reading(struct origin_table *table, const struct origin_reading *known,
                        const char *name, const char *state, uint64_t weight, bool backup)
{
    struct json json = live_table_row(&table->rows->origins);

    json_text(&json, "service", table->service->name);
    json_text(&json, "name", name);
    json_text(&json, "state", state);
    add_why(&json, known);
    json_number(&json, "weight", weight);
    json_flag(&json, "backup", backup);
    add_pool(&json, known);
    add_meter(&json, live_meters_find(&table->rows->origins_met, name));
    live_table_row_end(&table->rows->origins, &json);
}

/* An address, or each address of a name. */
static void add_origin(struct origin_table *table, const char *name, uint64_t weight, bool backup)
{
    const struct origin_summary summary = origin_readings_sum(&table->readings, name);
    size_t length = strlen(name);
    bool any = false;

    for (size_t i = 0; summary.is_name && i < table->readings.count; i++) {
        const struct origin_reading *row = &table->readings.rows[i];

        if (strncmp(row->name, name, length) == 0 && row->name[length] == '@') {
            add_reading(table, row, row->name, origin_readings_state(row), weight, backup);
            any = true;
        }
    }
    if (!any) {
        add_reading(table, &summary.sum, name, summary.state, weight, backup);
    }
}

static void add_srv(struct origin_table *table, const struct origin_settings *origin)
{
    const struct srv_reading *srv = srv_readings_find(&table->names, origin->srv);
    char place[SRV_PLACE_ROOM];

    for (uint32_t i = 0; i < srv->count; i++) {
        const struct srv_target *target = &srv->targets[i];

        add_origin(table, srv_place(target, place), (uint64_t)target->weight * origin->weight,
                   origin->backup);
    }
    if (srv->count == 0) {
        const struct origin_reading none = {.name = origin->name};

        add_reading(table, &none, origin->name, name_state_name(srv->state), origin->weight,
                    origin->backup);
    }
}

static void add_origins_of(struct origin_table *table)
{
    for (uint32_t i = 0; i < table->service->origin_count; i++) {
        const struct origin_settings *origin = &table->service->origins[i];

        if (origin->srv != NULL) {
            add_srv(table, origin);
        } else {
            add_origin(table, origin->name, origin->weight, origin->backup);
        }
    }
}

static void add_origins(struct live_rows *rows, const struct control_sources *sources,
                        const struct settings *settings, struct page *page)
{
    struct origin_table table = {.rows = rows};

    origin_readings_take(sources, &table.readings); /* without memory there are none */
    srv_readings_take(sources, &table.names);
    live_table_begin(&rows->origins, "origins", page);
    for (uint32_t i = 0; i < settings->service_count; i++) {
        table.service = &settings->services[i];
        add_origins_of(&table);
    }
    live_table_end(&rows->origins);
    srv_readings_release(&table.names);
    origin_readings_release(&table.readings);
}

/* --- all --------------------------------------------------------------------------------- */

void live_rows_add(struct live_rows *rows, const struct control_sources *sources, struct page *page)
{
    struct plan *plan = sources->plan(sources->owner);
    const struct settings *settings = plan_settings(plan);

    add_routes(rows, settings, plan == rows->told, page);
    add_splits(rows, sources, settings, page);
    add_services(rows, settings, page);
    add_origins(rows, sources, settings, page);
    if (rows->told != NULL) {
        plan_unref(&rows->told);
    }
    rows->told = plan;
}

void live_rows_forget(struct live_rows *rows)
{
    live_table_forget(&rows->routes);
    live_table_forget(&rows->splits);
    live_table_forget(&rows->services);
    live_table_forget(&rows->origins);
}

void live_rows_release(struct live_rows *rows)
{
    if (rows->told != NULL) {
        plan_unref(&rows->told);
    }
    live_meters_release(&rows->routes_met);
    live_meters_release(&rows->services_met);
    live_meters_release(&rows->origins_met);
    merged_release(&rows->counted);
    live_table_release(&rows->routes);
    live_table_release(&rows->splits);
    live_table_release(&rows->services);
    live_table_release(&rows->origins);
}
