/* SPDX-License-Identifier: BSD-2-Clause */
/* Places in a request that an option names: where a split finds its user, what a rate limit counts
 * by. Read by read_split.c and read_rate_limits.c. */
#include "config/read/reading.h"
#include "config/schema/units.h"

static const char *const source_words[SOURCE_KIND_COUNT] = {
    [SOURCE_COOKIE] = "cookie",
    [SOURCE_HEADER] = "header",
    [SOURCE_QUERY] = "query",
    [SOURCE_PATH_SEGMENT] = "path_segment",
    [SOURCE_CLIENT_ADDRESS] = "client_address",
    [SOURCE_CERTIFICATE] = "certificate_subject",
};

static void report_no_source(struct reading *reading, const struct node *node)
{
    const struct option *option = reading->option;

    if (node->kind == NODE_TEXT && !config_node_is_empty(node)) {
        config_refuse_text(reading, node, "");
    } else if (node->kind != NODE_BROKEN) {
        READING_ERROR(reading, node, "'%s' expects %s, not %s", option->path, option->expects,
                      config_node_kind(node));
    }
}

static bool is_source_name(enum source_kind kind, struct bytes name)
{
    return kind == SOURCE_QUERY ? config_is_visible(name) && strpbrk(name.at, "&=#") == NULL
                                : config_is_token(name);
}

static void read_named(struct reading *reading, const struct node *node, enum source_kind kind,
                       struct request_source *source)
{
    const char *option = reading->option->path;
    struct bytes text;

    if (!config_read_text(reading, node, option, "a name", &text)) {
        return;
    }
    if (!is_source_name(kind, text)) {
        READING_ERROR(reading, node, "'%s': '%s' is no name of a %s", option,
                      config_show(text).text,
                      kind == SOURCE_QUERY ? "query parameter" : source_words[kind]);
        return;
    }
    source->kind = kind;
    source->name = config_keep(reading, text);
    if (kind == SOURCE_HEADER) {
        config_to_lower(source->name);
        source->id = (uint16_t)http_header_id_of(text.at, text.length);
    }
}

void config_read_header_source(struct reading *reading, const struct node *node, void *at)
{
    read_named(reading, node, SOURCE_HEADER, at);
}

#define SEGMENT_MOST 64

static void read_segment(struct reading *reading, const struct node *node,
                         struct request_source *source)
{
    const char *option = reading->option->path;
    uint64_t number = 0;
    struct bytes text;

    if (!config_read_text(reading, node, option, "a number from 1", &text)) {
        return;
    }
    if (config_read_count(text, &number) != UNIT_READ || number < 1 || number > SEGMENT_MOST) {
        READING_ERROR(reading, node,
                      "'%s': path_segment expects a number from 1 (the first segment) to %d, not "
                      "'%s'",
                      option, SEGMENT_MOST, config_show(text).text);
        return;
    }
    source->kind = SOURCE_PATH_SEGMENT;
    source->segment = (uint32_t)number;
}

/* A kind that the row's words allow; SOURCE_KIND_COUNT: none. */
static enum source_kind kind_of(const struct option *option, struct bytes word)
{
    struct bytes words = bytes_of(option->words);
    struct bytes allowed = {0};
    int kind = 0;

    while (config_next_word(&words, &allowed) && !bytes_equal(allowed, word)) {
    }
    while (kind < SOURCE_KIND_COUNT &&
           (!bytes_equal(allowed, word) || !bytes_equal(word, bytes_of(source_words[kind])))) {
        kind++;
    }
    return (enum source_kind)kind;
}

static bool has_value(enum source_kind kind)
{
    return kind != SOURCE_CLIENT_ADDRESS && kind != SOURCE_CERTIFICATE;
}

void config_read_source(struct reading *reading, const struct node *node, void *at)
{
    const struct option *option = reading->option;
    const struct node *pair = node->kind == NODE_MAP && node->count == 1 ? node->first : NULL;
    bool is_word = node->kind == NODE_TEXT;
    enum source_kind kind = pair != NULL ? kind_of(option, pair->key->text)
                            : is_word    ? kind_of(option, node->text)
                                         : SOURCE_KIND_COUNT;
    struct request_source *source = at;

    if (kind == SOURCE_KIND_COUNT || has_value(kind) == is_word) {
        report_no_source(reading, node);
    } else if (is_word) {
        source->kind = kind;
    } else if (kind == SOURCE_PATH_SEGMENT) {
        read_segment(reading, pair, source);
    } else {
        read_named(reading, pair, kind, source);
    }
}
