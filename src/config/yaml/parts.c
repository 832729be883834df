/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines and parts of a configuration's text; config/yaml/parts.h says what a part is. */
#include "config/yaml/parts.h"

#include "base/text.h"

#include <string.h>

/* CR, LF and CRLF end lines, as they do for libyaml; its other line breaks never get this far
 * (config/source_check). */
struct bytes config_next_line(struct bytes *rest)
{
    struct bytes line = {rest->at, 0};

    while (line.length < rest->length && rest->at[line.length] != '\n' &&
           rest->at[line.length] != '\r') {
        line.length++;
    }
    *rest = bytes_skip(*rest, line.length);
    if (rest->length > 1 && rest->at[0] == '\r' && rest->at[1] == '\n') {
        *rest = bytes_skip(*rest, 2);
    } else if (rest->length > 0) {
        *rest = bytes_skip(*rest, 1);
    }
    return line;
}

size_t config_characters(struct bytes line, size_t count)
{
    size_t at = 0;

    while (at < line.length && count > 0) {
        at++;
        while (at < line.length && text_byte_continues(line.at[at])) {
            at++;
        }
        count--;
    }
    return at;
}

static bool is_part_line(struct bytes rest)
{
    return bytes_start_with(rest, BYTES(CONFIG_PART_LINE));
}

bool config_next_part(struct config_part_walk *walk, struct config_part *part)
{
    const char *begin;

    part->path = (struct bytes){0};
    if (walk->is_behind_main) {
        if (walk->rest.length == 0) {
            return false;
        }
        part->path = bytes_skip(config_next_line(&walk->rest), sizeof(CONFIG_PART_LINE) - 1);
        walk->lines++;
    }
    walk->is_behind_main = true;
    part->lines_before = walk->lines;
    begin = walk->rest.at;
    while (walk->rest.length > 0 && !is_part_line(walk->rest)) {
        config_next_line(&walk->rest);
        walk->lines++;
    }
    part->text = (struct bytes){begin, (size_t)(walk->rest.at - begin)};
    return true;
}
