#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# check-start.sh [TURNPIKE.deb]: runs every command of doc/START.md in order, on a copy of this machine
# (contrib/private-machine.sh), and prints what each part took. Text behind "  # " must stand in what
# the command prints. Builds the package when none is given. Exits 77 where there can be no such copy.
set -euo pipefail
. "$(dirname "$0")/on-private-machine.sh"
limit=600 # seconds

mkdir -p /root/start
cp "$package" /root/start/
page=$PWD/doc/START.md
cd /root/start
python3 - "$page" "$limit" <<'END'
import re
import subprocess
import sys
import time

page, limit = sys.argv[1], float(sys.argv[2])
sections = re.split(r'^(?=## )', open(page, encoding='utf-8').read(), flags=re.M)


def commands(block):
    """A line each, or several with the text that a here-document takes."""
    lines = iter(block.splitlines())
    for line in lines:
        command, _, wanted = line.partition('  # ')
        if "<<'END'" in line:
            for more in lines:
                command += '\n' + more
                if more == 'END':
                    break
        if command.strip():
            yield command.rstrip(), wanted.strip()


began = time.monotonic()
count = 0
for section in sections:
    title = section.split('\n', 1)[0].lstrip('# ')
    since = time.monotonic()
    here = 0
    for block in re.findall(r'^```sh\n(.*?)^```$', section, flags=re.M | re.S):
        for command, wanted in commands(block):
            ran = subprocess.run(['bash', '-c', command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, timeout=limit)
            if ran.returncode != 0 or wanted not in ran.stdout:
                print(f'FAILED  {title}: {command}\n        exit status {ran.returncode}, should say "{wanted}", and said:\n{ran.stdout}')
                sys.exit(1)
            here += 1
    if here > 0:
        print(f'ok      {title}: {here} commands, {time.monotonic() - since:.1f} s')
    count += here
took = time.monotonic() - began
print(f'start page: {count} commands in {took:.1f} s, without downloads and reading')
sys.exit(0 if took < limit else 1)
END
