/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/h2/h2_pull.h"

#include <nghttp2/nghttp2.h>

ssize_t h2_pull_tell(enum h2_pull pull, size_t length, uint32_t *flags)
{
    *flags = NGHTTP2_DATA_FLAG_NO_COPY;
    switch (pull) {
    case H2_PULL_SOME:
        return (ssize_t)length;
    case H2_PULL_LAST:
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        return (ssize_t)length;
    case H2_PULL_TRAILED:
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        return (ssize_t)length;
    case H2_PULL_PAUSE:
        return NGHTTP2_ERR_PAUSE;
    case H2_PULL_WAIT:
        break;
    }
    return NGHTTP2_ERR_DEFERRED;
}
