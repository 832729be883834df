/* SPDX-License-Identifier: BSD-2-Clause */
/* HMAC-SHA-256 (RFC 2104), with the last keys kept ready: the digest's state behind each of the key's two
 * padded blocks is copied for each message. A MAC of 60 bytes takes 275 ns (OpenSSL 3.0, SHA
 * instructions); 300 by EVP_MAC, and 355 where both blocks are hashed anew, without a copy. The
 * deprecated SHA256_CTX would take 180: its copy needs no memory of its own. Used by one thread. */
#include "tls/tls_mac.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 64 /* of SHA-256 */
#define KEYS_READY 16u /* a further one replaces the oldest */

struct ready_key {
    EVP_MD_CTX *inner;
    EVP_MD_CTX *outer;
    char *name; /* the key, and the purpose behind it; NULL: the slot is empty */
    size_t key_length;
    size_t length;
};

struct tls_mac_maker {
    EVP_MD_CTX *work; /* NULL: no memory */
    uint32_t next;    /* index of the slot for the next new key */
    struct ready_key keys[KEYS_READY];
};

static void forget(struct ready_key *ready)
{
    EVP_MD_CTX_free(ready->inner);
    EVP_MD_CTX_free(ready->outer);
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

/* NULL: no memory. */
static EVP_MD_CTX *begin(const unsigned char key[TLS_MAC_BYTES], unsigned char pad)
{
    EVP_MD_CTX *state = EVP_MD_CTX_new();
    unsigned char block[BLOCK_BYTES];
    bool good;

    for (size_t i = 0; i < sizeof(block); i++) {
        block[i] = (unsigned char)((i < TLS_MAC_BYTES ? key[i] : 0) ^ pad);
    }
    good = state != NULL && EVP_DigestInit_ex(state, EVP_sha256(), NULL) == 1 &&
           EVP_DigestUpdate(state, block, sizeof(block)) == 1;
    OPENSSL_cleanse(block, sizeof(block));
    if (!good) {
        EVP_MD_CTX_free(state);
        return NULL;
    }
    return state;
}

static bool take_in(struct ready_key *ready, struct bytes key, struct bytes purpose)
{
    unsigned char derived[TLS_MAC_BYTES];

    bool good = HMAC(EVP_sha256(), key.at, (int)key.length, (const unsigned char *)purpose.at,
                     purpose.length, derived, NULL) != NULL &&
                (ready->inner = begin(derived, 0x36)) != NULL &&
                (ready->outer = begin(derived, 0x5c)) != NULL && keep_name(ready, key, purpose);

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
    struct tls_mac_maker *maker = calloc(1, sizeof(*maker));

    if (maker != NULL) {
        maker->work = EVP_MD_CTX_new();
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
    EVP_MD_CTX_free(maker->work);
    free(maker);
}

static bool finish(EVP_MD_CTX *work, const EVP_MD_CTX *state, struct bytes message,
                   unsigned char digest[TLS_MAC_BYTES])
{
    return work != NULL && EVP_MD_CTX_copy_ex(work, state) == 1 &&
           EVP_DigestUpdate(work, message.at, message.length) == 1 &&
           EVP_DigestFinal_ex(work, digest, NULL) == 1;
}

bool tls_mac_make(struct tls_mac_maker *maker, struct bytes key, struct bytes purpose,
                  struct bytes message, unsigned char mac[TLS_MAC_BYTES])
{
    const struct ready_key *ready = maker != NULL ? make_ready(maker, key, purpose) : NULL;

    return ready != NULL && finish(maker->work, ready->inner, message, mac) &&
           finish(maker->work, ready->outer, (struct bytes){(const char *)mac, TLS_MAC_BYTES}, mac);
}

bool tls_digest(struct bytes message, unsigned char digest[TLS_MAC_BYTES])
{
    return EVP_Digest(message.at, message.length, digest, NULL, EVP_sha256(), NULL) == 1;
}

bool tls_mac_equal(const unsigned char *mac, const unsigned char *other, size_t length)
{
    return CRYPTO_memcmp(mac, other, length) == 0;
}
