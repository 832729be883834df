/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/tls_mac.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

#define KEYS_READY 4u /* of more the one goes that was taken in first */

struct ready_key {
    EVP_MAC_CTX *context; /* NULL: none here */
    char *key;
    size_t length;
};

struct tls_mac_maker {
    EVP_MAC *hmac;
    uint32_t next; /* its place is taken for the next new key */
    struct ready_key keys[KEYS_READY];
};

static void forget(struct ready_key *ready)
{
    EVP_MAC_CTX_free(ready->context);
    OPENSSL_clear_free(ready->key, ready->length);
    *ready = (struct ready_key){0};
}

static bool take_in(struct ready_key *ready, EVP_MAC *hmac, struct bytes key)
{
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    ready->length = key.length;
    ready->key = OPENSSL_memdup(key.at, key.length);
    ready->context = EVP_MAC_CTX_new(hmac);
    if (ready->key == NULL || ready->context == NULL ||
        EVP_MAC_init(ready->context, (const unsigned char *)key.at, key.length, parameters) != 1) {
        forget(ready);
        return false;
    }
    return true;
}

/* NULL: the library cannot. */
static struct ready_key *make_ready(struct tls_mac_maker *maker, struct bytes key)
{
    struct ready_key *ready;

    for (uint32_t i = 0; i < KEYS_READY; i++) {
        ready = &maker->keys[i];
        if (ready->context != NULL && bytes_equal((struct bytes){ready->key, ready->length}, key)) {
            return ready;
        }
    }
    ready = &maker->keys[maker->next];
    maker->next = (maker->next + 1) % KEYS_READY;
    forget(ready);
    return take_in(ready, maker->hmac, key) ? ready : NULL;
}

struct tls_mac_maker *tls_mac_maker_new(void)
{
    struct tls_mac_maker *maker = calloc(1, sizeof(*maker));

    if (maker != NULL && (maker->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL)) == NULL) {
        tls_mac_maker_free(&maker);
    }
    return maker;
}

void tls_mac_maker_free(struct tls_mac_maker **held)
{
    struct tls_mac_maker *maker = *held;

    *held = NULL;
    if (maker == NULL) {
        return;
    }
    for (uint32_t i = 0; i < KEYS_READY; i++) {
        forget(&maker->keys[i]);
    }
    EVP_MAC_free(maker->hmac);
    free(maker);
}

bool tls_mac_make(struct tls_mac_maker *maker, struct bytes key, struct bytes message,
                  unsigned char mac[TLS_MAC_BYTES])
{
    struct ready_key *ready = maker != NULL ? make_ready(maker, key) : NULL;
    size_t length = 0;

    /* Without a key it begins anew with the one it has. */
    return ready != NULL && EVP_MAC_init(ready->context, NULL, 0, NULL) == 1 &&
           EVP_MAC_update(ready->context, (const unsigned char *)message.at, message.length) == 1 &&
           EVP_MAC_final(ready->context, mac, &length, TLS_MAC_BYTES) == 1 &&
           length == TLS_MAC_BYTES;
}

bool tls_mac_equal(const unsigned char *mac, const unsigned char *other, size_t length)
{
    return CRYPTO_memcmp(mac, other, length) == 0;
}
