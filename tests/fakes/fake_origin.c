/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds the ends of request heads, nothing else: bodies are the test's affair. */
#include "fake_origin.h"

#include "base/check.h"

static void on_heard(struct far_end *end)
{
    struct fake_origin *origin = end->owner;
    size_t *checked_at = &origin->checked_at[end - origin->ends];
    const char *head_end;

    while ((head_end = strstr(end->in + *checked_at, "\r\n\r\n")) != NULL) {
        *checked_at = (size_t)(head_end + 4 - end->in);
        origin->requests++;
        if (origin->answer != NULL) {
            far_end_say(end, origin->answer);
        }
        if (origin->answer != NULL && origin->closes) {
            far_end_close(end);
            return;
        }
    }
}

static void on_accepted(void *owner, int fd, const struct address *from)
{
    struct fake_origin *origin = owner;
    struct far_end *end = &origin->ends[origin->count];

    (void)from;
    CHECK(origin->count < FAKE_ORIGIN_ENDS);
    far_end_init(end, origin->stage, fd);
    end->heard = on_heard;
    end->owner = origin;
    origin->count++;
}

void fake_origin_start(struct fake_origin *origin, struct stage *stage)
{
    int fd;

    memset(origin, 0, sizeof(*origin));
    origin->stage = stage;
    origin->answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    CHECK(address_parse(BYTES("127.0.0.1:0"), &origin->address));
    fd = listener_open(&origin->address, 0);
    CHECK(fd >= 0 && listener_bound_address(fd, &origin->address));
    origin->name[address_format(&origin->address, origin->name)] = '\0';
    origin->listener = listener_new(stage->worker_context.loop, fd, on_accepted, origin);
    CHECK(origin->listener != NULL);
}

void fake_origin_stop(struct fake_origin *origin)
{
    listener_free(&origin->listener);
    for (unsigned i = 0; i < origin->count; i++) {
        far_end_release(&origin->ends[i]);
    }
}

static bool has_requests(void *owner)
{
    struct fake_origin *origin = owner;

    return origin->requests >= origin->wanted;
}

void fake_origin_await(struct fake_origin *origin, unsigned requests)
{
    origin->wanted = requests;
    stage_run_until(origin->stage, has_requests, origin);
}

unsigned fake_origin_open(const struct fake_origin *origin)
{
    unsigned count = 0;

    for (unsigned i = 0; i < origin->count; i++) {
        count += !origin->ends[i].ended && transport_is_open(&origin->ends[i].transport);
    }
    return count;
}
