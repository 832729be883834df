/* SPDX-License-Identifier: BSD-2-Clause */
/* What a client's certificate says, as text: for routes, for origins (RFC 9440), for the log.
 * Taken once, when the handshake is over. */
#include "tls/tls_private.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <stdlib.h>

#define NAMES_MAX 64
#define BYTES_MAX 12000 /* of the certificate: its header must fit into a request's head */

static struct bytes keep(const char *at, size_t length)
{
    char *copy = at != NULL ? strndup(at, length) : NULL;

    return (struct bytes){copy, copy != NULL ? strlen(copy) : 0};
}

static const ASN1_STRING *text_of(const GENERAL_NAME *name)
{
    switch (name->type) {
    case GEN_DNS:
        return name->d.dNSName;
    case GEN_EMAIL:
        return name->d.rfc822Name;
    case GEN_URI:
        return name->d.uniformResourceIdentifier;
    default:
        return NULL;
    }
}

static void take_names(struct tls_client *client, X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

    for (int i = 0; i < sk_GENERAL_NAME_num(names) && client->name_count < NAMES_MAX; i++) {
        const ASN1_STRING *text = text_of(sk_GENERAL_NAME_value(names, i));
        const char *at = text != NULL ? (const char *)ASN1_STRING_get0_data(text) : NULL;
        size_t length = text != NULL ? (size_t)ASN1_STRING_length(text) : 0;

        if (length > 0 && memchr(at, 0, length) == NULL) {
            client->names[client->name_count] = keep(at, length);
            client->name_count += client->names[client->name_count].at != NULL;
        }
    }
    GENERAL_NAMES_free(names);
}

/* RFC 9440 section 2.1: a byte sequence of RFC 8941, colons around base64. */
static struct bytes header_of(X509 *certificate)
{
    unsigned char *der = NULL;
    int length = i2d_X509(certificate, &der);
    char *text = NULL;
    int written = 0;

    if (length > 0 && length <= BYTES_MAX &&
        (text = malloc(4 * ((size_t)length + 2) / 3 + 4)) != NULL) {
        text[0] = ':';
        written = EVP_EncodeBlock((unsigned char *)text + 1, der, length);
        text[1 + written] = ':';
    }
    OPENSSL_free(der);
    return (struct bytes){text, text != NULL ? (size_t)written + 2 : 0};
}

struct tls_client *tls_client_new(struct x509_st *certificate)
{
    struct tls_client *client = calloc(1, sizeof(*client));

    if (client == NULL || (client->names = calloc(NAMES_MAX, sizeof(*client->names))) == NULL) {
        tls_client_free(&client);
        return NULL;
    }
    client->subject = bytes_of(
        tls_name_text(X509_get_subject_name(certificate), XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB));
    client->header = header_of(certificate);
    take_names(client, certificate);
    ERR_clear_error();
    if (client->header.at == NULL || client->subject.at == NULL) {
        tls_client_free(&client);
    }
    return client;
}

void tls_client_free(struct tls_client **held)
{
    struct tls_client *client = *held;

    *held = NULL;
    if (client == NULL) {
        return;
    }
    for (uint32_t i = 0; i < client->name_count; i++) {
        free((char *)client->names[i].at);
    }
    free(client->names);
    free((char *)client->subject.at);
    free((char *)client->header.at);
    free(client);
}
