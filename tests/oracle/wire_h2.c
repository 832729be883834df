/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP/2 as both ends of the oracle speak it: small windows, padding, frames and writes of odd sizes. */
#include "oracle_h2.h"

#include <stdlib.h>
#include <string.h>

void pairs_add(struct pairs *pairs, const char *name, const char *value, size_t length)
{
    pairs->rows[pairs->count++] =
        (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), length, 0};
}

void pairs_add_section(struct pairs *pairs, const struct section *section)
{
    for (unsigned i = 0; i < section->count; i++) {
        char *name = pairs->names[i];

        for (size_t k = 0; k < sizeof(pairs->names[i]); k++) {
            char byte = section->rows[i].name[k];

            name[k] = (char)(byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte);
        }
        pairs_add(pairs, name, section->rows[i].value, section->rows[i].length);
    }
}

ssize_t padded(const nghttp2_frame *frame, size_t most, uint64_t *random)
{
    size_t length = frame->hd.length;

    if (random_chance(random, 1000)) {
        length += random_below(random, 200);
    }
    return (ssize_t)(length < most ? length : most);
}

size_t length_of_frame(size_t most, size_t left, uint64_t *random)
{
    size_t wanted = most;

    if (random_chance(random, 5000)) {
        wanted = 1 + random_below(random, random_chance(random, 5000) ? (uint32_t)most : 20);
    }
    wanted = wanted < most ? wanted : most;
    return wanted < left ? wanted : left;
}

void pump_frames(nghttp2_session *session, struct wire *wire, uint64_t *random)
{
    const uint8_t *bytes;
    ssize_t length;

    while ((length = nghttp2_session_mem_send(session, &bytes)) > 0) {
        pile_add(&wire->out, bytes, (size_t)length);
    }
    if (length < 0) {
        ledger_fault(NULL, 0, "the library does not write: %s", nghttp2_strerror((int)length));
    }
    length = (ssize_t)pile_length(&wire->out);
    wire->piece = random_chance(random, 5000)
                      ? UINT32_MAX
                      : 1 + (uint32_t)length / (1 + random_below(random, 20));
    wire_send(wire);
}

void submit_random_settings(nghttp2_session *session, uint64_t *random, nghttp2_settings_entry more)
{
    static const uint32_t windows[] = {500, 5000, 65535, 65535, 1u << 20};
    const nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, windows[random_below(random, 5)]},
        {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, random_below(random, 3) * 4096},
        more,
    };

    if (nghttp2_submit_settings(session, 0, entries, 3) != 0) {
        abort();
    }
}
