/* SPDX-License-Identifier: BSD-2-Clause */
/* "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01": version, trace id, span id, flags. */
#include "http/trace_context.h"

#define TRACE_AT 3
#define SPAN_AT (TRACE_AT + TRACE_ID_LENGTH + 1)
#define FLAGS_AT (SPAN_AT + SPAN_ID_LENGTH + 1)

static const char digits[] = "0123456789abcdef";

/* Upper case is not well-formed. */
static bool is_digit(char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
}

static bool are_digits(const char *at, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_digit(at[i])) {
            return false;
        }
    }
    return true;
}

static bool is_id(const char *at, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (at[i] != '0') {
            return are_digits(at, length);
        }
    }
    return false;
}

static bool has_known_end(struct bytes value)
{
    bool is_first_version = value.at[0] == '0' && value.at[1] == '0';

    return value.length == TRACEPARENT_LENGTH ||
           (!is_first_version && value.at[TRACEPARENT_LENGTH] == '-');
}

bool trace_context_parse(struct bytes value, struct trace_context *context)
{
    char flags;

    if (value.length < TRACEPARENT_LENGTH || !has_known_end(value) || !are_digits(value.at, 2) ||
        (value.at[0] == 'f' && value.at[1] == 'f') || value.at[TRACE_AT - 1] != '-' ||
        value.at[SPAN_AT - 1] != '-' || value.at[FLAGS_AT - 1] != '-' ||
        !is_id(value.at + TRACE_AT, TRACE_ID_LENGTH) ||
        !is_id(value.at + SPAN_AT, SPAN_ID_LENGTH) || !are_digits(value.at + FLAGS_AT, 2)) {
        return false;
    }
    memcpy(context->trace_id, value.at + TRACE_AT, TRACE_ID_LENGTH);
    memcpy(context->span_id, value.at + SPAN_AT, SPAN_ID_LENGTH);
    flags = value.at[FLAGS_AT + 1];
    context->sampled = ((flags <= '9' ? flags - '0' : flags - 'a' + 10) & 1) != 0;
    return true;
}

void trace_context_format(const struct trace_context *context, char *out)
{
    memcpy(out, "00-", TRACE_AT);
    memcpy(out + TRACE_AT, context->trace_id, TRACE_ID_LENGTH);
    out[SPAN_AT - 1] = '-';
    memcpy(out + SPAN_AT, context->span_id, SPAN_ID_LENGTH);
    out[FLAGS_AT - 1] = '-';
    out[FLAGS_AT] = '0';
    out[FLAGS_AT + 1] = context->sampled ? '1' : '0';
}

void trace_context_put_id(char *out, uint64_t number)
{
    number = number != 0 ? number : 1;
    for (int i = SPAN_ID_LENGTH - 1; i >= 0; i--) {
        out[i] = digits[number & 15];
        number >>= 4;
    }
}
