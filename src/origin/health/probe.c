/* SPDX-License-Identifier: BSD-2-Clause */
/* A probe waits, connects, asks, reads, and waits again. So many results of one kind in a row make a
 * verdict; the first one does at once. */
#include "origin/health/probe.h"

#include "origin/health/grpc_check.h"

#include "base/check.h"
#include "base/log/log.h"
#include "http/h1/h1_chunked.h"
#include "http/h1/h1_writer.h"
#include "net/dial.h"
#include "observe/origin_label.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define HEAD_BYTES 8192
#define BODY_BYTES 4096 /* of the body, to look into */
#define ROOM_BYTES (HEAD_BYTES + 2 * BODY_BYTES)
#define FIRST_WITHIN_MS 500
#define WHOLE 10000

static struct loop *loop_of(const struct probe *probe)
{
    return probe->directory->worker_context->loop;
}

/* --- verdicts ---------------------------------------------------------------------------- */

static _Atomic uint32_t *vote_for(struct origin_entry *entry, enum origin_verdict verdict)
{
    return verdict == ORIGIN_VERDICT_UP ? &entry->probes_up : &entry->probes_down;
}

static void vote(struct probe *probe, enum origin_verdict verdict)
{
    struct origin_entry *entry = probe->origin->entry;
    enum origin_verdict before = probe->verdict;

    if (before == ORIGIN_VERDICT_DOWN && verdict == ORIGIN_VERDICT_UP) {
        atomic_store_explicit(&entry->returned_us, loop_now(loop_of(probe)), memory_order_relaxed);
    }
    if (verdict != ORIGIN_VERDICT_UNKNOWN) {
        atomic_fetch_add_explicit(vote_for(entry, verdict), 1, memory_order_relaxed);
    }
    if (before != ORIGIN_VERDICT_UNKNOWN) {
        atomic_fetch_sub_explicit(vote_for(entry, before), 1, memory_order_relaxed);
    }
    probe->verdict = verdict;
    origin_registry_changed(entry->common.registry);
}

static void report(const struct probe *probe, enum origin_verdict verdict, const char *why)
{
    if (verdict == ORIGIN_VERDICT_DOWN) {
        log_warning("origin %s: down, by the probe of service %s: %s", probe->origin->name,
                    probe->service, why);
    } else if (probe->verdict == ORIGIN_VERDICT_DOWN) {
        log_info("origin %s: up again, by the probe of service %s", probe->origin->name,
                 probe->service);
    }
}

static void take_result(struct probe *probe, bool good, const char *why)
{
    enum origin_verdict says = good ? ORIGIN_VERDICT_UP : ORIGIN_VERDICT_DOWN;
    uint32_t needed = good ? probe->settings.healthy : probe->settings.unhealthy;
    struct origin_entry *entry = probe->origin->entry;

    probe->in_row = good == probe->last_was_good ? probe->in_row + 1 : 1;
    probe->last_was_good = good;
    atomic_fetch_add_explicit(&entry->probes, 1, memory_order_relaxed);
    if (!good) {
        atomic_fetch_add_explicit(&entry->probes_failed, 1, memory_order_relaxed);
    }
    if (probe->verdict != says &&
        (probe->verdict == ORIGIN_VERDICT_UNKNOWN || probe->in_row >= needed)) {
        report(probe, says, why);
        vote(probe, says);
    }
}

/* --- one question ------------------------------------------------------------------------ */

static void on_time(void *owner);

static void wait_again(struct probe *probe)
{
    uint64_t interval = probe->settings.interval;
    uint64_t most = interval * probe->settings.jitter / WHOLE;
    struct random *random = &probe->directory->worker_context->random;

    probe->state = PROBE_WAITS;
    alarm_set(loop_of(probe), &probe->alarm,
              (uint32_t)(interval - most + random_below(random, 2 * most + 1)), on_time, probe);
}

static void let_go(struct probe *probe)
{
    alarm_clear(loop_of(probe), &probe->alarm);
    if (transport_is_open(&probe->transport)) {
        transport_close(&probe->transport);
    }
    free(probe->room);
    probe->room = NULL;
    grpc_check_free(&probe->check);
}

static void finish(struct probe *probe, bool good, const char *why)
{
    let_go(probe);
    take_result(probe, good, why);
    wait_again(probe);
}

static void fail_with(struct probe *probe, const char *doing, int error)
{
    char why[160];

    snprintf(why, sizeof(why), "%s: %s", doing, strerror(error));
    finish(probe, false, why);
}

/* The decoded body so far, as far as it matters; *whole when no more of it will come. */
static struct bytes body_so_far(const struct http_response *response, struct bytes raw,
                                char out[BODY_BYTES], bool *whole)
{
    struct h1_chunked chunked;
    struct h1_problem problem;
    struct bytes data;
    size_t length = 0;

    if (response->framing != HTTP_CHUNKED) {
        *whole = response->framing == HTTP_NO_BODY ||
                 (response->framing == HTTP_LENGTH_KNOWN && raw.length >= response->body_length);
        return raw;
    }
    h1_chunked_init(&chunked);
    for (;;) {
        enum h1_chunked_step step = h1_chunked_next(&chunked, &raw, &data, &problem);
        size_t count;

        if (step != H1_CHUNKED_DATA) {
            *whole = step != H1_CHUNKED_MORE;
            break;
        }
        count = data.length < BODY_BYTES - length ? data.length : BODY_BYTES - length;
        memcpy(out + length, data.at, count);
        length += count;
    }
    return (struct bytes){out, length};
}

static void judge_body(struct probe *probe, const struct http_response *response, struct bytes raw,
                       bool ended)
{
    char out[BODY_BYTES];
    bool whole = false;
    struct bytes body = body_so_far(response, raw, out, &whole);
    struct bytes needle = probe->settings.body;

    body = bytes_first(body, body.length < BODY_BYTES ? body.length : BODY_BYTES);
    if (body.length > 0 && memmem(body.at, body.length, needle.at, needle.length) != NULL) {
        finish(probe, true, NULL);
    } else if (whole || ended || body.length == BODY_BYTES || probe->used == ROOM_BYTES) {
        finish(probe, false, "its answer does not hold what it should");
    }
}

static void judge_answer(struct probe *probe, const struct http_response *response,
                         struct bytes rest, bool ended)
{
    char why[64];

    if (!status_set_has(&probe->settings.status, response->status)) {
        snprintf(why, sizeof(why), "it answered %u", response->status);
        finish(probe, false, why);
    } else if (probe->settings.body.length == 0) {
        finish(probe, true, NULL);
    } else {
        judge_body(probe, response, rest, ended);
    }
}

/* From the start each time: an answer is short. */
static void check_at_answer(struct probe *probe, bool ended)
{
    const struct h1_limits limits = {
        .head_bytes = HEAD_BYTES, .headers = HTTP_HEADERS_MAX, .lenient = probe->settings.lenient};
    struct http_response *response = &probe->directory->response;
    struct bytes rest = {probe->room, probe->used};
    struct h1_problem problem;
    size_t consumed = 0;
    enum h1_verdict verdict;
    char why[160];

    do {
        rest = bytes_skip(rest, consumed);
        consumed = 0;
        verdict = h1_parse_response(rest, &limits, HTTP_GET, response, &consumed, &problem);
    } while (verdict == H1_COMPLETE && response->status < 200);
    if (verdict == H1_COMPLETE) {
        judge_answer(probe, response, bytes_skip(rest, consumed), ended);
    } else if (verdict == H1_REJECTED) {
        snprintf(why, sizeof(why), "its answer is not well-formed HTTP: %s", problem.what);
        finish(probe, false, why);
    } else if (ended || probe->used == ROOM_BYTES) {
        finish(probe, false, "it closed the connection before it answered");
    }
}

static void read_answer(struct probe *probe)
{
    ssize_t count =
        transport_read(&probe->transport, probe->room + probe->used, ROOM_BYTES - probe->used);

    if (count > 0) {
        probe->used += (size_t)count;
        check_at_answer(probe, false);
    } else if (count == 0) {
        check_at_answer(probe, true);
    } else if (errno != EAGAIN) {
        fail_with(probe, "reading its answer", errno);
    }
}

static void write_request(struct probe *probe)
{
    const struct iovec rest = {probe->room + probe->sent, probe->used - probe->sent};
    ssize_t count = transport_write(&probe->transport, &rest, 1);

    if (count < 0 && errno != EAGAIN) {
        fail_with(probe, "asking it", errno);
        return;
    }
    probe->sent += count > 0 ? (size_t)count : 0;
    if (probe->sent == probe->used) {
        probe->state = PROBE_READS;
        probe->used = 0;
        transport_want(&probe->transport, WATCH_READABLE);
    } else {
        transport_want(&probe->transport, WATCH_WRITABLE); /* a handshake wanted to read last */
    }
}

/* Unix sockets have no name that would mean anything in a Host. Of a name, it is not asked for which
 * of its addresses it is. */
static struct bytes host_of(const struct probe *probe)
{
    if (probe->settings.host.length > 0) {
        return probe->settings.host;
    }
    return strncmp(probe->origin->name, "unix:", 5) == 0
               ? BYTES("localhost")
               : origin_label_name(bytes_of(probe->origin->name));
}

static void ask(struct probe *probe)
{
    struct text text;

    probe->room = malloc(ROOM_BYTES);
    if (probe->room == NULL) {
        let_go(probe); /* says nothing about the origin */
        wait_again(probe);
        return;
    }
    text = text_over(probe->room, ROOM_BYTES);
    h1_write_request_line(&text, BYTES("GET"), probe->settings.path);
    h1_write_field(&text, BYTES("Host"), host_of(probe));
    h1_write_field(&text, BYTES("User-Agent"), BYTES("turnpike-probe"));
    h1_write_field(&text, BYTES("Connection"), BYTES("close"));
    h1_write_end(&text);
    CHECK(!text.overflowed);
    probe->used = text_length(&text);
    probe->sent = 0;
    probe->state = PROBE_ASKS;
    write_request(probe);
}

/* --- one question by gRPC ---------------------------------------------------------------- */

/* false: it waits, or the probe is over. */
static bool write_some(struct probe *probe)
{
    struct bytes output = grpc_check_output(probe->check);
    const struct iovec piece = {(char *)output.at, output.length};
    ssize_t count;

    if (output.length == 0) {
        return false;
    }
    count = transport_write(&probe->transport, &piece, 1);
    if (count < 0 && errno != EAGAIN) {
        fail_with(probe, "asking it", errno);
        return false;
    }
    if (count > 0) {
        grpc_check_wrote(probe->check, (size_t)count);
    }
    return count > 0;
}

/* The same. */
#define TALK_MOST 65536u /* bytes of an origin's answers to one check; it needs some hundred */

static bool read_some(struct probe *probe)
{
    char room[2048];
    char why[GRPC_CHECK_WHY_MAX];
    ssize_t count = transport_read(&probe->transport, room, sizeof(room));

    if (count < 0 && errno != EAGAIN) {
        fail_with(probe, "reading its answer", errno);
    } else if (count == 0) {
        finish(probe, false, "it closed the connection before it answered");
    }
    if (count <= 0) {
        return false;
    }
    probe->talked += (size_t)count;
    if (probe->talked > TALK_MOST) {
        finish(probe, false, "it says more than a health check needs");
        return false;
    }
    switch (grpc_check_receive(probe->check, (struct bytes){room, (size_t)count}, why)) {
    case GRPC_CHECK_WAITS:
        return true;
    case GRPC_CHECK_GOOD:
        finish(probe, true, NULL);
        break;
    case GRPC_CHECK_BAD:
        finish(probe, false, why);
        break;
    }
    return false;
}

#define TALK_ROUNDS 8 /* in a turn of the loop */

static void talk(struct probe *probe)
{
    for (int i = 0;
         i < TALK_ROUNDS && (write_some(probe) || (probe->check != NULL && read_some(probe)));
         i++) {
    }
    if (probe->check != NULL) {
        transport_want(&probe->transport, grpc_check_output(probe->check).length > 0
                                              ? WATCH_READABLE | WATCH_WRITABLE
                                              : WATCH_READABLE);
    }
}

static void begin_talk(struct probe *probe)
{
    probe->check = grpc_check_new(host_of(probe), probe->settings.grpc_service,
                                  probe->origin->tls_name != NULL);
    if (probe->check == NULL) {
        let_go(probe); /* says nothing about the origin */
        wait_again(probe);
        return;
    }
    probe->state = PROBE_TALKS;
    probe->talked = 0;
    talk(probe);
}

static void go_on(struct probe *probe);

static void step_handshake(struct probe *probe)
{
    const char *problem;
    enum tls_cause cause;
    short wanted;

    switch (tls_step(&probe->transport, &wanted, &cause)) {
    case TLS_DONE:
        go_on(probe);
        break;
    case TLS_WAITS:
        transport_want(&probe->transport, wanted);
        break;
    case TLS_FAILED:
        problem = tls_certificate_problem(&probe->transport);
        finish(probe, false, problem != NULL ? problem : tls_cause_sentence(cause));
        break;
    }
}

static void begin_handshake(struct probe *probe)
{
    struct origin *origin = probe->origin;

    if (origin->dialer == NULL ||
        !tls_dial(&probe->transport, origin->dialer, origin->tls_name, &origin->resumable) ||
        (probe->settings.type == PROBE_HTTP && !tls_offer_http1(&probe->transport))) {
        let_go(probe); /* says nothing about the origin */
        wait_again(probe);
        return;
    }
    probe->state = PROBE_HANDSHAKES;
    step_handshake(probe);
}

static void on_connected(struct probe *probe)
{
    int error = dial_error(probe->transport.fd);

    if (error != 0) {
        fail_with(probe, "connecting to it", error);
    } else if (probe->origin->tls_name != NULL) {
        begin_handshake(probe);
    } else {
        go_on(probe);
    }
}

static void go_on(struct probe *probe)
{
    switch (probe->settings.type) {
    case PROBE_TCP:
        finish(probe, true, NULL);
        break;
    case PROBE_HTTP:
        ask(probe);
        break;
    case PROBE_GRPC:
        begin_talk(probe);
        break;
    }
}

static void on_ready(int fd, short what, void *owner)
{
    struct probe *probe = owner;

    (void)fd;
    (void)what;
    loop_read_clock(loop_of(probe));
    switch (probe->state) {
    case PROBE_CONNECTS:
        on_connected(probe);
        break;
    case PROBE_HANDSHAKES:
        step_handshake(probe);
        break;
    case PROBE_ASKS:
        write_request(probe);
        break;
    case PROBE_READS:
        read_answer(probe);
        break;
    case PROBE_TALKS:
        talk(probe);
        break;
    case PROBE_WAITS:
        break;
    }
}

static void on_timeout(void *owner)
{
    finish(owner, false, "it took too long");
}

static void connect_to(struct probe *probe)
{
    struct origin *origin = probe->origin;
    int fd = dial(&origin->address);

    if (fd < 0 || !transport_start_tcp(&probe->transport, loop_of(probe), fd, WATCH_WRITABLE,
                                       on_ready, probe)) {
        if (dial_lacks_resources(errno)) {
            wait_again(probe);
        } else {
            fail_with(probe, "connecting to it", errno);
        }
        return;
    }
    probe->state = PROBE_CONNECTS;
    alarm_set(loop_of(probe), &probe->alarm, probe->settings.timeout, on_timeout, probe);
}

static void on_time(void *owner)
{
    connect_to(owner);
}

/* --- life -------------------------------------------------------------------------------- */

static bool keep_text(struct bytes *text)
{
    char *copy = text->length > 0 ? malloc(text->length) : NULL;

    if (copy == NULL) {
        bool was_empty = text->length == 0;

        *text = (struct bytes){0};
        return was_empty;
    }
    memcpy(copy, text->at, text->length);
    text->at = copy;
    return true;
}

static void free_settings(struct probe_settings *settings)
{
    free((char *)settings->path.at);
    free((char *)settings->host.at);
    free((char *)settings->body.at);
    free((char *)settings->grpc_service.at);
}

bool probe_take_settings(struct probe *probe, const struct probe_settings *settings)
{
    struct probe_settings copy = *settings;
    bool all = keep_text(&copy.path);

    all = keep_text(&copy.host) && all;
    all = keep_text(&copy.body) && all;
    all = keep_text(&copy.grpc_service) && all;
    if (!all) {
        free_settings(&copy);
        return false;
    }
    free_settings(&probe->settings);
    probe->settings = copy;
    return true;
}

void probe_free(struct probe *probe)
{
    let_go(probe);
    if (probe->verdict != ORIGIN_VERDICT_UNKNOWN) {
        vote(probe, ORIGIN_VERDICT_UNKNOWN);
    }
    list_remove(&probe->link);
    list_remove(&probe->of_origin);
    origin_put(&probe->origin);
    free_settings(&probe->settings);
    free(probe->service);
    free(probe);
}

struct probe *probe_new(struct origin_directory *directory, const struct service_settings *service,
                        struct origin *origin)
{
    struct probe *probe = calloc(1, sizeof(*probe));

    if (probe == NULL) {
        origin_put(&origin);
        return NULL;
    }
    probe->directory = directory;
    probe->origin = origin;
    probe->transport.fd = -1;
    list_init(&probe->link);
    list_add_last(&origin->probes, &probe->of_origin);
    probe->service = strdup(service->name);
    if (probe->service == NULL || !probe_take_settings(probe, &service->health.probe)) {
        probe_free(probe);
        return NULL;
    }
    return probe;
}

/* Not all of them at once. */
void probe_begin(struct probe *probe)
{
    uint32_t within =
        probe->settings.interval < FIRST_WITHIN_MS ? probe->settings.interval : FIRST_WITHIN_MS;
    struct random *random = &probe->directory->worker_context->random;

    alarm_set(loop_of(probe), &probe->alarm, (uint32_t)random_below(random, within), on_time,
              probe);
}
