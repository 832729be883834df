/* SPDX-License-Identifier: BSD-2-Clause */
/* Walks two trees of nodes side by side. Values that may be secrets (header values, salts) are not
 * shown. */
#include "config/value_changes.h"

#include "base/memory/arena.h"
#include "config/load.h"
#include "config/settings_changes.h"
#include "config/yaml/node.h"

#define NOT_SHOWN "(not shown)"
#define VALUE_MOST 120 /* bytes of a value that is shown */

struct walk {
    struct page *page;
    struct page path; /* "payments: timeouts.total" as far as the walk has come */
};

static void compare(struct walk *walk, const struct node *before, const struct node *now);

/* --- values ------------------------------------------------------------------------------ */

static void add_value(struct page *page, const struct node *node);

static bool contains(struct bytes text, const char *word)
{
    return memmem(text.at, text.length, word, strlen(word)) != NULL;
}

/* `text` is a key, or a path with " salt" in it (no service whose name ends in that word). */
static bool is_secret(struct bytes text, const char *salt)
{
    return contains(text, "headers") || contains(text, salt) || contains(text, "maintenance_pass");
}

static void add_members(struct page *page, const struct node *node)
{
    page_add_char(page, node->kind == NODE_MAP ? '{' : '[');
    for (const struct node *member = node->first; member != NULL; member = member->next) {
        if (node->kind == NODE_MAP) {
            page_add(page, member->key->text);
            page_add_text(page, ": ");
        }
        if (node->kind == NODE_MAP && is_secret(member->key->text, "salt")) {
            page_add_text(page, NOT_SHOWN);
        } else {
            add_value(page, member);
        }
        page_add_text(page, member->next != NULL ? ", " : "");
    }
    page_add_char(page, node->kind == NODE_MAP ? '}' : ']');
}

static void add_value(struct page *page, const struct node *node)
{
    if (node == NULL) {
        page_add_text(page, "absent");
    } else if (node->kind == NODE_TEXT) {
        page_add(page, node->text.length > 0 ? node->text : BYTES("\"\""));
    } else {
        add_members(page, node);
    }
}

static void add_shown(struct walk *walk, const struct node *node)
{
    struct page value = {0};

    if (node != NULL && is_secret(page_bytes(&walk->path), " salt")) {
        page_add_text(walk->page, NOT_SHOWN);
        return;
    }
    add_value(&value, node);
    for (size_t i = 0; i < value.length && i < VALUE_MOST; i++) {
        unsigned char byte = (unsigned char)value.at[i];

        page_add_char(walk->page, byte < 0x20 || byte == 0x7f ? ' ' : (char)byte);
    }
    page_add_text(walk->page, value.length > VALUE_MOST ? "..." : "");
    page_release(&value);
}

static void add_change(struct walk *walk, const struct node *before, const struct node *now)
{
    page_add(walk->page, page_bytes(&walk->path));
    page_add_char(walk->page, ' ');
    add_shown(walk, before);
    page_add_text(walk->page, " -> ");
    add_shown(walk, now);
    page_add_char(walk->page, '\n');
}

/* --- lists ------------------------------------------------------------------------------- */

/* What a member is known by: its key in a mapping, its name in a list, or its own text. */
static struct bytes name_of(const struct node *parent, const struct node *member)
{
    static const char *const names[] = {"name", "address", "cert", "weight", "to"};

    if (parent->kind == NODE_MAP) {
        return member->key->text;
    }
    if (member->kind == NODE_TEXT) {
        return member->text;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct node *name = config_node_child(member, names[i]);

        if (name != NULL && name->kind == NODE_TEXT) {
            return name->text;
        }
    }
    return member->kind == NODE_MAP && member->first != NULL ? member->first->key->text
                                                             : BYTES("?");
}

/* A plain value stands for a list of one. */
static const struct node *first_of(const struct node *parent)
{
    return parent->kind == NODE_TEXT ? parent : parent->first;
}

static const struct node *next_of(const struct node *parent, const struct node *member)
{
    return parent->kind == NODE_TEXT ? NULL : member->next;
}

static const struct node *member_named(const struct node *parent, struct bytes name)
{
    const struct node *member = first_of(parent);

    while (member != NULL && !bytes_equal(name_of(parent, member), name)) {
        member = next_of(parent, member);
    }
    return member;
}

static void add_item(struct walk *walk, char mark, const struct node *item)
{
    page_add(walk->page, page_bytes(&walk->path));
    page_format(walk->page, " %c ", mark);
    add_shown(walk, item);
    page_add_char(walk->page, '\n');
}

/* Items that stay, in another order: where order counts (sticky, steps) that is a change. */
static bool is_in_order(const struct node *before, const struct node *now)
{
    const struct node *other = first_of(now);

    for (const struct node *item = first_of(before); item != NULL; item = next_of(before, item)) {
        if (member_named(now, name_of(before, item)) == NULL) {
            continue;
        }
        while (other != NULL && member_named(before, name_of(now, other)) == NULL) {
            other = next_of(now, other);
        }
        if (other == NULL || !bytes_equal(name_of(before, item), name_of(now, other))) {
            return false;
        }
        other = next_of(now, other);
    }
    return true;
}

static void compare_lists(struct walk *walk, const struct node *before, const struct node *now)
{
    for (const struct node *item = first_of(before); item != NULL; item = next_of(before, item)) {
        struct bytes name = name_of(before, item);
        const struct node *other = member_named(now, name);
        size_t length = walk->path.length;

        if (other == NULL) {
            add_item(walk, '-', item);
            continue;
        }
        page_add_char(&walk->path, ' ');
        page_add(&walk->path, name);
        compare(walk, item, other);
        walk->path.length = length;
    }
    for (const struct node *item = first_of(now); item != NULL; item = next_of(now, item)) {
        if (member_named(before, name_of(now, item)) == NULL) {
            add_item(walk, '+', item);
        }
    }
    if (!is_in_order(before, now)) {
        add_change(walk, before, now);
    }
}

/* --- mappings ---------------------------------------------------------------------------- */

/* Options are joined by dots; names that the operator chose stand apart. */
static char separator(const struct walk *walk)
{
    static const char *const of_names[] = {"split", "set", "add", "headers", "query"};
    struct bytes path = page_bytes(&walk->path);

    for (size_t i = 0; i < sizeof(of_names) / sizeof(of_names[0]); i++) {
        size_t length = strlen(of_names[i]);

        if (path.length > length &&
            memcmp(path.at + path.length - length, of_names[i], length) == 0 &&
            (path.at[path.length - length - 1] == ' ' ||
             path.at[path.length - length - 1] == '.')) {
            return ' ';
        }
    }
    return path.length == 0 ? '\0' : path.at[path.length - 1] == ':' ? ' ' : '.';
}

/* Either may be absent. */
static void compare_option(struct walk *walk, struct bytes key, const struct node *before,
                           const struct node *now)
{
    size_t length = walk->path.length;
    char between = separator(walk);

    if (length == 0 && settings_are_compared_by_name(key)) {
        return; /* after the options, and only what is there before and after */
    }
    if (between != '\0') {
        page_add_char(&walk->path, between);
    }
    page_add(&walk->path, key);
    compare(walk, before, now);
    walk->path.length = length;
}

static void compare_maps(struct walk *walk, const struct node *before, const struct node *now)
{
    for (const struct node *member = before->first; member != NULL; member = member->next) {
        compare_option(walk, member->key->text, member, member_named(now, member->key->text));
    }
    for (const struct node *member = now->first; member != NULL; member = member->next) {
        if (member_named(before, member->key->text) == NULL) {
            compare_option(walk, member->key->text, NULL, member);
        }
    }
}

/* Either may be absent. */
static void compare(struct walk *walk, const struct node *before, const struct node *now)
{
    if (config_node_print(before) == config_node_print(now)) {
        return;
    }
    if (before == NULL || now == NULL || (before->kind == NODE_MAP) != (now->kind == NODE_MAP) ||
        (before->kind == NODE_TEXT && now->kind == NODE_TEXT)) {
        add_change(walk, before, now);
    } else if (now->kind == NODE_MAP) {
        compare_maps(walk, before, now);
    } else {
        compare_lists(walk, before, now);
    }
}

/* --- the whole --------------------------------------------------------------------------- */

static void compare_section(struct walk *walk, const struct node *before, const struct node *now)
{
    const struct node *item = before != NULL && now != NULL ? first_of(before) : NULL;

    for (; item != NULL; item = next_of(before, item)) {
        struct bytes name = name_of(before, item);
        const struct node *other = member_named(now, name);

        if (other != NULL) {
            page_add(&walk->path, name);
            page_add_char(&walk->path, ':');
            compare(walk, item, other);
            walk->path.length = 0;
        }
    }
}

bool value_changes_add(struct page *page, struct bytes before, struct bytes now)
{
    static const char *const sections[] = {"listeners", "routes", "services"};
    struct arena *scratch = arena_new();
    struct node *old = scratch != NULL ? config_load_tree(scratch, before) : NULL;
    struct node *young = scratch != NULL ? config_load_tree(scratch, now) : NULL;
    struct walk walk = {.page = page};
    bool good = old != NULL && young != NULL && old->kind == NODE_MAP && young->kind == NODE_MAP;

    if (good) {
        compare_maps(&walk, old, young);
        for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
            compare_section(&walk, config_node_child(old, sections[i]),
                            config_node_child(young, sections[i]));
        }
    }
    good = good && !walk.path.failed && !page->failed;
    page_release(&walk.path);
    arena_free(&scratch);
    return good;
}
