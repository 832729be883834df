/* SPDX-License-Identifier: BSD-2-Clause */
/* From the file to a plan, with all that may be wrong on the way. Called by reload.c. */
#include "process/reload/edition.h"

#include "config/load.h"
#include "config/yaml/source_files.h"
#include "process/system/preflight.h"

#include <stdio.h>
#include <stdlib.h>

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

bool edition_read(struct edition *edition, const char *path, uint32_t workers,
                  struct split_book *splits, struct page *problems)
{
    struct config_errors *errors = NULL;
    struct snapshot *snapshot;
    struct bytes source;

    edition->source = config_read_file(path, 0, &source, &errors);
    if (edition->source == NULL) {
        add_errors(problems, &errors);
        return false;
    }
    edition->length = source.length;
    edition->print = fingerprint_of(source);
    snapshot = config_load_bytes(path, source, &errors);
    if (snapshot == NULL) {
        add_errors(problems, &errors);
        return false;
    }
    snapshot_hold_workers(snapshot, workers);
    edition->plan = plan_new_telling(snapshot, splits, add_problem, problems);
    if (edition->plan == NULL) {
        return false;
    }
    preflight_log_warnings(plan_settings(edition->plan));
    return true;
}

void edition_release(struct edition *edition)
{
    plan_unref(&edition->plan);
    free(edition->source);
    memset(edition, 0, sizeof(*edition));
}
