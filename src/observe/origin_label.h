/* SPDX-License-Identifier: BSD-2-Clause */
/* What an origin is called: as the file calls it, "10.0.0.1:80", "unix:/run/app.sock", "api:80"; and
 * where that is a name, with the address that this one of its origins has: "api:80@10.0.0.1". Made
 * in origin/service/dns_name.c; taken apart by those who show it. A host name contains no "@", a path may. */
#ifndef OBSERVE_ORIGIN_LABEL_H
#define OBSERVE_ORIGIN_LABEL_H

#include "base/bytes.h"

#include <string.h>

/* As the file, or an SRV record, calls it. */
static inline struct bytes origin_label_name(struct bytes label)
{
    const char *at = NULL;

    if (label.length > 0 && label.at[0] != '/' && !bytes_start_with(label, BYTES("unix:"))) {
        at = memchr(label.at, '@', label.length);
    }
    return at != NULL ? bytes_first(label, (size_t)(at - label.at)) : label;
}

/* Which of the name's addresses it has; empty where it is none of a name. */
static inline struct bytes origin_label_address(struct bytes label)
{
    size_t name = origin_label_name(label).length;

    return bytes_skip(label, name < label.length ? name + 1 : name);
}

#endif
