/* SPDX-License-Identifier: BSD-2-Clause */
/* tls/transport_tls against the library's own client: no byte lost, doubled or out of order
 * however little the socket takes, no byte left lying unseen, and ends that say what they are. */
#include "tls/tls.h"

#include "tests/fakes/certificate_files.h"
#include "tests/fakes/stage.h"
#include "tests/fakes/tcp_pair.h"

#include <openssl/ssl.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct fixture {
    struct stage stage;
    struct certificate_files files;
    struct tls_certificate_settings certificate;
    struct listener_settings listener;
    struct settings settings;
    struct tls_store *store;
    struct transport transport;
    SSL_CTX *context;
    SSL *client;
    int far;
    unsigned calls;
};

static void on_ready(int fd, short what, void *owner)
{
    (void)fd;
    (void)what;
    ((struct fixture *)owner)->calls++;
}

static bool was_called(void *owner)
{
    return ((struct fixture *)owner)->calls > 0;
}

/* --- a certificate and a connection ------------------------------------------------------ */

static void say_problem(void *owner, const char *problem)
{
    (void)owner;
    print_error("%s\n", problem);
}

static void make_store(struct fixture *fixture)
{
    fixture->certificate =
        (struct tls_certificate_settings){.cert = fixture->files.cert, .key = fixture->files.key};
    fixture->listener = (struct listener_settings){
        .name = "test",
        .tls = {.certificates = &fixture->certificate,
                .certificate_count = 1,
                .ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256",
                .cipher_suites = "TLS_AES_128_GCM_SHA256",
                .groups = "X25519",
                .resume = true,
                .ticket_rotate = 3600000},
    };
    fixture->settings =
        (struct settings){.workers = 1, .listeners = &fixture->listener, .listener_count = 1};
    fixture->store = tls_store_new(&fixture->settings, say_problem, NULL);
    assert_non_null(fixture->store);
}

static void shake_hands(struct fixture *fixture)
{
    enum tls_step step = TLS_WAITS;
    enum tls_cause cause;
    short wanted;
    int done = 0;

    for (int i = 0; i < 10000 && (step != TLS_DONE || done != 1); i++) {
        if (done != 1) {
            done = SSL_connect(fixture->client);
        }
        if (step == TLS_WAITS) {
            step = tls_step(&fixture->transport, &wanted, &cause);
        }
    }
    assert_int_equal(done, 1);
    assert_int_equal(step, TLS_DONE);
}

static int set_up_before_hands_are_shaken(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    int ends[2];

    stage_init(&fixture->stage);
    certificate_files_make(&fixture->files);
    make_store(fixture);
    tcp_pair_open(ends);
    fixture->far = ends[1];
    assert_int_equal(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &(int){5000}, sizeof(int)), 0);
    assert_true(transport_start_tcp(&fixture->transport, fixture->stage.worker_context.loop,
                                    ends[0], 0, on_ready, fixture));
    assert_true(tls_accept(&fixture->transport, tls_store_acceptor(fixture->store, 0, 0),
                           (struct bytes){0}));
    fixture->context = SSL_CTX_new(TLS_client_method());
    fixture->client = SSL_new(fixture->context);
    assert_int_equal(SSL_set_fd(fixture->client, fixture->far), 1);
    *state = fixture;
    return 0;
}

static int set_up(void **state)
{
    set_up_before_hands_are_shaken(state);
    shake_hands(*state);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    transport_close(&fixture->transport);
    SSL_free(fixture->client);
    SSL_CTX_free(fixture->context);
    close(fixture->far);
    tls_store_free(&fixture->store);
    stage_release(&fixture->stage);
    certificate_files_remove(&fixture->files);
    free(fixture);
    return 0;
}

/* --- tests ------------------------------------------------------------------------------- */

static void what_was_agreed_is_known(void **state)
{
    struct fixture *fixture = *state;
    const struct tls_facts *facts = tls_facts_of(&fixture->transport);

    assert_string_equal(facts->version, "TLSv1.3");
    assert_string_equal(facts->cipher, "TLS_AES_128_GCM_SHA256");
    assert_string_equal(facts->group, "X25519");
    assert_null(facts->name);
    assert_null(facts->client);
    assert_false(facts->resumed);
    assert_true(bytes_equal(fixture->transport.ops->scheme, BYTES("https")));
}

static char pattern(size_t at)
{
    return (char)((at * 2654435761u) >> 13);
}

/* Takes up to `most` bytes at the far end; each must be the one whose turn it is. */
static void take(struct fixture *fixture, size_t *received, size_t most)
{
    char room[3000];
    size_t count = 0;

    while (most > 0 && SSL_read_ex(fixture->client, room, most < sizeof(room) ? most : sizeof(room),
                                   &count) == 1) {
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(room[i], pattern(*received + i));
        }
        *received += count;
        most -= count;
    }
}

/* The sizes of the pieces change all the time; the reader is slow. */
static void every_byte_arrives_once_and_in_order(void **state)
{
    enum { ALL = 3000000 };
    struct fixture *fixture = *state;
    char *bytes = malloc(ALL);
    size_t sent = 0;
    size_t received = 0;
    unsigned refused = 0;

    for (size_t i = 0; i < ALL; i++) {
        bytes[i] = pattern(i);
    }
    for (size_t turn = 0; received < ALL; turn++) {
        static const size_t sizes[] = {1, 70000, 13, 2000, 16384, 1, 1, 40000, 5, 16385};
        struct iovec pieces[3];
        size_t offered = 0;
        ssize_t taken;

        for (size_t i = 0; i < 3; i++) {
            size_t length = sizes[(turn + i) % 10];

            length = sent + offered + length > ALL ? ALL - sent - offered : length;
            pieces[i] = (struct iovec){bytes + sent + offered, length};
            offered += length;
        }
        taken = offered > 0 ? transport_write(&fixture->transport, pieces, 3) : 0;
        if (taken < 0) {
            assert_int_equal(errno, EAGAIN);
            refused++;
        } else {
            assert_true((size_t)taken <= offered);
            sent += (size_t)taken;
        }
        take(fixture, &received, sizes[turn * 7 % 10]);
    }
    assert_int_equal(received, ALL);
    assert_true(refused > 0); /* else this was no test */
    free(bytes);
}

/* What waits in memory for the socket to take it has reached no peer: a client that takes what
 * comes would seem to have taken nothing for as long as that flows. */
static void what_the_socket_did_not_take_is_not_acknowledged(void **state)
{
    enum { PIECE = 60000, A_RECORD = 16500 };
    struct fixture *fixture = *state;
    static char bytes[PIECE];
    const struct iovec piece = {bytes, PIECE};
    size_t sent = 0;
    size_t received = 0;
    ssize_t taken;
    int in_kernel;

    while ((taken = transport_write(&fixture->transport, &piece, 1)) > 0) {
        sent += (size_t)taken;
    }
    assert_int_equal(errno, EAGAIN);
    do { /* the kernel passes on what it has */
        char room[4096];
        size_t count;
        size_t acknowledged;

        assert_int_equal(ioctl(fixture->transport.fd, TIOCOUTQ, &in_kernel), 0);
        acknowledged = sent - transport_unacknowledged(&fixture->transport);
        while (SSL_read_ex(fixture->client, room, sizeof(room), &count) == 1) {
            received += count;
        }
        assert_true(acknowledged <= received + A_RECORD);
    } while (in_kernel > 0);
    assert_true(sent > received + A_RECORD); /* else this was no test */
}

/* Several records come in one read of the socket; nothing tells the loop about the rest. */
static void bytes_that_the_library_holds_are_reported(void **state)
{
    struct fixture *fixture = *state;
    char bytes[5000];
    char room[1000];
    size_t received = 0;

    memset(bytes, 'x', sizeof(bytes));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(SSL_write(fixture->client, bytes, sizeof(bytes)), sizeof(bytes));
    }
    transport_want(&fixture->transport, WATCH_READABLE);
    while (received < 3 * sizeof(bytes)) {
        ssize_t count;

        fixture->calls = 0;
        stage_run_until(&fixture->stage, was_called, fixture);
        count = transport_read(&fixture->transport, room, sizeof(room));
        if (count > 0) {
            received += (size_t)count;
        } else {
            assert_int_equal(errno, EAGAIN);
        }
    }
    assert_int_equal(transport_read(&fixture->transport, room, sizeof(room)), -1);
    assert_int_equal(errno, EAGAIN);
    assert_false(transport_is_stale(&fixture->transport));
}

/* Who pauses is left alone, and called once it wants to read again. */
static void nobody_is_called_who_does_not_want_to_read(void **state)
{
    struct fixture *fixture = *state;
    char room[100];

    assert_int_equal(SSL_write(fixture->client, "0123456789", 10), 10);
    transport_want(&fixture->transport, WATCH_READABLE);
    stage_run_until(&fixture->stage, was_called, fixture);
    assert_int_equal(transport_read(&fixture->transport, room, 4), 4);
    transport_want(&fixture->transport, 0);
    fixture->calls = 0;
    stage_settle(&fixture->stage);
    assert_int_equal(fixture->calls, 0);
    transport_want(&fixture->transport, WATCH_READABLE);
    stage_run_until(&fixture->stage, was_called, fixture);
    assert_int_equal(transport_read(&fixture->transport, room, sizeof(room)), 6);
}

/* The far end's next read; waits for what is on its way. */
static int next_read(struct fixture *fixture)
{
    char byte;
    int count;

    fcntl(fixture->far, F_SETFL, 0);
    count = SSL_read(fixture->client, &byte, 1);
    return count > 0 ? SSL_ERROR_NONE : SSL_get_error(fixture->client, count);
}

static void a_close_is_said(void **state)
{
    struct fixture *fixture = *state;

    transport_close(&fixture->transport);
    assert_int_equal(next_read(fixture), SSL_ERROR_ZERO_RETURN);
}

/* What is the last is said with a close in the same write, and once. */
static void a_close_goes_along_with_the_last_bytes(void **state)
{
    struct fixture *fixture = *state;
    const struct iovec last = {"last", 4};
    char room[8];

    fixture->transport.ends = true;
    assert_int_equal(transport_write(&fixture->transport, &last, 1), 4);
    fcntl(fixture->far, F_SETFL, 0);
    assert_int_equal(SSL_read(fixture->client, room, sizeof(room)), 4);
    assert_int_equal(next_read(fixture), SSL_ERROR_ZERO_RETURN);
    transport_close(&fixture->transport);
    assert_int_equal(recv(fixture->far, room, 1, 0), 0);
}

static unsigned bytes_that_came(const struct fixture *fixture)
{
    int count = 0;

    assert_int_equal(ioctl(fixture->far, FIONREAD, &count), 0);
    return (unsigned)count;
}

/* Steps until the client has said all that it can; then it asks at once. */
static enum tls_step shake_hands_and_ask(struct fixture *fixture)
{
    enum tls_step step = TLS_WAITS;
    enum tls_cause cause;
    short wanted;
    bool asked = false;

    for (int i = 0; i < 10000 && step == TLS_WAITS; i++) {
        if (!asked && SSL_connect(fixture->client) == 1) {
            assert_int_equal(SSL_write(fixture->client, "ask", 3), 3);
            asked = true;
        }
        step = tls_step(&fixture->transport, &wanted, &cause);
    }
    return step;
}

static void a_ticket_goes_along_with_an_answer_that_is_asked_for(void **state)
{
    struct fixture *fixture = *state;
    const struct iovec answer = {"answer", 6};
    char room[8];

    assert_int_equal(shake_hands_and_ask(fixture), TLS_DONE);
    assert_int_equal(bytes_that_came(fixture), 0);
    assert_int_equal(transport_read(&fixture->transport, room, sizeof(room)), 3);
    assert_int_equal(transport_write(&fixture->transport, &answer, 1), 6);
    fcntl(fixture->far, F_SETFL, 0);
    assert_int_equal(SSL_read(fixture->client, room, sizeof(room)), 6);
    assert_true(SSL_SESSION_is_resumable(SSL_get0_session(fixture->client)));
}

static void a_ticket_comes_though_nothing_is_answered(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(shake_hands_and_ask(fixture), TLS_DONE);
    transport_close(&fixture->transport);
    assert_int_equal(next_read(fixture), SSL_ERROR_ZERO_RETURN);
    assert_true(SSL_SESSION_is_resumable(SSL_get0_session(fixture->client)));
}

static void a_ticket_does_not_wait_for_a_question(void **state)
{
    struct fixture *fixture = *state;
    char byte;

    fcntl(fixture->far, F_SETFL, O_NONBLOCK);
    assert_true(bytes_that_came(fixture) > 0);
    assert_int_equal(SSL_read(fixture->client, &byte, 1), -1);
    assert_true(SSL_SESSION_is_resumable(SSL_get0_session(fixture->client)));
}

static void a_reset_is_no_close(void **state)
{
    struct fixture *fixture = *state;

    transport_reset(&fixture->transport);
    assert_int_not_equal(next_read(fixture), SSL_ERROR_ZERO_RETURN);
}

static void after_finishing_the_other_side_may_still_speak(void **state)
{
    struct fixture *fixture = *state;
    char room[10];

    transport_finish(&fixture->transport);
    assert_int_equal(next_read(fixture), SSL_ERROR_ZERO_RETURN);
    assert_int_equal(SSL_write(fixture->client, "last", 4), 4);
    transport_want(&fixture->transport, WATCH_READABLE);
    stage_run_until(&fixture->stage, was_called, fixture);
    assert_int_equal(transport_read(&fixture->transport, room, sizeof(room)), 4);
}

/* Records wait in a place that all connections of a worker share: what a look at one of them made
 * the library say must not be left there for the next. */
static void a_check_leaves_nothing_to_others(void **state)
{
    struct fixture *fixture = *state;
    static const char no_record[] = "\x17\x03\x03\x00\x05xxxxx";
    char byte;

    fcntl(fixture->far, F_SETFL, O_NONBLOCK);
    assert_int_equal(SSL_read(fixture->client, &byte, 1), -1);
    assert_int_equal(bytes_that_came(fixture), 0);
    assert_int_equal(send(fixture->far, no_record, sizeof(no_record) - 1, 0),
                     sizeof(no_record) - 1);
    assert_true(transport_is_stale(&fixture->transport));
    assert_true(bytes_that_came(fixture) > 0);
}

/* Encrypts and does not send: bytes of the client's that a test may put something behind. */
static size_t say_into(struct fixture *fixture, char *room, size_t size, bool ends)
{
    BIO *wire = BIO_new(BIO_s_mem());
    BIO *socket = SSL_get_wbio(fixture->client);
    int length;

    BIO_up_ref(socket);
    SSL_set0_wbio(fixture->client, wire);
    assert_int_equal(SSL_write(fixture->client, "good", 4), 4);
    if (ends) {
        assert_int_equal(SSL_shutdown(fixture->client), 0);
    }
    length = BIO_read(wire, room, (int)size);
    SSL_set0_wbio(fixture->client, socket);
    assert_true(length > 0);
    return (size_t)length;
}

/* The library keeps one list of failures for all connections of a thread. */
static void a_bad_record_behind_a_good_one_is_reported_to_its_own_connection(void **state)
{
    struct fixture *fixture = *state;
    static const char no_record[] = "\x17\x03\x03\x00\x15xxxxxxxxxxxxxxxxxxxxx";
    char bytes[200];
    size_t length = say_into(fixture, bytes, sizeof(bytes) - sizeof(no_record), false);
    uint64_t counted = tls_failures(0, TLS_CAUSE_RECORD) + 1;
    struct fixture *other;
    void *others_state;
    char room[10];

    set_up(&others_state);
    other = others_state;
    memcpy(bytes + length, no_record, sizeof(no_record) - 1);
    length += sizeof(no_record) - 1;
    assert_int_equal(send(fixture->far, bytes, length, 0), length);
    transport_want(&fixture->transport, WATCH_READABLE);
    stage_run_until(&fixture->stage, was_called, fixture);
    assert_int_equal(transport_read(&fixture->transport, room, sizeof(room)), 4);

    assert_int_equal(transport_read(&other->transport, room, sizeof(room)), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(tls_failures(0, TLS_CAUSE_RECORD), counted);

    fixture->calls = 0;
    stage_run_until(&fixture->stage, was_called, fixture); /* nothing more will come */
    assert_int_equal(transport_read(&fixture->transport, room, sizeof(room)), -1);
    assert_int_equal(errno, EPROTO);
    assert_int_equal(tls_failures(0, TLS_CAUSE_RECORD), counted);
    assert_int_equal(tls_failures(0, TLS_CAUSE_INTERNAL), 0);
    tear_down(&others_state);
}

/* A peer that says in TLS that it has ended may wait for the same before it closes the socket. */
static void an_end_that_was_said_behind_bytes_is_reported(void **state)
{
    struct fixture *fixture = *state;
    char bytes[200];
    size_t length = say_into(fixture, bytes, sizeof(bytes), true);
    char room[10];

    assert_int_equal(send(fixture->far, bytes, length, 0), length);
    transport_want(&fixture->transport, WATCH_READABLE);
    stage_run_until(&fixture->stage, was_called, fixture);
    assert_int_equal(transport_read(&fixture->transport, room, sizeof(room)), 4);
    fixture->calls = 0;
    stage_run_until(&fixture->stage, was_called, fixture);
    assert_int_equal(transport_read(&fixture->transport, room, sizeof(room)), 0);
}

static void an_end_that_was_not_said_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    char byte;

    shutdown(fixture->far, SHUT_WR);
    transport_want(&fixture->transport, WATCH_READABLE);
    stage_run_until(&fixture->stage, was_called, fixture);
    assert_int_equal(transport_read(&fixture->transport, &byte, 1), -1);
    assert_int_not_equal(errno, EAGAIN);
    assert_true(transport_is_stale(&fixture->transport));
}

/* --- a piece at a time --------------------------------------------------------------------- */

static void update_key(struct fixture *fixture)
{
    assert_int_equal(SSL_key_update(fixture->client, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
    assert_int_equal(SSL_do_handshake(fixture->client), 1);
}

/* The library would read them all in one call. */
static void small_records_are_read_a_piece_at_a_time(void **state)
{
    enum { ALL = 1000, A_PIECE = 64 };
    struct fixture *fixture = *state;
    char room[ALL];
    size_t received = 0;

    for (size_t i = 0; i < ALL; i++) {
        char byte = pattern(i);

        assert_int_equal(SSL_write(fixture->client, &byte, 1), 1);
    }
    transport_want(&fixture->transport, WATCH_READABLE);
    while (received < ALL) {
        ssize_t count;

        fixture->calls = 0;
        stage_run_until(&fixture->stage, was_called, fixture);
        count = transport_read(&fixture->transport, room + received, ALL - received);
        assert_true(count > 0 && count <= A_PIECE);
        received += (size_t)count;
    }
    for (size_t i = 0; i < ALL; i++) {
        assert_int_equal(room[i], pattern(i));
    }
    assert_int_equal(transport_read(&fixture->transport, room, 1), -1);
    assert_int_equal(errno, EAGAIN);
}

static void key_updates_without_end_are_cut(void **state)
{
    struct fixture *fixture = *state;
    uint64_t counted = tls_failures(0, TLS_CAUSE_ALERT_FLOOD);
    char byte;

    for (int i = 0; i < 100; i++) {
        update_key(fixture);
    }
    transport_want(&fixture->transport, WATCH_READABLE);
    stage_run_until(&fixture->stage, was_called, fixture);
    assert_int_equal(transport_read(&fixture->transport, &byte, 1), -1);
    assert_int_equal(errno, TRANSPORT_FLOODED);
    assert_int_equal(tls_failures(0, TLS_CAUSE_ALERT_FLOOD), counted + 1);
    assert_int_equal(transport_read(&fixture->transport, &byte, 1), -1);
    assert_int_equal(errno, TRANSPORT_FLOODED);
    assert_int_equal(tls_failures(0, TLS_CAUSE_ALERT_FLOOD), counted + 1);
    assert_true(transport_is_stale(&fixture->transport));
}

/* One that rests is looked at and not read. */
static void a_check_at_a_flood_says_stale(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < 100; i++) {
        update_key(fixture);
    }
    transport_want(&fixture->transport, WATCH_READABLE);
    stage_run_until(&fixture->stage, was_called, fixture);
    assert_true(transport_is_stale(&fixture->transport));
}

static void a_key_may_be_renewed_for_each_record_of_data(void **state)
{
    static char bytes[16384];
    struct fixture *fixture = *state;
    char room[20000];

    for (int i = 0; i < 100; i++) {
        size_t received = 0;

        update_key(fixture);
        assert_int_equal(SSL_write(fixture->client, bytes, sizeof(bytes)), sizeof(bytes));
        while (received < sizeof(bytes)) {
            ssize_t count = transport_read(&fixture->transport, room, sizeof(room));

            assert_true(count > 0 || errno == EAGAIN);
            received += count > 0 ? (size_t)count : 0;
        }
    }
}

/* The client's hello, in records of `size` bytes. */
static void say_hello_in_pieces(struct fixture *fixture, size_t size)
{
    BIO *out = BIO_new(BIO_s_mem());
    BIO *socket = SSL_get_rbio(fixture->client);
    char *hello;
    long length;

    BIO_up_ref(socket);
    SSL_set0_wbio(fixture->client, out);
    assert_int_equal(SSL_connect(fixture->client), -1);
    length = BIO_get_mem_data(out, &hello);
    assert_true(length > 200);
    for (size_t at = 5; at < (size_t)length;) {
        size_t count = (size_t)length - at < size ? (size_t)length - at : size;
        const char header[] = {22, 3, 1, 0, (char)count};

        assert_int_equal(send(fixture->far, header, 5, MSG_NOSIGNAL), 5);
        assert_int_equal(send(fixture->far, hello + at, count, MSG_NOSIGNAL), count);
        at += count;
    }
    SSL_set0_wbio(fixture->client, socket);
}

static void a_hello_in_pieces_is_understood(void **state)
{
    struct fixture *fixture = *state;

    say_hello_in_pieces(fixture, 2);
    shake_hands(fixture);
}

static void a_handshake_in_very_many_pieces_is_ended(void **state)
{
    struct fixture *fixture = *state;
    enum tls_step step = TLS_WAITS;
    enum tls_cause cause = TLS_CAUSE_INTERNAL;
    char protocols[801];
    short wanted;
    int steps = 0;

    memset(protocols, 'p', sizeof(protocols)); /* a long hello */
    for (size_t i = 0; i + 10 <= sizeof(protocols); i += 10) {
        protocols[i] = 9;
    }
    assert_int_equal(SSL_set_alpn_protos(fixture->client, (unsigned char *)protocols, 800), 0);
    say_hello_in_pieces(fixture, 1);
    for (; step == TLS_WAITS && steps < 10000; steps++) {
        step = tls_step(&fixture->transport, &wanted, &cause);
    }
    assert_int_equal(step, TLS_FAILED);
    assert_int_equal(cause, TLS_CAUSE_ALERT_FLOOD);
    assert_true(steps >= 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_agreed_is_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_byte_arrives_once_and_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_the_socket_did_not_take_is_not_acknowledged, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(bytes_that_the_library_holds_are_reported, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(nobody_is_called_who_does_not_want_to_read, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_close_is_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_close_goes_along_with_the_last_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_ticket_goes_along_with_an_answer_that_is_asked_for,
                                        set_up_before_hands_are_shaken, tear_down),
        cmocka_unit_test_setup_teardown(a_ticket_comes_though_nothing_is_answered,
                                        set_up_before_hands_are_shaken, tear_down),
        cmocka_unit_test_setup_teardown(a_ticket_does_not_wait_for_a_question, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reset_is_no_close, set_up, tear_down),
        cmocka_unit_test_setup_teardown(after_finishing_the_other_side_may_still_speak, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_check_leaves_nothing_to_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_bad_record_behind_a_good_one_is_reported_to_its_own_connection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_end_that_was_said_behind_bytes_is_reported, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_end_that_was_not_said_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(small_records_are_read_a_piece_at_a_time, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(key_updates_without_end_are_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_check_at_a_flood_says_stale, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_key_may_be_renewed_for_each_record_of_data, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_hello_in_pieces_is_understood,
                                        set_up_before_hands_are_shaken, tear_down),
        cmocka_unit_test_setup_teardown(a_handshake_in_very_many_pieces_is_ended,
                                        set_up_before_hands_are_shaken, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
