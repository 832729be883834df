/* SPDX-License-Identifier: BSD-2-Clause */
/* Names that options have in nginx, HAProxy, Envoy and others. A file that uses one gets an error that names
 * ours. */
#ifndef CONFIG_SCHEMA_FOREIGN_H
#define CONFIG_SCHEMA_FOREIGN_H

#include "base/bytes.h"

struct foreign_name {
    const char *name;
    const char *path; /* of the option that does the same here; stands somewhere in the schema */
};

/* NULL: no other gateway is known to call an option so. Case and '-' for '_' do not matter. */
const struct foreign_name *config_foreign_name(struct bytes name);
/* The rows one by one; NULL behind the last one. */
const struct foreign_name *config_foreign_name_at(size_t index);

#endif
