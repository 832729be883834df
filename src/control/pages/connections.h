/* SPDX-License-Identifier: BSD-2-Clause */
/* A client connection as a row of JSON, for /v1/connections and the live page. */
#ifndef CONTROL_CONNECTIONS_H
#define CONTROL_CONNECTIONS_H

#include "base/json.h"
#include "client/guard/client_list.h"

/* Its members, without braces. */
void connection_row_add(struct json *json, const struct client_row *row);

#endif
