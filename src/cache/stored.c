/* SPDX-License-Identifier: BSD-2-Clause */
/* Head and key are one piece of memory; the body another, which its reader has filled already, so that
 * it is held once. */
#include "cache/stored.h"

#include "http/connection_names.h"

#include <stdlib.h>

static _Atomic uint64_t numbers;

static struct stored *make(enum stored_kind kind, struct bytes key, size_t more)
{
    struct stored *stored = calloc(1, sizeof(*stored) + key.length + more);

    if (stored == NULL) {
        return NULL;
    }
    atomic_init(&stored->references, 1);
    list_init(&stored->used);
    stored->kind = kind;
    stored->number = atomic_fetch_add_explicit(&numbers, 1, memory_order_relaxed);
    stored->size = sizeof(*stored) + key.length + more;
    return stored;
}

static struct bytes put(char **at, struct bytes bytes)
{
    struct bytes copy = {*at, bytes.length};

    if (bytes.length > 0) {
        memcpy(*at, bytes.at, bytes.length);
    }
    *at += bytes.length;
    return copy;
}

struct stored *stored_new(enum stored_kind kind, struct bytes key, struct bytes body)
{
    struct stored *stored = make(kind, key, body.length);
    char *at;

    if (stored == NULL) {
        return NULL;
    }
    at = (char *)(stored + 1);
    stored->key = put(&at, key);
    stored->body = put(&at, body);
    return stored;
}

/* --- which fields are kept ----------------------------------------------------------------- */

static bool is_kept(const struct http_header *row)
{
    switch (row->id) {
    case HTTP_HEADER_CONNECTION:
    case HTTP_HEADER_CONTENT_LENGTH:
    case HTTP_HEADER_KEEP_ALIVE:
    case HTTP_HEADER_PROXY_AUTHENTICATE:
    case HTTP_HEADER_PROXY_AUTHORIZATION:
    case HTTP_HEADER_PROXY_CONNECTION:
    case HTTP_HEADER_SET_COOKIE:
    case HTTP_HEADER_TE:
    case HTTP_HEADER_TRAILER:
    case HTTP_HEADER_TRANSFER_ENCODING:
    case HTTP_HEADER_UPGRADE:
    case HTTP_HEADER_X_REQUEST_ID:
        return false;
    case HTTP_HEADER_OTHER:
        return !bytes_equal_fold(http_header_name(row), BYTES("Age")) &&
               !bytes_equal_fold(http_header_name(row), BYTES("Set-Cookie2")) &&
               !bytes_equal_fold(http_header_name(row), BYTES("Authentication-Info"));
    default:
        return true;
    }
}

/* RFC 9111 section 3.1: what Connection names belongs to the connection. */
static bool is_named(const struct http_headers *headers, struct bytes name)
{
    for (uint32_t i = 0; i < headers->count; i++) {
        struct bytes list = http_header_value(&headers->rows[i]);
        struct bytes element;

        while (headers->rows[i].id == HTTP_HEADER_CONNECTION && http_list_next(&list, &element)) {
            if (bytes_equal_fold(element, name)) {
                return true;
            }
        }
    }
    return false;
}

struct kept_rows {
    uint32_t count;
    size_t bytes;
    const struct http_header *rows[2 * HTTP_HEADERS_MAX];
};

static void keep(struct kept_rows *kept, const struct http_header *row)
{
    kept->rows[kept->count++] = row;
    kept->bytes += row->name_length + row->value_length;
}

/* An answer whose Connection names fields is rare, and such a list is short. */
static void choose_rows(const struct http_headers *headers, struct kept_rows *kept)
{
    bool named = http_connection_names_fields(headers);

    for (uint32_t i = 0; i < headers->count; i++) {
        const struct http_header *row = &headers->rows[i];

        if (is_kept(row) && !(named && is_named(headers, http_header_name(row)))) {
            keep(kept, row);
        }
    }
}

static void note_field(struct stored *stored, const struct http_header *row)
{
    if (row->id == HTTP_HEADER_OTHER) {
        if (bytes_equal_fold(http_header_name(row), BYTES("ETag"))) {
            stored->etag = http_header_value(row);
        } else if (bytes_equal_fold(http_header_name(row), BYTES("Last-Modified"))) {
            stored->last_modified = http_header_value(row);
        }
    }
}

/* --- an answer ----------------------------------------------------------------------------- */

/* What a stored answer has beside its fields. */
struct labels {
    struct bytes key;
    struct bytes vary;
    struct bytes variant;
    const char *origin;
};

static struct stored *with_rows(const struct labels *labels, const struct kept_rows *kept)
{
    size_t table = kept->count * sizeof(struct http_header);
    struct bytes name = bytes_of(labels->origin);
    struct stored *stored =
        make(STORED_ANSWER, labels->key,
             table + kept->bytes + labels->vary.length + labels->variant.length + name.length + 1);
    struct http_header *rows;
    char *at;

    if (stored == NULL) {
        return NULL;
    }
    rows = (struct http_header *)(void *)(stored + 1);
    at = (char *)(rows + kept->count);
    for (uint32_t i = 0; i < kept->count; i++) {
        rows[i] = *kept->rows[i];
        rows[i].name = put(&at, http_header_name(kept->rows[i])).at;
        rows[i].value = put(&at, http_header_value(kept->rows[i])).at;
        note_field(stored, &rows[i]);
        if (rows[i].id != HTTP_HEADER_OTHER && rows[i].id < 64) {
            stored->headers.present |= (uint64_t)1 << rows[i].id;
        }
    }
    stored->headers.rows = rows;
    stored->headers.count = kept->count;
    stored->key = put(&at, labels->key);
    stored->vary = put(&at, labels->vary);
    stored->variant = put(&at, labels->variant);
    stored->origin = put(&at, name).at; /* the byte behind it is zero */
    return stored;
}

struct stored *stored_answer(struct bytes key, const struct http_response *response,
                             const char *origin, struct bytes vary, struct bytes variant)
{
    const struct labels labels = {key, vary, variant, origin};
    struct kept_rows kept = {0, 0, {NULL}};
    struct stored *stored;

    choose_rows(&response->headers, &kept);
    stored = with_rows(&labels, &kept);
    if (stored != NULL) {
        stored->status = response->status;
    }
    return stored;
}

void stored_give_body(struct stored *stored, struct bytes body)
{
    stored->body = body;
    stored->size += body.length;
}

static bool is_replaced(const struct http_header *old, const struct kept_rows *fresh,
                        uint32_t fresh_count)
{
    for (uint32_t i = 0; i < fresh_count; i++) {
        if (bytes_equal_fold(http_header_name(old), http_header_name(fresh->rows[i]))) {
            return true;
        }
    }
    return false;
}

/* Any number of clients may have it checked at once: a copy for each would have no bound. */
static void share_body(struct stored *stored, struct stored *refreshed)
{
    refreshed->body_of = stored_ref(stored->body_of != NULL ? stored->body_of : stored);
    stored_give_body(refreshed, stored->body);
}

struct stored *stored_refreshed(struct stored *stored, const struct http_response *response)
{
    const struct labels labels = {stored->key, stored->vary, stored->variant, stored->origin};
    struct kept_rows kept = {0, 0, {NULL}};
    uint32_t fresh;
    struct stored *refreshed;

    choose_rows(&response->headers, &kept);
    fresh = kept.count;
    for (uint32_t i = 0; i < stored->headers.count; i++) {
        if (!is_replaced(&stored->headers.rows[i], &kept, fresh)) {
            keep(&kept, &stored->headers.rows[i]);
        }
    }
    if (kept.count > HTTP_HEADERS_MAX || (refreshed = with_rows(&labels, &kept)) == NULL) {
        return NULL;
    }
    refreshed->status = stored->status;
    refreshed->has_length = stored->has_length;
    refreshed->head_length = stored->head_length;
    refreshed->origin_tls = stored->origin_tls;
    share_body(stored, refreshed);
    return refreshed;
}

struct stored *stored_ref(struct stored *stored)
{
    atomic_fetch_add_explicit(&stored->references, 1, memory_order_relaxed);
    return stored;
}

void stored_unref(struct stored **stored)
{
    struct stored *last = *stored;

    *stored = NULL;
    while (last != NULL &&
           atomic_fetch_sub_explicit(&last->references, 1, memory_order_acq_rel) == 1) {
        struct stored *body_of = last->body_of;

        if (last->kind == STORED_ANSWER && body_of == NULL) {
            free((void *)last->body.at);
        }
        free(last);
        last = body_of;
    }
}
