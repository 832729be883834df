/* SPDX-License-Identifier: BSD-2-Clause */
/* What runs, ran, or is about to: a plan and the file that it came from. */
#ifndef PROCESS_RELOAD_LOADED_CONFIG_H
#define PROCESS_RELOAD_LOADED_CONFIG_H

#include "base/page.h"
#include "exchange/generation.h"

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

#endif
