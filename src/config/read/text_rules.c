/* SPDX-License-Identifier: BSD-2-Clause */
/* What tokens, header values, names, hosts and paths may consist of. Config stands below
 * http/, so it has its own few lines for a path's normal form; they only compare, they
 * never change what a route says. */
#include "config/read/reading.h"

#include <ctype.h>

#define NAME_MAX_BYTES 64
#define HOST_MAX_BYTES 253
#define LABEL_MAX_BYTES 63

static bool is_alphanumeric(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9');
}

static bool is_one_of(char byte, const char *set)
{
    return byte != '\0' && strchr(set, byte) != NULL;
}

static bool consists_of(struct bytes text, const char *besides_alphanumeric)
{
    size_t i;

    for (i = 0; i < text.length; i++) {
        if (!is_alphanumeric(text.at[i]) && !is_one_of(text.at[i], besides_alphanumeric)) {
            return false;
        }
    }
    return text.length > 0;
}

bool config_is_token(struct bytes text)
{
    return consists_of(text, "!#$%&'*+-.^_`|~");
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
    size_t i;

    for (i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.at[i];

        if ((byte < 0x20 && byte != '\t') || byte == 0x7F) {
            return false;
        }
    }
    return true;
}

static bool is_all_digits(struct bytes text)
{
    size_t i;

    for (i = 0; i < text.length; i++) {
        if (text.at[i] < '0' || text.at[i] > '9') {
            return false;
        }
    }
    return true;
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
    return !is_all_digits(label);
}

void config_to_lower(struct bytes text)
{
    char *at = (char *)(uintptr_t)text.at;
    size_t i;

    for (i = 0; i < text.length; i++) {
        at[i] = (char)tolower((unsigned char)at[i]);
    }
}

static int hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static size_t put_escape(char *out, unsigned char byte)
{
    static const char digits[] = "0123456789ABCDEF";

    out[0] = '%';
    out[1] = digits[byte >> 4];
    out[2] = digits[byte & 15];
    return 3;
}

/* Escapes: those of unreserved characters decoded, others in upper case, and what cannot stand
 * in a request line escaped. */
static bool normal_escapes(struct bytes path, char *out, size_t *length)
{
    size_t i;

    *length = 0;
    for (i = 0; i < path.length; i++) {
        unsigned char byte = (unsigned char)path.at[i];

        if (byte == '%') {
            int high = i + 2 < path.length ? hex_digit(path.at[i + 1]) : -1;
            int low = i + 2 < path.length ? hex_digit(path.at[i + 2]) : -1;

            if (high < 0 || low < 0 || high + low == 0) {
                return false;
            }
            byte = (unsigned char)(high * 16 + low);
            i += 2;
            if (!is_alphanumeric((char)byte) && !is_one_of((char)byte, "-._~")) {
                *length += put_escape(out + *length, byte);
                continue;
            }
        } else if (byte == '?' || byte == '#' || byte == 0) {
            return false;
        }
        if (byte <= 0x20 || byte >= 0x7F) {
            *length += put_escape(out + *length, byte);
        } else {
            out[(*length)++] = (char)byte;
        }
    }
    return true;
}

/* Removes the last segment, leaving the '/' before it. */
static size_t one_up(const char *out, size_t length)
{
    do {
        length--;
    } while (out[length - 1] != '/');
    return length;
}

/* "." and ".." segments, and runs of '/', in place; the path starts with '/'. */
static bool normal_segments(char *out, size_t *length)
{
    size_t end = *length;
    size_t from = 1;
    size_t to = 1;

    while (from < end) {
        const char *slash = memchr(out + from, '/', end - from);
        size_t size = slash != NULL ? (size_t)(slash - (out + from)) : end - from;
        struct bytes segment = {out + from, size};

        from += size + (slash != NULL ? 1 : 0);
        if (bytes_equal(segment, BYTES(".."))) {
            if (to == 1) {
                return false;
            }
            to = one_up(out, to);
        } else if (size > 0 && !bytes_equal(segment, BYTES("."))) {
            memmove(out + to, segment.at, size);
            to += size;
            if (slash != NULL) {
                out[to++] = '/';
            }
        }
    }
    *length = to;
    return true;
}

bool config_normal_path(struct bytes path, char *out, size_t *length)
{
    return path.length > 0 && path.at[0] == '/' && normal_escapes(path, out, length) &&
           normal_segments(out, length);
}
