/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers that turn a request down: errors, maintenance, a place in a waiting room, a rate limit. Each says
 * what happened in Proxy-Status and in a problem+json body, or as a gRPC status, or with a page of the
 * operator's. */
#include "exchange/reply_private.h"
#include "exchange/waiting/room.h"
#include "http/accept.h"

/* --- pages of the operator's ----------------------------------------------------------------- */

static const struct error_page *page_among(const struct error_pages_settings *pages,
                                           uint16_t status)
{
    for (uint32_t i = 0; i < pages->count; i++) {
        if (pages->rows[i].status == status) {
            return &pages->rows[i];
        }
    }
    return NULL;
}

/* The operator's own for this status, of the route or global; 0: of maintenance. */
static const struct error_page *page_for(const struct exchange *exchange, uint16_t status)
{
    const struct route_settings *route = exchange->routing.route;
    const struct error_page *page = route != NULL ? page_among(&route->error_pages, status) : NULL;

    return page != NULL
               ? page
               : page_among(&generation_settings(exchange->generation)->error_pages, status);
}

/* A program wants to know what happened, a person to read it. Programs send a wildcard, or none. */
static bool is_browser(const struct exchange *exchange)
{
    const struct http_headers *headers = &exchange->request.headers;
    unsigned html = http_accept_weight(headers, BYTES("text/html"));

    return html > 0 && html >= http_accept_weight(headers, BYTES("application/json")) &&
           html >= http_accept_weight(headers, BYTES("application/problem+json"));
}

/* --- refusals ------------------------------------------------------------------------------ */

/* What an answer that turns a request down says beside what all of them say. */
struct refusal {
    uint16_t status;
    const char *error; /* RFC 9209 section 2.3 */
    const char *detail;
    uint64_t retry_after_s; /* 0: not told */
    uint64_t pushback_ms;   /* the same for gRPC */
    uint32_t field_count;
    struct http_field fields[3];
    struct bytes content_type;
    /* The body, in `text` unless it `stays` until the exchange is over. Not called for gRPC. */
    struct bytes (*write)(struct exchange *exchange, const struct refusal *refusal,
                          const struct problem *problem, struct text *text);
    const void *about; /* for `write` */
    bool stays;
};

static void add_refusal_field(struct refusal *refusal, struct bytes name, struct bytes value)
{
    refusal->fields[refusal->field_count++] = (struct http_field){name, value};
}

/* Not for all who were refused at the same time. */
static uint64_t spread(const struct exchange *exchange, uint64_t least, uint64_t more)
{
    return least + random_below(&exchange->context->worker_context->random, more + 1);
}

/* The one writer of them all. */
static void refuse(struct exchange *exchange, const struct refusal *refusal)
{
    const struct problem *problem;
    struct forward_page page;
    struct answer_head head;
    struct bytes body;

    exchange->outcome.error = refusal->error;
    exchange->outcome.detail = refusal->detail;
    if (exchange->outcome.is_grpc) {
        reply_as_grpc(exchange, refusal->status, refusal->error, refusal->detail,
                      refusal->pushback_ms);
        return;
    }
    problem = reply_find_problem(exchange, refusal->status, refusal->error, refusal->detail);
    reply_begin_page(exchange, &page, &head, refusal->status);
    http_fields_add(&page.fields, BYTES("Content-Type"), refusal->content_type);
    http_fields_add(&page.fields, BYTES("Proxy-Status"),
                    problem != NULL ? problem->proxy_status
                                    : reply_write_proxy_status(exchange, &page.text, refusal->error,
                                                               refusal->detail));
    for (uint32_t i = 0; i < refusal->field_count; i++) {
        http_fields_add(&page.fields, refusal->fields[i].name, refusal->fields[i].value);
    }
    if (refusal->retry_after_s > 0) {
        http_fields_add(&page.fields, BYTES("Retry-After"),
                        text_number(&page.text, refusal->retry_after_s));
    }
    forward_common_answer_fields(exchange, &page);
    body = refusal->write(exchange, refusal, problem, &page.text);
    exchange->answer.is_lent = !refusal->stays;
    reply_send(exchange, &head, body);
}

#define HTML BYTES("text/html; charset=utf-8")
#define PROBLEM BYTES("application/problem+json")
#define RETRY_AFTER_S 1
#define MAINTENANCE_S 60

static struct bytes write_problem(struct exchange *exchange, const struct refusal *refusal,
                                  const struct problem *problem, struct text *text)
{
    const char *from = text->at;

    if (problem != NULL) {
        text_add_bytes(text, problem->body);
    } else {
        reply_begin_problem(exchange, text, refusal->status, refusal->error, refusal->detail);
    }
    reply_end_problem(exchange, text);
    return text_since(text, from);
}

static struct bytes take_page(struct exchange *exchange, const struct refusal *refusal,
                              const struct problem *problem, struct text *text)
{
    const struct error_page *page = refusal->about;

    (void)exchange;
    (void)problem;
    (void)text;
    return page->body;
}

static void give_error(struct exchange *exchange, uint16_t status, const char *error,
                       const char *detail, const struct error_page *own, uint32_t retry_after_s)
{
    bool is_page = own != NULL && is_browser(exchange);
    struct refusal refusal = {
        .status = status,
        .error = error,
        .detail = detail,
        .content_type = is_page ? HTML : PROBLEM,
        .write = is_page ? take_page : write_problem,
        .about = own,
        .stays = is_page,
    };

    if (exchange->attempt != NULL) {
        attempt_end(exchange->attempt, error);
        timer_clear(exchange->context->backoff_timers, &exchange->backoff);
    }
    if (own != NULL) {
        add_refusal_field(&refusal, BYTES("Vary"), BYTES("Accept"));
    }
    if (status == 405) {
        add_refusal_field(&refusal, BYTES("Allow"), BYTES(REPLY_ALLOWED_METHODS));
    }
    if (status == 503) {
        refusal.retry_after_s = spread(exchange, retry_after_s, retry_after_s);
    }
    refuse(exchange, &refusal);
}

void reply_error(struct exchange *exchange, uint16_t status, const char *error, const char *detail)
{
    give_error(exchange, status, error, detail, page_for(exchange, status), RETRY_AFTER_S);
}

void reply_maintenance(struct exchange *exchange)
{
    const struct error_page *own = page_for(exchange, 0);

    give_error(exchange, 503, "destination_unavailable", "the route is in maintenance",
               own != NULL ? own : page_for(exchange, 503), MAINTENANCE_S);
}

struct place_told {
    const struct room_place *place;
    bool as_page;
};

static struct bytes write_place(struct exchange *exchange, const struct refusal *refusal,
                                const struct problem *problem, struct text *text)
{
    const struct place_told *told = refusal->about;

    (void)problem;
    (void)text;
    return waiting_room_body(exchange, told->place, told->as_page);
}

void reply_waiting_room(struct exchange *exchange, const struct room_place *place)
{
    const struct place_told told = {place, is_browser(exchange)};
    struct refusal refusal = {
        .status = 503,
        .error = "http_request_denied",
        .detail = "this user waits in the route's waiting room",
        .retry_after_s = place->again_s,
        .pushback_ms = (uint64_t)place->again_s * 1000,
        .content_type = told.as_page ? HTML : BYTES("application/json"),
        .write = write_place,
        .about = &told,
        .stays = true,
    };

    add_refusal_field(&refusal, BYTES("Cache-Control"), BYTES("no-store"));
    add_refusal_field(&refusal, BYTES("Vary"), BYTES("Accept, Cookie"));
    refuse(exchange, &refusal);
}

#define RATE_LIMIT_TEXT_MAX 160 /* a limit's name, which the schema bounds, and a number */

/* draft-ietf-httpapi-ratelimit-headers-11. */
static void add_rate_limit(struct refusal *refusal, const struct reply_quota *quota,
                           uint64_t wait_s, struct text *text)
{
    const char *from = text->at;

    add_refusal_field(refusal, BYTES("RateLimit-Policy"), quota->policy);
    text_add_bytes(text, quota->state);
    text_add_number(text, wait_s);
    add_refusal_field(refusal, BYTES("RateLimit"), text_since(text, from));
}

static struct bytes write_quota_problem(struct exchange *exchange, const struct refusal *refusal,
                                        const struct problem *problem, struct text *text)
{
    const struct reply_quota *quota = refusal->about;
    const char *from = text->at;

    (void)problem;
    text_add_bytes(text, quota->problem);
    reply_end_problem(exchange, text);
    return text_since(text, from);
}

void reply_over_limit(struct exchange *exchange, const struct reply_quota *quota)
{
    uint64_t wait_s = (quota->wait_ms + 999) / 1000;
    char room[RATE_LIMIT_TEXT_MAX];
    struct text text = text_over(room, sizeof(room));
    struct refusal refusal = {
        .status = 429,
        .error = "http_request_denied",
        .detail = quota->sentence,
        /* Not before the quota is there again. */
        .retry_after_s = spread(exchange, wait_s, 1 + wait_s / 2),
        .content_type = PROBLEM,
        .write = write_quota_problem,
        .about = quota,
    };

    if (exchange->outcome.is_grpc) {
        refusal.pushback_ms = spread(exchange, 1 + quota->wait_ms, quota->wait_ms / 2);
    } else {
        add_rate_limit(&refusal, quota, wait_s, &text);
    }
    refuse(exchange, &refusal);
}
