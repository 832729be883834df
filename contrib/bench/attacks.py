#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What floods cost those who are served beside them: p99 of busy HTTP/1 clients, alone and beside each
attack, how many of their requests failed, the CPU time of the gateway, by how much its memory grows, and
how soon each attacker is ended, and how.

    attacks.py [--binary build/src/turnpike] [--rounds 5] [--seconds 2] [--attack NAME ...]

The gateway has core 0 for itself. Clients (h2load, 32 connections) and attackers share core 1, and
the attackers yield to the clients there, so that they take from the gateway only. Each attacker
sends as fast as it can, and comes back as soon as it is cut. Rounds take turns: alone, beside the attack.
The ratio is that of the medians; with --most 1.25 the exit status is 1 where one is larger. The codes
are those of GOAWAY; "408" and the like are an answer of HTTP/1, "fin" and "reset" an end without either,
and "-" none while the attack went on."""

import argparse
import multiprocessing
import os
import queue
import select
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bench  # noqa: E402
from contenders import certificate, write  # noqa: E402
from frames import (CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEAD_BYTES, HEADERS,  # noqa: E402
                    PING, PREFACE, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame, text)
from measure import cpu_ns  # noqa: E402
from processes import Failure, Processes, free_port  # noqa: E402

CLIENTS = 32
ATTACKERS = 4
HERE = os.path.dirname(os.path.abspath(__file__))
PIECE = 64 * 1024
CODES = ("NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
         "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR",
         "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED")
MOST_BYTES = 2 * 1024 * 1024  # of a flood, on one connection


def head(path):
    """GET, http, a path and an authority; nothing enters the table."""
    return b"\x82\x86\x04" + text(path) + b"\x01" + text(b"bench.test")


def repeated(one):
    return one * (MOST_BYTES // len(one))


def numbered(make):
    """Frames of stream after stream."""
    made = bytearray()
    for stream in range(1, 40001, 2):
        made += make(stream)
        if len(made) > MOST_BYTES:
            break
    return bytes(made[:MOST_BYTES])


def long_integer(value):
    """RFC 7541 section 5.1, behind a prefix of seven bits that is full."""
    value -= 127
    made = b"\x7f"
    while value >= 128:
        made += bytes([value % 128 | 128])
        value //= 128
    return made + bytes([value])


def bomb(stream):
    """4,000 bytes go into the table, and come out of it with each byte behind."""
    first = b"\x40" + text(b"bomb") + long_integer(4000) + b"b" * 4000 if stream == 1 else b""
    return frame(HEADERS, END_STREAM | END_HEADERS, stream, head(b"/13") + first + b"\xbe" * 12000)


ATTACKS = {
    "rapid-reset": numbered(lambda stream: frame(HEADERS, END_STREAM | END_HEADERS, stream,
                                                 head(b"/13"))
                            + frame(RST_STREAM, 0, stream, (8).to_bytes(4, "big"))),
    "resets-provoked": numbered(lambda stream: frame(HEADERS, END_HEADERS, stream, head(b"/13"))
                                + frame(WINDOW_UPDATE, 0, stream, bytes(4))),
    "continuation": frame(HEADERS, 0, 1, head(b"/13"))
    + repeated(frame(CONTINUATION, 0, 1, b"\x00" + text(b"x") + text(b"y"))),
    "continuation-empty": frame(HEADERS, 0, 1, head(b"/13")) + repeated(frame(CONTINUATION, 0, 1)),
    "hpack-bomb": numbered(bomb),
    "ping": repeated(frame(PING, 0, 0, bytes(8))),
    "settings": repeated(frame(SETTINGS, 0, 0, b"\0\4\0\0\xff\xff")),
    "priority": repeated(frame(PRIORITY, 0, 1, bytes(5))),
    "window-update": repeated(frame(WINDOW_UPDATE, 0, 0, (1).to_bytes(4, "big"))),
    "empty-data": frame(HEADERS, END_HEADERS, 1, head(b"/13")) + repeated(frame(DATA, 0, 1)),
    "large-heads": numbered(lambda stream: frame(HEADERS, END_STREAM, stream, head(b"/13"))
                            + frame(CONTINUATION, END_HEADERS, stream,
                                    (b"\x00" + text(b"x") + text(b"y" * 100)) * 150)),
    "zero-windows": numbered(lambda stream: frame(HEADERS, END_STREAM | END_HEADERS, stream,
                                                  head(b"/1m")))[:100 * 40],
    "streams-left": numbered(lambda stream: frame(HEADERS, END_HEADERS, stream, head(b"/13")))[:4000],
}


# Bodies in TLS records of a byte each: the CPU of hundreds of bytes for one.
TINY_RECORDS = {
    "tiny-records": PREFACE + frame(SETTINGS, 0, 0)
    + frame(HEADERS, END_HEADERS, 1, b"\x83\x87\x04" + text(b"/13") + b"\x01" + text(b"bench.test"))
    + repeated(frame(DATA, 0, 1, bytes(1000)))[:60000],
    "tiny-records-http1": b"POST /13 HTTP/1.1\r\nHost: bench.test\r\nContent-Length: 1000000\r\n\r\n"
    + bytes(60000),
}
NAMES = list(ATTACKS) + list(TINY_RECORDS)


class Heard:
    """What the gateway says, as far as its end is told in it."""

    def __init__(self):
        self.held = b""
        self.code = None

    def take(self, came):
        self.held += came
        if self.held[:5] == b"HTTP/":
            self.code = self.held[9:12].decode()
            return
        while len(self.held) >= HEAD_BYTES:
            length = HEAD_BYTES + int.from_bytes(self.held[:3], "big")
            if len(self.held) < length:
                return
            code = int.from_bytes(self.held[HEAD_BYTES + 4:HEAD_BYTES + 8], "big")
            if self.held[3] == GOAWAY and code != 0:
                self.code = CODES[code]
            self.held = self.held[length:]


def wait_for(connection, flood, ends):
    """An attacker that polls would take the clients' core from them, whatever the gateway does."""
    select.select([connection], [connection] if flood else [], [],
                  max(0, ends - time.monotonic()))


def exchange_until_cut(connection, flood, ends, take):
    """Returns how it ended."""
    connection.setblocking(False)
    while time.monotonic() < ends:
        try:
            while came := connection.recv(PIECE):
                take(came)
            return "fin"
        except BlockingIOError:
            pass
        try:
            flood = flood[connection.send(flood[:PIECE]):] if flood else flood
        except BlockingIOError:
            pass
        wait_for(connection, flood, ends)
    return "-"


def shake_hands(connection, protocol):
    """A library without a socket, so that many records go with one call."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    trusting.set_alpn_protocols([protocol])
    came, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = trusting.wrap_bio(came, goes, server_hostname="bench.test")
    while True:
        try:
            tls.do_handshake()
            connection.sendall(goes.read())
            return tls, came, goes
        except ssl.SSLWantReadError:
            connection.sendall(goes.read())
            came.write(connection.recv(PIECE))


class Start:
    """Attackers begin together, once each is ready: to encrypt records takes the clients' core from them."""

    def __init__(self, seconds):
        self.barrier = multiprocessing.Barrier(ATTACKERS + 1)
        self.seconds = seconds
        self.ends = None

    def wait(self):
        """The first time. Returns when the attack ends."""
        if self.ends is None:
            self.barrier.wait(timeout=60)
            self.ends = time.monotonic() + self.seconds
        return self.ends

    def goes_on(self):
        return self.ends is None or time.monotonic() < self.ends


def attack_tiny(port, name, start, heard):
    with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        tls, came, goes = shake_hands(connection, "h2" if name == "tiny-records" else "http/1.1")

        def take(bytes_):
            came.write(bytes_)
            try:
                while plain := tls.read(PIECE):
                    heard.take(plain)
            except ssl.SSLError:
                pass

        for byte in TINY_RECORDS[name]:
            tls.write(bytes([byte]))
        flood = memoryview(goes.read())
        return exchange_until_cut(connection, flood, start.wait(), take)


def attack_once(port, name, start, heard):
    """One connection, to its end."""
    own = frame(SETTINGS, 0, 0, b"\0\4\0\0\0\0" if name == "zero-windows" else b"")
    ends = start.wait()
    with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        connection.sendall(PREFACE + own)
        return exchange_until_cut(connection, memoryview(ATTACKS[name]), ends, heard.take)


def attack(ports, name, start, told):
    """Tells of each connection how long it took, and its end."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    os.nice(19)
    while start.goes_on():
        heard, began = Heard(), time.monotonic()
        try:
            end = (attack_tiny(ports[1], name, start, heard) if name in TINY_RECORDS
                   else attack_once(ports[0], name, start, heard))
        except OSError:
            end = "reset"
            time.sleep(0.001)
        told.put((time.monotonic() - began, heard.code or end))


def config(folder, ports, origin):
    cert, key, _ = certificate(folder)
    return write(os.path.join(folder, "turnpike.yaml"), f"""
workers: 1
access_log: {folder}/access.log
listeners:
- {{address: "127.0.0.1:{ports[0]}", h2c: true}}
- {{address: "127.0.0.1:{ports[1]}", tls: {{certificates: [{{cert: {cert}, key: {key}}}]}}}}
services: {{origins: {{origins: ["127.0.0.1:{origin}"]}}}}
routes: [{{name: all, service: origins}}]
""")


def p99(folder, port, seconds):
    """In milliseconds, of the clients that are served, and how many of their requests failed."""
    log = os.path.join(folder, "times.log")
    if os.path.exists(log):
        os.unlink(log)
    subprocess.run(["taskset", "-c", "1", "h2load", "--h1", "-c", str(CLIENTS), "-D", str(seconds),
                    "--warm-up-time", "1", f"--log-file={log}", f"http://127.0.0.1:{port}/13"],
                   check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(log) as file:
        rows = [line.split() for line in file]
    times = sorted(int(row[2]) for row in rows if row[1] == "200")
    if not times:
        return float("inf"), len(rows)
    return times[len(times) * 99 // 100] / 1000, len(rows) - len(times)


def resident(pid):
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("Rss"))


class Figures:
    """Of one attack. Times in ms, memory in MB, the processor's in parts of a core."""

    def __init__(self):
        self.alone, self.beside = [], []
        self.failed_alone = self.failed = 0
        self.cpu_alone, self.cpu = [], []
        self.memory = 0.0
        self.ends = []

    def line(self, name):
        seconds = [taken for taken, how in self.ends if how != "-"]
        counts = {how: sum(how == one for _, one in self.ends) for _, how in self.ends}
        soon = f"{statistics.median(seconds) * 1000:6.0f} ms" if seconds else "never"
        median = statistics.median
        return (f"{name:20} {median(self.alone):6.2f} {median(self.beside):6.2f} {self.ratio():6.2f}"
                f" {self.failed_alone:4}/{self.failed:<4} {median(self.cpu_alone):5.2f}"
                f" {median(self.cpu):5.2f} {self.memory:+7.1f} MB {soon:>9}  "
                + ", ".join(f"{how} {count}" for how, count in sorted(counts.items())))

    def ratio(self):
        return statistics.median(self.beside) / statistics.median(self.alone)


HEADING = (f"{'attack':20} {'alone':>6} {'beside':>6} {'ratio':>6} {'failed':>9} {'CPU':>5} {'beside':>6}"
           f" {'memory':>9} {'ended':>9}  how")


def beside(folder, ports, seconds, name, figures):
    told = multiprocessing.Queue()
    start = Start(seconds + 1.5)
    attackers = [multiprocessing.Process(target=attack, args=(ports, name, start, told))
                 for _ in range(ATTACKERS)]
    for attacker in attackers:
        attacker.start()
    try:
        start.wait()
        return p99(folder, ports[0], seconds)
    finally:
        while any(attacker.is_alive() for attacker in attackers) or not told.empty():
            try:
                figures.ends.append(told.get(timeout=0.1))
            except queue.Empty:
                pass
        for attacker in attackers:
            attacker.join()


def timed(pid, play):
    """What it returns, and the gateway's use of a core meanwhile."""
    before, began = cpu_ns([pid]), time.monotonic()
    played = play()
    return *played, (cpu_ns([pid]) - before) / 1e9 / (time.monotonic() - began)


def measure(arguments, name):
    """A gateway of its own. Rounds of both."""
    figures = Figures()
    with tempfile.TemporaryDirectory() as folder, Processes(folder) as processes:
        origin_port, ports = free_port(), (free_port(), free_port())
        origin = processes.start([bench.compile_helper(folder, "origin"), str(origin_port)],
                                 cores="1")
        processes.wait_until_answering(origin, origin_port, "/13")
        gateway = processes.start([os.path.abspath(arguments.binary), "-c",
                                   config(folder, ports, origin_port)], cores="0")
        processes.wait_until_answering(gateway, ports[0], "/13")
        p99(folder, ports[0], 1)
        before = resident(gateway.pid)
        for _ in range(arguments.rounds):
            one, failed, cpu = timed(gateway.pid, lambda: p99(folder, ports[0], arguments.seconds))
            figures.alone.append(one)
            figures.failed_alone += failed
            figures.cpu_alone.append(cpu)
            one, failed, cpu = timed(
                gateway.pid, lambda: beside(folder, ports, arguments.seconds, name, figures))
            figures.beside.append(one)
            figures.failed += failed
            figures.cpu.append(cpu)
        figures.memory = resident(gateway.pid) - before
        return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="build/src/turnpike")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement (default 2)")
    parser.add_argument("--most", type=float, help="exit with 1 where a ratio is larger")
    parser.add_argument("--attack", nargs="+", metavar="NAME", choices=NAMES, default=NAMES,
                        help=f"of {', '.join(NAMES)}; default: all")
    arguments = parser.parse_args()
    too_large = False
    print(HEADING)
    for name in arguments.attack:
        figures = measure(arguments, name)
        too_large |= arguments.most is not None and figures.ratio() > arguments.most
        print(figures.line(name), flush=True)
    sys.exit(1 if too_large else 0)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"attacks.py: {failure}")
