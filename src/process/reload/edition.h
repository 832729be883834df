/* SPDX-License-Identifier: BSD-2-Clause */
/* What runs, ran, or is about to: a plan and the file that it came from. */
#ifndef PROCESS_RELOAD_EDITION_H
#define PROCESS_RELOAD_EDITION_H

#include "base/page.h"
#include "exchange/generation.h"
#include "process/reload/fingerprint.h"

struct edition {
    struct plan *plan;
    char *source;
    size_t length;
    struct fingerprint print; /* empty: the file could not even be read */
};

/* Reads the file and those that it names. false: `problems` says why, a line each, and what was
 * had of it so far is in the edition; empty where there was no memory to say it. */
bool edition_read(struct edition *edition, const char *path, uint32_t workers,
                  struct split_book *splits, struct page *problems);
void edition_release(struct edition *edition);

#endif
