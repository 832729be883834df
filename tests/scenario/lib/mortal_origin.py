# SPDX-License-Identifier: BSD-2-Clause
"""An origin that gets as far as POINT with its first request and then stands still, to be killed.
Says "port N" once it listens and "at POINT" once it stands still. Adds a line to the file EXECUTED
for every request that it has read in full: that is where a payment would have been made.

    mortal_origin.py POINT EXECUTED
"""
import fcntl
import socket
import struct
import sys
import termios
import time

point, executed = sys.argv[1:]


def say(text):
    print(text, flush=True)


def stand_still():
    say(f"at {point}")
    while True:
        time.sleep(3600)


def unread_bytes(port):
    """What waits in the kernel for a connection that nobody has accepted."""
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


listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]
say(f"port {port}")
if point == "accept":
    until_positive(unread_bytes, port)
    stand_still()
connection, _ = listener.accept()
if point == "read":
    until_positive(waiting_bytes, connection)
    stand_still()
request = read_until(connection, b"", lambda bytes: len(bytes) == 10)
if point == "head":
    stand_still()
request = read_until(connection, request, lambda bytes: bytes.endswith(b"\r\n\r\n"))
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
