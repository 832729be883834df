/* SPDX-License-Identifier: BSD-2-Clause */
/* After the origin: judges the answer, copies it while it goes to the client, and hands it to the store
 * and to those who wait. */
#include "exchange/caching.h"
#include "net/pressure.h"

#include <stdlib.h>

#define FIRST_ROOM 4096
#define PASS_MS 10000       /* so long requests go alone once an answer was for one client only */
#define KEEP_MORE_MS 600000 /* beyond its use, where it has a validator */
#define VARY_KEEP_MS (31u * 86400000u)

static struct bytes nothing(const struct caching *caching)
{
    return (struct bytes){caching->primary.at, 0};
}

/* --- the body ------------------------------------------------------------------------------ */

static void give_body_back(struct caching *caching)
{
    free(caching->body);
    caching->body = NULL;
    caching->length = caching->room = 0;
    if (caching->reserved > 0) {
        cache_store_give_back(caching->space, caching->reserved);
        caching->reserved = 0;
    }
}

void caching_drop_draft(struct caching *caching)
{
    stored_unref(&caching->draft);
    give_body_back(caching);
}

static bool grow(struct caching *caching, size_t least)
{
    const struct caching_settings *settings = caching_settings_of(caching->exchange);
    size_t room = caching->room > 0 ? caching->room * 2 : FIRST_ROOM;
    char *body;

    room = room > least ? room : least;
    room = room < settings->max_answer ? room : settings->max_answer;
    if (least > room || !cache_store_reserve(caching->space, caching->reserved,
                                             room - caching->room, settings->max_bytes)) {
        return false;
    }
    caching->reserved += room - caching->room;
    body = realloc(caching->body, room);
    if (body == NULL) {
        return false;
    }
    caching->body = body;
    caching->room = room;
    return true;
}

/* --- those who wait ------------------------------------------------------------------------ */

static void let_one_follow(struct exchange *exchange)
{
    if (exchange->caching->flight != NULL) {
        cache_flight_fail(&exchange->caching->flight, caching_now(exchange),
                          (uint64_t)caching_settings_of(exchange)->coalesce_timeout * 1000);
    }
}

/* Its client was turned down, which says little about others: nothing that is stored goes for it. */
static void let_few_follow(struct exchange *exchange)
{
    if (exchange->caching->flight != NULL) {
        cache_flight_refuse(&exchange->caching->flight, caching_now(exchange));
    }
}

/* What it has is of no use to others, and says nothing about what they will get. */
static void let_one_try(struct exchange *exchange)
{
    if (exchange->caching->flight != NULL) {
        cache_flight_leave(&exchange->caching->flight, caching_now(exchange));
    }
}

/* It was for this client only: those who wait each need their own, and later ones do not wait. */
static void let_all_go(struct exchange *exchange)
{
    struct caching *caching = exchange->caching;
    struct stored *marker;

    caching_drop_draft(caching);
    if (caching->flight == NULL) {
        return;
    }
    marker = stored_new(STORED_PASS, caching->key, nothing(caching));
    if (marker != NULL) {
        marker->came_us = caching_now(exchange);
        marker->fresh_ms = marker->keep_ms = PASS_MS;
        cache_store_put(caching->space, caching->hash, cache_store_epoch(caching->hash),
                        caching_settings_of(exchange)->max_bytes, marker);
        stored_unref(&marker);
    }
    cache_flight_land(&caching->flight, NULL);
}

/* --- judging ------------------------------------------------------------------------------- */

static uint64_t ms_of(const struct cache_seconds *said, milliseconds otherwise)
{
    return said->said ? (uint64_t)said->seconds * 1000 : otherwise;
}

static int64_t now_s(const struct exchange *exchange)
{
    return (int64_t)(loop_realtime(exchange->context->worker_context->loop) / 1000000);
}

static void set_times(const struct exchange *exchange, const struct cache_answer *answer,
                      uint64_t lifetime_ms, struct stored *stored)
{
    const struct caching_settings *settings = caching_settings_of(exchange);
    const struct caching *caching = exchange->caching;
    uint64_t now_us = caching_now(exchange);
    uint64_t age_s =
        cache_answer_age_s(answer, now_s(exchange), (now_us - caching->asked_us) / 1000000);
    uint64_t stale_ms;

    stored->came_us = now_us;
    stored->age_s = age_s;
    stored->fresh_ms = lifetime_ms > age_s * 1000 ? lifetime_ms - age_s * 1000 : 0;
    stored->must_revalidate = answer->control.must_revalidate || answer->control.proxy_revalidate ||
                              answer->control.s_maxage.said;
    stored->swr_ms =
        ms_of(&answer->control.stale_while_revalidate, settings->stale_while_revalidate);
    stored->sie_ms = ms_of(&answer->control.stale_if_error, settings->stale_if_error);
    stale_ms = stored->swr_ms > stored->sie_ms ? stored->swr_ms : stored->sie_ms;
    stored->keep_ms =
        stored->fresh_ms + stale_ms +
        (stored->etag.length > 0 || stored->last_modified.length > 0 ? KEEP_MORE_MS : 0);
}

static bool memory_is_short(const struct exchange *exchange)
{
    return pressure_of(exchange->context->worker_context->pressure, PRESSURE_MEMORY) >=
           PRESSURE_IDLE;
}

static enum cache_use judge(const struct exchange *exchange, const struct http_response *response,
                            struct cache_answer *answer, uint64_t *lifetime_ms)
{
    const struct caching *caching = exchange->caching;
    const struct caching_settings *settings = caching_settings_of(exchange);
    enum cache_use use;

    cache_answer_read(response, answer);
    if (answer->date < 0) {
        answer->date = now_s(exchange); /* RFC 9110 section 6.6.1 */
    }
    use = cache_answer_use(settings, &caching->facts, response, answer, lifetime_ms);
    if (use >= CACHE_SHARED && exchange->request.method != HTTP_HEAD &&
        response->framing == HTTP_LENGTH_KNOWN && response->body_length > settings->max_answer) {
        return CACHE_OWN;
    }
    if (use == CACHE_STORED && memory_is_short(exchange)) {
        use = CACHE_SHARED;
    }
    /* No request to share it with. */
    return use == CACHE_SHARED && caching->flight == NULL ? CACHE_OWN : use;
}

/* What throws a variant out throws its marker out too, and what throws out the answers that name their
 * clients changes their keys: one of either that is put too late is never found. */
static uint64_t epoch_of(const struct caching *caching, uint64_t hash)
{
    return hash == caching->uri_hash ? caching->epoch : cache_store_epoch(hash);
}

/* --- Vary ---------------------------------------------------------------------------------- */

static bool has_names(const struct stored *marker, struct bytes names)
{
    return marker != NULL && marker->kind == STORED_VARY && bytes_equal(marker->body, names);
}

/* A reference to what says by which fields the answers to this URI differ. NULL: it cannot be kept. */
static struct stored *find_marker(struct exchange *exchange, struct bytes names)
{
    struct caching *caching = exchange->caching;
    struct stored *marker =
        cache_store_find(caching->space, caching->primary_hash, caching->primary);

    if (has_names(marker, names)) {
        return marker;
    }
    stored_unref(&marker);
    marker = stored_new(STORED_VARY, caching->primary, names);
    if (marker != NULL) {
        marker->came_us = caching_now(exchange);
        marker->fresh_ms = marker->keep_ms = VARY_KEEP_MS;
        if (!cache_store_put(caching->space, caching->primary_hash,
                             epoch_of(caching, caching->primary_hash),
                             caching_settings_of(exchange)->max_bytes, marker)) {
            stored_unref(&marker);
        }
    }
    return marker;
}

/* The draft's key, and by what those who wait must be like this request. */
static __attribute__((noinline)) struct stored *begin_varied(struct exchange *exchange,
                                                             const struct http_response *response)
{
    struct caching *caching = exchange->caching;
    char room[3 * CACHE_KEY_MOST];
    struct text text = text_over(room, sizeof(room));
    struct stored *draft = NULL;
    struct stored *marker;
    struct bytes names;
    struct bytes variant;
    const char *from;

    if (!cache_vary_add_names(&response->headers, &text)) {
        return NULL;
    }
    names = text_since(&text, room);
    marker = find_marker(exchange, names);
    if (marker == NULL) {
        return NULL;
    }
    from = text.at;
    text_add_bytes(&text, caching->primary);
    text_add_char(&text, '\n');
    text_add_number(&text, marker->number);
    text_add_char(&text, '\n');
    variant = (struct bytes){text.at, 0};
    cache_vary_add_key(names, &exchange->request.headers, &text);
    variant = text_since(&text, variant.at);
    if (!text.overflowed) {
        draft = stored_answer(text_since(&text, from), response, exchange->attempt->record.origin,
                              names, variant);
    }
    stored_unref(&marker);
    return draft;
}

/* --- the head ------------------------------------------------------------------------------ */

static void begin_draft(struct exchange *exchange, const struct http_response *response,
                        const struct cache_answer *answer, uint64_t lifetime_ms)
{
    struct caching *caching = exchange->caching;

    if (caching->flight != NULL) {
        cache_flight_answered(caching->flight);
    }
    caching->draft = answer->has_vary ? begin_varied(exchange, response)
                                      : stored_answer(caching->primary, response,
                                                      exchange->attempt->record.origin,
                                                      nothing(caching), nothing(caching));
    if (caching->draft == NULL) {
        let_all_go(exchange);
        return;
    }
    set_times(exchange, answer, lifetime_ms, caching->draft);
    caching->draft->origin_tls = exchange->routing.service->tls.on;
    if (exchange->request.method == HTTP_HEAD) {
        caching->draft->has_length = http_has(&response->headers, HTTP_HEADER_CONTENT_LENGTH);
        caching->draft->head_length = response->body_length;
    } else if (response->framing == HTTP_LENGTH_KNOWN && response->body_length > 0 &&
               !grow(caching, response->body_length)) {
        let_all_go(exchange);
    }
}

void caching_head(struct exchange *exchange, const struct http_response *response,
                  struct forward_page *page)
{
    struct caching *caching = exchange->caching;
    struct cache_answer answer;
    uint64_t lifetime_ms;

    if (caching->fetches) {
        switch (judge(exchange, response, &answer, &lifetime_ms)) {
        case CACHE_FAILED:
            let_one_follow(exchange);
            break;
        case CACHE_REFUSED:
            let_few_follow(exchange);
            break;
        case CACHE_OWN:
            let_all_go(exchange);
            break;
        case CACHE_STORED:
            caching->stores = true;
            begin_draft(exchange, response, &answer, lifetime_ms);
            break;
        case CACHE_SHARED:
            begin_draft(exchange, response, &answer, lifetime_ms);
            break;
        }
    }
    caching_add_status(exchange, response, page);
}

static bool suits_in_need(const struct exchange *exchange)
{
    const struct caching *caching = exchange->caching;
    const struct stored *found = caching->found;

    return found != NULL && found->kind == STORED_ANSWER && !found->must_revalidate &&
           (!caching->asks_anew || found->sie_ms > 0) &&
           stored_lasts_ms(found, caching_now(exchange)) < found->fresh_ms + found->sie_ms;
}

/* RFC 5861 section 4: also those who wait, and those who asked for a check, as they get none (RFC 9111
 * section 5.2.1.4 calls that what a client prefers). */
static void reply_in_need(struct exchange *exchange)
{
    struct caching *caching = exchange->caching;
    struct stored *stale = caching->found;

    caching->found = NULL;
    exchange->outcome.cache = OUTCOME_CACHE_STALE;
    metrics_note(exchange->context->metrics, METRICS_CACHE_STALE);
    if (caching->flight != NULL) {
        cache_flight_land(&caching->flight, stale);
    }
    if (exchange->attempt != NULL) {
        attempt_end(exchange->attempt, NULL);
    }
    caching_reply(exchange, stale);
}

bool caching_serves_in_need(struct exchange *exchange)
{
    bool suits = suits_in_need(exchange);

    if (suits) {
        reply_in_need(exchange);
    }
    return suits;
}

/* What a 304 says by itself: it was checked just now, so that the age and date of before count no more. */
static void note_check(const struct exchange *exchange, const struct cache_answer *check,
                       struct cache_answer *answer)
{
    answer->age = check->age;
    if (check->date < 0) {
        answer->date = now_s(exchange); /* RFC 9110 section 6.6.1 */
    }
}

/* By other fields than the answer that it stands for: under that one's key it would reach clients that
 * these fields choose another one for. */
static __attribute__((noinline)) bool varies_otherwise(const struct stored *found,
                                                       const struct http_response *response)
{
    char room[CACHE_KEY_MOST];
    struct text text = text_over(room, sizeof(room));

    return !cache_vary_add_names(&response->headers, &text) ||
           !bytes_equal(text_since(&text, room), found->vary);
}

/* A strong validator that is not the stored answer's, so that the 304 is of another one and must not
 * update this one (RFC 9111 section 4.3.4). */
static bool is_of_another(const struct stored *found, const struct http_response *response)
{
    const struct http_header *row = http_find_named(&response->headers, BYTES("ETag"));
    struct bytes etag = row != NULL ? http_header_value(row) : BYTES("");

    return etag.length > 0 && etag.at[0] == '"' && !bytes_equal(etag, found->etag);
}

/* Only this client gets it; the others, and who asks next, have it fetched whole. */
static void forget_found(struct exchange *exchange)
{
    struct caching *caching = exchange->caching;

    cache_store_invalidate(caching->uri);
    if (caching->flight != NULL) {
        cache_flight_land(&caching->flight, NULL);
    }
}

bool caching_takes_head(struct exchange *exchange, const struct http_response *response)
{
    struct caching *caching = exchange->caching;
    static const struct http_response nothing_new = {.status = 304};
    struct cache_answer check;
    struct cache_answer answer;
    uint64_t lifetime_ms;
    struct http_response like;
    bool is_another;

    if (cache_answer_is_error(response->status) && caching_serves_in_need(exchange)) {
        return true;
    }
    if (!caching->validates || response->status != 304) {
        return false;
    }
    is_another = is_of_another(caching->found, response);
    caching->draft = stored_refreshed(caching->found, is_another ? &nothing_new : response);
    if (caching->draft == NULL) {
        reply_error(exchange, 503, OUTCOME_OWN_ERROR, "no memory is left for the stored answer");
        return true;
    }
    like = (struct http_response){.status = caching->draft->status,
                                  .framing = HTTP_LENGTH_KNOWN,
                                  .headers = caching->draft->headers};
    cache_answer_read(response, &check);
    cache_answer_read(&like, &answer);
    note_check(exchange, &check, &answer);
    caching->use = cache_answer_use(caching_settings_of(exchange), &caching->facts, &like, &answer,
                                    &lifetime_ms);
    caching->stores = caching->use == CACHE_STORED;
    if (caching->flight != NULL) {
        cache_flight_answered(caching->flight);
    }
    set_times(exchange, &answer, lifetime_ms, caching->draft);
    caching->refreshed = true;
    if (is_another || (check.has_vary && varies_otherwise(caching->found, response))) {
        caching->use = CACHE_OWN;
        forget_found(exchange);
    }
    return true;
}

/* --- the rest ------------------------------------------------------------------------------ */

void caching_body(struct exchange *exchange, struct bytes bytes)
{
    struct caching *caching = exchange->caching;

    if (caching->draft == NULL || bytes.length == 0) {
        return;
    }
    if (bytes.length > caching->room - caching->length &&
        !grow(caching, caching->length + bytes.length)) {
        let_all_go(exchange);
        return;
    }
    memcpy(caching->body + caching->length, bytes.at, bytes.length);
    caching->length += bytes.length;
}

bool caching_is_of_use(const struct exchange *exchange)
{
    return !exchange->caching->for_none || exchange->caching->draft != NULL;
}

/* To the store, and to those who wait; not if something was thrown out since it was asked for. */
static void publish(struct exchange *exchange)
{
    struct caching *caching = exchange->caching;
    struct stored *draft = caching->draft;
    uint64_t hash = cache_hash(draft->key);
    uint64_t epoch = epoch_of(caching, hash);

    if (cache_store_epoch(caching->uri_hash) != caching->epoch) {
        let_one_try(exchange);
        return;
    }
    if (caching->stores) {
        cache_store_put(caching->space, hash, epoch, caching_settings_of(exchange)->max_bytes,
                        draft);
    }
    if (caching->flight != NULL) {
        cache_flight_land(&caching->flight, draft);
    }
}

/* The room that was not needed goes back. */
static void finish_body(struct caching *caching)
{
    char *body = caching->body;

    if (body != NULL && caching->length < caching->room) {
        body = realloc(body, caching->length > 0 ? caching->length : 1);
        body = body != NULL ? body : caching->body;
    }
    stored_give_body(caching->draft, (struct bytes){body, caching->length});
    caching->body = NULL;
    give_body_back(caching);
}

bool caching_ended(struct exchange *exchange, const struct http_headers *trailers)
{
    struct caching *caching = exchange->caching;
    struct stored *refreshed;

    if (caching->refreshed) {
        refreshed = stored_ref(caching->draft);
        if (caching->use >= CACHE_SHARED) {
            publish(exchange);
        } else {
            let_all_go(exchange);
        }
        caching_drop_draft(caching);
        exchange->outcome.cache = OUTCOME_CACHE_REVALIDATED;
        metrics_note(exchange->context->metrics, METRICS_CACHE_REVALIDATED);
        caching_reply(exchange, refreshed);
        return true;
    }
    if (caching->draft == NULL) {
        return false;
    }
    if (trailers != NULL) {
        let_all_go(exchange);
        return false;
    }
    finish_body(caching);
    publish(exchange);
    caching_drop_draft(caching);
    return false;
}

bool caching_failed(struct exchange *exchange)
{
    caching_drop_draft(exchange->caching);
    exchange->caching->refreshed = false;
    if (caching_serves_in_need(exchange)) {
        return true;
    }
    let_one_follow(exchange);
    return false;
}
