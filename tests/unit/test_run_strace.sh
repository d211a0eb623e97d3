#!/bin/sh
# SPDX-License-Identifier: MIT
# A run on one thread makes no system call.
# usage: test_run_strace.sh PROGRAM, which is run_between_marks
set -u
program=$1
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT

command -v strace >/dev/null || { echo "no strace: skipped"; exit 77; }
strace -o "$work/probe" true 2>/dev/null || { echo "strace is not allowed here: skipped"; exit 77; }

# Leaks cannot be looked for in a process that is traced.
ASAN_OPTIONS=detect_leaks=0 strace -f -o "$work/log" "$program" || exit 1

awk '
    /the run has ended/ { inside = 0; ended++ }
    inside { print "in a run: " $0; calls++ }
    /the run begins/ { inside = 1; begun++ }
    END {
        if (begun != 2 || ended != 2) { print begun + 0 " runs begun and " ended + 0 " ended, not 2"; exit 1 }
        exit calls > 0
    }
' "$work/log"
