#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# make-man.sh PROGRAM SECTION: prints the man page of a built program. What it does and which
# options it takes is what its --help says, so the two never differ. Called by make.
set -eu
program=$1
section=$2
name=$(basename "$program")

# Text that troff takes as it is.
plain() {
    sed 's/\\/\\e/g; s/-/\\-/g; s/^\([.'"'"']\)/\\\&\1/'
}

"$program" --help | plain | awk -v name="$name" -v section="$section" '
    NR == 1 {
        about = $0
        sub(/^[^:]*: */, "", about)
        printf ".TH %s %s\n.SH NAME\n%s \\- %s\n.SH SYNOPSIS\n.nf\n", toupper(name), section, name, about
        next
    }
    /^usage:/ { sub(/^usage: */, ""); print; next }
    NR > 2 && !described { printf ".fi\n.SH DESCRIPTION\n.nf\n"; described = 1 }
    { print }
    END { print ".fi" }'
cat <<'END'
.SH FILES
.I /etc/turnpike/turnpike.yaml
is the configuration;
.I /run/turnpike/admin.sock
is where turnpikectl asks the gateway.
.SH SEE ALSO
.BR turnpike (8),
.BR turnpikectl (1),
.BR turnpike.yaml (5)
END
