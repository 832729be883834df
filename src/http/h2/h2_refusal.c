/* SPDX-License-Identifier: BSD-2-Clause */
/* Two frames of HTTP/2 (RFC 9113 section 4.1): length, type, flags, stream, payload. */
#include "http/h2/h2_refusal.h"

#include <string.h>

#define SETTINGS "\0\0\0\x4\0\0\0\0\0"
#define REASON "HTTP/1.1 only"
/* No stream was taken; HTTP_1_1_REQUIRED (section 7); REASON makes its length 8 and 13 bytes. */
#define GOAWAY \
    "\0\0\x15\x7\0\0\0\0\0" \
    "\0\0\0\0" \
    "\0\0\0\xd" REASON

_Static_assert(8 + sizeof(REASON) - 1 == 0x15, "the length in GOAWAY");

bool h2_refusal_begins(struct bytes input)
{
    return bytes_start_with(input, BYTES("PRI * HTTP/2.0\r\n"));
}

/* A blank line, a TLS hello, "GET /" and "GET / http/1.1" are for HTTP/1.1 to refuse, in its words. */
bool h2_refusal_is_no_http(struct bytes input)
{
    const char *end = memchr(input.at, '\n', input.length);
    size_t length = end != NULL ? (size_t)(end - input.at) : 0;

    return length > 1 && input.at[0] > ' ' && input.at[0] < 0x7f &&
           memchr(input.at, '/', length) == NULL;
}

struct bytes h2_refusal(void)
{
    return BYTES(SETTINGS GOAWAY);
}
