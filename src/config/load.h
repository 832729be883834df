/* SPDX-License-Identifier: BSD-2-Clause */
/* From a file's path to a snapshot, or to a list of everything that is wrong with it.
 * config_load_bytes is called by main.c (start, -t), process/reload/loaded_config.c and control/;
 * config_load by tests and contrib/make_config_doc.c. Never on a worker's loop. */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include "config/snapshot.h"

#include <stdio.h>

struct arena;
struct node;
struct config_errors; /* in order of line and column */

/* NULL when anything is wrong; *errors then holds all of it (free with config_errors_free),
 * or is NULL too when there was no memory to even say so. NULL in *errors after success. */
struct snapshot *config_load(const char *path, struct config_errors **errors);
/* The same from memory: the text that config/yaml/source_files read; `name` stands for the main
 * file in messages. */
struct snapshot *config_load_bytes(const char *name, struct bytes source,
                                   struct config_errors **errors);
/* The tree of all files of such a text, in `scratch`; NULL where it cannot be read. For what compares
 * texts that were loaded before. */
struct node *config_load_tree(struct arena *scratch, struct bytes source);
size_t config_errors_count(const struct config_errors *errors);
/* Each as "file:line:column: what is wrong", then the source line and a caret below.
 * NULL is taken for "no memory". */
void config_errors_print(const struct config_errors *errors, FILE *out);
void config_errors_free(struct config_errors **errors);

#endif
