/* SPDX-License-Identifier: BSD-2-Clause */
/* From the file to a plan, with all that may be wrong on the way. Called by reload.c. */
#include "process/reload/loaded_config.h"

#include "base/system/machine.h"
#include "config/load.h"
#include "config/yaml/source_files.h"
#include "process/system/preflight.h"
#include "tls/tls_mac.h"

#include <stdio.h>
#include <stdlib.h>

struct fingerprint fingerprint_of(struct bytes bytes)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[TLS_MAC_BYTES];
    struct fingerprint fingerprint = {""};
    bool made = tls_digest(bytes, digest);

    for (size_t i = 0; made && i < sizeof(digest); i++) {
        fingerprint.text[2 * i] = digits[digest[i] >> 4];
        fingerprint.text[2 * i + 1] = digits[digest[i] & 15];
    }
    return fingerprint;
}

static void add_errors(struct page *problems, struct config_errors **errors)
{
    char *text = NULL;
    size_t length = 0;
    FILE *page = open_memstream(&text, &length);

    if (page != NULL) {
        config_errors_print(*errors, page);
        fclose(page);
        page_add(problems, (struct bytes){text, text != NULL ? length : 0});
    }
    config_errors_free(errors);
    free(text);
}

static void add_problem(void *owner, const char *problem)
{
    page_add_text(owner, problem);
    page_add_char(owner, '\n');
}

bool loaded_config_read(struct loaded_config *loaded_config, const char *path, uint32_t workers,
                        struct split_registry *splits, struct page *problems)
{
    struct config_errors *errors = NULL;
    struct snapshot *snapshot;
    struct bytes source;

    loaded_config->source = config_read_file(path, 0, &source, &errors);
    if (loaded_config->source == NULL) {
        add_errors(problems, &errors);
        return false;
    }
    loaded_config->length = source.length;
    loaded_config->print = fingerprint_of(source);
    snapshot = config_load_bytes(path, source, &errors);
    if (snapshot == NULL) {
        add_errors(problems, &errors);
        return false;
    }
    snapshot_hold_workers(snapshot, workers);
    loaded_config->plan = plan_new_telling(snapshot, splits, add_problem, problems);
    if (loaded_config->plan == NULL) {
        return false;
    }
    preflight_log_warnings(plan_settings(loaded_config->plan));
    return true;
}

void loaded_config_release(struct loaded_config *loaded_config)
{
    plan_unref(&loaded_config->plan);
    free(loaded_config->source);
    memset(loaded_config, 0, sizeof(*loaded_config));
}

/* --- that do not run any more ------------------------------------------------------------- */

/* Looked at once a second. */
#define CHECK_MS 1000

struct shelved {
    struct link link;
    struct plan *plan;
};

static void on_check(void *owner);

static void check_later(struct retired_configs *retired_configs)
{
    if (!alarm_is_set(&retired_configs->check)) {
        alarm_set(retired_configs->loop, &retired_configs->check, CHECK_MS, on_check,
                  retired_configs);
    }
}

static void take_off(struct shelved *shelved)
{
    list_remove(&shelved->link);
    plan_unref(&shelved->plan);
    free(shelved);
}

static void on_check(void *owner)
{
    struct retired_configs *retired_configs = owner;
    struct link *next;

    for (struct link *link = retired_configs->plans.next; link != &retired_configs->plans;
         link = next) {
        struct shelved *shelved = CONTAINER_OF(link, struct shelved, link);

        next = link->next;
        if (plan_is_unused(shelved->plan)) {
            take_off(shelved);
            retired_configs->has_holes = true;
        }
    }
    if (retired_configs->has_holes) {
        retired_configs->has_holes = false;
        machine_trim_heap();
    }
    if (!list_is_empty(&retired_configs->plans)) {
        check_later(retired_configs);
    }
}

void retired_configs_init(struct retired_configs *retired_configs, struct loop *loop)
{
    *retired_configs = (struct retired_configs){.loop = loop};
    list_init(&retired_configs->plans);
}

void retired_configs_add(struct retired_configs *retired_configs, struct plan *plan)
{
    struct shelved *shelved = malloc(sizeof(*shelved));

    if (shelved == NULL) {
        plan_unref(&plan); /* its last user frees it */
        return;
    }
    list_init(&shelved->link);
    shelved->plan = plan;
    list_add_last(&retired_configs->plans, &shelved->link);
    check_later(retired_configs);
}

void retired_configs_note_holes(struct retired_configs *retired_configs)
{
    retired_configs->has_holes = true;
    check_later(retired_configs);
}

void retired_configs_stop(struct retired_configs *retired_configs)
{
    alarm_clear(retired_configs->loop, &retired_configs->check);
}

void retired_configs_release(struct retired_configs *retired_configs)
{
    struct link *link;

    while ((link = list_first(&retired_configs->plans)) != NULL) {
        take_off(CONTAINER_OF(link, struct shelved, link));
    }
}
