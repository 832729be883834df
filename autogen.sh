#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Makes ./configure from configure.ac, as a plain `autoreconf -i` does. Again after a change there;
# a new source file needs only contrib/list-sources.sh, make notices the rest.
set -e
cd "$(dirname "$0")"
exec autoreconf --install --warnings=all
