/* SPDX-License-Identifier: BSD-2-Clause */
/* Written straight onto the page; nothing is kept in between. A page of a thousand routes is forty thousand
 * lines: each has its room at once, and what a row's lines begin with is made once and copied. */
#include "control/pages/metrics_text.h"

#include "control/yield.h"
#include "observe/origin_label.h"

/* Of the fine buckets that are kept, one a power of two is shown, from 64 us to 67 s. */
#define FIRST_EDGE_US 64
#define EDGES 21
_Static_assert(EDGES + 1 == METRICS_EXEMPLARS, "an exemplar for each bucket, +Inf included");

void metrics_text_family(struct metrics_text *out, const char *name, const char *type,
                         const char *help)
{
    static const char total[] = "_total";
    struct bytes family = bytes_of(name);
    size_t shorter = family.length - (sizeof(total) - 1);

    if (out->open && family.length > sizeof(total) && strcmp(name + shorter, total) == 0) {
        family.length = shorter;
    }
    out->name = name;
    page_format(out->page, "# HELP %.*s %s\n# TYPE %.*s %s\n", (int)family.length, name, help,
                (int)family.length, name, type);
}

/* --- a line ------------------------------------------------------------------------------ */

#define PUNCTUATION_MOST 16 /* of a label, or of the end of a line */
#define END_MOST (PUNCTUATION_MOST + TEXT_NUMBER_MAX)

/* At most: each byte of the value may be escaped. */
static size_t label_room(const char *label, struct bytes value)
{
    return strlen(label) + 2 * value.length + PUNCTUATION_MOST;
}

/* Bytes before the first one that is escaped. */
static size_t plain_length(struct bytes value)
{
    size_t length = 0;
    uint64_t word;

    for (; value.length - length >= sizeof(word); length += sizeof(word)) {
        memcpy(&word, value.at + length, sizeof(word));
        if (!text_word_is_plain(word)) {
            break; /* also for a byte that is only escaped in JSON */
        }
    }
    while (length < value.length && value.at[length] != '\n' && value.at[length] != '\\' &&
           value.at[length] != '"') {
        length++;
    }
    return length;
}

/* In a value backslash, quote and line feed are escaped. */
static void add_label(struct text *text, const char *label, struct bytes value)
{
    text_add_bytes(text, bytes_of(label));
    text_add_literal(text, "=\"");
    while (value.length > 0) {
        size_t plain = plain_length(value);

        text_add_bytes(text, bytes_first(value, plain));
        value = bytes_skip(value, plain);
        if (value.length > 0) {
            text_add_char(text, '\\');
            text_add_char(text, value.at[0] == '\n' ? 'n' : value.at[0]);
            value = bytes_skip(value, 1);
        }
    }
    text_add_char(text, '"');
}

/* An address of a name has two labels, so that sums by name are easy. */
static void add_origin(struct text *text, const char *label, struct bytes value)
{
    struct bytes address = origin_label_address(value);

    add_label(text, label, origin_label_name(value));
    if (address.length > 0) {
        text_add_char(text, ',');
        add_label(text, "address", address);
    }
}

/* "NAMEPART{LABEL="VALUE"". */
static void begin_part(struct metrics_text *out, const char *part, const char *label,
                       const char *value)
{
    size_t labels = label != NULL ? label_room(label, bytes_of(value)) : 0;
    struct text text =
        page_text(out->page, strlen(out->name) + strlen(part) + labels + PUNCTUATION_MOST);

    text_add_bytes(&text, bytes_of(out->name));
    text_add_bytes(&text, bytes_of(part));
    text_add_char(&text, '{');
    if (label != NULL && strcmp(label, METRICS_TEXT_ORIGIN) == 0) {
        add_origin(&text, label, bytes_of(value));
    } else if (label != NULL) {
        add_label(&text, label, bytes_of(value));
    }
    page_take_text(out->page, &text);
}

void metrics_text_begin(struct metrics_text *out, const char *label, const char *value)
{
    begin_part(out, "", label, value);
}

void metrics_text_label(struct metrics_text *out, const char *label, const char *value)
{
    struct text text = page_text(out->page, label_room(label, bytes_of(value)));

    text_add_char(&text, ',');
    add_label(&text, label, bytes_of(value));
    page_take_text(out->page, &text);
}

static void add_end(struct text *text, uint64_t value)
{
    text_add_literal(text, "} ");
    text_add_number(text, value);
    text_add_char(text, '\n');
}

void metrics_text_end(struct metrics_text *out, uint64_t value)
{
    struct page *page = out->page;
    struct text text = page_text(page, END_MOST);

    add_end(&text, value);
    page_take_text(page, &text);
    yield_each(page->length, text_length(&text), YIELD_BYTES);
}

void metrics_text_sample(struct metrics_text *out, const char *label, const char *value,
                         uint64_t number)
{
    metrics_text_begin(out, label, value);
    metrics_text_end(out, number);
}

void metrics_text_split(struct metrics_text *out, const char *label, const char *value,
                        const struct metrics_text_split *split)
{
    struct page *page = out->page;
    size_t from = page->length;
    size_t length;

    metrics_text_begin(out, label, value);
    page_add_char(page, ',');
    length = page->length - from;
    for (size_t i = 0; i < split->count && !page->failed; i++) {
        struct bytes word = bytes_of(split->word(i));
        struct text text = page_text(page, length + label_room(split->label, word) + END_MOST);

        if (i > 0) {
            text_add_bytes(&text, (struct bytes){page->at + from, length});
        }
        add_label(&text, split->label, word);
        add_end(&text, split->values[i]);
        page_take_text(page, &text);
    }
    yield_each(page->length, page->length - from, YIELD_BYTES);
}

const char *metrics_text_class(size_t index)
{
    static const char *const classes[METRICS_STATUS_CLASSES] = {"none", "1xx", "2xx",
                                                                "3xx",  "4xx", "5xx"};

    return classes[index];
}

void metrics_text_end_ratio(struct metrics_text *out, uint64_t part, uint64_t whole)
{
    page_format(out->page, "} %.4g\n", (double)part / (double)whole);
}

uint64_t metrics_text_value(const void *structure, struct metrics_text_member member)
{
    const char *at = (const char *)structure + member.offset;

    switch (member.size) {
    case sizeof(bool):
        return *(const bool *)at;
    case sizeof(uint32_t):
        return *(const uint32_t *)(const void *)at;
    default:
        return *(const uint64_t *)(const void *)at;
    }
}

void metrics_text_plain(struct metrics_text *out, const char *name, const char *type,
                        const char *help, uint64_t value)
{
    metrics_text_family(out, name, type, help);
    page_format(out->page, "%s %llu\n", name, (unsigned long long)value);
}

void metrics_text_finish(struct metrics_text *out)
{
    page_add_text(out->page, out->open ? "# EOF\n" : "");
}

/* --- histograms -------------------------------------------------------------------------- */

#define SECONDS_MOST (TEXT_NUMBER_MAX + 1)
#define EXEMPLAR_MOST (TRACE_ID_LENGTH + 2 * SECONDS_MOST + 2 * PUNCTUATION_MOST)

/* FIRST_EDGE_US, and each twice the one before. */
static const struct bytes edges[EDGES] = {
#define EDGE(text) \
    { \
        text, sizeof(text) - 1 \
    }
    EDGE("0.000064"),  EDGE("0.000128"), EDGE("0.000256"), EDGE("0.000512"),  EDGE("0.001024"),
    EDGE("0.002048"),  EDGE("0.004096"), EDGE("0.008192"), EDGE("0.016384"),  EDGE("0.032768"),
    EDGE("0.065536"),  EDGE("0.131072"), EDGE("0.262144"), EDGE("0.524288"),  EDGE("1.048576"),
    EDGE("2.097152"),  EDGE("4.194304"), EDGE("8.388608"), EDGE("16.777216"), EDGE("33.554432"),
    EDGE("67.108864"),
#undef EDGE
};

/* Microseconds as seconds: "0.000064". */
static void add_seconds(struct text *text, uint64_t us)
{
    char digits[SECONDS_MOST + 1];
    char *at = digits + sizeof(digits);

    for (int i = 0; us > 0 || i < 8; i++) {
        *--at = i == 6 ? '.' : (char)('0' + us % 10);
        us = i == 6 ? us : us / 10;
    }
    text_add(text, at, (size_t)(digits + sizeof(digits) - at));
}

/* Behind the sample, as OpenMetrics has it: " # {trace_id="..."} SECONDS WHEN". */
static void add_exemplar(struct text *text, const struct metrics_exemplar *exemplar)
{
    text_add_literal(text, " # {trace_id=\"");
    text_add(text, exemplar->trace_id, TRACE_ID_LENGTH);
    text_add_literal(text, "\"} ");
    add_seconds(text, exemplar->duration_us);
    text_add_char(text, ' ');
    add_seconds(text, exemplar->ended_us);
}

/* One row's buckets: each line begins with `begin`. */
struct bucket_lines {
    struct text text;
    struct bytes begin;
    const struct metrics_exemplar *exemplars; /* NULL: none */
};

static void add_bucket(struct bucket_lines *lines, unsigned bucket, struct bytes edge,
                       uint64_t count)
{
    struct text *text = &lines->text;

    if (bucket > 0) {
        text_add_bytes(text, lines->begin);
    }
    text_add_bytes(text, edge);
    text_add_literal(text, "\"} ");
    text_add_number(text, count);
    if (lines->exemplars != NULL && lines->exemplars[bucket].ended_us != 0) {
        add_exemplar(text, &lines->exemplars[bucket]);
    }
    text_add_char(text, '\n');
}

/* The sum of all: the beginning of the first line stands on the page, `length` bytes from its end. */
static uint64_t add_buckets(struct page *page, size_t length, const struct metrics_reading *reading,
                            const struct metrics_exemplar *exemplars)
{
    const size_t line = length + sizeof("67.108864") + END_MOST + EXEMPLAR_MOST;
    struct bucket_lines lines = {page_text(page, (EDGES + 1) * line), {0}, exemplars};
    uint64_t count = 0;
    unsigned bucket = 0;

    if (page->failed) {
        return 0;
    }
    lines.begin = (struct bytes){page->at + page->length - length, length};
    for (unsigned i = 0; i < EDGES; i++) {
        for (; metrics_duration_limit(bucket) <= (uint64_t)FIRST_EDGE_US << i; bucket++) {
            count += reading->durations[bucket];
        }
        add_bucket(&lines, i, edges[i], count);
    }
    for (; bucket < METRICS_DURATION_BUCKETS; bucket++) {
        count += reading->durations[bucket];
    }
    add_bucket(&lines, EDGES, BYTES("+Inf"), count);
    page_take_text(page, &lines.text);
    return count;
}

/* The count is the sum of the buckets: counters that are read while they grow need not agree. */
void metrics_text_histogram(struct metrics_text *out, const char *label,
                            const struct metrics_reading *reading,
                            const struct metrics_exemplar *exemplars)
{
    struct page *page = out->page;
    size_t from = page->length;
    struct text text;
    uint64_t count;

    begin_part(out, "_bucket", label, reading->name);
    page_add_text(page, label != NULL ? ",le=\"" : "le=\"");
    count = add_buckets(page, page->length - from, reading, exemplars);
    begin_part(out, "_sum", label, reading->name);
    text = page_text(page, SECONDS_MOST + END_MOST);
    text_add_literal(&text, "} ");
    add_seconds(&text, reading->duration_sum_us);
    text_add_char(&text, '\n');
    page_take_text(page, &text);
    begin_part(out, "_count", label, reading->name);
    metrics_text_end(out, count);
    yield_each(page->length, page->length - from, YIELD_BYTES);
}
