# SPDX-License-Identifier: BSD-2-Clause
"""Swaps of certificates under full load: wrk on kept TLS connections, and handshakes.c with a
connection a request, full ones and resumed ones, while two certificates take turns in the files.
After each SIGHUP a client of its own handshakes until it is shown the new one, and makes a request.
Told are requests and failures of each; a failed request, or a swap that does not come, fails the
run. Called by swaps.sh."""

import argparse
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

import bench
import contenders
import measure
from processes import Failure, Processes, free_port
from scenarios import Scenario

PATIENCE_S = 10
REQUEST = b"GET / HTTP/1.1\r\nHost: bench.test\r\nConnection: close\r\n\r\n"


def arguments():
    parser = argparse.ArgumentParser(prog="swaps.sh", description=__doc__)
    parser.add_argument("--turnpike", help="binary; default: build/src/turnpike of this checkout")
    parser.add_argument("--wrk", default="wrk", help="binary")
    parser.add_argument("--swaps", type=int, default=100)
    parser.add_argument("--interval", type=float, default=0.25, help="seconds between two swaps")
    parser.add_argument("--workers", type=int, default=2)
    return parser.parse_args()


def two_pairs(folder):
    """Two certificates with their keys, as (certificate, key, the certificate's bytes)."""
    pairs = []
    for name in ("one", "other"):
        place = os.path.join(folder, name)
        os.makedirs(place)
        cert, key, _ = contenders.certificate(place)
        with open(cert) as file:
            pairs.append((cert, key, ssl.PEM_cert_to_DER_cert(file.read())))
    return pairs


def put(pair, cert, key):
    """Each file by a rename; the key first, so that a look in between finds a pair that does not
    match, which must be refused, not taken."""
    for source, place in ((pair[1], key), (pair[0], cert)):
        shutil.copyfile(source, place + ".new")
        os.chmod(place + ".new", 0o600)
        os.rename(place + ".new", place)


def visit(port):
    """One request on a connection of its own; the certificate that was shown."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as plain, \
            trusting.wrap_socket(plain, server_hostname="bench.test") as connection:
        connection.sendall(REQUEST)
        answer = b""
        while more := connection.recv(4096):
            answer += more
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise Failure(f"the looking client was answered {answer[:60]!r}")
        return connection.getpeercert(True)


def wait_until_shown(port, wanted):
    deadline = time.monotonic() + PATIENCE_S
    while visit(port) != wanted:
        if time.monotonic() > deadline:
            raise Failure("a new certificate was not taken up")


def swap_all(options, gateway, port, pairs, cert, key):
    """The slowest and the mean time from the signal until the new one was shown, in ms."""
    times = []
    for turn in range(1, options.swaps + 1):
        pair = pairs[turn % 2]
        put(pair, cert, key)
        began = time.monotonic()
        os.kill(gateway.pid, signal.SIGHUP)
        wait_until_shown(port, pair[2])
        times.append((time.monotonic() - began) * 1000)
        time.sleep(max(0, options.interval - times[-1] / 1000))
    return max(times), sum(times) / len(times)


def start_loads(processes, options, helper, port, seconds):
    """Name and process of each; they print figures as load.lua does."""
    keeps = Scenario("swaps", "", connections=32, tls=True, path="/")
    command = measure.wrk_command(options.wrk, contenders.Turnpike(""), keeps, port, seconds)
    loads = [("kept", processes.start(command, stdout=subprocess.PIPE))]
    for kind in ("full", "resumed"):
        loads.append((kind, processes.start([helper, str(port), "/", kind, "16", str(seconds)],
                                            stdout=subprocess.PIPE)))
    return loads


def figures_of(name, process):
    output = process.communicate(timeout=120)[0].decode()
    for line in output.splitlines():
        if line.startswith("FIGURES "):
            pairs = (pair.split("=") for pair in line.split()[1:])
            figures = {key: int(value) for key, value in pairs}
            failed = sum(count for key, count in figures.items()
                         if key.endswith("_errors") or key == "timeouts")
            return figures["requests"], failed
    raise Failure(f"{name}: no figures: {output.strip()}")


def main():
    options = arguments()
    failures = 0
    with tempfile.TemporaryDirectory(prefix="turnpike-swaps-") as folder:
        pairs = two_pairs(folder)
        cert, key = os.path.join(folder, "a.crt"), os.path.join(folder, "a.key")
        put(pairs[0], cert, key)
        port = free_port()
        config = contenders.write(os.path.join(folder, "turnpike.yaml"), f"""
workers: {options.workers}
access_log: off
listeners:
  - address: 127.0.0.1:{port}
    tls: {{certificates: [{{cert: {cert}, key: {key}}}]}}
routes: [{{name: hello, respond: {{body: hello}}}}]
""")
        helper = bench.compile_helper(folder, "handshakes", ("-lssl", "-lcrypto"))
        with Processes(folder) as processes:
            gateway = processes.start([bench.turnpike_copy(options.turnpike, folder), "-c", config])
            processes.wait_until_answering(gateway, port, "/", tls=True)
            seconds = int(options.swaps * options.interval * 1.2) + 5
            loads = start_loads(processes, options, helper, port, seconds)
            time.sleep(1)
            slowest, mean = swap_all(options, gateway, port, pairs, cert, key)
            print(f"{options.swaps} swaps; shown after {mean:.0f} ms, {slowest:.0f} ms at most")
            for name, process in loads:
                if process.poll() is not None:
                    raise Failure(f"{name}: the load ended before the last swap")
            for name, process in loads:
                requests, failed = figures_of(name, process)
                failures += failed
                print(f"{name:8} {requests:8} requests, {failed} failed")
            if gateway.poll() is not None:
                raise Failure("the gateway ended")
    if failures:
        raise Failure(f"{failures} requests failed")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"swaps.sh: {failure}")
