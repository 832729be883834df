/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses to text and back. Used by config (parsing) and by access logs and forwarding
 * headers (formatting an IP once an exchange, hence IPv4 by hand). */
#include "base/address.h"

#include "base/text.h"

#include <arpa/inet.h>

#define V4_BITS_BEFORE 96 /* of an IPv4 network inside ::ffff:0:0/96 */

static const uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* --- text to address --------------------------------------------------------------------- */

static bool parse_family(int family, struct bytes text, void *out)
{
    char terminated[INET6_ADDRSTRLEN];

    if (text.length >= sizeof(terminated) || memchr(text.at, '\0', text.length) != NULL) {
        return false;
    }
    memcpy(terminated, text.at, text.length);
    terminated[text.length] = '\0';
    return inet_pton(family, terminated, out) == 1;
}

static bool parse_local(struct bytes path, struct address *address)
{
    if (path.length >= sizeof(address->local.sun_path) ||
        memchr(path.at, '\0', path.length) != NULL) {
        return false;
    }
    address->local.sun_family = AF_UNIX;
    memcpy(address->local.sun_path, path.at, path.length);
    address->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.length + 1);
    return true;
}

static bool parse_v4(struct bytes host, struct address *address)
{
    address->v4.sin_family = AF_INET;
    address->length = sizeof(address->v4);
    return parse_family(AF_INET, host, &address->v4.sin_addr);
}

static bool parse_v6(struct bytes host, struct address *address)
{
    address->v6.sin6_family = AF_INET6;
    address->length = sizeof(address->v6);
    return parse_family(AF_INET6, host, &address->v6.sin6_addr);
}

/* Splits at the last colon, which is the port's in "[::1]:80" as well. */
static bool split_port(struct bytes text, struct bytes *host, uint32_t *port)
{
    const char *colon = text.length > 0 ? memrchr(text.at, ':', text.length) : NULL;

    if (colon == NULL) {
        return false;
    }
    *host = bytes_first(text, (size_t)(colon - text.at));
    return bytes_read_decimal(bytes_skip(text, host->length + 1), 5, port) && *port <= UINT16_MAX;
}

static bool parse_ip_and_port(struct bytes text, struct address *address)
{
    struct bytes host;
    uint32_t port;
    bool parsed;

    if (!split_port(text, &host, &port) || host.length == 0) {
        return false;
    }
    if (host.at[0] == '[') {
        parsed = host.at[host.length - 1] == ']' && host.length > 2 &&
                 parse_v6((struct bytes){host.at + 1, host.length - 2}, address);
    } else {
        parsed = parse_v4(host, address);
    }
    address_set_port(address, (uint16_t)port);
    return parsed;
}

bool address_parse(struct bytes text, struct address *address)
{
    memset(address, 0, sizeof(*address));
    if (bytes_start_with(text, BYTES("unix:/"))) {
        return parse_local(bytes_skip(text, strlen("unix:")), address);
    }
    if (bytes_start_with(text, BYTES("/"))) {
        return parse_local(text, address);
    }
    return parse_ip_and_port(text, address);
}

/* --- address to text --------------------------------------------------------------------- */

/* "0" to "255". */
#define TEN(tens) \
    tens "0", tens "1", tens "2", tens "3", tens "4", tens "5", tens "6", tens "7", tens "8", \
        tens "9"
#define HUNDRED(hundreds) \
    TEN(hundreds "0"), TEN(hundreds "1"), TEN(hundreds "2"), TEN(hundreds "3"), TEN(hundreds "4"), \
        TEN(hundreds "5"), TEN(hundreds "6"), TEN(hundreds "7"), TEN(hundreds "8"), \
        TEN(hundreds "9")

static const char octet_texts[][4] = {
    TEN(""),  TEN("1"), TEN("2"),     TEN("3"),  TEN("4"),  TEN("5"),  TEN("6"),  TEN("7"),
    TEN("8"), TEN("9"), HUNDRED("1"), TEN("20"), TEN("21"), TEN("22"), TEN("23"), TEN("24"),
    "250",    "251",    "252",        "253",     "254",     "255",
};

_Static_assert(sizeof(octet_texts) == 256 * 4, "one for each octet");

static const uint8_t octet_lengths[] = {[0 ... 9] = 1, [10 ... 99] = 2, [100 ... 255] = 3};

/* Four bytes whatever its length, of which the next octet covers those that are too many. */
static char *put_octet(char *out, unsigned octet)
{
    memcpy(out, octet_texts[octet], 4);
    return out + octet_lengths[octet];
}

static char *put_octet_and_dot(char *out, unsigned octet)
{
    out = put_octet(out, octet);
    *out = '.';
    return out + 1;
}

/* Once an exchange, hence without a test for room at each digit. Writes INET_ADDRSTRLEN at most,
 * of which the last is the fourth byte of the last octet; returns the end. */
static char *put_v4(char *out, const uint8_t octets[4])
{
    out = put_octet_and_dot(out, octets[0]);
    out = put_octet_and_dot(out, octets[1]);
    out = put_octet_and_dot(out, octets[2]);
    return put_octet(out, octets[3]);
}

static void add_v4(struct text *text, const uint8_t octets[4])
{
    char out[INET_ADDRSTRLEN];

    text_add(text, out, (size_t)(put_v4(out, octets) - out));
}

static void add_v6(struct text *text, const void *bytes)
{
    char out[INET6_ADDRSTRLEN];

    inet_ntop(AF_INET6, bytes, out, sizeof(out));
    text_add_bytes(text, bytes_of(out));
}

/* Empty for an unnamed socket (a client that did not bind). */
static struct bytes local_path(const struct address *address)
{
    size_t start = offsetof(struct sockaddr_un, sun_path);

    if (address->length <= start) {
        return (struct bytes){NULL, 0};
    }
    return (struct bytes){address->local.sun_path,
                          strnlen(address->local.sun_path, address->length - start)};
}

size_t address_format(const struct address *address, char *out)
{
    struct text text = text_over(out, ADDRESS_TEXT_MAX - 1);

    switch (address->length > 0 ? address->any.sa_family : AF_UNSPEC) {
    case AF_INET:
        add_v4(&text, (const uint8_t *)&address->v4.sin_addr);
        text_add_char(&text, ':');
        text_add_number(&text, ntohs(address->v4.sin_port));
        break;
    case AF_INET6:
        text_add_char(&text, '[');
        add_v6(&text, &address->v6.sin6_addr);
        text_add_literal(&text, "]:");
        text_add_number(&text, ntohs(address->v6.sin6_port));
        break;
    case AF_UNIX:
        text_add_literal(&text, "unix:");
        text_add_bytes(&text, local_path(address));
        break;
    default:
        break;
    }
    *text.at = '\0';
    return text_length(&text);
}

/* --- addresses as values ----------------------------------------------------------------- */

bool address_equal(const struct address *a, const struct address *b)
{
    if (a->length == 0 || b->length == 0) {
        return a->length == b->length;
    }
    if (a->any.sa_family != b->any.sa_family) {
        return false;
    }
    switch (a->any.sa_family) {
    case AF_INET:
        return a->v4.sin_port == b->v4.sin_port && a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
    case AF_INET6:
        return a->v6.sin6_port == b->v6.sin6_port && a->v6.sin6_scope_id == b->v6.sin6_scope_id &&
               memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof(a->v6.sin6_addr)) == 0;
    case AF_UNIX:
        return bytes_equal(local_path(a), local_path(b));
    default:
        return false;
    }
}

uint16_t address_port(const struct address *address)
{
    switch (address->length > 0 ? address->any.sa_family : AF_UNSPEC) {
    case AF_INET:
        return ntohs(address->v4.sin_port);
    case AF_INET6:
        return ntohs(address->v6.sin6_port);
    default:
        return 0;
    }
}

void address_set_port(struct address *address, uint16_t port)
{
    switch (address->length > 0 ? address->any.sa_family : AF_UNSPEC) {
    case AF_INET:
        address->v4.sin_port = htons(port);
        break;
    case AF_INET6:
        address->v6.sin6_port = htons(port);
        break;
    default:
        break;
    }
}

/* --- IPs without a port ------------------------------------------------------------------ */

static struct ip ip_of_v4(const void *octets)
{
    struct ip ip;

    memcpy(ip.byte, v4_prefix, sizeof(v4_prefix));
    memcpy(ip.byte + sizeof(v4_prefix), octets, 4);
    return ip;
}

bool address_is_local(const struct address *address)
{
    static const struct network v4 = {.ip = {.byte = {[10] = 0xff, [11] = 0xff, [12] = 127}},
                                      .prefix_bits = 104};
    static const struct network v6 = {.ip = {.byte = {[15] = 1}}, .prefix_bits = 128};
    struct ip ip = ip_of_address(address);

    return address->any.sa_family == AF_UNIX || network_contains(&v4, &ip) ||
           network_contains(&v6, &ip);
}

bool address_is_wildcard(const struct address *address)
{
    return address->any.sa_family == AF_INET ? address->v4.sin_addr.s_addr == INADDR_ANY
                                             : IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr);
}

struct ip ip_of_address(const struct address *address)
{
    struct ip ip = {{0}};

    switch (address->length > 0 ? address->any.sa_family : AF_UNSPEC) {
    case AF_INET:
        ip = ip_of_v4(&address->v4.sin_addr);
        break;
    case AF_INET6:
        memcpy(ip.byte, &address->v6.sin6_addr, sizeof(ip.byte));
        break;
    default:
        break;
    }
    return ip;
}

bool ip_parse(struct bytes text, struct ip *ip)
{
    uint8_t octets[4];

    if (text.length == 0) {
        return false;
    }
    if (memchr(text.at, ':', text.length) != NULL) {
        return parse_family(AF_INET6, text, ip->byte);
    }
    if (!parse_family(AF_INET, text, octets)) {
        return false;
    }
    *ip = ip_of_v4(octets);
    return true;
}

size_t ip_format(const struct ip *ip, char *out)
{
    struct text text = text_over(out, ADDRESS_TEXT_MAX - 1);

    if (ip_is_v4(ip)) {
        return (size_t)(put_v4(out, ip->byte + sizeof(v4_prefix)) - out);
    }
    if (!ip_is_none(ip)) {
        add_v6(&text, ip->byte);
    }
    *text.at = '\0';
    return text_length(&text);
}

bool ip_is_none(const struct ip *ip)
{
    static const struct ip none;

    return memcmp(ip, &none, sizeof(none)) == 0;
}

bool ip_is_v4(const struct ip *ip)
{
    return memcmp(ip->byte, v4_prefix, sizeof(v4_prefix)) == 0;
}

uint64_t ip_customer(const struct ip *ip)
{
    uint64_t number;

    memcpy(&number, ip->byte + (ip_is_v4(ip) ? 8 : 0), sizeof(number));
    return number;
}

/* --- networks ---------------------------------------------------------------------------- */

bool network_parse(struct bytes text, struct network *network)
{
    const char *slash = text.length > 0 ? memchr(text.at, '/', text.length) : NULL;
    size_t length = slash != NULL ? (size_t)(slash - text.at) : text.length;
    struct bytes address = bytes_first(text, length);
    uint32_t before;
    uint32_t bits;

    if (!ip_parse(address, &network->ip)) {
        return false;
    }
    before = memchr(address.at, ':', length) == NULL ? V4_BITS_BEFORE : 0;
    bits = 128 - before;
    if (slash != NULL &&
        (!bytes_read_decimal(bytes_skip(text, length + 1), 5, &bits) || bits > 128 - before)) {
        return false;
    }
    network->prefix_bits = (uint8_t)(before + bits);
    return true;
}

bool network_clear_host_bits(struct network *network)
{
    bool cleared = false;

    for (unsigned bit = network->prefix_bits; bit < 128; bit++) {
        uint8_t mask = (uint8_t)(0x80 >> bit % 8);

        cleared = cleared || (network->ip.byte[bit / 8] & mask) != 0;
        network->ip.byte[bit / 8] &= (uint8_t)~mask;
    }
    return cleared;
}

/* A client without an IP is in no network, not even in ::/0. */
bool network_contains(const struct network *network, const struct ip *ip)
{
    unsigned whole = network->prefix_bits / 8;
    unsigned rest = network->prefix_bits % 8;

    if (ip_is_none(ip) || memcmp(network->ip.byte, ip->byte, whole) != 0) {
        return false;
    }
    return rest == 0 || ((network->ip.byte[whole] ^ ip->byte[whole]) >> (8 - rest)) == 0;
}

bool networks_contain(const struct network *networks, uint32_t count, const struct ip *ip)
{
    for (uint32_t i = 0; i < count; i++) {
        if (network_contains(&networks[i], ip)) {
            return true;
        }
    }
    return false;
}

void ip_to_address(const struct ip *ip, uint16_t port, struct address *address)
{
    memset(address, 0, sizeof(*address));
    if (ip_is_none(ip)) {
        address->any.sa_family = AF_UNSPEC;
        address->length = sizeof(address->any);
    } else if (ip_is_v4(ip)) {
        address->v4.sin_family = AF_INET;
        address->v4.sin_port = htons(port);
        memcpy(&address->v4.sin_addr, ip->byte + 12, 4);
        address->length = sizeof(address->v4);
    } else {
        address->v6.sin6_family = AF_INET6;
        address->v6.sin6_port = htons(port);
        memcpy(&address->v6.sin6_addr, ip->byte, 16);
        address->length = sizeof(address->v6);
    }
}
