/* SPDX-License-Identifier: BSD-2-Clause */
/* Puts the trees of included files into that of the main file. Called by config/load. */
#ifndef CONFIG_MERGE_H
#define CONFIG_MERGE_H

#include "config/read/reading.h"

struct config_merge {
    struct reading *reading;
    struct node *root;
    struct names services; /* of the main file and of what was added so far, to their nodes */
};

/* `root` is the main file's tree, whatever its kind. */
void config_merge_begin(struct config_merge *merge, struct reading *reading, struct node *root);
/* Adds listeners, services and routes of an included file; an error for all else in it, and for a
 * service that is there already. Marks count in the whole text. */
void config_merge_add(struct config_merge *merge, struct node *tree);

#endif
