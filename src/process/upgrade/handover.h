/* SPDX-License-Identifier: BSD-2-Clause */
/* Listening sockets on their way from one process to the next (a binary upgrade): numbers of
 * descriptors, with the addresses they were configured for, in an environment variable. The new
 * process takes what its configuration names and closes the rest. The sockets are the same, with
 * the connections that wait in them, so none is refused in between. Main thread only. */
#ifndef PROCESS_UPGRADE_HANDOVER_H
#define PROCESS_UPGRADE_HANDOVER_H

#include "base/address.h"
#include "base/page.h"

#define HANDOVER_SOCKETS "TURNPIKE_SOCKETS" /* what stands in it: one line a listener */
#define HANDOVER_READY "TURNPIKE_READY"     /* the descriptor to say on that the start went well */

/* --- to hand over ------------------------------------------------------------------------ */

/* One line: all sockets of one listener. `kind` tells apart who listens: "client", "control". */
void handover_add(struct page *lines, const char *kind, const struct address *address,
                  const int *fds, uint32_t count);
/* Memory that has a descriptor, or the end of a pipe to read from; one of its kind. */
enum handover_what { HANDOVER_MEMORY, HANDOVER_PIPE };
void handover_add_one(struct page *lines, const char *kind, enum handover_what what, int fd);
/* Calls `each` for every descriptor in such lines. */
void handover_each(struct bytes lines, void (*each)(void *owner, int fd), void *owner);

/* --- to take over ------------------------------------------------------------------------ */

struct handover;

/* What the environment says, which forgets it; no other child inherits it. NULL: nothing. */
struct handover *handover_read(void);
/* The sockets of one listener with this address, which are the caller's now: how many, at most
 * `most`; 0: none. Of listeners with one address (port 0) each call takes the next. NULL has
 * none. */
uint32_t handover_take(struct handover *handover, const char *kind, const struct address *address,
                       int *fds, uint32_t most);
/* The descriptor of such memory or pipe, which does not block, and is the caller's now; -1: none. NULL
 * has none. */
int handover_take_one(struct handover *handover, const char *kind, enum handover_what what);
/* Closes what was not taken. */
void handover_free(struct handover **handover);

/* The start went well: the process that waits for it hears it, once. */
void handover_report_ready(void);

#endif
