/* SPDX-License-Identifier: BSD-2-Clause */
/* Every error that a file's content can have, with its exact place and words: global options,
 * listeners and services. Those of routes are in test_route_errors.c. */
#include "config/yaml/source_files.h"
#include "tests/unit/config/loading.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LISTENERS "listeners: [{address: 127.0.0.1:80}]\n"
#define ROUTES "routes: [{respond: {}}]\n"
#define SOUND LISTENERS ROUTES
/* One service, its members on line 3. */
#define SERVICE(members) SOUND "services: {a: {" members "}}\n"
#define ORIGIN \
    "\"10.0.0.1:80\", \"[::1]:80\", \"api.internal:80\", \"unix:/path\" or " \
    "\"srv:_api._tcp.internal\""
#define ADDRESS "an address with its port, \"127.0.0.1:8080\" or \"[::]:8080\", or \"unix:/path\""

static void unknown_options(void **state)
{
    static const struct bad_file files[] = {
        {SOUND "worker: 3\n", "3:1: unknown option 'worker'; did you mean 'workers'?"},
        {SOUND "timeouts: {heads: 5s}\n",
         "3:12: unknown option 'timeouts.heads'; did you mean 'head'?"},
        {SOUND "colour: red\n",
         "3:1: unknown option 'colour'; turnpike.yaml(5) lists what there is"},
        {SOUND "access_log: {file: /x}\n",
         "3:14: unknown option 'access_log.file'; known here: to, fields, sample"},
        {SOUND "Worker-Processes: 4\n",
         "3:1: unknown option 'Worker-Processes'; here it is 'workers'"},
        {"listeners: [{address: 127.0.0.1:80}]\nroutes: [{proxy_pass: a, respond: {}}]\n",
         "2:11: unknown option 'proxy_pass'; here it is 'service'"},
        {SERVICE("origins: [h:80], timeouts: {head: 5s}"),
         "3:33: 'timeouts' cannot stand in a service; its place is at the top of the file or in a "
         "listener or in a route"},
        {SOUND "<<: {}\n", "3:1: unknown option '<<'; turnpike.yaml(5) lists what there is"},
        {SOUND "\"\": {}\n", "3:1: unknown option ''; turnpike.yaml(5) lists what there is"},
        {SOUND "\"a\\eb\": x\n", "3:1: unknown option 'a?b'; turnpike.yaml(5) lists what there is"},
        {SOUND "balance: round_robin\n",
         "3:1: 'balance' cannot stand at the top of the file; its place is in a service"},
        {LISTENERS "routes: [{respond: {}, timeouts: {head: 5s}}]\n",
         "2:35: 'timeouts.head' cannot stand in a route; its place is at the top of the file or in "
         "a listener"},
        {"listeners: [{address: 127.0.0.1:80, proxy-protocol: true}]\n" ROUTES,
         "1:37: unknown option 'proxy-protocol'; did you mean 'proxy_protocol'?"},
        {SERVICE("origins: [h:80], pool: {max_idel: 3}"),
         "3:40: unknown option 'pool.max_idel'; did you mean 'max_idle'?"},
        {SERVICE("origins: [{address: h:80, wieght: 3}]"),
         "3:42: unknown option 'origins.wieght'; did you mean 'weight'?"},
    };

    (void)state;
    EXPECT_ALL(files);
}

static void bad_values(void **state)
{
    static const struct bad_file files[] = {
        {SOUND "workers: many\n", "3:10: 'workers' expects a whole number or auto, not 'many'"},
        {SOUND "workers: 0\n", "3:10: 'workers' must be from 1 to 256, not 0"},
        {SOUND "workers: 257\n", "3:10: 'workers' must be from 1 to 256, not 257"},
        {SOUND "workers:\n", "3:9: 'workers' expects a whole number or auto, not nothing"},
        {SOUND "workers: ~\n", "3:10: 'workers' expects a whole number or auto, not nothing"},
        {SOUND "workers: [1]\n", "3:10: 'workers' expects a whole number or auto, not a list"},
        {SOUND "core_dumps: yes\n", "3:13: 'core_dumps' expects true or false, not 'yes'"},
        {SOUND "timeouts: {head: 10}\n",
         "3:18: 'timeouts.head' needs a unit: write 10s or 10ms, not 10"},
        {SOUND "timeouts: {head: soon}\n",
         "3:18: 'timeouts.head' expects a time such as 250ms, 5s, 2m, 1h or 1d, not 'soon'"},
        {SOUND "timeouts: {head: 2h}\n", "3:18: 'timeouts.head' must be from 10ms to 1h, not 2h"},
        {SOUND "timeouts: {head: 99999999999999999999s}\n",
         "3:18: 'timeouts.head' must be from 10ms to 1h, not 99999999999999999999s"},
        {SOUND "limits: {connection_buffer: 20KiB}\n",
         "3:29: 'limits.connection_buffer' must be twice limits.request_buffer (16384 bytes), "
         "which is "
         "held too, or more"},
        {SOUND "dns: {servers: [localhost]}\n",
         "3:17: 'dns.servers' expects an address such as 127.0.0.1, ::1, 127.0.0.1:8600 or "
         "[::1]:8600, not 'localhost'"},
        {SOUND "dns: {servers: []}\n",
         "3:16: 'dns.servers' is empty; leave it out, or give it a value"},
        {SOUND "min_rates: {request_body: 1}\n",
         "3:27: 'min_rates.request_body' needs a unit: write 1B or 1KiB, not 1"},
        {SOUND "timeouts: 5s\n", "3:11: 'timeouts' expects a mapping of options, not text"},
        {SOUND "timeouts:\n", "3:10: 'timeouts' expects a mapping of options, not nothing"},
        {SOUND "limits: {head_bytes: 4096}\n",
         "3:22: 'limits.head_bytes' needs a unit: write 4096B or 4096KiB, not 4096"},
        {SOUND "limits: {head_bytes: 64KiB}\n",
         "3:22: 'limits.head_bytes' must be from 1KiB to 32KiB, not 64KiB"},
        {SOUND "limits: {body_bytes: lots}\n",
         "3:22: 'limits.body_bytes' expects a size such as 512B, 64KiB, 1MiB or 10MB or none, "
         "not 'lots'"},
        {SOUND "limits: {head_bytes: 4KiB, target_bytes: 8KiB}\n",
         "3:42: 'limits.target_bytes' is more than limits.head_bytes (4096 bytes), of which it is "
         "a part"},
        {SOUND "via: two words\n",
         "3:6: 'via' expects a name of letters, digits and -._ without spaces, not 'two words'"},
        {SOUND "via: \"\"\n", "3:6: 'via' must have 1 to 64 bytes, not 0"},
        {SOUND "via: {x: y}\n",
         "3:6: 'via' expects text, not a mapping; a text that starts with '{' needs quotes"},
        {SOUND "user: no-such-user-here\n",
         "3:7: there is no user 'no-such-user-here' on this machine"},
        {SOUND "user: \"root\\0x\"\n", "3:7: 'user' must not contain a NUL"},
        {SOUND "access_log: stdout\n",
         "3:13: 'access_log' expects off, stderr, syslog or an absolute path, not 'stdout'"},
        {SOUND "access_log: []\n",
         "3:13: 'access_log' expects off, stderr, syslog or an absolute path, not a list"},
        {SOUND "trusted_proxies: [10.0.0.0/33]\n",
         "3:19: 'trusted_proxies' expects a network such as 10.0.0.0/8, 192.0.2.7 or fd00::/8, "
         "not '10.0.0.0/33'"},
        {SOUND "trusted_proxies: {a: b}\n",
         "3:18: 'trusted_proxies' expects a text or a list of texts, not a mapping"},
    };

    (void)state;
    EXPECT_ALL(files);
}

static void what_is_missing(void **state)
{
    static const struct bad_file files[] = {
        {ROUTES, "1:1: 'listeners' is missing here; it expects a list with at least one address"},
        {LISTENERS, "1:1: 'routes' is missing here; it expects a list with at least one route"},
        {LISTENERS "routes: []\n", "2:9: 'routes' expects a list with at least one route"},
        {LISTENERS "routes: {a: b}\n", "2:9: 'routes' expects a list with at least one route"},
        {"listeners: []\n" ROUTES,
         "1:12: 'listeners' expects a list with at least one address, such as - address: "
         "127.0.0.1:8080"},
        {"listeners: [{proxy_protocol: {from: [10.0.0.0/8]}}]\n" ROUTES,
         "1:13: 'address' is missing here; it expects " ADDRESS},
        {"listeners: [{address: \"127.0.0.1:80\", proxy_protocol: true}]\n" ROUTES,
         "1:55: 'proxy_protocol' expects the networks of the proxies that send headers: {from: "
         "[10.0.0.0/8]}, or {from: [0.0.0.0/0, \"::/0\"]} to take them from any peer"},
        {"listeners: [{address: \"127.0.0.1:80\", proxy_protocol: {}}]\n" ROUTES,
         "1:55: 'proxy_protocol.from' is missing here; it expects the networks of the proxies that "
         "send headers, such as [10.0.0.0/8]"},
        {"listeners: [{address: \"unix:/a\", proxy_protocol: {from: [10.0.0.0/8]}}]\n" ROUTES,
         "1:57: 'proxy_protocol.from' is for TCP; for a Unix socket 'mode' says who may connect, "
         "so "
         "write proxy_protocol: {}"},
        {"[1, 2]\n", "1:1: this place expects a mapping of options, not a list"},
        {"hello\n", "1:1: this place expects a mapping of options, not text"},
        {SERVICE(""), "3:15: 'origins' is missing here; it expects a list of addresses"},
        {SERVICE("origins: [{weight: 2}]"), "3:26: 'address' is missing here; it expects " ORIGIN},
    };

    (void)state;
    EXPECT_ALL(files);
}

static void listeners(void **state)
{
    static const struct bad_file files[] = {
        {"listeners: [{address: localhost:80}]\n" ROUTES,
         "1:23: 'address' expects " ADDRESS ", not 'localhost:80'"},
        {"listeners: [{address: 127.0.0.1}]\n" ROUTES,
         "1:23: 'address' expects " ADDRESS ", not '127.0.0.1'"},
        {"listeners: [{address: 127.0.0.1:70000}]\n" ROUTES,
         "1:23: 'address' expects " ADDRESS ", not '127.0.0.1:70000'"},
        {"listeners: [{address: \"[::1]:80\"}, {address: \"[0:0::1]:80\"}]\n" ROUTES,
         "1:46: the listener '[::1]:80' stands on line 1 already"},
        {"listeners:\n- address: unix:/a\n- address: unix:/a\n" ROUTES,
         "3:12: the listener 'unix:/a' stands on line 2 already"},
        {"listeners: [{address: 127.0.0.1:80, mode: 0660}]\n" ROUTES,
         "1:43: 'mode' is for Unix sockets only, and this listener is none"},
        {"listeners: [{address: unix:/a, mode: 0999}]\n" ROUTES,
         "1:38: 'mode' expects octal permissions such as 0660, not '0999'"},
        {"listeners: [{address: unix:/a, mode: 07777}]\n" ROUTES,
         "1:38: 'mode' must be from 0000 to 0777, not 07777"},
        {"listeners: [127.0.0.1:80]\n" ROUTES,
         "1:13: this place expects a mapping of options, not text"},
    };

    (void)state;
    EXPECT_ALL(files);
}

static void services(void **state)
{
    static const struct bad_file files[] = {
        {SERVICE("origins: []"), "3:25: 'origins' expects a list with at least one address, such "
                                 "as [10.0.0.1:80]"},
        {SERVICE("origins: h:80"), "3:25: 'origins' expects a list with at least one address, "
                                   "such as [10.0.0.1:80]"},
        {SERVICE("origins: [h]"), "3:26: an origin is " ORIGIN ", not 'h'; the port is missing"},
        {SERVICE("origins: [http://h:80/]"),
         "3:26: an origin is " ORIGIN ", not 'http://h:80/'; write host and port only, without a "
         "scheme"},
        {SERVICE("origins: [10.0.0.300:80]"), "3:26: an origin is " ORIGIN ", not '10.0.0.300:80'"},
        {SERVICE("origins: [h:0]"), "3:26: an origin is " ORIGIN ", not 'h:0'"},
        {SERVICE("origins: [10.0.0.1:0]"), "3:26: an origin needs a port from 1 to 65535"},
        {SERVICE("origins: [h:65536]"), "3:26: an origin is " ORIGIN ", not 'h:65536'"},
        {SERVICE("origins: ['srv:_a._tcp.x:80']"),
         "3:26: an origin is " ORIGIN ", not 'srv:_a._tcp.x:80'; an SRV name has no port, its "
         "records say it"},
        {SERVICE("origins: ['srv:']"),
         "3:26: an origin is " ORIGIN ", not 'srv:'; an SRV name has no port, its records say it"},
        {SERVICE("origins: ['srv:_a._tcp.x', 'srv:_A._tcp.X']"),
         "3:43: the origin 'srv:_a._tcp.x' stands in this service already (line 3)"},
        {SERVICE("origins: [h:80, H:80]"),
         "3:32: the origin 'h:80' stands in this service already (line 3)"},
        {SERVICE("origins: [{address: h:80, weight: 0}]"),
         "3:50: 'origins.weight' must be from 1 to 1000, not 0"},
        {SERVICE("origins: [[h:80]]"), "3:26: 'origins' expects " ORIGIN ", not a list"},
        {SERVICE("origins: [h:80], balance: random"),
         "3:42: 'balance' expects one of round_robin, least_requests, two_choices, not 'random'"},
        {SERVICE("origins: [h:80], balance: roundrobin"),
         "3:42: 'balance' expects one of round_robin, least_requests, two_choices, not "
         "'roundrobin'; did you mean 'round_robin'?"},
        {SERVICE("origins: [h:80], pool: {max_idle: -1}"),
         "3:50: 'pool.max_idle' expects a whole number, not '-1'"},
        {SOUND "services: {a b: {origins: [h:80]}}\n",
         "3:12: a service's name has 1 to 64 letters, digits and -_. only"},
        {SOUND "services: [a]\n", "3:11: 'services' expects a mapping of names, not a list"},
        {SOUND "services: {a: h:80}\n", "3:15: this place expects a mapping of options, not text"},
    };

    (void)state;
    EXPECT_ALL(files);
}

static void all_errors_in_one_run_in_order(void **state)
{
    char *text = complaints(BYTES("routes:\n"
                                  "  - service: payment\n"
                                  "\ttimeouts: x\n"));

    (void)state;
    keep_messages(text); /* tabs cannot indent: a syntax error hides all behind it */
    assert_string_equal(text, "t.yaml:3:1: line 3 uses a tab for indentation; use spaces\n");
    free(text);
    text = complaints(BYTES("routes:\n"
                            "  - service: payment\n"
                            "    timeouts: {connect: 3}\n"
                            "services:\n"
                            "  payments: {origins: [h]}\n"
                            "listeners:\n"
                            "  - address: 127.0.0.1\n"
                            "via: \xC3\xA9\t'\n"
                            "timeout: 3s\n"));
    assert_string_equal(
        text, "t.yaml:2:14: there is no service 'payment'; did you mean 'payments'?\n"
              "  - service: payment\n"
              "             ^\n"
              "t.yaml:3:25: 'timeouts.connect' needs a unit: write 3s or 3ms, not 3\n"
              "    timeouts: {connect: 3}\n"
              "                        ^\n"
              "t.yaml:5:24: an origin is " ORIGIN ", not 'h'; the port is missing\n"
              "  payments: {origins: [h]}\n"
              "                       ^\n"
              "t.yaml:7:14: 'address' expects " ADDRESS ", not '127.0.0.1'\n"
              "  - address: 127.0.0.1\n"
              "             ^\n"
              "t.yaml:8:6: 'via' expects a name of letters, digits and -._ without spaces, not "
              "'\xC3\xA9?''\n"
              "via: \xC3\xA9\t'\n"
              "     ^\n"
              "t.yaml:9:1: unknown option 'timeout'; did you mean 'timeouts'?\n"
              "timeout: 3s\n"
              "^\n");
    free(text);
}

static void carets_stand_right(void **state)
{
    char *text = complaints(BYTES("\"\xC3\xA9\xE2\x82\xAC\":\tx\r\n" SOUND));

    (void)state;
    assert_string_equal(text, "t.yaml:1:1: unknown option '\xC3\xA9\xE2\x82\xAC'; "
                              "turnpike.yaml(5) lists what there is\n"
                              "\"\xC3\xA9\xE2\x82\xAC\":\tx\n"
                              "^\n");
    free(text);
    text = complaints(
        BYTES(LISTENERS "routes: [{respond: {body: \"\xC3\xA9\xC3\xA9\",\tstatus: 1}}]"));
    assert_string_equal(text, "t.yaml:2:41: 'respond.status' must be from 200 to 599, not 1\n"
                              "routes: [{respond: {body: \"\xC3\xA9\xC3\xA9\",\tstatus: 1}}]\n"
                              "                               \t        ^\n");
    free(text);
}

static void long_lines_are_shortened(void **state)
{
    char source[4096] = SOUND;
    char *text;

    (void)state;
    strcat(source, "via: \"");
    memset(source + strlen(source), 'x', 2000);
    strcat(source, "\"\nworkers: {");
    memset(source + strlen(source), ' ', 1000);
    strcat(source, "x: y}\n");
    text = complaints(bytes_of(source));
    assert_true(strlen(text) < 1000);
    free(text);
}

static void errors_without_end_are_counted(void **state)
{
    char *source = NULL;
    size_t length;
    FILE *out = open_memstream(&source, &length);
    char *text;
    int i;

    (void)state;
    for (i = 0; i < 5000; i++) {
        fprintf(out, "option-%d: x\n", i);
    }
    fclose(out);
    text = complaints(bytes_of(source));
    assert_non_null(strstr(text, "t.yaml: 4002 more errors are not shown\n"));
    free(text);
    free(source);
}

static void unreadable_files(void **state)
{
    struct config_errors *errors;
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    (void)state;
    assert_null(config_load("/nonexistent/t.yaml", &errors));
    config_errors_print(errors, out);
    config_errors_free(&errors);
    assert_null(config_load("/", &errors));
    assert_int_equal(config_errors_count(errors), 1);
    config_errors_print(errors, out);
    config_errors_free(&errors);
    fclose(out);
    assert_string_equal(text, "/nonexistent/t.yaml: the file cannot be read: No such file or "
                              "directory\n"
                              "/: the file cannot be read: Is a directory\n");
    free(text);
}

/* Its writer may be slow; one that is silent is waited for only so long. */
static void a_pipe_is_read_with_patience(void **state)
{
    char folder[] = "/tmp/turnpike-pipe-XXXXXX";
    char path[40];
    struct config_errors *errors;
    struct bytes source;
    int writer;
    char *room;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    writer = open(path, O_RDWR);
    assert_true(writer >= 0);
    assert_null(config_read_file(path, 20, &source, &errors));
    assert_int_equal(config_errors_count(errors), 1);
    config_errors_free(&errors);
    if (fork() == 0) {
        usleep(20000);
        _exit(write(writer, "x: 1\n", 5) == 5 ? 0 : 1);
    }
    close(writer); /* the child has it until it ends */
    room = config_read_file(path, 10000, &source, &errors);
    assert_non_null(room);
    assert_int_equal(source.length, 5);
    free(room);
    wait(NULL);
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unreadable_files),
        cmocka_unit_test(what_is_missing),
        cmocka_unit_test(unknown_options),
        cmocka_unit_test(bad_values),
        cmocka_unit_test(listeners),
        cmocka_unit_test(services),
        cmocka_unit_test(all_errors_in_one_run_in_order),
        cmocka_unit_test(carets_stand_right),
        cmocka_unit_test(long_lines_are_shortened),
        cmocka_unit_test(errors_without_end_are_counted),
        cmocka_unit_test(a_pipe_is_read_with_patience),
    };

    return cmocka_run_group_tests_name("config/errors", tests, NULL, NULL);
}
