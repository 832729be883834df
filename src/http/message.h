/* SPDX-License-Identifier: BSD-2-Clause */
/* What an HTTP message says, whichever protocol version carries it (RFC 9110).
 * Codecs fill these; the exchange reads them. All bytes are borrowed from the buffer
 * that the codec parsed, and stay valid as long as that buffer is neither moved nor freed. */
#ifndef HTTP_MESSAGE_H
#define HTTP_MESSAGE_H

#include "base/bytes.h"
#include "http/header_names.h"

#define HTTP_HEADERS_MAX 256

/* What is taken from an origin although it breaks the rules; bits. Never from clients. */
enum http_leniency {
    HTTP_LENIENT_BARE_LF = 1, /* LF without CR ends a line of an answer's head */
    HTTP_LENIENT_STATUS = 2,  /* 600 to 999 */
    HTTP_LENIENT_CHUNKED = 4, /* the chunked coding in HTTP/1.0 */
};

enum http_version { HTTP_1_0, HTTP_1_1, HTTP_2 };

/* Methods whose meaning the gateway needs; any other token is HTTP_METHOD_OTHER. */
enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_CONNECT,
    HTTP_OPTIONS,
    HTTP_TRACE,
    HTTP_PATCH,
    HTTP_METHOD_OTHER,
};

struct http_header {
    const char *name;
    const char *value;
    uint32_t value_length; /* without surrounding OWS */
    uint16_t name_length;
    uint16_t id; /* enum http_header_id, as received */
};

struct http_headers {
    uint32_t count;
    uint64_t present;         /* bit (1 << id) for each known id below 64 that occurs */
    struct http_header *rows; /* those of who reads the message: room for HTTP_HEADERS_MAX while a
                               * codec fills them; for `count` where they are kept */
};

/* How the end of a body is found (RFC 9112 section 6.3). */
enum http_framing {
    HTTP_NO_BODY,
    HTTP_LENGTH_KNOWN, /* body_length bytes follow; may be 0 */
    HTTP_CHUNKED,      /* the end is marked; HTTP/2 bodies without a length count here too */
    HTTP_UNTIL_CLOSE,  /* answers only */
};

struct http_request {
    enum http_method method;
    enum http_version version;
    enum http_framing framing;
    bool has_query;        /* "?" with nothing behind it differs from no "?" */
    bool keep_alive;       /* the client lets the connection stay (RFC 9112 section 9.3) */
    bool expects_continue; /* Expect: 100-continue */
    bool wants_upgrade;    /* Upgrade is present and named by Connection */
    uint64_t body_length;  /* HTTP_LENGTH_KNOWN only */
    struct bytes method_text;
    struct bytes target;    /* origin-form as it came, or "*"; absolute-form already reduced */
    struct bytes path;      /* of target, as it came, without query; empty if the target was
                               "http://host?query" (it is then "?query" and needs a "/") */
    struct bytes query;     /* after '?', empty if none */
    struct bytes authority; /* host[:port], from absolute-form or Host; empty in HTTP/1.0 without */
    struct bytes host;      /* authority without port and without a trailing dot */
    struct http_headers headers;
};

struct http_response {
    uint16_t status;
    enum http_version version;
    enum http_framing framing;
    bool keep_alive; /* the origin lets the connection stay */
    bool goes_on; /* HTTP/2: END_STREAM did not come with the head, so that trailers may follow */
    uint64_t body_length;
    struct bytes reason;
    struct http_headers headers;
};

/* Without any of the bytes that it borrowed: their buffer is about to be given back or read into. */
static inline void http_request_forget(struct http_request *request)
{
    memset(request, 0, offsetof(struct http_request, headers.rows));
}

/* Of a request: more than no bytes follow its head, or that is not known yet. */
static inline bool http_has_body(enum http_framing framing, uint64_t body_length)
{
    return framing == HTTP_CHUNKED || (framing == HTTP_LENGTH_KNOWN && body_length > 0);
}

static inline bool http_has(const struct http_headers *headers, enum http_header_id id)
{
    return (headers->present >> id) & 1;
}

static inline struct bytes http_header_name(const struct http_header *header)
{
    return (struct bytes){header->name, header->name_length};
}

static inline struct bytes http_header_value(const struct http_header *header)
{
    return (struct bytes){header->value, header->value_length};
}

/* The first header with this id, or NULL. */
const struct http_header *http_find(const struct http_headers *headers, enum http_header_id id);
/* The first header with this name, any case, or NULL. */
const struct http_header *http_find_named(const struct http_headers *headers, struct bytes name);

/* The last one with this id; *twice: it is not the only one. */
const struct http_header *http_find_only(const struct http_headers *headers, enum http_header_id id,
                                         bool *twice);
/* Where there is Expect: it asks for 100 (Continue), all that there is to ask for (RFC 9110 section
 * 10.1.1). */
bool http_expectation_is_known(const struct http_headers *headers);
/* Sets authority and host; false: it is malformed. */
bool http_set_authority(struct http_request *request, struct bytes authority, struct bytes *port);

/* RFC 9110 section 9.2.1 and 9.2.2. Unknown methods are neither. */
bool http_method_is_safe(enum http_method method);
bool http_method_is_idempotent(enum http_method method);
enum http_method http_method_of(struct bytes text);
/* The IANA phrase, "" for an unknown code. */
struct bytes http_reason_of(unsigned status);
/* True for 1xx, 204 and 304 (RFC 9110 section 6.4.1): no body whatever the headers say. */
bool http_status_forbids_body(unsigned status);

/* Sets path and query out of the target. */
static inline void http_split_target(struct http_request *request)
{
    struct bytes target = request->target;
    const char *mark = target.length > 0 ? memchr(target.at, '?', target.length) : NULL;

    request->path = target;
    request->query = (struct bytes){target.at + target.length, 0};
    request->has_query = mark != NULL;
    if (mark != NULL) {
        request->path.length = (size_t)(mark - target.at);
        request->query = bytes_skip(target, request->path.length + 1);
    }
}

/* Walks a comma-separated list (RFC 9110 section 5.6.1): takes the next element off `list`,
 * trimmed, empty elements skipped; false at the end. Quoted strings are kept whole. */
bool http_list_next(struct bytes *list, struct bytes *element);
/* A list in the lines with this id has the member, in any case. */
bool http_names(const struct http_headers *headers, enum http_header_id id, struct bytes member);

#endif
