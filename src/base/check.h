/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks for programmer errors, always on: a broken invariant stops the process
 * with the place and the sentence, since going on could run a payment twice.
 * Never used for input from the network, a file or the kernel. */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

void check_failed(const char *file, int line, const char *what) __attribute__((noreturn, cold));

#define CHECK(condition) \
    do { \
        if (__builtin_expect(!(condition), 0)) { \
            check_failed(__FILE__, __LINE__, #condition); \
        } \
    } while (0)

#endif
