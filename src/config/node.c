/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions to the tree that config/yaml_reader makes. */
#include "config/node.h"

const struct node *config_node_child(const struct node *node, const char *key)
{
    const struct node *child;

    if (node == NULL || node->kind != NODE_MAP) {
        return NULL;
    }
    for (child = node->first; child != NULL; child = child->next) {
        if (bytes_equal(child->key->text, bytes_of(key))) {
            return child;
        }
    }
    return NULL;
}

const char *config_node_kind(const struct node *node)
{
    switch (node->kind) {
    case NODE_LIST:
        return "a list";
    case NODE_MAP:
        return "a mapping";
    default:
        return config_node_is_empty(node) ? "nothing" : "text";
    }
}

bool config_node_is_empty(const struct node *node)
{
    return node->kind == NODE_TEXT && node->plain &&
           (node->text.length == 0 || bytes_equal(node->text, BYTES("~")) ||
            bytes_equal(node->text, BYTES("null")));
}
