/* SPDX-License-Identifier: BSD-2-Clause */
/* "K.ID.SINCE.UNTIL.MAC", all hexadecimal of fixed width, K being a letter of `letters`; the MAC is the
 * first half of an HMAC-SHA-256 over the room's name and what stands before it. */
#include "exchange/waiting/ticket.h"

#include "tls/tls_mac.h"

#include <stdio.h>

#define BODY_LENGTH (1 + 1 + 16 + 1 + 12 + 1 + 8)
#define MAC_LENGTH 32 /* digits */
#define MESSAGE_MAX 256

static const char letters[] = {
    [TICKET_WAITS] = 'w',
    [TICKET_FIRST] = 'f',
    [TICKET_IN] = 'a',
};

static bool sign(struct bytes body, struct bytes room, struct bytes key,
                 char digits[MAC_LENGTH + 1])
{
    unsigned char mac[TLS_MAC_BYTES];
    char message[MESSAGE_MAX];
    size_t length = (size_t)snprintf(message, sizeof(message), "turnpike waiting room %.*s/%.*s",
                                     (int)(room.length < 128 ? room.length : 128), room.at,
                                     (int)body.length, body.at);

    if (length >= sizeof(message) || !tls_mac_make(key, (struct bytes){message, length}, mac)) {
        return false;
    }
    for (int i = 0; i < MAC_LENGTH / 2; i++) {
        snprintf(digits + 2 * (size_t)i, 3, "%02x", mac[i]);
    }
    return true;
}

size_t ticket_write(const struct ticket *ticket, struct bytes room, struct bytes key,
                    char text[TICKET_TEXT_MAX])
{
    char digits[MAC_LENGTH + 1];
    int length =
        snprintf(text, TICKET_TEXT_MAX, "%c.%016llx.%012llx.%08x", letters[ticket->kind],
                 (unsigned long long)ticket->id,
                 (unsigned long long)(ticket->since_ms & 0xffffffffffff), ticket->good_until_s);

    if (length != BODY_LENGTH || !sign((struct bytes){text, BODY_LENGTH}, room, key, digits)) {
        return 0;
    }
    return (size_t)length +
           (size_t)snprintf(text + length, TICKET_TEXT_MAX - (size_t)length, ".%s", digits);
}

static bool read_number(struct bytes *text, size_t digits, uint64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < digits; i++) {
        char c = text->at[i];
        uint64_t digit = c >= '0' && c <= '9'   ? (uint64_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint64_t)(c - 'a' + 10)
                                                : 16;

        if (digit == 16) {
            return false;
        }
        *number = *number << 4 | digit;
    }
    *text = bytes_skip(*text, digits);
    if (text->length == 0 || text->at[0] != '.') {
        return false;
    }
    *text = bytes_skip(*text, 1);
    return true;
}

static bool is_signed(struct bytes text, struct bytes room, const struct bytes *keys,
                      uint32_t key_count)
{
    char digits[MAC_LENGTH + 1];

    for (uint32_t i = 0; i < key_count; i++) {
        if (sign(bytes_first(text, BODY_LENGTH), room, keys[i], digits) &&
            tls_mac_equal((const unsigned char *)digits,
                          (const unsigned char *)text.at + BODY_LENGTH + 1, MAC_LENGTH)) {
            return true;
        }
    }
    return false;
}

bool ticket_read(struct bytes text, struct bytes room, const struct bytes *keys, uint32_t key_count,
                 struct ticket *ticket)
{
    struct bytes rest = text;
    uint64_t until = 0;
    const char *letter;

    if (text.length != BODY_LENGTH + 1 + MAC_LENGTH || text.at[1] != '.' ||
        (letter = memchr(letters, text.at[0], sizeof(letters))) == NULL) {
        return false;
    }
    ticket->kind = (enum ticket_kind)(letter - letters);
    rest = bytes_skip(rest, 2);
    if (!read_number(&rest, 16, &ticket->id) || !read_number(&rest, 12, &ticket->since_ms) ||
        !read_number(&rest, 8, &until) || ticket->id == 0) {
        return false;
    }
    ticket->good_until_s = (uint32_t)until;
    return is_signed(text, room, keys, key_count);
}
