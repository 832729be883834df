/* SPDX-License-Identifier: BSD-2-Clause */
/* GET /v1/routes and GET /v1/services: the configuration as it runs, with what was counted, in
 * the configuration's own words. */
#include "control/endpoints.h"
#include "control/merged.h"

#include <stdio.h>

static void add_counts(struct json *json, const struct metrics_reading *reading)
{
    json_number(json, "exchanges", reading != NULL ? reading->exchanges : 0);
    json_number(json, "errors", reading != NULL ? reading->errors : 0);
    json_number(json, "received_bytes", reading != NULL ? reading->bytes_in : 0);
    json_number(json, "sent_bytes", reading != NULL ? reading->bytes_out : 0);
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
    if (route->header_count + route->query_count + route->listener_count > 0) {
        json_number(json, "further_conditions",
                    route->header_count + route->query_count + (route->listener_count > 0));
    }
    json_end_object(json);
}

static void add_action(struct json *json, const struct route_settings *route)
{
    switch (route->action) {
    case ROUTE_FORWARD:
        if (route->arm_count == 1) {
            json_text(json, "service", route->arms[0].service->name);
            break;
        }
        json_begin_object(json, "split");
        for (uint32_t i = 0; i < route->arm_count; i++) {
            json_hundredths(json, route->arms[i].service->name, route->arms[i].weight);
        }
        json_end_object(json);
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

void routes_answer(struct question *question)
{
    const struct control_sources *sources = question->sources;
    struct plan *plan = sources->plan(sources->owner);
    const struct settings *settings = plan_settings(plan);
    struct json json = json_on(&question->page);
    struct merged merged;
    bool counted = merged_read(sources, METRICS_ROUTES, &merged);

    json_begin_object(&json, NULL);
    json_begin_list(&json, "routes");
    for (uint32_t i = 0; i < settings->route_count; i++) {
        const struct route_settings *route = &settings->routes[i];

        json_begin_row(&json, NULL);
        json_text(&json, "name", route->name);
        add_match(&json, route);
        add_action(&json, route);
        add_counts(&json, counted ? merged_find(&merged, route->name) : NULL);
        json_end_object(&json);
    }
    json_end_list(&json);
    json_end_object(&json);
    merged_release(&merged);
    plan_unref(&plan);
    question_answer_json(question);
}

/* --- services ---------------------------------------------------------------------------- */

static void add_origins(struct json *json, const struct service_settings *service)
{
    json_begin_list(json, "origins");
    for (uint32_t i = 0; i < service->origin_count; i++) {
        json_begin_row(json, NULL);
        json_text(json, "address", service->origins[i].name);
        json_number(json, "weight", service->origins[i].weight);
        json_end_object(json);
    }
    json_end_list(json);
}

void services_answer(struct question *question)
{
    const struct control_sources *sources = question->sources;
    struct plan *plan = sources->plan(sources->owner);
    const struct settings *settings = plan_settings(plan);
    struct json json = json_on(&question->page);
    struct merged merged;
    bool counted = merged_read(sources, METRICS_SERVICES, &merged);

    json_begin_object(&json, NULL);
    json_begin_list(&json, "services");
    for (uint32_t i = 0; i < settings->service_count; i++) {
        const struct service_settings *service = &settings->services[i];

        json_begin_object(&json, NULL);
        json_text(&json, "name", service->name);
        add_counts(&json, counted ? merged_find(&merged, service->name) : NULL);
        add_origins(&json, service);
        json_end_object(&json);
    }
    json_end_list(&json);
    json_end_object(&json);
    merged_release(&merged);
    plan_unref(&plan);
    question_answer_json(question);
}
