/* SPDX-License-Identifier: BSD-2-Clause */
/* Single values: read and checked as their row in the option table says, then stored at the
 * row's offset. Defaults go the same way, so a bad one in the table fails every test. */
#include "config/read/reading.h"
#include "config/schema/suggest.h"
#include "config/schema/units.h"

#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>

static enum unit_verdict read_octal(struct bytes text, uint64_t *number)
{
    size_t i;

    *number = 0;
    for (i = 0; i < text.length; i++) {
        if (text.at[i] < '0' || text.at[i] > '7' || i > 5) {
            return UNIT_WRONG;
        }
        *number = *number * 8 + (uint64_t)(text.at[i] - '0');
    }
    return text.length >= 3 ? UNIT_READ : UNIT_WRONG;
}

/* The position of `text` among the words. */
static enum unit_verdict read_choice(struct bytes text, const char *choices, uint64_t *number)
{
    struct bytes words = bytes_of(choices);
    struct bytes word;

    for (*number = 0; config_next_word(&words, &word); ++*number) {
        if (bytes_equal(word, text)) {
            return UNIT_READ;
        }
    }
    return UNIT_WRONG;
}

static enum unit_verdict read_number(const struct option *option, struct bytes text,
                                     uint64_t *number)
{
    switch (option->type) {
    case OPTION_TIME:
        return config_read_time(text, number);
    case OPTION_SIZE:
        return config_read_size(text, number);
    case OPTION_PERCENT:
        return config_read_percent(text, number);
    case OPTION_FLAG:
        return read_choice(text, "false|true", number);
    case OPTION_CHOICE:
        return read_choice(text, option->words, number);
    case OPTION_MODE:
        return read_octal(text, number);
    default:
        return config_read_count(text, number);
    }
}

static bool in_range(const struct option *option, uint64_t number)
{
    uint64_t least = 0;
    uint64_t greatest = UINT64_MAX;

    if (option->least != NULL) {
        CHECK(read_number(option, bytes_of(option->least), &least) == UNIT_READ);
        CHECK(read_number(option, bytes_of(option->greatest), &greatest) == UNIT_READ);
    }
    return number >= least && number <= greatest;
}

/* A number limited to some values only, such as a status: they stand in `words`. */
static bool among_words(const struct option *option, struct bytes text)
{
    uint64_t position;

    return option->type != OPTION_COUNT || option->words == NULL ||
           read_choice(text, option->words, &position) == UNIT_READ;
}

/* Through a variable of the field's own width: right in any byte order. */
static void store_number(const struct option *option, uint64_t number, void *record)
{
    char *field = (char *)record + option->offset;

    switch (option->size) {
    case 1: {
        uint8_t narrow = (uint8_t)number;
        memcpy(field, &narrow, sizeof(narrow));
        break;
    }
    case 2: {
        uint16_t narrow = (uint16_t)number;
        memcpy(field, &narrow, sizeof(narrow));
        break;
    }
    case 4: {
        uint32_t narrow = (uint32_t)number;
        memcpy(field, &narrow, sizeof(narrow));
        break;
    }
    default:
        CHECK(option->size == sizeof(number));
        memcpy(field, &number, sizeof(number));
    }
}

/* Text fields are a C string or bytes, told apart by their size. */
static void store_text(const struct option *option, struct bytes text, void *record)
{
    char *field = (char *)record + option->offset;

    if (option->size == sizeof(struct bytes)) {
        memcpy(field, &text, sizeof(text));
    } else {
        CHECK(option->size == sizeof(text.at));
        memcpy(field, &text.at, sizeof(text.at));
    }
}

void config_store_default(const struct option *option, void *record)
{
    struct bytes text = bytes_of(option->initial);
    uint64_t number = 0;

    if (option->type == OPTION_TEXT) {
        store_text(option, text, record);
        return;
    }
    if (option->type == OPTION_STATUSES || option->type == OPTION_GRPC_STATUSES) {
        config_store_statuses(option, text, (char *)record + option->offset);
        return;
    }
    if (option->zero_word == NULL || strcmp(option->zero_word, option->initial) != 0) {
        CHECK(read_number(option, text, &number) == UNIT_READ);
        CHECK(in_range(option, number) && among_words(option, text));
    }
    store_number(option, number, record);
}

#define EXPECTED_ROOM 160

static void list_words(const char *choices, char out[EXPECTED_ROOM])
{
    struct bytes words = bytes_of(choices);
    struct bytes word;
    int length = snprintf(out, EXPECTED_ROOM, "one of");

    while (config_next_word(&words, &word) && length < EXPECTED_ROOM) {
        length += snprintf(out + length, (size_t)(EXPECTED_ROOM - length), "%s %.*s",
                           length > 6 ? "," : "", (int)word.length, word.at);
    }
}

static const char *expected_of(const struct option *option, char out[EXPECTED_ROOM])
{
    const char *what = "text";

    if (option->words != NULL) {
        list_words(option->words, out);
        return out;
    }
    switch (option->type) {
    case OPTION_COUNT:
        what = "a whole number";
        break;
    case OPTION_TIME:
        what = "a time such as 250ms, 5s, 2m, 1h or 1d";
        break;
    case OPTION_SIZE:
        what = "a size such as 512B, 64KiB, 1MiB or 10MB";
        break;
    case OPTION_PERCENT:
        what = "a share such as 20% or 0.5%";
        break;
    case OPTION_FLAG:
        what = "true or false";
        break;
    case OPTION_MODE:
        what = "octal permissions such as 0660";
        break;
    default:
        break;
    }
    snprintf(out, EXPECTED_ROOM, "%s%s%s", what, option->zero_word != NULL ? " or " : "",
             option->zero_word != NULL ? option->zero_word : "");
    return out;
}

static void report_not_expected(struct reading *reading, const struct option *option,
                                const struct node *node)
{
    char expected[EXPECTED_ROOM];
    char hint[HINT_MAX] = "";
    struct suggestion suggestion;

    if (option->type == OPTION_CHOICE) {
        struct bytes words = bytes_of(option->words);
        struct bytes word;

        config_suggest_begin(&suggestion, node->text);
        while (config_next_word(&words, &word)) {
            config_suggest_offer(&suggestion, word);
        }
        config_suggest_hint(&suggestion, hint);
    }
    READING_ERROR(reading, node, "'%s' expects %s, not '%s'%s", option->path,
                  expected_of(option, expected), config_show(node->text).text, hint);
}

static void report_bare(struct reading *reading, const struct option *option,
                        const struct node *node)
{
    struct shown shown = config_show(node->text);
    const char *number = shown.text;

    if (option->type == OPTION_TIME) {
        READING_ERROR(reading, node, "'%s' needs a unit: write %ss or %sms, not %s", option->path,
                      number, number, number);
    } else if (option->type == OPTION_PERCENT) {
        READING_ERROR(reading, node, "'%s' needs a unit: write %s%%, not %s", option->path, number,
                      number);
    } else {
        READING_ERROR(reading, node, "'%s' needs a unit: write %sB or %sKiB, not %s", option->path,
                      number, number, number);
    }
}

static bool read_number_value(struct reading *reading, const struct option *option,
                              const struct node *node, void *record)
{
    uint64_t number;
    enum unit_verdict verdict;

    if (option->zero_word != NULL && bytes_equal(node->text, bytes_of(option->zero_word))) {
        store_number(option, 0, record);
        return true;
    }
    verdict = read_number(option, node->text, &number);
    if (verdict == UNIT_BARE) {
        report_bare(reading, option, node);
        return false;
    }
    if (verdict != UNIT_READ || !among_words(option, node->text)) {
        report_not_expected(reading, option, node);
        return false;
    }
    if (!in_range(option, number)) {
        READING_ERROR(reading, node, "'%s' must be from %s to %s, not %s", option->path,
                      option->least, option->greatest, config_show(node->text).text);
        return false;
    }
    store_number(option, number, record);
    return true;
}

bool config_check_fit(struct reading *reading, const struct option *option, const struct node *node)
{
    bool may_be_empty = option->least != NULL; /* it is long enough */

    if (option->fits == NULL || (node->text.length == 0 && may_be_empty) ||
        option->fits(node->text)) {
        return true;
    }
    READING_ERROR(reading, node, "'%s' expects %s, not '%s'", option->path, option->expects,
                  config_show(node->text).text);
    return false;
}

static bool read_text_value(struct reading *reading, const struct option *option,
                            const struct node *node, void *record)
{
    uint64_t least = 0;
    uint64_t greatest = UINT64_MAX;

    if (option->least != NULL) {
        config_read_count(bytes_of(option->least), &least);
        config_read_count(bytes_of(option->greatest), &greatest);
    }
    if (node->text.length < least || node->text.length > greatest) {
        READING_ERROR(reading, node, "'%s' must have %s to %s bytes, not %zu", option->path,
                      option->least, option->greatest, node->text.length);
        return false;
    }
    if (option->size != sizeof(struct bytes) && memchr(node->text.at, 0, node->text.length)) {
        READING_ERROR(reading, node, "'%s' must not contain a NUL", option->path);
        return false;
    }
    if (!config_check_fit(reading, option, node)) {
        return false;
    }
    store_text(option, config_keep(reading, node->text), record);
    return true;
}

bool config_read_value(struct reading *reading, const struct option *option,
                       const struct node *node, void *record)
{
    char expected[EXPECTED_ROOM];
    struct bytes text;

    if (!config_read_text(reading, node, option->path, expected_of(option, expected), &text)) {
        return false;
    }
    if (option->type == OPTION_TEXT) {
        return read_text_value(reading, option, node, record);
    }
    return read_number_value(reading, option, node, record);
}

bool config_read_text(struct reading *reading, const struct node *node, const char *path,
                      const char *expected, struct bytes *text)
{
    if (node->kind == NODE_BROKEN) {
        return false;
    }
    if (node->kind == NODE_TEXT && !config_node_is_empty(node)) {
        *text = node->text;
        return true;
    }
    READING_ERROR(reading, node, "'%s' expects %s, not %s%s", path, expected,
                  config_node_kind(node),
                  node->kind == NODE_MAP ? "; a text that starts with '{' needs quotes" : "");
    return false;
}

void config_refuse_text(struct reading *reading, const struct node *node, const char *remedy)
{
    READING_ERROR(reading, node, "'%s' expects %s, not '%s'%s", reading->option->path,
                  reading->option->expects, config_show(node->text).text, remedy);
}

static bool is_mapping(const struct option *option)
{
    return option->type == OPTION_NAMED || option->type == OPTION_SPLIT ||
           option->type == OPTION_CONDITIONS || option->type == OPTION_HEADERS;
}

static void refuse_members(struct reading *reading, const struct option *option,
                           const struct node *node)
{
    if (is_mapping(option)) {
        READING_ERROR(reading, node, "'%s' expects %s, not %s", option->path, option->expects,
                      config_node_kind(node));
    } else if (!config_is_of_texts(option)) {
        READING_ERROR(reading, node, "'%s' expects %s", option->path, option->expects);
    } else if (node->kind == NODE_MAP) {
        READING_ERROR(reading, node, "'%s' expects a text or a list of texts, not a mapping",
                      option->path);
    } else {
        READING_ERROR(reading, node, "'%s' is empty; %s", option->path,
                      option->empty != NULL ? option->empty : "leave it out, or give it a value");
    }
}

const struct node *config_read_members(struct reading *reading, const struct option *option,
                                       const struct node *node, uint32_t *count)
{
    bool is_right_kind = node->kind == (is_mapping(option) ? NODE_MAP : NODE_LIST);
    bool may_stand_alone =
        option->type == OPTION_SOURCES ||
        (config_is_of_texts(option) && node->kind == NODE_TEXT && !config_node_is_empty(node));

    *count = 0;
    if (node->kind == NODE_BROKEN || (is_right_kind && node->count == 0 && option->may_be_empty)) {
        return NULL;
    }
    if (is_right_kind && node->count > 0) {
        if (option->most != 0 && node->count > option->most) {
            READING_ERROR(reading, node, "'%s': %u are the most, not %u", option->path,
                          option->most, node->count);
            return NULL;
        }
        *count = node->count;
        return node->first;
    }
    if (may_stand_alone) {
        *count = 1;
        return node;
    }
    refuse_members(reading, option, node);
    return NULL;
}

/* The nearest of the names that an array of structures has at an offset. */
void config_report_unknown_name(struct reading *reading, const struct node *node, const char *what,
                                const void *rows, uint32_t count, size_t size, size_t offset)
{
    struct suggestion suggestion;
    char hint[HINT_MAX];

    config_suggest_begin(&suggestion, node->text);
    for (uint32_t i = 0; i < count && !config_errors_are_many(reading->errors); i++) {
        const char *name;

        memcpy(&name, (const char *)rows + i * size + offset, sizeof(name));
        if (name != NULL) {
            config_suggest_offer(&suggestion, bytes_of(name));
        }
    }
    READING_ERROR(reading, node, "%s '%s'%s", what, config_show(node->text).text,
                  config_suggest_hint(&suggestion, hint));
}

void config_read_kept(struct reading *reading, const struct node *node, void *at)
{
    struct bytes kept = config_keep(reading, node->text);

    memcpy(at, &kept, sizeof(kept));
}

void *config_take_array(struct reading *reading, size_t count, size_t size)
{
    return count > 0 ? arena_take(reading->arena, count * size) : NULL;
}

struct bytes config_keep(struct reading *reading, struct bytes text)
{
    const char *copy = arena_copy(reading->arena, text);

    return (struct bytes){copy != NULL ? copy : "", copy != NULL ? text.length : 0};
}

/* The part of the text in which a line stands: the last one that begins before it. */
static const struct reading_part *part_of(const struct reading *reading, uint32_t line)
{
    uint32_t low = 0;
    uint32_t high = reading->part_count;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (reading->parts[middle].lines_before < line) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return &reading->parts[low];
}

struct file_place config_place_of(const struct reading *reading, const struct node *node)
{
    const struct reading_part *part;

    if (node == NULL) {
        return (struct file_place){NULL, 0, 0};
    }
    part = part_of(reading, node->mark.line);
    return (struct file_place){part->file, node->mark.line - part->lines_before, node->mark.column};
}

struct line_text config_line(const struct reading *reading, const struct node *node)
{
    const struct reading_part *part = part_of(reading, node->mark.line);
    struct line_text line;

    if (part == reading->parts) {
        snprintf(line.text, sizeof(line.text), "line %u", node->mark.line);
    } else {
        snprintf(line.text, sizeof(line.text), "line %u of %s",
                 node->mark.line - part->lines_before, part->file);
    }
    return line;
}

/* Further ones tell an operator nothing new, and a file may have very many. */
#define WARNINGS_MAX 100

void config_warn(struct reading *reading, const struct node *node, const char *format, ...)
{
    struct config_warning **last = &reading->settings->warnings;
    struct config_warning *warning;
    uint32_t count = 0;
    char text[1024];
    va_list arguments;

    while (*last != NULL && count++ < WARNINGS_MAX) {
        last = &(*last)->next;
    }
    if (count >= WARNINGS_MAX || (warning = arena_take(reading->arena, sizeof(*warning))) == NULL) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    *warning = (struct config_warning){config_place_of(reading, node),
                                       config_keep(reading, bytes_of(text)).at, NULL};
    *last = warning;
}

/* 10.0.0.1/8 is meant as 10.0.0.0/8, or as 10.0.0.1: which, only its writer knows. */
static void check_host_bits(struct reading *reading, const struct node *node, const char *path,
                            struct bytes text, const struct network *network)
{
    struct network whole = *network;
    char proper[ADDRESS_TEXT_MAX];
    const char *slash = memchr(text.at, '/', text.length);

    if (slash == NULL || !network_clear_host_bits(&whole)) {
        return;
    }
    proper[ip_format(&whole.ip, proper)] = '\0';
    READING_ERROR(reading, node,
                  "'%s' has the network '%s', whose address has bits behind its prefix; write "
                  "%s%.*s for the network, or %.*s for that one address",
                  path, config_show(text).text, proper,
                  (int)(text.length - (size_t)(slash - text.at)), slash, (int)(slash - text.at),
                  text.at);
}

void config_read_network(struct reading *reading, const struct node *node, void *at)
{
    struct network *network = at;

    if (network_parse(node->text, network)) {
        check_host_bits(reading, node, reading->option->path, node->text, network);
    } else {
        config_refuse_text(reading, node, "");
    }
}
