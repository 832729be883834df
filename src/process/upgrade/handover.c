/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of the form "client 7,8,9 127.0.0.1:8080". The address comes last, for it may have any
 * byte in it but a line's end. */
#include "process/upgrade/handover.h"

#include "base/log/log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMORY "memory" /* in place of an address */
#define PIPE "pipe"     /* the same */

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

void handover_add_memory(struct page *lines, const char *kind, int fd)
{
    page_format(lines, "%s %d " MEMORY "\n", kind, fd);
}

void handover_add_pipe(struct page *lines, const char *kind, int fd)
{
    page_format(lines, "%s %d " PIPE "\n", kind, fd);
}

/* --- reading lines ----------------------------------------------------------------------- */

struct line {
    struct bytes kind;
    struct bytes fds;
    struct bytes address;
};

static struct bytes up_to(struct bytes *rest, char end)
{
    const char *at = memchr(rest->at, end, rest->length);
    struct bytes part = bytes_first(*rest, at != NULL ? (size_t)(at - rest->at) : rest->length);

    *rest = bytes_skip(*rest, part.length + (at != NULL));
    return part;
}

static bool next_line(struct bytes *rest, struct line *line)
{
    struct bytes whole;

    if (rest->length == 0) {
        return false;
    }
    whole = up_to(rest, '\n');
    line->kind = up_to(&whole, ' ');
    line->fds = up_to(&whole, ' ');
    line->address = whole;
    return true;
}

static bool next_fd(struct bytes *fds, int *fd)
{
    struct bytes digits;

    if (fds->length == 0) {
        return false;
    }
    digits = up_to(fds, ',');
    *fd = 0;
    for (size_t i = 0; i < digits.length && *fd < 100000000; i++) {
        *fd = *fd * 10 + (digits.at[i] - '0');
    }
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

/* Also keeps it from children that this process may start one day. */
static bool is_listening(int fd)
{
    int listens = 0;
    socklen_t size = sizeof(listens);

    return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0 &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens != 0;
}

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
        if (!is_listening(fd)) {
            log_warning("descriptor %d should have been a listening socket", fd);
        } else if (count < most) {
            fds[count++] = fd;
        } else {
            close(fd);
        }
    }
    return count;
}

uint32_t handover_take(struct handover *handover, const char *kind, const struct address *address,
                       int *fds, uint32_t most)
{
    struct bytes rest = handover != NULL ? handover->lines : (struct bytes){0};
    char text[ADDRESS_TEXT_MAX];
    size_t length = address_format(address, text);
    struct line line;

    while (next_line(&rest, &line)) {
        if (bytes_equal(line.kind, bytes_of(kind)) &&
            bytes_equal(line.address, (struct bytes){text, length})) {
            ((char *)line.kind.at)[0] = '-'; /* inside handover->room */
            return take_line(&line, fds, most);
        }
    }
    return 0;
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

/* `as` stands in place of an address. */
static int take_one(struct handover *handover, const char *kind, struct bytes as,
                    bool (*is_right)(int fd))
{
    struct bytes rest = handover != NULL ? handover->lines : (struct bytes){0};
    struct line line;
    int fd;

    while (next_line(&rest, &line)) {
        if (bytes_equal(line.kind, bytes_of(kind)) && bytes_equal(line.address, as)) {
            ((char *)line.kind.at)[0] = '-'; /* inside handover->room */
            return next_fd(&line.fds, &fd) && is_right(fd) ? fd : -1;
        }
    }
    return -1;
}

int handover_take_memory(struct handover *handover, const char *kind)
{
    return take_one(handover, kind, BYTES(MEMORY), is_memory);
}

int handover_take_pipe(struct handover *handover, const char *kind)
{
    return take_one(handover, kind, BYTES(PIPE), is_pipe);
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
            if (is_listening(fd) || is_memory(fd) || is_pipe(fd)) {
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
