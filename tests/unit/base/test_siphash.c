/* SPDX-License-Identifier: BSD-2-Clause */
/* base/siphash against the vectors of its authors. */
#include "base/siphash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* Key 00 01 ... 0f, messages 00 01 02 ... of each length: the reference implementation's table. */
static void the_authors_vectors(void **state)
{
    static const struct {
        size_t length;
        uint64_t hash;
    } vectors[] = {
        {0, 0x726fdb47dd0e0e31u},  {1, 0x74f839c593dc67fdu},  {2, 0x0d6c8009d9a94f5au},
        {3, 0x85676696d7fb7e2du},  {7, 0xab0200f58b01d137u},  {8, 0x93f5f5799a932462u},
        {15, 0xa129ca6149be45e5u}, {16, 0x3f2acc7f57c29bdbu},
    };
    const struct siphash_key key = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
    char message[16];

    (void)state;
    for (size_t i = 0; i < sizeof(message); i++) {
        message[i] = (char)i;
    }
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        assert_true(siphash(&key, (struct bytes){message, vectors[i].length}) == vectors[i].hash);
    }
}

static void a_number_is_its_eight_bytes(void **state)
{
    const struct siphash_key key = {3, 5};

    (void)state;
    assert_true(siphash_number(&key, 0x0807060504030201u) ==
                siphash(&key, (struct bytes){"\1\2\3\4\5\6\7\10", 8}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_authors_vectors),
        cmocka_unit_test(a_number_is_its_eight_bytes),
    };

    return cmocka_run_group_tests_name("siphash", tests, NULL, NULL);
}
