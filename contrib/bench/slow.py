# SPDX-License-Identifier: BSD-2-Clause
"""Slow clients beside busy ones: what the busy ones lose, what the slow ones hold, and what is given
back. Called by slow.sh. Contenders run one after the other within each case, each in a fresh
process: busy ones alone, then beside the slow ones, then the slow ones leave."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace

import bench
import contenders
import measure
from processes import Failure, Processes, free_port
from scenarios import Scenario

BUSY = Scenario("slow", "32 busy connections", connections=32)


@dataclass(frozen=True)
class Case:
    name: str
    heads: int = 0
    bodies: int = 0
    readers: int = 0


CASES = [
    Case("mixed-3000", 1000, 1000, 1000),
    Case("heads-15000", heads=15000),
    Case("bodies-15000", bodies=15000),
    Case("readers-8000", readers=8000),
]


class SpoolingNginx(contenders.Nginx):
    """With its default for request bodies, which is made against slow ones: read them first."""

    def command(self, scenario, folder, port, origin_port):
        command = super().command(scenario, folder, port, origin_port)
        path = os.path.join(folder, "nginx.conf")
        with open(path) as file:
            text = file.read()
        contenders.write(path, text.replace("    proxy_request_buffering off;\n", ""))
        return command


def arguments():
    parser = argparse.ArgumentParser(prog="slow.sh", description=__doc__)
    parser.add_argument("--seconds", type=int, default=8, help="of each measurement (default 8)")
    parser.add_argument("--case", nargs="+", choices=[case.name for case in CASES])
    parser.add_argument("--contender", nargs="+", choices=["nginx", "haproxy", "turnpike"],
                        default=["nginx", "haproxy", "turnpike"])
    parser.add_argument("--turnpike", help="binary; default: build/src/turnpike of this checkout")
    parser.add_argument("--nginx", default="nginx")
    parser.add_argument("--haproxy", default="haproxy")
    parser.add_argument("--wrk", default="wrk")
    parser.add_argument("--slow-cores", default=None,
                        help="of the slow clients; default: those of the load")
    parser.add_argument("--gateway-cores", default="0")
    parser.add_argument("--load-cores", default="1")
    parser.add_argument("--settle", type=int, default=2,
                        help="seconds between the last slow one's coming and the measurement")
    parser.add_argument("--give-back", type=int, default=12,
                        help="seconds until memory is looked at once they have gone")
    return parser.parse_args()


def kernel_socket_memory():
    """Bytes that TCP holds in the kernel, of all processes."""
    with open("/proc/net/sockstat") as file:
        for line in file:
            words = line.split()
            if words[0] == "TCP:":
                return int(words[words.index("mem") + 1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def busy(processes, options, contender, port, seconds):
    command = measure.wrk_command(options.wrk, contender, BUSY, port, seconds)
    return measure.run_load(processes, command, options.load_cores, seconds)


def rate(load):
    return load["requests"] / (load["duration_us"] / 1e6)


def errors(load):
    return sum(count for key, count in load.items()
               if key.endswith("_errors") or key == "timeouts")


def bring_slow_ones(processes, options, tools, case, port):
    slow = processes.start([tools["slow_clients"], str(port), "/13", str(case.heads),
                            str(case.bodies), str(case.readers), "0"],
                           options.slow_cores or options.load_cores,
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    line = slow.stdout.readline().decode()
    if not line.startswith("open"):
        with open(slow.said, errors="replace") as log:
            raise Failure(f"the slow clients do not come in: {log.read().strip()}")
    return slow


def send_away(processes, slow):
    slow.stdin.close()
    line = slow.stdout.readline().decode().split()
    slow.wait()
    processes.end(slow)
    return dict(zip(line[::2], map(int, line[1::2])))


def one_case(processes, options, tools, case, contender, origin_port, folder):
    place = tempfile.mkdtemp(prefix=f"{contender.name}-", dir=folder)
    port = free_port()
    # Files and connections enough for all of them.
    scenario = replace(BUSY, idle=case.heads + case.bodies + case.readers)
    gateway = processes.start(contender.command(scenario, place, port, origin_port),
                              options.gateway_cores)
    try:
        processes.wait_until_answering(gateway, port, "/13")
        busy(processes, options, contender, port, 1)
        pids = measure.family_of(gateway.pid)
        alone = busy(processes, options, contender, port, options.seconds)
        start, _ = measure.memory(pids)
        kernel_start = kernel_socket_memory()
        slow = bring_slow_ones(processes, options, tools, case, port)
        time.sleep(options.settle)  # what socket buffers take of large answers is one burst
        settled, _ = measure.memory(pids)
        kernel = kernel_socket_memory() - kernel_start
        beside = busy(processes, options, contender, port, options.seconds)
        during, _ = measure.memory(pids)
        told = send_away(processes, slow)
        time.sleep(options.give_back)
        after, _ = measure.memory(pids)
        return {"alone": rate(alone), "beside": rate(beside), "p99_alone": alone["p99_us"],
                "p99_beside": beside["p99_us"], "errors": errors(beside), "start": start,
                "during": max(settled, during), "kernel": kernel, "after": after, **told}
    finally:
        processes.end(gateway)


def row(case, contender, figures):
    count = case.heads + case.bodies + case.readers
    return (f"| {case.name} | {contender.name} | {figures['alone']:,.0f} | {figures['beside']:,.0f} "
            f"| {figures['beside'] / figures['alone']:.2f} | {figures['p99_alone']} "
            f"| {figures['p99_beside']} | {figures['p99_beside'] / figures['p99_alone']:.2f} "
            f"| {figures['errors']} | {(figures['during'] - figures['start']) / count / 1024:.1f} "
            f"| {figures['kernel'] / count / 1024:.1f} | {figures['start'] / 1048576:.1f} "
            f"| {figures['after'] / 1048576:.1f} | {figures['cut']} "
            f"| {figures['longest_ms'] / 1000:.1f} |")


HEADING = """| case | | requests/s alone | beside | ratio | p99 alone (us) | beside | ratio | errors \
| KiB each | kernel KiB each | MiB at start | MiB after | cut | longest (s) |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"""


def main():
    options = arguments()
    cases = [case for case in CASES if not options.case or case.name in options.case]
    with tempfile.TemporaryDirectory(prefix="turnpike-slow-") as folder:
        tools = {name: bench.compile_helper(folder, name) for name in ("slow_clients", "origin")}
        options.contender = [name for name in ("nginx", "haproxy", "turnpike")
                             if name in options.contender]
        options.wrk = contenders.found(options.wrk) or options.wrk
        chosen = [SpoolingNginx(contender.binary) if contender.name == "nginx" else contender
                  for contender in bench.chosen_contenders(options, folder)]
        print(HEADING, flush=True)
        with Processes(folder) as processes:
            origin_port = free_port()
            origin = processes.start([tools["origin"], str(origin_port), "1"], options.load_cores)
            processes.wait_until_answering(origin, origin_port, "/13")
            for case in cases:
                for contender in chosen:
                    try:
                        print(row(case, contender, one_case(processes, options, tools, case,
                                                            contender, origin_port, folder)),
                              flush=True)
                    except Failure as failure:
                        print(f"{case.name} {contender.name}: {failure}", file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"slow.sh: {failure}")
    except KeyboardInterrupt:
        sys.exit("slow.sh: interrupted; everything it started has ended")
