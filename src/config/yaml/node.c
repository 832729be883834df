/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions to the tree that config/yaml/yaml_reader makes. */
#include "config/yaml/node.h"

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

static uint64_t mix(uint64_t hash, uint64_t more)
{
    hash = (hash ^ more) * 0x9E3779B97F4A7C15u;
    return hash ^ (hash >> 32);
}

static uint64_t print_of_text(struct bytes text)
{
    uint64_t hash = mix(0, text.length);
    uint64_t piece;

    for (; text.length >= sizeof(piece); text = bytes_skip(text, sizeof(piece))) {
        memcpy(&piece, text.at, sizeof(piece));
        hash = mix(hash, piece);
    }
    piece = 0;
    if (text.length > 0) {
        memcpy(&piece, text.at, text.length);
    }
    return mix(hash, piece);
}

/* Where quotes make a difference. */
static bool is_word_when_plain(const struct node *node)
{
    return node->kind == NODE_TEXT && node->plain && node->text.length <= 5 &&
           (config_node_is_empty(node) || bytes_equal(node->text, BYTES("true")) ||
            bytes_equal(node->text, BYTES("false")));
}

/* As deep as the file, which the YAML reader bounds. */
uint64_t config_node_print(const struct node *node)
{
    uint64_t print;

    if (node == NULL) {
        return 0;
    }
    print = mix((uint64_t)node->kind + 1, is_word_when_plain(node));
    if (node->kind == NODE_TEXT) {
        return mix(print, print_of_text(node->text));
    }
    for (const struct node *member = node->first; member != NULL; member = member->next) {
        uint64_t own = config_node_print(member);

        /* A sum does not ask for an order. */
        print = node->kind == NODE_MAP ? print + mix(print_of_text(member->key->text), own)
                                       : mix(print, own);
    }
    return mix(print, node->count);
}

void config_node_move_down(struct node *node, uint32_t lines)
{
    node->mark.line += lines;
    if (node->key != NULL) {
        node->key->mark.line += lines;
    }
    for (struct node *member = node->first; member != NULL; member = member->next) {
        config_node_move_down(member, lines); /* at most NODE_DEPTH_MAX deep */
    }
}
