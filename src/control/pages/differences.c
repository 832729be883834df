/* SPDX-License-Identifier: BSD-2-Clause */
/* Weights of splits and drained origins, as lines for status and as YAML for the file (GET
 * /v1/config). */
#include "control/pages/differences.h"

#include "control/endpoints.h"
#include "control/pages/origin_readings.h"
#include "control/pages/split_readings.h"

struct differences {
    struct split_readings splits;
    struct origin_readings origins;
    struct page notes; /* drained addresses that DNS does not give now, each with a NUL behind it */
};

static void on_drain_note(void *owner, const char *label)
{
    page_add(owner, (struct bytes){label, strlen(label) + 1});
}

static void take(const struct control_sources *sources, struct differences *differences)
{
    differences->notes = (struct page){0};
    origin_registry_read_drain_notes(sources->origins, on_drain_note, &differences->notes);
    split_readings_take(sources, &differences->splits);
    origin_readings_take(sources, &differences->origins);
}

static void release(struct differences *differences)
{
    split_readings_release(&differences->splits);
    origin_readings_release(&differences->origins);
    page_release(&differences->notes);
}

/* The next one behind `label`, or the first; NULL: there is none. */
static const char *next_note(const struct differences *differences, const char *label)
{
    struct bytes notes = page_bytes(&differences->notes);
    size_t at = label != NULL ? (size_t)(label - notes.at) + strlen(label) + 1 : 0;

    return at < notes.length ? notes.at + at : NULL;
}

static bool any_split(const struct differences *differences)
{
    for (size_t i = 0; i < differences->splits.count; i++) {
        if (differences->splits.rows[i].reading.differs) {
            return true;
        }
    }
    return false;
}

static bool any_origin(const struct differences *differences)
{
    for (size_t i = 0; i < differences->origins.count; i++) {
        if (differences->origins.rows[i].drained) {
            return true;
        }
    }
    return next_note(differences, NULL) != NULL;
}

/* --- for status -------------------------------------------------------------------------- */

static void add_split_line(struct json *json, const struct split_reading *split)
{
    struct page line = {0};

    page_format(&line, "route %s: ", split->route);
    split_reading_report(split, &line);
    page_format(&line, " (%s)", split_cause_name(split->cause));
    json_bytes(json, NULL, page_bytes(&line));
    page_release(&line);
}

static void add_lines(struct json *json, const struct differences *differences)
{
    for (size_t i = 0; i < differences->splits.count; i++) {
        if (differences->splits.rows[i].reading.differs) {
            add_split_line(json, &differences->splits.rows[i].reading);
        }
    }
    for (size_t i = 0; i < differences->origins.count; i++) {
        if (differences->origins.rows[i].drained) {
            struct page line = {0};

            page_format(&line, "origin %s: drained (operator)", differences->origins.rows[i].name);
            json_bytes(json, NULL, page_bytes(&line));
            page_release(&line);
        }
    }
    for (const char *label = NULL; (label = next_note(differences, label)) != NULL;) {
        struct page line = {0};

        page_format(&line, "origin %s: drained (operator), not in DNS now", label);
        json_bytes(json, NULL, page_bytes(&line));
        page_release(&line);
    }
}

void differences_add(struct json *json, const struct control_sources *sources)
{
    struct differences differences;

    take(sources, &differences);
    if (any_split(&differences) || any_origin(&differences)) {
        json_begin_list(json, "differs_from_file");
        add_lines(json, &differences);
        json_end_list(json);
    }
    release(&differences);
}

/* --- ramps that wait for a person --------------------------------------------------------- */

static bool waits_for_a_person(const struct ramp_reading *ramp)
{
    return ramp->phase == RAMP_BREACHED || ramp->phase == RAMP_PAUSED ||
           ramp->phase == RAMP_ABORTED;
}

static void add_ramp_line(struct json *json, const struct split_reading *split)
{
    const struct ramp_reading *ramp = &split->ramp;
    struct page line = {0};

    page_format(&line, "route %s: %s at step %u of %u", split->route, ramp_phase_name(ramp->phase),
                ramp->step + 1, ramp->step_count);
    if (ramp->reason[0] != '\0') {
        page_format(&line, ": %s", ramp->reason);
    }
    json_bytes(json, NULL, page_bytes(&line));
    page_release(&line);
}

void stopped_ramps_add(struct json *json, const struct control_sources *sources)
{
    struct split_readings readings;
    bool any = false;

    split_readings_take(sources, &readings);
    for (size_t i = 0; i < readings.count; i++) {
        const struct split_reading *split = &readings.rows[i].reading;

        if (!waits_for_a_person(&split->ramp)) {
            continue;
        }
        if (!any) {
            json_begin_list(json, "stopped_ramps");
            any = true;
        }
        add_ramp_line(json, split);
    }
    if (any) {
        json_end_list(json);
    }
    split_readings_release(&readings);
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
    page_add_text(page, "  - name: ");
    add_quoted(page, split->route);
    page_add_text(page, "\n    split: {");
    for (uint32_t i = 0; i < split->arm_count; i++) {
        page_add_text(page, i > 0 ? ", " : "");
        add_quoted(page, split->arms[i].service);
        page_add_text(page, ": ");
        split_weight_report(split->arms[i].weight, page);
    }
    page_format(page, "} # by %s\n", split_cause_name(split->cause));
}

static void add_yaml(struct page *page, const struct differences *differences)
{
    if (any_split(differences)) {
        page_add_text(page, "# These routes have other weights than the file says:\nroutes:\n");
    }
    for (size_t i = 0; i < differences->splits.count; i++) {
        if (differences->splits.rows[i].reading.differs) {
            add_split_yaml(page, &differences->splits.rows[i].reading);
        }
    }
    if (any_origin(differences)) {
        page_add_text(page,
                      "# These origins are drained; to keep it so, take them out of the file:\n");
    }
    for (size_t i = 0; i < differences->origins.count; i++) {
        if (differences->origins.rows[i].drained) {
            page_format(page, "#   %s\n", differences->origins.rows[i].name);
        }
    }
    for (const char *label = NULL; (label = next_note(differences, label)) != NULL;) {
        page_format(page, "#   %s (not in DNS now)\n", label);
    }
    if (page->length == 0) {
        page_add_text(page, "# Nothing differs from the file.\n");
    }
}

void config_answer(struct question *question)
{
    struct differences differences;

    take(question->sources, &differences);
    add_yaml(&question->page, &differences);
    release(&differences);
    question_answer(question, 200, BYTES("application/yaml"));
}
