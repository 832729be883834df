/* SPDX-License-Identifier: BSD-2-Clause */
/* Compares fingerprints of the file's tree: it need not know what the options mean. */
#include "process/reload/fixed_options.h"

#include "base/log/log.h"
#include "config/settings_changes.h"

#include <stdio.h>
#include <string.h>

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

void fixed_options_report(const struct settings *first, const struct settings *now, char *line,
                          size_t size)
{
    const char *before = "; only from the next start on: ";

    for (size_t i = 0; settings_fixed_options[i] != NULL; i++) {
        const char *option = settings_fixed_options[i];
        size_t length = strlen(line);

        if (print_below(now, option) == print_below(first, option)) {
            continue;
        }
        log_warning("'%s' changed; restart to apply", option);
        snprintf(line + length, size - length, "%s%s", before, option);
        before = ", ";
    }
}
