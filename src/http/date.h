/* SPDX-License-Identifier: BSD-2-Clause */
/* The Date field's form of a time (RFC 9110 section 5.6.7, IMF-fixdate). Called by code that
 * writes answers, and keeps the text for as long as the second lasts. */
#ifndef HTTP_DATE_H
#define HTTP_DATE_H

#include <time.h>

#define HTTP_DATE_LENGTH 29

/* Times outside the years 0 to 9999 cannot be told in this form; 1970 begins then. */
void http_date_format(time_t when, char out[HTTP_DATE_LENGTH + 1]);

#endif
