# SPDX-License-Identifier: BSD-2-Clause
"""System calls per request of Turnpike, counted by strace, by the size of an answer or an upload. One
client connection asks again and again; each request is sent with one call, and the origin answers
with one. Called by syscalls.sh."""

import argparse
import collections
import os
import re
import shutil
import signal
import socket
import ssl
import sys
import tempfile
import time

import bench
import contenders
from processes import Failure, Processes, free_port

SIZES = {"13": 13, "1k": 1 << 10, "4k": 4 << 10, "8k": 8 << 10, "16k": 16 << 10,
         "32k": 32 << 10, "48k": 48 << 10, "64k": 64 << 10}
WARM_UP = 20
RECEIVES = {"recvfrom", "recvmsg", "read", "readv"}
SENDS = {"sendto", "sendmsg", "write", "writev"}
QUESTIONS = {"getsockopt", "ioctl", "poll", "ppoll", "look"}  # look: a receive that only peeks
WAITS = {"epoll_wait", "epoll_pwait", "epoll_pwait2"}
# What --check allows, of each of receives and sends: one for each side, and less than half of one more,
# since the log and the clock are in it. Beyond 52 KiB a message takes one more.
MOST_UP_TO_48K = 2.4
MOST = 3.4
# Before a request that must not be made twice, the gateway looks whether the origin has closed.
MOST_QUESTIONS = {"answer": 0.4, "upload": 1.4}
SKIPPED = 77  # what automake takes for "not run"


def arguments():
    parser = argparse.ArgumentParser(prog="syscalls.sh", description=__doc__)
    parser.add_argument("--turnpike", default=os.environ.get("TURNPIKE"),
                        help="binary; default: $TURNPIKE, or build/src/turnpike of this checkout")
    parser.add_argument("--size", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--requests", type=int, default=200, help="of each case (default 200)")
    parser.add_argument("--check", action="store_true",
                        help="fail where a request takes more than it may")
    return parser.parse_args()


def write_config(folder, port, tls_port, origin_port):
    cert, key, _ = contenders.certificate(folder)
    return contenders.write(os.path.join(folder, "turnpike.yaml"), f"""
workers: 1
access_log: {folder}/access.log
listeners:
  - address: 127.0.0.1:{port}
  - address: 127.0.0.1:{tls_port}
    tls: {{certificates: [{{cert: {cert}, key: {key}}}]}}
services:
  origins: {{origins: ["127.0.0.1:{origin_port}"]}}
routes:
  - name: forward
    service: origins
""")


class PlainClient:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        return self.socket.recv(1 << 18)

    def close(self):
        self.socket.close()


class TlsClient(PlainClient):
    """The library works in memory, so that all records of a request leave with one call."""

    def __init__(self, port):
        super().__init__(port)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.come, self.go = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.come, self.go, server_hostname="bench.test")
        self.try_until_done(self.tls.do_handshake)

    def flush(self):
        data = self.go.read()
        if data:
            self.socket.sendall(data)

    def try_until_done(self, step):
        while True:
            try:
                done = step()
                self.flush()
                return done
            except ssl.SSLWantReadError:
                self.flush()
                data = super().receive()
                if not data:
                    raise Failure("the gateway closed the connection") from None
                self.come.write(data)

    def send(self, data):
        self.tls.write(data)
        self.flush()

    def receive(self):
        return self.try_until_done(lambda: self.tls.read(1 << 18))


def read_answer(client):
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += received(client)
    head, body = answer.split(b"\r\n\r\n", 1)
    if not head.startswith(b"HTTP/1.1 200"):
        raise Failure(f"unexpected answer: {head[:60]!r}")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    left = int(fields[b"content-length"]) - len(body)
    while left > 0:
        left -= len(received(client))


def received(client):
    piece = client.receive()
    if not piece:
        raise Failure("the gateway closed the connection")
    return piece


def request_of(kind, name):
    if kind == "answer":
        return f"GET /{name} HTTP/1.1\r\nHost: bench.test\r\n\r\n".encode()
    head = f"POST /13 HTTP/1.1\r\nHost: bench.test\r\nContent-Length: {SIZES[name]}\r\n\r\n"
    return head.encode() + b"x" * SIZES[name]


def ask(client, request, count):
    for _ in range(count):
        client.send(request)
        read_answer(client)


def attach(processes, folder, gateway):
    """strace, once it sees what all threads of the gateway do."""
    out = os.path.join(folder, "calls")
    threads = len(os.listdir(f"/proc/{gateway.pid}/task"))
    tracer = processes.start(["strace", "-f", "-s", "0", "-o", out, "-p", str(gateway.pid)])
    while threads_traced(gateway.pid) < threads:
        if tracer.poll() is not None:
            with open(tracer.said, errors="replace") as log:
                skip(f"strace cannot attach: {log.read().strip()}")
        time.sleep(0.01)
    return tracer, out


def threads_traced(pid):
    count = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status") as file:
            count += "TracerPid:\t0\n" not in file.read()
    return count


def detach(processes, tracer, out):
    """How often each system call was made."""
    tracer.send_signal(signal.SIGINT)
    tracer.wait()
    processes.end(tracer)
    counts = collections.Counter()
    with open(out) as file:
        for line in file:
            # A call that another thread's interrupts is told in two lines.
            match = re.match(r"\d+ +(?:<\.\.\. )?(\w+)(?:\(| resumed)", line)
            if match and "<unfinished ...>" not in line:
                counts["look" if "MSG_PEEK" in line else match[1]] += 1
    return counts


def count_case(processes, folder, gateway, client, request, requests):
    ask(client, request, WARM_UP)
    tracer, out = attach(processes, folder, gateway)
    ask(client, request, requests)
    return {name: count / requests for name, count in detach(processes, tracer, out).items()}


def row_of(counts):
    sum_of = lambda names: sum(counts.get(name, 0) for name in names)
    known = RECEIVES | SENDS | QUESTIONS | WAITS
    others = " ".join(f"{name} {count:.1f}" for name, count in sorted(counts.items())
                      if name not in known and count >= 0.05)
    return [sum_of(RECEIVES), sum_of(SENDS), sum_of(QUESTIONS), sum_of(WAITS)], others


def is_too_much(kind, name, figures):
    receives, sends, questions, _ = figures
    most = MOST if SIZES[name] > 48 << 10 else MOST_UP_TO_48K
    return receives > most or sends > most or questions > MOST_QUESTIONS[kind]


def count_all(options, folder):
    too_many = []
    with Processes(folder) as processes:
        origin_port, ports = free_port(), {"plain": free_port(), "tls": free_port()}
        origin = processes.start([bench.compile_helper(folder, "origin"), str(origin_port)])
        processes.wait_until_answering(origin, origin_port, "/13")
        turnpike = bench.turnpike_copy(options.turnpike, folder)
        config = write_config(folder, ports["plain"], ports["tls"], origin_port)
        gateway = processes.start([turnpike, "-c", config])
        processes.wait_until_answering(gateway, ports["plain"], "/13")
        print("| | size | receives | sends | questions | waits | others |\n"
              "|---|---:|---:|---:|---:|---:|---|")
        for scheme, make_client in (("plain", PlainClient), ("tls", TlsClient)):
            for kind in ("answer", "upload"):
                for name in options.size:
                    client = make_client(ports[scheme])
                    figures, others = row_of(count_case(processes, folder, gateway, client,
                                                        request_of(kind, name),
                                                        options.requests))
                    client.close()
                    print(f"| {scheme} {kind} | {name} | "
                          + " | ".join(f"{figure:.2f}" for figure in figures) + f" | {others} |",
                          flush=True)
                    if is_too_much(kind, name, figures):
                        too_many.append(f"{scheme} {kind} of {name}")
    return too_many


def skip(why):
    print(f"syscalls.sh: not run: {why}")
    sys.exit(SKIPPED)


def main():
    options = arguments()
    if shutil.which("strace") is None:
        skip("strace is not installed")
    with tempfile.TemporaryDirectory(prefix="turnpike-syscalls-") as folder:
        too_many = count_all(options, folder)
    if options.check and too_many:
        print(f"FAILED: too many system calls: {', '.join(too_many)}")
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"syscalls.sh: {failure}")
    except KeyboardInterrupt:
        sys.exit("syscalls.sh: interrupted; everything it started has ended")
