# SPDX-License-Identifier: BSD-2-Clause
"""Slow clients beside busy ones: what the busy ones lose, what the slow ones hold, and what is given
back. Called by slow.sh. Contenders run one after the other within each case, each in a fresh
process: busy ones alone, then beside the slow ones, then the slow ones leave, in so many rounds;
figures are medians over the rounds, ratios those of a round and the times alone around it. Slow
clients share the cores of the load: what they take of these is printed, and what the gateway takes
of its own. "sink" is Turnpike with the busy ones alone, while the slow ones are at a program on their
own cores that takes them and reads nothing, or, if there are readers, at the origin itself: what is
lost beside it is no gateway's doing."""

import argparse
import os
import statistics
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

ORIGIN_SEND_BYTES = "131072"  # doubled by the kernel
CONTENDERS = ["nginx", "haproxy", "turnpike", "sink"]
BUSY = Scenario("slow", "32 busy connections", connections=32)


@dataclass(frozen=True)
class Case:
    name: str
    heads: int = 0
    bodies: int = 0
    readers: int = 0
    silent: int = 0   # the rest stall in their TLS handshakes: no word,
    halves: int = 0   # half a ClientHello,
    hellos: int = 0   # nothing after the answer to a whole one

    def kinds(self):
        return [self.heads, self.bodies, self.readers, self.silent, self.halves, self.hellos]

    def count(self):
        return sum(self.kinds())

    def stalls(self):
        return self.silent + self.halves + self.hellos > 0


CASES = [
    Case("control", heads=10),  # what two equal measurements differ by
    Case("mixed-3000", 1000, 1000, 1000),
    Case("heads-15000", heads=15000),
    Case("bodies-15000", bodies=15000),
    Case("readers-3000", readers=3000),
    Case("readers-8000", readers=8000),
    Case("tls-3000", silent=1000, halves=1000, hellos=1000),
    Case("tls-15000", silent=5000, halves=5000, hellos=5000),
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


class Sink(contenders.Turnpike):
    name = "sink"


def add_tls_listener(contender, folder, port):
    """TLS beside the plain port, with the same certificate for all."""
    cert, key, both = contenders.certificate(folder)
    name, before, more = {
        "nginx": ("nginx.conf", "    server {\n        listen", f"""    server {{
        listen 127.0.0.1:{port} ssl reuseport backlog=4096;
        ssl_certificate {cert};
        ssl_certificate_key {key};
        ssl_protocols TLSv1.2 TLSv1.3;
        listen"""),
        "haproxy": ("haproxy.cfg", "frontend clients\n", f"""frontend clients
    bind 127.0.0.1:{port} backlog 4096 ssl crt {both} alpn http/1.1
"""),
        "turnpike": ("turnpike.yaml", "listeners:\n", f"""listeners:
  - address: 127.0.0.1:{port}
    tls: {{certificates: [{{cert: {cert}, key: {key}}}]}}
"""),
    }[contender.name]
    path = os.path.join(folder, name)
    with open(path) as file:
        text = file.read()
    if before not in text:
        raise Failure(f"no place for a TLS listener in {path}")
    contenders.write(path, text.replace(before, more, 1))


def arguments():
    parser = argparse.ArgumentParser(prog="slow.sh", description=__doc__)
    parser.add_argument("--seconds", type=int, default=8, help="of each measurement (default 8)")
    parser.add_argument("--rounds", type=int, default=1, help="of each case and contender")
    parser.add_argument("--case", nargs="+", choices=[case.name for case in CASES])
    parser.add_argument("--contender", nargs="+", choices=CONTENDERS, default=CONTENDERS)
    parser.add_argument("--turnpike", help="binary; default: build/src/turnpike of this checkout")
    parser.add_argument("--nginx", default="nginx")
    parser.add_argument("--haproxy", default="haproxy")
    parser.add_argument("--wrk", default="wrk")
    parser.add_argument("--slow-cores", default=None,
                        help="of the slow clients; default: those of the load")
    parser.add_argument("--gateway-cores", default="0")
    parser.add_argument("--origin-cores", default=None,
                        help="default: those of the load; those of the gateway leave the slow "
                        "clients' program a core that no measurement waits for")
    parser.add_argument("--load-cores", default="1")
    parser.add_argument("--drip", type=int, default=2,
                        help="seconds between two bytes of a slow client (default 2): at 15,000 of "
                        "them their own program needs 8%% of a core with 2")
    parser.add_argument("--settle", type=int, default=2,
                        help="seconds between the last slow one's coming and the measurement")
    parser.add_argument("--pause", type=int, default=2, help="seconds between two rounds")
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
    slow = processes.start([tools["slow_clients"], str(port), "/13", str(options.drip * 1000),
                            *map(str, case.kinds())],
                           options.slow_cores or options.load_cores,
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    line = slow.stdout.readline().decode()
    if not line.startswith("open"):
        with open(slow.said, errors="replace") as log:
            raise Failure(f"the slow clients do not come in: {log.read().strip()}")
    return slow


def start_sink(processes, options, tools, port):
    sink = processes.start([tools["slow_clients"], "sink", str(port)],
                           options.slow_cores or options.load_cores, stdout=subprocess.PIPE)
    if not sink.stdout.readline():
        raise Failure("the sink does not open")
    return sink


def send_away(processes, slow):
    slow.stdin.close()
    line = slow.stdout.readline().decode().split()
    slow.wait()
    processes.end(slow)
    return dict(zip(line[::2], map(int, line[1::2])))


def window(processes, options, contender, port, pids, slow=None):
    """The busy ones for a while, and what gateway and slow clients use of a core meanwhile."""
    everybody = [pids] + ([[slow.pid]] if slow else [])
    began = time.monotonic()
    before = [measure.cpu_ns(each) for each in everybody]
    load = busy(processes, options, contender, port, options.seconds)
    spent = (time.monotonic() - began) * 1e9
    used = [(measure.cpu_ns(each) - was) / spent for each, was in zip(everybody, before)]
    return load, used[0], used[-1] if slow else 0


def one_round(processes, options, tools, case, contender, port, slow_port, pids):
    alone, gateway_alone, _ = window(processes, options, contender, port, pids)
    start, _ = measure.memory(pids)
    kernel_start = kernel_socket_memory()
    slow = bring_slow_ones(processes, options, tools, case, slow_port)
    time.sleep(options.settle)  # what socket buffers take of large answers is one burst
    settled, _ = measure.memory(pids)
    kernel = kernel_socket_memory() - kernel_start
    beside, gateway_beside, slow_share = window(processes, options, contender, port, pids, slow)
    during, _ = measure.memory(pids)
    told = send_away(processes, slow)
    return {"alone": rate(alone), "beside": rate(beside),
            "p99_alone": alone["p99_us"], "p99_beside": beside["p99_us"],
            "errors": errors(beside),
            "gateway_alone": gateway_alone, "gateway_beside": gateway_beside,
            "slow_share": slow_share, "start": start, "during": max(settled, during),
            "kernel": kernel, **told}


def compare(rounds, last_alone):
    """Each time beside slow ones with those alone before and after it: the machine drifts."""
    rates = [each["alone"] for each in rounds] + [rate(last_alone)]
    p99s = [each["p99_alone"] for each in rounds] + [last_alone["p99_us"]]
    for i, each in enumerate(rounds):
        each["ratio"] = each["beside"] / statistics.mean(rates[i:i + 2])
        each["p99_ratio"] = each["p99_beside"] / statistics.mean(p99s[i:i + 2])


def port_for_slow_ones(contender, case, port, origin_port):
    if contender.name == Sink.name:
        return origin_port if case.readers else free_port()
    return free_port() if case.stalls() else port


def one_case(processes, options, tools, case, contender, origin_port, folder):
    place = tempfile.mkdtemp(prefix=f"{contender.name}-", dir=folder)
    port = free_port()
    at_sink = contender.name == Sink.name
    slow_port = port_for_slow_ones(contender, case, port, origin_port)
    # Files and connections enough for all of them.
    scenario = replace(BUSY, idle=case.count())
    command = contender.command(scenario, place, port, origin_port)
    if case.stalls() and not at_sink:
        add_tls_listener(contender, place, slow_port)
    gateway = processes.start(command, options.gateway_cores)
    has_sink = at_sink and slow_port != origin_port
    sink = start_sink(processes, options, tools, slow_port) if has_sink else None
    try:
        processes.wait_until_answering(gateway, port, "/13")
        if case.stalls() and not at_sink:
            processes.wait_until_answering(gateway, slow_port, "/13", tls=True)
        busy(processes, options, contender, port, 1)
        pids = measure.family_of(gateway.pid)
        rounds = []
        for _ in range(options.rounds):
            rounds.append(one_round(processes, options, tools, case, contender, port, slow_port,
                                    pids))
            time.sleep(options.pause)
        compare(rounds, window(processes, options, contender, port, pids)[0])
        time.sleep(options.give_back)
        after, _ = measure.memory(pids)
        figures = {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}
        return {**figures, "start": rounds[0]["start"], "after": after,
                "longest_ms": max(each["longest_ms"] for each in rounds)}
    finally:
        processes.end(gateway)
        if sink:
            processes.end(sink)


def row(case, contender, figures):
    count = case.count()
    return (f"| {case.name} | {contender.name} | {figures['alone']:,.0f} | {figures['beside']:,.0f} "
            f"| {figures['ratio']:.3f} | {figures['p99_alone']:.0f} "
            f"| {figures['p99_beside']:.0f} | {figures['p99_ratio']:.2f} "
            f"| {figures['errors']:.0f} | {figures['gateway_alone'] * 100:.0f} "
            f"| {figures['gateway_beside'] * 100:.0f} | {figures['slow_share'] * 100:.0f} "
            f"| {(figures['during'] - figures['start']) / count / 1024:.1f} "
            f"| {figures['kernel'] / count / 1024:.1f} | {figures['start'] / 1048576:.1f} "
            f"| {figures['after'] / 1048576:.1f} | {figures['cut']:.0f} "
            f"| {figures['longest_ms'] / 1000:.1f} |")


HEADING = """| case | | requests/s alone | beside | ratio | p99 alone (us) | beside | ratio | errors \
| gateway's core % alone | beside | slow clients' % | KiB each | kernel KiB each | MiB at start \
| MiB after | cut | longest (s) |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"""


def main():
    options = arguments()
    cases = [case for case in CASES if not options.case or case.name in options.case]
    with tempfile.TemporaryDirectory(prefix="turnpike-slow-") as folder:
        tools = {name: bench.compile_helper(folder, name) for name in ("slow_clients", "origin")}
        asked = [name for name in CONTENDERS if name in options.contender]
        options.contender = [name for name in asked if name != "sink"]
        options.wrk = contenders.found(options.wrk) or options.wrk
        chosen = [SpoolingNginx(contender.binary) if contender.name == "nginx" else contender
                  for contender in bench.chosen_contenders(options, folder)]
        if "sink" in asked:
            chosen.append(Sink(bench.turnpike_copy(options.turnpike, folder)))
        print(HEADING, flush=True)
        with Processes(folder) as processes:
            origin_port = free_port()
            origin = processes.start([tools["origin"], str(origin_port), "1", ORIGIN_SEND_BYTES],
                                     options.origin_cores or options.load_cores)
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
