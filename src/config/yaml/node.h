/* SPDX-License-Identifier: BSD-2-Clause */
/* A configuration file as a tree, free of the YAML library: made by config/yaml/yaml_reader,
 * walked by the read_*.c files. Lives in the load's scratch arena. */
#ifndef CONFIG_YAML_NODE_H
#define CONFIG_YAML_NODE_H

#include "config/errors.h"

enum node_kind {
    NODE_TEXT,
    NODE_LIST,
    NODE_MAP,
    NODE_BROKEN, /* its error is told already: say nothing more about it */
};

struct node {
    enum node_kind kind;
    bool plain; /* text without quotes: only then does `true` or nothing mean more than text */
    struct mark mark;
    uint32_t count;    /* of a list's or map's members */
    struct bytes text; /* NODE_TEXT */
    struct node *key;  /* of a map's member; otherwise NULL */
    struct node *first;
    struct node *next; /* within the same list or map */
};

/* The member of a map with this key, or NULL. NULL and other kinds of node have none. */
const struct node *config_node_child(const struct node *node, const char *key);
/* "text", "a list", "a mapping", "nothing", for messages. */
const char *config_node_kind(const struct node *node);
/* A fingerprint of what stands there: spelling counts, the order of a mapping's keys, quotes and
 * comments do not. Equal nodes have equal ones, and unequal ones nearly never; NULL is 0. */
uint64_t config_node_print(const struct node *node);
/* Adds to the line of a node, of its key and of all below it. */
void config_node_move_down(struct node *node, uint32_t lines);
/* `key:` with nothing behind it, or a plain ~ or null. */
bool config_node_is_empty(const struct node *node);

#endif
