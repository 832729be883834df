/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of options itself, and walking it. After a change: contrib/check-options.sh --update */
#include "config/schema/schema.h"

#include "config/read/readers.h"
#include "config/settings.h"

#define FIELD(type, member) \
    .offset = offsetof(struct type, member), .size = sizeof(((struct type *)0)->member)
/* A value whose place in the file is kept as well. */
#define FIELD_AT(type, member, place) FIELD(type, member), .at = offsetof(struct type, place)
/* A file, whose place in the configuration is kept as MEMBER_at. */
#define ABSOLUTE(group, member) \
    .type = OPTION_TEXT, FIELD_AT(group, member, member##_at), .fits = config_is_absolute, \
    .expects = "an absolute path"
#define PEM_FILE(group, member) ABSOLUTE(group, member), .least = "2", .greatest = "4096"
/* A list: its array and its length. */
#define FIELD_LIST(type, member, count) \
    .offset = offsetof(struct type, member), .size = sizeof(void *), \
    .item_size = sizeof(*((struct type *)0)->member), \
    .to_count = offsetof(struct type, count) - offsetof(struct type, member)
/* A list beside its group in the settings. */
#define BESIDE_GROUP(group, member, count) \
    .offset = offsetof(struct settings, member) - offsetof(struct settings, group), \
    .item_size = sizeof(*((struct settings *)0)->member), \
    .to_count = offsetof(struct settings, count) - offsetof(struct settings, member)
#define IN_LISTENER(member) .in_listener = offsetof(struct listener_settings, member)
#define IN_ROUTE(member) .in_route = offsetof(struct route_settings, member)

/* Networks of clients or proxies. */
#define NETWORKS \
    .read = config_read_network, .expects = "a network such as 10.0.0.0/8, 192.0.2.7 or fd00::/8"

#define STATUSES \
    .read = config_read_status, \
    .expects = "a status such as 503, a range such as 500-599, a list of them, or none"
#define GRPC_STATUSES \
    .read = config_read_status, \
    .expects = "a gRPC status such as UNAVAILABLE, a list of them, or none"

#define HEADER_EDITS(name, both_ways) \
    {.path = #name, \
     .places = PLACE_ROUTE, \
     .type = OPTION_GROUP, \
     FIELD(route_settings, name), \
     .sample_off = true, \
     .help = "Changes to the header lines of " both_ways "; remove first, then set, then add."}, \
        {.path = #name ".remove", \
         .places = PLACE_ROUTE, \
         .type = OPTION_TEXTS, \
         .sample = "[X-Internal]", \
         .expects = "a header name", \
         .read = config_read_header_remove, \
         FIELD_LIST(header_edits, remove, remove_count), \
         .help = "Header names to take out."}, \
        {.path = #name ".set", \
         .places = PLACE_ROUTE, \
         .type = OPTION_HEADERS, \
         .sample = "{X-Gateway: turnpike}", \
         .read = config_read_header_set, \
         .help = "Header lines that take the place of all with the same name."}, \
    { \
        .path = #name ".add", .places = PLACE_ROUTE, .type = OPTION_HEADER_ROWS, \
        .sample = "{X-Note: seen}", .read = config_read_header_add, \
        .help = "Header lines to add to those that are there; a list allows one name twice." \
    }

/* clang-format off */
static const struct option options[] = {
    /* --- global --- */
    {.path = "workers", .places = PLACE_GLOBAL, .type = OPTION_COUNT, .initial = "auto",
     .zero_word = "auto", .least = "1", .greatest = "256", FIELD(settings, workers),
     .help = "Worker threads; auto: one for each CPU that the process may use."},
    {.path = "reuse_port", .places = PLACE_GLOBAL, .type = OPTION_CHOICE, .initial = "exclusive",
     .words = "exclusive|shared", FIELD(settings, reuse_port),
     .help = "What happens when another process of the same user listens at a listener's "
             "address. exclusive: the start fails. shared: both listen, and the kernel gives "
             "each a part of the connections. A binary upgrade takes sockets over in either "
             "case."},
    {.path = "user", .places = PLACE_GLOBAL, .type = OPTION_TEXT, .sample = "www-data",
     .sample_off = true, FIELD(settings, user),
     .read = config_check_user,
     .help = "Unprivileged user that the process becomes once all listeners are open. Absent: "
             "the user does not change."},
    {.path = "core_dumps", .places = PLACE_GLOBAL, .type = OPTION_FLAG, .initial = "false",
     FIELD(settings, core_dumps),
     .help = "Whether the process may write core dumps. On Linux, message buffers are left out of "
             "them, but not all data of clients, nor keys (SECURITY.md)."},
    {.path = "pid_file", .places = PLACE_GLOBAL, .sample = "/run/turnpike/turnpike.pid",
     .sample_off = true, ABSOLUTE(settings, pid_file),
     .help = "File that holds the pid of the serving process, an absolute path in a folder "
             "that `user` may write to. A binary upgrade replaces it."},
    {.path = "state_directory", .places = PLACE_GLOBAL, .sample = "/var/lib/turnpike",
     .sample_off = true, ABSOLUTE(settings, state_directory),
     .help = "Folder for the last good configuration, the audit log and decisions made at run "
             "time, an absolute path that `user` may write to. Absent: $STATE_DIRECTORY, or "
             "/var/lib/turnpike if it exists."},
    {.path = "via", .places = PLACE_GLOBAL, .type = OPTION_TEXT, .initial = "turnpike",
     .least = "1", .greatest = "64", FIELD(settings, via),
     .fits = config_is_token, .expects = "a name of letters, digits and -._ without spaces",
     .read = config_check_via,
     .help = "The gateway's name in the Via and Proxy-Status fields. To send an origin no Via, "
             "see via of a service."},
    {.path = "priority_header", .places = PLACE_GLOBAL, .type = OPTION_TEXT, .sample = "X-Priority",
     .sample_off = true, .least = "1", .greatest = "64", FIELD(settings, priority_header),
     .help = "Request header in which trusted_proxies may set the class of a request: critical, "
             "normal or bulk. It overrides the route (priority). From other clients it is ignored."},
    {.path = "request_id", .places = PLACE_GLOBAL, .type = OPTION_CHOICE, .initial = "trusted",
     .words = "trusted|any", FIELD(settings, request_id),
     .help = "Whose X-Request-Id is passed to origins and logged: that of trusted_proxies, or "
             "that of any client. Other requests get a new one, and the client's is logged as "
             "turnpike.client_request_id."},
    {.path = "access_log", .places = PLACE_GLOBAL, .type = OPTION_LOG_GROUP, .initial = "stderr",
     .words = "off|stderr|syslog",
     FIELD_AT(settings, access_log, access_log.at), .read = config_read_access_log,
     .expects = "off, stderr, syslog or an absolute path",
     .help = "Where the JSON line of each exchange is written: off, stderr, syslog or the path "
             "of a file, which SIGUSR1 reopens. A group (to, fields, sample) also says what is "
             "written."},
    {.path = "access_log.to", .places = PLACE_GLOBAL, .type = OPTION_LOG, .initial = "stderr",
     .words = "off|stderr|syslog",
     .at = offsetof(struct access_log_settings, at), .read = config_read_log_target,
     .expects = "off, stderr, syslog or an absolute path",
     .help = "Where the lines are written: off, stderr, syslog or the path of a file, which "
             "SIGUSR1 reopens."},
    {.path = "access_log.fields", .places = PLACE_GLOBAL, .type = OPTION_TEXTS,
     .sample = "[user_agent.original, http.request.header.referer]",
     FIELD_LIST(access_log_settings, fields, field_count), .most = ACCESS_FIELDS_MAX,
     .may_be_empty = true, .expects = "the name of a field", .read = config_read_log_field,
     .help = "Fields that a line has besides the usual ones, where the exchange has them: "
             "user_agent.original, http.request.header.NAME, http.response.header.NAME (of an "
             "origin's answer), tls.client.server_name, tls.client.subject, turnpike.handshake_ms, "
             "turnpike.query_keys (names of query parameters, without values). A value is cut at "
             "512 bytes, a referer at its query; card numbers are masked. Fields that hold "
             "credentials (Authorization, cookies) are refused."},
    {.path = "access_log.sample", .places = PLACE_GLOBAL, .type = OPTION_PERCENT,
     .initial = "100%", .least = "0%", .greatest = "100%", FIELD(access_log_settings, sample),
     .help = "Share of exchanges that have a line. Errors always have one: a status of 400 or "
             "more, an exchange that broke off, and one that was tried more than once."},
    {.path = "tracing", .places = PLACE_GLOBAL, .type = OPTION_GROUP, .sample_off = true,
     FIELD(settings, tracing),
     .help = "Spans of each exchange and its attempts, sent to a collector of OpenTelemetry. Origins "
             "get the context of their attempt as traceparent. Absent: there are no spans, and "
             "traceparent and tracestate pass untouched."},
    {.path = "tracing.to", .places = PLACE_GLOBAL, .type = OPTION_TEXT, .required = true,
     .sample = "http://127.0.0.1:4318/v1/traces",
     .at = offsetof(struct tracing_settings, tls.at), .read = config_read_collector,
     .expects = "a URL such as http://127.0.0.1:4318/v1/traces",
     .help = "URL that takes OTLP over HTTP in JSON, a POST about once a second. The certificate "
             "of an https:// URL must have the name in the URL. Workers never wait for the "
             "collector; spans that it does not take in time are dropped and counted."},
    {.path = "tracing.tls", .places = PLACE_GLOBAL, .type = OPTION_GROUP, .sample_off = true,
     FIELD(tracing_settings, tls), .read = config_check_collector_tls,
     .help = "How the certificate of a collector with an https:// URL is verified."},
    {.path = "tracing.tls.ca", .places = PLACE_GLOBAL,
     .sample = "/etc/turnpike/tls/collector-ca.crt", .sample_off = true,
     PEM_FILE(tls_service_settings, ca),
     .help = "PEM file with the CAs that may have issued the certificate of the collector. "
             "Absent: the CAs that the system trusts."},
    {.path = "tracing.sample", .places = PLACE_GLOBAL, .type = OPTION_PERCENT, .initial = "1%",
     .least = "0%", .greatest = "100%", FIELD(tracing_settings, sample),
     .help = "Share of new traces that are sampled. A request whose traceparent is trusted "
             "(tracing.parents) is sampled if its parent is."},
    {.path = "tracing.parents", .places = PLACE_GLOBAL, .type = OPTION_CHOICE,
     .initial = "trusted", .words = "trusted|any", FIELD(tracing_settings, parents),
     .help = "Whose traceparent is trusted: that of trusted_proxies, or that of any client. For "
             "other requests a new trace begins, with a link to the client's, and tracestate is "
             "dropped."},
    {.path = "tracing.timeout", .places = PLACE_GLOBAL, .type = OPTION_TIME, .initial = "10s",
     .least = "100ms", .greatest = "1m", FIELD(tracing_settings, timeout),
     .help = "How long one POST to the collector may take."},
    {.path = "admin", .places = PLACE_GLOBAL, .type = OPTION_GROUP,
     FIELD(settings, admin),
     .help = "The control interface: what turnpikectl talks to, and metrics for Prometheus."},
    {.path = "admin.socket", .places = PLACE_GLOBAL, .type = OPTION_LOG, .initial = "auto",
     .words = "auto|off",
     .at = offsetof(struct admin_settings, socket_at), .read = config_read_admin_socket,
     .expects = "auto, off or an absolute path of up to 107 bytes",
     .help = "Unix socket of turnpikectl. auto: /run/turnpike/admin.sock, if its folder "
             "exists. Any user with write permission on the socket can change traffic."},
    {.path = "admin.mode", .places = PLACE_GLOBAL, .type = OPTION_MODE, .initial = "0600",
     .least = "0000", .greatest = "0777", .sample_off = true, FIELD(admin_settings, mode),
     .help = "Permissions of the socket's file."},
    {.path = "admin.metrics", .places = PLACE_GLOBAL, .type = OPTION_ADDRESS,
     .sample = "127.0.0.1:9464", .sample_off = true,
     .at = offsetof(struct admin_settings, metrics_at), .read = config_read_admin_metrics,
     .expects = "an address with its port, such as 127.0.0.1:9464",
     .help = "Address that serves GET /metrics and GET /health, nothing else. A loopback address also "
             "serves the live page, GET /."},
    {.path = "dns", .places = PLACE_GLOBAL, .type = OPTION_GROUP, .sample_off = true,
     .help = "How names of origins are resolved."},
    {.path = "dns.servers", .places = PLACE_GLOBAL, .type = OPTION_TEXTS,
     .sample = "[127.0.0.1, \"127.0.0.1:8600\"]",
     .read = config_read_dns_server,
     .expects = "an address such as 127.0.0.1, ::1, 127.0.0.1:8600 or [::1]:8600",
     .help = "Addresses of the DNS servers, with a port unless it is 53. Absent: those of "
             "/etc/resolv.conf."},
    {.path = "include", .places = PLACE_GLOBAL, .type = OPTION_TEXTS, .sample = "conf.d/*.yaml",
     .sample_off = true,
     .may_be_empty = true, .expects = "a path or a pattern", .read = config_check_include,
     .help = "Files with further listeners, services and routes: paths, or patterns such as "
             "conf.d/*.yaml, whose files are read in order of their names; relative ones count "
             "from this file's folder. All other options stay in the main file."},
    {.path = "trusted_proxies", .places = PLACE_GLOBAL, .type = OPTION_NETWORKS, .initial = "[]",
     FIELD_LIST(settings, trusted_proxies, trusted_proxy_count), NETWORKS, .may_be_empty = true,
     .help = "Networks whose X-Forwarded-*, Forwarded, X-Real-IP and X-Request-Id lines are "
             "trusted and kept; those of other senders are dropped. The client is the last "
             "address in X-Forwarded-For, or else in Forwarded, outside of these networks."},

    {.path = "timeouts", .places = PLACE_GLOBAL | PLACE_ROUTE, .type = OPTION_GROUP,
     .sample = "{first_byte: 5s}",
     FIELD(settings, timeouts), IN_ROUTE(timeouts),
     .help = "Timeouts of clients and origins. A route may have its own."},
    {.path = "timeouts.handshake", .places = PLACE_GLOBAL | PLACE_LISTENER, .type = OPTION_TIME,
     .initial = "15s", .least = "10ms", .greatest = "1h", FIELD(timeouts_settings, handshake),
     .help = "From a connection's accept to the end of its TLS handshake or PROXY header."},
    {.path = "timeouts.head", .places = PLACE_GLOBAL | PLACE_LISTENER, .type = OPTION_TIME,
     .initial = "60s", .least = "10ms", .greatest = "1h", FIELD(timeouts_settings, head),
     .help = "From the first byte of a request head to its last. A client that takes longer "
             "gets 408."},
    {.path = "timeouts.request_buffer", .places = PLACE_GLOBAL | PLACE_ROUTE, .type = OPTION_TIME,
     .initial = "50ms", .zero_word = "none", .least = "1ms", .greatest = "1h",
     FIELD(timeouts_settings, request_buffer),
     .help = "How long a chunked request body is buffered (limits.request_buffer). Then the "
             "request goes on with the bytes received so far, or with its head alone, because "
             "the client may wait for a response. none: until the body is complete or larger "
             "than limits.request_buffer. Of a gRPC call: 5ms at most."},
    {.path = "timeouts.body_idle", .places = PLACE_GLOBAL | PLACE_ROUTE, .type = OPTION_TIME,
     .initial = "60s", .least = "10ms", .greatest = "1d", FIELD(timeouts_settings, body_idle),
     .help = "Longest pause of a client in a request body. In a two-way stream, a client that "
             "reads the response is not idle."},
    {.path = "timeouts.connect", .places = PLACE_GLOBAL | PLACE_ROUTE, .type = OPTION_TIME,
     .initial = "3s", .least = "10ms", .greatest = "1h", FIELD(timeouts_settings, connect),
     .help = "Time to connect to one address of an origin."},
    {.path = "timeouts.send_idle", .places = PLACE_GLOBAL | PLACE_ROUTE, .type = OPTION_TIME,
     .initial = "60s", .least = "10ms", .greatest = "1d", FIELD(timeouts_settings, send_idle),
     .help = "Maximum time between two writes of a request, while the origin takes no bytes. Then "
             "the client gets 504."},
    {.path = "timeouts.first_byte", .places = PLACE_GLOBAL | PLACE_ROUTE, .type = OPTION_TIME,
     .initial = "60s", .least = "10ms", .greatest = "1d", FIELD(timeouts_settings, first_byte),
     .help = "From the end of a request to the first byte of its response. Then the client gets "
             "504."},
    {.path = "timeouts.response_idle", .places = PLACE_GLOBAL | PLACE_ROUTE, .type = OPTION_TIME,
     .initial = "60s", .least = "10ms", .greatest = "1d", FIELD(timeouts_settings, response_idle),
     .help = "Time between two reads of a response from an origin, and between two writes to a "
             "client."},
    {.path = "timeouts.keepalive_idle", .places = PLACE_GLOBAL | PLACE_LISTENER,
     .type = OPTION_TIME, .initial = "75s", .least = "10ms", .greatest = "7d",
     FIELD(timeouts_settings, keepalive_idle),
     .help = "How long a client connection may be idle between two requests."},
    {.path = "timeouts.lifetime", .places = PLACE_GLOBAL | PLACE_LISTENER, .type = OPTION_TIME,
     .initial = "1h", .zero_word = "none", .least = "100ms", .greatest = "30d",
     FIELD(timeouts_settings, lifetime),
     .help = "Maximum age of a client connection, which then closes with its next response. Some "
             "connections close up to an eighth earlier, so that not all close at once."},
    {.path = "timeouts.tunnel_idle", .places = PLACE_GLOBAL | PLACE_ROUTE, .type = OPTION_TIME,
     .initial = "10m", .least = "10ms", .greatest = "7d", FIELD(timeouts_settings, tunnel_idle),
     .help = "How long an upgraded connection (WebSocket) may be idle in both directions."},
    {.path = "timeouts.stream_idle", .places = PLACE_GLOBAL | PLACE_ROUTE, .type = OPTION_TIME,
     .initial = "10m", .least = "10ms", .greatest = "7d", FIELD(timeouts_settings, stream_idle),
     .help = "How long a stream of an RPC may be idle in both directions. It holds in place of "
             "timeouts.body_idle, send_idle, first_byte and response_idle, and min_rates do not "
             "hold, for requests whose Content-Type is application/grpc, application/grpc-web or "
             "application/connect, with any suffix. A deadline ends them too (timeouts.total)."},
    {.path = "timeouts.total", .places = PLACE_GLOBAL | PLACE_ROUTE, .type = OPTION_TIME,
     .initial = "none", .zero_word = "none", .least = "10ms", .greatest = "1d",
     FIELD(timeouts_settings, total),
     .help = "From the first byte of a request to the last of its response. A trusted client "
             "may ask for less (deadline.header)."},
    {.path = "timeouts.lame_duck", .places = PLACE_GLOBAL, .type = OPTION_TIME, .initial = "0s",
     .least = "0s", .greatest = "1h", FIELD(timeouts_settings, lame_duck),
     .help = "From SIGTERM until the stop begins. Meanwhile GET /health responds 503 and "
             "clients are served as usual, so that a load balancer can send them elsewhere. A "
             "second SIGTERM ends the wait. The service manager must allow for the sum of this "
             "and timeouts.drain (TimeoutStopSec=)."},
    {.path = "timeouts.drain", .places = PLACE_GLOBAL, .type = OPTION_TIME, .initial = "30s",
     .least = "10ms", .greatest = "1d", FIELD(timeouts_settings, drain),
     .help = "From SIGTERM, or the end of timeouts.lame_duck, until exchanges still in flight "
             "are closed."},
    {.path = "timeouts.upgrade_drain", .places = PLACE_GLOBAL, .type = OPTION_TIME,
     .initial = "1h", .zero_word = "none", .least = "10ms", .greatest = "30d",
     FIELD(timeouts_settings, upgrade_drain),
     .help = "From a binary upgrade until the old process closes downloads and WebSockets that "
             "have not ended. none: the old process waits until they end."},

    {.path = "min_rates", .places = PLACE_GLOBAL | PLACE_LISTENER | PLACE_ROUTE, .type = OPTION_GROUP,
     .sample = "{request_body: 100B}",
     FIELD(settings, min_rates), IN_LISTENER(min_rates), IN_ROUTE(min_rates),
     .help = "Bytes a second that a client must move in each window, counted while only the "
             "client is waited for. A listener may have its own, and a route overrides both. "
             "Slow clients hurt no others while resources last; under pressure the costliest "
             "are closed first (limits.memory)."},
    {.path = "min_rates.request_body", .places = PLACE_GLOBAL | PLACE_LISTENER | PLACE_ROUTE,
     .type = OPTION_SIZE, .initial = "none", .zero_word = "none", .least = "1B",
     .greatest = "1GiB", FIELD(min_rates_settings, request_body),
     .help = "Rate of a request body. A client below it in a window gets 408."},
    {.path = "min_rates.response", .places = PLACE_GLOBAL | PLACE_LISTENER | PLACE_ROUTE,
     .type = OPTION_SIZE, .initial = "none", .zero_word = "none", .least = "1B",
     .greatest = "1GiB", FIELD(min_rates_settings, response),
     .help = "Rate of a response, as the client acknowledges it. A client below it in a window "
             "is closed."},
    {.path = "min_rates.window", .places = PLACE_GLOBAL | PLACE_LISTENER | PLACE_ROUTE,
     .type = OPTION_TIME, .initial = "60s", .least = "10ms", .greatest = "1h",
     FIELD(min_rates_settings, window), .help = "Time over which rates are counted."},

    {.path = "limits", .places = PLACE_GLOBAL | PLACE_LISTENER, .type = OPTION_GROUP,
     .sample = "{requests_per_connection: 1000}",
     FIELD(settings, limits), IN_LISTENER(limits), .read = config_check_limits,
     .help = "Limits on messages, on client connections, and on resources of the process. A "
             "listener may have some of its own."},
    {.path = "limits.head_bytes", .places = PLACE_GLOBAL, .type = OPTION_SIZE, .initial = "32KiB",
     .least = "1KiB", .greatest = "32KiB", FIELD(limits_settings, head_bytes),
     .help = "Size of a request head with its request line, and of the trailers. More gets "
             "431."},
    {.path = "limits.target_bytes", .places = PLACE_GLOBAL, .type = OPTION_SIZE, .initial = "8KiB",
     .least = "64B", .greatest = "32KiB", FIELD(limits_settings, target_bytes),
     .help = "Size of a request target. More gets 414."},
    {.path = "limits.headers", .places = PLACE_GLOBAL, .type = OPTION_COUNT, .initial = "100",
     .least = "8", .greatest = "128", FIELD(limits_settings, headers),
     .help = "Header lines of a request. More get 431. Answers of origins may have 256."},
    {.path = "limits.response_head_bytes", .places = PLACE_GLOBAL, .type = OPTION_SIZE,
     .initial = "32KiB", .least = "1KiB", .greatest = "32KiB",
     FIELD(limits_settings, response_head_bytes),
     .help = "Size of the head of an origin's response, and of its trailers. More becomes 502, "
             "or terminates the response if the client has a part of it."},
    {.path = "limits.body_bytes", .places = PLACE_GLOBAL, .type = OPTION_SIZE, .initial = "none",
     .zero_word = "none", .least = "1B", .greatest = "1048576GiB",
     FIELD(limits_settings, body_bytes),
     .help = "Size of a request body. More gets 413."},
    {.path = "limits.request_buffer", .places = PLACE_GLOBAL, .type = OPTION_SIZE,
     .initial = "16KiB", .least = "0B", .greatest = "1MiB", FIELD(limits_settings, request_buffer),
     .help = "A request body up to this size is read completely before an origin is chosen, so "
             "that a slow client holds no connection to an origin. A chunked body is buffered "
             "for timeouts.request_buffer at most. 0B: requests are not buffered."},
    {.path = "limits.connection_buffer", .places = PLACE_GLOBAL | PLACE_LISTENER, .type = OPTION_SIZE,
     .initial = "auto", .zero_word = "auto", .least = "16KiB", .greatest = "64MiB",
     FIELD(limits_settings, connection_buffer),
     .help = "Memory held for one client connection, both directions together; auto: 64KiB over "
             "HTTP/1, 512KiB over HTTP/2, or twice limits.request_buffer if that is more. Over "
             "this size the gateway stops reading, except for one 52 KiB buffer that a response "
             "passes through. Over HTTP/2 it covers all waiting requests. A stream that would "
             "exceed it is refused unprocessed (REFUSED_STREAM), unless it is the only one. "
             "Bodies of accepted streams may add up to limits.http2_connection_window."},
    {.path = "limits.requests_per_connection", .places = PLACE_GLOBAL | PLACE_LISTENER, .type = OPTION_COUNT,
     .initial = "100000", .zero_word = "none", .least = "0", .greatest = "4294967295",
     FIELD(limits_settings, requests_per_connection),
     .help = "Requests of one client connection, which then closes. With a limit of 100 or "
             "more, some connections get up to an eighth fewer, so that not all close at once."},
    {.path = "limits.max_connections", .places = PLACE_GLOBAL, .type = OPTION_COUNT, .initial = "none",
     .zero_word = "none", .least = "0", .greatest = "10000000",
     FIELD(limits_settings, max_connections),
     .help = "Client connections of the process; none: as many as descriptors allow. While "
             "clients wait for one, the gateway closes the longest idle connections, or else "
             "those with the most memory x time per byte moved."},
    {.path = "limits.memory", .places = PLACE_GLOBAL, .type = OPTION_SIZE, .initial = "auto",
     .zero_word = "auto", .least = "16MiB", .greatest = "1048576GiB",
     FIELD(limits_settings, memory),
     .help = "Memory of the process; auto: three quarters of the memory of the cgroup or the "
             "machine. Near the limit, idle connections close early, large bodies are not "
             "read, and new connections are refused. The gateway then closes the connections "
             "with the most memory x time per byte moved."},
    {.path = "limits.descriptors", .places = PLACE_GLOBAL, .type = OPTION_COUNT,
     .initial = "auto", .zero_word = "auto", .least = "64", .greatest = "100000000",
     FIELD(limits_settings, descriptors),
     .help = "File descriptors of the process; auto: as many as the kernel allows (LimitNOFILE=, "
             "ulimit -n). Near the limit the gateway acts as for limits.memory, except that new "
             "clients wait in the kernel's queue."},
    {.path = "limits.handshakes", .places = PLACE_GLOBAL, .type = OPTION_COUNT, .initial = "1000",
     .least = "1", .greatest = "1000000", FIELD(limits_settings, handshakes),
     .help = "Concurrent TLS handshakes with clients, for each worker. Further handshakes "
             "wait."},
    {.path = "limits.http2_streams", .places = PLACE_GLOBAL | PLACE_LISTENER, .type = OPTION_COUNT,
     .initial = "128", .least = "1", .greatest = "1000", FIELD(limits_settings, http2_streams),
     .help = "Concurrent requests on one HTTP/2 connection of a client. Further ones are "
             "refused unprocessed (REFUSED_STREAM), so that the client may send them again."},
    {.path = "limits.http2_header_table", .places = PLACE_GLOBAL | PLACE_LISTENER,
     .type = OPTION_SIZE, .initial = "4KiB", .least = "0B", .greatest = "64KiB",
     FIELD(limits_settings, http2_header_table),
     .help = "Memory for the header compression (HPACK) of one HTTP/2 connection of a client, "
             "for its requests."},
    {.path = "limits.http2_stream_window", .places = PLACE_GLOBAL | PLACE_LISTENER,
     .type = OPTION_SIZE, .initial = "64KiB", .least = "16KiB", .greatest = "16MiB",
     FIELD(limits_settings, http2_stream_window),
     .help = "Bytes of one HTTP/2 request body that may wait for the origin (flow control "
             "window). The client sends no more until the origin has taken some."},
    {.path = "limits.http2_connection_window", .places = PLACE_GLOBAL | PLACE_LISTENER,
     .type = OPTION_SIZE, .initial = "256KiB", .least = "64KiB", .greatest = "64MiB",
     FIELD(limits_settings, http2_connection_window),
     .help = "Bytes of all request bodies of one HTTP/2 connection together that may wait for "
             "origins (flow control window). The client sends no more until an origin has taken "
             "some. If waiting requests fill the window, the youngest is refused unprocessed "
             "(REFUSED_STREAM)."},

    {.path = "deadline", .places = PLACE_GLOBAL, .type = OPTION_GROUP, .sample_off = true,
     FIELD(settings, deadline),
     .help = "Remaining time of timeouts.total, passed between trusted clients, gateway and "
             "origins."},
    {.path = "deadline.header", .places = PLACE_GLOBAL, .type = OPTION_TEXT,
     .initial = "X-Request-Timeout-Ms", .least = "1", .greatest = "64",
     FIELD(deadline_settings, header),
     .fits = config_is_token, .expects = "the name of a header line",
     .help = "Header line with the remaining milliseconds. It is read from trusted_proxies, "
             "and sent to origins when there is a limit. Lines of other clients are dropped."},
    {.path = "deadline.min_remaining", .places = PLACE_GLOBAL, .type = OPTION_TIME, .initial = "5ms",
     .zero_word = "none", .least = "1ms", .greatest = "1h", FIELD(deadline_settings, min_remaining),
     .help = "With less time left, no request is sent to an origin, and the client gets 504."},

    {.path = "retry", .places = PLACE_GLOBAL | PLACE_ROUTE, .type = OPTION_GROUP,
     .sample_off = true,
     FIELD(settings, retry), IN_ROUTE(retry),
     .help = "Which attempts without a response are retried; doc/RETRIES.md has the table."},
    {.path = "retry.idempotent", .places = PLACE_GLOBAL | PLACE_ROUTE, .type = OPTION_FLAG,
     .initial = "true", FIELD(retry_settings, idempotent),
     .help = "Retry methods that are safe or idempotent (GET, PUT, DELETE, ...)."},
    {.path = "retry.non_idempotent", .places = PLACE_GLOBAL | PLACE_ROUTE, .type = OPTION_CHOICE,
     .initial = "not_sent", .words = "never|not_sent|unread|with_key",
     FIELD(retry_settings, non_idempotent),
     .help = "When other methods (POST, PATCH) are retried. never: not at all. not_sent: if no "
             "byte was sent, or the origin says that it did not process the request (HTTP/2). "
             "unread: also if the kernel proves that the origin read none of it. with_key: also "
             "if that is unknown, for requests with Idempotency-Key; the service must honour the "
             "key."},
    {.path = "retry.grpc_unavailable", .places = PLACE_GLOBAL | PLACE_ROUTE, .type = OPTION_FLAG,
     .initial = "false", FIELD(retry_settings, grpc_unavailable),
     .help = "Whether a gRPC call that an origin answers with UNAVAILABLE alone, without a "
             "message, counts as not processed and is retried, unless the answer has "
             "grpc-retry-pushback-ms. Only for origins that never send this status after they "
             "have begun to process a call."},
    {.path = "retry.backoff", .places = PLACE_GLOBAL | PLACE_ROUTE, .type = OPTION_TIME,
     .initial = "25ms", .zero_word = "none", .least = "1ms", .greatest = "10s",
     FIELD(retry_settings, backoff),
     .help = "Maximum of the random time before another origin is tried."},

    {.path = "client_limits", .places = PLACE_GLOBAL | PLACE_LISTENER | PLACE_ROUTE,
     .type = OPTION_GROUP, .sample = "{request_rate: 50}",
     FIELD(settings, client_limits), IN_LISTENER(client_limits), IN_ROUTE(client_limits),
     .read = config_check_client_limits,
     .help = "Limits of one client address (IPv4 /32, IPv6 /64), counted over all workers. All "
             "are off by default, because a load balancer, or a company behind one address, is "
             "one client. A listener may have its own, and a route its own request rate."},
    {.path = "client_limits.max_connections", .places = PLACE_GLOBAL | PLACE_LISTENER,
     .type = OPTION_COUNT, .initial = "none", .zero_word = "none", .least = "1",
     .greatest = "10000000", FIELD(client_limits_settings, max_connections),
     .help = "Concurrent connections; more are refused. Not for trusted_proxies."},
    {.path = "client_limits.connection_rate", .places = PLACE_GLOBAL | PLACE_LISTENER,
     .type = OPTION_COUNT, .initial = "none", .zero_word = "none", .least = "1",
     .greatest = "1000000", FIELD(client_limits_settings, connection_rate),
     .help = "New connections a second; more are refused. Not for trusted_proxies."},
    {.path = "client_limits.request_rate",
     .places = PLACE_GLOBAL | PLACE_LISTENER | PLACE_ROUTE, .type = OPTION_COUNT,
     .initial = "none", .zero_word = "none", .least = "1", .greatest = "1000000",
     FIELD(client_limits_settings, request_rate),
     .help = "Requests a second; more get 429. The client is the one that trusted_proxies "
             "name."},
    {.path = "client_limits.request_burst",
     .places = PLACE_GLOBAL | PLACE_LISTENER | PLACE_ROUTE, .type = OPTION_COUNT,
     .initial = "auto", .zero_word = "auto", .least = "1", .greatest = "10000000",
     FIELD(client_limits_settings, request_burst),
     .help = "Requests that may come at once after a pause; auto: those of two seconds."},
    {.path = "client_limits.exempt", .places = PLACE_GLOBAL, .type = OPTION_NETWORKS,
     .initial = "[]",
     BESIDE_GROUP(client_limits, exempt_clients, exempt_client_count), NETWORKS, .may_be_empty = true,
     .help = "Networks without these limits."},

    {.path = "error_pages", .places = PLACE_GLOBAL | PLACE_ROUTE, .type = OPTION_HEADERS,
     .sample = "{503: /etc/turnpike/busy.html, maintenance: /etc/turnpike/maintenance.html}",
     .sample_off = true,
     FIELD_LIST(settings, error_pages.rows, error_pages.count), IN_ROUTE(error_pages.rows),
     .read = config_read_error_page,
     .expects = "a mapping of statuses to files, such as {503: /etc/turnpike/busy.html}",
     .help = "HTML files by status, sent to browsers (Accept: text/html) in place of the "
             "gateway's own error documents, which all other clients get. They are read at start "
             "and reload, up to 256 KiB each. Those of a route override the global ones. "
             "maintenance is the page of routes in maintenance; without it they use 503."},
    {.path = "listeners", .places = PLACE_GLOBAL, .type = OPTION_ITEMS, .required = true,
     .inside = PLACE_LISTENER,
     FIELD_LIST(settings, listeners, listener_count), .read = config_read_listener,
     .expects = "a list with at least one address, such as - address: 127.0.0.1:8080",
     .missing = "a list with at least one address",
     .help = "Addresses that clients connect to."},
    {.path = "services", .places = PLACE_GLOBAL, .type = OPTION_NAMED, .inside = PLACE_SERVICE,
     .sample = "example",
     FIELD_LIST(settings, services, service_count), .read = config_read_service,
     .expects = "a mapping of names", .may_be_empty = true,
     .help = "Named sets of origins that routes forward to (upstreams)."},
    {.path = "routes", .places = PLACE_GLOBAL, .type = OPTION_ITEMS, .required = true,
     .inside = PLACE_ROUTE,
     FIELD_LIST(settings, routes, route_count), .read = config_read_route,
     .expects = "a list with at least one route",
     .help = "Which requests go where. The most specific match wins; of equals, the first."},

    /* --- listener --- */
    {.path = "address", .places = PLACE_LISTENER, .type = OPTION_ADDRESS, .required = true,
     .sample = "127.0.0.1:8080",
     .at = offsetof(struct listener_settings, at), .read = config_read_listen_address,
     .expects = "an address with its port, \"127.0.0.1:8080\" or \"[::]:8080\", or \"unix:/path\"",
     .help = "\"0.0.0.0:8080\", \"[::]:8080\" or \"unix:/run/turnpike.sock\"."},
    {.path = "proxy_protocol", .places = PLACE_LISTENER, .type = OPTION_GROUP, .sample_off = true,
     .read = config_check_proxy_protocol,
     .expects = "the networks of the proxies that send headers: {from: [10.0.0.0/8]}, or "
                "{from: [0.0.0.0/0, \"::/0\"]} to take them from any peer",
     .help = "Every connection starts with a PROXY protocol header, version 1 or 2, that names "
             "its client. {} is for a Unix socket, whose mode limits who may connect."},
    {.path = "proxy_protocol.from", .places = PLACE_LISTENER, .type = OPTION_NETWORKS,
     .sample = "[10.0.0.0/8]",
     FIELD_LIST(listener_settings, proxy_from, proxy_from_count), NETWORKS, .may_be_empty = true,
     .help = "Networks of the proxies that send such headers; a connection from elsewhere is closed "
             "unread. [0.0.0.0/0, \"::/0\"] takes a header from any peer. A client that a header "
             "names is never one of trusted_proxies unless the proxy that sent it is one, too."},
    {.path = "half_close", .places = PLACE_LISTENER, .type = OPTION_FLAG, .initial = "false",
     FIELD(listener_settings, half_close),
     .help = "Whether clients may end their side of the connection before they have their "
             "response. false: a client that does so during a safe request (GET, HEAD, OPTIONS, "
             "TRACE) counts as gone, and 50 ms later its request is cancelled at the origin; a "
             "gRPC call is cancelled at once. Requests with other methods are answered in either "
             "case."},
    {.path = "http2", .places = PLACE_LISTENER, .type = OPTION_FLAG, .initial = "true",
     FIELD(listener_settings, http2),
     .help = "Offer HTTP/2 (h2) beside HTTP/1.1 to clients that connect with TLS, by ALPN. Its "
             "budgets are limits.http2_streams and the options that follow it. Without TLS: see "
             "h2c."},
    {.path = "h2c", .places = PLACE_LISTENER, .type = OPTION_FLAG, .initial = "false",
     FIELD(listener_settings, h2c),
     .help = "Clients of a listener without TLS may begin with HTTP/2 at once (prior "
             "knowledge). An Upgrade to h2c is never followed. false: such clients get GOAWAY "
             "with HTTP_1_1_REQUIRED."},
    {.path = "mode", .places = PLACE_LISTENER, .type = OPTION_MODE, .initial = "0660",
     .least = "0000", .greatest = "0777", .sample_off = true,
     FIELD(listener_settings, socket_mode), .help = "Permissions of a Unix socket's file."},

    {.path = "timeouts", .places = PLACE_LISTENER, .type = OPTION_GROUP, .sample = "{head: 5s}",
     .sample_off = true,
     FIELD(listener_settings, timeouts),
     .help = "Timeouts of this listener's clients, in place of the global ones."},
    {.path = "tls", .places = PLACE_LISTENER, .type = OPTION_GROUP, .sample_off = true,
     FIELD_AT(listener_settings, tls, tls.at),
     .help = "Speak TLS (1.2 and 1.3) with clients. Absent: plain HTTP."},
    {.path = "tls.certificates", .places = PLACE_LISTENER, .type = OPTION_ROWS, .required = true,
     FIELD_LIST(tls_listener_settings, certificates, certificate_count),
     .expects = "a list with at least one member, such as [{cert: /path/to/cert.pem, "
                "key: /path/to/key.pem}]",
     .missing = "a list such as [{cert: /path/to/cert.pem, key: /path/to/key.pem}]",
     .help = "Certificates and their private keys. A client gets the certificate for the name "
             "that it asks for (SNI), ECDSA before RSA; if there is none, the first in the list "
             "(tls.unknown_names)."},
    {.path = "tls.certificates.cert", .places = PLACE_LISTENER, .required = true,
     .sample = "/etc/turnpike/tls/example.crt", .missing = "the path of a PEM file",
     PEM_FILE(tls_certificate_settings, cert),
     .help = "PEM file with the certificate, followed by the intermediate certificates up to "
             "its CA."},
    {.path = "tls.certificates.key", .places = PLACE_LISTENER, .required = true,
     .sample = "/etc/turnpike/tls/example.key", .missing = "the path of a PEM file",
     PEM_FILE(tls_certificate_settings, key),
     .help = "PEM file with the private key of the certificate. A file that every user of the "
             "machine may read is refused. For a file that a group or an ACL may read the log "
             "has a warning."},
    {.path = "tls.unknown_names", .places = PLACE_LISTENER, .type = OPTION_CHOICE,
     .initial = "default", .words = "default|refuse",
     FIELD(tls_listener_settings, unknown_names),
     .help = "What a client gets that asks for no name (SNI), or for one that no certificate "
             "has. default: the first certificate. refuse: the handshake fails."},
    {.path = "tls.expired", .places = PLACE_LISTENER, .type = OPTION_CHOICE, .initial = "serve",
     .words = "serve|refuse", FIELD(tls_listener_settings, expired),
     .help = "What happens to a certificate that has expired or is not valid yet. serve: it is "
             "used, the log has an error and /metrics shows it; clients of its names refuse it, "
             "and all other names work. refuse: the start or the reload fails."},
    {.path = "tls.min_version", .places = PLACE_LISTENER, .type = OPTION_CHOICE, .initial = "1.2",
     .words = "1.2|1.3", FIELD(tls_listener_settings, min_version),
     .help = "Oldest version of TLS that is spoken."},
    {.path = "tls.ciphers", .places = PLACE_LISTENER, .type = OPTION_TEXT,
     .initial = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305",
     .least = "1", .greatest = "4096", FIELD(tls_listener_settings, ciphers),
     .help = "Cipher suites of TLS 1.2 in OpenSSL's notation, best first."},
    {.path = "tls.cipher_suites", .places = PLACE_LISTENER, .type = OPTION_TEXT,
     .initial = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256",
     .least = "1", .greatest = "4096", FIELD(tls_listener_settings, cipher_suites),
     .help = "Cipher suites of TLS 1.3, best first."},
    {.path = "tls.groups", .places = PLACE_LISTENER, .type = OPTION_TEXT,
     .initial = "X25519:P-256", .least = "1", .greatest = "1024",
     FIELD(tls_listener_settings, groups),
     .help = "Groups of the key exchange, best first."},
    {.path = "tls.client_auth", .places = PLACE_LISTENER, .type = OPTION_GROUP,
     FIELD(tls_listener_settings, client_auth), .read = config_check_client_auth,
     .help = "Client certificates (mutual TLS). Origins get a client's certificate as "
             "Client-Cert (RFC 9440)."},
    {.path = "tls.client_auth.mode", .places = PLACE_LISTENER, .type = OPTION_CHOICE,
     .initial = "off", .words = "off|optional|required",
     FIELD(tls_client_auth_settings, mode),
     .help = "Whether clients are asked for a certificate. optional: a client without one may "
             "connect. required: without one the handshake fails. With either, a certificate "
             "that tls.client_auth.ca has not issued fails the handshake. After a reload the "
             "mode also holds for open connections: a request on one that does not meet it gets "
             "421, and the connection closes."},
    {.path = "tls.client_auth.ca", .places = PLACE_LISTENER,
     .sample = "/etc/turnpike/tls/clients-ca.crt", PEM_FILE(tls_client_auth_settings, ca),
     .help = "PEM file with the CAs whose client certificates are accepted."},
    {.path = "tls.hosts", .places = PLACE_LISTENER, .type = OPTION_ROWS,
     FIELD_LIST(tls_listener_settings, hosts, host_count), .read = config_read_tls_host,
     .expects = "a list such as [{name: pay.example.com}]", .may_be_empty = true,
     .help = "Host names with rules of their own for client certificates. A request for such a "
             "host must come over a connection that asked for it by SNI, otherwise it gets 421."},
    {.path = "tls.hosts.name", .places = PLACE_LISTENER, .type = OPTION_TEXT, .required = true,
     .least = "1", .greatest = "253", .sample = "pay.example.com", FIELD(tls_host_settings, name),
     .fits = config_is_host_pattern, .expects = "a host name",
     .help = "\"pay.example.com\", or \"*.pay.example.com\" (any name below it, as in "
             "match.host). The longest name that matches counts."},
    {.path = "tls.hosts.mode", .places = PLACE_LISTENER, .type = OPTION_CHOICE,
     .initial = "required", .words = "off|optional|required",
     FIELD(tls_host_settings, client_auth.mode),
     .help = "For this host, in place of tls.client_auth.mode."},
    {.path = "tls.hosts.ca", .places = PLACE_LISTENER,
     .sample = "/etc/turnpike/tls/merchants-ca.crt", PEM_FILE(tls_host_settings, client_auth.ca),
     .help = "For this host, in place of tls.client_auth.ca. Absent: that file."},
    {.path = "tls.resume", .places = PLACE_LISTENER, .type = OPTION_FLAG, .initial = "true",
     FIELD(tls_listener_settings, resume),
     .help = "Let clients resume sessions with a ticket, which saves most of the cost of a "
             "handshake."},
    {.path = "tls.ticket_keys", .places = PLACE_LISTENER, .type = OPTION_TEXTS,
     .sample = "[/etc/turnpike/tls/tickets.key]", .sample_off = true,
     FIELD_LIST(tls_listener_settings, ticket_keys, ticket_key_count),
     .read = config_read_ticket_key, .expects = "an absolute path",
     .help = "Files of at least 32 random bytes (openssl rand -out FILE 48) that protect "
             "session tickets, the same on all gateways of a fleet. New tickets are made with "
             "the first file; tickets of all files are accepted. Absent: a secret that lives as "
             "long as the process."},
    {.path = "tls.ticket_rotate", .places = PLACE_LISTENER, .type = OPTION_TIME, .initial = "12h",
     .zero_word = "none", .least = "1s", .greatest = "3d",
     FIELD(tls_listener_settings, ticket_rotate),
     .help = "How often new keys for tickets are derived from those secrets, at the same time "
             "on all gateways. A ticket is valid for as long. none: the keys never change by "
             "themselves."},
    {.path = "tls.watch", .places = PLACE_LISTENER, .type = OPTION_FLAG, .initial = "false",
     FIELD(tls_listener_settings, watch),
     .help = "Reload the configuration when one of these files has changed."},
    {.path = "allow", .places = PLACE_LISTENER | PLACE_ROUTE, .type = OPTION_NETWORKS,
     .sample = "[10.0.0.0/8]", .sample_off = true,
     FIELD_LIST(listener_settings, access_rules.allow, access_rules.allow_count), IN_ROUTE(access_rules.allow), NETWORKS,
     .empty = "leave it out to let all clients in; for none write deny: [0.0.0.0/0, \"::/0\"]",
     .help = "Networks of clients whose requests are served; others get 403. Absent: all. The "
             "client is the one that trusted_proxies name. A client without an address (Unix "
             "socket) is in no network."},
    {.path = "deny", .places = PLACE_LISTENER | PLACE_ROUTE, .type = OPTION_NETWORKS,
     .sample = "[10.66.0.0/16]", .sample_off = true,
     FIELD_LIST(listener_settings, access_rules.deny, access_rules.deny_count), IN_ROUTE(access_rules.deny), NETWORKS, .may_be_empty = true,
     .help = "Networks of clients whose requests get 403, even if allow lists them."},
    {.path = "hsts", .places = PLACE_LISTENER, .type = OPTION_TEXT, .least = "1",
     .greatest = "256", .sample = "max-age=31536000; includeSubDomains", .sample_off = true,
     FIELD(listener_settings, hsts),
     .help = "Strict-Transport-Security of every response of this listener, which must speak "
             "TLS."},
    {.path = "redirect_to_https", .places = PLACE_LISTENER, .type = OPTION_FLAG,
     .initial = "false", FIELD(listener_settings, redirect_to_https),
     .help = "Redirect every request with 308 to https://, port 443."},

    /* --- service --- */
    {.path = "origins", .places = PLACE_SERVICE, .type = OPTION_ORIGINS, .required = true,
     FIELD_LIST(service_settings, origins, origin_count), .read = config_read_origin,
     .expects = "a list with at least one address, such as [10.0.0.1:80]",
     .missing = "a list of addresses",
     .help = "Addresses that serve the service. A text is short for a group with only an "
             "address."},
    {.path = "origins.address", .places = PLACE_SERVICE, .type = OPTION_ADDRESS, .required = true,
     .sample = "127.0.0.1:9000",
     .expects = "\"10.0.0.1:80\", \"[::1]:80\", \"api.internal:80\", \"unix:/path\" or "
                "\"srv:_api._tcp.internal\"",
     .help = "\"10.0.0.1:80\", \"[::1]:80\", \"api.internal:8080\", \"unix:/run/api.sock\", or "
             "\"srv:_api._tcp.internal\": an SRV name, which stands for the targets of its records "
             "(up to 256), with their ports, priorities and weights. A host name stands for all of "
             "its addresses: each is an origin of its own for health, balance, limits and pools."},
    {.path = "origins.weight", .places = PLACE_SERVICE, .type = OPTION_COUNT, .initial = "1",
     .least = "1", .greatest = "1000", FIELD(origin_settings, weight),
     .help = "Share of the requests, relative to the other origins. The addresses of a name "
             "share its weight. The targets of an SRV name have the weights of their records, "
             "multiplied by this."},
    {.path = "origins.backup", .places = PLACE_SERVICE, .type = OPTION_FLAG, .initial = "false",
     FIELD(origin_settings, backup),
     .help = "The origin gets requests only while none of the others can."},
    {.path = "balance", .places = PLACE_SERVICE, .type = OPTION_CHOICE, .initial = "round_robin",
     .words = "round_robin|least_requests|two_choices", FIELD(service_settings, balance),
     .help = "How the next origin is chosen, by weight. round_robin: in turn. least_requests: the "
             "one with the fewest requests. two_choices: of two random ones, the one with fewer "
             "requests."},
    {.path = "concurrency", .places = PLACE_SERVICE, .type = OPTION_COUNT, .zero_word = "auto",
     .least = "1", .greatest = "100000", .sample = "auto", .sample_off = true,
     FIELD(service_settings, concurrency),
     .help = "Concurrent requests at each origin. Further ones wait for a moment, by the priority "
             "of their route, or get 503. auto: as many as each origin serves without getting "
             "slower, measured all the time. A number means the same as "
             "limits.max_concurrent_requests_per_origin. After an outage of the origin the limit "
             "starts at a tenth and grows with each success. Absent: no limit, also after an "
             "outage."},
    {.path = "protocol", .places = PLACE_SERVICE, .type = OPTION_CHOICE, .initial = "http1",
     .words = "http1|http2|auto", FIELD(service_settings, protocol),
     .help = "Protocol spoken with the origins. auto: with TLS, HTTP/2 where the origin offers "
             "it, otherwise HTTP/1.1. http2: HTTP/2 only, without TLS by prior knowledge. A "
             "connection in HTTP/2 that is silent for 10 s gets a PING; all its requests fail when "
             "the origin does not answer within another 10 s."},
    {.path = "via", .places = PLACE_SERVICE, .type = OPTION_CHOICE, .initial = "on",
     .words = "on|off", FIELD(service_settings, via),
     .help = "Whether the origins get Via, with the gateway's name and the entries of the "
             "request. off is for nginx as an origin: it compresses responses to requests with "
             "Via only if its gzip_proxied allows that, which it does not by default."},
    {.path = "pool", .places = PLACE_SERVICE, .type = OPTION_GROUP,
     FIELD(service_settings, pool),
     .help = "Connections to each origin, and the requests that wait for one."},
    {.path = "pool.max_idle", .places = PLACE_SERVICE, .type = OPTION_COUNT, .initial = "1024",
     .least = "0", .greatest = "100000", FIELD(pool_settings, max_idle),
     .help = "Idle connections that each worker keeps."},
    {.path = "pool.max_connections", .places = PLACE_SERVICE, .type = OPTION_COUNT, .initial = "none",
     .zero_word = "none", .least = "0", .greatest = "100000", FIELD(pool_settings, max_connections),
     .help = "Concurrent connections to one origin, of all workers. Further exchanges are "
             "pending. With HTTP/2, each request counts as a connection, although many requests "
             "share one."},
    {.path = "pool.reserve", .places = PLACE_SERVICE, .type = OPTION_PERCENT, .initial = "25%",
     .least = "0%", .greatest = "100%", FIELD(pool_settings, reserve),
     .help = "Share (rounded up) of pool.max_connections, pool.max_pending and `limits` that "
             "requests with an incomplete body may not use. Slow clients may not use this share "
             "of pool.max_connections either: at the limit, while others wait, the slowest beyond "
             "it are closed."},
    {.path = "pool.requests_per_connection", .places = PLACE_SERVICE, .type = OPTION_COUNT, .initial = "none",
     .zero_word = "none", .least = "0", .greatest = "4294967295", FIELD(pool_settings, requests_per_connection),
     .help = "Requests of one connection, which is then closed."},
    {.path = "pool.max_age", .places = PLACE_SERVICE, .type = OPTION_TIME, .initial = "1h",
     .zero_word = "none", .least = "100ms", .greatest = "30d", FIELD(pool_settings, max_age),
     .help = "Age after which a connection gets no further request and closes."},
    {.path = "pool.idle_timeout", .places = PLACE_SERVICE, .type = OPTION_TIME, .initial = "30s",
     .least = "10ms", .greatest = "1d", FIELD(pool_settings, idle_timeout),
     .help = "How long a connection may be idle. Then it closes."},
    {.path = "pool.max_pending", .places = PLACE_SERVICE, .type = OPTION_COUNT, .initial = "1024",
     .least = "0", .greatest = "1000000", FIELD(pool_settings, max_pending),
     .help = "Exchanges that wait for one origin, of all workers. Further ones get 503. At the "
             "limit, an exchange of a higher `priority` takes the place of one of a lower, which "
             "then gets the 503."},
    {.path = "pool.pending_timeout", .places = PLACE_SERVICE, .type = OPTION_TIME, .initial = "5s",
     .least = "10ms", .greatest = "1h", FIELD(pool_settings, pending_timeout),
     .help = "How long an exchange may wait for a connection. Then it gets 503. If a fixed limit "
             "has kept requests waiting without a break for half of this time, further requests "
             "wait only a fifth of it."},

    {.path = "retry_budget", .places = PLACE_SERVICE, .type = OPTION_GROUP,
     FIELD(service_settings, retry_budget),
     .help = "How many retries the service may make, counted over the last 8 seconds."},
    {.path = "retry_budget.percent", .places = PLACE_SERVICE, .type = OPTION_COUNT,
     .initial = "20", .least = "0", .greatest = "100", FIELD(retry_budget_settings, percent),
     .help = "Retries per hundred requests."},
    {.path = "retry_budget.min_per_second", .places = PLACE_SERVICE, .type = OPTION_COUNT,
     .initial = "3", .least = "0", .greatest = "100000", FIELD(retry_budget_settings, min_per_second),
     .help = "Retries a second that are allowed in addition."},
    {.path = "limits", .places = PLACE_SERVICE, .type = OPTION_GROUP,
     FIELD(service_settings, limits),
     .help = "Limits of the service, shared by all workers."},
    {.path = "limits.max_concurrent_requests", .places = PLACE_SERVICE, .type = OPTION_COUNT, .initial = "none",
     .zero_word = "none", .least = "1", .greatest = "10000000",
     FIELD(service_limits_settings, max_concurrent_requests),
     .help = "Concurrent requests at all origins of the service; further ones wait."},
    {.path = "limits.max_concurrent_requests_per_origin", .places = PLACE_SERVICE, .type = OPTION_COUNT,
     .initial = "none", .zero_word = "none", .least = "1", .greatest = "10000000",
     FIELD(service_limits_settings, max_concurrent_requests_per_origin),
     .help = "Concurrent requests at each origin; further ones wait."},
    {.path = "limits.max_connections", .places = PLACE_SERVICE, .type = OPTION_COUNT,
     .initial = "none", .zero_word = "none", .least = "1", .greatest = "10000000",
     FIELD(service_limits_settings, max_connections),
     .help = "Connections opened for requests of the service, to all its origins. With HTTP/2, "
             "each request counts as a connection. Connections that were open before a reload set "
             "the limit do not count; they end by "
             "`pool.max_age` and `pool.idle_timeout`."},
    {.path = "limits.max_pending", .places = PLACE_SERVICE, .type = OPTION_COUNT, .initial = "none",
     .zero_word = "none", .least = "1", .greatest = "10000000",
     FIELD(service_limits_settings, max_pending),
     .help = "Requests that wait for any origin of the service; further ones get 503."},
    {.path = "tls", .places = PLACE_SERVICE, .type = OPTION_GROUP, .sample = "{ca: /etc/turnpike/tls/internal-ca.crt}",
     .sample_off = true,
     FIELD_AT(service_settings, tls, tls.at), .read = config_check_service_tls,
     .help = "Speak TLS with the origins; {} for TLS with all defaults. Absent: plain HTTP."},
    {.path = "tls.ca", .places = PLACE_SERVICE, PEM_FILE(tls_service_settings, ca),
     .help = "PEM file with the CAs that may have issued the certificates of the origins. "
             "Absent: the CAs that the system trusts."},
    {.path = "tls.server_name", .places = PLACE_SERVICE, .type = OPTION_TEXT, .least = "1",
     .greatest = "253", FIELD(tls_service_settings, server_name),
     .help = "Name that the gateway asks for (SNI) and that the origin's certificate must have, "
             "in place of Host. Absent: the name of the origin."},
    {.path = "tls.cert", .places = PLACE_SERVICE, PEM_FILE(tls_service_settings, cert),
     .help = "PEM file with the gateway's own certificate, for origins that ask for one (mutual "
             "TLS)."},
    {.path = "tls.key", .places = PLACE_SERVICE, PEM_FILE(tls_service_settings, key),
     .help = "PEM file with the private key of the gateway's certificate. A file that every "
             "user of the machine may read is refused. For a file that a group or an ACL may "
             "read the log has a warning."},
    {.path = "tls.expired", .places = PLACE_SERVICE, .type = OPTION_CHOICE, .initial = "serve",
     .words = "serve|refuse", FIELD(tls_service_settings, expired),
     .help = "What happens when the gateway's own certificate has expired or is not valid yet. "
             "serve: it is used, the log has an error and /metrics shows it; origins may refuse "
             "it. refuse: the start or the reload fails."},
    {.path = "tls.min_version", .places = PLACE_SERVICE, .type = OPTION_CHOICE, .initial = "1.2",
     .words = "1.2|1.3", FIELD(tls_service_settings, min_version),
     .help = "Oldest version of TLS that is spoken."},
    {.path = "tls.insecure_skip_verify", .places = PLACE_SERVICE, .type = OPTION_FLAG,
     .initial = "false", FIELD(tls_service_settings, insecure_skip_verify),
     .help = "Do not verify the certificates of origins. The log warns of it at each start and "
             "reload."},
    {.path = "tls.watch", .places = PLACE_SERVICE, .type = OPTION_FLAG, .initial = "false",
     FIELD(tls_service_settings, watch),
     .help = "Reload the configuration when one of these files has changed."},

    {.path = "lenient", .places = PLACE_SERVICE, .type = OPTION_GROUP, .sample_off = true,
     FIELD(service_settings, lenient), .read = config_check_lenient,
     .help = "Protocol errors in origin responses that are tolerated instead of answered 502. "
             "Client requests are always checked strictly."},
    {.path = "lenient.bare_lf", .places = PLACE_SERVICE, .type = OPTION_FLAG, .initial = "false",
     FIELD(lenient_settings, bare_lf),
     .help = "Header lines that end in LF without CR. The connection closes after such a "
             "response. An attacker who can put a line break into a header of the origin can "
             "split its responses."},
    {.path = "lenient.unusual_status", .places = PLACE_SERVICE, .type = OPTION_FLAG,
     .initial = "false", FIELD(lenient_settings, unusual_status),
     .help = "Statuses 600 to 999. They are passed on unchanged."},
    {.path = "lenient.chunked_in_http_1_0", .places = PLACE_SERVICE, .type = OPTION_FLAG,
     .initial = "false", FIELD(lenient_settings, chunked_in_http_1_0),
     .help = "Transfer-Encoding: chunked in an HTTP/1.0 response. The connection closes after it."},

    {.path = "health", .places = PLACE_SERVICE, .type = OPTION_GROUP,
     FIELD(service_settings, health), .read = config_check_health,
     .help = "When an origin is taken out of rotation: by failed or slow responses (ejection) or "
             "by failed probes. All workers share this state; reloads keep it."},
    {.path = "health.consecutive_failures", .places = PLACE_SERVICE, .type = OPTION_COUNT, .initial = "5",
     .zero_word = "off", .least = "1", .greatest = "10000", FIELD(health_settings, consecutive_failures),
     .help = "Consecutive failed attempts that eject an origin. Failed: without a usable "
             "response."},
    {.path = "health.failed_share", .places = PLACE_SERVICE, .type = OPTION_PERCENT,
     .initial = "50%", .zero_word = "off", .least = "0.01%", .greatest = "100%",
     FIELD(health_settings, failed_share),
     .help = "Share of failed attempts in a window that ejects the origin, once the window has "
             "health.min_attempts. Failed: without a usable response. Failures that reached "
             "clients, because they were not retried, count five times from the second one on, "
             "and need no minimum of attempts."},
    {.path = "health.min_attempts", .places = PLACE_SERVICE, .type = OPTION_COUNT,
     .initial = "20", .least = "1", .greatest = "1000000", FIELD(health_settings, min_attempts),
     .help = "Attempts that a window needs before failed_share counts."},
    {.path = "health.window", .places = PLACE_SERVICE, .type = OPTION_TIME, .initial = "10s",
     .least = "100ms", .greatest = "1h", FIELD(health_settings, window),
     .help = "Length of a window; the first failure opens it."},
    {.path = "health.failed_status", .places = PLACE_SERVICE, .type = OPTION_STATUSES,
     .initial = "502-504",
     FIELD(health_settings, failed_status), STATUSES,
     .help = "Response statuses that count as failures: one, a range such as 500-599, or a list. "
             "none: only attempts without a complete response count."},
    {.path = "health.failed_grpc_status", .places = PLACE_SERVICE, .type = OPTION_GRPC_STATUSES,
     .initial = "UNAVAILABLE",
     FIELD(health_settings, failed_grpc_status), GRPC_STATUSES,
     .help = "gRPC statuses that count as failures, by name: one, or a list. none: no status "
             "counts. Many applications answer UNKNOWN and INTERNAL to a request that they cannot "
             "handle, and DEADLINE_EXCEEDED depends on the client's deadline."},
    {.path = "health.slow", .places = PLACE_SERVICE, .type = OPTION_GROUP,
     .help = "Ejects an origin that is slow in comparison with the others of its service."},
    {.path = "health.slow.factor", .places = PLACE_SERVICE, .type = OPTION_COUNT, .initial = "5",
     .zero_word = "off", .least = "2", .greatest = "1000", FIELD(health_settings, slow_factor),
     .help = "An origin is slow if its first byte takes this many times longer than that of "
             "the fastest other."},
    {.path = "health.slow.min_time", .places = PLACE_SERVICE, .type = OPTION_TIME,
     .initial = "500ms", .least = "1ms", .greatest = "1h", FIELD(health_settings, slow_min_time),
     .help = "A response faster than this is never slow."},
    {.path = "health.ejection_time", .places = PLACE_SERVICE, .type = OPTION_TIME, .initial = "3s",
     .least = "10ms", .greatest = "1h", FIELD(health_settings, ejection_time),
     .help = "Length of the first ejection, up to 20% more. Each further ejection is twice as "
             "long."},
    {.path = "health.max_ejection_time", .places = PLACE_SERVICE, .type = OPTION_TIME,
     .initial = "5m", .least = "10ms", .greatest = "1d", FIELD(health_settings, max_ejection_time),
     .help = "Longest ejection. After this time without one, the next ejection is a first one."},
    {.path = "health.max_ejected_share", .places = PLACE_SERVICE, .type = OPTION_PERCENT,
     .initial = "50%", .least = "0%", .greatest = "100%", FIELD(health_settings, max_ejected_share),
     .help = "Share of the service's origins, rounded up, that may be ejected at once; never "
             "the last one that serves."},
    {.path = "health.half_open_requests", .places = PLACE_SERVICE, .type = OPTION_COUNT, .initial = "2",
     .least = "1", .greatest = "1000", FIELD(health_settings, half_open_requests),
     .help = "Requests, one at a time, that must succeed before an ejected origin is back "
             "(half-open circuit breaker)."},
    {.path = "health.slow_start", .places = PLACE_SERVICE, .type = OPTION_TIME, .initial = "10s",
     .zero_word = "none", .least = "100ms", .greatest = "1h", FIELD(health_settings, slow_start),
     .help = "Time in which the share of a returned origin grows from a tenth to the whole."},
    {.path = "health.when_all_down", .places = PLACE_SERVICE, .type = OPTION_CHOICE,
     .initial = "try", .words = "try|fail", FIELD(health_settings, when_all_down),
     .help = "Policy while no origin is fit. try: send to all that are not drained. fail: "
             "respond 503 at once."},
    {.path = "health.probe", .places = PLACE_SERVICE, .type = OPTION_GROUP, .sample_off = true,
     FIELD(health_settings, probe), .read = config_check_probe,
     .help = "Active health check of each origin, once for all workers; not counted as "
             "requests. An origin is down while a probe of any service says so."},
    {.path = "health.probe.type", .places = PLACE_SERVICE, .type = OPTION_CHOICE,
     .initial = "http", .words = "http|tcp|grpc", FIELD(probe_settings, type),
     .help = "A GET, only a connection, or a call of grpc.health.v1.Health/Check, over HTTP/2."},
    {.path = "health.probe.path", .places = PLACE_SERVICE, .type = OPTION_TEXT, .initial = "/",
     .least = "1", .greatest = "2048", .sample = "/health", FIELD(probe_settings, path),
     .fits = config_is_request_path,
     .expects = "a path that starts with '/', without spaces",
     .help = "Path and query of the GET."},
    {.path = "health.probe.host", .places = PLACE_SERVICE, .type = OPTION_TEXT,
     .least = "1", .greatest = "255", .sample = "api.internal", FIELD(probe_settings, host),
     .fits = config_is_visible, .expects = "a host without spaces",
     .help = "Host of the GET or call; absent: the origin's address as written."},
    {.path = "health.probe.interval", .places = PLACE_SERVICE, .type = OPTION_TIME,
     .initial = "5s", .least = "20ms", .greatest = "1d", FIELD(probe_settings, interval),
     .help = "Time from one probe to the next."},
    {.path = "health.probe.jitter", .places = PLACE_SERVICE, .type = OPTION_PERCENT,
     .initial = "20%", .least = "0%", .greatest = "100%", FIELD(probe_settings, jitter),
     .help = "Random deviation of the interval, in both directions."},
    {.path = "health.probe.timeout", .places = PLACE_SERVICE, .type = OPTION_TIME,
     .initial = "2s", .least = "10ms", .greatest = "1h", FIELD(probe_settings, timeout),
     .help = "Time for the whole probe."},
    {.path = "health.probe.healthy", .places = PLACE_SERVICE, .type = OPTION_COUNT,
     .initial = "2", .least = "1", .greatest = "1000", FIELD(probe_settings, healthy),
     .help = "Consecutive good probes that bring a down origin up."},
    {.path = "health.probe.unhealthy", .places = PLACE_SERVICE, .type = OPTION_COUNT,
     .initial = "3", .least = "1", .greatest = "1000", FIELD(probe_settings, unhealthy),
     .help = "Consecutive bad probes that bring an up origin down. The first probe of a new "
             "origin decides alone."},
    {.path = "health.probe.status", .places = PLACE_SERVICE, .type = OPTION_STATUSES,
     .initial = "200-399",
     FIELD(probe_settings, status), STATUSES,
     .help = "Status codes of a good response, as in health.failed_status."},
    {.path = "health.probe.body", .places = PLACE_SERVICE, .type = OPTION_TEXT,
     .least = "1", .greatest = "256", .sample = "ok", FIELD(probe_settings, body),
     .help = "Text that the first 4 KiB of the body must contain; absent: any body is good."},
    {.path = "health.probe.grpc_service", .places = PLACE_SERVICE, .type = OPTION_TEXT,
     .initial = "", .least = "0", .greatest = "512", FIELD(probe_settings, grpc_service),
     .fits = config_is_visible, .expects = "a name without spaces",
     .help = "Service that a probe of type grpc asks for; empty: the server as a whole. Good is "
             "SERVING, and nothing else."},

    /* --- route --- */
    {.path = "name", .places = PLACE_ROUTE, .type = OPTION_TEXT, .sample = "example",
     FIELD(route_settings, name), .fits = config_is_name, .read = config_check_route_name,
     .expects = "a name of 1 to 64 letters, digits and -_.",
     .help = "For logs and metrics; absent: route-1, route-2, ... by position."},
    {.path = "match", .places = PLACE_ROUTE, .type = OPTION_GROUP,
     .read = config_check_match,
     .help = "Conditions for requests to take this route; all must hold. Absent: every request "
             "takes it."},
    {.path = "match.host", .places = PLACE_ROUTE, .type = OPTION_TEXTS,
     .sample = "[example.com, \"*.example.com\"]",
     FIELD_LIST(route_settings, hosts, host_count), .read = config_read_host,
     .expects = "a host such as example.com, \"*.example.com\" or \"*\"",
     .help = "\"example.com\", \"*.example.com\" (any name below it) or \"*\"."},
    {.path = "match.path", .places = PLACE_ROUTE, .type = OPTION_PATH, .sample = "/ping",
     .sample_off = true, .help = "The whole path, in normal form."},
    {.path = "match.path_prefix", .places = PLACE_ROUTE, .type = OPTION_PATH, .sample = "/v1/",
     .help = "What the path starts with, in normal form; the longest wins."},
    {.path = "match.grpc", .places = PLACE_ROUTE, .type = OPTION_GROUP, .sample_off = true,
     .help = "gRPC calls: POST with a Content-Type of application/grpc; {}: any. In place of "
             "match.path and match.path_prefix."},
    {.path = "match.grpc.service", .places = PLACE_ROUTE, .type = OPTION_TEXT, .least = "1",
     .greatest = "512", .sample = "shop.v1.Orders",
     .fits = config_is_grpc_name, .expects = "a name such as shop.v1.Orders",
     .help = "The service with its package, as in the path /shop.v1.Orders/Place."},
    {.path = "match.grpc.method", .places = PLACE_ROUTE, .type = OPTION_TEXT, .least = "1",
     .greatest = "512", .sample = "Place",
     .fits = config_is_grpc_name, .expects = "a name such as shop.v1.Orders",
     .help = "One method of that service; absent: all."},
    {.path = "match.method", .places = PLACE_ROUTE, .type = OPTION_TEXTS,
     .sample = "[GET, HEAD, POST]",
     FIELD_LIST(route_settings, methods, method_count), .read = config_read_method,
     .expects = "a method such as GET",
     .help = "One method or a list."},
    {.path = "match.headers", .places = PLACE_ROUTE, .type = OPTION_CONDITIONS,
     .sample = "{X-Tenant: blue, X-Trace: true}", .sample_off = true,
     FIELD_LIST(route_settings, headers, header_count), .read = config_read_condition,
     .expects = "a mapping of names to values, such as {X-Tenant: blue}",
     .help = "Header names and the value each must have; true: any value."},
    {.path = "match.query", .places = PLACE_ROUTE, .type = OPTION_CONDITIONS,
     .sample = "{version: \"2\", debug: true}", .sample_off = true,
     FIELD_LIST(route_settings, query, query_count), .read = config_read_condition,
     .expects = "a mapping of names to values, such as {version: \"2\"}",
     .help = "Query parameters and the value each must have, as sent; true: any value."},
    {.path = "match.client_certificate", .places = PLACE_ROUTE, .type = OPTION_GROUP,
     .sample_off = true,
     .read = config_check_certificate,
     .help = "Requests whose client has shown a certificate; {}: any."},
    {.path = "match.client_certificate.subject", .places = PLACE_ROUTE, .type = OPTION_TEXT,
     .least = "1", .greatest = "1024", .sample = "CN=merchant,O=Example",
     FIELD(route_settings, certificate_subject),
     .help = "Its whole subject as in RFC 4514 (openssl x509 -subject -nameopt RFC2253)."},
    {.path = "match.client_certificate.name", .places = PLACE_ROUTE, .type = OPTION_TEXTS,
     .sample = "merchant.example",
     FIELD_LIST(route_settings, certificate_names, certificate_name_count),
     .read = config_read_kept, .expects = "a name",
     .help = "A name in its subjectAltName: a DNS name, a mail address or a URI; of several, one."},
    {.path = "match.listener", .places = PLACE_ROUTE, .type = OPTION_TEXTS,
     .sample = "127.0.0.1:8080", .sample_off = true,
     FIELD_LIST(route_settings, listeners, listener_count),
     .read = config_read_listener_name, .expects = "the address of a listener",
     .help = "Addresses of the listeners that the route is limited to."},

    {.path = "service", .places = PLACE_ROUTE, .type = OPTION_TEXT, .sample = "example",
     .read = config_read_route_service, .expects = "the name of a service",
     .help = "Forward to this service. A route has this, or split, respond or redirect."},
    {.path = "split", .places = PLACE_ROUTE, .type = OPTION_SPLIT,
     .sample = "{example: 95%, other: 5%}", .sample_off = true,
     FIELD_LIST(route_settings, arms, arm_count), .most = SPLIT_ARMS_MAX,
     .read = config_read_arm,
     .expects = "a mapping of services to percents, such as {a: 95%, b: 5%}",
     .help = "Forward to several services by weight: 100% in all, in steps of 0.01%."},
    {.path = "sticky", .places = PLACE_ROUTE, .type = OPTION_SOURCES,
     .sample = "[{cookie: uid}, {header: X-User}, {query: user}, client_address]",
     .sample_off = true, .words = "cookie|header|query|client_address",
     FIELD_LIST(route_settings, split.sticky, split.sticky_count), .read = config_read_source,
     .expects = "{cookie: NAME}, {header: NAME}, {query: NAME} or client_address",
     .help = "Places in a request that identify its user; the first one present counts. A user "
             "always gets the same arm, from every worker and after every restart. When an arm "
             "grows, users only move into it. Absent: requests are spread over the arms by "
             "weight, whichever client sends them."},
    {.path = "salt", .places = PLACE_ROUTE, .type = OPTION_TEXT, .sample = "spring", .least = "1",
     .greatest = "256", .sample_off = true, FIELD(route_settings, split.salt),
     .help = "Text that is hashed together with what identifies a user (sticky). Routes with the "
             "same services and the same salt, or none, send a user to the same arm. A new salt "
             "assigns all users anew."},
    {.path = "override", .places = PLACE_ROUTE, .type = OPTION_SOURCES,
     .sample = "[{header: X-Arm}, {cookie: arm}]", .sample_off = true, .words = "cookie|header",
     FIELD_LIST(route_settings, split.override, split.override_count),
     .read = config_read_source, .expects = "{header: NAME} or {cookie: NAME}",
     .help = "Where a tester may name the service of the split to use; other names are "
             "ignored."},
    {.path = "pin", .places = PLACE_ROUTE, .type = OPTION_GROUP, .sample_off = true,
     FIELD(route_settings, split),
     .help = "Requests with an idempotency key stay with the arm that saw the key first, whatever "
             "happens to the weights. This holds on every split."},
    {.path = "pin.headers", .places = PLACE_ROUTE, .type = OPTION_TEXTS,
     .sample = "[Idempotency-Key]", .sample_off = true,
     FIELD_LIST(split_settings, pin_headers, pin_header_count),
     .read = config_read_header_source, .expects = "a name",
     .help = "Headers that carry such a key; absent: Idempotency-Key."},
    {.path = "pin.lifetime", .places = PLACE_ROUTE, .type = OPTION_TIME, .initial = "24h",
     .zero_word = "none", .least = "1m", .greatest = "31d", FIELD(split_settings, pin_lifetime),
     .help = "How long a key keeps its arm; none: keys are not pinned."},
    {.path = "ramp", .places = PLACE_ROUTE, .type = OPTION_GROUP, .sample_off = true,
     FIELD(route_settings, split.ramp),
     .help = "Canary release: moves a split of two services in steps, and rolls back at once "
             "when the new arm does worse than the old one. Needs state_directory."},
    {.path = "ramp.to", .places = PLACE_ROUTE, .type = OPTION_TEXT, .sample = "other",
     .sample_off = true, .offset = offsetof(struct ramp_settings, to),
     .read = config_read_ramp_target,
     .expects = "a service of the split",
     .help = "Service that gets the traffic; absent: the last one of the split."},
    {.path = "ramp.steps", .places = PLACE_ROUTE, .type = OPTION_STEPS, .required = true,
     .sample = "[1%, 5%, {weight: 25%, hold: 1h}, 100%]",
     FIELD_LIST(ramp_settings, steps, step_count), .read = config_read_step,
     .expects = "a list of percents such as [1%, 5%, 25%, 100%]", .missing = "a list of percents",
     .help = "Weights of the new arm, ascending. A group gives a step its own hold."},
    {.path = "ramp.steps.weight", .places = PLACE_ROUTE, .type = OPTION_PERCENT, .required = true,
     .least = "0.01%", .greatest = "100%", .sample_off = true, .sample = "25%",
     FIELD(ramp_step, weight),
     .missing = "a percent such as 5%",
     .help = "Weight of the new arm."},
    {.path = "ramp.steps.hold", .places = PLACE_ROUTE, .type = OPTION_TIME, .least = "1s",
     .greatest = "30d", .sample_off = true, .sample = "1h", FIELD(ramp_step, hold),
     .help = "Minimum time of this step, in place of ramp.hold."},
    {.path = "ramp.hold", .places = PLACE_ROUTE, .type = OPTION_TIME, .initial = "10m",
     .least = "1s", .greatest = "30d", FIELD(ramp_settings, hold),
     .help = "Minimum time of each step; it must contain a full window."},
    {.path = "ramp.error_rate", .places = PLACE_ROUTE, .type = OPTION_PERCENT, .initial = "1%",
     .least = "0%", .greatest = "100%", FIELD(ramp_settings, error_rate),
     .help = "How far the new arm's share of failures (5xx, broken responses) may exceed that of "
             "the control group: an equal number of requests to the old arm."},
    {.path = "ramp.failed_status", .places = PLACE_ROUTE, .type = OPTION_STATUSES,
     .initial = "[500, 502-504, 506-599]",
     FIELD(ramp_settings, failed_status), STATUSES,
     .help = "Response statuses that count as failures of an arm, as in health.failed_status. Do "
             "not list those that the request causes by itself, such as 501 and 505. An "
             "incomplete response always counts as a failure."},
    {.path = "ramp.failed_grpc_status", .places = PLACE_ROUTE, .type = OPTION_GRPC_STATUSES,
     .initial = "[UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE, DATA_LOSS]",
     FIELD(ramp_settings, failed_grpc_status), GRPC_STATUSES,
     .help = "gRPC statuses that count as failures of an arm, as in health.failed_grpc_status. "
             "Failures that clients cause occur in both arms alike."},
    {.path = "ramp.p99", .places = PLACE_ROUTE, .type = OPTION_PERCENT, .initial = "50%",
     .least = "0%", .greatest = "10000%", FIELD(ramp_settings, p99),
     .help = "How far the new arm's 99th percentile of the time to the first byte may exceed that "
             "of the control group."},
    {.path = "ramp.window", .places = PLACE_ROUTE, .type = OPTION_TIME, .initial = "1m",
     .least = "1s", .greatest = "1d", FIELD(ramp_settings, window),
     .help = "Time over which both arms are compared. A new arm that fails is rolled back "
             "within two windows."},
    {.path = "ramp.min_samples", .places = PLACE_ROUTE, .type = OPTION_COUNT, .initial = "200",
     .least = "10", .greatest = "1000000000", FIELD(ramp_settings, min_samples),
     .help = "Requests of each arm that a window needs. With fewer, the window goes on."},
    {.path = "respond", .places = PLACE_ROUTE, .type = OPTION_GROUP, .sample_off = true,
     FIELD(route_settings, respond), .read = config_check_respond,
     .help = "The gateway responds by itself, without an origin."},
    {.path = "respond.status", .places = PLACE_ROUTE, .type = OPTION_COUNT, .initial = "200",
     .least = "200", .greatest = "599", FIELD(respond_settings, status), .help = "Status code."},
    {.path = "respond.body", .places = PLACE_ROUTE, .type = OPTION_TEXT, .initial = "",
     .least = "0", .greatest = "65536", FIELD(respond_settings, body),
     .help = "Content of the answer."},
    {.path = "respond.content_type", .places = PLACE_ROUTE, .type = OPTION_TEXT,
     .initial = "text/plain; charset=utf-8", .least = "1", .greatest = "256",
     FIELD(respond_settings, content_type), .help = "Content-Type of the response."},
    {.path = "respond.headers", .places = PLACE_ROUTE, .type = OPTION_HEADERS,
     .sample = "{Cache-Control: no-store}",
     .read = config_read_respond_headers,
     .help = "Further header lines of the answer."},
    {.path = "redirect", .places = PLACE_ROUTE, .type = OPTION_GROUP, .sample_off = true,
     FIELD(route_settings, redirect),
     .help = "The gateway redirects the client to another place."},
    {.path = "redirect.status", .places = PLACE_ROUTE, .type = OPTION_COUNT, .initial = "308",
     .words = "301|302|303|307|308", FIELD(redirect_settings, status), .help = "Status code."},
    {.path = "redirect.to", .places = PLACE_ROUTE, .type = OPTION_TEXT, .required = true,
     .least = "1", .greatest = "4096", .sample = "https://{host}{path}",
     FIELD(redirect_settings, to),
     .missing = "a URI or a path", .read = config_check_redirect,
     .help = "A URI with http:// or https://, or a path; {host}, {path} and {query} stand for "
             "those of the request."},

    {.path = "rewrite", .places = PLACE_ROUTE, .type = OPTION_GROUP, .sample_off = true,
     .help = "Changes the path that the origin gets."},
    {.path = "rewrite.path_prefix", .places = PLACE_ROUTE, .type = OPTION_TEXT, .required = true,
     .least = "1", .greatest = "4096", .sample = "/new/",
     FIELD(route_settings, prefix_rewrite), .fits = config_is_rewrite,
     .expects = "a path such as /new/, in visible ASCII without '?' and '#'",
     .missing = "a path such as /new/", .read = config_check_rewrite,
     .help = "Replacement for match.path_prefix. Both must end in '/', or neither."},
    {.path = "rewrite_location", .places = PLACE_ROUTE, .type = OPTION_FLAG, .initial = "false",
     FIELD(route_settings, rewrites_location), .sample_off = true,
     .help = "Turn Location and Content-Location that name the origin to the scheme, host and port "
             "that the client used, and take rewrite.path_prefix back in them and in the Path of "
             "Set-Cookie. Other hosts, and paths outside of that prefix, stay as they are."},
    {.path = "path_guard", .places = PLACE_ROUTE, .type = OPTION_CHOICE, .initial = "on",
     .words = "on|off", FIELD(route_settings, path_guard), .sample_off = true,
     .help = "Whether a path is checked that an origin may read as the path of another route, or "
             "of none (doc/PATHS.md). on: such a request gets 400. off: the path passes unchanged."},
    {.path = "maintenance", .places = PLACE_ROUTE, .type = OPTION_FLAG, .initial = "false",
     .sample_off = true, FIELD(route_settings, access_rules.maintenance),
     .help = "Whether all requests but those of testers (maintenance_pass) get 503; browsers get "
             "error_pages.maintenance. turnpikectl maintenance ROUTE on (or off) does the same at "
             "run time and overrides the file."},
    {.path = "maintenance_pass", .places = PLACE_ROUTE, .type = OPTION_CONDITIONS,
     .sample = "{X-Tester: a-secret}", .sample_off = true,
     FIELD_LIST(route_settings, access_rules.pass, access_rules.pass_count), .read = config_read_condition,
     .expects = "a mapping of names to values, such as {X-Tenant: blue}",
     .help = "Header fields of testers: a request with one of them is served in maintenance. So is a "
             "CORS preflight, which cannot carry them."},
    {.path = "priority", .places = PLACE_ROUTE, .type = OPTION_CHOICE, .initial = "normal",
     .words = "critical|normal|bulk", FIELD(route_settings, priority),
     .help = "Order in which requests get a place if they wait for an origin (limits, "
             "pool.max_connections, concurrency): critical before normal before bulk. A lower "
             "class still gets one place in a thousand."},
    {.path = "fair_by", .places = PLACE_ROUTE, .type = OPTION_SOURCES,
     .sample = "[{cookie: session}, {header: X-Api-Key}]", .sample_off = true,
     .words = "cookie|header|query|client_address",
     FIELD_LIST(route_settings, fair_by, fair_by_count), .read = config_read_source,
     .expects = "{cookie: NAME}, {header: NAME}, {query: NAME} or client_address",
     .help = "What tells clients apart while requests wait for an origin of a service with "
             "concurrency: auto; the first one present counts. Each client has its turn. Absent: "
             "the client's address."},
    {.path = "rate_limits", .places = PLACE_ROUTE, .type = OPTION_ROWS, .sample_off = true,
     FIELD_LIST(route_settings, rate_limits, rate_limit_count), .most = RATE_LIMITS_MOST,
     .read = config_read_rate_limit,
     .expects = "a list such as [{key: client_address, requests: 100, window: 1m}]",
     .help = "Limits on requests by key, such as an API key or a user; 32 at most. Each holds by "
             "itself and counts over all workers. Requests over a limit get 429 with "
             "RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-11), which "
             "name the first limit in the list that is exceeded."},
    {.path = "rate_limits.name", .places = PLACE_ROUTE, .type = OPTION_TEXT, .least = "1",
     .greatest = "64", .sample = "each-customer", FIELD(rate_limit_settings, name),
     .fits = config_is_name, .expects = "1 to 64 letters, digits and -_.",
     .help = "Name of the limit in answers and the log: letters, digits, - and _. Absent: "
             "limit-1 and so on. A limit that keeps its name keeps its counts over a reload."},
    {.path = "rate_limits.key", .places = PLACE_ROUTE, .type = OPTION_SOURCES, .required = true,
     .sample = "[{header: X-Api-Key}]",
     .words = "cookie|header|query|path_segment|client_address|certificate_subject",
     FIELD_LIST(rate_limit_settings, key, key_count), .read = config_read_source,
     .expects = "{cookie: NAME}, {header: NAME}, {query: NAME}, {path_segment: NUMBER}, "
                "client_address or certificate_subject",
     .missing = "what to count by, such as {header: X-Api-Key}",
     .help = "What is counted: a place in the request, or several together. {path_segment: 1} is "
             "the first segment of the path; certificate_subject is that of the client's "
             "certificate. Query parameters and path segments count the same in each of their "
             "spellings: ?k=%31 is ?k=1, but + is no space. A request that lacks one of them does "
             "not count for this limit."},
    {.path = "rate_limits.requests", .places = PLACE_ROUTE, .type = OPTION_COUNT, .required = true,
     .least = "1", .greatest = "1000000000", .sample = "100", FIELD(rate_limit_settings, requests),
     .missing = "a number of requests in each window",
     .help = "Requests of one key in each window."},
    {.path = "rate_limits.window", .places = PLACE_ROUTE, .type = OPTION_TIME, .initial = "1s",
     .least = "100ms", .greatest = "31d", FIELD(rate_limit_settings, window),
     .help = "Length of the window in which rate_limits.requests are allowed."},
    {.path = "rate_limits.burst", .places = PLACE_ROUTE, .type = OPTION_COUNT, .initial = "auto",
     .zero_word = "auto", .least = "1", .greatest = "1000000000",
     FIELD(rate_limit_settings, burst),
     .help = "Requests that may come at once after a pause; auto: those of a window."},
    {.path = "rate_limits.mode", .places = PLACE_ROUTE, .type = OPTION_CHOICE,
     .initial = "enforce", .words = "enforce|report", FIELD(rate_limit_settings, mode),
     .help = "enforce: requests over the limit get 429. report: they are served, counted and "
             "named in the access log."},
    {.path = "waiting_room", .places = PLACE_ROUTE, .type = OPTION_GROUP, .sample_off = true,
     FIELD(route_settings, waiting_room),
     .help = "A queue of users in front of the route. While all places are taken, a user gets "
             "503 with a page that asks again by itself (browsers), or with JSON. A signed "
             "cookie tells users apart. The place of a new user is held for 20 s until the "
             "cookie comes back; one client address has at most a tenth of the room, or 8 "
             "places, held so. A CORS preflight, which carries no cookie, passes without a place."},
    {.path = "waiting_room.active", .places = PLACE_ROUTE, .type = OPTION_COUNT, .required = true,
     .least = "1", .greatest = "4000000", .sample = "500", FIELD(waiting_room_settings, active),
     .missing = "a number of users",
     .help = "Users that are let in at the same time. Each gateway counts its own users."},
    {.path = "waiting_room.per_minute", .places = PLACE_ROUTE, .type = OPTION_COUNT,
     .initial = "none", .zero_word = "none", .least = "1", .greatest = "100000000",
     FIELD(waiting_room_settings, per_minute),
     .help = "New users that are let in each minute, at most."},
    {.path = "waiting_room.session", .places = PLACE_ROUTE, .type = OPTION_TIME, .initial = "5m",
     .least = "5s", .greatest = "1d", FIELD(waiting_room_settings, session),
     .help = "How long a user keeps the place after the last request. A user that has made one "
             "request only loses it after 20 s at most."},
    {.path = "waiting_room.opens_at", .places = PLACE_ROUTE, .type = OPTION_TEXT,
     .least = "20", .greatest = "32", .sample = "\"2030-11-29T08:00:00Z\"", .sample_off = true,
     FIELD(waiting_room_settings, opens_at),
     .read = config_read_opening,
     .expects = "a time such as \"2030-11-29T08:00:00Z\" or \"2030-11-29T09:00:00+01:00\"",
     .help = "Time at which users are let in. Until then all wait. Then those who wait come in "
             "by lot, before users who arrive later. The lots are secret until then, and one client "
             "address has as many as places it may hold without a cookie; further users of it come "
             "behind the others. Absent: the room is open."},
    {.path = "waiting_room.page", .places = PLACE_ROUTE, .type = OPTION_TEXT, .least = "2",
     .greatest = "4096", .sample = "/etc/turnpike/waiting.html", .sample_off = true,
     .offset = offsetof(struct waiting_room_settings, page), .read = config_read_waiting_page,
     .help = "HTML file of up to 48 KiB, in place of the gateway's own page. In it {place} "
             "becomes the user's place, {wait} the expected wait in words, and {again} the "
             "seconds until the page should ask again. With them filled in it has at most 52 KiB."},
    {.path = "waiting_room.cookie", .places = PLACE_ROUTE, .type = OPTION_TEXT,
     .least = "1", .greatest = "96", .sample = "shop-ticket", .sample_off = true,
     FIELD(waiting_room_settings, cookie),
     .fits = config_is_token, .expects = "a cookie's name",
     .help = "Name of the cookie that holds a user's ticket. Absent: turnpike-ticket- and the "
             "name of the route."},
    {.path = "waiting_room.keys", .places = PLACE_ROUTE, .type = OPTION_TEXTS,
     .sample = "[/etc/turnpike/tickets.key]", .sample_off = true,
     FIELD_LIST(waiting_room_settings, keys, key_count), .read = config_read_ticket_secret,
     .help = "Files of at least 32 random bytes that sign the cookie, the same on all gateways "
             "of a fleet. The first one signs; cookies signed with any of them are accepted. "
             "Absent: a secret kept in state_directory."},
    {.path = "coalesce", .places = PLACE_ROUTE, .type = OPTION_FLAG, .initial = "false",
     .sample_off = true, FIELD(route_settings, caching.coalesce),
     .help = "Whether requests wait for the response to an earlier GET or HEAD for the same URL "
             "instead of going to the origin, if that response may be shared (doc/CACHE.md). "
             "Requests with Authorization, Cookie or a client certificate never wait."},
    {.path = "max_coalesced", .places = PLACE_ROUTE, .type = OPTION_COUNT, .initial = "10000",
     .least = "1", .greatest = "10000000", .sample_off = true,
     FIELD(route_settings, caching.max_coalesced),
     .help = "Requests that may wait for one response. Further ones go to the origin."},
    {.path = "coalesce_timeout", .places = PLACE_ROUTE, .type = OPTION_TIME, .initial = "3s",
     .least = "10ms", .greatest = "1h", .sample_off = true,
     FIELD(route_settings, caching.coalesce_timeout),
     .help = "How long requests wait for the answer to the first one. Then one of them goes to "
             "the origin as well, after the same time another one, and so on. None waits longer "
             "than timeouts.first_byte. If the first request failed, those that have waited "
             "this long get 503."},
    {.path = "cache", .places = PLACE_ROUTE, .type = OPTION_GROUP, .sample_off = true,
     FIELD(route_settings, caching),
     .help = "Stores responses to GET in memory, by RFC 9111, for all workers and over reloads "
             "(doc/CACHE.md). Only those are stored that may be shared: none with Set-Cookie, "
             "none to a request with Authorization, Cookie or a client certificate."},
    {.path = "cache.ttl", .places = PLACE_ROUTE, .type = OPTION_TIME, .initial = "none",
     .zero_word = "none", .least = "10ms", .greatest = "31d", .sample = "1s",
     FIELD(caching_settings, ttl),
     .help = "How long an answer is fresh that does not say so itself (Cache-Control, Expires). "
             "none: such answers are not stored."},
    {.path = "cache.stale_while_revalidate", .places = PLACE_ROUTE, .type = OPTION_TIME,
     .initial = "none", .zero_word = "none", .least = "10ms", .greatest = "31d", .sample = "10s",
     FIELD(caching_settings, stale_while_revalidate),
     .help = "How long after the end of its freshness a stored answer is still served while one "
             "request fetches a new one. The answer's own stale-while-revalidate takes "
             "precedence. none: not at all."},
    {.path = "cache.stale_if_error", .places = PLACE_ROUTE, .type = OPTION_TIME,
     .initial = "none", .zero_word = "none", .least = "10ms", .greatest = "31d", .sample = "10m",
     FIELD(caching_settings, stale_if_error),
     .help = "How long after the end of its freshness a stored answer is served when the origin "
             "fails or answers 5xx. The answer's own stale-if-error takes precedence. none: not "
             "at all."},
    {.path = "cache.max_bytes", .places = PLACE_ROUTE, .type = OPTION_SIZE, .initial = "64MiB",
     .least = "64KiB", .greatest = "1024GiB", FIELD(caching_settings, max_bytes),
     .help = "Memory for the stored answers of this route. At the limit, the least recently "
             "used ones are evicted."},
    {.path = "cache.max_answer", .places = PLACE_ROUTE, .type = OPTION_SIZE, .initial = "1MiB",
     .least = "1KiB", .greatest = "1GiB", FIELD(caching_settings, max_answer),
     .help = "Largest body that is stored, or shared with requests that wait for it."},
    {.path = "cache.requests_with_cookie", .places = PLACE_ROUTE, .type = OPTION_FLAG,
     .initial = "false", FIELD(caching_settings, requests_with_cookie),
     .help = "Whether requests with Cookie take part. Only if responses do not depend on cookies, "
             "or say Vary: Cookie. The origin gets the cookies of the request that fetches."},
    {.path = "cache.requests_with_authorization", .places = PLACE_ROUTE, .type = OPTION_FLAG,
     .initial = "false", FIELD(caching_settings, requests_with_authorization),
     .help = "Whether requests with Authorization take part, if the response allows it (public, "
             "s-maxage or must-revalidate: RFC 9111 section 3.5)."},
    {.path = "cache.answers_with_set_cookie", .places = PLACE_ROUTE, .type = OPTION_FLAG,
     .initial = "false", FIELD(caching_settings, answers_with_set_cookie),
     .help = "Whether responses with Set-Cookie are stored, without that field. Only the client "
             "whose request fetched the response gets the cookie."},
    HEADER_EDITS(request_headers, "the request that the origin gets"),
    HEADER_EDITS(response_headers, "the answer that the client gets"),
    {.path = "body_bytes", .places = PLACE_ROUTE, .type = OPTION_SIZE, .zero_word = "none",
     .least = "1B", .greatest = "1048576GiB", .sample = "10MiB", .sample_off = true,
     FIELD(route_settings, body_bytes),
     .help = "Size of a request body on this route, in place of limits.body_bytes. More gets 413."},
    {.path = "reuse", .places = PLACE_ROUTE, .type = OPTION_CHOICE,
     .initial = "proven", .words = "proven|any|fresh", FIELD(route_settings, reuse), .sample_off = true,
     .help = "Which pooled connections carry requests that cannot be retried (POST). proven: "
             "those idle for less time than the origin is known to keep connections. any: all. "
             "fresh: none, a new connection is opened."},
};
/* clang-format on */

static const char *const type_names[OPTION_TYPE_COUNT] = {
    [OPTION_COUNT] = "number",
    [OPTION_TIME] = "time",
    [OPTION_SIZE] = "size",
    [OPTION_PERCENT] = "percent",
    [OPTION_FLAG] = "true or false",
    [OPTION_CHOICE] = "word",
    [OPTION_MODE] = "octal permissions",
    [OPTION_TEXT] = "text",
    [OPTION_TEXTS] = "text or list of texts",
    [OPTION_PATH] = "path",
    [OPTION_ADDRESS] = "address",
    [OPTION_NETWORKS] = "list of networks",
    [OPTION_STATUSES] = "text or list of texts",
    [OPTION_GRPC_STATUSES] = "text or list of texts",
    [OPTION_LOG] = "word or absolute path",
    [OPTION_LOG_GROUP] = "word, absolute path or group",
    [OPTION_SPLIT] = "mapping of service to percent",
    [OPTION_SOURCES] = "list of places in a request",
    [OPTION_STEPS] = "list of percents or groups",
    [OPTION_CONDITIONS] = "mapping of name to value or true",
    [OPTION_HEADERS] = "mapping of name to value",
    [OPTION_HEADER_ROWS] = "mapping of name to value, or list of them",
    [OPTION_GROUP] = "group",
    [OPTION_ORIGINS] = "list of addresses or groups",
    [OPTION_ROWS] = "list of groups",
    [OPTION_ITEMS] = "list of groups",
    [OPTION_NAMED] = "mapping of name to group",
};

const struct option *config_option_at(size_t index)
{
    return index < sizeof(options) / sizeof(options[0]) ? &options[index] : NULL;
}

bool config_option_is_child(const struct option *option, enum option_place place,
                            const char *prefix, struct bytes *name)
{
    struct bytes path = bytes_of(option->path);
    struct bytes above = bytes_of(prefix);

    if ((option->places & place) == 0) {
        return false;
    }
    if (above.length > 0) {
        if (!bytes_start_with(path, above) || path.at[above.length] != '.') {
            return false;
        }
        path = bytes_skip(path, above.length + 1);
    }
    *name = path;
    return memchr(path.at, '.', path.length) == NULL;
}

const struct option *config_option_find(enum option_place place, const char *path)
{
    const struct option *option;
    size_t i;

    for (i = 0; (option = config_option_at(i)) != NULL; i++) {
        if ((option->places & place) != 0 && strcmp(option->path, path) == 0) {
            return option;
        }
    }
    return NULL;
}

const char *config_option_type_name(enum option_type type)
{
    return type_names[type];
}

const char *config_place_name(enum option_place place)
{
    switch (place) {
    case PLACE_LISTENER:
        return "in a listener";
    case PLACE_SERVICE:
        return "in a service";
    case PLACE_ROUTE:
        return "in a route";
    default:
        return "at the top of the file";
    }
}

bool config_next_word(struct bytes *words, struct bytes *word)
{
    const char *end;

    if (words->length == 0) {
        return false;
    }
    end = memchr(words->at, '|', words->length);
    word->at = words->at;
    word->length = end != NULL ? (size_t)(end - words->at) : words->length;
    *words = bytes_skip(*words, word->length + (end != NULL ? 1 : 0));
    return true;
}

struct bytes config_choice_word(enum option_place place, const char *path, unsigned choice)
{
    struct bytes words = bytes_of(config_option_find(place, path)->words);
    struct bytes word = {0};

    for (unsigned i = 0; i <= choice && config_next_word(&words, &word); i++) {
    }
    return word;
}
