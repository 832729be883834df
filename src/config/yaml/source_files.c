/* SPDX-License-Identifier: BSD-2-Clause */
/* `include` is read before anything else of the tree, since what it names is a part of the text.
 * Anything else that is wrong in the main file is left for config/load to tell. */
#include "config/yaml/source_files.h"

#include "base/memory/arena.h"
#include "base/page.h"
#include "config/errors.h"
#include "config/names.h"
#include "config/yaml/file_bytes.h"
#include "config/yaml/parts.h"
#include "config/yaml/source_check.h"
#include "config/yaml/yaml_reader.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

static const struct mark whole_file = {0, 0};

struct including {
    struct bytes directory; /* of the main file, with its slash; empty: the current one */
    uint32_t patience_ms;
    struct arena *scratch;
    struct names taken; /* paths that are included, to the node that named them */
    struct page text;   /* the main file and what was included so far */
    struct config_errors *errors;
};

static bool is_pattern(const char *path)
{
    return strpbrk(path, "*?[") != NULL;
}

static bool has_control(struct bytes path)
{
    for (size_t i = 0; i < path.length; i++) {
        if ((unsigned char)path.at[i] < 0x20 || path.at[i] == 0x7F) {
            return true;
        }
    }
    return false;
}

static void add_part(struct including *including, struct bytes path, struct bytes text)
{
    struct page *page = &including->text;

    if (page->length > 0 && page->at[page->length - 1] != '\n') {
        page_add_char(page, '\n');
    }
    if (bytes_start_with(text, BYTES("\xEF\xBB\xBF"))) {
        text = bytes_skip(text, 3);
    }
    page_add_text(page, CONFIG_PART_LINE);
    page_add(page, path);
    page_add_char(page, '\n');
    page_add(page, text);
}

static bool holds_parts(struct bytes text)
{
    struct config_part_walk walk = {.rest = text};
    struct config_part part;

    return config_next_part(&walk, &part) && walk.rest.length > 0;
}

static void include_file(struct including *including, const struct node *node, const char *path)
{
    struct bytes name = bytes_of(arena_copy(including->scratch, bytes_of(path)));
    const char *why;
    struct bytes text;
    char *room;

    if (has_control(name)) {
        config_errors_add(including->errors, node->mark,
                          "the name of the included file '%s' has a control character",
                          config_show(name).text);
        return;
    }
    if (config_names_add(&including->taken, name, node) != NULL) {
        config_errors_add(including->errors, node->mark, "the file %s is included twice", path);
        return;
    }
    room = config_file_bytes(path, including->patience_ms, &text, &why);
    if (room == NULL) {
        config_errors_add(including->errors, node->mark, "the included file %s cannot be read: %s",
                          path, why);
    } else if (holds_parts(text)) {
        config_errors_add(including->errors, node->mark,
                          "the included file %s has a line that begins with '" CONFIG_PART_LINE
                          "', which marks a saved configuration; include the files themselves",
                          path);
    } else if (including->text.length + text.length <= SOURCE_BYTES_MAX) {
        add_part(including, name, text);
    } else {
        config_errors_add(including->errors, node->mark,
                          "the configuration is larger than 16 MiB with the included file %s",
                          path);
    }
    free(room);
}

/* Files in order of their names, as bytes; a folder without any is no mistake, as teams come and
 * go, but one that is missing is. */
static void include_pattern(struct including *including, const struct node *node, char *pattern)
{
    glob_t found = {0};
    int failure = glob(pattern, GLOB_ERR, NULL, &found);
    char *slash = strrchr(pattern, '/');

    if (failure == GLOB_NOMATCH && slash != NULL && !is_pattern(slash + 1)) {
        slash = NULL;
    }
    for (size_t i = 0; failure == 0 && i < found.gl_pathc; i++) {
        include_file(including, node, found.gl_pathv[i]);
    }
    if (failure == GLOB_NOSPACE) {
        config_errors_add(including->errors, node->mark, "not enough memory for '%s'", pattern);
    } else if (failure != 0 && slash != NULL) {
        glob_t folder = {0};

        *slash = '\0';
        if (glob(*pattern != '\0' ? pattern : "/", GLOB_ONLYDIR, NULL, &folder) != 0) {
            config_errors_add(including->errors, node->mark,
                              "the folder %s, whose files are to be included, cannot be read",
                              pattern);
        } else if (failure == GLOB_ABORTED) {
            config_errors_add(including->errors, node->mark, "the files of %s cannot be listed: %s",
                              pattern, strerror(errno));
        }
        globfree(&folder);
    }
    globfree(&found);
}

static void include_node(struct including *including, const struct node *node)
{
    struct bytes directory = including->directory;
    char *path;

    if (node->kind != NODE_TEXT || node->text.length == 0 ||
        memchr(node->text.at, 0, node->text.length) != NULL) {
        return; /* config/read tells what `include` expects */
    }
    if (node->text.at[0] == '/') {
        directory.length = 0;
    }
    path = arena_format(including->scratch, "%.*s%.*s", (int)directory.length, directory.at,
                        (int)node->text.length, node->text.at);
    if (path == NULL) {
        return;
    }
    if (is_pattern(path)) {
        include_pattern(including, node, path);
    } else {
        include_file(including, node, path);
    }
}

/* What `include` of this text names; NULL: nothing, or the text has mistakes that config/load will
 * tell. */
static const struct node *find_include(struct arena *scratch, struct bytes text)
{
    struct config_errors *unheard = NULL;
    const struct node *include = NULL;

    if (memmem(text.at, text.length, "include", 7) == NULL) {
        return NULL; /* the usual file is read once */
    }
    unheard = config_errors_new("");
    if (unheard != NULL && config_source_check(&text, unheard)) {
        include = config_node_child(config_yaml_read(scratch, text, unheard), "include");
    }
    config_errors_free(&unheard);
    return include;
}

static void include_all(struct including *including, const struct node *include)
{
    if (include->kind == NODE_LIST) {
        for (const struct node *member = include->first; member != NULL; member = member->next) {
            include_node(including, member);
        }
    } else {
        include_node(including, include);
    }
}

static struct bytes directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return (struct bytes){path, slash != NULL ? (size_t)(slash + 1 - path) : 0};
}

/* The main file's bytes with all included ones behind them; takes over `room`. */
static char *with_included(char *room, struct bytes *source, const char *path, uint32_t patience_ms,
                           struct config_errors **errors)
{
    struct including including = {
        .directory = directory_of(path), .patience_ms = patience_ms, .scratch = arena_new()};
    const struct node *include =
        including.scratch != NULL ? find_include(including.scratch, *source) : NULL;

    if (include == NULL || holds_parts(*source)) {
        arena_free(&including.scratch);
        return room;
    }
    *errors = including.errors = config_errors_new(path);
    config_names_init(&including.taken, including.scratch);
    page_add(&including.text, *source);
    if (including.errors != NULL) {
        include_all(&including, include);
        if (including.text.failed || arena_failed(including.scratch)) {
            config_errors_add(including.errors, whole_file, "not enough memory to read it");
        }
        config_errors_finish(including.errors, *source);
    }
    arena_free(&including.scratch);
    free(room);
    if (*errors == NULL || config_errors_count(*errors) > 0) {
        page_release(&including.text);
        *source = (struct bytes){0};
        return NULL;
    }
    config_errors_free(errors);
    *source = page_bytes(&including.text);
    return including.text.at;
}

char *config_read_file(const char *path, uint32_t patience_ms, struct bytes *source,
                       struct config_errors **errors)
{
    const char *why;
    char *room = config_file_bytes(path, patience_ms, source, &why);

    *errors = NULL;
    if (room != NULL) {
        return with_included(room, source, path, patience_ms, errors);
    }
    *errors = config_errors_new(path);
    if (*errors != NULL) {
        config_errors_add(*errors, whole_file, "the file cannot be read: %s", why);
    }
    return NULL;
}
