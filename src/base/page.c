/* SPDX-License-Identifier: BSD-2-Clause */
/* A text that grows while it is written (page.h). Its room doubles, so that adding a byte costs the same
 * however long the text is. */
#include "base/page.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_ROOM 1024
#define JSON_EXPANSION 6 /* of one byte, at most */

void page_release(struct page *page)
{
    free(page->at);
    *page = (struct page){0};
}

static bool grow(struct page *page, size_t more)
{
    size_t room = page->room > 0 ? page->room : FIRST_ROOM;
    char *at;

    if (page->failed || more > SIZE_MAX / 4 - page->length) {
        page->failed = true;
        return false;
    }
    while (room - page->length < more) {
        room *= 2;
    }
    at = realloc(page->at, room);
    if (at == NULL) {
        page->failed = true;
        return false;
    }
    page->at = at;
    page->room = room;
    return true;
}

/* Nearly always there is some. */
static inline bool make_room(struct page *page, size_t more)
{
    return (more <= page->room - page->length && page->at != NULL) || grow(page, more);
}

void page_add(struct page *page, struct bytes bytes)
{
    if (bytes.length > 0 && make_room(page, bytes.length)) {
        memcpy(page->at + page->length, bytes.at, bytes.length);
        page->length += bytes.length;
    }
}

void page_add_text(struct page *page, const char *text)
{
    page_add(page, bytes_of(text));
}

void page_add_char(struct page *page, char byte)
{
    page_add(page, (struct bytes){&byte, 1});
}

struct text page_text(struct page *page, size_t most)
{
    return make_room(page, most) ? text_over(page->at + page->length, most) : text_over(NULL, 0);
}

void page_take_text(struct page *page, const struct text *text)
{
    page->failed = page->failed || text->overflowed;
    page->length += text_length(text);
}

void page_add_number(struct page *page, uint64_t number)
{
    char digits[24];
    struct text text = text_over(digits, sizeof(digits));

    text_add_number(&text, number);
    page_add(page, (struct bytes){digits, text_length(&text)});
}

void page_format(struct page *page, const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0 || !make_room(page, (size_t)length + 1)) {
        page->failed = true;
        return;
    }
    va_start(arguments, format);
    vsnprintf(page->at + page->length, (size_t)length + 1, format, arguments);
    va_end(arguments);
    page->length += (size_t)length;
}

void page_add_json(struct page *page, struct bytes bytes)
{
    struct text text;

    if (bytes.length > SIZE_MAX / (JSON_EXPANSION * 2) ||
        !make_room(page, bytes.length * JSON_EXPANSION)) {
        page->failed = true;
        return;
    }
    text = text_over(page->at + page->length, page->room - page->length);
    text_add_json(&text, bytes);
    page->length += text_length(&text);
}
