/* SPDX-License-Identifier: BSD-2-Clause */
/* What tokens, header values, names, hosts and paths of a file may consist of. Characters and the
 * normal form of paths are those that requests are read with (http/). */
#include "config/read/reading.h"

#include "http/characters.h"
#include "http/uri.h"

#include <ctype.h>
#include <stdio.h>

#define NAME_MAX_BYTES 64
#define HOST_MAX_BYTES 253
#define LABEL_MAX_BYTES 63

/* Letters, digits and those of `others`, which are characters of tokens. */
static bool consists_of(struct bytes text, const char *others)
{
    for (size_t i = 0; i < text.length; i++) {
        if (!isalnum((unsigned char)text.at[i]) && strchr(others, text.at[i]) == NULL) {
            return false;
        }
    }
    return http_all_are(text, HTTP_CHAR_TOKEN);
}

bool config_is_token(struct bytes text)
{
    return http_all_are(text, HTTP_CHAR_TOKEN);
}

bool config_is_name(struct bytes text)
{
    return consists_of(text, "-_.") && text.length <= NAME_MAX_BYTES;
}

bool config_is_visible(struct bytes text)
{
    size_t i;

    for (i = 0; i < text.length; i++) {
        if (text.at[i] <= 0x20 || text.at[i] >= 0x7F) {
            return false;
        }
    }
    return text.length > 0;
}

bool config_is_field_value(struct bytes text)
{
    return text.length == 0 ||
           http_scan_value(text.at, text.at + text.length) == text.at + text.length;
}

/* Names in the wild hold '_' too. A last label of digits only would be a mistyped address. */
bool config_is_host_name(struct bytes text)
{
    struct bytes label = {text.at, 0};

    if (text.length == 0 || text.length > HOST_MAX_BYTES) {
        return false;
    }
    while (text.length > 0) {
        const char *dot = memchr(text.at, '.', text.length);

        label = (struct bytes){text.at, dot != NULL ? (size_t)(dot - text.at) : text.length};
        if (!consists_of(label, "-_") || label.length > LABEL_MAX_BYTES || label.at[0] == '-' ||
            label.at[label.length - 1] == '-' || (dot != NULL && label.length + 1 == text.length)) {
            return false;
        }
        text = bytes_skip(text, label.length + (dot != NULL ? 1 : 0));
    }
    return !http_all_are(label, HTTP_CHAR_DIGIT);
}

void config_to_lower(struct bytes text)
{
    bytes_lower((char *)(uintptr_t)text.at, text.length);
}

/* A path as a client would send it: what cannot stand in a request line is escaped. */
static bool escape(struct bytes path, char *out, size_t *length)
{
    *length = 0;
    for (size_t i = 0; i < path.length; i++) {
        unsigned char byte = (unsigned char)path.at[i];

        if (byte == '?' || byte == '#' || byte == 0) {
            return false;
        }
        if (byte <= 0x20 || byte >= 0x7F) {
            *length += (size_t)sprintf(out + *length, "%%%02X", byte);
        } else {
            out[(*length)++] = (char)byte;
        }
    }
    return true;
}

bool config_normal_path(struct bytes path, char *out, size_t *length)
{
    struct bytes normal;
    unsigned marks;

    if (!bytes_start_with(path, BYTES("/")) || !escape(path, out, length) ||
        !uri_normalise_path((struct bytes){out, *length}, out, &normal, &marks)) {
        return false;
    }
    *length = normal.length; /* in place: it is never longer */
    return true;
}

bool config_normal_form(struct reading *reading, struct bytes path, struct bytes *normal)
{
    char *room = arena_take(reading->scratch, path.length * 3 + 1);

    normal->at = room;
    return room != NULL && config_normal_path(path, room, &normal->length);
}

bool config_is_absolute(struct bytes text)
{
    return bytes_start_with(text, BYTES("/"));
}

bool config_is_request_path(struct bytes text)
{
    return config_is_absolute(text) && config_is_visible(text);
}

bool config_is_rewrite(struct bytes text)
{
    return config_is_request_path(text) && strpbrk(text.at, "?#") == NULL;
}
