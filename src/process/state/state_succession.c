/* SPDX-License-Identifier: BSD-2-Clause */
/* Ramps from one process to the next. While an upgrade is under way both processes have them: the former
 * one moves them until the new one is ready, and then tells it where they are, by a pipe. Until that has
 * come the new one moves none. */
#include "process/state/state_store_private.h"

#include "base/log/log.h"
#include "base/system/descriptor.h"
#include "split/ramp.h"

#include <errno.h>
#include <unistd.h>

#define RAMPS_KIND "ramps" /* among the handover */

void state_successor_forget(struct state_store *state_store)
{
    for (int i = 0; i < 2; i++) {
        if (state_store->successor[i] >= 0) {
            close(state_store->successor[i]);
        }
        state_store->successor[i] = -1;
    }
}

/* More than a pipe holds is many hundred ramps: the successor goes by what it has read then. */
void state_successor_inform(struct state_store *state_store)
{
    struct page text = {0};

    split_registry_save_ramps(state_store->parts.splits, &text);
    if (text.failed ||
        write(state_store->successor[1], text.at, text.length) != (ssize_t)text.length) {
        log_warning(
            "upgrade: the new process was not told all of what ramps did meanwhile (%s); compare "
            "turnpikectl ramp with the file",
            text.failed ? "no memory was left" : strerror(errno));
    }
    page_release(&text);
}

void state_former_forget(struct state_store *state_store)
{
    watch_stop(&state_store->watch);
    close(state_store->former);
    state_store->former = -1;
    page_release(&state_store->word);
}

static void follow_former(struct state_store *state_store)
{
    page_add_char(&state_store->word, '\0');
    if (!state_store->word.failed) {
        split_registry_follow_ramps(state_store->parts.splits, state_store->word.at);
    }
    state_former_forget(state_store);
}

static void on_word(int fd, short what, void *owner)
{
    struct state_store *state_store = owner;
    char bytes[4096];
    ssize_t count;

    (void)what;
    while ((count = read(fd, bytes, sizeof(bytes))) > 0) {
        page_add(&state_store->word, (struct bytes){bytes, (size_t)count});
    }
    if (count == 0) {
        follow_former(state_store);
    }
}

void state_former_follow(struct state_store *state_store, struct handover *handover)
{
    state_store->former = handover_take_one(handover, RAMPS_KIND, HANDOVER_PIPE);
    if (state_store->former >= 0 &&
        !loop_watch(state_store->parts.loop, &state_store->watch, state_store->former,
                    WATCH_READABLE, on_word, state_store)) {
        state_former_forget(state_store);
    }
}

void state_successor_expect(struct state_store *state_store, struct page *lines)
{
    if (descriptor_pipe(state_store->successor)) {
        handover_add_one(lines, RAMPS_KIND, HANDOVER_PIPE, state_store->successor[0]);
    } else {
        log_warning("upgrade: the new process will not be told what ramps do meanwhile: %s; raise "
                    "the limit of file descriptors (LimitNOFILE=) before the next upgrade",
                    strerror(errno));
        state_store->successor[0] = state_store->successor[1] = -1;
    }
}
