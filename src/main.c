/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line: reads it, loads the configuration, hands over to process/. */
#include "base/log.h"
#include "config/load.h"
#include "process/process.h"

#include <getopt.h>
#include <stdio.h>

static const char usage[] =
    "usage: turnpike -c FILE [-t]\n"
    "  -c, --config FILE   the configuration (YAML)\n"
    "  -t, --test          only check the configuration: exit 0 when it is good, 1 when not\n"
    "  -V, --version       print the version\n"
    "  -h, --help          print this\n"
    "signals: TERM and INT finish what is under way, a second one ends at once;\n"
    "         USR1 opens the access log again\n";

static const struct option options[] = {
    {"config", required_argument, NULL, 'c'},
    {"test", no_argument, NULL, 't'},
    {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static struct snapshot *load(const char *path)
{
    struct config_errors *errors = NULL;
    struct snapshot *snapshot = config_load(path, &errors);

    if (snapshot == NULL) {
        size_t count = config_errors_count(errors);

        config_errors_print(errors, stderr);
        fprintf(stderr, "%zu error%s in %s\n", count, count == 1 ? "" : "s", path);
        config_errors_free(&errors);
    }
    return snapshot;
}

int main(int count, char **arguments)
{
    const char *path = NULL;
    bool only_test = false;
    struct snapshot *snapshot;
    int option;

    while ((option = getopt_long(count, arguments, "c:tVh", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            path = optarg;
            break;
        case 't':
            only_test = true;
            break;
        case 'V':
            puts("turnpike " PACKAGE_VERSION);
            return 0;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            fputs(usage, stderr);
            return 1;
        }
    }
    if (path == NULL || optind != count) {
        fputs(usage, stderr);
        return 1;
    }
    snapshot = load(path);
    if (snapshot == NULL) {
        return 1;
    }
    if (only_test) {
        if (!process_check(snapshot)) {
            return 1;
        }
        printf("%s is good\n", path);
        return 0;
    }
    return process_run(snapshot);
}
