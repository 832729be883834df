# SPDX-License-Identifier: BSD-2-Clause
"""The benchmark: Turnpike, nginx, HAProxy and the floor relay in interleaved rounds on one machine.
Called by run.sh. Rounds are the outer loop and contenders the inner one, so that figures which are
compared were taken close together; each measurement is a fresh process."""

import argparse
import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass

import contenders
import measure
import report
from processes import Failure, Processes, free_port
from scenarios import MOST_ORIGINS, SCENARIOS, request_path

HERE = os.path.dirname(os.path.abspath(__file__))
CONTENDERS = ["floor", "nginx", "haproxy", "turnpike"]


@dataclass
class Tools:
    """What a measurement needs besides the contender."""
    wrk: str
    hold: str
    handshakes: str
    tls_floor: str
    seconds: int
    gateway_cores: str
    load_cores: str
    origin_kind: str       # "auto", "own" or "nginx"
    own_origin: int = 0    # ports
    nginx_origin: int = 0


def compile_helper(folder, name, libraries=()):
    binary = os.path.join(folder, name)
    subprocess.run(["cc", "-O2", "-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-pthread",
                    os.path.join(HERE, f"{name}.c"), "-o", binary, *libraries], check=True)
    return binary


def arguments():
    parser = argparse.ArgumentParser(
        prog="run.sh", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Runs Turnpike, nginx, HAProxy and the floor relay in interleaved rounds.",
        epilog="scenarios:\n" + "\n".join(f"  {s.name:14} {s.text}" for s in SCENARIOS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of each measurement (default 4)")
    parser.add_argument("--scenario", nargs="+", metavar="NAME", action="extend",
                        choices=[s.name for s in SCENARIOS], help="default: all")
    parser.add_argument("--contender", nargs="+", metavar="NAME", action="extend",
                        choices=CONTENDERS, help="default: all")
    parser.add_argument("--turnpike", help="binary; default: build/src/turnpike of this checkout")
    parser.add_argument("--other", metavar="TURNPIKE",
                        help="a second binary of Turnpike, measured in turns with the first")
    parser.add_argument("--nginx", default="nginx", help="binary")
    parser.add_argument("--haproxy", default="haproxy", help="binary")
    parser.add_argument("--wrk", default="wrk", help="binary")
    parser.add_argument("--origin", choices=["auto", "own", "nginx"], default="auto",
                        help="auto: nginx for files (1k to 1m), else our own")
    parser.add_argument("--gateway-cores", default="0", help="default 0")
    parser.add_argument("--load-cores", default="1", help="of origin and load; default 1")
    parser.add_argument("--json", metavar="FILE", help="also write every figure there")
    return parser.parse_args()


def turnpike_copy(named, folder, name="turnpike"):
    """A binary of Turnpike, copied: a rebuild meanwhile must not change what is measured."""
    checkout = os.path.join(HERE, "..", "..")
    path = contenders.found(named or os.path.join(checkout, "build/src/turnpike"),
                            *([] if named else [os.path.join(checkout, "src/turnpike")]))
    if path is None:
        raise Failure("no turnpike binary: build it, or name one with --turnpike")
    return shutil.copy(path, os.path.join(folder, name))


def chosen_contenders(options, folder):
    wanted = CONTENDERS if options.contender is None else options.contender
    chosen = []
    if "floor" in wanted:
        chosen.append(contenders.Floor(compile_helper(folder, "floor_relay")))
    for kind, binary in ((contenders.Nginx, options.nginx), (contenders.Haproxy, options.haproxy)):
        if kind.name in wanted:
            path = contenders.found(binary)
            if path is None:
                raise Failure(f"no {kind.name} binary: install it or name one with --{kind.name}")
            chosen.append(kind(path))
    if options.other is not None:
        chosen.append(contenders.OtherTurnpike(turnpike_copy(options.other, folder, "other")))
    if "turnpike" in wanted:
        chosen.append(contenders.Turnpike(turnpike_copy(options.turnpike, folder)))
    return chosen


def start_origins(processes, tools, options, folder):
    tools.own_origin = free_port()
    own = processes.start([compile_helper(folder, "origin"), str(tools.own_origin),
                           str(MOST_ORIGINS)])
    processes.wait_until_answering(own, tools.own_origin, "/13")
    nginx = contenders.found(options.nginx)
    if nginx is None:
        tools.origin_kind = "own"
        return
    tools.nginx_origin = free_port()
    place = os.path.join(folder, "nginx-origin")
    os.makedirs(place)
    origin = processes.start(contenders.nginx_origin(nginx, place, tools.nginx_origin))
    processes.wait_until_answering(origin, tools.nginx_origin, "/1k")


def place_origins(processes, tools, scenario):
    """Origins run beside the load on its core, or anywhere when nothing is pinned."""
    cores = tools.load_cores if scenario.pinned else f"0-{os.cpu_count() - 1}"
    for process in processes.running:
        for pid in measure.family_of(process.pid):
            subprocess.run(["taskset", "-acp", cores, str(pid)], check=True,
                           stdout=subprocess.DEVNULL)


def origin_port(tools, scenario):
    if scenario.upload or scenario.origins > 1 or scenario.short:
        return tools.own_origin
    nginx = tools.origin_kind == "nginx" or (tools.origin_kind == "auto" and scenario.files)
    return tools.nginx_origin if nginx else tools.own_origin


def one_measurement(processes, tools, contender, scenario, folder):
    place_origins(processes, tools, scenario)
    place = tempfile.mkdtemp(prefix=f"{contender.name}-", dir=folder)
    port = free_port()
    command = contender.command(scenario, place, port, origin_port(tools, scenario))
    gateway = processes.start(command, measure.gateway_place(tools, scenario))
    try:
        path = contender.path(scenario, request_path(scenario)).replace("%d", "0")
        processes.wait_until_answering(gateway, port, path, tls=scenario.tls)
        kind = measure.measure_load if scenario.load else measure.measure_idle
        return kind(processes, tools, contender, scenario, gateway, port)
    finally:
        processes.end(gateway)
        shutil.rmtree(place, ignore_errors=True)


def progress(number, scenario, contender, figures):
    if scenario.load:
        said = (f"{figures['rps']:9.0f} requests/s  {figures['cpu_us']:8.2f} µs CPU/request  "
                f"p99 {figures['p99']:7.0f} µs")
        if figures["errors"]:
            said += f"  {figures['errors']} ERRORS"
    else:
        said = f"{figures['bytes_each_further']:9.0f} bytes/connection"
    print(f"round {number + 1}  {scenario.name:14} {contender.name:9} {said}",
          file=sys.stderr, flush=True)


def measure_floor_of_tls(processes, tools, scenario, results):
    """Beside the contenders of a round, not one of them."""
    figures = measure.measure_tls_floor(processes, tools, scenario)
    print(f"         {scenario.name:14} the primitives alone {figures['cpu_us']:.2f} µs, "
          f"the library in memory {figures['library_us']:.2f} µs", file=sys.stderr, flush=True)
    results[scenario.name].setdefault("primitives", []).append(figures)


def run_rounds(processes, tools, options, chosen, wanted, folder):
    results = {s.name: {c.name: [] for c in chosen} for s in wanted}
    for number in range(options.rounds):
        order = chosen[number % len(chosen):] + chosen[:number % len(chosen)]
        for scenario in wanted:
            for contender in order:
                if scenario.tls and not contender.speaks_tls:
                    continue
                try:
                    figures = one_measurement(processes, tools, contender, scenario, folder)
                    progress(number, scenario, contender, figures)
                except Failure as failure:
                    print(f"round {number + 1}  {scenario.name} {contender.name}: {failure}",
                          file=sys.stderr, flush=True)
                    figures = None
                results[scenario.name][contender.name].append(figures)
            if scenario.handshakes == "full" and scenario.workers == 1:
                measure_floor_of_tls(processes, tools, scenario, results)
    return results


def version_of(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    lines = done.stdout.decode(errors="replace").splitlines()
    return lines[0].strip() if lines else "unknown"


def print_report(options, chosen, wanted, results):
    print(f"\n## {datetime.date.today()}, {platform.system()} {platform.release()}, "
          f"{os.cpu_count()} cores, {options.rounds} rounds of {options.seconds} s\n")
    for contender in chosen:
        if contender.name in ("nginx", "haproxy"):
            print(f"- {version_of([contender.binary, '-v'])}")
    with open("/proc/sys/net/ipv4/tcp_congestion_control") as file:
        print(f"- congestion control: {file.read().strip()}")
    print()
    for scenario in wanted:
        print(report.scenario_report(results, scenario, [c.name for c in chosen]))
    print(report.reach_report(results))


def main():
    options = arguments()
    wanted = [s for s in SCENARIOS if not options.scenario or s.name in options.scenario]
    with tempfile.TemporaryDirectory(prefix="turnpike-bench-") as folder:
        tls = any(scenario.handshakes for scenario in wanted)
        libraries = ("-lssl", "-lcrypto")
        tools = Tools(wrk=contenders.found(options.wrk) or options.wrk,
                      hold=compile_helper(folder, "hold"),
                      handshakes=compile_helper(folder, "handshakes", libraries) if tls else "",
                      tls_floor=compile_helper(folder, "tls_floor", libraries) if tls else "",
                      seconds=options.seconds,
                      gateway_cores=options.gateway_cores, load_cores=options.load_cores,
                      origin_kind=options.origin)
        chosen = chosen_contenders(options, folder)
        with Processes(folder) as processes:
            start_origins(processes, tools, options, folder)
            results = run_rounds(processes, tools, options, chosen, wanted, folder)
        print_report(options, chosen, wanted, results)
        if options.json:
            with open(options.json, "w") as file:
                json.dump(results, file, indent=1)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"run.sh: {failure}")
    except KeyboardInterrupt:
        sys.exit("run.sh: interrupted; everything it started has ended")
