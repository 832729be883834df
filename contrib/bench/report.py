# SPDX-License-Identifier: BSD-2-Clause
"""Turns the figures into tables (Markdown, which also reads well on a terminal). Ratios are taken
round by round, between figures minutes apart at most, and the median of the ratios is quoted.

results[scenario][contender] is a list with the figures of each round (None: it failed)."""

from statistics import median

FLOOR, PEERS, OURS, OTHER = "floor", ("nginx", "haproxy"), "turnpike", "other"
SIZES = ("1k", "4k", "8k", "16k", "32k", "64k")


def values(results, scenario, contender, key):
    return [figures[key] if figures and key in figures else None
            for figures in results.get(scenario, {}).get(contender, [])]


def middle(numbers):
    known = [number for number in numbers if number is not None]
    return median(known) if known else None


def ratios(above, below):
    return [a / b if a is not None and b else None for a, b in zip(above, below)]


def shown(number, form="{:.2f}"):
    return "–" if number is None else form.format(number)


def table(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for number, row in enumerate(rows):
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width)
                                             for cell, width in zip(row[1:], widths[1:])]
        lines.append("| " + " | ".join(cells) + " |")
        if number == 0:
            lines.append("|" + "|".join(["-" * (widths[0] + 2)] +
                                        ["-" * (width + 1) + ":" for width in widths[1:]]) + "|")
    return "\n".join(lines)


def load_table(results, scenario, contenders):
    others = [name for name in contenders if name != OURS]
    rows = [["", "requests/s", "MB/s", "p50 µs", "p99 µs", "p99.9 µs", "CPU µs/request",
             *[f"CPU/{name}" for name in others], "RSS MB", "Pss MB", "errors"]]
    for name in contenders:
        def of(key):
            return values(results, scenario, name, key)
        cpu = of("cpu_us")
        against = [middle(ratios(cpu, values(results, scenario, other, "cpu_us")))
                   for other in others]
        rows.append([name, shown(middle(of("rps")), "{:.0f}"),
                     shown(middle([b and b / 1e6 for b in of("bytes_per_second")]), "{:.1f}"),
                     *[shown(middle(of(key)), "{:.0f}") for key in ("p50", "p99", "p999")],
                     shown(middle(cpu)), *[shown(ratio) for ratio in against],
                     *[shown(middle([b and b / 1e6 for b in of(key)]), "{:.1f}")
                       for key in ("rss", "pss")],
                     shown(sum(e or 0 for e in of("errors")), "{:.0f}")])
    return table(rows)


def idle_table(results, scenario, contenders):
    rows = [["", "bytes/connection", "of the later two thirds", "CPU µs/s", "without any",
             "RSS MB", "Pss MB"]]
    for name in contenders:
        def of(key):
            return middle(values(results, scenario, name, key))
        rows.append([name, shown(of("bytes_each"), "{:.0f}"),
                     shown(of("bytes_each_further"), "{:.0f}"), shown(of("idle_cpu_us"), "{:.0f}"),
                     shown(of("alone_cpu_us"), "{:.0f}"),
                     *[shown(of(key) and of(key) / 1e6, "{:.1f}") for key in ("rss", "pss")]])
    return table(rows)


def rounds_of(results, scenario, contenders):
    """Round by round: CPU per request of each, then its ratio to the others for ours."""
    lines = []
    for name in contenders:
        cpu = values(results, scenario, name, "cpu_us")
        lines.append(f"{name}: " + "  ".join(shown(number) for number in cpu))
    if OURS in contenders:
        ours = values(results, scenario, OURS, "cpu_us")
        for name in contenders:
            if name != OURS:
                against = ratios(ours, values(results, scenario, name, "cpu_us"))
                lines.append(f"{OURS}/{name}: " + "  ".join(shown(ratio) for ratio in against))
    return "\n".join(lines)


def scenario_report(results, scenario, contenders):
    head = f"### {scenario.name}: {scenario.text}\n"
    if not scenario.load:
        return f"{head}\n{idle_table(results, scenario.name, contenders)}\n"
    return (f"{head}\n{load_table(results, scenario.name, contenders)}\n\n"
            f"CPU µs per request, round by round:\n```\n"
            f"{rounds_of(results, scenario.name, contenders)}\n```\n")


class Reach:
    """The figures Turnpike is to reach, each as one line: reached or not, and by how much."""

    def __init__(self, results):
        self.results = results
        self.rows = [["figure", "measured", "to reach", ""]]

    def at_most(self, text, numbers, bound):
        self._add(text, middle(numbers), bound, "≤", lambda number: number <= bound)

    def at_least(self, text, numbers, bound):
        self._add(text, middle(numbers), bound, "≥", lambda number: number >= bound)

    def _add(self, text, number, bound, sign, holds):
        if number is not None:
            self.rows.append([text, shown(number), f"{sign} {bound}",
                              "reached" if holds(number) else "NOT REACHED"])

    def of(self, scenario, contender, key="cpu_us"):
        return values(self.results, scenario, contender, key)

    def best_peer(self, scenario, key, best):
        columns = [column for column in (self.of(scenario, peer, key) for peer in PEERS) if column]
        return [best(known) if (known := [n for n in row if n is not None]) else None
                for row in zip(*columns)]

    def against(self, scenario, other, key="cpu_us"):
        return ratios(self.of(scenario, OURS, key), self.of(scenario, other, key))

    def scenarios(self, above, below):
        return ratios(self.of(above, OURS), self.of(below, OURS))


def tls_reach(reach):
    """Of TLS. CPU per handshake stands for handshakes per CPU second: its inverse."""
    for scenario in ("tls-full", "tls-resumed"):
        reach.at_most(f"TLS 1 {scenario}, CPU/better peer",
                      ratios(reach.of(scenario, OURS), reach.best_peer(scenario, "cpu_us", min)),
                      1.0)
    ours = reach.of("tls-full", OURS)
    reach.at_least("TLS 1 full handshakes, of what the primitives allow",
                   ratios(reach.of("tls-full", "primitives"), ours), 0.95)
    reach.at_least("TLS 1 full handshakes, of what the library allows in memory",
                   ratios(reach.of("tls-full", "primitives", "library_us"), ours), 0.95)
    # Each worker shares its core with a load, so that both double.
    reach.at_least("TLS 1 2 workers against 1, handshakes a second",
                   ratios(reach.of("tls-workers-2", OURS, "rps"),
                          reach.of("tls-workers-1", OURS, "rps")), 1.8)
    reach.at_most("TLS 2 tls-keepalive, CPU/better peer",
                  ratios(reach.of("tls-keepalive", OURS),
                         reach.best_peer("tls-keepalive", "cpu_us", min)), 0.90)
    reach.at_least("TLS 2 tls-1m, bytes/s against the better peer",
                   ratios(reach.of("tls-1m", OURS, "bytes_per_second"),
                          reach.best_peer("tls-1m", "bytes_per_second", max)), 1.0)


def against_better_peer(reach, scenario, key, best):
    return ratios(reach.of(scenario, OURS, key), reach.best_peer(scenario, key, best))


def sizes_reach(reach):
    """Of answers and uploads of the usual sizes; with --other, p99 against that binary."""
    for size in SIZES:
        for scenario in (f"answer-{size}", f"upload-{size}"):
            reach.at_most(f"8 {scenario}, CPU/floor", reach.against(scenario, FLOOR), 1.20)
            reach.at_most(f"8 {scenario}, CPU/better peer",
                          against_better_peer(reach, scenario, "cpu_us", min), 0.80)
            reach.at_least(f"8 {scenario}, bytes/s against the better peer",
                           against_better_peer(reach, scenario, "bytes_per_second", max), 1.0)
            reach.at_most(f"8 {scenario}, p99 against the other binary",
                          reach.against(scenario, OTHER, "p99"), 1.0)
        reach.at_most(f"8 tls-{size}, CPU/better peer",
                      against_better_peer(reach, f"tls-{size}", "cpu_us", min), 0.85)


def engine_reach(reach):
    """With --other, the build of the same commit --with-events=epoll."""
    for scenario, bound in (("keepalive", 1.02), ("keepalive-1000", 1.04), ("short", 1.02),
                            ("tls-keepalive", 1.02)):
        reach.at_most(f"9 {scenario}, CPU/other binary", reach.against(scenario, OTHER), bound)


def reach_report(results):
    reach = Reach(results)
    for other, bound in ((FLOOR, 1.20), ("nginx", 0.85), ("haproxy", 0.70)):
        reach.at_most(f"1 keepalive, CPU/{other}", reach.against("keepalive", other), bound)
    for peer in PEERS:
        reach.at_least(f"1 keepalive, requests/s against {peer}",
                       reach.against("keepalive", peer, "rps"), 1.0)
    reach.at_most("1 keepalive, p99 against the better peer",
                  ratios(reach.of("keepalive", OURS, "p99"),
                         reach.best_peer("keepalive", "p99", min)), 1.0)
    reach.at_most("2 short, CPU/better peer",
                  ratios(reach.of("short", OURS), reach.best_peer("short", "cpu_us", min)), 0.85)
    reach.at_most("3 respond, CPU/nginx", reach.against("respond", "nginx"), 0.85)
    reach.at_most("3 respond-short, CPU/nginx", reach.against("respond-short", "nginx"), 0.75)
    for scenario in ("answer-1m", "upload-1m"):
        reach.at_least(f"4 {scenario}, bytes/s against the floor",
                       reach.against(scenario, FLOOR, "bytes_per_second"), 0.95)
        reach.at_least(f"4 {scenario}, bytes/s against the better peer",
                       ratios(reach.of(scenario, OURS, "bytes_per_second"),
                              reach.best_peer(scenario, "bytes_per_second", max)), 1.0)
    reach.at_most("5 bytes of an idle connection",
                  reach.of("idle-15000", OURS, "bytes_each_further"), 330)
    reach.at_most("5 CPU of 15,000 idle connections, µs in a second",
                  reach.of("idle-15000", OURS, "idle_cpu_more_us"), 1000)
    reach.at_most("5 CPU with 10,000 idle beside", reach.scenarios("busy-64", "keepalive"), 1.05)
    reach.at_most("6 10,000 routes against 10", reach.scenarios("routes-10000", "routes-10"), 1.10)
    reach.at_most("6 1,000 origins against 2", reach.scenarios("origins-1000", "origins-2"), 1.10)
    reach.at_most("7 2 workers against 1", reach.scenarios("workers-2", "workers-1"), 1.10)
    sizes_reach(reach)
    engine_reach(reach)
    tls_reach(reach)
    if len(reach.rows) == 1:
        return ""
    return f"### What Turnpike is to reach (medians)\n\n{table(reach.rows)}\n"
