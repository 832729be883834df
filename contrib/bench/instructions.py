# SPDX-License-Identifier: BSD-2-Clause
"""User-space instructions per request of Turnpike, counted by callgrind: a figure that repeats, on
a busy machine too. Each case runs twice, with few and with many requests over one keep-alive
connection (forward-64: over 64 of them, which all ask before one is answered; h2c and h2-tls: of
HTTP/2, with one stream at a time or with 32, which are asked for at once); the difference divided
by the difference in requests leaves start-up out. Compared with instructions.baseline; called by
instructions.sh."""

import argparse
import contextlib
import os
import shutil
import socket
import sys
import tempfile

import bench
import cache
from contenders import certificate
from frames import (DATA, END_HEADERS, END_STREAM, HEAD_BYTES, HEADERS, PREFACE, SETTINGS,
                    WINDOW_UPDATE, frame, text)
from processes import Failure, Processes, connect, free_port

FEW, MANY = 2000, 12000
ALLOWED = 0.10
SKIPPED = 77  # what automake takes for "not run"
BASELINE = os.path.join(bench.HERE, "instructions.baseline")
BODY = b"Hello, World!"
HEADERS_29 = "".join(f"X-Custom-Header-{number:02}: {'v' * 46}\r\n" for number in range(1, 30))
FORWARD = b"GET /13 HTTP/1.1\r\nHost: bench.test\r\n\r\n"
CASES = { # connections, request
    "forward": (1, FORWARD),
    "forward-64": (64, FORWARD),
    "respond": (1, b"GET /respond HTTP/1.1\r\nHost: bench.test\r\n\r\n"),
    "cache-hit": (1, b"GET /hit HTTP/1.1\r\nHost: bench.test\r\n\r\n"),
    "big-head": (1, f"GET /13 HTTP/1.1\r\nHost: bench.test\r\n{HEADERS_29}\r\n".encode()),
    **{name: (1, f"GET {path} HTTP/1.1\r\nHost: bench.test\r\n\r\n".encode())
       for name, path in cache.REFUSED.items()},
}
CASES_OF_HTTP2 = { # listener, streams at a time
    "h2c": ("h2c", 1),
    "h2c-32": ("h2c", 32),
    "h2-tls": ("tls", 1),
    "h2-tls-32": ("tls", 32),
}
ALL = [*CASES, *CASES_OF_HTTP2]
# GET, http, and what enters the table: path, authority, user-agent. Later heads name these rows.
FIRST_HEAD = (b"\x82\x86\x44" + text(b"/13") + b"\x41" + text(b"bench.test") + b"\x7a"
              + text(b"instructions.py"))
LATER_HEAD = b"\x82\x86\xc0\xbf\xbe"
RENEW = "To renew the baseline after a change that is worth its cost: instructions.sh --renew"


def arguments():
    parser = argparse.ArgumentParser(prog="instructions.sh", description=__doc__, epilog=RENEW)
    parser.add_argument("--turnpike", default=os.environ.get("TURNPIKE"),
                        help="binary; default: $TURNPIKE, or build/src/turnpike of this checkout")
    parser.add_argument("--case", nargs="+", metavar="NAME", choices=ALL, default=ALL,
                        help=f"of {', '.join(ALL)}; default: all")
    parser.add_argument("--renew", action="store_true", help="write the baseline")
    parser.add_argument("--keep", metavar="FOLDER",
                        help="leave callgrind's files there (for callgrind_annotate)")
    return parser.parse_args()


def write_config(folder, ports, origin_port, stalled_port):
    path = os.path.join(folder, "turnpike.yaml")
    with open(path, "w") as file:
        file.write(f"""
workers: 1
access_log: {folder}/access.log
listeners:
  - address: 127.0.0.1:{ports["http1"]}
  - {{address: "127.0.0.1:{ports["h2c"]}", h2c: true}}
  - address: 127.0.0.1:{ports["tls"]}
    tls: {{certificates: [{{cert: {folder}/bench.crt, key: {folder}/bench.key}}]}}
services:
  origins: {{origins: ["127.0.0.1:{origin_port}"]}}
  stalled: {{origins: ["127.0.0.1:{stalled_port}"], concurrency: 1, pool: {{max_pending: 0}}}}
routes:
  - name: respond
    match: {{path: /respond}}
    respond: {{status: 200, body: "{BODY.decode()}"}}
  - name: hit
    match: {{path_prefix: /hit}}
    service: origins
    rewrite: {{path_prefix: /13}}
    cache: {{ttl: 1d}}
{cache.ROUTES_THAT_REFUSE}  - name: forward
    service: origins
""")
    return path


def read_answer(connection, refused):
    answer = b""
    while not answer.endswith(b"}\n" if refused else BODY):
        piece = connection.recv(4096)
        if not piece:
            raise Failure("the gateway closed the connection")
        answer += piece
    if not answer.startswith((b"HTTP/1.1 429", b"HTTP/1.1 503") if refused else b"HTTP/1.1 200"):
        raise Failure(f"unexpected answer: {answer[:60]!r}")


def make_requests(port, at_once, request, refused, count):
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
                       for _ in range(at_once)]
        while count > 0:
            asked = connections[:count]
            for connection in asked:
                connection.sendall(request)
            for connection in asked:
                read_answer(connection, refused)
            count -= len(asked)


def frames_of(connection):
    """Kind, flags and stream of one frame after the other."""
    held = b""
    while True:
        while len(held) < HEAD_BYTES or len(held) < HEAD_BYTES + int.from_bytes(held[:3], "big"):
            piece = connection.recv(65536)
            if not piece:
                raise Failure("the gateway closed the connection")
            held += piece
        yield held[3], held[4], int.from_bytes(held[5:9], "big")
        held = held[HEAD_BYTES + int.from_bytes(held[:3], "big"):]


def read_answers(frames, streams):
    while streams:
        kind, flags, stream = next(frames)
        if kind in (DATA, HEADERS) and flags & END_STREAM:
            streams.remove(stream)
        elif kind not in (DATA, HEADERS, SETTINGS, WINDOW_UPDATE):
            raise Failure(f"unexpected frame of type {kind}")


def make_requests_of_http2(port, listener, at_once, count):
    with connect(port, listener == "tls", ["h2"]) as connection:
        connection.settimeout(60)
        frames = frames_of(connection)
        connection.sendall(PREFACE + frame(SETTINGS, 0, 0)
                           + frame(WINDOW_UPDATE, 0, 0, (2**30).to_bytes(4, "big")))
        for first in range(0, count, at_once):
            streams = [2 * number + 1 for number in range(first, min(first + at_once, count))]
            connection.sendall(b"".join(
                frame(HEADERS, END_STREAM | END_HEADERS, stream,
                      FIRST_HEAD if stream == 1 else LATER_HEAD) for stream in streams))
            read_answers(frames, set(streams))


def collected(path):
    with open(path) as file:
        for line in file:
            if line.startswith(("summary:", "totals:")):
                return int(line.split()[1])
    raise Failure(f"callgrind wrote no sum into {path}")


def count_run(processes, folder, turnpike, origins, name, requests):
    """All instructions of one life of the gateway that answers so many requests."""
    if not os.path.exists(os.path.join(folder, "bench.key")):
        certificate(folder)
    ports = {listener: free_port() for listener in ("http1", "h2c", "tls")}
    out = os.path.join(folder, f"{name}-{requests}.callgrind")
    gateway = processes.start(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}",
                               turnpike, "-c", write_config(folder, ports, *origins)])
    try:
        processes.wait_until_answering(gateway, ports["http1"], "/respond", seconds=60)
        if name in CASES:
            with cache.prepared(ports["http1"]):
                make_requests(ports["http1"], *CASES[name], name in cache.REFUSED, requests)
        else:
            listener, at_once = CASES_OF_HTTP2[name]
            make_requests_of_http2(ports[listener], listener, at_once, requests)
    finally:
        processes.end(gateway, patience=30)
    return collected(out)


def count_all(turnpike_named, folder, named):
    counts = {}
    with Processes(folder) as processes:
        turnpike = bench.turnpike_copy(turnpike_named, folder)
        refuse_sanitizers(turnpike)
        origin_port = free_port()
        origin = processes.start([bench.compile_helper(folder, "origin"), str(origin_port)])
        processes.wait_until_answering(origin, origin_port, "/13")
        origins = (origin_port, cache.Stalled().port)
        for name in named:
            few, many = (count_run(processes, folder, turnpike, origins, name, requests)
                         for requests in (FEW, MANY))
            counts[name] = (many - few) / (MANY - FEW)
    return counts


def skip(why):
    print(f"instructions.sh: not run: {why}")
    sys.exit(SKIPPED)


def refuse_sanitizers(turnpike):
    with open(turnpike, "rb") as file:
        if b"__asan_init" in file.read():
            skip("valgrind cannot run a build with sanitizers")


def read_baseline():
    if not os.path.exists(BASELINE):
        raise Failure(f"no {BASELINE}. {RENEW}")
    with open(BASELINE) as file:
        lines = [line.split() for line in file if line.strip() and not line.startswith("#")]
    return {name: float(count) for name, count in lines}


def write_baseline(counts):
    with open(BASELINE, "w") as file:
        file.write("# User-space instructions per request (callgrind, Debian 12's gcc, -O2).\n"
                   "# Written by instructions.sh --renew; say in the commit why it changed.\n")
        for name, count in counts.items():
            file.write(f"{name} {count:.0f}\n")
    print(f"wrote {BASELINE}")


def compare(counts, baseline):
    worse = []
    for name, count in counts.items():
        before = baseline.get(name)
        if before is None:
            raise Failure(f"{name} is not in the baseline. {RENEW}")
        change = count / before - 1
        print(f"{name:10} {count:9.0f} instructions/request, baseline {before:.0f} ({change:+.1%})")
        if change > ALLOWED:
            worse.append(name)
    if worse:
        print(f"FAILED: more than {ALLOWED:.0%} above the baseline: {', '.join(worse)}. {RENEW}")
    elif all(count < (1 - ALLOWED) * baseline[name] for name, count in counts.items()):
        print(f"More than {ALLOWED:.0%} below the baseline. {RENEW}")
    return 1 if worse else 0


def main():
    options = arguments()
    if shutil.which("valgrind") is None:
        skip("valgrind is not installed")
    baseline = None if options.renew else read_baseline()
    with tempfile.TemporaryDirectory(prefix="turnpike-instructions-") as folder:
        counts = count_all(options.turnpike, folder, options.case)
        if options.keep:
            os.makedirs(options.keep, exist_ok=True)
            for name in os.listdir(folder):
                if name.endswith(".callgrind"):
                    shutil.copy(os.path.join(folder, name), options.keep)
    if options.renew:
        for name, count in counts.items():
            print(f"{name:10} {count:9.0f} instructions/request")
        write_baseline({**(read_baseline() if os.path.exists(BASELINE) else {}), **counts})
        return 0
    return compare(counts, baseline)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"instructions.sh: {failure}")
    except KeyboardInterrupt:
        sys.exit("instructions.sh: interrupted; everything it started has ended")
