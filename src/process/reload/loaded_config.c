/* SPDX-License-Identifier: BSD-2-Clause */
/* From the file to a plan, with all that may be wrong on the way. Called by reload.c. */
#include "process/reload/loaded_config.h"

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
