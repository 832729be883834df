/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of other gateways' names, asked by config/read/read_group for each option that it does not know.
 * doc/FROM-NGINX.md and its siblings say more of each. */
#include "config/schema/foreign.h"

/* clang-format off */
static const struct foreign_name names[] = {
    {"listen",                      "listeners"},
    {"server",                      "listeners"},
    {"servers",                     "services"},
    {"bind",                        "listeners"},
    {"frontend",                    "listeners"},
    {"frontends",                   "listeners"},
    {"entrypoints",                 "listeners"},
    {"upstream",                    "services"},
    {"upstreams",                   "services"},
    {"backend",                     "services"},
    {"backends",                    "services"},
    {"cluster",                     "services"},
    {"clusters",                    "services"},
    {"endpoints",                   "origins"},
    {"location",                    "routes"},
    {"locations",                   "routes"},
    {"virtual_hosts",               "routes"},
    {"proxy_pass",                  "service"},
    {"use_backend",                 "service"},
    {"default_backend",             "service"},
    {"weighted_clusters",           "split"},
    {"split_clients",               "split"},
    {"canary",                      "split"},
    {"server_name",                 "match.host"},
    {"server_names",                "match.host"},
    {"return",                      "respond"},
    {"direct_response",             "respond"},
    {"worker_processes",            "workers"},
    {"nbthread",                    "workers"},
    {"threads",                     "workers"},
    {"worker_connections",          "limits.max_connections"},
    {"maxconn",                     "limits.max_connections"},
    {"worker_rlimit_nofile",        "limits.descriptors"},
    {"client_max_body_size",        "limits.body_bytes"},
    {"max_body_size",               "limits.body_bytes"},
    {"large_client_header_buffers", "limits.head_bytes"},
    {"client_header_timeout",       "timeouts.head"},
    {"client_body_timeout",         "timeouts.body_idle"},
    {"send_timeout",                "timeouts.response_idle"},
    {"keepalive_timeout",           "timeouts.keepalive_idle"},
    {"keepalive_requests",          "limits.requests_per_connection"},
    {"keepalive",                   "pool.max_idle"},
    {"proxy_connect_timeout",       "timeouts.connect"},
    {"connect_timeout",             "timeouts.connect"},
    {"proxy_read_timeout",          "timeouts.first_byte"},
    {"proxy_send_timeout",          "timeouts.send_idle"},
    {"max_conns",                   "pool.max_connections"},
    {"max_fails",                   "health.consecutive_failures"},
    {"fail_timeout",                "health.ejection_time"},
    {"outlier_detection",           "health"},
    {"circuit_breaker",             "health"},
    {"circuit_breakers",            "health"},
    {"health_check",                "health.probe"},
    {"health_checks",               "health.probe"},
    {"healthcheck",                 "health.probe"},
    {"lb_policy",                   "balance"},
    {"retries",                     "retry"},
    {"retry_policy",                "retry"},
    {"proxy_next_upstream",         "retry"},
    {"rate_limit",                  "rate_limits"},
    {"limit_req",                   "rate_limits"},
    {"limit_conn",                  "client_limits.max_connections"},
    {"proxy_cache",                 "cache"},
    {"proxy_cache_lock",            "coalesce"},
    {"add_header",                  "response_headers"},
    {"proxy_hide_header",           "response_headers"},
    {"proxy_set_header",            "request_headers"},
    {"proxy_redirect",              "rewrite_location"},
    {"error_page",                  "error_pages"},
    {"resolver",                    "dns.servers"},
    {"set_real_ip_from",            "trusted_proxies"},
    {"real_ip",                     "trusted_proxies"},
    {"ssl",                         "tls"},
    {"ssl_certificate",             "tls.certificates"},
    {"ssl_certificate_key",         "tls.certificates"},
    {"ssl_protocols",               "tls.min_version"},
    {"ssl_ciphers",                 "tls.ciphers"},
    {"pid",                         "pid_file"},
    {"stats",                       "admin"},
};
/* clang-format on */

#define COUNT (sizeof(names) / sizeof(names[0]))

static bool is_spelt(struct bytes typed, const char *name)
{
    size_t i;

    for (i = 0; i < typed.length && name[i] != '\0'; i++) {
        char byte = typed.at[i] == '-' ? '_' : typed.at[i];

        bytes_lower(&byte, 1);
        if (byte != name[i]) {
            return false;
        }
    }
    return i == typed.length && name[i] == '\0';
}

const struct foreign_name *config_foreign_name(struct bytes name)
{
    for (size_t i = 0; i < COUNT; i++) {
        if (is_spelt(name, names[i].name)) {
            return &names[i];
        }
    }
    return NULL;
}

const struct foreign_name *config_foreign_name_at(size_t index)
{
    return index < COUNT ? &names[index] : NULL;
}
