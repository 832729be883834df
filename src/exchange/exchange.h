/* SPDX-License-Identifier: BSD-2-Clause */
/* An exchange: one request and its answer. A client stream begins it with a parsed head, feeds
 * it the body, and is asked for the answer through its client_stream_ops.
 *
 * Calls come in this order: exchange_new, (parse into exchange_request), exchange_begin or
 * exchange_refuse or exchange_discard; after begin any of the exchange_client_* and body calls
 * until ops->over or ops->abort was called, or exchange_client_gone. Any of them may call back
 * into the stream before it returns. Memory goes at the end of the loop's turn. */
#ifndef EXCHANGE_EXCHANGE_H
#define EXCHANGE_EXCHANGE_H

#include "exchange/client_registry.h"
#include "exchange/client_stream.h"
#include "exchange/generation.h"
#include "net/worker_context.h"
#include "observe/access_log.h"
#include "observe/metrics.h"
#include "observe/span_exporter.h"

/* One that waits in line, with its attempt, is no larger. */
#define EXCHANGE_WAITS_BYTES 960

struct exchange;
struct exchange_context; /* where a worker's exchanges are run */

/* What a worker lends its exchanges. The last three may be NULL. */
struct exchange_lent {
    struct worker_context *worker_context;
    struct metrics *metrics;
    struct access_log_ring *log;
    struct client_registry *clients; /* without it no client has limits */
    struct span_ring *spans;         /* of sampled exchanges; without it they go nowhere */
};

/* Takes the reference to the generation over. */
struct exchange_context *exchange_context_new(const struct exchange_lent *lent,
                                              struct generation *generation);
/* All exchanges must be over. */
void exchange_context_free(struct exchange_context **context);
/* New exchanges begin with this one from now on. Takes the reference over. */
void exchange_context_adopt(struct exchange_context *context, struct generation *generation);
/* Gives a reference up. The last one takes the generation apart, a piece a tick. */
void exchange_context_let_go(struct exchange_context *context, struct generation *generation);
/* Borrowed: the one that runs. */
struct generation *exchange_context_generation(const struct exchange_context *context);
const struct settings *exchange_context_settings(const struct exchange_context *context);
/* May a client connect? `peer`: what sent the PROXY header that names it; NULL: it came by itself. false: over its limits. Else where it is counted, to be given to
 * exchange_context_dismiss when the connection ends. One that comes from another worker is not new. */
bool exchange_context_admits(struct exchange_context *context, const struct ip *ip,
                             const struct ip *peer, uint32_t listener, bool is_new,
                             client_slot *slot);
void exchange_context_dismiss(struct exchange_context *context, client_slot *slot);
/* From now on answers end their connections: the process is stopping. */
void exchange_context_drain(struct exchange_context *context);
/* Ends those that go on without their clients: the process has no time left for them. */
void exchange_context_cut_orphans(struct exchange_context *context);
size_t exchange_context_count(const struct exchange_context *context);
/* Exchanges go on whose clients, and whose listeners maybe, are gone. */
bool exchange_context_has_orphans(const struct exchange_context *context);
/* Gives memory of past bursts back; every few seconds. */
void exchange_context_trim(struct exchange_context *context);
size_t
exchange_context_memory(const struct exchange_context *context); /* bytes in use, without buffers */

/* NULL: out of memory. `facts` lives as long as the exchange. */
struct exchange *exchange_new(struct exchange_context *context, const struct client_stream_ops *ops,
                              void *stream, const struct client_facts *facts);
/* The same for a request whose fields go into `rows`, where they stay for as long. */
struct exchange *exchange_new_with_rows(struct exchange_context *context,
                                        const struct client_stream_ops *ops, void *stream,
                                        const struct client_facts *facts, struct http_header *rows);
/* To be filled by the codec right before exchange_begin, with room for HTTP_HEADERS_MAX fields. */
struct http_request *exchange_request(struct exchange *exchange);
/* Bytes that the request points to lie in this buffer: it goes with the exchange from now on; *buffer
 * becomes NULL. What is not handed over stays where it is until the exchange is over, or until
 * exchange_client_gone. */
void exchange_take_over(struct exchange *exchange, struct buffer **buffer);
/* A head was not whole yet: as if it had never been. Only before exchange_begin. */
void exchange_discard(struct exchange *exchange);

/* `head_bytes` were read for the head, the first of them `head_us` microseconds ago. */
void exchange_begin(struct exchange *exchange, size_t head_bytes, uint32_t head_us);
/* The request cannot be understood or came too slowly: answers with `status` and closes. */
void exchange_refuse(struct exchange *exchange, enum http_version version, uint16_t status,
                     const char *what, size_t bytes_read, uint32_t head_us);

/* Returns how many bytes of the request's body (or of a tunnel) were taken; want_body(true)
 * follows when it was fewer than offered. */
size_t exchange_body(struct exchange *exchange, struct bytes bytes);
/* The request is whole; `trailers` may be NULL. In a tunnel: the client will send no more. */
void exchange_body_end(struct exchange *exchange, const struct http_headers *trailers);
void exchange_client_writable(struct exchange *exchange);
void exchange_answer_written(struct exchange *exchange);
/* Bytes of the body and trailers that it keeps now. */
size_t exchange_body_held(const struct exchange *exchange);
/* No origin can have seen any of it. */
bool exchange_is_unsent(const struct exchange *exchange);
/* Its client holds much: from now on little of the body is kept here. */
void exchange_keep_little(struct exchange *exchange);
/* The body broke off, broke the rules (400) or came too slowly (408). */
void exchange_body_failed(struct exchange *exchange, uint16_t status, const char *what);
/* The connection is gone. `end` says why for the log. No call back follows. */
void exchange_client_gone(struct exchange *exchange, enum outcome_end end);
/* Memory held for it now, its own included. */
size_t exchange_held(const struct exchange *exchange);
/* Bytes of the answer that the transport took, for the log. */
void exchange_count_out(struct exchange *exchange, uint64_t bytes);

/* Its request is a gRPC call: known once it has begun. */
bool exchange_is_grpc(const struct exchange *exchange);
const char *exchange_route(const struct exchange *exchange); /* its name; NULL: none yet */
/* The client is about to be cut: for the log. */
void exchange_note_cut(struct exchange *exchange, enum cut_cause cause);
/* What its client gets in place of the head is no answer with a status: neither the log nor the
 * metrics have one. From inside send_head. */
void exchange_note_no_status(struct exchange *exchange);

/* Those of its route; NULL: it has none. */
const struct min_rates_settings *exchange_min_rates(const struct exchange *exchange);
const struct timeouts_settings *exchange_timeouts(const struct exchange *exchange);

#endif
