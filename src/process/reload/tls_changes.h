/* SPDX-License-Identifier: BSD-2-Clause */
/* Which certificates are others than before, though the configuration names the same files: what a
 * renewal changes. Told after a reload, to the log, the audit log and the operator who asked. */
#ifndef PROCESS_RELOAD_TLS_CHANGES_H
#define PROCESS_RELOAD_TLS_CHANGES_H

#include <stddef.h>

struct tls_store;

/* Adds "; certificates: 1 renewed (FILE)" to the text in `line`; nothing where nothing was. */
void tls_changes_report(const struct tls_store *before, const struct tls_store *now, char *line,
                        size_t size);

#endif
