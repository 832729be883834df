/* SPDX-License-Identifier: BSD-2-Clause */
/* What the live page shows, as it happens: an update a second to everybody who looks, made once
 * for all of them, and no work but the history's while nobody does. One object, made and ended by
 * control.c, on the control thread. */
#ifndef CONTROL_LIVE_H
#define CONTROL_LIVE_H

#include "control/sources.h"
#include "net/loop.h"

struct live;

/* Borrows both. NULL: out of memory. */
struct live *live_new(const struct control_sources *sources, struct loop *loop);
/* The control thread is about to stop: streams end. */
void live_stop(struct live *live);
/* The loop does not run any more, and no stream is left. NULL is harmless. */
void live_free(struct live **live);

#endif
