/* SPDX-License-Identifier: BSD-2-Clause */
/* What is told after a reload beside the changes of the settings: to the log, the audit log and the
 * operator who asked. Each adds to the text in `line`; nothing where nothing was. */
#ifndef PROCESS_RELOAD_RELOAD_REPORT_H
#define PROCESS_RELOAD_RELOAD_REPORT_H

#include "config/settings.h"

struct tls_store;

/* Certificates that are others than before, though the configuration names the same files: what a
 * renewal changes. "; certificates: 1 renewed (FILE)". */
void reload_report_certificates(const struct tls_store *before, const struct tls_store *now,
                                char *line, size_t size);
/* Options that hold from the start of the process to its end (settings_fixed_options), and are others in
 * the file now: they wait for the next start. */
void reload_report_fixed_options(const struct settings *first, const struct settings *now,
                                 char *line, size_t size);

#endif
