/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of the form "client 7,8,9 127.0.0.1:8080". The address comes last, for it may have any
 * byte in it but a line's end. */
#include "process/upgrade/handover.h"

#include "base/log/log.h"
#include "net/listener.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* In place of an address. */
static const char *const words[] = {[HANDOVER_MEMORY] = "memory", [HANDOVER_PIPE] = "pipe"};

struct handover {
    char *room;         /* the variable's value; taken lines are blanked */
    struct bytes lines; /* inside */
};

/* --- to hand over ------------------------------------------------------------------------ */

void handover_add(struct page *lines, const char *kind, const struct address *address,
                  const int *fds, uint32_t count)
{
    char text[ADDRESS_TEXT_MAX];
    size_t length = address_format(address, text);

    if (count == 0 || memchr(text, '\n', length) != NULL) {
        return;
    }
    page_add_text(lines, kind);
    for (uint32_t i = 0; i < count; i++) {
        page_add_char(lines, i == 0 ? ' ' : ',');
        page_add_number(lines, (uint64_t)fds[i]);
    }
    page_add_char(lines, ' ');
    page_add(lines, (struct bytes){text, length});
    page_add_char(lines, '\n');
}

void handover_add_one(struct page *lines, const char *kind, enum handover_what what, int fd)
{
    page_format(lines, "%s %d %s\n", kind, fd, words[what]);
}

/* --- reading lines ----------------------------------------------------------------------- */

struct line {
    struct bytes kind;
    struct bytes fds;
    struct bytes address;
};

static bool next_line(struct bytes *rest, struct line *line)
{
    struct bytes whole;

    if (rest->length == 0) {
        return false;
    }
    whole = bytes_take_until(rest, '\n');
    line->kind = bytes_take_until(&whole, ' ');
    line->fds = bytes_take_until(&whole, ' ');
    line->address = whole;
    return true;
}

static bool next_fd(struct bytes *fds, int *fd)
{
    uint32_t number;

    if (fds->length == 0) {
        return false;
    }
    *fd = bytes_read_decimal(bytes_take_until(fds, ','), 9, &number) ? (int)number : -1;
    return true;
}

void handover_each(struct bytes lines, void (*each)(void *owner, int fd), void *owner)
{
    struct line line;
    int fd;

    while (next_line(&lines, &line)) {
        while (next_fd(&line.fds, &fd)) {
            each(owner, fd);
        }
    }
}

/* --- to take over ------------------------------------------------------------------------ */

struct handover *handover_read(void)
{
    const char *value = getenv(HANDOVER_SOCKETS);
    struct handover *handover = value != NULL ? calloc(1, sizeof(*handover)) : NULL;

    if (handover != NULL) {
        handover->room = strdup(value);
        handover->lines = bytes_of(handover->room);
    }
    unsetenv(HANDOVER_SOCKETS);
    return handover;
}

static uint32_t take_line(struct line *line, int *fds, uint32_t most)
{
    uint32_t count = 0;
    int fd;

    while (next_fd(&line->fds, &fd)) {
        if (!listener_is_one(fd)) {
            log_warning("descriptor %d should have been a listening socket", fd);
        } else if (count < most) {
            fds[count++] = fd;
        } else {
            close(fd);
        }
    }
    return count;
}

/* The first such line that was not taken yet; it is now. */
static bool find_line(struct handover *handover, const char *kind, struct bytes address,
                      struct line *line)
{
    struct bytes rest = handover != NULL ? handover->lines : (struct bytes){0};

    while (next_line(&rest, line)) {
        if (bytes_equal(line->kind, bytes_of(kind)) && bytes_equal(line->address, address)) {
            ((char *)line->kind.at)[0] = '-'; /* inside handover->room */
            return true;
        }
    }
    return false;
}

uint32_t handover_take(struct handover *handover, const char *kind, const struct address *address,
                       int *fds, uint32_t most)
{
    char text[ADDRESS_TEXT_MAX];
    size_t length = address_format(address, text);
    struct line line;

    return find_line(handover, kind, (struct bytes){text, length}, &line)
               ? take_line(&line, fds, most)
               : 0;
}

static bool is_memory(int fd)
{
    struct stat facts;

    return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_GET_SEALS) >= 0 &&
           fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode);
}

static bool is_pipe(int fd)
{
    struct stat facts;

    return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0 &&
           fstat(fd, &facts) == 0 && S_ISFIFO(facts.st_mode);
}

int handover_take_one(struct handover *handover, const char *kind, enum handover_what what)
{
    struct line line;
    int fd;

    return find_line(handover, kind, bytes_of(words[what]), &line) && next_fd(&line.fds, &fd) &&
                   (what == HANDOVER_MEMORY ? is_memory(fd) : is_pipe(fd))
               ? fd
               : -1;
}

void handover_free(struct handover **handover)
{
    struct line line;
    int fd;

    if (*handover == NULL) {
        return;
    }
    while (next_line(&(*handover)->lines, &line)) {
        while (line.kind.at[0] != '-' && next_fd(&line.fds, &fd)) {
            /* Other text there is not ours. */
            if (listener_is_one(fd) || is_memory(fd) || is_pipe(fd)) {
                close(fd);
            }
        }
    }
    free((*handover)->room);
    free(*handover);
    *handover = NULL;
}

void handover_report_ready(void)
{
    const char *value = getenv(HANDOVER_READY);
    struct bytes digits = bytes_of(value);
    int fd;

    if (value == NULL) {
        return;
    }
    if (next_fd(&digits, &fd)) {
        if (write(fd, "1", 1) != 1) {
            log_warning("cannot report readiness to the parent");
        }
        close(fd);
    }
    unsetenv(HANDOVER_READY);
}
