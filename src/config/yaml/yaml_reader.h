/* SPDX-License-Identifier: BSD-2-Clause */
/* From the text of a YAML file to a tree of nodes. Takes the plain part of YAML only: one
 * document, no anchors, aliases, tags or directives, keys that are text and unique. */
#ifndef CONFIG_YAML_YAML_READER_H
#define CONFIG_YAML_YAML_READER_H

#include "base/memory/arena.h"
#include "config/yaml/node.h"

#define NODE_DEPTH_MAX 16

/* The text has passed config_source_check. NULL, with at least one error, when there is no
 * whole tree; a tree may come with errors too, and then holds NODE_BROKEN where they are. */
struct node *config_yaml_read(struct arena *scratch, struct bytes source,
                              struct config_errors *errors);

#endif
