/* SPDX-License-Identifier: BSD-2-Clause */
/* Plans that ran, until their last user is gone. Freeing ten thousand routes takes a while: it is
 * done here, on the main thread, and not by the worker that happens to use a plan last. */
#ifndef PROCESS_RELOAD_RETIRED_CONFIGS_H
#define PROCESS_RELOAD_RETIRED_CONFIGS_H

#include "base/list.h"
#include "exchange/generation.h"
#include "net/loop.h"

struct retired_configs {
    struct loop *loop;
    struct link plans;
    struct alarm check;
    bool has_holes; /* something large was freed since the last look */
};

void retired_configs_init(struct retired_configs *retired_configs, struct loop *loop);
/* Looks no more: the loop ends. */
void retired_configs_stop(struct retired_configs *retired_configs);
void retired_configs_release(struct retired_configs *retired_configs);
/* Takes the reference over. */
void retired_configs_add(struct retired_configs *retired_configs, struct plan *plan);
/* Something large was freed: in a moment its memory goes back to the kernel. */
void retired_configs_note_holes(struct retired_configs *retired_configs);

#endif
