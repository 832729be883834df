/* SPDX-License-Identifier: BSD-2-Clause */
/* Written straight onto the page; nothing is kept in between. */
#include "control/pages/metrics_text.h"

#include "observe/origin_label.h"

/* Of the fine buckets that are kept, one a power of two is shown, from 64 us to 67 s. */
#define FIRST_EDGE_US 64
#define EDGES 21
_Static_assert(EDGES + 1 == METRICS_EXEMPLARS, "an exemplar for each bucket, +Inf included");

void metrics_text_family(struct page *page, const char *name, const char *type, const char *help)
{
    page_format(page, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Bytes before the first one that is escaped. */
static size_t plain_length(struct bytes value)
{
    size_t length = 0;

    while (length < value.length && value.at[length] != '\n' && value.at[length] != '\\' &&
           value.at[length] != '"') {
        length++;
    }
    return length;
}

/* In a value backslash, quote and line feed are escaped. */
static void add_label(struct page *page, const char *label, struct bytes value)
{
    page_add_text(page, label);
    page_add(page, BYTES("=\""));
    while (value.length > 0) {
        size_t plain = plain_length(value);

        page_add(page, bytes_first(value, plain));
        value = bytes_skip(value, plain);
        if (value.length > 0) {
            page_add_char(page, '\\');
            page_add_char(page, value.at[0] == '\n' ? 'n' : value.at[0]);
            value = bytes_skip(value, 1);
        }
    }
    page_add_char(page, '"');
}

/* An address of a name has two labels, so that sums by name are easy. */
static void add_origin(struct page *page, const char *label, struct bytes value)
{
    struct bytes address = origin_label_address(value);

    add_label(page, label, origin_label_name(value));
    if (address.length > 0) {
        page_add_char(page, ',');
        add_label(page, "address", address);
    }
}

void metrics_text_begin(struct page *page, const char *name, const char *label, const char *value)
{
    page_add_text(page, name);
    page_add_char(page, '{');
    if (label == NULL) {
        return;
    }
    if (strcmp(label, METRICS_TEXT_ORIGIN) == 0) {
        add_origin(page, label, bytes_of(value));
    } else {
        add_label(page, label, bytes_of(value));
    }
}

void metrics_text_label(struct page *page, const char *label, const char *value)
{
    page_add_char(page, ',');
    add_label(page, label, bytes_of(value));
}

void metrics_text_end(struct page *page, uint64_t value)
{
    page_add(page, BYTES("} "));
    page_add_number(page, value);
    page_add_char(page, '\n');
}

void metrics_text_split(struct page *page, const char *name, const char *label, const char *value,
                        const struct metrics_text_split *split)
{
    size_t from = page->length;
    size_t length;

    metrics_text_begin(page, name, label, value);
    page_add_char(page, ',');
    length = page->length - from;
    for (size_t i = 0; i < split->count; i++) {
        if (i > 0) {
            page_repeat(page, from, length);
        }
        add_label(page, split->label, bytes_of(split->word(i)));
        metrics_text_end(page, split->values[i]);
    }
}

void metrics_text_end_ratio(struct page *page, uint64_t part, uint64_t whole)
{
    page_format(page, "} %.4g\n", (double)part / (double)whole);
}

void metrics_text_plain(struct page *page, const char *name, const char *type, const char *help,
                        uint64_t value)
{
    metrics_text_family(page, name, type, help);
    page_format(page, "%s %llu\n", name, (unsigned long long)value);
}

/* --- OpenMetrics ------------------------------------------------------------------------- */

/* The length of the family's name in a line "# TYPE NAME ..." or "# HELP NAME ..."; 0: it is none. */
static size_t named_until(struct bytes line)
{
    const char *end;

    if (!bytes_start_with(line, BYTES("# HELP ")) && !bytes_start_with(line, BYTES("# TYPE "))) {
        return 0;
    }
    end = memchr(line.at + 7, ' ', line.length - 7);
    return end != NULL ? (size_t)(end - line.at) : 0;
}

void metrics_text_add_open(struct page *open, struct bytes text)
{
    static const char total[] = "_total";
    const size_t length = sizeof(total) - 1;

    while (text.length > 0) {
        const char *end = memchr(text.at, '\n', text.length);
        struct bytes line =
            bytes_first(text, end != NULL ? (size_t)(end - text.at) + 1 : text.length);
        size_t name = named_until(line);

        text = bytes_skip(text, line.length);
        if (name > length && memcmp(line.at + name - length, total, length) == 0) {
            page_add(open, bytes_first(line, name - length));
            line = bytes_skip(line, name);
        }
        page_add(open, line);
    }
    page_add_text(open, "# EOF\n");
}

/* --- histograms -------------------------------------------------------------------------- */

/* Microseconds as seconds: "0.000064". */
static void add_seconds(struct page *page, uint64_t us)
{
    char digits[32];
    char *at = digits + sizeof(digits);

    for (int i = 0; us > 0 || i < 8; i++) {
        *--at = i == 6 ? '.' : (char)('0' + us % 10);
        us = i == 6 ? us : us / 10;
    }
    page_add(page, (struct bytes){at, (size_t)(digits + sizeof(digits) - at)});
}

/* "NAME_PART{LABEL="VALUE"". */
static void begin_part(struct page *page, const char *name, const char *part, const char *label,
                       const char *value)
{
    page_add_text(page, name);
    metrics_text_begin(page, part, label, value);
}

/* A number on the page. */
struct number {
    uint64_t value;
    size_t from;
    size_t length; /* 0: there is none */
};

/* Behind the sample, as OpenMetrics has it: " # {trace_id="..."} SECONDS WHEN". */
static void add_exemplar(struct page *page, const struct metrics_exemplar *exemplar)
{
    page_add_text(page, " # {trace_id=\"");
    page_add(page, (struct bytes){exemplar->trace_id, TRACE_ID_LENGTH});
    page_add_text(page, "\"} ");
    add_seconds(page, exemplar->duration_us);
    page_add_char(page, ' ');
    add_seconds(page, exemplar->ended_us);
}

/* Few buckets of a histogram differ from
 * the one below, so that most numbers are only copied. */
static void add_count(struct page *page, uint64_t count, struct number *last)
{
    if (last->length > 0 && last->value == count) {
        page_repeat(page, last->from, last->length);
        return;
    }
    last->value = count;
    last->from = page->length;
    page_add_number(page, count);
    last->length = page->length - last->from;
}

static void end_bucket(struct page *page, uint64_t count, struct number *last,
                       const struct metrics_exemplar *exemplar)
{
    page_add(page, BYTES("\"} "));
    add_count(page, count, last);
    if (exemplar != NULL && exemplar->ended_us != 0) {
        add_exemplar(page, exemplar);
    }
    page_add_char(page, '\n');
}

/* The count is the sum of the buckets: counters that are read while they grow need not agree. A page of
 * a thousand routes is 22,000 buckets: what they begin with is written once and repeated. */
void metrics_text_histogram(struct page *page, const char *name, const char *label,
                            const struct metrics_reading *reading,
                            const struct metrics_exemplar *exemplars)
{
    size_t from = page->length;
    uint64_t count = 0;
    unsigned bucket = 0;
    struct number last = {0};
    size_t length;

    begin_part(page, name, "_bucket", label, reading->name);
    page_add_text(page, label != NULL ? ",le=\"" : "le=\"");
    length = page->length - from;
    for (int i = 0; i < EDGES; i++) {
        uint64_t edge_us = (uint64_t)FIRST_EDGE_US << i;

        for (; metrics_duration_limit(bucket) <= edge_us; bucket++) {
            count += reading->durations[bucket];
        }
        add_seconds(page, edge_us);
        end_bucket(page, count, &last, exemplars != NULL ? &exemplars[i] : NULL);
        page_repeat(page, from, length);
    }
    for (; bucket < METRICS_DURATION_BUCKETS; bucket++) {
        count += reading->durations[bucket];
    }
    page_add(page, BYTES("+Inf"));
    end_bucket(page, count, &last, exemplars != NULL ? &exemplars[EDGES] : NULL);
    begin_part(page, name, "_sum", label, reading->name);
    page_add(page, BYTES("} "));
    add_seconds(page, reading->duration_sum_us);
    page_add_char(page, '\n');
    begin_part(page, name, "_count", label, reading->name);
    metrics_text_end(page, count);
}
