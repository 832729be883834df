/* SPDX-License-Identifier: BSD-2-Clause */
/* Session tickets. A secret (of the process, or from a file that a fleet shares) and the number
 * of the present stretch of time give the key that encrypts; so all workers, and all gateways
 * with the same file and a clock that is right, change keys together and tell each other
 * nothing. Tickets of the stretch before are taken too, and of the one after, for clocks that
 * are ahead. Each acceptor has its own, used by its worker only. */
#include "tls/tls_private.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#define SECRET_LEAST 32
#define SECRET_MOST 1024
#define STRETCHES 3 /* the present one, the one before, the one after */
#define LIFETIME_S (12 * 3600)

struct ticket_key {
    unsigned char name[16];
    unsigned char cipher[32];
    unsigned char mac[32];
};

struct secret {
    size_t length;
    unsigned char bytes[SECRET_MOST];
};

struct tls_tickets {
    struct tls_context *tls_context;
    EVP_CIPHER *cipher;
    uint32_t rotate_s;
    uint64_t stretch; /* that `keys` are of */
    uint32_t count;
    struct secret *secrets;
    struct ticket_key *keys; /* [secret][stretch]: the present one first */
};

/* --- keys -------------------------------------------------------------------------------- */

static bool draw(struct tls_context *tls_context, const struct secret *secret, uint64_t stretch,
                 unsigned char part, unsigned char *into, size_t size)
{
    unsigned char label[] = "turnpike ticket\0........";
    unsigned char drawn[EVP_MAX_MD_SIZE];
    size_t length = 0;

    label[15] = part;
    for (int i = 0; i < 8; i++) {
        label[16 + i] = (unsigned char)(stretch >> (8 * i));
    }
    if (EVP_Q_mac(tls_context->library, "HMAC", NULL, "SHA256", NULL, secret->bytes, secret->length,
                  label, sizeof(label) - 1, drawn, sizeof(drawn), &length) == NULL ||
        length < size) {
        return false;
    }
    memcpy(into, drawn, size);
    OPENSSL_cleanse(drawn, sizeof(drawn));
    return true;
}

static bool draw_keys(struct tls_tickets *tickets, uint64_t stretch)
{
    for (uint32_t i = 0; i < tickets->count * STRETCHES; i++) {
        static const int offsets[STRETCHES] = {0, -1, 1};
        const struct secret *secret = &tickets->secrets[i / STRETCHES];
        uint64_t of = stretch + (uint64_t)(int64_t)offsets[i % STRETCHES];
        struct ticket_key *key = &tickets->keys[i];

        if (!draw(tickets->tls_context, secret, of, 1, key->name, sizeof(key->name)) ||
            !draw(tickets->tls_context, secret, of, 2, key->cipher, sizeof(key->cipher)) ||
            !draw(tickets->tls_context, secret, of, 3, key->mac, sizeof(key->mac))) {
            return false;
        }
    }
    tickets->stretch = stretch;
    return true;
}

static bool keys_are_fresh(struct tls_tickets *tickets)
{
    uint64_t stretch = tickets->rotate_s == 0 ? 1 : (uint64_t)time(NULL) / tickets->rotate_s;

    return stretch == tickets->stretch || draw_keys(tickets, stretch);
}

/* --- the library asks -------------------------------------------------------------------- */

static bool set_mac(EVP_MAC_CTX *mac, struct ticket_key *key)
{
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof(key->mac)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, "SHA256", 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

static int begin_ticket(struct tls_tickets *tickets, unsigned char *name, unsigned char *iv,
                        EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    struct ticket_key *key = &tickets->keys[0];

    memcpy(name, key->name, sizeof(key->name));
    return RAND_bytes_ex(tickets->tls_context->library, iv, 16, 0) == 1 &&
                   EVP_EncryptInit_ex(cipher, tickets->cipher, NULL, key->cipher, iv) == 1 &&
                   set_mac(mac, key)
               ? 1
               : -1;
}

/* 0: not ours, or too old; 1: good; 2: good, and to be made anew. */
static int open_ticket(struct tls_tickets *tickets, const unsigned char *name,
                       const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    for (uint32_t i = 0; i < tickets->count * STRETCHES; i++) {
        struct ticket_key *key = &tickets->keys[i];

        if (memcmp(key->name, name, sizeof(key->name)) == 0) {
            bool opened = EVP_DecryptInit_ex(cipher, tickets->cipher, NULL, key->cipher, iv) == 1 &&
                          set_mac(mac, key);

            return !opened ? -1 : i == 0 ? 1 : 2;
        }
    }
    return 0;
}

int tls_tickets_use(struct tls_tickets *tickets, unsigned char *name, unsigned char *iv,
                    struct evp_cipher_ctx_st *cipher, struct evp_mac_ctx_st *mac, bool encrypts)
{
    if (!keys_are_fresh(tickets)) {
        return -1;
    }
    return encrypts ? begin_ticket(tickets, name, iv, cipher, mac)
                    : open_ticket(tickets, name, iv, cipher, mac);
}

/* --- age --------------------------------------------------------------------------------- */

/* When the full handshake was that a session began with. Each handshake of TLS 1.3 that resumes it
 * gives a new ticket, whose own time begins anew: without this a session would never end (RFC 8446
 * section 4.6.1 asks for a bound), nor would what a client's certificate proved once. */
static int note_beginning(SSL *ssl, void *owner)
{
    SSL_SESSION *session = SSL_get_session(ssl);
    int64_t now_s = (int64_t)time(NULL);
    void *noted;
    size_t length;

    (void)owner;
    if (SSL_SESSION_get0_ticket_appdata(session, &noted, &length) == 1 && length != 0) {
        return 1; /* it was resumed, and keeps what it brought */
    }
    return SSL_SESSION_set1_ticket_appdata(session, &now_s, sizeof(now_s));
}

static bool is_young(SSL_SESSION *session, uint32_t lifetime_s)
{
    void *noted;
    size_t length;
    int64_t began_s;

    if (SSL_SESSION_get0_ticket_appdata(session, &noted, &length) != 1 ||
        length != sizeof(began_s)) {
        return false;
    }
    memcpy(&began_s, noted, sizeof(began_s));
    return (int64_t)time(NULL) - began_s < (int64_t)lifetime_s;
}

static uint32_t lifetime_of(const struct tls_tickets *tickets)
{
    return tickets->rotate_s != 0 ? tickets->rotate_s : LIFETIME_S;
}

static SSL_TICKET_RETURN judge_age(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
                                   size_t name_length, SSL_TICKET_STATUS status, void *owner)
{
    (void)ssl, (void)name, (void)name_length;
    if ((status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) ||
        !is_young(session, lifetime_of(owner))) {
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    }
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

void tls_tickets_bound_age(struct tls_tickets *tickets, struct ssl_ctx_st *context)
{
    SSL_CTX_set_timeout(context, lifetime_of(tickets));
    SSL_CTX_set_session_ticket_cb(context, note_beginning, judge_age, tickets);
}

/* --- life -------------------------------------------------------------------------------- */

static bool read_secret(struct secret *secret, const char *path, struct tls_report *report)
{
    struct stat facts;
    BIO *file = tls_open_file(path, &facts, report);
    int length = 0;

    if (file == NULL) {
        return false;
    }
    if (tls_is_kept_secret(report, path, &facts)) {
        length = BIO_read(file, secret->bytes, sizeof(secret->bytes));
        if (length < SECRET_LEAST || facts.st_size > SECRET_MOST) {
            tls_say(report,
                    "%s must hold %d to %d random bytes; make it with openssl rand -out FILE 48",
                    path, SECRET_LEAST, SECRET_MOST);
            length = 0;
        }
    }
    BIO_free(file);
    secret->length = (size_t)length;
    return length > 0;
}

static bool take_secrets(struct tls_tickets *tickets, const struct tls_listener_settings *tls,
                         struct tls_report *report)
{
    bool taken = true;

    if (tls->ticket_key_count == 0 && tls_process_secret() == NULL) {
        tls_say(report, "no random bytes for tickets");
        return false;
    }
    if (tls->ticket_key_count == 0) {
        tickets->secrets[0].length = TLS_PROCESS_SECRET_BYTES;
        memcpy(tickets->secrets[0].bytes, tls_process_secret(), TLS_PROCESS_SECRET_BYTES);
    }
    for (uint32_t i = 0; i < tls->ticket_key_count; i++) {
        report->at = tls->ticket_keys[i].at;
        taken &= read_secret(&tickets->secrets[i], tls->ticket_keys[i].path, report);
    }
    return taken;
}

struct tls_tickets *tls_tickets_new(struct tls_context *tls_context,
                                    const struct tls_listener_settings *tls,
                                    struct tls_report *report)
{
    struct tls_tickets *tickets = calloc(1, sizeof(*tickets));

    if (tickets == NULL) {
        tls_say(report, "out of memory");
        return NULL;
    }
    tickets->tls_context = tls_context;
    tickets->rotate_s = tls->ticket_rotate / 1000;
    tickets->count = tls->ticket_key_count > 0 ? tls->ticket_key_count : 1;
    tickets->secrets = calloc(tickets->count, sizeof(*tickets->secrets));
    tickets->keys = calloc((size_t)tickets->count * STRETCHES, sizeof(*tickets->keys));
    tickets->cipher = EVP_CIPHER_fetch(tls_context->library, "AES-256-CBC", NULL);
    if (tickets->secrets == NULL || tickets->keys == NULL || tickets->cipher == NULL) {
        tls_say(report, "out of memory");
    } else if (take_secrets(tickets, tls, report)) {
        return tickets;
    }
    tls_tickets_free(&tickets);
    return NULL;
}

void tls_tickets_free(struct tls_tickets **held)
{
    struct tls_tickets *tickets = *held;

    *held = NULL;
    if (tickets == NULL) {
        return;
    }
    if (tickets->secrets != NULL) {
        OPENSSL_cleanse(tickets->secrets, tickets->count * sizeof(*tickets->secrets));
    }
    if (tickets->keys != NULL) {
        OPENSSL_cleanse(tickets->keys, (size_t)tickets->count * STRETCHES * sizeof(*tickets->keys));
    }
    EVP_CIPHER_free(tickets->cipher);
    free(tickets->secrets);
    free(tickets->keys);
    free(tickets);
}
