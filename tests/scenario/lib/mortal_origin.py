# SPDX-License-Identifier: BSD-2-Clause
"""An origin that gets as far as POINT with its first request and then stands still, to be killed.
Says "port N" once it listens and "at POINT" once it stands still. Adds a line to the file EXECUTED
for every request that it has read in full: that is where a payment would have been made.

    mortal_origin.py POINT EXECUTED [CERTIFICATE KEY]

With the last two it speaks TLS.
"""
import fcntl
import socket
import ssl
import struct
import sys
import termios
import time

point, executed, *tls = sys.argv[1:]


def say(text):
    print(text, flush=True)


def stand_still():
    say(f"at {point}")
    while True:
        time.sleep(3600)


def unread_bytes(port):
    """What waits in the kernel for a connection that was not accepted."""
    with open("/proc/net/tcp") as table:
        for line in table:
            columns = line.split()
            if columns[1].endswith(f":{port:04X}") and columns[3] == "01":
                return int(columns[4].split(":")[1], 16)
    return 0


def waiting_bytes(connection):
    answer = fcntl.ioctl(connection, termios.FIONREAD, struct.pack("i", 0))
    return struct.unpack("i", answer)[0]


def until_positive(ask, what):
    while ask(what) == 0:
        time.sleep(0.001)


def read_until(connection, so_far, enough):
    while not enough(so_far):
        more = connection.recv(1)
        if not more:
            sys.exit("the gateway closed the connection")
        so_far += more
    return so_far


def read_chunks(connection, stops_in_it):
    """The body, or its first chunk."""
    size = 1
    while size > 0:
        line = read_until(connection, b"", lambda bytes: bytes.endswith(b"\r\n"))
        size = int(line, 16)
        read_until(connection, b"", lambda bytes: len(bytes) == size + 2)
        if stops_in_it:
            return



listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]
say(f"port {port}")
if point == "accept":
    until_positive(unread_bytes, port)
    stand_still()
connection, _ = listener.accept()
if point == "handshake":
    until_positive(waiting_bytes, connection)
    connection.recv(5)
    stand_still()
if tls:
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(*tls)
    connection = ours.wrap_socket(connection, server_side=True)
if point == "read":
    until_positive(waiting_bytes, connection)
    stand_still()
request = read_until(connection, b"", lambda bytes: len(bytes) == 10)
if point == "head":
    stand_still()
request = read_until(connection, request, lambda bytes: bytes.endswith(b"\r\n\r\n"))
if b"chunked" in request.lower():
    read_chunks(connection, point == "body")
    if point == "body":
        stand_still()
else:
    length = 0
    for line in request.decode().split("\r\n"):
        if line.lower().startswith("content-length:"):
            length = int(line.split(":")[1])
    body = read_until(connection, b"", lambda bytes: len(bytes) == length // 2)
    if point == "body":
        stand_still()
    read_until(connection, body, lambda bytes: len(bytes) == length)
with open(executed, "a") as file:
    file.write("mortal\n")
if point == "after-body":
    stand_still()
connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")
if point == "answer-head":
    stand_still()
connection.sendall(b"ngth: 10\r\n\r\n12345")
stand_still()
