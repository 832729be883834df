/* SPDX-License-Identifier: BSD-2-Clause */
/* SHA-256 of a file's bytes, as text: what the audit log calls a configuration by. */
#ifndef PROCESS_RELOAD_FINGERPRINT_H
#define PROCESS_RELOAD_FINGERPRINT_H

#include "base/bytes.h"

#define FINGERPRINT_LENGTH 64

struct fingerprint {
    char text[FINGERPRINT_LENGTH + 1];
};

struct fingerprint fingerprint_of(struct bytes bytes);

#endif
