/* SPDX-License-Identifier: BSD-2-Clause */
/* HMAC-SHA-256 (RFC 2104) over OpenSSL's SHA-256, with the last keys kept ready: the state behind a key's
 * first block is copied for each message. EVP_MAC takes and frees memory several times a message, which
 * takes longer than to hash a short one. Used by one thread. */
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA256_CTX, which has no successor without that memory */
#include "tls/tls_mac.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_READY 16u /* a further one replaces the oldest */

struct ready_key {
    SHA256_CTX inner;
    SHA256_CTX outer;
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
    OPENSSL_clear_free(ready->name, ready->length);
    OPENSSL_cleanse(ready, sizeof(*ready));
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

static void begin(SHA256_CTX *state, const unsigned char key[TLS_MAC_BYTES], unsigned char pad)
{
    unsigned char block[SHA256_CBLOCK];

    for (size_t i = 0; i < sizeof(block); i++) {
        block[i] = (unsigned char)((i < TLS_MAC_BYTES ? key[i] : 0) ^ pad);
    }
    SHA256_Init(state);
    SHA256_Update(state, block, sizeof(block));
    OPENSSL_cleanse(block, sizeof(block));
}

static bool take_in(struct ready_key *ready, struct bytes key, struct bytes purpose)
{
    unsigned char derived[TLS_MAC_BYTES];

    bool good = HMAC(EVP_sha256(), key.at, (int)key.length, (const unsigned char *)purpose.at,
                     purpose.length, derived, NULL) != NULL &&
                keep_name(ready, key, purpose);

    if (good) {
        begin(&ready->inner, derived, 0x36);
        begin(&ready->outer, derived, 0x5c);
    }
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
    unsigned char digest[TLS_MAC_BYTES];
    SHA256_CTX state;

    if (ready == NULL) {
        return false;
    }
    state = ready->inner;
    SHA256_Update(&state, message.at, message.length);
    SHA256_Final(digest, &state);
    state = ready->outer;
    SHA256_Update(&state, digest, sizeof(digest));
    SHA256_Final(mac, &state);
    return true;
}

bool tls_digest(struct bytes message, unsigned char digest[TLS_MAC_BYTES])
{
    return EVP_Digest(message.at, message.length, digest, NULL, EVP_sha256(), NULL) == 1;
}

bool tls_mac_equal(const unsigned char *mac, const unsigned char *other, size_t length)
{
    return CRYPTO_memcmp(mac, other, length) == 0;
}
