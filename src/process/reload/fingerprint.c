/* SPDX-License-Identifier: BSD-2-Clause */
/* OpenSSL's SHA-256; its names stay here. */
#include "process/reload/fingerprint.h"

#include <openssl/evp.h>

struct fingerprint fingerprint_of(struct bytes bytes)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    struct fingerprint fingerprint = {""};

    if (EVP_Digest(bytes.at, bytes.length, digest, &length, EVP_sha256(), NULL) != 1 ||
        length != FINGERPRINT_LENGTH / 2) {
        return fingerprint;
    }
    for (unsigned i = 0; i < length; i++) {
        fingerprint.text[2 * i] = digits[digest[i] >> 4];
        fingerprint.text[2 * i + 1] = digits[digest[i] & 15];
    }
    return fingerprint;
}
