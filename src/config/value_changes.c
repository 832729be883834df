/* SPDX-License-Identifier: BSD-2-Clause */
/* Walks two trees of nodes side by side. Values that may be secrets (header values, salts) are not
 * shown. */
#include "config/value_changes.h"

#include "base/memory/arena.h"
#include "config/load.h"
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

static bool is_secret_key(struct bytes key)
{
    return contains(key, "headers") || bytes_equal(key, BYTES("salt")) ||
           bytes_equal(key, BYTES("maintenance_pass"));
}

static void add_members(struct page *page, const struct node *node)
{
    page_add_char(page, node->kind == NODE_MAP ? '{' : '[');
    for (const struct node *member = node->first; member != NULL; member = member->next) {
        if (node->kind == NODE_MAP) {
            page_add(page, member->key->text);
            page_add_text(page, ": ");
        }
        if (node->kind == NODE_MAP && is_secret_key(member->key->text)) {
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

static bool may_be_secret(const struct walk *walk)
{
    struct bytes path = page_bytes(&walk->path);

    return contains(path, "headers") || contains(path, " salt") ||
           contains(path, "maintenance_pass");
}

static void add_shown(struct walk *walk, const struct node *node)
{
    struct page value = {0};

    if (node != NULL && may_be_secret(walk)) {
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

/* What an item is known by; the item's own text where it is one. */
static struct bytes name_of(const struct node *item)
{
    static const char *const names[] = {"name", "address", "cert", "weight", "to"};

    if (item->kind == NODE_TEXT) {
        return item->text;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct node *name = config_node_child(item, names[i]);

        if (name != NULL && name->kind == NODE_TEXT) {
            return name->text;
        }
    }
    return item->kind == NODE_MAP && item->first != NULL ? item->first->key->text : BYTES("?");
}

/* A plain value stands for a list of one. */
static const struct node *first_of(const struct node *list)
{
    return list->kind == NODE_LIST ? list->first : list;
}

static const struct node *next_of(const struct node *list, const struct node *item)
{
    return list->kind == NODE_LIST ? item->next : NULL;
}

static const struct node *item_named(const struct node *list, struct bytes name)
{
    for (const struct node *item = first_of(list); item != NULL; item = next_of(list, item)) {
        if (bytes_equal(name_of(item), name)) {
            return item;
        }
    }
    return NULL;
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
        if (item_named(now, name_of(item)) == NULL) {
            continue;
        }
        while (other != NULL && item_named(before, name_of(other)) == NULL) {
            other = next_of(now, other);
        }
        if (other == NULL || !bytes_equal(name_of(item), name_of(other))) {
            return false;
        }
        other = next_of(now, other);
    }
    return true;
}

static void compare_lists(struct walk *walk, const struct node *before, const struct node *now)
{
    for (const struct node *item = first_of(before); item != NULL; item = next_of(before, item)) {
        struct bytes name = name_of(item);
        const struct node *other = item_named(now, name);
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
        if (item_named(before, name_of(item)) == NULL) {
            add_item(walk, '+', item);
        }
    }
    if (!is_in_order(before, now)) {
        add_change(walk, before, now);
    }
}

/* --- mappings ---------------------------------------------------------------------------- */

static const struct node *child_named(const struct node *map, struct bytes key)
{
    for (const struct node *member = map->kind == NODE_MAP ? map->first : NULL; member != NULL;
         member = member->next) {
        if (bytes_equal(member->key->text, key)) {
            return member;
        }
    }
    return NULL;
}

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

static size_t enter(struct walk *walk, struct bytes key)
{
    size_t length = walk->path.length;
    char between = separator(walk);

    if (between != '\0') {
        page_add_char(&walk->path, between);
    }
    page_add(&walk->path, key);
    return length;
}

static void compare_maps(struct walk *walk, const struct node *before, const struct node *now)
{
    for (const struct node *member = before->first; member != NULL; member = member->next) {
        size_t length = enter(walk, member->key->text);

        compare(walk, member, child_named(now, member->key->text));
        walk->path.length = length;
    }
    for (const struct node *member = now->first; member != NULL; member = member->next) {
        if (child_named(before, member->key->text) == NULL) {
            size_t length = enter(walk, member->key->text);

            compare(walk, NULL, member);
            walk->path.length = length;
        }
    }
}

static bool is_list_like(const struct node *node)
{
    return node->kind == NODE_LIST || node->kind == NODE_TEXT;
}

/* Either may be absent. */
static void compare(struct walk *walk, const struct node *before, const struct node *now)
{
    if (config_node_print(before) == config_node_print(now)) {
        return;
    }
    if (before != NULL && now != NULL) {
        if (before->kind == NODE_MAP && now->kind == NODE_MAP) {
            compare_maps(walk, before, now);
            return;
        }
        if (is_list_like(before) && is_list_like(now) &&
            (before->kind == NODE_LIST || now->kind == NODE_LIST)) {
            compare_lists(walk, before, now);
            return;
        }
    }
    add_change(walk, before, now);
}

/* --- the whole --------------------------------------------------------------------------- */

/* A listener, service or route that is there before and after. */
static void compare_item(struct walk *walk, struct bytes name, const struct node *before,
                         const struct node *now)
{
    if (before != NULL && now != NULL) {
        page_add(&walk->path, name);
        page_add_char(&walk->path, ':');
        compare(walk, before, now);
        walk->path.length = 0;
    }
}

static void compare_sections(struct walk *walk, const struct node *before, const struct node *now)
{
    static const char *const lists[] = {"listeners", "routes"};
    const struct node *services = config_node_child(before, "services");
    const struct node *services_now = config_node_child(now, "services");

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        const struct node *list = config_node_child(before, lists[i]);
        const struct node *list_now = config_node_child(now, lists[i]);

        for (const struct node *item = list != NULL && list_now != NULL ? list->first : NULL;
             item != NULL; item = item->next) {
            compare_item(walk, name_of(item), item, item_named(list_now, name_of(item)));
        }
    }
    for (const struct node *service = services != NULL && services_now != NULL ? services->first
                                                                               : NULL;
         service != NULL; service = service->next) {
        compare_item(walk, service->key->text, service,
                     child_named(services_now, service->key->text));
    }
}

static bool is_section(struct bytes key)
{
    return bytes_equal(key, BYTES("listeners")) || bytes_equal(key, BYTES("services")) ||
           bytes_equal(key, BYTES("routes"));
}

static void compare_options(struct walk *walk, const struct node *before, const struct node *now)
{
    for (const struct node *member = before->first; member != NULL; member = member->next) {
        if (!is_section(member->key->text)) {
            page_add(&walk->path, member->key->text);
            compare(walk, member, child_named(now, member->key->text));
            walk->path.length = 0;
        }
    }
    for (const struct node *member = now->first; member != NULL; member = member->next) {
        if (!is_section(member->key->text) && child_named(before, member->key->text) == NULL) {
            page_add(&walk->path, member->key->text);
            compare(walk, NULL, member);
            walk->path.length = 0;
        }
    }
}

bool value_changes_add(struct page *page, struct bytes before, struct bytes now)
{
    struct arena *scratch = arena_new();
    struct node *old = scratch != NULL ? config_load_tree(scratch, before) : NULL;
    struct node *young = scratch != NULL ? config_load_tree(scratch, now) : NULL;
    struct walk walk = {.page = page};
    bool good = old != NULL && young != NULL && old->kind == NODE_MAP && young->kind == NODE_MAP;

    if (good) {
        compare_options(&walk, old, young);
        compare_sections(&walk, old, young);
    }
    good = good && !walk.path.failed && !page->failed;
    page_release(&walk.path);
    arena_free(&scratch);
    return good;
}
