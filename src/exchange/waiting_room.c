/* SPDX-License-Identifier: BSD-2-Clause */
/* The waiting room of a route, as requests meet it: their ticket is read and renewed, and who has to
 * wait gets a page that asks again by itself, or JSON. Called by exchange_begin. */
#include "exchange/exchange_private.h"

#include "exchange/waiting/rooms.h"
#include "exchange/waiting/ticket.h"
#include "split/pin_table.h"
#include "split/request_source.h"
#include "tls/tls_mac.h"

#define WAITING_TICKET_S (24 * 3600u) /* a ticket of one who waits is good for so long */
#define LOTTERY_MS 3600000u           /* over which those are dealt who came before the opening */
#define RENEWALS 8u                   /* of a ticket, in the time that it is good for */
#define COOKIE_MOST 512
#define JSON_MOST 256
#define OWN_KEY_BYTES sizeof(struct siphash_key)

/* The room, and what the request brought. */
struct visit {
    const struct waiting_room_settings *settings;
    struct tls_mac_maker *macs; /* NULL: no memory */
    struct bytes name;
    uint64_t now_ms;
    const struct bytes *keys;
    uint32_t key_count;
    struct bytes own_key; /* where the file names none */
    struct siphash_key own;
    struct ticket ticket;
    bool has_ticket;
};

/* Without keys of its own the room has the installation's secret, which outlives the process. */
static void find_keys(const struct exchange *exchange, struct visit *visit)
{
    struct pin_table *pins = generation_pins(exchange->generation);

    visit->keys = visit->settings->keys;
    visit->key_count = visit->settings->key_count;
    if (visit->key_count == 0) {
        visit->own = pins != NULL ? pin_table_secret(pins) : (struct siphash_key){0, 0};
        visit->own_key = (struct bytes){(const char *)&visit->own, OWN_KEY_BYTES};
        visit->keys = &visit->own_key;
        visit->key_count = 1;
    }
}

/* One that was let in and has stayed away keeps its arrival for as long as if it had come back once:
 * for a whole session, although its seat was kept on trial only. */
static uint64_t ends_s(const struct visit *visit)
{
    uint32_t session_s = visit->settings->session / 1000;

    return visit->ticket.kind == TICKET_FIRST ? (uint64_t)visit->ticket.since_ms / 1000 + session_s
                                              : visit->ticket.good_until_s;
}

/* One of kind TICKET_IN is asked of the room, which knows of later requests than its ticket. */
static bool is_good(const struct visit *visit)
{
    return visit->ticket.kind == TICKET_IN || ends_s(visit) >= visit->now_ms / 1000;
}

/* The worker's own, made with the first visit. */
static struct tls_mac_maker *macs_of(struct exchange_context *context)
{
    if (context->macs == NULL) {
        context->macs = tls_mac_maker_new();
    }
    return context->macs;
}

static void begin_visit(const struct exchange *exchange, struct visit *visit)
{
    const struct route_settings *route = exchange->routing.route;
    struct request_source cookie = {.kind = SOURCE_COOKIE,
                                    .name = bytes_of(route->waiting_room.cookie)};
    struct bytes text;

    memset(visit, 0, sizeof(*visit));
    visit->settings = &route->waiting_room;
    visit->name = bytes_of(route->name);
    visit->now_ms = loop_realtime(exchange->context->worker_context->loop) / 1000;
    visit->macs = macs_of(exchange->context);
    find_keys(exchange, visit);
    visit->has_ticket = request_source_value(&cookie, &exchange->request, NULL, NULL, &text) &&
                        ticket_read(visit->macs, text, visit->name, visit->keys, visit->key_count,
                                    &visit->ticket) &&
                        is_good(visit);
}

/* Those who come before the opening are dealt: being first by a second is not fair to all. What a client
 * could learn of its lot beforehand it could choose by, drawing tickets until a good one comes. So the
 * ticket has the time alone, and the lot is computed with each visit. Of a number of the ticket, and not
 * of the address: a user may have another address at the opening, and users of one would share a lot.
 * Surplus tickets are dealt among themselves, behind the others and before users who come later. */
static uint64_t place_in_order(const struct visit *visit)
{
    uint64_t opens_ms = visit->settings->opens_at_ms;
    uint64_t last_ms = opens_ms - 1 - (visit->ticket.surplus ? 0 : LOTTERY_MS);
    uint64_t lot;

    if (visit->ticket.since_ms >= opens_ms) {
        return visit->ticket.since_ms;
    }
    if (!ticket_deal(visit->macs, &visit->ticket, opens_ms, visit->name, visit->keys[0], &lot)) {
        return opens_ms - 1;
    }
    return last_ms - lot % LOTTERY_MS;
}

static void take_ticket(const struct exchange *exchange, struct visit *visit, struct room *room,
                        uint64_t customer)
{
    const struct room_limits limits = rooms_limits(visit->settings);
    uint64_t opens_ms = visit->settings->opens_at_ms;

    visit->ticket = (struct ticket){.id = random_next(&exchange->context->worker_context->random),
                                    .since_ms = visit->now_ms};
    visit->ticket.id |= visit->ticket.id == 0;
    visit->ticket.surplus =
        visit->now_ms < opens_ms && !room_draw(room, &limits, customer, opens_ms);
}

/* false: no memory. */
static bool give_ticket(struct exchange *exchange, struct visit *visit, uint32_t good_for_s,
                        uint32_t kept_for_s)
{
    char *line = exchange_take(exchange, COOKIE_MOST);
    struct text text = text_over(line, COOKIE_MOST);
    char ticket[TICKET_TEXT_MAX];
    size_t length;

    visit->ticket.good_until_s = (uint32_t)(visit->now_ms / 1000) + good_for_s;
    length = ticket_write(visit->macs, &visit->ticket, visit->name, visit->keys[0], ticket);
    if (line == NULL || length == 0) {
        return false;
    }
    text_add_bytes(&text, bytes_of(visit->settings->cookie));
    text_add_char(&text, '=');
    text_add(&text, ticket, length);
    text_add_literal(&text, "; Path=/; Max-Age=");
    text_add_number(&text, kept_for_s);
    text_add_literal(&text, "; HttpOnly; SameSite=Lax");
    if (bytes_equal(exchange->client.facts->scheme, BYTES("https"))) {
        text_add_literal(&text, "; Secure");
    }
    exchange->answer.cookie = text_since(&text, line);
    return true;
}

static bool let_in(struct exchange *exchange, struct visit *visit, bool returns)
{
    const struct room_limits limits = rooms_limits(visit->settings);
    uint32_t seat_s = returns ? limits.session_s : room_trial_s(&limits);

    visit->ticket.kind = returns ? TICKET_IN : TICKET_FIRST;
    /* Without a new ticket it would come in again and again, each time as another user. */
    if (give_ticket(exchange, visit, seat_s, limits.session_s)) {
        return true;
    }
    reply_error(exchange, 503, OUTCOME_OWN_ERROR,
                "no memory is left for the ticket of the waiting room");
    return false;
}

/* A new one takes a signature, which may be as much as the rest of the answer. */
static bool grows_old(const struct visit *visit, uint32_t good_for_s)
{
    uint64_t now_s = visit->now_ms / 1000;

    return visit->ticket.good_until_s < now_s + good_for_s - good_for_s / RENEWALS;
}

static bool stays(struct exchange *exchange, struct visit *visit, struct room *room)
{
    const struct room_limits limits = rooms_limits(visit->settings);

    if (!room_stay(room, &limits, visit->ticket.id, visit->ticket.good_until_s, visit->now_ms)) {
        return false;
    }
    if (visit->ticket.kind == TICKET_FIRST || grows_old(visit, limits.session_s)) {
        visit->ticket.kind = TICKET_IN;
        give_ticket(exchange, visit, limits.session_s, limits.session_s);
    }
    return true;
}

static void wait_for_opening(const struct visit *visit, struct room_place *place)
{
    uint64_t wait_s = (visit->settings->opens_at_ms - visit->now_ms) / 1000 + 1;

    place->number = 0;
    place->wait_s = wait_s < UINT32_MAX ? (uint32_t)wait_s : UINT32_MAX;
    place->again_s = wait_s < 5 ? (uint32_t)wait_s : wait_s / 10 < 30 ? 5 : 30;
    place->cause = ROOM_IS_CLOSED;
}

/* The ticket that it brought says all there is to say. */
static bool keeps_ticket(const struct visit *visit, bool returns)
{
    return returns && visit->ticket.kind == TICKET_WAITS && !grows_old(visit, WAITING_TICKET_S);
}

/* Those who were turned away together do not come again together; never later than the room expects. */
static void spread(const struct exchange *exchange, struct room_place *place)
{
    place->again_s -=
        (uint32_t)random_below(&exchange->context->worker_context->random, place->again_s / 4 + 1);
}

static bool waits(struct exchange *exchange, struct visit *visit, struct room *room, bool returns,
                  struct room_place *place)
{
    bool keeps = keeps_ticket(visit, returns);

    spread(exchange, place);
    visit->ticket.kind = TICKET_WAITS;
    if (!keeps && !give_ticket(exchange, visit, WAITING_TICKET_S, WAITING_TICKET_S)) {
        reply_error(exchange, 503, OUTCOME_OWN_ERROR,
                    "no memory is left for the ticket of the waiting room");
        return false;
    }
    room_note_turned_away(room, place->cause);
    metrics_note(exchange->context->metrics, METRICS_WAITS_IN_ROOM);
    reply_waiting_room(exchange, place);
    return false;
}

/* It was let in, and its seat on trial is over: what it sends now may be what it came for. The room
 * counts it no longer, and it has no seat by this. */
static bool was_let_in(const struct exchange *exchange, const struct visit *visit)
{
    return visit->has_ticket && visit->ticket.kind == TICKET_FIRST &&
           !http_method_is_safe(exchange->request.method);
}

static bool comes_in(struct exchange *exchange, struct visit *visit, struct room *room)
{
    const struct room_limits limits = rooms_limits(visit->settings);
    /* A new ticket for one that is over is as good as none: the old one can be brought again. */
    bool returns = visit->has_ticket && visit->ticket.kind != TICKET_IN;
    struct room_user user = {.customer = ip_customer(&exchange->client.ip), .returns = returns};
    struct room_place place;

    if (!returns) {
        take_ticket(exchange, visit, room, user.customer);
    }
    user.id = visit->ticket.id;
    user.since_ms = place_in_order(visit);
    if (visit->now_ms < visit->settings->opens_at_ms) {
        wait_for_opening(visit, &place);
        room_wait(room, &limits, &user, visit->now_ms, place.again_s);
        return waits(exchange, visit, room, returns, &place);
    }
    if (room_enter(room, &limits, &user, visit->now_ms, &place)) {
        return let_in(exchange, visit, returns);
    }
    return was_let_in(exchange, visit) || waits(exchange, visit, room, returns, &place);
}

bool waiting_room_admit(struct exchange *exchange)
{
    struct visit visit;
    struct room *room;

    begin_visit(exchange, &visit);
    room = rooms_find(exchange->routing.route, visit.now_ms);
    if (room == NULL) {
        reply_error(exchange, 503, OUTCOME_OWN_ERROR, "no memory is left for the waiting room");
        return false;
    }
    if (visit.has_ticket && visit.ticket.kind != TICKET_WAITS && stays(exchange, &visit, room)) {
        return true;
    }
    return comes_in(exchange, &visit, room);
}

/* --- what is shown ------------------------------------------------------------------------ */

static const char own_page[] =
    "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
    "<meta name=\"robots\" content=\"noindex\">"
    "<meta http-equiv=\"refresh\" content=\"{again}\"><title>Please wait</title>"
    "<style>body{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 "
    "1rem;"
    "color-scheme:light dark}strong{font-size:1.6rem}</style></head>"
    "<body><main><h1>There is a queue</h1><div role=\"status\" aria-live=\"polite\">"
    "<p>Your place: <strong>{place}</strong></p><p>Expected wait: <strong>{wait}</strong></p></div>"
    "<p>This page asks again by itself. Keep it open: you will not lose your place.</p>"
    "</main></body></html>\n";

static void add_wait(struct text *text, uint32_t wait_s)
{
    if (wait_s < 60) {
        text_add_literal(text, "less than a minute");
        return;
    }
    text_add_number(text, (wait_s + 59) / 60);
    text_add_literal(text, " minutes");
}

static void add_value(struct text *text, struct bytes name, const struct room_place *place)
{
    if (bytes_equal(name, BYTES("place"))) {
        if (place->number > 0) {
            text_add_number(text, place->number);
        } else {
            text_add_literal(text, "drawn at the start");
        }
    } else if (bytes_equal(name, BYTES("wait"))) {
        add_wait(text, place->wait_s);
    } else {
        text_add_number(text, place->again_s);
    }
}

/* The length of "{place}", "{wait}" or "{again}" at the start of this; 0: none. */
static size_t name_at(struct bytes page, struct bytes *name)
{
    static const char *const names[] = {"place", "wait", "again"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t length = strlen(names[i]);

        if (page.length > length + 1 && memcmp(page.at + 1, names[i], length) == 0 &&
            page.at[length + 1] == '}') {
            *name = bytes_of(names[i]);
            return length + 2;
        }
    }
    return 0;
}

static void fill_in(struct text *text, struct bytes page, const struct room_place *place)
{
    while (page.length > 0) {
        const char *brace = memchr(page.at, '{', page.length);
        size_t before = brace != NULL ? (size_t)(brace - page.at) : page.length;
        struct bytes name;
        size_t length;

        text_add_bytes(text, bytes_first(page, before));
        page = bytes_skip(page, before);
        if (page.length == 0) {
            return;
        }
        length = name_at(page, &name);
        if (length > 0) {
            add_value(text, name, place);
        } else {
            text_add_char(text, '{');
            length = 1;
        }
        page = bytes_skip(page, length);
    }
}

static void add_json(struct text *text, const struct room_place *place)
{
    text_add_literal(text, "{\"status\":503,\"title\":\"Please wait\",\"place\":");
    text_add_number(text, place->number);
    text_add_literal(text, ",\"wait_seconds\":");
    text_add_number(text, place->wait_s);
    text_add_literal(text, ",\"ask_again_seconds\":");
    text_add_number(text, place->again_s);
    text_add_literal(text, "}\n");
}

_Static_assert(WAITING_FILLED_MOST <= REGION_PIECE_MOST, "the loader lets no longer page in");

/* How many bytes the page has at most once its names are filled in. */
static size_t filled_size(struct bytes page)
{
    size_t size = page.length;
    const char *brace;
    struct bytes name;

    while (page.length > 0 && (brace = memchr(page.at, '{', page.length)) != NULL) {
        page = bytes_skip(page, (size_t)(brace - page.at));
        size += name_at(page, &name) > 0 ? WAITING_VALUE_MOST : 0;
        page = bytes_skip(page, 1);
    }
    return size;
}

struct bytes waiting_room_body(struct exchange *exchange, const struct room_place *place,
                               bool is_page)
{
    struct bytes page = exchange->routing.route->waiting_room.page;
    size_t size;
    struct text text;
    char *room;

    page = page.length > 0 ? page : BYTES(own_page);
    size = is_page ? filled_size(page) : JSON_MOST;
    room = exchange_take(exchange, size);
    if (room == NULL) {
        return (struct bytes){0};
    }
    text = text_over(room, size);
    if (is_page) {
        fill_in(&text, page, place);
    } else {
        add_json(&text, place);
    }
    return text_since(&text, room);
}
