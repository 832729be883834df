/* SPDX-License-Identifier: BSD-2-Clause */
/* The two messages are so small that they are written and read by hand:
 *   HealthCheckRequest  { string service = 1; }
 *   HealthCheckResponse { enum ServingStatus { UNKNOWN, SERVING, NOT_SERVING, SERVICE_UNKNOWN }
 *                         status = 1; }
 * each behind five bytes: not compressed, and its length ("gRPC over HTTP2"). */
#include "origin/health/grpc_check.h"

#include "base/page.h"
#include "http/grpc.h"
#include "http/h2/h2_session.h"

#include <stdio.h>
#include <stdlib.h>

#define PREFIX_BYTES 5
#define ANSWER_BYTES 256 /* of a message that has two */
#define HEAD_LIST_BYTES 16384
#define WINDOW_BYTES 65535
#define SERVICE_BYTES_MAX 512 /* as the schema has it */
#define TAG_SERVICE 0x0A      /* field 1, a length and so many bytes */
#define SERVING 1

struct grpc_check {
    struct h2_session *session;
    struct page out;
    size_t written; /* of out */
    char *authority;
    bool secure;
    bool asked;
    char message[PREFIX_BYTES + 3 + SERVICE_BYTES_MAX]; /* the request's */
    size_t length;
    size_t sent;
    unsigned status; /* of the answer; 0: no head yet */
    bool has_grpc_status;
    enum grpc_status grpc_status;
    char answer[ANSWER_BYTES];
    size_t answered;
    bool ended;
    bool reset;
};

/* --- messages ---------------------------------------------------------------------------- */

static void write_message(struct grpc_check *check, struct bytes service)
{
    struct text text = text_over(check->message, sizeof(check->message));
    size_t length = 0;

    if (service.length > 0) {
        length = 2 + (service.length > 127) + service.length;
    }
    text_add_char(&text, 0);
    for (int shift = 24; shift >= 0; shift -= 8) {
        text_add_char(&text, (char)(length >> shift & 0xFF));
    }
    if (service.length > 0) {
        text_add_char(&text, TAG_SERVICE);
        if (service.length > 127) {
            text_add_char(&text, (char)(0x80 | (service.length & 0x7F)));
        }
        text_add_char(&text, (char)(service.length > 127 ? service.length >> 7 : service.length));
        text_add_bytes(&text, service);
    }
    check->length = text_length(&text);
}

/* false: there is no whole one. */
static bool read_varint(struct bytes *bytes, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; bytes->length > 0 && shift < 64; shift += 7) {
        unsigned char byte = (unsigned char)bytes->at[0];

        *bytes = bytes_skip(*bytes, 1);
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            return true;
        }
    }
    return false;
}

/* What a field's value takes, by its wire type. */
static bool skip_value(struct bytes *bytes, unsigned type)
{
    uint64_t length = 0;

    switch (type) {
    case 0:
        return read_varint(bytes, &length);
    case 1:
        length = 8;
        break;
    case 2:
        if (!read_varint(bytes, &length)) {
            return false;
        }
        break;
    case 5:
        length = 4;
        break;
    default:
        return false;
    }
    if (length > bytes->length) {
        return false;
    }
    *bytes = bytes_skip(*bytes, (size_t)length);
    return true;
}

/* A field that is not there has its default, which is 0. */
static bool read_serving(struct bytes bytes, uint64_t *serving)
{
    uint64_t tag;

    *serving = 0;
    while (bytes.length > 0) {
        if (!read_varint(&bytes, &tag)) {
            return false;
        }
        if (tag == 1 << 3 ? !read_varint(&bytes, serving) : !skip_value(&bytes, tag & 7)) {
            return false;
        }
    }
    return true;
}

static bool read_answer(const struct grpc_check *check, uint64_t *serving)
{
    const unsigned char *prefix = (const unsigned char *)check->answer;
    size_t length;

    if (check->answered < PREFIX_BYTES || prefix[0] != 0) {
        return false;
    }
    length = (size_t)prefix[1] << 24 | (size_t)prefix[2] << 16 | (size_t)prefix[3] << 8 | prefix[4];
    return length == check->answered - PREFIX_BYTES &&
           read_serving((struct bytes){check->answer + PREFIX_BYTES, length}, serving);
}

/* --- events of the session --------------------------------------------------------------- */

static bool on_frame(void *owner, const struct h2_frame *frame)
{
    (void)owner, (void)frame;
    return true;
}

static void on_ready(void *owner)
{
    struct grpc_check *check = owner;
    const struct http_field fields[] = {
        {BYTES(":method"), BYTES("POST")},
        {BYTES(":scheme"), check->secure ? BYTES("https") : BYTES("http")},
        {BYTES(":path"), BYTES("/grpc.health.v1.Health/Check")},
        {BYTES(":authority"), bytes_of(check->authority)},
        {BYTES("te"), BYTES("trailers")},
        {BYTES("content-type"), BYTES("application/grpc")},
        {BYTES("user-agent"), BYTES("turnpike-probe")},
    };

    check->asked = h2_session_request(check->session, fields, sizeof(fields) / sizeof(fields[0]),
                                      true, check) != 0;
}

static bool on_section(void *owner, int32_t id, void *stream, bool is_request)
{
    (void)owner, (void)id, (void)stream, (void)is_request;
    return true;
}

static bool on_field(void *owner, struct bytes name, struct bytes value)
{
    struct grpc_check *check = owner;
    uint32_t number;

    if (bytes_equal(name, BYTES(":status")) && bytes_read_decimal(value, 3, &number)) {
        check->status = number;
    } else if (bytes_equal(name, BYTES("grpc-status"))) {
        check->has_grpc_status = true;
        check->grpc_status = grpc_status_read(value);
    }
    return true;
}

static void on_section_ended(void *owner, int32_t id, void *stream, bool is_request, bool ends)
{
    struct grpc_check *check = owner;

    (void)id, (void)stream, (void)is_request;
    check->ended = check->ended || ends;
}

/* More than there is room for is no answer to this question: it is cut, and then not understood. */
static void on_data(void *owner, int32_t id, void *stream, struct bytes bytes)
{
    struct grpc_check *check = owner;
    size_t room = sizeof(check->answer) - check->answered;
    size_t taken = bytes.length < room ? bytes.length : room;

    (void)id, (void)stream;
    memcpy(check->answer + check->answered, bytes.at, taken);
    check->answered += taken;
}

static void on_ended(void *owner, int32_t id, void *stream)
{
    on_section_ended(owner, id, stream, false, true);
}

static void on_closed(void *owner, int32_t id, void *stream, uint32_t code)
{
    struct grpc_check *check = owner;

    (void)id, (void)stream, (void)code;
    check->reset = !check->ended;
}

static void on_begins(void *owner, void *stream)
{
    (void)owner, (void)stream;
}

static void on_nothing(void *owner)
{
    (void)owner;
}

static bool on_write(void *owner, struct bytes frame)
{
    struct grpc_check *check = owner;

    page_add(&check->out, frame);
    return !check->out.failed;
}

static enum h2_pull on_pull(void *owner, void *stream, size_t most, size_t *length)
{
    const struct grpc_check *check = owner;
    size_t left = check->length - check->sent;

    (void)stream;
    *length = left < most ? left : most;
    return *length < left ? H2_PULL_SOME : H2_PULL_LAST;
}

static bool on_write_data(void *owner, void *stream, struct bytes head, size_t length)
{
    struct grpc_check *check = owner;

    (void)stream;
    page_add(&check->out, head);
    page_add(&check->out, (struct bytes){check->message + check->sent, length});
    check->sent += length;
    return !check->out.failed;
}

static const struct h2_session_events events = {
    .to_origin = true,
    .frame = on_frame,
    .ready = on_ready,
    .section = on_section,
    .field = on_field,
    .section_ended = on_section_ended,
    .data = on_data,
    .ended = on_ended,
    .closed = on_closed,
    .leaves = on_nothing,
    .pong = on_nothing,
    .opened = on_nothing,
    .write = on_write,
    .begins = on_begins,
    .pull = on_pull,
    .write_data = on_write_data,
};

/* --- the check --------------------------------------------------------------------------- */

struct grpc_check *grpc_check_new(struct bytes authority, struct bytes service, bool secure)
{
    static const struct h2_session_limits limits = {.header_list_bytes = HEAD_LIST_BYTES,
                                                    .stream_window = WINDOW_BYTES,
                                                    .connection_window = WINDOW_BYTES};
    struct grpc_check *check = calloc(1, sizeof(*check));

    if (check == NULL) {
        return NULL;
    }
    check->secure = secure;
    check->authority = strndup(authority.at, authority.length);
    write_message(check,
                  bytes_first(service, service.length < SERVICE_BYTES_MAX ? service.length
                                                                          : SERVICE_BYTES_MAX));
    check->session = h2_session_new_to_origin(&events, check, &limits);
    if (check->authority == NULL || check->session == NULL || !h2_session_pump(check->session)) {
        grpc_check_free(&check);
    }
    return check;
}

void grpc_check_free(struct grpc_check **check)
{
    if (*check == NULL) {
        return;
    }
    if ((*check)->session != NULL) {
        h2_session_free(&(*check)->session);
    }
    page_release(&(*check)->out);
    free((*check)->authority);
    free(*check);
    *check = NULL;
}

struct bytes grpc_check_output(const struct grpc_check *check)
{
    return bytes_skip(page_bytes(&check->out), check->written);
}

void grpc_check_wrote(struct grpc_check *check, size_t bytes)
{
    check->written += bytes;
}

static enum grpc_check_result judge(const struct grpc_check *check,
                                    char why[static GRPC_CHECK_WHY_MAX])
{
    static const char *const words[] = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};
    uint64_t serving;

    if (check->status != 200) {
        snprintf(why, GRPC_CHECK_WHY_MAX, "it answered %u", check->status);
    } else if (!check->has_grpc_status) {
        snprintf(why, GRPC_CHECK_WHY_MAX, "its answer has no grpc-status");
    } else if (check->grpc_status != GRPC_OK) {
        snprintf(why, GRPC_CHECK_WHY_MAX, "it answered grpc-status %u (%s)", check->grpc_status,
                 grpc_status_name(check->grpc_status));
    } else if (!read_answer(check, &serving)) {
        snprintf(why, GRPC_CHECK_WHY_MAX, "its answer is no HealthCheckResponse");
    } else if (serving != SERVING) {
        snprintf(why, GRPC_CHECK_WHY_MAX, "it says that it is %s",
                 serving < sizeof(words) / sizeof(words[0]) ? words[serving] : "in another state");
    } else {
        return GRPC_CHECK_GOOD;
    }
    return GRPC_CHECK_BAD;
}

enum grpc_check_result grpc_check_receive(struct grpc_check *check, struct bytes bytes,
                                          char why[static GRPC_CHECK_WHY_MAX])
{
    bool goes_on = h2_session_receive(check->session, bytes) && h2_session_pump(check->session);

    if (check->ended) {
        return judge(check, why);
    }
    if (check->reset) {
        snprintf(why, GRPC_CHECK_WHY_MAX, "it reset the question");
        return GRPC_CHECK_BAD;
    }
    if (!goes_on || h2_session_is_over(check->session)) {
        snprintf(why, GRPC_CHECK_WHY_MAX, "it does not speak HTTP/2");
        return GRPC_CHECK_BAD;
    }
    return GRPC_CHECK_WAITS;
}
