/* SPDX-License-Identifier: BSD-2-Clause */
/* Who the client behind trusted proxies is, as their lines tell: X-Forwarded-For, or Forwarded
 * (RFC 7239) where that one is absent. Called by admit.c for requests of trusted proxies only.
 * X-Forwarded-For goes first since a proxy that writes only that one passes on whatever Forwarded
 * its own client made up. */
#ifndef ROUTE_PROXIED_CLIENT_H
#define ROUTE_PROXIED_CLIENT_H

#include "base/address.h"
#include "config/settings.h"
#include "http/message.h"

/* The last address in it that is not one of our proxies; if all are, the first. What is no address
 * (unknown, _hidden) ends what can be believed. false: nothing was told, *ip is as it was. */
bool proxied_client_find(const struct http_headers *headers, const struct settings *settings,
                         struct ip *ip);
bool proxied_client_is_trusted(const struct settings *settings, const struct ip *ip);

#endif
