/* SPDX-License-Identifier: BSD-2-Clause */
/* Before the origin: looks the request up, lets it wait or lead. The keys are of caching_key.c. */
#include "exchange/caching.h"
#include "exchange/caching_part.h"

#define LOOKS_MOST 4 /* in a row, where others change what is found meanwhile */

/* --- who takes part -------------------------------------------------------------------------- */

/* What the request itself does not say: its client is known by a certificate, which no key names; or its
 * body is still to come. */
static bool is_for_its_client(const struct exchange *exchange)
{
    const struct tls_facts *tls = exchange->client.facts->tls;

    return (tls != NULL && tls->client != NULL) || !exchange->request_body.whole ||
           exchange->outcome.is_grpc;
}

static bool takes_part(const struct exchange *exchange, const struct cache_request *facts)
{
    return !is_for_its_client(exchange) &&
           caching_part_refused(caching_settings_of(exchange), &exchange->request, facts) == NULL;
}

static bool wants_anew(const struct cache_control *control)
{
    return control->no_cache || (control->max_age.said && control->max_age.seconds == 0);
}

struct caching *caching_make(struct exchange *exchange)
{
    struct exchange_context *context = exchange->context;
    bool may = exchange->request.method == HTTP_GET || exchange->request.method == HTTP_HEAD;
    struct caching *caching = exchange_take(exchange, sizeof(*caching));

    if (caching == NULL) {
        return NULL;
    }
    memset(caching, 0, sizeof(*caching));
    exchange->caching = caching;
    caching->exchange = exchange;
    caching_part_read(exchange->routing.route, &exchange->request, &caching->facts);
    caching->asks_anew = wants_anew(&caching->facts.control);
    caching->forwarded = may ? "bypass" : "method";
    exchange->outcome.cache = OUTCOME_CACHE_BYPASS;
    if (takes_part(exchange, &caching->facts) && caching_make_key(exchange, caching)) {
        caching->space = generation_cache_space(exchange->generation, exchange->routing.route);
        caching->forwarded = "uri-miss";
        exchange->outcome.cache = OUTCOME_CACHE_MISS;
    } else {
        metrics_note(context->metrics, METRICS_CACHE_BYPASS);
    }
    return caching;
}

/* --- looking up ------------------------------------------------------------------------------ */

/* A reference; NULL: nothing, or what says that requests like this one go alone. */
static struct stored *find(struct exchange *exchange, struct caching *caching, bool *alone)
{
    struct stored *stored;

    caching->key = caching->primary;
    caching->hash = caching->primary_hash;
    stored = cache_store_find(caching->space, caching->hash, caching->key);
    if (stored != NULL && stored->kind == STORED_VARY) {
        bool made = caching_make_variant_key(exchange, caching, stored);

        stored_unref(&stored);
        if (!made) {
            *alone = true;
            return NULL;
        }
        caching->forwarded = "vary-miss";
        stored = cache_store_find(caching->space, caching->hash, caching->key);
    }
    if (stored != NULL && stored->kind == STORED_PASS) {
        *alone = stored_is_fresh(stored, caching_now(exchange));
    }
    return stored;
}

static bool suits(const struct caching *caching, const struct stored *stored, uint64_t now_us)
{
    const struct cache_control *control = &caching->facts.control;
    uint64_t lasts_ms = stored_lasts_ms(stored, now_us);
    uint64_t margin_ms = (uint64_t)control->min_fresh.seconds * 1000;

    if (caching->asks_anew ||
        (control->max_age.said && stored_age_s(stored, now_us) > control->max_age.seconds)) {
        return false;
    }
    if (lasts_ms + margin_ms < stored->fresh_ms) {
        return true;
    }
    return !stored->must_revalidate && margin_ms == 0 &&
           (control->max_stale_any ||
            (control->max_stale.said &&
             lasts_ms <= stored->fresh_ms + (uint64_t)control->max_stale.seconds * 1000));
}

/* HEAD is served from GET, where that suits it; else it has nothing to do with GET's key: an answer
 * without a body must never come to stand there. */
static struct stored *find_for_method(struct exchange *exchange, struct caching *caching,
                                      bool *alone)
{
    struct stored *stored;
    bool ignored = false;

    if (exchange->request.method != HTTP_HEAD) {
        return find(exchange, caching, alone);
    }
    caching_key_for(caching, CACHE_KEY_GET);
    stored = find(exchange, caching, &ignored);
    if (stored != NULL && stored->kind == STORED_ANSWER &&
        suits(caching, stored, caching_now(exchange))) {
        return stored;
    }
    stored_unref(&stored);
    caching->forwarded = "uri-miss";
    caching_key_for(caching, CACHE_KEY_HEAD);
    return find(exchange, caching, alone);
}

/* Served on while one request fetches it anew. */
static bool suits_meanwhile(const struct caching *caching, const struct stored *stored,
                            uint64_t now_us)
{
    return stored != NULL && stored->kind == STORED_ANSWER && !caching->asks_anew &&
           !stored->must_revalidate && !caching->facts.control.max_age.said &&
           !caching->facts.control.min_fresh.said &&
           stored_lasts_ms(stored, now_us) < stored->fresh_ms + stored->swr_ms;
}

static void reply_hit(struct exchange *exchange, struct stored *stored)
{
    bool fresh = stored_is_fresh(stored, caching_now(exchange));

    exchange->outcome.cache = fresh ? OUTCOME_CACHE_HIT : OUTCOME_CACHE_STALE;
    metrics_note(exchange->context->metrics, fresh ? METRICS_CACHE_HIT : METRICS_CACHE_STALE);
    caching_reply(exchange, stored);
}

/* --- going to the origin --------------------------------------------------------------------- */

void caching_go(struct exchange *exchange, struct caching *caching)
{
    const struct stored *found = caching->found;

    if (found != NULL && found->kind == STORED_ANSWER) {
        caching->validates = exchange->request.method == HTTP_GET &&
                             caching->facts.range.length == 0 &&
                             (found->etag.length > 0 || found->last_modified.length > 0);
        caching->forwarded = caching->asks_anew ? "request" : "stale";
    }
    caching->fetches = true;
    caching->epoch = cache_store_epoch(caching->uri_hash);
    caching->asked_us = caching_now(exchange);
    metrics_note(exchange->context->metrics, METRICS_CACHE_MISS);
}

bool caching_edit_request(const struct exchange *exchange, struct forward_page *page)
{
    const struct caching *caching = exchange->caching;
    const struct stored *found = caching->found;

    if (!caching->validates && caching->flight == NULL) {
        return true;
    }
    http_fields_drop(&page->fields, BYTES("If-None-Match"));
    http_fields_drop(&page->fields, BYTES("If-Modified-Since"));
    if (!caching->validates) {
        return true;
    }
    if (found->etag.length > 0) {
        return http_fields_add(&page->fields, BYTES("If-None-Match"), found->etag);
    }
    return http_fields_add(&page->fields, BYTES("If-Modified-Since"), found->last_modified);
}

/* --- waiting --------------------------------------------------------------------------------- */

/* Of an answer that varies: the same choice as that of the one who fetched it. */
static __attribute__((noinline)) bool fits(const struct exchange *exchange,
                                           const struct stored *stored)
{
    char room[2 * CACHE_KEY_MOST];
    struct text text = text_over(room, sizeof(room));

    if (stored->vary.length == 0) {
        return true;
    }
    cache_vary_add_key(stored->vary, &exchange->request.headers, &text);
    return !text.overflowed && bytes_equal(text_since(&text, room), stored->variant);
}

static uint64_t patience_us(const struct exchange *exchange)
{
    return (uint64_t)caching_settings_of(exchange)->coalesce_timeout * 1000;
}

/* It shares the failure of the one it waited for, as it would have shared the answer: to try in its turn
 * would let the last of many wait as long as all the others need. */
static void fail_with_leader(struct exchange *exchange)
{
    if (!caching_serves_in_need(exchange)) {
        reply_error(exchange, 503, "destination_unavailable",
                    "the request that this one waited for (coalesce) failed");
    }
}

static void on_told(void *owner, enum cache_news news, struct stored *stored,
                    struct cache_flight *flight)
{
    struct exchange *exchange = owner;
    struct caching *caching = exchange->caching;

    caching->waiter = NULL;
    caching->flight = flight;
    if (news == CACHE_NEWS_FAILED) {
        fail_with_leader(exchange);
        return;
    }
    if (stored != NULL && fits(exchange, stored)) {
        caching->serves = stored;
    } else if (stored != NULL) {
        stored_unref(&stored);
    }
    queue_release(exchange, QUEUE_SHARED);
}

static void hold(struct exchange *exchange, struct caching *caching)
{
    if (caching->asks_anew && caching->found != NULL) {
        caching->forwarded = "request";
    }
    if (caching->waits_from_us == 0) {
        caching->waits_from_us = caching_now(exchange);
    }
    queue_hold(exchange, QUEUE_SHARED);
    timer_set(exchange->context->shared_wait_timers, &caching->patience,
              caching_settings_of(exchange)->coalesce_timeout);
}

void caching_leaves_queue(struct exchange *exchange)
{
    struct caching *caching = exchange->caching;

    timer_clear(exchange->context->shared_wait_timers, &caching->patience);
    if (caching->waiter != NULL) {
        cache_waiter_leave(&caching->waiter);
    }
}

static bool has_waited_long(const struct exchange *exchange, const struct caching *caching)
{
    uint32_t most_ms = exchange_timeouts(exchange)->first_byte;

    return most_ms != 0 &&
           caching_now(exchange) - caching->waits_from_us >= (uint64_t)most_ms * 1000;
}

/* Not for the second one's answer either. */
static bool waits_for_failing(const struct exchange *exchange, const struct caching *caching)
{
    return caching_now(exchange) - caching->waits_from_us >= 2 * patience_us(exchange) &&
           cache_waiter_saw_failure(caching->waiter);
}

void caching_wait_is_over(struct timer *timer)
{
    struct caching *caching = CONTAINER_OF(timer, struct caching, patience);
    struct exchange *exchange = caching->exchange;

    if (waits_for_failing(exchange, caching)) {
        fail_with_leader(exchange);
    } else if (cache_waiter_takes_over(&caching->waiter, caching_now(exchange),
                                       patience_us(exchange), &caching->flight)) {
        queue_release(exchange, QUEUE_SHARED);
    } else if (has_waited_long(exchange, caching)) {
        reply_error(exchange, 504, "http_response_timeout",
                    "the request that this one waited for (coalesce) got no answer");
    } else {
        timer_set(exchange->context->shared_wait_timers, &caching->patience,
                  caching_settings_of(exchange)->coalesce_timeout);
    }
}

/* What is stored is fresh, and this client wants another one (max-age, min-fresh). */
static bool has_fresh(const struct exchange *exchange, const struct caching *caching)
{
    return caching->found != NULL && caching->found->kind == STORED_ANSWER &&
           stored_is_fresh(caching->found, caching_now(exchange));
}

/* Whether it waits, or fetches for others too. Many who reload a page at once, each of whom wants it checked
 * just now, share one check; a part is for its own client only. */
static enum cache_joined join(struct exchange *exchange, struct caching *caching, bool meanwhile)
{
    const struct caching_settings *settings = caching_settings_of(exchange);
    const struct cache_joining joining = {
        .space = caching->space,
        .hash = caching->hash,
        .key = caching->key,
        .seen = caching->found,
        .max_waiting = settings->max_coalesced,
        .may_wait = !meanwhile,
        .wants_new = caching->asks_anew || has_fresh(exchange, caching),
        .now_us = caching_now(exchange),
        .loop = exchange->context->worker_context->loop,
        .told = on_told,
        .owner = exchange,
    };

    if (caching->facts.range.length > 0 || (!settings->coalesce && !meanwhile)) {
        return CACHE_FAILS;
    }
    return cache_flight_join(&joining, &caching->flight, &caching->waiter);
}

/* --- the table of contents ------------------------------------------------------------------- */

static void refuse_uncached(struct exchange *exchange)
{
    reply_error(exchange, 504, "http_request_denied",
                "the client takes a stored answer only (only-if-cached), and there is none");
}

/* Of a request that takes no part: nothing that is stored may be its answer. */
static bool refuses_to_go(struct exchange *exchange, const struct caching *caching)
{
    bool is_read = exchange->request.method == HTTP_GET || exchange->request.method == HTTP_HEAD;

    if (is_read && caching->facts.control.only_if_cached) {
        refuse_uncached(exchange);
        return true;
    }
    return false;
}

enum look { LOOK_DONE, LOOK_GO, LOOK_AGAIN };

static enum look reply_found(struct exchange *exchange, struct caching *caching)
{
    struct stored *found = caching->found;

    caching->found = NULL;
    reply_hit(exchange, found);
    return LOOK_DONE;
}

static enum look look_once(struct exchange *exchange, struct caching *caching)
{
    uint64_t now_us = caching_now(exchange);
    bool alone = false;
    bool meanwhile;

    stored_unref(&caching->found);
    caching->found = find_for_method(exchange, caching, &alone);
    if (caching->found != NULL && caching->found->kind == STORED_ANSWER &&
        suits(caching, caching->found, now_us)) {
        return reply_found(exchange, caching);
    }
    if (caching->facts.control.only_if_cached) {
        refuse_uncached(exchange);
        return LOOK_DONE;
    }
    if (alone) {
        return LOOK_GO;
    }
    meanwhile = suits_meanwhile(caching, caching->found, now_us);
    switch (join(exchange, caching, meanwhile)) {
    case CACHE_WAITS:
        hold(exchange, caching);
        return LOOK_DONE;
    case CACHE_AGAIN:
        return LOOK_AGAIN;
    case CACHE_FLIES:
        return meanwhile ? reply_found(exchange, caching) : LOOK_GO;
    case CACHE_LEADS:
        return meanwhile && caching_refresh(exchange) ? reply_found(exchange, caching) : LOOK_GO;
    case CACHE_FAILS:
        break;
    }
    return LOOK_GO;
}

static bool look_up(struct exchange *exchange, struct caching *caching)
{
    enum look look = LOOK_AGAIN;

    for (int i = 0; look == LOOK_AGAIN && i < LOOKS_MOST; i++) {
        look = look_once(exchange, caching);
    }
    if (look != LOOK_DONE) {
        caching_go(exchange, caching);
    }
    return look == LOOK_DONE;
}

static void reply_shared(struct exchange *exchange, struct caching *caching)
{
    struct stored *stored = caching->serves;

    caching->serves = NULL;
    caching->collapsed = true;
    exchange->outcome.cache = OUTCOME_CACHE_COLLAPSED;
    metrics_note(exchange->context->metrics, METRICS_CACHE_COLLAPSED);
    caching_reply(exchange, stored);
}

bool caching_begin(struct exchange *exchange)
{
    struct caching *caching = exchange->caching;

    if (caching == NULL && (caching = caching_make(exchange)) == NULL) {
        return false;
    }
    if (caching->space == NULL) {
        return refuses_to_go(exchange, caching);
    }
    if (caching->serves != NULL) {
        reply_shared(exchange, caching);
        return true;
    }
    if (caching->flight != NULL) {
        caching_go(exchange, caching);
        return false;
    }
    return look_up(exchange, caching);
}

/* --- the end --------------------------------------------------------------------------------- */

void caching_over(struct exchange *exchange)
{
    struct caching *caching = exchange->caching;

    caching_leaves_queue(exchange);
    if (caching->flight != NULL && exchange->outcome.end == OUTCOME_ORIGIN_BROKE) {
        cache_flight_fail(&caching->flight, caching_now(exchange), patience_us(exchange));
    } else if (caching->flight != NULL) {
        cache_flight_leave(&caching->flight, caching_now(exchange));
    }
    caching_drop_draft(caching);
}

const struct stored *caching_serves(const struct exchange *exchange)
{
    return exchange->caching->serves;
}

void caching_release(struct exchange *exchange)
{
    stored_unref(&exchange->caching->found);
    stored_unref(&exchange->caching->serves);
}
