/* SPDX-License-Identifier: BSD-2-Clause */
/* HMAC-SHA-256 (RFC 2104), with the last keys kept ready: a context that knows its key begins each message
 * from the state behind the key's first block. Of the 8,300 instructions that a message of 60 bytes takes
 * (OpenSSL 3.0, without SHA instructions) 1,700 are the library's copies of that state, which the
 * deprecated SHA256_CTX would not need. Used by one thread. */
#include "tls/tls_mac.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_READY 16u /* a further one replaces the oldest */

struct ready_key {
    EVP_MAC_CTX *context;
    char *name; /* the key, and the purpose behind it; NULL: the slot is empty */
    size_t key_length;
    size_t length;
};

struct tls_mac_maker {
    uint32_t next; /* index of the slot for the next new key */
    struct ready_key keys[KEYS_READY];
};

static void forget(struct ready_key *ready)
{
    EVP_MAC_CTX_free(ready->context);
    OPENSSL_clear_free(ready->name, ready->length);
    *ready = (struct ready_key){0};
}

static bool is_of(const struct ready_key *ready, struct bytes key, struct bytes purpose)
{
    return ready->name != NULL && ready->key_length == key.length &&
           ready->length == key.length + purpose.length &&
           memcmp(ready->name, key.at, key.length) == 0 &&
           memcmp(ready->name + key.length, purpose.at, purpose.length) == 0;
}

static bool keep_name(struct ready_key *ready, struct bytes key, struct bytes purpose)
{
    ready->key_length = key.length;
    ready->length = key.length + purpose.length;
    ready->name = OPENSSL_malloc(ready->length);
    if (ready->name == NULL) {
        return false;
    }
    memcpy(ready->name, key.at, key.length);
    memcpy(ready->name + key.length, purpose.at, purpose.length);
    return true;
}

static bool begin(struct ready_key *ready, const unsigned char key[TLS_MAC_BYTES])
{
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);

    ready->context = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
    EVP_MAC_free(mac); /* the context has its own reference */
    return ready->context != NULL &&
           EVP_MAC_init(ready->context, key, TLS_MAC_BYTES, parameters) == 1;
}

static bool take_in(struct ready_key *ready, struct bytes key, struct bytes purpose)
{
    unsigned char derived[TLS_MAC_BYTES];

    bool good = HMAC(EVP_sha256(), key.at, (int)key.length, (const unsigned char *)purpose.at,
                     purpose.length, derived, NULL) != NULL &&
                begin(ready, derived) && keep_name(ready, key, purpose);

    OPENSSL_cleanse(derived, sizeof(derived));
    return good;
}

/* NULL: the library cannot. */
static struct ready_key *make_ready(struct tls_mac_maker *maker, struct bytes key,
                                    struct bytes purpose)
{
    struct ready_key *ready;

    for (uint32_t i = 0; i < KEYS_READY; i++) {
        if (is_of(&maker->keys[i], key, purpose)) {
            return &maker->keys[i];
        }
    }
    ready = &maker->keys[maker->next];
    maker->next = (maker->next + 1) % KEYS_READY;
    forget(ready);
    return take_in(ready, key, purpose) ? ready : NULL;
}

struct tls_mac_maker *tls_mac_maker_new(void)
{
    return calloc(1, sizeof(struct tls_mac_maker));
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
    free(maker);
}

bool tls_mac_make(struct tls_mac_maker *maker, struct bytes key, struct bytes purpose,
                  struct bytes message, unsigned char mac[TLS_MAC_BYTES])
{
    struct ready_key *ready = maker != NULL ? make_ready(maker, key, purpose) : NULL;
    size_t length;

    return ready != NULL && EVP_MAC_init(ready->context, NULL, 0, NULL) == 1 &&
           EVP_MAC_update(ready->context, (const unsigned char *)message.at, message.length) == 1 &&
           EVP_MAC_final(ready->context, mac, &length, TLS_MAC_BYTES) == 1;
}

bool tls_digest(struct bytes message, unsigned char digest[TLS_MAC_BYTES])
{
    return EVP_Digest(message.at, message.length, digest, NULL, EVP_sha256(), NULL) == 1;
}

bool tls_mac_equal(const unsigned char *mac, const unsigned char *other, size_t length)
{
    return CRYPTO_memcmp(mac, other, length) == 0;
}
