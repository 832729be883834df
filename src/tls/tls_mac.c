/* SPDX-License-Identifier: BSD-2-Clause */
/* One call of the TLS library each. */
#include "tls/tls_mac.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

bool tls_mac_make(struct bytes key, struct bytes message, unsigned char mac[TLS_MAC_BYTES])
{
    size_t length = 0;

    return EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key.at, key.length,
                     (const unsigned char *)message.at, message.length, mac, TLS_MAC_BYTES,
                     &length) != NULL &&
           length == TLS_MAC_BYTES;
}

bool tls_mac_equal(const unsigned char *mac, const unsigned char *other, size_t length)
{
    return CRYPTO_memcmp(mac, other, length) == 0;
}
