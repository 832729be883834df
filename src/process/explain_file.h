/* SPDX-License-Identifier: BSD-2-Clause */
/* `turnpike --explain`: what would become of a request by a configuration file. Called by main. */
#ifndef PROCESS_EXPLAIN_FILE_H
#define PROCESS_EXPLAIN_FILE_H

#include "config/snapshot.h"

/* `asked` is "METHOD URL" and header lines, each with its end; `listener` and `client`, an address, may be NULL. Takes the
 * snapshot over, prints to stdout; false after saying on stderr why not. */
bool explain_file(struct snapshot *snapshot, struct bytes asked, const char *listener,
                  const char *client);

#endif
