/* SPDX-License-Identifier: BSD-2-Clause */
/* Text that grows on the heap, for answers to operators: not for the way of a request. Running
 * out of memory is not an error at each step: it sets `failed`, which is tested once at the end. */
#ifndef BASE_PAGE_H
#define BASE_PAGE_H

#include "base/text.h"

struct page {
    char *at; /* NULL while empty */
    size_t length;
    size_t room;
    bool failed;
};

static inline struct bytes page_bytes(const struct page *page)
{
    return (struct bytes){page->at, page->length};
}

void page_release(struct page *page);
void page_add(struct page *page, struct bytes bytes);
void page_add_text(struct page *page, const char *text);
void page_add_char(struct page *page, char byte);
/* A cursor over `most` bytes behind what stands on the page, for many small pieces; NULL memory in it: there
 * is none. page_take_text adds what was written with it; nothing else may be added in between. */
struct text page_text(struct page *page, size_t most);
void page_take_text(struct page *page, const struct text *text);
void page_add_number(struct page *page, uint64_t number);
void page_format(struct page *page, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* As the inside of a JSON string (see base/text.h). */
void page_add_json(struct page *page, struct bytes bytes);

#endif
