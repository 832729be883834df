#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Bytes of resident memory that a gateway holds for each idle HTTP/2 connection over TLS, and for
each connection with streams that wait for their origin. Turnpike, and nginx and HAProxy where they
are installed, each with one worker.

    idle_http2.py [--binary build/src/turnpike] [--connections 400] [--streams 0] [--plain]

The figure is the growth of resident memory between a first lot of connections, which fills whatever
is had once, and a second one. With --streams each connection leaves so many requests unanswered."""

import argparse
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from contenders import CIPHERS, certificate, write  # noqa: E402
from frames import (ACK, DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, SETTINGS,  # noqa: E402
                    frame, text)


def literal(name, value):
    """Goes into the table, as a browser's fields do."""
    return b"\x40" + text(name) + text(value)


FIELDS = [(b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130"),
          (b"accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
          (b"accept-language", b"en-US,en;q=0.5"), (b"accept-encoding", b"gzip, deflate, br"),
          (b"cookie", b"session=0123456789abcdef0123456789abcdef; theme=dark")]


def request(stream):
    path = b"/wait" if stream > 1 else b"/"
    if stream == 1:
        rest = b"".join(literal(name, value) for name, value in FIELDS)
    else:
        rest = bytes([0x80 | index for index in (62, 63, 64, 65, 66)])
    authority = b"\x01" + text(b"bench.tes")
    return frame(HEADERS, END_STREAM | END_HEADERS, stream,
                 b"\x82\x87\x04" + text(path) + authority + rest)


class Connection:
    def __init__(self, port, context):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            self.socket = context.wrap_socket(self.socket, server_hostname="bench.test")
        self.held = b""
        self.socket.sendall(PREFACE + frame(SETTINGS, 0, 0) + request(1))
        self.answered = False
        while not self.answered:
            self.take()

    def take(self):
        while len(self.held) < 9:
            self.more()
        length, kind, flags = int.from_bytes(self.held[:3], "big"), self.held[3], self.held[4]
        while len(self.held) < 9 + length:
            self.more()
        if kind == SETTINGS and not flags & ACK:
            self.socket.sendall(frame(SETTINGS, ACK, 0))
        self.answered |= kind in (DATA, HEADERS) and flags & END_STREAM != 0
        self.held = self.held[9 + length:]

    def more(self):
        part = self.socket.recv(65536)
        if not part:
            raise SystemExit("the gateway closed a connection")
        self.held += part

    def leave_open(self, count):
        self.socket.sendall(b"".join(request(2 * i + 3) for i in range(count)))


def origin():
    """Answers 13 bytes, but /wait never."""
    server = socket.create_server(("127.0.0.1", 0), backlog=4096)

    def serve(client):
        held = b""
        while part := client.recv(65536):
            held += part
            while b"\r\n\r\n" in held:
                head, held = held.split(b"\r\n\r\n", 1)
                if b" /wait" not in head:
                    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World!")

    def accept():
        while True:
            threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return server.getsockname()[1]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def turnpike(arguments, folder, port, to, cert, key):
    secured = f"tls: {{certificates: [{{cert: {cert}, key: {key}}}]}}"
    path = write(f"{folder}/turnpike.yaml", f"""
workers: 1
listeners: [{{address: "127.0.0.1:{port}", {"" if arguments.plain else "http2: true, "}{"h2c: true" if arguments.plain else secured}}}]
services: {{app: {{origins: ["127.0.0.1:{to}"], limits: {{max_connections: 20000, max_pending: 20000}}}}}}
routes: [{{name: all, service: app}}]
timeouts: {{keepalive_idle: 600s, first_byte: 600s}}
access_log: off
""")
    return [arguments.binary, "-c", path]


def nginx(arguments, folder, port, to, cert, key):
    path = write(f"{folder}/nginx.conf", f"""
daemon off; master_process off; error_log stderr emerg; pid {folder}/nginx.pid;
events {{ worker_connections 20000; }}
http {{
    access_log off; keepalive_timeout 600s; ssl_ciphers {CIPHERS}; ssl_certificate {cert};
    ssl_certificate_key {key}; proxy_http_version 1.1; proxy_read_timeout 600s;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    upstream origin {{ server 127.0.0.1:{to}; keepalive 128; }}
    server {{ listen 127.0.0.1:{port} {"" if arguments.plain else "ssl"} http2;
             location / {{ proxy_pass http://origin; proxy_set_header Connection ""; }} }}
}}
""")
    return ["nginx", "-c", path, "-p", folder]


def haproxy(arguments, folder, port, to, cert, key):
    secured = f"ssl crt {folder}/bench.pem alpn h2"
    path = write(f"{folder}/haproxy.cfg", f"""
global
    nbthread 1
    maxconn 5000
defaults
    mode http
    timeout client 600s
    timeout server 600s
    timeout connect 5s
frontend in
    bind 127.0.0.1:{port} {"proto h2" if arguments.plain else secured}
    default_backend out
backend out
    http-reuse always
    server one 127.0.0.1:{to}
""")
    return ["haproxy", "-db", "-f", path]


def resident(pid):
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss_Anon"))


def settled(pid):
    """What a gateway puts off, to the end of a turn or until a connection has been idle for a
    while, is done by then."""
    time.sleep(3)
    before, now = -1, resident(pid)
    while before != now:
        before = now
        time.sleep(0.5)
        now = resident(pid)
    return now


def connected(port, context, process):
    for _ in range(200):
        try:
            return Connection(port, context)
        except ConnectionRefusedError:
            if process.poll() is not None:
                raise SystemExit("the gateway does not start")
            time.sleep(0.05)
    raise SystemExit("the gateway does not listen")


def measure(command, port, arguments, context):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    held, figures = [], []
    try:
        held.append(connected(port, context, process))
        for lot in (arguments.connections, 2 * arguments.connections):
            while len(held) < lot:
                held.append(Connection(port, context))
                held[-1].leave_open(arguments.streams)
            figures.append(settled(process.pid))
        return (figures[1] - figures[0]) / arguments.connections
    finally:
        for connection in held:
            connection.socket.close()
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="build/src/turnpike")
    parser.add_argument("--connections", type=int, default=400)
    parser.add_argument("--streams", type=int, default=0)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--only", help="one of turnpike, nginx, haproxy")
    arguments = parser.parse_args()
    context = None
    if not arguments.plain:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
    for make in (turnpike, nginx, haproxy):
        name = make.__name__
        if arguments.only not in (None, name) or (make is not turnpike and not shutil.which(name)):
            continue
        with tempfile.TemporaryDirectory() as folder:
            cert, key, _ = certificate(folder)
            port = free_port()
            command = make(arguments, folder, port, origin(), cert, key)
            print(f"{name:9} {measure(command, port, arguments, context):9.0f} bytes", flush=True)


main()
