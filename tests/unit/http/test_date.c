/* SPDX-License-Identifier: BSD-2-Clause */
/* http/date: RFC 9110 section 5.6.7. */
#include "http/date.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void expect(time_t when, const char *expected)
{
    char out[HTTP_DATE_LENGTH + 1];

    http_date_format(when, out);
    assert_string_equal(out, expected);
}

static void rfc9110_5_6_7_imf_fixdate(void **state)
{
    (void)state;
    expect(784111777, "Sun, 06 Nov 1994 08:49:37 GMT");
    expect(0, "Thu, 01 Jan 1970 00:00:00 GMT");
    expect(951782399, "Mon, 28 Feb 2000 23:59:59 GMT");
    expect(951782400, "Tue, 29 Feb 2000 00:00:00 GMT");
    expect(4102444799, "Thu, 31 Dec 2099 23:59:59 GMT");
    expect(253402300799, "Fri, 31 Dec 9999 23:59:59 GMT");
}

static void times_without_such_a_form_become_the_epoch(void **state)
{
    (void)state;
    expect(253402300800, "Thu, 01 Jan 1970 00:00:00 GMT");
    expect(INT64_MAX, "Thu, 01 Jan 1970 00:00:00 GMT");
    expect(INT64_MIN, "Thu, 01 Jan 1970 00:00:00 GMT");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc9110_5_6_7_imf_fixdate),
        cmocka_unit_test(times_without_such_a_form_become_the_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
