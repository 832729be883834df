/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/h2/h2_pull.h"

#include <nghttp2/nghttp2.h>

#define HEAD_BYTES 9 /* of a frame */

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

static int on_send_data(nghttp2_session *library, nghttp2_frame *frame, const uint8_t *head,
                        size_t length, nghttp2_data_source *source, void *session)
{
    const struct h2_pull_writer *writer = session;

    (void)library, (void)frame; /* no padding is asked for */
    return writer->write_data(writer->owner, source->ptr,
                              (struct bytes){(const char *)head, HEAD_BYTES}, length)
               ? 0
               : NGHTTP2_ERR_CALLBACK_FAILURE;
}

void h2_pull_set_callback(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_data);
}
