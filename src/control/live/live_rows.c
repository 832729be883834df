/* SPDX-License-Identifier: BSD-2-Clause */
/* Names and texts go out as JSON strings and are shown as text; no number is rounded here but
 * rates, which are told in hundredths. */
#include "control/live/live_rows.h"

#include "control/pages/readings.h"
#include "control/pages/route_facts.h"
#include "exchange/explain/explain.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* --- measuring --------------------------------------------------------------------------- */

void live_rows_measure(struct live_rows *rows, const struct control_sources *sources,
                       double seconds)
{
    static const enum metrics_kind kinds[] = {METRICS_ROUTES, METRICS_SERVICES, METRICS_ORIGINS};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (merged_read_again(sources, kinds[i], &rows->counted)) {
            /* Without memory: as it was. */
            live_meters_update(&rows->met[kinds[i]], &rows->counted, seconds);
            merged_let_go(&rows->counted);
        }
    }
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
    if (route->action != ROUTE_FORWARD) {
        explain_own_answer(route, json);
    } else if (route->arm_count == 1) {
        json_text(json, "service", route->arms[0].service->name);
    } else {
        json_number(json, "arms", route->arm_count);
    }
}

/* `same`: the settings are those of the update before. A route that stood still is not written again only
 * to find that nothing about it has changed. */
static void add_routes(struct live_rows *rows, const struct settings *settings, bool same,
                       struct page *page)
{
    struct page match = {0};

    live_table_begin(&rows->tables[LIVE_ROUTES], "routes", page);
    for (uint32_t i = 0; i < settings->route_count; i++) {
        const struct route_settings *route = &settings->routes[i];
        struct live_meter *meter = live_meters_find(&rows->met[METRICS_ROUTES], route->name);
        struct json json;

        if (same && meter != NULL && meter->told && !route_facts_are_there(route) &&
            live_table_keep_row(&rows->tables[LIVE_ROUTES])) {
            continue;
        }
        if (meter != NULL) {
            meter->told = meter->idle;
        }
        json = live_table_row(&rows->tables[LIVE_ROUTES]);
        json_text(&json, "name", route->name);
        add_match(&json, route, &match);
        add_goal(&json, route);
        route_facts_add(&json, route, meter != NULL ? meter->by_cache : NULL);
        add_meter(&json, meter);
        live_table_row_end(&rows->tables[LIVE_ROUTES], &json);
    }
    live_table_end(&rows->tables[LIVE_ROUTES]);
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

static void add_splits(struct live_rows *rows, const struct readings *readings,
                       const struct settings *settings, struct page *page)
{
    live_table_begin(&rows->tables[LIVE_SPLITS], "splits", page);
    for (uint32_t i = 0; i < settings->route_count; i++) {
        const struct route_settings *route = &settings->routes[i];
        const struct split_reading *split =
            route->arm_count > 1 ? readings_split(readings, route->name) : NULL;
        struct json json;

        if (split == NULL) {
            continue;
        }
        json = live_table_row(&rows->tables[LIVE_SPLITS]);
        json_text(&json, "route", route->name);
        json_number(&json, "route_row", i);
        json_text(&json, "by", split_cause_name(split->cause));
        json_flag(&json, "differs", split->differs);
        add_arms(&json, split);
        if (split->ramp.phase != RAMP_NONE && route->split.ramp.step_count > 0) {
            add_ramp(&json, &split->ramp, &route->split.ramp);
        }
        live_table_row_end(&rows->tables[LIVE_SPLITS], &json);
    }
    live_table_end(&rows->tables[LIVE_SPLITS]);
}

/* --- services ---------------------------------------------------------------------------- */

static void add_services(struct live_rows *rows, const struct settings *settings, struct page *page)
{
    live_table_begin(&rows->tables[LIVE_SERVICES], "services", page);
    for (uint32_t i = 0; i < settings->service_count; i++) {
        const struct service_settings *service = &settings->services[i];
        struct json json = live_table_row(&rows->tables[LIVE_SERVICES]);

        json_text(&json, "name", service->name);
        add_meter(&json, live_meters_find(&rows->met[METRICS_SERVICES], service->name));
        live_table_row_end(&rows->tables[LIVE_SERVICES], &json);
    }
    live_table_end(&rows->tables[LIVE_SERVICES]);
}

/* --- origins ----------------------------------------------------------------------------- */

/* What the tables of origins share. */
struct origin_table {
    struct live_rows *rows;
    const struct service_settings *service;
    const struct readings *readings;
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
    struct json json = live_table_row(&table->rows->tables[LIVE_ORIGINS]);

    json_text(&json, "service", table->service->name);
    json_text(&json, "name", name);
    json_text(&json, "state", state);
    add_why(&json, known);
    json_number(&json, "weight", weight);
    json_flag(&json, "backup", backup);
    add_pool(&json, known);
    add_meter(&json, live_meters_find(&table->rows->met[METRICS_ORIGINS], name));
    live_table_row_end(&table->rows->tables[LIVE_ORIGINS], &json);
}

/* An address, or each address of a name. */
static void add_origin(struct origin_table *table, const char *name, uint64_t weight, bool backup)
{
    const struct origin_summary summary = readings_origin(table->readings, name);

    for (uint32_t i = 0; i < summary.addresses; i++) {
        const struct origin_reading *row = &summary.rows[i];

        add_reading(table, row, row->name, origin_reading_state(row), weight, backup);
    }
    if (summary.addresses == 0) {
        add_reading(table, &summary.sum, name, summary.state, weight, backup);
    }
}

static void add_srv(struct origin_table *table, const struct origin_settings *origin)
{
    const struct srv_reading *srv = readings_srv(table->readings, origin->srv);
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

static void add_origins(struct live_rows *rows, const struct readings *readings,
                        const struct settings *settings, struct page *page)
{
    struct origin_table table = {.rows = rows, .readings = readings};

    live_table_begin(&rows->tables[LIVE_ORIGINS], "origins", page);
    for (uint32_t i = 0; i < settings->service_count; i++) {
        table.service = &settings->services[i];
        add_origins_of(&table);
    }
    live_table_end(&rows->tables[LIVE_ORIGINS]);
}

/* --- the process ------------------------------------------------------------------------- */

static void add_config(struct json *json, const struct control_sources *sources)
{
    struct reload_status status;

    if (sources->reload_status == NULL) {
        return;
    }
    sources->reload_status(sources->owner, &status);
    json_number(json, "generation", status.generation);
    json_number(json, "loaded_s", status.loaded_at);
    json_text(json, "fingerprint", status.fingerprint);
    json_text(json, "file_error", status.last_failed ? status.last_error : NULL);
    json_flag(json, "went_back", status.went_back);
    json_number(json, "confirm_until_s", status.unconfirmed ? status.confirm_until : 0);
}

static void add_process(struct page *page, const struct control_sources *sources)
{
    struct page row = {0};
    struct json json = json_on(&row);

    json_begin_row(&json, NULL);
    json_text(&json, "version", PACKAGE_VERSION);
    json_number(&json, "pid", (uint64_t)getpid());
    json_flag(&json, "stopping", atomic_load(sources->stopping));
    json_number(&json, "started_s", sources->started_realtime_s);
    json_text(&json, "config", sources->config_file);
    json_number(&json, "workers", sources->workers);
    add_config(&json, sources);
    json_end_object(&json);
    page_add_text(page, ",\"process\":");
    page_add(page, bytes_first(page_bytes(&row), row.length - 1));
    page->failed = page->failed || row.failed;
    page_release(&row);
}

/* --- budgets ----------------------------------------------------------------------------- */

static void add_use(struct page *page, const char *name, const struct control_use *use)
{
    page_format(page, "\"%s\":{\"used\":%llu,\"level\":%u,\"budget\":", name,
                (unsigned long long)use->used, use->level);
    if (use->budget == 0 || use->budget == UINT64_MAX) {
        page_add_text(page, "null}");
    } else {
        page_format(page, "%llu}", (unsigned long long)use->budget);
    }
}

static void add_uses(struct page *page, const struct control_sources *sources,
                     const struct settings *settings)
{
    static const char *const names[PRESSURE_KINDS] = {
        [PRESSURE_MEMORY] = "memory", [PRESSURE_DESCRIPTORS] = "descriptors"};
    struct control_use use = {.used = merged_load(sources).connections,
                              .budget = settings->limits.max_connections};

    page_add_text(page, ",\"use\":{");
    add_use(page, "connections", &use);
    for (int kind = 0; kind < PRESSURE_KINDS && sources->use != NULL; kind++) {
        sources->use(sources->owner, (enum pressure_kind)kind, &use);
        page_add_char(page, ',');
        add_use(page, names[kind], &use);
    }
    page_add_char(page, '}');
}

/* --- cuts -------------------------------------------------------------------------------- */

/* Causes that there were. */
static void add_cuts(struct live_table *table, const struct control_sources *sources,
                     struct page *page)
{
    live_table_begin(table, "cuts", page);
    for (unsigned cause = CUT_NONE + 1; cause < CUT_CAUSE_COUNT; cause++) {
        uint64_t sum = merged_sum(sources, metrics_cuts, cause);

        if (sum > 0) {
            struct json json = live_table_row(table);

            json_text(&json, "cause", cut_cause_name((enum cut_cause)cause));
            json_text(&json, "sentence", cut_cause_sentence((enum cut_cause)cause));
            json_number(&json, "count", sum);
            live_table_row_end(table, &json);
        }
    }
    live_table_end(table);
}

/* --- changes ----------------------------------------------------------------------------- */

static void on_change(void *owner, const struct control_past_change *change)
{
    static const char *const kinds[] = {"gateway", "signal", "operator"};
    struct live_table *table = owner;
    struct json json = live_table_row(table);

    json_number(&json, "at_s", change->at_s);
    json_text(&json, "by", kinds[change->who.kind]);
    if (change->who.kind != WHO_GATEWAY) {
        json_number(&json, "uid", change->who.uid);
    }
    json_text(&json, "action", change->action);
    json_text(&json, "subject", change->subject);
    json_text(&json, "before", change->before);
    json_text(&json, "after", change->after);
    json_text(&json, "change", change->change);
    json_text(&json, "why", change->why);
    json_flag(&json, "ok", change->ok);
    live_table_row_end(table, &json);
}

static void add_changes(struct live_table *table, const struct control_sources *sources,
                        struct page *page)
{
    live_table_begin(table, "changes", page);
    if (sources->past_changes != NULL) {
        sources->past_changes(sources->owner, on_change, table);
    }
    live_table_end(table);
}

/* --- certificates ------------------------------------------------------------------------ */

static void add_certificate(struct live_table *table, const struct tls_certificate_facts *facts)
{
    struct json json = live_table_row(table);

    json_text(&json, "subject", facts->subject);
    json_begin_list(&json, "names");
    for (uint32_t i = 0; i < facts->name_count; i++) {
        json_text(&json, NULL, facts->names[i]);
    }
    json_end_list(&json);
    json_text(&json, "issuer", facts->issuer);
    json_number(&json, "not_after_s", facts->not_after_s > 0 ? (uint64_t)facts->not_after_s : 0);
    json_text(&json, "state", tls_dating_word(tls_dating_of(facts, (int64_t)time(NULL))));
    json_text(&json, "role", facts->role == TLS_ROLE_CA ? "CA" : "certificate");
    json_text(&json, "kind", facts->service != NULL ? "service" : "listener");
    json_text(&json, "used_by", facts->service != NULL ? facts->service : facts->listener);
    live_table_row_end(table, &json);
}

static void add_certificates(struct live_table *table, const struct plan *plan, struct page *page)
{
    const struct tls_certificate_facts *facts;

    live_table_begin(table, "certificates", page);
    for (uint32_t i = 0; (facts = tls_store_certificate(plan_tls(plan), i)) != NULL; i++) {
        add_certificate(table, facts);
    }
    live_table_end(table);
}

/* --- all --------------------------------------------------------------------------------- */

void live_rows_add(struct live_rows *rows, const struct control_sources *sources, struct page *page)
{
    struct plan *plan = sources->plan(sources->owner);
    const struct settings *settings = plan_settings(plan);
    struct readings readings;

    readings_take(sources, READ_ORIGINS | READ_SPLITS | READ_NAMES, &readings); /* or none */
    add_process(page, sources);
    add_uses(page, sources, settings);
    add_cuts(&rows->tables[LIVE_CUTS], sources, page);
    add_changes(&rows->tables[LIVE_CHANGES], sources, page);
    add_certificates(&rows->tables[LIVE_CERTIFICATES], plan, page);
    add_routes(rows, settings, plan == rows->told, page);
    add_splits(rows, &readings, settings, page);
    add_services(rows, settings, page);
    add_origins(rows, &readings, settings, page);
    readings_release(&readings);
    if (rows->told != NULL) {
        plan_unref(&rows->told);
    }
    rows->told = plan;
}

void live_rows_forget(struct live_rows *rows)
{
    for (int i = 0; i < LIVE_TABLES; i++) {
        live_table_forget(&rows->tables[i]);
    }
}

void live_rows_release(struct live_rows *rows)
{
    if (rows->told != NULL) {
        plan_unref(&rows->told);
    }
    for (int i = 0; i < METRICS_KIND_COUNT; i++) {
        live_meters_release(&rows->met[i]);
    }
    merged_release(&rows->counted);
    for (int i = 0; i < LIVE_TABLES; i++) {
        live_table_release(&rows->tables[i]);
    }
}
