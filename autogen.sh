#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Makes ./configure from configure.ac. Again after a change there; a new source file needs
# only contrib/list-sources.sh (which this runs too), make notices the rest.
set -e
cd "$(dirname "$0")"
contrib/list-sources.sh
exec autoreconf --install --warnings=all
