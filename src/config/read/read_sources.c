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

static void report_no_source(struct reading *reading, const struct node *node,
                             const struct source_list *list)
{
    if (node->kind == NODE_TEXT && !config_node_is_empty(node)) {
        READING_ERROR(reading, node, "'%s' expects %s, not '%s'", list->option, list->expected,
                      config_show(node->text).text);
    } else if (node->kind != NODE_BROKEN) {
        READING_ERROR(reading, node, "'%s' expects %s, not %s", list->option, list->expected,
                      config_node_kind(node));
    }
}

static bool is_source_name(enum source_kind kind, struct bytes name)
{
    return kind == SOURCE_QUERY ? config_is_visible(name) && strpbrk(name.at, "&=#") == NULL
                                : config_is_token(name);
}

void config_read_named_source(struct reading *reading, const struct node *node,
                              const struct source_list *list, enum source_kind kind,
                              struct request_source *source)
{
    struct bytes text;

    if (!config_read_text(reading, node, list->option, "a name", &text)) {
        return;
    }
    if (!is_source_name(kind, text)) {
        READING_ERROR(reading, node, "'%s': '%s' is no name of a %s", list->option,
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

#define SEGMENT_MOST 64

static void read_segment(struct reading *reading, const struct node *node,
                         const struct source_list *list, struct request_source *source)
{
    uint64_t number = 0;
    struct bytes text;

    if (!config_read_text(reading, node, list->option, "a number from 1", &text)) {
        return;
    }
    if (config_read_count(text, &number) != UNIT_READ || number < 1 || number > SEGMENT_MOST) {
        READING_ERROR(reading, node,
                      "'%s': path_segment expects a number from 1 (the first segment) to %d, not "
                      "'%s'",
                      list->option, SEGMENT_MOST, config_show(text).text);
        return;
    }
    source->kind = SOURCE_PATH_SEGMENT;
    source->segment = (uint32_t)number;
}

/* A kind that the list allows, by its word; SOURCE_KIND_COUNT: none. */
static enum source_kind kind_of(const struct source_list *list, struct bytes word)
{
    int kind = 0;

    while (kind < SOURCE_KIND_COUNT &&
           ((list->kinds >> kind & 1) == 0 || !bytes_equal(word, bytes_of(source_words[kind])))) {
        kind++;
    }
    return (enum source_kind)kind;
}

static bool has_value(enum source_kind kind)
{
    return kind != SOURCE_CLIENT_ADDRESS && kind != SOURCE_CERTIFICATE;
}

static void read_source(struct reading *reading, const struct node *node,
                        const struct source_list *list, struct request_source *source)
{
    const struct node *pair = node->kind == NODE_MAP && node->count == 1 ? node->first : NULL;
    bool is_word = node->kind == NODE_TEXT;
    enum source_kind kind = pair != NULL ? kind_of(list, pair->key->text)
                            : is_word    ? kind_of(list, node->text)
                                         : SOURCE_KIND_COUNT;

    if (kind == SOURCE_KIND_COUNT || has_value(kind) == is_word) {
        report_no_source(reading, node, list);
    } else if (is_word) {
        source->kind = kind;
    } else if (kind == SOURCE_PATH_SEGMENT) {
        read_segment(reading, pair, list, source);
    } else {
        config_read_named_source(reading, pair, list, kind, source);
    }
}

/* A list, or one alone. */
void config_read_sources(struct reading *reading, const struct node *node,
                         const struct source_list *list)
{
    const struct node *member = node;
    uint32_t count = 1;

    if (node == NULL) {
        return;
    }
    if (node->kind == NODE_LIST && node->count > 0) {
        member = node->first;
        count = node->count;
    }
    *list->sources = config_take_array(reading, count, sizeof(**list->sources));
    for (; *list->sources != NULL && *list->count < count; member = member->next) {
        read_source(reading, member, list, &(*list->sources)[(*list->count)++]);
    }
}
