/* SPDX-License-Identifier: BSD-2-Clause */
/* posix_spawn, which clears "close on exec" of what is handed over in the child alone, and a pipe
 * on which the child says that it is ready. Its end without a word means that the child failed. */
#include "process/upgrade/upgrade.h"

#include "base/log/log.h"
#include "base/system/descriptor.h"
#include "process/system/own_process.h"
#include "process/upgrade/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 60000 /* reading ten thousand certificates may take a while */
#define REAP_MS 20

extern char **environ;

struct upgrade {
    struct loop *loop;
    upgrade_over *over;
    void *owner;
    char *path;
    char **arguments;
    pid_t child; /* 0: none */
    bool is_abandoned;
    int ready; /* our end of the pipe, or -1 */
    struct watch watch;
    struct alarm patience;
    struct alarm reap;
};

struct upgrade *upgrade_new(struct loop *loop, char **arguments, upgrade_over *over, void *owner)
{
    struct upgrade *upgrade = calloc(1, sizeof(*upgrade));

    if (upgrade == NULL) {
        return NULL;
    }
    upgrade->loop = loop;
    upgrade->over = over;
    upgrade->owner = owner;
    upgrade->arguments = arguments;
    upgrade->ready = -1;
    upgrade->path = own_process_path(arguments[0]);
    if (upgrade->path == NULL) {
        upgrade_free(&upgrade);
    }
    return upgrade;
}

/* --- the child --------------------------------------------------------------------------- */

static void let_inherit(void *owner, int fd)
{
    posix_spawn_file_actions_adddup2(owner, fd, fd); /* the same number: only clears the flag */
}

static bool is_ours(const char *entry)
{
    return strncmp(entry, HANDOVER_SOCKETS "=", sizeof(HANDOVER_SOCKETS)) == 0 ||
           strncmp(entry, HANDOVER_READY "=", sizeof(HANDOVER_READY)) == 0;
}

/* The environment with the two more; only the array itself is new. */
static char **with_more(char *sockets, char *ready)
{
    size_t count = 0;
    char **all;

    while (environ[count] != NULL) {
        count++;
    }
    all = calloc(count + 3, sizeof(*all));
    if (all == NULL) {
        return NULL;
    }
    count = 0;
    for (char **entry = environ; *entry != NULL; entry++) {
        if (!is_ours(*entry)) {
            all[count++] = *entry;
        }
    }
    all[count++] = sockets;
    all[count++] = ready;
    return all;
}

/* 0 or an error. Signals that would end the child before it can read signals of its own wait for
 * it: an operator who tells all processes of this name to reload means no harm. Those that are to
 * end it may. */
static int spawn(struct upgrade *upgrade, struct bytes lines, int ready, char **environment)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t waiting;
    sigset_t ignored;
    int error;

    sigemptyset(&waiting);
    sigaddset(&waiting, SIGHUP);
    sigaddset(&waiting, SIGUSR1);
    sigaddset(&waiting, SIGUSR2);
    sigemptyset(&ignored);
    sigaddset(&ignored, SIGPIPE);
    sigaddset(&ignored, SIGXFSZ);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &waiting);
    posix_spawnattr_setsigdefault(&attributes, &ignored);
    handover_each(lines, let_inherit, &actions);
    let_inherit(&actions, ready);
    error = posix_spawn(&upgrade->child, upgrade->path, &actions, &attributes, upgrade->arguments,
                        environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static int start_child(struct upgrade *upgrade, struct bytes lines, int ready)
{
    char *sockets = NULL;
    char *reported = NULL;
    char **environment = NULL;
    int error = ENOMEM;

    if (asprintf(&sockets, HANDOVER_SOCKETS "=%.*s", (int)lines.length, lines.at) >= 0 &&
        asprintf(&reported, HANDOVER_READY "=%d", ready) >= 0 &&
        (environment = with_more(sockets, reported)) != NULL) {
        error = spawn(upgrade, lines, ready, environment);
    }
    free(sockets);
    free(reported);
    free(environment);
    return error;
}

/* --- its word ---------------------------------------------------------------------------- */

static void stop_waiting(struct upgrade *upgrade)
{
    alarm_clear(upgrade->loop, &upgrade->patience);
    watch_stop(&upgrade->watch);
    if (upgrade->ready >= 0) {
        close(upgrade->ready);
        upgrade->ready = -1;
    }
}

/* It has closed the pipe, so it ends, or has been told to. */
static void on_reap(void *owner)
{
    struct upgrade *upgrade = owner;
    int status;

    if (waitpid(upgrade->child, &status, WNOHANG) == 0) {
        alarm_set(upgrade->loop, &upgrade->reap, REAP_MS, on_reap, upgrade);
        return;
    }
    if (WIFEXITED(status)) {
        log_error("upgrade: %s ended with status %d before it was ready; this process goes on",
                  upgrade->path, WEXITSTATUS(status));
    } else {
        log_error("upgrade: %s ended with signal %d before it was ready; this process goes on",
                  upgrade->path, WTERMSIG(status));
    }
    upgrade->child = 0;
    upgrade->over(upgrade->owner, 0);
}

static void on_word(int fd, short what, void *owner)
{
    struct upgrade *upgrade = owner;
    char word;
    ssize_t count = read(fd, &word, 1);
    pid_t child = upgrade->child;

    (void)what;
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    stop_waiting(upgrade);
    if (count == 1 && !upgrade->is_abandoned) { /* else it has been told to end */
        upgrade->child = 0;
        upgrade->over(upgrade->owner, child);
    } else {
        on_reap(upgrade);
    }
}

static void on_patience_over(void *owner)
{
    struct upgrade *upgrade = owner;

    log_error("upgrade: %s is not ready after %d s", upgrade->path, PATIENCE_MS / 1000);
    stop_waiting(upgrade);
    kill(upgrade->child, SIGKILL);
    on_reap(upgrade);
}

/* --- life -------------------------------------------------------------------------------- */

bool upgrade_is_under_way(const struct upgrade *upgrade)
{
    return upgrade->child != 0;
}

bool upgrade_begin(struct upgrade *upgrade, const struct page *sockets)
{
    int ends[2];
    int error;

    if (sockets->failed || !descriptor_pipe(ends)) {
        log_error("upgrade: no memory or file descriptor is left to start the new process; this "
                  "one goes on; raise "
                  "its limits (MemoryMax=, LimitNOFILE=)");
        return false;
    }
    upgrade->ready = ends[0];
    error = start_child(upgrade, page_bytes(sockets), ends[1]);
    close(ends[1]);
    if (error != 0) {
        log_error("upgrade: cannot start %s: %s", upgrade->path, strerror(error));
        upgrade->child = 0;
        stop_waiting(upgrade);
        return false;
    }
    log_info("upgrade: started %s as process %ld", upgrade->path, (long)upgrade->child);
    if (!loop_watch(upgrade->loop, &upgrade->watch, upgrade->ready, WATCH_READABLE, on_word,
                    upgrade)) {
        on_patience_over(upgrade);
        return true;
    }
    alarm_set(upgrade->loop, &upgrade->patience, PATIENCE_MS, on_patience_over, upgrade);
    return true;
}

void upgrade_abandon(struct upgrade *upgrade)
{
    if (upgrade != NULL && upgrade->child != 0) {
        upgrade->is_abandoned = true;
        kill(upgrade->child, SIGTERM);
    }
}

/* One that is still under way finds no sockets to lose: it serves on them, or has failed. */
void upgrade_free(struct upgrade **upgrade)
{
    if (*upgrade == NULL) {
        return;
    }
    alarm_clear((*upgrade)->loop, &(*upgrade)->reap);
    stop_waiting(*upgrade);
    free((*upgrade)->path);
    free(*upgrade);
    *upgrade = NULL;
}
