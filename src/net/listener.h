/* SPDX-License-Identifier: BSD-2-Clause */
/* Accepts connections for one worker on one address. With no descriptor left it stops
 * watching for a while instead of spinning, and says so once. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "base/address.h"
#include "net/loop.h"

/* Binds and listens. TCP sockets share their port with those of the other workers
 * (SO_REUSEPORT); a Unix socket's file is made anew with `mode`. -1 with errno. */
int listener_open(const struct address *address, mode_t mode);
/* The same where nothing else listens yet, else EADDRINUSE: the kernel would give each process a
 * share of the connections, and tell neither. More of our own can be opened there afterwards. */
int listener_open_alone(const struct address *address, mode_t mode);
/* A listening socket that another program opened gets the options that listener_open gives. */
void listener_adopt(int fd, sa_family_t family);
/* Such a socket, and no other descriptor; it does not block from now on, and goes to no child. */
bool listener_is_one(int fd);
/* Whether listener_open_alone would bind there now: 0, or an error. Touches nothing, so that a
 * Unix address is not looked at. */
int listener_try(const struct address *address);
/* What the kernel bound: the port, where the configuration said 0. */
bool listener_bound_address(int fd, struct address *address);

struct listener;
/* `fd` is non-blocking and now the callee's. */
typedef void listener_accepted(void *owner, int fd, const struct address *from);

/* Takes `fd` over when it succeeds. NULL: out of memory. */
struct listener *listener_new(struct loop *loop, int fd, listener_accepted *accepted, void *owner);
/* One more socket of the same address, which it takes over when it succeeds: from here on they are
 * one. After an upgrade to fewer workers, each has some of the former ones'. */
bool listener_join(struct listener *listener, int fd);
int listener_descriptor(const struct listener *listener);
/* A client that says nothing is handed over at once from here on, and one that the kernel holds back
 * already within a second of its coming. */
void listener_take_silent(struct listener *listener);
/* Accepts what already waits in the kernel (closing would reset those), then closes. */
void listener_free(struct listener **listener);
/* Closes without that: it was not announced yet. */
void listener_discard(struct listener **listener);
/* Accepts nothing more until listener_resume; connections wait in the kernel. */
void listener_pause(struct listener *listener);
void listener_resume(struct listener *listener);

#endif
