/* SPDX-License-Identifier: BSD-2-Clause */
/* UTF-8 (RFC 3629), with the place of what is wrong. libyaml would find most of this too,
 * but without a place, and it takes U+0085, U+2028 and U+2029 for line breaks: what looks
 * like a comment could then hold options. */
#include "config/yaml/source_check.h"

#include "base/text.h"

#define BYTE_ORDER_MARK 0xFEFF
#define NOT_UTF8 UINT32_MAX

/* Takes one character off *rest, or returns NOT_UTF8. */
static uint32_t take_character(struct bytes *rest)
{
    static const unsigned char lead_bits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    size_t length = (unsigned char)rest->at[0] < 0x80 ? 1 : text_utf8_length(*rest);
    uint32_t character = (unsigned char)rest->at[0] & lead_bits[length];

    for (size_t i = 1; i < length; i++) {
        character = character << 6 | ((unsigned char)rest->at[i] & 0x3F);
    }
    *rest = bytes_skip(*rest, length);
    return length > 0 ? character : NOT_UTF8;
}

/* Why a character must not stand in a file, or NULL. */
static const char *objection(uint32_t character)
{
    if (character == 0x85 || character == 0x2028 || character == 0x2029) {
        return "a line break that editors do not show; end lines with LF";
    }
    if ((character < 0x20 && character != '\t' && character != '\n' && character != '\r') ||
        (character >= 0x7F && character < 0xA0)) {
        return "a control character; write it as an escape in double quotes";
    }
    if (character == BYTE_ORDER_MARK || character == 0xFFFE || character == 0xFFFF) {
        return "not a character of text";
    }
    return NULL;
}

static void move_over(struct mark *mark, uint32_t character, struct bytes rest)
{
    if (character == '\n' || (character == '\r' && (rest.length == 0 || rest.at[0] != '\n'))) {
        mark->line++;
        mark->column = 1;
    } else {
        mark->column++;
    }
}

bool config_source_check(struct bytes *source, struct config_errors *errors)
{
    struct mark mark = {1, 1};
    struct bytes rest;

    if (source->length > SOURCE_BYTES_MAX) {
        config_errors_add(errors, (struct mark){0, 0}, "the file is larger than 16 MiB");
        return false;
    }
    if (bytes_start_with(*source, BYTES("\xEF\xBB\xBF"))) {
        *source = bytes_skip(*source, 3);
    }
    rest = *source;
    while (rest.length > 0) {
        unsigned char byte = (unsigned char)rest.at[0];
        uint32_t character = take_character(&rest);
        const char *what;

        if (character == NOT_UTF8) {
            config_errors_add(errors, mark, "the file is not valid UTF-8 here (byte 0x%02X)", byte);
            return false;
        }
        what = objection(character);
        if (what != NULL) {
            config_errors_add(errors, mark, "U+%04X is not allowed here: %s", character, what);
            return false;
        }
        move_over(&mark, character, rest);
    }
    return true;
}
