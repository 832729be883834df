# SPDX-License-Identifier: BSD-2-Clause
"""Python's requests: `client.py URL` prints what it got from the origin of run.mjs."""
import sys

import requests

session = requests.Session()
url = sys.argv[1]


def word(answer):
    return f"{answer.status_code}/{len(answer.content)}"


words = [word(session.get(url + "/bytes/100")) for _ in range(20)]
words += [word(session.get(url + path))
          for path in ("/bytes/10000000", "/chunks", "/missing", "/moved")]
words.append(word(session.post(url + "/length", data=b"x" * 1000000)))
words.append(word(session.post(url + "/length", data=iter([b"x" * 1000000, b"end"]))))
print(" ".join(words))
