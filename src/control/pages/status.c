/* SPDX-License-Identifier: BSD-2-Clause */
/* GET /v1/status and GET /health: the process as a whole. GET /v1: what may be asked. */
#include "control/endpoints.h"
#include "control/pages/differences.h"
#include "control/pages/merged.h"

#include <unistd.h>

/* How what runs relates to the file. */
static void add_reloads(struct json *json, const struct control_sources *sources)
{
    struct reload_status status;

    if (sources->reload_status == NULL) {
        return;
    }
    sources->reload_status(sources->owner, &status);
    json_number(json, "generation", status.generation);
    json_time(json, "loaded", status.loaded_at);
    json_text(json, "fingerprint", status.fingerprint);
    if (status.unconfirmed) {
        json_time(json, "confirm_by", status.confirm_until);
    }
    if (status.last_failed) {
        json_text(json, "file_error", status.last_error);
    }
    if (status.went_back) {
        json_text(json, "rolled_back",
                  "the file was loaded and rolled back; turnpikectl reload loads it again");
    }
}

static void add_load(struct json *json, const struct control_sources *sources, uint32_t workers)
{
    struct control_load load = merged_load(sources);

    json_number(json, "client_connections", load.connections);
    json_number(json, "exchanges_started", load.begun);
    json_begin_list(json, "workers");
    for (uint32_t worker = 0; worker < workers; worker++) {
        sources->load(sources->owner, worker, &load);
        json_begin_row(json, NULL);
        json_number(json, "worker", worker);
        json_number(json, "client_connections", load.connections);
        json_number(json, "exchanges_started", load.begun);
        json_end_object(json);
    }
    json_end_list(json);
}

static void add_listeners(struct json *json, const struct control_sources *sources,
                          const struct settings *settings)
{
    struct merged merged;
    bool counted = merged_read(sources, METRICS_LISTENERS, &merged);

    json_begin_list(json, "listeners");
    for (uint32_t i = 0; i < settings->listener_count; i++) {
        const struct metrics_reading *reading =
            counted ? merged_find(&merged, settings->listeners[i].name) : NULL;

        json_begin_row(json, NULL);
        json_text(json, "address", settings->listeners[i].name);
        merged_add_counts(json, reading);
        json_end_object(json);
    }
    json_end_list(json);
    merged_release(&merged);
}

void status_answer(struct question *question)
{
    const struct control_sources *sources = question->sources;
    const struct settings *settings = question_settings(question);
    struct json *json = question_json(question);

    json_text(json, "version", PACKAGE_VERSION);
    json_number(json, "pid", (uint64_t)getpid());
    json_text(json, "state", atomic_load(sources->stopping) ? "stopping" : "running");
    json_time(json, "started", sources->started_realtime_s);
    json_text(json, "config", sources->config_file);
    add_reloads(json, sources);
    json_number(json, "routes", settings->route_count);
    json_number(json, "services", settings->service_count);
    differences_add(json, sources, settings);
    stopped_ramps_add(json, sources);
    add_load(json, sources, sources->workers);
    add_listeners(json, sources, settings);
    question_answer_json(question);
}

void health_answer(struct question *question)
{
    const bool stopping = atomic_load(question->sources->stopping);

    page_add_text(&question->page, stopping ? "stopping\n" : "ok\n");
    question_answer(question, stopping ? 503 : 200, BYTES("text/plain"));
}

static void add_endpoint(struct json *json, const char *method, const char *path, const char *help)
{
    json_begin_row(json, NULL);
    json_text(json, "method", method);
    json_text(json, "path", path);
    json_text(json, "help", help);
    json_end_object(json);
}

void endpoints_answer(struct question *question)
{
    struct json *json = question_json(question);

    json_begin_list(json, "endpoints");
#define ROW(method, path, answer, place, order, help) add_endpoint(json, method, path, help);
    CONTROL_ENDPOINTS(ROW)
#undef ROW
    json_end_list(json);
    question_answer_json(question);
}
