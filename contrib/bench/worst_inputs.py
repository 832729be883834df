# SPDX-License-Identifier: BSD-2-Clause
"""Worst inputs beside honest ones. Each case is one connection that sends its bytes again and again;
its honest twin sends requests with a body (or gets answers with one) of as many bytes. CPU is that
of the gateway's process, as the scheduler counts it. Then one attacker sends for a second or two
while an honest client on the same worker asks and measures. Called by worst_inputs.sh."""

import argparse
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from measure import cpu_ns
from processes import Failure, Processes, free_port

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TIMES_MOST = 20
MEDIAN_MOST_MS = 5.0
HEAD_BYTES = 28000

CONFIG = """
workers: 1
listeners:
  - {address: "127.0.0.1:%(port)d"}
  - {address: "127.0.0.1:%(h2c_port)d", h2c: true}
  - {address: "127.0.0.1:%(tls_port)d", tls: {certificates: [{cert: %(folder)s/cert.pem, key: %(folder)s/key.pem}]}}
limits: {head_bytes: 32KiB, target_bytes: 16KiB}
trusted_proxies: [127.0.0.0/8]
access_log: off
services:
  app: {origins: ["127.0.0.1:%(origin)d"]}
routes:
  - {name: honest, match: {path: /honest}, service: app}
  - {name: respond, match: {path: /r}, respond: {body: "r"}}
  - {name: edited, match: {path: /edited}, service: app, request_headers: {remove: [X-A, X-B, X-C, X-D, X-E]}}
%(conditions)s
%(stored)s
  - {name: named, match: {host: "*.named.example"}, service: app}
  - {name: rest, service: app}
"""


def conditions():
    """Forty routes that look at cookies, headers and the query before they do not fit."""
    rows = []
    for i in range(40):
        rows.append("  - {name: c%d, match: {path_prefix: /conditions/, headers: {X-%d: y}, "
                    "query: {k%d: v}}, service: app}" % (i, i, i))
    return "\n".join(rows)


STORED = 1000


def stored():
    """Routes that store answers: what changes a URI is looked for in the memory of each."""
    return "\n".join("  - {name: s%d, match: {path_prefix: /stored/%d/}, service: app, "
                     "cache: {ttl: 1h}}" % (i, i) for i in range(STORED))


def fill_stored(port):
    client = Client(port, b"".join(request(b"/stored/%d/" % i, method=b"GET")
                                   for i in range(STORED)), STORED)
    client.round()
    client.close()


# --- the origin: sends what the path asks for ---------------------------------------------------

def fields(count, size):
    return b"".join(b"X-%d: %s\r\n" % (i, b"v" * size) for i in range(count))


def two_letters(count, first=ord("a")):
    return [bytes([first + i // 26, ord("a") + i % 26]) for i in range(count)]


def tokens(size, words):
    unit = b",".join(words) + b","
    return b"Connection: " + (unit * (size // len(unit) + 1))[:size] + b"x\r\n"


def named_fields(size):
    """Fields, and a Connection that names them all, often."""
    words = two_letters(90)
    return b"".join(word + b": 1\r\n" for word in words) + tokens(size, words)


def chunks(count):
    return b"1\r\nx\r\n" * count + b"0\r\n\r\n"


LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n"
ANSWERS = {
    b"/tokens": LENGTH % 0 + named_fields(HEAD_BYTES) + b"\r\n",
    b"/other-tokens": LENGTH % 0 + b"".join(w + b": 1\r\n" for w in two_letters(90)) +
                      tokens(HEAD_BYTES, two_letters(100, ord("p"))) + b"\r\n",
    b"/fields": LENGTH % 0 + fields(90, HEAD_BYTES // 90 - 8) + b"\r\n",
    b"/short-fields": LENGTH % 0 + b"a:b\r\n" * 100 + b"\r\n",
    b"/chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(50000),
    b"/trailers": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + fields(90, 300) + b"\r\n",
    b"/interim": b"HTTP/1.1 103 \r\n\r\n" * 32 + LENGTH % 0 + b"\r\n",
    b"/segments": LENGTH % 4000 + b"\r\n" + b"s" * 4000,
    b"/head-segments": LENGTH % 0 + fields(20, 180) + b"\r\n",
}
IN_SEGMENTS = {b"/segments", b"/head-segments"}


def read_request(stream):
    head = b""
    while True:
        line = stream.readline()
        if not line:
            return None
        if line == b"\r\n":
            break
        head += line
    lower = head.lower()
    path = head.split(b" ", 2)[1].split(b"?")[0]
    if b"transfer-encoding: chunked" in lower:
        while (size := int(stream.readline().split(b";")[0], 16)) > 0:
            stream.read(size + 2)
        while stream.readline() not in (b"\r\n", b""):
            pass
    elif (at := lower.find(b"content-length: ")) >= 0:
        stream.read(int(lower[at + 16:lower.index(b"\r\n", at)]))
    return path


def answer_for(path):
    if path.startswith(b"/body-"):
        size = int(path[6:])
        return LENGTH % size + b"\r\n" + b"b" * size
    return ANSWERS.get(path, LENGTH % 2 + b"\r\nok")


def serve_one(connection):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream = connection.makefile("rb", 1 << 16)
    with connection, stream:
        try:
            while (path := read_request(stream)) is not None:
                send(connection, answer_for(path), path in IN_SEGMENTS)
        except (OSError, ValueError):
            pass


def serve(port):
    listening = socket.create_server(("127.0.0.1", port), backlog=200)
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=serve_one, args=(connection,), daemon=True).start()


# --- the clients --------------------------------------------------------------------------------

def send(connection, data, in_segments=False):
    if in_segments:
        for i in range(len(data)):
            connection.send(data[i:i + 1])
    else:
        connection.sendall(data)


READINGS = rb".;\/%2f%5c%3b%3f%252f%253f"


def request(path=b"/rest", more=b"", body=b"", method=b"POST", host=b"a"):
    return (b"%s %s HTTP/1.1\r\nHost: %s\r\n" % (method, path, host) + more +
            (b"Content-Length: %d\r\n" % len(body) if body else b"") + b"\r\n" + body)


class Client:
    """Asks the same again and again, on one connection for as long as that is kept."""

    def __init__(self, port, asks, answers=1, in_segments=False):
        self.asks, self.answers, self.in_segments = asks, answers, in_segments
        self.port = port
        self.connect()

    def connect(self):
        self.connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.connection.makefile("rb", 1 << 16)

    def reconnect(self):
        """The answer was the last one: of its connection's requests there is a limit."""
        self.close()
        self.connect()

    def read_answer(self):
        """Whether further ones can follow."""
        status = self.stream.readline()
        while status.startswith(b"HTTP/1.1 1"):
            while self.stream.readline() != b"\r\n":
                pass
            status = self.stream.readline()
        if not status.startswith(b"HTTP/1.1 2"):
            raise Failure(f"answer: {status!r}")
        length, chunked, stays = 0, False, True
        while (line := self.stream.readline()) != b"\r\n":
            lower = line.lower()
            if lower.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
            chunked = chunked or lower.startswith(b"transfer-encoding:")
            stays = stays and not lower.startswith(b"connection: close")
        while chunked and (size := int(self.stream.readline(), 16)) > 0:
            self.stream.read(size + 2)
        if chunked:
            while self.stream.readline() != b"\r\n":
                pass
        self.stream.read(length)
        return stays

    def round(self):
        """Sends while it reads: a pipeline may be longer than what sockets hold."""
        sender = threading.Thread(target=self.send_all)
        sender.start()
        stays = True
        for _ in range(self.answers):
            stays = self.read_answer()
            if not stays:
                break
        sender.join()
        if not stays:
            self.reconnect()

    def send_all(self):
        try:
            send(self.connection, self.asks, self.in_segments)
        except ConnectionError:
            pass  # the answers tell

    def close(self):
        self.stream.close()
        self.connection.close()


class Tls:
    """One connection of tls_flood."""

    def __init__(self, program, port, kind, count):
        self.words = [program, "client", str(port), kind, str(count)]

    def round(self):
        subprocess.run(self.words, check=True, stdout=subprocess.DEVNULL)

    def close(self):
        pass


# --- frames of HTTP/2 (RFC 9113 section 4.1), heads in literals of HPACK ------------------------

DATA, HEADERS, PRIORITY, RESET, SETTINGS, PING, WINDOW, CONTINUATION = 0, 1, 2, 3, 4, 6, 8, 9
END_STREAM, END_HEADERS = 1, 4
LAST_PING = b"the last"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags=0, stream=0, payload=b""):
    return (len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") +
            payload)


def setting(number, value):
    return frame(SETTINGS, payload=number.to_bytes(2, "big") + value.to_bytes(4, "big"))


def h2_head(path=b"/rest", method=b"\x82", more=b""):
    return method + b"\x86" + b"\x01\x01a" + b"\x04" + bytes([len(path)]) + path + more


def asked(stream, path=b"/rest"):
    return frame(HEADERS, END_STREAM | END_HEADERS, stream, h2_head(path))


def posted(stream):
    return frame(HEADERS, END_HEADERS, stream, h2_head(b"/rest", b"\x83"))


def odd(count):
    return range(1, 2 * count, 2)


def bomb(stream):
    """A value that is put into the table once, and named as often as a head has room for."""
    grown = b"\x40\x01x\x7f" + b"\x81\x1e" + b"v" * 4000  # 127 + 3873
    block = h2_head(more=grown + b"\xbe" * 40000)
    parts = [block[i:i + 16384] for i in range(0, len(block), 16384)]
    frames = [frame(HEADERS if i == 0 else CONTINUATION,
                    (END_STREAM if i == 0 else 0) | (END_HEADERS if i == len(parts) - 1 else 0),
                    stream, part) for i, part in enumerate(parts)]
    return b"".join(frames)


# How many requests a round of them has.
FLOODS_OF_REQUESTS = {"rapid reset": 2000, "heads that are malformed": 2000}


def h2_floods():
    yield "HPACK bomb", b"".join(bomb(stream) for stream in odd(4))
    yield "rapid reset", b"".join(asked(stream) + frame(RESET, 0, stream, b"\0\0\0\x08")
                                  for stream in odd(2000))
    yield "resets provoked from us", b"".join(asked(stream) + frame(WINDOW, 0, stream, b"\0" * 4)
                                             for stream in odd(2000))
    yield "CONTINUATION flood", (frame(HEADERS, 0, 1, h2_head()) +
                                 frame(CONTINUATION, 0, 1) * 20000)
    yield "DATA of a byte", posted(1) + frame(DATA, 0, 1, b"x") * 20000 + frame(DATA, END_STREAM, 1)
    yield "empty DATA", posted(1) + frame(DATA, 0, 1) * 20000
    yield "windows of a byte", (b"".join(asked(stream, b"/body-30000") for stream in odd(100)) +
                                (setting(4, 1) + setting(4, 0)) * 500)
    yield "WINDOW_UPDATE", frame(WINDOW, 0, 0, b"\0\0\0\x01") * 20000
    yield "SETTINGS", frame(SETTINGS) * 20000
    yield "PING", frame(PING, 0, 0, b"12345678") * 20000
    yield "PRIORITY", frame(PRIORITY, 0, 1, b"\0\0\0\x03\x10") * 20000
    yield "frames of an unknown type", frame(99) * 20000
    yield "heads that are malformed", b"".join(
        frame(HEADERS, END_STREAM | END_HEADERS, stream, h2_head(more=b"\0\x01A\x01b"))
        for stream in odd(2000))


class Http2Flood:
    """Sends its frames on a new connection, until all were read or the gateway has had enough."""

    def __init__(self, port, frames):
        self.port = port
        self.bytes = (PREFACE + setting(4, 0) + frames + frame(PING, 0, 0, LAST_PING))

    def round(self):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20,
                                              source_address=("127.0.0.2", 0))
        sender = threading.Thread(target=self.send_all, args=(connection,))
        sender.start()
        tail = b""
        try:
            while (got := connection.recv(1 << 16)) and LAST_PING not in tail + got:
                tail = got[-len(LAST_PING):]
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it was cut
        sender.join()
        connection.close()

    def send_all(self, connection):
        try:
            connection.sendall(self.bytes)
        except OSError:
            pass

    def close(self):
        pass


class Case:
    def __init__(self, name, attack, honest, rounds=60):
        self.name, self.attack, self.honest, self.rounds = name, attack, honest, rounds


def of_client(name, ports, data, answers=1, in_segments=False, rounds=60, honest=None):
    body = b"h" * max(1, len(data) - 60)
    return Case(name, lambda: Client(ports["plain"], data, answers, in_segments),
                honest or (lambda: Client(ports["plain"], request(b"/honest", body=body))), rounds)


def of_origin(name, ports, path, rounds=60):
    size = max(1, len(ANSWERS[path]) - 40)
    return Case(name, lambda: Client(ports["plain"], request(path, method=b"GET")),
                lambda: Client(ports["plain"], request(b"/body-%d" % size, method=b"GET")), rounds)


def of_tls(name, ports, program, kind, count, honest_bytes, rounds=6):
    return Case(name, lambda: Tls(program, ports["tls"], kind, count),
                lambda: Tls(program, ports["tls"], "request", honest_bytes), rounds)


class Http2Requests:
    """As many requests as a flood that is made of requests, on connections of a hundred streams,
    each of which waits for its answer."""

    STREAMS = 100

    def __init__(self, port, count):
        self.port = port
        self.count = count
        self.bytes = (PREFACE + frame(SETTINGS) +
                      b"".join(asked(stream) for stream in odd(self.STREAMS)))

    def round(self):
        for _ in range(self.count // self.STREAMS):
            connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
            connection.sendall(self.bytes)
            self.read_answers(connection)
            connection.close()

    def read_answers(self, connection):
        came, left = b"", self.STREAMS
        while left > 0:
            came += connection.recv(1 << 16)
            while len(came) >= 9 and len(came) >= 9 + int.from_bytes(came[:3], "big"):
                left -= came[3] in (DATA, HEADERS) and came[4] & END_STREAM
                came = came[9 + int.from_bytes(came[:3], "big"):]

    def close(self):
        pass


def of_requests(name, ports, frames, count):
    return Case("HTTP/2: " + name, lambda: Http2Flood(ports["h2c"], frames),
                lambda: Http2Requests(ports["h2c"], count), 10)


def of_http2(name, ports, frames, rounds=10):
    """Its twin is a connection with requests whose bodies have as many bytes, as windows allow."""
    if name in FLOODS_OF_REQUESTS:
        return of_requests(name, ports, frames, FLOODS_OF_REQUESTS[name])
    honest = b"".join(posted(stream) + frame(DATA, 0, stream, b"h" * 16000) * 3 +
                      frame(DATA, END_STREAM, stream)
                      for stream in odd(1 + min(15, len(frames) // 48000)))
    return Case("HTTP/2: " + name, lambda: Http2Flood(ports["h2c"], frames),
                lambda: Http2Flood(ports["h2c"], honest), rounds)


def cases(ports, program):
    post = b"Transfer-Encoding: chunked\r\n"
    one = request(b"/r", method=b"GET")
    pairs = b"; ".join(b"%s=1" % word for word in two_letters(300))
    cookie = b"Cookie: " + (pairs + b"; ") * (HEAD_BYTES // len(pairs)) + b"z=1\r\n"
    query = b"&".join(b"%s=1" % word for word in two_letters(600))[:8000]
    addresses = b", ".join([b"127.0.0.1"] * (HEAD_BYTES // 11))
    elements = b", ".join([b"for=127.0.0.1"] * (HEAD_BYTES // 15))
    yield of_client("head: tokens of Connection", ports, request(more=named_fields(HEAD_BYTES)))
    yield of_client("head: tokens that name nothing", ports,
                    request(more=b"".join(w + b": 1\r\n" for w in two_letters(90)) +
                            tokens(HEAD_BYTES, two_letters(100, ord("p")))))
    yield of_client("head: 98 long lines", ports, request(more=fields(98, HEAD_BYTES // 98 - 8)))
    yield of_client("head: 98 lines that are edited", ports,
                    request(b"/edited", more=b"X-AA: b\r\n" * 98))
    yield of_client("head: cookies", ports, request(b"/conditions/a", more=cookie))
    yield of_client("head: query, 40 routes ask", ports, request(b"/conditions/a?" + query))
    yield of_client("head: lines, 40 routes ask", ports,
                    request(b"/conditions/a", more=b"X-AA: b\r\n" * 98))
    yield of_client("head: query, path of many readings", ports,
                    request(b"/conditions/" + READINGS + b"?" + query))
    yield of_client("head: host, path of many readings", ports,
                    request(b"/" + READINGS, host=b"." * 254))
    yield of_client("head: path of escapes", ports, request(b"/" + b"%61" * 2600))
    yield of_client("head: path of dot segments", ports, request(b"/a/.." * 1300 + b"/b"))
    changed = b"/" + b"c" * 12000
    yield of_client("head: long URI changed, 1,000 caches", ports, request(changed),
                    honest=lambda: Client(ports["plain"], request(changed, method=b"GET")))
    yield of_client("head: X-Forwarded-For", ports,
                    request(more=b"X-Forwarded-For: " + addresses + b"\r\n"))
    yield of_client("head: Forwarded", ports, request(more=b"Forwarded: " + elements + b"\r\n"))
    yield of_client("head: in segments of a byte", ports, request(more=fields(20, 180)),
                    in_segments=True, rounds=5)
    yield of_client("body: in segments of a byte", ports, request(body=b"s" * 4000),
                    in_segments=True, rounds=5)
    yield of_client("body: chunks of a byte", ports, request(more=post) + chunks(50000), rounds=10)
    yield of_client("body: chunk extensions", ports,
                    request(more=post) + b"1;a=" * 0 + (b"1;" + b"e" * 250 + b"\r\nx\r\n") * 16 +
                    b"0\r\n\r\n")
    yield of_client("body: trailers", ports,
                    request(more=post) + b"1\r\nx\r\n0\r\n" + fields(90, 300) + b"\r\n")
    yield of_client("2,000 pipelined requests", ports, one * 2000, answers=2000, rounds=3,
                    honest=lambda: Repeated(ports["plain"], one, 2000))
    yield of_tls("TLS: records of a byte", ports, program, "bytes", 20000, 20000 * 23)
    yield of_tls("TLS: key updates", ports, program, "keys", 2000, 2000 * 27)
    for name, frames in h2_floods():
        yield of_http2(name, ports, frames)
    yield of_origin("answer: tokens of Connection", ports, b"/tokens")
    yield of_origin("answer: tokens that name nothing", ports, b"/other-tokens")
    yield of_origin("answer: 90 long lines", ports, b"/fields")
    yield of_origin("answer: 100 short lines", ports, b"/short-fields")
    yield of_origin("answer: chunks of a byte", ports, b"/chunks", rounds=10)
    yield of_origin("answer: trailers", ports, b"/trailers")
    yield of_origin("answer: 32 interim ones", ports, b"/interim")
    yield of_origin("answer: in segments of a byte", ports, b"/segments", rounds=5)
    yield of_origin("answer: head in segments", ports, b"/head-segments", rounds=5)


class Repeated(Client):
    """As many requests as a pipeline has, one after the other."""

    def __init__(self, port, asks, count):
        super().__init__(port, asks)
        self.count = count

    def round(self):
        for _ in range(self.count):
            self.connection.sendall(self.asks)
            if not self.read_answer():
                self.reconnect()


# --- measuring ----------------------------------------------------------------------------------

def cost_us(pid, make, rounds):
    """CPU of the gateway for one round."""
    client = make()
    client.round()
    before = cpu_ns([pid])
    for _ in range(rounds):
        client.round()
    used = cpu_ns([pid]) - before
    client.close()
    return used / rounds / 1000


def attack_for_ever(make):
    client = make()
    while True:
        client.round()


def median_beside(make, port, seconds):
    """Of an honest client, while the attacker goes on."""
    attacker = multiprocessing.Process(target=attack_for_ever, args=(make,))
    attacker.start()
    time.sleep(0.1)
    median = median_of_honest(port, seconds)
    if not attacker.is_alive():
        raise Failure("the attacker stopped before its time")
    attacker.kill()
    attacker.join()
    return median


def median_of_honest(port, seconds):
    """Of its waits in ms."""
    honest = Client(port, request(b"/honest", method=b"GET"))
    waits = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.monotonic()
        honest.round()
        waits.append((time.monotonic() - began) * 1000)
        time.sleep(0.002)
    honest.close()
    return statistics.median(waits)


def prepare(folder, processes, options):
    ports = {"plain": free_port(), "h2c": free_port(), "tls": free_port(),
             "origin": free_port()}
    program = os.path.join(folder, "tls_flood")
    subprocess.run(["cc", "-O2", "-o", program, os.path.join(ROOT, "tests/peers/tls_flood.c"),
                    "-lssl", "-lcrypto"], check=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{folder}/key.pem", "-out",
                    f"{folder}/cert.pem", "-days", "30", "-subj", "/CN=a", "-addext",
                    "subjectAltName=DNS:a"], check=True, stderr=subprocess.DEVNULL)
    processes.start([sys.executable, os.path.abspath(__file__), "--origin", str(ports["origin"])])
    config = os.path.join(folder, "turnpike.yaml")
    with open(config, "w") as file:
        file.write(CONFIG % {"port": ports["plain"], "tls_port": ports["tls"],
                             "h2c_port": ports["h2c"], "folder": folder, "origin": ports["origin"],
                             "conditions": conditions(), "stored": stored()})
    gateway = processes.start([options.turnpike, "-c", config])
    processes.wait_until_answering(gateway, ports["plain"], "/honest")
    fill_stored(ports["plain"])
    return gateway.pid, ports, program


def run(options):
    bad = 0
    with tempfile.TemporaryDirectory() as folder, Processes(folder) as processes:
        pid, ports, program = prepare(folder, processes, options)
        alone = median_of_honest(ports["plain"], options.seconds)
        print(f"an honest client alone: median {alone:.2f} ms")
        print(f"{'one round of':34} {'us CPU':>9} {'honest':>9} {'times':>6} {'median beside':>14}")
        for case in cases(ports, program):
            if options.only and options.only not in case.name:
                continue
            attack = cost_us(pid, case.attack, case.rounds)
            honest = cost_us(pid, case.honest, case.rounds)
            median = median_beside(case.attack, ports["plain"], options.seconds)
            misses = attack > TIMES_MOST * honest or median > MEDIAN_MOST_MS
            bad += misses
            print(f"{case.name:34} {attack:9.0f} {honest:9.0f} {attack / honest:6.1f} "
                  f"{median:11.2f} ms{'  TOO MUCH' if misses else ''}", flush=True)
    return 1 if bad else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turnpike", default=os.path.join(ROOT, "build/src/turnpike"))
    parser.add_argument("--seconds", type=float, default=1.5, help="of each attack beside a client")
    parser.add_argument("--only", help="cases with this in their names")
    parser.add_argument("--origin", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.origin:
        serve(options.origin)
    try:
        return run(options)
    except (Failure, OSError, subprocess.CalledProcessError) as problem:
        print(f"worst_inputs: {problem}", file=sys.stderr)
        return 2


sys.exit(main())
