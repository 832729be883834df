/* SPDX-License-Identifier: BSD-2-Clause */
/* UTF-8 (RFC 3629), with the place of what is wrong. libyaml would find most of this too,
 * but without a place, and it takes U+0085, U+2028 and U+2029 for line breaks: what looks
 * like a comment could then hold options. */
#include "config/yaml/source_check.h"

#define BYTE_ORDER_MARK 0xFEFF
#define NOT_UTF8 UINT32_MAX

struct utf8_form {
    unsigned char mask;
    unsigned char lead;
    unsigned char length;
    uint32_t least; /* smaller ones have a shorter form: overlong */
};

static const struct utf8_form forms[] = {
    {0x80, 0x00, 1, 0},
    {0xE0, 0xC0, 2, 0x80},
    {0xF0, 0xE0, 3, 0x800},
    {0xF8, 0xF0, 4, 0x10000},
};

static const struct utf8_form *form_of(unsigned char first)
{
    size_t i;

    for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if ((first & forms[i].mask) == forms[i].lead) {
            return &forms[i];
        }
    }
    return NULL;
}

/* Takes one character off *rest, or returns NOT_UTF8. */
static uint32_t take_character(struct bytes *rest)
{
    const struct utf8_form *form = form_of((unsigned char)rest->at[0]);
    uint32_t character;
    size_t i;

    if (form == NULL || form->length > rest->length) {
        return NOT_UTF8;
    }
    character = (unsigned char)rest->at[0] & (unsigned char)~form->mask;
    for (i = 1; i < form->length; i++) {
        if (((unsigned char)rest->at[i] & 0xC0) != 0x80) {
            return NOT_UTF8;
        }
        character = character << 6 | ((unsigned char)rest->at[i] & 0x3F);
    }
    if (character < form->least || character > 0x10FFFF ||
        (character >= 0xD800 && character <= 0xDFFF)) {
        return NOT_UTF8;
    }
    *rest = bytes_skip(*rest, form->length);
    return character;
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
