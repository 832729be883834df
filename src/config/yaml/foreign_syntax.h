/* SPDX-License-Identifier: BSD-2-Clause */
/* What the configuration of other programs has and this one has not: told as such, so that an
 * operator does not look for a slip of the pen. */
#ifndef CONFIG_YAML_FOREIGN_SYNTAX_H
#define CONFIG_YAML_FOREIGN_SYNTAX_H

#include "config/yaml/node.h"

/* Refuses values with a variable in them. Texts that go to clients and origins as they are (bodies,
 * header lines) may hold one. */
void config_refuse_variables(struct node *root, struct config_errors *errors);

/* Whether a text for match.path, match.path_prefix or match.host is meant as a pattern. */
bool config_looks_like_regex(struct bytes text);

#endif
