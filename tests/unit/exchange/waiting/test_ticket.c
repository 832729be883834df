/* SPDX-License-Identifier: BSD-2-Clause */
/* exchange/waiting/ticket: what was signed is read, whatever was changed is not. */
#include "exchange/waiting/ticket.h"

#include "tls/tls_mac.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const struct bytes key = {"0123456789abcdef0123456789abcdef",
                                 sizeof("0123456789abcdef0123456789abcdef") - 1};
static const struct bytes other_key = {"another key of thirty-two bytes..",
                                       sizeof("another key of thirty-two bytes..") - 1};
static const struct ticket wanted = {TICKET_FIRST, 0x1234567890abcdefu, 1800000000123u, 1800000300u,
                                     false};

static struct tls_mac_maker *maker;

static int make_maker(void **state)
{
    (void)state;
    maker = tls_mac_maker_new();
    return maker != NULL ? 0 : -1;
}

static int free_maker(void **state)
{
    (void)state;
    tls_mac_maker_free(&maker);
    return 0;
}

static void what_was_written_is_read(void **state)
{
    const struct bytes keys[] = {other_key, key};
    char text[TICKET_TEXT_MAX];
    struct ticket ticket;
    size_t length = ticket_write(maker, &wanted, BYTES("shop"), key, text);

    (void)state;
    assert_true(length > 0 && length < TICKET_TEXT_MAX);
    assert_true(ticket_read(maker, (struct bytes){text, length}, BYTES("shop"), keys, 2, &ticket));
    assert_int_equal(ticket.kind, TICKET_FIRST);
    assert_int_equal(ticket.id, wanted.id);
    assert_int_equal(ticket.since_ms, wanted.since_ms);
    assert_int_equal(ticket.good_until_s, wanted.good_until_s);
    assert_false(ticket_read(maker, (struct bytes){text, length}, BYTES("shop"), keys, 1, &ticket));
    assert_false(
        ticket_read(maker, (struct bytes){text, length}, BYTES("other"), keys, 2, &ticket));
}

static void no_byte_of_it_can_be_changed(void **state)
{
    char text[TICKET_TEXT_MAX];
    struct ticket ticket;
    size_t length = ticket_write(maker, &wanted, BYTES("shop"), key, text);

    (void)state;
    for (size_t i = 0; i < length; i++) {
        for (int change = 1; change < 256; change++) {
            text[i] = (char)(text[i] ^ change);
            assert_false(
                ticket_read(maker, (struct bytes){text, length}, BYTES("shop"), &key, 1, &ticket));
            text[i] = (char)(text[i] ^ change);
        }
        assert_false(ticket_read(maker, (struct bytes){text, i}, BYTES("shop"), &key, 1, &ticket));
    }
}

static void one_that_waits_may_be_surplus(void **state)
{
    const struct ticket waits = {TICKET_WAITS, 7, 1800000000123u, 1800000300u, true};
    const struct ticket is_in = {TICKET_IN, 7, 1800000000123u, 1800000300u, true};
    char text[TICKET_TEXT_MAX];
    struct ticket ticket;
    size_t length = ticket_write(maker, &waits, BYTES("shop"), key, text);

    (void)state;
    assert_true(ticket_read(maker, (struct bytes){text, length}, BYTES("shop"), &key, 1, &ticket));
    assert_int_equal(ticket.kind, TICKET_WAITS);
    assert_true(ticket.surplus);
    length = ticket_write(maker, &is_in, BYTES("shop"), key, text);
    assert_true(ticket_read(maker, (struct bytes){text, length}, BYTES("shop"), &key, 1, &ticket));
    assert_int_equal(ticket.kind, TICKET_IN);
    assert_false(ticket.surplus);
}

static uint64_t lot_of(uint64_t id, uint64_t opens_ms, struct bytes room, struct bytes by)
{
    const struct ticket ticket = {TICKET_WAITS, id, 1800000000123u, 1800000300u, false};
    uint64_t lot;

    assert_true(ticket_deal(maker, &ticket, opens_ms, room, by, &lot));
    return lot;
}

static void a_lot_is_of_ticket_opening_room_and_key(void **state)
{
    uint64_t lot = lot_of(7, 1800000100000u, BYTES("shop"), key);

    (void)state;
    assert_true(lot == lot_of(7, 1800000100000u, BYTES("shop"), key));
    assert_true(lot != lot_of(8, 1800000100000u, BYTES("shop"), key));
    assert_true(lot != lot_of(7, 1800000200000u, BYTES("shop"), key));
    assert_true(lot != lot_of(7, 1800000100000u, BYTES("other"), key));
    assert_true(lot != lot_of(7, 1800000100000u, BYTES("shop"), other_key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(no_byte_of_it_can_be_changed),
        cmocka_unit_test(one_that_waits_may_be_surplus),
        cmocka_unit_test(a_lot_is_of_ticket_opening_room_and_key),
    };

    return cmocka_run_group_tests(tests, make_maker, free_maker);
}
