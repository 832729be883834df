/* SPDX-License-Identifier: BSD-2-Clause */
/* What few fields of a line need: numbers of many digits, texts with escapes or too long. Apart, so
 * that the ways that most fields go save no registers for them. */
#include "observe/access_append.h"

char *append_large_number(char *at, uint64_t number)
{
    struct text text = text_over(at, TEXT_NUMBER_MAX);

    text_add_number(&text, number);
    return text.at;
}

char *append_json_slowly(char *at, struct bytes bytes, size_t most)
{
    struct text text = text_over(at, most);

    text_add_json_cut(&text, bytes, most);
    return text.at;
}
