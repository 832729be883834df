/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP/1.1 over a Unix socket: one request, one answer with a length, then the end. */
#include "remote/remote_ask.h"

#include "base/address.h"
#include "base/system/descriptor.h"
#include "http/characters.h"
#include "http/h1/h1_parser.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define READ_BYTES 65536
#define SILENCE_MS 120000 /* a reload of a large file may take its time */
#define HEAD_BYTES 32768

void remote_escape(struct page *target, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;

        if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
            (byte >= '0' && byte <= '9') || strchr("-._~", byte) != NULL) {
            page_add_char(target, *text);
        } else {
            page_format(target, "%%%02X", byte);
        }
    }
}

static int connect_to(const char *path, struct page *why)
{
    struct address address;
    int fd;

    if (!address_parse(bytes_of(path), &address) || address.any.sa_family != AF_UNIX) {
        page_format(why, "%s is no path of a Unix socket", path);
        return -1;
    }
    fd = descriptor_blocking_socket(AF_UNIX, SOCK_STREAM);
    if (fd >= 0 && connect(fd, &address.any, address.length) == 0) {
        return fd;
    }
    page_format(why, "cannot reach a gateway at %s: %s", path, strerror(errno));
    if (errno == ENOENT || errno == ECONNREFUSED) {
        page_add_text(why, " (does it run, and is admin.socket this path?)");
    } else if (errno == EACCES) {
        page_add_text(why, " (the socket belongs to another user)");
    }
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

static bool write_all(int fd, struct bytes bytes)
{
    while (bytes.length > 0) {
        ssize_t count = send(fd, bytes.at, bytes.length, MSG_NOSIGNAL);

        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return false;
        }
        bytes = bytes_skip(bytes, (size_t)count);
    }
    return true;
}

static bool send_question(int fd, const struct remote_question *question)
{
    struct page head = {0};
    bool sent;

    page_format(&head,
                "%s %s HTTP/1.1\r\nHost: turnpike\r\nConnection: close\r\n"
                "Content-Length: %zu\r\n\r\n",
                question->method, question->target, question->body.length);
    sent = !head.failed && write_all(fd, page_bytes(&head));
    page_release(&head);
    /* It may have answered early, and that answer says why it takes no more. */
    return sent && (write_all(fd, question->body) || errno == EPIPE);
}

/* Everything up to the end of the stream. */
static bool receive(int fd, struct page *input)
{
    char room[READ_BYTES];

    for (;;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        ssize_t count;

        if (poll(&ready, 1, SILENCE_MS) == 0) {
            errno = ETIMEDOUT;
            return false;
        }
        count = read(fd, room, sizeof(room));
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return count == 0 || (errno == ECONNRESET && input->length > 0);
        }
        page_add(input, (struct bytes){room, (size_t)count});
    }
}

static bool take_apart(const struct page *input, struct remote_answer *answer)
{
    const struct h1_limits limits = {HEAD_BYTES, HEAD_BYTES, HTTP_HEADERS_MAX, 0};
    struct http_header rows[HTTP_HEADERS_MAX];
    struct http_response response = {.headers.rows = rows};
    struct h1_problem problem;
    size_t consumed = 0;
    struct bytes rest = page_bytes(input);

    do {
        rest = bytes_skip(rest, consumed);
        if (h1_parse_response(rest, &limits, HTTP_GET, &response, &consumed, &problem) !=
            H1_COMPLETE) {
            return false;
        }
    } while (response.status < 200);
    rest = bytes_skip(rest, consumed);
    if (response.framing == HTTP_LENGTH_KNOWN && rest.length != response.body_length) {
        return false;
    }
    answer->status = response.status;
    page_add(&answer->body, rest);
    return !answer->body.failed;
}

bool remote_ask(const struct remote_question *question, struct remote_answer *answer,
                struct page *why)
{
    struct page input = {0};
    int fd = connect_to(question->socket, why);
    bool whole;

    *answer = (struct remote_answer){0};
    if (fd < 0) {
        return false;
    }
    if (!send_question(fd, question) || !receive(fd, &input)) {
        page_format(why, "the gateway at %s does not answer: %s", question->socket,
                    strerror(errno));
        close(fd);
        page_release(&input);
        return false;
    }
    close(fd);
    whole = take_apart(&input, answer);
    if (!whole) {
        page_format(why, "the gateway at %s broke off its answer", question->socket);
    }
    page_release(&input);
    return whole;
}
