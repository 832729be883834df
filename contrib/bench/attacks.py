#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What floods of HTTP/2 cost those who are served beside them: p99 of busy HTTP/1 clients, alone and
beside each attack, and by how much the gateway's memory grows.

    attacks.py [--binary build/src/turnpike] [--rounds 5] [--seconds 2] [--attack NAME ...]

The gateway has core 0 for itself. Clients (h2load, 32 connections) and attackers share core 1, and
the attackers yield to the clients there, so that they take from the gateway only. Each attacker
sends as fast as it can, and comes back as soon as it is cut. Rounds take turns: alone, beside the attack. The ratio is that of the
medians; with --most 1.25 the exit status is 1 where one is larger."""

import argparse
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bench  # noqa: E402
from contenders import write  # noqa: E402
from frames import (CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PREFACE,  # noqa: E402
                    PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame, text)
from processes import Failure, Processes, free_port  # noqa: E402

CLIENTS = 32
ATTACKERS = 4
HERE = os.path.dirname(os.path.abspath(__file__))
PIECE = 64 * 1024
MOST_BYTES = 2 * 1024 * 1024  # of a flood, on one connection


def head(path):
    """GET, http, a path and an authority; nothing enters the table."""
    return b"\x82\x86\x04" + text(path) + b"\x01" + text(b"bench.test")


def repeated(one):
    return one * (MOST_BYTES // len(one))


def numbered(make):
    """Frames of stream after stream."""
    made = b"".join(make(stream) for stream in range(1, 40001, 2))
    return made[:MOST_BYTES]


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


def attack_once(port, name, ends):
    """One connection, to its end."""
    own = frame(SETTINGS, 0, 0, b"\0\4\0\0\0\0" if name == "zero-windows" else b"")
    with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        connection.sendall(PREFACE + own)
        flood = memoryview(ATTACKS[name])
        connection.setblocking(False)
        while time.monotonic() < ends:
            try:
                while connection.recv(PIECE):
                    pass
                return
            except BlockingIOError:
                pass
            try:
                flood = flood[connection.send(flood[:PIECE]):] if flood else flood
            except BlockingIOError:
                time.sleep(0.001)
            if not flood:
                time.sleep(0.01)  # all is sent: until it is cut


def attack(port, name, ends, counted):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    os.nice(19)
    while time.monotonic() < ends:
        try:
            attack_once(port, name, ends)
        except OSError:
            time.sleep(0.001)
        with counted.get_lock():
            counted.value += 1


def config(folder, port, origin):
    return write(os.path.join(folder, "turnpike.yaml"), f"""
workers: 1
access_log: {folder}/access.log
listeners: [{{address: "127.0.0.1:{port}", h2c: true}}]
services: {{origins: {{origins: ["127.0.0.1:{origin}"]}}}}
routes: [{{name: all, service: origins}}]
""")


def p99(folder, port, seconds):
    """In milliseconds, of the clients that are served."""
    log = os.path.join(folder, "times.log")
    if os.path.exists(log):
        os.unlink(log)
    subprocess.run(["taskset", "-c", "1", "h2load", "--h1", "-c", str(CLIENTS), "-D", str(seconds),
                    "--warm-up-time", "1", f"--log-file={log}", f"http://127.0.0.1:{port}/13"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(log) as file:
        rows = [line.split() for line in file]
    failed = sum(row[1] != "200" for row in rows)
    if failed > 0 or len(rows) < 100:
        raise Failure(f"{failed} of {len(rows)} requests of those who are served failed")
    times = sorted(int(row[2]) for row in rows)
    return times[len(times) * 99 // 100] / 1000


def resident(pid):
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("Rss"))


def beside(folder, port, seconds, name):
    counted = multiprocessing.Value("i", 0)
    ends = time.monotonic() + seconds + 1.5
    attackers = [multiprocessing.Process(target=attack, args=(port, name, ends, counted))
                 for _ in range(ATTACKERS)]
    for attacker in attackers:
        attacker.start()
    try:
        return p99(folder, port, seconds), counted.value
    finally:
        for attacker in attackers:
            attacker.join()


def measure(arguments, name):
    """A gateway of its own. Rounds of both, and its memory in MB."""
    alone, attacked, connections = [], [], 0
    with tempfile.TemporaryDirectory() as folder, Processes(folder) as processes:
        origin_port, port = free_port(), free_port()
        origin = processes.start([bench.compile_helper(folder, "origin"), str(origin_port)],
                                 cores="1")
        processes.wait_until_answering(origin, origin_port, "/13")
        gateway = processes.start([os.path.abspath(arguments.binary), "-c",
                                   config(folder, port, origin_port)], cores="0")
        processes.wait_until_answering(gateway, port, "/13")
        p99(folder, port, 1)
        before = resident(gateway.pid)
        for _ in range(arguments.rounds):
            alone.append(p99(folder, port, arguments.seconds))
            one, count = beside(folder, port, arguments.seconds, name)
            attacked.append(one)
            connections += count
        return alone, attacked, resident(gateway.pid) - before, connections


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="build/src/turnpike")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement (default 2)")
    parser.add_argument("--most", type=float, help="exit with 1 where a ratio is larger")
    parser.add_argument("--attack", nargs="+", metavar="NAME", choices=list(ATTACKS),
                        default=list(ATTACKS), help=f"of {', '.join(ATTACKS)}; default: all")
    arguments = parser.parse_args()
    too_large = False
    print(f"{'attack':20} {'alone':>8} {'beside':>8}  ratio  memory  connections")
    for name in arguments.attack:
        alone, attacked, grown, connections = measure(arguments, name)
        ratio = statistics.median(attacked) / statistics.median(alone)
        too_large |= arguments.most is not None and ratio > arguments.most
        print(f"{name:20} {statistics.median(alone):5.2f} ms {statistics.median(attacked):5.2f} ms"
              f" {ratio:6.2f} {grown:+4.1f} MB  {connections}", flush=True)
    sys.exit(1 if too_large else 0)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"attacks.py: {failure}")
