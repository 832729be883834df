/* SPDX-License-Identifier: BSD-2-Clause */
/* One immutable configuration, counted by its users: the plan that is built from it
 * (exchange/generation.h) holds one reference. Freed when the last one goes, from whichever
 * thread that is. */
#ifndef CONFIG_SNAPSHOT_H
#define CONFIG_SNAPSHOT_H

#include "base/memory/arena.h"
#include "config/settings.h"

struct snapshot;

/* Takes over the arena and what lives in it, the settings among them; holds one reference. */
struct snapshot *snapshot_new(struct arena *arena, const struct settings *settings);
const struct settings *snapshot_settings(const struct snapshot *snapshot);
/* The number of workers cannot change while they run: what depends on it goes by this one. Only
 * before others see the snapshot. */
void snapshot_hold_workers(struct snapshot *snapshot, uint32_t workers);
struct snapshot *snapshot_ref(struct snapshot *snapshot);
void snapshot_unref(struct snapshot **snapshot);

#endif
