/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line: reads it, loads the configuration, hands over to process/. */
#include "base/log/log.h"
#include "config/load.h"
#include "config/yaml/source_files.h"
#include "base/page.h"
#include "config/settings_changes.h"
#include "config/value_changes.h"
#include "net/watch.h"
#include "tls/tls.h"
#include "process/explain_file.h"
#include "process/system/preflight.h"
#include "process/system/privilege.h"
#include "process/process.h"
#include "process/state/state_directory.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "turnpike: terminates client connections and forwards their HTTP requests to services\n"
    "usage: turnpike -c FILE [-t | --diff NEW | --explain 'METHOD URL' | --last-good]\n"
    "  -c, --config FILE   the configuration (YAML)\n"
    "  -t, --test          check the configuration only: exit status 0 when it is good, else 1\n"
    "      --diff NEW      show what a reload from FILE to NEW would change, old and new values\n"
    "      --explain 'METHOD URL' [-H 'NAME: VALUE']... [--listener ADDRESS] [--client IP]\n"
    "                      say which route such a request takes, why, and what happens then\n"
    "      --last-good     if FILE is bad, start with the last good configuration\n"
    "      --state-directory DIR\n"
    "                      where --last-good finds it (default: what FILE says if that can be\n"
    "                      read, $STATE_DIRECTORY, then " STATE_DIRECTORY_DEFAULT ")\n"
    "      --log-format text|journal|json\n"
    "                      of the process log (default: journal where stderr is systemd's "
    "journal,\n"
    "                      else text)\n"
    "  -V, --version       print the version, and what it was built for\n"
    "  -h, --help          print this\n"
    "signals: TERM and INT finish requests under way, a second one stops at once;\n"
    "         HUP reloads FILE and closes no connection;\n"
    "         USR2 hands over to the binary that is at the same path now;\n"
    "         USR1 reopens the access log\n"
    "exit status: 0; 1 after an error, which is on stderr; warnings leave it 0\n"
    "turnpikectl inspects and changes a running gateway\n";

enum {
    OPTION_DIFF = 256,
    OPTION_LAST_GOOD,
    OPTION_STATE_DIRECTORY,
    OPTION_EXPLAIN,
    OPTION_LISTENER,
    OPTION_CLIENT,
    OPTION_LOG_FORMAT
};

static const struct option options[] = {
    {"config", required_argument, NULL, 'c'},
    {"test", no_argument, NULL, 't'},
    {"diff", required_argument, NULL, OPTION_DIFF},
    {"explain", required_argument, NULL, OPTION_EXPLAIN},
    {"client", required_argument, NULL, OPTION_CLIENT},
    {"header", required_argument, NULL, 'H'},
    {"listener", required_argument, NULL, OPTION_LISTENER},
    {"last-good", no_argument, NULL, OPTION_LAST_GOOD},
    {"state-directory", required_argument, NULL, OPTION_STATE_DIRECTORY},
    {"log-format", required_argument, NULL, OPTION_LOG_FORMAT},
    {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct command {
    char **arguments;
    const char *path;
    const char *diff; /* NULL: not asked for */
    const char *state_directory;
    const char *explain;  /* "METHOD URL"; NULL: not asked for */
    const char *listener; /* that it would come by; NULL: any */
    const char *client;   /* who would ask, an address; NULL: not known */
    struct page headers;  /* -H, a line each */
    bool only_test;
    bool may_use_last_good;
};

/* --- the process log --------------------------------------------------------------------- */

static bool choose_log_format(const char *name)
{
    static const char *const names[] = {
        [LOG_TEXT] = "text", [LOG_JOURNAL] = "journal", [LOG_JSON] = "json"};

    for (int format = LOG_TEXT; format <= LOG_JSON; format++) {
        if (strcmp(names[format], name) == 0) {
            log_set_format((enum log_format)format);
            return true;
        }
    }
    fprintf(stderr, "turnpike: --log-format expects text, journal or json, not '%s'\n", name);
    return false;
}

/* --- loading ----------------------------------------------------------------------------- */

struct loaded {
    struct snapshot *snapshot; /* NULL: it is bad, and was told */
    char *room;
    struct bytes source;
};

static struct loaded load(const char *path)
{
    struct config_errors *errors = NULL;
    struct loaded loaded = {0};

    loaded.room = config_read_file(path, CONFIG_PATIENCE_MS, &loaded.source, &errors);
    if (loaded.room != NULL) {
        loaded.snapshot = config_load_bytes(path, loaded.source, &errors);
    }
    if (loaded.snapshot == NULL) {
        size_t count = config_errors_count(errors);

        config_errors_print(errors, stderr);
        fprintf(stderr, "%zu error%s in %s\n", count, count == 1 ? "" : "s", path);
        config_errors_free(&errors);
        free(loaded.room);
        loaded.room = NULL;
    }
    return loaded;
}

static void unload(struct loaded *loaded)
{
    snapshot_unref(&loaded->snapshot);
    free(loaded->room);
    loaded->room = NULL;
}

/* The file is bad, but where it keeps its state may still be read. */
static char *directory_in_file(const char *path)
{
    struct config_errors *errors = NULL;
    struct bytes source;
    char *room = config_read_file(path, CONFIG_PATIENCE_MS, &source, &errors);
    char *directory = room != NULL ? state_directory_in_text(source) : NULL;

    config_errors_free(&errors);
    free(room);
    return directory;
}

static struct loaded load_last_good(const struct command *command)
{
    char *configured = command->state_directory != NULL ? strdup(command->state_directory)
                                                        : directory_in_file(command->path);
    char *directory = state_directory_choose(configured);
    char *path = directory != NULL ? state_directory_path(directory, LAST_GOOD_FILE) : NULL;
    struct loaded loaded = {0};

    if (path != NULL) {
        log_warning("%s is bad: starting with the last good configuration, %s", command->path,
                    path);
        loaded = privilege_yield_to_owner(path) ? load(path) : loaded;
    }
    if (path != NULL && loaded.snapshot == NULL) {
        fprintf(stderr, "--state-directory DIR says where else the last good one is\n");
    }
    free(path);
    free(directory);
    free(configured);
    return loaded;
}

/* --- what is asked for ------------------------------------------------------------------- */

/* A certificate that cannot be used makes a file as bad as a mistake in it. */
static bool can_run(const struct loaded *loaded)
{
    return loaded->snapshot != NULL && process_check(snapshot_ref(loaded->snapshot));
}

static int run(const struct command *command)
{
    struct loaded loaded = load(command->path);
    bool is_last_good = command->may_use_last_good && !can_run(&loaded);
    struct process_start start;
    int status;

    if (is_last_good) {
        unload(&loaded);
        loaded = load_last_good(command);
    }
    if (loaded.snapshot == NULL) {
        return 1;
    }
    start = (struct process_start){
        .path = command->path,
        .snapshot = loaded.snapshot,
        .source = loaded.source,
        .arguments = command->arguments,
        .is_last_good = is_last_good,
    };
    loaded.snapshot = NULL; /* theirs now */
    status = process_run(&start);
    unload(&loaded);
    return status;
}

static int test(const struct command *command)
{
    struct loaded loaded = load(command->path);

    struct snapshot *snapshot = loaded.snapshot;
    bool good;

    loaded.snapshot = NULL; /* ours */
    good = snapshot != NULL && process_check(snapshot_ref(snapshot));
    unload(&loaded);
    if (good) {
        preflight_log_warnings(snapshot_settings(snapshot));
        preflight_check(snapshot_settings(snapshot));
    }
    snapshot_unref(&snapshot);
    if (good) {
        printf("%s is good\n", command->path);
    }
    return good ? 0 : 1;
}

static void print_values(const struct loaded *before, const struct loaded *now)
{
    struct page values = {0};

    if (value_changes_add(&values, before->source, now->source)) {
        fwrite(values.at, 1, values.length, stdout);
    }
    page_release(&values);
}

static void print_diff(const struct loaded *before, const struct loaded *now)
{
    struct settings_changes *changes =
        settings_changes_new(snapshot_settings(before->snapshot), snapshot_settings(now->snapshot));
    char line[4096];

    if (changes != NULL) {
        settings_changes_print(changes, stdout);
        print_values(before, now);
        settings_changes_report(changes, line, sizeof(line));
        puts(line);
    }
    settings_changes_free(&changes);
}

static int explain_request(struct command *command)
{
    struct loaded loaded = load(command->path);
    struct snapshot *snapshot = loaded.snapshot;
    struct page asked = {0};
    bool good;

    page_format(&asked, "%s\n", command->explain);
    page_add(&asked, page_bytes(&command->headers));
    loaded.snapshot = NULL; /* theirs now */
    good = snapshot != NULL &&
           explain_file(snapshot, page_bytes(&asked), command->listener, command->client);
    unload(&loaded);
    page_release(&asked);
    page_release(&command->headers);
    return good ? 0 : 1;
}

static int diff(const struct command *command)
{
    struct loaded before = load(command->path);
    struct loaded now = load(command->diff);
    bool good = before.snapshot != NULL && now.snapshot != NULL;

    if (good) {
        print_diff(&before, &now);
    }
    unload(&before);
    unload(&now);
    return good ? 0 : 1;
}

/* --- the command line -------------------------------------------------------------------- */

static int refuse(void)
{
    fputs(usage, stderr);
    return 1;
}

int main(int count, char **arguments)
{
    struct command command = {.arguments = arguments};
    int option;

    tls_use_few_sizes();
    log_set_format(log_goes_to_journal() ? LOG_JOURNAL : LOG_TEXT);
    while ((option = getopt_long(count, arguments, "c:tH:Vh", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            command.path = optarg;
            break;
        case 't':
            command.only_test = true;
            break;
        case OPTION_DIFF:
            command.diff = optarg;
            break;
        case OPTION_EXPLAIN:
            command.explain = optarg;
            break;
        case 'H':
            page_format(&command.headers, "%s\n", optarg);
            break;
        case OPTION_CLIENT:
            command.client = optarg;
            break;
        case OPTION_LISTENER:
            command.listener = optarg;
            break;
        case OPTION_LOG_FORMAT:
            if (!choose_log_format(optarg)) {
                return 1;
            }
            break;
        case OPTION_LAST_GOOD:
            command.may_use_last_good = true;
            break;
        case OPTION_STATE_DIRECTORY:
            command.state_directory = optarg;
            break;
        case 'V':
            printf("turnpike " PACKAGE_VERSION "\nevents: %s\nsystem: " SYSTEM_NAME "\n",
                   watches_engine());
            return 0;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            return refuse();
        }
    }
    if (command.path == NULL || optind != count) {
        return refuse();
    }
    if (command.explain != NULL) {
        return explain_request(&command);
    }
    if (command.diff != NULL) {
        return diff(&command);
    }
    return command.only_test ? test(&command) : run(&command);
}
