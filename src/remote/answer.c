/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON is YAML with all its quotes, so the configuration's reader makes a tree of it. */
#include "remote/answer.h"

#include "base/text.h"

#include <stdlib.h>

struct node *answer_read(struct arena *scratch, struct bytes json)
{
    struct config_errors *errors = config_errors_new("answer");
    struct node *root = NULL;

    if (errors != NULL && scratch != NULL) {
        root = config_yaml_read(scratch, json, errors);
    }
    if (root != NULL && (config_errors_count(errors) > 0 || root->kind != NODE_MAP)) {
        root = NULL;
    }
    config_errors_free(&errors);
    return root;
}

double answer_number_in(struct bytes text)
{
    char copy[32];
    size_t length = text.length < sizeof(copy) ? text.length : sizeof(copy) - 1;

    memcpy(copy, text.at, length);
    copy[length] = '\0';
    return strtod(copy, NULL);
}

struct bytes answer_text(const struct node *map, const char *key)
{
    const struct node *node = config_node_child(map, key);

    return node == NULL || node->kind != NODE_TEXT || config_node_is_empty(node) ? BYTES("")
                                                                                 : node->text;
}

double answer_number(const struct node *map, const char *key)
{
    return answer_number_in(answer_text(map, key));
}

int columns_of(struct bytes text)
{
    int width = 0;

    for (size_t i = 0; i < text.length; i++) {
        width += !text_byte_continues(text.at[i]);
    }
    return width;
}

void columns_add_all(struct page *out, struct bytes text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.at[i];

        page_add_char(out, byte < 0x20 || byte == 0x7f ? '?' : text.at[i]);
    }
}

/* As many bytes as fill so many columns, at most. */
static struct bytes first_columns(struct bytes text, int columns)
{
    int width = 0;

    for (size_t i = 0; i < text.length; i++) {
        width += !text_byte_continues(text.at[i]);
        if (width > columns) {
            return bytes_first(text, i);
        }
    }
    return text;
}

void columns_add(struct page *out, struct bytes text, int width, enum columns_side side)
{
    int gap = width - columns_of(text);

    if (gap < 0 && side == COLUMNS_PATH) {
        page_add_char(out, '~');
        columns_add_all(out, bytes_skip(text, first_columns(text, 1 - gap).length));
    } else if (gap < 0) {
        columns_add_all(out, first_columns(text, width - 1));
        page_add_char(out, '~');
    } else {
        page_format(out, "%*s", side == COLUMNS_RIGHT ? gap : 0, "");
        columns_add_all(out, text);
        page_format(out, "%*s", side == COLUMNS_RIGHT ? 0 : gap, "");
    }
}
