/* SPDX-License-Identifier: BSD-2-Clause */
/* turnpikectl: asks a running gateway over its control socket. Each command is a row that says
 * which question its words make; what comes back is printed as it is (--json) or as tables. */
#include "config/schema/units.h"
#include "config/load.h"
#include "config/yaml/source_files.h"
#include "config/settings.h"
#include "remote/remote_ask.h"
#include "remote/remote_print.h"
#include "remote/top.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct words { /* what stands behind the command */
    int count;
    char **at;
};

struct asking {
    const char *socket;
    bool json;
    bool help;
    bool force;           /* --force, for drain */
    bool diff;            /* --diff, for reload */
    const char *top;      /* --top N */
    const char *confirm;  /* --confirm 60s */
    const char *listener; /* --listener ADDRESS, for explain */
    const char *client;   /* --client IP, for explain */
    struct page head;     /* -H lines, for explain */
    struct page target;
    struct page body;
    const char *method;
};

/* false: the words are not what the command takes; the usage is shown then. */
typedef bool make_question(struct asking *asking, const struct words *words);

static make_question ask_plain, ask_connections, ask_reload, ask_diff, ask_weight, ask_origin,
    ask_ramp, ask_explain, ask_trace, ask_maintenance, ask_cache;

struct command {
    const char *name;
    const char *words; /* as the usage shows them */
    const char *method;
    const char *path;
    make_question *make;
    bool raw; /* no JSON: printed as it comes */
    const char *help;
};

/* clang-format off */
static const struct command commands[] = {
    {"top",         "",                  "GET",  "/v1/live",        ask_plain,       false, "what happens, refreshed each second: traffic, routes, services, origins, connections"},
    {"status",      "",                  "GET",  "/v1/status",      ask_plain,       false, "the process, its listeners, what differs from the file"},
    {"services",    "",                  "GET",  "/v1/services",    ask_plain,       false, "services and their origins"},
    {"routes",      "",                  "GET",  "/v1/routes",      ask_plain,       false, "routes and where they lead"},
    {"connections", "[--top [N]]",         "GET",  "/v1/connections", ask_connections, false, "the costliest client connections: memory x time per byte moved"},
    {"reload",      "[--confirm 60s | --diff]",   "POST", "/v1/reload",      ask_reload,      false, "reload the file; --confirm: roll back unless confirmed in time; --diff: only show what would change"},
    {"confirm",     "",                  "POST", "/v1/confirm",     ask_plain,       false, "keep the last reload"},
    {"cancel",      "",                  "POST", "/v1/cancel",      ask_plain,       false, "roll back an unconfirmed reload"},
    {"diff",        "FILE",              "POST", "/v1/diff",        ask_diff,        false, "what this file would change"},
    {"weight",      "ROUTE SERVICE=N...|reset", "POST", "/v1/routes/",    ask_weight,      false, "set the weights of a split, in percent: weight shop new=5 old=95; reset: as in the file"},
    {"drain",       "ORIGIN [--force]",  "POST", "/v1/origins/",    ask_origin,      false, "the origin gets no new requests"},
    {"undrain",     "ORIGIN",            "POST", "/v1/origins/",    ask_origin,      false, "the origin gets its share again"},
    {"maintenance", "ROUTE on|off|file", "POST", "/v1/routes/",    ask_maintenance, false, "answer 503 to all but testers; file: as the configuration says"},
    {"cache",       "[purge PREFIX]",    "GET",  "/v1/cache",       ask_cache,       false, "what routes have stored; purge: throw out what is stored of URIs that begin so"},
    {"explain",     "'METHOD URL' [-H 'NAME: VALUE']... [--listener ADDRESS] [--client IP]", "POST", "/v1/explain", ask_explain, false, "which route wins and why, what would be done"},
    {"ramp",        "status | pause|resume|abort ROUTE", "GET",  "/v1/ramps", ask_ramp, false, "how far ramps are; stop one, go on, or give it up"},
    {"trace",       "client=IP|id=REQUEST-ID [for=SECONDS] | stop", "POST", "/v1/trace", ask_trace, false, "log each step of one client's requests, or of one request, for a minute"},
    {"certs",       "",                  "GET",  "/v1/certs",       ask_plain,       false, "certificates: subject, names, issuer, expiry, file"},
    {"tls",         "",                  "GET",  "/v1/tls",         ask_plain,       false, "what was negotiated: versions, ciphers, groups"},
    {"export",      "",                  "GET",  "/v1/config",      ask_plain,       true,  "changes made while it runs, as YAML for the file"},
    {"metrics",     "",                  "GET",  "/metrics",        ask_plain,       true,  "counters in Prometheus's format"},
};
/* clang-format on */

#define COMPLAINT_MAX 4096
#define HINT "turnpikectl --help lists commands and options"
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void print_usage(FILE *out)
{
    fputs("turnpikectl: inspects and changes a running gateway\n"
          "usage: turnpikectl [-s SOCKET] [--json] COMMAND\n"
          "  -s, --socket PATH   the gateway's admin.socket (default: $TURNPIKE_SOCKET, or\n"
          "                      " ADMIN_SOCKET ")\n"
          "  -j, --json          print answers as JSON\n"
          "  -V, --version       print the version\n"
          "  -h, --help          print this\n"
          "commands:\n",
          out);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        fprintf(out, "  %s%s%s\n        %s\n", commands[i].name, *commands[i].words ? " " : "",
                commands[i].words, commands[i].help);
    }
    fputs("exit status: 0; 1 when the gateway refused or does not respond; 2: usage error\n", out);
}

/* What one command's --help says beyond its line in the list. */
static const struct {
    const char *command;
    const char *text;
} details[] = {
    {"top", top_help},
    {"connections", "  --top N   how many, up to 1000 (default: 20)\n"
                    "cost: memory held times the time it is held, by bytes moved\n"},
    {"reload",
     "  --confirm TIME   such as 60s or 5m: the former configuration comes back unless\n"
     "                   `turnpikectl confirm` is given within that time\n"
     "  --diff           show old and new values, and reload nothing\n"
     "A file with errors changes nothing. `turnpikectl diff FILE` compares with another file.\n"},
    {"weight", "  weight shop new=5         5%, and the other service gets the rest\n"
               "  weight shop new=5 old=95  all of them, in percent, in steps of 0.01\n"
               "  weight shop reset         as in the file\n"
               "They hold from the next request on, survive reloads while the file's split stays\n"
               "the same, and are refused while a ramp moves the split: ramp pause ROUTE.\n"},
    {"drain",
     "  --force   also the last origin of a service that gets requests\n"
     "What it has is finished. ORIGIN as `turnpikectl services` shows it: a name stands for\n"
     "all its addresses, NAME@ADDRESS for one.\n"},
    {"explain", "  -H, --header LINE      a header of the request, as often as needed\n"
                "  --listener ADDRESS     the listener that it comes by\n"
                "  --client IP            the client that it comes from\n"
                "As in: turnpikectl explain 'GET https://shop.example/pay/1' -H 'Cookie: a=b'\n"},
    {"diff", "- reads the file from standard input. Marks: + added, ~ changed, - removed.\n"},
};

static void print_help(const struct command *command)
{
    printf("usage: turnpikectl [-s SOCKET] [--json] %s%s%s\n%s\n", command->name,
           *command->words ? " " : "", command->words, command->help);
    for (size_t i = 0; i < sizeof(details) / sizeof(details[0]); i++) {
        if (strcmp(details[i].command, command->name) == 0) {
            fputs(details[i].text, stdout);
        }
    }
}

/* With what a script may have put into our arguments. */
static void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void complain(const char *format, ...)
{
    char text[COMPLAINT_MAX] = "turnpikectl: ";
    size_t name = strlen(text);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text + name, sizeof(text) - name, format, arguments);
    va_end(arguments);
    remote_print_lines(bytes_of(text), stderr);
}

/* --- questions --------------------------------------------------------------------------- */

static bool ask_plain(struct asking *asking, const struct words *words)
{
    (void)asking;
    return words->count == 0;
}

static bool ask_connections(struct asking *asking, const struct words *words)
{
    if (asking->top != NULL) {
        page_add_text(&asking->target, "?top=");
        remote_escape(&asking->target, asking->top);
    }
    return words->count == 0;
}

static bool ask_maintenance(struct asking *asking, const struct words *words)
{
    if (words->count != 2) {
        return false;
    }
    remote_escape(&asking->target, words->at[0]);
    page_add_text(&asking->target, "/maintenance?state=");
    remote_escape(&asking->target, words->at[1]);
    return true;
}

static bool ask_cache(struct asking *asking, const struct words *words)
{
    if (words->count == 2 && strcmp(words->at[0], "purge") == 0) {
        asking->method = "POST";
        page_add_text(&asking->target, "/purge?prefix=");
        remote_escape(&asking->target, words->at[1]);
        return true;
    }
    return words->count == 0;
}

static bool ask_reload(struct asking *asking, const struct words *words)
{
    uint64_t milliseconds;

    if (words->count != 0) {
        return false;
    }
    if (asking->diff) {
        asking->method = "GET";
        page_add_text(&asking->target, "/diff");
        return asking->confirm == NULL;
    }
    if (asking->confirm == NULL) {
        return true;
    }
    if (config_read_time(bytes_of(asking->confirm), &milliseconds) != UNIT_READ ||
        milliseconds < 1000) {
        complain("--confirm expects a time such as 60s or 5m, not '%s'", asking->confirm);
        return false;
    }
    page_format(&asking->target, "?confirm=%llu", (unsigned long long)(milliseconds / 1000));
    return true;
}

static void print_errors(const struct config_errors *errors)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    if (out != NULL) {
        config_errors_print(errors, out);
        fclose(out);
        remote_print_lines((struct bytes){text, length}, stderr);
        free(text);
    }
}

/* With the files that it includes, since the gateway may not reach them under the same names. */
static bool read_file(const char *path, struct page *into)
{
    struct config_errors *errors = NULL;
    struct bytes source;
    char *room = config_read_file(strcmp(path, "-") == 0 ? "/dev/stdin" : path, CONFIG_PATIENCE_MS,
                                  &source, &errors);

    if (room == NULL) {
        print_errors(errors);
        config_errors_free(&errors);
        return false;
    }
    page_add(into, source);
    free(room);
    return !into->failed;
}

static bool ask_diff(struct asking *asking, const struct words *words)
{
    if (words->count != 1) {
        return false;
    }
    page_add_text(&asking->target, "?name=");
    remote_escape(&asking->target, words->at[0]);
    if (!read_file(words->at[0], &asking->body)) {
        exit(1);
    }
    return true;
}

static bool ask_weight(struct asking *asking, const struct words *words)
{
    if (words->count < 2) {
        return false;
    }
    remote_escape(&asking->target, words->at[0]);
    if (words->count == 2 && strcmp(words->at[1], "reset") == 0) {
        page_add_text(&asking->target, "/reset");
        return true;
    }
    page_add_text(&asking->target, "/weights");
    for (int i = 1; i < words->count; i++) {
        const char *equals = strchr(words->at[i], '=');
        struct page service = {0};

        if (equals == NULL || equals == words->at[i]) {
            return false;
        }
        page_add(&service, (struct bytes){words->at[i], (size_t)(equals - words->at[i])});
        page_add_char(&service, '\0');
        page_add_char(&asking->target, i == 1 ? '?' : '&');
        remote_escape(&asking->target, service.at);
        page_add_char(&asking->target, '=');
        remote_escape(&asking->target, equals + 1);
        page_release(&service);
    }
    return true;
}

static bool ask_origin(struct asking *asking, const struct words *words)
{
    if (words->count != 1) {
        return false;
    }
    remote_escape(&asking->target, words->at[0]);
    return true;
}

static bool ask_ramp(struct asking *asking, const struct words *words)
{
    static const char *const verbs[] = {"pause", "resume", "abort"};

    if (words->count == 0 || (words->count == 1 && strcmp(words->at[0], "status") == 0)) {
        return true;
    }
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (words->count == 2 && strcmp(words->at[0], verbs[i]) == 0) {
            asking->method = "POST";
            page_add_char(&asking->target, '/');
            remote_escape(&asking->target, words->at[1]);
            page_format(&asking->target, "/%s", verbs[i]);
            return true;
        }
    }
    return false;
}

static void add_value(struct asking *asking, char before, const char *name, const char *value)
{
    if (value != NULL) {
        page_format(&asking->target, "%c%s=", before, name);
        remote_escape(&asking->target, value);
    }
}

/* The request itself is the body, as a client would send it. */
static bool ask_explain(struct asking *asking, const struct words *words)
{
    if (words->count != 1) {
        return false;
    }
    page_format(&asking->body, "%s\n", words->at[0]);
    page_add(&asking->body, page_bytes(&asking->head));
    add_value(asking, '?', "listener", asking->listener);
    add_value(asking, asking->listener != NULL ? '&' : '?', "client", asking->client);
    return true;
}

/* Words such as client=192.0.2.7 become the query as they are. */
static bool ask_trace(struct asking *asking, const struct words *words)
{
    if (words->count == 1 && strcmp(words->at[0], "stop") == 0) {
        page_add_text(&asking->target, "/stop");
        return true;
    }
    for (int i = 0; i < words->count; i++) {
        char *equals = strchr(words->at[i], '=');

        if (equals == NULL) {
            return false;
        }
        *equals = '\0';
        add_value(asking, i == 0 ? '?' : '&', words->at[i], equals + 1);
    }
    return words->count > 0;
}

/* --- asking ------------------------------------------------------------------------------ */

static bool succeeded(const struct remote_answer *answer)
{
    return answer->status >= 200 && answer->status < 300;
}

static void print_answer(const struct command *command, const struct asking *asking,
                         const struct remote_answer *answer)
{
    struct bytes body = page_bytes(&answer->body);
    FILE *out = succeeded(answer) ? stdout : stderr;

    if (!asking->json && !succeeded(answer)) {
        fputs("turnpikectl: ", stderr);
        if (remote_print_problem(body, stderr)) {
            return;
        }
    } else if (!asking->json && !command->raw &&
               remote_print(body, remote_print_width(stdout), stdout)) {
        return;
    }
    fwrite(body.at, 1, body.length, out);
}

static int run(const struct command *command, struct asking *asking)
{
    struct remote_question question = {.socket = asking->socket, .method = asking->method};
    struct remote_answer answer = {0};
    struct page why = {0};
    bool answered;

    page_add_char(&asking->target, '\0');
    question.target = asking->target.at;
    question.body = page_bytes(&asking->body);
    answered = remote_ask(&question, &answer, &why);
    if (answered) {
        print_answer(command, asking, &answer);
        answered = succeeded(&answer);
    } else {
        complain("%.*s", (int)why.length, why.at != NULL ? why.at : "");
    }
    page_release(&answer.body);
    page_release(&why);
    if (fflush(stdout) != 0) {
        complain("cannot write: %s", strerror(errno));
        return 1;
    }
    return answered ? 0 : 1;
}

/* Rates are measured from the first look on: on a terminal the table comes with the second one. */
static int run_after_a_look(const struct command *command, struct asking *asking)
{
    struct remote_question question = {
        .socket = asking->socket, .method = command->method, .target = command->path};
    struct remote_answer answer = {0};
    struct page why = {0};

    if (remote_ask(&question, &answer, &why)) {
        sleep(1);
    }
    page_release(&answer.body);
    page_release(&why);
    return run(command, asking);
}

static bool has_rates(const struct command *command)
{
    return strcmp(command->name, "routes") == 0 || strcmp(command->name, "services") == 0;
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static int run_words(struct asking *asking, int count, char **words)
{
    const struct words rest = {count - 1, words + 1};
    const struct command *command = count > 0 ? find_command(words[0]) : NULL;

    if (command == NULL && count > 0) {
        complain("there is no command '%s'\n" HINT, words[0]);
        return 2;
    }
    if (command == NULL) {
        print_usage(asking->help ? stdout : stderr);
        return asking->help ? 0 : 2;
    }
    if (asking->help) {
        print_help(command);
        return 0;
    }
    asking->method = command->method;
    page_add_text(&asking->target, command->path);
    if (!command->make(asking, &rest)) {
        fprintf(stderr, "usage: turnpikectl %s %s\n", command->name, command->words);
        return 2;
    }
    if (command->make == ask_origin) {
        page_format(&asking->target, "/%s", command->name);
        page_add_text(&asking->target, !asking->force && strcmp(command->name, "drain") == 0
                                           ? "?unless_last=1"
                                           : "");
    }
    if (strcmp(command->name, "top") == 0 && !asking->json) {
        return top_run(asking->socket);
    }
    if (has_rates(command) && !asking->json && isatty(STDOUT_FILENO)) {
        return run_after_a_look(command, asking);
    }
    return run(command, asking);
}

enum {
    OPTION_TOP = 256,
    OPTION_CONFIRM,
    OPTION_LISTENER,
    OPTION_CLIENT,
    OPTION_FORCE,
    OPTION_DIFF
};

static const struct option options[] = {
    {"socket", required_argument, NULL, 's'},
    {"json", no_argument, NULL, 'j'},
    {"top", optional_argument, NULL, OPTION_TOP},
    {"confirm", required_argument, NULL, OPTION_CONFIRM},
    {"listener", required_argument, NULL, OPTION_LISTENER},
    {"client", required_argument, NULL, OPTION_CLIENT},
    {"force", no_argument, NULL, OPTION_FORCE},
    {"diff", no_argument, NULL, OPTION_DIFF},
    {"header", required_argument, NULL, 'H'},
    {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

int main(int count, char **arguments)
{
    struct asking asking = {.socket = getenv("TURNPIKE_SOCKET")};
    int option;
    int status;

    if (asking.socket == NULL) {
        asking.socket = ADMIN_SOCKET;
    }
    opterr = 0; /* what is wrong is told by complain */
    while ((option = getopt_long(count, arguments, ":s:jH:Vh", options, NULL)) != -1) {
        switch (option) {
        case 's':
            asking.socket = optarg;
            break;
        case 'j':
            asking.json = true;
            break;
        case OPTION_TOP:
            asking.top = optarg; /* its number may be left out, or stand apart */
            if (optarg == NULL && optind < count && arguments[optind][0] != '-') {
                asking.top = arguments[optind++];
            }
            break;
        case OPTION_CONFIRM:
            asking.confirm = optarg;
            break;
        case OPTION_LISTENER:
            asking.listener = optarg;
            break;
        case OPTION_CLIENT:
            asking.client = optarg;
            break;
        case 'H':
            page_format(&asking.head, "%s\n", optarg);
            break;
        case 'V':
            puts("turnpikectl " PACKAGE_VERSION);
            return 0;
        case OPTION_FORCE:
            asking.force = true;
            break;
        case OPTION_DIFF:
            asking.diff = true;
            break;
        case 'h':
            asking.help = true;
            break;
        default:
            complain(option == ':' ? "option '%s' requires an argument\n" HINT
                                   : "unrecognized option '%s'\n" HINT,
                     arguments[optind - 1]);
            return 2;
        }
    }
    status = run_words(&asking, count - optind, arguments + optind);
    page_release(&asking.head);
    page_release(&asking.target);
    page_release(&asking.body);
    return status;
}
