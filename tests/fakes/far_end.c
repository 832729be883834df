/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads whatever comes; never waits. */
#include "far_end.h"

#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

static void on_ready(int fd, short what, void *owner)
{
    struct far_end *end = owner;
    ssize_t count;

    (void)fd;
    (void)what;
    CHECK(end->length < FAR_END_BYTES);
    count = transport_read(&end->transport, end->in + end->length, FAR_END_BYTES - end->length);
    if (count > 0) {
        end->length += (size_t)count;
        end->reads++;
        end->in[end->length] = '\0';
    } else if (count == 0 || errno != EAGAIN) {
        end->reset = count < 0;
        end->ended = true;
        transport_want(&end->transport, 0);
    }
    if (end->heard != NULL) {
        end->heard(end);
    }
}

void far_end_init(struct far_end *end, struct stage *stage, int fd)
{
    memset(end, 0, sizeof(*end));
    end->stage = stage;
    end->in = calloc(1, FAR_END_BYTES + 1);
    CHECK(end->in != NULL && fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    CHECK(transport_start_tcp(&end->transport, stage->worker_context.loop, fd, WATCH_READABLE,
                              on_ready, end));
}

void far_end_close(struct far_end *end)
{
    transport_close(&end->transport);
}

void far_end_release(struct far_end *end)
{
    if (end->in != NULL) {
        far_end_close(end);
        free(end->in);
        end->in = NULL;
    }
}

void far_end_say(struct far_end *end, const char *text)
{
    const struct iovec piece = {(void *)text, strlen(text)};

    CHECK(transport_write(&end->transport, &piece, 1) == (ssize_t)piece.iov_len);
}

static bool has_awaited(void *owner)
{
    struct far_end *end = owner;
    bool there = strstr(end->in, end->awaited) != NULL;

    if (!there && end->ended) {
        fprintf(stderr, "ended before \"%s\" came, after:\n%s\n", end->awaited, end->in);
        CHECK(!end->ended);
    }
    return there;
}

void far_end_await(struct far_end *end, const char *text)
{
    end->awaited = text;
    stage_run_until(end->stage, has_awaited, end);
}

static bool has_ended(void *owner)
{
    return ((struct far_end *)owner)->ended;
}

void far_end_await_end(struct far_end *end)
{
    stage_run_until(end->stage, has_ended, end);
}

void far_end_forget(struct far_end *end)
{
    end->length = 0;
    end->in[0] = '\0';
}

unsigned far_end_count(const struct far_end *end, const char *text)
{
    unsigned count = 0;

    for (const char *at = strstr(end->in, text); at != NULL; at = strstr(at + 1, text)) {
        count++;
    }
    return count;
}
