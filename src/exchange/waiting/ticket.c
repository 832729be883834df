/* SPDX-License-Identifier: BSD-2-Clause */
/* "K.ID.SINCE.UNTIL.MAC", all hexadecimal of fixed width, K being a letter of `letters`; the MAC is the
 * first half of an HMAC-SHA-256 over the room's name and what stands before it. */
#include "exchange/waiting/ticket.h"

#include "base/text.h"
#include "tls/tls_mac.h"

#define BODY_LENGTH (1 + 1 + 16 + 1 + 12 + 1 + 8)
#define MAC_LENGTH 32 /* digits */
#define MESSAGE_MAX 256

static const char letters[] = {
    [TICKET_WAITS] = 'w',
    [TICKET_FIRST] = 'f',
    [TICKET_IN] = 'a',
};

/* Each refusal of a room writes one: printf would take longer than the rest of the answer. */
static void add_hex(struct text *text, uint64_t number, unsigned digits)
{
    for (unsigned i = digits; i > 0; i--) {
        text_add_char(text, "0123456789abcdef"[number >> 4 * (i - 1) & 15]);
    }
}

static bool sign(struct tls_mac_maker *maker, struct bytes body, struct bytes room,
                 struct bytes key, char digits[MAC_LENGTH])
{
    unsigned char mac[TLS_MAC_BYTES];
    char message[MESSAGE_MAX];
    struct text text = text_over(message, sizeof(message));
    struct text signature = text_over(digits, MAC_LENGTH);

    text_add_literal(&text, "turnpike waiting room ");
    text_add_bytes(&text, bytes_first(room, room.length < 128 ? room.length : 128));
    text_add_char(&text, '/');
    text_add_bytes(&text, body);
    if (text.overflowed || !tls_mac_make(maker, key, text_since(&text, message), mac)) {
        return false;
    }
    for (int i = 0; i < MAC_LENGTH / 2; i++) {
        add_hex(&signature, mac[i], 2);
    }
    return true;
}

size_t ticket_write(struct tls_mac_maker *maker, const struct ticket *ticket, struct bytes room,
                    struct bytes key, char text[TICKET_TEXT_MAX])
{
    struct text body = text_over(text, TICKET_TEXT_MAX);

    text_add_char(&body, letters[ticket->kind]);
    text_add_char(&body, '.');
    add_hex(&body, ticket->id, 16);
    text_add_char(&body, '.');
    add_hex(&body, ticket->since_ms, 12);
    text_add_char(&body, '.');
    add_hex(&body, ticket->good_until_s, 8);
    text_add_char(&body, '.');
    return sign(maker, (struct bytes){text, BODY_LENGTH}, room, key, body.at)
               ? BODY_LENGTH + 1 + MAC_LENGTH
               : 0;
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

static bool is_signed(struct tls_mac_maker *maker, struct bytes text, struct bytes room,
                      const struct bytes *keys, uint32_t key_count)
{
    char digits[MAC_LENGTH];

    for (uint32_t i = 0; i < key_count; i++) {
        if (sign(maker, bytes_first(text, BODY_LENGTH), room, keys[i], digits) &&
            tls_mac_equal((const unsigned char *)digits,
                          (const unsigned char *)text.at + BODY_LENGTH + 1, MAC_LENGTH)) {
            return true;
        }
    }
    return false;
}

bool ticket_read(struct tls_mac_maker *maker, struct bytes text, struct bytes room,
                 const struct bytes *keys, uint32_t key_count, struct ticket *ticket)
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
    return is_signed(maker, text, room, keys, key_count);
}
