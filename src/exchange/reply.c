/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers of the gateway's own: respond:, redirect:, and errors, which say what happened in
 * Proxy-Status (RFC 9209) and in a problem+json body (RFC 9457), or as a gRPC status where the
 * request is gRPC. */
#include "exchange/exchange_private.h"
#include "exchange/grpc_error.h"
#include "exchange/waiting/room.h"
#include "http/accept.h"
#include "observe/card_mask.h"

#define ALLOWED_METHODS "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS"

/* After these the rest of the request cannot be understood, or is not worth reading. */
static bool gives_request_up(uint16_t status)
{
    switch (status) {
    case 400:
    case 408:
    case 413:
    case 414:
    case 417:
    case 431:
    case 501:
    case 505:
        return true;
    default:
        return false;
    }
}

/* What the client did not take at once outlives the call that wrote it. What is not lent is the
 * snapshot's, or the answerer's, and stays until the exchange is over. false: no memory. */
static bool keep_rest(struct exchange *exchange)
{
    if (exchange->answer.is_lent && !exchange_keep(exchange, &exchange->answer.own_rest)) {
        return false;
    }
    exchange->answer.is_lent = false;
    return true;
}

static void break_off_without_memory(struct exchange *exchange)
{
    exchange->outcome.error = OUTCOME_OWN_ERROR;
    exchange->outcome.detail = "no memory was left for an answer of the gateway's own";
    exchange_break_off(exchange, OUTCOME_GATEWAY_BROKE);
}

/* The body goes unless the request was HEAD or the status forbids it. */
static void send_answer(struct exchange *exchange, struct answer_head *head, struct bytes body)
{
    const struct client_stream_ops *ops = exchange->client.ops;
    void *stream = exchange->client.stream;

    /* Whatever the client still says: this is the answer, and there is only one. */
    exchange_set_state(exchange, EXCHANGE_REPLIES);
    exchange->outcome.status = head->status;
    exchange->answer.begun = true;
    if (gives_request_up(head->status)) {
        ops->give_up_request(stream);
    }
    head->reason = http_reason_of(head->status);
    head->body_length = body.length;
    head->framing = exchange->answer.is_stream ? HTTP_CHUNKED : HTTP_LENGTH_KNOWN;
    if (http_status_forbids_body(head->status) || exchange->outcome.error_status != 0) {
        head->framing = HTTP_NO_BODY;
        body.length = 0;
    } else if (exchange->request.method == HTTP_HEAD) {
        head->framing = HTTP_NO_BODY;
        head->reports_length = true;
        body.length = 0;
    }
    if (!ops->send_head(stream, head)) {
        break_off_without_memory(exchange);
        return;
    }
    exchange->answer.own_rest = body;
    reply_go_on(exchange);
}

void reply_go_on(struct exchange *exchange)
{
    struct bytes *rest = &exchange->answer.own_rest;

    while (rest->length > 0) {
        size_t taken = exchange->client.ops->send_body(exchange->client.stream, *rest,
                                                       !exchange->answer.is_stream);

        *rest = bytes_skip(*rest, taken);
        if (taken == 0) {
            if (!keep_rest(exchange)) {
                break_off_without_memory(exchange);
            }
            return;
        }
    }
    if (exchange->answer.is_stream) {
        exchange->client.ops->flush(exchange->client.stream);
        return;
    }
    exchange_answer_is_whole(exchange, NULL, OUTCOME_ANSWERED_HERE);
}

static void begin_page(const struct exchange *exchange, struct forward_page *page,
                       struct answer_head *head, uint16_t status)
{
    http_fields_clear(&page->fields);
    page->text = text_over(page->scratch, sizeof(page->scratch));
    memset(head, 0, sizeof(*head));
    head->status = status;
    head->fields = &page->fields;
    forward_add_date(exchange, page);
}

/* --- what an error says ---------------------------------------------------------------- */

/* What an error says in every answer that tells of it: Proxy-Status (RFC 9209), and the
 * problem+json (RFC 9457) up to the request's id. A gateway under overload says the same again and
 * again, so that the text is made once and copied from then on: a slot for each kind of refusal,
 * found by its sentence and status; two that meet there take turns. */

/* The sentence and, behind it, the fault that it speaks of. */
static struct bytes write_detail(const struct exchange *exchange, struct text *text,
                                 const char *detail)
{
    const char *from = text->at;

    text_add_bytes(text, bytes_of(detail));
    if (exchange->outcome.fault != NULL) {
        text_add_literal(text, ": ");
        text_add_bytes(text, bytes_of(exchange->outcome.fault));
    }
    return text_since(text, from);
}

static struct bytes write_proxy_status(const struct exchange *exchange, struct text *text,
                                       const char *error, const char *detail)
{
    const char *from = text->at;

    text_add_bytes(text, bytes_of(generation_settings(exchange->generation)->via));
    text_add_literal(text, "; error=");
    text_add_bytes(text, bytes_of(error));
    text_add_literal(text, "; details=\"");
    write_detail(exchange, text, detail);
    text_add_literal(text, "\"; delivery=");
    text_add_bytes(text, bytes_of(origin_delivery_word(exchange->delivery)));
    return text_since(text, from);
}

/* Up to the opening quote of the request's id. */
static void begin_problem(const struct exchange *exchange, struct text *text, uint16_t status,
                          const char *error, const char *detail)
{
    text_add_literal(text, "{\"type\":\"about:blank\",\"title\":\"");
    text_add_json(text, http_reason_of(status));
    text_add_literal(text, "\",\"status\":");
    text_add_number(text, status);
    text_add_literal(text, ",\"detail\":\"");
    write_detail(exchange, text, detail);
    text_add_literal(text, "\",\"error\":\"");
    text_add_json(text, bytes_of(error));
    text_add_literal(text, "\",\"delivery\":\"");
    text_add_json(text, bytes_of(origin_delivery_word(exchange->delivery)));
    text_add_literal(text, "\",\"request_id\":\"");
}

static bool make_problem(const struct exchange *exchange, struct problem *problem)
{
    struct text text = text_over(problem->text, sizeof(problem->text));
    const char *from;

    problem->proxy_status = write_proxy_status(exchange, &text, problem->error, problem->detail);
    from = text.at;
    begin_problem(exchange, &text, problem->status, problem->error, problem->detail);
    problem->body = text_since(&text, from);
    return !text.overflowed;
}

/* The text made beforehand, which stays until the next reload, and no longer than its sentence, which
 * is found by its address. NULL: it has to be written for this exchange alone. `error` and `detail`
 * are plain text: no quotes, backslashes or control characters. */
static const struct problem *find_problem(const struct exchange *exchange, uint16_t status,
                                          const char *error, const char *detail)
{
    struct exchange_context *context = exchange->context;
    uint64_t mixed = ((uintptr_t)detail + status) * 0x9e3779b97f4a7c15u;
    struct problem *problem = &context->problems[mixed >> 32 & (PROBLEMS_KEPT - 1)];

    if (exchange->outcome.fault != NULL || exchange->generation != context->generation) {
        return NULL;
    }
    if (problem->status == status && problem->error == error && problem->detail == detail &&
        problem->delivery == exchange->delivery) {
        return problem;
    }
    problem->status = status;
    problem->error = error;
    problem->detail = detail;
    problem->delivery = exchange->delivery;
    if (!make_problem(exchange, problem)) {
        problem->status = 0;
        return NULL;
    }
    return problem;
}

/* The request id and, behind it, the trace, for readers of one. */
static void end_problem(const struct exchange *exchange, struct text *text)
{
    struct bytes id = exchange_request_id(exchange);
    char scratch[REQUEST_ID_MAX];

    if (exchange->outcome.request_id_is_ours) {
        text_add_bytes(text, id);
    } else {
        text_add_json(text, card_mask(id, sizeof(scratch), scratch));
    }
    if (exchange->span != NULL) {
        text_add_literal(text, "\",\"trace_id\":\"");
        text_add(text, exchange->span->facts.own.trace_id, TRACE_ID_LENGTH);
    }
    text_add_literal(text, "\"}\n");
}

/* --- as a gRPC status ---------------------------------------------------------------------- */

#define SENTENCE_BYTES 512 /* more of it is not told in grpc-message */

static struct bytes write_message(const struct exchange *exchange, struct text *text,
                                  const char *detail)
{
    char room[SENTENCE_BYTES];
    struct text plain = text_over(room, sizeof(room));
    struct bytes sentence = write_detail(exchange, &plain, detail);
    const char *from = text->at;

    grpc_add_message(text, sentence);
    return text_since(text, from);
}

static bool may_have_run(const struct exchange *exchange)
{
    return exchange->delivery >= ORIGIN_DELIVERY_MAYBE;
}

static enum grpc_status grpc_status_of(const struct exchange *exchange, uint16_t status,
                                       const char *error, bool has_run)
{
    return exchange->answer.ends_by_reset
               ? grpc_error_of_reset(exchange->attempt->request.reset_code)
               : grpc_error_status(status, error, has_run);
}

static void add_grpc_status(struct exchange *exchange, struct forward_page *page, uint16_t status,
                            const char *error, const char *detail)
{
    enum grpc_status code = grpc_status_of(exchange, status, error, may_have_run(exchange));

    exchange->outcome.grpc_status = code;
    exchange->outcome.error_status = status;
    http_fields_add(&page->fields, BYTES("grpc-status"), text_number(&page->text, code));
    http_fields_add(&page->fields, BYTES("grpc-message"),
                    write_message(exchange, &page->text, detail));
}

/* Trailers alone: one head with the status in it and no body. `pushback_ms`: how long the client
 * had better wait before it calls again; 0: it is not told. */
static void reply_grpc(struct exchange *exchange, uint16_t status, const char *error,
                       const char *detail, uint64_t pushback_ms)
{
    struct forward_page page;
    struct answer_head head;

    begin_page(exchange, &page, &head, 200);
    http_fields_add(&page.fields, BYTES("Content-Type"), BYTES("application/grpc"));
    add_grpc_status(exchange, &page, status, error, detail);
    http_fields_add(&page.fields, BYTES("Proxy-Status"),
                    write_proxy_status(exchange, &page.text, error, detail));
    if (pushback_ms > 0) {
        http_fields_add(&page.fields, BYTES("grpc-retry-pushback-ms"),
                        text_number(&page.text, pushback_ms));
    }
    forward_common_answer_fields(exchange, &page);
    send_answer(exchange, &head, (struct bytes){0});
}

/* What an answer that breaks off would have been in HTTP. */
static uint16_t status_of_end(const struct exchange *exchange, enum outcome_end end)
{
    if (exchange->outcome.error_status != 0) {
        return exchange->outcome.error_status;
    }
    switch (end) {
    case OUTCOME_CUT_BY_TIMEOUT:
        return 504;
    case OUTCOME_ORIGIN_BROKE:
        return 502;
    case OUTCOME_REQUEST_BROKE:
        return 400;
    default:
        return 503;
    }
}

/* The client has a head, so that it does not repeat the call by itself, whatever the status: it may
 * be UNAVAILABLE, as if there were no gateway in between. */
bool reply_grpc_breaks_off(struct exchange *exchange, enum outcome_end end)
{
    const char *error = exchange->outcome.error != NULL ? exchange->outcome.error : "";
    const char *detail = exchange->outcome.detail != NULL ? exchange->outcome.detail : "";
    char room[4 * SENTENCE_BYTES];
    struct text text = text_over(room, sizeof(room));
    enum grpc_status status;
    struct http_fields fields;

    if (!exchange->answer.takes_status || exchange->state != EXCHANGE_RELAYS) {
        return false;
    }
    status = grpc_status_of(exchange, status_of_end(exchange, end), error, false);
    exchange->outcome.grpc_status = status;
    exchange->answer.blocked = false;
    attempt_end(exchange->attempt, error);
    http_fields_clear(&fields);
    http_fields_add(&fields, BYTES("grpc-status"), text_number(&text, status));
    http_fields_add(&fields, BYTES("grpc-message"), write_message(exchange, &text, detail));
    exchange_answer_is_whole(exchange, &fields, end);
    return true;
}

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
        reply_grpc(exchange, refusal->status, refusal->error, refusal->detail,
                   refusal->pushback_ms);
        return;
    }
    problem = find_problem(exchange, refusal->status, refusal->error, refusal->detail);
    begin_page(exchange, &page, &head, refusal->status);
    http_fields_add(&page.fields, BYTES("Content-Type"), refusal->content_type);
    http_fields_add(&page.fields, BYTES("Proxy-Status"),
                    problem != NULL ? problem->proxy_status
                                    : write_proxy_status(exchange, &page.text, refusal->error,
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
    send_answer(exchange, &head, body);
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
        begin_problem(exchange, text, refusal->status, refusal->error, refusal->detail);
    }
    end_problem(exchange, text);
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
        add_refusal_field(&refusal, BYTES("Allow"), BYTES(ALLOWED_METHODS));
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
    end_problem(exchange, text);
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

void reply_continue(struct exchange *exchange)
{
    struct http_fields none = {.count = 0};
    const struct answer_head head = {
        .status = 100, .reason = BYTES("Continue"), .framing = HTTP_NO_BODY, .fields = &none};

    exchange->request.expects_continue = false;
    exchange->client.ops->send_interim(exchange->client.stream, &head);
}

void reply_respond(struct exchange *exchange, const struct route_settings *route)
{
    struct forward_page page;
    struct answer_head head;

    begin_page(exchange, &page, &head, route->respond.status);
    if (route->respond.body.length > 0) {
        http_fields_add(&page.fields, BYTES("Content-Type"), route->respond.content_type);
    }
    forward_common_answer_fields(exchange, &page);
    send_answer(exchange, &head, route->respond.body);
}

/* --- redirects ----------------------------------------------------------------------------- */

/* Without a query there is no "?" or "&" that was there only for it. */
static void drop_mark(struct text *text, const char *from, struct bytes *rest)
{
    char before = text->at > from ? text->at[-1] : '\0';

    if (before == '?' && rest->length > 0 && rest->at[0] == '&') {
        *rest = bytes_skip(*rest, 1);
    } else if (before == '?' || before == '&') {
        text->at--;
    }
}

static struct bytes expand(const struct http_request *request, struct bytes path,
                           struct bytes pattern, struct text *text)
{
    const char *from = text->at;

    while (pattern.length > 0) {
        if (bytes_start_with(pattern, BYTES("{host}"))) {
            text_add_bytes(text, request->host);
            pattern = bytes_skip(pattern, 6);
        } else if (bytes_start_with(pattern, BYTES("{path}"))) {
            text_add_bytes(text, path);
            pattern = bytes_skip(pattern, 6);
        } else if (bytes_start_with(pattern, BYTES("{query}"))) {
            pattern = bytes_skip(pattern, 7);
            text_add_bytes(text, request->query);
            if (!request->has_query) {
                drop_mark(text, from, &pattern);
            }
        } else {
            text_add_char(text, pattern.at[0]);
            pattern = bytes_skip(pattern, 1);
        }
    }
    return text_since(text, from);
}

static struct bytes behind_scheme(struct bytes place)
{
    size_t length = bytes_start_with(place, BYTES("https://")) ? 8 : 7; /* "http://" */

    return bytes_skip(place, length < place.length ? length : place.length);
}

/* Browsers take "//" and "/\" for the beginning of a host, and "https:///x" for "https://x". */
static bool is_sound(struct bytes place)
{
    struct bytes rest;

    if (place.length > 0 && place.at[0] == '/') {
        return place.length == 1 || (place.at[1] != '/' && place.at[1] != '\\');
    }
    rest = behind_scheme(place);
    return rest.length > 0 && memchr("/\\?#:", rest.at[0], 5) == NULL;
}

/* "{host}", "{path}" and "{query}" of a pattern stand for those of the request, whose path is given
 * apart. The loader sees to it that only {host} can choose a host (config/read/read_action.c); what
 * comes out is looked at all the same. false: the place would be on no host or on one that neither
 * the pattern nor the request names. */
static bool redirect_place(const struct http_request *request, struct bytes path,
                           struct bytes pattern, struct text *text, struct bytes *place)
{
    if (path.length == 0 || path.at[0] != '/') {
        path = BYTES("/"); /* an absolute URI without one, or "*" */
    }
    *place = expand(request, path, pattern, text);
    return !text->overflowed && is_sound(*place);
}

/* That of the route's normal form, where the guard has put one in its place. */
static struct bytes path_of(const struct exchange *exchange)
{
    struct bytes target = exchange->routing.target;
    const char *mark = target.length > 0 ? memchr(target.at, '?', target.length) : NULL;

    if (target.length == 0) {
        return exchange->request.path;
    }
    return bytes_first(target, mark != NULL ? (size_t)(mark - target.at) : target.length);
}

void reply_redirect(struct exchange *exchange, uint16_t status, struct bytes pattern)
{
    struct forward_page page;
    struct answer_head head;
    struct bytes place;

    begin_page(exchange, &page, &head, status);
    if (!redirect_place(&exchange->request, path_of(exchange), pattern, &page.text, &place)) {
        reply_error(exchange, 400, "http_request_error",
                    "the redirect needs a host, and the request names none");
        return;
    }
    http_fields_add(&page.fields, BYTES("Location"), place);
    forward_common_answer_fields(exchange, &page);
    send_answer(exchange, &head, (struct bytes){0});
}

void exchange_answer(struct exchange *exchange, const struct exchange_reply *reply)
{
    struct forward_page page;
    struct answer_head head;

    begin_page(exchange, &page, &head, reply->status);
    http_fields_add(&page.fields, BYTES("Content-Type"), reply->content_type);
    http_fields_add(&page.fields, BYTES("Cache-Control"), BYTES("no-store"));
    if (reply->allow.length > 0) {
        http_fields_add(&page.fields, BYTES("Allow"), reply->allow);
    }
    for (uint32_t i = 0; i < reply->field_count; i++) {
        http_fields_add(&page.fields, reply->fields[i].name, reply->fields[i].value);
    }
    send_answer(exchange, &head, reply->body);
}

void reply_options(struct exchange *exchange)
{
    struct forward_page page;
    struct answer_head head;

    begin_page(exchange, &page, &head, 204);
    http_fields_add(&page.fields, BYTES("Allow"), BYTES(ALLOWED_METHODS));
    forward_common_answer_fields(exchange, &page);
    send_answer(exchange, &head, (struct bytes){0});
}
