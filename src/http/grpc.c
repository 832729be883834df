/* SPDX-License-Identifier: BSD-2-Clause */
/* Texts of gRPC, read and written. */
#include "http/grpc.h"

#define TIMEOUT_DIGITS_MAX 8

static const char *const names[] = {
#define ROW(name) #name,
    GRPC_STATUS_TABLE(ROW)
#undef ROW
        "none",
};

const char *grpc_status_name(enum grpc_status status)
{
    return names[status];
}

enum grpc_status grpc_status_read(struct bytes value)
{
    uint32_t number;

    return bytes_read_decimal(value, 9, &number) && number < GRPC_NO_STATUS
               ? (enum grpc_status)number
               : GRPC_UNKNOWN;
}

bool grpc_status_named(struct bytes name, enum grpc_status *status)
{
    for (int i = 0; i < GRPC_NO_STATUS; i++) {
        if (bytes_equal(name, bytes_of(names[i]))) {
            *status = (enum grpc_status)i;
            return true;
        }
    }
    return false;
}

bool grpc_is_content_type(struct bytes value)
{
    static const struct bytes type = {"application/grpc", 16};

    return value.length >= type.length && bytes_equal_fold(bytes_first(value, type.length), type) &&
           (value.length == type.length || strchr("+; \t", value.at[type.length]) != NULL);
}

bool grpc_is_rpc_content_type(struct bytes value)
{
    return bytes_start_with(value, BYTES("application/grpc")) ||
           bytes_start_with(value, BYTES("application/connect+"));
}

void grpc_add_message(struct text *text, struct bytes message)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < message.length; i++) {
        unsigned char byte = (unsigned char)message.at[i];

        if (byte >= 0x20 && byte <= 0x7E && byte != '%') {
            text_add_char(text, (char)byte);
        } else {
            text_add_char(text, '%');
            text_add_char(text, digits[byte >> 4]);
            text_add_char(text, digits[byte & 15]);
        }
    }
}

/* --- timeouts ---------------------------------------------------------------------------- */

/* How many nanoseconds a unit has; 0: there is no such unit. */
static uint64_t unit_ns(char unit)
{
    switch (unit) {
    case 'n':
        return 1;
    case 'u':
        return 1000;
    case 'm':
        return 1000000;
    case 'S':
        return 1000000000;
    case 'M':
        return UINT64_C(60000000000);
    case 'H':
        return UINT64_C(3600000000000);
    default:
        return 0;
    }
}

bool grpc_timeout_read(struct bytes value, uint32_t *milliseconds)
{
    uint32_t number;
    uint64_t unit;
    uint64_t sum;

    if (value.length < 2 ||
        !bytes_read_decimal(bytes_first(value, value.length - 1), TIMEOUT_DIGITS_MAX, &number)) {
        return false;
    }
    unit = unit_ns(value.at[value.length - 1]);
    if (unit == 0) {
        return false;
    }
    if (unit >= 1000000) {
        sum = number * (unit / 1000000);
    } else {
        sum = (number * unit + 999999) / 1000000;
    }
    *milliseconds = sum < GRPC_TIMEOUT_MOST_MS ? (uint32_t)sum : GRPC_TIMEOUT_MOST_MS;
    return true;
}

void grpc_timeout_add(struct text *text, uint32_t milliseconds)
{
    text_add_number(text,
                    milliseconds < GRPC_TIMEOUT_MOST_MS ? milliseconds : GRPC_TIMEOUT_MOST_MS);
    text_add_char(text, 'm');
}
