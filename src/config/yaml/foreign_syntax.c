/* SPDX-License-Identifier: BSD-2-Clause */
/* Called by config/load with the tree, before the readers see it; and by config/read/read_match. */
#include "config/yaml/foreign_syntax.h"

#include <ctype.h>
#include <string.h>

/* "${NAME}": the brace alone also opens the gateway's own "{path}" behind a dollar. */
static bool has_variable(struct bytes text)
{
    for (size_t i = 0; i + 3 < text.length; i++) {
        if (text.at[i] == '$' && text.at[i + 1] == '{' &&
            (isalpha((unsigned char)text.at[i + 2]) || text.at[i + 2] == '_') &&
            memchr(text.at + i, '}', text.length - i) != NULL) {
            return true;
        }
    }
    return false;
}

/* What stands below these is not the gateway's to read. */
static bool is_payload(const struct node *key)
{
    static const char *const names[] = {"body", "headers", "query", "set", "add", "salt"};

    for (size_t i = 0; key != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
        if (bytes_equal(key->text, bytes_of(names[i]))) {
            return true;
        }
    }
    return false;
}

void config_refuse_variables(struct node *root, struct config_errors *errors)
{
    if (is_payload(root->key)) {
        return;
    }
    if (root->kind == NODE_TEXT && has_variable(root->text)) {
        config_errors_add(errors, root->mark, CONFIG_NO_VARIABLES);
        root->kind = NODE_BROKEN;
    }
    for (struct node *member = root->first; member != NULL; member = member->next) {
        config_refuse_variables(member, errors); /* at most NODE_DEPTH_MAX deep */
    }
}

bool config_looks_like_regex(struct bytes text)
{
    static const char *const signs[] = {".*",   ".+",   "\\d", "\\w", "\\.",
                                        "[0-9", "[a-z", "[^",  "(?"};

    if (text.length == 0) {
        return false;
    }
    if (text.at[0] == '^' || text.at[0] == '~' || text.at[text.length - 1] == '$') {
        return true;
    }
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        if (memmem(text.at, text.length, signs[i], strlen(signs[i])) != NULL) {
            return true;
        }
    }
    return false;
}
