/* SPDX-License-Identifier: BSD-2-Clause */
/* A configuration of several files as one text: the main file, then each included file behind a
 * line that names it. The text is what a reload compares, what the last good configuration keeps
 * and what a new binary takes over, so all of them have the included files too. Made by
 * config/yaml/source_files, taken apart by config/load and config/errors. */
#ifndef CONFIG_PARTS_H
#define CONFIG_PARTS_H

#include "base/bytes.h"

/* The line between two parts, before the path and the line's end. YAML allows no such line within
 * a document, not even in a block of text, so a part cannot hold one by accident. */
#define CONFIG_PART_LINE "--- # included file: "

struct config_part {
    struct bytes path;     /* empty: the main file */
    struct bytes text;     /* view into the whole text */
    uint32_t lines_before; /* in the whole text, before the first line of this part */
};

/* Where the walk over the parts stands; begins as {.rest = the whole text}. */
struct config_part_walk {
    struct bytes rest;
    uint32_t lines;
    bool is_behind_main;
};

/* Takes the next part; false behind the last one. Linear over the whole walk. */
bool config_next_part(struct config_part_walk *walk, struct config_part *part);
/* Takes the next line off *rest, without its end: CR, LF or CRLF. */
struct bytes config_next_line(struct bytes *rest);
/* Bytes of the first `count` characters of a line, or of all of it. */
size_t config_characters(struct bytes line, size_t count);

#endif
