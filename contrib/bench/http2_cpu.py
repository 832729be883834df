#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""CPU time per request with clients of HTTP/2 over TLS (h2load): Turnpike, nginx and HAProxy, each alone
on core 0 with one worker, origin and load on core 1; and Turnpike with its origin over HTTP/2.

    http2_cpu.py [--rounds 3] [--seconds 1] [--case 64x1 8x32 1m origins]
                 [--turnpike BINARY] [--nginx BINARY] [--haproxy BINARY] [--other BINARY]

Rounds are the outer loop and contenders the inner one; each measurement is a fresh process, warmed up.
Ratios are those of medians. Figures are CPU microseconds of the gateway a request, of 1 MB answers also
MB/s. Those of `origins` have nginx as the origin both times: 13 bytes over HTTP/1.1 and over HTTP/2."""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace

import bench
import contenders
from measure import cpu_ns
from processes import Failure, Processes, family_of, free_port
from scenarios import Scenario

CASES = {  # connections, streams, path, contenders
    "64x1": (64, 1, "/13", ("nginx", "haproxy", "turnpike", "other")),
    "8x32": (8, 32, "/13", ("nginx", "haproxy", "turnpike", "other")),
    "1m": (4, 4, "/1m", ("nginx", "haproxy", "turnpike", "other")),
    "origins": (8, 32, "/13", ("turnpike", "turnpike-2-2")),
}
SCENARIO = Scenario("http2", "HTTP/2 over TLS", tls=True, http2=True)
MEGABYTE = 1 << 20


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=1, help="of each measurement")
    parser.add_argument("--case", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--turnpike", help="default: build/src/turnpike of this checkout")
    parser.add_argument("--other", help="a second binary of Turnpike")
    parser.add_argument("--nginx", default="nginx")
    parser.add_argument("--haproxy", default="haproxy")
    return parser.parse_args()


def all_contenders(options, folder):
    turnpike = bench.turnpike_copy(options.turnpike, folder)
    found = [contenders.Turnpike(turnpike), contenders.TurnpikeToHttp2(turnpike)]
    for kind, named in ((contenders.Nginx, options.nginx), (contenders.Haproxy, options.haproxy)):
        binary = contenders.found(named)
        if binary:
            found.append(kind(binary))
    if options.other:
        found.append(contenders.OtherTurnpike(
            bench.turnpike_copy(options.other, folder, "other")))
    return {contender.name: contender for contender in found}


WARM_UP = 10  # requests of each stream


def load(port, case, seconds):
    """Requests that were answered in so many seconds; 0: those of a warm-up."""
    connections, streams, path, _ = CASES[case]
    command = ["taskset", "-c", "1", "h2load", "-t1", f"-c{connections}", f"-m{streams}",
               f"-D{seconds}" if seconds > 0 else f"-n{connections * streams * WARM_UP}", "-w20", "-W24", f"https://127.0.0.1:{port}{path}"]
    said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=seconds + 60, check=False).stdout
    counts = re.search(r"(\d+) succeeded, (\d+) failed", said)
    codes = re.search(r"status codes: (\d+) 2xx", said)
    if counts is None or codes is None or int(counts[1]) == 0 or int(counts[2]) > 0:
        raise Failure(f"{' '.join(command)}: {said[-600:]}")
    return int(codes[1])


def measure(processes, folder, contender, case, ports, seconds):
    port = free_port()
    mine = tempfile.mkdtemp(dir=folder)
    os.chmod(mine, 0o755)
    if case == "1m" or case == "origins":
        origin = ports["nginx-http2" if contender.name == "turnpike-2-2" else "nginx"]
    else:
        origin = ports["own"]
    scenario = replace(SCENARIO, connections=CASES[case][0] * CASES[case][1])
    gateway = processes.start(contender.command(scenario, mine, port, origin), "0")
    try:
        processes.wait_until_answering(gateway, port, "/13", tls=True)
        load(port, case, 0)
        before = cpu_ns(family_of(gateway.pid))
        answered = load(port, case, seconds)
        return (cpu_ns(family_of(gateway.pid)) - before) / 1000 / answered, answered / seconds
    finally:
        processes.end(gateway)


def report(figures, cases):
    for case in cases:
        costs = {name: statistics.median(cost for cost, _ in each)
                 for (of, name), each in figures.items() if of == case}
        print(f"\n{case}: CPU us a request, median of {len(figures[case, 'turnpike'])} (each round)")
        for name, cost in costs.items():
            each = " ".join(f"{one:.1f}" for one, _ in figures[case, name])
            rate = statistics.median(rate for _, rate in figures[case, name])
            speed = f", {rate * MEGABYTE / 1e6:.0f} MB/s" if case == "1m" else f", {rate:.0f} a second"
            print(f"  {name:13} {cost:8.1f}  ({each}){speed}")
        peers = [cost for name, cost in costs.items() if name in ("nginx", "haproxy")]
        if peers:
            print(f"  turnpike is at {costs['turnpike'] / min(peers):.2f} of the better peer")
        if "turnpike-2-2" in costs:
            print(f"  over HTTP/2: {costs['turnpike-2-2'] / costs['turnpike']:.2f} of over HTTP/1.1")


def main():
    options = arguments()
    figures = {}
    with tempfile.TemporaryDirectory(prefix="turnpike-http2-") as folder, \
            Processes(folder) as processes:
        os.chmod(folder, 0o755)
        known = all_contenders(options, folder)
        ports = {name: free_port() for name in ("own", "nginx", "nginx-http2")}
        own = processes.start([bench.compile_helper(folder, "origin"), str(ports["own"])], "1")
        files = os.path.join(folder, "files-origin")
        os.makedirs(files)
        origin = processes.start(contenders.nginx_origin(contenders.found("nginx"), files,
                                                         ports["nginx"], ports["nginx-http2"]), "1")
        processes.wait_until_answering(own, ports["own"], "/13")
        processes.wait_until_answering(origin, ports["nginx"], "/13")
        for _ in range(options.rounds):
            for case in options.case:
                for name in CASES[case][3]:
                    if name in known:
                        figures.setdefault((case, name), []).append(measure(
                            processes, folder, known[name], case, ports, options.seconds))
        report(figures, options.case)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"http2_cpu.py: {failure}")
