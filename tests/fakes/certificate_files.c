/* SPDX-License-Identifier: BSD-2-Clause */
#include "certificate_files.h"

#include "base/check.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static X509 *certificate_of(EVP_PKEY *key)
{
    X509 *certificate = X509_new();

    CHECK(certificate != NULL);
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)"a.example", -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    CHECK(X509_sign(certificate, key, EVP_sha256()) > 0);
    return certificate;
}

void certificate_files_make(struct certificate_files *files)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = certificate_of(key);
    FILE *file;

    strcpy(files->folder, "/tmp/turnpike-tls-XXXXXX");
    CHECK(mkdtemp(files->folder) != NULL);
    snprintf(files->cert, sizeof(files->cert), "%s/a.crt", files->folder);
    snprintf(files->key, sizeof(files->key), "%s/a.key", files->folder);
    file = fopen(files->cert, "w");
    CHECK(file != NULL && PEM_write_X509(file, certificate) == 1 && fclose(file) == 0);
    file = fopen(files->key, "w");
    CHECK(file != NULL && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1 &&
          fclose(file) == 0 && chmod(files->key, 0600) == 0);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

void certificate_files_remove(const struct certificate_files *files)
{
    unlink(files->cert);
    unlink(files->key);
    rmdir(files->folder);
}
