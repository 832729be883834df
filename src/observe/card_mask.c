/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds runs of digits that look like payment cards. Most texts have none, and that is found
 * out by looking at every thirteenth byte: a run of thirteen digits covers one of them. */
#include "observe/card_mask.h"

#include "base/text.h"

#define CARD_DIGITS_LEAST CARD_LENGTH_LEAST
#define CARD_DIGITS_MOST 19
#define SHOWN_FIRST 6
#define SHOWN_LAST 4

struct run {
    size_t length; /* in the text, escapes included */
    size_t count;  /* of digits; counting stops after CARD_DIGITS_MOST + 1 */
    char digits[CARD_DIGITS_MOST + 1];
};

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
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

/* The length of the run of plain digits around position `at`, which holds one; *end is behind. */
static size_t run_around(struct bytes text, size_t at, size_t *end)
{
    size_t start = at;

    while (start > 0 && is_digit(text.at[start - 1])) {
        start--;
    }
    *end = at + 1;
    while (*end < text.length && is_digit(text.at[*end])) {
        *end += 1;
    }
    return *end - start;
}

static bool has_encoded_digit(struct bytes text)
{
    const char *percent;
    char digit;

    while (text.length > 0 && (percent = memchr(text.at, '%', text.length)) != NULL) {
        text = bytes_skip(text, (size_t)(percent - text.at));
        if (digit_at(text, &digit) > 0) {
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
        if (is_digit(text.at[i])) {
            if (run_around(text, i, &end) >= CARD_DIGITS_LEAST) {
                return true;
            }
            i = end;
        }
    }
    return text.length >= CARD_DIGITS_LEAST && has_encoded_digit(text);
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

        if (is_card(&run)) {
            add_card(&out, &run);
        } else {
            run.length += run.length == 0;
            add_cut(&out, bytes_first(text, run.length));
        }
        text = bytes_skip(text, run.length);
    }
    return (struct bytes){scratch, text_length(&out)};
}
