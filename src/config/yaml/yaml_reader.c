/* SPDX-License-Identifier: BSD-2-Clause */
/* The only file that knows libyaml. Builds the tree from its events, so that what this
 * gateway does not take is refused as it is met, before it can multiply. */
#include "config/yaml/yaml_reader.h"

#include "config/names.h"
#include "config/yaml/yaml_failure.h"

#include <yaml.h>

#define DEPTH_HOPELESS 200 /* here reading stops instead of skipping on */

struct yaml_reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the one to look at; event_type NO_EVENT after a failure */
    struct bytes source;
    struct arena *scratch;
    struct config_errors *errors;
    struct mark opening; /* of the innermost '[' or '{' that is open; line 0: none */
    bool stopped;
};

static struct mark mark_of(yaml_mark_t mark)
{
    return (struct mark){(uint32_t)mark.line + 1, (uint32_t)mark.column + 1};
}

static struct mark event_mark(const struct yaml_reader *reader)
{
    return mark_of(reader->event.start_mark);
}

static void stop(struct yaml_reader *reader)
{
    reader->stopped = true;
}

static void report_syntax_error(struct yaml_reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    const struct yaml_failure failure = {
        .source = reader->source,
        .problem = parser->problem != NULL ? parser->problem : "out of memory",
        .problem_mark = mark_of(parser->problem_mark),
        .context = parser->context,
        .context_mark = mark_of(parser->context_mark),
        .opening = reader->opening,
    };

    config_report_yaml_failure(reader->errors, &failure);
}

/* Moves to the next event. After an error in the syntax nothing more can be read. */
static void advance(struct yaml_reader *reader)
{
    yaml_event_delete(&reader->event);
    if (reader->stopped) {
        return;
    }
    if (!yaml_parser_parse(&reader->parser, &reader->event)) {
        memset(&reader->event, 0, sizeof(reader->event));
        report_syntax_error(reader);
        stop(reader);
    }
}

static struct node *new_node(struct yaml_reader *reader, enum node_kind kind)
{
    struct node *node = arena_take(reader->scratch, sizeof(*node));

    if (node == NULL) {
        stop(reader);
        return NULL;
    }
    node->kind = kind;
    node->mark = event_mark(reader);
    return node;
}

static void refuse_anchor_and_tag(struct yaml_reader *reader, struct node *node,
                                  const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor != NULL) {
        config_errors_add(reader->errors, node->mark, "YAML anchors (&%s) are not allowed",
                          config_show(bytes_of((const char *)anchor)).text);
    }
    if (tag != NULL) {
        config_errors_add(reader->errors, node->mark, "YAML tags (%s) are not allowed",
                          config_show(bytes_of((const char *)tag)).text);
        node->kind = NODE_BROKEN;
    }
}

static struct node *read_text(struct yaml_reader *reader)
{
    struct node *node = new_node(reader, NODE_TEXT);
    char *copy;

    if (node == NULL) {
        return NULL;
    }
    node->plain = reader->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->text = (struct bytes){(const char *)reader->event.data.scalar.value,
                                reader->event.data.scalar.length};
    copy = arena_copy(reader->scratch, node->text);
    if (copy == NULL) {
        stop(reader);
        return NULL;
    }
    node->text.at = copy;
    refuse_anchor_and_tag(reader, node, reader->event.data.scalar.anchor,
                          reader->event.data.scalar.tag);
    advance(reader);
    return node;
}

static struct node *read_alias(struct yaml_reader *reader)
{
    struct node *node = new_node(reader, NODE_BROKEN);
    const char *name = (const char *)reader->event.data.alias.anchor;

    config_errors_add(reader->errors, event_mark(reader),
                      "YAML aliases (*%s) are not allowed; put a text that starts with '*' in "
                      "quotes",
                      config_show(bytes_of(name)).text);
    advance(reader);
    return node;
}

static bool opens(yaml_event_type_t type)
{
    return type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT;
}

static bool closes(yaml_event_type_t type)
{
    return type == YAML_SEQUENCE_END_EVENT || type == YAML_MAPPING_END_EVENT;
}

static struct node *skip_too_deep(struct yaml_reader *reader)
{
    struct node *node = new_node(reader, NODE_BROKEN);
    unsigned depth = 0;

    config_errors_add(reader->errors, event_mark(reader), "nested more than %d levels deep",
                      NODE_DEPTH_MAX);
    do {
        if (opens(reader->event.type)) {
            depth++;
        } else if (closes(reader->event.type)) {
            depth--;
        }
        if (depth > DEPTH_HOPELESS) {
            stop(reader);
        }
        advance(reader);
    } while (depth > 0 && !reader->stopped);
    return node;
}

static struct node *read_node(struct yaml_reader *reader, unsigned depth);

static void append(struct node *parent, struct node **last, struct node *child)
{
    if (*last == NULL) {
        parent->first = child;
    } else {
        (*last)->next = child;
    }
    *last = child;
    parent->count++;
}

static struct node *read_list(struct yaml_reader *reader, unsigned depth)
{
    const struct mark above = reader->opening;
    struct node *list = new_node(reader, NODE_LIST);
    struct node *last = NULL;

    if (list == NULL) {
        return NULL;
    }
    refuse_anchor_and_tag(reader, list, reader->event.data.sequence_start.anchor,
                          reader->event.data.sequence_start.tag);
    if (reader->event.data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE) {
        reader->opening = list->mark;
    }
    advance(reader);
    while (!reader->stopped && reader->event.type != YAML_SEQUENCE_END_EVENT) {
        struct node *member = read_node(reader, depth + 1);

        if (member != NULL) {
            append(list, &last, member);
        }
    }
    reader->opening = reader->stopped ? reader->opening : above;
    advance(reader);
    return list;
}

/* False for a key that is no text, or that the map has already. */
static bool accept_key(struct yaml_reader *reader, struct names *keys, const struct node *key)
{
    const struct node *first;

    if (key->kind == NODE_BROKEN) {
        return false;
    }
    if (key->kind != NODE_TEXT) {
        config_errors_add(reader->errors, key->mark, "a key must be text, but this is %s",
                          config_node_kind(key));
        return false;
    }
    first = config_names_add(keys, key->text, key);
    if (first != NULL) {
        config_errors_add(reader->errors, key->mark, "duplicate key '%s', first on line %u",
                          config_show(key->text).text, first->mark.line);
        return false;
    }
    return true;
}

static struct node *read_map(struct yaml_reader *reader, unsigned depth)
{
    const struct mark above = reader->opening;
    struct node *map = new_node(reader, NODE_MAP);
    struct node *last = NULL;
    struct names keys;

    if (map == NULL) {
        return NULL;
    }
    config_names_init(&keys, reader->scratch);
    refuse_anchor_and_tag(reader, map, reader->event.data.mapping_start.anchor,
                          reader->event.data.mapping_start.tag);
    if (reader->event.data.mapping_start.style == YAML_FLOW_MAPPING_STYLE) {
        reader->opening = map->mark;
    }
    advance(reader);
    while (!reader->stopped && reader->event.type != YAML_MAPPING_END_EVENT) {
        struct node *key = read_node(reader, depth + 1);
        struct node *value = reader->stopped ? NULL : read_node(reader, depth + 1);

        if (key != NULL && value != NULL && accept_key(reader, &keys, key)) {
            value->key = key;
            append(map, &last, value);
        }
    }
    reader->opening = reader->stopped ? reader->opening : above;
    advance(reader);
    return map;
}

static struct node *read_node(struct yaml_reader *reader, unsigned depth)
{
    switch (reader->event.type) {
    case YAML_SCALAR_EVENT:
        return read_text(reader);
    case YAML_ALIAS_EVENT:
        return read_alias(reader);
    case YAML_SEQUENCE_START_EVENT:
        return depth > NODE_DEPTH_MAX ? skip_too_deep(reader) : read_list(reader, depth);
    case YAML_MAPPING_START_EVENT:
        return depth > NODE_DEPTH_MAX ? skip_too_deep(reader) : read_map(reader, depth);
    default:
        stop(reader);
        return NULL;
    }
}

static void refuse_directives(struct yaml_reader *reader)
{
    if (reader->event.data.document_start.version_directive != NULL ||
        reader->event.data.document_start.tag_directives.start !=
            reader->event.data.document_start.tag_directives.end) {
        config_errors_add(reader->errors, event_mark(reader),
                          "YAML directives (%%YAML, %%TAG) are not allowed");
    }
}

/* What a file without any content is read as. */
static struct node *new_empty_text(struct yaml_reader *reader)
{
    struct node *node = new_node(reader, NODE_TEXT);

    if (node != NULL) {
        node->mark = (struct mark){1, 1};
        node->plain = true;
        node->text = BYTES("");
    }
    return node;
}

static struct node *read_document(struct yaml_reader *reader)
{
    struct node *root;

    advance(reader); /* to the start of the stream, */
    advance(reader); /* of the document, or the stream's end */
    if (!reader->stopped && reader->event.type == YAML_STREAM_END_EVENT) {
        return new_empty_text(reader);
    }
    if (!reader->stopped) {
        refuse_directives(reader);
    }
    advance(reader);
    root = reader->stopped ? NULL : read_node(reader, 1);
    advance(reader); /* over the document's end */
    if (!reader->stopped && reader->event.type == YAML_DOCUMENT_START_EVENT) {
        config_errors_add(reader->errors, event_mark(reader),
                          "a second document starts here; a file holds one");
    }
    return reader->stopped ? NULL : root;
}

struct node *config_yaml_read(struct arena *scratch, struct bytes source,
                              struct config_errors *errors)
{
    struct yaml_reader reader = {.source = source, .scratch = scratch, .errors = errors};
    struct node *root;

    if (!yaml_parser_initialize(&reader.parser)) {
        config_errors_add(errors, (struct mark){0, 0}, "not enough memory");
        return NULL;
    }
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)source.at, source.length);
    root = read_document(&reader);
    yaml_event_delete(&reader.event);
    yaml_parser_delete(&reader.parser);
    return root;
}
