/* SPDX-License-Identifier: BSD-2-Clause */
/* An included file holds what a team owns: listeners, services and routes. Options of the whole
 * gateway stay in the main file, so that no team changes them for the others unseen. */
#include "config/read/merge.h"

static const char *const may_be_included[] = {"listeners", "services", "routes"};

static struct node *own_child(struct node *map, struct bytes key)
{
    struct node *child = map->first;

    while (child != NULL && !bytes_equal(child->key->text, key)) {
        child = child->next;
    }
    return child;
}

static void append(struct node *parent, struct node *members, uint32_t count)
{
    struct node **last = &parent->first;

    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = members;
    parent->count += count;
}

static bool may_stand_here(struct reading *reading, const struct node *member)
{
    for (size_t i = 0; i < sizeof(may_be_included) / sizeof(may_be_included[0]); i++) {
        if (bytes_equal(member->key->text, bytes_of(may_be_included[i]))) {
            return true;
        }
    }
    READING_ERROR(reading, member->key,
                  "an included file holds listeners, services and routes; put '%s' into the "
                  "main file",
                  config_show(member->key->text).text);
    return false;
}

/* Takes the services that are there already out of the mapping. */
static void refuse_known_services(struct config_merge *merge, struct node *services)
{
    struct node **at = &services->first;

    while (*at != NULL) {
        struct node *service = *at;
        const struct node *first =
            config_names_add(&merge->services, service->key->text, service->key);

        if (first == NULL) {
            at = &service->next;
            continue;
        }
        READING_ERROR(merge->reading, service->key, "the service '%s' stands on %s already",
                      config_show(service->key->text).text,
                      config_line(merge->reading, first).text);
        *at = service->next;
        services->count--;
    }
}

/* What stands behind one of the three keys. */
static void add_members(struct config_merge *merge, struct node *value)
{
    bool is_services = bytes_equal(value->key->text, BYTES("services"));
    enum node_kind wanted = is_services ? NODE_MAP : NODE_LIST;
    struct node *there = own_child(merge->root, value->key->text);

    if (value->kind == NODE_BROKEN || config_node_is_empty(value)) {
        return;
    }
    if (value->kind != wanted) {
        READING_ERROR(merge->reading, value, "'%s' expects %s, not %s",
                      config_show(value->key->text).text, is_services ? "a mapping" : "a list",
                      config_node_kind(value));
        return;
    }
    if (is_services) {
        refuse_known_services(merge, value);
    }
    if (there == NULL || config_node_is_empty(there)) {
        if (there != NULL) {
            *there = (struct node){
                .kind = wanted, .mark = there->mark, .key = there->key, .next = there->next};
            append(there, value->first, value->count);
        } else {
            append(merge->root, value, 1);
        }
    } else if (there->kind == wanted) {
        append(there, value->first, value->count);
    } /* else: the main file's own is wrong, and is told */
}

void config_merge_begin(struct config_merge *merge, struct reading *reading, struct node *root)
{
    const struct node *services = config_node_child(root, "services");

    merge->reading = reading;
    merge->root = root;
    config_names_init(&merge->services, reading->scratch);
    if (services != NULL && services->kind == NODE_MAP) {
        for (struct node *service = services->first; service != NULL; service = service->next) {
            config_names_add(&merge->services, service->key->text, service->key);
        }
    }
}

void config_merge_add(struct config_merge *merge, struct node *tree)
{
    struct node *member = tree->first;

    if (merge->root->kind != NODE_MAP || tree->kind == NODE_BROKEN || config_node_is_empty(tree)) {
        return;
    }
    if (tree->kind != NODE_MAP) {
        READING_ERROR(merge->reading, tree,
                      "an included file holds a mapping with listeners, services and routes, "
                      "not %s",
                      config_node_kind(tree));
        return;
    }
    while (member != NULL) {
        struct node *next = member->next;

        member->next = NULL;
        if (may_stand_here(merge->reading, member)) {
            add_members(merge, member);
        }
        member = next;
    }
}
