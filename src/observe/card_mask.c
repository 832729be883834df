/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds runs of digits that look like payment cards, in one piece or in groups as on the card. Most
 * texts have none, and that is found out by looking at every thirteenth byte: thirteen digits, with
 * what stands between them, cover one of them. */
#include "observe/card_mask.h"

#include "base/text.h"

#define CARD_DIGITS_LEAST CARD_LENGTH_LEAST
#define CARD_DIGITS_MOST 19
#define SHOWN_FIRST 6
#define SHOWN_LAST 4
#define GROUPS_MOST 5

struct run {
    size_t length; /* in the text, escapes included */
    size_t count;  /* of digits; counting stops after CARD_DIGITS_MOST + 1 */
    char digits[CARD_DIGITS_MOST + 1];
};

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* Between two groups of digits. */
static bool is_separator(char byte)
{
    return byte == ' ' || byte == '-' || byte == '+' || byte == '.' || byte == '_';
}

static unsigned hex_value(char digit)
{
    return is_digit(digit) ? (unsigned)(digit - '0') : ((unsigned)digit | 0x20u) - 'a' + 10;
}

/* The length of the separator at the start of `text`, as it is or percent-encoded; 0: none. */
static size_t separator_at(struct bytes text)
{
    if (text.length > 0 && is_separator(text.at[0])) {
        return 1;
    }
    if (text.length >= 3 && text.at[0] == '%' && (text.at[1] == '2' || text.at[1] == '5') &&
        is_separator((char)(hex_value(text.at[1]) << 4 | (hex_value(text.at[2]) & 0xfu)))) {
        return 3;
    }
    return 0;
}

/* The digit at the start of `text`, as it is or as "%30" to "%39"; its length, 0 for none. */
static size_t digit_at(struct bytes text, char *digit)
{
    if (text.length > 0 && is_digit(text.at[0])) {
        *digit = text.at[0];
        return 1;
    }
    if (text.length >= 3 && text.at[0] == '%' && text.at[1] == '3' && is_digit(text.at[2])) {
        *digit = text.at[2];
        return 3;
    }
    return 0;
}

static struct run run_at(struct bytes text)
{
    struct run run = {.length = 0, .count = 0};
    char digit = 0;
    size_t used;

    while ((used = digit_at(bytes_skip(text, run.length), &digit)) > 0) {
        if (run.count < sizeof(run.digits)) {
            run.digits[run.count++] = digit;
        }
        run.length += used;
    }
    return run;
}

/* ISO/IEC 7812-1 annex B: from the right every second digit counts twice. */
static bool passes_luhn(const char *digits, size_t count)
{
    unsigned sum = 0;

    for (size_t i = 0; i < count; i++) {
        unsigned digit = (unsigned)(digits[count - 1 - i] - '0');

        if (i % 2 == 1) {
            digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
        }
        sum += digit;
    }
    return sum % 10 == 0;
}

static bool is_card(const struct run *run)
{
    return run->count >= CARD_DIGITS_LEAST && run->count <= CARD_DIGITS_MOST &&
           passes_luhn(run->digits, run->count);
}

/* Groups as cards have them: 4-4-4-4, with a shorter or longer last one, 4-6-5 and 4-6-4. Others are
 * numbers of another kind, such as those within a UUID. */
static bool is_grouping(const size_t *sizes, size_t count)
{
    if (count < 3 || sizes[0] != 4) {
        return false;
    }
    if (sizes[1] == 6) {
        return count == 3 && (sizes[2] == 4 || sizes[2] == 5);
    }
    return sizes[1] == 4 && sizes[2] == 4 && (count == 4 || (count == 5 && sizes[3] == 4));
}

/* The next group of digits, with the separator before it; false: there is none that belongs to a card. */
static bool add_group(struct run *card, struct bytes text, size_t gap, size_t *size)
{
    struct run group = run_at(bytes_skip(text, card->length + gap));

    if (group.count == 0 || card->count + group.count > CARD_DIGITS_MOST) {
        return false;
    }
    memcpy(card->digits + card->count, group.digits, group.count);
    card->count += group.count;
    card->length += gap + group.length;
    *size = group.count;
    return true;
}

/* The longest card in groups at the start of `text`; of length 0: none. */
static struct run grouped_card_at(struct bytes text)
{
    struct run card = {.length = 0, .count = 0};
    struct run groups = {.length = 0, .count = 0};
    size_t sizes[GROUPS_MOST];
    size_t gap = 0;

    for (size_t count = 0; count < GROUPS_MOST; count++) {
        if ((count > 0 && gap == 0) || !add_group(&groups, text, gap, &sizes[count])) {
            break;
        }
        if (is_grouping(sizes, count + 1) && is_card(&groups)) {
            card = groups;
        }
        gap = separator_at(bytes_skip(text, groups.length));
    }
    return card;
}

/* How many plain digits there are around position `at`, separators between them; *end is behind. */
static size_t digits_around(struct bytes text, size_t at, size_t *end)
{
    size_t start = at;
    size_t count = 0;

    while (start > 0 && (is_digit(text.at[start - 1]) || is_separator(text.at[start - 1]))) {
        start--;
    }
    for (*end = start; *end < text.length; *end += 1) {
        if (is_digit(text.at[*end])) {
            count++;
        } else if (!is_separator(text.at[*end])) {
            break;
        }
    }
    return count;
}

static bool has_encoded_part(struct bytes text)
{
    const char *percent;
    char digit;

    while (text.length > 0 && (percent = memchr(text.at, '%', text.length)) != NULL) {
        text = bytes_skip(text, (size_t)(percent - text.at));
        if (digit_at(text, &digit) > 0 || separator_at(text) > 0) {
            return true;
        }
        text = bytes_skip(text, 1);
    }
    return false;
}

static bool may_hold_card(struct bytes text)
{
    size_t end;

    for (size_t i = CARD_DIGITS_LEAST - 1; i < text.length; i += CARD_DIGITS_LEAST) {
        if (is_digit(text.at[i]) || is_separator(text.at[i])) {
            if (digits_around(text, i, &end) >= CARD_DIGITS_LEAST) {
                return true;
            }
            i = end;
        }
    }
    return text.length >= CARD_DIGITS_LEAST && has_encoded_part(text);
}

static void add_cut(struct text *out, struct bytes bytes)
{
    size_t room = (size_t)(out->limit - out->at);

    text_add_bytes(out, bytes.length < room ? bytes : bytes_first(bytes, room));
}

static void add_card(struct text *out, const struct run *run)
{
    add_cut(out, (struct bytes){run->digits, SHOWN_FIRST});
    add_cut(out, BYTES("*"));
    add_cut(out, (struct bytes){run->digits + run->count - SHOWN_LAST, SHOWN_LAST});
}

struct bytes card_mask(struct bytes text, size_t most, char *scratch)
{
    struct text out = text_over(scratch, most);

    if (text.length <= most && !may_hold_card(text)) {
        return text;
    }
    /* Masked before cut: the beginning of a card that the cut splits would not pass the check. */
    while (text.length > 0 && out.at < out.limit) {
        struct run run = run_at(text);
        struct run card = is_card(&run) ? run : grouped_card_at(text);

        if (card.length > 0) {
            add_card(&out, &card);
            run.length = card.length;
        } else {
            run.length += run.length == 0;
            add_cut(&out, bytes_first(text, run.length));
        }
        text = bytes_skip(text, run.length);
    }
    return (struct bytes){scratch, text_length(&out)};
}
