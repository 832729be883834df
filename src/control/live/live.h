/* SPDX-License-Identifier: BSD-2-Clause */
/* What the live page shows, as it happens: an update a second to everybody who looks, made once
 * for all of them, and no work but the history's without a viewer. One object, made and ended by
 * control.c, on the control thread. */
#ifndef CONTROL_LIVE_H
#define CONTROL_LIVE_H

#include "control/live/live_meter.h"
#include "control/sources.h"
#include "net/loop.h"

struct live;

/* Borrows both. NULL: out of memory. */
struct live *live_new(const struct control_sources *sources, struct loop *loop);
/* How fast routes or services move just now. Measuring begins with the first call and ends some seconds
 * after the last one; until a second has passed, meters are empty. NULL has none. */
const struct live_meters *live_meters_of(struct live *live, enum metrics_kind kind);
/* The control thread is about to stop: streams end. */
void live_stop(struct live *live);
/* The loop does not run any more, and no stream is left. NULL is harmless. */
void live_free(struct live **live);

#endif
