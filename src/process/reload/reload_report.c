/* SPDX-License-Identifier: BSD-2-Clause */
/* Both inventories of certificates have nearly the same order: each search goes on where the last one
 * ended, so that ten thousand certificates do not cost their square. Options are compared by fingerprints
 * of the file's tree: what they mean need not be known. */
#include "process/reload/reload_report.h"

#include "base/log/log.h"
#include "base/text.h"
#include "config/settings_changes.h"
#include "tls/tls.h"

#include <stdio.h>
#include <string.h>

#define NAMED_MOST 5

static bool is_same_use(const struct tls_certificate_facts *a,
                        const struct tls_certificate_facts *b)
{
    return a->role == b->role && strcmp(a->cert, b->cert) == 0;
}

/* Another one in the same place and, for a CA, of the same file: a file may hold several, which stand
 * together. `*cursor` is where the last search found its file to begin. */
static bool is_renewed(const struct tls_store *before, uint32_t count,
                       const struct tls_certificate_facts *facts, uint32_t *cursor)
{
    const uint32_t from = *cursor;
    bool in_use = false;

    for (uint32_t step = 0; step < count; step++) {
        uint32_t i = (from + step) % count;
        const struct tls_certificate_facts *other = tls_store_certificate(before, i);

        if (is_same_use(other, facts)) {
            *cursor = in_use ? *cursor : i;
            in_use = true;
            if (other->print == facts->print) {
                return false;
            }
        } else if (in_use) {
            return true; /* all of that file were seen */
        }
    }
    return in_use;
}

static uint32_t count_of(const struct tls_store *store)
{
    uint32_t count = 0;

    while (tls_store_certificate(store, count) != NULL) {
        count++;
    }
    return count;
}

void reload_report_certificates(const struct tls_store *before, const struct tls_store *now,
                                char *line, size_t size)
{
    const struct tls_certificate_facts *facts;
    const char *last = ""; /* several listeners may show one file */
    char names[2048] = "";
    char head[64];
    uint32_t before_count;
    uint32_t cursor = 0;
    uint32_t count = 0;

    if (before == NULL || now == NULL) {
        return;
    }
    before_count = count_of(before);
    for (uint32_t i = 0; (facts = tls_store_certificate(now, i)) != NULL; i++) {
        if (!is_renewed(before, before_count, facts, &cursor) || strcmp(facts->cert, last) == 0) {
            continue;
        }
        last = facts->cert;
        count++;
        if (count <= NAMED_MOST) {
            text_append(names, sizeof(names), count > 1 ? ", " : "");
            text_append(names, sizeof(names), facts->cert);
        }
    }
    if (count > 0) {
        snprintf(head, sizeof(head), "; certificates: %u renewed (", count);
        text_append(line, size, head);
        text_append(line, size, names);
        text_append(line, size, count > NAMED_MOST ? ", ...)" : ")");
    }
}

/* --- options that are fixed --------------------------------------------------------------- */

static uint64_t print_below(const struct settings *settings, const char *option)
{
    uint64_t print = 0;

    for (uint32_t i = 0; i < settings->option_count; i++) {
        if (settings_option_is_of(settings->options[i].path, option)) {
            print = print * 31 + settings->options[i].print;
        }
    }
    return print;
}

void reload_report_fixed_options(const struct settings *first, const struct settings *now,
                                 char *line, size_t size)
{
    const char *before = "; only from the next start on: ";

    for (size_t i = 0; settings_fixed_options[i] != NULL; i++) {
        const char *option = settings_fixed_options[i];

        if (print_below(now, option) == print_below(first, option)) {
            continue;
        }
        log_warning("'%s' changed; restart to apply", option);
        text_append(line, size, before);
        text_append(line, size, option);
        before = ", ";
    }
}
