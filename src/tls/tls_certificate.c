/* SPDX-License-Identifier: BSD-2-Clause */
/* A certificate and its key: read from their files, checked, and the names in it taken out; problems with
 * the files of TLS, told with what they are about. Called while a store is built, away from the loops. */
#include "tls/tls_private.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PEM_BYTES_MAX (1024 * 1024)
#define NAMES_MAX 1000
#define PROBLEM_ROOM 512

/* --- problems ---------------------------------------------------------------------------- */

void tls_say(struct tls_report *report, const char *format, ...)
{
    char place[FILE_PLACE_TEXT_MAX];
    char text[PROBLEM_ROOM];
    char whole[FILE_PLACE_TEXT_MAX + PROBLEM_ROOM + 320];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (report->user != NULL) {
        snprintf(whole, sizeof(whole), "%s%s %s: %s", file_place_text(&report->at, place),
                 report->user_kind, report->user, text);
    } else {
        snprintf(whole, sizeof(whole), "%s", text);
    }
    report->report(report->owner, whole);
}

void tls_report_nothing(void *owner, const char *problem)
{
    (void)owner;
    (void)problem;
}

const char *tls_reason(void)
{
    unsigned long first = ERR_peek_error();
    const char *reason = ERR_SYSTEM_ERROR(first) ? strerror(ERR_GET_REASON(first))
                                                 : ERR_reason_error_string(ERR_peek_last_error());

    ERR_clear_error();
    return reason != NULL ? reason : "no reason given";
}

/* --- files ------------------------------------------------------------------------------- */

BIO *tls_open_file(const char *path, struct stat *facts, struct tls_report *report)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;

    if (file == NULL || fstat(fd, facts) < 0) {
        tls_say(report, "%s cannot be read: %s", path, strerror(errno));
    } else if (!S_ISREG(facts->st_mode) || facts->st_size > PEM_BYTES_MAX) {
        tls_say(report, "%s is not read: it is no regular file, or longer than 1 MiB", path);
    } else {
        BIO *bio = BIO_new_fp(file, BIO_CLOSE);

        if (bio != NULL) {
            return bio;
        }
        tls_say(report, "%s cannot be read: out of memory", path);
    }
    if (file != NULL) {
        fclose(file);
    } else if (fd >= 0) {
        close(fd);
    }
    return NULL;
}

bool tls_is_file(const char *path, struct tls_report *report)
{
    struct stat facts;
    BIO *bio = tls_open_file(path, &facts, report);

    BIO_free(bio);
    return bio != NULL;
}

bool tls_is_kept_secret(struct tls_report *report, const char *path, const struct stat *facts)
{
    if ((facts->st_mode & (S_IROTH | S_IWOTH)) != 0) {
        tls_say(report,
                "%s: every user of this machine may %s this file, which holds a secret; take that "
                "away with chmod o= %s",
                path, (facts->st_mode & S_IROTH) != 0 ? "read" : "write", path);
        return false;
    }
    if ((facts->st_mode & (S_IRGRP | S_IWGRP)) != 0) {
        report->shared_key = report->shared_keys++ == 0 ? path : report->shared_key;
    }
    return true;
}

/* NULL: it cannot be read, which was told when it was taken up. */
static BIO *open_again(const char *path)
{
    struct tls_report silent = {.report = tls_report_nothing};
    struct stat facts;

    return tls_open_file(path, &facts, &silent);
}

uint64_t tls_print_of_file(const char *path)
{
    BIO *file = open_again(path);
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    unsigned char room[4096];
    unsigned char sum[EVP_MAX_MD_SIZE] = {0};
    uint64_t print = 0;
    int count = -1;

    if (file != NULL && digest != NULL && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1) {
        while ((count = BIO_read(file, room, sizeof(room))) > 0) {
            EVP_DigestUpdate(digest, room, (size_t)count);
        }
        if (EVP_DigestFinal_ex(digest, sum, NULL) == 1) {
            memcpy(&print, sum, sizeof(print));
        }
    }
    EVP_MD_CTX_free(digest);
    BIO_free(file);
    ERR_clear_error();
    return print;
}

/* --- the certificate --------------------------------------------------------------------- */

static X509 *next_certificate(BIO *bio, struct tls_context *tls_context)
{
    X509 *certificate = X509_new_ex(tls_context->library, NULL);

    if (certificate != NULL && PEM_read_bio_X509(bio, &certificate, NULL, NULL) == NULL) {
        X509_free(certificate);
        return NULL;
    }
    return certificate;
}

static bool read_chain(struct tls_certificate *certificate, struct tls_context *tls_context,
                       BIO *bio)
{
    X509 *next;

    certificate->leaf = next_certificate(bio, tls_context);
    certificate->chain = sk_X509_new_null();
    if (certificate->leaf == NULL || certificate->chain == NULL) {
        return false;
    }
    while ((next = next_certificate(bio, tls_context)) != NULL) {
        if (sk_X509_push(certificate->chain, next) <= 0) {
            X509_free(next);
            return false;
        }
    }
    /* The end of the file, and nothing else, ends the chain. */
    return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
}

/* Most often the clients of one name are left without a good answer; a start or a reload that
 * failed for it would leave those of all others without any. */
static bool is_in_date(const struct tls_certificate *certificate, const char *path,
                       enum tls_expired expired, struct tls_report *report)
{
    if (expired == TLS_EXPIRED_SERVE) {
        return true;
    }
    if (X509_cmp_current_time(X509_get0_notBefore(certificate->leaf)) > 0) {
        tls_say(report, "%s: the certificate is not valid yet, and tls.expired is refuse", path);
        return false;
    }
    if (X509_cmp_current_time(X509_get0_notAfter(certificate->leaf)) < 0) {
        tls_say(report, "%s: the certificate has expired, and tls.expired is refuse", path);
        return false;
    }
    return true;
}

static bool load_leaf(struct tls_certificate *certificate, struct tls_context *tls_context,
                      const struct tls_certificate_settings *settings, enum tls_expired expired,
                      struct tls_report *report)
{
    const char *path = settings->cert;
    struct stat facts;
    BIO *bio;
    bool read;

    report->at = settings->cert_at;
    bio = tls_open_file(path, &facts, report);
    if (bio == NULL) {
        return false;
    }
    read = read_chain(certificate, tls_context, bio);
    BIO_free(bio);
    if (!read) {
        tls_say(report, "%s holds no good PEM certificate: %s", path, tls_reason());
        return false;
    }
    ERR_clear_error();
    return is_in_date(certificate, path, expired, report);
}

/* --- the key ----------------------------------------------------------------------------- */

/* There is no person to ask for a passphrase. */
static int no_passphrase(char *room, int size, int writes, void *owner)
{
    (void)room, (void)size, (void)writes, (void)owner;
    return -1;
}

static bool load_key(struct tls_certificate *certificate, struct tls_context *tls_context,
                     const struct tls_certificate_settings *settings, struct tls_report *report)
{
    const char *path = settings->key;
    struct stat facts;
    BIO *bio;

    report->at = settings->key_at;
    bio = tls_open_file(path, &facts, report);
    if (bio == NULL) {
        return false;
    }
    if (tls_is_kept_secret(report, path, &facts)) {
        certificate->key =
            PEM_read_bio_PrivateKey_ex(bio, NULL, no_passphrase, NULL, tls_context->library, NULL);
        if (certificate->key == NULL) {
            tls_say(report, "%s holds no PEM key without a passphrase: %s", path, tls_reason());
        }
    }
    BIO_free(bio);
    if (certificate->key == NULL) {
        return false;
    }
    if (X509_check_private_key(certificate->leaf, certificate->key) != 1) {
        ERR_clear_error();
        tls_say(report, "%s is not the key of the certificate in %s", path, settings->cert);
        return false;
    }
    return true;
}

/* --- the names --------------------------------------------------------------------------- */

static bool add_name(struct tls_certificate *certificate, const ASN1_STRING *text)
{
    const char *from = (const char *)ASN1_STRING_get0_data(text);
    size_t length = (size_t)ASN1_STRING_length(text);
    char *name;

    if (length == 0 || length > 253 || memchr(from, 0, length) != NULL ||
        certificate->name_count == NAMES_MAX) {
        return true; /* no name that could be asked for */
    }
    name = strndup(from, length);
    if (name == NULL) {
        return false;
    }
    for (char *at = name; *at != '\0'; at++) {
        *at = (char)tolower((unsigned char)*at);
    }
    certificate->names[certificate->name_count++] = name;
    return true;
}

static bool add_alternative_names(struct tls_certificate *certificate, const GENERAL_NAMES *names)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_DNS && !add_name(certificate, name->d.dNSName)) {
            return false;
        }
    }
    return true;
}

/* The common name counts only where there is no subjectAltName (RFC 6125 section 6.4.4). */
static bool take_names(struct tls_certificate *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate->leaf, NID_subject_alt_name, NULL, NULL);
    X509_NAME *subject = X509_get_subject_name(certificate->leaf);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    bool taken = true;

    certificate->names = calloc(NAMES_MAX, sizeof(char *));
    if (certificate->names == NULL) {
        taken = false;
    } else if (names != NULL) {
        taken = add_alternative_names(certificate, names);
    } else if (at >= 0) {
        taken = add_name(certificate, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    }
    GENERAL_NAMES_free(names);
    ERR_clear_error();
    return taken;
}

bool tls_certificate_use(const struct tls_certificate *certificate, SSL_CTX *context,
                         const struct tls_certificate_settings *files, struct tls_report *report)
{
    report->at = files->cert_at;
    if (SSL_CTX_use_cert_and_key(context, certificate->leaf, certificate->key, certificate->chain,
                                 1) != 1) {
        tls_say(report, "%s cannot be used: %s", files->cert, tls_reason());
        return false;
    }
    return true;
}

/* --- for people -------------------------------------------------------------------------- */

char *tls_name_text(struct X509_name_st *name, unsigned long flags)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *text = NULL;
    char *copy = NULL;
    long length;

    if (out != NULL && X509_NAME_print_ex(out, name, 0, flags) >= 0 &&
        (length = BIO_get_mem_data(out, &text)) >= 0) {
        copy = strndup(text != NULL ? text : "", (size_t)length);
    }
    BIO_free(out);
    return copy;
}

static char *key_type_text(EVP_PKEY *key)
{
    char group[64] = "";
    char text[128];
    int bits = key != NULL ? EVP_PKEY_get_bits(key) : 0;

    if (key == NULL) {
        snprintf(text, sizeof(text), "unknown");
    } else if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) {
        snprintf(text, sizeof(text), "RSA %d", bits);
    } else if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
               EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1) {
        snprintf(text, sizeof(text), "ECDSA %s",
                 strcmp(group, "prime256v1") == 0 ? "P-256" : group);
    } else {
        snprintf(text, sizeof(text), "%s", OBJ_nid2sn(EVP_PKEY_get_base_id(key)));
    }
    return strdup(text);
}

static int64_t seconds_of(const ASN1_TIME *time)
{
    struct tm parts;

    return ASN1_TIME_to_tm(time, &parts) == 1 ? (int64_t)timegm(&parts) : 0;
}

static uint64_t print_of(const X509 *certificate)
{
    unsigned char sum[EVP_MAX_MD_SIZE] = {0};
    uint64_t print;

    X509_digest(certificate, EVP_sha256(), sum, NULL);
    memcpy(&print, sum, sizeof(print));
    return print;
}

static bool describe(struct tls_certificate *certificate)
{
    certificate->subject = tls_name_text(X509_get_subject_name(certificate->leaf), XN_FLAG_RFC2253);
    certificate->issuer = tls_name_text(X509_get_issuer_name(certificate->leaf), XN_FLAG_RFC2253);
    certificate->key_type = key_type_text(X509_get0_pubkey(certificate->leaf));
    certificate->not_before_s = seconds_of(X509_get0_notBefore(certificate->leaf));
    certificate->print = print_of(certificate->leaf);
    certificate->not_after_s = seconds_of(X509_get0_notAfter(certificate->leaf));
    return certificate->subject != NULL && certificate->issuer != NULL &&
           certificate->key_type != NULL;
}

bool tls_certificate_load(struct tls_certificate *certificate, struct tls_context *tls_context,
                          const struct tls_certificate_settings *settings, enum tls_expired expired,
                          struct tls_report *report)
{
    memset(certificate, 0, sizeof(*certificate));
    if (!load_leaf(certificate, tls_context, settings, expired, report) ||
        !load_key(certificate, tls_context, settings, report)) {
        tls_certificate_release(certificate);
        return false;
    }
    if (!take_names(certificate) || !describe(certificate)) {
        tls_say(report, "out of memory");
        tls_certificate_release(certificate);
        return false;
    }
    return true;
}

static bool give(X509 *leaf, tls_certificate_take *take, void *owner)
{
    struct tls_certificate *certificate = calloc(1, sizeof(*certificate));

    if (certificate == NULL) {
        X509_free(leaf);
        return false;
    }
    certificate->leaf = leaf;
    if (!describe(certificate)) {
        tls_certificate_release(certificate);
        free(certificate);
        return false;
    }
    return take(owner, certificate);
}

bool tls_certificates_each(struct tls_context *tls_context, const char *path,
                           tls_certificate_take *take, void *owner)
{
    BIO *file = open_again(path);
    X509 *next;
    bool given = true;

    while (file != NULL && given && (next = next_certificate(file, tls_context)) != NULL) {
        given = give(next, take, owner);
    }
    BIO_free(file);
    ERR_clear_error();
    return given;
}

void tls_certificate_release(struct tls_certificate *certificate)
{
    X509_free(certificate->leaf);
    sk_X509_pop_free(certificate->chain, X509_free);
    EVP_PKEY_free(certificate->key);
    for (uint32_t i = 0; i < certificate->name_count; i++) {
        free(certificate->names[i]);
    }
    free(certificate->names);
    free(certificate->subject);
    free(certificate->issuer);
    free(certificate->key_type);
    memset(certificate, 0, sizeof(*certificate));
}
