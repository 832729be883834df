/* SPDX-License-Identifier: BSD-2-Clause */
/* The listening sockets: one for each worker and TCP address (where the kernel spreads connections
 * over them), one for all workers on a Unix address. Opened before privileges are dropped. New
 * settings carry on those whose address they name too, with the connections that wait in them. Main
 * thread only. */
#ifndef PROCESS_SOCKETS_H
#define PROCESS_SOCKETS_H

#include "client/client.h"
#include "config/settings_changes.h"
#include "process/system/activation.h"
#include "process/upgrade/handover.h"

struct sockets;

/* What the process before this one left, and what the service manager opened, as far as addresses fit;
 * the others are opened. `activation` is kept for reloads; both may be NULL. NULL after log_error. */
struct sockets *sockets_inherit(const struct settings *settings, struct handover *handover,
                                struct activation *activation);
/* In order of settings.listeners, valid until sockets_close; a worker that takes one sets its fd to
 * -1. Of one that is carried on there is only the key. */
struct client_socket *sockets_of_worker(struct sockets *sockets, uint32_t worker);
/* Sockets that came from more workers than there are now: some have more than one. */
struct extra_socket {
    uint32_t worker;
    uint32_t listener; /* index */
    struct client_socket at;
};
struct extra_socket *sockets_extras(struct sockets *sockets, uint32_t *count);

/* The process before this one has been told that this one serves: the files of inherited Unix sockets go
 * with this process from here on. Until then they are the other's, which goes on if this one fails. */
void sockets_own_inherited(struct sockets *sockets);

/* What another process needs to serve on the same ones. */
void sockets_hand_over(const struct sockets *sockets, struct page *lines);
/* It does: the files of Unix sockets are its own now. */
void sockets_disown(struct sockets *sockets);
/* Closes what no worker took, removes the files of Unix sockets. */
void sockets_close(struct sockets **sockets);

/* For new settings: those of listeners that stay are carried on, others are opened. `why` says what
 * stands in the way when it is NULL. Until sockets_settle the former ones hold. */
#define SOCKETS_WHY_BYTES 1024
struct sockets *sockets_carry(const struct sockets *former, const struct settings *settings,
                              const struct settings_changes *changes, char why[SOCKETS_WHY_BYTES]);
/* The new ones run: says where new ones listen; the former ones are closed, as far as they are
 * not carried on. */
void sockets_settle(struct sockets *sockets, struct sockets **former);

#endif
