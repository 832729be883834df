/* SPDX-License-Identifier: BSD-2-Clause */
/* What the YAML library says of a text that it cannot read, turned into what an operator can act
 * on: which line, what stands there, what to write. Called by config/yaml/yaml_reader. */
#ifndef CONFIG_YAML_YAML_FAILURE_H
#define CONFIG_YAML_YAML_FAILURE_H

#include "config/errors.h"

struct yaml_failure {
    struct bytes source;
    const char *problem; /* the library's words */
    struct mark problem_mark;
    const char *context; /* what it was doing; NULL: it does not say */
    struct mark context_mark;
    struct mark opening; /* of the innermost '[' or '{' that is open; line 0: none */
};

void config_report_yaml_failure(struct config_errors *errors, const struct yaml_failure *failure);

#endif
