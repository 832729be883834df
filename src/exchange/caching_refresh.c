/* SPDX-License-Identifier: BSD-2-Clause */
/* Fetches an answer anew for no client: the one whose request showed that it is stale has been served
 * with what there is (stale_while_revalidate). Called by caching.c. */
#include "exchange/caching.h"

/* --- a stream that takes all ----------------------------------------------------------------- */

static void take_interim(void *stream, const struct answer_head *head)
{
    (void)stream;
    (void)head;
}

static void do_nothing(void *stream)
{
    (void)stream;
}

static bool take_head(void *stream, const struct answer_head *head)
{
    (void)stream;
    (void)head;
    return true;
}

static size_t take_body(void *stream, struct bytes bytes, bool last)
{
    (void)stream;
    (void)last;
    return bytes.length;
}

static size_t has_room(void *stream)
{
    (void)stream;
    return SIZE_MAX;
}

static bool take_end(void *stream, const struct http_fields *trailers)
{
    (void)stream;
    (void)trailers;
    return true;
}

static bool take_back(void *stream)
{
    (void)stream;
    return true;
}

static void want_body(void *stream, bool wanted)
{
    (void)stream;
    (void)wanted;
}

static bool report_peer(void *stream, struct ip *ip)
{
    (void)stream;
    (void)ip;
    return false;
}

static bool report_who(void *stream, struct who *who)
{
    (void)stream;
    (void)who;
    return false;
}

static const struct client_stream_ops no_client = {
    .send_interim = take_interim,
    .give_up_request = do_nothing,
    .retire = do_nothing,
    .send_head = take_head,
    .send_body = take_body,
    .room = has_room,
    .flush = do_nothing,
    .end = take_end,
    .take_back = take_back,
    .abort = do_nothing,
    .want_body = want_body,
    .begin_tunnel = do_nothing,
    .report_peer = report_peer,
    .report_who = report_who,
    .over = do_nothing,
};

/* --- copies ---------------------------------------------------------------------------------- */

struct copying {
    struct exchange *to;
    bool failed;
};

static void copy(struct copying *copying, struct bytes *bytes)
{
    copying->failed |= !exchange_keep(copying->to, bytes);
}

static void copy_fields(struct copying *copying, const struct http_headers *from)
{
    struct exchange *to = copying->to;
    struct http_header *rows = exchange_take(to, (from->count + 1) * sizeof(struct http_header));

    if (rows == NULL) {
        copying->failed = true;
        return;
    }
    for (uint32_t i = 0; i < from->count && !copying->failed; i++) {
        struct bytes name = http_header_name(&from->rows[i]);
        struct bytes value = http_header_value(&from->rows[i]);

        copy(copying, &name);
        copy(copying, &value);
        rows[i] = from->rows[i];
        rows[i].name = name.at;
        rows[i].value = value.at;
    }
    to->request.headers.rows = rows;
}

/* Path and query are parts of the target, host of the authority; here each is a copy. */
static bool copy_request(struct exchange *to, const struct exchange *from)
{
    struct copying copying = {to, false};
    struct http_request *request = &to->request;

    *request = from->request;
    copy(&copying, &request->method_text);
    copy(&copying, &request->target);
    copy(&copying, &request->path);
    copy(&copying, &request->query);
    copy(&copying, &request->authority);
    copy(&copying, &request->host);
    copy_fields(&copying, &from->request.headers);
    to->routing.target = from->routing.target;
    copy(&copying, &to->routing.target);
    return !copying.failed;
}

/* Those of a connection that may be gone before this exchange is. */
static const struct client_facts *copy_facts(struct exchange *to, const struct exchange *like)
{
    const struct settings *settings = generation_settings(like->generation);
    const struct client_facts *from = like->client.facts;
    struct client_facts *facts = exchange_take(to, sizeof(*facts));

    if (facts == NULL || from->listener_index >= settings->listener_count) {
        return NULL;
    }
    *facts = *from;
    facts->listener = settings->listeners[from->listener_index].name;
    facts->tls = NULL;
    facts->accepts = NULL;
    facts->rules = NULL;
    return facts;
}

/* --- fetching -------------------------------------------------------------------------------- */

static struct exchange *make(struct exchange *like)
{
    struct exchange_context *context = like->context;
    struct exchange *exchange = exchange_new(context, &no_client, NULL, NULL);

    if (exchange == NULL) {
        return NULL;
    }
    exchange->client.facts = copy_facts(exchange, like);
    if (exchange->client.facts == NULL || !copy_request(exchange, like) ||
        !orphan_adopt(exchange)) {
        exchange_discard(exchange);
        return NULL;
    }
    return exchange;
}

bool caching_refresh(struct exchange *like)
{
    struct caching *leader = like->caching;
    struct exchange *exchange;
    struct caching *caching;

    /* The route belongs to the generation that new exchanges begin with. */
    if (like->generation != like->context->generation || like->context->draining ||
        (exchange = make(like)) == NULL) {
        return false;
    }
    exchange_begin_apart(exchange, like);
    caching = caching_make(exchange);
    if (caching == NULL || caching->space == NULL) {
        exchange_finish(exchange, OUTCOME_GATEWAY_BROKE);
        return false;
    }
    caching->for_none = true;
    caching->found = stored_ref(leader->found);
    caching->key =
        caching->found->key; /* of its variant, if it has one: what it leads goes by that */
    caching->hash = leader->hash;
    caching->flight = leader->flight;
    leader->flight = NULL;
    exchange->outcome.cache = OUTCOME_CACHE_REFRESH;
    caching_go(exchange, caching);
    attempts_begin(exchange);
    return true;
}
