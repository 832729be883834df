/* SPDX-License-Identifier: BSD-2-Clause */
/* A certificate of a.example that signs itself, good for an hour, and its key, in a folder of their
 * own below /tmp. */
#ifndef FAKES_CERTIFICATE_FILES_H
#define FAKES_CERTIFICATE_FILES_H

struct certificate_files {
    char folder[32];
    char cert[64];
    char key[64];
};

void certificate_files_make(struct certificate_files *files);
void certificate_files_remove(const struct certificate_files *files);

#endif
