/* SPDX-License-Identifier: BSD-2-Clause */
/* What rows of the option table (config/schema/schema.c) name: readers and checks of values that
 * have a form of their own, each in the read_*.c file of its subject. */
#ifndef CONFIG_READ_READERS_H
#define CONFIG_READ_READERS_H

#include "config/schema/schema.h"

/* A value, or a member of a list. */
option_reader config_read_access_log, config_read_log_target, config_read_log_field;
option_reader config_read_collector, config_read_admin_socket, config_read_admin_metrics;
option_reader config_read_dns_server, config_read_network, config_read_error_page;
option_reader config_read_listener, config_read_listen_address;
option_reader config_read_tls_host, config_read_ticket_key;
option_reader config_read_service, config_read_origin, config_read_status;
option_reader config_read_route, config_read_route_service, config_read_arm, config_read_step;
option_reader config_read_host, config_read_method, config_read_condition,
    config_read_listener_name;
option_reader config_read_source, config_read_header_source, config_read_ramp_target;
option_reader config_read_header_remove, config_read_header_set, config_read_header_add;
option_reader config_read_respond_headers, config_read_rate_limit;
option_reader config_read_opening, config_read_waiting_page, config_read_ticket_secret;
option_reader config_read_kept; /* a text as it is, as struct bytes */

/* What is left to check once the row has read a value or a group. */
option_reader config_check_user, config_check_via, config_check_include, config_check_limits;
option_reader config_check_client_limits, config_check_collector_tls, config_check_client_auth;
option_reader config_check_service_tls, config_check_lenient, config_check_health;
option_reader config_check_probe, config_check_proxy_protocol, config_check_route_name,
    config_check_match;
option_reader config_check_certificate, config_check_respond, config_check_redirect;
option_reader config_check_rewrite;

/* What may stand in a text (text_rules.c). */
typedef bool text_rule(struct bytes text);
text_rule config_is_token;        /* RFC 9110 section 5.6.2 */
text_rule config_is_field_value;  /* RFC 9110 section 5.5 */
text_rule config_is_visible;      /* not empty, printable ASCII without spaces */
text_rule config_is_name;         /* of a service or route */
text_rule config_is_host_name;    /* DNS name, not an address */
text_rule config_is_host_pattern; /* the same, or "*." and one */
text_rule config_is_grpc_name;    /* of a service or method */
text_rule config_is_absolute;     /* path of a file */
text_rule config_is_request_path; /* path and query, as they go into a request */
text_rule config_is_rewrite;      /* path without a query */

#endif
