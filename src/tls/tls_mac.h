/* SPDX-License-Identifier: BSD-2-Clause */
/* HMAC-SHA-256 (RFC 2104) of the TLS library, for what clients carry and must not change. */
#ifndef TLS_TLS_MAC_H
#define TLS_TLS_MAC_H

#include "base/bytes.h"

#define TLS_MAC_BYTES 32

/* What one thread makes its MACs with. The keys it used last are kept ready: to derive a
 * key and take it in costs several times as much as a short message. */
struct tls_mac_maker;

/* NULL: no memory. */
struct tls_mac_maker *tls_mac_maker_new(void);
void tls_mac_maker_free(struct tls_mac_maker **maker);

/* By the key that HMAC makes of `key` and `purpose`: what is signed for one purpose is good for no other,
 * and the messages need not name it. false: no memory, or there is no maker. A key may be
 * used once and never again; key and purpose are known by their bytes, not by where they lie. */
bool tls_mac_make(struct tls_mac_maker *maker, struct bytes key, struct bytes purpose,
                  struct bytes message, unsigned char mac[TLS_MAC_BYTES]);
/* SHA-256 of a message, as large as a MAC. false: the library cannot. */
bool tls_digest(struct bytes message, unsigned char digest[TLS_MAC_BYTES]);
/* In a time that does not tell how much of it is right. */
bool tls_mac_equal(const unsigned char *mac, const unsigned char *other, size_t length);

#endif
