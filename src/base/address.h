/* SPDX-License-Identifier: BSD-2-Clause */
/* A socket address of any of the three families the gateway speaks (IPv4, IPv6, Unix),
 * and networks (CIDR) for trusted proxies. Plain values, no ownership. */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include "base/bytes.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <netinet/in.h>

struct address {
    socklen_t length;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    };
};

/* An IP address without its port, IPv4 kept as ::ffff:a.b.c.d: 16 bytes for each connection.
 * All zero stands for a client that has none (a Unix socket). */
struct ip {
    uint8_t byte[16];
};

struct network {
    struct ip ip;
    uint8_t prefix_bits; /* 0 to 128, IPv4 networks already moved up by 96 */
};

#define ADDRESS_TEXT_MAX 128

/* "10.0.0.1:80", "[::1]:80", "unix:/path" or a bare "/path" (Unix). Only literal addresses;
 * false for anything else, host names included. Port 0 is allowed. */
bool address_parse(struct bytes text, struct address *address);
/* Writes the form that address_parse reads; returns the length. `out` has ADDRESS_TEXT_MAX. */
size_t address_format(const struct address *address, char *out);
bool address_equal(const struct address *a, const struct address *b);
uint16_t address_port(const struct address *address);
void address_set_port(struct address *address, uint16_t port);

/* Only this machine reaches it: a loopback address or a Unix socket. */
bool address_is_local(const struct address *address);
/* 0.0.0.0 or ::, of an address that is no Unix socket. */
bool address_is_wildcard(const struct address *address);

struct ip ip_of_address(const struct address *address);
/* The way back; an address of no family for `none`. */
void ip_to_address(const struct ip *ip, uint16_t port, struct address *address);
bool ip_parse(struct bytes text, struct ip *ip);
/* "10.0.0.1" or "2001:db8::1" without brackets; returns the length, 0 for none. */
size_t ip_format(const struct ip *ip, char *out);
bool ip_is_none(const struct ip *ip);
bool ip_is_v4(const struct ip *ip);
/* What one customer has, as a number: all of an IPv4 address, of IPv6 the first 64 bits. */
uint64_t ip_customer(const struct ip *ip);

/* "10.0.0.0/8", "::1", "fd00::/8". */
bool network_parse(struct bytes text, struct network *network);
/* Makes all bits behind the prefix zero; true: one of them was not. */
bool network_clear_host_bits(struct network *network);
bool network_contains(const struct network *network, const struct ip *ip);
/* One of them does. */
bool networks_contain(const struct network *networks, uint32_t count, const struct ip *ip);

#endif
