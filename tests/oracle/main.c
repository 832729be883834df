/* SPDX-License-Identifier: BSD-2-Clause */
/* oracle --gateway PROGRAM [--requests N] [--seed N] [--clients N] [--reload-every N] [--tls] [--h2]
 * [--h2-origins]
 *
 * Sends N random requests through the gateway and looks at each where it arrives, and at each answer.
 * What clients and origins do follows from the seed; when they do it depends on the machine. Exit
 * status 0: every request at an origin was sent so by a client, none that may not be repeated was
 * carried out twice, and every answer went to the client whose request it answers, unchanged. */
#include "oracle.h"

#include "tests/fakes/certificate_files.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STUCK_MS 60000

struct oracle_options options = {.requests = 20000, .clients = 48};

static void usage(void)
{
    fprintf(stderr, "usage: oracle --gateway PROGRAM [--requests N] [--seed N] [--clients N] "
                    "[--reload-every N] [--tls] [--h2] [--h2-origins]\n");
    exit(2);
}

static uint64_t number(const char *text)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);

    if (*text == '\0' || *end != '\0') {
        usage();
    }
    return value;
}

static void read_options(int count, char **values)
{
    static const struct option known[] = {
        {"gateway", required_argument, NULL, 'g'},
        {"requests", required_argument, NULL, 'n'},
        {"seed", required_argument, NULL, 's'},
        {"clients", required_argument, NULL, 'c'},
        {"reload-every", required_argument, NULL, 'r'},
        {"tls", no_argument, NULL, 't'},
        {"h2", no_argument, NULL, '2'},
        {"h2-origins", no_argument, NULL, 'o'},
        {0},
    };
    int option;

    options.seed = (uint64_t)time(NULL);
    while ((option = getopt_long(count, values, "", known, NULL)) != -1) {
        switch (option) {
        case 'g':
            options.gateway = optarg;
            break;
        case 'n':
            options.requests = (uint32_t)number(optarg);
            break;
        case 's':
            options.seed = number(optarg);
            break;
        case 'c':
            options.clients = (uint32_t)number(optarg);
            break;
        case 'r':
            options.reload_every = (uint32_t)number(optarg);
            break;
        case 't':
            options.tls = true;
            break;
        case '2':
            options.h2 = true;
            break;
        case 'o':
            options.h2_origins = true;
            break;
        default:
            usage();
        }
    }
    if (options.gateway == NULL || options.requests == 0 || options.clients == 0) {
        usage();
    }
}

static uint64_t ends(void)
{
    return ledger_read(TALLY_ANSWERED) + ledger_read(TALLY_BY_GATEWAY) +
           ledger_read(TALLY_UNANSWERED) + ledger_read(TALLY_VOID);
}

static void reload_when_due(void)
{
    static uint64_t reloaded;

    if (options.reload_every != 0 && ledger_read(TALLY_SENT) >= reloaded + options.reload_every) {
        reloaded = ledger_read(TALLY_SENT);
        gateway_reload();
    }
}

/* false: the gateway is gone, nothing moves any more, or there are too many faults. */
static bool run(void)
{
    uint64_t moved_ms = loop_now_ms();
    uint64_t checked_ms = 0;
    uint64_t before = 0;

    while (!clients_are_done() || !clients_h2_are_done()) {
        clients_go_on();
        clients_h2_go_on();
        loop_turn();
        if (loop_now_ms() == checked_ms) {
            continue;
        }
        checked_ms = loop_now_ms();
        origins_accept();
        reload_when_due();
        if (ends() != before) {
            before = ends();
            moved_ms = checked_ms;
        }
        if (checked_ms - moved_ms > STUCK_MS) {
            ledger_fault(NULL, 0, "nothing moves any more");
            clients_report();
            clients_h2_report();
            origins_h2_report();
            return false;
        }
        if (ledger_is_full() || (checked_ms % 256 == 0 && !gateway_is_there())) {
            return false;
        }
    }
    return true;
}

int main(int count, char **values)
{
    struct certificate_files files;
    uint32_t h2;
    bool good;

    signal(SIGPIPE, SIG_IGN);
    read_options(count, values);
    printf("seed %llu\n", (unsigned long long)options.seed);
    fflush(stdout);
    certificate_files_make(&files);
    ledger_prepare();
    plan_prepare();
    loop_prepare();
    origins_begin(files.cert, files.key);
    gateway_begin(files.folder, files.cert, files.key);
    h2 = options.h2 ? (options.clients + 1) / 2 : 0;
    clients_begin(options.clients - h2);
    clients_h2_begin(h2);
    good = run();
    good = ledger_close() && good;
    good = gateway_end() && good;
    certificate_files_remove(&files);
    return good ? 0 : 1;
}
