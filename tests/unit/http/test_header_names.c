/* SPDX-License-Identifier: BSD-2-Clause */
/* http/header_names: every name of the table is found in any case, and nothing else is. */
#include "http/header_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <ctype.h>
#include <stdlib.h>

/* From an exact copy, so that a sanitizer sees a read past its end. */
static enum http_header_id id_of(const char *name, size_t length)
{
    char *copy = malloc(length + 1);
    enum http_header_id id;

    memcpy(copy + 1, name, length);
    id = http_header_id_of(copy + 1, length);
    free(copy);
    return id;
}

static void every_name_is_found_in_any_case(void **state)
{
    (void)state;
    for (int id = HTTP_HEADER_OTHER + 1; id < HTTP_HEADER_X_FORWARDED_ANY; id++) {
        struct bytes name = http_header_name_of((enum http_header_id)id);
        char lower[64];
        char upper[64];

        assert_true(name.length > 0);
        for (size_t i = 0; i < name.length; i++) {
            lower[i] = (char)tolower(name.at[i]);
            upper[i] = (char)toupper(name.at[i]);
        }
        assert_int_equal(id_of(name.at, name.length), id);
        assert_int_equal(id_of(lower, name.length), id);
        assert_int_equal(id_of(upper, name.length), id);
    }
}

static void one_wrong_byte_is_another_name(void **state)
{
    (void)state;
    for (int id = HTTP_HEADER_OTHER + 1; id < HTTP_HEADER_X_FORWARDED_ANY; id++) {
        struct bytes name = http_header_name_of((enum http_header_id)id);
        char changed[64];

        memcpy(changed, name.at, name.length);
        for (size_t i = 0; i < name.length; i++) {
            for (int byte = 0; byte < 256; byte++) {
                if (tolower(byte) != tolower(name.at[i])) {
                    changed[i] = (char)byte;
                    assert_int_equal(id_of(changed, name.length), HTTP_HEADER_OTHER);
                }
            }
            changed[i] = name.at[i];
        }
    }
}

static void other_lengths_are_other_names(void **state)
{
    char text[64] = "";

    (void)state;
    for (size_t length = 0; length < sizeof(text); length++) {
        assert_int_equal(id_of(text, length), HTTP_HEADER_OTHER);
    }
    assert_int_equal(id_of("Hos", 3), HTTP_HEADER_OTHER);
    assert_int_equal(id_of("Hosts", 5), HTTP_HEADER_OTHER);
    assert_int_equal(id_of("T", 1), HTTP_HEADER_OTHER);
    assert_int_equal(id_of("Content_Length", 14), HTTP_HEADER_OTHER);
    assert_int_equal(http_header_name_of(HTTP_HEADER_OTHER).length, 0);
}

static void a_name_with_underscores_for_dashes_is_reported(void **state)
{
    (void)state;
    assert_int_equal(http_header_id_received("Client_Cert", 11), HTTP_HEADER_DISGUISED);
    assert_int_equal(http_header_id_received("x_forwarded-FOR", 15), HTTP_HEADER_DISGUISED);
    assert_int_equal(http_header_id_received("Content-Length", 14), HTTP_HEADER_CONTENT_LENGTH);
    assert_int_equal(http_header_id_received("Content_Lengts", 14), HTTP_HEADER_OTHER);
    assert_int_equal(http_header_id_received("X_Forwarded", 11), HTTP_HEADER_OTHER);
    assert_int_equal(http_header_id_received("X.Real!IP", 9), HTTP_HEADER_DISGUISED);
    assert_int_equal(http_header_id_received("x_forwarded-Port", 16), HTTP_HEADER_DISGUISED);
    assert_int_equal(http_header_id_received("", 0), HTTP_HEADER_OTHER);
    assert_int_equal(http_header_name_of(HTTP_HEADER_DISGUISED).length, 0);
}

static void all_of_x_forwarded_are_reported(void **state)
{
    char text[64] = "x-forwarded-";

    (void)state;
    memset(text + 12, 'q', sizeof(text) - 12);
    assert_int_equal(http_header_id_received(text, 12), HTTP_HEADER_OTHER);
    for (size_t length = 13; length <= sizeof(text); length++) {
        assert_int_equal(http_header_id_received(text, length), HTTP_HEADER_X_FORWARDED_ANY);
        assert_int_equal(id_of(text, length), HTTP_HEADER_OTHER);
        text[1] = '_';
        assert_int_equal(http_header_id_received(text, length), HTTP_HEADER_DISGUISED);
        text[1] = '-';
        text[0] = 'y';
        assert_int_equal(http_header_id_received(text, length), HTTP_HEADER_OTHER);
        text[0] = 'x';
    }
    assert_int_equal(http_header_name_of(HTTP_HEADER_X_FORWARDED_ANY).length, 0);
}

static void names_that_cgi_makes_one_meet(void **state)
{
    (void)state;
    assert_true(http_header_names_meet(BYTES("X-Tenant"), BYTES("x_TENANT")));
    assert_true(http_header_names_meet(BYTES("X-Tenant"), BYTES("x.tenant")));
    assert_false(http_header_names_meet(BYTES("X-Tenant"), BYTES("X-Tenan")));
    assert_false(http_header_names_meet(BYTES("X-Tenant"), BYTES("X-Tenanu")));
    assert_false(http_header_names_meet(BYTES("X-1"), BYTES("X--")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_is_found_in_any_case),
        cmocka_unit_test(one_wrong_byte_is_another_name),
        cmocka_unit_test(other_lengths_are_other_names),
        cmocka_unit_test(a_name_with_underscores_for_dashes_is_reported),
        cmocka_unit_test(all_of_x_forwarded_are_reported),
        cmocka_unit_test(names_that_cgi_makes_one_meet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
