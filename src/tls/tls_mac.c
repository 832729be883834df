/* SPDX-License-Identifier: BSD-2-Clause */
/* HMAC-SHA-256 by OpenSSL, with the last keys kept initialized: to set a key up costs several times
 * as much as the MAC of a short message. Used by one thread. */
#include "tls/tls_mac.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_READY 16u /* a further one replaces the oldest */

struct ready_key {
    EVP_MAC_CTX *context; /* NULL: the slot is empty */
    char *name;           /* the key, and the purpose behind it */
    size_t key_length;
    size_t length;
};

struct tls_mac_maker {
    EVP_MAC *hmac;
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
    return ready->context != NULL && ready->key_length == key.length &&
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

static bool set_key(EVP_MAC_CTX *context, const void *key, size_t length)
{
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_MAC_init(context, key, length, parameters) == 1;
}

static bool run(EVP_MAC_CTX *context, struct bytes message, unsigned char mac[TLS_MAC_BYTES])
{
    size_t length = 0;

    return EVP_MAC_update(context, (const unsigned char *)message.at, message.length) == 1 &&
           EVP_MAC_final(context, mac, &length, TLS_MAC_BYTES) == 1 && length == TLS_MAC_BYTES;
}

static bool derive(EVP_MAC_CTX *context, struct bytes purpose)
{
    unsigned char key[TLS_MAC_BYTES];
    bool done = run(context, purpose, key) && set_key(context, key, sizeof(key));

    OPENSSL_cleanse(key, sizeof(key));
    return done;
}

static bool take_in(struct ready_key *ready, EVP_MAC *hmac, struct bytes key, struct bytes purpose)
{
    ready->context = EVP_MAC_CTX_new(hmac);
    if (ready->context == NULL || !keep_name(ready, key, purpose) ||
        !set_key(ready->context, key.at, key.length) || !derive(ready->context, purpose)) {
        forget(ready);
        return false;
    }
    return true;
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
    return take_in(ready, maker->hmac, key, purpose) ? ready : NULL;
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

bool tls_mac_make(struct tls_mac_maker *maker, struct bytes key, struct bytes purpose,
                  struct bytes message, unsigned char mac[TLS_MAC_BYTES])
{
    struct ready_key *ready = maker != NULL ? make_ready(maker, key, purpose) : NULL;

    /* Without a key it begins anew with the one it has. */
    return ready != NULL && EVP_MAC_init(ready->context, NULL, 0, NULL) == 1 &&
           run(ready->context, message, mac);
}

bool tls_digest(struct bytes message, unsigned char digest[TLS_MAC_BYTES])
{
    return EVP_Digest(message.at, message.length, digest, NULL, EVP_sha256(), NULL) == 1;
}

bool tls_mac_equal(const unsigned char *mac, const unsigned char *other, size_t length)
{
    return CRYPTO_memcmp(mac, other, length) == 0;
}
