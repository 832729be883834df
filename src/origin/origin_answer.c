/* SPDX-License-Identifier: BSD-2-Clause */
/* From a request that is bound to a connection to the end of its answer, whatever carries them: clocks,
 * states, and what the exchange and the origin's health are told. Called by what speaks on the
 * connection, HTTP/1 (h1/) or a stream of HTTP/2 (h2/). */
#include "origin/origin_private.h"

#define INTERIMS_MOST 32
#define INTERIMS_A_SECOND 4

void origin_connection_mind_request(struct origin_connection *connection, bool sends)
{
    struct origin_request *request = connection->request;

    if (connection->state != ORIGIN_CONNECTION_AWAITS_HEAD || connection->awaits_verdict) {
        return;
    }
    if (sends) {
        origin_connection_set_clock(connection, request->timeouts->send_idle);
    } else if (connection->request_whole) {
        origin_connection_set_clock(connection, request->half_open
                                                    ? origin_health_patience_ms(request)
                                                    : request->timeouts->first_byte);
    } else {
        origin_connection_stop_clock(connection); /* the client's clock runs now */
    }
}

/* Half a head, or a word in between: its answer is on its way, and cannot be had elsewhere. */
bool origin_connection_need_not_hurry(struct origin_connection *connection)
{
    struct origin_request *request = connection->request;

    if (!request->hurried || !connection->heard) {
        return false;
    }
    request->hurried = false;
    origin_connection_set_clock(connection, request->timeouts->first_byte);
    return true;
}

/* Server-sent events. What has a length is none, and most answers have one. */
static bool is_event_stream(const struct http_response *response)
{
    const struct bytes name = BYTES("text/event-stream");
    const struct http_header *row = response->framing != HTTP_LENGTH_KNOWN
                                        ? http_find(&response->headers, HTTP_HEADER_CONTENT_TYPE)
                                        : NULL;
    struct bytes type = row != NULL ? http_header_value(row) : BYTES("");

    return type.length >= name.length && bytes_equal_fold(bytes_first(type, name.length), name);
}

void origin_connection_begin_answer(struct origin_connection *connection,
                                    const struct http_response *response, size_t here)
{
    struct origin_request *request = connection->request;
    bool is_long = response->framing == HTTP_LENGTH_KNOWN && response->body_length > 0;

    origin_health_answered(connection, response->status, is_long);
    metrics_origin_begins(connection->origin->counters, response->status);
    h1_body_begin(&connection->answer, response->framing, response->body_length);
    request->answer_ends = false;
    request->is_event_stream = is_event_stream(response);
    origin_connection_set_state(connection, ORIGIN_CONNECTION_READS_BODY);
    connection->written_checked = connection->out.written;
    origin_connection_set_clock(connection, request->timeouts->response_idle);
    if (is_long && response->body_length > here) {
        origin_stall_watch(connection->origin);
    }
    request->events->head(request->owner, response);
}

/* Each is work for two sides and brings the request no further. An origin that says every second
 * that it is still there may do so for as long as it likes. */
void origin_connection_pass_interim(struct origin_connection *connection,
                                    const struct http_response *response)
{
    struct origin_request *request = connection->request;
    uint64_t seconds = (origin_connection_now(connection) - request->bound_us) / 1000000;

    if (++connection->interims > INTERIMS_MOST + INTERIMS_A_SECOND * seconds) {
        origin_connection_fail(connection, ORIGIN_FAILURE_INTERIM_FLOOD);
    } else {
        request->events->interim(request->owner, response);
    }
}

void origin_connection_begin_tunnel(struct origin_connection *connection,
                                    const struct http_response *response)
{
    struct origin_request *request = connection->request;

    origin_health_answered(connection, response->status, false);
    if (!connection->request_upgrades) {
        origin_connection_fail(connection, ORIGIN_FAILURE_UPGRADE_UNASKED);
        return;
    }
    connection->reusable = false;
    connection->answer.framing = HTTP_UNTIL_CLOSE;
    origin_connection_set_state(connection, ORIGIN_CONNECTION_TUNNELS);
    origin_connection_set_clock(connection, request->timeouts->tunnel_idle);
    request->events->head(request->owner, response);
}

void origin_connection_pause_answer(struct origin_connection *connection)
{
    connection->answer_paused = true;
    reserve_client_waited_for(connection);
    origin_connection_stop_clock(connection);
}

void origin_connection_note_duration(const struct origin_connection *connection)
{
    metrics_origin_ends(connection->origin->counters,
                        origin_connection_now(connection) - connection->request->bound_us);
}

void origin_connection_end_answer(struct origin_connection *connection)
{
    origin_connection_stop_clock(connection);
    origin_connection_note_duration(connection);
    origin_health_body_is_whole(connection->request);
    origin_connection_unbind(connection);
}
