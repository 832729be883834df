/* SPDX-License-Identifier: BSD-2-Clause */
/* "K.ID.SINCE.UNTIL.MAC", all hexadecimal of fixed width, K being a letter of `letters`; the MAC is the
 * first half of an HMAC-SHA-256 over what stands before it, by a key of the room's own. The room's name
 * in the message would take SHA-256 another block, for each refusal of a room.
 *
 * A lot is an HMAC of "lot" and the ticket's number, by the same key: a ticket never begins so. The client
 * cannot compute it, and gateways with one key deal the same without telling each other. */
#include "exchange/waiting/ticket.h"

#include "base/hex.h"
#include "base/text.h"
#include "tls/tls_mac.h"

#include <endian.h>
#include <string.h>

#define BODY_LENGTH (1 + 1 + 16 + 1 + 12 + 1 + 8)
#define MAC_LENGTH HEX_DIGITS
#define PURPOSE_MAX 160
#define LOT_WORD "lot "
#define LOT_LENGTH (sizeof(LOT_WORD) - 1 + HEX_DIGITS)

#define SURPLUS_LETTER 's' /* of one who waits */

static const char letters[] = {
    [TICKET_WAITS] = 'w',
    [TICKET_FIRST] = 'f',
    [TICKET_IN] = 'a',
};

static char letter_of(const struct ticket *ticket)
{
    return ticket->kind == TICKET_WAITS && ticket->surplus ? SURPLUS_LETTER : letters[ticket->kind];
}

static bool read_letter(char letter, struct ticket *ticket)
{
    const char *at = memchr(letters, letter, sizeof(letters));

    ticket->surplus = letter == SURPLUS_LETTER;
    ticket->kind = at != NULL ? (enum ticket_kind)(at - letters) : TICKET_WAITS;
    return at != NULL || ticket->surplus;
}

static bool make_mac(struct tls_mac_maker *maker, struct bytes message, struct bytes room,
                     struct bytes key, uint64_t halves[2])
{
    unsigned char mac[TLS_MAC_BYTES];
    char label[PURPOSE_MAX];
    struct text purpose = text_over(label, sizeof(label));

    text_add_literal(&purpose, "turnpike waiting room ");
    text_add_bytes(&purpose, bytes_first(room, room.length < 128 ? room.length : 128));
    if (!tls_mac_make(maker, key, text_since(&purpose, label), message, mac)) {
        return false;
    }
    memcpy(halves, mac, 2 * sizeof(*halves));
    halves[0] = be64toh(halves[0]);
    halves[1] = be64toh(halves[1]);
    return true;
}

static bool sign(struct tls_mac_maker *maker, struct bytes body, struct bytes room,
                 struct bytes key, char digits[MAC_LENGTH])
{
    uint64_t halves[2];

    if (!make_mac(maker, body, room, key, halves)) {
        return false;
    }
    hex_put(digits, halves[0], halves[1]);
    return true;
}

bool ticket_deal(struct tls_mac_maker *maker, const struct ticket *ticket, uint64_t opens_ms,
                 struct bytes room, struct bytes key, uint64_t *lot)
{
    char text[LOT_LENGTH] = LOT_WORD;
    uint64_t halves[2];

    hex_put(text + sizeof(LOT_WORD) - 1, ticket->id, opens_ms);
    if (!make_mac(maker, (struct bytes){text, sizeof(text)}, room, key, halves)) {
        return false;
    }
    *lot = halves[0];
    return true;
}

size_t ticket_write(struct tls_mac_maker *maker, const struct ticket *ticket, struct bytes room,
                    struct bytes key, char text[TICKET_TEXT_MAX])
{
    char digits[HEX_DIGITS];

    text[0] = letter_of(ticket);
    text[1] = '.';
    hex_put(digits, ticket->id, ticket->since_ms << 16);
    memcpy(text + 2, digits, 16);
    text[18] = '.';
    memcpy(text + 19, digits + 16, 12);
    text[31] = '.';
    hex_put(digits, (uint64_t)ticket->good_until_s << 32, 0);
    memcpy(text + 32, digits, 8);
    text[BODY_LENGTH] = '.';
    return sign(maker, (struct bytes){text, BODY_LENGTH}, room, key, text + BODY_LENGTH + 1)
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

    if (text.length != BODY_LENGTH + 1 + MAC_LENGTH || text.at[1] != '.' ||
        !read_letter(text.at[0], ticket)) {
        return false;
    }
    rest = bytes_skip(rest, 2);
    if (!read_number(&rest, 16, &ticket->id) || !read_number(&rest, 12, &ticket->since_ms) ||
        !read_number(&rest, 8, &until) || ticket->id == 0) {
        return false;
    }
    ticket->good_until_s = (uint32_t)until;
    return is_signed(maker, text, room, keys, key_count);
}
