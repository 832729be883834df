/* SPDX-License-Identifier: BSD-2-Clause */
/* Each look ends in nothing or in one warning with its place. */
#include "process/system/preflight.h"

#include "base/log/log.h"
#include "base/system/descriptor.h"
#include "net/listener.h"
#include "net/socket_facts.h"
#include "process/state/state_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void warn(const struct file_place *at, const char *what, const char *name, const char *why)
{
    char place[FILE_PLACE_TEXT_MAX];

    log_warning("%s%s %s: %s", file_place_text(at, place), what, name, why);
}

/* --- as whom ------------------------------------------------------------------------------ */

/* What is opened after the start has dropped its rights is asked for without them. */
static bool become(const char *user)
{
    const struct passwd *entry = user != NULL && geteuid() == 0 ? getpwnam(user) : NULL;

    return entry != NULL && initgroups(user, entry->pw_gid) == 0 && setegid(entry->pw_gid) == 0 &&
           seteuid(entry->pw_uid) == 0;
}

static void be_root_again(bool was)
{
    if (was && (seteuid(0) < 0 || setegid(0) < 0 || setgroups(0, NULL) < 0)) {
        abort(); /* what follows would answer for another process */
    }
}

/* --- files -------------------------------------------------------------------------------- */

/* 0, or why not: a file there, or one in its folder, can be written. */
static int cannot_write(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder;
    int failure = 0;

    if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0) {
        return 0;
    }
    if (errno != ENOENT) {
        return errno;
    }
    folder = strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (folder != NULL && faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) < 0) {
        failure = errno;
    }
    free(folder);
    return failure;
}

static const char *remedy_for_file(int failure)
{
    switch (failure) {
    case ENOENT:
        return "its folder is not there; make it before the start";
    case EACCES:
    case EPERM:
        return "it cannot be written there; give the folder to the user that the gateway runs as";
    default:
        return strerror(failure);
    }
}

static void check_at_file(const struct file_place *at, const char *what, const char *path)
{
    int failure = path != NULL && path[0] == '/' ? cannot_write(path) : 0;

    if (failure != 0) {
        warn(at, what, path, remedy_for_file(failure));
    }
}

/* A Unix socket is made anew, so it is its folder that matters. */
static void check_at_socket(const struct file_place *at, const char *what, const char *path)
{
    char beside[128];

    snprintf(beside, sizeof(beside), "%s.turnpike-looks", path);
    if (path[0] == '/' && cannot_write(beside) != 0) {
        warn(at, what, path, remedy_for_file(cannot_write(beside)));
    }
}

/* --- ports -------------------------------------------------------------------------------- */

static const char *remedy_for_port(int failure)
{
    switch (failure) {
    case EADDRINUSE:
        return "another process listens there; a start would fail";
    case EADDRNOTAVAIL:
        return "no interface of this machine has this address";
    case EACCES:
    case EPERM:
        return "this user may not listen there; ports below 1024 take CAP_NET_BIND_SERVICE";
    default:
        return strerror(failure);
    }
}

/* Whether a gateway answers at the control socket of this configuration. */
static bool gateway_runs(const struct admin_settings *admin)
{
    const char *path = admin->socket != NULL ? admin->socket : ADMIN_SOCKET;
    struct address address;
    int fd;
    bool runs;

    if ((admin->socket == NULL && !admin->socket_auto) ||
        !address_parse(bytes_of(path), &address)) {
        return false;
    }
    fd = descriptor_socket(AF_UNIX, SOCK_STREAM);
    runs = fd >= 0 && connect(fd, &address.any, address.length) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return runs;
}

/* The sockets of a gateway of the same user let others beside them; those of most programs do not.
 * Bound, and never listened on: no client can get into it. */
static bool binds_beside(const struct address *address)
{
    const int yes = 1;
    int fd = descriptor_blocking_socket(address->any.sa_family, SOCK_STREAM);
    bool bound;

    if (fd < 0) {
        return false;
    }
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes)); /* IPv4 has no such option */
    bound = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0 &&
            listening_share_port(fd) && bind(fd, &address->any, address->length) == 0;
    close(fd);
    return bound;
}

static void check_at_address(const struct file_place *at, const char *what, const char *name,
                             const struct address *address, bool runs)
{
    int failure = listener_try(address);

    if (address->any.sa_family == AF_UNIX) {
        check_at_socket(at, what, address->local.sun_path);
    } else if (failure != 0 && !(failure == EADDRINUSE && runs && binds_beside(address))) {
        warn(at, what, name, remedy_for_port(failure));
    }
}

/* --- state -------------------------------------------------------------------------------- */

static bool has_ramp(const struct settings *settings)
{
    for (uint32_t i = 0; i < settings->route_count; i++) {
        if (settings->routes[i].split.ramp.step_count > 0) {
            return true;
        }
    }
    return false;
}

/* 0, or why nothing can be written there. */
static int cannot_keep_state(const char *directory)
{
    return directory != NULL && faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) < 0 ? errno
                                                                                            : 0;
}

static void check_at_state(const struct settings *settings)
{
    char *directory = state_directory_choose(settings->state_directory);
    int failure = cannot_keep_state(directory);

    if (failure == 0) {
        free(directory);
        return;
    }
    if (has_ramp(settings)) {
        warn(
            &settings->state_directory_at, "state directory", directory,
            "it cannot be written, and there is a ramp: no ramp moves without one, since a restart "
            "would forget where it was; make the folder and give it to the user that the gateway "
            "runs as");
    } else if (settings->state_directory != NULL) {
        warn(&settings->state_directory_at, "state directory", directory, strerror(failure));
    }
    free(directory);
}

/* With keys of its own a room lets its users in again by their tickets. */
static void warn_of_rooms(const struct settings *settings)
{
    static const struct file_place nowhere = {0};

    for (uint32_t i = 0; i < settings->route_count; i++) {
        const struct route_settings *route = &settings->routes[i];

        if (route->waiting_room.active > 0 && route->waiting_room.key_count == 0) {
            warn(&nowhere, "route", route->name,
                 "its waiting room has no `keys`, and no state directory can be written: a "
                 "restart ends the places of all users; set state_directory, or "
                 "waiting_room.keys");
        }
    }
}

static void check_rooms(const struct settings *settings)
{
    bool changed = become(settings->user);
    char *directory = state_directory_choose(settings->state_directory);
    int failure = cannot_keep_state(directory);

    be_root_again(changed);
    free(directory);
    if (failure != 0) {
        warn_of_rooms(settings);
    }
}

/* --- all ---------------------------------------------------------------------------------- */

void preflight_log_warnings(const struct settings *settings)
{
    char place[FILE_PLACE_TEXT_MAX];

    for (const struct config_warning *at = settings->warnings; at != NULL; at = at->next) {
        log_warning("%s%s", file_place_text(&at->at, place), at->what);
    }
    check_rooms(settings);
}

void preflight_check(const struct settings *settings)
{
    const struct admin_settings *admin = &settings->admin;
    bool runs = gateway_runs(admin);
    bool changed;

    for (uint32_t i = 0; i < settings->listener_count; i++) {
        const struct listener_settings *listener = &settings->listeners[i];

        check_at_address(&listener->at, "listener", listener->name, &listener->address, runs);
    }
    if (admin->socket != NULL) {
        check_at_socket(&admin->socket_at, "admin.socket", admin->socket);
    }
    if (admin->metrics != NULL) {
        check_at_address(&admin->metrics_at, "admin.metrics", admin->metrics,
                         &admin->metrics_address, runs);
    }
    changed = become(settings->user);
    check_at_file(&settings->access_log.at, "access_log", settings->access_log.path);
    check_at_file(&settings->pid_file_at, "pid_file", settings->pid_file);
    check_at_state(settings);
    be_root_again(changed);
}
