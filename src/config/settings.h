/* SPDX-License-Identifier: BSD-2-Clause */
/* What a configuration file says, as plain constant data: every unit resolved, every default
 * filled in, every name a pointer or an index. Filled by config/ only; read by all levels.
 * All memory belongs to the snapshot's arena; nothing here changes after loading. */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include "base/address.h"
#include "base/bytes.h"
#include "base/file_place.h"
#include "http/message.h"

#include <string.h>

/* Milliseconds; 0 means "no limit" where the option's help says so. */
typedef uint32_t milliseconds;

#define SPLIT_WHOLE 10000 /* weights are counted in 0.01 % */
#define SPLIT_ARMS_MAX 64

struct timeouts_settings {
    milliseconds handshake;      /* of TLS, from the connection's first byte to the last */
    milliseconds head;           /* from the first byte of a request head to its last */
    milliseconds request_buffer; /* of a chunked body before its head goes on; 0: no limit */
    milliseconds body_idle;      /* between two reads of a request body */
    milliseconds connect;        /* to an origin, one address */
    milliseconds send_idle;      /* between two writes of a request */
    milliseconds first_byte;     /* request sent in full, to the first byte of its answer */
    milliseconds response_idle;  /* between two reads of an answer, and between two writes of it */
    milliseconds keepalive_idle; /* client connection between two requests */
    milliseconds lifetime;       /* of a client connection; 0: no limit */
    milliseconds tunnel_idle;    /* no byte either way in an upgraded connection */
    milliseconds stream_idle;    /* the same of an RPC, in place of the four idle times above */
    milliseconds total;          /* of a whole exchange; 0: no limit */
    milliseconds lame_duck;      /* from SIGTERM until the stop begins */
    milliseconds drain;          /* from then until what is left is cut */
    milliseconds upgrade_drain;  /* the same, from a binary upgrade; 0: never */
};

/* The bytes a second that a client must move while it alone is waited for; 0: any. */
struct min_rates_settings {
    uint32_t request_body;
    uint32_t response;
    milliseconds window; /* in which they are counted */
};

#define RATE_UNSAID UINT32_MAX /* in a route: what the listener says holds */

/* When a request whose method is not idempotent may be sent once more. Each holds what those
 * before it do. */
enum retry_non_idempotent {
    RETRY_NON_IDEMPOTENT_NEVER,
    RETRY_NON_IDEMPOTENT_NOT_SENT,
    RETRY_NON_IDEMPOTENT_UNREAD,
    RETRY_NON_IDEMPOTENT_WITH_KEY, /* also in doubt, if it carries an idempotency key */
};

struct retry_settings {
    bool idempotent; /* idempotent methods, while there is no answer */
    enum retry_non_idempotent non_idempotent;
    bool grpc_unavailable; /* a call answered so, and with nothing else, was not processed */
    milliseconds backoff;  /* another origin is tried after a random time up to this */
};

struct deadline_settings {
    const char *header;         /* in which milliseconds are asked for and passed on */
    uint16_t id;                /* enum http_header_id */
    milliseconds min_remaining; /* with less than this left nothing is sent to an origin */
};

struct retry_budget_settings { /* of a service, over all routes */
    uint32_t percent;          /* of its requests */
    uint32_t min_per_second;   /* a second, over all workers */
};

/* Pooled connections for requests that cannot be sent again. */
/* Whether paths that origins may read otherwise are compared with other routes. */
enum path_guard { PATH_GUARD_ON, PATH_GUARD_OFF };

enum reuse { REUSE_PROVEN, REUSE_ANY, REUSE_FRESH };

struct limits_settings {
    uint32_t head_bytes;   /* request head */
    uint32_t target_bytes; /* request target */
    uint32_t headers;      /* header lines of a message */
    uint32_t response_head_bytes;
    uint64_t body_bytes;     /* request body; 0: no limit */
    uint32_t request_buffer; /* of a request body, read before an origin is chosen; 0: none */
    uint32_t requests_per_connection; /* of one client connection; 0: no limit */
    uint32_t connection_buffer;       /* bytes held for one client connection; 0: limits_buffer */
    uint32_t
        max_connections;    /* client connections of the process; 0: as many as descriptors allow */
    uint64_t memory;        /* of the process, in bytes; 0: a share of what the machine gives it */
    uint32_t handshakes;    /* of TLS at once, each worker */
    uint32_t http2_streams; /* of a client connection, at once */
    uint32_t http2_header_table;      /* bytes, of the requests of a connection */
    uint32_t http2_stream_window;     /* bytes of a request body that its origin has not taken */
    uint32_t http2_connection_window; /* the same of all streams of a connection */
    uint32_t descriptors;             /* of the process; 0: as many as the kernel gives it */
};

#define LIMITS_HTTP1_BUFFER 65536u
#define LIMITS_HTTP2_BUFFER 524288u /* a hundred requests that wait, and what there is of bodies */

/* What `connection_buffer` is for a connection of that version. A request body that is read first is
 * held too. */
static inline uint32_t limits_buffer(const struct limits_settings *limits, bool http2)
{
    uint32_t most = http2 ? LIMITS_HTTP2_BUFFER : LIMITS_HTTP1_BUFFER;

    if (limits->connection_buffer != 0) {
        return limits->connection_buffer;
    }
    return most / 2 < limits->request_buffer ? 2 * limits->request_buffer : most;
}

/* What one client address (IPv4 /32, IPv6 /64) may have, counted over the whole process. */
struct client_limits_settings {
    uint32_t max_connections; /* at once; 0: no limit */
    uint32_t connection_rate; /* new ones a second; 0: no limit */
    uint32_t request_rate;    /* requests a second; 0: no limit */
    uint32_t request_burst;   /* at once after a pause; never 0 with a request_rate */
    uint32_t scope; /* whose count it is: 0 for the global one, else a listener's or route's */
};

/* Whose X-Request-Id is taken; for all others one is made. */
enum request_id_from { REQUEST_ID_FROM_TRUSTED, REQUEST_ID_FROM_ANY };

enum access_log_target { ACCESS_LOG_OFF, ACCESS_LOG_STDERR, ACCESS_LOG_FILE, ACCESS_LOG_SYSLOG };

/* What a line may have besides the usual. */
enum access_field_kind {
    ACCESS_FIELD_REQUEST_HEADER,
    ACCESS_FIELD_RESPONSE_HEADER,
    ACCESS_FIELD_SERVER_NAME,    /* that the client asked for (SNI) */
    ACCESS_FIELD_CLIENT_SUBJECT, /* of its certificate */
    ACCESS_FIELD_HANDSHAKE,      /* its time, a number */
    ACCESS_FIELD_QUERY_KEYS,
};

struct access_field {
    enum access_field_kind kind;
    struct bytes key;    /* as the line has it */
    struct bytes header; /* its name, of the first two */
};

#define ACCESS_FIELDS_MAX 16
#define ACCESS_FIELD_KEY_MAX 96

struct access_log_settings {
    enum access_log_target target;
    const char *path; /* ACCESS_LOG_FILE */
    struct file_place at;
    struct access_field *fields;
    uint32_t field_count;
    uint32_t sample; /* in 0.01 % */
};

/* Whose traceparent is believed; for all others a new trace begins. */
enum tracing_parents { TRACING_PARENTS_TRUSTED, TRACING_PARENTS_ANY };

enum tls_version { TLS_1_2, TLS_1_3 };
enum tls_unknown_names { TLS_UNKNOWN_NAMES_DEFAULT, TLS_UNKNOWN_NAMES_REFUSE };
/* What becomes of a certificate of ours that is out of date. */
enum tls_expired { TLS_EXPIRED_SERVE, TLS_EXPIRED_REFUSE };
enum tls_client_auth { TLS_CLIENT_AUTH_OFF, TLS_CLIENT_AUTH_OPTIONAL, TLS_CLIENT_AUTH_REQUIRED };

struct tls_certificate_settings { /* paths; tls/tls_store reads the files */
    const char *cert;
    const char *key;
    struct file_place cert_at;
    struct file_place key_at;
};

struct tls_client_auth_settings {
    enum tls_client_auth mode;
    const char *ca;
    struct file_place ca_at;
};

struct tls_host_settings { /* what one name of a listener has of its own */
    const char *name;      /* lower case */
    struct tls_client_auth_settings client_auth;
};

struct tls_ticket_key_settings {
    const char *path;
    struct file_place at;
};

struct tls_listener_settings {
    struct file_place at;
    struct tls_certificate_settings *certificates; /* the first one is the default */
    uint32_t certificate_count;                    /* 0: the listener speaks plain */
    enum tls_unknown_names unknown_names;
    enum tls_expired expired;
    enum tls_version min_version;
    const char *ciphers;
    const char *cipher_suites;
    const char *groups;
    struct tls_client_auth_settings client_auth;
    struct tls_host_settings *hosts;
    uint32_t host_count;
    bool resume;                                 /* sessions, by tickets */
    struct tls_ticket_key_settings *ticket_keys; /* the first one encrypts. None: a secret of the
                                                    process's */
    uint32_t ticket_key_count;
    milliseconds ticket_rotate; /* 0: the secrets are used as they are */
    bool watch;
};

struct pair_match { /* a header or a query parameter */
    struct bytes name;
    struct bytes value;
    bool present_only; /* any value */
};

/* Who may come in by a listener or a route. */
struct access_rules {
    struct network *allow; /* none: all */
    uint32_t allow_count;
    struct network *deny; /* even if allowed */
    uint32_t deny_count;
    bool maintenance;        /* of a route: all are answered 503, */
    struct pair_match *pass; /* but those with one of these header fields */
    uint32_t pass_count;
};

struct listener_settings {
    uint64_t print; /* of what the file says of it (config/yaml/node.h): did a reload change it? */
    const char *name;     /* for logs: the address as written */
    struct file_place at; /* of the address */
    struct address address;
    bool proxy_protocol;
    struct network *proxy_from; /* whose headers count; a Unix socket has none */
    uint32_t proxy_from_count;
    bool half_close;    /* its clients may end their side before they have their answers */
    bool http2;         /* offered by ALPN */
    bool h2c;           /* by prior knowledge, without TLS */
    mode_t socket_mode; /* Unix sockets */
    struct tls_listener_settings tls;
    bool redirect_to_https;
    struct access_rules access_rules;
    bool has_access_rules;
    struct bytes hsts; /* of Strict-Transport-Security; empty: none */
    /* Global ones where the listener does not say. */
    struct timeouts_settings timeouts;
    struct limits_settings limits;
    struct min_rates_settings min_rates;
    struct client_limits_settings client_limits;
};

/* What is spoken with an origin. */
enum origin_protocol {
    ORIGIN_PROTOCOL_HTTP1,
    ORIGIN_PROTOCOL_HTTP2, /* on plain connections without asking (RFC 9113 section 3.3) */
    ORIGIN_PROTOCOL_AUTO,  /* over TLS what the origin chooses; else HTTP/1 */
};

struct origin_settings {
    enum origin_protocol protocol;
    const char *name;       /* as written: "10.0.0.1:80", "api.internal:8080", "unix:/run/x" */
    struct address address; /* length 0 when host is to be resolved */
    const char *host;       /* NULL for literal addresses */
    const char *srv;        /* the name in "srv:_api._tcp.internal", which stands for targets */
    uint16_t port;
    uint32_t weight;          /* 1 to 1000; of `srv`, what those of the targets are multiplied by */
    bool backup;              /* gets requests only while no other can */
    const char *tls_name;     /* what its certificate must be for; NULL: plain, or `srv` */
    const char *tls_identity; /* all that TLS to it goes by, as text; NULL: plain. Of `srv`, what
                                 follows each target's tls_name in it */
};

struct pool_settings { /* each origin; connections and waiting over all workers, the rest of each */
    uint32_t max_idle; /* connections kept open without a request */
    uint32_t max_connections;         /* at once; 0: no limit */
    uint32_t requests_per_connection; /* of one connection; 0: no limit */
    milliseconds max_age;             /* of one connection; 0: no limit */
    milliseconds idle_timeout;
    uint32_t reserve;             /* of connections, in 0.01 %: not for slow clients */
    uint32_t max_pending;         /* exchanges in line for a connection */
    milliseconds pending_timeout; /* in that line */
    bool limited;                 /* the service has limits that its requests are counted for */
};

/* Of a request, by its route: what waits is served in this order. */
enum priority { PRIORITY_CRITICAL, PRIORITY_NORMAL, PRIORITY_BULK, PRIORITY_COUNT };

#define CONCURRENCY_UNSAID UINT32_MAX

struct service_limits_settings {                 /* over all workers; 0: no limit */
    uint32_t max_concurrent_requests;            /* under way */
    uint32_t max_concurrent_requests_per_origin; /* of each origin */
    uint32_t max_connections;
    uint32_t max_pending;
    bool adaptive; /* concurrency: auto: of each origin, as its answers' times say */
};

#define STATUS_SET_FIRST 100
#define STATUS_SET_END 600

struct status_set { /* of 100 to 599, a bit each */
    uint64_t words[(STATUS_SET_END - STATUS_SET_FIRST + 63) / 64];
};

static inline bool status_set_has(const struct status_set *set, uint32_t status)
{
    uint32_t bit = status - STATUS_SET_FIRST;

    return status >= STATUS_SET_FIRST && status < STATUS_SET_END &&
           (set->words[bit / 64] >> bit % 64 & 1) != 0;
}

enum probe_type { PROBE_HTTP, PROBE_TCP, PROBE_GRPC };

struct probe_settings {
    bool on; /* the service has a `probe:` */
    enum probe_type type;
    struct bytes path;
    struct bytes host; /* empty: the origin's own name */
    milliseconds interval;
    uint32_t jitter; /* of the interval, in 0.01 % */
    milliseconds timeout;
    uint32_t healthy;   /* good ones in a row until a down origin is up */
    uint32_t unhealthy; /* bad ones in a row until an up origin is down */
    struct status_set status;
    struct bytes body;         /* must stand in the answer's body; empty: anything */
    struct bytes grpc_service; /* that is asked for; empty: the server as a whole */
    uint8_t lenient;           /* as the service is */
};

enum when_all_down { ALL_DOWN_TRY, ALL_DOWN_FAIL };

struct health_settings {
    uint32_t consecutive_failures; /* in a row that eject; 0: never */
    uint32_t failed_share;         /* of a window's answers that ejects, in 0.01 %; 0: never */
    uint32_t min_attempts;         /* answers in a window that may eject */
    milliseconds window;
    struct status_set failed_status; /* answers that count as failures */
    uint32_t failed_grpc_status;     /* the same of gRPC: a bit for each enum grpc_status */
    uint32_t slow_factor;            /* that often slower than the others ejects; 0: never */
    milliseconds slow_min_time;
    milliseconds ejection_time;     /* the first time */
    milliseconds max_ejection_time; /* however often */
    uint32_t max_ejected_share;     /* of a service's origins at once, in 0.01 %, rounded up */
    uint32_t half_open_requests; /* requests that must go well before an ejected origin is back */
    milliseconds slow_start;
    enum when_all_down when_all_down;
    struct probe_settings probe;
};

enum balance { BALANCE_ROUND_ROBIN, BALANCE_LEAST_REQUESTS, BALANCE_TWO_CHOICES };

struct tls_service_settings {
    bool on;
    const char *ca;          /* NULL: those of the system */
    const char *server_name; /* NULL: the origin's own */
    const char *cert;        /* ours; NULL: none */
    const char *key;
    struct file_place at;
    struct file_place ca_at;
    struct file_place cert_at;
    struct file_place key_at;
    enum tls_expired expired;
    enum tls_version min_version;
    bool insecure_skip_verify;
    bool watch;
};

struct tracing_settings {
    const char *to; /* the collector's URL as written; NULL: no tracing */
    const char *authority;
    const char *host; /* of it, without brackets */
    const char *port;
    const char *path;
    struct tls_service_settings tls; /* `on` with https:// */
    uint32_t sample;                 /* of new traces, in 0.01 % */
    enum tracing_parents parents;
    milliseconds timeout; /* of one POST */
};

struct lenient_settings { /* what is taken from origins; see enum http_leniency */
    bool bare_lf;
    bool unusual_status;
    bool chunked_in_http_1_0;
    uint8_t bits; /* of these three */
};

enum via_to_origins { VIA_ON, VIA_OFF };

struct service_settings {
    const char *name;
    bool used; /* a route names it */
    uint64_t print;
    uint32_t index; /* in settings.services */
    enum balance balance;
    enum origin_protocol protocol;
    enum via_to_origins via;
    struct lenient_settings lenient;
    struct origin_settings *origins;
    uint32_t origin_count;
    bool has_names; /* one of them at least is a name, which stands for any number */
    struct pool_settings pool;
    struct retry_budget_settings retry_budget;
    struct health_settings health;
    struct service_limits_settings limits;
    uint32_t concurrency; /* as the file says it, 0: auto; `limits` has what comes of it */
    struct tls_service_settings tls;
};

struct header_edit {
    struct bytes name;
    struct bytes value; /* empty for remove */
    uint16_t id;        /* enum http_header_id */
};

/* Applied in this order: remove, set, add. */
struct header_edits {
    struct header_edit *remove;
    struct header_edit *set;
    struct header_edit *add;
    uint32_t remove_count;
    uint32_t set_count;
    uint32_t add_count;
};

enum host_match { HOST_ANY, HOST_EXACT, HOST_SUFFIX };
enum path_match { PATH_ANY, PATH_EXACT, PATH_PREFIX };

struct host_pattern {
    enum host_match kind;
    struct bytes text; /* lower case; for "*.example.com" it is ".example.com" */
};

struct arm_settings {
    const struct service_settings *service;
    uint32_t weight; /* of SPLIT_WHOLE; the arms of a route add up to SPLIT_WHOLE */
};

/* A place in a request that a value is taken from. */
enum source_kind {
    SOURCE_COOKIE,
    SOURCE_HEADER,
    SOURCE_QUERY,
    SOURCE_PATH_SEGMENT,
    SOURCE_CLIENT_ADDRESS,
    SOURCE_CERTIFICATE, /* the subject of the client's */
    SOURCE_KIND_COUNT,
};

struct request_source {
    enum source_kind kind;
    struct bytes name; /* of a cookie, header or query parameter */
    uint16_t id;       /* SOURCE_HEADER: enum http_header_id */
    uint32_t segment;  /* SOURCE_PATH_SEGMENT: 1 is the first */
};

/* An operator's own document in place of ours. */
struct error_page {
    uint16_t status; /* 0: of a route in maintenance */
    struct bytes body;
};

struct error_pages_settings {
    struct error_page *rows;
    uint32_t count;
};

/* Of a route: how many users may be there at once, and what the others see. */
/* A page is filled in for each user, in one piece of memory. */
#define WAITING_PAGE_MOST (48u << 10)
#define WAITING_VALUE_MOST 20u /* bytes that come in for {place}, {wait} or {again} */
#define WAITING_FILLED_MOST (52u << 10)

struct waiting_room_settings {
    uint32_t active;       /* 0: there is none */
    uint32_t per_minute;   /* new users; 0: no limit */
    milliseconds session;  /* without a request */
    uint64_t opens_at_ms;  /* since 1970; 0: open */
    struct bytes opens_at; /* as written */
    const char *cookie;
    struct bytes page;  /* empty: ours */
    struct bytes *keys; /* the first one signs; none: the installation's secret */
    uint32_t key_count;
};

/* Of a route: `cache`, and what `coalesce` needs of it. */
struct caching_settings {
    bool on; /* answers are stored */
    bool coalesce;
    uint32_t max_coalesced;        /* requests that wait for one */
    milliseconds coalesce_timeout; /* after which another one goes to the origin */
    milliseconds ttl;              /* of answers that do not say; 0: they are not stored */
    milliseconds stale_while_revalidate;
    milliseconds stale_if_error;
    uint64_t max_bytes;
    uint64_t max_answer;
    bool requests_with_cookie; /* take part */
    bool requests_with_authorization;
    bool answers_with_set_cookie; /* are stored, without that field */
};

#define RATE_LIMITS_MOST 32u /* of one route */

enum rate_limit_mode { RATE_LIMIT_ENFORCE, RATE_LIMIT_REPORT };

/* What who is over the limit of this name is told, up to the request's id. */
#define RATE_LIMIT_PROBLEM(name) \
    "{\"type\":\"https://iana.org/assignments/http-problem-types#quota-exceeded\"," \
    "\"title\":\"Request cannot be satisfied as assigned quota has been exceeded\"," \
    "\"status\":429,\"violated-policies\":[\"" name "\"],\"request_id\":\""

#define RATE_LIMIT_STATE(name) "\"" name "\";r=0;t="

/* Requests of one route that have the same key. */
struct rate_limit_settings {
    const char *name;
    struct request_source *key; /* all of them together */
    uint32_t key_count;
    uint32_t requests; /* in `window` */
    milliseconds window;
    uint32_t burst; /* at once after a pause; never 0 */
    enum rate_limit_mode mode;
    uint32_t scope;       /* whose count it is: a number for the names of the route and the limit */
    const char *sentence; /* for who is over it */
    struct bytes policy;  /* RateLimit-Policy */
    struct bytes state;   /* RateLimit, up to the seconds */
    struct bytes problem; /* RATE_LIMIT_PROBLEM */
};

struct ramp_step {
    uint32_t weight;   /* of the new arm, of SPLIT_WHOLE */
    milliseconds hold; /* how long it stays so */
};

/* How a split of two arms moves over time, and what makes it go back. */
struct ramp_settings {
    uint32_t to;             /* the new arm: index in the route's arms */
    struct ramp_step *steps; /* growing */
    uint32_t step_count;     /* 0: no ramp */
    milliseconds hold;       /* of steps that do not say */
    uint32_t error_rate;     /* of SPLIT_WHOLE: the new arm's may be so much above the old one's */
    uint32_t p99;            /* of SPLIT_WHOLE: in the same way, as a part of the old one's */
    milliseconds window;
    uint32_t min_samples;            /* fewer of them say nothing */
    struct status_set failed_status; /* answers that count against an arm */
    uint32_t failed_grpc_status;     /* the same of gRPC: a bit for each enum grpc_status */
};

/* How a split chooses, besides by its weights. */
struct split_settings {
    struct request_source *sticky; /* in the order they are tried */
    uint32_t sticky_count;         /* 0: in turn */
    struct request_source *override;
    uint32_t override_count;
    struct bytes salt;
    struct request_source *pin_headers; /* that carry an idempotency key */
    uint32_t pin_header_count;
    milliseconds pin_lifetime; /* 0: keys pin nothing */
    struct ramp_settings ramp;
};

enum route_action {
    ROUTE_FORWARD,
    ROUTE_RESPOND,
    ROUTE_REDIRECT,
    ROUTE_ASK, /* no file can say it: the maker of the context answers (exchange/ask.h) */
};

struct respond_settings {
    uint16_t status;
    struct bytes body;
    struct bytes content_type; /* default text/plain; charset=utf-8 */
};

struct redirect_settings {
    uint16_t status; /* 301, 302, 303, 307, 308 */
    struct bytes to; /* an absolute URI or a path; "{path}" and "{query}" and "{host}" stand
                          for those of the request */
};

struct route_settings {
    const char *name;
    uint64_t print;
    uint32_t index; /* in settings.routes, file order */
    struct host_pattern *hosts;
    uint32_t host_count; /* 0: any host */
    enum path_match path_kind;
    struct bytes path; /* normal form */
    bool needs_grpc; /* the request's Content-Type is that of gRPC; `path` has service and method */
    struct bytes *methods;
    uint32_t method_count; /* 0: any method */
    struct pair_match *headers;
    uint32_t header_count;
    struct pair_match *query;
    uint32_t query_count;
    bool needs_certificate;           /* of the client; the other three narrow it */
    struct bytes certificate_subject; /* empty: any */
    struct bytes *certificate_names;  /* one of them */
    uint32_t certificate_name_count;  /* 0: any */
    const char **listeners;           /* names (addresses) this route is limited to */
    uint32_t listener_count;          /* 0: all */

    enum route_action action;
    struct arm_settings *arms; /* ROUTE_FORWARD; one arm for `service:` */
    uint32_t arm_count;
    struct split_settings split; /* with two arms or more */
    struct respond_settings respond;
    struct redirect_settings redirect;

    struct header_edits request_headers;
    struct header_edits response_headers;
    enum path_guard path_guard;
    bool rewrites_location;                /* of answers: places that name the origin */
    bool rewrites_prefix;                  /* PATH_PREFIX only */
    struct bytes prefix_rewrite;           /* takes the place of the matched prefix */
    struct timeouts_settings timeouts;     /* global ones where the route does not say */
    struct timeouts_settings rpc_timeouts; /* the same, with stream_idle in its places */
    struct min_rates_settings min_rates;   /* RATE_UNSAID where the route does not say */
    uint64_t body_bytes;                   /* limits.body_bytes where the route does not say */
    struct client_limits_settings client_limits; /* scope 0: as the listener has it */
    struct access_rules access_rules;
    bool has_access_rules;
    struct error_pages_settings error_pages; /* before the global ones */
    struct rate_limit_settings *rate_limits; /* each holds */
    uint32_t rate_limit_count;
    struct waiting_room_settings waiting_room;
    bool is_metered; /* it has one of the two */
    struct caching_settings caching;
    bool has_caching;            /* one of its two */
    struct retry_settings retry; /* and so on */
    enum reuse reuse;
    enum priority priority;
    struct request_source *fair_by; /* what tells its clients apart, in the order they are tried */
    uint32_t fair_by_count;         /* 0: the client's address */
};

struct option_print { /* one global option as the file has it */
    const char *path; /* "via", "timeouts.head" */
    uint64_t print;
};

struct admin_settings {
    bool socket_auto;   /* at ADMIN_SOCKET, where its folder exists */
    const char *socket; /* NULL: none, or socket_auto */
    struct file_place socket_at;
    mode_t mode;         /* of the socket's file */
    const char *metrics; /* NULL: none; the address as written */
    struct file_place metrics_at;
    struct address metrics_address;
};

#define ADMIN_SOCKET "/run/turnpike/admin.sock"

enum reuse_port { REUSE_PORT_EXCLUSIVE, REUSE_PORT_SHARED };

struct config_warning { /* what is allowed, and hardly meant */
    struct file_place at;
    const char *what;
    struct config_warning *next;
};

struct settings {
    const char *file;                /* that all this came from, for messages */
    struct config_warning *warnings; /* in the order they were found; NULL: none */
    uint32_t workers;                /* resolved: never 0 */
    enum reuse_port reuse_port;
    const char *user; /* NULL: stay who we are */
    bool core_dumps;
    const char *pid_file; /* NULL: none */
    struct file_place pid_file_at;
    const char *state_directory; /* NULL: the default one, if it is there */
    struct file_place state_directory_at;
    const char *dns_servers;      /* "127.0.0.1:53,[::1]:53"; NULL: those of /etc/resolv.conf */
    struct option_print *options; /* that stand in the file */
    uint32_t option_count;
    const char *via;             /* name in Via and Proxy-Status, default "turnpike" */
    const char *priority_header; /* of trusted clients; NULL: routes alone say it */
    enum request_id_from request_id;
    struct timeouts_settings timeouts;
    struct limits_settings limits;
    struct min_rates_settings min_rates;
    struct retry_settings retry;
    struct deadline_settings deadline;
    struct access_log_settings access_log;
    struct tracing_settings tracing;
    struct admin_settings admin;
    struct network *trusted_proxies;
    uint32_t trusted_proxy_count;
    struct client_limits_settings client_limits;
    struct network *exempt_clients; /* from client_limits */
    uint32_t exempt_client_count;
    bool limits_requests; /* a request_rate is set somewhere */
    struct error_pages_settings error_pages;
    struct listener_settings *listeners;
    uint32_t listener_count;
    struct service_settings *services;
    uint32_t service_count;
    struct route_settings *routes;
    uint32_t route_count;
};

/* Whether a request that came in by it may take this route. */
static inline bool route_takes_listener(const struct route_settings *route, const char *name)
{
    for (uint32_t i = 0; i < route->listener_count; i++) {
        if (strcmp(route->listeners[i], name) == 0) {
            return true;
        }
    }
    return route->listener_count == 0;
}

#endif
