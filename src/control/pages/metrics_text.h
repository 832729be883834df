/* SPDX-License-Identifier: BSD-2-Clause */
/* Prometheus's text format 0.0.4, or OpenMetrics: families, samples, labels, histograms. Used by the files that
 * know what is counted (metrics_*.c, tls_pages.c). */
#ifndef CONTROL_PAGES_METRICS_TEXT_H
#define CONTROL_PAGES_METRICS_TEXT_H

#include "base/page.h"
#include "observe/metrics.h"

struct metrics_text {
    struct page *page;
    bool open;        /* as OpenMetrics 1.0, which names the family of a counter without _total */
    const char *name; /* of the family that is written */
};

/* HELP and TYPE: once, before the family's samples. `name` stays where it is until its last one. */
void metrics_text_family(struct metrics_text *out, const char *name, const char *type,
                         const char *help);
/* NAME{LABEL="VALUE" without the end: further labels may follow. What an origin is called makes two,
 * where it is an address of a name (observe/origin_label.h). */
#define METRICS_TEXT_ORIGIN "origin"
/* `label` may be NULL: none. */
void metrics_text_begin(struct metrics_text *out, const char *label, const char *value);
void metrics_text_label(struct metrics_text *out, const char *label, const char *value);
void metrics_text_end(struct metrics_text *out, uint64_t value);
/* A sample of one label. */
void metrics_text_sample(struct metrics_text *out, const char *label, const char *value,
                         uint64_t number);
/* One sample for each of `count` (at least one) values, that a second label tells apart. */
struct metrics_text_split {
    const char *label;
    const char *(*word)(size_t index);
    const uint64_t *values;
    size_t count;
};
void metrics_text_split(struct metrics_text *out, const char *label, const char *value,
                        const struct metrics_text_split *split);
/* Of METRICS_STATUS_CLASSES. */
const char *metrics_text_class(size_t index);
/* The same with the ratio of `part` to `whole`, which is at most 10000: "0.25". */
void metrics_text_end_ratio(struct metrics_text *out, uint64_t part, uint64_t whole);
/* Where a number stands in the structure that a table of families is about, and how wide it is. */
struct metrics_text_member {
    size_t offset;
    size_t size;
};
#define METRICS_TEXT_MEMBER(type, member) \
    { \
        offsetof(type, member), sizeof(((type *)NULL)->member) \
    }
uint64_t metrics_text_value(const void *structure, struct metrics_text_member member);
/* A family of one sample without labels. */
void metrics_text_plain(struct metrics_text *out, const char *name, const char *type,
                        const char *help, uint64_t value);
/* Once, behind all families. */
void metrics_text_finish(struct metrics_text *out);
/* The samples of one histogram, whose family is named without _bucket, _sum or _count. `exemplars`: one a bucket, in
 * OpenMetrics only; NULL: none. */
void metrics_text_histogram(struct metrics_text *out, const char *label,
                            const struct metrics_reading *reading,
                            const struct metrics_exemplar *exemplars);

#endif
