/* SPDX-License-Identifier: BSD-2-Clause */
/* The vectors of FIPS 180-4: an audit log is compared with what sha256sum says. */
#include "process/reload/loaded_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

static void is_sha_256_in_small_letters(void **state)
{
    (void)state;
    assert_string_equal(fingerprint_of(BYTES("abc")).text,
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_string_equal(fingerprint_of(BYTES("")).text,
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_sha_256_in_small_letters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
