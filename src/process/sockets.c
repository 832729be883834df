/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening, carrying on and closing them, and saying where they are. */
#include "process/sockets.h"

#include "base/log.h"
#include "io/listener.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define WHY_BYTES 512

/* What one listener has. */
struct place {
    char *name;
    struct address bound; /* where it is, once opened: port 0 is some other by then */
    mode_t mode;
    uint32_t key;
    bool opened;
    bool is_fresh;   /* opened for these settings */
    bool owns_file;  /* of a Unix socket: to be removed with it */
    uint32_t former; /* index in the former sockets; CHANGES_NONE */
};

struct sockets {
    uint32_t workers;
    uint32_t count; /* listeners */
    uint32_t next_key;
    struct place *places;
    struct client_socket *slots; /* [worker][listener] */
};

static struct client_socket *slot(const struct sockets *sockets, uint32_t worker, uint32_t listener)
{
    return &sockets->slots[(size_t)worker * sockets->count + listener];
}

static bool is_local(const struct place *place)
{
    return place->bound.any.sa_family == AF_UNIX;
}

/* --- opening ----------------------------------------------------------------------------- */

static const char *remedy_for(int failure)
{
    return failure == EACCES || failure == EPERM
               ? " (the process may not; ports below 1024 take CAP_NET_BIND_SERVICE once `user` "
                 "is set)"
               : "";
}

static bool open_one(struct sockets *sockets, uint32_t index, char *why)
{
    struct place *place = &sockets->places[index];

    place->is_fresh = true;
    for (uint32_t worker = 0; worker < sockets->workers; worker++) {
        /* One socket file, whichever worker accepts from it. */
        int fd = is_local(place) && worker > 0 ? dup(slot(sockets, 0, index)->fd)
                                               : listener_open(&place->bound, place->mode);

        if (fd < 0) {
            snprintf(why, WHY_BYTES, "cannot listen on %s: %s%s", place->name, strerror(errno),
                     remedy_for(errno));
            return false;
        }
        slot(sockets, worker, index)->fd = fd;
        place->opened = true;
        place->owns_file = is_local(place);
        /* Port 0 is whatever the first worker got. */
        if (!is_local(place) && !listener_bound_address(fd, &place->bound)) {
            snprintf(why, WHY_BYTES, "cannot tell where %s listens: %s", place->name,
                     strerror(errno));
            return false;
        }
    }
    return true;
}

static void tell_place(const struct place *place)
{
    char text[ADDRESS_TEXT_MAX];

    text[address_format(&place->bound, text)] = '\0';
    log_info("listening on %s (%s)", text, place->name);
}

static bool place_init(struct place *place, const struct listener_settings *settings)
{
    place->name = strdup(settings->name);
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
    sockets->places = calloc(settings->listener_count, sizeof(*sockets->places));
    sockets->slots = calloc(count, sizeof(*sockets->slots));
    if (sockets->places == NULL || sockets->slots == NULL) {
        sockets_close(&sockets);
        return NULL;
    }
    sockets->count = settings->listener_count;
    for (size_t i = 0; i < count; i++) {
        sockets->slots[i].fd = -1;
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

struct sockets *sockets_open(const struct settings *settings)
{
    struct sockets *sockets = sockets_new(settings, settings->workers);
    char why[WHY_BYTES];

    if (sockets == NULL) {
        log_error("out of memory");
        return NULL;
    }
    for (uint32_t i = 0; i < sockets->count; i++) {
        set_key(sockets, i, sockets->next_key++);
        if (!open_one(sockets, i, why)) {
            log_error("%s", why);
            sockets_close(&sockets);
            return NULL;
        }
        sockets->places[i].is_fresh = false;
        tell_place(&sockets->places[i]);
    }
    return sockets;
}

struct client_socket *sockets_of_worker(struct sockets *sockets, uint32_t worker)
{
    return slot(sockets, worker, 0);
}

/* --- carrying on ------------------------------------------------------------------------- */

static void carry_one(struct sockets *sockets, uint32_t index, const struct sockets *former,
                      uint32_t from)
{
    struct place *place = &sockets->places[index];

    place->former = from;
    place->bound = former->places[from].bound;
    place->opened = true;
    set_key(sockets, index, former->places[from].key);
}

struct sockets *sockets_carry(const struct sockets *former, const struct settings *settings,
                              const struct settings_changes *changes, char *why)
{
    struct sockets *sockets = sockets_new(settings, former->workers);

    if (sockets == NULL) {
        snprintf(why, WHY_BYTES, "out of memory");
        return NULL;
    }
    sockets->next_key = former->next_key;
    for (uint32_t i = 0; i < sockets->count; i++) {
        uint32_t from = settings_changes_former(changes, CHANGE_OF_LISTENERS, i);

        if (from != CHANGES_NONE) {
            carry_one(sockets, i, former, from);
            continue;
        }
        set_key(sockets, i, sockets->next_key++);
        if (!open_one(sockets, i, why)) {
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
            before->owns_file = false;
            if (is_local(place) && place->mode != before->mode &&
                chmod(place->bound.local.sun_path, place->mode) < 0) {
                log_warning("cannot set the mode of %s: %s", place->name, strerror(errno));
            }
        }
        if (place->is_fresh) {
            place->is_fresh = false;
            tell_place(place);
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
            unlink(place->bound.local.sun_path);
        }
        free(place->name);
    }
    free(sockets->places);
    free(sockets->slots);
    free(sockets);
}
