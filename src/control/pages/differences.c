/* SPDX-License-Identifier: BSD-2-Clause */
/* Weights of splits, orders of maintenance and drained origins, as lines for status and as YAML for the
 * file (GET /v1/config). */
#include "control/pages/differences.h"

#include "control/endpoints.h"
#include "control/pages/readings.h"
#include "exchange/maintenance.h"

/* Lines of a list of that name, which there is once it has one. */
struct lines {
    struct json *json;
    const char *name;
    bool any;
};

static void add_line(struct lines *lines, struct page *line)
{
    if (!lines->any) {
        json_begin_list(lines->json, lines->name);
    }
    lines->any = true;
    json_bytes(lines->json, NULL, page_bytes(line));
    page_release(line);
}

static void end_lines(const struct lines *lines)
{
    if (lines->any) {
        json_end_list(lines->json);
    }
}

/* --- for status -------------------------------------------------------------------------- */

static void add_split_line(struct lines *lines, const struct split_reading *split)
{
    struct page line = {0};

    page_format(&line, "route %s: ", split->route);
    split_reading_report(split, &line);
    page_format(&line, " (%s)", split_cause_name(split->cause));
    add_line(lines, &line);
}

/* A drained address that DNS does not give now. */
static void on_drain_note(void *owner, const char *label)
{
    struct page line = {0};

    page_format(&line, "origin %s: drained (operator), not in DNS now", label);
    add_line(owner, &line);
}

static void add_maintenance_lines(struct lines *lines, const struct settings *settings)
{
    for (uint32_t i = 0; i < settings->route_count; i++) {
        const struct route_settings *route = &settings->routes[i];

        if (maintenance_differs(route)) {
            struct page line = {0};

            page_format(&line, "route %s: maintenance %s (operator)", route->name,
                        maintenance_order_name(maintenance_of(route->name)));
            add_line(lines, &line);
        }
    }
}

void differences_add(struct json *json, const struct control_sources *sources,
                     const struct settings *settings)
{
    struct lines lines = {json, "differs_from_file", false};
    struct readings readings;

    readings_take(sources, READ_SPLITS | READ_ORIGINS, &readings);
    for (size_t i = 0; i < readings.split_count; i++) {
        if (readings.splits[i].differs) {
            add_split_line(&lines, &readings.splits[i]);
        }
    }
    add_maintenance_lines(&lines, settings);
    for (size_t i = 0; i < readings.origin_count; i++) {
        if (readings.origins[i].drained) {
            struct page line = {0};

            page_format(&line, "origin %s: drained (operator)", readings.origins[i].name);
            add_line(&lines, &line);
        }
    }
    origin_registry_read_drain_notes(sources->origins, on_drain_note, &lines);
    end_lines(&lines);
    readings_release(&readings);
}

/* The file says the same of the split, so that weights set at run time hold on. */
static bool says_the_same(const struct settings *wanted, const struct split_reading *split)
{
    for (uint32_t i = 0; i < wanted->route_count; i++) {
        const struct route_settings *route = &wanted->routes[i];
        bool same = route->arm_count == split->arm_count;

        if (strcmp(route->name, split->route) != 0) {
            continue;
        }
        for (uint32_t arm = 0; same && arm < split->arm_count; arm++) {
            same = strcmp(route->arms[arm].service->name, split->arms[arm].service) == 0 &&
                   route->arms[arm].weight == split->arms[arm].file_weight;
        }
        return same;
    }
    return false;
}

void overrides_ended_add(struct json *json, const struct control_sources *sources,
                         const struct settings *wanted)
{
    struct lines lines = {json, "overrides_ended", false};
    struct readings readings;

    readings_take(sources, READ_SPLITS, &readings);
    for (size_t i = 0; i < readings.split_count; i++) {
        const struct split_reading *split = &readings.splits[i];

        if (split->cause == SPLIT_BY_OPERATOR && !says_the_same(wanted, split)) {
            add_split_line(&lines, split);
        }
    }
    end_lines(&lines);
    readings_release(&readings);
}

/* --- ramps that wait for a person --------------------------------------------------------- */

static void add_ramp_line(struct lines *lines, const struct split_reading *split)
{
    const struct ramp_reading *ramp = &split->ramp;
    struct page line = {0};

    page_format(&line, "route %s: %s at step %u of %u", split->route, ramp_phase_name(ramp->phase),
                ramp->step + 1, ramp->step_count);
    if (ramp->reason[0] != '\0') {
        page_format(&line, ": %s", ramp->reason);
    }
    add_line(lines, &line);
}

void stopped_ramps_add(struct json *json, const struct control_sources *sources)
{
    struct lines lines = {json, "stopped_ramps", false};
    struct readings readings;

    readings_take(sources, READ_SPLITS, &readings);
    for (size_t i = 0; i < readings.split_count; i++) {
        enum ramp_phase phase = readings.splits[i].ramp.phase;

        if (phase == RAMP_BREACHED || phase == RAMP_PAUSED || phase == RAMP_ABORTED) {
            add_ramp_line(&lines, &readings.splits[i]);
        }
    }
    end_lines(&lines);
    readings_release(&readings);
}

/* --- for the file ------------------------------------------------------------------------ */

/* In quotes that YAML and JSON share. */
static void add_quoted(struct page *page, const char *text)
{
    page_add_char(page, '"');
    page_add_json(page, bytes_of(text));
    page_add_char(page, '"');
}

static void add_split_yaml(struct page *page, const struct split_reading *split)
{
    page_add_text(page, "    split: {");
    for (uint32_t i = 0; i < split->arm_count; i++) {
        page_add_text(page, i > 0 ? ", " : "");
        add_quoted(page, split->arms[i].service);
        page_add_text(page, ": ");
        page_format(page, "%.10g%%", (double)split->arms[i].weight / 100);
    }
    page_format(page, "} # by %s\n", split_cause_name(split->cause));
}

/* What differs of this route, if anything does. */
static void add_route_yaml(struct page *page, const struct route_settings *route,
                           const struct split_reading *split)
{
    bool has_weights = split != NULL && split->differs;
    bool has_order = maintenance_differs(route);

    if (!has_weights && !has_order) {
        return;
    }
    page_add_text(page, page->length > 0 ? "" : "# These routes differ from the file:\nroutes:\n");
    page_add_text(page, "  - name: ");
    add_quoted(page, route->name);
    page_add_char(page, '\n');
    if (has_weights) {
        add_split_yaml(page, split);
    }
    if (has_order) {
        page_format(page, "    maintenance: %s # by operator\n",
                    maintenance_holds(route) ? "true" : "false");
    }
}

static void on_drain_note_yaml(void *owner, const char *label)
{
    page_format(owner, "#   %s (not in DNS now)\n", label);
}

static void add_routes_yaml(struct page *page, const struct settings *settings,
                            const struct readings *readings)
{
    for (uint32_t i = 0; i < settings->route_count; i++) {
        const struct route_settings *route = &settings->routes[i];

        add_route_yaml(page, route, readings_split(readings, route->name));
    }
}

static void add_origins_yaml(struct page *page, const struct control_sources *sources,
                             const struct readings *readings)
{
    struct page names = {0};

    for (size_t i = 0; i < readings->origin_count; i++) {
        if (readings->origins[i].drained) {
            page_format(&names, "#   %s\n", readings->origins[i].name);
        }
    }
    origin_registry_read_drain_notes(sources->origins, on_drain_note_yaml, &names);
    if (names.length > 0) {
        page_add_text(page,
                      "# These origins are drained; to keep it so, take them out of the file:\n");
        page_add(page, page_bytes(&names));
    }
    page->failed = page->failed || names.failed;
    page_release(&names);
}

void config_answer(struct question *question)
{
    const struct settings *settings = question_settings(question);
    struct page *page = &question->page;
    struct readings readings;

    readings_take(question->sources, READ_SPLITS | READ_ORIGINS, &readings);
    add_routes_yaml(page, settings, &readings);
    add_origins_yaml(page, question->sources, &readings);
    readings_release(&readings);
    if (page->length == 0) {
        page_add_text(page, "# Nothing differs from the file.\n");
    }
    question_answer(question, 200, BYTES("application/yaml"));
}
