/* SPDX-License-Identifier: BSD-2-Clause */
/* What runs, ran, or is about to: a plan and the file that it came from. */
#ifndef PROCESS_RELOAD_LOADED_CONFIG_H
#define PROCESS_RELOAD_LOADED_CONFIG_H

#include "base/list.h"
#include "base/page.h"
#include "exchange/generation.h"
#include "net/loop.h"

/* SHA-256 of a file's bytes, as text: what the audit log calls a configuration by. */
#define FINGERPRINT_LENGTH 64
struct fingerprint {
    char text[FINGERPRINT_LENGTH + 1];
};
struct fingerprint fingerprint_of(struct bytes bytes);

struct loaded_config {
    struct plan *plan;
    char *source;
    size_t length;
    struct fingerprint print; /* empty: the file could not even be read */
};

/* Reads the file and those that it names. false: `problems` says why, a line each, and what was
 * had of it so far is in the loaded config; empty where there was no memory to say it. */
bool loaded_config_read(struct loaded_config *loaded_config, const char *path, uint32_t workers,
                        struct split_registry *splits, struct page *problems);
void loaded_config_release(struct loaded_config *loaded_config);

/* Plans that ran, until their last user is gone. Freeing ten thousand routes takes a while: it is
 * done here, on the main thread, and not by the worker that happens to use a plan last. */
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
