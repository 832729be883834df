/* SPDX-License-Identifier: BSD-2-Clause */
/* `turnpikectl top`: what the live page shows, on a terminal, until q is pressed. */
#ifndef REMOTE_TOP_H
#define REMOTE_TOP_H

/* Where stdout is no terminal, prints once and ends. The exit status. */
int top_run(const char *socket);

extern const char top_help[]; /* its keys */

#endif
