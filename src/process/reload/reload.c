/* SPDX-License-Identifier: BSD-2-Clause */
/* Orders, one after the other:
 *
 *   read the file -> plan and changes -> sockets -> all workers (two_phase) -> the new one runs
 *
 * and back to the former one the same way, where a reload was not confirmed. Whatever fails on
 * the way ends in `conclude`, which tells everybody. */
#include "process/reload/reload.h"

#include "base/list.h"
#include "base/log/log.h"
#include "base/text.h"
#include "process/collector_tls.h"
#include "process/reload/loaded_config.h"
#include "process/reload/reload_report.h"
#include "process/reload/two_phase.h"
#include "process/state/state_directory.h"
#include "process/worker/pressure_watch.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define REPORT_BYTES 1600 /* fits a line of the process log */
#define BACK_AGAIN_MS 2000
#define NO_MORE "ask the process that serves now"

struct order {
    struct link link;
    struct reload *reload;
    struct reload_order given;
};

struct reload {
    struct reload_parts parts;
    pthread_mutex_t lock; /* of status and running.plan: others look at them */
    struct reload_status status;
    struct loaded_config running;
    struct loaded_config former; /* plan: NULL unless a reload waits for its confirmation */
    struct link orders;
    struct retired_configs retired_configs;
    struct alarm confirm_by;
    bool waits; /* for the outcome of an upgrade */
    bool stopping;

    /* The order being carried out. */
    struct order *order; /* NULL: none */
    const char *action;
    struct loaded_config next;
    struct settings_changes *changes;
    struct sockets *sockets;
    struct two_phase *two_phase;
    char reported[REPORT_BYTES];
};

static void begin_next(struct reload *reload);

static const struct settings *running_settings(const struct reload *reload)
{
    return plan_settings(reload->running.plan);
}

/* --- the end of an order ----------------------------------------------------------------- */

static void note_result(struct reload *reload, bool ok, const char *text)
{
    struct reload_status *status = &reload->status;

    pthread_mutex_lock(&reload->lock);
    if (ok) {
        status->ok++;
        status->last_failed = false;
        status->last_error[0] = '\0';
    } else {
        status->failed++;
        status->last_failed = true;
        snprintf(status->last_error, sizeof(status->last_error), "%.*s", (int)strcspn(text, "\n"),
                 text);
    }
    pthread_mutex_unlock(&reload->lock);
}

static void drop_next(struct reload *reload)
{
    sockets_close(&reload->sockets);
    settings_changes_free(&reload->changes);
    loaded_config_release(&reload->next);
}

static void answer(struct reload *reload, struct order *order, bool ok, const char *text,
                   const char *remedy)
{
    bool reports_of_file = ok && order->given.kind == RELOAD_FROM_FILE;
    const struct reload_result result = {
        .ok = ok,
        .generation = reload->status.generation,
        .text = text,
        .remedy = remedy,
        .warnings = reports_of_file ? running_settings(reload)->warnings : NULL,
    };

    if (order->given.done != NULL) {
        order->given.done(order->given.owner, &result);
    }
    free(order);
}

/* A hopeless file must not fill the log's queue, in which other lines wait, too. */
#define LOGGED_LINES_MAX 60

static void log_lines(const char *text)
{
    unsigned lines = 0;
    unsigned more = 0;

    while (*text != '\0') {
        size_t length = strcspn(text, "\n");

        if (lines < LOGGED_LINES_MAX) {
            log_error("%.*s", (int)length, text);
            lines++;
        } else {
            more++;
        }
        text += length + (text[length] == '\n');
    }
    if (more > 0) {
        log_error("%u more lines are not shown; turnpike -t -c FILE tells all errors", more);
    }
}

static void log_result(const struct reload *reload, bool ok, const char *text)
{
    if (ok) {
        log_info("%s: generation %llu: %s", reload->action,
                 (unsigned long long)reload->status.generation, text);
    } else {
        log_error("%s failed; the configuration stays as it is:", reload->action);
        log_lines(text);
    }
}

/* `remedy` of a failure, `before` and `after`: fingerprints; all may be NULL. */
static void conclude(struct reload *reload, bool ok, const char *text, const char *remedy,
                     const char *before, const char *after)
{
    struct order *order = reload->order;
    const struct audit_entry entry = {
        .who = order->given.who,
        .action = reload->action,
        .subject = reload->parts.path,
        .before = before,
        .after = after,
        .change = ok ? text : NULL,
        .ok = ok,
        .why = ok ? NULL : text,
    };

    audit_write(reload->parts.audit, &entry);
    log_result(reload, ok, text);
    retired_configs_note_holes(&reload->retired_configs); /* reading the file took memory */
    reload->order = NULL;
    answer(reload, order, ok, text, remedy);
    begin_next(reload);
}

static void set_unconfirmed(struct reload *reload, bool unconfirmed, uint32_t for_ms)
{
    pthread_mutex_lock(&reload->lock);
    reload->status.unconfirmed = unconfirmed;
    reload->status.confirm_until = unconfirmed ? (uint64_t)time(NULL) + for_ms / 1000 : 0;
    pthread_mutex_unlock(&reload->lock);
}

static void on_unconfirmed(void *owner);

/* There is a way back until the operator confirms. */
static void try_again_later(struct reload *reload)
{
    reload->former = reload->next;
    memset(&reload->next, 0, sizeof(reload->next));
    set_unconfirmed(reload, true, BACK_AGAIN_MS);
    alarm_set(reload->parts.loop, &reload->confirm_by, BACK_AGAIN_MS, on_unconfirmed, reload);
}

#define CORRECT_FILE "what ran before runs on; correct the file and reload again"
#define FREE_MEMORY \
    "what ran before runs on; give the process more memory (MemoryMax=, the machine's) and " \
    "reload again"

/* With what there is of the next loaded config. */
static void fail(struct reload *reload, const char *why, const char *remedy)
{
    struct fingerprint print = reload->next.print;

    note_result(reload, false, why);
    if (reload->order->given.kind == RELOAD_CANCEL) {
        try_again_later(reload);
    }
    drop_next(reload);
    conclude(reload, false, why, remedy, reload->running.print.text,
             print.text[0] != '\0' ? print.text : NULL);
}

/* --- what is told of it ------------------------------------------------------------------ */

static void report_term(struct reload *reload)
{
    uint32_t confirm_ms = reload->order->given.confirm_ms;
    char term[64];

    if (reload->order->given.kind == RELOAD_FROM_FILE && confirm_ms > 0) {
        snprintf(term, sizeof(term), "; goes back unless confirmed within %u s", confirm_ms / 1000);
        text_append(reload->reported, sizeof(reload->reported), term);
    }
}

/* --- taking up --------------------------------------------------------------------------- */

static void keep_last_good(const struct reload *reload)
{
    if (reload->parts.state_directory != NULL) {
        state_directory_write(reload->parts.state_directory, LAST_GOOD_FILE,
                              (struct bytes){reload->running.source, reload->running.length});
    }
}

/* It will not come back. The first plan stays to the end: what cannot change is in it. */
static void retire(struct reload *reload, struct loaded_config *loaded_config)
{
    plan_close_spaces(loaded_config->plan, reload->running.plan);
    if (loaded_config->plan != reload->parts.plan) {
        retired_configs_add(&reload->retired_configs, loaded_config->plan);
        loaded_config->plan = NULL;
    }
    loaded_config_release(loaded_config);
}

/* The loaded config that ran until now may come back for a while, or goes. */
static void part_with_former(struct reload *reload, struct loaded_config *former)
{
    uint32_t confirm_ms = reload->order->given.confirm_ms;

    if (reload->order->given.kind == RELOAD_FROM_FILE && confirm_ms > 0) {
        reload->former = *former;
        set_unconfirmed(reload, true, confirm_ms);
        alarm_set(reload->parts.loop, &reload->confirm_by, confirm_ms, on_unconfirmed, reload);
        log_info("the new configuration waits %u s for its confirmation", confirm_ms / 1000);
        return;
    }
    retire(reload, former);
    if (reload->order->given.kind == RELOAD_FROM_FILE) {
        keep_last_good(reload);
    }
}

static void swap_editions(struct reload *reload, struct loaded_config *former)
{
    pthread_mutex_lock(&reload->lock);
    *former = reload->running;
    reload->running = reload->next;
    memset(&reload->next, 0, sizeof(reload->next));
    reload->status.generation++;
    reload->status.loaded_at = (uint64_t)time(NULL);
    snprintf(reload->status.fingerprint, sizeof(reload->status.fingerprint), "%s",
             reload->running.print.text);
    pthread_mutex_unlock(&reload->lock);
}

/* What runs is not what the file says, though nothing is wrong with it. */
static void note_way_back(struct reload *reload, bool went_back)
{
    pthread_mutex_lock(&reload->lock);
    reload->status.went_back = went_back;
    pthread_mutex_unlock(&reload->lock);
}

static void on_taken_up(void *owner, bool good, uint32_t longest_us)
{
    struct reload *reload = owner;
    struct loaded_config former;
    struct fingerprint before = reload->running.print;

    reload->two_phase = NULL;
    if (!good) {
        fail(reload, "a worker has no memory for the new configuration", FREE_MEMORY);
        return;
    }
    sockets_settle(reload->sockets, reload->parts.sockets);
    *reload->parts.sockets = reload->sockets;
    reload->sockets = NULL;
    swap_editions(reload, &former);
    pressure_watch_follow(reload->parts.pressure, running_settings(reload));
    spans_follow(reload->parts.spans, reload->running.plan);
    settings_changes_free(&reload->changes);
    log_info("taken up by all workers; the longest piece of it took %u.%02u ms", longest_us / 1000,
             longest_us % 1000 / 10);
    reload_report_certificates(plan_tls(former.plan), plan_tls(reload->running.plan),
                               reload->reported, sizeof(reload->reported));
    reload_report_fixed_options(plan_settings(reload->parts.plan), running_settings(reload),
                                reload->reported, sizeof(reload->reported));
    report_term(reload);
    note_result(reload, true, "");
    part_with_former(reload, &former);
    /* The same file may have been taken up twice. */
    note_way_back(reload, reload->order->given.kind == RELOAD_CANCEL &&
                              strcmp(before.text, reload->running.print.text) != 0);
    conclude(reload, true, reload->reported, NULL, before.text, reload->running.print.text);
}

/* With `next` in place: everything else follows from what it changes. */
static void two_phase_next(struct reload *reload)
{
    char why[SOCKETS_WHY_BYTES];
    struct two_phase_plan plan;

    reload->changes =
        settings_changes_new(running_settings(reload), plan_settings(reload->next.plan));
    if (reload->changes == NULL) {
        fail(reload, "no memory to compare the new configuration with the old one", FREE_MEMORY);
        return;
    }
    settings_changes_report(reload->changes, reload->reported, sizeof(reload->reported));
    reload->sockets = sockets_carry(*reload->parts.sockets, plan_settings(reload->next.plan),
                                    reload->changes, why);
    if (reload->sockets == NULL) {
        fail(reload, why, CORRECT_FILE);
        return;
    }
    plan = (struct two_phase_plan){
        .loop = reload->parts.loop,
        .workers = reload->parts.workers,
        .worker_count = reload->parts.worker_count,
        .sockets = reload->sockets,
        .order = {.plan = reload->next.plan,
                  .changes = reload->changes,
                  .generation = reload->status.generation + 1},
    };
    reload->two_phase = two_phase_begin(&plan, on_taken_up, reload);
    if (reload->two_phase == NULL) {
        fail(reload, "no memory to hand the new configuration to the workers", FREE_MEMORY);
    }
}

/* --- the three orders -------------------------------------------------------------------- */

static void load_file(struct reload *reload)
{
    struct page problems = {0};
    bool no_memory;

    if (loaded_config_read(&reload->next, reload->parts.path, reload->parts.worker_count,
                           reload->parts.splits, &problems)) {
        two_phase_next(reload);
    } else {
        page_add_char(&problems, '\0');
        no_memory = problems.failed || problems.length == 1;
        fail(reload, no_memory ? "no memory to read the configuration" : problems.at,
             no_memory ? FREE_MEMORY : CORRECT_FILE);
    }
    page_release(&problems);
}

/* Nothing is wrong with the file; it is the wrong moment. */
static void refuse(struct reload *reload, const char *why, const char *remedy)
{
    conclude(reload, false, why, remedy, NULL, NULL);
}

static void reload_from_file(struct reload *reload)
{
    reload->action = "reload";
    if (reload->former.plan != NULL) {
        refuse(reload, "the last reload waits for its confirmation",
               "turnpikectl confirm lets it stay, turnpikectl cancel goes back; then reload again");
    } else {
        load_file(reload);
    }
}

static bool is_unconfirmed(struct reload *reload)
{
    if (reload->former.plan != NULL) {
        return true;
    }
    refuse(reload, "no reload waits for its confirmation", "turnpikectl status says what runs");
    return false;
}

static void confirm(struct reload *reload)
{
    reload->action = "confirm";
    if (!is_unconfirmed(reload)) {
        return;
    }
    alarm_clear(reload->parts.loop, &reload->confirm_by);
    set_unconfirmed(reload, false, 0);
    retire(reload, &reload->former);
    keep_last_good(reload);
    conclude(reload, true, "confirmed", NULL, NULL, reload->running.print.text);
}

static void go_back(struct reload *reload)
{
    reload->action = "roll back";
    if (!is_unconfirmed(reload)) {
        return;
    }
    alarm_clear(reload->parts.loop, &reload->confirm_by);
    set_unconfirmed(reload, false, 0);
    reload->next = reload->former;
    memset(&reload->former, 0, sizeof(reload->former));
    two_phase_next(reload);
}

static void carry_out(struct reload *reload)
{
    switch (reload->order->given.kind) {
    case RELOAD_FROM_FILE:
        reload_from_file(reload);
        break;
    case RELOAD_CONFIRM:
        confirm(reload);
        break;
    case RELOAD_CANCEL:
        go_back(reload);
        break;
    }
}

/* --- orders ------------------------------------------------------------------------------ */

static void begin_next(struct reload *reload)
{
    struct link *link = list_first(&reload->orders);

    if (reload->order != NULL || link == NULL || reload->waits || reload->stopping) {
        return;
    }
    list_remove(link);
    reload->order = CONTAINER_OF(link, struct order, link);
    carry_out(reload);
}

static void on_order(void *owner)
{
    struct order *order = owner;
    struct reload *reload = order->reload;

    if (reload->stopping) {
        answer(reload, order, false, "the process is stopping", NO_MORE);
        return;
    }
    if (reload->waits) {
        log_info("an upgrade is under way: a reload waits for its outcome");
    }
    list_add_last(&reload->orders, &order->link);
    begin_next(reload);
}

bool reload_give_order(struct reload *reload, const struct reload_order *given)
{
    struct order *order = calloc(1, sizeof(*order));

    if (order == NULL) {
        return false;
    }
    list_init(&order->link);
    order->reload = reload;
    order->given = *given;
    if (!loop_post(reload->parts.loop, on_order, order)) {
        free(order);
        return false;
    }
    return true;
}

static void on_unconfirmed(void *owner)
{
    struct reload *reload = owner;
    const struct reload_order order = {.kind = RELOAD_CANCEL, .who = {WHO_GATEWAY, 0, 0}};

    log_warning("the new configuration was not confirmed in time: going back");
    if (!reload_give_order(reload, &order)) {
        alarm_set(reload->parts.loop, &reload->confirm_by, BACK_AGAIN_MS, on_unconfirmed, reload);
    }
}

bool reload_is_settled(const struct reload *reload)
{
    return reload->order == NULL && reload->former.plan == NULL;
}

/* --- while a new binary starts ------------------------------------------------------------ */

void reload_wait(struct reload *reload)
{
    reload->waits = true;
}

void reload_go_on(struct reload *reload)
{
    reload->waits = false;
    begin_next(reload);
}

/* One that asked for a way back is not passed on: a signal could not ask for that. */
static bool hand_over(struct reload *reload, struct order *order)
{
    bool passed_on = order->given.kind == RELOAD_FROM_FILE && order->given.confirm_ms == 0;
    const char *why = passed_on ? "a new process serves by now; it is told to read the file again"
                                : "a new process serves by now";
    const struct audit_entry entry = {
        .who = order->given.who,
        .action = "reload",
        .subject = reload->parts.path,
        .why = why,
    };

    audit_write(reload->parts.audit, &entry);
    answer(reload, order, false, why, passed_on ? NULL : NO_MORE);
    return passed_on;
}

bool reload_hand_over(struct reload *reload)
{
    struct link *link;
    bool wanted = false;

    while ((link = list_first(&reload->orders)) != NULL) {
        list_remove(link);
        wanted = hand_over(reload, CONTAINER_OF(link, struct order, link)) || wanted;
    }
    return wanted;
}

/* --- looking ----------------------------------------------------------------------------- */

void reload_check(struct reload *reload, struct reload_status *status)
{
    pthread_mutex_lock(&reload->lock);
    *status = reload->status;
    pthread_mutex_unlock(&reload->lock);
}

char *reload_source(struct reload *reload, size_t *length)
{
    char *copy;

    pthread_mutex_lock(&reload->lock);
    *length = reload->running.length;
    copy = malloc(*length + 1);
    if (copy != NULL) {
        memcpy(copy, reload->running.source, *length);
    }
    pthread_mutex_unlock(&reload->lock);
    return copy;
}

struct plan *reload_plan(struct reload *reload)
{
    struct plan *plan;

    pthread_mutex_lock(&reload->lock);
    plan = plan_ref(reload->running.plan);
    pthread_mutex_unlock(&reload->lock);
    return plan;
}

/* --- life -------------------------------------------------------------------------------- */

static void note_start(struct reload *reload)
{
    const struct audit_entry entry = {
        .who = {WHO_GATEWAY, 0, 0},
        .action = "start",
        .subject = reload->parts.path,
        .after = reload->running.print.text,
        .ok = true,
        .why =
            reload->parts.is_last_good ? "the file is bad: started with the last good one" : NULL,
    };

    audit_write(reload->parts.audit, &entry);
    if (!reload->parts.is_last_good) {
        keep_last_good(reload);
    }
}

struct reload *reload_new(const struct reload_parts *parts)
{
    struct reload *reload = calloc(1, sizeof(*reload));

    if (reload == NULL) {
        return NULL;
    }
    reload->parts = *parts;
    pthread_mutex_init(&reload->lock, NULL);
    list_init(&reload->orders);
    retired_configs_init(&reload->retired_configs, parts->loop);
    reload->running.plan = plan_ref(parts->plan);
    reload->running.print = fingerprint_of(parts->source);
    reload->running.source = malloc(parts->source.length + 1);
    if (reload->running.source == NULL) {
        reload_free(&reload);
        return NULL;
    }
    memcpy(reload->running.source, parts->source.at, parts->source.length);
    reload->running.length = parts->source.length;
    reload->status.generation = 1;
    reload->status.loaded_at = (uint64_t)time(NULL);
    reload->status.last_failed = parts->is_last_good;
    if (parts->is_last_good) {
        snprintf(reload->status.last_error, sizeof(reload->status.last_error),
                 "the last good one was started with; turnpike -t -c FILE tells what is wrong");
    }
    snprintf(reload->status.fingerprint, sizeof(reload->status.fingerprint), "%s",
             reload->running.print.text);
    note_start(reload);
    return reload;
}

void reload_stop(struct reload *reload)
{
    reload->stopping = true;
    alarm_clear(reload->parts.loop, &reload->confirm_by);
    retired_configs_stop(&reload->retired_configs);
}

void reload_answer_rest(struct reload *reload)
{
    struct link *link;

    if (reload == NULL) {
        return;
    }
    if (reload->order != NULL) {
        answer(reload, reload->order, false, "the process stopped before it was done", NO_MORE);
        reload->order = NULL;
    }
    while ((link = list_first(&reload->orders)) != NULL) {
        list_remove(link);
        answer(reload, CONTAINER_OF(link, struct order, link), false,
               "the process stopped before it was begun", NO_MORE);
    }
}

void reload_free(struct reload **held)
{
    struct reload *reload = *held;

    *held = NULL;
    if (reload == NULL) {
        return;
    }
    reload_answer_rest(reload);
    two_phase_forget(&reload->two_phase);
    drop_next(reload);
    retired_configs_release(&reload->retired_configs);
    loaded_config_release(&reload->former);
    loaded_config_release(&reload->running);
    pthread_mutex_destroy(&reload->lock);
    free(reload);
}
