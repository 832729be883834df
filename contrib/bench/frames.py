# SPDX-License-Identifier: BSD-2-Clause
"""Frames of HTTP/2, for the clients that are written here (RFC 9113 sections 4.1 and 6)."""

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 2, 3, 4, 6, 7
WINDOW_UPDATE, CONTINUATION = 8, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1
HEAD_BYTES = 9


def frame(kind, flags, stream, payload=b""):
    return (len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
            + payload)


def text(value):
    """RFC 7541 section 5.2, as it is, and short."""
    assert len(value) < 127
    return bytes([len(value)]) + value
