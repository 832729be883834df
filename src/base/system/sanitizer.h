/* SPDX-License-Identifier: BSD-2-Clause */
/* Is this a build under AddressSanitizer? What costs too much elsewhere is checked there, and what
 * takes its time there is made shorter. ADDRESS_SANITIZER is defined then, and not otherwise. */
#ifndef BASE_SYSTEM_SANITIZER_H
#define BASE_SYSTEM_SANITIZER_H

#if defined(__has_feature) /* clang's word */
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER
#endif
#elif defined(__SANITIZE_ADDRESS__) /* gcc's */
#define ADDRESS_SANITIZER
#endif

#endif
