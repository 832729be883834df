# SPDX-License-Identifier: BSD-2-Clause
"""The way of one forwarded GET through src/: callgrind tells which functions cost more in a run with
many requests than in one with few. Each is looked up in the sources, from its first line to its
closing brace. Called by ../way-of-a-get.sh."""

import argparse
import glob
import os
import re
import subprocess
import sys
import tempfile

import bench
import instructions
from processes import Failure, Processes, free_port

FEW, MANY = 100, 2100
LEAST = 2  # instructions of a call: what runs now and then beside the requests costs less than that
ROOT = os.path.join(bench.HERE, "..", "..")
STORY = ("client", "exchange", "origin")
WANTED = "12 files, 3000 lines"
DEFINITION = re.compile(r"^(?:[A-Za-z_][\w ]*[ *]+)?\**(\w+)\([^;]*$")


def functions_of_sources():
    """{name: [(path, first line, lines)]} of every function defined in src/."""
    found = {}
    for path in sorted(glob.glob(os.path.join(ROOT, "src", "**", "*.[ch]"), recursive=True)):
        with open(path) as file:
            lines = file.read().split("\n")
        name = None
        for number, line in enumerate(lines):
            if name is None or line and not line[0].isspace() and line != "{":
                match = DEFINITION.match(line)
                if match and not line.startswith(("#", "}", "typedef")):
                    name, first = match.group(1), number
            if line == "}" and name is not None:
                place = os.path.relpath(path, os.path.join(ROOT, "src"))
                found.setdefault(name, []).append((place, first, number - first + 1))
                name = None
    return found


def costs(path):
    """{(file, function): instructions} of a callgrind file."""
    names, sums = {}, {}
    file = function = None
    called = False

    def name_of(text):
        number, _, name = text.partition(" ")
        if name:
            names[number] = name
        return names.get(number, number)

    with open(path) as lines:
        for line in lines:
            line = line.rstrip("\n")
            key, equals, value = line.partition("=")
            if equals and key in ("fl", "fi", "fe"):
                source = name_of("f" + value)
                file = source if key == "fl" else file
            elif equals and key == "fn":
                function = name_of("n" + value)
            elif equals and key in ("cfi", "cfl"):
                name_of("f" + value)
            elif equals and key == "cfn":
                name_of("n" + value)
            elif equals and key == "calls":
                called = True
            elif line and (line[0].isdigit() or line[0] in "+-*"):
                if not called:
                    words = line.split()
                    sums[(file, function)] = sums.get((file, function), 0) + int(words[1])
                called = False
    return sums


def reached(folder, turnpike):
    sums = []
    with Processes(folder) as processes:
        origin_port = free_port()
        origins = (origin_port, instructions.cache.Stalled().port)
        origin = processes.start([bench.compile_helper(folder, "origin"), str(origin_port)])
        processes.wait_until_answering(origin, origin_port, "/13")
        for count in (FEW, MANY):
            instructions.count_run(processes, folder, turnpike, origins, "forward", count)
            sums.append(costs(os.path.join(folder, f"forward-{count}.callgrind")))
    return {(os.path.basename(key[0]), key[1].split("'")[0]) for key, value in sums[1].items()
            if key[1] and value - sums[0].get(key, 0) >= LEAST * (MANY - FEW)}


def sum_of_sources():
    total = 0
    for path in glob.glob(os.path.join(ROOT, "src", "**", "*.[ch]"), recursive=True):
        with open(path) as file:
            total += sum(1 for _ in file)
    return total


def tell(names, verbose):
    sources = functions_of_sources()
    folders = {}
    for source, name in sorted(names):
        for place, _, lines in sources.get(name, []):
            if os.path.basename(place) != source:
                continue
            entry = folders.setdefault(place.split("/")[0], {}).setdefault(place, [])
            entry.append((name, lines))
    rows = [(folder, len(files), sum(len(entry) for entry in files.values()),
             sum(lines for entry in files.values() for _, lines in entry))
            for folder, files in folders.items()]
    for title, chosen in (("the story", [row for row in rows if row[0] in STORY]),
                          ("codec, log, loop and what lies below",
                           [row for row in rows if row[0] not in STORY])):
        print(f"{title}:")
        for folder, files, count, lines in sorted(chosen):
            print(f"  {folder:10} {files:3} files {count:4} functions {lines:5} lines")
        print(f"  {'sum':10} {sum(row[1] for row in chosen):3} files "
              f"{sum(row[2] for row in chosen):4} functions {sum(row[3] for row in chosen):5} lines"
              + (f" (wanted: {WANTED} at most)" if title == "the story" else ""))
    if verbose:
        for files in folders.values():
            for place, entry in sorted(files.items()):
                print(f"{place}: " + ", ".join(f"{name} {lines}" for name, lines in entry))
    print(f"src: {sum_of_sources()} lines")


def built(folder):
    subprocess.run([os.path.join(ROOT, "contrib", "copy-tree.sh"), f"{folder}/source"], check=True,
                   stdout=subprocess.DEVNULL)
    os.mkdir(f"{folder}/build")
    subprocess.run(["../source/configure", "--quiet", "--disable-lto", "CFLAGS=-O1 -g -fno-inline"],
                   cwd=f"{folder}/build", check=True)
    subprocess.run(["make", "-s", f"-j{os.cpu_count()}", "src/turnpike"], cwd=f"{folder}/build",
                   check=True, stdout=subprocess.DEVNULL)
    return f"{folder}/build/src/turnpike"


def main():
    parser = argparse.ArgumentParser(prog="way-of-a-get.sh", description=__doc__)
    parser.add_argument("turnpike", nargs="?", help="binary built with -O1 -g -fno-inline")
    parser.add_argument("--verbose", action="store_true", help="list each file and its functions")
    parser.add_argument("--instructions", metavar="BINARY", help="a build as it is by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="turnpike-way-") as folder:
        turnpike = bench.turnpike_copy(options.turnpike or built(folder), folder)
        names = reached(folder, turnpike)
    tell(names, options.verbose)
    if options.instructions:
        sys.stdout.flush()
        subprocess.run([os.path.join(bench.HERE, "instructions.sh"), "--turnpike",
                        options.instructions], check=False)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"way-of-a-get.sh: {failure}")
