/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening, carrying on and closing them, and saying where they are. */
#include "process/sockets.h"

#include "base/log/log.h"
#include "net/listener.h"
#include "net/socket_facts.h"
#include "net/socket_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* What one listener has. */
struct place {
    char *name;
    char at[FILE_PLACE_TEXT_MAX]; /* in the configuration, as text */
    struct address configured;
    struct address bound; /* where it is, once opened: port 0 is some other by then */
    mode_t mode;
    uint32_t key;
    bool opened;
    bool is_fresh;     /* opened for these settings */
    bool is_inherited; /* from the process before this one, which may still go on */
    bool owns_file;    /* of a Unix socket: to be removed with it */
    struct socket_file file;
    uint32_t former; /* index in the former sockets; CHANGES_NONE */
};

struct sockets {
    uint32_t workers;
    uint32_t count; /* listeners */
    uint32_t next_key;
    bool alone;                    /* no other process may listen where one is opened */
    struct activation *activation; /* borrowed; NULL: none */
    struct place *places;
    struct client_socket *slots; /* [worker][listener] */
    struct extra_socket *extras;
    uint32_t extra_count;
};

#define INHERITED_MOST 256 /* workers of the process before this one */

static struct client_socket *slot(const struct sockets *sockets, uint32_t worker, uint32_t listener)
{
    return &sockets->slots[(size_t)worker * sockets->count + listener];
}

static bool is_local(const struct place *place)
{
    return place->bound.any.sa_family == AF_UNIX;
}

static void set_fd(struct sockets *sockets, uint32_t worker, uint32_t listener, int fd)
{
    slot(sockets, worker, listener)->fd = slot(sockets, worker, listener)->number = fd;
}

/* --- opening ----------------------------------------------------------------------------- */

static const char *remedy_for(const struct place *place, int failure)
{
    if (is_local(place)) {
        return failure == EADDRINUSE
                   ? " (a process listens there, or a file that is no socket has this name: "
                     "`ss -lxp` says which, stop the process or move the file)"
                   : "";
    }
    switch (failure) {
    case EACCES:
    case EPERM:
        return " (the process may not; ports below 1024 take CAP_NET_BIND_SERVICE once `user` is "
               "set)";
    case EADDRINUSE:
        return " (another process listens there, `ss -ltnp` says which: stop it, choose another "
               "address, or set `reuse_port: shared` in both to give each a part of the "
               "connections)";
    case EADDRNOTAVAIL:
        return " (no interface of this machine has this address: `ip address` lists them)";
    default:
        return "";
    }
}

static void own_file(const struct sockets *sockets, struct place *place)
{
    place->owns_file = is_local(place) && !activation_has(sockets->activation, &place->configured);
    if (place->owns_file) {
        socket_file_note(&place->bound, &place->file);
    }
}

/* A wildcard and an address of it, or one address under two names. */
static bool overlaps(const struct place *place, const struct place *other)
{
    struct ip ip = ip_of_address(&place->bound);
    struct ip others = ip_of_address(&other->bound);

    return other->opened && !is_local(place) &&
           place->bound.any.sa_family == other->bound.any.sa_family &&
           address_port(&place->bound) == address_port(&other->bound) &&
           (address_is_wildcard(&place->bound) || address_is_wildcard(&other->bound) ||
            memcmp(&ip, &others, sizeof(ip)) == 0);
}

static bool overlaps_one_of(const struct place *place, const struct sockets *sockets)
{
    for (uint32_t i = 0; sockets != NULL && i < sockets->count; i++) {
        if (&sockets->places[i] != place && overlaps(place, &sockets->places[i])) {
            return true;
        }
    }
    return false;
}

/* The kernel cannot tell our own sockets from those of another process: where an address of ours
 * overlaps, the question is not asked. */
static bool opens_alone(const struct sockets *sockets, const struct place *place,
                        const struct sockets *former)
{
    return sockets->alone && !overlaps_one_of(place, sockets) && !overlaps_one_of(place, former);
}

/* One socket file, whichever worker accepts from it; and one socket where the kernel spreads no
 * connections. */
static int open_for(const struct sockets *sockets, uint32_t worker, uint32_t index, bool alone)
{
    const struct place *place = &sockets->places[index];

    if ((is_local(place) || !listening_spreads()) && worker > 0) {
        return fcntl(slot(sockets, 0, index)->fd, F_DUPFD_CLOEXEC, 0);
    }
    return alone && worker == 0 ? listener_open_alone(&place->bound, place->mode)
                                : listener_open(&place->bound, place->mode);
}

static bool open_one(struct sockets *sockets, uint32_t index, const struct sockets *former,
                     char *why)
{
    struct place *place = &sockets->places[index];
    bool alone = opens_alone(sockets, place, former);

    place->is_fresh = true;
    for (uint32_t worker = 0; worker < sockets->workers; worker++) {
        int fd = open_for(sockets, worker, index, alone);

        if (fd < 0) {
            snprintf(why, SOCKETS_WHY_BYTES, "%scannot listen on %s: %s%s", place->at, place->name,
                     strerror(errno), remedy_for(place, errno));
            return false;
        }
        set_fd(sockets, worker, index, fd);
        place->opened = true;
        own_file(sockets, place);
        /* Port 0 is whatever the first worker got. */
        if (!is_local(place) && !listener_bound_address(fd, &place->bound)) {
            snprintf(why, SOCKETS_WHY_BYTES, "cannot tell where %s listens: %s", place->name,
                     strerror(errno));
            return false;
        }
    }
    return true;
}

static void report_place(const struct place *place)
{
    char text[ADDRESS_TEXT_MAX];

    text[address_format(&place->bound, text)] = '\0';
    log_info("listening on %s (%s)", text, place->name);
}

static bool place_init(struct place *place, const struct listener_settings *settings)
{
    place->name = strdup(settings->name);
    file_place_text(&settings->at, place->at);
    place->configured = settings->address;
    place->bound = settings->address;
    place->mode = settings->socket_mode;
    place->former = CHANGES_NONE;
    return place->name != NULL;
}

static struct sockets *sockets_new(const struct settings *settings, uint32_t workers)
{
    struct sockets *sockets = calloc(1, sizeof(*sockets));
    size_t count = (size_t)workers * settings->listener_count;

    if (sockets == NULL) {
        return NULL;
    }
    sockets->workers = workers;
    sockets->alone = settings->reuse_port == REUSE_PORT_EXCLUSIVE;
    sockets->places = calloc(settings->listener_count, sizeof(*sockets->places));
    sockets->slots = calloc(count, sizeof(*sockets->slots));
    if (sockets->places == NULL || sockets->slots == NULL) {
        sockets_close(&sockets);
        return NULL;
    }
    sockets->count = settings->listener_count;
    for (size_t i = 0; i < count; i++) {
        sockets->slots[i].fd = sockets->slots[i].number = -1;
    }
    for (uint32_t i = 0; i < sockets->count; i++) {
        if (!place_init(&sockets->places[i], &settings->listeners[i])) {
            sockets_close(&sockets);
            return NULL;
        }
    }
    return sockets;
}

static void set_key(struct sockets *sockets, uint32_t index, uint32_t key)
{
    sockets->places[index].key = key;
    for (uint32_t worker = 0; worker < sockets->workers; worker++) {
        slot(sockets, worker, index)->key = key;
    }
}

/* --- inheriting -------------------------------------------------------------------------- */

static bool add_extra(struct sockets *sockets, uint32_t worker, uint32_t listener, int fd,
                      int number)
{
    size_t count = sockets->extra_count + 1;
    struct extra_socket *extras = realloc(sockets->extras, count * sizeof(*extras));

    if (extras != NULL) {
        sockets->extras = extras;
        extras[sockets->extra_count++] =
            (struct extra_socket){worker, listener, {fd, sockets->places[listener].key, number}};
    }
    return extras != NULL;
}

/* Each of the sockets must be served, for clients wait in any of them; and each worker must have
 * one, though it be shared. */
static bool share_out(struct sockets *sockets, uint32_t index, const int *fds, uint32_t count)
{
    bool good = true;

    for (uint32_t i = 0; i < count; i++) {
        if (i < sockets->workers) {
            set_fd(sockets, i, index, fds[i]);
        } else if (!add_extra(sockets, i % sockets->workers, index, fds[i], fds[i])) {
            close(fds[i]);
            good = false;
        }
    }
    for (uint32_t worker = count; worker < sockets->workers; worker++) {
        int fd = fcntl(fds[worker % count], F_DUPFD_CLOEXEC, 0);

        set_fd(sockets, worker, index, fd);
        good = good && fd >= 0;
    }
    return good;
}

/* false: there is nothing to inherit, or not enough memory for it. */
static bool inherit_one(struct sockets *sockets, uint32_t index, struct handover *handover,
                        bool *good)
{
    struct place *place = &sockets->places[index];
    int fds[INHERITED_MOST];
    uint32_t count = handover_take(handover, "client", &place->configured, fds, INHERITED_MOST);

    if (count == 0) {
        return false;
    }
    place->opened = true;
    place->is_inherited = true;
    *good = share_out(sockets, index, fds, count) &&
            (is_local(place) || listener_bound_address(fds[0], &place->bound));
    return true;
}

/* What the service manager opened, or else sockets of our own. A reload gives no worker a second
 * socket of one address. */
static bool take_or_open(struct sockets *sockets, uint32_t index, const struct sockets *former,
                         char *why)
{
    struct place *place = &sockets->places[index];
    int fds[INHERITED_MOST];
    uint32_t most = former != NULL ? sockets->workers : INHERITED_MOST;
    uint32_t count = activation_take(sockets->activation, &place->configured, fds, most);

    if (count == 0) {
        return open_one(sockets, index, former, why);
    }
    snprintf(why, SOCKETS_WHY_BYTES, "cannot copy the service manager's socket for %s",
             place->name);
    place->opened = true;
    place->is_fresh = true;
    return share_out(sockets, index, fds, count);
}

struct extra_socket *sockets_extras(struct sockets *sockets, uint32_t *count)
{
    *count = sockets->extra_count;
    return sockets->extras;
}

void sockets_hand_over(const struct sockets *sockets, struct page *lines)
{
    int fds[INHERITED_MOST];

    for (uint32_t index = 0; index < sockets->count; index++) {
        const struct place *place = &sockets->places[index];
        uint32_t workers = is_local(place) ? 1 : sockets->workers; /* theirs are one socket */
        uint32_t count = 0;

        for (uint32_t worker = 0; worker < workers && count < INHERITED_MOST; worker++) {
            fds[count++] = slot(sockets, worker, index)->number;
        }
        for (uint32_t i = 0; i < sockets->extra_count && count < INHERITED_MOST; i++) {
            if (sockets->extras[i].listener == index) {
                fds[count++] = sockets->extras[i].at.number;
            }
        }
        handover_add(lines, "client", &place->configured, fds, count);
    }
}

void sockets_own_inherited(struct sockets *sockets)
{
    for (uint32_t index = 0; index < sockets->count; index++) {
        if (sockets->places[index].is_inherited) {
            sockets->places[index].is_inherited = false;
            own_file(sockets, &sockets->places[index]);
        }
    }
}

void sockets_disown(struct sockets *sockets)
{
    for (uint32_t index = 0; index < sockets->count; index++) {
        sockets->places[index].owns_file = false;
    }
}

/* --- all of them ------------------------------------------------------------------------- */

struct sockets *sockets_inherit(const struct settings *settings, struct handover *handover,
                                struct activation *activation)
{
    struct sockets *sockets = sockets_new(settings, settings->workers);
    char why[SOCKETS_WHY_BYTES];

    if (sockets == NULL) {
        log_error("cannot start: no memory is left for the sockets of the listeners; give the "
                  "process more (MemoryMax=, the machine's)");
        return NULL;
    }
    sockets->activation = activation;
    sockets->alone = sockets->alone && handover == NULL; /* the process before us still listens */
    for (uint32_t i = 0; i < sockets->count; i++) {
        bool good = true;

        set_key(sockets, i, sockets->next_key++);
        snprintf(why, sizeof(why), "cannot take over the sockets of %s", sockets->places[i].name);
        if (!inherit_one(sockets, i, handover, &good)) {
            good = take_or_open(sockets, i, NULL, why);
        }
        if (!good) {
            log_error("%s", why);
            sockets_close(&sockets);
            return NULL;
        }
        sockets->places[i].is_fresh = false;
        report_place(&sockets->places[i]);
    }
    return sockets;
}

struct client_socket *sockets_of_worker(struct sockets *sockets, uint32_t worker)
{
    return slot(sockets, worker, 0);
}

/* --- carrying on ------------------------------------------------------------------------- */

/* Their workers have taken them. */
static bool carry_extras(struct sockets *sockets, uint32_t index, const struct sockets *former,
                         uint32_t from)
{
    bool good = true;

    for (uint32_t i = 0; good && i < former->extra_count; i++) {
        const struct extra_socket *extra = &former->extras[i];

        good = extra->listener != from ||
               add_extra(sockets, extra->worker, index, -1, extra->at.number);
    }
    return good;
}

static bool carry_one(struct sockets *sockets, uint32_t index, const struct sockets *former,
                      uint32_t from)
{
    struct place *place = &sockets->places[index];

    place->former = from;
    place->bound = former->places[from].bound;
    place->opened = true;
    set_key(sockets, index, former->places[from].key);
    for (uint32_t worker = 0; worker < sockets->workers; worker++) {
        slot(sockets, worker, index)->number = slot(former, worker, from)->number;
    }
    return carry_extras(sockets, index, former, from);
}

struct sockets *sockets_carry(const struct sockets *former, const struct settings *settings,
                              const struct settings_changes *changes, char why[SOCKETS_WHY_BYTES])
{
    struct sockets *sockets = sockets_new(settings, former->workers);

    if (sockets == NULL) {
        snprintf(why, SOCKETS_WHY_BYTES, "no memory is left for the sockets of the listeners");
        return NULL;
    }
    sockets->next_key = former->next_key;
    sockets->activation = former->activation;
    for (uint32_t i = 0; i < sockets->count; i++) {
        uint32_t from = settings_changes_former(changes, CHANGE_OF_LISTENERS, i);

        if (from != CHANGES_NONE) {
            if (!carry_one(sockets, i, former, from)) {
                snprintf(why, SOCKETS_WHY_BYTES,
                         "no memory is left for the sockets of the listeners");
                sockets_close(&sockets);
                return NULL;
            }
            continue;
        }
        set_key(sockets, i, sockets->next_key++);
        if (!take_or_open(sockets, i, former, why)) {
            sockets_close(&sockets);
            return NULL;
        }
    }
    return sockets;
}

void sockets_settle(struct sockets *sockets, struct sockets **former)
{
    for (uint32_t i = 0; i < sockets->count; i++) {
        struct place *place = &sockets->places[i];
        struct place *before =
            place->former != CHANGES_NONE ? &(*former)->places[place->former] : NULL;

        if (before != NULL) {
            place->owns_file = before->owns_file;
            place->file = before->file;
            before->owns_file = false;
            if (is_local(place) && place->mode != before->mode &&
                chmod(place->bound.local.sun_path, place->mode) < 0) {
                log_warning("cannot set the mode of %s: %s", place->name, strerror(errno));
            }
            if (place->owns_file && place->mode != before->mode) {
                socket_file_note(&place->bound, &place->file);
            }
        }
        if (place->is_fresh) {
            place->is_fresh = false;
            report_place(place);
        }
        place->former = CHANGES_NONE;
    }
    sockets_close(former);
}

/* --- closing ----------------------------------------------------------------------------- */

void sockets_close(struct sockets **held)
{
    struct sockets *sockets = *held;

    *held = NULL;
    if (sockets == NULL) {
        return;
    }
    for (uint32_t index = 0; index < sockets->count; index++) {
        struct place *place = &sockets->places[index];

        for (uint32_t worker = 0; worker < sockets->workers; worker++) {
            if (slot(sockets, worker, index)->fd >= 0) {
                close(slot(sockets, worker, index)->fd);
            }
        }
        if (place->owns_file) {
            socket_file_remove(&place->bound, &place->file);
        }
        free(place->name);
    }
    for (uint32_t i = 0; i < sockets->extra_count; i++) {
        if (sockets->extras[i].at.fd >= 0) {
            close(sockets->extras[i].at.fd);
        }
    }
    free(sockets->extras);
    free(sockets->places);
    free(sockets->slots);
    free(sockets);
}
