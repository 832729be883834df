/* SPDX-License-Identifier: BSD-2-Clause */
/* tls/tls_mac: the vectors of RFC 4231, with more keys than are kept ready, each many times. */
#include "tls/tls_mac.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void is_mac(struct tls_mac_maker *maker, struct bytes key, struct bytes message,
                   const char *wanted)
{
    unsigned char mac[TLS_MAC_BYTES];

    assert_true(tls_mac_make(maker, key, message, mac));
    assert_memory_equal(mac, wanted, sizeof(mac));
}

static void as_published(void **state)
{
    struct tls_mac_maker *maker = tls_mac_maker_new();

    (void)state;
    assert_non_null(maker);
    for (int i = 0; i < 3; i++) {
        /* twice each: taken in, and ready */
        for (int j = 0; j < 2; j++) {
            is_mac(maker, BYTES("Jefe"), BYTES("what do ya want for nothing?"),
                   "\x5b\xdc\xc1\x46\xbf\x60\x75\x4e\x6a\x04\x24\x26\x08\x95\x75\xc7"
                   "\x5a\x00\x3f\x08\x9d\x27\x39\x83\x9d\xec\x58\xb9\x64\xec\x38\x43");
            is_mac(maker,
                   BYTES("\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"
                         "\x0b\x0b"),
                   BYTES("Hi There"),
                   "\xb0\x34\x4c\x61\xd8\xdb\x38\x53\x5c\xa8\xaf\xce\xaf\x0b\xf1\x2b"
                   "\x88\x1d\xc2\x00\xc9\x83\x3d\xa7\x26\xe9\x37\x6c\x2e\x32\xcf\xf7");
        }
    }
    tls_mac_maker_free(&maker);
    assert_null(maker);
}

/* Its place in memory says nothing: after a reload another key may lie there. */
static void a_key_is_known_by_its_bytes(void **state)
{
    struct tls_mac_maker *maker = tls_mac_maker_new();
    unsigned char first[9][TLS_MAC_BYTES];
    unsigned char mac[TLS_MAC_BYTES];
    char key[] = "key 0";

    (void)state;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 9; i++) {
            key[4] = (char)('0' + i);
            assert_true(tls_mac_make(maker, bytes_of(key), BYTES("message"), mac));
            if (round == 0) {
                memcpy(first[i], mac, sizeof(mac));
            }
            assert_memory_equal(mac, first[i], sizeof(mac));
            assert_true(i == 0 || memcmp(mac, first[i - 1], sizeof(mac)) != 0);
        }
    }
    tls_mac_maker_free(&maker);
}

static void none_without_a_maker(void **state)
{
    unsigned char mac[TLS_MAC_BYTES];

    (void)state;
    assert_false(tls_mac_make(NULL, BYTES("key"), BYTES("message"), mac));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_published),
        cmocka_unit_test(a_key_is_known_by_its_bytes),
        cmocka_unit_test(none_without_a_maker),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
