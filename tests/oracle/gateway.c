/* SPDX-License-Identifier: BSD-2-Clause */
/* The gateway under test, as a child: its two configurations, between which reloads go to and fro,
 * its ports, its end. */
#include "oracle.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 20000

static pid_t child;
static char config_file[300];
static char log_file[300];
static const char *cert_file;
static const char *key_file;
static uint16_t ports[2];
static unsigned loaded_config;

/* The limits of `narrow` make requests wait in line; `again` has another origin to try. */
static void write_config(void)
{
    const char *plain = options.h2_origins ? "http2" : "http1";
    char fresh[sizeof(config_file) + 8];
    FILE *file;

    snprintf(fresh, sizeof(fresh), "%s.new", config_file);
    file = fopen(fresh, "w");
    if (file == NULL) {
        perror(fresh);
        exit(2);
    }
    fprintf(
        file,
        "workers: 2\n"
        "access_log: off\n"
        "admin: {socket: off}\n"
        "retry: {backoff: %s}\n"
        /* On a machine that is busy with something else all clients are slow. */
        "timeouts: {head: 10m, body_idle: 10m, response_idle: 10m}\n"
        "listeners:\n"
        "  - {address: \"127.0.0.1:0\", h2c: true}\n"
        "  - {address: \"127.0.0.1:0\", http2: true, tls: {certificates: [{cert: %s, key: %s}]}}\n"
        "services:\n"
        "  wide: {protocol: %s, origins: [\"127.0.0.1:%u\"],\n"
        "    health: {consecutive_failures: off, failed_share: off}}\n"
        "  narrow: {protocol: %s, origins: [\"127.0.0.1:%u\"],\n"
        "    health: {consecutive_failures: off, failed_share: off},\n"
        "    pool: {max_connections: %u, max_pending: 10000, pending_timeout: 60s, reserve: 0%%}}\n"
        "  again: {protocol: %s, origins: [\"127.0.0.1:%u\", \"127.0.0.1:%u\"],\n"
        "    health: {consecutive_failures: off, failed_share: off},\n"
        "    retry_budget: {percent: 100, min_per_second: 100000}}\n"
        "  secret: {protocol: %s, origins: [\"127.0.0.1:%u\"],\n"
        "    health: {consecutive_failures: off, failed_share: off},\n"
        "    tls: {ca: %s, server_name: a.example}}\n"
        "routes:\n"
        "  - {name: wide, match: {path_prefix: /w/}, service: wide}\n"
        "  - {name: narrow, match: {path_prefix: /n/}, service: narrow}\n"
        "  - {name: again, match: {path_prefix: /a/}, service: again}\n"
        "  - {name: secret, match: {path_prefix: /s/}, service: secret}\n",
        loaded_config % 2 == 0 ? "5ms" : "20ms", cert_file, key_file, plain, origin_port(0), plain,
        origin_port(1), 4 + loaded_config % 2, plain, origin_port(2), origin_port(3),
        options.h2_origins ? "auto" : "http1", origin_port(4), cert_file);
    if (fclose(file) != 0 || rename(fresh, config_file) != 0) {
        perror(config_file);
        exit(2);
    }
}

static void pause_ms(unsigned milliseconds)
{
    const struct timespec time = {.tv_nsec = milliseconds * 1000000L};

    nanosleep(&time, NULL);
}

static void show_log(void)
{
    char line[400];
    FILE *file = fopen(log_file, "r");

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        fprintf(stderr, "    gateway: %s", line);
    }
    if (file != NULL) {
        fclose(file);
    }
}

/* "... listening on 127.0.0.1:PORT (...)", one line a listener, then "ready:". */
static bool read_ports(void)
{
    char line[400];
    unsigned found = 0;
    bool ready = false;
    FILE *file = fopen(log_file, "r");

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        const char *at = strstr(line, "listening on 127.0.0.1:");

        if (at != NULL && found < 2) {
            ports[found++] = (uint16_t)atoi(strrchr(strtok((char *)at + 13, " "), ':') + 1);
        }
        ready = ready || (at == NULL && strstr(line, "ready: ") != NULL);
    }
    if (file != NULL) {
        fclose(file);
    }
    return ready && found == 2;
}

static void launch(void)
{
    int log = open(log_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_APPEND, 0600);

    child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(log, STDERR_FILENO);
        dup2(log, STDOUT_FILENO);
        execl(options.gateway, options.gateway, "-c", config_file, (char *)NULL);
        perror(options.gateway);
        _exit(127);
    }
    close(log);
}

void gateway_begin(const char *folder, const char *cert, const char *key)
{
    snprintf(config_file, sizeof(config_file), "%s/oracle.yaml", folder);
    snprintf(log_file, sizeof(log_file), "%s/gateway.log", folder);
    cert_file = cert;
    key_file = key;
    write_config();
    launch();
    for (unsigned waited = 0; !read_ports(); waited += 10) {
        if (waited > PATIENCE_MS || !gateway_is_there()) {
            fprintf(stderr, "the gateway does not start\n");
            show_log();
            exit(2);
        }
        pause_ms(10);
    }
}

uint16_t gateway_port(bool tls)
{
    return ports[tls];
}

bool gateway_is_there(void)
{
    int status;

    if (child > 0 && waitpid(child, &status, WNOHANG) == child) {
        child = -1;
        fprintf(stderr, "the gateway has ended (%s %d)\n",
                WIFSIGNALED(status) ? "signal" : "status",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        show_log();
    }
    return child > 0;
}

void gateway_reload(void)
{
    loaded_config++;
    write_config();
    kill(child, SIGHUP);
    ledger_count(TALLY_RELOADS);
}

bool gateway_end(void)
{
    int status = 0;

    if (child <= 0) {
        return false;
    }
    kill(child, SIGTERM);
    for (unsigned waited = 0; waitpid(child, &status, WNOHANG) == 0; waited += 10) {
        if (waited > PATIENCE_MS) {
            fprintf(stderr, "the gateway does not stop\n");
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
            break;
        }
        pause_ms(10);
    }
    child = -1;
    if (status != 0) {
        fprintf(stderr, "the gateway ended with %x\n", status);
        show_log();
    }
    unlink(config_file);
    unlink(log_file);
    return status == 0;
}
