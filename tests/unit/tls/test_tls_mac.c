/* SPDX-License-Identifier: BSD-2-Clause */
/* tls/tls_mac: vectors, and more keys than are kept ready, each many times. */
#include "tls/tls_mac.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define KEYS 40 /* more than are kept ready */

static void is_mac(struct tls_mac_maker *maker, struct bytes key, struct bytes purpose,
                   struct bytes message, const char *wanted)
{
    unsigned char mac[TLS_MAC_BYTES];

    assert_true(tls_mac_make(maker, key, purpose, message, mac));
    assert_memory_equal(mac, wanted, sizeof(mac));
}

/* The inner key of the first is the published MAC of "Jefe" (RFC 4231 section 4.3). */
static void as_others_make_it(void **state)
{
    struct tls_mac_maker *maker = tls_mac_maker_new();

    (void)state;
    assert_non_null(maker);
    for (int i = 0; i < 3; i++) {
        /* twice each: taken in, and ready */
        for (int j = 0; j < 2; j++) {
            is_mac(maker, BYTES("Jefe"), BYTES("what do ya want for nothing?"), BYTES("Hi There"),
                   "\x8c\xc0\x83\xeb\xba\x30\x0d\xa5\xf8\xdd\x59\xd5\x6a\x27\xea\x28"
                   "\x12\x49\x78\x00\xe7\xe6\x11\x45\x3b\xf1\x03\xd2\xbf\xbe\xd3\xaf");
            is_mac(maker, BYTES("Jefe"), BYTES("what"), BYTES("Hi There"),
                   "\x80\x31\xa8\x6c\x94\xab\x8d\xbe\x66\x1d\x1d\xc3\xdf\xf8\x1d\xff"
                   "\x2b\x46\x18\xf7\x8f\xde\xdf\xb6\x82\x02\x34\xbe\x25\x7a\xe9\xf4");
            /* the same bytes, of which fewer are the key */
            is_mac(maker, BYTES("Jef"), BYTES("ewhat"), BYTES("Hi There"),
                   "\x99\x87\xd0\xf9\x1c\xd7\x0d\x92\x39\xf3\x30\xa2\x1c\x12\x67\x5d"
                   "\x8c\xe7\x78\xbe\xba\x07\x1d\x12\x78\xa7\x2b\xb4\x14\x40\x94\x71");
        }
    }
    tls_mac_maker_free(&maker);
    assert_null(maker);
}

/* Its place in memory says nothing: after a reload another key may lie there. */
static void a_key_is_known_by_its_bytes(void **state)
{
    struct tls_mac_maker *maker = tls_mac_maker_new();
    unsigned char first[KEYS][TLS_MAC_BYTES];
    unsigned char mac[TLS_MAC_BYTES];
    char key[] = "key 0";

    (void)state;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < KEYS; i++) {
            key[4] = (char)('!' + i);
            assert_true(tls_mac_make(maker, bytes_of(key), BYTES("test"), BYTES("message"), mac));
            if (round == 0) {
                memcpy(first[i], mac, sizeof(mac));
            }
            assert_memory_equal(mac, first[i], sizeof(mac));
            assert_true(i == 0 || memcmp(mac, first[i - 1], sizeof(mac)) != 0);
        }
    }
    tls_mac_maker_free(&maker);
}

static void what_is_signed_for_one_purpose_is_good_for_no_other(void **state)
{
    struct tls_mac_maker *maker = tls_mac_maker_new();
    unsigned char mac[TLS_MAC_BYTES];
    unsigned char other[TLS_MAC_BYTES];

    (void)state;
    assert_true(tls_mac_make(maker, BYTES("key"), BYTES("test"), BYTES("message"), mac));
    assert_true(tls_mac_make(maker, BYTES("key"), BYTES("text"), BYTES("message"), other));
    assert_memory_not_equal(mac, other, sizeof(mac));
    tls_mac_maker_free(&maker);
}

static void none_without_a_maker(void **state)
{
    unsigned char mac[TLS_MAC_BYTES];

    (void)state;
    assert_false(tls_mac_make(NULL, BYTES("key"), BYTES("test"), BYTES("message"), mac));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_others_make_it),
        cmocka_unit_test(a_key_is_known_by_its_bytes),
        cmocka_unit_test(what_is_signed_for_one_purpose_is_good_for_no_other),
        cmocka_unit_test(none_without_a_maker),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
