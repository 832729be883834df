/* SPDX-License-Identifier: BSD-2-Clause */
/* See human.h. */
#include "remote/human.h"

#include <stddef.h>
#include <stdio.h>

/* Three digits that matter, and the unit. */
static struct human scaled(double number, double step, const char *const *units, size_t count)
{
    struct human human;
    size_t unit = 0;
    int digits;

    while (number >= (step > 1000 ? 1000 : 999.5) && unit + 1 < count) {
        number /= step;
        unit++;
    }
    digits = unit == 0 || number >= 99.95 ? 0 : number >= 9.995 ? 1 : 2;
    snprintf(human.text, sizeof(human.text), "%.*f%s", digits, number, units[unit]);
    return human;
}

struct human human_count(double number)
{
    static const char *const units[] = {"", "k", "M", "G", "T"};

    if (number > 0 && number < 9.95 && number != (double)(uint64_t)number) {
        struct human human;

        snprintf(human.text, sizeof(human.text), "%.1f", number);
        return human;
    }
    return scaled(number, 1000, units, sizeof(units) / sizeof(units[0]));
}

struct human human_bytes(double number)
{
    static const char *const units[] = {" B", " KiB", " MiB", " GiB", " TiB"};

    return scaled(number, 1024, units, sizeof(units) / sizeof(units[0]));
}

struct human human_duration(double us)
{
    struct human human = {"-"};

    if (us >= 999500) {
        snprintf(human.text, sizeof(human.text), us < 9.95e6 ? "%.1f s" : "%.0f s", us / 1e6);
    } else if (us >= 999.5) {
        snprintf(human.text, sizeof(human.text), us < 9950 ? "%.1f ms" : "%.0f ms", us / 1e3);
    } else if (us > 0) {
        snprintf(human.text, sizeof(human.text), "%.0f us", us);
    }
    return human;
}

struct human human_span(uint64_t seconds)
{
    static const struct unit {
        uint64_t size;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    struct human human = {"0s"};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        uint64_t rest = seconds % units[i].size;

        if (seconds < units[i].size) {
            continue;
        }
        if (units[i].size > 1 && rest / units[i + 1].size > 0) {
            snprintf(human.text, sizeof(human.text), "%llu%s %llu%s",
                     (unsigned long long)(seconds / units[i].size), units[i].name,
                     (unsigned long long)(rest / units[i + 1].size), units[i + 1].name);
        } else {
            snprintf(human.text, sizeof(human.text), "%llu%s",
                     (unsigned long long)(seconds / units[i].size), units[i].name);
        }
        break;
    }
    return human;
}

struct human human_percent(double share)
{
    struct human human = {"0%"};
    double percent = share * 100;

    if (percent > 0) {
        snprintf(human.text, sizeof(human.text),
                 percent < 1    ? "%.2f%%"
                 : percent < 10 ? "%.1f%%"
                                : "%.0f%%",
                 percent);
    }
    return human;
}
