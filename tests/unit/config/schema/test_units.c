/* SPDX-License-Identifier: BSD-2-Clause */
/* config/schema/units: what is a time, a size, a percent, a count, and what is not. */
#include "config/schema/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

typedef enum unit_verdict (*reader)(struct bytes text, uint64_t *value);

static void expect(reader read, const char *text, uint64_t expected)
{
    uint64_t value = 0;

    assert_int_equal(read(bytes_of(text), &value), UNIT_READ);
    assert_true(value == expected);
}

static void expect_verdict(reader read, const char *text, enum unit_verdict verdict)
{
    uint64_t value = 0;

    if (read(bytes_of(text), &value) != verdict) {
        fprintf(stderr, "of '%s'\n", text);
    }
    assert_int_equal(read(bytes_of(text), &value), verdict);
}

static void times_have_units(void **state)
{
    (void)state;
    expect(config_read_time, "250ms", 250);
    expect(config_read_time, "5s", 5000);
    expect(config_read_time, "2m", 120000);
    expect(config_read_time, "1h", 3600000);
    expect(config_read_time, "1d", 86400000);
    expect(config_read_time, "0s", 0);
    expect_verdict(config_read_time, "10", UNIT_BARE);
    expect_verdict(config_read_time, "s", UNIT_WRONG);
    expect_verdict(config_read_time, "", UNIT_WRONG);
    expect_verdict(config_read_time, "10 s", UNIT_WRONG);
    expect_verdict(config_read_time, "1.5s", UNIT_WRONG);
    expect_verdict(config_read_time, "-1s", UNIT_WRONG);
    expect_verdict(config_read_time, "1S", UNIT_WRONG);
    expect_verdict(config_read_time, "1h30m", UNIT_WRONG);
}

static void sizes_are_binary_or_decimal(void **state)
{
    (void)state;
    expect(config_read_size, "512B", 512);
    expect(config_read_size, "64KiB", 65536);
    expect(config_read_size, "1MiB", 1048576);
    expect(config_read_size, "1GiB", 1073741824);
    expect(config_read_size, "1kB", 1000);
    expect(config_read_size, "2MB", 2000000);
    expect(config_read_size, "3GB", 3000000000u);
    expect_verdict(config_read_size, "4096", UNIT_BARE);
    expect_verdict(config_read_size, "64k", UNIT_WRONG);
    expect_verdict(config_read_size, "64KB", UNIT_WRONG);
    expect_verdict(config_read_size, "64Kib", UNIT_WRONG);
}

static void percents_go_in_hundredths(void **state)
{
    (void)state;
    expect(config_read_percent, "95%", 9500);
    expect(config_read_percent, "0.01%", 1);
    expect(config_read_percent, "0.1%", 10);
    expect(config_read_percent, "99.99%", 9999);
    expect(config_read_percent, "100%", 10000);
    expect(config_read_percent, "0%", 0);
    expect_verdict(config_read_percent, "95", UNIT_BARE);
    expect_verdict(config_read_percent, "0.5", UNIT_BARE);
    expect_verdict(config_read_percent, "0.001%", UNIT_TOO_FINE);
    expect_verdict(config_read_percent, ".5%", UNIT_WRONG);
    expect_verdict(config_read_percent, "5.%", UNIT_WRONG);
    expect_verdict(config_read_percent, "5%%", UNIT_WRONG);
    expect_verdict(config_read_percent, "five%", UNIT_WRONG);
}

static void what_is_too_large_stays_too_large(void **state)
{
    (void)state;
    expect(config_read_count, "18446744073709551616", UINT64_MAX);
    expect(config_read_count, "99999999999999999999999999", UINT64_MAX);
    expect(config_read_time, "18446744073709551615d", UINT64_MAX);
    expect(config_read_size, "99999999999999999999GiB", UINT64_MAX);
    expect(config_read_percent, "999999999999999999999%", UINT64_MAX);
}

static void counts_have_no_unit(void **state)
{
    (void)state;
    expect(config_read_count, "0", 0);
    expect(config_read_count, "100", 100);
    expect_verdict(config_read_count, "100B", UNIT_WRONG);
    expect_verdict(config_read_count, "1e3", UNIT_WRONG);
    expect_verdict(config_read_count, "+1", UNIT_WRONG);
    expect_verdict(config_read_count, "0x10", UNIT_WRONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_have_units),
        cmocka_unit_test(sizes_are_binary_or_decimal),
        cmocka_unit_test(percents_go_in_hundredths),
        cmocka_unit_test(counts_have_no_unit),
        cmocka_unit_test(what_is_too_large_stays_too_large),
    };

    return cmocka_run_group_tests_name("config/schema/units", tests, NULL, NULL);
}
