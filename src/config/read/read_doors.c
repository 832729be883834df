/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may come in: `allow` and `deny` of listeners and routes, `maintenance` and its testers; and the
 * operator's own `error_pages`, whose files are read here, with the configuration. Called by
 * read_listeners.c, read_routes.c and read_settings.c. */
#include "config/read/reading.h"
#include "config/schema/units.h"
#include "config/yaml/file_bytes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define ERROR_PAGE_MOST (256u << 10)
#define NO_PATIENCE_MS 0

bool config_read_doors(struct reading *reading, const struct node *node,
                       struct doors_settings *doors)
{
    config_read_networks(reading, config_node_child(node, "allow"), "allow", &doors->allow,
                         &doors->allow_count);
    config_read_networks(reading, config_node_child(node, "deny"), "deny", &doors->deny,
                         &doors->deny_count);
    return doors->allow_count > 0 || doors->deny_count > 0;
}

void config_read_route_doors(struct reading *reading, const struct node *node,
                             struct route_settings *route)
{
    struct doors_settings *doors = &route->doors;
    const struct node *pass = config_node_child(node, "maintenance_pass");

    config_read_conditions(reading, pass, "maintenance_pass", &doors->pass, &doors->pass_count);
    route->has_doors = config_read_doors(reading, node, doors) || doors->maintenance;
}

/* --- error_pages ------------------------------------------------------------------------- */

static bool read_key(struct reading *reading, const struct node *key, uint16_t *status)
{
    uint64_t number = 0;

    *status = 0;
    if (bytes_equal(key->text, BYTES("maintenance"))) {
        return true;
    }
    if (config_read_count(key->text, &number) != UNIT_READ || number < 400 || number > 599) {
        READING_ERROR(reading, key,
                      "'error_pages' expects a status from 400 to 599, or maintenance, not '%s'",
                      config_show(key->text).text);
        return false;
    }
    *status = (uint16_t)number;
    return true;
}

/* NULL: nothing stands against reading it. */
static const char *fault_of(const char *path, size_t most, char *text, size_t size)
{
    struct stat facts;

    if (stat(path, &facts) < 0) {
        return strerror(errno);
    }
    if (!S_ISREG(facts.st_mode)) {
        return "it is no regular file";
    }
    if (facts.st_size > (off_t)most) {
        snprintf(text, size, "it is larger than %zu KiB", most / 1024);
        return text;
    }
    return NULL;
}

bool config_read_own_file(struct reading *reading, const struct node *node, const char *option,
                          size_t most, struct bytes *content)
{
    char text[64];
    struct bytes path;
    const char *why;
    char *bytes;

    if (!config_read_text(reading, node, option, "the path of a file", &path)) {
        return false;
    }
    if (path.length == 0 || path.at[0] != '/') {
        READING_ERROR(reading, node, "'%s' expects the absolute path of a file, not '%s'", option,
                      config_show(path).text);
        return false;
    }
    why = fault_of(path.at, most, text, sizeof(text));
    bytes = why == NULL ? config_file_bytes(path.at, NO_PATIENCE_MS, content, &why) : NULL;
    if (bytes == NULL) {
        READING_ERROR(reading, node, "cannot read %s, which '%s' names: %s", config_show(path).text,
                      option, why != NULL ? why : "out of memory");
        return false;
    }
    *content = config_keep(reading, *content);
    free(bytes);
    return true;
}

void config_read_error_pages(struct reading *reading, const struct node *node,
                             struct error_pages_settings *pages)
{
    if (node == NULL || node->kind == NODE_BROKEN) {
        return;
    }
    if (node->kind != NODE_MAP || node->count == 0) {
        READING_ERROR(reading, node,
                      "'error_pages' expects a mapping of statuses to files, such as {503: "
                      "/etc/turnpike/busy.html}, not %s",
                      config_node_kind(node));
        return;
    }
    pages->rows = config_take_array(reading, node->count, sizeof(*pages->rows));
    for (const struct node *member = node->first; pages->rows != NULL && member != NULL;
         member = member->next) {
        struct error_page *page = &pages->rows[pages->count];

        if (read_key(reading, member->key, &page->status)) {
            config_read_own_file(reading, member, "error_pages", ERROR_PAGE_MOST, &page->body);
            pages->count++;
        }
    }
}
