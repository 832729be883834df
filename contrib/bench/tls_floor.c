/* SPDX-License-Identifier: BSD-2-Clause */
/* What a full handshake cannot do without, in CPU time of a server: the primitives (one ECDSA
 * signature with P-256, one X25519 key made, one secret derived), and all that the TLS library does
 * for it, in memory, without a socket (TLS 1.3, one ticket). Started by bench.py on the gateway's
 * core, right after the gateways.
 *
 * tls_floor SECONDS      prints "sign_ns N keygen_ns N derive_ns N library_ns N" */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct {
    EVP_PKEY *signs;
    EVP_PKEY *near_key;
    EVP_PKEY *far_key;
    EVP_PKEY_CTX *makes;
    SSL_CTX *server;
    SSL_CTX *client;
} all;

static void die(const char *what)
{
    fprintf(stderr, "tls_floor: %s: %s\n", what, ERR_reason_error_string(ERR_peek_error()));
    exit(1);
}

static uint64_t now_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* --- primitives -------------------------------------------------------------------------- */

static void sign_once(void)
{
    static const unsigned char said[130]; /* as long as what TLS 1.3 signs */
    unsigned char signature[80];
    size_t length = sizeof(signature);
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    if (EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, all.signs) != 1 ||
        EVP_DigestSign(context, signature, &length, said, sizeof(said)) != 1) {
        die("signature");
    }
    EVP_MD_CTX_free(context);
}

static void make_key_once(void)
{
    EVP_PKEY *key = NULL;

    if (EVP_PKEY_keygen(all.makes, &key) != 1) {
        die("key");
    }
    EVP_PKEY_free(key);
}

static void derive_once(void)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(all.near_key, NULL);
    unsigned char secret[32];
    size_t length = sizeof(secret);

    if (EVP_PKEY_derive_init(context) != 1 || EVP_PKEY_derive_set_peer(context, all.far_key) != 1 ||
        EVP_PKEY_derive(context, secret, &length) != 1) {
        die("secret");
    }
    EVP_PKEY_CTX_free(context);
}

static uint64_t time_of(void (*once)(void), double seconds)
{
    uint64_t until = now_ns(CLOCK_MONOTONIC) + (uint64_t)(seconds * 1e9);
    uint64_t before = now_ns(CLOCK_THREAD_CPUTIME_ID);
    uint64_t count = 0;

    while (now_ns(CLOCK_MONOTONIC) < until) {
        for (int i = 0; i < 16; i++) {
            once();
        }
        count += 16;
    }
    return (now_ns(CLOCK_THREAD_CPUTIME_ID) - before) / (count > 0 ? count : 1);
}

/* --- the library ------------------------------------------------------------------------- */

static void carry(BIO *from, BIO *to)
{
    char bytes[8192];
    int length;

    while ((length = BIO_read(from, bytes, sizeof(bytes))) > 0) {
        BIO_write(to, bytes, length);
    }
}

static SSL *begin(SSL_CTX *context, BIO **in, BIO **out)
{
    SSL *ssl = SSL_new(context);

    *in = BIO_new(BIO_s_mem());
    *out = BIO_new(BIO_s_mem());
    if (ssl == NULL || *in == NULL || *out == NULL) {
        die("connection");
    }
    SSL_set_bio(ssl, *in, *out);
    return ssl;
}

/* CPU time of the server's part of one handshake. */
static uint64_t shake_hands_once(void)
{
    BIO *server_in, *server_out, *client_in, *client_out;
    SSL *client = begin(all.client, &client_in, &client_out);
    uint64_t before = now_ns(CLOCK_THREAD_CPUTIME_ID);
    SSL *server = begin(all.server, &server_in, &server_out);
    uint64_t used = now_ns(CLOCK_THREAD_CPUTIME_ID) - before;
    bool done = false;

    SSL_set_tlsext_host_name(client, "bench.test");
    for (int i = 0; i < 4 && !done; i++) {
        SSL_connect(client);
        carry(client_out, server_in);
        before = now_ns(CLOCK_THREAD_CPUTIME_ID);
        done = SSL_accept(server) == 1;
        used += now_ns(CLOCK_THREAD_CPUTIME_ID) - before;
        carry(server_out, client_in);
    }
    if (!done) {
        die("handshake");
    }
    before = now_ns(CLOCK_THREAD_CPUTIME_ID);
    SSL_free(server);
    used += now_ns(CLOCK_THREAD_CPUTIME_ID) - before;
    SSL_free(client);
    return used;
}

static uint64_t time_of_library(double seconds)
{
    uint64_t until = now_ns(CLOCK_MONOTONIC) + (uint64_t)(seconds * 1e9);
    uint64_t used = 0;
    uint64_t count = 0;

    while (now_ns(CLOCK_MONOTONIC) < until) {
        used += shake_hands_once();
        count++;
    }
    return used / (count > 0 ? count : 1);
}

/* --- what they need ---------------------------------------------------------------------- */

static X509 *certificate(void)
{
    X509 *made = X509_new();

    X509_set_version(made, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made), 1);
    X509_gmtime_adj(X509_getm_notBefore(made), -60);
    X509_gmtime_adj(X509_getm_notAfter(made), 86400);
    X509_set_pubkey(made, all.signs);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_ASC,
                               (const unsigned char *)"bench.test", -1, -1, 0);
    X509_set_issuer_name(made, X509_get_subject_name(made));
    return X509_sign(made, all.signs, EVP_sha256()) > 0 ? made : NULL;
}

static void prepare(void)
{
    X509 *shown;

    all.signs = EVP_EC_gen("P-256");
    all.near_key = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    all.far_key = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    all.makes = EVP_PKEY_CTX_new_from_name(NULL, "X25519", NULL);
    all.server = SSL_CTX_new(TLS_server_method());
    all.client = SSL_CTX_new(TLS_client_method());
    shown = all.signs != NULL ? certificate() : NULL;
    if (all.near_key == NULL || all.far_key == NULL || all.server == NULL || all.client == NULL ||
        EVP_PKEY_keygen_init(all.makes) != 1 || shown == NULL ||
        SSL_CTX_use_cert_and_key(all.server, shown, all.signs, NULL, 1) != 1 ||
        SSL_CTX_set_ciphersuites(all.server, "TLS_AES_128_GCM_SHA256") != 1 ||
        SSL_CTX_set1_groups_list(all.server, "X25519") != 1) {
        die("preparation");
    }
    SSL_CTX_set_num_tickets(all.server, 1);
    SSL_CTX_set_session_cache_mode(all.server, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(all.client, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_session_cache_mode(all.client, SSL_SESS_CACHE_OFF);
    X509_free(shown);
}

int main(int argc, char **argv)
{
    double each = argc == 2 ? atof(argv[1]) / 4 : 0;
    uint64_t sign_ns, keygen_ns, derive_ns, library_ns;

    if (each <= 0) {
        fprintf(stderr, "tls_floor SECONDS\n");
        return 2;
    }
    prepare();
    sign_ns = time_of(sign_once, each);
    keygen_ns = time_of(make_key_once, each);
    derive_ns = time_of(derive_once, each);
    library_ns = time_of_library(each);
    printf("sign_ns %llu keygen_ns %llu derive_ns %llu library_ns %llu\n",
           (unsigned long long)sign_ns, (unsigned long long)keygen_ns,
           (unsigned long long)derive_ns, (unsigned long long)library_ns);
    return 0;
}
