/* SPDX-License-Identifier: BSD-2-Clause */
/* Orders, one after the other:
 *
 *   read the file -> plan and changes -> sockets -> all workers (take_up) -> the new one runs
 *
 * and back to the former one the same way, where a reload was not confirmed. Whatever fails on
 * the way ends in `conclude`, which tells everybody. */
#include "process/reload.h"

#include "base/list.h"
#include "base/log.h"
#include "base/page.h"
#include "config/load.h"
#include "process/fingerprint.h"
#include "process/memory.h"
#include "process/pressure_watch.h"
#include "process/state_directory.h"
#include "process/take_up.h"
#include "process/tls_changes.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define WHY_BYTES 512
#define TELL_BYTES 1600 /* fits a line of the process log */
#define SHELF_LOOK_MS 1000
#define BACK_AGAIN_MS 2000
#define NO_MORE "ask the process that serves now"

/* A plan that ran. Freeing ten thousand routes takes a while: it is done here and not by the
 * worker that happens to use it last. */
struct shelved {
    struct link link;
    struct plan *plan;
};

/* What runs, or is about to: a plan and the file it came from. */
struct edition {
    struct plan *plan;
    char *source;
    size_t length;
    struct fingerprint print;
};

struct order {
    struct link link;
    struct reload *reload;
    struct reload_order given;
};

struct reload {
    struct reload_parts parts;
    pthread_mutex_t lock; /* of status and running.plan: others look at them */
    struct reload_status status;
    struct edition running;
    struct edition former; /* plan: NULL unless a reload waits for its confirmation */
    struct link orders;
    struct link shelf;
    struct alarm shelf_look;
    bool has_holes; /* something large was freed since the last look */
    struct alarm confirm_by;
    bool waits; /* for the outcome of an upgrade */
    bool stopping;

    /* The order being carried out. */
    struct order *order; /* NULL: none */
    const char *action;
    struct edition next;
    struct settings_changes *changes;
    struct sockets *sockets;
    struct take_up *take_up;
    char told[TELL_BYTES];
};

static void begin_next(struct reload *reload);

static const struct settings *running_settings(const struct reload *reload)
{
    return plan_settings(reload->running.plan);
}

static void edition_release(struct edition *edition)
{
    plan_unref(&edition->plan);
    free(edition->source);
    memset(edition, 0, sizeof(*edition));
}

/* --- plans that ran ---------------------------------------------------------------------- */

static void on_shelf_look(void *owner);

static void look_later(struct reload *reload)
{
    if (!alarm_is_set(&reload->shelf_look)) {
        alarm_set(reload->parts.loop, &reload->shelf_look, SHELF_LOOK_MS, on_shelf_look, reload);
    }
}

static void on_shelf_look(void *owner)
{
    struct reload *reload = owner;
    struct link *next;

    for (struct link *link = reload->shelf.next; link != &reload->shelf; link = next) {
        struct shelved *shelved = CONTAINER_OF(link, struct shelved, link);

        next = link->next;
        if (plan_is_unused(shelved->plan)) {
            list_remove(link);
            plan_unref(&shelved->plan);
            free(shelved);
            reload->has_holes = true;
        }
    }
    if (reload->has_holes) {
        reload->has_holes = false;
        memory_return_holes();
    }
    if (!list_is_empty(&reload->shelf)) {
        look_later(reload);
    }
}

static void shelve(struct reload *reload, struct plan *plan)
{
    struct shelved *shelved = plan != reload->parts.plan ? malloc(sizeof(*shelved)) : NULL;

    if (shelved == NULL) {
        plan_unref(&plan); /* whoever uses it last frees it; the first one holds to the end */
        return;
    }
    list_init(&shelved->link);
    shelved->plan = plan;
    list_add_last(&reload->shelf, &shelved->link);
    look_later(reload);
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
    edition_release(&reload->next);
}

static void answer(struct reload *reload, struct order *order, bool ok, const char *text,
                   const char *remedy)
{
    const struct reload_result result = {ok, reload->status.generation, text, remedy};

    if (order->given.done != NULL) {
        order->given.done(order->given.owner, &result);
    }
    free(order);
}

static void log_lines(const char *text)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");

        log_error("%.*s", (int)length, text);
        text += length + (text[length] == '\n');
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
    reload->has_holes = true; /* reading the file took memory */
    look_later(reload);
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

/* There is a way back as long as nobody confirms. */
static void try_again_later(struct reload *reload)
{
    reload->former = reload->next;
    memset(&reload->next, 0, sizeof(reload->next));
    set_unconfirmed(reload, true, BACK_AGAIN_MS);
    alarm_set(reload->parts.loop, &reload->confirm_by, BACK_AGAIN_MS, on_unconfirmed, reload);
}

/* `print` of the file that was refused; NULL: it could not even be read. */
static void fail(struct reload *reload, const char *why, const char *print)
{
    note_result(reload, false, why);
    if (reload->order->given.kind == RELOAD_CANCEL) {
        try_again_later(reload);
    }
    drop_next(reload);
    conclude(reload, false, why, "what ran before runs on; correct the file and reload again",
             reload->running.print.text, print);
}

/* --- what cannot change ------------------------------------------------------------------ */

static bool is_below(const char *path, const char *option)
{
    size_t length = strlen(option);

    return strncmp(path, option, length) == 0 && (path[length] == '\0' || path[length] == '.');
}

static uint64_t print_below(const struct settings *settings, const char *option)
{
    uint64_t print = 0;

    for (uint32_t i = 0; i < settings->option_count; i++) {
        if (is_below(settings->options[i].path, option)) {
            print = print * 31 + settings->options[i].print;
        }
    }
    return print;
}

/* To the log, and to whoever asked: what the file says of these does not hold now. */
static void tell_fixed(struct reload *reload)
{
    const struct settings *first = plan_settings(reload->parts.plan);
    const char *before = "; only from the next start on: ";

    for (size_t i = 0; settings_fixed_options[i] != NULL; i++) {
        const char *option = settings_fixed_options[i];
        size_t length = strlen(reload->told);

        if (print_below(running_settings(reload), option) == print_below(first, option)) {
            continue;
        }
        log_warning("'%s' is another in the file than at the start; it cannot change while the "
                    "process runs and stays as it was",
                    option);
        snprintf(reload->told + length, sizeof(reload->told) - length, "%s%s", before, option);
        before = ", ";
    }
}

/* The file may be the same, and what it names another. */
static void tell_renewed(struct reload *reload, const struct edition *former)
{
    tls_changes_tell(plan_tls(former->plan), plan_tls(reload->running.plan), reload->told,
                     sizeof(reload->told));
}

static void tell_term(struct reload *reload)
{
    uint32_t confirm_ms = reload->order->given.confirm_ms;
    size_t length = strlen(reload->told);

    if (reload->order->given.kind == RELOAD_FROM_FILE && confirm_ms > 0) {
        snprintf(reload->told + length, sizeof(reload->told) - length,
                 "; goes back unless confirmed within %u s", confirm_ms / 1000);
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

/* The edition that ran until now may come back for a while, or goes. */
static void part_with_former(struct reload *reload, struct edition *former)
{
    uint32_t confirm_ms = reload->order->given.confirm_ms;

    if (reload->order->given.kind == RELOAD_FROM_FILE && confirm_ms > 0) {
        reload->former = *former;
        set_unconfirmed(reload, true, confirm_ms);
        alarm_set(reload->parts.loop, &reload->confirm_by, confirm_ms, on_unconfirmed, reload);
        log_info("the new configuration waits %u s for its confirmation", confirm_ms / 1000);
        return;
    }
    shelve(reload, former->plan);
    former->plan = NULL;
    edition_release(former);
    if (reload->order->given.kind == RELOAD_FROM_FILE) {
        keep_last_good(reload);
    }
}

static void swap_editions(struct reload *reload, struct edition *former)
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
    struct edition former;
    struct fingerprint before = reload->running.print;

    reload->take_up = NULL;
    if (!good) {
        fail(reload, "a worker has no memory for it", reload->next.print.text);
        return;
    }
    sockets_settle(reload->sockets, reload->parts.sockets);
    *reload->parts.sockets = reload->sockets;
    reload->sockets = NULL;
    swap_editions(reload, &former);
    pressure_watch_follow(reload->parts.pressure, running_settings(reload));
    settings_changes_free(&reload->changes);
    log_info("taken up by all workers; the longest piece of it took %u.%02u ms", longest_us / 1000,
             longest_us % 1000 / 10);
    tell_renewed(reload, &former);
    tell_fixed(reload);
    tell_term(reload);
    note_result(reload, true, "");
    part_with_former(reload, &former);
    note_way_back(reload, reload->order->given.kind == RELOAD_CANCEL);
    conclude(reload, true, reload->told, NULL, before.text, reload->running.print.text);
}

/* With `next` in place: everything else follows from what it changes. */
static void take_up_next(struct reload *reload)
{
    char why[WHY_BYTES];
    struct take_up_plan plan;

    reload->changes =
        settings_changes_new(running_settings(reload), plan_settings(reload->next.plan));
    if (reload->changes == NULL) {
        fail(reload, "out of memory", reload->next.print.text);
        return;
    }
    settings_changes_tell(reload->changes, reload->told, sizeof(reload->told));
    reload->sockets = sockets_carry(*reload->parts.sockets, plan_settings(reload->next.plan),
                                    reload->changes, why);
    if (reload->sockets == NULL) {
        fail(reload, why, reload->next.print.text);
        return;
    }
    plan = (struct take_up_plan){
        .loop = reload->parts.loop,
        .workers = reload->parts.workers,
        .worker_count = reload->parts.worker_count,
        .plan = reload->next.plan,
        .changes = reload->changes,
        .sockets = reload->sockets,
        .generation = reload->status.generation + 1,
    };
    reload->take_up = take_up_begin(&plan, on_taken_up, reload);
    if (reload->take_up == NULL) {
        fail(reload, "out of memory", reload->next.print.text);
    }
}

/* --- the three orders -------------------------------------------------------------------- */

static void fail_with_errors(struct reload *reload, struct config_errors **errors,
                             const char *print)
{
    char *text = NULL;
    size_t length = 0;
    FILE *page = open_memstream(&text, &length);

    if (page != NULL) {
        config_errors_print(*errors, page);
        fclose(page);
    }
    config_errors_free(errors);
    fail(reload, text != NULL ? text : "out of memory", print);
    free(text);
}

static void note_problem(void *owner, const char *problem)
{
    page_add_text(owner, problem);
    page_add_char(owner, '\n');
}

/* Reads the files that the configuration names, too. */
static bool make_plan(struct reload *reload, struct snapshot *snapshot)
{
    struct page problems = {0};

    reload->next.plan = plan_new_telling(snapshot, reload->parts.splits, note_problem, &problems);
    if (reload->next.plan == NULL) {
        struct fingerprint print = reload->next.print;

        page_add_char(&problems, '\0');
        fail(reload, problems.failed ? "out of memory" : problems.at, print.text);
        page_release(&problems);
        return false;
    }
    page_release(&problems);
    return true;
}

static void load_file(struct reload *reload)
{
    struct config_errors *errors = NULL;
    struct bytes source;
    struct snapshot *snapshot;

    reload->next.source = config_read_file(reload->parts.path, &source, &errors);
    if (reload->next.source == NULL) {
        fail_with_errors(reload, &errors, NULL);
        return;
    }
    reload->next.length = source.length;
    reload->next.print = fingerprint_of(source);
    snapshot = config_load_bytes(reload->parts.path, source, &errors);
    if (snapshot == NULL) {
        struct fingerprint print = reload->next.print;

        fail_with_errors(reload, &errors, print.text);
        return;
    }
    snapshot_hold_workers(snapshot, reload->parts.worker_count);
    if (make_plan(reload, snapshot)) {
        take_up_next(reload);
    }
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
    shelve(reload, reload->former.plan);
    reload->former.plan = NULL;
    edition_release(&reload->former);
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
    take_up_next(reload);
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

void reload_look(struct reload *reload, struct reload_status *status)
{
    pthread_mutex_lock(&reload->lock);
    *status = reload->status;
    pthread_mutex_unlock(&reload->lock);
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
    list_init(&reload->shelf);
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
    alarm_clear(reload->parts.loop, &reload->shelf_look);
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
    struct link *link;

    *held = NULL;
    if (reload == NULL) {
        return;
    }
    reload_answer_rest(reload);
    take_up_forget(&reload->take_up);
    drop_next(reload);
    while ((link = list_first(&reload->shelf)) != NULL) {
        struct shelved *shelved = CONTAINER_OF(link, struct shelved, link);

        list_remove(link);
        plan_unref(&shelved->plan);
        free(shelved);
    }
    edition_release(&reload->former);
    edition_release(&reload->running);
    pthread_mutex_destroy(&reload->lock);
    free(reload);
}
