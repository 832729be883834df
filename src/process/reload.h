/* SPDX-License-Identifier: BSD-2-Clause */
/* Taking up a new configuration while everything runs. Lives on the main thread: reads and
 * checks the file there, has every worker build its part beside the old one, and only when all
 * of them have it do they swap, each between two of its events. A bad file, a port that is
 * taken or a worker without memory changes nothing.
 *
 * Orders may be given by any thread; one is carried out after the other. */
#ifndef PROCESS_RELOAD_H
#define PROCESS_RELOAD_H

#include "config/reload_order.h"

struct reload; /* one a process */

/* Any thread. false: out of memory, or the process is ending; `done` is not called then. */
bool reload_give_order(struct reload *reload, const struct reload_order *order);
/* Any thread, at any time. */
void reload_look(struct reload *reload, struct reload_status *status);

#endif
