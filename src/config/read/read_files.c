/* SPDX-License-Identifier: BSD-2-Clause */
/* Files whose content is part of the configuration: the operator's own `error_pages`, and what a
 * waiting room names. */
#include "config/read/reading.h"
#include "config/schema/units.h"
#include "config/yaml/file_bytes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define ERROR_PAGE_MOST (256u << 10)
#define NO_PATIENCE_MS 0

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

bool config_read_own_file(struct reading *reading, const struct node *node, size_t most,
                          struct bytes *content)
{
    const char *option = reading->option->path;
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

void config_read_error_page(struct reading *reading, const struct node *node, void *at)
{
    struct error_page *page = at;

    if (read_key(reading, node->key, &page->status)) {
        config_read_own_file(reading, node, ERROR_PAGE_MOST, &page->body);
    }
}
