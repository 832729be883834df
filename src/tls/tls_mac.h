/* SPDX-License-Identifier: BSD-2-Clause */
/* HMAC-SHA-256 (RFC 2104) of the TLS library, for what clients carry and must not change. */
#ifndef TLS_TLS_MAC_H
#define TLS_TLS_MAC_H

#include "base/bytes.h"

#define TLS_MAC_BYTES 32

/* false: the library cannot. */
bool tls_mac_make(struct bytes key, struct bytes message, unsigned char mac[TLS_MAC_BYTES]);
/* In a time that does not tell how much of it is right. */
bool tls_mac_equal(const unsigned char *mac, const unsigned char *other, size_t length);

#endif
