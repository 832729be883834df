#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# dev-configure.sh [CONFIGURE_ARGUMENT...]: a build folder for working on the code, build-dev/:
# no optimisation, warnings as errors, sanitizers on. Then: make -C build-dev check
set -euo pipefail
cd "$(dirname "$0")/.."
contrib/list-sources.sh
[ -f configure ] || ./autogen.sh
mkdir -p build-dev
cd build-dev
../configure --enable-werror --enable-sanitizers CFLAGS='-O0 -g3' "$@"
