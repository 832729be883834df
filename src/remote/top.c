/* SPDX-License-Identifier: BSD-2-Clause */
/* Asks once a second, draws, and reads keys in between. The terminal is given back as it was,
 * however this ends but by SIGKILL. */
#include "remote/top.h"

#include "base/system/clock.h"
#include "remote/remote_ask.h"
#include "remote/top_frame.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define PERIOD_MS 1000
#define ESCAPE 27
#define DELETE 127
#define BACKSPACE 8
#define ESCAPE_WAIT_MS 50
#define KEYS "q quit  r s o p c view  < > sort  i turn  / filter  space pause  j k scroll"

const char top_help[] = "keys: " KEYS "\n"
                        "Rates and percentiles are of about the last eight seconds; a failed\n"
                        "request was answered 5xx or broke off half way.\n";

static struct termios before;
static volatile sig_atomic_t ended;

/* --- the terminal ------------------------------------------------------------------------ */

static void on_signal(int number)
{
    (void)number;
    ended = 1;
}

static void write_all(const char *at, size_t length)
{
    while (length > 0) {
        ssize_t count = write(STDOUT_FILENO, at, length);

        if (count <= 0) {
            return;
        }
        at += count;
        length -= (size_t)count;
    }
}

static void say(const char *text)
{
    write_all(text, strlen(text));
}

static bool take_terminal(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct termios raw;

    if (tcgetattr(STDIN_FILENO, &before) < 0) {
        return false;
    }
    raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    say("\033[?1049h\033[?25l"); /* the other screen, no cursor */
    return true;
}

static void give_terminal_back(void)
{
    say("\033[?25h\033[?1049l");
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

static struct top_size size_now(void)
{
    struct top_size size = {.rows = 24, .columns = 80};
    struct winsize window;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 && window.ws_row > 0) {
        size = (struct top_size){.rows = window.ws_row, .columns = window.ws_col};
    }
    size.colour = getenv("NO_COLOR") == NULL;
    return size;
}

/* Over what stood there: no line is cleared before its new text comes, so nothing flickers. */
static void draw(const struct page *frame, const char *last)
{
    struct page screen = {0};

    page_add_text(&screen, "\033[H");
    for (size_t i = 0; i < frame->length; i++) {
        if (frame->at[i] == '\n') {
            page_add_text(&screen, "\033[K\r\n");
        } else {
            page_add_char(&screen, frame->at[i]);
        }
    }
    page_format(&screen, "\033[K%s\033[K\033[J", last);
    write_all(screen.at, screen.length);
    page_release(&screen);
}

/* --- keys -------------------------------------------------------------------------------- */

static void check_at(struct top_choice *choice, enum top_view view)
{
    choice->view = view;
    choice->sort = -1;
    choice->upwards = false;
    choice->first_row = 0;
}

static void sort_by_next(struct top_choice *choice, int step)
{
    int count = top_frame_columns(choice->view) + 1; /* -1 is one, too */

    choice->sort = (choice->sort + 1 + step + count) % count - 1;
    choice->first_row = 0;
}

static void scroll(struct top_choice *choice, int rows)
{
    if (rows < 0 && choice->first_row < (size_t)-rows) {
        choice->first_row = 0;
    } else {
        choice->first_row += (size_t)(long)rows;
    }
}

static void type(struct top_choice *choice, int key)
{
    size_t length = strlen(choice->filter);

    if (key == ESCAPE) {
        choice->filter[0] = '\0';
        choice->is_typing = false;
    } else if (key == '\n' || key == '\r') {
        choice->is_typing = false;
    } else if ((key == DELETE || key == BACKSPACE) && length > 0) {
        choice->filter[length - 1] = '\0';
    } else if (key >= ' ' && key < DELETE && length + 1 < sizeof(choice->filter)) {
        choice->filter[length] = (char)key;
        choice->filter[length + 1] = '\0';
    }
    choice->first_row = 0;
}

/* false: that was the key to leave. */
static bool obey(struct top_choice *choice, int key)
{
    static const char view_keys[] = {
        [TOP_ROUTES] = 'r', [TOP_SERVICES] = 's',    [TOP_ORIGINS] = 'o',
        [TOP_SPLITS] = 'p', [TOP_CONNECTIONS] = 'c',
    };
    const char *view = memchr(view_keys, key, sizeof(view_keys));

    if (choice->is_typing) {
        type(choice, key);
        return true;
    }
    if (view != NULL) {
        check_at(choice, (enum top_view)(view - view_keys));
    }
    switch (key) {
    case 'q':
        return false;
    case '<':
    case '>':
        sort_by_next(choice, key == '<' ? -1 : 1);
        break;
    case 'i':
        choice->upwards = !choice->upwards;
        break;
    case '/':
        choice->is_typing = true;
        choice->filter[0] = '\0';
        break;
    case ESCAPE:
        choice->filter[0] = '\0';
        break;
    case ' ':
        choice->is_paused = !choice->is_paused;
        break;
    case 'j':
    case 'k':
        scroll(choice, key == 'j' ? 1 : -1);
        break;
    default:
        break;
    }
    return true;
}

static bool is_readable(int wait_ms)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

    return poll(&input, 1, wait_ms) > 0;
}

/* Arrow keys are three bytes; 0: the input has ended or was interrupted. */
static int read_key(void)
{
    static const char *const arrows = "ABCD";
    static const char meant[] = {'k', 'j', '>', '<'};
    unsigned char bytes[2];
    unsigned char key;
    const char *arrow;

    if (read(STDIN_FILENO, &key, 1) != 1) {
        return 0;
    }
    if (key != ESCAPE || !is_readable(ESCAPE_WAIT_MS)) {
        return key;
    }
    if (read(STDIN_FILENO, bytes, 2) != 2 || bytes[0] != '[') {
        return ESCAPE;
    }
    arrow = strchr(arrows, bytes[1]);
    return arrow != NULL && *arrow != '\0' ? meant[arrow - arrows] : ' ' - 1;
}

/* --- the loop ---------------------------------------------------------------------------- */

static bool ask(const char *socket, struct page *json, struct page *why)
{
    const struct remote_question question = {
        .socket = socket, .method = "GET", .target = "/v1/live"};
    struct remote_answer answer = {0};
    bool good = remote_ask(&question, &answer, why) && answer.status == 200;

    if (good) {
        json->length = 0;
        page_add(json, page_bytes(&answer.body));
    } else if (why->length == 0) {
        page_add_text(why, "the gateway has no such figures: is it of an earlier version?");
    }
    page_release(&answer.body);
    return good;
}

static void show(const struct page *json, struct top_choice *choice)
{
    struct top_size size = size_now();
    struct page frame = {0};

    if (top_frame(page_bytes(json), choice, &size, &frame)) {
        draw(&frame, size.columns > (int)strlen(KEYS) ? KEYS : "q quit");
    }
    page_release(&frame);
}

/* Until the next answer is due, or the operator leaves: false. */
static bool serve_keys(const struct page *json, struct top_choice *choice, int64_t until_ms)
{
    while (!ended && (int64_t)clock_ms(CLOCK_MONOTONIC) < until_ms) {
        int key =
            is_readable((int)(until_ms - (int64_t)clock_ms(CLOCK_MONOTONIC))) ? read_key() : -1;

        if (key == 0 || (key > 0 && !obey(choice, key))) {
            return false;
        }
        if (key > 0) {
            show(json, choice);
        }
    }
    return !ended;
}

static int watch(const char *socket, struct page *why)
{
    struct top_choice choice = {.sort = -1};
    struct page json = {0};
    bool good = ask(socket, &json, why);

    if (!good || !take_terminal()) {
        page_release(&json);
        return 1;
    }
    do {
        show(&json, &choice);
        if (!serve_keys(&json, &choice, (int64_t)clock_ms(CLOCK_MONOTONIC) + PERIOD_MS)) {
            break;
        }
        good = choice.is_paused || ask(socket, &json, why);
    } while (good);
    give_terminal_back();
    page_release(&json);
    return good ? 0 : 1;
}

/* Rates need two looks, a second apart. */
static int print_once(const char *socket, struct page *why)
{
    const struct top_size size = {.rows = 1000, .columns = 100};
    struct top_choice choice = {.sort = -1};
    struct page json = {0};
    struct page frame = {0};
    bool good = ask(socket, &json, why);

    if (good) {
        usleep(PERIOD_MS * 1000 + 100000);
        good = ask(socket, &json, why) && top_frame(page_bytes(&json), &choice, &size, &frame);
    }
    write_all(frame.at, frame.length);
    page_release(&json);
    page_release(&frame);
    return good ? 0 : 1;
}

int top_run(const char *socket)
{
    struct page why = {0};
    bool is_terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    int status = is_terminal ? watch(socket, &why) : print_once(socket, &why);

    if (why.length > 0) {
        fprintf(stderr, "turnpikectl: %.*s\n", (int)why.length, why.at);
    }
    page_release(&why);
    return status;
}
