/* SPDX-License-Identifier: BSD-2-Clause */
/* Which fields of a head go on, and what the route's edits add. Called by forward_request.c and
 * forward_answer.c. */
#include "exchange/forward_private.h"

#include "http/connection_names.h"

static bool is_in(const struct header_edit *edits, uint32_t count, struct bytes name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (http_header_names_meet(edits[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* Removing and setting both take the old field away, in every spelling that an origin may take for
 * it. */
bool forward_is_edited_away(const struct header_edits *edits, struct bytes name)
{
    return is_in(edits->remove, edits->remove_count, name) ||
           is_in(edits->set, edits->set_count, name);
}

static bool is_source(const struct request_source *sources, uint32_t count, struct bytes name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (sources[i].kind == SOURCE_HEADER && bytes_equal_fold(sources[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* What the gateway went by for this request: the origin is to see the same. */
static bool route_goes_by(const struct route_settings *route, struct bytes name)
{
    const struct split_settings *split = &route->split;

    for (uint32_t i = 0; i < route->header_count; i++) {
        if (bytes_equal_fold(route->headers[i].name, name)) {
            return true;
        }
    }
    return is_source(split->sticky, split->sticky_count, name) ||
           is_source(split->override, split->override_count, name) ||
           is_source(split->pin_headers, split->pin_header_count, name);
}

/* Fields for all recipients that are not in the table of names. */
static bool is_for_all(struct bytes name)
{
    static const struct bytes names[] = {
        BYTES("Cache-Control"), BYTES("Range"),
        BYTES("If-Match"),      BYTES("If-None-Match"),
        BYTES("If-Range"),      BYTES("Origin"),
        BYTES("Referer"),       BYTES("If-Modified-Since"),
        BYTES("ETag"),          BYTES("Vary"),
        BYTES("Pragma"),        BYTES("If-Unmodified-Since"),
        BYTES("Expires"),       BYTES("Last-Modified"),
    };

    if (name.length > 8 && bytes_equal_fold(bytes_first(name, 8), BYTES("Content-"))) {
        return true;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (bytes_equal_fold(names[i], name)) {
            return true;
        }
    }
    return false;
}

/* Connection may not name what is for all recipients (RFC 9110 section 7.6.1). A sender that does
 * so all the same is not obeyed: it would have the gateway go by a field (a key that makes a retry
 * safe) that the origin never sees. Names of the table are such, or are dropped anyway. */
static bool connection_may_name(const struct http_header *row, const struct route_settings *route)
{
    struct bytes name = http_header_name(row);

    return row->id == HTTP_HEADER_OTHER && !is_for_all(name) &&
           (route == NULL || !route_goes_by(route, name));
}

static void find_taken_away(const struct exchange *exchange, const struct http_headers *headers,
                            const struct route_settings *route, struct forward_taken_away *taken)
{
    struct http_connection_names names;

    names.count = headers->count;
    for (uint32_t i = 0; i < headers->count; i++) {
        names.names[i] = http_header_name(&headers->rows[i]);
    }
    http_connection_names_find(&names, headers, &exchange->context->names_key);
    *taken = (struct forward_taken_away){{0}};
    for (uint32_t i = 0; i < headers->count; i++) {
        if (names.named[i] && connection_may_name(&headers->rows[i], route)) {
            taken->rows[i / 64] |= (uint64_t)1 << i % 64;
        }
    }
}

void forward_choose_passing(const struct exchange *exchange, const struct http_headers *headers,
                            uint64_t dropped, const struct header_edits *edits,
                            struct bytes dropped_name, struct forward_passing *passing)
{
    bool named = http_connection_names_fields(headers);
    bool edited = edits != NULL && edits->remove_count + edits->set_count > 0;

    passing->headers = headers;
    passing->dropped = dropped;
    passing->edits = edited ? edits : NULL;
    passing->dropped_name = dropped_name;
    passing->drops_tracestate = false;
    passing->named = named;
    passing->asks_names = named || edited || dropped_name.length > 0;
    if (named) {
        find_taken_away(exchange, headers, exchange->routing.route, &passing->taken);
    }
}

static bool is_taken_away(const struct forward_passing *passing, const struct http_header *row)
{
    size_t i = (size_t)(row - passing->headers->rows);

    return passing->named && (passing->taken.rows[i / 64] >> i % 64 & 1) != 0;
}

static bool name_passes(const struct forward_passing *passing, const struct http_header *row)
{
    struct bytes name = http_header_name(row);

    return !is_taken_away(passing, row) &&
           !(passing->edits != NULL && forward_is_edited_away(passing->edits, name)) &&
           !(passing->dropped_name.length > 0 &&
             http_header_names_meet(passing->dropped_name, name)) &&
           !(passing->drops_tracestate && bytes_equal_fold(name, BYTES("tracestate")));
}

/* Names that are not in the table are never among those dropped by id. */
static bool passes(const struct forward_passing *passing, const struct http_header *row)
{
    return (passing->dropped >> row->id & 1) == 0 &&
           (!passing->asks_names || name_passes(passing, row));
}

/* There is room for all fields of a head, and some more. */
_Static_assert(HTTP_FIELDS_MAX >= HTTP_HEADERS_MAX, "see forward_add_passing");

void forward_add_passing(const struct forward_passing *passing, struct http_fields *fields)
{
    const struct http_header *row = passing->headers->rows;
    const struct http_header *end = row + passing->headers->count;
    struct http_field *to = fields->rows;
    size_t bytes = 0;

    for (; row < end; row++) {
        if (passes(passing, row)) {
            *to++ = (struct http_field){http_header_name(row), http_header_value(row)};
            bytes += row->name_length + (size_t)row->value_length + 4;
        }
    }
    fields->count = (uint32_t)(to - fields->rows);
    fields->bytes = bytes;
}

bool forward_has_additions(const struct header_edits *edits)
{
    return edits->set_count + edits->add_count > 0;
}

bool forward_add_edits(const struct header_edits *edits, struct http_fields *fields)
{
    bool fits = true;

    for (uint32_t i = 0; fits && i < edits->set_count; i++) {
        if (edits->set[i].id != HTTP_HEADER_HOST) {
            fits = http_fields_add(fields, edits->set[i].name, edits->set[i].value);
        }
    }
    for (uint32_t i = 0; fits && i < edits->add_count; i++) {
        fits = http_fields_add(fields, edits->add[i].name, edits->add[i].value);
    }
    return fits;
}

/* --- for both heads ---------------------------------------------------------------------- */

struct bytes forward_trusted_or(const struct exchange *exchange, enum http_header_id id,
                                struct bytes own)
{
    const struct http_header *row = NULL;

    if (exchange->client.trusted) {
        row = http_find(&exchange->request.headers, id);
    }
    return row != NULL && row->value_length > 0 ? http_header_value(row) : own;
}

struct bytes forward_via(const struct exchange *exchange, enum http_version version)
{
    return exchange->context->via.value[version];
}
