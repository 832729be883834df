/* SPDX-License-Identifier: BSD-2-Clause */
/* The PROXY protocol's two forms: a line of text (version 1) and a block of bytes (version 2).
 * Both are refused at the first byte that does not fit, so that a client that speaks HTTP
 * straight away is not waited for. */
#include "http/proxy_protocol.h"

#include <stdio.h>
#include <string.h>

#define V1_LINE_MAX 107 /* with its CRLF */
#define V2_HEADER 16
#define V2_LENGTH_MAX 520 /* behind the header: a pair of Unix paths, and room for TLVs */
#define TEXT_MAX 64

/* --- version 1 ---------------------------------------------------------------------------- */

/* Takes what stands before the next space, or all of it. */
static struct bytes take_word(struct bytes *line)
{
    const char *space = line->length > 0 ? memchr(line->at, ' ', line->length) : NULL;
    size_t length = space != NULL ? (size_t)(space - line->at) : line->length;
    struct bytes word = bytes_first(*line, length);

    *line = bytes_skip(*line, length + (space != NULL ? 1 : 0));
    return word;
}

/* Puts an IP and a port together to the form that address_parse reads. */
static bool parse_endpoint(struct bytes ip, struct bytes port, int family, struct address *address)
{
    char text[TEXT_MAX];
    const char *form = family == AF_INET6 ? "[%.*s]:%.*s" : "%.*s:%.*s";
    int length;

    if (ip.length == 0 || ip.length > 45 || port.length == 0 || port.length > 5) {
        return false;
    }
    length = snprintf(text, sizeof(text), form, (int)ip.length, ip.at, (int)port.length, port.at);
    return address_parse((struct bytes){text, (size_t)length}, address) &&
           address->any.sa_family == family;
}

/* `line` without "PROXY " and CRLF. */
static bool parse_v1_line(struct bytes line, bool *has_source, struct address *source,
                          struct address *destination)
{
    const char *end = line.at + line.length;
    struct bytes family = take_word(&line);
    struct bytes words[4];
    int number = bytes_equal(family, BYTES("TCP6")) ? AF_INET6 : AF_INET;

    *has_source = false;
    if (bytes_equal(family, BYTES("UNKNOWN"))) {
        return true; /* whatever follows is to be ignored */
    }
    if (number == AF_INET && !bytes_equal(family, BYTES("TCP4"))) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        words[i] = take_word(&line);
    }
    *has_source = true;
    return words[3].at + words[3].length == end &&
           parse_endpoint(words[0], words[2], number, source) &&
           parse_endpoint(words[1], words[3], number, destination);
}

static enum proxy_protocol_verdict parse_v1(struct bytes input, size_t *consumed, bool *has_source,
                                            struct address *source, struct address *destination)
{
    size_t most = input.length < V1_LINE_MAX ? input.length : V1_LINE_MAX;
    size_t length = 0;

    while (length < most && input.at[length] >= ' ' && input.at[length] <= '~') {
        length++;
    }
    if (length == most || (length + 1 == most && input.at[length] == '\r')) {
        return most == V1_LINE_MAX ? PROXY_PROTOCOL_REJECTED : PROXY_PROTOCOL_INCOMPLETE;
    }
    if (input.at[length] != '\r' || input.at[length + 1] != '\n') {
        return PROXY_PROTOCOL_REJECTED;
    }
    *consumed = length + 2;
    return parse_v1_line((struct bytes){input.at + 6, length - 6}, has_source, source, destination)
               ? PROXY_PROTOCOL_COMPLETE
               : PROXY_PROTOCOL_REJECTED;
}

/* --- version 2 ---------------------------------------------------------------------------- */

static const char v2_signature[] = "\r\n\r\n\0\r\nQUIT\n";

enum { V2_LOCAL = 0x20, V2_PROXY = 0x21 };

/* The families, and how many bytes their addresses take. */
static const struct {
    uint8_t code;
    uint8_t length;
} v2_families[] = {
    {0x00, 0},                /* unspecified */
    {0x11, 12},  {0x12, 12},  /* IPv4 over TCP and UDP */
    {0x21, 36},  {0x22, 36},  /* IPv6 */
    {0x31, 216}, {0x32, 216}, /* Unix */
};

static int v2_address_length(uint8_t family)
{
    for (size_t i = 0; i < sizeof(v2_families) / sizeof(v2_families[0]); i++) {
        if (v2_families[i].code == family) {
            return v2_families[i].length;
        }
    }
    return -1;
}

static void set_v4(struct address *address, const char *ip, const char *port)
{
    *address = (struct address){.length = sizeof(address->v4)};
    address->v4.sin_family = AF_INET;
    memcpy(&address->v4.sin_addr, ip, 4);
    memcpy(&address->v4.sin_port, port, 2);
}

static void set_v6(struct address *address, const char *ip, const char *port)
{
    *address = (struct address){.length = sizeof(address->v6)};
    address->v6.sin6_family = AF_INET6;
    memcpy(&address->v6.sin6_addr, ip, 16);
    memcpy(&address->v6.sin6_port, port, 2);
}

static bool parse_v2_block(uint8_t command, uint8_t family, struct bytes block, bool *has_source,
                           struct address *source, struct address *destination)
{
    int length = v2_address_length(family);

    *has_source = false;
    if (command == V2_LOCAL) {
        return true; /* the proxy's own probe: the block is to be ignored */
    }
    if (length < 0 || block.length < (size_t)length) {
        return false;
    }
    if (family == 0x11) {
        *has_source = true;
        set_v4(source, block.at, block.at + 8);
        set_v4(destination, block.at + 4, block.at + 10);
    } else if (family == 0x21) {
        *has_source = true;
        set_v6(source, block.at, block.at + 32);
        set_v6(destination, block.at + 16, block.at + 34);
    }
    return true;
}

static enum proxy_protocol_verdict parse_v2(struct bytes input, size_t *consumed, bool *has_source,
                                            struct address *source, struct address *destination)
{
    uint8_t command = input.length > 12 ? (uint8_t)input.at[12] : V2_PROXY;
    size_t length;

    if (command != V2_LOCAL && command != V2_PROXY) {
        return PROXY_PROTOCOL_REJECTED;
    }
    if (input.length < V2_HEADER) {
        return PROXY_PROTOCOL_INCOMPLETE;
    }
    length = (size_t)((uint8_t)input.at[14] << 8 | (uint8_t)input.at[15]);
    if (length > V2_LENGTH_MAX) {
        return PROXY_PROTOCOL_REJECTED;
    }
    if (input.length < V2_HEADER + length) {
        return PROXY_PROTOCOL_INCOMPLETE;
    }
    *consumed = V2_HEADER + length;
    return parse_v2_block(command, (uint8_t)input.at[13],
                          (struct bytes){input.at + V2_HEADER, length}, has_source, source,
                          destination)
               ? PROXY_PROTOCOL_COMPLETE
               : PROXY_PROTOCOL_REJECTED;
}

/* --- both --------------------------------------------------------------------------------- */

/* Whether both agree for as far as the input goes. */
static bool could_be(struct bytes input, struct bytes signature)
{
    size_t length = input.length < signature.length ? input.length : signature.length;

    return memcmp(input.at, signature.at, length) == 0;
}

enum proxy_protocol_verdict proxy_protocol_parse(struct bytes input, size_t *consumed,
                                                 bool *has_source, struct address *source,
                                                 struct address *destination)
{
    if (input.length == 0) {
        return PROXY_PROTOCOL_INCOMPLETE;
    }
    if (could_be(input, BYTES(v2_signature))) {
        return input.length < 12 ? PROXY_PROTOCOL_INCOMPLETE
                                 : parse_v2(input, consumed, has_source, source, destination);
    }
    if (could_be(input, BYTES("PROXY "))) {
        return input.length < 6 ? PROXY_PROTOCOL_INCOMPLETE
                                : parse_v1(input, consumed, has_source, source, destination);
    }
    return PROXY_PROTOCOL_REJECTED;
}
