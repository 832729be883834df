/* SPDX-License-Identifier: BSD-2-Clause */
/* See live_facts.h. */
#include "control/live/live_facts.h"

#include <time.h>
#include <unistd.h>

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
    struct control_facts facts;
    struct page row = {0};
    struct json json = json_on(&row);

    sources->facts(sources->owner, &facts);
    json_begin_row(&json, NULL);
    json_text(&json, "version", PACKAGE_VERSION);
    json_number(&json, "pid", (uint64_t)getpid());
    json_flag(&json, "stopping", facts.stopping);
    json_number(&json, "started_s", facts.started_realtime_s);
    json_text(&json, "config", facts.config_file);
    json_number(&json, "workers", facts.workers);
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

static struct control_use connections_in_use(const struct control_sources *sources)
{
    struct plan *plan = sources->plan(sources->owner);
    struct control_use use = {.budget = plan_settings(plan)->limits.max_connections};
    struct control_facts facts;

    sources->facts(sources->owner, &facts);
    for (uint32_t worker = 0; worker < facts.workers; worker++) {
        struct control_load load;

        sources->load(sources->owner, worker, &load);
        use.used += load.connections;
    }
    plan_unref(&plan);
    return use;
}

static void add_uses(struct page *page, const struct control_sources *sources)
{
    static const char *const names[PRESSURE_KINDS] = {
        [PRESSURE_MEMORY] = "memory", [PRESSURE_DESCRIPTORS] = "descriptors"};
    struct control_use use = connections_in_use(sources);

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
    struct control_facts facts;

    sources->facts(sources->owner, &facts);
    live_table_begin(table, "cuts", page);
    for (int cause = CUT_NONE + 1; cause < CUT_CAUSE_COUNT; cause++) {
        uint64_t sum = 0;

        for (uint32_t worker = 0; worker < facts.workers; worker++) {
            sum += metrics_cuts(sources->metrics(sources->owner, worker), (enum cut_cause)cause);
        }
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

static void add_certificates(struct live_table *table, const struct control_sources *sources,
                             struct page *page)
{
    struct plan *plan = sources->plan(sources->owner);
    const struct tls_certificate_facts *facts;

    live_table_begin(table, "certificates", page);
    for (uint32_t i = 0; (facts = tls_store_certificate(plan_tls(plan), i)) != NULL; i++) {
        add_certificate(table, facts);
    }
    live_table_end(table);
    plan_unref(&plan);
}

/* --- all --------------------------------------------------------------------------------- */

void live_facts_add(struct live_facts *facts, const struct control_sources *sources,
                    struct page *page)
{
    add_process(page, sources);
    add_uses(page, sources);
    add_cuts(&facts->cuts, sources, page);
    add_changes(&facts->changes, sources, page);
    add_certificates(&facts->certificates, sources, page);
}

void live_facts_forget(struct live_facts *facts)
{
    live_table_forget(&facts->cuts);
    live_table_forget(&facts->changes);
    live_table_forget(&facts->certificates);
}

void live_facts_release(struct live_facts *facts)
{
    live_table_release(&facts->cuts);
    live_table_release(&facts->changes);
    live_table_release(&facts->certificates);
}
